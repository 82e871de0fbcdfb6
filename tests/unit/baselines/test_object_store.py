"""Baselines behind a URL: one immutable object a session."""

import gzip
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path, PurePath

import pytest
from fsspec.implementations.memory import MemoryFileSystem
from hypothesis import given
from hypothesis import strategies as st

from pytest_energy.baselines.levels import extended, kept
from pytest_energy.baselines.object_store import ObjectStore
from pytest_energy.baselines.protocol import Mode
from pytest_energy.baselines.schema import Baseline
from pytest_energy.baselines.session_copies import COPIES_NAME
from pytest_energy.baselines.session_names import identity_of
from pytest_energy.baselines.store import Store
from pytest_energy.errors import BaselineError, SettingsError
from pytest_energy.model import JoinedAs, Record
from tests.builders import KEY, TEST_ID, numbers, record, sessions
from tests.fakes.file_systems import empty_memory

URL = "memory://bucket/baselines"


@pytest.fixture(autouse=True)
def memory() -> Iterator[None]:
    """The file system of `memory:` is one for the process."""
    with empty_memory():
        yield


@pytest.fixture
def store() -> ObjectStore:
    return ObjectStore(URL)


def marked(one: Record, joined_as: JoinedAs | None) -> Record:
    return replace(one, joined_as=joined_as)


def entries(store: ObjectStore | Store, test_id: str = TEST_ID) -> tuple[Record, ...]:
    loaded = store.load(KEY, test_id)
    return () if loaded is None else loaded.entries


def objects() -> dict[str, bytes]:
    return {path: file.getvalue() for path, file in MemoryFileSystem.store.items()}


def spoil(path: str, content: bytes) -> None:
    MemoryFileSystem().pipe_file(path, content)


class TestAsAFolder:
    """Rule 2: the answer is that of a folder to which the same sessions were added in the same order."""

    def test_ten_of_many_sessions_count(self, store: ObjectStore, tmp_path: Path) -> None:
        """The first three and the newest seven count; all of them are kept."""
        folder = Store(tmp_path)
        for one in sessions(15):
            assert store.write(KEY, TEST_ID, [one], "add") == folder.write(KEY, TEST_ID, [one], "add")
        assert numbers(entries(store)) == [0, 1, 2, 8, 9, 10, 11, 12, 13, 14]
        assert len(objects()) == 15

    @pytest.mark.parametrize(
        ("marks", "expected"),
        [
            ((None, None, JoinedAs.LEVEL, None), [2, 3]),
            ((None, JoinedAs.IMPROVEMENT, None), [0, 2]),
            ((None, JoinedAs.IMPROVEMENT, JoinedAs.IMPROVEMENT), [1, 2]),
            ((None, None, JoinedAs.IMPROVEMENT), [0, 1, 2]),
        ],
    )
    def test_levels(
        self, store: ObjectStore, marks: Sequence[JoinedAs | None], expected: Sequence[int]
    ) -> None:
        """An accepted change and two improvements running start a level; a lone improvement goes."""
        for one, mark in zip(sessions(len(marks)), marks, strict=True):
            store.write(KEY, TEST_ID, [marked(one, mark)], "add")
        assert numbers(entries(store)) == expected

    def test_an_older_run_that_is_accepted_later_is_the_newest(self, store: ObjectStore) -> None:
        """The order is that of acceptance, as in a file."""
        for one in reversed(sessions(3)):
            store.write(KEY, TEST_ID, [one], "add")
        assert numbers(entries(store)) == [2, 1, 0]

    def test_an_accepted_session_that_is_there_becomes_the_start_of_a_level(self, store: ObjectStore) -> None:
        """Its object stays as it is; another one says so."""
        for one in sessions(3):
            store.write(KEY, TEST_ID, [one], "add")
        before = objects()
        store.write(KEY, TEST_ID, [marked(sessions(3)[1], JoinedAs.LEVEL)], "add")
        assert numbers(entries(store)) == [1, 2]
        assert objects().items() > before.items()

    def test_replaced(self, store: ObjectStore) -> None:
        """What was there before goes with the one object that replaces it, and none is touched."""
        store.write(KEY, TEST_ID, sessions(3), "add")
        before = objects()
        store.write(KEY, TEST_ID, [sessions(1)[0]], "replace")
        assert numbers(entries(store)) == [0]
        assert objects().items() > before.items()
        store.write(KEY, TEST_ID, [sessions(5)[4]], "add")
        assert numbers(entries(store)) == [0, 4]

    def test_a_replacement_that_is_tried_again_changes_nothing(self, store: ObjectStore) -> None:
        """The same for `replace` as for `add`."""
        store.write(KEY, TEST_ID, sessions(3), "add")
        for _ in range(2):
            store.write(KEY, TEST_ID, [sessions(4)[3]], "replace")
        assert len(objects()) == 4

    def test_a_session_of_other_work_is_refused(self, store: ObjectStore) -> None:
        """As in a folder; to replace is allowed."""
        store.write(KEY, TEST_ID, sessions(1), "add")
        other = replace(sessions(2)[1], workload={"batch": "64"})
        with pytest.raises(BaselineError, match=r"was not written: .*batch.*--energy-baseline=replace"):
            store.write(KEY, TEST_ID, [other], "add")
        assert len(objects()) == 1
        assert store.write(KEY, TEST_ID, [other], "replace").entries == (other,)

    @given(
        st.lists(
            st.tuples(
                st.integers(0, 6),
                st.sampled_from((None, None, JoinedAs.LEVEL, JoinedAs.IMPROVEMENT)),
                st.sampled_from(("add", "add", "add", "replace")),
            ),
            max_size=14,
        )
    )
    def test_any_order_of_writes(self, writes: list[tuple[int, JoinedAs | None, Mode]]) -> None:
        """Whatever is added or replaced, in whatever order: the same sessions count as in a file that drops
        none that it may need.
        """
        MemoryFileSystem.store.clear()
        made, file = sessions(7), tuple[Record, ...]()
        store = ObjectStore(URL, keep=100)
        for number, mark, mode in writes:
            one = marked(made[number], mark)
            file = expected_after(file, one, mode)
            assert store.write(KEY, TEST_ID, [one], mode, keep=100).entries == level(file)
            assert entries(store) == level(file)


