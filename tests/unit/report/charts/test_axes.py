"""Scales and the numbers on them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_energy.report.charts.axes import axis_of, category_axis, doubling_axis, linear_axis
from pytest_energy.report.charts.label_layout import thinned

_energies = st.floats(min_value=1e-9, max_value=1e12)


@given(values=st.lists(_energies, min_size=1, max_size=20))
def test_an_axis_holds_its_values_and_tells_its_ticks_apart(values: list[float]) -> None:
    """Every value is on the axis, every tick too, and no two ticks have one text."""
    axis = axis_of(values, "J")
    assert all(0 <= axis.share(value) <= 1 for value in values)
    assert all(-1e-9 <= axis.share(place) <= 1 + 1e-9 for place, _ in axis.ticks)
    texts = [text for _, text in axis.ticks]
    assert texts
    assert len({*texts}) == len(texts)


@given(values=st.lists(st.floats(min_value=-1e6, max_value=1e6), min_size=1, max_size=9))
def test_a_linear_axis_takes_negative_values(values: list[float]) -> None:
    """A change may be below 0."""
    axis = linear_axis(values)
    assert all(0 <= axis.share(value) <= 1 for value in values)


def test_wide_ranges_are_logarithmic() -> None:
    """An axis is logarithmic where its values span more than a decade, linear where they don't."""
    assert axis_of([1.0, 11.0]).is_log
    assert not axis_of([1.0, 10.0]).is_log
    assert not axis_of([-1.0, 1000.0]).is_log


def test_ticks_of_a_narrow_range_differ() -> None:
    """Six millions that differ by one each are told apart on their axis."""
    texts = [text for _, text in linear_axis([1e6 + number for number in range(6)]).ticks]
    assert len({*texts}) == len(texts) > 2


def test_bars_begin_at_zero() -> None:
    """An axis for bars has 0 at its foot, even where all bars are the same."""
    for values in ([3.0, 5.0], [5.0], [0.0]):
        axis = linear_axis(values, "J", has_zero=True)
        assert axis.lower == 0
        assert axis.ticks[0] == (0.0, "0 J")


def test_one_batch_size_has_an_axis() -> None:
    """A single size stands in the middle of its axis."""
    axis = doubling_axis([64.0])
    assert axis.share(64.0) == pytest.approx(0.5)
    assert thinned(axis, [10.0], length=100.0, gap=2.0).ticks == ((64.0, "64"),)


def test_categories_count_down() -> None:
    """The first of them is at the top."""
    axis = category_axis(["a", "b"])
    assert axis.share(0) > axis.share(1) > 0
    assert axis.ticks == ((0, "a"), (1, "b"))


def test_joules_have_one_prefix_that_the_label_names() -> None:
    """Ticks are plain numbers in the unit of the label; without a label each has its own unit."""
    linear, log = linear_axis([0.001, 0.004], "J", label="energy"), axis_of([1e-4, 1e-1], "J", label="energy")
    assert (linear.label, log.label) == ("energy (mJ)", "energy (mJ)")
    assert [text for _, text in linear.ticks] == ["1", "2", "3", "4"]
    assert [text for _, text in log.ticks] == ["0.1", "1", "10", "100"]
    assert [text for _, text in axis_of([1e-3, 1.0], "J").ticks] == ["1 mJ", "10 mJ", "100 mJ", "1 J"]
