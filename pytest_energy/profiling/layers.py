"""Energy of a forward pass by the type of its layers; `layer_steps` has that of a training step.

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

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial

from pytest_energy.errors import Absent, NotMeasurable
from pytest_energy.model import Reading
from pytest_energy.profiling.capture import LayerCall, captured, eval_mode, free_bytes, out_of_place
from pytest_energy.profiling.costs import (
    Cost,
    Explained,
    PowerOf,
    TakeRounds,
    cost_text,
    costs_of,
    reasons_of,
)
from pytest_energy.profiling.layer_types import LayerType, layers_of
from pytest_energy.profiling.lazy_torch import check_module, torch
from pytest_energy.profiling.macs import count_macs_by, to_arguments, unwrapped
from pytest_energy.profiling.operator_calls import Stage
from pytest_energy.work import CallWork


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerPart:
    """All layers of one type.

    Attributes:
        layer_type: Which.
        call_count: Calls of such layers in one forward pass.
        cost: Cost of all these calls together.
        macs: Multiply-accumulates of them for one sample; `None` if those of the model can't be counted.
        stage: Stage of a training step; `None` if the whole is a forward pass.
    """

    layer_type: LayerType
    call_count: int
    cost: Cost
    macs: int | None
    stage: Stage | None = None

    @property
    def key(self) -> str:
        """Names it among the metrics: `convolution`, `convolution_backward`, `optimiser`."""
        if self.stage is None:
            return str(self.layer_type)
        return str(self.stage) if self.stage is Stage.OPTIMISER else f"{self.layer_type}_{self.stage}"


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerEnergy:
    """Energy of a forward pass, whole and by the type of its layers.

    Attributes:
        whole: The whole pass.
        parts: In the order of `LayerType`; only types that the pass has.
        macs: Multiply-accumulates of the whole pass for one sample, or `None`.
        macs_absent_because: Why they are `None`.
        notes: Remarks on the parts of this model, one sentence each.
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
                f"{part.key}: {part.cost.absent_because}"
                for part in self.parts
                if part.cost.absent_because is not None
            ),
            None,
        )

    @property
    def explained_share(self) -> float | None:
        """Joules of all parts over those of the whole pass; may be above 1. `None` if one is absent."""
        return self._explained.energy_share

    @property
    def explained_share_uncertainty(self) -> float | None:
        """Standard uncertainty of `explained_share`, its windows taken as independent."""
        return self._explained.energy_share_uncertainty

    @property
    def explained_time_share(self) -> float | None:
        """Seconds of all parts over those of the whole pass; may be above 1. `None` if one is absent."""
        return self._explained.time_share

    @property
    def explained_active_share(self) -> float | None:
        """Joules above ready power of all parts over the whole's; `None` if that isn't known."""
        return self._explained.active_share

    @property
    def _explained(self) -> Explained:
        return Explained(whole=self.whole, parts=tuple(part.cost for part in self.parts))

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
        return reasons_of(self._figures)

    @property
    def _figures(self) -> dict[str, tuple[float | None, str | None]]:
        """Each figure by its name in a record, and why it is absent if it is."""
        figures: dict[str, tuple[float | None, str | None]] = {
            f"layer_{part.key}_{figure}": (getattr(part.cost, figure), part.cost.absent_because)
            for part in self.parts
            for figure in ("energy_j", "uncertainty_j", "duration_s")
        }
        for name in ("explained_share", "explained_share_uncertainty", "explained_time_share"):
            figures[f"layers_{name}"] = (getattr(self, name), self.absent_because)
        if self.explained_active_share is not None:
            figures["layers_explained_active_share"] = (self.explained_active_share, None)
        figures["layers_unexplained_macs_share"] = (self.unexplained_macs_share, self.macs_absent_because)
        return figures

    def __str__(self) -> str:
        """A line for each type, and what they sum up to."""
        width = max(13, *(len(part.key) for part in self.parts), 0)
        lines = [
            f"{part.key:{width}}  {part.call_count:4} calls  {cost_text(part.cost, self.whole)}"
            for part in self.parts
        ]
        lines.append(f"{'whole pass':{width}}  {'':10}  {cost_text(self.whole, self.whole)}")
        share, uncertainty = self.explained_share, self.explained_share_uncertainty
        if share is not None and uncertainty is not None:
            lines.append(f"the parts explain {100 * share:.1f} +- {100 * uncertainty:.1f} %")
        if self.unexplained_macs_share is not None:
            lines.append(f"{100 * self.unexplained_macs_share:.1f} % of the MACs lie between the layers")
        return "\n".join([*lines, *self.notes])


# Measuring


def measure_layers(
    module: object,
    example_input: object,
    take_rounds: TakeRounds,
    *,
    samples: int | None = None,
    ready_power: PowerOf = lambda _: {},
    free: "Callable[[torch.device], int | None]" = free_bytes,
) -> LayerEnergy:
    """Energy of *module*'s forward pass in eval mode, whole and by the type of its layers.

    The module's mode is put back in the end. Where the whole pass can't be measured the parts aren't run.

    Args:
        module: A `torch.nn.Module`.
        example_input: A tensor, a sequence of positional arguments, or a mapping of keyword arguments.
        take_rounds: Measures.
        samples: Samples in the input, or `None`.
        ready_power: Tells it, for active joules.
        free: Memory left on a device, in bytes.

    Raises:
        EnergyError: *module* is none, its forward pass fails, or has no layers.
        NotMeasurable: The layers' inputs don't fit in memory.
    """
    module = check_module(module, "layers")
    args, kwargs = to_arguments(example_input)
    with ExitStack() as stack:
        stack.enter_context(eval_mode(module))
        calls = captured(unwrapped(module), args, kwargs, free)
        by_type = {
            kind: own for kind in LayerType if (own := tuple(c for c in calls if c.layer_type is kind))
        }
        time_share = 1 / (1 + len(by_type))
        whole_pass = torch.inference_mode()(partial(module, *args, **kwargs))
        whole = take_rounds(CallWork(call=whole_pass, samples=samples), None, time_share)
        because = Cost.of(whole).absent_because
        parts: dict[LayerType, Sequence[Reading] | Absent] = dict.fromkeys(by_type, Absent(because or ""))
        if because is None:
            stack.enter_context(out_of_place(calls))
            parts = {
                kind: take_rounds(CallWork(call=_replay(own)), kind.value, time_share)
                for kind, own in by_type.items()
            }
    total, costs = costs_of(whole, tuple(parts.values()), ready_power)
    of_types = dict(zip(by_type, zip(costs, by_type.values(), strict=True), strict=True))
    return _result(module, example_input, total, of_types)


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
            f"the whole pass is {type(module).__name__}'s, and the parts run without it: only the whole has "
            f"what it fuses"
        )
    fused = sum(isinstance(layer, torch.nn.TransformerEncoderLayer) for layer in module.modules())
    if fused:
        yield (
            f"{fused} TransformerEncoderLayer may run as one kernel each in the whole pass; "
            "the parts are their layers, run one by one"
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
