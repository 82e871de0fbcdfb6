"""`python -m benchmarks.paper`: the stages of each experiment, and its page."""

import sys
from pathlib import Path

import pytest

from benchmarks.paper import __main__ as paper
from benchmarks.paper.experiments import EXPERIMENTS, Stage
from benchmarks.profiles import GPU, QUICK
from pytest_energy.judgement import Judgement
from pytest_energy.report import formats, view
from tests.builders import CREATED, judgement


def written(folder: Path, name: str, *judgements: Judgement) -> None:
    """A run of *judgements*, as a stage leaves it."""
    text = formats.RENDERERS[".json"](view.of(judgements), CREATED)
    (folder / f"{name}.json").write_text(text, encoding="utf-8")


def test_an_epoch_is_that_of_the_paper() -> None:
    """391 batches of 128 images: each of CIFAR-10's 50,000 comes."""
    (stage,) = EXPERIMENTS["1"].stages(GPU)
    assert {"--steps=391", "--batch-size=128"} <= {*stage.words}


def test_the_sweep_has_a_stage_with_small_memory_on_a_gpu() -> None:
    """Inference is first, in case time is short; a processor's memory can't be limited."""
    assert [stage.name for stage in EXPERIMENTS["2"].stages(GPU)] == [
        "sweep-inference",
        "sweep-small-memory",
        "sweep-training",
    ]
    assert [stage.name for stage in EXPERIMENTS["2"].stages(QUICK)] == ["sweep-inference", "sweep-training"]


def test_requests_are_of_the_smallest_and_the_largest_model() -> None:
    """The two ends of the profile."""
    assert EXPERIMENTS["3"].stages(GPU)[0].words[-1] == "0.5B or 8B"
    assert EXPERIMENTS["3"].stages(QUICK)[0].words[-1] == "1M or 12M"


def test_the_page_names_training_and_inference(tmp_path: Path) -> None:
    """E_tr and E_in with net and gross joules; what was not measured has its reason, and no 0."""
    net = judgement(group="training", model="resnet18", energy_j=300.0, idle_power_w=20.0)
    bare = judgement(group="inference", model="resnet18", energy_j=40.0, idle_power_w=None)
    written(tmp_path, "epoch", net, bare)
    rows = [line.split("|")[1:-1] for line in paper.page(tmp_path).splitlines() if "resnet18" in line]
    first, second = ([cell.strip() for cell in row] for row in rows)
    assert first[0] == "E_tr"
    assert first[2:4] == [f"{net.record.net_energy_j:g} J", "300 J"]
    assert second[0] == "E_in"
    assert second[2].startswith("- (")
    assert second[3] == "40 J"


def test_the_page_has_full_memory_as_a_row(tmp_path: Path) -> None:
    """Experiment 2: a size that did not fit is in the table of its model."""
    case = "benchmarks/cnn/test_batch_size.py::test_inference_batch_size[vgg16-{}]"
    sizes = [
        judgement(
            test_id=case.format(size),
            group="batch inference",
            model=f"vgg16@{size}",
            samples=size,
            energy_j=energy_j,
            metrics={"batch_size": float(size)},
            **({} if energy_j else {"absent": {"energy_j": "out of memory: 8 GiB"}}),  # type: ignore[arg-type]
        )
        for size, energy_j in ((4, 8.0), (8, 9.0), (4096, None))
    ]
    written(tmp_path, "sweep-inference", *sizes)
    text = paper.page(tmp_path)
    assert "**vgg16 inference**" in text
    assert [line for line in text.splitlines() if "4096" in line and "out of memory" in line]
    assert "- 95 % interval of the best size: 8 to 8" in text


def test_the_page_of_nothing_says_what_to_do(tmp_path: Path) -> None:
    """An empty folder has no page; a broken file has its reason in place of a table."""
    assert "give the number of an experiment" in paper.page(tmp_path)
    (tmp_path / "epoch.json").write_text("half of it", encoding="utf-8")
    assert "epoch.json" in paper.page(tmp_path)


def test_a_stage_without_time_is_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The status is that of pytest, and 1 where a stage had no time left."""
    monkeypatch.setattr(sys, "executable", "/bin/cat")  # ends at once: it knows no -m
    assert paper.run_stage(Stage(name="x", words=()), tmp_path, 60.0, ()) == 1
    assert paper.main(["1", str(tmp_path), "--most-s", "1"]) == 1
