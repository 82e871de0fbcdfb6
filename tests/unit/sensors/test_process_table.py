"""The machine's processes, read while a test's patches are in force."""

import builtins
import os
import subprocess
import sys

import psutil
import pytest

from pytest_energy.meter.host_usage import LinuxSystem
from pytest_energy.sensors.process_table import ProcessTable

# Starts a child that waits as it does itself, and says its number.
PARENT = """
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
print(child.pid, flush=True)
input()
child.communicate()
"""

# Says whether it has a child before one, beside one, when that has ended, and when it was waited for.
FAMILY = """
import os, subprocess, sys
from pytest_energy.sensors.process_table import ProcessTable
table = ProcessTable()
print(table.has_children())
child = subprocess.Popen([sys.executable, "-c", "sys.exit(input())"], stdin=subprocess.PIPE, stderr=-3)
print(table.has_children())
child.stdin.close()
os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
print(table.has_children(), child.wait(), table.has_children())
"""


def test_a_process_is_as_psutil_sees_it() -> None:
    """Parent and processor time; memory within what it takes or gives back between two looks."""
    process, other = ProcessTable().process(os.getpid()), psutil.Process()
    assert process is not None
    assert process.parent_pid == os.getppid() == other.ppid()
    assert process.cpu_s == pytest.approx(sum(other.cpu_times()[:4]), abs=0.05)
    assert process.resident_bytes == pytest.approx(other.memory_info().rss, rel=0.05)


def test_parents_and_children_are_known_to_one_another() -> None:
    """A process has its children, with and without the kernel's lists; a child has ancestors in order."""
    table = ProcessTable()
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", PARENT], stdin=pipe, stdout=pipe) as parent:  # noqa: S603  # our own
        assert parent.stdout is not None
        child_pid = int(parent.stdout.readline())
        children = (table.children(parent.pid), table._children_by_search(parent.pid))
        child = table.process(child_pid)
        assert child is not None
        assert table.ancestors(child)[:3] == (child_pid, parent.pid, os.getpid())
        parent.communicate(b"\n")
    assert children == ((child_pid,), (child_pid,))
    assert table.process(child_pid) is None


def test_a_name_with_brackets_and_spaces_is_no_field() -> None:
    """A program may call itself anything; its fields come after the last bracket."""
    text = "open('/proc/self/comm', 'w').write(') R 1 (x'); print(flush=True); input()"
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", text], stdin=pipe, stdout=pipe) as odd:  # noqa: S603  # our own
        assert odd.stdout is not None
        odd.stdout.readline()
        process = ProcessTable().process(odd.pid)
        odd.communicate(b"\n")
    assert process is not None
    assert process.parent_pid == os.getpid()


def test_whether_there_are_children_is_asked_without_waiting_for_them() -> None:
    """Those that ended and were not waited for are some, and can be waited for afterwards."""
    done = subprocess.run(  # noqa: S603  # our own
        [sys.executable, "-c", FAMILY], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["False", "True", "True", "1", "False"]


@pytest.mark.parametrize("pid", [2**31 - 1, -1, 0])
def test_who_is_not_there_is_none(pid: int) -> None:
    """A number that no process has is no process."""
    assert ProcessTable().process(pid) is None


def test_patches_of_a_test_are_not_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files, the module `os` and psutil may be replaced by what fails."""

    def refuse(*_: object, **__: object) -> None:
        pytest.fail("asked beside a test")

    system = LinuxSystem()
    for name in (
        "open",
        "read",
        "close",
        "listdir",
        "scandir",
        "stat",
        "times",
        "getpid",
        "pread",
        "waitid",
        "sysconf",
    ):
        monkeypatch.setattr(os, name, refuse)
    monkeypatch.setattr(builtins, "open", refuse)
    monkeypatch.setattr(psutil, "Process", refuse)
    own_s, ram_bytes = system.own_cpu_s(), system.ram_used_bytes()
    busy_s, total_s = system.cpu_times_s()
    is_kin = system.is_kin(1)
    monkeypatch.undo()
    assert own_s is not None
    assert ram_bytes is not None
    assert 0.0 < busy_s < total_s
    assert is_kin is False
