"""One test case for each architecture of a profile."""

import pytest

from benchmarks.profiles import CnnProfile


def parametrize_models(metafunc: pytest.Metafunc, size: CnnProfile, *, samples: int) -> None:
    """Run the test once for each architecture, marked with its model and the declared work.

    Args:
        metafunc: A test that takes `architecture`.
        size: The profile's numbers.
        samples: Images in one round, as declared: a planted regression doesn't change it.
    """
    metafunc.parametrize(
        "architecture",
        [
            pytest.param(
                name,
                id=name,
                marks=pytest.mark.energy(
                    model=name,
                    samples=samples,
                    rounds=size.rounds,
                    warmup=size.warmup,
                    max_time_s=size.max_time_s,
                ),
            )
            for name in size.models
        ],
    )
