"""Prompts of one length: the paper's questions, each followed by a passage that differs every time.

Requests thus share the start of their prompt with others, as chats do, and a prefix cache has its part of the
work; the rest is new in every round, so that rounds stay equal.
"""

import random
from collections.abc import Sequence

from benchmarks.llm.questions import question_set
from benchmarks.llm.tokenizer import corpus_ids, trained_tokenizer

# Sanchez-Mompo et al. 2025, section 6.2: the prompts it names.
QUESTIONS = (
    "What is the difference between OpenCL and CUDA?",
    "Why did my parent not invite me to their wedding?",
    "Fuji vs. Nikon, which is better?",
)


def fresh_prompts(count: int, *, length: int, seed: str, round_index: int) -> list[list[int]]:
    """Token ids of *count* prompts, each *length* long, different in every round.

    Args:
        count: Prompts; the questions take turns.
        length: Tokens of each.
        seed: Of the passages; another for each test that shares an engine, or its cache knows them already.
        round_index: Round, counted from 0, warm-up included.
    """
    rng = random.Random(f"{seed}/{round_index}")  # noqa: S311 (a reproducible load, no secret)
    return [_prompt(QUESTIONS[position % len(QUESTIONS)], length, rng) for position in range(count)]


def asked_prompts(
    count: int, *, length: int, shared_share: float, seed: str, round_index: int
) -> list[list[int]]:
    """Token ids of *count* prompts: a start that all share, a passage of their own, and a question.

    The start depends on *seed* alone, so a prefix cache answers *shared_share* of each prompt, in whole
    pages, and nothing else: the question comes last.

    Args:
        count: Prompts; the eighty questions take turns.
        length: Tokens of each.
        shared_share: Share of each prompt that all have in common.
        seed: Of the passages; another for each test that shares an engine.
        round_index: Round, counted from 0, warm-up included.
    """
    start = _passage(round(shared_share * length), random.Random(f"{seed}/start"))  # noqa: S311 (reproducible)
    rng = random.Random(f"{seed}/{round_index}")  # noqa: S311 (reproducible)
    questions = question_set().prompts
    return [
        [*start, *_asked(questions[position % len(questions)], length - len(start), rng)]
        for position in range(count)
    ]


def _asked(question: Sequence[int], length: int, rng: random.Random) -> list[int]:
    """A passage that differs every time, and *question*; of a longer question only the end."""
    room = max(length // 2, length - len(question))
    return [*_passage(room, rng), *question[len(question) - (length - room) :]]


def _passage(length: int, rng: random.Random) -> Sequence[int]:
    corpus = corpus_ids()
    start = rng.randrange(len(corpus) - length)
    return corpus[start : start + length]


def _prompt(question: str, length: int, rng: random.Random) -> list[int]:
    ids: list[int] = trained_tokenizer().encode(question).ids
    passage = corpus_ids()
    start = rng.randrange(len(passage) - length)
    return [*ids, *passage[start : start + length]][:length]
