"""Which side of each pair is run: `BENCH_BUGS=3,9` names those that have their bug."""

import os
from collections.abc import Mapping

import pytest

from benchmarks.bugs.catalogue import PAIRS
from benchmarks.bugs.pair import BUGS_VARIABLE, Pair, Side, planted_numbers
from benchmarks.profile_options import chosen
from benchmarks.profile_sizes import Profile

# On a CPU the calls are counted, and hardly measured; a GPU's rounds are as many as its joules take.
ROUNDS: Mapping[str, Mapping[str, int]] = {"cpu": {"rounds": 1, "warmup": 0}, "cuda": {}}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "pair" in metafunc.fixturenames:
        profile = chosen(metafunc.config)
        mark = pytest.mark.energy(**ROUNDS[profile.device])
        metafunc.parametrize(
            "pair", [pytest.param(pair, id=profile.case_id(pair.id), marks=mark) for pair in PAIRS]
        )


@pytest.fixture
def side(pair: Pair) -> Side:
    """A variable, not an option: `pytest-energy ab` can set it for one side alone.

    Raises:
        pytest.UsageError: The variable holds something else than numbers of the exam.
    """
    try:
        planted = planted_numbers(os.environ.get(BUGS_VARIABLE, ""))
    except ValueError as error:
        raise pytest.UsageError(str(error)) from error
    return Side.BUG if pair.number in planted else Side.MENDED


@pytest.fixture
def device(profile: Profile, pair: Pair) -> str:
    """Where the profile works; a pair that needs more GPUs than there are is skipped."""
    if profile.device == "cuda":
        import torch

        count = torch.cuda.device_count()
        if count < pair.device_count:
            pytest.skip(f"{pair.id} takes {pair.device_count} GPUs, and torch sees {count}")
    return profile.device
