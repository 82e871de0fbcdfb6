"""What all figures share: paper, colours, head and foot, axes, and the file.

Rule 1: the same run gives the same file, byte for byte under one matplotlib: no date, no chance, none of the
    reader's own settings.
Rule 2: no name is read as mathematics, and text in an SVG is text.
Rule 3: a colour never stands alone: marks differ in shape, or a word stands beside them.
"""

import math
import textwrap
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pytest_energy.errors import SettingsError
from pytest_energy.report.text import tick

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

Format = Literal["png", "svg"]

DPI = 150  # of a PNG: 1,200 pixels for a page of 8 inches, sharp in a comment of 800
DECADE = 10.0
"""Values that span more than this are told apart on a logarithmic axis only."""

_MARGIN_IN, _TITLE_IN, _HEADING_IN, _LINE_IN = 0.12, 0.30, 0.26, 0.155
_TITLE_PT, _HEADING_PT, _NOTE_PT = 12.0, 8.5, 8.0
_MOST_IN_LINE = 200  # characters: more than any page holds
_POINTS_AN_INCH = 72


@dataclass(frozen=True, slots=True, kw_only=True)
class Theme:
    """Colours of one kind of page: those of Okabe and Ito's palette that stand out on its paper.

    Source:
        Okabe and Ito 2008, Color Universal Design.
    """

    paper: str
    ink: str
    faint: str
    first: str
    second: str
    third: str


LIGHT = Theme(
    paper="#FFFFFF", ink="#222222", faint="#9A9A9A", first="#0072B2", second="#D55E00", third="#009E73"
)
DARK = Theme(
    paper="#0D1117", ink="#E6EDF3", faint="#7D8590", first="#56B4E9", second="#E69F00", third="#2FC79A"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """What stands above and below a figure.

    Attributes:
        title: What is shown.
        heading: Machine, date, commit, rounds.
        notes: What a reader must know, one sentence each.
    """

    title: str
    heading: str
    notes: tuple[str, ...] = ()


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
        mpl.rcParams.update(
            {
                "axes.axisbelow": True,
                "axes.edgecolor": theme.faint,
                "axes.facecolor": theme.paper,
                "axes.grid": True,
                "axes.labelcolor": theme.ink,
                "axes.labelsize": 9,
                "axes.spines.right": False,
                "axes.spines.top": False,
                "axes.titlesize": 8,
                "figure.facecolor": theme.paper,
                "font.family": "DejaVu Sans",  # comes with matplotlib: the same everywhere
                "font.size": 8,
                "grid.alpha": 0.3,
                "grid.color": theme.faint,
                "grid.linewidth": 0.6,
                "legend.edgecolor": theme.faint,
                "legend.facecolor": theme.paper,
                "legend.framealpha": 0.85,
                "legend.fontsize": 8,
                "savefig.facecolor": theme.paper,
                "svg.fonttype": "none",
                "svg.hashsalt": "pytest-energy",
                "text.color": theme.ink,
                "text.parse_math": False,
                "xtick.color": theme.faint,
                "xtick.labelcolor": theme.ink,
                "ytick.color": theme.faint,
                "ytick.labelcolor": theme.ink,
            }
        )
        yield


def page(head: Head, *, width_in: float, body_in: float, theme: Theme) -> "Figure":
    """An empty figure with *head* written; its axes fill what is between head and foot.

    Args:
        head: Above and below.
        width_in: Of the page, inches.
        body_in: Height that the axes share, inches.
        theme: Colours.
    """
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    room_in = width_in - 2 * _MARGIN_IN
    title = _lines(head.title, room_in, size_pt=_TITLE_PT, is_bold=True)
    heading = _lines(head.heading, room_in, size_pt=_HEADING_PT)
    foot = [line for note in head.notes for line in _lines(note, room_in, size_pt=_NOTE_PT)]
    title_in = _TITLE_IN * len(title)
    top_in = _MARGIN_IN + title_in + _LINE_IN * (len(heading) - 1) + _HEADING_IN
    foot_in = _MARGIN_IN + _LINE_IN * len(foot)
    height_in = top_in + body_in + foot_in
    figure = Figure(figsize=(width_in, height_in), layout="constrained")
    left = _MARGIN_IN / width_in
    engine = figure.get_layout_engine()
    if isinstance(engine, ConstrainedLayoutEngine):
        engine.set(rect=(left, foot_in / height_in, 1.0 - 2 * left, body_in / height_in))

    def write(lines: Sequence[str], top: float, *, size: float, colour: str, weight: str = "normal") -> None:
        figure.text(
            left, top / height_in, "\n".join(lines), va="top", fontsize=size, color=colour, weight=weight
        )

    write(title, height_in - _MARGIN_IN, size=_TITLE_PT, colour=theme.ink, weight="bold")
    write(heading, height_in - _MARGIN_IN - title_in, size=_HEADING_PT, colour=theme.ink)
    write(foot, foot_in - _MARGIN_IN / 2, size=_NOTE_PT, colour=theme.ink)
    return figure


def _lines(text: str, width_in: float, *, size_pt: float, is_bold: bool = False) -> list[str]:
    """*text* in lines that *width_in* holds, whatever its letters are."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import text_to_path

    font = FontProperties(family="DejaVu Sans", size=size_pt, weight="bold" if is_bold else "normal")
    room_pt, count = width_in * _POINTS_AN_INCH, _MOST_IN_LINE
    while True:
        lines = textwrap.wrap(text, count)
        with without_glyph_warnings():
            sizes = [text_to_path.get_text_width_height_descent(line, font, ismath=False) for line in lines]
        if count == 1 or all(width_pt <= room_pt for width_pt, *_ in sizes):
            return lines
        count = max(1, count * 95 // 100)


@contextmanager
def without_glyph_warnings() -> Iterator[None]:
    """A name in a script that the font lacks is drawn as boxes in a PNG; in an SVG it is text."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from", category=UserWarning)
        yield


