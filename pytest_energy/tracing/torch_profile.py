"""One call of the work under torch.profiler; what it saw as plain events.

The tree of events, not the flat list, is read: it alone has the line of each call, and strides. It is what
torch's own memory profiler reads, in each version since 1.12.
"""

import re
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from pytest_energy.errors import NotMeasurable
from pytest_energy.lazy_module import LazyModule
from pytest_energy.tracing.call_places import Places, inner
from pytest_energy.tracing.events import Event, Site, Sort, Tensor
from pytest_energy.tracing.lazy_torch import torch
from pytest_energy.tracing.quiet_stderr import without_kineto_lines

profiler: Any = LazyModule("torch.autograd.profiler")

MOST_EVENTS = 200_000
"""Of a trace that is read: each takes some 5 us. 30 training steps of EfficientNet-B0 are as many."""

_WORK = "pytest-energy: the work"
_FRAMES = ("PyCall", "PyCCall")
# Ranges of the library around what the work calls, in operators' clothes.
_RANGES = ("Torch-Compiled Region", "TorchDynamo", "Pregraph", "AOTDispatcher", "## Call")
_NO_SEQUENCE = 2**62  # what isn't numbered has the greatest number
_RUNTIME_CALL = re.compile(r"(?:cuda|cu|hip)[A-Z]")
_BYTES = re.compile(r'"bytes": (\d+)')


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """One call, profiled.

    Attributes:
        events: What the call caused, each behind the one that it ran in.
        has_device: Whether a device was looked at.
        has_places: Whether the events know where the user's code was.
        call_s: Seconds of the call itself.
        next_sequence: Number of the next node of a backward pass, once the call is over.
    """

    events: Sequence[Event]
    has_device: bool
    has_places: bool
    call_s: float
    next_sequence: int


def is_busy() -> bool:
    """Whether somebody else profiles already: there can be but one."""
    return bool(torch._C._autograd._profiler_enabled())  # noqa: SLF001 - no public way to ask


def profiled(work: Callable[[], object], *, places: Places | None) -> Profile:
    """*work*, called once; what it raises passes, with the profile ended.

    *places* ask for the place of each call, which costs an event for every call of Python.
    """
    has_device = torch.cuda.is_available() and bool(torch.cuda.is_initialized())  # type: ignore[no-untyped-call]
    profile = profiler.profile(
        use_device="cuda" if has_device else None,
        record_shapes=True,
        with_stack=places is not None,
        use_kineto=True,
    )
    if has_device:
        torch.cuda.synchronize()  # what was begun before is none of the call's
    with without_kineto_lines():
        profile.__enter__()
    try:
        with profiler.record_function(_WORK):
            start_s = time.perf_counter()
            work()
            call_s = time.perf_counter() - start_s
        if has_device:
            torch.cuda.synchronize()
    finally:
        with without_kineto_lines():
            profile.__exit__(None, None, None)
    results = profile.kineto_results
    flat = results.events()
    if len(flat) > MOST_EVENTS:
        raise NotMeasurable(
            f"a call of the work is {len(flat):,} events, and at most {MOST_EVENTS:,} are counted"
        )
    return Profile(
        events=_Reader(flat, results.experimental_event_tree(), places).events,
        has_device=has_device,
        has_places=places is not None,
        call_s=call_s,
        next_sequence=_next_sequence(),
    )


def _next_sequence() -> int:
    """Takes a number itself, which is none of the work's."""
    with torch.enable_grad(), torch.inference_mode(mode=False):
        node = torch.zeros((), requires_grad=True).view(1).grad_fn
    return -1 if node is None else int(node._sequence_nr())  # noqa: SLF001 - documented, though


