"""A track as a small line."""

import re

from pytest_energy.history.tracks import history_of
from pytest_energy.report.over_commits.spark import HEIGHT, WIDTH, Spark, spark
from tests.fakes.run_histories import failed, noisy, runs

PLACE = re.compile(r"(\d+) ([\d.]+)")


def spark_of(energies_j: list[float | None], *, failed_run: int | None = None) -> Spark:
    listed = runs(energies_j)
    if failed_run is not None:
        listed[failed_run] = failed(listed[failed_run])
    (track,) = history_of(listed).tracks
    return spark(track)


def heights(path: str) -> list[float]:
    return [float(y) for _, y in PLACE.findall(path)]


def test_higher_is_more_and_later_is_right() -> None:
    """The line rises with joules and runs over the whole width."""
    line = spark_of([100.0, 150.0, 200.0]).line
    xs, ys = zip(*PLACE.findall(line), strict=True)
    assert [int(x) for x in xs] == [4, 130, 256]
    assert [float(y) for y in ys] == sorted(map(float, ys), reverse=True)
    assert all(0 <= float(y) <= HEIGHT for y in ys)
    assert all(0 <= int(x) <= WIDTH for x in xs)


def test_noise_does_not_fill_it() -> None:
    """Half a percent of noise takes a twentieth of ten percent."""
    ys = heights(spark_of([100.0, 100.5, 100.0]).line)
    assert max(ys) - min(ys) < HEIGHT / 10


def test_one_odd_run_does_not_flatten_the_rest() -> None:
    """Of two hundred runs one that took ten times as much is at the edge."""
    energies_j: list[float | None] = [*noisy(200, steps={100: 1.2})]
    energies_j[50] = 1000.0
    found = spark_of(energies_j)
    first, second = heights(found.levels)[0], heights(found.levels)[-1]
    assert first - second > HEIGHT / 4
    assert min(heights(found.line)) >= 0


def test_steps_and_failures_are_marked() -> None:
    """An upright line between two runs, and a dot at a run that failed."""
    found = spark_of([*noisy(40, sd=0.005, steps={20: 1.2})], failed_run=7)
    assert found.steps.count("M") == 1
    assert found.levels.count("M") == 2
    assert found.failed.count("M") == 1


def test_few_runs_have_dots() -> None:
    """A single run has no line to be seen by; of many, dots would be one."""
    assert spark_of([100.0]).dots.count("M") == 1
    assert spark_of([*noisy(60)]).dots == ""


def test_nothing_to_draw_is_nothing() -> None:
    """A test that never had joules has no line."""
    assert spark_of([None, None]) == Spark(line="", dots="", levels="", steps="", failed="")