def spans_decade(values: Sequence[float]) -> bool:
    """Whether *values* are all above 0 and the largest is more than ten times the smallest."""
    return bool(values) and min(values) > 0 and max(values) > DECADE * min(values)


def scale(axis: "Axis", values: Sequence[float], *, unit: str = "", is_log: bool | None = None) -> None:
    """Scale of *axis* for *values*: logarithmic where they span a decade, or as *is_log* says.

    Args:
        axis: Of the axes that the values stand on.
        values: All that it must show.
        unit: `J` writes joules with a prefix on the ticks; others stand in the label.
        is_log: Decided already.
    """
    from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

    if is_log if is_log is not None else spans_decade(values):
        (axis.axes.set_xscale if axis is axis.axes.xaxis else axis.axes.set_yscale)("log")
        decades = math.log10(max(values) / min(values))
        subs = (1.0, 2.0, 5.0) if decades < 1.3 else (1.0, 3.0) if decades < 2.5 else (1.0,)
        axis.set_major_locator(LogLocator(subs=subs, numticks=12))
        axis.set_minor_formatter(NullFormatter())
        axis.set_major_formatter(FuncFormatter(lambda value, _: tick(value, unit)))
    else:
        axis.set_major_locator(MaxNLocator(nbins=5, steps=[1, 2, 2.5, 5, 10]))
        axis.set_major_formatter(FuncFormatter(lambda value, _: tick(value, unit, digits=_digits(axis))))


def _digits(axis: "Axis") -> int:
    """Significant digits that tell any two ticks of a linear *axis* apart."""
    places = axis.get_majorticklocs()
    if len(places) < 2:
        return 3
    largest, step = float(abs(places).max()), float(places[1] - places[0])
    # Two more than the step's own place: a step of 2.5 has a digit behind its first.
    return max(3, math.ceil(math.log10(largest / step)) + 2) if largest > 0 else 3


def steps_of_two(axes: "Axes", values: Sequence[float], *, room: int) -> None:
    """A logarithmic x axis to the base 2, a tick at each of *values*, a number where it has room.

    Args:
        axes: Whose x axis it is.
        values: All of its ticks.
        room: How many numbers fit side by side.
    """
    from matplotlib.ticker import FixedFormatter, FixedLocator, NullLocator

    places = sorted(set(values))
    shown = with_room(places, room=room)
    axes.set_xscale("log", base=2)
    axes.xaxis.set_major_locator(FixedLocator(places))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FixedFormatter([tick(p) if p in shown else "" for p in places]))


def with_room(values: Sequence[float], *, room: int) -> frozenset[float]:
    """Those of *values* that can be written on a logarithmic axis as wide as *room* numbers.

    The ends come first, then powers of two, then what is left over.

    >>> sorted(with_room([4, 8, 16, 96, 128, 160, 192, 256], room=20))
    [4, 8, 16, 96, 128, 160, 256]
    """
    if not values:
        return frozenset()
    ends = {min(values), max(values)}
    least = math.log2(max(values) / min(values)) / room
    shown: list[float] = []
    for value in sorted(values, key=lambda v: (v not in ends, not math.log2(v).is_integer(), v)):
        if all(abs(math.log2(value / other)) >= least for other in shown):
            shown.append(value)
    return frozenset(shown)


def save(figure: "Figure", path: Path, form: Format) -> None:
    """Write *figure* to *path*; inside `styled`.

    Raises:
        SettingsError: It can't be written.
    """
    metadata = {"Date": None, "Creator": None} if form == "svg" else {"Software": None}
    with without_glyph_warnings():
        try:
            figure.savefig(path, format=form, dpi=DPI, metadata=metadata)
        except OSError as error:
            raise SettingsError(f"the figure {path} can't be written: {error.strerror}") from error
