# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every component with the real upstream files: the real CRDs judge every object that we write.

Needs the official files, from a mirror (GITOPS_UPSTREAM_MIRROR) or from the internet, and says so when there are none.
"""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import time
from collections import Counter

import pod_standards
import pytest
import yaml
from ansible_collections.monorepo.gitops.plugins.module_utils._api import APPLY
from ansible_collections.monorepo.gitops.plugins.module_utils._environment.plan import CLUSTER_NAMESPACES
from flows_needed import OFFICIAL, ports_of
from kubernetes.utils.quantity import parse_quantity

from .conftest import MIRROR, ROOT, Environment, bring_up, temporary

APPLICATIONS = "/apis/argoproj.io/v1alpha1/namespaces/argocd/applications"
RESYNCS = 5
REFRESH = "argocd.argoproj.io/refresh"
READ_ORDERS = {"resource": {"type": "topic", "name": "orders", "patternType": "literal"}, "operations": ["Read"]}
# What no inventory sets, or not to this value.
UNUSUAL = {
    "api_host_aliases": [{"ip": "192.0.2.1", "hostnames": ["api.internal.example.com"]}],
    "auth_host_aliases": [{"ip": "192.0.2.1", "hostnames": ["auth.internal.example.com"]}],
    "cert_manager_acmesolver_image": "registry.example.com/acmesolver:1",
    "cert_manager_image_pull_policy": "Always",
    "cnpg_system_barman_cloud_sidecar_image": "registry.example.com/sidecar:1",
    "cnpg_system_image_pull_policy": "Always",
    "common_certificate_dns_names": ["db.example.com"],
    "common_drizzle_storage_class": "fast",
    "common_external_clusters": [{"name": "old", "connectionParameters": {"host": "old.example.com", "user": "app"}}],
    "common_mailer_credentials": "smtp",
    "common_storage_class": "fast",
    "external_secrets_image_pull_policy": "Always",
    "kafka_connect_image": "registry.example.com/connect:1",
    "kafka_external_authentication": "scram-sha-512",
    "kafka_image": "registry.example.com/kafka:1",
    "kafka_internal_authentication": "scram-sha-512",
    "kafka_storage_class": "fast",
    "kafka_topics": [{"name": "orders", "partitions": 6, "config": {"retention.ms": -1}}, {"name": "plain"}],
    "kafka_users": [
        {"name": "shop", "authentication": "scram-sha-512", "acls": [READ_ORDERS]},
        {"name": "guest", "authentication": "tls"},
    ],
    "minio_buckets": [
        {"name": "cnpg-backups", "credentials_namespaces": ["services"]},
        {"name": "archive", "versioning": True},
    ],
    "minio_storage_class": "fast",
    "reflector_excluded_namespaces": ["kube-system"],
    "reflector_image_pull_policy": "Always",
    "strimzi_env": {"STRIMZI_LOG_LEVEL": "DEBUG"},
    "strimzi_image_pull_policy": "Always",
    "strimzi_registry": "registry.example.com",
}
# The one official file without a pinned checksum is the plugin for backups: a stand-in replaces its Deployment, which
# keeps no rules, and the CRD of its custom resources, which the cluster of dev does not have.
STAND_IN, NOT_JUDGED = "barman-cloud", {"ObjectStore"}


@pytest.fixture(scope="module")
def real(tmp_path_factory):
    """Bring up every component of inventories/dev with the official files."""
    settings = {"component_stand_in": "never", "gitops_upstream_mirror": MIRROR}
    with temporary(Environment(tmp_path_factory.mktemp("real"), **settings)) as environment:
        if "cannot be read" in bring_up(environment).first.stdout and not MIRROR:
            pytest.skip("the official manifests cannot be downloaded here and GITOPS_UPSTREAM_MIRROR is not set")
        yield environment


@pytest.fixture(scope="module")
def objects(real):
    """Return what kustomize builds from Git for each component, each object with the namespace it gets."""
    assert real.first.returncode == 0, real.first.stdout[-5000:]
    api, built = real.api(), {}
    for entry in api.request("GET", APPLICATIONS)[1]["items"]:
        source, namespace = entry["spec"]["source"]["path"], entry["spec"]["destination"]["namespace"]
        items = build(real, real.folder / "clone" / source)
        for item in items:
            if api.resource(item)[1]:
                item["metadata"].setdefault("namespace", namespace)
            else:  # upstream's Reflector gives one to its ClusterRole; the API server drops it
                item["metadata"].pop("namespace", None)
        built[entry["metadata"]["name"]] = items
    return built


def build(real, overlay):
    """Return the objects of an overlay."""
    command = [real.binary("kustomize"), "build", overlay]
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return [item for item in yaml.load_all(text, Loader=yaml.CSafeLoader) if item]


def test_everything_becomes_synced_and_healthy(real, objects):
    assert sorted(objects) == sorted(real.components())
    assert {(entry["sync"], entry["health"]) for entry in real.report()["applications"]} == {("Synced", "Healthy")}


def test_git_has_the_official_files_byte_for_byte(real, objects):
    files = [name for name in real.git("ls-tree", "-r", "--name-only", "main").splitlines() if "upstream" in name]
    found = {hashlib.sha256(real.git_bytes("show", f"main:{name}")).hexdigest() for name in files}
    assert found == pins(objects)


def pins(objects):
    """Return the checksums that the roles pin."""
    defaults = [ROOT / "roles" / name.replace("-", "_") / "defaults" / "main.yml" for name in objects]
    variables = {name: value for path in defaults for name, value in yaml.safe_load(path.read_text()).items()}
    return {value for name, value in variables.items() if name.endswith("_sha256") and value}


def test_every_namespace_is_in_git_once_and_outlives_its_component(objects):
    items = [item for each in objects.values() for item in each]
    found = {item["metadata"]["name"]: item["metadata"] for item in items if item["kind"] == "Namespace"}
    assert len(found) == sum(item["kind"] == "Namespace" for item in items)
    used = {item["metadata"].get("namespace") for item in items}
    assert used - {None} - CLUSTER_NAMESPACES == found.keys()
    options = {name: item["annotations"]["argocd.argoproj.io/sync-options"] for name, item in found.items()}
    assert set(options.values()) == {"Prune=false,Delete=false"}


def test_operators_have_the_labels_ports_and_webhooks_from_which_their_flows_were_derived(real):
    for component, recorded in yaml.safe_load(OFFICIAL.read_text()).items():
        text = real.git("show", f"main:argocd/infra/{component}/base/upstream.yaml")
        items = [item for item in yaml.load_all(text, Loader=yaml.CSafeLoader) if item]
        templates = {
            item["metadata"]["name"]: item["spec"]["template"] for item in items if item["kind"] == "Deployment"
        }
        found = {name: (entry["metadata"]["labels"], ports_of(entry["spec"])) for name, entry in templates.items()}
        assert found == {entry["name"]: (entry["labels"], entry["ports"]) for entry in recorded["workloads"]}
        services = {item["metadata"]["name"]: item["spec"] for item in items if item["kind"] == "Service"}
        called = {
            (name, ports.get(port.get("targetPort"), port.get("targetPort")))
            for item in items
            for webhook in item.get("webhooks", [])
            for port in services[webhook["clientConfig"]["service"]["name"]]["ports"]
            for name, (labels, ports) in found.items()
            if services[webhook["clientConfig"]["service"]["name"]]["selector"].items() <= labels.items()
            if port["port"] == webhook["clientConfig"]["service"].get("port", 443)
        }
        assert called == {(entry["workload"], entry["port"]) for entry in recorded.get("webhooks", [])}


def test_webhooks_are_dropped_by_the_overlay_of_the_rehearsal_only(real, objects):
    kinds = {item["kind"] for items in objects.values() for item in items}
    assert not kinds & {"ValidatingWebhookConfiguration", "MutatingWebhookConfiguration"}
    files = real.git("grep", "-l", "kind: ValidatingWebhookConfiguration", "main").splitlines()
    dropped = {name for name in files if "upstream.yaml" not in name}
    assert dropped
    assert {name for name in dropped if "/envs/test/rehearsal/" not in name} == set()


def test_the_real_crds_accept_every_object_and_know_every_field(real, objects):
    """A strict dry run fails on a field that the schema does not have, which an ordinary write would silently drop."""
    api = real.api()
    assert [line for name, items in objects.items() for item in items for line in refused(api, name, item)] == []


def refused(api, name, item):
    """Yield what a strict dry run says against an object."""
    query = {"fieldManager": "argocd-controller", "force": "true", "dryRun": "All", "fieldValidation": "Strict"}
    status, answer = api.request("PATCH", api.path(item), query, item, APPLY)
    if status not in (200, 201):
        yield f"{name}: {item['kind']} {item['metadata']['name']}: {answer.get('message')}"


def test_the_api_server_kept_every_field_of_git(real, objects):
    api, lost = real.api(), []
    for name, items in objects.items():
        for item in items:
            status, live = api.request("GET", api.path(item))
            assert status == 200, f"{name}: {item['kind']} {item['metadata']['name']}: {live.get('message')}"
            label = f"{name}: {item['kind']} {item['metadata']['name']}"
            lost += [f"{label}{path}" for path in differences(without(item, "status"), live)]
    assert not lost, "\n".join(lost)


def without(item, key):
    return {name: value for name, value in item.items() if name != key}


def empty(value):
    """Return whether a value says nothing; 0 says something, although it equals False."""
    return value is None or value is False or value in ("", {}, [])


def differences(wanted, live, path=""):
    """Yield the fields of a manifest that the live object does not have, or has otherwise."""
    if isinstance(wanted, dict):
        for key, value in wanted.items():
            # The API server leaves out what is empty; that no field is unknown is what the strict dry run tells.
            if not empty(value):
                here = live.get(key) if isinstance(live, dict) else None
                yield from differences(value, here, f"{path}.{key}")
    elif isinstance(wanted, list):
        if not isinstance(live, list) or len(wanted) != len(live):
            yield f"{path}: {wanted} became {live}"
        else:
            for index, (one, other) in enumerate(zip(wanted, live, strict=True)):
                yield from differences(one, other, f"{path}[{index}]")
    elif wanted != live and not same_quantity(wanted, live):
        yield f"{path}: {wanted!r} became {live!r}"


def same_quantity(one, other):
    """Return whether two values are the same amount: the API server writes 1000m as 1."""
    try:
        return parse_quantity(one) == parse_quantity(other)
    except (ValueError, TypeError, AttributeError):
        return False


def test_nothing_is_out_of_sync_after_five_resyncs(real, objects):
    """Let Argo CD compare every Application five times more; none may leave Synced in between.

    They are asked for: Argo CD's own period is minutes, and a short one would be work during the whole file.
    """
    api, compared, bad = real.api(), Counter(), []
    seen = {}
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and any(compared[name] < RESYNCS for name in objects):
        for entry in api.request("GET", APPLICATIONS)[1]["items"]:
            name, status = entry["metadata"]["name"], entry["status"]
            if compared[name] < RESYNCS and REFRESH not in (entry["metadata"].get("annotations") or {}):
                body = {"metadata": {"annotations": {REFRESH: "normal"}}}
                assert api.request("PATCH", f"{APPLICATIONS}/{name}", body=body)[0] == 200
            if status["sync"]["status"] != "Synced":
                out = [item["name"] for item in status["resources"] if item.get("status") == "OutOfSync"]
                bad.append(f"{name}: {status['sync']['status']} {out}")
            if seen.get(name) != status["reconciledAt"]:
                compared[name] += name in seen
                seen[name] = status["reconciledAt"]
        time.sleep(0.5)
    assert bad == []
    assert {name for name in objects if compared[name] < RESYNCS} == set()


def test_every_workload_keeps_the_rules(objects):
    """Resources, probes, no root, no service links, labels: also those of the vendored operators."""
    assert [line for name, items in objects.items() for item in items for line in broken(name, item)] == []


def broken(name, item):
    """Yield the rules that a workload breaks."""
    if item["kind"] in ("Deployment", "StatefulSet", "Job"):
        yield from (f"{name}: {item['kind']} {item['metadata']['name']}: {problem}" for problem in problems(item))


def problems(item):
    template = item["spec"]["template"]
    pod = template["spec"]
    if pod_standards.level(pod) != "restricted":
        yield "it is not restricted"
    if pod.get("enableServiceLinks") is not False:
        yield "enableServiceLinks is not false"
    for container in pod["containers"]:
        resources = container.get("resources") or {}
        if not (resources.get("requests") and resources.get("limits")):
            yield f"{container['name']} has no resources"
        if item["kind"] != "Job" and not (container.get("livenessProbe") or container.get("readinessProbe")):
            yield f"{container['name']} has no probe"
        security = (pod.get("securityContext") or {}) | (container.get("securityContext") or {})
        if security.get("runAsNonRoot") is not True and not security.get("runAsUser"):
            yield f"{container['name']} may run as root"
        if security.get("readOnlyRootFilesystem") is not True and container["name"] not in pod_standards.WRITABLE_ROOT:
            yield f"{container['name']} may write to its root"
        if ":" not in container["image"]:
            yield f"{container['name']} has an image without a tag"


def test_the_namespaces_of_official_files_are_restricted(real, objects):
    for name in objects.keys() & {"cert-manager", "cnpg-system", "external-secrets", "reflector", "strimzi"}:
        labels = real.live(f"/api/v1/namespaces/{name}")["metadata"]["labels"]
        assert labels["pod-security.kubernetes.io/enforce"] == "restricted", name


def test_a_second_run_changes_nothing(real, objects):
    assert objects
    done = real.site()
    assert re.search(r"changed=0 .*failed=0", done.stdout), done.stdout[-3000:]


def test_a_changed_pin_is_the_whole_upgrade(real, objects, tmp_path):
    """Another release of Reflector, from a mirror that has it: one commit, one Application, the new image."""
    assert objects
    text = real.git_bytes("show", "main:argocd/infra/reflector/base/upstream.yaml").replace(b":10.0.44", b":10.0.45")
    path = "github.com/emberstack/kubernetes-reflector/releases/download/v10.0.45/reflector.yaml"
    (tmp_path / path).parent.mkdir(parents=True)
    (tmp_path / path).write_bytes(text)
    digest = hashlib.sha256(text).hexdigest()
    pin = {"reflector_version": "v10.0.45", "reflector_sha256": digest, "gitops_upstream_mirror": str(tmp_path)}
    done = real.site("-e", json.dumps(pin))
    assert done.returncode == 0, done.stdout[-3000:]
    assert real.git("log", "-1", "--format=%B", "main") == "test: update reflector\n\n- infra/reflector: 2 changed"
    assert "- infra/reflector: 2 changed" in done.stdout  # the official file, and its checksum in the kustomization
    live = real.live("/apis/apps/v1/namespaces/reflector/deployments/reflector")
    assert live["spec"]["template"]["spec"]["containers"][0]["image"].endswith(":10.0.45")


def test_the_real_crds_also_accept_production_and_what_no_inventory_sets(real, objects, tmp_path):
    """Rendered into a repository of its own for the same cluster, and judged by a dry run in an empty namespace.

    There no live object of dev limits what one of production may be, and no namespace is missing.
    """
    repository = tmp_path / "repository"
    settings = {"gitops_upstream_mirror": MIRROR, "component_stand_in": "auto", "gitops_environment": "judged"}
    settings |= {"rehearsal_cluster_name": real.folder.name, "gitops_repo_rehearsal_folder": str(repository)}
    settings["gitops_components"] = sorted(objects)  # all, also those that production does without
    done = Environment(tmp_path, "prod", **settings, **UNUSUAL).site("--tags", "render")
    assert done.returncode == 0, done.stdout[-4000:]
    tree = repository / "clone" / "argocd"
    overlays = {path.parent.parent.name: path for path in tree.glob("*/*/envs/judged")}
    assert sorted(overlays) == sorted(objects)
    # The base holds the official files, so only what the overlay of cnpg-system brings stands in.
    found = {hashlib.sha256(path.read_bytes()).hexdigest() for path in tree.glob("*/*/base/upstream.yaml")}
    assert found == pins(objects)

    api, bad, passed_over = real.api(), [], set()
    body = {"metadata": {"name": "judged"}}
    assert api.request("POST", "/api/v1/namespaces", None, body, "application/json")[0] == 201
    try:
        for name, overlay in overlays.items():
            for item in build(real, overlay):
                bad += broken(name, item) if item["metadata"]["name"] != STAND_IN else []
                resource = api.resource(item)
                if resource is None:
                    passed_over.add(item["kind"])
                    continue
                item["metadata"].pop("namespace", None)
                if resource[1]:
                    item["metadata"]["namespace"] = "judged"
                bad += refused(api, name, item)
    finally:
        api.request("DELETE", "/api/v1/namespaces/judged")
    assert not bad, "\n".join(bad)
    assert passed_over == NOT_JUDGED
