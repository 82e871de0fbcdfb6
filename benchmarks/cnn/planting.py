"""What `--bench-plant=KIND:AMOUNT` adds to the declared work of the CNN tests, for a gate to find.

| plant | adds |
|---|---|
| `steps:8` | 8 % more steps: joules and seconds |
| `active:8` | 8 % of the test's active joules: matrix products on a stream of their own, beside the steps |
| `sleep:4` | 4 ms of sleep after each step |
| `sync:1` | one wait for the device after each step |

Rule 1: what is planted is not declared: a test keeps its samples and its name.
Rule 2: what was really added is in the test's metrics, as `planted_...`.
"""

import argparse
import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol, TypeVar, assert_never, get_args

import pytest

from benchmarks.profile_options import grown

T = TypeVar("T")

Kind = Literal["steps", "active", "sleep", "sync"]
KINDS: tuple[Kind, ...] = get_args(Kind)
NEEDS_CUDA: tuple[Kind, ...] = ("active", "sync")

# Active joules that products added to the training tests on two H100s, over what as many use alone: 1.19 on
# one, 1.05 on the other, 1.14 of both (docs/results/h100-sessions.md).
BESIDE_RATIO = 1.14

LEAST_PRODUCT_COUNT = 50  # rounding to whole products then moves what is added by 1 % of itself at most


@dataclass(frozen=True, slots=True, kw_only=True)
class Plant:
    """One planted change.

    Attributes:
        amount: Percent of `steps` and `active`, milliseconds of `sleep`, times of `sync`.
    """

    kind: Kind
    amount: float

    def __str__(self) -> str:
        return f"{self.kind}:{self.amount:g}"


def plant_from(text: str) -> Plant:
    """What `--bench-plant` says.

    Raises:
        argparse.ArgumentTypeError: It is no known kind, or its amount makes no sense.
    """
    name, _, amount_text = text.partition(":")
    kind = next((known for known in KINDS if known == name), None)
    if kind is None:
        raise argparse.ArgumentTypeError(
            f"give KIND:AMOUNT with a kind out of {', '.join(KINDS)}, not {text!r}"
        )
    try:
        amount = float(amount_text)
    except ValueError:
        amount = math.nan
    is_whole = amount.is_integer()
    if kind == "steps" and is_whole:
        return Plant(kind=kind, amount=amount)
    if math.isfinite(amount) and amount > 0 and (is_whole or kind in {"active", "sleep"}):
        return Plant(kind=kind, amount=amount)
    wanted = {"steps": "a whole number of percent", "sync": "a whole number of at least 1"}
    raise argparse.ArgumentTypeError(
        f"{kind} takes {wanted.get(kind, 'a number above 0')}, not {amount_text!r}"
    )


def extra_percent(plant: Plant | None) -> int:
    """Percent of further steps that *plant* asks for."""
    return int(plant.amount) if plant is not None and plant.kind == "steps" else 0


def refuse_unfit(plant: Plant | None, device: str) -> None:
    """Stop where *device* can't do what *plant* asks for.

    Raises:
        pytest.UsageError: The plant is CUDA's, and the device is another.
    """
    if plant is not None and plant.kind in NEEDS_CUDA and device != "cuda":
        raise pytest.UsageError(
            f"--bench-plant={plant} works only on CUDA, and the profile's device is {device}: "
            "add --bench-profile=gpu"
        )


class Products(Protocol):
    """Matrix products on a stream of their own."""

    sides: Sequence[int]
    """Rows of the square matrices that there are, largest first."""

    def active_j(self, side: int) -> float:
        """Joules of one product above those of the device at rest, alone on it."""
        ...

    def launch(self, side: int, count: int) -> None:
        """Start *count* products, and don't wait for them."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductPlan:
    """Products of one call of the work.

    Attributes:
        side: Rows of the square matrices.
        count: How many.
        alone_j: Active joules of one, alone on the device.
    """

    side: int
    count: int
    alone_j: float

    @property
    def active_j(self) -> float:
        """What all of them are expected to add beside a network's kernels."""
        return self.count * self.alone_j * BESIDE_RATIO


