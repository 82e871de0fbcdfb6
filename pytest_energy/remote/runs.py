"""Who measures with an agent now."""

from threading import Lock

from pytest_energy.remote.protocol import FORGET_S, Who

MOST_RUNS = 64
"""More are not remembered: the one that hasn't polled for longest is forgotten."""


class Runs:
    """The runs that have polled a moment ago."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._seen: dict[str, tuple[Who, float]] = {}  # who polled last is last

    def see(self, who: Who, now_s: float) -> None:
        with self._lock:
            self._seen.pop(who.run_id, None)
            self._seen[who.run_id] = (who, now_s)
            if len(self._seen) > MOST_RUNS:
                del self._seen[next(iter(self._seen))]

    def forget(self, who: Who) -> None:
        with self._lock:
            self._seen.pop(who.run_id, None)

    def now(self, now_s: float, *, besides: str | None = None) -> tuple[Who, ...]:
        """Those that measure at *now_s*, without the run *besides*."""
        with self._lock:
            self._seen = {
                run_id: (who, seen_s)
                for run_id, (who, seen_s) in self._seen.items()
                if now_s - seen_s <= FORGET_S
            }
            return tuple(who for run_id, (who, _) in self._seen.items() if run_id != besides)
