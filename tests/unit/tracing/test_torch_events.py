"""Entries of events as a card gives them, written down by hand: no test here needs one."""

import pytest

from pytest_energy.counts import Kind
from pytest_energy.tracing.events import OPTIMIZER
from tests.unit.tracing.events import call, mark, node, on_device, operator, read, tensor

KERNEL = "void at::native::vectorized_elementwise_kernel<4, at::native::FillFunctor<float>, int>(int)"


def test_outermost_operator() -> None:
    """What runs in an operator is inner, and its device time is that of the outermost."""
    entries = read(
        operator("aten::linear", tensor(4, 8)),
        operator("aten::addmm", tensor(8), tensor(4, 8), tensor(8, 8), parent=0),
        on_device(KERNEL, parent=1, duration_ns=3_000),
    )
    assert entries[Kind.OPERATOR, "aten::linear"].duration_s == 3e-6
    assert entries[Kind.OPERATOR, "aten::linear"].flops == 2 * 4 * 8 * 8
    assert entries[Kind.INNER, "aten::addmm"].count == 1
    assert (Kind.OPERATOR, "aten::addmm") not in entries


def test_range_with_a_name() -> None:
    """A range is no operator: what runs in it is what the work calls."""
    entries = read(mark("my part"), operator("aten::relu", tensor(2), parent=0))
    assert list(entries) == [(Kind.OPERATOR, "aten::relu")]


def test_function_of_autograd_in_python() -> None:
    """What has no namespace is a wrap around what the work calls."""
    entries = read(operator("MyFunction"), operator("aten::relu", tensor(2), parent=0))
    assert entries[Kind.OPERATOR, "aten::relu"].count == 1


def test_numbers_of_products() -> None:
    """Under autocast an operator's numbers are those multiplied in it, not those that it is given."""
    entries = read(
        operator("aten::linear", tensor(4, 8)),
        operator("aten::mm", tensor(4, 8, dtype="bfloat16"), tensor(8, 8, dtype="bfloat16"), parent=0),
    )
    assert entries[Kind.OPERATOR, "aten::linear"].dtype == "bfloat16"


def test_node_of_a_backward_pass() -> None:
    """A node is one operator, with the arguments of what the engine runs and its forward operator's place."""
    entries = read(
        operator("aten::relu", tensor(2), sequence=5, line=7),
        node("ReluBackward0", sequence=5),
        operator("ReluBackward0", tensor(2, 3), parent=1, sequence=5),
        operator("aten::threshold_backward", tensor(2, 3), parent=2),
    )
    backward = entries[Kind.OPERATOR, "ReluBackward0"]
    assert (backward.size_bytes, backward.example, backward.places[0].line) == (24, "[2, 3]", 7)
    assert (Kind.INNER, "ReluBackward0") not in entries


def test_recorded_operators() -> None:
    """An operator is recorded where the next node's number goes up; the last by what comes after the call."""
    entries = read(
        operator("aten::linear", sequence=5, line=1),
        operator("aten::add_", sequence=7, line=2),
        operator("aten::relu", sequence=7, line=3),
        operator("aten::mul", sequence=8, line=4),
        next_sequence=9,
    )
    recorded = entries[Kind.GRADIENT, "recorded for a backward pass"]
    assert sorted(place.line for place in recorded.places) == [1, 3, 4]
    assert recorded.count == 3


def test_operators_without_gradient() -> None:
    """Without gradients an operator has no number, and nothing is recorded, whatever stands around it."""
    entries = read(
        operator("aten::linear", sequence=5),
        operator("aten::mul"),
        operator("aten::relu", sequence=5),
        next_sequence=5,
    )
    assert (Kind.GRADIENT, "recorded for a backward pass") not in entries


@pytest.mark.parametrize("name", ["cudaStreamSynchronize", "cudaEventSynchronize", "cudaMemcpy"])
def test_operator_that_waits(name: str) -> None:
    """An operator in which the host waits is a wait by its name, once, whatever it asks the driver for."""
    entries = read(
        operator("aten::nonzero", tensor(2), line=3),
        call(name, parent=0),
        call("cudaStreamSynchronize", parent=0),
        on_device(KERNEL, parent=0),
    )
    assert entries[Kind.WAIT, "aten::nonzero"].count == 1
    assert entries[Kind.OPERATOR, "aten::nonzero"].count == 1


def test_value_that_is_read() -> None:
    """A value that is read from a device is a wait and no operator; one of the host's is an operator."""
    from_device = read(
        operator("aten::item", tensor()),
        operator("aten::_local_scalar_dense", tensor(), parent=0),
        call("cudaStreamSynchronize", parent=1),
        on_device("Memcpy DtoH (Device -> Pageable)", parent=1),
    )
    assert from_device[Kind.WAIT, "aten::item"].count == 1
    assert (Kind.OPERATOR, "aten::item") not in from_device
    from_host = read(operator("aten::item", tensor()), on_device(KERNEL))
    assert from_host[Kind.OPERATOR, "aten::item"].count == 1
    assert (Kind.WAIT, "aten::item") not in from_host


def test_value_that_would_be_on_a_device() -> None:
    """Where no device is at work a value that is read is the wait that it would be on one."""
    entries = read(operator("aten::item", tensor()), has_device=False)
    assert entries[Kind.WAIT, "aten::item"].count == 1


