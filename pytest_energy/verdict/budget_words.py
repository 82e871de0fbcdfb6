"""A budget in words: how much of it is used, how sure that is, and what to do."""

import math

from pytest_energy.errors import printable
from pytest_energy.judgement import Verdict
from pytest_energy.model import Record
from pytest_energy.units import to_text
from pytest_energy.verdict.figures import (
    busy_text,
    confidence_text,
    joules_beside,
    marked,
    share_text,
    spread_notes,
)
from pytest_energy.verdict.findings import AgainstBudget, BudgetUnknown
from pytest_energy.verdict.paragraph import Paragraph, Subject

_LEAST_FACTOR = 10.0

_UNITS = {
    "round": "per round",
    "sample": "per sample",
    "token": "per output token",
    "prefill_token": "per prefill token",
    "decode_token": "per decode token",
    "training": "to the highest accuracy",
}


def against_budget(finding: AgainstBudget, subject: Subject) -> Paragraph:
    limit_j, doubt = finding.limit_j, finding.doubt
    lower, upper = (
        "unknown" if math.isinf(bound_j) else joules_beside(bound_j, limit_j) for bound_j in finding.bounds_j
    )
    bounds = f"bounds of the mean: {lower} to {upper}, each at {confidence_text(finding.alpha)}"
    advice, *others = _advice(finding, subject)
    return Paragraph(
        headline=_headline(finding, subject),
        cause=_cause(subject.record) if doubt is None else busy_text(doubt.share),
        advice=advice,
        details=(subject.energy, bounds, *spread_notes(finding.spread, "one round has no spread", "rounds")),
        other_advice=tuple(others),
    )


def unknown_budget(finding: BudgetUnknown, subject: Subject) -> Paragraph:
    limit = to_text(finding.limit_j, "J", digits=12)
    return Paragraph(
        headline=f"not checked: {limit} allowed {_unit_text(finding)}, but its joules are not known",
        cause=finding.because,
        advice=subject.more_rounds,
        details=(subject.energy,),
    )


def _advice(finding: AgainstBudget, subject: Subject) -> tuple[str, ...]:
    match finding.verdict:
        case Verdict.OVER_BUDGET:
            return ("Use less energy, or raise the budget in the test's energy marker.",)
        case Verdict.INCONCLUSIVE:
            return (subject.more_rounds,) if finding.doubt is None else subject.when_quiet
        case _:
            return ("",)


def _headline(finding: AgainstBudget, subject: Subject) -> str:
    """Such as `200 % of the budget: 100.00 +- 0.40 J, allowed 50 J per round`."""
    limit_j, unit = finding.limit_j, _unit_text(finding)
    energy = subject.brief_energy
    if finding.unit != "round":
        energy = marked(joules_beside(finding.mean_j, limit_j), subject.record)
    if math.isinf(finding.bounds_j[1]):
        energy = f"at least {energy}"
    share = f"{_share(finding.mean_j / limit_j)} the budget: " if limit_j > 0 else ""
    return f"{share}{energy}, allowed {to_text(limit_j, 'J', digits=12)} {unit}"


def _unit_text(finding: AgainstBudget | BudgetUnknown) -> str:
    return _UNITS.get(finding.unit, f"in the phase {printable(finding.phase)}")


def _share(ratio: float) -> str:
    """Percent up to ten budgets, a factor above.

    >>> _share(2.0), _share(3000.4)
    ('200 % of', '3,000 times')
    """
    return f"{share_text(ratio)} of" if ratio < _LEAST_FACTOR else f"{ratio:,.0f} times"


def _cause(record: Record) -> str:
    """What the joules are made of: seconds and watts, and the channels if there are several."""
    if not record.duration_s or record.power_w is None:
        return ""
    product = f"{to_text(record.duration_s, 's')} per round at {to_text(record.power_w, 'W')}"
    channels = record.channels or {}
    if len(channels) < 2:
        return product
    texts = (f"{name} {to_text(energy_j, 'J')}" for name, energy_j in sorted(channels.items()))
    return f"{product}: {', '.join(texts)}"
