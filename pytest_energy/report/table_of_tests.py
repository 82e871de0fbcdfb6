"""The table of tests on a screen: a line per test, its phases below it.

Rule 1: no line is longer than the width. Columns that don't fit beside a legible name are left out, watts
    first; then figures lose their uncertainty, and the change its bounds. What is left out can be asked for.
Rule 2: failures and tests with a doubt of their own have a row, up to a limit. Of the others the ones that
    use most have one.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from pytest_energy.judgement import Verdict
from pytest_energy.report import cells
from pytest_energy.report.phases import PhaseMean, change_text, compared_phase, phase_means, verdict_text
from pytest_energy.report.screen import GAP, column_widths, packed, room_beside, table, told_apart, width_of
from pytest_energy.report.view import Row, View

Paint = Callable[[str, Verdict], str]
"""Colours a text by a verdict."""

_NAME, _VERDICT = "test", "verdict"
# Columns that are left out, the first first, and the cells for a name below which they are.
_NET = [*cells.NET_HEADS.values()]
_LEAVE_OUT = {"W": 28, "s": 28, "J/sample": 28, cells.SCOPE: 18, **dict.fromkeys(_NET, 18)}
_SHORTENED = (("energy", " +- "), (cells.VS_BASELINE, " ["))  # columns, and what their cells are cut at
_WANTED_NAME = 28  # cells for a name where only some columns are shown
_LEAST_NAME = 12  # narrower than this names look alike

_ALARMING = frozenset(Verdict) - {Verdict.PASS, Verdict.NO_BASELINE, Verdict.UNMEASURED}
_MOST_ALARMING = 40  # rows; who has more needs a file

# Of a screen of 30 lines pytest writes 12 itself, and marks, heads and the last line of a table are 5.
_LINES_FOR_ROWS, _MOST_QUIET, _LEAST_QUIET = 13, 7, 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """The rows that are shown, and those that are not."""

    rows: tuple[Row, ...]
    left_out: tuple[Row, ...]
    has_phases: bool

    @classmethod
    def all(cls, rows: Iterable[Row]) -> "Chosen":
        return cls(rows=tuple(rows), left_out=(), has_phases=True)

    @classmethod
    def few(cls, rows: Sequence[Row], *, above: int = 0) -> "Chosen":
        """By rule 2, phases only if they fit as well.

        Args:
            rows: Of all tests.
            above: Lines of the report that come before the table.
        """
        room = max(_LEAST_QUIET, min(_MOST_QUIET, _LINES_FOR_ROWS - above))
        alarming = [row for row in rows if row.verdict in _ALARMING][:_MOST_ALARMING]
        quiet = [row for row in rows if row.verdict not in _ALARMING]
        count = max(0, room - len(alarming))
        if len(quiet) > count:
            quiet = sorted(quiet, key=lambda row: -(row.energy_j or 0.0))[:count]
        shown = (*alarming, *quiet)
        names = {id(row) for row in shown}
        phase_count = sum(len(phase_means(row.record)) for row in shown)
        return cls(
            rows=shown,
            left_out=tuple(row for row in rows if id(row) not in names),
            has_phases=len(shown) + phase_count <= max(room, len(alarming)),
        )


def lines(view: View, chosen: Chosen, width: int, paint: Paint) -> list[str]:
    """The table, and below it how many tests it leaves out."""
    if not chosen.rows:
        return []
    columns = _fitted(columns_of(view, chosen), chosen, width)
    names = [_NAME, *_names(chosen, _room(columns, width))]
    rows = [*zip(names, *columns.values(), strict=True)]
    drawn = table(rows[0], rows[1:], "<" + "".join(map(_side, columns)))
    verdicts = [row.verdict for row, _ in entries(chosen)]
    painted = [
        _painted(line, cell, verdict, paint)
        for line, cell, verdict in zip(drawn[2:], columns[_VERDICT][1:], verdicts, strict=True)
    ]
    return [*drawn[:2], *painted, *_more(chosen)]


def further_lines(view: View, width: int) -> list[str]:
    """Tables of the columns that `lines` leaves out or shortens at this *width*."""
    chosen = Chosen.all(view.rows)
    if not chosen.rows:
        return []
    columns = columns_of(view, chosen)
    shown = _fitted(columns, chosen, width)
    missing = {head: column for head, column in columns.items() if shown.get(head) != column}
    names = [_NAME, *_names(chosen, _WANTED_NAME)]
    drawn: list[str] = []
    for run in packed([*missing.values()], room_beside([[name] for name in names], width)) if missing else ():
        rows = [*zip(names, *run, strict=True)]
        drawn += [*([""] if drawn else []), *table(rows[0], rows[1:], "<" + ">" * len(run))]
    return drawn


def entries(chosen: Chosen) -> Iterator[tuple[Row, PhaseMean | None]]:
    """What has a line: each test, and each of its phases."""
    for row in chosen.rows:
        yield row, None
        for phase in phase_means(row.record) if chosen.has_phases else ():
            yield row, phase


def columns_of(view: View, chosen: Chosen) -> dict[str, list[str]]:
    """By head, which stands first in each; without those that hold nothing."""
    heads = (*cells.heads(view.rows), _VERDICT)
    columns = {head: [head] for head in _ordered(heads)}
    for row, phase in entries(chosen):
        texts = _cells_of_test(row) if phase is None else _cells_of_phase(row, phase)
        for head, column in columns.items():
            column.append(texts.get(head, cells.ABSENT if phase is None else ""))
    return {head: column for head, column in columns.items() if {*column[1:]} - {"", cells.ABSENT}}


def _ordered(heads: Iterable[str]) -> list[str]:
    """The net energies stand beside the gross one."""
    first = "energy"
    return [first, *_NET, *(head for head in heads if head != first)]


def _cells_of_test(row: Row) -> Mapping[str, str]:
    columns = (*cells.HEADS, cells.SCOPE)
    texts = dict(zip(columns, cells.values(row, columns), strict=True))
    return texts | cells.net(row.record) | {_VERDICT: cells.verdict(row.verdict)}


def _cells_of_phase(row: Row, phase: PhaseMean) -> Mapping[str, str]:
    provenance = row.record.provenance
    share = "" if phase.share is None else f"{100 * phase.share:.0f} %"
    compared = compared_phase(row.judgement.comparison, phase.name)
    texts = (share, f"{cells.duration(provenance, phase.duration_s)} s")
    verdict = "" if compared is None else verdict_text(compared)
    return {
        "energy": cells.energy_per_sample(provenance, phase.energy_j),
        **({} if compared is None else {cells.VS_BASELINE: change_text(compared)}),
        _VERDICT: ", ".join(filter(None, (*texts, verdict))),
    }


def _fitted(columns: Mapping[str, list[str]], chosen: Chosen, width: int) -> dict[str, list[str]]:
    """The *columns* that leave room for names, by rule 1."""
    fitted = dict(columns)
    longest = max(width_of(name) for name in _labels(chosen, lambda row: row.short_id))
    for head, wanted in _LEAVE_OUT.items():
        if _room(fitted, width) < min(wanted, longest):
            fitted.pop(head, None)
    for head, mark in _SHORTENED:
        if head in fitted and _room(fitted, width) < _LEAST_NAME:
            fitted[head] = [_cut(text, mark) for text in fitted[head]]
    return fitted


def _cut(text: str, mark: str) -> str:
    """*text* without what begins at *mark*, but with its unit."""
    head, found, tail = text.partition(mark)
    return f"{head} {tail.rpartition(' ')[2]}" if found == " +- " else head


def _room(columns: Mapping[str, list[str]], width: int) -> int:
    return width - sum(column_widths([*zip(*columns.values(), strict=True)])) - GAP * len(columns)


def _names(chosen: Chosen, room: int) -> list[str]:
    """A name per line, as long as the *room* allows."""
    for name_of in (lambda row: row.record.test_id, lambda row: row.file_id):
        longest = _labels(chosen, name_of)
        if max(map(width_of, longest)) <= room:
            return longest
    return told_apart(_labels(chosen, lambda row: row.short_id), max(room, _LEAST_NAME))


def _labels(chosen: Chosen, name_of: Callable[[Row], str]) -> list[str]:
    return [
        cells.printable(name_of(row) if phase is None else f"  {phase.name}")
        for row, phase in entries(chosen)
    ]


def _side(head: str) -> str:
    return "<" if head in {cells.SCOPE, _VERDICT} else ">"


def _painted(line: str, cell: str, verdict: Verdict, paint: Paint) -> str:
    """*line* with its last *cell* in the colour of its verdict; a phase has none."""
    is_verdict = cell == cells.verdict(verdict)
    return line.removesuffix(cell) + paint(cell, verdict) if is_verdict else line


def _more(chosen: Chosen) -> Iterator[str]:
    counts = Counter(row.verdict for row in chosen.left_out)
    if len(counts) == 1:
        yield f"{len(chosen.left_out)} more, all {cells.verdict(*counts)} (-v lists them)"
    elif counts:
        verdicts = ", ".join(f"{count} {cells.verdict(verdict)}" for verdict, count in counts.items())
        yield f"{len(chosen.left_out)} more: {verdicts} (-v lists them)"