def test_values_that_leave_torch() -> None:
    """`.tolist()` and `.numpy()` are a wait where no device is at work; inside an operator nothing leaves."""
    entries = read(
        operator("aten::resolve_conj", tensor(2)),
        operator("aten::resolve_neg", tensor(2)),
        operator("aten::mm", tensor(2, 2), tensor(2, 2)),
        operator("aten::resolve_neg", tensor(2), parent=2),
        has_device=False,
    )
    assert entries[Kind.WAIT, "tolist() or numpy()"].count == 1
    assert read(operator("aten::resolve_neg", tensor(2)), on_device(KERNEL)).keys() == {
        (Kind.OPERATOR, "aten::resolve_neg"),
        (Kind.KERNEL, "elementwise Fill"),
    }


def test_value_that_the_optimizer_reads() -> None:
    """The optimiser's own numbers are on the host on each machine."""
    entries = read(
        mark(f"{OPTIMIZER}step#Adam.step"), operator("aten::item", tensor(), parent=0), has_device=False
    )
    assert entries[Kind.OPERATOR, "aten::item"].count == 1
    assert (Kind.WAIT, "aten::item") not in entries


def test_device_that_is_synchronized() -> None:
    """A synchronisation that no operator asks for is a wait by its own name."""
    entries = read(call("cudaDeviceSynchronize"), on_device(KERNEL))
    assert entries[Kind.WAIT, "cudaDeviceSynchronize"].count == 1


@pytest.mark.parametrize(
    ("event", "name"),
    [
        ("Memcpy HtoD (Pageable -> Device)", "host to device, pageable"),
        ("Memcpy HtoD (Pinned -> Device)", "host to device, pinned"),
        ("Memcpy DtoH (Device -> Pinned)", "device to host, pinned"),
        ("Memcpy PtoP (Device -> Device)", "between devices"),
    ],
)
def test_copies(event: str, name: str) -> None:
    """A copy has its direction and the host's memory, and the operator's bytes where the device is silent."""
    entries = read(operator("aten::copy_", tensor(4, 4), tensor(4, 4)), on_device(event, parent=0))
    assert entries[Kind.COPY, name].size_bytes == 64
    assert read(on_device(event, size_bytes=7))[Kind.COPY, name].size_bytes == 7


def test_copy_on_one_device() -> None:
    """A copy on one device is a kernel like others."""
    entries = read(on_device("Memcpy DtoD (Device -> Device)"))
    assert list(entries) == [(Kind.KERNEL, "copy on the device")]


def test_launches() -> None:
    """Ways to launch a kernel are one; a graph is another; questions to the driver are none."""
    entries = read(
        call("cudaLaunchKernel"),
        call("cudaLaunchKernelExC"),
        call("cuLaunchKernel"),
        call("cudaGraphLaunch"),
        call("cudaStreamIsCapturing"),
        call("cudaGetErrorString"),
        call("cudaFuncSetAttribute"),
        call("cudaDeviceGetAttribute"),
        call("cudaOccupancyMaxActiveBlocksPerMultiprocessorWithFlags"),
    )
    assert {key: entry.count for key, entry in entries.items()} == {
        (Kind.LAUNCH, "kernel"): 3,
        (Kind.GRAPH, "CUDA graph replay"): 1,
    }


def test_kernels_of_a_node() -> None:
    """A kernel has the place of the operator that started it; of a node that of its forward operator."""
    entries = read(
        operator("aten::relu", tensor(2), sequence=5, line=7),
        node("ReluBackward0", sequence=5),
        on_device(KERNEL, parent=1),
    )
    assert [place.line for place in entries[Kind.KERNEL, "elementwise Fill"].places] == [7]


def test_views() -> None:
    """A view moves nothing, whatever it is of; one that copies by another operator does."""
    entries = read(
        operator("aten::reshape", tensor(4, 4)),
        operator("aten::view", tensor(4, 4), parent=0),
        operator("aten::flatten", tensor(4, 4)),
        operator("aten::clone", tensor(4, 4), parent=2),
        views=["aten::reshape", "aten::view", "aten::flatten"],
    )
    assert (
        entries[Kind.OPERATOR, "aten::reshape"].size_bytes,
        entries[Kind.OPERATOR, "aten::reshape"].inputs,
    ) == (0, "")
    assert entries[Kind.OPERATOR, "aten::flatten"].size_bytes == 64


def test_inputs_of_all_calls() -> None:
    """The digest is of all calls in any order; what is given in words is the largest."""
    one, other = operator("aten::relu", tensor(2)), operator("aten::relu", tensor(3, 5))
    there, back, twice = (
        read(*events)[Kind.OPERATOR, "aten::relu"] for events in ((one, other), (other, one), (one, one))
    )
    assert there.inputs == back.inputs != twice.inputs
    assert there.example == "[3, 5]"


def test_number_with_a_fraction() -> None:
    """A learning rate that changes changes no inputs; a dimension does."""
    rates = [read(operator("aten::mul", tensor(2), rate))[Kind.OPERATOR, "aten::mul"] for rate in (0.1, 0.2)]
    assert rates[0].inputs == rates[1].inputs
    axes = [read(operator("aten::mul", tensor(2), axis))[Kind.OPERATOR, "aten::mul"] for axis in (0, 1)]
    assert axes[0].inputs != axes[1].inputs


def test_compiled_region() -> None:
    """A region that torch.compile made is counted; what the code calls in it is the code's."""
    entries = read(
        mark("Torch-Compiled Region: 0/0"), operator("aten::mm", tensor(2, 2), tensor(2, 2), parent=0)
    )
    assert entries[Kind.GRAPH, "compiled region"].count == 1
    assert entries[Kind.OPERATOR, "aten::mm"].count == 1


def test_kernel_of_a_compiler() -> None:
    """A kernel that the compiler of graphs made has no number of a build in its name."""
    entries = read(operator("triton_poi_fused_add_relu_3"))
    assert entries[Kind.INNER, "fused add_relu"].count == 1
