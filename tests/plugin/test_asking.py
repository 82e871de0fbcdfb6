"""Who asks for energy, and in which way: each test that does has a verdict, and nobody else has."""

import json

import pytest

from tests.plugin.conftest import Project, Run

TEN_J = [10.0, 10.1, 9.9, 10.05, 9.95]
OVER = "@pytest.mark.energy(budget_j=8)\n"


def run_of(project: Project, source: str, *options: str, name: str = "test_work") -> Run:
    project.write(source)
    project.replay({name: TEN_J})
    return project.run(*options)


def fixture(name: str, body: str) -> str:
    return f"@pytest.fixture\ndef {name}(energy):\n    {body}\n\n"


# By the fixture, in whatever way

WAYS = """
def test_at_run_time(request):
    request.getfixturevalue('energy').measure(int)

@pytest.fixture
def late(request):
    request.getfixturevalue('energy').measure(int)

def test_by_a_fixture_at_run_time(late):
    pass

@pytest.fixture
def around(energy):
    with energy.window('x'):
        yield

def test_around(around):
    pass

@pytest.fixture
def before(energy):
    with energy.window('x'):
        pass

def test_before(before):
    pass

@pytest.fixture
def rounds_before(energy):
    return energy.measure(int)

def test_rounds_before(rounds_before):
    assert rounds_before == 0

@pytest.fixture
def after(energy):
    yield
    energy.measure(int)

def test_after(after):
    pass

@pytest.fixture
def on_both_sides(energy):
    with energy.window('load'):
        pass
    yield
    with energy.window('unload'):
        pass

def test_on_both_sides(on_both_sides):
    pass

@pytest.fixture
def passed_on(energy):
    return energy.measure

def test_passed_on(passed_on):
    passed_on(int)

@pytest.mark.parametrize('energy', [1], indirect=True)
def test_indirect(energy):
    energy.measure(int)

class TestOverride:
    @pytest.fixture
    def energy(self, energy):
        return energy.measure

    def test_overridden(self, energy):
        energy(int)
"""


def test_each_way_to_the_fixture_is_measured(project: Project) -> None:
    """Asked for at run time, through other fixtures, in their set-up, around the test, after it."""
    names = [line.split("def ")[1].split("(")[0] for line in WAYS.splitlines() if "def test_" in line]
    places = {"test_indirect": "test_indirect[1]", "test_overridden": "TestOverride::test_overridden"}
    names = [places.get(name, name) for name in names]
    project.write(WAYS)
    project.replay(dict.fromkeys(names, TEN_J))
    run = project.run()
    run.result.assert_outcomes(passed=10)
    assert {name: run.verdict(name) for name in names} == dict.fromkeys(names, "no-baseline")
    taken = {name: run.test(name)["rounds"][0]["energy_j"] for name in names}
    assert taken == dict.fromkeys(names, TEN_J[0]) | {"test_on_both_sides": pytest.approx(sum(TEN_J[:2]))}


def test_a_doctest_is_gated(project: Project) -> None:
    """`getfixture` asks at run time as well, and the test has a baseline like any."""
    source, name = '"""\n>>> getfixture("energy").measure(int)\n0\n"""\n', "test_work"
    (project.path / "test_work.py").write_text(source, encoding="utf-8")
    project.replay({name: TEN_J})
    assert project.run("--doctest-modules", "--energy-baseline=add").verdict(name) == "no-baseline"
    project.replay({name: [1.5 * energy_j for energy_j in TEN_J]})
    run = project.run("--doctest-modules")
    assert run.verdict(name) == "regression"
    run.result.assert_outcomes(failed=1)


def test_a_marked_test_that_asks_at_run_time_is_measured_whole(project: Project) -> None:
    """Its windows are phases of the call; rounds inside are refused, with what to do."""
    body = "def test_work(request):\n    energy = request.getfixturevalue('energy')\n"
    run = run_of(project, f"{OVER}{body}    with energy.window('part'): pass\n")
    assert run.verdict() == "over-budget"
    assert [phase["name"] for phase in run.test()["rounds"][0]["phases"]] == ["part"]
    run = run_of(project, f"{OVER}{body}    energy.measure(int)\n")
    run.result.assert_outcomes(failed=1)
    assert "Take the fixture as an argument" in run.text


GATED = (
    fixture("around", "with energy.window('x'): yield")
    + fixture("after", "yield; energy.measure(int)")
    + f"{OVER}def test_around(around):\n    pass\n\n{OVER}def test_after(after):\n    pass\n"
)


