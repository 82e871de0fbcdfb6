"""The life of one energy test: its call is measured, judged and reported."""

from collections.abc import Generator

import pytest

from pytest_energy.codec import JsonDict
from pytest_energy.conversion import judgement_to_json
from pytest_energy.judgement import Judgement
from pytest_energy.plugin import benchmarks
from pytest_energy.plugin.fixture import Energy
from pytest_energy.plugin.mark import NAME, EnergyMark
from pytest_energy.plugin.measurement import Measurement
from pytest_energy.plugin.run import run_of
from pytest_energy.plugin.stash import IS_BENCHMARK, IS_FAILING, JUDGEMENT, MEASUREMENT, REPLAY_ROUNDS
from pytest_energy.sensors.replay import round_to_json

_PROPERTIES = frozenset({"energy_verdict", "energy_j", "energy_ratio"})


def prepare(item: pytest.Item) -> None:
    """Start what measures; a benchmark has no fixture of ours that would make its measurement."""
    _ = run_of(item.config).meter  # started now, rather than with the first window
    if item.stash.get(IS_BENCHMARK, False):
        measurement_of(item)


def measurement_of(item: pytest.Item) -> Measurement:
    """A fresh one for *item*, kept where its call will look for it."""
    item.stash[MEASUREMENT] = Measurement(item.nodeid, EnergyMark.of(item), run_of(item.config))
    return item.stash[MEASUREMENT]


def energy_of(item: pytest.Item) -> Energy:
    """The value of the fixture for *item*."""
    return Energy(measurement_of(item))


def measured_call(item: pytest.Item) -> Generator[None, None, None]:
    """Measure and judge the call phase of *item*; a failing verdict fails it like any failed check."""
    _forget_earlier_run(item)
    is_benchmark = item.stash.get(IS_BENCHMARK, False)
    if is_benchmark or NAME in getattr(item, "fixturenames", ()):
        measurement = item.stash[MEASUREMENT]
        result = yield
        if is_benchmark:
            benchmarks.finish(item, measurement)
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


def _judge(item: pytest.Item, measurement: Measurement) -> None:
    record, run = measurement.to_record(), run_of(item.config)
    if record is None:
        return
    judgement = run.judge(record, EnergyMark.of(item))
    item.stash[JUDGEMENT], item.stash[IS_FAILING] = judgement, run.is_failing(judgement)
    if run.settings.record_path is not None and record.is_measured:
        item.stash[REPLAY_ROUNDS] = [round_to_json(one_round) for one_round in measurement.replay_rounds()]
    _set_properties(item, judgement)
    if item.stash[IS_FAILING]:
        pytest.fail(f"energy {judgement.verdict}: {judgement.reason}", pytrace=False)


def _set_properties(item: pytest.Item, judgement: Judgement) -> None:
    """Verdict and figures for JUnit XML and `--report-log`; what is absent is left out."""
    item.user_properties.append(("energy_verdict", judgement.verdict.value))
    if judgement.summary is not None:
        item.user_properties.append(("energy_j", judgement.summary.energy_j))
    if judgement.comparison is not None:
        item.user_properties.append(("energy_ratio", judgement.comparison.ratio))


def judgement_json(item: pytest.Item) -> JsonDict:
    """The judgement of *item* as a plain dict, fit for any transport, with what only its run needs."""
    more = {"replay_rounds": item.stash.get(REPLAY_ROUNDS, []), "is_failing": item.stash[IS_FAILING]}
    return judgement_to_json(item.stash[JUDGEMENT]) | more
