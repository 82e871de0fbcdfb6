"""Whole sessions as the reports see them: a GPU run with a regression, a laptop without sensors."""

from dataclasses import replace

from pytest_energy.judgement import Judgement, Verdict
from pytest_energy.model import Provenance, SensorStatus
from pytest_energy.verdict.policy import Policy
from tests.builders import ESTIMATE, LAPTOP, baseline, comparison, judged, judgement, phased

# Joules an epoch, parameters in millions, MACs of an image in millions, as CNNs for CIFAR-10 have them.
_CNNS = (
    ("lenet", 61.4, 0.062, 0.65),
    ("mobilenet-v2", 288.1, 2.30, 94.6),
    ("vgg", 341.0, 14.7, 313.0),
    ("efficientnet-b0", 295.9, 3.60, 31.0),
    ("resnet18", 403.1, 11.17, 556.0),
    ("googlenet", 951.7, 6.17, 1530.0),
    ("densenet121", 887.2, 6.96, 898.0),
)
_WHY = "time +30.4 %, power 0 %; driver was 575.57.08, is 580.159.04"
_SESSIONS_J = (305.2, 311.0, 308.4, 312.1, 307.6, 310.4)
_COMMITS = ("9a1f0", "9a1f0", "c07be", "c07be", "51d2e", "51d2e")
_POWERS_W = (214.6, 338.2, 341.7, 336.9, 322.4, 305.1, 297.8, 336.2, 343.5, 340.1, 331.8)  # from tick to tick
_RATES = ((1.0, 164.0), (2.0, 98.0), (4.0, 56.0), (8.0, 25.0))


def gpu_session() -> tuple[Judgement, ...]:
    """An H100 run: CNNs of which one regressed and one is over budget, an LLM, one void, one undecided."""
    return (*_training(), *_requests(), _void(), _unsampled())


def _training() -> tuple[Judgement, ...]:
    special = {
        "resnet18": (
            Verdict.REGRESSION,
            replace(
                comparison(1.304, (1.2713, 1.3391), energy_j=309.1, entry_count=6),
                tolerance=0.05,
                entry_energies_j=_SESSIONS_J,
                entry_dates=tuple(f"2026-11-{day}T10:00:00Z" for day in range(14, 20)),
                entry_commits=tuple(
                    commit * 8 for commit in ("9a1f0", "9a1f0", "c07be", "c07be", "51d2e", "51d2e")
                ),
            ),
            "403.1 J a round, 30.4 % above the baseline of 309.1 J (+27.1 to +33.9 %, tolerance 5 %)\n"
            + _WHY,
        ),
        "vgg": (Verdict.IMPROVEMENT, comparison(0.91, (0.902, 0.918)), "9.0 % below the baseline"),
        "googlenet": (Verdict.OVER_BUDGET, None, "951.7 J a round is above the budget of 900 J"),
        "densenet121": (
            Verdict.INCONCLUSIVE,
            comparison(
                1.041, (0.992, 1.092), entry_count=1, note="1 session: spread between runs taken as 1 %"
            ),
            "the change is between -0.8 % and +9.2 %: it may be within the tolerance of 5 % or above it",
        ),
    }
    tests = tuple(
        judgement(
            test_id=f"benchmarks/cnn/test_cnn.py::test_training[{name}]",
            energy_j=energy_j,
            uncertainty_j=energy_j * 0.003,
            duration_s=energy_j / 312.0,
            samples=512,
            group="training",
            model=name,
            metrics={
                "energy_per_sample": energy_j / 512,
                "parameters": parameters_m * 1e6,
                "macs_param": macs_m / parameters_m,
                "work_done": parameters_m * 1e6 / (energy_j / 312.0),
                "overall_efficiency": None,
                "work_per_unit_power": parameters_m * 1e6 / energy_j,
                "energy_scaling_factor": 312.0 / (parameters_m * 1e6),
                "gpu_energy_scaling_factor": 312.0 / (parameters_m * 1e6),
                "accuracy": 0.91,
            },
            absent={"overall_efficiency": "GPU utilisation was not told"},
            verdict=special[name][0] if name in special else Verdict.PASS,
            compared=special[name][1] if name in special else comparison(1.002, (0.991, 1.013)),
            reason=special[name][2] if name in special else "+0.2 %, within the tolerance of 5 %",
        )
        for name, energy_j, parameters_m, macs_m in _CNNS
    )
    return tuple(_traced(found) if found.record.model == "resnet18" else found for found in tests)


def _traced(found: Judgement) -> Judgement:
    """*found* with power over time in each round, each at another phase of the counter's ticks."""
    rounds = tuple(
        replace(reading, power_trace={"gpu:0": steps(0.017 * number, 1.5 * number)})
        for number, reading in enumerate(found.record.rounds)
    )
    return replace(found, record=replace(found.record, rounds=rounds))


