"""Energy against agreement and latency: one mark a setting, dominated ones in another form."""

from typing import Any

import pytest

from pytest_energy.report import view
from pytest_energy.report.charts import pareto
from pytest_energy.report.charts.spec import Line, Marks, Sheet
from pytest_energy.report.fronts import settings
from tests.unit.report.charts.layers import keys, layer, layers
from tests.unit.report.test_fronts import setting


def sheet(**changes: Any) -> Sheet:
    """Two settings on the front and one behind it."""
    judgements = [
        setting("fp8", 0.8, 0.9, p99_s=0.9, **changes),
        setting("ngram", 0.9, 0.975, p99_s=0.7, **changes),
        setting("int4", 0.95, 0.5, p99_s=1.2, **changes),
    ]
    (one,) = settings(view.of(judgements))
    return pareto.sheet(one)


def test_each_setting_has_a_bar_along_both_axes() -> None:
    """The reference is a star, a dominated setting a hollow square; each has its name beside it."""
    agreement, latency = sheet().charts
    assert keys(agreement) == [
        "not dominated",
        "reference: bf16",
        "setting, 95 % intervals",
        "dominated setting",
    ]
    standing = layer(agreement, Marks, "setting")
    assert standing.points == ((0.9, 8.0), (0.975, 9.0))
    assert standing.bars[0] == pytest.approx((7.8, 8.2))
    (lying, *_) = [one for one in layers(agreement, Marks) if one.is_lying and one.form == "circle"]
    assert lying.bars[0] == pytest.approx((0.88, 0.92))
    assert layer(agreement, Marks, "dominated").points == ((0.5, 9.5),)
    assert [name for _, name in agreement.names] == ["bf16", "fp8", "ngram", "int4"]
    assert layer(latency, Marks, "dominated").points == ((1.2, 9.5),)


def test_the_line_goes_through_what_nothing_dominates() -> None:
    """From the least agreement to the reference with itself."""
    agreement, _ = sheet().charts
    assert layer(agreement, Line).points == ((0.9, 8.0), (0.975, 9.0), (0.98, 10.0))


def test_the_notes_name_what_is_dominated_and_random_weights() -> None:
    """And say what agreement is not."""
    assert "Dominated by agreement and energy: int4." in sheet().notes
    assert "Dominated by latency and energy: bf16, int4." in sheet().notes
    assert "Agreement counts answers that change; it does not say which are better." in sheet().notes
    random_weights = "The weights are random: agreement says nothing about a trained model."
    assert random_weights not in sheet().notes
    assert random_weights in sheet(load_format="dummy").notes
