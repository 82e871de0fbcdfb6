"""A load whose rate changes: when its requests arrive, and what is no load."""

import math
from typing import Any

import pytest

from pytest_energy.errors import SettingsError
from pytest_energy.serving.policies import ChangingLoad
from pytest_energy.serving.slo import Slo


def test_each_stage_has_its_requests_within_its_time() -> None:
    """Low, pause, burst: as many requests as rate times seconds, each within its own stage, in order."""
    load = ChangingLoad(items=["a"], stages=[(10, 1.0), (0, 0.5), (100, 0.5)])
    due_s = load.due_s
    assert len(due_s) == 60
    assert list(due_s) == sorted(due_s)
    assert sum(one <= 1.0 for one in due_s) == 10
    assert sum(1.5 <= one <= 2.0 for one in due_s) == 50
    assert load.duration_s == 2.0
    assert load.stages_text == "10/s for 1 s, 0/s for 0.5 s, 100/s for 0.5 s"


def test_the_seed_decides_when_they_arrive() -> None:
    """The same seed gives the same times, so that both policies have them; another seed gives others."""
    stages = [(10.0, 1.0)]
    first, again, other = (ChangingLoad(items=["a"], stages=stages, seed=seed).due_s for seed in (1, 1, 2))
    assert first == again != other


def test_items_and_labels_start_over() -> None:
    """The third request of two items asks the first item, and its label is the first one."""
    load = ChangingLoad(items=["a", "b"], stages=[(3, 1.0)], labels=["x", "y"])
    assert [load.is_right(position, "x") for position in range(3)] == [True, False, True]


@pytest.mark.parametrize(
    ("changes", "because"),
    [
        ({"stages": [(-1, 1.0)]}, "a stage of -1 requests per second"),
        ({"stages": [(math.inf, 1.0)]}, "a stage of inf requests per second"),
        ({"stages": [(1, 0.0)]}, "the time above 0"),
        ({"stages": [(0, 1.0)]}, "at least 1 request together"),
        ({"items": []}, "at least 1 item"),
        ({"labels": ["x", "y"]}, "2 labels for 1 items"),
        ({"slo": Slo(ttft_s=1.0)}, "an answer of a policy has no tokens"),
        ({"accuracy_loss": 0.01}, "accuracy_loss needs labels="),
        ({"accuracy_loss": 1.0, "labels": ["x"]}, "accuracy_loss is 1.0"),
    ],
)
def test_what_is_no_load_is_refused(changes: dict[str, Any], because: str) -> None:
    """The message has the value and the limit."""
    with pytest.raises(SettingsError, match=because):
        ChangingLoad(**{"items": ["a"], "stages": [(1, 1.0)], **changes})
