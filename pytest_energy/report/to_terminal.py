"""The report on a screen: one table of tests, then why, then what is behind it.

Rule 1: no line is longer than the width asked for, in cells of the screen, as tabulate counts them too; what
    does not fit beside is put below, never left out.
Rule 2: no colours: the text says everything, whoever prints it may colour it.
"""

import re
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from pytest_energy.judgement import Judgement, Verdict
from pytest_energy.lazy_module import LazyModule
from pytest_energy.report import cells, count_cells
from pytest_energy.report.view import AGAINST, Group, View

if TYPE_CHECKING:
    import wcwidth
else:
    wcwidth = LazyModule("wcwidth")

_COLUMNS = (*cells.HEADS, cells.SCOPE)
_HEADERS = ("test", *_COLUMNS, "verdict")
_ALIGNMENT = ("left", "right", "right", "right", "right", "right", "left", "left")
_GAP = 2  # spaces that tabulate puts between the columns of its format "plain"
_LEAST_NAME_WIDTH = 12  # narrower than this a name can't be told from its neighbour's
_TITLE_WIDTH = 14  # of a metric's column
_NAME_LINES = 3  # a name that needs more lines is shortened in its middle
_JOINTS = "_/,-:. "  # after these, and before a bracket, a name may go on in the next line
_NOTE_LIMIT = 8  # a reader of a screen has seen enough; the JSON holds every one
_NAMED_TESTS = 3  # of the tests that share one reason

Table = list[list[str]]


def render(view: View, *, width: int, shows_rest: bool = False) -> str:
    """The whole report, no newline at its end.

    Args:
        view: The session.
        width: No line is longer; 80 or more.
        shows_rest: Tell the power without work of each channel and what the fixed loads used, too.
    """
    sensors = [
        *map(cells.sensor, view.sensors),
        *map(cells.idle_power, view.idle_powers if shows_rest else ()),
        *map(cells.fixed_load, view.yardstick.records if shows_rest else ()),
    ]
    sections = [
        _wrapped([f"energy of {cells.summary(view)}"], width, hanging="  "),
        [*_test_table(view, width), *_wrapped(cells.legend(view), width)],
        _titled("why", _why(view, width)),
        _titled("notes", _wrapped(_notes(view), width, indent="  ", hanging="    ")),
        _titled("predicted", _wrapped(_predictions(view), width, indent="  ", hanging="    ")),
        *(_group(view, group, width) for group in view.groups),
        _titled("sensors", _wrapped(sensors, width, indent="  ", hanging="    ")),
        _titled("machine", _wrapped(cells.machine(view), width, indent="  ", hanging="    ")),
    ]
    return "\n\n".join("\n".join(lines) for lines in sections if lines)


def _titled(title: str, lines: list[str]) -> list[str]:
    return [title, *lines] if lines else []


def _wrapped(texts: Iterable[str], width: int, *, indent: str = "", hanging: str = "") -> list[str]:
    """Lines of each text; a number stays on one line with what it counts."""
    lines: list[str] = []
    for text in texts:
        glued = re.sub(r"(?<=\d) (?=\S)", "\xa0", text)
        wrap = textwrap.wrap if _width(glued) == len(glued) else wcwidth.wrap
        folded = wrap(glued, width, initial_indent=indent, subsequent_indent=hanging, break_on_hyphens=False)
        first, *more = [line.replace("\xa0", " ") for line in folded] or [""]
        lines += [first, *map(cells.printable, more)][: len(folded)]  # a line may begin with a CI command
    return lines


def _test_table(view: View, width: int) -> list[str]:
    """The rows in the first layout that fits; a column in which no row has a value is left out.

    Names as long as they fit beside the values; then short names and the bounds of a change below it; then
    each name on a line of its own.
    """
    if not view.rows:
        return []
    layouts = [_filled(_values(view, folds)) for folds in range(3)]
    headers = [_HEADERS[0], *layouts[0][0]]
    alignment = [_ALIGNMENT[_HEADERS.index(header)] for header in headers]
    rooms = [_room(rows, width) for rows in layouts]
    names = _printable(row.short_id for row in view.rows)
    whole_names = _printable(row.record.test_id for row in view.rows)
    for longer in (whole_names, _printable(row.file_id for row in view.rows), names):
        if max(map(_width, longer)) <= rooms[0]:
            return _table(headers, _joined(longer, layouts[0][1:]), alignment)
    parts = [re.split(r"(?=\[)", name, maxsplit=1) for name in names]
    if max(_width(part) for name_parts in parts for part in name_parts) <= rooms[1]:
        return _table(headers, _joined(["\n".join(p) for p in parts], layouts[1][1:]), alignment)
    fitting = (rows for rows, room in zip(layouts, rooms, strict=True) if room >= 0)
    return _headed(names, next(fitting, layouts[-1]), alignment, width)


