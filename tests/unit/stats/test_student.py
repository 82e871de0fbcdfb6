"""Student's t: the quantiles that bounds are made of, held against scipy's."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import t

from pytest_energy.stats.student import t_quantile, t_tail


@given(df=st.floats(0.5, 1e5), tail=st.floats(1e-6, 0.49))
def test_a_quantile_is_scipys(df: float, tail: float) -> None:
    """What is passed with that chance is what scipy has, to ten digits."""
    assert t_quantile(df, tail) == pytest.approx(float(t.isf(tail, df)), rel=1e-10)


@pytest.mark.parametrize(
    ("df", "tail", "value"),
    [
        (1, 0.05, 6.313752),
        (2, 0.025, 4.302653),
        (4, 0.05, 2.131847),
        (10, 0.005, 3.169273),
        (120, 0.05, 1.657651),
    ],
)
def test_a_quantile_is_the_printed_tables(df: int, tail: float, value: float) -> None:
    """The table of NIST's handbook, section 1.3.6.7.2, has these."""
    assert t_quantile(df, tail) == pytest.approx(value, abs=5e-7)


@given(df=st.floats(0.5, 1e5), tail=st.floats(0.01, 0.5))
def test_a_tail_undoes_a_quantile(df: float, tail: float) -> None:
    """The chance to pass the value that is passed with a chance is that chance."""
    assert t_tail(df, t_quantile(df, tail)) == pytest.approx(tail, rel=1e-10)


@given(df=st.floats(0.5, 1e5), tail=st.floats(0.01, 0.5))
def test_the_distribution_is_even(df: float, tail: float) -> None:
    """The lower quantile is the upper one's mirror, and the median is 0."""
    assert t_quantile(df, 1.0 - tail) == pytest.approx(-t_quantile(df, tail), rel=1e-9, abs=1e-12)
    assert t_quantile(df, 0.5) == 0.0


def test_many_degrees_of_freedom_are_the_normal_distribution() -> None:
    """Where the logarithms of two large gammas would cancel, the value still nears the normal one."""
    assert math.isclose(t_quantile(1e9, 0.025), 1.959963987, rel_tol=1e-8)
