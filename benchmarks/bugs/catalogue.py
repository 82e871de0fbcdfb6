"""The exam: sixteen bugs, who told of them, and the names that a failure has to hold."""

from benchmarks.bugs.compiled import graph_breaks
from benchmarks.bugs.generation import eager_decoding, no_cache
from benchmarks.bugs.operators import (
    channels_first,
    concatenation,
    copied_layer_norm,
    strided_cross_entropy,
    unfused_gelu,
)
from benchmarks.bugs.pair import Pair
from benchmarks.bugs.precision import float32_projections, highest_precision, tf32_off
from benchmarks.bugs.ranks import uneven_ranks
from benchmarks.bugs.training import (
    batches_copied_each_step,
    looping_optimiser,
    loss_read_each_step,
    metric_each_step,
)

COMMON = "common"
BFLOAT16 = 0.02  # of what two ways of summing in 8 bits differ by, some layers deep

PAIRS = (
    Pair(
        number=1,
        name="tf32-off",
        report="huggingface/transformers#14450",
        open=tf32_off,
        guilty=("matmul precision", "TF32"),
    ),
    Pair(
        number=2,
        name="highest-precision",
        report="pytorch/pytorch#153195",
        open=highest_precision,
        guilty=("matmul precision", "TF32"),
    ),
    Pair(
        number=3,
        name="strided-cross-entropy",
        report="pytorch/pytorch#141822",
        open=strided_cross_entropy,
        guilty=("cross_entropy_loss",),
    ),
    Pair(
        number=4,
        name="copied-layer-norm",
        report="pytorch/pytorch#76012",
        open=copied_layer_norm,
        guilty=("contiguous", "clone"),
    ),
    Pair(
        number=5,
        name="concatenation",
        report="huggingface/diffusers#12131",
        open=concatenation,
        guilty=("cat",),
        precision=BFLOAT16,
    ),
    Pair(
        number=6,
        name="float32-projections",
        report="Stable Diffusion, 279",
        open=float32_projections,
        guilty=("linear", "cat"),
        precision=BFLOAT16,
    ),
    Pair(
        number=7,
        name="uneven-ranks",
        report="PyTorch's forum, discussion 181115",
        open=uneven_ranks,
        guilty=("allreduce", "all_reduce", "linear"),
        device_count=2,
        precision=BFLOAT16,
    ),
    Pair(
        number=8,
        name="unfused-gelu",
        report="GPT-2 in transformers against vLLM",
        open=unfused_gelu,
        guilty=("pow", "tanh", "mul", "gelu"),
        precision=BFLOAT16,
    ),
    Pair(
        number=9,
        name="loss-read-each-step",
        report=COMMON,
        open=loss_read_each_step,
        guilty=("item", "waits", "wait"),
    ),
    Pair(
        number=10,
        name="no-cache",
        report=COMMON,
        open=no_cache,
        guilty=("linear", "scaled_dot_product_attention"),
    ),
    Pair(
        number=11,
        name="looping-optimiser",
        report=COMMON,
        open=looping_optimiser,
        guilty=("lerp_", "addcdiv_", "addcmul_", "Optimizer.step", "_fused_adamw_"),
    ),
    Pair(
        number=12,
        name="batches-copied-each-step",
        report=COMMON,
        open=batches_copied_each_step,
        guilty=("to()", "pageable", "host to device"),
    ),
    Pair(
        number=13,
        name="channels-first",
        report=COMMON,
        open=channels_first,
        guilty=("conv2d", "channels last"),
        precision=BFLOAT16,
    ),
    Pair(
        number=14,
        name="graph-breaks",
        report=COMMON,
        open=graph_breaks,
        guilty=("graph break", "graph breaks", "isnan", "is_nonzero"),
        precision=BFLOAT16,
    ),
    Pair(
        number=15,
        name="eager-decoding",
        report="vllm-project/vllm#9471, #10811",
        open=eager_decoding,
        guilty=("graph", "graphs", "launches", "softmax"),
    ),
    Pair(
        number=16,
        name="metric-each-step",
        report=COMMON,
        open=metric_each_step,
        guilty=("argmax", "linear", "_accuracy"),
    ),
)
