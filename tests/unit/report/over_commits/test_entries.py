"""What the page shows of each track."""

import json
from dataclasses import replace
from typing import Any

from pytest_energy.history.commits import Commit
from pytest_energy.history.tracks import History, LeftOut, history_of
from pytest_energy.judgement import Verdict
from pytest_energy.report.over_commits import entries
from tests.fakes.run_histories import BEGIN, commit_name, commits, failed, noisy, point, runs

WEB = "https://github.com/someone/thing"


def data(history: History) -> dict[str, Any]:
    """What the script reads, as it reads it."""
    found: dict[str, Any] = json.loads(json.dumps(entries.data(history), allow_nan=False))
    return found


def stepped_history() -> History:
    known = commits(40, web=WEB)
    between = {
        (commit_name(29), commit_name(30)): (Commit(name=commit_name(30), subject="Faster?", created=BEGIN),)
    }
    return history_of(runs(noisy(40, steps={30: 1.2})), commits=replace(known, between=between))


def test_every_point_has_its_place_text_and_run() -> None:
    """Columns of one length; numbers for places, texts to be read."""
    found = data(stepped_history())
    track = found["tracks"][0]
    lengths = {len(track[name]) for name in ("y", "bars", "looks", "values", "runs", "verdicts", "reasons")}
    assert lengths == {40}
    assert all(0 <= share <= found["scale"] for share in track["y"])
    assert track["values"][0].endswith(" J")
    commit, link, subject, date, machine, file = found["runs"][track["runs"][3]]
    assert (commit, link) == ("0000003", f"{WEB}/commit/{commit_name(3)}")
    assert (subject, date, file) == ("Change 3", "2026-01-04 12:00", "run-3.json")
    assert machine == "h100_xeon_nvml"


def test_a_step_has_its_commits_and_the_comparison_of_them() -> None:
    """Its place, its size, whether it is a rise, and what came with it."""
    (step,) = data(stepped_history())["tracks"][0]["steps"]
    assert (step["at"], step["is_rise"]) == (30, True)
    assert step["text"].startswith(step["short"])
    assert step["link"] == f"{WEB}/compare/{commit_name(29)}...{commit_name(30)}"
    assert step["commits"] == [["000001e", f"{WEB}/commit/{commit_name(30)}", "Faster?", "2026-01-01"]]


def test_looks_tell_what_became_of_a_run() -> None:
    """No joules, failed, not used and improved are four shapes; all else is a run."""
    listed = [
        point(None, number=0),
        failed(point(number=1)),
        replace(point(number=2), outcome="failed"),
        point(number=3),
        replace(point(number=4), verdict=Verdict.IMPROVEMENT),
        point(number=5),
    ]
    track = data(history_of(listed, commits=commits(6, aside=[3])))["tracks"][0]
    assert track["looks"] == "xbbugp"
    assert track["y"][0] is None
    assert track["bars"][0] == []


def test_reasons_are_as_long_as_a_reader_needs() -> None:
    """Of a failure the first four lines, of a pass the first; why a run is not used is beneath."""
    listed = [
        failed(point(number=0), "+20 %\nthe cause\nwhat to do\nmore\nthe rest"),
        replace(point(number=1), reason="fine\nmore", is_saturated=True),
    ]
    found = data(history_of(listed))
    reasons = [found["texts"][place] for place in found["tracks"][0]["reasons"]]
    assert reasons == [
        "+20 %\nthe cause\nwhat to do\nmore",
        "fine\nNot compared: the server did not keep up with its load",
    ]


def test_texts_that_runs_share_are_there_once() -> None:
    """Ten tests of a run have one entry for its commit, machine and file."""
    listed = [
        one for number in range(10) for one in runs(noisy(6, seed=number), test_id=f"t.py::test[{number}]")
    ]
    assert len(data(history_of(listed))["runs"]) == 6


def test_rows_have_file_and_name_apart() -> None:
    """A row shows the test, beneath it the file; a step's tone is that of its direction."""
    (row,) = entries.rows(stepped_history())
    assert (row.name, row.test_id) == ("test_training", "tests/test_model.py::test_training")
    assert row.context == ("tests/test_model.py",)
    assert (row.tone, row.step_count, row.run_count, row.failed_count) == ("bad", 1, 40, 0)
    assert row.place == "000001e, 10 runs since"


def test_rows_of_several_machines_name_them() -> None:
    """Where one name has several rows each says what separates it."""
    listed = [point(number=0), point(number=1, key="laptop"), point(number=2, facts=(("channels", "cpu:0"),))]
    contexts = [row.context[1:] for row in entries.rows(history_of(listed))]
    assert sorted(contexts) == sorted(
        [("h100_xeon_nvml", "channels gpu:0"), ("laptop",), ("h100_xeon_nvml", "channels cpu:0")]
    )


def test_too_few_runs_are_said_to_be() -> None:
    """ "None" would claim that a step was looked for."""
    assert [row.no_change for row in entries.rows(history_of(runs(noisy(4))))] == ["needs 6 runs, has 4"]
    assert [row.no_change for row in entries.rows(history_of(runs(noisy(6))))] == ["none"]


def test_a_test_without_joules_has_a_row() -> None:
    """Its newest value is absent, and its marks are at the foot."""
    history = history_of(runs([None, None]))
    assert entries.rows(history)[0].newest == "-"
    assert data(history)["tracks"][0]["ticks"] == []


def test_joules_of_nothing_are_at_the_foot() -> None:
    """0 J, or as good as that, has no place on a scale of ratios; all others keep theirs."""
    track = data(history_of(runs([1e-320, 0.0, 5.0, 5000.0])))["tracks"][0]
    assert track["y"][:2] == [0, 0]
    assert 0 < track["y"][2] < track["y"][3]
    assert data(history_of(runs([0.0, 0.0])))["tracks"][0]["y"] == [5000, 5000]


def test_files_left_out_are_counted_beyond_some() -> None:
    """The page lists a number of them."""
    history = history_of(
        [point()], left_out=[LeftOut(source=f"{n}.json", because="broken") for n in range(5)]
    )
    assert entries.left_out(history, 3) == [
        "0.json: broken",
        "1.json: broken",
        "2.json: broken",
        "and 2 more",
    ]
    assert entries.left_out(history, 5)[-1] == "4.json: broken"
