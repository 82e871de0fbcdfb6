"""CPU seconds of a family: each once, whoever ends when."""

import subprocess
import sys
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_energy.sensors.process_tree import ProcessTree
from tests.fakes.processes import INIT_PID, OWN_PID, FakeProcesses

STEPS = st.lists(
    st.tuples(
        st.sampled_from(["start", "work", "end", "look"]),
        st.integers(0, 9),
        st.integers(1, 300).map(lambda count: count / 100),
    ),
    max_size=40,
)


@given(steps=STEPS)
def test_each_second_of_the_family_counts_once(steps: list[tuple[str, int, float]]) -> None:
    """Whatever starts, works and is waited for, and whenever it is looked at: the sum is what was worked."""
    table = FakeProcesses(look_s=0.001)
    tree, worked_s = ProcessTree(table), 0.0
    for step, place, cpu_s in steps:
        parents = {process.parent for process in table.processes.values()}
        leaves = [pid for pid in table.processes if pid not in parents]
        pid = [*table.processes][place % len(table.processes)]
        if step == "start":
            table.start(pid)
        elif step == "work":
            table.work(pid, cpu_s)
            worked_s += cpu_s
        elif step == "end" and (leaf := leaves[place % len(leaves)]) != OWN_PID:
            table.end(leaf)
        elif step == "look":
            tree.cpu_s()
    assert tree.cpu_s() == pytest.approx(worked_s, abs=1e-6)


@given(steps=STEPS)
def test_the_sum_never_falls(steps: list[tuple[str, int, float]]) -> None:
    """Not where parents end before their children, either, nor where clocks can't be read."""
    table = FakeProcesses(look_s=0.001, has_clocks=False)
    tree, before_s = ProcessTree(table), 0.0
    for step, place, cpu_s in steps:
        pid = [*table.processes][place % len(table.processes)]
        if step == "start":
            table.start(pid)
        elif step == "work":
            table.work(pid, cpu_s)
        elif step == "end" and pid != OWN_PID:
            table.end(pid)
        now_s = tree.cpu_s()
        assert now_s >= before_s
        before_s = now_s


def test_a_look_costs_the_sum_nothing() -> None:
    """What this thread does to look is subtracted, however often it looks."""
    table = FakeProcesses(look_s=0.01)
    for _ in range(5):
        table.start()
    tree = ProcessTree(table)
    table.work(OWN_PID, 1.0)
    assert [tree.cpu_s() for _ in range(3)] == pytest.approx([1.0] * 3)
    assert table.looking_s > 0.1


def test_what_was_there_before_counts_until_the_first_look() -> None:
    """The seconds of a server that a fixture has started are before the window, whose look finds it."""
    table = FakeProcesses()
    tree, server = ProcessTree(table), table.start()
    table.work(server, 5.0)
    before_s = tree.cpu_s()
    table.work(server, 2.0)
    assert tree.cpu_s() - before_s == pytest.approx(2.0)


def test_a_daemon_that_was_seen_stays_in_the_family() -> None:
    """Given to another parent it counts on, and what it had used is kept when it ends."""
    table = FakeProcesses()
    tree, parent = ProcessTree(table), table.start()
    daemon = table.start(parent)
    tree.cpu_s()
    table.end(parent)
    assert table.processes[daemon].parent == INIT_PID
    table.work(daemon, 3.0)
    assert tree.cpu_s() == pytest.approx(3.0)
    table.end(daemon)
    table.work(OWN_PID, 1.0)
    assert tree.cpu_s() == pytest.approx(4.0)


def test_others_processes_count_when_they_are_adopted() -> None:
    """A server that somebody else has started is no part, until it is named; one that has gone can't be."""
    table = FakeProcesses()
    tree, server = ProcessTree(table), table.start(INIT_PID)
    table.work(server, 1.0)
    assert tree.cpu_s() == 0.0
    tree.adopt([server, 999, OWN_PID])
    assert tree.adopted == {server}
    before_s = tree.cpu_s()
    worker = table.start(server)
    table.work(worker, 2.0)
    assert tree.cpu_s() - before_s == pytest.approx(2.0)
    assert [process.pid for process in tree.others()] == [server, worker]


def test_a_number_that_another_process_has_now_is_no_member() -> None:
    """A process that ended unseen, and whose number somebody else was given, is not in the family."""
    table = FakeProcesses()
    tree = ProcessTree(table)
    old = table.start()
    table.work(old, 1.0)
    tree.cpu_s()
    table.end(old)
    table.next_pid = old
    stranger = table.start(INIT_PID)
    assert stranger == old
    assert tree.cpu_s() == pytest.approx(1.0)
    assert tree.others() == ()


def busy(seconds: float) -> str:
    return f"import time\nwhile time.process_time() < {seconds}: pass"


def test_real_children_count_while_they_run_and_after_it() -> None:
    """A child's seconds are ours while it lives, and stay when it has been waited for; to a hundredth."""
    tree = ProcessTree()
    before_s, pipe = tree.cpu_s(), subprocess.PIPE
    text = f"{busy(0.2)}\nprint(flush=True)\ninput()"
    with subprocess.Popen([sys.executable, "-c", text], stdin=pipe, stdout=pipe) as child:  # noqa: S603  # our own
        assert child.stdout is not None
        child.stdout.readline()
        running_s = tree.cpu_s() - before_s
        child.communicate(b"\n")
    ended_s = tree.cpu_s() - before_s
    assert running_s >= 0.2
    assert running_s <= ended_s < running_s + 0.15


def test_short_work_is_counted_to_a_fraction_of_a_hundredth() -> None:
    """Two milliseconds of work are two, not nothing and not ten."""
    tree = ProcessTree()
    outer_s = time.process_time()
    before_s, inner_s = tree.cpu_s(), time.process_time()
    while time.process_time() < inner_s + 0.002:
        pass
    counted_s = tree.cpu_s() - before_s
    assert 0.0019 <= counted_s <= time.process_time() - outer_s
