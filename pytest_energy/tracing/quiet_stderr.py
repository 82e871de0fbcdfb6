"""Lines that the profiler's library in C writes to stderr, kept from the user; everybody else's pass."""

import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

_STDERR = 2
_OF_KINETO = re.compile(
    rb"^(?:USDT|STAGE|VERBOSE|INFO|WARNING|ERROR):\d{4}-\d\d-\d\d [\d:]+ \d+:\d+ \S+\.\w+:\d+\] .*\n?",
    re.MULTILINE,
)


@contextmanager
def without_kineto_lines() -> Iterator[None]:
    """Around the start or the stop of a profile, never around the work."""
    try:
        kept = os.dup(_STDERR)
    except OSError:  # no stderr at all
        yield
        return
    with tempfile.TemporaryFile() as between:
        os.dup2(between.fileno(), _STDERR)
        try:
            yield
        finally:
            os.dup2(kept, _STDERR)
            os.close(kept)
            between.seek(0)
            _write_all(_OF_KINETO.sub(b"", between.read()))


def _write_all(text: bytes) -> None:
    while text:
        text = text[os.write(_STDERR, text) :]
