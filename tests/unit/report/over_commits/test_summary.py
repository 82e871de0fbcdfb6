"""A history in a few lines."""

from dataclasses import replace

from pytest_energy.history.tracks import LeftOut, history_of
from pytest_energy.model import Provenance
from pytest_energy.report.over_commits import summary
from tests.fakes.run_histories import noisy, point, runs


def test_a_history_without_steps_says_so() -> None:
    """Runs, tests, machines and dates; no steps."""
    assert summary.lines(history_of(runs(noisy(8)))) == [
        "8 runs of 1 test on 1 machine, 2026-01-01 to 2026-01-08",
        "0 steps",
    ]
    assert summary.heading(history_of([point()])) == "1 run of 1 test on 1 machine, 2026-01-01"


def test_estimates_are_called_so() -> None:
    """A legend names joules that are not measured."""
    lines = summary.lines(history_of([point(provenance=Provenance.ESTIMATED)]))
    assert lines[-1].startswith("~ estimated, not measured")


def test_many_files_and_steps_are_counted() -> None:
    """No summary is longer than a screen or two."""
    left_out = [LeftOut(source=f"{number}.json", because="it is broken") for number in range(25)]
    lines = summary.lines(history_of([point()], left_out=left_out))
    assert lines[2] == "left out: 0.json: it is broken"
    assert lines[-1] == "left out: 15 more files"
    stepped = history_of(runs(noisy(40, steps={20: 1.3})))
    track = replace(stepped.tracks[0], steps=stepped.tracks[0].steps * 30)
    assert "and 10 more" in summary.lines(replace(stepped, tracks=(track,)))[-1]


def test_foreign_text_commands_nothing() -> None:
    """A test's name and a file's reason are inert on a terminal."""
    name = "t.py::test[\x1b[31m::error::x]"
    found = history_of(
        runs(noisy(40, steps={20: 1.3}), test_id=name), left_out=[LeftOut(source="\x1b]0;", because="\r")]
    )
    text = "\n".join(summary.lines(found))
    assert "\x1b" not in text
    assert "\r" not in text
