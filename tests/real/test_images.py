# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The programs of all images run, as the user of the manifests, on a root file system that is read-only."""

from __future__ import annotations

import re
from typing import Any

import pytest

from .node import images
from .node.cluster import Node
from .node.image_names import argocd_before_manifest, argocd_containers, cnpg_containers, containers, tag, variables
from .node.processes import eventually

pytestmark = pytest.mark.harms_node

# PostgreSQL without a server: an extension of its own, and the stub, in a database of the pod's user.
POSTGRESQL = """
postgres --version
initdb --pgdata /tmp/data --locale-provider builtin --builtin-locale C.UTF-8 > /dev/null
postgres --single -D /tmp/data -c shared_preload_libraries=supabase_vault postgres <<'SQL'
create extension supabase_vault
create extension pg_stat_statements
select string_agg(extname, ' ' order by extname) from pg_extension
SQL
"""

# The stubs, of which one asks the other.
MINIO = """
export MINIO_ROOT_USER=root MINIO_ROOT_PASSWORD=password MC_HOST_minio=http://root:password@127.0.0.1:9000
minio server /tmp/data --console-address :9001 &
mc mb --ignore-existing minio/bucket
ls /tmp/data/buckets
"""


def shell(script: str) -> dict[str, Any]:
    """Return how a script starts. What it writes to stderr would come to the log before or after what it means."""
    return {"command": ["sh", "-euc", f"exec 2>&1\n{script}"]}


def expected() -> dict[str, tuple[int, dict[str, Any], str]]:
    """Return for each image the user, how it starts, and what it prints."""
    argocd, before, names = argocd_containers(), containers(argocd_before_manifest()), variables()
    tools = "argocd version --client --short; git --version; gpg --version; ssh -V; kustomize version; tini --version"
    setup = "temporal-sql-tool --help; temporal --version; ls /etc/temporal/schema/postgresql/v12/temporal/versioned"
    return {
        name: (999, shell(tools), rf"argocd: {re.escape(tag(name))}.*git version .*gpg .*OpenSSH.*v5\..*tini version")
        for name in (argocd["argocd-server"], before["argocd-server"])
    } | {
        argocd["redis"]: (999, {"args": ["--version"]}, "Redis server v="),
        argocd["dex"]: (1001, {"command": ["echo", "nothing but busybox"]}, "nothing but busybox"),
        names["api_image"]: (65534, {"args": ["-V"]}, r"socat version 1\."),
        names["maildev_image"]: (1000, {"args": ["--version"]}, re.escape(tag(names["maildev_image"]))),
        names["minio_image"]: (1000, shell(MINIO), r"A stub of MinIO serves /tmp/data on :9000\..*\bbucket$"),
        names["common_postgresql_image"]: (26, shell(POSTGRESQL), r"17\..*pg_stat_statements plpgsql supabase_vault"),
        names["temporal_server_image"]: (
            1000,
            shell("temporal-server --version; dockerize -template config/config_template.yaml:/tmp/c; cat /tmp/c"),
            rf"temporal version {re.escape(tag(names['temporal_server_image']))}.*numHistoryShards: 4",
        ),
        names["temporal_auto_setup_image"]: (1000, shell("temporal-server --version; " + setup), r"version.*v1\.0"),
        names["temporal_admin_tools_image"]: (1000, shell(setup), r"setup-schema.*temporal version.*v1\.0"),
        names["temporal_ui_image"]: (5000, shell("./ui-server --version"), re.escape(tag(names["temporal_ui_image"]))),
        cnpg_containers()["manager"]: (10001, {"args": ["version"]}, re.escape(tag(cnpg_containers()["manager"]))),
        images.COREDNS: (65534, {"args": ["-version"]}, r"CoreDNS-1\."),
        images.BUSYBOX: (65534, {"args": ["uname"]}, "Linux"),
    }


def pod(name: str, image: str, user: int, start: dict[str, Any]) -> dict[str, Any]:
    container = {"name": "main", "image": image, "imagePullPolicy": "Never"} | start
    container["securityContext"] = {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    container["volumeMounts"] = [{"name": "tmp", "mountPath": "/tmp"}]  # noqa: S108
    security = {"runAsUser": user, "runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    spec = {"containers": [container], "securityContext": security, "volumes": [{"name": "tmp", "emptyDir": {}}]}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name},
        "spec": spec | {"restartPolicy": "Never", "terminationGracePeriodSeconds": 0},
    }


def test_the_programs_of_each_image_run(node: Node, namespace: str) -> None:
    """Every pod runs in the image `pause`, which has no other program."""
    starts = expected()
    assert {*starts, images.PAUSE} == {image.name for image in images.table()}
    pods = {name: f"pod-{number}" for number, name in enumerate(starts)}
    made = [pod(pods[name], name, user, start) for name, (user, start, _pattern) in starts.items()]
    node.apply(*({**item, "metadata": item["metadata"] | {"namespace": namespace}} for item in made))

    def ended() -> bool:
        found = node.get("pods", namespace=namespace)["items"]
        return all(item["status"].get("phase") in ("Succeeded", "Failed") for item in found)

    eventually(ended, "pods of all images")
    said = {name: node.kubectl("logs", pods[name], "-n", namespace) for name in pods}
    wrong = {name: said[name] for name, start in starts.items() if not re.search(start[-1], said[name], re.DOTALL)}
    assert not wrong
