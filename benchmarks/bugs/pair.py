"""A bug that people had, as two sides of the same work: as it was, and mended.

Rule 1: both sides compute the same numbers from the same seed, up to the precision that the bug is about.
Rule 2: sizes follow the report, and else what such work is usually made of; on a CPU they are cut down to
    well under a second, but not so far that launches are all there is. They are fixed before a run, and
    never changed so that a figure fits.
Rule 3: what a side needs besides the work (weights, data, a captured graph, another process) is made before
    the first round.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from enum import StrEnum

from torch import Tensor

BUGS_VARIABLE = "BENCH_BUGS"
"""Environment variable with the numbers that are run with their bug: `3,9`. Without it all are mended."""

MOST_NUMBER = 16

Work = Callable[[], Tensor]
"""One call of a side: the measured work. What it returns tells whether the sides do the same."""


class Side(StrEnum):
    """Which of the two is run."""

    MENDED = "mended"
    BUG = "bug"


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How large one pair is on one kind of device; a pair reads what it has a use for.

    Attributes:
        batch: Samples, sequences or images at once.
        tokens: Of a sequence; or the side of an image.
        width: Numbers that stand for a token, or channels of an image.
        depth: Blocks or layers.
        heads: Of attention.
        steps: Repetitions in one call: training steps, tokens that are generated, products.
    """

    batch: int = 1
    tokens: int = 1
    width: int = 1
    depth: int = 1
    heads: int = 1
    steps: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """One bug of the exam.

    Attributes:
        number: In the exam's table.
        name: Part of the test's id.
        report: Where people told of it; `common` where it is in many places.
        open: From a side and a torch device to the work of that side, ready to be called.
        guilty: Names of which the first two lines of a failure must hold one: operators, calls, settings.
        device_count: GPUs that it takes.
        precision: Largest difference of what the sides compute, a share of the largest number.
    """

    number: int
    name: str
    report: str
    open: Callable[[Side, str], AbstractContextManager[Work]]
    guilty: tuple[str, ...]
    device_count: int = 1
    precision: float = 1e-4

    @property
    def id(self) -> str:
        return f"{self.number:02}-{self.name}"


def planted_numbers(text: str) -> frozenset[int]:
    """The numbers that `BENCH_BUGS` names.

    Raises:
        ValueError: A word of it is no number of the exam.
    """
    words = [word.strip() for word in text.split(",") if word.strip()]
    known = {str(number): number for number in range(1, MOST_NUMBER + 1)}
    wrong = [word for word in words if word not in known]
    if wrong:
        raise ValueError(f"{BUGS_VARIABLE}={text!r}: {wrong[0]!r} is no number from 1 to {MOST_NUMBER}")
    return frozenset(known[word] for word in words)
