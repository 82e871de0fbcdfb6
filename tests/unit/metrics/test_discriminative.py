"""The paper's nine metrics of discriminative models, section 6.1.3, with worked numbers."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_energy.errors import NotMeasurable
from pytest_energy.metrics import discriminative as formulas
from pytest_energy.metrics.discriminative import ModelFacts, metrics_of
from pytest_energy.metrics.paper_rho import PAPER_RHO
from pytest_energy.metrics.table import METRICS
from pytest_energy.model import Machine, Provenance, Reading, Record
from pytest_energy.usage import Usage

BUSY = Usage(
    cpu_utilisation_share=0.2, gpu_utilisation_share=0.6, ram_used_bytes=2e9, gpu_memory_used_bytes=4e9
)
RESNET18 = ModelFacts(parameters=11_000_000, macs=550_000_000, size_bytes=44_000_000.0, accuracy=0.9)


def reading(
    *, gpu_j: float | None = 80.0, cpu_j: float = 20.0, duration_s: float = 2.0, usage: Usage | None = BUSY
) -> Reading:
    channels = {"cpu:package-0": cpu_j} | ({} if gpu_j is None else {"gpu:0": gpu_j})
    return Reading(
        channels=channels,
        duration_s=duration_s,
        uncertainty_j=0.1,
        provenance=Provenance.MEASURED,
        usage=usage,
    )


def record(
    *rounds: Reading,
    samples: int | None = 50,
    void_because: str | None = None,
    unmeasured_because: str | None = None,
) -> Record:
    return Record(
        test_id="test_cnn.py::test_training",
        created="2026-11-21T10:00:00Z",
        provenance=Provenance.MEASURED,
        machine=Machine(key="a"),
        rounds=rounds,
        samples=samples,
        void_because=void_because,
        unmeasured_because=unmeasured_because,
    )


def value_of(name: str, record_: Record, facts: ModelFacts = RESNET18) -> float | None:
    return metrics_of(record_, facts).values[name]


def reason_of(name: str, record_: Record, facts: ModelFacts = RESNET18) -> str:
    metrics = metrics_of(record_, facts)
    assert metrics.values[name] is None
    return metrics.absent[name]


class TestEnergyPerSample:
    """The mean total energy that one sample of inference takes."""

    def test_is_joules_over_samples(self) -> None:
        """100 J for 50 images are 2 J an image."""
        assert formulas.energy_per_sample(100.0, 50) == 2.0

    def test_takes_the_mean_round(self) -> None:
        """Rounds of 100 J and 110 J with 50 samples each are 2.1 J a sample."""
        assert value_of("energy_per_sample", record(reading(), reading(gpu_j=90.0))) == pytest.approx(2.1)

    def test_without_samples_has_no_meaning(self) -> None:
        """Joules over 0 samples is an error, never 0 or infinity."""
        with pytest.raises(NotMeasurable, match="samples in a round is 0"):
            formulas.energy_per_sample(100.0, 0)

    def test_undeclared_samples_are_named(self) -> None:
        """A record without samples says that they were not declared."""
        assert "not declared" in reason_of("energy_per_sample", record(reading(), samples=None))

    @given(energy_j=st.floats(0, 1e9), samples=st.integers(1, 10**6))
    def test_times_samples_is_the_energy(self, energy_j: float, samples: int) -> None:
        """Whatever the numbers, samples times J a sample give the joules again."""
        assert formulas.energy_per_sample(energy_j, samples) * samples == pytest.approx(energy_j)


class TestParameters:
    """All parameters that training changes: how complex the model is."""

    def test_is_the_count(self) -> None:
        """ResNet-18 in CIFAR form has 11,173,962."""
        assert formulas.parameters(11_173_962) == 11_173_962.0

    def test_frozen_model_has_none(self) -> None:
        """A frozen model has no trainable parameters: absent with the reason, not 0."""
        frozen = ModelFacts(parameters=0, macs=1, size_bytes=4.0)
        assert "frozen" in reason_of("parameters", record(reading()), frozen)


class TestMacsParam:
    """MACs over trainable parameters: how much an architecture computes with each of them."""

    def test_worked_example(self) -> None:
        """10 million parameters and 200 million MACs are 20."""
        assert formulas.macs_param(200_000_000, 10_000_000) == 20.0

    def test_needs_no_rounds(self) -> None:
        """It is a property of the model: known even where nothing was measured."""
        assert value_of("macs_param", record(unmeasured_because="no sensor")) == 50.0

    def test_frozen_model_is_no_division_by_zero(self) -> None:
        """0 trainable parameters leave the ratio without meaning."""
        with pytest.raises(NotMeasurable, match="0 trainable parameters"):
            formulas.macs_param(200_000_000, 0)

    def test_uncounted_macs_keep_their_reason(self) -> None:
        """Why the MACs could not be counted is why the ratio is absent."""
        facts = ModelFacts(parameters=1, macs=None, size_bytes=4.0, macs_absent_because="it reads values")
        assert reason_of("macs_param", record(reading()), facts) == "it reads values"


class TestWorkDone:
    """Trainable parameters worked through in a second: throughput."""

    def test_is_parameters_over_duration(self) -> None:
        """As in the authors' notebook: 11 million in a round of 2 s are 5.5 million a second."""
        assert value_of("work_done", record(reading())) == 5_500_000.0

    def test_does_not_count_samples(self) -> None:
        """Twice the samples in the same time are the same work done; samples_per_s tells them apart."""
        few, many = record(reading(), samples=50), record(reading(), samples=100)
        assert value_of("work_done", few) == value_of("work_done", many)
        assert (value_of("samples_per_s", few), value_of("samples_per_s", many)) == (25.0, 50.0)

    def test_no_time_is_no_throughput(self) -> None:
        """A round of 0 s is an error, not infinite throughput."""
        assert "duration of a round in s is 0.0" in reason_of("work_done", record(reading(duration_s=0.0)))


