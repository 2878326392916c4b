# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plain requests to the API server with the connection pool and the credentials of kubernetes.core's client.

The typed layers of the client cost more time than the API server does when objects are large or many, and hide the
events of a watch behind objects of their own.

For use within the collection monorepo.gitops only.
"""

from __future__ import annotations

import functools
import importlib
import json
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlencode

from ansible_collections.monorepo.gitops.plugins.module_utils._errors import GitopsError
from ansible_collections.monorepo.gitops.plugins.module_utils._git import public

APPLY = "application/apply-patch+yaml"
MERGE = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"
# All API groups with their resources in one answer, instead of the names of the groups.
DISCOVERY = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json"
# Of an object only its metadata.
METADATA = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
REQUEST_SECONDS = 60.0
PAGE = 500  # objects in one answer to a LIST; from 128 KiB on the API server compresses it
# The retry policy. An API server that is busy or restarting answers these; it has not processed the request.
BUSY = (429, 503)
RETRIES = 3
BACKOFF_SECONDS = 0.5  # the first retry follows at once, the second one after a second, the third one after two
RETRY_AFTER_SECONDS = 10  # at most, whatever the API server asks for


class UnavailableError(GitopsError):
    """The API server does not answer, or asks the client to retry later."""


class Pause:
    """How long the API server has asked to be left alone: whoever sends something keeps to what it told one of them."""

    def __init__(self) -> None:
        self.until = 0.0

    def learn(self, response: Any) -> None:
        """Keep what an answer asks for."""
        if response.status == 429:
            asked = response.headers.get("Retry-After", "")
            seconds = min(int(asked), RETRY_AFTER_SECONDS) if asked.isdigit() else 1
            self.until = max(self.until, time.monotonic() + seconds)

    def keep(self) -> None:
        """Wait until it may be asked again."""
        while (left := self.until - time.monotonic()) > 0:
            time.sleep(left)


def library() -> Any:
    """Return urllib3, which the kubernetes library brings; Ansible imports this file without either."""
    return importlib.import_module("urllib3")


@functools.cache
def reader() -> Callable[[bytes], Any]:
    """Return what reads JSON: orjson, where it is installed, takes a third of json's time.

    What orjson refuses (NaN, half of a surrogate pair) or rounds (integers over 64 bits), no API server writes.
    """
    try:
        loads: Callable[[bytes], Any] = importlib.import_module("orjson").loads
    except ImportError:
        return json.loads
    return loads


@functools.cache
def policy_class() -> Any:
    """Return urllib3's Retry with a limit of the delay that the API server asks for; older versions have none."""
    base: Any = library().Retry

    class Policy(base):
        def get_retry_after(self, response: Any) -> float | None:
            asked = super().get_retry_after(response)
            return None if asked is None else min(asked, RETRY_AFTER_SECONDS)

    return Policy


def retry_policy(retries: int, idempotent: bool) -> Any:
    """Return urllib3's Retry: a request that may have been processed is repeated only when that changes nothing."""
    return policy_class()(
        total=retries,
        # TLS reports a connection that breaks after the request as neither a connection nor a read error.
        **({} if idempotent else {"read": 0, "other": 0}),
        redirect=False,
        allowed_methods=None,  # all of them
        status_forcelist=BUSY,
        raise_on_status=False,
        backoff_factor=BACKOFF_SECONDS,
        respect_retry_after_header=True,
    )


