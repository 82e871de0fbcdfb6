"""The gate from end to end: real runs of pytest over replayed joules whose truth is known.

    python benchmarks/gate/endtoend.py [--tests N] [--sessions K]

Draws joules for N tests (sessions that differ by SD 1 %, rounds of CV 1 %), adds K sessions to their
baselines with `--energy-baseline=add`, and checks fresh runs at each true change. Prints the verdicts beside
what the simulation of operating.py expects of as many tests, and whether the session document, JUnit XML and
the exit status say the same of each. About half a minute; the exit status is 1 if they don't.
"""

import argparse
import json
import math
import os
import random
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

if not __package__:  # run as a file: the folder above `benchmarks` isn't on the path
    sys.path.append(str(Path(__file__).resolve().parents[2]))

import pytest

from benchmarks.gate.operating import SEED, Cell, Rounds, energies_of, operations
from pytest_energy.judgement import FAILING, Verdict
from pytest_energy.plugin.rounds import MOST_ROUND_COUNT
from pytest_energy.sensors.replay import ReplayRound, save_replay
from pytest_energy.stats.suite import LEAST_TEST_COUNT

BETWEEN_SD = 0.01
ROUND_CV = 0.01
CHANGES = (0.0, 0.08, 0.15)
TEST_COUNT = 200
SESSION_COUNT = 5
REPETITIONS = 2000

_TEST_FILE = "test_gate.py"
_LEVEL_J = 100.0
_DRAWN_ROUND_COUNT = 3 * MOST_ROUND_COUNT  # the judge may ask once for more, and once for a confirming batch
_DURATION_S = 1.0
_PLANTED_SHARE = 5  # one test in so many

# What a run of pytest inside another takes from its surroundings.
_FOREIGN = ("GITHUB_", "PYTEST_", "COV_", "COVERAGE_")


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What one run said.

    Attributes:
        change: True change of the joules of the tests that are changed.
        verdicts: By test.
        changed: The tests that are changed.
        exit_status: Of pytest.
        disagreements: Where the session document, JUnit XML and the exit status don't say the same.
    """

    change: float
    verdicts: Mapping[str, Verdict]
    changed: frozenset[str]
    exit_status: int
    disagreements: tuple[str, ...]

    @property
    def counts(self) -> Counter[Verdict]:
        """Verdicts of the changed tests."""
        return Counter(self.verdicts[name] for name in self.changed)

    @property
    def other_counts(self) -> Counter[Verdict]:
        """Verdicts of the others."""
        return Counter(verdict for name, verdict in self.verdicts.items() if name not in self.changed)


def check_gate(
    folder: Path,
    *,
    test_count: int = TEST_COUNT,
    session_count: int = SESSION_COUNT,
    changes: Sequence[float] = CHANGES,
    seed: int = SEED,
) -> list[Checked]:
    """Make a project in *folder*, give it its baselines, and check it at each of *changes*.

    Raises:
        RuntimeError: A session could not be added.
    """
    rng = random.Random(f"{seed} end to end")  # noqa: S311  # noise that repeats
    (folder / _TEST_FILE).write_text(
        "import pytest\n\n\n"
        f'@pytest.mark.parametrize("number", range({test_count}))\n'
        "def test_work(energy, number):\n"
        "    energy.measure(int, number)\n",
        encoding="utf-8",
    )
    for _ in range(session_count):
        _draw_run(folder, rng, test_count=test_count, change=0.0)
        added = _run_pytest(folder, "--energy-baseline=add")
        if added.returncode != pytest.ExitCode.OK:
            raise RuntimeError(f"a session could not be added: exit {added.returncode}\n{added.stdout}")
    found = []
    for change in changes:
        _draw_run(folder, rng, test_count=test_count, change=change)
        done = _run_pytest(folder, "--energy-out=run.json", "--junitxml=junit.xml")
        found.append(_checked(folder, change, done.returncode))
    return found


def is_planted(number: int, test_count: int) -> bool:
    """Whether this test is changed: one in five; a change of all would be taken for the session's."""
    return test_count < LEAST_TEST_COUNT or number % _PLANTED_SHARE == 0


def _draw_run(folder: Path, rng: random.Random, *, test_count: int, change: float) -> None:
    """Write a run's joules: each test has its session's offset, and more rounds than it can take."""
    rounds = Rounds(cv=ROUND_CV, count=_DRAWN_ROUND_COUNT)
    tests = {}
    for number in range(test_count):
        planted = change if is_planted(number, test_count) else 0.0
        level_j = _LEVEL_J * (1 + planted) * math.exp(rng.gauss(0.0, BETWEEN_SD))
        tests[f"{_TEST_FILE}::test_work[{number}]"] = [
            ReplayRound.from_channels({"gpu:0": level_j * energy}, _DURATION_S, uncertainty_j=0.0)
            for energy in energies_of(rounds, rng, tolerance=0.05)
        ]
    save_replay(folder / "replay.json", tests)


