"""Policies in pairs; `benchmarks.policies` runs this and says what."""

import json
import os
import time
from dataclasses import asdict
from typing import TYPE_CHECKING

import pytest

from benchmarks.bounded_suite import keep_row
from benchmarks.policies.networks import CARD, TINY, Pair, Scale, trained
from pytest_energy import AdaptiveBatch, Cascade, ChangingLoad, FixedBatch, Policy, PolicyResult, Slo

if TYPE_CHECKING:
    from pytest_energy.plugin.fixture import Energy

VARIABLE = "BENCH_POLICIES"
ACCURACY_LOSS = 0.02


class Choice:
    """What is run: the device, and until when a further pair may begin."""

    def __init__(self) -> None:
        plan = json.loads(os.environ.get(VARIABLE, '{"device": "cpu"}'))
        self.device: str = plan["device"]
        self.scale: Scale = CARD if self.device == "cuda" else TINY
        self.rows: str | None = plan.get("rows")
        self.deadline_s: float = plan.get("deadline_s", float("inf"))


CHOICE = Choice()
ROUNDS = CHOICE.scale.rounds


@pytest.fixture(scope="module")
def pair() -> Pair:
    return trained(CHOICE.scale, CHOICE.device)


def _load(pair: Pair, burst: float, *, accuracy_loss: float | None) -> ChangingLoad:
    scale = CHOICE.scale
    return ChangingLoad(
        items=pair.items,
        labels=pair.labels,
        stages=[(scale.low, scale.stage_s), (burst, scale.stage_s), (scale.low, scale.stage_s)],
        slo=Slo(e2e_s=scale.limit_s, least_share=0.99),
        accuracy_loss=accuracy_loss,
    )


def _compare(energy: "Energy", policies: dict[str, Policy], load: ChangingLoad) -> PolicyResult:
    needed_s = 2 * (ROUNDS + 2) * load.duration_s
    if time.time() + needed_s > CHOICE.deadline_s:
        keep_row(CHOICE.rows, {"policies": [*policies], "not_run": "no time left"})
        pytest.skip("no time left")
    result = energy.compare(policies, load)
    keep_row(CHOICE.rows, {**asdict(result), "verdict": result.verdict, "stages": load.stages_text})
    return result


@pytest.mark.energy(group="policies", model="large", rounds=ROUNDS, warmup=1)
@pytest.mark.parametrize("name", ["one-by-one", "adaptive"])
def test_batch_size(energy: "Energy", pair: Pair, name: str) -> None:
    """A batch that follows the queue, and none, beside a batch of fixed size with a time-out."""
    scale, answer = CHOICE.scale, pair.answer_large
    fixed = FixedBatch(answer=answer, size=scale.fixed, timeout_s=scale.timeout_s)
    one = FixedBatch(answer=answer, size=1)
    adaptive = AdaptiveBatch(answer=answer, most=scale.most, limit_s=scale.limit_s)
    is_one = name == "one-by-one"
    candidate: Policy = one if is_one else adaptive
    burst = scale.one_burst if is_one else scale.burst
    result = _compare(
        energy, {f"fixed-{scale.fixed}": fixed, name: candidate}, _load(pair, burst, accuracy_loss=None)
    )
    if not is_one:
        assert result.candidate.mean_batch_size > 1


@pytest.mark.energy(group="policies", model="cascade", rounds=ROUNDS, warmup=1)
@pytest.mark.parametrize("name", ["small", "cascade"])
def test_model_choice(energy: "Energy", pair: Pair, name: str) -> None:
    """A small network alone, and one that hands on what it is not sure of, beside the large one."""
    scale = CHOICE.scale
    cascade = Cascade(
        small=pair.answer_small, large=pair.answer_large, least_confidence=pair.least_confidence
    )
    answer = pair.classes_small if name == "small" else cascade
    large, candidate = (
        FixedBatch(answer=serve, size=scale.fixed, timeout_s=scale.timeout_s)
        for serve in (pair.answer_large, answer)
    )
    _compare(energy, {"large": large, name: candidate}, _load(pair, scale.burst, accuracy_loss=ACCURACY_LOSS))
    if name == "cascade":
        handed = cascade.handed_count / cascade.item_count
        energy.record(handed_share=handed)
        keep_row(
            CHOICE.rows,
            {
                "cascade": {
                    "least_confidence": pair.least_confidence,
                    "handed_share": handed,
                    "calibrated": pair.calibrated,
                }
            },
        )
