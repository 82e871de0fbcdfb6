"""The verdicts: which of them fail, which decide nothing, and how bad each is."""

from pytest_energy.judgement import FAILING, SEVERITY, UNDECIDED, Verdict


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
