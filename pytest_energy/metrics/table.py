"""The table of metrics: name, unit, meaning, source.

Source:
    Sanchez-Mompo, Mavromatis, Li, Katsaros, Khan: Green MLOps to Green GenOps: An Empirical Study of Energy
    Consumption in Discriminative and Generative AI Operations. Information 2025, 16(4), 281.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from pytest_energy.metrics.serving_rows import DRAFT_ROWS, PAIR_ROWS, PHASE_ROWS, PHASE_SOURCE

_DISCRIMINATIVE_SOURCE = "Sanchez-Mompo et al. 2025, section 6.1.3"
_GENERATIVE_SOURCE = "Sanchez-Mompo et al. 2025, section 6.2.2"
_BOTH_SOURCE = "Sanchez-Mompo et al. 2025, sections 6.1.3 and 6.2.2"
_OURS = "this project"


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One metric, for people.

    Attributes:
        name: As the paper writes it; the key in a record's metrics.
        unit: SI; `1` for a plain number.
        source: Where it is defined.
        formula: In short.
        meaning: What it measures, in a few words.
        label: For an axis, with the unit; empty if name and unit make one.
        is_ranked: It describes the model or its configuration, so the rows of a group are ranked by it.
            Latencies are not: they are results beside the joules.
    """

    name: str
    unit: str
    source: str
    formula: str
    meaning: str
    label: str = ""
    is_ranked: bool = True

    @property
    def axis_label(self) -> str:
        """What an axis of its values is called.

        >>> METRICS["macs_param"].axis_label, METRICS["ttft_p50_s"].axis_label
        ('MACs per parameter', 'ttft p50 (s)')
        """
        words = self.name.removesuffix(f"_{self.unit}").replace("_", " ")
        return self.label or (words if self.unit == "1" else f"{words} ({self.unit})")


_METRICS = (
    Metric(
        name="energy_per_sample",
        unit="J",
        source=_BOTH_SOURCE,
        formula="energy / samples",
        meaning="mean energy of one sample: an image, or a request",
        label="energy per sample (J)",
    ),
    Metric(
        name="parameters",
        unit="1",
        source=_BOTH_SOURCE,
        formula="parameters",
        meaning="size of the model: trainable parameters of a discriminative one, all of a generative one",
    ),
    Metric(
        name="macs",
        unit="1",
        source=_OURS,
        formula="MACs of one sample",
        meaning="multiply-accumulates of a forward pass: does it rank models as well as macs_param?",
        label="MACs per sample",
    ),
    Metric(
        name="macs_param",
        unit="1",
        source=_DISCRIMINATIVE_SOURCE,
        formula="MACs of one sample / parameters",
        meaning="how often each parameter is used for one sample",
        label="MACs per parameter",
    ),
    Metric(
        name="work_done",
        unit="1/s",
        source=_DISCRIMINATIVE_SOURCE,
        formula="parameters / duration of a round",
        meaning="parameters processed per second, as in the authors' notebook",
        label="work done (parameters/s)",
    ),
    Metric(
        name="overall_efficiency",
        unit="1/s",
        source=_DISCRIMINATIVE_SOURCE,
        formula="accuracy x work_done / mean of CPU and GPU utilisation",
        meaning="accuracy and throughput, over the share of the system in use",
    ),
    Metric(
        name="work_per_unit_power",
        unit="1/(s W)",
        source=_DISCRIMINATIVE_SOURCE,
        formula="work_done / mean power",
        meaning="throughput per watt",
        label="work done per watt (parameters/J)",
    ),
    Metric(
        name="energy_scaling_factor",
        unit="W",
        source=_DISCRIMINATIVE_SOURCE,
        formula="total power / parameters",
        meaning="power per parameter, all channels",
        label="energy scaling factor (W/parameter)",
    ),
    Metric(
        name="gpu_energy_scaling_factor",
        unit="W",
        source=_DISCRIMINATIVE_SOURCE,
        formula="GPU power / parameters",
        meaning="power per parameter, GPU alone",
        label="GPU energy scaling factor (W/parameter)",
    ),
    Metric(
        name="model_size_to_ram",
        unit="1",
        source=_BOTH_SOURCE,
        formula="model size / memory",
        meaning="share of the main memory in use (discriminative), or of all GPU memory (generative)",
        label="model size / memory",
    ),
    Metric(
        name="samples_per_s",
        unit="1/s",
        source=_OURS,
        formula="samples / duration of a round",
        meaning="throughput in samples",
        label="samples per second",
    ),
    Metric(
        name="flops",
        unit="1",
        source=_GENERATIVE_SOURCE,
        formula="2 x MACs of one request",
        meaning="floating-point operations of the forward pass of one request",
        label="FLOPs per request",
    ),
    Metric(
        name="request_rate",
        unit="1/s",
        source=_GENERATIVE_SOURCE,
        formula="requests / duration",
        meaning="requests per second",
        label="request rate (requests/s)",
    ),
    Metric(
        name="cache_hit_rate",
        unit="1",
        source=_GENERATIVE_SOURCE,
        formula="cached prompt tokens / prompt tokens",
        meaning="share of prompt tokens served from the prefix cache",
    ),
    Metric(
        name="average_output_token_length",
        unit="1",
        source=_GENERATIVE_SOURCE,
        formula="output tokens / requests",
        meaning="mean length of an answer in tokens",
        label="mean output length (tokens)",
    ),
)

