"""Whether the CPU's work is unmeasured and the GPU's measured, on a machine with a GPU and without RAPL.

    python -m benchmarks.scope.show OUT

Rule 1: no joules of a GPU at rest are a verdict; the CPU's estimate stands beside them.
Rule 2: the main job takes the profile of the GPU.

Writes OUT/cases.json and OUT/benchmark.json. Exit status: 0, or 1 where a verdict is wrong or a test fails.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).parents[2]
CASES = Path(__file__).with_name("cases.py")
AT_REST = ("cpu_before_cuda", "cpu_after_cuda")
WANTED = "test_training and lenet and not bilenet and not glenet"
BENCHMARK = ("benchmarks", "-k", WANTED, "--dataset=synthetic")


def main(folder: Path) -> int:
    """Measure, and print what came of each test."""
    folder.mkdir(parents=True, exist_ok=True)
    cases = measured(folder / "cases.json", CASES, "--rootdir", CASES.parent, "-c", "/dev/null")
    main_job = measured(folder / "benchmark.json", *BENCHMARK)
    faults = [*map(fault_of, cases.tests), *map(fault_of_main_job, main_job.tests)]
    faults += [f"WRONG: pytest ended with {run.status}" for run in (cases, main_job) if run.status]
    wrong = [*filter(None, faults)]
    print(*map(line_of, (*cases.tests, *main_job.tests)), *wrong, sep="\n")  # noqa: T201
    return 1 if wrong else 0


class Run(NamedTuple):
    """What came of a run of pytest: its exit status, and the tests of its JSON."""

    status: int
    tests: list[dict[str, Any]]


def measured(path: Path, *words: object) -> Run:
    """Run pytest with *words*; its JSON is written to *path*."""
    options = ("-q", "-p", "no:cacheprovider", "--energy-report", f"--energy-out={path}")
    command = [sys.executable, "-m", "pytest", *map(str, words), *options]
    status = subprocess.run(command, cwd=ROOT, check=False).returncode  # noqa: S603  # our own words
    return Run(status, json.loads(path.read_text(encoding="utf-8"))["tests"])


def fault_of(test: dict[str, Any]) -> str | None:
    """How the verdict of one of the cases is not as it should be."""
    wanted = "unmeasured" if test["id"].rstrip("]").endswith(AT_REST) else "pass"
    if test["verdict"] != wanted:
        return f"WRONG: {test['id']} is {test['verdict']}, not {wanted}: {test['reason']}"
    if not all(one.get("estimated_channels") for one in test["rounds"]):
        return f"WRONG: {test['id']} has no estimate of the CPU beside it"
    return None


def fault_of_main_job(test: dict[str, Any]) -> str | None:
    """How a test of the main job didn't measure the GPU."""
    if test["energy_j"] is None or not any(name.startswith("gpu:") for name in test["channels"] or {}):
        return f"WRONG: {test['id']} has no joules of a GPU: {test['reason']}"
    return None


def line_of(test: dict[str, Any]) -> str:
    """Verdict, joules and power of a test, in a line."""
    rounds = test["rounds"]
    rest_w = [one.get("quiet_power_w") for one in rounds]
    joules = [{**one["channels"], **one.get("resting_channels", {})} for one in rounds]
    beside = [one.get("estimated_channels") for one in rounds]
    return f"{test['verdict']:<12}{test['id']}: {joules} J, before {rest_w} W, estimated {beside} J"


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
