# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run must not delete or take over, and the everyday runs that ask nothing.

The cluster is a rehearsal; a run that names it as an existing cluster, by its kubeconfig, may name any repository.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import time

import pytest
from ansible_collections.monorepo.gitops.plugins.module_utils._api import APPLY

from .conftest import ARGO, BASE, DEPLOY, Environment, applications, bring_up, existing, message, temporary, words

TOPIC = "/apis/kafka.strimzi.io/v1beta2/namespaces/kafka/kafkatopics/orders"
SERVICE = "/api/v1/namespaces/maildev/services/maildev-web"
IDENTITY = "/api/v1/namespaces/argocd/configmaps/monorepo-gitops"
COMPONENTS = [*BASE, "strimzi", "kafka"]
VARIANT = pytest.mark.long("variants")
TOPICS = [{"name": "orders"}, {"name": "payments"}]
NOTES = {
    "kustomization.yaml": "resources: [notes.yaml]\n",
    "notes.yaml": "{apiVersion: v1, kind: ConfigMap, metadata: {name: notes, namespace: maildev}, data: {by: hand}}\n",
}


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    environment = Environment(
        tmp_path_factory.mktemp("guarded"),
        gitops_components=COMPONENTS,
        kafka_topics=TOPICS,
        kafka_connect_enabled=False,
        gitops_network_policies="none",  # as for an existing cluster, for which tests take it
    )
    with temporary(environment):
        bring_up(environment)
        assert environment.first.returncode == 0, environment.first.stdout[-5000:]
        yield environment


class Untouched:
    """Nothing is pushed and nothing is written to the cluster while this is entered."""

    def __init__(self, environment):
        self.environment = environment

    def _state(self):
        published = (self.environment.folder / "monorepo.git").exists()
        return self.environment.git("for-each-ref") if published else "", self.environment.writes()

    def __enter__(self):
        self.before = self._state()

    def __exit__(self, failure, *_rest):
        if failure is None:
            assert self._state() == self.before


def push(environment, folder, change, note):
    """Change the published repository as a colleague would."""
    if not (folder / "work").exists():
        subprocess.run(["git", "clone", "-q", f"{environment.folder}/monorepo.git", folder / "work"], check=True)
    git = ["git", "-C", folder / "work", "-c", "user.name=colleague", "-c", "user.email=colleague@localhost"]
    subprocess.run([*git, "pull", "-q", "--rebase"], check=True)
    change(folder / "work")
    subprocess.run([*git, "add", "--all"], check=True)
    subprocess.run([*git, "commit", "-q", "-m", note], check=True)
    subprocess.run([*git, "push", "-q"], check=True)


def refresh(environment, kind, name):
    """Make a controller refresh from Git, and wait until it has."""
    annotation = "argocd.argoproj.io/" + ("application-set-refresh" if kind == "applicationsets" else "refresh")
    path, api = f"{ARGO}/{kind}/{name}", environment.api()
    for _round in range(2):
        assert api.request("PATCH", path, body={"metadata": {"annotations": {annotation: "normal"}}})[0] == 200
        deadline = time.monotonic() + 20
        while annotation in ((item := environment.live(path))["metadata"].get("annotations") or {}):
            # After an error the annotation of an ApplicationSet stays.
            if failed(item) or time.monotonic() > deadline:
                return
            time.sleep(0.2)


def failed(item):
    """Return whether a controller says of an ApplicationSet that it cannot be generated."""
    conditions = item.get("status", {}).get("conditions") or []
    return any(entry["type"] == "ErrorOccurred" and entry["status"] == "True" for entry in conditions)