@pytest.mark.parametrize("options", [(), ("--maxfail=9",), ("-n1",)])
def test_what_fixtures_measure_is_gated(project: Project, options: tuple[str, ...]) -> None:
    """A budget holds for it: the test fails, or where it can't wait the end of its fixtures does."""
    names = ("test_around", "test_after")
    project.write(GATED)
    project.replay(dict.fromkeys(names, TEN_J))
    run = project.run(*options, "--junitxml=junit.xml", subprocess="-n1" in options)
    assert run.result.ret == 1
    run.result.assert_outcomes(**({"passed": 2, "errors": 2} if "--maxfail=9" in options else {"failed": 2}))
    for name in names:
        assert (run.verdict(name), run.test(name).get("outcome")) == ("over-budget", "failed")
    junit = (project.path / "junit.xml").read_text(encoding="utf-8")
    assert junit.count('name="energy_verdict" value="over-budget"') == 2


def test_a_window_of_a_fixture_is_confirmed_like_any(project: Project) -> None:
    """What looks like a regression runs once more, its fixtures as well."""
    project.write(fixture("around", "with energy.window('x'): yield") + "def test_work(around):\n    pass\n")
    project.replay({"test_work": [10.0]})
    for _ in range(3):
        project.run("--energy-baseline=add")
    project.replay({"test_work": [14.0, 10.0]})
    run = project.run()
    assert [one["energy_j"] for one in run.test()["rounds"]] == [14.0, 10.0]
    run.result.assert_outcomes(passed=1)


def test_what_comes_after_the_verdict_is_refused(project: Project) -> None:
    """A fixture can't add to a test that was judged when its body was over."""
    source = fixture("after", "yield\n    with energy.window('x'): pass")
    run = run_of(project, source + "def test_work(energy, after):\n    energy.measure(int)\n")
    run.result.assert_outcomes(passed=1, errors=1)
    assert "was judged when its body was over" in run.text
    assert run.test()["outcome"] == "failed"


# A suite's own `energy`

THEIRS = {
    "fixture": (
        "@pytest.fixture\ndef energy():\n    return -3.5\n\ndef test_work(energy):\n    assert energy < 0\n"
    ),
    "through": (
        "@pytest.fixture\ndef energy():\n    return -3.5\n\n@pytest.fixture\ndef level(energy):\n"
        "    return energy\n\ndef test_work(level):\n    assert level < 0\n"
    ),
    "at_run_time": (
        "@pytest.fixture\ndef energy():\n    return -3.5\n\n"
        "def test_work(request):\n    assert request.getfixturevalue('energy') < 0\n"
    ),
    "parameter": (
        "@pytest.mark.parametrize('energy', [-1.0])\ndef test_work(energy):\n    assert energy < 0\n"
    ),
    "generated": (
        "def pytest_generate_tests(metafunc):\n    metafunc.parametrize('energy', [-2.0])\n\n"
        "def test_work(energy):\n    assert energy < 0\n"
    ),
    "in_a_class": (
        "class TestWork:\n    @pytest.fixture\n    def energy(self):\n        return -3.5\n\n"
        "    def test_work(self, energy):\n        assert energy < 0\n"
    ),
    "of_a_fixture": (
        "@pytest.fixture(params=[-1.0])\ndef energy(request):\n    return request.param\n\n"
        "def test_work(energy):\n    assert energy < 0\n"
    ),
}


def test_a_suites_own_energy_is_theirs(project: Project) -> None:
    """A fixture or a parameter of that name makes no energy test, and measures nothing."""
    for name, source in THEIRS.items():
        project.write(source, name=f"test_{name}.py")
    (project.path / "test_work.py").unlink()
    run = project.run("--energy-strict")
    run.result.assert_outcomes(passed=7)
    assert run.ids == []


def test_a_conftests_own_energy_is_theirs(project: Project) -> None:
    """Also where another file brings it; our marker measures the call of such a test."""
    project.write("@pytest.fixture\ndef energy():\n    return -3.5\n", name="conftest.py")
    test = "def test_{}(energy):\n    assert energy < 0\n"
    run = run_of(project, f"{test.format('own')}\n{OVER}{test.format('work')}")
    run.result.assert_outcomes(passed=1, failed=1)
    assert run.ids == ["test_work.py::test_work"]
    assert run.verdict() == "over-budget"


# Skipped, failed, in part

