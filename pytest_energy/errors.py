"""The errors and warnings of this package."""

import re
from dataclasses import dataclass

from pytest_energy.masking import masked, masked_foreign


class _Visible(dict[int, str]):
    """Code point to what is shown of it, for those that are replaced."""

    def __missing__(self, code: int) -> str:
        character = chr(code)
        if character.isprintable():
            raise LookupError
        return self.setdefault(code, ascii(character)[1:-1])


_VISIBLE = _Visible()
# What a runner of CI takes for a command: GitHub reads `::` where a line begins, and `##[` anywhere in it.
_COMMAND = re.compile(r"^ *:(?=:)|##(?=\[)")


def printable(text: str) -> str:
    """*text* on one line, where nothing moves the cursor, breaks the line or commands a CI runner."""
    visible = text if text.isprintable() else text.translate(_VISIBLE)
    return _COMMAND.sub(_broken, visible)


def _broken(command: re.Match[str]) -> str:
    # A template with a backslash, or a codec at its first use, is an import, which a test may refuse.
    return f"{command[0]}\\"


def printable_lines(text: str) -> str:
    """*text* with each of its lines as `printable` has it."""
    return "\n".join(map(printable, text.split("\n")))


def described(error: BaseException | None) -> str:
    """Kind and text of a foreign *error*, without any secret: it is shown."""
    return masked_foreign(f"{type(error).__name__}: {error}")


@dataclass(frozen=True, slots=True)
class Absent:
    """A missing value, with its reason; not an error.

    Attributes:
        because: Why, for people.
    """

    because: str


class EnergyError(Exception):
    """Base of every error that this package raises on purpose.

    No secret is in its text, and no foreign text in it moves a cursor or commands a CI runner.
    """

    def __init__(self, *texts: object) -> None:
        inert = (printable_lines(masked(text)) if isinstance(text, str) else text for text in texts)
        super().__init__(*inert)


@dataclass(frozen=True, slots=True)
class Reason:
    """Why something is absent, and how to fix it.

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


class NoSuchHardware(SensorUnavailable):
    """A sensor of hardware that this machine doesn't have: of no interest unless it was asked for by name."""


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


class EnergyWarning(UserWarning):
    """A use of energy tests that is probably not intended."""


class EnergyDeprecationWarning(EnergyWarning, DeprecationWarning):
    """A name that has a new one."""


for _public in (
    EnergyError,
    SensorUnavailable,
    SensorError,
    NotMeasurable,
    NotComparable,
    BaselineError,
    SettingsError,
    FormatError,
    EnergyWarning,
    EnergyDeprecationWarning,
):
    _public.__module__ = "pytest_energy"  # under which a reader of a traceback imports it
