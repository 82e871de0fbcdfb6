"""Builders of readings, records, baselines and judgements: a call names the one fact that matters."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from pytest_energy.baselines.schema import Baseline
from pytest_energy.baselines.store import Store
from pytest_energy.counts import CallPlace, CountEntry, Counts, Kind
from pytest_energy.judgement import (
    Budget,
    Cause,
    Comparison,
    CountChange,
    CountsComparison,
    Judgement,
    Summary,
    Verdict,
)
from pytest_energy.model import Machine, Phase, Provenance, Reading, Record, SensorStatus
from pytest_energy.stats.level import RoundEnergies
from pytest_energy.verdict.count_history import count_history_of
from pytest_energy.verdict.findings import Decision
from pytest_energy.verdict.history import history_of
from pytest_energy.verdict.policy import Policy
from pytest_energy.verdict.rules import decide
from pytest_energy.verdict.suite import BY_ITSELF, Suite
from pytest_energy.verdict.words import in_words

TEST_ID = "tests/test_model.py::test_training[resnet18]"
CREATED = "2026-11-21T10:00:00Z"  # of a judgement
ACCEPTED = "2025-11-20T10:00:00Z"  # of a record, which is a year older

KEY = "h100-80gb-hbm3_xeon-8480_nvml"
FIXED = {"gpu_model": "NVIDIA H100 80GB HBM3"}
H100 = Machine(
    key=KEY,
    fixed=FIXED | {"gpu_count": "1", "gpu_power_limit_w": "700"},
    varying={"driver": "580.159.04", "torch": "2.9.0", "commit": "3f2c1ab"},
)
LAPTOP = Machine(
    key="core-i7-1260p_estimate",
    fixed={"cpu_model": "12th Gen Intel Core i7-1260P"},
    varying={"estimate_factor": "4"},
)

NVML = SensorStatus(name="nvml", channels=("gpu:0",), provenance=Provenance.MEASURED, tick_s=0.1)
NO_RAPL = SensorStatus(
    name="rapl",
    provenance=Provenance.MEASURED,
    absent_because="/sys/class/powercap/intel-rapl:0/energy_uj is readable by root alone (mode 0400)",
)
ESTIMATE = SensorStatus(name="estimate", channels=("cpu:processes",), provenance=Provenance.ESTIMATED)

# Five rounds with a CV of 1 % around 1, the mean exactly 1.
STEADY = (0.988, 1.012, 0.996, 1.004, 1.0)

OF_ROUNDS = tuple(one for one in Provenance if one is not Provenance.PREDICTED)
"""No round is predicted."""

_CHANNELS = {
    Provenance.MEASURED: "gpu:0",
    Provenance.ESTIMATED: "cpu:processes",
    Provenance.REPLAYED: "gpu:0",
}


def rounds_of(*energies_j: float, uncertainty_j: float = 0.0) -> RoundEnergies:
    return RoundEnergies(energies_j=energies_j, uncertainties_j=(uncertainty_j,) * len(energies_j))


def steady_rounds(energy_j: float = 100.0, *, uncertainty_j: float = 0.0) -> RoundEnergies:
    """Five rounds with a CV of 1 %."""
    return rounds_of(*(energy_j * share for share in STEADY), uncertainty_j=uncertainty_j)


def reading(
    energy_j: float = 10.0,
    *,
    channels: Mapping[str, float] | None = None,
    duration_s: float = 1.0,
    uncertainty_j: float = 0.0,
    provenance: Provenance = Provenance.MEASURED,
    quality: Sequence[str] = (),
    void_because: str | None = None,
) -> Reading:
    """A reading of *energy_j* on the one channel of its provenance, or of *channels*."""
    return Reading(
        channels={_CHANNELS[provenance]: energy_j} if channels is None else channels,
        duration_s=duration_s,
        uncertainty_j=uncertainty_j,
        provenance=provenance,
        quality=tuple(quality),
        void_because=void_because,
    )


def record(
    *energies_j: float,
    energy_j: float = 100.0,
    power_w: float = 100.0,
    uncertainty_j: float = 0.0,
    rounds: Sequence[Reading] | None = None,
    test_id: str = TEST_ID,
    created: str = ACCEPTED,
    key: str = KEY,
    fixed: Mapping[str, str] = FIXED,
    shown: Mapping[str, str] | None = None,
    provenance: Provenance = Provenance.MEASURED,
    samples: int | None = None,
    metrics: Mapping[str, float | None] | None = None,
    sensors: Sequence[SensorStatus] = (),
    void_because: str | None = None,
    unmeasured_because: str | None = None,
    counts: Counts | None = None,
    absent: Mapping[str, str] | None = None,
) -> Record:
    """A record of *rounds*, or of one round for each of *energies_j*, or of five around *energy_j*."""
    if rounds is None:
        rounds = [
            reading(
                value,
                duration_s=value / power_w if value else 1.0,
                uncertainty_j=uncertainty_j,
                provenance=provenance,
            )
            for value in energies_j or [energy_j * share for share in STEADY]
        ]
    return Record(
        test_id=test_id,
        created=created,
        provenance=provenance,
        machine=Machine(key=key, fixed=fixed, varying={"torch": "2.8.0"} if shown is None else shown),
        rounds=tuple(rounds),
        samples=samples,
        metrics=metrics or {},
        sensors=tuple(sensors),
        void_because=void_because,
        unmeasured_because=unmeasured_because,
        counts=counts,
        absent=absent or {},
    )


def phased(
    phases_j: Mapping[str, float],
    *,
    whole_j: float = 100.0,
    uncertainty_share: float = 0.0,
    shares: Sequence[float] = STEADY,
    created: str = ACCEPTED,
) -> Record:
    """A record of rounds around *whole_j*, whose phases use about *phases_j* at the power of the round."""
    rounds = [
        replace(
            reading(whole_j * share, duration_s=share),
            phases=tuple(
                Phase(
                    name=name,
                    energy_j=energy_j * share,
                    uncertainty_j=uncertainty_share * energy_j,
                    duration_s=energy_j * share / whole_j,
                )
                for name, energy_j in phases_j.items()
            ),
        )
        for share in shares
    ]
    return record(rounds=rounds, created=created)


def counts_of(count: int, name: str = "aten::mm", *, source: str = "torch.profiler (CPU)") -> Counts:
    """Counts of *count* calls of one operator."""
    entry = CountEntry(kind=Kind.OPERATOR, name=name, dtype="float32", count=count, flops=1e9 * count)
    return Counts(source=source, entries=(entry,), digest=f"{name} {count}")


def uncounted(because: str = "--energy-trace=off") -> Record:
    """A record that nothing measured, and of which nothing was counted."""
    return record(rounds=(), unmeasured_because="no sensor", absent={"counts": because})


def counted(counts: Counts, *, key: str = "counts_cpu") -> Record:
    """A record that nothing measured, with *counts*."""
    return record(rounds=(), unmeasured_because="no sensor", key=key, fixed={}, counts=counts)


def sessions(count: int, *, first: int = 0, test_id: str = TEST_ID, key: str = KEY) -> tuple[Record, ...]:
    """*count* sessions that differ: session number n was made n minutes after ten and used 10 + n J."""
    return tuple(
        record(10.0 + n, power_w=10.0 + n, test_id=test_id, key=key, created=f"2025-11-20T10:{n:02}:00Z")
        for n in range(first, first + count)
    )


def numbers(records: Sequence[Record]) -> list[int]:
    """The numbers of what `sessions` made."""
    return [int(one.created[14:16]) for one in records]


def stored(store: Store) -> list[Baseline]:
    """All baselines in *store*."""
    return [store.read(path) for path in store.paths()]


def baseline(*sessions: Record) -> Baseline:
    """A baseline of *sessions*; without any, of one around 100 J."""
    return Baseline(test_id=TEST_ID, machine_key=KEY, entries=sessions or (record(),))


def counts_baseline(*sessions: Record) -> Baseline:
    """A baseline of counts alone."""
    return Baseline(test_id=TEST_ID, machine_key=sessions[0].machine.key, entries=sessions)


def decided(
    fresh: Record,
    against: Baseline | None = None,
    *,
    other_machines: tuple[str, ...] = (),
    budget: Budget | None = None,
    policy: Policy | None = None,
    suite: Suite = BY_ITSELF,
    counted: Sequence[Baseline] = (),
) -> Decision:
    """What the gate's rules find of *fresh*."""
    return decide(
        fresh,
        history=None if against is None else history_of(against, (policy or Policy()).basis),
        other_machines=other_machines,
        budget=budget or Budget(),
        policy=policy or Policy(),
        suite=suite,
        count_history=count_history_of(counted),
    )


