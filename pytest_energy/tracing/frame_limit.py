"""How many calls of Python a work makes, counted up to a limit: what a place of each call would cost."""

import sys
from collections.abc import Callable
from types import FrameType
from typing import Self


class FrameCounter:
    """Counts calls of the thread that enters it; past *limit* it takes itself away.

    Attributes:
        count: Calls so far; `None` if they can't be counted, because another profiler is running.
    """

    def __init__(self, limit: int) -> None:
        self.count: int | None = 0
        self._limit = limit
        self._events = 0

    def around(self, work: Callable[[], object]) -> Callable[[], object]:
        """*work*, its calls counted."""

        def counted() -> object:
            with self:
                return work()

        return counted

    def __enter__(self) -> Self:
        if sys.getprofile() is None:
            sys.setprofile(self._count_event)
        else:
            self.count = None
        return self

    def __exit__(self, *error: object) -> None:
        if self.count is not None:
            if sys.getprofile() == self._count_event:
                sys.setprofile(None)
            self.count = self._events // 2  # each call begins and returns

    def _count_event(self, _frame: FrameType, _event: str, _argument: object) -> None:
        self._events += 1
        if self._events > 2 * self._limit:
            sys.setprofile(None)

    @property
    def is_over(self) -> bool:
        """Whether there were more than the limit, or that is unknown."""
        return self.count is None or self.count >= self._limit
