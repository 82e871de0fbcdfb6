"""An unused plugin costs nothing."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = ("pynvml", "numpy", "scipy", "pandas", "torch", "ray", "psutil", "filelock", "tabulate", "wcwidth")
LIGHT = {"plugin", "errors", "units", "quantities", "spelling", "lazy_module", "machine_time", "masking"}

# The parts of what the plugin adds to a start, in one process: the shortest of many imports of it, and its
# hooks as the median of a run with them less the run without them beside it. What pytest itself loads is
# there before.
STARTS = """
import importlib, pytest, statistics, sys, time

def start_s(*arguments):
    began_s = time.process_time()
    status = pytest.main(["--collect-only", "-p", "no:cacheprovider", *arguments])
    assert status == pytest.ExitCode.NO_TESTS_COLLECTED
    return time.process_time() - began_s

def import_s():
    for name in [name for name in sys.modules if name.partition(".")[0] == "pytest_energy"]:
        del sys.modules[name]
    began_s = time.process_time()
    importlib.import_module("pytest_energy.plugin")
    return time.process_time() - began_s

starts_s = [(start_s(), start_s("-p", "no:energy")) for _ in range(20)][2:]
hooks_s = statistics.median(with_s - without_s for with_s, without_s in starts_s)
print("TOOK", min(import_s() for _ in range(20)), hooks_s, min(without_s for _, without_s in starts_s))
"""
LIMIT_S = 0.020
START_S = 0.08  # of pytest alone where the limit was set: a slower machine has as much more


def test_a_run_without_energy_tests_imports_nothing_heavy(pytester: pytest.Pytester) -> None:
    """After a run with no energy test no library that measures or compares is loaded, and no other room."""
    pytester.makepyfile("def test_plain():\n    pass\n")
    pytester.makeconftest(
        "import sys\n"
        "def pytest_unconfigure(config):\n"
        f"    print('LOADED', sorted(set({HEAVY!r}) & set(sys.modules)))\n"
        "    own = [name.split('.')[1] for name in sys.modules if name.startswith('pytest_energy.')]\n"
        f"    print('ROOMS', sorted({{*own}} - {LIGHT!r}))\n"
    )
    result = pytester.runpytest_subprocess("-s")
    assert result.ret == 0
    result.stdout.fnmatch_lines(["*LOADED []*", "*ROOMS []*"])


@pytest.mark.slow
def test_collecting_nothing_is_hardly_slower(tmp_path: Path) -> None:
    """`pytest --collect-only` on an empty folder takes at most 20 ms more than without the plugin.

    Time of a core, against that of a start without the plugin: what else runs on the machine slows both.
    """
    # As after an installation: compiled files are there, and nothing is traced for coverage.
    left_out = ("COVERAGE", "PYTHONDONTWRITEBYTECODE")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(left_out)}
    environment["PYTHONPYCACHEPREFIX"] = str(tmp_path / "compiled")

    empty = tmp_path / "empty"
    empty.mkdir()

    done = subprocess.run(  # noqa: S603 (written above)
        [sys.executable, "-c", STARTS], cwd=empty, env=environment, capture_output=True, check=True
    )
    import_s, hooks_s, start_s = map(float, done.stdout.rpartition(b"TOOK")[2].split())
    limit_s = LIMIT_S * max(1.0, start_s / START_S)
    assert import_s + hooks_s <= limit_s, f"import {import_s:.4f} s, hooks {hooks_s:.4f} s of {limit_s:.4f} s"
