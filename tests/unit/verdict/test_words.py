import json
from dataclasses import replace
from typing import cast

import pytest

from pytest_energy.conversion import judgement_from_json, judgement_to_json
from pytest_energy.judgement import Comparison, Verdict
from pytest_energy.meter.scope import scoped
from pytest_energy.model import METER_FACT, Machine, Provenance
from pytest_energy.verdict.findings import Compared, Decision, Finding, Void
from pytest_energy.verdict.policy import Policy
from pytest_energy.verdict.suite import Suite
from pytest_energy.verdict.words import in_words
from tests.builders import NO_RAPL, NVML, baseline, decided, judged, reading, record


def test_a_finding_without_words_is_an_error() -> None:
    """A new kind of finding can't be passed over in silence."""
    unknown = cast("Finding", object())
    with pytest.raises(NotImplementedError, match="object has no words"):
        in_words(Decision(record=record(), findings=(unknown,)))


def test_what_others_wrote_starts_no_line_of_its_own() -> None:
    """The first line stands by itself, whatever is in a reason."""
    lines = in_words(Decision(record=record(), findings=(Void(because="one\n  two\n"),))).reason.splitlines()
    assert lines[0] == "no usable joules: one two"
    assert all(line.startswith("  ") for line in lines[1:])


def test_a_judgement_is_the_decision_in_words() -> None:
    """Verdict, joules and figures are the rules'; only texts are added."""
    decision = decided(record(energy_j=120.0), baseline())
    judgement = in_words(decision)
    finding = decision.findings[0]
    assert isinstance(finding, Compared)
    assert (judgement.verdict, judgement.summary) == (decision.verdict, decision.summary)
    assert judgement.comparison == finding.comparison
    assert judgement == judged(record(energy_j=120.0), baseline())


def test_what_is_not_compared_has_no_comparison() -> None:
    """Joules that must not be used have neither a mean nor a ratio."""
    decision = decided(record(void_because="the clock stood still"), baseline())
    assert decision.findings == (Void(because="the clock stood still"),)
    judgement = in_words(decision)
    assert (judgement.summary, judgement.comparison) == (None, None)


def test_notes_are_part_of_the_comparison_that_is_kept() -> None:
    """Who draws a comparison has its note too."""
    comparison = judged(record(100.0), baseline(record(100.0))).comparison
    assert isinstance(comparison, Comparison)
    assert comparison.note


def test_the_json_of_a_judgement_is_json() -> None:
    """No NaN and no infinity in what is written."""
    over = judged(record(energy_j=120.0), baseline(), budget_j=50.0)
    text = json.dumps(judgement_to_json(over), allow_nan=False)
    assert json.loads(text)["verdict"] == "over-budget"


@pytest.mark.parametrize(
    ("provenance", "policy", "option"),
    [
        (Provenance.MEASURED, Policy(), ""),
        (Provenance.ESTIMATED, Policy(gates_estimates=True), " --estimates=gate"),
    ],
)
def test_a_saving_is_kept_as_the_pipeline_keeps_it(
    provenance: Provenance, policy: Policy, option: str
) -> None:
    """The command that is advised takes this run; of estimates it says so."""
    before, after = (record(energy_j=energy_j, provenance=provenance) for energy_j in (100.0, 50.0))
    text = judged(after, baseline(before), policy=policy).reason
    assert (
        f"Keep the saving, so that its loss fails the test: pytest-energy accept RUN.json{option} (" in text
    )


def test_a_rise_past_the_tolerance_is_never_to_be_added() -> None:
    """In a baseline it would pass for chance; what is only wide may be added."""
    past, wide = record(energy_j=109.0), record(energy_j=104.0)
    doubted = judged(past, baseline(), suite=Suite(test_count=1000))
    assert doubted.verdict is judged(wide, baseline()).verdict is Verdict.INCONCLUSIVE
    assert "--energy-baseline=add" not in doubted.reason
    assert "pytest-energy ab REVISION -- " in doubted.reason
    assert "--energy-baseline=add" in judged(wide, baseline()).reason


def test_confirming_rounds_are_written_where_there_are_some() -> None:
    """Their number is optional in the file."""
    confirmed = replace(record(), confirming_count=2)
    assert judgement_from_json(judgement_to_json(judged(confirmed)), "here").record == confirmed
    assert "confirming_count" not in judgement_to_json(judged(record()))


def test_an_estimate_of_an_agent_is_of_no_sensor_there() -> None:
    """Joules that an agent estimated are not called this machine's."""
    far = Machine(key="far", varying={METER_FACT: "http://far:8365"})
    rounds = [reading(100.0, provenance=Provenance.ESTIMATED)] * 3
    one = record(rounds=rounds, provenance=Provenance.ESTIMATED)
    reason = judged(replace(one, machine=far), budget_j=1.0).reason
    assert "not judged: no sensor measures at the meter" in reason
    assert "Enable a sensor (`pytest-energy doctor` shows how there)" in reason


def test_a_device_at_rest_is_told_with_what_it_drew() -> None:
    """Power in the rounds beside that before them, the estimate, and how to be judged by it."""
    one = replace(
        reading(100.0, duration_s=0.5),
        quiet_power_w={"gpu:0": 199.0},
        estimated_channels={"cpu:processes": 4.0},
    )
    text = judged(scoped(record(rounds=[one] * 3, sensors=(NVML, NO_RAPL))), budget_j=1.0).reason
    assert text.splitlines() == [
        "nothing was measured: the GPU was at rest and nothing measures the CPU here",
        "  `pytest-energy doctor` shows what this machine can measure, and how to enable the rest.",
        "  To judge the estimate: pytest ... --energy-sensors=estimate --energy-estimates=gate",
        "  gpu:0: 200 W during the rounds, 199 W before the first",
        "  estimate of the CPU: ~4 J per round, not judged",
        f"  rapl: {NO_RAPL.absent_because}",
        "  Not checked against its budget. With --energy-strict, that fails the test.",
    ]


def test_joules_of_a_part_are_said_to_be_of_it() -> None:
    """A sentence names the scope as a table does."""
    one = replace(reading(400.0), quiet_power_w={"gpu:0": 120.0})
    assert "(GPU only, 3 rounds)" in judged(scoped(record(rounds=[one] * 3)), budget_j=500.0).reason
