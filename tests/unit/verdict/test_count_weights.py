"""What counts weigh on the reference device."""

import pytest

from pytest_energy.counts import Kind
from pytest_energy.verdict.count_weights import (
    CALL_S,
    disordered_bytes,
    full_precision_flops,
    is_product,
    weight_s,
)
from tests.builders import count_entry

TF32 = {"float32 matmul precision": "high"}


def amount_s(
    name: str = "aten::mul",
    *,
    flops: float = 0.0,
    size_bytes: float = 0.0,
    example: str = "",
    dtype: str = "float32",
) -> float:
    """Weight of one call without what a call costs by itself."""
    entry = count_entry(name, 1, flops=flops, size_bytes=size_bytes, example=example, dtype=dtype)
    return weight_s(entry, {}) - CALL_S  # of a call that moves something


class TestRoofline:
    def test_bytes_bound(self) -> None:
        """3.35 GB at 3.35 TB/s are a millisecond."""
        assert amount_s(size_bytes=3.35e9) == pytest.approx(1e-3)

    @pytest.mark.parametrize(
        ("dtype", "flops"),
        [("bfloat16", 989.4e9), ("float16", 989.4e9), ("float32", 67e9), ("float64", 67e9)],
    )
    def test_operations_bound(self, dtype: str, flops: float) -> None:
        """As many operations as the data sheet gives for a millisecond."""
        assert amount_s("aten::mm", flops=flops, dtype=dtype) == pytest.approx(1e-3)

    def test_the_slower_of_both_counts(self) -> None:
        """A call is bound by one of them, not by their sum."""
        assert amount_s("aten::mm", flops=67e9, size_bytes=1e6) == pytest.approx(1e-3)

    def test_float32_products_run_as_tf32_where_a_setting_says_so(self) -> None:
        """At 494.7 TFLOPS in place of 67; other operators' float32 stays what it is."""
        product, other = (
            count_entry(name, 1, flops=67e9, dtype="float32") for name in ("aten::mm", "aten::gelu")
        )
        assert weight_s(product, TF32) < weight_s(product, {}) / 5
        assert weight_s(other, TF32) == weight_s(other, {})

    def test_convolutions_have_a_switch_of_their_own(self) -> None:
        """`float32 matmul precision` says nothing of cuDNN."""
        product = count_entry("aten::conv2d", 1, flops=67e9, dtype="float32")
        assert weight_s(product, TF32) == weight_s(product, {})
        assert weight_s(product, {"TF32 in cuDNN": "on"}) < weight_s(product, {}) / 5


class TestLayouts:
    def test_along_a_dimension_that_is_not_the_last_a_sector_is_read_for_each_number(self) -> None:
        """32 bytes for the 4 of a float32 and the 2 of a bfloat16."""
        last, other = "[64, 512, 768], dim 2", "[64, 512, 768], dim 1"
        plain_s = amount_s("aten::softmax", size_bytes=1e9, example=last)
        assert amount_s("aten::softmax", size_bytes=1e9, example=other) == pytest.approx(8 * plain_s)
        assert amount_s("aten::softmax", size_bytes=1e9, example=other, dtype="bfloat16") == pytest.approx(
            16 * plain_s
        )

    def test_classes_that_are_not_the_last_dimension(self) -> None:
        """Cross-entropy has its classes in dimension 1, whatever follows."""
        flat, long = "[8192, 50257], [8192]", "[8, 50257, 1024], [8, 1024]"
        plain_s = amount_s("aten::cross_entropy_loss", size_bytes=1e9, example=flat)
        assert amount_s("aten::cross_entropy_loss", size_bytes=1e9, example=long) == pytest.approx(
            8 * plain_s
        )

    @pytest.mark.parametrize("name", ["aten::sum", "aten::cat", "aten::mean"])
    def test_what_goes_through_other_dimensions_well_weighs_no_more(self, name: str) -> None:
        """Only operators that go through one dimension number by number are known to do it badly."""
        texts = ("[64, 512, 768], dim 1", "[64, 512, 768], dim 2")
        one, other = (amount_s(name, size_bytes=1e9, example=text) for text in texts)
        assert one == other

    def test_half_precision_convolutions_on_channels_first_are_rearranged(self) -> None:
        """Read and written once more; not in float32, and not on channels last."""
        first, last = "[64, 64, 56, 56], [64, 64, 3, 3]", "[64, 64, 56, 56] channels last, [64, 64, 3, 3]"
        weights_s = [
            amount_s("aten::conv2d", size_bytes=1e9, example=text, dtype="bfloat16") for text in (first, last)
        ]
        assert weights_s[0] == pytest.approx(3 * weights_s[1])
        assert amount_s("aten::conv2d", size_bytes=1e9, example=first) == pytest.approx(
            amount_s("aten::conv2d", size_bytes=1e9, example=last)
        )


