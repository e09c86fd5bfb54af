"""Local servers in place of those that the study downloads from: a model hub, and plain files that break off."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit


@dataclass
class Served:
    """Files by path as a server gives them, and what was asked of it.

    ``cut``: path -> bytes after which the connection is dropped, once. ``requests``: (method, path, Range header).
    """

    url: str
    files: dict[str, bytes] = field(default_factory=dict)
    cut: dict[str, int] = field(default_factory=dict)
    requests: list[tuple[str, str, str | None]] = field(default_factory=list)
    headers: dict[str, dict[str, str]] = field(default_factory=dict)


@contextmanager
def served(files: dict[str, bytes]) -> Iterator[Served]:
    """Serve ``files`` on a free port of this machine; ranges are understood."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            pass

        def do_HEAD(self) -> None:
            self._answer(body=False)

        def do_GET(self) -> None:
            self._answer(body=True)

        def _answer(self, body: bool) -> None:
            path = unquote(urlsplit(self.path).path)
            state.requests.append((self.command, path, self.headers.get("Range")))
            content = state.files.get(path)
            if content is None:
                self.send_response(404)
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            start, asked = 0, self.headers.get("Range")
            if asked:
                start = int(asked.removeprefix("bytes=").split("-")[0])
            self.send_response(206 if asked else 200)
            if asked:
                self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
            self.send_header("Content-Length", str(len(content) - start))
            self.send_header("Accept-Ranges", "bytes")
            for name, value in state.headers.get(path, {}).items():
                self.send_header(name, value)
            self.end_headers()
            if not body:
                return
            stop = state.cut.pop(path, None)
            self.wfile.write(content[start : stop if stop is not None else len(content)])
            if stop is not None:
                self.wfile.flush()
                self.connection.close()

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state = Served(f"http://127.0.0.1:{server.server_address[1]}", dict(files))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


REVISION = "0123456789abcdef0123456789abcdef01234567"


def publish(state: Served, identifier: str, directory: Path, revision: str = REVISION) -> None:
    """Put a checkpoint on the server as the hub shows it: safetensors in large-file storage, the rest in git."""
    siblings, tree = [], []
    for path in sorted(directory.iterdir()):
        content = path.read_bytes()
        place = f"/{identifier}/resolve/{revision}/{path.name}"
        entry: dict[str, object] = {
            "rfilename": path.name,
            "size": len(content),
            "blobId": hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest(),
        }
        etag = str(entry["blobId"])
        if path.suffix in (".safetensors", ".bin", ".gguf"):
            etag = hashlib.sha256(content).hexdigest()
            entry["lfs"] = {"size": len(content), "sha256": etag, "pointerSize": 134}
        siblings.append(entry)
        leaf = {"type": "file", "path": path.name, "size": len(content), "oid": entry["blobId"]}
        tree.append(
            {**leaf, "lfs": {"oid": etag, "size": len(content), "pointerSize": 134}}
            if "lfs" in entry
            else leaf
        )
        state.files[place] = content
        state.headers[place] = {"ETag": f'"{etag}"', "X-Repo-Commit": revision}
    info = {"id": identifier, "modelId": identifier, "sha": revision, "siblings": siblings, "private": False}
    state.files[f"/api/models/{identifier}/revision/{revision}"] = json.dumps(info).encode()
    state.files[f"/api/models/{identifier}/tree/{revision}"] = json.dumps(tree).encode()
