"""A store that ranks share, in one process; and a clock on which another rank acts while one waits."""

from collections.abc import Callable, Sequence

from pytest_energy.nodes.lockstep import RankLost


class RankStore:
    """Texts by key.

    Attributes:
        texts: What is there.
        has_ended: Every call fails, as where the process behind the store has ended.
    """

    def __init__(self) -> None:
        self.texts: dict[str, str] = {}
        self.has_ended = False

    def _check(self) -> None:
        if self.has_ended:
            raise RankLost("the store has ended")

    def put(self, key: str, text: str) -> None:
        self._check()
        self.texts[key] = text

    def have(self, keys: Sequence[str]) -> bool:
        self._check()
        return all(key in self.texts for key in keys)

    def read(self, key: str) -> str | None:
        self._check()
        return self.texts.get(key)

    def remove(self, key: str) -> None:
        self._check()
        self.texts.pop(key, None)


class WaitingClock:
    """A clock that passes when somebody sleeps; what is planned is done when its time has come."""

    def __init__(self) -> None:
        self._now_s = 100.0
        self._planned: list[tuple[float, Callable[[], object]]] = []

    def after(self, delay_s: float, act: Callable[[], object]) -> None:
        """Do *act* so many seconds from now."""
        self._planned.append((self._now_s + delay_s, act))

    def now_s(self) -> float:
        return self._now_s

    def sleep_s(self, duration_s: float) -> None:
        self._now_s += duration_s
        due = [plan for plan in self._planned if plan[0] <= self._now_s]
        self._planned = [plan for plan in self._planned if plan not in due]
        for _, act in due:
            act()

    def suspended_s(self) -> float | None:
        return 0.0
