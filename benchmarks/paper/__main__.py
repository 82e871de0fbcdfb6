"""Experiments 1 to 3 of Sanchez-Mompo et al. 2025, one command each.

    python -m benchmarks.paper 1 OUT      # one epoch of ResNet-18: E_tr and E_in
    python -m benchmarks.paper 2 OUT      # batch sweep of inference and training
    python -m benchmarks.paper 3 OUT      # requests to a small and a large model, over rates
    python -m benchmarks.paper OUT        # print what is in OUT, as Markdown

Each stage writes its JSON into OUT when it ends, or when its time is over: a run that is cut leaves what it
had. Figures are drawn into OUT/figures if matplotlib is installed. Further options are pytest's:
`--bench-profile=quick`, `-k vgg16`.
"""

import argparse
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.paper.experiments import EXPERIMENTS, Experiment, Stage
from benchmarks.profiles import AUTO, PROFILES, fitting
from pytest_energy.cli.files import read_run
from pytest_energy.errors import SettingsError
from pytest_energy.report.catalogue import plans, write

ROOT = Path(__file__).resolve().parents[2]
_END_S = 20.0  # to write the reports


def main(words: Sequence[str] | None = None) -> int:
    """Run an experiment and print its page, or print the page of earlier ones."""
    options = _options(sys.argv[1:] if words is None else words)
    if options.number is None:
        _say(page(options.out))
        return 0
    experiment = EXPERIMENTS[options.number]
    options.out.mkdir(parents=True, exist_ok=True)
    end_s = time.monotonic() + (experiment.most_s if options.most_s is None else options.most_s)
    status = 0
    profile = fitting() if options.bench_profile == AUTO else PROFILES[options.bench_profile]
    for stage in experiment.stages(profile):
        left_s = end_s - time.monotonic()
        if left_s <= _END_S:
            _say(f"{stage.name}: not run, no time is left: --most-s")
            status = 1
            continue
        more = (f"--bench-profile={profile.name}", *options.pytest)
        status = max(status, run_stage(stage, options.out, left_s, more))
    _say("\n".join(["", page(options.out), "", *draw(experiment, options.out)]))
    return status


def _options(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.paper", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("number", nargs="?", choices=[*EXPERIMENTS], help="of the experiment")
    parser.add_argument("out", type=Path, help="folder for the results")
    parser.add_argument("--most-s", type=float, metavar="S", help="seconds for all stages (the experiment's)")
    parser.add_argument("--bench-profile", choices=(AUTO, *PROFILES), default=AUTO, help="as pytest's")
    options, more = parser.parse_known_args(words)
    options.pytest = more
    return options


def run_stage(stage: Stage, out: Path, most_s: float, more: Sequence[str]) -> int:
    """Run *stage* for *most_s* seconds at most; the exit status of pytest."""
    command = [
        *(sys.executable, "-m", "pytest", *stage.words, "-q", "-p", "no:cacheprovider"),
        *(f"--energy-out={(out / stage.name).resolve()}.json", "--energy-baseline=off"),
        *("--energy-yardstick=off", "--energy-trace=off", *more),
    ]
    _say(f"{stage.name}: {' '.join(command[1:])}")
    began_s = time.monotonic()
    suite = subprocess.Popen(command, cwd=ROOT)  # noqa: S603 (our own words)
    try:
        status = suite.wait(most_s - _END_S)
    except subprocess.TimeoutExpired:
        suite.terminate()  # it writes what it has
        try:
            status = suite.wait(_END_S)
        except subprocess.TimeoutExpired:
            suite.kill()
            status = suite.wait()
    _say(f"{stage.name}: {time.monotonic() - began_s:.0f} s, exit status {status}")
    return abs(status)


def page(out: Path) -> str:
    """Markdown of every stage that has a file in *out*."""
    parts = []
    for number, experiment in EXPERIMENTS.items():
        runs = [(stage, path) for stage in stages_of(experiment) if (path := file_of(stage, out)).exists()]
        if runs:
            parts.append(f"## {number}. {experiment.title}")
        for stage, path in runs:
            try:
                blocks = [*experiment.blocks(read_run(path))]
            except SettingsError as error:
                blocks = [str(error)]
            parts += [f"### {stage.name}", *(blocks or ["No test with joules."])]
    return "\n\n".join(parts) or f"no results in {out}: give the number of an experiment first"


def stages_of(experiment: Experiment) -> tuple[Stage, ...]:
    """All of them, as the largest profile has them: their names are those of files in any profile."""
    return experiment.stages(PROFILES["paper"])


def file_of(stage: Stage, out: Path) -> Path:
    return out / f"{stage.name}.json"


def draw(experiment: Experiment, out: Path) -> list[str]:
    """Draw each stage into a folder of its own; the files, and a sentence where that can't be done."""
    lines = []
    for stage in stages_of(experiment):
        if file_of(stage, out).exists():
            try:
                drawn, _ = plans(read_run(file_of(stage, out)))
                lines += [str(one.path) for one in write(drawn, out / "figures" / stage.name)]
            except SettingsError as error:
                lines.append(f"{stage.name}: no figures: {error}")
    return lines


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
