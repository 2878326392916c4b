# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which cluster a kubeconfig names, and what of the environment never counts."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

import pytest
import yaml
from ansible.parsing.dataloader import DataLoader
from ansible_collections.kubernetes.core.plugins.module_utils import args_common
from ansible_collections.kubernetes.core.plugins.module_utils.k8s import client as kubernetes_core
from ansible_collections.monorepo.gitops.plugins.lookup.environments import LookupModule
from ansible_collections.monorepo.gitops.plugins.module_utils import _client
from ansible_collections.monorepo.gitops.plugins.module_utils._connection import (
    NEWEST,
    OLDEST,
    check_complete,
    check_environment,
    check_uid,
    check_version,
    choose_context,
    kubeconfig_files,
    plugin_of,
    read_kubeconfig,
)
from ansible_collections.monorepo.gitops.plugins.module_utils._errors import GitopsError

ROOT = Path(__file__).resolve().parent.parent.parent
PLAYBOOKS = sorted((ROOT / "playbooks").glob("*.yml"))
DEV = {
    "clusters": [{"name": "dev", "cluster": {"server": "https://dev.invalid"}}],
    "contexts": [{"name": "dev", "context": {"cluster": "dev", "user": "me"}}],
    "users": [{"name": "me", "user": {"token": "hunter2"}}],
}


def kubeconfig(folder, name="config", **changed):
    path = folder / name
    path.write_text(yaml.safe_dump(DEV | changed))
    return str(path)


def entries(*contexts):
    return {
        "clusters": {"dev": {"server": "https://dev.invalid"}},
        "contexts": {name: {"cluster": "dev", "user": "me"} for name in contexts},
        "users": {"me": {"token": "hunter2"}},
    }


def taken_away():
    """Return the variables without which the modules of our playbooks run."""
    settings = yaml.safe_load((ROOT / "playbooks" / "vars" / "connection.yml").read_text())
    words = re.sub("{{.*?}}", "x", settings["ansible_shell_executable"]).split()
    assert (words[0], words[-1]) == ("/usr/bin/env", "/bin/sh")
    names = [name for option, name in itertools.pairwise(words) if option == "-u"]
    assert [word.partition("=")[0] for word in words[1 + 2 * len(names) : -1]] == ["NO_PROXY", "no_proxy", "x"]
    return names


class Recorder(dict):
    """An environment that remembers what was asked for."""

    def __init__(self):
        super().__init__()
        self.asked = set()

    def get(self, name, default=None):
        self.asked.add(name)
        return default


def test_every_variable_that_kubernetes_core_reads_is_taken_away(monkeypatch):
    asked = Recorder()
    monkeypatch.setattr(kubernetes_core.os, "environ", asked)
    monkeypatch.setattr(kubernetes_core.os, "getenv", asked.get)
    kubernetes_core._create_auth_spec()
    kubernetes_core._create_headers()
    assert {"K8S_AUTH_HOST", "K8S_AUTH_VERIFY_SSL", "K8S_AUTH_IMPERSONATE_GROUPS"} <= asked.asked
    assert asked.asked <= set(taken_away())


def test_every_option_of_kubernetes_core_is_taken_away():
    names = {*args_common.AUTH_ARG_SPEC, *args_common.AUTH_ARG_MAP, *args_common.AUTH_ARG_MAP.values()}
    names |= {alias for option in args_common.AUTH_ARG_SPEC.values() for alias in option.get("aliases", [])}
    names |= {f"proxy_headers_{name}" for name in args_common.AUTH_PROXY_HEADERS_SPEC}
    assert sorted(taken_away()) == sorted({f"K8S_AUTH_{name.upper()}" for name in names} | {"ENABLE_TURBO_MODE"})


@pytest.mark.parametrize("path", PLAYBOOKS, ids=lambda path: path.stem)
def test_every_play_of_every_playbook_runs_without_these_variables(path):
    for play in yaml.safe_load(path.read_text()):
        assert play["vars_files"][0] == "vars/connection.yml", play["name"]


@pytest.mark.parametrize("path", PLAYBOOKS, ids=lambda path: path.stem)
def test_a_play_without_a_connection_fails_instead_of_using_another_one(path):
    wanted = {"kubeconfig": "{{ cluster_connection.kubeconfig }}", "context": "{{ cluster_connection.context }}"}
    for play in yaml.safe_load(path.read_text()):
        for name, defaults in play.get("module_defaults", {}).items():
            connection = {key: value for key, value in defaults.items() if key in wanted}
            assert (defaults if name.startswith("group/") else connection) == wanted, play["name"]


