"""Rounds of equal loads at fixed rates: how much they vary as measured, and at equal steps.

    python -m benchmarks.llm.fixed_rate OUT.json [--size 8B] [--limit 300]
    python -m benchmarks.llm.fixed_rate OUT.json --again   # the table once more, from OUT.json

At a fixed rate the seconds of a request are given by the rate. Those that a round is scaled to depend on how
many answers its counted part holds, which is chance: they cost the power at rest.
Costs are fitted to the spans within the loads. Rounds are stated at equal amounts by the function that the
gate compares by: at equal steps alone, or at equal amounts of all that the fit knows (prompt tokens, steps,
decoded tokens, tokens of context, and seconds). To be sure that no round adjusts itself, the last column has
for each round costs fitted to the spans of the other rounds alone.
"""

import json
import time
from argparse import Namespace
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from statistics import fmean, geometric_mean, stdev
from typing import Any

from benchmarks.llm.metering import (
    SEED,
    facts_of,
    keep,
    observed_json,
    observed_of,
    opened,
    parser,
    say,
    steps_json,
)
from benchmarks.llm.prompts import fresh_prompts
from pytest_energy.errors import Absent, EnergyError, NotMeasurable
from pytest_energy.meter.live import LiveMeter
from pytest_energy.model import Machine, Provenance, Reading, Record, StepCost
from pytest_energy.serving.arrivals import Schedule
from pytest_energy.serving.engines.vllm_engine import VllmEngine
from pytest_energy.serving.phase_fit import phase_fit, with_amounts
from pytest_energy.serving.phase_spans import Observed, observed
from pytest_energy.serving.rounds import LoadPlan, LoadWork
from pytest_energy.stats.cost_fit import Estimate, fit_costs
from pytest_energy.verdict.equal_steps import TOKENS_PER_TURN, amount_level, at_amounts, equal_steps

RATES: Mapping[str, tuple[float, ...]] = {"8B": (16, 64, 4, 1), "1B": (16, 64, 4, 128, 1)}
TRIAL_RATES = (4.0, 8.0)
PROMPT_TOKENS = OUTPUT_TOKENS = 128
ROUND_COUNT = 5
WANTED_CV = 0.01
FAR = 0.02  # of a ratio of unchanged work: twice the CV that is wanted
_KINDS = ("as measured", "steps", "steps and waits", "amounts", "amounts, others' costs")


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """What measures what, where it is written, and until when."""

    options: Namespace
    meter: LiveMeter
    engine: VllmEngine
    document: dict[str, Any]
    until_s: float


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, or show what was measured."""
    parse = parser(__doc__ or "", seconds=10.0, limit_s=300.0)
    parse.add_argument("--again", action="store_true", help="show the table of OUT, measure nothing")
    parse.add_argument("--rounds", type=int, default=ROUND_COUNT, help="measured at each rate")
    options = parse.parse_args(arguments)
    if options.again:
        show(json.loads(options.out.read_text(encoding="utf-8")))
        return
    with opened(options, length=PROMPT_TOKENS + OUTPUT_TOKENS, prefix_cache=True) as (meter, engine):
        document = facts_of(options, engine) | {"rows": []}
        until_s = time.monotonic() + options.limit
        bench = Bench(options=options, meter=meter, engine=engine, document=document, until_s=until_s)
        for rate in TRIAL_RATES if options.cpu else RATES.get(options.size, TRIAL_RATES):
            if not _row(bench, rate):
                break
    show(document)


def _row(bench: Bench, rate: float) -> bool:
    """Rounds at one rate, as far as time allows; whether there is time for more."""
    options, document = bench.options, bench.document
    count = max(1, round(rate * options.scale * options.seconds))
    plan = LoadPlan(
        engine=bench.engine,
        prompts=lambda index: fresh_prompts(
            count, length=PROMPT_TOKENS, seed=f"{SEED}/{rate:g}", round_index=index
        ),
        schedule=Schedule(rate=rate * options.scale, seed=SEED),
        output_tokens=OUTPUT_TOKENS,
    )
    work = LoadWork(plan=plan, has_warm_up=True)
    row: dict[str, Any] = {"rate": rate, "rounds": []}
    document["rows"].append(row)
    for index in range(options.rounds + 1):
        if time.monotonic() + options.seconds > bench.until_s:
            say(f"{rate:g}/s: {len(row['rounds'])} rounds; the time is over")
            return False
        work.prepare()
        window = bench.meter.open(f"{rate:g}/s")
        try:
            load = work.run(index, window)
        finally:
            reading = window.close()
        counted = work.conclude(reading)
        if index == 0:
            continue
        seen = observed(reading, load, work.part, counted)
        row["rounds"].append(
            {
                "energy_j": counted.energy_j,
                "uncertainty_j": counted.uncertainty_j,
                "void_because": counted.void_because,
                "quality": counted.quality,
                "step_count": counted.step_count,
                "observed": {"absent": seen.because} if isinstance(seen, Absent) else observed_json(seen),
                "steps": steps_json(load),
            }
        )
        keep(options.out, document)
        say(f"{rate:g}/s round {index}: {counted.energy_j} J, {counted.step_count} steps")
    return True


def show(document: Mapping[str, Any]) -> None:
    """A line a rate."""
    if document["is_trial"]:
        say("A trial on a CPU: estimated joules, no figure of energy.")
    say(f"\n{document['size']}: requests of {PROMPT_TOKENS} + {OUTPUT_TOKENS} tokens")
    say(
        "rate/s | rounds |  J/round |  steps | J/step           | CV     | steps  | + waits | amounts "
        "| others"
    )
    met, count = dict.fromkeys(_KINDS, 0), 0
    splits: list[tuple[float, float]] = []
    for row in document["rows"]:
        rounds = [one for one in row["rounds"] if one["energy_j"] and "absent" not in one["observed"]]
        if len(rounds) < 2:
            say(f"{row['rate']:6g} | {len(rounds):6d} | too few")
            continue
        try:
            costs_j, deviations = _deviations(rounds)
        except EnergyError as error:
            say(f"{row['rate']:6g} | {len(rounds):6d} | {error}")
            count += 1
            continue
        say(_line(row["rate"], rounds, costs_j, deviations))
        count += 1
        splits += _splits(rounds) if len(rounds) >= ROUND_COUNT else []
        for kind, deviation in deviations.items():
            met[kind] += deviation <= WANTED_CV
    say("\nCV: of joules as measured; at equal steps; with the joules at rest of equal seconds as well;")
    say("at equal amounts of all that the fit knows; the same with costs of the other rounds.")
    say(f"CV at most {WANTED_CV:.0%}, of {count} rows: " + ", ".join(f"{k}: {n}" for k, n in met.items()))
    if splits:
        beyond = [sum(abs(ratio - 1) > FAR for ratio in ratios) for ratios in zip(*splits, strict=True)]
        say(
            f"Each two rounds against the other three: {len(splits)} ratios of unchanged work, more than "
            f"{FAR:.0%} from 1: as measured {beyond[0]}, as the gate compares {beyond[1]}"
        )


def _deviations(rounds: Sequence[Mapping[str, Any]]) -> tuple[Estimate, dict[str, float]]:
    """Joules of a step, and the CV of the rounds' joules by what is made equal."""
    loads = [_load(one) for one in rounds]
    record = _record(rounds, loads)
    by_steps = replace(record, step_cost=replace(_cost(loads), amount_energies_j={}, covariances_j2=()))
    others = [
        _equal(replace(record, step_cost=_cost([*loads[:place], *loads[place + 1 :]])))[place]
        for place in range(len(loads))
    ]
    kinds = (
        record.round_energies_j,
        _equal(by_steps),
        by_steps.energies_at_mean_steps_j,
        _equal(record),
        others,
    )
    step = fit_costs([load.spans for load in loads]).energy((0.0, 1.0, 0.0, 0.0))
    return step, {
        kind: stdev(values_j) / fmean(values_j) for kind, values_j in zip(_KINDS, kinds, strict=True)
    }


