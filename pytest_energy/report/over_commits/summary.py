"""A history in a few lines, for a terminal. Pure."""

from collections.abc import Iterator

from pytest_energy.history.tracks import History
from pytest_energy.model import Machine, Provenance
from pytest_energy.report.cells import mark_text, printable
from pytest_energy.report.over_commits import words
from pytest_energy.verdict.figures import count_text

MOST_STEPS = 20
MOST_LEFT_OUT = 10


def heading(history: History) -> str:
    """`200 runs of 50 tests on 1 machine, 2026-01-01 to 2026-07-19`."""
    points = history.points
    dates = sorted({words.date(point) for point in points})
    runs = count_text(len({point.run for point in points}), "run")
    tests = count_text(len({point.test_id for point in points}), "test")
    machines = count_text(len({point.machine.key for point in points}), "machine")
    span = " to ".join(dict.fromkeys((dates[0], dates[-1])))
    return f"{runs} of {tests} on {machines}, {span}"


def lines(history: History) -> list[str]:
    """Runs, tests and steps, newest first; then files that were left out."""
    return [heading(history), *_steps(history), *legends(history), *_left_out(history)]


def _steps(history: History) -> Iterator[str]:
    steps = history.steps
    yield f"{count_text(len(steps), 'step')}{':' if steps else ''}"
    for track, step in steps[:MOST_STEPS]:
        point = step.after.point
        yield f"  {words.change(step)}  {words.name(track)}"
        yield f"      {words.where(step)}, {words.date(point)}, after {words.commit(step.before.point)}"
    if len(steps) > MOST_STEPS:
        yield f"  and {len(steps) - MOST_STEPS} more: write a page with --out=history.html"


def legends(history: History) -> list[str]:
    """What the marks of joules that are not measured mean."""
    machines: dict[Provenance, list[Machine]] = {}
    for point in history.points:
        machines.setdefault(point.provenance, []).append(point.machine)
    return [text for one in Provenance if one in machines and (text := mark_text(one, machines[one]))]


def _left_out(history: History) -> Iterator[str]:
    left_out = history.left_out
    for one in left_out[:MOST_LEFT_OUT]:
        yield f"left out: {printable(one.text)}"
    if len(left_out) > MOST_LEFT_OUT:
        yield f"left out: {len(left_out) - MOST_LEFT_OUT} more files"
