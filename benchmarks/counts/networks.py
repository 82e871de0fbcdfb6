"""Counts of the networks of `benchmarks/cnn`: a training step and a forward pass of each, traced often.

    python benchmarks/counts/networks.py --out counts.json --device cuda --traces 20

For each network and kind of work the JSON has the digest and the features of its counts, and every key
whose counts, inputs, operations or bytes were not the same in all traces, with the least and the most. It is
written anew after each, so that a run which is stopped has what it came to. `--whole` keeps the counts, too.

The optimiser is told to take its parameters together (`foreach`), as it does by itself on a CUDA device, so
that the counts of a CPU are those of the same work.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import torch

if not __package__:  # run as a file: the folder above `benchmarks` isn't on the path
    sys.path.append(str(Path(__file__).resolve().parents[2]))

from benchmarks.cnn.images import synthetic
from benchmarks.cnn.models import ARCHITECTURES, TOKEN_ARCHITECTURES
from benchmarks.cnn.subject import subject
from benchmarks.cnn.tokens import tokens
from benchmarks.cnn.training import Batch, classify, optimiser, train
from benchmarks.profile_sizes import Profile
from benchmarks.profiles import PAPER, PROFILES
from pytest_energy.codec import JsonDict, encode
from pytest_energy.conversion import plain
from pytest_energy.counts import OF_THE_LIBRARY, CountEntry, Counts
from pytest_energy.errors import Absent
from pytest_energy.prediction import features_of
from pytest_energy.tracing.tracer import traced
from pytest_energy.whole_file import write_whole

if TYPE_CHECKING:
    from torch import nn

WORKS = ("training", "inference")
WARM_UP_SAMPLES = 8  # on a CPU, where a whole step may take ten seconds: state of the optimiser is there then
FOLDER = Path(__file__).resolve().parents[2]

Work = Callable[[], object]
Trace = Callable[[Work], Counts | Absent]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is traced, and how often."""

    models: tuple[str, ...]
    device: str
    batch_size: int
    trace_count: int
    keeps_counts: bool = False


def all_models() -> tuple[str, ...]:
    """The networks of every profile, in the order of the profiles."""
    return tuple(dict.fromkeys(name for profile in PROFILES.values() for name in profile.cnn.models))


def profile_of(plan: Plan) -> Profile:
    """What `subject` asks of a profile."""
    return replace(PAPER, device=plan.device, cnn=replace(PAPER.cnn, batch_size=plan.batch_size))


def batch_of(model: str, plan: Plan) -> Batch:
    """The batch of a step, on the plan's device."""
    labelled = (tokens() if model in TOKEN_ARCHITECTURES else synthetic()).to(plan.device)
    return labelled.train[: plan.batch_size], labelled.train_labels[: plan.batch_size]


def work_of(model: str, kind: str, plan: Plan) -> Work:
    """A step of *kind*, warm: what it makes at its first call is there."""
    module, batch = subject(model, profile_of(plan)).module, batch_of(model, plan)
    few = batch if plan.device == "cuda" else (batch[0][:WARM_UP_SAMPLES], batch[1][:WARM_UP_SAMPLES])
    run = _training(module) if kind == "training" else lambda steps: classify(module, steps)
    run([few])
    return lambda: run([batch])


def _training(module: "nn.Module") -> Callable[[Sequence[Batch]], object]:
    optimiser_ = optimiser(module)
    for group in optimiser_.param_groups:
        group["foreach"] = True
    return lambda steps: train(module, steps, optimiser_)


def differing(traces: Sequence[Counts]) -> list[JsonDict]:
    """Each key whose entries are not the same in all *traces*, with the least and the most of each amount."""
    by_key = [{entry.key: entry for entry in counts.entries} for counts in traces]
    keys = list(dict.fromkeys(key for entries in by_key for key in entries))
    return [
        _difference(key, [entries.get(key) for entries in by_key])
        for key in keys
        if len({_compared(entries.get(key)) for entries in by_key}) > 1
    ]


def _compared(entry: CountEntry | None) -> object:
    """What of *entry* is compared: all but the seconds."""
    return None if entry is None else (entry.bounds, entry.flops, entry.size_bytes, entry.inputs)


