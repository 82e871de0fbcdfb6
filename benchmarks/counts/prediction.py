"""How well joules are predicted from counts: each network predicted by the others, which it is not among.

    python benchmarks/counts/prediction.py docs/results/h100-cnn.json counts.json --out prediction.json

The first file is a run of `benchmarks/cnn` with the profile `paper` on the card, the second is of
`networks.py`. For each network the calibration is made of all others, its interval from leaving out each of
those in turn: neither costs nor interval know the network. Training and inference of a network are left out
together. With `--unseen RUN.json ...`, runs with the profile `gpu`, networks that the first file doesn't have
are predicted from all that it has. With `--baselines DIR` the calibration of all is kept there. Printed are
tables in Markdown.
"""

import argparse
import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

from tabulate import tabulate

if not __package__:  # run as a file: the folder above `benchmarks` isn't on the path
    sys.path.append(str(Path(__file__).resolve().parents[2]))

from benchmarks.profile_sizes import CnnProfile
from benchmarks.profiles import GPU, PAPER
from pytest_energy.baselines.store import Store
from pytest_energy.cli.files import read_run
from pytest_energy.codec import JsonDict
from pytest_energy.documents import now_text
from pytest_energy.errors import Absent
from pytest_energy.model import Prediction, Record
from pytest_energy.prediction import Observation, calibrated
from pytest_energy.prediction.calibration_file import write
from pytest_energy.prediction.features import Features
from pytest_energy.prediction.observations import ready_power_of
from pytest_energy.whole_file import write_whole

WORKS = ("training", "inference")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One network's step, as it was measured and as the others predict it.

    Attributes:
        low_j: Of the interval.
        high_j: Of the interval.
        absent: Why nothing was predicted, or empty; then joules are 0 and count in no summary.
        note: Why the interval is wider, or empty.
    """

    model: str
    work: str
    measured_j: float
    predicted_j: float = 0.0
    low_j: float = 0.0
    high_j: float = 0.0
    absent: str = ""
    note: str = ""

    @property
    def error_share(self) -> float:
        return self.predicted_j / self.measured_j - 1

    @property
    def is_inside(self) -> bool:
        return self.low_j <= self.measured_j <= self.high_j


def features_by_work(path: Path) -> dict[tuple[str, str], Features]:
    """Features of a step, by network and kind of work."""
    works = json.loads(path.read_text(encoding="utf-8"))["works"]
    return {(one["model"], one["work"]): one["features"] for one in works if one.get("features")}


def observations(
    records: Iterable[Record], features: Mapping[tuple[str, str], Features], size: CnnProfile = PAPER.cnn
) -> Iterator[Observation]:
    """A step of each training and inference test of *records*, whose rounds are as *size* says."""
    for record in records:
        model, work = record.model or "", record.group or ""
        ready_power_w = ready_power_of(record)
        if work not in WORKS or record.energy_j is None or record.duration_s is None or ready_power_w is None:
            continue
        steps = size.train_steps_of(model) if work == "training" else size.inference_steps_of(model)
        yield Observation(
            test_id=f"{work} {model}",
            group=model,
            features=features[model, work],
            energy_j=record.energy_j / steps,
            duration_s=record.duration_s / steps,
            ready_power_w=ready_power_w,
        )


def rows(all_of_them: Sequence[Observation]) -> Iterator[Row]:
    """Each observation as the other networks predict it."""
    for group in dict.fromkeys(one.group for one in all_of_them):
        others = [one for one in all_of_them if one.group != group]
        calibration = calibrated(others, machine_key="card", created="")
        for one in all_of_them:
            if one.group == group:
                yield _row(one, calibration.predict(one.features))


def unseen_rows(known: Sequence[Observation], others: Iterable[Observation]) -> list[Row]:
    """Those of *others* whose networks are not among *known*, as these predict them."""
    calibration = calibrated(known, machine_key="card", created="")
    groups = {one.group for one in known}
    return [_row(one, calibration.predict(one.features)) for one in others if one.group not in groups]


def _row(one: Observation, prediction: Prediction | Absent) -> Row:
    work, model = one.test_id.split()
    if isinstance(prediction, Absent):
        return Row(model=model, work=work, measured_j=one.energy_j, absent=prediction.because)
    low_j, high_j = prediction.interval_j
    return Row(
        model=model,
        work=work,
        measured_j=one.energy_j,
        predicted_j=prediction.energy_j,
        low_j=low_j,
        high_j=high_j,
        note=prediction.note,
    )


def summary(of: Sequence[Row]) -> JsonDict:
    """Errors and coverage of those that were predicted."""
    predicted = [one for one in of if not one.absent]
    errors = sorted(abs(one.error_share) for one in predicted)
    return {
        "tests": len(of),
        "predicted": len(predicted),
        "median_error_share": median(errors),
        "mean_error_share": sum(errors) / len(errors),
        "largest_error_share": errors[-1],
        "inside_count": sum(one.is_inside for one in predicted),
        "inside_share": sum(one.is_inside for one in predicted) / len(predicted),
        "interval_factor": median(one.high_j / one.predicted_j for one in predicted),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("counts", type=Path)
    parser.add_argument("--unseen", type=Path, nargs="*", default=[], metavar="RUN.json")
    parser.add_argument("--baselines", type=Path, metavar="DIR")
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    features = features_by_work(arguments.counts)
    seen = list(observations(_records([arguments.run]), features))
    unseen = unseen_rows(seen, observations(_records(arguments.unseen), features, GPU.cnn))
    results = list(rows(seen))
    if arguments.baselines is not None:
        _keep(arguments.run, seen, Store(arguments.baselines))
    summaries = {work: summary([one for one in results if one.work == work]) for work in WORKS}
    summaries["together"] = summary(results)
    if unseen:
        summaries["unseen, other boards"] = summary(unseen)
    document = {
        "summary": summaries,
        "rows": [asdict(one) | {"error_share": one.error_share} for one in (*results, *unseen)],
        "costs_of_all": asdict(calibrated(seen, machine_key="card", created="").costs),
        "features_of_a_step": {one.test_id: dict(one.features) for one in seen},
    }
    if arguments.out is not None:
        write_whole(arguments.out, (json.dumps(document, indent=1) + "\n").encode("ascii"))
    print(_tables((*results, *unseen), summaries))  # noqa: T201  # a script


def _keep(run: Path, seen: Sequence[Observation], store: Store) -> None:
    record = read_run(run).judgements[0].record
    machine = record.machine
    write(store, calibrated(seen, machine_key=machine.key, created=now_text(), facts=machine.varying))


def _records(paths: Iterable[Path]) -> list[Record]:
    return [one.record for path in paths for one in read_run(path).judgements]


def _tables(results: Sequence[Row], summaries: Mapping[str, JsonDict]) -> str:
    cells = [
        (one.work, one.model, one.measured_j, one.predicted_j, 100 * one.error_share, one.low_j, one.high_j)
        for one in results
    ]
    heads = ("work", "network", "measured J a step", "predicted", "error %", "least", "most")
    names = list(summaries["together"])
    lines = [[work, *(one[name] for name in names)] for work, one in summaries.items()]
    return "\n\n".join(
        (
            tabulate(cells, heads, tablefmt="github", floatfmt=".3g"),
            tabulate(lines, ["", *names], tablefmt="github", floatfmt=".3g"),
        )
    )


if __name__ == "__main__":
    main()
