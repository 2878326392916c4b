# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What settings make of a specification, and what an ApplicationSet would revert of it."""

from __future__ import annotations

from copy import deepcopy

import pytest
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.generated import changed_paths, revert_refusal
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.settings import (
    contradiction,
    merge_patch,
    setting_refusal,
    wanted_spec,
)

AUTOMATED = {"prune": True, "selfHeal": True}
SPEC = {
    "source": {"repoURL": "u", "path": "argocd/infra/web/envs/dev", "targetRevision": "main"},
    "syncPolicy": {"automated": AUTOMATED, "syncOptions": ["CreateNamespace=true", "Prune=true"]},
}


def application(spec=None, **status):
    owner = {"apiVersion": "argoproj.io/v1alpha1", "kind": "ApplicationSet", "name": "infra", "controller": True}
    metadata = {"name": "web", "namespace": "argocd", "resourceVersion": "7", "ownerReferences": [owner]}
    return {"metadata": metadata, "spec": deepcopy(SPEC) | (spec or {}), "status": status}


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"sync_policy": "none"}, {"syncPolicy": {"syncOptions": ["CreateNamespace=true", "Prune=true"]}}),
        ({"sync_policy": "automated"}, {}),
        ({"auto_prune": True, "self_heal": True, "allow_empty": False}, {}),
        ({"auto_prune": False}, {"syncPolicy": SPEC["syncPolicy"] | {"automated": {"prune": False, "selfHeal": True}}}),
        ({"allow_empty": True}, {"syncPolicy": SPEC["syncPolicy"] | {"automated": AUTOMATED | {"allowEmpty": True}}}),
        (
            {"sync_options": ["Prune=false"]},
            {"syncPolicy": {"automated": AUTOMATED, "syncOptions": ["CreateNamespace=true", "Prune=false"]}},
        ),
        ({"sync_options": ["!Prune=true", "!CreateNamespace=true"]}, {"syncPolicy": {"automated": AUTOMATED}}),
        (
            {"sync_options": ["!Prune", "!PruneLast"]},
            {"syncPolicy": {"automated": AUTOMATED, "syncOptions": ["CreateNamespace=true"]}},
        ),
        ({"sync_options": ["!Prune=false"]}, {}),
        ({"sync_options": ["Prune=true"]}, {}),
        ({"revision": "main"}, {}),
        ({"revision": "v1"}, {"source": SPEC["source"] | {"targetRevision": "v1"}}),
        ({"name_prefix": "a-"}, {"source": SPEC["source"] | {"kustomize": {"namePrefix": "a-"}}}),
        ({"name_prefix": "", "kustomize_images": []}, {}),
        (
            {"kustomize_replicas": {"web": "3"}},
            {"source": SPEC["source"] | {"kustomize": {"replicas": [{"name": "web", "count": 3}]}}},
        ),
        (
            {"helm_parameters": {"a": 1}},
            {"source": SPEC["source"] | {"helm": {"parameters": [{"name": "a", "value": "1"}]}}},
        ),
    ],
)
def test_only_what_is_given_changes(settings, expected):
    item = application()
    before = deepcopy(item)
    wanted = wanted_spec(item, settings)
    assert wanted == SPEC | expected
    assert item == before
    assert wanted_spec(item | {"spec": wanted}, settings) == wanted  # a second time nothing changes


@pytest.mark.parametrize(
    ("automated", "settings", "expected"),
    [
        (None, {"sync_policy": "automated"}, {}),
        (None, {"auto_prune": True}, {"enabled": False, "prune": True}),
        ({"enabled": False}, {"auto_prune": False}, {"enabled": False}),
        ({"enabled": False, "prune": True}, {"sync_policy": "automated"}, {"prune": True}),
        (None, {"sync_policy": "automated", "self_heal": True}, {"selfHeal": True}),
    ],
)
def test_automated_sync_is_only_switched_on_by_its_own_setting(automated, settings, expected):
    policy = {} if automated is None else {"automated": automated}
    assert wanted_spec(application({"syncPolicy": policy}), settings)["syncPolicy"] == {"automated": expected}


@pytest.mark.parametrize(
    ("automated", "settings"),
    [
        (None, {"auto_prune": False}),
        (None, {"sync_policy": "none", "auto_prune": False}),
        ({"prune": True}, {"sync_policy": "none", "auto_prune": False}),
    ],
)
def test_what_is_switched_off_leaves_no_policy_behind(automated, settings):
    spec = {"syncPolicy": {"automated": automated} if automated else {}}
    assert not wanted_spec(application(spec), settings).get("syncPolicy")


WRITE = "write Name=value to add one, and !Name or !Name=value to remove one"


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (
            {"sync_policy": "none", "auto_prune": True, "self_heal": True, "allow_empty": False},
            "sync_policy none removes what auto_prune and self_heal would switch on: leave one of them out",
        ),
        ({"sync_policy": "none", "auto_prune": False, "self_heal": None}, ""),
        ({"sync_options": ["PruneLast"]}, f"sync_options has PruneLast: {WRITE}"),
        ({"sync_options": ["PruneLast="]}, f"sync_options has PruneLast=: {WRITE}"),
        ({"sync_options": ["!"]}, f"sync_options has !: {WRITE}"),
        ({"sync_options": [""]}, f"sync_options has an empty option: {WRITE}"),
        ({"sync_options": ["!PruneLast", "!Prune=true", "A=b"]}, ""),
    ],
)
def test_settings_that_mean_nothing_are_refused(settings, expected):
    assert contradiction(settings) == expected


