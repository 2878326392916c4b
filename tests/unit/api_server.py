# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers on loopback that replay what a real API server said, or write it down.

fixtures/exchanges/<name>.json has the exchanges of one run of a module, a step each line: a request with its answer, or
an event of the watch that was opened last. Of an object that came before only the changes are there, as a JSON merge
patch (RFC 7386) in the place of the object. CONTRIBUTING.md says how to record one.
"""

from __future__ import annotations

import contextlib
import json
import re
import threading
from collections.abc import Callable, Iterable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import yaml
from kubernetes import config

from .model.cluster import difference, merged

EXCHANGES = Path(__file__).parent / "fixtures" / "exchanges"
# Every client asks these two when it starts. They are recorded once, in start.json.
START = ("/version", "/apis")
# What a client makes up for a request: a time, or a UUID. A replayed answer has that of the replayed request.
MADE_UP = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+Z|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
# What makes objects long and no code of ours looks at: everywhere, in a status, in a list, in objects of Argo CD.
NEEDLESS = frozenset(
    {"comparedTo", "sourceType", "summary", "controllerNamespace", "sourceHydrator", "resourceHealthSource"}
)
NEEDLESS_OF_STATUS = NEEDLESS | {"source", "sources"}
NEEDLESS_OF_A_LIST = NEEDLESS | {"fieldsV1", "volumes", "volumeMounts", "affinity", "valueFrom", "ports"}
NEEDLESS_OF_ARGOCD = NEEDLESS | {"managedFields", "kubectl.kubernetes.io/last-applied-configuration"}
# What is recorded fits into one page, and of the answer to a change the whole object is recorded.
PAGE = re.compile(r"[?&]limit=500$")
# Recordings have this in the place of the home folder of whoever made them.
HOME = "/home/user"
Step = dict[str, Any]


class Handler(BaseHTTPRequestHandler):
    """Hands each request to the server that it belongs to."""

    protocol_version = "HTTP/1.1"
    # Head and body are written one after the other: otherwise the body waits 40 ms until the client confirms the head.
    disable_nagle_algorithm = True
    server: ApiServer

    def _handle(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        # The same path can have several answers; no request has a fragment of its own.
        kind = re.search(r";as=(\w+)", self.headers.get("Accept", ""))
        self.metadata_only = self.command == "PATCH" and bool(kind)
        path = PAGE.sub("", self.path) + (f"#{kind[1]}" if kind and not self.metadata_only else "")
        self.server.requests.append(f"{self.command} {path}")
        self.server.authorizations.append(self.headers.get("Authorization", ""))
        with contextlib.suppress(ConnectionError):  # the client has seen enough
            self.server.answer(self, self.command, path, json.loads(body) if body else None)

    def send(self, status: int, body: Any, kind: str = "application/json", **headers: str) -> None:
        """Send a whole answer; text goes out as it is."""
        if self.metadata_only and status == 200:
            body = {"kind": "PartialObjectMetadata", "metadata": body["metadata"]}
        data = body.encode() if isinstance(body, str) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(data)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def begin_stream(self) -> None:
        """Begin an answer whose length nobody knows."""
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()

    def send_event(self, event: Step | None) -> None:
        """Send an event of a watch; None ends it."""
        self.send_chunk(json.dumps(event).encode() + b"\n" if event else b"")

    def send_chunk(self, data: bytes) -> None:
        """Send a part of an answer; an empty one ends it."""
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
        self.wfile.flush()

    def log_message(self, *_args: object) -> None:
        """Print nothing."""


for _method in ("GET", "PATCH", "POST", "DELETE"):
    setattr(Handler, f"do_{_method}", Handler._handle)


class ApiServer(ThreadingHTTPServer):
    """An HTTP server on loopback, in threads of the test, that remembers what it was asked."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, folder: Path, steps: Iterable[Step] = (), replaced: dict[str, str] | None = None) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.folder, self.requests, self.authorizations = folder, [], []
        self.steps, self.replaced = list(steps), dict(replaced or {})
        self.stopped = threading.Event()
        self.thread = threading.Thread(target=self.serve_forever, args=[0.01], daemon=True)
        self.thread.start()

    def answer(self, handler: Handler, method: str, path: str, body: Any) -> None:
        """Answer a request."""
        raise NotImplementedError

    def handle_error(self, *_args: object) -> None:
        """Say nothing of a client that hung up; a test sees what it misses."""

    @property
    def url(self) -> str:
        """Return the address."""
        return f"http://127.0.0.1:{self.server_port}"

    @property
    def kubeconfig(self) -> str:
        """Return the path of a kubeconfig that leads here."""
        return write_kubeconfig(self.folder / "kubeconfig", self.url)

    def asked(self, *leave_out: str) -> list[str]:
        """Return the requests, without those that every client starts with and without queries."""
        found = [request.partition("?")[0] for request in self.requests]
        return [request for request in found if request not in (f"GET {path}" for path in START + leave_out)]

    def writes(self) -> list[str]:
        """Return the requests that change something, with their queries."""
        return [request for request in self.requests if not request.startswith("GET ")]

    def steps_of(self, method: str) -> list[Step]:
        """Return the recorded requests with a method."""
        return [step for step in self.steps if step.get("request", "").startswith(f"{method} ")]

    def _actual(self, answer: Any) -> Any:
        """Return a recorded answer with the names of this test."""
        text = json.dumps(answer).replace(str(Path.home()), HOME)
        for recorded, actual in self.replaced.items():
            text = text.replace(recorded, actual)
        return json.loads(text)

    def stop(self) -> None:
        """Stop to listen, and end the watches."""
        self.stopped.set()
        self.shutdown()
        self.server_close()
        self.thread.join()


