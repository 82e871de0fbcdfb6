"""Runs for the HTML report: hostile names everywhere, several channels, loads that saturate, batch sizes."""

from dataclasses import replace

from pytest_energy.judgement import Budget, Judgement, Verdict
from pytest_energy.model import Machine, Phase, Provenance, Reading, SensorStatus
from tests.builders import comparison, judgement
from tests.fakes.sessions import gpu_session, steps

HOSTILE = (
    "<img src=x onerror=alert(1)>",
    "</script><script>window.hacked = 1</script>",
    "javascript:window.hacked=1",
    "\"' onmouseover='window.hacked=1' x=\"",
    "</style><style>body{display:none}</style>",
    "--><svg onload=window.hacked=1>",
    "</title></textarea></noscript><script>window.hacked=1</script>",
    "{{ 7 * 7 }} {% raw %} ${window.hacked=1}",
    "line\u2028separator\u2029and \u202emirrored \x1b[31m",
)


def rounds(count: int = 6, *, level_j: float = 300.0, quality: str = "") -> tuple[Reading, ...]:
    """Rounds of three channels, with a phase, a temperature and the GPU's power over time each."""
    return tuple(
        Reading(
            channels={
                "gpu:0": level_j + 4 * number,
                "cpu:package-0": 80.0 - number,
                "dram:package-0": 22.5,
            },
            duration_s=1 + 0.01 * number,
            uncertainty_j=3.0,
            provenance=Provenance.MEASURED,
            quality=(quality,) if quality else (),
            phases=(Phase(name=f"prefill {quality}", energy_j=10.0, uncertainty_j=1.0, duration_s=0.2),),
            temperatures_c={"gpu:0": 44.0},
            power_trace={"gpu:0": steps(0.013 * number, 2.0 * number)},
        )
        for number in range(count)
    )


def hostile_run() -> tuple[Judgement, ...]:
    """Each hostile text as the name, model, group, metric, reason, fact, note and sensor of a test."""
    return tuple(_hostile(text, number) for number, text in enumerate(HOSTILE))


def _hostile(text: str, number: int) -> Judgement:
    whole = " ".join(HOSTILE)
    ordinary = judgement(
        test_id=f"tests/test_x.py::test[{number}-{text}]",
        energy_j=400.0 + number,
        group=f"batch{text}" if number % 2 else "batch",
        model=f"{text}@{2**number}",
        metrics={text: float(number), "batch_size": 2.0**number, "parameters": 1e6 + number},
        absent={f"absent {text}": whole},
        reason=f"{text}\n  {whole}",
        verdict=Verdict.REGRESSION,
        machine=Machine(key=f"key {whole}", fixed={text: whole}, varying={text: whole}),
        sensors=(
            SensorStatus(name=text, provenance=Provenance.MEASURED, channels=(whole,), tick_s=0.1),
            SensorStatus(name=f"no {text}", provenance=Provenance.MEASURED, absent_because=whole),
        ),
        compared=replace(
            comparison(1.3, (1.2, 1.4), note=whole),
            differences={text: (whole, text)},
            creep=whole,
            basis="",
            entry_energies_j=(1.0, 2.0),
            entry_dates=(text, whole),
            entry_commits=(whole, text),
        ),
        budget_j=500.0,
    )
    return replace(
        ordinary,
        record=replace(
            ordinary.record,
            rounds=rounds(quality=whole),
            workload={text: whole},
            engine_settings={text: whole},
        ),
    )


def mixed_run() -> tuple[Judgement, ...]:
    """The GPU session with channels, a budget, a load that saturates and a sweep over the batch size."""
    tests = list(gpu_session())
    tests[4] = replace(
        tests[4], record=replace(tests[4].record, rounds=rounds()), budget=Budget(budget_j=450.0)
    )
    tests[10] = replace(tests[10], record=replace(tests[10].record, saturated_because="the queue grew"))
    return (*tests, *sweep())


def suite_run() -> tuple[Judgement, ...]:
    """26 tests: the mixed run, and a suite with long names, phases and notes that differ in their numbers."""
    return (*mixed_run(), *(_of_a_suite(number) for number in range(7)))


def _of_a_suite(number: int) -> Judgement:
    found = judgement(
        test_id=f"tests/test_pipeline_of_documents.py::test_round_trip_of_a_long_archive[zstd-level-{number}]",
        energy_j=0.3 + 0.1 * number,
        verdict=Verdict.REGRESSION if number == 6 else Verdict.PASS,
        compared=comparison(1.201 if number == 6 else 1.0, (1.16, 1.24) if number == 6 else (0.98, 1.02)),
        reason="+20.1 % energy [+16.0, +24.0], allowed 5 %: 900 +- 5 mJ, baseline 749 mJ\n  time +20.1 %"
        if number == 6
        else "0 % energy [-2.0, +2.0], allowed 5 %",
        quality=(f"other programs used {50 + number} % of the CPU",),
    )
    phases = tuple(
        Phase(name=name, energy_j=share * (0.3 + 0.1 * number), uncertainty_j=0.01, duration_s=share * 0.02)
        for name, share in (("compress", 0.58), ("write to the disk", 0.3))
    )
    rounds = tuple(replace(reading, phases=phases) for reading in found.record.rounds)
    return replace(found, record=replace(found.record, rounds=rounds))


def sweep() -> tuple[Judgement, ...]:
    """Batch sizes of which one is best, one ties with it, and one ran out of memory."""
    energies_j = {4: 80.0, 16: 100.0, 64: 160.0, 256: 190.0, 1024: 730.0}
    measured = [
        judgement(
            test_id=f"benchmarks/test_batch_size.py::test_batch_size[vgg16-{size}]",
            energy_j=energy_j,
            uncertainty_j=energy_j / 200,
            duration_s=0.5 + size / 1000,
            samples=size * 10,
            group="batch",
            model=f"vgg16@{size}",
            metrics={"batch_size": float(size)},
        )
        for size, energy_j in energies_j.items()
    ]
    lost = judgement(
        test_id="benchmarks/test_batch_size.py::test_batch_size[vgg16-4096]",
        energy_j=None,
        verdict=Verdict.UNMEASURED,
        group="batch",
        model="vgg16@4096",
        metrics={"batch_size": 4096.0},
        reason="CUDA out of memory",
        absent={"energy_j": "CUDA out of memory"},
    )
    return (*measured, lost)


def many_run(count: int) -> tuple[Judgement, ...]:
    """*count* tests of rising joules, every tenth a regression."""
    return tuple(
        judgement(
            test_id=f"tests/layer_{number // 100}/test_scale.py::test_work[{number}]",
            energy_j=10.0 + number / 7,
            verdict=Verdict.PASS if number % 10 else Verdict.REGRESSION,
            compared=comparison(1 + number % 10 / 100),
        )
        for number in range(count)
    )
