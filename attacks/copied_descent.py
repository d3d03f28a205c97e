"""Copied descent: the refined descent for who may only ask, over a copy of the edge."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor, nn

from ..zoo import DecoderAndCopy
from ..zoo.muon import Muon
from ..zoo.shapes import shape_text
from .adversary import Adversary
from .learned import Examples, LearnedAttack
from .refined_descent import RefinedDescent
from .residual_decoder import ResidualDecoder
from .settings import Capability


@dataclass(frozen=True, kw_only=True)
class CopiedDescent(RefinedDescent):
    """The refined descent over an edge f̂ that was fitted to the answers of the true one.

    A decoder levels off: the features of one image fit many. A copy of the edge tells which of
    them fit best, and it need not know the true structure: f̂ follows from shapes alone
    (`zoo.derived_edge`), and is fitted, together with the decoder and on the same answers, by
    ‖f̂(x) - f(x)‖², in small batches and with Muon: the answers are exact, and many good steps are
    what it takes. 4000 procedural images at lenet/relu2, 1500 steps of 8, leave of the variance of
    the features of training images 0.006 and a decoder of 20.0 dB; AdamW 0.027 and 18.9 dB.
    To extract a network by asking it is Tramèr et al.'s (USENIX Security 2016);
    that an inversion may then descend over the copy is He et al.'s (ACSAC 2019, §7.3), whose copy
    knows one of two structures and starts from gray. What f̂ errs in is paid for by the prior's
    weight α, which is chosen on true answers.

    Args:
        copy_width: channels of f̂ at the size of the images.
    """

    name = "copied_descent"
    requires = frozenset({Capability.QUERY})
    title = "Copied descent"
    citation = "ours, after He, Zhang and Lee, ACSAC 2019, §7.3"
    TRAINING: ClassVar[tuple[str, ...]] = (*ResidualDecoder.TRAINING, "copy_width")
    optimizer = Muon
    checkpoint = "{network}_copy_{split}-{variant}"
    brief: ClassVar[Mapping[str, Any]] = {**RefinedDescent.brief, "copy_width": 4}

    steps: int = 6000
    batch_size: int = 8
    learning_rate: float = 2e-3
    copy_width: int = 64

    @classmethod
    def learner(cls) -> type[LearnedAttack]:
        return cls

    def architecture(self, adversary: Adversary) -> dict[str, str]:
        return {
            "copied": shape_text(adversary.feature_shape),
            "images": shape_text(adversary.input_shape),
            "normalisation": json.dumps(adversary.normalisation),
            "width": str(self.width),
            "copy_width": str(self.copy_width),
        }

    def build(self, adversary: Adversary) -> nn.Module:
        return DecoderAndCopy(
            adversary.feature_shape,
            adversary.input_shape,
            adversary.normalisation,
            width=self.width,
            copy_width=self.copy_width,
        )

    def begin(self, network: nn.Module, examples: Examples) -> None:
        assert isinstance(network, DecoderAndCopy)
        network.fit(examples.values[:1000].float())

    def loss(self, network: nn.Module, pixels: Tensor, values: Tensor, cloud: nn.Module) -> Tensor:
        """Both errors at once; no weight is shared, so neither minds the other."""
        assert isinstance(network, DecoderAndCopy)
        return super().loss(network, pixels, values, cloud) + network.edge.error(
            pixels, values.float()
        )

    def finish(self, network: nn.Module, examples: Examples) -> None:
        assert isinstance(network, DecoderAndCopy)
        network.rescale(examples.scale)

    def halves(self, adversary: Adversary, network: nn.Module) -> tuple[nn.Module, nn.Module]:
        assert isinstance(network, DecoderAndCopy)
        return network.edge, network.decoder
