"""The nine metrics of discriminative models (CNNs and the like), one function a formula.

Rule 1: a function is called what the paper calls its metric; the unit stands in its first line.
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
from pytest_energy.metrics.evaluation import Metrics, evaluated
from pytest_energy.metrics.ratios import finite, positive, share
from pytest_energy.model import Domain, Record, Usage

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFacts:
    """What is known of the model at work, none of it measured in a window.

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
        for name, value in (
            ("parameters", self.parameters),
            ("macs", self.macs),
            ("size_bytes", self.size_bytes),
        ):
            if value is not None and not (math.isfinite(value) and value >= 0):
                raise NotMeasurable(f"{name} of a model is {value}; it is a count of at least 0")


def energy_per_sample(energy_j: float, samples: int) -> float:
    """Mean energy of one sample, in joules.

    Args:
        energy_j: Energy of a round, idle share included.
        samples: Samples that the round works on, at least 1.

    Raises:
        NotMeasurable: *samples* is 0, or *energy_j* is not a finite number of at least 0.

    Source:
        Sanchez-Mompo et al. 2025, section 6.1.3; they take it from inference.

    >>> energy_per_sample(12.0, 4)
    3.0
    """
    return finite(energy_j, "energy of the round in J") / positive(samples, "samples in a round")


def parameters(parameters_trainable: int) -> float:
    """Trainable parameters of the model, a plain number.

    Raises:
        NotMeasurable: None is trainable, so there is no size to rank the model by.

    Source:
        Sanchez-Mompo et al. 2025, section 6.1.3.

    >>> parameters(11_173_962)
    11173962.0
    """
    return _trainable(parameters_trainable)


def macs_param(macs: int, parameters_trainable: int) -> float:
    """MACs of one sample for each trainable parameter, a plain number.

    Args:
        macs: Multiply-accumulates of the forward pass of one sample.
        parameters_trainable: Trainable parameters, at least 1.

    Raises:
        NotMeasurable: No parameter is trainable, so the ratio has no meaning.

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
    it compares models only at equal work; `samples_per_s` stands beside it.

    Args:
        parameters_trainable: Trainable parameters, at least 1.
        duration_s: Mean duration of a round, above 0.

    Raises:
        NotMeasurable: No parameter is trainable, or the round took no time.

    Source:
        Sanchez-Mompo et al. 2025, section 6.1.3; formula as in the authors' notebook for it.

    >>> work_done(10_000_000, 2.0)
    5000000.0
    """
    return _trainable(parameters_trainable) / positive(duration_s, "duration of a round in s")


def samples_per_s(samples: int, duration_s: float) -> float:
    """Samples over the seconds of a round, in 1/s.

    Raises:
        NotMeasurable: There are no samples, or the round took no time.

    Source:
        Ours, beside `work_done`, which does not count samples.

    >>> samples_per_s(128, 2.0)
    64.0
    """
    return positive(samples, "samples in a round") / positive(duration_s, "duration of a round in s")


def system_utilisation_share(cpu_utilisation_share: float, gpu_utilisation_share: float) -> float:
    """Mean of the utilisation of CPU and GPU, each a share of 0 to 1.

    Raises:
        NotMeasurable: A share is outside 0 to 1.

    Source:
        Sanchez-Mompo et al. 2025, section 6.1.3 ("the system's utilisation").

    >>> system_utilisation_share(0.25, 0.75)
    0.5
    """
    return (
        share(cpu_utilisation_share, "CPU utilisation") + share(gpu_utilisation_share, "GPU utilisation")
    ) / 2.0


def overall_efficiency(accuracy: float, work_done_per_s: float, utilisation_share: float) -> float:
    """Accuracy times work done over the system's utilisation, in 1/s.

    Args:
        accuracy: Share of samples that the model gets right, 0 to 1.
        work_done_per_s: See `work_done`.
        utilisation_share: See `system_utilisation_share`; above 0.

    Raises:
        NotMeasurable: *accuracy* is outside 0 to 1 (a percentage?), or the system stood idle.

    Source:
        Sanchez-Mompo et al. 2025, section 6.1.3.

    >>> overall_efficiency(0.9, 5_000_000.0, 0.5)
    9000000.0
    """
    busy_share = positive(share(utilisation_share, "utilisation of the system"), "utilisation of the system")
    return share(accuracy, "accuracy") * finite(work_done_per_s, "work done in 1/s") / busy_share


def work_per_unit_power(work_done_per_s: float, power_w: float) -> float:
    """Work done for each watt of mean power, in 1/(s W).

    Args:
        work_done_per_s: See `work_done`.
        power_w: Mean power over the round, idle share included, above 0.

    Raises:
        NotMeasurable: *power_w* is 0.

    Source:
        Sanchez-Mompo et al. 2025, section 6.1.3.

    >>> work_per_unit_power(5_000_000.0, 250.0)
    20000.0
    """
    return finite(work_done_per_s, "work done in 1/s") / positive(power_w, "mean power in W")


