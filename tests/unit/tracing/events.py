"""Builders of events: a call names the one fact that matters."""

import gzip
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pytest_energy.counts import CountEntry, Kind
from pytest_energy.tracing.events import Event, Site, Sort, Tensor
from pytest_energy.tracing.torch_events import TraceReading


def tensor(*shape: int, strides: tuple[int, ...] | None = None, dtype: str = "float32") -> Tensor:
    packed = tuple(_product(shape[axis + 1 :]) for axis in range(len(shape)))
    return Tensor(shape, packed if strides is None else strides, dtype)


def _product(numbers: tuple[int, ...]) -> int:
    result = 1
    for number in numbers:
        result *= number
    return result


def operator(
    name: str,
    *arguments: object,
    parent: int = -1,
    sequence: int = -1,
    line: int | None = None,
    thread: int = 1,
    duration_ns: int = 10,
) -> Event:
    site = None if line is None else Site("model.py", line, "forward", 2)
    return Event(name, Sort.OPERATOR, parent, 0, duration_ns, thread, sequence, arguments, site)


def node(name: str, *, sequence: int) -> Event:
    return operator(f"autograd::engine::evaluate_function: {name}", sequence=sequence)


def mark(name: str, *, parent: int = -1) -> Event:
    return Event(name, Sort.MARK, parent, 0, 10)


def call(name: str, *, parent: int = -1) -> Event:
    return Event(name, Sort.RUNTIME, parent, 0, 10)


def on_device(name: str, *, parent: int = -1, duration_ns: int = 10, size_bytes: int = 0) -> Event:
    return Event(name, Sort.DEVICE, parent, 0, duration_ns, size_bytes=size_bytes)


def read(
    *events: Event, has_device: bool = True, views: Sequence[str] = (), next_sequence: int = -1
) -> dict[tuple[Kind, str], CountEntry]:
    reading = TraceReading(
        events,
        has_device=has_device,
        is_view=lambda name: name in views,
        next_sequence=next_sequence,
        main_thread=1,
    )
    return {(entry.kind, entry.name): entry for entry in reading.entries()}


def recorded(name: str) -> list[Event]:
    """Events that an H100 gave: `recorded/record.py`."""
    with gzip.open(Path(__file__).parent / "recorded" / f"{name}.json.gz") as file:
        return [_event(fields) for fields in json.load(file)]


def _event(fields: list[Any]) -> Event:
    name, sort, parent, start_ns, duration_ns, thread, sequence, arguments, site, size_bytes = fields
    return Event(
        name=name,
        sort=Sort(sort),
        parent=parent,
        start_ns=start_ns,
        duration_ns=duration_ns,
        thread=thread,
        sequence=sequence,
        arguments=tuple(map(_argument, arguments)),
        site=site and Site(*site),
        size_bytes=size_bytes,
    )


def _argument(value: Any) -> object:
    if not isinstance(value, list):
        return value
    if len(value) == 3 and isinstance(value[2], str):
        return Tensor(tuple(value[0]), tuple(value[1]), value[2])
    return tuple(map(_argument, value))
