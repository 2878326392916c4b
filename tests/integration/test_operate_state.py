# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Restarts, new passwords, backup, decommission and restore as an operator runs them, one after the other."""

from __future__ import annotations

import json
import re
import time

import pytest
import yaml
from ansible_collections.monorepo.gitops.plugins.module_utils._objects.workloads import has_ended
from ansible_collections.monorepo.gitops.plugins.modules import (
    argocd_app_delete,
    argocd_app_info,
    argocd_appset_info,
    argocd_appset_refresh,
    environment_decommission,
    server_side_apply,
    workload_restart,
)
from unit.running import run_module

from .conftest import (
    ARGO,
    BASE,
    Environment,
    acting,
    applications,
    bring_up,
    carry_out,
    limited,
    runbook,
    temporary,
    words,
)

NAME = "state"
SECRET = "/api/v1/namespaces/minio/secrets/minio-root"
COMPONENTS = [*BASE, "external-secrets", "minio"]


@pytest.fixture(scope="module")
def operated(tmp_path_factory):
    found = Environment(tmp_path_factory.mktemp(NAME), gitops_environment=NAME, gitops_components=COMPONENTS)
    (found.inventory.parent / "vault").write_text("correct horse\n")
    with temporary(found):
        yield bring_up(found)


def run(environment, playbook, *args):
    return environment.playbook(f"playbooks/{playbook}.yml", *args)


def changed(done):
    """Return the tasks of a run that changed something."""
    assert done.returncode == 0, done.stdout[-3000:]
    return re.findall(r"^TASK \[(.*?)\] \*+\n(?:(?!TASK ).*\n)*?changed: ", done.stdout, re.MULTILINE)


def pods(environment, namespace):
    items = environment.live(f"/api/v1/namespaces/{namespace}/pods")["items"]
    return {item["metadata"]["uid"] for item in items if not item["metadata"].get("deletionTimestamp")}


def test_a_restart_replaces_the_pods_and_argocd_stays_in_sync(operated):
    assert operated.first.returncode == 0, operated.first.stdout[-3000:]
    before = pods(operated, "maildev")
    with acting(operated, "restart", "workload_restart"):
        (said,) = carry_out(operated, "restart")
    assert re.search(r"Deployment +maildev +maildev", said)
    assert before
    assert not before & pods(operated, "maildev")
    done = operated.live(f"{ARGO}/applications/maildev")["status"]
    assert (done["sync"]["status"], done["health"]["status"]) == ("Synced", "Healthy")


def test_a_deleted_password_is_made_anew_and_its_users_restarted(operated):
    before, old = pods(operated, "minio"), operated.live(SECRET)["data"]
    assert operated.api().request("DELETE", SECRET)[0] == 200
    with acting(operated, "regenerate", "secret_regenerate", "workload_restart", "argocd_app_sync", "objects_ready"):
        refused = run(operated, "regenerate_secret", "-e", "secret=minio-root")
        assert "Nothing was done. What would be done is shown above. To do it, add -e confirm=state" in refused.stdout
        assert operated.live(SECRET) is None
        names = {"drizzle-gateway": "minio-root", "dev": NAME}
        listed, shown, _done = carry_out(operated, "regenerate_secret", **names)
    assert re.search(r"minio +minio-root +minio +missing", listed)
    assert "Secret minio/minio-root is missing and gets new values." in shown
    new = operated.live(SECRET)["data"]
    assert new.keys() == old.keys()
    assert new["root-password"] != old["root-password"]
    assert not before & pods(operated, "minio")


