"""What a traceback shows between a test and an error."""

import pytest

from tests.plugin.conftest import Project

OURS = "pytest_energy/"
FAILS = "def fail():\n    raise ValueError('of the work')\n\n"


@pytest.fixture
def unmeasured(project: Project) -> Project:
    """A project whose joules would come from a replay that has none."""
    project.replay({})
    return project


@pytest.mark.parametrize(
    "body",
    [
        "energy.measure(fail)",
        "energy.measure(lambda: [fail() for _ in 'a'])",
        "energy.measure(lambda: energy.window('a').__enter__() and fail())",
        "energy.measure(3)",
    ],
)
def test_no_frame_of_ours_is_shown(unmeasured: Project, body: str) -> None:
    """From the test's line on come those of the work alone; --full-trace shows every frame."""
    unmeasured.write(FAILS + f"def test_work(energy):\n    {body}\n")
    assert OURS not in unmeasured.run().text
    assert f"{OURS}plugin/mistakes.py" in unmeasured.run("--full-trace").text


def test_nor_in_what_led_to_an_error(unmeasured: Project) -> None:
    """Each error of a chain is shown, and none with our frames."""
    unmeasured.write(
        FAILS
        + "def test_work(energy):\n    try:\n        energy.measure(fail)\n    except ValueError as error:\n"
        "        raise KeyError('of the test') from error\n"
    )
    text = unmeasured.run().text
    assert OURS not in text
    assert "ValueError: of the work" in text
    assert "KeyError: 'of the test'" in text


def test_nor_in_a_fixture_or_a_test_case(unmeasured: Project) -> None:
    """Wherever the work is called from."""
    unmeasured.write(
        FAILS + "import unittest\n\n@pytest.fixture\ndef served(energy):\n    energy.measure(fail)\n\n"
        "def test_work(served):\n    pass\n\nclass TestCase(unittest.TestCase):\n"
        "    @pytest.fixture(autouse=True)\n    def take(self, energy):\n        self.energy = energy\n\n"
        "    def test_case(self):\n        self.energy.measure(fail)\n"
    )
    run = unmeasured.run()
    run.result.assert_outcomes(failed=1, errors=1)
    assert OURS not in run.text


def test_an_error_that_is_our_own_doing_shows_where(
    unmeasured: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody could mend what is hidden."""
    monkeypatch.delattr("pytest_energy.plugin.measurement.Measurement.count")
    unmeasured.write("def test_work(energy):\n    energy.measure(int)\n")
    text = unmeasured.run().text
    assert "AttributeError: 'Measurement' object has no attribute 'count'" in text
    assert f"{OURS}plugin/measurement.py" in text


def test_an_error_of_the_judgement_is_one_sentence(project: Project) -> None:
    """It is raised in a hook, whose traceback would lead nowhere."""
    project.write(
        "@pytest.mark.energy(budget_per_sample_j=1)\ndef test_work(energy):\n    energy.measure(int)\n"
    )
    project.replay({"test_work": [10.0] * 5})
    text = project.run().text
    assert "budget_per_sample_j=1 needs the number of samples in a round.\nSet samples= in" in text
    assert OURS not in text
    assert "During handling" not in text
