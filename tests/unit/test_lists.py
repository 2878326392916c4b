# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a List contains."""

from __future__ import annotations

import pytest
from ansible_collections.monorepo.gitops.plugins.module_utils._lists import expanded

ROLE = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": "a"}}
NOTE = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "b"}}


def listed(kind, version, *items):
    return {"apiVersion": version, "kind": kind, "items": list(items)}


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        (NOTE, [NOTE]),
        (listed("List", "v1", ROLE, NOTE), [ROLE, NOTE]),
        (listed("RoleList", "rbac.authorization.k8s.io/v1", {"metadata": {"name": "a"}}), [ROLE]),
        (listed("ConfigMapList", "v1", NOTE, {"metadata": {"name": "b"}}), [NOTE, NOTE]),
        (listed("List", "v1", listed("ConfigMapList", "v1", {"metadata": {"name": "b"}}), ROLE), [NOTE, ROLE]),
        ({"apiVersion": "v1", "kind": "List", "items": None}, []),
        (listed("List", "v1", None, "text"), [None, "text"]),
        # Neither is a List: one has items that are none, one has none, and one is called something else.
        ({"kind": "AllowList", "items": {"a": 1}}, [{"kind": "AllowList", "items": {"a": 1}}]),
        ({"kind": "AllowList", "spec": {}}, [{"kind": "AllowList", "spec": {}}]),
        ({"kind": "Basket", "items": [NOTE]}, [{"kind": "Basket", "items": [NOTE]}]),
        ("text", ["text"]),
        (None, [None]),
    ],
)
def test_a_list_is_what_is_in_it(document, expected):
    assert expanded(document) == expected
