"""Builders of records for the tests of statistics and verdicts: a call names the one fact that matters."""

from collections.abc import Mapping, Sequence

from pytest_energy.baselines.schema import Baseline
from pytest_energy.model import (
    Budget,
    Judgement,
    Machine,
    Provenance,
    Reading,
    Record,
    SensorStatus,
)
from pytest_energy.stats.compare import Sample
from pytest_energy.verdict import Policy, judge

TEST_ID = "tests/test_train.py::test_training[resnet18]"
KEY = "h100-80gb-hbm3_xeon-8480+_nvml"

# Five rounds with a CV of 1 % around 1, the mean exactly 1.
STEADY = (0.988, 1.012, 0.996, 1.004, 1.0)


def sample(*energies_j: float, uncertainty_j: float = 0.0) -> Sample:
    return Sample(energies_j=energies_j, uncertainties_j=(uncertainty_j,) * len(energies_j))


def steady_sample(energy_j: float = 100.0, *, uncertainty_j: float = 0.0) -> Sample:
    """Five rounds with a CV of 1 %."""
    return sample(*(energy_j * share for share in STEADY), uncertainty_j=uncertainty_j)


def reading(
    channels: Mapping[str, float],
    *,
    duration_s: float = 1.0,
    uncertainty_j: float = 0.0,
    provenance: Provenance = Provenance.MEASURED,
    quality: tuple[str, ...] = (),
    void_because: str | None = None,
) -> Reading:
    return Reading(
        channels=channels,
        duration_s=duration_s,
        uncertainty_j=uncertainty_j,
        provenance=provenance,
        quality=quality,
        void_because=void_because,
    )


def record(
    energies_j: Sequence[float] | None = None,
    *,
    energy_j: float = 100.0,
    power_w: float = 100.0,
    uncertainty_j: float = 0.0,
    provenance: Provenance = Provenance.MEASURED,
    rounds: Sequence[Reading] | None = None,
    samples: int | None = None,
    fixed: Mapping[str, str] | None = None,
    shown: Mapping[str, str] | None = None,
    sensors: tuple[SensorStatus, ...] = (),
    void_because: str | None = None,
    unmeasured_because: str | None = None,
) -> Record:
    """A record of *rounds*, or of one round for each of *energies_j*, or of five around *energy_j*."""
    values = [energy_j * share for share in STEADY] if energies_j is None else energies_j
    if rounds is None:
        rounds = [
            reading(
                {"gpu:0": value},
                duration_s=value / power_w if value else 1.0,
                uncertainty_j=uncertainty_j,
                provenance=provenance,
            )
            for value in values
        ]
    return Record(
        test_id=TEST_ID,
        created="2026-11-20T10:00:00Z",
        provenance=provenance,
        machine=Machine(key=KEY, fixed=fixed or {"gpu_model": "H100"}, shown=shown or {"torch": "2.8.0"}),
        rounds=tuple(rounds),
        samples=samples,
        sensors=sensors,
        void_because=void_because,
        unmeasured_because=unmeasured_because,
    )


def baseline(*sessions: Record) -> Baseline:
    """A baseline of *sessions*; without any, of one around 100 J."""
    return Baseline(test_id=TEST_ID, machine_key=KEY, sessions=sessions or (record(),))


def judged(
    fresh: Record,
    against: Baseline | None = None,
    *,
    other_machines: tuple[str, ...] = (),
    budget_j: float | None = None,
    budget_per_sample_j: float | None = None,
    policy: Policy | None = None,
) -> Judgement:
    return judge(
        fresh,
        baseline=against,
        other_machines=other_machines,
        budget=Budget(budget_j=budget_j, budget_per_sample_j=budget_per_sample_j),
        policy=policy or Policy(),
    )
