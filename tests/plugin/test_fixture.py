"""The fixture: rounds, windows, phases, metrics, and a test that is only marked."""

import csv
import json

import pytest

from pytest_energy.plugin.mistakes import UNUSED
from tests.plugin.conftest import Project

TEN_J = [9.9, 10.0, 10.1, 9.95, 10.05]


def test_the_work_runs_once_a_round_and_its_last_result_is_returned(project: Project) -> None:
    """With a replay the body runs once a round, if nothing counts: no warm-up, no more than the file has."""
    project.write(
        "def test_work(energy):\n"
        "    done = []\n"
        "    assert energy.measure(lambda step: done.append(step) or len(done), 3) == 5\n"
        "    assert done == [3] * 5\n"
    )
    project.replay({"test_work": TEN_J})
    run = project.run("--energy-trace=off")
    run.result.assert_outcomes(passed=1)
    assert [r["energy_j"] for r in run.test()["rounds"]] == TEN_J


def test_rounds_stop_when_the_mean_is_known(project: Project) -> None:
    """Rounds that hardly differ end after the least number and one confirmation, not at the file's end."""
    project.write("def test_work(energy):\n    energy.measure(lambda: None)\n")
    project.replay({"test_work": [10.0, 10.01] * 10})
    rounds = project.run().test()["rounds"]
    assert 5 <= len(rounds) < 20


def test_fixed_rounds_are_taken_exactly(project: Project) -> None:
    """`rounds=3` and `--energy-rounds=3` take three; the marker wins."""
    project.replay({"test_work": [1.0, 2.0] * 10})
    project.write("def test_work(energy):\n    energy.measure(lambda: None)\n")
    assert len(project.run("--energy-rounds=3").test()["rounds"]) == 3
    project.write("@pytest.mark.energy(rounds=4)\ndef test_work(energy):\n    energy.measure(lambda: None)\n")
    assert len(project.run("--energy-rounds=3").test()["rounds"]) == 4


def test_a_marked_test_without_the_fixture_is_one_round(project: Project) -> None:
    """Its call phase is the round."""
    project.replay({"test_work": TEN_J})
    run = project.run()
    assert [r["energy_j"] for r in run.test()["rounds"]] == TEN_J[:1]


def test_an_unmarked_test_that_measures_is_judged(project: Project) -> None:
    """Using the fixture is enough to be compared with a baseline."""
    project.write("def test_work(energy):\n    energy.measure(lambda: None)\n")
    project.replay({"test_work": TEN_J})
    assert project.run().verdict() == "no-baseline"


def test_a_marked_test_that_forgets_to_measure_is_told(project: Project) -> None:
    """A budget on a test that never measures would hold for ever: it is unmeasured, and says why."""
    project.write("@pytest.mark.energy(budget_j=1)\ndef test_work(energy):\n    pass\n")
    project.replay({"test_work": TEN_J})
    run = project.run("-W", "default")
    assert run.verdict() == "unmeasured"
    assert run.test()["unmeasured_because"] == UNUSED


def test_windows_of_one_name_are_rounds(project: Project) -> None:
    """Three windows called the same are three rounds of one piece of work."""
    project.write(
        "def test_work(energy):\n"
        "    for _ in range(3):\n"
        "        with energy.window('epoch', samples=8) as window:\n            pass\n"
        "        assert window.reading.energy_j > 9\n"
    )
    project.replay({"test_work": TEN_J})
    entry = project.run().test()
    assert [r["energy_j"] for r in entry["rounds"]] == TEN_J[:3]
    assert entry["samples"] == 8


def test_windows_of_two_names_are_phases_of_one_round(project: Project) -> None:
    """Training and inference windows side by side: one round that is their sum and names both."""
    project.write(
        "def test_work(energy):\n"
        "    with energy.window('train', samples=64):\n        pass\n"
        "    with energy.window('infer', samples=16):\n        pass\n"
    )
    project.replay({"test_work": [30.0, 10.0]})
    (only,) = project.run().test()["rounds"]
    assert only["energy_j"] == pytest.approx(40)
    assert only["duration_s"] == pytest.approx(2)
    assert [(p["name"], p["energy_j"], p["samples"]) for p in only["phases"]] == [
        ("train", 30.0, 64),
        ("infer", 10.0, 16),
    ]


