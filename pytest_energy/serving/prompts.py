"""Prompts as token ids: drawn, or read from a file; and a name for what was sent.

Rule 1: equal arguments give equal prompts; nothing else is looked at.
Rule 2: a line of a file that can't be used is an error that names the line and the value seen.
"""

import hashlib
import math
import os
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeGuard

from pytest_energy.codec import brief, parse
from pytest_energy.errors import FormatError, SettingsError
from pytest_energy.whole_file import read_whole

MOST_BYTES = 64_000_000  # of a file of prompts: a million of ten words
MOST_TOKENS = 1_000_000  # of a prompt, and of its answer: no model has a longer context by far
MOST_ID = 2**31 - 1  # engines keep a token's id in 32 bits
DIGEST_LENGTH = 12  # hex digits: two of a million loads have the same with a chance of 1 in 500


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptSet:
    """Prompts and the lengths of their answers, as `serve` takes them.

    Attributes:
        prompts: Token ids.
        output_tokens: Length of each answer, or `None` if nothing gives it.
    """

    prompts: tuple[tuple[int, ...], ...]
    output_tokens: tuple[int, ...] | None


def random_tokens(
    count: int,
    length: int | Sequence[int],
    *,
    vocabulary: int,
    seed: int | str = 0,
    shared_prefix_share: float = 0.0,
    round_index: int = 0,
) -> tuple[tuple[int, ...], ...]:
    """*count* prompts of random tokens that begin with the same ones.

    The beginning depends on *seed* alone, so a prefix cache knows it after one prompt, in later rounds too;
    the rest is new in every round. So *shared_prefix_share* is about the share of the prompts that a prefix
    cache answers, rounded down to its whole pages.

    Args:
        count: Prompts.
        length: Tokens of every prompt, or one number for each.
        vocabulary: Tokens that the model knows; ids are below it.
        seed: Seed of the tokens.
        shared_prefix_share: Share of each prompt that all have in common.
        round_index: Round, counted from 0, warm-up included.

    Raises:
        SettingsError: An argument is outside its range.

    >>> random_tokens(2, 3, vocabulary=1)
    ((0, 0, 0), (0, 0, 0))
    """
    lengths = (length,) * count if isinstance(length, int) else tuple(length)
    if count < 1 or len(lengths) != count:
        raise SettingsError(
            f"{len(lengths)} lengths for {count} prompts; give one for each of at least 1 prompt"
        )
    if min(lengths) < 1:
        raise SettingsError(f"a prompt of {min(lengths)} tokens; it needs at least 1")
    if vocabulary < 1:
        raise SettingsError(f"a vocabulary of {vocabulary} tokens; it needs at least 1")
    if not 0 <= shared_prefix_share <= 1:
        raise SettingsError(f"shared_prefix_share is {shared_prefix_share}; it must be a share from 0 to 1")
    known = range(vocabulary)
    prefix = _generator(f"{seed}/prefix").choices(known, k=round(shared_prefix_share * max(lengths)))
    rest = _generator(f"{seed}/{round_index}")
    return tuple(
        (*prefix[:shared], *rest.choices(known, k=tokens - shared))
        for tokens in lengths
        for shared in (round(shared_prefix_share * tokens),)
    )


def drawn_lengths(
    count: int, *, low: int, high: int, mean: float | None = None, sigma: float = 0.5, seed: int | str = 0
) -> tuple[int, ...]:
    """*count* lengths from *low* to *high*: uniform, or log-normal where *mean* is given.

    Args:
        count: Lengths.
        low: Least, at least 1.
        high: Largest.
        mean: Mean of the log-normal distribution, before its tails are moved to the limits.
        sigma: Standard deviation of the logarithm.
        seed: Seed of the lengths.

    Raises:
        SettingsError: An argument is outside its range.

    >>> drawn_lengths(3, low=8, high=8)
    (8, 8, 8)
    """
    if count < 1:
        raise SettingsError(f"{count} lengths requested; request at least 1")
    if not 1 <= low <= high:
        raise SettingsError(f"lengths from {low} to {high}; give 1 <= low <= high")
    rng = _generator(f"{seed}/lengths")
    if mean is None:
        return tuple(rng.randint(low, high) for _ in range(count))
    if not low <= mean <= high or not 0 < sigma < math.inf:
        raise SettingsError(f"mean {mean} and sigma {sigma}; give low <= mean <= high and a sigma above 0")
    median_log = math.log(mean) - sigma**2 / 2  # of a log-normal distribution with this mean
    drawn = (rng.lognormvariate(median_log, sigma) for _ in range(count))
    return tuple(min(high, max(low, round(min(length, high)))) for length in drawn)


