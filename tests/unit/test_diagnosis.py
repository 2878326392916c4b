# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lowest cause of what is not ready, with objects that were written by hand after what controllers write."""

from __future__ import annotations

import functools
import json
import re
from pathlib import Path

import pytest
import recordings
import yaml
from ansible_collections.monorepo.gitops.plugins.module_utils._api import group_path
from ansible_collections.monorepo.gitops.plugins.module_utils._diagnosis.causes import CAUSES
from ansible_collections.monorepo.gitops.plugins.module_utils._diagnosis.containers import memory
from ansible_collections.monorepo.gitops.plugins.module_utils._diagnosis.evidence import Reference, unwrapped
from ansible_collections.monorepo.gitops.plugins.module_utils._diagnosis.reader import Reader, explained
from ansible_collections.monorepo.gitops.plugins.module_utils._diagnosis.relations import CHILDREN
from ansible_collections.monorepo.gitops.plugins.module_utils._diagnosis.walk import (
    diagnose,
    is_changing,
    is_fine,
    own_reason,
)
from ansible_collections.monorepo.gitops.plugins.module_utils._errors import GitopsError
from evidence import Recorded
from recordings import TIME
from said import SAID

ROOT = Path(__file__).resolve().parent.parent.parent
FIXTURES = {path.stem: path for path in sorted((ROOT / "tests" / "fixtures" / "causes").glob("*.yaml"))}


def fixture(name):
    return yaml.load(FIXTURES[name].read_text(), Loader=yaml.CSafeLoader)


def test_a_container_without_a_limit_of_memory_is_told_to_get_one():
    killed = {"terminated": {"reason": "OOMKilled", "exitCode": 137}}
    pod = {
        "metadata": {"name": "web", "namespace": "shop"},
        "spec": {"containers": [{"name": "main"}]},
        "status": {"containerStatuses": [{"name": "main", "state": killed, "restartCount": 0}]},
    }
    found = memory(pod, [])
    assert found.why == "container main was killed because it needs more memory than its node has (OOMKilled)"
    assert found.next.startswith("set its request and its limit of memory in Git; kubectl logs ")


@pytest.mark.parametrize("name", FIXTURES)
def test_the_cause_is_the_lowest_one(name):
    recorded = fixture(name)
    cause = diagnose(recorded["objects"][0], Recorded(recorded["objects"]))
    said = {"rule": cause.rule, "text": cause.text, "next": cause.next_step, "final": cause.final}
    assert said == recorded["said"]


def test_nothing_is_said_twice():
    said = [" ".join((found["text"], found["next"])) for name in FIXTURES for found in [fixture(name)["said"]]]
    for text in [*said, *(f"{found.text}: {found.next_step}" for found in SAID.values())]:
        clauses = [clause for clause in re.split(r"; |: |\. |, ", text) if len(clause) > 6]
        assert len(clauses) == len(set(clauses)), text


def test_each_cause_has_a_fixture():
    proved = {fixture(name)["said"]["rule"] for name in FIXTURES} | {said.rule for said in SAID.values()}
    assert [rule.name for rule in CAUSES if rule.name not in proved] == []
    assert len({rule.name for rule in CAUSES}) == len(CAUSES)


@functools.cache
def kinds_of_components():
    """Return in which versions the official files of the components serve their kinds."""
    found = {}
    for path in ROOT.glob("roles/*/vars/main.yml"):
        for part in yaml.load(path.read_text(), Loader=yaml.CSafeLoader).values():
            parts = (part, part.get("upstream") or {}) if isinstance(part, dict) else ()
            kinds = [kinds for each in parts if isinstance(each, dict) and isinstance(kinds := each.get("kinds"), list)]
            found |= {(entry["group"], entry["kind"]): entry["versions"] for each in kinds for entry in each}
    return found


def test_what_operators_make_is_looked_for_where_it_is_served():
    served = kinds_of_components()
    groups = {group for group, _kind in served}
    found = [
        (kind.version.rpartition("/"), kind.kind)
        for kind in dict.fromkeys(kind for kinds in CHILDREN.values() for kind in kinds)
    ]
    asked = {(group, kind): version for (group, _slash, version), kind in found if group in groups}
    assert ("core.strimzi.io", "StrimziPodSet") in asked
    assert [key for key, version in asked.items() if version not in served.get(key, ())] == []


@pytest.mark.parametrize("name", FIXTURES)
def test_recorded_objects_have_versions_that_are_served(name):
    served = kinds_of_components()
    pairs = [(item["apiVersion"].rpartition("/"), item["kind"]) for item in fixture(name)["objects"]]
    assert [
        (group, kind) for (group, _slash, version), kind in pairs if version not in served.get((group, kind), version)
    ] == []


def test_a_newer_operator_serves_what_it_makes_in_its_newer_version():
    renamed = json.dumps(fixture("kafka")["objects"]).replace("strimzi.io/v1beta2", "strimzi.io/v1")
    objects = json.loads(renamed)
    assert diagnose(objects[0], Recorded(objects)).item == ("", "Pod", "kafka", "main-broker-0")


