"""A stand-in for the module `pyRAPL`, with the names and results of its version 0.2.3.1."""

from collections.abc import Sequence


class PyRAPLException(Exception):
    """Base of pyRAPL's errors; they have no text."""


class PyRAPLCantRecordEnergyConsumption(PyRAPLException):
    """No counter at all."""


class FakePyrapl:
    """The module, over counters of microjoules: package and memory of each socket in turn, -1 for none."""

    PyRAPLException = PyRAPLException
    __version__ = "0.2.3.1"

    def __init__(
        self, *values_uj: float, idle_uj: Sequence[float] = (), failure: Exception | None = None
    ) -> None:
        self.values_uj = list(values_uj)
        self._idle_uj = list(idle_uj) or [1000.0 if value >= 0 else 0.0 for value in values_uj]
        self.failure = failure

    def stop_idling(self) -> None:
        """From now on counters move only as the test says."""
        self._idle_uj = [0.0] * len(self.values_uj)

    def Sensor(self) -> "FakePyrapl":  # noqa: N802  # pyRAPL's own name
        if self.failure is not None:
            raise self.failure
        return self

    def energy(self) -> list[float]:
        if self.failure is not None:
            raise self.failure
        self.values_uj = [
            value_uj + idle_uj for value_uj, idle_uj in zip(self.values_uj, self._idle_uj, strict=True)
        ]
        return list(self.values_uj)
