"""The two ways to train, whole; flags of the programs change single values."""

from __future__ import annotations

from dataclasses import dataclass

from tasks.common import configurations
from tasks.common.program import BadInput

FIRST, LAST = 1, 10  # FDDB's folds


@dataclass(frozen=True, kw_only=True)
class Configuration:
    """Everything that, with data and seed, decides the trained weights. Lengths are in pixels."""

    side: int
    """Of a picture as the network sees it; ``side / stride`` is that of the activation that crosses the wire."""
    colours: int
    """1 for grey, 3 for red, green and blue."""
    strides: tuple[int, int, int, int]
    """Of the head: first convolution, its pooling, second convolution, its pooling."""
    head: tuple[int, int]
    """Channels of the two convolutions, before CReLU doubles them."""
    branch: int
    """Channels of each of the four branches of an inception layer."""
    reduced: int
    """Channels of its 1 x 1 convolutions before the 3 x 3 ones."""
    deep: int
    """Channels of the two detection layers above the inceptions; their 1 x 1 convolutions have half."""
    anchors: tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]
    """Sides of the anchors of the three detection layers."""
    epochs: int
    batch_size: int
    learning_rate: float
    weight_decay: float = 5e-4
    noisy: float = 0.9
    """Highest ALPHA of the plain noise that the tail hears while it is trained; 0: none."""

    def __post_init__(self) -> None:
        configurations.above_zero(self, "side", "epochs", "batch_size", "learning_rate")
        if self.side % (4 * self.stride):
            raise BadInput(f"side is {self.side}; it must be a multiple of {4 * self.stride}, the last layer's stride.")

    @property
    def stride(self) -> int:
        """Of the head: pixels of the picture for one step of the activation."""
        first, second, third, fourth = self.strides
        return first * second * third * fourth

    @property
    def activation(self) -> tuple[int, int, int]:
        """Shape of what crosses the wire: channels, height, width."""
        return 2 * self.head[1], self.side // self.stride, self.side // self.stride


CONFIGURATIONS = {
    # FaceBoxes as published: 1024 x 1024 in, an activation of 128 x 32 x 32 on the wire. Wants a GPU.
    "published": Configuration(
        side=1024,
        colours=3,
        strides=(4, 2, 2, 2),
        head=(24, 64),
        branch=32,
        reduced=24,
        deep=256,
        anchors=((32, 64, 128), (256,), (512,)),
        epochs=300,
        batch_size=32,
        learning_rate=1e-3,
    ),
    # The same network for small grey pictures, each stride a quarter: a CPU trains it in a minute.
    "small": Configuration(
        side=64,
        colours=1,
        strides=(2, 2, 2, 1),
        head=(12, 16),
        branch=12,
        reduced=8,
        deep=48,
        anchors=((16, 24, 32), (48,), (64,)),
        epochs=30,
        batch_size=24,
        learning_rate=4e-3,
    ),
}
DEFAULT = "small"


def configuration(name: str, **changes: float | int | None) -> Configuration:
    """Return a named configuration with single values changed; None leaves a value as it is."""
    return configurations.choose(CONFIGURATIONS, name, **changes)
