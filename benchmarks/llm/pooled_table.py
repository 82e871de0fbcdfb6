"""The pooled rows as text: the rows, the correlations beside the paper's, and one card beside several.

Rule 1: rows of one size, and of one rate, are not independent. Intervals resample sizes and rates, not rows,
and are wide: there are four of the one and five of the other.
Rule 2: the mean of rho within each size is beside rho of all: a metric that only tells sizes apart has none.
Rule 3: what a run lacks is `-` here, with its reason in the run's JSON.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from statistics import fmean

from tabulate import tabulate

from pytest_energy.conversion import judgement_from_json
from pytest_energy.metrics.paper_rho import PAPER_RHO
from pytest_energy.model import Record
from pytest_energy.stats.correlate import LEAST_ROW_COUNT, spearman

# Values that differ by less are one: rows of equal design have requests enough to differ in the next digit.
DECIMALS = {"average_output_token_length": 0, "cache_hit_rate": 2}

PAPER = PAPER_RHO["pooled"]["HC-4"]
SEED = 281


def records(places: Iterable[Path]) -> tuple[Record, ...]:
    """Of each test, in files or in all `*.jsonl` of folders, the newest record with joules."""
    found: dict[str, Record] = {}
    for path in _files(places):
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
            record = judgement_from_json(json.loads(line), f"{path}:{number}").record
            if record.energy_j is not None and record.created >= created(found.get(record.test_id)):
                found[record.test_id] = record
    return tuple(found.values())


def created(record: Record | None) -> str:
    """Of no record: before any."""
    return "" if record is None else record.created


def _files(places: Iterable[Path]) -> Iterator[Path]:
    for place in places:
        yield from sorted(place.glob("*.jsonl")) if place.is_dir() else [place]


def table(places: Iterable[Path], *, form: str = "plain") -> str:
    """All tables that the rows give.

    Args:
        places: Files of rows, or folders of them.
        form: As tabulate names it: `plain` for a terminal, `github` for a page.
    """
    found = sorted(records(places), key=lambda record: (gpu_count(record), parameters(record), rate(record)))
    lone = [record for record in found if gpu_count(record) == 1]
    parts = [_rows_text(found, form), _correlations_text(lone, form), _cards_text(found, form)]
    return "\n\n".join(part for part in parts if part)


def gpu_count(record: Record) -> int:
    """Cards that share each layer."""
    return int(record.engine_settings.get("gpus", "1"))


def parameters(record: Record) -> float:
    return record.metrics.get("parameters") or 0.0


def rate(record: Record) -> float:
    """Asked; 0 where nothing was measured."""
    return record.metrics.get("request_rate") or 0.0


def size_of(record: Record) -> str:
    return (record.model or "").partition("@")[0]


def joules(record: Record) -> float:
    """Of a request, gross, of all cards that were measured."""
    return (record.energy_j or 0.0) / (record.samples or 1)


def _rows_text(found: Sequence[Record], form: str) -> str:
    heads = ("model", "cards", "/s", "J/request", "rounds", "hits", "tokens", "mJ/token", "counted", "")
    return _lined("Rows", heads, [_row(record) for record in found], form)


def _row(record: Record) -> tuple[str, ...]:
    hits, length = (record.metrics.get(name) for name in ("cache_hit_rate", "average_output_token_length"))
    each_j = [energy_j / (record.samples or 1) for energy_j in record.round_energies_j]
    return (
        size_of(record),
        str(gpu_count(record)),
        f"{rate(record):g}",
        f"{joules(record):.4g}",
        "-" if len(each_j) < 2 else f"{(max(each_j) - min(each_j)) / joules(record):.1%}",
        "-" if hits is None else f"{hits:.0%}",
        "-" if length is None else f"{length:.0f}",
        "-" if record.energy_per_token_j is None else f"{1000 * record.energy_per_token_j:.3g}",
        record.workload.get("counted", "-").split()[0],
        "" if record.saturated_because is None else "saturated",
    )


def _correlations_text(found: Sequence[Record], form: str) -> str:
    heads = ("rho with J/request", "paper", "ours", "95 % interval", "n", "within", "agrees")
    lines = [_correlation(name, paper, found) for name, paper in PAPER.items()]
    return _lined("Correlations on one card; intervals are over sizes and rates", heads, lines, form)


def _correlation(name: str, paper: float, found: Sequence[Record]) -> tuple[str, ...]:
    values = {
        record.test_id: round(value, DECIMALS[name]) if name in DECIMALS else value
        for record in found
        if (value := record.metrics.get(name)) is not None
    }
    rows = [record for record in found if record.test_id in values]
    x, y = [values[record.test_id] for record in rows], [joules(record) for record in rows]
    factors = ([size_of(record) for record in rows], [f"{rate(record):g}" for record in rows])
    result = spearman(x, y, seed=SEED, factors=factors)
    interval = "-" if result.ci is None else f"{result.ci[0]:+.2f} to {result.ci[1]:+.2f}"
    return (
        name,
        f"{paper:+.2f}",
        "-" if result.rho is None else f"{result.rho:+.2f}",
        interval,
        str(result.n),
        _within(rows, values),
        "-" if name == "energy_per_sample" else agreement(paper, result.ci),
    )


def agreement(paper: float, ci: tuple[float, float] | None) -> str:
    """Whether an interval of ours holds the paper's rho; `open` where it holds 0 as well.

    >>> agreement(-0.95, (-1.0, -0.8)), agreement(0.32, (-0.1, 0.9)), agreement(0.32, (0.5, 0.9))
    ('yes', 'open', 'no')
    """
    if ci is None:
        return "-"
    if not ci[0] <= paper <= ci[1]:
        return "no"
    return "open" if ci[0] <= 0 <= ci[1] else "yes"


def _within(rows: Sequence[Record], values: Mapping[str, float]) -> str:
    """Mean of the rhos among the rows of one size each."""
    rhos = [
        result.rho
        for size in dict.fromkeys(map(size_of, rows))
        for own in ([record for record in rows if size_of(record) == size],)
        if len(own) >= LEAST_ROW_COUNT
        for result in (spearman([values[r.test_id] for r in own], [joules(r) for r in own], seed=SEED),)
        if result.rho is not None
    ]
    return f"{fmean(rhos):+.2f}" if rhos else "-"


def _cards_text(found: Sequence[Record], form: str) -> str:
    """Rows of one size and rate that were measured on several cards, beside those on one."""
    lone = {(size_of(record), rate(record)): record for record in found if gpu_count(record) == 1}
    heads = ("model", "/s", "J, 1 card", "J, all cards", "ratio", "by card", "TPOT ms, 1 card", "all")
    lines = [
        _pair(lone.get((size_of(record), rate(record))), record) for record in found if gpu_count(record) > 1
    ]
    return _lined("J/request on several cards, beside one", heads, lines, form) if lines else ""


def _pair(one: Record | None, several: Record) -> tuple[str, ...]:
    names = sorted({name for reading in several.rounds for name in reading.channels})
    by_card = [
        fmean(reading.channels.get(name, 0.0) for reading in several.rounds) / (several.samples or 1)
        for name in names
    ]
    return (
        size_of(several),
        f"{rate(several):g}",
        "-" if one is None else f"{joules(one):.4g}",
        f"{joules(several):.4g}",
        "-" if one is None else f"{joules(several) / joules(one):.2f}",
        " + ".join(f"{energy_j:.4g}" for energy_j in by_card),
        *("-" if record is None else _tpot(record) for record in (one, several)),
    )


def _tpot(record: Record) -> str:
    time_s = record.metrics.get("tpot_p50_s")
    return "-" if time_s is None else f"{1000 * time_s:.1f}"


def _lined(title: str, heads: Sequence[str], lines: Sequence[Sequence[str]], form: str) -> str:
    """A table of text under its title; the first column to the left, the others to the right."""
    sides = ("left", *["right"] * (len(heads) - 1))
    headers = "firstrow" if form == "github" else ()  # a terminal's would be padded
    text = tabulate([heads, *lines], headers=headers, tablefmt=form, colalign=sides, disable_numparse=True)
    return f"{title}\n\n{text}"