def repository(folder, files=()):
    """Make a bare repository, with a first commit if there are files, and return its URL."""
    bare, work = folder / "other.git", folder / "other"
    subprocess.run(["git", "init", "-q", "--bare", "--initial-branch=main", bare], check=True)
    if files:
        subprocess.run(["git", "clone", "-q", bare, work], check=True)
        for name in files:
            (work / name).parent.mkdir(parents=True, exist_ok=True)
            (work / name).write_text("hello\n")
        git = ["git", "-C", work, "-c", "user.name=x", "-c", "user.email=x@localhost"]
        subprocess.run([*git, "add", "."], check=True)
        subprocess.run([*git, "commit", "-q", "-m", "first"], check=True)
        subprocess.run([*git, "push", "-q", "origin", "HEAD:main"], check=True)
    return f"file://{bare}"


# --- everyday runs ask nothing ----------------------------------------------------------------------------------------


def test_a_first_run_writes_whose_the_cluster_is(guarded):
    data = guarded.live(IDENTITY)["data"]
    assert (data["environment"], data["revision"]) == ("test", "HEAD")
    assert data["repository"] == f"file://{guarded.folder}/monorepo.git"


def test_a_colleague_with_another_checkout_asks_nothing_and_says_so(guarded, tmp_path):
    colleague = Environment(tmp_path, gitops_components=COMPONENTS, kafka_topics=TOPICS, kafka_connect_enabled=False)
    output = words(colleague.site(*existing(guarded)))
    assert "changed=0 " in output
    assert "This run creates 0, changes 0 and deletes 0 Applications, and prunes 0 objects." in output


def test_check_mode_counts_what_would_happen(guarded):
    with Untouched(guarded):
        wanted = {"gitops_components": [*COMPONENTS, "reflector"], "maildev_replicas": 2}
        output = words(guarded.site("--check", "-e", json.dumps(wanted)))
    assert "This run would create 1, change 1 and delete 0 Applications, and prune 0 objects." in output


def test_a_component_is_added_without_a_question(guarded):
    guarded.set(gitops_components=[*COMPONENTS, "reflector"])
    words(guarded.site())
    assert "reflector" in applications(guarded)


# --- whose cluster ----------------------------------------------------------------------------------------------------


def test_a_copied_inventory_with_the_old_cluster_stops(guarded):
    with Untouched(guarded):
        # A word that somebody has guessed is as good as none, which a run of a part has below.
        stopped = guarded.site(*existing(guarded, gitops_environment="staging", gitops_takeover="staging-000000"))
        text = message(stopped, guarded, "staging")
        url = f"file://{guarded.folder}/monorepo.git"
        assert f"This cluster serves environment test of {url} at HEAD, but the inventory describes environment" in text
        word = re.search(r"gitops_takeover=(\S+)$", text)[1]
        assert re.fullmatch(r"staging-[0-9a-f]{6}", word)
        right = guarded.site("--check", *existing(guarded, gitops_environment="staging", gitops_takeover=word))
        assert f"Continuing because of gitops_takeover={word}" in words(right)


@pytest.mark.parametrize("tag", ["publish", pytest.param("applicationsets", marks=VARIANT), "converge"])
def test_every_tag_that_writes_compares_first(guarded, tag):
    with Untouched(guarded):
        stopped = guarded.site("--tags", tag, *existing(guarded, gitops_environment="staging"))
        assert "This cluster serves environment test" in message(stopped, guarded, "staging")


@pytest.mark.parametrize("files", [pytest.param((), marks=VARIANT), ("README.md",)], ids=["empty", "other"])
def test_another_repository_stops(guarded, tmp_path, files):
    url = repository(tmp_path, files)
    with Untouched(guarded):
        text = message(guarded.site(*existing(guarded, gitops_repo_url=url)), guarded)
    assert f"but the inventory names {url} at HEAD, whose history does not have commit" in text
    assert subprocess.run(["git", "-C", tmp_path / "other.git", "log"], check=False, capture_output=True).stdout.count(
        b"commit "
    ) == len(files)


def test_an_empty_repository_with_fewer_components_stops_too(guarded, tmp_path):
    url = repository(tmp_path)
    with Untouched(guarded):
        text = message(guarded.site(*existing(guarded, gitops_repo_url=url, gitops_components=["gateway"])), guarded)
    assert "is gitops_repo_url or gitops_repo_revision mistyped, or the repository empty?" in text