@pytest.mark.parametrize(
    ("before", "image", "after"),
    [
        (["nginx:1"], "nginx:2", ["nginx:2"]),
        (["reg:5000/nginx:1", "redis:7"], "reg:5000/nginx@sha256:ab", ["reg:5000/nginx@sha256:ab", "redis:7"]),
        (["nginx=reg:5000/nginx:1"], "nginx=other/nginx:2", ["nginx=other/nginx:2"]),
        (["nginx:1"], "reg:5000/nginx:2", ["nginx:1", "reg:5000/nginx:2"]),
    ],
)
def test_an_image_takes_the_place_of_the_one_with_its_name(before, image, after):
    item = application({"source": {"kustomize": {"images": before}}})
    assert wanted_spec(item, {"kustomize_images": [image]})["source"]["kustomize"]["images"] == after


@pytest.mark.parametrize(
    ("spec", "settings", "paused", "expected"),
    [
        (
            {},
            {"auto_prune": True},
            "paused since X by anna",
            "paused since X by anna: resume it first, which restores its policy",
        ),
        ({}, {"sync_options": ["a=b"]}, "paused since X by anna", ""),
        (
            {"sources": [{}, {}]},
            {"revision": "v1"},
            "",
            "has 2 sources, so revision would be ambiguous: change it in Git",
        ),
        ({"sources": [{}, {}]}, {"auto_prune": False}, "", ""),
        (
            {},
            {"helm_parameters": {"a": 1}},
            "",
            "has a source of type Kustomize, for which helm_parameters means nothing",
        ),
        ({}, {"name_prefix": "a"}, "", ""),
    ],
)
def test_what_does_not_fit_is_refused(spec, settings, paused, expected):
    assert setting_refusal(application(spec, sourceType="Kustomize"), settings, paused) == expected


def applicationset(path="argocd/infra/*/envs/dev", policy=None, **rule):
    spec = {"generators": [{"git": {"directories": [{"path": path}]}}], "ignoreApplicationDifferences": [rule]}
    return {"infra": {"metadata": {"name": "infra"}, "spec": spec | {"syncPolicy": {"applicationsSync": policy}}}}


POINTER = {"jsonPointers": ["/spec/syncPolicy"]}
FOREIGN = "change spec.template of ApplicationSet infra, or add the field to its spec.ignoreApplicationDifferences"


@pytest.mark.parametrize(
    ("settings", "sets", "expected"),
    [
        ({"auto_prune": False}, applicationset(**POINTER), ""),
        ({"auto_prune": False}, applicationset(jqPathExpressions=[".spec.syncPolicy.automated"]), ""),
        ({"auto_prune": False}, applicationset(name="web", **POINTER), ""),
        ({"revision": "v1"}, applicationset(policy="create-only"), ""),
        ({"revision": "v1"}, {}, ""),
        (
            {"auto_prune": False},
            applicationset(name="other", **POINTER),
            "ApplicationSet infra would revert spec.syncPolicy.automated.prune: run site.yml, which applies the "
            "ApplicationSet of this version",
        ),
        (
            {"auto_prune": False},
            applicationset(path="apps/*", jqPathExpressions=['.spec.syncPolicy | select(.x == "y")']),
            f"ApplicationSet infra would revert spec.syncPolicy.automated.prune: {FOREIGN}",
        ),
        (
            {"revision": "v1"},
            applicationset(policy="create-update", **POINTER),
            "ApplicationSet infra would revert spec.source.targetRevision: set gitops_repo_revision in the inventory "
            "and run site.yml",
        ),
        (
            {"name_prefix": "a-", "auto_prune": False},
            applicationset(**POINTER),
            "ApplicationSet infra would revert spec.source.kustomize: set the variables of the component in the "
            "inventory, which render argocd/infra/web/envs/dev, and run site.yml",
        ),
    ],
)
def test_what_the_applicationset_would_revert_is_refused(settings, sets, expected):
    item = application()
    assert revert_refusal(item, wanted_spec(item, settings), sets) == expected


def test_nobody_reverts_an_application_without_an_owner():
    item = application()
    del item["metadata"]["ownerReferences"]
    assert revert_refusal(item, wanted_spec(item, {"revision": "v1"}), applicationset()) == ""


def test_the_patch_has_only_what_differs():
    before, after = {"a": {"b": 1, "c": 2}, "d": [1], "e": 3}, {"a": {"b": 1}, "d": [1, 2], "f": {}}
    assert merge_patch(before, after) == {"a": {"c": None}, "d": [1, 2], "e": None, "f": {}}
    assert changed_paths(before, after) == [("a", "c"), ("d",), ("e",), ("f",)]
