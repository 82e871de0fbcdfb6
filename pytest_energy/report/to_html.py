"""The report as one page that needs no network: to read, to sort, to search, to print.

Rule 1: one file. A browser that opens it requests nothing, and its policy forbids that.
Rule 2: foreign text (names, reasons, notes) is only ever text: escaped in the markup by the template engine,
    and in the script's data so that it can't end it; the script writes text nodes alone.
Rule 3: only the script and the styles that are written here run: the policy holds their hashes.
Rule 4: without the script the page still shows the verdicts, the first tests with their reasons, and every
    chart that is not of one test.
Rule 5: the first screen of a laptop holds the counts of verdicts and the top of the table: what failed, and
    by how much. What explains it is folded.
"""

from pytest_energy.codec import JsonDict
from pytest_energy.judgement import FAILING, Verdict
from pytest_energy.report import batch, cells, fronts, learning, rates, token_costs, work_parts
from pytest_energy.report.charts import (
    batch_size,
    correlation,
    layer_shares,
    learning_curves,
    pareto,
    request_rate,
    token_cost,
)
from pytest_energy.report.html import entries, tables
from pytest_energy.report.html.sealed import data_text, own_text, page_template, policy
from pytest_energy.report.html.svg import draw
from pytest_energy.report.text import heading, short
from pytest_energy.report.view import AGAINST, View

_TEMPLATE = "report.html.j2"

STATIC_ROWS = 100
"""Tests that are in the markup, for a browser without scripts; the script has all of them."""

MOST_CURVES = 24
"""Models whose curves are drawn, of each kind; what is beyond is counted."""

_SYMBOLS = {
    Verdict.PASS: "\N{CHECK MARK}",
    Verdict.REGRESSION: "\N{BLACK UP-POINTING TRIANGLE}",
    Verdict.OVER_BUDGET: "\N{BLACK SQUARE}",
    Verdict.IMPROVEMENT: "\N{BLACK DOWN-POINTING TRIANGLE}",
    Verdict.INCONCLUSIVE: "?",
    Verdict.NO_BASELINE: "\N{WHITE CIRCLE}",
    Verdict.NOT_COMPARABLE: "\N{NOT EQUAL TO}",
    Verdict.SATURATED: "\N{IDENTICAL TO}",
    Verdict.VOID: "\N{MULTIPLICATION SIGN}",
    Verdict.UNMEASURED: "\N{EN DASH}",
}
"""A shape beside each verdict's word, so that neither needs its colour."""

_GOOD = frozenset({Verdict.PASS, Verdict.IMPROVEMENT})

_LABELS = {
    "energy": "energy per round",
    "E_tr": "energy of training per round, above idle power",
    "E_in": "energy of inference per round, above idle power",
    "W": "mean power, W",
    "s": "duration of a round, s",
    "J/sample": "energy per sample",
    "vs baseline": "change against the baseline",
    cells.SCOPE: "what the joules are of, and the estimate beside them",
}  # of the heads, in full


def check_installed() -> None:
    """Refuse before the work, not after it; what the page needs is imported, before tests may be in its way.

    Raises:
        SettingsError: What writes the page is not installed.
    """
    page_template(_TEMPLATE)


def render(view: View, *, created: str) -> str:
    """The page as text that ends in a newline.

    Args:
        view: The run.
        created: UTC time of the document, ISO 8601 with `Z`.

    Raises:
        SettingsError: jinja2 is not installed.
    """
    return page_template(_TEMPLATE).render(_context(view, created))


def _context(view: View, created: str) -> JsonDict:
    style, script = own_text("report.css"), own_text("report.js")
    sweeps = [sweep for sweep in batch.sweeps(view) if sweep.sizes]
    series = [one for one in rates.rate_series(view) if one.points]
    costs = [one for one in token_costs.token_costs(view) if one.rows]
    curves = (
        ("batch", "Batch sizes", sweeps, batch_size.sheet),
        ("rates", "Request rates", series, request_rate.sheet),
        ("tokens", "Prefill and decode", costs, token_cost.sheet),
        ("settings", "Settings", fronts.settings(view), pareto.sheet),
        ("accuracy", "Accuracy", learning.learners(view), learning_curves.sheet),
        ("layers", "Layers", work_parts.layers_of_tests(view), layer_shares.sheet),
    )
    return {
        "style": style,
        "script": script,
        "data": _data_text(view),
        "policy": policy(style, script),
        "created": created,
        "view": view,
        "cells": cells,
        "tables": tables,
        "correlation": correlation,
        "entries": entries,
        "draw": draw,
        "heading": heading,
        "short": short,
        "look_of": _verdict,
        "heads": entries.columns(view.rows),
        "labels": _LABELS,
        "static_rows": STATIC_ROWS,
        "against": AGAINST,
        "group_names": list(dict.fromkeys(cells.printable(group.name) for group in view.groups)),
        "curves": [
            (name, title, models[:MOST_CURVES], sheet, len(models[MOST_CURVES:]))
            for name, title, models, sheet in curves
        ],
    }


def _verdict(verdict: Verdict, count: int) -> JsonDict:
    return {
        "name": verdict.value,
        "text": cells.verdict(verdict),
        "count": count,
        "symbol": _SYMBOLS[verdict],
        "tone": "bad" if verdict in FAILING else "good" if verdict in _GOOD else "open",
    }


def _data_text(view: View) -> str:
    """What the script reads, as JSON in which nothing ends a script or begins markup."""
    shared = entries.Shared()
    heads = entries.columns(view.rows)
    tests = [entries.entry(row, shared, heads) for row in view.rows]
    data = {
        "heads": heads,
        "none": cells.ABSENT,
        "verdicts": {verdict.value: _verdict(verdict, count) for verdict, count in view.counts.items()},
        "failing": sorted(FAILING & set(view.counts)),
        "shared": shared.values,
        "tests": tests,
    }
    return data_text(data)