class TestOverallEfficiency:
    """Accuracy times work done, over how busy the system is."""

    def test_takes_the_mean_of_cpu_and_gpu(self) -> None:
        """0.9 x 5.5e6 / mean(0.2, 0.6)."""
        assert value_of("overall_efficiency", record(reading())) == pytest.approx(0.9 * 5.5e6 / 0.4)

    def test_takes_the_mean_over_rounds(self) -> None:
        """A GPU at 0.6 and 1.0 in two rounds is at 0.8."""
        busier = Usage(cpu_utilisation_share=0.2, gpu_utilisation_share=1.0)
        both = record(reading(), reading(usage=busier))
        assert value_of("overall_efficiency", both) == pytest.approx(0.9 * 5.5e6 / 0.5)

    @pytest.mark.parametrize(
        ("usage", "reason"),
        [
            (None, "CPU utilisation is not known in 1 of 2 rounds"),
            (Usage(gpu_utilisation_share=0.5), "CPU utilisation is not known in 1 of 2 rounds"),
            (Usage(cpu_utilisation_share=0.5), "GPU utilisation is not known in 1 of 2 rounds"),
        ],
    )
    def test_unknown_utilisation_is_not_idle(self, usage: Usage | None, reason: str) -> None:
        """A round that doesn't tell its utilisation is no idle round: the value is absent."""
        assert reason_of("overall_efficiency", record(reading(), reading(usage=usage))) == reason

    def test_idle_system_is_no_infinite_efficiency(self) -> None:
        """A utilisation of 0 can't be divided by."""
        idle = Usage(cpu_utilisation_share=0.0, gpu_utilisation_share=0.0)
        assert "utilisation of the system is 0.0" in reason_of(
            "overall_efficiency", record(reading(usage=idle))
        )

    def test_accuracy_in_percent_is_refused(self) -> None:
        """An accuracy of 91 is a percentage, not a share."""
        with pytest.raises(NotMeasurable, match="accuracy is 91"):
            formulas.overall_efficiency(91.0, 1.0, 0.5)

    def test_no_accuracy_says_how_to_record_it(self) -> None:
        """Without an accuracy the reason says what to call."""
        facts = ModelFacts(parameters=1, macs=1, size_bytes=4.0)
        assert "energy.record(accuracy=...)" in reason_of("overall_efficiency", record(reading()), facts)


class TestWorkPerUnitPower:
    """Work done over the power seen for a batch."""

    def test_is_work_done_over_mean_power(self) -> None:
        """5.5 million a second at 100 J / 2 s = 50 W."""
        assert value_of("work_per_unit_power", record(reading())) == 110_000.0

    def test_no_power_is_no_infinite_work(self) -> None:
        """0 W can't be divided by."""
        with pytest.raises(NotMeasurable, match="mean power in W is 0"):
            formulas.work_per_unit_power(1.0, 0.0)


class TestEnergyScalingFactor:
    """Power of CPU, GPU and RAM over the parameters."""

    def test_is_total_power_over_parameters(self) -> None:
        """50 W over 11 million."""
        assert value_of("energy_scaling_factor", record(reading())) == pytest.approx(50.0 / 11e6)


