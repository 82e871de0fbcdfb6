"""Prefill and decode of one model: costs fitted on some loads, and tested on others that the fit did not see.

    python -m benchmarks.llm.phases OUT.json [--size 8B] [--limit 240]
    python -m benchmarks.llm.phases OUT.json --again       # the tables once more, from OUT.json

Prompts of 128 to 4,096 tokens, answers of 16 to 512, at several rates below saturation. Joules of a load it
did not see are explained by the fit if power at rest x seconds + costs x amounts is 95 to 105 % of them.
"""

import json
import random
import time
from argparse import Namespace
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain, combinations
from typing import Any

from benchmarks.llm.metering import (
    SEED,
    facts_of,
    keep,
    observed_json,
    opened,
    parser,
    prompts_of,
    requests_json,
    say,
    spans_of,
    steps_json,
)
from benchmarks.llm.models import SIZES
from pytest_energy.errors import Absent, EnergyError
from pytest_energy.meter.live import LiveMeter
from pytest_energy.serving.arrivals import Schedule
from pytest_energy.serving.engines.vllm_engine import VllmEngine
from pytest_energy.serving.load import serve
from pytest_energy.serving.load_result import LoadResult
from pytest_energy.serving.phase_spans import AMOUNTS, observed
from pytest_energy.stats.cost_fit import CostFit, Spans, fit_costs

LONGEST = 4096 + 512
WARM_UP_COUNT = 32
ALLOWED = (0.95, 1.05)
FEWEST_REQUESTS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Mix:
    """A load: lengths to choose from, and its rate."""

    prompts: tuple[int, ...]
    answers: tuple[int, ...]
    rate: float
    is_test: bool

    @property
    def name(self) -> str:
        texts = ("/".join(map(str, lengths)) for lengths in (self.prompts, self.answers))
        return f"{'+'.join(texts)}@{self.rate:g}"

    def lengths(self, count: int) -> list[tuple[int, int]]:
        rng = random.Random(f"{SEED}/{self.name}")  # noqa: S311  # reproducible
        return [(rng.choice(self.prompts), rng.choice(self.answers)) for _ in range(count)]


def _fit(prompts: int | tuple[int, ...], answers: int | tuple[int, ...], rate: float) -> Mix:
    return Mix(prompts=_tuple(prompts), answers=_tuple(answers), rate=rate, is_test=False)


def _test(prompts: int | tuple[int, ...], answers: int | tuple[int, ...], rate: float) -> Mix:
    return Mix(prompts=_tuple(prompts), answers=_tuple(answers), rate=rate, is_test=True)


def _tuple(lengths: int | tuple[int, ...]) -> tuple[int, ...]:
    return (lengths,) if isinstance(lengths, int) else lengths


