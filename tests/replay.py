# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""KWOK Stages made of recordings: a simulated pod that is told to have a trouble gets what a real kubelet wrote.

They are a file of role rehearsal_cluster. A recording has one container `main`, and one init container `first` at most;
a Stage writes the same for each container of a pod.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import recordings
import yaml
from ansible_collections.monorepo.gitops.plugins.module_utils._rehearsal.stages import LATER, SIMULATED, TROUBLE
from recordings import Manifest
from troubles import TROUBLES

FILE = Path(__file__).resolve().parent.parent / "roles" / "rehearsal_cluster" / "files" / "stages" / "troubles.yaml"
HEADER = """---
# Made by tests/replay.py of what a real kubelet wrote (tests/fixtures/kubelet). An annotation tells a pod which of
# these troubles it has (README.md).
"""
WIDTH = 110
# What says nothing of a trouble, and what a rehearsal's own scheduler reports.
LEFT_OUT = ("Created", "FailedScheduling", "Pulled", "Pulling", "Scheduled", "Started")
HOST_IPS = "{{ $hostIPs := NodeIPsWith .spec.nodeName }}\n"
POD_IPS = (
    "{{ $podIPs := PodIPsWith .spec.nodeName (or .spec.hostNetwork false) .metadata.uid .metadata.name"
    " .metadata.namespace }}\n"
)
ADDRESSES = {
    "hostIP": "hostIP: {{ index $hostIPs 0 | Quote }}",
    "hostIPs": "hostIPs: [{ip: {{ index $hostIPs 0 | Quote }}}]",
    "podIP": "podIP: {{ .status.podIP | Quote }}",
    # KWOK may have given it two of the same family.
    "podIPs": "podIPs: [{ip: {{ .status.podIP | Quote }}}]",
}
MOUNTS = """volumeMounts:
{{ range .volumeMounts }}
- mountPath: {{ .mountPath | Quote }}
  name: {{ .name | Quote }}
  {{ if .readOnly }}
  readOnly: true
  recursiveReadOnly: Disabled
  {{ end }}
{{ end }}"""
# What a kubelet repeats of the specification.
REPEATED = {
    "allocatedResources": "allocatedResources: {{ .resources.requests | toJson }}",
    "image": "image: {{ .image | Quote }}",
    "name": "name: {{ .name | Quote }}",
    "resources": "resources: {{ .resources | toJson }}",
    "volumeMounts": MOUNTS,
}


def stages() -> list[Manifest]:
    """Return a Stage for each trouble that one writes, the one before them, and the one that ends it."""
    return [address(), *(stage(name) for name in by_stage()), over()]


def by_stage() -> list[str]:
    return [name for name, trouble in TROUBLES.items() if trouble.by_stage]


def has_address(name: str) -> bool:
    """Return whether the pod with a trouble has an address: the kubelet gives it one before it starts containers."""
    pod = recordings.troubled(recordings.read(name))
    return bool(pod and "podIP" in pod["status"])


def address() -> Manifest:
    """Return the Stage that gives an address, each time another one, to a pod that will not run before its trouble."""
    names = [name for name in by_stage() if has_address(name) and name not in LATER]
    expressions = [
        {"key": ".metadata.deletionTimestamp", "operator": "DoesNotExist"},
        {"key": TROUBLE, "operator": "In", "values": names},
        {"key": ".status.podIP", "operator": "DoesNotExist"},
    ]
    template = (
        f"{POD_IPS}podIP: {{{{ index $podIPs 0 | Quote }}}}\npodIPs: [{{ip: {{{{ index $podIPs 0 | Quote }}}}}}]\n"
    )
    return made("pod-trouble-address", expressions, [patch(template, "status")])


def stage(name: str) -> Manifest:
    """Return the Stage of a trouble."""
    recording = recordings.read(name)
    pod = recordings.troubled(recording)
    assert pod, f"the recording of {name} has no pod"
    goes = "deletionTimestamp" in pod["metadata"] and name != "node-gone"
    expressions = [
        {"key": ".metadata.deletionTimestamp", "operator": "Exists" if goes else "DoesNotExist"},
        {"key": TROUBLE, "operator": "In", "values": [name]},
        {"key": SIMULATED, "operator": "NotIn", "values": [name]},
    ]
    if has_address(name):
        expressions.append({"key": ".status.podIP", "operator": "Exists"})
    if name in LATER:
        expressions.append({"key": ".status.phase", "operator": "In", "values": ["Running"]})
    # First: a Stage begins again when its pod changes.
    steps = [patch(f"metadata: {{annotations: {{{annotation(SIMULATED)}: {name}}}}}\n")]
    steps += [patch(HOST_IPS + Template(pod).status(), "status")]
    found = [item for item in recording if item["kind"] == "Event" and concerns(item, pod)]
    steps += [{"apply": {"template": Template(pod).event(item, number)}} for number, item in enumerate(found, 1)]
    steps += [{"delete": True}] if goes else []
    # What replaces the pod has the trouble too.
    delay = {"delay": {"durationMilliseconds": 10000}} if name == "evicted" else {}
    return made(f"pod-trouble-{name}", expressions, steps, **delay)


