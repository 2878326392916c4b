# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which objects of an Application are looked at, when, and what is made of it."""

from __future__ import annotations

import time
from collections import Counter

import pytest
import recordings
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd import findings
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.causes import causes_of, findings_of, suspects
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.findings import Findings
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.terms import (
    FAILED,
    READY,
    WAIT,
    Action,
    Code,
    Decision,
    Verdict,
)
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.tracked import Tracked
from ansible_collections.monorepo.gitops.plugins.module_utils._diagnosis.evidence import (
    Cause,
    Found,
    Reference,
    identity_of,
)
from ansible_collections.monorepo.gitops.plugins.module_utils._diagnosis.reader import Reader
from ansible_collections.monorepo.gitops.plugins.module_utils._objects.finding import Finding
from ansible_collections.monorepo.gitops.plugins.modules import argocd_app_wait
from recordings import TIME
from said import SAID

from .running import run_module
from .test_diagnosis import Answers, fixture


def application(*resources, health="Degraded", server="https://kubernetes.default.svc", **operation):
    status = {"resources": list(resources), "health": {"status": health}, "sync": {"revision": "a"}}
    return {
        "metadata": {"name": "web", "namespace": "argocd", "uid": "1"},
        "spec": {"destination": {"server": server}},
        "status": status | ({"operationState": operation} if operation else {}),
    }


def resource(kind, name="web", health="Degraded", group="apps"):
    entry = {"group": group, "version": "v1", "kind": kind, "namespace": "shop", "name": name}
    return entry | ({"health": {"status": health}} if health else {})


def names(found):
    return [f"{reference.kind} {reference.name}" for reference in found]


def test_the_worst_objects_are_looked_at_and_those_that_do_not_exist_are_not():
    found = application(
        resource("Deployment", "fine", "Healthy"),
        resource("Deployment", "slow", "Progressing"),
        resource("Deployment", "gone", "Missing"),
        resource("StatefulSet", "broken"),
        resource("Job", "asleep", "Suspended", "batch"),
    )
    assert names(suspects(found)) == ["StatefulSet broken", "Deployment slow", "Job asleep"]
    assert suspects(found)[0] == Reference("apps/v1", "StatefulSet", "shop", "broken")
    assert len(suspects(application(*(resource("Deployment", str(number)) for number in range(9))))) == 5


def test_where_health_is_not_persisted_whatever_may_be_unhealthy_is_looked_at():
    plain = (resource("Deployment", health=None), resource("ConfigMap", health=None, group=""))
    assert names(suspects(application(*plain))) == ["Deployment web"]
    assert suspects(application(*plain, health="Healthy")) == []


OBJECT = {"group": "batch", "version": "v1", "kind": "Job", "namespace": "shop", "name": "late"}
HOOK = OBJECT | {"name": "migrate", "hookType": "PreSync"}


@pytest.mark.parametrize(
    ("operation", "expected"),
    [
        ({"phase": "Running", "results": [HOOK | {"hookPhase": "Running"}]}, ["Job migrate"]),
        ({"phase": "Running", "results": [HOOK | {"hookPhase": "Succeeded"}]}, []),
        ({"phase": "Failed", "results": [HOOK | {"hookPhase": "Failed"}]}, ["Job migrate"]),
        ({"phase": "Succeeded", "results": [HOOK | {"hookPhase": "Failed"}]}, []),
        # An object of a wave; one that was rejected says why itself.
        ({"phase": "Running", "results": [OBJECT | {"hookPhase": "Running", "status": "Synced"}]}, ["Job late"]),
        ({"phase": "Failed", "results": [OBJECT | {"hookPhase": "Failed", "status": "SyncFailed"}]}, []),
        (
            {
                "phase": "Failed",
                "results": [
                    HOOK
                    | {
                        "status": "SyncFailed",
                        "message": 'failed calling webhook "x": Post "https://hook.shop.svc:443/": no endpoints',
                    }
                ],
            },
            ["Service hook"],
        ),
    ],
)
def test_what_the_last_sync_waits_for_or_could_not_call_is_looked_at(operation, expected):
    results = {"resources": operation.pop("results"), "revision": "a"}
    found = application(health="Healthy", **operation, syncResult=results)
    assert names(suspects(found)) == expected


def test_while_a_sync_runs_what_it_may_be_about_to_mend_is_not_looked_at():
    results = {"resources": [HOOK | {"hookPhase": "Running"}]}
    found = application(resource("Deployment"), phase="Running", syncResult=results)
    assert names(suspects(found)) == ["Job migrate"]
    found["status"]["operationState"]["phase"] = "Succeeded"
    assert names(suspects(found)) == ["Deployment web"]


def test_the_causes_of_an_application_are_there_once():
    recorded = fixture("gateway")
    answers = Answers(recorded["objects"])
    routes = [resource("HTTPRoute", name, group="gateway.networking.k8s.io") for name in ("web", "web")]
    (cause,) = causes_of(application(*routes), Reader(answers))
    assert cause.text == recorded["said"]["text"]