def _filled(values: Table) -> Table:
    """Headers and *values*, without the columns that hold nothing but "not there"."""
    columns = zip(_HEADERS[1:], *values, strict=True)
    kept = [column for column in columns if any(cell != "-" for cell in column[1:])]
    return [list(row) for row in zip(*kept, strict=True)]


def _headed(names: Sequence[str], rows: Table, alignment: Sequence[str], width: int) -> list[str]:
    """The rows with each name on a line of its own above its values."""
    headers, values = rows[0], rows[1:]
    lines = _table(["", *headers], _joined([""] * len(names), values), alignment)
    headed, rest = [_HEADERS[0], *lines[:2]], lines[2:]
    for name, row in zip(names, values, strict=True):
        count = max(cell.count("\n") for cell in row) + 1
        headed += [*_folded(name, width).splitlines(), *rest[:count]]
        rest = rest[count:]
    return headed


def _room(rows: Sequence[Sequence[str]], width: int) -> int:
    """What a table of *rows* leaves of *width* for a column in front of it."""
    return width - sum(_column_widths(rows)) - _GAP * len(rows[0])


def _printable(names: Iterable[str]) -> list[str]:
    return list(map(cells.printable, names))


def _joined(names: Sequence[str], values: Table) -> Table:
    return [[name, *cells_of_row] for name, cells_of_row in zip(names, values, strict=True)]


def _values(view: View, folds: int) -> Table:
    """Cells of the rows without the name.

    With one fold the bounds of a change stand below it, with two an uncertainty and an upper bound do too.
    """
    folded = [(" [", "\n["), (" +-", "\n+-"), (", ", ",\n")][: (0, 1, 3)[folds]]
    rows = [[*cells.values(row, _COLUMNS), cells.verdict(row.verdict)] for row in view.rows]
    for space, line_break in folded:
        rows = [[cell.replace(space, line_break) for cell in row] for row in rows]
    return rows


def _folded(name: str, width: int) -> str:
    """*name* over at most `_NAME_LINES` lines of *width*, its middle left out if it is longer."""
    most = min(len(name), width * _NAME_LINES)
    lines = _name_lines(name, most, width)
    while len(lines) > _NAME_LINES:
        most -= 1
        lines = _name_lines(name, most, width)
    return "\n".join(lines)


def _name_lines(name: str, most: int, width: int) -> list[str]:
    """*name*, its middle left out if it has more than *most* characters, in lines of *width* cells."""
    if len(name) > most:
        head = (most - 3) // 2
        name = f"{name[:head]}...{name[head + 3 - most :]}"
    lines = []
    while _width(name) > width:
        end = _line_end(name, width)
        lines.append(name[:end])
        name = name[end:]
    return [*lines, name]


