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
import re
import shlex
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from ansible import constants as C  # noqa: N812, as everywhere in Ansible
from ansible.module_utils.common.parameters import remove_values
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.monorepo.gitops.plugins.module_utils import _run
from ansible_collections.monorepo.gitops.plugins.plugin_utils.controller_action import validated

ENV = "/usr/bin/env"
ANNOUNCE_SECONDS = 1.0
TAIL_SECONDS = 0.3
# The beginning of a progress line: time, numbers and the name of an Application.
SUBJECT = re.compile(r" *\d+ s: [^;]*; [\w.-]+: ")
ROOM = 20


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


class Tail:
    """Shows lines appended to a file while a module runs, because a module can only print at its end."""

    def __init__(self, path: Path) -> None:
        self.path, self.offset = path, 0
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self._follow, daemon=True)

    def __enter__(self) -> Tail:
        self.thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.ended.set()
        self.thread.join()

    def _follow(self) -> None:
        while not self.ended.wait(TAIL_SECONDS):
            self._show()
        self._show()

    def _show(self) -> None:
        text = self.path.read_bytes()[self.offset :]
        end = text.rfind(b"\n") + 1
        self.offset += end
        display = Display()
        columns = display.columns if sys.stdout.isatty() else 0
        for line in text[:end].decode(errors="replace").splitlines():
            display.display(fitting(f"  {line}", columns))


def fitting(line: str, columns: int) -> str:
    """Return a line that is not wrapped where it is shown; 0 columns are as many as it has.

    What an Application waits for ends with the cause, so the beginning of that is left out.
    """
    if not columns or len(line) <= columns:
        return line
    found = SUBJECT.match(line)
    room = columns - len(found[0]) - 1 if found else 0
    return f"{found[0]}…{line[-room:]}" if found and room >= ROOM else f"{line[: columns - 1]}…"


@contextlib.contextmanager
def announced(title: str) -> Iterator[None]:
    """Show the title of a task that takes long while it works.

    With display_skipped_hosts=false Ansible shows a title only with the first result. Else it has shown it already.
    """
    if C.DISPLAY_SKIPPED_HOSTS:
        yield
        return
    timer = threading.Timer(ANNOUNCE_SECONDS, Display().display, [f"{title} ..."])
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()  # a worker that ends while it hands a line to Ansible would block all that follow


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
