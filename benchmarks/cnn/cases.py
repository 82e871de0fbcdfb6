"""One test case for each architecture of a profile."""

from collections.abc import Callable

import pytest

from benchmarks.profile_sizes import Profile


def parametrize_models(
    metafunc: pytest.Metafunc, profile: Profile, kind: str, *, step_count: Callable[[str], int]
) -> None:
    """Run the test once for each architecture, marked with its model and the declared work.

    Args:
        metafunc: A test that takes `architecture`.
        profile: Whose models and sizes.
        kind: Of the test, as `Profile.case_id` takes it.
        step_count: Steps in one round of a model, as declared: a planted regression doesn't change them.
    """
    size = profile.cnn
    metafunc.parametrize(
        "architecture",
        [
            pytest.param(
                name,
                id=profile.case_id(name, kind),
                marks=pytest.mark.energy(
                    model=name,
                    samples=size.batch_size * step_count(name),
                    rounds=size.rounds,
                    warmup=size.warmup,
                    max_time=size.max_time_s,
                ),
            )
            for name in size.models
        ],
    )
