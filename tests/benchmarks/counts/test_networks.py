"""Counts of the benchmarks' networks: what is traced, and what is said of traces that differ."""

from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.counts.networks import Plan, Work, all_models, differing, entries, entry_of
from pytest_energy.counts import CountEntry, Counts, Kind
from pytest_energy.errors import Absent
from pytest_energy.tracing.tracer import traced
from tests.fakes.networks import counts

PLAN = Plan(models=("lenet",), device="cpu", batch_size=4, trace_count=2)


def _with(entry: CountEntry) -> Counts:
    return replace(counts(), entries=(*counts().entries, entry))


def test_the_networks_of_every_profile_are_traced() -> None:
    """Each once: those of the paper, and those of the smaller profiles."""
    models = all_models()
    assert len(models) == len(set(models)) == 25
    assert {"lenet", "vgg16", "vgg19_authors", "bert_small", "squeezenet", "regnet_x_400mf"} <= {*models}


def test_each_network_is_traced_in_training_and_inference(tmp_path: Path) -> None:
    """As often as asked for, with features of operators; a training step has nodes of a backward pass."""
    works = list(entries(PLAN, lambda work: traced(work, folder=tmp_path, most_s=0.0)))
    assert [(one["model"], one["work"]) for one in works] == [("lenet", "training"), ("lenet", "inference")]
    training, inference = (one["features"] for one in works)
    assert isinstance(training, dict)
    assert isinstance(inference, dict)
    assert training["backward nodes"] > 10
    assert "backward nodes" not in inference
    assert training["tf32 flops"] > 2 * inference["tf32 flops"] > 0
    assert [one["differing"] for one in works] == [[], []]
    assert all(one["traces"] == 2 and one["absent"] == [] for one in works)


def test_the_optimiser_takes_parameters_together(tmp_path: Path) -> None:
    """As it does on a CUDA device, so that a CPU's counts are those of the same work."""
    whole = replace(PLAN, keeps_counts=True, trace_count=1)
    training = next(entries(whole, lambda work: traced(work, folder=tmp_path, most_s=0.0)))
    counted = training["counts"]
    assert isinstance(counted, dict)
    names = {entry["name"] for entry in counted["entries"]}
    assert "aten::_foreach_add_" in names


def test_the_work_is_warm_before_it_is_traced() -> None:
    """What is handed over to be traced is a step after another."""
    steps: list[Work] = []

    def trace(work: Work) -> Absent:
        steps.append(work)
        return Absent("not traced")

    works = list(entries(PLAN, trace))
    assert len(steps) == 4
    assert [one["absent"] for one in works] == [["not traced"]] * 2


@pytest.mark.parametrize("kind", [Kind.OPERATOR, Kind.KERNEL, Kind.WAIT])
def test_a_key_that_differs_is_named_with_least_and_most(kind: Kind) -> None:
    """Two of it in one trace and five in the other; whether the code or the library is behind it."""
    one, other = (_with(CountEntry(kind=kind, name="x", count=count, flops=8.0)) for count in (2, 5))
    assert differing([one, other, one]) == [
        {
            "kind": kind,
            "name": "x",
            "dtype": "",
            "is_library": kind is Kind.KERNEL,
            "count": [2, 5],
            "flops": [8.0, 8.0],
            "size_bytes": [0.0, 0.0],
            "inputs": 1,
        }
    ]


def test_a_key_that_is_missing_in_one_trace_differs() -> None:
    """Then the least is 0."""
    (difference,) = differing([counts(), _with(CountEntry(kind=Kind.WAIT, name="aten::item", count=3))])
    assert difference["count"] == [0, 3]


def test_seconds_do_not_differ() -> None:
    """They never repeat, and are never compared."""
    one, other = (
        _with(CountEntry(kind=Kind.WAIT, name="aten::item", count=3, duration_s=duration_s))
        for duration_s in (0.1, 0.2)
    )
    assert differing([one, other]) == []


def test_traces_that_are_absent_are_said() -> None:
    """With their reasons; of the others the counts are told."""
    entry = entry_of("lenet", "training", [Absent("no"), counts()], keeps_counts=False)
    assert entry["absent"] == ["no"]
    assert entry["digests"] == ["d"]
