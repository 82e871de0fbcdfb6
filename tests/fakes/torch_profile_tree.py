"""Stands in for what a profile of torch gives: its tree of events, and its flat list."""

from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class Frame:
    """A line of Python's code."""

    file_name: str
    line_number: int
    function_name: str


@dataclass(frozen=True, kw_only=True)
class _ExtraFields_TorchOp:  # noqa: N801 - as torch calls it
    scope: int = 0
    sequence_number: int = 2**63
    inputs: Sequence[object] = ()


@dataclass(frozen=True, kw_only=True)
class _ExtraFields_PyCall:  # noqa: N801 - as torch calls it
    caller: Frame
    callsite: Frame


@dataclass(frozen=True, kw_only=True)
class _ExtraFields_PyCCall:  # noqa: N801 - as torch calls it
    caller: Frame


@dataclass(frozen=True, kw_only=True)
class _ExtraFields_Kineto:  # noqa: N801 - as torch calls it
    pass


Fields = _ExtraFields_TorchOp | _ExtraFields_PyCall | _ExtraFields_PyCCall | _ExtraFields_Kineto


@dataclass(frozen=True, kw_only=True)
class Node:
    """An event of the tree."""

    name: str
    extra_fields: Fields
    start_time_ns: int
    end_time_ns: int
    start_tid: int = 1
    correlation_id: int = 0
    children: Sequence["Node"] = ()

    @property
    def duration_time_ns(self) -> int:
        return self.end_time_ns - self.start_time_ns


@dataclass(frozen=True, kw_only=True)
class FlatEvent:
    """An event of the flat list."""

    event_name: str
    start: int = 0
    id: int = 0
    linked: int = 0
    device: int = 0
    numbers: Sequence[object] = field(default=())

    def name(self) -> str:
        return self.event_name

    def start_ns(self) -> int:
        return self.start

    def duration_ns(self) -> int:
        return 1

    def correlation_id(self) -> int:
        return self.id

    def linked_correlation_id(self) -> int:
        return self.linked

    def device_type(self) -> int:
        return self.device

    def start_thread_id(self) -> int:
        return 1

    def concrete_inputs(self) -> Sequence[object]:
        return self.numbers


def operator(
    name: str,
    start: int,
    end: int,
    *children: Node,
    thread: int = 1,
    number: int = 0,
    scope: int = 0,
) -> Node:
    return Node(
        name=name,
        extra_fields=_ExtraFields_TorchOp(scope=scope),
        start_time_ns=start,
        end_time_ns=end,
        start_tid=thread,
        correlation_id=number,
        children=children,
    )


def driver_call(name: str, start: int, end: int, *children: Node) -> Node:
    return Node(
        name=name,
        extra_fields=_ExtraFields_Kineto(),
        start_time_ns=start,
        end_time_ns=end,
        children=children,
    )


def python_call(file: str, line: int, own_line: int, start: int, end: int, *children: Node) -> Node:
    """A function that begins at *own_line* is called at *line*, both of *file*."""
    fields = _ExtraFields_PyCall(
        caller=Frame(file_name=file, line_number=line, function_name="caller"),
        callsite=Frame(file_name=file, line_number=own_line, function_name="called"),
    )
    return Node(name="", extra_fields=fields, start_time_ns=start, end_time_ns=end, children=children)


def built_in_call(file: str, line: int, start: int, end: int, *children: Node) -> Node:
    fields = _ExtraFields_PyCCall(caller=Frame(file_name=file, line_number=line, function_name="caller"))
    return Node(name="", extra_fields=fields, start_time_ns=start, end_time_ns=end, children=children)
