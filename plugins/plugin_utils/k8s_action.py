# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Controller side of the modules that talk to the API server.

Used by action plugins of the collection monorepo.gitops only.
"""

from __future__ import annotations

import re
import sys
import tempfile
import threading
from copy import deepcopy
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail, AnsibleError
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.kubernetes.core.plugins.action.k8s_info import ActionModule as K8sActionModule
from ansible_collections.monorepo.gitops.plugins.plugin_utils.module_action import ModuleAction

TAIL_SECONDS = 0.3
# The beginning of a progress line: time, numbers and the name of an Application.
SUBJECT = re.compile(r" *\d+ s: [^;]*; [\w.-]+: ")
ROOM = 20


class K8sAction(ModuleAction, K8sActionModule):
    """Resolves a relative or vaulted kubeconfig as kubernetes.core does, and never puts arguments into the result.

    kubernetes.core's plugin would return all arguments as `invocation`, the token in `api_key` included.
    """

    # A decrypted kubeconfig exists no longer than the task, and nobody would see the progress.
    _supports_async = False
    progress = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Run the module of the same name."""
        result: dict[str, Any] = ActionBase.run(self, tmp, task_vars)
        args = deepcopy(dict(self._task.args))
        local = self._connection.transport == "local"
        if args.get("kubeconfig"):
            try:
                self.get_kubeconfig(args["kubeconfig"], not local, args)
            except AnsibleError as error:
                raise AnsibleActionFail(f"kubeconfig: {error}") from None
        if not self.progress or not local:
            return result | self._module(args, task_vars or {})
        with tempfile.NamedTemporaryFile(prefix="monorepo-gitops-") as file, Tail(Path(file.name)):
            return result | self._module(args | {"progress_file": file.name}, task_vars or {})


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
