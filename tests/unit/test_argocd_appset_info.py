# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module argocd_appset_info, against what a real API server said, and what is said about an ApplicationSet."""

from __future__ import annotations

import pytest
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.appset_overview import (
    described,
    not_reverted,
    worst_first,
    wrong_with,
)
from ansible_collections.monorepo.gitops.plugins.modules import argocd_appset_info

from .running import run_module

PATH = "GET /apis/argoproj.io/v1alpha1/namespaces/argocd"


def info(server, check=False, **arguments):
    return run_module(argocd_appset_info, check, kubeconfig=server.kubeconfig, **arguments)


def test_sets_come_with_what_they_generated_and_what_they_leave_alone(api_server):
    server = api_server("appset_info")
    result = info(server)
    assert server.asked() == [f"{PATH}/applicationsets", f"{PATH}/applications"]
    unreadable, infra, services = result["applicationsets"]
    assert [entry["name"] for entry in result["applicationsets"]] == ["unreadable", "infra", "services"]
    assert (result["changed"], infra["health"], infra["reasons"]) == (False, "Healthy", [])
    found = {entry["name"]: (entry["state"], entry["reasons"]) for entry in infra["applications"]}
    assert found == {name: ("Healthy", []) for name in ("cert-manager", "gateway", "maildev")}
    assert (infra["policy"], infra["strategy"]) == ("create-update", "AllAtOnce")
    assert infra["generators"][0]["git"]["directories"] == [{"path": "argocd/infra/*/envs/hainfo"}]
    assert infra["not_reverted"] == [
        "/spec/syncPolicy",
        "/metadata/annotations/argocd.argoproj.io~1refresh-timestamp",
    ]
    assert unreadable["reasons"][0].startswith("no Applications were generated: ")
    assert (services["reasons"], services["applications"]) == ([], [])


def test_names_that_do_not_exist_are_missing_and_then_applications_are_not_read(api_server):
    server = api_server("appset_info")
    result = info(server, names=["absent"])
    assert (result["applicationsets"], result["missing"]) == ([], ["absent"])
    assert server.asked() == [f"{PATH}/applicationsets"]


def test_missing_rights_are_said(api_server):
    server = api_server(lambda _method, _path: (403, {"message": "forbidden"}))
    assert info(server)["msg"] == "ApplicationSets cannot be listed: forbidden"


def applicationset(*conditions, **spec):
    entries = [{"type": kind, "status": status, "message": text} for kind, status, text in conditions]
    metadata = {"name": "infra", "namespace": "argocd", "uid": "1"}
    return {"metadata": metadata, "spec": spec, "status": {"conditions": entries}}


GOOD = (("ErrorOccurred", "False", ""), ("ParametersGenerated", "True", ""))


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        (applicationset(*GOOD), []),
        (applicationset(), ["has no status yet: the ApplicationSet controller has not processed it"]),
        (
            applicationset(("ErrorOccurred", "True", "duplicate name"), ("ParametersGenerated", "True", "")),
            ["some Applications are invalid: duplicate name"],
        ),
        (
            applicationset(*GOOD, ("InvalidRolloutConfig", "True", "bad step"), ("RolloutProgressing", "True", "2")),
            ["InvalidRolloutConfig: bad step", "RolloutProgressing: 2"],
        ),
    ],
)
def test_what_is_wrong_with_a_set(item, expected):
    assert wrong_with(item) == expected


def test_a_set_that_is_being_deleted_says_so():
    item = applicationset(*GOOD)
    item["metadata"]["deletionTimestamp"] = "2026-11-27T11:00:00Z"
    assert wrong_with(item) == ["is being deleted (since 2026-11-27T11:00:00Z)"]


def test_only_what_a_set_owns_is_its_own():
    owner = {"kind": "ApplicationSet", "name": "infra", "uid": "1"}
    metadata = {"name": "a", "namespace": "argocd"}
    own = {"metadata": metadata | {"ownerReferences": [owner]}}
    other = {"metadata": metadata | {"name": "b", "ownerReferences": [owner | {"uid": "2"}]}}
    found = described(applicationset(*GOOD), [own, other, {"metadata": metadata | {"name": "c"}}])
    assert [entry["name"] for entry in found["applications"]] == ["a"]
    assert found["policy"] == "sync"


def test_rules_for_one_application_and_jq_are_told_apart():
    spec = {
        "ignoreApplicationDifferences": [
            {"name": "a", "jsonPointers": ["/spec/source/targetRevision"]},
            {"jqPathExpressions": [".spec.sources[]"]},
        ],
        "preservedFields": {"labels": ["team"]},
    }
    assert not_reverted(spec) == [
        "/spec/source/targetRevision of Application a",
        "jq .spec.sources[]",
        "/metadata/labels/team",
    ]


def test_the_worst_comes_first():
    entries = [{"name": "a", "reasons": []}, {"name": "c", "reasons": ["x"]}, {"name": "b", "reasons": ["x"]}]
    assert [entry["name"] for entry in sorted(entries, key=worst_first)] == ["b", "c", "a"]