def over() -> Manifest:
    """Return the Stage of a pod that is no longer told to have a trouble: it starts again."""
    expressions = [
        {"key": ".metadata.deletionTimestamp", "operator": "DoesNotExist"},
        {"key": SIMULATED, "operator": "Exists"},
        {"key": TROUBLE, "operator": "DoesNotExist"},
        {"key": ".status.phase", "operator": "In", "values": ["Pending", "Running"]},
    ]
    condition = '{type: Ready, status: "False", reason: ContainersNotReady, lastTransitionTime: {{ Now | Quote }}}'
    template = f"phase: Pending\nconditions:\n- {condition}\n"
    steps = [patch(f"metadata: {{annotations: {{{annotation(SIMULATED)}: null}}}}\n"), patch(template, "status")]
    return made("pod-trouble-over", expressions, steps)


def made(name: str, expressions: list[Manifest], steps: list[Manifest], **more: Any) -> Manifest:
    reference = {"apiGroup": "v1", "kind": "Pod"}
    spec = {"resourceRef": reference, "selector": {"matchExpressions": expressions}} | more | {"steps": steps}
    return {"apiVersion": "kwok.x-k8s.io/v1alpha1", "kind": "Stage", "metadata": {"name": name}, "spec": spec}


def patch(template: str, subresource: str = "") -> Manifest:
    where = {"subresource": subresource, "root": subresource} if subresource else {}
    return {"patch": where | {"type": "merge", "template": template}}


def annotation(key: str) -> str:
    """Return the annotation that a jq expression reads."""
    return key.split('"')[1]


def concerns(event: Manifest, pod: Manifest) -> bool:
    """Return whether an event tells of a pod's trouble."""
    about = event["involvedObject"]
    return (about["kind"], about["name"]) == ("Pod", pod["metadata"]["name"]) and event["reason"] not in LEFT_OUT


