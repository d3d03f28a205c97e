"""What is found by its files has a name of its own."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import pytest
from splitzoo import attacks
from splitzoo.attacks import by_name
from splitzoo.bench.score import metric, metrics
from splitzoo.zoo import MisuseError, dataset, datasets, defence, defences, network, targets

#: A room, one of its files under another name, and what asks for all of them.
ROOMS = [
    (targets, "lenet", network.networks),
    (datasets, "mnist", dataset.all_datasets),
    (defences, "gaussian_noise", defence.all_defences),
    (metrics, "psnr", metric.all_metrics),
    (attacks, "constant_image", by_name.catalogue),
]


@pytest.mark.parametrize(("room", "file", "known"), ROOMS)
def test_two_files_that_state_one_name_are_refused_by_name(
    room: ModuleType, file: str, known: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise the later would silently take the earlier one's place."""
    (tmp_path / "zz_again.py").write_bytes((Path(room.__path__[0]) / f"{file}.py").read_bytes())
    monkeypatch.setattr(room, "__path__", [*room.__path__, str(tmp_path)])
    try:
        with pytest.raises(MisuseError, match=rf"{file}\.py and .*zz_again\.py both state"):
            known.__wrapped__()  # type: ignore[attr-defined]
    finally:
        sys.modules.pop(f"{room.__name__}.zz_again", None)