_unranked = partial(Metric, is_ranked=False)

_LATENCIES = {
    "ttft": ("time to first token", "first token - sent"),
    "tpot": ("time per output token", "(latency - TTFT) / (output tokens - 1)"),
    "itl": ("inter-token latency", "time between successive tokens"),
    "e2e": ("end-to-end latency", "last token - sent"),
}
_TIMES = (
    *(
        _unranked(
            name=f"{name}_p{percentile}_s",
            unit="s",
            source="vLLM, `vllm bench serve`",
            formula=formula,
            meaning=f"{meaning}, percentile {percentile} of the requests",
        )
        for name, (meaning, formula) in _LATENCIES.items()
        for percentile in (50, 90, 99)
    ),
    *(
        _unranked(
            name=name,
            unit="s",
            source=_OURS,
            formula=f"{which} time from a request's schedule to its sending",
            meaning="how closely the load followed its schedule",
        )
        for name, which in (
            ("lateness_p50_s", "median"),
            ("lateness_p99_s", "percentile 99 of the"),
            ("lateness_s", "longest"),
        )
    ),
    _unranked(
        name="achieved_rate",
        unit="1/s",
        source=_OURS,
        formula="answers / time from the first request to the last token",
        meaning="answers per second; below request_rate because of the tail, or of saturation",
    ),
    _unranked(
        name="output_token_rate",
        unit="1/s",
        source="vLLM, `vllm bench serve`",
        formula="output tokens / time from the first request to the last token",
        meaning="output tokens per second",
    ),
    _unranked(
        name="goodput",
        unit="1/s",
        source="vLLM, `vllm bench serve --goodput`",
        formula="answers within all limits of latency / time of the load",
        meaning="answers per second that keep the limits",
    ),
    _unranked(
        name="slo_share",
        unit="1",
        source=_OURS,
        formula="answers within all limits of latency / answers",
        meaning="share of answers that keep the limits",
    ),
    _unranked(
        name="queue_depth",
        unit="1",
        source="vLLM, `vllm:num_requests_waiting`",
        formula="largest number of requests waiting in the engine",
        meaning="sampled about once per second",
    ),
)

_OF_SERVING = tuple(
    _unranked(name=name, unit=unit, source=source, formula=formula, meaning=meaning)
    for name, unit, source, formula, meaning in (*DRAFT_ROWS, *PAIR_ROWS)
)
_OF_PHASES = tuple(
    _unranked(name=name, unit=unit, source=PHASE_SOURCE, formula=formula, meaning=meaning)
    for name, unit, formula, meaning in PHASE_ROWS
)

_PER_TOKEN = tuple(
    _unranked(name=name, unit="J", source=_OURS, formula=formula, meaning=meaning)
    for name, formula, meaning in (
        ("energy_per_output_token", "joules of a round / output tokens", "energy per output token"),
        (
            "energy_per_token",
            "joules of a round / prompt and output tokens",
            "energy per token, prompt included",
        ),
        ("net_energy_per_output_token", "net joules / output tokens", "the same, above idle power"),
        ("net_energy_per_token", "net joules / prompt and output tokens", "the same, above idle power"),
        ("net_energy_per_sample", "net joules / requests", "energy per request, above idle power"),
    )
)

_PER_PHASE_TOKEN = (
    *(
        Metric(name=name, unit="J", source=PHASE_SOURCE, formula=formula, meaning=meaning, label=label)
        for name, formula, meaning, label in (
            (
                "energy_per_prefill_token",
                "prefill_energy / prompt tokens computed",
                "joules to compute a prompt token that no cache had, above power at rest",
                "energy per prefill token (J)",
            ),
            (
                "energy_per_decode_token",
                "decode_energy / output tokens but the first of each answer",
                "joules to decode a token, above power at rest",
                "energy per decode token (J)",
            ),
        )
    ),
)