class Template:
    """Writes what was recorded of a pod as a template, in which the names of the simulated pod replace its own."""

    def __init__(self, pod: Manifest) -> None:
        metadata, spec = pod["metadata"], pod["spec"]
        self.pod, namespace = pod, re.escape(metadata["namespace"])
        first = (spec.get("initContainers") or [{"name": "first"}])[0]["name"]
        self.replaced = [
            (re.escape(metadata["name"]), "{{ $.metadata.name }}"),
            (re.escape(metadata["uid"]), "{{ $.metadata.uid }}"),
            (rf"(?<=_){namespace}(?=\()|(?<= ){namespace}(?=/)", "{{ $.metadata.namespace }}"),
            (rf"{recordings.TIME[:-1]}(?:\.\d+)?Z", "{{ Now }}"),
            (re.escape(recordings.ADDRESS), "{{ $.status.podIP }}"),
            (rf"\[{first}\]", names("initContainers")),
            (r"\[main\]", names("containers")),
        ]
        self.containers = [*spec.get("initContainers", []), *spec["containers"]]

    def text(self, value: str, scope: str) -> str:
        """Return a string as a line, or as several where it is long."""
        found = json.dumps(value, ensure_ascii=False)
        for pattern, replacement in self.replaced:
            found = re.sub(pattern, lambda _match, text=replacement: text, found)
        for container in self.containers:
            found = found.replace(f"container={container['name']}", f"container={{{{ {scope}.name }}}}")
            found = found.replace(f"container {container['name']} ", f"container {{{{ {scope}.name }}}} ")
            found = found.replace(container["image"], f"{{{{ {scope}.image }}}}")
        return found

    def status(self) -> str:
        """Return the status of a pod; the API server has written the class of its quality of service."""
        return "".join(
            f"{line}\n"
            for key, value in self.pod["status"].items()
            if key != "qosClass"
            for line in self.part(key, value)
        )

    def part(self, key: str, value: Any) -> Iterator[str]:
        if key in ADDRESSES:
            yield ADDRESSES[key]
        elif key in ("containerStatuses", "initContainerStatuses"):
            yield f"{key}:"
            yield f"{{{{ range .spec.{key.replace('Statuses', 's')} }}}}"
            yield from self.container(value[0])
            yield "{{ end }}"
        elif key == "observedGeneration":
            yield "observedGeneration: {{ .metadata.generation }}"
        else:
            yield from self.block({key: value}, "", "")

    def container(self, entry: Manifest) -> Iterator[str]:
        lines: list[str] = []
        for key, value in entry.items():
            lines += REPEATED[key].split("\n") if key in REPEATED else self.block({key: value}, "", "")
        yield from (("- " if number == 0 else "  ") + line for number, line in enumerate(lines))

    def block(self, value: Any, indent: str, scope: str) -> Iterator[str]:
        """Return a map or list as lines of YAML."""
        for key, inner in value.items() if isinstance(value, dict) else ((None, inner) for inner in value):
            if key == "observedGeneration":
                yield f"{indent}observedGeneration: {{{{ $.metadata.generation }}}}"
            elif key is None and isinstance(inner, dict):
                lines = list(self.block(inner, f"{indent}  ", scope))
                yield f"{indent}- {lines[0].lstrip()}"
                yield from lines[1:]
            elif isinstance(inner, dict | list) and inner:
                yield f"{indent}{key}:"
                yield from self.block(inner, f"{indent}  ", scope)
            else:
                start = "-" if key is None else f"{key}:"
                text = self.text(inner, scope) if isinstance(inner, str) else json.dumps(inner)
                yield from folded(f"{indent}{start} {text}", f"{indent}  ")

    def event(self, item: Manifest, number: int) -> str:
        """Return an event about the first container of a pod."""
        about = {"apiVersion": "v1", "kind": "Pod", "name": "", "namespace": "", "uid": ""} | item["involvedObject"]
        path = about.pop("fieldPath", "")
        event = {key: value for key, value in item.items() if key not in ("metadata", "involvedObject")}
        if event.get("source", {}).get("host"):
            event["source"] = {"component": event["source"]["component"], "host": "NODE"}
        if event.get("reportingInstance"):
            event["reportingInstance"] = "NODE"
        kind = "initContainers" if "initContainers" in path else "containers"
        lines = list(self.block(event, "", "$container"))
        lines += ["involvedObject:", *(f"  {key}: {ABOUT.get(key, value)}" for key, value in about.items())]
        if path:
            lines.append(f'  fieldPath: {{{{ printf "spec.{kind}{{%s}}" $container.name | Quote }}}}')
        lines += [
            "metadata:",
            f"  name: {{{{ .metadata.name }}}}.simulated-{number}",
            f"  namespace: {ABOUT['namespace']}",
        ]
        text = "".join(f"{line}\n" for line in lines).replace('"NODE"', "{{ .spec.nodeName | Quote }}")
        head = f"{{{{ $container := index .spec.{kind} 0 }}}}\n"
        return head + text


ABOUT = {key: f"{{{{ .metadata.{key} | Quote }}}}" for key in ("name", "namespace", "uid")}


def names(kind: str) -> str:
    """Return a template of the names of containers, as a condition lists them."""
    space = '{{ if $i }}{{ " " }}{{ end }}'
    return f"[{{{{ range $i, $c := $.spec.{kind} }}}}{space}{{{{ $c.name }}}}{{{{ end }}}}]"


def folded(line: str, indent: str) -> Iterator[str]:
    """Return a line as several, broken at single spaces outside of the actions of its template."""
    words = re.findall(r"(?:\{\{.*?\}\}|[^ ])+| +", line.lstrip())
    current = line[: len(line) - len(line.lstrip())]
    for word, following in zip(words, [*words[1:], ""], strict=True):
        if word == " " and len(current) + len(following) > WIDTH and current.strip():
            yield current
            current = indent
        else:
            current += word
    yield current


class Dumper(recordings.Dumper):
    """Writes templates as they are."""


def literal(dumper: Dumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


Dumper.add_representer(str, literal)


def text() -> str:
    """Return the file."""
    items = {"apiVersion": "v1", "kind": "List", "items": stages()}
    return HEADER + yaml.dump(items, Dumper=Dumper, sort_keys=False, width=WIDTH)


def write() -> None:
    """Write the file; while a recording is missing it stays as it is."""
    if all((recordings.FOLDER / name).is_dir() for name, trouble in TROUBLES.items() if trouble.by_stage):
        FILE.write_text(text())
