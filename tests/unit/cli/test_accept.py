"""`pytest-energy accept`: the joules of a run, taken into the baselines."""

import errno
import fcntl
import os
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_energy.baselines.accept import joining
from pytest_energy.baselines.store import Store
from pytest_energy.judgement import Judgement, Verdict
from pytest_energy.model import Provenance
from pytest_energy.report import to_json, view
from pytest_energy.yardstick import Yardstick
from tests.builders import CREATED, H100, judgement, stored
from tests.fakes import faulty_disk
from tests.unit.cli.conftest import Cli, Ran, written

PAST = "2025-11-20T10:00:00Z"
WORK = "t.py::test_work"
LOAD = "yardstick::gpu-compute"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "baselines"


def at(energy_j: float | None = 10.0, test_id: str = WORK, **more: object) -> Judgement:
    words = {"created": PAST, "uncertainty_j": 0.02} | more
    return judgement(test_id=test_id, energy_j=energy_j, **words)  # type: ignore[arg-type]  # its own words


def failed(verdict: Verdict = Verdict.REGRESSION, test_id: str = WORK, energy_j: float = 13.0) -> Judgement:
    return replace(at(energy_j, test_id, verdict=verdict), outcome="failed")


def run_of(tmp_path: Path, *judgements: Judgement) -> Path:
    """A run of *judgements*, as --energy-out writes it."""
    return written(tmp_path / "run.json", *judgements)


def accepted(cli: Cli, run: Path, folder: Path, *options: str) -> Ran:
    """`pytest-energy accept` of *run* into the baselines of *folder*."""
    return cli("accept", run, "--baselines", folder, *options)


def energies_j(folder: Path, test_id: str = WORK) -> list[float | None] | None:
    """The sessions' mean joules of one test, or `None` without a baseline."""
    stored = Store(folder).load(H100.key, test_id)
    return None if stored is None else [session.energy_j for session in stored.entries]


def test_what_passed_is_taken(cli: Cli, tmp_path: Path, folder: Path) -> None:
    """Each test that passed is a session, and where it was written is said."""
    run = run_of(tmp_path, at(), at(20.0, "t.py::test_other", verdict=Verdict.NO_BASELINE))
    status, out, err = accepted(cli, run, folder)
    assert (status, err) == (0, "")
    assert energies_j(folder) == [10.0]
    assert out.splitlines() == [
        f"added: {WORK}: now 1 session in {Store(folder).path(H100.key, WORK)}",
        f"added: t.py::test_other: now 1 session in {Store(folder).path(H100.key, 't.py::test_other')}",
        f"2 added of {run}",
    ]


def test_what_is_stored_is_the_run_s_record(cli: Cli, tmp_path: Path, folder: Path) -> None:
    """Nothing is lost on the way through the run's JSON."""
    one = view.of([at()]).judgements[0]
    accepted(cli, run_of(tmp_path, one), folder)
    (baseline,) = stored(Store(folder))
    assert baseline.entries == (one.record,)


def test_twice_is_once(cli: Cli, tmp_path: Path, folder: Path) -> None:
    """The same run again adds nothing and says so."""
    run = run_of(tmp_path, at())
    accepted(cli, run, folder)
    before = Store(folder).path(H100.key, WORK).read_bytes()
    status, out, _ = accepted(cli, run, folder)
    assert status == 0
    assert out.startswith(f"already stored: {WORK}: ")
    assert out.endswith(f"1 already stored of {run}\n")
    assert Store(folder).path(H100.key, WORK).read_bytes() == before


def test_what_failed_is_left_out(cli: Cli, tmp_path: Path, folder: Path) -> None:
    """A test that failed is named with why, and stays as it was; the others are taken."""
    run = run_of(tmp_path, failed(), failed(Verdict.PASS, "t.py::test_broken"), at(5.0, "t.py::test_good"))
    status, out, _ = accepted(cli, run, folder, "--replace")
    assert status == 0
    assert f"left out: {WORK}: the test did not pass (failed)" in out
    assert "left out: t.py::test_broken: the test did not pass (failed)" in out
    assert "1 added, 2 left out of" in out
    assert len(Store(folder).paths()) == 1


