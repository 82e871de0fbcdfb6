"""The lines on counts: the number first, in the user's terms, with the place where it is known."""

from collections.abc import Mapping

import pytest

from pytest_energy.counts import CallPlace, CountEntry, Kind
from pytest_energy.verdict.count_changes import compare_counts
from tests.builders import count_entry, counts_with

TORCH = {"torch": ("2.11.0", "2.13.0"), "driver": ("575.57", "580.95")}
CUDA = "torch.profiler (CPU, CUDA)"


def lines(
    before: tuple[CountEntry, ...],
    after: tuple[CountEntry, ...],
    *,
    then: Mapping[str, str] | None = None,
    now: Mapping[str, str] | None = None,
    facts: Mapping[str, tuple[str, str]] | None = None,
    source: str = CUDA,
) -> tuple[str, ...]:
    """What is said of *after*, whose switches are *now*, against *before*, whose were *then*."""
    comparison = compare_counts(
        counts_with(*after, settings=now, source=source),
        [counts_with(*before, settings=then, source=source)],
        facts=facts or {},
        tolerance=0.0,
        is_judged=True,
    )
    assert comparison is not None
    return comparison.lines


def norm(count: int, *, most: int | None = None, place: str = "model.py:41") -> CountEntry:
    return count_entry("aten::layer_norm", count, most=most, size_bytes=1e6 * count, place=place)


class TestOperators:
    """How often an operator runs, and where the calls are that came or went."""

    @pytest.mark.parametrize(
        ("before", "after", "line"),
        [
            (12, 36, "layer_norm runs 36 times per call, not 12: model.py:41 (forward) adds 24"),
            (1, 2, "layer_norm runs 2 times per call, not once: model.py:41 (forward) adds 1"),
            (36, 1, "layer_norm runs once per call, not 36: model.py:41 (forward) drops 35"),
            (0, 1, "layer_norm runs once per call, before never: model.py:41 (forward)"),
            (12, 0, "layer_norm no longer runs, before 12 times per call: model.py:41 (forward)"),
        ],
    )
    def test_more_fewer_new_and_gone(self, before: int, after: int, line: str) -> None:
        """Each number stands before its reason; one call is `once`."""
        then, now = ((norm(count),) if count else () for count in (before, after))
        assert lines((*then, count_entry("aten::relu")), (*now, count_entry("aten::relu"))) == (line,)

    def test_counts_that_do_not_repeat_are_intervals(self) -> None:
        """Least and most stand on both sides."""
        assert lines((norm(12, most=14),), (norm(20, most=22),)) == (
            "layer_norm runs 20 to 22 times per call, not 12 to 14: model.py:41 (forward) adds 8",
        )

    def test_the_place_is_the_one_that_has_more_calls_wherever_its_lines_are(self) -> None:
        """Calls are matched by file and function: moved lines are no new place."""
        head = CallPlace(file="head.py", line=7, function="forward", count=2)
        moved = CallPlace(file="model.py", line=90, function="forward", count=12)
        then = count_entry("aten::relu", 14, place="model.py:41")
        before = (entry_at(then, (CallPlace(file="model.py", line=41, function="forward", count=12), head)),)
        more = CallPlace(file="head.py", line=7, function="forward", count=3)
        after = (entry_at(count_entry("aten::relu", 15), (moved, more)),)
        assert lines(before, after) == ("relu runs 15 times per call, not 14: head.py:7 (forward) adds 1",)

    def test_a_lambda_has_no_name_worth_showing(self) -> None:
        """What Python puts in angle brackets is left out."""
        call = count_entry("aten::relu", 1, place="test_a.py:3", function="<lambda>")
        assert lines((count_entry(),), (count_entry(), call)) == (
            "relu runs once per call, before never: test_a.py:3",
        )

    def test_the_backward_pass_goes_with_its_operator(self) -> None:
        """An operator and its node of the backward pass are one line, not two."""
        backward = "autograd::engine::evaluate_function: NativeLayerNormBackward0"
        nodes = count_entry("nodes", 61, kind=Kind.GRADIENT), count_entry("nodes", 85, kind=Kind.GRADIENT)
        assert lines(
            (norm(12), count_entry(backward, 12, size_bytes=3e7), nodes[0]),
            (norm(36), count_entry(backward, 36, size_bytes=9e7), nodes[1]),
        ) == ("layer_norm runs 36 times per call, not 12: model.py:41 (forward) adds 24",)

    def test_what_stands_in_the_place_of_another_is_one_line(self) -> None:
        """Single operators where a fused one was: both are named."""
        single = [
            count_entry(f"aten::{name}", 12, place="model.py:30") for name in ("mul", "tanh", "pow", "add")
        ]
        assert lines((count_entry("aten::gelu", 12, place="model.py:28"),), tuple(single)) == (
            "add, mul, pow and 1 more run 48 more times per call instead of gelu: model.py:30 (forward)",
        )

    def test_another_type_is_told_as_such(self) -> None:
        """The same operator on another type of numbers is no new operator."""
        assert lines(
            (count_entry("aten::linear", 36, dtype="bfloat16", place="model.py:9"),),
            (
                count_entry("aten::linear", 24, dtype="bfloat16", place="model.py:9"),
                count_entry("aten::linear", 12, dtype="float32", flops=1e9, place="model.py:9"),
            ),
        ) == ("linear runs in float32, not in bfloat16, 12 times per call: model.py:9 (forward)",)

    def test_the_same_calls_on_more_are_told_with_how_much_more(self) -> None:
        """Equal counts on other inputs: their shapes, and the factor of the operations."""

        def product(length: int) -> CountEntry:
            shape = f"[64, {length}, 768]"
            return count_entry(
                "aten::linear", flops=1e9 * length, inputs=shape, example=shape, place="model.py:9"
            )

        assert lines((product(512),), (product(1024),)) == (
            "linear works on [64, 1024, 768], not [64, 512, 768], 2 x the operations: model.py:9 (forward)",
        )

    def test_what_only_copies_is_said_to(self) -> None:
        """A loader that makes the same batch anew: nothing is computed."""
        copies = count_entry("aten::to", 4, size_bytes=2e6, place="train.py:41", function="batch")
        assert lines((count_entry(),), (count_entry(), copies)) == (
            "to() copies 4 times per call, before never: train.py:41 (batch)",
        )

    def test_an_argument_that_came_or_went(self) -> None:
        """A mask that is new, and one that is gone."""
        texts = ("[2, 4, 128, 32], [2, 4, 128, 32]", "[2, 4, 128, 32], [2, 4, 128, 32], [128, 128]")
        plain, masked = (count_entry("aten::attention", 1, inputs=text, example=text) for text in texts)
        assert lines((plain,), (masked,)) == ("attention works on [128, 128] too",)
        assert lines((masked,), (plain,)) == ("attention works no longer on [128, 128]",)

    def test_other_inputs_of_smaller_calls(self) -> None:
        """The largest call is the same."""
        one, other = (count_entry("aten::add", 2, inputs=digest, example="[64]") for digest in "ab")
        assert lines((one,), (other,)) == ("add works on other inputs",)


