# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module cluster_connection, against what a real API server said."""

from __future__ import annotations

import pytest
from ansible_collections.monorepo.gitops.plugins.modules import cluster_connection

from .api_server import load, write_kubeconfig
from .running import run_module
from .test_playbooks import PLAYBOOKS, ROOT, refusal, run

NAMESPACE = "/api/v1/namespaces/kube-system"


def connect(kubeconfig, check=False, **arguments):
    return run_module(cluster_connection, check, kubeconfig=kubeconfig, **arguments)


def plugin(tmp_path, *lines):
    """Return the user of a kubeconfig whose credentials come from a program."""
    program = tmp_path / "plugin"
    program.write_text("\n".join(["#!/bin/sh", *lines]))
    program.chmod(0o700)
    return {
        "exec": {
            "apiVersion": "client.authentication.k8s.io/v1",
            "command": str(program),
            "interactiveMode": "Never",
        }
    }


def test_a_cluster_says_who_it_is(api_server, monkeypatch):
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "")
    server = api_server("connection")
    result = connect(server.kubeconfig, check=True)
    assert result == {
        "changed": False,
        "kubeconfig": str(server.folder / "kubeconfig"),
        "context": "test",
        "server": server.url,
        "uid": server.steps_of("GET")[0]["answer"]["metadata"]["uid"],
        "version": "v1.37.2",
        "environment": "",
        "unproven": "",
        "no_proxy": "localhost,127.0.0.1,::1",
        "names_proxy": False,
    }
    assert server.writes() == []


@pytest.mark.parametrize(("name", "environment"), [("connection_recorded", "oplead"), ("connection_unrecorded", "")])
def test_the_environment_that_a_cluster_serves_is_read_where_it_is_recorded(api_server, name, environment):
    namespace = "argocd" if environment else "default"
    result = connect(api_server(name).kubeconfig, argocd_namespace=namespace)
    assert (result["environment"], result["unproven"], result.get("warnings")) == (environment, "", None)


FORBIDDEN = 'configmaps "monorepo-gitops" is forbidden'


@pytest.fixture
def unreadable(api_server):
    """Start an API server that answers to cluster_connection, but not to what else it is asked."""
    found = {step["request"]: (200, step["answer"]) for step in load("connection")["steps"]}
    return api_server(lambda method, path: found.get(f"{method} {path}", (403, {"message": FORBIDDEN})))


def uid_of(server):
    return connect(server.kubeconfig)["uid"]


def test_a_record_that_may_not_be_read_is_a_warning_and_proves_nothing(unreadable):
    result = connect(unreadable.kubeconfig, argocd_namespace="argocd")
    assert (result["environment"], result["unproven"]) == ("", FORBIDDEN)
    words = f"ConfigMap argocd/monorepo-gitops, which says whose cluster this is, cannot be read: {FORBIDDEN}"
    assert result["warnings"] == [words]
    result = connect(unreadable.kubeconfig, argocd_namespace="argocd", uid=uid_of(unreadable))
    assert (result["unproven"], result["warnings"]) == ("", [words])


def roll_back(server, folder, *args):
    """Return why the playbook rollback stopped, which asks for pauses next."""
    given = ["cluster_kind=existing", f"cluster_kubeconfig={server.kubeconfig}", "app=maildev", *args]
    words = [word for text in given for word in ("-e", text)]
    return refusal(run(folder, ROOT / "playbooks/rollback.yml", "-i", ROOT / "inventories/dev", *words))


def test_what_destroys_something_needs_proof_that_it_is_the_right_cluster(unreadable, tmp_path):
    uid, pauses = uid_of(unreadable), "GET /api/v1/namespaces/argocd/configmaps/gitops-paused"
    assert roll_back(unreadable, tmp_path) == (
        f"Nothing was done: the cluster {unreadable.url} may be that of another environment than dev, because "
        f"ConfigMap argocd/monorepo-gitops cannot be read ({FORBIDDEN}). Use a kubeconfig that has the right to get "
        f"it, or pin the cluster in the inventory, with cluster_uid {uid} if this is the right one."
    )
    assert pauses not in unreadable.asked()
    assert "gitops-paused" in roll_back(unreadable, tmp_path, f"cluster_uid={uid}")
    assert unreadable.asked()[-1] == pauses


