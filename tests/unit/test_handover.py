# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was applied with kubectl, client-side, is handed over, and what left the manifest goes."""

from __future__ import annotations

from copy import deepcopy

import pytest
from ansible_collections.monorepo.gitops.plugins.module_utils._apply import handover
from ansible_collections.monorepo.gitops.plugins.module_utils._apply.applier import Applier, Settings
from ansible_collections.monorepo.gitops.plugins.module_utils._errors import GitopsError
from ansible_collections.monorepo.gitops.plugins.module_utils._objects.fields import path_text, value_at

LAST = "kubectl.kubernetes.io/last-applied-configuration"
OWN = "monorepo.gitops"
METADATA = {
    "f:annotations": {".": {}, f"f:{LAST}": {}},
    "f:labels": {".": {}, "f:kept": {}, "f:shared": {}, "f:old": {}},
    "f:finalizers": {".": {}, 'v:"a"': {}, 'v:"b"': {}},
}
PORTS = {'k:{"port":80,"protocol":"TCP"}': {".": {}, "f:port": {}}, 'k:{"port":81,"protocol":"TCP"}': {"f:port": {}}}


def entry(manager, fields, operation="Update", **more):
    return {"manager": manager, "operation": operation, "apiVersion": "v1", "fieldsV1": fields} | more


def live(kind="Service", *others, **fields):
    metadata = {
        "name": "web",
        "resourceVersion": "7",
        "annotations": {LAST: "{}"},
        "labels": {"kept": "1", "shared": "1", "old": "1"},
        "finalizers": ["a", "b"],
        "managedFields": [
            entry(handover.CLIENT_SIDE, {"f:metadata": METADATA, "f:spec": {"f:ports": PORTS}} | fields),
            entry("somebody", {"f:metadata": {"f:labels": {"f:shared": {}}}}),
            *others,
        ],
    }
    spec = {"ports": [{"port": 80, "protocol": "TCP"}, {"port": 81, "protocol": "TCP"}]}
    return {"apiVersion": "v1", "kind": kind, "metadata": metadata, "spec": spec}


WANTED = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "web", "labels": {"kept": "2"}, "finalizers": ["a"]},
    "spec": {"ports": [{"port": 80}]},
}
GOING = [
    f"metadata.annotations.{LAST}",
    "metadata.finalizers[b]",
    "metadata.labels.old",
    "spec.ports[81,TCP].port",
]


def test_what_nobody_else_holds_and_the_manifest_does_not_have_goes():
    found = handover.going(live(), WANTED, OWN)
    assert [path_text(path) for path in found] == GOING
    item = handover.without(live(), found)
    assert item["metadata"]["labels"] == {"kept": "1", "shared": "1"}
    assert (item["metadata"]["finalizers"], "annotations" in item["metadata"]) == (["a"], False)


def test_a_first_handover_makes_the_manager_the_owner():
    found = handover.managers(live(), OWN)
    assert [(item["manager"], item["operation"]) for item in found] == [("somebody", "Update"), (OWN, "Apply")]
    assert found[1]["fieldsV1"] == {"f:metadata": METADATA, "f:spec": {"f:ports": PORTS}}
    assert not handover.is_held(live() | {"metadata": {"managedFields": found}})


def test_what_somebody_else_has_handed_over_in_the_meantime_stays_as_it_is():
    item = {"metadata": {"managedFields": [entry("somebody", {"f:spec": {}}, "Apply")]}}
    assert handover.managers(item, OWN) == item["metadata"]["managedFields"]


def test_an_entry_that_has_all_keys_is_meant_before_one_that_lacks_a_default():
    ports = [{"port": 53, "name": "tcp"}, {"port": 53, "protocol": "UDP", "name": "udp"}]
    key = ('k:{"port":53,"protocol":"UDP"}', "f:name")
    assert value_at({"ports": ports}, ("f:ports", *key)) == "udp"
    assert value_at({"ports": ports[:1]}, ("f:ports", *key)) == "tcp"