class Scripted(ApiServer):
    """Answers what a function of the test says: status, body, content type and headers for a method and a path.

    A body that is a list goes out in these parts. The connection breaks after them unless the last one is empty.
    """

    def __init__(self, folder: Path, script: Callable[[str, str], tuple[Any, ...]]) -> None:
        self.script = script
        self.start = {step["request"]: (step["status"], step["answer"]) for step in load("start")["steps"]}
        super().__init__(folder)

    def answer(self, handler: Handler, method: str, path: str, _body: Any) -> None:
        """Answer a request; those with which every client starts need no script."""
        status, answer, *more = self.start.get(f"{method} {path}") or self.script(method, path)
        if not isinstance(answer, list):
            handler.send(status, answer, *more[:1], **(more[1] if more[1:] else {}))
            return
        handler.begin_stream()
        for part in answer:
            handler.send_chunk(part)
        handler.close_connection = True


class Replay(ApiServer):
    """Answers as a recorded API server did.

    Answers to the same question come in the order of the recording, and the last one again and again. A write must be
    one of the recording, byte for byte but for what a client makes up. An event comes after the writes that precede it.
    """

    def __init__(self, folder: Path, name: str, replaced: dict[str, str] | None = None) -> None:
        steps = [step for file in dict.fromkeys((name, "start")) for step in unpacked(load(file)["steps"])]
        self.used = [False] * len(steps)
        self.unexpected: list[str] = []
        self.changed = threading.Condition()
        super().__init__(folder, steps, replaced)

    def answer(self, handler: Handler, method: str, path: str, body: Any) -> None:
        """Answer a request from the recording."""
        with self.changed:
            index = self._find(f"{method} {path}", body)
        if index is None:
            self.unexpected.append(f"{method} {path} {json.dumps(body)}")
            handler.send(501, {"message": f"{method} {path} was not recorded"})
            return
        step = self.steps[index]
        if "status" in step:
            handler.send(step["status"], self._actual(step["answer"]), **step.get("headers", {}))
        with self.changed:
            self.used[index] = True
            self.changed.notify_all()
        if "status" not in step:
            handler.begin_stream()
            self._stream(handler, index)

    def insert(self, index: int, *steps: Step) -> None:
        """Have more happen than was recorded."""
        self.steps[index:index] = steps
        self.used[index:index] = [False] * len(steps)

    def _find(self, request: str, body: Any) -> int | None:
        same = [index for index, step in enumerate(self.steps) if step.get("request") == request]
        left = [index for index in same if not self.used[index]]
        if request.startswith("GET "):
            return (left or same[-1:] or [None])[0]
        for index in left:
            made_up = dict(differences(self.steps[index].get("body"), body))
            if all(MADE_UP.fullmatch(text) for pair in made_up.items() for text in pair):
                self.replaced |= made_up
                return index
        return None

    def _stream(self, handler: Handler, index: int) -> None:
        for number, step in enumerate(self.steps[index + 1 :], index + 1):
            if "?watch=" in step.get("request", "") or "&watch=" in step.get("request", ""):
                break
            if "event" in step:
                self._await_writes_before(number)
                handler.send_event(self._actual(step["event"]))
            elif "ended" in step:
                handler.send_event(None)
                return
        self.stopped.wait()

    def _await_writes_before(self, number: int) -> None:
        def done() -> bool:
            return self.stopped.is_set() or not self.missing(number)

        with self.changed:
            while not done():
                self.changed.wait(0.1)

    def missing(self, number: int | None = None) -> list[str]:
        """Return the recorded writes, up to a step, that were not sent."""
        steps = zip(self.steps[:number], self.used, strict=False)
        writes = [step["request"] for step, used in steps if not used and "body" in step]
        return [request for request in writes if not request.startswith("GET ")]


