"""Builds what an adversary may know, runs attacks, keeps score and renders."""

from __future__ import annotations

import importlib
from typing import Any

_PUBLIC = {
    "cells": ("Cell",),
    "metrics": ("exact", "mean", "psnr", "ssim"),
    "plan": ("Assignment", "assignments", "paper_figure", "select"),
    "results": ("BENCHMARK_VERSION", "Result"),
    "rows": ("Row", "load_results"),
    "runner": ("Run", "attack_images", "ensure_result", "run_cell"),
    "scoring": ("METRICS", "score"),
    "store": ("ResultStore",),
}
_HOME = {name: module for module, names in _PUBLIC.items() for name in names}
__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    """Import on first use, so that `splitzoo --help` need not wait for torch."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f".{_HOME[name]}", __name__), name)
