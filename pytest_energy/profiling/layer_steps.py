"""Energy of a training step by the type of layer and by stage: forward, backward, optimiser.

Rule 1: what is replayed are the operators of one real step (`operators`); hooks on the layers say whose each
    is in the forward pass, and the number of its node of autograd in the backward pass.
Rule 2: the step is a real one, so it changes the model; in the end weights, buffers, gradients and the
    optimiser's state are what they were.
"""

import copy
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

from pytest_energy.errors import Absent, EnergyError, NotMeasurable
from pytest_energy.lazy_module import LazyModule
from pytest_energy.profiling.capture import free_bytes
from pytest_energy.profiling.costs import Cost, PowerOf, TakeRounds, costs_of
from pytest_energy.profiling.layer_types import LayerType, layers_of
from pytest_energy.profiling.layers import LayerEnergy, LayerPart
from pytest_energy.profiling.lazy_torch import check_module, torch
from pytest_energy.profiling.macs import to_arguments, unwrapped
from pytest_energy.profiling.operator_calls import OperatorCall, Stage, captured_operators
from pytest_energy.profiling.operator_replay import Groups, as_it_was, grouped
from pytest_energy.profiling.operators import rounds_of
from pytest_energy.units import to_text
from pytest_energy.work import CallWork

autograd: Any = LazyModule("torch.autograd")

_WHOLE_SHARE = 0.25
"""Of the time of the test, for the whole step; the types have the rest."""

_MOST_GROUPS = 3 * len(LayerType)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingStep:
    """One step of training, the same work each time.

    Attributes:
        loss: Makes a number out of the module's output: `lambda output: cross_entropy(output, labels)`.
        optimizer: Makes the step, or `None` for a forward and a backward pass alone.
    """

    module: "torch.nn.Module"
    args: tuple[object, ...]
    kwargs: dict[str, object]
    loss: Callable[..., object]
    optimizer: "torch.optim.Optimizer | None"

    def __call__(self) -> None:
        (self.module if self.optimizer is None else self.optimizer).zero_grad()
        loss = self.loss(self.module(*self.args, **self.kwargs))
        if not isinstance(loss, torch.Tensor):
            raise EnergyError(
                f"energy.layers: loss= returned a {type(loss).__name__}, not a tensor of one number"
            )
        loss.backward()  # type: ignore[no-untyped-call]
        if self.optimizer is not None:
            self.optimizer.step()


def measure_layer_step(
    step: TrainingStep,
    take_rounds: TakeRounds,
    ready_power: PowerOf,
    *,
    time_s: float | None,
    samples: int | None = None,
    free: "Callable[[torch.device], int | None]" = free_bytes,
) -> LayerEnergy:
    """Energy of a training step, whole and by type of layer and stage. The model is as it was afterwards.

    Args:
        step: In the mode that its module has: `module.train()` first.
        take_rounds: Measures.
        ready_power: Tells it.
        time_s: Seconds that the test has; `None` if joules are replayed from a file.
        samples: Samples in a step, or `None`.
        free: Memory left on a device, in bytes.

    Raises:
        NotMeasurable: A copy of the model and of the optimiser's state doesn't fit in memory.
    """
    with ExitStack() as stack:
        stack.enter_context(_put_back(step, free))
        whole = take_rounds(CallWork(call=step, samples=samples), None, _WHOLE_SHARE)
        if isinstance(whole, Absent) or Cost.of(whole).absent_because is not None:
            return LayerEnergy(whole=Cost.of(whole), parts=())
        layers = _Layers()
        with layers.hooked(unwrapped(step.module)):
            captured = captured_operators(step, free, layers.label)
        if isinstance(captured, Absent):
            return LayerEnergy(whole=Cost.of(whole, ready_power(whole)), parts=(), notes=(captured.because,))
        stack.enter_context(as_it_was(captured.calls))
        groups = grouped(captured.calls, _group_name, most_count=_MOST_GROUPS)
        left = 1 - _WHOLE_SHARE
        rounds = rounds_of(groups.groups, take_rounds, None if time_s is None else left * time_s, left)
    total, costs = costs_of(whole, rounds, ready_power)
    return LayerEnergy(
        whole=total,
        parts=_parts(groups, costs),
        notes=(*captured.notes, *groups.notes),
        macs_absent_because="those of a training step are not counted",
    )


def _group_name(call: OperatorCall) -> str:
    return str(LayerType.BETWEEN) if call.stage is Stage.OPTIMISER else call.label


def _parts(groups: Groups, costs: Sequence[Cost]) -> tuple[LayerPart, ...]:
    return tuple(
        LayerPart(
            layer_type=LayerType(group.name),
            stage=group.stage,
            call_count=len(group.calls),
            cost=cost,
            macs=None,
        )
        for group, cost in zip(groups.groups, costs, strict=True)
    )


