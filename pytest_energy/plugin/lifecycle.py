"""What the hooks do: start a run, check its tests, measure a call, judge it, report it."""

from collections.abc import Generator, Sequence
from typing import TYPE_CHECKING

import pytest

from pytest_energy.errors import EnergyError
from pytest_energy.plugin.controller import Controller
from pytest_energy.plugin.mark import NAME, EnergyMark, is_energy_test
from pytest_energy.plugin.options import is_any_set
from pytest_energy.plugin.stash import (
    IS_BENCHMARK,
    IS_FAILING,
    JUDGEMENT,
    MEASUREMENT,
    REFUSAL,
    REPLAY_ROUNDS,
    RUN,
)
from pytest_energy.plugin.worker import Worker, is_worker

if TYPE_CHECKING:
    from pytest_energy.model import Judgement
    from pytest_energy.plugin.fixture import Energy
    from pytest_energy.plugin.measurement import Measurement
    from pytest_energy.plugin.run import EnergyRun

_PROPERTIES = frozenset({"energy_verdict", "energy_j", "energy_ratio"})


def configure(config: pytest.Config) -> None:
    """Check the energy options, if any is set; register what shows and writes, or what reports to it."""
    if is_any_set(config):
        try:
            _check_options(config)
        except EnergyError as error:
            raise pytest.UsageError(str(error)) from error
    if is_worker(config):
        config.pluginmanager.register(Worker(config), "energy-worker")
    else:
        config.pluginmanager.register(Controller(config), "energy-controller")


def _check_options(config: pytest.Config) -> None:
    run = _run(config)
    run.check_settings()
    if run.settings.measures_benchmarks:
        from pytest_energy.plugin.benchmarks import measure_benchmarks

        measure_benchmarks(config, is_off=run.settings.is_off)


def _run(config: pytest.Config) -> "EnergyRun":
    """The run's own; from here on what measures and judges is imported."""
    from pytest_energy.plugin.run import run_of

    return run_of(config)


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
        for item in energy_items:
            EnergyMark.of(item)
        run = _run(config)
        if not (run.settings.is_off or config.getoption("collectonly")):
            run.load_baselines(item.nodeid for item in energy_items)
    except EnergyError as error:
        if not is_worker(config):
            raise pytest.UsageError(str(error)) from error
        config.stash[REFUSAL] = str(error)  # a worker that stops here is taken for one that has crashed


def _is_measured(item: pytest.Item) -> bool:
    return is_energy_test(item) and not _run(item.config).settings.is_off


def prepare(item: pytest.Item) -> None:
    """Before the fixtures of an energy test: idle power is read while nothing has touched the device yet.

    Where the run should have stopped at collection, the test fails here instead.
    """
    if not _is_measured(item):
        return
    refusal = item.config.stash.get(REFUSAL, None)
    if refusal is not None:
        pytest.fail(refusal, pytrace=False)
    _run(item.config).start()
    if item.stash.get(IS_BENCHMARK, False):
        measurement_of(item)


def measurement_of(item: pytest.Item) -> "Measurement":
    """A fresh one for *item*, kept where its call will look for it."""
    from pytest_energy.plugin.measurement import Measurement

    item.stash[MEASUREMENT] = Measurement(item.nodeid, EnergyMark.of(item), _run(item.config))
    return item.stash[MEASUREMENT]


def energy_of(item: pytest.Item) -> "Energy":
    """The value of the fixture for *item*."""
    from pytest_energy.plugin.fixture import Energy

    return Energy(measurement_of(item))


def measured_call(item: pytest.Item) -> Generator[None, None, None]:
    """Measure and judge the call phase of *item*; a failing verdict fails it like any failed check."""
    if not _is_measured(item):
        return (yield)
    _forget_earlier_run(item)
    if NAME in getattr(item, "fixturenames", ()):
        measurement = item.stash[MEASUREMENT]
        result = yield
    elif item.stash.get(IS_BENCHMARK, False):
        from pytest_energy.plugin.benchmarks import finish

        measurement = item.stash[MEASUREMENT]
        result = yield
        finish(item, measurement)
    else:
        measurement = measurement_of(item)
        with measurement.window("call", samples=None):
            result = yield
    _judge(item, measurement)
    return result


def _forget_earlier_run(item: pytest.Item) -> None:
    """Plugins that repeat a failed test do so with the same item."""
    if JUDGEMENT in item.stash:
        del item.stash[JUDGEMENT]
        item.stash[REPLAY_ROUNDS] = []
        item.user_properties[:] = [pair for pair in item.user_properties if pair[0] not in _PROPERTIES]


def _judge(item: pytest.Item, measurement: "Measurement") -> None:
    record, run = measurement.to_record(), _run(item.config)
    if record is None:
        return
    judgement = run.judge(record, EnergyMark.of(item))
    item.stash[JUDGEMENT], item.stash[IS_FAILING] = judgement, run.is_failing(judgement)
    if run.settings.record_path is not None and record.is_measured:
        from pytest_energy.sensors.replay import round_to_json

        item.stash[REPLAY_ROUNDS] = [round_to_json(one_round) for one_round in measurement.replay_rounds()]
    _set_properties(item, judgement)
    if item.stash[IS_FAILING]:
        pytest.fail(f"energy {judgement.verdict}: {judgement.reason}", pytrace=False)


def _set_properties(item: pytest.Item, judgement: "Judgement") -> None:
    """Verdict and figures for JUnit XML and `--report-log`; what is absent is left out."""
    item.user_properties.append(("energy_verdict", judgement.verdict.value))
    if judgement.summary is not None:
        item.user_properties.append(("energy_j", judgement.summary.energy_j))
    if judgement.comparison is not None:
        item.user_properties.append(("energy_ratio", judgement.comparison.ratio))


def with_energy(item: pytest.Item, report: pytest.TestReport) -> pytest.TestReport:
    """*report* of the call phase with the judgement as a plain dict, fit for any transport."""
    if report.when == "call" and JUDGEMENT in item.stash:
        from pytest_energy.conversion import judgement_to_json

        more = {"replay_rounds": item.stash.get(REPLAY_ROUNDS, []), "is_failing": item.stash[IS_FAILING]}
        vars(report)["energy"] = judgement_to_json(item.stash[JUDGEMENT]) | more
    return report
