"""The HTTP engine against a server on the loopback that answers by script: right requests, clear failures."""

import asyncio
import io
import re
import socket
import subprocess
import sys
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_energy.errors import SettingsError
from pytest_energy.lazy_module import LazyModule
from pytest_energy.remote.address import MeterAddress
from pytest_energy.serving.arrivals import Schedule
from pytest_energy.serving.engines import openai_endpoint
from pytest_energy.serving.engines.openai_endpoint import LARGE_BODY_BYTES, OpenAiEndpoint
from pytest_energy.serving.engines.protocol import DraftCounters, EngineError, Request, Stop, TokenEvent
from pytest_energy.serving.load import serve
from pytest_energy.serving.load_result import LoadResult
from tests.fakes.listening_process import listening_process
from tests.fakes.openai_server import (
    COMMENTS,
    CUT,
    DONE,
    DRIP,
    HANG,
    SIZE,
    Asked,
    FakeOpenAiServer,
    Reply,
    answer,
    chunk,
    event,
    json_reply,
    models_reply,
    text_reply,
    usage,
)

pytest.importorskip("aiohttp")

PROMPT = (5, 6, 7)
KEY = "sesame-open"
ALL_AT_ONCE = float("inf")


@pytest.fixture
def server() -> Iterator[FakeOpenAiServer]:
    with FakeOpenAiServer() as server:
        yield server


@pytest.fixture
def engine(server: FakeOpenAiServer) -> Iterator[OpenAiEndpoint]:
    with OpenAiEndpoint(server.url) as engine:
        yield engine


def load(engine: OpenAiEndpoint, *, count: int = 1, output_tokens: int = 2) -> LoadResult:
    return serve(engine, [PROMPT] * count, Schedule(rate=ALL_AT_ONCE), output_tokens=output_tokens)


def scripted(*steps: bytes | str, **head: object) -> Callable[[Asked], Reply]:
    """A server that gives every completion the same answer."""
    return lambda _: Reply(steps=steps, **head)  # type: ignore[arg-type]


def gives_up(told: str, attempt: Callable[[float], object]) -> None:
    """*attempt* is given its seconds, which are the `{}` of *told*: a busy machine is given more."""
    for soon_s in (0.2, 1.0, 5.0, 25.0):
        with pytest.raises(EngineError) as caught:
            attempt(soon_s)
        if re.search(told.format(re.escape(f"{soon_s:g}")), str(caught.value)):
            return
    raise caught.value


def ask(engine: OpenAiEndpoint, request: Request) -> list[TokenEvent]:
    async def collect() -> list[TokenEvent]:
        async with aclosing(engine.generate(request)) as events:
            return [event async for event in events]

    return asyncio.run(collect())


def closed_port() -> int:
    """A port of the loopback that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


def test_a_request_is_the_prompts_ids_and_a_length_that_nothing_shortens(
    server: FakeOpenAiServer, engine: OpenAiEndpoint
) -> None:
    """Greedy, end-of-sequence ignored, streamed, with the server's count on each chunk."""
    load(engine, output_tokens=4)
    asked = server.completions[0]
    assert asked.headers["content-type"] == "application/json"
    assert "authorization" not in asked.headers
    assert asked.fields == {
        "model": "tiny",
        "prompt": list(PROMPT),
        "max_tokens": 4,
        "min_tokens": 4,
        "ignore_eos": True,
        "temperature": 0,
        "top_p": 1,
        "stream": True,
        "stream_options": {"include_usage": True, "continuous_usage_stats": True},
    }


@pytest.mark.parametrize(
    ("stop", "more"),
    [
        (Stop(), {}),
        (Stop(token_ids=(13, 2)), {"stop_token_ids": [13, 2]}),
        (Stop(token_ids=(13,), at_end=False), {"stop_token_ids": [13], "ignore_eos": True}),
    ],
)
def test_a_request_of_free_length_has_no_least_length(
    server: FakeOpenAiServer, engine: OpenAiEndpoint, stop: Stop, more: dict[str, object]
) -> None:
    """What ends it is asked for, and nothing keeps it from ending."""
    serve(engine, [PROMPT], Schedule(rate=ALL_AT_ONCE), output_tokens=4, stop=stop)
    fields = server.completions[0].fields
    own = {name: fields[name] for name in ("stop_token_ids", "ignore_eos", "min_tokens") if name in fields}
    assert (own, fields["max_tokens"]) == (more, 4)


