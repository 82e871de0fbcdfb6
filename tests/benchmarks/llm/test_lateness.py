"""The lateness benchmark: its server is one that the HTTP engine accepts, and its figures are a line."""

import pytest

from benchmarks.llm.lateness import NoEngine, instant_server, measure
from pytest_energy.serving.engines.openai_endpoint import OpenAiEndpoint

pytest.importorskip("aiohttp")


def test_both_engines_are_measured() -> None:
    """Five requests each, all answered with one token; name, rate, three latenesses, two times, cost."""
    with instant_server() as url, OpenAiEndpoint(url) as endpoint:
        for engine in (NoEngine(), endpoint):
            name, rate, *figures = measure(engine, 1000.0, 0.005).split()
            assert (name, rate, len(figures)) == (engine.name, "1000", 6)
            assert all(float(figure) >= 0 for figure in figures)
