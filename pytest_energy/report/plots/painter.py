"""Charts as files, drawn by matplotlib: what `report.charts` decides, on a page with a head and notes.

Rule 1: the same run gives the same file, byte for byte under one matplotlib: no date, no chance, none of the
    reader's own settings.
Rule 2: no name is read as mathematics, and text in an SVG is text.
"""

import textwrap
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, assert_never

from pytest_energy.errors import SettingsError
from pytest_energy.report.charts import spec
from pytest_energy.report.charts.label_layout import Box, place_names
from pytest_energy.whole_file import write_whole, writing

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Format = Literal["png", "svg"]

DPI = 150  # of a PNG: 1,200 pixels for a page of 8 inches, sharp in a comment of 800

_MARGIN_IN, _TITLE_IN, _HEADING_IN, _LINE_IN, _KEY_IN = 0.12, 0.30, 0.26, 0.155, 0.17
_TITLE_PT, _HEADING_PT, _NOTE_PT, _NAME_PT = 12.0, 8.5, 8.0, 6.5
_HALF_MARK_PT, _GAP_PT = 3.0, 4.0
_KEY_COLUMNS = 2
_NUMBERS = 22  # of three digits that fit side by side on the page's width
_MOST_IN_LINE = 200  # characters: more than any page holds
_POINTS_AN_INCH = 72

_FORMS = {"circle": "o", "square": "s", "diamond": "D", "triangle": "^", "star": "*", "cross": "X"}
_SIZES_PT = {"star": 13.0, "diamond": 8.0}
_DASHES = {"solid": "-", "dashed": "--", "dotted": ":", "dashdot": "-."}


# Colours of one kind of page: those of the palette that stand out on its paper.
# Source: Okabe and Ito 2008, Color Universal Design.
_Colour = spec.Colour | Literal["paper"]
Theme = Mapping[_Colour, str]
LIGHT: Theme = {
    "paper": "#FFFFFF",
    "ink": "#222222",
    "faint": "#9A9A9A",
    "first": "#0072B2",
    "second": "#D55E00",
    "third": "#009E73",
}
DARK: Theme = {
    "paper": "#0D1117",
    "ink": "#E6EDF3",
    "faint": "#7D8590",
    "first": "#56B4E9",
    "second": "#E69F00",
    "third": "#2FC79A",
}


