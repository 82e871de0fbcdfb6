"""The process that holds a device or file that another one waits for."""

import os
from datetime import timedelta
from typing import NamedTuple

from pytest_energy.errors import printable
from pytest_energy.machine_time import MACHINE_TIME
from pytest_energy.masking import masked_words
from pytest_energy.sensors.process_table import ProcessTable

_MOST_CHARACTERS = 100  # of a command: its program and what it works on
_STOPPED = "T"

_TABLE = ProcessTable()
_own_user = getattr(os, "getuid", lambda: None)  # Windows has no such numbers


class Holder(NamedTuple):
    """The process that holds something.

    Attributes:
        pid: Of the process; 0 if the kernel doesn't report it.
        user: The user's number, or `None` if the kernel doesn't report it.
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
            return "a process that isn't visible from here (in another container, for instance)"
        owner = "" if self.user in {None, _own_user()} else f" of user {self.user}"
        process = _TABLE.process(self.pid)
        if process is None:
            return f"pid {self.pid}{owner}, which has ended or is hidden from here"
        command = command_text(_TABLE.words(self.pid))
        began = MACHINE_TIME.utc_now() - timedelta(seconds=MACHINE_TIME.since_start_s() - process.start_s)
        state = f", and stopped (kill -CONT {self.pid} resumes it)" if process.state == _STOPPED else ""
        since = f"{began:%Y-%m-%dT%H:%M:%SZ}"
        return f"pid {self.pid}{owner} ({command}), running since {since}{state}"


def command_text(words: tuple[str, ...]) -> str:
    """*words* up to the first long option: what follows may be secret, a key for instance.

    >>> command_text(("/usr/bin/python3", "-m", "pytest", "tests", "--token", "secret"))
    'python3 -m pytest tests ...'
    >>> command_text(("env", "API_KEY=sesame", "serve"))
    'env API_KEY=*** serve'
    """
    end = next((place for place, word in enumerate(words) if word.startswith("--")), len(words))
    program, *others = words[:end] or ("?",)
    text = printable(" ".join(masked_words([program.rpartition("/")[2], *others])))
    is_cut = end < len(words) or len(text) > _MOST_CHARACTERS
    return f"{text[:_MOST_CHARACTERS]} ..." if is_cut else text
