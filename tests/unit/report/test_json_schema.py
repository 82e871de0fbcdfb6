"""The JSON Schemas that come with the package, held against everything that is stored or written."""

import json
from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from pytest_energy.baselines.schema import Baseline, to_json_text
from pytest_energy.baselines.store import Store
from pytest_energy.cli import main
from pytest_energy.counts import CountEntry, Counts
from pytest_energy.judgement import (
    Budget,
    Comparison,
    CountChange,
    CountsComparison,
    EqualSteps,
    Judgement,
    Part,
    PartComparison,
    PhaseComparison,
    Verdict,
)
from pytest_energy.model import Domain, JoinedAs, Phase, Prediction, Provenance, Reading, Record, StepCost
from pytest_energy.ready import ReadyPower
from pytest_energy.report import schema, to_json, view
from pytest_energy.usage import DeviceUse, Usage
from pytest_energy.yardstick import Yardstick
from tests.builders import COUNTS, COUNTS_COMPARISON, CREATED, ESTIMATE, LAPTOP, comparison, judgement
from tests.fakes.sessions import estimated_session, gpu_session, replayed_session

ROOT = Path(__file__).parents[3]
SCHEMAS: dict[str, dict[str, Any]] = {name: json.loads(schema.text(name)) for name in schema.NAMES}
RUN, BASELINE = (Draft202012Validator(SCHEMAS[name]) for name in ("run", "baseline"))

STORED = sorted((*(ROOT / "docs/results").glob("*.json"), *(ROOT / "tests/golden").glob("*.json")))
DOCUMENTS = {path: json.loads(path.read_text("utf-8")) for path in STORED}
RUNS = [
    path for path, one in DOCUMENTS.items() if isinstance(one, dict) and {"tests", "correlations"} <= {*one}
]
BASELINES = sorted((*Store(ROOT / "baselines").paths(), *(ROOT / "tests/data/baselines").glob("*.json")))

READING = Reading(
    channels={"gpu:0": 8.0, "cpu:package-0": 4.0, "dram:package-0": 0.5},
    duration_s=1.0,
    uncertainty_j=0.2,
    provenance=Provenance.MEASURED,
    quality=("the counter ticks every 100 ms",),
    usage=Usage(cpu_utilisation_share=0.5),
    phases=(
        Phase(
            name="prefill",
            energy_j=None,
            uncertainty_j=None,
            duration_s=0.01,
            quality=("too short",),
            accuracy=0.9,
        ),
    ),
    quiet_power_w={"gpu:0": 70.0},
    temperatures_c={"gpu:0": 41.0},
    call_count=3,
    resting_channels={"gpu:1": 36.0},
    estimated_channels={"cpu:processes": 4.2},
    device_use={"gpu:0": DeviceUse.BUSY, "gpu:1": DeviceUse.OPEN},
    power_trace={"gpu:0": ((0.021, 212.4), (0.121, 640.1), (0.221, 640.1))},
    step_count=5120.0,
    load_tokens={"prompt_tokens": 16_500.0, "whole_prompt_tokens": 16_384.0},
    start_unix_s=1_763_719_200.125,
)
VOID = replace(READING, channels={}, void_because="thermal slowdown")
RESTED = replace(READING, channels={}, phases=())

