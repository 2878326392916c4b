# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which other objects are read about an Application that does not go on, and what they say."""

from __future__ import annotations

import time
from collections import Counter

import pytest
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd import windows
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.errors import NOT_FOUND, Missing
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.evidence import (
    CONTROLLER,
    REPO_SERVER,
    Inquiry,
    is_brought,
    kind_question,
    project_question,
    questions,
    served,
    suspended_by,
    suspended_entries,
    suspended_question,
    sync_windows,
    workload,
)
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.failures import Failure
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.terms import WAIT, Code, Evidence, Verdict
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.tracked import Tracked
from ansible_collections.monorepo.gitops.plugins.module_utils._errors import GitopsError

from .test_verdict import NO_CRD, UNAVAILABLE, idle, recorded, suspended


class Objects:
    """An API server with some answers; what it does not have may not be read."""

    def __init__(self, **answers):
        self.answers = {path.replace("__", "/"): answer for path, answer in answers.items()}

    def path(self, item):
        return f"{item['kind']}/{item['metadata']['name']}"

    def request(self, _method, path, _query=None):
        found = [answer for end, answer in self.answers.items() if path.endswith(end)]
        return found[0] if found else (403, {"message": "forbidden"})


def workloads(*pods):
    items = [
        {"metadata": {"name": "argocd-repo-server"}, "spec": {"replicas": wanted}, "status": {"readyReplicas": ready}}
        for wanted, ready in pods
    ]
    return workload(Objects(deployments=(200, {"items": items})), "argocd", REPO_SERVER)


def test_a_component_of_argo_cd_is_stopped_where_no_pod_is_ready():
    name = "Deployment argocd/argocd-repo-server"
    assert workloads((1, 1)) == workloads((2, 0), (1, 1)) == Evidence()
    assert workloads((1, 0)) == Evidence(f"{name} has no ready pod")
    assert workloads((0, 0)) == Evidence(f"{name} is scaled to 0", final=True)
    assert workloads() is None
    assert workload(Objects(), "argocd", CONTROLLER) is None


def test_the_sync_windows_that_are_closed_are_named():
    always = {"kind": "deny", "schedule": "* * * * *", "duration": "8h", "applications": ["*"], "timeZone": "Japan"}
    never = always | {"schedule": "* * * * *", "duration": "0"}
    closed, is_open = (200, {"spec": {"syncWindows": [never, always]}}), (200, {"spec": {"syncWindows": [never]}})
    application = recorded("synced_healthy")
    said = Evidence("deny * * * * * for 8h, Japan")
    assert sync_windows(Objects(appprojects__rounds=closed), "argocd", "rounds", application) == said
    assert sync_windows(Objects(appprojects__rounds=is_open), "argocd", "rounds", application) == Evidence()
    assert sync_windows(Objects(appprojects__rounds=(200, {"spec": {}})), "argocd", "rounds", application) == Evidence()
    assert sync_windows(Objects(), "argocd", "rounds", application) is None


def test_nothing_is_said_of_sync_windows_where_global_projects_have_more(monkeypatch):
    window = {"kind": "deny", "schedule": "* * * * *", "duration": "8h", "applications": ["*"]}
    project = (200, {"spec": {"syncWindows": [window]}})
    api = Objects(appprojects__rounds=project, **{"argocd-cm": (200, {"data": {"globalProjects": "- {}"}})})
    assert sync_windows(api, "argocd", "rounds", recorded("synced_healthy")) is None
    api = Objects(appprojects__rounds=project, **{"argocd-cm": (200, {})})
    assert sync_windows(api, "argocd", "rounds", recorded("synced_healthy")).text
    # Nor where the machine does not know the time zone of a window.
    window["timeZone"] = "No/Where"
    monkeypatch.setattr(windows, "available_timezones", set)
    assert sync_windows(api, "argocd", "rounds", recorded("synced_healthy")) is None


