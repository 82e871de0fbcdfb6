"""The file of a meter: what loggers write is read, and what is unclear is an error with its line."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_energy.errors import SettingsError
from pytest_energy.wall.meter_file import Columns, MeterSeries, Unit, read_meter

BEGAN = datetime(2026, 11, 21, 10, tzinfo=UTC).timestamp()
POWERS_W = [500.0, 510.5, 499.25]


@pytest.fixture
def csv(tmp_path: Path) -> Path:
    return tmp_path / "meter.csv"


def read(csv: Path, text: str, columns: Columns = Columns()) -> MeterSeries:  # noqa: B008  # frozen
    csv.write_text(text, encoding="utf-8")
    return read_meter(csv, columns)


@pytest.mark.parametrize(
    "text",
    [
        "time,power_w\n2026-11-21T10:00:00Z,500\n2026-11-21T10:00:01Z,510.5\n2026-11-21T10:00:02Z,499.25\n",
        "2026-11-21 10:00:00,500\n2026-11-21 10:00:01,510.5\n2026-11-21 10:00:02,499.25\n",
        "\ufefftime,W\n2026-11-21T11:00:00+01:00,500\n2026-11-21T11:00:01+01:00,510.5\n2026-11-21T11:00:02+01:00,499.25",
        f"t,p\n{BEGAN},500\n{BEGAN + 1},510.5\n{BEGAN + 2},499.25\n",
        f"{1e3 * BEGAN:.0f},500\n{1e3 * BEGAN + 1e3:.0f},510.5\n{1e3 * BEGAN + 2e3:.0f},499.25\n",
        f"{1e9 * BEGAN:.0f}\t500\n{1e9 * (BEGAN + 1):.0f}\t510.5\n{1e9 * (BEGAN + 2):.0f}\t499.25\n",
        (
            "# logger 3\n\nZeit;Leistung [kW]\n2026-11-21T10:00:00;0,5\n2026-11-21T10:00:01;0,5105\n"
            "2026-11-21T10:00:02;0,49925\n"
        ),
        (
            'volts,Power (mW),timestamp\n230,500000,2026-11-21T10:00:00\n230,"510500",2026-11-21T10:00:01\n'
            "230,499250,2026-11-21T10:00:02\n"
        ),
        "time,power\r\n2026-11-21T10:00:02Z,499.25\r\n2026-11-21T10:00:01Z,510.5\r\n2026-11-21T10:00:00Z,500\r\n",
        (
            "time,power\n2026-11-21T10:00:00Z,500\n2026-11-21T10:00:01Z,510.5\n2026-11-21T10:00:01Z,510.5\n"
            "2026-11-21T10:00:02Z,499.25\n"
        ),
        (
            "time,power\n2026-11-21T10:00:00Z,500\n2026-11-21T10:00:00.500Z,\n2026-11-21T10:00:01Z,510.5\n"
            "2026-11-21T10:00:02Z,499.25\n"
        ),
    ],
    ids=[
        *("ISO", "no header or zone", "zone", "epoch", "ms", "ns and tabs", "commas", "mW and more columns"),
        *("newest first", "twice", "empty cell"),
    ],
)
def test_the_same_rows_in_many_forms(csv: Path, text: str) -> None:
    """Times, units, separators, and order: the rows are those of a meter at ten o'clock."""
    rows = read(csv, text).rows
    assert rows.stop_s.tolist() == pytest.approx([BEGAN, BEGAN + 1, BEGAN + 2], abs=1e-3)
    assert rows.power_w.tolist() == pytest.approx(POWERS_W)
    assert rows.span_s.tolist() == pytest.approx([1.0, 1.0, 1.0])


