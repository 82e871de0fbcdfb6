"""Builders of records for the tests of baselines: a call names the one fact that matters."""

from collections.abc import Mapping, Sequence

from pytest_energy.model import Machine, Provenance, Reading, Record, SensorStatus

TEST_ID = "benchmarks/cnn/test_training.py::test_training[resnet18]"
KEY = "h100-80gb-hbm3_xeon-8480+_nvml"
FIXED = {"gpu_model": "NVIDIA H100 80GB HBM3", "sensors": "nvml", "provenance": "measured"}


def reading(
    energy_j: float = 10.0, *, channel: str = "gpu:0", provenance: Provenance = Provenance.MEASURED
) -> Reading:
    return Reading(channels={channel: energy_j}, duration_s=1.0, uncertainty_j=0.1, provenance=provenance)


def record(
    *energies_j: float,
    test_id: str = TEST_ID,
    created: str = "2025-11-20T10:00:00Z",
    key: str = KEY,
    fixed: Mapping[str, str] = FIXED,
    shown: Mapping[str, str] | None = None,
    provenance: Provenance = Provenance.MEASURED,
    channel: str = "gpu:0",
    samples: int | None = 512,
    metrics: Mapping[str, float | None] | None = None,
    void_because: str | None = None,
) -> Record:
    """A record with a round for each of *energies_j*, two of 10 J if none is given."""
    return Record(
        test_id=test_id,
        created=created,
        provenance=provenance,
        machine=Machine(key=key, fixed=fixed, shown=shown or {"driver": "580.159.04"}),
        rounds=tuple(reading(e, channel=channel, provenance=provenance) for e in energies_j or (10.0, 10.0)),
        samples=samples,
        metrics=metrics or {},
        sensors=(SensorStatus(name="nvml", channels=(channel,), provenance=provenance, tick_s=0.1),),
        void_because=void_because,
    )


def sessions(count: int, *, first: int = 0) -> tuple[Record, ...]:
    """*count* sessions that differ: session number n was made n minutes after ten and used 10 + n J."""
    return tuple(record(10.0 + n, created=f"2025-11-20T10:{n:02}:00Z") for n in range(first, first + count))


def numbers(records: Sequence[Record]) -> list[int]:
    """The numbers of what `sessions` made."""
    return [int(one.created[14:16]) for one in records]
