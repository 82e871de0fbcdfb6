"""The tables of one test: its numbers, facts, rounds, sessions of the baseline, and what is absent. Pure.

Rule 1: a reason is given once, for all that is absent because of it.
"""

from collections.abc import Mapping, Sequence

from pytest_energy.codec import JsonDict
from pytest_energy.judgement import Comparison, Judgement, PhaseComparison
from pytest_energy.meter.scope import estimated_j, scope_text
from pytest_energy.model import Provenance, Reading, Record
from pytest_energy.report import cells, served_phases
from pytest_energy.report.charts.rounds import names_of
from pytest_energy.report.phases import PhaseMean, change_text, verdict_text
from pytest_energy.report.text import DAY_LENGTH, tick
from pytest_energy.units import to_text
from pytest_energy.verdict.figures import count_text
from pytest_energy.verdict.prediction_words import prediction_texts


def pair(name: str, text: str) -> list[str]:
    return [cells.printable(name), cells.printable(text)]


def net_energies(record: Record) -> dict[str, float]:
    """As `cells.net`, to sort by."""
    head, net_j = cells.NET_HEADS.get(record.group or ""), record.net_energy_j
    return {} if head is None or net_j is None else {head: net_j}


# ---- what was measured ----


def numbers(judgement: Judgement) -> list[list[str]]:
    """What was measured and what is allowed, the most wanted first."""
    record, comparison, provenance = judgement.record, judgement.comparison, judgement.record.provenance
    if record.energy_j is None:
        return []
    net_name = cells.NET_HEADS.get(record.group or "")
    energy_j, error_j = (
        (record.energy_j, None)
        if judgement.summary is None
        else (judgement.summary.energy_j, judgement.summary.uncertainty_j)
    )
    figures = {
        "energy per round": cells.energy(provenance, energy_j, error_j),
        "95 % interval": _interval_text(judgement),
        "baseline": None if comparison is None else _baseline_text(comparison),
        "change": None if comparison is None else cells.change(comparison),
        **_budgets(judgement),
        f"above idle power{f' ({net_name})' if net_name else ''}": _joules(record, record.net_energy_j),
        "above ready power": _joules(record, record.active_energy_j),
        "energy per sample": _joules(record, record.energy_per_sample_j),
        **served_phases.texts(record),
        **{f"energy of {role}": text for role, text in cells.role_texts(record).items()},
        "mean power": None
        if record.power_w is None
        else f"{cells.power(record.provenance, record.power_w)} W",
        "duration of a round": f"{cells.duration(provenance, record.duration_s)} s",
        "rounds": _count_text(record),
        "estimate, not added": _estimate_text(record),
        **prediction_texts(record),
    }
    return [pair(name, text) for name, text in figures.items() if text is not None]


def _joules(record: Record, energy_j: float | None) -> str | None:
    return None if energy_j is None else cells.energy(record.provenance, energy_j)


def _interval_text(judgement: Judgement) -> str | None:
    if judgement.summary is None:
        return None
    mark = cells.MARKS[judgement.record.provenance]
    return " to ".join(mark + to_text(end_j, "J", digits=5) for end_j in judgement.summary.energy_ci_j)


def _baseline_text(comparison: Comparison) -> str:
    of_what = f", {comparison.basis}" if comparison.basis else ""
    sessions = count_text(comparison.entry_count, "session")
    return f"{to_text(comparison.energy_j, 'J')} ({sessions}{of_what})"


def _budgets(judgement: Judgement) -> dict[str, str | None]:
    budget = judgement.budget
    limits_j = {
        "budget per round": budget.budget_j,
        "budget per sample": budget.budget_per_sample_j,
        "budget per token": budget.budget_per_token_j,
        "budget per prefill token": budget.budget_per_prefill_token_j,
        "budget per decode token": budget.budget_per_decode_token_j,
        "budget to the highest accuracy": budget.budget_j_to_accuracy,
        **{f"budget of {name}": limit_j for name, limit_j in (budget.phase_budgets_j or {}).items()},
    }
    return {name: None if limit_j is None else to_text(limit_j, "J") for name, limit_j in limits_j.items()}


def _count_text(record: Record) -> str:
    confirming = f", {record.confirming_count} of them confirming" if record.confirming_count else ""
    return f"{len(record.rounds)}{confirming}, after {record.warmup_count} to warm up"


def _estimate_text(record: Record) -> str | None:
    beside_j = estimated_j(record)
    return None if beside_j is None else f"CPU {cells.energy(Provenance.ESTIMATED, beside_j)}"


