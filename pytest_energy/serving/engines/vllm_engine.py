"""vLLM in this process: its own scheduler, kernels and worker processes, given the shape of an `Engine`.

Rule 1: vLLM's front end is bound to one event loop, while each load brings one of its own; so the front end
lives on a loop in a thread of the engine's, and tokens cross over to the load's.
Rule 2: the prefix cache is counted from the numbers that vLLM adds to its own Prometheus counters, taken
where it adds them: the counters are one set for the whole process, which a second engine clears.
Rule 3: vLLM's processes are spawned, not forked: the fork of a process whose threads have computed can hang.
"""

import asyncio
import itertools
import multiprocessing
import os
import threading
import traceback as tracebacks
import warnings
from collections.abc import AsyncGenerator, Callable, Mapping
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from typing import Any, Self

from pytest_energy.errors import EnergyError
from pytest_energy.masking import with_secrets
from pytest_energy.serving.engines.loop_thread import LoopThread, Mailbox
from pytest_energy.serving.engines.processes import ProcessFamily
from pytest_energy.serving.engines.protocol import (
    CacheCounters,
    DraftCounters,
    EngineError,
    EngineFacts,
    Request,
    TokenEvent,
)
from pytest_energy.serving.engines.vllm_facts import engine_facts
from pytest_energy.serving.engines.vllm_library import (
    StepCounts,
    arg_utils,
    async_llm,
    check_model,
    check_ranges,
    exceptions,
    merged_arguments,
    require_vllm,
    sampling_params,
    spawned_processes,
    vllm,
)
from pytest_energy.serving.steps import Step

NAME = "vllm"
WORKER_EXTENSION = "pytest_energy.serving.engines.vllm_worker.WeightReport"
MONITOR_THREAD = "MPClientEngineMonitor"  # vLLM's; ends by itself after the processes that it watches
# vLLM hands out 128 answers of a step in each turn of its loop, and counts the step after the last of them.
TURNS_OF_A_STEP = 16
# A request that was withdrawn holds its part of the cache until the step that it is in has ended.
RESET_TRIES, RESET_PAUSE_S = 100, 0.02
END_S = 30.0  # for vLLM's processes to end by themselves; killed ones leave shared memory behind

Outcome = TokenEvent | EngineError | None
"""What comes for a request: tokens, a failure, or `None` after the last token."""


class EngineFailed(EnergyError):
    """An engine can't be made ready, or can't do what it is asked outside a request.

    Attributes:
        engine: Name of the engine.
        model: Name of the model.
    """

    def __init__(self, engine: str, model: str, because: str) -> None:
        super().__init__(f"engine {engine}, model {model}: {because}")
        self.engine = engine
        self.model = model


