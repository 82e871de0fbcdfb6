"""What of counts joules are predicted from."""

from dataclasses import replace

import pytest

from pytest_energy.counts import CountEntry, Counts, Kind
from pytest_energy.errors import Absent
from pytest_energy.prediction import features_of
from tests.fakes.networks import counts


def _features(entry: CountEntry, **settings: str) -> object:
    return features_of(Counts(source="s", entries=(entry,), digest="d", settings=settings))


def test_features_are_of_what_the_work_calls() -> None:
    """Operators, nodes, bytes and operations of the code; kernels and other inner things count nothing."""
    counted = counts(operators=3, nodes=2, size_bytes=10.0, backward_bytes=4.0, flops=20.0)
    assert features_of(counted) == {
        "backward bytes": 4.0,
        "backward nodes": 2,
        "bytes": 10.0,
        "calls": 5,
        "operators": 3,
        "tf32 flops": 20.0,
    }


def test_waits_and_copies_are_features() -> None:
    """Each wait counts, and each copied byte."""
    more = (
        CountEntry(kind=Kind.WAIT, name="aten::item", count=7),
        CountEntry(kind=Kind.COPY, name="host to device, pageable", count=2, size_bytes=64.0),
    )
    whole = replace(counts(), entries=counts().entries + more)
    features = features_of(whole)
    assert not isinstance(features, Absent)
    assert (features["waits"], features["copied bytes"]) == (7, 64.0)


@pytest.mark.parametrize(
    ("name", "dtype", "settings", "feature"),
    [
        ("aten::conv2d", "float32", {}, "tf32 flops"),
        ("aten::conv2d", "float32", {"TF32 in cuDNN": "off"}, "float32 flops"),
        ("ConvolutionBackward0", "float32", {}, "tf32 flops"),
        ("aten::mm", "float32", {}, "float32 flops"),
        ("aten::mm", "float32", {"float32 matmul precision": "high"}, "tf32 flops"),
        ("aten::mm", "float32", {"float32 matmul precision": "highest"}, "float32 flops"),
        ("aten::mm", "bfloat16", {}, "bfloat16 flops"),
        ("aten::mm", "", {}, "other flops"),
    ],
)
def test_products_count_at_the_rate_that_settings_allow(
    name: str, dtype: str, settings: dict[str, str], feature: str
) -> None:
    """Float32 products are TF32's where a card may run them so, as torch's own defaults have it."""
    features = _features(
        CountEntry(kind=Kind.OPERATOR, name=name, dtype=dtype, count=1, flops=5.0), **settings
    )
    assert isinstance(features, dict)
    assert features[feature] == 5.0


def test_counts_without_operators_predict_nothing() -> None:
    """Calls of Python functions say nothing of a card's joules: absent, with who counted."""
    features = _features(CountEntry(kind=Kind.FUNCTION, name="f", count=9))
    assert isinstance(features, Absent)
    assert features.because.startswith("s counted no operators")


@pytest.mark.parametrize(
    ("name", "feature"),
    [
        ("ConvolutionBackward0", "backward nodes"),
        ("torch::autograd::AccumulateGrad", "backward nodes"),
        ("aten::conv2d", "operators"),
        ("my_ops::attention_backward", "operators"),
    ],
)
def test_nodes_are_told_from_operators(name: str, feature: str) -> None:
    """What autograd calls costs the host less than what Python calls."""
    features = _features(CountEntry(kind=Kind.OPERATOR, name=name, count=3))
    assert isinstance(features, dict)
    assert features[feature] == 3
