# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Modules of ours in Ansible's own process: what differs from a program of their own, and when they are one."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import time
from types import SimpleNamespace

import pytest
from ansible.errors import AnsibleActionFail
from ansible_collections.monorepo.gitops.plugins.module_utils import _run
from ansible_collections.monorepo.gitops.plugins.module_utils._errors import GitopsError
from ansible_collections.monorepo.gitops.plugins.plugin_utils import showing
from ansible_collections.monorepo.gitops.plugins.plugin_utils.module_action import ModuleAction

from .running import action_plugin

HERE = {"ansible_python_interpreter": sys.executable}


def started(monkeypatch, function, *, check=False, arguments=None, settings=None, variables=None):
    """Return the action plugin of a task whose module calls `function`."""
    settings = {"argument_spec": {"names": {"type": "list", "elements": "str"}}, "supports_check_mode": True} | (
        settings or {}
    )
    variables = HERE | (variables or {})
    action = action_plugin("gitops_repo_build", variables, check, **arguments or {})
    monkeypatch.setattr(action, "module", SimpleNamespace(main=lambda: _run.run_module(function, **settings)))
    return action


def test_a_module_gets_plain_values_and_its_result_is_that_of_the_task(monkeypatch):
    seen = []

    def run(module):
        seen.append((module.params, module.check_mode))
        module.warn("careful")
        return {"found": module.params["names"]}

    action = started(monkeypatch, run, check=True, arguments={"names": "one,two"})
    result = action.run(task_vars=HERE)
    assert seen == [({"names": ["one", "two"]}, True)]
    assert result == {"changed": False, "found": ["one", "two"], "warnings": ["careful"]}


def test_an_error_is_a_failed_task_with_its_result(monkeypatch):
    def run(_module):
        raise GitopsError("it broke", applications=["one"])

    result = started(monkeypatch, run).run(task_vars=HERE)
    assert result == {"changed": False, "failed": True, "msg": "it broke", "applications": ["one"]}


def test_the_end_of_a_module_is_no_error_that_it_could_handle(monkeypatch):
    def run(module):
        with contextlib.suppress(Exception):
            module.fail_json(msg="it broke")
        pytest.fail("it went on")

    assert started(monkeypatch, run).run(task_vars=HERE)["msg"] == "it broke"


@pytest.mark.parametrize(
    ("seconds", "skipped", "shown"),
    [(0.0, False, []), (0.5, False, ["monorepo.gitops.gitops_repo_build ..."]), (0.5, True, [])],
)
def test_a_task_that_takes_long_shows_its_title_unless_ansible_has(monkeypatch, seconds, skipped, shown):
    """Ansible shows it at once where it also shows skipped tasks, as it does without a configuration."""
    lines = []
    monkeypatch.setattr(showing.C, "DISPLAY_SKIPPED_HOSTS", skipped, raising=False)
    monkeypatch.setattr(showing, "ANNOUNCE_SECONDS", 0.1)
    monkeypatch.setattr(showing, "Display", lambda: SimpleNamespace(display=lines.append))
    assert started(monkeypatch, lambda _module: time.sleep(seconds) or {}).run(task_vars=HERE) == {"changed": False}
    assert lines == shown


def test_a_secret_is_in_no_result(monkeypatch):
    settings = {"argument_spec": {"api_key": {"type": "str", "no_log": True}}}

    def run(module):
        raise GitopsError(f"refused {module.params['api_key']}")

    result = started(monkeypatch, run, arguments={"api_key": "hunter2"}, settings=settings).run(task_vars=HERE)
    assert result["msg"] == "refused ********"


