"""The tests of others run as without the plugin, and what they do to their process is no harm to it."""

import pytest

from tests.plugin.conftest import Project, Run

MODULES_GIVEN_BACK = """
import sys
from unittest import mock

@pytest.fixture
def modules_as_they_were():
    with mock.patch.dict(sys.modules):
        yield

def test_with_it(modules_as_they_were, request):
    request.getfixturevalue("energy").measure(sum, [1, 2])

def test_other(energy):
    energy.measure(sum, [1, 2])

def test_not_ours():
    assert sys.modules["pytest_energy.model"].Record is sys.modules["pytest_energy.plugin.run"].Record
"""

# Who asks: of us, of pytest and of the test the one that is nearest on the stack.
NEAREST = """
import sys

def nearest():
    frame = sys._getframe()
    while frame is not None:
        name = frame.f_globals.get("__name__", "")
        if name.startswith(OWNERS) and frame.f_code.co_name not in OWN_FUNCTIONS:
            return name
        frame = frame.f_back
    return ""

OWNERS = ("pytest_energy", "_pytest", "test_")
OWN_FUNCTIONS = ("nearest", "refuse", "watch")
"""

IMPORTS_REFUSED = """
import builtins

@pytest.fixture(params=["refused", "emptied"])
def without_imports(request, monkeypatch):
    if request.param == "refused":
        import_it = builtins.__import__
        def refuse(name, *args, **kwargs):
            if nearest().startswith("pytest_energy"):  # pytest may, to tell of a failure
                raise ImportError(name)
            return import_it(name, *args, **kwargs)
        monkeypatch.setattr(builtins, "__import__", refuse)
    else:
        for name in [name for name in sys.modules if name.partition(".")[0] not in ("builtins", "sys")]:
            monkeypatch.delitem(sys.modules, name)

@pytest.mark.energy(domains="gpu", parts=("work", "joules"))
def test_work(without_imports, energy):
    energy.measure(sum, [1, 2])
    energy.record(accuracy=0.5)
    energy.record(**{"a\x1b": 1.0}) if False else None
"""


def test_modules_that_a_test_gives_back_are_no_loss(project: Project) -> None:
    """Also where the fixture was asked for by name, inside the test's own patches."""
    project.write(MODULES_GIVEN_BACK)
    project.replay({name: [1.0] * 9 for name in ("test_with_it", "test_other")})
    run = project.run(subprocess=True)
    run.result.assert_outcomes(passed=3)
    assert run.verdict("test_other") == "no-baseline"


def test_a_test_may_refuse_every_import(project: Project) -> None:
    """What measures, judges and says why not was imported before its fixtures."""
    project.write(NEAREST + IMPORTS_REFUSED)
    names = ("test_work[refused]", "test_work[emptied]")
    project.replay({name: [1.0] * 9 for name in names})
    project.run("--energy-baseline=add", subprocess=True).result.assert_outcomes(passed=2)
    run = project.run("--energy-report", subprocess=True)
    run.result.assert_outcomes(passed=2)
    assert [run.verdict(name) for name in names] == ["pass"] * 2


COUNTER = """
import os
import time
from pytest_energy.meter import rest
from pytest_energy.model import Channel, CounterResponse, Domain, Provenance
from pytest_energy.sensors.protocol import Facts
from pytest_energy.usage import Usage

DEVICE = f"counter-{os.getpid()}"  # nobody else's, to be waited for

class Counter:
    name, provenance = "counter", Provenance.MEASURED
    channels = (
        Channel(
            name="cpu:0", domain=Domain.CPU, device=DEVICE, is_ticked=True, resolution_j=1e-6,
            response=CounterResponse(settle_s=0.0),
        ),
    )

    def read_j(self, channel, now_s=time.monotonic):
        return 2.0 * int(now_s() / 0.1)

    def usage(self):
        return Usage()

    def facts(self):
        return Facts(key_parts=("counter",))

    def close(self):
        pass

def pytest_energy_sensors(config):
    return {"counter": Counter}

rest.IDLE_S = 0.2
"""

WORLD_REPLACED = """
import builtins
import contextlib
import fcntl
import gc
import io
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import types

FUNCTIONS = {
    os: "open read write close stat lstat listdir scandir mkdir makedirs rename replace unlink getcwd pread"
    " getpid getuid times cpu_count sysconf urandom kill",
    subprocess: "Popen run check_output",
    socket: "socket create_connection",
    tempfile: "gettempdir mkstemp mkdtemp NamedTemporaryFile",
    fcntl: "flock lockf",
    io: "open",
    shutil: "which",
    gc: "collect enable disable freeze",
    threading: "Thread Lock Event Condition enumerate",
    pathlib.Path: "open read_text read_bytes exists is_file is_dir mkdir iterdir glob stat resolve",
}
OF_FILES = (os, io, fcntl, shutil)
ORIGINALS = [open, *(getattr(owner, name) for owner in OF_FILES for name in FUNCTIONS[owner].split())]

def refuse(*args, **kwargs):
    pytest.fail("the world was asked inside a test's patches")

@pytest.fixture
def names_replaced(monkeypatch):
    "As pyfakefs does it: in each module that names a module of files, or a function of one."
    for owner in OF_FILES:
        stand_in = types.SimpleNamespace(**{**vars(owner), **dict.fromkeys(FUNCTIONS[owner].split(), refuse)})
        for module in [module for name, module in sys.modules.items() if name.startswith("pytest_energy")]:
            for name, value in [*vars(module).items()]:
                if value is owner:
                    monkeypatch.setattr(module, name, stand_in)
                if any(value is original for original in ORIGINALS):
                    monkeypatch.setattr(module, name, refuse)

@contextlib.contextmanager
def replaced():
    "As mock.patch does it: where it is defined."
    with pytest.MonkeyPatch.context() as patch:
        for owner, names in FUNCTIONS.items():
            for name in names.split():
                patch.setattr(owner, name, refuse)
        patch.setattr(builtins, "open", refuse)
        patch.setattr(os, "environ", {})
        yield

@pytest.mark.energy(rounds=1, warmup=0)
def test_measure(names_replaced, energy):
    with replaced():
        energy.measure(sum, [1, 2])

@pytest.mark.energy(rounds=1)
def test_window(names_replaced, energy):
    with replaced(), energy.window("work"):
        sum([1, 2])

@pytest.mark.energy
def test_marked(names_replaced):
    with replaced():
        sum([1, 2])

def test_not_ours():
    assert open(__file__).readable()
"""

