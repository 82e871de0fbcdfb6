"""Joules and seconds of prefill, of decode and of waiting, in the loads of one test.

Joules of a span = power at rest x seconds + a x prompt tokens + s x steps + d x decoded tokens + c x their
context. A step reads the model's weights once, whoever it is for: one that decodes is decode's, one that only
computes prompts is prefill's. Power at rest is the quiet before each load.

Rule 1: what is neither prefill nor decode is named: waiting (power at rest x seconds) and what the fit leaves
    unexplained. All four together are the joules of the loads.
Rule 2: a split that the spans can't tell is absent with its reason. One without the engine's steps is an
    estimate, and its intervals are wider.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean, stdev

from pytest_energy.errors import Absent, NotMeasurable
from pytest_energy.metrics import generative
from pytest_energy.metrics.evaluation import Metrics, evaluated
from pytest_energy.model import Reading, StepCost
from pytest_energy.model.load_costs import DURATION_S, ROUND_TOKENS, STEP_COUNT, WHOLE_TOKENS
from pytest_energy.serving.phase_spans import Observed, Totals
from pytest_energy.stats.cost_fit import CostFit, Estimate, fit_costs

Z_95 = 1.96  # standard uncertainties in half a 95 % interval

MOST_UNEXPLAINED_SHARE = 0.05
"""Of the joules: a fit that misses more of them has its terms wrong, and no split of it holds."""

WIDEST_SHARE = 0.25
"""Half the 95 % interval of prefill, of the joules above rest: wider, the two are not told apart."""

ESTIMATE_SHARE = 0.02
"""Of the joules above rest: standard uncertainty of a split without the engine's steps. In 42 simulated
loads, prompts of 128 to 4,096 tokens at 1 to 48/s, it was off by 0.9 % (deviation), 3.2 % at most."""

NAMES = (
    *("prefill_energy", "prefill_energy_uncertainty", "decode_energy", "decode_energy_uncertainty"),
    *("waiting_energy", "unexplained_energy"),
    *("energy_per_prefill_token", "energy_per_prefill_token_uncertainty"),
    *("energy_per_decode_token", "energy_per_decode_token_uncertainty"),
)
SECONDS = ("prefill_duration_s", "decode_duration_s", "waiting_duration_s")
FITTED = (DURATION_S, "prompt_tokens", STEP_COUNT, "decoded_tokens", "context_tokens")
"""Amounts of a round in the order of their covariances: seconds at rest, then `phase_spans.AMOUNTS`."""

STEPS = ("step_count", "energy_per_step", "energy_per_step_uncertainty", "tokens_per_turn")

_ESTIMATED = (
    "the engine does not report its steps, so that prefill and decode are separated by the times of tokens: "
    "an estimate"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseFit:
    """The fit to all loads of one test.

    Attributes:
        loads: What was fitted.
        fit: Costs of the amounts.
    """

    loads: tuple[Observed, ...]
    fit: CostFit

    @property
    def has_steps(self) -> bool:
        return all(load.has_steps for load in self.loads)

    def prefill(self) -> Estimate:
        """Joules of prefill in a round."""
        return self._widened(
            self._mean(lambda part: (part.prompt_tokens, part.prefill_steps, 0.0, 0.0)),
        )

    def decode(self) -> Estimate:
        """Joules of decode in a round."""
        return self._widened(
            self._mean(lambda part: (0.0, part.decode_steps, part.decoded_tokens, part.context_tokens))
        )

    def _widened(self, amounts: tuple[float, ...]) -> Estimate:
        """Joules of *amounts*; without the engine's steps, by what such a split is off."""
        found = self.fit.energy(amounts)
        if self.has_steps:
            return found
        more_j = ESTIMATE_SHARE * self.fit.energy(self._mean(lambda part: part.row)).value
        low_j, high_j = found.interval
        below_j, above_j = (
            math.hypot(one_j, Z_95 * more_j) for one_j in (found.value - low_j, high_j - found.value)
        )
        return Estimate(
            value=found.value,
            uncertainty=math.hypot(found.uncertainty, more_j),
            interval=(found.value - below_j, found.value + above_j),
        )

    @property
    def waiting_j(self) -> float:
        """Joules of a round at the power of the quiet before it."""
        return fmean(load.spans.rest_w * load.duration_s * load.scale for load in self.loads)

    @property
    def energy_j(self) -> float:
        """Joules of a round, of the channels that tick."""
        return fmean(load.energy_j * load.scale for load in self.loads)

    @property
    def step_count(self) -> float:
        """Steps of a round."""
        return fmean(step_count_of(load) for load in self.loads)

    def step_cost(self) -> StepCost | None:
        """Joules of one more step, and of a unit of the other amounts; `None` without the engine's steps."""
        if not self.has_steps:
            return None
        step = self.fit.energy((0.0, 1.0, 0.0, 0.0))
        rest_w = fmean(load.spans.rest_w for load in self.loads)
        return StepCost(
            energy_j=step.value,
            uncertainty_j=step.uncertainty,
            channels=self.loads[0].channels,
            amount_energies_j=dict(zip(FITTED, (rest_w, *self.fit.costs), strict=True)),
            covariances_j2=self.fit.covariances(),
        )

    def why_not_apart(self) -> str | None:
        """Why the spans don't tell prefill from decode, or `None`."""
        prefill, decode, whole_j = self.prefill(), self.decode(), self.energy_j
        unexplained_j = whole_j - self.waiting_j - prefill.value - decode.value
        if abs(unexplained_j) > MOST_UNEXPLAINED_SHARE * whole_j:
            share = 1 - unexplained_j / whole_j
            least, most = 1 - MOST_UNEXPLAINED_SHARE, 1 + MOST_UNEXPLAINED_SHARE
            return (
                f"the fit explains {100 * share:.0f} % of the joules, "
                f"outside of {100 * least:.0f} to {100 * most:.0f} %"
            )
        active_j = prefill.value + decode.value
        low_j, high_j = prefill.interval
        if active_j <= 0:
            return "the loads used no more than power at rest"
        if (high_j - low_j) / 2 > WIDEST_SHARE * active_j:
            shares = f"{100 * low_j / active_j:.0f} to {100 * high_j / active_j:.0f} %"
            return (
                f"prefill and decode changed together in the {self.fit.span_count} spans: prefill is "
                f"{shares} of the joules above rest. Mix lengths of prompts and answers, or take more rounds"
            )
        return None

    def durations_s(self) -> tuple[float, float, float]:
        """Seconds of prefill, decode and waiting in a round; mixed steps by their fitted joules."""
        seconds = [(*self._seconds(load.part), load.duration_s, load.scale) for load in self.loads]
        prefill_s = fmean(prefill * scale for prefill, _, _, scale in seconds)
        decode_s = fmean(decode * scale for _, decode, _, scale in seconds)
        whole_s = fmean(duration * scale for _, _, duration, scale in seconds)
        return prefill_s, decode_s, max(0.0, whole_s - prefill_s - decode_s)

    def _seconds(self, part: Totals) -> tuple[float, float]:
        prompt_j, step_j, token_j, context_j = self.fit.costs
        if part.decoded_tokens:
            token_j += context_j * part.context_tokens / part.decoded_tokens
        mixed, prefill_s, decode_s = part.mixed, part.prefill_s, part.decode_s
        for duration_s, prompt, decoded in zip(
            mixed.durations_s, mixed.prompt_tokens, mixed.decoded_tokens, strict=True
        ):
            of_prompts_j, of_tokens_j = prompt_j * prompt, step_j + token_j * decoded
            share = of_prompts_j / (of_prompts_j + of_tokens_j) if of_prompts_j + of_tokens_j else 0.5
            prefill_s += share * duration_s
            decode_s += (1 - share) * duration_s
        return prefill_s, decode_s

    def _mean(self, amounts: Callable[[Totals], tuple[float, ...]]) -> tuple[float, ...]:
        rows = [tuple(load.scale * amount for amount in amounts(load.part)) for load in self.loads]
        return tuple(fmean(column) for column in zip(*rows, strict=True))

    @property
    def prompt_tokens(self) -> float:
        """Prompt tokens that a round computes."""
        return fmean(load.part.prompt_tokens * load.scale for load in self.loads)

    @property
    def decoded_tokens(self) -> float:
        return fmean(load.part.decoded_tokens * load.scale for load in self.loads)


