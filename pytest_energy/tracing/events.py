"""The events of a trace, as plain values: a list in which each event stands behind the one that it ran in.

A `NamedTuple` is made three times as fast as a frozen dataclass, and a training step has thousands.
"""

from collections.abc import Sequence
from enum import IntEnum
from typing import NamedTuple


class Sort(IntEnum):
    """The sort of an event."""

    OPERATOR = 0
    """A function of the library, or a node of a backward pass."""
    MARK = 1
    """A range with a name: `Optimizer.step#SGD.step`, `Torch-Compiled Region: 0/0`."""
    RUNTIME = 2
    """A call of the device's driver or runtime, such as `cudaLaunchKernel`."""
    DEVICE = 3
    """What ran on the device: a kernel, a copy, a fill."""


class Tensor(NamedTuple):
    """A tensor that an operator was given, without its numbers."""

    shape: tuple[int, ...]
    strides: tuple[int, ...]
    dtype: str


class Site(NamedTuple):
    """A place in the user's code.

    Attributes:
        rank: 2 in the folder of the suite, 1 in another package; what is in neither is no site.
    """

    file: str
    line: int
    function: str
    rank: int


class Event(NamedTuple):
    """One event of a trace.

    Attributes:
        parent: Index of the event that it ran in, or which started it on the device; -1 where there is none.
        sequence: Number of the next node of a backward pass, or of the node itself; -1 without.
        arguments: Tensors, tuples of tensors, numbers and lists of numbers; `None` if not known.
        size_bytes: Of a copy on the device; 0 if it isn't told.
    """

    name: str
    sort: Sort
    parent: int
    start_ns: int
    duration_ns: int
    thread: int = 0
    sequence: int = -1
    arguments: tuple[object, ...] = ()
    site: Site | None = None
    size_bytes: int = 0


_NODE = "autograd::engine::evaluate_function: "
OPTIMIZER = "Optimizer."


def is_node(event: Event) -> bool:
    """Whether it is a node of a backward pass as the engine runs it."""
    return event.name.startswith(_NODE)


def name_of(event: Event) -> str:
    """The operator's name, or the node's."""
    return event.name.removeprefix(_NODE)


def tensors_of(event: Event) -> list[Tensor]:
    """All tensors among its arguments, those in lists included."""
    tensors: list[Tensor] = []
    for argument in event.arguments:
        if isinstance(argument, Tensor):
            tensors.append(argument)
        elif isinstance(argument, tuple) and argument and isinstance(argument[0], Tensor):
            tensors.extend(part for part in argument if isinstance(part, Tensor))
    return tensors


def topmost_of(events: Sequence[Event]) -> list[int]:
    """Of each event, the index of the outermost operator that it is in or is; -1 where it is in none.

    A range with a name is no operator: what runs in it is what the work itself calls. Neither is what has no
    namespace: a function of autograd that is written in Python, a graph that was compiled.
    """
    topmost: list[int] = []
    for index, event in enumerate(events):
        above = topmost[event.parent] if event.parent >= 0 else -1
        is_first = above < 0 and event.sort is Sort.OPERATOR and "::" in event.name
        topmost.append(index if is_first else above)
    return topmost


def within(events: Sequence[Event], prefix: str) -> list[bool]:
    """Of each event, whether it is in or is a range whose name begins with *prefix*."""
    inside: list[bool] = []
    for event in events:
        above = event.parent >= 0 and inside[event.parent]
        inside.append(above or (event.sort is Sort.MARK and event.name.startswith(prefix)))
    return inside