WATCHED = """
ASKED = []
EVENTS = (
    "import", "open", "subprocess.Popen", "os.listdir", "os.scandir", "os.mkdir", "os.rename", "os.remove",
    "os.chdir", "os.putenv", "socket.connect", "fcntl.flock", "tempfile.mkstemp", "ctypes.dlopen",
)
is_watching = False

def watch(event, args):
    if is_watching and event in EVENTS and not str(args[0]).startswith("/proc"):
        if nearest().startswith("pytest_energy"):
            ASKED.append((event, str(args[0]), nearest()))

sys.addaudithook(watch)

@pytest.fixture
def watched():
    global is_watching
    is_watching = True
    yield

@pytest.mark.energy(rounds=2)
def test_measure(watched, energy):
    energy.measure(sum, [1, 2])

@pytest.mark.energy(rounds=2)
def test_window(energy):
    with energy.window("work"):
        sum([1, 2])

def test_nothing_was_asked():
    assert ASKED == []
"""


@pytest.fixture
def counted(project: Project) -> Project:
    """A project with a counter of its own."""
    (project.path / "conftest.py").write_text(COUNTER, encoding="utf-8")
    return project


def assert_measured(run: Run, *names: str) -> None:
    """Each has rounds, which the sampler saw; those of a busy machine may be void."""
    for name in names:
        assert run.test(name)["rounds"]
        assert run.verdict(name) in {"no-baseline", "void"}
        assert "sampler" not in run.test(name)["reason"]


def test_the_world_may_be_replaced_while_a_test_is_measured(counted: Project) -> None:
    """Files, processes, sockets, folders and the environment, wherever they are named."""
    counted.write(WORLD_REPLACED)
    run = counted.run("--energy-sensors=counter", subprocess=True)
    run.result.assert_outcomes(passed=4)
    assert_measured(run, "test_measure", "test_window", "test_marked")


def test_nothing_is_asked_while_a_test_is_measured(counted: Project) -> None:
    """From the first fixtures on: no import, no file, no process, no lock file; /proc alone is read."""
    counted.write(NEAREST + WATCHED)
    run = counted.run("--energy-sensors=counter", subprocess=True)
    run.result.assert_outcomes(passed=3)
    assert_measured(run, "test_measure", "test_window")


WORLD_LEFT = """
import locale
import os
import signal
import sys
import warnings

@pytest.mark.energy(rounds=2)
def test_work(energy, tmp_path):
    energy.measure(sum, [1, 2])
    os.chdir(tmp_path)
    tmp_path.rmdir()
    os.environ.clear()
    sys.path.clear()
    warnings.simplefilter("error")
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    sys.setrecursionlimit(300)

def test_not_ours():
    assert not os.environ.get("HOME")
"""


def test_what_a_test_leaves_behind_takes_no_output_away(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another folder, which is gone, another environment, search path and filter of warnings."""
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(project.path / "step.md"))
    project.write(WORLD_LEFT)
    project.replay({"test_work": [1.0, 1.0]})
    run = project.run(
        "--energy-out=run.html",
        "--energy-out=run.csv",
        "--energy-report",
        "--energy-baseline=add",
        subprocess=True,
    )
    run.result.assert_outcomes(passed=2)
    assert "test_work" in (project.path / "run.html").read_text(encoding="utf-8")
    assert "test_work" in (project.path / "run.csv").read_text(encoding="utf-8")
    assert "test_work" in (project.path / "step.md").read_text(encoding="utf-8")
    assert len(project.baseline_paths) == 1
    assert "ERROR" not in run.text


@pytest.mark.parametrize("stand_in", ["MagicMock()", "None"])
def test_what_stands_in_for_a_library_ends_no_run(project: Project, stand_in: str) -> None:
    """From collection on: the test's own libraries, which are ours too, and those that the tables need."""
    names = ("psutil", "pynvml", "torch", "numpy", "scipy", "matplotlib", "wcwidth", "tabulate")
    project.write(
        "import sys\nfrom unittest.mock import MagicMock\n"
        f"sys.modules |= {{name: {stand_in} for name in {names}}}\n"
        "@pytest.mark.energy(rounds=1, warmup=0)\ndef test_work(energy):\n    energy.measure(sum, [1, 2])\n"
    )
    run = project.run("--energy-report", "--energy-estimates=gate", subprocess=True)
    run.result.assert_outcomes(passed=1)
    assert run.test()["rounds"]
    assert "energy: ERROR: the summary can't be made" in run.text
    assert "Traceback" not in run.text