def step_count_of(load: Observed) -> float:
    """Steps that all requests of *load* take, at the pace of the part that counts."""
    return (load.part.prefill_steps + load.part.decode_steps) * load.scale


def with_amounts(reading: Reading, load: Observed, *, has_tokens: bool = True) -> Reading:
    """*reading* of a round with the steps of *load*, and with its tokens, scaled as its joules are.

    Where the length of answers is free, joules are scaled to the tokens of another load, and these here say
    nothing of a change: *has_tokens* leaves them out.
    """
    if not has_tokens:
        return replace(reading, step_count=step_count_of(load))
    part, whole = load.part, zip(WHOLE_TOKENS, load.whole_tokens, strict=True)
    tokens = {name: getattr(part, name) * load.scale for name in ROUND_TOKENS}
    return replace(reading, step_count=step_count_of(load), load_tokens={**tokens, **dict(whole)})


def phase_fit(loads: Sequence[Observed | Absent]) -> PhaseFit | Absent:
    """The fit to the loads of one test, or why there is none."""
    missing = next((load for load in loads if isinstance(load, Absent)), None)
    known = tuple(load for load in loads if isinstance(load, Observed))
    if missing is not None or not known:
        return missing or Absent("no load was measured")
    rests_w = [load.spans.rest_w for load in known]
    rest_uncertainty_w = stdev(rests_w) / math.sqrt(len(rests_w)) if len(rests_w) > 1 else 0.0
    try:
        fit = fit_costs([load.spans for load in known], rest_uncertainty_w=rest_uncertainty_w)
    except NotMeasurable as error:
        return Absent(str(error))
    return PhaseFit(loads=known, fit=fit)


