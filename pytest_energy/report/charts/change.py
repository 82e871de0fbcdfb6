"""How far a test moved from its baseline, and how much of that is time and how much power. Pure."""

from collections.abc import Iterable

from pytest_energy.judgement import Comparison
from pytest_energy.report.charts.axes import category_axis, linear_axis
from pytest_energy.report.charts.spec import Band, Boxes, Chart, Layer, Marks, Rule
from pytest_energy.verdict.figures import change_text

_HALF_BOX = 0.25  # of the way from a row to the next
_UP, _DOWN = 1, 2  # fills of what rose and of what fell


def chart(comparison: Comparison) -> Chart:
    """The change of energy with its bounds, and below it those of time and of power."""
    ratios = _ratios(comparison)
    lower, upper = map(change_text, comparison.ratio_ci)
    basis = comparison.basis or "joules per round"
    ends = [*comparison.ratio_ci, comparison.detectable_ratio, 1 + (comparison.tolerance or 0.0), 1.0]
    return Chart(
        title="Change against the baseline",
        caption=(f"{change_text(comparison.ratio)}, bounds {lower} to {upper} ({basis})",),
        x=linear_axis(
            [ratio - 1 for ratio in (*ratios.values(), *ends)], text=lambda change: change_text(1 + change)
        ),
        y=category_axis([f"{name}\n{change_text(ratio)}" for name, ratio in ratios.items()]),
        layers=(*_limits(comparison), *_parts(ratios), *_moved(comparison)),
        is_low=True,
    )


def _ratios(comparison: Comparison) -> dict[str, float]:
    """Energy, and time and power where they explain it: energy = time x power."""
    ratios = {
        "energy": comparison.ratio,
        "time": comparison.duration_ratio,
        "power": comparison.power_ratio,
    }
    return ratios if min(ratios.values()) > 0 else {"energy": comparison.ratio}


def _limits(comparison: Comparison) -> Iterable[Layer]:
    """What is accepted, no change, and what would have been detected."""
    tolerance, detectable = comparison.tolerance, comparison.detectable_ratio
    if tolerance is not None:
        text = f"tolerance: up to +{tolerance * 100:g} %"
        yield Band(ends=(0.0, tolerance), colour="third", is_upright=True)
        yield Rule(at=tolerance, colour="third", dash="dashdot", is_upright=True, key=text)
    yield Rule(at=0.0, colour="ink", is_upright=True, key="no change")
    text = f"{change_text(detectable)}: a rise that would be detected with 80 % power"
    yield Rule(at=detectable - 1, colour="second", dash="dotted", is_upright=True, key=text)


def _parts(ratios: dict[str, float]) -> Iterable[Layer]:
    """A bar for time and one for power, those that rose and those that fell."""
    changes = [(row, ratio - 1) for row, ratio in enumerate(ratios.values()) if row]
    for fill, text, part in (
        (_UP, "time and power that rose (energy = time x power)", [one for one in changes if one[1] > 0]),
        (_DOWN, "time and power that fell (energy = time x power)", [one for one in changes if one[1] < 0]),
    ):
        if part:
            boxes = tuple(
                (min(0.0, change), max(0.0, change), row - _HALF_BOX, row + _HALF_BOX) for row, change in part
            )
            yield Boxes(boxes=boxes, fill=fill, key=text)


def _moved(comparison: Comparison) -> Iterable[Layer]:
    lower, upper = comparison.ratio_ci
    yield Marks(
        points=((comparison.ratio - 1, 0.0),),
        bars=((lower - 1, upper - 1),),
        is_lying=True,
        form="circle",
        colour="first",
        key="change, with its bounds",
    )
