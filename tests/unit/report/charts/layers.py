"""Parts of a chart, as tests look for them."""

from typing import TypeVar

from pytest_energy.report.charts.spec import Band, Boxes, Chart, Crosses, Line, Marks, Rule

Kind = TypeVar("Kind", Marks, Crosses, Line, Rule, Band, Boxes)


def layers(chart: Chart, kind: type[Kind], start: str = "") -> list[Kind]:
    """The layers of *kind* whose key begins with *start*."""
    return [one for one in chart.layers if isinstance(one, kind) and one.key.startswith(start)]


def layer(chart: Chart, kind: type[Kind], start: str = "") -> Kind:
    """The only one of those."""
    (only,) = layers(chart, kind, start)
    return only


def keys(chart: Chart) -> list[str]:
    """What stands in the legend."""
    return [one.key for one in chart.layers if one.key]
