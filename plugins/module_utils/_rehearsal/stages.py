# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""KWOK Stages, which simulate nodes, pods, volumes and operators.

For use within the collection monorepo.gitops only.
"""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path
from typing import Any

from ansible_collections.monorepo.gitops.plugins.module_utils import _yaml
from ansible_collections.monorepo.gitops.plugins.module_utils._rehearsal.paths import Paths
from ansible_collections.monorepo.gitops.plugins.module_utils._rehearsal.programs import Programs

# Annotation on a simulated object that selects its behaviour.
SIMULATE = '.metadata.annotations["rehearsal.monorepo.gitops/simulate"]'
# The trouble of a pod: by that annotation, or by an image whose name says that it cannot be pulled. And what it shows.
TROUBLE = f'{SIMULATE} // ([.spec.containers[] | select(.image | test("rehearsal-fail")) | "wrong-image"][0])'
SIMULATED = '.metadata.annotations["rehearsal.monorepo.gitops/simulated"]'
# Troubles of pods that have run, and of those that the simulated kubelet does not let go.
LATER = ("evicted", "node-gone", "stuck-finalizer")
KEPT = ("node-gone", "stuck-finalizer")
# A P-256 key in PKCS #8, up to its 32 bytes.
PKCS8_P256 = bytes.fromhex("3041020100301306072a8648ce3d020106082a8648ce3d030107042730250201010420")


class Stages:
    """The Stages of one cluster."""

    def __init__(self, paths: Paths, programs: Programs) -> None:
        self.paths, self.programs = paths, programs

    def apply(self, stages: list[Path], storage_classes: list[str]) -> bool:
        """Apply KWOK's own and the given Stages and StorageClasses if they changed, and ensure that there is a node.

        Stages of an earlier run stay: a playbook that only reads from the cluster does not pass all of them.
        """
        path, applied = self.paths.folder / "stages.json", self.paths.folder / "stages.yaml"
        known: dict[str, str] = json.loads(path.read_text()) if path.exists() else {}
        own = sorted((self.paths.build / "stages").glob("*.yaml"))
        given = {source.name: adapted(source.read_text()) for source in own}
        given |= {source.name: source.read_text() for source in stages}
        given |= {f"storage-class-{name}.yaml": storage_class(name) for name in storage_classes}
        if known | given == known:
            return False
        texts = completed([*(known | given).values()], self._ca_key())
        applied.write_text("\n---\n".join(texts))
        self.programs.kubectl("apply", "--server-side", "--force-conflicts", "-f", applied)
        self._remove_others(texts)
        if not known:
            self.programs.kwokctl("scale", "node", "--replicas", "1")
        path.write_text(json.dumps(known | given))
        return True

    def _remove_others(self, texts: list[str]) -> None:
        """Remove Stages that a file no longer has; overlapping Stages would run in any order."""
        names = {f"stage.kwok.x-k8s.io/{stage['metadata']['name']}" for stage in stages_in(texts)}
        present = self.programs.kubectl("get", "stages", "-o", "name").split()
        others = {*present} - {"stage.kwok.x-k8s.io/stage-reload"} - names
        if others:
            self.programs.kubectl("delete", *sorted(others))

    def _ca_key(self) -> str:
        """Return the key of the CA with which Stages sign, in base64; created once per cluster and never in Git."""
        path = self.paths.folder / "stages-ca.key"
        if not path.exists():
            path.touch(mode=0o600)
            path.write_text(new_key())
        return path.read_text()


def new_key() -> str:
    """Return a private key in base64, as Stages that sign expect it."""
    return base64.b64encode(PKCS8_P256 + os.urandom(32)).decode()


def completed(texts: list[str], ca_key: str) -> list[str]:
    """Fill in what is different in each cluster: the key of the CA, and the groups of all that is simulated."""
    texts = [text.replace("REHEARSAL_CA_KEY", ca_key) for text in texts]
    groups = ", ".join(simulated_groups(texts))
    return [text.replace("REHEARSAL_GROUPS", groups) for text in texts]


def adapted(text: str) -> str:
    """Adapt KWOK's own Stages to a rehearsal.

    A pod that is told to have a trouble is left to the Stage of that trouble. Volumes of every StorageClass are
    provided, not only KWOK's own, and an annotation makes a claim fail or wait.
    """
    text = text.replace("{{ .spec.storageClassName", '{{ default "" .spec.storageClassName')
    stage = _yaml.load(text)
    if stage["kind"] != "Stage":
        return text
    expressions = [
        expression
        for expression in stage["spec"]["selector"]["matchExpressions"]
        if "kwok-volume" not in expression.get("cel", {}).get("expression", "")
    ]
    if stage["metadata"]["name"] == "pod-ready":
        later = " or ".join(f'. == "{name}"' for name in LATER)
        expressions.append({"key": f"({TROUBLE}) | select(({later}) | not)", "operator": "DoesNotExist"})
    if stage["metadata"]["name"] == "pod-complete":
        expressions.append({"key": TROUBLE, "operator": "DoesNotExist"})
    if stage["metadata"]["name"] == "pod-delete":
        expressions.append({"key": TROUBLE, "operator": "NotIn", "values": [*KEPT]})
    if stage["metadata"]["name"] == "pvc-provision":
        expressions.append({"key": SIMULATE, "operator": "NotIn", "values": ["fail"]})
        delay = {"jq": {"expression": f'if {SIMULATE} == "slow" then "20s" else "200ms" end'}}
        stage["spec"]["delay"] = {"durationFrom": delay}
    stage["spec"]["selector"]["matchExpressions"] = expressions
    return _yaml.dump(stage, sort_keys=False)


def storage_class(name: str) -> str:
    """Return a StorageClass whose volumes the Stages provide, as those of any other."""
    item = {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {"name": name},
        "provisioner": "kwok.x-k8s.io/volume",
        "volumeBindingMode": "Immediate",
    }
    return _yaml.dump(item)


def stages_in(texts: list[str]) -> list[dict[str, Any]]:
    """Return all Stages of the files, those in Lists too."""
    documents = [document for text in texts for document in _yaml.load_all(text) if document]
    items = [item for document in documents for item in document.get("items", [document])]
    return [item for item in items if item["kind"] == "Stage"]


def simulated_groups(texts: list[str]) -> list[str]:
    """Return the API groups of custom resources that the Stages simulate."""
    groups = {stage["spec"]["resourceRef"]["apiGroup"].split("/")[0] for stage in stages_in(texts)}
    return sorted(group for group in groups if "." in group) or ["none.invalid"]
