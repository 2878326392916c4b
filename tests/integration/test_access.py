# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A ServiceAccount for some playbooks: what it may do, what it says without a right, and how it would break out."""

from __future__ import annotations

import json
import time
from copy import deepcopy

import pytest
import yaml
from ansible_collections.monorepo.gitops.plugins.module_utils._api import Api
from ansible_collections.monorepo.gitops.plugins.module_utils._environment import rights as table
from ansible_collections.monorepo.gitops.plugins.modules import (
    argocd_app_info,
    argocd_app_logs,
    argocd_app_refresh,
    argocd_app_sync,
    argocd_app_terminate,
    argocd_app_wait,
    argocd_appset_info,
    argocd_appset_refresh,
    service_account_kubeconfig,
)
from kubernetes import config, dynamic
from rights import MODULES, Rights
from unit.running import run_module

from .conftest import ARGO, existing, limited, message, runbook, service_account
from .test_wait import Repository, apply, specification

CI = "argocd/serviceaccounts/gitops-ci"
FILE = "ci.kubeconfig"


def asks(kubeconfig):
    """Return requests with another kubeconfig."""
    return Api(dynamic.DynamicClient(config.new_client_from_config(str(kubeconfig))), retries=0)


def run(environment, playbook, *args):
    return environment.playbook(f"playbooks/{playbook}.yml", *args)


def test_the_account_of_the_runbook_runs_its_playbooks_and_nothing_else(environment):
    checked, given, _limited = runbook("access")
    file = environment.inventory.parent.parent / FILE
    done = environment.playbook(checked[1], *checked[4:])
    assert "Check mode writes no file." in done.stdout, done.stdout[-3000:]
    assert (file.exists(), environment.live(f"/api/v1/namespaces/{CI}")) == (False, None)
    done = environment.playbook(given[1], *given[4:])
    assert done.returncode == 0, done.stdout[-3000:]
    assert "ServiceAccount argocd/gitops-ci may run status, sync, logs" in done.stdout
    assert (file.stat().st_mode & 0o777, file.owner()) == (0o600, (environment.inventory / "hosts.yml").owner())
    token = yaml.safe_load(file.read_text())["users"][0]["user"]["token"]
    assert token not in done.stdout
    left = service_account_kubeconfig.claims_of(token)["exp"] - time.time()
    assert 3500 < left <= 3600
    # A second run changes nothing.
    assert "changed=0 " in environment.playbook(given[1], *given[4:]).stdout

    account = existing(environment, cluster_kubeconfig=str(file))
    for playbook, *args in (["status"], ["sync", "-e", "app=maildev"], ["logs", "-e", "app=maildev"]):
        done = run(environment, playbook, *args, *account)
        assert done.returncode == 0, done.stdout[-3000:]
        assert "more could be reported" not in done.stdout
        assert "forbidden" not in done.stdout
    for playbook, right in (("pause", 'get resource "applicationsets"'), ("restart", 'get resource "applications"')):
        done = run(environment, playbook, "-e", "app=maildev", *account)
        assert done.returncode != 0
        assert f"cannot {right}" in done.stdout.replace('\\"', '"'), done.stdout[-3000:]
    api = asks(file)
    for path in ("/api/v1/namespaces/argocd/secrets", "/api/v1/secrets", "/api/v1/namespaces/argocd/configmaps"):
        assert api.request("GET", path)[0] == 403
    # Its tokens end with it.
    assert environment.api().request("DELETE", f"/api/v1/namespaces/{CI}")[0] == 200
    end = time.monotonic() + 30
    while api.request("GET", f"{ARGO}/applications")[0] != 401:
        assert time.monotonic() < end
        time.sleep(0.5)


def test_a_kubeconfig_is_made_with_the_documented_rights_only(environment, tmp_path):
    body = {"metadata": {"name": "plain"}}
    path = "/api/v1/namespaces/argocd/serviceaccounts"
    assert environment.api().request("POST", path, body=body, content_type="application/json")[0] == 201
    kubeconfig = limited(environment, tmp_path, "service_account_kubeconfig")
    options = {"name": "plain", "namespace": "argocd", "file": str(tmp_path / FILE)}
    assert run_module(service_account_kubeconfig, kubeconfig=kubeconfig, **options)["changed"] is True
    assert asks(tmp_path / FILE).request("GET", "/version")[0] == 200


# --- without a right -------------------------------------------------------------------------------------------------

