"""Runs of several machines as one study: columns, rows, and what is refused."""

from dataclasses import replace

import pytest

from pytest_energy.errors import SettingsError
from pytest_energy.judgement import Judgement, Verdict
from pytest_energy.model import Machine
from pytest_energy.ready import ReadyPower
from pytest_energy.study.rows import Row, separating_facts
from pytest_energy.study.study import Study, study_of, table_of
from tests.builders import H100, LAPTOP, judgement
from tests.unit.study.conftest import SMALL_AND_LARGE, nets, requests, run

TWO_H200 = Machine(
    key="2x-h200_nvml",
    fixed={"gpu_model": "NVIDIA H200, NVIDIA H200", "gpu_count": "2", "nodes": "2x h200_nvml", "ranks": "2"},
)


def rows(study: Study) -> dict[str, Row]:
    return {row.label: row for group in study.groups for row in group.rows}


def test_a_column_is_a_machine() -> None:
    """In the order met, with the GPU's name, its topology and its files."""
    study = study_of(
        [
            run("a.json", *nets([1, 2])),
            run("b.json", *nets([3, 4], machine=LAPTOP)),
            run("c.json", *requests({"1B": {1.0: 5.0}})),
            run("d.json", *nets([3, 4], machine=TWO_H200)),
        ]
    )
    assert [(one.label, one.name, one.topology, one.runs) for one in study.columns] == [
        ("HC-1", "NVIDIA H100 80GB HBM3", "1 node", ("a.json", "c.json")),
        ("HC-2", "12th Gen Intel Core i7-1260P", "1 node", ("b.json",)),
        ("HC-3", "2 x NVIDIA H200", "2x h200_nvml, 2 ranks", ("d.json",)),
    ]


def test_a_row_is_a_model_in_a_setting() -> None:
    """Its cells are joules of a sample by column; a machine that lacks it has no cell."""
    study = study_of([run("a", *nets([1, 2, 3])), run("b", *nets([30, 20], machine=TWO_H200))])
    found = rows(study)
    assert list(found) == ["lenet", "vgg", "resnet"]
    assert {label: cell.energies_j["gross"] for label, cell in found["vgg"].cells.items()} == {
        "HC-1": 2.0,
        "HC-2": 20.0,
    }
    assert list(found["resnet"].cells) == ["HC-1"]


def test_the_rate_is_no_part_of_the_model() -> None:
    """`1B@4/s` is the model 1B in the setting 4/s."""
    study = study_of([run("a", *requests(SMALL_AND_LARGE))])
    assert [(row.model, row.setting) for row in study.groups[0].rows][:2] == [("1B", "1/s"), ("1B", "4/s")]
    assert study.groups[0].is_crossed


def test_net_and_active_joules_are_of_a_sample() -> None:
    """Less idle power times time, and less ready power times time, over the samples."""
    one = judgement(group="g", model="m", energy_j=12.0, duration_s=2.0, samples=4, idle_power_w=2.0)
    one = replace(one, record=replace(one.record, ready_power={"gpu:0": ReadyPower(power_w=3.0)}))
    cell = rows(study_of([run("a", one)]))["m"].cells["HC-1"]
    assert cell.energies_j == {"gross": 3.0, "net": (12 - 2 * 2) / 4, "active": (12 - 3 * 2) / 4}


def test_joules_that_are_not_known_have_a_reason() -> None:
    """No idle power: no net joules; no ready power: no active ones. Neither is the gross figure."""
    sample = study_of([run("a", *nets([5.0], idle_power_w=None))]).samples["HC-1"][0]
    assert (sample.energies_j["net"], sample.energies_j["active"]) == (None, None)
    assert "idle power" in sample.absent["net"]
    assert "ready power" in sample.absent["active"]


def test_older_files_get_active_joules_from_their_rounds() -> None:
    """A file without ready power, whose rounds hold the power of the quiet before them."""
    one = judgement(group="g", model="m", energy_j=12.0, duration_s=2.0, samples=1)
    quiet = tuple(replace(each, quiet_power_w={"gpu:0": 3.0}) for each in one.record.rounds)
    one = replace(one, record=replace(one.record, rounds=quiet))
    assert rows(study_of([run("a", one)]))["m"].cells["HC-1"].energies_j["active"] == pytest.approx(6.0)


