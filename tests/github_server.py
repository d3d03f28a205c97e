"""A GitHub on this machine, as torch.hub asks it: branches, tags and zip archives."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

from local_server import listening


@dataclass
class GitHub:
    """The repository owner/splitzoo, with a branch `main` and tags.

    Attributes:
        trees: the folder that each branch and tag holds.
        limited: whether the hour's questions to the API are spent.
        asked: host and path of every request, in order.
    """

    trees: dict[str, Path] = field(default_factory=dict)
    limited: bool = False
    asked: list[str] = field(default_factory=list)
    port: int = 0

    def urlopen(self, asked: str | Request, *arguments: Any, **options: Any) -> Any:
        """urllib's own, but that GitHub's hosts are paths of this server."""
        request = asked if isinstance(asked, Request) else Request(asked)
        host, path = urlsplit(request.full_url).netloc, request.selector
        assert host in ("api.github.com", "github.com"), host
        here = f"http://127.0.0.1:{self.port}/{host}{path}"
        return urlopen(Request(here, headers=dict(request.headers)), *arguments, **options)

    def answer(self, path: str) -> tuple[int, bytes]:
        """Status and body."""
        self.asked.append(path)
        host, _, rest = path.partition("/")
        place, _, query = rest.partition("?")
        if host == "api.github.com":
            if self.limited:
                return 403, b'{"message": "API rate limit exceeded"}'
            known = [ref for ref in self.trees if (ref == "main") == place.endswith("/branches")]
            page = [{"name": ref, "commit": {"sha": "f" * 40}} for ref in known]
            return 200, json.dumps(page if query.endswith("page=1") else []).encode()
        if place == "owner/splitzoo/tree/main/":
            return 200, b""
        ref = place.removeprefix("owner/splitzoo/zipball/")
        return (200, archive(self.trees[ref])) if ref in self.trees else (404, b"")


def archive(tree: Path) -> bytes:
    """A folder as GitHub zips it: below one folder, which comes first."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as file:
        file.writestr("owner-splitzoo-f0f0f0f/", "")
        for path in sorted(tree.rglob("*")):
            file.write(path, Path("owner-splitzoo-f0f0f0f") / path.relative_to(tree))
    return content.getvalue()


@contextmanager
def serving(github: GitHub) -> Iterator[GitHub]:
    """Serve it on a free port of this machine until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body = github.answer(self.path[1:])
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with listening(Handler) as github.port:
        yield github
