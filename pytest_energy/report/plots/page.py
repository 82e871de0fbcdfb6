"""The page that charts are drawn on: its size, its head and notes, and how much fits on a line.

Rule 1: a page is as wide as it was asked to be, and its letters have their size on it: a figure of 85 mm
    needs no scaling in a paper.
Rule 2: a bare page holds nothing but its charts; `words` has what the others write around them.
"""

import textwrap
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

from pytest_energy.report.charts import spec

if TYPE_CHECKING:
    from matplotlib.figure import Figure

POINTS_PER_INCH = 72
MARGIN_IN = 0.12
_BARE_MARGIN_IN = 0.02
_TITLE_IN, _HEADING_IN, _LINE_IN, _KEY_IN, _KEY_LINE_IN = 0.30, 0.26, 0.155, 0.17, 0.13
TITLE_PT, HEADING_PT, NOTE_PT, NAME_PT = 12.0, 8.5, 8.0, 6.5
LABEL_PT, TICK_PT, CAPTION_PT = 8.0, 8.0, 7.5
_LEAST_CHART_IN = 2.4  # of a chart's width: less has no room for the numbers below it
_FLATTEST = 0.72  # height of a chart to its width, where a page is narrow
BESIDE_IN = 0.8  # what a chart's own numbers take of its width
_KEY_SAMPLE_PT = 34.0  # the sample before a key and the gap behind it
_MOST_IN_LINE = 200  # characters: more than any page holds

