"""Files of one line that are read with the interpreter held."""

import os
from pathlib import Path

import pytest

from pytest_energy.sensors.prompt_read import KeptFile


def descriptors(path: Path) -> list[int]:
    """Of the open files of this process, those of *path*."""
    found = [link for link in Path("/proc/self/fd").iterdir() if link.resolve() == path.resolve()]
    return [int(link.name) for link in found]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "energy_uj"
    file.write_text("123456\n")
    return file


def test_a_kept_file_is_read_from_its_start_each_time(path: Path) -> None:
    """What it holds now is returned, also where that is shorter than before."""
    read = KeptFile(path)
    assert read() == b"123456\n"
    path.write_text("78\n")
    assert [read(), read()] == [b"78\n", b"78\n"]


def test_a_kept_file_is_opened_once_and_closed_with_its_reader(path: Path) -> None:
    """One descriptor, from the first read until nobody can read any more."""
    read = KeptFile(path)
    assert descriptors(path) == []
    read()
    read()
    assert len(descriptors(path)) == 1
    del read
    assert descriptors(path) == []


def test_a_kept_file_that_was_closed_is_opened_by_the_next_read(path: Path) -> None:
    """`close` leaves no descriptor, and forbids nothing."""
    read = KeptFile(path)
    read()
    read.close()
    assert descriptors(path) == []
    assert read() == b"123456\n"


def test_a_kept_file_is_opened_again_after_an_error(path: Path) -> None:
    """An error has the file's name; the file that is there by then is read next."""
    read = KeptFile(path)
    read()
    os.close(*descriptors(path))
    with pytest.raises(OSError, match="energy_uj"):
        read()
    path.unlink()
    path.write_text("9\n")
    assert read() == b"9\n"


def test_a_file_that_is_missing_is_an_error_with_its_name(tmp_path: Path) -> None:
    """It is no empty file, and opening it is tried again by each read."""
    read = KeptFile(tmp_path / "none")
    with pytest.raises(FileNotFoundError, match="none"):
        read()
    (tmp_path / "none").write_text("1\n")
    assert read() == b"1\n"
