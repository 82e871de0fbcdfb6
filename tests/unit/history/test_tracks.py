"""A history of many tests: steps, their places and sizes, and where there are none."""

import math
from dataclasses import replace

import numpy as np
import pytest

from pytest_energy.history.commits import NO_COMMITS
from pytest_energy.history.points import Point
from pytest_energy.history.tracks import History, Track, history_of
from pytest_energy.judgement import Verdict
from tests.fakes.run_histories import commit_name, commits, failed, noisy, point, runs


def name_of(number: int) -> str:
    return f"tests/test_x.py::test[{number}]"


def suite(
    count: int, run_count: int, *, shared: "np.typing.NDArray[np.float64] | float" = 0.0
) -> list[Point]:
    """*count* tests of noise over *run_count* runs that share something."""
    factors = np.exp(np.broadcast_to(shared, run_count))
    return [
        one
        for number in range(count)
        for one in runs(
            [
                energy_j * factor
                for energy_j, factor in zip(noisy(run_count, seed=number), factors, strict=True)
            ],
            test_id=name_of(number),
        )
    ]


def track(history: History, name: str = "") -> Track:
    (found,) = [one for one in history.tracks if not name or one.test_id == name]
    return found


def test_a_step_has_its_place_its_size_and_its_commits() -> None:
    """The commits on its sides, the ratio with its interval, and how long it has lasted."""
    found = track(history_of(runs(noisy(60, steps={40: 1.10}))))
    (step,) = found.steps
    assert step.place == 40
    assert (step.before.point.commit, step.after.point.commit) == (commit_name(39), commit_name(40))
    assert step.ratio == pytest.approx(1.10, abs=0.015)
    assert step.ratio_ci[0] < 1.10 < step.ratio_ci[1]
    assert (step.run_count, step.is_newest) == (20, True)
    assert [(first, last) for first, last, _ in found.levels] == [(0, 39), (40, 59)]
    assert found.levels[1][2] / found.levels[0][2] == pytest.approx(step.ratio, rel=0.01)


def test_failed_runs_are_points_of_the_new_level() -> None:
    """A regression that fails its verdict five times over is a step, not five holes."""
    listed = runs(noisy(40, steps={30: 1.2}))
    listed[30:35] = [replace(failed(one), outcome="failed") for one in listed[30:35]]
    found = track(history_of(listed))
    assert [step.place for step in found.steps] == [30]
    assert found.marks[31].point.verdict is Verdict.REGRESSION


def test_runs_without_joules_are_kept_and_counted_over() -> None:
    """A step is between the last run of the old level and the first of the new one that have joules."""
    energies_j: list[float | None] = [*noisy(40, steps={20: 1.2})]
    energies_j[18:21] = [None, None, None]
    (step,) = track(history_of(runs(energies_j))).steps
    assert (step.before.point.commit, step.after.point.commit) == (commit_name(17), commit_name(21))
    assert step.place == 21


def test_what_all_tests_share_is_no_step_of_each() -> None:
    """A board that takes 6 % more from one day on is a step of all together, once."""
    board = np.where(np.arange(40) >= 25, math.log(1.06), 0.0)
    history = history_of(suite(12, 40, shared=board))
    assert [one.test_id for one, _ in history.steps] == [""]
    (_, step) = history.steps[0]
    assert step.place == 25
    assert step.ratio == pytest.approx(1.06, abs=0.02)
    assert step.ratio_ci[0] < 1.06 < step.ratio_ci[1]


def test_a_test_that_changed_is_found_beneath_what_all_share() -> None:
    """Boards that differ by 5 % from run to run hide no step of 8 %."""
    boards = np.random.default_rng(5).normal(0, 0.05, 60)
    points = suite(12, 60, shared=boards)
    changed = runs(
        [e * math.exp(b) for e, b in zip(noisy(60, seed=99, steps={45: 1.08}), boards, strict=True)],
        test_id=name_of(99),
    )
    history = history_of([*points, *changed])
    assert [(one.test_id, step.place) for one, step in history.steps] == [(name_of(99), 45)]
    assert track(history, name_of(99)).has_shared


def test_few_tests_share_nothing() -> None:
    """What three tests do together is said of each of them."""
    history = history_of(suite(3, 30))
    assert [one.test_id for one in history.tracks] == [name_of(n) for n in range(3)]
    assert not any(one.has_shared for one in history.tracks)


@pytest.mark.parametrize("seed", range(3))
def test_many_tests_of_unchanged_code_have_no_step(seed: int) -> None:
    """The chance of a false one is that of the page, however many tests are on it."""
    points = [
        one
        for number in range(20)
        for one in runs(noisy(50, seed=100 * seed + number), test_id=name_of(number))
    ]
    assert history_of(points).steps == ()


def test_the_page_has_one_chance() -> None:
    """A step that one test by itself would show is not beyond chance among two hundred."""
    weak = runs(noisy(24, seed=3, steps={20: 1.06}), test_id=name_of(999))
    others = [
        one for number in range(4) for one in runs(noisy(24, seed=40 + number), test_id=name_of(number))
    ]
    assert len(history_of(weak).steps) == 1
    assert history_of([*weak, *others], chance=1e-4).steps == ()


def test_no_step_is_between_runs_of_one_commit() -> None:
    """Attempts at one commit are of the same code; with changed files they may not be."""
    energies_j = noisy(30, steps={15: 1.2})
    commits_of = [commit_name(number // 4) for number in range(30)]
    clean = [
        point(e, number=n, commit=c) for n, (e, c) in enumerate(zip(energies_j, commits_of, strict=True))
    ]
    dirty = [
        point(e, number=n, commit=c, is_dirty=True)
        for n, (e, c) in enumerate(zip(energies_j, commits_of, strict=True))
    ]
    assert [step.place for _, step in history_of(clean).steps] == [16]
    assert [step.place for _, step in history_of(dirty).steps] == [15]


def test_newest_steps_come_first() -> None:
    """Then tests without one by their names, and what all share last where it has none."""
    listed = [
        *suite(5, 40),
        *runs(noisy(40, seed=50, steps={10: 1.3}), test_id=name_of(50)),
        *runs(noisy(40, seed=51, steps={30: 1.3}), test_id=name_of(51)),
    ]
    names = [one.test_id for one in history_of(listed).tracks]
    assert names == [name_of(51), name_of(50), *(name_of(n) for n in range(5)), ""]


def test_order_of_commits_is_told() -> None:
    """Runs are by commit where the repository has them all, else by date."""
    listed = runs(noisy(8))
    assert history_of(listed, commits=commits(8)).is_by_commit
    assert not history_of(listed, commits=commits(7)).is_by_commit
    assert not history_of(listed, commits=NO_COMMITS).is_by_commit


def test_a_history_of_nothing_but_failures_is_one() -> None:
    """Tests without any joules have a track without a level."""
    found = track(history_of(runs([None, None])))
    assert (found.steps, found.levels) == ((), ())
    assert [mark.value for mark in found.marks] == [None, None]
