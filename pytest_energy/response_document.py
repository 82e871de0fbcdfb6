"""A counter's response as it is written: in recordings, by agents and where it was measured."""

from typing import Annotated

from msgspec import Meta
from msgspec.structs import asdict

from pytest_energy.codec import Document
from pytest_energy.errors import printable
from pytest_energy.model import CounterResponse

_MOST_S = 1e3
_MOST_WAVES = 64
_MOST_TICKS = 1e3

_Seconds = Annotated[float, Meta(ge=0, le=_MOST_S)]
_Ticks = Annotated[float, Meta(ge=0, le=_MOST_TICKS)]
_Signed = Annotated[float, Meta(ge=-_MOST_S, le=_MOST_S)]


class ResponseDocument(Document, frozen=True, kw_only=True):
    """See `CounterResponse`."""

    settle_s: _Seconds | None = None
    prompt_s: _Seconds | None = None
    rest_s: _Seconds = 0.0
    shortest_s: _Seconds = 0.0
    shortest_ticks: _Ticks = 0.0
    edge_s: _Seconds = 0.0
    edge_ticks: _Ticks = 0.0
    edge_length_s: _Seconds = 0.0
    tick_s: _Seconds = 0.0
    waves: Annotated[tuple[tuple[_Signed, _Signed], ...], Meta(max_length=_MOST_WAVES)] = ()
    source: Annotated[str, Meta(max_length=1000)] = ""

    @classmethod
    def of(cls, response: CounterResponse) -> "ResponseDocument":
        return cls(**{name: getattr(response, name) for name in cls.__struct_fields__})

    def response(self) -> CounterResponse:
        return CounterResponse(**asdict(self) | {"source": printable(self.source)})