def test_another_cluster_is_not_looked_at():
    answers = Answers([])
    assert causes_of(application(resource("Deployment"), server="https://elsewhere"), Reader(answers)) == []
    assert answers.asked == []


def test_a_right_that_is_lacking_comes_last():
    counted = Counter()
    found = findings_of(Answers(fixture("alike")["objects"], ("pods",)), application(resource("Deployment")), counted)
    assert found == [
        Finding(
            f"Deployment shop/web: 0 of 1 pods are available, 0 of the newest revision (since {TIME})",
            False,
            "kubectl describe deployment -n shop web",
        ),
        Finding("with the right to list pods in namespace shop, more could be reported"),
    ]
    assert counted["read"] == 4


def test_a_cause_for_a_result():
    identity = identity_of({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web", "namespace": "shop"}})
    entry = Cause("crash", identity, identity, Found("exited with 1", "look")).entry()
    assert (entry["object"], entry["text"], entry["next"]) == ("Pod shop/web", "Pod shop/web: exited with 1", "look")


# --- when a wait looks ------------------------------------------------------------------------------------------------


def tracked(name, code, state=WAIT, since=0.0):
    entry = Tracked(name, since)
    entry.application = application(resource("Deployment"))
    verdict = Verdict(state, code, "x")
    entry.found, entry.decision = verdict, Decision(verdict, Action.NONE)
    return entry


class Looking(Findings):
    """Notes who is looked at; everybody has the same cause."""

    def __init__(self):
        super().__init__(None, Counter())
        self.names = []

    def _found(self, code, _application):
        self.names.append(code)
        return [Finding("why", next_step="what")]


def looked(reader, entry, now):
    before = len(reader.names)
    reader.read(entry, now)
    settle(reader)
    return len(reader.names) > before


def settle(reader):
    deadline = time.monotonic() + 5
    while reader.reading and time.monotonic() < deadline:
        time.sleep(0.001)


def test_what_is_on_its_way_has_a_moment_and_then_is_looked_at_less_and_less_often():
    reader, entry = Looking(), tracked("web", Code.HEALTH)
    moments = [3, 8, 13, 18, 24, 32, 43, 58, 78, 104]
    assert [now for now in range(130) if looked(reader, entry, float(now))] == moments
    assert entry.live[Code.HEALTH] == (Finding("why", next_step="what"),)


def test_what_has_failed_is_looked_at_at_once():
    assert looked(Looking(), tracked("web", Code.SYNC_FAILED, FAILED), 0.0)


def test_what_was_found_before_the_reason_began_is_forgotten():
    reader, entry = Looking(), tracked("web", Code.HEALTH)
    assert looked(reader, entry, 3.0)
    entry.since = 5.0
    assert not looked(reader, entry, 6.0)
    assert entry.live == {}


def test_only_the_worst_are_looked_at():
    reader = Looking()
    slow = [tracked(f"slow-{number}", Code.HEALTH) for number in range(25)]
    assert sum(looked(reader, entry, 4.0) for entry in slow) == findings.APPLICATIONS
    assert looked(reader, tracked("broken", Code.DEGRADED), 4.0)
    assert len(reader.looked) == findings.APPLICATIONS
    assert not looked(reader, slow[-1], 5.0)
    assert looked(reader, slow[-1], 70.0)


def test_at_the_end_the_worst_are_looked_at_once_more():
    reader = Looking()
    ready, slow, broken = (
        tracked("ready", Code.READY, READY),
        tracked("slow", Code.HEALTH),
        tracked("broken", Code.DEGRADED, FAILED),
    )
    reader.finish([ready, slow, broken, tracked("gone", Code.NOT_FOUND)])
    assert reader.names == [Code.DEGRADED, Code.HEALTH]
    reader.finish([slow, broken])
    assert len(reader.names) == 2


def test_a_wait_that_fails_says_the_lowest_cause(api_server):
    """The kubelet has written the pod, and Argo CD says no more than that it is Degraded."""
    objects = recordings.read("wrong-command")
    namespace, answers = objects[0]["metadata"]["namespace"], Answers(objects)
    broken = application(resource("Deployment") | {"namespace": namespace})
    broken["status"] |= {"sync": {"status": "Synced", "revision": "a"}, "reconciledAt": TIME}
    broken["metadata"]["resourceVersion"] = "1"

    def answer(method, path):
        if "/applications" not in path:
            return answers.request(method, path.partition("?")[0])
        if "watch=true" in path:
            return 200, [b""]
        return 200, {"items": [broken], "metadata": {"resourceVersion": "1"}}

    server = api_server(answer)
    result = run_module(argocd_app_wait, kubeconfig=server.kubeconfig, names=["web"], refresh="none", wait_timeout=1)
    (found,) = result["applications"]
    assert (found["state"], found["reason"]) == ("waiting", f"Degraded: {SAID['wrong-command'].text}")
    assert found["next_step"] == SAID["wrong-command"].next_step
    assert server.writes() == []
