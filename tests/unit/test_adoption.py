# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What people wrote or changed in Git, in a real repository; only the cluster is made up."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from ansible_collections.monorepo.gitops.plugins.module_utils._environment.adoption import word
from ansible_collections.monorepo.gitops.plugins.module_utils._environment.comparison import Comparison
from ansible_collections.monorepo.gitops.plugins.module_utils._environment.options import Options
from ansible_collections.monorepo.gitops.plugins.module_utils._errors import GitopsError
from ansible_collections.monorepo.gitops.plugins.module_utils._paths import KUSTOMIZATIONS
from ansible_collections.monorepo.gitops.plugins.module_utils._repository import policy
from ansible_collections.monorepo.gitops.plugins.module_utils._repository.clone import Clone
from ansible_collections.monorepo.gitops.plugins.plugin_utils.tree import HEADER, write_tree

from .test_comparison import KUSTOMIZE, Cluster, commit, manifest

ROOT = Path(__file__).resolve().parent.parent.parent
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
            "Nothing was written. A live object cannot accept a changed value. maildev: spec.selector of Deployment "
            "maildev/web is "
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
        # The base has checksums already: that was a run for another environment.
        write_tree(clone.path / FOLDER / "base", {"kustomization.yaml": f"{HEADER}resources: []\n"}, write=True)
        (clone.path / self.EDITED).write_text(f"{HEADER}{objects(deployment(replicas=7))}")
        (clone.path / OVERLAY / "kustomization.yaml").write_text(f"{HEADER}{KUSTOMIZATION}")
        commit(clone)
        render(clone, deployment())
        assert compare(clone, running(clone, deployment()))["replaced"] == []

    @pytest.mark.parametrize(
        "change",
        [
            lambda header, checksum, content: ["---", header, checksum, *content],
            lambda header, checksum, content: ["# yaml-language-server: $schema=x", header, checksum, *content],
            lambda header, checksum, content: [header, "# ours", checksum, *content],
            lambda header, _checksum, content: [header, *content],
        ],
        ids=["document above", "comment above", "line between", "no checksum"],
    )
    def test_a_header_that_is_not_as_it_was_hides_nothing(self, clone, change):
        header, checksum, *content = (clone.path / self.EDITED).read_text().split("\n")
        text = "\n".join(change(header, checksum, content)).replace("replicas: 1", "replicas: 7")
        by_hand(clone, {self.EDITED: text})
        said = word("maildev", {self.EDITED: text})
        render(clone, deployment())
        cluster = running(clone, deployment(replicas=7))
        assert refused(clone, cluster) == (
            f"Nothing was written. Somebody changed what a run rendered of infra/maildev, and this run would overwrite "
            f"it: {self.EDITED}. In the cluster this would\n- change Deployment maildev/web (spec.replicas)\nMove the "
            f'change to the inventory, the role or {OVERLAY}/custom, or overwrite it with gitops_adopt: ["{said}"].'
        )
        assert compare(clone, cluster, adopt=[said])["replaced"] == [self.EDITED]

    def test_the_commit_says_that_they_were_changed(self):
        official, changed, written = f"{OVERLAY}/upstream.yaml", self.EDITED, f"{FOLDER}/base/upstream.yaml"
        headed = {f"{OVERLAY}/kustomization.yml", changed}
        assert policy.commit_message({changed: "M"}, "dev", [], [official, changed, written], headed) == (
            "dev: update maildev\n\n- infra/maildev: 1 changed\n"
            f"- {official}: changed by hand before (gitops_adopt)\n"
            f"- {changed}: changed by hand before (gitops_adopt)\n"
            f"- {written}: written by hand before (gitops_adopt)\n"
        )

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

    @pytest.mark.parametrize("name", KUSTOMIZATIONS)
    @pytest.mark.parametrize("above", ["", "---\n"])
    def test_whatever_that_kustomization_is_called(self, clone, name, above):
        files = {name: f"{HEADER}resources: [upstream.yaml]\n", "upstream.yaml": "kind: List\n"}
        base = clone.path / FOLDER / "base"
        write_tree(base, files, write=True)
        (base / name).write_text(above + (base / name).read_text())
        (base / "upstream.yaml").write_text("kind: Lost\n")
        commit(clone)
        write_tree(base, {name: files[name], "upstream.yaml": "kind: List\n"}, write=True)
        names = [f"{FOLDER}/base/{name}", f"{FOLDER}/base/upstream.yaml"][0 if above else 1 :]
        text = refused(clone, running(clone, deployment()))
        assert text.startswith(
            "Nothing was written. Somebody changed what a run rendered of infra/maildev, and this run would overwrite "
            f"it: {', '.join(names)}. In the cluster this would change nothing.\n"
        )

    def test_an_official_file_without_its_checksum_counts_as_changed(self, clone):
        official = {"upstream.yaml": "kind: List\n"}
        render(clone, deployment(), more=official)
        commit(clone)
        path = clone.path / OVERLAY / "kustomization.yaml"
        lines = path.read_text().splitlines(keepends=True)
        path.write_text("".join(line for line in lines if "upstream.yaml: " not in line))
        self.edit(clone, "kind: List", "kind: Lost", f"{OVERLAY}/upstream.yaml")
        render(clone, deployment(), more=official)
        assert refused(clone, running(clone, deployment())).startswith(
            "Nothing was written. Somebody changed what a run rendered of infra/maildev, and this run would overwrite "
            f"it: {OVERLAY}/upstream.yaml. In the cluster this would change nothing.\n"
        )

    def test_a_stand_in_has_its_own_checksum(self, clone):
        render(clone, deployment(), more={"upstream.yaml": f"{HEADER}kind: List\n"})
        commit(clone)
        render(clone, deployment(), more={"upstream.yaml": "kind: List\nitems: []\n"})
        assert compare(clone, running(clone, deployment()))["replaced"] == []

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

    def test_an_applicationset_without_a_header_counts_as_changed(self, clone):
        folder = clone.path / "argocd/appsets/dev"
        files = dict.fromkeys(("infra.yaml", "services.yaml"), f"{HEADER}a: 1\n")
        write_tree(folder, files, write=True)
        by_hand(clone, {"argocd/appsets/dev/infra.yaml": "a: 2\n"})
        write_tree(folder, files, write=True)
        assert refused(clone).startswith(
            "Nothing was written. Somebody changed what a run rendered of appsets, and this run would overwrite it: "
            "argocd/appsets/dev/infra.yaml.\n"
        )


