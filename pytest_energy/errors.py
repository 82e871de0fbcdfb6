"""What can go wrong, each with the place, the value seen and what to do about it."""

from dataclasses import dataclass

from pytest_energy.masking import masked


def printable(text: str) -> str:
    """*text* on one line, with whatever could move the cursor or break a line made visible."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


@dataclass(frozen=True, slots=True)
class Absent:
    """In place of a value that can't be had, where that is no error.

    Attributes:
        because: Why, for people.
    """

    because: str


class EnergyError(Exception):
    """Base of every error that this package raises on purpose; no secret stands in its text."""

    def __init__(self, *texts: object) -> None:
        super().__init__(*(masked(text) if isinstance(text, str) else text for text in texts))


@dataclass(frozen=True, slots=True)
class Reason:
    """Why something is absent, and what mends it.

    Attributes:
        remedies: Each the command or the line for a file, with its case in front where there are several.
    """

    because: str
    remedies: tuple[str, ...] = ()

    def __str__(self) -> str:
        return ". ".join((self.because, *self.remedies))


class SensorUnavailable(EnergyError):
    """A sensor can't be used on this machine.

    Attributes:
        sensor: Name of the sensor, such as `"rapl"`.
        reasons: One for each way to its counters that is barred.
    """

    def __init__(self, sensor: str, *reasons: Reason | str) -> None:
        self.sensor = sensor
        self.reasons = tuple(Reason(one) if isinstance(one, str) else one for one in reasons)
        super().__init__(f"{sensor}: {self.because}")

    @property
    def because(self) -> str:
        """The reasons with their remedies, in one line."""
        return "; ".join(str(reason) for reason in self.reasons)


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
