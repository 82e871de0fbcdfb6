"""A small vision model; with a layer norm too many where that is planted."""

from torch import Tensor, nn


class Block(nn.Module):
    """A layer of the model.

    Args:
        has_extra_norm: The planted bug: what comes out is normalised twice more.
    """

    def __init__(self, width: int, *, has_extra_norm: bool) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.wide = nn.Linear(width, 4 * width)
        self.narrow = nn.Linear(4 * width, width)
        self.has_extra_norm = has_extra_norm

    def forward(self, numbers: Tensor) -> Tensor:
        hidden = nn.functional.gelu(self.wide(self.norm(numbers)))
        numbers = numbers + self.narrow(hidden)
        if self.has_extra_norm:
            numbers = self.norm(self.norm(numbers))
        return numbers


class Model(nn.Module):
    """Patches of an image, through some layers, to a class."""

    def __init__(self, *, width: int = 256, depth: int = 12, has_extra_norm: bool = False) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, width, kernel_size=16, stride=16)
        self.blocks = nn.Sequential(*(Block(width, has_extra_norm=has_extra_norm) for _ in range(depth)))
        self.head = nn.Linear(width, 10)

    def forward(self, images: Tensor) -> Tensor:
        patches = self.patches(images).flatten(2).transpose(1, 2)
        numbers: Tensor = self.head(self.blocks(patches).mean(dim=1))
        return numbers