class VllmEngine:
    """Serves a model with vLLM; its scheduler and workers are processes that this one starts.

    They are ready when this returns, and end with `close`; use it in a `with` block or from a fixture that
    closes it. Loading takes 20 s on two CPU cores and 45 s on an H100.

    Args:
        model: Folder or name on a hub. With *load_format* `"dummy"` the weights are random, and a folder that
            holds only a `config.json` will do.
        name: Name of the model, for reports; the last part of *model* where it is left out.
        load_format: How weights are read, as vLLM names it.
        quantization: Such as `"fp8"`, or `None` for what the model's configuration says.
        data_type: Such as `"bfloat16"`, or `None` for what the model's configuration says.
        has_prefix_cache: Whether the start of a prompt that was seen before is not computed again.
        tensor_parallel_size: GPUs that share each layer.
        max_model_len: Longest prompt and answer together, in tokens; `None` for the model's own.
        max_batch: Requests decoded together; later ones wait.
        gpu_memory_share: Share of each GPU's memory that vLLM may take, above 0 to 1; `None` for vLLM's own.
        enforce_eager: Whether to leave out compilation and CUDA graphs: loads sooner, runs slower.
        skip_tokenizer: Whether to do without a tokenizer; with one, answers are turned into text as well.
        parameters: Parameters of the model, if they can't be counted from its configuration.
        extra: More arguments of vLLM's `AsyncEngineArgs`, by their names there.

    Raises:
        SettingsError: vLLM isn't installed, the folder isn't there, or an argument is outside its range.
        EngineFailed: vLLM could not load the model.
    """

    name = NAME
    facts: EngineFacts
    _mailbox: Mailbox[Outcome] | None = None
    _llm: Any = None
    _family = ProcessFamily()
    _monitors: tuple[threading.Thread, ...] = ()
    _is_closed = False

    def __init__(
        self,
        model: str | os.PathLike[str],
        *,
        name: str | None = None,
        load_format: str = "auto",
        quantization: str | None = None,
        data_type: str | None = None,
        has_prefix_cache: bool = True,
        tensor_parallel_size: int = 1,
        max_model_len: int | None = None,
        max_batch: int = 256,
        gpu_memory_share: float | None = None,
        enforce_eager: bool = False,
        skip_tokenizer: bool = True,
        parameters: int | None = None,
        extra: Mapping[str, object] | None = None,
    ) -> None:
        extra = with_secrets(extra or {})  # first: a traceback shows it
        check_model(os.fspath(model))
        counts = {"tensor_parallel_size": tensor_parallel_size, "max_model_len": max_model_len}
        check_ranges(gpu_memory_share=gpu_memory_share, max_batch=max_batch, **counts)
        own = {
            "model": os.fspath(model),
            "load_format": load_format,
            "quantization": quantization,
            "dtype": data_type or "auto",
            "enable_prefix_caching": has_prefix_cache,
            "tensor_parallel_size": tensor_parallel_size,
            "max_model_len": max_model_len,
            "max_num_seqs": max_batch,
            "gpu_memory_utilization": gpu_memory_share,
            "enforce_eager": enforce_eager,
            "skip_tokenizer_init": skip_tokenizer,
            "disable_log_stats": False,
            "worker_extension_cls": WORKER_EXTENSION,
        }
        self._model = name or Path(model).name
        self._detokenises = not skip_tokenizer
        self._counts = StepCounts()
        self._serial = itertools.count()
        self._under_way: set[Future[None]] = set()
        self._start(own, extra, parameters)

    def _start(self, own: Mapping[str, object], extra: Mapping[str, object], parameters: int | None) -> None:
        """Import vLLM and have it load the model; what was started ends again where that fails."""
        with warnings.catch_warnings(), spawned_processes():
            # vLLM's own at its import; the test that starts it can't mend them.
            warnings.simplefilter("ignore")
            require_vllm()
            arguments = merged_arguments(own, extra)
            self._loop = LoopThread(f"pytest-energy {NAME}")
            try:
                config, workers = self._load(arguments)
                self._vocabulary = int(config.model_config.get_vocab_size())
                self._longest = int(config.model_config.max_model_len)
                self.facts = engine_facts(
                    config,
                    workers,
                    model=self._model,
                    parameters=parameters,
                    extra=extra,
                )
            except BaseException:
                self.close()
                raise

    async def generate(self, request: Request) -> AsyncGenerator[TokenEvent, None]:
        """Token events of one answer; see `Engine.generate`."""
        self._refuse_hopeless(request)
        outcomes: asyncio.Queue[Outcome] = asyncio.Queue()
        mailbox = self._mailbox_of(asyncio.get_running_loop())
        answer = self._submit(request, partial(mailbox.send, outcomes.put_nowait))
        try:
            while (outcome := await outcomes.get()) is not None:
                if isinstance(outcome, EngineError):
                    raise outcome
                yield outcome
        finally:
            answer.cancel()  # of no effect on one that has ended

    def cache_counters(self) -> CacheCounters | None:
        """Counts of the prefix cache since the start, or `None` with the cache off."""
        if self.facts.flags["prefix_cache"] == "off":
            return None
        if not self._is_closed:
            self._loop.run(_turns(TURNS_OF_A_STEP))
        return CacheCounters(queried_tokens=self._counts.queried_tokens, hit_tokens=self._counts.hit_tokens)

    def take_steps(self) -> tuple[Step, ...]:
        """VLLM's steps since this was last called; see `TellsSteps`."""
        return () if self._is_closed else self._loop.run(self._taken_steps())

    async def _taken_steps(self) -> tuple[Step, ...]:
        await _turns(TURNS_OF_A_STEP)
        return self._counts.take_steps()

    def draft_counters(self) -> DraftCounters | None:
        """Counts of speculative decoding since the start, or `None` with it off."""
        if self.facts.tuning["speculation"] == "off":
            return None
        if not self._is_closed:
            self._loop.run(_turns(TURNS_OF_A_STEP))
        drafts, drafted, accepted = self._counts.drafts
        return DraftCounters(drafts=drafts, drafted_tokens=drafted, accepted_tokens=accepted)

    async def queue_depth(self) -> int | None:
        """Requests that wait for their first step, as vLLM reported after its last step."""
        # vLLM tells nothing more when the last request is gone.
        return self._counts.waiting if self._under_way else 0

    def worker_pids(self) -> tuple[int, ...]:
        """The scheduler and the workers, all of them descendants of this process."""
        return self._family.pids

    def reset_prefix_cache(self) -> None:
        """Forget all prompts, so that a round starts as the first one did. The counters go on.

        Raises:
            EngineFailed: Requests are under way, or the engine is closed or dead.
        """
        if self._is_closed:
            raise EngineFailed(NAME, self._model, "it is closed, so it has no cache to reset")
        if self._under_way:
            because = f"{len(self._under_way)} requests are under way; reset its cache between loads"
            raise EngineFailed(NAME, self._model, because)
        reset = self._loop.start(self._reset())
        if (error := reset.exception()) is not None:
            raise EngineFailed(NAME, self._model, self._reason(error)) from error
        if not reset.result():
            because = f"vLLM did not reset its cache within {RESET_TRIES * RESET_PAUSE_S:g} s"
            raise EngineFailed(NAME, self._model, because)

    def close(self) -> None:
        """End vLLM's processes and the thread; requests under way fail."""
        if self._is_closed:
            return
        self._is_closed = True
        llm, self._llm = self._llm, None
        if llm is not None:
            self._loop.run(_shut_down(llm))
        self._family.end(patience_s=0 if llm is None else END_S)
        for monitor in self._monitors:
            monitor.join(END_S)
        if llm is not None:
            self._loop.run(_free_sockets(llm))
        self._loop.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _load(self, arguments: Mapping[str, object]) -> tuple[Any, list[dict[str, Any]]]:
        """Start vLLM's processes; its configuration, and what its workers hold."""
        children, threads = set(multiprocessing.active_children()), set(threading.enumerate())
        loading = self._loop.start(self._started(arguments))
        try:
            error = loading.exception()
        finally:  # also when the user interrupts
            loading.cancel()
            self._family = ProcessFamily(set(multiprocessing.active_children()) - children)
            self._monitors = tuple(
                thread for thread in set(threading.enumerate()) - threads if thread.name == MONITOR_THREAD
            )
        if error is None:
            return loading.result()
        tracebacks.clear_frames(error.__traceback__)  # they hold the half-made engine
        raise EngineFailed(NAME, self._model, _load_failure(error)) from error

    async def _started(self, arguments: Mapping[str, object]) -> tuple[Any, list[dict[str, Any]]]:
        await asyncio.sleep(0)  # where an interruption ends this, before any process is started
        llm = async_llm.AsyncLLM.from_engine_args(
            arg_utils.AsyncEngineArgs(**arguments), stat_loggers=[self._counts.of]
        )
        self._llm = llm
        if self._is_closed:  # interrupted while vLLM started, by one who may have seen no engine yet
            await _shut_down(llm)
            await _free_sockets(llm)
            raise asyncio.CancelledError
        return llm.vllm_config, await llm.collective_rpc("report_weights")

    def _refuse_hopeless(self, request: Request) -> None:
        """Refuse what vLLM would answer shorter than asked, or die of."""
        if self._is_closed:
            raise EngineError(NAME, request.request_id, "the engine is closed")
        length = len(request.prompt) + request.output_tokens
        if length > self._longest:
            because = (
                f"{length} tokens including the answer; this engine was created for at most {self._longest}"
            )
            raise EngineError(NAME, request.request_id, f"{because} (max_model_len)")
        tokens = request.prompt if request.stop is None else (*request.prompt, *request.stop.token_ids)
        lowest, highest = min(tokens), max(tokens)
        if lowest < 0 or highest >= self._vocabulary:
            because = f"token ids {lowest} to {highest}; the model knows 0 to {self._vocabulary - 1}"
            raise EngineError(NAME, request.request_id, because)

    def _mailbox_of(self, loop: asyncio.AbstractEventLoop) -> Mailbox[Outcome]:
        if self._mailbox is None or self._mailbox.loop is not loop:
            self._mailbox = Mailbox(loop)
        return self._mailbox

    def _submit(self, request: Request, send: Callable[[Outcome], None]) -> Future[None]:
        answer = self._loop.start(self._answer(request, send))
        self._under_way.add(answer)
        answer.add_done_callback(partial(self._conclude, request, send))
        return answer

    async def _answer(self, request: Request, send: Callable[[Outcome], None]) -> None:
        """On the engine's loop: pass on what vLLM answers; cancelling this withdraws the request."""
        # No min_tokens: without a stop nothing ends an answer early, and it is work in each step.
        stop = request.stop
        sampling = sampling_params.SamplingParams(
            temperature=0.0,
            top_p=1.0,
            max_tokens=request.output_tokens,
            ignore_eos=stop is None or not stop.at_end,
            stop_token_ids=[] if stop is None else list(stop.token_ids),
            detokenize=self._detokenises,
            output_kind=sampling_params.RequestOutputKind.DELTA,
        )
        prompt = {"type": "token", "prompt_token_ids": list(request.prompt)}
        # Ids in vLLM must not repeat over loads; the load's own ids do.
        async for output in self._llm.generate(
            prompt, sampling, f"{next(self._serial)}-{request.request_id}"
        ):
            (fresh,) = output.outputs
            ids = tuple(fresh.token_ids)
            if ids:
                send(
                    TokenEvent(count=len(ids), token_ids=ids, text=fresh.text if self._detokenises else None)
                )

    def _conclude(self, request: Request, send: Callable[[Outcome], None], answer: Future[None]) -> None:
        self._under_way.discard(answer)
        error = asyncio.CancelledError() if answer.cancelled() else answer.exception()
        send(None if error is None else EngineError(NAME, request.request_id, self._reason(error)))

    def _reason(self, error: BaseException) -> str:
        if self._is_closed:
            return "the engine was closed before the answer was complete"
        if isinstance(error, asyncio.CancelledError):
            return "it was cancelled"
        if isinstance(error, exceptions.EngineDeadError):
            return f"vLLM's core process has died ({_one_line(error)}); create a new engine"
        # vLLM wraps what happens in its front end in an error without words.
        return _one_line(error if str(error) or error.__cause__ is None else error.__cause__)

    async def _reset(self) -> bool:
        for _ in range(RESET_TRIES):
            if await self._llm.reset_prefix_cache():
                return True
            await asyncio.sleep(RESET_PAUSE_S)
        return False


