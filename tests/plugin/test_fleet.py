"""Baselines behind a URL: a run reads, judges and adds as with a folder."""

from collections.abc import Iterator

import pytest
from fsspec.implementations.memory import MemoryFileSystem

from tests.fakes.file_systems import empty_memory
from tests.plugin.conftest import Project

URL = "memory://bucket/baselines"
TEST = "@pytest.mark.energy(max_time='1 s')\ndef test_work(energy):\n    energy.measure(sorted, [2, 1])\n"


@pytest.fixture(autouse=True)
def objects() -> Iterator[dict[str, object]]:
    with empty_memory() as files:
        yield files


@pytest.fixture
def fleet(pytester: pytest.Pytester) -> Project:
    """A test that has used 10 J in five runs, whose sessions are behind the URL."""
    project = Project(pytester)
    project.write(TEST)
    for number in range(5):
        project.replay({"test_work": [10.0 + 0.01 * number, 10.02, 9.98, 10.0, 10.01]})
        run = project.run(f"--energy-baselines={URL}", "--energy-baseline=add")
        assert "1 baseline(s) added to memory://bucket/baselines/" in run.text, run.text
    return project


def test_a_run_is_compared_with_what_is_behind_the_url(fleet: Project, objects: dict[str, object]) -> None:
    """A rise fails, an equal run passes, and neither adds an object."""
    assert len(objects) == 5
    assert fleet.run(f"--energy-baselines={URL}").verdict() == "pass"
    fleet.replay({"test_work": [12.0, 12.02, 11.98, 12.0, 12.01]})
    assert fleet.run(f"--energy-baselines={URL}").verdict() == "regression"
    assert len(objects) == 5


def test_a_damaged_object_is_named_and_left_out(fleet: Project, objects: dict[str, object]) -> None:
    """The run is judged by the others, and says so."""
    MemoryFileSystem().pipe_file(min(objects), b"{")
    run = fleet.run(f"--energy-baselines={URL}")
    assert run.verdict() == "pass"
    assert run.document is not None
    (note,) = [text for text in run.document["run_notes"] if "left out" in text]
    assert note.startswith("left out of its baseline: memory://bucket/baselines/")
    assert "is not JSON" in note


def test_a_service_that_is_not_reached_stops_the_run(fleet: Project) -> None:
    """It is no absent baseline: nothing is measured."""
    run = fleet.run("--energy-baselines=unreached://user:sesame@bucket/baselines")
    assert run.result.ret == pytest.ExitCode.USAGE_ERROR
    assert "can't list unreached://***@bucket/baselines" in run.text
    assert "ConnectionError: Could not connect to the endpoint URL; check the URL" in run.text
    assert "sesame" not in run.text


def test_who_may_only_read(fleet: Project, objects: dict[str, object]) -> None:
    """A pull request of a fork is judged; a write is refused, once, without the secret of the answer."""
    url = "onlyread://bucket/baselines"
    assert fleet.run(f"--energy-baselines={url}").verdict() == "pass"
    run = fleet.run(f"--energy-baselines={url}", "--energy-baseline=add")
    assert run.text.count("are only readable with these credentials") == 1
    assert "sesame" not in run.text
    assert run.result.ret != pytest.ExitCode.OK
    assert len(objects) == 5


def test_an_unknown_protocol(fleet: Project) -> None:
    """It is refused with its name."""
    run = fleet.run("--energy-baselines=nosuch://bucket/b")
    assert run.result.ret == pytest.ExitCode.USAGE_ERROR
    assert "nosuch://bucket/b can't be used: ValueError: Protocol not known: nosuch" in run.text
