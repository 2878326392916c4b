# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading YAML as Kubernetes does, and what is said where PyYAML is missing."""

from __future__ import annotations

import json
import sys

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.monorepo.gitops.plugins.module_utils import _yaml
from ansible_collections.monorepo.gitops.plugins.modules import gitops_repo_build

SENTENCE = "Failed to import the required Python library (PyYAML) on"


def test_a_date_and_an_equals_sign_are_strings():
    assert _yaml.load_all("a: 2026-01-02\nb: =\n---\n- 1\n") == [{"a": "2026-01-02", "b": "="}, [1]]


@pytest.mark.parametrize(("text", "line"), [("a: 1\nb: {c\n", 2), ("a: [", 1), ("a: 1\nb: c: d\ne: f\n", 2)])
def test_what_is_not_yaml_has_a_line(text, line):
    with pytest.raises(_yaml.YamlError) as error:
        _yaml.load(text)
    assert error.value.line == line


def test_one_document_is_one_document():
    assert (_yaml.load(""), _yaml.load("a: 1")) == (None, {"a": 1})
    with pytest.raises(_yaml.YamlError, match=r"^there is more than one document$"):
        _yaml.load("a: 1\n---\nb: 2\n")


def test_what_is_written_is_read_again():
    document = {"b": "2026-01-02", "a": ["=", None, True]}
    assert _yaml.load(_yaml.dump(document)) == document
    assert _yaml.dump(document, sort_keys=False).startswith("b:")


def test_a_module_says_which_library_is_missing(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "yaml", None)  # as if it were not installed
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "argocd" / "infra" / "shop" / "envs" / "dev").mkdir(parents=True)
    component = {"name": "shop", "layer": "infra", "namespace": "shop"}
    arguments = {"tree": str(tmp_path), "environment": "dev", "components": [component], "command": ["true"]}
    with patch_module_args(arguments), pytest.raises(SystemExit):
        gitops_repo_build.main()
    result = json.loads(capsys.readouterr().out)
    assert result["failed"]
    assert result["msg"].startswith(SENTENCE)
