# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a real kubelet and the controllers write when a pod has a trouble: fixtures/kubelet/<trouble>/<kind>.yaml.

Names, times, addresses and identifiers that differ from one recording to the next have fixed values, and of equal
events there is one, so that a second recording is the same.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import yaml

Manifest = dict[str, Any]
FOLDER = Path(__file__).resolve().parent / "fixtures" / "kubelet"
HEADER = "---\n# Recorded from Kubernetes {version} by tests/real/test_troubles.py\n"
VERSION = re.compile(r"Recorded from Kubernetes (\S+)")
# Kind: how it is listed.
KINDS = {
    "Deployment": "apis/apps/v1/deployments",
    "StatefulSet": "apis/apps/v1/statefulsets",
    "ReplicaSet": "apis/apps/v1/replicasets",
    "Job": "apis/batch/v1/jobs",
    "PersistentVolumeClaim": "api/v1/persistentvolumeclaims",
    "Pod": "api/v1/pods",
    "Event": "api/v1/events",
}
TIME = "2026-01-01T00:00:00Z"
ADDRESS = "10.244.0.10"
NODE_ADDRESS = "10.88.0.1"
# The letters of names that Kubernetes makes up.
LETTERS = "bcdfghjklmnpqrstvwxz2456789"
SUFFIX = f"[{LETTERS}]{{5}}"
UID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
ALWAYS_THE_SAME = (
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?=\.\d+Z|Z)"), TIME[:-1]),
    (re.compile(rf"(?<={TIME[:-1]})\.\d+Z"), ".000000Z"),
    (re.compile(r"[0-9a-f]{64}"), "0" * 64),
    (re.compile(rf"kube-api-access-{SUFFIX}"), "kube-api-access-bbbbb"),
    # How often a container was restarted depends on when somebody looks.
    (re.compile(r'"restartCount": [1-9]\d*'), '"restartCount": 1'),
    (re.compile(r"back-off \d[\dms]* restarting"), "back-off 10s restarting"),
)


# --- the signs of a trouble ------------------------------------------------------------------------------------------


def signs(objects: Iterable[Manifest]) -> set[str]:
    """Return in short what these objects say."""
    return {sign for item in objects for sign in signs_of(item)}


def signs_of(item: Manifest) -> Iterator[str]:
    kind, status = item["kind"].lower(), item.get("status") or {}
    if kind == "event":
        yield f"event {item['involvedObject']['kind']} {item['reason']}"
        return
    if kind == "persistentvolumeclaim":
        yield f"persistentvolumeclaim {status.get('phase')}"
    for entry in status.get("conditions") or []:
        yield words(kind, entry["type"], entry["status"])
        yield words(kind, entry["type"], entry["status"], entry.get("reason"))
    if kind == "pod":
        yield f"pod {status.get('phase')}"
        yield words("pod", status.get("phase"), status.get("reason"))
        if item["metadata"].get("deletionTimestamp"):
            yield "pod deleting"
        for entry in container_statuses(item):
            yield f"{entry['name']} restarts {entry['restartCount']}"
            yield from (words(entry["name"], name, state.get("reason")) for name, state in entry["state"].items())
            for state in (entry.get("lastState") or {}).values():
                yield words(entry["name"], "was terminated", state.get("reason"))


def container_statuses(pod: Manifest) -> list[Manifest]:
    status = pod.get("status") or {}
    return (status.get("initContainerStatuses") or []) + (status.get("containerStatuses") or [])


def words(*parts: str | None) -> str:
    return " ".join(filter(None, parts))


def troubled(objects: Iterable[Manifest]) -> Manifest | None:
    """Return the pod that has the trouble: one that another one has already replaced, or the only one."""
    pods = [item for item in objects if item["kind"] == "Pod"]
    replaced = [pod for pod in pods if "deletionTimestamp" in pod["metadata"] or pod["status"]["phase"] == "Failed"]
    return next(iter(replaced or pods), None)


# --- the same in every recording -------------------------------------------------------------------------------------


def normalised(objects: Iterable[Manifest], namespace: str, trouble: str) -> list[Manifest]:
    """Return objects of a namespace as they are in every recording of a trouble."""
    found = sorted((reduced(item) for item in objects), key=place)
    text = json.dumps(found, sort_keys=True)
    for old, new in made_up_names(found):
        text = re.sub(rf"(?<![a-z0-9-]){re.escape(old)}(?![a-z0-9-])", new, text)
    text = text.replace(namespace, trouble)
    for pattern, replacement in ALWAYS_THE_SAME:
        text = pattern.sub(replacement, text)
    numbers = {uid: number for number, uid in enumerate(dict.fromkeys(UID.findall(text)), 1)}
    text = UID.sub(lambda found: f"00000000-0000-4000-8000-{numbers[found[0]]:012d}", text)
    for address, fixed in addresses(found):
        text = re.sub(rf"(?<![\d.]){re.escape(address)}(?![\d.])", fixed, text)
    rest: list[Manifest] = json.loads(text)
    return [*(item for item in rest if item["kind"] != "Event"), *events(rest)]