# Colours of one kind of page: those of the palette that stand out on its paper.
# Source: Okabe and Ito 2008, Color Universal Design.
Colour = spec.Colour | Literal["paper"]
Theme = Mapping[Colour, str]
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """How a reader wants figures.

    Attributes:
        width_in: Of the page, inches; the sheet's own if not given.
        is_bare: Without title, heading and notes.
    """

    theme: Mapping[Colour, str]
    width_in: float | None = None
    is_bare: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """A chart's legend as it fits: its texts, lines broken, in *columns*."""

    texts: tuple[str, ...]
    columns: int

    @property
    def height_in(self) -> float:
        row_count = -(-len(self.texts) // self.columns)
        rows = [self.texts[place::row_count] for place in range(row_count)]
        breaks = sum(max(text.count("\n") for text in row) for row in rows)
        return _KEY_IN * row_count + _KEY_LINE_IN * breaks


class Page:
    """The measures of one *sheet* in one *look*, in inches."""

    def __init__(self, sheet: spec.Sheet, look: Look) -> None:
        self.width_in = look.width_in or sheet.width_in
        self._look, self._sheet = look, sheet
        self.margin_in = _BARE_MARGIN_IN if look.is_bare else MARGIN_IN
        room_in = self.width_in - 2 * self.margin_in
        self.columns = max(1, min(sheet.columns, int(room_in / _LEAST_CHART_IN)))
        self.chart_in = room_in / self.columns
        self.keys = tuple(_keys(chart, self.chart_in - BESIDE_IN) for chart in sheet.charts)
        words = _Words.of(sheet, room_in) if not look.is_bare else _Words((), (), ())
        self._words = words
        self._title_in = _TITLE_IN * len(words.title)
        heading_in = _LINE_IN * (len(words.heading) - 1) + _HEADING_IN if words.heading else 0.0
        self.top_in = self.margin_in + self._title_in + heading_in
        self.foot_in = self.margin_in + _LINE_IN * len(words.notes)
        self.body_in = self._body_in()
        self.height_in = self.top_in + self.body_in + self.foot_in

    @property
    def rect(self) -> tuple[float, float, float, float]:
        """Left, foot, width and height of what the charts fill, as shares of the page."""
        left = self.margin_in / self.width_in
        return left, self.foot_in / self.height_in, 1 - 2 * left, self.body_in / self.height_in

    def _body_in(self) -> float:
        """Height that the charts share: their rows, and the keys above each."""
        narrowed_in = _FLATTEST * self.chart_in
        row_in = self._sheet.height_in
        if self._look.width_in is not None and not self._sheet.has_rows:
            row_in = min(row_in, narrowed_in)
        keys_in = [keys.height_in if keys else 0.0 for keys in self.keys]
        rows = (keys_in[place : place + self.columns] for place in range(0, len(keys_in), self.columns))
        return sum(row_in + max(row) for row in rows)

    def figure(self) -> "Figure":
        """An empty figure with head and notes written."""
        from matplotlib.figure import Figure

        figure = Figure(figsize=(self.width_in, self.height_in))
        left, ink = self.margin_in / self.width_in, self._look.theme["ink"]

        def write(lines: Sequence[str], top_in: float, *, size: float, weight: str = "normal") -> None:
            if lines:
                text, y = "\n".join(lines), top_in / self.height_in
                figure.text(left, y, text, va="top", fontsize=size, color=ink, weight=weight)

        top_in = self.height_in - self.margin_in
        write(self._words.title, top_in, size=TITLE_PT, weight="bold")
        write(self._words.heading, top_in - self._title_in, size=HEADING_PT)
        write(self._words.notes, self.foot_in - self.margin_in / 2, size=NOTE_PT)
        return figure


@dataclass(frozen=True, slots=True)
class _Words:
    """What is around the charts, in lines that the page holds."""

    title: Sequence[str]
    heading: Sequence[str]
    notes: Sequence[str]

    @classmethod
    def of(cls, sheet: spec.Sheet, room_in: float) -> "_Words":
        return cls(
            lines(sheet.title, room_in, size_pt=TITLE_PT, is_bold=True),
            lines(sheet.heading, room_in, size_pt=HEADING_PT),
            [line for note in sheet.notes for line in lines(note, room_in, size_pt=NOTE_PT)],
        )


def words(sheet: spec.Sheet) -> str:
    """What a bare figure does not hold, for the caption below it."""
    return " ".join((f"{sheet.title}.", f"{sheet.heading}.", *sheet.notes))


def _keys(chart: spec.Chart, room_in: float) -> Keys | None:
    """The legend of *chart* in one column or two; `None` without keys."""
    keys = [layer.key for layer in chart.layers if layer.key]
    if not keys:
        return None
    room_pt = room_in * POINTS_PER_INCH
    row_count = -(-len(keys) // 2)
    widths_pt = [width_pt(key, size_pt=NOTE_PT) + _KEY_SAMPLE_PT for key in keys]
    if len(keys) > 1 and max(widths_pt[:row_count]) + max(widths_pt[row_count:]) <= room_pt:
        return Keys(texts=tuple(keys), columns=2)
    text_in = room_in - _KEY_SAMPLE_PT / POINTS_PER_INCH
    return Keys(texts=tuple("\n".join(lines(key, text_in, size_pt=NOTE_PT)) for key in keys), columns=1)


# ---- text ----


def lines(text: str, width_in: float, *, size_pt: float, is_bold: bool = False) -> list[str]:
    """*text* in lines that *width_in* holds, whatever its letters are."""
    room_pt, count = width_in * POINTS_PER_INCH, _MOST_IN_LINE
    while True:
        wrapped = textwrap.wrap(text, count)
        widest_pt = max((width_pt(line, size_pt=size_pt, is_bold=is_bold) for line in wrapped), default=0.0)
        if count == 1 or widest_pt <= room_pt:
            return wrapped
        count = max(1, min(count * 95 // 100, int(1.2 * count * room_pt / widest_pt)))


def fitted(text: str, room_pt: float, *, size_pt: float) -> str:
    """*text*, or its two ends with an ellipsis between them, as *room_pt* holds it."""
    if width_pt(text, size_pt=size_pt) <= room_pt:
        return text
    for count in range(len(text) - 1, 1, -1):
        shorter = f"{text[: -(-count // 2)]}\N{HORIZONTAL ELLIPSIS}{text[len(text) - count // 2 :]}"
        if width_pt(shorter, size_pt=size_pt) <= room_pt:
            return shorter
    return text[:1]


@lru_cache(maxsize=4096)
def width_pt(text: str, *, size_pt: float, is_bold: bool = False) -> float:
    """Width of one line, in points; remembered, as figures of one run have most texts in common."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import text_to_path

    font = FontProperties(family="DejaVu Sans", size=size_pt, weight="bold" if is_bold else "normal")
    with without_glyph_warnings():
        width, *_ = text_to_path.get_text_width_height_descent(text, font, ismath=False)
    return width


@contextmanager
def without_glyph_warnings() -> Iterator[None]:
    """A name in a script that the font lacks is drawn as boxes in a PNG; in an SVG it is text."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from", category=UserWarning)
        yield
