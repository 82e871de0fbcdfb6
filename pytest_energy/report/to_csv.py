"""The tests as a table for spreadsheets and notebooks: one row a test.

Rule 1: a value that is absent is an empty cell; its reason stands in the row's last fixed column.
Rule 2: a text that a spreadsheet would run as a formula gets an apostrophe in front.
Rule 3: line breaks inside a text are line feeds: writers leave a lone carriage return without quotes, and
    readers then take it for a new row.
"""

from pytest_energy.model import Judgement
from pytest_energy.report.view import View
from pytest_energy.wire import JsonDict

# What spreadsheets take for a formula at the start of a cell, with the full-width forms that some of them
# fold into the plain ones. Source: OWASP, "CSV Injection".
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")

_METRIC_PREFIX = "metric."  # keeps a test's own metric from taking another column's name

_OF_TEST = ("id", "verdict", "reason", "provenance", "group", "model", "samples", "created")
_OF_ENERGY = (
    *("energy_j", "energy_ci_lower_j", "energy_ci_upper_j", "uncertainty_j", "net_energy_j", "power_w"),
    *("duration_s", "energy_per_sample_j", "budget_j", "budget_per_sample_j"),
)
_OF_BASELINE = ("sessions", "energy_j", "ratio", "ratio_ci_lower", "ratio_ci_upper", "detectable_ratio")
_COLUMNS = (
    *_OF_TEST,
    "round_count",
    *_OF_ENERGY,
    *(f"baseline_{name}" for name in _OF_BASELINE),
    "machine_key",
    "absent",
)


def render(view: View) -> str:
    """The table as text with a header, lines ended by a newline."""
    import pandas as pd

    metrics = dict.fromkeys(name for judgement in view.judgements for name in judgement.record.metrics)
    columns = [*_COLUMNS, *(_METRIC_PREFIX + name for name in metrics)]
    rows = [[_inert(row.get(name)) for name in columns] for row in map(_row, view.judgements)]
    table = pd.DataFrame(rows, columns=[_inert(name) for name in columns], dtype=object)
    return table.to_csv(index=False, lineterminator="\n")


def _row(judgement: Judgement) -> JsonDict:
    """The cells of one test by column; what is not there is left out or `None`."""
    record, summary, comparison = judgement.record, judgement.summary, judgement.comparison
    row = judgement.to_json()
    row |= {"round_count": len(record.rounds), "machine_key": record.machine.key}
    row["absent"] = "; ".join(f"{name}: {because}" for name, because in record.absent.items())
    if summary is not None:
        row["energy_ci_lower_j"], row["energy_ci_upper_j"] = summary.energy_ci_j
    if comparison is not None:
        row |= {f"baseline_{name}": value for name, value in comparison.to_json().items()}
        row["baseline_ratio_ci_lower"], row["baseline_ratio_ci_upper"] = comparison.ratio_ci
    return row | {_METRIC_PREFIX + name: value for name, value in record.metrics.items()}


def _inert(cell: object) -> object:
    """*cell*; a text as one that no spreadsheet runs and every file can hold."""
    if not isinstance(cell, str):
        return cell
    one_break = cell.replace("\r\n", "\n").replace("\r", "\n")
    writable = one_break.encode("utf-8", "backslashreplace").decode("utf-8")
    return f"'{writable}" if writable.startswith(_FORMULA_STARTS) else writable
