"""Prompts that are drawn, prompts that are read, and the name of what was sent."""

import statistics
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_energy.errors import SettingsError
from pytest_energy.serving.prompts import drawn_lengths, prompt_file, prompts_digest, random_tokens

lengths = st.one_of(st.integers(1, 50), st.lists(st.integers(1, 50), min_size=5, max_size=5))
shares = st.floats(0, 1)
seeds = st.integers(0, 2**32)


@given(lengths, st.integers(1, 1000), shares, seeds)
def test_prompts_have_the_asked_lengths_and_known_tokens(
    length: int | list[int], vocabulary: int, share: float, seed: int
) -> None:
    """Whatever is shared, no prompt is longer or shorter, and no token is unknown to the model."""
    prompts = random_tokens(5, length, vocabulary=vocabulary, seed=seed, shared_prefix_share=share)
    assert [len(prompt) for prompt in prompts] == ([length] * 5 if isinstance(length, int) else length)
    assert all(0 <= token < vocabulary for prompt in prompts for token in prompt)


@given(lengths, shares, seeds)
def test_prompts_are_decided_by_their_arguments(length: int | list[int], share: float, seed: int) -> None:
    """The same arguments give the same prompts."""
    first, again = (
        random_tokens(5, length, vocabulary=99, seed=seed, shared_prefix_share=share) for _ in range(2)
    )
    assert first == again


def test_the_first_share_of_every_prompt_is_common() -> None:
    """A quarter of 40 tokens, and not one more."""
    prompts = random_tokens(8, 40, vocabulary=50_000, shared_prefix_share=0.25)
    assert len({prompt[:10] for prompt in prompts}) == 1
    assert len({prompt[10] for prompt in prompts}) == 8


def test_prompts_of_different_lengths_share_the_start_of_the_longest() -> None:
    """The shorter one's shared part is the beginning of the longer one's."""
    short, long = random_tokens(2, [20, 40], vocabulary=50_000, shared_prefix_share=0.5)
    assert short[:10] == long[:10]


def test_a_round_has_new_prompts_with_the_old_prefix() -> None:
    """A prefix cache knows the shared part of the round before, and nothing else of it."""
    first, second = (
        random_tokens(4, 20, vocabulary=50_000, seed=3, shared_prefix_share=0.5, round_index=index)
        for index in (0, 1)
    )
    assert {prompt[:10] for prompt in first} == {prompt[:10] for prompt in second}
    assert not {prompt[10:] for prompt in first} & {prompt[10:] for prompt in second}


def test_seeds_bring_other_prompts() -> None:
    """Two tests on one engine must not answer from each other's cache."""
    first, second = (
        random_tokens(1, 20, vocabulary=50_000, seed=s, shared_prefix_share=0.5) for s in ("a", "b")
    )
    assert first[0][:10] != second[0][:10]


@pytest.mark.parametrize(
    ("count", "length", "vocabulary", "share", "message"),
    [
        (0, 4, 9, 0.0, "0 prompts"),
        (2, [4], 9, 0.0, "1 lengths for 2 prompts"),
        (1, 0, 9, 0.0, "a prompt of 0 tokens"),
        (1, 4, 0, 0.0, "a vocabulary of 0 tokens"),
        (1, 4, 9, 1.5, "shared_prefix_share is 1.5"),
        (1, 4, 9, float("nan"), "shared_prefix_share is nan"),
    ],
)
def test_prompts_out_of_range_are_named(
    count: int, length: int | list[int], vocabulary: int, share: float, message: str
) -> None:
    """What has no meaning is refused with the value seen."""
    with pytest.raises(SettingsError, match=message):
        random_tokens(count, length, vocabulary=vocabulary, shared_prefix_share=share)


@given(st.integers(1, 50), st.integers(0, 100), seeds, st.booleans())
def test_drawn_lengths_keep_their_limits(low: int, width: int, seed: int, has_mean: bool) -> None:  # noqa: FBT001
    """Uniform or log-normal, and the same again for the same seed."""
    mean = low + width / 2 if has_mean else None
    drawn = drawn_lengths(20, low=low, high=low + width, mean=mean, seed=seed)
    assert len(drawn) == 20
    assert all(low <= length <= low + width for length in drawn)
    assert drawn == drawn_lengths(20, low=low, high=low + width, mean=mean, seed=seed)


def test_uniform_lengths_reach_both_limits() -> None:
    """Every length from low to high is drawn."""
    assert set(drawn_lengths(500, low=3, high=7)) == {3, 4, 5, 6, 7}


def test_log_normal_lengths_have_the_asked_mean_and_a_long_tail() -> None:
    """Between wide limits; the median of a log-normal distribution lies below its mean."""
    drawn = drawn_lengths(20_000, low=1, high=100_000, mean=200.0, sigma=0.8)
    assert statistics.fmean(drawn) == pytest.approx(200, rel=0.03)
    assert statistics.median(drawn) < 160


@pytest.mark.parametrize(
    ("count", "low", "high", "mean", "sigma"),
    [
        (0, 1, 2, None, 0.5),
        (1, 0, 2, None, 0.5),
        (1, 3, 2, None, 0.5),
        (1, 1, 2, 9.0, 0.5),
        (1, 1, 9, 5.0, 0.0),
        (1, 1, 9, float("nan"), 0.5),
    ],
)
def test_lengths_out_of_range_are_refused(
    count: int, low: int, high: int, mean: float | None, sigma: float
) -> None:
    """With the values seen."""
    with pytest.raises(SettingsError, match=r"lengths|mean"):
        drawn_lengths(count, low=low, high=high, mean=mean, sigma=sigma)


