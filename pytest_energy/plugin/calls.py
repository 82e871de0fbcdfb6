"""What the hooks do: start a run, check its tests, measure a call, judge it, report it."""

from collections.abc import Generator, Sequence

import pytest

from pytest_energy.errors import EnergyError
from pytest_energy.model import Judgement
from pytest_energy.plugin.fixture import ENERGY, Energy
from pytest_energy.plugin.mark import NAME, EnergyMark, is_energy_test
from pytest_energy.plugin.session import SESSION, EnergySession
from pytest_energy.plugin.settings import Settings
from pytest_energy.plugin.xdist import is_worker

JUDGEMENT = pytest.StashKey[Judgement]()


def configure(config: pytest.Config) -> None:
    """Understand the options; where this process shows and writes, be ready to."""
    try:
        settings = Settings.from_pytest_config(config)
        session = EnergySession(config, settings)
        session.check_sources()
        if not is_worker(config):
            from pytest_energy.plugin.summary import SummaryPlugin

            config.pluginmanager.register(SummaryPlugin(settings), "energy-summary")
    except EnergyError as error:
        raise pytest.UsageError(str(error)) from error
    config.stash[SESSION] = session


def unconfigure(config: pytest.Config) -> None:
    session = config.stash.get(SESSION, None)
    if session is not None:
        session.close()


def check_items(config: pytest.Config, items: Sequence[pytest.Item]) -> None:
    """Check every marker and read every baseline that will be needed, before any work is done."""
    session = config.stash[SESSION]
    energy_items = [item for item in items if is_energy_test(item)]
    try:
        for item in energy_items:
            EnergyMark.of(item)
        if not (session.settings.is_off or config.getoption("collectonly")):
            session.load_baselines(item.nodeid for item in energy_items)
    except EnergyError as error:
        raise pytest.UsageError(str(error)) from error


def measured_call(item: pytest.Item) -> Generator[None, None, None]:
    """Measure and judge the call phase of *item*; a failing verdict fails it like any failed check."""
    session = item.config.stash[SESSION]
    if session.settings.is_off or not is_energy_test(item):
        return (yield)
    if JUDGEMENT in item.stash:  # of an earlier run of the same test
        del item.stash[JUDGEMENT]
    if NAME in getattr(item, "fixturenames", ()):
        energy = item.stash[ENERGY]
        result = yield
    else:
        energy = Energy(item.nodeid, EnergyMark.of(item), session)
        with energy.window("call"):
            result = yield
    _judge(item, energy, session)
    return result


def _judge(item: pytest.Item, energy: Energy, session: EnergySession) -> None:
    record = energy.to_record()
    if record is None:
        return
    judgement = session.judge(record, EnergyMark.of(item))
    item.stash[JUDGEMENT] = judgement
    item.user_properties.append(("energy_verdict", judgement.verdict.value))
    if judgement.summary is not None:
        item.user_properties.append(("energy_j", judgement.summary.energy_j))
    if judgement.comparison is not None:
        item.user_properties.append(("energy_ratio", judgement.comparison.ratio))
    if session.is_failing(judgement):
        pytest.fail(f"energy {judgement.verdict}: {judgement.reason}", pytrace=False)


def with_energy(item: pytest.Item, report: pytest.TestReport) -> pytest.TestReport:
    """*report* of the call phase with the judgement as a plain dict, fit for any transport."""
    if report.when == "call" and JUDGEMENT in item.stash:
        vars(report)["energy"] = item.stash[JUDGEMENT].to_json()
    return report
