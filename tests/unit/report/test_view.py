import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_energy.judgement import Judgement, Verdict
from pytest_energy.model import Provenance, Reading
from pytest_energy.report import view
from tests.builders import (
    ESTIMATE,
    H100,
    LAPTOP,
    NO_RAPL,
    NVML,
    comparison,
    judgement,
)


def test_worst_verdict_first_then_the_given_order() -> None:
    """Rows are sorted by verdict; within one the given order stays."""
    found = view.of(
        [
            judgement(test_id="t.py::b", verdict=Verdict.PASS),
            judgement(test_id="t.py::a", verdict=Verdict.PASS),
            judgement(test_id="t.py::c", verdict=Verdict.VOID),
            judgement(test_id="t.py::d", verdict=Verdict.REGRESSION),
        ]
    )
    assert [row.record.test_id for row in found.rows] == ["t.py::d", "t.py::c", "t.py::b", "t.py::a"]


@given(st.lists(st.sampled_from(Verdict), max_size=20))
def test_every_judgement_has_one_row(verdicts: list[Verdict]) -> None:
    """No test is left out or shown twice, and the counts add up."""
    found = view.of([judgement(test_id=f"t.py::t{i}", verdict=v) for i, v in enumerate(verdicts)])
    assert sorted(row.record.test_id for row in found.rows) == sorted(
        f"t.py::t{i}" for i in range(len(verdicts))
    )
    assert sum(found.counts.values()) == len(verdicts)


def test_counts_are_worst_first() -> None:
    """The counts follow the order of the rows and leave out what no test is."""
    found = view.of([judgement(), judgement(verdict=Verdict.REGRESSION), judgement()])
    assert list(found.counts.items()) == [(Verdict.REGRESSION, 1), (Verdict.PASS, 2)]


@pytest.mark.parametrize(
    ("test_ids", "names"),
    [
        (["a/t.py::x[1]", "a/t.py::y"], ["x[1]", "y"]),
        (["a/t.py::x", "b/u.py::x"], ["t.py::x", "u.py::x"]),
        (["a/t.py::x", "b/t.py::x"], ["a/t.py::x", "b/t.py::x"]),
        (["t.py::C::x[a::b/c]"], ["x[a::b/c]"]),
    ],
)
def test_short_names_are_unique(test_ids: list[str], names: list[str]) -> None:
    """A name is as short as it can be while no other row has it; what is in brackets is left alone."""
    found = view.of([judgement(test_id=test_id) for test_id in test_ids])
    assert [row.short_id for row in found.rows] == names


@pytest.mark.parametrize("verdict", [Verdict.VOID, Verdict.UNMEASURED])
def test_unusable_joules_are_absent(verdict: Verdict) -> None:
    """A void or unmeasured test shows no joules, watts or seconds, and says why."""
    energy_j = 12.0 if verdict is Verdict.VOID else None
    (row,) = view.of([judgement(verdict=verdict, energy_j=energy_j)]).rows
    values = (
        row.energy_j,
        row.uncertainty_j,
        row.record.power_w,
        row.record.duration_s,
        row.record.energy_per_sample_j,
    )
    assert values == (None,) * 5
    assert {"energy_j", "energy_ci_j", "net_energy_j", "power_w"} <= row.judgement.record.absent.keys()


def test_a_record_found_void_when_judged_is_void() -> None:
    """A verdict `void` on a record that does not know it yet hides the joules all the same."""
    measured = judgement(energy_j=0.0)
    void = replace(measured, verdict=Verdict.VOID, reason="0 J\nwhat to do", summary=None)
    (row,) = view.of([void]).rows
    assert row.energy_j is None
    assert row.record.power_w is None
    assert row.judgement.record.void_because == "0 J\nwhat to do"


