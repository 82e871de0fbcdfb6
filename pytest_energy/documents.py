"""The JSON of format 1: what is in runs, baselines, replay files and messages between processes.

Of judgements it is in `judgement_documents`, of counts in `count_documents`.

Rule 1: the types here describe the JSON, `model` the values; `conversion` leads from one to the other.
Rule 2: what is `null`, and what is left out, is fixed: programs read these keys. The JSON Schemas in
`report/schema` are made of these types and of what is written about their attributes.
Rule 3: what is worked out of the rounds is written for those who read the file, and never read back.
"""

from msgspec import field

from pytest_energy.codec import NULLABLE, ByName, Document, Number, Text, Whole, decode
from pytest_energy.count_documents import Counts
from pytest_energy.document_types import (
    Amount,
    Channels,
    CountFrom0,
    CountFrom1,
    CountFrom2,
    DerivedAmount,
    Interval,
    Positive,
    PowerTrace,
    Sentence,
    Time,
)
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
    """A named window inside a round.

    Attributes:
        accuracy: Of the model at its end, a share, where it is an epoch of energy.until; else omitted.
    """

    name: Text
    energy_j: Number | None = NULLABLE
    uncertainty_j: Amount | None = NULLABLE
    duration_s: Amount
    samples: Whole | None = NULLABLE
    quality: tuple[Text, ...]
    accuracy: Amount | None = None


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
        load_tokens: Prompt tokens that were computed, tokens that were decoded and the context that these
            read, scaled to all requests as the joules are, and the first two as counted for all requests
            (whole_...). Omitted as step_count is, and in files of earlier versions.
        start_unix_s: When the window opened, in seconds since 1970-01-01 UTC by the machine's clock. Omitted
            if it is not known, in baselines, and in files of earlier versions.
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
    load_tokens: ByName[Amount] | None = None
    start_unix_s: Number | None = None


class StepCost(Document, frozen=True, kw_only=True):
    """Joules that one more step of a model server adds to a load of equal requests.

    Attributes:
        energy_j: Of a step, fitted to short spans of the loads.
        uncertainty_j: Its standard uncertainty.
        channels: Those whose joules these are.
        amount_energies_j: Joules of a unit of each amount: a step, a second, a prompt token, a decoded
            token, a token of context. Omitted in files of earlier versions.
        covariances_j2: Of those joules, a row for each, in their order.
    """

    energy_j: Amount
    uncertainty_j: Amount
    channels: tuple[Text, ...]
    amount_energies_j: ByName[Amount] | None = None
    covariances_j2: tuple[tuple[Number, ...], ...] | None = None


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
