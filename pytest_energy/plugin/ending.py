"""What only the end of a run tells, asked in each process that measured and told where nobody is above.

Rule 1: where no energy test came nothing is imported and nothing is asked.
Rule 2: a run that somebody stopped ends at once.
"""

import sys
from typing import TYPE_CHECKING

import pytest

from pytest_energy.errors import EnergyError

if TYPE_CHECKING:
    from pytest_energy.plugin.session import EnergySession

WORKER_NOTES = "energy_run_notes"
"""The name under which a worker's notes travel to the controller."""


def _session_in_use(config: pytest.Config) -> "EnergySession | None":
    """The run's own, if an energy test has asked for it."""
    if "pytest_energy.plugin.session" not in sys.modules:
        return None
    from pytest_energy.plugin.session import SESSION

    return config.stash.get(SESSION, None)


def notes_of_this_process(config: pytest.Config, exit_status: int) -> tuple[str, ...]:
    """What the meter of this process has to say of the run as a whole; takes 3 s if it has measured.

    Args:
        config: Of this process.
        exit_status: With which the run ends.
    """
    session = _session_in_use(config)
    if session is None or exit_status == pytest.ExitCode.INTERRUPTED:
        return ()
    try:
        return session.drift_notes()
    except (EnergyError, RuntimeError) as error:  # RuntimeError: a device that the work has left broken
        return (f"power without work at the end of the run could not be read: {error}",)


class Messenger:
    """Registered in a worker: tells the controller what this process found at its end."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config

    def pytest_sessionfinish(self, exitstatus: int) -> None:
        notes = notes_of_this_process(self._config, exitstatus)
        if notes:
            vars(self._config)["workeroutput"][WORKER_NOTES] = list(notes)
