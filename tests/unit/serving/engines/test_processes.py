"""Processes that were started, ended with all that they started themselves; and those behind a port."""

import multiprocessing
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from multiprocessing.process import BaseProcess

import psutil
import pytest

from pytest_energy.serving.engines.processes import ProcessFamily, server_pids
from tests.fakes.listening_process import listening_process


@pytest.fixture
def child() -> Iterator[BaseProcess]:
    """A process that waits for a process of its own."""
    process = multiprocessing.get_context("spawn").Process(target=subprocess.run, args=(["sleep", "600"],))
    process.start()
    while not psutil.Process(process.pid).children():  # it takes its time to start
        time.sleep(0.01)
    yield process
    process.kill()
    process.join()


def test_a_family_ends_as_a_whole(child: BaseProcess) -> None:
    """Child and grandchild are killed where they don't end by themselves, and leave no entry behind."""
    assert child.pid is not None
    (grandchild,) = psutil.Process(child.pid).children()
    family = ProcessFamily([child])
    assert family.pids == tuple(sorted((child.pid, grandchild.pid)))
    family.end(patience_s=0)
    assert not child.is_alive()
    assert not psutil.pid_exists(child.pid)
    assert not grandchild.is_running() or grandchild.status() == psutil.STATUS_ZOMBIE


def test_a_child_that_is_gone_is_no_surprise(child: BaseProcess) -> None:
    """It has no descendants any more."""
    (grandchild,) = psutil.Process(child.pid).children()
    child.kill()
    child.join()
    grandchild.kill()
    family = ProcessFamily([child])
    family.end(patience_s=0)
    assert family.pids == (child.pid,)


def test_no_family_ends_at_once() -> None:
    """As of an engine that never started."""
    family = ProcessFamily()
    family.end(patience_s=0)
    assert family.pids == ()


def test_the_processes_behind_a_port_are_the_listener_and_its_children() -> None:
    """A server's workers do the work; when it has ended there is none."""
    with listening_process() as (port, pids):
        assert set(server_pids(port)) == pids
    assert server_pids(port) == ()


def test_a_server_in_this_process_is_not_among_them() -> None:
    """This process measures, and is known."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        assert os.getpid() not in server_pids(server.getsockname()[1])


def test_a_server_that_ends_while_it_is_looked_for_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its port was seen, its process is gone."""
    with listening_process() as (port, _):
        seen = psutil.net_connections(kind="tcp")
    monkeypatch.setattr(psutil, "net_connections", lambda **_: seen)
    assert server_pids(port) == ()


def test_where_only_root_sees_all_sockets_each_process_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on macOS."""

    def refuse(**_: object) -> None:
        raise psutil.AccessDenied

    monkeypatch.setattr(psutil, "net_connections", refuse)
    with listening_process() as (port, pids):
        assert set(server_pids(port)) == pids
