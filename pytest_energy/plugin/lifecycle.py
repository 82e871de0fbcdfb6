"""The functions behind the hooks: the door between pytest and the modules that measure and judge.

Rule 1: nothing of it is imported before an option is set or an energy test has come; behind the door imports
are ordinary ones.
"""

import os
from collections.abc import Generator, Sequence
from typing import TYPE_CHECKING

import pytest

from pytest_energy.errors import EnergyDeprecationWarning, EnergyError, EnergyWarning
from pytest_energy.lazy_module import LazyModule, put_back
from pytest_energy.plugin.mark import EnergyMark, id_of, is_energy_test, warn_of_former_names
from pytest_energy.plugin.options import former_names, is_any_set, misspelt_ini
from pytest_energy.plugin.processes import Controller, Worker, is_worker
from pytest_energy.plugin.stash import FIRST_BATCH, MEASUREMENT, REFUSAL, REPORTS, RUN, TRIALS, WAITS

if TYPE_CHECKING:
    from pytest_energy.plugin import imports
    from pytest_energy.plugin.fixture import Energy
    from pytest_energy.plugin.run import EnergyRun
else:
    imports = LazyModule("pytest_energy.plugin.imports")


def configure(config: pytest.Config) -> None:
    """Check the energy options, if any is set; register what shows and writes, or what reports to it."""
    if misspelt := [*misspelt_ini(config)]:
        raise pytest.UsageError("\n".join(misspelt))
    if is_any_set(config):
        try:
            _check_options(config)
            _warn_of_former_names(config)
        except (EnergyError, EnergyWarning) as error:
            raise pytest.UsageError(str(error)) from error
    if is_worker(config):
        config.pluginmanager.register(Worker(config), "energy-worker")
    elif _is_follower(config):
        config.pluginmanager.register(imports.following.Following(config), "energy-follower")
    else:
        config.pluginmanager.register(Controller(config), "energy-controller")


def _is_follower(config: pytest.Config) -> bool:
    """Whether torchrun has started this process, and not as the first of its ranks."""
    is_rank = "TORCHELASTIC_RUN_ID" in os.environ and "PYTEST_ENERGY_RANK_JOINED" not in os.environ
    is_alone = config.getoption("dist", "no") == "no"  # no workers of xdist, which measure by themselves
    return is_rank and is_alone and os.environ.get("RANK", "0") != "0"


def _check_options(config: pytest.Config) -> None:
    run = _run(config)
    run.check_settings()
    if run.settings.measures_benchmarks:
        imports.benchmarks.measure_benchmarks(config, is_off=run.settings.is_off)


def _warn_of_former_names(config: pytest.Config) -> None:
    """Once in a run, and not in each worker."""
    if not is_worker(config):
        for text in former_names(config):
            config.issue_config_time_warning(EnergyDeprecationWarning(text), stacklevel=2)


def _run(config: pytest.Config) -> "EnergyRun":
    """The run's own; from here on what measures and judges is imported."""
    return imports.run.run_of(config)


def unconfigure(config: pytest.Config) -> None:
    run = config.stash.get(RUN, None)
    if run is not None:
        run.close()


def check_items(config: pytest.Config, items: Sequence[pytest.Item]) -> None:
    """Check every marker and read every baseline that will be needed, before any work is done."""
    energy_items = [item for item in items if is_energy_test(item)]
    if not energy_items:
        return
    try:
        marks = {id_of(item): EnergyMark.of(item) for item in energy_items}
        for item in energy_items:
            warn_of_former_names(item)
        run = _run(config)
        if not (run.settings.is_off or config.getoption("collectonly")):
            imports.termination.write_before_sigterm(config)
            if not is_worker(config):
                imports.ranks.join(config, run, energy_items)
            imports.progress.progress_of(config).expect(marks)
            if run.following is None:
                run.load_baselines(marks)
    except (EnergyError, EnergyWarning, OSError) as error:  # OSError: the machine's facts can't be read
        if not is_worker(config):
            raise pytest.UsageError(str(error)) from error
        config.stash[REFUSAL] = str(error)  # a worker that stops here is taken for one that has crashed


def _is_measured(item: pytest.Item) -> bool:
    return is_energy_test(item) and not _run(item.config).settings.is_off


def run_item(item: pytest.Item, nextitem: pytest.Item | None) -> bool | None:
    """Run *item* here if its verdict may wait for the end of the run; `None` leaves it to others."""
    if RUN in item.config.stash:
        put_back()  # a test before it may have asked for the fixture by name, inside its own patches
    if _is_measured(item):
        item.stash[WAITS] = FIRST_BATCH in item.stash or imports.waiting.may_wait(item)
        if item.stash[WAITS]:
            imports.trials.trials_of(item.config).run(item, nextitem)
            return True
    trials = item.config.stash.get(TRIALS, None)
    return None if trials is None or nextitem is not None else trials.run_last(item)


def prepare(item: pytest.Item) -> None:
    """Before the fixtures of a test: idle power is read while nothing has touched the device yet.

    Where the run should have stopped at collection, an energy test fails here instead.
    """
    if MEASUREMENT in item.stash:  # a plugin that repeats a test does so with the same item
        imports.item_life.forget(item)
    if not _is_measured(item):
        return
    refusal = item.config.stash.get(REFUSAL, None)
    if refusal is not None:
        pytest.fail(refusal, pytrace=False)
    imports.item_life.prepare(item)


def energy_of(item: pytest.Item) -> "Energy":
    """The value of the fixture for *item*."""
    return imports.item_life.energy_of(item)


def measured_call(item: pytest.Item) -> Generator[None, None, None]:
    """Measure and judge the call phase of an energy test, also of one that asks for the fixture in it."""
    if MEASUREMENT in item.stash or _is_measured(item):
        return (yield from imports.item_life.measured_call(item))
    result = yield
    if MEASUREMENT in item.stash:
        imports.item_life.judge_call(item)
    return result


def measured_teardown(item: pytest.Item) -> Generator[None, None, None]:
    """End what *item* measures, and what runs for it; judge it if its fixtures had a part in that."""
    try:
        result = yield
    finally:
        if MEASUREMENT in item.stash:
            item.stash[MEASUREMENT].end()
        if RUN in item.config.stash:
            item.config.stash[RUN].rest()
    if MEASUREMENT in item.stash:
        imports.item_life.judge_after_fixtures(item)
    return result


def with_energy(item: pytest.Item, report: pytest.TestReport) -> pytest.TestReport:
    """*report* of an energy test with its judgement, or with the word that it was skipped."""
    if REPORTS in item.stash:
        item.stash[REPORTS].append(report)
    if MEASUREMENT in item.stash:
        imports.item_life.add_judgement(item, report)
    is_skipped = report.skipped and not (hasattr(report, "wasxfail") or hasattr(report, "energy"))
    if is_skipped and (_is_measured(item) or MEASUREMENT in item.stash):
        vars(report)["energy_skipped"] = True
    return report
