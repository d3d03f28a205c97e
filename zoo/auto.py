"""Published networks by the Hub's own habit: `from_pretrained`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from huggingface_hub import ModelHubMixin
from torch import nn

from .errors import CheckpointError, MisuseError
from .hub import discard, fetch
from .loading import network_from, record_and_split
from .manifests import records_of
from .records import Record
from .resolving import is_whole, read_bytes

#: The file of a Hub repository that holds the records of its networks, as the manifest does.
CONFIG = "config.json"


class AutoNetwork(ModelHubMixin):
    """Any network of a Hub repository that `splitzoo publish` made; never an instance itself.

    The mixin expects one network in a repository, in a file of a fixed name. Here a repository
    holds many, and its config says which file each has, and the sha256 of it.
    """

    def __init__(self) -> None:
        raise MisuseError("AutoNetwork is no network; call AutoNetwork.from_pretrained(...)")

    @classmethod
    def from_pretrained(  # type: ignore[override]  # what comes is a network, not one of these
        cls,
        pretrained_model_name_or_path: str | Path,
        *,
        name: str = "",
        revision: str | None = None,
        **options: Any,
    ) -> nn.Module:
        """A network in eval mode on the CPU, whole as its record says.

        Args:
            pretrained_model_name_or_path: OWNER/NAME on the Hub, or a folder that
                `splitzoo publish --dry-run` wrote.
            name: NETWORK_split_SPLIT for a target behind that layer, e.g. "lenet_split_relu2",
                a checkpoint of `splitzoo list`, e.g. "lenet_inverse_relu2-same_set", or a hub
                entry of one, "lenet_inverse_relu2", with its default weights.
            revision: a commit, tag or branch; a commit that the cache holds asks nobody.
            options: `cache_dir`, `force_download`, `local_files_only` and `token`, as everywhere
                on the Hub.

        Raises:
            UnknownNameError: the repository has no network of that name.
            CheckpointError: it cannot be reached, has no records, or a file is damaged.
        """
        where = str(pretrained_model_name_or_path)
        if not Path(where).is_dir():  # the mixin would say nothing of why it cannot be had
            fetch(where, CONFIG, revision=revision, **options)
        found: Any = super().from_pretrained(where, name=name, revision=revision, **options)
        return cast(nn.Module, found)

    @classmethod
    def _from_pretrained(  # type: ignore[override]
        cls,
        *,
        model_id: str,
        name: str = "",
        config: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> nn.Module:
        record, split = record_and_split(_records(config, model_id), name)
        of_ones_own = Path(model_id, record.file) if Path(model_id).is_dir() else None
        file = of_ones_own or fetch(model_id, record.file, **options)
        content = read_bytes(file)
        if not is_whole(content, record):
            if of_ones_own is None:
                discard(file)
            raise CheckpointError(
                f"{file} is damaged: its sha256 is not that of {CONFIG}; get it again"
            )
        network = network_from(record, file, content, split)
        network._hub_mixin_config = {"name": name}  # type: ignore[assignment]
        return network


def _records(config: Mapping[str, Any] | None, source: str) -> dict[str, Record]:
    try:
        return records_of(config or {})
    except (KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(
            f"{source} has no {CONFIG} with the records of its networks; give a repository or "
            "folder that `splitzoo publish` made"
        ) from error