def test_the_documentation_has_each_cause():
    page = (ROOT / "docs" / "reference" / "causes.md").read_text()
    assert [rule.name for rule in CAUSES if f"| `{rule.name}` |" not in page] == []


@pytest.mark.parametrize(
    ("item", "fine"),
    [
        ({"apiVersion": "v1", "kind": "Pod", "status": {"phase": "Succeeded"}}, True),
        ({"apiVersion": "v1", "kind": "Pod", "status": {"conditions": [{"type": "Ready", "status": "True"}]}}, True),
        ({"apiVersion": "v1", "kind": "Pod", "status": {"phase": "Running"}}, False),
        ({"apiVersion": "apps/v1", "kind": "ReplicaSet", "spec": {"replicas": 0}, "status": {"replicas": 0}}, True),
        ({"apiVersion": "apps/v1", "kind": "ReplicaSet", "spec": {"replicas": 0}, "status": {"replicas": 1}}, False),
        ({"apiVersion": "batch/v1", "kind": "Job", "status": {"succeeded": 1}}, True),
        ({"apiVersion": "v1", "kind": "Service", "spec": {}}, False),
        ({"apiVersion": "example.com/v1", "kind": "Cache"}, True),
    ],
)
def test_what_is_fine_is_not_followed(item, fine):
    assert is_fine({"metadata": {"name": "x"}} | item) is fine


def test_an_object_says_by_itself_why_it_is_not_ready():
    claim = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "data"}}
    assert own_reason(claim | {"status": {"phase": "Pending"}}) == "its phase is Pending, not Bound"
    assert own_reason(claim | {"status": {"phase": "Bound"}}) == ""


def test_the_words_that_matter_are_left_of_a_message():
    text = 'Failed to pull image "a:1": rpc error: code = NotFound desc = failed to pull and unpack image "a:1": gone'
    assert unwrapped(text) == "gone"
    assert unwrapped("exec: no such file: unknown") == "exec: no such file"


def test_what_is_left_of_an_older_revision_is_no_cause():
    """The first one could never start; now it is being replaced by one whose image is being pulled."""
    deployment, old, broken = (
        recordings.of_kind("wrong-command", kind)[0] for kind in ("Deployment", "ReplicaSet", "Pod")
    )
    renamed = json.dumps([old, broken]).replace(old["metadata"]["name"], "web-2")
    new, starting = json.loads(renamed)
    new["metadata"]["annotations"]["deployment.kubernetes.io/revision"] = "2"
    starting["status"]["containerStatuses"] = [{"name": "main", "state": {"waiting": {"reason": "ContainerCreating"}}}]
    cause = diagnose(deployment, Recorded([deployment, old, broken, new, starting]))
    assert (cause.rule, cause.item[3], cause.final) == ("creating", starting["metadata"]["name"], False)


@pytest.mark.parametrize(
    ("kind", "metadata", "spec", "status", "changing"),
    [
        ("Deployment", {"generation": 2}, {}, {"observedGeneration": 1}, True),
        ("Deployment", {"generation": 2}, {}, {"observedGeneration": 2}, False),
        ("StatefulSet", {}, {"replicas": 2}, {"updatedReplicas": 1}, True),
        ("StatefulSet", {}, {"replicas": 2}, {"updatedReplicas": 2}, False),
        ("DaemonSet", {}, {}, {"updatedNumberScheduled": 0, "desiredNumberScheduled": 1}, True),
        ("DaemonSet", {}, {}, {"updatedNumberScheduled": 1, "desiredNumberScheduled": 1}, False),
    ],
)
def test_while_a_workload_changes_nothing_below_it_is_final(kind, metadata, spec, status, changing):
    item = {"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": "x"} | metadata, "spec": spec, "status": status}
    assert is_changing(item) is changing


def test_what_is_final_is_not_while_its_workload_changes():
    objects = recordings.read("wrong-command")
    (deployment,) = (item for item in objects if item["kind"] == "Deployment")
    assert diagnose(deployment, Recorded(objects)).final
    deployment["metadata"]["generation"] += 1
    assert not diagnose(deployment, Recorded(objects)).final


def test_objects_that_need_each_other_are_looked_at_once():
    """Two operators may own what belongs to the other one."""
    owners = [{"apiVersion": "example.com/v1", "kind": "Cache", "name": "a"}]
    bad = {"conditions": [{"type": "Ready", "status": "False", "message": "no"}]}
    metadata = {"name": "a", "namespace": "x", "ownerReferences": owners}
    item = {"apiVersion": "example.com/v1", "kind": "Cache", "metadata": metadata, "status": bad}
    assert diagnose(item, Recorded([item])).text == "Cache x/a: Ready is False: no"


def test_secrets_are_never_read():
    assert not [kind for kinds in CHILDREN.values() for kind in kinds if kind.kind in ("Secret", "ConfigMap")]


