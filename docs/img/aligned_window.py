"""Draws one tick-aligned window over a counter that was recorded on an H100, beside the naive difference.

    python docs/img/aligned_window.py [FOLDER]

Writes aligned-window.svg and aligned-window.png into FOLDER, by default the one this file is in. It needs
matplotlib, which pytest-energy itself does not, and the package on the path.
"""  # noqa: INP001  # a script beside its picture

import json
import math
import sys
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import matplotlib as mpl
from matplotlib import pyplot as plt
from matplotlib.axes import Axes

from pytest_energy.meter.reading import to_reading
from pytest_energy.model import Provenance, Tick, Trace
from pytest_energy.sensors.nvml_responses import response_of

Point = tuple[float, float]
"""Seconds and joules: a place in the picture."""

HERE = Path(__file__).parent
SERIES = HERE.parents[1] / "tests" / "data" / "nvml" / "step_h100-80gb-hbm3.json"

# The recording says "about 1 s idle", and how long the load took; the window is put there.
START_S = 1.0
CHANNEL = "gpu:0"
RESPONSE = response_of("NVIDIA H100 80GB HBM3", "580.159.04")

# Two colours of the palette of Okabe and Ito, for every kind of colour sight; in grey print the marks differ.
ALIGNED, NAIVE, INK = "#0072B2", "#D55E00", "#222222"
WORK, QUIET = "#F3E7C4", "#BFD9EA"


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """The window, the counter around it, and its joules both ways.

    Attributes:
        ticks: Every move of the counter, and what it showed from then on.
        before: The tick that is counted from.
        after: The tick that is counted to.
        energy_j: As the meter reads it.
        uncertainty_j: As the meter states it.
    """

    ticks: tuple[Point, ...]
    start_s: float
    stop_s: float
    before: Point
    after: Point
    head_w: float
    energy_j: float
    uncertainty_j: float

    def last_tick(self, time_s: float) -> Point:
        """The tick before *time_s*: whoever reads the counter then gets its joules."""
        return max(tick for tick in self.ticks if tick[0] <= time_s)

    @property
    def naive_j(self) -> float:
        return self.last_tick(self.stop_s)[1] - self.last_tick(self.start_s)[1]

    @property
    def span_j(self) -> float:
        return self.after[1] - self.before[1]

    @property
    def start_j(self) -> float:
        """What a counter that moves all the time would have shown at the start."""
        return self.before[1] + self.head_w * (self.start_s - self.before[0])

    @property
    def stop_j(self) -> float:
        """The same at the stop."""
        return self.start_j + self.energy_j


def recorded_window() -> Window:
    """The load of the recorded series, read as the meter reads it."""
    series = json.loads(SERIES.read_text(encoding="utf-8"))
    reads = [(time_s, total_mj * 1e-3) for time_s, total_mj, *_ in series["samples"]]
    changes = [(a[0], b[0], b[1]) for a, b in pairwise(reads) if a[1] != b[1]]
    ticks = tuple(((a + b) / 2, joules) for a, b, joules in changes)
    stop_s = START_S + series["load_duration_s"]
    # As a live window: it waits until the counter has settled and for one tick more, and sees no further.
    settled_s = stop_s + (RESPONSE.settle_s or 0.0)
    count = next(index for index, (time_s, _) in enumerate(ticks) if time_s > settled_s) + 2
    updates = tuple(Tick((a + b) / 2, joules, (b - a) / math.sqrt(12)) for a, b, joules in changes[:count])
    trace = Trace(
        ticks={CHANNEL: updates},
        start_s=START_S,
        stop_s=stop_s,
        quiet_s=((0.0, START_S),),
        responses={CHANNEL: RESPONSE},
    )
    reading = to_reading(trace, Provenance.MEASURED, resolutions_j={CHANNEL: 1e-3})
    if reading.energy_j is None:
        raise SystemExit(f"{SERIES}: {reading.void_because}")
    return Window(
        ticks=ticks,
        start_s=START_S,
        stop_s=stop_s,
        before=max(tick for tick in ticks if tick[0] < START_S),
        after=ticks[count - 1],
        head_w=reading.quiet_power_w[CHANNEL],
        energy_j=reading.energy_j,
        uncertainty_j=reading.uncertainty_j,
    )


def draw(window: Window, folder: Path) -> None:
    """Write the picture as SVG and PNG into *folder*."""
    mpl.rcParams.update(
        {
            "font.size": 11,
            "font.family": "DejaVu Sans",
            "svg.hashsalt": "aligned-window",  # the same file from the same data
            "axes.spines.top": False,
            "axes.spines.right": False,
            "hatch.linewidth": 0.6,
        }
    )
    figure = plt.figure(figsize=(9.6, 8.2), layout="constrained")
    rows = figure.add_gridspec(2, 2, height_ratios=(1.0, 1.15))
    draw_whole(figure.add_subplot(rows[0, :]), window)
    draw_start(figure.add_subplot(rows[1, 0]), window)
    draw_stop(figure.add_subplot(rows[1, 1]), window)
    for suffix, metadata in (("svg", {"Date": None}), ("png", {})):
        figure.savefig(folder / f"aligned-window.{suffix}", dpi=150, metadata=metadata)