def reduced(item: Manifest) -> Manifest:
    """Return an object without what says nothing about a trouble."""
    metadata = {key: value for key, value in item["metadata"].items() if key != "managedFields"}
    metadata |= {"resourceVersion": "1"} if "resourceVersion" in metadata else {}
    found = item | {"metadata": metadata}
    if item["kind"] == "Event":
        found["metadata"] = {
            key: metadata[key] for key in ("name", "namespace", "creationTimestamp") if key in metadata
        }
        about = {key: value for key, value in item["involvedObject"].items() if key != "resourceVersion"}
        found |= {"involvedObject": about} | ({"count": 1} if item.get("count") else {})
        found.pop("series", None)
    if item["kind"] == "Pod":
        # With cgroups of version 1 the resources of the pod as a whole come and go.
        mine = ("resources", "allocatedResources")
        found["status"] = {key: value for key, value in item.get("status", {}).items() if key not in mine}
    if item["kind"] in ("Pod", "Deployment", "StatefulSet", "ReplicaSet", "Job"):
        found = json.loads(json.dumps(found))
        spec = found["spec"] if item["kind"] == "Pod" else found["spec"]["template"]["spec"]
        # The tests choose the node that way.
        if spec.get("nodeSelector", {}).keys() <= {"node-kind"}:
            spec.pop("nodeSelector", None)
    if item["kind"] == "Node":
        found["metadata"] = {"name": metadata["name"], "uid": metadata["uid"]}
        found["status"] = {"conditions": item["status"]["conditions"], "nodeInfo": item["status"]["nodeInfo"]}
    return found


def place(item: Manifest) -> tuple[str, ...]:
    """Return the place of an object: events last, pods in the order of their creation."""
    about = item.get("involvedObject") or {}
    created = item["metadata"].get("creationTimestamp", "") if item["kind"] == "Pod" else ""
    event = [about["kind"], about["name"], item["reason"], item.get("message", "")] if about else []
    return ("~" if about else item["kind"], created, *(event or [item["metadata"]["name"]]))


def made_up_names(objects: list[Manifest]) -> Iterator[tuple[str, str]]:
    """Return the names of pods that end with letters that Kubernetes made up, those of pods that never were too."""
    text = json.dumps(objects)
    pods = [item["metadata"]["name"] for item in objects if item["kind"] == "Pod"]
    owners = [item["metadata"]["name"] for item in objects if item["kind"] in ("ReplicaSet", "Job")]
    for owner in owners:
        named = [name for name in pods if re.fullmatch(rf"{re.escape(owner)}-{SUFFIX}", name)]
        yield from ((name, f"{owner}-{letter * 5}") for name, letter in zip(named, LETTERS, strict=False))
        others = set(re.findall(rf"(?<![a-z0-9-]){re.escape(owner)}-{SUFFIX}(?![a-z0-9-])", text)) - {*named}
        yield from ((name, f"{owner}-zzzzz") for name in sorted(others))


def addresses(objects: list[Manifest]) -> Iterator[tuple[str, str]]:
    """Return the addresses of pods and nodes."""
    for item in objects:
        status = item.get("status") or {}
        yield from ((entry["ip"], ADDRESS) for entry in status.get("podIPs") or [])
        yield from ((entry["ip"], NODE_ADDRESS) for entry in status.get("hostIPs") or [])


def events(objects: list[Manifest]) -> list[Manifest]:
    """Return the different events; their own names are made of the time."""
    different: dict[tuple[str, ...], Manifest] = {}
    for item in (item for item in objects if item["kind"] == "Event"):
        different.setdefault(place(item), item)
    found = [different[key] for key in sorted(different)]
    for number, item in enumerate(found, 1):
        item["metadata"]["name"] = f"{item['involvedObject']['name']}.{number:x}"
    return found


# --- files -----------------------------------------------------------------------------------------------------------


class Dumper(yaml.SafeDumper):
    """Writes lists as the linter wants them."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: ARG002
        super().increase_indent(flow, False)


def write(trouble: str, objects: list[Manifest], logs: dict[str, str], version: str) -> None:
    """Write the recording of a trouble, a file for each kind, and the log of each container that has ended."""
    folder = FOLDER / trouble
    folder.mkdir(parents=True, exist_ok=True)
    for path in folder.iterdir():
        path.unlink()
    for kind in {item["kind"]: None for item in objects}:
        items = [item for item in objects if item["kind"] == kind]
        text = yaml.dump({"apiVersion": "v1", "kind": "List", "items": items}, Dumper=Dumper, sort_keys=True, width=110)
        (folder / f"{kind.lower()}.yaml").write_text(HEADER.format(version=version) + text)
    for name, text in logs.items():
        (folder / f"{name}.log").write_text(text)


def read(trouble: str) -> list[Manifest]:
    """Return the recorded objects of a trouble."""
    paths = sorted((FOLDER / trouble).glob("*.yaml"))
    assert paths, f"no recording of {trouble}"
    items = [item for path in paths for item in yaml.load(path.read_text(), Loader=yaml.CSafeLoader)["items"]]
    return sorted(items, key=place)


def of_kind(trouble: str, kind: str) -> list[Manifest]:
    """Return the recorded objects of a kind."""
    return [item for item in read(trouble) if item["kind"] == kind]


def versions() -> dict[str, set[str]]:
    """Return the versions of Kubernetes that the files of each trouble name."""
    return {
        folder.name: {VERSION.findall(path.read_text())[0] for path in folder.glob("*.yaml")}
        for folder in sorted(FOLDER.iterdir())
        if folder.is_dir()
    }