# Taken in this order, so that a run that is cut has both kinds.
MIXES = (
    _fit((128, 512, 2048, 4096), (16, 128, 512), 4),
    _test(1024, 256, 4),
    _fit(128, 128, 16),
    _test(512, 64, 16),
    _fit(4096, 16, 2),
    _test(2048, 16, 4),
    _fit(128, 512, 4),
    _test(256, 512, 8),
    _fit(1024, 16, 8),
    _test(4096, 512, 1),
    _fit(2048, 128, 4),
    _test(128, 16, 32),
    _fit(512, 256, 8),
    _test(4096, 128, 2),
    _fit(256, 64, 32),
    _test((128, 1024, 4096), (16, 64, 256), 6),
)
TRIAL_MIXES = (
    _fit((16, 64, 256), (4, 16, 64), 4),
    _test(64, 16, 4),
    _fit(16, 32, 8),
    _test(256, 4, 4),
)
TRIAL_LONGEST = 256 + 64


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, or show what was measured."""
    parse = parser(__doc__ or "", seconds=7.0, limit_s=240.0)
    parse.add_argument("--again", action="store_true", help="show the tables of OUT, measure nothing")
    options = parse.parse_args(arguments)
    if options.again:
        show(json.loads(options.out.read_text(encoding="utf-8")))
        return
    with opened(options, length=TRIAL_LONGEST if options.cpu else LONGEST, prefix_cache=False) as (
        meter,
        engine,
    ):
        document = facts_of(options, engine) | {"amounts": AMOUNTS, "loads": []}
        measure(options, meter, engine, document)
    show(document)


def measure(options: Namespace, meter: LiveMeter, engine: VllmEngine, document: dict[str, Any]) -> None:
    """All loads, as far as time allows; *document* is written after each."""
    began_s = time.monotonic()
    vocabulary = SIZES[options.size].vocabulary
    _ = _served(engine, TRIAL_MIXES[0], WARM_UP_COUNT, vocabulary, 32.0)
    for mix in TRIAL_MIXES if options.cpu else MIXES:
        if time.monotonic() - began_s + options.seconds > options.limit:
            say(f"{mix.name} and those after it are left out: {options.limit:g} s are over")
            break
        rate = mix.rate * options.scale
        count = max(FEWEST_REQUESTS, round(rate * options.seconds))
        window = meter.open(mix.name)
        try:
            load = _served(engine, mix, count, vocabulary, rate)
        finally:
            reading = window.close()
        one: dict[str, Any] = {"name": mix.name, "is_test": mix.is_test, "quality": reading.quality}
        for key, result in (("observed", load), ("without_steps", _blind(load))):
            seen = observed(reading, result, None, reading)
            one[key] = {"absent": seen.because} if isinstance(seen, Absent) else observed_json(seen)
        one |= {"steps": steps_json(load), "requests": requests_json(load)}
        one |= {"prompt_tokens": load.prompt_tokens, "decoded_tokens": load.output_tokens - count}
        document["loads"].append(one)
        keep(options.out, document)
        came_s, what = time.monotonic() - began_s, reading.void_because or f"{reading.energy_j} J"
        say(f"{came_s:6.1f} s  {mix.name}: {what}")


def _served(engine: VllmEngine, mix: Mix, count: int, vocabulary: int, rate: float) -> LoadResult:
    lengths = mix.lengths(count)
    prompts = prompts_of([prompt for prompt, _ in lengths], vocabulary, mix.name)
    schedule = Schedule(rate=rate, seed=SEED)
    return serve(engine, prompts, schedule, output_tokens=[answer for _, answer in lengths])


def _blind(load: LoadResult) -> LoadResult:
    return replace(load, steps=None)


# ---- what came of it ----


def show(document: Mapping[str, Any]) -> None:
    """The tables: explained shares, joules per token, and which terms explain how much."""
    if document["is_trial"]:
        say("A trial on a CPU: estimated joules, no figure of energy.")
    loads = [load for load in document["loads"] if "absent" not in load["observed"]]
    for load in document["loads"]:
        if "absent" in load["observed"]:
            say(f"{load['name']}: left out, {load['observed']['absent']}")
    seen = [load for load in loads if not load["is_test"]]
    unseen = [load for load in loads if load["is_test"]]
    try:
        fit = fit_costs([spans_of(load["observed"]) for load in seen])
        blind = fit_costs([spans_of(load["without_steps"]) for load in seen])
    except EnergyError as error:
        say(f"no fit: {error}")
        return
    costs = ", ".join(f"{cost:.4g} J per {name[:-1]}" for cost, name in zip(fit.costs, AMOUNTS, strict=True))
    say(f"\n{document['size']}: {fit.span_count} spans of {len(seen)} loads: {costs}")
    say(
        "\nload                              |    J  | explained | above rest | prefill token          "
        "| decode token"
    )
    for load in (*seen, *unseen):
        say(_line(load, fit))
    shares = [explained(load["observed"], fit) for load in unseen]
    within = sum(ALLOWED[0] <= share <= ALLOWED[1] for share in shares)
    say(f"\nUnseen loads explained within 95 to 105 %: {within} of {len(shares)}")
    say(
        f"All unseen loads together: {_pooled(unseen, fit):.1%}; without the engine's steps: "
        f"{_pooled(unseen, blind, 'without_steps'):.1%}"
    )
    _show_terms(loads)
    _show_blind(unseen, fit, blind)


def _line(load: Mapping[str, Any], fit: CostFit) -> str:
    one = load["observed"]
    prefill, decode = (fit.energy(amounts) for amounts in _amounts(one))
    texts = [
        f"{1000 * part.value / count:8.3g} +- {1000 * 1.96 * part.uncertainty / count:<6.2g} mJ"
        for part, count in ((prefill, load["prompt_tokens"]), (decode, max(1, load["decoded_tokens"])))
    ]
    kind = "test" if load["is_test"] else "fit "
    active_j = one["part_energy_j"] - one["rest_w"] * one["part_duration_s"]
    above = fit.energy(one["part"]).value / active_j if active_j > 0 else float("nan")
    head = (
        f"{kind} {load['name']:<29}|{one['part_energy_j']:6.0f} | {explained(one, fit):8.1%}  | {above:9.1%}"
    )
    return f"{head}  | {' | '.join(texts)}"


def _amounts(one: Mapping[str, Any]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Of prefill, and of decode."""
    prompts, _, tokens, contexts = one["part"]
    prefills, decodes = one["part_steps"]
    return (prompts, prefills, 0.0, 0.0), (0.0, decodes, tokens, contexts)


