import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_energy.notes import kind_of, merged, of_one_kind

BUSY = "other programs used {} % of the CPU; cpu:package-0 counts them too: at most {} % of the joules"


def test_a_kind_is_one_note_with_its_ranges() -> None:
    """Each quantity gets a range of its own, and the rounds that have the note are counted."""
    rounds = [[BUSY.format(82, 40)], [BUSY.format(55, 44)], [], [BUSY.format(91, 9)]]
    assert merged(rounds) == (BUSY.format("55 to 91", "9 to 44") + " (3 of 4 rounds)",)


def test_equal_quantities_are_no_range() -> None:
    """What was the same in all rounds is given once; of one round nothing is counted."""
    assert merged([["a 5 % b"], ["a 5.0 % b"]]) == ("a 5 % b (2 of 2 rounds)",)
    assert merged([["a 5 % b"]]) == ("a 5 % b",)


def test_a_range_over_prefixes_has_both_units() -> None:
    """820 mW is less than 1.2 W, whatever the numbers alone say."""
    assert merged([["drew 1.2 W"], ["drew 820 mW"]]) == ("drew 820 mW to 1.2 W (2 of 2 rounds)",)


def test_channels_and_processes_are_listed() -> None:
    """A note of several devices or processes is one; past four they are counted."""
    rounds = [[f"gpu:{n}: process {40 + n} of another program holds it" for n in range(6)]]
    (note,) = merged(rounds)
    assert note.startswith(
        "gpu:0, gpu:1, gpu:2, gpu:3 and 2 more: process 40, 41, 42, 43 and 2 more of another"
    )


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("board 0 throttled", "board 3 throttled"),  # a number without a unit may be a name
        ("version 2.5 % x", "version 2.5 J x y"),
        ("gpu:0 was at rest", "gpu:0 was busy"),
    ],
)
def test_other_sentences_are_other_kinds(one: str, other: str) -> None:
    """They differ in more than quantities and names, and stay as they are."""
    assert kind_of(one) != kind_of(other)
    assert merged([[one, other]]) == (one, other)


def test_counts_are_quantities() -> None:
    """What is counted is named behind the number; of how many it is may differ as well."""
    reasons = [f"gpu:0: thermal slowdown in {n} of {10 + n} checks during the window" for n in (3, 5, 4)]
    assert of_one_kind(reasons) == "gpu:0: thermal slowdown in 3 to 5 of 13 to 15 checks during the window"
    left = ["1 process(es) that it had left were ended", "4 process(es) that it had left were ended"]
    assert of_one_kind(left) == "1 to 4 process(es) that it had left were ended"
    assert kind_of("board 2 of this machine") != kind_of("board 3 of this machine")


def test_a_range_has_no_uncertainty() -> None:
    """What differs from test to test by more than that is no error of one of them."""
    reasons = ["2900 +- 320 uJ (estimated), not judged", "14.4 +- 1.4 mJ (estimated), not judged"]
    assert of_one_kind(reasons) == "2900 uJ to 14.4 mJ (estimated), not judged"
    assert of_one_kind(reasons[:1]) == reasons[0]


def test_a_span_of_time_is_a_range_already() -> None:
    """From the least start to the last end."""
    rounds = [["counted from 2.25 s to 10.00 s of it"], ["counted from 2.31 s to 10.4 s of it"]]
    assert merged(rounds) == ("counted from 2.25 to 10.4 s of it (2 of 2 rounds)",)


def test_a_kind_that_a_round_has_twice_counts_once() -> None:
    """Two devices of one round are one round."""
    assert merged([["gpu:0: odd", "gpu:1: odd"], []]) == ("gpu:0, gpu:1: odd (1 of 2 rounds)",)


_SENTENCES = st.builds(BUSY.format, st.integers(1, 99), st.integers(1, 99)) | st.sampled_from(
    ["gpu:0: odd", "gpu:1: odd", "gpu:0: 3 W before the window, 2 kW after it", "plain", "12 s"]
)


@given(st.lists(st.lists(_SENTENCES, max_size=3), min_size=2, max_size=6))
def test_what_was_merged_can_be_merged_again(rounds: list[list[str]]) -> None:
    """All notes at the first round, as a baseline keeps them, say what those of each round did."""
    once = merged(rounds)
    assert merged([once, *[[]] * (len(rounds) - 1)]) == once


@given(st.lists(st.text(max_size=60), max_size=5))
def test_any_text_is_a_note(sentences: list[str]) -> None:
    """Whatever a plugin writes: a sentence alone stays as it is."""
    for sentence in filter(None, sentences):
        assert of_one_kind([sentence, sentence]) == sentence


def test_reasons_of_one_kind() -> None:
    """Without a count of rounds."""
    assert of_one_kind(["void: 72 % busy", "void: 47 % busy"]) == "void: 47 to 72 % busy"
