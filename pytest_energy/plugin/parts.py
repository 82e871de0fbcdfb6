"""What is measured beside the whole of a test's work: parts of it, and other work in turns with it.

Rule 1: each has windows of its own, under the test's id and a name.
Rule 2: its joules are those of the channels that are the test's.
"""

from collections.abc import Mapping, Sequence

from pytest_energy.errors import Absent
from pytest_energy.meter.ready_power import ready_power_of
from pytest_energy.meter.scope import limited
from pytest_energy.model import Provenance, Reading
from pytest_energy.plugin.measurement import Measurement
from pytest_energy.plugin.rounds import Sequential
from pytest_energy.ready import ReadyPower
from pytest_energy.work import Work


class Parts:
    """Parts of the work of one test."""

    def __init__(self, measurement: Measurement) -> None:
        self._measurement = measurement

    @property
    def are_wanted(self) -> bool:
        """Whether parts are worth their time: not in rounds that confirm, nor in turns with a revision."""
        measurement, run = self._measurement, self._measurement.run
        is_alone = run.scheduler is None and run.leading is None
        return is_alone and not (measurement.is_off or measurement.is_confirming)

    @property
    def time_s(self) -> float | None:
        """Seconds for all parts together; `None` if their joules are replayed from a file."""
        measurement = self._measurement
        if measurement.is_off or measurement.place.meter.provenance is Provenance.REPLAYED:
            return None
        return measurement.taker.time_s

    def measure(
        self, work: Work[object], part: str | None, time_share: float
    ) -> tuple[Reading, ...] | Absent:
        """Rounds of a part of the test's work, or why there are none.

        Args:
            work: The part.
            part: Its name; `None`: all of the test's work, whose rounds are those of the test.
            time_share: Of the time that the test has.
        """
        measurement = self._measurement
        if part is None:
            measurement.measure(work, time_share=time_share)
            return measurement.own_rounds()
        test_id = f"{measurement.test_id}#{part}"
        because = measurement.why_unmeasured(test_id)
        if because is not None:
            return Absent(because)
        # A device may rest in a part that the whole has at work: then the part uses hardly anything of it.
        return self.like_own(measurement.taker.take(work, test_id, time_share, Sequential()).rounds)

    def take_beside(self, work: Work[object], name: str, call_index: int) -> Reading | None:
        """One round of *work*, called *name*, between those of the test; `None` where nothing measures."""
        measurement, part_id = self._measurement, f"{self._measurement.test_id}#{name}"
        is_unmeasured = measurement.is_off or measurement.unmeasured_because is not None
        if is_unmeasured or measurement.place.meter.why_unmeasured(part_id):
            work.prepare()
            work.run(call_index, None)
            return None
        reading = measurement.taker.take_one(work, part_id, call_index)
        measurement.in_turns.append(reading)
        return reading

    def like_own(self, readings: Sequence[Reading]) -> tuple[Reading, ...]:
        """*readings* with the joules of the test's channels alone."""
        own = self._measurement.own_rounds()
        return limited(readings, frozenset() if isinstance(own, Absent) else frozenset(own[0].channels))

    def ready_power(self, readings: Sequence[Reading]) -> Mapping[str, ReadyPower]:
        """Ready power by channel, from the quiet before *readings*."""
        return ready_power_of(readings, self._measurement.place.meter.idle_power_w())
