"""`pytest-energy judge`: what is said of runs that don't say all, and of files and options that can't be."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pytest_energy.baselines.store import Store
from pytest_energy.judgement import Judgement, Verdict
from pytest_energy.report import to_json, view
from pytest_energy.run_judgement import BaselineMode, RunJudgement
from pytest_energy.verdict.policy import Policy
from pytest_energy.yardstick import Yardstick, load_id
from tests.builders import CREATED, comparison, judgement, record
from tests.fakes import faulty_disk
from tests.unit.cli.conftest import Cli, at, written

WORK = "t.py::test_work"
CHECK = RunJudgement(baseline_mode=BaselineMode.CHECK, is_strict=False, tolerance=0.05, alpha=0.05)


def stored(folder: Path, *energies_j: float, test_id: str = WORK) -> Path:
    """Baselines of *test_id*, a session of each of *energies_j*."""
    for place, energy_j in enumerate(energies_j):
        one = replace(at(energy_j, test_id).record, created=f"2025-11-20T10:0{place}:00Z")
        Store(folder).write(one.machine.key, test_id, (one,), "add")
    return folder


def kept(
    path: Path, *judgements: Judgement, whole: RunJudgement | None = CHECK, yardstick: Yardstick | None = None
) -> Path:
    """A run as --energy-out writes it today."""
    run = view.of(judgements, run_judgement=whole, yardstick=yardstick)
    path.write_text(to_json.render(run, created=CREATED), encoding="utf-8")
    return path


def by(one: Judgement, policy: Policy) -> Judgement:
    return replace(one, terms=policy.terms)


def document(text: str) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(text)
    return value


def test_a_run_that_does_not_say_by_what_it_was_judged(cli: Cli, tmp_path: Path) -> None:
    """The options' defaults stand in, the options themselves go before, and a note says so."""
    run, folder = written(tmp_path / "run.json", at(13.0)), stored(tmp_path / "b", 10.0)
    status, out, _ = cli("judge", run, f"--baselines={folder}", "--json")
    assert status == 1
    assert document(out)["tests"][0]["verdict"] == "regression"
    notes = document(out)["run_notes"]
    assert "0 of 1 verdict as in the run" in notes
    assert f"{WORK}: regression, and pass in the run" in notes
    assert any(note.startswith("the run does not store the rules of its tests") for note in notes)
    assert cli("judge", run, f"--baselines={folder}", "--tolerance=0.5")[0] == 0


def test_what_the_comparison_of_such_a_run_tells_is_used(cli: Cli, tmp_path: Path) -> None:
    """The tolerance that a test was held against stands in its comparison."""
    old = replace(at(13.0), comparison=replace(comparison(1.3), tolerance=0.4))
    run, folder = written(tmp_path / "run.json", old), stored(tmp_path / "b", 10.0)
    status, out, _ = cli("judge", run, f"--baselines={folder}", "--json")
    assert (status, document(out)["tests"][0]["verdict"]) == (0, "pass")


def test_such_a_run_was_strict_if_a_doubt_failed_it(cli: Cli, tmp_path: Path) -> None:
    """Nothing else can have failed a test whose verdict is no failure."""
    doubt = replace(at(10.0), verdict=Verdict.NO_BASELINE, outcome="failed")
    assert cli("judge", written(tmp_path / "a.json", doubt), f"--baselines={tmp_path / 'b'}")[0] == 1
    passed = replace(doubt, outcome="passed")
    assert cli("judge", written(tmp_path / "b.json", passed), f"--baselines={tmp_path / 'b'}")[0] == 0


def test_a_folder_that_is_not_there_is_said(cli: Cli, tmp_path: Path) -> None:
    """Else a wrong name would look like a project without baselines."""
    run = kept(tmp_path / "run.json", by(at(10.0), Policy()))
    _, out, _ = cli("judge", run, f"--energy-baselines={tmp_path / 'none'}", "--json")
    assert (
        f"{tmp_path / 'none'} is not a folder: nothing is compared with baselines"
        in document(out)["run_notes"]
    )


def test_a_session_of_its_own_does_not_judge_a_run(cli: Cli, tmp_path: Path) -> None:
    """What was accepted after it doesn't either: it was not there yet."""
    fresh = by(at(13.0), Policy())
    folder, run = stored(tmp_path / "b", 10.0, 10.1), kept(tmp_path / "run.json", fresh)
    for one in (fresh.record, replace(fresh.record, created="2026-11-21T11:00:00Z")):
        Store(folder).write(one.machine.key, WORK, (one,), "add")
    _, out, _ = cli("judge", run, f"--baselines={folder}", "--json")
    (test,) = document(out)["tests"]
    assert (test["baseline"]["sessions"], test["verdict"]) == (2, "regression")


def test_the_yardstick_explains_again(cli: Cli, tmp_path: Path) -> None:
    """All tests +12 % fail the run; where the loads surely moved nearly as much, it is the card."""
    tests = [f"t.py::test_{number}" for number in range(6)]
    load = load_id("gpu", "compute")
    folder = tmp_path / "b"
    for test_id in (*tests, load):
        stored(folder, 10.0, 10.05, test_id=test_id)
    judgements = [by(at(11.2, test_id), Policy()) for test_id in tests]
    for load_j, status, least, most in ((10.0, 1, 1.0, 1.0), (11.2, 0, 1.08, 11.2 / 10.025)):
        yardstick = Yardstick(records=(at(load_j, load).record,))
        run = kept(tmp_path / "run.json", *judgements, yardstick=yardstick)
        ended, out, _ = cli("judge", run, f"--baselines={folder}", "--json")
        whole = document(out)["run_judgement"]
        assert (ended, bool(whole["failures"])) == (status, bool(status))
        assert least <= whole["factors"][0]["yardstick"]["gpu-compute"] <= most


