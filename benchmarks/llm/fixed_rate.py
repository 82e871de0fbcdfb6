"""Rounds of equal loads at fixed rates: how much they vary as measured, and at equal steps.

    python -m benchmarks.llm.fixed_rate OUT.json [--size 8B] [--limit 300]
    python -m benchmarks.llm.fixed_rate OUT.json --again   # the table once more, from OUT.json

At a fixed rate the seconds of a request are given by the rate. Those that a round is scaled to depend on how
many answers its counted part holds, which is chance: they cost the power at rest.
The slope, joules per step, is fitted to the spans within the loads. At equal amounts, all that the fit knows
is made equal: prompt tokens, steps, decoded tokens, tokens of context, and seconds. To be sure that no round
adjusts itself, the last column takes for each round costs fitted to the spans of the other rounds alone.
"""

import json
import time
from argparse import Namespace
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Any

from benchmarks.llm.metering import (
    SEED,
    facts_of,
    keep,
    observed_json,
    opened,
    parser,
    say,
    spans_of,
    steps_json,
)
from benchmarks.llm.prompts import fresh_prompts
from pytest_energy.errors import Absent, EnergyError
from pytest_energy.meter.live import LiveMeter
from pytest_energy.serving.arrivals import Schedule
from pytest_energy.serving.engines.vllm_engine import VllmEngine
from pytest_energy.serving.phase_spans import observed
from pytest_energy.serving.rounds import LoadPlan, LoadWork
from pytest_energy.stats.cost_fit import Estimate, fit_costs

RATES: Mapping[str, tuple[float, ...]] = {"8B": (16, 64, 4, 1), "1B": (16, 64, 4, 128, 1)}
TRIAL_RATES = (4.0, 8.0)
PROMPT_TOKENS = OUTPUT_TOKENS = 128
ROUND_COUNT = 5
WANTED_CV = 0.01
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
        for kind, deviation in deviations.items():
            met[kind] += deviation <= WANTED_CV
    say("\nCV: of joules as measured; at equal steps; with the joules at rest of equal seconds as well;")
    say("at equal amounts of all that the fit knows; the same with costs of the other rounds.")
    say(f"CV at most {WANTED_CV:.0%}, of {count} rows: " + ", ".join(f"{k}: {n}" for k, n in met.items()))


def _deviations(rounds: Sequence[Mapping[str, Any]]) -> tuple[Estimate, dict[str, float]]:
    """Joules of a step, and the CV of the rounds' joules by what is made equal."""
    energies_j = [one["energy_j"] for one in rounds]
    seen = [one["observed"] for one in rounds]
    rests_w = [fmean(one["rest_w"] for one in seen)] * len(seen)
    seconds = [one["part_duration_s"] * one["scale"] for one in seen]
    steps = [one["step_count"] for one in rounds]
    amounts = [[amount * one["scale"] for amount in one["part"]] for one in seen]
    fit = fit_costs([spans_of(one) for one in seen])
    step = fit.energy((0.0, 1.0, 0.0, 0.0))
    others = [
        fit_costs([spans_of(one) for one in (*seen[:place], *seen[place + 1 :])]).costs
        for place in range(len(seen))
    ]
    at_steps_j = _at_mean(energies_j, steps, [step.value] * len(seen))
    at_seconds_j = _at_mean(energies_j, seconds, rests_w)
    kinds = (
        energies_j,
        at_steps_j,
        _at_mean(at_steps_j, seconds, rests_w),
        _at_all(at_seconds_j, amounts, [fit.costs] * len(seen)),
        _at_all(at_seconds_j, amounts, others),
    )
    return step, {
        kind: stdev(values_j) / fmean(values_j) for kind, values_j in zip(_KINDS, kinds, strict=True)
    }


def _line(
    rate: float, rounds: Sequence[Mapping[str, Any]], step: Estimate, deviations: Mapping[str, float]
) -> str:
    energy_j, steps = (fmean(one[name] for one in rounds) for name in ("energy_j", "step_count"))
    cells = " | ".join(f"{deviation:6.2%}" for deviation in deviations.values())
    return (
        f"{rate:6g} | {len(rounds):6d} | {energy_j:8.1f} | {steps:6.0f} | "
        f"{step.value:6.4f} +- {step.uncertainty:6.4f} | {cells}"
    )


def _at_mean(energies_j: Sequence[float], amounts: Sequence[float], costs_j: Sequence[float]) -> list[float]:
    """*energies_j* as they would be with the mean of the *amounts*, a unit of which costs so much."""
    mean = fmean(amounts)
    return [
        energy_j - cost_j * (amount - mean)
        for energy_j, amount, cost_j in zip(energies_j, amounts, costs_j, strict=True)
    ]


def _at_all(
    energies_j: Sequence[float], amounts: Sequence[Sequence[float]], costs_j: Sequence[Sequence[float]]
) -> list[float]:
    """*energies_j* as they would be with the mean of each of the *amounts*."""
    for of_one, costs_of_one_j in zip(zip(*amounts, strict=True), zip(*costs_j, strict=True), strict=True):
        energies_j = _at_mean(energies_j, of_one, costs_of_one_j)
    return list(energies_j)


if __name__ == "__main__":
    main()