class TestOtherKinds:
    def test_a_copy_weighs_by_its_way(self) -> None:
        """6.4 GB over PCIe are 0.1 s, from pageable memory twice that, within the device next to nothing."""
        weights_s = [
            weight_s(count_entry(name, 1, kind=Kind.COPY, size_bytes=6.4e9), {})
            for name in ("host to device, pinned", "host to device, pageable", "between devices")
        ]
        assert weights_s[0] == pytest.approx(0.1, rel=1e-3)
        assert weights_s[1] == pytest.approx(0.2, rel=1e-3)
        assert weights_s[2] < 0.01

    def test_a_wait_weighs_more_than_a_call_and_a_compilation_more_than_all(self) -> None:
        """Their order is all that is claimed."""
        kinds = (Kind.FUNCTION, Kind.GRADIENT, Kind.OPERATOR, Kind.WAIT)
        weights_s = [weight_s(count_entry("x", 1, kind=kind, size_bytes=8.0), {}) for kind in kinds]
        weights_s += [
            weight_s(count_entry(name, 1, kind=Kind.GRAPH), {}) for name in ("graph break", "compilation")
        ]
        assert weights_s == sorted(weights_s)
        assert len(set(weights_s)) == len(weights_s)

    def test_an_output_token_weighs_more_than_an_input_token(self) -> None:
        """One reads all parameters, the other shares them."""
        output, prompt = (
            weight_s(count_entry(name, 1, kind=Kind.REQUEST), {})
            for name in ("output tokens", "prompt tokens")
        )
        assert output > 100 * prompt


def test_a_call_that_moves_nothing_weighs_little() -> None:
    """A view launches nothing."""
    view, add = count_entry("aten::view", 1), count_entry("aten::add", 1, size_bytes=8.0)
    assert weight_s(view, {}) < weight_s(add, {}) / 4


class TestFullPrecision:
    def test_products_that_no_tensor_core_takes(self) -> None:
        """In float32 without TF32, and in float64."""
        for dtype in ("float32", "float64"):
            entry = count_entry("aten::mm", 1, flops=5.0, dtype=dtype)
            assert full_precision_flops(entry, {}) == 5.0

    def test_none_of_others(self) -> None:
        """Not in bfloat16, not as TF32, and not of what is no product."""
        assert full_precision_flops(count_entry("aten::mm", 1, flops=5.0, dtype="bfloat16"), {}) == 0.0
        assert full_precision_flops(count_entry("aten::mm", 1, flops=5.0, dtype="float32"), TF32) == 0.0
        assert full_precision_flops(count_entry("aten::gelu", 1, flops=5.0, dtype="float32"), {}) == 0.0


class TestDisorderedBytes:
    def test_all_bytes_of_what_is_read_with_a_stride(self) -> None:
        """As many as it reads, not as many as that costs."""
        entry = count_entry("aten::softmax", 1, size_bytes=8.0, example="[64, 512, 768], dim 1")
        assert disordered_bytes(entry, {}) == 8.0

    def test_none_of_what_lies_well(self) -> None:
        """Along the last dimension, and in channels last."""
        entry = count_entry("aten::softmax", 1, size_bytes=8.0, example="[64, 512, 768], dim 2")
        assert disordered_bytes(entry, {}) == 0.0


@pytest.mark.parametrize(
    ("name", "is_one"),
    [
        ("aten::addmm", True),
        ("aten::linear", True),
        ("ConvolutionBackward0", True),
        ("aten::scaled_dot_product_attention", True),
        ("aten::layer_norm", False),
        ("aten::softmax", False),
        ("aten::add", False),
        ("aten::logsumexp", False),
    ],
)
def test_products_are_known_by_their_names(name: str, is_one: bool) -> None:  # noqa: FBT001 - a case
    """Only products have tensor cores, and TF32."""
    assert is_product(name) is is_one
