import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_energy.units import with_uncertainty_text


@pytest.mark.parametrize(
    ("value", "uncertainty", "text"),
    [
        (12.3456, 0.2349, "12.35 +- 0.23 J"),
        (12345.0, 37.0, "12.345 +- 0.037 kJ"),
        (2217.83, 3.31, "2217.8 +- 3.3 J"),
        (0.5, 0.0996, "500 +- 100 mJ"),
        (1500.0, 374.2, "1500 +- 370 J"),
        (3.0, 370.0, "3 +- 370 J"),
        (10.0, 0.0, "10 +- 0 J"),
        (0.0, 1.5, "0 +- 1.5 J"),
        (0.00042, 0.000013, "420 +- 13 uJ"),
        (10.0, 1e-17, "10.00000 +- 0.00010 J"),
    ],
)
def test_value_and_uncertainty_share_their_last_decimal(value: float, uncertainty: float, text: str) -> None:
    """Two significant digits of the uncertainty decide the decimals of both."""
    assert with_uncertainty_text(value, uncertainty, "J") == text


@given(st.floats(1e-9, 1e12), st.floats(1e-15, 1e13))
def test_neither_reads_as_zero(value: float, uncertainty: float) -> None:
    """Rounding to a common decimal never makes a value or its uncertainty 0."""
    numbers = re.findall(r"[\d.]+", with_uncertainty_text(value, uncertainty, "J"))
    assert all(float(number) > 0 for number in numbers)
