"""What the hooks do: start a run, check its tests, measure a call, judge it, report it."""

import sys
from collections.abc import Generator, Sequence
from typing import TYPE_CHECKING

import pytest

from pytest_energy.errors import EnergyError
from pytest_energy.plugin.collector import Collector
from pytest_energy.plugin.mark import IS_BENCHMARK, NAME, EnergyMark, is_energy_test
from pytest_energy.plugin.options import is_said
from pytest_energy.plugin.xdist import is_worker

if TYPE_CHECKING:
    from pytest_energy.model import Judgement
    from pytest_energy.plugin.fixture import Energy
    from pytest_energy.wire import JsonDict

JUDGEMENT: "pytest.StashKey[Judgement]" = pytest.StashKey()
REFUSAL = pytest.StashKey[str]()
REPLAY_ROUNDS: "pytest.StashKey[list[JsonDict]]" = pytest.StashKey()
IS_FAILING = pytest.StashKey[bool]()

_PROPERTIES = frozenset({"energy_verdict", "energy_j", "energy_ratio"})


def configure(config: pytest.Config) -> None:
    """Understand what was said of energy, if anything; where nobody is above, be ready to show and write."""
    if is_said(config):
        from pytest_energy.plugin.session import session_of

        try:
            session = session_of(config)
            session.check_settings()
            if session.settings.measures_benchmarks:
                from pytest_energy.plugin.benchmarks import measure_benchmarks

                measure_benchmarks(config, is_off=session.settings.is_off)
        except EnergyError as error:
            raise pytest.UsageError(str(error)) from error
    if is_worker(config):
        from pytest_energy.plugin.ending import Messenger

        config.pluginmanager.register(Messenger(config), "energy-messenger")
    else:
        config.pluginmanager.register(Collector(config), "energy-collector")


def unconfigure(config: pytest.Config) -> None:
    if "pytest_energy.plugin.session" in sys.modules:  # else no energy test has come
        from pytest_energy.plugin.session import SESSION

        session = config.stash.get(SESSION, None)
        if session is not None:
            session.close()


def check_items(config: pytest.Config, items: Sequence[pytest.Item]) -> None:
    """Check every marker and read every baseline that will be needed, before any work is done."""
    energy_items = [item for item in items if is_energy_test(item)]
    if not energy_items:
        return
    from pytest_energy.plugin.session import session_of

    try:
        for item in energy_items:
            EnergyMark.of(item)
        session = session_of(config)
        if not (session.settings.is_off or config.getoption("collectonly")):
            session.load_baselines(item.nodeid for item in energy_items)
    except EnergyError as error:
        if not is_worker(config):
            raise pytest.UsageError(str(error)) from error
        config.stash[REFUSAL] = str(error)  # a worker that stops here is taken for one that has crashed


def _is_measured(item: pytest.Item) -> bool:
    if not is_energy_test(item):
        return False
    from pytest_energy.plugin.settings import settings_of

    return not settings_of(item.config).is_off


def prepare(item: pytest.Item) -> None:
    """Before the fixtures of an energy test: idle power is read while nothing has touched the device yet.

    Where the run should have stopped at collection, the test fails here instead.
    """
    if not _is_measured(item):
        return
    refusal = item.config.stash.get(REFUSAL, None)
    if refusal is not None:
        pytest.fail(refusal, pytrace=False)
    from pytest_energy.plugin.session import session_of

    session_of(item.config).start()
    if item.stash.get(IS_BENCHMARK, False):
        from pytest_energy.plugin.fixture import energy_of

        energy_of(item)


def measured_call(item: pytest.Item) -> Generator[None, None, None]:
    """Measure and judge the call phase of *item*; a failing verdict fails it like any failed check."""
    if not _is_measured(item):
        return (yield)
    from pytest_energy.plugin.fixture import ENERGY, energy_of

    _forget_earlier_run(item)
    if NAME in getattr(item, "fixturenames", ()):
        energy = item.stash[ENERGY]
        result = yield
    elif item.stash.get(IS_BENCHMARK, False):
        from pytest_energy.plugin.benchmarks import finish

        energy = item.stash[ENERGY]
        result = yield
        finish(item, energy)
    else:
        energy = energy_of(item)
        with energy.window("call"):
            result = yield
    _judge(item, energy)
    return result


def _forget_earlier_run(item: pytest.Item) -> None:
    """Plugins that repeat a failed test do so with the same item."""
    if JUDGEMENT in item.stash:
        del item.stash[JUDGEMENT]
        item.stash[REPLAY_ROUNDS] = []
        item.user_properties[:] = [said for said in item.user_properties if said[0] not in _PROPERTIES]


def _judge(item: pytest.Item, energy: "Energy") -> None:
    from pytest_energy.plugin.session import session_of

    record, session = energy.to_record(), session_of(item.config)
    if record is None:
        return
    judgement = session.judge(record, EnergyMark.of(item))
    item.stash[JUDGEMENT], item.stash[IS_FAILING] = judgement, session.is_failing(judgement)
    if session.settings.record_path is not None and record.is_measured:
        item.stash[REPLAY_ROUNDS] = [one_round.to_json() for one_round in energy.replay_rounds()]
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
        more = {"replay_rounds": item.stash.get(REPLAY_ROUNDS, []), "is_failing": item.stash[IS_FAILING]}
        vars(report)["energy"] = item.stash[JUDGEMENT].to_json() | more
    return report
