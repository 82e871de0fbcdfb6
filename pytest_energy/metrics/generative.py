"""The seven metrics of generative models behind a server, and two of its phases, one function a formula.

Rule 1: a function is called what the paper calls its metric; the unit is in its first line.
Rule 2: an input that is missing or has no meaning, such as no answered request, raises `NotMeasurable`.
Rule 3: token counts are the server's; a client that counts answers itself is a few percent off.

Source:
    Sanchez-Mompo, Mavromatis, Li, Katsaros, Khan: Green MLOps to Green GenOps: An Empirical Study of Energy
    Consumption in Discriminative and Generative AI Operations. Information 2025, 16(4), 281.
"""

from pytest_energy.errors import NotMeasurable
from pytest_energy.metrics.evaluation import finite, positive

FLOPS_PER_MAC = 2  # one multiplication and one addition


def energy_per_sample(energy_j: float, request_count: int) -> float:
    """Mean energy of one answered request of a load, idle share included, in joules.

    Source:
        Sanchez-Mompo et al. 2025, section 6.2.2.

    >>> energy_per_sample(1200.0, 48)
    25.0
    """
    return finite(energy_j, "energy of the load in J") / positive(
        request_count, "number of answered requests"
    )


def flops(macs: int) -> float:
    """Floating-point operations of the forward pass of one request, a plain number.

    Source:
        Sanchez-Mompo et al. 2025, section 6.2.2.

    >>> flops(7_000_000_000)
    14000000000.0
    """
    return float(FLOPS_PER_MAC * finite(macs, "MACs of one request"))


def model_size_to_ram(model_size_bytes: float, gpu_memory_total_bytes: float) -> float:
    """Size of the model on the GPU over all memory of the GPU, a plain number.

    Args:
        model_size_bytes: What the weights take on the GPU, after quantisation.
        gpu_memory_total_bytes: Memory that the GPUs have, in use or not; above 0.

    Source:
        Sanchez-Mompo et al. 2025, section 6.2.2.

    >>> model_size_to_ram(8e9, 80e9)
    0.1
    """
    return finite(model_size_bytes, "size of the model in bytes") / positive(
        gpu_memory_total_bytes, "memory of the GPUs in bytes"
    )


def parameters(parameter_count: int) -> float:
    """All parameters of the model, trainable or not, a plain number.

    Source:
        Sanchez-Mompo et al. 2025, section 6.2.2 ("full parameter count").

    >>> parameters(8_030_261_248)
    8030261248.0
    """
    return float(positive(parameter_count, "number of parameters"))


def request_rate(request_count: int, duration_s: float) -> float:
    """Inference requests a second that arrived in the counted part of the load, in 1/s.

    Source:
        Sanchez-Mompo et al. 2025, section 6.2.2.

    >>> request_rate(32, 4.0)
    8.0
    """
    return finite(request_count, "number of requests") / positive(duration_s, "duration of the load in s")


def cache_hit_rate(cached_token_count: int, prompt_token_count: int) -> float:
    """Share of the prompt tokens that the prefix cache answered, of those looked up in it, 0 to 1.

    Source:
        Sanchez-Mompo et al. 2025, section 6.2.2; counted in tokens, as vLLM does.

    >>> cache_hit_rate(96, 128)
    0.75
    """
    if cached_token_count > prompt_token_count:
        raise NotMeasurable(
            f"{cached_token_count} cached tokens of {prompt_token_count} looked up: the two counts are of "
            f"different loads"
        )
    return finite(cached_token_count, "number of cached tokens") / positive(
        prompt_token_count, "number of prompt tokens"
    )


def average_output_token_length(output_token_count: int, request_count: int) -> float:
    """Mean length of an answer, in tokens.

    Source:
        Sanchez-Mompo et al. 2025, section 6.2.2.

    >>> average_output_token_length(4096, 32)
    128.0
    """
    return finite(output_token_count, "number of output tokens") / positive(
        request_count, "number of answered requests"
    )


def energy_per_prefill_token(prefill_energy_j: float, computed_token_count: float) -> float:
    """Joules of prefill for each prompt token that was computed, above power at rest.

    Source:
        This project; docs/decisions/0038-prefill-and-decode.md.

    >>> energy_per_prefill_token(64.0, 1280)
    0.05
    """
    return finite(prefill_energy_j, "energy of prefill in J") / positive(
        computed_token_count, "number of computed prompt tokens"
    )


def energy_per_decode_token(decode_energy_j: float, decoded_token_count: float) -> float:
    """Joules of decode for each output token that followed another one: without power at rest.

    Source:
        This project; docs/decisions/0038-prefill-and-decode.md.

    >>> energy_per_decode_token(50.0, 1000)
    0.05
    """
    return finite(decode_energy_j, "energy of decode in J") / positive(
        decoded_token_count, "number of decoded tokens"
    )
