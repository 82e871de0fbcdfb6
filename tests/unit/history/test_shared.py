"""What all tests of a run have in common."""

import math

import pytest

from pytest_energy.history.commits import NO_COMMITS
from pytest_energy.history.points import Point
from pytest_energy.history.series import series_of
from pytest_energy.history.shared import Factor, factors
from tests.fakes.run_histories import CHANNELS, point


def table(
    rises: tuple[float, ...], *, test_count: int = 6, changed: dict[tuple[int, int], float] | None = None
) -> list[Point]:
    """Tests of 10, 20, ... J in runs that each add what they share; *changed* adds to (test, run)."""
    return [
        point(
            10.0 * (test + 1) * math.exp(rise + (changed or {}).get((test, number), 0.0)),
            number=number,
            test_id=f"tests/test_x.py::test[{test}]",
        )
        for test in range(test_count)
        for number, rise in enumerate(rises)
    ]


def shared(points: list[Point]) -> dict[str, Factor]:
    by_group = factors(series_of(points, NO_COMMITS))
    return next(iter(by_group.values()), {})


def test_what_runs_share_is_found() -> None:
    """A board that is 3 % above the others is so in all tests of its run."""
    found = shared(table((0.0, 0.03, 0.0, -0.02, 0.0)))
    assert [found[f"run {n}"].rise for n in range(5)] == pytest.approx([0.0, 0.03, 0.0, -0.02, 0.0], abs=1e-6)
    assert {factor.test_count for factor in found.values()} == {6}


def test_no_test_that_changed_moves_it() -> None:
    """Two of seven tests that became twice as expensive are no change of all."""
    changed = {(test, run): math.log(2) for test in (0, 1) for run in range(3, 6)}
    found = shared(table((0.0,) * 6, test_count=7, changed=changed))
    assert [factor.rise for factor in found.values()] == pytest.approx([0.0] * 6, abs=1e-6)


def test_a_run_of_few_tests_has_none() -> None:
    """Below five tests a factor couldn't be separated from a change of one of them."""
    assert shared(table((0.0, 0.03), test_count=4)) == {}
    points = [one for one in table((0.0, 0.03, 0.0)) if one.run != "run 1" or "[0]" in one.test_id]
    assert set(shared(points)) == {"run 0", "run 2"}


def test_other_channels_share_nothing() -> None:
    """Tests of the CPU say nothing of the GPU's board."""
    gpu, cpu = table((0.0, 0.03, 0.0)), table((0.0, -0.03, 0.0))
    renamed = [
        point(
            one.energy_j, number=int(one.run[4:]), test_id=f"{one.test_id}c", facts=(("channels", "cpu:0"),)
        )
        for one in cpu
    ]
    found = factors(series_of([*gpu, *renamed], NO_COMMITS))
    rises = {group[1]: by_run["run 1"].rise for group, by_run in found.items()}
    assert rises == pytest.approx({dict(CHANNELS)["channels"]: 0.03, "cpu:0": -0.03}, abs=1e-6)


def test_how_well_it_is_known_is_the_scatter_of_the_tests() -> None:
    """Tests that agree know it well; tests that scatter don't."""
    scattered = {(test, 1): 0.01 * (-1) ** test * test for test in range(6)}
    exact, loose = shared(table((0.0, 0.0))), shared(table((0.0, 0.0), changed=scattered))
    assert exact["run 1"].sd == pytest.approx(0.0, abs=1e-9)
    assert 0.001 < loose["run 1"].sd < 0.05