def judged(
    fresh: Record,
    against: Baseline | None = None,
    *,
    other_machines: tuple[str, ...] = (),
    budget_j: float | None = None,
    budget_per_sample_j: float | None = None,
    policy: Policy | None = None,
    suite: Suite = BY_ITSELF,
    counted_in: Sequence[Baseline] = (),
) -> Judgement:
    """*fresh* judged by the gate itself."""
    budget = Budget(budget_j=budget_j, budget_per_sample_j=budget_per_sample_j)
    return in_words(
        decided(
            fresh,
            against,
            other_machines=other_machines,
            budget=budget,
            policy=policy,
            suite=suite,
            counted=counted_in,
        )
    )


def judgement(
    *,
    test_id: str = TEST_ID,
    energy_j: float | None = 12.0,
    verdict: Verdict = Verdict.PASS,
    reason: str | None = None,
    provenance: Provenance = Provenance.MEASURED,
    uncertainty_j: float = 0.2,
    duration_s: float = 1.0,
    round_count: int = 5,
    samples: int | None = 16,
    group: str | None = None,
    model: str | None = None,
    metrics: Mapping[str, float | None] | None = None,
    absent: Mapping[str, str] | None = None,
    quality: Sequence[str] = (),
    idle_power_w: float | None = 2.0,
    machine: Machine = H100,
    sensors: Sequence[SensorStatus] = (NVML, NO_RAPL),
    budget_j: float | None = None,
    compared: Comparison | None = None,
    created: str = CREATED,
) -> Judgement:
    """A judgement of *round_count* equal rounds; `energy_j=None` is a test that nothing measured.

    A verdict `void` keeps its rounds and says that they must not be used.
    """
    channel = _CHANNELS[provenance]
    is_void, is_measured = verdict is Verdict.VOID, energy_j is not None
    one_round = reading(
        energy_j or 0.0,
        duration_s=duration_s,
        uncertainty_j=uncertainty_j,
        provenance=provenance,
        quality=quality,
    )
    record = Record(
        test_id=test_id,
        created=created,
        provenance=provenance,
        machine=machine,
        rounds=(one_round,) * round_count if is_measured else (),
        samples=samples,
        warmup_count=1,
        group=group,
        model=model,
        metrics=metrics or {},
        absent=absent or {},
        idle_power_w=None if idle_power_w is None else {channel: idle_power_w},
        sensors=tuple(sensors),
        void_because="thermal slowdown in every round" if is_void else None,
        unmeasured_because=None if is_measured or is_void else "no sensor on this machine",
    )
    summary = None
    if record.energy_j is not None:
        summary = Summary(
            energy_j=record.energy_j,
            energy_ci_j=(record.energy_j - 2 * uncertainty_j, record.energy_j + 2 * uncertainty_j),
            uncertainty_j=uncertainty_j,
        )
    return Judgement(
        record=record,
        verdict=verdict,
        reason=f"the test is {verdict.value}" if reason is None else reason,
        summary=summary,
        budget=Budget(budget_j=budget_j),
        comparison=compared,
    )