READY = ReadyPower(power_w=120.0, temperature_c=45.0, slope_w_per_k=0.6, uncertainty_w=0.2)
WORK = PartComparison(
    part=Part.WORK,
    ratio=1.08,
    ratio_ci=(1.07, 1.09),
    detectable_ratio=1.08,
    allowed_ratio=1.05,
    energy_j=23.0,
    duration_s=1.0,
    verdict=Verdict.REGRESSION,
    is_judged=True,
)
FULL = replace(
    judgement(
        compared=comparison(1.3), group="requests", model="a", metrics={"flops": None}, absent={"flops": "?"}
    ),
    outcome="failed",
    verdict=Verdict.REGRESSION,
    budget=Budget(
        budget_j=1.0,
        budget_per_sample_j=2.0,
        budget_per_token_j=3.0,
        budget_per_prefill_token_j=0.1,
        budget_per_decode_token_j=0.2,
        budget_j_to_accuracy=4.0,
        phase_budgets_j={"train": 3.0},
    ),
    comparison=replace(
        comparison(1.3),
        basis="net joules a sample",
        tolerance=0.05,
        entry_energies_j=(9.5, 10.5),
        entry_dates=("2026-11-20T10:00:00Z", "2026-11-21T10:00:00Z"),
        entry_commits=("3f2c1ab", ""),
        creep="+3 % since May",
        latency_ratio=1.02,
        parts=(WORK,),
        no_parts_because="ready power of cpu:package-0 is not known",
        session_ratio=1.01,
        note="a prior",
        equal_steps=EqualSteps(
            step_count=5000.0,
            step_ratio=0.9,
            energy_per_step_j=0.152,
            measured_ratio=0.96,
            not_used_because="the engine differs (vllm)",
            amount_ratios={"duration_s": 1.02, "prompt_tokens": 0.99},
        ),
        compared_phases=(
            PhaseComparison(
                name="train",
                part=Part.WORK,
                ratio=1.2,
                ratio_ci=(1.15, 1.25),
                detectable_ratio=1.1,
                allowed_ratio=1.05,
                energy_j=6.0,
                duration_ratio=1.2,
                power_ratio=1.0,
                entry_count=3,
                verdict=Verdict.REGRESSION,
                is_judged=True,
                note="a second batch does not show it",
            ),
        ),
        absent_phases={"serve": "no session of the baseline has joules of it"},
    ),
)
FULL = replace(
    FULL,
    record=replace(
        FULL.record,
        rounds=(READING, READING, VOID),
        output_tokens=128,
        workload={"rate": "8/s"},
        engine_settings={"cuda_graphs": "on"},
        confirming_count=1,
        joined_as=JoinedAs.LEVEL,
        session="2026-11-21T10:00:00Z-5f3a1c",
        ready_power={
            "gpu:0": ReadyPower(power_w=121.3, temperature_c=41.0, slope_w_per_k=0.6, uncertainty_w=0.4)
        },
        saturated_because="requests under way grew by 40 of 100 arrivals",
        slo_missed_because="97 % of 320 answers",
        roles={"gpu:0": "rank 0"},
        missing_domains=(Domain.CPU,),
        step_cost=StepCost(
            energy_j=0.152,
            uncertainty_j=0.004,
            channels=("gpu:0",),
            amount_energies_j={"duration_s": 120.0, "step_count": 0.152},
            covariances_j2=((0.01, 0.0), (0.0, 1.6e-5)),
        ),
        counts=replace(COUNTS, is_piece=True),
        predictions={
            "h100": Prediction(
                energy_j=12.0, interval_j=(9.0, 16.0), duration_s=0.1, error_share=0.1, note="wider: bytes"
            )
        },
    ),
    counts_comparison=COUNTS_COMPARISON,
)
"""A judgement with a value in every field."""

AT_REST = replace(
    judgement(energy_j=None, verdict=Verdict.UNMEASURED),
    record=replace(FULL.record, rounds=(RESTED,), unmeasured_because="the GPU was at rest"),
)


def written(
    *judgements: Judgement, run_notes: tuple[str, ...] = (), yardstick: Yardstick | None = None
) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(
        to_json.render(view.of(judgements, run_notes=run_notes, yardstick=yardstick), created=CREATED)
    )
    return document


def objects(node: object) -> Iterator[dict[str, Any]]:
    """Every schema inside *node*."""
    if isinstance(node, dict):
        yield node
        for value in node.values():
            yield from objects(value)
    elif isinstance(node, list):
        for value in node:
            yield from objects(value)


@pytest.mark.parametrize("name", schema.NAMES)
def test_a_schema_is_one(name: str) -> None:
    """Each is valid by its own dialect's schema."""
    Draft202012Validator.check_schema(SCHEMAS[name])


@pytest.mark.parametrize("name", schema.NAMES)
def test_an_unknown_key_is_refused_everywhere(name: str) -> None:
    """Every object with named members is closed."""
    for node in objects(SCHEMAS[name]):
        if node.get("type") == "object" and "properties" in node:
            assert node["additionalProperties"] is False, node


def test_both_say_the_same_of_what_they_share() -> None:
    """A definition that is in both files is the same in both: each file stands alone."""
    run, baseline = SCHEMAS["run"]["$defs"], SCHEMAS["baseline"]["$defs"]
    shared = run.keys() & baseline.keys()
    assert {name: run[name] for name in shared} == {name: baseline[name] for name in shared}
    assert {*baseline} - shared == {"record"}  # a test has its members, and more


def test_there_are_documents_to_hold_it_against() -> None:
    """Runs and baselines were found where they are kept."""
    assert len(RUNS) >= 8
    assert len(BASELINES) >= 50


@pytest.mark.parametrize("path", RUNS, ids=lambda path: path.name)
def test_a_stored_run_is_valid(path: Path) -> None:
    """Every run of this repository fits the schema."""
    RUN.validate(json.loads(path.read_text(encoding="utf-8")))


def test_every_stored_baseline_is_valid() -> None:
    """Every baseline of this repository fits the schema."""
    for path in BASELINES:
        BASELINE.validate(json.loads(path.read_text(encoding="utf-8")))


