"""Events of a trace as entries: pure, so that a trace of any card can be read anywhere.

Rule 1: an operator is the outermost, a node of the backward pass is one operator. What runs in it is its own.
Rule 2: an operator's operations and device time are those of all that runs in it; its bytes are its own
    arguments', as what it runs inside is the library's choice.
Rule 3: one call waits once, whatever it asks the driver for.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Sequence

from pytest_energy.counts import CountEntry, Kind
from pytest_energy.tracing.events import (
    OPTIMIZER,
    Event,
    Site,
    Sort,
    is_node,
    name_of,
    tensors_of,
    topmost_of,
    within,
)
from pytest_energy.tracing.flops import flops_of
from pytest_energy.tracing.kernel_names import kernel_dtype, kernel_name
from pytest_energy.tracing.operator_inputs import dtype_of, example_of, input_bytes, signature, size_bytes
from pytest_energy.tracing.tally import Key, Tally

_LAUNCHES = re.compile(r"(?:cuda|cu|hip)(?:Ext)?(?:Module)?Launch(?!HostFunc)")
_GRAPH_LAUNCHES = re.compile(r"(?:cuda|cu|hip)GraphLaunch")
_SYNCHRONIZES = re.compile(
    r"(?:cuda|cu|hip|hipExt)(?:Device|Stream|Event|Ctx)Synchronize|(?:cuda|hip)Memcpy$"
)
_COPY = re.compile(r"Memcpy (?P<way>HtoD|DtoH|PtoP|HtoH) \((?P<source>\w+) -> (?P<target>\w+)\)")
_WAYS = {"HtoD": "host to device", "DtoH": "device to host", "PtoP": "between devices", "HtoH": "on the host"}
# Their result hangs on the values: on a device the host must wait for them.
_READS = frozenset({"aten::item", "aten::_local_scalar_dense", "aten::is_nonzero", "aten::equal"})
_DEPENDS_ON_VALUES = _READS | {"aten::nonzero", "aten::masked_select", "aten::_unique2", "aten::unique_dim"}
_HANDED_OUT = "aten::resolve_neg"
"""Ends `.tolist()` and `.numpy()`: of a tensor on a device it would be a copy to the host, which waits."""
_HANDING_OUT = "tolist() or numpy()"
_COMPILED = "Torch-Compiled Region"


class TraceReading:
    """One trace, read.

    Args:
        has_device: Whether a device was looked at; the reading's own tells whether it did anything.
        next_sequence: Number of the next node of a backward pass after the call; -1 where not known.
        main_thread: The thread whose node that is.
        is_view: Whether an operator of this name moves nothing itself.
        argument_names: Of the operator of this name with so many arguments.
    """

    def __init__(
        self,
        events: Sequence[Event],
        *,
        has_device: bool,
        next_sequence: int = -1,
        main_thread: int | None = None,
        is_view: Callable[[str], bool] = lambda _: False,
        argument_names: Callable[[str, int], tuple[str, ...]] = lambda *_: (),
    ) -> None:
        self._events = events
        self.has_device = has_device and any(event.sort is Sort.DEVICE for event in events)
        self._next_sequence = next_sequence
        self._main_thread = main_thread
        self._is_view = is_view
        self._argument_names = argument_names
        self._topmost = topmost_of(events)
        self._flops, self._moves, self._dtypes = self._sums()
        self._device_ns = self._device_times()
        self._forward_sites = self._sites_by_sequence()
        self._tallies: defaultdict[Key, Tally] = defaultdict(Tally)
        self._waiting = self._waits()

    def entries(self) -> list[CountEntry]:
        for index, event in enumerate(self._events):
            if event.sort is Sort.OPERATOR:
                self._count_operator(index, event)
            elif event.sort is Sort.RUNTIME:
                self._count_call(event)
            elif event.sort is Sort.DEVICE:
                self._count_on_device(index, event)
            elif event.name.startswith(_COMPILED):
                self._tallies[Kind.GRAPH, "compiled region", ""].add(site=event.site)
        self._count_recorded()
        return [tally.entry(key) for key, tally in self._tallies.items()]

    def _sums(self) -> tuple[list[float], list[bool], dict[int, str]]:
        """Operations of each event, whether it moves anything, and the type of each outermost one's products.

        What a known formula counts holds for all that runs in the event.
        """
        flops = [0.0] * len(self._events)
        moves = [False] * len(self._events)
        heaviest: dict[int, tuple[float, str]] = {}
        for index in range(len(self._events) - 1, -1, -1):
            event = self._events[index]
            if event.sort is not Sort.OPERATOR:
                continue
            if (own := flops_of(event)) is not None:
                flops[index] = own
                top = self._topmost[index]
                heaviest[top] = max(heaviest.get(top, (0.0, "")), (own, dtype_of(event)))
            if "::" in event.name and not is_node(event) and not self._is_view(event.name):
                moves[index] = True
            if event.parent >= 0:
                flops[event.parent] += flops[index]
                moves[event.parent] |= moves[index]
        return flops, moves, {top: dtype for top, (_, dtype) in heaviest.items()}

    def _device_times(self) -> list[float]:
        """Nanoseconds on the device of each outermost operator."""
        times = [0.0] * len(self._events)
        for index, event in enumerate(self._events):
            if event.sort is Sort.DEVICE and self._topmost[index] >= 0:
                times[self._topmost[index]] += event.duration_ns
        return times

    def _sites_by_sequence(self) -> dict[int, Site]:
        """Where the forward operator of each node of the backward pass was called."""
        sites: dict[int, Site] = {}
        for index, event in enumerate(self._events):
            is_forward = event.sequence >= 0 and self._top_is_forward(index)
            if is_forward and event.site is not None:
                sites[event.sequence] = event.site
        return sites

    def _top_is_forward(self, index: int) -> bool:
        top = self._topmost[index]
        return top >= 0 and not is_node(self._events[top])

    def _site(self, index: int) -> Site | None:
        """Of an event; of a node of the backward pass that of its forward operator."""
        event = self._events[index]
        top = self._topmost[index]
        if top >= 0 and is_node(self._events[top]):
            return self._forward_sites.get(self._events[top].sequence, event.site)
        return event.site

    # ---- operators ----

    def _count_operator(self, index: int, event: Event) -> None:
        if self._topmost[index] != index:
            if not self._is_a_node_itself(event):
                tally = self._tallies[Kind.INNER, _plain(event.name), ""]
                tally.add(duration_ns=0.0 if self.has_device else event.duration_ns)
        elif index not in self._waiting or name_of(event) not in _READS:
            self._count_topmost(index, event)

    def _count_topmost(self, index: int, event: Event) -> None:
        name = name_of(event)
        called = self._node_of(index) if is_node(event) else event
        dtype = self._dtypes.get(index) or dtype_of(called)
        size = input_bytes(called) if self._moves[index] else 0
        tally = self._tallies[Kind.OPERATOR, name, dtype]
        tally.add(
            site=self._site(index),
            duration_ns=self._device_ns[index] if self.has_device else event.duration_ns,
            flops=self._flops[index],
            size_bytes=size,
        )
        if self._moves[index]:  # of a view nothing hangs on what it is of
            tally.signatures[signature(called)] += 1
        if (weight := size + self._flops[index]) > tally.largest[0]:
            tally.largest = weight, example_of(called, self._argument_names(name, len(called.arguments)))

    def _node_of(self, index: int) -> Event:
        """What the engine runs as this node: it has the arguments."""
        name = name_of(self._events[index])
        following = self._events[index + 1 : index + 3]
        return next(
            (one for one in following if one.name == name and one.parent == index), self._events[index]
        )

    def _is_a_node_itself(self, event: Event) -> bool:
        """Whether it is what the engine runs as a node, which is counted already."""
        return event.parent >= 0 and name_of(self._events[event.parent]) == event.name

    def _count_recorded(self) -> None:
        """Operators for which a node of a backward pass is recorded: the number of the next one goes up."""
        by_thread: defaultdict[int, list[Event]] = defaultdict(list)
        inside: list[bool] = []
        for event in self._events:
            above = event.parent >= 0 and inside[event.parent]
            inside.append(above or event.sort is Sort.OPERATOR)
            if event.sort is Sort.OPERATOR and not above and event.sequence >= 0 and not is_node(event):
                by_thread[event.thread].append(event)
        for thread, called in by_thread.items():
            last = self._next_sequence if thread == self._main_thread else -1
            following = [*(one.sequence for one in called[1:]), last]
            for event, next_one in zip(called, following, strict=True):
                if next_one > event.sequence:
                    self._tallies[Kind.GRADIENT, "recorded for a backward pass", ""].add(site=event.site)

    # ---- waits ----

    def _waits(self) -> set[int]:
        """Outermost operators in which the host waits; they are counted here, the others as they come."""
        in_optimizer = within(self._events, OPTIMIZER)
        waiting: set[int] = set()
        for index, event in enumerate(self._events):
            if event.sort is Sort.RUNTIME:
                is_wait = _SYNCHRONIZES.match(event.name) is not None
            else:
                is_wait = self._would_wait(event) and not in_optimizer[index]
            if is_wait and (top := self._topmost[index]) not in waiting and top >= 0:
                waiting.add(top)
                name = name_of(self._events[top])
                self._count_wait(_HANDING_OUT if name == _HANDED_OUT else name, self._site(top))
        return waiting

    def _would_wait(self, event: Event) -> bool:
        """Whether the values would be on a device if there were one; where there is one, it tells itself."""
        return not self.has_device and (event.name in _DEPENDS_ON_VALUES or self._is_handed_out(event))

    def _is_handed_out(self, event: Event) -> bool:
        """Whether all values go to the host's own code: inside an operator the same name says nothing."""
        return event.name == _HANDED_OUT and (
            event.parent < 0 or self._events[event.parent].sort is Sort.MARK
        )

    def _count_wait(self, name: str, site: Site | None) -> None:
        self._tallies[Kind.WAIT, name, ""].add(site=site)

    # ---- what the device did ----

    def _count_call(self, event: Event) -> None:
        if _GRAPH_LAUNCHES.match(event.name):
            self._tallies[Kind.GRAPH, "CUDA graph replay", ""].add(site=event.site)
        elif _LAUNCHES.match(event.name):
            self._tallies[Kind.LAUNCH, "kernel", ""].add()
        elif event.parent < 0 and _SYNCHRONIZES.match(event.name):
            self._count_wait(event.name, event.site)

    def _count_on_device(self, index: int, event: Event) -> None:
        site = self._site(index)
        if copy := _COPY.match(event.name):
            name = _copy_name(copy)
            size = event.size_bytes or self._copied_bytes(event)
            self._tallies[Kind.COPY, name, ""].add(site=site, duration_ns=event.duration_ns, size_bytes=size)
            return
        key = Kind.KERNEL, kernel_name(event.name), kernel_dtype(event.name)
        self._tallies[key].add(site=site, duration_ns=event.duration_ns)

    def _copied_bytes(self, event: Event) -> int:
        """By the arguments of the operator that copies, where the device doesn't tell."""
        sizes = map(size_bytes, tensors_of(self._events[event.parent])) if event.parent >= 0 else iter(())
        return max(sizes, default=0)


def _copy_name(copy: re.Match[str]) -> str:
    way = _WAYS[copy["way"]]
    ends = {copy["source"], copy["target"]}
    memory = next((one.lower() for one in ("Pageable", "Pinned") if one in ends), "")
    return f"{way}, {memory}" if memory else way


def _plain(name: str) -> str:
    """A name without what a compiler of graphs appends."""
    return kernel_name(name) if name.startswith("triton_") else name
