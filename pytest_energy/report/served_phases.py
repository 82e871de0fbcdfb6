"""Prefill, decode and waiting of a request load as rows for people, and its rounds at equal steps."""

from collections.abc import Iterator
from statistics import fmean, stdev

from pytest_energy.model import Record
from pytest_energy.units import to_text

_TOKENS = {"prefill": "energy_per_prefill_token", "decode": "energy_per_decode_token"}


def texts(record: Record) -> dict[str, str]:
    """A row for each phase whose joules are known, and one for the rounds at their mean steps."""
    rows = {name: text for name in ("prefill", "decode", "waiting") if (text := _phase_text(record, name))}
    energies_j = record.energies_at_mean_steps_j
    if len(energies_j) > 1:
        as_measured, equal = (
            100 * stdev(values_j) / fmean(values_j) for values_j in (record.round_energies_j, energies_j)
        )
        knows_all = all(reading.load_tokens for reading in record.usable_rounds)
        amounts = "steps, seconds and tokens" if knows_all else "steps and seconds"
        rows["spread of rounds"] = f"{as_measured:.2f} %; {equal:.2f} % at equal {amounts}"
    return rows


def _phase_text(record: Record, name: str) -> str:
    """Such as `614 +- 2.1 J, 0.886 s, 30 +- 0.1 mJ per token`; empty without joules."""
    energy_j = record.metrics.get(f"{name}_energy")
    return "" if energy_j is None else ", ".join(_parts(record, name, energy_j))


def _parts(record: Record, name: str, energy_j: float) -> Iterator[str]:
    yield _with_error(energy_j, record.metrics.get(f"{name}_energy_uncertainty"))
    duration_s = record.metrics.get(f"{name}_duration_s")
    if duration_s is not None:
        yield to_text(duration_s, "s", digits=3)
    token = _TOKENS.get(name, "")
    token_j = record.metrics.get(token)
    if token_j is not None:
        yield f"{_with_error(token_j, record.metrics.get(f'{token}_uncertainty'))} per token"


def _with_error(energy_j: float, error_j: float | None) -> str:
    text = to_text(energy_j, "J")
    return text if error_j is None else f"{text} +- {to_text(error_j, 'J', digits=2)}"
