# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What people wrote or changed in Git, in a real repository; only the cluster is made up."""

from __future__ import annotations

import pytest
import yaml
from ansible_collections.monorepo.gitops.plugins.module_utils._environment.adoption import word
from ansible_collections.monorepo.gitops.plugins.module_utils._environment.comparison import Comparison
from ansible_collections.monorepo.gitops.plugins.module_utils._environment.options import Options
from ansible_collections.monorepo.gitops.plugins.module_utils._errors import GitopsError
from ansible_collections.monorepo.gitops.plugins.module_utils._repository import policy
from ansible_collections.monorepo.gitops.plugins.module_utils._repository.clone import Clone
from ansible_collections.monorepo.gitops.plugins.plugin_utils.tree import HEADER, write_tree

from .test_comparison import KUSTOMIZE, Cluster, commit, manifest

WEB = ("apps", "Deployment", "maildev", "web")
FOLDER = "argocd/infra/maildev"
OVERLAY = f"{FOLDER}/envs/dev"
KUSTOMIZATION = "resources: [objects.yaml]\n"


def deployment(label="a", replicas=1):
    spec = {"replicas": replicas, "selector": {"matchLabels": {"app": label}}}
    return manifest("Deployment", "web", "apps/v1") | {"spec": spec}


def objects(*items):
    return yaml.safe_dump_all(items)


