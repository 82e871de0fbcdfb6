"""Shares of a whole that are spread evenly, however many of them are taken."""

import math

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
