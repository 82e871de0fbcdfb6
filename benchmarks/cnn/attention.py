"""Networks with attention, or shaped like them, which the paper leaves open: ViT, Swin, ConvNeXt, BERT.

The first three take `[N, 3, 32, 32]`, the last token ids `[N, 64]`. Their parts are torchvision's and
torch's.
"""

import torch
from torch import Tensor, nn
from torchvision import models

CLASS_COUNT = 10
IMAGE_SIDE = 32
TOKEN_COUNT = 64  # in one sequence
VOCABULARY_SIZE = 30_522  # BERT's, uncased


def vit_tiny() -> nn.Module:
    """ViT in DeiT's tiny width, with patches of 4x4: 64 of them and the class token.

    Source:
        Dosovitskiy et al. 2021, arXiv 2010.11929; widths of Touvron et al. 2021, arXiv 2012.12877, table 1.
    """
    network: nn.Module = models.VisionTransformer(
        image_size=IMAGE_SIDE,
        patch_size=4,
        num_layers=12,
        num_heads=3,
        hidden_dim=192,
        mlp_dim=768,
        num_classes=CLASS_COUNT,
    )
    return network


def swin_t() -> nn.Module:
    """Swin-T with patches of 2x2 and windows of 4x4: 32x32 becomes 16x16 and ends as 2x2.

    Source:
        Liu et al. 2021, arXiv 2103.14030, section 3.3.
    """
    network: nn.Module = models.SwinTransformer(
        patch_size=[2, 2],
        embed_dim=96,
        depths=[2, 2, 6, 2],
        num_heads=[3, 6, 12, 24],
        window_size=[4, 4],
        stochastic_depth_prob=0.2,
        num_classes=CLASS_COUNT,
    )
    return network


def convnext_t() -> nn.Module:
    """ConvNeXt-T whose stem halves the image, not quarters it.

    Source:
        Liu et al. 2022, arXiv 2201.03545, section 3.
    """
    network: nn.Module = models.convnext_tiny(num_classes=CLASS_COUNT)
    stem = network.get_submodule("features.0")
    assert isinstance(stem, nn.Sequential)
    stem[0] = nn.Conv2d(3, 96, kernel_size=2, stride=2)
    return network


class TokenEncoder(nn.Module):
    """An encoder over token ids; the first place's output is what the classes are told from."""

    def __init__(self, *, layer_count: int, width: int, head_count: int) -> None:
        super().__init__()
        self.words = nn.Embedding(VOCABULARY_SIZE, width)
        self.places = nn.Parameter(torch.randn(TOKEN_COUNT, width) * 0.02)  # BERT's initial spread
        self.before = nn.Sequential(nn.LayerNorm(width), nn.Dropout(0.1))
        layer = nn.TransformerEncoderLayer(
            width, head_count, 4 * width, dropout=0.1, activation="gelu", batch_first=True
        )
        self.encoder = nn.TransformerEncoder(layer, layer_count, enable_nested_tensor=False)
        self.pooler = nn.Sequential(nn.Linear(width, width), nn.Tanh(), nn.Linear(width, CLASS_COUNT))
        nn.init.normal_(self.words.weight, std=0.02)

    def forward(self, tokens: Tensor) -> Tensor:
        encoded = self.encoder(self.before(self.words(tokens) + self.places))
        scores: Tensor = self.pooler(encoded[:, 0])
        return scores


def bert_small() -> nn.Module:
    """BERT in its small size, with 64 places and without token types.

    Source:
        Devlin et al. 2019, arXiv 1810.04805; 4 layers of width 512 by Turc et al. 2019, arXiv 1908.08962.
    """
    return TokenEncoder(layer_count=4, width=512, head_count=8)
