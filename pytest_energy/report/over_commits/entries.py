"""What the page of a history shows of each track: rows for its markup, and data for its script. Pure.

Rule 1: every number to be read is a text from here; numbers for the script only place things.
Rule 2: texts that many points have in common are there once.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from pytest_energy.codec import LEAST_NUMBER, JsonDict
from pytest_energy.history.commits import SHORT_LENGTH, Commit, Commits
from pytest_energy.history.points import Point
from pytest_energy.history.series import Mark
from pytest_energy.history.tracks import History, Step, Track
from pytest_energy.judgement import Verdict
from pytest_energy.report.cells import first_line, printable
from pytest_energy.report.charts.axes import axis_of
from pytest_energy.report.charts.spec import Axis
from pytest_energy.report.over_commits import words
from pytest_energy.report.over_commits.spark import Spark, spark
from pytest_energy.stats.change_points import LEAST_LEVEL_COUNT

LEAST_COUNT = 2 * LEAST_LEVEL_COUNT
"""Runs of a track in which a step can be found."""

_SCALE = 10_000  # of a chart's height: far finer than any screen
_MOST_LINE = 240  # characters of the reason of a run that did not fail
_MOST_LINES = 4  # of one that failed: the number, the cause, what to do


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A track in the table.

    Attributes:
        name: The test without its file.
        test_id: The whole of it.
        context: File, machine, and facts that separate it from others of its name.
        newest: Its newest value.
        change: Size of the newest step, or empty.
        no_change: What stands in its place.
        tone: Class of the step: `bad` for a rise, `good` for a fall.
        failed_count: Runs that failed, by verdict or by the test itself.
    """

    name: str
    test_id: str
    context: tuple[str, ...]
    newest: str
    change: str
    no_change: str
    tone: str
    place: str
    step_count: int
    run_count: int
    failed_count: int
    spark: Spark


class Shared:
    """Texts and runs that points have in common, each with its place."""

    def __init__(self) -> None:
        self._places: dict[object, int] = {}

    def place(self, value: object) -> int:
        return self._places.setdefault(value, len(self._places))

    @property
    def values(self) -> list[object]:
        return list(self._places)


def rows(history: History) -> list[Row]:
    """The tracks of *history* as rows of the table."""
    keys = {track.machine_key for track in history.tracks}
    return [_row(track, has_machines=len(keys) > 1) for track in history.tracks]


def _row(track: Track, *, has_machines: bool) -> Row:
    step, marks = track.newest_step, track.marks
    last = next((mark for mark in reversed(marks) if mark.value is not None), marks[-1])
    file, _, name = track.test_id.partition("::")
    facts = [f"{fact} {value}" for fact, value in track.differs]
    key = track.machine_key if has_machines or not track.test_id else ""
    return Row(
        name=printable(name) or words.name(track),
        test_id=words.name(track),
        context=tuple(printable(text) for text in (file if name else "", key, "; ".join(facts)) if text),
        newest=words.value(track, last.value, last.uncertainty),
        change="" if step is None else words.change(step),
        no_change=_no_change(track),
        tone="" if step is None else "bad" if step.ratio > 1 else "good",
        place="" if step is None else words.where(step),
        step_count=len(track.steps),
        run_count=len(marks),
        failed_count=0 if not track.test_id else sum(mark.point.is_failed for mark in marks),
        spark=spark(track),
    )


def _no_change(track: Track) -> str:
    count = sum(not mark.why_unused for mark in track.marks)
    return "none" if count >= LEAST_COUNT else f"needs {LEAST_COUNT} runs, has {count}"


def data(history: History) -> JsonDict:
    """What the script draws charts from."""
    runs, texts = Shared(), Shared()
    tracks = [_entry(track, history.commits, runs, texts) for track in history.tracks]
    return {"runs": runs.values, "texts": texts.values, "tracks": tracks, "scale": _SCALE}


