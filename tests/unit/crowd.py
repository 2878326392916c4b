# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An API server with many Applications, and a controller that refreshes so many of them a second.

`PYTHONPATH=tests:collections python -m unit.crowd 5000 20 FOLDER` serves them until its input ends.
"""

from __future__ import annotations

import gzip
import json
import queue
import sys
import threading
import time
from collections import deque
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import yaml

from .api_server import ApiServer, Handler, load
from .model.cluster import merged

ARGOCD = "/apis/argoproj.io/v1alpha1/namespaces/argocd/applications"
REFRESH = "argocd.argoproj.io/refresh"
STAMP = "argocd.argoproj.io/refresh-timestamp"
COMPRESSED_BYTES = 128 * 1024


def application(recorded: str, number: int) -> dict[str, Any]:
    """Return an Application as the controller leaves it, as long as a real one."""
    item, name = json.loads(recorded), f"app-{number:04}"
    item["metadata"] |= {"name": name, "namespace": "argocd", "uid": name, "resourceVersion": "1"}
    fields = {f"f:field-{field}": {"f:value": {}} for field in range(150)}
    item["metadata"]["managedFields"] = [{"manager": "argocd-application-controller", "fieldsV1": fields}]
    item["metadata"]["annotations"] = {}
    return item


class Crowd(ApiServer):
    """Lists, watches and changes Applications; the controller answers `rate` requests for a refresh each second."""

    def __init__(self, folder: Path, count: int, rate: float) -> None:
        self.start = {step["request"]: (step["status"], step["answer"]) for step in load("start")["steps"]}
        recorded = yaml.safe_load((Path(__file__).parent / "fixtures" / "synced_healthy.yaml").read_text())
        items = [application(json.dumps(recorded), number) for number in range(count)]
        self.applications = {item["metadata"]["name"]: item for item in items}
        self.version, self.rate, self.lock = count + 1, rate, threading.Lock()
        self.events: list[tuple[int, bytes]] = []
        self.watches: list[queue.SimpleQueue[bytes]] = []
        self.line: deque[str] = deque()
        self.ignored: set[str] = set()  # what the controller never looks at
        self.has_an_end = True  # whether the controller has nothing to do when all requests are answered
        self.replicas = 1  # how many pods of the controller are ready
        self.busy = 0  # how many of the next changes are refused with 429
        self.seconds = 0.0  # how long a change takes
        self.quick: set[str] = set()  # for whom it takes no time nevertheless
        self.encodings: list[str] = []  # in which lists may be answered
        self.refused_at: list[float] = []
        self.patched_at: list[float] = []
        self.longest_line = 0
        super().__init__(folder)
        threading.Thread(target=self._control, daemon=True).start()

    def answer(self, handler: Handler, method: str, path: str, body: Any) -> None:
        """Answer a request."""
        if known := self.start.get(f"{method} {path}"):
            handler.send(*known)
            return
        address = urlsplit(handler.path)
        query = {key: values[0] for key, values in parse_qs(address.query).items()}
        if method == "PATCH":
            self._patch(handler, address.path.rpartition("/")[2], body)
        elif address.path.startswith("/apis/apps/"):
            workload = {"metadata": {"name": "argocd-application-controller"}, "spec": {"replicas": 1}}
            handler.send(200, {"items": [workload | {"status": {"readyReplicas": self.replicas}}]})
        elif address.path != ARGOCD:
            handler.send(404, {"message": f"{address.path} does not exist"})
        elif "watch" in query:
            self._watch(handler, int(query["resourceVersion"]))
        else:
            self._list(handler, query)

    def _list(self, handler: Handler, query: dict[str, str]) -> None:
        begin, limit = int(query.get("continue", 0)), int(query["limit"])
        with self.lock:
            items = list(self.applications.values())
            end = begin + limit
            metadata = {"resourceVersion": str(self.version)} | ({"continue": str(end)} if end < len(items) else {})
            data = json.dumps({"metadata": metadata, "items": items[begin:end]}).encode()
        self.encodings.append(handler.headers.get("Accept-Encoding", ""))
        packed = len(data) > COMPRESSED_BYTES and "gzip" in handler.headers.get("Accept-Encoding", "")
        handler.send_response(200)
        data = gzip.compress(data, 1) if packed else data
        handler.send_header("Content-Length", str(len(data)))
        if packed:
            handler.send_header("Content-Encoding", "gzip")
        handler.end_headers()
        handler.wfile.write(data)

    def _watch(self, handler: Handler, since: int) -> None:
        handler.begin_stream()
        line: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        with self.lock:
            for _number, data in [event for event in self.events if event[0] > since]:
                line.put(data)
            self.watches.append(line)
        while not self.stopped.is_set():
            try:
                handler.send_chunk(line.get(timeout=0.2))
            except queue.Empty:
                continue

    def _patch(self, handler: Handler, name: str, body: Any) -> None:
        if self.busy:
            self.busy -= 1
            self.refused_at.append(time.monotonic())
            handler.send(429, {"message": "too many requests"}, **{"Retry-After": "1"})
            return
        self.stopped.wait(0.0 if name in self.quick else self.seconds)
        self.patched_at.append(time.monotonic())
        with self.lock:
            item = self._change(name, body)
            if REFRESH in item["metadata"]["annotations"] and name not in self.ignored:
                self._put(name)
                self.longest_line = max(self.longest_line, len(self.line))
        handler.send(200, item)

    def _change(self, name: str, body: Any) -> dict[str, Any]:
        """Change an Application by a merge patch, and tell those who watch."""
        self.version += 1
        item = merged(self.applications[name], body)
        item["metadata"] = item["metadata"] | {"resourceVersion": str(self.version)}
        self.applications[name] = item
        data = json.dumps({"type": "MODIFIED", "object": item}).encode() + b"\n"
        self.events.append((self.version, data))
        for line in self.watches:
            line.put(data)
        return item

    def compare_again_and_again(self) -> None:
        """Let the controller compare all by itself: it begins with the last one and never ends."""
        with self.lock:
            self.line.extend(sorted(self.applications, reverse=True))
            self.has_an_end = False
            for minute, name in enumerate(self.line):
                self.applications[name]["status"]["reconciledAt"] = f"2026-01-01T00:{minute:02}:00Z"

    def _put(self, name: str) -> None:
        """Put an Application into the controller's queue, where it is only once."""
        if name not in self.line:
            self.line.append(name)

    def _control(self) -> None:
        """Compare one Application after the other; the answer to a request is a second write."""
        due = time.monotonic()
        while not self.stopped.wait(max(0.0, due - time.monotonic())):
            due = max(due + 1 / self.rate, time.monotonic() - 0.1)
            with self.lock:
                if not self.line:
                    continue
                name = self.line.popleft()
                reconciled = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
                item = self._change(name, {"status": {"reconciledAt": reconciled}})
                if REFRESH in item["metadata"]["annotations"]:
                    self._change(name, {"metadata": {"annotations": {REFRESH: None, STAMP: None}}})
                if not self.has_an_end:
                    self._put(name)


def main() -> None:
    """Serve until the end of input."""
    count, rate, folder = int(sys.argv[1]), float(sys.argv[2]), Path(sys.argv[3])
    server = Crowd(folder, count, rate)
    print(server.kubeconfig, flush=True)
    sys.stdin.read()
    server.stop()
    print(json.dumps({"longest_line": server.longest_line, "requests": len(server.requests)}))


if __name__ == "__main__":
    main()
