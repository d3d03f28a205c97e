"""From a name to a network with verified weights. Safetensors only, never pickle.

Resolve (explicit path → this checkout's `zoo/checkpoints/` → the Hub cache → the Hub at a
pinned revision) and compare the sha256 (`resolving`), read, load strictly, `eval()`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load
from torch import Tensor, nn

from .content import content_sha256, loose_tensors, tensors_digest
from .decoder import Decoder
from .derived_edge import derived_edge
from .edge_copy import DecoderAndCopy
from .errors import CheckpointError, SplitzooError, UnknownNameError
from .files import write_atomically
from .inverses import inverse_network
from .judges import Judge, get_judge_design
from .manifests import manifest
from .network import get_network, networks
from .records import Record
from .resolving import read_bytes, read_verified
from .shadows import shadow_edge
from .shapes import shape_of
from .target import Half, Target, chain_target, feature_shape
from .tensor_files import tensors_as_bytes

WEIGHTS = ("default",)
#: The weights of what attackers bring that are loaded unless told, by what hub entries call it.
DEFAULT_WEIGHTS = {
    "inverse": "same_set",
    "shadow": "same_set_same_net",
    "decoder": "same_set",
    "copy": "same_set",
}

#: safetensors reads no file whose first eight bytes, its header's length, are more.
_LONGEST_HEADER = 100_000_000


def load_split(
    network: str, split: str, *, weights: str | None = "default", path: str | Path | None = None
) -> Target:
    """The network `network`, split behind the layer `split`, in eval mode on the CPU.

    Args:
        network: "lenet", "cifar_cnn", …; `networks()` has them.
        split: a layer of it, e.g. "relu2"; `get_network(network).splits` lists them.
        weights: "default" for the published ones, None for a fresh network drawn from
            torch's global generator.
        path: a checkpoint of your own, written by `splitzoo train`, in place of the
            published one.

    Raises:
        UnknownNameError: network, split or weights do not exist.
        CheckpointError: the file is missing, damaged, or another architecture's.
    """
    model = chain_target(get_network(network), split)
    if weights is None and path is None:
        return model.eval()
    if weights is not None and weights not in WEIGHTS:
        raise UnknownNameError("weights", weights, [*WEIGHTS, "None"])
    architecture = {"network": network}
    _load_state(model, _state(network, architecture, path), path or network, architecture)
    return model.eval()


def load_inverse(
    network: str,
    split: str,
    *,
    weights: str | None = DEFAULT_WEIGHTS["inverse"],
    path: str | Path | None = None,
) -> nn.Module:
    """An Inverse-Network (§5): features N×feature shape -> images N×C×H×W, not clamped.

    It raises InputError on features of another shape.

    Args:
        network, split: one of the paper's five targets; `INVERSES` lists them.
        weights: what it was trained with, "same_set", "same_dist" or "rand_set"; None for a
            fresh network.
        path: a checkpoint of your own, written by `splitzoo train`.

    Raises UnknownNameError and CheckpointError like `load_split`.
    """
    architecture = {"inverse": f"{network}/{split}"}
    return _load_variant(f"{network}_inverse_{split}", architecture, weights, path)


def load_shadow(
    network: str,
    split: str,
    *,
    weights: str | None = DEFAULT_WEIGHTS["shadow"],
    path: str | Path | None = None,
) -> nn.Module:
    """A shadow edge (§6): images N×C×H×W in [0, 1] -> features N×feature shape.

    Args:
        network, split: any split of "lenet", and the paper's three of "cifar_cnn".
        weights: "same_set_same_net", "diff_set_same_net", "same_set_diff_net" or
            "diff_set_diff_net" for one trained through the cloud, "queried_same_set" for one
            fitted to queried features (Table 8), None for a fresh edge of the target's structure.
        path: a checkpoint of your own, written by `splitzoo train`.

    Raises UnknownNameError and CheckpointError like `load_split`.
    """
    known = weights is None or weights.endswith("same_net")
    structure = "same_net" if known else "diff_net"
    architecture = {"shadow": f"{network}/{split}", "structure": structure}
    return _load_variant(f"{network}_shadow_{split}", architecture, weights, path)


def load_decoder(
    network: str,
    split: str,
    *,
    weights: str | None = DEFAULT_WEIGHTS["decoder"],
    path: str | Path | None = None,
) -> nn.Module:
    """A decoder: features N×feature shape -> images N×C×H×W, not clamped.

    It raises InputError on features of another shape.

    Args:
        network, split: a target that a decoder was published for; `splitzoo list` has them.
        weights: what it was trained with, "same_set", "same_dist" or "rand_set"; None for a
            fresh network.
        path: a checkpoint of your own, written by `splitzoo train`.

    Raises UnknownNameError and CheckpointError like `load_split`.
    """
    return _load_published(network, "decoder", split, weights, path)


def load_copy(
    network: str,
    split: str,
    *,
    weights: str | None = DEFAULT_WEIGHTS["copy"],
    path: str | Path | None = None,
) -> DecoderAndCopy:
    """A decoder as `load_decoder` gives it, whose `edge` is a copy of the target's: images
    N×C×H×W in [0, 1] -> features N×feature shape, fitted to the answers to queries.

    Arguments and errors are `load_decoder`'s.
    """
    learned = _load_published(network, "copy", split, weights, path)
    assert isinstance(learned, DecoderAndCopy)
    return learned


def load_judge(
    dataset: str, *, weights: str | None = "default", path: str | Path | None = None
) -> Judge:
    """The independent classifier of "mnist" or "cifar10": images N×C×H×W in [0, 1] -> logits.

    Raises UnknownNameError and CheckpointError like `load_split`.
    """
    architecture = {"judge": dataset}
    if weights is None and path is None:
        return Judge(get_judge_design(dataset)).eval()
    if weights not in (*WEIGHTS, None):
        raise UnknownNameError("weights", weights, [*WEIGHTS, "None"])
    judge = _fill(f"{dataset}_judge", architecture, path)
    assert isinstance(judge, Judge)
    return judge


def record_and_split(
    records: Mapping[str, Record], name: str, listed: str = ""
) -> tuple[Record, str | None]:
    """The record that a name asks for, and the split, if it names one as hub entries do.

    A hub entry of what attackers bring, e.g. "lenet_inverse_relu2", asks for its default weights.
    UnknownNameError names them all, as `listed` has it say.
    """
    splits = {
        f"{each}_split_{split}": (record, split)
        for each, record in records.items()
        if record.kind == "target"
        and (network := networks().get(record.architecture.get("network", ""))) is not None
        for split in network.splits
    }
    entries = {
        each.removesuffix(f"-{weights}"): (record, None)
        for each, record in records.items()
        for kind, weights in DEFAULT_WEIGHTS.items()
        if f"_{kind}_" in each and each.endswith(f"-{weights}")
    }
    known: dict[str, tuple[Record, str | None]] = {
        **splits,
        **entries,
        **{each: (record, None) for each, record in records.items()},
    }
    if name not in known:
        raise UnknownNameError("checkpoint or hub entry", name, known, listed)
    return known[name]


def network_from(record: Record, file: Path, content: bytes, split: str | None = None) -> nn.Module:
    """The network of a record, from the bytes of its checkpoint.

    A target behind `split` is as `load_split` gives it, anything else as `load_network` does.
    """
    architecture = record.architecture
    if split is None:
        network = build(architecture).requires_grad_(False)
    else:
        network = chain_target(get_network(architecture["network"]), split)
    _load_state(network, _parse(file, content, architecture), file, architecture)
    return network.eval()


def load_network(name: str) -> nn.Module:
    """The published network of that manifest name, frozen; a target behind its last layer."""
    return _fill(name, manifest().get(name).architecture, None)


def content_of(file: Path, architecture: Mapping[str, Any]) -> str:
    """Content hash of the network in a checkpoint, verified by the digest it carries."""
    return content_with(read_checkpoint(file, architecture), architecture)


def content_with(tensors: Mapping[str, Tensor], architecture: Mapping[str, Any]) -> str:
    """Content hash of the network that these tensors make of an architecture."""
    network = build(architecture)
    _load_state(network, dict(tensors), "a checkpoint", architecture)
    return content_of_network(network, architecture)


def content_of_network(network: nn.Module, architecture: Mapping[str, Any]) -> str:
    """Content hash of a network in memory."""
    if isinstance(network, Target):
        return content_sha256(dict(network.named_layers()), architecture)
    return content_sha256(dict(network.named_children()), architecture, loose_tensors(network))


def variants(prefix: str) -> list[str]:
    """The published weights of a hub entry point, e.g. of "lenet_inverse_relu2"."""
    begin = f"{prefix}-"
    return [name[len(begin) :] for name in manifest().records if name.startswith(begin)]


#: How to build what a record's architecture describes, by its first key; arguments in order.
_BUILDERS: dict[str, tuple[int, Callable[..., nn.Module]]] = {
    "network": (1, lambda name: chain_target(get_network(name), get_network(name).splits[-1])),
    "inverse": (1, lambda target: _inverse(target)),
    "shadow": (2, lambda target, structure: shadow_edge(*_names(target), structure)),
    "judge": (1, lambda dataset: Judge(get_judge_design(dataset))),
    "decoder": (3, lambda features, images, width: _decoder(features, images, width)),
    "copied": (5, lambda *values: _decoder_and_copy(*values)),
    "derived_edge": (3, lambda *values: _derived_edge(*values)),
}


def _inverse(target: str) -> nn.Module:
    """An Inverse-Network that refuses features which are not its target's."""
    layers = dict(inverse_network(target).named_children())
    network, split = _names(target)
    return Half(layers, feature_shape(network, split), f"features of {network} at {split}")


