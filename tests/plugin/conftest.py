"""A project of one test file whose joules come from a replay file, run in this process."""

import json
import os
import xml.etree.ElementTree as ET
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pytest_energy.baselines.attempts import COUNTERS
from pytest_energy.plugin import imports
from tests.plugin.ab_repository import Repository

ROOT = Path(__file__).parents[2]
TEST_FILE = "test_work.py"

# Imported here, so that a run in this process has the modules of the test that looks at it.
MODULES_OF_A_RUN = imports.__all__


@dataclass(frozen=True, slots=True)
class Run:
    """One run of pytest over the project.

    Attributes:
        result: What pytester saw.
        document: The parsed session document, or `None` where the run wrote none.
    """

    result: pytest.RunResult
    document: dict[str, Any] | None

    @property
    def text(self) -> str:
        return "\n".join([*self.result.outlines, *self.result.errlines])

    @property
    def ids(self) -> list[str]:
        """Of the tests in the session document, which was written."""
        assert self.document is not None, self.text
        return [test["id"] for test in self.document["tests"]]

    def test(self, name: str = "test_work") -> dict[str, Any]:
        """The session document's entry of the test *name*."""
        assert self.document is not None, self.text
        found = [test for test in self.document["tests"] if test["id"] == f"{TEST_FILE}::{name}"]
        assert len(found) == 1, (name, [test["id"] for test in self.document["tests"]], self.text)
        entry: dict[str, Any] = found[0]
        return entry

    def verdict(self, name: str = "test_work") -> str:
        verdict: str = self.test(name)["verdict"]
        return verdict


class Project:
    """A folder with a test file and a replay file."""

    def __init__(self, pytester: pytest.Pytester) -> None:
        self._pytester = pytester
        self.path: Path = pytester.path
        self.write("@pytest.mark.energy\ndef test_work():\n    assert True\n")

    def write(self, source: str, name: str = TEST_FILE) -> None:
        (self.path / name).write_text(f"import pytest\n\n{source}", encoding="utf-8")

    def replay(self, rounds_j: Mapping[str, Sequence[float]], *, duration_s: float = 1.0) -> None:
        """Give each test name its rounds' joules, each *duration_s* long."""
        tests = {
            f"{TEST_FILE}::{name}": {
                "rounds": [
                    {"energy_j": energy_j, "duration_s": duration_s, "channels": {"gpu:0": energy_j}}
                    for energy_j in energies_j
                ]
            }
            for name, energies_j in rounds_j.items()
        }
        (self.path / "replay.json").write_text(json.dumps({"format": 1, "tests": tests}), encoding="utf-8")

    def run(self, *arguments: str, subprocess: bool = False) -> Run:
        """Run pytest with the replay file, where there is one, as the only source of joules."""
        out = self.path / "out.json"
        out.unlink(missing_ok=True)
        sensors = [f"--energy-sensors=replay:{self.path / 'replay.json'}"] if self.has_replay else []
        words = [*sensors, f"--energy-out={out}", *arguments]
        run = self._pytester.runpytest_subprocess if subprocess else self._pytester.runpytest_inprocess
        result = run(*words)
        document = json.loads(out.read_text(encoding="utf-8")) if out.exists() else None
        return Run(result=result, document=document)

    @property
    def has_replay(self) -> bool:
        return (self.path / "replay.json").exists()

    @property
    def baseline_paths(self) -> list[Path]:
        return sorted((self.path / "baselines").rglob("*.json"))


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Project:
    for name in ("GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY", "GITHUB_WORKSPACE", *COUNTERS):
        monkeypatch.delenv(name, raising=False)  # the summary of a run on GitHub is not the tests'
    return Project(pytester)


def measure_by_a_virtual_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give runs in this process, and in those that it starts, a clock that `time.sleep` moves."""
    monkeypatch.setenv("PYTEST_ADDOPTS", f"{os.environ['PYTEST_ADDOPTS']} -p tests.fakes.virtual_time")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))


@pytest.fixture
def virtual_project(project: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project whose runs measure by a virtual clock."""
    measure_by_a_virtual_clock(monkeypatch)
    return project


# Two tests with a baseline, one of which may look like a regression at first.

NOISE = (0.99, 1.0, 1.01, 0.995, 1.005)
TWO_TESTS = """
from pathlib import Path

def work(name):
    with Path("order").open("a") as file:
        file.write(name + "\\n")

@pytest.mark.energy(rounds=5)
def test_work(energy):
    work("work")
    energy.measure(sum, [1, 2])

@pytest.mark.energy(rounds=5)
def test_other(energy):
    work("other")
    energy.measure(sum, [1, 2])

def test_plain():
    work("plain")
"""


def rounds(energy_j: float) -> list[float]:
    return [energy_j * factor for factor in NOISE]


Baselines = dict[str, dict[Path, bytes]]


@pytest.fixture(scope="session")
def kept_baselines() -> Baselines:
    """What runs have written for many tests, by name, and by its place in the project."""
    return {}


def fill_baselines(project: Project, kept: Baselines, name: str, record: Callable[[], None]) -> None:
    """Give *project* the baselines that *record* makes, which is called for the first test of *name* only."""
    if name not in kept:
        record()
        written = project.baseline_paths
        kept[name] = {path.relative_to(project.path): path.read_bytes() for path in written}
    for place, content in kept[name].items():
        (project.path / place).parent.mkdir(parents=True, exist_ok=True)
        (project.path / place).write_bytes(content)


@pytest.fixture
def gated(project: Project, kept_baselines: Baselines) -> Project:
    """Two tests with a baseline of 10 J of five sessions, and one that isn't measured."""
    project.write(TWO_TESTS)
    project.replay({"test_work": rounds(10), "test_other": rounds(10)})

    def record() -> None:
        for _ in range(5):
            assert project.run("--energy-baseline=add").result.ret == 0
        (project.path / "order").unlink()

    fill_baselines(project, kept_baselines, "two", record)
    return project


def suspicious(project: Project, *options: str, second_j: float, subprocess: bool = False) -> Run:
    """A run in which the first rounds of `test_work` are 12 J, and those after them *second_j*."""
    project.replay({"test_work": [*rounds(12), *rounds(second_j)], "test_other": rounds(10)})
    return project.run(*options, subprocess=subprocess)


def order(project: Project) -> list[str]:
    return (project.path / "order").read_text(encoding="utf-8").split()


def junit(path: Path) -> dict[str, list[str]]:
    """Each test case of a JUnit file, with the tags of what is in it."""
    suite = ET.parse(path).getroot().find("testsuite")
    assert suite is not None
    cases = [(case.get("name", ""), [one.tag for one in case]) for case in suite.iter("testcase")]
    assert len(dict(cases)) == len(cases), cases
    assert int(suite.get("tests", "-1")) == len(cases)
    assert int(suite.get("failures", "-1")) == sum("failure" in tags for _, tags in cases)
    return dict(cases)


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repository:
    """A scratch repository whose runs measure by a virtual clock."""
    measure_by_a_virtual_clock(monkeypatch)
    return Repository(tmp_path / "scratch")
