"""Training beside inference, gross and net."""

import pytest

from pytest_energy.judgement import Judgement, Verdict
from pytest_energy.model import Provenance
from pytest_energy.report import view
from pytest_energy.report.charts import training_inference
from pytest_energy.report.charts.spec import Marks
from pytest_energy.report.charts.training_inference import Pairs
from tests.builders import judgement
from tests.unit.report.charts.layers import layer


def paired(*judgements: Judgement) -> Pairs:
    (only,) = training_inference.pairs(view.of(judgements))
    return only


def both(
    model: str, energy_j: float, parameters: float | None, *, idle_w: float | None = 2.0
) -> list[Judgement]:
    """A model with 16 samples a round, training at three times the joules of inference."""
    return [
        judgement(
            test_id=f"t.py::test_{group}[{model}]",
            energy_j=energy_j * factor,
            group=group,
            model=model,
            metrics={"parameters": parameters},
            absent={} if parameters is not None else {"parameters": "not counted"},
            idle_power_w=idle_w,
        )
        for group, factor in (("training", 3.0), ("inference", 1.0))
    ]


def test_models_by_parameters_gross_and_net() -> None:
    """Fewest parameters first, unknown last; gross and net joules a sample, filled and hollow."""
    chart = training_inference.chart(
        paired(*both("big", 32.0, 2e6), *both("odd", 16.0, None), *both("small", 8.0, 1e5))
    )
    assert [text for _, text in chart.y.ticks] == ["small\n100 k", "big\n2 M", "odd\nunknown"]
    assert chart.x.is_log
    gross, net = layer(chart, Marks, "E_tr, training, gross"), layer(chart, Marks, "E_tr, training, net")
    assert [x for x, _ in gross.points] == [1.5, 6.0, 3.0]
    assert [x for x, _ in net.points] == [1.375, 5.875, 2.875]
    assert (gross.is_hollow, net.is_hollow) == (False, True)
    assert all(lower < higher for (_, lower), (_, higher) in zip(gross.points, net.points, strict=True))
    assert gross.form != layer(chart, Marks, "E_in, inference, gross").form
    assert gross.is_lying
    assert gross.bars[0] == pytest.approx((1.475, 1.525))


def test_bars_that_reach_below_zero_end_on_the_axis() -> None:
    """Net joules may be less than their interval is wide; a logarithmic axis has no 0."""
    chart = training_inference.chart(paired(*both("a", 16.0, 1e5, idle_w=15.99)))
    net = layer(chart, Marks, "E_in, inference, net")
    assert net.points[0][0] == pytest.approx(0.01 / 16)
    assert net.bars[0][0] == chart.x.lower > 0


def test_absent_net_and_absent_tests_are_told() -> None:
    """Net without idle power, net below idle, a lost test and one that isn't there: no mark, a sentence."""
    lost = judgement(
        test_id="t.py::test_training[c]",
        energy_j=None,
        verdict=Verdict.UNMEASURED,
        group="training",
        model="c",
    )
    models = paired(
        *both("a", 16.0, 1e5, idle_w=None),
        *both("b", 16.0, 1e6, idle_w=30.0),
        lost,
        *both("d", 16.0, 1e7)[1:],
    )
    assert {
        "Without energy per sample: training of c (no sensor on this machine).",
        "No net energy in training, as idle power is unknown: a.",
        "Not above idle in inference, so not on this axis: net of b.",
        "Not in the run: training of d.",
        "Not in the run: inference of c.",
    } <= set(training_inference.notes(models))
    net = layer(training_inference.chart(models), Marks, "E_tr, training, net")
    assert [x for x, _ in net.points] == [1.125]


def test_no_pair_no_figure() -> None:
    """One group alone, or joules of two provenances, are not side by side."""
    training, inference = both("a", 16.0, 1e5)
    estimated = judgement(group="inference", model="a", provenance=Provenance.ESTIMATED)
    assert training_inference.pairs(view.of([training])) == ()
    assert training_inference.pairs(view.of([training, estimated])) == ()
    assert len(training_inference.pairs(view.of([training, inference]))) == 1
