"""One lock for each device, held by whoever measures it.

Rule 1: two windows on one device would measure each other, so a device is held while it is measured.
"""

import re
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path


@contextmanager
def locked(devices: Iterable[str]) -> Iterator[None]:
    """Own *devices* among all processes of this machine, waiting for as long as another one owns them."""
    from filelock import FileLock

    with ExitStack() as stack:
        for device in sorted(set(devices)):  # one order for everyone, so that nobody waits in a circle
            name = "pytest-energy-" + re.sub(r"[^A-Za-z0-9.-]", "_", device) + ".lock"
            # Readable and writable by all: the device is the machine's, not the user's.
            stack.enter_context(FileLock(Path(tempfile.gettempdir(), name), mode=0o666))
        yield
