"""One call of the work, counted: real works of torch and of plain Python."""

import json
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import count
from pathlib import Path

import pytest
import torch
from torch import nn

from pytest_energy.counts import CountEntry, Counts, Kind
from pytest_energy.errors import Absent
from pytest_energy.tracing import torch_profile
from pytest_energy.tracing.tracer import MOST_TRACES, traced

HERE = Path(__file__).parent


class Block(nn.Module):
    """A layer with as many norms as a test asks for."""

    def __init__(self, *, norms: int = 1) -> None:
        super().__init__()
        self.product = nn.Linear(8, 8)
        self.norms = nn.ModuleList(nn.LayerNorm(8) for _ in range(norms))

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        hidden: torch.Tensor = self.product(inputs)
        for norm in self.norms:
            hidden = norm(hidden)
        return torch.relu(hidden)


INPUTS = torch.ones(4, 8)


def counted(work: Callable[[], object], *, most_s: float = 60.0) -> Counts:
    counts = traced(work, folder=HERE, most_s=most_s)
    assert isinstance(counts, Counts), counts
    return counts


def entries(counts: Counts, kind: Kind) -> dict[str, CountEntry]:
    return {entry.name: entry for entry in counts.entries if entry.kind is kind}


def training_step(model: nn.Module, *, step: int = 1) -> Callable[[], None]:
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

    def work() -> None:
        for _ in range(step):
            optimizer.zero_grad()
            model(INPUTS).sum().backward()
            optimizer.step()

    return work


def test_operators_of_a_forward_pass() -> None:
    """An operator is the outermost; what runs in it is its own."""
    model = Block()
    counts = counted(lambda: model(INPUTS))
    operators = entries(counts, Kind.OPERATOR)
    assert {name: entry.count for name, entry in operators.items()} == {
        "aten::linear": 1,
        "aten::layer_norm": 1,
        "aten::relu": 1,
    }
    assert "aten::addmm" in entries(counts, Kind.INNER)


def test_amounts_of_an_operator() -> None:
    """Operations are by its shapes, bytes those of what it is given."""
    model = Block()
    linear = entries(counted(lambda: model(INPUTS)), Kind.OPERATOR)["aten::linear"]
    assert (linear.flops, linear.size_bytes) == (2 * 4 * 8 * 8, 4 * (4 * 8 + 8 * 8 + 8))
    assert (linear.dtype, linear.example) == ("float32", "[4, 8], [8, 8], [8]")


def test_place_of_an_operator() -> None:
    """A call has the line of the user's code that makes it, however many frames of torch are between."""
    model = Block()
    norm = entries(counted(lambda: model(INPUTS)), Kind.OPERATOR)["aten::layer_norm"]
    line = Path(__file__).read_text().splitlines().index("            hidden = norm(hidden)") + 1
    assert [(place.text, place.function, place.count) for place in norm.places] == [
        (f"test_tracer.py:{line}", "forward", 1)
    ]


def test_place_of_a_node_of_the_backward_pass() -> None:
    """A node of the backward pass has the place of its forward operator."""
    node = entries(counted(training_step(Block())), Kind.OPERATOR)["NativeLayerNormBackward0"]
    assert [place.function for place in node.places] == ["forward"]


def test_planted_layer_norm() -> None:
    """One layer norm more is one operator more, one node more, and nothing else of the code's."""
    one, two = (counted(training_step(Block(norms=norms))) for norms in (1, 2))
    before, after = ({n: e.count for n, e in entries(c, Kind.OPERATOR).items()} for c in (one, two))
    risen = {name for name in after if after[name] != before.get(name)}
    assert risen == {
        "aten::layer_norm",
        "NativeLayerNormBackward0",
        "torch::autograd::AccumulateGrad",
        "aten::add_",
    }


def test_lost_no_grad() -> None:
    """Each operator for which a node is recorded counts; without gradients none is."""
    model = Block()

    def without() -> None:
        with torch.no_grad():
            model(INPUTS)

    def inference() -> None:
        with torch.inference_mode():
            model(INPUTS)

    recorded = entries(counted(lambda: model(INPUTS)), Kind.GRADIENT)
    assert recorded["recorded for a backward pass"].count == 3
    assert entries(counted(without), Kind.GRADIENT) == {}
    assert entries(counted(inference), Kind.GRADIENT) == {}
    model.requires_grad_(requires_grad=False)
    assert entries(counted(lambda: model(INPUTS)), Kind.GRADIENT) == {}


