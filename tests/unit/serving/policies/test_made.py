"""The policies that are ready to use."""

import pytest

from pytest_energy.errors import SettingsError
from pytest_energy.serving.policies import AdaptiveBatch, Cascade, FixedBatch, Policy
from tests.fakes.meter import VirtualClock


def test_both_are_policies() -> None:
    """They have what `energy.compare` asks for."""
    assert isinstance(FixedBatch(answer=list, size=1), Policy)
    assert isinstance(AdaptiveBatch(answer=list, most=1, limit_s=1.0), Policy)


def test_a_batch_of_nobody_is_refused() -> None:
    """The name of the limit is in the message."""
    with pytest.raises(SettingsError, match="size is 0"):
        FixedBatch(answer=list, size=0)
    with pytest.raises(SettingsError, match="most is 0"):
        AdaptiveBatch(answer=list, most=0, limit_s=1.0)


def test_an_adaptive_batch_waits_less_if_a_batch_takes_long() -> None:
    """With 0.6 s of 1 s for a batch requests wait for 0.2 s, half of what is left, in place of 0.5 s."""
    clock = VirtualClock()

    def slow(items: object) -> list[object]:
        clock.sleep_s(0.6)
        return [items]

    policy = AdaptiveBatch(answer=slow, most=9, limit_s=1.0, clock=clock)
    assert (policy.batch(2, 0.3), policy.batch(2, 0.5)) == (0, 2)
    policy.serve(["a"])
    assert (policy.batch(2, 0.1), policy.batch(2, 0.3)) == (0, 2)


def test_a_cascade_hands_on_only_what_is_unsure() -> None:
    """The large model gets the unsure items in one batch; their answers take their own places."""
    asked: list[list[object]] = []

    def large(items: object) -> list[object]:
        assert isinstance(items, list)
        asked.append(items)
        return [f"L{item}" for item in items]

    cascade = Cascade(
        small=lambda items: [(f"s{item}", 0.9 if item == "b" else 0.1) for item in items],
        large=large,
        least_confidence=0.5,
    )
    assert cascade(["a", "b", "c"]) == ["La", "sb", "Lc"]
    assert cascade(["b"]) == ["sb"]
    assert asked == [["a", "c"]]
    assert (cascade.item_count, cascade.handed_count) == (4, 2)