def test_a_variable_that_is_still_there_stops_the_run():
    message = (
        "The environment has K8S_AUTH_HOST, K8S_AUTH_NEW, which would override what the inventory says about the "
        "cluster: unset K8S_AUTH_HOST K8S_AUTH_NEW and run again."
    )
    with pytest.raises(GitopsError, match=re.escape(message)):
        check_environment({"K8S_AUTH_NEW": "", "K8S_AUTH_HOST": "x", "HOME": "/root"})
    check_environment({"HOME": "/root", "KUBECONFIG": "x", "K8S_AUTH_NO_PROXY": ""})


def test_a_kubeconfig_may_be_relative_or_below_the_home_folder(tmp_path, monkeypatch):
    path = kubeconfig(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert kubeconfig_files("config", {}) == [path]
    assert kubeconfig_files("~/config", {"KUBECONFIG": "/nowhere"}) == [path]
    (tmp_path / "link").symlink_to("config")
    assert kubeconfig_files("link", {}) == [str(tmp_path / "link")]


def test_a_missing_kubeconfig_is_named(tmp_path):
    path = kubeconfig(tmp_path)
    with pytest.raises(GitopsError, match=r"^cluster_kubeconfig names /nowhere/x, which does not exist\.$"):
        kubeconfig_files(f"{path}:/nowhere/x", {})


def test_the_default_kubeconfig_is_that_of_kubectl(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    path = kubeconfig(tmp_path)
    assert kubeconfig_files("", {"KUBECONFIG": f"/nowhere:{path}"}) == [path]
    message = (
        f"cluster_kubeconfig is empty, and the default kubeconfig {tmp_path}/.kube/config does not exist: "
        "set cluster_kubeconfig to a path."
    )
    with pytest.raises(GitopsError, match=f"^{re.escape(message)}$"):
        kubeconfig_files("", {})
    (tmp_path / ".kube").mkdir()
    path = kubeconfig(tmp_path / ".kube")
    assert kubeconfig_files("", {}) == [path]


def test_of_two_entries_with_one_name_the_first_counts(tmp_path):
    other = [{"name": name, "cluster": {"server": f"https://{name}.invalid/2"}} for name in ("dev", "prod")]
    found = read_kubeconfig([kubeconfig(tmp_path), kubeconfig(tmp_path, "other", clusters=other, contexts=None)])
    assert {name: cluster["server"] for name, cluster in found["clusters"].items()} == {
        "dev": "https://dev.invalid",
        "prod": "https://prod.invalid/2",
    }
    assert list(found["contexts"]) == ["dev"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("users:\n- {token: hunter2", "is not a kubeconfig: it is not valid YAML in line 2."),
        ("hunter2", "is not a kubeconfig: clusters, contexts and users must be lists."),
        ("users: hunter2", "is not a kubeconfig: clusters, contexts and users must be lists."),
        ("users: [hunter2]", "is not a kubeconfig: clusters, contexts and users must be lists."),
        ("users: [{name: me, token: hunter2}]", "is not a kubeconfig: an entry of users has no name or no user."),
    ],
)
def test_what_is_not_a_kubeconfig_is_refused_without_its_contents(tmp_path, text, message):
    path = tmp_path / "config"
    path.write_text(text)
    with pytest.raises(GitopsError) as error:
        read_kubeconfig([str(path)])
    assert str(error.value) == f"{path} {message}"


def test_the_only_context_is_used():
    assert choose_context(entries("dev"), "", "/x") == "dev"


def test_the_named_context_is_used():
    assert choose_context(entries("dev", "prod"), "prod", "/x") == "prod"


@pytest.mark.parametrize(
    ("names", "wanted", "message"),
    [
        ([], "", "/x has no contexts, so it does not name a cluster."),
        (["prod", "dev"], "", "/x has several contexts (dev, prod): set cluster_context to the one to use."),
        (["prod", "dev"], "prd", "cluster_context is prd, but /x has only these contexts: dev, prod."),
    ],
)
def test_a_context_must_be_clear(names, wanted, message):
    with pytest.raises(GitopsError) as error:
        choose_context(entries(*names), wanted, "/x")
    assert str(error.value) == message


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"clusters": {}}, "Context dev of /x names the cluster dev, which does not exist."),
        ({"clusters": {"dev": {}}}, "Cluster dev of /x has no server."),
        ({"users": {}}, "Context dev of /x names the user me, which does not exist."),
    ],
)
def test_a_context_must_be_complete(changed, message):
    with pytest.raises(GitopsError) as error:
        check_complete(entries("dev") | changed, "dev", "/x")
    assert str(error.value) == message


def test_a_context_may_have_no_user():
    found = entries("dev") | {"contexts": {"dev": {"cluster": "dev"}}}
    check_complete(found, "dev", "/x")
    assert plugin_of(found, "dev") == ""


