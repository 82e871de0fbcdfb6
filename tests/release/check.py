"""Whether a release would run: build it, hold its files against git's, install it where nothing else is.

    python tests/release/check.py [PYTHON ...]

Rule 1: the sdist is git's tree, the wheel is git's package, built from that sdist; not a file more or less.
Rule 2: what is installed runs far from the tree: the doctor, a measured test, and a gate that must fail one.
Rule 3: what comes with it weighs no more than is said here.
Rule 4: the wheel is tried with each Python that is given or found, the sdist with the one that runs this.

Exit status: 0, or 1 with what is wrong.
"""

import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import tomllib
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = "pytest_energy"
MOST_MB = (
    120  # in an empty environment: numpy 73, pygments 10, pytest, ours; with scipy and pandas it was 325
)
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

MEASURED = """
import pytest

@pytest.mark.energy(max_time=3)
def test_sum(energy):
    assert energy.measure(sum, range(300_000), samples=300_000) > 0
"""
REPLAYED_ID = "test_replayed.py::test_replayed"
REPLAYED = """
def test_replayed(energy):
    energy.measure(int)
"""


class Wrong(Exception):
    """The release can't go out, and why."""


def main(pythons: Sequence[str]) -> int:
    """Build and try a release."""
    with tempfile.TemporaryDirectory(prefix="release-") as name:
        folder = Path(name)
        try:
            sdist, wheel = built(folder / "dist")
            check_files(sdist, wheel)
            try_out(sdist, sys.executable, folder / "sdist")
            for python in pythons or list(found_pythons()):
                try_out(wheel, python, folder / Path(python).name)
        except Wrong as error:
            sys.stderr.write(f"release: {error}\n")
            return 1
    return 0


def say(line: str) -> None:
    print(f"release: {line}", flush=True)


def run(*command: object, folder: Path = ROOT, status: int = 0) -> str:
    """Standard output of *command*, which must end with *status*."""
    # What the caller's Python is told to import from must not reach the one that is tried.
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "COV"))}
    words = [str(word) for word in command]
    done = subprocess.run(words, cwd=folder, env=environ, check=False, capture_output=True, text=True)
    if done.returncode != status:
        raise Wrong(
            f"{' '.join(words)} ended with {done.returncode}, not {status}\n{done.stdout}{done.stderr}"
        )
    return done.stdout


# ---- the files ----


def built(folder: Path) -> tuple[Path, Path]:
    """The sdist, and the wheel that is built from it."""
    run(sys.executable, "-m", "build", "--outdir", folder, ROOT)
    (sdist,), (wheel,) = folder.glob("*.tar.gz"), folder.glob("*.whl")
    run(sys.executable, "-m", "twine", "check", "--strict", sdist, wheel)
    say(f"built {sdist.name} and {wheel.name}")
    return sdist, wheel


def check_files(sdist: Path, wheel: Path) -> None:
    """Hold the lists of files against git's."""
    tracked = set(run("git", "ls-files", "-z").rstrip("\0").split("\0"))
    with tarfile.open(sdist) as archive:
        files = {info.name.partition("/")[2] for info in archive.getmembers() if info.isfile()}
    same("the sdist", files, tracked | {"PKG-INFO"})
    with zipfile.ZipFile(wheel) as wheel_file:
        files = {file for file in wheel_file.namelist() if ".dist-info/" not in file}
    same("the wheel", files, {file for file in tracked if file.startswith(f"{PACKAGE}/")})


def same(what: str, files: set[str], wanted: set[str]) -> None:
    problems = [f"{what} lacks {file}" for file in sorted(wanted - files)]
    problems += [f"{what} has {file}, which git hasn't" for file in sorted(files - wanted)]
    if problems:
        raise Wrong("\n".join(problems))
    say(f"{what} has git's {len(wanted)} files and no other")


# ---- the Pythons ----


def found_pythons() -> Iterator[str]:
    """A Python of each version that the project names, where this machine has one that runs."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    for version in versions():
        places = [shutil.which(f"python{version}"), *pyenv.glob(f"versions/*/bin/python{version}")]
        # What pyenv puts on the path is a script that may have no Python behind it.
        python = next((str(place) for place in places if place and is_python(str(place), version)), None)
        if python is None:
            say(f"Python {version} isn't here, and wasn't tried")
        else:
            yield python


def versions() -> list[str]:
    """Versions of the project's classifiers: `3.11` and on."""
    named = (line.rpartition(" :: ")[2] for line in PROJECT["classifiers"] if ":: Python :: 3." in line)
    return list(named)


