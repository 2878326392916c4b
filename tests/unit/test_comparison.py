# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Inventory, Git and cluster against each other, with a real repository; only the cluster is made up."""

from __future__ import annotations

import shutil

import pytest
import yaml
from ansible_collections.monorepo.gitops.plugins.module_utils._environment.comparison import Comparison
from ansible_collections.monorepo.gitops.plugins.module_utils._environment.options import Options
from ansible_collections.monorepo.gitops.plugins.module_utils._errors import GitopsError
from ansible_collections.monorepo.gitops.plugins.module_utils._repository import remote
from ansible_collections.monorepo.gitops.plugins.module_utils._repository.clone import HEADER, Clone
from ansible_collections.monorepo.gitops.plugins.modules.gitops_repo_publish import remove

AUTHOR = ("Test", "test@localhost")
# As `kustomize build` of an overlay that has all of its objects in one file.
KUSTOMIZE = ["sh", "-c", 'cat "$0/objects.yaml"']
TOPIC = ("kafka.strimzi.io", "KafkaTopic", "kafka", "orders")
ENTRY = {"component": "kafka", "api_version": "kafka.strimzi.io/v1", "kind": "KafkaTopic", "namespace": "kafka"}
KEPT = {"metadata": {"annotations": {"argocd.argoproj.io/sync-options": "Prune=false,Delete=false"}}}


class Cluster:
    """What Survey reads, for Applications that were synced at a commit."""

    uid, settings, applicationset_containers, applicationsets = "1234", {}, [], []
    namespace, others = "argocd", []

    def __init__(self, commit="", objects=(), **living):
        self.config_map = (
            {"data": {"environment": "dev", "repository": "file:///r", "revision": "HEAD"}} if commit else None
        )
        self.objects = dict(objects)
        self.ours = {
            name: {
                "metadata": {"name": name, "uid": name},
                "status": {"sync": {"revision": commit}, "resources": [resource(entry) for entry in entries]},
            }
            for name, entries in living.items()
        }

    def live(self, entry):
        return self.objects.get(entry)


def resource(entry):
    return dict(zip(("group", "kind", "namespace", "name"), entry, strict=True))