def test_rounds_that_are_all_void_give_their_reason() -> None:
    """Where no round of a record is usable, the first round's reason is that of every value."""
    record = judgement().record
    reading = Reading(
        channels={}, duration_s=1.0, uncertainty_j=0.0, provenance=Provenance.MEASURED, void_because="too hot"
    )
    found = replace(judgement(verdict=Verdict.UNMEASURED), record=replace(record, rounds=(reading,)))
    (row,) = view.of([found]).rows
    assert row.energy_j is None
    assert row.judgement.record.absent["energy_j"] == "too hot"


def test_joules_without_summary_are_shown_without_uncertainty() -> None:
    """A record that nobody summarised still has its mean."""
    (row,) = view.of([replace(judgement(energy_j=12.0), summary=None)]).rows
    assert (row.energy_j, row.uncertainty_j) == (12.0, None)
    assert "uncertainty_j" in row.judgement.record.absent


@pytest.mark.parametrize(
    ("name", "changed"),
    [
        ("energy_per_sample_j", {"samples": None}),
        ("net_energy_j", {"idle_power_w": None}),
        ("power_w", {"duration_s": 0.0}),
        ("loss", {"metrics": {"loss": None}}),
        ("loss", {"metrics": {"loss": math.nan}}),
    ],
)
def test_what_is_absent_has_a_reason(name: str, changed: dict[str, object]) -> None:
    """Every value that a reader may miss has a reason in the record."""
    (found,) = view.of([judgement(**changed)]).judgements  # type: ignore[arg-type]
    assert found.record.absent[name]


def test_a_reason_that_is_given_stays() -> None:
    """What the test itself says of an absent value is not overwritten."""
    (found,) = view.of([judgement(idle_power_w=None, absent={"net_energy_j": "no idle time"})]).judgements
    assert found.record.absent == {"net_energy_j": "no idle time"}


def test_a_number_that_is_not_finite_is_absent() -> None:
    """NaN from a metric becomes an absent value that says so."""
    (found,) = view.of([judgement(metrics={"loss": math.inf, "accuracy": 0.9})]).judgements
    assert found.record.metrics == {"loss": None, "accuracy": 0.9}
    assert found.record.absent["loss"] == "its value is inf"


def test_a_comparison_that_is_not_finite_is_absent() -> None:
    """An endless bound is no comparison; the reason stands under `baseline`."""
    (found,) = view.of([judgement(compared=comparison(1.0, (0.5, math.inf)))]).judgements
    assert found.comparison is None
    assert "baseline" in found.record.absent


def test_a_complete_judgement_is_left_as_it_is() -> None:
    """Where nothing is absent, nothing changes."""
    whole = judgement(compared=comparison(1.1))
    assert view.of([whole]).judgements == (whole,)


def test_no_tests() -> None:
    """A session without energy tests has nothing but a note."""
    found = view.of([])
    assert (found.rows, found.groups, found.machine) == ((), (), None)
    assert found.notes == ("no test was judged by its energy",)


def test_sensors_once_those_there_first() -> None:
    """Each sensor is listed once, the ones that measure before the absent."""
    found = view.of([judgement(sensors=[NO_RAPL, NVML]), judgement(sensors=[NVML])])
    assert [sensor.name for sensor in found.sensors] == ["nvml", "rapl"]


def test_a_sensor_there_for_one_test_is_there() -> None:
    """A sensor absent in one record and present in another is shown as it measured."""
    absent = replace(NVML, channels=(), tick_s=None, absent_because="busy")
    found = view.of([judgement(sensors=[absent]), judgement(sensors=[NVML])])
    assert found.sensors == (NVML,)


