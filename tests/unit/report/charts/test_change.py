"""How far a test moved, and by time or by power."""

from dataclasses import replace

import pytest

from pytest_energy.report.charts import change
from pytest_energy.report.charts.spec import Band, Boxes, Marks, Rule
from tests.builders import comparison
from tests.unit.report.charts.layers import keys, layer, layers

HELD = replace(comparison(1.1, (1.05, 1.15)), tolerance=0.05, duration_ratio=1.2, power_ratio=1.1 / 1.2)


def test_the_change_has_its_bounds_and_its_limits() -> None:
    """A mark with the bounds, a band from 0 to the tolerance, a line for what would have been detected."""
    chart = change.chart(HELD)
    moved = layer(chart, Marks)
    assert moved.points[0] == pytest.approx((0.1, 0.0))
    assert moved.bars[0] == pytest.approx((0.05, 0.15))
    assert moved.is_lying
    assert (layer(chart, Band).ends, layer(chart, Band).is_upright) == ((0.0, 0.05), True)
    assert layer(chart, Rule, "tolerance: up to +5 %").at == 0.05
    assert layer(chart, Rule, "no change").at == 0.0
    detectable = HELD.detectable_ratio - 1
    assert [rule.at for rule in layers(chart, Rule)][-1] == pytest.approx(detectable)
    assert chart.caption == ("+10.0 %, bounds +5.0 % to +15.0 % (joules per round)",)


def test_time_and_power_explain_it() -> None:
    """A row each, with its own change: what rose is filled otherwise than what fell."""
    chart = change.chart(HELD)
    assert [text for _, text in chart.y.ticks] == ["energy\n+10.0 %", "time\n+20.0 %", "power\n-8.3 %"]
    rose, fell = layers(chart, Boxes)
    assert rose.boxes[0] == pytest.approx((0.0, 0.2, 0.75, 1.25))
    assert fell.boxes[0] == pytest.approx((1.1 / 1.2 - 1, 0.0, 1.75, 2.25))
    assert rose.fill != fell.fill


def test_a_ratio_of_zero_explains_nothing() -> None:
    """A round that took no time leaves out time and power, not the comparison."""
    chart = change.chart(replace(HELD, duration_ratio=0.0))
    assert [text for _, text in chart.y.ticks] == ["energy\n+10.0 %"]
    assert layers(chart, Boxes) == []


def test_no_change_reads_as_zero_that_is_none() -> None:
    """A change too small for one decimal is still told."""
    chart = change.chart(comparison(1.0002, (0.9999, 1.0005)))
    assert chart.caption == ("+0.02 %, bounds -0.010 % to +0.05 % (joules per round)",)


def test_a_tolerance_that_nobody_gave_is_not_drawn() -> None:
    """An older run holds none; its basis is told."""
    chart = change.chart(replace(HELD, tolerance=None, basis="joules a sample"))
    assert layers(chart, Band) == []
    assert not any(key.startswith("tolerance") for key in keys(chart))
    assert chart.caption[0].endswith("(joules a sample)")