def test_several_runs_are_judged_in_turn(cli: Cli, tmp_path: Path) -> None:
    """The status is the worst of theirs; with --json there is one document after the other."""
    folder = stored(tmp_path / "b", 10.0)
    good = kept(tmp_path / "good.json", by(at(10.0), Policy()))
    bad = kept(tmp_path / "bad.json", by(at(13.0), Policy()))
    status, out, _ = cli("judge", good, bad, good, f"--baselines={folder}")
    assert status == 1
    assert out.count("exit status 0: no test fails") == 2
    assert out.count("exit status 1: 1 test fails") == 1
    _, out, _ = cli("judge", good, bad, f"--baselines={folder}", "--json")
    assert out.count('\n"format": 1') == 2


def test_accept_writes_a_copy_unless_told(cli: Cli, tmp_path: Path) -> None:
    """The folder is the same to the byte; --write puts the sessions into it."""
    folder = stored(tmp_path / "b", 10.0)
    runs = [
        kept(
            tmp_path / f"{place}.json",
            by(at(10.0 + place / 100, created=f"2026-11-2{place}T10:00:00Z"), Policy()),
        )
        for place in range(1, 4)
    ]
    before = {path: path.read_bytes() for path in Store(folder).paths()}
    status, out, _ = cli("judge", *runs, "--accept", f"--baselines={folder}")
    assert status == 0
    assert "to the baselines: 1 added" in out
    assert {path: path.read_bytes() for path in Store(folder).paths()} == before
    cli("judge", *runs, "--accept", "--write", f"--baselines={folder}")
    (path,) = Store(folder).paths()
    assert len(Store(folder).read(path).entries) == 4


def test_baselines_that_can_not_be_written_cost_no_report(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The verdicts are shown and written, with the error in them."""
    folder, run = stored(tmp_path / "b", 10.0), kept(tmp_path / "run.json", by(at(10.02), Policy()))
    faulty_disk.refuse(monkeypatch, "test_work.json")
    out = tmp_path / "out.json"
    status, shown, err = cli(
        "judge", run, "--accept", "--write", f"--baselines={folder}", f"--out={out}", f"--out={tmp_path}/b.md"
    )
    assert status == 2
    assert "ERROR: 0 written, but not:" in shown
    assert "test_work.json: Input/output error" in err
    assert [one["id"] for one in json.loads(out.read_text(encoding="utf-8"))["tests"]] == [WORK]
    assert (tmp_path / "b.md").is_file()


@pytest.mark.parametrize(
    ("words", "because"),
    [
        (["--write"], "--write needs --accept"),
        (["again", "--out=a.json"], "--out holds one run"),
        (["--out=a.pdf"], ".csv"),
    ],
)
def test_what_can_not_be_is_refused(cli: Cli, run_json: Path, words: list[str], because: str) -> None:
    """Before anything is judged, with what to do."""
    status, out, err = cli("judge", run_json, *(run_json if word == "again" else word for word in words))
    assert (status, out) == (2, "")
    assert because in err


def test_a_broken_baseline_stops_it(cli: Cli, tmp_path: Path) -> None:
    """As it stops a run at its start."""
    folder = stored(tmp_path / "b", 10.0)
    (path,) = Store(folder).paths()
    path.write_text("{", encoding="utf-8")
    status, _, err = cli("judge", kept(tmp_path / "run.json", at(10.0)), f"--baselines={folder}")
    assert status == 2
    assert str(path) in err


def test_what_was_judged_again_can_be_judged_again(cli: Cli, tmp_path: Path) -> None:
    """The document that it writes says by what it was judged, so that nothing changes any more."""
    folder = stored(tmp_path / "b", 10.0, 10.1)
    first, second = tmp_path / "1.json", tmp_path / "2.json"
    run = kept(tmp_path / "run.json", by(at(13.0), Policy(tolerance=0.1)))
    assert cli("judge", run, f"--baselines={folder}", f"--out={first}")[0] == 1
    assert cli("judge", first, f"--baselines={folder}", f"--out={second}")[0] == 1
    documents = [document(path.read_text(encoding="utf-8")) for path in (first, second)]
    assert documents[0]["tests"] == documents[1]["tests"]
    assert documents[0]["run_judgement"] == documents[1]["run_judgement"]


def test_terms_go_into_the_document_and_back() -> None:
    """What a test was judged by is read as it was written; nothing stands for what nobody wrote."""
    policy = Policy(tolerance=0.2, alpha=0.01, gates_estimates=True)
    for one in (by(judgement(), policy), judgement()):
        whole = replace(CHECK, is_strict=True, failures=("all of them",))
        run = view.of([one], run_judgement=whole if one.terms else None)
        again = to_json.read(to_json.render(run, created=CREATED), "run.json")
        assert again == run
    assert Policy.of(policy.terms) == policy


def test_a_record_without_joules_is_unmeasured_again(cli: Cli, tmp_path: Path) -> None:
    """Nothing is made of joules that are not there."""
    one = replace(judgement(energy_j=None), record=record(rounds=(), unmeasured_because="no sensor"))
    status, out, _ = cli("judge", kept(tmp_path / "run.json", one), f"--baselines={tmp_path}", "--json")
    assert (status, document(out)["tests"][0]["verdict"]) == (0, "unmeasured")
