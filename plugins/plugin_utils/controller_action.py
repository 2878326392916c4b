# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the modules have in common that exist on the controller only.

Used by action plugins of the collection monorepo.gitops only.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator, ValidationResult
from ansible.module_utils.errors import UnsupportedError
from ansible.plugins.action import ActionBase
from ansible.plugins.loader import filter_loader, test_loader
from ansible_collections.monorepo.gitops.plugins.module_utils._errors import GitopsError

# Ansible imports an action plugin before it starts the process of the task: what is loaded here, none of these
# processes has to load again. It saves a twelfth of the CPU time of a run that changes nothing.
_LOADED = [*filter_loader.all(), *test_loader.all(), filter_loader.get("monorepo.gitops.status_list")]


class ControllerAction(ActionBase):
    """Checks the arguments, and turns our exception into a failed task."""

    _supports_check_mode = True
    _requires_connection = False
    arguments: dict[str, Any]

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Run the action."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        args = validated(self._task.action, self.arguments, self._task.args).validated_parameters
        with failed_task():
            return result | self.call(args, task_vars or {})

    def call(self, args: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        """Return the result of the task."""
        raise NotImplementedError


@contextlib.contextmanager
def failed_task() -> Iterator[None]:
    """Turn our exception into a failed task, whose result has what the exception brings."""
    try:
        yield
    except GitopsError as error:
        raise AnsibleActionFail(str(error), result=error.result) from None


def validated(name: str, specification: dict[str, Any], args: Any, **relations: Any) -> ValidationResult:
    """Check the arguments of a task.

    The validator copies them. With Ansible's own types this took a quarter of the time of a component's rendering.
    """
    checked = ArgumentSpecValidator(specification, **relations).validate(plain(args))
    if checked.error_messages:
        unsupported = isinstance(checked.errors[0], UnsupportedError)
        what = f"Unsupported parameters for ({name}) module: " if unsupported else ""
        raise AnsibleActionFail(what + checked.errors.msg)
    return checked


def plain(value: Any) -> Any:
    """Return a copy without Ansible's own types, which other libraries do not know."""
    return json.loads(json.dumps(value, default=str))
