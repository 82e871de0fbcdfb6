"""The ledger: what practices change, by runs whose effects are known, and what is no ledger."""

import json
import math
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path
from statistics import fmean

import pytest

from pytest_energy.errors import SettingsError
from pytest_energy.judgement import Judgement
from pytest_energy.ledger import Ledger, design_of, ledger_of
from pytest_energy.ledger.chart import MOST_LINES, sheet
from pytest_energy.ledger.effects import Worth, fieller_interval
from pytest_energy.ledger.text import as_json, render, render_markdown, worth_text
from pytest_energy.model import Phase, Provenance
from pytest_energy.report import view
from tests.builders import judgement, reading
from tests.unit.cli.conftest import Cli, written
from tests.unit.cli.conftest import cli as cli  # noqa: PLC0414  # a fixture

REQUESTS = 50
Phases = Mapping[str, float]


def cell(
    on: Sequence[bool],
    *rounds: Phases,
    practices: Sequence[str] = ("amp", "int8"),
    accuracy: float | None = 0.9,
    served: int | None = REQUESTS,
    duration_s: float = 1.0,
    provenance: Provenance = Provenance.MEASURED,
) -> Judgement:
    """A test with *practices* on or off, whose phases have the joules of *rounds*."""
    made = judgement(test_id=f"t.py::t[{'-'.join(str(int(one)) for one in on)}]", provenance=provenance)
    metrics = {f"practice_{name}": float(is_on) for name, is_on in zip(practices, on, strict=True)}
    readings = [
        replace(
            reading(math.fsum(phases.values()), duration_s=duration_s * len(phases), provenance=provenance),
            phases=tuple(
                Phase(
                    name=name,
                    energy_j=energy_j,
                    uncertainty_j=0.0,
                    duration_s=duration_s,
                    samples=served if name == "serve" else None,
                )
                for name, energy_j in phases.items()
            ),
        )
        for phases in rounds
    ]
    own = {} if accuracy is None else {"accuracy": accuracy}
    return replace(made, record=replace(made.record, rounds=tuple(readings), metrics=metrics | own))


def run(
    joules: Callable[..., Phases],
    *,
    practices: Sequence[str] = ("amp", "int8"),
    provenance: Provenance = Provenance.MEASURED,
) -> list[Judgement]:
    """All combinations, one round each."""
    return [
        cell(on, joules(*on), practices=practices, provenance=provenance)
        for on in product((False, True), repeat=len(practices))
    ]


def ledger(*runs: Sequence[Judgement], **options: str) -> Ledger:
    views = [(f"r{number}.json", view.of(judgements)) for number, judgements in enumerate(runs)]
    return ledger_of(design_of(views, **options))  # type: ignore[arg-type]  # serve= and basis= alone


def phases(amp: bool, int8: bool) -> Phases:  # noqa: FBT001
    return {"train": 100.0 - 40.0 * amp, "quantise": 1.0 + 9.0 * int8, "serve": REQUESTS * (2.0 - 0.5 * int8)}


OFF = phases(amp=False, int8=False)


def test_effects_are_those_that_were_put_in() -> None:
    """Joules once, of each phase and per request, the interaction, and the break-even, to the last digit."""
    found = ledger(run(phases), run(phases))
    values = {(one.practices, one.of_what): one.value for one in (*found.effects, *found.interactions)}
    assert values == {
        (("amp",), "once"): pytest.approx(-40.0),
        (("amp",), "train"): pytest.approx(-40.0),
        (("amp",), "quantise"): pytest.approx(0.0),
        (("amp",), "request"): pytest.approx(0.0),
        (("amp",), "accuracy"): pytest.approx(0.0),
        (("int8",), "once"): pytest.approx(9.0),
        (("int8",), "train"): pytest.approx(0.0),
        (("int8",), "quantise"): pytest.approx(9.0),
        (("int8",), "request"): pytest.approx(-0.5),
        (("int8",), "accuracy"): pytest.approx(0.0),
        (("amp", "int8"), "once"): pytest.approx(0.0),
        (("amp", "int8"), "request"): pytest.approx(0.0),
    }
    (_, int8) = found.break_evens
    assert int8.worth is Worth.FROM
    assert int8.requests == pytest.approx(18.0)
    assert found.net_saving("int8", 100).value == pytest.approx(100 * 0.5 - 9.0)


