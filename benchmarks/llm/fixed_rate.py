"""Rounds of equal loads at fixed rates: how much they vary as measured, and at equal steps.

    python -m benchmarks.llm.fixed_rate OUT.json [--size 8B] [--limit 300]
    python -m benchmarks.llm.fixed_rate OUT.json --again   # the table once more, from OUT.json

At a fixed rate the seconds of a request are given by the rate. Those that a round is scaled to depend on how
many answers its counted part holds, which is chance: they cost the power at rest.
The slope, joules per step, is fitted to the spans within the loads. To be sure that no round adjusts itself,
the last column takes for each round a slope fitted to the spans of the other rounds alone.
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
from pytest_energy.stats.cost_fit import fit_costs

RATES: Mapping[str, tuple[float, ...]] = {"8B": (16, 64, 4, 1), "1B": (16, 64, 4, 128, 1)}
TRIAL_RATES = (4.0, 8.0)
PROMPT_TOKENS = OUTPUT_TOKENS = 128
ROUND_COUNT = 5
WANTED_CV = 0.01


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
    say("rate/s | rounds |  J/round |  steps | J/step           | CV     | steps  | + waits | others")
    met = count = 0
    for row in document["rows"]:
        rounds = [one for one in row["rounds"] if one["energy_j"] and "absent" not in one["observed"]]
        if len(rounds) < 2:
            say(f"{row['rate']:6g} | {len(rounds):6d} | too few")
            continue
        line, is_met = _line(row["rate"], rounds)
        met, count = met + is_met, count + 1
        say(line)
    say(
        "\nCV: of joules as measured; at equal steps; with the joules at rest of equal seconds as well; the "
        f"same with slopes of other rounds.\nCV at equal steps and seconds at most {WANTED_CV:.0%}: {met} of "
        f"{count} rows"
    )


def _line(rate: float, rounds: Sequence[Mapping[str, Any]]) -> tuple[str, bool]:
    energies_j = [one["energy_j"] for one in rounds]
    steps = [one["step_count"] for one in rounds]
    rest_w = fmean(one["observed"]["rest_w"] for one in rounds)
    seconds = [one["observed"]["part_duration_s"] * one["observed"]["scale"] for one in rounds]
    try:
        slope = fit_costs([spans_of(one["observed"]) for one in rounds]).energy((0.0, 1.0, 0.0, 0.0))
        of_others = [_slope_of_others(rounds, place) for place in range(len(rounds))]
    except EnergyError as error:
        return f"{rate:6g} | {len(rounds):6d} | {fmean(energies_j):9.1f} | {error}", False
    slopes, rests_w = [slope.value] * len(rounds), [rest_w] * len(rounds)
    at_steps_j = _at_mean(energies_j, steps, slopes)
    both_j = _at_mean(at_steps_j, seconds, rests_w)
    others_j = _at_mean(_at_mean(energies_j, steps, of_others), seconds, rests_w)
    cv, at_steps, both, others = (
        stdev(values_j) / fmean(values_j) for values_j in (energies_j, at_steps_j, both_j, others_j)
    )
    return (
        f"{rate:6g} | {len(rounds):6d} | {fmean(energies_j):8.1f} | {fmean(steps):6.0f} | "
        f"{slope.value:6.4f} +- {slope.uncertainty:6.4f} | {cv:6.2%} | {at_steps:6.2%} | {both:7.2%} | "
        f"{others:6.2%}"
    ), both <= WANTED_CV


def _slope_of_others(rounds: Sequence[Mapping[str, Any]], place: int) -> float:
    others = [spans_of(one["observed"]) for one in (*rounds[:place], *rounds[place + 1 :])]
    return fit_costs(others).energy((0.0, 1.0, 0.0, 0.0)).value


def _at_mean(energies_j: Sequence[float], amounts: Sequence[float], costs_j: Sequence[float]) -> list[float]:
    """*energies_j* as they would be with the mean of the *amounts*, a unit of which costs so much."""
    mean = fmean(amounts)
    return [
        energy_j - cost_j * (amount - mean)
        for energy_j, amount, cost_j in zip(energies_j, amounts, costs_j, strict=True)
    ]


if __name__ == "__main__":
    main()
