"""The streamed answer without a socket: cuts of the bytes, counts, and what makes an answer no answer."""

from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pytest_energy.masking import keep_secret
from pytest_energy.serving.engines.openai_stream import (
    CHUNK_BYTES,
    MESSAGE_LENGTH,
    Answer,
    EventStream,
    ServerFault,
    message_of,
)
from pytest_energy.serving.engines.protocol import TokenEvent
from tests.fakes.openai_server import DONE, chunk, event, usage

PROMPT_TOKENS = 3
OUTPUT_TOKENS = 4


def contents(*pieces: bytes) -> list[bytes]:
    """Contents of all events that come in these pieces."""
    stream = EventStream()
    return [content for piece in pieces for content in stream.feed(piece)]


def events(*pieces: bytes, answer: Answer | None = None) -> list[TokenEvent]:
    """Token events of an answer that comes in these pieces and then ends."""
    answer = answer or Answer(PROMPT_TOKENS, OUTPUT_TOKENS)
    found = [event for piece in pieces for event in answer.feed(piece)]
    answer.end()
    return found


def counts(*pieces: bytes) -> list[int]:
    return [event.count for event in events(*pieces)]


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n", b"\r"])
@example(cuts=[*range(61), *range(61)])
@given(cuts=st.lists(st.integers(0, 60), max_size=8))
def test_the_events_do_not_depend_on_where_the_bytes_are_cut(line_end: bytes, cuts: list[int]) -> None:
    """Comments, other fields and empty events say nothing; lines of one event are joined."""
    lines = [
        b": hello",
        b"data: a",
        b"",
        b"event: x",
        b"data:b",
        b"data: \xc3\xa4",
        b"",
        b"",
        b"data: c",
        b"",
    ]
    sent = line_end.join([*lines, b""])
    places = [0, *sorted(min(cut, len(sent)) for cut in cuts), len(sent)]
    pieces = [sent[first:last] for first, last in pairwise(places)]
    assert contents(*pieces) == [b"a", b"b\n\xc3\xa4", b"c"]


def test_an_event_that_is_not_ended_is_no_event() -> None:
    """A cut in the middle never gives half a chunk."""
    assert contents(b'data: {"choices"', b": []}\n") == []


def test_the_usage_of_each_chunk_counts_its_tokens() -> None:
    """Speculative decoding sends several at once; a chunk without new tokens is no event."""
    answer = Answer(PROMPT_TOKENS, OUTPUT_TOKENS)
    found = events(
        chunk("ab", usage=usage(3, 2)),
        chunk("", usage=usage(3, 2)),
        chunk("", usage=usage(3, 3), finish_reason="length"),
        event({"choices": [], "usage": usage(3, 3)}),
        DONE,
        answer=answer,
    )
    assert [(event.count, event.text) for event in found] == [(2, "ab"), (1, None)]
    assert (answer.token_count, answer.has_running_usage) == (3, True)


def test_without_it_a_chunk_with_text_counts_one_until_the_last_corrects() -> None:
    """The total is the server's: here two tokens had no text of their own."""
    answer = Answer(PROMPT_TOKENS, OUTPUT_TOKENS)
    found = events(
        chunk("a", usage=None),
        chunk(""),
        chunk("b"),
        chunk("", finish_reason="length", usage=usage(3, 4)),
        DONE,
        answer=answer,
    )
    assert [event.count for event in found] == [1, 1, 2]
    assert (answer.token_count, answer.has_running_usage) == (4, False)


def test_told_token_ids_are_passed_on_and_counted() -> None:
    """Ids of the chunk; where their number isn't the server's count they are not these tokens' ids."""
    found = events(
        chunk("ab", token_ids=[7, 8]),
        chunk("c", token_ids=[9], usage=usage(3, 4)),
        event({"choices": [], "usage": usage(3, 4)}),
        DONE,
    )
    assert [(event.count, event.token_ids) for event in found] == [(2, (7, 8)), (2, None)]


def test_several_chunks_at_once_are_several_events_and_nothing_counts_after_the_end() -> None:
    """As they come out of one read of a socket."""
    assert counts(chunk("a", usage=usage(3, 1)) + chunk("b", usage=usage(3, 2)) + DONE + chunk("c")) == [1, 1]


def test_an_answer_without_its_end_is_no_answer() -> None:
    """A connection that just closes looks like an end otherwise."""
    with pytest.raises(ServerFault, match=r"ended after 1 tokens without \[DONE\]"):
        events(chunk("a", usage=usage(3, 1)))


def test_an_answer_without_usage_is_no_answer() -> None:
    """Tokens are not counted on this side."""
    with pytest.raises(ServerFault, match="reported no usage"):
        events(chunk("a"), DONE)


@pytest.mark.parametrize("seen", [2, 4])
def test_the_server_must_see_the_prompt_that_was_sent(seen: int) -> None:
    """A token that it adds, or cuts off, is other work."""
    with pytest.raises(ServerFault, match=f"counts {seen} prompt tokens, 3 were sent"):
        events(chunk("a", usage=usage(seen, 1)), DONE)


def test_more_chunks_than_tokens_can_not_be_timed() -> None:
    """An event that came can't be taken back."""
    with pytest.raises(ServerFault, match="counts 1 tokens after 2 had arrived"):
        events(chunk("a"), chunk("b"), event({"choices": [], "usage": usage(3, 1)}), DONE)


