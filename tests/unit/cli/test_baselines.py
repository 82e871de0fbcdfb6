"""`pytest-energy baselines`: list, validate, prune, diff."""

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_energy.baselines.schema import Baseline, to_json_text
from pytest_energy.baselines.store import Store
from pytest_energy.model import JoinedAs, Provenance, Record
from tests.builders import KEY, judgement, record, sessions, stored
from tests.fakes import faulty_disk
from tests.unit.cli.conftest import Cli, written

A, B = "tests/test_a.py::test_a", "tests/test_a.py::test_b"


def of(test_id: str, count: int = 1, *, key: str = KEY, first: int = 0) -> list[Record]:
    """*count* sessions of a test, each a minute after the other and 1 J more."""
    made = sessions(count, first=first)
    return [replace(one, test_id=test_id, machine=replace(one.machine, key=key)) for one in made]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Six sessions of one test, two of another, and one of a second machine."""
    store = Store(tmp_path / "baselines")
    store.write(KEY, A, of(A, 6), "add")
    store.write(KEY, B, of(B, 2), "add")
    store.write("t4", A, of(A, 1, key="t4"), "add")
    return store


def counts(store: Store) -> dict[tuple[str, str], int]:
    return {(one.machine_key, one.test_id): len(one.entries) for one in stored(store)}


def merged(store: Store, sessions: Sequence[Record], start: int) -> None:
    """Put *sessions* of A as a merge leaves them, where number *start* is the first of a new level."""
    entries = (*sessions[:start], replace(sessions[start], joined_as=JoinedAs.LEVEL), *sessions[start + 1 :])
    text = to_json_text(Baseline(test_id=A, machine_key=KEY, entries=entries))
    store.path(KEY, A).write_text(text)


WHOLE = {(KEY, A): 6, (KEY, B): 2, ("t4", A): 1}


# list


def test_list_tells_each_machine(cli: Cli, store: Store) -> None:
    """A line a machine: its tests, sessions, provenance and newest session."""
    store.write("e", B, [record(test_id=B, key="e", provenance=Provenance.ESTIMATED)], "add")
    status, out, _ = cli("baselines", "list", "--baselines", store.folder)
    assert status == 0
    assert [line.split() for line in out.splitlines()] == [
        ["machine", "tests", "sessions", "new", "levels", "joules", "newest", "(UTC)"],
        ["e", "1", "1", "0", "estimated", "2025-11-20", "10:00"],
        [KEY, "2", "8", "0", "measured", "2025-11-20", "10:05"],
        ["t4", "1", "1", "0", "measured", "2025-11-20", "10:00"],
    ]


def test_list_tells_what_is_broken(cli: Cli, store: Store) -> None:
    """The sound files are listed all the same, and the status says that not all are."""
    store.path("t4", A).write_text("{")
    status, out, _ = cli("baselines", "list", "--baselines", store.folder)
    assert status == 2
    assert KEY in out
    assert f"problem: {store.path('t4', A)} is not JSON" in out


def test_list_of_an_empty_folder(cli: Cli, tmp_path: Path) -> None:
    """A folder that holds none says so."""
    assert cli("baselines", "list", "--baselines", tmp_path) == (0, f"no baselines in {tmp_path}\n", "")


@pytest.mark.parametrize("command", ["list", "validate", "prune --keep=4", "diff"])
def test_a_folder_that_is_not_there(cli: Cli, tmp_path: Path, command: str) -> None:
    """A misspelt folder has nothing wrong in it, so it is refused."""
    folder = tmp_path / "baslines"
    where = (folder, folder) if command == "diff" else ("--baselines", folder)
    status, out, err = cli("baselines", *command.split(), *where)
    assert (status, out) == (2, "")
    assert f"{folder} is not a folder" in err


def test_a_folder_that_is_a_file(cli: Cli, tmp_path: Path) -> None:
    """It is named as that."""
    (tmp_path / "file").touch()
    status, _, err = cli("baselines", "validate", "--baselines", tmp_path / "file")
    assert status == 2
    assert f"{tmp_path}/file is not a folder" in err


# validate


def test_validate_finds_nothing_wrong(cli: Cli, store: Store) -> None:
    """Sound files are counted."""
    status, out, _ = cli("baselines", "validate", "--baselines", store.folder)
    assert (status, out) == (0, f"3 files in {store.folder}: all valid\n")


def changed(change: Callable[[list[dict[str, object]]], object]) -> Callable[[str], str]:
    """A damage that changes the sessions of a file."""

    def damage(text: str) -> str:
        document = json.loads(text)
        change(document["sessions"])
        return json.dumps(document)

    return damage


def in_round(**members: object) -> Callable[[str], str]:
    def change(sessions: list[dict[str, object]]) -> None:
        rounds = sessions[1]["rounds"]
        assert isinstance(rounds, list)
        rounds[0].update(members)

    return changed(change)


@pytest.mark.parametrize(
    ("damage", "what"),
    [
        (lambda text: f"<<<<<<< HEAD\n{text}=======\n{text}>>>>>>> other\n", "a merge was left unfinished"),
        (
            changed(lambda found: found.append(found[0])),
            "sessions[6] (created 2025-11-20T10:00:00Z) is sessions[0]",
        ),
        (
            changed(lambda found: found[2].update(created="2999-01-01T00:00:00Z")),
            "sessions[2] is from the future",
        ),
        (changed(lambda found: found[2].update(created="now")), "created is 'now', not a time"),
        (changed(lambda found: found[2].update(id="t.py::x")), "is of the test 't.py::x'"),
        (
            changed(lambda found: found[2].update(provenance="estimated")),
            "'measured' in the baseline, 'estimated'",
        ),
        (in_round(channels={"gpu:0": -1.0}, energy_j=-1.0), "channel gpu:0 reads -1.0 J"),
        (in_round(channels={"gpu:0": float("nan")}), "gpu:0 is nan, not a finite number"),
        (in_round(energy_j=-11.0), "energy_j is -11.0, but its channels have 11.0 J"),
        (in_round(channels={"gpu:0": 0.0}, energy_j=0.0), "a round reads 0.0 J"),
        (in_round(duration_s=0.0), "a round took 0 s"),
        (lambda text: text.replace('"format": 1', '"format": 2'), "is of format 2"),
        (lambda text: text[:500], "is not JSON"),
        (lambda _: "", "is not JSON"),
    ],
)
def test_validate_finds_what_is_wrong(
    cli: Cli, store: Store, damage: Callable[[str], str], what: str
) -> None:
    """Each is told with its file and what to do, the file is left as it is, and the status is 2."""
    path = store.path(KEY, A)
    path.write_text(damage(path.read_text()))
    before = path.read_bytes()
    status, out, _ = cli("baselines", "validate", "--baselines", store.folder)
    assert status == 2
    problem, summary = out.splitlines()
    assert problem.startswith(f"problem: {path}")
    assert what in problem
    assert any(
        word in problem for word in ("restore", "delete", "finish", "upgrade", "give", "mend", "not a time")
    )
    assert summary == f"3 files in {store.folder}: 1 problem"
    assert path.read_bytes() == before


def test_validate_finds_a_huge_file(cli: Cli, store: Store) -> None:
    """100 MB are refused by their size."""
    os.truncate(store.path(KEY, A), 100_000_000)
    status, out, _ = cli("baselines", "validate", "--baselines", store.folder)
    assert status == 2
    assert "it has 100,000,000 bytes, but at most 10,000,000 are read" in out


def test_validate_finds_a_file_in_another_s_place(cli: Cli, store: Store) -> None:
    """A copy under another name is told with the place it belongs to."""
    other = store.path(KEY, A).with_name("test_c.json")
    other.write_bytes(store.path(KEY, A).read_bytes())
    status, out, _ = cli("baselines", "validate", "--baselines", store.folder)
    assert status == 2
    assert f"{other} holds the baseline of {A!r}" in out


def test_validate_finds_all_at_once(cli: Cli, store: Store) -> None:
    """One broken file hides no other."""
    for path in store.paths():
        path.write_text("{")
    status, out, _ = cli("baselines", "validate", "--baselines", store.folder)
    assert status == 2
    assert out.endswith(f"3 files in {store.folder}: 3 problems\n")
    assert len(out.splitlines()) == 4


def test_list_tells_what_a_new_level_leaves(cli: Cli, store: Store) -> None:
    """Levels that an accepted change started are counted, and so is what a merge left before one."""
    merged(store, of(A, 6), 4)
    _, out, _ = cli("baselines", "list", "--baselines", store.folder)
    lines = out.splitlines()
    assert lines[1].split()[:4] == [KEY, "2", "8", "1"]
    assert lines[-1] == "4 sessions unused since a new level, removed at the next write"
    store.write(KEY, A, of(A, 1, first=9), "add")
    lines = cli("baselines", "list", "--baselines", store.folder)[1].splitlines()
    assert lines[1].split()[:4] == [KEY, "2", "5", "1"]
    assert len(lines) == 3


# prune


def run_json(tmp_path: Path, ids: Sequence[str], *, key: str = KEY) -> Path:
    """A run of tests, as --energy-out writes it."""
    found = [judgement(test_id=test_id) for test_id in ids]
    moved = [
        replace(one, record=replace(one.record, machine=replace(one.record.machine, key=key)))
        for one in found
    ]
    return written(tmp_path / "run.json", *moved)


def test_prune_only_says_what_would_go(cli: Cli, store: Store) -> None:
    """Without --yes nothing is removed."""
    status, out, _ = cli("baselines", "prune", "--keep=4", "--baselines", store.folder)
    assert status == 0
    assert out.splitlines() == [
        f"would be removed: {A}: 2 of 6 sessions: {store.path(KEY, A)}",
        "would be removed: 2 sessions in 1 of 3 files",
        "give --yes to do it",
    ]
    assert counts(store) == WHOLE


def test_prune_keeps_the_first_and_the_newest(cli: Cli, store: Store) -> None:
    """--keep leaves the pinned sessions and the newest."""
    status, out, _ = cli("baselines", "prune", "--keep=4", "--yes", "--baselines", store.folder)
    assert status == 0
    assert out.splitlines()[-1] == "removed: 2 sessions in 1 of 3 files"
    assert [one.energy_j for one in store.read(store.path(KEY, A)).entries] == [10.0, 11.0, 12.0, 15.0]


def test_prune_goes_on_where_a_file_can_not_be_written(
    cli: Cli, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The others are reduced; the one that isn't is an error, and is as it was."""
    store.write(KEY, B, of(B, 6), "add")
    faulty_disk.refuse(monkeypatch, "test_a.json")
    status, out, err = cli("baselines", "prune", "--keep=4", "--yes", "--baselines", store.folder)
    assert status == 2
    assert counts(store) == WHOLE | {(KEY, B): 4}
    assert out.splitlines()[-1] == "removed: 2 sessions in 1 of 3 files"
    assert err.startswith(f"pytest-energy: can't write {store.path(KEY, A)}: Input/output error; fix that")


