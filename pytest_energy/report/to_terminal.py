"""The report on a screen: what a reader must know first, then the table of tests, which ends it.

Rule 1: no line is longer than the width asked for, in cells of the screen.
Rule 2: without *is_full* it is short: a line per fact, and of everything as much as fits on a screen.
    The rest is counted, with the option that shows it.
Rule 3: colour is the caller's: the text says everything without it.
"""

from collections.abc import Sequence

from pytest_energy.judgement import FAILING, Judgement, Verdict
from pytest_energy.model import Provenance
from pytest_energy.report import cells, count_cells, footprint, fronts, operating, reasons, table_of_tests
from pytest_energy.report.learning import lines as accuracy_lines
from pytest_energy.report.screen import (
    at_most,
    packed,
    room_beside,
    shortened,
    table,
    width_of,
    wrapped,
)
from pytest_energy.report.table_of_tests import Chosen, Paint
from pytest_energy.report.view import AGAINST, Group, MetricCorrelation, View, origin_notes
from pytest_energy.report.work_parts import lines as part_lines
from pytest_energy.sensors.estimate import error_text
from pytest_energy.verdict.figures import count_text

_LEAST_NAME_WIDTH = 12  # narrower than this names look alike
_TITLE_WIDTH = 14  # of a metric's column
_TITLE_LINES = 3
_NOTE_LIMIT = 8  # a reader of a screen has seen enough; the JSON holds every one

# Of the short form.
_FEW_REASONS, _FEW_NOTES, _FEW_PREDICTIONS = 5, 3, 3
_LINES = 2  # of each of them
_DIGEST_LINES = 2
_TOTAL_LINES = 3  # carbon and cost, with the numbers that were given and where they are from

_HOW = "-v or --energy-report=full"


def plain(text: str, _: Verdict) -> str:
    """*text* without colour."""
    return text


def render(view: View, *, width: int, is_full: bool = True, paint: Paint = plain) -> str:
    """The whole report, no newline at its end.

    Args:
        view: The session.
        width: No line is longer; 80 or more.
        is_full: All there is, in place of the short form.
        paint: Colours a verdict in the table.
    """
    above = head(view, width=width, is_full=is_full)
    line_count = above.count("\n") + 1
    below = table_text(view, width=width, is_full=is_full, paint=paint, above=line_count)
    return "\n\n".join(filter(None, (above, below)))


def head(view: View, *, width: int, is_full: bool) -> str:
    """The lines above the table of tests."""
    return _whole_head(view, width) if is_full else _short_head(view, width)


def table_text(view: View, *, width: int, is_full: bool, paint: Paint, above: int = 0) -> str:
    """The table of tests, with one line on its marks above it, and *above* lines before that."""
    chosen = Chosen.all(view.rows) if is_full else Chosen.few(view.rows, above=above)
    return "\n".join([*_legend(view, width), *table_of_tests.lines(view, chosen, width, paint)])


# ---- the short form ----


def _short_head(view: View, width: int) -> str:
    known = {*origin_notes([row.record for row in view.rows])}  # the first line says it
    notes = [cells.printable(note) for note in (*view.run_notes, *view.notes) if note not in known]
    lines = [
        *wrapped([f"energy of {cells.summary(view)}"], width, hanging="  "),
        *_short_reasons(view, width),
        *_nothing_measures(view, width),
        *_short_list(accuracy_lines(view), _FEW_PREDICTIONS, "training", width),
        *_short_list(part_lines(view), _FEW_PREDICTIONS, "breakdown", width),
        *_short_list(notes, _FEW_NOTES, "note", width),
        *_short_list(cells.predictions(view), _FEW_PREDICTIONS, "prediction", width),
        *_short_list([*fronts.lines(view), *operating.lines(view)], _FEW_PREDICTIONS, "setting", width),
        *_short_list(_totals(view), _FEW_NOTES, "total", width, line_count=_TOTAL_LINES),
        *_digest(view.groups, width),
    ]
    return "\n".join(lines)


def _short_reasons(view: View, width: int) -> list[str]:
    """Why tests have no plain verdict; why a test has failed is in its own text."""
    rows = [row for row in view.rows if not (row.verdict in FAILING and row.judgement.outcome == "failed")]
    texts = _reasons(reasons.shared_reasons(rows, _short_reason), is_of_all=len(rows) == len(view.rows))
    return _short_list(texts, _FEW_REASONS, "reason", width)


def _short_reason(judgement: Judgement) -> str | None:
    reason = None if judgement.verdict is Verdict.IMPROVEMENT else _reason(judgement)  # the table shows it
    return None if reason is None else reason.partition("\n")[0]


