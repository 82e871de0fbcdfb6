"""Every finding in words, letter by letter. `ENERGY_GOLDEN=accept` writes them anew; then read the diff."""

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import get_args

import pytest

from pytest_energy.baselines.schema import Baseline
from pytest_energy.basis import Basis
from pytest_energy.counts import Counts
from pytest_energy.judgement import FAILING, Budget, Judgement, Verdict
from pytest_energy.model import Provenance, Reading, Record, SensorStatus
from pytest_energy.plugin.reports import failure_lines
from pytest_energy.stats.centre import spread_of
from pytest_energy.usage import Usage
from pytest_energy.verdict.findings import (
    Compared,
    CreepSince,
    Decision,
    FactsDiffer,
    Finding,
    NoSuchJoules,
    Unmeasured,
    Void,
)
from pytest_energy.verdict.paragraph import THE_BASELINE, Reference, revision
from pytest_energy.verdict.policy import Policy
from pytest_energy.verdict.rules import summary_of
from pytest_energy.verdict.suite import BY_ITSELF, Suite
from pytest_energy.verdict.words import in_words
from tests.builders import (
    STEADY,
    baseline,
    counted,
    counts_baseline,
    counts_of,
    decided,
    phased,
    reading,
    record,
    uncounted,
)
from tests.unit.verdict.test_equal_steps import load, phases, sessions

FOLDER = Path(__file__).parent / "verdict"
ABSENT_RAPL = SensorStatus(
    name="rapl", provenance=Provenance.MEASURED, absent_because="energy_uj is 0400;\nsudo chmod a+r it"
)
MAIN = revision("main (abc1234)", "the working tree")
GATES = Policy(gates_estimates=True)
PHASES_J = {"train": 60.0, "serve": 40.0}
OF_PHASES = Policy(phase_baselines=("all",))


def estimated(*, void_because: str | None = None) -> Record:
    return record(
        energy_j=200.0,
        provenance=Provenance.ESTIMATED,
        sensors=(ABSENT_RAPL,),
        void_because=void_because,
    )


def unmeasured(provenance: Provenance) -> Record:
    return record(
        rounds=(), provenance=provenance, sensors=(ABSENT_RAPL,), unmeasured_because="no sensor\nworks here"
    )


def two_channels(gpu_j: float, cpu_j: float) -> Record:
    rounds: list[Reading] = [
        reading(channels={"gpu:0": gpu_j * share, "cpu:package-0": cpu_j * share}, duration_s=share)
        for share in STEADY
    ]
    return record(rounds=rounds)


def confirmed(*levels_j: float) -> Record:
    energies_j = [level_j * share for level_j in levels_j for share in STEADY]
    return replace(record(*energies_j), confirming_count=5)


def answered_in(latency_s: float, energy_j: float) -> Record:
    return record(energy_j=energy_j, metrics={"e2e_p50_s": latency_s})


def noted() -> Record:
    rounds = [
        reading(100.0, quality=("a tick was late", "edges\n interpolated")),
        reading(101.0),
        reading(99.0),
    ]
    return record(rounds=rounds)


def pairs(
    verdict: Verdict, *, count: int = 6, is_interleaved: bool = True, energy_j: float = 120.0
) -> Decision:
    """A decision on two revisions: the figures are those of the gate, the evidence is that of pairs."""
    fresh = replace(record(energy_j=energy_j), samples=None)
    finding = decided(fresh, baseline(record(shown={"torch": "2.7.0"}))).compared
    assert finding is not None
    changed = replace(
        finding,
        verdict=verdict,
        spread=spread_of(count),
        is_interleaved=is_interleaved,
    )
    return Decision(record=fresh, findings=(changed,), summary=summary_of(fresh))


def beside_others(energy_j: float, share: float) -> Record:
    """Joules of a processor, of whose busy time other programs had *share*."""
    usage = Usage(cpu_utilisation_share=0.5, other_cpu_share=0.5 * share)
    rounds = [
        replace(reading(channels={"cpu:package-0": energy_j * one}, duration_s=one), usage=usage)
        for one in STEADY
    ]
    return record(rounds=rounds)


Case = Callable[[], Decision]

