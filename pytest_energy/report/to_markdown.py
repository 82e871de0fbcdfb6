"""The report as a comment on a pull request: what is wrong in sight, everything else folded.

Rule 1: never longer than its limit; what is left out is counted.
Rule 2: foreign text (names, reasons, notes) is inert: it makes no markup, no link and no mention.
"""

import html
import re
from collections.abc import Iterator, Sequence

from pytest_energy.judgement import FAILING, Verdict
from pytest_energy.report import cells, count_cells
from pytest_energy.report.view import AGAINST, Group, Row, View

LIMIT = 65_536
"""Characters that GitHub takes in a comment."""

MARKER = "<!-- pytest-energy -->"
"""First line, by which a workflow finds its earlier comment to update it."""

# Characters for each part, together 3,000 below `LIMIT`, which titles and folds need: every part keeps its
# place however long another is.
_NOTES_ROOM, _TABLE_ROOM, _WHY_ROOM, _PASS_ROOM = 2_000, 22_000, 14_000, 8_000
_GROUPS_ROOM, _BEHIND_ROOM, _CHANGES_ROOM, _PREDICTED_ROOM = 7_500, 4_500, 2_000, 2_500
_MORE_ROOM = 60  # of those, for the line that counts what is left out

_NAME_LIMIT = 200  # characters of a name
_REASON_LIMIT = 2_000  # characters of a reason
_NAMED_TESTS = 5  # of the tests that share one reason

# What is safe between backticks, and what is safe without: no character that could begin markup, a link or
# a mention.
_SAFE_CODE = re.compile(r"[\w\-./:\[\](),=+%]([\w\-./:\[\](), =+%]*[\w\-./:\[\](),=+%])?")
_SAFE_TEXT = re.compile(r"(?!.*www\.)[^\W_]([^\W_]|[ ,.;:()%+=-])*")


def render(view: View, *, limit: int = LIMIT) -> str:
    """The comment as Markdown text that ends in a newline.

    Args:
        view: The run.
        limit: Characters that the place takes, at least `LIMIT`; the parts share them alike.
    """

    def room(usual: int) -> int:
        return usual * limit // LIMIT

    columns = cells.heads(view.rows)
    others = [row for row in view.rows if row.verdict is not Verdict.PASS]
    passes = [row for row in view.rows if row.verdict is Verdict.PASS]
    others_table = _test_table(others, columns, room(_TABLE_ROOM))
    passes_room = room(_TABLE_ROOM + _PASS_ROOM) - len(others_table)  # what the others leave is theirs
    parts = [
        f"{MARKER}\n### Energy of {cells.summary(view)}",
        _within(
            [f"- {_inline(note)}" for note in (*view.run_notes, *view.notes)], room(_NOTES_ROOM), "notes"
        ),
        others_table,
        _folded(
            "Why", _reasons(others, room(_WHY_ROOM)), is_open=any(row.verdict in FAILING for row in others)
        ),
        _folded(f"{len(passes)} pass", _test_table(passes, columns, passes_room)),
        _folded("What tests that pass do otherwise", _changes(passes, room(_CHANGES_ROOM))),
        _folded("Predicted, not measured", _predictions(view)),
        *_groups(view, room(_GROUPS_ROOM)),
        _folded("Marks, sensors and machine", _behind(view)),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _test_table(rows: Sequence[Row], columns: Sequence[str], room: int) -> str:
    if not rows:
        return ""
    head = _table_lines(("test", *columns, "verdict"), ())
    lines = [_line([_code(row.short_id), *cells.values(row, columns), _verdict(row.verdict)]) for row in rows]
    return "\n".join([*head, _within(lines, room, "tests")])


def _verdict(verdict: Verdict) -> str:
    return f"**{cells.verdict(verdict)}**" if verdict in FAILING else cells.verdict(verdict)


def _reasons(rows: Sequence[Row], room: int) -> str:
    entries = []
    for verdict, reason, members in cells.shared_reasons(rows, lambda judgement: judgement.reason.strip()):
        names = ", ".join(_code(row.short_id) for row in members[:_NAMED_TESTS])
        more = f" and {len(members) - _NAMED_TESTS} more" if len(members) > _NAMED_TESTS else ""
        entries.append(f"{cells.verdict(verdict)}: {names}{more}\n{_block(reason[:_REASON_LIMIT])}\n")
    return _within(entries, room, "reasons")


def _changes(passes: Sequence[Row], room: int) -> str:
    """What counts say of tests that pass; of the others it stands in their reasons."""
    found = [(row, count_cells.line_of_a_pass(row.judgement)) for row in passes]
    return _within(
        [f"- {_code(row.short_id)}: {_inline(line)}" for row, line in found if line], room, "tests"
    )


def _groups(view: View, room: int) -> Iterator[str]:
    """Each group that fits in what the ones before it left."""
    left_out = 0
    for group in view.groups:
        title = _html_code(f"{cells.printable(group.name)}: {cells.group_size(view, group)}")
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
    headers = ["model", *(f"{_code(name)}{cells.metric_unit(group, name, ' ({})')}" for name in names)]
    rows = [[_code(row.model), *(cells.metric(group, row, name) for name in names)] for row in group.rows]
    absences = [f"- {_inline(text)}" for text in cells.absences(group)]
    return "\n".join([*_table_lines(headers, rows), "", *absences])


def _correlations(group: Group) -> str:
    if not group.correlations:
        return ""
    hardware = cells.hardware(group)
    headers = cells.correlation_heads(group)
    rows = [[_code(metric.metric), *cells.correlation(metric, hardware)] for metric in group.correlations]
    notes = [f"- {_inline(note)}" for note in cells.correlation_notes(group)]
    return "\n".join([f"Spearman's rho with `{AGAINST}`:", "", *_table_lines(headers, rows), "", *notes])


def _predictions(view: View) -> str:
    lines = cells.predictions(view)
    return _block(_within(lines, _PREDICTED_ROOM // 2, "predictions")) if lines else ""


def _behind(view: View) -> str:
    lines = [*cells.legend(view), *map(cells.sensor, view.sensors), *map(cells.idle_power, view.idle_powers)]
    lines += cells.machine(view)
    return _block("\n".join(lines)[: _BEHIND_ROOM // 2]) if lines else ""


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


def _folded(title: str, body: str, *, is_open: bool = False) -> str:
    """A part that a click opens; *title* is HTML. The blank lines let Markdown work inside."""
    tag = "<details open>" if is_open else "<details>"
    return f"{tag}<summary>{title}</summary>\n\n{body.rstrip()}\n\n</details>" if body else ""


def _inline(text: str) -> str:
    """Foreign text in a sentence."""
    line = cells.printable(text)
    return line if _SAFE_TEXT.fullmatch(line) else _code(line)


def _code(text: str) -> str:
    """Foreign text as code, in a table's cell or a sentence."""
    name = _shortened(cells.printable(text), _NAME_LIMIT)
    return f"`{name}`" if _SAFE_CODE.fullmatch(name) else _html_code(name)


def _html_code(text: str) -> str:
    """Foreign text as code where backticks don't work: what could mean anything to Markdown is an entity."""
    escaped = re.sub(r"[^\w ,:]|_|:(?! )", lambda match: f"&#{ord(match[0])};", text)
    return f"<code>{escaped}</code>"


def _block(text: str) -> str:
    """Foreign text of several lines, as it is."""
    lines = "\n".join(map(cells.printable, text.splitlines()))
    return f"<pre>{html.escape(lines, quote=False)}</pre>"


def _shortened(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[: limit // 2 - 2]}...{text[1 - limit // 2 :]}"
