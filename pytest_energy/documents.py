"""The JSON of format 1: what is in runs, baselines, replay files and messages between processes.

Rule 1: the types here describe the JSON, `model` the values; `conversion` leads from one to the other.
Rule 2: what is `null`, and what is left out, is fixed: programs read these keys. The JSON Schemas in
`report/schema` are made of these types and of what is written about their attributes.
Rule 3: what is worked out of the rounds is written for those who read the file, and never read back.
"""

from typing import Annotated

from msgspec import UNSET, Meta, UnsetType, field

from pytest_energy.codec import NULLABLE, ByName, Document, Number, Text, Whole, decode
from pytest_energy.count_documents import Counts, CountsComparison
from pytest_energy.document_types import (
    Amount,
    Channels,
    CountFrom0,
    CountFrom1,
    CountFrom2,
    DerivedAmount,
    DerivedAmounts,
    DerivedChannels,
    DerivedInterval,
    DerivedNumber,
    Interval,
    Positive,
    PowerTrace,
    Sentence,
    Time,
)
from pytest_energy.judgement import BaselineMode, Limit, Part, Verdict
from pytest_energy.machine_time import MACHINE_TIME
from pytest_energy.model import Domain, JoinedAs, Provenance
from pytest_energy.usage import DeviceUse


class Machine(Document, frozen=True, kw_only=True, rename={"varying": "shown"}):
    """Machine and software that a record was made on.

    Attributes:
        key: Readable name of what must be equal: the folder of the baselines.
        fixed: Facts that must be equal for two records to be compared.
        varying: Facts that may differ, and are shown when they do.
    """

    key: Text
    fixed: ByName[Text]
    varying: ByName[Text]


class Sensor(Document, frozen=True, kw_only=True):
    """A sensor as it was found: there with its channels, or absent and why.

    Attributes:
        tick_s: Seconds from one update of its counter to the next.
        absent_because: Why it is not there, or null.
    """

    name: Text
    channels: tuple[Text, ...]
    provenance: Provenance
    tick_s: Positive | None = NULLABLE
    absent_because: Text | None = NULLABLE


class Usage(Document, frozen=True, kw_only=True):
    """How busy the machine was; null if it is not known.

    Attributes:
        other_cpu_share: Share of all processor time, busy or not, that other programs had. Omitted if it
            is not known.
    """

    cpu_utilisation_share: Amount | None = NULLABLE
    gpu_utilisation_share: Amount | None = NULLABLE
    ram_used_bytes: Amount | None = NULLABLE
    gpu_memory_used_bytes: Amount | None = NULLABLE
    other_cpu_share: Amount | None = None


class Phase(Document, frozen=True, kw_only=True):
    """A named window inside a round."""

    name: Text
    energy_j: Number | None = NULLABLE
    uncertainty_j: Amount | None = NULLABLE
    duration_s: Amount
    samples: Whole | None = NULLABLE
    quality: tuple[Text, ...]


class Round(Document, frozen=True, kw_only=True):
    """One reading: joules, seconds and uncertainty of one call of the work.

    Attributes:
        energy_j: Sum of the channels; null if void (void_because has the reason) or without channels.
        uncertainty_j: Standard uncertainty of energy_j.
        channels: Joules by channel: a domain and a position, such as gpu:0 or cpu:package-0.
        quality: Remarks on this reading.
        void_because: Why these joules must not be used, or null.
        call_count: Calls of the work in the window; omitted if it is 1.
        quiet_power_w: Power by channel just before the window.
        temperatures_c: Temperature by channel at the window's end.
        resting_channels: Joules by channel of devices that were at rest: in no sum. Omitted if none was.
        estimated_channels: Estimates for hardware that nothing measures, by channel: never added to
            energy_j. Omitted if there is nothing to estimate.
        device_use: By channel, whether a process of this run computed on the device (busy), it computed and
            it is unknown for whom (unnamed), or a process of this run has a context open on it (open).
            Omitted if nothing was recorded.
        power_trace: Power by channel over the whole window, where its counter ticks: pairs of seconds since
            the window opened and watts from then until the next pair; the last pair ends the last step.
            Omitted if none is known, and in baselines.
        step_count: Steps that the model server took for all requests; omitted if not reported, and for loads
            without a rate.
    """

    energy_j: DerivedAmount = NULLABLE
    duration_s: Amount
    uncertainty_j: Amount
    channels: Channels
    quality: tuple[Text, ...]
    void_because: Text | None = NULLABLE
    usage: Usage | None = NULLABLE
    phases: tuple[Phase, ...]
    call_count: CountFrom2 = 1
    power_trace: PowerTrace = field(default_factory=dict)
    quiet_power_w: ByName[Number] | None = None
    temperatures_c: ByName[Number] | None = None
    resting_channels: Channels | None = None
    estimated_channels: Channels | None = None
    device_use: ByName[DeviceUse] | None = None
    step_count: Amount | None = None


class StepCost(Document, frozen=True, kw_only=True):
    """Joules that one more step of a model server adds to a load of equal requests.

    Attributes:
        energy_j: Of a step, fitted to short spans of the loads.
        uncertainty_j: Its standard uncertainty.
        channels: Those whose joules these are.
    """

    energy_j: Amount
    uncertainty_j: Amount
    channels: tuple[Text, ...]


