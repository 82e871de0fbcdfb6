"""What is planted into the CNN benchmarks: how it is said, planned and done."""

import argparse
from collections.abc import Sequence

import pytest

from benchmarks.cnn.planting import (
    BESIDE_RATIO,
    LEAST_PRODUCT_COUNT,
    Plant,
    Planted,
    Planter,
    ProductPlan,
    extra_percent,
    plant_from,
    product_plan,
    refuse_unfit,
    share_of_step,
)

ALONE_J = {400: 1.0 / BESIDE_RATIO, 200: 0.1 / BESIDE_RATIO, 100: 0.01 / BESIDE_RATIO}


class FakeProducts:
    """Products that use 1 J, 0.1 J and 0.01 J beside other work, and are only counted."""

    sides: Sequence[int] = (400, 200, 100)

    def __init__(self) -> None:
        self.launched: list[tuple[int, int]] = []

    def active_j(self, side: int) -> float:
        return ALONE_J[side]

    def launch(self, side: int, count: int) -> None:
        self.launched.append((side, count))


class Waits:
    """Counts how often the device was waited for."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self) -> None:
        self.count += 1


def planter(text: str | None, *, products: FakeProducts | None = None, waits: Waits | None = None) -> Planter:
    """Of tests with 50 active joules each."""
    made = products or FakeProducts()
    return Planter(
        plant=None if text is None else plant_from(text),
        active_j=lambda _: 50.0,
        products=lambda: made,
        synchronize=waits or Waits(),
    )


class TestPlantFrom:
    """The words after `--bench-plant=`."""

    @pytest.mark.parametrize(
        ("text", "plant"),
        [
            ("steps:30", Plant(kind="steps", amount=30)),
            ("steps:-10", Plant(kind="steps", amount=-10)),
            ("active:2.5", Plant(kind="active", amount=2.5)),
            ("sleep:0.5", Plant(kind="sleep", amount=0.5)),
            ("sync:2", Plant(kind="sync", amount=2)),
        ],
    )
    def test_each_kind_has_its_amount(self, text: str, plant: Plant) -> None:
        """What is read is written the same again."""
        assert plant_from(text) == plant
        assert str(plant) == text

    @pytest.mark.parametrize("text", ["", "30", "heat:3", "Steps:3", "step:3"])
    def test_an_unknown_kind_is_refused(self, text: str) -> None:
        """The kinds that there are and what was given are named."""
        with pytest.raises(argparse.ArgumentTypeError, match=f"steps, active, sleep, sync, not '{text}'"):
            plant_from(text)

    @pytest.mark.parametrize(
        ("text", "wanted"),
        [
            ("steps:2.5", "whole number of percent"),
            ("steps:", "whole number of percent"),
            ("steps:inf", "whole number of percent"),
            ("active:0", "number above 0"),
            ("active:nan", "number above 0"),
            ("active:inf", "number above 0"),
            ("sleep:-1", "number above 0"),
            ("sleep", "number above 0"),
            ("sync:0", "whole number of at least 1"),
            ("sync:1.5", "whole number of at least 1"),
            ("sync:inf", "whole number of at least 1"),
        ],
    )
    def test_an_amount_without_sense_is_refused(self, text: str, wanted: str) -> None:
        """What the kind takes is named."""
        with pytest.raises(argparse.ArgumentTypeError, match=wanted):
            plant_from(text)

    def test_only_steps_are_further_steps(self) -> None:
        """Other plants leave the number of steps as it is."""
        given = [None, plant_from("steps:30"), plant_from("active:30"), plant_from("sync:3")]
        assert [extra_percent(plant) for plant in given] == [0, 30, 0, 0]


class TestDevice:
    """Where a plant can't be had."""

    @pytest.mark.parametrize("text", ["active:8", "sync:1"])
    def test_what_is_cudas_is_refused_elsewhere(self, text: str) -> None:
        """The plant, the device and what to add are named."""
        with pytest.raises(pytest.UsageError, match=f"{text} works only on CUDA.* is cpu: add --bench-prof"):
            refuse_unfit(plant_from(text), "cpu")

    def test_what_works_is_let_through(self) -> None:
        """Every plant on CUDA; sleep, steps and none anywhere."""
        for text in ("steps:10", "active:8", "sleep:4", "sync:1"):
            refuse_unfit(plant_from(text), "cuda")
        for plant in (None, plant_from("steps:10"), plant_from("sleep:4")):
            refuse_unfit(plant, "cpu")


