"""What the page's script shows of each test: texts as in every report, and numbers only to draw and to sort.

Rule 1: every number that is read is a text made here; the script writes no number of its own.
Rule 2: what the run does not hold (the tolerance, the levels of the baseline's sessions) is said, not drawn.
"""

import math
from collections.abc import Iterable, Sequence

from pytest_energy.model import FAILING, SEVERITY, Comparison, Judgement, Provenance, Reading
from pytest_energy.report import cells
from pytest_energy.report.html import power
from pytest_energy.report.html.axis import axis_json, linear_axis, rounded
from pytest_energy.report.text import tick
from pytest_energy.report.view import Row
from pytest_energy.units import to_text, with_uncertainty_text
from pytest_energy.verdict.figures import change_text, count_text
from pytest_energy.wire import JsonDict


def entry(row: Row) -> JsonDict:
    """One test; what it has nothing of is left out."""
    judgement, record = row.judgement, row.judgement.record
    fields: JsonDict = {
        "id": cells.printable(row.test_id),
        "name": cells.printable(row.short_id),
        "verdict": row.verdict.value,
        "group": None if record.group is None else cells.printable(record.group),
        "model": None if record.model is None else cells.printable(record.model),
        "cells": values(row),
        "sort": sort_keys(row),
        "reason": reason(judgement),
        "facts": _facts(judgement),
        "rounds": _rounds(judgement),
        "level": _level(judgement),
        "channels": _channels(judgement),
        "power": power.charts(record),
        "unpowered": power.why_not_drawn(record),
        "change": None if judgement.comparison is None else _change(judgement.comparison),
        "phases": _phases(judgement),
        "metrics": _metrics(judgement),
        "absent": [_pair(name, because) for name, because in record.absent.items()],
    }
    return {name: value for name, value in fields.items() if value is not None and value != []}


def values(row: Row) -> list[str]:
    """The cells of the table of tests behind name and verdict."""
    return [
        cells.energy(row),
        cells.power(row),
        cells.duration(row),
        cells.energy_per_sample(row.provenance, row.energy_per_sample_j),
        " ".join(filter(None, cells.change(row.judgement.comparison))),
    ]


def sort_keys(row: Row) -> list[float | None]:
    """A number for each of `values`, and the verdict's place before them."""
    comparison = row.judgement.comparison
    return [
        SEVERITY[row.verdict].of_rows,
        *map(
            rounded,
            (
                row.energy_j,
                row.power_w,
                row.duration_s,
                row.energy_per_sample_j,
                None if comparison is None else comparison.ratio,
            ),
        ),
    ]


def reason(judgement: Judgement) -> str:
    """The whole reason, a line each."""
    return "\n".join(map(cells.printable, judgement.reason.strip().splitlines()))


def headline(row: Row) -> str:
    """First line of the reason of a test that fails; the others say it by their verdict."""
    return cells.first_line(row.judgement.reason) if row.verdict in FAILING else ""


def _pair(name: str, text: str) -> list[str]:
    return [cells.printable(name), cells.printable(text)]


def _facts(judgement: Judgement) -> list[list[str]]:
    record, budget = judgement.record, judgement.budget
    net_j = record.net_energy_j
    mark = cells.MARKS[record.provenance]
    told = {
        "test": record.test_id,
        "measured": record.created,
        "model": record.model,
        "group": record.group,
        "samples a round": None if record.samples is None else str(record.samples),
        "output tokens a round": None if record.output_tokens is None else str(record.output_tokens),
        "rounds": f"{count_text(len(record.rounds), 'round')}, {record.warmup_count} before them to warm up",
        "energy above idle": None if net_j is None else mark + to_text(net_j, "J"),
        "95 % interval of the mean": _interval_text(judgement),
        "budget a round": _limit(budget.budget_j),
        "budget a sample": _limit(budget.budget_per_sample_j),
        "budget a token": _limit(budget.budget_per_token_j),
        "outcome of the test": None if judgement.outcome == "passed" else judgement.outcome,
        "joules are": None if record.provenance is Provenance.MEASURED else record.provenance.value,
        **record.work,
        **record.tuning,
    }
    return [_pair(name, text) for name, text in told.items() if text is not None]


def _limit(limit_j: float | None) -> str | None:
    return None if limit_j is None else to_text(limit_j, "J")


def _interval_text(judgement: Judgement) -> str | None:
    if judgement.summary is None:
        return None
    mark = cells.MARKS[judgement.record.provenance]
    return " to ".join(mark + to_text(end_j, "J", digits=5) for end_j in judgement.summary.energy_ci_j)


# ---- rounds ----


