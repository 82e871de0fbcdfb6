"""Joules a request by rate, as the figure tells them."""

from dataclasses import replace

import pytest

from pytest_energy.judgement import Judgement, Verdict
from pytest_energy.report import view
from pytest_energy.report.rates import RateSeries, fit, rate_series
from pytest_energy.stats.rate_fit import RateFit
from tests.builders import judgement


def served(model: str, rate: float, energy_per_request_j: float | None = 5.0, **more: object) -> Judgement:
    """A test of a load of 10 requests."""
    facts: dict[str, object] = {"metrics": {"request_rate": rate}, "samples": 10}
    if energy_per_request_j is None:
        facts["verdict"] = Verdict.UNMEASURED
    return judgement(
        test_id=f"b.py::test_requests[{model}@{rate:g}]",
        energy_j=None if energy_per_request_j is None else 10 * energy_per_request_j,
        group="requests",
        model=f"{model}@{rate:g}/s",
        **(facts | more),  # type: ignore[arg-type]  # its own words
    )


def series(*judgements: Judgement) -> RateSeries:
    (found,) = rate_series(view.of(judgements))
    return found


def test_rates_of_one_model() -> None:
    """Rates go up; joules, interval and uncertainty are those of a request."""
    found = series(served("1B", 16.0, 4.0), served("1B", 4.0, 10.0))
    assert found.model == "1B"
    assert [(point.rate, point.energy_j) for point in found.points] == [(4.0, 10.0), (16.0, 4.0)]
    assert found.points[0].uncertainty_j == pytest.approx(0.02)
    assert found.points[0].interval_j == pytest.approx((9.96, 10.04))


def test_models_stand_apart() -> None:
    """Each model has its own series; a rate that no metric tells is in the model's name."""
    found = rate_series(view.of([served("1B", 4.0), served("0.1B", 0.5, metrics={})]))
    assert [(one.model, one.points[0].rate) for one in found] == [("1B", 4.0), ("0.1B", 0.5)]


def test_what_has_no_joules_is_lost_with_its_reason() -> None:
    """Void, unmeasured, without requests or without a rate: no point, and why."""
    found = rate_series(
        view.of(
            [
                served("a", 1.0, None),
                served("a", 2.0, verdict=Verdict.VOID),
                served("a", 4.0, samples=None),
                judgement(test_id="b.py::test_requests[a]", group="requests", model="a"),
            ]
        )
    )
    assert [one.points for one in found] == [()]
    reasons = [because for _, because in found[0].lost]
    assert reasons[:2] == ["no sensor on this machine", "thermal slowdown in every round"]
    assert "number of samples" in reasons[2]
    assert reasons[3] == "the test has no request_rate"


def test_fit_leaves_saturated_rates_out() -> None:
    """Constants come from the unsaturated rates alone."""
    found = series(*(served("1B", rate, 10 / rate + 2) for rate in (1.0, 2.0, 4.0, 8.0)))
    high = tuple(
        replace(point, energy_j=50.0, saturated_because="the queue grew") if point.rate == 8.0 else point
        for point in found.points
    )
    fitted = fit(replace(found, points=high))
    assert isinstance(fitted, RateFit)
    assert fitted.rate_count == 3
    assert fitted.static_power_w == pytest.approx(10.0)
    assert fitted.dynamic_energy_j == pytest.approx(2.0)


def test_no_fit_has_its_reason() -> None:
    """Two rates: why there is no fit, in words."""
    assert "2 different rates" in str(fit(series(served("1B", 1.0), served("1B", 2.0))))


def test_saturation_is_the_records() -> None:
    """A rate is saturated where its record says so, and why."""
    judged = served("1B", 8.0)
    record = replace(judged.record, saturated_because="the queue grew")
    (point,) = series(replace(judged, record=record)).points
    assert point.saturated_because == "the queue grew"
    assert series(judged).points[0].saturated_because is None
