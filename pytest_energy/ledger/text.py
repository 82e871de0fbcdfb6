"""The ledger in words and tables: for a terminal, for Markdown, and for programs. Pure.

Rule 1: an estimate is called one in each head; a figure without an interval says so.
"""

import math
from collections.abc import Callable, Sequence

from pytest_energy.ledger import footprint
from pytest_energy.ledger.cells import Block, Cell, Design
from pytest_energy.ledger.effects import BreakEven, Effect, Ledger, Worth
from pytest_energy.report import screen
from pytest_energy.report.inert_markdown import code, sentence
from pytest_energy.report.text import ORIGINS, commit_text, tick
from pytest_energy.tariff import Tariff
from pytest_energy.units import to_text

_WORDS = {"practices on", "practice", "practices", "of", "uses fewer joules"}
Table = tuple[Sequence[str], Sequence[Sequence[str]]]


def render(ledger: Ledger, requests: Sequence[float], tariff: Tariff | None = None) -> str:
    """For a terminal."""
    lines: list[str] = []
    for title, (heads, rows) in _tables(ledger, requests, tariff, str):
        alignment = "".join("<" if head in _WORDS else ">" for head in heads)
        lines += [title, *screen.table(heads, rows, alignment), ""]
    return "\n".join([heading(ledger.design), "", *lines, *notes(ledger, tariff)])


def render_markdown(ledger: Ledger, requests: Sequence[float], tariff: Tariff | None = None) -> str:
    """For a page."""
    lines = [heading(ledger.design), ""]
    for title, (heads, rows) in _tables(ledger, requests, tariff, code):
        lines += [
            f"**{title}**",
            "",
            _row(heads),
            _row(["---" if head in _WORDS else "--:" for head in heads]),
        ]
        lines += [*map(_row, rows), ""]
    return "\n".join([*lines, *(f"- {sentence(note)}" for note in notes(ledger, tariff))]) + "\n"


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def heading(design: Design) -> str:
    """The size of the ledger, its machine and its joules."""
    blocks = f"{design.block_count} {'runs' if design.is_in_turns else 'rounds'}"
    hardware = design.machine.fixed.get("gpu_model") or design.machine.key
    return ", ".join(
        (
            f"{len(design.cells)} combinations of {len(design.practices)} practices",
            f"{blocks} of each",
            hardware,
            f"{design.provenance} {design.basis} joules",
            commit_text(design.machine),
        )
    )


def notes(ledger: Ledger, tariff: Tariff | None = None) -> list[str]:
    """What a reader must know."""
    design = ledger.design
    lines = ["Intervals are 95 %, from the differences within each block (Student's t, Fieller)."]
    if design.block_count < 2:
        lines = ["One block: there are no intervals. Give several runs, or more rounds."]
    if not design.is_in_turns:
        lines.append(
            "Blocks are rounds of one run. Its tests ran one after another, so drift between them is in the "
            "differences. Several runs in changing order separate it."
        )
    if design.basis == "net":
        lines.append("Net joules are without idle power.")
    if any(cell.accuracy is None for cell in design.cells):
        lines.append("Accuracy is missing: the tests did not record it (energy.record(accuracy=...)).")
    if tariff is not None:
        lines.append(footprint.note(tariff))
    return lines


def _tables(
    ledger: Ledger, requests: Sequence[float], tariff: Tariff | None, name: Callable[[str], str]
) -> list[tuple[str, Table]]:
    design = ledger.design
    of = ORIGINS[design.provenance]
    tables = [
        (f"{of}energy of each combination", _cells(design, requests, name)),
        ("what each practice changes (on less off)", _effects(ledger, name)),
        ("when a practice is worth it", _worth(ledger, requests, name)),
    ]
    if ledger.interactions:
        tables.insert(2, ("what two practices change beyond the sum of both", _interactions(ledger, name)))
    if tariff is not None:
        tables += footprint.tables(ledger, requests, tariff, name)
    return tables


def _cells(design: Design, requests: Sequence[float], name: Callable[[str], str]) -> Table:
    has_accuracy = any(cell.accuracy is not None for cell in design.cells)
    heads = (
        "practices on",
        *(["accuracy"] if has_accuracy else []),
        *(f"{phase}" for phase in design.phases),
        "once",
        f"{design.serve}/request",
        *(f"per request of {tick(count)}" for count in requests),
    )
    best = {count: min(cell.amortised_j(count) for cell in design.cells) for count in requests}
    rows = []
    for cell in design.cells:
        amortised = [(cell.amortised_j(count), best[count]) for count in requests]
        rows.append(
            (
                name(design.name_of(cell)),
                *([_share(cell.accuracy)] if has_accuracy else []),
                *(_phase(cell, phase) for phase in design.phases),
                _joules(cell.once_j),
                _joules(cell.request_j),
                *(f"{_joules(value)}{' *' if value == least else ''}" for value, least in amortised),
            )
        )
    return heads, rows


