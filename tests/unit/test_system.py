"""The package on macOS and Windows, which are imitated in a process of its own."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pytest_energy import system
from pytest_energy.ab import signals
from pytest_energy.errors import SettingsError
from tests.fakes import other_system

IMPORT_ALL = """
import importlib, pkgutil
import pytest_energy
for module in pkgutil.walk_packages(pytest_energy.__path__, "pytest_energy."):
    if module.name != "pytest_energy.__main__":  # it is a run of the command line
        importlib.import_module(module.name)
"""
TESTS = """
import pytest

def test_work(energy):
    energy.measure(lambda: sum(range(20_000)))
"""
NAMES = {"darwin": "macOS", "win32": "Windows"}


@pytest.fixture(params=NAMES)
def of(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


def run_on(of: str, folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """What `python -m` with *words* does on the system *of*, in *folder*."""
    environment = {
        **{name: text for name, text in os.environ.items() if not name.startswith("PYTEST_")},
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",  # other plugins choose by the system when they are imported
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    command = [sys.executable, other_system.__file__, of, *words]
    return subprocess.run(  # noqa: S603  # our own
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


def pytest_on(of: str, folder: Path, *options: str) -> tuple[subprocess.CompletedProcess[str], Path]:
    """A run of one energy test, and where its document is."""
    (folder / "test_work.py").write_text(TESTS, encoding="utf-8")
    out = folder / "run.json"
    plugin = ("-p", "pytest_energy.plugin", "-p", "no:cacheprovider")
    done = run_on(of, folder, "pytest", *plugin, f"--energy-out={out}", *options)
    return done, out


def test_every_module_is_imported(of: str, tmp_path: Path) -> None:
    """Nothing that only Linux or POSIX has is asked for when a module is imported."""
    (tmp_path / "import_all.py").write_text(IMPORT_ALL, encoding="utf-8")
    done = run_on(of, tmp_path, "import_all")
    assert (done.returncode, done.stderr) == (0, "")


WITHOUT = {
    "functions": """
import os, psutil, pytest
for name in "sysconf O_CLOEXEC O_DIRECTORY sched_getaffinity waitid pread register_at_fork".split():
    delattr(os, name)
""",
    "modules": """
import sys, psutil, pytest
sys.modules |= dict.fromkeys(("fcntl", "resource", "pwd", "grp", "termios"))
""",
}


@pytest.mark.parametrize("what", WITHOUT)
def test_every_module_is_imported_on_a_system_of_neither_kind(what: str, tmp_path: Path) -> None:
    """One of a kind that nobody has tried may lack some of what Linux has, and have the rest."""
    command = [sys.executable, "-c", WITHOUT[what] + IMPORT_ALL]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(  # noqa: S603  # our own
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_a_run_estimates_and_reports_which_sensors_are_absent(of: str, tmp_path: Path) -> None:
    """Nothing measures there: each sensor of Linux has a reason that names the system."""
    done, out = pytest_on(of, tmp_path, "--energy-report")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "every joule estimated: 1 unmeasured" in done.stdout
    document = json.loads(out.read_text(encoding="utf-8"))
    absent = {one["name"]: one["absent_because"] for one in document["sensors"] if one["absent_because"]}
    assert {"nvml", "rapl", "hwmon"} <= absent.keys()
    assert all(NAMES[of] in because and "Measure on Linux" in because for because in absent.values())
    (test,) = document["tests"]
    assert (test["provenance"], test["verdict"]) == ("estimated", "unmeasured")


def test_the_doctor_reports_what_is_absent(of: str, tmp_path: Path) -> None:
    """It reads the estimate, and prints why no counter is read."""
    done = run_on(of, tmp_path, "pytest_energy", "doctor")
    assert done.stderr == ""
    assert f"it reads files of Linux's kernel, and this is {NAMES[of]}" in done.stdout
    assert "cpu:processes" in done.stdout


def test_baselines_are_saved_where_a_folder_can_be_locked(of: str, tmp_path: Path) -> None:
    """macOS has flock; on Windows the error says so before anything is lost."""
    done, _ = pytest_on(of, tmp_path, "--energy-estimates=gate", "--energy-baseline=add")
    if of == "darwin":
        assert done.returncode == 0, done.stdout + done.stderr
        assert list(tmp_path.rglob("baselines/**/*.json"))
    else:
        assert "Windows has no flock; save baselines on Linux or macOS" in done.stdout + done.stderr
        assert not list(tmp_path.rglob("baselines/**/*.json"))


def test_a_command_is_refused_without_sessions_of_processes(tmp_path: Path) -> None:
    """Its tree could not be ended: on Windows that is an error with its reason."""
    source = "def test_work(energy):\n    energy.command(['true'])\n"
    (tmp_path / "test_command.py").write_text(source, encoding="utf-8")
    done = run_on("win32", tmp_path, "pytest", "-p", "pytest_energy.plugin", "test_command.py")
    assert done.returncode == 1
    assert "energy.command is not available on Windows" in done.stdout


def test_two_revisions_are_not_compared_without_groups_of_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Their workers could not be ended: `ab` and `bisect` say so before they begin."""
    monkeypatch.setattr(signals, "IS_WINDOWS", True)
    with pytest.raises(SettingsError, match="this command is not available"):
        signals.ended_by_signals().__enter__()


def test_usable_cpus_are_those_of_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the system doesn't report them, all of the machine are taken."""
    assert system.usable_cpu_count() == len(os.sched_getaffinity(0))
    monkeypatch.delattr(os, "sched_getaffinity")
    assert system.usable_cpu_count() == os.cpu_count()