def is_python(place: str, version: str) -> bool:
    code = "import sys, venv; print(f'{sys.version_info[0]}.{sys.version_info[1]}')"
    done = subprocess.run([place, "-c", code], check=False, capture_output=True, text=True)
    return done.returncode == 0 and done.stdout.strip() == version


# ---- the trial ----


def try_out(archive: Path, python: str, folder: Path) -> None:
    """Install *archive* in an empty environment of *python* under *folder*, and use it there."""
    run(python, "-m", "venv", folder / "venv", folder=folder.parent)
    venv = folder / "venv" / "bin"
    before_mb = size_mb(folder)
    run(venv / "python", "-m", "pip", "install", "-q", "--disable-pip-version-check", archive, folder=folder)
    added_mb = size_mb(folder) - before_mb
    if added_mb > MOST_MB:
        raise Wrong(f"{archive.name} brings {added_mb} MB, more than {MOST_MB}")
    place = run(venv / "python", "-c", f"import {PACKAGE}; print({PACKAGE}.__file__)", folder=folder)
    if not place.startswith(str(folder)):
        raise Wrong(f"{PACKAGE} was imported from {place}")
    for command in ([venv / "pytest-energy"], [venv / "python", "-m", PACKAGE]):
        if PROJECT["version"] not in run(*command, "--version", folder=folder):
            raise Wrong(f"{command} doesn't know its version")
    measures = doctor(venv, folder)
    verdict = measured(venv, folder)
    gated(venv, folder)
    version = run(venv / "python", "-V").strip()
    say(
        f"{archive.name} on {version}: {added_mb} MB; the doctor says {measures=}; a measured test is "
        f"{verdict}, and the gate fails a rise"
    )


def size_mb(folder: Path) -> int:
    return sum(file.stat().st_blocks * 512 for file in folder.rglob("*") if not file.is_symlink()) >> 20


def doctor(venv: Path, folder: Path) -> bool:
    """Whether the doctor finds something that measures; its status says the same."""
    command = [str(venv / "pytest-energy"), "doctor", "--json"]
    done = subprocess.run(command, cwd=folder, check=False, capture_output=True, text=True)
    report = json.loads(done.stdout)
    if done.returncode != (0 if report["measures"] else 1) or not report["sensors"]:
        raise Wrong(f"the doctor ended with {done.returncode}\n{done.stdout}{done.stderr}")
    return bool(report["measures"])


def measured(venv: Path, folder: Path) -> str:
    """Verdict of a test that is measured here, by the estimate where nothing measures."""
    (folder / "test_measured.py").write_text(MEASURED)
    judgement = judged(venv, folder, "test_measured.py", "--energy-estimates=gate")
    # A busy machine's estimate is void: what is asked here is that it was measured.
    if judgement["verdict"] not in {"no-baseline", "void"} or not judgement["rounds"]:
        raise Wrong(f"the measured test is {judgement['verdict']}: {judgement['reason']}")
    return str(judgement["verdict"])


def gated(venv: Path, folder: Path) -> None:
    """Make a baseline of rounds of 10 J, and see rounds of 12 J fail."""
    (folder / "test_replayed.py").write_text(REPLAYED)
    for energy_j, baseline, status, verdict in ((10, "add", 0, "no-baseline"), (12, "off", 1, "regression")):
        rounds = [{"duration_s": 1.0, "channels": {"gpu:0": energy_j + i / 100}} for i in range(5)]
        document = {"format": 1, "tests": {REPLAYED_ID: {"rounds": rounds}}}
        (folder / "replay.json").write_text(json.dumps(document))
        options = ["--energy-sensors=replay:replay.json"]
        if baseline == "add":
            options.append("--energy-baseline=add")
        judgement = judged(venv, folder, "test_replayed.py", *options, status=status)
        if judgement["verdict"] != verdict:
            raise Wrong(f"the replayed test is {judgement['verdict']}, not {verdict}: {judgement['reason']}")


def judged(venv: Path, folder: Path, file: str, *options: str, status: int = 0) -> dict[str, object]:
    """The judgement in the JSON of a run of pytest that must end with *status*."""
    run(venv / "pytest", file, "--energy-out=run.json", *options, folder=folder, status=status)
    (judgement,) = json.loads((folder / "run.json").read_text())["tests"]
    return dict(judgement)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
