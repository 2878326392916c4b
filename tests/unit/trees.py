# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Trees of monorepos made at random: names, layers, layouts, environments, Helm, generators, patches, broken files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import yaml
from hypothesis import strategies as st

Files = dict[str, str]

# Of roles, of nothing, and some that no Application can have.
ROLES = {"maildev": "infra", "auth": "services", "external-secrets": "infra"}
NAMES = st.one_of(
    st.sampled_from(sorted(ROLES)),
    st.from_regex(r"[a-z][a-z0-9-]{0,8}[a-z0-9]", fullmatch=True),
    st.sampled_from(["My_App", "a b", "ünïcode", "-dash", "x;y", "{{ x }}", "#hash", "a'b"]),
)
# Texts that mean something to YAML, Ansible or a shell.
TEXTS = st.one_of(
    st.sampled_from(
        ["{{ lookup('pipe', 'touch /tmp/never') }}", "$(id)", "a: b # c", "=", "2024-01-01", "yes", "", "\u2028x"]
    ),
    st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), max_size=12),
)


def dumped(*documents: Any) -> str:
    return yaml.safe_dump_all(documents, allow_unicode=True)


def kustomization(*resources: str, **more: Any) -> str:
    return dumped({"resources": list(resources)} | more)


def workload(name: str, image: str, replicas: int) -> dict[str, Any]:
    labels = {"app.kubernetes.io/name": {"auth": "socat-auth"}.get(name, name)}
    container = {"name": "socat-auth" if name == "auth" else "main", "image": image}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
    spec = {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template}
    title = {"auth": "socat-auth"}.get(name, name if name.isascii() and name.isalnum() else "web")
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": title}, "spec": spec}


def settings(text: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings"}, "data": {"text": text}}


CHART = {
    "Chart.yaml": "apiVersion: v2\nname: x\nversion: 0.1.0\n",
    "templates/x.yaml": "{{- if .Values.x }}\nkind: X\n{{- end }}\n",
}
CRD = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "things.example.com"},
    "spec": {
        "group": "example.com",
        "scope": "Cluster",
        "names": {"kind": "Thing", "plural": "things"},
        "versions": [
            {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": {"type": "object"}}}
        ],
    },
}
THING = {"apiVersion": "example.com/v1", "kind": "Thing", "metadata": {"name": "thing"}}

# What a component may be: the files of its base, and those of an overlay, whose base is at ../../base.
Form = Callable[[str, str, int], tuple[Files, Files]]


def plain(name: str, text: str, number: int) -> tuple[Files, Files]:
    base = {"kustomization.yaml": kustomization("web.yaml"), "web.yaml": dumped(workload(name, "web:1", number))}
    return base, {"kustomization.yaml": kustomization("BASE"), "notes.md": text}


def patched(name: str, text: str, number: int) -> tuple[Files, Files]:
    base, _overlay = plain(name, text, number)
    patch = workload(name, "web:2", number) | {"spec": {"replicas": number + 1}}
    more = {
        "patches": [{"target": {"kind": "Deployment"}, "patch": dumped([])}],
        "patchesStrategicMerge": ["patch.yaml"],
    }
    return base, {"kustomization.yaml": kustomization("BASE", **more), "patch.yaml": dumped(patch)}


def generated(name: str, text: str, number: int) -> tuple[Files, Files]:
    generator = [{"name": "settings", "literals": [f"number={number}"], "files": ["text.txt"]}]
    secret = [{"name": "login", "literals": ["password=secret"]}]
    own = kustomization("BASE", configMapGenerator=generator, secretGenerator=secret)
    return plain(name, text, number)[0], {"kustomization.yaml": own, "text.txt": text}


def defined(_name: str, text: str, _number: int) -> tuple[Files, Files]:
    base = {"kustomization.yml": kustomization("x.yaml"), "x.yaml": dumped(CRD, THING, settings(text))}
    return base, {"Kustomization": kustomization("BASE")}


