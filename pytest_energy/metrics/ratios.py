"""What the numbers in a ratio must be, so that no formula divides by nothing or passes on a NaN."""

import math

from pytest_energy.errors import NotMeasurable


def finite(value: float, what: str) -> float:
    """The number itself, if it is finite and at least 0.

    Raises:
        NotMeasurable: It is negative, infinite or NaN.
    """
    if not (math.isfinite(value) and value >= 0):
        raise NotMeasurable(f"{what} is {value}; it must be a finite number of at least 0")
    return value


def positive(value: float, what: str) -> float:
    """The number itself, if one can divide by it: finite and above 0.

    Raises:
        NotMeasurable: It is 0, negative, infinite or NaN.
    """
    if not (math.isfinite(value) and value > 0):
        raise NotMeasurable(f"{what} is {value}; the ratio needs a finite number above 0")
    return value


def share(value: float, what: str) -> float:
    """The number itself, if it is a share of 0 to 1.

    Raises:
        NotMeasurable: It lies outside, as a percentage does.
    """
    if not 0 <= value <= 1:
        raise NotMeasurable(f"{what} is {value}; it must be a share of 0 to 1, not a percentage")
    return value