def test_what_a_library_says_is_neither_shown_nor_logged(monkeypatch, capfd, caplog):
    def run(_module):
        print("hunter2")
        logging.getLogger("kubernetes").critical("hunter2")
        logging.error("hunter2")
        return {}

    started(monkeypatch, run).run(task_vars=HERE)
    assert "hunter2" not in "".join(capfd.readouterr()) + caplog.text
    logging.getLogger("kubernetes").critical("afterwards")
    assert "afterwards" in caplog.text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"names": {"a": 1}}, "argument 'names' is of type dict and we were unable to convert to list"),
        ({"nmaes": []}, "Unsupported parameters for (monorepo.gitops.gitops_repo_build) module: nmaes. Supported"),
    ],
)
def test_wrong_arguments_are_named(monkeypatch, arguments, message):
    with pytest.raises(AnsibleActionFail) as error:
        started(monkeypatch, lambda _module: {}, arguments=arguments).run(task_vars=HERE)
    assert str(error.value).startswith(message)


def test_a_module_without_check_mode_is_skipped_in_it(monkeypatch):
    action = started(monkeypatch, lambda _module: {}, check=True, settings={"supports_check_mode": False})
    assert action.run(task_vars=HERE)["skipped"] is True


def test_a_module_has_the_environment_that_the_shell_of_the_play_sets_and_leaves_it(monkeypatch):
    monkeypatch.setenv("K8S_AUTH_HOST", "https://elsewhere")
    monkeypatch.setenv("NO_PROXY", "before")
    variables = {"ansible_shell_executable": "/usr/bin/env -u K8S_AUTH_HOST NO_PROXY='a b' /bin/sh"}
    before = dict(os.environ)

    def run(_module):
        return {"host": os.environ.get("K8S_AUTH_HOST"), "no_proxy": os.environ["NO_PROXY"]}

    result = started(monkeypatch, run, variables=variables).run(task_vars=HERE | variables)
    assert (result["host"], result["no_proxy"]) == (None, "a b")
    assert dict(os.environ) == before


UNSEEN = ("another machine", "another user", "in the background")
ELSEWHERE = {
    "another Python": (lambda _action: None, {"ansible_python_interpreter": "/usr/bin/python3.99"}),
    "no known Python": (lambda _action: None, {}),
    "another shell": (lambda _action: None, HERE | {"ansible_shell_executable": "/bin/zsh"}),
    "another machine": (lambda action: setattr(action._connection, "transport", "ssh"), HERE),
    "another user": (lambda action: setattr(action._play_context, "become", True), HERE),
    "an environment": (lambda action: setattr(action._task, "environment", [{"A": "b"}]), HERE),
    "in the background": (lambda action: setattr(action._task, "async_val", 60), HERE),
}


@pytest.mark.parametrize("where", ELSEWHERE)
def test_a_module_is_a_program_of_its_own_where_it_runs_elsewhere(monkeypatch, where):
    change, variables = ELSEWHERE[where]
    action = started(monkeypatch, lambda _module: pytest.fail("it ran here"))
    monkeypatch.setattr(ModuleAction, "_execute", lambda _action, args, _task_vars: {"executed": args})
    monkeypatch.setattr(action, "progress", True)
    change(action)
    # What nobody would see, or it could not write, a module does not tell.
    assert list(action.run(task_vars=variables)["executed"]) == ([] if where in UNSEEN else ["progress_file"])


@pytest.mark.parametrize(("seconds", "expected"), [(0, (False, ["removed"])), (60, (True, []))])
def test_a_program_in_the_background_keeps_its_folder(monkeypatch, seconds, expected):
    action, removed = action_plugin("gitops_repo_build"), []
    monkeypatch.setattr(action, "_execute_module", lambda **options: options)
    monkeypatch.setattr(action, "_remove_tmp_path", lambda _path: removed.append("removed"))
    action._task.async_val = seconds
    assert (action.run(task_vars={})["wrap_async"], removed) == expected


def test_a_module_that_talks_to_the_api_server_is_refused_in_the_background():
    action = action_plugin("argocd_app_wait")
    action._task.async_val = 60
    with pytest.raises(AnsibleActionFail, match=r"argocd_app_wait\) does not support async\."):
        action.run(task_vars=HERE)
