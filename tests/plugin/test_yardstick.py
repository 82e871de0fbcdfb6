"""The yardstick in a run: when it is measured, what becomes of its records, and where there is none."""

import json
from dataclasses import replace
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from pytest_energy.analysis import load
from pytest_energy.baselines.store import Store
from pytest_energy.cli import main
from pytest_energy.report import schema
from pytest_energy.report.to_json import read
from tests.plugin.conftest import Project, Run

NAMES = ("rest", "compute", "memory", "launches")
CPU = [f"yardstick::cpu-{name}" for name in NAMES]
GPU = [f"yardstick::gpu-{name}" for name in NAMES]

# A processor and a GPU that draw 100 W each, always, and loads of which a unit takes a millisecond.
CONFTEST = """
import os
import sys
import time
from pytest_energy.errors import SensorUnavailable
from pytest_energy.model import Channel, Provenance
from pytest_energy.usage import Usage
from pytest_energy.sensors.protocol import Facts
from pytest_energy.yardstick import cpu_loads, gpu_loads, load

class Steady:
    provenance = Provenance.MEASURED

    def __init__(self, name, channel):
        self.name = name
        domain = Channel.domain_of(channel)
        self.channels = (
            Channel(name=channel, domain=domain, device=name, is_ticked=False, resolution_j=1e-6),
        )

    def read_j(self, channel):
        return 100.0 * time.monotonic()

    def usage(self):
        return Usage()

    def facts(self):
        return Facts(fixed={self.name: "100 W"}, key_parts=(self.name,))

    def close(self):
        pass

def absent():
    raise SensorUnavailable("absent", "there is none")

def pytest_energy_sensors(config):
    return {
        "absent": absent,
        "wall": lambda: Steady("wall", "cpu:wall"),
        "card": lambda: Steady("card", "gpu:0"),
    }

@pytest.hookimpl(tryfirst=True)
def pytest_configure(config):
    patch = pytest.MonkeyPatch()
    config.add_cleanup(patch.undo)
    for kind, count in ("hashing", "_HASH_COUNT"), ("copying", "_COPY_COUNT"), ("calling", "_CALL_COUNT"):
        patch.setattr(cpu_loads, kind, lambda *_: lambda count: time.sleep(count * 1e-3))
        patch.setattr(cpu_loads, count, 64)
    patch.setattr(cpu_loads, "_COPIED_BYTES", 0)
    patch.setattr(gpu_loads, "_LAUNCH_COUNT", 64)
    prepare(patch)

def prepare(patch):
    pass
"""
# torch is imported, as by the head of a test file, and its GPU is closed until a test opens it.
WITH_TORCH = """
def prepare(patch):
    from tests.fakes.torch_cuda import FakeTorch
    patch.setitem(sys.modules, "torch", FakeTorch(wait_s=0.02))
"""
TESTS = """
import sys
import time
from datetime import UTC, datetime

@pytest.fixture(autouse=True)
def began(request):
    now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    with open("began", "a") as file:
        file.write(f"{request.node.name} {now}\\n")

@pytest.mark.energy(rounds=3, warmup=0)
def test_work(energy):
    energy.measure(lambda: time.sleep(0.02))

@pytest.mark.energy(rounds=3, warmup=0)
def test_more(energy):
    energy.measure(lambda: time.sleep(0.02))
"""


@pytest.fixture
def wall(virtual_project: Project) -> Project:
    """A project whose processor is measured."""
    virtual_project.write(TESTS)
    virtual_project.write(CONFTEST, "conftest.py")
    return virtual_project


@pytest.fixture
def card(wall: Project) -> Project:
    """A project whose tests have a torch with one GPU, which is measured where the sensor card is."""
    wall.write(CONFTEST + WITH_TORCH, "conftest.py")
    return wall


def measured(project: Project, *options: str, sensors: str = "wall", subprocess: bool = False) -> Run:
    return project.run(f"--energy-sensors={sensors}", *options, subprocess=subprocess)