def test_prune_never_takes_a_pinned_session_alone(cli: Cli, tmp_path: Path) -> None:
    """Of old sessions before young ones the first three stay."""
    store = Store(tmp_path / "baselines")
    old = [replace(one, created=one.created.replace("2025", "2015")) for one in of(A, 5)]
    young = replace(of(A, 1, first=9)[0], created=_now())
    store.write(KEY, A, [*old, young], "add")
    cli("baselines", "prune", "--older-than=365", "--yes", "--baselines", store.folder)
    assert [one.energy_j for one in store.read(store.path(KEY, A)).entries] == [10.0, 11.0, 12.0, 19.0]


def test_prune_pins_the_first_of_the_level(cli: Cli, store: Store) -> None:
    """What was before a new level is not pinned; the first three of the level are."""
    sessions = [replace(one, created=one.created.replace("2025", "2015")) for one in of(A, 6)]
    merged(store, [*sessions, replace(of(A, 1, first=9)[0], created=_now())], 2)
    cli("baselines", "prune", "--older-than=365", "--yes", "--baselines", store.folder)
    assert [one.energy_j for one in store.read(store.path(KEY, A)).entries] == [12.0, 13.0, 14.0, 19.0]


def _now() -> str:
    from pytest_energy.documents import now_text

    return now_text()


