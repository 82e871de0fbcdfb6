"""The transformer that several pairs change one thing of."""

from collections.abc import Callable

from torch import Tensor, nn
from torch.nn import functional

from benchmarks.bugs.pair import Size

Activation = Callable[[Tensor], Tensor]


def tanh_gelu(values: Tensor) -> Tensor:
    """GELU by tanh, as GPT-2 has it, in one operator."""
    return functional.gelu(values, approximate="tanh")


class Block(nn.Module):
    """Attention over all tokens, then two layers four times as wide inside; normalised before each."""

    def __init__(self, size: Size, *, activation: Activation = tanh_gelu, is_causal: bool = False) -> None:
        super().__init__()
        width = size.width
        self.head_count, self.activation, self.is_causal = size.heads, activation, is_causal
        self.norm_attention, self.norm_wide = nn.LayerNorm(width), nn.LayerNorm(width)
        self.projections, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, states: Tensor) -> Tensor:
        return self.widened(states + self.attended(self.norm_attention(states)))

    def attended(self, states: Tensor) -> Tensor:
        query, key, value = self.heads(self.projections(states))
        mixed = functional.scaled_dot_product_attention(query, key, value, is_causal=self.is_causal)
        return self.merged(mixed)

    def heads(self, projected: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Query, key and value as `[batch, head, token, number]`, out of `[batch, token, 3 x width]`."""
        batch, tokens, _ = projected.shape
        parts = projected.view(batch, tokens, 3, self.head_count, -1).permute(2, 0, 3, 1, 4)
        return parts[0], parts[1], parts[2]

    def merged(self, mixed: Tensor) -> Tensor:
        """`[batch, head, token, number]` back to tokens, through the last layer of attention."""
        projected: Tensor = self.out(mixed.transpose(1, 2).flatten(2))
        return projected

    def widened(self, states: Tensor) -> Tensor:
        inner = self.activation(self.up(self.norm_wide(states)))
        widened: Tensor = states + self.down(inner)
        return widened


def stack(size: Size, *, activation: Activation = tanh_gelu) -> nn.Sequential:
    """As many blocks as the size is deep."""
    return nn.Sequential(*(Block(size, activation=activation) for _ in range(size.depth)))