def test_a_repository_that_moved_is_followed_with_a_note(guarded, tmp_path):
    subprocess.run(
        ["git", "clone", "-q", "--bare", f"{guarded.folder}/monorepo.git", tmp_path / "moved.git"], check=True
    )
    url = f"file://{tmp_path}/moved.git"
    with Untouched(guarded):
        output = words(guarded.site("--check", *existing(guarded, gitops_repo_url=url)))
    assert f"monorepo.git at HEAD and will follow {url} at HEAD; its history has commit" in output


def test_an_older_collection_stops_and_says_both_versions(guarded):
    api, own = guarded.api(), guarded.live(IDENTITY)["data"]["collectionVersion"]
    assert api.request("PATCH", IDENTITY, body={"data": {"collectionVersion": "99.1.0"}})[0] == 200
    try:
        text = message(guarded.site("--tags", "publish"), guarded)
        assert f"by monorepo.gitops 99.1.0, but this is the older {own}: update the collection." in text
    finally:
        assert api.request("PATCH", IDENTITY, body={"data": {"collectionVersion": own}})[0] == 200


def test_an_identity_that_is_lost_is_written_again(guarded):
    """As after an earlier release of the collection: the ApplicationSets are ours, so nothing is asked."""
    assert guarded.api().request("DELETE", IDENTITY)[0] == 200
    assert "changed=1 " in words(guarded.site("--tags", "applicationsets"))
    assert guarded.live(IDENTITY)


@pytest.mark.parametrize("where", ["cluster", "inventory"])
def test_a_policy_of_the_controller_that_deletes_stops_the_run(guarded, where):
    key, path = "applicationsetcontroller.policy", "/api/v1/namespaces/argocd/configmaps/argocd-cmd-params-cm"
    if where == "cluster":
        assert guarded.api().request("PATCH", path, body={"data": {key: "sync"}})[0] == 200
    try:
        settings = {"argocd_cmd_params": {key: "sync"}} if where == "inventory" else {}
        before = guarded.git("rev-parse", "main")
        text = message(guarded.site("-e", json.dumps(settings)), guarded)
        assert "The ApplicationSet controller runs with the policy 'sync'" in text
        assert guarded.git("rev-parse", "main") == before
    finally:
        assert guarded.api().request("PATCH", path, body={"data": {key: None}})[0] == 200


# --- Applications -----------------------------------------------------------------------------------------------------


def test_a_folder_deleted_by_hand_deletes_nothing_and_comes_back(guarded, tmp_path):
    before, service = applications(guarded), guarded.live(SERVICE)
    push(guarded, tmp_path, lambda work: shutil.rmtree(work / "argocd/infra/maildev"), "tidy up")
    refresh(guarded, "applicationsets", "infra")
    refresh(guarded, "applications", "maildev")
    assert guarded.live(f"{ARGO}/applications/maildev")["status"]["sync"]["status"] == "Unknown"
    assert applications(guarded) == before
    words(guarded.site(*DEPLOY))
    assert applications(guarded) == before
    assert guarded.live(SERVICE)["metadata"]["uid"] == service["metadata"]["uid"]


def test_an_application_whose_folder_is_gone_is_named_and_deleted_when_that_is_asked_for(guarded, tmp_path):
    without = [name for name in guarded.components() if name != "reflector"]
    push(guarded, tmp_path, lambda work: shutil.rmtree(work / "argocd/infra/reflector"), "reflector is not needed")
    settings = {"gitops_components": without}
    output = words(guarded.site(*DEPLOY, "-e", json.dumps(settings)))
    assert "Application reflector exists although Git has no overlay of environment test for it" in output
    assert "reflector" in applications(guarded)
    words(guarded.site("-e", json.dumps(settings | {"gitops_removals": ["monorepo.gitops.reflector"]})))
    assert "reflector" not in applications(guarded)
    guarded.set(gitops_components=without)


