"""The size of the model at work, and the joules of the parts of a test: its operators and layers."""

import gc
from collections.abc import Callable

from pytest_energy.metrics.evaluation import Metrics
from pytest_energy.plugin.measurement import Measurement
from pytest_energy.plugin.mistakes import model_name
from pytest_energy.plugin.parts import Parts
from pytest_energy.plugin.progress import say
from pytest_energy.profiling.costs import Rounds
from pytest_energy.profiling.layer_steps import measure_layer_step, training_step
from pytest_energy.profiling.layers import LayerEnergy, measure_layers
from pytest_energy.profiling.operators import OperatorEnergy
from pytest_energy.profiling.operators import measure_operators as replay_operators
from pytest_energy.profiling.pytorch import model_facts
from pytest_energy.work import CallWork


def describe_model(measurement: Measurement, module: object, example_input: object, name: str | None) -> None:
    """Keep the size of *module*, which gets *name* if it is given.

    Raises:
        EnergyError: A window is open.
        NotMeasurable: *module* is no `torch.nn.Module`.
    """
    measurement.refuse_inside_window("energy.model inside a window would be measured itself; call it before")
    if name is not None:
        measurement.model_name = model_name(name)
    if not measurement.is_off:
        by_thop = measurement.run.settings.counts_macs_by_thop
        measurement.facts = model_facts(module, example_input, by_thop=by_thop)


def measure_operators(
    measurement: Measurement, call: Callable[[], object], samples: int | None
) -> OperatorEnergy:
    """Measure *call* in rounds, and its operators."""
    measurement.refuse_ranks("energy.operators")
    measurement.measure(CallWork(call=call, samples=samples))
    return _operators_of(measurement, call)


def show_operators(
    measurement: Measurement, call: Callable[[], object], piece: Callable[[], object] | None
) -> None:
    """Measure and show the operators of *call*, or of *piece* for it, if the run was asked to."""
    if not (measurement.run.settings.measures_operators and Parts(measurement).are_wanted):
        return
    energy = _operators_of(measurement, call) if piece is None else _operators_of_piece(measurement, piece)
    say(measurement.run.config, f"{measurement.test_id}\n{energy}")


def _operators_of_piece(measurement: Measurement, piece: Callable[[], object]) -> OperatorEnergy:
    """Of what stands in for a work that is too long to be kept, against rounds of its own."""
    rounds = Parts(measurement).measure(CallWork(call=piece), "traced", 0.25)
    return _operators_of(measurement, piece, rounds, "these are the operators of the smaller piece, traced=")


def _operators_of(
    measurement: Measurement, call: Callable[[], object], whole: Rounds | None = None, *notes: str
) -> OperatorEnergy:
    """Of *call*, against *whole* or the rounds of the test."""
    parts = Parts(measurement)
    energy = replay_operators(
        call,
        measurement.own_rounds() if whole is None else whole,
        parts.measure,
        parts.ready_power,
        time_s=parts.time_s,
        notes=notes,
    )
    _keep(measurement, energy)
    return energy


def layers_of(
    measurement: Measurement,
    module: object,
    example_input: object,
    *,
    samples: int | None,
    loss: Callable[..., object] | None,
    optimizer: object,
) -> LayerEnergy:
    """Of a forward pass, or of a training step where there is a loss or an optimiser."""
    measurement.refuse_ranks("energy.layers")
    measurement.refuse_inside_window("energy.layers opens windows of its own and can't be called inside one")
    parts = Parts(measurement)
    if loss is None and optimizer is None:
        energy = measure_layers(
            module, example_input, parts.measure, samples=samples, ready_power=parts.ready_power
        )
    else:
        energy = measure_layer_step(
            training_step(module, example_input, loss, optimizer),
            parts.measure,
            parts.ready_power,
            time_s=parts.time_s,
            samples=samples,
        )
    _keep(measurement, energy)
    return energy


def _keep(measurement: Measurement, energy: OperatorEnergy | LayerEnergy) -> None:
    # What was kept may hang in a cycle: torch's first call under a mode leaves its frames in one.
    gc.collect()
    measurement.keep(Metrics(energy.metrics, energy.absent))
