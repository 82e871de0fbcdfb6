"""One more call of the work, counted: by which counter, how often, and what that may cost.

Rule 1: counting fails no test. What goes wrong is `Absent`, with the reason.
Rule 2: it costs one call of the work and *most_s* seconds. A second call, which shows whether the counts
    repeat and where the calls are made, is only made where it fits in that. Only where those two differ
    there are more.
Rule 3: places are only asked for where few enough functions of Python run: each costs time and memory.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from pytest_energy.counts import CountEntry, Counts
from pytest_energy.errors import Absent, NotMeasurable, described
from pytest_energy.lazy_module import LazyModule
from pytest_energy.tracing.call_places import Places
from pytest_energy.tracing.entry_order import heaviest_first
from pytest_energy.tracing.frame_limit import FrameCounter
from pytest_energy.tracing.merging import digest_of, merged
from pytest_energy.tracing.python_calls import python_calls
from pytest_energy.tracing.torch_traces import TorchTrace, is_torch_loaded, torch_trace, warm_up

if TYPE_CHECKING:
    from pytest_energy.tracing import settings, torch_profile
else:
    settings = LazyModule("pytest_energy.tracing.settings")
    torch_profile = LazyModule("pytest_energy.tracing.torch_profile")

_Trace = TypeVar("_Trace")

LONGEST_CALL_S = 60.0
"""Of a call of the work that is counted: each operator takes some 2 kB until the call is over."""

MOST_TRACES = 10
"""Of work whose calls differ.

Two of unchanged work lie above two others in one case of C(4, 2), which is 6; ten above ten in one of
C(20, 10), which is 184,756.
"""

_LONGEST_ERROR = 300  # characters of what somebody else's error says
_MOST_FRAMES = 100_000  # of Python for which places are asked: 1 s and 0.2 GB
_FRAME_S = 10e-6  # of a trace with places, for each call of Python: 7 us on a busy core of a Xeon
_SLOWED = 1.5  # how much longer a call takes under a trace with places


def traced(
    work: Callable[[], object], *, folder: Path, most_s: float = 1.0, call_s: float | None = None
) -> Counts | Absent:
    """What one call of *work* does, in exact numbers.

    Args:
        work: Is called once, twice where that fits in *most_s*, up to ten times where its calls differ.
        folder: Of the suite: code in it is the user's.
        most_s: Seconds that counting may cost beside one call of the work.
        call_s: Seconds of a call, where they are known: one that takes long is not begun.
    """
    call = _Call(work)
    start_s = time.perf_counter()
    try:
        return _counted(call, Places(folder), start_s, most_s=most_s, call_s=call_s)
    except KeyboardInterrupt:
        raise
    except NotMeasurable as error:
        return Absent(str(error)) if call.error is None else _failed(call.error)
    except BaseException as error:  # noqa: BLE001 - rule 1; a skip of pytest is no `Exception`
        failed = f"counting failed: {described(error)}"
        return Absent(failed) if call.error is None else _failed(call.error)


class _Call:
    """The work, with what it raised.

    Attributes:
        error: `None` if it returned.
    """

    def __init__(self, work: Callable[[], object]) -> None:
        self._work = work
        self.error: BaseException | None = None

    def __call__(self) -> None:
        try:
            self._work()
        except BaseException as error:
            self.error = error
            raise


def _failed(error: BaseException) -> Absent:
    text = " ".join(described(error).split())[:_LONGEST_ERROR]
    return Absent(f"the call of the work that was counted ended with {text}")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Counted:
    """What the calls gave, however they were counted."""

    source: str
    entries: Sequence[CountEntry]
    trace_count: int
    settings: Mapping[str, str] = field(default_factory=dict)


def _counted(call: _Call, places: Places, start_s: float, *, most_s: float, call_s: float | None) -> Counts:
    if call_s is not None and call_s > LONGEST_CALL_S:
        raise NotMeasurable(
            f"a call of the work takes {call_s:.0f} s, and at most {LONGEST_CALL_S:.0f} s are counted: "
            "give a smaller piece of it as `traced`"
        )
    counted = _by_torch(call, places, most_s) if is_torch_loaded() else None
    if counted is None:
        left_s = most_s - (time.perf_counter() - start_s)
        counted = _by_python(call, places, left_s)
    return Counts(
        source=counted.source,
        entries=heaviest_first(counted.entries),
        digest=digest_of(counted.entries),
        settings=counted.settings,
        trace_s=time.perf_counter() - start_s,
        trace_count=counted.trace_count,
    )


def _by_torch(call: _Call, places: Places, most_s: float) -> _Counted | None:
    """By torch's profiler; `None` if the work doesn't use torch."""
    if torch_profile.is_busy():
        raise NotMeasurable("another profiler of torch is running")
    warm_up()
    frames = FrameCounter(_MOST_FRAMES)
    first = torch_trace(frames.around(call), places=None)
    if not first.has_used_torch:
        if 2 * first.call_s + first.cost_s > most_s:
            raise NotMeasurable(
                "the work calls no operator of torch, and no time is left for a call that counts functions"
            )
        return None
    again = _second_trace(call, places, first, frames, most_s)
    traces = _Traces(first.entries)
    if again is not None:
        traces.add(again.entries)
        left_s = most_s - first.cost_s - again.cost_s - again.call_s
        traces.add_until_they_span(call, lambda: torch_trace(call, places=None).entries, left_s)
    return _Counted(
        source=f"torch.profiler (CPU{', CUDA' if first.has_device else ''})",
        entries=traces.entries,
        trace_count=traces.count,
        settings=settings.torch_settings(),
    )


def _second_trace(
    call: _Call, places: Places, first: TorchTrace, frames: FrameCounter, most_s: float
) -> TorchTrace | None:
    """Once more, with places if they fit, in what the first has left; `None` if nothing does."""
    left_s = most_s - 2 * first.cost_s - _SLOWED * first.call_s
    if left_s < 0:
        return None
    has_places = frames.count is not None and not frames.is_over and frames.count * _FRAME_S <= left_s
    return _again(call, lambda: torch_trace(call, places=places if has_places else None))


def _again(call: _Call, count: Callable[[], _Trace]) -> _Trace | None:
    """Another trace; `None` if the work can't be called again, as what it works on is used up."""
    try:
        return count()
    except KeyboardInterrupt:
        raise
    except BaseException:  # a skip of pytest and an exit are no `Exception`
        if call.error is None:
            raise
        return None


