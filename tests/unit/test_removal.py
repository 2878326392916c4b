# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run would delete, and whether it was announced."""

from __future__ import annotations

import pytest
from ansible_collections.monorepo.gitops.plugins.module_utils._environment import removal
from ansible_collections.monorepo.gitops.plugins.module_utils._environment.removal import Found
from ansible_collections.monorepo.gitops.plugins.module_utils._errors import GitopsError

CLAIM = ("", "PersistentVolumeClaim", "minio", "minio")
VOLUME = {
    "component": "minio",
    "api_version": "v1",
    "kind": "PersistentVolumeClaim",
    "namespace": "minio",
    "name": "minio",
}


def found(**sides):
    return Found("dev", **sides)


@pytest.mark.parametrize("entry", ["kafka-ui", "infra/kafka-ui", "monorepo.gitops.kafka_ui", "kafka_ui"])
def test_a_removal_takes_every_form_that_messages_print(entry):
    sides = found(rendered={"kafka-ui": "infra"})
    assert removal.announced([entry], sides, set()) == (["kafka-ui"], [])


@pytest.mark.parametrize("entry", ["services/kafka", "x/kafka", "x/y/infra/kafka"])
def test_a_removal_of_another_layer_means_another_component(entry):
    with pytest.raises(GitopsError, match="is not a component"):
        removal.announced([entry], found(rendered={"kafka": "infra"}), set())


def test_what_is_not_ours_is_not_moved_nor_taken_over():
    sides = found(rendered={"hello": "infra"}, handwritten={"notes": "infra"})
    texts = []
    for wanted, others in [
        ({"hello": "services"}, set()),
        ({"api": "services"}, {"api", "else"}),
        ({}, {"notes"}),
    ]:
        with pytest.raises(GitopsError) as error:
            removal.check_ownership(sides, wanted, others)
        texts.append(str(error.value))
    assert texts[0] == (
        "Nothing was written. In Git hello is in the layer infra, but in the inventory in services: remove it in one "
        "run (gitops_removals), and add it in the next."
    )
    assert texts[1] == (
        "Nothing was written. Argo CD has Applications of the same name that do not belong to the ApplicationSets "
        "infra and services (api), and this run would take them over: rename them, or leave these components out."
    )
    assert "(notes)" in texts[2]
    removal.check_ownership(sides, {"notes": "infra", "hello": "infra"}, {"else"})


def test_a_removal_that_has_happened_is_a_note():
    assert removal.announced(["services/hello"], found(past={"hello"}), set()) == (
        [],
        ["services/hello was removed already (gitops_removals)."],
    )
    assert removal.announced(["maildev"], found(), {"maildev"})[1] == ["maildev was removed already (gitops_removals)."]


def test_a_removal_of_what_is_wanted_is_a_note():
    sides = found(wanted={"maildev"}, rendered={"maildev": "infra"})
    assert removal.announced(["maildev"], sides, set()) == (
        [],
        ["gitops_removals names maildev, which this environment still has: it stays."],
    )


def test_a_removal_of_what_nobody_knows_is_refused():
    with pytest.raises(GitopsError) as error:
        removal.announced(["maildve"], found(rendered={"maildev": "infra"}), {"maildev"})
    assert str(error.value) == (
        "gitops_removals: 'maildve' is not a component, and neither Git, its history nor the cluster has one of that "
        "name."
    )


def test_a_folder_written_by_hand_is_not_removed_by_a_run():
    with pytest.raises(GitopsError) as error:
        removal.announced(["notes"], found(handwritten={"notes": "infra"}), set())
    assert str(error.value) == (
        "gitops_removals: notes was written by hand (argocd/infra/notes/envs/dev): delete that folder in Git, then a "
        "run deletes its Application."
    )


def test_what_would_vanish_is_named_with_what_each_side_says():
    sides = found(
        wanted={"gateway"},
        rendered={"gateway": "infra", "minio": "infra", "api": "services"},
        handwritten={"notes": "infra"},
        living={"gateway": set(), "minio": {CLAIM, ("", "Service", "minio", "minio")}},
    )
    assert removal.unannounced(sides, []) == ["api", "minio"]
    assert removal.unannounced(sides, ["minio"]) == ["api"]
    assert removal.refusal(["api", "minio"], sides, {"minio": [removal.label(CLAIM)]}) == (
        "Nothing was written. This run would delete components that gitops_components does not have: services/api (in "
        "Git: argocd/services/api/envs/dev; not in the cluster); infra/minio (in Git: argocd/infra/minio/envs/dev; in "
        "the cluster: Application minio with 2 objects; holding data: PersistentVolumeClaim minio/minio). Add them to "
        "gitops_components, or name them in gitops_removals to delete them."
    )


