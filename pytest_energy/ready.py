"""Ready power: what a device draws with an open context and no work."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadyPower:
    """Power of a channel whose device is open while nothing is at work, as a line over temperature.

    Attributes:
        power_w: At *temperature_c*.
        temperature_c: Mean temperature of the readings that it comes from, or `None` without temperatures.
        slope_w_per_k: How power rises with temperature; 0 if unknown.
        uncertainty_w: Standard uncertainty of *power_w*.
    """

    power_w: float
    temperature_c: float | None = None
    slope_w_per_k: float = 0.0
    uncertainty_w: float = 0.0

    def at(self, temperature_c: float | None) -> float:
        """Watts at *temperature_c*; those of the mean temperature where there is none."""
        if temperature_c is None or self.temperature_c is None:
            return self.power_w
        return self.power_w + self.slope_w_per_k * (temperature_c - self.temperature_c)
