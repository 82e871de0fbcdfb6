"""What the page's script shows of each test: texts as in every report, and numbers only to draw and to sort.

Rule 1: every number that is read is a text made here; the script writes no number of its own.
Rule 2: what the run does not hold (the tolerance, the levels of the baseline's sessions) is said, not drawn.
Rule 3: what charts have in common, such as looks, axes and keys, is written once: 10,000 tests stay light.
"""

import math
from collections.abc import Iterator, Sequence

from pytest_energy.codec import JsonDict
from pytest_energy.judgement import FAILING, SEVERITY, Comparison, CountsComparison, Judgement
from pytest_energy.meter.scope import estimated_j, scope_text
from pytest_energy.model import Provenance, Reading, Record
from pytest_energy.report import cells, count_cells
from pytest_energy.report.charts import change, power, rounds
from pytest_energy.report.charts.spec import Chart
from pytest_energy.report.html.svg import Figure, Path, Text, draw
from pytest_energy.report.text import tick
from pytest_energy.report.view import Row
from pytest_energy.units import to_text
from pytest_energy.verdict.figures import count_text
from pytest_energy.verdict.prediction_words import prediction_texts

_SORTED_DIGITS = 9  # of a number that is sorted by


class Shared:
    """Values that charts have in common, each once, in the order of their places."""

    def __init__(self) -> None:
        self._places: dict[object, int] = {}

    @property
    def values(self) -> list[object]:
        return list(self._places)

    def place(self, value: object) -> int:
        """Where *value*, of tuples, stands now or from now on."""
        return self._places.setdefault(value, len(self._places))

    def figure(self, figure: Figure) -> list[object]:
        """Places of the title with caption and height, of each part's shapes, and of the keys."""
        head = self.place((figure.title, figure.caption, figure.height))
        parts = [self.place(tuple(map(self._shape, part))) for part in figure.parts]
        keys = [self.place((self._shape(sample), text)) for sample, text in figure.keys]
        return [head, parts, keys]

    def _shape(self, shape: Path | Text) -> tuple[object, ...]:
        """Look and form of a path, and its places; or of a text its look, its place and itself."""
        if isinstance(shape, Path):
            return self.place((shape.look, shape.form)), shape.places
        return self.place((shape.look, shape.anchor)), shape.x, shape.y, shape.text


def entry(row: Row, shared: Shared, columns: Sequence[str] = cells.HEADS) -> JsonDict:
    """One test; what it has nothing of is left out, what its charts have in common is *shared*."""
    judgement, record = row.judgement, row.judgement.record
    fields: JsonDict = {
        "id": cells.printable(row.record.test_id),
        "name": cells.printable(row.short_id),
        "verdict": row.verdict.value,
        "group": None if record.group is None else cells.printable(record.group),
        "model": None if record.model is None else cells.printable(record.model),
        "cells": cells.values(row, columns),
        "sort": sort_keys(row, columns),
        "reason": reason(judgement),
        "facts": _facts(judgement),
        "rounds": _rounds(judgement),
        "charts": [shared.figure(draw(chart)) for chart in charts(judgement)],
        "unpowered": power.why_not_drawn(record),
        "change": None if judgement.comparison is None else _change(judgement.comparison),
        "counts": _counts(judgement.counts_comparison),
        "phases": _phases(judgement),
        "metrics": _metrics(judgement),
        "absent": [_pair(name, because) for name, because in record.absent.items()],
    }
    return {name: value for name, value in fields.items() if value is not None and value != []}


def sort_keys(row: Row, columns: Sequence[str]) -> list[float | None]:
    """A number for each of `cells.values`, and the verdict's place before them."""
    record, comparison = row.record, row.judgement.comparison
    decisive = None if comparison is None else comparison.decisive or comparison
    ratio = count_cells.judged_ratio(row.judgement) or (None if decisive is None else decisive.ratio)
    numbers = (
        *(row.energy_j, record.power_w, record.duration_s, record.energy_per_sample_j, ratio),
        estimated_j(record),
    )
    return [SEVERITY[row.verdict].of_rows, *map(rounded, numbers[: len(columns)])]


def reason(judgement: Judgement) -> str:
    """The whole reason, a line each."""
    return "\n".join(map(cells.printable, judgement.reason.strip().splitlines()))


def rounded(value: float | None) -> float | None:
    """*value* for the page's script, which sorts by it; `None` for what is no number."""
    return None if value is None or not math.isfinite(value) else float(f"{value:.{_SORTED_DIGITS}g}")


def headline(row: Row) -> str:
    """First line of the reason of a test that fails; the others say it by their verdict."""
    return cells.first_line(row.judgement.reason) if row.verdict in FAILING else ""


def _pair(name: str, text: str) -> list[str]:
    return [cells.printable(name), cells.printable(text)]


def _facts(judgement: Judgement) -> list[list[str]]:
    record, budget = judgement.record, judgement.budget
    net_j, active_j = record.net_energy_j, record.active_energy_j
    limits_j = {
        "budget a round": budget.budget_j,
        "budget a sample": budget.budget_per_sample_j,
        "budget a token": budget.budget_per_token_j,
    }
    facts = {
        "test": record.test_id,
        "measured": record.created,
        "model": record.model,
        "group": record.group,
        "samples a round": None if record.samples is None else str(record.samples),
        "output tokens a round": None if record.output_tokens is None else str(record.output_tokens),
        "rounds": f"{count_text(len(record.rounds), 'round')}, {record.warmup_count} before them to warm up",
        "energy above idle": None if net_j is None else cells.energy(record.provenance, net_j),
        "energy above ready power": None if active_j is None else cells.energy(record.provenance, active_j),
        "95 % interval of the mean": _interval_text(judgement),
        **{name: to_text(limit_j, "J") for name, limit_j in limits_j.items() if limit_j is not None},
        "joules are of": scope_text(record) or None,
        "estimate beside them": _estimate_text(record),
        **prediction_texts(record),
        "outcome of the test": None if judgement.outcome == "passed" else judgement.outcome,
        "joules are": None if record.provenance is Provenance.MEASURED else record.provenance.value,
        **record.workload,
        **record.engine_settings,
    }
    return [_pair(name, text) for name, text in facts.items() if text is not None]