def test_a_generator_error_and_a_deleted_applicationset_delete_nothing(guarded):
    before, api = applications(guarded), guarded.api()
    generator = {
        "git": {"repoURL": "file:///nowhere.git", "revision": "HEAD", "directories": [{"path": "argocd/infra/*"}]}
    }
    assert api.request("PATCH", f"{ARGO}/applicationsets/infra", body={"spec": {"generators": [generator]}})[0] == 200
    refresh(guarded, "applicationsets", "infra")
    assert applications(guarded) == before
    assert api.request("DELETE", f"{ARGO}/applicationsets/services")[0] == 200
    assert api.request("DELETE", f"{ARGO}/applicationsets/infra")[0] == 200
    deadline = time.monotonic() + 20
    while guarded.live(f"{ARGO}/applicationsets/infra") and time.monotonic() < deadline:
        time.sleep(0.2)
    assert guarded.live(f"{ARGO}/applicationsets/infra") is None
    assert applications(guarded) == before
    words(guarded.site("--tags", "applicationsets"))
    assert applications(guarded) == before
    assert guarded.live(f"{ARGO}/applications/maildev")["metadata"]["ownerReferences"][0]["name"] == "infra"


def test_a_folder_written_by_hand_is_left_alone(guarded, tmp_path):
    folder = "argocd/infra/notes/envs/test"

    def add(work):
        for name, text in NOTES.items():
            (work / folder / name).parent.mkdir(parents=True, exist_ok=True)
            (work / folder / name).write_text(text)

    push(guarded, tmp_path, add, "notes")
    words(guarded.site())
    assert guarded.git("ls-tree", "--name-only", "main", f"{folder}/").splitlines() == [
        f"{folder}/{name}" for name in NOTES
    ]
    refresh(guarded, "applications", "notes")
    assert guarded.live("/api/v1/namespaces/maildev/configmaps/notes")
    text = message(guarded.site("-e", json.dumps({"gitops_removals": ["infra/notes"]})), guarded)
    assert "infra/notes was written by hand (argocd/infra/notes/envs/test): delete that folder in Git" in text
    push(guarded, tmp_path, lambda work: shutil.rmtree(work / "argocd/infra/notes"), "no notes")
    words(guarded.site(*DEPLOY, "-e", json.dumps({"gitops_removals": ["infra/notes"]})))
    assert "notes" not in applications(guarded)
    assert guarded.live("/api/v1/namespaces/maildev/configmaps/notes") is None


def test_a_kind_that_somebody_pushes_is_deployed_where_it_is_allowed_and_named_where_it_is_not(guarded, tmp_path):
    folder = "argocd/infra/jobs/envs/test"
    template = {"spec": {"restartPolicy": "Never", "containers": [{"name": "report", "image": "busybox:1.36"}]}}
    job = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "report", "namespace": "maildev"},
        "spec": {"suspend": True, "template": template},
    }
    cron_job = job | {"kind": "CronJob", "spec": {"schedule": "0 0 1 1 *", "jobTemplate": {"spec": job["spec"]}}}

    def add(work, **files):
        (work / folder).mkdir(parents=True, exist_ok=True)
        for name, item in files.items():
            (work / folder / f"{name}.yaml").write_text(json.dumps(item))
        names = sorted(path.name for path in (work / folder).iterdir() if path.name != "kustomization.yaml")
        (work / folder / "kustomization.yaml").write_text(json.dumps({"resources": names}))

    note = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "jobs", "namespace": "maildev"}}
    push(guarded, tmp_path, lambda work: add(work, note=note), "a folder by hand")
    settings = {"gitops_project_kinds": {"infra": [{"group": "batch", "kind": "CronJob"}]}}
    words(guarded.site("-e", json.dumps(settings)))
    allowed = guarded.live(f"{ARGO}/appprojects/infra")["spec"]["namespaceResourceWhitelist"]
    assert [entry["kind"] for entry in allowed if entry["group"] == "batch"] == ["CronJob"]

    push(guarded, tmp_path, lambda work: add(work, cron=cron_job), "a CronJob")
    words(guarded.playbook("playbooks/sync.yml", "-e", "app=jobs"))
    assert guarded.live("/apis/batch/v1/namespaces/maildev/cronjobs/report")

    push(guarded, tmp_path, lambda work: add(work, job=job), "a Job")
    done = guarded.playbook("playbooks/sync.yml", "-e", "app=jobs")
    assert done.returncode != 0
    advice = "AppProject infra does not allow Job.batch yet: run {}, after which it allows what Git has; "
    variable = "gitops_project_kinds: {{infra: [{{group: batch, kind: Job}}]}} allows it beforehand"
    assert (advice.format("site.yml") + variable.format()) in re.sub(r"\s+", " ", done.stdout)
    said = words(guarded.playbook("playbooks/status.yml"))
    command = re.escape(advice).replace(r"\{\}", r"ansible-playbook monorepo\.gitops\.site -i \S+")
    assert re.search("Warning: " + command + re.escape(variable.format()), said), said

    push(guarded, tmp_path, lambda work: shutil.rmtree(work / "argocd/infra/jobs"), "no jobs")
    words(guarded.site(*DEPLOY, "-e", json.dumps({"gitops_removals": ["infra/jobs"]})))
    assert "jobs" not in applications(guarded)


