# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Components are torn down while simulated operators are late, restart or fail, in a random order.

`make test-long PART=convergence` goes on with the rounds for MINUTES. SEED=7 takes another sequence than the default,
which is always the same.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import threading
import time

import pytest
import yaml
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.message import failure_message
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.terms import Options, Request
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.wait import Waiter
from ansible_collections.monorepo.gitops.plugins.module_utils._rehearsal.stages import stages_in

from .conftest import LONG, numbers

ROUNDS = 2
TIMEOUT = 180.0
FAILING_SECONDS = 25.0
FAILING_WAITS = 4
# Whose objects an operator brings to life, by API group; where to list them; and the namespaces that have such objects.
OPERATORS = {
    "cert-manager.io": ("Certificate", "v1/certificates", ["services"]),
    "external-secrets.io": ("ExternalSecret", "v1/externalsecrets", ["kafka-ui", "minio", "services"]),
    "gateway.networking.k8s.io": ("Route", "v1/httproutes", ["kafka-ui", "maildev", "minio", "services"]),
    "kafka.strimzi.io": ("Kafka", "v1beta2/kafkas", ["kafka"]),
    "postgresql.cnpg.io": ("Cluster", "v1/clusters", ["services"]),
}
NAMESPACES = ["kafka", "kafka-ui", "maildev", "minio", "services"]
PLAN = """
- hosts: localhost
  gather_facts: false
  tasks:
    - monorepo.gitops.gitops_plan: {components: "{{ gitops_components }}"}
      register: plan
    - ansible.builtin.copy:
        dest: "{{ inventory_dir }}/plan.json"
        content: "{{ plan.components | to_json }}"
        mode: "0600"
"""


@pytest.fixture(scope="module")
def depends_on(complete_environment, tmp_path_factory):
    playbook = tmp_path_factory.mktemp("plan") / "plan.yml"
    playbook.write_text(PLAN)
    done = complete_environment.playbook(str(playbook))
    assert done.returncode == 0, done.stdout
    components = json.loads((complete_environment.inventory / "plan.json").read_text())
    return {entry["name"]: entry["depends_on"] for entry in components}


class Operators:
    """The simulated operators of a cluster: their Stages are taken away, made slow, and put back."""

    def __init__(self, environment):
        self.environment = environment
        self.stopped = set()
        self.threads = []
        self.stages = stages_in([(environment.folder / "stages.yaml").read_text()])

    def kubectl(self, *args, text="", check=True):
        command = [self.environment.binary("kubectl"), "--kubeconfig", self.environment.status["kubeconfig"], *args]
        done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
        assert done.returncode == 0 or not check, done.stderr

    def of(self, group):
        return [stage for stage in self.stages if stage["spec"]["resourceRef"]["apiGroup"].startswith(f"{group}/")]

    def stop(self, group):
        self.kubectl("delete", "stages", *(stage["metadata"]["name"] for stage in self.of(group)))
        self.stopped.add(group)

    def start(self, group, delay_ms=0):
        self.stopped.discard(group)
        stages = [stage if not delay_ms else slowed(stage, delay_ms) for stage in self.of(group)]
        self.kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", text=yaml.safe_dump_all(stages))
        self.do(threading.Thread(target=self.list_objects, args=[group]))

    def list_objects(self, group):
        """Touch the objects of an operator that was started, because an operator lists them then.

        kwok looks at what is there when it has the first Stage of a kind, and not again when it has the others. It may
        keep an old list of Stages until the next one changes, so they are touched too (stages_manager.go,
        stage_controller.go and resources/dynamic.go at v0.8.0).
        """
        stages = [stage["metadata"]["name"] for stage in self.of(group)]
        references = [stage["spec"]["resourceRef"] for stage in self.of(group)]
        kinds = {".".join([entry["kind"], *reversed(entry["apiGroup"].split("/"))]) for entry in references}
        for number in range(3):
            time.sleep(2)
            # Some objects are gone, or being deleted, and then there is nothing to do.
            for what in (["stages", *stages], *([kind, "-A", "--all"] for kind in sorted(kinds))):
                self.kubectl("annotate", *what, "--overwrite", f"rehearsal/listed={number}", check=False)

    def start_later(self, group, seconds):
        self.do(threading.Timer(seconds, self.start, [group]))

    def do(self, thread):
        """Start a thread that `join` waits for."""
        self.threads.append(thread)
        thread.start()

    def join(self):
        """Wait for operators that start later, and for their first look."""
        while self.threads:
            self.threads.pop(0).join()


