"""Settings of one model: energy per request against agreement or quality, and against latency.

Rule 1: what is dominated, and what has no ratio, is judged by `report.fronts`: here it is only shown.
"""

from collections.abc import Iterable, Sequence

from pytest_energy.report.cells import energy_per_sample
from pytest_energy.report.charts.axes import linear_axis
from pytest_energy.report.charts.spec import Chart, Colour, Form, Layer, Line, Marks, Sheet
from pytest_energy.report.fronts import Front, Point, Settings
from pytest_energy.report.text import heading, joules_label, listed, sentence, short, tick


def sheet(settings: Settings) -> Sheet:
    """The charts of one model as a page."""
    first = settings.fronts[0]
    return Sheet(
        title=f"{short(first.model)}: settings against {short(first.reference)}",
        heading=heading(first.judgements),
        charts=tuple(map(chart, settings.fronts)),
        notes=notes(settings.fronts),
        columns=2,
        width_in=9.0,
        height_in=3.6,
    )


def chart(front: Front) -> Chart:
    """The settings of *front*, each with its intervals."""
    ends_j = [end_j for point in front.points for end_j in point.interval_j]
    ends = [end for point in front.points for end in point.interval]
    axis = front.axis
    better = "higher" if axis.is_more_better else "lower"
    return Chart(
        title=_title(front),
        x=linear_axis(ends, label=f"{axis.label}; {better} is better"),
        y=linear_axis(ends_j, "J", label=joules_label(front.provenance, "request")),
        layers=(*_line(front), *_marks(front)),
        names=tuple(((point.value, point.energy_j), short(point.name)) for point in front.points),
    )


def _title(front: Front) -> str:
    if not front.axis.is_more_better:
        return "Latency"
    return "Quality" if front.axis.metric == "quality" else "Agreement"


def _line(front: Front) -> Iterable[Layer]:
    """Through what nothing dominates, if that is more than one point."""
    kept = [point for point in front.points if point not in front.dominated]
    if len(kept) > 1:
        places = sorted((point.value, point.energy_j) for point in kept)
        yield Line(points=tuple(places), colour="faint", dash="dashed", key="not dominated")


def _marks(front: Front) -> Iterable[Layer]:
    reference = [point for point in front.points if point.is_reference]
    worse = [point for point in front.dominated if not point.is_reference]
    others = [point for point in front.points if point not in (*reference, *worse)]
    kinds: tuple[tuple[Form, Colour, bool, str, list[Point]], ...] = (
        ("star", "ink", False, f"reference: {short(front.reference)}", reference),
        (
            "circle",
            "first",
            False,
            "setting, 95 % intervals",
            others,
        ),
        ("square", "second", True, "dominated setting", worse),
    )
    for form, colour, is_hollow, key, points in kinds:
        if points:
            yield from _crossed(front, points, form=form, colour=colour, is_hollow=is_hollow, key=key)


def _crossed(
    front: Front, points: Sequence[Point], *, form: Form, colour: Colour, is_hollow: bool, key: str
) -> Iterable[Layer]:
    """*points* with a bar along each axis."""
    places = tuple((point.value, point.energy_j) for point in points)
    titles = tuple(
        f"{short(point.name)}: {energy_per_sample(front.provenance, point.energy_j)} at {tick(point.value)}"
        for point in points
    )
    lying = tuple(point.interval for point in points)
    yield Marks(points=places, form=form, colour=colour, is_hollow=is_hollow, bars=lying, is_lying=True)
    standing = tuple(point.interval_j for point in points)
    yield Marks(
        points=places, form=form, colour=colour, is_hollow=is_hollow, bars=standing, titles=titles, key=key
    )


def notes(fronts: Sequence[Front]) -> tuple[str, ...]:
    """What the figure says, in words."""
    first, lines = fronts[0], []
    for front in fronts:
        names = [point.name for point in front.dominated]
        if names:
            lines.append(f"Dominated by {_title(front).lower()} and energy: {listed(names)}.")
    lost = dict(one for front in fronts for one in front.lost)
    lines += [f"Not drawn: {short(name)} ({sentence(because)})." for name, because in lost.items()]
    if any(judgement.record.workload.get("load_format") == "dummy" for judgement in first.judgements):
        lines.append("The weights are random: agreement says nothing about a trained model.")
    reference = short(first.reference)
    return (
        *lines,
        f"Energy of a setting: that of {reference} times the ratio from rounds in turns.",
        "Bars: 95 % intervals of the ratio, and of the mean over prompts.",
        "Agreement counts answers that change; it does not say which are better.",
    )
