# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module argocd_backup with the file that its action plugin writes, and what restore.yml makes of it."""

from __future__ import annotations

import json
import re
import stat
import sys

import pytest
import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.parsing.vault import PromptVaultSecret, VaultLib
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd import pause
from ansible_collections.monorepo.gitops.plugins.module_utils._environment import backup

from .running import action_plugin

LOCAL = {"ansible_python_interpreter": sys.executable}
HERE = "/apis/argoproj.io/v1alpha1/namespaces/argocd"
CORE = "/api/v1/namespaces/argocd"


def item(kind, name, labels=None, **more):
    version = "v1" if kind in ("ConfigMap", "Secret") else backup.ARGOCD
    metadata = {"name": name, "namespace": "argocd"} | ({"labels": labels} if labels else {})
    return {"apiVersion": version, "kind": kind, "metadata": metadata} | more


IDENTITY = item("ConfigMap", "monorepo-gitops", data={"environment": "dev"})
POLICY = {"automated": {"prune": True, "selfHeal": True}, "syncOptions": ["ApplyOutOfSyncOnly=true"]}


def application(name="maildev", path="argocd/infra/maildev/envs/dev", policy=None):
    return item("Application", name, spec={"source": {"path": path}, "syncPolicy": policy or POLICY})


LIVE = application() | {
    "operation": {"sync": {}},
    "status": {"sync": {"status": "Synced"}},
    "metadata": {
        "name": "maildev",
        "namespace": "argocd",
        "uid": "1",
        "resourceVersion": "2",
        "generation": 3,
        "creationTimestamp": "2026-11-27T09:00:00Z",
        "ownerReferences": [{"kind": "ApplicationSet", "name": "infra", "uid": "4"}],
        "managedFields": [{"manager": "argocd"}],
        "finalizers": ["resources-finalizer.argocd.argoproj.io"],
        "annotations": {"argocd.argoproj.io/refresh": "normal", "team": "web"},
    },
}
REPOSITORY = item("Secret", "repo", {backup.TYPE_LABEL: "repository"}, type="Opaque", data={"password": "aHVudGVyMg=="})
CLUSTER = {
    f"{HERE}/appprojects": [item("AppProject", "infra", spec={})],
    f"{HERE}/applications": [LIVE],
    f"{HERE}/applicationsets": [],
    f"{CORE}/configmaps": [IDENTITY, item("ConfigMap", "kube-root-ca.crt"), item("ConfigMap", "argocd-cm", data={})],
    f"{CORE}/secrets": [REPOSITORY, item("Secret", "of-somebody-else"), item("Secret", "argocd-secret", data={})],
}


def script(_method, path):
    return (200, {"items": CLUSTER[path]}) if path in CLUSTER else (404, {})


def run(server, folder, password="", check=False, **arguments):
    given = {"kubeconfig": server.kubeconfig, "folder": str(folder), "environment": "dev"} | arguments
    action = action_plugin("argocd_backup", LOCAL, check, **given)
    loader = DataLoader()
    if password:
        loader.set_vault_secrets([("default", PromptVaultSecret(_bytes=password.encode()))])
    action._loader = loader
    return action.run(task_vars=LOCAL)


def test_secrets_are_written_encrypted_into_a_file_that_only_its_owner_reads(api_server, tmp_path):
    result = run(api_server(script), tmp_path / "backups", password="correct horse")
    (path,) = (tmp_path / "backups").iterdir()
    assert result["path"] == str(path)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d{6}Z\.yml", path.name)
    assert (stat.S_IMODE(path.stat().st_mode), stat.S_IMODE(path.parent.stat().st_mode)) == (0o600, 0o700)
    assert "aHVudGVyMg" not in path.read_text() + str(result)
    assert "objects" not in result
    text = VaultLib([("default", PromptVaultSecret(_bytes=b"correct horse"))]).decrypt(path.read_bytes())
    names = [entry["metadata"]["name"] for entry in yaml.safe_load_all(text)]
    assert names == ["infra", "maildev", "monorepo-gitops", "argocd-cm", "repo", "argocd-secret"]
    assert (result["encrypted"], result["counts"]["Secret"]) == (True, 2)


def test_without_a_password_there_is_no_backup(api_server, tmp_path):
    server = api_server(script)
    with pytest.raises(Exception, match="No backup was made, because there is no vault password") as error:
        run(server, tmp_path / "backups")
    assert str(error.value) == (
        "No backup was made, because there is no vault password, and Secrets are written encrypted only: give one, for "
        "example with --vault-password-file, or leave Secrets out with -e secrets=false."
    )
    assert (server.asked(), (tmp_path / "backups").exists()) == ([], False)


def test_secrets_are_left_out_and_not_even_read_when_the_option_says_so(api_server, tmp_path):
    server = api_server(script)
    result = run(server, tmp_path, secrets=False)
    documents = list(yaml.safe_load_all(next(tmp_path.glob("*.yml")).read_text()))
    assert {entry["kind"] for entry in documents} == {"AppProject", "Application", "ConfigMap"}
    assert (result["encrypted"], f"GET {CORE}/secrets" in server.asked()) == (False, False)