class _Reader:
    """The tree of a profile, walked from the top."""

    def __init__(self, flat: Sequence[Any], roots: Sequence[Any], places: Places | None) -> None:
        self.events: list[Event] = []
        self._places = places
        self._dtypes: dict[object, str] = {}
        self._index_by_id: dict[int, int] = {}
        self._sites: dict[tuple[str, int], Site | None] = {}
        self._ranges: dict[int, list[tuple[int, int]]] = {}
        self._arguments = {(one.correlation_id(), one.name()): one for one in flat}
        work = next(event for event in _all_of(roots) if event.name == _WORK)
        self._span_ns: tuple[int, int] = work.start_time_ns, work.end_time_ns
        self._walk(roots)
        self._add_device(flat)

    def _is_of_the_call(self, start_ns: int) -> bool:
        """Whether it began while the work ran, on whatever thread."""
        first_ns, last_ns = self._span_ns
        return first_ns <= start_ns <= last_ns

    def _is_beside_operators(self, event: Any, *, is_device: bool) -> bool:
        """Whether what no operator started is of the call: the device may run it when the call is over."""
        return event.start_ns() >= self._span_ns[0] and (is_device or event.start_ns() <= self._span_ns[1])

    def _site_of(self, event: Any) -> Site | None:
        return self._sites.get((event.name(), event.start_ns()))

    def _walk(self, roots: Sequence[Any]) -> None:
        """Add all operators and ranges of the call, each behind the one that it ran in.

        A range is opened inside a call of Python that is over before the range is, so that the tree doesn't
        have in it what it encloses: that goes by time.
        """
        waiting: list[tuple[Any, int, Site | None]] = [(event, -1, None) for event in reversed(roots)]
        while waiting:
            node, parent, site = waiting.pop()
            tag, extra = node.typed
            if tag.name in _FRAMES:
                is_of_the_work = node.start_time_ns >= self._span_ns[0]
                site = self._site(extra, site, is_python=tag.name == "PyCall") if is_of_the_work else None
            elif tag.name == "Kineto":
                self._sites[node.name, node.start_time_ns] = site
            elif tag.name == "TorchOp" and node.name != _WORK and self._is_of_the_call(node.start_time_ns):
                parent = self._add(node, extra, parent if parent >= 0 else self._range_around(node), site)
            waiting.extend((child, parent, site) for child in reversed(node.children))

    def _range_around(self, node: Any) -> int:
        """Index of the innermost range that is open on its thread; -1 where none is."""
        ranges = self._ranges.setdefault(node.start_tid, [])
        while ranges and ranges[-1][0] <= node.start_time_ns:
            ranges.pop()
        return ranges[-1][1] if ranges else -1

    def _site(self, frame: Any, site: Site | None, *, is_python: bool) -> Site | None:
        """Where the chain is, one frame further in."""
        if self._places is None:
            return None
        caller = frame.caller
        site = inner(site, self._places.site(caller.file_name, caller.line_number, caller.function_name))
        if is_python:  # what it does without a call, such as `a + b`, has the line where the function begins
            own = frame.callsite
            site = inner(site, self._places.site(own.file_name, own.line_number, own.function_name))
        return site

    def _add(self, node: Any, extra: Any, parent: int, site: Site | None) -> int:
        name = node.name
        is_range = extra.scope.name == "USER_SCOPE" or name.startswith(_RANGES)
        sequence = extra.sequence_number
        self.events.append(
            Event(
                name=name,
                sort=Sort.MARK if is_range else Sort.OPERATOR,
                parent=parent,
                start_ns=node.start_time_ns,
                duration_ns=node.duration_time_ns,
                thread=node.start_tid,
                sequence=sequence if sequence < _NO_SEQUENCE else -1,
                arguments=() if is_range else self._arguments_of(node, extra),
                site=site,
            )
        )
        index = len(self.events) - 1
        self._index_by_id[node.correlation_id] = index
        if is_range:
            self._ranges.setdefault(node.start_tid, []).append((node.end_time_ns, index))
        return index

    def _arguments_of(self, node: Any, extra: Any) -> tuple[object, ...]:
        """Tensors by the tree, which has their strides; numbers by the flat list, which has lists of them."""
        flat = self._arguments.get((node.correlation_id, node.name))
        numbers = () if flat is None else flat.concrete_inputs()
        inputs = extra.inputs
        if len(numbers) != len(inputs):
            numbers = [None] * len(inputs)
        return tuple(map(self._argument, inputs, numbers))

    def _argument(self, value: Any, number: object) -> object:
        if hasattr(value, "sizes"):
            return self._tensor(value)
        if isinstance(value, list) and value and hasattr(value[0], "sizes"):
            return tuple(self._tensor(part) for part in value)
        if isinstance(number, list):
            return tuple(number)
        return value if number is None else number

    def _tensor(self, tensor: Any) -> Tensor:
        dtype = self._dtypes.get(tensor.dtype) or self._dtypes.setdefault(
            tensor.dtype, str(tensor.dtype).removeprefix("torch.")
        )
        return Tensor(tuple(tensor.sizes), tuple(tensor.strides), dtype, tensor.device.type)

    def _add_device(self, flat: Iterable[Any]) -> None:
        """Add what the runtime and the device did; each is of the operator that started it."""
        marks = {event.name for event in self.events if event.sort is Sort.MARK} | {_WORK}
        for one in flat:
            name = one.name()
            is_device = one.device_type().name != "CPU"
            if (is_device and name in marks) or not (is_device or _RUNTIME_CALL.match(name)):
                continue
            started_by = self._index_by_id.get(one.linked_correlation_id(), -1)
            if started_by < 0 and not self._is_beside_operators(one, is_device=is_device):
                continue
            self.events.append(
                Event(
                    name=name,
                    sort=Sort.DEVICE if is_device else Sort.RUNTIME,
                    parent=started_by,
                    start_ns=one.start_ns(),
                    duration_ns=one.duration_ns(),
                    thread=one.start_thread_id(),
                    size_bytes=_bytes_of(one),
                    site=self.events[started_by].site if started_by >= 0 else self._site_of(one),
                )
            )


def _bytes_of(event: Any) -> int:
    """Of a copy, where this version of torch tells; else 0."""
    if event.nbytes():
        return int(event.nbytes())
    metadata = getattr(event, "metadata_json", None)
    match = _BYTES.search(metadata()) if callable(metadata) else None
    return int(match[1]) if match else 0


def _all_of(roots: Sequence[Any]) -> Iterator[Any]:
    waiting = list(roots)
    while waiting:
        event = waiting.pop()
        yield event
        waiting.extend(event.children)
