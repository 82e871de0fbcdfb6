import json
from dataclasses import replace
from typing import cast

import pytest

from pytest_energy.conversion import judgement_from_json, judgement_to_json
from pytest_energy.judgement import Comparison
from pytest_energy.verdict.findings import Compared, Decision, Finding, Void
from pytest_energy.verdict.words import in_words, reason
from tests.builders import baseline, decided, judged, record


def test_a_finding_without_words_is_an_error() -> None:
    """A new kind of finding can't be passed over in silence."""
    unknown = cast("Finding", object())
    with pytest.raises(NotImplementedError, match="object has no words"):
        reason(Decision(record=record(), findings=(unknown,)))


def test_what_others_wrote_starts_no_line_of_its_own() -> None:
    """The first line stands by itself, whatever is in a reason."""
    lines = reason(Decision(record=record(), findings=(Void(because="one\n  two\n"),))).splitlines()
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


def test_confirming_rounds_are_written_where_there_are_some() -> None:
    """Their number is optional in the file."""
    confirmed = replace(record(), confirming_count=2)
    assert judgement_from_json(judgement_to_json(judged(confirmed)), "here").record == confirmed
    assert "confirming_count" not in judgement_to_json(judged(record()))
