"""Hooks that other plugins may implement."""

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pytest_energy.judgement import Judgement
    from pytest_energy.model import Record
    from pytest_energy.sensors.protocol import Sensor


@pytest.hookspec
def pytest_energy_sensors(config: pytest.Config) -> "Mapping[str, Callable[[], Sensor]] | None":
    """Sensors of your own, by the name that `--energy-sensors` takes.

    Each value opens the sensor, or raises `SensorUnavailable` with the reason.

    Example::

        def pytest_energy_sensors(config):
            return {"wallplug": lambda: WallPlug.open("/dev/ttyUSB0")}
    """


@pytest.hookspec
def pytest_energy_synchronize() -> None:
    """Wait until the work that was started is really over; called at both edges of a window.

    Example::

        def pytest_energy_synchronize():
            jax.effects_barrier()
    """


@pytest.hookspec
def pytest_energy_metrics(config: pytest.Config) -> "Mapping[str, Callable[[Record], float | None]] | None":
    """Metrics of your own, computed from each record.

    Example::

        def pytest_energy_metrics(config):
            return {"joules_per_epoch": lambda record: record.energy_j and record.energy_j / EPOCHS}
    """


@pytest.hookspec(firstresult=True)
def pytest_energy_verdict(judgement: "Judgement") -> "Judgement | None":
    """Change the verdict of a test, or return `None` to leave it.

    Asked once for each test, of its final judgement: at the end of the run, in the process that measured. Of
    a test that must fail at once (`-x`, an expected failure, a test that another plugin repeats) it is asked
    when the test ends.

    Example::

        def pytest_energy_verdict(judgement):
            if judgement.record.group == "experimental":
                return replace(judgement, verdict=Verdict.PASS, reason="experimental: " + judgement.reason)
    """
