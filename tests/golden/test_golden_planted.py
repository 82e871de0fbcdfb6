"""Planted bugs in words, from traces of real work. `ENERGY_GOLDEN=accept` writes the words anew.

`python -m tests.golden.planted.record` makes the traces again.
"""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_energy.baselines.schema import Baseline
from pytest_energy.judgement import Verdict
from pytest_energy.report import to_json, to_terminal, view
from pytest_energy.verdict.findings import Decision
from pytest_energy.verdict.policy import Policy
from pytest_energy.verdict.words import in_words
from tests.builders import decided

FOLDER = Path(__file__).parent
RUNS = sorted((FOLDER / "planted").glob("counts_*.json"))
BUGS = ("layer_norm", "no_grad", "loader")


def _decided(run: Path, bug: str, *, then: str, now: str) -> Decision:
    """The work *now* of one bug by its counts, against a baseline of the work *then*."""
    judgements = to_json.read(run.read_text(encoding="utf-8"), run.name).judgements
    name = f"tests/test_model.py::test_{bug}"
    before, after = (
        next(replace(one.record, test_id=name) for one in judgements if one.record.test_id == name + ending)
        for ending in (then, now)
    )
    against = Baseline(test_id=name, machine_key=before.machine.key, entries=(before,))
    return decided(after, policy=Policy(is_by_counts=True), counted=[against])


@pytest.mark.parametrize("run", RUNS, ids=lambda run: run.stem)
def test_planted_bugs_in_words(run: Path) -> None:
    """The reason of each by its counts, and what a screen shows of it."""
    judgements = [in_words(_decided(run, bug, then="", now="_planted")) for bug in BUGS]
    assert {one.verdict for one in judgements} == {Verdict.REGRESSION}
    reasons = "\n\n".join(one.reason for one in judgements)
    text = f"{reasons}\n\n{to_terminal.render(view.of(judgements), width=100)}\n"
    path = FOLDER / "planted" / f"{run.stem.replace('counts', 'words')}.txt"
    if os.environ.get("ENERGY_GOLDEN") == "accept":
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8"), f"{path.name} differs; `make golden` accepts it"


@pytest.mark.parametrize("run", RUNS, ids=lambda run: run.stem)
@pytest.mark.parametrize("bug", BUGS)
@pytest.mark.parametrize("ending", ["", "_planted"])
def test_work_is_the_same_as_itself(run: Path, bug: str, ending: str) -> None:
    """Against its own counts nothing has changed, with the bug and without."""
    decision = _decided(run, bug, then=ending, now=ending)
    assert decision.verdict is Verdict.PASS
    assert decision.counts_comparison is not None
    assert decision.counts_comparison.changes == ()
