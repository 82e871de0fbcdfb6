"""The gate of a run: its baselines, and verdicts that take all of its tests into account.

Rule 1: a baseline is read once, at collection; a file that breaks or goes later changes no verdict. Of a test
        that is measured elsewhere it is read when that is known: before its first window.
Rule 2: a verdict while tests are still to come rests on the tests so far; the last one is of all of them.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from pytest_energy.baselines.protocol import BaselineStore
from pytest_energy.baselines.schema import Baseline
from pytest_energy.basis import COUNTS, NET, SAMPLE, Basis, active_j
from pytest_energy.errors import NotMeasurable
from pytest_energy.judgement import Budget, Judgement
from pytest_energy.meter.ready_power import ready_power_of
from pytest_energy.meter.scope import is_at_rest
from pytest_energy.model import Reading, Record
from pytest_energy.plugin.mark import EnergyMark
from pytest_energy.plugin.settings import Settings
from pytest_energy.ready import ReadyPower
from pytest_energy.run_judgement import BaselineMode, SessionFactor
from pytest_energy.verdict import rules
from pytest_energy.verdict.count_history import NONE_COUNTED, CountHistory, count_history_of
from pytest_energy.verdict.history import History, entries_of, history_of
from pytest_energy.verdict.phase_changes import comparison_count
from pytest_energy.verdict.policy import Policy, RoundsWanted
from pytest_energy.verdict.session import (
    Trial,
    case_of,
    decide_process,
    decision_of,
    of_channels,
)
from pytest_energy.verdict.suite import Case, Suite, suite_of
from pytest_energy.verdict.words import in_words
from pytest_energy.yardstick.worth import seconds_of

_GROWTH = 1.25
"""What the tests show together is worked out anew when so many times as many have run: for ten thousand tests
some forty times, not ten thousand."""

_ENOUGH_READINGS = 100
"""Of the quiet before rounds, until the end of the run: a line through so many is known to 0.2 W."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Conclusion:
    """The conclusion of one process on all tests that it measured.

    Attributes:
        judgements: The final one of each test, in the order given.
        failure: Why the run fails as a whole, or `None`.
        factors: What the tests have in common.
        notes: What a reader should know, one sentence each.
        yardstick: The records of the fixed loads, with the ready power of the whole session.
    """

    judgements: tuple[Judgement, ...]
    failure: str | None = None
    factors: tuple[SessionFactor, ...] = ()
    notes: tuple[str, ...] = ()
    yardstick: tuple[Record, ...] = ()


