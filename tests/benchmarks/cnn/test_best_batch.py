"""`benchmarks/cnn/best_batch.py`: the best batch size of a run, told and drawn."""

import sys
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.cnn import best_batch
from benchmarks.cnn.best_batch import to_text
from pytest_energy.judgement import Judgement, Verdict
from pytest_energy.model import Provenance
from pytest_energy.report import formats, view
from pytest_energy.report.batch import LostSize, Size
from tests.builders import CREATED, judgement


def size(batch_size: int, energy_j: float, *, samples_per_s: float = 100.0) -> Size:
    return Size(
        batch_size=batch_size,
        samples=10,
        energy_j=energy_j,
        interval_j=(energy_j - 0.01, energy_j + 0.01),
        uncertainty_j=0.005,
        net_j=None,
        samples_per_s=samples_per_s,
        samples_per_s_range=(samples_per_s, samples_per_s),
    )


def swept(case: str, batch_size: int, energy_j: float | None, **more: object) -> Judgement:
    """A test of the sweep: 10 samples in 2 s."""
    return judgement(
        test_id=f"benchmarks/cnn/test_batch_size.py::test_batch_size[{case}]",
        energy_j=energy_j,
        duration_s=2.0,
        samples=10,
        group="batch",
        model=f"vgg16@{batch_size}",
        metrics={"batch_size": float(batch_size)},
        **more,  # type: ignore[arg-type]  # its own words
    )


def written(path: Path, *judgements: Judgement) -> Path:
    """A run of *judgements*, as --energy-out writes it."""
    path.write_text(formats.RENDERERS[".json"](view.of(judgements), CREATED), encoding="utf-8")
    return path


def test_text_names_ties_and_the_open_end() -> None:
    """Best, ties, saturation and a best at the edge are said in words."""
    text = to_text("vgg16", [size(4, 2.0), size(8, 1.01), size(16, 1.0)])
    assert "best: 16, 1 J/sample (0.99 to 1.01)" in text
    assert "tied with it: 8" in text
    assert "the best is the largest size measured" in text
    assert "past 4 the next" not in text
    assert "warning: past 8 the next size" in to_text("vgg16", [size(8, 1.0), size(16, 1.2)])


def test_full_memory_is_a_row() -> None:
    """A size that did not fit has a row without joules, in its place; the others show their memory."""
    sizes = [replace(size(4, 2.0), memory_bytes=3.21e9), size(16, 1.0)]
    full = LostSize(name="vgg16-64", batch_size=64, because="out of memory: Tried to allocate 8 GiB")
    void = LostSize(name="vgg16-8", batch_size=8, because="thermal slowdown in every round")
    lines = to_text("vgg16", sizes, [full, void]).splitlines()
    assert [line.split()[0] for line in lines[3:6]] == ["4", "16", "64"]
    assert "3.21 GB" in lines[3]
    assert lines[5].split() == ["64", "-", "-", "-", "-", "out", "of", "memory"]
    assert "95 % interval of the best size: 16 to 16" in lines


@pytest.mark.parametrize("text", ["half of it", "[]", "{}"])
def test_no_run(tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str) -> None:
    """2 and a sentence for a file that isn't there, isn't JSON or is no run."""
    run = tmp_path / "run.json"
    assert best_batch.main([str(run)]) == 2
    run.write_text(text, encoding="utf-8")
    capsys.readouterr()
    assert best_batch.main([str(run)]) == 2
    assert str(run) in capsys.readouterr().err


@pytest.mark.parametrize(
    "one", [judgement(group="training"), swept("vgg16-4", 4, None, verdict=Verdict.UNMEASURED)]
)
def test_no_sweep(tmp_path: Path, capsys: pytest.CaptureFixture[str], one: Judgement) -> None:
    """A run without a measured sweep is refused, with what to run."""
    assert best_batch.main([str(written(tmp_path / "run.json", one))]) == 2
    assert "run benchmarks/cnn/test_batch_size.py" in capsys.readouterr().err


def test_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """0 and a table a model; what was lost is named, estimates are called so."""
    run = written(
        tmp_path / "run.json",
        swept("vgg16-4", 4, 80.0),
        swept("vgg16-8", 8, None, verdict=Verdict.UNMEASURED),
        swept("vgg16-4-amp", 4, 60.0, provenance=Provenance.ESTIMATED),
    )
    assert best_batch.main([str(run)]) == 0
    said = capsys.readouterr().out
    assert "best: 4, 8 J/sample" in said
    assert "vgg16-amp (estimated)" in said
    assert "without a usable reading: vgg16-8" in said
    assert "written to" not in said


def test_plot(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """--plot draws a figure a model into its folder, and says where."""
    run = written(tmp_path / "run.json", swept("vgg16-4", 4, 80.0), swept("vgg16-8", 8, 60.0))
    folder = tmp_path / "figures"
    assert best_batch.main([str(run), "--plot", str(folder)]) == 0
    assert [path.name for path in folder.iterdir()] == ["batch-size-vgg16.png"]
    assert f"written to {folder / 'batch-size-vgg16.png'}" in capsys.readouterr().out


def test_plot_without_matplotlib(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is no dependency; the message says how to get it."""
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    run = written(tmp_path / "run.json", swept("vgg16-4", 4, 80.0))
    assert best_batch.main([str(run), "--plot", str(tmp_path)]) == 2
    assert "pip install 'pytest-energy[plot]'" in capsys.readouterr().err
