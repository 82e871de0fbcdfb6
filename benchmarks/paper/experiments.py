"""The three experiments of the paper: which tests each runs, and what it prints of their joules."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from tabulate import tabulate

from benchmarks.cnn import best_batch
from benchmarks.profile_sizes import LlmProfile, Profile
from pytest_energy.report import batch, rates
from pytest_energy.report.cells import NET_HEADS, energy_per_sample
from pytest_energy.report.view import View
from pytest_energy.units import to_text

EPOCH_STEPS = 391
"""Batches of 128 in CIFAR-10's 50,000 training images; the last one is full here."""

EPOCH_BATCH = 128

SMALL_MEMORY = 0.02
"""Share of the memory that the last stage of experiment 2 may use: 1.6 GB on a GPU of 80 GB. Batches of 4096
need more, so that a size that does not fit is in the results of any large GPU."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One run of pytest.

    Attributes:
        name: Of its JSON file, without the suffix.
        words: What pytest runs, and its options.
    """

    name: str
    words: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Experiment:
    """One experiment.

    Attributes:
        title: What it shows.
        most_s: Seconds that it is given, loading of models included.
        stages: Of a profile.
        blocks: Tables and sentences of a run, in Markdown.
    """

    title: str
    most_s: float
    stages: Callable[[Profile], tuple[Stage, ...]]
    blocks: Callable[[View], Iterator[str]]


def _epoch_stages(_profile: Profile) -> tuple[Stage, ...]:
    tests = ("benchmarks/cnn/test_training.py", "benchmarks/cnn/test_inference.py")
    size = (f"--steps={EPOCH_STEPS}", f"--batch-size={EPOCH_BATCH}")
    return (Stage(name="epoch", words=(*tests, "-k", "resnet18", *size)),)


def _sweep_stages(profile: Profile) -> tuple[Stage, ...]:
    tests = "benchmarks/cnn/test_batch_size.py"
    stages = (
        Stage(name="sweep-inference", words=(f"{tests}::test_inference_batch_size",)),
        Stage(name="sweep-training", words=(f"{tests}::test_batch_size",)),
    )
    if profile.device != "cuda":  # nothing limits the memory of a processor
        return stages
    limit = ("--batch-sizes=256,1024,4096", f"--memory-share={SMALL_MEMORY:g}")
    words = (f"{tests}::test_inference_batch_size", "-k", "resnet18", *limit)
    return (stages[0], Stage(name="sweep-small-memory", words=words), stages[1])


def _request_stages(profile: Profile) -> tuple[Stage, ...]:
    tests = "benchmarks/llm/test_requests.py::test_requests"
    chosen = f"{_ends(profile.llm)[0]} or {_ends(profile.llm)[1]}"
    return (Stage(name="requests", words=(tests, "-k", chosen)),)


def _ends(llm: LlmProfile) -> tuple[str, str]:
    """The smallest model of the profile, and the largest."""
    return llm.model_sizes[0], llm.model_sizes[-1]


# ---- what is printed ----


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    return tabulate(rows, headers=heads, tablefmt="github", disable_numparse=True)


def _epoch_blocks(run: View) -> Iterator[str]:
    """E_tr and E_in of one epoch, gross beside net."""
    rows = []
    for row in run.rows:
        record, name = row.record, NET_HEADS.get(row.record.group or "")
        if name is None:
            continue
        ends_j = None if row.judgement.summary is None else row.judgement.summary.energy_ci_j
        absent = record.absent.get("energy_j", row.judgement.reason)
        rows.append(
            (
                name,
                record.model or "",
                _joules(record.net_energy_j) or f"- ({record.absent.get('net_energy_j', absent)})",
                _joules(row.energy_j) or f"- ({absent})",
                "-" if ends_j is None else " to ".join(to_text(end_j, "J") for end_j in ends_j),
                "-" if record.duration_s is None else f"{record.duration_s:.3g} s",
                str(record.samples),
                str(record.provenance),
            )
        )
    heads = ("", "model", "net", "gross", "95 % interval", "time", "samples", "joules are")
    yield _table(heads, rows) if rows else "No test of training or inference in this run."


def _joules(energy_j: float | None) -> str | None:
    return None if energy_j is None else to_text(energy_j, "J")


def _sweep_blocks(run: View) -> Iterator[str]:
    """Joules, speed and memory by batch size, and the best size."""
    for sweep in batch.sweeps(run):
        title = best_batch.title_of(sweep)
        if sweep.sizes:
            text = best_batch.to_text(title, sweep.sizes, sweep.lost, form="github")
            title, _, rest = text.partition("\n")
            yield f"**{title}**\n\n{rest}"
        else:
            reasons = "; ".join(f"{size.name}: {size.because}" for size in sweep.lost)
            yield f"**{title}**: no size with joules ({reasons})"


def _request_blocks(run: View) -> Iterator[str]:
    """Joules of a request over the rates, with latencies, and the fit of fixed and dynamic joules."""
    for series in rates.rate_series(run):
        records = {
            rates.rate_of(one.record): one.record
            for one in series.judgements
            if one.record.energy_j is not None
        }
        rows = [
            (
                f"{point.rate:g}",
                energy_per_sample(series.provenance, point.energy_j),
                " to ".join(to_text(end_j, "J") for end_j in point.interval_j),
                *(_seconds(records[point.rate].metrics.get(name)) for name in ("ttft_p99_s", "e2e_p99_s")),
                "" if point.saturated_because is None else "saturated",
            )
            for point in series.points
        ]
        heads = ("requests/s", "J/request", "95 % interval", "TTFT p99", "e2e p99", "")
        fit = rates.fit(series)
        if isinstance(fit, str):
            fitted = f"no fit over the rates: {fit}"
        else:
            fitted = (
                f"{fit.static_power_w:.4g} W shared by the requests, and {fit.dynamic_energy_j:.4g} J each"
            )
        lost = [f"{name}: {because}" for name, because in series.lost]
        yield "\n\n".join([f"**{series.model}**", *([_table(heads, rows)] if rows else []), *lost, fitted])


def _seconds(time_s: float | None) -> str:
    return "-" if time_s is None else to_text(time_s, "s", digits=3)


EXPERIMENTS = {
    "1": Experiment(
        title="Baseline profile: one epoch of ResNet-18, training and inference",
        most_s=120.0,
        stages=_epoch_stages,
        blocks=_epoch_blocks,
    ),
    "2": Experiment(
        title="Batch sweep: inference and training of three networks",
        most_s=480.0,
        stages=_sweep_stages,
        blocks=_sweep_blocks,
    ),
    "3": Experiment(
        title="Request profile: a small and a large language model over request rates",
        most_s=540.0,
        stages=_request_stages,
        blocks=_request_blocks,
    ),
}