def records(run: Run) -> list[dict[str, Any]]:
    assert run.document is not None, run.text
    found: list[dict[str, Any]] = run.document["yardstick"]
    return found


def loads(run: Run) -> dict[str, dict[str, Any]]:
    """The yardstick's records by id, each once."""
    by_id = {record["id"]: record for record in records(run)}
    assert len(by_id) == len(records(run))
    return by_id


def absent_because(run: Run) -> str:
    assert run.document is not None, run.text
    assert "yardstick" not in run.document
    because: str = run.document["yardstick_absent_because"]
    return because


def began(project: Project) -> dict[str, str]:
    """When the first fixture of each test was set up."""
    lines = (project.path / "began").read_text(encoding="utf-8").splitlines()
    return dict(line.split() for line in lines)


# What is measured, and when


def test_the_loads_of_a_processor_are_measured(wall: Project) -> None:
    """Each load has an ordinary record of measured joules, over the domain that it moves."""
    run = measured(wall, "--energy-yardstick=on")
    run.result.assert_outcomes(passed=2)
    assert list(loads(run)) == CPU
    for record in loads(run).values():
        assert record["provenance"] == "measured"
        assert record["void_because"] is record["unmeasured_because"] is None
        assert {name for one in record["rounds"] for name in one["channels"]} == {"cpu:wall"}
    assert [len(record["rounds"]) for record in loads(run).values()] == [1, 3, 3, 3]
    compute = loads(run)["yardstick::cpu-compute"]
    assert compute["work"] == {"yardstick": "SHA-256 of 1 MiB", "yardstick_amount": "64"}
    assert compute["samples"] == 64


def test_it_is_measured_before_the_first_test(wall: Project) -> None:
    """Before the fixtures of the first energy test: nothing of a test is in its way."""
    run = measured(wall, "--energy-yardstick=on")
    assert max(record["created"] for record in loads(run).values()) <= began(wall)["test_work"]


def test_the_tests_are_none_of_it(wall: Project) -> None:
    """The loads are in no table of tests, and no verdict is one of theirs."""
    run = measured(wall, "--energy-yardstick=on", "--energy-report")
    assert run.document is not None
    assert [test["id"] for test in run.document["tests"]] == [
        "test_work.py::test_work",
        "test_work.py::test_more",
    ]
    assert "2 no-baseline" in run.text or run.text.count("no-baseline") >= 2
    assert "yardstick::" not in run.text


def test_each_worker_measures_its_own(wall: Project) -> None:
    """Their cards may be two: a load has a record of each session that has tests, in JSON and baselines."""
    run = measured(
        wall, "--energy-yardstick=on", "--energy-baseline=replace", "-n2", "--dist=each", subprocess=True
    )
    assert run.document is not None, run.text
    sessions = {record["session"] for record in records(run)}
    assert len(sessions) == 2
    assert {test["session"] for test in run.document["tests"]} <= sessions
    for session in sessions:
        assert [record["id"] for record in records(run) if record["session"] == session] == CPU
    assert stored_loads(wall) == dict.fromkeys(CPU, 2)


def test_a_gpu_is_opened_where_the_yardstick_is_asked_for(card: Project) -> None:
    """With `on` the loads of the GPU come before the first test, too."""
    run = measured(card, "--energy-yardstick=on", sensors="card")
    assert list(loads(run)) == GPU
    assert all(record["rounds"] and not record["void_because"] for record in loads(run).values())
    assert max(record["created"] for record in loads(run).values()) <= began(card)["test_work"]
    assert {name for r in loads(run).values() for one in r["rounds"] for name in one["channels"]} == {"gpu:0"}


def test_each_kind_of_device_counts_its_own_joules(card: Project) -> None:
    """Where both are measured, the loads of the GPU are over its channel, and the CPU's over the CPU's."""
    run = measured(card, "--energy-yardstick=on", sensors="wall,card")
    assert list(loads(run)) == GPU + CPU
    channels = {
        (name, channel)
        for name, record in loads(run).items()
        for one in record["rounds"]
        for channel in one["channels"]
    }
    assert channels == {(name, "gpu:0") for name in GPU} | {(name, "cpu:wall") for name in CPU}