def prompt_file(
    path: str | os.PathLike[str],
    encode: Callable[[str], Sequence[int]] | None = None,
    *,
    output_tokens: int | None = None,
) -> PromptSet:
    """Prompts of a JSONL file: each line `{"prompt": "text"}` or `{"prompt_token_ids": [1, 2]}`.

    A line may say the length of its answer, `"output_tokens": 64`. Empty lines are passed over.

    Args:
        path: The file, in UTF-8.
        encode: Text to token ids, for lines with text.
        output_tokens: Length of the answers whose line says none.

    Raises:
        SettingsError: The file or one of its lines can't be used, or some lines say a length and others,
            without *output_tokens*, have none.
    """
    entries = [_entry(where, fields, encode) for where, fields in _lines(Path(path))]
    if not entries:
        raise SettingsError(f"{path} holds no prompts; give a line for each, {_SHAPE}")
    lengths = [output_tokens if length is None else length for _, _, length in entries]
    known = tuple(length for length in lengths if length is not None)
    if known and len(known) < len(entries):
        where = next(where for where, _, length in entries if length is None)
        raise SettingsError(
            f"{where} has no output_tokens, but other lines have; add it, or give output_tokens="
        )
    return PromptSet(prompts=tuple(prompt for _, prompt, _ in entries), output_tokens=known or None)


def prompts_digest(prompts: Sequence[Sequence[int]]) -> str:
    """Name of the work that *prompts* are: equal for equal token ids in equal order.

    >>> prompts_digest([[1, 2], [3]]) == prompts_digest([[1], [2, 3]])
    False
    """
    digest = hashlib.sha256()
    for prompt in prompts:
        digest.update(f"{len(prompt)}:{','.join(map(str, prompt))};".encode())
    return digest.hexdigest()[:DIGEST_LENGTH]


_SHAPE = '{"prompt": "text"} or {"prompt_token_ids": [1, 2]}'
_FIELDS = {"prompt", "prompt_token_ids", "output_tokens"}


def _generator(seed: str) -> random.Random:
    return random.Random(seed)  # noqa: S311 (a reproducible load, no secret)


def _lines(path: Path) -> Iterator[tuple[str, dict[str, object]]]:
    """Each line that is not empty: where it is, and the object that it holds."""
    try:
        text = read_whole(path, MOST_BYTES).decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"the prompt file {path} can't be read: {error}") from error
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        where = f"{path}:{number}"
        try:
            fields = parse(line, where)
        except FormatError as error:
            raise SettingsError(f"{error}, in {brief(line)}; write {_SHAPE}") from error
        if not isinstance(fields, dict):
            raise SettingsError(f"{where}: {brief(line)} is not an object; write {_SHAPE}")
        yield where, fields


def _entry(
    where: str, fields: dict[str, object], encode: Callable[[str], Sequence[int]] | None
) -> tuple[str, tuple[int, ...], int | None]:
    unknown = sorted(fields.keys() - _FIELDS)
    if unknown:
        raise SettingsError(f"{where}: unknown field {unknown[0]!r}; known are {', '.join(sorted(_FIELDS))}")
    if ("prompt" in fields) == ("prompt_token_ids" in fields):
        raise SettingsError(
            f"{where}: {brief(fields)} needs one of prompt and prompt_token_ids; write {_SHAPE}"
        )
    length = fields.get("output_tokens")
    if length is not None and not _is_count(length, 1, MOST_TOKENS):
        raise SettingsError(
            f"{where}: output_tokens is {brief(length)}; give a whole number from 1 to {MOST_TOKENS:,}"
        )
    prompt = _prompt(where, fields, encode)
    if len(prompt) > MOST_TOKENS:
        raise SettingsError(f"{where}: a prompt of {len(prompt):,} tokens; give at most {MOST_TOKENS:,}")
    return where, prompt, length


def _prompt(
    where: str, fields: dict[str, object], encode: Callable[[str], Sequence[int]] | None
) -> tuple[int, ...]:
    if "prompt" not in fields:
        ids = fields["prompt_token_ids"]
        if not isinstance(ids, list) or not ids or not all(_is_count(token, 0, MOST_ID) for token in ids):
            raise SettingsError(
                f"{where}: prompt_token_ids is {brief(ids)}; give a list of token ids, at least 1"
            )
        return tuple(ids)
    text = fields["prompt"]
    if not isinstance(text, str):
        raise SettingsError(f"{where}: prompt is {brief(text)}; give text")
    if encode is None:
        raise SettingsError(f"{where}: prompt is text; give prompt_file a function from text to token ids")
    encoded = tuple(encode(text))
    if not encoded:
        raise SettingsError(f"{where}: prompt {brief(text)} has no tokens; a prompt holds at least 1")
    return encoded


def _is_count(value: object, least: int, most: int) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most
