"""The tree of a profile of torch as plain events.

The tree, not the flat list, is walked: it alone has the line of each call, and strides. It is what torch's
own memory profiler reads, in each version since 1.12. Lists of whole numbers, and what a device did, are in
the flat list alone.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Any

from pytest_energy.errors import NotMeasurable
from pytest_energy.tracing.call_places import Places, inner
from pytest_energy.tracing.events import Event, Site, Sort, Tensor, is_node
from pytest_energy.tracing.flops import has_formula

WORK = "pytest-energy: the work"
"""Name of the range around the call."""

# Of what sort an event of the tree is, by the class of its fields: the name of an enumeration's value takes
# longer than all else that is asked of an event.
_OPERATOR, _DEVICE = "_ExtraFields_TorchOp", "_ExtraFields_Kineto"
_FRAMES = ("_ExtraFields_PyCall", "_ExtraFields_PyCCall")
_SORTS = frozenset({_OPERATOR, _DEVICE, *_FRAMES})
_FOREVER = 2**63
_USER_SCOPE = 7
_CPU = 0
# Ranges of the library around what the work calls, in operators' clothes.
_RANGES = ("Torch-Compiled Region", "TorchDynamo", "Pregraph", "AOTDispatcher", "## Call")
_COPIES = frozenset({"aten::copy_", "aten::_local_scalar_dense"})
_NO_SEQUENCE = 2**62  # what isn't numbered has the greatest number
_RUNTIME_CALL = re.compile(r"(?:cuda|cu|hip)[A-Z]")
_BYTES = re.compile(r'"bytes": (\d+)')


class EventTree:
    """The tree of a profile, walked: its *events*, and the number of the thread that made the call."""

    def __init__(
        self, flat: Sequence[Any], roots: Sequence[Any], *, places: Places | None, has_device: bool
    ) -> None:
        self.events: list[Event] = []
        self._places = places
        self._has_device = has_device
        self._dtypes: dict[object, str] = {}
        self._index_by_id: dict[int, int] = {}
        self._sites: dict[tuple[str, int], Site | None] = {}
        self._ranges: dict[int, list[tuple[int, int]]] = {}
        self._arguments = {(one.correlation_id(), one.name()): one for one in flat}
        # A device has a range of the same name, from its first kernel to its last.
        whole = (one for one in _all_of(roots) if one.name == WORK and _sort_of(one) == _OPERATOR)
        if (work := next(whole, None)) is None:
            raise NotMeasurable("the work uses torch.profiler itself, and only one can run")
        self._span_ns: tuple[int, int] = work.start_time_ns, work.end_time_ns
        self.main_thread: int = work.start_tid
        self._walk(roots)
        if has_device:
            self._add_device(flat)

    def _is_beside_operators(self, event: Any, *, is_device: bool) -> bool:
        """Whether what no operator started is of the call: the device may run it when the call is over."""
        return event.start_ns() >= self._span_ns[0] and (is_device or event.start_ns() <= self._span_ns[1])

    def _site_of(self, event: Any) -> Site | None:
        return self._sites.get((event.name(), event.start_ns()))

    def _walk(self, roots: Sequence[Any]) -> None:
        """Add all operators and ranges of the call, each behind the one that it ran in.

        What runs in what goes by time, as all these have one clock. The tree itself also hangs in it what the
        driver was asked, by another clock: where that is microseconds off, operators fall out of those that
        they ran in. A range is opened inside a call of Python that is over before the range is.
        """
        open_on: dict[int, list[tuple[int, int, Site | None, bool]]] = {}
        for _, thread, start_ns, minus_end_ns, _, node, fields in self._in_order(roots):
            around = open_on.setdefault(thread, [(_FOREVER, -1, None, False)])
            while around[-1][0] <= start_ns:
                around.pop()
            _, parent, site, is_inner = around[-1]
            sort = type(fields).__name__
            if sort == _DEVICE:
                self._sites[node.name, start_ns] = site
                continue
            if sort != _OPERATOR:
                site = self._site(fields, site, is_python=sort == _FRAMES[0])
            elif is_inner:
                parent = self._add_inner(node, fields, parent, site)
            else:
                parent = self._add(node, fields, parent, site)
                if self.events[parent].sort is Sort.MARK:
                    continue
                is_inner = "::" in self.events[parent].name
            around.append((-minus_end_ns, parent, site, is_inner))

    def _in_order(self, roots: Sequence[Any]) -> list[tuple[bool, int, int, int, int, Any, Any]]:
        """What began in the call, the main thread first; of what begins at once the longer first.

        Each with its fields, as asking for them twice takes time; the index before them is each one's own.
        """
        first_ns, last_ns = self._span_ns  # the range around the work itself begins first
        nodes: list[tuple[bool, int, int, int, int, Any, Any]] = []
        for index, node in enumerate(_all_of(roots)):
            start_ns = node.start_time_ns
            if not first_ns < start_ns <= last_ns:
                continue
            fields = node.extra_fields
            if type(fields).__name__ in _SORTS:
                thread = node.start_tid
                nodes.append(
                    (thread != self.main_thread, thread, start_ns, -node.end_time_ns, index, node, fields)
                )
        nodes.sort()
        return nodes

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

    def _add(self, node: Any, fields: Any, parent: int, site: Site | None) -> int:
        """Index of an outermost operator or a range."""
        name = node.name
        is_range = "::" not in name and (int(fields.scope) == _USER_SCOPE or name.startswith(_RANGES))
        index = self._append(
            Event(
                name=name,
                sort=Sort.MARK if is_range else Sort.OPERATOR,
                parent=parent if parent >= 0 else self._range_around(node),
                start_ns=node.start_time_ns,
                duration_ns=node.duration_time_ns,
                thread=node.start_tid,
                sequence=_sequence_of(fields),
                arguments=() if is_range else self._arguments_of(node, fields, name),
                site=site,
            ),
            node,
        )
        if is_range:
            self._ranges.setdefault(node.start_tid, []).append((node.end_time_ns, index))
        return index

    def _add_inner(self, node: Any, fields: Any, parent: int, site: Site | None) -> int:
        """Index of an operator inside another: most are asked for little, as most events are such."""
        name = node.name
        is_asked = is_node(self.events[parent]) or name in _COPIES or has_formula(name)
        return self._append(
            Event(
                name=name,
                sort=Sort.OPERATOR,
                parent=parent,
                start_ns=0,
                duration_ns=0 if self._has_device else node.duration_time_ns,
                sequence=-1 if self._places is None else _sequence_of(fields),
                arguments=self._arguments_of(node, fields, name) if is_asked else (),
                site=site,
            ),
            node,
        )

    def _append(self, event: Event, node: Any) -> int:
        self.events.append(event)
        index = len(self.events) - 1
        if self._has_device:
            self._index_by_id[node.correlation_id] = index
        return index

    def _arguments_of(self, node: Any, fields: Any, name: str) -> tuple[object, ...]:
        """Tensors by the tree, which has their strides; numbers by the flat list, which has lists of them."""
        flat = self._arguments.get((node.correlation_id, name))
        numbers = () if flat is None else flat.concrete_inputs()
        inputs = fields.inputs
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
        dtype = tensor.dtype
        text = self._dtypes.get(dtype) or self._dtypes.setdefault(dtype, str(dtype).removeprefix("torch."))
        return Tensor(tuple(tensor.sizes), tuple(tensor.strides), text)

    def _add_device(self, flat: Sequence[Any]) -> None:
        """Add what the driver was asked, then what the device did, which has the number of the question."""
        marks = {event.name for event in self.events if event.sort is Sort.MARK} | {WORK}
        asked: dict[int, int] = {}
        for one in flat:
            if int(one.device_type()) == _CPU and _RUNTIME_CALL.match(one.name()):
                asked[one.correlation_id()] = self._add_of_device(one, Sort.RUNTIME, -1)
        for one in flat:
            if int(one.device_type()) != _CPU and one.name() not in marks:
                self._add_of_device(one, Sort.DEVICE, asked.get(one.correlation_id(), -1))

    def _add_of_device(self, one: Any, sort: Sort, asked_by: int) -> int:
        """Add it to the operator that started it, else to the question to the driver; its index, or -1."""
        started_by = self._index_by_id.get(one.linked_correlation_id(), asked_by)
        if started_by < 0 and not self._is_beside_operators(one, is_device=sort is Sort.DEVICE):
            return -1
        self.events.append(
            Event(
                name=one.name(),
                sort=sort,
                parent=started_by,
                start_ns=one.start_ns(),
                duration_ns=one.duration_ns(),
                thread=one.start_thread_id(),
                size_bytes=_bytes_of(one),
                site=self.events[started_by].site if started_by >= 0 else self._site_of(one),
            )
        )
        return len(self.events) - 1


def _bytes_of(event: Any) -> int:
    """Of a copy, where this version of torch tells; else 0."""
    if not event.name().startswith("Memcpy"):
        return 0
    metadata = getattr(event, "metadata_json", None)
    match = _BYTES.search(metadata()) if callable(metadata) else None
    return int(match[1]) if match else 0


def _sequence_of(fields: Any) -> int:
    sequence = fields.sequence_number
    return sequence if sequence < _NO_SEQUENCE else -1


def _sort_of(node: Any) -> str:
    return type(node.extra_fields).__name__


def _all_of(roots: Sequence[Any]) -> Iterator[Any]:
    """All events, each before those in it."""
    waiting = list(reversed(roots))
    while waiting:
        event = waiting.pop()
        yield event
        waiting.extend(reversed(event.children))
