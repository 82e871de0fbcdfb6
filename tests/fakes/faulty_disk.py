"""A disk that gives errors at some files."""

import errno
import os
from pathlib import Path

import pytest


def refuse(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    """Have no file be put in place whose path has one of *names* in it."""
    replace = Path.replace

    def checked(self: Path, target: Path) -> Path:
        if any(name in str(target) for name in names):
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", checked)
