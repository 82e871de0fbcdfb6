"""Which points are on one line."""

from dataclasses import replace

import pytest

from pytest_energy.history.commits import NO_COMMITS
from pytest_energy.history.points import Point
from pytest_energy.history.series import Series, series_of
from pytest_energy.model import Provenance
from tests.fakes.run_histories import CHANNELS, commits, point, runs


def series(*points: Point) -> tuple[Series, ...]:
    return series_of(points, NO_COMMITS)


@pytest.mark.parametrize(
    "other",
    [
        point(number=1, key="another_machine"),
        point(number=1, provenance=Provenance.ESTIMATED),
        point(number=1, facts=(("channels", "cpu:package-0"),)),
        point(number=1, facts=(*CHANNELS, ("samples", "32"))),
        point(number=1, test_id="tests/test_model.py::test_inference"),
    ],
    ids=["machine", "provenance", "channels", "samples", "test"],
)
def test_what_may_not_be_compared_is_never_on_one_line(other: Point) -> None:
    """Another machine, kind of joules, sensor, batch size or test is a series of its own."""
    assert [len(one.marks) for one in series(point(), other)] == [1, 1]
    assert [len(one.marks) for one in series(point(), point(number=1))] == [2]


def test_facts_that_differ_name_the_series() -> None:
    """Two series of one test have what separates them, and nothing else."""
    small, large = (point(number=n, facts=(*CHANNELS, ("samples", str(n)))) for n in (16, 32))
    assert [one.differs for one in series(small, large)] == [(("samples", "16"),), (("samples", "32"),)]
    assert series(small)[0].differs == ()


def test_joules_per_sample_are_one_series_over_batch_sizes() -> None:
    """A test that is judged per sample is shown per sample, in all its runs and baselines."""
    listed = [
        replace(
            point(10.0 * samples, number=number, facts=(*CHANNELS, ("samples", str(samples)))),
            samples=samples,
            is_per_sample=number == 1,
        )
        for number, samples in enumerate((16, 32))
    ]
    (one,) = series(*listed)
    assert one.unit == "sample"
    assert [mark.value for mark in one.marks] == [10.0, 10.0]
    assert [mark.uncertainty for mark in one.marks] == pytest.approx([0.05, 0.05])


def test_joules_per_round_stay_per_round() -> None:
    """Samples alone make no unit."""
    (one,) = series(replace(point(160.0), samples=16))
    assert (one.unit, one.marks[0].value) == ("round", 160.0)


def test_a_point_without_joules_is_where_its_test_was() -> None:
    """It can't say what it would have measured: it is in the series around it."""
    nothing = [replace(point(None, number=number), facts=()) for number in (0, 2, 4)]
    before, after = point(number=1), point(number=3, facts=(*CHANNELS, ("samples", "32")))
    first, second = series(*nothing, before, after)
    assert [mark.value for mark in first.marks] == [None, 100.0, None]
    assert [mark.value for mark in second.marks] == [100.0, None]
    assert first.marks[0].why_unused == "no sensor on this machine"


def test_a_test_that_never_had_joules_is_shown() -> None:
    """Its series has marks, and none that a level rests on."""
    (one,) = series(point(None), point(None, number=1))
    assert len(one.marks) == 2
    assert one.used == ()


def test_a_commit_aside_is_shown_and_not_used() -> None:
    """A branch that was never merged moves no level of the line that HEAD is on."""
    (one,) = series_of(runs([100.0, 150.0, 100.0]), commits(3, aside=[1]))
    assert [mark.value for mark in one.used] == [100.0, 100.0]
    assert "HEAD" in one.marks[1].why_unused


def test_shorter_answers_are_a_series_of_their_own() -> None:
    """Mean lengths within 1 % of the first one are the same work; a length that comes back joins its own."""
    lengths = (128.0, 127.0, 129.2, 120.0, 128.5)
    listed = [replace(point(number=place), free_length=length) for place, length in enumerate(lengths)]
    found = series(*listed)
    assert [[mark.point.free_length for mark in one.marks] for one in found] == [
        [128.0, 127.0, 129.2, 128.5],
        [120.0],
    ]
    assert [one.differs for one in found] == [
        (("average_output_token_length", "128 tokens"),),
        (("average_output_token_length", "120 tokens"),),
    ]