def test_an_interaction_is_what_two_change_beyond_their_sum() -> None:
    """6 J are saved only where both are on: the effect of one differs by them with the other."""
    found = ledger(run(lambda amp, int8: {"train": 20.0 - 6.0 * (amp and int8), "serve": 50.0}))
    assert next(one.value for one in found.interactions if one.of_what == "once") == pytest.approx(-6.0)
    assert found.effect("amp", "once").value == pytest.approx(-3.0)


def test_a_drift_from_run_to_run_is_in_no_interval() -> None:
    """Each run is 5 % dearer than the one before; the effects in joules differ by that alone."""
    runs = [
        run(lambda amp, int8, f=factor: {n: j * f for n, j in phases(amp, int8).items()})
        for factor in (1, 1.05)
    ]
    effect = ledger(*runs).effect("int8", "request")
    assert effect.interval is not None
    assert effect.is_clear
    assert effect.interval[1] - effect.interval[0] < 0.05 * 0.5 * 12.8  # t of one degree of freedom


def test_intervals_hold_the_truth_in_95_of_100() -> None:
    """Effects and break-evens over 400 ledgers of five blocks with known noise."""
    rng = random.Random(5)  # noqa: S311  # noise
    held = {"effect": 0, "break-even": 0}
    for _ in range(400):
        runs = [
            run(
                lambda amp, int8: {name: j * rng.gauss(1.0, 0.01) for name, j in phases(amp, int8).items()},
            )
            for _ in range(5)
        ]
        found = ledger(*runs)
        effect, even = found.effect("int8", "request"), found.break_evens[1]
        assert effect.interval is not None
        held["effect"] += effect.interval[0] <= -0.5 <= effect.interval[1]
        held["break-even"] += even.interval is not None and even.interval[0] <= 18.0 <= even.interval[1]
    assert 366 <= held["effect"] <= 393
    assert 366 <= held["break-even"] <= 400  # below 0 it is cut


@pytest.mark.parametrize(
    ("once_j", "request_j", "worth"),
    [
        (5.0, -1.0, "from 5 requests on [5, 5]"),
        (-5.0, 1.0, "up to 5 requests [5, 5]"),
        (-5.0, -1.0, "always (by the means)"),
        (5.0, 1.0, "never (by the means)"),
        (0.0, -1.0, "always (by the means)"),
        (5.0, 0.0, "never (by the means)"),
        (0.0, 0.0, "no clear difference"),
    ],
)
def test_when_a_practice_is_worth_it(once_j: float, request_j: float, worth: str) -> None:
    """By the signs of what it changes once and per request."""

    def joules(is_on: bool) -> Phases:  # noqa: FBT001
        return {"train": 10.0 + once_j * is_on, "serve": REQUESTS * (3.0 + request_j * is_on)}

    runs = [run(joules, practices=("x",)) for _ in range(2)]
    assert worth_text(ledger(*runs).break_evens[0]) == worth


def test_a_saving_that_may_be_none_has_no_upper_limit() -> None:
    """The interval of the break-even is open where the saving can't be separated from 0."""
    found = fieller_interval([10.0, 10.1, 9.9], [1.0, 3.0, -1.5])
    assert found is not None
    assert found[1] == math.inf
    assert found[0] > 0
    assert fieller_interval([1.0, -1.0, 0.1], [1.0, -1.0, 0.2]) is None
    assert fieller_interval([1.0], [1.0]) is None