def _equal(record: Record) -> tuple[float, ...]:
    """Joules of the rounds of *record* at its own mean amounts, by the gate's function."""
    level = amount_level([record])
    if level is None:
        raise NotMeasurable("no round has steps")
    return at_amounts(record, level).round_energies_j


def _splits(rounds: Sequence[Mapping[str, Any]]) -> list[tuple[float, float]]:
    """Ratios of two rounds to the others, for each two: as measured, and as the gate compares them."""
    found = []
    for places in combinations(range(len(rounds)), 2):
        fresh, stored = (
            _record(chosen, [_load(one) for one in chosen])
            for chosen in (
                [one for place, one in enumerate(rounds) if (place in places) is is_fresh]
                for is_fresh in (True, False)
            )
        )
        measured, level = _ratio(fresh, stored), amount_level([stored])
        equal, compared = equal_steps(fresh, level, measured), measured
        if level is not None and equal is not None and not equal.not_used_because:
            compared = _ratio(at_amounts(fresh, level), at_amounts(stored, level))
        found.append((measured, compared))
    return found


def _ratio(fresh: Record, stored: Record) -> float:
    return geometric_mean(fresh.round_energies_j) / geometric_mean(stored.round_energies_j)


def _load(one: Mapping[str, Any]) -> Observed:
    """What a kept round did; tokens of all its requests are those of its steps, if these are kept."""
    load = observed_of(one["observed"])
    if not one.get("steps"):
        return load
    _, prompt_tokens, output_tokens, first_tokens, _ = map(sum, one["steps"])
    return replace(load, whole_tokens=(prompt_tokens, output_tokens - first_tokens))


def _cost(loads: Sequence[Observed]) -> StepCost:
    fit = phase_fit(loads)
    cost = None if isinstance(fit, Absent) else fit.step_cost()
    if cost is None:
        raise NotMeasurable(fit.because if isinstance(fit, Absent) else "the engine reported no steps")
    return cost


def _record(rounds: Sequence[Mapping[str, Any]], loads: Sequence[Observed]) -> Record:
    """The record that a test makes of such rounds."""
    readings = [
        Reading(
            channels={load.channels[0]: one["energy_j"]},
            duration_s=load.duration_s * load.scale,
            uncertainty_j=one["uncertainty_j"],
            provenance=Provenance.MEASURED,
            quiet_power_w={load.channels[0]: load.spans.rest_w},
        )
        for one, load in zip(rounds, loads, strict=True)
    ]
    return Record(
        test_id="fixed_rate",
        created="",
        provenance=Provenance.MEASURED,
        machine=Machine(key=""),
        rounds=tuple(map(with_amounts, readings, loads)),
        metrics={TOKENS_PER_TURN: 1.0},  # one engine, so that it is the same for all
        step_cost=_cost(loads),
    )


def _line(
    rate: float, rounds: Sequence[Mapping[str, Any]], step: Estimate, deviations: Mapping[str, float]
) -> str:
    energy_j, steps = (fmean(one[name] for one in rounds) for name in ("energy_j", "step_count"))
    cells = " | ".join(f"{deviation:6.2%}" for deviation in deviations.values())
    return (
        f"{rate:6g} | {len(rounds):6d} | {energy_j:8.1f} | {steps:6.0f} | "
        f"{step.value:6.4f} +- {step.uncertainty:6.4f} | {cells}"
    )


if __name__ == "__main__":
    main()
