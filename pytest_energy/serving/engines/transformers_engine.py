"""The default engine: a transformers causal language model in this process, continuously batched.

The batching, the paged cache and the worker thread are transformers' own `ContinuousBatchingManager`
(docs/decisions/0002-embedded-engine.md says why). This module gives it the shape of an `Engine`, decodes
greedily, holds every answer to its asked length or to what ends it, and counts what the prefix cache answers.
"""

import asyncio
import itertools
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, fields
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Self

from pytest_energy.errors import SettingsError
from pytest_energy.lazy_module import LazyModule
from pytest_energy.serving.engines.decoder import decoder_shape, vram_bytes
from pytest_energy.serving.engines.protocol import (
    CacheCounters,
    EngineError,
    EngineFacts,
    Request,
    TokenEvent,
)

if TYPE_CHECKING:
    from transformers import PreTrainedModel
    from transformers.generation.continuous_batching.requests import GenerationOutput

transformers: Any = LazyModule("transformers")
generation: Any = LazyModule("transformers.generation.configuration_utils")

NO_TOKEN_ID = -1  # no token has it, so decoding never stops early
GRAPH_CACHE_STEP = 8192  # cached tokens from one graph to the next: 64 requests of 128 tokens share one
CACHED_PREFIX_ROOM = 4  # times the pages of a full batch, so that prefixes are not evicted in mid-load


