"""Loads of an engine with known costs: its steps, its answers, and the ticks of a counter of its joules.

The engine computes waiting prompts in its next step, up to its limit of tokens, and writes a token for each
request that is under way. A step takes time for its tokens and for the host.
"""

import random
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate

from pytest_energy.meter.surroundings import power_steps
from pytest_energy.model import Provenance, Reading, Tick, Trace
from pytest_energy.serving.arrivals import Schedule
from pytest_energy.serving.load_result import LoadResult, Served
from pytest_energy.serving.steps import Step

TICK_S = 0.1


@dataclass(frozen=True, kw_only=True)
class Costs:
    """Joules of a prompt token, a step, a decoded token, and a token of its context."""

    prompt_j: float = 0.03
    step_j: float = 0.6
    token_j: float = 0.02
    context_j: float = 2e-6
    rest_w: float = 125.0


@dataclass(kw_only=True)
class SteppingServer:
    """Attributes:
    host_s: Of each step, beside what the device needs: the host's pace.
    prompt_s: Of each prompt token.
    most_tokens: Of one step.
    noise_w: Standard deviation of the power of a tick.
    """

    costs: Costs = field(default_factory=Costs)
    host_s: float = 0.004
    prompt_s: float = 2e-5
    most_tokens: int = 2048
    noise_w: float = 2.0

    def serve(
        self,
        lengths: Sequence[tuple[int, int]],
        schedule: Schedule,
        *,
        seed: int = 1,
        started_s: float = 50.0,
    ) -> tuple[LoadResult, Reading]:
        """A load of requests of these lengths (prompt, answer), and the reading of the window around it."""
        due_s = schedule.due_s(len(lengths))
        waiting = [[place, length[0], 0] for place, length in enumerate(lengths)]
        running: list[list[int]] = []
        times: list[list[float]] = [[] for _ in lengths]
        steps: list[Step] = []
        pieces: list[tuple[float, float, float]] = []  # start, stop, joules above rest
        now_s = 0.0
        while waiting or running:
            if not running and waiting and due_s[waiting[0][0]] > now_s:
                now_s = due_s[waiting[0][0]]
            room, computed, firsts = self.most_tokens - len(running), 0, []
            contexts = [lengths[one[0]][0] + one[2] for one in running]
            while waiting and room and due_s[waiting[0][0]] <= now_s:
                part = min(room, waiting[0][1])
                waiting[0][1] -= part
                room, computed = room - part, computed + part
                if not waiting[0][1]:
                    firsts.append(waiting.pop(0))
            decoded = len(running)
            stop_s = now_s + self.host_s + self.prompt_s * computed
            joules = (
                self.costs.step_j
                + self.costs.prompt_j * computed
                + self.costs.token_j * decoded
                + self.costs.context_j * sum(contexts)
            )
            pieces.append((now_s, stop_s, joules))
            now_s = stop_s
            for one in (*running, *firsts):
                one[2] += 1
                times[one[0]].append(now_s)
            running = [one for one in (*running, *firsts) if one[2] < lengths[one[0]][1]]
            steps.append(
                Step(
                    time_s=now_s,
                    prompt_tokens=computed,
                    output_tokens=decoded + len(firsts),
                    first_tokens=len(firsts),
                    running=len(running),
                )
            )
        served = tuple(
            Served(
                request_id=str(place),
                due_s=due_s[place],
                submitted_s=due_s[place],
                token_times_s=tuple(times[place]),
                prompt_tokens=prompt,
            )
            for place, (prompt, _) in enumerate(lengths)
        )
        load = LoadResult(
            engine="stepping", schedule=schedule, served=served, started_s=started_s, steps=tuple(steps)
        )
        return load, self._reading(pieces, now_s, started_s, seed)

    def counter(self, pieces: Sequence[tuple[float, float, float]]) -> Callable[[float], float]:
        """Joules until a time; *pieces* follow each other, so that one at most is under way."""
        starts_s = [start_s for start_s, _, _ in pieces]
        before_j = [0.0, *accumulate(joules for _, _, joules in pieces)]

        def until(time_s: float) -> float:
            begun = bisect_right(starts_s, time_s)
            if not begun:
                return self.costs.rest_w * time_s
            start_s, stop_s, joules = pieces[begun - 1]
            share = min(1.0, (time_s - start_s) / (stop_s - start_s))
            return before_j[begun - 1] + share * joules + self.costs.rest_w * time_s

        return until

    def _reading(
        self, pieces: Sequence[tuple[float, float, float]], end_s: float, started_s: float, seed: int
    ) -> Reading:
        """The window opens 0.25 s before the load and closes 0.25 s after it."""
        rng = random.Random(seed)  # noqa: S311 (reproducible noise)
        count = int((end_s + 0.5) / TICK_S)
        ticks, noise_j, joules = [], 0.0, self.counter(pieces)
        for place in range(count):
            time_s = place * TICK_S + 0.03
            noise_j += rng.gauss(0, self.noise_w * TICK_S)
            ticks.append(Tick(time_s, joules(time_s - 0.25) + noise_j + 1000.0))
        whole_j = joules(end_s + 0.25) - joules(-0.25)
        return Reading(
            channels={"gpu:0": whole_j},
            duration_s=end_s + 0.5,
            uncertainty_j=0.1,
            provenance=Provenance.MEASURED,
            quiet_power_w={"gpu:0": self.costs.rest_w},
            power_trace={"gpu:0": power_steps(ticks, 0.0)},
            trace=Trace(ticks={}, start_s=started_s - 0.25, stop_s=started_s + end_s + 0.25),
        )

    def without_steps(self, load: LoadResult) -> LoadResult:
        """As an endpoint's."""
        return replace(load, steps=None)
