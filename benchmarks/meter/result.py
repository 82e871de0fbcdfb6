"""A run as JSON and as Markdown. Pure: the run in, text out; every figure is computed elsewhere."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass

from tabulate import tabulate

from benchmarks.meter.bursts import LOADED, PeerSeries, Series
from benchmarks.meter.costs import SamplerCost, WindowCost
from benchmarks.meter.demands import PEERS, Row
from benchmarks.meter.figures import Length, Score
from benchmarks.meter.truth import Read

FORMAT_VERSION = 1
# History: 1 first

_PERCENT = 100.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """All that a run found.

    Attributes:
        created: UTC time, ISO 8601 with `Z`.
        command: The options, as given.
        facts: GPU, driver, versions and the like, as text.
        peers_absent: Tool to why it wasn't measured.
        lengths: Figures by length.
        series: Our own series, for the raw values.
        peer_series: Those of the other tools.
        samplers: `idle` and `busy` to the sampler's cost.
        windows: Cost of windows that wait for nothing.
        rows: The demands.
        notes: What a reader should know of this run.
        duration_s: Seconds from the script's start to its end.
    """

    created: str
    command: str
    facts: Mapping[str, str]
    peers_absent: Mapping[str, str]
    lengths: Sequence[Length]
    series: Sequence[Series]
    peer_series: Sequence[PeerSeries]
    samplers: Mapping[str, SamplerCost]
    windows: Sequence[WindowCost]
    rows: Sequence[Row]
    notes: Sequence[str]
    duration_s: float


def to_json(run: Run) -> str:
    """The figures, the demands and each window's own values."""
    fields = {
        "format": FORMAT_VERSION,
        "created": run.created,
        "command": run.command,
        "duration_s": run.duration_s,
        "facts": dict(run.facts),
        "notes": list(run.notes),
        "demands": [asdict(row) for row in run.rows],
        "lengths": [asdict(length) | {"rmse_ratios": _ratios(length)} for length in run.lengths],
        "peers_absent": dict(run.peers_absent),
        "sampler": {state: _sampler_fields(cost) for state, cost in run.samplers.items()},
        "windows_without_wait": [asdict(cost) for cost in run.windows],
        "series": [_series_json(series) for series in run.series],
        "peer_series": [_peer_series_json(series) for series in run.peer_series],
    }
    return json.dumps(fields, indent=1, allow_nan=False) + "\n"


def _ratios(length: Length) -> dict[str, float | None]:
    return {name: length.rmse_ratio(name) for name in length.peers}


def _series_json(series: Series) -> dict[str, object]:
    return {
        "nominal_s": series.nominal_s,
        "piece_count": series.piece_count,
        "tick_s": series.tick_s,
        "rest_s": series.rest_s,
        "windows": [
            {
                "start_s": window.stretch[0],
                "stop_s": window.stretch[1],
                "channels": dict(window.reading.channels),
                "uncertainty_j": window.reading.uncertainty_j,
                "void_because": window.reading.void_because,
                "quality": list(window.reading.quality),
                "open_s": window.open_s,
                "close_s": window.close_s,
                "is_back_to_back": window.is_back_to_back,
            }
            for window in series.windows
        ],
    }


def _peer_series_json(series: PeerSeries) -> dict[str, object]:
    return {
        "nominal_s": series.nominal_s,
        "rest_s": series.rest_s,
        "busy_s": series.busy_s,
        "windows": {
            name: [{"start_s": w.stretch[0], "stop_s": w.stretch[1], "energy_j": w.energy_j} for w in windows]
            for name, windows in series.windows.items()
        },
    }


def reads_json(run: Run) -> str:
    """Every read of the counters, from which all figures can be worked out again."""
    fields = {
        "format": FORMAT_VERSION,
        "created": run.created,
        "facts": dict(run.facts),
        "columns": ["started_s", "ended_s", "joules"],
        "ours": [
            {
                "nominal_s": series.nominal_s,
                "reads": {name: _rows(reads) for name, reads in series.reads.items()},
            }
            for series in run.series
        ],
        "samplers": {
            state: {name: _rows(reads) for name, reads in cost.reads.items()}
            for state, cost in run.samplers.items()
        },
        "peers": [
            {
                "nominal_s": series.nominal_s,
                "reads": {LOADED: _rows(series.reads)},
            }
            for series in run.peer_series
        ],
    }
    return json.dumps(fields, allow_nan=False, separators=(",", ":")) + "\n"


def _sampler_fields(cost: SamplerCost) -> dict[str, object]:
    fields = asdict(cost)
    del fields["reads"]  # are in the other file
    return fields


def _rows(reads: Iterable[Read]) -> list[list[float]]:
    return [[read.started_s, read.ended_s, read.joules] for read in reads]