def _estimate_text(record: Record) -> str | None:
    beside_j = estimated_j(record)
    return None if beside_j is None else f"CPU {cells.energy(Provenance.ESTIMATED, beside_j)}, never added"


def _interval_text(judgement: Judgement) -> str | None:
    if judgement.summary is None:
        return None
    mark = cells.MARKS[judgement.record.provenance]
    return " to ".join(mark + to_text(end_j, "J", digits=5) for end_j in judgement.summary.energy_ci_j)


# ---- rounds ----


def _rounds(judgement: Judgement) -> JsonDict | None:
    """The table of the rounds: a column for each channel if there are several."""
    record = judgement.record
    if not record.rounds:
        return None
    names = list(dict.fromkeys(name for reading in record.rounds for name in reading.channels))
    channels = names if len(names) > 1 else []
    first_confirming = len(record.rounds) - record.confirming_count + 1
    rows = [
        [
            f"{number}{' (confirming)' if number >= first_confirming else ''}",
            *_round_cells(reading, record.provenance, channels),
            _round_notes(reading),
        ]
        for number, reading in enumerate(record.rounds, 1)
    ]
    head = ["round", "energy", "s", "W", *map(cells.printable, channels), "notes"]
    if not any(row[-1] for row in rows):
        head, rows = head[:-1], [row[:-1] for row in rows]
    return {"head": head, "rows": rows}


def _round_cells(reading: Reading, provenance: Provenance, channels: Sequence[str]) -> list[str]:
    energy_j, duration_s = reading.energy_j, reading.duration_s
    is_usable = energy_j is not None
    return [
        cells.energy(provenance, energy_j, reading.uncertainty_j),
        cells.duration(provenance, duration_s),
        cells.power(provenance, None if energy_j is None or duration_s <= 0 else energy_j / duration_s),
        *(cells.energy(provenance, reading.channels.get(name) if is_usable else None) for name in channels),
    ]


def _round_notes(reading: Reading) -> str:
    notes = [] if reading.void_because is None else [f"void: {reading.void_because}"]
    notes += reading.quality
    if reading.call_count != 1:
        notes.append(f"one of {reading.call_count} calls in a window")
    notes += [f"{name} {tick(degrees)} °C" for name, degrees in reading.temperatures_c.items()]
    return cells.printable("; ".join(notes))


def _phases(judgement: Judgement) -> list[list[str]]:
    """Named windows inside the rounds: round, name, joules, seconds."""
    return [
        [
            str(number),
            cells.printable(phase.name),
            cells.energy(judgement.record.provenance, phase.energy_j),
            cells.plain(phase.duration_s, digits=3),
        ]
        for number, reading in enumerate(judgement.record.rounds, 1)
        for phase in reading.phases
    ]


def _metrics(judgement: Judgement) -> list[list[str]]:
    return [
        [cells.printable(name), cells.ABSENT if value is None else cells.plain(value)]
        for name, value in judgement.record.metrics.items()
    ]


# ---- against the baseline ----


def charts(judgement: Judgement) -> Iterator[Chart]:
    """What is drawn of one test: rounds, change, channels, power over time."""
    drawn = rounds.gross_rounds(judgement)
    if drawn is not None:
        yield rounds.chart(drawn)
    if judgement.comparison is not None:
        yield change.chart(judgement.comparison)
    by_channel = rounds.channel_chart(judgement.record)
    if by_channel is not None:
        yield by_channel
    yield from power.charts(judgement.record)


def _counts(comparison: CountsComparison | None) -> JsonDict | None:
    """The table of what the work does otherwise."""
    if comparison is None:
        return None
    rows, notes = count_cells.rows(comparison), count_cells.notes(comparison)
    return {"head": list(count_cells.HEADS), "rows": rows, "notes": notes}


def _change(comparison: Comparison) -> JsonDict:
    """What else differs from the baseline, and what must be said of it."""
    return {
        "differences": [
            [cells.printable(text) for text in (name, *pair)] for name, pair in comparison.differences.items()
        ],
        "notes": [
            *(cells.printable(text) for text in (comparison.creep, comparison.note) if text),
            *_of_the_baseline(comparison),
        ],
    }


def _of_the_baseline(comparison: Comparison) -> list[str]:
    """Levels of the sessions in words; and what a run that was written before they were kept lacks."""
    levels_j, lines = comparison.entry_energies_j, []
    if len(levels_j) > 1:
        of_what = f" ({comparison.basis})" if comparison.basis else ""
        levels = ", ".join(to_text(level_j, "J") for level_j in levels_j)
        lines.append(f"levels of the baseline's sessions{of_what}, the oldest first: {levels}")
    lacks = [
        *(["the levels of the baseline's sessions"] if comparison.entry_count > 1 and not levels_j else []),
        *(["the tolerance, which stands in the reason"] if comparison.tolerance is None else []),
    ]
    return [*lines, *([f"not in this run's JSON: {'; '.join(lacks)}"] if lacks else [])]
