"""Shares of a whole that are spread evenly, however many of them are taken."""

import math
from itertools import count

_GOLDEN_SHARE = (math.sqrt(5) - 1) / 2


class EvenShares:
    """Multiples of the golden ratio: more evenly spread than chance, and locked to nothing.

    Args:
        before: What the first share comes after, from 0 to 1.
    """

    def __init__(self, before: float = 0.0) -> None:
        self._share = before

    def take(self) -> float:
        """The next share, from 0 to 1."""
        self._share = (self._share + _GOLDEN_SHARE) % 1.0
        return self._share


class ThirdShares:
    """Shares of which the first three, nine, twenty-seven, ... are equally far apart, and so are the next.

    Work that begins there is counted right on the mean of each three by a counter that samples power 2, 4, 5,
    8 or 10 times a tick. Five multiples of the golden ratio in a row hit one place between five samples.

    Args:
        before: By what all of them are shifted, from 0 to 1.

    Source:
        The sequence of van der Corput in base 3 (Kuipers, Niederreiter, "Uniform Distribution of Sequences",
        1974, section 2.3).
    """

    def __init__(self, before: float = 0.0) -> None:
        self._before, self._numbers = before, count()

    def take(self) -> float:
        """The next share, from 0 to 1."""
        number, share, place = next(self._numbers), self._before, 1 / 3
        while number:
            number, digit = divmod(number, 3)
            share, place = share + digit * place, place / 3
        return share % 1.0
