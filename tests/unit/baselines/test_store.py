import errno
import json
import os
import re
import resource
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pytest_energy.baselines.schema import Baseline, to_json_text
from pytest_energy.baselines.store import Store
from pytest_energy.errors import BaselineError
from pytest_energy.model import Provenance
from tests.builders import KEY, TEST_ID, numbers, record, sessions, stored


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "baselines")


def file_names(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir())


class TestPath:
    def test_readable(self) -> None:
        """The place of an ordinary test's baseline is told by its id alone."""
        path = Store(Path("b")).path("h100_nvml", "tests/test_a.py::test_x[resnet18-128]")
        assert path == Path("b/h100_nvml/tests/test_a.py/test_x[resnet18-128].json")

    @pytest.mark.parametrize(
        "ids",
        [
            ("t.py::test_a", "t.py::test_A", "t.py::TEST_A"),
            ("t.py::test[a/b]", "t.py::test[a:b]", "t.py::test[a-b]", "t.py::test[a b]"),
            ("t.py::A::test", "t.py::A.test", "t.py::A-test"),
            ("T/t.py::test", "t/t.py::test"),
            ("t.py", "t.py::", "t.py::_", "::", "", "_"),
            ("a.json/t.py::test", "a::test"),
            ("t.py::caf\u00e9", "t.py::cafe\u0301", "t.py::cafe"),
            ("../t.py::test", "t.py::test", "./t.py::test", "/t.py::test", "..\\t.py::test"),
            ("t.py::" + "x" * 300, "t.py::" + "x" * 301),
            ("d/" * 3000 + "t.py::test", "d/" * 3001 + "t.py::test"),
        ],
    )
    def test_no_two_ids_share_a_place(self, ids: tuple[str, ...]) -> None:
        """Ids that differ in case or in replaced characters only have files of their own."""
        paths = {str(Store(Path("b")).path("k", test_id)).casefold() for test_id in ids}
        assert len(paths) == len(ids)

    @pytest.mark.parametrize(
        "test_id",
        [
            "../../etc/cron.d/x.py::test",
            "/etc/passwd::root",
            "..::..",
            "a/../../b.py::../../../c",
            "t.py::test[../../x]",
            "t.py::a\x00b\nc",
            "-rf/t.py::-x",
            "t.py::" + "語" * 300,
            "語/" * 2000 + "::x",
        ],
    )
    @pytest.mark.parametrize("key", [KEY, "../..", "/etc", "K" * 400])
    def test_hostile_names(self, store: Store, key: str, test_id: str) -> None:
        """Whatever the names, the file lies in the folder, can be written, and is found again."""
        one = record(test_id=test_id, key=key)
        store.write(key, test_id, [one], "add")
        (path,) = store.paths()
        assert path == store.path(key, test_id)
        assert path.resolve().is_relative_to(store.folder.resolve())
        assert store.load(key, test_id) == Baseline(test_id=test_id, machine_key=key, entries=(one,))


