"""A bisection as text for people. Pure.

Rule 1: a line begins with what happened: the step's number, or the commit that was found.
Rule 2: names of the history (subjects, files) are inert on a terminal.
"""

import re
import shlex
from collections.abc import Iterator, Sequence

from pytest_energy.ab.side import OUTPUT
from pytest_energy.bisect.bisection import Culprit, Found, Step
from pytest_energy.bisect.history import History
from pytest_energy.bisect.search import Answer
from pytest_energy.bisect.target import Level, Target
from pytest_energy.errors import printable
from pytest_energy.judgement import Judgement, Part
from pytest_energy.report import cells
from pytest_energy.units import to_text
from pytest_energy.verdict.count_measures import WEIGHTED_WORK
from pytest_energy.verdict.count_paragraphs import rise_text
from pytest_energy.verdict.figures import change_text, count_text

_LEAST_SHARE = 0.8
"""Of the rise. A commit that accounts for less is not the only cause."""

_ERROR = re.compile(r"[\w.]+: ")  # `ImportError: ...`, among the lines of a traceback

_NOUNS = {Part.JOULES.value: "energy", Part.WORK.value: "active energy", Part.WAITING.value: "seconds"}


def opening(history: History, commit_count: int) -> str:
    return (
        f"searching {count_text(commit_count, 'commit')} after {history.good.text} up to {history.bad.text}"
    )


def step_line(step: Step, target: Target, *, is_linear: bool, width: int) -> str:
    """`2 of at most 5: 1a2b3c4 good, +0.1 % [-0.5, +0.8] (9 s) Rename the stem`."""
    most = f"at most {step.most}" if is_linear else f"about {step.most}"
    head = f"{step.number} of {most}: {step.commit.short} {step.answer}"
    head += f", {_step_text(step, target)} ({step.duration_s:.0f} s)"
    return printable(_cut(f"{head} {step.commit.subject}", max(width, len(head))))


def _step_text(step: Step, target: Target) -> str:
    if step.level is None:
        return reason_line(step.because)
    return " ".join(filter(None, (level_text(step.level, target), step.because)))


def continuation(history: History, steps: Sequence[Step]) -> str:
    """The command that searches what is left after *steps*, where the search was ended."""
    last = {step.answer: step.commit.short for step in steps}
    good = last.get(Answer.GOOD) if history.is_linear else None
    words = (good or history.good.name, last.get(Answer.BAD, history.bad.name))
    return f"continue with: pytest-energy bisect {shlex.join(words)}"


def target_lines(target: Target) -> Iterator[str]:
    """Which test is followed, and what separates good from bad."""
    yield f"  test: {target.test_id}"
    middle = Level.exact(target.halfway)
    yield f"  a commit is bad from half of the rise on: {level_text(middle, target)}"


def level_text(level: Level, target: Target) -> str:
    """How far *level* is above the good one: `+20.1 % [+18.9, +21.4]`, `1 -> 100 waits`."""
    if target.is_exact:
        return _count_text(level.value, target)
    noun = "" if target.measure == Part.JOULES else f" {_NOUNS[target.measure]}"
    bounds = f" {cells.bounds((level.lower, level.upper))}" if level.lower < level.upper else ""
    return f"{change_text(level.value)}{noun}{bounds}"


def _count_text(value: float, target: Target) -> str:
    if value == target.good.value:
        return f"{target.measure} unchanged"
    if target.measure == WEIGHTED_WORK and target.good.value:
        return f"{change_text(value / target.good.value)} {WEIGHTED_WORK}"
    return rise_text(target.measure, target.good.value, value)


# ---- the end ----


def conclusion(found: Found) -> Iterator[str]:
    """The result, the commit first."""
    if found.target is None:
        yield from _no_rise(found)
    elif found.culprit is not None:
        yield from _culprit_lines(found, found.target, found.culprit)
    else:
        yield from _suspect_lines(found, found.target)
    yield from (f"note: {note}" for note in found.notes)


def _no_rise(found: Found) -> Iterator[str]:
    history = found.history
    yield f"no rise detected from {history.good.text} to {history.bad.text}"
    for judgement in found.checked:
        yield f"  {judgement.record.test_id}: {_change_text(judgement)}: {judgement.verdict}"
    if any(judgement.comparison is not None for judgement in found.checked):
        yield "A smaller rise needs a smaller --tolerance and more rounds: --pairs, --blocks, --max-time."
    else:
        yield "Equal counts may still cost more joules: leave out --basis=counts if a sensor is available."