def written(folder: Path, text: str) -> Path:
    path = folder / "prompts.jsonl"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_file_holds_text_or_token_ids(tmp_path: Path) -> None:
    """Text goes through the encoder; empty lines are passed over."""
    path = written(tmp_path, '{"prompt": "ab"}\n\n{"prompt_token_ids": [7, 8, 9]}\n')
    found = prompt_file(path, lambda text: [ord(letter) for letter in text])
    assert found.prompts == ((97, 98), (7, 8, 9))
    assert found.output_tokens is None


def test_a_file_may_say_the_length_of_answers(tmp_path: Path) -> None:
    """Where a line says none, the caller's holds."""
    path = written(tmp_path, '{"prompt_token_ids": [1], "output_tokens": 5}\n{"prompt_token_ids": [2]}\n')
    assert prompt_file(path, output_tokens=9).output_tokens == (5, 9)


def test_lengths_on_some_lines_only_are_refused(tmp_path: Path) -> None:
    """Nobody would know how long the others are."""
    path = written(tmp_path, '{"prompt_token_ids": [1], "output_tokens": 5}\n{"prompt_token_ids": [2]}\n')
    with pytest.raises(SettingsError, match=r"prompts\.jsonl:2 has no output_tokens"):
        prompt_file(path)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{nonsense", "is not JSON: .*, in '{nonsense'; write"),
        (f'{{"prompt_token_ids": [{"9" * 5000}]}}', "is not JSON: Exceeds the limit"),
        ("[" * 100_000, "is nested too deep"),
        ('{"prompt": "a", "prompt": "b"}', "has the key 'prompt' twice"),
        ('{"prompt_token_ids": [NaN]}', r"prompt_token_ids is \[nan\]"),
        ('{"prompt_token_ids": [2147483648]}', r"prompt_token_ids is \[2147483648\]"),
        (
            f'{{"prompt_token_ids": [{"0," * 1_000_000}0]}}',
            "a prompt of 1,000,001 tokens; give at most 1,000,000",
        ),
        (
            '{"prompt": "a", "output_tokens": 1000001}',
            "output_tokens is 1000001; give .* from 1 to 1,000,000",
        ),
        ("[1, 2]", "is not an object"),
        ('"text"', "is not an object"),
        ("{}", "needs one of prompt and prompt_token_ids"),
        ('{"prompt": "a", "prompt_token_ids": [1]}', "needs one of"),
        ('{"prompt": "a", "max_tokens": 3}', "unknown field 'max_tokens'"),
        ('{"prompt": 5}', "prompt is 5; give text"),
        ('{"prompt": ""}', "prompt '' has no tokens"),
        ('{"prompt_token_ids": []}', r"prompt_token_ids is \[\]"),
        ('{"prompt_token_ids": "abc"}', "prompt_token_ids is 'abc'"),
        ('{"prompt_token_ids": [1, -2]}', r"prompt_token_ids is \[1, -2\]"),
        ('{"prompt_token_ids": [1, true]}', r"prompt_token_ids is \[1, True\]"),
        ('{"prompt_token_ids": [1.5]}', r"prompt_token_ids is \[1.5\]"),
        ('{"prompt": "a", "output_tokens": 0}', "output_tokens is 0"),
        ('{"prompt": "a", "output_tokens": "9"}', "output_tokens is '9'"),
    ],
)
def test_a_bad_line_is_named_with_its_value(tmp_path: Path, line: str, message: str) -> None:
    """File, line and value: what is needed to correct it."""
    path = written(tmp_path, f'{{"prompt": "fine"}}\n{line}\n')
    with pytest.raises(SettingsError, match=message) as caught:
        prompt_file(path, lambda text: [ord(letter) for letter in text])
    assert str(caught.value).startswith(f"{path}:2")


def test_a_long_value_is_cut_in_the_message(tmp_path: Path) -> None:
    """A prompt of a megabyte does not fill the screen."""
    path = written(tmp_path, f'{{"prompt": {list(range(100_000))}}}\n')
    with pytest.raises(SettingsError, match="give text") as caught:
        prompt_file(path)
    assert len(str(caught.value)) < 300


def test_text_needs_an_encoder(tmp_path: Path) -> None:
    """Which tokens a text is, only a tokenizer knows."""
    with pytest.raises(SettingsError, match=":1: prompt is text; give prompt_file a function"):
        prompt_file(written(tmp_path, '{"prompt": "a"}\n'))


def test_a_file_without_prompts_is_refused(tmp_path: Path) -> None:
    """Also one that is not there, or is no text."""
    with pytest.raises(SettingsError, match="holds no prompts"):
        prompt_file(written(tmp_path, "\n\n"))
    with pytest.raises(SettingsError, match="can't be read"):
        prompt_file(tmp_path / "absent.jsonl")
    (tmp_path / "bytes.jsonl").write_bytes(b"\xff\xfe")
    with pytest.raises(SettingsError, match="can't be read"):
        prompt_file(tmp_path / "bytes.jsonl")


def test_equal_prompts_have_one_name() -> None:
    """Whatever sequences hold them; 12 hex digits."""
    name = prompts_digest([(1, 2), [3]])
    assert name == prompts_digest([[1, 2], (3,)])
    assert len(name) == 12
    assert int(name, 16) >= 0


@pytest.mark.parametrize("other", [[[1], [2, 3]], [[3], [1, 2]], [[1, 2]], [[1, 2], [3], [4]], [[12], [3]]])
def test_other_prompts_have_another_name(other: list[list[int]]) -> None:
    """Other ids, another order, other lengths, one more or less."""
    assert prompts_digest(other) != prompts_digest([[1, 2], [3]])
