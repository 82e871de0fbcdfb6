"""vLLM as far as the engine uses it: one scheduler in the event loop it is started on, and no processes.

Each step gives every running request one token. Like vLLM it hands out the tokens of a step before it counts
the step, and keeps whole pages of the prompts it has seen.
"""

import asyncio
import sys
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass, field
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from transformers import AutoConfig

PAGE_TOKENS = 16


class EngineDeadError(Exception):
    """The core process has ended."""


class EngineGenerateError(Exception):
    """What the front end raises, without words, from what happened in it."""


@dataclass(frozen=True, kw_only=True)
class SamplingParams:
    """The parameters that the engine sets."""

    temperature: float
    top_p: float
    max_tokens: int
    ignore_eos: bool
    stop_token_ids: list[int]
    detokenize: bool
    output_kind: str


@dataclass(kw_only=True)
class AsyncEngineArgs:
    """The arguments that the engine sets, and some that its users may."""

    model: str
    load_format: str
    dtype: str
    enable_prefix_caching: bool
    tensor_parallel_size: int
    max_num_seqs: int
    enforce_eager: bool
    skip_tokenizer_init: bool
    disable_log_stats: bool
    worker_extension_cls: str
    quantization: str | None = None
    max_model_len: int | None = None
    gpu_memory_utilization: float = 0.9
    kv_cache_dtype: str = "auto"
    async_scheduling: bool | None = None
    hf_token: str | None = None
    speculative_config: dict[str, Any] | None = None


@dataclass(eq=False, kw_only=True)
class Answering:
    """One request on its way."""

    prompt: list[int]
    sampling: SamplingParams
    outputs: asyncio.Queue[Any] = field(default_factory=asyncio.Queue)
    produced: int = 0
    is_stopped: bool = False


class FakeAsyncLLM:
    """The front end and the scheduler in one; `control` is what the test can do to them."""

    def __init__(self, control: "FakeVllm", args: AsyncEngineArgs, stat_loggers: Sequence[Any]) -> None:
        self._control = control
        self.args = args
        self.vllm_config = configuration(args, vocabulary=control.vocabulary)
        self._loggers = [logger(self.vllm_config, 0) for logger in stat_loggers]
        self._waiting: list[Answering] = []
        self._running: list[Answering] = []
        self._pages: set[tuple[int, ...]] = set()
        self._arrival = asyncio.Event()
        self._is_dead = False
        self.is_shut_down = False
        self.context = FakeContext()
        self._socket = SimpleNamespace(closed=False)
        self.engine_core = SimpleNamespace(
            resources=SimpleNamespace(ctx=self.context, input_socket=self._socket, output_socket=None)
        )
        self._stepping = asyncio.get_running_loop().create_task(self._step_on())

    async def collective_rpc(self, method: str) -> list[dict[str, Any]]:
        assert method == "report_weights"
        return self._control.workers

    async def generate(
        self, prompt: dict[str, Any], sampling: SamplingParams, request_id: str
    ) -> AsyncGenerator[Any, None]:
        self._raise_if_dead()
        if self._control.next_failure is not None:
            failure, self._control.next_failure = self._control.next_failure, None
            raise EngineGenerateError from failure
        self._control.asked.append((request_id, sampling))
        assert prompt["type"] == "token"
        sequence = Answering(prompt=prompt["prompt_token_ids"], sampling=sampling)
        self._waiting.append(sequence)
        self._arrival.set()
        try:
            for _ in range(sampling.max_tokens):
                output = await sequence.outputs.get()
                if isinstance(output, Exception):
                    raise output
                yield output
                if sequence.is_stopped:
                    return
        finally:
            for queue in (self._waiting, self._running):
                if sequence in queue:
                    queue.remove(sequence)

    async def reset_prefix_cache(self) -> bool:
        self._raise_if_dead()
        if self._running or self._control.refused_resets > 0:
            self._control.refused_resets -= 1
            return False
        self._pages.clear()
        return True

    def shutdown(self, timeout: float | None = None) -> None:
        assert timeout is not None
        self.is_shut_down = True
        self._socket.closed = True
        self._stepping.cancel()

    def die(self) -> None:
        """The core process ends, whatever it was doing. On the engine's loop."""
        self._is_dead = True
        self._stepping.cancel()
        for sequence in (*self._waiting, *self._running):
            sequence.outputs.put_nowait(EngineDeadError("EngineCore encountered an issue."))

    def _raise_if_dead(self) -> None:
        if self._is_dead:
            raise EngineDeadError("EngineCore encountered an issue.")

    async def _step_on(self) -> None:
        while True:
            while not self._waiting and not self._running:
                self._arrival.clear()
                await self._arrival.wait()
            self._step()
            if self._control.dies_after_steps == 0:
                self.die()
            self._control.dies_after_steps -= 1
            await asyncio.sleep(self._control.step_s)

    def _step(self) -> None:
        queried = hit = 0
        while self._waiting and len(self._running) < self.args.max_num_seqs:
            sequence = self._waiting.pop(0)
            self._running.append(sequence)
            queried += len(sequence.prompt)
            hit += self._hits(sequence.prompt) if self.args.enable_prefix_caching else 0
        first = [sequence for sequence in self._running if not sequence.produced]
        written = len(self._running)
        for sequence in [*self._running]:
            self._produce(sequence)
        iteration = SimpleNamespace(
            prompt_token_stats=SimpleNamespace(computed=sum(len(one.prompt) for one in first) - hit),
            num_generation_tokens=written,
            time_to_first_tokens_iter=[0.0 for _ in first],
        )
        stats = SimpleNamespace(
            num_running_reqs=len(self._running),
            prefix_cache_stats=SimpleNamespace(queries=queried, hits=hit),
            num_waiting_reqs=len(self._waiting),
            num_skipped_waiting_reqs=0,
            spec_decoding_stats=self._drafts(),
        )
        for logger in self._loggers:
            logger.record(None, None, mm_cache_stats=None, engine_idx=0)
            logger.record(stats, iteration, mm_cache_stats=None, engine_idx=0)

    def _drafts(self) -> Any:
        """Two tokens are drafted in each step, of which one is accepted."""
        if self.args.speculative_config is None:
            return None
        return SimpleNamespace(num_drafts=1, num_draft_tokens=2, num_accepted_tokens=1)

    def _produce(self, sequence: Answering) -> None:
        token = (sum(sequence.prompt) + sequence.produced) % self._control.vocabulary
        sequence.produced += 1
        self._control.produced += 1
        text = f"<{token}>" if sequence.sampling.detokenize else ""
        fresh = SimpleNamespace(token_ids=[token], text=text)
        sequence.outputs.put_nowait(SimpleNamespace(outputs=[fresh]))
        ends = [*sequence.sampling.stop_token_ids]
        ends += [] if sequence.sampling.ignore_eos else [self._control.end_token]
        sequence.is_stopped = token in ends
        if sequence.is_stopped or sequence.produced == sequence.sampling.max_tokens:
            self._running.remove(sequence)

    def _hits(self, prompt: list[int]) -> int:
        """Tokens of the pages at the start of *prompt* that were seen before; its last token never hits."""
        ends = range(PAGE_TOKENS, len(prompt), PAGE_TOKENS)
        seen = [end for end in ends if tuple(prompt[:end]) in self._pages]
        self._pages.update(tuple(prompt[:end]) for end in ends)
        return max(seen, default=0)


