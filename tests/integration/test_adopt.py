# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A tree that people wrote, deployed by its own ApplicationSets, is taken over without one deleted object."""

from __future__ import annotations

import json
import subprocess
import time

import pytest
import seed_tree
import yaml
from ansible_collections.monorepo.gitops.plugins.module_utils._repository.upstream import stand_in

from .conftest import ARGO, ROOT, Environment, applications, existing, runbook, take_down, words

COMPONENTS = sorted(path.name for path in seed_tree.SEED.glob("argocd/*/*") if (path / "envs" / "dev").is_dir())
READY = {name: ["Synced", "Healthy"] for name in COMPONENTS}
# What the cluster has before anything is deployed: a Gateway and its controller, which a rehearsal simulates, and the
# pods behind the route of the API.
PRESENT = [
    {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "services"}},
    {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "api-gateway", "namespace": "services"},
        "spec": {"ports": [{"port": 8000}]},
    },
    {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "gateway"}},
    {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "GatewayClass",
        "metadata": {"name": "cilium"},
        "spec": {"controllerName": "io.cilium/gateway-controller"},
    },
    {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "Gateway",
        "metadata": {"name": "cilium-gateway", "namespace": "gateway"},
        "spec": {
            "gatewayClassName": "cilium",
            "listeners": [
                {"name": name, "port": port, "protocol": protocol, "allowedRoutes": {"namespaces": {"from": "All"}}}
                | ({"tls": {"mode": "Passthrough"}} if protocol == "TLS" else {})
                for name, port, protocol in (("http", 80, "HTTP"), ("kafka", 9094, "TLS"))
            ],
        },
    },
]


def kubectl(environment, *args, objects=()):
    command = [environment.binary("kubectl"), f"--kubeconfig={environment.status['kubeconfig']}", *args]
    text = yaml.safe_dump_all(objects) if objects else None
    done = subprocess.run(command, input=text, text=True, check=False, capture_output=True)
    assert done.returncode == 0, done.stderr


def crds(component):
    """Return the CRDs that the official manifest of a component brings."""
    found = yaml.safe_load((ROOT / "roles" / component / "vars" / "main.yml").read_text())[f"{component}_component"]
    return stand_in(found["upstream"] | {"stand_in_deployments": []}, "")


def states(environment):
    """Return what Argo CD says of each Application."""
    items = environment.live(f"{ARGO}/applications")["items"]
    found = [(item["metadata"]["name"], item.get("status") or {}) for item in items]
    return {name: [status.get(key, {}).get("status") for key in ("sync", "health")] for name, status in found}


def uids(environment):
    """Return the UID of each object that an Application has deployed, and those of the Applications."""
    api, found = environment.api(), dict(applications(environment))
    for application in environment.live(f"{ARGO}/applications")["items"]:
        for entry in application["status"]["resources"]:
            metadata = {key: entry[key] for key in ("name", "namespace") if entry.get(key)}
            version = "/".join(filter(None, (entry.get("group"), entry["version"])))
            item = environment.live(api.path({"apiVersion": version, "kind": entry["kind"], "metadata": metadata}))
            found[(entry.get("group", ""), entry["kind"], *metadata.values())] = item["metadata"]["uid"] if item else ""
    return found