class Recorder(ApiServer):
    """Passes requests on to a real API server, and writes down what it said."""

    def __init__(self, folder: Path, kubeconfig: str, name: str, replaced: dict[str, str] | None = None) -> None:
        self.real, self.name = config.new_client_from_config(kubeconfig), name
        self.start: list[Step] = []
        super().__init__(folder, replaced=replaced)

    def answer(self, handler: Handler, method: str, path: str, body: Any) -> None:
        """Pass a request on."""
        watch = "watch=true" in path
        step: Step = {"request": f"{method} {path}"} | ({} if body is None else {"body": body})
        (self.start if path in START else self.steps).append(step)
        data = None if body is None else json.dumps(body)
        accept = "application/json" if handler.metadata_only else handler.headers.get("Accept", "")
        headers = {"Content-Type": handler.headers.get("Content-Type", ""), "Accept": accept}
        headers |= {entry["key"]: entry["value"] for entry in self.real.configuration.auth_settings().values()}
        found = self.real.rest_client.pool_manager.request(
            method,
            self.real.configuration.host + path.partition("#")[0],
            body=data,
            headers=headers,
            preload_content=not watch,
        )
        if watch and found.status == 200:
            self._pass_events(handler, found)
            return
        try:
            answer = json.loads(found.data)
        except ValueError:
            answer = found.data.decode()
        step |= {"status": found.status, "answer": trimmed(answer)}
        if path in START and found.status != 200:
            self.steps.append(step)
        kind = found.headers.get("Content-Type", "")
        if kind != "application/json":
            step["headers"] = {"kind": kind}
        handler.send(found.status, self._actual(answer), kind)

    def _pass_events(self, handler: Handler, found: Any) -> None:
        handler.begin_stream()
        rest = b""
        for chunk in found.stream(65536):
            *lines, rest = (rest + chunk).split(b"\n")
            for event in map(json.loads, lines):
                self.steps.append({"event": trimmed(event)})
                handler.send_event(event)
        self.steps.append({"ended": True})
        handler.send_event(None)

    def save(self) -> None:
        """Write the recording; of the same answers to the same question in a row one is enough."""
        if not (EXCHANGES / "start.json").exists():
            write("start", self.start)
        kept: list[Step] = []
        for step in self.steps:
            last = next((entry for entry in reversed(kept) if entry.get("request") == step.get("request")), None)
            if not (step == last and step["request"].startswith("GET ")):
                kept.append(step)
        write(self.name, kept)


def write(name: str, steps: list[Step]) -> None:
    """Write a recording, and keep the sentence that says how it was made."""
    path = EXCHANGES / f"{name}.json"
    made = load(name)["made"] if path.exists() else "say here how the situation was made"
    lines = ",\n".join(json.dumps(step) for step in packed(steps))
    text = f'{{"made": {json.dumps(made)}, "steps": [\n{lines}\n]}}\n'
    path.write_text(text.replace(str(Path.home()), HOME))


def load(name: str) -> dict[str, Any]:
    """Return a recording."""
    return json.loads((EXCHANGES / f"{name}.json").read_text())