_COLOURED: Mapping[_Colour, tuple[Any, ...]] = {
    "paper": ("axes.facecolor", "figure.facecolor", "savefig.facecolor"),
    "ink": ("axes.labelcolor", "text.color", "xtick.labelcolor", "ytick.labelcolor"),
    "faint": ("axes.edgecolor", "grid.color", "xtick.color", "ytick.color"),
}
_SETTINGS: Mapping[Any, object] = {
    "axes.axisbelow": True,
    "axes.grid": True,
    "axes.labelsize": 9,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlesize": 7.5,
    "font.family": "DejaVu Sans",  # comes with matplotlib: the same everywhere
    "font.size": 8,
    "grid.alpha": 0.3,
    "grid.linewidth": 0.6,
    "legend.fontsize": 8,
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


def draw(sheet: spec.Sheet, theme: Theme) -> "Figure":
    """The figure of *sheet*; inside `styled`."""
    figure = _page(sheet, theme)
    row_count = -(-len(sheet.charts) // sheet.columns)
    heights = [0.7 if chart.is_low else 1.0 for chart in sheet.charts[:: sheet.columns]]
    grid = figure.subplots(row_count, sheet.columns, squeeze=False, height_ratios=heights)
    all_axes = list(grid.flat)
    for axes, chart in zip(all_axes, sheet.charts, strict=False):
        is_last = not sheet.shares_x or chart is sheet.charts[-1]
        _draw_chart(axes, chart, theme, has_x_texts=is_last)
    for axes in all_axes[len(sheet.charts) :]:
        axes.remove()
    if any(chart.names for chart in sheet.charts):
        with _without_glyph_warnings():
            figure.draw_without_rendering()  # from here on the layout is final
        for axes, chart in zip(all_axes, sheet.charts, strict=False):
            _draw_names(axes, chart.names, points_a_pixel=_POINTS_AN_INCH / figure.dpi)
    return figure


def _page(sheet: spec.Sheet, theme: Theme) -> "Figure":
    """An empty figure with head and notes written; its axes fill what is between."""
    from matplotlib.figure import Figure

    width_in = sheet.width_in
    room_in = width_in - 2 * _MARGIN_IN
    title = _lines(sheet.title, room_in, size_pt=_TITLE_PT, is_bold=True)
    heading = _lines(sheet.heading, room_in, size_pt=_HEADING_PT)
    foot = [line for note in sheet.notes for line in _lines(note, room_in, size_pt=_NOTE_PT)]
    title_in = _TITLE_IN * len(title)
    top_in = _MARGIN_IN + title_in + _LINE_IN * (len(heading) - 1) + _HEADING_IN
    foot_in, body_in = _MARGIN_IN + _LINE_IN * len(foot), _body_in(sheet)
    height_in, left = top_in + body_in + foot_in, _MARGIN_IN / width_in
    figure = Figure(figsize=(width_in, height_in), layout="constrained")
    rect = (left, foot_in / height_in, 1.0 - 2 * left, body_in / height_in)
    figure.get_layout_engine().set(rect=rect)  # type: ignore[union-attr, call-arg]  # the constrained one's

    def write(lines: Sequence[str], top: float, *, size: float, weight: str = "normal") -> None:
        text = "\n".join(lines)
        figure.text(left, top / height_in, text, va="top", fontsize=size, color=theme["ink"], weight=weight)

    write(title, height_in - _MARGIN_IN, size=_TITLE_PT, weight="bold")
    write(heading, height_in - _MARGIN_IN - title_in, size=_HEADING_PT)
    write(foot, foot_in - _MARGIN_IN / 2, size=_NOTE_PT)
    return figure


def _body_in(sheet: spec.Sheet) -> float:
    """Height that the charts share: their rows, and the keys above each."""
    counts = [sum(bool(layer.key) for layer in chart.layers) for chart in sheet.charts]
    rows = (counts[place : place + sheet.columns] for place in range(0, len(counts), sheet.columns))
    return sum(sheet.height_in + _KEY_IN * -(-max(row) // _KEY_COLUMNS) for row in rows)


def _lines(text: str, width_in: float, *, size_pt: float, is_bold: bool = False) -> list[str]:
    """*text* in lines that *width_in* holds, whatever its letters are."""
    room_pt, count = width_in * _POINTS_AN_INCH, _MOST_IN_LINE
    while True:
        lines = textwrap.wrap(text, count)
        widths_pt = [_width_pt(line, size_pt=size_pt, is_bold=is_bold) for line in lines]
        if count == 1 or all(width_pt <= room_pt for width_pt in widths_pt):
            return lines
        count = max(1, count * 95 // 100)


def _width_pt(text: str, *, size_pt: float, is_bold: bool = False) -> float:
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import text_to_path

    font = FontProperties(family="DejaVu Sans", size=size_pt, weight="bold" if is_bold else "normal")
    with _without_glyph_warnings():
        width_pt, *_ = text_to_path.get_text_width_height_descent(text, font, ismath=False)
    return width_pt


@contextmanager
def _without_glyph_warnings() -> Iterator[None]:
    """A name in a script that the font lacks is drawn as boxes in a PNG; in an SVG it is text."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from", category=UserWarning)
        yield


# ---- one chart ----


def _draw_chart(axes: "Axes", chart: spec.Chart, theme: Theme, *, has_x_texts: bool) -> None:
    for layer in chart.layers:
        _draw_layer(axes, layer, theme)
    x, y = chart.x.thinned(_NUMBERS), chart.y
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
    keys = [layer.key for layer in chart.layers if layer.key]
    if keys:
        _draw_keys(axes, keys)
    else:
        axes.set_title("\n".join(chart.caption), loc="left")


def _draw_keys(axes: "Axes", keys: Sequence[str]) -> None:
    """The legend above *axes*, in the order of *keys*."""
    handles, labels = axes.get_legend_handles_labels()
    axes.legend(
        [handles[labels.index(key)] for key in keys],
        keys,
        loc="lower left",
        bbox_to_anchor=(0.0, 1.0),
        ncols=_KEY_COLUMNS,
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
    for place in marks.points if marks.word else ():
        axes.annotate(
            marks.word, place, xytext=(0, 8), textcoords="offset points", ha="center", color=theme["ink"]
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


def _draw_names(axes: "Axes", named: Sequence[tuple[spec.Place, str]], *, points_a_pixel: float) -> None:
    """Each name beside its point, where it has room; the layout must be final."""
    if not named:
        return
    pixels = axes.transData.transform([place for place, _ in named])
    places = [(x * points_a_pixel, -y * points_a_pixel) for x, y in pixels]
    frame = axes.get_window_extent()
    edge = _GAP_PT / 2
    boxes = place_names(
        places,
        [_width_pt(name, size_pt=_NAME_PT) for _, name in named],
        height=_NAME_PT,
        inside=Box(
            left=frame.x0 * points_a_pixel + edge,
            top=-frame.y1 * points_a_pixel + edge,
            right=frame.x1 * points_a_pixel - edge,
            bottom=-frame.y0 * points_a_pixel - edge,
        ),
        half_mark=_HALF_MARK_PT,
        gap=_GAP_PT,
    )
    for (x, y), box, (point, name) in zip(places, boxes, named, strict=True):
        if box is not None:
            offset = ((box.left + box.right) / 2 - x, y - (box.top + box.bottom) / 2)
            text = axes.annotate(
                name,
                point,
                xytext=offset,
                textcoords="offset points",
                ha="center",
                va="center",
                fontsize=_NAME_PT,
                zorder=4,
            )
            text.set_in_layout(False)


# ---- files ----


def save(figure: "Figure", path: Path, form: Format) -> None:
    """Write *figure* to *path*; inside `styled`.

    Raises:
        SettingsError: It can't be written.
    """
    metadata = {"Date": None, "Creator": None} if form == "svg" else {"Software": None}
    drawn = BytesIO()
    with _without_glyph_warnings():
        figure.savefig(drawn, format=form, dpi=DPI, metadata=metadata)
    with writing(f"the figure {path}"):
        write_whole(path, drawn.getvalue())
