"""What each practice changes, and from how many requests on it is worth it. Pure.

Rule 1: an effect is a difference of means: all combinations with the practice on, less all with it off. Each
block gives one; their mean and their spread give the interval (Student's t), so that a drift from block to
block is in neither.
Rule 2: a break-even is a ratio of two effects. Its interval is Fieller's: it may be open at one end, where
the saving can't be separated from none.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import combinations
from statistics import fmean, variance

from pytest_energy.ledger.cells import Block, Cell, Design
from pytest_energy.stats.student import t_quantile

_TAIL = 0.025


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """What is changed by one practice, or by two beyond the sum of both.

    Attributes:
        practices: One, or two for an interaction: what the first changes with the second on, less what it
            changes with the second off.
        of_what: `once`, `request`, `accuracy`, or a phase.
        value: On less off: joules, or a share for accuracy.
        interval: At 95 % confidence; `None` with one block.
    """

    practices: tuple[str, ...]
    of_what: str
    value: float
    interval: tuple[float, float] | None

    @property
    def is_clear(self) -> bool:
        """Whether its interval excludes 0."""
        return _is_clear(self.interval)


class Worth(StrEnum):
    """When a practice uses fewer joules in all, by the means."""

    FROM = "from"  # costs first, saves per request
    UP_TO = "up to"  # saves first, costs per request
    ALWAYS = "always"
    NEVER = "never"
    NOTHING = "no clear difference"  # neither is clear: what is paid once, and joules per request


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakEven:
    """The requests at which a practice has saved what it cost.

    Attributes:
        requests: By the means; `None` if no number changes it.
        interval: At 95 % confidence, *upper* infinite where no number is surely enough; `None` where it is
            unknown: with one block, or where the data allow any number.
    """

    practice: str
    worth: Worth
    requests: float | None
    interval: tuple[float, float] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """The design, and what follows from it."""

    design: Design
    effects: tuple[Effect, ...]
    interactions: tuple[Effect, ...]
    break_evens: tuple[BreakEven, ...]

    def net_saving(self, practice: str, requests: float) -> Effect:
        """Joules that *practice* saves over *requests* in all; below 0 where it costs more."""
        return _effect(
            self.design,
            (practice,),
            "net saving",
            lambda block: -(block.once_j + requests * block.request_j),
        )

    def effect(self, practice: str, of_what: str) -> Effect:
        return next(one for one in self.effects if one.practices == (practice,) and one.of_what == of_what)


def ledger_of(design: Design) -> Ledger:
    """The effects of each practice of *design* and of each two, and the break-evens."""
    quantities: dict[str, Callable[[Block], float]] = {
        "once": lambda block: block.once_j,
        "request": lambda block: block.request_j,
    }
    quantities |= {name: _of_phase(name) for name in design.phases}
    if all(cell.accuracy is not None for cell in design.cells):
        quantities["accuracy"] = _accuracy
    effects = [
        _effect(design, (practice,), name, of)
        for practice in design.practices
        for name, of in quantities.items()
    ]
    interactions = [
        _effect(design, pair, name, quantities[name])
        for pair in combinations(design.practices, 2)
        for name in ("once", "request")
    ]
    return Ledger(
        design=design,
        effects=tuple(effects),
        interactions=tuple(interactions),
        break_evens=tuple(_break_even(design, practice) for practice in design.practices),
    )


def _of_phase(name: str) -> Callable[[Block], float]:
    return lambda block: block.phases_j.get(name, 0.0)


def _accuracy(block: Block) -> float:
    return math.nan if block.accuracy is None else block.accuracy


def _effect(design: Design, practices: tuple[str, ...], of_what: str, of: Callable[[Block], float]) -> Effect:
    value, interval = _mean_and_interval(_contrasts(design, practices, of))
    return Effect(practices=practices, of_what=of_what, value=value, interval=interval)


def _contrasts(design: Design, practices: tuple[str, ...], of: Callable[[Block], float]) -> tuple[float, ...]:
    """The effect in each block: on less off, and so on for each further practice."""
    places = [design.practices.index(practice) for practice in practices]
    half = len(design.cells) / 2 ** len(practices)

    def sign(cell: Cell) -> int:
        return math.prod(1 if cell.combination[place] else -1 for place in places)

    return tuple(
        math.fsum(sign(cell) * of(cell.blocks[number]) for cell in design.cells) / half
        for number in range(design.block_count)
    )


def _mean_and_interval(values: Sequence[float]) -> tuple[float, tuple[float, float] | None]:
    mean = fmean(values)
    if len(values) < 2:
        return mean, None
    half = t_quantile(len(values) - 1, _TAIL) * math.sqrt(variance(values) / len(values))
    return mean, (mean - half, mean + half)


def _is_clear(interval: tuple[float, float] | None) -> bool:
    return interval is not None and not interval[0] <= 0 <= interval[1]


def _break_even(design: Design, practice: str) -> BreakEven:
    once = _contrasts(design, (practice,), lambda block: block.once_j)
    request = _contrasts(design, (practice,), lambda block: block.request_j)
    cost_j, saving_j = fmean(once), -fmean(request)
    is_clear = any(_is_clear(_mean_and_interval(one)[1]) for one in (once, request))
    if len(once) > 1 and not is_clear:
        return BreakEven(practice=practice, worth=Worth.NOTHING, requests=None, interval=None)
    if cost_j * saving_j <= 0:
        worth = Worth.ALWAYS if saving_j > cost_j else Worth.NEVER if saving_j < cost_j else Worth.NOTHING
        return BreakEven(practice=practice, worth=worth, requests=None, interval=None)
    return BreakEven(
        practice=practice,
        worth=Worth.FROM if cost_j > 0 else Worth.UP_TO,
        requests=cost_j / saving_j,
        interval=fieller_interval(once, [-one for one in request]),
    )


def fieller_interval(
    numerators: Sequence[float], denominators: Sequence[float]
) -> tuple[float, float] | None:
    """95 % interval of the ratio of two means of pairs, where the ratio can't be below 0.

    Args:
        numerators: One of each block.
        denominators: Of the same blocks.

    Returns:
        Lower and upper end, at least 0. The upper one is infinite where the mean of *denominators* can't be
        separated from 0 and the ratio is bounded below; `None` where the data exclude no ratio, and with
        fewer than two blocks.

    Source:
        Fieller 1954, Journal of the Royal Statistical Society B 16, 175: the ratios r for which the mean of
        numerator - r denominator can't be separated from 0.

    >>> fieller_interval([10.0, 10.0, 10.0], [1.0, 1.0, 1.0])
    (10.0, 10.0)
    """
    count = len(numerators)
    if count < 2:
        return None
    x, y = fmean(numerators), fmean(denominators)
    scale = t_quantile(count - 1, _TAIL) ** 2 / count
    s_xx, s_yy = variance(numerators) * scale, variance(denominators) * scale
    s_xy = (
        scale
        / (count - 1)
        * math.fsum((a - x) * (b - y) for a, b in zip(numerators, denominators, strict=True))
    )
    a, b, c = y**2 - s_yy, x * y - s_xy, x**2 - s_xx
    root = b**2 - a * c
    if root < 0 or (a <= 0 and c <= 0):
        return None
    if a > 0:
        lower, upper = (b - math.sqrt(root)) / a, (b + math.sqrt(root)) / a
        return max(0.0, lower), max(0.0, upper)
    # The ratios outside of two roots: of those above 0, the ones from the larger root on.
    lower = (b - math.sqrt(root)) / a if a < 0 else c / (2 * b)
    return max(0.0, lower), math.inf
