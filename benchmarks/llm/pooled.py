"""The pooled table: sizes x rates in one, run size by size, with the paper's correlations beside ours.

    python -m benchmarks.llm.pooled run OUT 0.5B 1B 3B 8B [--bench-profile=gpu]
    python -m benchmarks.llm.pooled run OUT 8B --tensor-parallel 2
    python -m benchmarks.llm.pooled OUT [--markdown]

The first runs a model on each card, all at the same time, or one after another where there are fewer cards;
the second a model on two cards. Each row is in OUT as soon as it is measured: a run that is cut leaves what
it had. The third prints all that is in OUT. Further options are pytest's.
"""

import argparse
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.llm.keeper import MOST_S
from benchmarks.llm.pooled_table import table

# What multicasts over NVLink can put the GPUs of a shared host out of service.
NO_MULTICAST = {
    "VLLM_ALLREDUCE_USE_SYMM_MEM": "0",
    "NCCL_NVLS_ENABLE": "0",
    "TORCH_SYMM_MEM_DISABLE_MULTICAST": "1",
}


MARKDOWN = "--markdown"


def measure(options: argparse.Namespace) -> int:
    """Measure each size in a process of its own, as many at once as there are cards for; the worst status."""
    cards, width = visible_cards(), options.tensor_parallel
    lanes = max(1, len(cards) // width)
    statuses = []
    for begin in range(0, len(options.sizes), lanes):
        running = [
            _started(size, lane, lanes, cards[lane * width : (lane + 1) * width], options)
            for lane, size in enumerate(options.sizes[begin : begin + lanes])
        ]
        statuses += [process.wait() for process in running]
    return max(statuses)


def _started(
    size: str, lane: int, lanes: int, cards: Sequence[str], options: argparse.Namespace
) -> subprocess.Popen[bytes]:
    """A process that measures *size* on *cards*; what it says goes to a file."""
    name = size if options.tensor_parallel == 1 else f"{size}-{options.tensor_parallel}gpus"
    place = options.out / name
    command = [
        *(sys.executable, "-m", "pytest", str(Path(__file__).parent / "test_pooled.py")),
        *("-p", "benchmarks.llm.keeper", f"--keep-rows={place}.jsonl", f"--of-size={size}"),
        *(f"--most-s={options.most_s}", "--core-part", str(lane), str(lanes)),
        *(
            "-p",
            "no:cacheprovider",
            "-s",
            "--energy-report",
            "--energy-baseline=off",
            "--energy-yardstick=off",
        ),
        *(f"--energy-out={place}.json", f"--tensor-parallel={options.tensor_parallel}", *options.pytest),
    ]
    visible = {"CUDA_VISIBLE_DEVICES": ",".join(cards)} if cards else {}
    if options.tensor_parallel > 1:
        visible |= NO_MULTICAST
    _say(f"{name}: {'cards ' + ', '.join(cards) if cards else 'no card'}; log: {place}.log")
    with place.with_name(f"{name}.log").open("wb") as log:
        return subprocess.Popen(  # noqa: S603 (written above)
            command, stdout=log, stderr=subprocess.STDOUT, env={**os.environ, **visible}
        )


def visible_cards() -> list[str]:
    """The cards that CUDA shows, by the names that `CUDA_VISIBLE_DEVICES` takes."""
    shown = os.environ.get("CUDA_VISIBLE_DEVICES")
    if shown is not None:
        return [card for card in shown.split(",") if card]
    import torch

    return [str(number) for number in range(torch.cuda.device_count())]


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _options(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.llm.pooled run")
    parser.add_argument("out", type=Path, help="folder for the rows")
    parser.add_argument("sizes", nargs="+", help="sizes of models, such as 0.5B 8B")
    parser.add_argument("--tensor-parallel", type=int, default=1, help="cards that share each layer")
    parser.add_argument(
        "--most-s", type=float, default=MOST_S, help="seconds for each model, loading included"
    )
    options, more = parser.parse_known_args(words)
    options.pytest = more
    return options


def main(words: Sequence[str]) -> int:
    """Measure, or print what was measured."""
    if not words or words[0].startswith("-"):
        _say(str(__doc__))
        return 2
    if words[0] != "run":
        places = [Path(word) for word in words if word != MARKDOWN]
        _say(table(places, form="github" if MARKDOWN in words else "plain"))
        return 0
    options = _options(words[1:])
    options.out.mkdir(parents=True, exist_ok=True)
    status = measure(options)
    _say(table([options.out]))
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
