"""The tree of a profile as events; times are in nanoseconds."""

from collections.abc import Sequence
from pathlib import Path

from pytest_energy.tracing.call_places import Places
from pytest_energy.tracing.event_tree import WORK, EventTree
from pytest_energy.tracing.events import Event, Sort
from tests.fakes.torch_profile_tree import FlatEvent, Node, built_in_call, driver_call, operator, python_call

CUDA = 1
USER_SCOPE = 7


def read(*nodes: Node, flat: Sequence[FlatEvent] = (), with_places: bool = False) -> list[Event]:
    """*nodes* in a profile whose work took from 10 to 1,000."""
    places = Places(Path("/suite")) if with_places else None
    work = operator(WORK, 10, 1_000, scope=USER_SCOPE)
    return EventTree(flat, [work, *nodes], places=places, has_device=True).events


def nesting(events: Sequence[Event]) -> list[tuple[str, str]]:
    """Each event's name with that of the one that it ran in."""
    return [(event.name, events[event.parent].name if event.parent >= 0 else "") for event in events]


def test_operators_in_operators() -> None:
    """An operator stands behind the one that it ran in."""
    events = read(
        operator("aten::linear", 20, 90, operator("aten::t", 30, 40), operator("aten::addmm", 50, 80))
    )
    assert nesting(events) == [
        ("aten::linear", ""),
        ("aten::t", "aten::linear"),
        ("aten::addmm", "aten::linear"),
    ]


def test_two_clocks() -> None:
    """A call of the driver by another clock, which the tree puts around and beside, takes no operator out."""
    late = driver_call("cudaLaunchKernel", 19, 35, operator("aten::linear", 20, 90))
    events = read(late, operator("aten::addmm", 50, 80))
    assert nesting(events) == [("aten::linear", ""), ("aten::addmm", "aten::linear")]


def test_around_the_work() -> None:
    """What began before the work or after it is none of it."""
    events = read(
        operator("aten::ones", 1, 5), operator("aten::relu", 20, 30), operator("aten::zeros", 1_001, 1_002)
    )
    assert nesting(events) == [("aten::relu", "")]


def test_range_that_outlives_the_call_that_opens_it() -> None:
    """What runs while a range is open is in it, wherever the tree has it."""
    opened = built_in_call(
        "/suite/model.py", 3, 20, 30, operator("Optimizer.step#SGD.step", 25, 100, scope=USER_SCOPE)
    )
    events = read(opened, operator("aten::add_", 40, 50), operator("aten::relu", 110, 120))
    assert nesting(events) == [
        ("Optimizer.step#SGD.step", ""),
        ("aten::add_", "Optimizer.step#SGD.step"),
        ("aten::relu", ""),
    ]
    assert events[0].sort is Sort.MARK


def test_threads() -> None:
    """Operators of different threads are in none of each other; those of the calling thread come first."""
    events = read(operator("aten::relu", 20, 90, thread=2), operator("aten::mul", 30, 40))
    assert nesting(events) == [("aten::mul", ""), ("aten::relu", "")]


def test_place_of_a_call() -> None:
    """A call has the line where it is made; what a function does without a call that where it begins."""
    called = python_call(
        "/suite/model.py", 7, 40, 20, 90,
        operator("aten::add", 30, 35),
        built_in_call("/suite/model.py", 42, 50, 70, operator("aten::relu", 55, 60)),
    )  # fmt: skip
    events = read(called, operator("aten::mul", 95, 99), with_places=True)
    assert [(event.name, event.site and event.site.line) for event in events] == [
        ("aten::add", 40),
        ("aten::relu", 42),
        ("aten::mul", None),
    ]


def test_work_of_the_device() -> None:
    """A kernel is of the operator that started it, by number; the device's range of that name is nothing."""
    flat = [
        FlatEvent(event_name="cudaLaunchKernel", start=30, id=900, linked=7),
        FlatEvent(event_name="a_kernel", start=2_000, id=900, linked=7, device=CUDA),
        FlatEvent(event_name=WORK, start=2_000, device=CUDA),
    ]
    events = read(operator("aten::relu", 20, 40, number=7), flat=flat)
    assert nesting(events) == [
        ("aten::relu", ""),
        ("cudaLaunchKernel", "aten::relu"),
        ("a_kernel", "aten::relu"),
    ]


def test_device_without_an_operator() -> None:
    """A graph's kernels have its place although they run later; a later wait is not the call's."""
    flat = [
        FlatEvent(event_name="a_kernel", start=2_000, id=900, device=CUDA),
        FlatEvent(event_name="cudaGraphLaunch", start=30, id=900),
        FlatEvent(event_name="cudaDeviceSynchronize", start=1_500, id=901),
    ]
    replay = built_in_call("/suite/model.py", 3, 20, 90, driver_call("cudaGraphLaunch", 30, 40))
    events = read(replay, flat=flat, with_places=True)
    assert nesting(events) == [("cudaGraphLaunch", ""), ("a_kernel", "cudaGraphLaunch")]
    assert [event.site and event.site.line for event in events] == [3, 3]
