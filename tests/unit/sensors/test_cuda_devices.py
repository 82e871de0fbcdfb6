"""CUDA's list of devices, as the environment has it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_energy.sensors.cuda_devices import visible_gpus

UUIDS = ("GPU-aaaa1111-0000", "GPU-aaaa2222-0000", "GPU-bbbb3333-0000")


@pytest.mark.parametrize(
    ("setting", "indices"),
    [
        (None, [0, 1, 2]),
        ("2,1", [2, 1]),
        (" 2 , 0 ", [2, 0]),
        ("0,2,-1,1", [0, 2]),
        ("-1", []),
        ("", []),
        ("  ", []),
        ("GPU-bbbb", [2]),
        ("gpu-BBBB", [2]),
        ("GPU-aaaa2222-0000,GPU-aaaa1", [1, 0]),
    ],
)
def test_devices_are_those_that_cuda_sees(setting: str | None, indices: list[int]) -> None:
    """CUDA_VISIBLE_DEVICES holds indices or unique UUID prefixes, in order; a negative one ends it."""
    assert visible_gpus(setting, UUIDS) == indices


@pytest.mark.parametrize(
    ("entry", "reason"), [("7", "no GPU"), ("GPU-aaaa", "2 GPUs"), ("GPU-zz", "no GPU"), ("x", "no GPU")]
)
def test_devices_end_at_an_invalid_entry(entry: str, reason: str) -> None:
    """CUDA sees nothing from an invalid entry on; the entry and what is wrong with it are told."""
    *before, invalid = visible_gpus(f"1,{entry},0", UUIDS)
    assert before == [1]
    assert isinstance(invalid, str)
    assert repr(entry) in invalid
    assert reason in invalid


def test_a_device_named_twice_counts_once() -> None:
    """The same GPU again, by index or UUID, is refused: its joules count once."""
    first, second = visible_gpus("2,GPU-bbbb3333-0000,1", UUIDS)
    assert first == 2
    assert second == "CUDA_VISIBLE_DEVICES names it twice (GPU-bbbb3333-0000); its joules count once"


def test_a_mig_slice_is_refused_and_the_list_goes_on() -> None:
    """A MIG id can't be read, since the counter is the whole GPU's; entries after it keep their positions."""
    mig, other = visible_gpus("MIG-GPU-aaaa1111-0000/1/0,2", UUIDS)
    assert "whole GPU's" in str(mig)
    assert other == 2


@given(st.lists(st.integers(-2, 4), max_size=6))
def test_no_device_is_ever_seen_twice(entries: list[int]) -> None:
    """Whatever the list of indices, each GPU is read at most once."""
    indices = [gpu for gpu in visible_gpus(",".join(map(str, entries)), UUIDS) if isinstance(gpu, int)]
    assert len(indices) == len(set(indices))