def _entry(track: Track, commits: Commits, runs: Shared, texts: Shared) -> JsonDict:
    axis = _axis(track)
    return {
        "name": words.name(track),
        "label": words.KINDS[track.kind],
        "ticks": [] if axis is None else _ticks(track, axis),
        "y": [_place(axis, mark.value) for mark in track.marks],
        "bars": [_bar(axis, mark) for mark in track.marks],
        "looks": "".join(_look(track, mark) for mark in track.marks),
        "values": [words.value(track, mark.value, mark.uncertainty) for mark in track.marks],
        "runs": [runs.place(_run(mark.point, commits)) for mark in track.marks],
        "verdicts": [texts.place(_verdict(track, mark.point)) for mark in track.marks],
        "reasons": [texts.place(_reason(track, mark)) for mark in track.marks],
        "steps": [_step(step, commits) for step in track.steps],
        "levels": [[first, last, _place(axis, value)] for first, last, value in track.levels],
        "notes": _notes(track),
    }


def _axis(track: Track) -> Axis | None:
    """The scale of what *track* used; what is as good as 0 is at its foot."""
    values = [mark.value for mark in track.marks if mark.value is not None]
    if not values:
        return None
    return axis_of(
        [one for one in values if one >= LEAST_NUMBER] or [0.0], "" if track.kind == "ratio" else "J"
    )


def _ticks(track: Track, axis: Axis) -> list[list[object]]:
    return [
        [_place(axis, value), words.value(track, value) if track.kind == "ratio" else text]
        for value, text in axis.ticks
    ]


def _place(axis: Axis | None, value: float | None) -> int | None:
    """Height of *value* on *axis*, cut at its ends."""
    if axis is None or value is None:
        return None
    return round(_SCALE * min(1.0, max(0.0, axis.share(min(max(value, axis.lower), axis.upper)))))


def _bar(axis: Axis | None, mark: Mark) -> list[int | None]:
    """Ends of the standard uncertainty."""
    if mark.value is None:
        return []
    return [_place(axis, mark.value + sign * mark.uncertainty) for sign in (-1, 1)]


def _look(track: Track, mark: Mark) -> str:
    """How a mark is drawn: `x` no joules, `b` failed, `u` unused, `g` improvement, `p` any other."""
    point = mark.point
    if mark.value is None:
        return "x"
    if not track.test_id:
        return "p"
    if point.is_failed:
        return "b"
    if mark.why_unused:
        return "u"
    return "g" if point.verdict is Verdict.IMPROVEMENT else "p"


def _run(point: Point, commits: Commits) -> tuple[str, ...]:
    """Commit, its address, its subject, when it was measured, machine, file."""
    known = commits.known.get(point.commit)
    return (
        words.commit(point),
        commits.commit_link(point.commit),
        "" if known is None else printable(known.subject),
        point.created.strftime("%Y-%m-%d %H:%M"),
        printable(point.machine.key),
        printable(point.source),
    )


def _verdict(track: Track, point: Point) -> str:
    return words.verdict_text(point) if track.test_id else ""


def _reason(track: Track, mark: Mark) -> str:
    point = mark.point
    if not track.test_id:
        return ""
    text = point.reason.strip() if point.is_failed else first_line(point.reason)[:_MOST_LINE]
    unused = mark.why_unused and f"Not compared: {first_line(mark.why_unused)}"
    return "\n".join(printable(line) for line in (*text.splitlines()[:_MOST_LINES], unused) if line)


def _step(step: Step, commits: Commits) -> JsonDict:
    before, after = step.before.point, step.after.point
    listed = commits.between.get((before.commit, after.commit), ())
    return {
        "at": step.place,
        "text": words.change(step),
        "short": words.change(step).partition(" [")[0],
        "is_rise": step.ratio > 1,
        "where": f"at {words.where(step)}, {words.date(after)}, after {words.commit(before)}",
        "link": commits.compare_link(before.commit, after.commit),
        "commits": [_commit(commit, commits) for commit in listed],
    }


def _commit(commit: Commit, commits: Commits) -> list[str]:
    link = commits.commit_link(commit.name)
    return [commit.name[:SHORT_LENGTH], link, printable(commit.subject), f"{commit.created:%Y-%m-%d}"]


def _notes(track: Track) -> list[str]:
    notes = [printable(f"{track.machine_key}, {track.provenance.value}, {track.channels}".rstrip(", "))]
    if track.has_shared:
        notes.append("Sizes of steps exclude what all tests of a run have in common; joules include it.")
    return notes


def left_out(history: History, most: int) -> Sequence[str]:
    """Files that were left out with the reason, the first *most* of them, and how many more."""
    texts = (printable(one.text) for one in history.left_out[:most])
    more = len(history.left_out) - most
    return [*texts, *([f"and {more} more"] if more > 0 else [])]
