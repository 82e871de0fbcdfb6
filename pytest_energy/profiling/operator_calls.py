"""The operators of one real call of a work, each with what it was given, so that they can be replayed.

Rule 1: a call is replayed with the values that it had. Tensors are kept by reference; one that is about to be
    written to is copied just before.
Rule 2: a replay writes to nothing of the work's own: what an operator writes to is a copy.
Rule 3: the work is not disturbed. Where memory runs short all that was kept is dropped, and the work goes on.
Rule 4: what a device does nothing for is not kept: views, empty tensors, questions about a shape. Nor is what
    can't be done alone: a wait for a value, a collective that other processes take part in.
"""

import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from pytest_energy.errors import Absent
from pytest_energy.lazy_module import LazyModule
from pytest_energy.profiling.lazy_torch import torch
from pytest_energy.profiling.macs import FAULTS, fault_text
from pytest_energy.profiling.nested import mapped, tensors_in
from pytest_energy.profiling.operator_facts import (
    argument_names,
    has_out,
    is_plain,
    is_work,
    moved,
    name_of,
    out_of_place,
    storage_key,
    written_names,
)
from pytest_energy.units import to_text

if TYPE_CHECKING:
    from types import FrameType

    from torch._ops import OpOverload

python_dispatch: Any = LazyModule("torch.utils._python_dispatch")
optimizers: Any = LazyModule("torch.optim.optimizer")


class Stage(StrEnum):
    """Where in a step an operator runs."""

    FORWARD = "forward"
    """Whatever is neither of the others."""
    BACKWARD = "backward"
    """Inside a node of autograd, what is computed anew there included."""
    OPTIMISER = "optimiser"
    """Inside `Optimizer.step`, or on the gradients that a backward pass has left: clipping, zeroing."""


@dataclass(slots=True)
class OperatorCall:
    """One call of an operator in the real call of the work.

    Attributes:
        args: As they were at the call.
        label: Of whoever asked for one: the layer that it belongs to.
    """

    operator: "OpOverload"
    args: tuple[object, ...]
    kwargs: dict[str, object]
    name: str
    stage: Stage
    label: str = ""

    def again(self) -> None:
        self.operator(*self.args, **self.kwargs)


@dataclass(frozen=True, slots=True, kw_only=True)
class CapturedCalls:
    """The calls in order, and what a reader should know of those that were left out."""

    calls: tuple[OperatorCall, ...]
    notes: tuple[str, ...] = ()


def captured_operators(
    work: Callable[[], object],
    free: "Callable[[torch.device], int | None]",
    label: Callable[[], str] = lambda: "",
) -> CapturedCalls | Absent:
    """One real call of *work*, and the operators in it; or why there are none.

    Args:
        work: Called once, outside every window.
        free: Memory left on a device, in bytes.
        label: Asked at each call of an operator, for its `OperatorCall.label`.
    """
    capture = _Capture(free=free, label=label)
    try:
        with capture.compiled_calls(), capture.optimiser_steps(), _mode(capture):
            work()
    except FAULTS as error:
        return Absent(f"the work failed while its operators were listed: {fault_text(error)}")
    finally:
        capture.place_zeroing()
        calls = tuple(capture.calls)
        capture.forget()  # the mode's class holds it, and classes go when the collector comes
    if capture.stopped_because is not None:
        return Absent(capture.stopped_because)
    if not calls:
        return Absent(f"the work calls no operator of torch that can be replayed{capture.left_out}")
    return CapturedCalls(calls=calls, notes=tuple(capture.notes()))


def _mode(capture: "_Capture") -> Any:
    """A dispatch mode that hands every operator to *capture*, those of backward passes too."""

    class Mode(python_dispatch.TorchDispatchMode):  # type: ignore[misc]  # torch comes at the first use
        supports_higher_order_operators = True  # such as flex attention: operators that are given functions

        def __torch_dispatch__(
            self,
            operator: "OpOverload",
            _types: object,
            args: tuple[object, ...] = (),
            kwargs: dict[str, object] | None = None,
        ) -> object:
            return capture.run(operator, args, kwargs or {})

    return Mode()


