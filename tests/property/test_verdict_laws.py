import json

from hypothesis import given
from hypothesis import strategies as st

from pytest_energy.conversion import judgement_from_json, judgement_to_json
from pytest_energy.judgement import Budget, Verdict
from pytest_energy.model import Reading, Record
from pytest_energy.verdict.policy import Policy
from pytest_energy.verdict.words import in_words
from tests.builders import baseline, decided, judged, phased, reading, record

MILDEST_FIRST = (
    Verdict.IMPROVEMENT,
    Verdict.PASS,
    Verdict.NO_BASELINE,
    Verdict.INCONCLUSIVE,
    Verdict.NOT_COMPARABLE,
    Verdict.REGRESSION,
    Verdict.OVER_BUDGET,
)

policies = st.builds(
    Policy,
    tolerance=st.floats(min_value=0.0, max_value=0.5),
    alpha=st.floats(min_value=0.01, max_value=0.4),
)
budgets = st.builds(
    Budget,
    budget_j=st.none() | st.floats(min_value=10.0, max_value=1000.0),
    budget_per_sample_j=st.none() | st.floats(min_value=1.0, max_value=100.0),
)
# A rise of one unit in the last place is less than the rounding of the sums.
rises = st.just(1.0) | st.floats(min_value=1.0001, max_value=3.0)


@st.composite
def records(draw: st.DrawFn, *, channels: tuple[str, ...] = ("gpu:0",)) -> Record:
    """One to twelve rounds around 100 J, each known to between 0 and 40 % of the least of them."""
    energies_j = draw(st.lists(st.floats(min_value=50.0, max_value=200.0), min_size=1, max_size=12))
    share = draw(st.floats(min_value=0.0, max_value=0.4))
    rounds = [
        reading(
            channels={name: energy_j / len(channels) for name in channels},
            duration_s=draw(st.floats(min_value=0.1, max_value=10.0)),
            uncertainty_j=share * min(energies_j),
        )
        for energy_j in energies_j
    ]
    return record(rounds=rounds, samples=10)


def raised(one: Record, factor: float, *, with_uncertainty: bool) -> Record:
    """*one* with every round's joules *factor* times as high."""
    rounds: list[Reading] = [
        reading(
            channels={name: energy_j * factor for name, energy_j in old.channels.items()},
            duration_s=old.duration_s,
            uncertainty_j=old.uncertainty_j * (factor if with_uncertainty else 1.0),
        )
        for old in one.rounds
    ]
    return record(rounds=rounds, samples=one.samples)


@given(
    fresh=records(),
    sessions=st.lists(records(), max_size=4),
    budget=budgets,
    policy=policies,
    factor=rises,
    with_uncertainty=st.booleans(),
)
def test_a_verdict_never_gets_milder_when_energy_rises(
    *,
    fresh: Record,
    sessions: list[Record],
    budget: Budget,
    policy: Policy,
    factor: float,
    with_uncertainty: bool,
) -> None:
    """All rounds rise together, their uncertainty with them or not: the verdict stays or gets worse."""
    kept = baseline(*sessions) if sessions else None
    before, after = (
        decided(one, kept, budget=budget, policy=policy).verdict
        for one in (fresh, raised(fresh, factor, with_uncertainty=with_uncertainty))
    )
    assert MILDEST_FIRST.index(before) <= MILDEST_FIRST.index(after)


@given(records(), st.integers(min_value=1, max_value=10), policies)
def test_a_record_against_itself_is_never_a_regression(one: Record, copies: int, policy: Policy) -> None:
    """However few or noisy its rounds, and however often it was accepted."""
    verdict = judged(one, baseline(*[one] * copies), policy=policy).verdict
    assert verdict in {Verdict.PASS, Verdict.INCONCLUSIVE}


@given(records(), st.lists(records(), min_size=1, max_size=4), budgets, policies)
def test_judging_changes_nothing_and_repeats(
    fresh: Record, sessions: list[Record], budget: Budget, policy: Policy
) -> None:
    """The same question has the same answer."""
    answers = [in_words(decided(fresh, baseline(*sessions), budget=budget, policy=policy)) for _ in range(2)]
    assert answers[0] == answers[1]


@given(records(channels=("gpu:0", "cpu:package-0")), st.lists(records(), max_size=2), budgets, policies)
def test_every_judgement_survives_json(
    fresh: Record, sessions: list[Record], budget: Budget, policy: Policy
) -> None:
    """What crosses to the controller or into a report comes back as it was."""
    kept = baseline(*sessions) if sessions else None
    judgement = in_words(decided(fresh, kept, other_machines=("m",), budget=budget, policy=policy))
    text = json.dumps(judgement_to_json(judgement), allow_nan=False)
    assert judgement_from_json(json.loads(text), "judgement") == judgement


@given(records(), st.lists(records(), max_size=2), budgets, policies)
def test_every_reason_has_a_first_line_that_stands_alone(
    fresh: Record, sessions: list[Record], budget: Budget, policy: Policy
) -> None:
    """All that follows is indented below it, and the joules are in the reason."""
    kept = baseline(*sessions) if sessions else None
    reason = in_words(decided(fresh, kept, budget=budget, policy=policy)).reason
    first, *rest = reason.splitlines()
    assert first
    assert not first.startswith(" ")
    assert " +- " in reason
    assert all(line.startswith("  ") and line.strip() for line in rest)


USUAL_J = {"load": 20.0, "train": 60.0, "serve": 20.0}
OF_PHASES = Policy(phase_baselines=("all",))


@given(
    st.sampled_from([*USUAL_J]),
    st.floats(0.5, 2.0),
    rises,
    st.lists(st.floats(0.9, 1.1), min_size=1, max_size=8),
    st.lists(st.floats(0.9, 1.1), min_size=1, max_size=6),
)
def test_the_verdict_of_a_phase_never_gets_milder_when_it_rises(
    name: str, level: float, factor: float, shares: list[float], sessions: list[float]
) -> None:
    """The rounds and the other phases are as they were."""
    usual_j = [{one: energy_j * share for one, energy_j in USUAL_J.items()} for share in sessions]
    kept = baseline(*map(phased, usual_j))
    before, after = (
        decided(phased({**USUAL_J, name: USUAL_J[name] * one}, shares=shares), kept, policy=OF_PHASES).verdict
        for one in (level, level * factor)
    )
    assert MILDEST_FIRST.index(before) <= MILDEST_FIRST.index(after)


@given(st.lists(st.floats(0.5, 2.0), min_size=1, max_size=8), st.integers(1, 10), st.floats(0.0, 0.2))
def test_phases_against_themselves_are_never_a_regression(
    shares: list[float], copies: int, uncertainty_share: float
) -> None:
    """However few or noisy their rounds, and however blunt their edges; the judgement survives JSON."""
    one = phased(USUAL_J, shares=shares, uncertainty_share=uncertainty_share)
    judgement = in_words(decided(one, baseline(*[one] * copies), policy=OF_PHASES))
    assert judgement.verdict in {Verdict.PASS, Verdict.INCONCLUSIVE}
    document = json.loads(json.dumps(judgement_to_json(judgement), allow_nan=False))
    assert judgement_from_json(document, "a test") == judgement