@pytest.mark.parametrize(
    "judgements",
    [
        (),
        gpu_session(),
        estimated_session(),
        replayed_session(),
        (FULL,),
        (judgement(energy_j=None, verdict=Verdict.UNMEASURED),),
        (judgement(verdict=Verdict.VOID),),
        (AT_REST,),
        (judgement(provenance=Provenance.ESTIMATED, machine=LAPTOP, sensors=(ESTIMATE,)), judgement()),
    ],
    ids=["empty", "gpu", "estimated", "replayed", "full", "unmeasured", "void", "at rest", "two machines"],
)
def test_a_fresh_document_is_valid(judgements: tuple[Judgement, ...]) -> None:
    """What is written now fits the schema."""
    RUN.validate(written(*judgements, run_notes=("power at rest has changed",)))


@pytest.mark.parametrize(
    "yardstick",
    [
        Yardstick(records=(FULL.record,)),
        Yardstick(records=(replace(FULL.record, machine=LAPTOP, sensors=()),)),
        Yardstick(absent_because="--energy-yardstick=off"),
    ],
    ids=["full", "another machine", "absent"],
)
def test_a_yardstick_is_valid(yardstick: Yardstick) -> None:
    """The record of a load may have all that a test's record has."""
    RUN.validate(written(FULL, yardstick=yardstick))


def test_the_full_judgement_is_full() -> None:
    """The judgement above has a value in every field, so that a new field without schema fails."""
    record = {field.name: getattr(FULL.record, field.name) for field in fields(Record)}
    assert {name for name, value in record.items() if not value} == {"void_because", "unmeasured_because"}
    compared = FULL.comparison
    assert compared is not None
    assert all(getattr(compared, field.name) for field in fields(Comparison))
    assert all(getattr(FULL.budget, field.name) for field in fields(Budget))
    assert FULL.record.counts is not None
    assert all(getattr(FULL.record.counts, field.name) for field in fields(Counts))
    assert all(getattr(COUNTS.entries[0], field.name) for field in fields(CountEntry))
    assert all(getattr(COUNTS_COMPARISON, field.name) for field in fields(CountsComparison))
    assert all(getattr(COUNTS_COMPARISON.changes[0], field.name) for field in fields(CountChange))
    assert all(getattr(READING, f.name) for f in fields(Reading) if f.name not in {"void_because", "trace"})


def test_a_fresh_baseline_is_valid() -> None:
    """What the store writes fits the schema, with every field of a record."""
    record = FULL.record
    baseline = Baseline(test_id=record.test_id, machine_key=record.machine.key, entries=(record,))
    BASELINE.validate(json.loads(to_json_text(baseline)))
    assert "power_trace" not in to_json_text(baseline)


def test_the_verdicts_are_those_of_the_model() -> None:
    """A new verdict is in the schema."""
    definitions = SCHEMAS["run"]["$defs"]
    assert definitions["test"]["properties"]["verdict"] == {"$ref": "#/$defs/verdict"}
    assert definitions["verdict"]["enum"] == sorted(Verdict)
    assert definitions["provenance"]["enum"] == sorted(Provenance)


@pytest.mark.parametrize(
    ("place", "key", "value"),
    [
        ((), "surprise", 1),
        ((), "format", 2),
        (("tests", 0), "surprise", 1),
        (("tests", 0), "verdict", "fine"),
        (("tests", 0), "energy_j", None),
        (("tests", 0), "energy_j", -1.0),
        (("tests", 0), "samples", 0),
        (("tests", 0, "rounds", 0), "surprise", 1),
        (("tests", 0, "rounds", 0), "energy_j", None),
        (("tests", 0, "rounds", 0), "channels", {}),
        (("tests", 0, "rounds", 0), "channels", {"disk:0": 1.0}),
        (("tests", 0, "rounds", 0), "power_trace", {"gpu:0": [[0.1, 200.0]]}),
        (("tests", 0, "rounds", 0), "power_trace", {"gpu:0": [[0.1, 200.0, 1.0], [0.2, 200.0]]}),
        (("tests", 0, "baseline"), "ratio_ci", [1.0]),
        (("machine",), "surprise", 1),
        (("sensors", 0), "provenance", "guessed"),
    ],
)
def test_what_no_run_writes_is_refused(place: tuple[str | int, ...], key: str, value: object) -> None:
    """A key that nobody knows, and a value that can't be, do not fit."""
    document = written(FULL)
    node: Any = document
    for step in place:
        node = node[step]
    node[key] = value
    with pytest.raises(ValidationError):
        RUN.validate(document)


@pytest.mark.parametrize("name", schema.NAMES)
def test_the_command_prints_it(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """`pytest-energy schema` prints the file, ready to be used."""
    assert main(["schema", name]) == 0
    assert json.loads(capsys.readouterr().out) == SCHEMAS[name]


def test_a_run_is_still_called_session_if_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    """The name that a run's schema had first gives the same."""
    assert main(["schema", "session"]) == 0
    assert json.loads(capsys.readouterr().out) == SCHEMAS["run"]
