"""A uniform view of the module `amdsmi`, whichever release of it is installed.

Rule 1: what goes wrong is an `AmdSmiError`: an odd library ends one sensor, never the run.

Source:
    amdsmi 7.0.2: `amdsmi_interface.py`, `amdsmi_exception.py`.
"""

import io
from collections.abc import Callable
from contextlib import redirect_stdout
from typing import Any, TypeVar

from pytest_energy.codec import brief
from pytest_energy.errors import Reason, SensorUnavailable, described
from pytest_energy.sensors.pynvml_library import ODD

T = TypeVar("T")

_SENSOR = "amdsmi"

_PYTHON_PART = "pip install 'pytest-energy[amd]'"
_LIBRARY = "sudo apt install amd-smi-lib"


class AmdSmiError(Exception):
    """A call that failed, or whose answer is not what it is documented to be."""


class AmdSmiLibrary:
    """What is asked of the module *amdsmi*."""

    def __init__(self, amdsmi: object) -> None:
        self._amdsmi = amdsmi
        base = getattr(amdsmi, "AmdSmiException", None)
        own = [base] if isinstance(base, type) and issubclass(base, Exception) else []
        self._errors: tuple[type[Exception], ...] = (*ODD, *own)

    def ask(self, question: Callable[[Any], T]) -> T:
        """What *question* has of the module.

        Raises:
            AmdSmiError: It fails, or its answer is not what the question expects.
        """
        try:
            return question(self._amdsmi)
        except self._errors as error:
            because = getattr(error, "err_info", None) or described(error)
            raise AmdSmiError(f"amdsmi: {because}") from error

    def text(self, question: Callable[[Any], object]) -> str:
        """The same, which is a text.

        Raises:
            AmdSmiError: As for `ask`; or it is none.
        """
        answer = self.ask(question)
        if not isinstance(answer, str):
            raise AmdSmiError(f"amdsmi: {brief(answer)} is no text")
        return answer


def imported_amdsmi() -> object:
    """The module.

    Raises:
        SensorUnavailable: There is none, or the library in C is missing.
    """
    try:
        with redirect_stdout(io.StringIO()):  # it prints that the library in C is missing
            import amdsmi
    except ImportError as error:
        because = f"the module amdsmi is not installed ({error})"
        raise SensorUnavailable(_SENSOR, Reason(because, (_PYTHON_PART,))) from error
    except (SyntaxError, *ODD) as error:
        because = f"the module amdsmi can't be imported, as without ROCm's libamd_smi.so: {described(error)}"
        raise SensorUnavailable(_SENSOR, Reason(because, (_LIBRARY,))) from error
    module: object = amdsmi
    return module
