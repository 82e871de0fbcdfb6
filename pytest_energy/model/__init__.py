"""The values that travel from the hardware to the verdict. Frozen, validated once.

Rule 1: absent is not zero. A value that was not measured is `None`, and its reason travels with it.
Rule 2: joules of different provenance never meet in one value.
Rule 3: nothing here knows JSON: `documents` says what of these values is written, and under which keys.
"""

from pytest_energy.model.load_costs import StepCost
from pytest_energy.model.prediction import Prediction
from pytest_energy.model.reading import SAME_CLOCK, ClockError, Phase, Reading, Tick, Trace
from pytest_energy.model.record import A_COMMAND, NO_ROLE, Record, rank_text
from pytest_energy.model.values import (
    METER_FACT,
    Channel,
    CounterResponse,
    Domain,
    JoinedAs,
    Machine,
    Provenance,
    SensorStatus,
)
from pytest_energy.usage import Usage

__all__ = [
    "A_COMMAND",
    "METER_FACT",
    "NO_ROLE",
    "SAME_CLOCK",
    "Channel",
    "ClockError",
    "CounterResponse",
    "Domain",
    "JoinedAs",
    "Machine",
    "Phase",
    "Prediction",
    "Provenance",
    "Reading",
    "Record",
    "SensorStatus",
    "StepCost",
    "Tick",
    "Trace",
    "Usage",
    "rank_text",
]
