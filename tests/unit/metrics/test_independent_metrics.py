"""The paper's metrics, recomputed from the kept runs by code that shares nothing with the product's.

No module of `pytest_energy` is imported here. Joules, seconds, utilisation and memory are those of the rounds
in the JSON; parameters, bytes and MACs are counted on the networks, or on a Llama's shape by hand.
"""

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from statistics import fmean
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("torchvision")

from torch.utils._python_dispatch import TorchDispatchMode  # noqa: E402

from benchmarks.cnn.models import ARCHITECTURES  # noqa: E402

RESULTS = Path(__file__).parents[3] / "docs" / "results"
CLOSE = 1e-9  # relative: what the order of additions leaves

DISCRIMINATIVE = (
    *("energy_per_sample", "parameters", "macs_param", "work_done", "overall_efficiency"),
    *("work_per_unit_power", "energy_scaling_factor", "gpu_energy_scaling_factor", "model_size_to_ram"),
)
GENERATIVE = (
    *("energy_per_sample", "flops", "model_size_to_ram", "parameters", "request_rate"),
    *("cache_hit_rate", "average_output_token_length"),
)


def kept_tests() -> Iterator[tuple[str, dict[str, Any]]]:
    """Each test of a kept run that has metrics of a model, with the name of its file."""
    for path in sorted(RESULTS.rglob("*.json*")):
        lines = path.read_text(encoding="utf-8").splitlines() if path.suffix == ".jsonl" else None
        document = None if lines is not None else json.loads(path.read_text(encoding="utf-8"))
        tests = [json.loads(line) for line in lines] if lines is not None else _tests(document)
        top = {} if document is None else {"machine": document.get("machine")} if tests else {}
        for test in tests:
            if test.get("model") and "parameters" in (test.get("metrics") or {}):
                yield str(path.relative_to(RESULTS)), {**top, **test}


def _tests(document: object) -> list[dict[str, Any]]:
    tests = document.get("tests") if isinstance(document, dict) and "format" in document else None
    return tests if isinstance(tests, list) else []


# ---- what the rounds hold ----


@dataclass(frozen=True)
class Rounds:
    """Means over the rounds that have joules."""

    energy_j: float
    duration_s: float
    gpu_j: float | None
    cpu_share: float | None
    gpu_share: float | None
    ram_bytes: float | None

    @classmethod
    def of(cls, test: Mapping[str, Any]) -> "Rounds | None":
        if test.get("void_because") or test.get("unmeasured_because"):
            return None
        rounds = [one for one in test["rounds"] if one["void_because"] is None and one["channels"]]
        if not rounds:
            return None
        gpu_j = [sum(j for name, j in one["channels"].items() if name.startswith("gpu:")) for one in rounds]
        has_gpu = any(name.startswith("gpu:") for name in rounds[0]["channels"])
        return cls(
            energy_j=fmean(sum(one["channels"].values()) for one in rounds),
            duration_s=fmean(one["duration_s"] for one in rounds),
            gpu_j=fmean(gpu_j) if has_gpu else None,
            cpu_share=_usage(test["rounds"], "cpu_utilisation_share"),
            gpu_share=_usage(test["rounds"], "gpu_utilisation_share"),
            ram_bytes=_usage(test["rounds"], "ram_used_bytes"),
        )


def _usage(rounds: list[dict[str, Any]], name: str) -> float | None:
    values = [(one.get("usage") or {}).get(name) for one in rounds]
    known = [value for value in values if value is not None]
    return fmean(known) if len(known) == len(values) else None


# ---- what the networks hold ----