def manifest(kind, name, version="v1"):
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name}}


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Return the folder in which each test works, with a repository and its clone, and an untouched copy of it."""
    used = tmp_path_factory.mktemp("used")
    made = Clone(used / "clone", f"file://{used}/repo.git", "main")
    made.open(create=True)
    write(made, "kafka", manifest("KafkaTopic", "orders", "kafka.strimzi.io/v1"), manifest("Service", "kafka"))
    write(made, "maildev", manifest("Service", "maildev"))
    commit(made)
    return used, shutil.copytree(used, tmp_path_factory.mktemp("kept") / "copy")


@pytest.fixture
def clone(folders, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    used, kept = folders
    shutil.rmtree(used)
    shutil.copytree(kept, used)
    return Clone(used / "clone", f"file://{used}/repo.git", "main")


def write(clone, name, *objects, header=HEADER, layer="infra"):
    folder = clone.path / "argocd" / layer / name / "envs/dev"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "kustomization.yaml").write_text(f"{header}\nresources: [objects.yaml]\n")
    (folder / "objects.yaml").write_text(f"{header}\n{yaml.safe_dump_all(objects)}")


def commit(clone):
    clone.staged()
    clone.commit("change", *AUTHOR)
    remote.push(clone, *AUTHOR)
    clone.fetch()


def compare(clone, cluster, names=("kafka", "maildev"), **options):
    components = [{"name": name, "layer": "infra", "namespace": name} for name in names]
    settings = {"environment": "dev", "repository": "file:///r", "revision": "HEAD", "kustomize": KUSTOMIZE}
    return Comparison(clone, cluster, Options(components=components, **settings | options)).result()


def refused(clone, cluster, **options):
    with pytest.raises(GitopsError) as error:
        compare(clone, cluster, **options)
    return str(error.value)


def running(clone, objects=((TOPIC, {"metadata": {}}),)):
    """Return a cluster that runs what the repository has."""
    return Cluster(clone.head(), objects, kafka=[TOPIC, ("", "Service", "kafka", "kafka")], maildev=[])


def test_nothing_to_do(clone):
    found = compare(clone, running(clone))
    assert found["counts"] == {"created": 0, "changed": 0, "deleted": 0, "pruned": 0}
    assert (found["notes"], found["removals"], found["delete"], found["volumes"]) == ([], [], [], [])


def test_a_first_run_creates_all(clone):
    assert compare(clone, Cluster())["counts"] == {"created": 2, "changed": 0, "deleted": 0, "pruned": 0}


def test_a_component_leaves_git_and_the_cluster_when_it_is_named(clone):
    cluster = running(clone)
    text = refused(clone, cluster, names=["maildev"])
    assert "infra/kafka (in Git: argocd/infra/kafka/envs/dev; in the cluster: Application kafka with 2 objects;" in text
    assert "holding data: KafkaTopic kafka/orders)" in text
    found = compare(clone, cluster, names=["maildev"], removals=["kafka"])
    assert (found["removals"], found["delete"]) == (["infra/kafka"], ["kafka"])
    assert found["notes"] == ["Deleted: kafka.", "Removing kafka deletes KafkaTopic kafka/orders."]
    assert found["counts"] == {"created": 0, "changed": 0, "deleted": 1, "pruned": 2}


def test_what_a_removal_keeps_is_said(clone):
    cluster = running(clone, [(TOPIC, KEPT)])
    found = compare(clone, cluster, names=["maildev"], removals=["kafka"])
    assert found["notes"] == ["Deleted: kafka.", "Removing kafka keeps KafkaTopic kafka/orders."]


@pytest.mark.parametrize("in_status", [True, False], ids=["known to Argo CD", "only in Git"])
def test_data_that_leaves_a_component_that_stays_stops_the_run(clone, in_status):
    cluster = running(clone)
    if not in_status:
        cluster.ours["kafka"]["status"]["resources"] = []
    write(clone, "kafka", manifest("Service", "kafka"))
    assert "from components that stay (kafka: KafkaTopic kafka/orders)" in refused(clone, cluster)
    found = compare(clone, cluster, volume_removals=[ENTRY | {"name": "orders"}])
    assert found["volumes"] == [ENTRY | {"name": "orders"}]
    assert found["counts"] == {"created": 0, "changed": 1, "deleted": 0, "pruned": 1}


def test_an_entry_of_a_component_that_came_back_takes_nothing(clone):
    entry = ENTRY | {"name": "older"}
    found = compare(clone, running(clone), volume_removals=[entry])
    assert found["volumes"] == []
    assert found["notes"] == [
        "gitops_volume_removals: KafkaTopic kafka/older is not being removed from kafka; ignored."
    ]


def test_what_an_operator_made_goes_only_with_its_component(clone):
    remote.move(clone, "refs/remotes/origin/prod", clone.head())
    cluster = running(clone)
    cluster.config_map["data"]["revision"] = "prod"
    claim = {"component": "kafka", "api_version": "v1", "kind": "PersistentVolumeClaim", "name": "data-0"}
    options = {"names": ["maildev"], "removals": ["kafka"], "volume_removals": [claim]}
    assert compare(clone, cluster, revision="prod", **options)["volumes"] == []
    cluster.config_map["data"]["revision"] = "HEAD"
    assert compare(clone, cluster, **options)["volumes"] == [claim]


def test_an_object_does_not_move_while_its_component_is_removed(clone):
    topic = manifest("KafkaTopic", "orders", "kafka.strimzi.io/v1")
    topic["metadata"]["namespace"] = "kafka"
    write(clone, "maildev", topic)
    text = refused(clone, running(clone), names=["maildev"], removals=["kafka"])
    assert text == (
        "Nothing was written. KafkaTopic kafka/orders moves from kafka, which is removed, to another component, and "
        "would be deleted before that: publish the move first, then remove kafka."
    )


def test_a_copied_inventory_removes_nothing_of_the_other_cluster(clone):
    text = refused(clone, Cluster(), names=["maildev"], removals=["kafka"])
    assert "Git already has environment dev, but this cluster (UID 1234) does not serve it yet" in text


@pytest.mark.parametrize("objects", [(), ((TOPIC, KEPT),)], ids=["gone", "kept"])
def test_data_that_is_not_lost_stops_nothing(clone, objects):
    write(clone, "kafka", manifest("Service", "kafka"))
    assert compare(clone, running(clone, objects))["counts"]["pruned"] == 0


@pytest.mark.parametrize(
    ("committed", "promoted"),
    [(False, ""), (True, ""), (True, "origin/main")],
    ids=["by this run", "in Git", "promoted"],
)
def test_one_name_in_both_layers_is_refused_with_both_folders(clone, committed, promoted):
    write(clone, "maildev", manifest("Service", "other"), layer="services", header="# Somebody's.")
    if committed:
        commit(clone)
    assert refused(clone, running(clone), commit=promoted) == (
        "Nothing was written. Both layers have a component maildev, argocd/infra/maildev/envs/dev and "
        "argocd/services/maildev/envs/dev, and there can be one Application of that name: rename or delete one of "
        "these folders in Git."
    )


def test_an_object_that_moves_to_another_component_is_not_lost(clone):
    cluster = running(clone)
    write(clone, "kafka", manifest("Service", "kafka"))
    topic = manifest("KafkaTopic", "orders", "kafka.strimzi.io/v1")
    topic["metadata"]["namespace"] = "kafka"
    write(clone, "maildev", topic)
    assert compare(clone, cluster)["counts"] == {"created": 0, "changed": 2, "deleted": 0, "pruned": 0}


def test_a_value_that_the_living_object_cannot_take_stops_the_run_before_the_commit(clone):
    identity = ("apps", "Deployment", "maildev", "web")
    before = manifest("Deployment", "web", "apps/v1") | {"spec": {"selector": {"matchLabels": {"app": "a"}}}}
    after = before | {"spec": {"selector": {"matchLabels": {"app": "b"}}}}
    cluster = running(clone, [(TOPIC, {"metadata": {}}), (identity, before)])
    write(clone, "maildev", manifest("Service", "maildev"), after)
    assert refused(clone, cluster) == (
        "Nothing was written. A live object cannot accept a changed value. maildev: spec.selector of Deployment "
        "maildev/web is app=a and would be app=b. Keep it, or remove the component in one run (gitops_removals) and "
        "add it in the next."
    )
    write(clone, "maildev", manifest("Service", "maildev"), before)
    assert compare(clone, cluster)["counts"]["changed"] == 1


def test_what_a_person_wrote_stays(clone):
    write(clone, "notes", manifest("ConfigMap", "notes"), header="# by hand")
    commit(clone)
    found = compare(clone, running(clone))
    assert found["handwritten"] == ["infra/notes"]
    assert found["counts"]["created"] == 1
    assert "infra/notes" not in found["removals"]


def test_a_run_that_publishes_nothing_compares_what_git_has(clone):
    cluster = running(clone)
    found = compare(clone, cluster, names=["maildev"], publish=False, removals=["kafka"])
    assert (found["removals"], found["delete"]) == ([], [])


def test_a_revision_of_its_own_keeps_its_applications_until_it_is_promoted(clone):
    head = clone.head()
    remote.move(clone, "refs/remotes/origin/prod", head)
    cluster = running(clone)
    cluster.config_map["data"]["revision"] = "prod"
    options = {"revision": "prod", "removals": ["kafka"], "volume_removals": [ENTRY | {"name": "orders"}]}
    found = compare(clone, cluster, names=["maildev"], **options)
    assert (found["removals"], found["delete"], found["volumes"]) == (["infra/kafka"], [], [])
    remove(clone, "dev", found["removals"])
    commit(clone)
    promoted = compare(clone, cluster, names=["maildev"], commit="origin/main", **options)
    assert promoted["commit"] == clone.head()
    assert (promoted["delete"], promoted["volumes"]) == (["kafka"], [ENTRY | {"name": "orders"}])
    text = refused(clone, cluster, names=["maildev"], commit="origin/main", revision="prod")
    assert "This run would delete components that gitops_components does not have: infra/kafka" in text


def test_two_urls_must_be_one_repository(clone, tmp_path):
    other = Clone(tmp_path / "other", f"file://{tmp_path}/other.git", "main")
    other.open(create=True)
    cluster = running(clone)
    cluster.config_map["data"]["repository"] = other.url
    # Argo CD may read an address that this machine does not reach.
    assert compare(clone, cluster, repository=other.url, push_url=clone.url)["counts"]["changed"] == 0
    write(other, "else", manifest("Service", "else"))
    commit(other)
    text = refused(clone, cluster, repository=other.url, push_url=clone.url)
    assert f"gitops_repo_url has commit {other.head()[:12]} at HEAD, which gitops_repo_push_url does not have" in text


def test_a_commit_that_is_not_there_cannot_be_promoted(clone):
    assert refused(clone, running(clone), commit="4e84fb37b98a") == (
        "Nothing was written. main has no commit 4e84fb37b98a: publish first."
    )


def test_a_removal_takes_the_base_along_and_refuses_what_no_run_wrote(clone):
    base = clone.path / "argocd/infra/kafka/base"
    base.mkdir()
    (base / "upstream.yaml").write_text("{}\n")
    (base / "notes.txt").write_text("mine\n")
    commit(clone)
    with pytest.raises(GitopsError) as error:
        remove(clone, "dev", ["infra/kafka"])
    assert str(error.value) == (
        "Nothing was committed. infra/kafka cannot be removed, because no run wrote argocd/infra/kafka/base/notes.txt: "
        "move or delete these files in Git first."
    )
    clone.remove(["argocd/infra/kafka/base/notes.txt"])
    assert remove(clone, "dev", ["infra/kafka"]) == ["kafka"]
    assert not (clone.path / "argocd/infra/kafka").exists()
    assert remove(clone, "dev", ["infra/kafka"]) == []
