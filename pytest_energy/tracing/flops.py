"""Floating-point operations of an operator, by the shapes of its arguments.

A product of an m x k and a k x n matrix is 2 m k n: Golub and Van Loan, Matrix Computations, 4th edition,
1.1.11. The rest is made of such products. Elementwise work, norms and reductions count none.
"""

import math
from collections.abc import Callable

from pytest_energy.tracing.events import Event, Tensor

Shape = tuple[int, ...]


def has_formula(name: str) -> bool:
    """Whether operations are counted by the arguments of an operator of this name."""
    return name in _FORMULAS


def flops_of(event: Event) -> float | None:
    """Of this operator and all that runs in it; `None` if no formula is known for it."""
    formula = _FORMULAS.get(event.name)
    if formula is None:
        return None
    try:
        return float(formula(event.arguments))
    except (IndexError, TypeError, ValueError, AttributeError):
        return None  # of another version, or on no dense tensor


def _shape(argument: object) -> Shape:
    if not isinstance(argument, Tensor):
        raise TypeError
    return argument.shape


def _numbers(argument: object) -> Shape:
    if not isinstance(argument, tuple):
        raise TypeError
    return tuple(map(int, argument))


def _product(left: Shape, right: Shape) -> int:
    """Of the last two dimensions, for each index of those before."""
    return 2 * math.prod(left) * right[-1]


def _mm(arguments: tuple[object, ...]) -> int:
    return _product(_shape(arguments[0]), _shape(arguments[1]))


def _addmm(arguments: tuple[object, ...]) -> int:
    return _mm(arguments[1:])


def _vector(arguments: tuple[object, ...]) -> int:
    return 2 * math.prod(_shape(arguments[0]))


def _linear(arguments: tuple[object, ...]) -> int:
    """Weights are kept as outputs x inputs."""
    return 2 * math.prod(_shape(arguments[0])) * _shape(arguments[1])[0]


def _convolved(inputs: Shape, weight: Shape, outputs: Shape, *, transposed: bool) -> int:
    """Each weight is used once at each place of a sample: of the input where it is transposed."""
    places = inputs if transposed else outputs
    return 2 * outputs[0] * math.prod(weight) * math.prod(places[2:])


def _convolution(arguments: tuple[object, ...]) -> int:
    inputs, weight = _shape(arguments[0]), _shape(arguments[1])
    options = [_many(_numbers(option), inputs) for option in arguments[3:6]]  # stride, padding, dilation
    transposed = bool(arguments[6])
    lengths = tuple(
        (length + 2 * pad - dilate * (kernel - 1) - 1) // step + 1
        for length, kernel, step, pad, dilate in zip(inputs[2:], weight[2:], *options, strict=True)
    )
    return _convolved(inputs, weight, (inputs[0], weight[0], *lengths), transposed=transposed)


def _many(numbers: Shape, inputs: Shape) -> Shape:
    """One number stands for all dimensions of space."""
    return numbers * (len(inputs) - 2) if len(numbers) == 1 else numbers


def _convolution_backward(arguments: tuple[object, ...]) -> int:
    """One product of the forward one's size for the input, one for the weight, as far as wanted."""
    outputs, inputs, weight = map(_shape, arguments[:3])
    mask = arguments[10]
    wanted = sum(map(bool, mask[:2])) if isinstance(mask, tuple) and mask else 2
    return wanted * _convolved(inputs, weight, outputs, transposed=bool(arguments[7]))


def _attention(query: Shape, key: Shape, value: Shape) -> int:
    """Query with key, and what comes of it with value; a causal mask takes nothing off."""
    scores = 2 * math.prod(query) * key[-2]
    return scores + 2 * math.prod(query[:-1]) * key[-2] * value[-1]


def _attended(arguments: tuple[object, ...]) -> int:
    query, key, value = map(_shape, arguments[:3])
    return _attention(query, key, value)


def _attended_backward(arguments: tuple[object, ...]) -> int:
    """Five products where the forward pass has two: Dao 2023, FlashAttention-2, section 2.3."""
    query, key, value = map(_shape, arguments[1:4])
    return _attention(query, key, value) * 5 // 2


def _recurrent(arguments: tuple[object, ...]) -> int:
    """Each weight, of its layer and direction, is used once for each step of each sample."""
    weights = arguments[2]
    if not isinstance(weights, tuple):
        raise TypeError
    return _steps(arguments[0], [_shape(weight) for weight in weights])


def _recurrent_backward(inputs: object, weights: tuple[object, ...]) -> int:
    """Two products where the forward pass has one: for what was given and for the weight."""
    return 2 * _steps(inputs, [_shape(weight) for weight in weights])


def _steps(inputs: object, shapes: list[Shape]) -> int:
    numbers = sum(math.prod(shape) for shape in shapes if len(shape) > 1)
    return 2 * math.prod(_shape(inputs)[:-1]) * numbers


def _cudnn_backward(arguments: tuple[object, ...]) -> int:
    weights = arguments[1]
    if not isinstance(weights, tuple):
        raise TypeError
    return _recurrent_backward(arguments[0], weights)


def _mkldnn_backward(arguments: tuple[object, ...]) -> int:
    return _recurrent_backward(arguments[0], arguments[1:3])


_ATTENTIONS = (
    "flash_attention",
    "flash_attention_for_cpu",
    "efficient_attention",
    "cudnn_attention",
    "fused_attention_overrideable",
)
_FORMULAS: dict[str, Callable[[tuple[object, ...]], int]] = {
    "aten::mm": _mm,
    "aten::bmm": _mm,
    "aten::_scaled_mm": _mm,
    "aten::_int_mm": _mm,
    "aten::addmm": _addmm,
    "aten::_addmm_activation": _addmm,
    "aten::baddbmm": _addmm,
    "aten::addbmm": _addmm,
    "aten::mv": _vector,
    "aten::dot": _vector,
    "aten::addmv": lambda arguments: _vector(arguments[1:]),
    "aten::mkldnn_linear": _linear,
    "mkldnn::_linear_pointwise": _linear,
    "aten::lstm": _recurrent,
    "aten::gru": _recurrent,
    "aten::rnn_tanh": _recurrent,
    "aten::rnn_relu": _recurrent,
    "aten::_cudnn_rnn_backward": _cudnn_backward,
    "aten::mkldnn_rnn_layer_backward": _mkldnn_backward,
    "aten::convolution": _convolution,
    "aten::convolution_backward": _convolution_backward,
    **{f"aten::_scaled_dot_product_{kind}": _attended for kind in _ATTENTIONS},
    **{f"aten::_scaled_dot_product_{kind}_backward": _attended_backward for kind in _ATTENTIONS},
}