class Api:
    """Requests of one DynamicClient, with one retry policy; `retries=0` is for a wait, which asks again by itself."""

    def __init__(self, client: Any, retries: int = RETRIES) -> None:
        self.client, self.retries = client.client, retries
        self.url = self.client.configuration.host
        self.host = public(self.url)  # for messages and results
        self.kinds: dict[str, dict[str, tuple[str, bool]]] = {}
        self.pause = Pause()

    def _send(
        self,
        method: str,
        path: str,
        query: dict[str, Any] | None,
        body: Any,
        content_type: str,
        accept: str = "application/json",
        **settings: Any,
    ) -> Any:
        headers = dict(self.client.default_headers) | {"Accept": DISCOVERY if path == "/apis" else accept}
        if method == "GET" and settings.get("preload_content", True):
            headers["Accept-Encoding"] = "gzip"
        # This also renews the token of an exec plugin.
        headers |= {entry["key"]: entry["value"] for entry in self.client.configuration.auth_settings().values()}
        if body is not None:
            headers["Content-Type"] = content_type
        url = f"{self.url}{path}" + (f"?{urlencode(query)}" if query else "")
        data = json.dumps(body).encode() if body is not None else None
        pool = self.client.rest_client.pool_manager
        try:
            return pool.request(method, url, body=data, headers=headers, **settings)
        except Exception as error:  # urllib3 does not wrap the errors of its lower layers
            last = getattr(error, "reason", error) if isinstance(error, library().exceptions.MaxRetryError) else error
            raise UnavailableError(f"The API server {self.host} does not answer: {public(str(last))}") from error

    def _exchange(
        self,
        method: str,
        path: str,
        query: dict[str, Any] | None,
        body: Any,
        content_type: str,
        accept: str = "application/json",
    ) -> Any:
        """Send one request, with retries where they can help, and return the whole answer."""
        retries = retry_policy(self.retries, method in ("GET", "DELETE") or content_type == APPLY)
        self.pause.keep()
        response = self._send(method, path, query, body, content_type, accept, timeout=REQUEST_SECONDS, retries=retries)
        self.pause.learn(response)
        return response

    def request(
        self, method: str, path: str, query: dict[str, Any] | None = None, body: Any = None, content_type: str = MERGE
    ) -> tuple[int, dict[str, Any]]:
        """Send one request and return status code and body."""
        return self._read(self._exchange(method, path, query, body, content_type), method, path)

    def annotate(self, path: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """Patch an object and return status code and what is new, of which only the metadata is answered."""
        return self._read(self._exchange("PATCH", path, None, body, MERGE, METADATA), "PATCH", path)

    def _read(self, response: Any, method: str, path: str) -> tuple[int, dict[str, Any]]:
        if is_away(response):
            raise UnavailableError(f"The API server {self.host} answers {response.status} to {method} {path}.")
        try:
            return response.status, reader()(response.data or b"{}")
        except ValueError as error:
            if response.status == 404:  # the API server answers in plain text for an API group that does not exist
                return 404, {"message": f"{path} does not exist"}
            raise GitopsError(
                f"{self.host} does not look like a Kubernetes API server: {path} returned something other than JSON."
            ) from error

    def list_all(
        self,
        path: str,
        query: dict[str, Any] | None = None,
        needed: Callable[[dict[str, Any]], dict[str, Any]] = lambda item: item,
    ) -> tuple[int, dict[str, Any]]:
        """Return status code and answer of a LIST that is read in pages; `needed` returns what is kept of an object."""
        items: list[dict[str, Any]] = []
        more = ""
        while True:
            page = {"limit": PAGE} | ({"continue": more} if more else {})
            status, found = self.request("GET", path, (query or {}) | page)
            if status == 410 and more:  # it took so long that the next page is not known any more
                items, more = [], ""
                continue
            if status != 200:
                return status, found
            items += [needed(item) for item in found["items"]]
            more = (found.get("metadata") or {}).get("continue") or ""
            if not more:
                return status, found | {"items": items}

    def stream(self, path: str, query: dict[str, Any], read_seconds: float) -> Iterator[dict[str, Any]]:
        """Yield the events of a watch as they come, until the API server ends it."""
        self.pause.keep()
        response = self._send(
            "GET", path, query, None, MERGE, preload_content=False, timeout=read_seconds, retries=False
        )
        self.pause.learn(response)
        try:
            if is_away(response):  # the version from which it would go on is still known
                raise UnavailableError(f"The API server {self.host} answers {response.status} to GET {path}.")
            if response.status != 200:
                yield {"type": "ERROR", "object": {"code": response.status}}
                return
            loads = reader()
            yield from (loads(line) for line in lines_of(response) if line.strip())
        except UnavailableError:
            raise
        except Exception as error:  # a broken connection or an incomplete line
            raise UnavailableError(f"The watch of {path} ended: {error}") from error
        finally:
            response.release_conn()
            response.close()

    def lines(self, path: str, query: dict[str, Any], until: float | None = None) -> Iterator[str]:
        """Yield the lines of a text as they come; `until` is when to stop listening, without an error."""
        seconds = REQUEST_SECONDS if until is None else max(0.1, until - time.monotonic())
        settings: dict[str, Any] = {"preload_content": False, "timeout": seconds, "retries": False}
        try:
            response = self._send("GET", path, query, None, MERGE, **settings)
        except UnavailableError:
            if until is not None and time.monotonic() >= until:  # an answer begins with its first line
                return
            raise
        try:
            if response.status != 200:
                raise GitopsError(message_of(response.read()) or f"the answer is {response.status}")
            for line in lines_of(response):
                yield line.decode(errors="replace")
                if until is not None and not listens(response, until):
                    return
        except library().exceptions.HTTPError as error:
            if until is None or time.monotonic() < until:
                raise UnavailableError(f"The answer to GET {path} ended: {error}") from error
        finally:
            response.release_conn()
            response.close()

    def resource(self, item: dict[str, Any]) -> tuple[str, bool] | None:
        """Return plural and whether it is namespaced for an object's kind; None when the cluster does not know it."""
        version = item["apiVersion"]
        if item["kind"] not in self.kinds.get(version, {}):
            _status, found = self.request("GET", group_path(version))
            resources = [entry for entry in found.get("resources") or [] if "/" not in entry["name"]]
            self.kinds[version] = {entry["kind"]: (entry["name"], entry["namespaced"]) for entry in resources}
        return self.kinds[version].get(item["kind"])

    def path(self, item: dict[str, Any]) -> str | None:
        """Return the path of an object; None when the cluster does not know its kind."""
        resource = self.resource(item)
        if resource is None:
            return None
        metadata = item["metadata"]
        scope = f"/namespaces/{metadata['namespace']}" if resource[1] else ""
        return f"{group_path(item['apiVersion'])}{scope}/{resource[0]}/{metadata['name']}"


def is_away(response: Any) -> bool:
    """Return whether the API server is too busy for an answer, or broken."""
    return bool(response.status == 429 or response.status >= 500)


def lines_of(response: Any) -> Iterator[bytes]:
    """Yield the lines of an answer as they come; what follows the last line break only when it is all."""
    rest = b""
    for chunk in response.stream(65536, decode_content=True):
        *lines, rest = (rest + chunk).split(b"\n")
        yield from lines
    if rest:
        yield rest


def listens(response: Any, until: float) -> bool:
    """Return whether there is time left for an answer, and wait no longer than that for more of it."""
    left = until - time.monotonic()
    # The answer lets go of its connection at its end, and the connection of its socket when it serves no other request.
    socket = getattr(response.connection, "sock", None)
    if left > 0 and socket:
        socket.settimeout(left)  # the timeout would begin again with every line
    return left > 0


def message_of(data: bytes) -> str:
    """Return the message of a Status, or the text that is in its place."""
    try:
        return str(json.loads(data)["message"])
    except (ValueError, LookupError, TypeError):
        return data.decode(errors="replace").strip()


def group_path(version: str) -> str:
    """Return the path of an API version."""
    return f"/apis/{version}" if "/" in version else f"/api/{version}"