class FakeContext:
    """Of the sockets."""

    def __init__(self) -> None:
        self.is_destroyed = False

    def destroy(self, *, linger: int) -> None:
        assert linger == 0
        self.is_destroyed = True


def configuration(args: AsyncEngineArgs, *, vocabulary: int) -> Any:
    """What vLLM makes of its arguments."""
    hf_config = AutoConfig.from_pretrained(args.model)
    return SimpleNamespace(
        model_config=SimpleNamespace(
            hf_config=hf_config,
            dtype="torch.bfloat16" if args.dtype == "auto" else f"torch.{args.dtype}",
            quantization=args.quantization,
            max_model_len=args.max_model_len or hf_config.max_position_embeddings,
            skip_tokenizer_init=args.skip_tokenizer_init,
            enforce_eager=args.enforce_eager,
            get_vocab_size=lambda: vocabulary,
        ),
        cache_config=SimpleNamespace(
            enable_prefix_caching=args.enable_prefix_caching, block_size=PAGE_TOKENS
        ),
        load_config=SimpleNamespace(load_format=args.load_format),
        scheduler_config=SimpleNamespace(
            max_num_seqs=args.max_num_seqs, max_num_batched_tokens=2048, enable_chunked_prefill=True
        ),
        speculative_config=args.speculative_config and SimpleNamespace(**args.speculative_config),
        parallel_config=SimpleNamespace(tensor_parallel_size=args.tensor_parallel_size),
        compilation_config=SimpleNamespace(
            cudagraph_mode=SimpleNamespace(name="NONE" if args.enforce_eager else "FULL_AND_PIECEWISE")
        ),
    )


@dataclass(kw_only=True)
class FakeVllm:
    """The library, put where `import vllm` finds it.

    Attributes:
        vocabulary: Of every model.
        end_token: Its end of sequence.
        workers: What the workers tell of their weights.
        load_failure: Raised while an engine is made.
        on_load: Called when an engine has been made, on its loop.
        step_s: How long a step takes.
        next_failure: What the next request fails with.
        dies_after_steps: Steps until the core process ends; below 0 it lives.
        refused_resets: Times that the prefix cache is still in use.
        engines: Every engine made.
        asked: Ids and sampling parameters of the requests.
        produced: Tokens of all requests.
    """

    vocabulary: int = 97
    end_token: int = 96
    workers: list[dict[str, Any]] = field(
        default_factory=lambda: [{"size_bytes": None, "vram_bytes": None, "attention": ["CPU_ATTN"]}]
    )
    load_failure: Exception | None = None
    on_load: Callable[[], None] = lambda: None
    step_s: float = 0.0
    next_failure: Exception | None = None
    dies_after_steps: int = -1
    refused_resets: int = 0
    engines: list[FakeAsyncLLM] = field(default_factory=list)
    asked: list[tuple[str, SamplingParams]] = field(default_factory=list)
    produced: int = 0

    def from_engine_args(self, args: AsyncEngineArgs, *, stat_loggers: Sequence[Any]) -> FakeAsyncLLM:
        if self.load_failure is not None:
            raise self.load_failure
        self.engines.append(FakeAsyncLLM(self, args, stat_loggers))
        self.on_load()
        return self.engines[-1]

    def install(self, patch: pytest.MonkeyPatch) -> None:
        contents: dict[str, dict[str, Any]] = {
            "vllm": {"__version__": "0.99"},
            "vllm.engine": {},
            "vllm.engine.arg_utils": {"AsyncEngineArgs": AsyncEngineArgs},
            "vllm.sampling_params": {
                "SamplingParams": SamplingParams,
                "RequestOutputKind": SimpleNamespace(DELTA="delta"),
            },
            "vllm.v1": {},
            "vllm.v1.engine": {},
            "vllm.v1.engine.async_llm": {"AsyncLLM": self},
            "vllm.v1.engine.exceptions": {"EngineDeadError": EngineDeadError},
        }
        for name, names in contents.items():
            module = ModuleType(name)
            vars(module).update(names)
            patch.setitem(sys.modules, name, module)