def test_noise_alone_is_no_clear_difference() -> None:
    """Means that differ within their noise make no practice worth it, and none a waste."""
    rng = random.Random(3)  # noqa: S311  # noise
    runs = [
        run(
            lambda _: {"train": 10.0 + rng.gauss(0, 1), "serve": REQUESTS * (1 + rng.gauss(0, 1))},
            practices=("x",),
        )
        for _ in range(4)
    ]
    assert worth_text(ledger(*runs).break_evens[0]) == "no clear difference"


def test_one_run_has_its_rounds_as_blocks() -> None:
    """Said to be so; a round that one combination lacks is no block."""
    judgements = [
        cell((on,), *({"train": 5.0, "serve": 50.0},) * count, practices=("x",))
        for on, count in ((False, 3), (True, 2))
    ]
    found = ledger(judgements)
    assert (found.design.block_count, found.design.is_in_turns) == (2, False)
    assert "Blocks are rounds of one run" in render(found, [1e3])


def test_several_rounds_of_a_run_are_one_block() -> None:
    """Their mean."""
    rounds = ({"train": 4.0, "serve": 50.0}, {"train": 6.0, "serve": 100.0})
    judgements = [cell((on,), *rounds, practices=("x",)) for on in (False, True)]
    block = ledger(judgements, judgements).design.cells[0].blocks[0]
    assert (block.once_j, block.request_j) == (5.0, fmean((1.0, 2.0)))


def test_net_joules_are_without_idle_power() -> None:
    """2 W for each second of each phase."""
    found = ledger(run(phases), basis="net")
    first = found.design.cells[0].blocks[0]
    assert first.phases_j == {"train": 98.0, "quantise": -1.0}
    assert first.request_j == pytest.approx((2.0 * REQUESTS - 2.0) / REQUESTS)


@pytest.mark.parametrize(
    ("runs", "says"),
    [
        ([[judgement()]], "r0.json has no test with practices"),
        (
            [run(phases)[:3]],
            "r0.json has no test with amp on, int8 on: 2 practices need 4 tests, this run has 3",
        ),
        ([run(phases), run(phases)[1:]], "r1.json has no test with amp off, int8 off"),
        ([[*run(phases), run(phases)[0]]], "have the same practices: amp off, int8 off"),
        ([run(lambda *_: {"train": 1.0})], "has no phase 'serve'"),
        (
            [[cell((on,), OFF, practices=("x",), served=None) for on in (False, True)]],
            "has no number of requests",
        ),
        (
            [
                [cell((on,), OFF, practices=("x",)) for on in (False, True)],
                [cell((on,), OFF, practices=("y",)) for on in (False, True)],
            ],
            "practice_y is None",
        ),
    ],
)
def test_what_is_no_design_is_refused(runs: Sequence[Sequence[Judgement]], says: str) -> None:
    """With the file, what it lacks, and what to do."""
    with pytest.raises(SettingsError, match=r"^r[01]\.json"):
        ledger(*runs)
    with pytest.raises(SettingsError) as error:
        ledger(*runs)
    assert says in str(error.value)


def test_joules_of_two_kinds_or_machines_are_no_ledger() -> None:
    """An estimate is not compared with what was measured."""
    good = run(phases)
    estimated = run(phases, provenance=Provenance.ESTIMATED)[3]
    with pytest.raises(SettingsError, match="its joules are estimated, those of the first are measured"):
        ledger([*good[:3], estimated])
    other = replace(good[3].record.machine, key="other")
    with pytest.raises(SettingsError, match="measured on other"):
        ledger([*good[:3], replace(good[3], record=replace(good[3].record, machine=other))])