def comparison(
    ratio: float = 1.0,
    ratio_ci: tuple[float, float] | None = None,
    *,
    energy_j: float = 12.0,
    entry_count: int = 3,
    note: str = "",
) -> Comparison:
    """A comparison whose change is all time; bounds are 3 % to each side unless given."""
    return Comparison(
        entry_count=entry_count,
        energy_j=energy_j,
        ratio=ratio,
        ratio_ci=(ratio - 0.03, ratio + 0.03) if ratio_ci is None else ratio_ci,
        detectable_ratio=1.08,
        duration_ratio=ratio,
        power_ratio=1.0,
        differences={"driver": ("575.57.08", "580.159.04")},
        note=note,
    )


COUNTS = Counts(
    source="torch.profiler (CPU, CUDA)",
    entries=(
        CountEntry(
            kind=Kind.OPERATOR,
            name="aten::layer_norm",
            dtype="bfloat16",
            count=12,
            most=13,
            flops=1e9,
            size_bytes=4e6,
            inputs="1f2e3d4c",
            example="[64, 512, 768]",
            duration_s=0.001,
            places=(CallPlace(file="model.py", line=41, function="forward", count=12),),
        ),
    ),
    digest="0a1b2c3d",
    omitted_count=3,
    settings={"float32 matmul precision": "high"},
    trace_s=0.4,
    trace_count=2,
    is_piece=True,
)
COUNTS_COMPARISON = CountsComparison(
    entry_count=2,
    changes=(
        CountChange(
            kind=Kind.OPERATOR,
            name="aten::layer_norm",
            dtype="bfloat16",
            before=(12, 12),
            after=(36, 36),
            weight_s=0.0002,
            inputs=("[64, 512, 768]", "[64, 512, 769]"),
            place="model.py:41",
            cause=Cause.CODE,
        ),
    ),
    change_count=1,
    settings={"float32 matmul precision": ("high", "highest")},
    weight_ratio=1.1,
    rises={"weighted work": (0.001, 0.0011)},
    tolerance=0.02,
    verdict=Verdict.REGRESSION,
    is_judged=True,
    lines=("layer_norm is called 36 times, not 12, at model.py:41",),
)


def count_entry(
    name: str = "aten::layer_norm",
    count: int = 12,
    *,
    kind: Kind = Kind.OPERATOR,
    most: int | None = None,
    dtype: str = "",
    flops: float = 0.0,
    size_bytes: float = 0.0,
    inputs: str = "1f2e3d4c",
    example: str = "",
    duration_s: float = 0.0,
    place: str = "",
    function: str = "forward",
) -> CountEntry:
    """*count* calls, all of them at *place*, such as `model.py:41`, if it is given."""
    file, _, line = place.partition(":")
    return CountEntry(
        kind=kind,
        name=name,
        dtype=dtype,
        count=count,
        most=most,
        flops=flops,
        size_bytes=size_bytes,
        inputs=inputs,
        example=example,
        duration_s=duration_s,
        places=(CallPlace(file=file, line=int(line), function=function, count=count),) if place else (),
    )


def counts_with(
    *entries: CountEntry,
    settings: Mapping[str, str] | None = None,
    omitted_count: int = 0,
    source: str = "torch.profiler (CPU)",
) -> Counts:
    """Counts of just these *entries*."""
    return Counts(
        source=source,
        entries=entries,
        digest="0a1b2c3d",
        omitted_count=omitted_count,
        settings=settings or {},
    )