class _Traces:
    """Traces of one work, put together.

    Attributes:
        entries: Of all of them.
        count: How many there are.
    """

    def __init__(self, first: Sequence[CountEntry]) -> None:
        self.entries, self.count = first, 1

    def add(self, entries: Sequence[CountEntry]) -> None:
        self.entries, self.count = merged(self.entries, entries), self.count + 1

    def add_until_they_span(
        self, call: _Call, trace: Callable[[], Sequence[CountEntry]], left_s: float
    ) -> None:
        """Add more of work whose calls differ: two alone may lie far from what the next run has."""
        end_s = time.perf_counter() + left_s
        longest_s = 0.0
        while self.count < MOST_TRACES and self._differ:
            start_s = time.perf_counter()
            if start_s + longest_s > end_s or (more := _again(call, trace)) is None:
                break
            self.add(more)
            longest_s = max(longest_s, time.perf_counter() - start_s)

    @property
    def _differ(self) -> bool:
        return any(entry.most is not None for entry in self.entries)


def _by_python(call: _Call, places: Places, left_s: float) -> _Counted:
    """By the functions of Python that it calls; twice where that fits."""
    start_s = time.perf_counter()
    first = python_calls(call, places)
    first_s = time.perf_counter() - start_s
    fits = first_s <= left_s
    again = _again(call, lambda: python_calls(call, places)) if fits else None
    traces = _Traces(first)
    if again is not None:
        traces.add(again)
        left_s += first_s - (time.perf_counter() - start_s)
        traces.add_until_they_span(call, lambda: python_calls(call, places), left_s)
    return _Counted(source="calls of Python", entries=traces.entries, trace_count=traces.count)