def expected_after(file: tuple[Record, ...], one: Record, mode: Mode) -> tuple[Record, ...]:
    return extended(() if mode == "replace" else file, [one])


def level(file: tuple[Record, ...]) -> tuple[Record, ...]:
    return kept(file, 100)


class TestWriters:
    def test_a_session_that_is_written_again_is_one_object(self, store: ObjectStore) -> None:
        """A writer that doesn't know whether it succeeded tries again."""
        for _ in range(2):
            store.write(KEY, TEST_ID, sessions(2), "add")
        assert len(objects()) == 2

    def test_writers_that_did_not_see_each_other(self, store: ObjectStore) -> None:
        """What each listed before either wrote: nothing is lost, and the same session counts once."""
        first = ObjectStore(URL)
        first.write(KEY, TEST_ID, sessions(1), "add")
        one = objects()
        MemoryFileSystem.store.clear()
        store.write(KEY, TEST_ID, sessions(2), "add")
        for path, content in one.items():
            spoil(path, content)
        assert numbers(entries(store)) == [0, 1]
        assert len(objects()) == 2

    def test_the_same_session_under_two_names_counts_once(self, store: ObjectStore) -> None:
        """As two writers leave it of which one had seen a later session."""
        store.write(KEY, TEST_ID, [sessions(1)[0]], "add")
        one = objects()
        MemoryFileSystem.store.clear()
        store.write(KEY, TEST_ID, [sessions(2)[1]], "add")
        store.write(KEY, TEST_ID, [sessions(1)[0]], "add")
        for path, content in one.items():
            spoil(path, content)
        assert len(objects()) == 3
        assert numbers(entries(store)) == [0, 1]


