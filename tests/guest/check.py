"""Whether the suites of other projects run with the plugin and energy tests among theirs as without.

    python tests/guest/check.py [SUITE ...]

Rule 1: a suite is the sdist's, of the version that is installed here; this project's own is one of them.
Rule 2: each is run with the plugin off, and then with energy tests as its first, middle and last files.
Rule 3: its tests end alike, warn alike, begin in a process that is alike and leave it alike; not a file more
        or less is there. Whether they pass is their own affair.
Rule 4: the energy tests pass, each has its verdict, and they leave the process as they found it.

Exit status: 0, or 1 with the differences.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).parents[2]
OWN = "pytest-energy"
PACKAGES = ("attrs", "click", "packaging")
NEEDED = ("pretend", "tomli_w")  # by the tests of packaging
LONG = ("packaging", OWN)  # are run with the first options alone
VARIATIONS = (
    ("-p", "no:cacheprovider"),
    ("-W", "error"),
    ("--numprocesses=2", "--import-mode=importlib"),
)
# Without and with a budget, and where the machine is too busy for its joules to be known.
GOOD = ("no-baseline", "pass", "void")
MEASURED = ("--energy-sensors=counter", "--energy-rounds=2", "--energy-max-time=1")
LIMIT_S = 3600
SHOWN_COUNT = 10
BY_CHANCE = re.compile(r"(^|/)(\.hypothesis|pytest-of-\w+/pytest-\d+/[^/]+)/")
RANDOM = re.compile(r"(?<=[/p_.-])[a-z0-9_]{8}(?![a-z0-9_])")  # in the names that `tempfile` gives

# No two processes have it alike; what a test changes of it is compared all the same.
OF_ONE_PROCESS = {"random numbers", "open files", "children"}
KEPT = {"open files"}  # a sensor's, from the first energy test to the run's end


@dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """The tests of a project, unpacked.

    Attributes:
        words: What pytest is given beside the options of a variation.
        energy_files: Where energy tests come in, relative to *folder*.
    """

    name: str
    folder: Path
    words: tuple[str, ...]
    energy_files: tuple[str, ...]

    def is_ours(self, test_id: str) -> bool:
        return test_id.startswith(self.energy_files)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What came of a suite.

    Attributes:
        outcomes: Test id to the outcome of each phase.
        warnings: Each with its test, sorted.
        before: Test id to the state of the process in which it began; of a run in one process.
        changes: Test id to what it left otherwise than it was.
        files: In the suite's folder, the home and the temporary folder, and how many there are of each name.
        verdicts: Of the energy tests, with their reasons.
    """

    outcomes: Mapping[str, Sequence[str]]
    warnings: Sequence[str]
    before: Mapping[str, Mapping[str, str]]
    changes: Mapping[str, Sequence[str]]
    files: Counter[str]
    verdicts: Mapping[str, str]


def main(names: Sequence[str]) -> int:
    """Compare, and print a table."""
    rows, is_same = (
        ["| suite | options | its tests | energy tests | differences |", "|---|---|---|---|---|"],
        True,
    )
    with tempfile.TemporaryDirectory(prefix="guest-") as name:
        folder = Path(name)
        pip("install", "--target", folder / "path", *NEEDED)
        (folder / "path" / "pytest_energy").symlink_to(ROOT / "pytest_energy")
        for suite_name in names or (*PACKAGES, OWN):
            for options in VARIATIONS[:1] if suite_name in LONG else VARIATIONS:
                suite = unpacked(suite_name, empty(folder / "suite"))
                without = run(suite, options, folder, has_plugin=False)
                with_plugin = run(suite, options, folder, has_plugin=True)
                found = [*differences(suite, without, with_plugin), *own_faults(suite, with_plugin)]
                rows.append(
                    f"| {suite.folder.name} | `{' '.join(options)}` | {tally(without)} "
                    f"| {len(with_plugin.verdicts)} | {len(found)} |"
                )
                print(rows[-1], *found[:SHOWN_COUNT], sep="\n    ", flush=True)
                is_same &= not found
    print("", *rows, sep="\n")
    return 0 if is_same else 1


def empty(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    return folder


def pip(*words: object) -> None:
    command = [sys.executable, "-m", "pip", "-q", "--disable-pip-version-check", *map(str, words)]
    subprocess.run(command, check=True)


# ---- the suites ----


def unpacked(name: str, folder: Path) -> Suite:
    """The suite *name*, in *folder*."""
    if name == OWN:
        return own(folder / OWN)
    version = metadata.version(name)
    pip("download", "--no-deps", "--no-binary", name, "--dest", folder, f"{name}=={version}")
    (archive,) = folder.glob("*.tar.gz")
    with tarfile.open(archive) as files:
        files.extractall(folder, filter="data")
    archive.unlink()
    energy_files = tuple(f"tests/test_{place}_energy.py" for place in ("0", "m", "zz"))
    return Suite(name=name, folder=folder / f"{name}-{version}", words=(), energy_files=energy_files)


def own(folder: Path) -> Suite:
    listing = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True)
    for file in listing.stdout.rstrip("\0").split("\0"):
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / file, folder / file)
    places = ("baselines/test_0", "metrics/test_m", "yardstick/test_zz")
    return Suite(
        name=OWN,
        folder=folder,
        words=("tests/unit", "-m", "not slow"),  # tests/plugin starts runs of its own
        energy_files=tuple(f"tests/unit/{place}_energy.py" for place in places),
    )


