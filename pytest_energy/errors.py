"""What can go wrong, each with the place, the value seen and what to do about it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Absent:
    """In place of a value that can't be had, where that is no error.

    Attributes:
        because: Why, for people.
    """

    because: str


class EnergyError(Exception):
    """Base of every error that this package raises on purpose."""


class SensorUnavailable(EnergyError):
    """A sensor can't be used on this machine.

    Attributes:
        sensor: Name of the sensor, such as `"rapl"`.
        because: Why it is absent and, where there is one, the command that mends it.
    """

    def __init__(self, sensor: str, because: str) -> None:
        super().__init__(f"{sensor}: {because}")
        self.sensor = sensor
        self.because = because


class SensorError(EnergyError):
    """A sensor that worked gave no usable value; the window it happened in is void."""


class NotMeasurable(EnergyError):
    """A quantity has no meaning for what was measured, for instance a ratio to zero samples."""


class NotComparable(EnergyError):
    """Two records differ in something that makes their ratio meaningless.

    Attributes:
        differences: Field name to (value in the baseline, value now).
    """

    def __init__(self, differences: dict[str, tuple[str, str]]) -> None:
        text = "; ".join(
            f"{name}: {old!r} in the baseline, {new!r} now" for name, (old, new) in differences.items()
        )
        super().__init__(text)
        self.differences = differences


class BaselineError(EnergyError):
    """A baseline can't be read, understood or written."""


class SettingsError(EnergyError):
    """An option, ini value, marker argument or input file is wrong; the run can't start."""


class FormatError(EnergyError):
    """A document (baseline, replay, session) does not hold what its format asks for."""
