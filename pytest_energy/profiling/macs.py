"""Multiply-accumulates (MACs) of the forward pass of one sample.

Rule 1: the user's module is not run, moved or changed: a copy without weights or hooks runs on the `meta`
device, in eval mode and without gradients.
Rule 2: one sample is counted: the first dimension of each example tensor is the batch.

`torch.utils.flop_counter` counts convolutions, matrix products and attention. Operators that it doesn't
know (quantised kernels, a product of matrix and vector, custom CUDA kernels) count nothing, and so do
activations, normalisation and pooling. On `meta`, fused attention takes its decomposed form and is counted
in full; on CPU tensors parts of it were missed (-25 % on a small transformer block).

A forward pass that reads values (`.item()`, a branch on data, NumPy) can't run on `meta`; networks of
transformers do so for an attention mask, so leave a mask of ones out of the example. What the forward
pass changes outside its module (globals, objects caught in closures) is changed by this one too.
"""

import copy
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from pytest_energy.errors import NotMeasurable
from pytest_energy.lazy_module import LazyModule
from pytest_energy.profiling.lazy_torch import torch

flop_counter: Any = LazyModule("torch.utils.flop_counter")

# What the user's forward pass may raise on shapes without values; anything else is not ours to catch.
FAULTS = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    RuntimeError,
    TypeError,
    ValueError,
    copy.Error,
)
_SHOWN_CHARACTERS = 300  # of another library's message: enough for one sentence


def count_macs(module: "torch.nn.Module", example_input: object) -> int:
    """MACs of one sample by `torch.utils.flop_counter`: half of its floating-point operations.

    Args:
        module: Any module; it is left as it is.
        example_input: A tensor of shape `[N, ...]`, a sequence of positional arguments, or a mapping of
            keyword arguments. Of N samples one is counted.

    Raises:
        NotMeasurable: The forward pass fails on the `meta` device, or nothing in it could be counted.

    Source:
        PyTorch, `torch.utils.flop_counter`: a product of [m, k] and [k, n] counts 2 m n k operations.
    """

    def count(twin: "torch.nn.Module", args: tuple[object, ...], kwargs: dict[str, object]) -> int:
        with flop_counter.FlopCounterMode(display=False) as counter:
            twin(*args, **kwargs)
        return int(counter.get_total_flops()) // 2

    return _counted(module, example_input, count)


def count_macs_thop(module: "torch.nn.Module", example_input: object) -> int:
    """MACs of one sample by ultralytics-thop, for comparison with figures that were made with it.

    It also counts normalisation and pooling, some 14 % on a small CNN.

    Args:
        module: Any module; it is left as it is.
        example_input: A tensor of shape `[N, ...]` or a sequence of positional arguments.

    Raises:
        NotMeasurable: thop is not installed, it is not ultralytics-thop, the input is a mapping, or the
            forward pass fails on `meta`.

    Source:
        ultralytics-thop, `thop.profile`.
    """
    try:
        import thop
    except ImportError as error:
        raise NotMeasurable("thop is not installed: pip install 'pytest-energy[cnn]'") from error
    _refuse_original(thop)

    def count(twin: "torch.nn.Module", args: tuple[object, ...], kwargs: dict[str, object]) -> int:
        if kwargs:
            raise NotMeasurable("thop takes positional arguments only; give them as a tuple")
        macs, _ = thop.profile(twin, inputs=args, verbose=False)
        return round(float(macs))

    return _counted(module, example_input, count)


def _refuse_original(thop: object) -> None:
    """The original package has the same import name, and counts nothing of `nn.MultiheadAttention`.

    Raises:
        NotMeasurable: *thop* is the original, whose versions end at 0.1, or doesn't give its version.
    """
    version = str(getattr(thop, "__version__", "unknown"))
    if not version.partition(".")[0].isdecimal() or version.startswith("0."):
        raise NotMeasurable(
            f"the installed thop (version {version}) leaves out attention. Replace it: "
            "pip uninstall thop; pip install ultralytics-thop"
        )