class TestLoad:
    def test_none(self, store: Store) -> None:
        """A test that has no baseline is no error, with or without the folder."""
        assert store.load(KEY, TEST_ID) is None
        store.write(KEY, TEST_ID, sessions(1), "add")
        assert store.load(KEY, "tests/test_a.py::test_b") is None

    def test_a_file_in_another_s_place(self, store: Store) -> None:
        """A file copied to another test's place is refused, and its own place is named."""
        store.write(KEY, TEST_ID, sessions(1), "add")
        wrong = store.path(KEY, "tests/test_a.py::test_b")
        wrong.parent.mkdir(parents=True)
        wrong.write_bytes(store.path(KEY, TEST_ID).read_bytes())
        with pytest.raises(
            BaselineError, match=r"whose place is .*test_training.*move it there or delete it"
        ):
            store.load(KEY, "tests/test_a.py::test_b")
        with pytest.raises(BaselineError, match="move it there or delete it"):
            store.read(wrong)

    def test_bytes_that_are_no_text(self, store: Store) -> None:
        """Bytes that are not UTF-8 are refused with their place and value."""
        store.write(KEY, TEST_ID, sessions(1), "add")
        path = store.path(KEY, TEST_ID)
        path.write_bytes(b'{"format": \xff')
        with pytest.raises(BaselineError, match=r"not text: byte 11 is 0xff; restore it"):
            store.load(KEY, TEST_ID)

    def test_the_file_is_named(self, store: Store) -> None:
        """The message about a broken file begins with its path."""
        path = store.path(KEY, TEST_ID)
        path.parent.mkdir(parents=True)
        path.write_text("{")
        with pytest.raises(BaselineError) as caught:
            store.load(KEY, TEST_ID)
        assert str(caught.value).startswith(f"{path} is not JSON")

    def test_a_folder_in_the_file_s_place(self, store: Store) -> None:
        """What can't be read says so."""
        store.path(KEY, TEST_ID).mkdir(parents=True)
        with pytest.raises(BaselineError, match=r"can't read .*: it is a folder, not a file; restore it"):
            store.load(KEY, TEST_ID)

    def test_the_folder_is_a_file(self, tmp_path: Path) -> None:
        """A folder that is a file is told from one that isn't there."""
        (tmp_path / "b").write_text("")
        store = Store(tmp_path / "b")
        questions: list[Callable[[], object]] = [
            lambda: store.load(KEY, TEST_ID),
            lambda: store.other_machines(TEST_ID),
            store.paths,
            lambda: store.write(KEY, TEST_ID, sessions(1), "add"),
            lambda: store.write(KEY, TEST_ID, sessions(1), "replace"),
        ]
        for ask in questions:
            with pytest.raises(BaselineError, match=r"can't .*--energy-baselines"):
                ask()
        assert (tmp_path / "b").read_text() == ""


class TestBadInput:
    def test_a_path_that_is_a_file(self, tmp_path: Path) -> None:
        """A folder, or one on the way, that is a file is named as that."""
        (tmp_path / "b").touch()
        with pytest.raises(BaselineError, match=rf"can't list .*: {tmp_path}/b is not a folder; fix"):
            Store(tmp_path / "b").paths_of(TEST_ID)
        (tmp_path / "c").mkdir()
        (tmp_path / "c" / KEY).touch()
        store = Store(tmp_path / "c")
        questions: list[Callable[[], object]] = [
            lambda: store.load(KEY, TEST_ID),
            lambda: store.write(KEY, TEST_ID, sessions(1), "replace"),
        ]
        for ask in questions:
            with pytest.raises(BaselineError, match=r"/c/h100.*_nvml is not a folder"):
                ask()

    def test_a_huge_file(self, store: Store) -> None:
        """A file far above the size of any baseline is refused by its size, and not read into memory."""
        store.write(KEY, TEST_ID, sessions(1), "add")
        path = store.path(KEY, TEST_ID)
        os.truncate(path, 100_000_000_000)  # a hole: it takes no room on the disk, but all of the memory
        with pytest.raises(BaselineError, match=r"100,000,000,000 bytes, .* at most 10,000,000 are read"):
            store.load(KEY, TEST_ID)

    def test_a_session_from_the_future(self, store: Store) -> None:
        """Neither read nor written: it would pass for the newest for ever."""
        later = record(created="2999-01-01T00:00:00Z")
        with pytest.raises(BaselineError, match=r"\.json: sessions\[0\] is from the future"):
            store.write(KEY, TEST_ID, [later], "add")
        assert store.paths() == ()
        Store(store.folder, now=lambda: datetime(2999, 1, 2, tzinfo=UTC)).write(KEY, TEST_ID, [later], "add")
        with pytest.raises(BaselineError, match=r"\.json: sessions\[0\] is from the future"):
            store.load(KEY, TEST_ID)


