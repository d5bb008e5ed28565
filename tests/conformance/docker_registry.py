"""A small image registry on 127.0.0.1: one image, as an engine may pull it, with or without basic auth."""

import base64
import gzip
import hashlib
import io
import json
import os
import tarfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Self

from aiohttp import web

MANIFEST_TYPE = "application/vnd.docker.distribution.manifest.v2+json"
CONFIG_TYPE = "application/vnd.docker.container.image.v1+json"
LAYER_TYPE = "application/vnd.docker.image.rootfs.diff.tar.gzip"


@dataclass(slots=True)
class Registry:
    """Serves the image `app:1`.

    Attributes:
        address: host and port, as they stand before the repository in an image's name.
        login: user and password that are asked for; None: everybody may pull.
        asked: how often somebody asked for a manifest or its headers.
        manifests: how often a manifest was given.
        layers: how often a layer was given.
        breaks_off: end the connection in the middle of a layer.

    """

    login: tuple[str, str] | None = None
    breaks_off: bool = False
    address: str = ""
    asked: int = 0
    manifests: int = 0
    layers: int = 0
    _blobs: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    _manifest: bytes = b""

    @classmethod
    @asynccontextmanager
    async def serving(cls, *, login: tuple[str, str] | None = None, size_bytes: int = 100_000) -> AsyncIterator[Self]:
        """Listen on a free port; the image's one layer is about that large, and different each time."""
        registry = cls(login=login)
        registry._make_image(size_bytes)
        app = web.Application()
        app.router.add_get("/v2/", registry._root)
        app.router.add_get("/v2/{name:.+}/manifests/{version}", registry._get_manifest)
        app.router.add_get("/v2/{name:.+}/blobs/{digest}", registry._get_blob)
        runner = web.AppRunner(app, handle_signals=False, shutdown_timeout=1)
        await runner.setup()
        try:
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            registry.address = "{}:{}".format(*runner.addresses[0])
            yield registry
        finally:
            await runner.cleanup()

    @property
    def image(self) -> str:
        """Name the image as a task would."""
        return f"{self.address}/app:1"

    @property
    def digest(self) -> str:
        """Give the digest of the image's manifest."""
        return _digest(self._manifest)

    def _make_image(self, size_bytes: int) -> None:
        layer = _tar({"content": os.urandom(size_bytes)})
        packed = gzip.compress(layer, compresslevel=0)
        config = json.dumps(
            {
                "architecture": "amd64",
                "os": "linux",
                "config": {"Cmd": ["/content"]},
                "rootfs": {"type": "layers", "diff_ids": [_digest(layer)]},
            }
        ).encode()
        for kind, blob in ((CONFIG_TYPE, config), (LAYER_TYPE, packed)):
            self._blobs[_digest(blob)] = (kind, blob)
        self._manifest = json.dumps(
            {
                "schemaVersion": 2,
                "mediaType": MANIFEST_TYPE,
                "config": {"mediaType": CONFIG_TYPE, "size": len(config), "digest": _digest(config)},
                "layers": [{"mediaType": LAYER_TYPE, "size": len(packed), "digest": _digest(packed)}],
            }
        ).encode()

    def _refusal(self, request: web.Request) -> web.Response | None:
        if self.login is None:
            return None
        wanted = "Basic " + base64.b64encode(":".join(self.login).encode()).decode()
        if request.headers.get("Authorization") == wanted:
            return None
        return _errors(401, "UNAUTHORIZED", "authentication required", {"WWW-Authenticate": 'Basic realm="tests"'})

    async def _root(self, request: web.Request) -> web.Response:
        return self._refusal(request) or web.json_response({})

    async def _get_manifest(self, request: web.Request) -> web.Response:
        if refusal := self._refusal(request):
            return refusal
        if request.match_info["name"] != "app" or request.match_info["version"] not in {"1", self.digest}:
            return _errors(404, "MANIFEST_UNKNOWN", "manifest unknown", {})
        self.asked += 1
        self.manifests += request.method == "GET"
        return web.Response(
            body=self._manifest, content_type=MANIFEST_TYPE, headers={"Docker-Content-Digest": self.digest}
        )

    async def _get_blob(self, request: web.Request) -> web.StreamResponse:
        if refusal := self._refusal(request):
            return refusal
        kind, blob = self._blobs[request.match_info["digest"]]
        self.layers += kind == LAYER_TYPE
        if not self.breaks_off or kind != LAYER_TYPE:
            return web.Response(body=blob, content_type=kind)
        response = web.StreamResponse(headers={"Content-Length": str(len(blob))})
        await response.prepare(request)
        await response.write(blob[: len(blob) // 2])
        assert request.transport is not None
        request.transport.abort()
        return response


def _errors(status: int, code: str, message: str, headers: dict[str, str]) -> web.Response:
    return web.json_response({"errors": [{"code": code, "message": message}]}, status=status, headers=headers)


def _digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def _tar(files: dict[str, bytes]) -> bytes:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), 0o755
            archive.addfile(entry, io.BytesIO(content))
    return target.getvalue()
