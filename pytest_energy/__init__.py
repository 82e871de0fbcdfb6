"""pytest-energy: gate the energy of machine-learning code, test by test."""

from pytest_energy.errors import (
    BaselineError,
    EnergyError,
    FormatError,
    NotComparable,
    NotMeasurable,
    SensorError,
    SensorUnavailable,
    SettingsError,
)

__all__ = [
    "BaselineError",
    "EnergyError",
    "FormatError",
    "NotComparable",
    "NotMeasurable",
    "SensorError",
    "SensorUnavailable",
    "SettingsError",
]