def plan(*, side: int, count: int) -> ProductPlan:
    return ProductPlan(side=side, count=count, alone_j=ALONE_J[side])


class TestProductPlan:
    """How many products make the joules."""

    def test_the_largest_that_is_fine_enough(self) -> None:
        """A count of at least fifty rounds by 1 % at most."""
        assert product_plan(80.2, FakeProducts()) == plan(side=400, count=80)
        assert product_plan(5.0, FakeProducts()) == plan(side=200, count=50)
        assert product_plan(4.0, FakeProducts()) == plan(side=100, count=400)
        assert LEAST_PRODUCT_COUNT == 50

    def test_the_smallest_where_none_is(self) -> None:
        """Coarser than wanted, and the facts say what it is."""
        assert product_plan(0.104, FakeProducts()) == plan(side=100, count=10)

    def test_less_than_one_product_is_an_error(self) -> None:
        """Nothing planted would pass for something planted."""
        with pytest.raises(ValueError, match=r"0\.004 J are less than one"):
            product_plan(0.004, FakeProducts())

    @pytest.mark.parametrize(("count", "step_count"), [(0, 3), (7, 3), (3, 7), (930, 100), (5, 5)])
    def test_they_are_spread_over_the_steps(self, count: int, step_count: int) -> None:
        """All of them, and no step has two more than another."""
        shares = [share_of_step(count, index, step_count) for index in range(step_count)]
        assert sum(shares) == count
        assert max(shares) - min(shares) <= 1


class TestPlanted:
    """The steps of one call, as they are done."""

    def test_nothing_planted_is_the_declared_work(self) -> None:
        """The very same steps, and no metric."""
        planted, steps = planter(None).into("t", 10), [1, 2]
        assert planted == Planted(step_count=10)
        assert planted.over(steps) is steps

    def test_more_steps(self) -> None:
        """30 % of ten steps are three, and the metrics say so."""
        planted = planter("steps:30").into("t", 10)
        assert (planted.step_count, planted.facts) == (13, {"planted_steps": 3.0})
        assert planted.after_step is None

    def test_waits_come_after_each_step(self) -> None:
        """Twice after each of three steps; the steps are the same."""
        waits = Waits()
        planted = planter("sync:2", waits=waits).into("t", 3)
        counts = [(step, waits.count) for step in planted.over("abc")]
        assert counts == [("a", 0), ("b", 2), ("c", 4)]
        assert waits.count == 6
        assert planted.facts == {"planted_waits": 6.0}

    def test_sleep_is_told_for_a_call(self) -> None:
        """4 ms after each of 100 steps are 0.4 s, and no step is added."""
        planted = planter("sleep:4").into("t", 100)
        assert planted.step_count == 100
        assert planted.facts == {"planted_sleep_s": pytest.approx(0.4)}

    def test_products_make_the_share_of_active_joules(self) -> None:
        """10 % of 50 J are fifty products of 0.1 J, each call again."""
        products = FakeProducts()
        planted = planter("active:10", products=products).into("t", 4)
        for _ in range(2):
            assert list(planted.over("abcd")) == ["a", "b", "c", "d"]
        assert products.launched == [(200, 12), (200, 13), (200, 12), (200, 13)] * 2
        assert planted.step_count == 4
        assert planted.facts == {
            "planted_products": 50.0,
            "planted_product_side": 200.0,
            "planted_product_j": ALONE_J[200],
            "planted_active_j": pytest.approx(5.0),
        }
