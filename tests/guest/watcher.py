"""A pytest plugin that writes how each test of a suite ended, and what it has left in its process.

pytest -p watcher --watcher-out=FOLDER ...
"""

import builtins
import gc
import hashlib
import json
import locale
import os
import random
import re
import signal
import sys
import tempfile
import threading
import time
import warnings
import zlib
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

_ADDRESS = re.compile(r"0x[0-9a-f]+")
_SELF = Path("/proc/self")
_MOST_STATES = 4000
_SETTLES_S = 1.0
_now_s, _sleep_s = time.monotonic, time.sleep


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--watcher-out", type=Path)


def pytest_configure(config: pytest.Config) -> None:
    process = getattr(config, "workerinput", {}).get("workerid", "main")  # of pytest-xdist
    config.pluginmanager.register(Watcher(config.getoption("watcher_out") / f"{process}.json"))


class Watcher:
    """What the tests of one process did."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self.outcomes: dict[str, list[str]] = {}
        self.warnings: list[str] = []
        self._step = 1
        self.states: dict[str, tuple[dict[str, str], list[str]]] = {}

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Of a suite that would take minutes to be looked at, one test of many is; and all that come in."""
        self._step = len(session.items) // _MOST_STATES + 1

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        if zlib.crc32(item.nodeid.encode()) % self._step and "_energy.py" not in item.nodeid:
            return (yield)
        before = state()
        result = yield
        after = settled_state(before["kernel threads"])
        self.states[item.nodeid] = before, [name for name in before if before[name] != after[name]]
        return result

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.outcomes.setdefault(report.nodeid, []).append(f"{report.when} {report.outcome}")

    def pytest_warning_recorded(self, warning_message: warnings.WarningMessage, nodeid: str) -> None:
        text = _ADDRESS.sub("0x", str(warning_message.message))
        self.warnings.append(f"{nodeid}: {warning_message.category.__name__}: {text}")

    def pytest_unconfigure(self) -> None:
        values = {name: value for name, value in vars(self).items() if not name.startswith("_")}
        self._file.write_text(json.dumps(values))


def settled_state(thread_count: str) -> dict[str, str]:
    """`state`, once a thread that has just been joined is gone for the kernel, too."""
    limit_s = _now_s() + _SETTLES_S
    while (after := state())["kernel threads"] != thread_count and _now_s() < limit_s:
        _sleep_s(_SETTLES_S / 20)
    return after


def state() -> dict[str, str]:
    """What a test may find changed in its process; another process's is told in the same words."""
    umask = os.umask(0o77)
    os.umask(umask)
    environment = {name: value for name, value in os.environ.items() if name != "PYTEST_CURRENT_TEST"}
    values: dict[str, object] = {
        "threads": sorted(thread.name for thread in threading.enumerate()),
        "kernel threads": len([*_SELF.glob("task/*")]),
        "children": "".join(file.read_text() for file in _SELF.glob("task/*/children")),
        "open files": sorted(_open_files()),
        "environment": sorted(environment.items()),
        "folder": Path.cwd(),
        "umask": umask,
        "warning filters": warnings.filters,
        "signal handlers": [_name(signal.getsignal(number)) for number in sorted(signal.valid_signals())],
        "limits": (sys.getrecursionlimit(), sys.getswitchinterval(), gc.get_threshold(), gc.isenabled()),
        "locale": locale.setlocale(locale.LC_ALL),
        "import path": (sys.path, [*map(_name, sys.meta_path)], len(sys.path_hooks)),
        "functions": [_name(one) for one in (builtins.open, builtins.__import__, os.stat, sys.excepthook)],
        "temporary folder": tempfile.tempdir,
        "random numbers": hashlib.sha256(repr(random.getstate()).encode()).hexdigest(),
    }
    return {name: _ADDRESS.sub("0x", str(value)) for name, value in values.items()}


def _open_files() -> Iterator[str]:
    for link in _SELF.glob("fd/*"):
        try:
            yield str(link.readlink())
        except OSError:  # that of the folder itself
            continue


def _name(value: object) -> str:
    """A function, a class or an object's class, with its module."""
    named = value if hasattr(value, "__qualname__") else type(value)
    return f"{getattr(named, '__module__', '')}.{getattr(named, '__qualname__', value)}"