LOGGERS = {
    "Home Assistant": (
        "entity_id,state,last_changed\n"
        "sensor.plug_power,unavailable,2026-11-21T09:59:58.000Z\n"
        "sensor.plug_power,500,2026-11-21T09:59:59.000Z\n"
        "sensor.plug_power,510.5,2026-11-21T10:00:00.000Z\n"
        "sensor.plug_power,499.25,2026-11-21T10:00:01.000Z\n"
        "sensor.plug_power,3.0,2026-11-21T10:00:02.000Z\n"
    ),
    "a power analyser": (
        "Model,WT310E,Serial,C2RA12345\nFile Version,1.01\n\n"
        "Store No.,Date,Time,Millisecond,U-1,I-1,P-1,WH-1\n"
        "1,2026/11/21,10:00:00,0,230.1,2.2,500,0\n"
        "2,2026/11/21,10:00:01,0,230.1,2.2,510.5,0.1\n"
        "3,2026/11/21,10:00:01,500,230.1,2.2,NAN,0.2\n"
        "4,2026/11/21,10:00:02,000,230.1,2.2,499.25,0.3\n"
    ),
    "a spreadsheet in German": (
        "sep=;\nGerät;Steckdose 3\nZeitstempel;Temperatur;Leistung;Energie\n;°C;W;kWh\n"
        "21.11.2026 10:00:00;21,5;500,0;1,000\n21.11.2026 10:00:01;21,5;510,5;1,001\n"
        "21.11.2026 10:00:02;21,5;499,25;1,002\n"
    ),
    "a plug with units in its cells": (
        "Timestamp,Power,Power Factor,Energy\n"
        "2026-11-21 10:00:00 UTC,0.5 kW,0.98,1\n"
        "2026-11-21 10:00:01 UTC,510.5 W,0.98,1\n"
        "2026-11-21 10:00:02 UTC,499250 mW,0.98,1\n"
    ),
    "elapsed beside a time of day": (
        "Elapsed Time (s),Timestamp (ms),main_power_W,main_energy_Wh\n"
        f"0.0,{1e3 * BEGAN:.0f},500,0\n1.0,{1e3 * BEGAN + 1e3:.0f},510.5,0\n"
        f"2.0,{1e3 * BEGAN + 2e3:.0f},499.25,0\n"
    ),
}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "latin-1"])
@pytest.mark.parametrize("logger", LOGGERS)
def test_the_same_rows_of_loggers(csv: Path, logger: str, encoding: str) -> None:
    """Lines before the names, a line of units, a date and a time of day in two columns, logs of changes."""
    csv.write_bytes(LOGGERS[logger].encode(encoding))
    series = read_meter(csv)
    assert series.rows.stop_s.tolist() == pytest.approx([BEGAN, BEGAN + 1, BEGAN + 2], abs=1e-3)
    assert series.rows.power_w.tolist() == pytest.approx(POWERS_W)
    assert series.rows.span_s.tolist() == pytest.approx([1.0, 1.0, 1.0])


def test_times_from_a_moment_that_is_given(csv: Path) -> None:
    """They count from 0, in the unit of the column's name; without the moment they are no times of day."""
    text = "Time (ms),Power (W)\n0,500\n1000,510.5\n2000,499.25\n"
    series = read(csv, text, Columns(start_unix_s=BEGAN))
    assert series.rows.stop_s.tolist() == pytest.approx([BEGAN, BEGAN + 1, BEGAN + 2])
    assert series.has_times_of_day
    assert not read(csv, text).has_times_of_day


def test_times_of_day_count_from_a_midnight_that_is_given(csv: Path) -> None:
    """In 12 or 24 hours, and over midnight; a wrong one is an error."""
    midnight = Columns(start_unix_s=BEGAN - 10 * 3600)
    for clocks in (("10:00:00 AM", "10:00:01 AM", "10:00:02.5 am"), ("10:00:00", "10:00:01", "10:00:02,5")):
        text = "Time;Watts\n" + "".join(f"{clock};{number}\n" for number, clock in enumerate(clocks))
        assert read(csv, text, midnight).rows.stop_s.tolist() == [BEGAN, BEGAN + 1, BEGAN + 2.5]
    late = "Time,Watts\n23:59:59,1\n00:00:00,2\n00:00:01,3\n12:00:00,4\n"
    assert np.diff(read(csv, late, midnight).rows.stop_s).tolist() == [1.0, 1.0, 43199.0]
    assert not read(csv, late).has_times_of_day
    with pytest.raises(SettingsError, match="line 3: Time must be hours, minutes and seconds"):
        read(csv, late.replace("00:00:00", "noon"), midnight)


def test_a_form_of_times_can_be_given(csv: Path) -> None:
    """For days that are written in two ways."""
    text = "t,p\n11/21/2026 10:00:00 AM,1\n11/21/2026 10:00:01 AM,2\n11/21/2026 10:00:02 AM,3\n"
    rows = read(csv, text, Columns(time_format="%m/%d/%Y %I:%M:%S %p")).rows
    assert rows.stop_s[0] == BEGAN
    with pytest.raises(SettingsError, match=r"line 2: t doesn't have the form of --time-format"):
        read(csv, text, Columns(time_format="%d/%m/%Y"))


