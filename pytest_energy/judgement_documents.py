"""The JSON of format 1: how a record was compared and judged, and a run's tests with their verdicts.

See the rules of `documents`.
"""

from typing import Annotated

from msgspec import UNSET, Meta, UnsetType

from pytest_energy.codec import NULLABLE, ByName, Document, Number, Text
from pytest_energy.count_documents import CountsComparison
from pytest_energy.document_types import (
    Amount,
    CountFrom1,
    DerivedAmount,
    DerivedAmounts,
    DerivedChannels,
    DerivedInterval,
    DerivedNumber,
    Interval,
    Positive,
    Sentence,
)
from pytest_energy.documents import Record
from pytest_energy.judgement import Limit, Part, Verdict
from pytest_energy.run_judgement import BaselineMode


class PartComparison(Document, frozen=True, kw_only=True):
    """One part of a record compared with its baseline.

    Attributes:
        part: Active joules (work), ready power for the seconds of a round (waiting).
        ratio: This run over the baseline, less what all tests of the session have in common: of active joules
            for the work, of seconds for the waiting.
        ratio_ci: Bounds of the true ratio, each one-sided.
        detectable_ratio: Smallest true ratio that is called a regression with 80 % power.
        allowed_ratio: What the bounds are compared with.
        energy_j: The baseline's joules of this part per round.
        duration_s: The baseline's seconds per round.
        verdict: The verdict of the bounds on this part.
        is_judged: Whether the verdict of the test depends on it.
    """

    part: Part
    ratio: Positive
    ratio_ci: Interval
    detectable_ratio: Number
    allowed_ratio: Positive
    energy_j: Amount
    duration_s: Amount
    verdict: Verdict
    is_judged: bool


class EqualSteps(Document, frozen=True, kw_only=True):
    """A load at a fixed rate, compared at equal steps of the model server.

    Attributes:
        step_count: Steps of a round in the baseline, at which joules are stated.
        step_ratio: Steps of a round, this run over the baseline.
        energy_per_step_j: Joules of a step.
        measured_ratio: Joules as measured, this run over the baseline.
        not_used_because: Why joules were compared as measured; omitted if they were compared at equal steps.
        amount_ratios: Seconds and tokens of a round, this run over the baseline, that were made equal as
            well. Omitted if steps alone are known.
    """

    step_count: Positive
    step_ratio: Positive
    energy_per_step_j: Amount
    measured_ratio: Positive
    not_used_because: Text = ""
    amount_ratios: ByName[Positive] | None = None


class PhaseComparison(Document, frozen=True, kw_only=True, rename={"entry_count": "sessions"}):
    """One phase of the rounds compared with that of the baseline.

    Attributes:
        part: The part of its joules that decides.
        ratio: Of that part, this run over the baseline, less what all tests of the session have in common.
        ratio_ci: Bounds of the true ratio, each one-sided.
        detectable_ratio: Smallest true ratio that is called a regression with 80 % power.
        allowed_ratio: What the bounds are compared with.
        energy_j: Joules of the phase per round in the baseline.
        duration_ratio: Its seconds, this run over the baseline.
        power_ratio: Its watts, this run over the baseline.
        entry_count: Sessions of the baseline that have the phase.
        verdict: The verdict on this phase.
        is_judged: Whether the verdict of the test depends on it.
        note: Why the bounds alone are not the verdict; omitted if they are.
    """

    name: Text
    part: Part
    ratio: Positive
    ratio_ci: Interval
    detectable_ratio: Number
    allowed_ratio: Positive
    energy_j: Amount
    duration_ratio: Number
    power_ratio: Number
    entry_count: CountFrom1
    verdict: Verdict
    is_judged: bool
    note: Text = ""


