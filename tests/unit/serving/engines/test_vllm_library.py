"""What a vLLM engine is made with, under vLLM's names, and how vLLM is made to start its processes."""

import os
import sys
from dataclasses import make_dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pytest_energy.errors import SettingsError
from pytest_energy.serving.engines.vllm_library import (
    START_METHOD,
    StepCounts,
    check_model,
    check_ranges,
    merged_arguments,
    spawned_processes,
)

OWN = {"model": "a/name-on-a-hub", "max_num_seqs": 256, "max_model_len": None}


@pytest.fixture
def vllm(monkeypatch: pytest.MonkeyPatch) -> None:
    """vLLM 0.99, as far as its arguments go."""
    arguments = make_dataclass("AsyncEngineArgs", ["max_num_seqs", "kv_cache_dtype"])
    monkeypatch.setitem(sys.modules, "vllm", SimpleNamespace(__version__="0.99"))
    monkeypatch.setitem(sys.modules, "vllm.engine.arg_utils", SimpleNamespace(AsyncEngineArgs=arguments))


def test_a_folder_without_a_configuration_is_refused(tmp_path: Path) -> None:
    """A name on a hub is none."""
    check_model("a/name-on-a-hub")
    with pytest.raises(SettingsError, match="holds no config"):
        check_model(str(tmp_path))
    with pytest.raises(SettingsError, match="is not a folder; give a folder with a config"):
        check_model(str(tmp_path / "nowhere"))


@pytest.mark.parametrize(
    ("arguments", "because"),
    [
        ({"max_batch": 0}, "max_batch is 0; it must be at least 1"),
        ({"max_model_len": -1}, "max_model_len is -1"),
        ({"tensor_parallel_size": 0}, "tensor_parallel_size is 0"),
        ({"gpu_memory_share": 1.5}, "gpu_memory_share is 1.5; it must be above 0 and at most 1"),
    ],
)
def test_arguments_outside_their_range_are_refused(arguments: dict[str, Any], because: str) -> None:
    """With the value and what is right; what is left open is left to vLLM."""
    left_open = {"gpu_memory_share": None, "max_model_len": None, "max_batch": 256, "tensor_parallel_size": 1}
    check_ranges(**left_open)
    with pytest.raises(SettingsError, match=because):
        check_ranges(**{**left_open, **arguments})


@pytest.mark.usefixtures("vllm")
@pytest.mark.parametrize(
    ("extra", "because"),
    [
        ({"max_num_seqs": 2}, "max_num_seqs, which VllmEngine sets itself"),
        ({"max_sequences": 2}, "max_sequences, which vLLM 0.99 does not know"),
    ],
)
def test_extra_arguments_must_be_vllm_s_and_no_second_value(extra: dict[str, Any], because: str) -> None:
    """Neither is passed over in silence."""
    with pytest.raises(SettingsError, match=because):
        merged_arguments(OWN, extra)


@pytest.mark.usefixtures("vllm")
def test_what_is_left_open_is_left_to_vllm() -> None:
    """What is given goes to it, the extra ones too."""
    arguments = merged_arguments(OWN, {"kv_cache_dtype": "fp8"})
    assert arguments == {"model": "a/name-on-a-hub", "max_num_seqs": 256, "kv_cache_dtype": "fp8"}


def test_processes_are_spawned_unless_the_user_says_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    """And the environment is as before."""
    monkeypatch.delenv(START_METHOD, raising=False)
    with spawned_processes():
        assert os.environ[START_METHOD] == "spawn"
    assert START_METHOD not in os.environ
    monkeypatch.setenv(START_METHOD, "fork")
    with spawned_processes():
        assert os.environ[START_METHOD] == "fork"
    assert os.environ[START_METHOD] == "fork"


def statistics(running: int) -> SimpleNamespace:
    """A scheduler's, after a step that leaves so many requests under way."""
    return SimpleNamespace(
        prefix_cache_stats=SimpleNamespace(queries=0, hits=0),
        num_waiting_reqs=0,
        num_skipped_waiting_reqs=0,
        num_running_reqs=running,
    )


def iteration(*, computed: int, written: int, first: int) -> SimpleNamespace:
    return SimpleNamespace(
        prompt_token_stats=SimpleNamespace(computed=computed),
        num_generation_tokens=written,
        time_to_first_tokens_iter=[0.1] * first,
    )


def test_a_step_is_counted_with_its_tokens_and_taken_once() -> None:
    """A step in the middle of a prompt writes nothing, and has the part of the prompt that it computed."""
    counts = StepCounts().of(SimpleNamespace(scheduler_config=SimpleNamespace(max_num_batched_tokens=100)))
    counts.record(statistics(1), None, engine_idx=0)
    counts.record(statistics(1), iteration(computed=150, written=1, first=1), engine_idx=0)
    counts.record(statistics(0), iteration(computed=0, written=1, first=0), engine_idx=0)
    counts.record(None, None, engine_idx=0)
    counts.record(statistics(0), None, engine_idx=0)  # nothing was left to compute
    steps = counts.take_steps()
    tokens = [(one.prompt_tokens, one.output_tokens, one.first_tokens, one.running) for one in steps]
    assert tokens == [(50, 0, 0, 1), (100, 1, 1, 1), (0, 1, 0, 0)]
    assert steps[0].time_s <= steps[1].time_s <= steps[2].time_s
    assert counts.take_steps() == ()