def count_macs_by(
    module: "torch.nn.Module",
    example_input: object,
    find: Callable[["torch.nn.Module"], Iterable[tuple["torch.nn.Module", str]]],
) -> tuple[int, dict[str, int]]:
    """MACs of one sample as `count_macs` counts them: all, and by name those inside chosen layers.

    Args:
        module: Any module; it is left as it is.
        example_input: As for `count_macs`.
        find: Gives the chosen layers of a copy of *module*, each with the name to count it under; none of
            them inside another. Names under which nothing was run have no count.

    Raises:
        NotMeasurable: As `count_macs`.
    """
    flops: dict[str, int] = {}

    def count(twin: "torch.nn.Module", args: tuple[object, ...], kwargs: dict[str, object]) -> int:
        with flop_counter.FlopCounterMode(display=False) as counter:

            def add(name: str, sign: int) -> Callable[..., None]:
                def hook(*_: object) -> None:
                    flops[name] = flops.get(name, 0) + sign * int(counter.get_total_flops())

                return hook

            for layer, name in find(twin):
                layer.register_forward_pre_hook(add(name, -1))
                layer.register_forward_hook(add(name, 1))
            twin(*args, **kwargs)
        return int(counter.get_total_flops()) // 2

    total = _counted(module, example_input, count)
    return total, {name: operations // 2 for name, operations in flops.items()}


def _counted(
    module: "torch.nn.Module",
    example_input: object,
    count: Callable[["torch.nn.Module", tuple[object, ...], dict[str, object]], int],
) -> int:
    kind = type(module).__name__
    entered: list[str] = []
    with _explained(kind, lambda: "it can't be copied without its weights"):
        twin = _without_weights(module)
        _note_layers(twin, entered)
    args, kwargs = _one_sample(kind, example_input)
    with (
        _explained(kind, lambda: f"its forward pass on the meta device failed {_place(entered)}"),
        torch.no_grad(),
    ):
        macs = count(twin, args, kwargs)
    if macs == 0:
        raise NotMeasurable(
            f"the MACs of {kind} can't be counted: no convolution, matrix product or attention was found; "
            f"the counter does not support quantised and custom kernels"
        )
    return macs


@contextmanager
def _explained(kind: str, what: Callable[[], str]) -> Iterator[None]:
    """Turn an error of the user's code into `NotMeasurable` that says what happened and where."""
    try:
        yield
    except FAULTS as error:
        raise NotMeasurable(f"the MACs of {kind} can't be counted: {what()}: {fault_text(error)}") from error


def fault_text(error: BaseException) -> str:
    """Kind and first line of an error of the user's code."""
    first_line = (str(error).strip().splitlines() or ["no message"])[0][:_SHOWN_CHARACTERS]
    return f"{type(error).__name__}: {first_line}"


def _place(entered: list[str]) -> str:
    return f"in {entered[-1]}" if entered else "before its first layer"


def _without_weights(module: "torch.nn.Module") -> "torch.nn.Module":
    """Copy on `meta`, in eval mode, without hooks. No weight is copied, so it costs no memory."""
    module = unwrapped(module)
    memo: dict[int, object] = {}
    for tensor in _tensors(module):
        twin = torch.empty_like(tensor, device="meta", requires_grad=False)
        is_parameter = isinstance(tensor, torch.nn.Parameter)
        memo[id(tensor)] = (
            torch.nn.Parameter(twin, requires_grad=tensor.requires_grad) if is_parameter else twin
        )
    copied = copy.deepcopy(module, memo).eval()
    for layer in copied.modules():
        # A hook is the user's code and may keep what it sees; torch has no public way to drop all of them.
        layer._forward_hooks.clear()  # noqa: SLF001
        layer._forward_pre_hooks.clear()  # noqa: SLF001
    return copied


def unwrapped(module: "torch.nn.Module") -> "torch.nn.Module":
    """The module itself out of `torch.compile` and the data-parallel wrappers, which can't run on `meta`."""
    module = getattr(module, "_orig_mod", module)
    if isinstance(module, torch.nn.DataParallel | torch.nn.parallel.DistributedDataParallel):
        return unwrapped(module.module)
    return module


def _tensors(module: "torch.nn.Module") -> Iterator["torch.Tensor"]:
    """Parameters, buffers, and tensors kept as plain attributes."""
    yield from module.parameters()
    yield from module.buffers()
    for layer in module.modules():
        yield from (value for value in vars(layer).values() if isinstance(value, torch.Tensor))


def _note_layers(module: "torch.nn.Module", entered: list[str]) -> None:
    """Keep the names of the layers that are being run in *entered*, the innermost last."""

    def enter(name: str) -> Callable[..., None]:
        return lambda *_: entered.append(name)

    def leave(*_: object) -> None:
        entered.pop()

    for name, layer in module.named_modules():
        place = f"layer {name!r} ({type(layer).__name__})" if name else f"{type(layer).__name__}.forward"
        layer.register_forward_pre_hook(enter(place))
        layer.register_forward_hook(leave)


def to_arguments(example_input: object) -> tuple[tuple[object, ...], dict[str, object]]:
    """Positional and keyword arguments of a forward pass.

    Args:
        example_input: A tensor, a sequence of positional arguments, or a mapping of keyword arguments.
    """
    if isinstance(example_input, Mapping):
        return (), {str(name): value for name, value in example_input.items()}
    if isinstance(example_input, Sequence) and not isinstance(example_input, str):
        return tuple(example_input), {}
    return (example_input,), {}


def _one_sample(kind: str, example_input: object) -> tuple[tuple[object, ...], dict[str, object]]:
    """Positional and keyword arguments of a batch of one, on `meta`."""
    args, kwargs = to_arguments(example_input)
    tensors = [value for value in (*args, *kwargs.values()) if isinstance(value, torch.Tensor) and value.ndim]
    if not tensors:
        raise NotMeasurable(
            f"the MACs of {kind} can't be counted: the example input is a {type(example_input).__name__} "
            "that holds no tensor of shape [N, ...], N samples along its first dimension"
        )
    batch_size = len(tensors[0])

    def first(value: object) -> object:
        if not isinstance(value, torch.Tensor):
            return value
        is_batched = value.ndim > 0 and len(value) == batch_size
        return (value[:1] if is_batched else value).to("meta")

    return tuple(first(value) for value in args), {name: first(value) for name, value in kwargs.items()}
