"""The state of one test: its work, the rounds that were measured of it, and the record that comes of them.

Rule 1: a test has one work. Where it hands over none, its outermost windows are it.
Rule 2: a window inside another is a phase of its round; its joules are part of the round's, never added.
Rule 3: a test whose work has not come to its end measured nothing, whatever it measured before.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from statistics import fmean
from threading import Lock
from typing import TypeVar

from pytest_energy.codec import brief
from pytest_energy.documents import now_text
from pytest_energy.errors import Absent, EnergyError, printable
from pytest_energy.masking import masked_facts
from pytest_energy.meter.protocol import OpenWindow
from pytest_energy.meter.scope import scoped
from pytest_energy.metrics.discriminative import ModelFacts
from pytest_energy.metrics.evaluation import Metrics
from pytest_energy.model import Reading, Record
from pytest_energy.plugin import given
from pytest_energy.plugin.chosen_place import ChosenPlace
from pytest_energy.plugin.counting import Counter, why_uncounted
from pytest_energy.plugin.mark import EnergyMark
from pytest_energy.plugin.place import Place
from pytest_energy.plugin.progress import progress_of
from pytest_energy.plugin.round_taker import RoundTaker
from pytest_energy.plugin.rounds import LEAST_CONFIRMING_COUNT, MeasuredRounds, Sequential
from pytest_energy.plugin.run import EnergyRun
from pytest_energy.plugin.windows import Window, WindowWork, why_nothing
from pytest_energy.sensors.replay import ReplayRound
from pytest_energy.verdict.policy import RoundsWanted
from pytest_energy.work import Work, WorkDescription
from pytest_energy.yardstick import is_yardstick

R = TypeVar("R")


class Measurement:
    """What one test measures.

    Args:
        confirming_count: Rounds that confirm those of an earlier run of the test, all that is wanted now.
        confirms_later: What looks like a regression is confirmed at the end of the run, and not at once.
        place: Where it is measured; `None`: where the run measures tests.

    Attributes:
        test_id: The test's node id.
        run: Of which the test is a part.
        facts: Of the model at work, if the test has described it.
        roles: Channel to its role, as far as the test has given it.
        in_turns: Rounds of other work that took turns with the test's.
        unmeasured_because: Why it can't be measured, as far as that is known; or `None`.
        taker: Takes its rounds.
        model_name: Of the model, if the test or its marker has named it.
        earlier_round_count: Rounds of an earlier run of the test, those that were dropped included.
    """

    def __init__(
        self,
        test_id: str,
        mark: EnergyMark,
        run: EnergyRun,
        *,
        confirming_count: int | None = None,
        earlier_round_count: int = 0,
        confirms_later: bool = False,
        place: Place | None = None,
    ) -> None:
        self.test_id = test_id
        self.run = run
        self.facts: ModelFacts | None = None
        self._mark, self.model_name = mark, mark.model
        self._confirming_count, self._confirms_later = confirming_count, confirms_later
        self.earlier_round_count = earlier_round_count
        self._windows = WindowWork()
        self._work: Work[object] | WindowWork = self._windows
        self._has_begun = False
        self._measured: MeasuredRounds[object] | None = None
        self._held = ExitStack()  # the devices and the window, while one is open
        self._opening = Lock()  # of a test's threads one opens the window, and the others are phases in it
        self._unended: dict[str, None] = {}  # names of outermost windows that were opened, and not closed
        self._is_whole = self._is_ended = False
        self.unmeasured_because: str | None = None
        self._chosen = ChosenPlace(run, lambda key: run.gate.look_at(test_id, mark, key), place)
        self.taker = RoundTaker(test_id, mark, run, place=self._chosen, confirming_count=confirming_count)
        self._own_metrics = Metrics()
        self.roles: Mapping[str, str] = {}
        self.in_turns: list[Reading] = []
        why_not = why_uncounted(test_id, run.settings, is_confirming=confirming_count is not None)
        self._counter = Counter(
            why_not=why_not, trace=run.trace, owned=partial(self._chosen.held_to_count, mark.domains)
        )

    # Before the rounds

    @property
    def is_off(self) -> bool:
        return self.run.settings.is_off

    @property
    def has_warm_up(self) -> bool:
        """Whether rounds of this test begin with some that don't count."""
        return not self.is_off and self.taker.warmup_count(self.test_id) != 0

    @property
    def is_confirming(self) -> bool:
        """Whether its rounds confirm those of an earlier run."""
        return self._confirming_count is not None

    def can_measure(self, unmeasured_because: str | None = None) -> bool:
        """Whether this run measures this test; if not, remembers why: *unmeasured_because*, if given."""
        if self.is_off:
            return False
        self.unmeasured_because = unmeasured_because or self.why_unmeasured(self.test_id)
        return self.unmeasured_because is None

    def why_unmeasured(self, test_id: str) -> str | None:
        """Why the place of this test, settled now, does not measure *test_id*, or `None`."""
        return self._chosen.why_nowhere() or self.place.meter.why_unmeasured(test_id)

    @property
    def place(self) -> Place:
        """Where this test is measured, as far as that is settled."""
        return self._chosen.place

    def measure_at(self, find_place: Callable[[], Place]) -> None:
        """Measure this test where *find_place* says when it is about to be measured.

        A place that can't be had is an `EnergyError` of *find_place*, and leaves the test unmeasured.

        Raises:
            EnergyError: Something was measured already.
        """
        self._refuse_another_place()
        self._chosen.find_by(find_place)

    def settle_at(self, place: Place) -> None:
        """Measure this test at *place*, whose baseline is read now.

        Raises:
            EnergyError: Something was measured already, at another place.
            BaselineError: The baseline of that machine can't be read.
        """
        if place != self._chosen.settled:
            self._refuse_another_place()
            self._chosen.settle(place)

    def _refuse_another_place(self) -> None:
        if self._has_begun or self.has_windows or self._is_open:
            raise EnergyError("a test is measured in one place. Choose it before the first window.")

    def give_up(self, because: str) -> None:
        """Remember why there are no rounds, unless a reason is known."""
        self.unmeasured_because = self.unmeasured_because or because

    def refuse_ranks(self, method: str) -> None:
        """Stop what one process alone can do.

        Raises:
            EnergyError: torchrun has started several.
        """
        if self.run.leading is not None or self.run.following is not None:
            raise EnergyError(
                f"{method} measures in one process, and torchrun has started several.\n"
                "Measure a function that all ranks call: energy.measure(work)."
            )

    def refuse_inside_window(self, because: str) -> None:
        """Stop what would be measured itself.

        Raises:
            EnergyError: A window is open.
        """
        if self._is_open:
            raise EnergyError(because)

    # Rounds

    def measure(self, work: Work[R], *, time_share: float = 1.0, unmeasured_because: str | None = None) -> R:
        """Run *work* in rounds, or once where nothing measures.

        Args:
            work: The work of this test.
            time_share: Of the time that the test has.
            unmeasured_because: Why nothing here measures this work, or `None`.

        Returns:
            What the last call returned.

        Raises:
            EnergyError: Rounds were measured already, or a window is open.
        """
        self._refuse_after_end()
        if self._is_whole and self._is_open:
            raise EnergyError(
                "the test is measured as a whole: it has the marker energy, and asked for the fixture late.\n"
                "Take the fixture as an argument: def test_work(energy)."
            )
        if self._has_begun or self._windows.windows or self._is_open:
            raise EnergyError(
                "a test can be measured once.\nMeasure parts of the work with energy.window inside the "
                "measured function,\nand other work in another test."
            )
        self._work = work
        if self.run.following is not None:
            self._has_begun = True
            return self.run.following.measure(work)
        result = self._measured_or_called(work, time_share, unmeasured_because)
        self.taker.ranks.say_done()
        return result

    def _measured_or_called(self, work: Work[R], time_share: float, unmeasured_because: str | None) -> R:
        because = unmeasured_because or self.run.why_counted_alone(self._mark, self._chosen.provenance)
        is_measured = self.can_measure(because)
        self._has_begun = True
        if is_measured:
            scheduler = self.run.scheduler or Sequential(self._more_rounds)
            self._measured = rounds = self.taker.take(work, self.test_id, time_share, scheduler)
            self.count(work, fmean(reading.duration_s for reading in rounds.rounds))
            return rounds.result
        work.prepare()
        call = partial(work.run, 0, None)
        began_s = self.run.clock.now_s()
        result = self.taker.ranks.announced(call)()
        self.count(work, self.run.clock.now_s() - began_s)
        return result

    def count(self, work: Work[object], call_s: float | None = None) -> None:
        """Count what one more call of *work*, of *call_s* seconds, does, whether it was measured or not."""
        self._counter.call_s = call_s
        self.taker.ranks.count(partial(self._counter.count, work))

    def own_rounds(self) -> tuple[Reading, ...] | Absent:
        """The rounds of the test's work, or why there are none."""
        if not self.rounds:
            return Absent(self.unmeasured_because or "this run measures nothing: --energy-off")
        record = self._bare_record(self.rounds, WorkDescription())
        return record.rounds if record.unmeasured_because is None else Absent(record.unmeasured_because)

    def _more_rounds(self, rounds: tuple[Reading, ...]) -> RoundsWanted | None:
        if self.is_confirming or is_yardstick(self.test_id):
            return None
        record = self._bare_record(rounds, self._work.description(len(rounds)))
        more = self.run.more_rounds(record, self._mark)
        return None if more is not None and more.is_confirming and self._confirms_later else more

    @contextmanager
    def window(self, name: str, samples: int | None) -> Iterator[Window]:
        """Measure the block: a phase inside a round, or else a window of its own.

        Raises:
            EnergyError: It is outside the rounds that were measured.
        """
        window = Window(name, samples)
        if self._counter.is_counting:
            yield window
            return
        if self.run.following is not None:
            with self.run.following.window():
                yield window
            return
        with self._opening:
            phase = None if self.taker.open is None else self.taker.open.phase(name, samples=samples)
            opened = self._outermost(name) if phase is None else None
        if opened is None:
            yield window
            if phase is not None:
                phase.close()
            return
        try:
            yield window
            window.reading = opened.close()
        finally:
            self._held.close()
        self._unended.pop(name, None)  # the same name may have come twice
        self._windows.windows.append(window)

    def _outermost(self, name: str) -> OpenWindow | None:
        """Open a window of its own; `None` in a run before the rounds, or where nothing measures."""
        self._refuse_after_end()
        if self._measured is not None:
            raise EnergyError(
                f"the window {brief(name)} is outside the function that energy.measure has measured.\n"
                "Open it inside that function."
            )
        if self._has_begun:
            return None
        if not self.can_measure():
            self.taker.ranks.say_skip()
            return None
        self._unended[name] = None
        try:
            self._held.enter_context(self.taker.owned())
            progress_of(self.run.config).show(self.test_id, f"measuring {printable(name)}")
            return self._held.enter_context(self.taker.opened(self.test_id))
        except BaseException:
            self._held.close()
            raise

    @contextmanager
    def whole_call(self) -> Iterator[None]:
        """Measure the block, a test that measures nothing itself."""
        self._is_whole = True
        with self.window("call", samples=None):
            yield

    def end(self) -> None:
        """Let go of the devices and take no more rounds: what is measured now is judged."""
        self._held.close()
        self._is_ended = True

    def _refuse_after_end(self) -> None:
        if self._is_ended:
            raise EnergyError(
                "the test was judged when its body was over, so this would not count.\n"
                "Measure it in the test, or all of it in its fixtures."
            )

    # After them

    @property
    def _is_open(self) -> bool:
        """Whether a window is open."""
        return self.taker.open is not None

    @property
    def has_windows(self) -> bool:
        return bool(self._unended or self._windows.windows)

    @property
    def is_unused(self) -> bool:
        """Whether the test took the fixture, and measured nothing with it."""
        return not (self._has_begun or self.has_windows or self._is_whole)

    @property
    def is_complete(self) -> bool:
        """Whether no window is open, and there are rounds or a reason why there are none."""
        return not self._is_open and bool(self.rounds or self.unmeasured_because)

    @property
    def rounds(self) -> tuple[Reading, ...]:
        """Those that were measured; none if nothing was, or not all (rule 3)."""
        if self._unended:
            return ()
        return self._windows.rounds if self._measured is None else self._measured.rounds

    @property
    def least_confirming_count(self) -> int:
        """Rounds of the source of joules that the test needs to run once more."""
        return len(self._windows.windows) or min(LEAST_CONFIRMING_COUNT, len(self.rounds))

    def record(self, name: str, value: float | None) -> None:
        """Keep a metric of the test's own.

        Raises:
            EnergyError: The value is neither a finite number nor `None`.
        """
        self.keep(given.metric(name, value))

    def keep(self, metrics: Metrics) -> None:
        """Keep *metrics* for the record; they win over those that are computed from it."""
        if not self._counter.is_counting:
            self._own_metrics |= metrics

    def replay_rounds(self) -> tuple[ReplayRound, ...]:
        """The rounds that were measured, to be written down: a replay opens its windows in the same order.

        Raises:
            NotMeasurable: One of them is void.
        """
        windows = [window.reading for window in self._windows.windows if window.reading is not None]
        readings = windows if self._measured is None else self._measured.rounds
        return tuple(ReplayRound.from_reading(reading) for reading in readings)

    def to_record(self) -> Record:
        """What this test measured, or why it measured nothing.

        Raises:
            EnergyError: A limit for each sample or token was set and their number is not known.
        """
        rounds = self.rounds
        description = self._work.description(len(rounds))
        if rounds:
            samples, output_tokens = self._samples(description), description.output_tokens
            given.check_units(
                self._mark,
                samples=samples,
                output_tokens=output_tokens,
                workload=description.workload,
            )
            given.check_phases(self._mark, rounds, self.run.gate.stored_phases(self.test_id))
        else:
            self.give_up(why_nothing(self._unended, has_begun=self._has_begun))
        return self.run.with_metrics(self.plain_record(), self.facts, description.metrics)

    def plain_record(self) -> Record:
        """What this test measured, without the metrics that are worked out of it."""
        uncounted = {} if self.is_confirming else self._counter.absent
        return replace(
            self._bare_record(self.rounds, self._work.description(len(self.rounds))),
            confirming_count=0 if self._measured is None else self._measured.confirming_count,
            metrics=self._own_metrics.values,
            absent={**uncounted, **self._own_metrics.absent},
            counts=self._counter.counts,
        )

    def _samples(self, description: WorkDescription) -> int | None:
        return self._mark.samples if description.samples is None else description.samples

    def _bare_record(self, rounds: tuple[Reading, ...], description: WorkDescription) -> Record:
        """The record without metrics; the only place in which a description becomes a part of one."""
        record = Record(
            test_id=self.test_id,
            created=now_text("milliseconds"),
            provenance=self.place.meter.provenance,
            machine=self.place.machine,
            session=self.run.session_id,
            rounds=rounds,
            samples=self._samples(description),
            output_tokens=description.output_tokens,
            workload=masked_facts(description.workload),
            engine_settings=masked_facts(description.engine_settings),
            warmup_count=0 if self._measured is None else self._measured.warmup_count,
            group=self._mark.group,
            model=self.model_name,
            idle_power_w=self.place.meter.idle_power_w() if rounds else None,
            sensors=self.place.meter.statuses(),
            roles=self._known_roles(rounds, description.roles),
            saturated_because=description.saturated_because,
            step_cost=description.step_cost,
            slo_missed_because=description.slo_missed_because,
            void_because=next((r.void_because for r in rounds if r.void_because is not None), None),
            unmeasured_because=None if rounds else self.unmeasured_because,
        )
        # A load of the yardstick has its device at rest where that is what it measures.
        if is_yardstick(self.test_id):
            return record
        return scoped(record, self.run.gate.counted_channels(self.test_id), self.in_turns)

    def _known_roles(self, rounds: tuple[Reading, ...], found: Mapping[str, str]) -> dict[str, str]:
        """Roles of channels that *rounds* have; the test's own word wins over what was *found*."""
        if not rounds:
            return {}
        measured = {name for reading in rounds for name in reading.channels}
        roles = {**self.place.meter.roles(), **self.taker.ranks.roles(), **found, **self.roles}
        return {name: role for name, role in sorted(roles.items()) if name in measured}
