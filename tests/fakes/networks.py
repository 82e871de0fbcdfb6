"""Networks of an invented card, whose joules follow from their counts as the card's costs say."""

import random
from collections.abc import Sequence
from dataclasses import replace

from pytest_energy.counts import CountEntry, Counts, Kind
from pytest_energy.errors import Absent
from pytest_energy.model import Provenance, Reading, Record
from pytest_energy.prediction import Observation, features_of
from pytest_energy.prediction.costs import Costs
from tests.builders import record

CARD = Costs(
    host_s={"operators": 30e-6, "backward nodes": 12e-6},
    device_s={"bytes": 0.7e-12, "backward bytes": 1.5e-12, "tf32 flops": 7e-15},
    active_j={"calls": 1e-4, "bytes": 120e-12, "backward bytes": 300e-12, "tf32 flops": 1.2e-12},
    ready_power_w=120.0,
)


def counts(
    *,
    operators: int = 100,
    nodes: int = 0,
    size_bytes: float = 1e9,
    backward_bytes: float = 0.0,
    flops: float = 1e11,
    dtype: str = "float32",
) -> Counts:
    """A call with *operators* convolutions, and *nodes* of its backward pass."""
    entries = [
        CountEntry(
            kind=Kind.OPERATOR,
            name="aten::conv2d",
            dtype=dtype,
            count=operators,
            flops=flops,
            size_bytes=size_bytes,
        ),
        CountEntry(
            kind=Kind.OPERATOR,
            name="ConvolutionBackward0",
            dtype=dtype,
            count=nodes,
            size_bytes=backward_bytes,
        ),
        CountEntry(kind=Kind.KERNEL, name="implicit_gemm", count=3 * operators, size_bytes=1e15, flops=1e20),
    ]
    return Counts(source="a test", entries=tuple(entry for entry in entries if entry.count), digest="d")


def network(rng: random.Random, *, is_trained: bool) -> Counts:
    operators = rng.randint(20, 400)
    share = 2.5 if is_trained else 1.0
    size_bytes = operators * rng.lognormvariate(17, 1)
    return counts(
        operators=operators,
        nodes=int(1.3 * operators) if is_trained else 0,
        size_bytes=size_bytes,
        backward_bytes=size_bytes * rng.uniform(0.7, 1.3) if is_trained else 0.0,
        flops=share * rng.lognormvariate(25.5, 1.2),
    )


def observation(
    counted: Counts, *, group: str = "a", test_id: str = "t", energy_factor: float = 1.0, costs: Costs = CARD
) -> Observation:
    """What the card uses for *counted*, active joules times *energy_factor*."""
    features = features_of(counted)
    assert not isinstance(features, Absent)
    duration_s = costs.duration_s(features)
    waiting_j = costs.ready_power_w * duration_s
    active_j = costs.energy_j(features) - waiting_j
    return Observation(
        test_id=test_id,
        group=group,
        features=features,
        energy_j=waiting_j + active_j * energy_factor,
        duration_s=duration_s,
        ready_power_w=costs.ready_power_w,
    )


def observations(
    network_count: int = 12, *, seed: int = 1, scatter: float = 0.0, costs: Costs = CARD
) -> Sequence[Observation]:
    """Training and inference of *network_count* networks, active joules off by a share of about *scatter*."""
    rng = random.Random(seed)  # noqa: S311  # seeded
    return [
        observation(
            network(rng, is_trained=is_trained),
            group=f"network-{number}",
            test_id=f"t.py::test_{'training' if is_trained else 'inference'}[network-{number}]",
            energy_factor=rng.lognormvariate(0, scatter),
            costs=costs,
        )
        for number in range(network_count)
        for is_trained in (False, True)
    ]


def network_records(network_count: int, *, scatter: float = 0.1) -> Sequence[Record]:
    """Records of one round for each of `observations`, with their counts."""
    rng = random.Random(1)  # noqa: S311  # as in `observations`, so that both are of the same networks
    records = []
    for one in observations(network_count, scatter=scatter):
        counted = network(rng, is_trained="training" in one.test_id)
        rng.lognormvariate(0, scatter)
        reading = Reading(
            channels={"gpu:0": one.energy_j},
            duration_s=one.duration_s,
            uncertainty_j=0.0,
            provenance=Provenance.MEASURED,
            quiet_power_w={"gpu:0": one.ready_power_w},
        )
        bare = record(rounds=[reading], test_id=one.test_id)
        records.append(replace(bare, model=one.group, counts=counted))
    return records