ANY_LENGTH = """
def prepare(patch):
    from pytest_energy.yardstick import worth
    patch.setattr(worth, "GUESS_S", 1000.0)
"""
OPENS_GPU = "energy.measure(lambda: sys.modules['torch'].zeros(1, device='cuda'))"


def test_a_closed_gpu_is_waited_for(card: Project) -> None:
    """On its own the yardstick opens no GPU: its loads come after the first test that has opened it."""
    card.write(CONFTEST + WITH_TORCH + ANY_LENGTH.partition("):\n")[2], "conftest.py")
    card.write(TESTS.replace("energy.measure(lambda: time.sleep(0.02))", OPENS_GPU, 1))
    run = measured(card, sensors="card")
    assert list(loads(run)) == GPU
    times = [record["created"] for record in loads(run).values()]
    assert began(card)["test_work"] < min(times)
    assert max(times) <= began(card)["test_more"]


def test_a_gpu_that_nobody_opens_has_a_reason(card: Project) -> None:
    """Every load that waited in vain has a record without rounds that says why."""
    card.write(CONFTEST + WITH_TORCH + ANY_LENGTH.partition("):\n")[2], "conftest.py")
    run = measured(card, sensors="card")
    run.result.assert_outcomes(passed=2)
    assert list(loads(run)) == GPU
    for record in loads(run).values():
        assert record["rounds"] == []
        assert record["unmeasured_because"].startswith("nothing in this process has used CUDA yet")


def test_a_load_that_fails_fails_no_test(card: Project) -> None:
    """Its record says what went wrong, and the other loads are measured all the same."""
    failing = "    sys.modules['torch'].failing = 'mm'\n"
    card.write(CONFTEST + WITH_TORCH + failing, "conftest.py")
    run = measured(card, "--energy-yardstick=on", sensors="card")
    run.result.assert_outcomes(passed=2)
    compute = loads(run).pop("yardstick::gpu-compute")
    assert compute["unmeasured_because"] == "RuntimeError: CUDA out of memory in mm"
    assert compute["rounds"] == []
    others = [record for name, record in loads(run).items() if name != "yardstick::gpu-compute"]
    assert all(record["rounds"] for record in others)


# Where there is none


def test_a_short_suite_has_none(wall: Project) -> None:
    """By default it costs at most a twentieth of the suite; the reason has both figures."""
    because = absent_because(measured(wall))
    assert because.startswith("about 5 s are more than 5 % of the suite, whose tests take about 10 s")


def test_the_stored_records_say_how_long_a_suite_is(wall: Project) -> None:
    """Tests of which the newest session took long are worth a yardstick."""
    measured(wall, "--energy-baseline=add")
    store = Store(wall.path / "baselines")
    for path in store.paths():
        (stored,) = store.read(path).entries
        longer = replace(stored, rounds=tuple(replace(one, duration_s=50.0) for one in stored.rounds))
        store.write(stored.machine.key, stored.test_id, (longer,), "replace")
    assert list(loads(measured(wall))) == CPU


def test_workers_share_the_suite(wall: Project) -> None:
    """Each of two workers has half of the tests' time for a yardstick of its own."""
    because = absent_because(measured(wall, "-n2", subprocess=True))
    assert "whose tests take about 5 s" in because


@pytest.mark.parametrize("mode", ["off", "auto"])
def test_it_can_be_turned_off(wall: Project, mode: str) -> None:
    """With `off` nothing is measured however long the suite is; the ini file says it as well."""
    wall.write(CONFTEST + ANY_LENGTH, "conftest.py")
    (wall.path / "pytest.ini").write_text(f"[pytest]\nenergy_yardstick = {mode}\n", encoding="utf-8")
    run = measured(wall)
    if mode == "off":
        assert absent_because(run) == "--energy-yardstick=off"
    else:
        assert list(loads(run)) == CPU