def test_images_are_listed_and_pinned_by_what_runs(operated):
    """The digest is that of the kubelet, which a simulated one does not report by itself."""
    folder, digest = operated.inventory.parent.parent, f"sha256:{'a' * 64}"
    for item in operated.live("/api/v1/namespaces/minio/pods")["items"]:
        path = f"/api/v1/namespaces/minio/pods/{item['metadata']['name']}/status"
        image = item["spec"]["containers"][0]["image"]
        statuses = [entry | {"imageID": f"{image}@{digest}"} for entry in item["status"]["containerStatuses"]]
        assert operated.api().request("PATCH", path, body={"status": {"containerStatuses": statuses}})[0] == 200
    with acting(operated, "images", "environment_images"):
        listed, pinned = carry_out(operated, "images", dev=NAME)
        # Neither file differs from what it was.
        assert changed(run(operated, "images", "-e", "digests=image_digests.yml")) == []
    assert f"Written: reports/{NAME}/images.cdx.json" in listed
    assert "Written: image_digests.yml" in pinned
    assert "The digest of maildev/maildev:2.2.1 is unknown" in pinned
    bom = json.loads((folder / "reports" / NAME / "images.cdx.json").read_text())
    assert {"quay.io/argoproj/argocd", "maildev/maildev", image.partition(":")[0]} <= {
        entry["name"] for entry in bom["components"] if entry["type"] == "container"
    }
    found = yaml.safe_load((folder / "image_digests.yml").read_text())
    assert found == {"gitops_image_digests": {image: digest}}

    operated.set(**found)
    assert "failed=0" in words(operated.site())
    (container,) = operated.live("/apis/apps/v1/namespaces/minio/deployments/minio")["spec"]["template"]["spec"][
        "containers"
    ]
    assert container["image"] == f"{image}@{digest}"
    assert changed(operated.site()) == []


@pytest.mark.long("operate")
def test_an_environment_comes_back_from_a_backup_on_an_empty_cluster(operated):
    vault = {"~/.vault": str(operated.inventory.parent / "vault")}
    key = operated.live("/api/v1/namespaces/argocd/secrets/argocd-secret")["data"]["server.secretkey"]
    names = set(applications(operated))
    with acting(operated, "backup", "argocd_backup"):
        assert "Encrypted with Ansible Vault" in carry_out(operated, "backup", **vault)[0]
    file, plain = sorted((operated.inventory.parent.parent / "backups" / NAME).iterdir())
    assert file.read_text().startswith("$ANSIBLE_VAULT;")
    assert "kind: Secret" not in plain.read_text()

    *shown, confirmed = runbook("decommission", dev=NAME)
    for command in shown:
        assert "To do it, add -e confirm=state" in operated.playbook(command[1], *command[4:]).stdout
    assert set(applications(operated)) == names
    assert "failed=0" in words(operated.playbook(confirmed[1], *confirmed[4:]))
    left = {item["metadata"]["name"] for item in operated.live("/api/v1/namespaces")["items"]}
    assert left == {"default", "kube-node-lease", "kube-public", "kube-system"}
    crds = operated.live("/apis/apiextensions.k8s.io/v1/customresourcedefinitions")["items"]
    assert {item["spec"]["group"] for item in crds} == {"kwok.x-k8s.io"}
    assert f"The cluster has nothing that belongs to environment {NAME}." in words(run(operated, "decommission"))

    backup = vault | {"$BACKUP": str(file.relative_to(operated.inventory.parent.parent))}
    _checked, restored, again = carry_out(operated, "restore", **backup)
    assert "0 existed already" in restored
    assert operated.live("/api/v1/namespaces/argocd/secrets/argocd-secret")["data"]["server.secretkey"] == key
    assert "deletes 0 Applications, and prunes 0 objects" in " ".join(again.split())
    assert set(applications(operated)) == names
    assert changed(operated.site()) == []
    # Nothing is missing any more, so nothing is written.
    restore = runbook("restore", **backup)[1]
    assert changed(operated.playbook(restore[1], *restore[4:])) == []


def test_an_upgrade_to_the_same_version_changes_nothing_but_makes_a_backup(operated):
    folder = operated.inventory.parent.parent / "backups" / NAME
    before = set(folder.glob("*"))
    _checked, done = carry_out(operated, "upgrade_argocd", **{"~/.vault": str(operated.inventory.parent / "vault")})
    assert len(set(folder.glob("*")) - before) == 1
    assert "failed=0" in done