def _phase(cell: Cell, name: str) -> str:
    """Mean joules of a phase; a dash where the combination does not have it."""
    values = [block.phases_j[name] for block in cell.blocks if name in block.phases_j]
    return _joules(sum(values) / len(cell.blocks)) if values else "-"


def _effects(ledger: Ledger, name: Callable[[str], str]) -> Table:
    rows = [
        (name(one.practices[0]), one.of_what, *_change(one, _off(ledger.design, one)))
        for one in ledger.effects
        if one.of_what not in ledger.design.phases or len(ledger.design.phases) > 1
    ]
    return ("practice", "of", "change", "95 %", "share"), rows


def _off(design: Design, effect: Effect) -> float | None:
    """Mean of the combinations that have the practice off: what its change is a share of."""
    if effect.of_what == "accuracy":
        return None
    place = design.practices.index(effect.practices[0])
    values = [
        _quantity(block, effect.of_what)
        for cell in design.cells
        if not cell.combination[place]
        for block in cell.blocks
    ]
    return sum(values) / len(values)


def _quantity(block: Block, of_what: str) -> float:
    if of_what == "once":
        return block.once_j
    return block.request_j if of_what == "request" else block.phases_j.get(of_what, 0.0)


def _change(one: Effect, off_j: float | None = None) -> tuple[str, str, str]:
    """The change, its interval, and its share of the mean without the practice."""
    if one.of_what == "accuracy":
        ends = "-" if one.interval is None else "[{:+.2f}, {:+.2f}]".format(*(100 * e for e in one.interval))
        return f"{100 * one.value:+.2f} points", ends, ""
    ends = "-" if one.interval is None else f"[{', '.join(map(_joules, one.interval))}]"
    share = f"{100 * one.value / off_j:+.1f} %" if off_j is not None and off_j > 0 else ""
    return _joules(one.value), ends, share


def _interactions(ledger: Ledger, name: Callable[[str], str]) -> Table:
    rows = [(name(" + ".join(one.practices)), one.of_what, *_change(one)[:2]) for one in ledger.interactions]
    return ("practices", "of", "change", "95 %"), rows


def _worth(ledger: Ledger, requests: Sequence[float], name: Callable[[str], str]) -> Table:
    heads = ("practice", "uses fewer joules", *(f"net saving over {tick(count)}" for count in requests))
    return heads, [
        (
            name(one.practice),
            worth_text(one),
            *(" ".join(_change(ledger.net_saving(one.practice, count))[:2]) for count in requests),
        )
        for one in ledger.break_evens
    ]


def worth_text(one: BreakEven) -> str:
    """Such as `from 120 requests on [95, 180]`."""
    if one.worth is Worth.NOTHING:
        return str(one.worth)
    if one.requests is None:
        return f"{one.worth} (by the means)"
    text = f"{one.worth} {_count(one.requests)} requests{' on' if one.worth is Worth.FROM else ''}"
    if one.interval is None:
        return f"{text} [any number]"
    lower, upper = one.interval
    return f"{text} [{_count(lower)}, {'no limit' if math.isinf(upper) else _count(upper)}]"


def _count(value: float) -> str:
    return f"{value:,.0f}" if value < 1e6 else tick(value)


def _joules(value: float) -> str:
    return to_text(value, "J", digits=3)


def _share(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.2f} %"


def as_json(ledger: Ledger, requests: Sequence[float], tariff: Tariff | None = None) -> dict[str, object]:
    """For programs: joules, requests and shares; what is unknown is null."""
    design = ledger.design
    return {
        **({} if tariff is None else {"footprint": footprint.as_json(ledger, requests, tariff)}),
        "machine": design.machine.key,
        "provenance": str(design.provenance),
        "basis": design.basis,
        "practices": [*design.practices],
        "serve": design.serve,
        "block_count": design.block_count,
        "is_in_turns": design.is_in_turns,
        "combinations": [
            {
                "on": dict(zip(design.practices, cell.combination, strict=True)),
                "accuracy": cell.accuracy,
                "once_j": cell.once_j,
                "energy_per_request_j": cell.request_j,
                "amortised_j": {f"{count:g}": cell.amortised_j(count) for count in requests},
                "blocks": [
                    {
                        "phases_j": dict(block.phases_j),
                        "energy_per_request_j": block.request_j,
                        "accuracy": block.accuracy,
                    }
                    for block in cell.blocks
                ],
            }
            for cell in design.cells
        ],
        "effects": [_effect_json(one) for one in (*ledger.effects, *ledger.interactions)],
        "break_evens": [
            {
                "practice": one.practice,
                "worth": str(one.worth),
                "requests": one.requests,
                "interval": None
                if one.interval is None
                else [None if math.isinf(end) else end for end in one.interval],
                "net_savings": {
                    f"{count:g}": _effect_json(ledger.net_saving(one.practice, count)) for count in requests
                },
            }
            for one in ledger.break_evens
        ],
    }


def _effect_json(one: Effect) -> dict[str, object]:
    return {
        "practices": [*one.practices],
        "of": one.of_what,
        "value": one.value,
        "interval": None if one.interval is None else [*one.interval],
    }
