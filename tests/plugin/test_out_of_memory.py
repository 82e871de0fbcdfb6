"""A test that runs out of the device's memory has a row, with that as its reason."""

import pytest

from tests.plugin.conftest import Project

FULL = """
class OutOfMemoryError(RuntimeError):
    pass

def work():
    raise OutOfMemoryError("CUDA out of memory. Tried to allocate 8 GiB.\\nGPU 0 has 80 GiB.")

"""
REASON = "out of memory: CUDA out of memory. Tried to allocate 8 GiB."


@pytest.mark.parametrize(
    "test",
    [
        "def test_work(energy):\n    energy.measure(work)",
        "def test_work(energy):\n    with energy.window('x'):\n        work()",
        "def test_work(energy):\n    work()\n    energy.measure(len, [])",
        "@pytest.mark.energy\ndef test_work():\n    work()",
    ],
)
def test_a_failure_has_a_row(project: Project, test: str) -> None:
    """The test fails as it would without the plugin, and the reports have its reason in place of joules."""
    project.write(f"{FULL}{test}\n")
    project.replay({"test_work": [10.0] * 5})
    run = project.run()
    run.result.assert_outcomes(failed=1)
    assert "OutOfMemoryError" in run.text
    entry = run.test()
    assert (entry["verdict"], entry["unmeasured_because"], entry["rounds"]) == ("unmeasured", REASON, [])
    assert entry["energy_j"] is None


def test_a_skip_has_a_row(project: Project) -> None:
    """A test that skips itself for that: skipped, with a row; one that skips for another reason has none."""
    project.write(
        f"{FULL}def test_work(energy):\n    try:\n        energy.measure(work)\n"
        "    except OutOfMemoryError:\n        pytest.skip('too large')\n\n"
        "def test_other(energy):\n    pytest.skip('no data')\n"
    )
    project.replay({"test_work": [10.0] * 5})
    run = project.run("--energy-strict")
    run.result.assert_outcomes(skipped=2)
    assert run.ids == ["test_work.py::test_work"]
    assert run.test()["unmeasured_because"] == REASON


def test_what_was_measured_before_has_no_row(project: Project) -> None:
    """Memory that is full after the rounds is a plain failure: the test did not do its work."""
    project.write(f"{FULL}def test_work(energy):\n    energy.measure(len, [])\n    work()\n")
    project.replay({"test_work": [10.0] * 5})
    run = project.run()
    run.result.assert_outcomes(failed=1)
    assert run.ids == []


def test_another_error_has_no_row(project: Project) -> None:
    """Any other error of the work is a plain failure."""
    project.write("def test_work(energy):\n    energy.measure(lambda: 1 / 0)\n")
    project.replay({"test_work": [10.0] * 5})
    run = project.run()
    run.result.assert_outcomes(failed=1)
    assert run.ids == []
