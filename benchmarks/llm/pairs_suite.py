"""Two settings of one model side by side on one card; `benchmarks.llm.pairs` runs this and says what."""

import json
import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from benchmarks.llm.cores import apart
from benchmarks.llm.models import SIZES
from benchmarks.llm.weights import Form
from pytest_energy.serving import PairResult, Slo, random_tokens
from pytest_energy.serving.engines.vllm_engine import VllmEngine

if TYPE_CHECKING:
    from pytest_energy.plugin.fixture import Energy

VARIABLE = "BENCH_PAIRS"
REFERENCE = "bf16"
ROUNDS = 4  # A B, B A, B A, A B: a drift that grows evenly cancels


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """What differs from the reference: bfloat16, prefix cache on, chunked prefill, no speculation."""

    form: Form = "bf16"
    quantization: str | None = None
    has_prefix_cache: bool = True
    extra: Mapping[str, object] = field(default_factory=dict)


_NGRAM = {"method": "ngram", "num_speculative_tokens": 4, "prompt_lookup_max": 4, "prompt_lookup_min": 2}

CANDIDATES: Mapping[str, Candidate] = {
    "fp8": Candidate(quantization="fp8"),
    "ngram": Candidate(extra={"speculative_config": _NGRAM}),
    "same": Candidate(),
    "int8": Candidate(form="int8"),
    "int4": Candidate(form="int4"),
    "no-prefix-cache": Candidate(has_prefix_cache=False),
    "steps-256": Candidate(extra={"max_num_batched_tokens": 256}),
    "whole-prompts": Candidate(extra={"enable_chunked_prefill": False, "max_num_batched_tokens": 4096}),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is run.

    Attributes:
        size: One of `benchmarks.llm.models.SIZES`.
        pairs: Names out of `CANDIDATES`.
        weights: Folder with a folder for each form of the weights.
        rows: File that gets the result of each pair as it ends.
        is_eager: Nothing is compiled; for a CPU.
        rate: Requests per second.
        duration_s: Of one load.
        prompt_tokens: Of each prompt; half of them are the same in all.
        output_tokens: Of each answer.
        max_batch: Requests decoded together.
        share: Of the card's memory, for each engine; `None` on a CPU.
        cores: Physical cores of each of vLLM's processes; 0 leaves them where they are.
        slo: Limits of latency.
        deadline_s: On the clock of `time.time`: no pair is begun that would end after it.
    """

    size: str
    pairs: tuple[str, ...]
    weights: str
    rows: str
    is_eager: bool
    rate: float
    duration_s: float
    prompt_tokens: int
    output_tokens: int
    max_batch: int
    share: float | None
    cores: int
    slo: Mapping[str, float]
    deadline_s: float

    @classmethod
    def given(cls) -> "Plan":
        """The plan in the environment."""
        values = json.loads(os.environ[VARIABLE])
        return cls(**values | {"pairs": tuple(values["pairs"])})

    def engine(self, candidate: Candidate) -> VllmEngine:
        return VllmEngine(
            Path(self.weights) / candidate.form,
            name=f"llama-{self.size}",
            quantization=candidate.quantization,
            has_prefix_cache=candidate.has_prefix_cache,
            max_model_len=self.prompt_tokens + self.output_tokens,
            max_batch=self.max_batch,
            gpu_memory_share=self.share,
            enforce_eager=self.is_eager,
            extra=candidate.extra,
        )


def save(plan: Plan, row: Mapping[str, Any]) -> None:
    """Add *row* to the file: what a run that is cut has done is there."""
    path = Path(plan.rows)
    rows = json.loads(path.read_text()) if path.exists() else []
    path.write_text(json.dumps([*rows, row], indent=1))


def row_of(plan: Plan, name: str, result: PairResult, load_s: float) -> dict[str, Any]:
    sides = {}
    for side, setting in (("reference", result.reference), ("candidate", result.candidate)):
        load = setting.load
        sides[side] = {
            "name": setting.name,
            "energy_per_request_j": setting.energy_j,
            "p99_s": {
                time: times.p99_s for time in ("ttft", "tpot", "e2e") if (times := getattr(load, time))
            },
            "slo_share": load.kept_count(Slo(**plan.slo)) / len(load.served),
            "cache": None if load.cache is None else asdict(load.cache),
            "drafts": None if load.drafts is None else asdict(load.drafts),
            "answers": [answer.token_ids for answer in setting.answers],
        }
    return {
        "pair": name,
        "size": plan.size,
        "provenance": result.provenance,
        "ratio": None if result.ratio is None else asdict(result.ratio),
        "agreement": None if result.agreement is None else asdict(result.agreement),
        "ceiling": None if result.ceiling is None else asdict(result.ceiling),
        "absent": dict(result.absent),
        "load_s": load_s,
        **sides,
    }


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "pair" in metafunc.fixturenames:
        metafunc.parametrize("pair", Plan.given().pairs)


@pytest.fixture(scope="session")
def plan() -> Plan:
    return Plan.given()


@pytest.fixture(scope="session")
def reference(plan: Plan) -> Iterator[VllmEngine]:
    with plan.engine(Candidate()) as engine:
        yield engine


@pytest.fixture(scope="session")
def seconds_of_a_pair() -> list[float]:
    """How long those so far took, loading included."""
    return []


@pytest.mark.energy(group="idle", rounds=3, warmup=1)
def test_one_engine_idle(energy: "Energy", reference: VllmEngine) -> None:
    """What the card draws with one engine in memory and no request."""
    assert reference.facts.parameters
    energy.measure(lambda: time.sleep(2.0))


@pytest.mark.energy(group="pairs", rounds=ROUNDS, warmup=1, max_time=90)
def test_pair(
    energy: "Energy", plan: Plan, reference: VllmEngine, pair: str, seconds_of_a_pair: list[float]
) -> None:
    """One load, in turns, to the reference and to what differs in one setting."""
    left_s = plan.deadline_s - time.time()
    if left_s < max(seconds_of_a_pair, default=0.0):
        save(plan, {"pair": pair, "not_run": f"{left_s:.0f} s were left"})
        pytest.skip(f"{left_s:.0f} s are left")
    began_s = time.time()
    try:
        candidate = plan.engine(CANDIDATES[pair])
    except Exception as error:
        save(plan, {"pair": pair, "not_run": str(error)})
        raise
    load_s = time.time() - began_s
    pids = (*reference.worker_pids(), *candidate.worker_pids())
    with candidate, apart(pids, plan.cores * len(pids)):
        result = energy.compare(
            {REFERENCE: reference, pair: candidate},
            lambda index: random_tokens(
                round(plan.rate * plan.duration_s),
                plan.prompt_tokens,
                vocabulary=SIZES[plan.size].vocabulary,
                seed=pair,
                shared_prefix_share=0.5,
                round_index=index,
            ),
            rate=plan.rate,
            output_tokens=plan.output_tokens,
            slo=Slo(**plan.slo),
        )
        save(plan, row_of(plan, pair, result, load_s))
    seconds_of_a_pair.append(time.time() - began_s)
