"""The fixture `energy`: what a test can measure.

Rule 1: each method makes a `Work` and hands it over. The wings are imported here, before any test's patches
are in force; the libraries of a wing come with the work that needs them.
Rule 2: what describes the work (model statistics, metrics) stays outside every window.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import partial
from os import PathLike
from typing import TypeVar, Unpack, cast, overload

from pytest_energy.command import CommandResult, CommandWork, new_ranks
from pytest_energy.masking import COVER, Hidden
from pytest_energy.plugin import given
from pytest_energy.plugin.description import Describing
from pytest_energy.plugin.loads import Load, PairLoad, compare_policies
from pytest_energy.plugin.mistakes import (
    called_right,
    check_function,
    check_names,
    sample_count,
    window_name,
)
from pytest_energy.plugin.part_energy import layers_of, measure_operators, show_operators
from pytest_energy.plugin.sweeps import sweep_of
from pytest_energy.plugin.trainings import train_until, until_plan
from pytest_energy.plugin.windows import Window
from pytest_energy.profiling.layers import LayerEnergy
from pytest_energy.profiling.operators import OperatorEnergy
from pytest_energy.serving.arrivals import Schedule
from pytest_energy.serving.engines.protocol import Engine, Stop
from pytest_energy.serving.load import Prompts
from pytest_energy.serving.load_result import LoadResult
from pytest_energy.serving.pairs import PairResult, Quality
from pytest_energy.serving.policies import ChangingLoad, Policy, PolicyResult
from pytest_energy.serving.prompts import PromptSet
from pytest_energy.serving.slo import Slo
from pytest_energy.stats.operating_point import OperatingPoint
from pytest_energy.training.plan import Evaluation
from pytest_energy.training.result import UntilResult
from pytest_energy.work import CallWork

R = TypeVar("R")
T = TypeVar("T")
V = TypeVar("V")


class Energy(Describing):
    """The fixture `energy`: measures the work of one test."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"<energy of {self._measurement.test_id}>"

    @called_right
    def measure(
        self,
        work: Callable[..., R],
        /,
        *args: object,
        samples: int | None = None,
        traced: Callable[[], object] | None = None,
        **kwargs: object,
    ) -> R:
        """Run `work(*args, **kwargs)` in rounds and measure each; warm-up rounds are discarded.

        A round has as many calls as its precision needs; its joules are reported per call. After the rounds
        the work is called once more, or twice if that takes less than a second, to count its operations.

        Args:
            work: The work under test; it must do the same work each time.
            *args: Passed to *work*.
            samples: Samples in one round; not passed on. Without it the marker's.
            traced: A smaller piece of the same kind, such as one step of an epoch, which is called without
                arguments and counted in place of *work*. Not passed on.
            **kwargs: Passed to *work*.

        Returns:
            The return value of the last round.

        Raises:
            EnergyError: *work* is no function or runs nothing, the test has measured already, or a window is
                open.
        """
        check_function(work, "measure")
        check_names(work, args, kwargs)
        if traced is not None:
            check_function(traced, "measure", "traced")
        call, samples = partial(work, *args, **kwargs), sample_count(samples)
        result = self._measurement.measure(CallWork(call=call, samples=samples, traced=traced))
        show_operators(self._measurement, call, traced)
        return result

    @called_right
    def operators(
        self,
        work: Callable[..., object],
        /,
        *args: object,
        samples: int | None = None,
        **kwargs: object,
    ) -> OperatorEnergy:
        """Measure `work(*args, **kwargs)` in rounds, as `measure` does, and each operator of torch by itself.

        One more call of the work records each operator with its arguments: forward, backward and optimiser.
        Then the operators of each name are replayed alone, in windows of their own, which takes as long as
        the test itself. Their figures are added to the metrics of the test. The replay doesn't change the
        work.

        Args:
            work: The work under test; it must do the same work each time.
            *args: Passed to *work*.
            samples: Samples in one round; not passed on. Without it the marker's.
            **kwargs: Passed to *work*.

        Returns:
            Joules and seconds per call by operator, and the share of the active joules that they explain;
            each `None` with its reason if it could not be measured.

        Raises:
            EnergyError: A window is open, or rounds were measured already.
        """
        check_function(work, "operators")
        return measure_operators(self._measurement, partial(work, *args, **kwargs), sample_count(samples))

    @called_right
    def window(self, name: str, samples: int | None = None) -> AbstractContextManager[Window]:
        """Measure the block as a window called *name*.

        Inside a measured round, or inside another window, it is a phase of that round.

        Args:
            name: Name of the window; the same name again, outermost, is the next round.
            samples: Samples that the block works on.

        Raises:
            EnergyError: The window is outside the rounds that `measure` has taken.
        """
        return self._measurement.window(window_name(name), sample_count(samples))

    @called_right
    def requests(
        self,
        engine: Engine,
        prompts: Prompts | PromptSet,
        *,
        rate: float,
        output_tokens: int | Sequence[int] | None = None,
        duration_s: float | None = None,
        burstiness: float = 1.0,
        concurrency: int | None = None,
        seed: int = 0,
        slo: Slo | None = None,
        stop: Stop | None = None,
    ) -> LoadResult:
        """Send *prompts* to *engine* at a request rate, in rounds, and measure each.

        The schedule is open-loop (requests don't wait for answers) and the same in every round. Joules are
        those of the steady state of the load, scaled to all requests: joules per sample are joules per
        request. If the engine falls behind the load, the test is `saturated`: reported, not compared.

        Args:
            engine: Ready to serve.
            prompts: Token ids, one sequence per request; a set of them with the lengths of their answers; or
                a function from the round's number to token ids, of equal lengths in each round.
            rate: Requests per second; infinity sends all at once, up to *concurrency*.
            output_tokens: Length of every answer, or one for each prompt.
            duration_s: How long requests arrive, *rate* times that many of them; the prompts repeat if
                there are fewer. Without it each prompt is sent once.
            burstiness: 1 is a Poisson process, infinity a constant gap.
            concurrency: Most requests in flight at once; with an infinite rate a closed loop.
            seed: Seed of the schedule.
            slo: Limits of latency, for the goodput. With `least_share=` the test fails if a smaller share of
                answers keeps them, whatever its joules are.
            stop: What may end an answer before *output_tokens*, such as the model's end of sequence:
                `Stop()`. Without it lengths are fixed and every round is the same work. With it joules are
                those of as many tokens as the first load has, and runs whose mean length differs by more
                than 1 % are not compared.

        Returns:
            Results of the last round: latencies, tokens, cache hits.

        Raises:
            EnergyError: The engine failed, the arguments make no load, or rounds were measured already.
        """
        self._measurement.refuse_ranks("energy.requests")
        return Load(
            prompts=prompts,
            schedule=Schedule(rate=rate, burstiness=burstiness, concurrency=concurrency, seed=seed),
            output_tokens=output_tokens,
            duration_s=duration_s,
            slo=slo,
            stop=stop,
        ).measure(self._measurement, engine)

    @overload
    def compare(self, engines: Mapping[str, Policy], prompts: ChangingLoad, /) -> PolicyResult: ...

    @overload
    def compare(
        self, engines: Mapping[str, Engine], prompts: Prompts | PromptSet, **load: Unpack[PairLoad]
    ) -> PairResult: ...

    @called_right
    def compare(
        self,
        engines: Mapping[str, Engine] | Mapping[str, Policy],
        prompts: Prompts | PromptSet | ChangingLoad,
        *,
        rate: float | None = None,
        output_tokens: int | Sequence[int] | None = None,
        duration_s: float | None = None,
        burstiness: float = 1.0,
        concurrency: int | None = None,
        seed: int = 0,
        slo: Slo | None = None,
        quality: Quality | None = None,
    ) -> PairResult | PolicyResult:
        """Send the same load to two engines or policies in turns: joules, latencies and answers of both.

        The test is measured with the second one; the first is its reference. Both are loaded all the while
        and take turns, so that what drifts cancels and what an idle engine draws is in both. Engines answer
        the prompts of the first round once more afterwards, greedily and unmeasured: how often the answers
        are the same is the agreement, and the reference in a second run its ceiling.

        Args:
            engines: Two by name, the reference first: `{"bf16": one, "fp8": other}`.
            prompts: As in `requests`; for policies a `ChangingLoad`, and nothing else.
            rate: As in `requests`; engines need it.
            output_tokens: As in `requests`; lengths are fixed, so that both do the same work.
            duration_s: As in `requests`.
            burstiness: As in `requests`.
            concurrency: As in `requests`.
            seed: As in `requests`.
            slo: Limits of latency. With `least_share=` there is a ratio only if both engines keep them, and
                the test fails if the second does not.
            quality: A score of a list of answers (`token_ids`, `text`), more is better.

        Returns:
            The ratio of the joules with its interval, and each side's load and answers; each `None` with its
            reason if it could not be measured.

        Raises:
            EnergyError: One failed, the arguments make no load, or rounds were measured already.
        """
        if isinstance(prompts, ChangingLoad):
            return compare_policies(self._measurement, engines, prompts)
        schedule = Schedule(rate=given.rate(rate), burstiness=burstiness, concurrency=concurrency, seed=seed)
        load = Load(
            prompts=prompts, schedule=schedule, output_tokens=output_tokens, duration_s=duration_s, slo=slo
        )
        return load.compare(self._measurement, cast("Mapping[str, Engine]", engines), quality)

    @called_right
    def until(
        self,
        *,
        accuracy: float | Sequence[float],
        start: Callable[[int], T],
        train: Callable[[T], object],
        evaluate: Callable[[T], object],
        most_epochs: int,
        repeats: int = 3,
        evaluation: Evaluation = "outside",
        traced: Callable[[T], object] | None = None,
    ) -> UntilResult:
        """Train until an accuracy is reached, several times from the start, and measure each training.

        A training is a round of the test, and has a seed of its own. Joules to an accuracy are those up to
        the end of the first epoch that has it: an upper bound. A training that ends below it has none.

        Args:
            accuracy: A share such as 0.9, or several; the training ends at the highest.
            start: `start(seed)` makes a new model and optimiser, unmeasured; what it returns is passed on.
            train: Trains for one epoch. Shorter epochs make the bound tighter.
            evaluate: Returns the accuracy, 0 to 1, on data that *train* doesn't use.
            most_epochs: Where a training ends at the latest.
            repeats: Trainings, in place of the marker's `rounds=`. An epoch to warm up precedes them, unless
                the marker has `warmup=0`.
            evaluation: Its joules: `"outside"` those of the training, or `"inside"` each epoch.
            traced: A smaller piece of an epoch, such as a step, to count in place of one more epoch.

        Returns:
            Accuracy and joules by epoch, and joules to each accuracy with an interval over the trainings.

        Raises:
            EnergyError: An accuracy is no share, or rounds were measured already.
        """
        plan = until_plan(
            accuracy=accuracy,
            start=start,
            train=train,
            evaluate=evaluate,
            most_epochs=most_epochs,
            evaluation=evaluation,
            traced=traced,
        )
        return train_until(self._measurement, plan, repeats)

    @called_right
    def layers(
        self,
        module: object,
        example_input: object,
        *,
        samples: int | None = None,
        loss: Callable[..., object] | None = None,
        optimizer: object = None,
    ) -> LayerEnergy:
        """Measure a forward pass in rounds, as `measure` does, and each type of its layers by itself.

        The rounds of the test are those of the whole pass, in eval mode; the figures of the types are added
        to its metrics. All windows together take the time of one test. With *loss* the whole is a training
        step, in the mode of the module, and the parts are types of layers forward and backward, and the
        optimiser; the model and the optimiser are restored afterwards.

        Args:
            module: A `torch.nn.Module`.
            example_input: Input of the module's forward; also a tuple of inputs, or a mapping of them.
            samples: Samples in the input. Without it the marker's.
            loss: Makes a number of the module's output: `lambda output: cross_entropy(output, labels)`.
            optimizer: A `torch.optim.Optimizer` that makes a step; without it there is none.

        Returns:
            Joules and seconds per pass by type, and the share of the whole that they explain; each `None`
            with its reason if it could not be measured.

        Raises:
            EnergyError: A window is open, rounds were measured already, or the forward pass fails.
            NotMeasurable: The inputs of all layers together don't fit in memory.
        """
        return layers_of(
            self._measurement,
            module,
            example_input,
            samples=sample_count(samples),
            loss=loss,
            optimizer=optimizer,
        )

    @called_right
    def sweep(
        self,
        values: Sequence[V],
        work: Callable[[V], object],
        *,
        default: V,
        samples: int | Callable[[V], int] | None = None,
        most_latency_s: float | str | None = None,
        most_excess: float | str | None = None,
        what: str = "setting",
    ) -> OperatingPoint:
        """Run `work(value)` at each setting, and find the one with the fewest joules per sample.

        The test is measured with *default*: budgets and baselines judge that one.

        Args:
            values: Settings, such as batch sizes or names of precisions, in their order.
            work: Does the work at one of them. It may return without having waited for the device.
            default: The one that is used today.
            samples: In a call, or a function from the setting to them. Without it a call is one sample.
            most_latency_s: Limit of the seconds of a call, such as 0.05 or `"50 ms"`.
            most_excess: The test fails if the default clearly uses more than this share above the best.
            what: What varies, for the report: `"batch size"`.

        Returns:
            The settings, the best of them, and the excess of the default with its interval.

        Raises:
            EnergyError: An argument is not what it must be, or rounds were measured already.
        """
        self._measurement.refuse_ranks("energy.sweep")
        check_function(work, "sweep")
        return sweep_of(
            values,
            work,
            default=default,
            samples=samples,
            most_latency_s=most_latency_s,
            most_excess=most_excess,
            what=what,
        ).measure(self._measurement)

    @called_right
    def command(
        self,
        args: Sequence[str | PathLike[str]],
        *,
        samples: int | None = None,
        timeout_s: float | None = None,
        env: Mapping[str, str] | None = None,
        cwd: str | PathLike[str] | None = None,
        check: bool = True,
        may_repeat: bool = False,
    ) -> CommandResult:
        """Run a command in rounds, as `measure` runs a function, and measure each with all that it starts.

        Every process that it starts is part of the work, and is ended with its round: SIGTERM, then SIGKILL.
        Its input is empty; its output is returned, and shown in the report of the test if it fails.

        Args:
            args: The program and its arguments, such as `[sys.executable, "train.py"]`; no shell reads them.
            samples: Samples that one run works on. Without it the marker's.
            timeout_s: Longest time of one run, in seconds.
            env: Variables to add to those of this process, or to replace.
            cwd: Folder to run it in.
            check: An exit status other than 0 is an error.
            may_repeat: Run it several times per round if one run is too short to measure.

        Returns:
            Exit status and output of the last run.

        Raises:
            EnergyError: It could not be started, failed, or took longer than *timeout_s*; or rounds were
                measured already.
        """
        self._measurement.refuse_ranks("energy.command")
        words, variables = Hidden(args), Hidden(env or {})
        args, env = COVER, None  # what a traceback shows of them
        work = CommandWork(
            args=words,
            samples=sample_count(samples),
            timeout_s=timeout_s,
            env=variables,
            cwd=cwd,
            is_checked=check,
            may_repeat=may_repeat,
            ranks=new_ranks(lambda: self._measurement.place.meter.processes(), variables.value),  # noqa: PLW0108
        )
        return self._measurement.measure(work)