def test_a_later_one_adds_to_what_the_manager_has():
    own = entry(OWN, {"f:metadata": {"f:labels": {"f:kept": {}}}, "f:spec": {"f:type": {}}}, "Apply")
    found = handover.managers(live("Service", own), OWN)
    assert [item["manager"] for item in found] == ["somebody", OWN]
    assert found[1]["fieldsV1"]["f:spec"] == {"f:type": {}, "f:ports": PORTS}
    assert found[1]["fieldsV1"]["f:metadata"]["f:labels"].keys() == METADATA["f:labels"].keys()


@pytest.mark.parametrize("kind", ["ConfigMap", "Secret"])
def test_keys_that_people_added_to_a_configmap_or_secret_stay(kind):
    item = live(kind, **{"f:data": {".": {}, "f:theirs": {}}}) | {"data": {"theirs": "1"}}
    assert [path_text(path) for path in handover.going(item, WANTED, OWN)] == GOING
    found = handover.managers(item, OWN)
    assert found[0]["fieldsV1"] == {"f:data": {".": {}, "f:theirs": {}}}
    assert not handover.is_held(item | {"metadata": {"managedFields": found}})


@pytest.mark.parametrize(
    "other",
    [
        entry("kubectl", {"f:spec": {}}, "Apply"),
        entry("kubectl-edit", {"f:spec": {}}),
        entry(handover.CLIENT_SIDE, {"f:status": {}}, subresource="status"),
    ],
)
def test_what_was_written_in_another_way_is_not_handed_over(other):
    assert not handover.is_held({"metadata": {"managedFields": [other]}})


class Api:
    """An API server that keeps what it is asked to do, and refuses the first handovers as outdated."""

    def __init__(self, conflicts=0):
        self.item, self.conflicts, self.writes = live(), conflicts, []

    def resource(self, _item):
        return "services", True

    def path(self, _item):
        return "/web"

    def request(self, method, _path, query=None, body=None, content_type=""):
        if method == "GET":
            return 200, deepcopy(self.item)
        if "json-patch" in content_type and self.conflicts:
            self.conflicts -= 1
            self.item["metadata"]["resourceVersion"] += "1"
            return 409, {"message": "the object has been modified"}
        self.writes.append((content_type.partition("/")[2], (query or {}).get("dryRun", ""), body))
        return 200, deepcopy(self.item)


def apply(api, check=False, takes=True):
    applier = Applier(api, Settings(OWN, True, False, check, 1, takes), "default")
    (result,) = applier.apply([deepcopy(WANTED)])
    return result, applier.warnings


TEXT = (
    "from Service default/web what was applied with kubectl and is not in the manifest: metadata.finalizers[b], "
    "metadata.labels.old, spec.ports[81,TCP].port."
)


def test_it_is_handed_over_first_and_then_applied():
    api = Api(conflicts=1)
    result, warnings = apply(api)
    (kind, _dry, operations), (applied, _dry, _body) = api.writes
    assert (result.action, kind, applied) == ("configured", "json-patch+json", "apply-patch+yaml")
    assert [(entry["op"], entry["path"]) for entry in operations] == [
        ("replace", "/metadata/managedFields"),
        ("replace", "/metadata/resourceVersion"),
    ]
    assert operations[1]["value"] == "71"  # of the version that was read again
    assert warnings == [f"Removed {TEXT}"]


def test_check_mode_writes_nothing_and_shows_what_would_go():
    api = Api()
    result, warnings = apply(api, check=True)
    assert [dry for _kind, dry, _body in api.writes] == ["All"]
    assert warnings == [f"Would remove {TEXT}"]
    assert result.after["metadata"]["labels"] == {"kept": "1", "shared": "1"}


def test_without_the_option_nothing_is_handed_over():
    api = Api()
    _result, warnings = apply(api, takes=False)
    assert ([kind for kind, _dry, _body in api.writes if kind.startswith("json")], warnings) == ([], [])


def test_an_object_that_changes_all_the_time_is_an_error():
    with pytest.raises(GitopsError, match=r"^Service default/web was rejected: the object has been modified$"):
        apply(Api(conflicts=9))
