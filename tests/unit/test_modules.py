# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which arguments the modules refuse before they do anything."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest
from ansible_collections.monorepo.gitops.plugins.module_utils import _client, _run
from ansible_collections.monorepo.gitops.plugins.module_utils._errors import GitopsError

from .running import run_module

PACKAGE = "ansible_collections.monorepo.gitops.plugins.modules"
MODULES = sorted(path.stem for path in (Path(__file__).parents[2] / "plugins/modules").glob("*.py"))
ON_TARGET = [name for name in MODULES if hasattr(importlib.import_module(f"{PACKAGE}.{name}"), "main")]


class CreatedError(Exception):
    """A module was created with these settings."""


def settings_of(name, monkeypatch):
    """Return the settings with which a module is created."""
    module = importlib.import_module(f"{PACKAGE}.{name}")

    def created(**settings):
        raise CreatedError(settings)

    for owner, attribute in ((_run, "AnsibleModule"), (_client, "AnsibleK8SModule")):
        monkeypatch.setattr(owner, attribute, created, raising=False)
    with pytest.raises(CreatedError) as found:
        module.main()
    return found.value.args[0]


@pytest.mark.parametrize("name", ON_TARGET)
def test_no_default_makes_a_check_of_arguments_void(name, monkeypatch):
    """Ansible counts an option with a default as given."""
    settings = settings_of(name, monkeypatch)
    checked = {option for check in settings.get("required_one_of", []) for option in check}
    checked |= {option for check in settings.get("required_together", []) for option in check}
    checked |= {option for check in settings.get("required_if", []) for option in check[2]}
    checked |= {option for options in settings.get("required_by", {}).values() for option in options}
    checked |= set(settings.get("required_by", {}))
    assert [option for option in checked if settings["argument_spec"][option].get("default") is not None] == []


@pytest.mark.parametrize(
    ("name", "args", "expected"),
    [
        ("argocd_app_wait", {}, "one of the following is required: names, label_selectors, applicationsets"),
        (
            "argocd_app_wait",
            {"names": ["a"], "revision": "1" * 40, "revisions": ["2" * 40]},
            "parameters are mutually exclusive: revision|revisions",
        ),
        (
            "rehearsal_cluster",
            {"name": "test", "state": "started", "state_dir": "/nowhere", "launcher": "/nowhere"},
            "state is started but all of the following are missing: builder",
        ),
        ("server_side_apply", {"wait": True}, "one of the following is required: src, definition"),
        (
            "rehearsal_cluster",
            {
                "name": "test",
                "state": "absent",
                "components": ["argocd-server"],
                "state_dir": "/nowhere",
                "builder": "/nowhere",
                "launcher": "/nowhere",
            },
            "components names single processes, and state absent is for the whole cluster: "
            "use restarted or stopped, or leave components out.",
        ),
    ],
)
def test_arguments_that_cannot_be_meant_are_refused(name, args, expected):
    """No cluster is asked: what can be refused is refused before."""
    result = run_module(importlib.import_module(f"{PACKAGE}.{name}"), **args)
    assert (result["failed"], result["msg"]) == (True, expected)


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        (
            {"names": [], "label_selectors": [], "applicationsets": None},
            "names, label_selectors and applicationsets are empty: name at least one Application.",
        ),
        (
            {"names": ["a"], "stable_for": 300.0},
            "stable_for (300 s) must be less than wait_timeout (300 s).",
        ),
    ],
)
def test_a_wait_that_can_only_time_out_is_refused(params, expected):
    module = importlib.import_module(f"{PACKAGE}.argocd_app_wait")
    given = dict.fromkeys(module.CHOICE) | {"stable_for": 0.0, "wait_timeout": 300} | params
    with pytest.raises(GitopsError) as error:
        module.checked(given)
    assert str(error.value) == expected