@dataclass(frozen=True, slots=True, kw_only=True)
class _Batching:
    """How requests share steps and the key-value cache; the arguments of `TransformersEngine`, checked."""

    max_batch: int
    max_request_tokens: int
    step_tokens: int
    page_tokens: int
    has_prefix_cache: bool
    has_cuda_graphs: bool

    def __post_init__(self) -> None:
        for limit, value in {**self.limits, "max_request_tokens": self.max_request_tokens}.items():
            if value < 1:
                raise SettingsError(f"{limit} is {value}; it must be at least 1")

    @property
    def limits(self) -> dict[str, int]:
        """Those that change how the same work is done."""
        return {
            "max_batch": self.max_batch,
            "step_tokens": self.step_tokens,
            "page_tokens": self.page_tokens,
        }

    @property
    def manager_settings(self) -> dict[str, int]:
        """What the manager is given under names that all versions of transformers share."""
        request_pages = -(-self.max_request_tokens // self.page_tokens) + 1
        room = CACHED_PREFIX_ROOM if self.has_prefix_cache else 1
        return {
            "num_blocks": self.max_batch * request_pages * room,
            "max_batch_tokens": max(self.step_tokens, self.max_batch),
            "max_requests_per_batch": self.max_batch,
            "allow_block_sharing": self.has_prefix_cache,
            "use_cuda_graph": self.has_cuda_graphs,
            "kv_padding_interval_size": GRAPH_CACHE_STEP,
        }


class TransformersEngine:
    """Serves a causal language model in this process, on the device that the model is on.

    Its thread starts here and ends with `close`; use it in a `with` block or from a fixture that closes it.
    While it is open the model must not be used otherwise.

    Args:
        model: On its device, in its data type; switched to evaluation.
        name: Name of the model, for reports; the class of the model where it is left out.
        max_batch: Requests decoded together; later ones wait.
        max_request_tokens: Longest prompt and answer together.
        step_tokens: Most tokens of one step, of prompts and answers; a longer prompt takes several steps.
        page_tokens: Tokens of one page of the key-value cache; a prefix is shared in whole pages.
        has_prefix_cache: Whether the start of a prompt that was seen before is not computed again.
        has_cuda_graphs: Whether steps are replayed as CUDA graphs; without a GPU there are none.
        decode: Token ids to text, called for each event; `None` leaves detokenisation off.

    Raises:
        SettingsError: A limit is below 1.
    """

    name = "transformers"

    def __init__(
        self,
        model: "PreTrainedModel",
        *,
        name: str | None = None,
        max_batch: int = 64,
        max_request_tokens: int = 512,
        step_tokens: int = 1024,
        page_tokens: int = 16,
        has_prefix_cache: bool = False,
        has_cuda_graphs: bool = True,
        decode: Callable[[list[int]], str] | None = None,
    ) -> None:
        batching = _Batching(
            max_batch=max_batch,
            max_request_tokens=max_request_tokens,
            step_tokens=step_tokens,
            page_tokens=page_tokens,
            has_prefix_cache=has_prefix_cache,
            has_cuda_graphs=has_cuda_graphs and model.device.type == "cuda",
        )
        self._batching = batching
        self._decode = decode
        self.facts = _facts(model, batching, name=name, has_text=decode is not None)
        self._ends = _ends_of(model)
        self._manager = _greedy_manager(model, batching)
        self._serial = itertools.count()
        self._queried_tokens = 0
        self._hit_tokens = 0
        self._is_closed = False
        self._manager.warmup()  # makes the paged cache now: too little memory is an error of this line
        self._count_prefix_hits()
        self._manager.start()

    async def generate(self, request: Request) -> AsyncGenerator[TokenEvent, None]:
        """Token events of one answer; see `Engine.generate`."""
        length, longest = len(request.prompt) + request.output_tokens, self._batching.max_request_tokens
        if length > longest:
            because = f"{length} tokens including the answer; this engine was created for at most {longest}"
            raise EngineError(self.name, request.request_id, because)
        outputs: asyncio.Queue[GenerationOutput] = asyncio.Queue()
        # Ids of the manager must not repeat over loads; the load's own ids do.
        manager_id = f"{next(self._serial)}"
        self._manager.register_result_handler(manager_id, outputs.put_nowait)
        is_open = True
        try:
            self._submit(request, manager_id)
            sent = 0
            while is_open:
                output = await outputs.get()
                is_open = not output.is_finished()
                if output.error is not None:
                    raise EngineError(self.name, request.request_id, output.error)
                fresh = output.generated_tokens[sent:]
                sent += len(fresh)
                if fresh:
                    yield TokenEvent(
                        count=len(fresh),
                        token_ids=tuple(fresh),
                        text=None if self._decode is None else self._decode(fresh),
                    )
        finally:
            if is_open:
                self._withdraw(manager_id)

    def cache_counters(self) -> CacheCounters | None:
        """Counts of the prefix cache since the start, or `None` with the cache off."""
        if not self._batching.has_prefix_cache:
            return None
        return CacheCounters(queried_tokens=self._queried_tokens, hit_tokens=self._hit_tokens)

    async def queue_depth(self) -> int | None:
        """Requests that wait for their first step."""
        return len(self._manager.batch_processor.scheduler.waiting_requests)

    def worker_pids(self) -> tuple[int, ...]:
        """None: the engine is a thread of this process."""
        return ()

    def close(self) -> None:
        """End the thread and give the cache's memory back."""
        if self._is_closed:
            return
        self._is_closed = True
        self._manager.stop(block=True, hard_stop=True)
        self._manager.destroy()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _submit(self, request: Request, manager_id: str) -> None:
        accepted = self._manager.add_request(
            list(request.prompt),
            request_id=manager_id,
            max_new_tokens=request.output_tokens,
            streaming=True,
            eos_token_id=self._ends_for(request),
        )
        if accepted is None:
            because = "the engine has stopped and takes no more requests"
            raise EngineError(self.name, request.request_id, because)
        self._queried_tokens += len(request.prompt)

    def _ends_for(self, request: Request) -> list[int]:
        """The tokens that end the answer."""
        if request.stop is None:
            return [NO_TOKEN_ID]
        ends = [*request.stop.token_ids, *(self._ends if request.stop.at_end else ())]
        if not ends:
            because = "the model has no end-of-sequence token; give Stop(token_ids=...)"
            raise EngineError(self.name, request.request_id, because)
        return ends

    def _withdraw(self, manager_id: str) -> None:
        """Cancel a request, and deliver none of its tokens to an event loop that may be closed by then."""
        self._manager.output_router.result_handlers.pop(manager_id, None)
        self._manager.cancel_request(manager_id)

    def _count_prefix_hits(self) -> None:
        """Count the tokens that the manager's cache finds; it only logs them itself."""
        cache = self._manager.batch_processor.cache
        search = cache.search_prefix_match

        def counted_search(request_id: str, prompt_ids: list[int]) -> int:
            matched = int(search(request_id, prompt_ids))
            # The last token of a prompt is always computed, also when every page matched.
            self._hit_tokens += min(matched, len(prompt_ids) - 1)
            return matched

        cache.search_prefix_match = counted_search


def _ends_of(model: Any) -> tuple[int, ...]:
    """The end-of-sequence tokens of *model*: of its generation, else of its configuration."""
    for source in (getattr(model, "generation_config", None), model.config):
        ends = getattr(source, "eos_token_id", None)
        if ends is not None:
            return (ends,) if isinstance(ends, int) else tuple(ends)
    return ()


def _greedy_manager(model: Any, batching: _Batching) -> Any:
    """The manager of *model*, with the settings' names of the installed transformers."""
    known = {field.name for field in fields(generation.ContinuousBatchingConfig)}
    settings = batching.manager_settings
    # Renamed after 5.17.
    settings["page_size" if "page_size" in known else "block_size"] = batching.page_tokens
    if "auto_switch_to_flash" in known:
        settings["auto_switch_to_flash"] = False  # what runs is the attention that the model was made with
    return model.init_continuous_batching(
        generation_config=transformers.GenerationConfig(do_sample=False, eos_token_id=NO_TOKEN_ID),
        # No safety margin: the pages hold a full batch of the longest requests by construction.
        continuous_batching_config=generation.ContinuousBatchingConfig(safety_margin=0.0, **settings),
    )


def _facts(model: "PreTrainedModel", batching: _Batching, *, name: str | None, has_text: bool) -> EngineFacts:
    weights = list(model.parameters())
    buffers = list(model.buffers())
    return EngineFacts(
        model=name or type(model).__name__,
        parameters=sum(weight.numel() for weight in weights),
        size_bytes=float(sum(tensor.numel() * tensor.element_size() for tensor in weights + buffers)),
        vram_bytes=vram_bytes(model.device),
        shape=decoder_shape(model),
        flags={
            "data_type": str(model.dtype).removeprefix("torch."),
            "decoding": "greedy",
            "prefix_cache": "on" if batching.has_prefix_cache else "off",
            "detokenisation": "on" if has_text else "off",
        },
        tuning={
            "attention": str(model.config._attn_implementation),  # noqa: SLF001 (it has no public name)
            **{limit: str(value) for limit, value in batching.limits.items()},
            "cuda_graphs": "on" if batching.has_cuda_graphs else "off",
        },
        versions={package: version(package) for package in ("torch", "transformers")},
    )
