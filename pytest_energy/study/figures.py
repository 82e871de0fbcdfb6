"""The figures of a study: rhos, transfers, and joules over batch size and request rate. Pure.

Rule 1: the columns of a chart differ in form and dash, not in colour alone.
"""

from collections.abc import Iterator, Sequence
from functools import partial
from itertools import cycle

from pytest_energy.model import Provenance
from pytest_energy.report.catalogue import Plan, slug
from pytest_energy.report.charts.axes import axis_of, category_axis, doubling_axis, linear_axis
from pytest_energy.report.charts.spec import Axis, Chart, Colour, Dash, Form, Layer, Line, Marks, Sheet
from pytest_energy.report.text import INTERVAL_NOTE, ORIGINS, joules_label, range_text, short
from pytest_energy.study.curves import BatchCurve, RateCurve, by_model, points_of
from pytest_energy.study.hardware import Hardware
from pytest_energy.study.ranking import ALL, WITHIN, Rho
from pytest_energy.study.rows import Group
from pytest_energy.study.study import Study
from pytest_energy.study.tables import heading
from pytest_energy.study.transfer import Transfer

_Style = tuple[Form, Colour, Dash, bool]
_STYLES: tuple[_Style, ...] = (
    ("circle", "first", "solid", False),
    ("square", "second", "dashed", False),
    ("triangle", "third", "dotted", False),
    ("circle", "second", "dashdot", True),
    ("square", "first", "dotted", True),
)
"""Form, colour, dash, and whether the form is hollow."""
_CHART_IN = (3.7, 3.0)
_PER_METRIC_IN = 0.34
_CURVE_COLUMNS = 2


def plans_of(study: Study) -> tuple[Plan, ...]:
    """Every figure that *study* has."""
    return tuple(_plans(study))


def _plans(study: Study) -> Iterator[Plan]:
    for group in study.groups:
        if any(one.correlation.rho is not None for one in _shown(study, group)):
            yield Plan(stem=f"study-rho-{slug(group.name)}", sheet=partial(rho_sheet, study, group))
    for group in study.groups:
        if any(_is_drawn(one, group) for one in study.transfers):
            yield Plan(stem=f"study-transfer-{slug(group.name)}", sheet=partial(transfer_sheet, study, group))
    for kind, curves in (("batch-size", study.batch_curves), ("request-rate", study.rate_curves)):
        if curves:
            yield Plan(stem=f"study-{kind}", sheet=partial(curve_sheet, study, curves))


# ---- rho ----


def _shown(study: Study, group: Group) -> list[Rho]:
    return [
        one for one in study.rhos if one.group == group.name and one.energy == "gross" and one.place != ALL
    ]


def rho_sheet(study: Study, group: Group) -> Sheet:
    """Rho of each metric in each column, with its interval."""
    rhos = [one for one in _shown(study, group) if one.correlation.rho is not None]
    metrics = list(dict.fromkeys(one.metric for one in rhos))
    places = [one for one in (*study.labels, WITHIN) if any(rho.place == one for rho in rhos)]
    if len(places) == 2:  # one column, and what is the same
        places = places[:1]
    chart = Chart(
        title=f"rho with gross joules per {group.unit}",
        x=linear_axis([-1.0, 1.0], label="Spearman's rho"),
        y=category_axis([short(metric.replace("_", " ")) for metric in metrics]),
        layers=tuple(_rho_layers(study, rhos, metrics, places)),
    )
    return Sheet(
        title=f"{short(group.name)}: how each metric ranks joules",
        heading=heading(study),
        charts=(chart,),
        notes=("Bars: 95 % bootstrap interval of rho.", *_columns_notes(study)),
        height_in=1.2 + _PER_METRIC_IN * len(metrics),
        has_rows=True,
    )


def _rho_layers(
    study: Study, rhos: Sequence[Rho], metrics: Sequence[str], places: Sequence[str]
) -> Iterator[Layer]:
    step = 0.7 / len(places)
    papers = sorted({(one.metric, value) for one in rhos for value in one.paper.values()})
    for number, (place, (form, colour, _, is_hollow)) in enumerate(zip(places, cycle(_STYLES), strict=False)):
        is_pooled = place == WITHIN
        own = [one for one in rhos if one.place == place]
        offset = (number - (len(places) - 1) / 2) * step
        points = tuple((_rho(one), metrics.index(one.metric) + offset) for one in own)
        yield Marks(
            points=points,
            form="triangle" if is_pooled else form,
            colour="ink" if is_pooled else colour,
            is_hollow=is_pooled or is_hollow,
            is_lying=True,
            bars=tuple(one.correlation.ci or (_rho(one), _rho(one)) for one in own),
            key=_key(study, place),
        )
    if papers:
        points = tuple((value, float(metrics.index(metric))) for metric, value in papers if metric in metrics)
        yield Marks(points=points, form="cross", colour="ink", key="the paper's machines")


def _rho(one: Rho) -> float:
    return one.correlation.rho or 0.0


