# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the templates of our own bases use."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from ansible_collections.monorepo.gitops.plugins.module_utils._errors import GitopsError
from ansible_collections.monorepo.gitops.plugins.plugin_utils.pins import check_base

ROOT = Path(__file__).resolve().parent.parent.parent
FILES = [*ROOT.glob("roles/*/vars/main.yml"), *ROOT.glob("examples/roles/*/vars/main.yml")]
DEFINITIONS = {
    file.parent.parent: yaml.safe_load(file.read_text()).get(f"{file.parent.parent.name}_component")
    for file in sorted(FILES)
}
DEFINED = {role: definition for role, definition in DEFINITIONS.items() if definition}


def test_every_component_is_looked_at():
    assert len(DEFINED) > 14


@pytest.mark.parametrize("role", DEFINED, ids=lambda role: role.name)
def test_a_base_of_ours_uses_its_definition_and_the_pins_that_this_names(role):
    pins = DEFINED[role].get("pins", [])
    check_base(role / "templates" / "base", {f"{role.name}_component", *pins})
    # A version of one's own is nothing that one environment has for itself.
    assert [pin for pin in pins if not pin.endswith(("_version", "_tag"))] == []


def test_an_include_is_followed_once_and_must_have_a_name(tmp_path):
    base = tmp_path / "base"
    base.mkdir()
    (base / "loop.yaml.j2").write_text("{% include 'loop.yaml.j2' %}{{ own_component.name }}")
    check_base(base, {"own_component"})
    (base / "computed.yaml.j2").write_text("{% include own_component.name %}")
    with pytest.raises(GitopsError, match=r"computed\.yaml uses an include whose name is computed, and a base is"):
        check_base(base, {"own_component"})
