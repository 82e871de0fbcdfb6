"""The nine metrics of discriminative models (CNNs and the like), one function a formula.

Rule 1: a function is called what the paper calls its metric; the unit is in its first line.
Rule 2: a formula whose input is missing or has no meaning raises `NotMeasurable`; `metrics_of` turns that
into `None` with the reason. No input is ever replaced by 0 or by another one.

Source:
    Sanchez-Mompo, Mavromatis, Li, Katsaros, Khan: Green MLOps to Green GenOps: An Empirical Study of Energy
    Consumption in Discriminative and Generative AI Operations. Information 2025, 16(4), 281.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from statistics import fmean
from typing import TypeVar

from pytest_energy.errors import NotMeasurable
from pytest_energy.metrics.evaluation import Metrics, evaluated, finite, known, positive, share
from pytest_energy.model import Domain, Record
from pytest_energy.usage import Usage

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFacts:
    """Facts of the model, none of them measured in a window.

    Attributes:
        parameters: Trainable parameters; 0 for a frozen model.
        macs: Multiply-accumulates of the forward pass of one sample, or `None`.
        size_bytes: Parameters and buffers, trainable or not.
        accuracy: Share of samples that it gets right, 0 to 1, or `None`.
        macs_absent_because: Why *macs* is `None`.
        counted_macs: The MACs by each way to count them, by name of the metric, where they differ much.
    """

    parameters: int
    macs: int | None
    size_bytes: float
    accuracy: float | None = None
    macs_absent_because: str | None = None
    counted_macs: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("parameters", "macs", "size_bytes"):
            value = getattr(self, name)
            if value is not None and not (math.isfinite(value) and value >= 0):
                raise NotMeasurable(f"{name} of a model is {value}; it must be a count of at least 0")


def energy_per_sample(energy_j: float, samples: int) -> float:
    """Mean energy of one sample of a round, idle share included, in joules.

    Source:
        Sanchez-Mompo et al. 2025, section 6.1.3; they take it from inference.

    >>> energy_per_sample(12.0, 4)
    3.0
    """
    return finite(energy_j, "energy of the round in J") / positive(samples, "samples in a round")


def parameters(parameters_trainable: int) -> float:
    """Trainable parameters of the model, a plain number.

    Source:
        Sanchez-Mompo et al. 2025, section 6.1.3.

    >>> parameters(11_173_962)
    11173962.0
    """
    return _trainable(parameters_trainable)


def macs_param(macs: int, parameters_trainable: int) -> float:
    """MACs of one sample for each trainable parameter, a plain number.

    Source:
        Sanchez-Mompo et al. 2025, section 6.1.3 and figure 6.

    >>> macs_param(200_000_000, 10_000_000)
    20.0
    """
    return finite(macs, "MACs of one sample") / _trainable(parameters_trainable)


def work_done(parameters_trainable: int, duration_s: float) -> float:
    """Trainable parameters over the seconds of a round, in 1/s.

    The paper's words are "trainable parameters processed per second"; the authors' notebook divides the
    parameters by the duration of an epoch, and that is what this does. It does not count the samples, so
    it compares models only at equal work; `samples_per_s` is given beside it.

    Source:
        Sanchez-Mompo et al. 2025, section 6.1.3; formula as in the authors' notebook for it.

    >>> work_done(10_000_000, 2.0)
    5000000.0
    """
    return _trainable(parameters_trainable) / positive(duration_s, "duration of a round in s")


def samples_per_s(samples: int, duration_s: float) -> float:
    """Samples over the seconds of a round, in 1/s.

    Source:
        Ours, beside `work_done`, which does not count samples.

    >>> samples_per_s(128, 2.0)
    64.0
    """
    return positive(samples, "samples in a round") / positive(duration_s, "duration of a round in s")


def system_utilisation_share(cpu_utilisation_share: float, gpu_utilisation_share: float) -> float:
    """Mean of the utilisation of CPU and GPU, each a share of 0 to 1.

    Source:
        Sanchez-Mompo et al. 2025, section 6.1.3 ("the system's utilisation").

    >>> system_utilisation_share(0.25, 0.75)
    0.5
    """
    return (
        share(cpu_utilisation_share, "CPU utilisation") + share(gpu_utilisation_share, "GPU utilisation")
    ) / 2.0


def overall_efficiency(accuracy: float, work_done_per_s: float, utilisation_share: float) -> float:
    """Accuracy, a share of 0 to 1, times work done over the system's utilisation, in 1/s.

    Source:
        Sanchez-Mompo et al. 2025, section 6.1.3.

    >>> overall_efficiency(0.9, 5_000_000.0, 0.5)
    9000000.0
    """
    busy_share = positive(share(utilisation_share, "utilisation of the system"), "utilisation of the system")
    return share(accuracy, "accuracy") * finite(work_done_per_s, "work done in 1/s") / busy_share


def work_per_unit_power(work_done_per_s: float, power_w: float) -> float:
    """Work done for each watt of mean power over the round, idle share included, in 1/(s W).

    Source:
        Sanchez-Mompo et al. 2025, section 6.1.3.

    >>> work_per_unit_power(5_000_000.0, 250.0)
    20000.0
    """
    return finite(work_done_per_s, "work done in 1/s") / positive(power_w, "mean power in W")


def energy_scaling_factor(power_w: float, parameters_trainable: int) -> float:
    """Total power for each trainable parameter, in W.

    It is the mean power of all channels: the paper's are CPU, GPU and DRAM, a record's are told by it.

    Source:
        Sanchez-Mompo et al. 2025, section 6.1.3.

    >>> energy_scaling_factor(250.0, 10_000_000)
    2.5e-05
    """
    return finite(power_w, "mean power in W") / _trainable(parameters_trainable)


def gpu_energy_scaling_factor(gpu_power_w: float, parameters_trainable: int) -> float:
    """Mean power of the GPU channels for each trainable parameter, idle share included, in W.

    Source:
        Sanchez-Mompo et al. 2025, section 6.1.3.

    >>> gpu_energy_scaling_factor(200.0, 10_000_000)
    2e-05
    """
    return finite(gpu_power_w, "mean GPU power in W") / _trainable(parameters_trainable)


def model_size_to_ram(size_bytes: float, memory_used_bytes: float) -> float:
    """Size of the model over the main memory in use during the round, a plain number.

    It is RAM on a GPU machine too, as the name says; the generative metric of this name takes the GPU's.

    Source:
        Sanchez-Mompo et al. 2025, section 6.1.3 ("compares model size to memory usage").

    >>> model_size_to_ram(45_000_000.0, 900_000_000.0)
    0.05
    """
    return finite(size_bytes, "size of the model in bytes") / positive(
        memory_used_bytes, "memory in use, in bytes"
    )


def metrics_of(record: Record, facts: ModelFacts) -> Metrics:
    """Every metric of one record, and why those that are `None` are.

    Args:
        record: The rounds; may be void or unmeasured. Values are means over the rounds.
        facts: The model at work.
    """
    inputs = _Inputs(record, facts)
    formulas: dict[str, Callable[[], float]] = {
        "energy_per_sample": lambda: energy_per_sample(inputs.energy_j(), inputs.samples()),
        "parameters": lambda: parameters(facts.parameters),
        "macs": lambda: finite(inputs.macs(), "MACs of one sample"),
        "macs_param": lambda: macs_param(inputs.macs(), facts.parameters),
        "work_done": lambda: work_done(facts.parameters, inputs.duration_s()),
        "overall_efficiency": lambda: overall_efficiency(
            inputs.accuracy(), inputs.work_done_per_s(), inputs.utilisation_share()
        ),
        "work_per_unit_power": lambda: work_per_unit_power(inputs.work_done_per_s(), inputs.power_w()),
        "energy_scaling_factor": lambda: energy_scaling_factor(inputs.power_w(), facts.parameters),
        "gpu_energy_scaling_factor": lambda: gpu_energy_scaling_factor(
            inputs.gpu_power_w(), facts.parameters
        ),
        "model_size_to_ram": lambda: model_size_to_ram(facts.size_bytes, inputs.ram_used_bytes()),
        "samples_per_s": lambda: samples_per_s(inputs.samples(), inputs.duration_s()),
    }
    counts = Metrics({name: float(macs) for name, macs in facts.counted_macs.items()})
    return counts | evaluated(formulas)


@dataclass(frozen=True, slots=True)
class _Inputs:
    """The formulas' inputs out of a record and a model; one that is not known raises `NotMeasurable`."""

    record: Record
    facts: ModelFacts

    def energy_j(self) -> float:
        return self._measured(self.record.energy_j)

    def duration_s(self) -> float:
        return self._measured(self.record.duration_s)

    def power_w(self) -> float:
        return self.energy_j() / positive(self.duration_s(), "duration of a round in s")

    def gpu_power_w(self) -> float:
        energies_j = [
            energy_j
            for name, energy_j in self._measured(self.record.channels).items()
            if name.partition(":")[0] == Domain.GPU
        ]
        if not energies_j:
            raise NotMeasurable("no GPU channel was measured")
        return math.fsum(energies_j) / positive(self.duration_s(), "duration of a round in s")

    def samples(self) -> int:
        because = "the samples of a round were not declared: give samples= to the marker or to measure"
        return known(self.record.samples, because)

    def macs(self) -> int:
        because = self.facts.macs_absent_because or "the MACs of the model were not counted"
        return known(self.facts.macs, because)

    def accuracy(self) -> float:
        return known(self.facts.accuracy, "no accuracy was recorded: energy.record(accuracy=...)")

    def work_done_per_s(self) -> float:
        return work_done(self.facts.parameters, self.duration_s())

    def utilisation_share(self) -> float:
        return system_utilisation_share(
            self._mean_usage("CPU utilisation", lambda usage: usage.cpu_utilisation_share),
            self._mean_usage("GPU utilisation", lambda usage: usage.gpu_utilisation_share),
        )

    def ram_used_bytes(self) -> float:
        return self._mean_usage("main memory in use", lambda usage: usage.ram_used_bytes)

    def _measured(self, value: T | None) -> T:
        record = self.record
        return known(value, record.void_because or record.unmeasured_because or "no round was measured")

    def _mean_usage(self, what: str, of: Callable[[Usage], float | None]) -> float:
        """Mean over the rounds; a round that doesn't tell leaves the mean unknown."""
        self._measured(self.record.duration_s)
        usages = [reading.usage for reading in self.record.rounds]
        values = [value for usage in usages if usage is not None and (value := of(usage)) is not None]
        absent_count = len(usages) - len(values)
        if absent_count:
            raise NotMeasurable(f"{what} is not known in {absent_count} of {len(usages)} rounds")
        return fmean(values)


def _trainable(parameters_trainable: int) -> float:
    if parameters_trainable < 1:
        raise NotMeasurable(
            f"the model has {parameters_trainable} trainable parameters; "
            "is it frozen? Give it to energy.model before requires_grad is switched off"
        )
    return float(parameters_trainable)
