"""The streamed answer of an OpenAI-compatible server, from bytes to token events. No sockets in here.

Rule 1: bytes may be cut anywhere; a line ends with a line feed, a carriage return or both; comments are
skipped.
Rule 2: tokens are the server's own count. Where a chunk carries the usage so far (vLLM and SGLang, asked for
`continuous_usage_stats`), the growth of `completion_tokens` is the chunk's count. Where only the last one
does (llama.cpp), a chunk with text counts one token until then, and the last event brings what is missing.
Rule 3: an answer counts as whole only after `[DONE]` and a usage, and only if the server saw the prompt that
was sent: a token that it adds to the prompt would be work that nobody asked for.

Source:
    Server-sent events: WHATWG HTML, section 9.2.6 "Interpreting an event stream".
"""

import json
from collections.abc import Iterable
from typing import Any

from pytest_energy.errors import EnergyError
from pytest_energy.serving.engines.protocol import TokenEvent

DONE = b"[DONE]"
MESSAGE_LENGTH = 300  # characters of a server's message that an error repeats

_LINE_ENDS = (b"\n", b"\r")
_DATA_FIELDS = (b"data", b"error")  # older llama.cpp servers name the field of a failure "error"
_NO_EVENTS: tuple[TokenEvent, ...] = ()


class ServerFault(EnergyError):
    """What the server sent is not the answer that was asked for; says so without the server's name."""


class EventStream:
    """Cuts the bytes of a server-sent event stream into the contents of its events."""

    def __init__(self) -> None:
        self._rest = b""
        self._contents: list[bytes] = []
        self._ended_with_return = False

    def feed(self, received: bytes) -> list[bytes]:
        """Contents of the events that *received* completes."""
        if self._ended_with_return and received.startswith(b"\n"):
            received = received[1:]  # the second half of a line end that was counted already
            self._ended_with_return = False
        lines = (self._rest + received).splitlines(keepends=True)
        if not lines:
            return []
        self._ended_with_return = lines[-1].endswith(b"\r")
        self._rest = b"" if lines[-1].endswith(_LINE_ENDS) else lines.pop()
        return [content for line in lines if (content := self._line(line.rstrip(b"\r\n"))) is not None]

    def _line(self, line: bytes) -> bytes | None:
        """Take one line; the content of an event, if this ends one."""
        if not line:
            content = b"\n".join(self._contents) if self._contents else None
            self._contents.clear()
            return content
        name, _, value = line.partition(b":")
        if name in _DATA_FIELDS:
            self._contents.append(value.removeprefix(b" "))
        return None


class Answer:
    """Counts the tokens of one streamed answer.

    Attributes:
        token_count: Tokens told so far.
        is_done: Whether the server has said that this was all.
        has_running_usage: Whether chunks before the last told the tokens so far; `None` before any did.
    """

    def __init__(self, prompt_tokens: int) -> None:
        self._prompt_tokens = prompt_tokens
        self._stream = EventStream()
        self._is_counted = False
        self.token_count = 0
        self.is_done = False
        self.has_running_usage: bool | None = None

    def feed(self, received: bytes) -> Iterable[TokenEvent]:
        """Token events that *received* completes; what comes after the end is ignored.

        Raises:
            ServerFault: The server tells of a failure, or its chunk is malformed.
        """
        events = _NO_EVENTS
        for content in self._stream.feed(received):
            if self.is_done or content.strip() == DONE:
                self.is_done = True
            elif event := self._chunk(_json_object(content)):
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
                "the server told no usage, and tokens aren't counted here; "
                "it must know stream_options.include_usage"
            )

    def _chunk(self, chunk: dict[str, Any]) -> TokenEvent | None:
        if chunk.get("error") is not None:
            raise ServerFault(f"the server failed in mid-answer: {message_of(chunk)}")
        choices = chunk.get("choices") or [{}]
        choice = choices[0]
        if not isinstance(choice, dict) or len(choices) > 1:
            raise ServerFault(f"a chunk has choices that are none: {shortened(json.dumps(chunk))}")
        text = choice.get("text") or None
        ids = choice.get("token_ids")
        ids = tuple(ids) if isinstance(ids, list) else None
        usage = chunk.get("usage")
        if usage is not None:
            count = self._counted(usage)
        else:
            count = len(ids) if ids is not None else 1 if text else 0
        if choice and choice.get("finish_reason") is None:
            self.has_running_usage = usage is not None
        if not count:
            return None
        self.token_count += count
        return TokenEvent(count=count, token_ids=ids if ids and len(ids) == count else None, text=text)

    def _counted(self, usage: object) -> int:
        """New tokens by the server's *usage*, which counts from the start of the answer."""
        if not isinstance(usage, dict):
            raise ServerFault(f"the usage is {shortened(repr(usage))}, not an object")
        prompt_tokens, completion_tokens = usage.get("prompt_tokens"), usage.get("completion_tokens")
        if not isinstance(prompt_tokens, int) or not isinstance(completion_tokens, int):
            raise ServerFault(f"the usage lacks prompt_tokens or completion_tokens: {shortened(repr(usage))}")
        if prompt_tokens != self._prompt_tokens:
            raise ServerFault(
                f"the server counts {prompt_tokens} prompt tokens, {self._prompt_tokens} were sent; "
                "it must not add any (a token for the start of a sequence, say) nor cut any off"
            )
        if completion_tokens < self.token_count:
            raise ServerFault(
                f"the server counts {completion_tokens} tokens after {self.token_count} had come; "
                "it sends more chunks than tokens, so their times aren't known"
            )
        self._is_counted = True
        return completion_tokens - self.token_count


def message_of(failure: object) -> str:
    """What a server says in the JSON of a failure, in one short line.

    OpenAI, vLLM, SGLang and llama.cpp put a message into an object `error` or beside it, TGI a text into
    `error`, FastAPI anything into `detail`.
    """
    message = failure
    for key in ("error", "message", "detail"):
        if isinstance(message, dict) and message.get(key) is not None:
            message = message[key]
    return shortened(message if isinstance(message, str) else json.dumps(message))


def shortened(text: str) -> str:
    """*text* on one line, and not longer than an error may be."""
    line = " ".join(text.split())
    return line if len(line) <= MESSAGE_LENGTH else f"{line[:MESSAGE_LENGTH]}..."


def _json_object(content: bytes) -> dict[str, Any]:
    try:
        chunk = json.loads(content)
    except ValueError as error:
        text = shortened(content.decode(errors="replace"))
        raise ServerFault(f"a chunk is no JSON ({error}): {text}") from error
    if not isinstance(chunk, dict):
        raise ServerFault(f"a chunk is no JSON object: {shortened(json.dumps(chunk))}")
    return chunk
