"""What is attacked: split networks, their checkpoints, and the images they are attacked on."""

from .bars import progress
from .data import DATASETS, Images, cache_dir, load_dataset
from .device import DEVICES, describe_device, pick_device
from .errors import (
    CapabilityError,
    CheckpointError,
    ContractError,
    DataUnavailableError,
    InputError,
    ResultError,
    SplitzooError,
    StorageError,
    UnknownNameError,
)
from .evaluation import PROFILES, EvaluationSet, evaluation_set
from .loading import load_split
from .manifest import Manifest, Record, manifest
from .networks import NETWORKS, Network, get_network
from .split import Half, Normalize, SplitModel, check_batch, check_features, check_images

__all__ = [
    "DATASETS",
    "DEVICES",
    "NETWORKS",
    "PROFILES",
    "CapabilityError",
    "CheckpointError",
    "ContractError",
    "DataUnavailableError",
    "EvaluationSet",
    "Half",
    "Images",
    "InputError",
    "Manifest",
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
    "describe_device",
    "evaluation_set",
    "get_network",
    "load_dataset",
    "load_split",
    "manifest",
    "pick_device",
    "progress",
]
