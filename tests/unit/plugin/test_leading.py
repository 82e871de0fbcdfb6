"""Rank 0 of several: which GPUs it must measure."""

import pytest

from pytest_energy.plugin.leading import why_hidden


@pytest.mark.parametrize(
    ("ranks_by_gpu", "begin"),
    [
        ({"aa": {0}, "bb": {1}}, None),
        ({}, None),
        ({"aa": {0}, "cc": {2}}, "rank 2 has a GPU open that rank 0 does not measure"),
        ({"cc": {0}, "dd": {1}}, None),
        (
            {"aa": {0}, "cc": {2}, "dd": {3, 10}},
            "ranks 2, 3, 10 have a GPU open that rank 0 does not measure",
        ),
    ],
)
def test_a_gpu_that_rank_0_does_not_see_is_named_by_its_ranks(
    ranks_by_gpu: dict[str, set[int]], begin: str | None
) -> None:
    """A sum is never smaller by a rank whose GPU is hidden; NVML and torch write UUIDs differently."""
    because = why_hidden(ranks_by_gpu, ["GPU-AA", "GPU-bb", "cpu:package-0"])
    assert because is None if begin is None else (because or "").startswith(begin)