# ---- the runs ----


def run(suite: Suite, options: Sequence[str], folder: Path, *, has_plugin: bool) -> Run:
    """Run *suite* under *folder*."""
    for file in suite.energy_files:
        (suite.folder / file).unlink(missing_ok=True)
        if has_plugin:
            shutil.copy(Path(__file__).with_name("energy_tests.py"), suite.folder / file)
    out, home, temporary = (empty(folder / name) for name in ("out", "home", "tmp"))
    plugin = ["-p", "no:energy"]
    if has_plugin:
        plugin = ["-p", "counter", *MEASURED, f"--energy-out={out / 'energy.json'}"]
    command = [sys.executable, "-m", "pytest", "-p", "watcher", f"--watcher-out={out}", *plugin, *options]
    environ = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "TMPDIR": str(temporary),
        "PYTHONPATH": os.pathsep.join(map(str, (folder / "path", Path(__file__).parent))),
        "PYTHONDONTWRITEBYTECODE": "1",
        "CI": "true",  # for hypothesis: the same examples each time, and no deadlines
    }
    with (folder / "text").open("w") as text:
        subprocess.run(
            [*command, *suite.words],
            cwd=suite.folder,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=text,
            stderr=subprocess.STDOUT,
            timeout=LIMIT_S,
            check=False,
        )
    if not (out / "main.json").exists():
        raise SystemExit((folder / "text").read_text())
    return read(out, files=Counter(listed(suite, home, temporary)))


def read(out: Path, *, files: Counter[str]) -> Run:
    documents = {file.stem: json.loads(file.read_text()) for file in out.glob("*.json")}
    energy = documents.pop("energy", {"tests": []})
    states = {test_id: state for one in documents.values() for test_id, state in one["states"].items()}
    return Run(
        outcomes=documents["main"]["outcomes"],
        warnings=sorted(documents["main"]["warnings"]),
        before={test_id: state[0] for test_id, state in documents["main"]["states"].items()},
        changes={test_id: state[1] for test_id, state in states.items()},
        files=files,
        verdicts={test["id"]: f"{test['verdict']} {test['reason']}" for test in energy["tests"]},
    )


def listed(suite: Suite, *folders: Path) -> Iterator[str]:
    """Every file, but what is called by a hash, and what a test has put into its own `tmp_path`."""
    for folder in (suite.folder, *folders):
        for file in folder.rglob("*"):
            place = str(file.relative_to(folder))
            if place not in suite.energy_files and not BY_CHANCE.search(place):
                yield RANDOM.sub("*", str(file))


# ---- what is held against what ----


def differences(suite: Suite, without: Run, with_plugin: Run) -> Iterator[str]:
    """What the plugin has made otherwise, of tests that are not ours."""

    def theirs(run: Run, of: Callable[[Run], Mapping[str, object]]) -> dict[str, object]:
        return {test_id: value for test_id, value in of(run).items() if not suite.is_ours(test_id)}

    yield from unlike(
        theirs(without, lambda run: run.outcomes), theirs(with_plugin, lambda run: run.outcomes)
    )
    yield from unlike(theirs(without, lambda run: run.changes), theirs(with_plugin, lambda run: run.changes))
    for test_id, state in without.before.items():
        for change in unlike(state, with_plugin.before.get(test_id, {})):
            if change.partition(":")[0] not in OF_ONE_PROCESS:
                yield f"{test_id} begins with {change}"
    for sign, more, less in (("more", with_plugin, without), ("less", without, with_plugin)):
        extra = Counter(more.warnings) - Counter(less.warnings)
        yield from (f"a warning {sign}: {warning}" for warning in extra if not suite.is_ours(warning))
        yield from (f"a file {sign}: {file}" for file in sorted(more.files - less.files))


def unlike(wanted: Mapping[str, object], there: Mapping[str, object]) -> Iterator[str]:
    for name in sorted({*wanted, *there}):
        if wanted.get(name) != there.get(name):
            yield f"{name}: {there.get(name)}, without the plugin {wanted.get(name)}"


def own_faults(suite: Suite, run: Run) -> Iterator[str]:
    """What is wrong with the energy tests."""
    ours = {test_id: phases for test_id, phases in run.outcomes.items() if suite.is_ours(test_id)}
    yield from (f"{one}: {phases}" for one, phases in ours.items() if is_other(phases, "passed"))
    for test_id in ours:
        verdict = run.verdicts.get(test_id, "without a verdict")
        if not verdict.startswith(GOOD) or "sampler" in verdict:
            yield f"{test_id}: {verdict}"
    for test_id in ours:
        left = {*run.changes[test_id]} - KEPT
        if left:
            yield f"{test_id} leaves other {', '.join(sorted(left))}"
    if not ours:
        yield "no energy test was run"


def is_other(phases: Iterable[str], outcome: str) -> bool:
    return any(not phase.endswith(outcome) for phase in phases)


def tally(run: Run) -> str:
    """How many tests passed, failed and were skipped."""
    counts = Counter(
        next(
            (word for word in ("failed", "skipped") if any(phase.endswith(word) for phase in phases)),
            "passed",
        )
        for phases in run.outcomes.values()
    )
    return ", ".join(f"{counts[word]} {word}" for word in ("passed", "failed", "skipped") if counts[word])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
