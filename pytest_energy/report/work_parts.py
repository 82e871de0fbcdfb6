"""What the parts of a work used: types of layers, and operators, as the metrics of a record hold them. Pure.

Rule 1: a share is of all parts together. They were replayed alone, so how much of the whole they explain is
    beside them.
Rule 2: a part without joules leaves all of them without shares, and the reason is reported.
"""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from pytest_energy.judgement import Judgement
from pytest_energy.model import Provenance, Record
from pytest_energy.report.cells import energy
from pytest_energy.report.text import sentence, short
from pytest_energy.report.view import View

_LAYER = re.compile(r"layer_(?P<name>[a-z]+?)(_(?P<stage>forward|backward))?_energy_j")
_OPERATOR = re.compile(r"operator_(?P<stage>forward|backward|optimiser)_(?P<name>.+)_active_energy_j")
_STAGES = ("forward", "backward", "optimiser")
_SHOWN = 6  # parts in a line; the others are summed up
_HIDDEN_SHARE = 0.005  # less is not worth a word


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkParts:
    """The parts of one test's work.

    Attributes:
        name: Of the test or its model.
        kind: `layers` or `operators`.
        by_name: Joules of each type of layer, or active joules of each operator, the largest first.
        by_stage: The same of forward pass, backward pass and optimiser; empty for a forward pass alone.
        explained_share: Joules of the parts over those of the whole; `None` if not known.
        absent_because: Why there are no shares, or empty.
    """

    name: str
    kind: str
    provenance: Provenance
    by_name: Mapping[str, float]
    by_stage: Mapping[str, float]
    explained_share: float | None
    absent_because: str = ""

    @property
    def energy_j(self) -> float:
        """Joules of all parts."""
        return math.fsum(self.by_name.values())

    @property
    def shares(self) -> dict[str, float]:
        """By rule 1, the largest first; none without joules."""
        whole_j = self.energy_j
        return {name: energy_j / whole_j for name, energy_j in self.by_name.items()} if whole_j > 0 else {}


@dataclass(frozen=True, slots=True, kw_only=True)
class LayersOfTests:
    """Tests whose layers are beside one another: of one group, machine, provenance and kind of work.

    Attributes:
        judgements: All that it is made of.
    """

    group: str
    provenance: Provenance
    is_training: bool
    tests: tuple[WorkParts, ...]
    judgements: tuple[Judgement, ...] = field(repr=False)

    @property
    def model(self) -> str:
        """What its figure is called."""
        return f"{self.group}, {'training step' if self.is_training else 'forward pass'}"


def parts_of(record: Record) -> tuple[WorkParts, ...]:
    """Layers and operators of *record*, as far as it has them."""
    both = (_parts(record, "layers", _LAYER), _parts(record, "operators", _OPERATOR))
    return tuple(one for one in both if one is not None)


def _parts(record: Record, kind: str, pattern: re.Pattern[str]) -> WorkParts | None:
    found = [(match, value) for name, value in record.metrics.items() if (match := pattern.fullmatch(name))]
    if not found:
        return None
    lost = next((match[0] for match, value in found if value is None), None)
    by_name: dict[str, float] = {}
    by_stage: dict[str, float] = {}
    for match, value in found if lost is None else ():
        stage = match["stage"] or ("optimiser" if match["name"] == "optimiser" else "")
        by_name[match["name"]] = by_name.get(match["name"], 0.0) + (value or 0.0)
        by_stage[stage] = by_stage.get(stage, 0.0) + (value or 0.0)
    has_stages = any(stage in by_stage for stage in _STAGES)
    return WorkParts(
        name=record.model or record.test_id.rpartition("::")[2],
        kind=kind,
        provenance=record.provenance,
        by_name=dict(sorted(by_name.items(), key=lambda entry: -entry[1])),
        by_stage={stage: by_stage[stage] for stage in _STAGES if has_stages and stage in by_stage},
        explained_share=record.metrics.get(f"{kind}_explained_share"),
        absent_because="" if lost is None else record.absent.get(lost, "a part has no joules"),
    )


def layers_of_tests(run: View) -> tuple[LayersOfTests, ...]:
    """The tests of *run* that have joules by layer, in the order met."""
    members: dict[tuple[object, ...], list[tuple[WorkParts, Judgement]]] = {}
    for judgement in run.judgements:
        record = judgement.record
        for parts in parts_of(record):
            if parts.kind == "layers" and parts.shares:
                key = (record.group, record.provenance, record.machine.key, bool(parts.by_stage))
                members.setdefault(key, []).append((parts, judgement))
    return tuple(map(_beside, members.values()))


def _beside(members: Sequence[tuple[WorkParts, Judgement]]) -> LayersOfTests:
    first, judgement = members[0]
    return LayersOfTests(
        group=judgement.record.group or "layers",
        provenance=first.provenance,
        is_training=bool(first.by_stage),
        tests=tuple(parts for parts, _ in members),
        judgements=tuple(one for _, one in members),
    )


# ---- in words ----


def lines(run: View) -> list[str]:
    """A line for the layers of each test, and one for its operators."""
    return [_line(parts) for judgement in run.judgements for parts in parts_of(judgement.record)]


def _line(parts: WorkParts) -> str:
    """Such as `resnet18: layers 1.2 J, convolution 71 %, normalisation 20 %; 97 % of the whole explained`."""
    if not parts.shares:
        because = sentence(parts.absent_because) or "the parts used no joules"
        return f"{short(parts.name)}: no shares of its {parts.kind}: {because}"
    active = " active" if parts.kind == "operators" else ""
    head = f"{short(parts.name)}: {parts.kind} {energy(parts.provenance, parts.energy_j)}{active}"
    text = ", ".join([head, *_share_texts(parts.shares)])
    by_stage = {stage: energy_j / parts.energy_j for stage, energy_j in parts.by_stage.items()}
    stages = ", ".join(_share_texts(by_stage)) if by_stage else ""
    known = parts.explained_share
    explained = "" if known is None else f"{100 * known:.0f} % of the whole explained"
    return "; ".join(filter(None, (text, stages, explained)))


def _share_texts(shares: Mapping[str, float]) -> Iterator[str]:
    shown = [(name, share) for name, share in shares.items() if share >= _HIDDEN_SHARE][:_SHOWN]
    yield from (f"{short(name)} {100 * share:.0f} %" for name, share in shown)
    rest = 1.0 - math.fsum(share for _, share in shown)
    if rest >= _HIDDEN_SHARE:
        yield f"the rest {100 * rest:.0f} %"
