"""The label of what was recovered, read by a network other than the attacked one."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...zoo import InputError, MisuseError, load_judge
from ...zoo.judges import JUDGES
from ...zoo.loading import content_of_network
from ...zoo.whole import first_line
from .from_file import Wanted, from_file
from .images import Pictures

JUDGE = Wanted(
    "judge",
    f"{' or '.join(JUDGES)}, or path/to/judge.py:build",
    "a torch.nn.Module",
    lambda found: isinstance(found, nn.Module),
)


@dataclass(frozen=True)
class LabelReader:
    """A classifier of images in [0, 1].

    Attributes:
        name: what to call it.
        network: images N×C×H×W in [0, 1] of `size` -> logits N×classes.
        size: H×W that it takes.
    """

    name: str
    network: nn.Module
    size: tuple[int, int]

    @property
    def sha256(self) -> str:
        """Of its layers and weights."""
        return content_of_network(self.network, {"judge": self.name})

    def reads(self, pixels: Tensor, labels: Tensor) -> list[bool]:
        """Of each image uint8 N×C×h×w, whether the label is read off it."""
        return [bool(each) for each in self.logits(pixels).argmax(1) == labels]

    @torch.no_grad()
    def logits(self, pixels: Tensor) -> Tensor:
        """N×classes of images uint8 N×C×h×w; InputError where the network gives none."""
        images = pixels.float() / 255
        if tuple(images.shape[2:]) != self.size:
            images = F.interpolate(images, self.size, mode="bilinear", antialias=True).clamp(0, 1)
        try:
            found = torch.cat([self.network(part) for part in images.split(16)])
            assert found.dim() == 2, f"it gives {tuple(found.shape)}"
            assert len(found) == len(images), f"it gives {tuple(found.shape)}"
        except Exception as error:  # a user's module may do anything
            raise InputError(
                f"{self.name} cannot judge images of {'×'.join(map(str, images.shape[1:]))}: "
                f"{first_line(error)}; give one that maps N×C×H×W in [0, 1] to logits N×classes"
            ) from error
        return found


def judge_of(reference: str, pictures: Pictures) -> LabelReader:
    """The judge of a data set, by its name, or the module that "path/to/judge.py:build" gives.

    The latter takes images of the size that the attacked network takes. Raises MisuseError where
    the images have no labels or other classes, and InputError where the judge does not fit them.
    """
    if reference in JUDGES:
        judge = load_judge(reference)
        reader = LabelReader(f"the {reference} judge", judge, judge.input_shape[1:])
    else:
        network = from_file(reference, JUDGE).cpu().eval().requires_grad_(False)
        reader = LabelReader(reference, network, pictures.full)
    if pictures.labels is None:
        raise MisuseError(
            "a judge reads labels, and these images have none; put them into a sub-folder for each "
            "class, or leave --judge out"
        )
    count = reader.logits(pictures.pixels[:2]).shape[1]
    if count != len(pictures.classes):
        raise MisuseError(
            f"{reader.name} tells {count} classes apart, the images have {len(pictures.classes)}; "
            "give a judge of their classes, in the order of their names"
        )
    return reader