def _line_end(name: str, width: int) -> int:
    """Where the first line of *name* ends: before its bracket, else after the last joint that fits."""
    most = next(end for end in range(width, 0, -1) if _width(name[:end]) <= width or end == 1)
    bracket = name.find("[", 1, most + 1)
    if bracket >= most // 3:
        return bracket
    return next((end for end in range(most, most // 3, -1) if name[end - 1] in _JOINTS), most)


def _width(text: str) -> int:
    """Cells of a screen that *text* takes: two for a character of Chinese, Japanese or Korean."""
    return max(wcwidth.wcswidth(text), 0) if not text.isascii() else len(text)


def _why(view: View, width: int) -> list[str]:
    """Every reason, and below it what the work does otherwise."""
    lines: list[str] = []
    for verdict, text, rows in cells.shared_reasons(view.rows, _reason):
        names = ", ".join(cells.printable(row.short_id) for row in rows[:_NAMED_TESTS])
        more = f" and {len(rows) - _NAMED_TESTS} more" if len(rows) > _NAMED_TESTS else ""
        reason, *changes = text.split("\n")
        first = f"{cells.verdict(verdict)} {names}{more}: {reason}"
        lines += _wrapped([first], width, indent="  ", hanging="    ")
        lines += _wrapped(changes, width, indent="    ", hanging="      ")
    return lines


def _reason(judgement: Judgement) -> str | None:
    """First line of the reason, and what changed; of a pass the worst of that alone."""
    if judgement.verdict is Verdict.PASS:
        return count_cells.line_of_a_pass(judgement)
    return "\n".join([cells.first_line(judgement.reason), *count_cells.lines(judgement)])


def _notes(view: View) -> list[str]:
    return _first([cells.printable(note) for note in (*view.run_notes, *view.notes)])


def _predictions(view: View) -> list[str]:
    return _first(cells.predictions(view))


def _first(lines: list[str]) -> list[str]:
    more = len(lines) - _NOTE_LIMIT
    return [*lines[:_NOTE_LIMIT], f"and {more} more, all in the JSON report"] if more > 0 else lines


def _group(view: View, group: Group, width: int) -> list[str]:
    title = f"{cells.printable(group.name)}: {cells.group_size(view, group)}"
    return [*_wrapped([title], width), *_metric_tables(group, width), *_correlations(group, width)]


def _metric_tables(group: Group, width: int) -> list[str]:
    """One row a model; columns that don't fit follow in another table with the same first column."""
    models = [_folded(cells.printable(row.model), max(_LEAST_NAME_WIDTH, width // 4)) for row in group.rows]
    columns = [
        [_title(group, name), *(cells.metric(group, row, name) for row in group.rows)]
        for name in cells.metric_columns(group)
    ]
    lines: list[str] = []
    room = _room([["model"], *([model] for model in models)], width)
    for number, chosen in enumerate(_packed(columns, room)):
        rows = [list(values) for values in zip(models, *(column[1:] for column in chosen), strict=True)]
        headers = ["model", *(column[0] for column in chosen)]
        lines += ([""] if number else []) + _table(headers, rows, ["left", *["right"] * len(chosen)])
    return lines + _wrapped(cells.absences(group), width, hanging="  ")


def _title(group: Group, name: str) -> str:
    """A column's title over several lines, its unit in the last."""
    return _folded(cells.printable(name), _TITLE_WIDTH) + cells.metric_unit(group, name, "\n({})")


def _packed(columns: Table, room: int) -> Iterator[Table]:
    """Runs of columns, each as many as fit in *room*."""
    chosen: Table = []
    for column in columns:
        widths = _column_widths([*zip(*chosen, column, strict=True)])
        if chosen and sum(widths) + _GAP * (len(widths) - 1) > room:
            yield chosen
            chosen = []
        chosen.append(column)
    yield chosen


def _correlations(group: Group, width: int) -> list[str]:
    """Each metric's rho with the energy of a sample, the paper's beside it, then what limits them."""
    if not group.correlations:
        return []
    hardware = cells.hardware(group)
    headers = [head.replace("paper ", "paper\n") for head in cells.correlation_heads(group)]
    values = [cells.correlation(metric, hardware) for metric in group.correlations]
    room = max(_LEAST_NAME_WIDTH, _room([headers[1:], *values], width))
    names = [_folded(cells.printable(metric.metric), room) for metric in group.correlations]
    table = _table(headers, _joined(names, values), ["left", *["right"] * (len(headers) - 1)])
    title = f"Spearman's rho with {AGAINST}"
    return ["", title, *table, *_wrapped(cells.correlation_notes(group), width, hanging="  ")]


def _column_widths(rows: Sequence[Sequence[str]]) -> list[int]:
    return [
        max(_width(line) for cell in column for line in cell.split("\n"))
        for column in zip(*rows, strict=True)
    ]


def _table(headers: Sequence[str], rows: Sequence[Sequence[str]], alignment: Sequence[str]) -> list[str]:
    """Lines of a table. The head is given as rows: tabulate pads its own heads by two characters a column."""
    from tabulate import tabulate

    rules = ["-" * width for width in _column_widths([headers, *rows])]
    text = tabulate([headers, rules, *rows], tablefmt="plain", disable_numparse=True, colalign=alignment)
    return [line.rstrip() for line in text.splitlines()]
