# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Restarts, new passwords, backup, decommission and restore as an operator runs them, one after the other."""

from __future__ import annotations

import re

import pytest
import yaml

from .conftest import ARGO, BASE, Environment, applications, bring_up, take_down, words

NAME = "state"
SECRET = "/api/v1/namespaces/minio/secrets/minio-root"
COMPONENTS = [*BASE, "external-secrets", "minio"]


@pytest.fixture(scope="module")
def operated(tmp_path_factory):
    found = bring_up(Environment(tmp_path_factory.mktemp(NAME), gitops_environment=NAME, gitops_components=COMPONENTS))
    (found.inventory.parent / "vault").write_text("correct horse\n")
    yield found
    take_down(found)


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
    assert "Deployment maildev maildev" in words(run(operated, "restart", "-e", "app=maildev"))
    assert before
    assert not before & pods(operated, "maildev")
    done = operated.live(f"{ARGO}/applications/maildev")["status"]
    assert (done["sync"]["status"], done["health"]["status"]) == ("Synced", "Healthy")


def test_a_deleted_password_is_made_anew_and_its_users_restarted(operated):
    before, old = pods(operated, "minio"), operated.live(SECRET)["data"]
    assert operated.api().request("DELETE", SECRET)[0] == 200
    listed = words(run(operated, "regenerate_secret"))
    assert "minio minio-root minio missing" in listed
    refused = run(operated, "regenerate_secret", "-e", "secret=minio-root")
    assert "Nothing was done. What would be done is shown above. To do it, add -e confirm=state" in refused.stdout
    assert operated.live(SECRET) is None
    assert "failed=0" in words(run(operated, "regenerate_secret", "-e", "secret=minio-root", "-e", f"confirm={NAME}"))
    new = operated.live(SECRET)["data"]
    assert new.keys() == old.keys()
    assert new["root-password"] != old["root-password"]
    assert not before & pods(operated, "minio")


def test_an_environment_comes_back_from_a_backup_on_an_empty_cluster(operated):
    vault = ["--vault-password-file", str(operated.inventory.parent / "vault")]
    key = operated.live("/api/v1/namespaces/argocd/secrets/argocd-secret")["data"]["server.secretkey"]
    names = set(applications(operated))
    assert "Encrypted with Ansible Vault" in words(run(operated, "backup", *vault))
    (file,) = (operated.inventory.parent.parent / "backups" / NAME).iterdir()
    assert file.read_text().startswith("$ANSIBLE_VAULT;")

    shown = run(operated, "decommission", "-e", "volumes=true", "-e", "crds=true")
    assert "To do it, add -e confirm=state" in shown.stdout
    assert set(applications(operated)) == names
    gone = run(operated, "decommission", "-e", "volumes=true", "-e", "crds=true", "-e", f"confirm={NAME}")
    assert "failed=0" in words(gone)
    left = {item["metadata"]["name"] for item in operated.live("/api/v1/namespaces")["items"]}
    assert left == {"default", "kube-node-lease", "kube-public", "kube-system"}
    crds = operated.live("/apis/apiextensions.k8s.io/v1/customresourcedefinitions")["items"]
    assert {item["spec"]["group"] for item in crds} == {"kwok.x-k8s.io"}
    assert f"The cluster has nothing of environment {NAME}." in words(run(operated, "decommission"))

    restored = run(operated, "restore", "-e", f"file={file.relative_to(operated.inventory.parent.parent)}", *vault)
    assert " 0 existed already" in words(restored)
    assert operated.live("/api/v1/namespaces/argocd/secrets/argocd-secret")["data"]["server.secretkey"] == key
    again = operated.site()
    assert again.returncode == 0, again.stdout[-3000:]
    assert "deletes 0 Applications, and prunes 0 objects" in words(again)
    assert set(applications(operated)) == names
    assert changed(operated.site()) == []
    # Nothing is missing any more, so nothing is written.
    assert changed(run(operated, "restore", "-e", f"file={file}", *vault)) == []


def test_a_backup_of_another_environment_is_refused(operated, tmp_path):
    meta = {"name": "monorepo-gitops", "namespace": "argocd"}
    other = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": {"environment": "prod"}}
    (tmp_path / "prod.yml").write_text(yaml.safe_dump(other))
    done = run(operated, "restore", "-e", f"file={tmp_path / 'prod.yml'}")
    assert "This is a backup of environment prod, and the inventory is that of state" in done.stdout
    assert done.returncode != 0
