"""An unused plugin costs nothing."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = ("pynvml", "numpy", "scipy", "pandas", "torch", "psutil", "filelock", "tabulate", "wcwidth")

# What pytest itself loads is there when the plugin comes; what the plugin loads then is its own.
STARTS = """
import pytest, time

def core_s(*arguments):
    began_s = time.process_time()
    status = pytest.main(["--collect-only", "-p", "no:cacheprovider", *arguments])
    assert status == pytest.ExitCode.NO_TESTS_COLLECTED
    return time.process_time() - began_s

without_s = [core_s("-p", "no:energy") for _ in range(6)][1:]
print("TOOK", core_s(), min(without_s))
"""
LIMIT_S = 0.020


def test_a_run_without_energy_tests_imports_nothing_heavy(pytester: pytest.Pytester) -> None:
    """After a run with no energy test no library that measures or compares is loaded, and no other room."""
    pytester.makepyfile("def test_plain():\n    pass\n")
    pytester.makeconftest(
        "import sys\n"
        "def pytest_unconfigure(config):\n"
        f"    print('LOADED', sorted(set({HEAVY!r}) & set(sys.modules)))\n"
        "    own = [name.split('.')[1] for name in sys.modules if name.startswith('pytest_energy.')]\n"
        "    print('ROOMS', sorted({*own} - {'plugin', 'errors', 'units'}))\n"
    )
    result = pytester.runpytest_subprocess("-s")
    assert result.ret == 0
    result.stdout.fnmatch_lines(["*LOADED []*", "*ROOMS []*"])


@pytest.mark.slow
def test_collecting_nothing_is_hardly_slower(tmp_path: Path) -> None:
    """`pytest --collect-only` on an empty folder takes at most 20 ms more than without the plugin.

    Time of a core: that of the wall is also the neighbours'.
    """
    # As after an installation: compiled files are there, and nothing is traced for coverage.
    left_out = ("COVERAGE", "PYTHONDONTWRITEBYTECODE")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(left_out)}
    environment["PYTHONPYCACHEPREFIX"] = str(tmp_path / "compiled")

    empty = tmp_path / "empty"
    empty.mkdir()

    def starts_s() -> list[float]:
        """Processor time with the plugin, and without."""
        told = subprocess.run(  # noqa: S603 (written above)
            [sys.executable, "-c", STARTS], cwd=empty, env=environment, capture_output=True, check=True
        )
        return [float(time_s) for time_s in told.stdout.rpartition(b"TOOK")[2].split()]

    starts_s()  # compiles
    # The shortest of each: what else runs on the machine only ever adds.
    with_s, without_s = map(min, zip(*(starts_s() for _ in range(10)), strict=True))
    assert with_s - without_s <= LIMIT_S
