"""A kernel's name without what changes with each build of a library, and the numbers it works on.

Kept: what the kernel does and in which numbers. Left out: namespaces, template arguments, tiles, stages,
alignment, the architecture it was made for, and the numbers that compilers of graphs append. All products of
matrices are one name, and all convolutions of a direction: which of its hundred kernels a library takes
changes with its version, the driver and the card.
"""

import re
from functools import cache

_TRITON = re.compile(r"^triton_(?:poi|per|red|tem|spl|for|unk)?_?(?:fused_+)?")
_COUNTER = re.compile(r"_\d+$")
_TRITON_PRODUCT = re.compile(r"^triton_(?:tem_.*)?(?:mm|bmm|addmm|matmul)")
_CONVOLUTIONS = (
    ("convolution, weight's gradient", re.compile(r"wgrad|Wgrad|grad_weight")),
    ("convolution, input's gradient", re.compile(r"dgrad|Dgrad|depthwise\w*_backward")),
    (
        "convolution",
        re.compile(r"fprop|convolve|winograd|ImplicitGemmConvolution|depthwise\w*_forward|conv2d_c1"),
    ),
)
_PRODUCT = re.compile(r"gemm|Gemm|GEMM|^(?:void )?nvjet_|gemv|cublas.*dot_kernel")
_PARTS_OF_A_PRODUCT = re.compile(r"splitK\w*|scal_kernel|globalKernel|ReduceSplitK")
_ATTENTION = re.compile(r"flash_fwd|flash_bwd|fmha|flash::|attention", re.IGNORECASE)
_BACKWARD = re.compile(r"bwd|backward|Backward|dgrad")
_WALKS = re.compile(r"elementwise|reduce_kernel|multi_tensor|distribution_nullary")
_WORDS = re.compile(r"(?:at::native::(?:\(anonymous namespace\)::)?(?:\w+::)*|std::)(?P<word>[A-Za-z]\w*)")
# Of how a kernel walks over the numbers, or how its work is wrapped; none says what the work is.
_WRAPPERS = re.compile(
    r"(?:\w*elementwise\w*|gpu_kernel\w*|launch_\w+|reduce_kernel|multi_tensor_apply_kernel|Binary(?:Op\w*)?Functor"
    r"|[AB]?UnaryFunctor|UnaryOpFunctor|BinaryOp\w*|PointwiseOp\w*|TernaryOp\w*|TensorList\w*|ReduceOp|func_wrapper_t"
    r"|memory|detail|array|templates|distribution_nullary_kernel|OpMathType|LoadWithoutCast|StoreWithoutCast)$"
)
_ENDINGS = re.compile(r"_?(?:Functor|functor|Ops|kernel_cuda|kernel_impl|kernel)(?=_|$|OnSelf)")
_TILES = re.compile(
    r"_?(?:tile(?:size)?)?\d+x\d+(?:x\d+)*|(?:_|(?<=[a-z]))\d+C\d+|_?(?:sm|lds|v)_?\d+\w?(?=_|$)|(?<=_)\d+(?=_|$)"
)
_ARCHITECTURE = re.compile(
    r"^(?:ampere|volta|turing|hopper|maxwell|pascal|ada|blackwell|sm_?\d+[a-z]?|cutlass_\d+)_+"
)
_MULTIPLIED = (  # the first that fits: what is multiplied counts, not what it is summed in
    ("tf32", re.compile(r"tf32|s1688(?!.*f16)|tensorop_s\d+gemm|tensor16x8x8|nvjet_s")),
    ("bfloat16", re.compile(r"bf16|bfloat16|BFloat16|nvjet_t")),
    ("float8", re.compile(r"e4m3|e5m2|fp8|Float8|nvjet_q")),
    ("float16", re.compile(r"(?<![bt])f16|fp16|hgemm|h\d{3,5}|c10::Half|\bhalf\b|__half|nvjet_h")),
    ("int8", re.compile(r"(?<![a-z\d])s8(?!\d)|i8816|i16832|imma|igemm|int8")),
    ("float64", re.compile(r"\bdouble\b|(?<!t)f64|dgemm")),
    ("float32", re.compile(r"simt|sgemm|ffma|\bfloat\b|f32f32|scal_kernel")),
)
_TYPE = re.compile(r"\b(?:BFloat16|Half|__half|__nv_bfloat16|double|float|long|int|bool|signed char)\b")
_TYPES = {"BFloat16": "bfloat16", "__nv_bfloat16": "bfloat16", "Half": "float16", "__half": "float16"}
_TYPES |= {
    "double": "float64",
    "float": "float32",
    "long": "int64",
    "int": "int32",
    "bool": "bool",
    "signed char": "int8",
}


@cache
def kernel_name(name: str) -> str:
    """What it does, in one spelling for all builds: `matrix product`, `elementwise silu`."""
    if name.startswith("triton_"):
        return "fused " + _COUNTER.sub("", _TRITON.sub("", name)).strip("_")
    if name.startswith("Memcpy"):
        return "copy on the device"
    if name.startswith("Memset"):
        return "fill"
    return _product_name(name) or _other_name(name)


@cache
def kernel_dtype(name: str) -> str:
    """Numbers that it works on, products in TF32 by their own name; empty if it is silent."""
    if _product_name(name):
        return next((dtype for dtype, pattern in _MULTIPLIED if pattern.search(name)), "")
    first = _TYPE.search(name.partition("<")[2])
    return _TYPES[first[0]] if first else ""


def _product_name(name: str) -> str:
    """Of products, convolutions and attention; empty for all else."""
    if _ATTENTION.search(name):
        return "attention, backward" if _BACKWARD.search(name) else "attention"
    for kind, pattern in _CONVOLUTIONS:
        if pattern.search(name):
            return kind
    if _PARTS_OF_A_PRODUCT.search(name):
        return "matrix product, its parts added"
    return "matrix product" if _PRODUCT.search(name) else ""


def _other_name(name: str) -> str:
    outer = name.removeprefix("void ").replace("(anonymous namespace)::", "")
    plain = re.split(r"[<(]", outer, maxsplit=1)[0].rsplit("::", 1)[-1].strip()
    if not _WALKS.search(plain):
        return re.sub(r"_{2,}", "_", _TILES.sub("", _ARCHITECTURE.sub("", plain))).strip("_")
    walk = "reduction" if "reduce" in plain else "list" if "multi_tensor" in plain else "elementwise"
    words = (match["word"] for match in _WORDS.finditer(name))
    return f"{walk} {next((_short(word) for word in words if not _WRAPPERS.match(word)), '')}".rstrip()


def _short(word: str) -> str:
    return _ENDINGS.sub("", word).removeprefix("CUDA").removeprefix("OnSelf").strip("_")
