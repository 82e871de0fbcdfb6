"""One load through one policy, on a clock that only sleeping advances."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from pytest_energy.errors import EnergyError
from pytest_energy.serving.policies import ChangingLoad, FixedBatch
from pytest_energy.serving.policies.serve import PolicyRun, serve_load
from tests.fakes.meter import VirtualClock


@dataclass
class Server:
    """Echoes each item after *batch_s*."""

    clock: VirtualClock
    batch_s: float
    batches: list[list[object]] = field(default_factory=list)

    def __call__(self, items: Sequence[object]) -> list[object]:
        self.batches.append([*items])
        self.clock.sleep_s(self.batch_s)
        return [*items]


def served(*, size: int, batch_s: float, timeout_s: float = 0.0, rate: float = 10.0) -> PolicyRun:
    clock = VirtualClock()
    policy = FixedBatch(answer=Server(clock, batch_s), size=size, timeout_s=timeout_s)
    load = ChangingLoad(items=["a", "b", "c"], stages=[(rate, 1.0), (0, 1.0)])
    return serve_load("one", policy, load, clock)


def test_a_fast_policy_answers_at_once_and_the_load_lasts_its_time() -> None:
    """Each latency is about that of one batch; the pause at the end is part of the load."""
    run = served(size=1, batch_s=0.001)
    assert run.answers == ("a", "b", "c", "a", "b", "c", "a", "b", "c", "a")
    assert min(run.latencies_s) >= 0.001 - 1e-9
    assert run.batch_sizes == (1,) * 10
    assert run.duration_s == pytest.approx(2.0)


def test_a_slow_policy_has_a_queue() -> None:
    """10 requests within 1 s at 0.5 s each: the last one is answered 4 s after it arrived, or later."""
    run = served(size=1, batch_s=0.5)
    assert run.latencies_s[-1] >= 4.0
    assert run.duration_s >= 5.0


def test_a_batch_takes_who_has_waited() -> None:
    """With a batch of at most 10, those who arrive during a batch are in the next one: fewer batches."""
    run = served(size=10, batch_s=0.5, timeout_s=0.0)
    assert sum(run.batch_sizes) == 10
    assert len(run.batch_sizes) <= 4
    assert max(run.batch_sizes) > 1


def test_no_request_waits_past_the_time_out() -> None:
    """A batch that never fills is taken after the time-out, within one look at the queue."""
    run = served(size=100, batch_s=0.0, timeout_s=0.3)
    assert 0.3 <= max(run.latencies_s) <= 0.302


@dataclass
class Wrong:
    size: Any = 1
    answers: Any = ()

    def batch(self, _waiting: int, _waited_s: float, /) -> Any:
        return self.size

    def serve(self, _items: Sequence[object], /) -> Any:
        return self.answers


@pytest.mark.parametrize(
    ("policy", "because"),
    [
        (Wrong(size=2), r"policy bad: batch\(\) returned 2 with 1 requests waiting"),
        (Wrong(size=-1), r"returned -1 with"),
        (Wrong(size=1.0), r"returned 1.0 with"),
        (Wrong(size=0), r"left 1 requests waiting for 30 s"),
        (Wrong(answers=["x", "y"]), r"serve\(\) returned 2 answers for 1 items"),
        (Wrong(answers=None), r"serve\(\) returned None answers for 1 items"),
    ],
)
def test_a_policy_that_breaks_its_promise_fails_the_test(policy: Wrong, because: str) -> None:
    """Which policy, which method, the value, and what it must be."""
    load = ChangingLoad(items=["a"], stages=[(1, 1.0)])
    with pytest.raises(EnergyError, match=because):
        serve_load("bad", policy, load, VirtualClock())
