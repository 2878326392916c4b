# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes one line of JSON for each task that ended and for each module that was started."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

from ansible.plugins.action import ActionBase
from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: bench_profile
type: aggregate
short_description: Write the seconds of tasks and modules
description: [Writes a line of JSON for each task and each module to the file that BENCH_PROFILE names.]
"""


def write(**entry: Any) -> None:
    """Append one line; short lines of several processes do not mix."""
    with Path(os.environ["BENCH_PROFILE"]).open("a") as file:
        file.write(json.dumps(entry) + "\n")


def count_modules() -> None:
    """Have every start of a module written; the worker processes are forked later and inherit it."""
    execute = ActionBase._execute_module

    def counted(self: ActionBase, *args: Any, **options: Any) -> Any:
        name, before = options.get("module_name") or self._task.action, time.monotonic()
        try:
            return execute(self, *args, **options)
        finally:
            write(module=name, seconds=time.monotonic() - before)

    ActionBase._execute_module = counted


class CallbackModule(CallbackBase):
    """Measures tasks."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "bench_profile"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self) -> None:
        super().__init__()
        self.started: dict[str, float] = {}
        count_modules()

    def v2_runner_on_start(self, _host: Any, task: Any) -> None:
        """Remember when a task began."""
        self.started[task._uuid] = time.monotonic()

    def v2_runner_on_ok(self, result: Any, **_options: Any) -> None:
        """Write how long it took."""
        task = result.task
        write(task=task.get_name().rsplit(" : ", 1)[-1], seconds=time.monotonic() - self.started[task._uuid])

    v2_runner_on_failed = v2_runner_on_ok
