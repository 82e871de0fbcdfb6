"""Eighty questions of eight kinds, written for this project, each with a length for its answer."""

from functools import cache
from pathlib import Path

from benchmarks.llm.tokenizer import trained_tokenizer
from pytest_energy.serving.prompts import PromptSet, prompt_file

FOLDER = Path(__file__).parent / "questions"
CATEGORIES = tuple(sorted(path.stem for path in FOLDER.glob("*.jsonl")))


@cache
def questions_of(category: str) -> PromptSet:
    """The ten questions of one category.

    Their lengths of answers are estimates for a model that writes no reasoning down, in tokens.
    """
    return prompt_file(FOLDER / f"{category}.jsonl", lambda text: trained_tokenizer().encode(text).ids)


@cache
def question_set() -> PromptSet:
    """All questions, the categories in turns, so that the first few are of many kinds."""
    sets = [questions_of(category) for category in CATEGORIES]
    return PromptSet(
        prompts=tuple(
            prompt for prompts in zip(*(one.prompts for one in sets), strict=True) for prompt in prompts
        ),
        output_tokens=tuple(
            length
            for lengths in zip(*(one.output_tokens or () for one in sets), strict=True)
            for length in lengths
        ),
    )
