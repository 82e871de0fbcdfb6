"""Runs and baselines with mistakes in them, through judging, every renderer and every command."""

import json
import random
import re
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_energy.baselines.schema import Baseline
from pytest_energy.baselines.store import Store
from pytest_energy.counts import Counts
from pytest_energy.model import Prediction, Record
from pytest_energy.report import to_json, view
from pytest_energy.run_judgement import BaselineMode, RunJudgement
from pytest_energy.verdict.count_history import count_history_of
from pytest_energy.verdict.history import history_of
from pytest_energy.verdict.policy import Policy
from pytest_energy.verdict.session import SessionDecision, Trial, decide_process, of_one_session
from pytest_energy.verdict.words import in_words
from pytest_energy.yardstick import Yardstick, load_id
from tests.builders import COUNTS, CREATED, KEY, reading, record
from tests.mutants import mutated
from tests.unit.cli.conftest import Cli

RAW = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e\u2028]|(?m:^ *::)|##\\[")
SESSION_DAYS = range(7)
PREDICTION = Prediction(energy_j=12.0, interval_j=(9.0, 16.0), duration_s=0.05, error_share=0.1)
TEST_IDS = tuple(f"tests/test_a.py::test_{number}" for number in range(5))
LOAD_ID = load_id("gpu", "compute")
# Each with a report of its own kind, and with every way in which a run or a baseline is read.
RUN_COMMANDS = (
    ("show", "{run}"),
    ("show", "{run}", "--width=80"),
    ("compare", "{run}", "{good}"),
    ("compare", "{good}", "{run}", "--json"),
    ("judge", "{run}", "--baselines={folder}", "--out={base}/o.md"),
    ("judge", "{good}", "{run}", "--baselines={folder}", "--json"),
    ("judge", "{good}", "--baselines={folder}", "--attempts={base}/attempts"),
    ("accept", "{run}", "--baselines={folder}"),
    ("export", "{run}", "{base}/o.html"),
    ("export", "{run}", "{base}/o.md"),
    ("export", "{run}", "{base}/o.csv"),
    ("export", "{run}", "{base}/o.json"),
    ("baselines", "prune", "--missing-tests-from={run}", "--baselines={folder}"),
    ("history", "{run}", "{good}", "{folder}", "--out={base}/o.html", "--out={base}/o.csv"),
)
BASELINE_COMMANDS = (
    ("judge", "{good}", "--baselines={folder}", "--out={base}/o.html"),
    ("judge", "{good}", "--baselines={folder}", "--accept"),
    ("show", TEST_IDS[0], "--baselines={folder}"),
    ("accept", "{good}", "--baselines={folder}"),
    ("baselines", "validate", "--baselines={folder}"),
    ("baselines", "list", "--baselines={folder}"),
    ("baselines", "diff", "{folder}", "{other}"),
    ("baselines", "prune", "--keep=4", "--baselines={folder}"),
    ("history", "{good}", "{folder}", "--out={base}/o.html"),
)


def _record(number: int, session: int) -> Record:
    rng = random.Random(f"{number} {session}")  # noqa: S311  # the same rounds every time
    rounds = [
        replace(
            reading(60 + number + rng.random() + 100 * (1 + place / 50), duration_s=1 + place / 50),
            quiet_power_w={"gpu:0": 100.0},
            temperatures_c={"gpu:0": 40.0 + place},
            power_trace={"gpu:0": ((0.0, 100.0), (0.5, 200.0), (1.0, 200.0))},
        )
        for place in range(6)
    ]
    one = record(
        rounds=rounds,
        test_id=LOAD_ID if number == len(TEST_IDS) else TEST_IDS[number],
        created=f"2025-11-{session + 1:02}T10:00:00Z",
        samples=16,
        metrics={"accuracy": 0.9 - number / 100, "batch_size": 2.0**number, "request_rate": 1.0 + number},
    )
    return replace(
        one,
        group="g",
        model=f"m{number}",
        idle_power_w={"gpu:0": 60.0},
        counts=_more_often() if session == len(SESSION_DAYS) - 1 else COUNTS,
        predictions={KEY: PREDICTION},
    )


def _more_often() -> Counts:
    *others, last = COUNTS.entries
    return replace(COUNTS, entries=(*others, replace(last, count=2 * last.count, most=None)), digest="other")


SESSIONS = [
    of_one_session([_record(number, session) for number in range(len(TEST_IDS) + 1)], f"s{session}")
    for session in SESSION_DAYS
]
RECORDS = [*zip(*SESSIONS, strict=True)]  # of each test, the newest last


def _trial(fresh: Record, baseline: Baseline) -> Trial:
    policy = Policy()
    return Trial(
        record=fresh,
        policy=policy,
        history=history_of(baseline, policy.basis),
        count_history=count_history_of([baseline]),
    )


