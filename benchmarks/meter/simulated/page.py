"""The page of a file of simulated cells.

python -m benchmarks.meter.simulated.page FILE PAGE
"""

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.meter.simulated.cells import CALIBRATED, CELLS, SOUND, VOID
from benchmarks.meter.simulated.outcome import Outcome

_TITLES = {
    "2": "A counter that lags: low-pass and delay",
    "3": "Work between two windows, right before the second",
    "4": "Net joules, with idle power that was read while power fell",
    "5": "A counter that samples, or looks a part of the time",
    "6": "Eight GPUs, one of them busy",
    "7": "Ticks that come faster under load",
    "8": "Work that holds the Python interpreter",
    "9": "Slow calls, and a process that was stopped",
    "10": "Windows of hours",
    "11": "A processor's counter that is updated rarely",
    "12": "A processor's counter, short windows",
    CALIBRATED: "Counters that were calibrated: pytest-energy doctor --calibrate",
    VOID: "Windows that need not be void",
    SOUND: "Regular and irregular ticks, decays, drifts",
}

_INTRODUCTION = """# The meter on simulated counters

Readings of the meter on counters whose truth is known. **No row is a measurement of a GPU**: each shows
what the meter does *if* a counter behaves so. The sensors (NVML, RAPL), what follows the counters, and
the windows are the real ones. Time is simulated, so the results depend on the seed alone.

```console
$ python -m benchmarks.meter.simulated docs/results/meter-simulated.json --windows 500 --most-s 7200
$ python -m benchmarks.meter.simulated.page docs/results/meter-simulated.json docs/results/meter-simulated.md
```

Unless a row says otherwise: windows back to back, 780 W inside and 120 W outside, a counter that is
updated every 100 ms, and calls of 2 to 4 ms. Bias, RMSE and stated uncertainty (one standard
uncertainty) are shares of the mean true energy, over the windows that are not void. *within 2u*: share
of true energies within twice the stated uncertainty.

| result | meaning |
|---|---|
| held | 90 to 99 % within 2u, bias at most 1 % |
| upper bound | more than 99 % within 2u: the stated uncertainty is an upper bound here |
| void | no window has a result, and each has a reason |
| **bias** | bias of more than 1 %, by more than three standard errors |
| **2u** | fewer than 90 % within 2u, by more than two standard errors |
| **void** | more than 5 % of windows void, although a result is possible |

Unless a row says that they were calibrated, the counters are of a model whose response is not known. The
stated uncertainty then includes a quarter of a tick of the step in power, or 14 % and what the ticks inside
show, as counters that sample scatter; those that don't are read better than stated. The meter waits until a
counter has settled. Of joules that may have come late half are counted, and a window of which they are more
than 2 % is void. So are windows of less than 25 ms or a tick. For the calibrated rows one device of the kind
was calibrated as `pytest-energy doctor --calibrate` does, and other devices are read.

2026-11-28, all rows by one version; where the first column says 100, with `--windows 100`.
"""

_HEAD = """| | windows | bias | RMSE | stated | within 2u | void | result |
|---|--:|--:|--:|--:|--:|--:|---|
"""


def line(one: Outcome) -> str:
    """A cell in a line of a terminal."""
    return " | ".join([one.row, *_figures(one), one.name])


def page(cells: Sequence[Outcome]) -> str:
    """The page of *cells*, by the rows of the review."""
    rows = {
        title: [one for one in cells if one.row == row]
        for row, title in _TITLES.items()
        if any(one.row == row for one in cells)
    }
    most = max(one.window_count for one in cells)
    summary = [
        f"Rows have up to {most} windows: the first column tells how many.\n",
        "| | rows | as required |\n|---|--:|--:|",
        *(
            f"| {title} | {len(ones)} | {sum(not one.faults for one in ones)} |"
            for title, ones in rows.items()
        ),
        "",
    ]
    sections = (f"## {title}\n\n{_table(ones)}" for title, ones in rows.items())
    return "\n".join([_INTRODUCTION, *summary, *sections])


def _table(cells: Sequence[Outcome]) -> str:
    rows = (f"| {one.name} | {one.window_count} | {' | '.join(_figures(one))} |\n" for one in cells)
    return _HEAD + "".join(rows)


def _figures(one: Outcome) -> tuple[str, ...]:
    bias = "-" if one.bias is None else f"{100 * one.bias:+.2f} %"
    held = "-" if one.held_share is None else f"{100 * one.held_share:.1f} %"
    return (
        *(bias, _percent(one.rmse), _percent(one.stated), held),
        f"{100 * one.void_share:.0f} %",
        _result(one),
    )


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.2f} %"


def _result(one: Outcome) -> str:
    if one.faults:
        return ", ".join(f"**{fault}**" for fault in one.faults)
    if one.bias is None:
        return "void"
    return "upper bound" if one.is_upper_bound else "held"


def outcomes(path: Path) -> list[Outcome]:
    """Those of a file, of cells that still exist."""
    figures = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return [Outcome(**figures[cell.name]) for cell in CELLS if cell.name in figures]


if __name__ == "__main__":
    source, target = map(Path, sys.argv[1:])
    target.write_text(page(outcomes(source)), encoding="utf-8")