def test_names_opened_unequally_often_are_one_round(project: Project) -> None:
    """Windows that don't pair up are parts of one round; nothing is dropped."""
    project.write(
        "def test_work(energy):\n"
        "    for name in ('a', 'b', 'a'):\n        with energy.window(name):\n            pass\n"
    )
    project.replay({"test_work": [1.0, 2.0, 4.0]})
    (only,) = project.run().test()["rounds"]
    assert only["energy_j"] == pytest.approx(7)


def test_a_window_inside_a_round_is_a_phase_without_joules_in_a_replay(project: Project) -> None:
    """A replay file holds rounds; what a phase of one used is not known, and is not 0."""
    project.write(
        "def work(energy):\n    with energy.window('inner', samples=2):\n        pass\n"
        "def test_work(energy):\n    energy.measure(work, energy)\n"
    )
    project.replay({"test_work": TEN_J})
    (phase,) = project.run().test()["rounds"][0]["phases"]
    assert (phase["name"], phase["energy_j"], phase["samples"]) == ("inner", None, 2)
    assert phase["quality"]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("energy.measure(int); energy.measure(int)", "a test can be measured once"),
        ("with energy.window('a'): pass\n    energy.measure(int)", "a test can be measured once"),
        ("with energy.window('a'): energy.measure(int)", "a test can be measured once"),
        (
            "energy.measure(int)\n    with energy.window('a'): pass",
            "is outside the function that",
        ),
        ("energy.measure(lambda: energy.measure(int))", "a test can be measured once"),
        ("energy.record(loss=float('nan'))", "loss must be a number up to 1e+30, or None. Got nan."),
        ("energy.record(loss=10**400)", "0...."),
        ("energy.record(loss='0.5')", "Got '0.5'."),
        ("energy.record(loss=1j)", "Got 1j."),
        ("energy.measure(lambda: energy.model(None, None))", "inside a window"),
    ],
)
def test_misuse_is_an_error_that_says_what_to_do(project: Project, body: str, said: str) -> None:
    """Rounds beside windows, rounds twice, statistics inside a window, a metric that is no number."""
    project.write(f"def test_work(energy):\n    {body}\n")
    project.replay({"test_work": TEN_J})
    run = project.run()
    run.result.assert_outcomes(failed=1)
    assert said in run.text


def test_recorded_metrics_are_in_the_document(project: Project) -> None:
    """A metric of one's own, and one that could not be had, with the reason."""
    project.write(
        "def test_work(energy):\n    energy.measure(lambda: None)\n    energy.record(loss=0.25, bleu=None)\n"
    )
    project.replay({"test_work": TEN_J})
    entry = project.run().test()
    assert entry["metrics"]["loss"] == 0.25
    assert entry["metrics"]["bleu"] is None
    assert entry["absent"]["bleu"] == "recorded as None by the test"


def test_a_hook_adds_metrics(project: Project) -> None:
    """A metric of another plugin is computed from the record."""
    project.write("def test_work(energy):\n    energy.measure(lambda: None)\n")
    project.replay({"test_work": TEN_J})
    (project.path / "conftest.py").write_text(
        "def pytest_energy_metrics(config):\n"
        "    return {'rounds_taken': lambda record: len(record.rounds)}\n",
        encoding="utf-8",
    )
    assert project.run().test()["metrics"]["rounds_taken"] == 5


def test_a_round_that_raises_ends_the_test_with_its_own_error(project: Project) -> None:
    """The work's exception is the test's; no joules are reported for it."""
    project.write("def test_work(energy):\n    energy.measure(lambda: 1 / 0)\n")
    project.replay({"test_work": TEN_J})
    run = project.run()
    run.result.assert_outcomes(failed=1)
    assert "ZeroDivisionError" in run.text
    assert run.ids == []


def test_a_class_marker_and_a_function_marker_are_merged(project: Project) -> None:
    """The nearer marker wins, argument by argument."""
    project.write(
        "@pytest.mark.energy(budget_j=8, group='training')\n"
        "class TestWork:\n"
        "    @pytest.mark.energy(budget_j=12)\n"
        "    def test_inner(self, energy):\n        energy.measure(lambda: None)\n"
    )
    project.replay({"TestWork::test_inner": TEN_J})
    entry = project.run().test("TestWork::test_inner")
    assert (entry["verdict"], entry["budget_j"], entry["group"]) == ("pass", 12, "training")