def test_a_named_test_is_taken_alone(cli: Cli, tmp_path: Path, folder: Path) -> None:
    """Only the tests that are named are taken, whatever their verdict."""
    run = run_of(tmp_path, failed(), failed(Verdict.OVER_BUDGET, "t.py::test_b"), at(5.0, "t.py::test_c"))
    status, out, _ = accepted(cli, run, folder, f"--test={WORK}", "--test=t.py::test_b")
    assert status == 0
    assert "2 added of" in out
    assert energies_j(folder) == [13.0]
    assert energies_j(folder, "t.py::test_c") is None


@pytest.mark.parametrize("verdict", [Verdict.VOID, Verdict.UNMEASURED])
def test_a_named_test_without_joules_is_status_1(
    cli: Cli, tmp_path: Path, folder: Path, verdict: Verdict
) -> None:
    """What was asked for by name and can't be had is no success."""
    run = run_of(tmp_path, at(None if verdict is Verdict.UNMEASURED else 10.0, verdict=verdict))
    status, out, _ = accepted(cli, run, folder, f"--test={WORK}")
    assert status == 1
    assert f"left out: {WORK}: its verdict is {verdict}: " in out
    assert not folder.exists()


def test_a_name_that_the_run_has_not(cli: Cli, tmp_path: Path, folder: Path) -> None:
    """A misspelt name stops it all before anything is written."""
    run = run_of(tmp_path, at())
    status, out, err = accepted(cli, run, folder, f"--test={WORK}", "--test=t.py::test_wrok")
    assert (status, out) == (2, "")
    assert f"{run} has no test 't.py::test_wrok'. Did you mean {WORK}? Tests whose own" in err
    assert not folder.exists()


def test_replace_starts_anew(cli: Cli, tmp_path: Path, folder: Path) -> None:
    """With --replace the old sessions go; without, the new one stands beside them."""
    accepted(cli, run_of(tmp_path, at(10.0)), folder)
    accepted(cli, run_of(tmp_path, at(10.1, created="2025-11-21T10:00:00Z")), folder)
    assert energies_j(folder) == pytest.approx([10.0, 10.1])
    status, out, _ = accepted(cli, run_of(tmp_path, failed()), folder, "--replace", f"--test={WORK}")
    assert status == 0
    assert "now 1 session in" in out
    assert energies_j(folder) == [13.0]


@pytest.mark.parametrize(
    ("one", "options"),
    [
        (at(8.0, verdict=Verdict.IMPROVEMENT, created="2025-11-25T10:00:00Z"), ()),
        (replace(at(8.0, verdict=Verdict.IMPROVEMENT), outcome="failed"), (f"--test={WORK}",)),
        (failed(), (f"--test={WORK}",)),
    ],
    ids=["improvement", "improvement of a named test", "regression of a named test"],
)
def test_an_accepted_change_starts_the_level_anew(
    cli: Cli, tmp_path: Path, folder: Path, one: Judgement, options: tuple[str, ...]
) -> None:
    """What was measured before it goes, is counted, and what comes after joins the new level."""
    for day in (1, 2, 3):
        accepted(cli, run_of(tmp_path, at(10.0 + day, created=f"2025-11-0{day}T10:00:00Z")), folder)
    _, out, _ = accepted(cli, run_of(tmp_path, one), folder, *options)
    path = Store(folder).path(H100.key, WORK)
    assert out.startswith(
        f"added: {WORK}: a new level, and 3 sessions of the old one removed; now 1 session in {path}\n"
    )
    assert energies_j(folder) == [one.record.energy_j]
    accepted(cli, run_of(tmp_path, at(9.0, created="2025-11-26T10:00:00Z")), folder)
    assert energies_j(folder) == [one.record.energy_j, 9.0]


