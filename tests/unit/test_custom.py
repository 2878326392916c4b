# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The folder `custom` of an overlay belongs to the user."""

from __future__ import annotations

import subprocess

import pytest
import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.loader import lookup_loader
from ansible.template import Templar
from ansible_collections.monorepo.gitops.plugins.module_utils._environment.comparison import Comparison
from ansible_collections.monorepo.gitops.plugins.module_utils._environment.options import Options
from ansible_collections.monorepo.gitops.plugins.module_utils._errors import GitopsError
from ansible_collections.monorepo.gitops.plugins.module_utils._repository.clone import Clone
from ansible_collections.monorepo.gitops.plugins.modules.gitops_repo_publish import remove
from ansible_collections.monorepo.gitops.plugins.plugin_utils.namespaces import add_custom
from ansible_collections.monorepo.gitops.plugins.plugin_utils.tree import HEADER, write_tree

from .test_adoption import by_hand, deployment, render, running
from .test_comparison import KUSTOMIZE, commit
from .test_kustomize import kustomize

__all__ = ["kustomize"]
OVERLAY = "argocd/infra/maildev/envs/dev"
CUSTOM = f"{OVERLAY}/custom"
COMPONENT = "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\n"
KUSTOMIZATION = f"{HEADER}resources: [../../base]\n"


@pytest.fixture
def clone(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    made = Clone(tmp_path / "clone", f"file://{tmp_path}/repo.git", "main")
    made.open(create=True)
    render(made, deployment())
    by_hand(made, {f"{CUSTOM}/kustomization.yaml": COMPONENT, f"{CUSTOM}/copied.yaml": f"{HEADER}a: 1\n"})
    return made


def overlay(folder, text=KUSTOMIZATION):
    files = {"kustomization.yaml": text}
    add_custom(folder, files)
    return files["kustomization.yaml"]


def test_an_overlay_reads_it_when_it_is_there(tmp_path):
    assert overlay(tmp_path) == KUSTOMIZATION
    (tmp_path / "custom").mkdir()
    (tmp_path / "custom/README.md").write_text("nothing yet\n")
    assert overlay(tmp_path) == KUSTOMIZATION
    (tmp_path / "custom/kustomization.yml").write_text(COMPONENT)
    assert overlay(tmp_path) == f"{KUSTOMIZATION}components: [custom]\n"
    with_own = f"{KUSTOMIZATION}components:\n  - ../own\n"
    assert overlay(tmp_path, with_own) == f"{with_own}  - custom\n"


def test_it_is_not_followed_to_another_place(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/kustomization.yaml").write_text(COMPONENT)
    (tmp_path / "custom").symlink_to(tmp_path / "elsewhere")
    assert overlay(tmp_path) == KUSTOMIZATION


def test_a_role_cannot_render_into_it(tmp_path):
    with pytest.raises(GitopsError) as error:
        add_custom(tmp_path, {"kustomization.yaml": KUSTOMIZATION, "custom/x.yaml": "a: 1\n"})
    assert str(error.value) == (
        "overlay/custom/x.yaml: the folder custom of an overlay is the user's: choose another name."
    )


def test_nothing_in_it_is_pruned_even_if_it_was_copied_from_a_rendered_file(clone):
    write_tree(clone.path / OVERLAY, {"kustomization.yaml": KUSTOMIZATION}, write=True, users="custom")
    assert (clone.path / CUSTOM / "copied.yaml").read_text() == f"{HEADER}a: 1\n"
    assert not (clone.path / OVERLAY / "objects.yaml").exists()


def test_additions_and_patches_of_the_user_are_built(tmp_path, kustomize):
    folder = tmp_path / OVERLAY
    base = folder.parent.parent / "base"
    base.mkdir(parents=True)
    (base / "kustomization.yaml").write_text("resources: [web.yaml]\n")
    (base / "web.yaml").write_text(yaml.safe_dump(deployment()))
    (folder / "custom").mkdir(parents=True)
    (folder / "custom/more.yaml").write_text("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: mine}\n")
    operation = '[{"op": "replace", "path": "/spec/replicas", "value": 3}]'
    patch = f"patches:\n  - target: {{kind: Deployment}}\n    patch: '{operation}'\n"
    (folder / "custom/kustomization.yaml").write_text(f"{COMPONENT}resources: [more.yaml]\n{patch}")
    (folder / "kustomization.yaml").write_text(overlay(folder))
    text = subprocess.run([*kustomize, str(folder)], capture_output=True, text=True, check=True).stdout
    items = {item["kind"]: item for item in yaml.safe_load_all(text)}
    assert (items["ConfigMap"]["metadata"]["name"], items["Deployment"]["spec"]["replicas"]) == ("mine", 3)
    # What the overlay itself sets comes last.
    (folder / "kustomization.yaml").write_text(overlay(folder, KUSTOMIZATION + patch.replace("3}", "5}")))
    text = subprocess.run([*kustomize, str(folder)], capture_output=True, text=True, check=True).stdout
    assert "replicas: 5" in text


def excluded(clone, *components):
    lookup = lookup_loader.get("monorepo.gitops.custom_folders", loader=DataLoader(), templar=Templar(DataLoader()))
    return lookup.run([str(clone.path)], {}, environment="dev", components=list(components))


def test_it_stays_when_the_component_is_removed_and_is_named(clone):
    wanted = Options("dev", "file:///r", "HEAD", kustomize=KUSTOMIZE, removals=["maildev"])
    cluster = running(clone, deployment())
    found = Comparison(clone, cluster, wanted).result()
    assert found["notes"] == ["Deleted: maildev.", f"{CUSTOM} is the user's and stays in Git."]
    # Otherwise the ApplicationSet would take the rest of the overlay for a component.
    assert (excluded(clone, "maildev"), excluded(clone)) == ([], [OVERLAY])
    assert remove(clone, "dev", found["removals"]) == ["maildev"]
    assert clone.names("ls-files", "argocd/infra") == [f"{CUSTOM}/copied.yaml", f"{CUSTOM}/kustomization.yaml"]
    commit(clone)
    assert excluded(clone) == [OVERLAY]
    again = Comparison(clone, running(clone), Options("dev", "file:///r", "HEAD", kustomize=KUSTOMIZE)).result()
    assert (again["handwritten"], again["removals"], again["delete"]) == ([], [], [])


def test_what_somebody_changed_in_a_component_that_is_removed_is_named(clone):
    path = clone.path / OVERLAY / "objects.yaml"
    path.write_text(path.read_text().replace("replicas: 1", "replicas: 7"))
    commit(clone)
    wanted = Options("dev", "file:///r", "HEAD", kustomize=KUSTOMIZE, removals=["maildev"])
    found = Comparison(clone, running(clone, deployment()), wanted).result()
    assert f"Removing maildev deletes what somebody changed in {OVERLAY}/objects.yaml." in found["notes"]


def test_a_component_that_people_wrote_is_not_left_over(clone):
    by_hand(clone, {f"{OVERLAY}/kustomization.yaml": "resources: []\n"})
    assert excluded(clone) == []
