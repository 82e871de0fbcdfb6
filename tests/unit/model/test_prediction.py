"""Predictions stand beside a record's joules, and never in them."""

from dataclasses import replace
from typing import Any

import pytest

from pytest_energy.baselines.schema import from_json_text, to_json_text
from pytest_energy.conversion import judgement_from_json, judgement_to_json
from pytest_energy.errors import FormatError, NotMeasurable
from pytest_energy.model import Prediction, Provenance
from tests.builders import baseline, judgement, record

PREDICTION = Prediction(energy_j=12.0, interval_j=(9.0, 16.0), duration_s=0.05, error_share=0.1)


def test_predictions_come_back_as_they_were() -> None:
    """In a run's JSON, with the machine they are of."""
    first = judgement()
    predicted = replace(first, record=replace(first.record, predictions={"h100": PREDICTION}))
    assert judgement_from_json(judgement_to_json(predicted), "a test") == predicted


def test_a_record_without_predictions_has_no_key() -> None:
    """Files of runs without a calibration stay as they were."""
    assert "predictions" not in judgement_to_json(judgement())


def test_baselines_keep_no_predictions() -> None:
    """They judge nothing, and another calibration would predict others."""
    text = to_json_text(baseline(replace(record(), predictions={"h100": PREDICTION})))
    assert from_json_text(text, "text").entries[0].predictions == {}


def test_predictions_are_not_the_joules_of_a_record() -> None:
    """A record that nothing measured has none with a prediction, either."""
    one = replace(record(rounds=(), unmeasured_because="no sensor"), predictions={"h100": PREDICTION})
    assert (one.energy_j, one.channels, one.active_energy_j) == (None, None, None)


def test_no_record_is_predicted() -> None:
    """Rounds that are said to be predictions are refused: they would be joules."""
    with pytest.raises(NotMeasurable, match="a record can't be predicted"):
        record(rounds=(), unmeasured_because="no sensor", provenance=Provenance.PREDICTED)


@pytest.mark.parametrize(
    "changes",
    [
        {"interval_j": (13.0, 16.0)},
        {"interval_j": (0.0, 16.0)},
        {"energy_j": float("nan")},
        {"duration_s": -1.0},
    ],
)
def test_what_is_no_prediction_is_refused(changes: dict[str, Any]) -> None:
    """Joules outside their interval, an interval from 0, no number, negative seconds."""
    with pytest.raises(NotMeasurable, match="is no prediction"):
        replace(PREDICTION, **changes)


def test_a_broken_prediction_in_a_file_names_its_place() -> None:
    """An interval without its joules is refused where it stands."""
    first = judgement()
    document = judgement_to_json(replace(first, record=replace(first.record, predictions={"h": PREDICTION})))
    document["predictions"]["h"]["interval_j"] = [13.0, 16.0]  # type: ignore[index]  # as written
    with pytest.raises(FormatError, match=r"a test: predictions: 12\.0 J between 13\.0 and 16\.0 J"):
        judgement_from_json(document, "a test")
