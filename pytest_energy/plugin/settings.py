"""The options of a run, understood; the only place that reads them.

Rule 1: a value that can't be understood stops the run before any test, with its name, value and remedy.
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

import pytest

from pytest_energy.basis import COUNTS, GROSS, NET
from pytest_energy.errors import SettingsError
from pytest_energy.judgement import BaselineMode, Part, RunJudgement, SessionFactor
from pytest_energy.plugin.options import OPTIONS, Option

T = TypeVar("T")

_TRUE, _FALSE = {"true", "1", "yes", "on"}, {"false", "0", "no", "off"}


class YardstickMode(StrEnum):
    """Whether a run measures its yardstick."""

    AUTO = "auto"
    ON = "on"
    OFF = "off"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The options of one run, understood.

    Attributes:
        attempts_path: Folder of earlier runs at the same commit, or `None`.
        sensor_names: Sensors asked for by name, or `None` for whatever is there.
        replay_path: File whose joules stand in for sensors, or `None`.
        record_path: File to write the rounds of this run to, or `None`.
        basis: What tests are compared by whose marker doesn't say it.
        traces: Whether the work is called once more, to count what it does.
        round_count: Fixed number of rounds, or `None` for as many as it takes.
    """

    shows_report: bool
    out_paths: tuple[Path, ...]
    baseline_mode: BaselineMode
    baselines_path: Path
    attempts_path: Path | None
    sensor_names: tuple[str, ...] | None
    replay_path: Path | None
    record_path: Path | None
    tolerance: float
    parts: frozenset[Part]
    basis: str
    traces: bool
    alpha: float
    round_count: int | None
    max_time_s: float
    is_strict: bool
    yardstick_mode: YardstickMode
    gates_estimates: bool
    measures_benchmarks: bool
    measures_operators: bool
    counts_macs_by_thop: bool
    cpu_tdp_w: float | None
    baseline_session_count: int
    device_wait_s: float
    void_retry_count: int
    is_off: bool

    @classmethod
    def from_pytest_config(cls, config: pytest.Config) -> "Settings":
        """Read the command line and the ini file.

        Raises:
            SettingsError: A value can't be understood.
        """
        values = {option.name: _Value.read(config, option) for option in OPTIONS}
        sensors = values["sensors"]
        replay_path = sensors.path_after("replay:")
        return cls(
            shows_report=values["report"].boolean(),
            out_paths=values["out"].paths(),
            baseline_mode=BaselineMode(values["baseline"].choice(tuple(BaselineMode))),
            baselines_path=values["baselines"].path(),
            attempts_path=values["attempts"].path() if values["attempts"].text else None,
            sensor_names=None if replay_path or sensors.text == "auto" else sensors.names(),
            replay_path=replay_path,
            record_path=values["record"].path() if values["record"].text else None,
            tolerance=values["tolerance"].number(least=0.0, below=10.0),
            parts=frozenset(map(Part, values["parts"].choices(tuple(Part)))),
            basis=values["basis"].choice((GROSS, NET, COUNTS)),
            traces=values["trace"].choice(("auto", "off")) == "auto",
            alpha=values["alpha"].number(above=0.0, below=0.5),
            round_count=None if values["rounds"].text == "auto" else values["rounds"].integer(least=1),
            max_time_s=values["max-time"].number(above=0.0),
            is_strict=values["strict"].boolean(),
            yardstick_mode=YardstickMode(values["yardstick"].choice(tuple(YardstickMode))),
            gates_estimates=values["estimates"].choice(("report", "gate")) == "gate",
            measures_benchmarks=values["benchmark"].boolean(),
            measures_operators=values["operators"].boolean(),
            counts_macs_by_thop=values["macs"].choice(("flop-counter", "thop")) == "thop",
            cpu_tdp_w=values["cpu-tdp-w"].number(above=0.0) if values["cpu-tdp-w"].text else None,
            baseline_session_count=values["baseline-sessions"].integer(least=1),
            device_wait_s=values["device-wait"].number(least=0.0),
            void_retry_count=values["void-retries"].integer(least=0),
            is_off=values["off"].boolean(),
        )

    @property
    def writes_files(self) -> bool:
        """Whether the run as a whole is to be written to a file, whatever was measured."""
        return bool(self.out_paths or self.record_path)

    def run_judgement(self, failures: Iterable[str], factors: Iterable[SessionFactor]) -> RunJudgement:
        """What the run's document says of the run as a whole."""
        return RunJudgement(
            baseline_mode=self.baseline_mode,
            is_strict=self.is_strict,
            tolerance=self.tolerance,
            alpha=self.alpha,
            failures=tuple(failures),
            factors=tuple(factors),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Value:
    """One option's text, with where it was said and what relative paths are relative to."""

    source: str
    texts: tuple[str, ...]
    folder: Path

    @classmethod
    def read(cls, config: pytest.Config, option: Option) -> "_Value":
        value, source, folder = config.getoption(option.flag), option.flag, config.invocation_params.dir
        if value is None:
            value, source = config.getini(option.ini), f"ini value {option.ini}"
            folder = config.inipath.parent if config.inipath else config.rootpath
        texts = tuple(value) if isinstance(value, list) else (str(value),)
        return cls(source=source, texts=texts, folder=folder)

    @property
    def text(self) -> str:
        return self.texts[0].strip() if self.texts else ""

    def _wrong(self, wanted: str) -> SettingsError:
        return SettingsError(f"{self.source}={self.text!r}: give {wanted}")

    def _parsed(self, kind: Callable[[str], T], is_right: Callable[[T], bool], wanted: str) -> T:
        try:
            value = kind(self.text)
        except ValueError as error:
            raise self._wrong(wanted) from error
        if not is_right(value):
            raise self._wrong(wanted)
        return value

    def number(self, *, least: float = -math.inf, above: float = -math.inf, below: float = math.inf) -> float:
        limits = {"at least": least, "above": above, "below": below}
        bounds = [f"{name} {limit:g}" for name, limit in limits.items() if math.isfinite(limit)]
        wanted = f"a number {' and '.join(bounds)}"
        return self._parsed(float, lambda x: math.isfinite(x) and x >= least and above < x < below, wanted)

    def integer(self, *, least: int) -> int:
        return self._parsed(int, lambda count: count >= least, f"a whole number of at least {least}")

    def boolean(self) -> bool:
        word = self.text.lower()
        if word not in _TRUE | _FALSE:
            raise self._wrong("true or false")
        return word in _TRUE

    def choice(self, choices: tuple[str, ...]) -> str:
        if self.text not in choices:
            raise self._wrong("one of " + ", ".join(choices))
        return self.text

    def choices(self, choices: tuple[str, ...]) -> tuple[str, ...]:
        words = tuple(word.strip() for word in self.text.split(",") if word.strip())
        if not words or not set(words) <= set(choices):
            raise self._wrong("one or more of " + ", ".join(choices))
        return words

    def names(self) -> tuple[str, ...]:
        names = tuple(name.strip() for name in self.text.split(",") if name.strip())
        if not names:
            raise self._wrong("auto, names of sensors, or replay:FILE")
        return names

    def path(self) -> Path:
        if not self.text:
            raise self._wrong("a path")
        return self.folder / self.text

    def paths(self) -> tuple[Path, ...]:
        return tuple(self.folder / text.strip() for text in self.texts if text.strip())

    def path_after(self, prefix: str) -> Path | None:
        if not self.text.startswith(prefix):
            return None
        if self.text == prefix:
            raise self._wrong(f"a file after {prefix}")
        return self.folder / self.text.removeprefix(prefix)
