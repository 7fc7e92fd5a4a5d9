"""Faults of image augmentation: rotation, shift, zoom, contrast and interpolation."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

import torch_impl.parts.augmentation
from parity_tests.meta.planting import Case, Plant, around, twin, wrapped
from torch_impl.parts.augmentation import Augmentation

Drawn = Callable[..., Tensor]


def of_the_other_axis(original: Drawn, x: Tensor, horizontal: Tensor, vertical: Tensor) -> Tensor:
    return original(x, vertical, horizontal)


def the_other_half(original: Drawn, x: Tensor, horizontal: Tensor, vertical: Tensor) -> Tensor:
    """Flip where Keras does not."""
    return original(x, ~horizontal, vertical)


def the_other_way(original: Drawn, turns: Tensor, height: int, width: int) -> Tensor:
    return original(-turns, height, width)


def about_the_corner(original: Drawn, turns: Tensor, height: int, width: int) -> Tensor:
    """Rotate about half the size, which is half a pixel off the centre."""
    return original(turns, height + 1, width + 1)


def other_rows(change: Callable[..., tuple[Tensor, ...]]) -> Plant:
    """Change the matrices that shift (ones on the diagonal) or those that zoom."""
    return wrapped(
        torch_impl.parts.augmentation, "_matrices", lambda original, *rows: original(*change(*rows))
    )


def inverted(*rows: Tensor) -> tuple[Tensor, ...]:
    """Zoom out instead of in."""
    a0, a1, a2, b0, b1, b2 = rows
    if a1.any() or (a0 == 1).all():
        return rows
    return 1 / a0, a1, -a2 / a0, b0, 1 / b1, -b2 / b1


def to_the_other_side(*rows: Tensor) -> tuple[Tensor, ...]:
    a0, a1, a2, b0, b1, b2 = rows
    return (a0, a1, -a2, b0, b1, -b2) if (a0 == 1).all() else rows


def read(**options: object) -> Plant:
    """Interpolate with other options than bilinear and reflection at the edge."""

    def otherwise(original: Drawn, x: Tensor, matrices: Tensor) -> Tensor:
        return original(x, matrices, **options)

    return wrapped(torch_impl.parts.augmentation, "transform", otherwise)


def of_a_single_mean(original: Drawn, x: Tensor, factors: Tensor, **how: object) -> Tensor:
    """Change the contrast about the mean of all channels, as ``torchvision`` does for grey."""
    factors = factors.to(x)[:, None, None, None]
    mean = x.mean((1, 2, 3), keepdim=True)
    return ((x - mean) * factors + mean).clamp(0.0, 255.0)


def clipped_to_one(original: Drawn, x: Tensor, factors: Tensor, **how: object) -> Tensor:
    return original(x, factors, **{**how, "value_range": (0.0, 1.0)})


def in_evaluation_too(
    original: Drawn, self: Augmentation, x: Tensor, drawn: Tensor | None = None
) -> Tensor:
    was, self.training = self.training, drawn is not None
    try:
        return original(self, x, drawn)
    finally:
        self.training = was


def for_the_whole_batch(forward: Drawn, x: Tensor, drawn: Tensor | None = None) -> Tensor:
    """Use the first image's random numbers for all images."""
    return forward(x, None if drawn is None else drawn[:1].expand_as(drawn))


def of_another_row(forward: Drawn, x: Tensor, drawn: Tensor | None = None) -> Tensor:
    return forward(x, None if drawn is None else torch.roll(drawn, 1, 0))


CASES = (Case("cnn", "augmented", "augmentation"),)
FLIPPED = (Case("cnn", "flipped", "augmentation"),)


def of(name: str, change: Drawn) -> Plant:
    return wrapped(torch_impl.parts.augmentation, name, change)


FAULTS = [
    *twin("augmentation.flip_axis", "forward_train", of("flip", of_the_other_axis), FLIPPED),
    *twin("augmentation.flip_of_the_other_half", "forward_train", of("flip", the_other_half),
          FLIPPED),
    *twin("augmentation.rotation_the_other_way", "forward_train", of("_rotations", the_other_way),
          CASES),
    *twin("augmentation.rotated_about_a_corner", "forward_train",
          of("_rotations", about_the_corner), CASES),
    *twin("augmentation.zoom_inverted", "forward_train", other_rows(inverted), CASES),
    *twin("augmentation.shift_to_the_other_side", "forward_train", other_rows(to_the_other_side),
          CASES),
    *twin("augmentation.fill_mode", "forward_train", read(fill_mode="nearest"), CASES),
    *twin("augmentation.interpolation", "forward_train", read(interpolation="nearest"), CASES),
    *twin("augmentation.contrast_over_channels", "forward_train",
          of("contrast", of_a_single_mean), CASES),
    *twin("augmentation.contrast_clipped_to_one", "forward_train", of("contrast", clipped_to_one),
          CASES),
    *twin("augmentation.in_evaluation_too", "forward_eval",
          wrapped(Augmentation, "forward", in_evaluation_too), FLIPPED),
    *twin("augmentation.one_draw_for_the_batch", "forward_train",
          around("augmentation", for_the_whole_batch), CASES),
    *twin("augmentation.draw_of_another_image", "forward_train",
          around("augmentation", of_another_row), FLIPPED),
]  # fmt: skip
