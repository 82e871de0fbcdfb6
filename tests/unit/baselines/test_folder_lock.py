import errno
import fcntl
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pytest_energy.baselines.folder_lock import FolderNotLocked, locked
from pytest_energy.baselines.store import Store
from pytest_energy.errors import BaselineError
from tests.builders import KEY, TEST_ID, sessions


@contextmanager
def writing(folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Another process that writes in *folder* until it is ended."""
    command = ["flock", str(folder), "sh", "-c", "echo locked; cat"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:  # noqa: S603
        assert process.stdout is not None
        process.stdout.readline()
        yield process
        process.communicate()


def is_free(folder: Path) -> bool:
    try:
        with locked(folder, 0.0):
            return True
    except FolderNotLocked:
        return False


def test_another_writer(tmp_path: Path) -> None:
    """A writer that waits for too long is told for whom; nothing is written."""
    with writing(tmp_path) as process, pytest.raises(FolderNotLocked) as caught:
        Store(tmp_path, lock_timeout_s=0).write(KEY, TEST_ID, sessions(1), "add")
    assert f"{tmp_path} was being written by another process for 0 s: by pid {process.pid} (flock " in str(
        caught.value
    )
    assert list(tmp_path.iterdir()) == []
    assert is_free(tmp_path)


@pytest.mark.parametrize("name", ["link", "other/../b", "b/", "other/link"])
def test_one_folder_by_two_names(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Writers who name the folder differently wait for one another, whatever their TMPDIR."""
    for folder in ("b", "other"):
        (tmp_path / folder).mkdir()
    (tmp_path / "link").symlink_to("b")
    (tmp_path / "other" / "link").symlink_to("../link")
    with writing(tmp_path / "b"):
        monkeypatch.setenv("TMPDIR", str(tmp_path / "other"))
        assert not is_free(tmp_path / name)


@pytest.mark.skipif(os.getuid() != 0, reason="only root may mount")
def test_one_folder_by_two_mounts(tmp_path: Path) -> None:
    """So do writers who see the folder through another mount, as a container does."""
    for folder in ("b", "mount"):
        (tmp_path / folder).mkdir()
    mounted = subprocess.run(  # noqa: S603
        ["mount", "--bind", str(tmp_path / "b"), str(tmp_path / "mount")],  # noqa: S607
        check=False,
        capture_output=True,
    )
    if mounted.returncode:
        pytest.skip(f"no mount here: {mounted.stderr.decode()}")
    try:
        with writing(tmp_path / "b"):
            assert not is_free(tmp_path / "mount")
        assert is_free(tmp_path / "mount")
    finally:
        subprocess.run(["umount", str(tmp_path / "mount")], check=True)  # noqa: S603, S607


def test_a_writer_that_is_killed(tmp_path: Path) -> None:
    """The lock goes with its process."""
    with subprocess.Popen(["flock", str(tmp_path), "sleep", "100"], start_new_session=True) as process:  # noqa: S603, S607
        while is_free(tmp_path):
            pass
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        with locked(tmp_path, 60.0):
            assert not is_free(tmp_path)


@pytest.mark.parametrize("number", [errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOLCK, errno.EBADF])
def test_no_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """Where the file system has no locks that is said at once, and nothing is written."""

    def refuse(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", refuse)
    with pytest.raises(BaselineError, match=f"can't lock {tmp_path}: {os.strerror(number)}; without a lock"):
        Store(tmp_path).write(KEY, TEST_ID, sessions(1), "add")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_was_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The lock is of the folder that stands there when it is had, not of one that was moved away."""
    folder = tmp_path / "b"
    folder.mkdir()
    flock = fcntl.flock

    def move_away(descriptor: int, operation: int) -> None:
        monkeypatch.undo()
        folder.rename(tmp_path / "old")
        flock(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", move_away)
    with locked(folder, 60.0):
        assert not is_free(folder)
        assert is_free(tmp_path / "old")


def test_a_new_folder(tmp_path: Path) -> None:
    """A folder that is made for a write stays, one for a write that failed doesn't."""
    with pytest.raises(ZeroDivisionError), locked(tmp_path / "b", 0.0):
        raise ZeroDivisionError
    assert not (tmp_path / "b").exists()
    with locked(tmp_path / "b", 0.0):
        pass
    assert (tmp_path / "b").is_dir()


def test_a_forked_child(tmp_path: Path) -> None:
    """A child that was forked meanwhile and stays keeps nobody waiting."""
    with locked(tmp_path, 0.0):
        child = os.fork()
        if child == 0:
            signal.pause()
    try:
        assert is_free(tmp_path)
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
