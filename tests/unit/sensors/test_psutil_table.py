"""The processes as psutil knows them, beside Linux's own table."""

import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from pytest_energy.sensors import process_tree
from pytest_energy.sensors.process_table import ProcessTable
from pytest_energy.sensors.psutil_table import PsutilTable

NOBODY = 2**22 + 1  # above the most that Linux gives


@pytest.fixture
def child() -> Iterator[subprocess.Popen[bytes]]:
    """A process that has computed and waits."""
    source = "sum(range(3_000_000)); print('ready', flush=True); input()"
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", source], stdin=pipe, stdout=pipe) as process:  # noqa: S603  # our own
        assert process.stdout is not None
        process.stdout.readline()
        yield process
        process.communicate()


def test_a_process_is_as_linux_has_it(child: subprocess.Popen[bytes]) -> None:
    """Parent and processor time; its moment of birth is the same at each look."""
    table = PsutilTable()
    process, linux = table.process(child.pid), ProcessTable().process(child.pid)
    assert process is not None
    assert linux is not None
    assert process.parent_pid == os.getpid()
    assert process.cpu_s == pytest.approx(linux.cpu_s, abs=0.02)
    assert process.cpu_s > 0
    again = table.process(child.pid)
    assert again is not None
    assert again.start_ticks == process.start_ticks


def test_children_are_those_of_linux(child: subprocess.Popen[bytes]) -> None:
    """A child is seen while it is there."""
    assert child.pid in PsutilTable().children(os.getpid())


def test_who_is_not_there_is_not_visible() -> None:
    """Neither the process nor its children."""
    table = PsutilTable()
    assert table.process(NOBODY) is None
    assert table.children(NOBODY) == ()


def test_a_tree_counts_a_child_by_it(monkeypatch: pytest.MonkeyPatch, child: subprocess.Popen[bytes]) -> None:
    """Elsewhere than on Linux the family's seconds come from this table."""
    monkeypatch.setattr(process_tree, "IS_LINUX", False)
    tree = process_tree.ProcessTree()
    assert isinstance(tree._table, PsutilTable)
    assert child.pid in {process.pid for process in tree.others()}
    assert tree.cpu_s() > 0
