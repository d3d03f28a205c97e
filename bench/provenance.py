"""Where a result comes from: hashes, versions and device, enough to tell a stale one."""

from __future__ import annotations

import hashlib
import inspect
import io
import platform
import tokenize
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from ..attacks import Attack

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
    """sha256 of the files that define `cls` and the attacks that it builds upon, as far as they
    say what is computed.

    Comments, blank lines, line breaks within a statement and docstrings do not count, so that
    a better explanation does not make a day of results stale.
    """
    files = dict.fromkeys(
        inspect.getsourcefile(each) or ""
        for each in cls.__mro__
        if each is cls or (issubclass(each, Attack) and each is not Attack)
    )
    digests = [_file_sha256(Path(file)) for file in files]
    return (
        digests[0] if len(digests) == 1 else hashlib.sha256("".join(digests).encode()).hexdigest()
    )


def _file_sha256(file: Path) -> str:
    statements: list[list[tokenize.TokenInfo]] = [[]]
    for token in _tokens(file.read_text("utf-8")):
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


def _tokens(source: str) -> Iterator[tokenize.TokenInfo]:
    """Python's tokens with every f-string as one, which Python 3.12 began to take apart."""
    lines = source.splitlines(keepends=True)
    depth, begin = 0, (1, 0)
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        kind = tokenize.tok_name[token.type]
        if kind in ("FSTRING_START", "TSTRING_START"):
            begin = begin if depth else token.start
            depth += 1
        elif kind in ("FSTRING_END", "TSTRING_END"):
            depth -= 1
            if not depth:
                (row, column), (last, stop) = begin, token.end
                rows = lines[row - 1 : last]
                rows[-1] = rows[-1][:stop]
                rows[0] = rows[0][column:]
                yield token._replace(type=tokenize.STRING, string="".join(rows), start=begin)
        elif not depth:
            yield token


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that a number can depend on."""
    found = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