@pytest.fixture
def clone(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    made = Clone(tmp_path / "clone", f"file://{tmp_path}/repo.git", "main")
    made.open(create=True)
    return made


def by_hand(clone, files):
    """Commit files that a person wrote."""
    for name, text in files.items():
        (clone.path / name).parent.mkdir(parents=True, exist_ok=True)
        (clone.path / name).write_text(text)
    commit(clone)


def render(clone, *items, more=None):
    """Write a component as a run renders it."""
    files = {"kustomization.yaml": KUSTOMIZATION, "objects.yaml": objects(*items)}
    rendered = {name: f"{HEADER}{text}" for name, text in files.items()}
    write_tree(clone.path / OVERLAY, rendered | (more or {}), write=True)


def compare(clone, cluster=None, adopt=(), **options):
    components = [{"name": "maildev", "layer": "infra", "namespace": "maildev"}]
    settings = {"environment": "dev", "repository": "file:///r", "revision": "HEAD", "kustomize": KUSTOMIZE}
    wanted = Options(components=components, adopted=set(adopt), **settings | options)
    return Comparison(clone, cluster or running(clone), wanted).result()


def refused(clone, cluster=None, **options):
    with pytest.raises(GitopsError) as error:
        compare(clone, cluster, **options)
    return str(error.value)


def running(clone, *found):
    """Return a cluster that runs the published commit, with these objects."""
    identities = {(*group(item), "maildev", item["metadata"]["name"]): item for item in found}
    return Cluster(clone.head(), identities, maildev=list(identities))


def group(item):
    return item["apiVersion"].rpartition("/")[0], item["kind"]


class TestFilesThatNoRunWrote:
    @pytest.fixture
    def clone(self, clone):
        files = {
            f"{OVERLAY}/kustomization.yml": KUSTOMIZATION,
            f"{OVERLAY}/objects.yaml": objects(deployment(), manifest("ConfigMap", "old"), manifest("Secret", "kept")),
            f"{OVERLAY}/settings.env": "a=1\n",
            f"{OVERLAY}/README.md": "ours\n",
            f"{FOLDER}/README.md": "ours\n",
            f"{FOLDER}/envs/prod/kustomization.yaml": KUSTOMIZATION,
        }
        by_hand(clone, files)
        # That one of the two manifests names the namespace is no difference.
        placed = deployment("b", 2)
        placed["metadata"]["namespace"] = "maildev"
        render(clone, placed, manifest("Service", "web"))
        return clone

    @pytest.fixture
    def cluster(self, clone):
        kept = manifest("Secret", "kept")
        kept["metadata"]["annotations"] = {"argocd.argoproj.io/sync-options": "Prune=false"}
        return running(clone, deployment(), manifest("ConfigMap", "old"), kept)

    def test_they_stop_the_run_with_the_difference_of_the_built_objects(self, clone, cluster):
        assert refused(clone, cluster) == (
            "Nothing was written. Git has files of infra/maildev that no run wrote, and this run would replace them. "
            "In the cluster this would\n"
            "- add Service maildev/web\n"
            "- change Deployment maildev/web (spec.replicas, spec.selector.matchLabels.app)\n"
            "- delete ConfigMap maildev/old\n"
            "- keep, because of Prune=false, Secret maildev/kept\n"
            "- be refused: spec.selector of Deployment maildev/web is app=a and would be app=b. Keep it, or remove the "
            "component in one run (gitops_removals) and add it in the next.\n"
            f"Files that it replaces: {OVERLAY}/kustomization.yml, {OVERLAY}/objects.yaml, {OVERLAY}/settings.env.\n"
            "Name maildev in gitops_adopt to let the collection take over, or leave it out of gitops_components."
        )

    def test_what_the_cluster_refuses_stops_the_run_also_when_they_are_adopted(self, clone, cluster):
        assert refused(clone, cluster, adopt=["maildev"]).startswith(
            "Nothing was written. What lives cannot take a value. maildev: spec.selector of Deployment maildev/web is "
        )

    @pytest.mark.parametrize("entry", ["maildev", "infra/maildev", "monorepo.gitops.maildev"])
    def test_they_leave_with_the_commit_that_adopts_the_component(self, clone, cluster, entry):
        render(clone, deployment("a", 2), manifest("Service", "web"))
        found = compare(clone, cluster, adopt=[entry])
        names = [f"{OVERLAY}/{name}" for name in ("kustomization.yml", "objects.yaml", "settings.env")]
        assert found["replaced"] == names
        assert found["notes"] == [
            "Changed: maildev.",
            f"Replacing files of infra/maildev that no run wrote (gitops_adopt): {', '.join(names)}.",
            "In the cluster this will, for infra/maildev, add Service maildev/web; change Deployment maildev/web "
            "(spec.replicas); delete ConfigMap maildev/old; keep, because of Prune=false, Secret maildev/kept.",
        ]
        staged = clone.staged()
        assert staged == {
            f"{OVERLAY}/kustomization.yaml": "A",
            f"{OVERLAY}/kustomization.yml": "D",
            f"{OVERLAY}/objects.yaml": "M",
            f"{OVERLAY}/settings.env": "D",
        }
        assert policy.commit_message(staged, "dev", [], found["replaced"]) == (
            "dev: update maildev\n\n- infra/maildev: 1 added, 1 changed, 2 removed\n"
            + "".join(f"- {name}: written by hand before (gitops_adopt)\n" for name in names)
        )
        commit(clone)
        render(clone, deployment("a", 2), manifest("Service", "web"))
        assert (compare(clone)["replaced"], compare(clone)["notes"]) == ([], [])

    def test_without_a_cluster_that_runs_them_all_is_new(self, clone):
        text = refused(clone, Cluster(), takeover="dev-1")
        assert text.startswith("Nothing was written. Git already has environment dev")


def test_a_base_that_other_environments_read_is_theirs_too(clone):
    base = f"{FOLDER}/base/kustomization.yaml"
    by_hand(clone, {base: "resources: []\n", f"{FOLDER}/envs/prod/kustomization.yaml": "resources: [../../base]\n"})
    write_tree(clone.path / FOLDER / "base", {"kustomization.yaml": f"{HEADER}resources: [web.yaml]\n"}, write=True)
    render(clone, deployment())
    assert refused(clone) == (
        "Nothing was written. Git has files of infra/maildev that no run wrote, and this run would replace them. In "
        "the cluster this would\n- add Deployment maildev/web\n"
        f"Files that it replaces: {base}.\n"
        "These environments read the same base, which changes for them, too: prod.\n"
        "Name maildev in gitops_adopt to let the collection take over, or leave it out of gitops_components."
    )


def test_files_of_a_user_beside_rendered_ones_stay(clone):
    render(clone, deployment())
    by_hand(clone, {f"{OVERLAY}/notes.yaml": "mine: true\n"})
    render(clone, deployment(replicas=2))
    assert compare(clone, running(clone, deployment()))["replaced"] == []
    assert (clone.path / OVERLAY / "notes.yaml").exists()


class TestRenderedFilesThatSomebodyChanged:
    EDITED = f"{OVERLAY}/objects.yaml"

    @pytest.fixture
    def clone(self, clone):
        render(clone, deployment())
        commit(clone)
        return clone

    def edit(self, clone, old="replicas: 1", new="replicas: 7", name=EDITED):
        text = (clone.path / name).read_text()
        assert old in text
        (clone.path / name).write_text(text.replace(old, new))
        commit(clone)
        return word("maildev", {name: text.replace(old, new)})

    def test_they_stop_the_run_and_need_the_word_that_it_prints(self, clone):
        said = self.edit(clone)
        render(clone, deployment())
        cluster = running(clone, deployment(replicas=7))
        stop = (
            f"Nothing was written. Somebody changed what a run rendered of infra/maildev, and this run would overwrite "
            f"it: {self.EDITED}. In the cluster this would\n- change Deployment maildev/web (spec.replicas)\nMove the "
            f'change to the inventory, the role or {OVERLAY}/custom, or overwrite it with gitops_adopt: ["{said}"].'
        )
        assert refused(clone, cluster) == stop
        assert refused(clone, cluster, adopt=["maildev"]) == stop
        found = compare(clone, cluster, adopt=[said])
        assert found["replaced"] == [self.EDITED]
        assert found["notes"] == [
            "Changed: maildev.",
            f"Overwriting what somebody changed in infra/maildev (gitops_adopt): {self.EDITED}.",
            "In the cluster this will, for infra/maildev, change Deployment maildev/web (spec.replicas).",
        ]

    def test_the_word_allows_nothing_else(self, clone):
        said = self.edit(clone)
        render(clone, deployment())
        commit(clone)
        other = self.edit(clone, new="replicas: 8")
        assert said != other
        render(clone, deployment())
        assert refused(clone, adopt=[said]).endswith(f'overwrite it with gitops_adopt: ["{other}"].')

    def test_who_made_the_commit_says_nothing(self, clone):
        render(clone, deployment(replicas=2))
        commit(clone)  # by somebody else, and as it was rendered
        render(clone, deployment(replicas=3))
        assert compare(clone, running(clone, deployment()))["replaced"] == []

    def test_a_change_that_the_run_makes_as_well_is_not_lost(self, clone):
        self.edit(clone)
        render(clone, deployment(replicas=7))
        assert compare(clone, running(clone, deployment()))["replaced"] == []

    def test_trees_that_were_rendered_without_a_checksum_go_on(self, clone):
        path = clone.path / self.EDITED
        path.write_text(f"{HEADER}{objects(deployment(replicas=7))}")
        commit(clone)
        render(clone, deployment())
        assert compare(clone, running(clone, deployment()))["replaced"] == []

    def test_an_official_file_is_known_by_the_kustomization_beside_it(self, clone):
        official = {"upstream.yaml": "kind: List\n"}
        render(clone, deployment(), more=official)
        commit(clone)
        name = f"{OVERLAY}/upstream.yaml"
        render(clone, deployment(), more={"upstream.yaml": "kind: List\nitems: []\n"})
        assert compare(clone, running(clone, deployment()))["replaced"] == []
        clone.git("checkout", "--quiet", "--force", "HEAD", "--", ".")
        said = self.edit(clone, "kind: List", "kind: Lost", name)
        render(clone, deployment(), more=official)
        text = refused(clone, running(clone, deployment()))
        assert text.startswith(
            "Nothing was written. Somebody changed what a run rendered of infra/maildev, and this run would overwrite "
            f"it: {name}. In the cluster this would change nothing.\n"
        )
        assert compare(clone, running(clone, deployment()), adopt=[said])["replaced"] == [name]

    def test_so_do_those_of_the_applicationsets(self, clone):
        folder = clone.path / "argocd/appsets/dev"
        write_tree(folder, {"infra.yaml": f"{HEADER}a: 1\n"}, write=True)
        commit(clone)
        (folder / "infra.yaml").write_text((folder / "infra.yaml").read_text() + "b: 2\n")
        commit(clone)
        said = word("appsets", {"argocd/appsets/dev/infra.yaml": (folder / "infra.yaml").read_text()})
        write_tree(folder, {"infra.yaml": f"{HEADER}a: 1\n"}, write=True)
        assert refused(clone) == (
            "Nothing was written. Somebody changed what a run rendered of appsets, and this run would overwrite it: "
            "argocd/appsets/dev/infra.yaml.\n"
            f'Move the change to the inventory, or overwrite it with gitops_adopt: ["{said}"].'
        )