def test_another_cluster_than_the_pinned_one_is_refused():
    check_uid("a", "", "https://dev.invalid")
    check_uid("a", "a", "https://dev.invalid")
    with pytest.raises(GitopsError) as error:
        check_uid("a", "b", "https://dev.invalid")
    assert str(error.value) == (
        "This is not the intended cluster: its namespace kube-system has the UID a, cluster_uid says b. "
        "It was reached at https://dev.invalid."
    )


def test_kubernetes_is_one_that_the_operators_support():
    assert check_version("v1.34.0", OLDEST, "https://h") == ""
    assert check_version("v1.36.4-eks-113cf36", OLDEST, "https://h") == ""
    assert check_version(f"v{NEWEST}.2", OLDEST, "https://h") == ""
    with pytest.raises(GitopsError) as error:
        check_version("v1.33.9+k3s1", OLDEST, "https://h")
    assert str(error.value) == (
        "https://h is Kubernetes v1.33.9+k3s1; supported versions are 1.34 to 1.37. Upgrade the cluster, or set "
        "cluster_oldest_version when all components of the inventory run on it."
    )
    assert check_version("v1.33.9+k3s1", "1.33", "https://h") == ""
    assert check_version("v1.100.0", OLDEST, "https://h") == (
        "https://h is Kubernetes v1.100.0, which is newer than the tested versions; "
        "supported versions are 1.34 to 1.37."
    )
    assert check_version("", OLDEST, "https://h") == (
        "https://h does not report its Kubernetes version (nothing); supported versions are 1.34 to 1.37."
    )


def test_the_oldest_version_is_the_same_everywhere():
    defaults = yaml.safe_load((ROOT / "roles" / "cluster" / "defaults" / "main.yml").read_text())
    assert defaults["cluster_oldest_version"] == OLDEST
    assert f"Kubernetes {OLDEST} to {NEWEST}" in (ROOT / "README.md").read_text()


def test_a_client_that_cannot_be_made_says_nothing_of_the_credentials(tmp_path):
    users = [{"name": "me", "user": {"auth-provider": {"name": "oidc", "config": {"client-secret": "hunter2"}}}}]
    path = kubeconfig(tmp_path, users=users)
    with pytest.raises(GitopsError) as error:
        _client.client_of(path, "dev")
    assert str(error.value).startswith(f"Context dev of {path} cannot be used: ")
    assert "Expected key id-token" in str(error.value)
    assert "hunter2" not in str(error.value)


def test_a_missing_file_of_a_kubeconfig_is_named(tmp_path):
    clusters = [{"name": "dev", "cluster": {"server": "https://dev.invalid", "certificate-authority": "pki/ca.crt"}}]
    path = kubeconfig(tmp_path, clusters=clusters)
    with pytest.raises(GitopsError, match=re.escape(f"File does not exist: {tmp_path}/pki/ca.crt")):
        _client.client_of(path, "dev")


def inventory(folder, name, environment=""):
    """Write an inventory with the environment in its group variables."""
    variables = folder / name / "group_vars" / "all"
    variables.mkdir(parents=True)
    (folder / name / "hosts.yml").write_text("all: {hosts: {localhost: {ansible_connection: local}}}\n")
    (variables / "x.yml").write_text(f"gitops_environment: {environment}\n" if environment else "other: 1\n")
    return str(folder / name)


def environments(*sources):
    return LookupModule(loader=DataLoader()).run(list(sources))


def test_inventories_that_each_set_an_environment_are_found(tmp_path):
    dev, prod, extra = (inventory(tmp_path, *entry) for entry in (("a", "dev"), ("b", "prod"), ("c",)))
    assert environments(dev, f"{prod}/hosts.yml") == [f"{dev} (dev)", f"{prod}/hosts.yml (prod)"]
    assert environments(dev, extra) == [f"{dev} (dev)"]
    assert environments(dev, dev) == []


def test_an_environment_in_the_file_of_hosts_is_found(tmp_path):
    dev = inventory(tmp_path, "a", "dev")
    (tmp_path / "hosts.yml").write_text("all: {vars: {gitops_environment: prod}, hosts: {localhost: }}\n")
    assert environments(dev, str(tmp_path / "hosts.yml")) == [f"{dev} (dev)", f"{tmp_path}/hosts.yml (prod)"]


def test_variables_of_the_current_folder_are_not_those_of_a_list_of_hosts(tmp_path, monkeypatch):
    dev = inventory(tmp_path, "a", "dev")
    monkeypatch.chdir(dev)
    assert environments(dev, "localhost,") == [f"{dev} (dev)"]
