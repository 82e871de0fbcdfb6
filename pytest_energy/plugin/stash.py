"""Every key under which the plugin keeps something on pytest's config and items.

Rule 1: imported in every run of pytest, so it imports nothing that a run without energy tests doesn't.
"""

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pytest_energy.codec import JsonDict
    from pytest_energy.judgement import Judgement
    from pytest_energy.plugin.batches import FirstBatch
    from pytest_energy.plugin.measurement import Measurement
    from pytest_energy.plugin.progress import Progress
    from pytest_energy.plugin.run import EnergyRun
    from pytest_energy.plugin.trials import Trials
    from pytest_energy.plugin.yardstick import RunYardstick

# On the config: the run's.
RUN: "pytest.StashKey[EnergyRun]" = pytest.StashKey()
TRIALS: "pytest.StashKey[Trials]" = pytest.StashKey()
REFUSAL = pytest.StashKey[str]()
"""Why a worker's tests must fail: what would have stopped the run at collection."""
PROGRESS: "pytest.StashKey[Progress]" = pytest.StashKey()
YARDSTICK: "pytest.StashKey[RunYardstick]" = pytest.StashKey()

# On an item: the test's.
MEASUREMENT: "pytest.StashKey[Measurement]" = pytest.StashKey()
AWAITS_FIXTURES = pytest.StashKey[bool]()
"""Its call has passed, and is judged when its fixtures are over: they may measure as well."""
IS_BENCHMARK = pytest.StashKey[bool]()
"""Set on a test whose benchmark is measured: see `benchmarks`."""
IS_REPEATED = pytest.StashKey[bool]()
"""The function that a benchmark calls was called again, in rounds."""
JUDGEMENT: "pytest.StashKey[Judgement]" = pytest.StashKey()
IS_FAILING = pytest.StashKey[bool]()
IS_SETTLED = pytest.StashKey[bool]()
"""The judgement has failed the test at once: no later one takes its place."""
WAITS = pytest.StashKey[bool]()
"""A verdict that would fail the test is told at the end of the run: see `waiting`."""
FIRST_BATCH: "pytest.StashKey[FirstBatch]" = pytest.StashKey()
"""Set while the test runs once more."""
REPORTS = pytest.StashKey[list[pytest.TestReport]]()
"""Those that were made of the test while it runs."""
REPLAY_ROUNDS: "pytest.StashKey[list[JsonDict]]" = pytest.StashKey()
