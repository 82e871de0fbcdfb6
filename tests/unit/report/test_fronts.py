"""Settings against joules: what is dominated, and what has no ratio."""

from dataclasses import replace
from typing import Any

import pytest

from pytest_energy.judgement import Judgement
from pytest_energy.model import Provenance
from pytest_energy.report import view
from pytest_energy.report.fronts import Front, lines, settings
from tests.builders import judgement


def setting(
    name: str,
    ratio: float | None,
    agreed: float | None,
    *,
    width: float = 0.02,
    p99_s: float = 1.0,
    absent: dict[str, str] | None = None,
    **changes: Any,
) -> Judgement:
    """One setting beside bf16, which used 10 J and is 0.98 the same in a second run."""
    metrics: dict[str, float | None] = {
        "reference_energy_per_sample": 10.0,
        "reference_e2e_p99_s": 1.0,
        "e2e_p99_s": p99_s,
        "self_position_agreement": 0.98,
    }
    for metric, value in (("pair_energy_ratio", ratio), ("position_agreement", agreed)):
        for end, sign in (("", 0), ("_lower", -1), ("_upper", 1)):
            metrics[f"{metric}{end}"] = None if value is None else value + sign * width
    judged = judgement(
        test_id=f"b.py::test_pair[{name}]",
        group="pairs",
        model="8B",
        samples=10,
        metrics=metrics | changes.pop("metrics", {}),
        absent=absent,
        provenance=changes.pop("provenance", Provenance.MEASURED),
    )
    workload = {
        "setting": name,
        "reference": "bf16",
        "reference_model": "8B",
        "rate": "8/s",
        "prompts": name,
        **changes,
    }
    return replace(judged, record=replace(judged.record, workload=workload))


def front(*judgements: Judgement, place: int = 0) -> Front:
    (one,) = settings(view.of(judgements))
    return one.fronts[place]


def test_a_setting_s_joules_are_its_ratio_times_the_reference_s() -> None:
    """The reference has no interval of joules: the ratio's holds what both don't know."""
    found = front(setting("fp8", 0.8, 0.9))
    assert [(point.name, point.energy_j) for point in found.points] == [("bf16", 10.0), ("fp8", 8.0)]
    assert found.points[1].interval_j == pytest.approx((7.8, 8.2))
    assert found.points[0].value == 0.98
    assert found.points[0].is_reference


def test_dominated_is_clearly_worse_in_one_and_better_in_none() -> None:
    """int4 is dearer than fp8 and agrees less; int8 differs from fp8 by less than the intervals."""
    found = front(setting("fp8", 0.8, 0.9), setting("int8", 0.81, 0.89), setting("int4", 0.9, 0.5))
    assert [point.name for point in found.dominated] == ["int4"]


def test_a_setting_that_saves_nothing_is_dominated_by_the_reference() -> None:
    """And one that agrees less and costs as much, as far as the interval shows, too."""
    found = front(setting("slow", 1.1, 0.97), setting("same", 1.001, 0.975))
    assert [point.name for point in found.dominated] == ["slow"]


def test_latency_without_intervals_proves_nothing() -> None:
    """The same joules at a p99 that is 1 % longer may be chance; fewer joules at a shorter one are not."""
    judgements = [setting("a", 0.8, 0.9, p99_s=0.99), setting("b", 0.8, 0.9, p99_s=1.0)]
    assert [point.name for point in front(*judgements, place=1).dominated] == ["bf16"]


def test_quality_takes_the_place_of_agreement_where_all_have_it() -> None:
    """The user's own score, without an interval."""
    scored = {"quality": 0.7, "reference_quality": 0.75}
    found = front(setting("fp8", 0.8, 0.9, metrics=scored))
    assert found.axis.metric == "quality"
    assert (found.points[1].value, found.points[1].interval) == (0.7, (0.7, 0.7))
    both = front(setting("fp8", 0.8, 0.9, metrics=scored), setting("int8", 0.8, 0.9))
    assert both.axis.metric == "position_agreement"


def test_a_setting_without_a_ratio_is_lost_with_its_reason() -> None:
    """Alone it makes no front; other loads and other tests are no settings of the same."""
    because = "int4 did not keep the latency limits: 80 % of 100 answers"
    late = setting("int4", None, 0.5, absent={"pair_energy_ratio": because})
    found = front(setting("fp8", 0.8, 0.9), late)
    assert [point.name for point in found.points] == ["bf16", "fp8"]
    assert found.lost == (("int4", because),)
    assert settings(view.of([late, judgement()])) == ()
    others: tuple[dict[str, Any], ...] = ({"rate": "16/s"}, {"reference_model": "1B"})
    for other in others:
        assert len(settings(view.of([setting("fp8", 0.8, 0.9), setting("int8", 0.8, 0.9, **other)]))) == 2


def test_a_line_for_each_setting() -> None:
    """The number first; a missing ratio has its reason, an estimate its name."""
    late = setting("int4", None, None, absent={"pair_energy_ratio": "int4 is saturated: the queue grew"})
    guess = setting("int8", 0.9, 0.8, provenance=Provenance.ESTIMATED)
    known = "-20.0 % energy per request [-22.0, -18.0] with fp8"
    assert lines(view.of([setting("fp8", 0.8, 0.9), late, judgement()])) == [
        f"{known}; 90.0 % of tokens as bf16 (with itself 98.0 %)",
        "no ratio of int4 to bf16: int4 is saturated: the queue grew",
    ]
    assert lines(view.of([guess]))[0].startswith("-10.0 % estimated energy per request")