def phase_metrics(fit: PhaseFit | Absent) -> Metrics:
    """Prefill, decode and waiting of a round, by the names that a record keeps them under."""
    if isinstance(fit, Absent):
        return _absent((*NAMES, *SECONDS, *STEPS), fit.because)
    because = fit.why_not_apart()
    split = _absent((*NAMES, *SECONDS[:2]), because) if because is not None else evaluated(_energies(fit))
    if because is None:
        split |= Metrics({"unexplained_energy": _unexplained_j(fit)})  # may be below 0
    if not fit.has_steps:
        return split | _absent((*SECONDS, *STEPS), _ESTIMATED)
    prefill_s, decode_s, waiting_s = fit.durations_s()
    seconds = {"waiting_duration_s": waiting_s}
    if because is None:
        seconds |= {"prefill_duration_s": prefill_s, "decode_duration_s": decode_s}
    step = fit.fit.energy((0.0, 1.0, 0.0, 0.0))
    turns = [load.tokens_per_turn for load in fit.loads if load.tokens_per_turn is not None]
    values = (fit.step_count, step.value, step.uncertainty, fmean(turns) if turns else None)
    missing = {} if turns else {"tokens_per_turn": "nothing was decoded"}
    return split | Metrics({**seconds, **dict(zip(STEPS, values, strict=True))}, missing)


def _energies(fit: PhaseFit) -> Mapping[str, Callable[[], float]]:
    prefill, decode = fit.prefill(), fit.decode()
    return {
        "prefill_energy": lambda: prefill.value,
        "prefill_energy_uncertainty": lambda: prefill.uncertainty,
        "decode_energy": lambda: decode.value,
        "decode_energy_uncertainty": lambda: decode.uncertainty,
        "waiting_energy": lambda: fit.waiting_j,
        "energy_per_prefill_token": lambda: generative.energy_per_prefill_token(
            prefill.value, fit.prompt_tokens
        ),
        "energy_per_prefill_token_uncertainty": lambda: generative.energy_per_prefill_token(
            prefill.uncertainty, fit.prompt_tokens
        ),
        "energy_per_decode_token": lambda: generative.energy_per_decode_token(
            decode.value, fit.decoded_tokens
        ),
        "energy_per_decode_token_uncertainty": lambda: generative.energy_per_decode_token(
            decode.uncertainty, fit.decoded_tokens
        ),
    }


def _unexplained_j(fit: PhaseFit) -> float:
    return fit.energy_j - fit.waiting_j - fit.prefill().value - fit.decode().value


def _absent(names: Sequence[str], because: str) -> Metrics:
    return Metrics(dict.fromkeys(names), dict.fromkeys(names, because))