def test_the_hour_that_is_there_twice(csv: Path) -> None:
    """Clocks go back in autumn: rows that would go back are an hour later."""
    clocks = ["02:59:59", "02:00:00", "02:00:01"]
    text = "t,p\n" + "".join(f"2026-10-25 {clock},{number}\n" for number, clock in enumerate(clocks))
    rows = read(csv, text, Columns(time_zone="Europe/Berlin")).rows
    assert np.diff(rows.stop_s).tolist() == [1.0, 1.0]


def test_what_has_no_power_is_a_gap_and_noted(csv: Path) -> None:
    """A meter that was off, or out of range for a while."""
    series = read(csv, "time,power\n1,5\n2,NaN\n3,-----\n4,6\n5,-7\n6,8\n")
    assert series.rows.stop_s.tolist() == [1, 4, 5, 6]
    assert series.notes == (
        "2 rows without power (-----, NaN): each is a gap.",
        "The file has 1 gap: rows are more than 1.5 usual spacings apart.",
        "1 row below 0 W: is the meter's clamp or plug the right way round?",
    )


@given(
    powers_mw=st.lists(st.integers(0, 10**9), min_size=3, max_size=9),
    unit=st.sampled_from([("W", 1e3), ("kW", 1e6), ("mW", 1.0)]),
    is_in_header=st.booleans(),
    has_comma=st.booleans(),
)
def test_watts_are_the_same_in_each_unit(
    tmp_path_factory: pytest.TempPathFactory,
    powers_mw: list[int],
    unit: tuple[Unit, float],
    is_in_header: bool,  # noqa: FBT001
    has_comma: bool,  # noqa: FBT001
) -> None:
    """By the column's name or by the option, with a point or a comma."""
    name, worth_mw = unit
    cells = [f"{power_mw / worth_mw:.9f}" for power_mw in powers_mw]
    separator, cells = (";", [one.replace(".", ",") for one in cells]) if has_comma else (",", cells)
    head = f"time{separator}power{f' ({name})' if is_in_header else ''}"
    lines = [f"{BEGAN + number}{separator}{cell}" for number, cell in enumerate(cells)]
    csv = tmp_path_factory.getbasetemp() / "units.csv"
    series = read(csv, "\n".join([head, *lines]), Columns(unit=None if is_in_header else name))
    assert series.rows.power_w.tolist() == pytest.approx([one / 1e3 for one in powers_mw], abs=1e-5)


def test_columns_are_chosen_by_name_or_number(csv: Path) -> None:
    """Where names don't say it, or say it twice."""
    text = "time,power in,power out\n1,10,20\n2,11,21\n3,12,22\n"
    assert read(csv, text, Columns(power="power out")).rows.power_w.tolist() == [20, 21, 22]
    assert read(csv, text, Columns(power="2", time="1")).rows.power_w.tolist() == [10, 11, 12]


def test_local_time_is_that_of_the_zone(csv: Path) -> None:
    """Ten in Berlin is nine in UTC in winter."""
    text = "time,power\n2026-11-21T10:00:00,1\n2026-11-21T10:00:01,2\n2026-11-21T10:00:02,3\n"
    rows = read(csv, text, Columns(time_zone="Europe/Berlin")).rows
    assert rows.stop_s[0] == BEGAN - 3600


def test_after_a_gap_a_row_is_over_the_usual_time(csv: Path) -> None:
    """Nobody knows the power in the gap; a note counts it. An interval that is given is every row's."""
    text = "time,power\n" + "".join(f"{second},5{second}\n" for second in (0, 1, 2, 7, 8))
    series = read(csv, text)
    assert series.rows.span_s.tolist() == [1, 1, 1, 1, 1]
    assert series.notes == ("The file has 1 gap: rows are more than 1.5 usual spacings apart.",)
    slow = read(csv, "time,power\n0,1\n1,2\n2.2,3\n3.2,4\n")
    assert slow.rows.span_s.tolist() == pytest.approx([1.0, 1.0, 1.2, 1.0])
    assert np.all(read(csv, text, Columns(interval_s=0.5)).rows.span_s == 0.5)