def _short_list(
    texts: Sequence[str], count: int, what: str, width: int, *, line_count: int = _LINES
) -> list[str]:
    """The first *count* of *texts*, each on *line_count* lines at most, and how many more there are."""
    lines: list[str] = []
    for text in texts[:count]:
        lines += at_most(wrapped([text], width, hanging="  "), line_count, width)
    if len(texts) > count:
        lines.append(f"and {count_text(len(texts) - count, f'more {what}')} ({_HOW} shows all)")
    return lines


def _nothing_measures(view: View, width: int) -> list[str]:
    """Where to go if no sensor measures; where one does, sensors are no news."""
    measuring = [one for one in view.sensors if one.provenance is Provenance.MEASURED]
    if not measuring or any(one.absent_because is None for one in measuring):
        return []
    here, there = (
        ("here", "") if view.machine is None or not view.machine.is_elsewhere else ("at the meter", " there")
    )
    return wrapped([f"no sensor measures {here}; `pytest-energy doctor`{there} shows how to fix that"], width)


def _totals(view: View) -> list[str]:
    if view.tariff is None:
        return []
    return [f"{footprint.title(view.tariff)}: {line}" for line in footprint.total_lines(view)]


def _digest(groups: Sequence[Group], width: int) -> list[str]:
    """The strongest correlation of each group, or why there is none."""
    texts = [text for text in map(_strongest, groups) if text]
    lines = [shortened(text, width) for text in texts[:_DIGEST_LINES]]
    if len(texts) > _DIGEST_LINES:
        more = f"; {len(texts) - _DIGEST_LINES} more groups: -v"
        lines[-1] = shortened(texts[_DIGEST_LINES - 1], width - len(more)) + more
    return lines


def _strongest(group: Group) -> str:
    """The metric whose ranks go most with the joules of a sample; empty for a group without metrics."""
    others = [one for one in group.correlations if one.metric not in {AGAINST, "energy_per_sample"}]
    if not others:
        return ""
    name, ranked = cells.printable(group.name), [one for one in others if one.correlation.rho is not None]
    if not ranked:
        return f"{name}: no correlation with J/sample: {cells.printable(others[0].correlation.note)}"
    best = max(ranked, key=_strength)
    rho, count, p_value, *_ = cells.correlation(best, ())
    known = f"p {p_value}" if p_value != cells.ABSENT else cells.printable(best.correlation.note)
    return f"{name}: J/sample has rho {rho} with {cells.printable(best.metric)}, n {count}, {known}"


def _strength(ranked: MetricCorrelation) -> float:
    return abs(ranked.correlation.rho or 0.0)


# ---- the whole ----


def _whole_head(view: View, width: int) -> str:
    sensors = [
        *map(cells.sensor, view.sensors),
        *map(cells.idle_power, view.idle_powers),
        *map(cells.fixed_load, view.yardstick.records),
    ]
    notes = [cells.printable(note) for note in (*view.run_notes, *view.notes)]
    sections = [
        wrapped([f"energy of {cells.summary(view)}"], width, hanging="  "),
        ["why", *why] if (why := _why(view, width)) else [],
        _titled("joules to an accuracy", _first(accuracy_lines(view)), width),
        _titled("layers and operators", _first(part_lines(view)), width),
        _titled("notes", _first(notes), width),
        _titled("predicted", _first(cells.predictions(view)), width),
        _titled("by role", _first(cells.roles(view)), width),
        _titled("settings", _first([*fronts.lines(view), *operating.lines(view)]), width),
        _titled("carbon and cost", _footprint(view), width),
        _titled("metrics", cells.ungrouped_metrics(view), width),
        *(_group(view, group, width) for group in view.groups),
        _titled("sensors", sensors, width),
        _titled("machine", cells.machine(view), width),
        table_of_tests.further_lines(view, width),
    ]
    return "\n\n".join("\n".join(lines) for lines in sections if lines)


def _footprint(view: View) -> list[str]:
    scope = footprint.scope_line(view)
    return [*footprint.total_lines(view), *([scope] if scope else []), *_first(footprint.test_lines(view))]


def _titled(title: str, texts: Sequence[str], width: int) -> list[str]:
    return [title, *wrapped(texts, width, indent="  ", hanging="    ")] if texts else []


def _legend(view: View, width: int) -> list[str]:
    """One line on the marks in the table, as much of it as fits."""
    used = {row.record.provenance for row in view.rows if row.energy_j is not None}
    machines = cells.estimated_machines(view)
    source = cells.estimate_source(machines, from_cpu_time="CPU time")
    error = error_text(cells.estimate_factor(machines))
    parts = [text.format(source=source, error=error) for one, text in _MARKS.items() if one in used]
    parts += ["+- standard uncertainty"] if any(row.uncertainty_j is not None for row in view.rows) else []
    parts += ["[ ] bounds of the change"] if any(row.judgement.comparison for row in view.rows) else []
    while parts and width_of("; ".join(parts)) > width:
        parts.pop()
    return ["; ".join(parts)] if parts else []