def slowed(stage, delay_ms):
    """Return a Stage that reacts later."""
    return stage | {"spec": stage["spec"] | {"delay": {"durationMilliseconds": delay_ms}}}


def tear_down(environment, namespaces):
    """Delete namespaces and wait until they are gone; Argo CD may have made new ones by then."""
    paths = [f"/api/v1/namespaces/{namespace}" for namespace in namespaces]
    before = {path: item["metadata"]["uid"] for path in paths if (item := environment.live(path))}
    for path in before:
        environment.api().request("DELETE", path)
    deadline = time.monotonic() + 90
    while any((item := environment.live(path)) and item["metadata"]["uid"] == uid for path, uid in before.items()):
        assert time.monotonic() < deadline, f"{namespaces} are not gone"
        time.sleep(0.3)


def wait(environment, depends_on, timeout):
    settings = Options(request=Request(), timeout=timeout, resync_failed=True, resync_limit=10, depends_on=depends_on)
    waiter = Waiter(environment.api(), "argocd", settings, lambda _item: False, list(depends_on))
    ready = waiter.wait()
    return ready, {entry["name"]: entry for entry in waiter.results()}


def wait_for_blame(environment, depends_on, kind):
    """Wait in vain until a reason names a kind: before, what was torn down must be on its way again."""
    for _number in range(FAILING_WAITS):
        ready, results = wait(environment, depends_on, FAILING_SECONDS)
        if ready or any(kind in entry["reason"] for entry in results.values() if entry["state"] != "ready"):
            break
    else:
        yield f"nobody names {kind}: {failure_message(list(results.values()), FAILING_SECONDS, '')}"
    if ready:
        yield f"ready without {kind}"


def too_early(operators, group, namespaces):
    """Yield what cannot be if the objects that were torn down are there again and their operator has seen them."""
    if group in operators.stopped:
        yield "the operator is not back"
        return
    _kind, listed, needed_in = OPERATORS[group]
    version, plural = listed.split("/")
    for namespace in sorted({*needed_in} & {*namespaces}):
        items = operators.environment.live(f"/apis/{group}/{version}/namespaces/{namespace}/{plural}")["items"]
        without = [item["metadata"]["name"] for item in items if not item.get("status")]
        if without or not items:
            yield f"namespace {namespace} has {len(items)} {plural}, without a status: {without}"


@pytest.mark.parametrize("minutes", [0, pytest.param(LONG, marks=pytest.mark.long("convergence"))])
def test_every_order_converges_or_names_the_culprit(complete, depends_on, minutes):
    seed = int(os.environ.get("SEED", "20261125"))
    chance, operators, wrong = random.Random(seed), Operators(complete), []
    for number in numbers(ROUNDS, minutes):
        trouble, group = chance.choice(["late", "restarted", "failed"]), chance.choice(list(OPERATORS))
        kind, _listed, needed_in = OPERATORS[group]
        others = chance.sample(NAMESPACES, chance.randint(0, 2))
        namespaces = sorted({chance.choice(needed_in), *others})
        note = f"round {number}: {group} {trouble}, without {', '.join(namespaces)}"
        operators.stop(group)
        if trouble == "late":
            operators.start(group, chance.choice([1500, 4000]))
        tear_down(complete, namespaces)
        if trouble == "failed":
            wrong += [f"{note}: {problem}" for problem in wait_for_blame(complete, depends_on, kind)]
            operators.start(group)
        elif trouble == "restarted":
            operators.start_later(group, chance.uniform(1, 8))
        ready, results = wait(complete, depends_on, TIMEOUT)
        if ready:
            wrong += [f"{note}: ready, but {problem}" for problem in too_early(operators, group, namespaces)]
        else:
            wrong.append(f"{note}: {failure_message(list(results.values()), TIMEOUT, '')}")
        if trouble == "late":
            operators.start(group)
        operators.join()
        print(note, "converged" if ready else "did not converge")
    assert not wrong, "\n".join([f"SEED={seed}", *wrong])
