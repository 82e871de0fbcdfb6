"""The loads of one policy in rounds: what its limits say, and what a record gets."""

from collections.abc import Sequence

import pytest

from pytest_energy.serving.policies import ChangingLoad, FixedBatch
from pytest_energy.serving.policies.work import PolicyWork
from pytest_energy.serving.slo import Slo
from tests.fakes.meter import VirtualClock

ITEMS = tuple(range(200))
LIMIT = Slo(e2e_s=0.1, least_share=0.9)


def work(
    *, wrong: int = 0, batch_s: float = 0.0, loss: float | None = 0.05, has_labels: bool = True
) -> PolicyWork:
    """A policy whose first *wrong* answers are wrong, after one round."""
    clock = VirtualClock()

    def answer(items: Sequence[object]) -> list[object]:
        clock.sleep_s(batch_s)
        return [-1 if isinstance(item, int) and item < wrong else item for item in items]

    load = ChangingLoad(
        items=ITEMS,
        stages=[(100, 2.0)],
        labels=ITEMS if has_labels else None,
        slo=LIMIT,
        accuracy_loss=loss if has_labels else None,
    )
    made = PolicyWork(name="one", policy=FixedBatch(answer=answer, size=1), load=load, clock=clock)
    made.run(0, None)
    return made


def beside(own: PolicyWork, reference: PolicyWork) -> PolicyWork:
    own.reference = reference
    return own


def test_equal_answers_in_time_are_compared() -> None:
    """No change of accuracy, whose interval is within the accepted loss though it isn't empty."""
    own = beside(work(), work())
    change = own.accuracy_change()
    assert change is not None
    assert change.value == 0
    assert -0.05 < change.lower < 0 < change.upper
    assert own.why_no_ratio(1) is None


def test_a_policy_that_answers_worse_is_not_compared() -> None:
    """20 of 200 wrong: -10 points; the reason has the change, its interval and what is accepted."""
    because = beside(work(wrong=20), work()).why_no_ratio(1)
    assert because is not None
    assert because.startswith("may not keep the accuracy: -10.00 points [-1")
    assert because.endswith("against the reference, 5 accepted")


def test_a_loss_that_can_not_be_excluded_is_not_accepted() -> None:
    """The whole interval decides: 1 of 200 wrong is within 5 points, 2.5 points may be more than 3."""
    assert beside(work(wrong=1), work()).why_no_ratio(1) is None
    because = beside(work(wrong=5, loss=0.03), work(loss=0.03)).why_no_ratio(1)
    assert because is not None
    assert "-2.50 points" in because


def test_without_a_limit_a_worse_answer_is_compared() -> None:
    """The change of accuracy is known, and nothing is refused because of it."""
    own = beside(work(wrong=20, loss=None), work(loss=None))
    change = own.accuracy_change()
    assert change is not None
    assert change.value == pytest.approx(-0.1)
    assert own.why_no_ratio(1) is None


def test_late_answers_are_named_before_accuracy() -> None:
    """A policy that can't keep up misses the limit: the share, what is wanted, and the 99th percentile."""
    own = beside(work(wrong=20, batch_s=0.05), work())
    because = own.why_no_ratio(1)
    assert because is not None
    assert because.startswith("did not keep the latency limit: ")
    missed = own.description(1).slo_missed_because
    assert missed is not None
    assert "of 200 answers were within the latency limits, 90 % wanted; e2e p99 " in missed


def test_metrics_have_reasons_where_they_are_missing() -> None:
    """Without labels there is no accuracy; the reason is beside each of its names."""
    found = work(has_labels=False).metrics(1, of="reference_")
    assert found.values["reference_quality"] is None
    assert "labels" in found.absent["reference_quality_lower"]
    assert found.values["reference_slo_share"] == 1.0
    assert found.values["reference_mean_batch_size"] == 1.0


def test_only_the_newest_rounds_count() -> None:
    """Latencies of a warm-up are in no figure; accuracy is that of the newest round."""
    own = work(wrong=20)
    own.run(1, None)
    assert len(own.latencies_s(1)) == 200
    assert len(own.latencies_s(2)) == 400
    found = own.accuracy()
    assert found is not None
    assert found.value == pytest.approx(0.9)


def test_the_load_makes_the_work_what_it_is() -> None:
    """Records of other rates, limits or seeds are not comparable."""
    assert dict(work().description(1).workload) == {
        "rates": "100/s for 2 s",
        "schedule_seed": "0",
        "latency_limit": "0.1 s",
        "accuracy_loss": "0.05",
    }
