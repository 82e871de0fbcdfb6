"""What a live meter asks of whoever follows the counters: a sampler here, or an agent elsewhere."""

from collections.abc import Callable, Sequence
from typing import Protocol

from pytest_energy.meter.ticks import Read, SeenTick
from pytest_energy.model import ClockError


class TickSource(Protocol):
    """Ticks of channels that tick, reads of those that don't; times are those of the meter's clock."""

    @property
    def is_running(self) -> bool: ...

    @property
    def lag_s(self) -> float:
        """Seconds at most from a tick to its being known here, beside what following it takes."""
        ...

    def start(self) -> bool:
        """Begin, or begin again; whether what was seen before is forgotten."""
        ...

    def stop(self) -> None: ...

    def why_dead(self) -> str | None:
        """Why the counters aren't read although this was started, or `None`."""
        ...

    def add_chore(self, action: Callable[[], None], period_s: float, *, is_regular: bool = True) -> None:
        """Call *action* about every *period_s*, between the ticks; at random times if not *is_regular*."""
        ...

    def tick_s(self, channel: str) -> float | None:
        """Period of a ticked channel; `None` while it is unknown, or when the counter has fallen silent."""
        ...

    def is_silent(self, channel: str) -> bool: ...

    def is_read_since(self, channel: str, time_s: float) -> bool:
        """Whether a read of a ticked channel was surely begun after *time_s*, and gave a value."""
        ...

    def ticks(self, channel: str) -> Sequence[SeenTick]:
        """All ticks of a ticked channel that are still known; the sequence may grow."""
        ...

    def mark(self) -> None:
        """Know that a window begins: ticks beside now are needed when it ends, whenever that is."""
        ...

    def count_after(self, channel: str, time_s: float) -> int:
        """Ticks of *channel* that were surely after *time_s*."""
        ...

    def fault_since(self, channel: str, since_s: float) -> str | None:
        """Why joules of *channel* since *since_s* can't be used, or `None`."""
        ...

    def read(self, channel: str) -> Read:
        """Joules now of a channel that doesn't tick.

        Raises:
            SensorError: There is no value.
        """
        ...

    def follow_each(self, channels: Sequence[str], *, is_each: bool) -> None:
        """Whether each tick of *channels* is followed: what lies between the edges of a window counts."""
        ...

    def poll_eagerly(self, channels: Sequence[str]) -> None: ...

    def poll_normally(self, channels: Sequence[str]) -> None: ...

    def leave_until(self, channels: Sequence[str], time_s: float) -> None:
        """Know that no read of *channels* is wanted until *time_s*, where their ticks are known without."""
        ...

    def clock_error(self, start_s: float, stop_s: float) -> ClockError:
        """How well two moments of the meter's clock are known among the ticks."""
        ...

    def notes_since(self, since_s: float) -> tuple[str, ...]:
        """Notes on what was followed since *since_s*."""
        ...
