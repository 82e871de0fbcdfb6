"""Whose a frame is, and which one is named."""

import sysconfig
from collections import Counter
from pathlib import Path

import pytest

from pytest_energy.counts import CallPlace
from pytest_energy.tracing.call_places import Places, inner, places_of
from pytest_energy.tracing.events import Site

STDLIB = sysconfig.get_path("stdlib")


@pytest.mark.parametrize(
    ("file", "path", "rank"),
    [
        ("/suite/app/model.py", "app/model.py", 2),
        (
            "/suite/.venv/lib/python3.11/site-packages/torchvision/models/resnet.py",
            "torchvision/models/resnet.py",
            1,
        ),
        ("/usr/lib/python3/dist-packages/transformers/trainer.py", "transformers/trainer.py", 1),
        ("/elsewhere/shared.py", "/elsewhere/shared.py", 1),
    ],
)
def test_files_that_are_named(file: str, path: str, rank: int) -> None:
    """The suite's are the user's by their path in it; another package's by the path from the package on."""
    assert Places(Path("/suite")).site(file, 7, "forward") == Site(path, 7, "forward", rank)


@pytest.mark.parametrize(
    "file",
    [
        "/suite/.venv/lib/python3.11/site-packages/torch/nn/modules/module.py",
        f"{STDLIB}/contextlib.py",
        "<string>",
        "",
        str(Path(__file__).parents[3] / "pytest_energy" / "tracing" / "tracer.py"),
    ],
)
def test_files_that_are_never_named(file: str) -> None:
    """torch, the standard library and this package are nobody's."""
    assert Places(Path("/suite")).site(file, 7, "forward") is None


def test_path_that_the_profiler_has_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A path without its entry of `sys.path` is found again, in the folder first."""
    (tmp_path / "lib").mkdir()
    for folder in (tmp_path, tmp_path / "lib"):
        (folder / "model_of_a_test.py").touch()
    monkeypatch.syspath_prepend(tmp_path / "lib")
    monkeypatch.syspath_prepend(tmp_path)
    site = Places(tmp_path / "lib").site("model_of_a_test.py", 3, "forward")
    assert site == Site("model_of_a_test.py", 3, "forward", 2)


def test_innermost_of_the_users_frames() -> None:
    """A frame of the suite wins over one of another package, however deep; of equals the innermost does."""
    suite, package = Site("model.py", 1, "forward", 2), Site("resnet.py", 2, "forward", 1)
    deeper = Site("block.py", 3, "forward", 2)
    assert inner(None, package) == package
    assert inner(package, suite) == suite
    assert inner(suite, package) == suite
    assert inner(suite, deeper) == deeper
    assert inner(suite, None) == suite


def test_most_frequent_places() -> None:
    """Three places are kept, the most frequent first."""
    sites = Counter({Site("a.py", line, "f", 2): count for line, count in ((1, 2), (2, 9), (3, 1), (4, 5))})
    kept = ((2, 9), (4, 5), (1, 2))
    expected = [CallPlace(file="a.py", line=line, function="f", count=count) for line, count in kept]
    assert list(places_of(sites)) == expected
