"""An unused plugin costs nothing."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

HEAVY = ("pynvml", "numpy", "scipy", "pandas", "torch", "psutil", "filelock", "tabulate")


def test_a_run_without_energy_tests_imports_nothing_heavy(pytester: pytest.Pytester) -> None:
    """After a run with no energy test none of the libraries that measure or compare is loaded."""
    pytester.makepyfile("def test_plain():\n    pass\n")
    pytester.makeconftest(
        "import sys\n"
        "def pytest_unconfigure(config):\n"
        f"    print('LOADED', sorted(set({HEAVY!r}) & set(sys.modules)))\n"
    )
    result = pytester.runpytest_subprocess("-s")
    assert result.ret == 0
    result.stdout.fnmatch_lines(["*LOADED []*"])


def test_collecting_nothing_is_hardly_slower(tmp_path: Path) -> None:
    """`pytest --collect-only` on an empty folder takes at most 20 ms more than without the plugin."""
    # As after an installation: compiled files are there, and nothing is traced for coverage.
    left_out = ("COVERAGE", "PYTHONDONTWRITEBYTECODE")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(left_out)}
    environment["PYTHONPYCACHEPREFIX"] = str(tmp_path / "compiled")

    empty = tmp_path / "empty"
    empty.mkdir()

    def seconds(*arguments: str) -> float:
        command = [sys.executable, "-m", "pytest", "--collect-only", "-p", "no:cacheprovider", *arguments]
        started_s = time.perf_counter()
        subprocess.run(command, cwd=empty, env=environment, capture_output=True, check=False)  # noqa: S603  # our own
        return time.perf_counter() - started_s

    seconds()  # compiles
    # In turns, and the shortest of each: what else runs on the machine only ever adds.
    pairs_s = [(seconds(), seconds("-p", "no:energy")) for _ in range(15)]
    with_s, without_s = map(min, zip(*pairs_s, strict=True))
    assert with_s - without_s <= 0.020
