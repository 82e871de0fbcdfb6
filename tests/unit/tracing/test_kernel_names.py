# ruff: noqa: E501 - names as they were recorded
"""Names of kernels as an H100 with torch 2.11 gave them, and those of other builds."""

import pytest

from pytest_energy.tracing.kernel_names import kernel_dtype, kernel_name

FUNCTOR = "at::native::BinaryFunctor<float, float, float, at::native::binary_internal::MulFunctor<float> >"
LAMBDA = "at::native::(anonymous namespace)::silu_kernel(at::TensorIteratorBase&)::{lambda()#1}"
LIST = "at::native::(anonymous namespace)"


@pytest.mark.parametrize(
    ("name", "plain", "dtype"),
    [
        (
            (
                "void cutlass::Kernel2<cutlass_80_tensorop_s1688gemm_64x64_16x6_nn_align4>"
                "(cutlass_80_tensorop_s1688gemm_64x64_16x6_nn_align4::Params)"
            ),
            "matrix product",
            "tf32",
        ),
        (
            "void cutlass::Kernel2<cutlass_80_simt_sgemm_64x64_8x5_nn_align1>(cutlass_80::Params)",
            "matrix product",
            "float32",
        ),
        (
            (
                "sm80_xmma_gemm_f32f32_f32f32_f32_nt_n_tilesize32x32x8_stage3_warpsize1x2x1_ffma_aligna4_alignc4"
                "_execute_kernel__5x_cublas"
            ),
            "matrix product",
            "float32",
        ),
        (
            (
                "sm80_xmma_gemm_f32f32_tf32f32_f32_tn_n_tilesize32x32x64_stage3_warpsize2x2x1_tensor16x8x8_aligna4"
                "_alignc4_execute_kernel__5x_cublas"
            ),
            "matrix product",
            "tf32",
        ),
        ("ampere_sgemm_128x64_tn", "matrix product", "float32"),
        ("ampere_bf16_s16816gemm_bf16_128x64_ldg8_f2f_stages_64x4_tn", "matrix product", "bfloat16"),
        ("ampere_fp16_s16816gemm_fp16_128x64_ldg8_f2f_stages_64x4_tn", "matrix product", "float16"),
        (
            (
                "sm90_xmma_gemm_bf16bf16_bf16f32_f32_tn_n_tilesize128x128x64_warpgroupsize1x1x1_execute_segment_k_off"
                "_kernel__5x_cublas"
            ),
            "matrix product",
            "bfloat16",
        ),
        ("nvjet_tst_128x256_64x4_2x1_v_bz_coopA_NTT", "matrix product", "bfloat16"),
        ("nvjet_hsh_256x128_64x4_2x1_v_bz_coopA_TNT", "matrix product", "float16"),
        (
            "void cutlass::Kernel2<cutlass_80_tensorop_i16832gemm_s8_256x128_64x3_tn_align16>(cutlass_80::Params)",
            "matrix product",
            "int8",
        ),
        (
            "void cublasLt::splitKreduce_kernel<32, 16, int, float, float, float, float, false>(float const*)",
            "matrix product, its parts added",
            "float32",
        ),
        (
            "sm80_xmma_fprop_implicit_gemm_f32f32_f32f32_f32_nchwkcrs_nchw_tilesize128x32x8_stage3_ffma",
            "convolution",
            "float32",
        ),
        (
            "sm90_xmma_dgrad_implicit_gemm_f32f32_tf32f32_f32_nhwckrsc_nhwc_tilesize128x128x32_warpgroupsize1x1x1",
            "convolution, input's gradient",
            "tf32",
        ),
        (
            "void wgrad_alg0_engine<float, 128, 5, 5, 3, 3, 3, false, 512>(int, int, int, float const*)",
            "convolution, weight's gradient",
            "float32",
        ),
        (
            "void at::native::(anonymous namespace)::conv_depthwise2d_forward_kernel<3, float, int>(int)",
            "convolution",
            "float32",
        ),
        (
            "void pytorch_flash::flash_fwd_kernel<Flash_fwd_kernel_traits<64, 128, 128, 4, cutlass::bfloat16_t> >",
            "attention",
            "bfloat16",
        ),
        (
            "fmha_cutlassB_f16_aligned_64x64_k64_sm80(PyTorchMemEffAttention::AttentionBackwardKernel::Params)",
            "attention, backward",
            "float16",
        ),
        (
            f"void at::native::elementwise_kernel<128, 2, at::native::gpu_kernel_impl_nocast<{FUNCTOR}>(int)>",
            "elementwise Mul",
            "float32",
        ),
        (
            f"void at::native::vectorized_elementwise_kernel<4, {LAMBDA}::operator()(float), std::array<char*> >",
            "elementwise silu",
            "float32",
        ),
        (
            (
                "void at::native::vectorized_elementwise_kernel<2, at::native::CUDAFunctorOnSelf_add<long>, std::array"
                "<char*, 2ul> >(int, at::native::CUDAFunctorOnSelf_add<long>, std::array<char*, 2ul>)"
            ),
            "elementwise add",
            "int64",
        ),
        (
            (
                "void at::native::reduce_kernel<512, 1, at::native::ReduceOp<float, at::native::MeanOps<float, float>"
                ", unsigned int, float, 4, 4> >(at::native::ReduceOp<float>)"
            ),
            "reduction Mean",
            "float32",
        ),
        (
            (
                f"void {LIST}::multi_tensor_apply_kernel<{LIST}::TensorListMetadata<1>, "
                f"{LIST}::BinaryOpScalarFunctor<float, 1, 1, 0>, std::multiplies<float>, float>(float)"
            ),
            "list multiplies",
            "float32",
        ),
        (
            (
                f"void {LIST}::multi_tensor_apply_kernel<{LIST}::TensorListMetadata<2>, "
                f"{LIST}::UnaryOpFunctor<float, 2, 1, 1>, at::native::Sqrt<float> >(float)"
            ),
            "list Sqrt",
            "float32",
        ),
        (
            "void cudnn::bn_fw_tr_1C11_singleread<float, 512, true, 1, 2, 0>(cudnn::bn_fw_tr_1C11_args<float>)",
            "bn_fw_tr_singleread",
            "float32",
        ),
        ("triton_poi_fused_add_relu_3", "fused add_relu", ""),
        ("Memset (Device)", "fill", ""),
        ("Memcpy DtoD (Device -> Device)", "copy on the device", ""),
    ],
)
def test_name_and_numbers(name: str, plain: str, dtype: str) -> None:
    """What a kernel does and in which numbers stays; what its build chose goes."""
    assert (kernel_name(name), kernel_dtype(name)) == (plain, dtype)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("triton_per_fused__softmax_add_0", "triton_per_fused__softmax_add_17"),
        (
            "void cutlass::Kernel2<cutlass_80_tensorop_s1688gemm_64x64_32x6_tn_align4>(Params)",
            "void cutlass::Kernel2<cutlass_80_tensorop_s1688gemm_128x64_16x10_nn_align1>(Params)",
        ),
        (
            "void softmax_warp_forward<float, float, float, 4, true, false>(float*)",
            "void softmax_warp_forward<float, float, float, 9, true, false>(float*)",
        ),
        ("sm80_some_new_kernel_tilesize64x32x64_v2", "sm90_some_new_kernel_tilesize128x32x64_v3"),
    ],
)
def test_another_build(one: str, other: str) -> None:
    """Tiles, numbers of variants and architectures make no other kernel."""
    assert kernel_name(one) == kernel_name(other)


def test_other_numbers_are_another_kernel() -> None:
    """The same product in other numbers is told apart by their type."""
    names = [
        "ampere_sgemm_128x64_tn",
        "cutlass_80_tensorop_s1688gemm_64x64_16x6_nn_align4",
        "ampere_bf16_s16816gemm_bf16_128x64_tn",
        "ampere_fp16_s16816gemm_fp16_128x64_tn",
        "cutlass_80_tensorop_i16832gemm_s8_256x128_64x3_tn_align16",
        "ampere_dgemm_64x64_tn",
    ]
    dtypes = ["float32", "tf32", "bfloat16", "float16", "int8", "float64"]
    assert [kernel_dtype(name) for name in names] == dtypes
    assert {kernel_name(name) for name in names} == {"matrix product"}