def test_what_was_changed_is_noted(csv: Path) -> None:
    """A file from new to old, and rows that are there twice."""
    assert read(csv, "t,p\n9,1\n8,2\n7,3\n").notes == ("The file has its newest row first.",)
    assert read(csv, "t,p\n7,1\n8,2\n8,2\n9,3\n").notes == ("Rows that are repeated count once: 1.",)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("t,p\n1,5\n2,off\n3,6\n", ["meter.csv, line 3: p must be a number", "'off'"]),
        ("t,p\n1,5\n2,1e400\n3,6\n", ["line 3: p must be a number", "'1e400'"]),
        ("t,p\n1e99,5\n2e99,6\n3e99,7\n", ["line 2: t must be seconds or milliseconds", "'1e99'"]),
        ("t,p\n1,5\n2,inf\n3,6\n", ["line 3: p must be a number", "'inf'"]),
        ('t,p\n1,5\n2,"1,234.5"\n3,6\n', ["line 3: p must be a number", "'1,234.5'"]),
        ("# x\nt,p\n1,5\nyesterday,6\n3,7\n", ["line 4: t must be seconds or milliseconds", "'yesterday'"]),
        ("t,p\n11/21/2026 10:00,5\n2,6\n3,7\n", ["line 2: t must be ISO 8601", "'11/21/2026 10:00'"]),
        ("t,p\n11/21/2026 10:00,5\n2,6\n", ["day and month may be either way: give --time-format"]),
        ('t,p\n1,"1,234"\n2,987\n3,6\n', ["line 2: p has a comma that may be before decimals or thousands"]),
        ("t;p\n1;1,5\n2;9.5\n3;6\n", ["line 2: p has a comma, and other rows have a point", "'1,5'"]),
        (
            "entity_id,state,last_changed\nsensor.a,5,2026-11-21T10:00:00Z\nsensor.b,6,2026-11-21T10:00:01Z\n",
            ["has rows of 2 meters by its column 'entity_id', such as sensor.a"],
        ),
        ("t,p\n1,5\n3,6\n2,7\n", ["line 4: t is before the row above it (3). Sort the file", "'2'"]),
        ("t,p\n1,5\n2,6\n2,7\n3,8\n", ["line 4: t is there twice, with another power", "'2'"]),
        ("t,p\n1,5\n2\n3,6\n", ["line 3 has 1 cells, and no p"]),
        ('t,p\n1,5\n2,"6\n3,6\n', ["line 3 is no line of a CSV"]),
        ("t,p\n1,5\n2,6\n", ["has 2 rows with power. At least 3 are needed"]),
        ("t\n1\n2\n3\n", ["has one column, 't'. It needs times and watts"]),
        ("time,energy (kWh)\n1,5\n2,6\n3,7\n", ["the column 'energy (kWh)' is of energy, not of watts"]),
        ("time,power (MW)\n1,5\n2,6\n3,7\n", ["the column 'power (MW)' is of megawatts, not of watts"]),
        ("time,power,power 2\n1,5,5\n", ["unclear which column is the power. Give --power-column"]),
        ("# nothing\n\n", ["is empty. Give a CSV of times and watts"]),
    ],
)
def test_what_is_unclear_is_an_error(csv: Path, text: str, says: list[str]) -> None:
    """With the file, the line and the value; nothing is guessed."""
    with pytest.raises(SettingsError) as caught:
        read(csv, text)
    for part in (csv.name, *says):
        assert part in str(caught.value)


@pytest.mark.parametrize(
    ("columns", "says"),
    [
        (Columns(power="powr"), "--power-column: .* has no column 'powr'. Did you mean power?"),
        (Columns(time="7"), "--time-column: .* has no column '7'"),
        (Columns(time_zone="Berlin/Europe"), "--time-zone must be a name such as UTC"),
    ],
)
def test_what_is_not_in_the_file_is_an_error(csv: Path, columns: Columns, says: str) -> None:
    """An option that names no column or no zone; the nearest column is suggested."""
    with pytest.raises(SettingsError, match=says):
        read(csv, "time,power\n2026-11-21T10:00:00,5\n2026-11-21T10:00:01,6\n", columns)


def test_a_file_that_is_not_there_is_an_error(csv: Path) -> None:
    """It names the file that is spelt most like it."""
    csv.write_text("t,p\n1,2\n")
    with pytest.raises(SettingsError, match=r"metre.csv can't be read: No such file"):
        read_meter(csv.with_name("metre.csv"))
    for content in (b"t,p\n\xff\xfe\n", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", b"\xff\xfet"):
        csv.write_bytes(content)
        with pytest.raises(SettingsError, match="can't be read"):
            read_meter(csv)
