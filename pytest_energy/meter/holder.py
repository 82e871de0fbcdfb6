"""A process that holds what another one waits for, as the kernel knows it."""

import os
import time
from datetime import UTC, datetime
from typing import NamedTuple

from pytest_energy.errors import printable
from pytest_energy.meter.process_table import ProcessTable

_MOST_CHARACTERS = 100  # of a command: its program and what it works on
_STOPPED = "T"

_TABLE = ProcessTable()
_now_s, _since_start_s, _own_user = time.time, time.clock_gettime, os.getuid


class Holder(NamedTuple):
    """Who holds something.

    Attributes:
        pid: Of the process; 0 where the kernel doesn't tell.
        user: The user's number, or `None` where the kernel doesn't tell.
    """

    pid: int = 0
    user: int | None = None

    @property
    def is_own(self) -> bool:
        """Whether it is this process, or one that this process descends from."""
        own = _TABLE.process(_TABLE.own_pid())
        return self.pid == _TABLE.own_pid() or (own is not None and self.pid in _TABLE.ancestors(own))

    def __str__(self) -> str:
        """The process, its user where that is another one, its command, and since when it runs."""
        if not self.pid:
            return "a process that can't be seen from here (of another container, for instance)"
        owner = "" if self.user in {None, _own_user()} else f" of user {self.user}"
        process = _TABLE.process(self.pid)
        if process is None:
            return f"pid {self.pid}{owner}, which has ended or is hidden from here"
        command = command_text(_TABLE.words(self.pid))
        began_s = _now_s() - (_since_start_s(_SINCE_START) - process.start_s)
        state = f", and stopped (kill -CONT {self.pid} lets it go on)" if process.state == _STOPPED else ""
        since = f"{datetime.fromtimestamp(began_s, UTC):%Y-%m-%dT%H:%M:%SZ}"
        return f"pid {self.pid}{owner} ({command}), running since {since}{state}"


_SINCE_START = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def command_text(words: tuple[str, ...]) -> str:
    """*words* up to the first long option: what follows may be nobody's business, a key for instance.

    >>> command_text(("/usr/bin/python3", "-m", "pytest", "tests", "--token", "secret"))
    'python3 -m pytest tests ...'
    """
    end = next((place for place, word in enumerate(words) if word.startswith("--")), len(words))
    program, *others = words[:end] or ("?",)
    text = printable(" ".join([program.rpartition("/")[2], *others]))
    is_cut = end < len(words) or len(text) > _MOST_CHARACTERS
    return f"{text[:_MOST_CHARACTERS]} ..." if is_cut else text
