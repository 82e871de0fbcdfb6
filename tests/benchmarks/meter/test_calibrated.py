"""The calibration of a counter, on simulated ones whose response is known."""

from dataclasses import replace

import pytest

from benchmarks.meter.simulated.bench import Bench, BenchLoad, Setup, calibration
from benchmarks.meter.simulated.counters import Response, Ticks
from benchmarks.meter.simulated.machine import Power
from pytest_energy.doctor.calibrate import MeasuredResponse, calibrate_models
from pytest_energy.doctor.text import render_response
from pytest_energy.errors import NotMeasurable
from pytest_energy.meter.device_lock import Patience, owned
from pytest_energy.meter.response import sampling_s, seen_share
from pytest_energy.sensors.nvml import NvmlSensor

SEED = 5


def found(response: Response, ticks: Ticks | None = None) -> MeasuredResponse:
    bench = Bench(Setup(response=response, ticks=ticks or Ticks(), is_started=False), SEED)
    return calibration(bench, BenchLoad(bench))


@pytest.mark.parametrize(
    ("response", "least_s", "most_s"),
    [
        (Response(), 0.0, 0.005),
        (Response(delay_s=0.05), 0.05, 0.06),
        (Response(delay_s=0.15), 0.15, 0.16),
        (Response(low_pass_s=0.025), 0.1, 0.2),
        (Response(low_pass_s=0.1), 0.5, 0.9),
    ],
)
@pytest.mark.parametrize("tick_s", [0.1, 0.02])
def test_how_late_a_counter_is(response: Response, least_s: float, most_s: float, tick_s: float) -> None:
    """A delay is found to some milliseconds; of a filter four to nine time constants are waited for."""
    lag = found(response, ticks=Ticks(tick_s=tick_s)).lag
    assert 0.9 * least_s <= lag.settle_s <= most_s


@pytest.mark.parametrize(
    ("response", "sample_s", "share"),
    [(Response(sample_s=0.02, low_pass_s=0.0127), 0.02, 1.0), (Response(on_s=0.025), 0.1, 0.25)],
)
def test_which_moments_a_counter_sees(response: Response, sample_s: float, share: float) -> None:
    """Samples behind a filter miss nothing for long; a counter of part of the time misses the rest."""
    calibrated = found(response).response
    assert sampling_s(calibrated) == pytest.approx(sample_s, rel=0.01)
    assert seen_share(calibrated) == pytest.approx(share, abs=0.1)


@pytest.mark.parametrize(
    ("response", "least_s", "most_s"),
    [(Response(sample_s=0.02, low_pass_s=0.0127), 0.005, 0.009), (Response(sample_s=0.025), 0.012, 0.04)],
)
def test_work_that_few_windows_would_be_left_of_is_not_read(
    response: Response, least_s: float, most_s: float
) -> None:
    """Without a filter most work of 10 ms lies between two samples; the rest would be read too low."""
    assert least_s <= found(response).response.shortest_s <= most_s


def test_a_calibrated_counter_reads_what_it_voids_otherwise() -> None:
    """Windows of 10 ms behind a filter of 50 ms: void, or right to some percent."""
    setup = Setup(response=Response(low_pass_s=0.05))
    unknown, known = Bench(setup, SEED), Bench(replace(setup, is_calibrated=True), SEED)
    assert unknown.bursts(0.01).energy_j is None
    for _ in range(12):
        reading = known.bursts(0.01)
        assert reading.energy_j == pytest.approx(known.truth_j(reading), rel=0.04)


def test_power_that_falls_late_is_no_lag_of_the_counter() -> None:
    """The same joules after each burst, whatever its length, may be the device's."""
    bench = Bench(Setup(is_started=False), SEED)

    def after(power: Power, stop_s: float) -> None:
        power.decay(stop_s, 300.0, 0.1)

    with pytest.raises(NotMeasurable, match="power falls late after work"):
        calibration(bench, BenchLoad(bench, after))


def test_a_load_of_another_device_is_no_load() -> None:
    """A response found in noise would be worse than none."""

    class Elsewhere(BenchLoad):
        def run(self, duration_s: float) -> None:
            bench.machine.sleep_s(duration_s)

    bench = Bench(Setup(is_started=False), SEED)
    with pytest.raises(
        NotMeasurable, match=r"at rest, which is too little: the load is not on this counter's"
    ):
        calibration(bench, Elsewhere(bench))


def test_a_counter_that_stands_still_is_named() -> None:
    """There is nothing to calibrate."""
    with pytest.raises(NotMeasurable, match="gpu:0: its counter does not move"):
        found(Response(), ticks=Ticks(tick_s=1e6))


def test_one_gpu_of_each_model_is_calibrated() -> None:
    """Two alike need it once; what was found is shown in a few lines, and given with the model."""
    bench = Bench(Setup(gpu_count=2, is_started=False, response=Response(sample_s=0.025)), SEED)
    assert isinstance(bench.sensor, NvmlSensor)
    said: list[str] = []
    (one,) = calibrate_models(
        bench.sensor,
        said.append,
        clock=bench.machine,
        runner=bench.machine,
        make_load=lambda *_: BenchLoad(bench),
    )
    model, measured = one
    assert model == bench.sensor.models["gpu:0"]
    assert measured.response.source.startswith("measured here, 20")
    assert len(said) == 1
    assert said[0].startswith(f"gpu:0: {model}, driver ")
    text = render_response(measured)
    assert "samples power each" in text
    assert "25 ms" in text
    assert "gpu:1" not in text


def test_what_was_not_found_is_said() -> None:
    """A GPU without a load has no response, and the reason is there."""
    bench = Bench(Setup(is_started=False), SEED)

    class NoLoad(BenchLoad):
        def prepare(self) -> None:
            raise NotMeasurable("torch finds no GPU")

    said: list[str] = []
    assert isinstance(bench.sensor, NvmlSensor)
    none = list(
        calibrate_models(
            bench.sensor,
            said.append,
            clock=bench.machine,
            runner=bench.machine,
            make_load=lambda *_: NoLoad(bench),
        )
    )
    assert none == []
    assert said[-1] == "  not found: torch finds no GPU"


def test_a_gpu_that_another_run_measures_is_not_calibrated(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each would see the other's bursts; the reason names who measures it."""
    bench = Bench(Setup(is_started=False), SEED)
    assert isinstance(bench.sensor, NvmlSensor)
    monkeypatch.setattr("pytest_energy.doctor.calibrate._OTHERS_S", 0.0)
    said: list[str] = []
    with owned([bench.sensor.channels[0].device], Patience(limit_s=0.0, now_s=float, tell=lambda *_: None)):
        found = calibrate_models(
            bench.sensor,
            said.append,
            clock=bench.machine,
            runner=bench.machine,
            make_load=lambda *_: BenchLoad(bench),
        )
        assert list(found) == []
    assert said[-1].startswith("  not measured: ")
    assert "is being measured by" in said[-1]


def test_an_even_counter_is_shown_without_samples() -> None:
    """What can't be seen isn't shown."""
    text = render_response(found(Response()))
    assert "samples power" not in text
    assert "1.00 to 1.00 times" in text