def test_what_is_suspended_is_found_with_and_without_the_health_of_each_object():
    application = suspended("Rollout", "argoproj.io")
    assert [entry["name"] for entry in suspended_entries(application)] == ["web"]
    del application["status"]["resources"][0]["health"]
    application["status"]["health"]["message"] = "Caused by argoproj.io/Rollout:a/web"
    assert [entry["name"] for entry in suspended_entries(application)] == ["web"]
    application["status"]["health"]["message"] = "Caused by argoproj.io/Rollout:a/other"
    assert suspended_entries(application) == []


@pytest.mark.parametrize(
    ("spec", "evidence"),
    [
        ({"paused": True}, Evidence("spec.paused of Rollout a/web is true", final=True)),
        ({"suspend": True}, Evidence("spec.suspend of Rollout a/web is true", final=True)),
        ({"strategy": {}}, Evidence()),
    ],
)
def test_a_field_of_the_specification_suspends_for_good(spec, evidence):
    application = suspended("Rollout", "argoproj.io")
    assert suspended_by(Objects(Rollout__web=(200, {"spec": spec})), application) == evidence
    assert suspended_by(Objects(), application) == Evidence()


GROUP, KIND = "cert-manager.io", "Certificate"
NO_KIND, NO_VERSION = Missing(GROUP, KIND), Missing(GROUP, KIND, "v9")


def cluster_with(*versions, kind=KIND):
    found = {"versions": [{"groupVersion": f"{GROUP}/{name}", "version": name} for name in versions]}
    answers = {f"{GROUP}__{name}": (200, {"resources": [{"kind": kind}]}) for name in versions}
    return Objects(**{f"apis__{GROUP}": (200, found)}, **answers)


def test_the_versions_that_the_cluster_serves_are_named():
    absent = Evidence("no CustomResourceDefinition in the cluster defines Certificate.cert-manager.io", final=True)
    assert served(cluster_with("v1", "v1beta1"), NO_VERSION) == Evidence(
        "the cluster serves Certificate.cert-manager.io in v1, v1beta1", final=True
    )
    assert served(cluster_with("v9"), NO_VERSION) == Evidence()
    assert served(cluster_with("v1"), NO_KIND) == Evidence()
    assert served(cluster_with("v1", kind="Issuer"), NO_KIND) == absent
    assert served(Objects(**{f"apis__{GROUP}": (404, {})}), NO_KIND) == absent
    assert served(Objects(), NO_KIND) is None
    core = Objects(api__v1=(200, {"resources": [{"kind": "Pod"}]}))
    assert served(core, Missing("", "Pod", "v1")) == Evidence()
    assert served(core, Missing("", "Podd")) == Evidence("the API server has no Podd of its core API", final=True)
    other = Evidence("the cluster serves Pod of its core API in v1", final=True)
    assert served(core, Missing("", "Pod", "v2")) == other


def test_a_kind_may_still_be_brought_by_another_application():
    def bringer(status="OutOfSync", sync="OutOfSync", name="certificates.cert-manager.io"):
        entry = {"kind": "CustomResourceDefinition", "name": name, "status": status}
        return {"b": {"status": {"sync": {"status": sync}, "resources": [entry]}}}

    assert is_brought(GROUP, "a", bringer())
    assert not is_brought(GROUP, "b", bringer())
    assert not is_brought(GROUP, "a", bringer(status="Synced", sync="Synced"))
    assert not is_brought(GROUP, "a", bringer(name="kafkas.kafka.strimzi.io"))
    # What it brings is not known.
    assert is_brought(GROUP, "a", {"b": {"status": {}}})
    assert is_brought(GROUP, "a", {"b": {"status": {"sync": {"status": "Unknown"}}}})


def tracked(code, application, since=0.0, **barrier):
    entry = Tracked(application["metadata"]["name"], since)
    entry.application, entry.found = application, Verdict(WAIT, code)
    for name, value in barrier.items():
        setattr(entry.barrier, name, value)
    return entry


def asked(entry, now=3.0, others=None):
    return set(questions([entry], others or {}, "argocd", now))


