"""A terminal of a given size in which a program runs, as an emulator draws it."""

import fcntl
import os
import pty
import re
import struct
import subprocess
import termios
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyte


@dataclass(frozen=True, slots=True)
class Shown:
    """What a program has shown.

    Attributes:
        lines: All lines at its end, those that were scrolled away first.
        screens: The screen each time that the cursor went up a line, and at the end.
        returncode: Its exit status.
    """

    lines: tuple[str, ...]
    screens: tuple[tuple[str, ...], ...]
    returncode: int


def run_in_terminal(
    command: Sequence[str], *, rows: int, columns: int, folder: Path, environ: Mapping[str, str]
) -> Shown:
    """Run *command* to its end."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    written = b""
    with subprocess.Popen(  # noqa: S603  # a test's own command
        command, stdin=theirs, stdout=theirs, stderr=theirs, cwd=folder, env=environ
    ) as process:
        os.close(theirs)
        while content := _read(ours):
            written += content
    os.close(ours)
    return _drawn(written, rows, columns, process.returncode)


def _drawn(written: bytes, rows: int, columns: int, returncode: int) -> Shown:
    screen = pyte.HistoryScreen(columns, rows, history=10_000)
    stream, screens = pyte.ByteStream(screen), []
    for part in re.split(rb"(?<=\x1b\[1A)", written):
        stream.feed(part)
        screens.append(_lines(screen.display))
    above = ["".join(line[place].data for place in range(columns)) for line in screen.history.top]
    return Shown(lines=_lines([*above, *screen.display]), screens=tuple(screens), returncode=returncode)


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # how Linux says that nobody is at the other end any more
        return b""


def _lines(lines: Sequence[str]) -> tuple[str, ...]:
    return tuple(line.rstrip() for line in lines)