def test_values_that_may_be_secrets_are_kept_in_an_encrypted_file_only(api_server, tmp_path, monkeypatch):
    source = {"helm": {"parameters": [{"name": "password", "value": "hunter2"}]}}
    chart = item("Application", "chart", spec={"source": source})
    several = item("ApplicationSet", "several", spec={"template": {"spec": {"sources": [source]}}})
    monkeypatch.setitem(CLUSTER, f"{HERE}/applications", [LIVE, chart])
    monkeypatch.setitem(CLUSTER, f"{HERE}/applicationsets", [several])
    plain = run(api_server(script), tmp_path / "plain", secrets=False)
    assert plain["left_out"] == ["Application argocd/chart", "ApplicationSet argocd/several"]
    assert plain["counts"] == {"AppProject": 1, "Application": 1, "ConfigMap": 2}
    assert "hunter2" not in next((tmp_path / "plain").iterdir()).read_text() + str(plain)
    encrypted = run(api_server(script), tmp_path / "encrypted", password="correct horse")
    data = next((tmp_path / "encrypted").iterdir()).read_bytes()
    text = VaultLib([("default", PromptVaultSecret(_bytes=b"correct horse"))]).decrypt(data)
    # What a restore writes is what there was.
    kept = {entry["metadata"]["name"]: entry for entry in yaml.safe_load_all(text)}
    assert (kept["chart"]["spec"], kept["several"]["spec"]) == (chart["spec"], several["spec"])
    assert encrypted["left_out"] == []


def test_check_mode_writes_no_file(api_server, tmp_path):
    result = run(api_server(script), tmp_path / "backups", check=True, secrets=False)
    assert (result["path"], result["changed"], (tmp_path / "backups").exists()) == ("", True, False)


@pytest.mark.parametrize(
    ("environment", "found"), [("prod", "environment dev"), ("dev", "no environment")], ids=["other", "none"]
)
def test_the_cluster_of_another_environment_is_refused(api_server, tmp_path, monkeypatch, environment, found):
    if found == "no environment":
        monkeypatch.setitem(CLUSTER, f"{CORE}/configmaps", [])
    result = run(api_server(script), tmp_path / "backups", secrets=False, environment=environment)
    assert result["msg"] == (
        f"No backup was made: the cluster serves {found}, and the inventory is that of {environment}."
    )
    assert not (tmp_path / "backups").exists()


def test_what_is_paused_is_kept_and_objects_of_others_are_not():
    names = ("monorepo-gitops", "gitops-paused", "argocd-rbac-cm", "kube-root-ca.crt", "of-a-team")
    assert [name for name in names if backup.belongs(item("ConfigMap", name))] == list(names[:3])
    assert backup.belongs(item("Secret", "of-a-team", {backup.TYPE_LABEL: "cluster"}))


def test_nothing_is_kept_that_belongs_to_this_cluster_or_this_moment():
    assert backup.kept(LIVE) == {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "metadata": {
            "name": "maildev",
            "namespace": "argocd",
            "annotations": {"team": "web"},
            "finalizers": ["resources-finalizer.argocd.argoproj.io"],
        },
        "spec": LIVE["spec"],
    }


def test_restored_applications_prune_nothing_by_themselves():
    paused, careful = application("paused", policy={"retry": {}}), application("careful", policy={"automated": {}})
    items = [application("own", "apps/own"), application(), paused, careful, IDENTITY]
    restored = {entry["metadata"]["name"]: entry for entry in backup.restorable(items)}
    # Its ApplicationSet makes maildev again.
    assert list(restored) == ["monorepo-gitops", "own", "paused", "careful"]
    assert restored["own"]["spec"]["syncPolicy"] == {"syncOptions": ["ApplyOutOfSyncOnly=true"]}
    assert (restored["paused"], restored["careful"]) == (paused, careful)


def test_what_was_paused_is_restored_paused_and_can_be_resumed():
    automated = {"prune": True, "selfHeal": True}
    live = application(policy={"automated": automated})
    live["metadata"]["uid"] = "before"
    off = application(policy={"automated": pause.off(live)})
    record = pause.new_record(live, "ann@host", "2026-11-27T11:00:00Z", "")
    data = {"maildev": json.dumps(record), "broken": "{"}
    records = backup.kept(item("ConfigMap", "gitops-paused") | {"data": data})
    assert backup.restorable([off, records]) == [records, off]
    assert backup.resume_later([off]) == []
    assert records["data"]["broken"] == "{"
    found = pause.parse("maildev", records["data"]["maildev"])
    off["metadata"]["uid"] = "after"
    assert (pause.misfit(found, off), found["automated"]) == ("", automated)


def test_applications_that_lose_automated_sync_are_named():
    items = [application(), application("own", "apps/own"), application("manual", "apps/x", {"retry": {}}), IDENTITY]
    assert backup.resume_later(items) == ["own"]


@pytest.mark.parametrize(
    ("items", "expected"),
    [
        ([], "This is not a backup that backup.yml made"),
        ([None], "This is not a backup that backup.yml made"),
        ([item("Deployment", "web")], "This is not a backup that backup.yml made"),
        ([application()], "This is a backup of environment unknown, and the inventory is that of dev"),
        (
            [item("ConfigMap", "monorepo-gitops", data={"environment": "prod"})],
            "This is a backup of environment prod, and the inventory is that of dev",
        ),
        ([IDENTITY, application()], ""),
    ],
)
def test_a_file_that_cannot_be_restored_here(items, expected):
    assert backup.problem(items, "dev") == expected
