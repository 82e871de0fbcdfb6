"""Budgets of the phases of a test: each is judged by its own joules."""

import pytest

from tests.plugin.conftest import Project
from tests.plugin.test_scope import SENSOR

SOURCE = """
import time

import pytest
from conftest import USED_J

@pytest.mark.energy(phase_budgets_j={budgets})
def test_work(energy):
    for _ in range(3):
        for name, used_j in (("train", 20.0), ("serve", 5.0)):
            with energy.window(name):
                time.sleep(0.05)
                USED_J["gpu:0"] += used_j
"""


@pytest.fixture
def board(virtual_project: Project) -> Project:
    (virtual_project.path / "conftest.py").write_text(SENSOR.format(names=("gpu:0",)), encoding="utf-8")
    return virtual_project


@pytest.mark.parametrize(
    ("budgets", "verdict", "says"),
    [
        ({"train": "6 kJ", "serve": 4000}, "pass", ""),
        ({"train": 6000, "serve": "1 J"}, "over-budget", "allowed 1 J in the phase serve"),
        ({"serve": 4000, "train": 10}, "over-budget", "allowed 10 J in the phase train"),
    ],
)
def test_the_worst_phase_gives_the_verdict(
    board: Project, budgets: dict[str, object], verdict: str, says: str
) -> None:
    """And its reason names it."""
    board.write(SOURCE.format(budgets=budgets))
    run = board.run("--energy-sensors=board", "--energy-baseline=off")
    test = run.test()
    assert test["verdict"] == verdict
    assert says in test["reason"]
    assert set(test["phase_budgets_j"]) == set(budgets)


def test_a_phase_that_does_not_come_fails_its_test(board: Project) -> None:
    """A misspelt name must not switch a limit off."""
    board.write(SOURCE.format(budgets={"trian": 10}))
    run = board.run("--energy-sensors=board", "--energy-baseline=off")
    assert run.result.ret == 1
    assert "10 J for the phase 'trian', which did not come" in run.text
    assert "train, serve" in run.text


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (5, "must name phases, such as {'train': 50, 'serve': '2 J'}. Got 5."),
        ({}, "must name phases"),
        ({"": 5}, "must name phases by texts that are not empty"),
        ({"train": -1}, "of the phase 'train'"),
    ],
)
def test_a_budget_that_is_none_stops_the_run(board: Project, value: object, says: str) -> None:
    """At collection, as any argument that can't be used does."""
    board.write(SOURCE.format(budgets=value))
    assert says in board.run().text.replace("\n", " ")


def test_an_estimate_of_a_phase_is_called_one(project: Project) -> None:
    """In the headline, as that of a round is."""
    project.write(
        SOURCE.replace("from conftest import USED_J", "USED_J = {{'gpu:0': 0.0}}")
        .replace("time.sleep(0.05)", "sum(range(10**6))")
        .format(budgets={"train": "1 nJ"})
    )
    run = project.run("--energy-sensors=estimate", "--energy-estimates=gate", "--energy-baseline=off")
    assert "(estimated), allowed 1 nJ in the phase train" in run.test()["reason"]
