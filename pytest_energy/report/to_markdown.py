"""The report as a comment on a pull request: what is wrong in sight, everything else folded.

Rule 1: never longer than its limit; what is left out is counted.
Rule 2: in sight are some 40 lines at most, however many tests there are.
Rule 3: foreign text (names, reasons, notes) goes through `inert_markdown`.
"""

from collections.abc import Iterator, Sequence

from pytest_energy.judgement import FAILING, Verdict
from pytest_energy.report import cells, count_cells, footprint, fronts, operating
from pytest_energy.report.inert_markdown import block, code, sentence, summary
from pytest_energy.report.learning import lines as accuracy_lines
from pytest_energy.report.phases import phase_means
from pytest_energy.report.reasons import shared_reasons
from pytest_energy.report.table_of_tests import Chosen, columns_of, entries
from pytest_energy.report.view import AGAINST, Group, Row, View
from pytest_energy.report.work_parts import lines as part_lines
from pytest_energy.verdict.figures import count_text

LIMIT = 65_536
"""Characters that GitHub takes in a comment."""

MARKER = "<!-- pytest-energy -->"
"""First line, by which an earlier comment is found and updated."""

# Characters for each part, together 3,000 below `LIMIT`, which titles and folds need: every part keeps its
# place however long another is.
_NOTES_ROOM, _TABLE_ROOM, _WHY_ROOM, _PASS_ROOM = 2_000, 16_500, 14_000, 8_000
_GROUPS_ROOM, _BEHIND_ROOM, _CHANGES_ROOM, _PREDICTED_ROOM = 7_500, 4_500, 2_000, 2_500
_FAILING_ROOM = 4_000
_MORE_ROOM = 60  # of those, for the line that counts what is left out

_FAILING_IN_SIGHT, _LINES_IN_SIGHT, _NOTES_IN_SIGHT = 5, 20, 5
_HEADLINE_LIMIT = 300  # characters of a reason's first line
_REASON_LIMIT = 2_000  # characters of a reason
_NAMED_TESTS = 5  # of the tests that share one reason

_OF_WHOLE_RUN = ("FAILED: ", "ERROR: ", "WARNING: ")
"""How a note begins that says why a run fails as a whole, or what was not compared."""


