# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Controller side of the modules that usually run on the controller itself.

Used by action plugins of the collection monorepo.gitops only.
"""

from __future__ import annotations

import contextlib
import io
import logging
import os
import shlex
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from ansible.module_utils.common.parameters import remove_values
from ansible.plugins.action import ActionBase
from ansible_collections.monorepo.gitops.plugins.module_utils import _run
from ansible_collections.monorepo.gitops.plugins.plugin_utils.controller_action import validated
from ansible_collections.monorepo.gitops.plugins.plugin_utils.showing import Tail, announced

ENV = "/usr/bin/env"


class ModuleAction(ActionBase):
    """Runs a module of ours, in Ansible's own process where the module would run as the same user with the same Python.

    Packing a module, starting Python and importing the client of Kubernetes takes longer than most of our modules do.
    Ansible imports an action plugin, and with it the module, once per run.
    """

    _supports_check_mode = True
    _supports_async = True
    module: ModuleType
    progress = False  # whether the module tells how far it is

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Run the module of the same name."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        return result | self._module(dict(self._task.args), task_vars or {})

    def _module(self, args: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        with announced(self._task.get_name()):
            # In the background nobody would see it, and another user cannot write to the file.
            is_seen = (
                self._connection.transport == "local" and not self._task.async_val and not self._play_context.become
            )
            if not self.progress or not is_seen:
                return self._here_or_elsewhere(args, task_vars)
            with tempfile.NamedTemporaryFile(prefix="monorepo-gitops-") as file, Tail(Path(file.name)):
                return self._here_or_elsewhere(args | {"progress_file": file.name}, task_vars)

    def _here_or_elsewhere(self, args: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        shell = shlex.split(str(self._templar.template(task_vars.get("ansible_shell_executable", ENV))))
        if self._is_elsewhere(task_vars) or shell[:1] != [ENV]:
            return self._execute(args, task_vars)
        with environment(shell[1:]):
            return self._call(args)

    def _execute(self, args: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        """Run the module as Ansible runs any other."""
        in_background = bool(self._task.async_val)
        done: dict[str, Any] = self._execute_module(
            module_name=self._task.action, module_args=args, task_vars=task_vars, wrap_async=in_background
        )
        if not in_background:
            self._remove_tmp_path(self._connection._shell.tmpdir)
        return done

    def _is_elsewhere(self, task_vars: dict[str, Any]) -> bool:
        """Return whether the module would run on another machine, as another user, with other settings or later."""
        python = self._templar.template(task_vars.get("ansible_python_interpreter", ""))
        other = self._connection.transport != "local" or python != sys.executable
        return other or bool(self._task.async_val or self._play_context.become or any(self._task.environment or []))

    def _call(self, args: dict[str, Any]) -> dict[str, Any]:
        """Run the module in this process."""
        stand_in = StandIn(self._task.action, args, self._task.check_mode, self._task.diff)
        with _run.in_this_process(stand_in), silence():
            try:
                self.module.main()
            except _run.Finished as finished:
                return dict(remove_values(finished.result | stand_in.said, stand_in.secrets))
        raise AssertionError(f"{self._task.action} returned no result.")


class StandIn:
    """What our modules use of AnsibleModule."""

    def __init__(self, name: str, args: dict[str, Any], check_mode: bool, diff: bool) -> None:
        self.name, self.check_mode, self._diff = name, check_mode, diff
        self.params: dict[str, Any] = args
        self.secrets: set[str] = set()
        self.said: dict[str, Any] = {}

    def __call__(self, argument_spec: dict[str, Any], supports_check_mode: bool = False, **relations: Any) -> StandIn:
        """Parse the arguments."""
        checked = validated(self.name, argument_spec, self.params, **relations)
        self.params, self.secrets = checked.validated_parameters, checked._no_log_values
        if self.check_mode and not supports_check_mode:
            self.exit_json(skipped=True, msg=f"{self.name} does not support check mode")
        return self

    def warn(self, text: str) -> None:
        """Show a warning when the task ends."""
        self.said.setdefault("warnings", []).append(text)

    def exit_json(self, **result: Any) -> None:
        """End the module."""
        raise _run.Finished({"changed": False} | result)

    def fail_json(self, **result: Any) -> None:
        """End the module with an error."""
        raise _run.Finished({"changed": False, "failed": True} | result)


@contextlib.contextmanager
def silence() -> Iterator[None]:
    """Show and log nothing of what libraries say: Ansible shows only the result of a module.

    The kubernetes library logs what a credential plugin prints, which may be a secret.
    """
    disabled = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            yield
    finally:
        logging.disable(disabled)


@contextlib.contextmanager
def environment(words: list[str]) -> Iterator[None]:
    """Give this process the environment that `env` would give a program: `-u NAME` and `NAME=value`, up to its name."""
    before = dict(os.environ)
    try:
        while words and (words[0] == "-u" or "=" in words[0]):
            if words[0] == "-u":
                os.environ.pop(words[1], None)
                words = words[2:]
            else:
                name, _sep, value = words[0].partition("=")
                os.environ[name] = value
                words = words[1:]
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
