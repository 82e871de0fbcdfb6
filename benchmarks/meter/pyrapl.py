"""CPU packages and their memory, through the package pyRAPL, for comparison with numbers made with it.

It reads the counters that the sensor `rapl` reads, so it is none of the package's; this plugin offers it:
`pytest -p benchmarks.meter.pyrapl --energy-sensors=pyrapl`.

Rule 1: its channels have the names that `rapl` gives them.
Rule 2: pyRAPL doesn't know that counters wrap, so one that fell gives no joules, whatever made it fall.
Rule 3: a counter that never moves is absent, not frugal.

Source: pyRAPL 0.2.3.1 (2019), `pyRAPL.Sensor.energy`: the package and the memory of each socket in turn, in
microjoules, -1 where there is none.
"""

import importlib
import logging
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from pytest_energy.errors import Reason, SensorError, SensorUnavailable
from pytest_energy.model import Channel, Domain, Provenance
from pytest_energy.sensors.protocol import Facts, Sensor
from pytest_energy.sensors.rapl import STILL_S, find_still, permission_reason
from pytest_energy.units import JOULES_PER_MICROJOULE
from pytest_energy.usage import Usage

NAME = "pyrapl"

# A socket's values, in pyRAPL's order.
_DOMAINS = (Domain.CPU, Domain.DRAM)


def pytest_energy_sensors() -> Mapping[str, Callable[[], Sensor]]:
    """Offer it by its name."""
    return {NAME: PyraplSensor.open}


class PyraplSensor:
    """RAPL counters as pyRAPL reads them.

    Attributes:
        left_out: Channel name to why it can't be counted.
    """

    name = NAME
    provenance = Provenance.MEASURED

    def __init__(
        self,
        source: Any,
        faults: tuple[type[Exception], ...],
        places: dict[str, int],
        left_out: dict[str, str],
        version: str,
    ) -> None:
        self._source, self._faults, self._version = source, faults, version
        self._places = places
        self._lock = threading.Lock()
        self._last_uj = {channel: self._count_uj(channel) for channel in places}
        self._sum_uj = dict.fromkeys(places, 0)
        self.left_out = left_out
        self.channels = tuple(_channel(name) for name in places)

    @classmethod
    def open(
        cls,
        *,
        pyrapl: Any = None,
        now_s: Callable[[], float] = time.monotonic,
        sleep_s: Callable[[float], None] = time.sleep,
    ) -> "PyraplSensor":
        """Let pyRAPL find its counters and see them move; takes a few milliseconds.

        Args:
            pyrapl: The module `pyRAPL`, or something like it; imported when `None`.
            now_s: A clock that never goes back.
            sleep_s: Waits.

        Raises:
            SensorUnavailable: pyRAPL isn't installed or finds nothing, no permission, or counters that stand
                still.
        """
        pyrapl = _import_pyrapl() if pyrapl is None else pyrapl
        # What pyRAPL lets through of a kernel that shows other files than it knows.
        faults = (pyrapl.PyRAPLException, OSError, ValueError, LookupError)
        try:
            with _quietly():
                source = pyrapl.Sensor()
            places = _places(source.energy())
            counts = {name: partial(_one_uj, source, place) for name, place in places.items()}
            still = find_still(counts, now_s=now_s, sleep_s=sleep_s)
            left_out = {
                name: f"pyRAPL's counter did not move for {STILL_S:g} s: it measures nothing"
                for name in places
                if name in still
            }
            moving = {name: place for name, place in places.items() if name not in still}
            if not any(_channel(name).domain is Domain.CPU for name in moving):
                raise SensorUnavailable(NAME, *(left_out.values() or ["pyRAPL shows no CPU package"]))
            return cls(source, faults, moving, left_out, str(getattr(pyrapl, "__version__", "unknown")))
        except PermissionError as error:
            raise SensorUnavailable(NAME, permission_reason(Path(str(error.filename)))) from error
        except (*faults, SensorError) as error:
            because = f"pyRAPL finds no counters ({_text(error)}); the sensor rapl supports more than Intel's"
            raise SensorUnavailable(NAME, because) from error

    def read_j(self, channel: str) -> float:
        """Joules of *channel* since the sensor was opened."""
        # Two threads may read; without the lock an older value could look like a counter that fell.
        with self._lock:
            if self._source is None or channel not in self._places:
                there = "nothing now" if self._source is None else ", ".join(self._places)
                raise SensorError(f"{channel}: pyRAPL reads {there}")
            raw_uj, before_uj = self._count_uj(channel), self._last_uj[channel]
            self._last_uj[channel] = raw_uj
            if raw_uj < before_uj:
                raise SensorError(
                    f"{channel}: pyRAPL's counter fell from {before_uj} to {raw_uj} uJ; "
                    "pyRAPL can't distinguish a wrap from a reset, the sensor rapl can"
                )
            self._sum_uj[channel] += raw_uj - before_uj
            return self._sum_uj[channel] * JOULES_PER_MICROJOULE

    def usage(self) -> Usage:
        return Usage()

    def facts(self) -> Facts:
        variable = {"rapl_interface": f"pyRAPL {self._version}"}
        if self.left_out:
            variable["rapl_left_out"] = "; ".join(f"{name}: {why}" for name, why in self.left_out.items())
        return Facts(fixed={"rapl_channels": ", ".join(self._places)}, shown=variable)

    def close(self) -> None:
        """Let go of pyRAPL's files; a read after this is a `SensorError`."""
        with self._lock, _quietly():
            self._source = None

    def _count_uj(self, channel: str) -> int:
        try:
            return _one_uj(self._source, self._places[channel])
        except self._faults as error:
            raise SensorError(f"{channel}: pyRAPL can't read its counter: {_text(error)}") from error


def _import_pyrapl() -> Any:
    try:
        with _quietly():
            return importlib.import_module("pyRAPL")
    except ImportError as error:
        raise SensorUnavailable(NAME, Reason(str(error), ("pip install pyRAPL",))) from error


@contextmanager
def _quietly() -> Iterator[None]:
    """Hold back what pyRAPL sets off: warnings of Python for its source and for files that it doesn't close.

    It also logs that pymongo is missing, which would set up logging for the whole process.
    """
    root, silence = logging.getLogger(), logging.NullHandler()
    root.addHandler(silence)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        root.removeHandler(silence)


def _places(values_uj: Sequence[float]) -> dict[str, int]:
    """Channel name to its place in pyRAPL's list, without those that this machine hasn't."""
    return {
        f"{_DOMAINS[place % 2]}:package-{place // 2}": place
        for place, value_uj in enumerate(values_uj)
        if value_uj >= 0
    }


def _one_uj(source: Any, place: int) -> int:
    value_uj = int(source.energy()[place])
    if value_uj < 0:
        raise ValueError(f"pyRAPL shows {value_uj} uJ")
    return value_uj


def _channel(name: str) -> Channel:
    return Channel(
        name=name,
        domain=Channel.domain_of(name),
        device=name.partition(":")[2],
        is_ticked=False,
        resolution_j=JOULES_PER_MICROJOULE,
    )


def _text(error: Exception) -> str:
    """What *error* says; pyRAPL's own errors say it by their name alone."""
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
