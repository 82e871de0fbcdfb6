"""The doctor's words on a screen."""

import math
from collections.abc import Iterable

from tabulate import tabulate

from pytest_energy.doctor.calibrate import MeasuredResponse
from pytest_energy.doctor.report import Report
from pytest_energy.meter.response import (
    edge_uncertainty_s,
    gain_range,
    least_length_s,
    sampling_s,
    seen_share,
)
from pytest_energy.sensors.nvml_responses import UNKNOWN
from pytest_energy.units import to_text

# A length that is shown; how a counter samples is shown where it counts that length differently by more.
_SHOWN_S, _SHOWN_SPREAD = 0.01, 0.02

_HEADERS = ("channel", "sensor", "joules are", "tick", "call", "idle", "load", "under")


def render(report: Report) -> str:
    """The report for a screen. Commands stay in one line each, so that they can be copied."""
    sections = [
        [_headline(report)],
        _table(report),
        _titled("response of counters", _responses(report)),
        _titled("absent", _absences(report)),
        _titled(
            "available, not used",
            [f"{s.name}: {s.not_taken_because}" for s in report.sensors if s.not_taken_because is not None],
        ),
        _titled("permissions", _permission_lines(report)),
        _titled("may fail a test", report.gates or ["nothing"]),
        _titled("may not", [f"{name}: {why}" for name, why in report.gates_not.items()]),
    ]
    return "\n\n".join("\n".join(lines) for lines in sections if lines)


def _headline(report: Report) -> str:
    if report.measures:
        return f"This machine measures. Its baselines are kept under {report.machine_key}."
    return (
        "Nothing measures here, so joules pass and fail no test, unless --energy-estimates=gate judges the "
        "estimate. --energy-basis=counts gates on any machine: it compares what the work calls and copies."
    )


def _table(report: Report) -> list[str]:
    rows = [
        (
            channel.name,
            sensor.name,
            f"{sensor.provenance}: {channel.source}",
            _value(channel.tick_s, "s") if channel.is_ticked else "at edges",
            _value(channel.call_s, "s"),
            _value(channel.idle_power_w, "W"),
            _value(channel.load_power_w, "W"),
            channel.load,
        )
        for sensor in report.sensors
        for channel in sensor.channels
    ]
    return tabulate(rows, headers=_HEADERS, tablefmt="plain").splitlines() if rows else []


def _value(value: float | None, unit: str) -> str:
    return "-" if value is None or math.isnan(value) else to_text(value, unit, digits=3)


def _titled(title: str, lines: Iterable[str]) -> list[str]:
    indented = [f"  {line}" for line in lines]
    return [title, *indented] if indented else []


def _responses(report: Report) -> list[str]:
    """Where each is from; and what to do about one that is not known."""
    known = {c.name: c.response for s in report.sensors for c in s.channels if c.response is not None}
    lines = [f"{name}: {source}" for name, source in known.items()]
    if UNKNOWN.source in known.values():
        lines.append("measure it, for short tests: pytest-energy doctor --calibrate (2 min)")
    return lines


def _absences(report: Report) -> list[str]:
    """The absent sensors, each with a line for a reason and for a remedy."""
    lines = []
    for sensor in report.sensors:
        if sensor.absent_because is not None:
            lines.append(sensor.name)
            for reason in report.reasons[sensor.name]:
                lines += (f"  {line}" for line in (reason.because, *reason.remedies))
    return lines


def _permission_lines(report: Report) -> list[str]:
    lines = []
    for permission in report.permissions:
        state = "granted" if permission.is_granted else "refused; until the next boot:"
        lines.append(f"{permission.sensor}: {permission.what}: {state}")
        if permission.fix is not None:
            lines.append(f"  {permission.fix}")
    return lines


def render_response(measured: MeasuredResponse) -> str:
    """The response for a screen."""
    response = measured.response
    least, most = gain_range(response, _SHOWN_S)
    rows = [
        ("bursts", f"{len(measured.bursts)}"),
        ("ticks each", to_text(response.tick_s, "s", digits=4)),
        ("has all joules", f"{to_text(response.settle_s or 0.0, 's', digits=3)} after the work"),
        (
            f"counts {to_text(_SHOWN_S, 's')} of work",
            f"{max(0.0, least):.2f} to {most:.2f} times, by its moment in the tick (taken out)",
        ),
    ]
    if most - least > _SHOWN_SPREAD:
        rows += [
            ("samples power each", f"{to_text(sampling_s(response) or 0.0, 's', digits=2)} (largest wave)"),
            ("sees", f"about {100 * seen_share(response):.0f} % of the time"),
        ]
    shares = [
        f"{to_text(length_s, 's')}: {100 * edge_uncertainty_s(response, length_s) / length_s:.2g} %"
        for length_s in (_SHOWN_S, 0.1, 1.0)
        if length_s >= least_length_s(response)
    ]
    rows.append(("above quiet, known to", ", ".join(shares)))
    rows.append(("void", f"work of less than {to_text(least_length_s(response), 's', digits=2)}"))
    table = tabulate(rows, tablefmt="plain").splitlines()
    return "\n".join([measured.channel, *(f"  {line}" for line in table)])
