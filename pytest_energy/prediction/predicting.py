"""Predictions for a record, of every machine that has a calibration and is not the record's own."""

from collections.abc import Iterable
from dataclasses import replace

from pytest_energy.errors import Absent
from pytest_energy.model import Prediction, Record
from pytest_energy.prediction.calibration import Calibration
from pytest_energy.prediction.features import features_of


def with_predictions(record: Record, calibrations: Iterable[Calibration]) -> Record:
    """*record* with what a call of its work would use on other machines; or why that can't be said.

    A record without counts stays as it is: why it has none is in it already.
    """
    others = [one for one in calibrations if one.machine_key != record.machine.key]
    if record.counts is None or not others:
        return record
    is_piece = record.counts.is_piece
    features = Absent("a smaller piece of the work was counted") if is_piece else features_of(record.counts)
    results = {
        one.machine_key: features if isinstance(features, Absent) else one.predict(features) for one in others
    }
    absent = {f"predicted on {key}": one.because for key, one in results.items() if isinstance(one, Absent)}
    return replace(
        record,
        predictions={key: one for key, one in results.items() if isinstance(one, Prediction)},
        absent={**record.absent, **absent},
    )
