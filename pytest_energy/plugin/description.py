"""The part of the fixture `energy` by which a test describes its work, and that measures nothing."""

from collections.abc import Mapping
from functools import partial

from pytest_energy.plugin import given
from pytest_energy.plugin.measurement import Measurement
from pytest_energy.plugin.mistakes import Guarded, called_right
from pytest_energy.plugin.part_energy import describe_model


class Describing(Guarded):
    """The methods of the fixture that measure nothing."""

    __slots__ = ("_measurement",)

    def __init__(self, measurement: Measurement) -> None:
        self._measurement = measurement

    @called_right
    def model(self, module: object, example_input: object, *, name: str | None = None) -> None:
        """Describe the model at work: parameters, MACs of one sample, size. Measures nothing.

        Args:
            module: A `torch.nn.Module`.
            example_input: Input of the module's forward, batch first; also a tuple of inputs.
            name: Name in the table of models and in figures, such as a parameter of the test. Without it the
                marker's `model=`.

        Raises:
            EnergyError: A window is open: counting would be measured.
            NotMeasurable: *module* is no `torch.nn.Module`.
        """
        describe_model(self._measurement, module, example_input, name)

    @called_right
    def roles(self, roles: Mapping[str, str], /) -> None:
        """Say what each device does in the work: `{"gpu:0": "prefill", "gpu:1": "decode"}`. Measures nothing.

        The report has the joules of each role. Another split of roles is other work: its records are not
        compared. Under torchrun the roles are the ranks, without a call.

        Args:
            roles: Channel name to role; a channel that this run doesn't measure is ignored.

        Raises:
            EnergyError: A name is no channel's, or a role is empty or longer than 40 characters.
        """
        self._measurement.roles = given.roles(roles)

    @called_right
    def ray(self, placement_group: object, /) -> None:
        """Measure the nodes of a placement group of Ray, and no other node. Measures nothing by itself.

        Without it a test that is connected to a Ray cluster of several nodes is measured on all that have
        GPUs, or on all if none has one.

        Args:
            placement_group: As `ray.util.placement_group` makes it, when it is ready.

        Raises:
            EnergyError: Ray isn't connected, it is no placement group, or something was measured already.
        """
        if not self._measurement.is_off:
            nodes = self._measurement.run.places.ray
            nodes.check_group(placement_group)
            self._measurement.measure_at(partial(nodes.of, placement_group))

    @called_right
    def record(self, **metrics: float | None) -> None:
        """Keep metrics of your own beside the joules; `accuracy`, a share, also feeds overall_efficiency.

        Raises:
            EnergyError: A value is neither a finite number nor `None`.
        """
        for name, value in metrics.items():
            self._measurement.record(name, value)
