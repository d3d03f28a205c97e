"""Where a result comes from: hashes, versions and device, enough to tell a stale one."""

from __future__ import annotations

import hashlib
import inspect
import io
import platform
import tokenize
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

_SILENT = {
    tokenize.COMMENT,
    tokenize.NL,
    tokenize.ENCODING,
    tokenize.ENDMARKER,
    tokenize.INDENT,
    tokenize.DEDENT,
}
_PACKAGES = ("torch", "torchvision", "numpy", "scikit-image", "safetensors")


def source_sha256(cls: type) -> str:
    """sha256 of the file that defines `cls`, as far as it says what is computed.

    Comments, blank lines, line breaks within a statement and docstrings do not count, so that
    a better explanation does not make a day of results stale.
    """
    file = inspect.getsourcefile(cls)
    assert file is not None, f"{cls} has no source file"
    tokens = tokenize.generate_tokens(io.StringIO(Path(file).read_text("utf-8")).readline)
    statements: list[list[tokenize.TokenInfo]] = [[]]
    for token in tokens:
        if token.type == tokenize.NEWLINE:
            statements.append([])
        elif token.type not in _SILENT:
            statements[-1].append(token)
    digest = hashlib.sha256()
    for statement in statements:
        if statement and not (len(statement) == 1 and statement[0].type == tokenize.STRING):
            indent = statement[0].start[1]
            digest.update(f"{indent}:{' '.join(token.string for token in statement)}\n".encode())
    return digest.hexdigest()


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that a number can depend on."""
    found = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
