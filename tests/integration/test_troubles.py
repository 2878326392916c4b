# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Troubles of pods in a rehearsal: a simulated pod that is told to have one says what a real kubelet has said.

Those that have nothing to do with a kubelet are provoked as on a real cluster.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest
import recordings
import replay
import yaml
from ansible_collections.monorepo.gitops.plugins.module_utils._api import Api
from ansible_collections.monorepo.gitops.plugins.module_utils._diagnosis.evidence import Reference
from ansible_collections.monorepo.gitops.plugins.module_utils._diagnosis.reader import Reader
from ansible_collections.monorepo.gitops.plugins.module_utils._rehearsal.cluster import RehearsalCluster
from kubernetes import config, dynamic
from provoking import Provocation, with_template
from recordings import Manifest
from said import SAID, top
from tear_down import remove, torn_down
from troubles import TROUBLES

from .conftest import ROOT

SIMULATE = "rehearsal.monorepo.gitops/simulate"
STAGES = sorted((ROOT / "roles/rehearsal_cluster/files/stages").glob("*.yaml"))
BY_STAGE = [name for name, trouble in TROUBLES.items() if trouble.by_stage]
AS_ALWAYS = [name for name, trouble in TROUBLES.items() if not trouble.by_stage]


def simulating(name: str, item: Manifest) -> Manifest:
    """Return an object whose pods are told to have a trouble, or whose claim waits."""
    if TROUBLES[name].claim_waits and item["kind"] == "PersistentVolumeClaim":
        return annotated(item, "fail")
    if not TROUBLES[name].by_stage:
        return item
    return with_template(item, lambda template: annotated(template, name))


def annotated(item: Manifest, value: str) -> Manifest:
    metadata = item["metadata"]
    return item | {"metadata": metadata | {"annotations": metadata.get("annotations", {}) | {SIMULATE: value}}}


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RehearsalCluster]:
    """Start a rehearsal cluster without Argo CD."""
    folder = tmp_path_factory.mktemp("troubles")
    build = ROOT / "roles/rehearsal_cluster/files/build.py"
    built = subprocess.run([sys.executable, build], check=True, capture_output=True, text=True).stdout.split()[-1]
    launcher = str(ROOT / "roles/rehearsal_cluster/files/launch.py")
    found = RehearsalCluster("troubles", str(folder), built, launcher, "argocd")
    with torn_down(lambda: remove(found)):
        found.start(STAGES, [])
        yield found


@pytest.fixture(scope="module")
def api(cluster: RehearsalCluster) -> Api:
    return Api(dynamic.DynamicClient(config.new_client_from_config(str(cluster.paths.kubeconfig))))


@pytest.fixture(scope="module")
def provocation(api: Api) -> Iterator[Provocation]:
    """Provoke all troubles."""
    run = Provocation(api, TROUBLES, simulating, {"node-gone": "pod Ready False"})
    run.start()
    run.watch(60)
    yield run
    run.end()


def told(objects: list[Manifest]) -> str:
    """Return status and events of the pod with the trouble; its name and identifier differ with its template."""
    pod = recordings.troubled(objects)
    assert pod
    # The API server writes the class of the quality of service.
    status = {key: value for key, value in pod["status"].items() if key != "qosClass"}
    keys = ("type", "reason", "message", "reportingComponent")
    events = [
        {key: item[key] for key in keys} | {"container": item["involvedObject"].get("fieldPath")}
        for item in objects
        if item["kind"] == "Event" and replay.concerns(item, pod)
    ]
    text = yaml.safe_dump({"status": status, "events": events}, width=1000)
    for name in (pod["metadata"]["name"], pod["metadata"]["uid"]):
        text = text.replace(name, "this")
    return text


@pytest.mark.parametrize("name", BY_STAGE)
def test_a_simulated_pod_says_what_a_real_one_has_said(provocation: Provocation, name: str) -> None:
    assert name in provocation.shown, provocation.missing(name)
    assert told(provocation.shown[name]) == told(recordings.read(name))


@pytest.mark.parametrize("name", AS_ALWAYS)
def test_what_is_no_matter_of_a_kubelet_shows_as_on_a_real_cluster(provocation: Provocation, name: str) -> None:
    assert name in provocation.shown, provocation.missing(name)


@pytest.mark.parametrize("name", TROUBLES)
def test_the_cause_of_a_trouble_is_found_with_a_few_requests(provocation: Provocation, api: Api, name: str) -> None:
    assert name in provocation.shown, provocation.missing(name)
    item = top(provocation.objects()[provocation.namespace(name)], name)
    metadata, reader = item["metadata"], Reader(api)
    cause = reader.diagnose(Reference(item["apiVersion"], item["kind"], metadata["namespace"], metadata["name"]))
    assert cause, name
    assert (cause.rule, cause.final) == (SAID[name].rule, SAID[name].final), cause.text
    assert reader.counted["read"] <= 7
