"""A process that measures devices until it is ended."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_PROGRAM = """
import sys, time
from pytest_energy.meter.device_lock import Patience, owned
with owned(sys.argv[1:], Patience(limit_s=0, now_s=time.monotonic, tell=print)):
    print("owned", flush=True)
    sys.stdin.read()
"""


@contextmanager
def holding(*devices: str) -> Iterator[subprocess.Popen[bytes]]:
    """Another process that owns *devices* for as long as its stdin is open."""
    process = subprocess.Popen(  # noqa: S603  # our own words
        [sys.executable, "-c", _PROGRAM, *devices],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
    )
    with process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == b"owned\n"
            yield process
        finally:
            process.kill()