def test_the_ini_file_sets_what_the_command_line_does_not(project: Project) -> None:
    """An ini twin is the default, a flag wins."""
    project.write("def test_work(energy):\n    energy.measure(lambda: None)\n")
    project.replay({"test_work": TEN_J})
    (project.path / "pytest.ini").write_text("[pytest]\nenergy_strict = true\n", encoding="utf-8")
    assert project.run().result.ret == pytest.ExitCode.TESTS_FAILED
    assert project.run("--energy-baseline=off").result.ret == 0


def test_help_and_markers_name_everything(pytester: pytest.Pytester) -> None:
    """`--help` lists each option; `--markers` each argument of the marker, from one definition."""
    help_text = pytester.runpytest_inprocess("--help").stdout.str()
    for flag in ("--energy-report", "--energy-baseline=check|add|replace|off", "--energy-estimates"):
        assert flag in help_text
    markers_text = pytester.runpytest_inprocess("--markers").stdout.str()
    for argument in ("budget_j=", "budget_per_sample_j=", "max_time=", "domains="):
        assert argument in markers_text


def test_the_summary_line_without_report_counts_the_verdicts(project: Project) -> None:
    """A run that doesn't ask for the report still hears of its verdicts in one line."""
    project.replay({"test_work": TEN_J})
    assert "energy: 1 no-baseline" in project.run().text


def test_outputs_of_several_formats_agree(project: Project) -> None:
    """Outputs of several formats hold the same tests."""
    project.replay({"test_work": TEN_J})
    run = project.run("--energy-out=deeper/again.json", "--energy-out=out.csv")
    again = json.loads((project.path / "deeper" / "again.json").read_text(encoding="utf-8"))
    assert run.document is not None
    assert again["tests"] == run.document["tests"]
    with (project.path / "out.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["id"] for row in rows] == ["test_work.py::test_work"]


def test_a_users_completion_list_has_what_a_user_needs(project: Project) -> None:
    """Nothing of the plugin's own stands among the names of the fixture and of a window."""
    project.write(
        "def test_work(energy):\n"
        "    with energy.window('w') as window:\n        pass\n"
        "    names = [n for n in dir(energy) if not n.startswith('_')]\n"
        "    assert names == (\n"
        "        'command compare layers measure model operators ray record '\n"
        "        'requests roles sweep until window'.split()\n"
        "    )\n"
        "    assert [n for n in dir(window) if not n.startswith('_')] == ['name', 'reading', 'samples']\n"
    )
    project.replay({"test_work": TEN_J})
    project.run().result.assert_outcomes(passed=1)


def test_a_model_is_named_where_it_is_described(project: Project) -> None:
    """A parameter of the test is the row's name; without one, the marker's stays."""
    project.write(
        "import torch\n\n"
        "@pytest.mark.energy(group='inference', model='net')\n"
        "@pytest.mark.parametrize('size', ['s', None])\n"
        "def test_work(energy, size):\n"
        "    energy.model(torch.nn.Linear(2, 2), torch.ones(1, 2), name=size)\n"
        "    energy.measure(int)\n"
    )
    project.replay({f"test_work[{name}]": TEN_J for name in ("s", "None")})
    run = project.run()
    assert [run.test(f"test_work[{name}]")["model"] for name in ("s", "None")] == ["s", "net"]


def test_roles_that_a_test_gives_are_in_its_record(project: Project) -> None:
    """They are kept for channels that were measured, and the joules are by role."""
    project.write(
        "def test_work(energy):\n"
        "    energy.roles({'gpu:0': 'prefill', 'gpu:1': 'decode'})\n"
        "    energy.measure(lambda: None)\n"
    )
    project.replay({"test_work": TEN_J})
    test = project.run().test()
    assert test["roles"] == {"gpu:0": "prefill"}
    assert test["energy_by_role_j"] == {"prefill": test["energy_j"]}


@pytest.mark.parametrize(
    ("given", "because"),
    [
        ("{'0': 'prefill'}", "a channel is called gpu:..., cpu:..., dram:..."),
        ("{'gpu:0': ''}", "the role of gpu:0 must be a text of 1 to 40 characters. Got ''."),
        ("{'gpu:0': 'x' * 41}", "must be a text of 1 to 40 characters"),
        ("'prefill'", "takes channels and their roles"),
    ],
)
def test_a_role_that_cannot_be_is_refused(project: Project, given: str, because: str) -> None:
    """What, where, the value and what to do, before anything is measured."""
    project.write(f"def test_work(energy):\n    energy.roles({given})\n    energy.measure(lambda: None)\n")
    project.replay({"test_work": TEN_J})
    run = project.run()
    run.result.assert_outcomes(failed=1)
    assert because in run.text