def test_replayed_joules_have_none(wall: Project) -> None:
    """A replay measures nothing."""
    wall.replay({"test_work": [10.0] * 3, "test_more": [10.0] * 3})
    run = wall.run("--energy-yardstick=on")
    assert absent_because(run) == "the joules of this run are replayed, not measured"


def test_estimated_joules_have_none(project: Project) -> None:
    """A model of the processor has no board that could change."""
    project.write(TESTS)
    run = project.run("--energy-sensors=estimate", "--energy-yardstick=on")
    assert absent_because(run) == "the joules of this run are estimated, not measured"


def test_without_a_sensor_there_is_none(wall: Project) -> None:
    """Nothing here moves a joule that anybody counts."""
    run = measured(wall, "--energy-yardstick=on", sensors="absent")
    assert absent_because(run) == "this run measures no channel of a GPU, a CPU or its memory"


def test_a_run_that_measures_nothing_has_none(wall: Project) -> None:
    """With --energy-off the tests run once and nothing else does."""
    run = measured(wall, "--energy-yardstick=on", "--energy-off")
    run.result.assert_outcomes(passed=2)
    assert run.ids == []
    assert "yardstick" not in run.text


def test_collecting_measures_nothing(wall: Project) -> None:
    """--collect-only opens no sensor."""
    run = measured(wall, "--energy-yardstick=on", "--collect-only")
    assert run.result.ret == 0
    assert run.document is None


def test_a_run_in_turns_with_another_has_none(wall: Project) -> None:
    """Both sides of `ab` share one card, and wait for each other's turn."""
    in_turns = (
        "\n@pytest.hookimpl(trylast=True)\n"
        "def pytest_sessionstart(session):\n"
        "    from pytest_energy.plugin.rounds import Sequential\n"
        "    from pytest_energy.plugin.run import run_of\n"
        "    run_of(session.config).scheduler = Sequential()\n"
    )
    wall.write(CONFTEST + in_turns, "conftest.py")
    because = absent_because(measured(wall, "--energy-yardstick=on"))
    assert because == "both sides of a comparison take turns on one GPU"


@pytest.mark.parametrize("mode", ["yes", "ON", ""])
def test_a_mode_that_there_is_not_stops_the_run(wall: Project, mode: str) -> None:
    """A misspelt word must not turn it off."""
    run = measured(wall, f"--energy-yardstick={mode}")
    assert run.result.ret == pytest.ExitCode.USAGE_ERROR
    assert f"--energy-yardstick must be auto, on or off. Got {mode!r}." in run.text


# What is written


def test_the_document_fits_its_schema_and_comes_back(wall: Project) -> None:
    """The records stand in the run's JSON as they were, machine and sensors at the top once."""
    run = measured(wall, "--energy-yardstick=on")
    Draft202012Validator(json.loads(schema.text("run"))).validate(run.document)
    assert all(not {"machine", "sensors"} & record.keys() for record in loads(run).values())
    text = (wall.path / "out.json").read_text(encoding="utf-8")
    view = read(text, "out.json")
    assert [record.test_id for record in view.yardstick.records] == CPU
    assert all(record.machine == view.machine for record in view.yardstick.records)
    assert [r.energy_j for r in view.yardstick.records[0].rounds] == [
        one["energy_j"] for one in loads(run)[CPU[0]]["rounds"]
    ]


def test_a_notebook_has_its_rounds(wall: Project) -> None:
    """`load` gives the tests as before, and the loads where they are asked for."""
    measured(wall, "--energy-yardstick=on")
    assert list(load(wall.path / "out.json")["id"]) == ["test_work.py::test_work", "test_work.py::test_more"]
    frame = load(wall.path / "out.json", each="yardstick")
    assert list(frame["id"]) == [CPU[0], *[name for name in CPU[1:] for _ in range(3)]]
    assert frame["energy_j"].min() > 0


