"""The calls of a model's layers in one real pass, with copies of their inputs, so that they can be replayed.

What is replayed is the work of the pass: same modules, shapes, types of numbers and device. Inputs are copied
before the layer sees them. A layer that works in place is replayed out of place, so that its input stays; one
that changes its input whatever it is asked gets a fresh copy each time.
"""

import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

import psutil

from pytest_energy.errors import EnergyError, NotMeasurable
from pytest_energy.profiling.layer_types import LayerType, layers_of
from pytest_energy.profiling.lazy_torch import torch
from pytest_energy.profiling.macs import FAULTS, fault_text
from pytest_energy.profiling.nested import mapped, tensors_in
from pytest_energy.units import to_text


def free_bytes(device: "torch.device") -> int | None:
    """Memory that is left on *device*, in bytes; `None` if it is unknown."""
    if device.type == "cuda":
        unused = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return torch.cuda.mem_get_info(device)[0] + unused
    if device.type == "cpu":
        return int(psutil.virtual_memory().available)
    return None


@dataclass(slots=True)
class LayerCall:
    """One call of a layer in the real pass, with copies of what it was given."""

    layer: "torch.nn.Module"
    layer_type: LayerType
    args: tuple[object, ...]
    kwargs: dict[str, object]
    changes_input: bool = False  # it wrote to a tensor that it was given
    is_copied: bool = False  # its input is copied before each call

    def again(self) -> None:
        if self.is_copied:
            self.layer(*mapped(self.args, _copy), **mapped(self.kwargs, _copy))
        else:
            self.layer(*self.args, **self.kwargs)


def captured(
    module: "torch.nn.Module",
    args: tuple[object, ...],
    kwargs: dict[str, object],
    free: "Callable[[torch.device], int | None]",
) -> list[LayerCall]:
    """One real pass, and the calls of its layers in order."""
    capture = _Capture(type(module).__name__, free)
    plain = {id(tensor): _copy(tensor) for tensor in tensors_in((args, kwargs)) if tensor.is_inference()}
    args, kwargs = mapped((args, kwargs), lambda tensor: plain.get(id(tensor), tensor))
    with capture.hooked(module), torch.no_grad():  # unlike inference mode it tells of changes in place
        try:
            module(*args, **kwargs)
        except FAULTS as error:
            shapes = ", ".join(_shapes((args, kwargs)))
            place = capture.place or f"{capture.kind} can't take {shapes}"
            raise EnergyError(
                f"energy.layers: {place}; the example input is {shapes}: {fault_text(error)}"
            ) from error
    if not capture.calls:
        raise EnergyError(f"energy.layers: the forward pass of {capture.kind} calls none of its layers")
    return capture.calls


@dataclass(slots=True)
class _Capture:
    """What hooks on the layers of a module see of one forward pass."""

    kind: str
    free: "Callable[[torch.device], int | None]"
    calls: list[LayerCall] = field(default_factory=list)
    _copied_bytes: int = 0
    _open: list[tuple[str, LayerCall, tuple[int, ...]]] = field(default_factory=list)
    _copies: "dict[int, tuple[weakref.ref[torch.Tensor], int, torch.Tensor]]" = field(default_factory=dict)

    @contextmanager
    def hooked(self, module: "torch.nn.Module") -> Iterator[None]:
        with ExitStack() as stack:
            for name, layer, layer_type in layers_of(module):
                enter = self._enter(name, layer_type)
                handle = layer.register_forward_pre_hook(enter, with_kwargs=True)
                stack.callback(handle.remove)
                stack.callback(layer.register_forward_hook(self._leave, with_kwargs=True).remove)
            yield

    @property
    def place(self) -> str | None:
        """The layer that is being run, with the shapes it was given; `None` between layers."""
        if not self._open:
            return None
        name, call, _ = self._open[-1]
        layer = f"layer {name!r} ({type(call.layer).__name__}) of {self.kind}" if name else self.kind
        return f"{layer} can't take {', '.join(_shapes((call.args, call.kwargs)))}"

    def _enter(self, name: str, layer_type: LayerType) -> Callable[..., None]:
        def hook(layer: "torch.nn.Module", args: tuple[object, ...], kwargs: dict[str, object]) -> None:
            inputs = mapped((args, kwargs), lambda tensor: self._copy_of(tensor, name))
            call = LayerCall(layer, layer_type, *inputs)
            self._open.append((name, call, _versions((args, kwargs))))

        return hook

    def _leave(
        self, layer: "torch.nn.Module", args: tuple[object, ...], kwargs: dict[str, object], output: object
    ) -> None:
        del output
        _, call, before = self._open.pop()
        while call.layer is not layer:  # one that failed, and whose error the model has caught
            _, call, before = self._open.pop()
        call.changes_input = _versions((args, kwargs)) != before
        self.calls.append(call)

    def _copy_of(self, tensor: "torch.Tensor", name: str) -> "torch.Tensor":
        """A copy of *tensor* as it is now; layers that are given the same tensor share it."""
        earlier = self._copies.get(id(tensor))
        if earlier is not None and earlier[0]() is tensor and earlier[1] == _version(tensor):
            return earlier[2]
        left_bytes, wanted_bytes = self.free(tensor.device), tensor.numel() * tensor.element_size()
        if left_bytes is not None and wanted_bytes > left_bytes:
            raise NotMeasurable(
                f"energy.layers: the inputs of the layers of {self.kind} don't fit in memory: at layer "
                f"{name!r} {to_text(wanted_bytes, 'B')} are needed and {to_text(left_bytes, 'B')} are free "
                f"on {tensor.device}, after {to_text(self._copied_bytes, 'B')}; give a smaller batch"
            )
        copied = _copy(tensor)
        self._copied_bytes += wanted_bytes
        self._copies[id(tensor)] = (weakref.ref(tensor), _version(tensor), copied)
        return copied


def _shapes(value: object) -> list[str]:
    return [str(list(tensor.shape)) for tensor in tensors_in(value)] or ["no tensor"]


def _copy(tensor: "torch.Tensor") -> "torch.Tensor":
    return tensor.detach().clone()


def _version(tensor: "torch.Tensor") -> int:
    """Grows with each change in place; a tensor made in inference mode doesn't tell."""
    return 0 if tensor.is_inference() else tensor._version  # noqa: SLF001  # torch has no other name for it


def _versions(value: object) -> tuple[int, ...]:
    return tuple(_version(tensor) for tensor in tensors_in(value))


# What is changed for the measurement, and put back


@contextmanager
def eval_mode(module: "torch.nn.Module") -> Iterator[None]:
    modes = [(layer, layer.training) for layer in module.modules()]
    module.eval()
    try:
        yield
    finally:
        for layer, is_training in modes:
            layer.training = is_training


@contextmanager
def out_of_place(calls: Sequence[LayerCall]) -> Iterator[None]:
    """Have the replay leave the captured inputs as they are (rule 2)."""
    changing = [call for call in calls if call.changes_input]
    in_place = [call.layer for call in changing if getattr(call.layer, "inplace", None) is True]
    for layer in in_place:
        layer.inplace = False  # type: ignore[assignment]  # a plain attribute, and no module
    try:
        for call in changing:
            call.is_copied = _still_changes(call)
        yield
    finally:
        for layer in in_place:
            layer.inplace = True  # type: ignore[assignment]


def _still_changes(call: LayerCall) -> bool:
    with torch.no_grad():
        args, kwargs = mapped(call.args, _copy), mapped(call.kwargs, _copy)
        before = _versions((args, kwargs))
        call.layer(*args, **kwargs)
    return _versions((args, kwargs)) != before