@pytest.mark.parametrize(
    ("piece", "told"),
    [
        (b"data: {nonsense\n\n", "a chunk is not JSON: "),
        (b"data: \xff\n\n", "codec can't decode byte"),
        (b"data: [1]\n\n", r"a chunk holds \[1\], not an object"),
        (b"data: " + b"[" * 100_000 + b"\n\n", "a chunk is nested too deep"),
        (event({"choices": ["x"]}), r"choices\[0\] holds 'x', not an object"),
        (event({"choices": [{}, {}]}), "a chunk has 2 choices; 1 was requested"),
        (event({"choices": {}}), "choices is {}, not a list"),
        (event({"choices": 7}), "choices is 7, not a list"),
        (event({"choices": [{"text": {"a": 1}}]}), r"text is {'a': 1}, not a text"),
        (event({"choices": [{"token_ids": [1, None]}]}), r"token_ids\[1\] is None, not a whole number"),
        (event({"choices": [], "usage": 3}), "usage holds 3, not an object"),
        (event({"choices": [], "usage": {"prompt_tokens": 3}}), "usage has no 'completion_tokens'"),
        (
            chunk("a", usage={"prompt_tokens": 3, "completion_tokens": True}),
            "completion_tokens is True, not a whole number",
        ),
        (chunk("a", usage={"prompt_tokens": 3, "completion_tokens": 1.0}), "is 1.0, not a whole number"),
        (
            chunk("a", usage=usage(3, 10**300)),
            "completion_tokens is 1000.*; it must be at most",
        ),
        (b'data: {"usage": {"completion_tokens": ' + b"9" * 5000 + b"}}\n\n", "a chunk is not JSON: Exceeds"),
        (
            event({"error": {"message": "out of memory", "code": 500}}),
            "failed during the answer: out of memory",
        ),
        (chunk("a", error="overloaded"), "failed during the answer: overloaded"),
        (b'error: {"error": {"message": "slot gone"}}\n\n', "failed during the answer: slot gone"),
    ],
)
def test_a_malformed_chunk_or_a_told_failure_ends_the_answer(piece: bytes, told: str) -> None:
    """Said with what the server sent."""
    with pytest.raises(ServerFault, match=told):
        Answer(PROMPT_TOKENS, OUTPUT_TOKENS).feed(piece)


@pytest.mark.parametrize(
    ("pieces", "told"),
    [
        ([b": hello\n\n" * 50_000] * 4, "too many bytes for 4 tokens, and the answer has not ended"),
        ([chunk("")] * 20_000, "too many bytes for 4 tokens, and the answer has not ended"),
        ([chunk("a")] * 99, "21 tokens arrived, 4 were requested"),
        ([chunk("a", token_ids=[1] * 21)], "21 tokens arrived, 4 were requested"),
        ([chunk("a", usage=usage(3, 300_000_000))], "300000000 tokens arrived, 4 were requested"),
    ],
)
def test_an_answer_without_end_is_stopped(pieces: list[bytes], told: str) -> None:
    """By all its bytes, and by the tokens."""
    with pytest.raises(ServerFault, match=told):
        events(*pieces)


@pytest.mark.parametrize(
    ("piece", "what"), [(b"data: " + b"x" * 2 * CHUNK_BYTES, "a line"), (b"data: x\n" * 180_000, "a chunk")]
)
def test_a_line_and_a_chunk_have_an_end(piece: bytes, what: str) -> None:
    """In a long answer too: they are kept until then."""
    with pytest.raises(ServerFault, match=f"{what} of the answer is larger than 1 MB"):
        Answer(PROMPT_TOKENS, 10_000).feed(piece)


def test_a_long_answer_of_large_chunks_is_within_the_limits() -> None:
    """Twenty alternatives to each token, and the prompt that comes back with its ids."""
    answer, ids = Answer(200_000, 500), list(range(100_000, 300_000))
    answer.feed(chunk("a", usage=usage(200_000, 1), prompt_token_ids=ids))
    for count in range(2, 501):
        answer.feed(chunk("a", usage=usage(200_000, count), logprobs="x" * 15_000))
    answer.feed(DONE)
    answer.end()
    assert answer.token_count == 500


def test_a_failure_is_told_without_secrets_and_control_characters() -> None:
    """Covered before the message is cut, so that no part of a key is left at the cut."""
    keep_secret(key := "sk-stream-0123456789")
    message = message_of({"error": f"\x1b[31m{'x' * (MESSAGE_LENGTH - 20)} {key}"})
    assert message.endswith(" ***")
    assert message.isprintable()


@pytest.mark.parametrize(
    ("failure", "told"),
    [
        ({"error": {"message": "too long", "type": "BadRequestError"}}, "too long"),
        ({"object": "error", "message": "too long"}, "too long"),
        ({"error": "too\n long", "error_type": "validation"}, "too long"),
        ({"detail": [{"msg": "field required"}]}, '[{"msg": "field required"}]'),
        (["odd"], '["odd"]'),
    ],
)
def test_the_message_of_each_servers_failure_is_found(failure: object, told: str) -> None:
    """OpenAI and vLLM, SGLang, TGI, FastAPI, and what nobody knows."""
    assert message_of(failure) == told


def test_a_long_message_is_cut() -> None:
    """Servers repeat the whole prompt."""
    assert message_of({"error": "x" * 9999}) == "x" * MESSAGE_LENGTH + "..."