_OF_TRAININGS = (
    _unranked(
        name="evaluation_energy",
        unit="J",
        source=_OURS,
        formula="joules of the evaluations of a training, mean",
        meaning="energy of evaluating beside a training to an accuracy",
    ),
)

_LAYER_TYPES = (
    "convolution",
    "linear",
    "normalisation",
    "activation",
    "pooling",
    "attention",
    "embedding",
    "other",
    "between",
)
_LAYER_FIGURES = {
    "energy_j": ("J", "joules of these layers per forward pass, replayed alone"),
    "uncertainty_j": ("J", "standard uncertainty of these joules"),
    "duration_s": ("s", "seconds of these layers per forward pass, replayed alone"),
}
_LAYERS = (
    *(
        _unranked(
            name=f"layer_{layer_type}_{figure}",
            unit=unit,
            source=_OURS,
            formula="mean over rounds / passes in a round",
            meaning=meaning,
        )
        for layer_type in _LAYER_TYPES
        for figure, (unit, meaning) in _LAYER_FIGURES.items()
    ),
    *(
        _unranked(name=name, unit="1", source=_OURS, formula=formula, meaning=meaning)
        for name, formula, meaning in (
            (
                "layers_explained_share",
                "sum over types / whole pass",
                "share of the joules that the replayed layers explain",
            ),
            ("layers_explained_share_uncertainty", "standard uncertainty", "of the share of joules"),
            (
                "layers_explained_active_share",
                "sum over types / whole pass",
                "share of the joules above ready power",
            ),
            (
                "layers_explained_time_share",
                "sum over types / whole pass",
                "share of the seconds",
            ),
            (
                "layers_unexplained_macs_share",
                "MACs outside layers / MACs",
                "share of the MACs outside all layer types",
            ),
        )
    ),
)

_OPERATORS = tuple(
    _unranked(name=name, unit="1", source=_OURS, formula=formula, meaning=meaning)
    for name, formula, meaning in (
        (
            "operators_explained_share",
            "sum over operators / whole",
            "share of the active joules that the replayed operators explain",
        ),
        ("operators_explained_share_uncertainty", "standard uncertainty", "of the share of active joules"),
        ("operators_explained_time_share", "sum over operators / whole", "share of the seconds"),
        ("operators_forward_share", "sum over operators / whole", "share of active joules, forward pass"),
        ("operators_backward_share", "sum over operators / whole", "share of active joules, backward pass"),
        ("operators_optimiser_share", "sum over operators / whole", "share of active joules, optimiser"),
    )
)

_SWEEP = tuple(
    _unranked(name=name, unit=unit, source=_OURS, formula=formula, meaning=meaning)
    for name, unit, formula, meaning in (
        ("sweep_excess", "1", "default / best", "joules per sample of the default over those of the best"),
        ("sweep_excess_lower", "1", "largest lower bound", "lower end of its 95 % interval"),
        ("sweep_excess_upper", "1", "largest upper bound", "upper end of its 95 % interval"),
        ("sweep_most_excess", "1", "as the test sets it", "share above the best that is allowed"),
        ("sweep_most_latency_s", "s", "as the test sets it", "limit of the seconds of a call"),
    )
)

_OF_PARTS = ("layer_", "operator_", "energy_to_", "epochs_to_", "sweep_at_")
"""How metrics of one part of the work begin: as many names as there are operators."""

_COUNTERS = tuple(
    _unranked(
        name=name,
        unit="1",
        source=_OURS,
        formula=f"MACs of one sample by {counter}",
        meaning="shown if the two ways to count differ by more than 20 %",
    )
    for name, counter in (("macs_flop_counter", "torch's flop counter"), ("macs_thop", "thop"))
)

METRICS: Mapping[str, Metric] = {
    metric.name: metric
    for metric in (
        *(*_METRICS, *_COUNTERS, *_TIMES, *_OF_SERVING, *_PER_TOKEN, *_PER_PHASE_TOKEN, *_OF_PHASES),
        *_OF_TRAININGS,
        *(*_LAYERS, *_OPERATORS, *_SWEEP),
    )
}


_OTHER_LABELS = {
    "batch_size": "batch size",
    "energy_per_sample_j": "energy per sample (J)",
}  # of what no formula gives


def axis_label(name: str) -> str:
    """What an axis of the metric *name* is called: in words where this table has it, else as it was given.

    >>> axis_label("batch_size"), axis_label("our_score")
    ('batch size', 'our_score')
    """
    known = METRICS.get(name)
    return known.axis_label if known is not None else _OTHER_LABELS.get(name, name)


def is_ranked(name: str) -> bool:
    """Whether the rows of a group have a column of the metric *name*, and are ranked by it."""
    return METRICS[name].is_ranked if name in METRICS else not name.startswith(_OF_PARTS)
