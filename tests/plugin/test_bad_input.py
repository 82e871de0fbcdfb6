"""Bad input: an error that names file or argument, value and remedy; exit code 4; no traceback."""

import json
import os
from pathlib import Path

import pytest

from tests.plugin.conftest import Project, Run

PLAIN = "@pytest.mark.energy({arguments})\ndef test_work():\n    pass\n"


def assert_usage_error(run: Run, *texts: str) -> None:
    assert run.result.ret == pytest.ExitCode.USAGE_ERROR, run.text
    for text in texts:
        assert text in run.text
    assert "Traceback" not in run.text
    assert run.document is None or run.ids == []  # an option stops the run before it, a marker in it


@pytest.mark.parametrize(
    ("arguments", "texts"),
    [
        ("bugdet_j=5", ("bugdet_j", "5", "budget_j")),
        ("5", ("positional", "5", "budget_j=5")),
        ("budget_j=-1", ("budget_j=-1", "above 0")),
        ("budget_j=float('nan')", ("budget_j=nan", "finite")),
        ("budget_j=float('inf')", ("budget_j=inf", "finite")),
        ("budget_j='5'", ("budget_j='5'", "number")),
        ("budget_j=True", ("budget_j=True", "number")),
        ("tolerance=-0.1", ("tolerance=-0.1", "share")),
        ("rounds=0", ("rounds=0", "at least 1")),
        ("warmup=1.5", ("warmup=1.5", "whole number")),
        ("domains='disk'", ("domains='disk'", "gpu, cpu, dram")),
        ("domains=()", ("domains=()", "gpu, cpu, dram")),
        ("domains=7", ("domains=7", "gpu, cpu, dram")),
        ("samples=0", ("samples=0", "at least 1")),
        ("group=''", ("group=''", "not empty")),
        ("model=3", ("model=3", "text")),
    ],
)
def test_a_wrong_marker_argument_stops_the_run(
    project: Project, arguments: str, texts: tuple[str, ...]
) -> None:
    """The test, the argument and the value are named before anything runs."""
    project.write(PLAIN.format(arguments=arguments))
    assert_usage_error(project.run(), "test_work.py::test_work", *texts)


@pytest.mark.parametrize(
    ("option", "texts"),
    [
        ("--energy-sensors=nosuch", ("nosuch", "nvml", "rapl", "estimate")),
        ("--energy-sensors=replay:", ("a file after replay:",)),
        ("--energy-sensors=,", ("names of sensors",)),
        ("--energy-tolerance=abc", ("--energy-tolerance='abc'", "number")),
        ("--energy-tolerance=nan", ("--energy-tolerance='nan'", "number")),
        ("--energy-alpha=0.7", ("--energy-alpha='0.7'", "below 0.5")),
        ("--energy-rounds=0", ("--energy-rounds='0'", "at least 1")),
        ("--energy-rounds=many", ("--energy-rounds='many'", "whole number")),
        ("--energy-max-time=-3", ("--energy-max-time='-3'", "above 0")),
        ("--energy-baseline=yes", ("--energy-baseline='yes'", "check, add, replace, off")),
        ("--energy-estimates=maybe", ("--energy-estimates='maybe'", "report, gate")),
        ("--energy-out=report.pdf", ("report.pdf", ".json", ".csv", ".md")),
        ("--energy-baselines=", ("--energy-baselines=''", "a path")),
    ],
)
def test_a_wrong_option_stops_the_run(project: Project, option: str, texts: tuple[str, ...]) -> None:
    """The option, its value and what it takes are named."""
    assert_usage_error(project.run(option), *texts)


def test_a_wrong_ini_value_is_named_as_one(project: Project) -> None:
    """A value from the ini file is not blamed on the command line."""
    (project.path / "pytest.ini").write_text("[pytest]\nenergy_tolerance = five\n", encoding="utf-8")
    assert_usage_error(project.run(), "ini value energy_tolerance='five'")


def rounds_text(round_text: str) -> str:
    """A replay file whose one round is *round_text*."""
    return f'{{"format": 1, "tests": {{"a": {{"rounds": [{round_text}]}}}}}}'


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("{", "not JSON"),
        ("[]", "not an object"),
        ('{"format": 99, "tests": {}}', "99"),
        ('{"format": 1}', "tests"),
        (rounds_text('{"duration_s": 1, "channels": {}}'), "channels is empty"),
        (rounds_text('{"duration_s": 1, "channels": {"gpu:0": -1}}'), "-1"),
        (rounds_text('{"duration_s": 1, "channels": {"gpu:0": NaN}}'), "nan"),
    ],
)
def test_a_replay_file_that_does_not_parse_stops_the_run(project: Project, text: str, what: str) -> None:
    """The file, the place in it and the value are named."""
    (project.path / "replay.json").write_text(text, encoding="utf-8")
    assert_usage_error(project.run(), "replay.json", what)


def test_a_replay_file_that_is_not_there_stops_the_run(project: Project) -> None:
    """A missing file is named."""
    assert_usage_error(project.run("--energy-sensors=replay:nowhere.json"), "nowhere.json")


def stored(project: Project) -> Path:
    """A project with one baseline, and that baseline's file."""
    project.replay({"test_work": [10.0]})
    assert project.run("--energy-baseline=add").result.ret == 0
    return project.baseline_paths[0]


@pytest.mark.parametrize(
    ("damage", "what"),
    [
        (lambda text: text[: len(text) // 2], "not JSON"),
        (lambda _: "not json at all", "not JSON"),
        (lambda _: "", "not JSON"),
        (lambda text: json.dumps({**json.loads(text), "format": 99}), "99"),
    ],
    ids=["truncated", "text", "empty", "newer"],
)
def test_a_broken_baseline_stops_the_run_and_stays_as_it_was(
    project: Project, damage: object, what: str
) -> None:
    """A file that can't be understood is named and never overwritten by an `add`."""
    path = stored(project)
    assert callable(damage)
    path.write_text(damage(path.read_text(encoding="utf-8")), encoding="utf-8")
    before = path.read_bytes()
    assert_usage_error(project.run("--energy-baseline=add"), str(path), what)
    assert path.read_bytes() == before


def test_a_baselines_folder_that_is_a_file_stops_the_run(project: Project) -> None:
    """The path is named."""
    (project.path / "baselines").write_text("", encoding="utf-8")
    project.replay({"test_work": [10.0]})
    assert_usage_error(project.run(), "baselines")


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads every folder")
def test_a_baselines_folder_that_can_not_be_read_stops_the_run(project: Project) -> None:
    """The path is named and nothing is lost."""
    path = stored(project)
    before = path.read_bytes()
    folder = project.path / "baselines"
    folder.chmod(0)
    try:
        assert_usage_error(project.run(), "baselines")
    finally:
        folder.chmod(0o755)
    assert path.read_bytes() == before


def test_a_machine_that_can_not_be_read_stops_the_run(project: Project) -> None:
    """Too few descriptors are an error with the file that was not opened."""
    project.write(PLAIN.format(arguments=""))
    project.write(
        "import errno, os, pytest\n"
        "def unread(name):\n"
        "    raise OSError(errno.EMFILE, os.strerror(errno.EMFILE), 'METADATA')\n"
        "def pytest_configure(config):\n"
        "    from pytest_energy.baselines import machine\n"
        "    patch = pytest.MonkeyPatch()\n"
        "    patch.setattr(machine, '_version', unread)\n"
        "    config.add_cleanup(patch.undo)\n",
        "conftest.py",
    )
    project.replay({"test_work": [10.0]})
    assert_usage_error(project.run(), "Too many open files: 'METADATA'")