def to_markdown(run: Run) -> str:
    """The tables, for people."""
    parts = [
        f"# The meter on {run.facts['GPU']}",
        _table(
            ("", ""),
            [
                *run.facts.items(),
                ("date", run.created),
                ("options", run.command),
                ("took", f"{run.duration_s:.0f} s"),
            ],
        ),
        "## Must show",
        _table(
            ("what", "demanded", "found", "", "note"),
            [(row.what, row.demand, row.found, f"**{row.outcome}**", row.note) for row in run.rows],
        ),
        "## Bursts, against the truth of their series",
        _table(
            _OWN_HEADS,
            [_own_cells(length) for length in run.lengths],
        ),
        _LEGEND,
        *_peer_parts(run),
        "## What following the counters costs",
        _table(
            ("sampler", "processor time", "reads a tick", "a read, median", "p95"),
            [_sampler_cells(state, cost) for state, cost in run.samplers.items()],
        ),
        *_idle_parts(run.lengths),
        "## Notes",
        "\n".join(f"- {note}" for note in run.notes),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


_OWN_HEADS = (
    *("nominal", "bursts", "mean length", "truth", "quiet"),
    *("ours: mean", "CV", "stated", "void", "naive: mean", "CV"),
)

_LEGEND = """\
*truth*: counter over the whole series, less quiet power x quiet time, by the number of bursts, with its
standard uncertainty. *mean*: mean of the readings less the truth. *CV*: their standard deviation over their
mean, the work's own spread included. *stated*: root mean square of the uncertainties that the readings
state. *naive*: counter after minus counter before, of the same windows."""


def _own_cells(length: Length) -> tuple[str, ...]:
    truth, quiet, ours = length.truth, length.quiet, length.ours
    return (
        f"{length.nominal_s * 1e3:g} ms",
        str(truth.count),
        f"{truth.duration_s * 1e3:.2f} ms",
        f"{truth.energy_j:.2f} +- {truth.uncertainty_j:.2f} J",
        f"{quiet.power_w:.1f} +- {quiet.uncertainty_w:.1f} W",
        *_mean_and_variation(ours),
        _percent(length.stated_share),
        str(len(length.voids)),
        *_mean_and_variation(length.naive),
    )


def _mean_and_variation(found: Score | None) -> tuple[str, str]:
    if found is None:
        return "-", "-"
    return f"{found.mean_error_share * _PERCENT:+.3g} %", _percent(found.variation_share)


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share * _PERCENT:.3g} %"


def _peer_parts(run: Run) -> Iterable[str]:
    yield "## The same bursts through other tools"
    if run.peers_absent:
        yield "\n".join(f"- {name} was not measured: {why}" for name, why in run.peers_absent.items())
    shown = [name for name in PEERS if any(name in length.peers for length in run.lengths)]
    if not shown:
        return
    yield _table(
        ("nominal", "ours: RMSE", "tool", "bursts", "truth", "mean", "CV", "RMSE", "reads 0", "RMSE / ours"),
        [_peer_cells(length, name) for length in run.lengths for name in shown if name in length.peers],
    )


def _peer_cells(length: Length, name: str) -> tuple[str, ...]:
    truth, found = length.peers[name]
    ratio = length.rmse_ratio(name)
    return (
        f"{length.nominal_s * 1e3:g} ms",
        "-" if length.ours is None else _percent(length.ours.rmse_share),
        name,
        str(truth.count),
        f"{truth.energy_j:.2f} +- {truth.uncertainty_j:.2f} J",
        *_mean_and_variation(found),
        "-" if found is None else _percent(found.rmse_share),
        "-" if found is None else str(found.zero_count),
        "-" if ratio is None else f"{ratio:.1f}",
    )


def _sampler_cells(state: str, cost: SamplerCost) -> tuple[str, ...]:
    middle_s, p95_s = cost.call_s
    return (
        state,
        f"{cost.cpu_share * _PERCENT:.2f} % of a core",
        ", ".join(f"{name} {reads:.2f}" for name, reads in cost.reads_a_tick.items()),
        f"{middle_s * 1e3:.2f} ms",
        f"{p95_s * 1e3:.2f} ms",
    )


def _idle_parts(lengths: Sequence[Length]) -> Iterable[str]:
    cells = [
        (
            f"{length.nominal_s * 1e3:g} ms",
            name,
            f"{idle.read_j:.2f} J",
            f"{idle.true_j:.2f} J",
            f"{idle.power_w:.2f} W",
            f"{idle.error_share * _PERCENT:+.3g} %",
        )
        for length in lengths
        for name, idle in length.idle_j.items()
    ]
    if cells:
        yield "## The device at rest"
        yield _table(("beside bursts of", "channel", "read", "its power x time", "its power", "error"), cells)


def _table(heads: Sequence[str], cells: Sequence[Sequence[str]]) -> str:
    return tabulate(cells, heads, tablefmt="github", disable_numparse=True)
