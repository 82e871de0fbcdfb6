"""Notes at the end of a run: asked for in every process that measured, shown by the controller.

Rule 1: where no energy test came nothing is imported and nothing is asked.
Rule 2: a run that somebody stopped ends at once.
"""

import pytest

from pytest_energy.errors import EnergyError
from pytest_energy.plugin.stash import RUN


def notes_of_this_process(config: pytest.Config, exit_status: int) -> tuple[str, ...]:
    """What the meter of this process has to say of the run as a whole; takes 3 s if it has measured.

    Args:
        config: Of this process.
        exit_status: With which the run ends.
    """
    run = config.stash.get(RUN, None)
    if run is None or exit_status == pytest.ExitCode.INTERRUPTED:
        return ()
    try:
        return run.drift_notes()
    except (EnergyError, RuntimeError) as error:  # RuntimeError: a device that the work has left broken
        return (f"power without work at the end of the run could not be read: {error}",)
