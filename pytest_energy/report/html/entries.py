"""What the page's script shows of each test: texts as in every report, and numbers only to draw and to sort.

Rule 1: every number that is read is a text made here; the script writes no number of its own.
Rule 2: what the run does not hold (the tolerance, the levels of the baseline's sessions) is reported, never
    drawn.
Rule 3: what charts have in common, such as looks, axes and keys, is written once: 10,000 tests stay light.
"""

import math
from collections.abc import Iterator, Sequence

from pytest_energy.codec import JsonDict
from pytest_energy.judgement import FAILING, SEVERITY, Comparison, CountsComparison, Judgement
from pytest_energy.meter.scope import estimated_j
from pytest_energy.model import Record
from pytest_energy.report import cells, count_cells
from pytest_energy.report.charts import change, power, rounds
from pytest_energy.report.charts.spec import Chart
from pytest_energy.report.html import details
from pytest_energy.report.html.details import pair
from pytest_energy.report.html.svg import Figure, Path, Text, draw
from pytest_energy.report.phases import compared_phase, phase_means
from pytest_energy.report.view import Row

_SORTED_DIGITS = 9  # of a number that is sorted by


class Shared:
    """Values that charts have in common, each once, in the order of their places."""

    def __init__(self) -> None:
        self._places: dict[object, int] = {}

    @property
    def values(self) -> list[object]:
        return list(self._places)

    def place(self, value: object) -> int:
        """Where *value*, of tuples, is now or from now on."""
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
        "given": given_name(record),
        "verdict": row.verdict.value,
        "group": None if record.group is None else cells.printable(record.group),
        "cells": values(row, columns),
        "sort": sort_keys(row, columns),
        "brief": brief(judgement),
        "reason": reason(judgement),
        "phases": phases(judgement, columns),
        "numbers": details.numbers(judgement),
        "facts": details.facts(judgement),
        "sessions": details.sessions(judgement.comparison),
        "rounds": details.rounds(record),
        "charts": [shared.figure(draw(chart)) for chart in charts(judgement)],
        "unpowered": power.why_not_drawn(record),
        "change": None if judgement.comparison is None else _change(judgement.comparison),
        "counts": _counts(judgement.counts_comparison),
        "metrics": _metrics(judgement),
        "absent": details.absent(record.absent),
    }
    return {name: value for name, value in fields.items() if value is not None and value != []}


# ---- the row ----


def given_name(record: Record) -> str | None:
    """What a person called the work: its model, with the rate of a load: `llama-8b@8/s`."""
    if record.model is None:
        return None
    rate = record.metrics.get("request_rate")
    suffix = "" if rate is None else f"@{rate:g}/s"
    return cells.printable(record.model.removesuffix(suffix) + suffix)


def columns(rows: Sequence[Row]) -> tuple[str, ...]:
    """Heads of the page's table: the cells of every report, with E_tr and E_in where they are known."""
    energy, *others = cells.heads(rows)
    nets = dict.fromkeys(head for row in rows for head in details.net_energies(row.record))
    return (energy, *sorted(nets, reverse=True), *others)


def values(row: Row, columns: Sequence[str]) -> list[str]:
    """The cells of *row* under *columns*."""
    heads = [*cells.HEADS, cells.SCOPE]
    texts = dict(zip(heads, cells.values(row, heads), strict=True))
    texts |= cells.net(row.record)
    return [texts.get(head, cells.ABSENT) for head in columns]


def sort_keys(row: Row, columns: Sequence[str]) -> list[float | None]:
    """A number for each of `values`, and the verdict's place before them."""
    record, comparison = row.record, row.judgement.comparison
    decisive = None if comparison is None else comparison.decisive or comparison
    ratio = count_cells.judged_ratio(row.judgement) or (None if decisive is None else decisive.ratio)
    figures = (row.energy_j, record.power_w, record.duration_s, record.energy_per_sample_j, ratio)
    by_head: dict[str, float | None] = dict(zip(cells.HEADS, figures, strict=True))
    by_head |= {cells.SCOPE: estimated_j(record), **details.net_energies(record)}
    return [SEVERITY[row.verdict].of_rows, *(rounded(by_head.get(head)) for head in columns)]


def phases(judgement: Judgement, columns: Sequence[str]) -> list[list[object]]:
    """Of each phase its name, its share and verdict, and the cells of its means under *columns*."""
    return [
        [cells.printable(one.name), text_of_share, [texts.get(head, "") for head in columns]]
        for one in phase_means(judgement.record)
        for compared in [compared_phase(judgement.comparison, one.name)]
        for text_of_share, texts in [details.phase_texts(one, judgement.record.provenance, compared)]
    ]


def brief(judgement: Judgement) -> list[str]:
    """What was found, why, and what to do: a line each, as far as they are known."""
    return [cells.printable(line) for line in judgement.in_brief.lines]


def reason(judgement: Judgement) -> str:
    """The whole reason, a line each."""
    return "\n".join(map(cells.printable, judgement.reason.strip().splitlines()))


def rounded(value: float | None) -> float | None:
    """*value* for the page's script, which sorts by it; `None` for what is no number."""
    return None if value is None or not math.isfinite(value) else float(f"{value:.{_SORTED_DIGITS}g}")


def headline(row: Row) -> str:
    """The first line of the reason of a test that fails; the others show it in their verdict."""
    return cells.printable(row.judgement.in_brief.headline) if row.verdict in FAILING else ""


def _metrics(judgement: Judgement) -> list[list[str]]:
    return [
        pair(name, cells.ABSENT if value is None else cells.plain(value))
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
    """The table of what the work does differently."""
    if comparison is None:
        return None
    rows, notes = count_cells.rows(comparison), count_cells.notes(comparison)
    return {"head": list(count_cells.HEADS), "rows": rows, "notes": notes}


def _change(comparison: Comparison) -> JsonDict:
    """What else differs from the baseline, and what a reader must know of it."""
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
    """What a run that was written before they were kept lacks."""
    has_levels = comparison.entry_count <= 1 or bool(comparison.entry_energies_j)
    lacks = [
        *([] if has_levels else ["the levels of the baseline's sessions"]),
        *(["the tolerance, which is in the reason"] if comparison.tolerance is None else []),
    ]
    return [f"not in this run's JSON: {'; '.join(lacks)}"] if lacks else []
