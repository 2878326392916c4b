# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller's side of the modules that talk to the API server: each test is a task, as a play runs it."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path

import pytest
import yaml
from ansible.errors import AnsibleActionFail
from ansible.parsing.vault import VaultLib, VaultSecret
from ansible_collections.monorepo.gitops.plugins.action import gitops_compare
from ansible_collections.monorepo.gitops.plugins.plugin_utils import k8s_action, showing

from .running import action_plugin

ROOT = Path(__file__).resolve().parent.parent.parent
MODULES = sorted((ROOT / "plugins/modules").glob("*.py"))
NAMES = [path.stem for path in MODULES if "_client.run" in path.read_text() or "progress_file" in path.read_text()]
VARIABLES = {"ansible_python_interpreter": sys.executable}
SECRET = VaultSecret(b"correct horse")


def task(name, transport="local", **arguments):
    """Return the action plugin of a task of ours."""
    action = action_plugin(name, VARIABLES, **arguments)
    action._loader.set_vault_secrets([("default", SECRET)])
    action._connection.transport = transport
    return action


def run(action):
    return action.run(task_vars=VARIABLES)


@pytest.fixture
def given(monkeypatch):
    """Return what modules are given; they are not run."""
    found = []

    def execute(action, module_args, **_settings):
        found.append((action._task.action, module_args))
        return {"changed": False}

    monkeypatch.setattr(k8s_action.K8sAction, "_execute_module", execute)
    monkeypatch.setattr(k8s_action.K8sAction, "_call", execute)
    return found


@pytest.mark.parametrize("name", NAMES)
def test_every_module_of_ours_has_its_action_and_progress_where_it_has_progress(name):
    module = importlib.import_module(f"ansible_collections.monorepo.gitops.plugins.modules.{name}")
    action = task(name)
    assert isinstance(action, k8s_action.K8sAction) == ("_client.run" in Path(module.__file__).read_text())
    fragments = yaml.safe_load(module.DOCUMENTATION)["extends_documentation_fragment"]
    assert action.progress == ("monorepo.gitops.progress" in fragments)


def test_a_relative_kubeconfig_is_found_and_no_argument_is_in_the_result(api_server, monkeypatch):
    server = api_server("info_all")
    monkeypatch.chdir(Path(server.kubeconfig).parent)
    result = run(task("argocd_app_info", kubeconfig="kubeconfig", api_key="hunter2", names=["one"]))
    assert [entry["name"] for entry in result["applications"]] == ["one"]
    assert server.authorizations[-1] == "Bearer hunter2"
    assert "hunter2" not in str(result)


def test_a_kubeconfig_that_does_not_exist_is_named(given):
    with pytest.raises(AnsibleActionFail, match=r"^kubeconfig: .*nowhere\.yaml"):
        run(task("argocd_app_info", kubeconfig="nowhere.yaml"))
    with pytest.raises(AnsibleActionFail, match=r"^cluster_kubeconfig names /nowhere, which does not exist\.$"):
        run(task("cluster_connection", kubeconfig="/nowhere"))
    assert given == []


def test_an_encrypted_kubeconfig_is_read_and_keeps_its_name(api_server):
    server = api_server("connection")
    path = Path(server.kubeconfig)
    path.write_bytes(VaultLib([("default", SECRET)]).encrypt(path.read_bytes(), SECRET))
    result = run(task("cluster_connection", kubeconfig=str(path)))
    assert (result["kubeconfig"], result["context"], result["server"]) == (str(path), "test", server.url)
    result = run(task("cluster_connection", kubeconfig=str(path), context="other"))
    assert result["msg"] == f"cluster_context is other, but {path} has only these contexts: test."


def test_a_long_module_shows_how_far_it_is(monkeypatch, tmp_path):
    shown = []
    monkeypatch.setattr(showing.Display, "display", lambda _display, text, **_settings: shown.append(text))
    path = tmp_path / "progress"
    path.write_bytes(b"first\nsecond")
    with showing.Tail(path), path.open("ab") as file:
        file.write(b" line\nhalf a l")
    assert shown == ["  first", "  second line"]


def test_progress_goes_to_a_file_that_only_a_module_on_this_machine_can_write(given):
    run(task("argocd_app_wait", names=["one"]))
    run(task("argocd_app_wait", transport="ssh", names=["one"]))
    run(task("argocd_app_info"))
    assert [sorted(arguments) for _name, arguments in given] == [["names", "progress_file"], ["names"], []]
    assert not Path(given[0][1]["progress_file"]).exists()


def test_a_kubeconfig_on_another_machine_is_not_looked_for_here(given):
    run(task("argocd_app_info", transport="ssh", kubeconfig="/there/config"))
    assert given == [("monorepo.gitops.argocd_app_info", {"kubeconfig": "/there/config"})]


def test_a_comparison_knows_what_the_collection_is_and_has(given):
    volume = {"component": "monorepo.gitops.cert_manager", "kind": "PersistentVolumeClaim"}
    removals = ["monorepo.gitops.cert_manager", "maildev", "acme.platform.gone"]
    run(task("gitops_compare", removals=removals, volume_removals=[volume]))
    run(task("gitops_compare", collection_version="0.1.0", known_components=["x"]))
    (_name, first), (_name, second) = given
    version = yaml.safe_load((ROOT / "galaxy.yml").read_text())["version"]
    assert (first["collection_version"], second["collection_version"]) == (version, "0.1.0")
    assert {"cert-manager", "kafka-ui"} <= set(first["known_components"])
    assert not {"component", "argocd", "cluster"} & set(first["known_components"])
    assert first["removals"] == ["cert-manager", "maildev", "acme.platform.gone"]
    assert first["volume_removals"] == [volume | {"component": "cert-manager"}]
    assert (second["known_components"], second["removals"], second["volume_removals"]) == (["x"], [], [])


def test_an_installed_collection_has_its_version_in_its_manifest(tmp_path):
    (tmp_path / "MANIFEST.json").write_text(json.dumps({"collection_info": {"version": "1.2.3"}}))
    assert gitops_compare.version(tmp_path) == "1.2.3"


def test_a_role_whose_definition_cannot_be_read_keeps_its_name(tmp_path, monkeypatch):
    file = tmp_path / "main.yml"
    monkeypatch.setattr(gitops_compare, "definition_file", lambda _role: file)
    for text in ("{", "", "other: 1"):
        file.write_text(text)
        assert gitops_compare.component_of("acme.platform.broken") == "acme.platform.broken"
