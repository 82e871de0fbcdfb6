"""Simulated histories: what is planted, what counts as found, and the files that a run would have written."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.gate import over_commits
from benchmarks.gate.over_commits import STEPS, World, points_of, score, scored, summary, truth_of, write
from pytest_energy.cli.history_files import points_in_files
from pytest_energy.history.tracks import history_of

SMALL = World(name="small", run_count=40, test_count=6)


def test_a_history_is_that_of_its_seed() -> None:
    """Equal seeds are equal histories, with the steps where they are said to be."""
    one, again, other = (truth_of(SMALL, seed) for seed in (1, 1, 2))
    assert (one.energies_j == again.energies_j).all()
    assert (one.energies_j != other.energies_j).any()
    assert list(one.planted) == [0, 1, 2]
    quiet = replace(SMALL, noise_sds=(1e-6, 1e-6), board_sd=0.0)
    exact = truth_of(quiet, 1)
    for test, place in exact.planted.items():
        row = exact.energies_j[test]
        assert row[place] / row[place - 1] == pytest.approx(1 + STEPS[test], abs=1e-4)
    assert truth_of(replace(SMALL, has_steps=False), 1).planted == {}


def test_what_is_found_counts_once_and_what_is_not_there_is_false() -> None:
    """Steps near the planted ones are found; the same steps against another truth are false."""
    quiet = replace(SMALL, noise_sds=(0.002, 0.002))
    truth = truth_of(quiet, 1)
    history = history_of(points_of(truth))
    good = score(history, truth, 0.0)
    assert (good.found, good.planted, good.false, good.false_shared) == (3, 3, 0, 0)
    nothing = score(history, replace(truth, planted={}), 0.0)
    assert (nothing.found, nothing.planted, nothing.false) == (0, 0, 3)


def test_figures_of_a_world_add_up() -> None:
    """Sums over its histories, and the most false steps of one."""
    one = scored(SMALL, 1)
    both = [replace(one, found=3, false=0, false_shared=1), replace(one, found=2, false=2, false_shared=0)]
    figures = summary(SMALL, both)
    assert (figures["histories"], figures["planted"], figures["found"]) == (2, 6, 5)
    assert (figures["false"], figures["false_shared"], figures["most_false_in_one"]) == (2, 1, 2)


def test_files_hold_the_same_history(tmp_path: Path) -> None:
    """What is written as runs is read as the points that were simulated."""
    write(SMALL, 1, tmp_path)
    points, left_out = points_in_files([tmp_path])
    truth = truth_of(SMALL, 1)
    assert left_out == []
    found = {(one.test_id, one.created): one.energy_j for one in points}
    wanted = {(one.test_id, one.created): one.energy_j for one in points_of(truth)}
    assert found == pytest.approx(wanted)
    assert np.isfinite(truth.energies_j).all()
    assert over_commits.SEEDS == 20