def _decision() -> SessionDecision:
    *trials, yardstick = [
        _trial(fresh, Baseline(test_id=fresh.test_id, machine_key=KEY, entries=tuple(before)))
        for *before, fresh in RECORDS
    ]
    return decide_process(trials, tolerance=0.05, alpha=0.05, yardstick=[yardstick])


def _run_text() -> str:
    """A run with all that one can hold: parts, factors, a yardstick, by what it was judged."""
    decision = _decision()
    whole = RunJudgement(
        baseline_mode=BaselineMode.CHECK,
        is_strict=False,
        tolerance=0.05,
        alpha=0.05,
        failures=("all of them rose",),
        factors=decision.factors,
    )
    run = view.of(
        [in_words(one) for one in decision.decisions],
        run_notes=["a note"],
        yardstick=Yardstick(records=decision.yardstick),
        run_judgement=whole,
    )
    return to_json.render(run, created=CREATED)


class Place:
    """A folder with a good run, baselines, other baselines, and tries at the same code."""

    def __init__(self, base: Path) -> None:
        self.names = {name: base / name for name in ("folder", "other", "attempts")}
        self.names |= {"base": base, "run": base / "run.json", "good": base / "good.json"}
        self.good_text = _run_text()
        self.names["good"].write_text(self.good_text)
        self.names["attempts"].mkdir()
        for *before, _ in RECORDS:
            for name in ("folder", "other"):
                Store(self.names[name]).write(KEY, before[0].test_id, before, "add")
        self.baseline = Store(self.names["folder"]).path(KEY, TEST_IDS[0])
        self.baseline_text = self.baseline.read_text()

    def words(self, command: tuple[str, ...]) -> list[str]:
        return [word.format(**self.names) for word in command]


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def _is_accepted(cli: Cli, place: Place, command: tuple[str, ...]) -> bool:
    """Whether *command* ends well; it ends in words in any case."""
    status, out, err = cli(*place.words(command))
    assert status in {0, 1, 2}, command
    assert not RAW.search(out + err), command
    assert "mistake in pytest-energy" not in err, err  # a renderer failed
    return status < 2


MUTANT_COUNTS = [40, pytest.param(600, marks=pytest.mark.slow)]


def test_the_run_holds_all_that_one_can(place: Place) -> None:
    """What isn't in it would not be tried."""
    run = json.loads(place.good_text)
    assert {"run_judgement", "yardstick", "run_notes", "tests"} <= run.keys()
    assert run["run_judgement"]["factors"]
    assert run["tests"][0]["baseline"]["parts"]
    assert run["tests"][0]["counts"]["entries"]
    assert run["tests"][0]["predictions"]
    assert run["tests"][0]["counts_comparison"]["changes"]
    assert run["tests"][0]["rounds"][0]["power_trace"]


def test_every_command_ends_well_where_nothing_is_wrong(cli: Cli, place: Place) -> None:
    """One that fails in any case would try nothing."""
    place.names["run"].write_text(place.good_text)
    (place.names["attempts"] / "a.json").write_text(place.good_text)
    for command in (*RUN_COMMANDS, *BASELINE_COMMANDS):
        assert _is_accepted(cli, place, command), command


@pytest.mark.parametrize("count", MUTANT_COUNTS)
def test_a_mutant_of_a_run_is_shown_or_refused(cli: Cli, place: Place, count: int) -> None:
    """No command ends in another error than ours, whatever stands in a run or an earlier try."""
    rng, accepted = random.Random(f"runs {count}"), 0  # noqa: S311
    for number in range(count):
        mutant = mutated(place.good_text, rng).encode("utf-8", "surrogatepass")
        place.names["run"].write_bytes(mutant)
        (place.names["attempts"] / "a.json").write_bytes(mutant)
        accepted += _is_accepted(cli, place, RUN_COMMANDS[number % len(RUN_COMMANDS)])
    assert count / 20 <= accepted < count


@pytest.mark.parametrize("count", MUTANT_COUNTS)
def test_a_mutant_of_a_baseline_is_judged_by_or_refused(cli: Cli, place: Place, count: int) -> None:
    """As of a run."""
    rng, accepted = random.Random(f"baselines {count}"), 0  # noqa: S311
    for number in range(count):
        place.baseline.parent.mkdir(parents=True, exist_ok=True)  # a command may have emptied it
        place.baseline.write_bytes(mutated(place.baseline_text, rng).encode("utf-8", "surrogatepass"))
        accepted += _is_accepted(cli, place, BASELINE_COMMANDS[number % len(BASELINE_COMMANDS)])
    assert count / 20 <= accepted < count
