"""The streamed answer of an OpenAI-compatible server, from bytes to token events. No sockets in here.

Rule 1: bytes may be cut anywhere; a line ends with a line feed, a carriage return or both; comments are
skipped.
Rule 2: tokens are the server's own count. Where a chunk carries the usage so far (vLLM and SGLang, asked for
`continuous_usage_stats`), the growth of `completion_tokens` is the chunk's count. Where only the last one
does (llama.cpp), a chunk with text counts one token until then, and the last event brings what is missing.
Rule 3: what a server sends has limits: of a line, of a chunk, of all bytes, of tokens past those asked.
Rule 4: an answer counts as whole only after `[DONE]` and a usage, and only if the server saw the prompt that
was sent: a token that it adds to the prompt would be work that was not requested.

Source:
    Server-sent events: WHATWG HTML, section 9.2.6 "Interpreting an event stream".
"""

import json
from collections.abc import Iterable
from typing import Annotated

import msgspec

from pytest_energy.codec import Document, decode, parse
from pytest_energy.errors import EnergyError, FormatError, printable
from pytest_energy.masking import masked_foreign
from pytest_energy.serving.engines.protocol import MOST_EXCESS_TOKENS, TokenEvent

DONE = b"[DONE]"
MESSAGE_LENGTH = 300  # characters of a server's message that an error repeats

# vLLM's chunks have 250 to 400 bytes a token, with twenty alternatives to each token 2 kB. With
# `return_token_ids` the first chunk also holds the prompt, at most 8 bytes a token.
CHUNK_BYTES = 2**20
BYTES_PER_TOKEN = 2**14
BYTES_PER_PROMPT_TOKEN = 16

_LINE_ENDS = (b"\n", b"\r")
_DATA_FIELDS = (b"data", b"error")  # older llama.cpp servers name the field of a failure "error"
_NO_EVENTS: tuple[TokenEvent, ...] = ()


class ServerFault(EnergyError):
    """What the server sent is not the answer that was asked for; says so without the server's name."""


class EventStream:
    """Cuts the bytes of a server-sent event stream into the contents of its events.

    Args:
        most_bytes: Of a line, and of an event.
    """

    def __init__(self, most_bytes: int = CHUNK_BYTES) -> None:
        self._most_bytes = most_bytes
        self._rest = b""
        self._contents: list[bytes] = []
        self._size_bytes = 0  # of the contents
        self._ended_with_return = False

    def feed(self, received: bytes) -> list[bytes]:
        """Contents of the events that *received* completes.

        Raises:
            ServerFault: A line or an event has no end.
        """
        if self._ended_with_return and received.startswith(b"\n"):
            received = received[1:]  # the second half of a line end that was counted already
            self._ended_with_return = False
        lines = (self._rest + received).splitlines(keepends=True)
        if not lines:
            return []
        self._ended_with_return = lines[-1].endswith(b"\r")
        self._rest = b"" if lines[-1].endswith(_LINE_ENDS) else lines.pop()
        self._check(len(self._rest), "a line")
        return [content for line in lines if (content := self._line(line.rstrip(b"\r\n"))) is not None]

    def _line(self, line: bytes) -> bytes | None:
        """Take one line; the content of an event, if this ends one."""
        if not line:
            content = b"\n".join(self._contents) if self._contents else None
            self._contents.clear()
            self._size_bytes = 0
            return content
        name, _, value = line.partition(b":")
        if name in _DATA_FIELDS:
            self._contents.append(value.removeprefix(b" "))
            self._size_bytes += len(line)
            self._check(self._size_bytes, "a chunk")
        return None

    def _check(self, size_bytes: int, what: str) -> None:
        if size_bytes > self._most_bytes:
            raise ServerFault(f"{what} of the answer is larger than {self._most_bytes / 2**20:.3g} MB")


class _Choice(Document, frozen=True):
    text: str | None = None
    token_ids: list[int] | None = None
    finish_reason: object = None


Count = Annotated[int, msgspec.Meta(le=10**9)]  # no model takes or writes a part of that


class _Usage(Document, frozen=True):
    prompt_tokens: Count
    completion_tokens: Count


class _Chunk(Document, frozen=True):
    choices: list[_Choice] | None = None
    usage: _Usage | None = None