def test_loads_follow_one_another_each_in_its_own_event_loop(
    server: FakeOpenAiServer, engine: OpenAiEndpoint
) -> None:
    """Every token arrives in every load, and no connection outlives the load that made it."""
    for _ in range(3):
        assert load(engine, count=20, output_tokens=5).output_tokens == 100
        assert server.has_no_connection()


def test_requests_one_after_another_share_a_connection(server: FakeOpenAiServer) -> None:
    """Making one takes longer than a request."""

    async def twenty(engine: OpenAiEndpoint) -> None:
        for position in range(20):
            request = Request(request_id=str(position), prompt=PROMPT, output_tokens=2)
            async with aclosing(engine.generate(request)) as events:
                assert [event.count async for event in events] == [1, 1]

    with OpenAiEndpoint(server.url) as engine:
        before = server.accepted_count
        asyncio.run(twenty(engine))
        assert server.accepted_count == before + 1


def test_any_number_of_requests_run_at_once(server: FakeOpenAiServer, engine: OpenAiEndpoint) -> None:
    """No limit of connections delays a request: none is answered before the last has come."""
    count = 150  # aiohttp's own limit is 100
    seen: list[Asked] = []

    def last_one_fails(asked: Asked) -> Reply:
        seen.append(asked)
        if len(seen) < count:
            return Reply(steps=(HANG,))
        return json_reply({"error": {"message": "all are here"}}, 500)

    server.completion = last_one_fails
    with pytest.raises(EngineError, match="all are here"):
        load(engine, count=count)
    assert len(seen) == count


def test_a_withdrawn_request_ends_at_the_server(server: FakeOpenAiServer, engine: OpenAiEndpoint) -> None:
    """Closing the generator early drops the connection; other requests go on."""
    server.completion = lambda asked: (
        Reply(steps=(chunk("x", usage=usage(3, 1)), HANG))
        if len(asked.fields["prompt"]) == 3
        else answer(asked)
    )

    async def first_of_one_then_all_of_another() -> list[int]:
        dropped: AsyncGenerator[TokenEvent, None] = engine.generate(
            Request(request_id="0", prompt=PROMPT, output_tokens=9)
        )
        async with aclosing(dropped):
            counts = [(await anext(dropped)).count]
        whole = engine.generate(Request(request_id="1", prompt=(1,), output_tokens=3))
        return counts + [event.count async for event in whole]

    assert asyncio.run(first_of_one_then_all_of_another()) == [1, 1, 1, 1]
    assert server.has_no_connection()


def test_an_answer_counted_only_at_its_end_has_the_servers_length(
    server: FakeOpenAiServer, engine: OpenAiEndpoint
) -> None:
    """As llama.cpp does; the facts say that the tokens' times are those of chunks."""
    server.completion = scripted(
        chunk("a"), chunk("b"), chunk("", finish_reason="length", usage=usage(3, 4)), DONE
    )
    assert "token_times" not in engine.facts.tuning
    assert load(engine, output_tokens=4).output_tokens == 4
    assert "a token a chunk, usage at the end" in engine.facts.tuning.values()
    server.completion = answer
    load(engine)
    assert "usage of each chunk" in engine.facts.tuning.values()


def test_token_ids_come_when_they_are_asked_for(server: FakeOpenAiServer) -> None:
    """By a further field of the body, which is then part of what makes joules comparable."""
    request = Request(request_id="0", prompt=PROMPT, output_tokens=3)
    with OpenAiEndpoint(server.url, extra_body={"return_token_ids": True}) as engine:
        assert [event.token_ids for event in ask(engine, request)] == [(1,), (2,), (3,)]
        assert engine.facts.flags == {"decoding": "greedy", "return_token_ids": "true"}
    with OpenAiEndpoint(server.url) as engine:
        assert [event.token_ids for event in ask(engine, request)] == [None, None, None]