def steps(first_s: float, more_w: float) -> tuple[tuple[float, float], ...]:
    """Power of a window between its ticks, of which the first was after *first_s*."""
    powers_w = (*_POWERS_W, _POWERS_W[-1])
    return tuple(
        (round(first_s + number / 10, 3), round(power_w + more_w, 1))
        for number, power_w in enumerate(powers_w)
    )


def _requests() -> tuple[Judgement, ...]:
    return tuple(
        judgement(
            test_id=f"benchmarks/llm/test_requests.py::test_rate[llama-8b-{rate:g}]",
            energy_j=energy_j * 32,
            uncertainty_j=energy_j * 0.05,
            duration_s=32 / rate,
            samples=32,
            group="requests",
            model="llama-8b",
            metrics={
                "energy_per_sample": energy_j,
                "parameters": 8.03e9,
                "request_rate": rate,
                "cache_hit_rate": 0.0,
                "average_output_token_length": 128.0,
            },
            verdict=Verdict.NO_BASELINE,
            reason="there is no baseline for this machine yet: run with --energy-baseline=add to make one",
            quality=("the head of the window was not quiet",) if rate == 8.0 else (),
        )
        for rate, energy_j in _RATES
    )


def _void() -> Judgement:
    return judgement(
        test_id="benchmarks/cnn/test_cnn.py::test_inference[resnet18]",
        verdict=Verdict.VOID,
        reason="thermal slowdown in 5 of 5 rounds",
    )


def _unsampled() -> Judgement:
    return judgement(
        test_id="tests/test_tokenizer.py::test_encode",
        energy_j=0.00042,
        uncertainty_j=0.000013,
        duration_s=0.0085,
        samples=None,
        idle_power_w=None,
    )


def estimated_session() -> tuple[Judgement, ...]:
    """A laptop where nothing measures: estimates that judge nothing, one of them without joules at all."""
    no_nvml = SensorStatus(
        name="nvml", provenance=Provenance.MEASURED, absent_because="no NVIDIA driver on this machine"
    )
    no_rapl = SensorStatus(
        name="rapl",
        provenance=Provenance.MEASURED,
        absent_because="/sys/class/powercap/intel-rapl:0/energy_uj is readable by root alone (mode 0400): "
        "sudo chmod a+r /sys/class/powercap/intel-rapl:*/energy_uj",
    )
    reason = "the joules are an estimate, which judges nothing; --energy-estimates=gate lets it"
    common = {"machine": LAPTOP, "sensors": (no_nvml, no_rapl, ESTIMATE), "reason": reason}
    estimated = [
        judgement(
            test_id=f"benchmarks/cnn/test_cnn.py::test_inference[{name}]",
            energy_j=energy_j / 20,
            uncertainty_j=energy_j / 200,
            duration_s=energy_j / 560,
            samples=256,
            group="inference",
            model=name,
            metrics={"energy_per_sample": energy_j / 20 / 256, "parameters": parameters_m * 1e6},
            verdict=Verdict.UNMEASURED,
            provenance=Provenance.ESTIMATED,
            **common,  # type: ignore[arg-type]  # one mapping for three keywords
        )
        for name, energy_j, parameters_m, _ in _CNNS[:3]
    ]
    return (
        *estimated,
        judgement(
            test_id="benchmarks/cnn/test_cnn.py::test_gpu_only",
            energy_j=None,
            verdict=Verdict.UNMEASURED,
            provenance=Provenance.ESTIMATED,
            **{**common, "reason": "domain gpu: no sensor on this machine reads it"},  # type: ignore[arg-type]
        ),
    )


def replayed_session() -> tuple[Judgement, ...]:
    """A gate tried with a replay file: one test within its baseline, one that the file does not name."""
    status = SensorStatus(name="replay", channels=("gpu:0",), provenance=Provenance.REPLAYED)
    return (
        judgement(
            test_id="test_demo.py::test_named",
            energy_j=10.0,
            uncertainty_j=0.0,
            round_count=1,
            provenance=Provenance.REPLAYED,
            sensors=(status,),
            compared=comparison(1.0, (0.98, 1.02), energy_j=10.0),
        ),
        judgement(
            test_id="test_demo.py::test_forgotten",
            energy_j=None,
            verdict=Verdict.UNMEASURED,
            provenance=Provenance.REPLAYED,
            sensors=(status,),
            reason="the replay file does not name this test",
        ),
    )


def phased_session() -> tuple[Judgement, ...]:
    """A test whose phases are judged, one of them a regression, and one whose phases are shown."""
    stored = baseline(phased({"load": 20.0, "train": 60.0, "serve": 20.0}))
    fresh = phased({"load": 20.0, "train": 72.0, "serve": 8.0})
    shown = judged(fresh, stored)
    return (
        judged(fresh, stored, policy=Policy(phase_baselines=("train", "load"))),
        replace(shown, record=replace(shown.record, test_id="tests/test_model.py::test_shown")),
    )
