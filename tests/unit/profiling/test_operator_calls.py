"""The operators of a real call: which are kept, with which values, and what goes wrong."""

import gc
import sys
import weakref
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, distributed, nn
from torch.optim import optimizer
from torch.utils.checkpoint import checkpoint

from pytest_energy.errors import Absent
from pytest_energy.profiling.nested import tensors_in
from pytest_energy.profiling.operator_calls import CapturedCalls, OperatorCall, Stage, captured_operators


def captured(work: Callable[[], object]) -> CapturedCalls:
    result = captured_operators(work, lambda _: None)
    assert isinstance(result, CapturedCalls)
    return result


def calls_of(work: Callable[[], object], name: str) -> list[OperatorCall]:
    return [call for call in captured(work).calls if call.name == f"aten::{name}"]


def counts_of(work: Callable[[], object], stage: Stage) -> Counter[str]:
    calls = captured(work).calls
    return Counter(call.name.removeprefix("aten::") for call in calls if call.stage is stage)


class Step:
    """A training step of a small network."""

    def __init__(self, make: Callable[..., torch.optim.Optimizer], **options: object) -> None:
        torch.manual_seed(0)
        self.module = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))
        self.optimizer = make(self.module.parameters(), **options)
        self.inputs, self.labels = torch.randn(5, 4), torch.tensor([0, 1, 2, 1, 0])

    def __call__(self) -> None:
        self.optimizer.zero_grad()
        self.backward()
        self.optimizer.step()

    def backward(self) -> Tensor:
        loss = nn.functional.cross_entropy(self.module(self.inputs), self.labels)
        loss.backward()  # type: ignore[no-untyped-call]
        return loss


class TestStages:
    """Where in a step an operator runs."""

    def test_forward_and_backward_of_a_step(self) -> None:
        """Two products forward; backward two for the weights and one for the hidden layer."""
        step = Step(torch.optim.SGD, lr=0.1, foreach=True)
        assert counts_of(step, Stage.FORWARD)["addmm"] == 2
        assert counts_of(step, Stage.BACKWARD)["mm"] == 3
        assert counts_of(step, Stage.OPTIMISER) == {"_foreach_add_": 1}

    @pytest.mark.parametrize(
        ("options", "name", "count"),
        [({"fused": True}, "_fused_adam_", 1), ({"foreach": True}, "_foreach_lerp_", 1), ({}, "lerp_", 4)],
        ids=["fused", "foreach", "one by one"],
    )
    def test_an_optimiser_in_each_form(self, options: dict[str, bool], name: str, count: int) -> None:
        """Lists of tensors and single ones; a step of Adam over 4 weights and biases."""
        step = Step(torch.optim.Adam, foreach=options.get("foreach", False), fused=options.get("fused"))
        step()
        assert counts_of(step, Stage.OPTIMISER)[name] == count

    def test_a_closure_of_an_optimiser_is_no_step(self) -> None:
        """LBFGS calls forward and backward inside its step: they are what they are."""
        step = Step(torch.optim.LBFGS, max_iter=2)

        def closure() -> float:
            step.optimizer.zero_grad()
            return step.backward().item()

        def work() -> None:
            step.optimizer.step(closure)

        assert counts_of(work, Stage.FORWARD)["addmm"] >= 2
        assert counts_of(work, Stage.OPTIMISER)["addmm"] == 0

    def test_clipping_gradients_is_the_optimisers(self) -> None:
        """What works on the gradients that a backward pass has left is part of the update."""
        step = Step(torch.optim.SGD, lr=0.1)

        def work() -> None:
            step()
            nn.utils.clip_grad_norm_(step.module.parameters(), 1.0, foreach=True)

        assert counts_of(work, Stage.OPTIMISER)["_foreach_norm"] == 1
        assert counts_of(work, Stage.OPTIMISER)["_foreach_mul_"] == 1

    def test_zeroing_gradients_is_the_optimisers(self) -> None:
        """It comes before the backward pass that shows that they are gradients; another zero is none."""
        step, buffer = Step(torch.optim.SGD, lr=0.1, foreach=False), torch.ones(3)

        def work() -> None:
            step.optimizer.zero_grad(set_to_none=False)
            buffer.zero_()
            step.backward()

        work()
        assert counts_of(work, Stage.OPTIMISER)["zero_"] == 4
        assert counts_of(work, Stage.FORWARD)["zero_"] == 1

    @pytest.mark.parametrize("reentrant", [True, False])
    def test_what_is_computed_anew_is_backward(self, reentrant: bool) -> None:  # noqa: FBT001
        """With checkpointing the product is made once more, in the backward pass."""
        layer, x = nn.Sequential(nn.Linear(4, 4), nn.Sigmoid()), torch.randn(2, 4, requires_grad=True)

        def work() -> None:
            checkpoint(layer, x, use_reentrant=reentrant).backward(x)

        assert counts_of(work, Stage.FORWARD)["addmm"] == 1
        assert counts_of(work, Stage.BACKWARD)["addmm"] == 1

    def test_attention_is_an_operator_with_what_it_saves(self) -> None:
        """Its backward is given the outputs of the forward pass, and can be replayed."""
        q = torch.randn(2, 3, 8, 8, requires_grad=True)

        def work() -> None:
            nn.functional.scaled_dot_product_attention(q, q, q).backward(q)  # type: ignore[no-untyped-call]

        calls = captured(work).calls
        names = [call.name for call in calls if "attention" in call.name]
        assert len(names) == 2
        assert names[1] == f"{names[0]}_backward"


