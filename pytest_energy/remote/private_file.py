"""Files that hold a secret: a token, the key of a certificate."""

import os
import secrets
import stat
from pathlib import Path

from pytest_energy.errors import SettingsError
from pytest_energy.masking import Secret, keep_secret
from pytest_energy.whole_file import read_whole

_MOST_BYTES = 4096
_LEAST_LENGTH = 16  # of a token: 16 random letters can't be tried out


def check_private(path: Path, what: str) -> None:
    """Refuse *path*, which holds *what*, if other users can read or write it.

    Raises:
        SettingsError: They can, or it can't be looked at.
    """
    try:
        mode = path.stat().st_mode
    except OSError as error:
        raise SettingsError(f"{what} {path} can't be read: {error.strerror or error}") from error
    if mode & (stat.S_IRWXO | stat.S_IWGRP):
        raise SettingsError(
            f"{what} {path} has mode {stat.S_IMODE(mode):04o}: other users can read or change it. "
            f"Run: chmod 600 {path}"
        )


def read_token(path: Path) -> Secret:
    """The token that the file *path* holds; it is masked in every text from now on.

    Raises:
        SettingsError: It can't be read, other users can read it, or what it holds is no token.
    """
    check_private(path, "the token file")
    try:
        text = read_whole(path, _MOST_BYTES).decode("ascii", "replace").strip()
    except OSError as error:
        raise SettingsError(f"the token file {path} can't be read: {error.strerror or error}") from error
    keep_secret(text)
    if len(text) < _LEAST_LENGTH or not text.isascii() or not text.isprintable() or " " in text:
        raise SettingsError(
            f"the token file {path} must hold one word of at least {_LEAST_LENGTH} ASCII characters. "
            "Make one: pytest-energy agent --new-token FILE"
        )
    return Secret(text)


def write_new_token(path: Path) -> None:
    """Write a new random token to *path*, which only its owner can read.

    Raises:
        SettingsError: There is something at *path*, or it can't be written.
    """
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(f"{secrets.token_urlsafe(32)}\n")
    except FileExistsError as error:
        raise SettingsError(f"{path} exists already; remove it for a new token") from error
    except OSError as error:
        raise SettingsError(f"{path} can't be written: {error.strerror or error}") from error
