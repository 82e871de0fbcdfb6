"""A user's tests, with every annotation that `mypy --strict` asks for."""

import sys
from typing import assert_type

from pytest_energy import Energy, Engine, LayerEnergy, LoadResult, Reading, Slo, Window, random_tokens
from pytest_energy.command import CommandResult


def repeated(word: str, *, times: int) -> str:
    return word * times


def test_measure(energy: Energy) -> None:
    """What the function returns keeps its type."""
    text = energy.measure(repeated, "joule", samples=3, times=3)
    assert_type(text, str)
    energy.record(accuracy=0.9, length=len(text), loss=None)


def test_window(energy: Energy) -> None:
    """A window has a reading once its block has ended."""
    with energy.window("load", samples=4) as window:
        repeated("joule", times=4)
    assert_type(window, Window)
    assert_type(window.reading, Reading | None)


def test_requests(energy: Energy, engine: Engine) -> None:
    """Prompts may be token ids, or a function from the round to them."""
    answers = energy.requests(engine, [(1, 2, 3)], rate=2.0, output_tokens=8, slo=Slo(ttft_s=0.5))
    assert_type(answers, LoadResult)
    assert_type(answers.ttft.p50_s, float)
    energy.requests(
        engine,
        lambda round_index: random_tokens(4, 16, vocabulary=100, round_index=round_index),
        rate=2.0,
        output_tokens=[8, 8, 8, 8],
    )


def test_model(energy: Energy, module: object) -> None:
    """Any object is taken, so that a test need not import torch's types."""
    energy.model(module, (1, 2))
    energy.model(module, (1, 2), name="xl")
    assert_type(energy.layers(module, {"x": 1}, samples=2), LayerEnergy)


def test_command(energy: Energy) -> None:
    """Arguments as `subprocess` takes them."""
    result = energy.command([sys.executable, "train.py"], samples=100, timeout_s=60.0, env={"SEED": "1"})
    assert_type(result, CommandResult)


def test_mistakes_are_seen(energy: Energy) -> None:
    """Were anything of these `Any`, the comments would be needless, and mypy would say so."""
    number: int = energy.measure(repeated, "joule", times=3)  # type: ignore[assignment]
    energy.record(accuracy=str(number))  # type: ignore[arg-type]
    energy.window(3)  # type: ignore[arg-type]
