"""Any OpenAI-compatible HTTP server as an engine: vLLM, SGLang, llama.cpp.

Rule 1: the prompt is sent as token ids and the tokens are counted by the server, so that a load is the same
work here and in an engine inside this process (openai_stream.py holds the server to it).
Rule 2: between the call of `generate` and the first byte on its way stands as little as can be: the load
leaves on time only if the event loop is free.
Rule 3: every failure is an `EngineError` with the URL and the request. Redirects are not followed, proxies of
the environment not asked, and no text holds a credential.
Rule 4: an error is raised anew, by a frame that holds nothing that came from the server or goes to it.
Rule 5: every request ends: in time, in bytes and in tokens (openai_stream.py, endpoint_http.py).
"""

import asyncio
import http.client
import io
import json
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, aclosing
from dataclasses import replace
from os import PathLike
from types import MappingProxyType
from typing import TYPE_CHECKING, Self, TypeVar

from pytest_energy.errors import Absent, EnergyError, FormatError, SettingsError, printable
from pytest_energy.http_address import Address
from pytest_energy.lazy_module import LazyModule
from pytest_energy.masking import COVER, Hidden, keep_named_secrets, masked, masked_json
from pytest_energy.model import Domain
from pytest_energy.remote.address import MeterAddress
from pytest_energy.serving.engines.endpoint_http import (
    METRICS_BYTES,
    PAGE_BYTES,
    check_is_plain,
    check_size,
    get,
    reason_of,
)
from pytest_energy.serving.engines.loop_sessions import LoopSessions
from pytest_energy.serving.engines.openai_pages import (
    Card,
    cache_counters_on,
    card_of,
    cards_on,
    draft_counters_on,
    queue_depth_on,
    refusal,
    version_on,
)
from pytest_energy.serving.engines.openai_stream import (
    Answer,
    ServerFault,
    shortened,
)
from pytest_energy.serving.engines.processes import server_pids
from pytest_energy.serving.engines.protocol import (
    CacheCounters,
    DraftCounters,
    EngineError,
    EngineFacts,
    Request,
    TokenEvent,
)
from pytest_energy.serving.engines.whereabouts import WAY_OUT, note_of_meter, whereabouts

if TYPE_CHECKING:
    import aiohttp
else:
    aiohttp = LazyModule("aiohttp")

T = TypeVar("T")

NAME = "openai-endpoint"

# vLLM, SGLang and llama.cpp drop an idle connection after 5 s. A request on one that is just being dropped
# would fail, so idle ones are given up well before.
IDLE_CONNECTION_S = 2.0

# aiohttp warns of larger bodies given as bytes; a stream in memory is sent piece by piece.
LARGE_BODY_BYTES = 2**20

# What is asked in every request; a request's own values are added in `_body`.
FIXED_FIELDS: Mapping[str, object] = MappingProxyType({"temperature": 0, "top_p": 1, "stream": True})
EXTENSION_FIELDS: Mapping[str, object] = MappingProxyType(
    {"ignore_eos": True, "stream_options": {"include_usage": True, "continuous_usage_stats": True}}
)
OWN_FIELDS = frozenset({"model", "prompt", "max_tokens", "min_tokens", "stop_token_ids", *FIXED_FIELDS})


