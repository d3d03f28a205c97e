"""The attacks: one file each, all under the same enforced threat model."""

from .base import Attack, PreparedAttack
from .catalogue import CATALOGUE, Entry, get_entry
from .rmle import RMLE, total_variation
from .threat_model import SETTINGS, Adversary, Capability, Setting, get_setting

__all__ = [
    "CATALOGUE",
    "RMLE",
    "SETTINGS",
    "Adversary",
    "Attack",
    "Capability",
    "Entry",
    "PreparedAttack",
    "Setting",
    "get_entry",
    "get_setting",
    "total_variation",
]
