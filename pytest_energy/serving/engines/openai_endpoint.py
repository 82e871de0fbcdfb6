"""Any OpenAI-compatible HTTP server as an engine: vLLM, SGLang, llama.cpp.

Rule 1: the prompt is sent as token ids and the tokens are counted by the server, so that a load is the same
work here and in an engine inside this process (openai_stream.py holds the server to it).
Rule 2: between the call of `generate` and the first byte on its way stands as little as can be: the load
leaves on time only if the event loop is free.
Rule 3: every failure is an `EngineError` with the URL and the request. Redirects are not followed, proxies of
the environment not asked, and no text holds a credential.
"""

import http.client
import io
import json
import math
import re
from collections.abc import AsyncGenerator, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Self

from pytest_energy.errors import EnergyError, FormatError, SettingsError
from pytest_energy.lazy_module import LazyModule
from pytest_energy.serving.engines.endpoint_http import Address, get, reason_of
from pytest_energy.serving.engines.loop_sessions import LoopSessions
from pytest_energy.serving.engines.openai_stream import Answer, ServerFault, message_of, shortened
from pytest_energy.serving.engines.processes import server_pids
from pytest_energy.serving.engines.protocol import (
    CacheCounters,
    EngineError,
    EngineFacts,
    Request,
    TokenEvent,
)

if TYPE_CHECKING:
    import aiohttp
else:
    aiohttp = LazyModule("aiohttp")

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
OWN_FIELDS = frozenset({"model", "prompt", "max_tokens", "min_tokens", *FIXED_FIELDS})

# Requests that wait for their first step. Sources: the metrics pages in the documentation of vLLM and SGLang,
# README of llama.cpp's server (with its option --metrics), metrics of TGI's router.
QUEUE_GAUGES = (
    "vllm:num_requests_waiting",
    "sglang:num_queue_reqs",
    "llamacpp:requests_deferred",
    "tgi_queue_size",
)

REFUSED_PROMPT_HINT = (
    "; if this is about the prompt: it is sent as token ids, "
    "which vLLM, SGLang and llama.cpp take and TGI does not"
)