def chart(_name: str, _text: str, _number: int) -> tuple[Files, Files]:
    return {}, CHART


def inflated(_name: str, _text: str, number: int) -> tuple[Files, Files]:
    charts = [{"name": "x", "repo": "https://charts.invalid", "version": f"{number}.0.0"}]
    return {}, {"kustomization.yaml": dumped({"helmCharts": charts})}


def folder(name: str, text: str, number: int) -> tuple[Files, Files]:
    return {}, {"web.yaml": dumped(workload(name, "web:1", number)), "settings.yaml": dumped(settings(text))}


def broken(_name: str, text: str, _number: int) -> tuple[Files, Files]:
    return {"kustomization.yaml": f"resources: [{text}"}, {"kustomization.yaml": kustomization("BASE")}


def incomplete(_name: str, _text: str, _number: int) -> tuple[Files, Files]:
    crd = CRD | {"spec": {"group": "example.com"}}
    return {}, {"kustomization.yaml": kustomization("x.yaml"), "x.yaml": dumped(crd)}


FORMS: list[Form] = [plain, patched, generated, defined, chart, inflated, folder, broken, incomplete]


@dataclass(frozen=True)
class Part:
    """A component of a tree; `layout` is ours, or how its base and its overlays lie, or what else there is.

    That is another folder of overlays beside ours, overlays in each of its overlays, or a list that names its overlays.
    """

    name: str
    layer: str
    layout: str
    form: Form
    environments: tuple[str, ...]
    text: str
    number: int

    def files(self) -> Files:
        """Return its files."""
        base, overlay = self.form(self.name, self.text, self.number)
        ours = ("argocd/{layer}/{name}/base", "argocd/{layer}/{name}/envs/{environment}", "../../base")
        own = ("{layer}/{name}/base", "{layer}/{name}/overlays/{environment}", "../../base")
        places = {
            **dict.fromkeys(("ours", "beside"), ours),
            **dict.fromkeys(("own", "nested", "listed"), own),
            "shared": ("{layer}/base/{name}", "{layer}/overlays/{environment}/{name}", "../../../base/{name}"),
        }
        at, over, reference = places[self.layout]
        found = {f"{at.format(**vars(self))}/{file}": content for file, content in base.items()}
        for environment in self.environments:
            place = over.format(environment=environment, **vars(self))
            reference = reference.format(**vars(self))
            folders = [place, *([place.replace("/envs/", "/overlays/")] if self.layout == "beside" else [])]
            for file, content in overlay.items():
                found |= {f"{folder}/{file}": content.replace("BASE", reference) for folder in folders}
            if self.layout == "nested":
                found[f"{self.inner(environment)}/overlays/dev/kustomization.yaml"] = kustomization()
        if self.layout == "listed":
            overlays = [f"../../{over.format(environment=entry, **vars(self))}" for entry in self.environments]
            found[self.list_file()] = kustomization(*overlays)
        return found

    def inner(self, environment: str) -> str:
        """Return the component in an overlay."""
        return f"{self.layer}/{self.name}/overlays/{environment}/inner"

    def list_file(self) -> str:
        """Return the file that names its overlays, in a folder that no command may have."""
        return f"x;touch evil;/{self.layer} {self.name}/kustomization.yaml"


PARTS = st.builds(
    Part,
    name=NAMES,
    layer=st.sampled_from(["infra", "services"]),
    layout=st.sampled_from(["ours", "ours", "own", "shared", "beside", "nested", "listed"]),
    form=st.sampled_from(FORMS),
    environments=st.sampled_from([("dev",), ("dev", "prod"), ("prod",)]),
    text=TEXTS,
    number=st.integers(0, 3),
)
TREES = st.lists(PARTS, max_size=6, unique_by=lambda part: (part.layer, part.name)).map(
    # There is always something to describe.
    lambda parts: [Part("fixed", "services", "ours", plain, ("dev",), "", 1), *parts]
)