def test_only_what_stands_still_raises_questions():
    assert asked(tracked(Code.OUT_OF_SYNC, idle())) == {project_question("rounds")}
    assert asked(tracked(Code.OUT_OF_SYNC, idle()), now=1.0) == set()
    assert asked(tracked(Code.OUT_OF_SYNC, recorded("manual_out_of_sync"))) == set()
    assert asked(tracked(Code.SYNC_WINDOW, idle()), now=0.0) == {project_question("rounds")}
    assert asked(tracked(Code.SUSPENDED, idle())) == {suspended_question("rounds-a")}
    unreachable = recorded("comparison_error")
    assert asked(tracked(Code.ERROR, unreachable)) == set()
    unreachable["status"]["conditions"][0]["message"] = UNAVAILABLE
    assert asked(tracked(Code.ERROR, unreachable)) == {REPO_SERVER}
    refreshing = tracked(Code.REFRESHING, idle())
    assert asked(refreshing, now=99.0) == set()
    refreshing.barrier.ask(0.0)
    assert (asked(refreshing, now=4.0), asked(refreshing, now=6.0)) == (set(), {CONTROLLER})


def test_a_kind_is_asked_about_while_nobody_may_still_bring_it():
    entry = tracked(Code.SYNCING, recorded("retrying"))
    entry.failures.last = Failure(("f",), (NO_CRD,), 1)
    assert asked(entry) == {kind_question(NO_KIND)}
    assert asked(entry, others={"b": {"status": {}}}) == set()
    # Nobody brings a kind of the API server itself.
    entry.failures.last = Failure(("f",), ('no matches for kind "Podd" in version "v1"',), 1)
    assert asked(entry, others={"b": {"status": {}}}) == {kind_question(Missing("", "Podd", "v1"))}
    # The kind is in the entry of the resource.
    entry.failures.last = Failure(("f",), (f"Certificate a/b: {NOT_FOUND}",), 1, (NO_VERSION,))
    assert asked(entry) == {kind_question(NO_VERSION)}


def test_a_kind_that_the_comparison_lacks_is_asked_about():
    application = recorded("comparison_error")
    application["status"]["conditions"][0]["message"] = f"Failed to load live state: {NO_CRD}"
    assert asked(tracked(Code.ERROR, application)) == {kind_question(NO_KIND)}
    assert asked(tracked(Code.ERROR, application), now=1.0) == set()


class Counting(Objects):
    def __init__(self, **answers):
        super().__init__(**answers)
        self.count = 0

    def request(self, *args):
        self.count += 1
        if not self.answers:
            raise GitopsError("no")
        return super().request(*args)


def looked(inquiry, now, entry):
    inquiry.look([entry], {}, now)
    while inquiry.reading:
        time.sleep(0.01)
    return inquiry.known


def test_an_answer_is_kept_while_somebody_asks_and_read_again_now_and_then():
    api = Counting(appprojects__rounds=(200, {"spec": {}}))
    inquiry, entry = Inquiry(api, "argocd", Counter()), tracked(Code.OUT_OF_SYNC, idle())
    for now in (10.0, 10.5, 12.0, 14.9):
        assert looked(inquiry, now, entry) == {project_question("rounds"): Evidence()}
    assert api.count == inquiry.requests["read"] == 1
    looked(inquiry, 16.0, entry)
    assert api.count == 2
    entry.found = Verdict(WAIT, Code.SYNCING)
    assert looked(inquiry, 18.0, entry) == {}


def test_without_an_answer_the_question_stays_open():
    inquiry, entry = Inquiry(Counting(), "argocd", Counter()), tracked(Code.OUT_OF_SYNC, idle())
    assert looked(inquiry, 10.0, entry) == {}


def test_what_explains_why_nothing_happens_is_news_once_and_when_it_is_gone():
    """A question that is answered with nothing makes no difference for a verdict."""
    inquiry = Inquiry(Counting(), "argocd", Counter())
    inquiry.known[CONTROLLER] = Evidence()
    assert not inquiry.has_news()
    inquiry.known[CONTROLLER] = Evidence("0 of 1 pods are ready")
    assert [inquiry.has_news(), inquiry.has_news()] == [True, False]
    inquiry.known.clear()
    assert [inquiry.has_news(), inquiry.has_news()] == [True, False]