class OpenAiEndpoint:
    """Serves through the completions of an OpenAI-compatible HTTP server, which must be running.

    Needs the extra `serving`. Where a server tells its usage only at the end of an answer (llama.cpp), a
    chunk with text counts one token until then: the number of tokens is still the server's, but the time of a
    token is the time of its chunk at best. `facts.tuning` tells which, once an answer has come.

    Args:
        base_url: Such as `http://127.0.0.1:8000`, with or without `/v1`.
        model: Name that the server gives it; may be left out where the server has one model.
        api_key: Sent as a bearer token, never shown.
        timeout_s: Longest silence of the server, before and between the pieces of an answer.
        extra_body: Further fields of each request. `None` leaves out one of `ignore_eos`, `min_tokens` and
            `stream_options`, for a server that refuses what it doesn't know. With `return_token_ids` vLLM
            and SGLang tell the tokens; they then send the prompt back too, which is work of its own.
        parameters: Weights of the model, which no server tells.
        size_bytes: The model on its device.
        vram_bytes: All memory of the server's GPUs.

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
        extra_body: Mapping[str, object] | None = None,
        parameters: int | None = None,
        size_bytes: float | None = None,
        vram_bytes: float | None = None,
    ) -> None:
        _require_aiohttp()
        if not timeout_s > 0:
            raise SettingsError(f"timeout_s is {timeout_s}; it must be above 0")
        self._address = Address.parse(base_url, api_key=api_key)
        self._timeout_s = timeout_s
        self._completions_url = f"{self._address.root}/v1/completions"
        extra = _checked_extra(extra_body or {})
        card = _card(self._models(), model, at=self._address.root)
        version = self._version()
        self._has_min_tokens = "min_tokens" not in extra
        self._fields = _fields({"model": card["id"], **FIXED_FIELDS, **EXTENSION_FIELDS, **extra})
        self._facts = EngineFacts(
            model=card["id"],
            parameters=parameters,
            size_bytes=size_bytes,
            vram_bytes=vram_bytes,
            flags={
                "decoding": "greedy",
                **{field: json.dumps(value, sort_keys=True) for field, value in extra.items()},
            },
            tuning={
                "endpoint": self._address.root,
                **({"max_model_len": str(card["max_model_len"])} if card.get("max_model_len") else {}),
            },
            versions={} if version is None else {str(card.get("owned_by") or "server"): version},
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
        session = await self._sessions.current()
        answer = Answer(len(request.prompt))
        try:
            async with session.post(
                self._completions_url, data=self._body(request), allow_redirects=False
            ) as response:
                await _check_is_stream(response)
                async for received in response.content.iter_any():
                    for event in answer.feed(received):
                        yield event
                answer.end()
        except (ServerFault, aiohttp.ClientError, OSError) as error:
            count, length = answer.token_count, request.output_tokens
            progress = f" (after {count} of {length} tokens)" if count else ""
            because = f"{self._reason(error)}{progress}"
            raise self._error(request.request_id, self._completions_url, because) from error
        self._has_running_usage = answer.has_running_usage

    def cache_counters(self) -> CacheCounters | None:
        """Counters of vLLM's or SGLang's prefix cache from `/metrics`, or `None` without.

        Raises:
            EngineError: The server doesn't answer, or with something else than metrics.
        """
        status, content = self._get("/metrics")
        if status != http.HTTPStatus.OK:
            return None
        page = content.decode(errors="replace")
        try:
            return _cache_counters(page)
        except EnergyError as error:
            raise self._get_error("/metrics", str(error)) from error

    async def queue_depth(self) -> int | None:
        """Requests that wait for their first step, from `/metrics`, or `None` without.

        Raises:
            EngineError: The server doesn't answer, or with something else than metrics.
        """
        session = await self._sessions.current()
        try:
            async with session.get(f"{self._address.root}/metrics", allow_redirects=False) as response:
                if response.status != http.HTTPStatus.OK:
                    return None
                page = (await response.read()).decode(errors="replace")
            depths = (metric_sum(page, gauge) for gauge in QUEUE_GAUGES)
            return next((depth for depth in depths if depth is not None), None)
        except (EnergyError, aiohttp.ClientError, OSError) as error:
            raise self._get_error("/metrics", self._reason(error)) from error

    def worker_pids(self) -> tuple[int, ...]:
        """The server's processes where its address is this machine's own, else none."""
        return server_pids(self._address.port) if self._address.is_loopback else ()

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
            headers={
                "Content-Type": "application/json",
                "Accept-Encoding": "identity",
                **self._address.headers,
            },
            # A whole answer may take as long as it likes; silence may not.
            timeout=aiohttp.ClientTimeout(
                total=None, sock_connect=self._timeout_s, sock_read=self._timeout_s
            ),
        )

    def _body(self, request: Request) -> bytes | io.BytesIO:
        length = request.output_tokens
        least = f',"min_tokens":{length}' if self._has_min_tokens else ""
        prompt = ",".join(map(str, request.prompt))
        body = f'{{"prompt":[{prompt}],"max_tokens":{length}{least},{self._fields}}}'.encode()
        return body if len(body) <= LARGE_BODY_BYTES else io.BytesIO(body)

    def _models(self) -> list[dict[str, Any]]:
        """The server's models, as it describes them."""
        path = "/v1/models"
        status, content = self._get(path)
        if status != http.HTTPStatus.OK:
            raise self._get_error(path, _refusal(status, content))
        try:
            cards = json.loads(content)["data"]
            return [{**card, "id": str(card["id"])} for card in cards]
        except (ValueError, KeyError, TypeError) as error:
            text = shortened(content.decode(errors="replace"))
            raise self._get_error(path, f"this is no list of models: {text}") from error

    def _version(self) -> str | None:
        """The server's version, where it has a page for it."""
        status, content = self._get("/version")
        if status != http.HTTPStatus.OK:
            return None
        try:
            return str(json.loads(content)["version"])
        except (ValueError, KeyError, TypeError):
            return None  # a page of that name with something else on it

    def _get(self, path: str) -> tuple[int, bytes]:
        try:
            return get(self._address, path, timeout_s=self._timeout_s)
        except (OSError, http.client.HTTPException) as error:
            raise self._get_error(path, self._reason(error)) from error

    def _reason(self, error: Exception) -> str:
        if isinstance(error, EnergyError):
            return str(error)
        return reason_of(getattr(error, "os_error", error), timeout_s=self._timeout_s)

    def _get_error(self, path: str, because: str) -> EngineError:
        return self._error(f"GET {path}", f"{self._address.root}{path}", because)

    def _error(self, request_id: str, url: str, because: str) -> EngineError:
        return EngineError(NAME, request_id, self._address.without_secrets(f"{url}: {because}"))


