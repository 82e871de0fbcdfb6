"""What any sensor may give."""

import math

import numpy as np
import pytest

from pytest_energy.errors import SensorError
from pytest_energy.sensors.protocol import checked_j


@pytest.mark.parametrize(
    ("value", "joules"), [(np.float32(0.5), 0.5), (np.int64(3), 3.0), (7, 7.0), (-2.5, -2.5), (1e15, 1e15)]
)
def test_a_number_of_any_library_is_joules(value: object, joules: float) -> None:
    """It comes out as a number of Python's own, as JSON takes no other."""
    checked = checked_j(value, "board", "gpu:0")
    assert (checked, type(checked)) == (joules, float)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, "None"),
        ("12.5", "'12.5'"),
        (b"12.5", "b'12.5'"),
        (1j, "1j"),
        (math.nan, "nan"),
        (-math.inf, "-inf"),
        (1e308, "1e+308"),
        (10**400, f"{'1' + '0' * 56}..."),
        (1.1e15, "1100000000000000.0"),
        ([1.0], "[1.0]"),
        (np.array([1.0, 2.0]), "array([1., 2.])"),
    ],
)
def test_what_is_no_joules_is_a_fault_of_the_sensor(value: object, words: str) -> None:
    """A text that could be read as a number is none either; sensor, channel and value are named."""
    with pytest.raises(SensorError) as error:
        checked_j(value, "board", "gpu:0")
    assert str(error.value) == f"gpu:0: the sensor board gave {words}, which is not a number of joules"