SKIPPED = f"""
import unittest

{OVER}def test_inside():
    pytest.skip('no card')

{OVER}@pytest.mark.skip
def test_marked():
    pass

{OVER}def test_after_its_rounds(energy):
    energy.measure(int)
    pytest.skip('no card')

def test_at_run_time(request):
    request.getfixturevalue('energy').measure(int)
    pytest.skip('no card')

{OVER}class TestCases(unittest.TestCase):
    def test_inside(self):
        self.skipTest('no card')

    def test_raised(self):
        raise unittest.SkipTest('no card')

    @unittest.skip('no card')
    def test_decorated(self):
        pass

{OVER}@unittest.skipIf(True, 'no card')
class TestClass(unittest.TestCase):
    def test_of_a_class(self):
        pass
"""


@pytest.mark.parametrize("options", [(), ("-x",)])
def test_a_skipped_test_is_told_as_skipped(
    project: Project, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...]
) -> None:
    """No verdict, no row, no note of GitHub; a sentence says how many tests fewer were judged."""
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    project.write(SKIPPED)
    names = ("test_inside", "test_after_its_rounds", "TestCases::test_inside", "TestCases::test_raised")
    project.replay(dict.fromkeys((*names, "test_at_run_time"), TEN_J))
    run = project.run("--energy-strict", *options)
    run.result.assert_outcomes(skipped=8)
    assert run.ids == []
    first = "8 energy tests were skipped and have no verdict. The first is test_work.py::test_inside"
    assert run.document is not None
    assert run.document["run_notes"] == [first]
    assert first in run.text
    assert "\n::" not in run.text


@pytest.mark.parametrize("options", [(), ("-x",)])
def test_a_failed_test_case_has_no_verdict(project: Project, options: tuple[str, ...]) -> None:
    """What fails by its own check says nothing of energy, also where unittest keeps the failure for later."""
    source = (
        f"import unittest\n{OVER}class TestWork(unittest.TestCase):\n"
        "    def test_work(self):\n        self.assertEqual(1, 2)\n"
    )
    run = run_of(project, source, *options, name="TestWork::test_work")
    run.result.assert_outcomes(failed=1)
    assert "1 != 2" in run.text
    assert run.ids == []


IN_PART = (
    "import unittest\n"
    "@pytest.fixture\ndef broken():\n    yield\n    raise RuntimeError('corrupt')\n\n"
    + fixture("around", "with energy.window('x'): yield")
    + """
def test_rounds(energy, broken):
    energy.measure(int)

@pytest.mark.energy
def test_marked(broken):
    pass

def test_inner(around, broken):
    pass

def test_outer(broken, around):
    pass

@pytest.mark.energy
class TestMethod:
    def teardown_method(self):
        1 / 0

    def test_method(self):
        pass

@pytest.mark.energy
class TestCases(unittest.TestCase):
    def test_parts(self):
        with self.subTest(i=1):
            self.fail()
"""
)


def test_what_went_wrong_in_part_is_no_pass(project: Project) -> None:
    """A test whose fixtures break at their end, or of which a part fails, enters no baseline."""
    project.write(IN_PART)
    names = ("rounds", "marked", "inner", "outer")
    project.replay(dict.fromkeys((f"test_{name}" for name in names), TEN_J))
    replay = project.path / "replay.json"
    document = json.loads(replay.read_text(encoding="utf-8"))
    one = document["tests"]["test_work.py::test_rounds"]
    document["tests"] |= {
        f"test_work.py::{name}": one for name in ("TestMethod::test_method", "TestCases::test_parts")
    }
    replay.write_text(json.dumps(document), encoding="utf-8")
    run = project.run("--energy-baseline=add")
    assert run.result.ret == 1
    assert {test.get("outcome") for test in (run.document or {})["tests"]} <= {"failed"}
    assert project.baseline_paths == []


RERUNS = """
from _pytest.runner import runtestprotocol

@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item, nextitem):
    for _ in range(2):
        item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
        runtestprotocol(item, nextitem=nextitem)
        item._initrequest()
    return True
"""


@pytest.mark.parametrize("second", ["setup", "call"])
def test_of_a_repeated_test_the_last_run_counts(project: Project, second: str) -> None:
    """Where it fails, in its set-up or its body, the joules of the run before are nobody's."""
    project.write(RERUNS, name="conftest.py")
    source = (
        "runs = []\n@pytest.fixture\ndef prepared():\n    runs.append(1)\n"
        f"    assert len(runs) < 2 or {second != 'setup'}\n\n"
        "def test_work(energy, prepared):\n"
        f"    energy.measure(int)\n    assert len(runs) < 2 or {second != 'call'}\n"
    )
    run = run_of(project, source, "--energy-baseline=add")
    assert run.result.ret == 1
    assert run.ids == []
    assert project.baseline_paths == []