def facts(judgement: Judgement) -> list[list[str]]:
    """What describes the test and its work."""
    record = judgement.record
    known = {
        "test": record.test_id,
        "measured": record.created,
        "model": record.model,
        "group": record.group,
        "samples per round": None if record.samples is None else str(record.samples),
        "output tokens per round": None if record.output_tokens is None else str(record.output_tokens),
        "joules include": scope_text(record) or None,
        "outcome of the test": None if judgement.outcome == "passed" else judgement.outcome,
        "provenance of joules": None if record.provenance is Provenance.MEASURED else record.provenance.value,
        **record.workload,
        **record.engine_settings,
    }
    return [pair(name, text) for name, text in known.items() if text is not None]


def absent(reasons: Mapping[str, str]) -> list[list[str]]:
    """What is absent and why: a row for each reason.

    >>> absent({"power_w": "no sensor", "energy_j": "no sensor", "loss": "not recorded"})
    [['power_w, energy_j', 'no sensor'], ['loss', 'not recorded']]
    """
    names: dict[str, list[str]] = {}
    for name, because in reasons.items():
        names.setdefault(because, []).append(name)
    return [pair(", ".join(those), because) for because, those in names.items()]


# ---- phases, rounds, sessions ----


def phase_texts(
    phase: PhaseMean, provenance: Provenance, compared: PhaseComparison | None
) -> tuple[str, dict[str, str]]:
    """The share of the joules with the verdict, and the cells by the head of their column."""
    share = "" if phase.share is None else f"{100 * phase.share:.0f} %"
    energy_j, duration_s = phase.energy_j, phase.duration_s
    power_w = None if energy_j is None or duration_s <= 0 else energy_j / duration_s
    verdict = "" if compared is None else verdict_text(compared)
    return ", ".join(filter(None, (share, verdict))), {
        "energy": cells.energy(provenance, energy_j),
        "W": cells.power(provenance, power_w),
        "s": cells.duration(provenance, duration_s),
        cells.VS_BASELINE: "" if compared is None else change_text(compared),
    }


def sessions(comparison: Comparison | None) -> JsonDict | None:
    """Commit, day and level of each session of the baseline, the oldest first; `None` if not known."""
    if comparison is None or not comparison.entry_energies_j:
        return None
    levels = [to_text(level_j, "J") for level_j in comparison.entry_energies_j]
    names = names_of(comparison)
    days = [cells.printable(date[:DAY_LENGTH]) for date in comparison.entry_dates]
    of_what = f"energy ({cells.printable(comparison.basis)})" if comparison.basis else "energy per round"
    if len(days) != len(names) or tuple(days) == names:
        return {"head": ["session", of_what], "rows": [list(row) for row in zip(names, levels, strict=True)]}
    rows = [list(row) for row in zip(names, days, levels, strict=True)]
    return {"head": ["commit", "day", of_what], "rows": rows}


def rounds(record: Record) -> JsonDict | None:
    """The table of the rounds: a column for each channel if there are several."""
    if not record.rounds:
        return None
    names = list(dict.fromkeys(name for reading in record.rounds for name in reading.channels))
    channels = names if len(names) > 1 else []
    first_confirming = len(record.rounds) - record.confirming_count + 1
    rows = [
        [
            f"{number}{' (confirming)' if number >= first_confirming else ''}",
            *_round_cells(reading, record.provenance, channels),
            _round_notes(reading),
        ]
        for number, reading in enumerate(record.rounds, 1)
    ]
    head = ["round", "energy", "s", "W", *map(cells.printable, channels), "notes"]
    if not any(row[-1] for row in rows):
        head, rows = head[:-1], [row[:-1] for row in rows]
    return {"head": head, "rows": rows}


def _round_cells(reading: Reading, provenance: Provenance, channels: Sequence[str]) -> list[str]:
    energy_j, duration_s = reading.energy_j, reading.duration_s
    is_usable = energy_j is not None
    return [
        cells.energy(provenance, energy_j, reading.uncertainty_j),
        cells.duration(provenance, duration_s),
        cells.power(provenance, None if energy_j is None or duration_s <= 0 else energy_j / duration_s),
        *(cells.energy(provenance, reading.channels.get(name) if is_usable else None) for name in channels),
    ]


def _round_notes(reading: Reading) -> str:
    notes = [] if reading.void_because is None else [f"void: {reading.void_because}"]
    notes += reading.quality
    if reading.call_count != 1:
        notes.append(f"one of {reading.call_count} calls in a window")
    notes += [f"{name} {tick(degrees)} \N{DEGREE SIGN}C" for name, degrees in reading.temperatures_c.items()]
    return cells.printable("; ".join(notes))
