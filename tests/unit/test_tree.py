# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What rendering writes, leaves alone and prunes."""

from __future__ import annotations

import re

import pytest
from ansible_collections.monorepo.gitops.plugins.module_utils._errors import GitopsError
from ansible_collections.monorepo.gitops.plugins.module_utils._repository.checksums import (
    content_of,
    is_edited,
    with_checksums,
)
from ansible_collections.monorepo.gitops.plugins.plugin_utils.tree import HEADER, render_folder, write_tree


def names(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_a_second_time_writes_nothing(tmp_path):
    files = {"a.yaml": f"{HEADER}a: 1\n", "sub/b.yaml": f"{HEADER}b: 2\n"}
    written = [entry["after"] for entry in write_tree(tmp_path / "x", files, write=True)]
    assert written == list(with_checksums(files).values())
    assert write_tree(tmp_path / "x", files, write=True) == []


def test_check_mode_shows_and_writes_nothing(tmp_path):
    diff = write_tree(tmp_path / "x", {"a.yaml": "a: 1\n"}, write=False)
    assert [(entry["before"], entry["after"]) for entry in diff] == [("", "a: 1\n")]
    assert not (tmp_path / "x").exists()


def test_own_stale_files_are_pruned_and_those_of_others_stay(tmp_path):
    write_tree(tmp_path, {"old/a.yaml": f"{HEADER}a: 1\n", "upstream.yaml": "kind: List\n"}, write=True)
    (tmp_path / "theirs.yaml").write_text("by: hand\n")
    write_tree(tmp_path, {"b.yaml": f"{HEADER}b: 1\n"}, write=True)
    assert names(tmp_path) == ["b.yaml", "theirs.yaml"]
    assert not (tmp_path / "old").exists()


def test_templates_become_yaml_with_a_header_and_empty_ones_nothing(tmp_path):
    (tmp_path / "a.yaml.j2").write_text("a: 1")
    (tmp_path / "none.yaml.j2").write_text("---\n")
    assert render_folder(tmp_path, lambda text: text) == {"a.yaml": f"{HEADER}a: 1\n"}


def test_a_template_that_is_no_yaml_is_named(tmp_path):
    (tmp_path / "a.yaml.j2").write_text("a: [1")
    with pytest.raises(GitopsError, match=re.escape(f"{tmp_path / 'a.yaml'} does not render to YAML: ")):
        render_folder(tmp_path, lambda text: text)


def test_megabytes_are_not_shown_in_a_diff(tmp_path):
    (entry,) = write_tree(tmp_path, {"a.yaml": "a\n" * 100_000}, write=True)
    assert entry["after"] == "(200000 characters, 100000 lines)\n"


def test_each_rendered_file_has_a_checksum_of_what_follows():
    files = {
        "kustomization.yaml": f"{HEADER}resources: [upstream.yaml]\n",
        "upstream.yaml": "kind: List\n",
        "sub/kustomization.yaml": f"{HEADER}resources: []\n",
    }
    found = with_checksums(files)
    assert found == {
        "kustomization.yaml": f"{HEADER}# Checksum of what follows: ae142e9afa2f095c\n"
        "# Checksum of upstream.yaml: bac33b4c6ac6e0a5\nresources: [upstream.yaml]\n",
        "upstream.yaml": "kind: List\n",
        "sub/kustomization.yaml": f"{HEADER}# Checksum of what follows: 6c71762bddd54c97\nresources: []\n",
    }
    assert [content_of(text) for text in found.values()] == [content_of(text) for text in files.values()]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda text: text, False),
        (lambda text: text.replace("a: 1", "a: 2"), True),
        (lambda text: f"{text}\n", True),
        (lambda text: text.replace("follows: ", "follows: 0"), True),
        (lambda text: f"# Mine.\n{text}", True),
        (lambda text: text.replace("\n", "\n# Mine.\n", 1), True),
        (lambda text: text.partition("\n")[0] + "\na: 2\n", True),
    ],
)
def test_it_shows_whether_somebody_changed_the_file(change, expected):
    assert is_edited(change(with_checksums({"x": f"{HEADER}a: 1\n"})["x"]), is_checked=True) is expected


def test_where_no_file_has_a_checksum_earlier_releases_rendered_them():
    assert not is_edited(f"{HEADER}a: 2\n", is_checked=False)