@pytest.fixture(scope="module")
def seed(tmp_path_factory):
    """Deploy the tree by hand: Argo CD with kubectl, and the ApplicationSets of the tree."""
    folder = tmp_path_factory.mktemp("seed")
    environment = Environment(folder, gitops_environment="dev")
    # Of the inventory nothing is known yet.
    for file in (environment.inventory / "group_vars" / "all").glob("*.yml"):
        if file.name != "zz_test.yml":
            file.unlink()
    stages = {"rehearsal_cluster_stages": [str(path) for path in sorted(ROOT.glob("roles/*/files/stages/*.yaml"))]}
    started = environment.playbook("playbooks/rehearsal.yml", "-e", json.dumps(stages))
    assert started.returncode == 0, started.stdout
    try:
        environment.find_cluster()
        work, bare = seed_tree.write(folder / "work"), folder / "monorepo.git"
        environment.url = f"file://{bare}"
        sets = sorted((work / "argocd" / "appsets" / "dev").iterdir())
        for file in sets:
            file.write_text(file.read_text().replace(seed_tree.URL, environment.url))
        seed_tree.commit(work)
        subprocess.run(["git", "clone", "-q", "--bare", work, bare], check=True)
        kubectl(environment, "create", "namespace", "argocd")
        manifest = environment.binary("../argocd/v3.6.1/install.yaml")
        kubectl(environment, "apply", "--server-side", "--namespace=argocd", f"--filename={manifest}")
        definitions = [
            crd
            for role in ("gateway", "cert_manager", "cnpg_system", "external_secrets", "strimzi")
            for crd in crds(role)
        ]
        kubectl(environment, "apply", "--server-side", "--filename=-", objects=definitions)
        kubectl(environment, "wait", "--for=condition=Established", "crd", "--all", "--timeout=60s")
        kubectl(environment, "apply", "--server-side", "--filename=-", objects=PRESENT)
        environment.rehearsal("argocd_started")
        kubectl(environment, "apply", *(f"--filename={file}" for file in sets))
        deadline = time.monotonic() + 400
        while states(environment) != READY:
            assert time.monotonic() < deadline, states(environment)
            time.sleep(1)
        yield environment
    finally:
        take_down(environment)


def describe(environment):
    """Run the command of the page without any inventory, and return what it said."""
    settings = {
        "component_rehearsal": True,
        "component_stand_in": "always",
        "gitops_kustomize_command": [str(environment.binary("kustomize")), "build"],
    }
    (command,) = runbook("adopt", **{seed_tree.URL: environment.url})
    arguments = environment.command(command[1], *command[2:], "-e", json.dumps(settings))
    at = arguments["args"].index("-i")
    del arguments["args"][at : at + 2]
    done = subprocess.run(**arguments, capture_output=True, text=True, timeout=800, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr
    return done.stdout


def test_the_tree_is_taken_over_without_one_deleted_object(seed):
    before, commit = uids(seed), head(seed)
    assert len(before) > 60
    assert all(before.values())
    writes = len(seed.writes())
    said = describe(seed)
    assert (head(seed), len(seed.writes())) == (commit, writes)
    file = seed.inventory.parent.parent / "adopted.yml"
    found = yaml.safe_load(file.read_text())
    assert "Written: adopted.yml" in said
    assert found["gitops_repo_url"] == seed.url
    (seed.inventory / "group_vars" / "all" / "adopted.yml").write_text(file.read_text())
    adopted = found["gitops_components"]
    assert {"auth", "cert-manager", "cnpg-system", "kafka", "strimzi"} <= set(adopted) < set(COMPONENTS)
    # Pods that people wrote may do more than the strictest standard allows; a real cluster warns.
    settings = existing(seed, gitops_repo_url=seed.url, gitops_adopt=[*adopted, "argocd"], gitops_pod_security="warn")
    text = words(seed.playbook("site.yml", *settings))
    assert "deletes 0 Applications, and prunes 0 objects" in text
    after = uids(seed)
    assert {key: uid for key, uid in before.items() if after.get(key) != uid} == {}
    assert states(seed) == READY
    projects = {
        item["metadata"]["name"]: item["spec"]["project"] for item in seed.live(f"{ARGO}/applications")["items"]
    }
    assert set(projects.values()) == {"infra", "services"}
    # What people wrote is as it was, and a second run changes nothing.
    changed = git(seed, "diff", "--name-only", commit, "main").splitlines()
    assert {name.split("/")[2] for name in changed} == {*adopted, "dev"}
    again = existing(seed, gitops_repo_url=seed.url, gitops_pod_security="warn")
    assert "changed=0 " in words(seed.playbook("site.yml", *again))


def git(environment, *args):
    command = ["git", "-C", environment.url.removeprefix("file://"), *args]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def head(environment):
    return git(environment, "rev-parse", "main")
