# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A tree that people wrote, deployed by its own ApplicationSets, is taken over without deleting any object."""

from __future__ import annotations

import json
import re
import subprocess
import time

import pytest
import seed_tree
import yaml
from ansible_collections.monorepo.gitops.plugins.module_utils._repository.upstream import stand_in

from .conftest import ARGO, ROOT, Environment, applications, existing, runbook, temporary, words

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
    with temporary(environment):
        started = environment.playbook("playbooks/rehearsal.yml", "-e", json.dumps(stages))
        assert started.returncode == 0, started.stdout
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


@pytest.fixture(scope="module")
def described(seed):
    """Describe the deployed tree, and return the inventory and what was printed."""
    commit, writes = head(seed), len(seed.writes())
    said = describe(seed)
    assert (head(seed), len(seed.writes())) == (commit, writes)
    assert "Written: adopted.yml" in said
    return (seed.inventory.parent.parent / "adopted.yml").read_text(), said


def test_the_seed_becomes_an_inventory_of_what_roles_render(described, seed):
    found = yaml.safe_load(described[0])
    assert {name: value for name, value in found.items() if not name.endswith("_resources")} == {
        "gitops_environment": "dev",
        "gitops_repo_url": seed.url,
        "gitops_domain": "127.0.0.1.nip.io",
        "gitops_gateway_name": "cilium-gateway",
        "gitops_components": ["cert-manager", "cnpg-system", "kafka", "strimzi", "api", "auth"],
        "cert_manager_ca_common_name": "monorepo-ca",
        "cert_manager_ca_duration": "43800h",
        "kafka_config": {"log.retention.hours": 48},
        "kafka_connect_replicas": 2,
        "kafka_storage_size": "20Gi",
        "api_service_name": "api-gateway",
        "api_service_port": 8000,
        "auth_image": "alpine/socat:1.8.0.1",
        "auth_replicas": 2,
    }


def test_what_stays_is_named_with_the_reason(described):
    comments = " ".join(line.lstrip("# ") for line in described[0].splitlines() if line.startswith("#  "))
    reasons = re.findall(r"(\S+/\S+): ((?:its|it|spec)\b.*?)(?= (?:infra|services)/\S+: |$)", comments)
    fixed = "A living object cannot change that."
    assert dict(reasons) == {
        "infra/external-secrets": "its role would delete Namespace external-secrets-system, "
        "Deployment external-secrets-system/external-secrets, "
        "Deployment external-secrets-system/external-secrets-cert-controller, "
        "Deployment external-secrets-system/external-secrets-webhook",
        "infra/kafka-ui": "spec.selector of Deployment kafka-ui/kafka-ui is app=kafka-ui and would be "
        f"app.kubernetes.io/name=kafka-ui. {fixed}",
        "infra/maildev": "its role would delete Service maildev/maildev",
        "infra/minio": "it depends on external-secrets, which no role renders here",
        "infra/reflector": "its role would delete ConfigMap reflector/reflector-config, "
        "ServiceAccount reflector/reflector, ClusterRole reflector, ClusterRoleBinding reflector",
        "services/common": "its role would delete Certificate services/services-tls",
        "services/temporal": "spec.selector of Deployment services/temporal is app=temporal and would be "
        f"app.kubernetes.io/component=server, app.kubernetes.io/name=temporal. spec.selector of Deployment "
        f"services/temporal-ui is app=temporal-ui and would be app.kubernetes.io/name=temporal-ui. {fixed}",
    }


def test_the_rest_is_a_difference_of_built_objects(described):
    lines = [line.strip() for line in described[1].splitlines()]
    assert lines[lines.index("services/auth: the first run would") + 1 :][:4] == [
        "change Service services/socat-auth",
        "metadata.labels.app.kubernetes.io/name: (none) -> socat-auth",
        "metadata.labels.app.kubernetes.io/part-of: (none) -> auth",
        "spec.ports[http].protocol: (none) -> TCP",
    ]
    assert "spec.parentRefs[cilium-gateway].sectionName: (none) -> http" in lines
    assert not [line for line in lines if ".image:" in line or ".size:" in line or "hostnames" in line]


def test_the_tree_is_taken_over_without_one_deleted_object(described, seed):
    before, commit, text = uids(seed), head(seed), described[0]
    assert len(before) > 60
    assert all(before.values())
    (seed.inventory / "group_vars" / "all" / "adopted.yml").write_text(text)
    adopted = yaml.safe_load(text)["gitops_components"]
    # Pods that people wrote may do more than the strictest standard allows; a real cluster warns.
    settings = existing(seed, gitops_repo_url=seed.url, gitops_adopt=[*adopted, "argocd"], gitops_pod_security="warn")
    said = words(seed.playbook("site.yml", *settings))
    assert "deletes 0 Applications, and prunes 0 objects" in said
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
    return git(environment, "rev-parse", "main").strip()