# ---- what is kept, and what is not ----

_OF_THE_TRACE = frozenset({"profiler", "prim"})
_COLLECTIVES = frozenset(
    {"c10d", "_c10d_functional", "c10d_functional", "_c10d_functional_autograd", "symm_mem"}
)
_WAITS = frozenset({"aten::_local_scalar_dense", "aten::item", "aten::is_nonzero", "aten::equal"})
_SHAPES = frozenset({"aten::set_", "aten::resize_", "aten::resize_as_", "aten::record_stream"})
_EMPTY = frozenset(
    f"aten::{name}"
    for name in ("empty", "empty_like", "empty_strided", "empty_permuted", "new_empty", "new_empty_strided")
)

_ZEROES = frozenset({"aten::zero_", "aten::_foreach_zero_"})

_LEAVES_GRADIENT = "torch::autograd::AccumulateGrad"

_COMPILED = "compile_wrapper"
"""What a function of `torch.compile` is called through, in `torch/_dynamo/eval_frame.py`."""

_CALL_LIMIT = 200_000
"""Calls of operators: what is kept of each takes about a kilobyte of the host."""

_CHECK_BYTES = 32_000_000
"""So much more must be kept before the memory left is asked for again."""

_RESERVE_BYTES = 512_000_000
"""Memory that is left to the work."""


