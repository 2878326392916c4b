# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The cache below the user's cache folder stays small, and nothing disappears that a run may be using."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path

import pytest
import yaml
from ansible_collections.monorepo.gitops.plugins.module_utils import _cache, _paths
from ansible_collections.monorepo.gitops.plugins.module_utils._repository.kustomize import build_all
from ansible_collections.monorepo.gitops.plugins.module_utils._repository.upstream import digest, fetch

from .running import script

OLD = 2 * _cache.DAY


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(_cache, "KEPT", dict.fromkeys(_cache.KEPT, 2))


def entry(folder, name, seconds_ago):
    path = _paths.cache_folder(folder) / name
    path.mkdir(parents=True)
    (path / "content").write_text(name)
    os.utime(path, (time.time() - seconds_ago,) * 2)


def names(folder):
    return {path.name for path in _paths.cache_folder(folder).iterdir()}


def test_the_least_recently_used_go():
    for age, name in enumerate(["newest", "newer", "older", "oldest"]):
        entry("builds", name, OLD + age)
    _cache.use(_paths.cache_folder("builds") / "oldest")
    _cache.prune("builds")
    assert names("builds") == {"oldest", "newest"}


def test_what_was_used_today_stays():
    for name in ("a", "b", "c"):
        entry("builds", name, _cache.DAY - 60)
    _cache.prune("builds")
    assert names("builds") == {"a", "b", "c"}


def test_there_is_a_limit_also_for_what_was_used_today():
    for number in range(6):
        entry("builds", f"old-{number}", _cache.DAY - 60 - number)
        entry("builds", f"new-{number}", 60)
    _cache.prune("builds")
    assert names("builds") == {f"new-{number}" for number in range(6)}
    for number in range(6):
        entry("builds", f"old-{number}", _cache.DAY - 60 - number)
    for number in range(5):
        _cache.remove(_paths.cache_folder("builds") / f"new-{number}")
    _cache.prune("builds")
    assert names("builds") == {"new-5", "old-3", "old-4", "old-5"}


def test_what_an_interrupted_run_left_goes():
    entry("builds", ".new-abc", OLD)
    entry("builds", ".new-now", 60)
    _cache.prune("builds")
    assert names("builds") == {".new-now"}


def test_a_folder_that_is_not_there_is_empty():
    _cache.prune("builds")
    _cache.use(_paths.cache_folder("builds") / "missing")
    assert not _paths.cache_folder("builds").exists()


def build(tree, content):
    overlay = tree / "argocd" / "infra" / "shop" / "envs" / "dev"
    overlay.mkdir(parents=True, exist_ok=True)
    (overlay / "objects.yaml").write_text(content)
    component = {"name": "shop", "layer": "infra", "namespace": "shop"}
    build_all(str(tree), "dev", [component], ["sh", "-c", 'cat "$0/objects.yaml"'])


def test_a_build_removes_old_ones_and_keeps_its_own(tmp_path):
    for name in ("a", "b", "c"):
        entry("builds", name, OLD)
    build(tmp_path / "tree", "kind: A")
    found = names("builds")
    assert len(found) == 2
    assert len(found & {"a", "b", "c"}) == 1


def test_a_build_that_is_found_counts_as_used(tmp_path):
    build(tmp_path / "tree", "kind: A")
    (ours,) = names("builds")
    os.utime(_paths.cache_folder("builds") / ours, (time.time() - OLD,) * 2)
    for age, name in enumerate(["a", "b"]):
        entry("builds", name, OLD - 100 + age)
    build(tmp_path / "tree", "kind: A")
    assert names("builds") == {ours, "a"}


def test_the_clone_of_a_run_stays_and_old_ones_go():
    for age, name in enumerate(["first", "second", "third"]):
        entry("clones", name, OLD + age)
    build(_paths.cache_folder("clones") / "third", "kind: A")
    assert names("clones") == {"third", "first"}


def test_a_build_removes_old_manifests_of_argo_cd(tmp_path):
    for age, name in enumerate(["first", "second", "third"]):
        entry("install", name, OLD + age)
    build(tmp_path / "tree", "kind: A")
    assert names("install") == {"first", "second"}