def test_an_improvement_that_added_itself_is_accepted(cli: Cli, tmp_path: Path, folder: Path) -> None:
    """A run added what it measured, and a person accepts that run: it is there once, and the level is new."""
    one = at(8.0, verdict=Verdict.IMPROVEMENT)
    accepted(cli, run_of(tmp_path, at(10.0, created="2025-11-01T10:00:00Z")), folder)
    Store(folder).write(H100.key, WORK, [joining(one, is_accepted=False)], "add")
    run = run_of(tmp_path, one)
    assert "a new level, and 1 session of the old one removed; now 1 session" in accepted(cli, run, folder)[1]
    assert accepted(cli, run, folder)[1].endswith(f"1 already stored of {run}\n")


def test_keep_limits_the_sessions(cli: Cli, tmp_path: Path, folder: Path) -> None:
    """Of more than --keep the first and the newest stay."""
    for day in range(1, 7):
        run = run_of(tmp_path, at(10.0 + day, created=f"2025-11-{day:02}T10:00:00Z"))
        accepted(cli, run, folder, "--keep=4")
    assert energies_j(folder) == [11.0, 12.0, 13.0, 16.0]
    status, _, err = accepted(cli, run_of(tmp_path, at()), folder, "--keep=0")
    assert status == 2
    assert "must be a whole number of at least 1. Got 0." in err


def test_estimates_are_taken_where_asked(cli: Cli, tmp_path: Path, folder: Path) -> None:
    """An estimate enters only with --estimates, although no verdict was made of it."""
    run = run_of(tmp_path, at(verdict=Verdict.UNMEASURED, provenance=Provenance.ESTIMATED))
    _, out, _ = accepted(cli, run, folder)
    assert "its joules are an estimate; its verdict is unmeasured" in out
    assert not folder.exists()
    _, out, _ = accepted(cli, run, folder, "--estimates=gate")
    assert "1 added of" in out
    assert energies_j(folder) == [10.0]


def test_what_can_not_stand_beside_is_left_out(cli: Cli, tmp_path: Path, folder: Path) -> None:
    """Joules of another provenance never join; the difference and the way to start anew are told."""
    accepted(cli, run_of(tmp_path, at()), folder)
    run = run_of(tmp_path, at(provenance=Provenance.REPLAYED, created="2025-11-21T10:00:00Z"))
    status, out, _ = accepted(cli, run, folder)
    assert status == 1
    assert "provenance: 'measured' in the baseline, 'replayed' now" in out
    assert "--replace overwrites them" in out
    assert energies_j(folder) == [10.0]
    assert accepted(cli, run, folder, "--replace")[1].startswith("added: ")


def test_an_empty_run_takes_nothing(cli: Cli, tmp_path: Path, folder: Path) -> None:
    """A run without energy tests is said to have none."""
    run = run_of(tmp_path)
    assert accepted(cli, run, folder) == (1, f"no test of {run}\n", "")


SORTS = ("t.py::test_sort[1]", "t.py::test_sort[2]", "t.py::test_sort_fast")


@pytest.mark.parametrize(
    ("name", "count"), [("test_sort", 2), ("sort_fast", 1), ("*sort*", 3), ("test_sort[2]", 1)]
)
def test_a_part_of_an_id_is_enough(cli: Cli, tmp_path: Path, folder: Path, name: str, count: int) -> None:
    """A test's name takes all its parameters, a part the one test that has it, and a pattern all that fit."""
    run = run_of(tmp_path, *(at(10.0, test_id) for test_id in SORTS))
    status, out, _ = accepted(cli, run, folder, f"--test={name}")
    assert status == 0
    assert out.endswith(f"{count} added of {run}\n")


def test_a_part_of_several_tests_takes_none(cli: Cli, tmp_path: Path, folder: Path) -> None:
    """Nothing is accepted by accident; the tests are listed, and the ways to name them."""
    run = run_of(tmp_path, *(at(10.0, test_id) for test_id in SORTS))
    status, _, err = accepted(cli, run, folder, "--test=sort")
    assert status == 2
    assert f"'sort' is a part of 3 tests of {run}: {', '.join(SORTS)}." in err
    assert not folder.exists()