@dataclass(slots=True, kw_only=True)
class _Capture:
    """What a dispatch mode sees of one call of a work."""

    free: "Callable[[torch.device], int | None]"
    label: Callable[[], str]
    calls: list[OperatorCall] = field(default_factory=list)
    stopped_because: str | None = None
    _open_steps: int = 0
    _skipped: Counter[str] = field(default_factory=Counter)
    _storages: dict[int, int] = field(default_factory=dict)
    _readers: dict[int, list[OperatorCall]] = field(default_factory=dict)
    _written_names: "dict[OpOverload, tuple[str, ...]]" = field(default_factory=dict)
    _gradients: "dict[int, torch.Tensor]" = field(default_factory=dict)
    _zeroed: "list[tuple[OperatorCall, list[torch.Tensor]]]" = field(default_factory=list)
    _buffers: "dict[object, torch.Tensor]" = field(default_factory=dict)
    _unchecked_bytes: int = 0

    # Around the work

    @contextmanager
    def optimiser_steps(self) -> Iterator[None]:
        """Know when an optimiser of torch is at work, whichever it is."""

        def enter(*_: object) -> None:
            self._open_steps += 1

        def leave(*_: object) -> None:
            self._open_steps -= 1

        handles = (
            optimizers.register_optimizer_step_pre_hook(enter),
            optimizers.register_optimizer_step_post_hook(leave),
        )
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    @contextmanager
    def compiled_calls(self) -> Iterator[None]:
        """Count the calls of what `torch.compile` has made: they run uncompiled where a mode looks."""
        if "torch._dynamo.eval_frame" not in sys.modules:
            yield
            return
        before = sys.getprofile()

        def profile(frame: "FrameType", event: str, _: object) -> None:
            code = frame.f_code
            is_compiled = code.co_name == _COMPILED and code.co_filename.endswith("eval_frame.py")
            self._skipped["compiled"] += is_compiled and event == "call"

        sys.setprofile(profile)
        try:
            yield
        finally:
            sys.setprofile(before)

    def place_zeroing(self) -> None:
        """Give the optimiser what has zeroed gradients, of which nobody knew yet that they are some."""
        for call, zeroed in self._zeroed:
            if any(storage_key(tensor) in self._gradients for tensor in zeroed):
                call.stage = Stage.OPTIMISER

    # Of each operator

    def run(self, operator: "OpOverload", args: tuple[object, ...], kwargs: dict[str, object]) -> object:
        """Run *operator* as the work asks, and keep its call."""
        if self.stopped_because is None:
            self._note_gradient((args, kwargs))
        if self.stopped_because is not None or not self._is_kept(operator, (args, kwargs)):
            return operator(*args, **kwargs)
        try:
            return self._kept(operator, args, kwargs)
        except torch.cuda.OutOfMemoryError:
            if not self.calls:
                raise
            self._stop(f"at {name_of(operator)} no memory was left")
        return operator(*args, **kwargs)

    def _is_kept(self, operator: "OpOverload", given: object) -> bool:
        name = name_of(operator)
        if operator.namespace in _OF_THE_TRACE or name in _SHAPES | _EMPTY:
            return False
        if operator.namespace in _COLLECTIVES:
            self._skipped["collective"] += 1
            return False
        if name in _WAITS:
            self._skipped["wait"] += any(tensor.device.type != "cpu" for tensor in tensors_in(given))
            return False
        return True

    def _kept(self, operator: "OpOverload", args: tuple[object, ...], kwargs: dict[str, object]) -> object:
        written = self._written(operator, args, kwargs)
        twin = out_of_place(operator) if written else None
        own = self._before_write(written, shares_copies=twin is not None)
        held: dict[int, torch.Tensor] = {}

        def hold(tensor: "torch.Tensor") -> "torch.Tensor":
            if id(tensor) not in held:
                held[id(tensor)] = own.get(id(tensor), tensor).detach()
            return held[id(tensor)]

        kept_args, kept_kwargs = mapped((args, kwargs), hold)
        if twin is not None and has_out(twin):
            kept_kwargs["out"] = self._buffer(written[0])
        call = OperatorCall(
            operator=operator if twin is None else twin,
            args=kept_args,
            kwargs=kept_kwargs,
            name=name_of(operator),
            stage=self._stage((args, kwargs)),
            label=self.label(),
        )
        result = operator(*args, **kwargs)
        if written or is_work(result, (args, kwargs)):
            self._keep(call, held.values())
        if call.name in _ZEROES and call.stage is Stage.FORWARD:
            self._zeroed.append((call, [tensor.detach() for tensor in written]))
        return result

    def _stage(self, given: object) -> Stage:
        node: object = torch._C._current_autograd_node()  # noqa: SLF001  # it has no public name
        if node is not None:
            return Stage.BACKWARD
        # What runs with gradients inside a step is its closure: a forward pass.
        is_step = self._open_steps > 0 and not torch.is_grad_enabled()
        is_update = is_step or any(storage_key(one) in self._gradients for one in tensors_in(given))
        return Stage.OPTIMISER if is_update else Stage.FORWARD

    def _note_gradient(self, given: object) -> None:
        """Know the memory of gradients by what is handed to the nodes that leave them with a weight."""
        node: Any = torch._C._current_autograd_node()  # noqa: SLF001
        if node is not None and node.name() == _LEAVES_GRADIENT:
            self._gradients |= {
                key: tensor.detach()
                for tensor in tensors_in(given)
                if (key := storage_key(tensor)) is not None
            }

    def _written(
        self, operator: "OpOverload", args: tuple[object, ...], kwargs: dict[str, object]
    ) -> "list[torch.Tensor]":
        """What the operator writes to, of what it is given."""
        names = self._written_names.get(operator)
        if names is None:
            names = self._written_names[operator] = written_names(operator)
        if not names:
            return []
        given = {**dict(zip(argument_names(operator), args, strict=False)), **kwargs}
        return [tensor for name in names for tensor in tensors_in(given.get(name))]

    # Rule 1

    def _before_write(
        self, written: "Sequence[torch.Tensor]", *, shares_copies: bool
    ) -> "dict[int, torch.Tensor]":
        """Copies of *written* as they are now, by the tensor's id; calls so far get them in its place."""
        own: dict[int, torch.Tensor] = {}
        for tensor in written:
            key = storage_key(tensor)
            readers = [] if key is None else self._readers.pop(key, [])
            if readers:
                before = tensor.untyped_storage().clone()  # type: ignore[no-untyped-call]
                self._count(before.nbytes(), tensor.device)
                for call in readers:
                    call.args, call.kwargs = mapped(
                        (call.args, call.kwargs),
                        lambda kept, key=key, before=before: moved(kept, key, before),  # type: ignore[misc]
                    )
                if shares_copies:
                    own[id(tensor)] = moved(tensor, key, before)
                    continue
            own[id(tensor)] = self._copy(tensor)
        return own

    def _buffer(self, tensor: "torch.Tensor") -> "torch.Tensor":
        """Memory that a replay writes to in place of *tensor*: one for all that are laid out alike."""
        key = (tensor.shape, tensor.stride(), tensor.dtype, tensor.device)
        if key not in self._buffers:
            self._buffers[key] = torch.empty_like(tensor, requires_grad=False)
            self._count(tensor.numel() * tensor.element_size(), tensor.device)
        return self._buffers[key]

    def _copy(self, tensor: "torch.Tensor") -> "torch.Tensor":
        """A copy with the strides of *tensor*, gaps included: they say how memory is read."""
        if not is_plain(tensor) or not tensor.numel():
            return tensor.detach().clone()
        extent = 1 + sum(
            (size - 1) * stride for size, stride in zip(tensor.shape, tensor.stride(), strict=True)
        )
        self._count(extent * tensor.element_size(), tensor.device)
        copied = torch.empty_strided(tensor.shape, tensor.stride(), dtype=tensor.dtype, device=tensor.device)
        return copied.copy_(tensor.detach())

    def _keep(self, call: OperatorCall, tensors: "Iterable[torch.Tensor]") -> None:
        if self.stopped_because is not None:
            return
        self.calls.append(call)
        for tensor in tensors:
            key = storage_key(tensor)
            if key is None:
                continue
            self._readers.setdefault(key, []).append(call)
            if key not in self._storages:
                self._storages[key] = tensor.untyped_storage().nbytes()
                self._count(self._storages[key], tensor.device)
        if len(self.calls) > _CALL_LIMIT:
            self._stop(f"it calls more than {_CALL_LIMIT} operators")

    # Rule 3

    def _count(self, size_bytes: int, device: "torch.device") -> None:
        self._unchecked_bytes += size_bytes
        if self._unchecked_bytes < _CHECK_BYTES:
            return
        self._unchecked_bytes = 0
        left_bytes = self.free(device)
        if left_bytes is not None and left_bytes < _RESERVE_BYTES:
            self._stop(f"{to_text(left_bytes, 'B')} are left on {device}")

    def _stop(self, because: str) -> None:
        kept = to_text(sum(self._storages.values()), "B")
        self.stopped_because = (
            f"the inputs of the operators can't be kept: {because}, with {len(self.calls)} "
            f"calls and {kept} kept; give a smaller batch, or one step of the work"
        )
        self.forget()

    def forget(self) -> None:
        """Hold no tensor any more."""
        for kept in (
            self.calls,
            self._readers,
            self._gradients,
            self._buffers,
            self._zeroed,
        ):
            kept.clear()

    @property
    def left_out(self) -> str:
        texts = tuple(self.notes())
        return f" ({'; '.join(texts)})" if texts else ""

    def notes(self) -> Iterator[str]:
        counts = self._skipped
        if counts["wait"]:
            yield f"{counts['wait']} reads of a value are waits, and not replayed"
        if counts["collective"]:
            yield f"{counts['collective']} collectives need other processes, and are not replayed"
        if counts["compiled"]:
            yield (
                f"{counts['compiled']} calls of compiled code run as operators in the parts: "
                "only the whole has what compiling fuses"
            )
