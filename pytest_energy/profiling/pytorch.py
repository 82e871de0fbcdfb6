"""Facts of a model, from PyTorch.

Rule 1: importing this module does not import torch.
Rule 2: nothing here initialises CUDA, or opens a context on a GPU that the work doesn't use.
"""

from dataclasses import replace

from pytest_energy.errors import NotMeasurable
from pytest_energy.metrics.discriminative import ModelFacts
from pytest_energy.profiling.lazy_torch import check_module, torch
from pytest_energy.profiling.macs import count_macs, count_macs_thop

# Ways to count that differ by more than this share count different things.
_APART_SHARE = 0.2


def model_facts(
    module: object, example_input: object, accuracy: float | None = None, *, by_thop: bool = False
) -> ModelFacts:
    """Trainable parameters, size and MACs of a model. Call it outside every window.

    MACs that can't be counted are `None` with the reason: a forward pass that reads values is no error of
    the test.

    Args:
        module: A `torch.nn.Module`; it is not run, moved or changed. A frozen one has 0 trainable parameters.
        example_input: A tensor of shape `[N, ...]`, a sequence of positional arguments, or a mapping of
            keyword arguments; N may be 1.
        by_thop: Count MACs with thop, which also counts normalisation and pooling.
        accuracy: Share of samples that it gets right, 0 to 1, if known.

    Raises:
        NotMeasurable: *module* is no `torch.nn.Module`, or has parameters whose shape is not known yet.
    """
    module = check_module(module, "model")
    _check_shapes_are_known(module)
    facts = ModelFacts(
        parameters=trainable_parameters(module), macs=None, size_bytes=size_bytes(module), accuracy=accuracy
    )
    try:
        macs, counted = _macs(module, example_input, by_thop=by_thop)
    except NotMeasurable as error:
        return replace(facts, macs_absent_because=str(error))
    return replace(facts, macs=macs, counted_macs=counted)


def _macs(module: "torch.nn.Module", example_input: object, *, by_thop: bool) -> tuple[int, dict[str, int]]:
    """MACs of one sample; and, where thop is asked for and differs much, both ways to count them."""
    if not by_thop:
        return count_macs(module, example_input), {}
    macs = count_macs_thop(module, example_input)
    try:
        other = count_macs(module, example_input)
    except NotMeasurable:
        return macs, {}
    is_apart = abs(macs - other) > _APART_SHARE * max(macs, other)
    return macs, {"macs_flop_counter": other, "macs_thop": macs} if is_apart else {}


def trainable_parameters(module: "torch.nn.Module") -> int:
    """Elements of all parameters that require a gradient; a shared parameter counts once."""
    return sum(parameter.numel() for parameter in module.parameters() if parameter.requires_grad)


def size_bytes(module: "torch.nn.Module") -> int:
    """Bytes of all parameters and buffers, trainable or not; a shared tensor counts once."""
    tensors = (*module.parameters(), *module.buffers())
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)


def _check_shapes_are_known(module: "torch.nn.Module") -> None:
    for name, tensor in (*module.named_parameters(), *module.named_buffers()):
        if torch.nn.parameter.is_lazy(tensor):
            raise NotMeasurable(
                f"{name!r} of {type(module).__name__} is lazy and has no shape yet: run the model once first"
            )
