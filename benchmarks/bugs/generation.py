"""Text that is generated token by token, with more work for each than it takes: 10 and 15."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.bugs.pair import Side, Size, Work
from benchmarks.bugs.transformer import Block

VOCABULARY_SIZE = {"cpu": 97, "cuda": 50_257}  # GPT-2's

# Half of GPT-2's blocks; 16 prompts of 1,024 tokens.
CACHED = {
    "cpu": Size(batch=2, tokens=64, width=128, depth=2, heads=2, steps=6),
    "cuda": Size(batch=16, tokens=1024, width=768, depth=6, heads=12, steps=32),
}

# GPT-2 with 16 sequences under way, 32 tokens of each; a context of 1,024.
SERVED = {
    "cpu": Size(batch=2, tokens=64, width=128, depth=2, heads=2, steps=6),
    "cuda": Size(batch=16, tokens=1024, width=768, depth=12, heads=12, steps=32),
}

# Lengths that are multiples of so much get the fused kernel of the CPU's bug.
FUSED_LENGTH = 64

Attention = Callable[[Tensor, Tensor, Tensor], Tensor]


class CachedBlock(Block):
    """A block that keeps keys and values of what it has read, for one more token at a time."""

    def __init__(self, size: Size, *, attention: Attention = functional.scaled_dot_product_attention) -> None:
        super().__init__(size, is_causal=True)
        self.attention = attention
        shape = (size.batch, size.heads, size.tokens + size.steps, size.width // size.heads)
        self.register_buffer("keys", torch.zeros(shape), persistent=False)
        self.register_buffer("values", torch.zeros(shape), persistent=False)

    def read(self, states: Tensor) -> Tensor:
        """All of a prompt, from the first token on."""
        query, key, value = self.heads(self.projections(self.norm_attention(states)))
        count = states.shape[1]
        self.get_buffer("keys")[:, :, :count] = key
        self.get_buffer("values")[:, :, :count] = value
        mixed = functional.scaled_dot_product_attention(query, key, value, is_causal=True)
        return self.widened(states + self.merged(mixed))

    def read_one(self, states: Tensor, position: int) -> Tensor:
        """The token at *position*, after those before it."""
        query, key, value = self.heads(self.projections(self.norm_attention(states)))
        keys, values = self.get_buffer("keys"), self.get_buffer("values")
        keys[:, :, position : position + 1] = key
        values[:, :, position : position + 1] = value
        mixed = self.attention(query, keys[:, :, : position + 1], values[:, :, : position + 1])
        return self.widened(states + self.merged(mixed))


class Decoder(nn.Module):
    """Token ids to scores of the next token."""

    def __init__(
        self, size: Size, vocabulary_size: int, attention: Attention = functional.scaled_dot_product_attention
    ) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary_size, size.width)
        self.blocks = nn.ModuleList(CachedBlock(size, attention=attention) for _ in range(size.depth))
        self.scores = nn.Linear(size.width, vocabulary_size, bias=False)

    def forward(self, tokens: Tensor) -> Tensor:
        """The most likely token after *tokens*, which are read from the first on; nothing is kept."""
        states = self.embedding(tokens)
        for block in self.blocks:
            states = block(states)
        return self._likeliest(states)

    def read(self, tokens: Tensor) -> Tensor:
        """The same, and what was read is kept."""
        states = self.embedding(tokens)
        for block in self._cached():
            states = block.read(states)
        return self._likeliest(states)

    def read_one(self, token: Tensor, position: int) -> Tensor:
        """The most likely token after *token*, which stands at *position*."""
        states = self.embedding(token)
        for block in self._cached():
            states = block.read_one(states, position)
        return self._likeliest(states)

    def _cached(self) -> Iterator[CachedBlock]:
        return (block for block in self.blocks if isinstance(block, CachedBlock))

    def _likeliest(self, states: Tensor) -> Tensor:
        likeliest: Tensor = self.scores(states[:, -1:]).argmax(dim=-1)
        return likeliest


def _decoder(
    size: Size, device: str, attention: Attention = functional.scaled_dot_product_attention
) -> tuple[Decoder, Tensor]:
    """A decoder with weights from a seed, and its prompts."""
    torch.manual_seed(0)
    decoder = Decoder(size, VOCABULARY_SIZE[device], attention)
    prompts = torch.randint(VOCABULARY_SIZE[device], (size.batch, size.tokens))
    dtype = torch.bfloat16 if device == "cuda" else torch.float32
    return decoder.to(device, dtype).eval(), prompts.to(device)


@contextmanager
def no_cache(side: Side, device: str) -> Iterator[Work]:
    """10: for each new token all tokens before it are read again, as keys and values are not kept.

    Source:
        Common; `use_cache=False` in transformers.
    """
    size = CACHED[device]
    decoder, prompts = _decoder(size, device)

    def read_again() -> Tensor:
        tokens = prompts
        for _ in range(size.steps):
            tokens = torch.cat([tokens, decoder(tokens)], dim=1)
        return tokens[:, size.tokens :]

    def kept() -> Tensor:
        written = [decoder.read(prompts)]
        for number in range(size.steps - 1):
            written.append(decoder.read_one(written[-1], size.tokens + number))
        return torch.cat(written, dim=1)

    with torch.inference_mode():
        yield read_again if side is Side.BUG else kept


@contextmanager
def eager_decoding(side: Side, device: str) -> Iterator[Work]:
    """15: a server that launches each kernel of each token, where a captured graph would launch them all.

    On a CPU there are no such graphs. There the bug is its kin: the attention kernel is chosen anew for each
    length, and lengths that are no multiple of 64 get one that isn't fused.

    Source:
        vllm-project/vllm#9471 and #10811.
    """
    size = SERVED[device]
    with torch.inference_mode():
        yield _captured_or_not(size, side) if device == "cuda" else _by_length_or_not(size, device, side)


def _captured_or_not(size: Size, side: Side) -> Work:
    """One position again and again: what a token costs there doesn't hang on what was read before."""
    decoder, prompts = _decoder(size, "cuda")
    position = size.tokens + size.steps - 1
    token = prompts[:, -1:].clone()

    def decode() -> None:
        token.copy_(decoder.read_one(token, position))

    decoder.read(prompts)
    once = _captured(decode) if side is Side.MENDED else decode

    def work() -> Tensor:
        token.copy_(prompts[:, -1:])
        for _ in range(size.steps):
            once()
        return token.clone()

    return work


def _captured(call: Callable[[], None]) -> Callable[[], None]:
    """*call* as a CUDA graph; torch asks for a few calls on another stream before."""
    stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(3):
            call()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        call()
    return graph.replay


def _by_length_or_not(size: Size, device: str, side: Side) -> Work:
    attention = _attention_by_length if side is Side.BUG else functional.scaled_dot_product_attention
    decoder, prompts = _decoder(size, device, attention)

    def work() -> Tensor:
        written = [decoder.read(prompts)]
        for number in range(size.steps - 1):
            written.append(decoder.read_one(written[-1], size.tokens + number))
        return torch.cat(written, dim=1)

    return work


def _attention_by_length(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    if key.shape[-2] % FUSED_LENGTH == 0:
        return functional.scaled_dot_product_attention(query, key, value)
    weights = torch.softmax(query @ key.transpose(-2, -1) / query.shape[-1] ** 0.5, dim=-1)
    return weights @ value
