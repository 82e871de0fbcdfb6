"""The protocol of engines: one request in, token events out, at the engine's own pace."""

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from pytest_energy.errors import EnergyError, SettingsError
from pytest_energy.remote.address import MeterAddress

# Past those asked an answer is stopped; so many more, and the load tells how long the answer was.
MOST_EXCESS_TOKENS = 16


class EngineError(EnergyError):
    """An engine failed, stalled or broke its promise while it answered a request.

    Attributes:
        engine: Name of the engine.
        request_id: The request it happened in.
    """

    def __init__(self, engine: str, request_id: str, because: str) -> None:
        super().__init__(f"engine {engine}, request {request_id}: {because}")
        self.engine = engine
        self.request_id = request_id


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """What ends an answer before its limit; the token that ends it counts as part of it.

    Attributes:
        token_ids: Each of these tokens ends an answer.
        at_end: The model's own end-of-sequence token does.

    Raises:
        SettingsError: Nothing would end an answer, or an id is none.
    """

    token_ids: tuple[int, ...] = ()
    at_end: bool = True

    def __post_init__(self) -> None:
        if not (self.token_ids or self.at_end):
            raise SettingsError("Stop needs token_ids, or at_end=True: nothing would end an answer")
        given: tuple[object, ...] = self.token_ids
        for token in given:
            if isinstance(token, bool) or not isinstance(token, int) or token < 0:
                raise SettingsError(f"Stop(token_ids={self.token_ids!r}): {token!r} is not a token id")

    def __str__(self) -> str:
        """Its ends, as in `end of sequence, token 13, token 198`."""
        ends = ["end of sequence"] if self.at_end else []
        return ", ".join([*ends, *(f"token {token}" for token in self.token_ids)])


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One prompt and the length of its answer.

    Attributes:
        request_id: Unique within one load.
        prompt: Token ids.
        output_tokens: Length of the answer; with *stop*, its largest length.
        stop: What ends the answer sooner. Without it the engine ignores the end-of-sequence token, so that
            every round is the same work.
    """

    request_id: str
    prompt: tuple[int, ...]
    output_tokens: int
    stop: Stop | None = None

    def __post_init__(self) -> None:
        if not self.prompt:
            raise SettingsError(
                f"request {self.request_id} has an empty prompt; a prompt holds at least 1 token id"
            )
        if self.output_tokens < 1:
            msg = f"request {self.request_id} asks for {self.output_tokens} output tokens; ask for at least 1"
            raise SettingsError(msg)


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenEvent:
    """Tokens that an engine has just produced for one request.

    Attributes:
        count: New tokens since the last event, usually 1: the engine's own count, no guess from the text.
        token_ids: The new tokens; `None` if the engine doesn't tell them.
        text: The tokens as text where the engine detokenises, else `None`.
    """

    count: int
    token_ids: tuple[int, ...] | None = None
    text: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheCounters:
    """Prompt tokens looked up in the prefix cache and found there, since the engine was started."""

    queried_tokens: int
    hit_tokens: int

    def since(self, earlier: "CacheCounters") -> "CacheCounters":
        return CacheCounters(
            queried_tokens=self.queried_tokens - earlier.queried_tokens,
            hit_tokens=self.hit_tokens - earlier.hit_tokens,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class DraftCounters:
    """Speculative decoding since the engine was started.

    Attributes:
        drafts: Guesses of the next tokens, each of one answer.
        drafted_tokens: Tokens that were guessed.
        accepted_tokens: Those that the model would have written itself.
    """

    drafts: int
    drafted_tokens: int
    accepted_tokens: int

    def since(self, earlier: "DraftCounters") -> "DraftCounters":
        return DraftCounters(
            drafts=self.drafts - earlier.drafts,
            drafted_tokens=self.drafted_tokens - earlier.drafted_tokens,
            accepted_tokens=self.accepted_tokens - earlier.accepted_tokens,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class DecoderShape:
    """What the cost of a forward pass depends on, for a dense decoder.

    Attributes:
        block_parameters: Weights of the matrices that every token passes: attention and feed-forward.
        head_parameters: Weights of the output head, which only a token that is followed by a new one passes.
        layer_count: Attention layers.
        attention_width: Query heads x size of a head.
    """

    block_parameters: int
    head_parameters: int
    layer_count: int
    attention_width: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineFacts:
    """What an engine serves, and how.

    Attributes:
        model: Name of the model.
        parameters: All weights, tied ones once; `None` if a server doesn't tell.
        size_bytes: The model on its device; `None` if a server doesn't tell.
        vram_bytes: All memory of the GPUs it runs on, or `None` without or where unknown.
        shape: For counting operations, or `None` if the model is no dense decoder or isn't known.
        flags: Settings that change the work, so that joules under others are not comparable: data type,
            quantisation, prefix cache, detokenisation.
        tuning: Settings that change how the same work is done; they may explain a change of its joules:
            CUDA graphs, batch limit, attention kernels, number of GPUs.
        versions: Package to version.
        unmeasured_because: Why nothing on this machine measures what it does, or `None`.
        channels: Those that measure it, where it isn't all of this machine's.
        note: What a reader of its joules should know, or `None`.
        unseen_because: Why its processes can't be seen from here, though it may be here; or `None`.
        meter: The agent that measures it; `None`: the sensors of this machine do.
    """

    model: str
    parameters: int | None
    size_bytes: float | None
    vram_bytes: float | None
    shape: DecoderShape | None = None
    flags: Mapping[str, str] = field(default_factory=dict)
    tuning: Mapping[str, str] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    unmeasured_because: str | None = None
    channels: tuple[str, ...] = ()
    note: str | None = None
    unseen_because: str | None = None
    meter: MeterAddress | None = None


class Engine(Protocol):
    """A model behind an engine: it answers many requests at once.

    An engine is made ready (weights loaded, threads started) before the first request, serves any number of
    loads one after another, and leaves no thread or process behind after `close`.
    """

    @property
    def name(self) -> str: ...

    @property
    def facts(self) -> EngineFacts: ...

    def generate(self, request: Request) -> AsyncGenerator[TokenEvent, None]:
        """Token events of one answer, as they come.

        They are exactly `request.output_tokens` tokens in all; with `request.stop` at least one and at most
        that many.

        Many of these run at once on one event loop; the next load may bring another event loop. Closing the
        generator early cancels the request. Decoding is greedy.

        Raises:
            EngineError: The engine can't answer.
        """
        ...

    def cache_counters(self) -> CacheCounters | None:
        """Counters of the prefix cache, or `None` if they are not available."""
        ...

    async def queue_depth(self) -> int | None:
        """Requests that wait in the engine for their first step, or `None` if that is not available."""
        ...

    def worker_pids(self) -> tuple[int, ...]:
        """Processes on this machine that do the work, this one aside: theirs is no foreign load."""
        ...

    def close(self) -> None:
        """Stop; may be called twice."""
        ...


@runtime_checkable
class DraftingEngine(Protocol):
    """An engine that counts what its speculative decoding does."""

    def draft_counters(self) -> DraftCounters | None:
        """Counters of drafted tokens, or `None` if it drafts none or does not count them."""
        ...
