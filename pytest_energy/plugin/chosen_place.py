"""The place where one test is measured.

Rule 1: it is settled when the test is about to be measured, after its fixtures, which may join a cluster.
Rule 2: a place that can't be had leaves the test unmeasured. No other place stands in for it.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

from pytest_energy.errors import EnergyError
from pytest_energy.model import Domain, Provenance
from pytest_energy.plugin.place import Place
from pytest_energy.plugin.run import EnergyRun


class ChosenPlace:
    """Where one test is measured: settled before its first window, and then the same.

    Args:
        look_at: Is given the machine's key of each place that is settled: its baseline is read.
        settled: The place, if it is known before the test.
    """

    def __init__(self, run: EnergyRun, look_at: Callable[[str], None], settled: Place | None) -> None:
        self._run, self._look_at, self.settled = run, look_at, settled
        self._find = run.places.usual

    @property
    def place(self) -> Place:
        """The place that is settled; until then, this machine."""
        return self._run.places.here if self.settled is None else self.settled

    @property
    def provenance(self) -> Provenance:
        """Of the joules there; asked of no meter that isn't started."""
        return self._run.provenance if self.settled is None else self.settled.meter.provenance

    def find_by(self, find: Callable[[], Place]) -> None:
        """Have *find* say where, when the test is about to be measured."""
        self._find, self.settled = find, None

    def settle(self, place: Place) -> None:
        """Measure the test at *place*.

        Raises:
            BaselineError: The baseline of that machine can't be read.
        """
        self.settled = place
        self._look_at(place.machine.key)

    def why_nowhere(self) -> str | None:
        """Settle the place if it isn't settled; why it can't be had, or `None`.

        Raises:
            BaselineError: The baseline of that machine can't be read.
        """
        if self.settled is None:
            try:
                place = self._find()
            except EnergyError as error:
                return str(error)
            self.settle(place)
        return None

    # Devices: only runs on this machine take turns at them

    def owned(self, domains: frozenset[Domain] | None) -> AbstractContextManager[None]:
        """Own the devices of *domains* there while windows are open."""
        place = self.place
        return self._run.owned(place.meter.devices(domains) if place.is_here else ())

    def held_to_count(self, domains: frozenset[Domain] | None) -> AbstractContextManager[None]:
        """Own them while a call is counted."""
        is_here = self.settled is None or self.settled.is_here
        return self._run.held_to_count(domains) if is_here else nullcontext()