def stored_loads(project: Project) -> dict[str, int]:
    """Sessions of each load in the baselines."""
    store = Store(project.path / "baselines")
    baselines = [store.read(path) for path in store.paths()]
    return {b.test_id: len(b.entries) for b in baselines if b.test_id.startswith("yardstick::")}


def test_the_records_are_stored_beside_those_of_the_tests(wall: Project) -> None:
    """`add` puts a session of each load beside the tests', in a folder of their own; a check adds none."""
    run = measured(wall, "--energy-yardstick=on", "--energy-baseline=add")
    assert stored_loads(wall) == dict.fromkeys(CPU, 1)
    assert "6 baseline(s) added to" in run.text
    assert sorted(path.name for path in wall.baseline_paths if path.parent.name == "yardstick") == [
        "cpu-compute.json",
        "cpu-launches.json",
        "cpu-memory.json",
        "cpu-rest.json",
    ]
    measured(wall, "--energy-yardstick=on")
    assert stored_loads(wall) == dict.fromkeys(CPU, 1)
    measured(wall, "--energy-yardstick=on", "--energy-baseline=replace")
    assert stored_loads(wall) == dict.fromkeys(CPU, 1)


def test_without_a_test_no_load_is_stored(wall: Project) -> None:
    """Where no test's record enters the baselines, the card of that run says nothing of any."""
    wall.write(TESTS.replace("mark.energy(", "mark.energy(budget_j=0.001, "))
    run = measured(wall, "--energy-yardstick=on", "--energy-baseline=add")
    assert list(loads(run)) == CPU
    assert stored_loads(wall) == {}


def test_the_stored_amount_is_kept(wall: Project) -> None:
    """A later run takes the amount that the baseline has, so that its sessions can be compared."""
    measured(wall, "--energy-yardstick=on", "--energy-baseline=add")
    store = Store(wall.path / "baselines")
    (path,) = (path for path in store.paths() if path.name == "cpu-compute.json")
    (stored,) = store.read(path).entries
    less = replace(stored, samples=16, workload={**stored.workload, "yardstick_amount": "16"})
    store.write(stored.machine.key, stored.test_id, (less,), "replace")
    run = measured(wall, "--energy-yardstick=on", "--energy-baseline=add")
    assert loads(run)["yardstick::cpu-compute"]["work"]["yardstick_amount"] == "16"
    assert stored_loads(wall) == dict.fromkeys(CPU, 2)
    run = measured(wall, "--energy-yardstick=on", "--energy-baseline=off")
    assert loads(run)["yardstick::cpu-compute"]["work"]["yardstick_amount"] == "64"


def test_a_load_that_can_not_stand_beside_the_stored_ones_is_named(wall: Project) -> None:
    """It is left out, and the other baselines are written all the same."""
    measured(wall, "--energy-yardstick=on", "--energy-baseline=add")
    wall.write(
        CONFTEST + "\ndef prepare(patch):\n    patch.setattr(cpu_loads, '_HASH_COUNT', 48)\n", "conftest.py"
    )
    run = measured(wall, "--energy-yardstick=on", "--energy-baseline=add")
    assert stored_loads(wall) == {name: 1 if "compute" in name else 2 for name in CPU}
    assert "no baseline written for yardstick::cpu-compute: it can't be added to the stored" in run.text


def test_a_broken_baseline_of_a_load_fails_no_test(wall: Project) -> None:
    """The load isn't measured, and the reason names the file."""
    measured(wall, "--energy-yardstick=on", "--energy-baseline=add")
    (path,) = (path for path in wall.baseline_paths if path.name == "cpu-compute.json")
    path.write_text("{", encoding="utf-8")
    run = measured(wall, "--energy-yardstick=on")
    run.result.assert_outcomes(passed=2)
    assert str(path) in loads(run)["yardstick::cpu-compute"]["unmeasured_because"]


