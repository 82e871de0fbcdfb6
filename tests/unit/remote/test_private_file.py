"""Files that hold a secret."""

import stat
from pathlib import Path

import pytest

from pytest_energy.errors import SettingsError
from pytest_energy.remote.private_file import read_token, write_new_token


def test_a_new_token_is_read_as_it_was_written(tmp_path: Path) -> None:
    """It is random, long, and its owner's alone."""
    first, second = tmp_path / "a", tmp_path / "b"
    for path in (first, second):
        write_new_token(path)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert len(read_token(first)) == 43
    assert read_token(first) != read_token(second)


def test_a_token_is_never_overwritten(tmp_path: Path) -> None:
    """Clients that have it would be shut out."""
    write_new_token(tmp_path / "a")
    with pytest.raises(SettingsError, match="exists already"):
        write_new_token(tmp_path / "a")


@pytest.mark.parametrize("mode", [0o644, 0o604, 0o602, 0o620, 0o777])
def test_a_token_that_others_can_read_or_change_is_refused(tmp_path: Path, mode: int) -> None:
    """The message has the mode and the command."""
    path = tmp_path / "token"
    write_new_token(path)
    path.chmod(mode)
    with pytest.raises(SettingsError, match=rf"mode {mode:04o}: .* can read or change it\. Run: chmod 600"):
        read_token(path)


@pytest.mark.parametrize("mode", [0o600, 0o400, 0o640])
def test_a_token_of_its_owner_or_group_is_read(tmp_path: Path, mode: int) -> None:
    """A group of its own may read it, as a service does."""
    path = tmp_path / "token"
    write_new_token(path)
    path.chmod(mode)
    assert read_token(path)


@pytest.mark.parametrize(
    "content", [b"", b"short", b"two words that are long", b"x" * 5000, "pässwörter-und-mehr".encode()]
)
def test_what_is_no_token_is_refused_without_a_word_of_it(tmp_path: Path, content: bytes) -> None:
    """The message says how to make one, and repeats nothing."""
    path = tmp_path / "token"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(SettingsError) as refused:
        read_token(path)
    assert "token file" in str(refused.value)
    assert content.decode() not in str(refused.value) or not content


def test_a_token_that_is_not_there_is_refused(tmp_path: Path) -> None:
    """The message names the file."""
    with pytest.raises(SettingsError, match="nothing can't be read: No such file"):
        read_token(tmp_path / "nothing")
