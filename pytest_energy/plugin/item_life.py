"""The life of one energy test: its call is measured, judged and reported."""

from collections.abc import Generator

import pytest

from pytest_energy.plugin import benchmarks
from pytest_energy.plugin.batches import joined
from pytest_energy.plugin.fixture import Energy
from pytest_energy.plugin.mark import NAME, EnergyMark
from pytest_energy.plugin.measurement import Measurement
from pytest_energy.plugin.reports import failure_text, forget_judgement, judgement_json, keep_judgement
from pytest_energy.plugin.run import run_of
from pytest_energy.plugin.stash import (
    FIRST_BATCH,
    IS_BENCHMARK,
    IS_FAILING,
    IS_SETTLED,
    MEASUREMENT,
    REPLAY_ROUNDS,
    WAITS,
)
from pytest_energy.plugin.trials import trials_of
from pytest_energy.plugin.waiting import is_expected_to_fail, may_run_again
from pytest_energy.plugin.yardstick import yardstick_of
from pytest_energy.sensors.replay import round_to_json


def prepare(item: pytest.Item) -> None:
    """Start what measures; a benchmark has no fixture of ours that would make its measurement."""
    _ = run_of(item.config).meter  # started now, rather than with the first window
    yardstick_of(item.config).take()
    if item.stash.get(IS_BENCHMARK, False):
        measurement_of(item)


def measurement_of(item: pytest.Item) -> Measurement:
    """A fresh one for *item*, kept where its call will look for it."""
    first = item.stash.get(FIRST_BATCH, None)
    item.stash[MEASUREMENT] = Measurement(
        item.nodeid,
        EnergyMark.of(item),
        run_of(item.config),
        confirming_count=None if first is None else first.round_count,
        earlier_round_count=0 if first is None else first.record.warmup_count + len(first.record.rounds),
        confirms_later=may_run_again(item),
    )
    return item.stash[MEASUREMENT]


def energy_of(item: pytest.Item) -> Energy:
    """The value of the fixture for *item*."""
    return Energy(measurement_of(item))


def measured_call(item: pytest.Item) -> Generator[None, None, None]:
    """Measure and judge the call phase of *item*; a verdict that fails at once is like any failed check."""
    forget_judgement(item)
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


def _judge(item: pytest.Item, measurement: Measurement) -> None:
    record, run = measurement.to_record(), run_of(item.config)
    if record is None:
        return
    first = item.stash.get(FIRST_BATCH, None)
    if first is not None:
        record = joined(first.record, record)
    judgement = run.judge(record, EnergyMark.of(item))
    waits = item.stash.get(WAITS, False) and not is_expected_to_fail(item)  # a test may mark itself
    item.stash[IS_SETTLED] = is_settled = run.is_failing(judgement) and not waits
    if is_settled:
        judgement = run.after_hooks(judgement)
    keep_judgement(item, judgement, is_failing=run.is_failing(judgement))
    if run.settings.record_path is not None and record.is_measured:
        rounds = [round_to_json(one_round) for one_round in measurement.replay_rounds()]
        item.stash[REPLAY_ROUNDS] = rounds if first is None else [*first.replay_rounds, *rounds]
    if is_settled and item.stash[IS_FAILING]:
        pytest.fail(failure_text(judgement), pytrace=False)


def add_judgement(item: pytest.Item, report: pytest.TestReport) -> None:
    """Have *report*, of the call of *item*, carry the judgement, and keep that for the end of the run."""
    vars(report)["energy"] = judgement_json(item)
    trials_of(item.config).keep(item)