UNUSABLE: Mapping[str, Case] = {
    "void": lambda: decided(record(void_because="another process\ncomputed on gpu:0")),
    "unmeasured": lambda: decided(unmeasured(Provenance.MEASURED)),
    "unmeasured, the sensor named in the reason": lambda: Decision(
        record=unmeasured(Provenance.MEASURED),
        findings=(Unmeasured(because="rapl: energy_uj is 0400; sudo chmod a+r it"),),
    ),
    "unmeasured in a replay": lambda: decided(replace(unmeasured(Provenance.REPLAYED), sensors=())),
    "an estimate": lambda: decided(estimated(), baseline(), budget=Budget(budget_j=1.0)),
    "an estimate, with counts": lambda: decided(replace(estimated(), counts=counts_of(12))),
    "a void estimate": lambda: decided(estimated(void_because="half the CPU time was others'")),
    "saturated": lambda: decided(replace(noted(), saturated_because="90 answers to\n160 requests")),
}
SLO = "97.19 % of 320 answers were within the latency limits, 99 % wanted; ttft p99 312 ms, limit 200 ms"

LATENCIES: Mapping[str, Case] = {
    "past their limits": lambda: decided(replace(record(), slo_missed_because=SLO), baseline()),
    "past their limits, with a regression": lambda: decided(
        replace(record(energy_j=120.0), slo_missed_because=SLO), baseline()
    ),
    "past their limits, nothing measured": lambda: decided(
        replace(unmeasured(Provenance.MEASURED), slo_missed_because=SLO)
    ),
}


def swept(lower: float | None, upper: float = 2.2) -> Record:
    """A record of a sweep whose default, 4, uses twice the joules of the best, 8, where 10 % is allowed."""
    metrics: dict[str, float | None] = {
        "sweep_excess": None if lower is None else min(2.0, upper),
        "sweep_excess_lower": lower,
        "sweep_excess_upper": None if lower is None else upper,
        "sweep_most_excess": 0.1,
        "sweep_most_latency_s": 0.05,
    }
    for name, energy_j, latency_s in (("4", 2.0, 0.01), ("8", 1.0, 0.02), ("16", 0.5, 0.2)):
        start = f"sweep_at_{name}"
        metrics |= {f"{start}_energy_per_sample": energy_j, f"{start}_samples": float(name)}
        metrics |= {f"{start}_energy_per_sample_{end}": energy_j for end in ("lower", "upper")}
        metrics |= {f"{start}_{what}": latency_s for what in ("duration_s", "fastest_s", "latency_s")}
    unknown = {"sweep_excess": "4, the default: thermal slowdown"} if lower is None else {}
    return replace(
        record(),
        engine_settings={"sweep": "batch size", "sweep_values": "4, 8, 16, 64", "sweep_default": "4"},
        metrics=metrics,
        absent={"sweep_at_64_energy_per_sample": "out of memory: 8 GiB", **unknown},
    )


SWEEPS: Mapping[str, Case] = {
    "far above the best": lambda: decided(swept(1.8)),
    "near the best": lambda: decided(swept(1.0, 1.05)),
    "perhaps too far above the best": lambda: decided(swept(1.05)),
    "the best is unknown": lambda: decided(swept(None)),
    "the best is unknown, nothing measured": lambda: decided(
        replace(unmeasured(Provenance.MEASURED), metrics={"sweep_most_excess": 0.1})
    ),
}

BUDGETS: Mapping[str, Case] = {
    "over": lambda: decided(record(), budget=Budget(budget_j=50.0)),
    "within": lambda: decided(record(), budget=Budget(budget_j=150.0)),
    "in doubt": lambda: decided(record(), budget=Budget(budget_j=100.0)),
    "in doubt, one round": lambda: decided(record(100.0), budget=Budget(budget_j=100.0)),
    "nothing allowed": lambda: decided(record(), budget=Budget(budget_j=0.0)),
    "trimmed": lambda: decided(record(*[100.0] * 9), budget=Budget(budget_j=1234567.0)),
    "just over": lambda: decided(record(*[500.0 * (1 + 1e-7)] * 4), budget=Budget(budget_j=500.0)),
    "a sample, and a round": lambda: decided(
        record(samples=50), budget=Budget(budget_j=150.0, budget_per_sample_j=1.5)
    ),
    "a token": lambda: decided(replace(record(), output_tokens=1280), budget=Budget(budget_per_token_j=0.05)),
    "a prefill token": lambda: decided(phases(0.052), budget=Budget(budget_per_prefill_token_j=0.05)),
    "a decode token, not known": lambda: decided(phases(0.05), budget=Budget(budget_per_decode_token_j=0.05)),
    "over on a busy machine": lambda: decided(beside_others(100.0, 0.6), budget=Budget(budget_j=50.0)),
    "over with others' joules taken off": lambda: decided(
        beside_others(100.0, 0.3), budget=Budget(budget_j=50.0)
    ),
    "before a regression": lambda: decided(record(energy_j=120.0), baseline(), budget=Budget(budget_j=50.0)),
}