def _difference(key: tuple[object, str, str], entries: Sequence[CountEntry | None]) -> JsonDict:
    kind, name, dtype = key
    amounts: dict[str, list[float]] = {
        "count": [0 if entry is None else entry.count for entry in entries],
        "flops": [0.0 if entry is None else entry.flops for entry in entries],
        "size_bytes": [0.0 if entry is None else entry.size_bytes for entry in entries],
    }
    document: JsonDict = {"kind": kind, "name": name, "dtype": dtype, "is_library": kind in OF_THE_LIBRARY}
    document |= {what: [min(values), max(values)] for what, values in amounts.items()}
    return document | {"inputs": len({None if entry is None else entry.inputs for entry in entries})}


def entry_of(model: str, kind: str, traces: Sequence[Counts | Absent], *, keeps_counts: bool) -> JsonDict:
    """What the JSON says of one work."""
    counted = [one for one in traces if isinstance(one, Counts)]
    document: JsonDict = {"model": model, "work": kind, "traces": len(traces)}
    document["absent"] = sorted({one.because for one in traces if isinstance(one, Absent)})
    if not counted:
        return document
    features = features_of(counted[0])
    document |= {
        "features": {} if isinstance(features, Absent) else dict(features),
        "digests": sorted({one.digest for one in counted}),
        "is_repeating": all(one.is_repeating for one in counted),
        "differing": differing(counted),
        "trace_s": [round(one.trace_s, 3) for one in counted],
        "settings": dict(counted[0].settings),
        "source": counted[0].source,
    }
    return document | ({"counts": encode(plain(counted[0]))} if keeps_counts else {})


def entries(plan: Plan, trace: Trace) -> Iterator[JsonDict]:
    """Each work of *plan*, as it was traced."""
    for model in plan.models:
        for kind in WORKS:
            work = work_of(model, kind, plan)
            traces = [trace(work) for _ in range(plan.trace_count)]
            yield entry_of(model, kind, traces, keeps_counts=plan.keeps_counts)


def write(path: Path, plan: Plan, works: Sequence[JsonDict]) -> None:
    document = {
        "device": torch.cuda.get_device_name() if plan.device == "cuda" else plan.device,
        "torch": torch.__version__,
        "python": sys.version.split()[0],
        "batch_size": plan.batch_size,
        "works": works,
    }
    write_whole(path, (json.dumps(document, indent=1) + "\n").encode("ascii"))


def _plan_of(arguments: argparse.Namespace) -> Plan:
    return Plan(
        models=tuple(arguments.models.split(",")) if arguments.models else all_models(),
        device=arguments.device,
        batch_size=arguments.batch_size,
        trace_count=arguments.traces,
        keeps_counts=arguments.whole,
    )


def main() -> int:
    """Status 1 where a work could not be traced, or its code's counts differ and nothing says so."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--models", help=f"comma between them; default: all of {', '.join(ARCHITECTURES)}")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--batch-size", type=int, default=PAPER.cnn.batch_size)
    parser.add_argument("--traces", type=int, default=1)
    parser.add_argument("--most-s", type=float, default=0.0, help="seconds for a second look in each trace")
    parser.add_argument("--whole", action="store_true", help="keep the counts themselves, too")
    arguments = parser.parse_args()
    plan, start_s = _plan_of(arguments), time.monotonic()
    works: list[JsonDict] = []
    status = 0
    for work in entries(plan, lambda run: traced(run, folder=FOLDER, most_s=arguments.most_s)):
        works.append(work)
        write(arguments.out, plan, works)
        silent = [one for one in _differing_of(work) if not one["is_library"] and work.get("is_repeating")]
        status = 1 if work["absent"] or silent else status
        print(_line(work, len(silent), time.monotonic() - start_s), flush=True)  # noqa: T201  # a script
    return status


def _line(work: JsonDict, silent_count: int, after_s: float) -> str:
    keys = f"{len(_differing_of(work))} keys differ, {silent_count} of the code"
    return f"{after_s:.0f} s {work['model']} {work['work']}: {keys} {work['absent'] or ''}"


def _differing_of(work: JsonDict) -> list[JsonDict]:
    differences = work.get("differing", [])
    assert isinstance(differences, list)
    return differences


if __name__ == "__main__":
    raise SystemExit(main())