def test_an_unannounced_removal_stops_with_what_each_side_says(guarded):
    with Untouched(guarded):
        text = message(guarded.site("-e", json.dumps({"gitops_components": ["gateway", "cert-manager"]})), guarded)
    assert "infra/kafka (in Git: argocd/infra/kafka/envs/test; in the cluster: Application kafka with " in text
    assert "holding data: Kafka kafka/kafka-cluster, KafkaNodePool kafka/" in text
    assert re.search(
        r"infra/maildev \(in Git: argocd/infra/maildev/envs/test; in the cluster: Application maildev with \d+ obj",
        text,
    )


def test_a_removal_that_nobody_knows_is_refused(guarded):
    with Untouched(guarded):
        text = message(guarded.site("-e", json.dumps({"gitops_removals": ["maildve"]})), guarded)
    assert "gitops_removals: 'maildve' is not a component, and neither Git, its history nor the cluster has one" in text


def test_a_removal_names_the_finalizer_that_holds_it_and_is_finished_by_the_next_run(guarded):
    api, before = guarded.api(), applications(guarded)
    without = [name for name in guarded.components() if name != "maildev"]
    settings = {"gitops_components": without, "gitops_removals": ["infra/maildev"], "gitops_removal_timeout": 8}
    assert api.request("PATCH", SERVICE, body={"metadata": {"finalizers": ["example.com/hold"]}})[0] == 200
    try:
        text = message(guarded.site("-e", json.dumps(settings)), guarded)
        assert "Application maildev is being deleted (since 20" in text
        assert "held by Service maildev/maildev-web (finalizer example.com/hold)" in text
        # It is wanted again while the old one is still there.
        text = message(guarded.site(*DEPLOY, "-e", json.dumps({"applicationsets_timeout": 8})), guarded)
        assert "held by Service maildev/maildev-web (finalizer example.com/hold)" in text
    finally:
        assert api.request("PATCH", SERVICE, body={"metadata": {"finalizers": None}})[0] == 200
    words(guarded.site("-e", json.dumps(settings)))
    assert applications(guarded) == {name: uid for name, uid in before.items() if name != "maildev"}
    assert guarded.live("/apis/apps/v1/namespaces/maildev/deployments/maildev") is None
    output = words(guarded.site(*DEPLOY, "-e", json.dumps(settings)))
    assert "maildev was removed already (gitops_removals)" in output
    assert "changed=0 " in output
    words(guarded.site())
    assert "maildev" in applications(guarded)


# --- objects that hold data -------------------------------------------------------------------------------------------


TAKEN_AWAY = "would be deleted from components that stay (kafka: KafkaTopic kafka/orders)"


