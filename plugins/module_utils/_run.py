# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How our modules begin and end: as a program of their own, or in Ansible's own process.

For use within the collection monorepo.gitops only.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.monorepo.gitops.plugins.module_utils._errors import GitopsError

_stand_in: ContextVar[Callable[..., Any] | None] = ContextVar("stand_in", default=None)


class Finished(BaseException):
    """A module in Ansible's own process ends with this result.

    Like SystemExit in a program, it is not an error that a module could handle.
    """

    def __init__(self, result: dict[str, Any]) -> None:
        super().__init__()
        self.result = result


@contextlib.contextmanager
def in_this_process(stand_in: Callable[..., Any]) -> Iterator[None]:
    """Let `stand_in` be called in place of AnsibleModule."""
    token = _stand_in.set(stand_in)
    try:
        yield
    finally:
        _stand_in.reset(token)


def module_class() -> Callable[..., Any]:
    """Return AnsibleModule; in Ansible's own process what stands for it."""
    return _stand_in.get() or AnsibleModule


def run_module(function: Callable[[Any], dict[str, Any]], **settings: Any) -> None:
    """Create the module, call `function(module)` and return its result."""
    finish(module_class()(**settings), function)


def finish(module: Any, function: Callable[[Any], dict[str, Any]]) -> None:
    """Return the result of `function(module)`. This is the one place where an error becomes `fail_json`."""
    try:
        result = function(module)
    except GitopsError as error:
        module.fail_json(msg=str(error), **error.result)
    else:
        module.exit_json(**result)
