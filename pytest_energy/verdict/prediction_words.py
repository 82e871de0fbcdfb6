"""Text on joules of another machine: always as a prediction, always with its interval."""

from collections.abc import Mapping

from pytest_energy.errors import printable
from pytest_energy.model import Prediction, Record
from pytest_energy.units import to_text


def prediction_texts(record: Record) -> Mapping[str, str]:
    """`predicted on KEY` to the joules of a call there; of the machines that can be told of.

    >>> from dataclasses import replace
    >>> from tests.builders import record
    >>> one = Prediction(energy_j=12.0, interval_j=(9.0, 16.0), duration_s=0.05, error_share=0.1)
    >>> prediction_texts(replace(record(), predictions={"h100_nvml": one}))
    {'predicted on h100_nvml': '~12 J per call (9 J to 16 J, 90 %)'}
    """
    return {f"predicted on {printable(key)}": prediction_text(one) for key, one in record.predictions.items()}


def prediction_text(prediction: Prediction) -> str:
    """The joules of a call, and the interval that holds nine of ten."""
    low, high = (to_text(end_j, "J", digits=2) for end_j in prediction.interval_j)
    note = f"; {printable(prediction.note)}" if prediction.note else ""
    return f"~{to_text(prediction.energy_j, 'J', digits=2)} per call ({low} to {high}, 90 %{note})"
