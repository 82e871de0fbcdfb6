"""Files that are read whole, and written whole or not at all.

Rule 1: whoever reads sees the old file or the new one, never a part, and so does who finds it after a crash.
Rule 2: only a file is read or replaced. A FIFO has no end until it is written, a device may have none,
and a link that leads nowhere is no absent file: something is missing.
Rule 3: what is sure not to be written is refused before the work.
"""

import errno
import os
import re
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from pytest_energy.errors import SettingsError
from pytest_energy.system import FOLDER, IS_WINDOWS, READ_ONLY, WITHOUT_WAITING

_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a FIFO",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}

# File systems end at 255 bytes a name: of a longer name a part tells whose file is being written.
_NAME_LENGTH = 40
_TEMPORARY_NAME = re.compile(r"\..*\.[0-9a-f]{16}\.tmp", re.DOTALL)


class NotAFile(OSError):
    """A path that is not a file, so it can't be read or replaced; the text names what it is."""


def check_file(path: Path) -> None:
    """Refuse *path* unless it is a file or doesn't exist.

    Raises:
        NotAFile: It is a folder, a FIFO, a socket, a device, or a link to one of them or to nowhere.
        OSError: It can't be looked at.
    """
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        if path.is_symlink():
            raise NotAFile(f"it is a link to nowhere ({path.readlink()})") from None
        return
    if not stat.S_ISREG(mode):
        link = " is a link to" if path.is_symlink() else " is"
        raise NotAFile(f"it{link} {_KINDS.get(stat.S_IFMT(mode), 'something else')}, not a file")


def read_whole(path: Path, most_bytes: int) -> bytes:
    """What the file *path* holds.

    Raises:
        NotAFile: As for `check_file`; or it has more than *most_bytes*, and was not read.
        OSError: It isn't there, or can't be read.
    """
    check_file(path)
    # What has become a FIFO since is not waited for.
    with open(os.open(path, READ_ONLY | WITHOUT_WAITING), "rb") as file:  # noqa: PTH123
        size_bytes = os.fstat(file.fileno()).st_size
        # One byte more than allowed shows a file that grows, or that doesn't tell its size.
        content = b"" if size_bytes > most_bytes else file.read(most_bytes + 1)
    if max(size_bytes, len(content)) > most_bytes:
        count = f"{size_bytes:,}" if size_bytes > most_bytes else f"more than {most_bytes:,}"
        raise NotAFile(f"it has {count} bytes, but at most {most_bytes:,} are read")
    return content


@contextmanager
def writing(what: str) -> Iterator[None]:
    """Turn errors of the block, which writes *what*, into a `SettingsError`.

    Raises:
        SettingsError: It can't be written.
    """
    try:
        yield
    except OSError as error:
        msg = f"{what} can't be written: {error.strerror or error}; fix that, or name another place"
        raise SettingsError(msg) from error


def check_place(path: Path) -> None:
    """Refuse a *path* at which no file can be put; whether there is room is seen only then.

    Raises:
        NotAFile: Something else than a file is there, such as a FIFO.
        OSError: It may not be written, or no folder be made for it.
    """
    place = _place_of(path)
    try:
        place.stat()
    except (FileNotFoundError, NotADirectoryError):
        above = next(folder for folder in place.absolute().parents if os.path.lexists(folder))
        if not above.is_dir():
            raise NotAFile(f"{above} is not a folder") from None
        _check_access(above)
        return
    check_file(path)
    _check_access(place)  # a new file could take the place of a protected one all the same


def _place_of(path: Path) -> Path:
    """Where a file for *path* is put: a link keeps its name, wherever it leads."""
    return Path(os.path.realpath(path)) if path.is_symlink() else path


def _check_access(place: Path) -> None:
    if not os.access(place, os.W_OK):
        is_read_only = hasattr(os, "statvfs") and os.statvfs(place).f_flag & os.ST_RDONLY
        number = errno.EROFS if is_read_only else errno.EACCES
        raise OSError(number, os.strerror(number))


def write_whole(path: Path, content: bytes) -> None:
    """Put *content* in place of *path* in one step; a link keeps its name, a file its permission bits.

    Folders on the way are made.

    Raises:
        NotAFile: *path* is something else than a file, such as a FIFO.
        OSError: It can't be written. An older file is then as it was.
    """
    check_place(path)
    place = _place_of(path)
    make_folder(place.parent)
    replace_whole(place, content)


def replace_whole(path: Path, content: bytes) -> None:
    """Put *content* in place of *path*, whatever it is; its folder must exist.

    Raises:
        OSError: It can't be written. What was there is then as it was, unless the text says otherwise.
    """
    temporary = path.parent / f".{path.name[:_NAME_LENGTH]}.{secrets.token_hex(8)}.tmp"
    try:
        with temporary.open("xb") as file:
            if path.is_file() and not IS_WINDOWS:
                os.fchmod(file.fileno(), stat.S_IMODE(path.stat().st_mode) & 0o777)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        with suppress(OSError):  # the first error says more
            temporary.unlink(missing_ok=True)
        raise
    try:
        sync_folder(path.parent)
    except OSError as error:
        because = f"{error.strerror or error}, so it was written, but may be lost if the machine crashes"
        raise OSError(error.errno, because) from error


def remove_leftovers(folder: Path) -> None:
    """Remove what killed writers have left in *folder*; no other writer may be active."""
    for file in folder.iterdir():
        if _TEMPORARY_NAME.fullmatch(file.name):
            file.unlink(missing_ok=True)


def make_folder(folder: Path) -> None:
    """Make *folder* and those above it, so that they outlast a crash of the machine."""
    if folder.is_dir():
        return
    if folder.parent != folder:
        make_folder(folder.parent)
    folder.mkdir(exist_ok=True)
    sync_folder(folder.parent)


def sync_folder(folder: Path) -> None:
    """Have the names in *folder* outlast a crash of the machine, where the file system can."""
    try:
        descriptor = os.open(folder, READ_ONLY | FOLDER)
    except PermissionError:  # names may be made in it, and not be read; on Windows no folder can be opened
        return
    try:
        os.fsync(descriptor)
    except OSError as error:
        # Some network and user-space file systems can't, and say so this way (fsync(2), EINVAL).
        if error.errno != errno.EINVAL:
            raise
    finally:
        os.close(descriptor)
