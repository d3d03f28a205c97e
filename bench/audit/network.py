"""The network that is audited, from a file of the user's."""

from __future__ import annotations

from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from ...zoo import CheckpointError, InputError, MisuseError
from ...zoo.whole import first_line
from .from_file import Wanted, from_file

NETWORK = Wanted(
    "network",
    "path/to/net.py:build",
    "a torch.nn.Module",
    lambda found: isinstance(found, nn.Module),
)
#: What pickles end in: files that run code when they are opened.
_PICKLES = (".pt", ".pth", ".bin", ".ckpt", ".pkl")


def module_of(reference: str, weights: Path | None = None) -> nn.Module:
    """The module that "path/to/net.py:build" names, in eval mode.

    `build` is a function or class that is called without arguments, or a module; `weights` are a
    safetensors file under the names of its `state_dict()`. Raises MisuseError for a reference that
    gives no module, and CheckpointError for weights that do not fit.
    """
    found: nn.Module = from_file(reference, NETWORK)
    if weights is not None:
        _load(found, weights)
    return found.eval()


def name_of(reference: str, module: nn.Module) -> str:
    """What to call the module of "path/to/net.py:build": its class, and the file it is from."""
    return f"{type(module).__name__} of {Path(reference.rpartition(':')[0]).name}"


def _load(module: nn.Module, path: Path) -> None:
    if path.suffix in _PICKLES:
        raise MisuseError(
            f"{path} is a pickle, which runs code when it is opened; convert it once with "
            "safetensors.torch.save_file(torch.load(path, weights_only=True), 'net.safetensors'), "
            "or load it in the function that builds the network"
        )
    if not path.is_file():
        raise MisuseError(f"there is no file {path}; give --weights FILE.safetensors")
    try:
        state = load_file(path)
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"{path} is no safetensors file ({first_line(error)})") from error
    own = module.state_dict()
    for what, names in (("lacks", own.keys() - state.keys()), ("adds", state.keys() - own.keys())):
        if names:
            more = f" and {len(names) - 1} more" if len(names) > 1 else ""
            raise CheckpointError(
                f"{path} does not fit the network: it {what} {min(names)!r}{more}; give the "
                "weights that were saved from this network"
            )
    for name, value in own.items():
        if value.shape != state[name].shape:
            raise CheckpointError(
                f"{path} does not fit the network: {name!r} is {list(state[name].shape)}, not "
                f"{list(value.shape)}; build the network with the sizes that it was trained with"
            )
    try:
        module.load_state_dict(state)
    except RuntimeError as error:
        raise InputError(f"{path} cannot be loaded: {first_line(error)}") from error