def test_runs_of_one_machine_are_averaged() -> None:
    """The same work in two runs: the mean, and both files."""
    study = study_of([run("a", *nets([2.0])), run("b", *nets([4.0], created="2026-11-22T10:00:00Z"))])
    cell = rows(study)["lenet"].cells["HC-1"]
    assert cell.energies_j["gross"] == 3.0
    assert [one.run for one in cell.samples] == ["a", "b"]


def test_kinds_of_joules_are_of_the_same_tests() -> None:
    """Idle power in one of two runs: no net joules, instead of those of one beside the mean of both."""
    known = nets([2.0])
    unknown = nets([4.0], idle_power_w=None, created="2026-11-22T10:00:00Z")
    cell = rows(study_of([run("a", *known), run("b", *unknown)]))["lenet"].cells["HC-1"]
    assert (cell.energies_j["gross"], cell.energies_j["net"]) == (3.0, None)


def test_a_void_test_has_no_say_in_a_mean() -> None:
    """The other run's joules of all kinds are kept."""
    void = nets([400.0], verdict=Verdict.VOID, created="2026-11-22T10:00:00Z")
    others = nets([5.0, 6.0], created="2026-11-22T10:00:00Z")[1:]
    cell = rows(study_of([run("a", *nets([2.0])), run("b", *void, *others)]))["lenet"].cells["HC-1"]
    assert (cell.energies_j["gross"], cell.energies_j["net"]) == (2.0, 1.5)


def test_other_work_is_another_row() -> None:
    """Two engines on one machine: each has its row, named by the engine, on every machine."""
    study = study_of(
        [
            run("a", *requests({"1B": {4.0: 43.0}})),
            run("b", *requests({"1B": {4.0: 73.0}}, engine="transformers", created="2026-11-22T10:00:00Z")),
            run("c", *requests({"1B": {4.0: 34.0}}, machine=TWO_H200)),
        ]
    )
    assert {label: list(row.cells) for label, row in rows(study).items()} == {
        "1B 4/s engine vllm": ["HC-1", "HC-2"],
        "1B 4/s engine transformers": ["HC-1"],
    }


def test_estimates_are_another_column() -> None:
    """Measured and estimated joules of one machine are never averaged."""
    estimated = nets([9.0], machine=LAPTOP, created="2026-11-22T10:00:00Z")
    as_h100 = [replace(one, record=replace(one.record, machine=H100)) for one in estimated]
    study = study_of([run("a", *nets([2.0])), run("b", *as_h100)])
    assert [one.provenance.value for one in study.columns] == ["measured", "estimated"]


@pytest.mark.parametrize(
    ("by", "parts"), [("commit", ["3f2c1ab", "bbbbbbb"]), ("board", ["GPU-1", "GPU-2"]), ("run", ["a", "b"])]
)
def test_runs_of_one_machine_can_be_columns(by: str, parts: list[str]) -> None:
    """Of commits, boards or files."""
    first, second = (
        replace(H100, varying={"git_commit": commit, "gpu_uuid": board})
        for commit, board in (("3f2c1ab99", "GPU-1"), ("bbbbbbbbb", "GPU-2"))
    )
    runs = [run("a", *nets([2.0], machine=first)), run("b", *nets([4.0], machine=second))]
    with pytest.raises(SettingsError, match="repeats"):
        study_of(runs, by=by)
    runs[1] = run("b", *nets([4.0], machine=second, created="2026-11-22T10:00:00Z"))
    assert [one.part for one in study_of(runs, by=by).columns] == parts
    assert [one.part for one in study_of(runs).columns] == [""]


def test_a_group_may_have_another_name() -> None:
    """`pooled` of one run is ranked with `requests` of another, if asked; the curves too."""
    runs = [
        run("a", *requests({"1B": {4.0: 43.0}})),
        run("b", *requests({"1B": {4.0: 34.0}}, group="pooled", machine=TWO_H200)),
    ]
    assert [group.name for group in study_of(runs).groups] == ["requests", "pooled"]
    joined = study_of(runs, renamed={"pooled": "requests"})
    assert list(rows(joined)["1B 4/s"].cells) == ["HC-1", "HC-2"]
    assert [one.place for one in joined.rate_curves] == ["HC-1", "HC-2"]