def test_prune_takes_a_file_whose_sessions_are_all_old(cli: Cli, store: Store) -> None:
    """A baseline that nothing was added to for so long goes whole, pinned sessions included."""
    _, out, _ = cli(
        "baselines", "prune", "--older-than=0", "--machine=t4", "--yes", "--baselines", store.folder
    )
    assert f"removed: {A}: the whole file: {store.path('t4', A)}" in out
    assert counts(store) == {(KEY, A): 6, (KEY, B): 2}
    assert not (store.folder / "t4").exists()


def test_prune_keeps_what_is_young(cli: Cli, store: Store) -> None:
    """What is not older stays, whatever the number of days."""
    for age_days in ("40000", "1e300"):
        _, out, _ = cli(
            "baselines", "prune", f"--older-than={age_days}", "--yes", "--baselines", store.folder
        )
        assert out == "removed: 0 sessions in 0 of 3 files\n"
    assert counts(store) == WHOLE


def test_prune_takes_tests_that_a_run_has_not(cli: Cli, store: Store, tmp_path: Path) -> None:
    """Tests that are gone lose their baseline on the run's machine; of another one a run tells nothing."""
    run = run_json(tmp_path, [B])
    cli("baselines", "prune", f"--missing-tests-from={run}", "--yes", "--baselines", store.folder)
    assert counts(store) == {(KEY, B): 2, ("t4", A): 1}


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ([], "nothing to remove: give --keep, --older-than or --missing-tests-from"),
        (["--machine=t4"], "everything of one machine: --machine=KEY --older-than=0"),
        (["--keep=3"], "--keep must be at least 4: the first 3 sessions are pinned"),
        (["--keep=some"], "must be a whole number of at least 1. Got 'some'."),
        (["--older-than=-1"], "must be a number of days of at least 0, such as 30. Got '-1'."),
        (["--older-than=nan"], "Got 'nan'."),
        (["--keep=4", "--machine=h200"], "no baseline of the machine 'h200'. The machines are: h100"),
        (["--missing-tests-from=none.json"], "none.json can't be read"),
    ],
)
def test_prune_refuses_what_says_too_little(cli: Cli, store: Store, options: list[str], text: str) -> None:
    """What can't be meant is refused with what to give, and nothing is removed."""
    status, _, err = cli("baselines", "prune", *options, "--yes", "--baselines", store.folder)
    assert status == 2
    assert text in err
    assert counts(store) == WHOLE


