"""Energy tests of each form, which stand among the tests of another project."""

from collections.abc import Iterator

import pytest

from pytest_energy import Energy


def work() -> int:
    return sum(range(1_000_000))  # some ticks of the counter


@pytest.fixture
def window_around(energy: Energy) -> Iterator[None]:
    with energy.window("around"):
        yield


@pytest.mark.energy(rounds=2)
def test_function(energy: Energy) -> None:
    energy.measure(work)


def test_window(energy: Energy) -> None:
    with energy.window("work"):
        work()


@pytest.mark.usefixtures("window_around")
def test_fixture() -> None:
    work()


def test_by_name(request: pytest.FixtureRequest) -> None:
    request.getfixturevalue("energy").measure(work)


@pytest.mark.energy(budget_j=1000.0)
@pytest.mark.parametrize("n", [1, 2])
def test_marked(n: int) -> None:
    assert n * work()


class TestClass:
    @pytest.mark.energy(max_time=1)
    def test_method(self, energy: Energy) -> None:
        energy.measure(work)