def render(view: View, *, limit: int = LIMIT) -> str:
    """The comment as Markdown text that ends in a newline.

    Args:
        view: The run.
        limit: Characters that the place takes, at least `LIMIT`; the parts share them alike.
    """

    def room(usual: int) -> int:
        return usual * limit // LIMIT

    others = [row for row in view.rows if row.verdict is not Verdict.PASS]
    passes = [row for row in view.rows if row.verdict is Verdict.PASS]
    first, rest = _parted(others)
    first_table = _test_table(view, first, room(_TABLE_ROOM))
    rest_table = _test_table(view, rest, room(_TABLE_ROOM) - len(first_table))
    # What the others leave is theirs.
    passes_room = room(_TABLE_ROOM + _PASS_ROOM) - len(first_table) - len(rest_table)
    urgent, notes = _notes(view)
    parts = [
        f"{MARKER}\n### Energy of {cells.summary(view)}",
        _within([*_bullets(urgent), *_headlines(others)], room(_FAILING_ROOM), "lines"),
        first_table,
        _folded(f"{len(rest)} more", rest_table),
        _folded("Why", _reasons(others, room(_WHY_ROOM))),
        _folded(f"{len(passes)} pass", _test_table(view, passes, passes_room)),
        _folded("Changes in tests that pass", _changes(passes, room(_CHANGES_ROOM))),
        _folded(count_text(len(notes), "note"), _within(_bullets(notes), room(_NOTES_ROOM), "notes")),
        _folded("Joules to an accuracy", _lines(accuracy_lines(view), "lines")),
        _folded("Layers and operators", _lines(part_lines(view), "lines")),
        _folded("Joules by role", _lines(cells.roles(view), "tests")),
        _folded("Settings of a model", _lines([*fronts.lines(view), *operating.lines(view)], "settings")),
        _folded("Carbon and cost, estimated", _footprint(view)),
        _folded("Predicted, not measured", _lines(cells.predictions(view), "predictions")),
        _folded("Metrics of groups of tests", "\n\n".join(_groups(view, room(_GROUPS_ROOM)))),
        _folded("Marks, sensors and machine", _behind(view)),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _notes(view: View) -> tuple[Sequence[str], Sequence[str]]:
    """Those in sight, and those folded; all are in sight where there is no test."""
    notes = (*view.run_notes, *view.notes)
    if not view.rows:
        return notes, ()
    urgent = [note for note in notes if note.startswith(_OF_WHOLE_RUN)][:_NOTES_IN_SIGHT]
    return urgent, [note for note in notes if note not in urgent]


def _bullets(notes: Sequence[str]) -> list[str]:
    return [f"- {sentence(note)}" for note in notes]


def _headlines(rows: Sequence[Row]) -> Iterator[str]:
    """What each failing test did and why, the number first; those beyond the first few are counted."""
    failing = [row for row in rows if row.verdict in FAILING]
    for row in failing[:_FAILING_IN_SIGHT]:
        brief = row.judgement.in_brief
        headline = sentence(brief.headline[:_HEADLINE_LIMIT] or cells.verdict(row.verdict))
        cause = f"\n  {sentence(brief.cause[:_HEADLINE_LIMIT])}" if brief.cause else ""
        yield f"- **{headline}**: {code(row.short_id)}{cause}"
    if len(failing) > _FAILING_IN_SIGHT:
        yield f"- and {len(failing) - _FAILING_IN_SIGHT} more"


def _parted(rows: Sequence[Row]) -> tuple[Sequence[Row], Sequence[Row]]:
    """Those whose lines, with their phases, are in sight, and the rest."""
    line_count = 0
    for number, row in enumerate(rows):
        line_count += 1 + len(phase_means(row.record))
        if line_count > _LINES_IN_SIGHT:
            return rows[:number], rows[number:]
    return rows, ()


def _test_table(view: View, rows: Sequence[Row], room: int) -> str:
    """A line per test, its phases below it, without the columns that hold nothing."""
    if not rows:
        return ""
    chosen = Chosen.all(rows)
    columns = columns_of(view, chosen)
    _, *texts_by_line = zip(*columns.values(), strict=True)
    tests: list[list[str]] = []
    for (row, phase), (*texts, verdict) in zip(entries(chosen), texts_by_line, strict=True):
        if phase is None:
            tests.append([_line([code(row.short_id), *texts, _verdict(row.verdict)])])
        else:
            tests[-1].append(_line([f"&ensp;{code(phase.name)}", *texts, verdict]))
    lines = ["\n".join(test) for test in tests]
    return "\n".join([*_table_lines(("test", *columns), ()), _within(lines, room, "tests")])


def _verdict(verdict: Verdict) -> str:
    return f"**{cells.verdict(verdict)}**" if verdict in FAILING else cells.verdict(verdict)


def _reasons(rows: Sequence[Row], room: int) -> str:
    entries = []
    for verdict, reason, members in shared_reasons(rows, lambda judgement: judgement.reason.strip()):
        names = ", ".join(code(row.short_id) for row in members[:_NAMED_TESTS])
        more = f" and {len(members) - _NAMED_TESTS} more" if len(members) > _NAMED_TESTS else ""
        entries.append(f"{cells.verdict(verdict)}: {names}{more}\n{block(reason[:_REASON_LIMIT])}\n")
    return _within(entries, room, "reasons")


def _changes(passes: Sequence[Row], room: int) -> str:
    """What counts say of tests that pass; of the others it stands in their reasons."""
    found = [(row, count_cells.line_of_a_pass(row.judgement)) for row in passes]
    return _within(
        [f"- {code(row.short_id)}: {sentence(line)}" for row, line in found if line], room, "tests"
    )


def _groups(view: View, room: int) -> Iterator[str]:
    """Each group that fits in what the ones before it left."""
    left_out = 0
    for group in view.groups:
        title = f"{group.name}: {cells.group_size(view, group)}"
        text = _folded(title, f"{_metric_table(group)}\n\n{_correlations(group)}")
        if len(text) <= room:
            room -= len(text)
            yield text
        else:
            left_out += 1
    if left_out:
        yield f"... and {left_out} more groups"


def _metric_table(group: Group) -> str:
    names = cells.metric_columns(group)
    headers = ["model", *(f"{code(name)}{cells.metric_unit(group, name, ' ({})')}" for name in names)]
    rows = [[code(row.label), *(cells.metric(group, row, name) for name in names)] for row in group.rows]
    absences = [f"- {sentence(text)}" for text in cells.absences(group)]
    return "\n".join([*_table_lines(headers, rows), "", *absences])


def _correlations(group: Group) -> str:
    if not group.correlations:
        return ""
    hardware = cells.hardware(group)
    headers = cells.correlation_heads(group)
    rows = [[code(metric.metric), *cells.correlation(metric, hardware)] for metric in group.correlations]
    notes = [f"- {sentence(note)}" for note in cells.correlation_notes(group)]
    return "\n".join([f"Spearman's rho with `{AGAINST}`:", "", *_table_lines(headers, rows), "", *notes])


def _lines(lines: Sequence[str], what: str) -> str:
    """As many of *lines* as there is room for, verbatim."""
    return block(_within(lines, _PREDICTED_ROOM // 2, what)) if lines else ""


def _footprint(view: View) -> str:
    """The totals, what they leave out, and a line per test."""
    lines = [*footprint.total_lines(view), footprint.scope_line(view), *footprint.test_lines(view)]
    return _lines([*filter(None, lines)], "tests")


def _behind(view: View) -> str:
    lines = [*cells.legend(view), *map(cells.sensor, view.sensors), *map(cells.idle_power, view.idle_powers)]
    lines += cells.machine(view)
    return block("\n".join(lines)[: _BEHIND_ROOM // 2]) if lines else ""


def _table_lines(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Head and rows; numbers are set right, names and verdicts left."""
    rules = [
        "---" if header in {"test", "model", "metric", cells.SCOPE, "verdict"} else "--:"
        for header in headers
    ]
    return [_line(headers), _line(rules), *map(_line, rows)]


def _line(values: Sequence[str]) -> str:
    return f"| {' | '.join(values)} |"


def _within(lines: Sequence[str], room: int, what: str) -> str:
    """As many of *lines* as *room* holds, and how many are left out."""
    kept: list[str] = []
    for line in lines:
        room -= len(line) + 1
        if room < _MORE_ROOM:
            return "\n".join([*kept, "", f"... and {len(lines) - len(kept)} more {what}"])
        kept.append(line)
    return "\n".join(kept)


def _folded(title: str, body: str) -> str:
    """A part that a click opens. The blank lines let Markdown work inside."""
    if not body:
        return ""
    return f"<details><summary>{summary(title)}</summary>\n\n{body.rstrip()}\n\n</details>"
