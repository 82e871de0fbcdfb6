"""Combinations of practices, out of the runs in which each was a test. Pure.

Rule 1: a test is a combination if it has recorded `practice_NAME` for each practice, 1 or 0. Others are no
part of the ledger.
Rule 2: a block holds every combination once: a run of several, else a round of a single run.
Rule 3: all joules of a ledger are of one machine and one provenance.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from statistics import fmean
from typing import Literal

from pytest_energy.errors import SettingsError
from pytest_energy.model import Machine, Provenance, Reading, Record
from pytest_energy.report.view import View
from pytest_energy.spelling import listed

PREFIX = "practice_"
"""Of the metrics that say whether a practice is on."""

MOST_PRACTICES = 5
"""32 combinations: more are no test of anybody's."""

Basis = Literal["gross", "net"]
Combination = tuple[bool, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """One combination in one block.

    Attributes:
        phases_j: Joules of each phase that is paid once, in the order met.
        request_j: Joules of a served request.
        accuracy: As the test recorded it; `None` if it did not.
    """

    phases_j: Mapping[str, float]
    request_j: float
    accuracy: float | None

    @property
    def once_j(self) -> float:
        """Joules that are paid once."""
        return math.fsum(self.phases_j.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One combination of practices: its blocks, in the order of the design's."""

    combination: Combination
    blocks: tuple[Block, ...]

    @property
    def once_j(self) -> float:
        return fmean(block.once_j for block in self.blocks)

    @property
    def request_j(self) -> float:
        return fmean(block.request_j for block in self.blocks)

    @property
    def accuracy(self) -> float | None:
        """Mean of the blocks; `None` unless all have one."""
        values = [block.accuracy for block in self.blocks if block.accuracy is not None]
        return fmean(values) if len(values) == len(self.blocks) else None

    def amortised_j(self, requests: float) -> float:
        """Joules of a request with its share of what is paid once."""
        return self.once_j / requests + self.request_j


@dataclass(frozen=True, slots=True, kw_only=True)
class Design:
    """Every combination of the practices, in one or more blocks.

    Attributes:
        practices: Names, in the order recorded.
        serve: The phase that serves requests.
        cells: All combinations, by counting up: all off first.
        is_in_turns: Blocks are runs, so that what drifts from test to test is not in the differences alone.
    """

    practices: tuple[str, ...]
    serve: str
    basis: Basis
    machine: Machine
    provenance: Provenance
    cells: tuple[Cell, ...]
    is_in_turns: bool

    @property
    def phases(self) -> tuple[str, ...]:
        """Phases that are paid once, in the order met."""
        return tuple(dict.fromkeys(name for cell in self.cells for name in cell.blocks[0].phases_j))

    @property
    def block_count(self) -> int:
        return len(self.cells[0].blocks)

    def name_of(self, cell: Cell) -> str:
        """The practices that are on, or `none`."""
        on = [name for name, is_on in zip(self.practices, cell.combination, strict=True) if is_on]
        return " + ".join(on) or "none"


def design_of(runs: Sequence[tuple[str, View]], *, serve: str = "serve", basis: Basis = "gross") -> Design:
    """The design that *runs* hold, each with the name of its file.

    Raises:
        SettingsError: A combination is missing or twice in a run, joules are missing, or the runs don't
            belong together. It names the file and the test.
    """
    found = [(name, _records(name, view)) for name, view in runs]
    practices = _practices(found)
    first = next(iter(found[0][1]))
    tables = [_by_combination(name, records, practices) for name, records in found]
    for name, records in found:
        for record in records:
            _check_alike(name, record, first)
    names = [name for name, _ in runs]
    blocks = [
        (name, {combination: _rounds(name, one, serve, basis) for combination, one in table.items()})
        for name, table in zip(names, tables, strict=True)
    ]
    is_in_turns = len(blocks) > 1
    cells = []
    for combination in product((False, True), repeat=len(practices)):
        rounds = [table[combination] for _, table in blocks]
        of_blocks = [_mean_of(one) for one in rounds] if is_in_turns else [*rounds[0]]
        cells.append(Cell(combination=combination, blocks=tuple(of_blocks)))
    if not is_in_turns:  # a round that one of the combinations lacks is no block
        count = min(len(cell.blocks) for cell in cells)
        cells = [Cell(combination=one.combination, blocks=one.blocks[:count]) for one in cells]
    return Design(
        practices=practices,
        serve=serve,
        basis=basis,
        machine=first.machine,
        provenance=first.provenance,
        cells=tuple(cells),
        is_in_turns=is_in_turns,
    )


def _records(name: str, view: View) -> list[Record]:
    records = [one.record for one in view.judgements if _practices_of(one.record)]
    if not records:
        raise SettingsError(
            f"{name} has no test with practices. Record them: "
            "energy.record(practice_amp=1, practice_int8=0), in each test 1 or 0"
        )
    return records


def _practices_of(record: Record) -> tuple[str, ...]:
    return tuple(name.removeprefix(PREFIX) for name in record.metrics if name.startswith(PREFIX))


def _practices(found: Iterable[tuple[str, Sequence[Record]]]) -> tuple[str, ...]:
    names: dict[str, None] = {}
    for _, records in found:
        for record in records:
            names |= dict.fromkeys(_practices_of(record))
    if len(names) > MOST_PRACTICES:
        raise SettingsError(
            f"{len(names)} practices ({listed(names)}); a ledger has at most {MOST_PRACTICES}"
        )
    return tuple(names)


def _by_combination(
    name: str, records: Iterable[Record], practices: tuple[str, ...]
) -> dict[Combination, Record]:
    table: dict[Combination, Record] = {}
    for record in records:
        values = [record.metrics.get(PREFIX + practice) for practice in practices]
        for practice, value in zip(practices, values, strict=True):
            if value not in (0, 1):
                raise SettingsError(
                    f"{name}: {record.test_id}: {PREFIX}{practice} is {value}. Each test records 1 or 0"
                )
        combination = tuple(value == 1 for value in values)
        if combination in table:
            raise SettingsError(
                f"{name}: {table[combination].test_id} and {record.test_id} have the same practices: "
                f"{_words(practices, combination)}. Give each combination once per run"
            )
        table[combination] = record
    for combination in product((False, True), repeat=len(practices)):
        if combination not in table:
            raise SettingsError(
                f"{name} has no test with {_words(practices, combination)}: "
                f"{len(practices)} practices need {2 ** len(practices)} tests, this run has {len(table)}"
            )
    return table


def _words(practices: Sequence[str], combination: Combination) -> str:
    return ", ".join(
        f"{name} {'on' if is_on else 'off'}" for name, is_on in zip(practices, combination, strict=True)
    )


def _check_alike(name: str, record: Record, first: Record) -> None:
    where = f"{name}: {record.test_id}"
    if record.machine.key != first.machine.key:
        raise SettingsError(f"{where}: measured on {record.machine.key}, the first on {first.machine.key}")
    if record.provenance is not first.provenance:
        raise SettingsError(
            f"{where}: its joules are {record.provenance}, those of the first are {first.provenance}"
        )
    own, others = (", ".join(sorted(one.channels or ())) for one in (record, first))
    if record.is_measured and first.is_measured and own != others:
        raise SettingsError(f"{where}: its joules are those of {own}, those of the first are of {others}")


def _rounds(name: str, record: Record, serve: str, basis: Basis) -> tuple[Block, ...]:
    where = f"{name}: {record.test_id}"
    if not record.is_measured:
        because = record.void_because or record.unmeasured_because or "it has no joules"
        raise SettingsError(f"{where} is no part of a ledger: {because}")
    idle_w = record.idle_power_w
    if basis == "net" and not idle_w:
        raise SettingsError(
            f"{where}: idle power is not known, so there are no net joules. Use --basis gross"
        )
    return tuple(
        _block(where, reading, record, serve, 0.0 if basis == "gross" else math.fsum((idle_w or {}).values()))
        for reading in record.usable_rounds
    )


def _block(where: str, reading: Reading, record: Record, serve: str, idle_w: float) -> Block:
    phases_j: dict[str, float] = {}
    served = 0
    for phase in reading.phases:
        if phase.energy_j is None:
            because = next(iter(phase.quality), "it is too short to be measured")
            raise SettingsError(f"{where}: the phase {phase.name} has no joules: {because}")
        net_j = phase.energy_j - idle_w * phase.duration_s
        phases_j[phase.name] = phases_j.get(phase.name, 0.0) + net_j
        served += (phase.samples or 0) if phase.name == serve else 0
    if serve not in phases_j:
        raise SettingsError(
            f"{where} has no phase {serve!r}, in which requests are served. It has "
            f"{listed(phases_j) if phases_j else 'none'}. Name it with --serve"
        )
    if not served:
        raise SettingsError(
            f"{where}: the phase {serve!r} has no number of requests. "
            f"Give it: energy.window({serve!r}, samples=1000)"
        )
    request_j = phases_j.pop(serve) / served
    return Block(phases_j=phases_j, request_j=request_j, accuracy=record.metrics.get("accuracy"))


def _mean_of(rounds: Sequence[Block]) -> Block:
    """A run's combination as one block."""
    names = dict.fromkeys(name for one in rounds for name in one.phases_j)
    return Block(
        phases_j={name: fmean(one.phases_j.get(name, 0.0) for one in rounds) for name in names},
        request_j=fmean(one.request_j for one in rounds),
        accuracy=rounds[0].accuracy,
    )
