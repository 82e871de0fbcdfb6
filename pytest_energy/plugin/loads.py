"""A load of requests, sent to one engine, or to two engines or policies in turns, and measured.

Rule 1: the engines of a test have one meter; where it can't be asked, the test is unmeasured with the reason.
Rule 2: processes of an engine are no strangers to the run.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Required, TypedDict

from pytest_energy.errors import NotMeasurable, SettingsError
from pytest_energy.plugin.elsewhere import unreached
from pytest_energy.plugin.measurement import Measurement
from pytest_energy.plugin.parts import Parts
from pytest_energy.plugin.place import channels_of
from pytest_energy.remote.protocol import AgentLost
from pytest_energy.sensors.estimate import is_of_cpu_time
from pytest_energy.serving.arrivals import Schedule
from pytest_energy.serving.engines.protocol import Engine, Stop
from pytest_energy.serving.load import Prompts
from pytest_energy.serving.load_result import LoadResult
from pytest_energy.serving.pairs import (
    PairResult,
    PairWork,
    Quality,
    metrics_of,
    names_of,
    pair_result,
)
from pytest_energy.serving.policies.changing_load import ChangingLoad
from pytest_energy.serving.policies.protocol import checked_policy
from pytest_energy.serving.policies.result import PolicyResult, policy_result
from pytest_energy.serving.policies.result import metrics_of as policy_metrics
from pytest_energy.serving.policies.work import PolicyWork
from pytest_energy.serving.prompts import PromptSet
from pytest_energy.serving.rounds import LoadPlan, LoadWork
from pytest_energy.serving.slo import Slo


class PairLoad(TypedDict, total=False):
    """The arguments of `energy.compare` for engines, where they are described."""

    rate: Required[float]
    output_tokens: int | Sequence[int] | None
    duration_s: float | None
    burstiness: float
    concurrency: int | None
    seed: int
    slo: Slo | None
    quality: Quality | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What is sent, and when: the arguments of `energy.requests`, where they are described."""

    prompts: Prompts | PromptSet
    schedule: Schedule
    output_tokens: int | Sequence[int] | None
    duration_s: float | None
    slo: Slo | None
    stop: Stop | None = None

    def measure(self, measurement: Measurement, engine: Engine) -> LoadResult:
        """Send it to *engine* in the rounds of *measurement*; the last load's results.

        Raises:
            EnergyError: The engine failed, this is no load, or rounds were measured already.
        """
        plan = self._plan(engine)
        unreached_because = _why_unreached(measurement, engine)
        work = self._work(plan, measurement)
        because = unreached_because or _why_unmeasured(measurement, work)
        return measurement.measure(work, unmeasured_because=because)

    def compare(
        self, measurement: Measurement, engines: Mapping[str, Engine], quality: Quality | None
    ) -> PairResult:
        """Send it to both of *engines* in turns, the first of which is the reference.

        Raises:
            EnergyError: An engine failed, this is no load, or rounds were measured already.
        """
        measurement.refuse_ranks("energy.compare")
        names, parts = names_of(engines), Parts(measurement)
        plans = [self._plan(engines[name]) for name in names]
        unreached_because = _why_unreached(measurement, *(plan.engine for plan in plans))
        first, second = (self._work(plan, measurement) for plan in plans)
        because = [unreached_because or _why_unmeasured(measurement, work) for work in (first, second)]
        work = PairWork(reference=first, candidate=second, names=names, take_round=parts.take_beside)
        measurement.measure(work, unmeasured_because=next(filter(None, because), None))
        references = parts.like_own(work.references(len(measurement.rounds)))
        result = pair_result(work, (first, second), measurement.own_rounds(), references, quality=quality)
        measurement.keep(metrics_of(result))
        return result

    def _plan(self, engine: Engine) -> LoadPlan:
        return LoadPlan(
            engine=engine,
            prompts=self.prompts,
            schedule=self.schedule,
            output_tokens=self.output_tokens,
            duration_s=self.duration_s,
            stop=self.stop,
        )

    def _work(self, plan: LoadPlan, measurement: Measurement) -> LoadWork:
        """The work of *measurement*, whose place is known now."""
        return LoadWork(
            plan=plan,
            has_warm_up=measurement.has_warm_up,
            first_index=measurement.earlier_round_count,
            slo=self.slo,
        )


def compare_policies(
    measurement: Measurement, policies: Mapping[str, object], load: ChangingLoad
) -> PolicyResult:
    """Send *load* to both of *policies* in turns, the first of which is the reference.

    Raises:
        EnergyError: A policy fails or is none, or rounds were measured already.
    """
    measurement.refuse_ranks("energy.compare")
    names, parts = names_of(policies), Parts(measurement)
    first, second = (
        PolicyWork(name=name, policy=checked_policy(name, policies[name]), load=load) for name in names
    )
    second.reference = first
    work = PairWork(reference=first, candidate=second, names=names, take_round=parts.take_beside)
    measurement.measure(work)
    references = parts.like_own(work.references(len(measurement.rounds)))
    result = policy_result(work, (first, second), measurement.own_rounds(), references)
    measurement.keep(policy_metrics(result))
    return result


def _why_unreached(measurement: Measurement, *engines: Engine) -> str | None:
    """Have the test measured by the engines' meter, if they name one; why that can't be, or `None`."""
    addresses = {engine.facts.meter for engine in engines}
    if len(addresses) > 1:
        raise SettingsError("the engines have different meters; a test is measured by one")
    address = addresses.pop()
    if address is None or measurement.is_off:
        return None
    try:
        measurement.settle_at(measurement.run.places.of(address))
    except (AgentLost, NotMeasurable) as error:
        measurement.settle_at(unreached(address, measurement.run.clock))
        return str(error)
    return None


def _why_unmeasured(measurement: Measurement, work: LoadWork) -> str | None:
    """Why nothing measures the engine of *work*, or `None`."""
    if measurement.is_off:
        return None
    run, engine = measurement.run, work.plan.engine
    if engine.facts.meter is not None and not measurement.place.is_here:
        meter = measurement.place.meter
        names = channels_of(meter)
        meter.adopt((), on=engine.facts.channels or names)
        return work.why_unmeasured(names)
    pids = engine.worker_pids()
    run.meter.adopt(pids, on=() if pids else engine.facts.channels)
    return work.why_unmeasured(run.channel_names, is_estimated=is_of_cpu_time(run.channel_names))
