"""Building what a setting grants: the one place where a threat model meets real objects."""

from __future__ import annotations

import torch

from ..attacks import Adversary, get_setting
from ..zoo import SplitModel, holding, load_split, shadow_edge
from .cells import Cell


def adversary_for(cell: Cell, device: torch.device, target: SplitModel | None = None) -> Adversary:
    """The adversary of a cell, around the published target or another of the same name.

    Its images are loaded when it first asks for them: attacks with a published network, and
    settings without images, need no download.
    """
    setting = get_setting(cell.setting)
    target = target if target is not None else load_split(cell.network, cell.split)
    images = setting.images
    return Adversary(
        setting,
        target,
        device=device,
        data=None if images is None else holding(cell.dataset, images).load,
        fresh_edge=lambda: shadow_edge(cell.network, cell.split, "same_net"),
    )