class TestValues:
    """Rule 1: a call is replayed with the values that it had."""

    def test_what_changes_in_place_later_is_as_it_was(self) -> None:
        """An index that counts up would soon be past the end of the table."""
        table, index = nn.Embedding(4, 2), torch.zeros(1, dtype=torch.long)

        def work() -> None:
            index.zero_()
            for _ in range(3):
                table(index)
                index.add_(1)
            index.fill_(1000)

        indexes = [call.args[1] for call in calls_of(work, "embedding")]
        assert [index.tolist() for index in indexes if isinstance(index, Tensor)] == [[0], [1], [2]]

    def test_a_view_changes_with_what_it_is_of(self) -> None:
        """A row that was read, and is written to through the whole, is replayed as it was read."""
        x = torch.arange(6.0).reshape(2, 3)

        def work() -> None:
            x[1].sum()
            x.zero_()

        (call,) = calls_of(work, "sum")
        assert call.operator(*call.args, **call.kwargs).item() == 12.0

    def test_a_repeated_call_gives_the_same(self) -> None:
        """In-place arithmetic is replayed to another place: it would run away, or fade to denormals."""
        x = torch.full((3,), 2.0)
        (call,) = calls_of(lambda: x.mul_(0.5), "mul_")
        results = [call.operator(*call.args, **call.kwargs).tolist() for _ in range(3)]
        assert results == [[1.0] * 3] * 3

    def test_the_same_tensor_stays_the_same_tensor(self) -> None:
        """A product with itself reads its memory once."""
        x = torch.randn(3, 3)
        (call,) = calls_of(lambda: torch.mm(x, x), "mm")
        assert call.args[0] is call.args[1]

    def test_gaps_between_rows_stay(self) -> None:
        """What is written to is copied with its strides: they say how memory is read."""
        cache = torch.zeros(2, 3, 8, 4)
        (call,) = calls_of(lambda: cache[:, :, 5].copy_(torch.ones(2, 3, 4)), "copy_")
        target = call.args[0]
        assert isinstance(target, Tensor)
        assert target.stride() == cache[:, :, 5].stride()

    def test_channels_last_stays(self) -> None:
        """The layout of images decides which kernel runs."""
        layer = nn.Conv2d(3, 4, 3).to(memory_format=torch.channels_last)
        images = torch.randn(2, 3, 8, 8).to(memory_format=torch.channels_last)
        (call,) = calls_of(lambda: layer(images), "convolution")
        given = call.args[0]
        assert isinstance(given, Tensor)
        assert given.is_contiguous(memory_format=torch.channels_last)

    @pytest.mark.parametrize("mode", [torch.inference_mode, torch.no_grad, torch.enable_grad])
    def test_in_every_mode(self, mode: Callable[[], "torch.no_grad"]) -> None:
        """An activation in place, after a batch norm that keeps statistics."""
        module = nn.Sequential(nn.BatchNorm1d(4), nn.ReLU(inplace=True))

        def work() -> None:
            with mode():
                module(torch.ones(3, 4))

        calls = captured(work).calls
        assert "aten::relu_" in [call.name for call in calls]
        with torch.inference_mode():
            for call in calls:
                call.again()


class TestNothingIsChanged:
    """Rule 2: a replay writes to nothing of the work's own."""

    @pytest.mark.parametrize("options", [{"fused": True}, {"foreach": True}, {"foreach": False}])
    def test_model_and_optimiser(self, options: dict[str, bool]) -> None:
        """Weights, running statistics, gradients and the optimiser's state, whichever way it steps."""
        step = Step(torch.optim.AdamW, **options)
        step.module.append(nn.BatchNorm1d(3))
        calls = captured(step).calls
        state = [*step.module.state_dict().values(), *(weight.grad for weight in step.module.parameters())]
        state += [value for own in step.optimizer.state.values() for value in own.values()]
        before = [None if value is None else value.clone() for value in state]
        with torch.inference_mode():
            for _ in range(2):
                for call in calls:
                    call.again()
        assert len(before) > 20
        for value, kept in zip(state, before, strict=True):
            assert value is kept or (value is not None and kept is not None and torch.equal(value, kept))

    def test_a_custom_operator_that_says_what_it_writes(self) -> None:
        """As its schema has it."""
        seen: list[float] = []

        @torch.library.custom_op("pytest_energy_tests::fill", mutates_args=("x",))
        def fill(x: Tensor) -> None:
            seen.append(x.sum().item())
            x.fill_(3.0)

        x = torch.ones(2)
        calls = [call for call in captured(lambda: fill(x)).calls if call.name.endswith("::fill")]
        x.zero_()
        calls[0].again()
        assert seen == [2.0, 2.0]
        assert x.tolist() == [0.0, 0.0]


