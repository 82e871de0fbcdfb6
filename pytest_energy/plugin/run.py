"""One run of pytest: what measures, what it is compared with, and what is written at its end."""

import os
import random
import secrets
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import pytest

from pytest_energy.baselines.location import store_at
from pytest_energy.baselines.machine import fingerprint
from pytest_energy.baselines.protocol import BaselineStore
from pytest_energy.conversion import judgement_from_json, judgement_to_json
from pytest_energy.counts import Counts
from pytest_energy.documents import now_text
from pytest_energy.errors import Absent, described, printable_lines
from pytest_energy.judgement import Judgement, Verdict
from pytest_energy.meter.clock import Clock, SystemClock
from pytest_energy.meter.device_lock import NOTICE_S, Patience, owned
from pytest_energy.meter.holder import Holder
from pytest_energy.meter.host_usage import LinuxSystem, System
from pytest_energy.meter.live import LiveMeter
from pytest_energy.meter.protocol import Meter
from pytest_energy.meter.replay import ReplayMeter
from pytest_energy.meter.synchronize import synchronize
from pytest_energy.metrics.discriminative import ModelFacts, metrics_of
from pytest_energy.metrics.evaluation import Metrics, offered
from pytest_energy.model import Domain, Machine, Provenance, Record, SensorStatus
from pytest_energy.plugin.alone import Alone
from pytest_energy.plugin.attempts import Attempts
from pytest_energy.plugin.gate import Conclusion, Gate
from pytest_energy.plugin.mark import EnergyMark
from pytest_energy.plugin.places import Places
from pytest_energy.plugin.processes import worker_count
from pytest_energy.plugin.progress import progress_of
from pytest_energy.plugin.rounds import MOST_ROUND_COUNT, RoundScheduler
from pytest_energy.plugin.settings import Settings
from pytest_energy.plugin.stash import RUN, YARDSTICK
from pytest_energy.prediction import Calibration, with_predictions
from pytest_energy.prediction.calibration_file import load_all
from pytest_energy.report.formats import check_outputs
from pytest_energy.sensors.detect import Opener, SensorSet, builtin_openers, check_names, close_all, detect
from pytest_energy.sensors.estimate import is_of_cpu_time
from pytest_energy.sensors.replay import Replay, load_replay
from pytest_energy.tracing.tracer import traced
from pytest_energy.verdict import policy
from pytest_energy.verdict.policy import ANSWERED, RoundsWanted
from pytest_energy.whole_file import check_place, writing
from pytest_energy.yardstick.worth import suite_s

if TYPE_CHECKING:
    from pytest_energy.plugin.following import Following
    from pytest_energy.plugin.leading import Leading

_TRACE_S = 1.0  # a second call, to see whether counts repeat, is made where both take no longer


class Tracer(Protocol):
    """Counts what a call does, as `tracing.traced`."""

    def __call__(
        self, work: Callable[[], object], *, folder: Path, most_s: float, call_s: float | None
    ) -> Counts | Absent: ...