class OpenAiEndpoint:
    """Serves through the completions of an OpenAI-compatible HTTP server, which must be running.

    Needs the extra `serving`. If a server reports its usage only at the end of an answer (llama.cpp), a
    chunk with text counts one token until then: the number of tokens is still the server's, but the time of a
    token is the time of its chunk at best. `facts.tuning` shows which, once an answer has come.

    Args:
        base_url: Such as `http://127.0.0.1:8000`, with or without `/v1`.
        model: Name that the server gives it; may be left out if the server has one model.
        api_key: Sent as a bearer token, never shown.
        timeout_s: Longest time without a new token, before and within an answer; of other pages, for the
            whole page.
        answer_timeout_s: Longest time of a whole answer.
        extra_body: Further fields of each request. `None` leaves out one of `ignore_eos`, `min_tokens` and
            `stream_options`, for a server that refuses what it doesn't know. With `return_token_ids` vLLM
            and SGLang send the tokens; they then send the prompt back too, which is work of its own.
        parameters: Weights of the model, which no server reports.
        size_bytes: The model on its device.
        vram_bytes: All memory of the server's GPUs.
        channels: Channels that count for the server, such as `("gpu:0",)`; all of its machine's if empty.
        meter: Address of `pytest-energy agent` on the server's machine, such as `http://gpu-box:8365`: it
            measures then. A server at an address that isn't this machine's is `unmeasured` without, unless
            *channels* of this machine are named.
        meter_token_file: File that holds the agent's token; without it that of the variable
            `PYTEST_ENERGY_METER_TOKEN_FILE`.
        meter_ca_file: Certificate of who signed the agent's, for https; without it that of the variable
            `PYTEST_ENERGY_METER_CA_FILE`, or those that the system trusts.

    Raises:
        SettingsError: An argument is outside its range, aiohttp isn't installed, or *model* doesn't pick one
            of the server's models.
        EngineError: The server doesn't answer.
    """

    name = NAME

    def __init__(
        self,
        base_url: str,
        *,
        model: str | None = None,
        api_key: str | None = None,
        timeout_s: float = 60.0,
        answer_timeout_s: float = 600.0,
        extra_body: Mapping[str, object] | None = None,
        parameters: int | None = None,
        size_bytes: float | None = None,
        vram_bytes: float | None = None,
        channels: Sequence[str] = (),
        meter: str | None = None,
        meter_token_file: str | PathLike[str] | None = None,
        meter_ca_file: str | PathLike[str] | None = None,
    ) -> None:
        url, key, extra, name = Hidden(base_url), Hidden(api_key), Hidden(extra_body or {}), Hidden(model)
        base_url, api_key, extra_body, model = COVER, COVER, None, COVER  # what a traceback shows of them
        _require_aiohttp()
        _check_limits(timeout_s=timeout_s, answer_timeout_s=answer_timeout_s)
        self._address = Address.parse(url, api_key=key)
        self._timeout_s, self._answer_timeout_s = timeout_s, answer_timeout_s
        self._completions_url = f"{self._address.root}/v1/completions"
        _check_extra(extra)
        names = _checked_channels(channels)
        there = Hidden(meter)
        meter = COVER
        agent = _meter_address(there, meter_token_file, meter_ca_file)
        card = card_of(self._models(), name, at=self._address.root)
        version = self._version()
        place = whereabouts(self._address.host, self._address.port)
        self._is_here = place.is_here and agent is None
        why_elsewhere = None if agent else place.elsewhere_because
        self._has_min_tokens = "min_tokens" not in extra.value
        fields = {"model": card.id, **FIXED_FIELDS, **EXTENSION_FIELDS, **extra.value}
        self._fields, self._ending_fields = _fields(fields), _fields({**fields, "ignore_eos": None})
        self._facts = EngineFacts(
            model=printable(masked(card.id)),
            parameters=parameters,
            size_bytes=size_bytes,
            vram_bytes=vram_bytes,
            flags={
                "decoding": "greedy",
                **({"channels": ", ".join(names)} if names else {}),
                **{
                    field: masked_json(json.dumps(value, sort_keys=True))
                    for field, value in extra.value.items()
                },
            },
            tuning={
                "endpoint": self._address.root,
                **({} if agent is None else {"meter": agent.url}),
                **({"max_model_len": str(card.max_model_len)} if card.max_model_len else {}),
            },
            versions={} if version is None else {card.server: version},
            unmeasured_because=None if names or why_elsewhere is None else f"{why_elsewhere}; {WAY_OUT}",
            channels=names,
            note=place.note(names) if agent is None else note_of_meter(self._address.host, agent.host, names),
            unseen_because=place.unseen_because,
            meter=agent,
        )
        self._sessions = LoopSessions(self._session)
        self._has_running_usage: bool | None = None
        self._is_closed = False

    @property
    def facts(self) -> EngineFacts:
        if self._has_running_usage is None:
            return self._facts
        source = "usage of each chunk" if self._has_running_usage else "a token a chunk, usage at the end"
        return replace(self._facts, tuning={**self._facts.tuning, "token_times": source})

    async def generate(self, request: Request) -> AsyncGenerator[TokenEvent, None]:
        """Token events of one answer; see `Engine.generate`."""
        if self._is_closed:
            raise self._error(request.request_id, self._completions_url, "the engine is closed")
        answer = Answer(len(request.prompt), request.output_tokens)
        try:
            async with aclosing(self._events(request, answer)) as events:
                async for event in events:
                    yield event
        except (EnergyError, aiohttp.ClientError, OSError) as error:
            because = self._reason(error)
        else:
            self._has_running_usage = answer.has_running_usage
            return
        count, length = answer.token_count, request.output_tokens
        progress = f" (after {count} of {length} tokens)" if count else ""
        raise self._error(request.request_id, self._completions_url, f"{because}{progress}")

    async def _events(self, request: Request, answer: Answer) -> AsyncGenerator[TokenEvent, None]:
        """Send *request* and have *answer* count what comes."""
        session, now_s = await self._sessions.current(), asyncio.get_running_loop().time
        newest_s, end_s = (start_s := now_s()), start_s + self._answer_timeout_s
        async with AsyncExitStack() as until_end:
            try:
                async with asyncio.timeout_at(min(start_s + self._timeout_s, end_s)):
                    opening = session.post(
                        self._completions_url, data=self._body(request), allow_redirects=False
                    )
                    response = await until_end.enter_async_context(opening)
                    await _check_is_stream(response)
                newest_s = now_s()
                while True:
                    # Not the socket's own limit: what comes may be no byte of an answer (a chunk's size).
                    async with asyncio.timeout_at(min(newest_s + self._timeout_s, end_s)):
                        received = await response.content.readany()
                    if not received:
                        break
                    count = answer.token_count
                    for event in answer.feed(received):
                        yield event
                    if answer.token_count > count:
                        newest_s = now_s()
            except TimeoutError as error:
                if now_s() >= end_s:
                    raise ServerFault(
                        f"not complete after answer_timeout_s={self._answer_timeout_s:g}"
                    ) from error
                if newest_s == start_s:
                    raise
                raise ServerFault(f"no new token for {self._timeout_s:g} s") from error
            answer.end()

    def cache_counters(self) -> CacheCounters | None:
        """Counters of vLLM's or SGLang's prefix cache from `/metrics`, or `None` without.

        Raises:
            EngineError: The server doesn't answer, or with something else than metrics.
        """
        return self._on_metrics(cache_counters_on)

    def draft_counters(self) -> DraftCounters | None:
        """Counters of vLLM's speculative decoding from `/metrics`, or `None` without.

        Raises:
            EngineError: The server doesn't answer, or with something else than metrics.
        """
        return self._on_metrics(draft_counters_on)

    def _on_metrics(self, read: Callable[[int, bytes], T]) -> T:
        try:
            return read(*self._get("/metrics", METRICS_BYTES))
        except FormatError as error:
            because = str(error)
        raise self._get_error("/metrics", because)

    async def queue_depth(self) -> int | None:
        """Requests that wait for their first step, from `/metrics`, or `None` without.

        Raises:
            EngineError: The server doesn't answer, or with something else than metrics.
        """
        session = await self._sessions.current()
        try:
            async with (
                asyncio.timeout(self._timeout_s),
                session.get(f"{self._address.root}/metrics", allow_redirects=False) as response,
            ):
                is_there = response.status == http.HTTPStatus.OK
                return queue_depth_on(await _page(response, METRICS_BYTES)) if is_there else None
        except (EnergyError, aiohttp.ClientError, OSError) as error:
            because = self._reason(error)
        raise self._get_error("/metrics", because)

    def worker_pids(self) -> tuple[int, ...]:
        """The server's processes where its address is this machine's own, else none."""
        return server_pids(self._address.port) if self._is_here else ()

    def close(self) -> None:
        """Close the connections; the server runs on."""
        self._is_closed = True
        self._sessions.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _session(self) -> "aiohttp.ClientSession":
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=IDLE_CONNECTION_S, ttl_dns_cache=None),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,  # a megabyte may unpack to gigabytes
            headers={
                "Content-Type": "application/json",
                "Accept-Encoding": "identity",
                **self._address.headers,
            },
            timeout=aiohttp.ClientTimeout(),  # each request has limits of its own
        )

    def _body(self, request: Request) -> bytes | io.BytesIO:
        length, stop = request.output_tokens, request.stop
        fields = self._fields if stop is None or not stop.at_end else self._ending_fields
        limits = f',"min_tokens":{length}' if stop is None and self._has_min_tokens else ""
        if stop is not None and stop.token_ids:
            limits = f',"stop_token_ids":[{",".join(map(str, stop.token_ids))}]'
        prompt = ",".join(map(str, request.prompt))
        body = f'{{"prompt":[{prompt}],"max_tokens":{length}{limits},{fields}}}'.encode()
        return body if len(body) <= LARGE_BODY_BYTES else io.BytesIO(body)

    def _models(self) -> list[Card]:
        """The server's models, as it describes them."""
        path = "/v1/models"
        cards = cards_on(*self._get(path))
        if isinstance(cards, Absent):
            raise self._get_error(path, cards.because)
        return cards

    def _version(self) -> str | None:
        """The server's version, where it has a page for it."""
        status, content = self._get("/version")
        return version_on(content) if status == http.HTTPStatus.OK else None

    def _get(self, path: str, most_bytes: int = PAGE_BYTES) -> tuple[int, bytes]:
        try:
            return get(self._address, path, timeout_s=self._timeout_s, most_bytes=most_bytes)
        except (ServerFault, OSError, http.client.HTTPException) as error:
            because = self._reason(error)
        raise self._get_error(path, because)

    def _reason(self, error: Exception) -> str:
        if isinstance(error, EnergyError):
            return str(error)
        return reason_of(getattr(error, "os_error", error), timeout_s=self._timeout_s)

    def _get_error(self, path: str, because: str) -> EngineError:
        return self._error(f"GET {path}", f"{self._address.root}{path}", because)

    def _error(self, request_id: str, url: str, because: str) -> EngineError:
        return EngineError(NAME, request_id, printable(f"{url}: {because}"))


