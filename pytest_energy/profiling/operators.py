"""Joules by operator: forward, backward and optimiser.

Rule 1: the operators of one real call are kept with what they were given (`operator_calls`); those of one
    name and stage are replayed together, alone, in windows of their own (`operator_replay`).
Rule 2: what isn't replayed (waits, collectives, what runs outside torch) isn't shared out: the share
    explained says what the groups sum up to.

Joules are active: a device that waits in between draws ready power, which is no operator's. Apart, operators
lose what the one before left in a cache, and the overlap of host and device; so the sum may be above 100 %.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from pytest_energy.errors import Absent
from pytest_energy.profiling.capture import free_bytes
from pytest_energy.profiling.costs import (
    Cost,
    Explained,
    PowerOf,
    Rounds,
    TakeRounds,
    cost_text,
    costs_of,
    reasons_of,
)
from pytest_energy.profiling.lazy_torch import torch
from pytest_energy.profiling.operator_calls import Stage, captured_operators
from pytest_energy.profiling.operator_replay import (
    Group,
    Groups,
    as_it_was,
    grouped,
    most_groups,
    time_shares,
)
from pytest_energy.work import CallWork


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorPart:
    """All calls of an operator in one stage, or of several that are small.

    Attributes:
        stage: `forward`, `backward` or `optimiser`.
        name: Name of the operator, such as `aten::convolution`; `other operators` for several.
        names: Names of the operators in it.
        call_count: Calls in one call of the work.
        cost: Cost of all these calls together.
    """

    stage: Stage
    name: str
    names: tuple[str, ...]
    call_count: int
    cost: Cost

    @property
    def key(self) -> str:
        """Names it among the metrics: `forward_convolution`."""
        name = self.name.removeprefix("aten::").replace("::", "_").replace(" ", "_")
        return f"{self.stage}_{name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorEnergy:
    """Energy of a call of the work, whole and by operator.

    Attributes:
        whole: The whole call.
        parts: By stage, in each the longest first; none if they could not be measured.
        parts_absent_because: Why there are none, or `None`.
        notes: Remarks on the parts, one sentence each.
    """

    whole: Cost
    parts: tuple[OperatorPart, ...] = ()
    parts_absent_because: str | None = None
    notes: tuple[str, ...] = ()

    @property
    def explained(self) -> Explained:
        """What the parts sum up to."""
        return Explained(whole=self.whole, parts=tuple(part.cost for part in self.parts))

    @property
    def explained_share(self) -> float | None:
        """Active joules of all parts over those of the whole; may be above 1. `None` if one is absent."""
        return self.explained.active_share if self.parts else None

    @property
    def explained_share_uncertainty(self) -> float | None:
        """Standard uncertainty of `explained_share`."""
        return self.explained.active_share_uncertainty if self.parts else None

    @property
    def explained_time_share(self) -> float | None:
        """Seconds of all parts over those of the whole; above 1 where the host is slower than the device."""
        return self.explained.time_share if self.parts else None

    @property
    def stage_shares(self) -> Mapping[Stage, float | None]:
        """Active joules of the parts of each stage over those of the whole."""
        return {
            stage: Explained(
                whole=self.whole, parts=tuple(part.cost for part in self.parts if part.stage is stage)
            ).active_share
            for stage in dict.fromkeys(part.stage for part in self.parts)
        }

    @property
    def absent_because(self) -> str | None:
        """Why there is no share explained, or `None`."""
        if self.explained_share is not None:
            return None
        return self.whole.absent_because or self.parts_absent_because or self.explained.active_absent_because

    @property
    def metrics(self) -> dict[str, float | None]:
        """The figures under the names that a record keeps them by."""
        return {name: figure for name, (figure, _) in self._figures.items()}

    @property
    def absent(self) -> dict[str, str]:
        """Why each of `metrics` that is `None` is."""
        return reasons_of(self._figures)

    @property
    def _figures(self) -> dict[str, tuple[float | None, str | None]]:
        figures: dict[str, tuple[float | None, str | None]] = {}
        for part in self.parts:
            cost, name = part.cost, f"operator_{part.key}"
            figures[f"{name}_active_energy_j"] = (cost.active_energy_j, cost.active_absent_because)
            figures[f"{name}_uncertainty_j"] = (cost.active_uncertainty_j, cost.active_absent_because)
            figures[f"{name}_energy_j"] = (cost.energy_j, cost.absent_because)
            figures[f"{name}_duration_s"] = (cost.duration_s, cost.absent_because)
        for stage, share in self.stage_shares.items():
            figures[f"operators_{stage}_share"] = (share, self.absent_because)
        for name in ("explained_share", "explained_share_uncertainty", "explained_time_share"):
            figures[f"operators_{name}"] = (getattr(self, name), self.absent_because)
        return figures

    def __str__(self) -> str:
        """A line for each operator and stage, and what they sum up to."""
        is_active = self.whole.active_energy_j is not None
        width = max((len(part.name) for part in self.parts), default=0)
        lines = [
            f"{part.stage:9}  {part.name:{width}}  {part.call_count:5} calls  "
            f"{cost_text(part.cost, self.whole, is_active=is_active)}"
            for part in self.parts
        ]
        kind = "" if self.whole.energy_j is None else ", active joules" if is_active else ", joules"
        lines.append(f"the whole: {cost_text(self.whole, self.whole, is_active=is_active).strip()}{kind}")
        notes = filter(None, (*self.notes, self.explained.note if self.parts else None))
        return "\n".join([*lines, *self._share_lines(), *notes])

    def _share_lines(self) -> list[str]:
        share, uncertainty = self.explained_share, self.explained_share_uncertainty
        if share is None or uncertainty is None:
            return [f"no share of the active joules is explained: {self.absent_because}"]
        stages = ", ".join(
            f"{stage} {100 * part:.1f} %" for stage, part in self.stage_shares.items() if part is not None
        )
        return [f"the operators explain {100 * share:.1f} +- {100 * uncertainty:.1f} % of it: {stages}"]


def measure_operators(
    work: Callable[[], object],
    whole: Rounds,
    take_rounds: TakeRounds,
    ready_power: PowerOf,
    *,
    time_s: float | None,
    notes: Sequence[str] = (),
    free: "Callable[[torch.device], int | None]" = free_bytes,
) -> OperatorEnergy:
    """Energy of *work* by operator. Nothing of the work is changed by the replay.

    Args:
        work: Called once more, to see its operators.
        whole: Its rounds, or why there are none; then no operator is run.
        take_rounds: Measures the groups.
        ready_power: Tells it.
        time_s: Seconds for all groups together; `None` if their joules are replayed from a file.
        notes: What a reader should know of *work*.
        free: Memory left on a device, in bytes.
    """
    whole_cost = Cost.of(whole)
    if isinstance(whole, Absent) or whole_cost.absent_because is not None:
        return OperatorEnergy(whole=whole_cost)
    captured = captured_operators(work, free)
    if isinstance(captured, Absent):
        return OperatorEnergy(whole=Cost.of(whole, ready_power(whole)), parts_absent_because=captured.because)
    with as_it_was(captured.calls):
        most_count = most_groups(60.0 if time_s is None else time_s)
        groups = grouped(captured.calls, lambda call: call.name, most_count=most_count)
        rounds = rounds_of(groups.groups, take_rounds, time_s)
    return _result(whole, groups, rounds, ready_power, (*notes, *captured.notes))


def rounds_of(
    groups: Sequence[Group], take_rounds: TakeRounds, time_s: float | None, time_share: float = 1.0
) -> list[Rounds]:
    """The rounds of each group in windows of its own, in *time_s*, which is *time_share* of the test's."""
    results: list[Rounds] = []
    for group, share in zip(groups, time_shares(groups), strict=True):
        count = 1 if time_s is None else group.calls_a_round(share * time_s)
        work = CallWork(call=group.again, call_count=count, may_repeat=False)
        results.append(take_rounds(work, f"{group.stage}:{group.name}", share * time_share))
    return results


def _result(
    whole: Rounds,
    groups: Groups,
    rounds: Sequence[Rounds],
    ready_power: PowerOf,
    notes: tuple[str, ...],
) -> OperatorEnergy:
    total, costs = costs_of(whole, rounds, ready_power)
    return OperatorEnergy(
        whole=total,
        parts=tuple(
            OperatorPart(
                stage=group.stage,
                name=group.name,
                names=group.names,
                call_count=len(group.calls),
                cost=cost,
            )
            for group, cost in zip(groups.groups, costs, strict=True)
        ),
        notes=(*notes, *groups.notes),
    )
