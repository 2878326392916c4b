# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rights of playbooks as rules of RBAC, and the kubeconfig of an account that has them."""

from __future__ import annotations

import base64
import json
import time

import pytest
import yaml
from ansible.errors import AnsibleFilterError
from ansible_collections.monorepo.gitops.plugins.filter.rights import access_rights
from ansible_collections.monorepo.gitops.plugins.module_utils._environment import rights
from ansible_collections.monorepo.gitops.plugins.modules import service_account_kubeconfig
from rights import COMMON, MODULES, PLAYBOOKS

from .running import run_module


def test_a_right_that_several_modules_need_is_given_once():
    entries = [
        {"group": "g", "resources": "a b", "verbs": "list"},
        {"group": "g", "resources": "a", "verbs": "patch list"},
        {"resources": "c", "verbs": "get", "names": "one two"},
        {"resources": "d", "verbs": "get", "names": "one"},
        {"resources": "d", "verbs": "get"},
    ]
    assert rights.rules(entries) == [
        {"apiGroups": [""], "resources": ["c"], "verbs": ["get"], "resourceNames": ["one", "two"]},
        {"apiGroups": [""], "resources": ["d"], "verbs": ["get"]},
        {"apiGroups": ["g"], "resources": ["a"], "verbs": ["list", "patch"]},
        {"apiGroups": ["g"], "resources": ["b"], "verbs": ["list"]},
    ]


def test_the_rights_of_a_sync():
    configmaps = {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get"]}
    applications = {"apiGroups": ["argoproj.io"], "resources": ["applications"], "verbs": ["list", "patch", "watch"]}
    uid = {"apiGroups": [""], "resources": ["namespaces"], "verbs": ["get"], "resourceNames": ["kube-system"]}
    found = access_rights(["sync"], MODULES, COMMON, PLAYBOOKS, sync_only=True)
    assert found == {"here": [configmaps, applications], "everywhere": [uid]}


@pytest.mark.parametrize(
    ("names", "sync_only", "said"),
    [
        (
            ["sync", "site"],
            False,
            "playbooks lists site, which has no predefined role: choose from backup, images, logs, pause, promote, "
            "refresh, regenerate_secret, restart, resume, rollback, set, status, sync, terminate, verify. Others need "
            "cluster-admin, or rights that depend on the components.",
        ),
        (
            ["sync", "set"],
            True,
            "sync_only excludes what set needs: leave it out of playbooks, which may have logs, promote, refresh, "
            "status, sync, or do not set sync_only.",
        ),
    ],
)
def test_a_playbook_without_a_role_is_refused(names, sync_only, said):
    with pytest.raises(AnsibleFilterError) as error:
        access_rights(names, MODULES, COMMON, PLAYBOOKS, sync_only)
    assert str(error.value) == said


# --- the kubeconfig --------------------------------------------------------------------------------------------------

ACCOUNT = "/api/v1/namespaces/argocd/serviceaccounts/ci"


def token(uid="u1", seconds=3600):
    body = {"exp": int(time.time()) + seconds, "kubernetes.io": {"serviceaccount": {"uid": uid}}}
    return f"e30.{base64.urlsafe_b64encode(json.dumps(body).encode()).decode().rstrip('=')}.signature"


def answers(method, path, given=None):
    if path == ACCOUNT:
        return 200, {"metadata": {"name": "ci", "uid": "u1"}}
    return (201, {"status": {"token": given or token()}}) if method == "POST" else (404, {})


def write(server, path, check=False, **options):
    options = {"name": "ci", "namespace": "argocd", "file": str(path)} | options
    return run_module(service_account_kubeconfig, check, kubeconfig=server.kubeconfig, **options)


def test_a_kubeconfig_is_written_that_only_its_owner_can_read(api_server, tmp_path):
    server, path = api_server(answers), tmp_path / "new" / "ci.kubeconfig"
    assert write(server, path, check=True) == {"changed": True, "file": str(path), "expires": ""}
    assert not path.parent.exists()
    result = write(server, path)
    assert (result["changed"], path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (True, 0o600, 0o700)
    assert "signature" not in json.dumps(result)
    found = yaml.safe_load(path.read_text())
    assert found["clusters"][0]["cluster"] == {"server": server.url}
    assert found["contexts"][0]["context"] == {"cluster": "ci", "user": "ci", "namespace": "argocd"}
    # It is good for some time, so it stays.
    assert write(server, path) == {"changed": False, "file": str(path), "expires": result["expires"]}
    assert len(server.writes()) == 1


@pytest.mark.parametrize("present", ["another account", "too old", "too open", "another server", "no kubeconfig"])
def test_a_kubeconfig_that_does_not_fit_is_replaced(api_server, tmp_path, present):
    server, path = api_server(answers), tmp_path / "ci.kubeconfig"
    given = {"another account": token("u2"), "too old": token(seconds=1700)}.get(present, token())
    url = "https://other" if present == "another server" else server.url
    content = {"clusters": [{"cluster": {"server": url}}], "users": [{"user": {"token": given}}]}
    path.write_text("a: [" if present == "no kubeconfig" else yaml.safe_dump(content))
    path.chmod(0o644 if present == "too open" else 0o600)
    assert write(server, path)["changed"] is True
    assert path.stat().st_mode & 0o777 == 0o600


def test_what_stops_it(api_server, tmp_path):
    path = tmp_path / "ci.kubeconfig"
    assert write(api_server(answers), path, seconds=60)["msg"] == (
        "seconds is 60: set it to 600 or more, because the API server accepts no less."
    )
    nobody = api_server(lambda _method, _path: (404, {}))
    assert write(nobody, path)["msg"] == "ServiceAccount argocd/ci cannot be used: it does not exist"
    assert write(nobody, path, check=True) == {"changed": True, "file": str(path), "expires": ""}
    denied = api_server(
        lambda method, path: answers(method, path) if method == "GET" else (403, {"message": "no right"})
    )
    assert write(denied, path)["msg"] == "ServiceAccount argocd/ci cannot be used: no right"
    assert not path.exists()
