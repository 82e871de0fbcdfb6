"""Responses of energy counters that were measured on the user's own cards, in one file.

Rule 1: a response belongs to a model of GPU and a branch of its driver: 580 of 580.159.04.
Rule 2: a file that is broken is an error, never no file: a suite would be measured otherwise than before.
"""

import json
import os
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import platformdirs
from msgspec import Meta

from pytest_energy.codec import Document, Text, decode, encode, parse
from pytest_energy.errors import FormatError, SettingsError, printable
from pytest_energy.model import CounterResponse
from pytest_energy.response_document import ResponseDocument
from pytest_energy.whole_file import read_whole, write_whole, writing

FILE_VARIABLE = "PYTEST_ENERGY_RESPONSES"
"""Names the file. One that is committed serves every runner with the same card."""

_MOST_BYTES = 1_000_000
_MOST_RESPONSES = 1_000
_ADVICE = "delete it, and measure again: pytest-energy doctor --calibrate"


class _Kept(Document, frozen=True, kw_only=True):
    """A response, and whose it is."""

    model: Text
    driver: Text
    response: ResponseDocument


class _File(Document, frozen=True, kw_only=True):
    responses: Annotated[tuple[_Kept, ...], Meta(max_length=_MOST_RESPONSES)]


def responses_path(environ: Mapping[str, str] | None = None) -> Path:
    """Where responses are kept: `PYTEST_ENERGY_RESPONSES`, or a file in the user's data folder."""
    named = (os.environ if environ is None else environ).get(FILE_VARIABLE)
    return Path(named) if named else platformdirs.user_data_path("pytest-energy") / "responses.json"


def driver_branch(driver: str) -> str:
    """What of a driver's version a response belongs to.

    >>> driver_branch("580.159.04")
    '580'
    """
    return driver.partition(".")[0]


def kept_response(model: str, driver: str, path: Path) -> CounterResponse | None:
    """The response that is kept in *path* for a model under a driver, or `None`.

    Raises:
        SettingsError: The file can't be read, or is broken.
    """
    for one in _read(path):
        if (one.model, one.driver) == (model, driver_branch(driver)):
            return one.response.response()
    return None


def keep_response(response: CounterResponse, *, model: str, driver: str, path: Path) -> None:
    """Keep *response* in *path*, in place of an older one of the same model and branch of the driver.

    Raises:
        SettingsError: The file can't be read or written, or is broken.
    """
    new = _Kept(model=model, driver=driver_branch(driver), response=ResponseDocument.of(response))
    others = [one for one in _read(path) if (one.model, one.driver) != (new.model, new.driver)]
    text = json.dumps(encode(_File(responses=(*others, new))), indent=2) + "\n"
    with writing(str(path)):
        write_whole(path, text.encode("ascii"))


def _read(path: Path) -> tuple[_Kept, ...]:
    try:
        text = read_whole(path, _MOST_BYTES).decode("utf-8")
        kept = decode(parse(text, str(path)), _File, str(path)).responses
    except FileNotFoundError:
        return ()
    except (OSError, UnicodeDecodeError) as error:
        because = getattr(error, "strerror", None) or error
        raise SettingsError(f"{path} can't be read: {because}; {_ADVICE}") from error
    except FormatError as error:
        raise SettingsError(f"{error}; {_ADVICE}") from error
    whose = Counter((one.model, one.driver) for one in kept)
    for (model, driver), count in whose.items():
        if count > 1:
            card = f"{printable(model)} under driver {printable(driver)}"
            raise SettingsError(f"{path} has {count} responses of {card}: remove all but one")
    return kept
