"""Run the fixed CNN suite on the GPU that there is, and keep the session to judge the gate by.

    python benchmarks/gate/boards.py [--folder DIR] [--plant KIND:AMOUNT] [--tests TEST ...] [--board NAME]

The session goes to `DIR/<gpu>/board-<board>-<n>[-<plant>].json`, beside those that are there, none of which
is written over. `<gpu>` is the part of the GPU's name that holds a digit, such as `h100`; `<board>` the start
of its UUID. The file is the run's own document: GPU, driver, versions, date and the tests' ids are in it, and
what was planted is in its notes. Runs that don't pass are not kept.
"""

import argparse
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

if not __package__:  # run as a file: the folder above `benchmarks` isn't on the path
    sys.path.append(str(Path(__file__).resolve().parents[2]))

from benchmarks.cnn.planting import Plant, plant_from
from pytest_energy.cli.files import read_run
from pytest_energy.errors import EnergyError, SettingsError
from pytest_energy.model import Provenance
from pytest_energy.report import to_json
from pytest_energy.report.view import View

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "docs" / "results" / "sessions"
TESTS = ("benchmarks/cnn/test_training.py", "benchmarks/cnn/test_inference.py")
PLUGIN = "pytest_energy.plugin"
UUID_LENGTH = 8  # of its characters: two boards alike in 32 bits are not met

Runner = Callable[[Sequence[str]], int]
"""Runs a command line in the root of the repository, and gives its exit status."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """The GPU of a session.

    Attributes:
        model: As its driver names it.
        name: The start of its UUID, or what it was called.
    """

    model: str
    name: str

    @property
    def folder(self) -> str:
        """The part of the model's name that holds a digit: `h100` of `NVIDIA H100 80GB HBM3`."""
        words = re.split(r"[^0-9A-Za-z]+", self.model.lower())
        return next((word for word in words if re.search(r"\d", word)), "-".join(filter(None, words)))


def run_here(words: Sequence[str]) -> int:
    return subprocess.run(words, cwd=ROOT, check=False).returncode  # noqa: S603  # our own words


def command(tests: Sequence[str], plant: Plant | None, out: Path, points: Iterable[EntryPoint]) -> list[str]:
    """The suite's command line, which writes its document to *out*.

    Args:
        tests: What pytest is to collect.
        plant: A change to plant, or none.
        out: The document.
        points: pytest's plugins; a copy of ours that isn't among them is named on the command line.
    """
    is_installed = any(point.value == PLUGIN for point in points)
    return [
        *(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"),
        *(() if is_installed else ("-p", PLUGIN)),
        *tests,
        *("--bench-profile=gpu", "--energy-baseline=off", "--energy-yardstick=on", f"--energy-out={out}"),
        *(() if plant is None else (f"--bench-plant={plant}",)),
    ]


def board_of(run: View, name: str | None) -> Board:
    """The GPU that *run* was measured on.

    Raises:
        SettingsError: Its joules weren't measured, or not on one known GPU.
    """
    machine = run.machine
    if machine is None:
        raise SettingsError("the run is of several machines or none: no session of a board")
    if any(judgement.record.provenance is not Provenance.MEASURED for judgement in run.judgements):
        raise SettingsError("the run has tests whose joules were not measured: no session of a board")
    model, uuid = machine.fixed.get("gpu_model"), machine.varying.get("gpu_uuid")
    if model is None or uuid is None:
        raise SettingsError("the run names no GPU with its UUID: no session of a board")
    return Board(model=model, name=name or uuid.removeprefix("GPU-")[:UUID_LENGTH])


def next_path(folder: Path, board: Board, plant: Plant | None) -> Path:
    """Where the session of *board* goes: its number is one above those that are there."""
    pattern = re.compile(rf"board-{re.escape(board.name)}-(\d+)(-.*)?\.json")
    matches = (pattern.fullmatch(path.name) for path in (folder / board.folder).glob("board-*.json"))
    number = max((int(match[1]) for match in matches if match), default=0) + 1
    planted = "" if plant is None else f"-{plant.kind}{plant.amount:g}"
    return folder / board.folder / f"board-{board.name}-{number}{planted}.json"


def keep(out: Path, folder: Path, plant: Plant | None, board_name: str | None = None) -> Path:
    """Keep the document *out* as a session in *folder*.

    Raises:
        EnergyError: It is no run of a board.
        FileExistsError: Another session took its place meanwhile.
    """
    run = read_run(out)
    text = out.read_text(encoding="utf-8")
    if plant is not None:
        created = str(json.loads(text)["created"])
        noted = replace(run, run_notes=(*run.run_notes, f"planted: {plant}"))
        text = to_json.render(noted, created=created)
    path = next_path(folder, board_of(run, board_name), plant)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("x", encoding="utf-8") as file:
        file.write(text)
    return path


def main(arguments: Sequence[str] | None = None, run: Runner = run_here) -> int:
    """Run the suite and keep its session; 2 and a sentence where that can't be done."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--folder", type=Path, default=FOLDER, metavar="DIR")
    parser.add_argument("--plant", type=plant_from, metavar="KIND:AMOUNT", help="as --bench-plant")
    parser.add_argument("--tests", nargs="+", default=TESTS, metavar="TEST", help="files or ids of tests")
    parser.add_argument("--board", metavar="NAME", help="what the board is called (the start of its UUID)")
    options = parser.parse_args(arguments)
    out = Path(tempfile.mkdtemp(prefix="pytest-energy-board-")) / "run.json"
    status = run(command(options.tests, options.plant, out, entry_points(group="pytest11")))
    if status:
        sys.stderr.write(f"pytest ended with {status}: not kept; what it wrote is in {out.parent}\n")
        return 2
    try:
        path = keep(out, options.folder, options.plant, options.board)
    except (EnergyError, FileExistsError) as error:
        sys.stderr.write(f"{error}\nnot kept; the run is {out}\n")
        return 2
    sys.stdout.write(f"kept as {path}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