class TestDamage:
    """Rule 4: a damaged object is left out, and named; no baseline is absent by it."""

    @pytest.mark.parametrize(
        ("content", "because"),
        [
            (b"", "is not JSON"),
            (b'{"format": 1, "id', "is not JSON"),
            (b"\xff", "is not text"),
            (b'{"format": 99}', "upgrade it"),
        ],
    )
    def test_a_torn_object(self, content: bytes, because: str) -> None:
        """It is no baseline, and takes no place from the others."""
        told: list[str] = []
        store = ObjectStore(URL, tell=told.append)
        for one in sessions(12):
            store.write(KEY, TEST_ID, [one], "add")
        spoil(min(objects()), content)
        assert numbers(entries(store)) == [1, 2, 3, 5, 6, 7, 8, 9, 10, 11]
        (text,) = told
        assert because in text
        assert "left out of its baseline: memory://bucket/baselines/" in text

    def test_nothing_sound_is_left(self, store: ObjectStore) -> None:
        """That is an error, not an absent baseline."""
        store.write(KEY, TEST_ID, sessions(1), "add")
        spoil(next(iter(objects())), b"{")
        with pytest.raises(BaselineError, match=r"no session can be used:\nmemory://bucket.* is not JSON"):
            store.load(KEY, TEST_ID)
        with pytest.raises(BaselineError, match=r"; delete the object$"):
            store.load(KEY, TEST_ID)

    def test_a_name_of_a_newer_version(self) -> None:
        """What this version does not know is told: it may be a session."""
        told: list[str] = []
        store = ObjectStore(URL, tell=told.append)
        store.write(KEY, TEST_ID, sessions(1), "add")
        spoil(f"/bucket/baselines/{store.path(KEY, TEST_ID)}/new~pack.json", b"")
        assert numbers(entries(store)) == [0]
        assert "new~pack.json: its name is none that this pytest-energy writes" in told[0]

    def test_another_session_under_its_name(self) -> None:
        """An object that was edited is found by its name."""
        told: list[str] = []
        store = ObjectStore(URL, tell=told.append)
        store.write(KEY, TEST_ID, sessions(2), "add")
        first, second = sorted(objects())
        spoil(first, objects()[second])
        assert numbers(entries(store)) == [1]
        assert "holds another session than its name says" in told[0]

    def test_another_test_s_object(self) -> None:
        """An object that was copied to another test's place is left out."""
        told: list[str] = []
        store = ObjectStore(URL, tell=told.append)
        store.write(KEY, TEST_ID, sessions(1), "add")
        store.write(KEY, "t.py::test_b", sessions(1, test_id="t.py::test_b"), "add")
        path = next(one for one in objects() if "test_training" in one)
        spoil(f"/bucket/baselines/{store.path(KEY, 't.py::test_b')}/{PurePath(path).name}", objects()[path])
        assert numbers(entries(store, "t.py::test_b")) == [0]
        assert "whose place is memory://bucket/baselines" in told[0]
        assert told[0].endswith("move it there or delete the object")

    def test_a_session_of_other_work_that_raced(self, tmp_path: Path) -> None:
        """It is left out: the one before it counts."""
        told: list[str] = []
        store = ObjectStore(URL, tell=told.append)
        ObjectStore(f"file://{tmp_path}").write(
            KEY, TEST_ID, [replace(sessions(2)[1], workload={"batch": "64"})], "add"
        )
        (raced,) = tmp_path.rglob("*.json")
        store.write(KEY, TEST_ID, sessions(1), "add")
        spoil(f"/bucket/baselines/{store.path(KEY, TEST_ID)}/{raced.name}", raced.read_bytes())
        assert numbers(entries(store)) == [0]
        assert "can't be compared with the sessions before it" in told[0]

    def test_a_session_from_the_future(self) -> None:
        """It would pass for the newest one for ever."""
        late = ObjectStore(URL, now=lambda: datetime(2999, 1, 2, tzinfo=UTC))
        late.write(KEY, TEST_ID, [record(created="2999-01-01T00:00:00Z")], "add")
        late.write(KEY, TEST_ID, sessions(1), "add")
        told: list[str] = []
        assert numbers(entries(ObjectStore(URL, tell=told.append))) == [0]
        assert "is from the future" in told[0]
        with pytest.raises(BaselineError, match="is from the future"):
            ObjectStore(URL).write(KEY, TEST_ID, [record(created="2999-01-01T00:00:00Z")], "add")

    def test_whole_damage_is_an_error(self, store: ObjectStore) -> None:
        """`validate` names every damaged object."""
        store.write(KEY, TEST_ID, sessions(3), "add")
        for path in sorted(objects())[:2]:
            spoil(path, b"{")
        ((_, found),) = store.read_each(store.paths(), is_whole=True)
        assert str(found).count("is not JSON") == 2