def test_a_backup_of_another_environment_is_refused(operated, tmp_path):
    meta = {"name": "monorepo-gitops", "namespace": "argocd"}
    other = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": {"environment": "prod"}}
    (tmp_path / "prod.yml").write_text(yaml.safe_dump(other))
    done = run(operated, "restore", "-e", f"file={tmp_path / 'prod.yml'}")
    assert "This is a backup of environment prod, and the inventory is that of state" in done.stdout
    assert done.returncode != 0


DEPLOYMENT = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "own", "namespace": "default"}}
POD = {"metadata": {"labels": {"app": "own"}}, "spec": {"containers": [{"name": "own", "image": "own:1"}]}}
SPEC = {"selector": {"matchLabels": {"app": "own"}}, "template": POD}


@pytest.fixture(scope="module")
def own_application(operated):
    """Make an Application that no ApplicationSet makes again, and that has deployed nothing."""
    spec = operated.live(f"{ARGO}/applications/maildev")["spec"] | {"syncPolicy": {}}
    body = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Application", "metadata": {"name": "own"}, "spec": spec}
    path, kind = f"{ARGO}/applications", "application/json"
    assert operated.api().request("POST", path, body=body, content_type=kind)[0] == 201


@pytest.mark.parametrize(
    ("module", "options"),
    [
        (argocd_app_info, {"names": ["maildev"], "tree": True, "events": True}),
        (argocd_appset_info, {}),
        (argocd_appset_refresh, {"names": ["infra"]}),
        (server_side_apply, {"definition": [DEPLOYMENT | {"spec": SPEC}], "wait": True}),
        (argocd_app_delete, {"names": ["own"]}),
    ],
    ids=lambda value: value.__name__.rpartition(".")[2] if hasattr(value, "main") else "",
)
@pytest.mark.usefixtures("own_application")
def test_a_module_needs_the_documented_rights_only(operated, tmp_path, module, options):
    kubeconfig = limited(operated, tmp_path, module.__name__.rpartition(".")[2])
    result = run_module(module, kubeconfig=kubeconfig, **options)
    assert (result.get("msg"), result.get("warnings")) == (None, None)


def test_a_job_that_uses_a_secret_is_deleted_with_the_documented_rights_only(operated, tmp_path):
    jobs, tracking = "/apis/batch/v1/namespaces/default/jobs", "nobody:batch/Job:default/own"
    metadata = {"name": "own", "annotations": {"argocd.argoproj.io/tracking-id": tracking}}
    container = {"name": "own", "image": "own:1", "envFrom": [{"secretRef": {"name": "own"}}]}
    job = {"metadata": metadata, "spec": {"template": {"spec": {"restartPolicy": "Never", "containers": [container]}}}}
    assert operated.api().request("POST", jobs, body=job, content_type="application/json")[0] == 201
    kubeconfig = limited(operated, tmp_path, "workload_restart")
    deadline = time.monotonic() + 60
    while not has_ended(operated.live(f"{jobs}/own")):
        assert time.monotonic() < deadline
        time.sleep(0.2)
    result = run_module(workload_restart, kubeconfig=kubeconfig, secret={"namespace": "default", "name": "own"})
    assert [entry["kind"] for entry in result["workloads"]] == ["Job"], result
    assert operated.live(f"{jobs}/own") is None


def test_an_environment_is_removed_with_the_documented_rights_only(operated, tmp_path):
    kubeconfig = limited(operated, tmp_path, "environment_decommission")
    components = [{"name": name, "stage": stage} for stage, name in enumerate(COMPONENTS)]
    options = {"environment": NAME, "components": components, "volumes": True, "crds": True}
    result = run_module(environment_decommission, kubeconfig=kubeconfig, **options)
    assert (result.get("msg"), result["changed"]) == (None, True)
    left = {item["metadata"]["name"] for item in operated.live("/api/v1/namespaces")["items"]}
    assert left == {"default", "kube-node-lease", "kube-public", "kube-system"}
