"""Values as documents, and back."""

from pytest_energy.baselines.schema import from_json_text, to_json_text
from pytest_energy.model import Record
from tests.builders import NO_RAPL, NVML, baseline, record


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