class Comparison(
    Document,
    frozen=True,
    kw_only=True,
    rename={
        "entry_count": "sessions",
        "entry_energies_j": "session_energies_j",
        "entry_dates": "session_dates",
        "entry_commits": "session_commits",
    },
):
    """A record compared with its baseline.

    Attributes:
        entry_count: Sessions in the baseline.
        energy_j: The baseline's mean joules per round.
        ratio: This run over the baseline.
        ratio_ci: Bounds of the true ratio, each one-sided.
        detectable_ratio: Smallest true ratio that would have been called a regression with 80 % power.
        duration_ratio: Seconds, this run over the baseline.
        power_ratio: Watts, this run over the baseline.
        latency_ratio: Median time from request to last token, this run over the baseline; omitted if no
            requests were served.
        differences: Facts that differ: name to the old one and the new one.
        tolerance: Accepted rise, a share.
        parts: Work and waiting by themselves; omitted if joules have no parts.
        no_parts_because: Why they have none.
        session_ratio: What all tests of the session have in common, left out of the parts' ratios and, where
            there are none, of ratio.
        entry_energies_j: Level of each session of the baseline, the oldest first.
        entry_dates: When each of them was measured.
        entry_commits: The commit of each; empty text where none was recorded.
        basis: What was compared, if not gross joules per round: `net joules a sample`.
        creep: That the level crept up over the baseline's sessions, and since when.
        note: A remark on the bounds, or empty.
        equal_steps: How the joules of a load at a fixed rate were stated at equal steps; omitted if steps are
            not known on both sides.
        compared_phases: Phases of the rounds; omitted if there are none.
        absent_phases: Name of a phase that is not compared to the reason; omitted if there is none.
    """

    entry_count: CountFrom1
    energy_j: Amount
    ratio: Positive
    ratio_ci: Interval
    detectable_ratio: Number
    duration_ratio: Number
    power_ratio: Number
    latency_ratio: Positive | None = None
    differences: ByName[tuple[Text, Text]]
    tolerance: Amount | None = None
    parts: tuple[PartComparison, ...] | None = None
    no_parts_because: Sentence | None = None
    session_ratio: Positive | None = None
    entry_energies_j: tuple[Positive, ...] | None = None
    entry_dates: tuple[Text, ...] | None = None
    entry_commits: tuple[Text, ...] | None = None
    basis: Sentence | None = None
    creep: Sentence | None = None
    note: Text
    equal_steps: EqualSteps | None = None
    compared_phases: tuple[PhaseComparison, ...] | None = None
    absent_phases: ByName[Text] | None = None


class Terms(Document, frozen=True, kw_only=True):
    """The rules by which a test was judged: from options and marker.

    Attributes:
        tolerance: Accepted rise, a share.
        alpha: Accepted chance of a false alarm at the edge of the tolerance, one-sided.
        gates_estimates: Whether estimated joules may pass and fail tests; omitted if they may not.
        is_net: Whether net joules were compared; omitted if they were gross.
        is_per_sample: Whether joules per sample were compared; left out for joules per round.
        parts: Which parts of the joules may fail a test.
        is_by_counts: Whether counts were compared with the baseline; omitted if joules were.
        counts_tolerance: Accepted rise of counts, a share; omitted if it is 0.
        is_server: Whether the work runs in another program on the machine; omitted if it doesn't.
        phase_baselines: Phases that may fail the test by their own baseline, or `all`; omitted if none may.
    """

    tolerance: Amount
    alpha: Positive
    gates_estimates: bool = False
    is_net: bool = False
    is_per_sample: bool = False
    parts: tuple[Part, ...]
    is_by_counts: bool = False
    counts_tolerance: Amount = 0.0
    is_server: bool = False
    phase_baselines: tuple[Text, ...] = ()


class SessionFactor(Document, frozen=True, kw_only=True):
    """What all tests of one process have in common, compared with the baselines' sessions.

    Attributes:
        part: Active joules (work) where tests have parts, else all joules.
        channels: That the tests measure.
        ratio: This session over the baselines'.
        ratio_ci: Bounds of the true ratio, each one-sided.
        test_count: Tests that it is of.
        yardstick: By how much the fixed loads have moved for certain, by name.
        session: Name of the process; omitted if not recorded.
    """

    part: Part
    channels: tuple[Text, ...]
    ratio: Positive
    ratio_ci: Interval
    test_count: CountFrom1
    yardstick: ByName[Positive]
    session: Sentence | None = None