class Products(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Multiply-accumulates of convolutions, matrix products and attention, by the shapes of their inputs."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.macs = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        name = func.__name__.partition(".")[0]
        if name == "convolution":
            image, weight = args[0], args[1]
            self.macs += image.shape[0] * math.prod(out.shape[2:]) * weight.numel()
        elif name == "mm":
            self.macs += math.prod(out.shape) * args[0].shape[-1]
        elif name == "addmm":
            self.macs += math.prod(out.shape) * args[1].shape[-1]
        elif name in {"bmm", "baddbmm"}:
            self.macs += math.prod(out.shape) * args[name == "baddbmm"].shape[-1]
        elif "scaled_dot_product" in name:
            query, key, value = args[:3]
            scores = math.prod(query.shape[:-1]) * key.shape[-2]
            self.macs += scores * (query.shape[-1] + value.shape[-1])
        return out


@dataclass(frozen=True)
class Network:
    parameters: int
    size_bytes: int
    macs: int


@lru_cache
def network(name: str) -> Network:
    module = ARCHITECTURES[name]().eval().to("meta")  # shapes without values
    shape, kind = ((1, 64), torch.int64) if name == "bert_small" else ((1, 3, 32, 32), torch.float32)
    sample = torch.zeros(shape, dtype=kind, device="meta")
    tensors = [*module.parameters(), *module.buffers()]
    with Products() as products:  # with gradients: without them a transformer is one product of no shape
        module(sample)
    return Network(
        parameters=sum(one.numel() for one in module.parameters() if one.requires_grad),
        size_bytes=sum(one.numel() * one.element_size() for one in tensors),
        macs=products.macs,
    )


EPOCH_RUNS = ("h100-cnn.json", "h100-authors.json")
EPOCH_SAMPLES = 50_000
SCALED = {"work_done", "overall_efficiency", "work_per_unit_power"}
"""Of runs whose rounds differ in their images, for an epoch of CIFAR-10."""


def discriminative(test: Mapping[str, Any]) -> dict[str, float | None]:
    """The nine metrics, `None` where a value that they need is missing."""
    rounds, net = Rounds.of(test), network(test["model"].partition("@")[0])
    metrics: dict[str, float | None] = dict.fromkeys(DISCRIMINATIVE)
    metrics |= {"parameters": net.parameters, "macs_param": net.macs / net.parameters}
    if rounds is None:
        return metrics
    work = net.parameters / rounds.duration_s
    watts = rounds.energy_j / rounds.duration_s
    metrics |= {
        "energy_per_sample": rounds.energy_j / test["samples"],
        "work_done": work,
        "work_per_unit_power": work / watts,
        "energy_scaling_factor": watts / net.parameters,
    }
    if rounds.gpu_j is not None:
        metrics["gpu_energy_scaling_factor"] = rounds.gpu_j / rounds.duration_s / net.parameters
    if rounds.ram_bytes is not None:
        metrics["model_size_to_ram"] = net.size_bytes / rounds.ram_bytes
    accuracy = test["metrics"].get("accuracy")
    if accuracy is not None and rounds.cpu_share is not None and rounds.gpu_share is not None:
        metrics["overall_efficiency"] = accuracy * work * 2 / (rounds.cpu_share + rounds.gpu_share)
    return metrics


# ---- what the Llamas hold ----

# hidden, feed-forward, layers, heads, heads of keys and values, vocabulary, whether the head is the embedding
SHAPES = {
    "1M": (128, 344, 3, 4, 2, 2048, False),
    "4M": (256, 688, 4, 4, 2, 2048, False),
    "12M": (384, 1152, 6, 6, 2, 2048, False),
    "0.1B": (768, 2048, 16, 12, 4, 2048, False),
    "0.5B": (1280, 3456, 28, 20, 4, 2048, False),
    "1B": (2048, 8192, 16, 32, 8, 16_384, True),
    "3B": (3072, 8192, 28, 24, 8, 128_256, True),
    "8B": (4096, 14336, 32, 32, 8, 128_256, False),
}
OLD_1B = (2048, 8192, 16, 32, 8, 2048, False)  # of the first run: untied, with fewer tokens
VRAM = {"H100": 85_017_493_504, "H200": 150_109_880_320}  # bytes, as the driver gives them
PAGE = 16  # tokens that the cache holds or lacks together


@dataclass(frozen=True)
class Llama:
    hidden: int
    feed_forward: int
    layers: int
    heads: int
    key_value_heads: int
    vocabulary: int
    is_tied: bool

    @property
    def block(self) -> int:
        """Weights of one block, without its norms."""
        head = self.hidden // self.heads
        attention = 2 * self.hidden**2 + 2 * self.hidden * self.key_value_heads * head
        return attention + 3 * self.hidden * self.feed_forward

    @property
    def words(self) -> int:
        """Weights of embedding and head."""
        return self.vocabulary * self.hidden * (1 if self.is_tied else 2)

    @property
    def parameters(self) -> int:
        return self.block * self.layers + (2 * self.layers + 1) * self.hidden + self.words

    def macs(self, prompt: int, answer: int) -> int:
        """Each token but the last meets every block and the tokens before it; the head makes the answer."""
        tokens = prompt + answer - 1
        pairs = sum(range(1, tokens + 1))
        return (
            tokens * self.layers * self.block
            + answer * self.vocabulary * self.hidden
            + 2 * self.layers * self.hidden * pairs
        )

    @property
    def bf16_bytes(self) -> int:
        """Under transformers: two bytes a weight, and the frequencies of positions."""
        return 2 * self.parameters + 4 * (self.hidden // self.heads // 2)

    def fp8_bytes(self, cards: int, positions: int = 384) -> int:
        """Under vLLM: a byte a weight of a block, two of words, norms and positions, four a scale.

        Several cards share blocks and words; each has the rest.
        """
        norms = (2 * self.layers + 1) * self.hidden
        scales = 4 * self.layers * (4 + 4)  # of four products, and of query, key, value and scores
        on_each = 2 * (norms + positions * (self.hidden // self.heads)) + scales
        return self.block * self.layers + 2 * self.words + cards * on_each


def llama(test: Mapping[str, Any]) -> Llama:
    name = test["model"].partition("@")[0]
    is_old = name == "1B" and not test.get("work")
    return Llama(*(OLD_1B if is_old else SHAPES[name]))


def answers(test: Mapping[str, Any]) -> list[int]:
    """Tokens of each answer of a round: all of one length, or the quantiles of the pooled design."""
    count, written = test["samples"], test["metrics"]["average_output_token_length"] * test["samples"]
    if not str((test.get("work") or {}).get("output_tokens", "")).count("lengths"):
        return [round(written / count)] * count
    designs = (
        [
            math.ceil(min(2.0 * scale, max(1.0, -scale * math.log(1 - (place + 0.5) / count))))
            for place in range(count)
        ]
        for scale in (16, 32, 128)
    )
    return next(one for one in designs if sum(one) == round(written))


def generative(test: Mapping[str, Any]) -> dict[str, float | None]:
    """Six of the seven metrics; the hits of the cache are counted in the engine alone."""
    rounds, shape, work = Rounds.of(test), llama(test), test.get("work") or {}
    lengths = answers(test)
    prompt = int(work["prompt_tokens"]) // test["samples"] if work else 128
    metrics: dict[str, float | None] = {
        "energy_per_sample": None if rounds is None else rounds.energy_j / test["samples"],
        "parameters": shape.parameters,
        "flops": 2 * round(sum(shape.macs(prompt, answer) for answer in lengths) / len(lengths)),
        "request_rate": float(test["model"].partition("@")[2].removesuffix("/s")),
        "average_output_token_length": sum(lengths) / len(lengths),
        "model_size_to_ram": None,
    }
    fixed = test["machine"]["fixed"]
    card, cards = next((name for name in VRAM if name in fixed.get("gpu_model", "")), None), 1
    if card is not None:
        cards = int(fixed["gpu_count"])
        size = shape.fp8_bytes(cards) if work.get("quantisation") == "fp8" else shape.bf16_bytes
        metrics["model_size_to_ram"] = size / (cards * VRAM[card])
    return metrics


# ---- compared ----


def recomputed(name: str, test: dict[str, Any]) -> dict[str, float | None]:
    metrics = (generative if test["metrics"].get("request_rate") is not None else discriminative)(test)
    if name in EPOCH_RUNS:
        share = test["samples"] / EPOCH_SAMPLES
        metrics |= {one: value * share for one in SCALED if (value := metrics[one]) is not None}
    return metrics


def is_kept_session(name: str, test: Mapping[str, Any]) -> bool:
    """A session of requests or of networks, as one process measured it in one batch of rounds.

    A document of `ab` has the rounds of several processes. A test that was confirmed has the means of the
    metrics of two batches, each with an accuracy of its own.
    """
    has_model = "work_done" in test["metrics"] or test["metrics"].get("request_rate") is not None
    is_plain = "-ab-" not in name and not test.get("confirming_count")
    return has_model and is_plain and test["group"] != "layers"


KEPT = [(name, test) for name, test in kept_tests() if is_kept_session(name, test)]


@pytest.mark.parametrize("name", sorted({name for name, _ in KEPT}))
def test_no_metric_is_off(name: str) -> None:
    """Each metric of each test of a kept run, present or absent, to nine digits."""
    tests = [test for one, test in KEPT if one == name]
    off = {
        (test["id"], metric): (value, test["metrics"].get(metric))
        for test in tests
        for metric, value in recomputed(name, test).items()
        if not _is_equal(value, test["metrics"].get(metric))
    }
    assert not off


def _is_equal(mine: float | None, kept: float | None) -> bool:
    return mine == kept if mine is None or kept is None else math.isclose(mine, kept, rel_tol=CLOSE)


def test_all_metrics_but_one_are_compared_often() -> None:
    """The nine of networks and six of requests; 4,000 comparisons of values or more."""
    counts: dict[str, int] = {}
    for name, test in KEPT:
        kind = "requests" if test["metrics"].get("request_rate") is not None else "networks"
        for metric, value in recomputed(name, test).items():
            if value is not None:
                counts[f"{kind}.{metric}"] = counts.get(f"{kind}.{metric}", 0) + 1
    expected = {f"networks.{one}" for one in DISCRIMINATIVE}
    expected |= {f"requests.{one}" for one in GENERATIVE if one != "cache_hit_rate"}
    assert counts.keys() == expected
    assert min(counts.values()) >= 30
    assert sum(counts.values()) >= 3_000


def test_hits_of_the_cache_are_whole_pages() -> None:
    """The engine alone counts hits: as a share of all prompt tokens of a run they are whole pages of 16."""
    found = 0
    for _, test in KEPT:
        hits = test["metrics"].get("cache_hit_rate")
        work = test.get("work") or {}
        if hits is None or "prompt_tokens" not in work:
            continue
        pages = hits * int(work["prompt_tokens"]) * len(test["rounds"]) / PAGE
        assert pages == pytest.approx(round(pages), abs=1e-6)
        found += 1
    assert found >= 30
