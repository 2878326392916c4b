# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A provisioner of volumes: each is a folder on the node, or a file system in memory of the size that a claim asks for.

Volumes are of the kind `local`, because Kubernetes sets the owner of their files as a pod asks for. The size of a
folder is only a number. While this process is stopped claims stay unbound.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

from kubernetes import client, config, watch
from kubernetes.utils import parse_quantity

PROVISIONER = "gitops-real-node/folder"
SELECTED = "volume.kubernetes.io/selected-node"
PROVISIONED_BY = "pv.kubernetes.io/provisioned-by"


def volume(claim: Any, folder: Path) -> dict[str, Any]:
    """Return the volume of a claim, on the node that the scheduler has chosen for its pod."""
    meta, spec = claim.metadata, claim.spec
    node = meta.annotations[SELECTED]
    term = {"matchExpressions": [{"key": "kubernetes.io/hostname", "operator": "In", "values": [node]}]}
    return {
        "metadata": {"name": f"pvc-{meta.uid}", "annotations": {PROVISIONED_BY: PROVISIONER}},
        "spec": {
            "accessModes": spec.access_modes,
            "capacity": {"storage": spec.resources.requests["storage"]},
            "claimRef": {
                "apiVersion": "v1",
                "kind": "PersistentVolumeClaim",
                "name": meta.name,
                "namespace": meta.namespace,
                "uid": meta.uid,
            },
            "local": {"path": str(folder / f"pvc-{meta.uid}")},
            "nodeAffinity": {"required": {"nodeSelectorTerms": [term]}},
            "persistentVolumeReclaimPolicy": "Delete",
            "storageClassName": spec.storage_class_name,
            "volumeMode": spec.volume_mode,
        },
    }


class Provisioner:
    """Creates and removes the volumes of the StorageClasses that name this provisioner."""

    def __init__(self, kubeconfig: Path, folder: Path) -> None:
        self.folder = folder
        config.load_kube_config(str(kubeconfig))
        self.core, self.storage = client.CoreV1Api(), client.StorageV1Api()

    def provide(self, claim: Any) -> None:
        """Create the volume of a claim that has none."""
        annotations = claim.metadata.annotations or {}
        if claim.spec.volume_name or SELECTED not in annotations or not claim.spec.storage_class_name:
            return
        storage_class = self.storage.read_storage_class(claim.spec.storage_class_name)
        if storage_class.provisioner != PROVISIONER:
            return
        path = self.folder / f"pvc-{claim.metadata.uid}"
        path.mkdir(parents=True, exist_ok=True)
        if (storage_class.parameters or {}).get("medium") == "memory" and not path.is_mount():
            size = int(parse_quantity(claim.spec.resources.requests["storage"]))
            run("mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", path)
        path.chmod(0o777)  # a pod need not say which user it is
        self.core.create_persistent_volume(volume(claim, self.folder))

    def remove(self, found: Any) -> None:
        """Remove a volume whose claim is gone."""
        annotations = found.metadata.annotations or {}
        if annotations.get(PROVISIONED_BY) != PROVISIONER or found.status.phase != "Released":
            return
        if found.spec.persistent_volume_reclaim_policy == "Delete":
            path = Path(found.spec.local.path)
            if path.is_mount():
                run("umount", path)
            shutil.rmtree(path, ignore_errors=True)
            self.core.delete_persistent_volume(found.metadata.name)

    def follow(self, name: str) -> None:
        """Look at every claim or volume again whenever it changes."""
        listing, act = {
            "claims": (self.core.list_persistent_volume_claim_for_all_namespaces, self.provide),
            "volumes": (self.core.list_persistent_volume, self.remove),
        }[name]
        while True:
            try:
                for event in watch.Watch().stream(listing, timeout_seconds=300):
                    try:
                        act(event["object"])
                    except client.ApiException as error:
                        if error.status not in (404, 409):  # gone meanwhile, or seen before
                            print(error, flush=True)
            except Exception as error:  # the API server restarts
                print(error, flush=True)
                time.sleep(1)


def run(*command: str | Path) -> None:
    """Run a program."""
    subprocess.run(command, check=True)


def main() -> None:
    """Provide volumes until this process is ended."""
    folder = Path(sys.argv[1])
    provisioner = Provisioner(folder / "pki" / "admin.kubeconfig", folder / "volumes")
    threading.Thread(target=provisioner.follow, args=("volumes",), daemon=True).start()
    provisioner.follow("claims")


if __name__ == "__main__":
    main()
