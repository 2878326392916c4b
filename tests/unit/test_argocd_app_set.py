# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module argocd_app_set, against what a real API server said while a real Argo CD worked."""

from __future__ import annotations

import pytest
from ansible_collections.monorepo.gitops.plugins.modules import argocd_app_set

from .running import run_module
from .test_argocd_app_wait import PATH

WANTED = {"auto_prune": False, "sync_options": ["PruneLast=true"]}


def settings(server, check=False, **arguments):
    return run_module(argocd_app_set, check, kubeconfig=server.kubeconfig, names=["gateway"], **arguments)


def test_only_what_differs_is_written(api_server):
    server = api_server("set_policy")
    result = settings(server, **WANTED)
    found = result["applications"][0]
    assert (result["changed"], found["changed"], found["automated"]) == (True, True, True)
    assert found["fields"] == ["spec.syncPolicy.automated.prune", "spec.syncPolicy.syncOptions"]
    assert found["sync_policy"]["automated"] == {"prune": False, "selfHeal": True}
    policy = server.steps_of("PATCH")[0]["body"]["spec"]["syncPolicy"]
    assert (policy["automated"], policy["syncOptions"][-1], sorted(policy)) == (
        {"prune": False},
        "PruneLast=true",
        ["automated", "syncOptions"],
    )
    assert server.writes() == [f"PATCH {PATH}/gateway"]
    before, after = result["diff"]["before"]["gateway"], result["diff"]["after"]["gateway"]
    assert (before["syncPolicy"]["automated"]["prune"], after["syncPolicy"]["automated"]["prune"]) == (True, False)


def test_a_second_time_nothing_is_written(api_server):
    server = api_server("set_nothing")
    result = settings(server, **WANTED)
    assert (result["changed"], result["applications"][0]["fields"], server.writes()) == (False, [], [])


def test_check_mode_writes_nothing(api_server):
    server = api_server("set_check")
    assert settings(server, check=True, auto_prune=True)["changed"] is True
    assert server.writes() == []


def test_what_the_applicationset_would_revert_is_refused_with_the_place_to_change_it(api_server):
    server = api_server("set_reverted")
    assert settings(server, revision="v1", name_prefix="a-")["msg"] == (
        "Nothing was set. Application gateway: ApplicationSet infra would revert spec.source.kustomize, "
        "spec.source.targetRevision: set the variables of the component in the inventory, which render "
        "argocd/infra/gateway/envs/hb, and run site.yml."
    )
    assert server.writes() == []


def test_the_policy_of_what_is_paused_is_left_alone(api_server):
    server = api_server("set_paused")
    assert settings(server, auto_prune=False)["msg"].endswith(
        " by anna (moving the database): resume it first, which restores its policy."
    )
    assert server.writes() == []


def test_something_must_be_set(api_server):
    server = api_server("set_nothing_given")
    assert settings(server)["msg"] == (
        "Nothing to set: give at least one of sync_policy, sync_options, auto_prune, self_heal, allow_empty, revision, "
        "helm_parameters, kustomize_images, kustomize_replicas, name_prefix, name_suffix."
    )


def own(version, policy):
    """Return an Application without an owner."""
    return {
        "metadata": {"name": "gateway", "namespace": "argocd", "resourceVersion": version},
        "spec": {"syncPolicy": policy},
    }


@pytest.mark.parametrize(
    ("theirs", "fields"),
    [
        ({"automated": {"prune": False}}, []),
        ({"automated": {"prune": True}, "retry": {"limit": 2}}, ["spec.syncPolicy.automated.prune"]),
    ],
    ids=["the same", "something else"],
)
def test_what_somebody_else_writes_in_between_is_no_change_of_ours(api_server, theirs, fields):
    versions, answers = iter([own("1", {"automated": {"prune": True}}), own("2", theirs)]), iter([409, 200])

    def answer(method, path):
        if method == "PATCH":
            return next(answers), {}
        return (200, {"items": [next(versions)]}) if path.startswith(PATH) else (404, {})

    result = settings(api_server(answer), auto_prune=False)
    found = result["applications"][0]
    assert (result["changed"], found["changed"], found["fields"]) == (bool(fields), bool(fields), fields)
    assert found["sync_policy"] == theirs | {"automated": {"prune": False}}
    assert list(result["diff"]["before"]) == (["gateway"] if fields else [])


def test_options_that_contradict_each_other_are_refused_before_anything_is_read(api_server):
    server = api_server(lambda _method, _path: (500, {}))
    assert settings(server, sync_options=["PruneLast"])["msg"] == (
        "Nothing was set: sync_options has PruneLast: write Name=value to add one, and !Name or !Name=value to remove "
        "one."
    )
    assert server.asked() == []