def draw_counter(axes: Axes, window: Window) -> None:
    """The counter, the work, the quiet on both sides, and the points that joules are taken between."""
    axes.axvspan(window.start_s, window.stop_s, color=WORK, zorder=0)
    for from_s, to_s in ((window.before[0], window.start_s), (window.stop_s, window.after[0])):
        axes.axvspan(from_s, to_s, facecolor=QUIET, edgecolor="white", hatch="///", zorder=0)
    for edge_s in (window.start_s, window.stop_s):
        axes.axvline(edge_s, color=INK, lw=1.2, ls=(0, (4, 3)), zorder=1)
    times, joules = zip(*window.ticks, strict=True)
    axes.step(times, joules, where="post", color=INK, lw=1.8, zorder=3)
    slopes = ((window.before, window.start_s, window.start_j), (window.after, window.stop_s, window.stop_j))
    for tick, edge_s, edge_j in slopes:
        axes.plot([tick[0], edge_s], [tick[1], edge_j], color=ALIGNED, lw=2.4, zorder=4)
        axes.plot(*tick, "o", color=ALIGNED, ms=8, mec="white", zorder=5)
        axes.plot(edge_s, edge_j, "D", color=ALIGNED, ms=8.5, mec="white", zorder=5)
        axes.plot(edge_s, window.last_tick(edge_s)[1], "s", color=NAIVE, ms=8.5, mec="white", zorder=6)
    axes.set_xlabel("time, s")
    axes.set_ylabel("counter, J")


def draw_ticks(axes: Axes, window: Window) -> None:
    """A mark on the time axis for each tick."""
    (left, right), (bottom, top) = axes.get_xlim(), axes.get_ylim()
    for time_s, _ in window.ticks:
        if left < time_s < right:
            axes.plot(time_s, bottom + 0.03 * (top - bottom), "|", color=INK, ms=11, mew=1.8, zorder=5)


def write(axes: Axes, text: str, at: Point, *, colour: str = INK, align: str = "center") -> None:
    axes.text(*at, text, color=colour, ha=align, va="center", zorder=7)


def point_to(axes: Axes, text: str, at: Point, to: Point, colour: str) -> None:
    """Write *text* at *at* with a line to *to*."""
    axes.annotate(
        text,
        xy=to,
        xytext=at,
        color=colour,
        ha="center",
        va="center",
        bbox={"facecolor": "white", "edgecolor": colour, "lw": 0.8, "boxstyle": "round,pad=0.3"},
        arrowprops={"arrowstyle": "-", "color": colour, "lw": 1.0, "shrinkB": 5},
        zorder=7,
    )


def draw_whole(axes: Axes, window: Window) -> None:
    axes.set_xlim(0.62, 2.55)
    axes.set_ylim(0, 1010)
    draw_counter(axes, window)
    draw_ticks(axes, window)
    write(axes, "quiet", (0.78, 955))
    write(axes, "the work: 1 s of matrix products", ((window.start_s + window.stop_s) / 2, 955))
    write(axes, "quiet", (2.35, 955))
    write(axes, "start ", (window.start_s, 520), align="right")
    write(axes, " stop", (window.stop_s, 520), align="left")
    write(axes, "each mark is a tick:\nthe counter moves only there", (1.73, 150))
    quiet_j, off_share = window.span_j - window.energy_j, window.naive_j / window.energy_j - 1
    aligned = (
        f"aligned  {window.energy_j:.1f} \N{PLUS-MINUS SIGN} {window.uncertainty_j:.1f} J   =   "
        f"{window.span_j:.1f} J from tick to tick, less {quiet_j:.1f} J of quiet power"
    )
    naive = (
        f"naive  {window.naive_j:.1f} J  ({100 * off_share:+.1f} %)   =   "
        "counter at the stop, less counter at the start"
    )
    for y, mark, colour, text in ((1.17, "D", ALIGNED, aligned), (1.07, "s", NAIVE, naive)):
        axes.plot(0.01, y, mark, color=colour, ms=8.5, transform=axes.transAxes, clip_on=False)
        axes.text(
            0.03, y, text, color=colour, weight="bold", va="center", fontsize=11.5, transform=axes.transAxes
        )


def draw_start(axes: Axes, window: Window) -> None:
    axes.set_xlim(0.80, 1.12)
    axes.set_ylim(95, 180)
    draw_counter(axes, window)
    draw_ticks(axes, window)
    axes.set_title("The start, larger", loc="left", fontsize=12)
    head_s = window.start_s - window.before[0]
    text = f"from the last tick,\non with quiet power:\n{window.head_w:.0f} W for {1e3 * head_s:.0f} ms"
    point_to(axes, text, (0.873, 148), window.before, ALIGNED)
    shown_j = window.last_tick(window.start_s)[1]
    text = f"{1e3 * head_s:.0f} ms old,\n{window.start_j - shown_j:.0f} J too low"
    point_to(axes, text, (1.066, 109), (window.start_s, shown_j), NAIVE)
    write(axes, "head", ((window.before[0] + window.start_s) / 2, 175))
    write(axes, "work", (1.06, 175))


def draw_stop(axes: Axes, window: Window) -> None:
    axes.set_xlim(1.90, 2.30)
    axes.set_ylim(765, 935)
    draw_counter(axes, window)
    draw_ticks(axes, window)
    axes.set_title("The stop, larger", loc="left", fontsize=12)
    shown_s, shown_j = window.last_tick(window.stop_s)
    text = f"{1e3 * (window.stop_s - shown_s):.0f} ms old,\n{window.stop_j - shown_j:.0f} J too low"
    point_to(axes, text, (2.078, 798), (window.stop_s, shown_j), NAIVE)
    first = min(tick for tick in window.ticks if tick[0] > window.stop_s)
    point_to(axes, "the first tick may\nlack the work's end", (2.205, 842), first, INK)
    point_to(axes, "from the second,\nback with\nquiet power", (2.225, 911), window.after, ALIGNED)
    write(axes, "work", ((1.90 + window.stop_s) / 2, 925))
    write(axes, "tail", ((window.stop_s + window.after[0]) / 2, 925))


if __name__ == "__main__":
    draw(recorded_window(), Path(sys.argv[1]) if len(sys.argv) > 1 else HERE)
