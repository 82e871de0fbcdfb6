"""Groups of calls: which are replayed, together with what, and how long."""

import pytest
import torch

from pytest_energy.profiling.operator_calls import OperatorCall, Stage
from pytest_energy.profiling.operator_replay import (
    OTHERS,
    Group,
    Groups,
    as_it_was,
    grouped,
    most_groups,
    time_shares,
)


def call(name: str, *args: object, stage: Stage = Stage.FORWARD, overload: str = "default") -> OperatorCall:
    operator = getattr(getattr(torch.ops.aten, name), overload)
    return OperatorCall(operator=operator, args=args, kwargs={}, name=f"aten::{name}", stage=stage)


def group(call_s: float, stage: Stage = Stage.FORWARD) -> Group:
    return Group(stage=stage, name="a", names=("a",), calls=(), call_s=call_s)


def by_name(*calls: OperatorCall, most_count: int = 9) -> Groups:
    return grouped(calls, lambda one: one.name, most_count=most_count)


class TestGroups:
    """What is replayed together."""

    x = torch.ones(3)

    def test_a_name_in_two_stages_is_two_groups(self) -> None:
        """Forward and backward are told apart, in the order of the stages."""
        groups = by_name(call("relu", self.x, stage=Stage.BACKWARD), call("relu", self.x)).groups
        assert [(one.stage.value, one.name, len(one.calls)) for one in groups] == [
            ("forward", "aten::relu", 1),
            ("backward", "aten::relu", 1),
        ]

    def test_small_ones_share_a_window_by_stage(self) -> None:
        """The one that takes longest has its own; the others are named."""
        large = torch.ones(3_000_000)
        groups = by_name(
            call("relu", self.x),
            call("neg", self.x),
            call("erfinv", large),
            call("abs", self.x, stage=Stage.BACKWARD),
            most_count=2,
        ).groups
        assert [(one.stage.value, one.name, one.names) for one in groups] == [
            ("forward", "aten::erfinv", ("aten::erfinv",)),
            ("forward", OTHERS, groups[1].names),
            ("backward", "aten::abs", ("aten::abs",)),
        ]
        assert set(groups[1].names) == {"aten::relu", "aten::neg"}

    def test_what_cannot_be_repeated_is_left_out_and_named(self) -> None:
        """Its calls are in no group, and a note has the reason."""
        groups = by_name(call("relu", self.x), call("mm", self.x, self.x))
        assert [one.name for one in groups.groups] == ["aten::relu"]
        (note,) = groups.notes
        assert note.startswith("aten::mm can't be replayed: RuntimeError")

    def test_memory_that_was_given_back_is_not_read(self) -> None:
        """As sharded training does with weights between layers."""
        weights = torch.ones(1000)
        weights.untyped_storage().resize_(0)
        groups = by_name(call("relu", self.x), call("neg", weights))
        assert [one.name for one in groups.groups] == ["aten::relu"]
        assert groups.notes == ("aten::neg can't be replayed: the work has freed the memory of its inputs",)

    def test_a_group_calls_all_of_its_calls(self) -> None:
        """In their order, each time."""
        counter = torch.zeros(1)
        one = Group(
            stage=Stage.FORWARD,
            name="a",
            names=("a",),
            calls=(
                call("add_", counter, 1.0, overload="Scalar"),
                call("mul_", counter, 2.0, overload="Scalar"),
            ),
            call_s=1.0,
        )
        one.again()
        one.again()
        assert counter.item() == ((0 + 1) * 2 + 1) * 2


class TestTime:
    """For how long a group is replayed."""

    def test_rounds_are_long_enough_to_be_known_and_no_longer(self) -> None:
        """A quarter of a group's time each, and a second at most."""
        assert group(1e-3).calls_a_round(2.0) == 500
        assert group(1e-3).calls_a_round(60.0) == 1000
        assert group(5.0).calls_a_round(2.0) == 1

    def test_shares_are_all_of_the_time(self) -> None:
        """The group that takes four times as long has more, and the small one never nothing."""
        small, large = time_shares((group(1.0), group(4.0)))
        assert small + large == pytest.approx(1.0)
        assert large == pytest.approx(0.25 + 0.5 * 2 / 3)

    def test_groups_that_fit(self) -> None:
        """Each takes seconds, and there is always one."""
        assert (most_groups(60.0), most_groups(8.0), most_groups(0.1)) == (30, 4, 1)


class TestAsItWas:
    """Rule 3."""

    def test_random_numbers_go_on(self) -> None:
        """Those of torch, and of a generator that an operator was given."""
        generator = torch.Generator().manual_seed(3)
        drawing = OperatorCall(
            operator=torch.ops.aten.bernoulli.default,
            args=(torch.full((9,), 0.5),),
            kwargs={"generator": generator},
            name="aten::bernoulli",
            stage=Stage.FORWARD,
        )
        expected = (torch.get_rng_state(), generator.get_state())
        with as_it_was([drawing]):
            drawing.again()
            torch.randn(3)
            assert not torch.equal(generator.get_state(), expected[1])
        assert torch.equal(torch.get_rng_state(), expected[0])
        assert torch.equal(generator.get_state(), expected[1])

    def test_nothing_is_cast_again(self) -> None:
        """What autocast did is among the operators; the replay inside of it doesn't do it twice."""
        product = call("mm", torch.ones(2, 2), torch.ones(2, 2))
        with torch.autocast("cpu", dtype=torch.bfloat16):
            assert product.operator(*product.args).dtype is torch.bfloat16
            with as_it_was([product]):
                assert product.operator(*product.args).dtype is torch.float32
