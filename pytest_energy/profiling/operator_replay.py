"""Calls of operators in groups, each replayed alone: which can be, how long they take, and for how long.

Rule 1: what can't be repeated is left out and named; it is explained by none of the groups.
Rule 2: the groups that take longest have a window of their own, the others one for each stage: each window
    costs its sensor's ticks, and small groups hardly count.
Rule 3: random numbers, and what they were drawn from, are as they were after the replay.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from pytest_energy.machine_time import MACHINE_TIME
from pytest_energy.meter.synchronize import synchronize
from pytest_energy.profiling.lazy_torch import torch
from pytest_energy.profiling.macs import FAULTS, fault_text
from pytest_energy.profiling.nested import tensors_in
from pytest_energy.profiling.operator_calls import OperatorCall, Stage
from pytest_energy.profiling.operator_facts import extent_of

OTHERS = "other operators"

_PART_S = 2.0
"""Of the time for all groups, least for one: two or three rounds of some ticks of 100 ms."""

_ROUNDS_A_PART = 4
"""Rounds that the time of a group is divided into: the ticks around each take part of it."""

_ROUND_S = 1.0
"""Longest round of a group: ten ticks of a slow counter, whose edges are then a hundredth of it."""

_LEAST_CALL_S = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Calls that are replayed together, one after the other.

    Attributes:
        names: Names of the operators in it.
        call_s: Seconds of one replay of all of them, roughly.
    """

    stage: Stage
    name: str
    names: tuple[str, ...]
    calls: tuple[OperatorCall, ...]
    call_s: float

    def again(self) -> None:
        with torch.inference_mode():
            for call in self.calls:
                call.again()

    def calls_a_round(self, time_s: float) -> int:
        """Replays that make one of the rounds which fit in *time_s*."""
        return max(1, math.ceil(min(_ROUND_S, time_s / _ROUNDS_A_PART) / self.call_s))


@dataclass(frozen=True, slots=True, kw_only=True)
class Groups:
    """All that can be replayed, and what a reader should know of what can't be."""

    groups: tuple[Group, ...]
    notes: tuple[str, ...] = ()


def grouped(calls: Sequence[OperatorCall], key: Callable[[OperatorCall], str], *, most_count: int) -> Groups:
    """*calls* by stage and *key*, those that can be repeated, each tried twice.

    Args:
        calls: Of one call of the work, in order.
        key: Names the group of a call, in its stage.
        most_count: Groups; where there are more, the small ones go into one for each stage.
    """
    by_key: dict[tuple[Stage, str], list[OperatorCall]] = {}
    failures: dict[str, str] = {}
    for call in calls:
        because = _why_not_repeated(call)
        if because is None:
            by_key.setdefault((call.stage, key(call)), []).append(call)
        else:
            failures.setdefault(call.name, because)
    groups = [_timed(stage, name, own) for (stage, name), own in by_key.items()]
    notes = tuple(f"{name} can't be replayed: {because}" for name, because in failures.items())
    return Groups(groups=_merged(groups, most_count), notes=notes)


def _why_not_repeated(call: OperatorCall) -> str | None:
    """Why the first replay of *call* fails, or `None`."""
    if not all(map(_has_memory, tensors_in((call.args, call.kwargs)))):
        return "the work has freed the memory of its inputs"
    try:
        with torch.inference_mode():
            call.again()
    except FAULTS as error:
        return fault_text(error)
    return None


def _has_memory(tensor: "torch.Tensor") -> bool:
    if type(tensor) is not torch.Tensor or tensor.layout is not torch.strided or not tensor.numel():
        return True
    end_bytes = (int(tensor.storage_offset()) + extent_of(tensor)) * tensor.element_size()
    return end_bytes <= tensor.untyped_storage().nbytes()


def _timed(stage: Stage, name: str, calls: Sequence[OperatorCall]) -> Group:
    names = tuple(dict.fromkeys(call.name for call in calls))
    group = Group(stage=stage, name=name, names=names, calls=tuple(calls), call_s=_LEAST_CALL_S)
    synchronize()
    began_s = MACHINE_TIME.now_s()
    group.again()
    synchronize()
    call_s = max(_LEAST_CALL_S, MACHINE_TIME.now_s() - began_s)
    return Group(stage=stage, name=name, names=names, calls=group.calls, call_s=call_s)


def _merged(groups: Sequence[Group], most_count: int) -> tuple[Group, ...]:
    """At most *most_count* groups: the longest, and one of all others of each stage; in order of stages."""
    ranked = sorted(groups, key=lambda group: group.call_s, reverse=True)
    rest_count = 0 if len(groups) <= most_count else len({group.stage for group in groups})
    own_count = max(1, most_count - rest_count)
    kept, left = ranked[:own_count], ranked[own_count:]
    rests = [_joined([group for group in left if group.stage is stage]) for stage in Stage]
    stages = tuple(Stage)
    merged = (*kept, *(rest for rest in rests if rest is not None))
    return tuple(sorted(merged, key=lambda group: stages.index(group.stage)))


def _joined(groups: Sequence[Group]) -> Group | None:
    if len(groups) < 2:
        return next(iter(groups), None)
    return Group(
        stage=groups[0].stage,
        name=OTHERS,
        names=tuple(dict.fromkeys(name for group in groups for name in group.names)),
        calls=tuple(call for group in groups for call in group.calls),
        call_s=math.fsum(group.call_s for group in groups),
    )


def most_groups(time_s: float) -> int:
    """Groups that can have windows of their own in *time_s*."""
    return max(1, int(time_s / _PART_S))


def time_shares(groups: Sequence[Group]) -> tuple[float, ...]:
    """Of the time for all groups, by the root of their seconds: the errors of the large ones weigh most.

    Source:
        Neyman allocation, Cochran, Sampling Techniques, 3rd ed., section 5.5, between equal shares and those
        by seconds: each window has an error of its own as well.
    """
    roots = [math.sqrt(group.call_s) for group in groups]
    least = 0.5 / len(groups)
    return tuple(least + 0.5 * root / math.fsum(roots) for root in roots)


@contextmanager
def as_it_was(calls: Sequence[OperatorCall]) -> Iterator[None]:
    """Replay without autocast; random numbers go on afterwards as if nothing had been replayed."""
    tensors = [tensor for call in calls for tensor in tensors_in((call.args, call.kwargs))]
    devices = {tensor.device for tensor in tensors}
    generators = {
        id(value): value
        for call in calls
        for value in (*call.args, *call.kwargs.values())
        if isinstance(value, torch.Generator)
    }
    states = [(generator, generator.get_state()) for generator in generators.values()]
    with ExitStack() as stack:
        indexes = [device.index for device in devices if device.type == "cuda"]
        stack.enter_context(torch.random.fork_rng(devices=indexes))
        for device_type in {device.type for device in devices} & {"cpu", "cuda"}:
            stack.enter_context(torch.autocast(device_type, enabled=False))
        try:
            yield
        finally:
            for generator, state in states:
                generator.set_state(state)
