"""How vLLM is made to start its processes."""

import os

import pytest

from pytest_energy.serving.engines.vllm_library import START_METHOD, spawned_processes


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
