"""The tests of others run as without the plugin, and what they do to their process is no harm to it."""

from tests.plugin.conftest import Project

MODULES_GIVEN_BACK = """
import sys
from unittest import mock

@pytest.fixture
def modules_as_they_were():
    with mock.patch.dict(sys.modules):
        yield

def test_with_it(modules_as_they_were, request):
    request.getfixturevalue("energy").measure(sum, [1, 2])

def test_other(energy):
    energy.measure(sum, [1, 2])

def test_not_ours():
    assert sys.modules["pytest_energy.model"].Record is sys.modules["pytest_energy.plugin.run"].Record
"""

IMPORTS_REFUSED = """
import builtins
import sys

@pytest.fixture(params=["refused", "emptied"])
def without_imports(request, monkeypatch):
    if request.param == "refused":
        import_it = builtins.__import__
        def refuse(name, *args, **kwargs):
            caller = (args[0] if args else None) or {}
            if not caller.get("__name__", "").startswith("pytest_energy"):  # pytest, to tell of a failure
                return import_it(name, *args, **kwargs)
            raise ImportError(name)
        monkeypatch.setattr(builtins, "__import__", refuse)
    else:
        for name in [name for name in sys.modules if name.partition(".")[0] not in ("builtins", "sys")]:
            monkeypatch.delitem(sys.modules, name)

@pytest.mark.energy(domains="gpu", parts=("work", "joules"))
def test_work(without_imports, energy):
    energy.measure(sum, [1, 2])
"""


def test_modules_that_a_test_gives_back_are_no_loss(project: Project) -> None:
    """Also where the fixture was asked for by name, inside the test's own patches."""
    project.write(MODULES_GIVEN_BACK)
    project.replay({name: [1.0] * 9 for name in ("test_with_it", "test_other")})
    run = project.run(subprocess=True)
    run.result.assert_outcomes(passed=3)
    assert run.verdict("test_other") == "no-baseline"


def test_a_test_may_refuse_every_import(project: Project) -> None:
    """What measures and judges was imported before its fixtures."""
    project.write(IMPORTS_REFUSED)
    names = ("test_work[refused]", "test_work[emptied]")
    project.replay({name: [1.0] * 9 for name in names})
    run = project.run(subprocess=True)
    run.result.assert_outcomes(passed=2)
    assert [run.verdict(name) for name in names] == ["no-baseline"] * 2
