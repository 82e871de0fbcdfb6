"""The load: matrix multiplications back to back on one CUDA device."""

import torch

# bf16, 8192 x 8192, random: about 1.6 ms each on an H100, at the board's power limit.
SIDE = 8192


class Matmuls:
    """Products of two matrices, one after another, each a piece of work.

    Attributes:
        name: What it is, for the report.
    """

    name = f"bf16 {SIDE}^3 matmuls on random data, back to back"

    def __init__(self, device: str = "cuda:0") -> None:
        self._device = torch.device(device)
        self._left, self._right = (
            torch.randn(SIDE, SIDE, dtype=torch.bfloat16, device=self._device) for _ in range(2)
        )
        self._product = torch.empty_like(self._left)
        self.start(1)
        self.synchronize()

    def start(self, count: int) -> None:
        for _ in range(count):
            torch.matmul(self._left, self._right, out=self._product)

    def synchronize(self) -> None:
        torch.cuda.synchronize(self._device)
