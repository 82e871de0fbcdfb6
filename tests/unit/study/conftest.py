"""Runs of a study."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from pytest_energy.judgement import Judgement
from pytest_energy.model import Machine, Provenance
from pytest_energy.study.samples import Run
from tests.builders import H100, LAPTOP, judgement

NETS = ("lenet", "vgg", "resnet", "dense", "google", "mobile")


def nets(
    energies_j: Sequence[float],
    *,
    machine: Machine = H100,
    created: str = "2026-11-21T10:00:00Z",
    **more: object,
) -> tuple[Judgement, ...]:
    """A test of inference for each of *energies_j*, of networks whose MACs per parameter rise."""
    provenance = Provenance.ESTIMATED if machine is LAPTOP else Provenance.MEASURED
    return tuple(
        judgement(
            test_id=f"t.py::test_inference[{name}]",
            energy_j=energy_j,
            samples=1,
            group="inference",
            model=name,
            metrics={"macs_param": float(place)},
            machine=machine,
            provenance=provenance,
            created=created,
            **{"idle_power_w": 0.5, **more},  # type: ignore[arg-type]  # its own words
        )
        for place, (name, energy_j) in enumerate(zip(NETS, energies_j, strict=False))
    )


def requests(
    by_model: Mapping[str, Mapping[float, float]],
    *,
    machine: Machine = H100,
    group: str = "requests",
    engine: str = "vllm",
    created: str = "2026-11-21T11:00:00Z",
) -> tuple[Judgement, ...]:
    """Joules of a request by model and rate."""
    made = [
        judgement(
            test_id=f"t.py::test_requests[{model}@{rate:g}]",
            energy_j=energy_j,
            samples=1,
            group=group,
            model=f"{model}@{rate:g}/s",
            metrics={"request_rate": rate, "parameters": float(place)},
            machine=machine,
            created=created,
        )
        for place, (model, energies_j) in enumerate(by_model.items(), 1)
        for rate, energy_j in energies_j.items()
    ]
    return tuple(replace(one, record=replace(one.record, workload={"engine": engine})) for one in made)


def run(name: str, *judgements: Judgement) -> Run:
    return Run(name=name, judgements=judgements)


SMALL_AND_LARGE = {
    "1B": {1.0: 138.0, 4.0: 43.0, 16.0: 13.0, 64.0: 3.7, 128.0: 2.0},
    "8B": {1.0: 225.0, 4.0: 92.0, 16.0: 26.0, 64.0: 8.0, 128.0: 5.0},
}
