"""Joules of a request over its rate: the fit, and what is saturated."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from pytest_energy.report import rates, view
from pytest_energy.report.charts import request_rate
from pytest_energy.report.charts.spec import Chart, Line, Marks
from pytest_energy.report.rates import RateSeries
from tests.builders import judgement
from tests.unit.report.charts.layers import keys, layer


def series(*energies_j: float, saturated: Sequence[float] = ()) -> RateSeries:
    """Rates 1, 2, 4, ... with these joules a request."""
    judgements = [
        judgement(
            test_id=f"b.py::test_requests[1B@{2**n}]",
            energy_j=10 * energy_j,
            samples=10,
            group="requests",
            model=f"1B@{2**n}/s",
            metrics={"request_rate": 2.0**n},
        )
        for n, energy_j in enumerate(energies_j)
    ]
    (whole,) = rates.rate_series(view.of(judgements))
    points = tuple(
        replace(point, saturated_because="the queue grew" if point.rate in saturated else None)
        for point in whole.points
    )
    return replace(whole, points=points)


def chart(measured: RateSeries) -> Chart:
    return request_rate.chart(measured, rates.fit(measured))


def notes(measured: RateSeries) -> tuple[str, ...]:
    return request_rate.notes(measured, rates.fit(measured))


def test_the_fit_and_both_constants() -> None:
    """On 10 W / rate + 2 J: the curve goes through the points, the key has both with their errors."""
    measured = series(12.0, 7.0, 3.5)
    drawn = chart(series(12.0, 7.0, 4.5))
    assert (drawn.x.is_log, drawn.y.is_log) == (True, False)
    assert chart(measured).y.is_log
    assert layer(drawn, Marks, "energy per request").points == ((1, 12), (2, 7), (4, 4.5))
    fit = layer(drawn, Line, "fit")
    assert fit.points[0] == pytest.approx((1.0, 12.0))
    assert fit.points[-1] == pytest.approx((4.0, 4.5))
    assert fit.key == (
        "fit: P_static 10.000 \N{PLUS-MINUS SIGN} 0.037 W, E_dynamic 2000 \N{PLUS-MINUS SIGN} 24 mJ"
    )
    assert "No rate is recorded as saturated." in notes(measured)


def test_saturated_rates_are_hollow_and_say_so() -> None:
    """They are drawn, not fitted: other shape, no fill, the word beside each and the reason below."""
    measured = series(12.0, 7.0, 4.5, 9.0, saturated=[8.0])
    drawn = chart(measured)
    hollow, full = layer(drawn, Marks, "saturated"), layer(drawn, Marks, "energy per request")
    assert hollow.points == ((8.0, 9.0),)
    assert (hollow.is_hollow, hollow.word) == (True, "saturated")
    assert hollow.form != full.form
    assert max(x for x, _ in layer(drawn, Line, "fit").points) == pytest.approx(4.0)
    assert "Saturated at 8/s: the queue grew." in notes(measured)


def test_a_load_that_only_saturates_has_no_other_mark() -> None:
    """No point is unsaturated, so no key speaks of one."""
    assert keys(chart(series(12.0, 7.0, saturated=[1.0, 2.0]))) == ["saturated: not in the fit"]


def test_no_fit_is_told() -> None:
    """Two rates are drawn without a curve, and it is said why."""
    measured = series(12.0, 7.0)
    assert keys(chart(measured)) == ["energy per request, 95 % interval"]
    assert notes(measured)[0].startswith("No fit: 2 different rates")


def test_a_constant_below_zero_is_reported() -> None:
    """A fit that means nothing is not passed off as one; its curve stays on the chart."""
    measured = series(10.0, 4.0, 0.5)
    drawn = chart(measured)
    assert "A constant below 0 has no meaning: these rates don't follow the model." in notes(measured)
    assert "because the points scatter more than that" in notes(measured)[0]
    assert all(drawn.y.lower <= y <= drawn.y.upper for _, y in layer(drawn, Line, "fit").points)


def test_no_fixed_cost_is_reported() -> None:
    """Joules that don't fall with the rate have no static power, and a clear one is not doubted."""
    without = "P_static is not clearly above 0: requests share no fixed cost, so a higher rate saves none."
    assert without in notes(series(4.01, 4.0, 4.0))
    assert without not in notes(series(12.0, 7.0, 4.5))


def test_the_page_is_called_for_the_model() -> None:
    """Title, chart and notes are those of the series."""
    measured = series(12.0, 7.0, 4.5)
    sheet = request_rate.sheet(measured)
    assert sheet.title == "1B: energy per request over the request rate"
    assert (sheet.charts, sheet.notes) == ((chart(measured),), notes(measured))