# ---- whose an operator is ----


@dataclass(slots=True)
class _Layers:
    """The layers of one step, in the order that they are called.

    Nodes of autograd are numbered as they are made, so those of a layer lie between two numbers: torch's
    `autograd/function.h`, `sequence_nr`.
    """

    _open: list[LayerType] = field(default_factory=list)
    _nodes: list[tuple[int, int, LayerType]] = field(default_factory=list)
    _weights: dict[int, LayerType] = field(default_factory=dict)

    @contextmanager
    def hooked(self, module: "torch.nn.Module") -> Iterator[None]:
        with ExitStack() as stack:
            for _, layer, layer_type in layers_of(module):
                self._weights.update({id(weight): layer_type for weight in layer.parameters()})
                enter, leave = self._hooks(layer_type)
                stack.callback(layer.register_forward_pre_hook(enter).remove)
                stack.callback(layer.register_forward_hook(leave, always_call=True).remove)
            yield

    def _hooks(self, layer_type: LayerType) -> tuple[Callable[..., None], Callable[..., None]]:
        starts: list[int] = []

        def enter(*_: object) -> None:
            starts.append(autograd._get_sequence_nr())  # noqa: SLF001  # it has no public name
            self._open.append(layer_type)

        def leave(*_: object) -> None:
            self._open.pop()
            stop = autograd._get_sequence_nr()  # noqa: SLF001
            self._nodes.append((starts.pop(), stop, layer_type))

        return enter, leave

    def label(self) -> str:
        """The layer type that the operator which runs now belongs to."""
        if self._open:
            return str(self._open[-1])
        node: object = torch._C._current_autograd_node()  # noqa: SLF001
        return str(LayerType.BETWEEN if node is None else self._of_node(node))

    def _of_node(self, node: object) -> LayerType:
        weight = getattr(node, "variable", None)  # where a gradient is added to the one that there is
        if weight is not None:
            return self._weights.get(id(weight), LayerType.BETWEEN)
        number: int = node._sequence_nr()  # type: ignore[attr-defined]  # noqa: SLF001
        of_layers = (kind for start, stop, kind in reversed(self._nodes) if start <= number < stop)
        return next(of_layers, LayerType.BETWEEN)


# ---- what is put back ----


@contextmanager
def _put_back(step: TrainingStep, free: "Callable[[torch.device], int | None]") -> Iterator[None]:
    """Give the model and the optimiser back what they had before the steps."""
    weights = tuple(step.module.parameters())
    kept = (*weights, *step.module.buffers())
    _check_fits(kept, free)
    values = [tensor.detach().clone() for tensor in kept]
    gradients = [weight.grad for weight in weights]
    for weight in weights:
        weight.grad = None
    state = None if step.optimizer is None else copy.deepcopy(step.optimizer.state_dict())
    try:
        yield
    finally:
        with torch.no_grad():
            for tensor, value in zip(kept, values, strict=True):
                tensor.copy_(value)
        for weight, gradient in zip(weights, gradients, strict=True):
            weight.grad = gradient
        if step.optimizer is not None and state is not None:
            step.optimizer.load_state_dict(state)


def _check_fits(tensors: "tuple[torch.Tensor, ...]", free: "Callable[[torch.device], int | None]") -> None:
    for device in {tensor.device for tensor in tensors}:
        wanted_bytes = sum(one.numel() * one.element_size() for one in tensors if one.device == device)
        left_bytes = free(device)
        if left_bytes is not None and wanted_bytes > left_bytes:
            raise NotMeasurable(
                f"energy.layers: a copy of the weights takes {to_text(wanted_bytes, 'B')}, and "
                f"{to_text(left_bytes, 'B')} are free on {device}: it is needed to undo the steps"
            )


def training_step(
    module: object, example_input: object, loss: Callable[..., object] | None, optimizer: object
) -> TrainingStep:
    """The step that `energy.layers` was asked for.

    Raises:
        EnergyError: One of them is not what it takes.
    """
    module = check_module(module, "layers")
    if loss is None:
        raise EnergyError(
            "energy.layers: a training step needs loss=, a function from the output to one number"
        )
    if optimizer is not None and not isinstance(optimizer, torch.optim.Optimizer):
        raise EnergyError(
            f"energy.layers: optimizer= is a {type(optimizer).__name__}, not a torch.optim.Optimizer"
        )
    args, kwargs = to_arguments(example_input)
    return TrainingStep(
        module=module,
        args=args,
        kwargs=kwargs,
        loss=loss,
        optimizer=optimizer,
    )