@pytest.mark.parametrize(
    ("judgements", "note"),
    [
        ([judgement(provenance=Provenance.ESTIMATED)], "every joule here is an estimate, not a measurement"),
        (
            [judgement(provenance=Provenance.REPLAYED)],
            "every joule here is replayed from a file, not measured in this run",
        ),
        (
            [judgement(), judgement(provenance=Provenance.ESTIMATED)],
            "the joules of 1 of 2 tests are an estimate, not a measurement",
        ),
        ([judgement(energy_j=None, verdict=Verdict.UNMEASURED)], "no joule was measured"),
        ([judgement(), judgement(machine=LAPTOP)], "1 of 2 tests ran on another machine"),
        ([judgement(compared=comparison(note="1 session"))], "1 session"),
        ([judgement(quality=["short"]), judgement(quality=["short"])], "short (10 of 10 rounds)"),
        ([judgement(quality=["short"])], "short (5 of 5 rounds)"),
    ],
)
def test_notes(judgements: list[Judgement], note: str) -> None:
    """What concerns the whole is said once, with the number of rounds or tests."""
    assert note in view.of(judgements).notes


def test_measured_joules_need_no_note() -> None:
    """An ordinary measured run has no notes."""
    assert view.of([judgement()]).notes == ()


def _modelled(model: str, energy_j: float, **metrics: float | None) -> Judgement:
    return judgement(
        test_id=f"t.py::t[{model}-{energy_j}]",
        energy_j=energy_j,
        samples=1,
        group="training",
        model=model,
        metrics=metrics,
    )


def _group(*judgements: Judgement) -> view.Group:
    (group,) = view.of(judgements).groups
    return group


def test_one_row_a_model() -> None:
    """Tests of one model are one row: their mean."""
    group = _group(
        _modelled("a", 1.0, loss=1.0), _modelled("b", 5.0, loss=4.0), _modelled("a", 3.0, loss=2.0)
    )
    assert [(row.model, row.energy_per_sample_j) for row in group.rows] == [
        ("a", 2.0),
        ("b", 5.0),
    ]
    assert [row.metrics for row in group.rows] == [{"loss": 1.5}, {"loss": 4.0}]


@pytest.mark.parametrize("name", ["request_rate", "batch_size"])
def test_a_configuration_is_a_row(name: str) -> None:
    """One model at several request rates or batch sizes is several rows, not a mean over them."""
    group = _group(_modelled("a", 1.0, **{name: 1.0}), _modelled("a", 3.0, **{name: 2.0}))
    assert [row.energy_per_sample_j for row in group.rows] == [1.0, 3.0]


def test_without_a_model_the_test_is_the_row() -> None:
    """A test of a group that names no model stands for itself."""
    group = _group(judgement(group="g", test_id="t.py::x"), judgement(group="g", test_id="t.py::y"))
    assert [row.model for row in group.rows] == ["x", "y"]


def test_a_metric_that_one_test_lacks_is_absent_there() -> None:
    """A metric that only some have is a column, absent elsewhere, its reasons told."""
    absent = judgement(group="g", model="b", metrics={"loss": None}, absent={"loss": "it diverged"})
    group = _group(judgement(group="g", model="a", metrics={"loss": 1.0}), absent)
    assert [row.metrics["loss"] for row in group.rows] == [1.0, None]
    assert group.absent == {"loss": ("it diverged",)}


def test_the_papers_metrics_come_first() -> None:
    """Columns: the metric table's order, then a test's own in the order met."""
    group = _group(_modelled("a", 1.0, loss=1.0, work_done=2.0, parameters=3.0, accuracy=0.5))
    assert group.metrics == ("parameters", "work_done", "loss", "accuracy")
    assert group.units == {"parameters": "1", "work_done": "1/s"}


def test_a_metric_named_as_the_energy_is_no_second_column() -> None:
    """A test that records `energy_per_sample_j` itself does not shadow what was measured."""
    group = _group(_modelled("a", 1.0, energy_per_sample_j=99.0))
    assert group.metrics == ()
    assert group.rows[0].energy_per_sample_j == 1.0


