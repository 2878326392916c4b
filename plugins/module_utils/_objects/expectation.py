# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is expected of objects, and what falls short of it. The values of Secrets are never in a text.

For use within the collection monorepo.gitops only.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.monorepo.gitops.plugins.module_utils._api import Api, group_path
from ansible_collections.monorepo.gitops.plugins.module_utils._errors import GitopsError
from ansible_collections.monorepo.gitops.plugins.module_utils._objects.readiness import not_ready, untrue

Manifest = dict[str, Any]
# What the path of a field means by every entry of a list.
EVERY = "*"


@dataclass(frozen=True)
class Expectation:
    """What is expected of one object, or of all objects of a kind when it has no name."""

    kind: str
    api_version: str = "v1"
    name: str = ""
    namespace: str = ""
    namespaces: tuple[str, ...] = ()
    label_selectors: tuple[str, ...] = ()
    required: bool = True
    ready: bool = True
    conditions: tuple[str, ...] = ()
    hostnames: tuple[str, ...] = ()
    data: dict[str, str] = field(default_factory=dict)
    same_data: dict[str, Any] = field(default_factory=dict)
    fields: dict[str, Any] = field(default_factory=dict)
    hint: str = ""


@dataclass(frozen=True)
class Answer:
    """What was found of one object, and what falls short."""

    kind: str
    namespace: str
    name: str
    shortfall: str = ""
    hint: str = ""
    item: Manifest | None = None  # what is not ready, so that its cause can be looked for
    advised: bool = False  # whether the hint is of whoever expects it

    @property
    def label(self) -> str:
        """Return how messages name the object."""
        return f"{self.kind} {self.namespace}/{self.name}" if self.namespace else f"{self.kind} {self.name}"

    @property
    def sentence(self) -> str:
        """Return what falls short and what to do, in one sentence."""
        return f"{self.label}: {self.shortfall}. {self.hint}" if self.shortfall else ""


class Reader:
    """Reads each object once."""

    def __init__(self, api: Api) -> None:
        self.api = api
        self.known: dict[str, tuple[int, Manifest]] = {}

    def get(self, path: str, query: dict[str, Any] | None = None) -> tuple[int, Manifest]:
        """Return status code and body of a request."""
        key = f"{path}?{query}"
        if key not in self.known:
            self.known[key] = self.api.request("GET", path, query)
        return self.known[key]

    def namespaces(self) -> list[str]:
        """Return the names of all namespaces."""
        status, found = self.get("/api/v1/namespaces")
        if status != 200:
            raise GitopsError(f"Namespaces cannot be listed: {found.get('message') or status}")
        return [item["metadata"]["name"] for item in found["items"]]


def judge(reader: Reader, expected: Expectation) -> list[Answer]:
    """Return an answer for each object that an expectation is about."""
    resource = reader.api.resource({"apiVersion": expected.api_version, "kind": expected.kind})
    if resource is None:
        if not expected.required:
            return []
        why = f"the cluster does not know the kind {expected.kind} of {expected.api_version}"
        return [Answer(expected.kind, expected.namespace, expected.name, why, "Is its operator installed?")]
    plural, namespaced = resource
    answers = []
    for namespace in places(reader, expected) if namespaced else [""]:
        scope = f"/namespaces/{namespace}" if namespace else ""
        path = f"{group_path(expected.api_version)}{scope}/{plural}"
        tool = kubectl(expected, plural, namespace)
        answers += (
            named(reader, expected, namespace, path, tool) if expected.name else all_of(reader, expected, path, tool)
        )
    return answers


def places(reader: Reader, expected: Expectation) -> list[str]:
    """Return the namespaces in which the object must be."""
    if not expected.namespaces:
        return [expected.namespace]
    origin = expected.same_data.get("namespace")
    names = [name for name in reader.namespaces() if name != origin]
    return [name for name in names if any(re.fullmatch(pattern, name) for pattern in expected.namespaces)]


def kubectl(expected: Expectation, plural: str, namespace: str) -> str:
    """Return how kubectl names the kind and the namespace. Different operators have kinds of the same name."""
    group = expected.api_version.rpartition("/")[0]
    kind = f"{plural}.{group}" if "." in group and not group.endswith("k8s.io") else plural
    return f"{kind} -n {namespace}" if namespace else kind


def named(reader: Reader, expected: Expectation, namespace: str, path: str, tool: str) -> list[Answer]:
    """Return the answer for one object."""
    status, found = reader.get(f"{path}/{expected.name}")
    if status == 404:
        if not expected.required:
            return []
        hint = expected.hint or f"kubectl get {tool}"
        return [Answer(expected.kind, namespace, expected.name, "it does not exist", hint)]
    if status != 200:
        why = f"it cannot be read: {found.get('message') or status}"
        return [Answer(expected.kind, namespace, expected.name, why, "Does the kubeconfig have the right to get it?")]
    hint = expected.hint or f"kubectl describe {tool} {expected.name}"
    return [answer_of(reader, expected, found, namespace, hint)]


