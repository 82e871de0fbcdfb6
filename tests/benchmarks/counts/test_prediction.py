"""How a network is predicted by the others."""

from dataclasses import replace

import pytest

from benchmarks.counts.prediction import Row, observations, rows, summary, unseen_rows
from pytest_energy.model import Provenance, Reading, Record
from tests.builders import record
from tests.fakes import networks


def _record(model: str, group: str, energy_j: float) -> Record:
    reading = Reading(
        channels={"gpu:0": energy_j},
        duration_s=2.0,
        uncertainty_j=0.0,
        provenance=Provenance.MEASURED,
        quiet_power_w={"gpu:0": 100.0},
    )
    return replace(record(rounds=[reading]), model=model, group=group)


def test_an_observation_is_of_a_step() -> None:
    """A round of LeNet's training is 500 steps, of its inference 4000; other groups are no step."""
    features = {("lenet", "training"): {"calls": 47.0}, ("lenet", "inference"): {"calls": 13.0}}
    records = [_record("lenet", work, 1000.0) for work in ("training", "inference", "batch")]
    training, inference = observations(records, features)
    assert (training.test_id, training.energy_j, training.duration_s) == ("training lenet", 2.0, 2.0 / 500)
    assert (inference.test_id, inference.energy_j, inference.group) == ("inference lenet", 0.25, "lenet")
    assert training.features == {"calls": 47.0}


def test_a_network_does_not_know_itself() -> None:
    """Its joules change nothing of what is predicted for it."""
    usual = [replace(one, test_id=f"x {one.group}") for one in networks.observations(9, scatter=0.1)]
    changed = [replace(one, energy_j=5 * one.energy_j) if one.group == "network-4" else one for one in usual]
    before, after = ([one for one in rows(seen) if one.model == "network-4"] for seen in (usual, changed))
    assert [one.predicted_j for one in before] == [one.predicted_j for one in after]
    assert [one.high_j for one in before] == [one.high_j for one in after]
    assert [5 * one.measured_j for one in before] == pytest.approx([one.measured_j for one in after])


def test_a_summary_counts_errors_and_intervals() -> None:
    """Median of the errors' sizes, and how many measured joules lie inside; what is absent is apart."""
    near = Row(model="a", work="training", measured_j=10.0, predicted_j=11.0, low_j=9.0, high_j=13.0)
    far = Row(model="b", work="training", measured_j=10.0, predicted_j=5.0, low_j=4.0, high_j=6.0)
    absent = Row(model="c", work="training", measured_j=10.0, absent="other work")
    result = summary([near, near, far, absent])
    assert (result["tests"], result["predicted"], result["inside_count"]) == (4, 3, 2)
    assert result["median_error_share"] == pytest.approx(0.1)
    assert result["largest_error_share"] == pytest.approx(0.5)


def test_networks_of_other_runs_are_predicted_where_they_are_unseen() -> None:
    """Those that the calibration has are left out, as it knows them."""
    usual = [replace(one, test_id=f"x {one.group}") for one in networks.observations(10)]
    known = [one for one in usual if one.group != "network-4"]
    (first, second) = unseen_rows(known, usual)
    assert {first.model, second.model} == {"network-4"}
    assert first.predicted_j == pytest.approx(first.measured_j, rel=0.05)