def test_provenances_and_machines_never_share_a_group() -> None:
    """One group name with estimates, measurements and two machines is three groups."""
    found = view.of(
        [
            judgement(group="g", model="a"),
            judgement(group="g", model="b", machine=LAPTOP),
            judgement(group="g", model="c", provenance=Provenance.ESTIMATED, sensors=[ESTIMATE]),
        ]
    )
    assert [(group.machine_key, group.provenance) for group in found.groups] == [
        (H100.key, Provenance.MEASURED),
        (LAPTOP.key, Provenance.MEASURED),
        (H100.key, Provenance.ESTIMATED),
    ]


def test_correlation_of_a_metric_with_the_energy_of_a_sample() -> None:
    """A metric that rises with the energy of a sample has rho 1, whatever its values."""
    group = _group(*(_modelled(f"m{i}", float(i + 1), parameters=10.0**i) for i in range(5)))
    (found,) = group.correlations
    assert found.metric == "parameters"
    assert found.correlation.rho == 1.0
    assert found.correlation.n == 5
    assert found.correlation.p_exact == pytest.approx(2 / 120)


def test_rows_without_joules_do_not_correlate() -> None:
    """A void test has a row in the table, none in the correlation."""
    void = judgement(group="training", model="v", verdict=Verdict.VOID, metrics={"parameters": 1.0})
    group = _group(_modelled("a", 1.0, parameters=1.0), void, _modelled("b", 2.0, parameters=2.0))
    assert len(group.rows) == 3
    assert group.correlations[0].correlation.n == 2


def test_a_constant_metric_has_no_rho_but_a_reason() -> None:
    """Nothing can be ranked by a constant."""
    group = _group(*(_modelled(f"m{i}", float(i + 1), cache_hit_rate=0.0) for i in range(5)))
    (found,) = group.correlations
    assert found.correlation.rho is None
    assert "constant" in found.correlation.note


@pytest.mark.parametrize(
    ("group", "paper"),
    [("training", {"HC-1", "HC-2", "HC-3"}), ("requests", {"HC-4"}), ("mine", set())],
)
def test_the_papers_values_stand_beside_its_groups(group: str, paper: set[str]) -> None:
    """A group of the paper's name has the paper's rho of each metric, others have none."""
    found = view.of([judgement(group=group, model="a", metrics={"parameters": 1.0})])
    assert set(found.groups[0].correlations[0].paper) == paper


def test_a_metric_that_the_paper_lacks_has_no_value_of_it() -> None:
    """The paper's column is empty for a metric that it does not have."""
    assert not _group(_modelled("a", 1.0, loss=1.0)).correlations[0].paper


# Power without work


def _at_rest(
    idle_w: float | None, ready_w: float | None, provenance: Provenance = Provenance.MEASURED
) -> Judgement:
    found = judgement(idle_power_w=idle_w, provenance=provenance, round_count=1)
    quiet_w = {} if ready_w is None else {"gpu:0": ready_w}
    rounds = tuple(replace(one, quiet_power_w=quiet_w) for one in found.record.rounds)
    return replace(found, record=replace(found.record, rounds=rounds))


def test_power_without_work_is_the_first_that_is_known() -> None:
    """Each channel once: idle and ready power as the first record that has them says."""
    found = view.of([_at_rest(75.0, None), _at_rest(76.0, 120.0), _at_rest(77.0, 130.0)])
    assert found.idle_powers == (view.IdlePower(channel="gpu:0", idle_power_w=75.0, ready_power_w=120.0),)


@pytest.mark.parametrize("provenance", [Provenance.ESTIMATED, Provenance.REPLAYED])
def test_only_measured_power_without_work_is_told(provenance: Provenance) -> None:
    """A replayed quiet is not this machine's, and an estimate has none."""
    assert view.of([_at_rest(75.0, 120.0, provenance)]).idle_powers == ()


def test_power_without_work_is_of_one_machine() -> None:
    """A record of another machine tells nothing of the one that is shown."""
    elsewhere = judgement(machine=LAPTOP, idle_power_w=3.0)
    assert view.of([judgement(idle_power_w=None), elsewhere]).idle_powers == ()
