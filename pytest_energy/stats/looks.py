"""When a comparison in blocks may end before its last block, and what that costs. Pure.

Rule 1: a look before the last block spends a part of what is left of alpha, and the last look has the rest.
    All looks together err at most as often as alpha says, however they hang together.
Rule 2: whether to look at all is decided by the width of the bounds, never by their centre.
Rule 3: a bound that no look is for keeps its alpha: looks for a pass take nothing from what proves a rise.

Source:
    Bonferroni's inequality; alpha spending: Lan and DeMets 1983, Biometrika 70, 659. Shares: simulated for
    this project.
"""

from dataclasses import dataclass, replace

PASS_SHARE = 0.25
"""Of what is left. With a half, unchanged code passes hardly sooner (after 2.06 blocks of 3, not 2.17), and
the last look at all other tests is blunter."""

RISE_SHARE = 0.1
"""Of what is left: how large a rise is isn't known before, so that many such looks are in vain."""

WORTH_SHARE = 0.75
"""Of what is allowed, that the half-width has at most: unchanged code then passes in four of five."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chances:
    """The chance that the truth lies beyond each bound of a ratio."""

    lower: float
    upper: float

    @classmethod
    def both(cls, alpha: float) -> "Chances":
        return cls(lower=alpha, upper=alpha)

    def for_a_pass(self) -> tuple["Chances", "Chances"]:
        """Those of a look that may end in a pass, and those of all that come after it.

        >>> Chances.both(0.04).for_a_pass()
        (Chances(lower=0.04, upper=0.01), Chances(lower=0.04, upper=0.03))
        """
        now = PASS_SHARE * self.upper
        return replace(self, upper=now), replace(self, upper=self.upper - now)

    def for_a_rise(self) -> tuple["Chances", "Chances"]:
        """Those of a look that may end in a rise, and those of all that come after it."""
        now = RISE_SHARE * self.lower
        return replace(self, lower=now), replace(self, lower=self.lower - now)


def is_worth_a_look(half_ratio: float, allowed: float) -> bool:
    """Whether bounds that are *half_ratio* from their centre are likely to pass where nothing has changed.

    >>> is_worth_a_look(1.014, 0.02), is_worth_a_look(1.016, 0.02)
    (True, False)
    """
    return bool(half_ratio <= (1 + allowed) ** WORTH_SHARE)
