"""The options of a run, understood; the only place that reads them.

Rule 1: a value that can't be understood stops the run before any test, with its name, value and remedy.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from pathlib import Path
from reprlib import repr as brief
from typing import TypeVar

import pytest

from pytest_energy import quantities, tariff
from pytest_energy.baselines.location import Location, location
from pytest_energy.basis import COUNTS, GROSS, NET
from pytest_energy.errors import SettingsError
from pytest_energy.judgement import Part
from pytest_energy.plugin.options import OPTIONS, Option
from pytest_energy.report.outputs import Output, output_of
from pytest_energy.run_judgement import BaselineMode, RunJudgement, SessionFactor
from pytest_energy.spelling import choice, did_you_mean, listed, several
from pytest_energy.tariff import PerKwh, Tariff

T = TypeVar("T")

_TRUE, _FALSE = {"true", "1", "yes", "on"}, {"false", "0", "no", "off"}


class YardstickMode(StrEnum):
    """Whether a run measures its yardstick."""

    AUTO = "auto"
    ON = "on"
    OFF = "off"


class RayMode(StrEnum):
    """Whether a test that is connected to a Ray cluster is measured on its nodes."""

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
        tariff: Carbon intensity and price of a kilowatt hour, or `None` if neither was given.
    """

    shows_report: bool
    shows_all: bool
    outputs: tuple[Output, ...]
    baseline_mode: BaselineMode
    baselines_at: Location
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
    ray_mode: RayMode
    gates_estimates: bool
    measures_benchmarks: bool
    measures_operators: bool
    counts_macs_by_thop: bool
    cpu_tdp_w: float | None
    baseline_session_count: int
    device_wait_s: float
    void_retry_count: int
    tariff: Tariff | None
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
            shows_report=values["report"].boolean_or("full"),
            shows_all=values["report"].text == "full",
            outputs=values["out"].outputs(),
            baseline_mode=values["baseline"].baseline_mode(),
            baselines_at=values["baselines"].location_of_baselines(),
            attempts_path=values["attempts"].path() if values["attempts"].text else None,
            sensor_names=None if replay_path or sensors.text == "auto" else sensors.names(),
            replay_path=replay_path,
            record_path=values["record"].path() if values["record"].text else None,
            tolerance=values["tolerance"].quantity(quantities.share),
            parts=frozenset(map(Part, values["parts"].choices(tuple(Part)))),
            basis=values["basis"].choice((GROSS, NET, COUNTS)),
            traces=values["trace"].choice(("auto", "off")) == "auto",
            alpha=values["alpha"].quantity(quantities.chance),
            round_count=values["rounds"].integer_or("auto", least=1),
            max_time_s=values["max-time"].quantity(quantities.time),
            is_strict=values["strict"].boolean(),
            yardstick_mode=YardstickMode(values["yardstick"].choice(tuple(YardstickMode))),
            ray_mode=RayMode(values["ray"].choice(tuple(RayMode))),
            gates_estimates=values["estimates"].choice(("report", "gate")) == "gate",
            measures_benchmarks=values["benchmark"].boolean(),
            measures_operators=values["operators"].boolean(),
            counts_macs_by_thop=values["macs"].choice(("flop-counter", "thop")) == "thop",
            cpu_tdp_w=values["cpu-tdp"].quantity(quantities.power) if values["cpu-tdp"].text else None,
            baseline_session_count=values["keep"].integer(least=1),
            device_wait_s=values["device-wait"].quantity(quantities.wait),
            void_retry_count=values["void-retries"].integer(least=0),
            tariff=tariff.tariff_of(
                values["carbon-g-per-kwh"].per_kwh(tariff.carbon),
                values["price-per-kwh"].per_kwh(tariff.price),
            ),
            is_off=values["off"].boolean(),
        )

    @property
    def writes_files(self) -> bool:
        """Whether the run as a whole is to be written to a file, whatever was measured."""
        return bool(self.outputs or self.record_path)

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
    """One option's text, with the option's name there, and what relative paths are relative to."""

    source: str
    texts: tuple[str, ...]
    folder: Path

    @classmethod
    def read(cls, config: pytest.Config, option: Option) -> "_Value":
        setting = option.setting(config)
        texts = tuple(setting.value) if isinstance(setting.value, list) else (str(setting.value),)
        folder = config.invocation_params.dir
        if setting.is_ini:
            folder = config.inipath.parent if config.inipath else config.rootpath
        return cls(source=setting.source, texts=texts, folder=folder)

    @property
    def text(self) -> str:
        return self.texts[0].strip() if self.texts else ""

    def _must(self, wanted: str, *known: str, hint: str = "") -> SettingsError:
        hint = hint or did_you_mean(self.text, known)
        return SettingsError(f"{self.source} must be {wanted}. Got {brief(self.text)}.{hint}")

    def _read(self, reader: Callable[[str], T]) -> T:
        """What *reader* makes of the text; what it refuses follows the option's name."""
        try:
            return reader(self.text)
        except ValueError as error:
            raise SettingsError(f"{self.source} {error}") from error

    def quantity(self, kind: quantities.Quantity) -> float:
        return self._read(kind)

    def per_kwh(self, reader: Callable[[str], PerKwh]) -> PerKwh | None:
        return self._read(reader) if self.text else None

    def integer(self, *, least: int) -> int:
        return self._read(partial(quantities.whole_number, least=least))

    def integer_or(self, word: str, *, least: int) -> int | None:
        """A whole number, or `None` for *word*."""
        if self.text == word:
            return None
        try:
            return quantities.whole_number(self.text, least)
        except ValueError as error:
            raise self._must(f"{word} or {quantities.Count(least).wanted}", word) from error

    def boolean(self) -> bool:
        word = self.text.lower()
        if word not in _TRUE | _FALSE:
            raise self._must("true or false", "true", "false")
        return word in _TRUE

    def boolean_or(self, word: str) -> bool:
        """Whether it is true or *word*."""
        if self.text.lower() in _TRUE | _FALSE | {word}:
            return self.text.lower() not in _FALSE
        raise self._must(f"true, false or {word}", "true", "false", word)

    def choice(self, choices: tuple[str, ...]) -> str:
        return self._read(partial(choice, known=choices))

    def choices(self, choices: tuple[str, ...]) -> tuple[str, ...]:
        return self._read(lambda _: several(self._words, choices))

    @property
    def _words(self) -> tuple[str, ...]:
        return tuple(word.strip() for word in self.text.split(",") if word.strip())

    def names(self) -> tuple[str, ...]:
        if not self._words:
            raise self._must("auto, names of sensors, or replay:FILE")
        return self._words

    def path(self) -> Path:
        if not self.text:
            raise self._must("a path")
        return self.folder / self.text

    def outputs(self) -> tuple[Output, ...]:
        return tuple(output_of(text.strip(), self.folder) for text in self.texts if text.strip())

    def baseline_mode(self) -> BaselineMode:
        is_folder = "/" in self.text or (self.text and (self.folder / self.text).is_dir())
        if is_folder and self.text not in tuple(BaselineMode):
            raise self._must(f"{listed(BaselineMode)}", hint=f" Did you mean --energy-baselines={self.text}?")
        return BaselineMode(self.choice(tuple(BaselineMode)))

    def location_of_baselines(self) -> Location:
        if self.text in tuple(BaselineMode):
            raise self._must("a folder", hint=f" Did you mean --energy-baseline={self.text}?")
        return location(self.text, self.folder) if self.text else self.path()

    def path_after(self, prefix: str) -> Path | None:
        if not self.text.startswith(prefix):
            return None
        if self.text == prefix:
            raise self._must(f"{prefix}FILE")
        return self.folder / self.text.removeprefix(prefix)
