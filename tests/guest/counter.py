"""A pytest plugin with a sensor, so that energy tests are measured on any machine: 20 W in steps of 20 ms."""

import time

from pytest_energy import Channel, Domain, Facts, Provenance, Usage

_TICK_S = 0.02
_TICK_J = 0.4


class Counter:
    name = "counter"
    provenance = Provenance.MEASURED
    channels = (Channel(name="cpu:0", domain=Domain.CPU, device="guest", is_ticked=True, resolution_j=1e-6),)

    _now_s = staticmethod(time.monotonic)  # freezegun replaces it in each module

    def read_j(self, _: str) -> float:
        return _TICK_J * int(self._now_s() / _TICK_S)

    def usage(self) -> Usage:
        return Usage()

    def facts(self) -> Facts:
        return Facts(key_parts=("counter",))

    def close(self) -> None:
        pass


def pytest_energy_sensors() -> dict[str, type[Counter]]:
    return {"counter": Counter}