class RunJudgement(Document, frozen=True, kw_only=True):
    """How a run was judged as a whole, and the result.

    Attributes:
        baseline_mode: What it did with stored baselines.
        is_strict: Whether an undecided verdict fails a test, too.
        tolerance: Accepted rise of what all tests of a process have in common, a share.
        alpha: Chance that the truth of that lies beyond one of its bounds.
        failures: Why the run failed as a whole; none if it did not.
        factors: What the tests of each process have in common, if there are enough tests.
    """

    baseline_mode: BaselineMode
    is_strict: bool
    tolerance: Amount
    alpha: Positive
    failures: tuple[Sentence, ...]
    factors: tuple[SessionFactor, ...]


class Brief(Document, frozen=True, kw_only=True):
    """The reason for a verdict in a few lines.

    Attributes:
        headline: What was measured and what is allowed, the number first.
        cause: What is behind it; omitted if nothing is known.
        advice: What to do; omitted if nothing is.
    """

    headline: Text
    cause: Text = ""
    advice: Text = ""


class Test(Record, frozen=True, kw_only=True):
    """One test: its record, figures calculated from it, and the verdict.

    Attributes:
        outcome: Outcome of the test itself; omitted if it passed.
        reason: The verdict in words.
        energy_j: Mean joules per round.
        energy_ci_j: 95 % interval of energy_j.
        uncertainty_j: Standard uncertainty of energy_j.
        net_energy_j: Mean joules per round above power at rest; may be below 0.
        active_energy_j: Mean joules per round above ready power: what the work itself used. Omitted if
            ready power isn't known.
        duration_s: Mean seconds per round.
        energy_per_token_j: Only of a request load.
        channels: Mean joules per round by channel.
        energy_by_role_j: Mean joules per round by role of the channels; omitted if none has a role.
        budget_per_token_j: Omitted if there is none.
        budget_per_prefill_token_j: Omitted if there is none.
        budget_per_decode_token_j: Omitted if there is none.
        budget_j_to_accuracy: Omitted if there is none.
        phase_budgets_j: Budgets of phases of a round, by name; omitted if there are none.
        energies_at_mean_steps_j: Joules of each round at the mean steps and seconds of the rounds, and at
            their mean tokens if these are known: at a fixed rate a slower host takes fewer steps, and less
            energy. Omitted if steps are not known.
        baseline: What it was compared with, or null.
        judged_by: By which rules it was judged; omitted if not recorded.
        unchecked: Limits that were not checked, because there are no usable joules.
        counts_comparison: Its counts against the baseline's; omitted if one of them has none.
        brief: The first lines of the reason, by what they are; files of earlier versions have none.
    """

    verdict: Verdict
    outcome: Annotated[Text, Meta(extra_json_schema={"enum": ["failed", "skipped"]})] = "passed"
    reason: Text
    energy_j: DerivedAmount = NULLABLE
    energy_ci_j: DerivedInterval = NULLABLE
    uncertainty_j: DerivedAmount = NULLABLE
    net_energy_j: DerivedNumber = NULLABLE
    active_energy_j: DerivedNumber | UnsetType = UNSET
    power_w: DerivedAmount = NULLABLE
    duration_s: DerivedAmount = NULLABLE
    energy_per_sample_j: DerivedAmount = NULLABLE
    energy_per_token_j: DerivedAmount | UnsetType = UNSET
    channels: DerivedChannels = NULLABLE
    energy_by_role_j: DerivedAmounts | UnsetType = UNSET
    budget_j: Positive | None = NULLABLE
    budget_per_sample_j: Positive | None = NULLABLE
    budget_per_token_j: Positive | None = None
    budget_per_prefill_token_j: Positive | None = None
    budget_per_decode_token_j: Positive | None = None
    budget_j_to_accuracy: Positive | None = None
    phase_budgets_j: ByName[Positive] | None = None
    energies_at_mean_steps_j: tuple[Number, ...] | None = None
    baseline: Comparison | None = NULLABLE
    judged_by: Terms | None = None
    unchecked: tuple[Limit, ...] | None = None
    counts_comparison: CountsComparison | None = None
    brief: Brief | None = None


class Summary(Document, frozen=True, kw_only=True):
    """The mean in a test's entry, if it has one."""

    energy_j: Number
    energy_ci_j: Interval
    uncertainty_j: Number
