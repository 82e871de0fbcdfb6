"""A clock that stands until a test moves it."""


class HandClock:
    def __init__(self) -> None:
        self._now_s = 1000.0

    def now_s(self) -> float:
        return self._now_s

    def sleep_s(self, duration_s: float) -> None:
        self._now_s += duration_s

    def suspended_s(self) -> None:
        """Nobody tells whether the machine has slept."""
