"""The attacks: one file each, all under the same enforced threat model."""

from .base import Attack, PreparedAttack
from .catalogue import CATALOGUE, Entry, get_entry
from .inverse_network import InverseNetwork
from .learned import LearnedAttack
from .rmle import RMLE, total_variation
from .shadow_model import ModelReconstruction, ShadowModel
from .threat_model import FAMILIES, SETTINGS, Adversary, Capability, Setting, get_setting

__all__ = [
    "CATALOGUE",
    "FAMILIES",
    "RMLE",
    "SETTINGS",
    "Adversary",
    "Attack",
    "Capability",
    "Entry",
    "InverseNetwork",
    "LearnedAttack",
    "ModelReconstruction",
    "PreparedAttack",
    "Setting",
    "ShadowModel",
    "get_entry",
    "get_setting",
    "total_variation",
]