def test_where_nothing_is_taken_the_status_says_so(cli: Cli, tmp_path: Path, folder: Path) -> None:
    """A pipeline must notice; taken twice, what is there already is no failure."""
    run = run_of(tmp_path, at(10.0, verdict=Verdict.REGRESSION))
    status, out, _ = accepted(cli, run, folder)
    assert status == 1
    assert "left out: t.py::test_work: its verdict is regression" in out
    good = run_of(tmp_path, at(10.0))
    assert accepted(cli, good, folder)[0] == 0
    assert accepted(cli, good, folder)[0] == 0


# Bad input: nothing is written


def test_a_broken_baseline_stops_it_all(cli: Cli, tmp_path: Path, folder: Path) -> None:
    """Every broken file is named before anything is written, so that none is written by halves."""
    ids = [f"t.py::test_{name}" for name in "abc"]
    accepted(cli, run_of(tmp_path, *(at(10.0, test_id) for test_id in ids)), folder)
    paths = [Store(folder).path(H100.key, test_id) for test_id in ids]
    paths[1].write_text("<<<<<<< HEAD\n{")
    paths[2].write_text('{"format": 9}')
    before = [path.read_bytes() for path in paths]
    run = run_of(tmp_path, *(at(11.0, test_id, created="2025-11-21T10:00:00Z") for test_id in ids))
    status, out, err = accepted(cli, run, folder)
    assert (status, out) == (2, "")
    assert err.startswith("pytest-energy: nothing was written:\n")
    assert f"{paths[1]} line 1 is '<<<<<<< HEAD': a merge was left unfinished" in err
    assert f"{paths[2]} is of format 9" in err
    assert [path.read_bytes() for path in paths] == before


def test_a_run_from_the_future_is_refused(cli: Cli, tmp_path: Path, folder: Path) -> None:
    """A record made by a clock that is wrong enters nothing."""
    run = run_of(tmp_path, at(created="2999-01-01T00:00:00Z"))
    status, _, err = accepted(cli, run, folder)
    assert status == 2
    assert f"the run's record of {WORK}: sessions[0] is from the future: created 2999-01-01" in err
    assert not folder.exists()


def test_a_folder_that_is_a_file(cli: Cli, tmp_path: Path, folder: Path) -> None:
    """The path is named as a file, and stays one."""
    folder.write_text("mine")
    for options in ((), ("--replace",)):
        status, _, err = accepted(cli, run_of(tmp_path, at()), folder, *options)
        assert status == 2
        assert f"{folder} is not a folder; fix that, or name another folder" in err
    assert folder.read_text() == "mine"


def test_a_disk_that_takes_nothing(cli: Cli, tmp_path: Path) -> None:
    """A read-only place is named with the system's reason."""
    status, _, err = accepted(cli, run_of(tmp_path, at()), Path("/proc/baselines"))
    assert status == 2
    assert "can't write /proc/baselines: No such file or directory" in err