class TestOtherKinds:
    def test_waits_of_the_host(self) -> None:
        """Who waits for whom, how often, by what and where."""
        waits = [
            count_entry("aten::item", count, kind=Kind.WAIT, place="train.py:57", function="step")
            for count in (1, 100)
        ]
        assert lines((waits[0],), (waits[1],)) == (
            "the host waits for the GPU 100 times per call, not once: item() at train.py:57 (step)",
        )

    def test_where_no_device_is_traced_nobody_waits(self) -> None:
        """On a CPU a value is read; that a GPU would be waited for is said."""
        read = count_entry("aten::item", 2, kind=Kind.WAIT)
        assert lines((count_entry(),), (count_entry(), read), source="torch.profiler (CPU)") == (
            (
                "a value is read out of a tensor 2 times per call, before never "
                "(on a GPU the host waits for it): item()"
            ),
        )

    def test_waits_and_functions_that_are_gone(self) -> None:
        """Nobody waits `none times`."""
        wait = count_entry("aten::item", 8, kind=Kind.WAIT)
        assert lines((wait,), ()) == (
            "the host no longer waits for the GPU, before 8 times per call: item()",
        )
        assert lines((wait,), (), source="torch.profiler (CPU)") == (
            "no value is read out of a tensor, before 8 times per call: item()",
        )
        call = count_entry("loads", 200, kind=Kind.FUNCTION)
        assert lines((call,), ()) == ("loads is no longer called, before 200 times",)

    @pytest.mark.parametrize(
        ("kind", "name", "line"),
        [
            (Kind.GRADIENT, "nodes", "no nodes are recorded for a backward pass, before 8"),
            (Kind.GRAPH, "graph break", "torch.compile: no graph breaks per call, before 8"),
            (Kind.REQUEST, "output tokens", "no output tokens, before 8"),
        ],
    )
    def test_nothing_of_a_kind_is_no_and_not_none(self, kind: Kind, name: str, line: str) -> None:
        """Nobody records `none nodes`."""
        assert lines((count_entry(), count_entry(name, 8, kind=kind)), (count_entry(),)) == (line,)

    def test_one_node_is_one(self) -> None:
        """`1 nodes are` is no English."""
        nodes = [count_entry("nodes", count, kind=Kind.GRADIENT) for count in (1, 3)]
        assert lines((nodes[1],), (nodes[0],)) == ("1 node is recorded for a backward pass, before 3",)

    def test_copies_are_told_by_their_bytes(self) -> None:
        """From where to where, how much, and how much before."""
        copies = [
            count_entry("host to device, pageable", 2, kind=Kind.COPY, size_bytes=size, place="train.py:20")
            for size in (2e6, 205e6)
        ]
        assert lines((copies[0],), (copies[1],)) == (
            "each call copies 205 MB from pageable memory to the GPU, before 2 MB: train.py:20 (forward)",
        )
        assert lines((), (copies[1],))[0].endswith("to the GPU, before none: train.py:20 (forward)")
        assert lines((copies[1],), ())[0].startswith("each call copies nothing from pageable memory")

    def test_nodes_that_nobody_goes_back_through_want_no_grad(self) -> None:
        """The same operators with nodes recorded: the block without a backward pass has lost its no_grad."""
        nodes = count_entry("nodes", 61, kind=Kind.GRADIENT, place="eval.py:12", function="")
        assert lines((count_entry(),), (count_entry(), nodes)) == (
            "61 nodes are recorded for a backward pass, before none: no_grad is missing around eval.py:12",
        )

    def test_with_a_backward_pass_no_grad_is_not_missing(self) -> None:
        """Work that begins to train records nodes as it must."""
        nodes = count_entry("nodes", 61, kind=Kind.GRADIENT)
        training = (count_entry(), count_entry("AddmmBackward0", 3), nodes)
        assert "61 nodes are recorded for a backward pass, before none" in lines((count_entry(),), training)

    def test_graph_breaks(self) -> None:
        """Of torch.compile: how many, and how many before."""
        breaks = count_entry("graph break", 3, kind=Kind.GRAPH, place="model.py:12")
        assert lines((count_entry(),), (count_entry(), breaks)) == (
            "torch.compile: 3 graph breaks per call, before none: model.py:12 (forward)",
        )

    def test_regions_of_a_broken_graph(self) -> None:
        """What was one compiled region is two: the graph is broken between them."""
        regions = [count_entry("compiled region", count, kind=Kind.GRAPH) for count in (1, 2)]
        assert lines((regions[0],), (regions[1],)) == (
            "torch.compile: 2 compiled regions per call, before 1, from a graph break",
        )

    def test_a_captured_graph_that_is_replayed_no_more(self) -> None:
        """Its calls come one by one; the replays tell why."""
        replays = count_entry("CUDA graph replay", 32, kind=Kind.GRAPH, place="serve.py:20")
        assert lines((replays,), (count_entry("aten::linear", 100),)) == (
            "no captured CUDA graph is replayed, before 32 times per call: serve.py:20 (forward)",
            "linear runs 100 times per call, before never",
        )

    def test_operators_that_run_in_the_place_of_a_captured_graph_come_second(self) -> None:
        """However heavy they are: that the graph is gone tells why they run."""
        replays = count_entry("CUDA graph replay", 1, kind=Kind.GRAPH)
        calls = [
            count_entry("aten::linear", 99, size_bytes=9e9),
            count_entry("aten::gelu", 9, size_bytes=9.0),
        ]
        assert [line.split()[0] for line in lines((replays,), tuple(calls))] == ["no", "linear"]
        assert [line.split()[0] for line in lines(tuple(calls), (replays,))] == ["captured", "linear"]

    def test_a_captured_graph_that_is_replayed_more(self) -> None:
        """It is no graph break."""
        replays = [count_entry("CUDA graph replay", count, kind=Kind.GRAPH) for count in (1, 2)]
        assert lines((replays[0],), (replays[1],)) == (
            "captured CUDA graphs are replayed 2 times per call, not once",
        )

    def test_functions_and_requests(self) -> None:
        """What Python and an engine counted."""
        assert lines(
            (count_entry("parse", 1, kind=Kind.FUNCTION),), (count_entry("parse", 9, kind=Kind.FUNCTION),)
        ) == ("parse is called 9 times, not once",)
        called = [
            count_entry(name, 9, kind=Kind.FUNCTION, place="util.py:3", function="read") for name in "ab"
        ]
        assert lines((), tuple(called)) == ("a and b are called 18 more times: util.py:3 (read)",)
        assert lines(
            (count_entry("output tokens", 100, kind=Kind.REQUEST),),
            (count_entry("output tokens", 140, kind=Kind.REQUEST),),
        ) == ("140 output tokens, before 100",)