class TestPlaces:
    def test_none(self, store: ObjectStore) -> None:
        """A test without a baseline is no error."""
        assert store.load(KEY, TEST_ID) is None
        assert store.paths() == store.paths_of(TEST_ID) == ()
        assert store.other_machines(TEST_ID) == ()

    def test_found_again(self, store: ObjectStore) -> None:
        """A baseline is found by its test, by its place and on its machine."""
        store.write(KEY, TEST_ID, sessions(1), "add")
        store.write("t4", TEST_ID, sessions(1, key="t4"), "add")
        path = store.path(KEY, TEST_ID)
        assert set(store.paths()) == set(store.paths_of(TEST_ID)) == {path, store.path("t4", TEST_ID)}
        assert store.other_machines(TEST_ID, besides="t4") == (KEY,)
        assert set(store.test_ids().values()) == {TEST_ID}
        assert store.read(path) == store.load(KEY, TEST_ID)
        assert store.shown(path) == f"{URL}/{KEY}/tests/test_model.py/test_training(resnet18)"

    @pytest.mark.parametrize(
        "test_id", ["../../x.py::test", "t.py::test[*?]", "t.py::" + "語" * 300, "語/" * 400 + "::x"]
    )
    @pytest.mark.parametrize("key", [KEY, "../..", "K" * 400])
    def test_hostile_names(self, store: ObjectStore, key: str, test_id: str) -> None:
        """Whatever the names, the object is below the URL, is no pattern, and S3 takes its key."""
        one = record(test_id=test_id, key=key)
        store.write(key, test_id, [one], "add")
        assert store.load(key, test_id) == Baseline(test_id=test_id, machine_key=key, entries=(one,))
        (path,) = objects()
        assert path.startswith("/bucket/baselines/")
        assert not {*"[]*?"} & {*path}
        assert ".." not in PurePath(path).parts
        assert len(path) < 1000

    def test_a_pattern_in_the_url(self) -> None:
        """fsspec would look for what fits it."""
        with pytest.raises(SettingsError, match=r"must have no \*, \? or \["):
            ObjectStore("memory://b/[x]").load(KEY, TEST_ID)


class TestReduce:
    def test_the_sessions_that_are_chosen_stay(self, store: ObjectStore) -> None:
        """The others' objects go."""
        store.write(KEY, TEST_ID, sessions(5), "add")
        assert store.reduce(store.path(KEY, TEST_ID), lambda old: old.entries[:2]) == 3
        assert numbers(entries(store)) == [0, 1]
        assert len(objects()) == 2

    def test_of_none_nothing_stays(self, store: ObjectStore) -> None:
        """What was replaced goes with them, so that it doesn't count again."""
        store.write(KEY, TEST_ID, sessions(3), "add")
        store.write(KEY, TEST_ID, [sessions(4)[3]], "replace")
        assert store.reduce(store.path(KEY, TEST_ID), lambda _: ()) == 1
        assert objects() == {}

    def test_what_joined_meanwhile_stays(self, store: ObjectStore) -> None:
        """A writer adds while sessions are chosen: only what was seen is removed."""
        store.write(KEY, TEST_ID, sessions(2), "add")

        def choose(old: Baseline) -> Sequence[Record]:
            ObjectStore(URL).write(KEY, TEST_ID, [sessions(3)[2]], "add")
            return old.entries[:1]

        assert store.reduce(store.path(KEY, TEST_ID), choose) == 1
        assert numbers(entries(store)) == [0, 2]