class TestGpuEnergyScalingFactor:
    """As the energy scaling factor, with the power of the GPU alone."""

    def test_is_gpu_power_over_parameters(self) -> None:
        """80 J in 2 s are 40 W over 11 million."""
        assert value_of("gpu_energy_scaling_factor", record(reading())) == pytest.approx(40.0 / 11e6)

    def test_without_a_gpu_channel_is_absent(self) -> None:
        """A machine on which no GPU was measured has no GPU power, rather than 0 W."""
        assert "no GPU channel" in reason_of("gpu_energy_scaling_factor", record(reading(gpu_j=None)))


class TestModelSizeToRam:
    """The size of the model against the memory in use."""

    def test_is_bytes_over_bytes(self) -> None:
        """44 MB of 2 GB."""
        assert value_of("model_size_to_ram", record(reading())) == pytest.approx(0.022)

    def test_gpu_memory_does_not_stand_in_for_ram(self) -> None:
        """RAM that is not known is not replaced by the GPU's memory."""
        usage = Usage(gpu_memory_used_bytes=4e9)
        assert "main memory" in reason_of("model_size_to_ram", record(reading(usage=usage)))


class TestSystemUtilisation:
    """How busy the system is: the mean of CPU and GPU."""

    @pytest.mark.parametrize("share", [-0.1, 1.1, math.nan])
    def test_share_outside_0_to_1_is_refused(self, share: float) -> None:
        """A utilisation in percent, or none at all, is an error."""
        with pytest.raises(NotMeasurable, match="GPU utilisation"):
            formulas.system_utilisation_share(0.5, share)


class TestMetricsOf:
    """All metrics of a record at once, with the reason for each that is absent."""

    def test_all_are_known_on_a_machine_that_tells_everything(self) -> None:
        """Nothing is absent where rounds, samples, usage, accuracy and MACs are known."""
        metrics = metrics_of(record(reading()), RESNET18)
        assert None not in metrics.values.values()
        assert metrics.absent == {}

    def test_the_paper_s_table_is_covered(self) -> None:
        """Each metric that the paper correlates is there under the paper's name, and described."""
        metrics = metrics_of(record(reading()), RESNET18)
        assert set(PAPER_RHO["training"]["HC-1"]) | {"samples_per_s", "macs"} == set(metrics.values)
        assert set(metrics.values) <= set(METRICS)

    @pytest.mark.parametrize(
        "bad",
        [
            record(reading(), void_because="the GPU was throttled"),
            record(unmeasured_because="the GPU was throttled"),
        ],
    )
    def test_void_and_unmeasured_records_give_no_measured_metric(self, bad: Record) -> None:
        """Only what describes the model is known; the rest is absent for the record's own reason."""
        metrics = metrics_of(bad, RESNET18)
        known = {name for name, value in metrics.values.items() if value is not None}
        assert known == {"parameters", "macs", "macs_param"}
        assert set(metrics.absent.values()) == {"the GPU was throttled"}

    @given(
        gpu_j=st.floats(0, 1e6),
        duration_s=st.floats(0, 1e5),
        parameters=st.integers(0, 10**12),
        accuracy=st.none() | st.floats(0, 1),
        cpu_share=st.none() | st.floats(0, 1),
    )
    def test_absent_and_reason_go_together(
        self,
        *,
        gpu_j: float,
        duration_s: float,
        parameters: int,
        accuracy: float | None,
        cpu_share: float | None,
    ) -> None:
        """Whatever the numbers: a value is a finite number, or `None` with a reason."""
        usage = Usage(cpu_utilisation_share=cpu_share, gpu_utilisation_share=0.5)
        facts = ModelFacts(parameters=parameters, macs=10, size_bytes=4.0, accuracy=accuracy)
        metrics = metrics_of(record(reading(gpu_j=gpu_j, duration_s=duration_s, usage=usage)), facts)
        assert {name for name, value in metrics.values.items() if value is None} == set(metrics.absent)
        assert all(math.isfinite(value) for value in metrics.values.values() if value is not None)


class TestModelFacts:
    """What is known of a model."""

    @pytest.mark.parametrize("counts", [(-1, 1, 1.0), (1, -1, 1.0), (1, 1, -1.0), (1, 1, math.nan)])
    def test_counts_below_zero_are_refused(self, counts: tuple[int, int, float]) -> None:
        """A count below 0 is an error that shows it."""
        parameters, macs, size_bytes = counts
        with pytest.raises(NotMeasurable, match=r"of a model is (-1|nan)"):
            ModelFacts(parameters=parameters, macs=macs, size_bytes=size_bytes)
