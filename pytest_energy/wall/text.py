"""A run beside a meter, in words and tables: for a terminal, for Markdown, and for programs. Pure.

Rule 1: what can't be said has its reason in place of a number.
Rule 2: a meter of the whole machine shows what no counter sees, and the words for gain and offset say so.
"""

from collections.abc import Callable, Iterator, Sequence

from pytest_energy.errors import Absent
from pytest_energy.model import Provenance
from pytest_energy.report import screen
from pytest_energy.report.inert_markdown import code, sentence
from pytest_energy.report.text import ORIGINS
from pytest_energy.stats.bounded_mean import Interval
from pytest_energy.units import to_text
from pytest_energy.verdict.figures import count_text
from pytest_energy.wall.comparison import Shown, WallComparison

CANT_SAY = "can't say"
GAIN_IS = "watts at the meter per watt of the counters"
OFFSET_IS = "watts that the counters do not see at rest"
LAG_IS = "from the counters' power to the row that shows it, with the difference of the clocks"

_LINE_HEADS = ("", "value", "95 % interval", "is")
_TEST_HEADS = ("test", "windows", "compared", "counters", "meter", "by the line", "difference")

Table = tuple[Sequence[str], Sequence[Sequence[str]], str]


def render(found: WallComparison, meter_name: str) -> str:
    """For a terminal."""
    lines = [heading(found, meter_name)]
    for heads, rows, alignment in _tables(found, str):
        lines += ["", *screen.table(heads, rows, alignment)]
    return "\n".join([*lines, "", *notes(found)])


def render_markdown(found: WallComparison, meter_name: str) -> str:
    """For a page."""
    lines = [sentence(heading(found, meter_name)), ""]
    for heads, rows, alignment in _tables(found, code):
        ruled = [heads, ["---" if one == "<" else "--:" for one in alignment], *rows]
        lines += [*(f"| {' | '.join(cells)} |" for cells in ruled), ""]
    return "\n".join([*lines, *(f"- {sentence(note)}" for note in notes(found))]) + "\n"


def heading(found: WallComparison, meter_name: str) -> str:
    """What is compared."""
    origins = {ORIGINS[one] for one in found.power.provenances}
    channels = ", ".join(found.power.channels)
    return (
        f"{''.join(sorted(origins))}power of {channels} in {len(found.power.windows)} windows, beside "
        f"{len(found.series.rows.stop_s):,} rows of {meter_name}, one per {to_text(found.series.span_s, 's')}"
    )


def _tables(found: WallComparison, name: Callable[[str], str]) -> Iterator[Table]:
    line = found.line
    rows = [
        ("gain", *_cells(line.gain, lambda value: f"{value:.4g}"), GAIN_IS),
        ("offset", *_cells(line.offset_w, lambda value: to_text(value, "W")), OFFSET_IS),
        ("lag", *_cells(line.lag_s, lambda value: f"{value:.3f} s"), LAG_IS),
    ]
    yield _LINE_HEADS, rows, "<>><"
    if found.windows:
        yield _TEST_HEADS, [_test(one, found, name) for one in found.tests], "<>>>>>>"


def _cells(value: Interval | Absent, text: Callable[[float], str]) -> tuple[str, str]:
    if isinstance(value, Absent):
        return CANT_SAY, "-"
    return text(value.value), f"{text(value.lower)} to {text(value.upper)}"


def _test(one: Shown, found: WallComparison, name: Callable[[str], str]) -> Sequence[str]:
    line_w = found.line_w(one.power_w)
    return (
        name(_short(one.name)),
        str(one.window_count),
        to_text(one.duration_s, "s", digits=3),
        to_text(one.power_w, "W"),
        to_text(one.meter_power_w, "W"),
        "-" if line_w is None else to_text(line_w, "W"),
        "-" if not line_w else f"{100 * (one.meter_power_w / line_w - 1):+.1f} %",
    )


def _short(test_id: str) -> str:
    """Without the folders of its file."""
    path, colons, rest = test_id.partition("::")
    return f"{path.rpartition('/')[2]}{colons}{rest}"


def notes(found: WallComparison) -> list[str]:
    """What a reader must know."""
    line, lines = found.line, []
    reasons = {one.because: None for one in (line.gain, line.offset_w, line.lag_s) if isinstance(one, Absent)}
    lines += [f"{CANT_SAY[0].upper()}{CANT_SAY[1:]}: {because}." for because in reasons]
    if line.noise_w is not None:
        scatter = to_text(line.noise_w, "W", digits=2)
        lines.append(f"A row scatters by {scatter} around the line; {line.row_count} rows lie in windows.")
    if line.slow_s:
        constant = to_text(line.slow_s, "s", digits=2)
        lines.append(
            f"The meter answers slowly: after the lag, its rows approach a new power with a time constant of "
            f"{constant}. Rows near the edges of a window lack a part of it, also those of the tests above."
        )
    lines.append(
        "A wall or riser meter measures the whole machine: fans, other parts and the loss of the power "
        "supply are in gain and offset, which are not an error of the counters."
    )
    if not isinstance(line.lag_s, Absent):
        lines.append(
            "Intervals are from resampled windows. What drifts over the whole run, such as the speed of "
            "fans, is not in them."
        )
    if Provenance.ESTIMATED in found.power.provenances:
        lines.append("Windows of this run are estimated: the gain is one of the estimate.")
    lines += [
        f"Left out: {count_text(count, 'window')} {because}."
        for because, count in sorted(found.power.left_out.items())
    ]
    return [*lines, *found.series.notes]


def as_json(found: WallComparison, meter_name: str) -> dict[str, object]:
    """For programs: what can't be said is null, with the reason in `absent`."""
    line = found.line
    values = {"gain": line.gain, "offset_w": line.offset_w, "lag_s": line.lag_s}
    return {
        "meter": meter_name,
        "row_count": len(found.series.rows.stop_s),
        "row_span_s": found.series.span_s,
        "channels": [*found.power.channels],
        "provenances": sorted(map(str, found.power.provenances)),
        **{name: None if isinstance(one, Absent) else one.value for name, one in values.items()},
        **{
            f"{name}_ci": None if isinstance(one, Absent) else [one.lower, one.upper]
            for name, one in values.items()
        },
        "noise_w": line.noise_w,
        "time_constant_s": line.slow_s,
        "absent": {name: one.because for name, one in values.items() if isinstance(one, Absent)},
        "window_count": line.window_count,
        "left_out": dict(found.power.left_out),
        "notes": notes(found),
        "windows": [
            {
                "id": one.name,
                "start_unix_s": one.start_unix_s,
                "duration_s": one.duration_s,
                "energy_j": one.energy_j,
                "meter_energy_j": one.meter_energy_j,
            }
            for one in found.windows
        ],
    }
