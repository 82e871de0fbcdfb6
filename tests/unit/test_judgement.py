"""The verdicts: which of them fail, which decide nothing, and how bad each is."""

from dataclasses import replace

from pytest_energy.conversion import judgement_from_json, judgement_to_json
from pytest_energy.judgement import FAILING, SEVERITY, UNDECIDED, Verdict
from tests.builders import baseline, judged, record


def test_a_verdict_fails_decides_nothing_or_is_well() -> None:
    """Only a pass and an improvement are neither past a limit nor in doubt."""
    assert not FAILING & UNDECIDED
    assert set(Verdict) - FAILING - UNDECIDED == {Verdict.PASS, Verdict.IMPROVEMENT}
    assert sorted(UNDECIDED) == [
        "inconclusive",
        "no-baseline",
        "not-comparable",
        "saturated",
        "unmeasured",
        "void",
    ]


def test_every_verdict_has_its_place_in_both_orders() -> None:
    """No verdict is missing from the table of severity, and no two share a place."""
    assert set(SEVERITY) == set(Verdict)
    for places in zip(*((one.of_findings, one.of_rows) for one in SEVERITY.values()), strict=True):
        assert sorted(places) == list(range(len(Verdict)))


class TestBrief:
    def test_it_is_what_the_words_gave(self) -> None:
        """The first lines of the reason, by what they are, also out of a file."""
        judgement = judged(record(energy_j=120.0), baseline())
        assert judgement.in_brief == judgement.brief
        assert judgement_from_json(judgement_to_json(judgement), "here").in_brief == judgement.brief

    def test_a_plugin_that_writes_before_the_reason_keeps_cause_and_advice(self) -> None:
        """The headline is the first line of the reason, whoever wrote it."""
        judgement = judged(record(energy_j=120.0), baseline())
        assert judgement.brief is not None
        changed = replace(judgement, reason=f"experimental: {judgement.reason}")
        assert changed.in_brief == replace(
            judgement.brief, headline=f"experimental: {judgement.brief.headline}"
        )

    def test_another_reason_has_no_cause_of_the_former_one(self) -> None:
        """Nor has a file of an earlier version, which has the reason alone."""
        judgement = judged(record(energy_j=120.0), baseline())
        rewritten = replace(judgement, reason="together it is another thing\n  so")
        for other in (rewritten, replace(judgement, brief=None)):
            assert other.in_brief.lines == (other.reason.splitlines()[0],)
