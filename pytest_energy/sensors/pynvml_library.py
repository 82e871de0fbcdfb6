"""A uniform view of the module `pynvml`, whichever package provides it.

The package `pynvml` up to version 11 shadows nvidia-ml-py under the same name: it gives bytes for text, and
lacks newer functions, numbers and errors.

Rule 1: text is `str`, so that a machine has one key whatever has read its name.
Rule 2: what goes wrong is an `NVMLError`: an odd library ends one sensor, never the run.
Rule 3: a missing function fails; it does not count as "not supported".
"""

import warnings
from collections.abc import Callable
from typing import Any, Self

from pytest_energy.errors import Reason, SensorUnavailable, described

_SENSOR = "nvml"

# What a function of Python may raise whose library, arguments or results are not what it was written for.
# A warning is raised where a run makes errors of warnings.
ODD = (ArithmeticError, AttributeError, LookupError, OSError, RuntimeError, TypeError, ValueError, Warning)

# Of nvml.h, where they never change.
_NUMBERS = {
    "NVML_CLOCK_GRAPHICS": 0,
    "NVML_CLOCK_MEM": 2,
    "NVML_DEVICE_ARCH_AMPERE": 7,
    "NVML_DEVICE_MIG_ENABLE": 1,
    "NVML_ERROR_NOT_FOUND": 6,
    "NVML_FI_DEV_POWER_INSTANT": 186,
    "NVML_GPU_VIRTUALIZATION_MODE_NONE": 0,
    "NVML_GPU_VIRTUALIZATION_MODE_PASSTHROUGH": 1,
    "NVML_SUCCESS": 0,
    "NVML_TEMPERATURE_GPU": 0,
}

_REPAIR = ("pip uninstall pynvml", "pip install --force-reinstall nvidia-ml-py")


class PynvmlLibrary:
    """Functions, numbers and errors of the module *pynvml*.

    Raises:
        SensorUnavailable: It is not NVIDIA's: it has no `NVMLError`.
    """

    def __init__(self, pynvml: object) -> None:
        base = getattr(pynvml, "NVMLError", None)
        if not (isinstance(base, type) and issubclass(base, Exception)):
            raise SensorUnavailable(_SENSOR, Reason("the module pynvml here is not NVIDIA's", _REPAIR))
        self._pynvml = pynvml
        self._base, self._odd = base, _odd_error(base)

    def __getattr__(self, name: str) -> Any:
        given = getattr(self._pynvml, name, None)
        if name.startswith("NVMLError"):
            return type(name, (self._base,), {}) if given is None else given  # which it never raises
        if name.startswith("NVML_"):
            return _NUMBERS[name] if given is None else given
        return self._function(name, given)

    def _function(self, name: str, given: Callable[..., object] | None) -> Callable[..., object]:
        def call(*args: object) -> object:
            if given is None:
                raise self._odd(f"this pynvml has no {name}: {'; '.join(_REPAIR)}")
            try:
                value = given(*args)
            except ODD as error:
                raise self._odd(f"{name} of this pynvml fails: {type(error).__name__}: {error}") from error
            return value.decode("utf-8", "replace") if isinstance(value, bytes) else value

        return call


def _odd_error(base: type[Exception]) -> type[Exception]:
    """An error of NVML with a text of its own: NVML's have a number, and their text is the library's."""

    class OddError(base):  # type: ignore[valid-type, misc]  # a class of the library
        value = None

        def __new__(cls, text: str) -> Self:
            return Exception.__new__(cls, text)

        def __init__(self, text: str) -> None:
            Exception.__init__(self, text)

        def __str__(self) -> str:
            return str(self.args[0])

    return OddError


def imported_pynvml() -> object:
    """The module.

    Raises:
        SensorUnavailable: There is none, or it can't be imported.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a package of this name that warns of itself is not the suite's
            import pynvml
    except ImportError as error:
        raise SensorUnavailable(_SENSOR, Reason(str(error), ("pip install nvidia-ml-py",))) from error
    except (SyntaxError, *ODD) as error:
        because = f"the module pynvml can't be imported: {described(error)}"
        raise SensorUnavailable(_SENSOR, Reason(because, _REPAIR)) from error
    module: object = pynvml
    return module
