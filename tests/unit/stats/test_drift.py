import math
import random

import pytest

from pytest_energy.errors import NotMeasurable
from pytest_energy.stats.compare import PRIOR_BETWEEN_SD
from pytest_energy.stats.drift import creep, cusum


class TestCusum:
    def test_it_adds_what_is_above_the_slack(self) -> None:
        """S = max(0, S + z - k)."""
        assert cusum([1.0, 2.0, -5.0, 1.5]) == pytest.approx((0.5, 2.0, 0.0, 1.0))

    def test_a_fall_leaves_no_height(self) -> None:
        """Energy that falls is welcome."""
        assert cusum([-10.0] * 20) == (0.0,) * 20

    def test_no_session_has_no_height(self) -> None:
        """A chart without sessions is empty."""
        assert cusum([]) == ()


class TestCreep:
    def test_it_tells_how_far_and_since_when(self) -> None:
        """Flat until the fourth session, then 5 % up: the level is 4 to 6 % up, from the fifth on."""
        rise = creep([100.0, 100.2, 99.9, 100.1, 105.0, 105.0, 105.0, 105.0], pinned_count=3)
        assert rise is not None
        assert rise.ratio == pytest.approx(1.04, abs=0.01)
        assert rise.began == 1

    @pytest.mark.parametrize(("rise", "began"), [(0.45, 1), (0.55, 0)])
    def test_it_began_where_a_session_is_half_a_sigma_up(self, rise: float, began: int) -> None:
        """One pinned session: sigma is the prior's 1 %, times sqrt 2 for the reference's own chance."""
        first = 100 * math.exp(rise * PRIOR_BETWEEN_SD * math.sqrt(2))
        creeping = creep([100.0, first, *[108.0] * 9], pinned_count=1)
        assert creeping is not None
        assert creeping.began == began

    @pytest.mark.parametrize("pinned_count", [0, 3])
    def test_the_pinned_sessions_must_be_there(self, pinned_count: int) -> None:
        """No reference, no chart."""
        with pytest.raises(NotMeasurable, match=f"{pinned_count} sessions to pin of 2"):
            creep([100.0, 100.0], pinned_count=pinned_count)

    @pytest.mark.parametrize("energy_j", [0.0, math.nan])
    def test_a_session_without_joules_is_refused(self, energy_j: float) -> None:
        """A session of 0 J is not a fall in energy."""
        with pytest.raises(NotMeasurable, match="without joules"):
            creep([100.0, energy_j], pinned_count=1)

    def test_a_fall_is_no_creep(self) -> None:
        """Energy that falls is welcome."""
        assert creep([100.0 * 0.95**session for session in range(12)], pinned_count=3) is None

    def test_one_session_after_the_pinned_ones_tells_nothing(self) -> None:
        """A step is what the comparison with the baseline is for."""
        assert creep([100.0, 100.0, 100.0, 150.0], pinned_count=3) is None

    def test_of_histories_few_warn_that_do_not_creep_and_most_that_do(self) -> None:
        """60 runs at SD 1 %, ten sessions kept: of flat ones 10 % warn at most; +0.3 % a run by run 15."""

        def warned_at(rise: float, seed: int) -> int | None:
            rng, history = random.Random(seed), []  # noqa: S311  # a seeded simulation
            for run in range(60):
                history.append(100 * math.exp(rise * run + rng.gauss(0.0, 0.01)))
                kept = history if len(history) <= 10 else history[:3] + history[-7:]
                if len(kept) > 3 and creep(kept, pinned_count=3):
                    return run + 1
            return None

        flat = [warned_at(0.0, seed) for seed in range(100)]
        creeping = [warned_at(0.003, seed) for seed in range(100)]
        assert sum(run is not None for run in flat) <= 10
        assert sum(run is not None and run <= 15 for run in creeping) >= 80
        assert all(run is not None for run in creeping)