@VARIANT
@pytest.mark.parametrize("arguments", [("--check",), ("--tags", "publish")], ids=" ".join)
def test_every_kind_of_run_stops_when_a_topic_is_taken_away(guarded, arguments):
    topics = {"kafka_topics": [{"name": "payments"}]}
    with Untouched(guarded):
        done = guarded.site(*arguments, "-e", json.dumps(topics))
        # Not from the report, which check mode does not write.
        assert TAKEN_AWAY in re.sub(r"\s+", " ", done.stdout)
        assert done.returncode != 0


def test_a_topic_that_is_taken_away_stops_the_run_until_it_is_named(guarded):
    topics = {"kafka_topics": [{"name": "payments"}]}
    with Untouched(guarded):
        assert TAKEN_AWAY in message(guarded.site("-e", json.dumps(topics)), guarded)
    topic = {"component": "kafka", "api_version": "kafka.strimzi.io/v1beta2", "kind": "KafkaTopic"}
    volumes = {"gitops_volume_removals": [topic | {"namespace": "kafka", "name": "orders"}]}
    with Untouched(guarded):
        text = message(guarded.site("-e", json.dumps(volumes)), guarded)
        assert "gitops_volume_removals names KafkaTopic kafka/orders, which component kafka still has" in text
        output = words(guarded.site("--check", "-e", json.dumps(topics | volumes)))
        assert "would create 0, change 1 and delete 0 Applications, and prune 1 objects" in output
    words(guarded.site("-e", json.dumps(topics | volumes)))
    assert guarded.live(TOPIC) is None
    assert "changed=0 " in words(guarded.site("-e", json.dumps(topics | volumes)))
    words(guarded.site(*DEPLOY))
    assert guarded.live(TOPIC)


# --- another cluster --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def empty(tmp_path_factory):
    """Start a cluster on which nothing was installed."""
    with temporary(Environment(tmp_path_factory.mktemp("empty"), gitops_components=COMPONENTS)) as environment:
        started = environment.playbook("playbooks/rehearsal.yml")
        assert started.returncode == 0, started.stdout
        environment.find_cluster()
        yield environment


def on(environment, cluster, **variables):
    """Return arguments with which a run of an environment names another cluster."""
    settings = {"gitops_components": environment.components(), "kafka_topics": TOPICS, "kafka_connect_enabled": False}
    kubeconfig = {"cluster_kubeconfig": cluster.status["kubeconfig"]}
    return existing(environment, **settings | kubeconfig | variables)


def test_an_inventory_copied_for_a_new_cluster_stops_when_it_would_change_the_environment(guarded, empty):
    with Untouched(guarded), Untouched(empty):
        text = message(guarded.site(*on(guarded, empty, gitops_domain="new.example.com")), guarded)
        assert "Git already has environment test, but this cluster (UID " in text
        assert (
            "infra/kafka, infra/maildev: was the inventory copied for a new cluster, and gitops_environment left"
            in text
        )
        # A cluster that was rebuilt gets what Git has.
        assert "This run would create 5" in words(guarded.site("--check", *on(guarded, empty)))


def test_a_run_killed_between_namespace_and_identity_is_finished_without_a_question(guarded, empty):
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "argocd"}}
    path, apply = "/api/v1/namespaces/argocd", {"fieldManager": "monorepo.gitops"}
    assert empty.api().request("PATCH", path, apply, namespace, APPLY)[0] == 201
    with Untouched(guarded):
        words(guarded.site("--check", *on(guarded, empty)))
        # The identity is written before anything else: stop the run there.
        stopped = guarded.site(*on(guarded, empty, argocd_manifest_sha256="0" * 64, argocd_manifest_alternatives=[]))
        assert stopped.returncode != 0
    assert empty.live(IDENTITY)["data"]["environment"] == "test"
    # With an identity the environment may change: a first install that failed is repaired in the inventory.
    words(guarded.site("--check", *on(guarded, empty, gitops_domain="new.example.com")))