def test_official_files_are_kept_as_long_as_they_are_used(tmp_path):
    for age, name in enumerate(["a", "b"]):
        entry("upstream", name, OLD + age)
    source = tmp_path / "mirror" / "example.com" / "x.yaml"
    source.parent.mkdir(parents=True)
    source.write_text("kind: A")
    path = fetch("https://example.com/x.yaml", digest(b"kind: A"), str(tmp_path / "mirror"))
    assert names("upstream") == {path.name, "a"}
    os.utime(path, (time.time() - 2 * OLD,) * 2)
    assert fetch("https://example.com/x.yaml", digest(b"kind: A")) == path
    assert time.time() - path.stat().st_mtime < 60


@pytest.mark.parametrize(
    ("file", "name"),
    [("gitops_repo/defaults/main.yml", _paths.CLONES), ("argocd/vars/main.yml", _paths.INSTALL)],
)
def test_a_role_uses_a_folder_that_is_pruned(file, name):
    cache = _paths.cache_folder(name).relative_to(_paths.cache_folder(".").parent)
    text = (Path(__file__).parents[2] / "roles" / file).read_text()
    assert (
        f"{{{{ lookup('env', 'XDG_CACHE_HOME') | default(lookup('env', 'HOME') ~ '/.cache', true) }}}}/{cache}/" in text
    )


# A folder by its name, by one of _paths, or spelt. The programs of rehearsals have a limit of their own, in days.
MADE = re.compile(r"cache_folder\(([^)\n]+)\)|XDG_CACHE_HOME[^\n]*?\bmonorepo\.gitops\W+(\w+)|(XDG_CACHE_HOME)")
LIMITED = {*_cache.KEPT, "rehearsal"}
# What makes the path of a folder with a limit: the function itself, and prune, which knows no other name.
ANY = {("_paths.py", "name: str"), ("_paths.py", "XDG_CACHE_HOME"), ("_cache.py", "name")}


def without_limit(file, text):
    """Return the folders of the cache that a file makes and nothing keeps small."""
    found = {next(filter(None, groups)) for groups in MADE.findall(text)}
    return {
        name
        for name in found
        if (file, name) not in ANY and getattr(_paths, name.removeprefix("_paths."), name) not in LIMITED
    }


def test_every_folder_of_the_cache_has_a_limit():
    folders = [Path(__file__).parents[2] / name for name in ("plugins", "roles", "playbooks")]
    files = [path for folder in folders for suffix in ("py", "yml", "j2") for path in folder.rglob(f"*.{suffix}")]
    found = {str(path): without_limit(path.name, path.read_text()) for path in files}
    assert {path: names for path, names in found.items() if names} == {}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('folder = _paths.cache_folder(_paths.BUILDS) / "x"', set()),
        ("folder = cache_folder(_paths.PLANS)", {"_paths.PLANS"}),
        ('folder = cache_folder("plans")', {'"plans"'}),
        ("x: \"{{ lookup('env', 'XDG_CACHE_HOME') }}/monorepo.gitops/plans/\"", {"plans"}),
        ("x: \"{{ lookup('env', 'XDG_CACHE_HOME') }}/monorepo.gitops/install/\"", set()),
        ("path = os.environ['XDG_CACHE_HOME'] / name", {"XDG_CACHE_HOME"}),
    ],
)
def test_a_folder_without_a_limit_is_found(text, expected):
    assert without_limit("x.py", text) == expected


def test_all_folders_of_a_user_have_the_same_name(monkeypatch):
    roles = Path(__file__).parents[2] / "roles"
    defaults = yaml.safe_load((roles / "rehearsal_cluster/defaults/main.yml").read_text())
    found = "{{ lookup('env', 'XDG_STATE_HOME') | default(lookup('env', 'HOME') ~ '/.local/state', true) }}"
    assert defaults["rehearsal_cluster_state_dir"] == f"{found}/{_paths.USERS}"
    monkeypatch.delenv("GITOPS_REHEARSAL_CACHE", raising=False)
    assert script("build").cache_folder().parent.parent == _paths.cache_folder(".")