def _require_aiohttp() -> None:
    try:
        _ = aiohttp.ClientSession
    except ImportError as error:
        raise SettingsError(
            "OpenAiEndpoint needs the package aiohttp: pip install 'pytest-energy[serving]'"
        ) from error


def _check_limits(**limits_s: object) -> None:
    for name, limit_s in limits_s.items():
        if not isinstance(limit_s, int | float):
            raise SettingsError(f"{name} is of type {type(limit_s).__name__}, not a number of seconds")
        if not limit_s > 0:
            raise SettingsError(f"{name} is {limit_s}; it must be above 0")


def _check_extra(extra: Hidden[Mapping[str, object]]) -> None:
    because = _why_no_extra(extra)
    if because is not None:
        raise SettingsError(because)
    keep_named_secrets(extra.value)


def _why_no_extra(extra: Hidden[object]) -> str | None:
    if not isinstance(extra.value, Mapping):
        return f"extra_body is of type {type(extra.value).__name__}, not a mapping of fields to values"
    for field, value in extra.value.items():
        if field in OWN_FIELDS and not (field == "min_tokens" and value is None):
            return (
                f"extra_body sets {field!r}, which the plugin sets so that all rounds do the same work; "
                f"remove it"
            )
        try:
            json.dumps(value, allow_nan=False)
        except (TypeError, ValueError, RecursionError) as error:
            return f"extra_body[{field!r}] can't be written as JSON: {error}"
    return None


