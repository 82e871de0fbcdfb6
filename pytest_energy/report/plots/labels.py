"""Names beside points, where there is room for them.

Rule 1: a name lies over no other name, over no point, and within its axes; one that can't is left out, and
    told.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pytest_energy.report.plots.canvas import without_glyph_warnings

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.transforms import Bbox

_POINT_PT = 3.0  # half of a mark's width, in points of print
_GAP_PT = 4.0

# Where a name may stand, best first: offset in gaps, and which edge of the name that is.
_PLACES = (
    ((1, 0), "left", "center"),
    ((-1, 0), "right", "center"),
    ((0, 1), "center", "bottom"),
    ((0, -1), "center", "top"),
    ((0.8, 0.8), "left", "bottom"),
    ((0.8, -0.8), "left", "top"),
    ((-0.8, 0.8), "right", "bottom"),
    ((-0.8, -0.8), "right", "top"),
)


def label_points(
    axes: "Axes", points: Sequence[tuple[float, float]], names: Sequence[str], *, size_pt: float
) -> tuple[str, ...]:
    """Write each of *names* beside its point; the layout must be final.

    Returns:
        The names that there was no room for.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.transforms import Bbox

    figure = axes.get_figure()
    if not isinstance(figure, Figure):
        raise TypeError("only the axes of a figure of its own have room for names")
    renderer = FigureCanvasAgg(figure).get_renderer()  # type: ignore[no-untyped-call,unused-ignore]
    pixels_a_pt = figure.dpi / 72
    half = _POINT_PT * pixels_a_pt
    places = axes.transData.transform(points) if len(points) else ()
    marks = [Bbox.from_extents(x - half, y - half, x + half, y + half) for x, y in places]
    inside = axes.get_window_extent(renderer).padded(-_GAP_PT / 2 * pixels_a_pt)
    taken: list[Bbox] = []
    left_out = []
    for number, (point, name) in enumerate(zip(points, names, strict=True)):
        others = [*marks[:number], *marks[number + 1 :]]
        for (right, up), horizontal, vertical in _PLACES:
            text = axes.annotate(
                name,
                point,
                xytext=(right * _GAP_PT, up * _GAP_PT),
                textcoords="offset points",
                ha=horizontal,
                va=vertical,
                fontsize=size_pt,
                zorder=4,
            )
            text.set_in_layout(False)
            with without_glyph_warnings():
                box = text.get_window_extent(renderer)
            if _is_free(box, inside, [*taken, *others]):
                taken.append(box)
                break
            text.remove()
        else:
            left_out.append(name)
    return tuple(left_out)


def _is_free(box: "Bbox", inside: "Bbox", taken: "Sequence[Bbox]") -> bool:
    is_within = inside.x0 <= box.x0 and box.x1 <= inside.x1 and inside.y0 <= box.y0 and box.y1 <= inside.y1
    return is_within and not any(box.overlaps(other) for other in taken)