def _require_aiohttp() -> None:
    try:
        _ = aiohttp.ClientSession
    except ImportError as error:
        raise SettingsError(
            "OpenAiEndpoint needs the package aiohttp: pip install 'pytest-energy[serving]'"
        ) from error


def _checked_extra(extra: Mapping[str, object]) -> dict[str, object]:
    for field, value in extra.items():
        if field in OWN_FIELDS and not (field == "min_tokens" and value is None):
            raise SettingsError(
                f"extra_body sets {field!r}, which is set here so that rounds are the same work; leave it out"
            )
        try:
            json.dumps(value)
        except (TypeError, ValueError) as error:
            raise SettingsError(f"extra_body[{field!r}] can't be written as JSON: {error}") from error
    return dict(extra)


def _fields(fields: Mapping[str, object]) -> str:
    """*fields* as the inside of a JSON object, those without a value left out."""
    return json.dumps({field: value for field, value in fields.items() if value is not None})[1:-1]


def _card(cards: list[dict[str, Any]], model: str | None, *, at: str) -> dict[str, Any]:
    """The description of *model*, or of the only one."""
    names = ", ".join(card["id"] for card in cards) or "none"
    if model is None and len(cards) == 1:
        return cards[0]
    if model is None:
        raise SettingsError(f"{at} serves {len(cards)} models; name one of them as model: {names}")
    for card in cards:
        if card["id"] == model:
            return card
    raise SettingsError(f"{at} doesn't serve the model {model!r}; it serves: {names}")


async def _check_is_stream(response: "aiohttp.ClientResponse") -> None:
    """Raise what the server says instead of a stream of events."""
    if response.status != http.HTTPStatus.OK:
        target = response.headers.get("Location")
        raise ServerFault(_refusal(response.status, await response.read(), target))
    if response.content_type != "text/event-stream":
        text = shortened((await response.read()).decode(errors="replace"))
        raise ServerFault(f"the answer is {response.content_type}, not a stream of events: {text}")


def _refusal(status: int, content: bytes, target: str | None = None) -> str:
    if target is not None or 300 <= status < 400:
        return f"HTTP {status}, a redirect to {target}; it isn't followed, give the final address"
    try:
        message = message_of(json.loads(content))
    except ValueError:
        message = shortened(content.decode(errors="replace"))
    is_about_fields = status in (http.HTTPStatus.BAD_REQUEST, http.HTTPStatus.UNPROCESSABLE_ENTITY)
    return f"HTTP {status}: {message}{REFUSED_PROMPT_HINT if is_about_fields else ''}"


def _cache_counters(page: str) -> CacheCounters | None:
    """Source: `vllm/v1/metrics/loggers.py`, `sglang/srt/observability/metrics_collector.py`."""
    queried = metric_sum(page, "vllm:prefix_cache_queries_total")
    hit = metric_sum(page, "vllm:prefix_cache_hits_total")
    if queried is None or hit is None:
        queried = metric_sum(page, "sglang:prompt_tokens_total")
        # SGLang makes this counter at the first hit; before, none is the true count.
        hit = metric_sum(page, "sglang:cached_tokens_total") or 0
    return None if queried is None else CacheCounters(queried_tokens=queried, hit_tokens=hit)


def metric_sum(page: str, name: str) -> int | None:
    r"""Sum of the metric *name* over its label sets (engines, ranks), or `None` where the page has none.

    A page of vLLM has a thousand lines, most of them histograms, and is read while a load runs on the same
    thread: so only the lines of the asked name are looked at.

    Raises:
        FormatError: A value is no whole number.

    Source:
        Prometheus documentation, "Exposition formats", text-based format.

    >>> metric_sum('hits_total{engine="0"} 3.0\nhits_total{engine="1"} 4.0\n', "hits_total")
    7
    """
    samples = re.findall(rf"^{re.escape(name)}(?:[ \t]*\{{.*\}})?[ \t]+(\S+)", page, re.MULTILINE)
    return sum(_whole(name, value) for value in samples) if samples else None


def _whole(name: str, text: str) -> int:
    try:
        value = float(text)
    except ValueError as error:
        raise FormatError(f"metric {name} is {text!r}, not a number") from error
    if not math.isfinite(value) or value != round(value) or value < 0:
        raise FormatError(f"metric {name} is {text}, not a count")
    return round(value)
