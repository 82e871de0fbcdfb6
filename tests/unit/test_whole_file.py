import errno
import os
import resource
import socket
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_energy.whole_file import (
    NotAFile,
    check_file,
    check_place,
    make_folder,
    read_whole,
    remove_leftovers,
    write_whole,
)


def socket_at(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(str(path))


MAKERS: dict[str, Callable[[Path], object]] = {
    "it is a folder": Path.mkdir,
    "it is a FIFO": os.mkfifo,
    "it is a socket": socket_at,
    "it is a link to a device": lambda path: path.symlink_to("/dev/zero"),
    "it is a link to a folder": lambda path: path.symlink_to(path.parent),
    r"it is a link to nowhere \(gone/x\)": lambda path: path.symlink_to("gone/x"),
}


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture(params=MAKERS)
def odd(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, str]:
    """A path at which something else than a file stands, and what is said of it."""
    monkeypatch.chdir(tmp_path)  # a socket's name may have 107 bytes
    MAKERS[request.param](Path("x.json"))
    return Path("x.json"), request.param


class TestRead:
    def test_whole(self, tmp_path: Path) -> None:
        """A file is read as it is, up to the limit."""
        (tmp_path / "x").write_bytes(b"12345")
        assert read_whole(tmp_path / "x", 5) == b"12345"

    def test_what_is_no_file(self, odd: tuple[Path, str]) -> None:
        """Nothing else than a file is opened: it could have no end."""
        path, text = odd
        with pytest.raises(NotAFile, match=f"^{text}"):
            read_whole(path, 5)

    def test_too_large(self, tmp_path: Path) -> None:
        """A file above the limit is refused with its size and the limit."""
        (tmp_path / "x").write_bytes(b"123456")
        with pytest.raises(NotAFile, match=r"it has 6 bytes, but at most 5 are read"):
            read_whole(tmp_path / "x", 5)

    def test_a_size_that_is_not_told(self) -> None:
        """A file that says it is empty is read no further than the limit."""
        with pytest.raises(NotAFile, match=r"it has more than 5 bytes"):
            read_whole(Path("/proc/self/stat"), 5)

    def test_nothing(self, tmp_path: Path) -> None:
        """A file that isn't there is no odd one."""
        check_file(tmp_path / "x")
        with pytest.raises(FileNotFoundError):
            read_whole(tmp_path / "x", 5)


class TestWrite:
    def test_new(self, tmp_path: Path) -> None:
        """Folders on the way are made; the file is as open as any that the user makes."""
        (tmp_path / "plain").touch()
        write_whole(tmp_path / "a" / "b" / "x", b"new")
        assert (tmp_path / "a" / "b" / "x").read_bytes() == b"new"
        assert mode_of(tmp_path / "a" / "b" / "x") == mode_of(tmp_path / "plain")

    @pytest.mark.parametrize("mode", [0o600, 0o640, 0o755, 0o666])
    def test_permissions(self, tmp_path: Path, mode: int) -> None:
        """A file that takes another's place is as open as that one."""
        path = tmp_path / "x"
        path.touch()
        path.chmod(mode)
        write_whole(path, b"new")
        assert (path.read_bytes(), mode_of(path)) == (b"new", mode)

    def test_a_link(self, tmp_path: Path) -> None:
        """A link goes on leading to the file, which has the new content."""
        (tmp_path / "there").mkdir()
        (tmp_path / "there" / "x").write_bytes(b"old")
        (tmp_path / "link").symlink_to("there/x")
        write_whole(tmp_path / "link", b"new")
        assert (tmp_path / "link").is_symlink()
        assert (tmp_path / "there" / "x").read_bytes() == b"new"

    def test_a_link_to_what_is_not_there_yet(self, tmp_path: Path) -> None:
        """A link made for a file to come is followed."""
        (tmp_path / "link").symlink_to("there/x")
        write_whole(tmp_path / "link", b"new")
        assert (tmp_path / "there" / "x").read_bytes() == b"new"

    def test_what_is_no_file(self, odd: tuple[Path, str]) -> None:
        """Nothing else than a file is replaced, be it asked for on purpose."""
        path, text = odd
        if "nowhere" in text:
            return
        before = path.lstat()
        with pytest.raises(NotAFile, match=f"^{text}"):
            write_whole(path, b"new")
        assert path.lstat().st_ino == before.st_ino

    def test_a_long_name(self, tmp_path: Path) -> None:
        """A name as long as the file system takes is no obstacle."""
        write_whole(tmp_path / ("ü" * 127), b"new")
        assert len(list(tmp_path.iterdir())) == 1

    @pytest.mark.parametrize(("place", "name"), [(os, "fsync"), (Path, "replace"), (os, "fchmod")])
    def test_a_fault(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: object, name: str) -> None:
        """Whatever the system refuses on the way, the old file is as it was and nothing else is left."""

        def fail(*_: object) -> None:
            raise OSError(errno.EIO, os.strerror(errno.EIO))

        (tmp_path / "x").write_bytes(b"old")
        monkeypatch.setattr(place, name, fail)
        with pytest.raises(OSError, match="Input/output error"):
            write_whole(tmp_path / "x", b"new")
        assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"old"]

    def test_a_file_that_may_not_grow(self, tmp_path: Path) -> None:
        """A write that the kernel stops half-way leaves the old file."""
        (tmp_path / "x").write_bytes(b"old")
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
        try:
            with pytest.raises(OSError, match="File too large"):
                write_whole(tmp_path / "x", bytes(5000))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"old"]

    def test_a_protected_file(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A file that may not be written is not replaced, though its folder would allow it."""
        (tmp_path / "x").write_bytes(b"old")
        monkeypatch.setattr(os, "access", lambda *_: False)  # root may write everything
        with pytest.raises(PermissionError, match="Permission denied"):
            write_whole(tmp_path / "x", b"new")
        assert (tmp_path / "x").read_bytes() == b"old"

    def test_a_folder_that_can_not_be_synced(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """The file is there by then, and the error says so."""

        def fsync(descriptor: int) -> None:
            if stat.S_ISDIR(os.fstat(descriptor).st_mode):
                raise OSError(errno.EIO, os.strerror(errno.EIO))

        monkeypatch.setattr(os, "fsync", fsync)
        with pytest.raises(
            OSError, match="Input/output error, so it was written, but may be lost if the machine crashes"
        ):
            write_whole(tmp_path / "x", b"new")
        assert (tmp_path / "x").read_bytes() == b"new"

    def test_a_fault_while_clearing_up(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """The first error is the one that is told."""

        def busy(*_: object, **__: object) -> None:
            raise OSError(errno.EBUSY, os.strerror(errno.EBUSY))

        def fail(*_: object) -> None:
            raise OSError(errno.EIO, os.strerror(errno.EIO))

        monkeypatch.setattr(Path, "unlink", busy)
        write_whole(tmp_path / "x", b"new")
        monkeypatch.setattr(Path, "replace", fail)
        with pytest.raises(OSError, match="Input/output error"):
            write_whole(tmp_path / "x", b"newer")
        assert (tmp_path / "x").read_bytes() == b"new"


class TestPlace:
    """What is known before the work; the odd kinds of file are in `TestWrite`."""

    def test_nothing_is_made(self, tmp_path: Path) -> None:
        """To look is not to write."""
        check_place(tmp_path / "new" / "x")
        assert list(tmp_path.iterdir()) == []

    def test_a_relative_path(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Its folders are those of the folder that the process is in."""
        monkeypatch.chdir(tmp_path)
        check_place(Path("new/x"))
        (tmp_path / "new").touch()
        with pytest.raises(NotAFile, match=f"^{tmp_path / 'new'} is not a folder"):
            check_place(Path("new/x"))

    def test_a_loop(self, tmp_path: Path) -> None:
        """A link to itself leads nowhere, and is not replaced."""
        (tmp_path / "x").symlink_to("x")
        with pytest.raises(OSError, match="Too many levels"):
            check_place(tmp_path / "x")

    @pytest.mark.parametrize("name", ["x", "new/x"])
    def test_a_folder_that_may_not_be_written(
        self, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Nothing can be made in it."""
        monkeypatch.setattr(os, "access", lambda *_: False)  # root may write everything
        with pytest.raises(PermissionError, match="Permission denied"):
            check_place(tmp_path / name)

    def test_a_file_system_that_may_not_be_written(self) -> None:
        """It is said as what it is."""
        mounts = Path("/proc/mounts").read_text(encoding="utf-8").splitlines()
        fixed = [words[1] for words in map(str.split, mounts) if "ro" in words[3].split(",")]
        place = next((Path(folder) for folder in fixed if Path(folder).is_dir()), None)
        if place is None:
            pytest.skip("nothing here is mounted read-only")
        with pytest.raises(OSError, match="Read-only file system"):
            check_place(place / "x")


class TestFolders:
    def test_names_outlast_a_crash(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """The folder above each new one is synced, the one that was there before included."""
        synced = []

        def note(descriptor: int) -> None:
            synced.append(Path(f"/proc/self/fd/{descriptor}").readlink())

        monkeypatch.setattr(os, "fsync", note)
        make_folder(tmp_path / "a" / "b")
        assert synced == [tmp_path, tmp_path / "a"]
        make_folder(tmp_path / "a" / "b")
        assert len(synced) == 2

    def test_leftovers(self, tmp_path: Path) -> None:
        """What a killed writer has left goes, and nothing else."""
        for name in (f".x.json.{'0a' * 8}.tmp", ".x.json.tmp", "x.json", f"x.{'0a' * 8}.tmp"):
            (tmp_path / name).touch()
        remove_leftovers(tmp_path)
        assert sorted(path.name for path in tmp_path.iterdir()) == [
            ".x.json.tmp",
            f"x.{'0a' * 8}.tmp",
            "x.json",
        ]
