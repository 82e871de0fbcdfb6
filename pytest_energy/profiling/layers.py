"""Energy of a forward pass by the type of its layers.

Rule 1: each type is a window of its own: its layers are called one after the other with the inputs that they
had in the real pass, again and again, and so is the whole pass.
Rule 2: what is replayed is the work of the pass (see `capture`); where each call needs a fresh copy of its
input, a note says so.
Rule 3: what runs between the layers (additions, reshapes, attention called as a function) can't be replayed.
It is not shared out among the types: the share explained says what they sum up to.

The parts are not the whole cut in pieces. Apart they lose what follows them while it is still in a cache, the
overlap of host and device, and kernels fused across layers; in exchange they have no work between them. So
the sum may be above 100 % as well as below. Joules are gross: power at rest is in the parts as in the whole.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from pytest_energy.errors import Absent, EnergyError, NotMeasurable
from pytest_energy.model import Reading
from pytest_energy.profiling.capture import LayerCall, captured, eval_mode, free_bytes, out_of_place
from pytest_energy.profiling.layer_types import LayerType, layers_of
from pytest_energy.profiling.lazy_torch import torch
from pytest_energy.profiling.macs import count_macs_by, to_arguments, unwrapped
from pytest_energy.stats.compare import summarise
from pytest_energy.units import to_text, with_uncertainty_text
from pytest_energy.work import CallWork

# What it came to


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What is used for one forward pass. Joules are gross.

    Attributes:
        energy_j: Mean of the rounds, or `None`.
        uncertainty_j: Standard uncertainty of the mean, or `None`.
        duration_s: Mean of the rounds, or `None`.
        absent_because: Why they are `None`.
    """

    energy_j: float | None = None
    uncertainty_j: float | None = None
    duration_s: float | None = None
    absent_because: str | None = None

    @classmethod
    def of(cls, rounds: Sequence[Reading] | Absent) -> "Cost":
        """The mean cost of *rounds*, absent where they are."""
        if isinstance(rounds, Absent):
            return cls(absent_because=rounds.because)
        because = next((reading.void_because for reading in rounds if reading.void_because is not None), None)
        if because is not None:
            return cls(absent_because=because)
        try:
            summary = summarise(
                [reading.energy_j for reading in rounds if reading.energy_j is not None],
                [reading.uncertainty_j for reading in rounds],
            )
        except NotMeasurable as error:
            return cls(absent_because=str(error))
        return cls(
            energy_j=summary.energy_j,
            uncertainty_j=summary.uncertainty_j,
            duration_s=math.fsum(reading.duration_s for reading in rounds) / len(rounds),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerPart:
    """All layers of one type.

    Attributes:
        layer_type: Which.
        call_count: Calls of such layers in one forward pass.
        cost: Of all these calls together.
        macs: Multiply-accumulates of them for one sample; `None` if those of the model can't be counted.
    """

    layer_type: LayerType
    call_count: int
    cost: Cost
    macs: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerEnergy:
    """Energy of a forward pass, whole and by the type of its layers.

    Attributes:
        whole: The whole pass.
        parts: In the order of `LayerType`; only types that the pass has.
        macs: Multiply-accumulates of the whole pass for one sample, or `None`.
        macs_absent_because: Why they are `None`.
        notes: What a reader should know of this model's parts, one sentence each.
    """

    whole: Cost
    parts: tuple[LayerPart, ...]
    macs: int | None = None
    macs_absent_because: str | None = None
    notes: tuple[str, ...] = ()

    @property
    def absent_because(self) -> str | None:
        """Why there is no share explained, or `None`."""
        if self.whole.absent_because is not None:
            return self.whole.absent_because
        return next(
            (
                f"{part.layer_type}: {part.cost.absent_because}"
                for part in self.parts
                if part.cost.absent_because is not None
            ),
            None,
        )

    @property
    def explained_share(self) -> float | None:
        """Joules of all parts over those of the whole pass; may be above 1. `None` if one is absent."""
        return _ratio([part.cost.energy_j for part in self.parts], self.whole.energy_j)

    @property
    def explained_share_uncertainty(self) -> float | None:
        """Standard uncertainty of `explained_share`, its windows taken as independent.

        Source:
            JCGM 100:2008 (GUM), section 5.1.2.
        """
        share, whole = self.explained_share, self.whole
        own_j = [part.cost.uncertainty_j for part in self.parts]
        parts_share = _ratio([None if u is None else u**2 for u in own_j], whole.energy_j)
        if share is None or parts_share is None or whole.energy_j is None or whole.uncertainty_j is None:
            return None
        return math.hypot(
            math.sqrt(parts_share / whole.energy_j), share * whole.uncertainty_j / whole.energy_j
        )

    @property
    def explained_time_share(self) -> float | None:
        """Seconds of all parts over those of the whole pass; may be above 1. `None` if one is absent."""
        return _ratio([part.cost.duration_s for part in self.parts], self.whole.duration_s)

    @property
    def unexplained_macs_share(self) -> float | None:
        """Share of the MACs that lies between the layers, such as attention called as a function."""
        inside = [part.macs for part in self.parts if part.macs is not None]
        return None if not self.macs else 1 - sum(inside) / self.macs

    @property
    def metrics(self) -> dict[str, float | None]:
        """The figures under the names that a record keeps them by."""
        return {name: figure for name, (figure, _) in self._figures.items()}

    @property
    def absent(self) -> dict[str, str]:
        """Why each of `metrics` that is `None` is."""
        return {
            name: because or "the whole pass has none"
            for name, (figure, because) in self._figures.items()
            if figure is None
        }

    @property
    def _figures(self) -> dict[str, tuple[float | None, str | None]]:
        """Each figure by its name in a record, and why it is absent if it is."""
        figures: dict[str, tuple[float | None, str | None]] = {
            f"layer_{part.layer_type}_{figure}": (getattr(part.cost, figure), part.cost.absent_because)
            for part in self.parts
            for figure in ("energy_j", "uncertainty_j", "duration_s")
        }
        for name in ("explained_share", "explained_share_uncertainty", "explained_time_share"):
            figures[f"layers_{name}"] = (getattr(self, name), self.absent_because)
        figures["layers_unexplained_macs_share"] = (self.unexplained_macs_share, self.macs_absent_because)
        return figures

    def __str__(self) -> str:
        """A line for each type, and what they sum up to."""
        lines = [
            f"{part.layer_type:13}  {part.call_count:4} calls  {_cost_text(part.cost, self.whole)}"
            for part in self.parts
        ]
        lines.append(f"{'whole pass':13}  {'':10}  {_cost_text(self.whole, self.whole)}")
        share, uncertainty = self.explained_share, self.explained_share_uncertainty
        if share is not None and uncertainty is not None:
            lines.append(f"the parts explain {100 * share:.1f} +- {100 * uncertainty:.1f} %")
        if self.unexplained_macs_share is not None:
            lines.append(f"{100 * self.unexplained_macs_share:.1f} % of the MACs lie between the layers")
        return "\n".join([*lines, *self.notes])


def _ratio(parts: Sequence[float | None], whole: float | None) -> float | None:
    """The sum of *parts* over *whole*, if all of them are there."""
    present = [part for part in parts if part is not None]
    return None if len(present) < len(parts) or not whole else math.fsum(present) / whole


def _cost_text(cost: Cost, whole: Cost) -> str:
    if cost.energy_j is None or cost.uncertainty_j is None or cost.duration_s is None:
        return f"-  ({cost.absent_because})"
    energy = with_uncertainty_text(cost.energy_j, cost.uncertainty_j, "J")
    share = _ratio([cost.energy_j], whole.energy_j)
    share_text = "" if share is None else f"  {100 * share:5.1f} %"
    return f"{energy:>22}{share_text}  {to_text(cost.duration_s, 's')}"


# Measuring


class TakeRounds(Protocol):
    """Measures work in rounds, each round a window."""

    def __call__(
        self, work: CallWork[None], part: str | None, time_share: float
    ) -> Sequence[Reading] | Absent:
        """The rounds of *work*, or why nothing measures it; it is called at least once for the whole pass.

        Args:
            work: A pass, whole or through the layers of one type.
            part: The type of layer, or `None` for the whole pass.
            time_share: Of the time that the test has.
        """
        ...


def measure_layers(
    module: object,
    example_input: object,
    take_rounds: TakeRounds,
    *,
    samples: int | None = None,
    free: "Callable[[torch.device], int | None]" = free_bytes,
) -> LayerEnergy:
    """Energy of *module*'s forward pass in eval mode, whole and by the type of its layers.

    The module's mode is put back in the end. Where the whole pass can't be measured the parts aren't run.

    Args:
        module: A `torch.nn.Module`.
        example_input: A tensor, a sequence of positional arguments, or a mapping of keyword arguments.
        take_rounds: Measures.
        samples: Samples in the input, or `None`.
        free: Memory left on a device, in bytes.

    Raises:
        EnergyError: *module* is none, its forward pass fails, or has no layers.
        NotMeasurable: The layers' inputs don't fit in memory.
    """
    if not isinstance(module, torch.nn.Module):
        raise EnergyError(f"energy.layers: the model is a {type(module).__name__}, not a torch.nn.Module")
    args, kwargs = to_arguments(example_input)
    with ExitStack() as stack:
        stack.enter_context(eval_mode(module))
        calls = captured(unwrapped(module), args, kwargs, free)
        by_type = {
            kind: own for kind in LayerType if (own := tuple(c for c in calls if c.layer_type is kind))
        }
        time_share = 1 / (1 + len(by_type))
        whole_pass = torch.inference_mode()(partial(module, *args, **kwargs))
        whole = Cost.of(take_rounds(CallWork(call=whole_pass, samples=samples), None, time_share))
        costs = dict.fromkeys(by_type, Cost(absent_because=whole.absent_because))
        if whole.absent_because is None:
            stack.enter_context(out_of_place(calls))
            costs = {
                kind: Cost.of(take_rounds(CallWork(call=_replay(own)), kind.value, time_share))
                for kind, own in by_type.items()
            }
    return _result(module, example_input, whole, {kind: (costs[kind], by_type[kind]) for kind in by_type})


def _result(
    module: "torch.nn.Module",
    example_input: object,
    whole: Cost,
    parts: Mapping[LayerType, tuple[Cost, tuple[LayerCall, ...]]],
) -> LayerEnergy:
    macs: int | None = None
    by_type: dict[str, int] = {}
    macs_absent_because: str | None = None
    try:
        macs, by_type = count_macs_by(
            module, example_input, lambda twin: [(layer, kind.value) for _, layer, kind in layers_of(twin)]
        )
    except NotMeasurable as error:
        macs_absent_because = str(error)
    return LayerEnergy(
        whole=whole,
        parts=tuple(
            LayerPart(
                layer_type=kind,
                call_count=len(calls),
                cost=cost,
                macs=None if macs is None else by_type.get(kind.value, 0),
            )
            for kind, (cost, calls) in parts.items()
        ),
        macs=macs,
        macs_absent_because=macs_absent_because,
        notes=tuple(_notes(module, [call for _, calls in parts.values() for call in calls])),
    )


def _notes(module: "torch.nn.Module", calls: Sequence[LayerCall]) -> Iterator[str]:
    if unwrapped(module) is not module:
        yield (
            f"the whole pass is {type(module).__name__}'s, the parts are run without it: "
            "what it fuses is in the whole alone"
        )
    fused = sum(isinstance(layer, torch.nn.TransformerEncoderLayer) for layer in module.modules())
    if fused:
        yield (
            f"{fused} TransformerEncoderLayer may run as one kernel each in the whole pass; "
            "the parts are their layers apart"
        )
    copied = dict.fromkeys(type(call.layer).__name__ for call in calls if call.is_copied)
    if copied:
        yield f"{', '.join(copied)} change their input: each call of the replay works on a fresh copy of it"


def _replay(calls: Sequence[LayerCall]) -> Callable[[], None]:
    def work() -> None:
        with torch.inference_mode():
            for call in calls:
                call.again()

    return work
