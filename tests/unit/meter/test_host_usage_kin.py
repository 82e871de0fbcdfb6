"""The other side of a comparison is no stranger on the device."""

import os
import subprocess
import sys

from pytest_energy.meter.host_usage import LinuxSystem


def test_a_child_of_the_same_command_is_kin() -> None:
    """A process beside this one is kin where both descend from the command, and not otherwise."""
    waits = [sys.executable, "-c", "import sys; sys.stdin.read()"]
    asks = (
        "import sys; from pytest_energy.meter.host_usage import LinuxSystem; "
        "print(LinuxSystem(int(sys.argv[1])).is_kin(int(sys.argv[2])), "
        "LinuxSystem().is_kin(int(sys.argv[2])))"
    )
    with subprocess.Popen(waits, stdin=subprocess.PIPE) as sibling:  # noqa: S603  # this very interpreter
        done = subprocess.run(  # noqa: S603  # this very interpreter
            [sys.executable, "-c", asks, str(os.getpid()), str(sibling.pid)],
            capture_output=True,
            text=True,
            check=True,
        )
    assert done.stdout.split() == ["True", "False"]


def test_without_a_command_only_descendants_are() -> None:
    """By itself a process knows itself and what it has started."""
    assert LinuxSystem().is_kin(os.getpid()) is True
