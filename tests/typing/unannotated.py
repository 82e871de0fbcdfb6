"""A user's tests without annotations, in a project that is strict elsewhere."""
# mypy: allow-untyped-defs, allow-incomplete-defs
# ruff: noqa: ANN001, ANN201

from pytest_energy import Slo


def test_measure(energy):
    text = energy.measure("joule".upper)
    energy.record(length=len(text))


def test_requests(energy, engine) -> None:
    with energy.window("warm"):
        pass
    energy.requests(engine, [(1, 2, 3)], rate=2.0, output_tokens=8, slo=Slo(ttft_s=0.5))