def test_prune_touches_nothing_where_a_file_is_broken(cli: Cli, store: Store) -> None:
    """What can't be understood is looked at by a person first."""
    store.path("t4", A).write_text("{")
    status, _, err = cli("baselines", "prune", "--older-than=0", "--yes", "--baselines", store.folder)
    assert status == 2
    assert f"1 file in {store.folder} broken:\n{store.path('t4', A)} is not JSON" in err
    assert len(store.paths()) == 3


# diff


def test_diff_tells_what_was_added_removed_and_changed(cli: Cli, store: Store, tmp_path: Path) -> None:
    """A line each, the level's ratio where the sessions differ, and the count of those that don't."""
    other = Store(tmp_path / "other")
    other.write(KEY, A, of(A, 6), "add")
    other.write(KEY, B, [replace(one, rounds=one.rounds * 2) for one in of(B, 1, first=10)], "add")
    other.write("a100", A, of(A, 2, key="a100"), "add")
    status, out, _ = cli("baselines", "diff", store.folder, other.folder)
    assert status == 0
    level = 20 / (10 * 11) ** 0.5
    assert out.splitlines() == [
        f"added: {A} on a100: 2 sessions",
        f"removed: {A} on t4: 1 session",
        f"changed: {B} on {KEY}: level +{(level - 1) * 100:.1f} %; 2 -> 1 session",
        "1 added, 1 removed, 1 changed, 1 the same",
    ]


def test_diff_tells_a_new_level(cli: Cli, store: Store, tmp_path: Path) -> None:
    """That sessions went shows in their number, and why in the new level's time."""
    other = Store(tmp_path / "other")
    other.write(KEY, A, of(A, 6), "add")
    other.write(KEY, B, [*of(B, 2), replace(of(B, 1, first=6)[0], joined_as=JoinedAs.LEVEL)], "add")
    _, out, _ = cli("baselines", "diff", store.folder, other.folder)
    level = 16 / (10 * 11) ** 0.5
    assert out.splitlines()[1] == (
        f"changed: {B} on {KEY}: level +{(level - 1) * 100:.1f} %; 2 -> 1 session; "
        "a new level since 2025-11-20T10:06:00Z"
    )


def test_diff_of_a_folder_with_itself(cli: Cli, store: Store) -> None:
    """Nothing differs."""
    _, out, _ = cli("baselines", "diff", store.folder, store.folder)
    assert out == "0 added, 0 removed, 0 changed, 3 the same\n"


@pytest.mark.parametrize(
    ("one", "what"),
    [
        (
            record(test_id=B, provenance=Provenance.REPLAYED),
            "provenance: 'measured' in the baseline, 'replayed' now",
        ),
        (record(0.0, test_id=B), "a round reads 0 J"),
    ],
)
def test_diff_of_what_has_no_ratio(cli: Cli, store: Store, tmp_path: Path, one: Record, what: str) -> None:
    """Levels that can't be compared have no ratio, and the reason."""
    other = Store(tmp_path / "other")
    other.write(KEY, B, [one], "add")
    _, out, _ = cli("baselines", "diff", store.folder, other.folder)
    assert f"changed: {B} on {KEY}: levels can't be compared: {what}; 2 -> 1 session" in out


def test_diff_names_the_broken_files_of_both(cli: Cli, store: Store, tmp_path: Path) -> None:
    """One side's broken file hides not the other's."""
    other = Store(tmp_path / "other")
    other.write(KEY, A, of(A), "add")
    for path in (store.path("t4", A), other.path(KEY, A)):
        path.write_text("{")
    status, _, err = cli("baselines", "diff", store.folder, other.folder)
    assert status == 2
    assert str(store.path("t4", A)) in err
    assert str(other.path(KEY, A)) in err