def test_an_application_without_a_folder_is_named():
    sides = found(
        wanted={"gateway"}, handwritten={"notes": "infra"}, living={"gateway": set(), "old": set(), "notes": set()}
    )
    assert removal.forgotten(sides, []) == [
        "Application old exists although Git has no overlay of environment dev for it: name it in gitops_removals to "
        "delete it, or add it to gitops_components."
    ]
    assert removal.forgotten(sides, ["old"]) == []


def test_data_that_leaves_a_component_that_stays_is_named():
    assert removal.data_refusal({"kafka": ["KafkaTopic kafka/orders"]}) == (
        "Nothing was written. Objects that hold data would be deleted from components that stay (kafka: KafkaTopic "
        "kafka/orders). Keep them in the inventory, or name them in gitops_volume_removals to delete them with their "
        "data."
    )


@pytest.mark.parametrize(
    ("options", "kept"),
    [
        ("Prune=false", True),
        ("SkipDryRunOnMissingResource=true, Prune=false,Delete=false", True),
        ("Prune=confirm", False),
    ],
)
def test_a_sync_option_keeps_an_object(options, kept):
    live = {"metadata": {"annotations": {"argocd.argoproj.io/sync-options": options}}}
    assert removal.is_kept(live, "Prune") is kept
    assert removal.is_kept({"metadata": {}}, "Prune") is False


def test_argocd_keeps_a_definition_when_its_application_goes_but_prunes_it_when_it_leaves_git():
    live = {"kind": "CustomResourceDefinition", "metadata": {"name": "widgets.example.com"}}
    assert removal.is_kept(live, "Delete") is True
    assert removal.is_kept(live, "Prune") is False
    assert removal.is_kept(live | {"kind": "Namespace"}, "Delete") is False


@pytest.mark.parametrize(
    ("group", "kind", "lost"),
    [
        ("", "PersistentVolumeClaim", True),
        ("apps", "StatefulSet", True),
        ("postgresql.cnpg.io", "Cluster", True),
        ("cluster.x-k8s.io", "Cluster", False),
        ("apps", "Deployment", False),
    ],
)
def test_what_holds_data(group, kind, lost):
    assert removal.holds_data((group, kind, "shop", "db")) is lost


def test_a_volume_needs_its_keys():
    assert removal.volume(VOLUME) == CLAIM
    with pytest.raises(GitopsError) as error:
        removal.volume({"component": "minio"})
    assert str(error.value) == (
        "gitops_volume_removals: an entry has no api_version, kind, name; each needs component, api_version, kind, "
        "name, and namespace where the kind has one."
    )


def test_a_volume_that_is_still_wanted_is_refused():
    sides = found(wanted={"minio"})
    removal.check_volumes([VOLUME], sides, [], set())
    with pytest.raises(GitopsError) as error:
        removal.check_volumes([VOLUME], sides, [], {CLAIM})
    assert str(error.value) == (
        "gitops_volume_removals names PersistentVolumeClaim minio/minio, which component minio still has: it would be "
        "created again, empty. First take it out of the inventory and publish that."
    )


def test_a_volume_of_a_component_that_nobody_knows_is_refused():
    with pytest.raises(GitopsError) as error:
        removal.check_volumes([VOLUME], found(), [], set())
    assert str(error.value) == (
        "gitops_volume_removals: 'minio' of PersistentVolumeClaim minio/minio is not a component of this environment."
    )


def test_one_line_says_what_a_run_does():
    counts = {"created": 1, "changed": 2, "deleted": 0, "pruned": 3}
    assert removal.summary(counts, False, "") == (
        "This run creates 1, changes 2 and deletes 0 Applications, and prunes 3 objects."
    )
    assert removal.summary(counts, True, "prod") == (
        "This run would create 1, change 2 and delete 0 Applications, and prune 3 objects, as soon as prod is promoted."
    )


def test_an_entry_of_what_people_wrote_needs_files_of_theirs():
    sides = found(rendered={"hello": "infra"}, handwritten={"notes": "infra"})
    removal.check_entries(sides, {"notes": "infra"})
    start = "Nothing was written. gitops_components has an entry for what people wrote in argocd"
    for name, layer, message in [
        (
            "hello",
            "infra",
            f"{start}/infra/hello/envs/dev, but a run rendered that: name the role of hello instead, or remove the "
            "first line of its files to make them yours.",
        ),
        (
            "notes",
            "services",
            f"{start}/services/notes/envs/dev, and Git has no such folder: correct name or layer, push the folder, or "
            "remove the entry.",
        ),
    ]:
        with pytest.raises(GitopsError) as error:
            removal.check_entries(sides, {name: layer})
        assert str(error.value) == message
