# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the inventories render to. No cluster is needed, and what only a real one refuses can be held against it."""

from __future__ import annotations

import pytest
import yaml
from conftest import ROOT
from overlays import build, run


@pytest.fixture(scope="module")
def dev(tmp_path_factory):
    return build(tmp_path_factory.mktemp("dev"), "dev")


@pytest.fixture(scope="module")
def prod(tmp_path_factory):
    return build(tmp_path_factory.mktemp("prod"), "prod")


# --- variables that are set with -e are strings --------------------------------------------------------------------

# Booleans whose default is computed, and one that belongs to no role.
COMPUTED = {"argocd_ui_route": True, "gateway_tls": False, "kafka_ui_connect_enabled": True, "gitops_tls": False}
# Not of what is rendered, or set by the test itself.
LEFT_OUT = {"component_rehearsal", "gitops_repo_rehearsal"}


def numbers_and_booleans():
    """Return every number and boolean of every role with its default."""
    found = dict(COMPUTED)
    for path in sorted(ROOT.glob("roles/*/meta/argument_specs.yml")):
        for spec in yaml.safe_load(path.read_text())["argument_specs"].values():
            for name, option in spec["options"].items():
                if option["type"] in ("int", "float", "bool") and name not in LEFT_OUT:
                    found.setdefault(name, option["default"])
    return found


def as_text(value):
    return str(value).lower() if isinstance(value, bool) else str(value)


def other(name, value):
    """Return another value than the default that goes with the other ones."""
    if isinstance(value, bool):
        return not value
    return {"common_synchronous_replicas": 1, "temporal_history_shards": 8}.get(name, value + 1)


@pytest.mark.parametrize("values", ["default", "other"])
def test_numbers_and_booleans_may_be_strings(tmp_path, values):
    variables = numbers_and_booleans()
    assert len(variables) > 30
    if values == "other":
        variables = {name: other(name, value) for name, value in variables.items()} | {"temporal_mode": "server"}
    typed = build(tmp_path / "typed", "dev", **variables)
    texts = build(tmp_path / "texts", "dev", **{name: as_text(value) for name, value in variables.items()})
    assert texts.plan == typed.plan
    assert texts.objects == typed.objects
    here, there = typed.files(), texts.files()
    assert {name for name in here.keys() | there.keys() if here.get(name) != there.get(name)} == set()


def test_a_number_that_does_not_fit_is_refused_as_a_string_too(tmp_path):
    done = run(tmp_path, "dev", common_instances="2", common_synchronous_replicas="2")
    assert done.returncode != 0
    assert "common_synchronous_replicas is 2 and common_instances 2: it must be less" in done.stdout
