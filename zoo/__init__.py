"""What is attacked, and what attackers bring pretrained: networks, checkpoints and images."""

from .bars import progress
from .content import content_sha256
from .data import DATASETS, Images, cache_dir, load_dataset
from .device import DEVICES, describe_device, pick_device
from .errors import (
    CapabilityError,
    CheckpointError,
    ContractError,
    DataUnavailableError,
    InputError,
    MisuseError,
    ResultError,
    SplitzooError,
    StorageError,
    UnknownNameError,
)
from .evaluation import PROFILES, EvaluationSet, evaluation_set
from .holdings import Holding, holding
from .inverses import INVERSES, inverse_network
from .judges import JUDGES, Judge
from .loading import load_inverse, load_judge, load_network, load_shadow, load_split, variants
from .manifest import Manifest, manifest
from .networks import NETWORKS, Network, get_network
from .precision import PRECISIONS, pick_precision
from .records import Record
from .shadows import OTHER_STRUCTURES, shadow_edge
from .split import Half, Normalize, SplitModel, check_batch, check_features, check_images

__all__ = [
    "DATASETS",
    "DEVICES",
    "INVERSES",
    "JUDGES",
    "NETWORKS",
    "OTHER_STRUCTURES",
    "PRECISIONS",
    "PROFILES",
    "CapabilityError",
    "CheckpointError",
    "ContractError",
    "DataUnavailableError",
    "EvaluationSet",
    "Half",
    "Holding",
    "Images",
    "InputError",
    "Judge",
    "Manifest",
    "MisuseError",
    "Network",
    "Normalize",
    "Record",
    "ResultError",
    "SplitModel",
    "SplitzooError",
    "StorageError",
    "UnknownNameError",
    "cache_dir",
    "check_batch",
    "check_features",
    "check_images",
    "content_sha256",
    "describe_device",
    "evaluation_set",
    "get_network",
    "holding",
    "inverse_network",
    "load_dataset",
    "load_inverse",
    "load_judge",
    "load_network",
    "load_shadow",
    "load_split",
    "manifest",
    "pick_device",
    "pick_precision",
    "progress",
    "shadow_edge",
    "variants",
]