def _run_pytest(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    environ = {name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN)}
    plain = ("-q", "-p", "no:cacheprovider", "--rootdir=.", "--energy-sensors=replay:replay.json")
    return subprocess.run(  # noqa: S603  # our own words
        [sys.executable, "-m", "pytest", *plain, *options],
        cwd=folder,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )


def _checked(folder: Path, change: float, exit_status: int) -> Checked:
    document = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    verdicts = {test["id"].partition("::")[2]: Verdict(test["verdict"]) for test in document["tests"]}
    return Checked(
        change=change,
        verdicts=verdicts,
        changed=frozenset(
            f"test_work[{number}]" for number in range(len(verdicts)) if is_planted(number, len(verdicts))
        ),
        exit_status=exit_status,
        disagreements=tuple(_disagreements(verdicts, folder / "junit.xml", exit_status)),
    )


def _disagreements(verdicts: Mapping[str, Verdict], junit_path: Path, exit_status: int) -> list[str]:
    suite = ET.parse(junit_path).getroot().find("testsuite")  # noqa: S314  # pytest's own
    if suite is None:
        return [f"{junit_path} holds no test suite"]
    cases = {case.get("name", ""): case for case in suite.iter("testcase")}
    found = []
    if cases.keys() != verdicts.keys():
        found.append(f"JUnit has {len(cases)} tests, the session document {len(verdicts)}")
    for name, case in cases.items():
        said = {entry.get("name"): entry.get("value") for entry in case.iter("property")}
        verdict = verdicts.get(name)
        if said.get("energy_verdict") != verdict:
            found.append(
                f"{name}: JUnit reports {said.get('energy_verdict')}, the session document {verdict}"
            )
        if (case.find("failure") is not None) != (verdict in FAILING):
            found.append(f"{name}: {verdict}, and a failure in JUnit: {case.find('failure') is not None}")
    failure_count = sum(verdict in FAILING for verdict in verdicts.values())
    if suite.get("failures") != str(failure_count):
        found.append(f"JUnit counts {suite.get('failures')} failures, the session document {failure_count}")
    expected = pytest.ExitCode.TESTS_FAILED if failure_count else pytest.ExitCode.OK
    if exit_status != expected:
        found.append(f"exit status {exit_status} with {failure_count} failures; expected {expected:d}")
    return found


def expected_shares(session_count: int, changes: Sequence[float]) -> Mapping[float, Mapping[Verdict, float]]:
    """Share of each verdict at each change, as operating.py simulates it."""
    cell = Cell(rounds=Rounds(cv=ROUND_CV), between_sd=BETWEEN_SD, session_count=session_count)
    return operations([cell], REPETITIONS, seed=SEED, changes=changes)[0].shares


_SHOWN = (Verdict.PASS, Verdict.INCONCLUSIVE, Verdict.REGRESSION, Verdict.IMPROVEMENT)


def table(checks: Sequence[Checked], shares: Mapping[float, Mapping[Verdict, float]]) -> str:
    """Verdicts found, and in brackets those expected with one standard error of their count."""
    lines = [
        f"{'true change':>11}  " + "".join(f"{verdict.value:>22}" for verdict in _SHOWN) + "   exit  agree"
    ]
    for check in checks:
        count = len(check.changed)
        cells = []
        for verdict in _SHOWN:
            share = shares[check.change].get(verdict, 0.0)
            expected, error = count * share, math.sqrt(count * share * (1 - share))
            cells.append(f"{check.counts[verdict]:>6} ({expected:5.1f} +- {error:3.1f})".rjust(22))
        agree = "no" if check.disagreements else "yes"
        lines.append(f"{100 * check.change:>+10.0f}%  {''.join(cells)}   {check.exit_status:>4}  {agree}")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, print, and say by the exit status whether all outputs agreed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--tests", type=int, default=TEST_COUNT, metavar="N", help=f"({TEST_COUNT})")
    parser.add_argument(
        "--sessions", type=int, default=SESSION_COUNT, metavar="K", help=f"of each baseline ({SESSION_COUNT})"
    )
    options = parser.parse_args(arguments)
    if min(options.tests, options.sessions) < 1:
        parser.error(f"--tests is {options.tests} and --sessions {options.sessions}; give at least 1")
    with tempfile.TemporaryDirectory(prefix="pytest-energy-") as folder:
        checks = check_gate(Path(folder), test_count=options.tests, session_count=options.sessions)
    sys.stdout.write(
        f"{options.tests} tests against {options.sessions} sessions, tolerance 5 %; found (expected)\n"
        f"{table(checks, expected_shares(options.sessions, CHANGES))}\n"
    )
    for check in checks:
        for disagreement in check.disagreements:
            sys.stdout.write(f"at {check.change:+.0%}: {disagreement}\n")
    return int(any(check.disagreements for check in checks))


if __name__ == "__main__":
    sys.exit(main())