BROKEN = "access-broken"
USES = {
    "argocd_app_info": (argocd_app_info, {"names": [BROKEN], "tree": True, "events": True, "log_lines": 5}),
    "argocd_appset_info": (argocd_appset_info, {}),
    "argocd_app_wait": (argocd_app_wait, {"names": ["maildev"], "on_paused": "fail", "wait_timeout": 60}),
    "argocd_app_sync": (argocd_app_sync, {"names": ["maildev"], "wait_timeout": 60}),
    "argocd_app_logs": (argocd_app_logs, {"name": "maildev"}),
}


def each_right(module):
    """Yield each right of a module, alone."""
    for scope in table.SCOPES:
        for entry in MODULES[module].get(scope, []):
            for resource in entry["resources"].split():
                for verb in entry["verbs"].split():
                    yield scope, entry, resource, verb


def without(module, scope, entry, resource, verb):
    """Return the rights of a module without one of them."""
    left = deepcopy(MODULES[module])
    at = MODULES[module][scope].index(entry)
    rest = [other for other in entry["resources"].split() if other != resource]
    verbs = [other for other in entry["verbs"].split() if other != verb]
    parts = [entry | {"resources": " ".join(rest)}, entry | {"resources": resource, "verbs": " ".join(verbs)}]
    left[scope][at : at + 1] = [part for part in parts if part["resources"] and part["verbs"]]
    return Rights(**table.of_modules({module: left}, {}, [module]))


# With these rights more could be reported about an Application whose pods do not start.
TELLS = {("argocd_app_info", "list", resource) for resource in ("pods", "replicasets", "events")}
CASES = [(module, *right) for module in USES for right in each_right(module)]


@pytest.fixture(scope="module")
def broken(test_environment, tmp_path_factory):
    """Make an Application whose pods cannot start, so that its causes are looked for."""
    repository = Repository(tmp_path_factory.mktemp("access"))
    state = {"value": "0", "image": "rehearsal-fail:1", "replicas": 1, "broken": "", "more": []}
    repository.state = {BROKEN: state}
    repository.push("broken")
    api, any_kind = test_environment.api(), [{"group": "*", "kind": "*"}]
    project = {"sourceRepos": [repository.url], "clusterResourceWhitelist": any_kind}
    project["destinations"] = [{"server": "*", "namespace": "*"}]
    apply(api, "AppProject", "appprojects", BROKEN, project)
    apply(api, "Application", "applications", BROKEN, specification(repository.url, BROKEN) | {"project": BROKEN})
    run_module(argocd_app_wait, kubeconfig=test_environment.status["kubeconfig"], names=[BROKEN], wait_timeout=15)


@pytest.mark.parametrize(
    ("number", "module", "scope", "entry", "resource", "verb"),
    [(number, *case) for number, case in enumerate(CASES)],
    ids=[f"{module}-{verb}-{resource}" for module, _scope, _entry, resource, verb in CASES],
)
@pytest.mark.usefixtures("broken")
def test_without_a_right_the_error_names_it(environment, tmp_path, number, module, scope, entry, resource, verb):
    given, used = without(module, scope, entry, resource, verb), USES[module]
    kubeconfig = service_account(environment, tmp_path / "kubeconfig", f"lacks-{number}", given)
    result = run_module(used[0], kubeconfig=kubeconfig, **used[1])
    said = json.dumps(result).replace('\\"', '"')
    named = f'cannot {verb} resource "{resource}" in API group "{entry.get("group", "")}"' in said
    if verb == "watch" or entry.get("optional") or entry.get("where"):
        # It lists again and again, it knows fewer causes, or this Application has nothing of the kind.
        assert "msg" not in result, result
        assert named or (module, verb, resource) not in TELLS, result
    else:
        assert named, result
        # The log of a container that cannot be read is a note, because those of others may be.
        assert "msg" in result or resource == "pods/log", result


# What installs Argo CD needs everything. Of this, each account lacks a part.
READS = {"apiGroups": ["*"], "resources": ["*"], "verbs": ["get", "list", "watch"]}
CORE = {"apiGroups": ["", "apiextensions.k8s.io", "networking.k8s.io"], "resources": ["*"], "verbs": ["*"]}


@pytest.mark.parametrize(
    ("name", "rules", "said"),
    [
        (
            "lacks-reading",
            [CORE],
            'cannot list resource "statefulsets" in API group "apps" at the cluster scope',
        ),
        ("lacks-writing", [READS], 'cannot patch resource "configmaps" in API group "" in the namespace "argocd"'),
    ],
)
def test_without_a_right_an_installation_names_it(environment, tmp_path, name, rules, said):
    kubeconfig = service_account(environment, tmp_path / "kubeconfig", name, Rights(everywhere=rules))
    # What is as it must be is not written.
    changed = {"argocd_cmd_params": {"controller.status.processors": "21"}}
    done = environment.site("--tags", "argocd", *existing(environment, cluster_kubeconfig=kubeconfig, **changed))
    assert said in message(done, environment).replace('\\"', '"')


