"""A suite of benchmarks in a process of its own, ended when its time is up."""

import json
import os
import subprocess
import sys
import time
from argparse import Namespace
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
END_S = 15.0
"""Seconds at the end to write the reports."""


Rows = Sequence[Mapping[str, Any]]


def run_and_show(
    arguments: Namespace,
    suite: str,
    *,
    variable: str,
    kept: str,
    table: Callable[[Rows], str],
    nothing: str,
    plan: Mapping[str, object] | None = None,
) -> int:
    """Run *suite* by the options that each such benchmark has, and print the table of its rows.

    Args:
        arguments: With `out`, `device` and `most_s`.
        suite: As in `run_suite`.
        variable: As in `run_suite`.
        kept: Name of the file in `out` that gets a row as each test ends.
        table: Of the rows.
        nothing: What is printed in its place if there are none.
        plan: What the suite reads besides `device`, `rows`, `deadline_s` and `most_s`.

    Returns:
        0, or 1 without rows.
    """
    began_s, out = time.time(), Path(arguments.out).resolve()
    out.mkdir(parents=True, exist_ok=True)
    rows = out / kept
    rows.unlink(missing_ok=True)
    most_s = arguments.most_s - END_S
    whole = {"device": arguments.device, "rows": str(rows), "deadline_s": began_s + most_s, "most_s": most_s}
    status = run_suite(suite, {**whole, **(plan or {})}, variable=variable, out=out, most_s=arguments.most_s)
    print(table(json.loads(rows.read_text())) if rows.exists() else nothing)  # noqa: T201
    print(f"{time.time() - began_s:.0f} s, exit status of pytest {status}; {out}")  # noqa: T201
    return 0 if rows.exists() else 1


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
    return bounded(command, {variable: json.dumps(plan)}, most_s)


def bounded(command: Sequence[str], variables: Mapping[str, str], most_s: float) -> int:
    """Run *command* with further *variables* for at most *most_s* seconds; its exit status."""
    process = subprocess.Popen(command, cwd=ROOT, env={**os.environ, **variables})  # noqa: S603 (our own words)
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