def product_plan(wanted_j: float, products: Products) -> ProductPlan:
    """As many products as make *wanted_j*, of the largest matrices that are fine enough.

    Raises:
        ValueError: Not one product of the smallest fits.
    """
    plans = (
        ProductPlan(side=side, count=round(wanted_j / (alone_j * BESIDE_RATIO)), alone_j=alone_j)
        for side in products.sides
        if (alone_j := products.active_j(side)) > 0
    )
    smallest = None
    for plan in plans:
        if plan.count >= LEAST_PRODUCT_COUNT:
            return plan
        smallest = plan
    if smallest is None or smallest.count < 1:
        raise ValueError(f"{wanted_j:.3g} J are less than one of the smallest products")
    return smallest


def share_of_step(count: int, index: int, step_count: int) -> int:
    """How many of *count* things belong to step *index* where they are spread over *step_count* steps."""
    return count * (index + 1) // step_count - count * index // step_count


@dataclass(frozen=True, slots=True, kw_only=True)
class Planted:
    """The work of one call as it is really done.

    Attributes:
        step_count: Steps, the planted ones among them.
        after_step: Done after each step, whose number it gets.
        facts: Metrics that say what was added.
    """

    step_count: int
    after_step: Callable[[int], None] | None = None
    facts: Mapping[str, float] = field(default_factory=dict)

    def over(self, steps: Sequence[T]) -> Iterable[T]:
        """*steps*, with what is planted done after each of them."""
        return steps if self.after_step is None else _followed(steps, self.after_step)


def _followed(steps: Iterable[T], after_step: Callable[[int], None]) -> Iterator[T]:
    for index, step in enumerate(steps):
        yield step
        after_step(index)


@dataclass(frozen=True, slots=True, kw_only=True)
class Planter:
    """Plants one change into tests.

    Attributes:
        plant: The change.
        active_j: Joules that a call of a test uses above the device's at rest, by the test's id.
        products: Made where a test takes them.
        synchronize: Waits for the device.
    """

    plant: Plant | None
    active_j: Callable[[str], float]
    products: Callable[[], Products]
    synchronize: Callable[[], None]

    def into(self, test_id: str, step_count: int) -> Planted:
        """The work of *test_id*, which declares *step_count* steps a call."""
        plant = self.plant
        if plant is None:
            return Planted(step_count=step_count)
        match plant.kind:
            case "steps":
                extended = grown(step_count, extra_percent(plant))
                return Planted(step_count=extended, facts={"planted_steps": float(extended - step_count)})
            case "sleep":
                return Planted(
                    step_count=step_count,
                    after_step=lambda _: time.sleep(plant.amount / 1000),
                    facts={"planted_sleep_s": plant.amount / 1000 * step_count},
                )
            case "sync":
                return Planted(
                    step_count=step_count,
                    after_step=lambda _: self._wait(int(plant.amount)),
                    facts={"planted_waits": plant.amount * step_count},
                )
            case "active":
                return self._with_products(self.active_j(test_id) * plant.amount / 100, step_count)
            case _:
                assert_never(plant.kind)

    def _wait(self, count: int) -> None:
        for _ in range(count):
            self.synchronize()

    def _with_products(self, wanted_j: float, step_count: int) -> Planted:
        products = self.products()
        plan = product_plan(wanted_j, products)

        def after_step(index: int) -> None:
            products.launch(plan.side, share_of_step(plan.count, index, step_count))

        return Planted(
            step_count=step_count,
            after_step=after_step,
            facts={
                "planted_products": float(plan.count),
                "planted_product_side": float(plan.side),
                "planted_product_j": plan.alone_j,
                "planted_active_j": plan.active_j,
            },
        )