class EnergyRun:
    """What one process needs to measure and judge. Everything is made when first needed.

    Attributes:
        config: Of pytest.
        environ: Of the process when this was made: before the first test, which may leave another one.
        scheduler: Says when each test's rounds are taken, or `None`: one after the other.
        tracer: Counts what a call does.
        leading: What rank 0 of several says and asks, or `None`.
        following: What another rank does in place of measuring, or `None`.
        places: Where tests are measured.
        kin_pid: A process whose descendants are no strangers on a device, or `None`.
    """

    def __init__(self, config: pytest.Config) -> None:
        self.settings = Settings.from_pytest_config(config)
        self.clock: Clock = SystemClock()
        self.scheduler: RoundScheduler | None = None
        self.kin_pid: int | None = None
        self.leading: Leading | None = None
        self.following: Following | None = None
        self.tracer: Tracer = traced
        self.config = config
        self.environ: Mapping[str, str] = {**os.environ}
        self.places = Places(self)
        self._started_meter: Meter | None = None
        self._left_out: list[str] = []

    @property
    def ranks(self) -> "Leading | Alone":
        """What takes part in each window and call of this process."""
        return Alone() if self.leading is None else self.leading

    @cached_property
    def session_id(self) -> str:
        """Names this process in its records: when it began, and that no other one is meant."""
        return f"{now_text()}-{secrets.token_hex(3)}"

    @cached_property
    def _replay(self) -> Replay | None:
        return None if self.settings.replay_path is None else load_replay(self.settings.replay_path)

    def check_settings(self) -> None:
        """Refuse, before any test, what is sure to fail: an unknown sensor, a bad replay, an odd output.

        Raises:
            SettingsError: A sensor's name or an output's suffix is unknown, an output is sure not to be
                written, or the replay or an earlier attempt can't be used.
        """
        if self._replay is None and self.settings.sensor_names is not None:
            check_names(self.settings.sensor_names, (*builtin_openers(), *self.offered_sensors))
        check_outputs(self.settings.outputs)
        if self.settings.record_path is not None:
            with writing(f"the replay file {self.settings.record_path}"):
                check_place(self.settings.record_path)
        _ = self.attempts.by_test

    @cached_property
    def offered_sensors(self) -> dict[str, Opener]:
        """Sensors of other plugins, by name."""
        offers = self.config.hook.pytest_energy_sensors(config=self.config)
        return {name: opener for offer in offers for name, opener in (offer or {}).items()}

    @cached_property
    def sensors(self) -> SensorSet:
        """The sensors of this machine; none for a replay."""
        if self._replay is not None:
            status = SensorStatus(name="replay", provenance=Provenance.REPLAYED)
            return SensorSet(sensors=(), statuses=(status,))
        return detect(
            self.settings.sensor_names, cpu_tdp_w=self.settings.cpu_tdp_w, extra=self.offered_sensors
        )

    @cached_property
    def meter(self) -> Meter:
        """The meter, started: it has found its ticks and measured idle power."""
        meter: Meter
        if self._replay is not None:
            meter = ReplayMeter(self._replay, clock=self.clock)
        else:
            meter = LiveMeter(
                self.sensors.sensors,
                self.sensors.statuses,
                clock=self.clock,
                synchronize=self.synchronize,
                rng=random.Random(),  # noqa: S311  # a delay that breaks lockstep, not a secret
                system=self._system,
                cpu_power=self.sensors.cpu_power,
            )
            meter = self.ranks.joined(meter)
        status = progress_of(self.config).status("measuring the power at rest")
        with status, self.owned(meter.devices(None)):  # of all devices: nobody else may be at work
            meter.start()
        self._started_meter = meter
        return meter

    @cached_property
    def _system(self) -> System:
        return LinuxSystem(self.kin_pid)

    def owned(self, devices: Iterable[str]) -> AbstractContextManager[None]:
        """Own *devices* for as long as the block runs.

        Raises:
            DeviceBusy: Another process keeps one of them for too long.
        """
        return owned(devices, self._patience)

    def held_to_count(self, domains: frozenset[Domain] | None) -> AbstractContextManager[None]:
        """Own what a call that is counted would disturb: no estimate that leaves other runs' time out."""
        if is_of_cpu_time(self.channel_names):
            return nullcontext()
        return self.owned(self.meter.devices(domains))

    def why_counted_alone(self, mark: EnergyMark, provenance: Provenance) -> str | None:
        """Why a test with *mark* that is judged by its counts takes no rounds, of joules of *provenance*."""
        is_estimated = provenance is Provenance.ESTIMATED and not self.settings.gates_estimates
        if not (is_estimated and self.gate.policy(mark).is_by_counts):
            return None
        return "counts are judged, and joules can only be estimated (--energy-estimates=gate keeps them)"

    @cached_property
    def _patience(self) -> Patience:
        """Says each process that is waited for once, and again where one wait is long."""
        named: set[Holder] = set()

        def tell(holder: Holder, text: str, waited_s: float) -> None:
            if holder not in named or waited_s >= NOTICE_S:
                progress_of(self.config).explain(text)
            named.add(holder)

        return Patience(limit_s=self.settings.device_wait_s, now_s=self.clock.now_s, tell=tell)

    def trace(self, call: Callable[[], object], *, may_repeat: bool, call_s: float | None) -> Counts | Absent:
        """What *call* does, or why that can't be counted.

        Args:
            call: Is called once or twice.
            may_repeat: It may be called twice.
            call_s: Seconds that a call takes, where they are known.
        """
        most_s = _TRACE_S if may_repeat else 0.0
        call = self.ranks.announced(call)
        return self.tracer(call, folder=self.config.rootpath, most_s=most_s, call_s=call_s)

    def synchronize(self) -> None:
        """Wait until the devices have done what this process has given them."""
        synchronize()
        self.config.hook.pytest_energy_synchronize()

    @cached_property
    def machine(self) -> Machine:
        names = ("replay",) if self._replay is not None else tuple(s.name for s in self.sensors.sensors)
        facts = tuple(sensor.facts() for sensor in self.sensors.sensors)
        machine = fingerprint(facts, names, self.provenance, folder=self.config.rootpath)
        return self.ranks.machine(machine)

    @property
    def provenance(self) -> Provenance:
        """Of every joule of this run; of a run that can't measure: `measured`, of which there are none."""
        if self._replay is not None:
            return Provenance.REPLAYED
        return self.sensors.sensors[0].provenance if self.sensors.sensors else Provenance.MEASURED

    @property
    def channel_names(self) -> frozenset[str]:
        """Those whose joules count in this run."""
        counted = (one for one in self.statuses if one.provenance is self.provenance)
        return frozenset(name for status in counted for name in status.channels)

    @property
    def statuses(self) -> tuple[SensorStatus, ...]:
        return self.sensors.statuses if self._started_meter is None else self._started_meter.statuses()

    def with_metrics(
        self, record: Record, facts: ModelFacts | None, of_work: Callable[[Record], Metrics]
    ) -> Record:
        """*record* with the metrics that can be computed; those that the test itself recorded win."""
        metrics = Metrics()
        if facts is not None:
            accuracy = record.metrics.get("accuracy", facts.accuracy)
            metrics = metrics_of(record, replace(facts, accuracy=accuracy))
        metrics |= of_work(record)
        for offer in self.config.hook.pytest_energy_metrics(config=self.config):
            metrics |= offered(offer or {}, record)
        metrics |= Metrics(record.metrics, record.absent)
        return replace(record, metrics=metrics.values, absent=metrics.absent)

    @cached_property
    def attempts(self) -> Attempts:
        """Earlier tries at this commit: `attempts.of(record)` are judged with *record*."""
        return Attempts(self.settings.attempts_path, self.environ)

    @cached_property
    def store(self) -> BaselineStore:
        keep = self.settings.baseline_session_count
        return store_at(self.settings.baselines_at, keep=keep, tell=self._left_out.append)

    @cached_property
    def calibrations(self) -> tuple[Calibration, ...]:
        """Of the cards whose joules are predicted where they are not; none for ranks, each on a card."""
        if self.leading is not None:
            return ()
        return load_all(self.store)

    @cached_property
    def gate(self) -> Gate:
        return Gate(self.settings, self.store, lambda: self.machine.key, self.attempts.of)

    def load_baselines(self, marks: Mapping[str, EnergyMark]) -> None:
        """Read calibrations and the tests' baselines: a broken file stops the run before the work.

        Raises:
            BaselineError: A file or the folder can't be read.
        """
        # Git, files, the environment: not later, among a test's patches.
        _ = self.machine, self._system, self.calibrations
        self.gate.load(marks)

    @property
    def expected_s(self) -> float:
        """Seconds that the energy tests of this process will take, of what is known before they run."""
        return suite_s(self.gate.durations_s.values()) / worker_count(self.config)

    @property
    def yardstick_records(self) -> tuple[Record, ...]:
        """What the fixed loads used, so far as they were measured; one that was not says why."""
        yardstick = self.config.stash.get(YARDSTICK, None)
        return () if yardstick is None else yardstick.to_value().records

    def tolerance(self, mark: EnergyMark) -> float:
        """Accepted rise for a test with *mark*, as a share."""
        return self.gate.policy(mark).tolerance

    def judge(self, record: Record, mark: EnergyMark) -> Judgement:
        """Hold *record* against its budget and baseline by the tests so far: the end of the run says more."""
        return self.gate.judge(with_predictions(record, self.calibrations), mark)

    def after_hooks(self, judgement: Judgement) -> Judgement:
        """What other plugins make of a final judgement; each is asked once."""
        try:
            changed: Judgement | None = self.config.hook.pytest_energy_verdict(judgement=judgement)
            if changed is None:
                return judgement
            judgement_from_json(judgement_to_json(changed), "its judgement")
        except Exception as error:  # noqa: BLE001  # whatever another plugin raises: the gate's verdict stands
            because = f"pytest_energy_verdict failed, and changed nothing: {described(error)}"
            return replace(judgement, reason=f"{judgement.reason}\n{because}")
        return changed

    def suspects(self, judgements: Sequence[Judgement]) -> dict[str, int]:
        """The tests that look like a regression which nothing has confirmed, where one would fail.

        Returns:
            Test id to the number of rounds that should confirm it.
        """
        if Verdict.REGRESSION in ANSWERED[self.settings.baseline_mode]:
            return {}
        return {one.record.test_id: len(one.record.usable_rounds) for one in judgements if _looks_worse(one)}

    def conclude(self, judgements: Sequence[Judgement]) -> Conclusion:
        """Judge all tests of this process together, once all of them have run.

        Args:
            judgements: What `judge` has said of each, the confirming batches included.
        """
        conclusion = self.gate.conclude(judgements, self.yardstick_records)
        if YARDSTICK in self.config.stash:
            self.config.stash[YARDSTICK].conclude(conclusion.yardstick)
        return conclusion

    def more_rounds(self, record: Record, mark: EnergyMark) -> RoundsWanted | None:
        """The rounds that *record* should have before it is judged."""
        return self.gate.more_rounds(record, mark, cap=MOST_ROUND_COUNT)

    def is_failing(self, judgement: Judgement) -> bool:
        """Whether the test must fail: always for a regression or a budget, under strict for any doubt."""
        settings = self.settings
        return policy.is_failing(judgement, strict=settings.is_strict, mode=settings.baseline_mode)

    def store_notes(self) -> tuple[str, ...]:
        """What was left out of the baselines, each once."""
        return tuple(dict.fromkeys(self._left_out))

    def drift_notes(self) -> tuple[str, ...]:
        """What has changed since the run's start; takes 3 s if something was measured, else none.

        Raises:
            EnergyError: Power without work can't be read.
        """
        meter = self._started_meter
        if meter is None or meter.provenance is not Provenance.MEASURED:
            return ()
        with self.owned(meter.devices(None)):
            notes = meter.drift_notes()
        meter.pause()
        return notes

    def rest(self) -> None:
        """Leave the process to other tests, until the next energy test."""
        self.places.pause()
        if self._started_meter is not None:
            self._started_meter.pause()

    def close(self) -> None:
        self.places.close()
        if self._started_meter is not None:
            self._started_meter.close()
        if "sensors" in vars(self):
            for failure in close_all(self.sensors.sensors):
                sys.stderr.write(printable_lines(f"energy: {failure}") + "\n")


def _looks_worse(judgement: Judgement) -> bool:
    """Whether bounds alone say regression, and no second batch has been asked."""
    comparison = judgement.comparison
    return comparison is not None and comparison.is_rise and not judgement.record.confirming_count


def run_of(config: pytest.Config) -> EnergyRun:
    """The run's own, made when first asked for."""
    if RUN not in config.stash:
        config.stash[RUN] = EnergyRun(config)
    return config.stash[RUN]
