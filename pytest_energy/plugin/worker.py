"""A worker's side of a run in several processes, such as those of pytest-xdist.

Rule 1: workers measure and judge; only the controller (or the only process) writes and shows.
"""

import pytest

from pytest_energy.plugin.run_notes import notes_of_this_process

WORKER_NOTES = "energy_run_notes"
"""The name under which a worker's notes travel to the controller."""


def is_worker(config: pytest.Config) -> bool:
    """Whether this process is one of several that a controller started."""
    return hasattr(config, "workerinput")


class Worker:
    """Registered in a worker: sends its notes to the controller."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config

    def pytest_sessionfinish(self, exitstatus: int) -> None:
        notes = notes_of_this_process(self._config, exitstatus)
        if notes:
            vars(self._config)["workeroutput"][WORKER_NOTES] = list(notes)