class ReadyPower(Document, frozen=True, kw_only=True):
    """Power of a channel whose device is open while nothing is at work: a line over temperature.

    Attributes:
        power_w: At temperature_c.
        temperature_c: Mean temperature of the readings behind it, or null.
        slope_w_per_k: Rise with temperature; 0 if not known.
        uncertainty_w: Standard uncertainty of power_w.
    """

    power_w: Number
    temperature_c: Number | None = NULLABLE
    slope_w_per_k: Number = 0.0
    uncertainty_w: Amount = 0.0


class Prediction(Document, frozen=True, kw_only=True):
    """What a call of the work would use on another machine, calculated from its counts.

    Attributes:
        interval_j: Holds nine of ten networks that the calibration did not have.
        error_share: Median error of the calibration for networks that it did not have.
        note: Why the interval is wider than the calibration's own; omitted if it is not.
    """

    energy_j: Amount
    interval_j: Interval
    duration_s: Amount
    error_share: Amount
    note: Text = ""


class Record(
    Document,
    frozen=True,
    kw_only=True,
    rename={"test_id": "id", "workload": "work", "engine_settings": "tuning"},
):
    """All rounds of one test in one run.

    Attributes:
        test_id: The test's node id.
        created: UTC, ISO 8601 with Z.
        provenance: Where joules come from; joules of different provenance are never compared.
        group: Tests that are correlated together.
        model: The model at work.
        samples: Samples (images, requests) per round.
        output_tokens: Tokens written per round; only of a request load.
        workload: What else the work is made of: records of other work are not comparable.
        engine_settings: How the work is done: a difference may explain a change.
        saturated_because: Why the server did not keep up with its load; omitted if it did.
        slo_missed_because: Why too few answers were within the limits of latency; omitted if enough were,
            or if the test set no share.
        warmup_count: Rounds that were run first and dropped.
        confirming_count: How many of the last rounds are a second batch; omitted if none is.
        joined_as: How the record came into its baseline, where that matters: as an improvement, or as the
            first of a new level, before which nothing judges any more. Omitted otherwise.
        metrics: By name; null if it could not be computed, with the reason in absent.
        absent: Name of a missing value to the reason.
        idle_power_w: Power at rest by channel.
        ready_power: Power with the device open and nothing at work, by channel, from all rounds of the
            session; omitted if no channel shows it.
        session: Name of the process that measured; omitted if not recorded.
        roles: By channel, what its device did in the work: another split is other work. Omitted if no role
            is known.
        missing_domains: Domains that were at work and whose joules are not in the rounds; omitted if
            none is.
        void_because: Why the rounds must not be used, or null.
        unmeasured_because: Why there are no rounds that count, or null.
        counts: What one more call of the work did; omitted if nothing was counted, with the reason in
            absent.
        step_cost: Joules of one more step of the model server; omitted if its steps are not known.
        predictions: By machine key, joules per call on another machine: never added to energy_j.
            Omitted if there is no calibration.
    """

    test_id: Text
    created: Time
    provenance: Provenance
    group: Text | None = NULLABLE
    model: Text | None = NULLABLE
    samples: CountFrom1 | None = NULLABLE
    output_tokens: CountFrom1 | None = None
    workload: ByName[Text] | None = None
    engine_settings: ByName[Text] | None = None
    saturated_because: Sentence | None = None
    slo_missed_because: Sentence | None = None
    warmup_count: CountFrom0
    confirming_count: CountFrom1 | None = None
    joined_as: JoinedAs | None = None
    rounds: tuple[Round, ...]
    metrics: ByName[Number | None]
    absent: ByName[Text]
    idle_power_w: ByName[Number] | None = NULLABLE
    ready_power: ByName[ReadyPower] | None = None
    session: Sentence | None = None
    machine: Machine
    sensors: tuple[Sensor, ...]
    roles: ByName[Text] | None = None
    missing_domains: tuple[Domain, ...] | None = None
    void_because: Text | None = NULLABLE
    unmeasured_because: Text | None = NULLABLE
    counts: Counts | None = None
    predictions: ByName[Prediction] | None = None
    step_cost: StepCost | None = None


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
    """

    step_count: Positive
    step_ratio: Positive
    energy_per_step_j: Amount
    measured_ratio: Positive
    not_used_because: Text = ""


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
        energies_at_mean_steps_j: Joules of each round at the mean steps and seconds of the rounds: at a
            fixed rate a slower host takes fewer steps, and less energy. Omitted if steps are not known.
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


class _Versioned(Document, frozen=True, kw_only=True):
    format: Whole


def format_of(value: object, source: str) -> int:
    """The number of the format of *value*, a whole document, which says how the rest of it is to be read.

    Raises:
        FormatError: It has none.
    """
    return decode(value, _Versioned, source).format


def now_text(timespec: str = "seconds") -> str:
    """The time, for a document: UTC, ISO 8601 with `Z`."""
    return MACHINE_TIME.utc_now().isoformat(timespec=timespec).replace("+00:00", "Z")
