"""Charts as files, drawn by matplotlib: what `report.charts` decides, on a page with a head and notes.

Rule 1: the same run gives the same file, byte for byte under one matplotlib: no date, no chance, none of the
    reader's own settings.
Rule 2: no name is read as mathematics, and text in an SVG or a PDF is text.
Rule 3: the layout is worked out once, and no two texts of a figure overlap.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, assert_never

from pytest_energy.errors import SettingsError
from pytest_energy.report.charts import spec
from pytest_energy.report.charts.label_layout import Box, place_names, thinned
from pytest_energy.report.plots.page import (
    BESIDE_IN,
    CAPTION_PT,
    LABEL_PT,
    NAME_PT,
    NOTE_PT,
    POINTS_PER_INCH,
    TICK_PT,
    Colour,
    Keys,
    Look,
    Page,
    Theme,
    fitted,
    lines,
    width_pt,
    without_glyph_warnings,
)
from pytest_energy.whole_file import write_whole, writing

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Format = Literal["png", "svg", "pdf"]

DPI = 150  # of a PNG: 1,200 pixels for a page of 8 inches, sharp in a comment of 800
PRINT_DPI = 300  # of a PNG whose width was asked for: it is to be printed

_HALF_MARK_PT, _GAP_PT = 3.5, 5.0
_TICK_GAP_PT = 4.0
_MOST_NAME_SHARE = 0.4  # of a chart's width, for a name: longer ones lose their middle

_FORMS = {"circle": "o", "square": "s", "diamond": "D", "triangle": "^", "star": "*", "cross": "X"}
_SIZES_PT = {"star": 13.0, "diamond": 8.0}
_DASHES = {"solid": "-", "dashed": "--", "dotted": ":", "dashdot": "-."}


_COLOURED: Mapping[Colour, tuple[Any, ...]] = {
    "paper": ("axes.facecolor", "figure.facecolor", "savefig.facecolor"),
    "ink": ("axes.labelcolor", "text.color", "xtick.labelcolor", "ytick.labelcolor"),
    "faint": ("axes.edgecolor", "grid.color", "xtick.color", "ytick.color"),
}
_SETTINGS: Mapping[Any, object] = {
    "axes.axisbelow": True,
    "axes.grid": True,
    "axes.labelsize": LABEL_PT,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlesize": CAPTION_PT,
    "font.family": "DejaVu Sans",  # comes with matplotlib: the same everywhere
    "font.size": TICK_PT,
    "grid.alpha": 0.3,
    "grid.linewidth": 0.6,
    "legend.fontsize": NOTE_PT,
    "pdf.fonttype": 42,  # TrueType: publishers refuse Type 3
    "svg.fonttype": "none",
    "svg.hashsalt": "pytest-energy",
    "text.parse_math": False,
}


@contextmanager
def styled(theme: Theme) -> Iterator[None]:
    """Draw and save in here: settings of *theme*, and none of the reader's own.

    Raises:
        SettingsError: matplotlib is not installed.
    """
    try:
        import matplotlib as mpl
    except ImportError as error:
        raise SettingsError(
            "figures are drawn by matplotlib, which is not installed: pip install 'pytest-energy[plot]'"
        ) from error
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(_SETTINGS)
        mpl.rcParams.update({name: theme[colour] for colour, names in _COLOURED.items() for name in names})
        yield


def draw(sheet: spec.Sheet, look: Look) -> "Figure":
    """The figure of *sheet*; inside `styled`."""
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    page = Page(sheet, look)
    figure = page.figure()
    all_axes = _grid(figure, sheet, page.columns)
    charts = [_fitting(chart, page.chart_in) for chart in sheet.charts]
    for axes, chart, keys in zip(all_axes, charts, page.keys, strict=True):
        is_last = not sheet.shares_x or axes is all_axes[-1]
        _draw_chart(axes, chart, keys, look.theme, has_x_texts=is_last)
    with without_glyph_warnings():
        # Not the figure's own engine, which would work it out again each time that it is drawn.
        ConstrainedLayoutEngine(rect=page.rect).execute(figure)
    for axes, chart in zip(all_axes, charts, strict=True):
        _draw_beside(axes, chart, points_a_pixel=POINTS_PER_INCH / figure.dpi)
    return figure


def _grid(figure: "Figure", sheet: spec.Sheet, columns: int) -> "list[Axes]":
    """Axes for the charts, in rows of *columns*."""
    row_count = -(-len(sheet.charts) // columns)
    heights = [0.7 if chart.is_low else 1.0 for chart in sheet.charts[::columns]]
    grid = list(figure.subplots(row_count, columns, squeeze=False, height_ratios=heights).flat)
    for axes in grid[len(sheet.charts) :]:
        axes.remove()
    return grid[: len(sheet.charts)]


def _fitting(chart: spec.Chart, width_in: float) -> spec.Chart:
    """*chart* with names and a caption that its width has room for."""
    caption = [
        line for text in chart.caption for line in lines(text, width_in - BESIDE_IN, size_pt=CAPTION_PT)
    ]
    room_pt = _MOST_NAME_SHARE * width_in * POINTS_PER_INCH
    names = tuple((place, fitted(name, room_pt, size_pt=NAME_PT)) for place, name in chart.names)
    ticks = tuple(
        (value, "\n".join(fitted(line, room_pt, size_pt=TICK_PT) for line in text.split("\n")))
        for value, text in chart.y.ticks
    )
    return replace(chart, caption=tuple(caption), names=names, y=replace(chart.y, ticks=ticks))


# ---- one chart ----


def _draw_chart(
    axes: "Axes", chart: spec.Chart, keys: Keys | None, theme: Theme, *, has_x_texts: bool
) -> None:
    for layer in chart.layers:
        _draw_layer(axes, layer, theme)
    x, y = chart.x, chart.y
    axes.set_xscale("log" if x.is_log else "linear")
    axes.set_yscale("log" if y.is_log else "linear")
    axes.set_xticks([value for value, _ in x.ticks], [text for _, text in x.ticks])
    axes.set_yticks([value for value, _ in y.ticks], [text for _, text in y.ticks])
    axes.minorticks_off()
    axes.set_xlim(x.lower, x.upper)
    axes.set_ylim(y.lower, y.upper)
    axes.set_ylabel(y.label)
    if has_x_texts:
        axes.set_xlabel(x.label)
    else:
        axes.tick_params(labelbottom=False)
    if keys is not None:
        _draw_keys(axes, chart, keys)
    else:
        axes.set_title("\n".join(chart.caption), loc="left")


def _draw_keys(axes: "Axes", chart: spec.Chart, keys: Keys) -> None:
    """The legend above *axes*, in the order of the layers: nothing of the chart is below it."""
    handles, labels = axes.get_legend_handles_labels()
    axes.legend(
        [handles[labels.index(layer.key)] for layer in chart.layers if layer.key],
        keys.texts,
        loc="lower left",
        bbox_to_anchor=(0.0, 1.0),
        ncols=keys.columns,
        frameon=False,
        borderaxespad=0.2,
    )


def _draw_layer(axes: "Axes", layer: spec.Layer, theme: Theme) -> None:
    label = layer.key or "_"  # what begins so is not in matplotlib's legend
    match layer:
        case spec.Marks():
            _draw_marks(axes, layer, label, theme)
        case spec.Crosses():
            places = [0.05] * len(layer.places)
            at_foot = axes.get_xaxis_transform()
            axes.plot(layer.places, places, "X", color=theme["ink"], ms=8, transform=at_foot, label=label)
        case spec.Line():
            (line,) = axes.plot(*_columns(layer.points), color=theme[layer.colour], label=label)
            line.set(ls=_DASHES[layer.dash], lw=0.8 if layer.is_thin else 1.2)
        case spec.Rule():
            rule = axes.axvline if layer.is_upright else axes.axhline
            rule(layer.at, color=theme[layer.colour], ls=_DASHES[layer.dash], lw=1.2, zorder=1, label=label)
        case spec.Band():
            span = axes.axvspan if layer.is_upright else axes.axhspan
            span(*layer.ends, facecolor=theme[layer.colour], alpha=0.18, zorder=0, label=label)
        case spec.Boxes():
            _draw_boxes(axes, layer, label, theme)
        case _:
            assert_never(layer)


def _columns(points: Sequence[spec.Place]) -> tuple[list[float], list[float]]:
    return [x for x, _ in points], [y for _, y in points]


def _draw_marks(axes: "Axes", marks: spec.Marks, label: str, theme: Theme) -> None:
    colour = theme[marks.colour]
    values = [point[0 if marks.is_lying else 1] for point in marks.points]
    halves = (
        [max(0.0, value - lower) for value, (lower, _) in zip(values, marks.bars, strict=False)],
        [max(0.0, upper - value) for value, (_, upper) in zip(values, marks.bars, strict=False)],
    )
    axes.errorbar(
        *_columns(marks.points),
        xerr=halves if marks.bars and marks.is_lying else None,
        yerr=halves if marks.bars and not marks.is_lying else None,
        fmt=_FORMS[marks.form],
        color=colour,
        mfc=theme["paper"] if marks.is_hollow else colour,
        mec=colour if marks.is_hollow or marks.bars else theme["paper"],
        mew=1.4 if marks.is_hollow else 0.5,
        ms=_SIZES_PT.get(marks.form, 5.5),
        capsize=3,
        lw=1.2,
        label=label,
        zorder=3 if marks.form != "star" else 4,
    )


def _draw_boxes(axes: "Axes", boxes: spec.Boxes, label: str, theme: Theme) -> None:
    colour = (theme["first"], theme["second"], theme["third"], theme["faint"])[boxes.fill % 4]
    lefts = [left for left, *_ in boxes.boxes]
    axes.bar(
        lefts,
        [upper - lower for *_, lower, upper in boxes.boxes],
        [right - left for left, right, *_ in boxes.boxes],
        [lower for _, _, lower, _ in boxes.boxes],
        align="edge",
        color=colour,
        label=label,
    )


def _draw_beside(axes: "Axes", chart: spec.Chart, *, points_a_pixel: float) -> None:
    """What needs the layout to be final: numbers that are apart, and names beside their points."""
    frame = axes.get_window_extent()
    if axes.get_xlabel():
        widths_pt = [width_pt(text, size_pt=TICK_PT) for _, text in chart.x.ticks]
        length_pt = frame.width * points_a_pixel
        x = thinned(chart.x, widths_pt, length=length_pt, gap=_TICK_GAP_PT)
        axes.set_xticks([value for value, _ in x.ticks], [text for _, text in x.ticks])
    if not chart.written:
        return

    def on_page(place: spec.Place) -> spec.Place:
        x, y = axes.transData.transform(place)
        return x * points_a_pixel, -y * points_a_pixel

    edge = _GAP_PT / 2
    places = [on_page(place) for place, _ in chart.written]
    boxes = place_names(
        places,
        [width_pt(name, size_pt=NAME_PT) for _, name in chart.written],
        height=1.3 * NAME_PT,  # with what is below a line
        inside=Box(
            left=frame.x0 * points_a_pixel + edge,
            top=-frame.y1 * points_a_pixel + edge,
            right=frame.x1 * points_a_pixel - edge,
            bottom=-frame.y0 * points_a_pixel - edge,
        ),
        half_mark=_HALF_MARK_PT,
        gap=_GAP_PT,
        bars=[(on_page(lower), on_page(upper)) for lower, upper in chart.bars],
    )
    for place, box, (point, name) in zip(places, boxes, chart.written, strict=True):
        if box is not None:
            _write_name(axes, name, point, (box.middle[0] - place[0], place[1] - box.middle[1]))


def _write_name(axes: "Axes", name: str, point: spec.Place, offset_pt: spec.Place) -> None:
    axes.annotate(
        name,
        point,
        xytext=offset_pt,
        textcoords="offset points",
        ha="center",
        va="center",
        fontsize=NAME_PT,
        zorder=4,
    )


# ---- files ----


_METADATA: Mapping[Format, Mapping[str, None]] = {
    "png": {"Software": None},
    "svg": {"Date": None, "Creator": None},
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
}


def save(figure: "Figure", path: Path, form: Format, *, dpi: int = DPI) -> None:
    """Write *figure* to *path*; inside `styled`.

    Raises:
        SettingsError: It can't be written.
    """
    drawn = BytesIO()
    with without_glyph_warnings():
        figure.savefig(drawn, format=form, dpi=dpi, metadata=_METADATA[form])
    with writing(f"the figure {path}"):
        write_whole(path, drawn.getvalue())