NOTHING_TO_COMPARE: Mapping[str, Case] = {
    "no baseline": lambda: decided(record()),
    "baselines off": lambda: decided(record(), policy=Policy(ignores_baselines=True)),
    "no baseline here, but elsewhere": lambda: decided(record(), other_machines=("a100_nvml", "h200_nvml")),
    "no baseline of estimates": lambda: decided(estimated(), policy=GATES),
    "no usable session": lambda: decided(record(), baseline(record(0.0))),
    "one fact differs": lambda: decided(record(samples=50), baseline()),
    "two facts differ": lambda: decided(
        record(samples=50, fixed={"gpu_model": "H200"}),
        baseline(record(fixed={"gpu_model": "H100"})),
        other_machines=("a100_nvml",),
    ),
    "no net joules": lambda: decided(record(), baseline(), policy=Policy(basis=Basis(is_net=True))),
    "no joules": lambda: Decision(
        record=record(), findings=(NoSuchJoules(basis="", because="why"),), summary=summary_of(record())
    ),
}

COMPARED: Mapping[str, Case] = {
    "at equal steps": lambda: decided(load(4530.0, other_j=1100.0), baseline(*sessions())),
    "steps of the code": lambda: decided(load(8000.0), baseline(*sessions())),
    "regression": lambda: decided(record(energy_j=120.0), baseline()),
    "regression, confirmed": lambda: decided(confirmed(120.0, 121.0), baseline()),
    "not confirmed": lambda: decided(confirmed(112.0, 106.5), baseline(*[record()] * 5)),
    "by chance": lambda: decided(record(energy_j=109.0), baseline(), suite=Suite(test_count=1000)),
    "on a busy machine": lambda: decided(beside_others(120.0, 0.6), baseline(beside_others(100.0, 0.04))),
    "as busy as before": lambda: decided(beside_others(120.0, 0.6), baseline(beside_others(100.0, 0.6))),
    "improvement": lambda: decided(record(energy_j=80.0), baseline()),
    "improvement bought with time": lambda: decided(
        answered_in(1.5, 70.0), baseline(answered_in(0.25, 100.0))
    ),
    "improvement, as fast": lambda: decided(answered_in(0.26, 70.0), baseline(answered_in(0.25, 100.0))),
    "in doubt": lambda: decided(record(energy_j=106.0), baseline()),
    "in doubt, one round": lambda: decided(record(106.0), baseline()),
    "in doubt, an odd round": lambda: decided(record(140.0, 141.0), baseline(record(100.0, 101.0, 1e5))),
    "one round against one": lambda: decided(record(100.0), baseline(record(100.0))),
    "pass": lambda: decided(noted(), baseline()),
    "pass, two channels": lambda: decided(two_channels(100.0, 1.0), baseline(two_channels(100.0, 0.0))),
    "pass, samples": lambda: decided(record(samples=50), baseline(record(samples=50))),
    "pass, facts differ": lambda: decided(record(shown={"torch": "2.9.0\n+cu13"}), baseline()),
    "pass, sessions left out": lambda: decided(record(), baseline(record(0.0), record(0.0), record())),
    "pass, estimates that gate": lambda: decided(
        estimated(), baseline(estimated()), policy=replace(GATES, tolerance=0.8)
    ),
    "inconclusive, estimates that gate": lambda: decided(estimated(), baseline(estimated()), policy=GATES),
    "phases that are not judged": lambda: decided(
        phased({"train": 72.0, "serve": 28.0, "new": 1.0}), baseline(phased(PHASES_J))
    ),
    "a phase that rose": lambda: decided(
        phased({"train": 72.0, "serve": 28.0}), baseline(phased(PHASES_J)), policy=OF_PHASES
    ),
    "a phase that fell": lambda: decided(
        phased({"train": 48.0, "serve": 40.0}), baseline(phased(PHASES_J)), policy=OF_PHASES
    ),
    "a phase in doubt": lambda: decided(
        phased({"train": 60.0, "serve": 42.5}), baseline(phased(PHASES_J)), policy=OF_PHASES
    ),
    "a phase without a baseline": lambda: decided(phased(PHASES_J), baseline(), policy=OF_PHASES),
    "a factor": lambda: decided(record(energy_j=1e4), baseline()),
    "net joules": lambda: decided(
        replace(record(energy_j=106.0, power_w=106.0), idle_power_w={"gpu:0": 50.0}),
        baseline(replace(record(), idle_power_w={"gpu:0": 50.0})),
        policy=Policy(basis=Basis(is_net=True)),
    ),
    "creep": lambda: crept(commit="5" * 40),
    "creep, no commit": lambda: crept(commit=""),
}