def energy_scaling_factor(power_w: float, parameters_trainable: int) -> float:
    """Total power for each trainable parameter, in W.

    Args:
        power_w: Mean power of all channels: the paper's are CPU, GPU and DRAM. Which of them a record
            holds is told by its channels.
        parameters_trainable: Trainable parameters, at least 1.

    Raises:
        NotMeasurable: No parameter is trainable.

    Source:
        Sanchez-Mompo et al. 2025, section 6.1.3.

    >>> energy_scaling_factor(250.0, 10_000_000)
    2.5e-05
    """
    return finite(power_w, "mean power in W") / _trainable(parameters_trainable)


def gpu_energy_scaling_factor(gpu_power_w: float, parameters_trainable: int) -> float:
    """GPU power for each trainable parameter, in W.

    Args:
        gpu_power_w: Mean power of the GPU channels, idle share included.
        parameters_trainable: Trainable parameters, at least 1.

    Raises:
        NotMeasurable: No parameter is trainable.

    Source:
        Sanchez-Mompo et al. 2025, section 6.1.3.

    >>> gpu_energy_scaling_factor(200.0, 10_000_000)
    2e-05
    """
    return finite(gpu_power_w, "mean GPU power in W") / _trainable(parameters_trainable)


def model_size_to_ram(size_bytes: float, memory_used_bytes: float) -> float:
    """Size of the model over the memory in use, a plain number.

    Args:
        size_bytes: Parameters and buffers.
        memory_used_bytes: Main memory in use during the round, above 0. It is RAM on a GPU machine too, as
            the name says; the generative metric of this name takes the GPU's memory.

    Raises:
        NotMeasurable: *memory_used_bytes* is 0.

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
    known = _Known(record, facts)
    formulas: dict[str, Callable[[], float]] = {
        "energy_per_sample": lambda: energy_per_sample(known.energy_j(), known.samples()),
        "parameters": lambda: parameters(facts.parameters),
        "macs": lambda: finite(known.macs(), "MACs of one sample"),
        "macs_param": lambda: macs_param(known.macs(), facts.parameters),
        "work_done": lambda: work_done(facts.parameters, known.duration_s()),
        "overall_efficiency": lambda: overall_efficiency(
            known.accuracy(), known.work_done_per_s(), known.utilisation_share()
        ),
        "work_per_unit_power": lambda: work_per_unit_power(known.work_done_per_s(), known.power_w()),
        "energy_scaling_factor": lambda: energy_scaling_factor(known.power_w(), facts.parameters),
        "gpu_energy_scaling_factor": lambda: gpu_energy_scaling_factor(known.gpu_power_w(), facts.parameters),
        "model_size_to_ram": lambda: model_size_to_ram(facts.size_bytes, known.ram_used_bytes()),
        "samples_per_s": lambda: samples_per_s(known.samples(), known.duration_s()),
    }
    counts = Metrics({name: float(macs) for name, macs in facts.counted_macs.items()})
    return counts | evaluated(formulas)


@dataclass(frozen=True, slots=True)
class _Known:
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
        if self.record.samples is None:
            raise NotMeasurable(
                "the samples of a round were not declared: give samples= to the marker or to measure"
            )
        return self.record.samples

    def macs(self) -> int:
        if self.facts.macs is None:
            raise NotMeasurable(self.facts.macs_absent_because or "the MACs of the model were not counted")
        return self.facts.macs

    def accuracy(self) -> float:
        if self.facts.accuracy is None:
            raise NotMeasurable("no accuracy was recorded: energy.record(accuracy=...)")
        return self.facts.accuracy

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
        if value is None:
            record = self.record
            raise NotMeasurable(record.void_because or record.unmeasured_because or "no round was measured")
        return value

    def _mean_usage(self, what: str, of: Callable[[Usage], float | None]) -> float:
        """Mean over the rounds; a round that doesn't tell leaves the mean unknown."""
        self._measured(self.record.duration_s)
        usages = [reading.usage for reading in self.record.rounds]
        values = [of(usage) if usage is not None else None for usage in usages]
        present = [value for value in values if value is not None]
        absent_count = len(values) - len(present)
        if absent_count:
            raise NotMeasurable(f"{what} is not known in {absent_count} of {len(values)} rounds")
        return fmean(present)


def _trainable(parameters_trainable: int) -> float:
    if parameters_trainable < 1:
        raise NotMeasurable(
            f"the model has {parameters_trainable} trainable parameters; "
            "is it frozen? Give it to energy.model before requires_grad is switched off"
        )
    return float(parameters_trainable)