class TestCauses:
    def test_the_library(self) -> None:
        """Same calls, other kernels: which library, and which driver."""
        kernels = [count_entry(name, kind=Kind.KERNEL) for name in ("sgemm", "gemm_bf16")]
        assert lines((kernels[0],), (kernels[1],), facts=TORCH) == (
            "same calls, other kernels: torch 2.11.0 -> 2.13.0, driver 575.57 -> 580.95",
        )

    def test_nothing_that_is_known(self) -> None:
        """A change inside that nothing explains is said to be that."""
        assert lines(
            (count_entry("sgemm", 1, kind=Kind.KERNEL),), (count_entry("sgemm", 2, kind=Kind.KERNEL),)
        ) == ("same calls, other kernels, and no recorded fact differs",)

    def test_other_operators_inside_are_named(self) -> None:
        """The same attention by single operators: which, in the place of which."""
        fused = count_entry("aten::_scaled_dot_product_flash_attention", 4, kind=Kind.INNER)
        single = [count_entry(f"aten::{name}", 4, kind=Kind.INNER) for name in ("bmm", "softmax")]
        assert lines((fused,), tuple(single)) == (
            (
                "same calls, other operators inside: bmm and softmax instead of "
                "_scaled_dot_product_flash_attention"
            ),
        )
        assert lines((), tuple(single)) == (
            "same calls, other operators inside: bmm and softmax in addition",
        )

    def test_the_librarys_own_calls(self) -> None:
        """What an optimiser of another torch calls: the library stands beside it."""
        adds = [count_entry("aten::_foreach_add_", count, place="train.py:9") for count in (3, 4)]
        assert lines((adds[0],), (adds[1],), facts=TORCH) == (
            (
                "_foreach_add_ runs 4 times per call, not 3: train.py:9 (forward) adds 1 "
                "(torch 2.11.0 -> 2.13.0, driver 575.57 -> 580.95)"
            ),
        )

    def test_other_code_under_another_library(self) -> None:
        """The code is another one, and so is torch: either may call more."""
        adds = [count_entry("aten::add", count) for count in (3, 4)]
        facts = TORCH | {"git_commit": ("3f2c1ab", "9d8e7f6")}
        assert lines((adds[0],), (adds[1],), facts=facts) == (
            "add runs 4 times per call, not 3 (torch 2.11.0 -> 2.13.0 may be the cause)",
        )

    @pytest.mark.parametrize(
        ("then", "now", "line"),
        [
            ("high", "highest", "float32 products run at full precision, not as TF32 ({}: high -> highest)"),
            ("highest", "high", "float32 products run as TF32, not at full precision ({}: highest -> high)"),
        ],
    )
    def test_the_precision_of_products(self, then: str, now: str, line: str) -> None:
        """A switch that makes equal products heavier is told by what it does."""
        name = "float32 matmul precision"
        product = count_entry("aten::linear", flops=1e12, dtype="float32")
        assert lines((product,), (product,), then={name: then}, now={name: now}) == (line.format(name),)

    def test_a_switch_that_changes_nothing_that_is_counted(self) -> None:
        """It is still said: it may explain joules."""
        same = (count_entry(),)
        assert lines(same, same, then={"cudnn.benchmark": "False"}, now={"cudnn.benchmark": "True"}) == (
            "a setting differs: cudnn.benchmark False -> True",
        )


class TestOrder:
    def test_the_worst_rise_is_first_and_two_lines_are_all(self) -> None:
        """Of three changes the heaviest two are told."""
        before = [count_entry(f"aten::{name}", 1, size_bytes=1e6, place=f"{name}.py:1") for name in "abc"]
        after = [
            count_entry(f"aten::{name}", 2, size_bytes=size, place=f"{name}.py:1")
            for name, size in zip("abc", (3e9, 2e6, 9e9), strict=True)
        ]
        assert [line[0] for line in lines(tuple(before), tuple(after))] == ["c", "a"]

    def test_where_work_fell_the_worst_fall_is_first(self) -> None:
        """An improvement is told by what made it."""
        before = (norm(36), count_entry("aten::relu", 2, place="act.py:3"))
        after = (norm(12), count_entry("aten::relu", 3, place="act.py:3"))
        assert lines(before, after)[0].startswith("layer_norm runs 12 times per call, not 36")


def entry_at(entry: CountEntry, places: tuple[CallPlace, ...]) -> CountEntry:
    return CountEntry(kind=entry.kind, name=entry.name, count=entry.count, places=places)
