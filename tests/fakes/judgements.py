"""Builders of judgements: a call names the facts that matter, the rest is an ordinary measured pass."""

from collections.abc import Mapping, Sequence

from pytest_energy.model import (
    Budget,
    Comparison,
    Judgement,
    Machine,
    Provenance,
    Reading,
    Record,
    SensorStatus,
    Summary,
    Verdict,
)

TEST_ID = "tests/test_model.py::test_training"
CREATED = "2026-11-21T10:00:00Z"

H100 = Machine(
    key="h100-80gb-hbm3_xeon-8480_nvml",
    fixed={"gpu_model": "NVIDIA H100 80GB HBM3", "gpu_count": "1", "gpu_power_limit_w": "700"},
    shown={"driver": "580.159.04", "torch": "2.9.0", "commit": "3f2c1ab"},
)
LAPTOP = Machine(key="core-i7-1260p_estimate", fixed={"cpu_model": "12th Gen Intel Core i7-1260P"})

NVML = SensorStatus(name="nvml", channels=("gpu:0",), provenance=Provenance.MEASURED, tick_s=0.1)
NO_RAPL = SensorStatus(
    name="rapl",
    provenance=Provenance.MEASURED,
    absent_because="/sys/class/powercap/intel-rapl:0/energy_uj is readable by root alone (mode 0400)",
)
ESTIMATE = SensorStatus(name="estimate", channels=("cpu:machine",), provenance=Provenance.ESTIMATED)

_CHANNELS = {Provenance.MEASURED: "gpu:0", Provenance.ESTIMATED: "cpu:machine", Provenance.REPLAYED: "gpu:0"}


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
    reading = Reading(
        channels={channel: energy_j or 0.0},
        duration_s=duration_s,
        uncertainty_j=uncertainty_j,
        provenance=provenance,
        quality=tuple(quality),
    )
    record = Record(
        test_id=test_id,
        created=created,
        provenance=provenance,
        machine=machine,
        rounds=(reading,) * round_count if is_measured else (),
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
    session_count: int = 3,
    note: str = "",
) -> Comparison:
    """A comparison whose change is all time; bounds are 3 % to each side unless given."""
    return Comparison(
        session_count=session_count,
        energy_j=energy_j,
        ratio=ratio,
        ratio_ci=(ratio - 0.03, ratio + 0.03) if ratio_ci is None else ratio_ci,
        detectable_ratio=1.08,
        duration_ratio=ratio,
        power_ratio=1.0,
        differences={"driver": ("575.57.08", "580.159.04")},
        note=note,
    )