def test_groups_can_be_chosen() -> None:
    """Others are in no table."""
    runs = [run("a", *nets([1.0, 2.0]), *requests({"1B": {4.0: 43.0}}))]
    study = study_of(runs, chosen=["inference"])
    assert [group.name for group in study.groups] == ["inference"]
    assert study.rate_curves == ()


# ---- bad input ----


def test_a_run_twice_is_refused() -> None:
    """Both files and the test are named."""
    with pytest.raises(
        SettingsError, match=r"b\.json repeats a\.json: both hold t\.py::test_inference\[lenet\]"
    ):
        study_of([run("a.json", *nets([1.0])), run("b.json", *nets([1.0]))])


@pytest.mark.parametrize(
    ("judgements", "message"),
    [
        ((), "it has no test"),
        ((judgement(),), "none of its 1 tests has a group"),
        (nets([1.0], verdict=Verdict.VOID), "thermal slowdown"),
        ((judgement(group="g", energy_j=None),), "no sensor on this machine"),
        ((judgement(group="g", samples=None),), "no number of samples"),
    ],
)
def test_a_run_without_joules_is_refused(judgements: tuple, message: str) -> None:  # type: ignore[type-arg]
    """The file and the reason are named."""
    with pytest.raises(SettingsError, match=rf"a\.json has no joules per sample to compare: .*{message}"):
        study_of([run("a.json", *judgements)])


def test_requests_and_images_are_not_ranked_together() -> None:
    """One group, joules per request in one file and per sample in another: both tests are named."""
    images = judgement(test_id="t.py::images", group="requests", model="m")
    with pytest.raises(
        SettingsError, match=r"joules per request .* in a\.json\) and per sample \(t\.py::images"
    ):
        study_of([run("a.json", *requests({"1B": {4.0: 43.0}})), run("b.json", images)])


def test_an_unknown_group_is_refused() -> None:
    """With the nearest one."""
    with pytest.raises(SettingsError, match=r"no run has a group 'inferense'\. Did you mean inference\?"):
        study_of([run("a", *nets([1.0]))], chosen=["inferense"])


def test_the_table_has_a_row_per_test() -> None:
    """The columns of a run's table, with the column of the study, model, setting, and net joules."""
    study = study_of([run("a", *nets([1.0, 2.0])), run("b", *requests({"1B": {4.0: 43.0}}))])
    table = table_of(study)
    assert table.columns[:4] == ("run", "hardware", "row_model", "row_setting")
    assert {"id", "energy_per_sample_j", "metric.macs_param", "net_energy_per_sample_j"} <= {*table.columns}
    assert [(row["run"], row["hardware"], row["row_model"]) for row in table.rows] == [
        ("a", "HC-1", "lenet"),
        ("a", "HC-1", "vgg"),
        ("b", "HC-1", "1B"),
    ]
    assert table.rows[2]["net_energy_per_sample_j"] == 43.0 - 2.0


def test_a_row_is_named_by_the_fewest_facts() -> None:
    """Four works that differ in precision and attention, and in a seed that separates fewer: two facts."""
    works = [
        {"seed": seed, "precision": precision, "attention": attention}
        for seed, precision, attention in (
            ("1", "bf16", "flash"),
            ("1", "fp8", "flash"),
            ("1", "int8", "flash"),
            ("1", "int8", "eager"),
        )
    ]
    assert separating_facts([works]) == ("precision", "attention")
    assert separating_facts([works], ["seed"]) == ("seed", "precision", "attention")
    assert separating_facts([works[:1], works[1:2]]) == ()


def test_two_precisions_on_one_machine_are_two_rows() -> None:
    """Each named by the fact that separates them; the other machine joins the one that it shares."""

    def of(precision: str, energy_j: float, created: str, machine: Machine = H100) -> Judgement:
        (made,) = requests({"1B": {4.0: energy_j}}, created=created, machine=machine)
        return replace(made, record=replace(made.record, workload={"engine": "vllm", "weights": precision}))

    study = study_of(
        [
            run("a", of("bf16", 43.0, "2026-11-21T10:00:00Z")),
            run("b", of("fp8", 34.0, "2026-11-22T10:00:00Z")),
            run("c", of("fp8", 30.0, "2026-11-23T10:00:00Z", TWO_H200)),
        ]
    )
    assert {label: list(row.cells) for label, row in rows(study).items()} == {
        "1B 4/s weights bf16": ["HC-1"],
        "1B 4/s weights fp8": ["HC-1", "HC-2"],
    }