def all_of(reader: Reader, expected: Expectation, path: str, tool: str) -> list[Answer]:
    """Return an answer for each object of a kind."""
    query = {"labelSelector": ",".join(expected.label_selectors)} if expected.label_selectors else None
    status, found = reader.get(path, query)
    if status != 200:
        why = f"they cannot be listed: {found.get('message') or status}"
        return [
            Answer(expected.kind, expected.namespace, EVERY, why, "Does the kubeconfig have the right to list them?")
        ]
    answers = []
    for item in found["items"]:
        # The entries of a list have neither.
        whole = {"apiVersion": expected.api_version, "kind": expected.kind} | item
        metadata = item["metadata"]
        hint = expected.hint or f"kubectl describe {tool} {metadata['name']}"
        answers.append(answer_of(reader, expected, whole, metadata.get("namespace", ""), hint))
    return answers


def answer_of(reader: Reader, expected: Expectation, item: Manifest, namespace: str, hint: str) -> Answer:
    """Return the answer for an object that was read."""
    short = shortfall(reader, expected, item)
    unready = item if short and expected.ready and not_ready(item) == short else None
    return Answer(expected.kind, namespace, item["metadata"]["name"], short, hint, unready, bool(expected.hint))


def shortfall(reader: Reader, expected: Expectation, item: Manifest) -> str:
    """Return the first thing in which an object falls short, or nothing."""
    return next(filter(None, shortfalls(reader, expected, item)), "")


def shortfalls(reader: Reader, expected: Expectation, item: Manifest) -> Iterator[str]:
    """Yield the result of each check: in what the object falls short, or nothing."""
    if expected.ready:
        yield not_ready(item)
    yield from (untrue(item, name) for name in expected.conditions)
    yield without_host(item, expected.hostnames)
    yield wrong_data(item, expected.data)
    yield other_data(reader, item, expected.same_data)
    yield wrong_field(item, expected.fields)


def without_host(item: Manifest, wanted: tuple[str, ...]) -> str:
    """Return which host names a route does not have, or nothing."""
    found = (item.get("spec") or {}).get("hostnames") or []
    missing = [name for name in wanted if name not in found]
    others = f", only {', '.join(found)}" if found else ""
    return f"it has no host name {', '.join(missing)}{others}" if missing else ""


def value_of(item: Manifest, key: str) -> str:
    """Return a value of a Secret or ConfigMap as text."""
    text = (item.get("data") or {}).get(key) or ""
    if item["kind"] != "Secret":
        return str(text)
    try:
        return base64.b64decode(text).decode(errors="replace")
    except binascii.Error:
        return ""


def wrong_data(item: Manifest, wanted: dict[str, str]) -> str:
    """Return which key of a Secret or ConfigMap is missing or does not match its pattern, or nothing."""
    for key, pattern in wanted.items():
        value = value_of(item, key)
        if not value:
            return f"it has no {key}"
        if not re.search(pattern, value):
            return f"its {key} is not what it must be"
    return ""


def other_data(reader: Reader, item: Manifest, origin: dict[str, Any]) -> str:
    """Return in which key a Secret or ConfigMap differs from its origin, or nothing."""
    if not origin:
        return ""
    label = f"{item['kind']} {origin['namespace']}/{origin['name']}"
    plural = "secrets" if item["kind"] == "Secret" else "configmaps"
    status, found = reader.get(f"/api/v1/namespaces/{origin['namespace']}/{plural}/{origin['name']}")
    if status != 200:
        return f"its source {label} cannot be read"
    mine, theirs = item.get("data") or {}, found.get("data") or {}
    different = [key for key in origin["keys"] if mine.get(key) != theirs.get(key)]
    return f"its {', '.join(different)} is not that of {label}" if different else ""


def wrong_field(item: Manifest, wanted: dict[str, Any]) -> str:
    """Return which field has another value than the expected one, or nothing."""
    for path, value in wanted.items():
        found = values_at(item, path.split("."))
        if item["kind"] == "Secret" and path != "type":
            if found != [value]:
                return f"its {path} is not what it must be"
        elif EVERY in path.split("."):
            if value not in found and value != found:
                return f"no {path} is {value}"
        elif not found:
            return f"it has no {path}, which must be {value}"
        elif found[0] != value:
            return f"{path} is {found[0]}, not {value}"
    return ""


def values_at(value: Any, path: list[str]) -> list[Any]:
    """Return what a path leads to: nothing, one value, or several with `*`; a list has numbers, or names of entries."""
    if not path:
        return [value]
    first, rest = path[0], path[1:]
    if isinstance(value, list):
        if first == EVERY:
            return [found for entry in value for found in values_at(entry, rest)]
        if first.isdigit():
            return values_at(value[int(first)], rest) if int(first) < len(value) else []
        named_so = [entry for entry in value if isinstance(entry, dict) and entry.get("name") == first]
        return [found for entry in named_so for found in values_at(entry, rest)]
    return values_at(value[first], rest) if isinstance(value, dict) and first in value else []
