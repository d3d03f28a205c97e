"""Packages that only some engines need, and that not everybody has."""

from __future__ import annotations

import importlib
from typing import Any

from ...zoo import MisuseError


def extra(package: str, name: str) -> Any:
    """A package that the extra `name` of Splitzoo brings. MisuseError where it is not here."""
    try:
        return importlib.import_module(package)
    except ImportError as error:
        raise MisuseError(
            f"this engine needs {package}, which cannot be imported ({error}); install it with "
            f"`pip install 'splitzoo[{name}]'`, or in a checkout `pip install -e '.[{name}]'`"
        ) from error
