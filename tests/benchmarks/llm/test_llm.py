"""The parts of the serving benchmark: tokenizer, prompts, model shapes, and the rows they make."""

import pytest

from benchmarks.profile_sizes import Profile
from benchmarks.profiles import PROFILES

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")
pytest.importorskip("tokenizers")

from benchmarks.llm.models import SIZES, llama  # noqa: E402
from benchmarks.llm.prompts import QUESTIONS, fresh_prompts  # noqa: E402
from benchmarks.llm.tokenizer import VOCABULARY, trained_tokenizer  # noqa: E402

UNITS = {"M": 1e6, "B": 1e9}


@pytest.mark.parametrize("text", [*QUESTIONS, "Größe, 日本, \U0001f50b\n\tif x != 3:"])
def test_the_tokenizer_encodes_any_text_without_loss(text: str) -> None:
    """Byte-level: what is encoded comes back."""
    tokenizer = trained_tokenizer()
    assert tokenizer.get_vocab_size() == VOCABULARY
    assert tokenizer.decode(tokenizer.encode(text).ids) == text


def test_training_the_tokenizer_again_gives_the_same() -> None:
    """Prompts would otherwise differ from run to run."""
    again = trained_tokenizer.__wrapped__()
    assert again.get_vocab() == trained_tokenizer().get_vocab()
    assert again.encode(QUESTIONS[0]).ids == trained_tokenizer().encode(QUESTIONS[0]).ids


@pytest.mark.parametrize("length", [8, 32, 128])
def test_every_prompt_has_the_asked_length_and_known_tokens(length: int) -> None:
    """Equal lengths are equal work."""
    prompts = fresh_prompts(50, length=length, seed="1", round_index=0)
    assert {len(prompt) for prompt in prompts} == {length}
    assert all(0 <= token < VOCABULARY for prompt in prompts for token in prompt)


def test_prompts_are_new_in_every_round_and_repeat_with_the_seed() -> None:
    """A round must not be answered from the cache of the last; a run must be repeatable."""
    first, second = (fresh_prompts(9, length=32, seed="1", round_index=index) for index in (0, 1))
    assert all(prompt not in first for prompt in second)
    assert first == fresh_prompts(9, length=32, seed="1", round_index=0)
    assert first != fresh_prompts(9, length=32, seed="2", round_index=0)


def test_prompts_start_with_the_papers_questions() -> None:
    """The questions take turns; after them comes the passage that makes a prompt new."""
    texts = [trained_tokenizer().decode(ids) for ids in fresh_prompts(6, length=64, seed="1", round_index=0)]
    assert all(text.startswith(QUESTIONS[position % 3]) for position, text in enumerate(texts))


@pytest.mark.parametrize("size", SIZES)
def test_a_size_has_the_parameters_that_its_name_says(size: str) -> None:
    """Within 10 %, so that 1M < 4M < 12M and so on are true statements."""
    model = llama(size, device="meta", position_count=64)
    parameter_count = sum(weight.numel() for weight in model.parameters())
    assert parameter_count == pytest.approx(float(size[:-1]) * UNITS[size[-1]], rel=0.1)


def test_weights_are_the_same_in_every_run_and_leave_the_generator_alone() -> None:
    """Random weights from a seed of their own."""
    torch.manual_seed(5)
    expected_draw = torch.rand(1)
    torch.manual_seed(5)
    one, other = (llama("1M", device="cpu", position_count=64).state_dict() for _ in range(2))
    assert torch.equal(torch.rand(1), expected_draw)
    assert all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("profile", PROFILES.values(), ids=PROFILES)
def test_a_profile_has_rows_enough_for_a_correlation(profile: Profile) -> None:
    """At least three sizes, at least two rates, so at least six rows; each with its own request count."""
    llm = profile.llm
    assert set(llm.model_sizes) <= set(SIZES)
    assert len(set(llm.model_sizes)) >= 3
    assert len(set(llm.rates)) >= 2
    assert list(llm.rates) == sorted(llm.rates)
    assert all(llm.request_count(rate) >= llm.least_requests for rate in llm.rates)


def test_a_round_has_requests_for_its_arrival_time() -> None:
    """Twice the rate brings twice the requests, down to the least."""
    llm = PROFILES["gpu"].llm
    assert llm.request_count(64.0) == round(64.0 * llm.arrival_s)
    assert llm.request_count(0.001) == llm.least_requests
