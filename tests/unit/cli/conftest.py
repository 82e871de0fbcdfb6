"""The command in this process, and runs for it to read."""

from pathlib import Path
from typing import NamedTuple

import pytest

from pytest_energy.cli import main
from pytest_energy.judgement import Judgement
from pytest_energy.report import formats, view
from tests.builders import CREATED, judgement
from tests.fakes.sessions import gpu_session


class Ran(NamedTuple):
    """How one command ended, and what it wrote."""

    status: int
    out: str
    err: str


class Cli:
    """`cli("show", "run.json")` is `pytest-energy show run.json`."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, *arguments: str | Path) -> Ran:
        try:
            status = main([str(argument) for argument in arguments])
        except SystemExit as ended:  # argparse ends the process itself
            status = int(ended.code or 0)
        return Ran(status, *self._capsys.readouterr())


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str]) -> Cli:
    return Cli(capsys)


def written(path: Path, *judgements: Judgement) -> Path:
    """A run of *judgements*, as --energy-out writes it."""
    path.write_text(formats.RENDERERS[".json"](view.of(judgements), CREATED), encoding="utf-8")
    return path


def at(energy_j: float | None, test_id: str = "t.py::test_work", **more: object) -> Judgement:
    return judgement(test_id=test_id, energy_j=energy_j, uncertainty_j=0.02, **more)  # type: ignore[arg-type]  # its own words


@pytest.fixture
def run_json(tmp_path: Path) -> Path:
    """A run, as --energy-out writes it."""
    return written(tmp_path / "run.json", *gpu_session())
