"""Rows of the table of metrics: speculative decoding, pairs of settings, and phases of serving.

Each is name, unit, source, formula, meaning; all rows of phases have one source.
"""

Row = tuple[str, str, str, str, str]

_OURS = "this project"

DRAFT_ROWS: tuple[Row, ...] = (
    (
        "draft_acceptance_rate",
        "1",
        "vLLM, `vllm:spec_decode_num_accepted_tokens`",
        "accepted tokens / drafted tokens",
        "share of the tokens of speculative decoding that the model accepts",
    ),
    (
        "mean_accepted_length",
        "1",
        "vLLM, `vllm:spec_decode_num_drafts`",
        "1 + accepted tokens / drafts",
        "tokens that an answer gets from a step with a draft, the model's own included",
    ),
)

_ENDS = (("", ""), ("_lower", ": lower end, 95 %"), ("_upper", ": upper end, 95 %"))

_AGREEMENTS = (
    ("answer_agreement", "answers that are the same / answers"),
    ("prefix_agreement", "tokens before the first difference / tokens, mean over the answers"),
    ("position_agreement", "positions with the same token / positions, mean over the answers"),
)

PAIR_ROWS: tuple[Row, ...] = (
    *(
        (
            f"pair_energy_ratio{tail}",
            "1",
            _OURS,
            "joules per request / joules per request of the reference",
            f"energy of a setting over its reference, from rounds in turns{end}",
        )
        for tail, end in _ENDS
    ),
    ("reference_energy_per_sample", "J", _OURS, "joules / requests of the reference", "energy per request"),
    *(
        (f"{of}{name}{tail}", "1", _OURS, formula, f"agreement of greedy answers {with_whom}{end}")
        for of, with_whom in (("", "with the reference"), ("self_", "of the reference with itself"))
        for name, formula in _AGREEMENTS
        for tail, end in _ENDS
    ),
    *(
        (f"{of}prefix_length", "1", _OURS, "tokens before the first difference, mean", f"same start {who}")
        for of, who in (("", "as the reference"), ("self_", "of the reference's answers in two runs"))
    ),
    *(
        (
            f"reference_{name}_p99_s",
            "s",
            _OURS,
            f"99th percentile of {name.upper()} of the reference",
            "latency of the reference",
        )
        for name in ("ttft", "tpot", "e2e")
    ),
    (
        "reference_slo_share",
        "1",
        _OURS,
        "answers of the reference within all limits of latency / answers",
        "share of answers that keep the limits",
    ),
    ("quality", "1", "the test, `quality=`", "the test's own score of the answers", "more is better"),
    ("reference_quality", "1", "the test, `quality=`", "the same score of the reference", "more is better"),
    *(
        (f"{of}quality{tail}", "1", _OURS, "right answers / items", f"accuracy {who}{end}")
        for of, who in (("", "of a policy"), ("reference_", "of the reference"))
        for tail, end in _ENDS[1:]
    ),
    *(
        (
            f"quality_change{tail}",
            "1",
            _OURS,
            "accuracy - accuracy of the reference, item by item",
            f"what a policy changes{end}",
        )
        for tail, end in _ENDS
    ),
    *(
        (f"{of}mean_batch_size", "1", _OURS, "requests / batches", f"requests in a batch {who}")
        for of, who in (("", "of a policy"), ("reference_", "of the reference"))
    ),
    ("reference_e2e_p50_s", "s", _OURS, "median of E2E of the reference", "latency of the reference"),
)

PHASE_SOURCE = "this project, decision 0038"

PHASE_ROWS: tuple[tuple[str, str, str, str], ...] = (
    ("prefill_energy", "J", "fit to short spans", "joules of a round to compute prompts"),
    ("decode_energy", "J", "fit to short spans", "joules of a round to decode answers"),
    (
        "waiting_energy",
        "J",
        "power before the load x seconds",
        "joules of a round that the device uses at rest as well",
    ),
    (
        "unexplained_energy",
        "J",
        "measured joules - prefill - decode - waiting",
        "what the fit leaves over; below 0 if it explains too much",
    ),
    ("prefill_energy_uncertainty", "J", "standard uncertainty", "of the joules of prefill"),
    ("decode_energy_uncertainty", "J", "standard uncertainty", "of the joules of decode"),
    (
        "energy_per_prefill_token_uncertainty",
        "J",
        "standard uncertainty",
        "of the joules of a prefill token",
    ),
    (
        "energy_per_decode_token_uncertainty",
        "J",
        "standard uncertainty",
        "of the joules of a decode token",
    ),
    (
        "prefill_duration_s",
        "s",
        "time of steps that compute prompts",
        "seconds of prefill in a round; steps of both kinds are split by their joules",
    ),
    (
        "decode_duration_s",
        "s",
        "time of steps that decode",
        "seconds of decode in a round; steps of both kinds are split by their joules",
    ),
    ("waiting_duration_s", "s", "time - prefill - decode", "seconds of a round without a step"),
    ("step_count", "1", "steps of the counted part", "steps of the engine in a round"),
    ("energy_per_step", "J", "fit to short spans", "joules that one more step adds to a round"),
    (
        "tokens_per_turn",
        "1",
        "decoded tokens / requests under way, over steps that decode",
        "tokens that a step writes to each request: more than 1 with speculative decoding",
    ),
    ("energy_per_step_uncertainty", "J", "standard uncertainty", "of the joules of a step"),
)
