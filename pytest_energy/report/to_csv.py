"""The tests as a table for spreadsheets and notebooks: one row a test, or one a round.

Rule 1: a value that is absent is an empty cell; its reason is in the row's last fixed column.
Rule 2: a text that a spreadsheet would run as a formula gets an apostrophe in front.
Rule 3: line breaks inside a text are line feeds: writers leave a lone carriage return without quotes, and
    readers then take it for a new row.
"""

import csv
import io
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from pytest_energy.codec import JsonDict
from pytest_energy.conversion import judgement_to_json, to_json
from pytest_energy.judgement import Judgement
from pytest_energy.meter.scope import estimated_j, scope_text
from pytest_energy.model import Record
from pytest_energy.report.per_sample import Judged
from pytest_energy.report.view import View

# What spreadsheets take for a formula at the start of a cell, with the full-width forms that some of them
# fold into the plain ones. Source: OWASP, "CSV Injection".
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")

_METRIC_PREFIX = "metric."  # keeps a test's own metric from taking another column's name

_PREDICTED_PREFIX = "predicted."  # before the key of a machine that is not here

_OF_TEST = ("id", "verdict", "reason", "provenance", "group", "model", "samples", "created")
_OF_ENERGY = (
    *("energy_j", "energy_ci_lower_j", "energy_ci_upper_j", "uncertainty_j", "net_energy_j", "power_w"),
    *("duration_s", "energy_per_sample_j", "energy_per_token_j"),
    *("budget_j", "budget_per_sample_j", "budget_per_token_j"),
    *("budget_per_prefill_token_j", "budget_per_decode_token_j"),
    "budget_j_to_accuracy",
)
_OF_BASELINE = ("sessions", "energy_j", "ratio", "ratio_ci_lower", "ratio_ci_upper", "detectable_ratio")
_COLUMNS = (
    *_OF_TEST,
    "round_count",
    *_OF_ENERGY,
    *(f"baseline_{name}" for name in _OF_BASELINE),
    *("counts_weight_ratio", "counts_change"),
    *("scope", "estimated_j"),
    "machine_key",
    "absent",
)
_OF_ROUND = (
    *("id", "round", "is_confirming", "provenance", "model", "samples", "energy_j", "uncertainty_j"),
    *("duration_s", "power_w", "call_count", "void_because", "quality", "machine_key"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Rows by column name; a value that is absent is left out or `None`."""

    columns: tuple[str, ...]
    rows: tuple[JsonDict, ...]


def table_of_tests(view: Judged) -> Table:
    """One row a test, in the view's order."""
    metrics = dict.fromkeys(name for judgement in view.judgements for name in judgement.record.metrics)
    predicted = dict.fromkeys(name for one in view.judgements for name in _predictions(one.record))
    return Table(
        columns=(*_COLUMNS, *(_METRIC_PREFIX + name for name in metrics), *predicted),
        rows=tuple(map(_row, view.judgements)),
    )


def table_of_rounds(view: View) -> Table:
    """One row a round, tests in the view's order."""
    return _table_of_rounds(judgement.record for judgement in view.judgements)


def table_of_yardstick(view: View) -> Table:
    """One row a round of the fixed loads; none if no load was measured."""
    return _table_of_rounds(view.yardstick.records)


def _table_of_rounds(records: Iterable[Record]) -> Table:
    rows = tuple(row for record in records for row in _round_rows(record))
    fixed = dict.fromkeys(_OF_ROUND)
    names = dict.fromkeys(name for row in rows for name in row if name not in fixed)
    return Table(columns=(*fixed, *names), rows=rows)


def render(table: Table) -> str:
    """Text with a header, lines ended by a newline."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([_inert(name) for name in table.columns])
    writer.writerows([_inert(row.get(name)) for name in table.columns] for row in table.rows)
    return text.getvalue()


def _round_rows(record: Record) -> Iterator[JsonDict]:
    """The cells of each round by column, the second batch's marked."""
    first_confirming = len(record.rounds) - record.confirming_count
    for number, reading in enumerate(record.rounds):
        energy_j = reading.energy_j
        yield {
            "id": record.test_id,
            "round": number + 1,
            "is_confirming": number >= first_confirming,
            "provenance": record.provenance.value,
            "model": record.model,
            "samples": record.samples,
            "energy_j": energy_j,
            "uncertainty_j": None if energy_j is None else reading.uncertainty_j,
            "duration_s": reading.duration_s,
            "power_w": None if energy_j is None or not reading.duration_s else energy_j / reading.duration_s,
            "call_count": reading.call_count,
            "void_because": reading.void_because,
            "quality": "; ".join(reading.quality),
            "machine_key": record.machine.key,
            **{f"channel.{name}_j": channel_j for name, channel_j in reading.channels.items()},
            **{f"resting.{name}_j": rest_j for name, rest_j in reading.resting_channels.items()},
            **{f"estimated.{name}_j": model_j for name, model_j in reading.estimated_channels.items()},
            **{f"temperature.{name}_c": value_c for name, value_c in reading.temperatures_c.items()},
        }


def _row(judgement: Judgement) -> JsonDict:
    """The cells of one test by column; what is not there is left out or `None`."""
    record, summary, comparison = judgement.record, judgement.summary, judgement.comparison
    row = judgement_to_json(judgement)
    row |= {"round_count": len(record.rounds), "machine_key": record.machine.key}
    row |= {"scope": scope_text(record) or None, "estimated_j": estimated_j(record)}
    row["absent"] = "; ".join(f"{name}: {because}" for name, because in record.absent.items())
    if summary is not None:
        row["energy_ci_lower_j"], row["energy_ci_upper_j"] = summary.energy_ci_j
    if comparison is not None:
        row |= {f"baseline_{name}": value for name, value in to_json(comparison).items()}
        row["baseline_ratio_ci_lower"], row["baseline_ratio_ci_upper"] = comparison.ratio_ci
    counts = judgement.counts_comparison
    if counts is not None:
        row |= {"counts_weight_ratio": counts.weight_ratio, "counts_change": next(iter(counts.lines), None)}
    row |= {_METRIC_PREFIX + name: value for name, value in record.metrics.items()}
    return row | _predictions(record)


def _predictions(record: Record) -> JsonDict:
    """Of each machine that is not here: joules of a call, least and most."""
    cells: JsonDict = {}
    for key, one in record.predictions.items():
        low_j, high_j = one.interval_j
        cells |= {f"{_PREDICTED_PREFIX}{key}_j": one.energy_j}
        cells |= {f"{_PREDICTED_PREFIX}{key}_lower_j": low_j, f"{_PREDICTED_PREFIX}{key}_upper_j": high_j}
    return cells


def _inert(cell: object) -> object:
    """*cell*, empty for NaN; a text as one that no spreadsheet runs and every file can hold."""
    if isinstance(cell, float) and math.isnan(cell):
        return None
    if not isinstance(cell, str):
        return cell
    one_break = cell.replace("\r\n", "\n").replace("\r", "\n")
    writable = one_break.encode("utf-8", "backslashreplace").decode("utf-8")
    return f"'{writable}" if writable.startswith(_FORMULA_STARTS) else writable
