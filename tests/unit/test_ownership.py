# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who changed what Argo CD applied, by objects that were recorded right after the change."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.ownership import (
    ARGOCD,
    leaves,
    path_text,
    rewrites,
)


def recorded(name):
    return yaml.safe_load((Path(__file__).parent / "fixtures" / f"{name}.yaml").read_text())


def found(live):
    metadata = live["metadata"]
    return rewrites({"kind": live["kind"], "namespace": metadata["namespace"], "name": metadata["name"]}, live)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("rewritten", "data.value of ConfigMap rounds-b/rounds-b is written by manager rewriter"),
        ("rewritten_server_side", "data.value of ConfigMap rounds-b/applied is written by manager rewriter"),
        ("scaled", "spec.replicas of Deployment rounds-c/rounds-c is written by manager autoscaler"),
    ],
)
def test_field_and_manager_are_named(name, words):
    assert found(recorded(name)) == [words]


def test_a_field_with_the_wanted_value_is_nobody_s_fault():
    live = recorded("rewritten")
    live["data"]["value"] = "1"
    assert found(live) == []


def test_server_side_only_later_writes_count():
    live = recorded("rewritten_server_side")
    live["metadata"]["managedFields"][1]["time"] = "2026-11-26T17:00:00Z"
    assert found(live) == []


def test_a_field_that_a_webhook_changes_has_argo_cd_as_its_manager():
    live = recorded("rewritten")
    live["metadata"]["managedFields"][1]["manager"] = ARGOCD
    words = "data.value of ConfigMap rounds-b/rounds-b is written by an admission webhook"
    assert found(live) == [words]


def test_fields_are_written_as_people_write_them():
    fields = {
        "f:spec": {"f:containers": {'k:{"name":"web"}': {".": {}, "f:image": {}}}, "f:finalizers": {'v:"a/b"': {}}}
    }
    assert [path_text(path) for path in leaves(fields)] == ["spec.containers[web].image", "spec.finalizers[a/b]"]


def test_entries_of_lists_are_found_by_their_keys():
    live = recorded("scaled")
    live["metadata"]["managedFields"][0]["fieldsV1"] = {
        "f:spec": {"f:template": {"f:spec": {"f:containers": {'k:{"name":"web"}': {"f:image": {}}}}}}
    }
    live["spec"]["template"]["spec"]["containers"][0]["image"] = "other:1"
    words = "spec.template.spec.containers[web].image of Deployment rounds-c/rounds-c is written by manager autoscaler"
    assert words in found(live)