CUDA = "torch.profiler (CPU, CUDA)"
BY_COUNTS = Policy(is_by_counts=True)
COUNTED = counts_baseline(counted(counts_of(12)))


def by_counts(fresh: Record, *against: Baseline, budget_j: float | None = None) -> Decision:
    return decided(fresh, policy=BY_COUNTS, counted=against, budget=Budget(budget_j=budget_j))


def beside(fresh: Record, then: Counts | None = None, *, suite: Suite = BY_ITSELF) -> Decision:
    """*fresh* against a baseline of 100 J with the counts *then*, 12 calls unless given."""
    against = baseline(record(counts=then or counts_of(12)))
    return decided(fresh, against, counted=[against], suite=suite)


COUNTS: Mapping[str, Case] = {
    "equal": lambda: by_counts(counted(counts_of(12)), COUNTED),
    "more": lambda: by_counts(counted(counts_of(36)), COUNTED),
    "fewer": lambda: by_counts(counted(counts_of(6)), COUNTED),
    "more, joules measured too": lambda: by_counts(record(counts=counts_of(36)), COUNTED),
    "more, joules void": lambda: by_counts(
        record(counts=counts_of(36), void_because="thermal slowdown"), COUNTED
    ),
    "equal, joules void, a budget that nothing tells": lambda: by_counts(
        record(counts=counts_of(12), void_because="thermal slowdown"), COUNTED, budget_j=50.0
    ),
    "more, over budget": lambda: by_counts(record(counts=counts_of(36)), COUNTED, budget_j=50.0),
    "equal, a budget that nothing tells": lambda: by_counts(counted(counts_of(12)), COUNTED, budget_j=50.0),
    "no baseline": lambda: by_counts(counted(counts_of(12))),
    "baselines off": lambda: decided(
        counted(counts_of(12)), policy=Policy(is_by_counts=True, ignores_baselines=True)
    ),
    "no counts": lambda: by_counts(uncounted(), COUNTED),
    "other work": lambda: by_counts(replace(counted(counts_of(12)), samples=64), COUNTED),
    "not judged by them": lambda: decided(counted(counts_of(36)), counted=[COUNTED]),
    "beside joules that rose": lambda: beside(record(energy_j=130.0, counts=counts_of(36))),
    "beside joules that rose by chance": lambda: beside(
        record(energy_j=109.0, counts=counts_of(36)), suite=Suite(test_count=1000)
    ),
    "the same beside joules that rose": lambda: beside(record(energy_j=130.0, counts=counts_of(12))),
    "the same beside a longer time": lambda: beside(
        record(energy_j=130.0, counts=counts_of(12, source=CUDA)), counts_of(12, source=CUDA)
    ),
    "beside joules that pass": lambda: beside(record(counts=counts_of(13))),
    "counted by something else": lambda: beside(record(counts=counts_of(12)), counts_of(12, source="calls")),
}

REVISIONS: Mapping[str, Case] = {
    "regression": lambda: pairs(Verdict.REGRESSION),
    "improvement": lambda: pairs(Verdict.IMPROVEMENT, energy_j=80.0),
    "pass, trimmed": lambda: pairs(Verdict.PASS, count=10, energy_j=100.0),
    "in doubt": lambda: pairs(Verdict.INCONCLUSIVE, energy_j=104.0),
    "one pair": lambda: pairs(Verdict.INCONCLUSIVE, count=1),
    "not in turns": lambda: pairs(Verdict.INCONCLUSIVE, count=1, is_interleaved=False),
    "facts differ": lambda: Decision(
        record=record(),
        findings=(FactsDiffer(differences={"samples": ("10", "20")}, other_machines=None),),
        summary=summary_of(record()),
    ),
    "void": lambda: Decision(
        record=record(), findings=(Void(because="somebody else computed", pair_count=3),)
    ),
}