def test_the_playbooks_that_destroy_something_ask_for_proof():
    """Those that compare inventory, Git and cluster stop where the record cannot be read, too."""
    texts = {path.stem: path.read_text() for path in PLAYBOOKS}
    asking = {name for name, text in texts.items() if "operate_destroys: " in text}
    confirmed = {name for name, text in texts.items() if "tasks/confirm.yml" in text}
    assert asking == {"access", "restore", "rollback", "set", "sync"} | confirmed
    assert confirmed == {"decommission", "regenerate_secret", "rotate_secrets"}


def test_another_cluster_than_the_pinned_one_is_refused(api_server):
    server = api_server("connection")
    uid = load("connection")["steps"][0]["answer"]["metadata"]["uid"]
    assert "failed" not in connect(server.kubeconfig, uid=uid)
    assert connect(server.kubeconfig, uid="other")["msg"] == (
        f"This is not the intended cluster: its namespace kube-system has the UID {uid}, cluster_uid says other. It "
        f"was reached at {server.url}."
    )


def test_an_old_cluster_is_refused(api_server):
    server = api_server("connection")
    assert connect(server.kubeconfig, oldest_version="1.38")["msg"].startswith(
        f"{server.url} is Kubernetes v1.37.2; supported versions are 1.34 to 1.37."
    )


def test_a_version_that_nobody_tried_is_a_warning(api_server):
    uid = {"metadata": {"uid": "1"}}
    server = api_server(lambda _method, path: (200, uid if path == NAMESPACE else {"gitVersion": "v1.38.0"}))
    server.start.pop("GET /version")
    result = connect(server.kubeconfig)
    assert result["warnings"] == [
        f"{server.url} is Kubernetes v1.38.0, which is newer than the tested versions; supported versions are 1.34 to "
        "1.37."
    ]


def test_missing_rights_are_said_in_the_words_of_the_api_server(api_server):
    server = api_server("connection_forbidden")
    assert connect(server.kubeconfig)["msg"] == (
        f"The API server {server.url} answers 403 to context test of {server.folder}/kubeconfig: namespaces "
        '"kube-system" is forbidden: User "system:serviceaccount:default:nobody" cannot get resource "namespaces" in '
        'API group "" in the namespace "kube-system"'
    )


def test_what_is_not_an_api_server_is_said(api_server):
    server = api_server(lambda _method, _path: (200, {"metadata": {}}))
    assert connect(server.kubeconfig)["msg"] == (
        f"{server.url} is not a Kubernetes API server: its namespace kube-system has no UID."
    )
    server = api_server(lambda _method, _path: (200, "<html>", "text/html"))
    assert f"{NAMESPACE} returned something other than JSON" in connect(server.kubeconfig)["msg"]


def test_a_variable_of_kubernetes_core_stops_the_run(api_server, monkeypatch):
    server = api_server("connection")
    monkeypatch.setenv("K8S_AUTH_HOST", "https://elsewhere.invalid")
    assert connect(server.kubeconfig)["msg"].startswith("The environment has K8S_AUTH_HOST, which would override")
    assert server.requests == []


def test_a_plugin_that_gives_no_credentials_is_named(api_server, tmp_path):
    server = api_server("connection")
    kubeconfig = write_kubeconfig(tmp_path / "config", server.url, plugin(tmp_path, "exit 1"))
    assert connect(kubeconfig)["msg"] == (
        f"The credential plugin {tmp_path}/plugin of context test in {kubeconfig} returned no credentials: kubectl "
        f"--kubeconfig {kubeconfig} --context test get namespace kube-system shows its error message."
    )


def test_a_token_that_expires_is_renewed(api_server, tmp_path):
    """The plugin gives another token each time, and none is valid for longer than a moment."""
    server = api_server("connection")
    status = r"{\"token\": \"$(wc -l < $0.calls)\", \"expirationTimestamp\": \"2020-01-01T00:00:00Z\"}"
    kind = r"\"apiVersion\": \"client.authentication.k8s.io/v1\", \"kind\": \"ExecCredential\""
    user = plugin(tmp_path, "echo >> $0.calls", f'echo "{{{kind}, \\"status\\": {status}}}"')
    assert "failed" not in connect(write_kubeconfig(tmp_path / "config", server.url, user))
    numbers = [int(text.removeprefix("Bearer ")) for text in server.authorizations]
    assert len(numbers) == 4
    assert numbers == sorted(set(numbers))


def test_an_api_server_that_does_not_answer_is_named(api_server):
    server = api_server("connection")
    server.stop()
    message = connect(server.kubeconfig)["msg"]
    assert message.startswith(f"Context test of {server.folder}/kubeconfig cannot be used: ")
    assert "Connection refused" in message