class TestNames:
    def test_files_of_a_test(self, store: Store) -> None:
        """The files of one test on all machines, and of no other test."""
        for key in ("t4", "a100"):
            store.write(key, TEST_ID, [record(key=key)], "add")
        store.write("t4", "t.py::other", [record(key="t4", test_id="t.py::other")], "add")
        assert store.paths_of(TEST_ID) == (store.path("a100", TEST_ID), store.path("t4", TEST_ID))
        assert store.paths_of("t.py::none") == ()

    @pytest.mark.parametrize(
        "test_id", [TEST_ID, 't.py::t["quoted"]', "t.py::caf\u00e9", "t.py::" + "x" * 9000]
    )
    def test_a_file_tells_whose_it_is(self, store: Store, test_id: str) -> None:
        """Whatever the id, the file's head tells it, or the whole file does."""
        store.write(KEY, test_id, [record(test_id=test_id)], "add")
        assert store.test_id_of(store.path(KEY, test_id)) == test_id

    def test_a_file_that_is_broken_further_on_still_tells(self, store: Store) -> None:
        """To say whose a file is, it need not be whole."""
        store.write(KEY, TEST_ID, sessions(1), "add")
        path = store.path(KEY, TEST_ID)
        path.write_text(path.read_text()[:300])
        assert store.test_id_of(path) == TEST_ID

    def test_a_file_that_does_not_tell(self, store: Store) -> None:
        """A file in another form is read whole, and is refused if it can't be."""
        store.write(KEY, TEST_ID, sessions(1), "add")
        path = store.path(KEY, TEST_ID)
        path.write_text(json.dumps(json.loads(path.read_text())))
        assert store.test_id_of(path) == TEST_ID
        path.write_text("{")
        with pytest.raises(BaselineError, match="not JSON"):
            store.test_id_of(path)
        with pytest.raises(BaselineError, match="can't read"):
            store.test_id_of(path.parent)


