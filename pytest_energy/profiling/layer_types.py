"""What a layer does, judged by where its class is defined; and the layers of a model that are replayed."""

from collections.abc import Iterator
from enum import StrEnum

from pytest_energy.profiling.lazy_torch import torch


class LayerType(StrEnum):
    """What a layer does, as far as its energy goes."""

    CONVOLUTION = "convolution"
    LINEAR = "linear"
    NORMALISATION = "normalisation"
    ACTIVATION = "activation"
    POOLING = "pooling"
    ATTENTION = "attention"
    EMBEDDING = "embedding"
    OTHER = "other"
    BETWEEN = "between"
    """No layer: what runs between them, such as additions, the loss, attention called as a function."""


# Where torch defines a layer, or one that a layer inherits from.
_BY_HOME = {
    "torch.nn.modules.conv": LayerType.CONVOLUTION,
    "torch.nn.modules.linear": LayerType.LINEAR,
    "torch.nn.modules.batchnorm": LayerType.NORMALISATION,
    "torch.nn.modules.instancenorm": LayerType.NORMALISATION,
    "torch.nn.modules.normalization": LayerType.NORMALISATION,
    "torch.nn.modules.activation": LayerType.ACTIVATION,
    "torch.nn.modules.pooling": LayerType.POOLING,
    "torch.nn.modules.sparse": LayerType.EMBEDDING,
}

# Layers of other libraries that inherit from `Module` alone, by the end of their class's name. With modules
# inside it may be a block of several layers, such as torchvision's Conv2dNormActivation.
_BY_ENDING = {
    "Norm": LayerType.NORMALISATION,  # LlamaRMSNorm
    "Activation": LayerType.ACTIVATION,  # transformers.activations
}


def layer_type(module: "torch.nn.Module") -> LayerType:
    """The type of one layer; `other` for whatever is not known, and for a layer that does nothing."""
    if isinstance(module, torch.nn.MultiheadAttention):  # torch has it among the activations
        return LayerType.ATTENTION
    if isinstance(module, torch.nn.Identity):  # among the linear layers
        return LayerType.OTHER
    for ancestor in type(module).__mro__:
        if ancestor.__module__ in _BY_HOME:
            return _BY_HOME[ancestor.__module__]
    name = "" if next(module.children(), None) else type(module).__name__
    return next((kind for end, kind in _BY_ENDING.items() if name.endswith(end)), LayerType.OTHER)


def layers_of(module: "torch.nn.Module") -> tuple[tuple[str, "torch.nn.Module", LayerType], ...]:
    """The layers that are replayed, with their names: of a known type, or without modules inside.

    Each once, whatever the number of its names.
    """
    return tuple({id(layer[1]): layer for layer in _layers_below(module, "")}.values())


def _layers_below(module: "torch.nn.Module", name: str) -> Iterator[tuple[str, "torch.nn.Module", LayerType]]:
    kind, children = layer_type(module), tuple(module.named_children())
    if kind is not LayerType.OTHER or not children:
        yield name, module, kind
        return
    for child_name, child in children:
        yield from _layers_below(child, f"{name}.{child_name}" if name else child_name)
