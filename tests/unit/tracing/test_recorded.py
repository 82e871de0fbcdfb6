"""What an H100 gave for two training steps, with torch 2.11: `recorded/record.py` says what they do."""

from pytest_energy.counts import CountEntry, Kind
from pytest_energy.tracing.merging import digest_of
from pytest_energy.tracing.schemas import argument_names, is_view
from pytest_energy.tracing.torch_events import TraceReading
from tests.unit.tracing.events import recorded


def entries(name: str = "h100_places") -> list[CountEntry]:
    reading = TraceReading(recorded(name), has_device=True, is_view=is_view, argument_names=argument_names)
    return reading.entries()


def lines(kind: Kind) -> dict[str, tuple[int, list[int]]]:
    """Count of each entry of a kind, and the lines of `record.py` where its calls are made."""
    return {
        one.name: (one.count, [place.line for place in one.places]) for one in entries() if one.kind is kind
    }


def test_two_traces() -> None:
    """A trace with places and one without are equal in all that is compared."""
    assert digest_of(entries("h100")) == digest_of(entries("h100_places"))


def test_waits() -> None:
    """Each wait is counted once, with its line: a batch from pageable memory, a value, an index, a result."""
    assert lines(Kind.WAIT) == {
        "aten::to": (2, [57, 62]),
        "aten::item": (1, [58]),
        "cudaDeviceSynchronize": (1, [59]),
        "aten::index": (1, [56]),
    }


def test_copies() -> None:
    """A copy has its direction, the host's memory and its bytes."""
    copies = {one.name: (one.count, one.size_bytes) for one in entries() if one.kind is Kind.COPY}
    batch = 4.0 * 4 * 3 * 32 * 32
    assert copies["host to device, pageable"] == (1, batch)
    assert copies["host to device, pinned"] == (1, batch)
    assert copies["device to host, pageable"] == (1, 4.0 * 64 * 64)


def test_launches() -> None:
    """A graph that is replayed is the code's own, with its line; launches of kernels are the library's."""
    assert lines(Kind.LAUNCH)["kernel"][0] == 103
    assert lines(Kind.GRAPH) == {"CUDA graph replay": (1, [60])}


def test_kernels_of_a_graph() -> None:
    """A kernel of a captured graph has the line where the graph is replayed, and float32 stays float32."""
    products = {one.dtype: one for one in entries() if one.key[:2] == (Kind.KERNEL, "matrix product")}
    assert {dtype: one.count for dtype, one in products.items()} == {"bfloat16": 6, "float32": 1}
    assert [place.line for place in products["float32"].places] == [60]


def test_operators_under_autocast() -> None:
    """Products under autocast are in bfloat16, and the optimiser's lists are operators of their own."""
    operators = {one.name: one for one in entries() if one.kind is Kind.OPERATOR}
    linear = operators["aten::linear"]
    assert (linear.dtype, linear.count, linear.flops) == ("bfloat16", 2, 2 * 2 * 4 * 7200 * 10)
    assert operators["AddmmBackward0"].flops == 2 * linear.flops
    assert operators["aten::_foreach_lerp_"].example == "8 x [8, 3, 3, 3], 8 x [8, 3, 3, 3]"


def test_places_of_the_backward_pass() -> None:
    """A node has the line of the forward pass, the sum of gradients that of the backward call."""
    operators = lines(Kind.OPERATOR)
    assert operators["ConvolutionBackward0"] == (2, [51])
    assert operators["torch::autograd::AccumulateGrad"] == (16, [52])


def test_what_the_optimizer_reads() -> None:
    """The optimiser's own numbers are on the host: 32 are read, and the host waits for none."""
    assert lines(Kind.OPERATOR)["aten::item"] == (32, [53])


def test_questions_to_the_driver() -> None:
    """What the driver is asked beside its work is counted nowhere."""
    names = {one.name for one in entries()}
    assert not {name for name in names if name.startswith("cuda")} - {"cudaDeviceSynchronize"}
