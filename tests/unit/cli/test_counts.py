"""Counts in the commands: baselines of counts alone, and runs that nothing measured."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pytest_energy.baselines.store import Store
from pytest_energy.judgement import Judgement, Verdict
from pytest_energy.verdict.policy import Policy
from tests.builders import TEST_ID, counted, counts_of, judged, uncounted
from tests.unit.cli.conftest import Cli, written

BY_COUNTS = Policy(is_by_counts=True)
EARLIER = "2025-11-20T09:00:00Z"


def by_counts(count: int, *, is_failed: bool = False) -> Judgement:
    """A test whose counts are compared, of a run on a machine that measures nothing."""
    judgement = judged(counted(counts_of(count), key="epyc"), policy=BY_COUNTS)
    return replace(judgement, outcome="failed" if is_failed else "passed")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A baseline of 12 calls."""
    one = replace(counted(counts_of(12)), created=EARLIER)
    Store(tmp_path / "baselines").write("counts_cpu", TEST_ID, (one,), "add")
    return tmp_path / "baselines"


def entries(text: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(text)["tests"]
    return found


def stored_counts(folder: Path) -> list[int]:
    """Calls in each session of the stored baseline."""
    baseline = Store(folder).load("counts_cpu", TEST_ID)
    assert baseline is not None
    return [one.counts.entries[0].count for one in baseline.entries if one.counts is not None]


def test_judge_tells_the_same_of_counts(cli: Cli, tmp_path: Path, folder: Path) -> None:
    """By the terms that the run keeps: no joules are needed, and a rise is exit status 1."""
    for count, status, verdict in ((12, 0, "pass"), (13, 1, "regression"), (11, 0, "improvement")):
        run = written(tmp_path / "run.json", by_counts(count))
        found, out, _ = cli("judge", run, f"--baselines={folder}", "--json")
        assert (found, entries(out)[0]["verdict"]) == (status, verdict)


def test_judge_leaves_out_the_run_itself(cli: Cli, tmp_path: Path, folder: Path) -> None:
    """A run whose counts have joined is judged by the sessions before it."""
    run = written(tmp_path / "run.json", by_counts(13))
    cli("accept", run, f"--baselines={folder}")
    assert stored_counts(folder) == [12, 13]
    status, out, _ = cli("judge", run, f"--baselines={folder}", "--json")
    assert (status, entries(out)[0]["verdict"]) == (1, "regression")


def test_accept_takes_counts_once(cli: Cli, tmp_path: Path, folder: Path) -> None:
    """Equal counts are one session more; taken twice, they are there once."""
    run = written(tmp_path / "run.json", replace(by_counts(12), verdict=Verdict.PASS))
    for text in ("1 added", "1 already stored"):
        status, out, _ = cli("accept", run, f"--baselines={folder}")
        assert status == 0
        assert text in out
    assert stored_counts(folder) == [12, 12]


def test_accept_takes_a_rise_that_a_person_names(cli: Cli, tmp_path: Path, folder: Path) -> None:
    """It starts a level anew; on its own a failed test stays out."""
    against = Store(folder).load("counts_cpu", TEST_ID)
    assert against is not None
    rise = judged(counted(counts_of(36), key="epyc"), policy=BY_COUNTS, counted_in=[against])
    run = written(tmp_path / "run.json", replace(rise, outcome="failed"))
    assert cli("accept", run, f"--baselines={folder}").out.count("left out") == 2
    assert stored_counts(folder) == [12]
    assert cli("accept", run, f"--baselines={folder}", f"--test={TEST_ID}").status == 0
    assert stored_counts(folder) == [36]


@pytest.mark.parametrize(("count", "status", "verdict"), [(12, 0, "pass"), (13, 1, "regression")])
def test_two_runs_by_their_counts(cli: Cli, tmp_path: Path, count: int, status: int, verdict: str) -> None:
    """`--basis counts` compares exactly, whatever measured or didn't."""
    old, new = written(tmp_path / "a.json", by_counts(12)), written(tmp_path / "b.json", by_counts(count))
    found, out, _ = cli("compare", old, new, "--basis=counts", "--json")
    assert (found, entries(out)[0]["verdict"]) == (status, verdict)
    assert cli("compare", old, new, "--basis=counts", "--tolerance=0.1").status == 0


def test_two_runs_without_joules_are_shown_by_their_counts(cli: Cli, tmp_path: Path) -> None:
    """Without the basis they fail nothing, and the difference is told."""
    old, new = written(tmp_path / "a.json", by_counts(12)), written(tmp_path / "b.json", by_counts(36))
    status, out, _ = cli("compare", old, new, "--json")
    (test,) = entries(out)
    assert (status, test["verdict"]) == (0, "unmeasured")
    assert test["counts_comparison"]["verdict"] == "regression"


def test_a_run_that_counted_nothing_passes_nothing(cli: Cli, tmp_path: Path) -> None:
    """Absent counts are unmeasured, and strict fails them."""
    old = written(tmp_path / "a.json", by_counts(12))
    new = written(tmp_path / "b.json", judged(uncounted(), policy=BY_COUNTS))
    assert cli("compare", old, new, "--basis=counts").status == 0
    assert cli("compare", old, new, "--basis=counts", "--strict").status == 1


def test_the_list_names_what_such_baselines_hold(cli: Cli, folder: Path) -> None:
    """No provenance of joules stands where there are none."""
    status, out, _ = cli("baselines", "list", f"--baselines={folder}")
    assert status == 0
    assert out.splitlines()[1].split() == [
        "counts_cpu",
        "1",
        "1",
        "0",
        "none,",
        "counts",
        "2025-11-20",
        "09:00",
    ]
    assert "all valid" in cli("baselines", "validate", f"--baselines={folder}").out


def test_folders_of_counts_differ_where_counts_do(cli: Cli, tmp_path: Path, folder: Path) -> None:
    """There is no level to take a ratio of."""
    other = tmp_path / "other"
    Store(other).write("counts_cpu", TEST_ID, (counted(counts_of(13)),), "add")
    assert "counts differ; 1 -> 1 session" in cli("baselines", "diff", folder, other).out
    same = tmp_path / "same"
    Store(same).write("counts_cpu", TEST_ID, (counted(counts_of(12)),), "add")
    assert "counts the same; 1 -> 1 session" in cli("baselines", "diff", folder, same).out


def test_tests_that_are_gone_go_from_the_counts_as_well(cli: Cli, tmp_path: Path, folder: Path) -> None:
    """A run names the tests of the kind of device that it counted on."""
    run = written(tmp_path / "run.json", replace(by_counts(12), record=_named("t.py::test_other")))
    out = cli("baselines", "prune", f"--baselines={folder}", f"--missing-tests-from={run}", "--yes").out
    assert "the whole file" in out
    assert not [*folder.rglob("*.json")]


def _named(test_id: str) -> Any:
    return replace(counted(counts_of(12), key="epyc"), test_id=test_id)


def test_a_history_of_counts(cli: Cli, folder: Path) -> None:
    """When they changed, and not by how many joules."""
    store = Store(folder)
    for minute, count in ((1, 12), (2, 13)):
        one = replace(counted(counts_of(count)), created=f"2025-11-20T09:0{minute}:00Z")
        store.write("counts_cpu", TEST_ID, (one,), "add")
    status, out, _ = cli("show", TEST_ID, f"--baselines={folder}")
    assert status == 0
    assert "on counts_cpu: 3 sessions, counts" in out
    changes = [line.split()[-2:] for line in out.splitlines()[4:]]
    assert [" ".join(words) for words in changes] == ["the first", "as before", "13 changed"]