def _decoder(features: str, images: str, width: str) -> nn.Module:
    return Decoder(shape_of(features), shape_of(images), width=int(width))


def _decoder_and_copy(
    features: str, images: str, normalisation: str, width: str, copy_width: str
) -> nn.Module:
    return DecoderAndCopy(
        shape_of(features),
        shape_of(images),
        _normalisation(normalisation),
        width=int(width),
        copy_width=int(copy_width),
    )


def _derived_edge(images: str, features: str, normalisation: str) -> nn.Module:
    return derived_edge(shape_of(images), shape_of(features), _normalisation(normalisation))


def _normalisation(text: str) -> tuple[tuple[float, ...], tuple[float, ...]]:
    mean, std = json.loads(text)
    return tuple(mean), tuple(std)


def _names(target: str) -> tuple[str, str]:
    network, _, split = target.partition("/")
    return network, split


def build(architecture: Mapping[str, Any]) -> nn.Module:
    """A fresh network as an architecture describes it, on the CPU."""
    parts, builder = _BUILDERS.get(next(iter(architecture), ""), (0, nn.Identity))
    if not parts or len(architecture) != parts:
        raise CheckpointError(
            f"{dict(architecture)} is no architecture that this version builds; update splitzoo"
        )
    try:
        return builder(*architecture.values())
    except ValueError as error:
        if isinstance(error, SplitzooError):
            raise
        raise CheckpointError(f"{dict(architecture)} is no architecture: {error}") from error