class TestWhatIsNotKept:
    """Rule 4, and what is said of it."""

    def test_views_and_empty_tensors(self) -> None:
        """A device has nothing to do for them."""
        x = torch.randn(4, 4)
        result = captured(lambda: x[1:].view(-1).add(torch.empty(12)))
        assert [call.name for call in result.calls] == ["aten::add"]

    def test_a_view_that_copies_is_kept(self) -> None:
        """`reshape` of a transposed tensor makes a new one, in inference mode as an operator of its own."""
        x = torch.randn(4, 4)

        def work() -> None:
            with torch.inference_mode():
                x.reshape(16)
                x.t().reshape(16)

        assert len(calls_of(work, "reshape")) == 1

    def test_a_read_of_a_value_is_none(self) -> None:
        """The host waits; on a CPU there is nothing to wait for, and nothing is said."""
        x = torch.ones(1)

        def work() -> float:
            return (x + 1).item()

        result = captured(work)
        assert [call.name for call in result.calls] == ["aten::add"]
        assert result.notes == ()

    def test_collectives_are_named(self) -> None:
        """Other processes take part in them: alone they would wait forever."""
        store: Any = getattr(distributed, "HashStore")()  # noqa: B009  # it is not in the stubs
        distributed.init_process_group("gloo", store=store, rank=0, world_size=1)
        try:
            x = torch.ones(2)
            result = captured(lambda: distributed.all_reduce(x.mul(2)))
        finally:
            distributed.destroy_process_group()
        assert [call.name for call in result.calls] == ["aten::mul"]
        assert result.notes == ("1 collectives need other processes, and are not replayed",)

    def test_compiled_code_is_named(self) -> None:
        """Where a mode looks it runs uncompiled, and is compiled afterwards as before."""
        compiled = torch.compile(lambda x: (x + 1).relu(), backend="eager")
        compiled(torch.ones(2))
        before = sys.getprofile()
        result = captured(lambda: compiled(torch.ones(2)))
        (note,) = result.notes
        assert note.startswith("1 calls of compiled code run as operators in the parts")
        assert sys.getprofile() is before
        torch.compiler.reset()


class TestErrors:
    """Rule 3: the work is not disturbed."""

    def test_too_little_memory(self) -> None:
        """What was kept is dropped, with the reason, and the work comes to its end."""
        results: list[Tensor] = []

        def work() -> None:
            x = torch.ones(10_000_000)
            results.append((x + 1).mul_(2).sum())

        result = captured_operators(work, lambda _: 10_000)
        assert isinstance(result, Absent)
        assert "can't be kept: 10 kB are left on cpu" in result.because
        assert results[0].item() == 4e7

    def test_a_work_that_fails(self) -> None:
        """It has run before, so this is no failure of the test."""
        result = captured_operators(lambda: torch.ones(2) @ torch.ones(3), lambda _: None)
        assert isinstance(result, Absent)
        assert "the work failed while its operators were listed: RuntimeError" in result.because

    def test_a_work_without_torch(self) -> None:
        """It calls no operator."""
        assert captured_operators(lambda: sum(range(9)), lambda _: None) == Absent(
            "the work calls no operator of torch that can be replayed"
        )

    def test_what_was_kept_goes_with_the_result(self) -> None:
        """Not when the collector comes: it may be all of a card's memory."""

        def work() -> None:
            torch.ones(9).mul_(2).add(1)

        captured(work)
        gc.collect()
        gc.disable()
        try:
            calls = captured(work).calls
            given = tensors_in([[*call.args, *call.kwargs.values()] for call in calls])
            kept = [weakref.ref(tensor) for tensor in given]
            del given
            assert kept
            assert all(one() is not None for one in kept)
            del calls
            assert all(one() is None for one in kept)
        finally:
            gc.enable()

    def test_hooks_are_gone_after_an_error(self) -> None:
        """No later step of an optimiser is looked at."""
        hooks = optimizer._global_optimizer_pre_hooks

        def work() -> Iterator[None]:
            assert hooks
            raise ValueError

        captured_operators(work, lambda _: None)
        assert not hooks
