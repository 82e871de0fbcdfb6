"""What importing the package's own modules brings along."""

import subprocess
import sys

import pytest

HEAVY = (
    "aiohttp",
    "jinja2",
    "matplotlib",
    "numpy",
    "opentelemetry",
    "pandas",
    "prometheus_client",
    "pynvml",
    "scipy",
    "torch",
    "transformers",
    "vllm",
)

IMPORT_ALL = """
import importlib, pkgutil, sys
import pytest_energy
for module in pkgutil.walk_packages(pytest_energy.__path__, "pytest_energy."):
    if module.name != "pytest_energy.__main__":  # it is a run of the command line
        importlib.import_module(module.name)
print(*sys.modules)
"""


@pytest.fixture(scope="module")
def imported() -> frozenset[str]:
    """The modules of a fresh interpreter that has imported all of the package's own."""
    command = [sys.executable, "-c", IMPORT_ALL]
    run = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603  # ours
    return frozenset(run.stdout.split())


@pytest.mark.parametrize("library", HEAVY)
def test_no_module_imports_a_heavy_library_at_its_head(imported: frozenset[str], library: str) -> None:
    """Each comes when something of it is first used, so that who doesn't use it needn't have it."""
    assert library not in imported


def test_all_rooms_are_looked_at(imported: frozenset[str]) -> None:
    """The engines in this process, which need the heaviest libraries, are among what was imported."""
    engines = ("decoder", "transformers_engine", "vllm_engine", "vllm_worker", "openai_endpoint")
    assert {f"pytest_energy.serving.engines.{engine}" for engine in engines} <= imported