class TestReduce:
    def test_some_go(self, store: Store) -> None:
        """What is chosen stays, in its order; the count says how many went."""
        store.write(KEY, TEST_ID, sessions(5), "add")
        path = store.path(KEY, TEST_ID)
        assert store.reduce(path, lambda old: old.entries[:2]) == 3
        assert store.read(path).entries == sessions(2)

    def test_none_go(self, store: Store) -> None:
        """Where all stay nothing is written."""
        store.write(KEY, TEST_ID, sessions(2), "add")
        path = store.path(KEY, TEST_ID)
        os.utime(path, (1, 1))
        assert store.reduce(path, lambda old: old.entries) == 0
        assert path.stat().st_mtime == 1

    def test_all_go(self, store: Store) -> None:
        """The file goes, and the folders that held nothing else; the baselines' own folder stays."""
        store.write(KEY, TEST_ID, sessions(2), "add")
        store.write(KEY, "t.py::other", [record(test_id="t.py::other")], "add")
        assert store.reduce(store.path(KEY, TEST_ID), lambda _: ()) == 2
        assert sorted(path.name for path in (store.folder / KEY).iterdir()) == ["t.py"]
        store.reduce(store.path(KEY, "t.py::other"), lambda _: ())
        assert list(store.folder.iterdir()) == []

    def test_a_broken_file_stays(self, store: Store) -> None:
        """What can't be read is not removed unseen."""
        store.write(KEY, TEST_ID, sessions(2), "add")
        path = store.path(KEY, TEST_ID)
        path.write_text("{")
        with pytest.raises(BaselineError, match="not JSON"):
            store.reduce(path, lambda _: ())
        assert path.read_text() == "{"

    def test_the_disk_is_full(self, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
        """A write that fails leaves the file as it was."""
        before = store.write(KEY, TEST_ID, sessions(5), "add")
        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", no_space)
            with pytest.raises(BaselineError, match="No space left on device"):
                store.reduce(store.path(KEY, TEST_ID), lambda old: old.entries[:1])
        assert store.load(KEY, TEST_ID) == before


class TestList:
    def test_nothing(self, store: Store) -> None:
        """A folder that isn't there holds no baselines."""
        assert store.paths() == ()
        assert store.other_machines(TEST_ID) == ()

    def test_all(self, store: Store) -> None:
        """All baselines of all machines are listed, and nothing else that lies around."""
        for key in ("b", "a"):
            store.write(key, TEST_ID, [record(key=key)], "add")
        (store.folder / "README.md").write_text("ours")
        (store.folder / "a" / ".hidden.json").write_text("{}")
        assert [one.machine_key for one in stored(store)] == ["a", "b"]

    def test_other_machines(self, store: Store) -> None:
        """The machines that have this test are named; those that have other tests are not."""
        for key in ("t4", "a100"):
            store.write(key, TEST_ID, [record(key=key)], "add")
        store.write("cpu", "t.py::other", [record(key="cpu", test_id="t.py::other")], "add")
        (store.folder / "README.md").write_text("ours")
        assert store.other_machines(TEST_ID) == ("a100", "t4")
        assert store.other_machines(TEST_ID, besides="t4") == ("a100",)

    def test_a_listed_file_that_has_gone(self, store: Store) -> None:
        """A file that was deleted since it was listed is named."""
        with pytest.raises(BaselineError, match=r"gone\.json doesn't exist"):
            store.read(store.folder / "gone.json")


class TestWrite:
    def test_add(self, store: Store) -> None:
        """What is added comes after what is there, and what is stored now is returned."""
        store.write(KEY, TEST_ID, sessions(2), "add")
        stored = store.write(KEY, TEST_ID, sessions(1, first=2), "add")
        assert stored.entries == sessions(3)
        assert store.load(KEY, TEST_ID) == stored

    def test_replace(self, store: Store) -> None:
        """To replace leaves nothing of what was there."""
        store.write(KEY, TEST_ID, sessions(5), "add")
        stored = store.write(KEY, TEST_ID, sessions(1, first=9), "replace")
        assert store.load(KEY, TEST_ID) == stored
        assert numbers(stored.entries) == [9]

    def test_first_sessions_stay_pinned(self, store: Store) -> None:
        """Whatever is added, one by one, the first three accepted stay and then the newest."""
        for n in range(14):
            store.write(KEY, TEST_ID, sessions(1, first=n), "add", keep=6)
        loaded = store.load(KEY, TEST_ID)
        assert loaded is not None
        assert numbers(loaded.entries) == [0, 1, 2, 11, 12, 13]

    def test_ten_are_kept(self, store: Store) -> None:
        """Ten sessions are kept unless asked otherwise."""
        assert len(store.write(KEY, TEST_ID, sessions(30), "add").entries) == 10

    def test_a_session_again(self, store: Store) -> None:
        """A session that is there already changes nothing, not even the file's time."""
        store.write(KEY, TEST_ID, sessions(2), "add")
        path = store.path(KEY, TEST_ID)
        os.utime(path, (1, 1))
        assert store.write(KEY, TEST_ID, sessions(2), "add").entries == sessions(2)
        assert path.stat().st_mtime == 1

    def test_fewer_are_kept_from_now_on(self, store: Store) -> None:
        """A smaller limit takes hold at the next write, also of a session that is there."""
        store.write(KEY, TEST_ID, sessions(8), "add")
        stored = store.write(KEY, TEST_ID, sessions(1), "add", keep=4)
        assert numbers(stored.entries) == [0, 1, 2, 7]

    def test_nothing_to_write(self, store: Store) -> None:
        """A baseline of no sessions is not written."""
        with pytest.raises(BaselineError, match="was not written: sessions is empty"):
            store.write(KEY, TEST_ID, [], "replace")
        assert not store.folder.exists()

    def test_a_session_that_does_not_belong(self, store: Store) -> None:
        """A session that can't be compared with the others is refused; the way to start anew is named."""
        before = store.write(KEY, TEST_ID, sessions(2), "add")
        stranger = record(provenance=Provenance.REPLAYED)
        with pytest.raises(BaselineError, match=r"provenance: 'measured' .*--energy-baseline=replace"):
            store.write(KEY, TEST_ID, [stranger], "add")
        assert store.load(KEY, TEST_ID) == before

    def test_a_void_session(self, store: Store) -> None:
        """A session without joules is refused, and to replace the baseline by it is no way out."""
        before = store.write(KEY, TEST_ID, sessions(2), "add")
        with pytest.raises(BaselineError, match=r"no joules to compare with: it was hot$"):
            store.write(KEY, TEST_ID, [record(void_because="it was hot")], "add")
        assert store.load(KEY, TEST_ID) == before

    def test_a_broken_file_is_not_added_to(self, store: Store) -> None:
        """What can't be read is not written over unless that is asked for."""
        path = store.path(KEY, TEST_ID)
        path.parent.mkdir(parents=True)
        path.write_text("{")
        with pytest.raises(BaselineError, match="not JSON"):
            store.write(KEY, TEST_ID, sessions(1), "add")
        assert path.read_text() == "{"
        assert store.write(KEY, TEST_ID, sessions(1), "replace") == store.load(KEY, TEST_ID)

    def test_only_baselines_in_the_folder(self, store: Store) -> None:
        """Neither locks nor temporary files are left among the baselines."""
        store.write(KEY, TEST_ID, sessions(1), "add")
        assert file_names(store.folder) == [f"{KEY}/tests/test_model.py/test_training[resnet18].json"]

    def test_permissions_are_the_user_s(self, store: Store) -> None:
        """The file is as open as any that the user makes: others read it from a shared checkout."""
        store.write(KEY, TEST_ID, sessions(1), "add")
        plain = store.folder / "plain"
        plain.touch()
        assert store.path(KEY, TEST_ID).stat().st_mode == plain.stat().st_mode


def no_space(*_: object, **__: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


class TestFaults:
    @pytest.mark.parametrize(
        ("place", "name"), [(os, "fsync"), (Path, "replace"), (os, "fchmod"), (Path, "open")]
    )
    def test_the_disk_is_full(
        self, store: Store, monkeypatch: pytest.MonkeyPatch, place: object, name: str
    ) -> None:
        """Wherever the disk turns out to be full, the old file stays as it was and nothing else is left."""
        before = store.write(KEY, TEST_ID, sessions(2), "add")
        with monkeypatch.context() as patch:
            patch.setattr(place, name, no_space)
            with pytest.raises(BaselineError, match="No space left on device"):
                store.write(KEY, TEST_ID, sessions(5), "add")
        assert store.load(KEY, TEST_ID) == before
        assert len(file_names(store.folder)) == 1

    def test_a_file_that_may_not_grow(self, store: Store) -> None:
        """A write that the kernel stops half-way leaves the old file and nothing half-written."""
        before = store.write(KEY, TEST_ID, sessions(2), "add")
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
        try:
            with pytest.raises(BaselineError, match=r"can't write .*: File too large"):
                store.write(KEY, TEST_ID, sessions(20), "add", keep=20)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert store.load(KEY, TEST_ID) == before
        assert len(file_names(store.folder)) == 1

    @pytest.mark.skipif(os.getuid() == 0, reason="root may read and write everything")
    def test_no_permission(self, store: Store) -> None:
        """A folder that may not be read or written is named."""
        before = store.write(KEY, TEST_ID, sessions(2), "add")
        folder = store.path(KEY, TEST_ID).parent
        folder.chmod(0o500)
        with pytest.raises(BaselineError, match=r"can't write .*: Permission denied"):
            store.write(KEY, TEST_ID, sessions(5), "add")
        assert store.load(KEY, TEST_ID) == before
        folder.chmod(0o000)
        with pytest.raises(BaselineError, match=r"can't read .*: Permission denied"):
            store.load(KEY, TEST_ID)
        folder.chmod(0o700)

    def test_a_read_only_file_system(self) -> None:
        """A folder on a file system that takes no folders is named."""
        with pytest.raises(BaselineError, match="can't write /proc/baselines: No such file"):
            Store(Path("/proc/baselines")).write(KEY, TEST_ID, sessions(1), "add")

    def test_folders_that_cannot_be_synced(self, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
        """A file system that syncs files but no folders is good enough."""
        sync = os.fsync

        def sync_files_only(descriptor: int) -> None:
            if stat.S_ISDIR(os.fstat(descriptor).st_mode):
                raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
            sync(descriptor)

        monkeypatch.setattr(os, "fsync", sync_files_only)
        assert store.write(KEY, TEST_ID, sessions(1), "add") == store.load(KEY, TEST_ID)

    def test_folders_that_fail_to_sync(self, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
        """A folder that fails to reach the disk is told, and the new file is whole."""
        store.path(KEY, TEST_ID).parent.mkdir(parents=True)
        sync = os.fsync

        def fail_for_folders(descriptor: int) -> None:
            if stat.S_ISDIR(os.fstat(descriptor).st_mode):
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            sync(descriptor)

        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", fail_for_folders)
            with pytest.raises(BaselineError, match="Input/output error"):
                store.write(KEY, TEST_ID, sessions(1), "add")
        assert [one.entries for one in stored(store)] == [sessions(1)]


def socket_at(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(str(path))


ODD: dict[str, Callable[[Path], object]] = {
    r"it is a link to nowhere \(\.git/annex/x\)": lambda path: path.symlink_to(".git/annex/x"),
    "it is a FIFO": os.mkfifo,
    "it is a socket": socket_at,
    "it is a folder": Path.mkdir,
    "it is a link to a device": lambda path: path.symlink_to("/dev/zero"),
    "it is a link to a folder": lambda path: path.symlink_to(path.parent.absolute()),
    "Too many levels of symbolic links": lambda path: path.symlink_to(path.name),
}


@pytest.mark.parametrize("text", ODD)
class TestNoFile:
    """What stands in the place of a baseline and is none: never absent, never waited for."""

    @pytest.fixture
    def path(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> Path:
        monkeypatch.chdir(tmp_path)  # a socket's name may have 107 bytes
        path = Store(Path("b")).path(KEY, TEST_ID)
        path.parent.mkdir(parents=True)
        ODD[text](path)
        return path

    def test_reading(self, path: Path, text: str) -> None:
        """It is an error with its path, whoever asks."""
        store = Store(Path("b"))
        assert store.paths() == store.paths_of(TEST_ID) == (path,)
        questions: list[Callable[[], object]] = [
            lambda: store.load(KEY, TEST_ID),
            lambda: store.read(path),
            lambda: store.test_id_of(path),
            lambda: store.write(KEY, TEST_ID, sessions(1), "add"),
            lambda: store.reduce(path, lambda _: ()),
        ]
        for ask in questions:
            with pytest.raises(BaselineError, match=f"can't read {re.escape(str(path))}: {text}"):
                ask()

    def test_replacing(self, path: Path, text: str) -> None:
        """To replace the baseline mends it; a folder, in which something may be, stays."""
        if text == "it is a folder":
            with pytest.raises(BaselineError, match=r"can't write .*Is a directory"):
                Store(Path("b")).write(KEY, TEST_ID, sessions(1), "replace")
        else:
            Store(Path("b")).write(KEY, TEST_ID, sessions(1), "replace")
            assert stat.S_ISREG(path.lstat().st_mode)
        assert [one.name for one in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize("place", ["b", f"b/{KEY}", f"b/{KEY}/tests"])
def test_a_folder_that_is_a_link_to_nowhere(tmp_path: Path, place: str) -> None:
    """What is missing behind a link is not absent, whichever folder it is; nothing is made in its place."""
    (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / place).symlink_to("gone")
    store = Store(tmp_path / "b")
    with pytest.raises(BaselineError, match=rf"{place} is a link to nowhere \(gone\), .*delete the link"):
        store.load(KEY, TEST_ID)
    for mode in ("add", "replace"):
        with pytest.raises(BaselineError, match=f"{place} is a link to nowhere"):
            store.write(KEY, TEST_ID, sessions(1), mode)
    if place == "b":
        with pytest.raises(BaselineError, match="link to nowhere"):
            store.paths()
        with pytest.raises(BaselineError, match="link to nowhere"):
            store.other_machines(TEST_ID)


def test_new_folders_outlast_a_crash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every folder in which a name is new is synced, the one above a new baselines folder included."""
    synced = []
    sync = os.fsync

    def note(descriptor: int) -> None:
        synced.append(Path(f"/proc/self/fd/{descriptor}").readlink())
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", note)
    store = Store(tmp_path / "new" / "b")
    store.write(KEY, TEST_ID, sessions(1), "add")
    folders = store.path(KEY, TEST_ID).parents
    assert {one for one in folders if one.is_relative_to(tmp_path)} <= {*synced}


WRITER = """
import os, signal, sys
from pathlib import Path
from pytest_energy.baselines.store import Store
from tests.builders import KEY, TEST_ID, record, sessions

folder, first, count, dies_at = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
if dies_at == "fsync":
    os.fsync = lambda descriptor: os.kill(os.getpid(), signal.SIGKILL)
if dies_at == "replace":
    Path.replace = lambda path, target: os.kill(os.getpid(), signal.SIGKILL)
for n in range(first, first + count):
    Store(folder).write(KEY, TEST_ID, sessions(1, first=n), "add", keep=100)
"""


def writer(folder: Path, first: int, count: int, *, dies_at: str = "") -> subprocess.Popen[bytes]:
    """A process that adds *count* sessions from number *first* on, one by one."""
    command = [sys.executable, "-c", WRITER, str(folder), str(first), str(count), dies_at]
    return subprocess.Popen(command, cwd=Path(__file__).parents[3])  # noqa: S603  # our own words


class TestProcesses:
    def test_writers_at_once(self, store: Store) -> None:
        """Sessions that several processes add at the same time are all there in the end."""
        writers = [writer(store.folder, first, 8) for first in (0, 10, 20, 30)]
        assert [one.wait(timeout=60) for one in writers] == [0, 0, 0, 0]
        loaded = store.load(KEY, TEST_ID)
        assert loaded is not None
        assert sorted(numbers(loaded.entries)) == [f + n for f in (0, 10, 20, 30) for n in range(8)]

    @pytest.mark.parametrize("place", ["fsync", "replace"])
    def test_a_writer_that_is_killed(self, store: Store, place: str) -> None:
        """A writer killed half-way leaves the old file whole and no lock; the next one clears up."""
        before = store.write(KEY, TEST_ID, sessions(2), "add")
        assert writer(store.folder, 7, 1, dies_at=place).wait(timeout=60) == -signal.SIGKILL
        assert [store.read(path) for path in store.paths()] == [before]
        after = store.write(KEY, TEST_ID, sessions(3), "add")
        assert stored(store) == [after]
        assert len(file_names(store.folder)) == 1

    def test_a_reader_never_sees_half_a_file(self, store: Store) -> None:
        """Who reads while others write sees a whole baseline, with never fewer sessions than before."""
        writers = [writer(store.folder, 0, 20)]
        counts = list(counts_seen(store, writers[0]))
        assert writers[0].wait(timeout=60) == 0
        assert counts == sorted(counts)
        assert counts[-1] == 20


def counts_seen(store: Store, process: subprocess.Popen[bytes]) -> Iterator[int]:
    is_over = False
    while not is_over:
        is_over = process.poll() is not None
        loaded = store.load(KEY, TEST_ID)
        yield 0 if loaded is None else len(loaded.entries)


def test_what_is_stored_is_the_schema_s_text(store: Store) -> None:
    """The file holds what the schema renders, and JSON that any tool reads."""
    stored = store.write(KEY, TEST_ID, sessions(2), "add")
    text = store.path(KEY, TEST_ID).read_text(encoding="ascii")
    assert text == to_json_text(stored)
    assert json.loads(text)["format"] == 1
