"""The files of a run: each whole or not at all, and on its own."""

import errno
import fcntl
import json
import os
import socket
from collections.abc import Callable
from pathlib import Path

import opentelemetry.exporter.otlp.proto.http.metric_exporter  # noqa: F401  # a run forgets what it loaded
import pytest
import requests  # noqa: F401  # the same

from pytest_energy.baselines import schema, store
from pytest_energy.report import formats
from tests.fakes import faulty_disk
from tests.fakes.otlp_collector import OtlpCollector
from tests.plugin.conftest import TWO_TESTS, Project, Run, rounds

FILES = ("a.html", "run.json", "b.csv", "rec.json")
BASELINES = ("test_other.json", "test_work.json")


@pytest.fixture
def two(project: Project) -> Project:
    project.write(TWO_TESTS)
    project.replay({"test_work": rounds(10), "test_other": rounds(10)})
    return project


def run_with_all(project: Project, *options: str) -> Run:
    """A run that is asked for everything that a run can write."""
    outs = [f"--energy-out={name}" for name in FILES[:-1]]
    return project.run(*outs, f"--energy-record={FILES[-1]}", "--energy-baseline=add", *options)


def are_there(project: Project) -> set[str]:
    """Names of the files that the run has written."""
    found = {name for name in FILES if (project.path / name).is_file()}
    return found | {path.name for path in project.baseline_paths}


def errors(run: Run) -> list[str]:
    return [
        line.removeprefix("energy: ERROR: ") for line in run.text.splitlines() if "energy: ERROR: " in line
    ]


def test_what_the_rest_can_be_made_of_comes_first(two: Project) -> None:
    """JSON, the recording, the other reports, the baselines: whoever is killed meanwhile has the most."""
    lines = run_with_all(two, "--energy-attempts=tries").text.splitlines()
    places = [
        next(number for number, line in enumerate(lines) if line.startswith("energy: ") and what in line)
        for what in ("run.json", "attempt kept", "rec.json", "a.html", "b.csv", "baseline(s) added")
    ]
    assert places == sorted(places)
    assert are_there(two) == {*FILES, *BASELINES}


