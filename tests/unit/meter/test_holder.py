import os
import subprocess
import sys

import pytest

from pytest_energy.meter.holder import Holder, command_text


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ((), "?"),
        (("/usr/bin/python3", "-m", "pytest", "tests/gpu"), "python3 -m pytest tests/gpu"),
        (("pytest", "tests", "--api-key", "sk-live"), "pytest tests ..."),
        (("pytest", "a\x1b[31m\n::error::b"), r"pytest a\x1b[31m\n::error::b"),
        (("pytest", "x" * 200), f"pytest {'x' * 93} ..."),
    ],
)
def test_a_command(words: tuple[str, ...], text: str) -> None:
    """A command is its program and what it works on: no key in its options, nothing that moves the cursor."""
    assert command_text(words) == text


def test_this_process() -> None:
    """A process is told by number, command and start, and by its user only where that is another one."""
    text = str(Holder(os.getpid(), os.getuid()))
    assert text.startswith(f"pid {os.getpid()} (")
    assert ", running since 20" in text
    assert "user" not in text
    assert f"pid {os.getpid()} of user 54321 (" in str(Holder(os.getpid(), 54321))


def test_who_has_gone() -> None:
    """A process that has ended meanwhile is told as that."""
    with subprocess.Popen([sys.executable, "-c", ""]) as process:  # our own words
        process.wait()
    assert str(Holder(process.pid)) == f"pid {process.pid}, which has ended or is hidden from here"
    assert not Holder(process.pid).is_own


def test_kin() -> None:
    """A process is its own, as are those that it descends from; one that can't be seen is not."""
    assert Holder(os.getpid()).is_own
    assert Holder(os.getppid()).is_own
    assert not Holder().is_own
