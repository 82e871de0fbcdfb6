"""Layers and operators in reports: shares, the words, and what is beside what."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from pytest_energy.judgement import Judgement
from pytest_energy.model import Provenance
from pytest_energy.report import view
from pytest_energy.report.work_parts import layers_of_tests, lines, parts_of
from tests.builders import judgement

FORWARD = {
    "layer_convolution_energy_j": 7.0,
    "layer_convolution_uncertainty_j": 0.1,
    "layer_normalisation_energy_j": 3.0,
    "layers_explained_share": 0.96,
}
STEP = {
    "layer_convolution_forward_energy_j": 2.0,
    "layer_convolution_backward_energy_j": 4.0,
    "layer_between_forward_energy_j": 1.0,
    "layer_optimiser_energy_j": 3.0,
}


def split(
    metrics: Mapping[str, float | None],
    name: str = "resnet",
    *,
    group: str | None = "layers",
    provenance: Provenance = Provenance.MEASURED,
    absent: Mapping[str, str] | None = None,
) -> Judgement:
    made = judgement(model=name, group=group, metrics=metrics)
    return replace(
        made,
        record=replace(
            made.record, rounds=(), unmeasured_because="-", provenance=provenance, absent=absent or {}
        ),
    )


def test_a_forward_pass() -> None:
    """Joules of each type, the largest first, and no stages."""
    (parts,) = parts_of(split(FORWARD).record)
    assert parts.shares == {"convolution": 0.7, "normalisation": 0.3}
    assert (parts.by_stage, parts.explained_share) == ({}, 0.96)


def test_a_training_step() -> None:
    """A type is its forward and backward pass; the optimiser is a part of its own."""
    (parts,) = parts_of(split(STEP).record)
    assert parts.by_name == {"convolution": 6.0, "optimiser": 3.0, "between": 1.0}
    assert parts.by_stage == {"forward": 3.0, "backward": 4.0, "optimiser": 3.0}


def test_operators() -> None:
    """Active joules by operator, over all stages."""
    metrics = {
        "operator_forward_mm_active_energy_j": 1.0,
        "operator_backward_mm_active_energy_j": 2.0,
        "operator_forward_mm_energy_j": 9.0,
        "operator_optimiser__foreach_add__active_energy_j": 1.0,
    }
    (parts,) = parts_of(split(metrics).record)
    assert (parts.kind, parts.by_name) == ("operators", {"mm": 3.0, "_foreach_add_": 1.0})


def test_a_part_without_joules() -> None:
    """What is left would be too large a share: there is none, and the reason."""
    lost = split(
        {**FORWARD, "layer_linear_energy_j": None}, absent={"layer_linear_energy_j": "no round has joules"}
    )
    assert parts_of(lost.record)[0].shares == {}
    assert lines(view.of([lost])) == ["resnet: no shares of its layers: no round has joules"]


@pytest.mark.parametrize(
    ("metrics", "provenance", "text"),
    [
        (
            FORWARD,
            Provenance.MEASURED,
            "resnet: layers 10 J, convolution 70 %, normalisation 30 %; 96 % of the whole explained",
        ),
        (
            STEP,
            Provenance.ESTIMATED,
            (
                "resnet: layers ~10 J, convolution 60 %, optimiser 30 %, between 10 %; "
                "forward 30 %, backward 40 %, optimiser 30 %"
            ),
        ),
    ],
)
def test_a_line(metrics: Mapping[str, float], provenance: Provenance, text: str) -> None:
    """Joules with the mark of their origin, shares, stages, and how much is explained."""
    assert lines(view.of([split(metrics, provenance=provenance)])) == [text]


def test_small_parts_are_summed_up() -> None:
    """A line has six parts, and the rest."""
    metrics = {f"layer_{name}_energy_j": 10.0 for name in ("a", "b", "c", "d", "e", "f", "g", "h")}
    (text,) = lines(view.of([split(metrics)]))
    assert text.endswith("f 12 %, the rest 25 %")


def test_what_is_beside_what() -> None:
    """Passes and steps are apart; so are groups and provenances."""
    run = view.of(
        [
            split(FORWARD, "a"),
            split(STEP, "a"),
            split(FORWARD, "b"),
            split(FORWARD, "c", group=None),
            split(FORWARD, "d", provenance=Provenance.ESTIMATED),
        ]
    )
    found = [(one.model, [test.name for test in one.tests]) for one in layers_of_tests(run)]
    assert found == [
        ("layers, forward pass", ["a", "b"]),
        ("layers, training step", ["a"]),
        ("layers, forward pass", ["c"]),
        ("layers, forward pass", ["d"]),
    ]


def test_other_tests_have_no_parts() -> None:
    """Nothing is said of them."""
    assert lines(view.of([judgement()])) == []