def test_item_in_each_step() -> None:
    """A value that is read is a wait, once, and no operator besides."""

    def work() -> None:
        for _ in range(5):
            INPUTS.sum().item()

    counts = counted(work)
    wait = entries(counts, Kind.WAIT)["aten::item"]
    assert (wait.count, [place.count for place in wait.places]) == (5, [5])
    assert "aten::item" not in entries(counts, Kind.OPERATOR)


def test_values_that_an_optimizer_reads() -> None:
    """What torch's own optimiser reads of its step is on the CPU by design: no wait."""
    model = Block()
    optimizer = torch.optim.Adam(model.parameters(), foreach=False)

    def work() -> None:
        model(INPUTS).sum().backward()
        optimizer.step()

    work()
    assert entries(counted(work), Kind.WAIT) == {}


def test_copy_in_each_step() -> None:
    """A batch that is copied in each step is an operator, with its bytes."""

    def work() -> None:
        for _ in range(3):
            INPUTS.clone()

    clone = entries(counted(work), Kind.OPERATOR)["aten::clone"]
    assert (clone.count, clone.size_bytes) == (3, 3 * INPUTS.nbytes)


def test_view_moves_nothing() -> None:
    """An operator that only looks otherwise at its input moves no bytes; one that has to copy does."""
    square = torch.ones(8, 8)
    operators = entries(
        counted(lambda: (square.t(), square.reshape(64), square.t().reshape(64))), Kind.OPERATOR
    )
    assert operators["aten::t"].size_bytes == 0
    assert operators["aten::reshape"].size_bytes == square.nbytes


def test_layout_of_inputs() -> None:
    """The same operator on numbers that lie otherwise has other inputs, though shape and bytes are equal."""
    square = torch.ones(8, 8)
    one, other = (
        entries(counted(partial(torch.softmax, given, 1)), Kind.OPERATOR)["aten::softmax"]
        for given in (square, square.t())
    )
    assert (one.count, one.size_bytes) == (other.count, other.size_bytes)
    assert one.inputs != other.inputs
    assert (one.example, other.example) == ("[8, 8], dim 1", "[8, 8] strided, dim 1")


def test_compiled_regions() -> None:
    """A graph break makes two compiled regions of one."""

    def whole(inputs: torch.Tensor) -> torch.Tensor:
        return torch.relu(inputs) + 1

    def broken(inputs: torch.Tensor) -> torch.Tensor:
        hidden = torch.relu(inputs)
        torch._dynamo.graph_break()
        return hidden + 1

    regions = []
    for function in (whole, broken):
        compiled = torch.compile(function, backend="eager")
        compiled(INPUTS)
        graphs = entries(counted(partial(compiled, INPUTS)), Kind.GRAPH)
        regions.append(graphs["compiled region"].count)
    assert regions == [1, 2]


def test_compilation_in_a_call() -> None:
    """A call that has to compile says so."""
    torch._dynamo.reset()
    compiled = torch.compile(torch.neg, backend="eager", dynamic=False)
    lengths = iter(range(2, 100))
    graphs = entries(counted(lambda: compiled(torch.ones(next(lengths)))), Kind.GRAPH)
    assert graphs["compilation"].count == 1


def test_work_that_does_not_repeat() -> None:
    """Counts that differ between calls are an interval of all the calls that can be made, at most ten."""
    counts = counted(sums_of(iter([2, 3, 5, 1])))
    assert (counts.is_repeating, counts.trace_count) == (False, 4)
    assert entries(counts, Kind.OPERATOR)["aten::sum"].bounds == (1, 5)
    assert counted(sums_of(count(1))).trace_count == MOST_TRACES == 10


def test_functions_that_do_not_repeat() -> None:
    """As of torch."""
    lengths = count(1)
    counts = counted(lambda: [ord("a") for _ in range(next(lengths))])
    assert counts.source == "calls of Python"
    assert (counts.trace_count, entries(counts, Kind.FUNCTION)["ord"].count) == (MOST_TRACES, 2)