class Gate:
    """The baselines of one run and what has run so far.

    Args:
        settings: Of the run.
        store: Where the baselines are.
        machine_key: Tells the machine's; asked only where baselines are.
        attempts_of: Tells the records of earlier attempts at the code that a record is of.

    Attributes:
        durations_s: Seconds that each test's newest session took, or `None` if it has none.
    """

    def __init__(
        self,
        settings: Settings,
        store: BaselineStore,
        machine_key: Callable[[], str],
        attempts_of: Callable[[Record], Sequence[Record]] = lambda _: (),
    ) -> None:
        self._settings, self._store, self._machine_key = settings, store, machine_key
        self._attempts_of = attempts_of
        self.durations_s: dict[str, float | None] = {}
        self._keys: dict[str, str] = {}  # of the machine where a test is measured, if it is not this one
        self._histories: dict[str, History] = {}
        self._count_histories: dict[str, CountHistory] = {}
        self._other_machines: dict[str, tuple[str, ...]] = {}
        self._cases: dict[str, Case] = {}
        self._trials: dict[str, Trial] = {}
        self._suite: Suite | None = None
        self._suite_size = 0
        self._readings: list[Reading] = []
        self._ready: Mapping[str, ReadyPower] = {}

    def load(self, marks: Mapping[str, EnergyMark]) -> None:
        """Read the baselines of the tests with these ids and marks, if any are to be looked at.

        Raises:
            BaselineError: A file or the folder can't be read.
        """
        for test_id, baseline in self._loaded(self._machine_key, marks):
            self._keep(test_id, baseline, marks[test_id])

    def look_at(self, test_id: str, mark: EnergyMark, machine_key: str) -> None:
        """Have the test *test_id*, which is measured on another machine, judged by the baseline of that one.

        Raises:
            BaselineError: A file or the folder can't be read.
        """
        if machine_key != self._key_of(test_id):
            self._keys[test_id] = machine_key
            for known in (self._histories, self._count_histories, self._other_machines, self._cases):
                known.pop(test_id, None)
            for _, baseline in self._loaded(lambda: machine_key, (test_id,)):
                self._keep(test_id, baseline, mark)

    def _key_of(self, test_id: str) -> str:
        return self._keys.get(test_id) or self._machine_key()

    def _keep(self, test_id: str, baseline: Baseline | None, mark: EnergyMark) -> None:
        self.durations_s[test_id] = None if baseline is None else seconds_of(baseline.entries[-1])
        policy = self.policy(mark)
        if self._settings.baseline_mode is not BaselineMode.OFF and self._settings.traces:
            self._count_histories[test_id] = self._counted(test_id, baseline, policy)
        if baseline is None or policy.is_by_counts:
            self._other_machines_of(test_id)
        else:
            history = history_of(baseline, policy.basis)
            self._histories[test_id] = history
            count = comparison_count(history, policy)
            self._cases[test_id] = Case(test_id=test_id, fresh=None, history=history, comparison_count=count)

    def _loaded(
        self, machine_key: Callable[[], str], test_ids: Collection[str]
    ) -> Iterable[tuple[str, Baseline | None]]:
        if self._settings.baseline_mode is BaselineMode.OFF or not test_ids:
            return ((test_id, None) for test_id in test_ids)
        return self._store.load_each(machine_key(), test_ids)

    def _counted(self, test_id: str, own: Baseline | None, policy: Policy) -> CountHistory:
        """Counts of this machine where it has some; those of other machines are read only without."""
        near = count_history_of([] if own is None else [own])
        if any(near.by_key.values()) and not policy.is_by_counts:
            return near
        return count_history_of([self._store.read(path) for path in self._store.paths_of(test_id)])

    def add_yardstick(self, baseline: Baseline) -> None:
        """Have *baseline*, of a fixed load, say what the load used before; the load is no test."""
        self._histories[baseline.test_id] = history_of(baseline, self.policy(EnergyMark()).basis)

    def counted_channels(self, test_id: str) -> frozenset[str]:
        """The channels that the baseline of *test_id* counts; none if it has none or is to be replaced."""
        history = self._histories.get(test_id)
        if history is None or history.newest is None:
            return frozenset()
        if self._settings.baseline_mode is BaselineMode.REPLACE:
            return frozenset()
        return frozenset(history.newest.rounds[0].channels)

    def stored_phases(self, test_id: str) -> tuple[str, ...]:
        """Phases of the newest session of the baseline of *test_id*; none if it is to be replaced."""
        history = self._histories.get(test_id)
        if history is None or self._settings.baseline_mode is BaselineMode.REPLACE:
            return ()
        return history.newest_phases

    def policy(self, mark: EnergyMark) -> Policy:
        settings = self._settings
        basis = mark.basis or settings.basis
        return Policy(
            tolerance=settings.tolerance if mark.tolerance is None else mark.tolerance,
            alpha=settings.alpha,
            gates_estimates=settings.gates_estimates,
            basis=Basis(is_net=basis == NET, is_per_sample=mark.per == SAMPLE),
            parts=settings.parts if mark.parts is None else mark.parts,
            is_by_counts=basis == COUNTS,
            counts_tolerance=mark.tolerance or 0.0,
            is_server=bool(mark.server),
            ignores_baselines=settings.baseline_mode is BaselineMode.OFF,
            phase_baselines=mark.phase_baselines or (),
        )

    # ---- while tests run ----

    def judge(self, record: Record, mark: EnergyMark) -> Judgement:
        """The decision on *record*, by the tests so far."""
        trial = self._trial(record, mark)
        self._trials[record.test_id] = trial
        if len(self._readings) < _ENOUGH_READINGS:
            self._readings += record.usable_rounds
        case = case_of(trial)
        if case is not None:
            self._cases[case.test_id] = case
        return in_words(decision_of(trial, self._suite_so_far()))

    def more_rounds(self, record: Record, mark: EnergyMark, *, cap: int) -> RoundsWanted | None:
        """The rounds that *record* should have before it is judged."""
        trial = self._trial(record, mark)
        return rules.more_rounds(
            record=trial.record,
            history=trial.history,
            policy=trial.policy,
            cap=cap,
            suite=self._suite_so_far(),
            attempts=trial.attempts,
        )

    def active_joules(self, readings: Sequence[Reading]) -> tuple[float, ...]:
        """Active joules of each of *readings*, by the ready power so far; empty if they are unknown."""
        ready_power = self._ready or ready_power_of(readings)
        if is_at_rest(readings, {}):  # what is left of them is noise
            return ()
        try:
            return tuple(active_j(reading, ready_power) for reading in readings)
        except NotMeasurable:
            return ()

    def _trial(self, record: Record, mark: EnergyMark) -> Trial:
        history = self._histories.get(record.test_id)
        other_machines = self._other_machines_of(record.test_id) if history is None else ()
        return Trial(
            record=replace(record, ready_power=self._ready_power(record)),
            history=history,
            policy=self.policy(mark),
            budget=Budget(
                budget_j=mark.budget_j,
                budget_per_sample_j=mark.budget_per_sample_j,
                budget_per_token_j=mark.budget_per_token_j,
                budget_per_prefill_token_j=mark.budget_per_prefill_token_j,
                budget_per_decode_token_j=mark.budget_per_decode_token_j,
                budget_j_to_accuracy=mark.budget_j_to_accuracy,
                phase_budgets_j=None if mark.phase_budgets_j is None else dict(mark.phase_budgets_j),
            ),
            other_machines=other_machines,
            attempts=()
            if history is None
            else entries_of(self._attempts_of(record), self.policy(mark).basis),
            count_history=self._count_histories.get(record.test_id, NONE_COUNTED),
        )

    def _other_machines_of(self, test_id: str) -> tuple[str, ...]:
        """Keys of the machines that have a baseline of *test_id*, looked up once."""
        if test_id not in self._other_machines:
            is_off = self._settings.baseline_mode is BaselineMode.OFF
            keys = () if is_off else self._store.other_machines(test_id, besides=self._key_of(test_id))
            self._other_machines[test_id] = keys
        return self._other_machines[test_id]

    def _ready_power(self, record: Record) -> Mapping[str, ReadyPower]:
        """Ready power of the session so far, *record* included where it still tells something new."""
        if len(self._readings) < _ENOUGH_READINGS or not self._ready:
            self._ready = ready_power_of([*self._readings, *record.rounds], record.idle_power_w)
        return of_channels(self._ready, record)

    def _suite_so_far(self) -> Suite:
        size = len(self._trials)
        if self._suite is None or size >= max(self._suite_size + 1, _GROWTH * self._suite_size):
            self._suite, self._suite_size = suite_of(self._cases.values()), size
        return self._suite

    # ---- when all have ----

    def conclude(self, judgements: Sequence[Judgement], yardstick: Sequence[Record] = ()) -> Conclusion:
        """The conclusion on all tests together.

        Args:
            judgements: What has been said of each, confirming batches included.
            yardstick: The records of the fixed loads that were measured beside them.
        """
        trials = [replace(self._trials[one.record.test_id], record=one.record) for one in judgements]
        session = decide_process(
            trials,
            tolerance=self._settings.tolerance,
            alpha=self._settings.alpha,
            yardstick=[self._trial(record, EnergyMark()) for record in yardstick],
        )
        return Conclusion(
            judgements=tuple(
                replace(in_words(decision), outcome=one.outcome)
                for one, decision in zip(judgements, session.decisions, strict=True)
            ),
            failure=session.failure,
            factors=session.factors,
            notes=session.notes,
            yardstick=session.yardstick,
        )