class TestMerge:
    def test_there_and_back(self, store: ObjectStore, tmp_path: Path) -> None:
        """A folder's baseline, its order and levels included, comes back as it was."""
        source, back = Store(tmp_path / "a"), Store(tmp_path / "b")
        made = sessions(6)
        marks = (None, None, JoinedAs.LEVEL, None, None, JoinedAs.IMPROVEMENT)
        for one, mark in zip((made[3], made[0], made[2], made[1], made[5], made[4]), marks, strict=True):
            source.write(KEY, TEST_ID, [marked(one, mark)], "add")
        before = source.load(KEY, TEST_ID)
        assert before is not None
        assert store.merge(before) == 4
        assert store.merge(before) == 0
        (path,) = store.paths()
        assert back.merge(store.read_whole(path)) == 4
        assert back.path(KEY, TEST_ID).read_bytes() == source.path(KEY, TEST_ID).read_bytes()


class TestCopies:
    def test_they_do_for_the_objects(self, store: ObjectStore) -> None:
        """What was copied is not read again, what joined later is; a verdict looks at the objects."""
        store.write(KEY, TEST_ID, sessions(3), "add")
        path = store.path(KEY, TEST_ID)
        assert store.index(path) == 3
        store.write(KEY, TEST_ID, [sessions(4)[3]], "add")
        spoil(min(one for one in objects() if "~add~" in one), b"{")
        assert numbers(store.read_whole(path, takes_copies=True).entries) == [0, 1, 2, 3]
        assert numbers(entries(store)) == [1, 2, 3]
        with pytest.raises(BaselineError, match="is not JSON"):
            store.read_whole(path)

    @pytest.mark.parametrize(
        "content", [b"", b"{", gzip.compress(b'{"a": 1}', mtime=0), gzip.compress(b"[", mtime=0)]
    )
    def test_a_damaged_one_is_none(self, store: ObjectStore, content: bytes) -> None:
        """Everything is then read."""
        store.write(KEY, TEST_ID, sessions(2), "add")
        path = store.path(KEY, TEST_ID)
        spoil(f"/bucket/baselines/{path}/{COPIES_NAME}", content)
        assert numbers(store.read_whole(path, takes_copies=True).entries) == [0, 1]

    def test_what_was_removed_does_not_come_back(self, store: ObjectStore) -> None:
        """A copy counts only for an object that is listed, and goes with the last."""
        store.write(KEY, TEST_ID, sessions(3), "add")
        path = store.path(KEY, TEST_ID)
        store.index(path)
        store.reduce(path, lambda old: old.entries[:1])
        assert numbers(store.read_whole(path, takes_copies=True).entries) == [0]
        store.reduce(path, lambda _: ())
        assert objects() == {}


def test_the_identity_is_of_the_text(store: ObjectStore) -> None:
    """It is of what is stored, also of what another version wrote and this one doesn't know."""
    store.write(KEY, TEST_ID, sessions(1), "add")
    (path, content), *_ = objects().items()
    later = content.replace(b'"created"', b'"a_later_field": 1,\n      "created"')
    assert identity_of(later) != identity_of(content)
    assert identity_of(content) in path


def test_a_local_url_is_written_whole(tmp_path: Path) -> None:
    """Nothing but sessions is left in the folder, and a killed writer's part is no session."""
    store = ObjectStore(f"file://{tmp_path}")
    store.write(KEY, TEST_ID, sessions(1), "add")
    place = tmp_path / store.path(KEY, TEST_ID)
    (place / ".x.json.0123456789abcdef.tmp").write_bytes(b"{")
    assert numbers(entries(store)) == [0]


def test_a_place_that_can_not_be_written(tmp_path: Path) -> None:
    """It says so; what is there is read."""
    (tmp_path / "b").write_bytes(b"")
    with pytest.raises(BaselineError, match=r"can't list file://.*: NotADirectoryError.*; check the URL"):
        ObjectStore(f"file://{tmp_path}/b").write(KEY, TEST_ID, sessions(1), "add")