def sums_of(lengths: Iterator[int]) -> Callable[[], None]:
    def work() -> None:
        for _ in range(next(lengths)):
            INPUTS.sum()

    return work


def test_one_call_where_time_is_short() -> None:
    """The work is called once where a second call doesn't fit."""
    calls: list[object] = []

    def work() -> None:
        calls.append(INPUTS.sum())

    counts = counted(work, most_s=0.0)
    assert (len(calls), counts.trace_count, counts.is_repeating) == (1, 1, True)


def test_call_that_takes_long() -> None:
    """A call that is known to take minutes isn't begun."""
    calls: list[int] = []
    counts = traced(lambda: calls.append(1), folder=HERE, call_s=100.0)
    assert isinstance(counts, Absent)
    assert (counts.because.partition(":")[0], calls) == (
        "a call of the work takes 100 s, and at most 60 s are counted",
        [],
    )


def test_work_that_raises() -> None:
    """What the work raises is the reason that there are no counts, and leaves nothing behind."""
    counts = traced(lambda: INPUTS @ torch.ones(3), folder=HERE)
    assert isinstance(counts, Absent)
    assert counts.because.startswith(
        "the call of the work that was counted ended with RuntimeError: size mismatch"
    )
    assert not torch._C._autograd._profiler_enabled()
    assert sys.getprofile() is None


def test_work_that_can_be_called_once() -> None:
    """What a second call raises takes nothing from the first."""
    batches = iter([INPUTS])
    counts = counted(lambda: next(batches).sum())
    assert (counts.trace_count, counts.is_repeating) == (1, True)


@pytest.mark.parametrize("outcome", [SystemExit, pytest.skip.Exception, pytest.fail.Exception])
def test_work_that_ends_otherwise_the_second_time(outcome: type[BaseException]) -> None:
    """An exit and an outcome of pytest are no `Exception`, and take nothing from the first either."""
    calls: list[object] = []

    def work() -> None:
        calls.append(INPUTS.sum())
        if len(calls) > 1:
            raise outcome("once is enough")

    assert counted(work).trace_count == 1


def test_work_that_profiles_itself() -> None:
    """Its profile takes the place of the one that counts; the reason says so."""

    def work() -> None:
        with torch.profiler.profile():
            INPUTS.sum()

    because = "the work uses torch.profiler itself, and only one can run"
    assert traced(work, folder=HERE) == Absent(because)


def test_too_many_events(monkeypatch: pytest.MonkeyPatch) -> None:
    """A call of more events than can be read in time has no counts, and the reason says what to do."""
    assert torch_profile.MOST_EVENTS == 100_000
    monkeypatch.setattr(torch_profile, "MOST_EVENTS", 1_000)

    def work() -> None:
        for _ in range(1_001):
            INPUTS.t()

    counts = traced(work, folder=HERE)
    assert isinstance(counts, Absent)
    assert "and at most 1,000 are counted: give a smaller piece of it as `traced`" in counts.because


def test_work_that_skips() -> None:
    """A skip of pytest in the call that was counted skips no test that has been measured."""
    counts = traced(lambda: pytest.skip("not here"), folder=HERE)
    assert counts == Absent("the call of the work that was counted ended with Skipped: not here")


def test_interrupt_passes() -> None:
    """Whoever stops the run stops it."""

    def work() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        traced(work, folder=HERE)
    assert not torch._C._autograd._profiler_enabled()


def test_work_beside_another_profiler() -> None:
    """Torch has one profiler: where it is taken, nothing is counted."""
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]):
        counts = traced(INPUTS.sum, folder=HERE)
    assert counts == Absent("another profiler of torch is running")


def test_kineto_is_quiet(capfd: pytest.CaptureFixture[str]) -> None:
    """No line of the profiler's library reaches the user; what the work writes does."""
    counted(lambda: (INPUTS.sum(), sys.stderr.write("from the work\n")))
    assert capfd.readouterr().err == "from the work\n" * 2


