"""The yardstick of one process: its loads are measured between the tests, as soon as they can be.

Rule 1: between the tests nothing of a test is in the way: the loads run before a test's fixtures are set up,
and before the first test where that is possible. Where a GPU is still closed, it is after the first test that
opens it: who opens it earlier changes what the GPU draws, and stands in the way of a test that forks.
Rule 2: a load that fails fails no test; its record says why.
Rule 3: it is asked for before every energy test, so that it costs nothing once it is done.
"""

import math
import warnings
from collections.abc import Iterable
from contextlib import suppress
from functools import cached_property

import pytest

from pytest_energy import documents
from pytest_energy.codec import NULLABLE, Document, JsonDict, decode
from pytest_energy.conversion import record_of, to_json
from pytest_energy.errors import EnergyError, described
from pytest_energy.model import Domain, Provenance, Record
from pytest_energy.plugin.mark import EnergyMark
from pytest_energy.plugin.measurement import Measurement
from pytest_energy.plugin.run import EnergyRun, run_of
from pytest_energy.plugin.settings import YardstickMode
from pytest_energy.plugin.stash import YARDSTICK
from pytest_energy.run_judgement import BaselineMode
from pytest_energy.yardstick import Yardstick
from pytest_energy.yardstick.cpu_loads import cpu_loads
from pytest_energy.yardstick.gpu_loads import gpu_loads
from pytest_energy.yardstick.load import FixedLoad, LoadSet, LoadWork
from pytest_energy.yardstick.worth import why_not_worth

_LONGEST_S = 60.0  # of one load: its rounds take seconds, but a slow disk may take many to load a library


class _OfWorker(Document, frozen=True, kw_only=True):
    """What `RunYardstick.to_json` gives."""

    records: tuple[documents.Record, ...]
    absent_because: str | None = NULLABLE


class RunYardstick:
    """The yardstick of the process of *run*."""

    def __init__(self, run: EnergyRun) -> None:
        self._run = run
        self._records: tuple[Record, ...] = ()
        self._taken: list[LoadSet] = []
        self._concluded: tuple[Record, ...] | None = None

    @cached_property
    def _sets(self) -> tuple[LoadSet, ...]:
        """The loads that move what this run measures."""
        channels = [channel for sensor in self._run.sensors.sensors for channel in sensor.channels]
        domains = {channel.domain for channel in channels}
        sets = (gpu_loads(self._run.clock), cpu_loads(self._run.clock))
        return tuple(loads for loads in sets if loads.domains & domains)

    @cached_property
    def absent_because(self) -> str | None:
        """Why this process measures no yardstick, or `None`."""
        run, mode = self._run, self._run.settings.yardstick_mode
        if mode is YardstickMode.OFF:
            return "--energy-yardstick=off"
        if run.scheduler is not None:
            return "both sides of a comparison take turns on one GPU"
        if run.provenance is not Provenance.MEASURED:
            return f"the joules of this run are {run.provenance}, not measured"
        if not self._sets:
            return "this run measures no channel of a GPU, a CPU or its memory"
        if mode is YardstickMode.ON:
            return None
        return why_not_worth(math.fsum(loads.expected_s for loads in self._sets), run.expected_s)

    def take(self) -> None:
        """Measure the loads that can be measured by now, each once."""
        if self.absent_because is not None:
            return
        for loads in self._waiting():
            if self._why_not_ready(loads) is None:
                self._taken.append(loads)
                self._records += tuple(self._measured(load, loads.domains) for load in loads.loads)
                with suppress(RuntimeError):  # a device that is broken: the tests will say so
                    loads.release()

    def _waiting(self) -> list[LoadSet]:
        return [loads for loads in self._sets if loads not in self._taken]

    def _why_not_ready(self, loads: LoadSet) -> str | None:
        return loads.why_not_ready(self._run.settings.yardstick_mode is YardstickMode.ON)

    def _measured(self, load: FixedLoad, domains: frozenset[Domain]) -> Record:
        measurement = self._measurement(load, domains)
        try:
            work = LoadWork(load, self._run.clock, self._known_count(load))
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # those of a load are not the next test's
                measurement.measure(work)
        except (EnergyError, RuntimeError, MemoryError) as error:  # RuntimeError: what torch raises
            measurement.give_up(described(error))
        return measurement.plain_record()

    def _measurement(self, load: FixedLoad, domains: frozenset[Domain]) -> Measurement:
        mark = EnergyMark(domains=domains, rounds=load.round_count, warmup=0, max_time_s=_LONGEST_S)
        return Measurement(load.test_id, mark, self._run, place=self._run.places.here)

    def _known_count(self, load: FixedLoad) -> int | None:
        """Units of the stored sessions' rounds, which the end of the run will hold this session against."""
        run = self._run
        if run.settings.baseline_mode is BaselineMode.OFF:
            return None
        baseline = run.store.load(run.machine.key, load.test_id)
        if baseline is None:
            return None
        run.gate.add_yardstick(baseline)
        return baseline.entries[-1].samples

    def to_value(self) -> Yardstick:
        """What is known by now; a load that waits for its device has a record that says so."""
        if self.absent_because is not None:
            return Yardstick(absent_because=self.absent_because)
        if self._concluded is not None:
            return Yardstick(records=self._concluded)
        waiting = (self._unmeasured(loads) for loads in self._waiting())
        return Yardstick(records=sum(waiting, self._records))

    def conclude(self, records: tuple[Record, ...]) -> None:
        """Take *records*, those of `to_value` with what the end of the run has added, for the final ones."""
        self._concluded = records

    def to_json(self) -> JsonDict:
        """`to_value` as a plain dict, fit for any transport."""
        value = self.to_value()
        return {
            "records": [to_json(record) for record in value.records],
            "absent_because": value.absent_because,
        }

    def _unmeasured(self, loads: LoadSet) -> tuple[Record, ...]:
        because = self._why_not_ready(loads) or "no test ran after the first one that used CUDA"
        measurements = [self._measurement(load, loads.domains) for load in loads.loads]
        for measurement in measurements:
            measurement.give_up(because)
        return tuple(measurement.plain_record() for measurement in measurements)


def of_all_processes(config: pytest.Config, messages: Iterable[JsonDict]) -> Yardstick:
    """The yardstick of the whole run.

    Args:
        config: Of this process, which may have measured as well.
        messages: `RunYardstick.to_json` of each worker.
    """
    workers = [_from_json(message) for message in messages]
    own = [config.stash[YARDSTICK].to_value()] if YARDSTICK in config.stash else []
    return Yardstick.of([*own, *workers])


def _from_json(message: JsonDict) -> Yardstick:
    where = "the yardstick of a worker"
    worker = decode(message, _OfWorker, where)
    records = tuple(record_of(record, where) for record in worker.records)
    return Yardstick(records=records, absent_because=worker.absent_because)


def yardstick_of(config: pytest.Config) -> RunYardstick:
    """The process's own, made when first asked for."""
    if YARDSTICK not in config.stash:
        config.stash[YARDSTICK] = RunYardstick(run_of(config))
    return config.stash[YARDSTICK]