def test_a_disk_that_is_full_half_way(
    cli: Cli, tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was taken before the disk was full is said and sound; the rest is as it was."""
    run = run_of(tmp_path, at(), at(20.0, "t.py::test_z"))
    sync, calls = os.fsync, []

    def fill_up(descriptor: int) -> None:
        calls.append(descriptor)
        if Store(folder).path(H100.key, WORK).exists() and not Store(folder).paths_of("t.py::test_z"):
            names = [path.name for path in folder.rglob("*.tmp")]
            if any("test_z" in name for name in names):
                raise OSError(28, "No space left on device")
        sync(descriptor)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fill_up)
        status, out, err = accepted(cli, run, folder)
    assert status == 2
    assert out.startswith(f"added: {WORK}: ")
    assert "No space left on device" in err
    assert [baseline.test_id for baseline in stored(Store(folder))] == [WORK]
    assert accepted(cli, run, folder)[1].endswith(f"1 added, 1 already stored of {run}\n")


class TestYardstick:
    """The loads of a run enter where one of its tests does."""

    def run_of(self, tmp_path: Path, *sessions: str, verdict: Verdict = Verdict.PASS) -> Path:
        """A run of one test whose processes have each measured a load."""
        records = tuple(
            replace(at(test_id=LOAD).record, session=session, created=f"2025-11-20T10:00:0{number}Z")
            for number, session in enumerate(sessions)
        )
        run = view.of([at(verdict=verdict)], yardstick=Yardstick(records=records))
        path = tmp_path / "run.json"
        path.write_text(to_json.render(run, created=CREATED), encoding="utf-8")
        return path

    def session_count(self, folder: Path) -> int:
        stored = Store(folder).load(H100.key, LOAD)
        return 0 if stored is None else len(stored.entries)

    def test_each_process_has_a_session(self, cli: Cli, tmp_path: Path, folder: Path) -> None:
        """Beside the stored ones, and in their place; twice is once."""
        run = self.run_of(tmp_path, "a", "b")
        assert accepted(cli, run, folder).out.endswith(f"3 added of {run}\n")
        assert self.session_count(folder) == 2
        assert accepted(cli, run, folder).out.endswith(f"3 already stored of {run}\n")
        assert accepted(cli, self.run_of(tmp_path, "c", "d", "e"), folder, "--replace").status == 0
        assert self.session_count(folder) == 3

    def test_as_many_runs_are_kept_as_of_a_test(self, cli: Cli, tmp_path: Path, folder: Path) -> None:
        """Two processes a run have two sessions a run."""
        for run in ("ab", "cd", "ef"):
            accepted(cli, self.run_of(tmp_path, *run), folder, "--keep", "2")
        assert self.session_count(folder) == 4

    def test_without_a_test_it_stays_out(self, cli: Cli, tmp_path: Path, folder: Path) -> None:
        """Nothing of a run enters none of whose tests does."""
        accepted(cli, self.run_of(tmp_path, "a", verdict=Verdict.VOID), folder)
        assert self.session_count(folder) == 0

    def test_what_can_not_be_compared_is_left_out(self, cli: Cli, tmp_path: Path, folder: Path) -> None:
        """Another amount of work is named, and the test is taken all the same."""
        accepted(cli, self.run_of(tmp_path, "a"), folder)
        less = replace(at(test_id=LOAD).record, samples=4)
        run = tmp_path / "other.json"
        whole = view.of([at(11.0)], yardstick=Yardstick(records=(less,)))
        run.write_text(to_json.render(whole, created=CREATED), encoding="utf-8")
        status, out, _ = accepted(cli, run, folder)
        assert status == 0
        assert f"left out: {LOAD}: it can't be added to the stored sessions" in out
        assert energies_j(folder) == [10.0, 11.0]


def test_what_can_not_be_written_keeps_nothing_else_out(
    cli: Cli, tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The others are taken, and said to be; each that is not is an error with its file."""
    ids = [f"t.py::test_{letter}" for letter in "abc"]
    faulty_disk.refuse(monkeypatch, "test_b.json")
    status, out, err = accepted(cli, run_of(tmp_path, *(at(test_id=name) for name in ids)), folder)
    assert status == 2
    assert [line.split(": ")[1] for line in out.splitlines()] == [ids[0], ids[2]]
    assert [energies_j(folder, name) for name in ids] == [[10.0], None, [10.0]]
    assert err.splitlines()[0] == "pytest-energy: 2 written, but not:"
    (line,) = err.splitlines()[1:]
    path = Store(folder).path(H100.key, ids[1])
    assert line.startswith(f"can't write {path}: Input/output error; fix that")


def test_a_folder_that_can_not_be_locked_is_told_once(
    cli: Cli, tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No other baseline is tried, as each would wait for the lock anew."""

    def flock(*_: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", flock)
    run = run_of(tmp_path, at(), at(test_id="t.py::test_other"))
    status, out, err = accepted(cli, run, folder)
    assert (status, out) == (2, "")
    assert err.count("can't lock") == 1
    assert err.startswith("pytest-energy: 0 written, but not:")