def _load_variant(
    prefix: str, architecture: Mapping[str, Any], weights: str | None, path: str | Path | None
) -> nn.Module:
    if path is None and weights is None:
        return build(architecture).eval()
    if path is None and weights not in variants(prefix):
        raise UnknownNameError(f"weights of {prefix}", weights, [*variants(prefix), "None"])
    return _fill(f"{prefix}-{weights}", architecture, path)


def _load_published(
    network: str, kind: str, split: str, weights: str | None, path: str | Path | None
) -> nn.Module:
    """A network whose architecture only its published checkpoints tell, all of them the same."""
    prefix = f"{network}_{kind}_{split}"
    published = variants(prefix)
    if not published:
        every = [name.partition("-")[0] for name in manifest().records if f"_{kind}_" in name]
        raise UnknownNameError(kind, prefix, dict.fromkeys(every))
    architecture = manifest().get(f"{prefix}-{published[0]}").architecture
    return _load_variant(prefix, architecture, weights, path)


def _fill(name: str, architecture: Mapping[str, Any], path: str | Path | None) -> nn.Module:
    network = build(architecture)
    _load_state(network, _state(name, architecture, path), path or name, architecture)
    return network.eval().requires_grad_(False)


def _state(
    name: str, architecture: Mapping[str, Any], path: str | Path | None
) -> dict[str, Tensor]:
    if path is not None:
        return read_checkpoint(Path(path), architecture)
    return read_published(manifest().get(name), architecture)