def explained(one: Mapping[str, Any], fit: CostFit) -> float:
    """Share of the measured joules that power at rest and the fitted costs come to."""
    rest_j = one["rest_w"] * one["part_duration_s"]
    return float((rest_j + fit.energy(one["part"]).value) / one["part_energy_j"])


def _pooled(loads: Sequence[Mapping[str, Any]], fit: CostFit, key: str = "observed") -> float:
    parts = [load[key] for load in loads]
    whole_j = sum(one["part_energy_j"] for one in parts)
    return (
        float(sum(explained(one, fit) * one["part_energy_j"] for one in parts) / whole_j) if whole_j else 0.0
    )


def _show_terms(loads: Sequence[Mapping[str, Any]]) -> None:
    """Which terms are needed: each load explained by a fit to all the others, with these amounts alone."""
    say("\nterms (each load by a fit to the others)                       | within 5 % | worst")
    columns = range(len(AMOUNTS))
    for chosen in chain.from_iterable(combinations(columns, size) for size in range(2, len(AMOUNTS) + 1)):
        if 0 not in chosen:
            continue
        shares = [_left_out(loads, place, chosen) for place in range(len(loads))]
        worst = max(shares, key=lambda share: abs(share - 1))
        within = sum(ALLOWED[0] <= share <= ALLOWED[1] for share in shares)
        names = ", ".join(AMOUNTS[column] for column in chosen)
        say(f"{names:<62} | {within:4d} of {len(shares)} | {worst:.1%}")


def _left_out(loads: Sequence[Mapping[str, Any]], place: int, columns: tuple[int, ...]) -> float:
    others = [_chosen(spans_of(load["observed"]), columns) for load in (*loads[:place], *loads[place + 1 :])]
    one = loads[place]["observed"]
    try:
        fit = fit_costs(others)
    except EnergyError:
        return float("nan")
    return explained({**one, "part": [one["part"][column] for column in columns]}, fit)


def _chosen(spans: Spans, columns: tuple[int, ...]) -> Spans:
    return Spans(
        amounts=tuple(tuple(row[column] for column in columns) for row in spans.amounts),
        energies_j=spans.energies_j,
        durations_s=spans.durations_s,
        rest_w=spans.rest_w,
    )


def _show_blind(loads: Sequence[Mapping[str, Any]], fit: CostFit, blind: CostFit) -> None:
    """The split of the times of tokens beside that of the engine's steps."""
    pairs = []
    for load in loads:
        sharp_j = fit.energy(_amounts(load["observed"])[0]).value
        blind_j = blind.energy(_amounts(load["without_steps"])[0]).value
        active_j = fit.energy(load["observed"]["part"]).value
        pairs.append(abs(blind_j - sharp_j) / active_j if active_j else 0.0)
    if pairs:
        say(f"\nSplit without steps: prefill off by {max(pairs):.1%} of the joules above rest at most")


if __name__ == "__main__":
    main()
