"""Where an agent is, and the files that say who may ask it."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

from pytest_energy.errors import SettingsError
from pytest_energy.http_address import Address
from pytest_energy.masking import COVER, Hidden

TOKEN_FILE_VARIABLE = "PYTEST_ENERGY_METER_TOKEN_FILE"  # noqa: S105  # the name of a variable
CA_FILE_VARIABLE = "PYTEST_ENERGY_METER_CA_FILE"

_PROCESS_ENVIRON = os.environ


@dataclass(frozen=True, slots=True, kw_only=True)
class MeterAddress:
    """An agent, as a test names it.

    Attributes:
        url: Without credentials.
        host: In it, without brackets.
        token_file: Holds the agent's token; `None` for an agent that needs none.
        ca_file: Who may have signed its certificate; those that the system trusts if `None`.
    """

    url: str
    host: str
    token_file: Path | None = None
    ca_file: Path | None = None

    @classmethod
    def parse(
        cls,
        url: Hidden[object] | str,
        *,
        token_file: str | PathLike[str] | None = None,
        ca_file: str | PathLike[str] | None = None,
        environ: Mapping[str, str] = _PROCESS_ENVIRON,
    ) -> "MeterAddress":
        """Read *url*; files that aren't given are those of the environment.

        Raises:
            SettingsError: It isn't the address of an agent, or holds a user or a password.
        """
        hidden = url if isinstance(url, Hidden) else Hidden(url)
        url = COVER  # what a traceback shows of it
        address = Address.parse(hidden, what="meter")
        if address.authorization is not None:
            raise SettingsError(
                "meter holds a user or a password; give the token in a file: meter_token_file="
            )
        return cls(
            url=address.root,
            host=address.host,
            token_file=_file(token_file, environ.get(TOKEN_FILE_VARIABLE)),
            ca_file=_file(ca_file, environ.get(CA_FILE_VARIABLE)),
        )


def _file(given: str | PathLike[str] | None, of_environment: str | None) -> Path | None:
    chosen = given or of_environment
    return None if not chosen else Path(chosen)