def test_a_field_that_a_server_refuses_can_be_left_out(server: FakeOpenAiServer) -> None:
    """None in the extra body takes it away."""
    with OpenAiEndpoint(server.url, extra_body={"min_tokens": None, "ignore_eos": None}) as engine:
        load(engine)
    assert {"min_tokens", "ignore_eos"}.isdisjoint(server.completions[0].fields)


def test_a_prompt_of_a_megabyte_arrives_whole(server: FakeOpenAiServer, engine: OpenAiEndpoint) -> None:
    """And without the client's warning of large bodies."""
    prompt = tuple(range(100_000, 260_000))
    request = Request(request_id="0", prompt=prompt, output_tokens=1)
    assert isinstance(engine._body(request), io.BytesIO)
    assert [event.count for event in ask(engine, request)] == [1]
    assert len(server.completions[0].body) > LARGE_BODY_BYTES
    assert tuple(server.completions[0].fields["prompt"]) == prompt


def test_facts_are_what_the_server_tells(server: FakeOpenAiServer) -> None:
    """Model, longest request, version; size and parameters only where they are given. No credentials."""
    server.pages["/version"] = json_reply({"version": "0.32.0"})
    with OpenAiEndpoint(f"{server.url}/v1", api_key=KEY, parameters=7, size_bytes=14.0) as engine:
        facts = engine.facts
    assert (facts.model, facts.parameters, facts.size_bytes, facts.vram_bytes) == ("tiny", 7, 14.0, None)
    assert facts.flags == {"decoding": "greedy"}
    assert facts.tuning == {"endpoint": server.url, "max_model_len": "4096"}
    assert facts.versions == {"vllm": "0.32.0"}
    assert KEY not in repr(facts)
    assert {asked.headers["authorization"] for asked in server.asked} == {f"Bearer {KEY}"}


def test_a_server_without_a_version_has_none(server: FakeOpenAiServer) -> None:
    """Neither by a missing page nor by one that holds something else."""
    with OpenAiEndpoint(server.url) as engine:
        assert engine.facts.versions == {}
    server.pages["/version"] = text_reply("hello")
    with OpenAiEndpoint(server.url) as engine:
        assert engine.facts.versions == {}


def test_the_model_must_be_one_that_the_server_has(server: FakeOpenAiServer) -> None:
    """Several and none named, or a wrong name: the error lists what there is."""
    server.pages["/v1/models"] = models_reply("small", "large")
    with pytest.raises(SettingsError, match="serves 2 models; name one of them as model: small, large"):
        OpenAiEndpoint(server.url)
    with pytest.raises(SettingsError, match="doesn't serve the model 'huge'; it serves: small, large"):
        OpenAiEndpoint(server.url, model="huge")
    with OpenAiEndpoint(server.url, model="large") as engine:
        load(engine)
    assert server.completions[0].fields["model"] == "large"


@pytest.mark.parametrize(
    ("page", "told"),
    [
        (json_reply({"error": {"message": f"wrong key {KEY}"}}, 401), r"HTTP 401: wrong key \*\*\*$"),
        (text_reply("<html>welcome</html>"), "not a list of models: <html>welcome</html>"),
        (json_reply({"data": 3}), "not a list of models"),
        (Reply(status=307, headers={"Location": "http://elsewhere/"}), "HTTP 307, a redirect"),
    ],
)
def test_a_server_that_does_not_list_its_models_is_refused(
    server: FakeOpenAiServer, page: Reply, told: str
) -> None:
    """At once, with the page and what it said."""
    server.pages["/v1/models"] = page
    with pytest.raises(
        EngineError, match=rf"request GET /v1/models: {server.url}/v1/models: {told}"
    ) as caught:
        OpenAiEndpoint(server.url, api_key=KEY)
    assert KEY not in str(caught.value)