def trimmed(value: Any, needless: frozenset[str] = NEEDLESS) -> Any:
    """Return an answer of an API server without what no code of ours looks at."""
    if isinstance(value, list):
        return [trimmed(entry, needless) for entry in value]
    if not isinstance(value, dict):
        return value
    kind = str(value.get("kind", ""))
    if kind == "APIGroupList":
        return value | {"groups": [entry for entry in value["groups"] if entry["name"] == "argoproj.io"]}
    if kind == "APIGroupDiscoveryList":
        groups = [entry for entry in value["items"] if entry["metadata"]["name"] == "argoproj.io"]
        resources = [{"resource": entry["resource"]} for group in groups for entry in group["versions"][0]["resources"]]
        return value | {"items": [group | {"versions": [{"resources": resources}]} for group in groups]}
    if kind == "APIResourceList":
        keys = ("name", "kind", "namespaced")
        return value | {"resources": [{key: entry[key] for key in keys} for entry in value["resources"]]}
    if kind.endswith("List"):
        needless = needless | NEEDLESS_OF_A_LIST
    if str(value.get("apiVersion", "")).startswith("argoproj.io/") and not kind.startswith("AppProject"):
        needless = needless | NEEDLESS_OF_ARGOCD
    # A rollback returns to the sources of the history.
    inner = {"status": needless | NEEDLESS_OF_STATUS, "history": needless - {"source", "sources"}}
    return {
        key: trimmed(entry, inner.get(key, needless))
        for key, entry in value.items()
        if key not in needless and entry is not None
    }


def packed(steps: list[Step]) -> list[Step]:
    """Return steps that have of an object only what changed since the step before."""
    known: dict[str, Any] = {}
    return [_each_object(step, lambda item: _pack(item, known)) for step in steps]


def unpacked(steps: list[Step]) -> list[Step]:
    """Return steps that have whole objects again."""
    known: dict[str, Any] = {}
    return [_each_object(step, lambda item: _unpack(item, known)) for step in steps]


def _each_object(step: Step, function: Callable[[Any], Any]) -> Step:
    """Return a step with its objects, or what is in their place, replaced."""
    if "event" in step:
        return step | {"event": step["event"] | {"object": function(step["event"]["object"])}}
    answer = step.get("answer")
    if not isinstance(answer, dict):
        return step
    if "items" in answer:
        return step | {"answer": answer | {"items": [function(item) for item in answer["items"]]}}
    return step | {"answer": function(answer)}


def _pack(item: Any, known: dict[str, Any]) -> Any:
    uid = item.get("metadata", {}).get("uid")
    before = known.get(uid)
    if uid:
        known[uid] = item
    return {"uid": uid, "changes": difference(before, item)} if before else item


def _unpack(item: Any, known: dict[str, Any]) -> Any:
    whole = merged(known[item["uid"]], item["changes"]) if "changes" in item else item
    if uid := whole.get("metadata", {}).get("uid"):
        known[uid] = whole
    return whole


def differences(recorded: Any, actual: Any) -> Iterator[tuple[str, str]]:
    """Yield the places in which two bodies differ."""
    if isinstance(recorded, dict) and isinstance(actual, dict) and recorded.keys() == actual.keys():
        for key in recorded:
            yield from differences(recorded[key], actual[key])
    elif isinstance(recorded, list) and isinstance(actual, list) and len(recorded) == len(actual):
        for pair in zip(recorded, actual, strict=True):
            yield from differences(*pair)
    elif recorded != actual:
        one, other = str(recorded), str(actual)
        within = MADE_UP.sub("", one) == MADE_UP.sub("", other)
        pairs = zip(MADE_UP.finditer(one), MADE_UP.finditer(other), strict=True) if within else []
        yield from [(before[0], after[0]) for before, after in pairs] if within else [(one, other)]


def write_kubeconfig(path: Path, url: str, user: dict[str, Any] | None = None, **cluster: Any) -> str:
    """Write a kubeconfig with one context and return its path."""
    entries = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "test",
        "clusters": [{"name": "test", "cluster": {"server": url} | cluster}],
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
        "users": [{"name": "test", "user": user or {}}],
    }
    path.write_text(yaml.safe_dump(entries))
    return str(path)
