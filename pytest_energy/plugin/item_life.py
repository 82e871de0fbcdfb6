"""The life of one energy test: it is measured, judged and reported.

Rule 1: each that has passed is judged, also where nothing was measured; one that failed or was skipped isn't,
unless it ran out of memory before it was measured: then it is `unmeasured`, and its outcome is its own.
Rule 2: it is judged when its body is over, so that a verdict fails it as any check would. Where its fixtures
have opened windows, or nothing was measured so far, it is judged when its fixtures are over.
"""

from collections.abc import Callable, Generator
from functools import partial
from typing import TypeVar

import pytest

from pytest_energy.errors import EnergyError, EnergyWarning
from pytest_energy.plugin import benchmarks
from pytest_energy.plugin.batches import joined
from pytest_energy.plugin.fixture import Energy
from pytest_energy.plugin.following import LATE
from pytest_energy.plugin.mark import EnergyMark, id_of, is_energy_test
from pytest_energy.plugin.measurement import Measurement
from pytest_energy.plugin.memory import why_out_of_memory
from pytest_energy.plugin.mistakes import UNUSED
from pytest_energy.plugin.reports import (
    failure_text,
    forget_judgement,
    judgement_json,
    keep_judgement,
    put_number_first,
)
from pytest_energy.plugin.run import run_of
from pytest_energy.plugin.stash import (
    AWAITS_FIXTURES,
    FIRST_BATCH,
    IS_BENCHMARK,
    IS_FAILING,
    IS_SETTLED,
    JUDGEMENT,
    MEASUREMENT,
    REPLAY_ROUNDS,
    WAITS,
)
from pytest_energy.plugin.trials import trials_of
from pytest_energy.plugin.waiting import is_expected_to_fail, may_run_again
from pytest_energy.plugin.yardstick import yardstick_of
from pytest_energy.sensors.replay import round_to_json

R = TypeVar("R")


def prepare(item: pytest.Item) -> None:
    """Start what measures; a benchmark has no fixture of ours that would make its measurement."""
    run_of(item.config).ranks.begin(item, partial(_get_ready, item))
    if item.stash.get(IS_BENCHMARK, False):
        measurement_of(item)


def _get_ready(item: pytest.Item) -> None:
    run_of(item.config).places.get_ready()  # now, rather than with the first window
    yardstick_of(item.config).take()


def measurement_of(item: pytest.Item) -> Measurement:
    """A fresh one for *item*, kept where its call will look for it."""
    first = item.stash.get(FIRST_BATCH, None)
    item.stash[MEASUREMENT] = Measurement(
        id_of(item),
        EnergyMark.of(item),
        run_of(item.config),
        confirming_count=None if first is None else first.round_count,
        earlier_round_count=0 if first is None else first.record.warmup_count + len(first.record.rounds),
        confirms_later=may_run_again(item),
    )
    return item.stash[MEASUREMENT]


def energy_of(item: pytest.Item) -> Energy:
    """The value of the fixture for *item*, which may ask for it while it runs."""
    if not is_energy_test(item):
        run = run_of(item.config)
        if run.leading is not None or run.following is not None:
            raise EnergyError(LATE)
        if not run.settings.is_off:
            run.load_baselines({id_of(item): EnergyMark.of(item)})
    return Energy(item.stash.get(MEASUREMENT, None) or measurement_of(item))


def forget(item: pytest.Item) -> None:
    """Have nothing left of an earlier run of *item*."""
    del item.stash[MEASUREMENT]
    item.stash[AWAITS_FIXTURES] = item.stash[IS_SETTLED] = False
    forget_judgement(item)


def measured_call(item: pytest.Item) -> Generator[None, None, None]:
    """Measure and judge the call phase of *item*; a verdict that fails at once is like any failed check."""
    fixtures_measure = False
    try:
        if MEASUREMENT in item.stash:  # of the fixture, or of a benchmark
            fixtures_measure = item.stash[MEASUREMENT].has_windows
            result = yield
        else:
            with measurement_of(item).whole_call():
                result = yield
    except (RuntimeError, MemoryError, pytest.skip.Exception) as error:
        _judge_without_memory(item, error)
        raise
    judge_call(item, fixtures_measure=fixtures_measure)
    return result


def judge_call(item: pytest.Item, *, fixtures_measure: bool = False) -> None:
    """Judge *item*, whose body is over, or leave that to the end of its fixtures."""
    measurement = item.stash[MEASUREMENT]
    if measurement.is_off or getattr(item, "_excinfo", None):  # where a `TestCase` keeps that it went wrong
        return
    if item.stash.get(IS_BENCHMARK, False):
        _or_fail(partial(benchmarks.finish, item, measurement))
    if fixtures_measure or not measurement.is_complete:
        item.stash[AWAITS_FIXTURES] = True
        return
    measurement.end()
    _judge(item, measurement)


def _judge_without_memory(item: pytest.Item, error: BaseException) -> None:
    """Judge *item*, whose body has ended with *error*, if memory was too small for it to be measured."""
    measurement, because = item.stash[MEASUREMENT], why_out_of_memory(error)
    if because is None or measurement.is_off or measurement.rounds or FIRST_BATCH in item.stash:
        return
    measurement.end()
    measurement.give_up(because)
    run = run_of(item.config)
    judgement = run.judge(_or_fail(measurement.to_record), EnergyMark.of(item))
    keep_judgement(item, run.after_hooks(judgement), is_failing=False)
    item.stash[IS_SETTLED] = True


def judge_after_fixtures(item: pytest.Item) -> None:
    """Judge *item*, whose fixtures are over, unless that was done when its body was."""
    if item.stash.get(AWAITS_FIXTURES, False):
        _judge(item, item.stash[MEASUREMENT])


def _or_fail(work: Callable[[], R]) -> R:
    """What *work* returns; an error of ours fails the test in its own words, without a traceback of hooks."""
    try:
        return work()
    except EnergyError as error:
        because = str(error)
    pytest.fail(because, pytrace=False)  # here, so that pytest shows no error that led to it


def _judge(item: pytest.Item, measurement: Measurement) -> None:
    record, run = _or_fail(measurement.to_record), run_of(item.config)
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
    is_unused = measurement.is_unused and not item.stash.get(IS_BENCHMARK, False)
    if is_unused and not judgement.is_unchecked:  # a limit that nothing checks is warned of at the end
        item.warn(EnergyWarning(f"nothing was measured: {UNUSED}"))
    if is_settled and item.stash[IS_FAILING]:
        pytest.fail(failure_text(item), pytrace=False)


def add_judgement(item: pytest.Item, report: pytest.TestReport) -> None:
    """Have *report* of *item* carry the judgement, if it is the one, and keep that for the end of the run."""
    awaits_fixtures = item.stash.get(AWAITS_FIXTURES, False)
    if report.failed and JUDGEMENT in item.stash:
        put_number_first(item, report)
    if report.when == "call":
        is_right = report.passed or hasattr(report, "wasxfail") or item.stash.get(IS_SETTLED, False)
        if not is_right:  # somebody else says that it has failed, or was skipped
            item.stash[AWAITS_FIXTURES] = False
            forget_judgement(item)
        vars(report)["energy_awaited"] = is_right and awaits_fixtures
    if report.when == ("teardown" if awaits_fixtures else "call") and JUDGEMENT in item.stash:
        vars(report)["energy"] = judgement_json(item)
        trials_of(item.config).keep(item)
