"""A Hub on this machine: the endpoints that huggingface_hub's client asks, and their failures.

`resolve` sends small files itself and safetensors to another host ("localhost" stands for the
content network), as the Hub does. What was asked is kept in `asked`.
"""

from __future__ import annotations

import base64
import hashlib
import json
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import huggingface_hub
import pytest
from huggingface_hub import constants
from local_server import listening

FIRST = "1" * 40
HERE = "127.0.0.1,localhost"


@dataclass
class Hub:
    """One repository.

    Attributes:
        files: of each commit by path.
        head: the commit that `main` is at.
        asked: "METHOD path" of every request, in order.
        ranges: the Range header of every request for content.
        status: answered to every question about a file, where it is set.
        cuts: how often a content request is cut in its middle.
        flips: whether a bit of the content is flipped on the way.
        uploaded: large files by their sha256.
    """

    repo_id: str = "owner/zoo"
    files: dict[str, dict[str, bytes]] = field(default_factory=lambda: {FIRST: {}})
    head: str = FIRST
    asked: list[str] = field(default_factory=list)
    ranges: list[str | None] = field(default_factory=list)
    tokens: list[str | None] = field(default_factory=list)
    status: int | None = None
    error_code: str | None = None
    cuts: int = 0
    flips: bool = False
    uploaded: dict[str, bytes] = field(default_factory=dict)
    port: int = 0

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def counted(self, method: str) -> Counter[str]:
        """How often each path was asked for."""
        pairs = (line.split(" ", 1) for line in self.asked)
        return Counter(path for each, path in pairs if each == method)

    def content(self, digest: str) -> bytes:
        """A file by its sha256."""
        stored = [file for files in self.files.values() for file in files.values()]
        return next(each for each in stored if hashlib.sha256(each).hexdigest() == digest)

    def commit(self, lines: list[dict[str, Any]]) -> str:
        """A new commit on main, from the lines of the client's commit request."""
        files = dict(self.files[self.head])
        for line in lines:
            value = line["value"]
            if line["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif line["key"] == "lfsFile":
                files[value["path"]] = self.uploaded[value["oid"]]
        self.head = hashlib.sha1(f"{self.head} {sorted(files)}".encode()).hexdigest()
        self.files[self.head] = files
        return self.head


@contextmanager
def serving(hub: Hub) -> Iterator[Hub]:
    """Serve it on a free port of this machine until the block ends."""
    handler = type("Handler", (_Handler,), {"hub": hub})
    with listening(handler) as hub.port:
        yield hub


@contextmanager
def only_asking(hub: Hub, home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """huggingface_hub as a fresh machine has it, but that it asks `hub`; its cache is in `home`."""
    huggingface_hub.close_session()
    monkeypatch.setenv("NO_PROXY", HERE)
    monkeypatch.delenv("HF_TOKEN", raising=False)
    template = hub.endpoint + "/{repo_id}/resolve/{revision}/{filename}"
    for name, value in {
        "ENDPOINT": hub.endpoint,
        "HUGGINGFACE_CO_URL_TEMPLATE": template,
        "HF_HUB_CACHE": str(home / "cache"),
        "HF_TOKEN_PATH": str(home / "token"),
        "HF_HUB_OFFLINE": False,
        "HF_HUB_DISABLE_XET": True,  # its uploads go to a server of another kind
    }.items():
        monkeypatch.setattr(constants, name, value)
    monkeypatch.setattr(time, "sleep", lambda seconds: None)  # between the client's attempts
    try:
        yield
    finally:
        huggingface_hub.close_session()


class _Handler(BaseHTTPRequestHandler):
    hub: Hub
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def do_HEAD(self) -> None:
        self._file()

    def do_GET(self) -> None:
        if self.path.startswith("/api/") and self.hub.repo_id not in self.path:
            return self._refuse(404)  # what the client asks once a day, about no repository
        self._note()
        if self.path.startswith("/content/"):
            self._content(self.hub.content(self.path.rpartition("/")[2]))
        elif self.path.startswith("/api/") and self.hub.status is not None:
            self._refuse(self.hub.status)
        elif self.path.startswith("/api/"):
            self._json({"sha": self.hub.head, "id": self.hub.repo_id, "modelId": self.hub.repo_id})
        else:
            self._file()
        return None

    def do_PUT(self) -> None:
        self._note()
        content = self._body()
        self.hub.uploaded[hashlib.sha256(content).hexdigest()] = content
        self._json({})

    def do_POST(self) -> None:
        self._note()
        body, path = self._body(), self.path
        if self.hub.status is not None:
            self._refuse(self.hub.status)
        elif path == "/api/repos/create":
            self._json({"url": f"{self.hub.endpoint}/{self.hub.repo_id}"})
        elif path == "/api/validate-yaml":
            self._json({"errors": [], "warnings": []})
        elif "/preupload/" in path:
            asked = json.loads(body)["files"]
            modes = {True: "lfs", False: "regular"}
            self._json(
                {
                    "files": [
                        {
                            "path": each["path"],
                            "uploadMode": modes[each["path"].endswith(".safetensors")],
                            "shouldIgnore": False,
                        }
                        for each in asked
                    ]
                }
            )
        elif path.endswith("/info/lfs/objects/batch"):
            self._json(
                {
                    "objects": [
                        {
                            **each,
                            "actions": {
                                "upload": {"href": f"{self.hub.endpoint}/upload/{each['oid']}"}
                            },
                        }
                        for each in json.loads(body)["objects"]
                    ]
                }
            )
        elif "/commit/" in path:
            commit = self.hub.commit([json.loads(line) for line in body.splitlines()])
            url = f"{self.hub.endpoint}/{self.hub.repo_id}/commit/{commit}"
            self._json({"commitUrl": url, "commitOid": commit})
        else:
            self._refuse(404)

    def _file(self) -> None:
        """/OWNER/NAME/resolve/REVISION/PATH, as HEAD or GET."""
        if self.command == "HEAD":
            self._note()
        if self.hub.status is not None:
            return self._refuse(self.hub.status)
        repo_id, _, rest = self.path[1:].partition("/resolve/")
        revision, _, path = rest.partition("/")
        if repo_id != self.hub.repo_id:
            return self._refuse(404, "RepoNotFound")
        commit = self.hub.head if revision == "main" else revision
        if commit not in self.hub.files:
            return self._refuse(404, "RevisionNotFound")
        if path not in self.hub.files[commit]:
            return self._refuse(404, "EntryNotFound")
        content = self.hub.files[commit][path]
        digest = hashlib.sha256(content).hexdigest()
        headers = {"X-Repo-Commit": commit, "ETag": f'"{digest}"'}
        if path.endswith(".safetensors"):
            headers["X-Linked-ETag"] = f'"{digest}"'
            headers["X-Linked-Size"] = str(len(content))
            headers["Location"] = f"http://localhost:{self.hub.port}/content/{digest}"
            return self._answer(302, b"", headers)
        return self._answer(200, content, headers)

    def _content(self, content: bytes) -> None:
        """A large file, from where the client wants it on."""
        wanted = self.headers.get("Range")
        self.hub.ranges.append(wanted)
        begin = int(wanted.removeprefix("bytes=").partition("-")[0]) if wanted else 0
        headers = {}
        if wanted:
            headers["Content-Range"] = f"bytes {begin}-{len(content) - 1}/{len(content)}"
        if self.hub.flips:
            content = content[:-1] + bytes([content[-1] ^ 1])
        rest = content[begin:]
        if self.hub.cuts:
            self.hub.cuts -= 1
            self.close_connection = True
            self._answer(206 if wanted else 200, rest[: len(rest) // 2], headers, len(rest))
        else:
            self._answer(206 if wanted else 200, rest, headers)

    def _note(self) -> None:
        self.hub.asked.append(f"{self.command} {self.path}")
        self.hub.tokens.append(self.headers.get("Authorization"))

    def _body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def _json(self, value: object) -> None:
        self._answer(200, json.dumps(value).encode(), {"Content-Type": "application/json"})

    def _refuse(self, status: int, code: str | None = None) -> None:
        code = code or self.hub.error_code
        self._answer(status, b"", {"X-Error-Code": code} if code else {})

    def _answer(
        self, status: int, content: bytes, headers: dict[str, str], length: int | None = None
    ) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content) if length is None else length))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)
            self.wfile.flush()
