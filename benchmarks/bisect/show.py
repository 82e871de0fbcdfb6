"""Whether `pytest-energy bisect` finds the planted one of 12 commits, by joules or by counts.

    python -m benchmarks.bisect.show OUT --device cuda|cpu

Builds a repository whose 13 commits hold a small CNN: the good one, and 12 after it, of which one runs a
fifth block in place of four, 25 % more work. Each of the others changes something that costs nothing. On a
GPU joules are compared, on a CPU counts.

Rule 1: the commit is found by its hash, in at most 5 steps, with the check of the last commit.
Rule 2: nothing is left in the repository: no worktree, no change of its state.

Writes OUT/bisect.json, OUT/bisect.md and OUT/summary.json. Exit status: 0, or 1 where a rule is broken.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from importlib.metadata import entry_points
from pathlib import Path

ROOT = Path(__file__).parents[2]
COMMIT_COUNT, PLANTED, MOST_STEPS = 12, 8, 5
PLUGIN = "pytest_energy.plugin"

MODEL = '''"""A small CNN."""

import torch
from torch import nn

WIDTH = {width}
BLOCK_COUNT = {block_count}


class Network(nn.Module):
    """Blocks of equal cost between a stem and a head.{comment}"""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, WIDTH, 3, stride=2, padding=1)
        self.blocks = nn.ModuleList(nn.Conv2d(WIDTH, WIDTH, 3, padding=1) for _ in range(4))
        self.head = nn.Linear(WIDTH, 10)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        features = self.stem(images)
        for number in range(BLOCK_COUNT):
            features = torch.relu(self.blocks[number % 4](features))
        return self.head(features.mean(dim=(2, 3)))
'''
TEST = '''"""One forward pass of the network."""

import pytest
import torch
from model import Network


@pytest.mark.energy
def test_forward(energy):
    torch.manual_seed(0)
    device = torch.device("{device}")
    network = Network().to(device).eval()
    images = torch.randn({batch}, 3, {side}, {side}, device=device)

    def forward():
        with torch.inference_mode():
            result = network(images)
        if device.type == "cuda":
            torch.cuda.synchronize()
        return result

    energy.measure(forward, samples={batch})
'''
SIZES = {
    "cuda": {"width": 128, "batch": 256, "side": 96},
    "cpu": {"width": 16, "batch": 4, "side": 32},
}
SUBJECTS = (
    "Describe the project",
    "Name the authors",
    "Explain the network in its docstring",
    "Add labels of the classes",
    "Keep caches out of git",
    "Add a script that prints the labels",
    "Say how to run the tests",
    "Refine the features once more",
    "Sort the labels",
    "Explain the head",
    "Thank the reviewers",
    "Note the version",
)


def main(folder: Path, device: str) -> int:
    """Build the repository, bisect it, and write what came of it."""
    folder.mkdir(parents=True, exist_ok=True)
    repository = folder.resolve() / f"repository-{time.time_ns()}"
    names = built(repository, device)
    before = state(repository)
    started_s = time.monotonic()
    status = bisected(repository, folder.resolve(), device)
    summary = {"device": device, "status": status, "seconds": round(time.monotonic() - started_s, 1)}
    found = json.loads((folder / "bisect.json").read_text(encoding="utf-8"))
    faults = list(faults_of(found, names[PLANTED]))
    if state(repository) != before:
        faults.append("the repository has changed")
    summary |= {"steps": len(found["steps"]), "planted": names[PLANTED], "faults": faults}
    (folder / "summary.json").write_text(json.dumps(summary, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(summary, indent=2))  # noqa: T201
    return int(bool(faults or status))


def built(root: Path, device: str) -> list[str]:
    """A repository at *root*; the names of its commits, the good one first."""
    root.mkdir(parents=True)
    git(root, "init", "-q", "-b", "main")
    sizes = SIZES[device]
    (root / "test_model.py").write_text(TEST.format(device=device, **sizes), encoding="utf-8")
    names = []
    for number, subject in enumerate(("A small CNN and its test", *SUBJECTS)):
        comment = "\n\n    The head averages over all places." if number >= 10 else ""
        block_count = 5 if number >= PLANTED else 4
        text = MODEL.format(width=sizes["width"], block_count=block_count, comment=comment)
        (root / "model.py").write_text(text, encoding="utf-8")
        (root / "NOTES").write_text(f"{number}: {subject}\n", encoding="utf-8")
        git(root, "add", "-A")
        git(root, "commit", "-q", "-m", subject)
        names.append(git(root, "rev-parse", "HEAD"))
    return names


def bisected(root: Path, folder: Path, device: str) -> int:
    """Run the command in the repository *root*; its exit status."""
    rule = ["--basis=counts"] if device == "cpu" else ["--max-time=10"]
    words = ["bisect", f"HEAD~{COMMIT_COUNT}", "HEAD", *rule]
    words += [f"--out={folder / name}" for name in ("bisect.json", "bisect.md")]
    python_path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    command = [sys.executable, "-m", "pytest_energy", *words, "--", "-p", "no:cacheprovider"]
    environ = os.environ | {"PYTHONPATH": python_path, **plugin_variables()}
    return subprocess.run(command, cwd=root, env=environ, check=False).returncode  # noqa: S603  # our own words


def plugin_variables() -> dict[str, str]:
    """What makes pytest load the plugin where it is on the path and not installed."""
    is_installed = any(one.value == PLUGIN for one in entry_points(group="pytest11"))
    named = [name for name in os.environ.get("PYTEST_PLUGINS", "").split(",") if name]
    return {} if is_installed or PLUGIN in named else {"PYTEST_PLUGINS": ",".join([*named, PLUGIN])}


def faults_of(found: Mapping[str, object], planted: str) -> list[str]:
    """How *found* breaks rule 1."""
    culprit, steps = found["culprit"], found["steps"]
    name = culprit["commit"]["commit"] if isinstance(culprit, dict) else None
    faults = [] if name == planted else [f"found {name}, planted {planted}"]
    if isinstance(steps, list) and len(steps) > MOST_STEPS:
        faults.append(f"{len(steps)} steps, more than {MOST_STEPS}")
    return faults


def state(root: Path) -> tuple[str, ...]:
    """All of a repository that a bisection might change."""
    words = (("worktree", "list"), ("status", "--porcelain"), ("for-each-ref",), ("rev-parse", "HEAD"))
    return tuple(git(root, *line) for line in words)


def git(root: Path, *words: str) -> str:
    """What git says to *words*."""
    identity = ["-c", "user.name=n", "-c", "user.email=n@example.org", "-c", "commit.gpgsign=false"]
    command = ["git", *identity, *words]
    return subprocess.run(command, cwd=root, capture_output=True, text=True, check=True).stdout.strip()  # noqa: S603  # our own words


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("out", type=Path)
    parser.add_argument("--device", choices=tuple(SIZES), required=True)
    options = parser.parse_args()
    sys.exit(main(options.out, options.device))
