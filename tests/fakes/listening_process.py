"""A process that listens on the loopback and has a child, as a server with workers has."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

_SCRIPT = """
import socket, subprocess, sys
server = socket.create_server(("127.0.0.1", 0))
child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
print(server.getsockname()[1], child.pid, flush=True)
input()
child.communicate(b"\\n")
"""


@contextmanager
def listening_process() -> Iterator[tuple[int, set[int]]]:
    """Its port, and the ids of both processes."""
    with subprocess.Popen(  # noqa: S603 (our own script)
        [sys.executable, "-c", _SCRIPT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        port, child = map(int, process.stdout.readline().split())
        try:
            yield port, {process.pid, child}
        finally:
            process.communicate("\n")
