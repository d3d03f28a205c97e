"""Entry points for `torch.hub`.

    model = torch.hub.load("OWNER/splitzoo", "lenet_split_relu2")
    features = model.edge(images)        # images N×1×28×28, float32 in [0, 1]
    logits = model.cloud(features)       # == model(images), bit for bit
    inverse = torch.hub.load("OWNER/splitzoo", "lenet_inverse_relu2", weights="same_set")
    images = inverse(features)           # what a black-box adversary makes of them

`torch.hub.list("OWNER/splitzoo")`, or `splitzoo list` for a checkout, shows every entry point:
one for each split of each network, and the networks that attackers bring.

The zoo is imported through a private parent package named after this checkout, never as
`zoo`: `sys.modules` is keyed by name, so two hub repositories that both hold a `zoo/` would
silently hand out each other's networks.
"""

import hashlib as _hashlib
import importlib as _importlib
import os as _os
import sys as _sys
import types as _types

dependencies = [
    "torch",
    "safetensors",
    "huggingface_hub",
    "numpy",
    "tqdm",
    "filelock",
    "lazy_loader",
]


def _import_zoo():
    here = _os.path.dirname(_os.path.abspath(__file__))
    # The time stamp tells a checkout from the one that `force_reload=True` put in its place.
    identity = f"{here} {_os.stat(__file__).st_mtime_ns}"
    name = f"_splitzoo_{_hashlib.sha256(identity.encode()).hexdigest()[:16]}"
    if name not in _sys.modules:
        parent = _types.ModuleType(name)
        parent.__path__ = [here]
        parent.__checkout__ = here  # where a pickled module asks for its class again
        _sys.modules[name] = parent
    return _importlib.import_module(f"{name}.zoo")


_zoo = _import_zoo()


def _blank(module, name):
    """An instance of a class of the zoo without state, for `torch.load` to fill."""
    found = _importlib.import_module(f"{_zoo.__name__.rpartition('.')[0]}.{module}")
    return getattr(found, name).__new__(getattr(found, name))


def _split_entry(network, split):
    def entry(*, weights="default", path=None):
        return _zoo.load_split(network.name, split, weights=weights, path=path)

    entry.__name__ = entry.__qualname__ = f"{network.name}_split_{split}"
    entry.__doc__ = f"""{network.title} split behind {split}: a Target in eval mode.

    model.edge maps images N×{"×".join(map(str, network.input_shape))}, float32 in [0, 1], to
    features; model.cloud maps features to logits N×{network.num_classes}.

    Args:
        weights: "default" for the published checkpoint, None for a fresh network.
        path: a checkpoint of your own, written by `splitzoo train {network.name}`.

    `model.edge` refuses images outside [0, 1]; `model.edge.unchecked` answers any.
    """
    return entry


def _learned_entry(network, split, kind):
    load, doc = _LEARNED[kind]

    def entry(*, weights=_zoo.DEFAULT_WEIGHTS[kind], path=None):
        return load(network.name, split, weights=weights, path=path)

    entry.__name__ = entry.__qualname__ = name = f"{network.name}_{kind}_{split}"
    entry.__doc__ = f"""{doc.format(network=network.name, title=network.title, split=split)}

    Args:
        weights: {", ".join(map(repr, _zoo.variants(name)))}; None for a fresh network.
        path: a checkpoint of your own, written by `splitzoo train {name}-WEIGHTS`.
    """
    return entry


def _judge_entry(dataset, title):
    def entry(*, weights="default", path=None):
        return _zoo.load_judge(dataset, weights=weights, path=path)

    entry.__name__ = entry.__qualname__ = f"{dataset}_judge"
    entry.__doc__ = f"""{title}: says what an image shows, independently of the targets.

    Maps images, float32 in [0, 1], to logits N×10. `weights` is "default", or None for a fresh
    network; `path` is a checkpoint of your own, written by `splitzoo train {dataset}_judge`.
    """
    return entry


#: What attackers bring: how it is loaded, and what its help begins with.
_LEARNED = {
    "inverse": (
        _zoo.load_inverse,
        "Inverse-Network of {network}/{split} (§5): features -> images, not clamped.",
    ),
    "shadow": (
        _zoo.load_shadow,
        "Shadow edge of {title} behind {split} (§6): images -> features.",
    ),
    "decoder": (
        _zoo.load_decoder,
        "Decoder of {title} behind {split}: features -> images, not clamped.",
    ),
    "copy": (
        _zoo.load_copy,
        "Decoder of {title} behind {split}, and as its `edge` a copy of the edge: "
        "images -> features.",
    ),
}
for _network in _zoo.networks().values():
    for _split in _network.splits:
        globals()[f"{_network.name}_split_{_split}"] = _split_entry(_network, _split)
        for _kind in _LEARNED:
            if _zoo.variants(f"{_network.name}_{_kind}_{_split}"):
                _entry = _learned_entry(_network, _split, _kind)
                globals()[_entry.__name__] = _entry
for _design in _zoo.JUDGES.values():
    globals()[f"{_design.dataset}_judge"] = _judge_entry(_design.dataset, _design.title)
