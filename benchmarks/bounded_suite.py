"""A suite of benchmarks in a process of its own, ended when its time is up."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
END_S = 15.0
"""Seconds at the end to write the reports."""


def run_suite(suite: str, plan: Mapping[str, object], *, variable: str, out: Path, most_s: float) -> int:
    """Run *suite*, which reads *plan* from the environment, for at most *most_s*; exit status of pytest.

    Args:
        suite: File, from the root of the repository.
        plan: At least `device`.
        variable: Name of *plan* in the environment.
        out: Folder that gets `run.json` and `run.html`.
        most_s: Seconds.
    """
    command = [
        *(sys.executable, "-m", "pytest", suite, "-q", "-p", "no:cacheprovider", "--energy-report"),
        "--energy-yardstick=off",  # nothing is compared with another run
        *(f"--energy-out={out / 'run.json'}", "--energy-baseline=off", f"--energy-max-time={most_s:g}s"),
        *([f"--energy-out={out / 'run.html'}"] if find_spec("jinja2") else []),
        *(["--energy-estimates=gate"] if plan["device"] == "cpu" else []),
    ]
    environment = {**os.environ, variable: json.dumps(plan)}
    process = subprocess.Popen(command, cwd=ROOT, env=environment)  # noqa: S603 (our own words)
    try:
        return process.wait(most_s)
    except subprocess.TimeoutExpired:
        process.terminate()
    try:
        return process.wait(END_S)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()


def keep_row(path: str | None, row: Mapping[str, object]) -> None:
    """Add *row* to the JSON list in *path*, if there is one."""
    if path is not None:
        file = Path(path)
        rows = json.loads(file.read_text()) if file.exists() else []
        file.write_text(json.dumps([*rows, row], indent=1))
