"""Values as documents, and back."""

import json
from dataclasses import replace

import pytest

from pytest_energy.baselines.schema import from_json_text, to_json_text
from pytest_energy.conversion import judgement_from_json, judgement_to_json
from pytest_energy.errors import FormatError
from pytest_energy.model import Record
from tests.builders import COUNTS, COUNTS_COMPARISON, NO_RAPL, NVML, baseline, judgement, record


def _read_again(one: Record) -> Record:
    return from_json_text(to_json_text(baseline(one)), "text").entries[0]


def test_records_of_one_machine_share_its_facts() -> None:
    """Of ten thousand tests the facts of machine and sensors are in memory once; others are others."""
    shown = {"torch": "2.9.1", "driver": "580"}
    records = [record(energy_j=value, shown=shown, sensors=(NVML, NO_RAPL)) for value in (10.0, 20.0)]
    one, other = map(_read_again, records)
    assert [one, other] == records
    assert one.machine is other.machine
    assert one.sensors[1] is other.sensors[1]
    odd = record(shown=shown | {"driver": "575"}, sensors=(NVML,))
    assert _read_again(odd) == odd


def test_counts_come_back_as_they_were() -> None:
    """What was counted, and what it was compared with, is read as it was written."""
    first = judgement()
    counted = replace(first, record=replace(first.record, counts=COUNTS), counts_comparison=COUNTS_COMPARISON)
    assert judgement_from_json(judgement_to_json(counted), "a test") == counted


def test_an_amount_that_is_zero_is_left_out_of_counts() -> None:
    """A baseline holds hundreds of entries, and most have no operations or bytes."""
    first, entry = judgement(), replace(COUNTS.entries[0], flops=0.0, size_bytes=-0.0)
    counted = replace(first, record=replace(first.record, counts=replace(COUNTS, entries=(entry,))))
    document = json.loads(json.dumps(judgement_to_json(counted)))
    assert {"flops", "size_bytes"}.isdisjoint(document["counts"]["entries"][0])
    assert judgement_from_json(document, "a test") == counted


def test_counts_that_cannot_be_are_refused() -> None:
    """A most that is no more than the least names its place."""
    first = judgement()
    document = judgement_to_json(replace(first, record=replace(first.record, counts=COUNTS)))
    text = json.dumps(document).replace('"most": 13', '"most": 2')
    with pytest.raises(FormatError, match="counts: aten::layer_norm was counted 12 to 2 times"):
        judgement_from_json(json.loads(text), "a test")


@pytest.mark.parametrize(
    ("mistake", "reason"),
    [
        ({"trace_count": 0}, "0 calls were counted, 3 entries left out"),
        ({"omitted_count": -1}, "2 calls were counted, -1 entries left out"),
        ({"trace_s": -1.0}, "counting took -1.0 s"),
    ],
)
def test_counts_of_no_call_are_refused(mistake: dict[str, float], reason: str) -> None:
    """What no counting gives is somebody's mistake in a file."""
    first = judgement()
    counted = replace(first, record=replace(first.record, counts=COUNTS))
    document = json.loads(json.dumps(judgement_to_json(counted)))
    document["counts"] |= mistake
    with pytest.raises(FormatError, match=f"a test: counts: {reason}"):
        judgement_from_json(document, "a test")


def test_an_entry_that_stands_twice_is_refused() -> None:
    """Which of the two is meant nobody knows: a merge of two files has made them."""
    first = judgement()
    counted = replace(first, record=replace(first.record, counts=COUNTS))
    document = json.loads(json.dumps(judgement_to_json(counted)))
    document["counts"]["entries"] *= 2
    with pytest.raises(FormatError, match="aten::layer_norm bfloat16 is in the counts 2 times"):
        judgement_from_json(document, "a test")
