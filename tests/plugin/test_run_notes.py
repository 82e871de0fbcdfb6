"""What the end of a run tells: asked where something was measured, told once, in every form."""

import pytest

from pytest_energy.report.to_json import read
from tests.plugin.conftest import Project, Run

DRIFTED = "gpu:0: 120 W without work at the start of the run, 150 W at its end"
# Every process of the run finds the same, and leaves a file when it is asked.
CONFTEST = f"""
from pathlib import Path

def drift_notes(session):
    Path("asked").touch()
    return ("{DRIFTED}",)

def pytest_configure(config):
    from pytest_energy.plugin.run import EnergyRun
    patch = pytest.MonkeyPatch()
    patch.setattr(EnergyRun, "drift_notes", drift_notes)
    config.add_cleanup(patch.undo)
"""
TESTS = """
@pytest.mark.energy
def test_work(energy):
    energy.measure(lambda: None)

@pytest.mark.energy
def test_more(energy):
    energy.measure(lambda: None)
"""


@pytest.fixture
def drifting(project: Project) -> Project:
    project.write(TESTS)
    project.write(CONFTEST, "conftest.py")
    project.replay({"test_work": [10.0] * 3, "test_more": [10.0] * 3})
    return project


def run_notes(run: Run) -> list[str]:
    assert run.document is not None, run.text
    notes: list[str] = run.document["run_notes"]
    return notes


@pytest.mark.parametrize("workers", [[], ["-n2"]], ids=["alone", "xdist"])
@pytest.mark.parametrize("report", [[], ["--energy-report"]], ids=["short", "report"])
def test_a_note_of_the_run_is_told_once(drifting: Project, workers: list[str], report: list[str]) -> None:
    """On the screen and in the document each sentence is there once, however many processes found it."""
    run = drifting.run(*workers, *report, "--energy-trace=off", subprocess=bool(workers))
    assert run.text.count(DRIFTED) == 1
    assert f"energy: note: {DRIFTED}" in run.text
    assert run_notes(run) == [DRIFTED]


def test_a_note_of_the_run_is_in_markdown(drifting: Project) -> None:
    """The comment on a pull request says it, too."""
    drifting.run("--energy-out=out.md")
    assert "150 W at its end" in (drifting.path / "out.md").read_text(encoding="utf-8")


def test_a_note_of_the_run_comes_back(drifting: Project) -> None:
    """A document that is read again still has it."""
    drifting.run()
    text = (drifting.path / "out.json").read_text(encoding="utf-8")
    assert read(text, "out.json").run_notes == (DRIFTED,)


def test_an_interrupted_run_ends_at_once(drifting: Project) -> None:
    """Whoever stops a run doesn't want to wait 3 s more."""
    drifting.write(TESTS + "\ndef test_stop():\n    raise KeyboardInterrupt\n")
    run = drifting.run(subprocess=True)
    assert run.document is not None, run.text
    assert "run_notes" not in run.document
    assert not (drifting.path / "asked").exists()


def test_a_run_without_an_energy_test_is_asked_nothing(drifting: Project) -> None:
    """Where no energy test ran nothing was measured."""
    drifting.write("def test_plain():\n    pass\n")
    drifting.run()
    assert not (drifting.path / "asked").exists()


def test_a_device_left_broken_costs_no_report(drifting: Project) -> None:
    """Power that can't be read at the end is a note, and everything else is written all the same."""
    conftest = drifting.path / "conftest.py"
    failing = f'raise RuntimeError("the device is lost")\n    return ("{DRIFTED}",)'
    conftest.write_text(conftest.read_text().replace(f'return ("{DRIFTED}",)', failing))
    run = drifting.run()
    assert run.result.ret == 0
    assert run_notes(run) == [
        "power without work at the end of the run could not be read: RuntimeError: the device is lost"
    ]


def test_a_replay_has_no_end_of_its_own(project: Project) -> None:
    """Nothing was measured in this run: there is no note and no such field."""
    project.write(TESTS)
    project.replay({"test_work": [10.0] * 3, "test_more": [10.0] * 3})
    run = project.run()
    assert run.document is not None
    assert "run_notes" not in run.document


def test_power_without_work_is_told_when_asked(project: Project) -> None:
    """With -v the report has each channel's idle and ready power in its sensors; else it doesn't."""
    project.write(TESTS)
    project.replay({"test_work": [10.0] * 3, "test_more": [10.0] * 3})
    (project.path / "conftest.py").write_text(
        "from dataclasses import replace\n"
        "from pytest_energy.model import Provenance\n"
        "def pytest_energy_verdict(judgement):\n"
        "    rounds = tuple(\n"
        "        replace(one, provenance=Provenance.MEASURED, quiet_power_w={'gpu:0': 121.3})\n"
        "        for one in judgement.record.rounds\n"
        "    )\n"
        "    record = replace(judgement.record, rounds=rounds, provenance=Provenance.MEASURED,\n"
        "                     idle_power_w={'gpu:0': 77.84})\n"
        "    return replace(judgement, record=record)\n",
        encoding="utf-8",
    )
    line = "  gpu:0: idle 77.8 W, ready 121 W"
    assert project.run("-v", "--energy-report").result.outlines.count(line) == 1
    assert line not in project.run("--energy-report").result.outlines
    assert line not in project.run("-q", "--energy-report").result.outlines
