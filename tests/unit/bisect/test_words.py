"""A bisection as text: what a person reads at 80 columns."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_energy.ab.worktree import Revision
from pytest_energy.bisect import words
from pytest_energy.bisect.bisection import Culprit, Found, Step
from pytest_energy.bisect.history import Commit, History
from pytest_energy.bisect.search import Answer
from pytest_energy.bisect.target import Level, Target, target_of
from pytest_energy.judgement import Judgement
from tests.builders import COUNTS_COMPARISON
from tests.unit.bisect.verdicts import by_counts, by_joules

GOOD, PARENT, CULPRIT, BAD = (
    Commit(name=letter * 40, author_date="2026-11-20T10:00:00+00:00", subject=subject)
    for letter, subject in zip("abcd", ("Start", "Rename the stem", "Score twice", "Note it"), strict=True)
)


def target(one: Judgement) -> Target:
    found = target_of(one)
    assert found is not None
    return found


BY_JOULES = target(by_joules(1.25))
BY_COUNTS = target(by_counts(rises={"weighted work": (0.1, 0.12)}))
BY_WAITS = target(by_counts(rises={"waits": (0.0, 100.0)}))


@pytest.fixture
def history(tmp_path: Path) -> History:
    """Of no repository: git finds no merge in it."""
    return History(
        root=tmp_path,
        good=Revision(name="v1.0", commit=GOOD.name),
        bad=Revision(name="HEAD", commit=BAD.name),
    )


def step(
    number: int,
    commit: Commit,
    answer: Answer,
    level: Level | None = None,
    because: str = "",
) -> Step:
    return Step(
        number=number, most=3, commit=commit, answer=answer, level=level, because=because, duration_s=9.4
    )


def near(value: float) -> Level:
    return Level(value=value, lower=value * 0.99, upper=value * 1.01)


STEPS = (
    step(1, BAD, Answer.BAD, near(1.25)),
    step(2, PARENT, Answer.GOOD, near(1.001)),
    step(3, CULPRIT, Answer.BAD, near(1.25)),
)
FOUND = Culprit(
    commit=CULPRIT,
    before=PARENT,
    level=near(1.25),
    level_before=near(1.001),
    energies_j=(12.0, 15.0),
    share=0.99,
    counts=COUNTS_COMPARISON,
    diff_stat=("model.py | 2 +-", "1 file changed"),
)


def ended(history: History, target: Target | None, **more: object) -> list[str]:
    found = Found(history=history, alpha=0.05, step_alpha=0.01, target=target, steps=STEPS)
    return [*words.conclusion(replace(found, **more))]  # type: ignore[arg-type]  # its own words


@pytest.mark.parametrize(
    ("one", "target", "text"),
    [
        (STEPS[1], BY_JOULES, "2 of at most 3: bbbbbbb good, +0.10 % [-1.0, +1.2] (9 s) Rename the stem"),
        (
            step(2, PARENT, Answer.SKIP, near(1.12), "inconclusive"),
            BY_JOULES,
            "2 of at most 3: bbbbbbb skip, +12.0 % [+10.8, +13.2] inconclusive (9 s) Renam...",
        ),
        (
            step(2, PARENT, Answer.SKIP, None, "pytest ended:\n  | ____\n  | E   no torch\n  | 1 error"),
            BY_JOULES,
            "2 of at most 3: bbbbbbb skip, no torch (9 s) Rename the stem",
        ),
        (
            step(2, PARENT, Answer.BAD, Level.exact(0.12)),
            BY_COUNTS,
            "2 of at most 3: bbbbbbb bad, +20.0 % weighted work (9 s) Rename the stem",
        ),
        (
            step(2, PARENT, Answer.GOOD, Level(value=0.0, lower=0.0, upper=0.0)),
            BY_WAITS,
            "2 of at most 3: bbbbbbb good, waits unchanged (9 s) Rename the stem",
        ),
        (
            step(2, PARENT, Answer.BAD, Level.exact(100.0)),
            BY_WAITS,
            "2 of at most 3: bbbbbbb bad, 0 -> 100 waits (9 s) Rename the stem",
        ),
    ],
)
def test_a_step_is_one_line(one: Step, target: Target, text: str) -> None:
    """Number, commit, answer, level with bounds or the reason, seconds; the subject is what is cut."""
    assert words.step_line(one, target, is_linear=True, width=80) == text


def test_steps_through_merges_are_counted_roughly() -> None:
    """Only a line is sure to be halved."""
    line = words.step_line(STEPS[1], BY_JOULES, is_linear=False, width=80)
    assert line.startswith("2 of about 3: ")


def test_a_subject_moves_no_cursor() -> None:
    """Nor commands it a runner of CI."""
    hostile = replace(STEPS[1], commit=replace(PARENT, subject="\x1b[2J##[error]x"))
    line = words.step_line(hostile, BY_JOULES, is_linear=True, width=200)
    assert line.isprintable()
    assert "##[" not in line


def test_the_commit_is_named_with_all_that_explains_it(history: History) -> None:
    """The commit first, then its parent, joules, counts, files, the command, and the chance of an error."""
    assert ended(history, BY_JOULES, culprit=FOUND) == [
        "ccccccc is the first commit with more energy: +25.0 % [+23.7, +26.3]",
        f"  {'c' * 40}, 2026-11-20T10:00:00+00:00",
        "  Score twice",
        "  before it, at bbbbbbb: +0.10 % [-1.0, +1.2] (each against v1.0 (aaaaaaa))",
        "  joules per round: 12 J -> 15 J",
        "  what changed: layer_norm is called 36 times, not 12, at model.py:41",
        "  model.py | 2 +-",
        "  1 file changed",
        "  show the change: git show ccccccc",
        "  chance of a wrong commit: at most 3 % (3 steps, 1 % each)",
    ]


def test_counts_have_no_joules_and_no_chance(history: History) -> None:
    """They are called exact only where they repeat."""
    counted = replace(FOUND, level=Level.exact(0.12), level_before=Level.exact(0.1), energies_j=None)
    lines = ended(history, BY_COUNTS, culprit=counted)
    assert lines[0] == "ccccccc is the first commit with more weighted work: +20.0 % weighted work"
    assert "  joules: not measured, counts were compared" in lines
    assert lines[-1] == "  counts are exact: noise moves no step"
    varying = replace(counted, counts=replace(COUNTS_COMPARISON, is_repeating=False))
    assert ended(history, BY_COUNTS, culprit=varying)[-1].startswith("  counts vary from call to call")


@pytest.mark.parametrize(
    ("counts", "text"),
    [
        (None, "  counts: missing, the test was not counted on both sides"),
        (replace(COUNTS_COMPARISON, lines=()), "  counts: unchanged"),
    ],
)
def test_counts_that_say_nothing_are_said_to(history: History, counts: object, text: str) -> None:
    assert text in ended(history, BY_JOULES, culprit=replace(FOUND, counts=counts))  # type: ignore[arg-type]


def test_where_several_commits_share_the_rise_the_rest_is_bisected(history: History) -> None:
    """Before the commit and after it; not where nothing lies there."""
    lines = ended(history, BY_JOULES, culprit=replace(FOUND, share=0.6))
    assert "  60 % of the rise is this commit's. For the rest, bisect before it and after it:" in lines
    assert "    pytest-energy bisect v1.0 bbbbbbb" in lines
    assert "    pytest-energy bisect ccccccc HEAD" in lines
    first = ended(history, BY_JOULES, culprit=replace(FOUND, before=GOOD, share=0.6))
    assert not any("bisect v1.0" in line or "before it, at" in line for line in first)


def test_further_tests_that_rose_are_named(history: History) -> None:
    other = target(by_joules(1.1, test_id="t.py::test_other"))
    lines = ended(history, BY_JOULES, culprit=FOUND, others=(other,))
    assert lines[-1] == "  also risen, not followed: t.py::test_other (+10.0 % [+8.9, +11.1])"


def test_without_a_rise_each_test_has_its_bounds(history: History) -> None:
    """And what could show a smaller one."""
    lines = ended(history, None, checked=(by_joules(1.001),), steps=())
    assert lines[:2] == [
        "no rise detected from v1.0 (aaaaaaa) to HEAD (ddddddd)",
        "  t.py::test_work: +0.10 % [-1.0, +1.2]: pass",
    ]
    assert lines[2].startswith("A smaller rise needs a smaller --tolerance and more rounds")
    counts = ended(history, None, checked=(by_counts(weight_ratio=1.0),), steps=())
    assert counts[2].startswith("Equal counts may still cost more joules")


def test_suspects_have_their_levels_and_reasons(history: History) -> None:
    """More rounds help only where a level was in doubt."""
    doubtful = step(2, PARENT, Answer.SKIP, near(1.12), "inconclusive")
    lines = ended(history, BY_JOULES, steps=(STEPS[0], doubtful), suspects=(BAD, PARENT))
    assert lines[:3] == [
        "one of 2 commits is the first bad one; the others could not be judged",
        "  ddddddd +25.0 % [+23.7, +26.3]: Note it",
        "  bbbbbbb +12.0 % [+10.8, +13.2] inconclusive: Rename the stem",
    ]
    assert "  Take more rounds: --pairs, --blocks, --max-time." in lines
    broken = step(2, PARENT, Answer.SKIP, None, "no torch")
    lines = ended(history, BY_JOULES, steps=(STEPS[0], broken), suspects=(BAD, PARENT))
    assert lines[-1] == "  bbbbbbb no torch: Rename the stem"


@pytest.mark.parametrize(
    ("steps", "command"),
    [
        ((), "pytest-energy bisect v1.0 HEAD"),
        (STEPS[:1], "pytest-energy bisect v1.0 ddddddd"),
        (STEPS[:2], "pytest-energy bisect bbbbbbb ddddddd"),
        (STEPS, "pytest-energy bisect bbbbbbb ccccccc"),
    ],
)
def test_what_is_left_can_be_continued(history: History, steps: Sequence[Step], command: str) -> None:
    assert words.continuation(history, steps) == f"continue with: {command}"


def test_a_reason_is_the_line_that_shows_most() -> None:
    """Of a process's output its first error, else its last line; else the first line of all."""
    assert words.reason_line("ended:\n  | ____ a.py\n  | E   ImportError: calc\n  | E   more") == (
        "ImportError: calc"
    )
    syntax = "ended:\n  | E     File 'a.py', line 8\n  | E   SyntaxError: '(' was never closed"
    assert words.reason_line(syntax) == "SyntaxError: '(' was never closed"
    assert words.reason_line("ended:\n  | one\n  | two") == "two"
    assert words.reason_line("has no folder x\nmore") == "has no folder x"
