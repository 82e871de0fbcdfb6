"""Joules of a token of prefill and of decode, test by test, as the figure shows them. Pure.

Rule 1: what a load could not separate is named with its reason, and has no mark.
Rule 2: a split without the engine's own steps is an estimate, and stays one wherever it is shown.
"""

from dataclasses import dataclass, field

from pytest_energy.judgement import Judgement
from pytest_energy.model import Provenance, Record
from pytest_energy.report.per_sample import Judged, case_of
from pytest_energy.report.rates import model_of, rate_of
from pytest_energy.report.text import tick

PREFILL, DECODE = "energy_per_prefill_token", "energy_per_decode_token"
_OF_STEPS = "energy_per_step"  # a metric of loads whose engine reports its steps, and of no others
_Z_95 = 1.96  # standard uncertainties in half a 95 % interval


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenCost:
    """Joules of a token, with their 95 % interval."""

    energy_j: float
    interval_j: tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRow:
    """One load.

    Attributes:
        name: Its rate, or what its test is called.
        rate: Requests per second; `None` if there is none.
        is_estimated: The engine did not report its steps.
    """

    name: str
    rate: float | None
    prefill: TokenCost
    decode: TokenCost
    is_estimated: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenCosts:
    """The loads of one model on one machine.

    Attributes:
        rows: Lowest rate first, then those without a rate.
        lost: Of loads that are not separated, what each is called and why.
        judgements: All that it is made of.
        is_by_rate: The rows have the names of their rates, which tell them apart.
    """

    model: str
    provenance: Provenance
    rows: tuple[TokenRow, ...]
    lost: tuple[tuple[str, str], ...]
    judgements: tuple[Judgement, ...] = field(repr=False)
    is_by_rate: bool


def token_costs(run: Judged) -> tuple[TokenCosts, ...]:
    """Each model of *run* that served a load, in the order met."""
    members: dict[tuple[str, ...], list[Judgement]] = {}
    for judgement in run.judgements:
        record = judgement.record
        if PREFILL in record.metrics:
            key = (model_of(record), record.provenance, record.machine.key)
            members.setdefault(key, []).append(judgement)
    return tuple(_of_model(model, judgements) for (model, *_), judgements in members.items())


def _of_model(model: str, judgements: list[Judgement]) -> TokenCosts:
    rates = [rate_of(judgement.record) for judgement in judgements]
    is_by_rate = None not in rates and len({*rates}) == len(rates)
    names = [
        f"{tick(rate)}/s" if is_by_rate and rate is not None else case_of(judgement.record)
        for rate, judgement in zip(rates, judgements, strict=True)
    ]
    named = [(name, _row(name, one.record)) for name, one in zip(names, judgements, strict=True)]
    rows = [row for _, row in named if isinstance(row, TokenRow)]
    return TokenCosts(
        model=model,
        provenance=judgements[0].record.provenance,
        rows=tuple(sorted(rows, key=lambda row: (row.rate is None, row.rate or 0.0))),
        lost=tuple((name, because) for name, because in named if isinstance(because, str)),
        judgements=tuple(judgements),
        is_by_rate=is_by_rate,
    )


def _row(name: str, record: Record) -> TokenRow | str:
    """The load, or why its phases are not known."""
    prefill, decode = (_cost(record, metric) for metric in (PREFILL, DECODE))
    if prefill is None or decode is None:
        missing = PREFILL if prefill is None else DECODE
        return record.absent.get(missing) or record.absent_because or "its joules are not known"
    is_estimated = record.metrics.get(_OF_STEPS) is None
    return TokenRow(
        name=name, rate=rate_of(record), prefill=prefill, decode=decode, is_estimated=is_estimated
    )


def _cost(record: Record, metric: str) -> TokenCost | None:
    energy_j, error_j = (record.metrics.get(name) for name in (metric, f"{metric}_uncertainty"))
    if energy_j is None or error_j is None:
        return None
    half_j = _Z_95 * error_j
    return TokenCost(energy_j=energy_j, interval_j=(max(0.0, energy_j - half_j), energy_j + half_j))
