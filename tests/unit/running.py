# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Modules, action plugins and scripts in this process, modules and plugins called as Ansible calls them."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import json
import re
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest import mock

import pytest
from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.testing import patch_module_args
from ansible.parsing.dataloader import DataLoader
from ansible.playbook.play_context import PlayContext
from ansible.playbook.task import Task
from ansible.plugins.action import ActionBase
from ansible.plugins.loader import action_loader, connection_loader
from ansible.template import Templar

SCRIPTS = Path(__file__).resolve().parent.parent.parent / "roles" / "rehearsal_cluster" / "files"


def script(name: str) -> ModuleType:
    """Return a script of the role rehearsal_cluster, loaded anew: a test may change it."""
    spec = importlib.util.spec_from_file_location(name, SCRIPTS / f"{name}.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def run_module(module: ModuleType, check: bool = False, /, **arguments: Any) -> dict[str, Any]:
    """Return the result of a module, which main() prints; `warnings` are there when it has any."""
    warnings: list[str] = []
    # In this process the library would show warnings at once instead of returning them.
    collect = mock.patch.object(AnsibleModule, "warn", lambda _module, text, **_more: warnings.append(text))
    output = io.StringIO()
    given = arguments | {"_ansible_check_mode": check, "_ansible_diff": True}
    with patch_module_args(given), collect, contextlib.redirect_stdout(output), pytest.raises(SystemExit):
        module.main()
    result = json.loads(output.getvalue().splitlines()[-1])
    result.pop("invocation", None)  # the arguments; newer versions only return them when asked to
    return result | ({"warnings": warnings} if warnings else {})


def unhurried(text: str, seconds: int) -> str:
    """Return a message as it is on an idle machine: a busy one looks at the clock up to five seconds late."""
    late = "|".join(str(seconds + more) for more in range(6))
    return re.sub(rf"\b(after|within) (?:{late}) s\b", rf"\1 {seconds} s", text)


def run_action(
    action: str, variables: dict[str, Any] | None = None, check: bool = False, /, **arguments: Any
) -> dict[str, Any]:
    """Return the result of an action plugin of this collection, run by a task that has these variables."""
    return action_plugin(action, variables, check, **arguments).run(task_vars=variables or {})


def action_plugin(
    action: str, variables: dict[str, Any] | None = None, check: bool = False, /, **arguments: Any
) -> ActionBase:
    """Return an action plugin of this collection for a task that has these variables."""
    full_name, loader, context = f"monorepo.gitops.{action}", DataLoader(), PlayContext()
    task = Task.load({full_name: arguments, "check_mode": check}, loader=loader)
    return action_loader.get(
        full_name,
        task=task,
        connection=connection_loader.get("ansible.builtin.local", context),
        play_context=context,
        loader=loader,
        templar=Templar(loader=loader, variables=variables or {}),
    )