def _key(study: Study, place: str) -> str:
    """The column's name, with where its joules come from unless they were measured."""
    for one in study.columns:
        if one.label == place:
            return ", ".join(filter(None, (f"{place}: {short(one.name)}", ORIGINS[one.provenance].strip())))
    return place


# ---- transfer ----


def _is_drawn(one: Transfer, group: Group) -> bool:
    return one.group == group.name and one.energy == "gross" and one.rho.rho is not None


def transfer_sheet(study: Study, group: Group) -> Sheet:
    """Joules of a sample in one column against those in another, pair by pair."""
    pairs = [one for one in study.transfers if _is_drawn(one, group)]
    return Sheet(
        title=f"{short(group.name)}: joules per {group.unit} on two columns",
        heading=heading(study),
        charts=tuple(_transfer_chart(study, group, one) for one in pairs),
        notes=("A row that both columns have is a point.", *_columns_notes(study)),
        columns=min(3, len(pairs)),
        width_in=max(5.0, min(3, len(pairs)) * _CHART_IN[0]),
        height_in=_CHART_IN[1],
    )


def _transfer_chart(study: Study, group: Group, one: Transfer) -> Chart:
    first, second = one.pair
    points = [
        ((x, y), row.label)
        for row in group.rows
        if first in row.cells and second in row.cells
        for x, y in [(row.cells[first].energies_j["gross"], row.cells[second].energies_j["gross"])]
        if x is not None and y is not None
    ]
    ci = "" if one.rho.ci is None else f" [{one.rho.ci[0]:+.2f}, {one.rho.ci[1]:+.2f}]"
    hardware = {column.label: column for column in study.columns}
    return Chart(
        title=f"{second} against {first}",
        caption=(f"rho {one.rho.rho:+.2f}{ci}, n = {one.rho.n}",),
        x=_joules_axis([x for (x, _), _ in points], group, hardware[first]),
        y=_joules_axis([y for (_, y), _ in points], group, hardware[second]),
        layers=(Marks(points=tuple(place for place, _ in points), form="circle", colour="first"),),
        names=tuple((place, short(name)) for place, name in points),
    )


def _joules_axis(values: Sequence[float], group: Group, column: Hardware) -> Axis:
    return axis_of(values, "J", label=f"{column.label} {joules_label(column.provenance, group.unit)}")


# ---- curves ----


def curve_sheet(study: Study, curves: Sequence[BatchCurve | RateCurve]) -> Sheet:
    """Joules over batch sizes or rates: a chart for each model, a line for each column and file."""
    is_batch = isinstance(curves[0], BatchCurve)
    charts = tuple(_curve_chart(study, model, own) for model, own in by_model(curves).items())
    what = "batch size" if is_batch else "request rate"
    columns = min(_CURVE_COLUMNS, len(charts))
    return Sheet(
        title=f"Joules over the {what}",
        heading=heading(study),
        charts=charts,
        notes=(f"{INTERVAL_NOTE}.", *_columns_notes(study)),
        columns=columns,
        width_in=max(5.0, columns * _CHART_IN[0]),
        height_in=_CHART_IN[1],
    )


def _curve_chart(study: Study, model: str, curves: Sequence[BatchCurve | RateCurve]) -> Chart:
    is_batch = isinstance(curves[0], BatchCurve)
    places = [at for one in curves for at, _, _ in points_of(one)]
    ends_j = [end_j for one in curves for _, _, interval_j in points_of(one) for end_j in interval_j]
    unit = "sample" if is_batch else "request"
    label = "batch size" if is_batch else "request rate (requests/s)"
    origins = {column.provenance for column in study.columns if column.label in {one.place for one in curves}}
    origin = origins.pop() if len(origins) == 1 else Provenance.MEASURED  # of several, the keys have each
    return Chart(
        title=short(model),
        x=doubling_axis(places, label=f"{short(model)}: {label}"),
        y=axis_of([end_j for end_j in ends_j if end_j > 0], "J", label=joules_label(origin, unit)),
        layers=tuple(
            layer
            for one, style in zip(curves, cycle(_STYLES), strict=False)
            for layer in _curve(study, one, style)
        ),
    )


def _curve(study: Study, curve: BatchCurve | RateCurve, style: _Style) -> Iterator[Layer]:
    form, colour, dash, is_hollow = style
    points = list(points_of(curve))
    places = tuple((at, energy_j) for at, energy_j, _ in points)
    yield Line(points=places, colour=colour, dash=dash, is_thin=True)
    yield Marks(
        points=places,
        form=form,
        colour=colour,
        is_hollow=is_hollow,
        bars=tuple((max(low, 1e-12), high) for _, _, (low, high) in points),
        key=f"{_key(study, curve.place)}, {short(curve.run)}",
    )


def _columns_notes(study: Study) -> tuple[str, ...]:
    dates = range_text({one.record.created[:10] for own in study.samples.values() for one in own})
    names = "; ".join(f"{one.label}: {short(one.name)}, {one.provenance.value}" for one in study.columns)
    return (f"{names}. Measured {dates}.",)