async def _shut_down(llm: Any) -> None:
    llm.shutdown(timeout=END_S)


async def _free_sockets(llm: Any) -> None:
    """End the threads behind vLLM's sockets, which it closes itself but leaves to the garbage collector.

    After a death vLLM's monitor closes the sockets, so this comes after the monitor's end; with a socket open
    it would wait for ever.
    """
    resources = llm.engine_core.resources
    if all(socket is None or socket.closed for socket in (resources.input_socket, resources.output_socket)):
        resources.ctx.destroy(linger=0)


async def _turns(count: int) -> None:
    """Let the loop go round *count* times."""
    for _ in range(count):
        await asyncio.sleep(0)


def _load_failure(error: BaseException) -> str:
    because = f"vLLM {vllm.__version__} could not load it: {_one_line(error)}"
    if isinstance(error, ValueError | OSError):  # an argument or the folder, and said in full
        return because
    mend = "if memory ran out, lower max_model_len or gpu_memory_share, or use a smaller model"
    return f"{because} (the output of its processes above shows why; {mend})"


def _one_line(error: BaseException) -> str:
    entries = getattr(error, "errors", None)  # pydantic's, whose text repeats all of vLLM's settings
    text = "; ".join(str(entry["msg"]) for entry in entries()) if callable(entries) else str(error)
    return f"{type(error).__name__}: {' '.join(text.split())}" if text else type(error).__name__
