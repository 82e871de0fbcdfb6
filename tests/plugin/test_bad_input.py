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
        ("bugdet=5", ("no argument 'bugdet', set to 5. Did you mean budget_j?", "max_time")),
        ("buget_j=5", ("Did you mean budget_j?",)),
        ("5", ("no positional arguments. Got 5. Name it: budget_j=5",)),
        ("budget_j=-1", ("budget_j in @pytest.mark.energy must be an energy above 0", "Got -1.")),
        ("budget_j=float('nan')", ("Got nan.",)),
        ("budget_j=float('inf')", ("Got inf.",)),
        ("budget_j='5 W'", ("Got '5 W'. Its unit must be",)),
        ("budget_j=True", ("Got True.",)),
        ("tolerance=-0.1", ("tolerance in @pytest.mark.energy must be a share",)),
        ("tolerance=5", ("5 is 500 %; for 5 % write 0.05 or 5%.",)),
        ("rounds=0", ("at least 1. Got 0.",)),
        ("warmup=1.5", ("whole number of at least 0. Got 1.5.",)),
        ("max_time='2 sec'", ("Its unit must be us, ms, s, min or h.",)),
        ("domains='disk'", ("gpu, cpu, dram. Got 'disk'.",)),
        ("domains=['cpu', 'gpus']", ("Got 'gpus'. Did you mean gpu?",)),
        ("domains=()", ("gpu, cpu, dram. Got none.",)),
        ("domains=7", ("gpu, cpu, dram. Got 7.",)),
        ("basis='count'", ("gross, net or counts. Got 'count'. Did you mean counts?",)),
        ("samples=0", ("at least 1",)),
        ("group=''", ("not empty",)),
        ("model=3", ("text",)),
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
        ("--energy-sensors=replay:", ("must be replay:FILE",)),
        ("--energy-sensors=,", ("names of sensors",)),
        ("--energy-tolerance=abc", ("--energy-tolerance must be a share", "Got 'abc'.")),
        ("--energy-tolerance=nan", ("Got 'nan'.",)),
        ("--energy-tolerance=5", ("5 is 500 %; for 5 % write 0.05 or 5%.",)),
        ("--energy-tolerance=150%", ("from 0 to 100 %",)),
        ("--energy-alpha=0.7", ("--energy-alpha must be a chance above 0 and below 50 %", "Got '0.7'.")),
        ("--energy-rounds=0", ("auto or a whole number of at least 1. Got '0'.",)),
        ("--energy-rounds=many", ("auto or a whole number of at least 1. Got 'many'.",)),
        ("--energy-max-time=-3", ("a time above 0", "Got '-3'.")),
        ("--energy-max-time=5 J", ("Its unit must be us, ms, s, min or h.",)),
        ("--energy-cpu-tdp=28 V", ("a power above 0", "Its unit must be")),
        ("--energy-baseline=yes", ("must be check, add, replace or off. Got 'yes'.",)),
        ("--energy-baseline=replce", ("Did you mean replace?",)),
        ("--energy-estimates=maybe", ("must be report or gate. Got 'maybe'.",)),
        ("--energy-parts=work,wating", ("Got 'wating'. Did you mean waiting?",)),
        ("--energy-out=report.pdf", ("report.pdf", ".json", ".csv", ".md")),
        ("--energy-baselines=", ("--energy-baselines must be a path. Got ''.",)),
    ],
)
def test_a_wrong_option_stops_the_run(project: Project, option: str, texts: tuple[str, ...]) -> None:
    """The option, its value and what it takes are named."""
    assert_usage_error(project.run(option), *texts)


def test_a_wrong_ini_value_is_named_as_one(project: Project) -> None:
    """A value from the ini file is not blamed on the command line."""
    (project.path / "pytest.ini").write_text("[pytest]\nenergy_tolerance = five\n", encoding="utf-8")
    assert_usage_error(project.run(), "ini value energy_tolerance must be a share", "Got 'five'.")


@pytest.mark.parametrize(
    ("option", "ini", "text"),
    [
        ("--energy-cpu-tdp-w=28", "", "--energy-cpu-tdp-w is now --energy-cpu-tdp"),
        ("--energy-baseline-sessions=3", "", "--energy-baseline-sessions is now --energy-keep"),
        ("-v", "energy_baseline_sessions = 3", "ini value energy_baseline_sessions is now energy_keep"),
    ],
)
def test_a_former_name_of_an_option_is_taken_with_a_warning(
    project: Project, option: str, ini: str, text: str
) -> None:
    """The value counts, and the new name is shown; where warnings are errors, it is a usage error."""
    project.replay({"test_work": [10.0]})
    (project.path / "pytest.ini").write_text(f"[pytest]\n{ini}\n", encoding="utf-8")
    run = project.run(option)
    assert run.result.ret == 0, run.text
    assert text in run.text
    assert_usage_error(project.run(option, "-W", "error"), text)


def test_the_value_of_a_former_name_is_checked_like_any(project: Project) -> None:
    """It is refused by the name that was written."""
    assert_usage_error(project.run("--energy-baseline-sessions=0"), "--energy-baseline-sessions must be")


def test_a_former_name_in_a_marker_is_taken_with_a_warning(project: Project) -> None:
    """The same for arguments of the marker; a suite that uses none of them has no warning."""
    project.replay({"test_work": [1.0]})
    project.write(PLAIN.format(arguments="max_time_s=5"))
    text = "max_time_s in @pytest.mark.energy is now max_time"
    assert text in project.run().text
    assert_usage_error(project.run("-W", "error"), text)
    project.write(PLAIN.format(arguments="max_time=5"))
    assert project.run("-W", "error").result.ret == 0


@pytest.mark.parametrize(
    "argument", ["budget_j=1", "budget_j='1000 mJ'", "budget_per_sample_j='1 J', samples=3"]
)
def test_a_budget_keeps_its_unit_in_its_name(project: Project, argument: str) -> None:
    """It takes a number of joules, and a text with a unit, without a warning."""
    project.replay({"test_work": [1.0]})
    project.write(PLAIN.format(arguments=argument))
    assert project.run("-W", "error").result.ret == 0


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
