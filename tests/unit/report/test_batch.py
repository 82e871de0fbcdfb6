"""The judgement of a sweep of batch sizes, as table and figure share it."""

import pytest

from pytest_energy.judgement import Judgement, Verdict
from pytest_energy.model import Provenance
from pytest_energy.report import view
from pytest_energy.report.batch import Size, Sweep, best, may_be_best, saturation, sweeps, ties
from tests.builders import judgement


def size(batch_size: int, energy_j: float, *, half_j: float = 0.01, samples_per_s: float = 100.0) -> Size:
    return Size(
        batch_size=batch_size,
        samples=10,
        energy_j=energy_j,
        interval_j=(energy_j - half_j, energy_j + half_j),
        uncertainty_j=half_j / 2,
        net_j=None,
        samples_per_s=samples_per_s,
        samples_per_s_range=(samples_per_s, samples_per_s),
    )


def swept(
    model: str, batch_size: int, energy_j: float | None = 40.0, *, variant: str = "", **more: object
) -> Judgement:
    """A test of the sweep: 10 samples in 2 s."""
    facts: dict[str, object] = {
        "metrics": {"batch_size": float(batch_size)},
        "samples": 10,
        "duration_s": 2.0,
    }
    if energy_j is None:
        facts["verdict"] = Verdict.UNMEASURED
    return judgement(
        test_id=f"b.py::test_batch_size[{model}-{batch_size}{variant}]",
        energy_j=energy_j,
        model=f"{model}@{batch_size}",
        **({"group": "batch"} | facts | more),  # type: ignore[arg-type]  # its own words
    )


def read(*judgements: Judgement) -> dict[str, Sweep]:
    return {sweep.model: sweep for sweep in sweeps(view.of(judgements))}


def test_fewest_joules_win() -> None:
    """The best has the fewest joules a sample; what overlaps it is a tie, what doesn't isn't."""
    sizes = [size(4, 2.0), size(8, 1.01), size(16, 1.0), size(32, 1.5)]
    assert best(sizes).batch_size == 16
    assert ties(sizes) == (8,)


def test_of_equals_the_smallest_is_best() -> None:
    """Two sizes of the same joules: the one that needs less memory."""
    assert best([size(8, 1.0), size(4, 1.0)]).batch_size == 4


def test_what_may_be_best_is_an_interval() -> None:
    """It spans the sizes that chance could have made the best, and no others; a clear best is alone in it."""
    assert may_be_best([size(4, 2.0), size(8, 1.0), size(16, 1.0), size(32, 1.5)]) == (8, 16)
    assert may_be_best([size(4, 2.0), size(8, 1.2), size(16, 1.0), size(32, 1.5)]) == (16, 16)


def test_inference_has_a_sweep_of_its_own() -> None:
    """A group that says what its sweep does names it so, and a size of another sweep is not missing in it."""
    found = read(swept("a", 4), swept("a", 8), swept("a", 4, group="batch inference"))
    assert {name: [one.batch_size for one in sweep.sizes] for name, sweep in found.items()} == {
        "a": [4, 8],
        "a inference": [4],
    }
    assert found["a inference"].missing == ()
    assert read(swept("a", 4, group="batches")) == {}


def test_memory_is_that_of_the_metric() -> None:
    """A size has the memory that its test recorded, and none if it recorded none."""
    memory = {"batch_size": 4.0, "peak_memory_bytes": 3e9}
    sizes = read(swept("a", 4, metrics=memory), swept("a", 8))["a"].sizes
    assert [one.memory_bytes for one in sizes] == [3e9, None]


def test_saturation() -> None:
    """Past a size whose successor brings less than 5 % speed and no joules; a gain in either is none."""
    flat = [size(4, 2.0, samples_per_s=50.0), size(8, 1.0), size(16, 1.1, samples_per_s=104.0)]
    assert saturation(flat) == 8
    assert saturation([size(8, 1.0), size(16, 0.9)]) is None
    assert saturation([size(8, 1.0), size(16, 1.1, samples_per_s=106.0)]) is None


def test_read_from_a_run() -> None:
    """Sizes of one model are put in order; a variant is a model of its own; other groups are left out."""
    found = read(
        swept("vgg16", 16, 40.0),
        swept("vgg16", 4, 80.0),
        swept("vgg16", 4, 60.0, variant="-amp"),
        judgement(group="training"),
    )
    assert {model: [one.batch_size for one in sweep.sizes] for model, sweep in found.items()} == {
        "vgg16": [4, 16],
        "vgg16-amp": [4],
    }
    first = found["vgg16"].sizes[0]
    assert (first.energy_j, first.samples_per_s) == (8.0, 5.0)
    assert first.interval_j == pytest.approx((7.96, 8.04))
    assert first.samples_per_s_range == (5.0, 5.0)


def test_a_size_without_joules_has_its_reason() -> None:
    """A void or unmeasured size is lost, not zero; a memory that was full is recognised."""
    reason = "out of memory: vgg16 at batch size 64: CUDA out of memory"
    full = swept("vgg16", 64, None, metrics={}, reason=reason, absent={"energy_j": reason})
    lost = read(swept("vgg16", 4), swept("vgg16", 8, verdict=Verdict.VOID), full)["vgg16"].lost
    assert [(one.batch_size, one.is_out_of_memory) for one in lost] == [(8, False), (64, True)]
    assert lost[0].because == "thermal slowdown in every round"
    assert lost[1].because == reason


def test_a_size_without_samples_or_time_is_lost() -> None:
    """Joules a sample take samples, samples a second take seconds."""
    lost = read(swept("a", 4, samples=None), swept("a", 8, duration_s=0.0))["a"].lost
    assert "number of samples" in lost[0].because
    assert "less time than the clock" in lost[1].because


def test_a_size_that_nothing_tells_is_named() -> None:
    """No metric and no @SIZE in the model's name: lost by the test's own name."""
    one = judgement(test_id="b.py::test_own[net-x]", group="batch", metrics={})
    (sweep,) = sweeps(view.of([one]))
    assert (sweep.model, sweep.sizes) == ("net", ())
    assert (sweep.lost[0].name, sweep.lost[0].batch_size) == ("net-x", None)


def test_what_others_have_is_missing() -> None:
    """A size that another model of the same run has, and this one has no record of."""
    found = read(
        swept("a", 4), swept("a", 512), swept("b", 4), swept("c", 4, provenance=Provenance.ESTIMATED)
    )
    assert {model: sweep.missing for model, sweep in found.items()} == {"a": (), "b": (512,), "c": ()}


def test_provenances_never_share_a_sweep() -> None:
    """Estimated sizes of a model stand apart from its measured ones."""
    run = view.of([swept("a", 4), swept("a", 8, provenance=Provenance.ESTIMATED)])
    assert [(one.provenance, len(one.sizes)) for one in sweeps(run)] == [
        (Provenance.MEASURED, 1),
        (Provenance.ESTIMATED, 1),
    ]