def _change_text(judgement: Judgement) -> str:
    if judgement.comparison is None and judgement.counts_comparison is not None:
        return judgement.reason.splitlines()[0]
    return cells.change(judgement.comparison)


def _culprit_lines(found: Found, target: Target, culprit: Culprit) -> Iterator[str]:
    commit, history = culprit.commit, found.history
    noun = target.measure if target.is_exact else _NOUNS[target.measure]
    yield f"{commit.short} is the first commit with more {noun}: {level_text(culprit.level, target)}"
    yield f"  {commit.name}, {commit.author_date}"
    yield f"  {commit.subject}"
    if culprit.before.name != history.good.commit:
        before = level_text(culprit.level_before, target)
        yield f"  before it, at {culprit.before.short}: {before} (each against {history.good.text})"
    yield f"  {_joules_text(culprit)}"
    yield from _counts_lines(culprit)
    yield from (f"  {line}" for line in culprit.diff_stat)
    yield f"  show the change: git show {commit.short}"
    yield from _share_lines(found, culprit)
    yield from _chance_lines(found, target, culprit)
    yield from (
        f"  also risen, not followed: {one.test_id} ({level_text(one.bad, one)})" for one in found.others
    )


def _joules_text(culprit: Culprit) -> str:
    if culprit.energies_j is None:
        return "joules: not measured, counts were compared"
    before, after = (to_text(energy_j, "J", digits=4) for energy_j in culprit.energies_j)
    return f"joules per round: {before} -> {after}"


def _counts_lines(culprit: Culprit) -> Iterator[str]:
    if culprit.counts is None:
        yield "  counts: missing, the test was not counted on both sides"
    elif not culprit.counts.lines:
        yield "  counts: unchanged"
    else:
        yield from (f"  what changed: {line}" for line in culprit.counts.lines)


def _share_lines(found: Found, culprit: Culprit) -> Iterator[str]:
    """Where the rest of the rise is, if the commit is not the only cause."""
    if culprit.share >= _LEAST_SHARE:
        return
    good, bad = shlex.quote(found.history.good.name), shlex.quote(found.history.bad.name)
    share = _percent(culprit.share)
    yield f"  {share} of the rise is this commit's. For the rest, bisect before it and after it:"
    if culprit.before.name != found.history.good.commit:
        yield f"    pytest-energy bisect {good} {culprit.before.short}"
    if culprit.commit.name != found.history.bad.commit:
        yield f"    pytest-energy bisect {culprit.commit.short} {bad}"


def _chance_lines(found: Found, target: Target, culprit: Culprit) -> Iterator[str]:
    if target.is_exact:
        yield f"  {_exactness_text(culprit)}"
        return
    judged_count = sum(step.answer is not Answer.SKIP for step in found.steps)
    chance = min(1.0, judged_count * found.step_alpha)
    steps = f"{count_text(judged_count, 'step')}, {_percent(found.step_alpha)} each"
    yield f"  chance of a wrong commit: at most {_percent(chance)} ({steps})"


def _exactness_text(culprit: Culprit) -> str:
    if culprit.counts is not None and not culprit.counts.is_repeating:
        return "counts vary from call to call: a rise is one of their intervals"
    return "counts are exact: noise moves no step"


def _suspect_lines(found: Found, target: Target) -> Iterator[str]:
    yield f"one of {len(found.suspects)} commits is the first bad one; the others could not be judged"
    steps = {step.commit.name: step for step in found.steps}
    for commit in found.suspects:
        yield f"  {commit.short} {_step_text(steps[commit.name], target)}: {commit.subject}"
    if any(step.level is not None and step.answer is Answer.SKIP for step in found.steps):
        yield "  Take more rounds: --pairs, --blocks, --max-time."
        yield "  If several commits share the rise, bisect up to one of those between:"
        yield f"    pytest-energy bisect {shlex.quote(found.history.good.name)} COMMIT"


def _percent(share: float) -> str:
    return f"{share * 100:.2g} %"


def reason_line(because: str) -> str:
    """The line of *because* that shows most: of a process's output the first error, else its last line."""
    headline, *rest = because.splitlines()
    output = [line.removeprefix(OUTPUT).strip() for line in rest if line.startswith(OUTPUT)]
    errors = [line.removeprefix("E ").strip() for line in output if line.startswith("E ")]
    named = [line for line in errors if _ERROR.match(line)]
    return next(iter([*named, *errors, *output[-1:]]), headline)


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: width - 3]}..."
