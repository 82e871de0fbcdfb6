"""Hooks of other plugins that fail: what they were asked for is missing, with its reason."""

import pytest

from tests.plugin.conftest import Project

TEN_J = (10.0, 10.1, 9.9, 10.0, 10.0)


@pytest.fixture
def measured(project: Project) -> Project:
    project.write("@pytest.mark.energy\ndef test_work(energy):\n    energy.measure(int)\n")
    project.replay({"test_work": TEN_J})
    return project


def test_a_metric_that_fails_is_absent_and_the_others_are_there(measured: Project) -> None:
    """A formula that raises, and values that no report can hold."""
    measured.write(
        "def pytest_energy_metrics(config):\n"
        "    return {'raises': lambda r: 1 / 0, 'nan': lambda r: float('nan'), 'text': lambda r: 'x',\n"
        "            'huge': lambda r: 1e308, 'a\\n::error::b': lambda r: 'x',\n"
        "            'fine': lambda r: r.energy_j}\n",
        "conftest.py",
    )
    run = measured.run("--energy-report")
    run.result.assert_outcomes(passed=1)
    test = run.test()
    assert {name: value for name, value in test["metrics"].items() if value is not None} == {"fine": 10.0}
    assert test["absent"]["raises"] == "its formula raised ZeroDivisionError: division by zero"
    assert test["absent"]["text"] == "its formula gave 'x', not a number that can be kept"
    assert test["absent"]["huge"] == "its formula gave 1e+308, not a number that can be kept"
    assert not any(line.startswith("::error") for line in run.text.splitlines())


@pytest.mark.parametrize(
    ("body", "because"),
    [
        ("raise ValueError('no board\\n::error::x')", "ValueError: no board"),
        ("return 'pass'", "AttributeError: "),
        ("return replace(judgement, reason=3)", "FormatError: its judgement: reason is 3, not a text"),
        ("return replace(judgement, verdict='fine')", "FormatError: its judgement: verdict is 'fine'"),
    ],
)
def test_a_verdict_hook_that_fails_changes_nothing(measured: Project, body: str, because: str) -> None:
    """The gate's own verdict stands, and the reason says what the hook did."""
    measured.write("@pytest.mark.energy(budget_j=1.0)\ndef test_work(energy):\n    energy.measure(int)\n")
    hook = f"from dataclasses import replace\ndef pytest_energy_verdict(judgement):\n    {body}\n"
    measured.write(hook, "conftest.py")
    run = measured.run()
    run.result.assert_outcomes(failed=1)
    assert run.verdict() == "over-budget"
    assert f"pytest_energy_verdict failed, and changed nothing: {because}" in run.test()["reason"]
    assert not any(line.startswith("::error") for line in run.text.splitlines())