def _names(rounds: Iterable[Reading]) -> list[str]:
    return list(dict.fromkeys(name for reading in rounds for name in reading.channels))


def _rounds(judgement: Judgement) -> JsonDict | None:
    """The table of the rounds: a column for each channel if there are several."""
    record = judgement.record
    if not record.rounds:
        return None
    names = _names(record.rounds)
    shown = names if len(names) > 1 else []
    first_confirming = len(record.rounds) - record.confirming_count + 1
    rows = [
        [
            f"{number}{' (confirming)' if number >= first_confirming else ''}",
            *_round_cells(reading, record.provenance, shown),
            _round_notes(reading),
        ]
        for number, reading in enumerate(record.rounds, 1)
    ]
    head = ["round", "energy", "s", "W", *map(cells.printable, shown), "notes"]
    if not any(row[-1] for row in rows):
        head, rows = head[:-1], [row[:-1] for row in rows]
    return {"head": head, "rows": rows}


def _round_cells(reading: Reading, provenance: Provenance, channels: Sequence[str]) -> list[str]:
    mark = cells.MARKS[provenance]
    duration = (mark if provenance is Provenance.REPLAYED else "") + cells.plain(reading.duration_s, digits=3)
    energy_j = reading.energy_j
    if energy_j is None:
        return [cells.ABSENT, duration, cells.ABSENT, *[cells.ABSENT] * len(channels)]
    has_power = reading.duration_s > 0
    return [
        mark + with_uncertainty_text(energy_j, reading.uncertainty_j, "J"),
        duration,
        mark + cells.plain(energy_j / reading.duration_s, digits=3) if has_power else cells.ABSENT,
        *(
            mark + to_text(reading.channels[name], "J") if name in reading.channels else cells.ABSENT
            for name in channels
        ),
    ]


def _round_notes(reading: Reading) -> str:
    told = [] if reading.void_because is None else [f"void: {reading.void_because}"]
    told += reading.quality
    if reading.call_count != 1:
        told.append(f"one of {reading.call_count} calls in a window")
    told += [f"{name} {tick(degrees)} °C" for name, degrees in reading.temperatures_c.items()]
    return cells.printable("; ".join(told))


def _phases(judgement: Judgement) -> list[list[str]]:
    """Named windows inside the rounds: round, name, joules, seconds."""
    record = judgement.record
    mark = cells.MARKS[record.provenance]
    return [
        [
            str(number),
            cells.printable(phase.name),
            cells.ABSENT if phase.energy_j is None else mark + to_text(phase.energy_j, "J"),
            cells.plain(phase.duration_s, digits=3),
        ]
        for number, reading in enumerate(record.rounds, 1)
        for phase in reading.phases
    ]


def _metrics(judgement: Judgement) -> list[list[str]]:
    return [
        [cells.printable(name), cells.ABSENT if value is None else cells.plain(value)]
        for name, value in judgement.record.metrics.items()
    ]


# ---- charts ----


def _level(judgement: Judgement) -> JsonDict | None:
    """Joules of each round, the interval of their mean, and what they are held against."""
    rounds, summary = judgement.record.rounds, judgement.summary
    points = [None if (r.energy_j is None) else [r.energy_j, r.uncertainty_j] for r in rounds]
    known = [point for point in points if point is not None]
    if not known or judgement.record.void_because is not None:
        return None
    lines, comparison = _held_against(judgement), _of_rounds(judgement.comparison)
    band = [] if summary is None else list(summary.energy_ci_j)
    sessions_j = [] if comparison is None else list(comparison.session_energies_j)
    allowed = None if comparison is None else _allowed(comparison)
    ends_j = [energy_j + sign * error_j for energy_j, error_j in known for sign in (-1, 1)]
    against_j = [*sessions_j, *(value_j for value_j, _ in lines), *([] if allowed is None else [allowed[1]])]
    axis = linear_axis([*ends_j, *band, *against_j], "J")
    drawn: JsonDict = {
        "title": _of_each_round(judgement),
        "axis": axis_json(axis),
        "points": [None if point is None else [rounded(value) for value in point] for point in points],
        "band": [rounded(value) for value in band],
        "lines": [[rounded(value_j), text] for value_j, text in lines],
        "sessions": [rounded(level_j) for level_j in sessions_j],
    }
    if allowed is not None:
        from_j, until_j, text = allowed
        drawn["allowed"] = [rounded(from_j), rounded(until_j), text]
    return drawn


def _of_rounds(comparison: Comparison | None) -> Comparison | None:
    """*comparison*, if its joules are those of a round."""
    return None if comparison is None or comparison.basis else comparison


