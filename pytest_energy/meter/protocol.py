"""The interface of a meter: windows that become readings."""

from collections.abc import Collection, Iterable, Mapping
from typing import Protocol

from pytest_energy.model import Domain, Provenance, Reading, SensorStatus


class OpenPhase(Protocol):
    """A named stretch inside an open window."""

    def close(self) -> None:
        """End the stretch. What it used is in the window's reading, once that is closed."""
        ...


class OpenWindow(Protocol):
    """A window whose joules are being counted."""

    def phase(self, name: str, *, samples: int | None = None, waits_for_gpu: bool = True) -> OpenPhase:
        """Begin a named stretch inside this window, of so many samples; stretches may nest and overlap.

        Nothing waits for the sensors, so its edges are known less well than the window's: where the counter
        ticks they are interpolated. If it *waits_for_gpu* they come when the GPU has done what it was given;
        not where the stretch is one of time, in a flow of work that doesn't stop.
        """
        ...

    def close(self) -> Reading:
        """End the window. A fault of a sensor makes the reading void, with the reason; it isn't raised."""
        ...


class Meter(Protocol):
    """A source of readings."""

    @property
    def provenance(self) -> Provenance: ...

    def statuses(self) -> tuple[SensorStatus, ...]:
        """The sensors with the tick that was found, and those that are absent."""
        ...

    def start(self) -> None:
        """Begin, or go on after a pause.

        At first it takes about 3 s where something is measured: ticks are found, idle power is measured. It
        takes up to 12 s where power is not at rest yet.
        """
        ...

    def pause(self) -> None:
        """Leave the process as it was: no thread, no window. What was found out is kept."""
        ...

    def rounds_left(self, test_id: str) -> int | None:
        """Rounds that can still be read for the test *test_id*; `None` if there is no limit."""
        ...

    def why_unmeasured(self, test_id: str) -> str | None:
        """Why the test *test_id* can't be measured at all, or `None`."""
        ...

    def open(self, test_id: str, *, domains: frozenset[Domain] | None = None) -> OpenWindow:
        """Open an outermost window over the channels of *domains*, or all.

        One window is open at a time. One that was left open (its work raised) is abandoned.
        """
        ...

    def idle_power_w(self) -> Mapping[str, float] | None:
        """Power at rest by channel, or `None` if it isn't known."""
        ...

    def drift_notes(self) -> tuple[str, ...]:
        """Notes on idle power that has changed since the run's start.

        To be asked at the end of the run, with nothing at work; takes about 3 s where something is measured.
        """
        ...

    def devices(self, domains: frozenset[Domain] | None) -> tuple[str, ...]:
        """What only one process at a time may measure: GPU UUIDs, CPU packages."""
        ...

    def adopt(self, pids: Iterable[int], *, on: Collection[str] = ()) -> None:
        """Count these processes as this run's own, such as a server that it uses.

        Args:
            pids: Those that are known.
            on: Channels; all processes are taken that have their devices open now.
        """
        ...

    def roles(self) -> Mapping[str, str]:
        """What the device of each channel does in the work, by channel, as far as it is known: `rank 0`."""
        ...

    def processes(self) -> Mapping[str, frozenset[int]]:
        """Processes of this machine that have a device open now, by channel, as far as known."""
        ...

    def close(self) -> None: ...


class StagedWindow(OpenWindow, Protocol):
    """A window that begins and ends in steps, so that windows on several machines do so together.

    In order: `get_ready`, `start`, the work, `stop`, `end_watch`, `close`. `close` alone does the last three.
    """

    def get_ready(self) -> None:
        """Wait until the time before the window is known to be quiet."""
        ...

    def start(self) -> None:
        """Take the edge where the window begins, without a wait."""
        ...

    def stop(self) -> None:
        """Take the edge where it ends, without a wait."""
        ...

    def end_watch(self) -> None:
        """Stop what watches the devices beside the counters."""
        ...

    def abandon(self, because: str) -> None:
        """End the window without a wait; its reading is void."""
        ...


class StagedMeter(Meter, Protocol):
    """A meter whose windows begin and end in steps."""

    def stage(self, test_id: str, *, domains: frozenset[Domain] | None = None) -> StagedWindow:
        """As `open`, but the window has not begun: only the quiet before it counts from now on."""
        ...