@pytest.mark.parametrize("name", [*FILES, *BASELINES])
def test_what_is_not_written_costs_nothing_else(
    two: Project, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file, why, and what to do are said; the rest is there, and the run has failed."""
    faulty_disk.refuse(monkeypatch, f"/{name}")
    run = run_with_all(two)
    assert run.result.ret == pytest.ExitCode.USAGE_ERROR
    assert are_there(two) == {*FILES, *BASELINES} - {name}
    (error,) = errors(run)
    assert name in error
    assert "Input/output error" in error
    assert "fix that, or name another" in error
    assert "out.json holds the whole run: make a report with `pytest-energy export`" in run.text


def test_no_whole_run_is_named_where_there_is_none(two: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is missing can't be made of a file that isn't there either."""
    faulty_disk.refuse(monkeypatch, "/out.json", "/a.html")
    run = two.run("--energy-out=a.html")
    assert len(errors(run)) == 2
    assert "holds the whole run" not in run.text


def test_what_was_changed_already_is_told(two: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """One baseline is changed and one is not: both are said."""
    faulty_disk.refuse(monkeypatch, "/test_work.json")
    run = run_with_all(two)
    assert f"energy: 1 baseline(s) added to {two.path / 'baselines' / 'replay'}" in run.text
    assert errors(run)[0].startswith(f"can't write {two.path / 'baselines' / 'replay' / 'test_work.py'}")


@pytest.mark.parametrize(
    "mistake", [TypeError("an odd value"), MemoryError(), OSError("nobody's"), KeyError("x")]
)
def test_a_renderer_that_breaks_costs_nothing_else(
    two: Project, mistake: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mistake in one format is an error of that file."""

    def broken(*_: object) -> str:
        raise mistake

    monkeypatch.setitem(formats.RENDERERS, ".html", broken)
    run = run_with_all(two)
    assert run.result.ret == pytest.ExitCode.USAGE_ERROR
    assert are_there(two) == {*FILES, *BASELINES} - {"a.html"}
    assert len(errors(run)) == 1
    assert f"a.html can't be made for test_work.py::test_work: {type(mistake).__name__}" in errors(run)[0]


def test_a_baseline_that_breaks_costs_nothing_else(two: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """What nobody has foreseen while baselines are written is told, and the run ends as it should."""
    to_text = schema.to_json_text

    def broken(baseline: schema.Baseline) -> str:
        if "test_work.py::test_work" in baseline.test_id:
            raise MemoryError
        return to_text(baseline)

    monkeypatch.setattr(store, "to_json_text", broken)
    run = run_with_all(two)
    assert run.result.ret == pytest.ExitCode.USAGE_ERROR
    assert are_there(two) == {*FILES, "test_other.json"}
    assert errors(run)[0].startswith("the baseline of test_work.py::test_work can't be written: MemoryError")
    assert "INTERNALERROR" not in run.text


def test_a_folder_that_can_not_be_locked_is_told_once(two: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no baseline can be written, one sentence says so, at once."""

    def flock(*_: object) -> None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))

    monkeypatch.setattr(fcntl, "flock", flock)
    run = run_with_all(two)
    assert run.result.ret == pytest.ExitCode.USAGE_ERROR
    assert are_there(two) == {*FILES}
    (error,) = errors(run)
    assert error.startswith(f"can't lock {two.path / 'baselines'}: Function not implemented")


def test_an_older_report_stays_whole(two: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """A report that can't be written leaves what was there, and no part of itself."""
    (two.path / "a.html").write_text("older", encoding="utf-8")
    faulty_disk.refuse(monkeypatch, "/a.html")
    run_with_all(two)
    assert (two.path / "a.html").read_text(encoding="utf-8") == "older"
    assert [path.name for path in two.path.iterdir() if path.name.endswith(".tmp")] == []


def a_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(path.name)  # of the folder that the process is in: a whole path may be too long


ODD_PLACES: dict[str, tuple[Callable[[Path], object], str]] = {
    "folder": (Path.mkdir, "it is a folder, not a file"),
    "fifo": (os.mkfifo, "it is a FIFO, not a file"),
    "socket": (a_socket, "it is a socket, not a file"),
    "device": (lambda path: path.symlink_to("/dev/full"), "it is a link to a device, not a file"),
    "stdout": (lambda path: path.symlink_to("/dev/zero"), "it is a link to a device, not a file"),
    "loop": (lambda path: path.symlink_to(path.name), "Too many levels of symbolic links"),
}


@pytest.mark.parametrize("option", ["--energy-out", "--energy-record"])
@pytest.mark.parametrize("odd", ODD_PLACES)
def test_a_place_that_no_file_can_take_stops_the_run(two: Project, odd: str, option: str) -> None:
    """Before the tests: they would be measured for nothing. What is there stays."""
    make, text = ODD_PLACES[odd]
    make(two.path / "odd.json")
    before = (two.path / "odd.json").lstat()
    run = two.run(f"{option}=odd.json")
    assert run.result.ret == pytest.ExitCode.USAGE_ERROR
    assert f"{two.path / 'odd.json'} can't be written: {text}; fix that" in run.text
    assert not (two.path / "order").exists()
    assert (two.path / "odd.json").lstat().st_ino == before.st_ino


def test_a_folder_below_a_file_stops_the_run(two: Project) -> None:
    """That a folder can't be made is known before the tests, too."""
    (two.path / "taken").write_text("", encoding="utf-8")
    run = two.run("--energy-out=taken/new/out.csv")
    assert run.result.ret == pytest.ExitCode.USAGE_ERROR
    assert f"can't be written: {two.path / 'taken'} is not a folder" in run.text
    assert not (two.path / "order").exists()


def test_a_link_to_a_file_to_come_is_followed(two: Project) -> None:
    """A link that was made for the report keeps its name."""
    (two.path / "run.json").symlink_to("there/kept.json")
    run_with_all(two)
    assert (two.path / "run.json").is_symlink()
    assert len(json.loads((two.path / "there" / "kept.json").read_text(encoding="utf-8"))["tests"]) == 2


class TestCollector:
    def test_a_run_is_sent_at_its_end(self, two: Project) -> None:
        """The figures of both tests arrive, and it is said."""
        with OtlpCollector() as collector:
            run = two.run(f"--energy-out=otlp:{collector.url}")
            assert run.result.ret == pytest.ExitCode.OK
            assert f"energy: summary written to otlp:{collector.url}" in run.text
            values = collector.values("pytest.energy.test.energy")
            assert {name.partition("::")[2] for name in values} == {"test_work", "test_other"}

    def test_one_that_is_down_costs_nothing_else(self, two: Project, monkeypatch: pytest.MonkeyPatch) -> None:
        """The run has failed as for any output that can't be written; the rest is there."""
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "0.2")
        run = run_with_all(two, "--energy-out=otlp:http://127.0.0.1:9")
        assert run.result.ret == pytest.ExitCode.USAGE_ERROR
        assert are_there(two) == {*FILES, *BASELINES}
        (error,) = errors(run)
        assert error.startswith("the metrics can't be sent to otlp:http://127.0.0.1:9: ")
        assert "out.json holds the whole run" in run.text

    def test_an_address_that_is_none_stops_the_run(self, two: Project) -> None:
        """Before any test."""
        run = two.run("--energy-out=otlp:localhost:4318")
        assert run.result.ret == pytest.ExitCode.USAGE_ERROR
        assert "must be an http or https URL" in run.text
