"""Pairs by part, and the ready power that tells work from waiting."""

from dataclasses import replace
from typing import NamedTuple

import pytest

from pytest_energy.ab.parts import joule_pairs, pairs_of, pairs_so_far, ready_powers_of
from pytest_energy.errors import NotMeasurable
from pytest_energy.judgement import Part
from pytest_energy.model import Reading
from pytest_energy.ready import ReadyPower
from tests.builders import reading


class Rounds(NamedTuple):
    before: tuple[Reading, ...]
    after: tuple[Reading, ...]


def one_round(energy_j: float, *, quiet_w: float | None = 100.0, duration_s: float = 1.0) -> Reading:
    quiet = {} if quiet_w is None else {"gpu:0": quiet_w}
    return replace(
        reading(energy_j, duration_s=duration_s), quiet_power_w=quiet, temperatures_c={"gpu:0": 50.0}
    )


def rounds(before_j: float = 150.0, after_j: float = 150.0, *, quiet_w: float | None = 100.0) -> Rounds:
    return Rounds((one_round(before_j, quiet_w=quiet_w),) * 2, (one_round(after_j, quiet_w=quiet_w),) * 2)


def test_ready_power_is_pooled_over_a_block() -> None:
    """One test whose quiet is 10 W off has the ready power of all tests, block by block."""
    good, off = rounds(), rounds(quiet_w=110.0)
    first, second = ready_powers_of([[good, off], [good, good], [off, good], [good]])
    assert first["gpu:0"].at(50.0) == pytest.approx(100.0)
    assert second["gpu:0"].at(50.0) == pytest.approx(100.0)


def test_no_tests_have_no_ready_power() -> None:
    """An empty suite has no block."""
    assert ready_powers_of([]) == ()


def test_power_at_rest_stands_in_for_a_channel_without_quiet() -> None:
    """What a processor's package draws at rest is its ready power; a GPU's is never power at rest."""
    package = (replace(one_round(150.0, quiet_w=None), channels={"cpu:package-0": 150.0}),) * 2
    (powers,) = ready_powers_of([[Rounds(package, package)]], {"cpu:package-0": 90.0})
    assert powers["cpu:package-0"].power_w == 90.0
    (none,) = ready_powers_of([[rounds(quiet_w=None)]], {"gpu:0": 90.0})
    assert none == {}


def test_a_round_is_its_work_and_its_seconds() -> None:
    """150 J in 1 s at 100 W: 50 J of work; both parts keep their pairs, and all joules theirs."""
    pairs = pairs_of([rounds(150.0, 160.0)], [{"gpu:0": ReadyPower(power_w=100.0)}])
    assert pairs.blocks[Part.WORK][0].before.energies_j == pytest.approx((50.0, 50.0))
    assert pairs.blocks[Part.WORK][0].after.energies_j == pytest.approx((60.0, 60.0))
    assert pairs.blocks[Part.WAITING][0].before.energies_j == (1.0, 1.0)
    assert pairs.blocks[Part.JOULES][0].before.energies_j == (150.0, 150.0)
    assert (pairs.active_j, pairs.waiting_j, pairs.duration_s) == pytest.approx((50.0, 100.0, 1.0))
    assert pairs.active_share == pytest.approx(1 / 3)


def test_a_block_without_parts_leaves_the_test_without() -> None:
    """Parts of some blocks would be another test's; the reason is kept."""
    powers = {"gpu:0": ReadyPower(power_w=100.0)}
    pairs = pairs_of([rounds(), rounds()], [powers, {}])
    assert pairs.blocks.keys() == {Part.JOULES}
    assert pairs.no_parts_because == "ready power of gpu:0 is not known"


def test_nothing_that_draws_at_rest_has_no_waiting() -> None:
    """At a ready power of 0 W a wait costs nothing, and all joules are the work's."""
    pairs = pairs_of([rounds()], [{"gpu:0": ReadyPower(power_w=0.0)}])
    assert pairs.blocks.keys() == {Part.JOULES}
    assert pairs.no_parts_because == "ready power is 0 W: all joules are work"


def test_a_test_of_fewer_blocks_than_the_suite_has_parts() -> None:
    """A test that is complete after its first block takes that block's ready power."""
    powers = {"gpu:0": ReadyPower(power_w=100.0)}
    assert Part.WORK in pairs_of([rounds()], [powers, powers, powers]).blocks


def test_pairs_so_far_are_of_work_where_the_test_tells_it() -> None:
    """The width of the work decides when there are enough, else that of all joules."""
    assert pairs_so_far([rounds(150.0, 160.0)])[0].after.energies_j == pytest.approx((60.0, 60.0))
    assert pairs_so_far([rounds(150.0, 160.0, quiet_w=None)])[0].after.energies_j == (160.0, 160.0)


def test_no_pair_is_not_measurable() -> None:
    """A block without a round has no joules to compare."""
    with pytest.raises(NotMeasurable, match="without rounds"):
        joule_pairs(Rounds((), ()))