# --- breaking out ----------------------------------------------------------------------------------------------------

SOURCE = {"repoURL": "https://example.com/other.git", "path": ".", "targetRevision": "HEAD"}
ATTACKS = {
    "source": {"spec": {"source": SOURCE}},
    "project": {"spec": {"project": "default"}},
    "destination": {"spec": {"destination": {"namespace": "kube-system"}}},
    "no automated sync": {"spec": {"syncPolicy": None}},
    "label": {"metadata": {"labels": {"a": "b"}}},
    "finalizer": {"metadata": {"finalizers": ["example.com/keeps-it"]}},
    "owner": {"metadata": {"ownerReferences": None}},
    "skipped by the controller": {"metadata": {"annotations": {"argocd.argoproj.io/skip-reconcile": "true"}}},
    "sync status": {"status": {"sync": {"status": "Unknown"}}},
    "health": {"status": {"health": {"status": "Missing"}}},
    "history": {"status": {"history": None}},
    "another field of the status": {"status": {"observedAt": "2026-01-01T00:00:00Z"}},
    "result of an operation": {"status": {"operationState": {"message": "all is well"}}},
    "phase of an operation": {"status": {"operationState": {"phase": "Failed"}}},
    "manifests": {"operation": {"sync": {"manifests": ["{}"]}}},
    "source of an operation": {"operation": {"sync": {"source": SOURCE}}},
    "sources of an operation": {"operation": {"sync": {"sources": [SOURCE]}}},
    "revision": {"operation": {"sync": {"revision": "attack"}}},
    "strategy": {"operation": {"sync": {"syncStrategy": {"hook": {"force": True}}}}},
    "sync option": {"operation": {"sync": {"syncOptions": ["Replace=true"]}}},
    "no sync": {"operation": {"retry": {"limit": 1}}},
}
SET_ATTACKS = {
    "source": {"spec": {"template": {"spec": {"source": SOURCE, "destination": {}, "project": "default"}}}},
    "owner of Applications": {"metadata": {"finalizers": None}},
    "annotation": {"metadata": {"annotations": {"a": "b"}}},
}


@pytest.fixture(scope="module")
def restricted(test_environment):
    """Make an account that may run playbooks which patch Applications and ApplicationSets, but only to sync."""
    _checked, _given, command = runbook("access", **{"status,sync": "promote,sync", "ci.kubeconfig": "only.kubeconfig"})
    done = test_environment.playbook(command[1], *command[4:])
    assert done.returncode == 0, done.stdout[-3000:]
    kubeconfig = test_environment.inventory.parent.parent / "only.kubeconfig"
    api = asks(kubeconfig)
    # The API server takes note of a new policy after some moments.
    end = time.monotonic() + 60
    path, query = f"{ARGO}/applications/maildev", {"dryRun": "All"}
    while api.request("PATCH", path, query, ATTACKS["label"])[0] == 200:
        assert time.monotonic() < end
        time.sleep(0.5)
    return str(kubeconfig), api


@pytest.mark.parametrize(
    ("name", "attack"),
    [(f"applications/maildev {name}", attack) for name, attack in ATTACKS.items()]
    + [(f"applicationsets/infra {name}", attack) for name, attack in SET_ATTACKS.items()],
    ids=lambda value: value.replace(" ", "-") if isinstance(value, str) else "",
)
def test_an_account_that_may_only_sync_cannot_break_out(environment, restricted, name, attack):
    path, query = f"{ARGO}/{name.partition(' ')[0]}", {"dryRun": "All"}
    # Nothing else would stop it.
    status, found = environment.api().request("PATCH", path, query, attack)
    assert status == 200, found
    status, found = restricted[1].request("PATCH", path, query, attack)
    assert status == 422, found
    assert "This account may only refresh and sync" in found["message"]


def test_an_account_that_may_only_sync_refreshes_syncs_and_ends_a_sync(restricted):
    kubeconfig, _api = restricted
    chosen = {"kubeconfig": kubeconfig, "names": ["maildev"], "wait_timeout": 60}
    for module, options in (
        (argocd_app_refresh, {}),
        (argocd_app_sync, {}),
        (argocd_app_sync, {"only_out_of_sync": True, "prune": True}),
        (argocd_app_sync, {"dry_run": True}),
        (argocd_app_wait, {}),
        (argocd_app_terminate, {}),
    ):
        result = run_module(module, **chosen, **options)
        assert "msg" not in result, result
    assert "msg" not in run_module(argocd_appset_refresh, kubeconfig=kubeconfig, names=["infra"])