def test_a_removal_names_all_that_somebody_changed_in_what_it_deletes(clone):
    base = {"kustomization.yaml": f"{HEADER}resources: [upstream.yaml]\n", "upstream.yaml": "kind: List\n"}
    write_tree(clone.path / FOLDER / "base", base | {"web.yaml": f"{HEADER}a: 1\n"}, write=True)
    render(clone, deployment(), more={"upstream.yaml": "kind: List\n"})
    commit(clone)
    names = [f"{FOLDER}/base/upstream.yaml", f"{FOLDER}/base/web.yaml", f"{OVERLAY}/upstream.yaml"]
    by_hand(clone, {name: (clone.path / name).read_text() + "b: 1\n" for name in names})
    options = Options("dev", "file:///r", "HEAD", kustomize=KUSTOMIZE, removals=["maildev"])
    found = Comparison(clone, running(clone, deployment()), options).result()
    assert found["notes"] == [
        "Deleted: maildev.",
        f"Removing maildev deletes what somebody changed in {', '.join(names)}.",
    ]
    # The base stays as long as another environment reads it.
    by_hand(clone, {f"{FOLDER}/envs/prod/kustomization.yaml": "resources: [../../base]\n"})
    found = Comparison(clone, running(clone, deployment()), options).result()
    assert found["notes"] == ["Deleted: maildev.", f"Removing maildev deletes what somebody changed in {names[2]}."]


def test_files_are_read_alike_in_each_locale(clone):
    write_tree(clone.path / OVERLAY, {"objects.yaml": f"{HEADER}größe: 1\n"}, write=True)
    commit(clone)
    program = f"""
import conftest
from ansible_collections.monorepo.gitops.plugins.module_utils._repository.checksums import is_edited
from ansible_collections.monorepo.gitops.plugins.module_utils._repository.clone import Clone
from ansible_collections.monorepo.gitops.plugins.module_utils._repository.history import History
texts = History(Clone({str(clone.path)!r}, "", "main")).texts("HEAD", ["{OVERLAY}/objects.yaml"])
print([is_edited(text, True) for text in texts.values()])
"""
    variables = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONPATH": str(ROOT / "tests")}
    done = subprocess.run(
        [sys.executable, "-c", program], env=os.environ | variables, capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.stderr) == ("[False]\n", "")