class Answer:
    """Counts the tokens of one streamed answer.

    Args:
        prompt_tokens: Sent.
        output_tokens: Asked.

    Attributes:
        token_count: Tokens reported so far.
        is_done: Whether the server has said that this was all.
        has_running_usage: Whether chunks before the last reported the tokens so far; `None` before any did.
    """

    def __init__(self, prompt_tokens: int, output_tokens: int) -> None:
        self._prompt_tokens, self._output_tokens = prompt_tokens, output_tokens
        self._most_bytes = CHUNK_BYTES + BYTES_PER_PROMPT_TOKEN * prompt_tokens
        self._stream = EventStream(self._most_bytes)
        self._left_bytes = self._most_bytes + BYTES_PER_TOKEN * output_tokens
        self._is_counted = False
        self.token_count = 0
        self.is_done = False
        self.has_running_usage: bool | None = None

    def feed(self, received: bytes) -> Iterable[TokenEvent]:
        """Token events that *received* completes; what comes after the end is ignored.

        Raises:
            ServerFault: The server tells of a failure, its chunk is malformed, or it doesn't end.
        """
        self._left_bytes -= len(received)
        if self._left_bytes < 0:
            raise ServerFault(
                f"too many bytes for {self._output_tokens} tokens, and the answer has not ended"
            )
        events = _NO_EVENTS
        for content in self._stream.feed(received):
            if self.is_done or content.strip() == DONE:
                self.is_done = True
            elif event := self._event(_chunk_of(content)):
                events += (event,)
        return events

    def end(self) -> None:
        """The server has closed the answer.

        Raises:
            ServerFault: It isn't whole.
        """
        if not self.is_done:
            raise ServerFault(f"the stream ended after {self.token_count} tokens without [DONE]")
        if not self._is_counted:
            raise ServerFault(
                "the server reported no usage, from which tokens are counted; it must support "
                "stream_options.include_usage"
            )

    def _event(self, chunk: _Chunk) -> TokenEvent | None:
        choices = chunk.choices or []
        if len(choices) > 1:
            raise ServerFault(f"a chunk has {len(choices)} choices; 1 was requested")
        choice = choices[0] if choices else _Choice()
        text, ids = choice.text or None, choice.token_ids
        if chunk.usage is not None:
            count = self._counted(chunk.usage)
        else:
            count = len(ids) if ids is not None else 1 if text else 0
        if choices and choice.finish_reason is None:
            self.has_running_usage = chunk.usage is not None
        if not count:
            return None
        self.token_count += count
        if self.token_count > self._output_tokens + MOST_EXCESS_TOKENS:
            raise ServerFault(f"{self.token_count} tokens arrived, {self._output_tokens} were requested")
        return TokenEvent(count=count, token_ids=tuple(ids) if ids and len(ids) == count else None, text=text)

    def _counted(self, usage: _Usage) -> int:
        """New tokens by the server's *usage*, which counts from the start of the answer."""
        if usage.prompt_tokens != self._prompt_tokens:
            raise ServerFault(
                f"the server counts {usage.prompt_tokens} prompt tokens, {self._prompt_tokens} were sent; "
                "it must neither add tokens (such as a start-of-sequence token) nor remove any"
            )
        if usage.completion_tokens < self.token_count:
            raise ServerFault(
                f"the server counts {usage.completion_tokens} tokens after {self.token_count} had arrived; "
                f"it sends more chunks than tokens, so the times of the tokens are unknown"
            )
        self._is_counted = True
        return usage.completion_tokens - self.token_count


def _chunk_of(content: bytes) -> _Chunk:
    try:
        parsed = parse(content.decode(), "a chunk")
        if isinstance(parsed, dict) and parsed.get("error") is not None:
            raise ServerFault(f"the server failed during the answer: {message_of(parsed)}")
        return decode(parsed, _Chunk, "a chunk")
    except (FormatError, UnicodeDecodeError) as error:
        text = shortened(content.decode(errors="replace"))
        raise ServerFault(f"{shortened(str(error))}: {text}") from error


def message_of(failure: object) -> str:
    """What a server says in the JSON of a failure, in one short line.

    OpenAI, vLLM, SGLang and llama.cpp put a message into an object `error` or beside it, TGI a text into
    `error`, FastAPI anything into `detail`.
    """
    message = failure
    for key in ("error", "message", "detail"):
        if isinstance(message, dict) and message.get(key) is not None:
            message = message[key]
    try:
        return shortened(message if isinstance(message, str) else json.dumps(message))
    except RecursionError:
        return "a message that is nested too deeply"


def shortened(text: str) -> str:
    """*text* of a server on one line, without secrets and not longer than an error may be."""
    line = printable(" ".join(masked_foreign(text).split()))
    return line if len(line) <= MESSAGE_LENGTH else f"{line[:MESSAGE_LENGTH]}..."