def _allowed(comparison: Comparison) -> tuple[float, float, str] | None:
    """The joules from the baseline up to what the tolerance accepts, and what they are called."""
    if comparison.tolerance is None:
        return None
    limit_j = comparison.energy_j * (1 + comparison.tolerance)
    text = f"tolerance +{comparison.tolerance * 100:g} %: up to {to_text(limit_j, 'J')}"
    return comparison.energy_j, limit_j, text


def _of_each_round(judgement: Judgement) -> str:
    """A chart's title; it never shows an estimate or a replay as a measurement."""
    provenance = judgement.record.provenance
    origin = "" if provenance is Provenance.MEASURED else f"{provenance.value} "
    return f"{origin}joules of each round".capitalize()


def _held_against(judgement: Judgement) -> list[tuple[float, str]]:
    """Baseline and budget in joules a round, each with its name."""
    comparison, budget_j = _of_rounds(judgement.comparison), judgement.budget.budget_j
    lines = []
    if comparison is not None:
        sessions = count_text(comparison.session_count, "session")
        lines.append((comparison.energy_j, f"baseline {to_text(comparison.energy_j, 'J')} ({sessions})"))
    if budget_j is not None:
        lines.append((budget_j, f"budget {to_text(budget_j, 'J')}"))
    return lines


def _channels(judgement: Judgement) -> JsonDict | None:
    """Joules of each round by channel, to be stacked; nothing to see in a single channel."""
    usable = [(number, r) for number, r in enumerate(judgement.record.rounds, 1) if r.energy_j is not None]
    names = _names(reading for _, reading in usable)
    if len(names) < 2:
        return None
    highest_j = max(math.fsum(reading.channels.values()) for _, reading in usable)
    return {
        "title": f"{_of_each_round(judgement)} by channel",
        "axis": axis_json(linear_axis([highest_j], "J", has_zero=True)),
        "names": [cells.printable(name) for name in names],
        "rounds": [
            [number, *(rounded(reading.channels.get(name, 0.0)) for name in names)]
            for number, reading in usable
        ],
    }


def _change(comparison: Comparison) -> JsonDict:
    """The ratio with its bounds, what is accepted, why it is what it is, and what else differs."""
    bounds, tolerance = comparison.ratio_ci, comparison.tolerance
    shown = [comparison.ratio - 1, *(ratio - 1 for ratio in bounds), comparison.detectable_ratio - 1, 0.0]
    axis = linear_axis(
        [*shown, *([] if tolerance is None else [tolerance])], text=lambda change: change_text(1 + change)
    )
    drawn: JsonDict = {
        "axis": axis_json(axis),
        "ratio": [rounded(comparison.ratio - 1), change_text(comparison.ratio)],
        "bounds": [[rounded(ratio - 1), change_text(ratio)] for ratio in bounds],
        "detectable": [rounded(comparison.detectable_ratio - 1), change_text(comparison.detectable_ratio)],
        "basis": comparison.basis or "joules a round",
        "why": _why(comparison),
        "differences": [
            [cells.printable(text) for text in (name, *pair)] for name, pair in comparison.differences.items()
        ],
        "notes": [
            *(cells.printable(text) for text in (comparison.creep, comparison.note) if text),
            *_of_the_baseline(comparison),
        ],
    }
    if tolerance is not None:
        drawn["tolerance"] = [rounded(tolerance), f"tolerance: up to +{tolerance * 100:g} %"]
    return drawn


def _of_the_baseline(comparison: Comparison) -> list[str]:
    """Levels of the sessions in words; and what a run that was written before they were kept lacks."""
    levels_j, told = comparison.session_energies_j, []
    if len(levels_j) > 1:
        of_what = f" ({comparison.basis})" if comparison.basis else ""
        levels = ", ".join(to_text(level_j, "J") for level_j in levels_j)
        told.append(f"levels of the baseline's sessions{of_what}, the oldest first: {levels}")
    lacks = [
        *(["the levels of the baseline's sessions"] if comparison.session_count > 1 and not levels_j else []),
        *(["the tolerance, which stands in the reason"] if comparison.tolerance is None else []),
    ]
    return [*told, *([f"not in this run's JSON: {'; '.join(lacks)}"] if lacks else [])]


def _why(comparison: Comparison) -> list[list[object]]:
    """The change as a sum of logarithms, ln(E'/E) = ln(T'/T) + ln(P'/P), each with its text."""
    ratios = {
        "energy": comparison.ratio,
        "time": comparison.duration_ratio,
        "power": comparison.power_ratio,
    }
    if min(ratios.values()) <= 0:
        return []
    return [[name, rounded(math.log(ratio)), change_text(ratio)] for name, ratio in ratios.items()]