def test_the_loads_share_the_ready_power_of_the_session(wall: Project) -> None:
    """What the end of the run works out of all rounds is in their records as in the tests', also stored."""
    run = measured(wall, "--energy-yardstick=on", "--energy-baseline=add")
    ready_power = run.test()["ready_power"]
    assert ready_power["cpu:wall"]["power_w"] == pytest.approx(100.0, rel=0.1)
    assert all(record["ready_power"] == ready_power for record in loads(run).values())
    store = Store(wall.path / "baselines")
    baselines = [store.read(path) for path in store.paths()]
    assert all("cpu:wall" in one.entries[0].ready_power for one in baselines)


def test_the_end_of_the_run_knows_what_the_loads_used_before(wall: Project) -> None:
    """The stored sessions of the loads are at hand when all is judged together, and are no tests."""
    looking = (
        "\ndef pytest_sessionfinish(session):\n"
        "    from pytest_energy.plugin.run import run_of\n"
        "    gate = run_of(session.config).gate\n"
        "    open('known', 'w').write(' '.join(sorted({*gate._histories} - {*gate.durations_s})))\n"
    )
    wall.write(CONFTEST + looking, "conftest.py")
    measured(wall, "--energy-yardstick=on", "--energy-baseline=add")
    assert (wall.path / "known").read_text(encoding="utf-8") == ""
    measured(wall, "--energy-yardstick=on")
    assert (wall.path / "known").read_text(encoding="utf-8").split() == sorted(CPU)


def test_a_load_that_has_risen_is_not_measured_again(wall: Project) -> None:
    """What would be confirmed in a test is a card that has changed: the rounds stay three."""
    measured(wall, "--energy-yardstick=on", "--energy-baseline=add")
    store = Store(wall.path / "baselines")
    for path in store.paths():
        (stored,) = store.read(path).entries
        tenth = tuple(
            replace(one, channels={name: energy_j / 10 for name, energy_j in one.channels.items()})
            for one in stored.rounds
        )
        store.write(stored.machine.key, stored.test_id, (replace(stored, rounds=tenth),), "replace")
    run = measured(wall, "--energy-yardstick=on")
    assert [len(record["rounds"]) for record in loads(run).values()] == [1, 3, 3, 3]
    assert all("confirming_count" not in record for record in loads(run).values())


def accepted(project: Project, capsys: pytest.CaptureFixture[str], *, status: int = 0) -> str:
    """What `pytest-energy accept` says of the project's run, by which it ends with *status*."""
    capsys.readouterr()
    words = ["accept", str(project.path / "out.json"), "--baselines", str(project.path / "baselines")]
    assert main(words) == status
    return capsys.readouterr().out


def test_accept_takes_the_loads_with_the_tests(wall: Project, capsys: pytest.CaptureFixture[str]) -> None:
    """A run that is accepted brings its yardstick; twice is once."""
    measured(wall, "--energy-yardstick=on")
    assert "6 added of" in accepted(wall, capsys)
    assert stored_loads(wall) == dict.fromkeys(CPU, 1)
    assert "6 already stored of" in accepted(wall, capsys)
    assert stored_loads(wall) == dict.fromkeys(CPU, 1)


def test_accept_takes_no_load_without_a_test(wall: Project, capsys: pytest.CaptureFixture[str]) -> None:
    """Of a run none of whose tests passed nothing enters."""
    wall.write(TESTS.replace("mark.energy(", "mark.energy(budget_j=0.001, "))
    measured(wall, "--energy-yardstick=on")
    accepted(wall, capsys, status=1)
    assert stored_loads(wall) == {}


def test_pruning_leaves_the_loads(wall: Project, capsys: pytest.CaptureFixture[str]) -> None:
    """A run without a yardstick has the same tests: the loads are no tests that are gone."""
    measured(wall, "--energy-yardstick=on", "--energy-baseline=add")
    measured(wall, "test_work.py::test_work")
    words = ["--baselines", str(wall.path / "baselines"), "--missing-tests-from", str(wall.path / "out.json")]
    assert main(["baselines", "prune", *words, "--yes"]) == 0
    assert "removed: test_work.py::test_more" in capsys.readouterr().out
    assert stored_loads(wall) == dict.fromkeys(CPU, 1)