def _load_state(
    network: nn.Module, state: dict[str, Tensor], source: object, architecture: Mapping[str, Any]
) -> None:
    try:
        if isinstance(network, Target):
            network.load_layers(state)
        else:
            network.load_state_dict(state, strict=True)
    except RuntimeError as error:
        raise CheckpointError(
            f"{source} does not fit {_short(architecture)}: its tensors have other names or shapes"
        ) from error


def read_published(record: Record, architecture: Mapping[str, Any]) -> dict[str, Tensor]:
    """The tensors of a published checkpoint, after its sha256 has been compared."""
    return _parse(*read_verified(record), architecture)


def read_checkpoint(file: Path, architecture: Mapping[str, Any]) -> dict[str, Tensor]:
    """The tensors of a checkpoint outside the manifest, verified by the digest it carries."""
    return _parse(file, read_bytes(file), architecture)


def write_checkpoint(
    file: Path, tensors: Mapping[str, Tensor], architecture: Mapping[str, Any]
) -> bytes:
    """Write tensors with what `read_checkpoint` verifies: architecture and content digest.

    Returns what was written, for a caller who keeps its hash.
    """
    metadata = {
        "format": "pt",
        "architecture": json.dumps(architecture, sort_keys=True),
        "tensors_sha256": tensors_digest(tensors),
    }
    content = tensors_as_bytes(tensors, metadata)
    write_atomically(file, content)
    return content


def _parse(file: Path, content: bytes, architecture: Mapping[str, Any]) -> dict[str, Tensor]:
    try:
        tensors = load(content)
        header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
        metadata = header.get("__metadata__") or {}
        found = json.loads(metadata["architecture"])
        digest = metadata["tensors_sha256"]
    except (SafetensorError, ValueError, RecursionError) as error:
        if _is_pickle(content):
            raise CheckpointError(
                f"{file} is a pickle, as torch.save writes; splitzoo never unpickles, since that "
                "can run code. Load it yourself with torch.load(..., weights_only=True) and give "
                f"it to {_loader(architecture)}"
            ) from None
        raise CheckpointError(
            f"{file} is truncated or damaged ({error}); get it again or train it again"
        ) from error
    except KeyError:
        raise CheckpointError(
            f"{file} was not written by splitzoo; load it into a network made with weights=None"
        ) from None
    if found != dict(architecture):
        raise CheckpointError(
            f"{file} holds {_short(found)}, not {_short(architecture)}; give that one's checkpoint"
        )
    if tensors_digest(tensors) != digest:
        raise CheckpointError(
            f"{file} is damaged: its tensors are not those that were written; get it again"
        )
    return tensors


def _is_pickle(content: bytes) -> bool:
    """Whether a file begins like those of torch.save, zipped or legacy, and no safetensors."""
    return (
        content.startswith((b"PK\x03\x04", b"\x80"))
        and int.from_bytes(content[:8], "little") > _LONGEST_HEADER
    )


def _loader(architecture: Mapping[str, Any]) -> str:
    if "network" in architecture:
        return "load_split(..., weights=None).load_layers(...)"
    return "the network made with weights=None by load_state_dict(...)"


def _short(architecture: Any) -> str:
    if not isinstance(architecture, Mapping):
        return repr(architecture)
    return " ".join(str(value) for value in architecture.values())