_MARKS = {
    Provenance.ESTIMATED: "~ estimated from {source}, {error}",
    Provenance.REPLAYED: "r replayed from a file",
}


def _why(view: View, width: int) -> list[str]:
    """Every reason, and below it what the work does otherwise."""
    lines: list[str] = []
    for text in _reasons(reasons.shared_reasons(view.rows, _reason)):
        first, *changes = text.split("\n")
        lines += wrapped([first], width, indent="  ", hanging="    ")
        lines += wrapped(changes, width, indent="    ", hanging="      ")
    return lines


def _reasons(shared: Sequence[reasons.SharedReason], *, is_of_all: bool = False) -> list[str]:
    """Each reason behind its verdict and the tests that it is of; one that *is_of_all* names none."""
    texts = []
    for verdict, text, rows in shared:
        is_named = not is_of_all or len(shared) > 1 or len(rows) == 1
        names = f" {reasons.several([row.short_id for row in rows])}" if is_named else ""
        texts.append(f"{cells.verdict(verdict)}{names}: {text}")
    return texts


def _reason(judgement: Judgement) -> str | None:
    """First line of the reason, and what changed; of a pass the worst of that alone."""
    if judgement.verdict is Verdict.PASS:
        return count_cells.line_of_a_pass(judgement)
    return "\n".join([reasons.headline(judgement), *count_cells.lines(judgement)])


def _first(lines: list[str]) -> list[str]:
    more = len(lines) - _NOTE_LIMIT
    return [*lines[:_NOTE_LIMIT], f"and {more} more, all in the JSON report"] if more > 0 else lines


def _group(view: View, group: Group, width: int) -> list[str]:
    title = f"{cells.printable(group.name)}: {cells.group_size(view, group)}"
    return [*wrapped([title], width), *_metric_tables(group, width), *_correlations(group, width)]


def _metric_tables(group: Group, width: int) -> list[str]:
    """One row per model; columns that don't fit follow in another table with the same first column."""
    models = [shortened(cells.printable(row.label), max(_LEAST_NAME_WIDTH, width // 4)) for row in group.rows]
    columns = [
        [_title(group, name), *(cells.metric(group, row, name) for row in group.rows)]
        for name in cells.metric_columns(group)
    ]
    lines: list[str] = []
    room = room_beside([["model"], *([model] for model in models)], width)
    for number, chosen in enumerate(packed(columns, room)):
        rows = [*zip(models, *(column[1:] for column in chosen), strict=True)]
        headers = ["model", *(column[0] for column in chosen)]
        lines += ([""] if number else []) + table(headers, rows, "<" + ">" * len(chosen))
    return lines + wrapped(cells.absences(group), width, hanging="  ")


def _title(group: Group, name: str) -> str:
    """A column's title over several lines, its unit in the last."""
    return _folded(cells.printable(name), _TITLE_WIDTH) + cells.metric_unit(group, name, "\n({})")


def _folded(name: str, width: int) -> str:
    """*name* over at most `_TITLE_LINES` lines, broken behind an underscore where there is one."""
    lines: list[str] = []
    rest = shortened(name, width * _TITLE_LINES)
    while width_of(rest) > width and len(lines) < _TITLE_LINES - 1:
        end = next(end for end in range(width, 0, -1) if width_of(rest[:end]) <= width)
        end = rest.rfind("_", 1, end) + 1 or end
        lines.append(rest[:end])
        rest = rest[end:]
    return "\n".join([*lines, shortened(rest, width)])


def _correlations(group: Group, width: int) -> list[str]:
    """Each metric's rho with the energy of a sample, the paper's beside it, then what limits them."""
    if not group.correlations:
        return []
    hardware = cells.hardware(group)
    headers = [text.replace("paper ", "paper\n") for text in cells.correlation_heads(group)]
    values = [cells.correlation(metric, hardware) for metric in group.correlations]
    room = max(_LEAST_NAME_WIDTH, room_beside([headers[1:], *values], width))
    names = [shortened(cells.printable(metric.metric), room) for metric in group.correlations]
    rows = [[name, *cells_of_metric] for name, cells_of_metric in zip(names, values, strict=True)]
    title = f"Spearman's rho with {AGAINST}"
    drawn = table(headers, rows, "<" + ">" * (len(headers) - 1))
    return ["", title, *drawn, *wrapped(cells.correlation_notes(group), width, hanging="  ")]