def crept(*, commit: str) -> Decision:
    decision = decided(record(energy_j=104.0), baseline(), policy=Policy(tolerance=0.2))
    finding = decision.findings[0]
    assert isinstance(finding, Compared)
    creep = CreepSince(ratio=1.041, created="2026-05-05T08:00:00Z", commit=commit)
    return replace(decision, findings=(replace(finding, creep=creep),))


def words(name: str, judgement: Judgement) -> str:
    comparison = judgement.comparison
    kept = "" if comparison is None else f"(note: {comparison.note!r}, creep: {comparison.creep!r})\n"
    return f"==== {name} ====\n{judgement.verdict}: {judgement.reason}\n{kept}"


@pytest.mark.parametrize(
    ("name", "cases", "reference"),
    [
        ("unusable", UNUSABLE, THE_BASELINE),
        ("latencies", LATENCIES, THE_BASELINE),
        ("sweeps", SWEEPS, THE_BASELINE),
        ("budgets", BUDGETS, THE_BASELINE),
        ("nothing_to_compare", NOTHING_TO_COMPARE, THE_BASELINE),
        ("compared", COMPARED, THE_BASELINE),
        ("counts", COUNTS, THE_BASELINE),
        ("revisions", REVISIONS, MAIN),
    ],
)
def test_words(name: str, cases: Mapping[str, Case], reference: Reference) -> None:
    """The reason of each case, first line and all, is as accepted."""
    text = "\n".join(words(case, in_words(decision(), reference)) for case, decision in cases.items())
    check(name, text)


def check(name: str, text: str) -> None:
    """Compare *text* with the golden file *name*."""
    path = FOLDER / f"{name}.txt"
    if os.environ.get("ENERGY_GOLDEN") == "accept":
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8"), (
        f"{path.name} differs; `make golden` accepts what is said now"
    )


def failures() -> dict[str, Judgement]:
    """Each case that fails its test, in words."""
    groups: tuple[tuple[Mapping[str, Case], Reference], ...] = (
        (LATENCIES, THE_BASELINE),
        (SWEEPS, THE_BASELINE),
        (BUDGETS, THE_BASELINE),
        (COMPARED, THE_BASELINE),
        (COUNTS, THE_BASELINE),
        (REVISIONS, MAIN),
    )
    judgements = {
        f"{name} ({reference.name})": in_words(decision(), reference)
        for cases, reference in groups
        for name, decision in cases.items()
    }
    return {name: judgement for name, judgement in judgements.items() if judgement.verdict in FAILING}


def test_failures_as_pytest_shows_them() -> None:
    """What a failed test prints by default, letter by letter."""
    texts = ["\n".join((f"==== {name} ====", *failure_lines(one))) for name, one in failures().items()]
    check("failures", "\n\n".join(texts) + "\n")


@pytest.mark.parametrize("name", failures())
def test_a_failure_is_four_lines_with_the_number_first(name: str) -> None:
    """By default: the number within 60 characters, the cause, what to do, and how to see the rest."""
    judgement = failures()[name]
    lines = failure_lines(judgement)
    assert len(lines) == 4
    assert re.match(r"[-+]?\d|x \d", lines[0][:60])
    assert lines[-1] == "-v shows the rest"
    assert failure_lines(judgement, is_whole=True) == judgement.reason.splitlines()
    assert judgement.brief is not None
    assert judgement.reason.startswith("\n  ".join(judgement.brief.lines))


def test_every_kind_of_finding_is_in_words() -> None:
    """No finding is without a golden text."""
    groups = (UNUSABLE, LATENCIES, SWEEPS, BUDGETS, NOTHING_TO_COMPARE, COMPARED, COUNTS, REVISIONS)
    decisions = [decision() for group in groups for decision in group.values()]
    assert {type(finding) for decision in decisions for finding in decision.findings} == {*get_args(Finding)}