def test_python_calls() -> None:
    """A work without torch is counted by functions: the folder's, and what they call."""

    def parse() -> object:
        return json.loads("[1]")

    def work() -> None:
        for _ in range(4):
            parse()

    counts = counted(work)
    functions = entries(counts, Kind.FUNCTION)
    assert counts.source == "calls of Python"
    parsed = functions["test_python_calls.<locals>.parse (test_tracer.py)"]
    assert (parsed.count, [place.count for place in parsed.places]) == (4, [4])
    assert functions["loads (__init__.py)"].count == 4
    assert "JSONDecoder.decode (decoder.py)" in entries(counts, Kind.INNER)


def test_python_beside_another_profiler() -> None:
    """A profiler that a test has set stays, and nothing is counted."""
    mine: Callable[..., None] = lambda *_: None  # noqa: E731
    sys.setprofile(mine)
    try:
        counts = traced(lambda: sorted([2, 1]), folder=HERE)
        assert sys.getprofile() is mine
    finally:
        sys.setprofile(None)
    assert counts == Absent("another profiler is running")


def test_too_many_calls_of_python() -> None:
    """Past a number of calls counting ends, so that its cost is bounded."""

    def work() -> None:
        for _ in range(1_000_001):
            abs(1)

    assert traced(work, folder=HERE) == Absent("the work makes more than 1,000,000 function calls")
    assert sys.getprofile() is None
    assert threading.getprofile() is None


def test_settings() -> None:
    """Switches are read as they are when the work has run."""
    before = torch.get_float32_matmul_precision()
    try:
        torch.set_float32_matmul_precision("high")
        settings = counted(lambda: INPUTS @ INPUTS.t()).settings
    finally:
        torch.set_float32_matmul_precision(before)
    assert (settings["float32 matmul precision"], settings["default dtype"]) == ("high", "float32")


def test_equal_traces() -> None:
    """Two traces of the same training steps are the same, to the digest."""
    one, other = (counted(training_step(Block(), step=3)) for _ in range(2))
    assert one.is_repeating
    assert one.digest == other.digest


def test_thread_that_outlives_the_work() -> None:
    """A thread that the work leaves running is not profiled when the work is over."""
    with ThreadPoolExecutor(1) as pool:
        counted(lambda: pool.submit(sorted, [2, 1]).result())
        pool.submit(len, []).result()
        assert pool.submit(sys.getprofile).result() is None


def test_threads_of_the_work() -> None:
    """What a pool of threads calls for the work is the work's."""
    with ThreadPoolExecutor(2) as pool:

        def work() -> None:
            for waiting in [pool.submit(INPUTS.clone) for _ in range(4)]:
                waiting.result()

        work()
        counts = counted(work)
    assert entries(counts, Kind.OPERATOR)["aten::clone"].count == 4


@pytest.mark.parametrize(
    ("read", "name"),
    [
        (torch.Tensor.item, "aten::item"),
        (float, "aten::item"),
        (bool, "aten::is_nonzero"),
        (torch.Tensor.tolist, "tolist() or numpy()"),
        (torch.Tensor.numpy, "tolist() or numpy()"),
        (torch.nonzero, "aten::nonzero"),
    ],
)
def test_ways_to_read_a_value(read: Callable[[torch.Tensor], object], name: str) -> None:
    """Each way to get at a value is one wait."""
    value = torch.ones(1)
    waits = entries(counted(lambda: read(value)), Kind.WAIT)
    assert {wait: entry.count for wait, entry in waits.items()} == {name: 1}


def test_secrets_in_names_are_covered(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file may be named by a key that the environment holds; counts are committed with the baselines."""
    key = "sk-proj-4f8e2a7b1c9d"
    monkeypatch.setenv("SERVICE_API_KEY", key)
    code = compile(f"def {key.replace('-', '_')}(): return len('abc')", str(HERE / f"{key}.py"), "exec")
    names: dict[str, Callable[[], int]] = {}
    exec(code, names)  # noqa: S102 - a file of that name
    counts = counted(names[key.replace("-", "_")])
    assert [place.file for entry in counts.entries for place in entry.places if entry.name == "len"] == [
        "***.py"
    ]
    assert key not in str(counts)