def test_a_server_that_is_not_there_is_named(server: FakeOpenAiServer) -> None:
    """At the start, and when it goes later."""
    port = closed_port()
    with pytest.raises(EngineError, match=f"127.0.0.1:{port}/v1/models: connection refused; is the server"):
        OpenAiEndpoint(f"http://127.0.0.1:{port}")
    with OpenAiEndpoint(server.url) as engine:
        engine._completions_url = f"http://127.0.0.1:{port}/v1/completions"
        with pytest.raises(
            EngineError, match=rf"request 0: http://127.0.0.1:{port}/v1/completions: connection"
        ):
            load(engine)


def test_a_host_whose_name_is_not_known_is_told_so(
    server: FakeOpenAiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the start, and when it is forgotten later."""

    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    with OpenAiEndpoint(server.url) as engine:
        monkeypatch.setattr(socket, "getaddrinfo", unknown)
        engine._completions_url = "http://models.example/v1/completions"
        with pytest.raises(
            EngineError, match=r"models.example/v1/completions: the host name can.t be resolved"
        ):
            ask(engine, Request(request_id="0", prompt=PROMPT, output_tokens=1))
    with pytest.raises(
        EngineError, match=r"http://models.example:80/v1/models: the host name can.t be resolved"
    ):
        OpenAiEndpoint("http://models.example")


SOME = chunk("x", usage=usage(3, 1))


@pytest.mark.parametrize(
    ("reply", "told"),
    [
        (json_reply({"error": {"message": "y" * 5000}}, 500), r"HTTP 500: y{300}\.\.\.$"),
        (text_reply("Bad\nGateway", 502), "HTTP 502: Bad Gateway$"),
        (json_reply({"error": {"message": f"bad key {KEY}"}}, 401), r"HTTP 401: bad key \*\*\*$"),
        (json_reply({"error": "prompt: no variant fits"}, 422), "HTTP 422: prompt: no .* TGI does not"),
        (json_reply({"object": "error", "message": "too long"}, 400), "HTTP 400: too long; if this is about"),
        (
            Reply(status=308, headers={"Location": "/there"}),
            "HTTP 308, a redirect to /there; redirects are not followed",
        ),
        (json_reply({"choices": []}), r"the answer is application/json, not a stream of events: \{"),
        (Reply(steps=(SOME, CUT)), r"ClientPayloadError: .*\(after 1 of 2 tokens\)$"),
        (Reply(steps=(CUT,)), "ClientPayloadError|ServerDisconnectedError"),
        (Reply(steps=(SOME,)), r"ended after 1 tokens without \[DONE\] \(after 1 of 2 tokens\)$"),
        (Reply(steps=(b"data: {half\n\n", HANG)), "a chunk is not JSON: .*: {half$"),
        (
            Reply(steps=(event({"error": {"message": "out of memory"}}), DONE)),
            "during the answer: out of memory$",
        ),
        (Reply(steps=(chunk("x", usage=usage(4, 1)), HANG)), "counts 4 prompt tokens, 3 were sent"),
    ],
)
def test_every_failure_is_an_error_with_engine_url_and_request(
    server: FakeOpenAiServer, reply: Reply, told: str
) -> None:
    """Whatever the server does instead of answering; nothing stays open, and the key is not told."""
    server.completion = lambda _: reply
    with OpenAiEndpoint(server.url, api_key=KEY) as engine:
        start = f"^engine openai-endpoint, request 0: {server.url}/v1/completions: "
        with pytest.raises(EngineError, match=f"{start}.*{told}") as caught:
            load(engine)
        assert (caught.value.engine, caught.value.request_id) == ("openai-endpoint", "0")
        assert KEY not in str(caught.value)
    assert server.has_no_connection()


def test_a_page_that_never_comes_is_given_up(server: FakeOpenAiServer) -> None:
    """Also outside an event loop."""
    server.pages["/v1/models"] = Reply(steps=(HANG,))
    gives_up(
        "request GET /v1/models: .*: no data for {} s",
        lambda soon_s: OpenAiEndpoint(server.url, timeout_s=soon_s),
    )


ALL = (SOME, chunk("y", usage=usage(3, 2)), DONE)


@pytest.mark.parametrize(
    "steps",
    [(HANG,), (SOME, HANG), (*ALL, HANG), (DRIP,), (COMMENTS,), (SOME, COMMENTS), (SIZE,), (*ALL, SIZE)],
)
def test_a_server_that_says_nothing_new_is_given_up(
    server: FakeOpenAiServer, steps: tuple[bytes | str, ...]
) -> None:
    """Before, between and after its tokens; the time is for the silence, not for the answer.

    Blanks, comments and the sizes of transfer chunks are no tokens, however many of them come.
    """
    server.completion = scripted(*steps)

    def attempt(soon_s: float) -> None:
        with OpenAiEndpoint(server.url, timeout_s=soon_s) as engine:
            load(engine)

    gives_up("request 0: .*: no new token for {} s", attempt)
    assert server.has_no_connection()


@pytest.mark.parametrize("path", ["/v1/models", "/version", "/metrics"])
def test_a_page_has_a_time(server: FakeOpenAiServer, path: str) -> None:
    """Its first byte is not enough, nor is a byte from time to time."""
    server.pages[path] = Reply(steps=(b"{", DRIP))
    gives_up(
        f"request GET {path}: .*: no data for {{}} s",
        lambda soon_s: OpenAiEndpoint(server.url, timeout_s=soon_s).cache_counters(),
    )


@pytest.mark.parametrize("path", ["/v1/models", "/metrics"])
def test_a_page_that_was_cut_is_none(server: FakeOpenAiServer, path: str) -> None:
    """Half a number is another number."""
    server.pages[path] = Reply(steps=(b"vllm:prefix_cache_queries_total 12",), length=90)
    with pytest.raises(EngineError, match=rf"request GET {path}: .*IncompleteRead\(34 bytes read, 56 more"):
        OpenAiEndpoint(server.url).cache_counters()


def test_an_answer_has_a_time(server: FakeOpenAiServer) -> None:
    """However steadily its tokens come."""
    server.completion = scripted(SOME, HANG)

    def attempt(soon_s: float) -> None:
        with OpenAiEndpoint(server.url, answer_timeout_s=soon_s) as engine:
            load(engine)

    gives_up(r"not complete after answer_timeout_s={} \(after 1 of 2 tokens\)", attempt)
    assert server.has_no_connection()


MEGABYTES = b"x" * 2**20, b"x" * 2**20
GZIP = {"Content-Encoding": "gzip"}


@pytest.mark.parametrize(
    ("reply", "told"),
    [
        (Reply(steps=MEGABYTES, status=500), "the page is larger than 1 MB"),
        (Reply(steps=MEGABYTES, content_type="text/html"), "the page is larger than 1 MB"),
        (
            Reply(steps=(SOME, DONE), headers=GZIP),
            r"the page is compressed \(gzip\), which was not requested",
        ),
        (Reply(steps=(b"x",), status=500, headers=GZIP), r"the page is compressed \(gzip\)"),
        (Reply(steps=(chunk("x") * 99, HANG)), "19 tokens arrived, 2 were requested"),
    ],
)
def test_an_answer_has_a_size(server: FakeOpenAiServer, reply: Reply, told: str) -> None:
    """Nothing is unpacked, and no page is read to an end that may not come."""
    server.completion = lambda _: reply
    with OpenAiEndpoint(server.url) as engine, pytest.raises(EngineError, match=told):
        load(engine)
    assert server.has_no_connection()


@pytest.mark.parametrize(
    ("path", "page", "told"),
    [
        ("/v1/models", Reply(steps=MEGABYTES), "the page is larger than 1 MB"),
        ("/v1/models", Reply(steps=(b"x",), headers=GZIP), r"the page is compressed \(gzip\)"),
        ("/v1/models", text_reply("[" * 100_000), "not a list of models: .*nested too deep"),
        (
            "/v1/models",
            models_reply("x" * 301),
            "a model has a name that is empty or longer than 300",
        ),
        ("/version", Reply(steps=MEGABYTES), "the page is larger than 1 MB"),
    ],
)
def test_a_page_has_a_size(server: FakeOpenAiServer, path: str, page: Reply, told: str) -> None:
    """Of the models as of the version."""
    server.pages[path] = page
    with pytest.raises(EngineError, match=rf"request GET {path}: .*: {told}"):
        OpenAiEndpoint(server.url)


def test_metrics_may_be_larger(server: FakeOpenAiServer, engine: OpenAiEndpoint) -> None:
    """A server of many engines has thousands of lines; but not without end."""
    server.pages["/metrics"] = text_reply("tgi_queue_size 4\n" + "x 1\n" * 2**19)
    assert asyncio.run(engine.queue_depth()) == 4
    server.pages["/metrics"] = text_reply("x 1\n" * 2**23)
    with pytest.raises(EngineError, match="the page is larger than 16 MB"):
        asyncio.run(engine.queue_depth())
    with pytest.raises(EngineError, match="the page is larger than 16 MB"):
        engine.cache_counters()


def test_what_a_server_calls_itself_is_printable(server: FakeOpenAiServer) -> None:
    """In the facts, and in the error that lists the models; it is asked for by its own name."""
    name = "a\n::error::b\x1b[31m"
    server.pages |= {"/v1/models": models_reply(name), "/version": json_reply({"version": "1\x07"})}
    with OpenAiEndpoint(server.url) as engine:
        assert engine.facts.model == "a\\n::error::b\\x1b[31m"
        assert engine.facts.versions == {"vllm": "1\\x07"}
        load(engine)
    assert server.completions[0].fields["model"] == name
    server.pages["/v1/models"] = models_reply(name, "other")
    with pytest.raises(SettingsError) as caught:
        OpenAiEndpoint(server.url)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    "reply",
    [
        json_reply({"error": {"message": f"bad key Bearer {KEY}"}}, 401),
        Reply(steps=(f"data: {KEY}\n\n".encode(), HANG)),
        Reply(status=302, headers={"Location": f"http://x/?k={KEY}"}),
    ],
)
def test_no_frame_of_an_error_holds_the_key(server: FakeOpenAiServer, reply: Reply) -> None:
    """Nor what a server sends, which may repeat it; and no other error stands behind it."""
    server.completion = lambda _: reply
    with (
        OpenAiEndpoint(server.url, api_key=KEY) as engine,
        pytest.raises(EngineError) as caught,
    ):
        ask(engine, Request(request_id="0", prompt=PROMPT, output_tokens=1))
    ours = [entry.frame for entry in caught.traceback if "pytest_energy" in str(entry.path)]
    assert ours
    assert KEY not in "".join(repr(frame.f_locals) for frame in ours)
    assert caught.value.__context__ is None


def test_fields_with_the_name_of_a_secret_are_not_shown(server: FakeOpenAiServer) -> None:
    """They are sent, and covered wherever the body is shown."""
    body = {"auth": {"token": "gateway-0123456789"}, "note": "gateway-0123456789", "seed": 1}
    with OpenAiEndpoint(server.url, extra_body=body) as engine:
        assert engine.facts.flags["auth"] == '{"token": "***"}'
        assert engine.facts.flags["note"] == '"***"'
        load(engine)
    assert server.completions[0].fields["auth"] == body["auth"]


def test_a_server_at_another_address_is_measured_by_nothing(server: FakeOpenAiServer) -> None:
    """Unless its channels are named, which then belong to what makes joules comparable."""
    with OpenAiEndpoint(server.url) as engine:
        assert (engine.facts.unmeasured_because, engine.facts.note, engine.facts.channels) == (None, None, ())
    with OpenAiEndpoint(server.url, channels=["gpu:0", "gpu:1"]) as engine:
        assert engine.facts.channels == ("gpu:0", "gpu:1")
        assert engine.facts.flags["channels"] == "gpu:0, gpu:1"


def test_a_server_with_a_meter_is_measured_there(server: FakeOpenAiServer, tmp_path: Path) -> None:
    """The meter is asked when a test needs it. None of this machine's processes are the server's."""
    with OpenAiEndpoint(
        server.url,
        meter="https://127.0.0.1:9100/",
        meter_token_file=tmp_path / "token",
        meter_ca_file=tmp_path / "ca",
    ) as engine:
        facts = engine.facts
        assert facts.meter == MeterAddress(
            url="https://127.0.0.1:9100",
            host="127.0.0.1",
            token_file=tmp_path / "token",
            ca_file=tmp_path / "ca",
        )
        assert facts.unmeasured_because is None
        assert facts.tuning["meter"] == "https://127.0.0.1:9100"
        assert facts.note == (
            "programs at the meter that have its devices open before the first round count as the server"
        )
        assert engine.worker_pids() == ()


def test_a_meter_has_an_address(server: FakeOpenAiServer) -> None:
    """Files without one, and an address that is none, are errors at once, and hold no secret."""
    with pytest.raises(SettingsError, match=r"are of a meter; give its address too: meter="):
        OpenAiEndpoint(server.url, meter_token_file="token")  # noqa: S106  # a file
    with pytest.raises(SettingsError, match="meter holds a user or a password") as told:
        OpenAiEndpoint(server.url, meter="http://ada:hunter22@gpu-box")
    assert "hunter22" not in str(told.value)


@pytest.mark.parametrize("channels", ["gpu:0", ("gpu0",), ("GPU:0",), ("gpu:",), (0,), ("disk:0",)])
def test_channels_have_names(channels: object) -> None:
    """A text alone is no list of them."""
    with pytest.raises(SettingsError, match=r"channels names .*; give names such as \('gpu:0', "):
        OpenAiEndpoint("http://127.0.0.1:1", channels=channels)  # type: ignore[arg-type]


VLLM_PAGE = """\
vllm:num_requests_waiting{engine="0"} 3.0
vllm:prefix_cache_queries_total{engine="0"} 640.0
vllm:prefix_cache_hits_total{engine="0"} 160.0
"""


@pytest.mark.parametrize(
    ("page", "depth", "counters"),
    [
        (VLLM_PAGE, 3, (640, 160)),
        ('sglang:num_queue_reqs{tp_rank="0"} 2.0\n', 2, None),
        ('sglang:prompt_tokens_total{model="m"} 9.0\n', None, (9, 0)),
        (
            'sglang:prompt_tokens_total 9.0\nsglang:cached_tokens_total{cache_source="device"} 4.0\n',
            None,
            (9, 4),
        ),
        ("llamacpp:requests_deferred 1\n", 1, None),
        ("tgi_queue_size 4\n", 4, None),
        ("python_info 1.0\n", None, None),
    ],
)
def test_queue_and_prefix_cache_are_read_from_the_metrics(
    server: FakeOpenAiServer,
    engine: OpenAiEndpoint,
    page: str,
    depth: int | None,
    counters: tuple[int, int] | None,
) -> None:
    """Each server's own names; what it doesn't tell is not zero."""
    server.pages["/metrics"] = text_reply(page)
    found = engine.cache_counters()
    assert asyncio.run(engine.queue_depth()) == depth
    assert (None if found is None else (found.queried_tokens, found.hit_tokens)) == counters


def test_drafts_are_read_from_the_metrics(server: FakeOpenAiServer, engine: OpenAiEndpoint) -> None:
    """Over its engines; a server that does not count them has none."""
    server.pages["/metrics"] = text_reply(VLLM_PAGE)
    assert engine.draft_counters() is None
    server.pages["/metrics"] = text_reply(
        'vllm:spec_decode_num_drafts_total{engine="0"} 5.0\n'
        'vllm:spec_decode_num_drafts_total{engine="1"} 3.0\n'
        "vllm:spec_decode_num_draft_tokens_total 24.0\nvllm:spec_decode_num_accepted_tokens_total 6.0\n"
        'vllm:spec_decode_num_accepted_tokens_per_pos_total{position="0"} 6.0\n'
    )
    counters = DraftCounters(drafts=8, drafted_tokens=24, accepted_tokens=6)
    assert engine.draft_counters() == counters
    assert load(engine).drafts == DraftCounters(drafts=0, drafted_tokens=0, accepted_tokens=0)


def test_a_server_without_metrics_tells_neither(engine: OpenAiEndpoint) -> None:
    """They are often off."""
    assert engine.cache_counters() is None
    assert engine.draft_counters() is None
    assert asyncio.run(engine.queue_depth()) is None
    assert load(engine).cache is None


@pytest.mark.parametrize(
    "page",
    [text_reply("vllm:num_requests_waiting x\nvllm:prefix_cache_queries_total x\n"), Reply(steps=(CUT,))],
)
def test_metrics_that_can_not_be_read_are_an_error(
    server: FakeOpenAiServer, engine: OpenAiEndpoint, page: Reply
) -> None:
    """A server that has them has promised them."""
    server.pages["/metrics"] = page
    with pytest.raises(EngineError, match=r"request GET /metrics: .*/metrics: "):
        engine.cache_counters()
    with pytest.raises(EngineError, match=r"request GET /metrics: .*/metrics: "):
        asyncio.run(engine.queue_depth())


def test_the_processes_of_a_server_on_this_machine_are_told(engine: OpenAiEndpoint) -> None:
    """Not this one, in which the server of the test is a thread; another machine's are not ours to know."""
    assert engine.worker_pids() == ()
    with listening_process() as (port, pids):
        engine._address = replace(engine._address, port=port)
        assert set(engine.worker_pids()) == pids
        engine._is_here = False
        assert engine.worker_pids() == ()


def test_a_closed_engine_serves_no_more(server: FakeOpenAiServer) -> None:
    """Closing twice is fine."""
    engine = OpenAiEndpoint(server.url)
    engine.close()
    engine.close()
    with pytest.raises(EngineError, match=r"request 0: .*: the engine is closed"):
        load(engine)


def test_closing_also_ends_the_connections_of_a_loop_that_goes_on(server: FakeOpenAiServer) -> None:
    """One that stands still for now, and the one that the call comes from."""
    request = Request(request_id="0", prompt=PROMPT, output_tokens=1)

    async def ask_once(engine: OpenAiEndpoint) -> None:
        async with aclosing(engine.generate(request)) as events:
            assert [event.count async for event in events] == [1]

    async def ask_and_close(engine: OpenAiEndpoint) -> bool:
        await ask_once(engine)
        engine.close()
        return await asyncio.to_thread(server.has_no_connection)

    with asyncio.Runner() as runner:
        with OpenAiEndpoint(server.url) as engine:
            runner.run(ask_once(engine))
        assert server.has_no_connection()
        assert runner.run(ask_and_close(OpenAiEndpoint(server.url)))


def test_the_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the command that installs it."""
    monkeypatch.setitem(sys.modules, "aiohttp", None)
    monkeypatch.setattr(openai_endpoint, "aiohttp", LazyModule("aiohttp"))  # one that was never used
    with pytest.raises(SettingsError, match=r"pip install 'pytest-energy\[serving\]'"):
        OpenAiEndpoint("http://127.0.0.1:1")


def test_arguments_outside_their_range_are_refused() -> None:
    """Before anything is sent."""
    with pytest.raises(SettingsError, match="timeout_s is 0; it must be above 0"):
        OpenAiEndpoint("http://127.0.0.1:1", timeout_s=0)
    with pytest.raises(SettingsError, match="extra_body sets 'temperature', which the plugin sets"):
        OpenAiEndpoint("http://127.0.0.1:1", extra_body={"temperature": 1})
    with pytest.raises(SettingsError, match=r"extra_body\['seed'\] can't be written as JSON"):
        OpenAiEndpoint("http://127.0.0.1:1", extra_body={"seed": {1}})


def test_the_client_is_not_imported_with_the_module() -> None:
    """The extra is needed only by who makes an endpoint."""
    code = f"import sys, {OpenAiEndpoint.__module__}; sys.exit('aiohttp' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0  # noqa: S603  # ours