def test_joules_of_other_devices_are_no_ledger() -> None:
    """A GPU that one combination leaves at rest is not in its joules: they are of another sum."""
    good = run(phases)
    rounds = tuple(replace(one, channels={"cpu:package-0": 9.0}) for one in good[3].record.rounds)
    with pytest.raises(SettingsError, match=r"those of cpu:package-0, those of the first are of gpu:0"):
        ledger([*good[:3], replace(good[3], record=replace(good[3].record, rounds=rounds))])


def test_a_phase_that_a_combination_does_not_have_is_no_0_joules() -> None:
    """A dash in its column."""
    found = ledger(run(lambda _, int8: {"train": 1.0, **({"quantise": 2.0} if int8 else {}), "serve": 9.0}))
    line = next(one for one in render(found, [1e3]).splitlines() if one.startswith("none"))
    assert line.split()[3:6] == ["1", "J", "-"]


def test_a_phase_without_joules_is_not_0() -> None:
    """Nor is a test that nothing measured."""
    good = run(phases)
    lost = good[3].record.rounds[0]
    lost = replace(
        lost, phases=(replace(lost.phases[0], energy_j=None, quality=("too short",)), *lost.phases[1:])
    )
    with pytest.raises(SettingsError, match="the phase train has no joules: too short"):
        ledger([*good[:3], replace(good[3], record=replace(good[3].record, rounds=(lost,)))])
    unmeasured = replace(good[3].record, rounds=(), unmeasured_because="no sensor")
    with pytest.raises(SettingsError, match="is no part of a ledger: no sensor"):
        ledger([*good[:3], replace(good[3], record=unmeasured)])


def test_the_command_prints_and_writes(cli: Cli, tmp_path: Path) -> None:
    """Table, Markdown, JSON and figure of the same ledger; 2 for a file that is given twice."""
    runs = [written(tmp_path / f"{n}.json", *run(phases)) for n in range(2)]
    outs = [tmp_path / f"ledger.{suffix}" for suffix in ("md", "json", "svg")]
    status, out, err = cli("ledger", *runs, *(word for path in outs for word in ("--out", path)))
    assert (status, err) == (0, "")
    assert "from 18 requests on [18, 18]" in out
    assert "| `int8` | from 18 requests on [18, 18] |" in outs[0].read_text(encoding="utf-8")
    document = json.loads(outs[1].read_text(encoding="utf-8"))
    assert document["break_evens"][1]["requests"] == pytest.approx(18.0)
    assert document["combinations"][0]["once_j"] == pytest.approx(101.0)
    assert "<svg" in outs[2].read_text(encoding="utf-8")
    status, _, err = cli("ledger", runs[0], runs[0])
    assert status == 2
    assert "is given twice" in err


@pytest.mark.parametrize(("option", "value"), [("--requests", "0"), ("--requests", "a"), ("--out", "l.txt")])
def test_a_value_that_can_not_be_used_is_named(cli: Cli, tmp_path: Path, option: str, value: str) -> None:
    path = written(tmp_path / "r.json", *run(phases))
    status, _, err = cli("ledger", path, option, value)
    assert status == 2
    assert value in err


def test_many_combinations_draw_those_that_are_best() -> None:
    """16 lines can't be read; how many are left out is said."""

    def joules(*on: bool) -> Phases:
        return {"train": 10.0 + sum(on), "serve": REQUESTS * (5.0 - sum(on))}

    found = ledger(run(joules, practices=("a", "b", "c", "d")))
    drawn = sheet(found, [1e3, 1e6])
    assert len(drawn.charts[0].layers) <= MOST_LINES
    assert any("are never best and not drawn" in note for note in drawn.notes)


def test_an_estimate_is_called_one_everywhere() -> None:
    """In each of the forms."""
    judgements = run(phases, provenance=Provenance.ESTIMATED)
    found = ledger(judgements, judgements)
    assert "estimated" in render(found, [1e3])
    assert "estimated" in render_markdown(found, [1e3])
    assert as_json(found, [1e3])["provenance"] == "estimated"
    assert "estimated" in sheet(found, [1e3]).charts[0].y.label