def _meter_address(
    meter: Hidden[str | None],
    token_file: str | PathLike[str] | None,
    ca_file: str | PathLike[str] | None,
) -> MeterAddress | None:
    if meter.value is not None:
        return MeterAddress.parse(meter, token_file=token_file, ca_file=ca_file)
    if token_file is not None or ca_file is not None:
        raise SettingsError("meter_token_file and meter_ca_file are of a meter; give its address too: meter=")
    return None


def _checked_channels(channels: Sequence[str]) -> tuple[str, ...]:
    for name in (channels,) if isinstance(channels, str) else channels:
        if isinstance(channels, str) or not _is_channel(name):
            raise SettingsError(
                f"channels names {name!r}; give names such as ('gpu:0', 'cpu:package-0'), as "
                "`pytest-energy doctor` lists them"
            )
    return tuple(channels)


def _is_channel(name: object) -> bool:
    domain, _, place = str(name).partition(":")
    return isinstance(name, str) and domain in set(Domain) and place.isprintable() and bool(place.strip())


def _fields(fields: Mapping[str, object]) -> str:
    """*fields* as the inside of a JSON object, those without a value left out."""
    return json.dumps({field: value for field, value in fields.items() if value is not None})[1:-1]


async def _check_is_stream(response: "aiohttp.ClientResponse") -> None:
    """Raise what the server says instead of a stream of events."""
    if response.status != http.HTTPStatus.OK:
        target = response.headers.get("Location")
        raise ServerFault(refusal(response.status, await _page(response, PAGE_BYTES), target))
    check_is_plain(response.headers.get("Content-Encoding"))
    if response.content_type != "text/event-stream":
        text = shortened((await _page(response, PAGE_BYTES)).decode(errors="replace"))
        raise ServerFault(f"the answer is {shortened(response.content_type)}, not a stream of events: {text}")


async def _page(response: "aiohttp.ClientResponse", most_bytes: int) -> bytes:
    """All of *response*.

    Raises:
        ServerFault: It is larger than *most_bytes*, or compressed.
    """
    check_is_plain(response.headers.get("Content-Encoding"))
    content = bytearray()
    async for piece in response.content.iter_any():
        content += piece
        check_size(len(content), most_bytes)
    return bytes(content)
