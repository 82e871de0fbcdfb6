"""The verdict on a record: its baseline, limits, verdict and reason."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from enum import StrEnum

from pytest_energy.counts import Kind
from pytest_energy.model import Record


class Verdict(StrEnum):
    """The verdict on one test in one run."""

    PASS = "pass"
    REGRESSION = "regression"
    OVER_BUDGET = "over-budget"
    IMPROVEMENT = "improvement"
    INCONCLUSIVE = "inconclusive"
    NO_BASELINE = "no-baseline"
    NOT_COMPARABLE = "not-comparable"
    SATURATED = "saturated"
    VOID = "void"
    UNMEASURED = "unmeasured"


FAILING = frozenset({Verdict.REGRESSION, Verdict.OVER_BUDGET})
UNDECIDED = frozenset(Verdict) - FAILING - {Verdict.PASS, Verdict.IMPROVEMENT}


@dataclass(frozen=True, slots=True, kw_only=True)
class Severity:
    """Severity of a verdict, in two orders: 0 is the worst.

    Attributes:
        of_findings: Of several findings of one test the worst is its verdict. Joules that must not be used
            are worst here: while they are unusable no other finding holds.
        of_rows: In a report the worst test comes first. Failures are worst here: they are what a reader has
            to act on, and a test without usable joules has not failed.
    """

    of_findings: int
    of_rows: int


SEVERITY = {
    Verdict.VOID: Severity(of_findings=0, of_rows=2),
    Verdict.UNMEASURED: Severity(of_findings=1, of_rows=6),
    Verdict.SATURATED: Severity(of_findings=2, of_rows=4),
    Verdict.OVER_BUDGET: Severity(of_findings=3, of_rows=1),
    Verdict.REGRESSION: Severity(of_findings=4, of_rows=0),
    Verdict.NOT_COMPARABLE: Severity(of_findings=5, of_rows=3),
    Verdict.INCONCLUSIVE: Severity(of_findings=6, of_rows=5),
    Verdict.NO_BASELINE: Severity(of_findings=7, of_rows=7),
    Verdict.IMPROVEMENT: Severity(of_findings=8, of_rows=8),
    Verdict.PASS: Severity(of_findings=9, of_rows=9),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """Joules that a test may use per round, per sample, per token of a kind, or several of these.

    Attributes:
        budget_j_to_accuracy: For a training to the highest of its accuracies.
        phase_budgets_j: For phases of a round, by name.
    """

    budget_j: float | None = None
    budget_per_sample_j: float | None = None
    budget_per_token_j: float | None = None
    budget_per_prefill_token_j: float | None = None
    budget_per_decode_token_j: float | None = None
    budget_j_to_accuracy: float | None = None
    phase_budgets_j: Mapping[str, float] | None = None

    def __bool__(self) -> bool:
        return any(getattr(self, one.name) is not None for one in fields(self))


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """A record's mean joules per round, and their uncertainty.

    Attributes:
        energy_j: Mean of the rounds.
        energy_ci_j: 95 % interval of the mean, from the spread of the rounds and their own uncertainty.
        uncertainty_j: Standard uncertainty of the mean.
    """

    energy_j: float
    energy_ci_j: tuple[float, float]
    uncertainty_j: float


class Limit(StrEnum):
    """What the joules of a test are compared with."""

    BASELINE = "baseline"
    BUDGET = "budget"


class Part(StrEnum):
    """The part of a test's joules that is judged.

    `work` is active joules, those above ready power; `waiting` is ready power for the seconds that a round
    takes; `joules` is all of them, where there are no parts or where all were asked for.
    """

    WORK = "work"
    WAITING = "waiting"
    JOULES = "joules"


@dataclass(frozen=True, slots=True, kw_only=True)
class PartComparison:
    """One part of a fresh record against that of its baseline.

    Attributes:
        ratio: Fresh over baseline, less what all tests of the session have in common: of active joules for
            the work, of seconds for the waiting.
        ratio_ci: Bounds of the true ratio, each one-sided at alpha.
        detectable_ratio: Smallest true ratio that is called a regression with 80 % power.
        allowed_ratio: What the bounds are compared with.
        energy_j: The baseline's joules of this part per round.
        duration_s: The baseline's seconds per round.
        verdict: The verdict of the bounds on this part.
        is_judged: Whether that counts: it was asked for, and is sharp enough to pass where nothing changed.
    """

    part: Part
    ratio: float
    ratio_ci: tuple[float, float]
    detectable_ratio: float
    allowed_ratio: float
    energy_j: float
    duration_s: float
    verdict: Verdict
    is_judged: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class EqualSteps:
    """How a load at a fixed rate was compared with its baseline at equal steps of the engine.

    Attributes:
        step_count: Steps of a round in the baseline, at which joules are stated.
        step_ratio: Steps of a round, fresh over baseline.
        energy_per_step_j: Joules of a step.
        measured_ratio: Joules as measured, fresh over baseline.
        not_used_because: Why joules were compared as measured all the same, or empty.
        amount_ratios: Seconds and tokens of a round, fresh over baseline, that are made equal as well; empty
            where steps alone are known.
    """

    step_count: float
    step_ratio: float
    energy_per_step_j: float
    measured_ratio: float
    not_used_because: str = ""
    amount_ratios: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseComparison:
    """One phase of the rounds of a fresh record against that of its baseline.

    Attributes:
        part: The part of its joules that decides.
        ratio: Of that part, fresh over baseline, less what all tests of the session have in common.
        ratio_ci: Bounds of the true ratio, each one-sided at alpha.
        detectable_ratio: Smallest true ratio that is called a regression with 80 % power.
        allowed_ratio: What the bounds are compared with.
        energy_j: Joules of the phase per round in the baseline.
        duration_ratio: Its seconds, fresh over baseline.
        power_ratio: Its watts, fresh over baseline.
        entry_count: Entries of the baseline that have the phase.
        verdict: The verdict on this phase.
        is_judged: Whether the verdict of the test depends on it.
        note: Why the bounds alone are not the verdict, or empty.
    """

    name: str
    part: Part
    ratio: float
    ratio_ci: tuple[float, float]
    detectable_ratio: float
    allowed_ratio: float
    energy_j: float
    duration_ratio: float
    power_ratio: float
    entry_count: int
    verdict: Verdict
    is_judged: bool
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """A fresh record against its baseline.

    Attributes:
        entry_count: Entries in the baseline.
        energy_j: The baseline's mean joules per round: geometric mean of the entries' means.
        ratio: Fresh over baseline.
        ratio_ci: Bounds of the true ratio, each one-sided at alpha.
        detectable_ratio: Smallest true ratio that this comparison would have called a regression with
            80 % power.
        duration_ratio: Seconds, fresh over baseline.
        power_ratio: Watts, fresh over baseline; `ratio = duration_ratio x power_ratio`.
        latency_ratio: Median time from request to last token, fresh over baseline; `None` without requests.
        differences: Varying facts of machine and engine that differ: name to (baseline's newest entry, now).
        tolerance: Accepted rise, a share; `None` if it isn't known.
        parts: Work and waiting, each by itself, and all joules if they were asked for; empty without parts.
        no_parts_because: Why they have none, or empty.
        session_ratio: The change that all tests of the session share, not in *ratio*; `None` if there
            are too few tests to know.
        entry_energies_j: Level of each entry of the baseline, the oldest first; empty if not known.
        entry_dates: When each of them was measured, as in its record; empty if not known.
        entry_commits: The code's commit of each, or empty; none if not known.
        basis: What was compared, if not gross joules per round: `net joules a sample`.
        creep: A note that the level has crept up over the baseline's entries, and since when, or empty.
        note: A remark on the bounds (a prior that was used), or empty.
        equal_steps: How joules were stated at equal steps; `None` if one side doesn't know its steps.
        compared_phases: Phases of the rounds, in the order met; empty without any.
        absent_phases: Name of a phase that one side has and that is not compared to the reason.
    """

    entry_count: int
    energy_j: float
    ratio: float
    ratio_ci: tuple[float, float]
    detectable_ratio: float
    duration_ratio: float
    power_ratio: float
    latency_ratio: float | None = None
    differences: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    tolerance: float | None = None
    parts: tuple[PartComparison, ...] = ()
    no_parts_because: str = ""
    session_ratio: float | None = None
    entry_energies_j: tuple[float, ...] = ()
    entry_dates: tuple[str, ...] = ()
    entry_commits: tuple[str, ...] = ()
    basis: str = ""
    creep: str = ""
    note: str = ""
    equal_steps: EqualSteps | None = None
    compared_phases: tuple[PhaseComparison, ...] = ()
    absent_phases: Mapping[str, str] = field(default_factory=dict)

    @property
    def decisive(self) -> PartComparison | None:
        """The part that the verdict is of: the most severe of those judged; `None` without parts."""
        judged = [part for part in self.parts if part.is_judged]
        return min(judged, key=lambda part: SEVERITY[part.verdict].of_findings, default=None)

    @property
    def is_rise(self) -> bool:
        """Whether the bounds of what is judged are past what is allowed."""
        if any(one.is_judged and one.ratio_ci[0] > one.allowed_ratio for one in self.compared_phases):
            return True
        if self.parts:
            return any(part.is_judged and part.ratio_ci[0] > part.allowed_ratio for part in self.parts)
        return self.tolerance is not None and self.ratio_ci[0] > 1 + self.tolerance


class Cause(StrEnum):
    """The cause of a changed count.

    `code`: the work calls something else, or more often. `setting`: a switch of a library is set otherwise.
    `library`: the same calls run otherwise inside, with another library, driver or card. `unknown`: they run
    otherwise inside, and nothing that is known differs.
    """

    CODE = "code"
    SETTING = "setting"
    LIBRARY = "library"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class CountChange:
    """One count that changed.

    Attributes:
        before: Least and most count of the baseline's sessions; zeros where it is new.
        after: Least and most count now; zeros where it is gone.
        weight_s: Rise of its weight, in seconds of a reference device; negative where it fell.
        inputs: Its largest call (then, now), where the inputs differ; else `None`.
        place: Where the user's code makes the calls that were added or removed: `model.py:41`, or empty.
    """

    kind: Kind
    name: str
    dtype: str = ""
    before: tuple[int, int]
    after: tuple[int, int]
    weight_s: float
    inputs: tuple[str, str] | None = None
    place: str = ""
    cause: Cause


@dataclass(frozen=True, slots=True, kw_only=True)
class CountsComparison:
    """The counts of a fresh record against those of its baseline.

    Attributes:
        entry_count: Sessions of the baseline that have counts.
        changes: What differs, the worst first; the lightest may be left out.
        change_count: How many differ.
        settings: Switches that differ: name to (then, now).
        weight_ratio: Weighted work of the code, now over then; `None` if it can't be had.
        rises: Name of a measure (`weighted work`, `waits`, ...) to its value (then, now), of those that rose
            past the tolerance.
        tolerance: Accepted rise of each measure, a share.
        verdict: The verdict of the counts alone.
        is_judged: Whether the verdict of the test depends on them.
        is_repeating: Whether unchanged code gives the same counts, as far as the sessions show.
        lines: The difference in words, at most two lines; none if nothing differs.
    """

    entry_count: int
    changes: tuple[CountChange, ...] = ()
    change_count: int = 0
    settings: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    weight_ratio: float | None = None
    rises: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    tolerance: float = 0.0
    verdict: Verdict
    is_judged: bool = False
    is_repeating: bool = True
    lines: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """The rules by which a test was judged, beside its record and its baseline.

    Attributes:
        tolerance: Accepted rise, a share.
        alpha: Accepted chance of a false alarm at the edge of the tolerance, one-sided.
        gates_estimates: Estimated joules may pass and fail tests.
        is_net: Net joules are compared, not gross ones.
        is_per_sample: Joules per sample are compared, not joules per round.
        parts: Which parts of the joules may fail a test.
        is_by_counts: Counts are compared with the baseline, not joules.
        counts_tolerance: Accepted rise of counts, a share.
        is_server: The work runs in another program on this machine.
        phase_baselines: Phases that may fail the test by their own baseline, or `all` for each.
    """

    tolerance: float
    alpha: float
    gates_estimates: bool
    is_net: bool
    is_per_sample: bool
    parts: frozenset[Part]
    is_by_counts: bool = False
    counts_tolerance: float = 0.0
    is_server: bool = False
    phase_baselines: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Brief:
    """The reason for a verdict in at most three lines.

    Attributes:
        headline: What was measured and what is allowed, the number first.
        cause: What is behind it, or empty.
        advice: What to do, or empty.
    """

    headline: str
    cause: str = ""
    advice: str = ""

    @property
    def lines(self) -> tuple[str, ...]:
        return tuple(filter(None, (self.headline, self.cause, self.advice)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """A record, what it was compared with, the verdict, and the reason in words.

    Attributes:
        reason: All lines, of which `brief` is the first ones.
        brief: `None` if only the whole reason is known, as in a file of an earlier version.
        outcome: Outcome of the test itself, in pytest's words: `passed`, `failed`, `skipped`.
        terms: By which rules it was judged; `None` if not recorded.
        unchecked: Limits that were not checked, because there are no usable joules.
        counts_comparison: Its counts against the baseline's; `None` if one of them has none.
    """

    record: Record
    verdict: Verdict
    reason: str
    summary: Summary | None = None
    budget: Budget = field(default_factory=Budget)
    comparison: Comparison | None = None
    outcome: str = "passed"
    terms: Terms | None = None
    unchecked: tuple[Limit, ...] = ()
    counts_comparison: CountsComparison | None = None
    brief: Brief | None = None

    @property
    def in_brief(self) -> Brief:
        """*brief*, with the first line of *reason* for its headline: a plugin may have put another there."""
        headline = self.reason.partition("\n")[0]
        if self.brief is None or not headline.endswith(self.brief.headline):
            return Brief(headline=headline)
        return replace(self.brief, headline=headline)

    @property
    def is_unchecked(self) -> bool:
        """Whether a limit of the test let through whatever it used."""
        return bool(self.unchecked) and self.verdict in UNDECIDED