# --- reading ----------------------------------------------------------------------------------------------------------


class Answers:
    """An API server that has these answers; what is not among them may not be read."""

    def __init__(self, objects, forbidden=(), lines=()):
        self.recorded, self.forbidden, self.text = Recorded(objects), forbidden, list(lines)
        self.asked = []

    def request(self, _method, path, _query=None):
        self.asked.append(path)
        parts = path.split("/")
        plural, name = (parts[-1], None) if parts[-2] == parts[parts.index("namespaces") + 1] else parts[-2:]
        if plural in self.forbidden:
            return 403, {"message": f"{plural} is forbidden"}
        if plural == "broken":
            raise GitopsError("gone")
        items = self.recorded.said if plural == "events" else self.recorded.objects
        found = [
            item
            for item in items
            if f"{item['kind'].lower()}s" == plural and path.startswith(f"{group_path(item['apiVersion'])}/")
        ]
        if name is None:
            kinds = ("apiVersion", "kind")  # the entries of a list have neither
            return 200, {"items": [{key: value for key, value in item.items() if key not in kinds} for item in found]}
        named = [item for item in found if item["metadata"]["name"] == name]
        return (200, named[0]) if named else (404, {})

    def path(self, item):
        metadata = item["metadata"]
        place = f"{group_path(item['apiVersion'])}/namespaces/{metadata['namespace']}"
        return f"{place}/{item['kind'].lower()}s/{metadata['name']}"

    def lines(self, _path, _query):
        self.asked.append("log")
        if isinstance(self.text[0], GitopsError):
            raise self.text[0]
        yield from self.text


WEB = Reference("apps/v1", "Deployment", "shop", "web")


def test_a_workload_takes_four_requests_however_many_pods_it_has():
    answers = Answers(fixture("alike")["objects"])
    reader = Reader(answers)
    assert reader.diagnose(WEB).text == fixture("alike")["said"]["text"]
    assert answers.asked == [
        "/apis/apps/v1/namespaces/shop/deployments/web",
        "/api/v1/namespaces/shop/events",
        "/apis/apps/v1/namespaces/shop/replicasets",
        "/api/v1/namespaces/shop/pods",
    ]
    assert reader.diagnose(WEB).alike == 2
    assert (len(answers.asked), reader.counted["read"], reader.lacking) == (4, 4, {})


def test_without_the_right_to_read_pods_the_rest_is_said_and_which_right_would_tell_more():
    answers = Answers(fixture("alike")["objects"], ("pods", "events"))
    reader = Reader(answers)
    said = reader.diagnose(WEB).text
    assert said == f"Deployment shop/web: 0 of 1 pods are available, 0 of the newest revision (since {TIME})"
    assert list(reader.lacking) == ["list events in namespace shop", "list pods in namespace shop"]


def test_no_more_is_read_than_it_is_worth():
    answers = Answers(fixture("alike")["objects"])
    assert Reader(answers, requests=2).diagnose(WEB).rule == "not-ready"
    assert len(answers.asked) == 2


def test_what_does_not_exist_or_answer_has_no_cause():
    assert Reader(Answers([])).diagnose(WEB) is None
    assert Reader(Answers([])).diagnose(Reference("x/v1", "Broken", "shop", "web")) is None


def test_the_log_is_read_where_that_was_asked_for():
    objects = fixture("alike")["objects"]
    assert Reader(Answers(objects, lines=["a", "b"]), log_lines=2).diagnose(WEB).log == "a | b"
    silent = Answers(objects, lines=["a"])
    assert (Reader(silent).diagnose(WEB).log, "log" in silent.asked) == ("", False)
    reader = Reader(Answers(objects, lines=[GitopsError('pods "x" is forbidden')]), log_lines=1)
    assert (reader.diagnose(WEB).log, list(reader.lacking)) == ("", ["get pods/log in namespace shop"])


def test_a_claim_of_a_list_is_not_read_again():
    """What a pod mounts is found among the claims that a StatefulSet may own."""
    recorded = fixture("database")
    answers = Answers(recorded["objects"])
    cause = Reader(answers, requests=99).diagnose(Reference("postgresql.cnpg.io/v1", "Cluster", "data", "db"))
    assert cause.text == recorded["said"]["text"]
    assert not [path for path in answers.asked if path.endswith("persistentvolumeclaims/db-1")]


def test_what_is_said_of_several_objects():
    objects = fixture("alike")["objects"]
    fine = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web", "namespace": "shop"}}
    (cause, nothing), lacking = explained(Answers(objects), [objects[0], fine])
    assert cause.sentence == (
        f"{fixture('alike')['said']['text']}. Next: kubectl logs -n shop web-1-d -c main --previous"
    )
    assert (nothing, lacking) == (None, "")
    # Its numbers of pods are known already.
    assert explained(Answers(objects, ("pods",)), [objects[0]]) == (
        [None],
        "with the right to list pods in namespace shop, more could be reported",
    )
