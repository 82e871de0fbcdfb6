"""Counts of planted bugs and of the same work without, as a run.

`python -m tests.golden.planted.record [DEVICE [FOLDER]]` writes `counts_DEVICE.json`, of `cpu` or of `cuda`.
Of what runs inside operators the heaviest few are kept; the code's counts are whole.
"""

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch

from pytest_energy.counts import OF_THE_LIBRARY, Counts
from pytest_energy.errors import Absent
from pytest_energy.report import to_json, view
from pytest_energy.tracing.tracer import traced
from tests.builders import CREATED, counted, judged
from tests.golden.planted.evaluate import evaluation
from tests.golden.planted.model import Model
from tests.golden.planted.train import epoch, training_step

FOLDER = Path(__file__).parent
_MOST_INNER = 5
_MOST_S = 60.0  # of a trace: a busy machine must not leave the places out


def works(device: str) -> dict[str, Callable[[], object]]:
    """Each work by its name: `layer_norm` without the bug, `layer_norm_planted` with it."""
    torch.manual_seed(1)
    images = torch.rand(256 if device == "cuda" else 2, 3, 224, 224)
    classes = torch.randint(0, 10, (len(images),)).to(device)
    model, extra = (Model(has_extra_norm=planted).to(device) for planted in (False, True))
    resident = images.to(device)
    return {
        "layer_norm": training_step(model, resident, classes),
        "layer_norm_planted": training_step(extra, resident, classes),
        "no_grad": evaluation(model, resident, has_no_grad=True),
        "no_grad_planted": evaluation(model, resident, has_no_grad=False),
        "loader": epoch(model, images, device, copies_each_step=False),
        "loader_planted": epoch(model, images, device, copies_each_step=True),
    }


def counts_of(work: Callable[[], object]) -> Counts:
    """The counts of *work*, warm."""
    work()
    counts = traced(work, folder=FOLDER, most_s=_MOST_S)
    if isinstance(counts, Absent):
        raise SystemExit(str(counts))
    return _kept(counts)


def _kept(counts: Counts) -> Counts:
    """*counts* without most of what runs inside operators, and without what counting cost."""
    inner = [entry for entry in counts.entries if entry.kind in OF_THE_LIBRARY]
    left_out = inner[_MOST_INNER:]
    entries = tuple(entry for entry in counts.entries if entry not in left_out)
    return replace(counts, entries=entries, omitted_count=len(left_out), trace_s=0.0)


def main() -> None:
    device, folder = [*sys.argv[1:], *("cpu", str(FOLDER))[len(sys.argv) - 1 :]]
    tests = [
        judged(
            replace(
                counted(counts_of(work), key=f"counts_{device}"), test_id=f"tests/test_model.py::test_{name}"
            )
        )
        for name, work in works(device).items()
    ]
    text = to_json.render(view.of(tests), created=CREATED)
    (Path(folder) / f"counts_{device}.json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
