"""Where a report goes: a file, or a collector of metrics.

Rule 1: imported in every run of pytest, so it imports nothing heavy.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias
from urllib.parse import urlsplit

from pytest_energy.errors import SettingsError
from pytest_energy.masking import masked

OTLP = "otlp:"
_METRICS_PATH = "/v1/metrics"


@dataclass(frozen=True, slots=True)
class Collector:
    """A collector that takes OpenTelemetry's protocol over HTTP.

    Attributes:
        url: Where it listens; empty for what OpenTelemetry's own variables say.
    """

    url: str

    @property
    def endpoint(self) -> str | None:
        """Where metrics are posted; `None` for what the variables say."""
        if not self.url:
            return None
        url = self.url.rstrip("/")
        return url if url.endswith(_METRICS_PATH) else url + _METRICS_PATH

    def __str__(self) -> str:
        return masked(OTLP + self.url)


Output: TypeAlias = Path | Collector


def output_of(text: str, folder: Path | None = None) -> Output:
    """What *text* names: `otlp:http://HOST:4318`, or a path that starts at *folder*.

    Raises:
        SettingsError: The address of the collector is none.

    >>> output_of("otlp:http://localhost:4318")
    Collector(url='http://localhost:4318')
    >>> str(output_of("run.json", Path("out")))
    'out/run.json'
    """
    if not text.startswith(OTLP):
        return Path(text) if folder is None else folder / text
    url = text.removeprefix(OTLP)
    try:
        parts = urlsplit(url)
        is_address = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_address = False
    if url and not is_address:
        raise SettingsError(
            f"{text}: the address of a collector must be an http or https URL, such as otlp:http://localhost:4318"
        )
    return Collector(url)
