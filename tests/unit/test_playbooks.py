# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the playbooks run from, and how long they wait: pods of a real cluster pull images, its databases restart."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template
from ansible_collections.monorepo.gitops.plugins.action.gitops_inputs import RESULTS
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.terms import Options
from ansible_collections.monorepo.gitops.plugins.modules import argocd_app_wait, gitops_repo_promote
from rights import MODULES
from rights import PLAYBOOKS as PLAYBOOKS_WITH_A_ROLE

# Measuring coverage would double the time and add nothing: other tests cover the same branches.
pytestmark = pytest.mark.no_cover

ROOT = Path(__file__).resolve().parent.parent.parent
BLOCK = ("block", "rescue", "always")
TASKS = ROOT / "playbooks" / "tasks"
PLAYBOOKS = sorted((ROOT / "playbooks").glob("*.yml"))


@pytest.mark.parametrize(("kind", "expected"), [("rehearsal", [600, 60]), ("existing", [1800, 300])])
def test_the_time_limits_of_a_run(kind, expected):
    defaults = yaml.safe_load((ROOT / "roles" / "gitops" / "defaults" / "main.yml").read_text())
    limits = [trust_as_template(defaults[f"gitops_{name}_timeout"]) for name in ("converge", "degraded")]
    templar = Templar(DataLoader(), {"cluster_kind": kind})
    assert [templar.template(text) for text in limits] == expected


def test_what_a_run_sets_of_its_wait_is_by_default_what_the_module_has():
    """So a user finds all of it among the variables, and one that is not set changes nothing."""
    (wait, *_others) = yaml.safe_load((TASKS / "converge.yml").read_text())
    arguments = wait["monorepo.gitops.argocd_app_wait"]
    defaults = yaml.safe_load((ROOT / "roles" / "gitops" / "defaults" / "main.yml").read_text())
    options = yaml.safe_load(argocd_app_wait.DOCUMENTATION)["options"]
    for name in ("untouched_timeout", "refresh_timeout", "resync_limit"):
        assert arguments[name] == f"{{{{ gitops_{name} }}}}"
        assert defaults[f"gitops_{name}"] == options[name]["default"] == getattr(Options, name)


def test_the_time_limit_of_the_rollout():
    defaults = yaml.safe_load((ROOT / "roles" / "argocd" / "defaults" / "main.yml").read_text())
    text = trust_as_template(defaults["argocd_rollout_timeout"])
    found = [Templar(DataLoader(), {"cluster_kind": kind}).template(text) for kind in ("rehearsal", "existing")]
    assert found == [300, 600]


def run(folder, *args, **variables):
    """Run playbooks as a user does who has no configuration, from another folder."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
    return subprocess.run(
        [Path(sys.executable).parent / "ansible-playbook", *args],
        cwd=folder,
        env=clean | {"ANSIBLE_NOCOLOR": "1"} | variables,
        capture_output=True,
        text=True,
        check=False,
    )


def test_every_playbook_runs_from_every_folder(tmp_path):
    # site.yml lies beside the collections; together with it all others would run, too.
    assert len(PLAYBOOKS) > 4
    done = run(tmp_path, *PLAYBOOKS, "-i", ROOT / "inventories/dev", "--list-tasks")
    assert done.returncode == 0, done.stderr


def refusal(done):
    """Return the one message of a run that did nothing."""
    assert done.returncode == 2, done.stdout
    assert "changed=0 " in done.stdout
    (said,) = re.findall(r"^fatal: \[localhost\]: FAILED! => (.*)$", done.stdout, re.MULTILINE)
    return json.loads(said)["msg"]


@pytest.mark.parametrize("name", ["site", "promote", "verify", "status"])
@pytest.mark.parametrize(
    ("args", "variables", "expected"),
    [
        (
            ["-e", "cluster_kind=existing"],
            {},
            "gitops_environment and gitops_components must both be set: run with the inventory of an environment, for "
            "example -i inventories/dev.",
        ),
        (
            ["-e", "cluster_kind=existing", "-i", ROOT / "inventories/dev"],
            {"ANSIBLE_PRIVATE_ROLE_VARS": "true"},
            "private_role_vars is true, in ansible.cfg or as ANSIBLE_PRIVATE_ROLE_VARS in the environment: set it to "
            "false, because these playbooks use the variables of the roles that they import.",
        ),
    ],
    ids=["no inventory", "private_role_vars"],
)
def test_a_run_that_was_started_in_the_wrong_way_says_how_to_start_it(tmp_path, name, args, variables, expected):
    assert refusal(run(tmp_path, ROOT / "playbooks" / f"{name}.yml", *args, **variables)) == expected


DOCUMENTED = ("DOCUMENTATION", "EXAMPLES", "RETURN")
# What Ansible shows, and what becomes part of that. Comments and descriptions are for readers.
SHOWN = [
    *PLAYBOOKS,
    *sorted((ROOT / "playbooks").glob("*/*.yml")),
    *sorted(ROOT.glob("roles/*/tasks/*.yml")),
    *sorted(ROOT.glob("roles/*/defaults/*.yml")),
    *sorted(ROOT.glob("roles/*/vars/*.yml")),
]


def texts(value):
    """Return all texts in a value of YAML."""
    if isinstance(value, dict):
        return [text for entry in value.values() for text in texts(entry)]
    return [text for entry in value for text in texts(entry)] if isinstance(value, list) else [str(value)]


def test_every_command_that_is_shown_has_the_options_of_the_run():
    """Only the filter next_command knows the inventory, and which kind of cluster the run was about."""
    printed = [f"{file.name}: {text}" for file in SHOWN for text in texts(yaml.safe_load(file.read_text()))]
    assert [text for text in printed if "ansible-playbook" in text] == []
    assert len([text for text in printed if "next_command" in text]) > 15
    messages = [
        f"{file.name}: {node.value}"
        for file in sorted((ROOT / "plugins").rglob("*.py"))
        for node in strings(ast.parse(file.read_text()))
        if re.search(r"ansible-playbook \S", node.value)
    ]
    assert messages == []


def strings(tree):
    """Return the texts of a program, but for its documentation."""
    documentation = {
        id(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) or (isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) in DOCUMENTED)
    }
    found = [node for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    return [node for node in found if id(node) not in documentation]


def test_no_text_shows_a_backslash_for_a_line_break():
    """In a block of YAML, Ansible takes the backslash of a template for one."""
    written = [f"{file.name}: {text}" for file in SHOWN for text in texts(yaml.safe_load(file.read_text()))]
    assert [text for text in written if re.search(r"join\('\\n", text)] == []


def test_no_playbook_checks_variables_again_that_it_has_checked():
    """Except the one that removes a rehearsal cluster whatever else is wrong in an inventory."""
    files = [*PLAYBOOKS, *sorted(TASKS.glob("*.yml"))]
    texts = {file.name: file.read_text() for file in files}
    roles = {name: len(re.findall(r"builtin\.(?:import|include)_role:", text)) for name, text in texts.items()}
    checked = {name: number - texts[name].count("rolespec_validate: false") for name, number in roles.items()}
    assert {name: number for name, number in checked.items() if number} == {"rehearsal.yml": 1}
    assert sum(roles.values()) > 30


def test_what_a_role_hands_on_has_one_shape():
    """No playbook has to ask whether a result of the repository is there, and has what it reads."""
    for name in ("site.yml", "vars/site.yml"):
        assert re.findall(r"gitops_repo_\w+[.\w]* \| default", (ROOT / "playbooks" / name).read_text()) == []
    shape = {"commit", "components", "behind", "files"}
    files = [ROOT / "roles/gitops_repo/tasks" / name for name in ("main.yml", "publish.yml")]
    given = [
        set(task["ansible.builtin.set_fact"]["gitops_repo_followed"])
        for file in [*files, TASKS / "start.yml"]
        for task in yaml.safe_load(file.read_text())
        if "gitops_repo_followed" in task.get("ansible.builtin.set_fact", {})
    ]
    assert given == [shape] * 3
    assert shape <= yaml.safe_load(gitops_repo_promote.RETURN).keys()


def test_site_says_at_its_top_what_one_part_hands_to_the_next():
    """What parts set and another one reads. A result of a role that only this role reads is its own affair."""
    site = (ROOT / "playbooks" / "site.yml").read_text()
    head, plays = site.split("\n- name: ", 1)
    parts = [TASKS / name for name in re.findall(r"import_tasks: tasks/(\w+\.yml)", plays)]
    read = plays + "".join(file.read_text() for file in [*parts, ROOT / "playbooks/vars/site.yml"])
    named = set(re.findall(r"\w+", head))
    assert {name for name in RESULTS if re.search(rf"\b{name}\b", read)} - named == {"gitops_found"}
    assert "rehearsal_cluster_status" in named


def test_the_report_of_a_run_that_fails_early_has_no_results_of_another_playbook(tmp_path):
    results = {"gitops_wait": {"applications": [{"name": "stale"}]}, "gitops_repo_followed": {"commit": "1" * 40}}
    tasks = [{"ansible.builtin.set_fact": results}]
    (tmp_path / "other.yml").write_text(yaml.safe_dump([{"hosts": "localhost", "gather_facts": False, "tasks": tasks}]))
    args = ["-i", ROOT / "inventories/dev", "-e", "maildev_replicas=many"]
    done = run(tmp_path, "other.yml", ROOT / "playbooks/site.yml", *args)
    assert 'maildev_replicas is "many"' in done.stdout
    report = json.loads((tmp_path / "reports/dev/report.json").read_text())
    assert (report["applications"], report["commit"]) == ([], "")


def expanded(tasks, file, variables):
    """Yield every task in its order, with its file and the variables that the play and imports of tasks give it."""
    for task in tasks:
        yield task, file, variables
        for part in BLOCK:
            yield from expanded(task.get(part, []), file, variables)
        for other in called_by(task, file):
            given = task.get("vars", {}) if other.parent == TASKS else {}
            yield from expanded(yaml.safe_load(other.read_text()), other, variables | given)


def called_by(task, file):
    """Return the files of tasks that a task imports or includes; all that a template in their name may mean."""
    for kind in ("import", "include"):
        if name := task.get(f"ansible.builtin.{kind}_tasks"):
            return set(file.parent.glob(re.sub(r"\{\{.*\}\}", "*", name))) - {file}
        if role := task.get(f"ansible.builtin.{kind}_role"):
            folder = ROOT / "roles" / role["name"].removeprefix("monorepo.gitops.") / "tasks"
            return set(folder.glob(f"{role.get('tasks_from', 'main')}.yml"))
    return set()


def left_by(task):
    """Return the names that a task registers or sets; those of a role itself begin with two underscores."""
    names = {task.get("register", "__"), *task.get("ansible.builtin.set_fact", {})}
    return {name for name in names if not name.startswith("__")}


def read_by(task, variables, results):
    """Return the names of results and variables that a task needs, a variable with what it is made of."""
    # What a task registers is its own in `failed_when`.
    own = ("register", "failed_when") if "register" in task else ()
    text = json.dumps({key: value for key, value in task.items() if key not in (*BLOCK, *own)})
    used = {name for name in results if re.search(rf"(?<![\w.]){name}\b(?!\":)", text)}
    for name, value in variables.items():
        if re.search(rf"(?<![\w.]){name}\b(?!\":)(?! \| default\()", text):
            rest = {other: made_of for other, made_of in variables.items() if other != name}
            used |= {name} | read_by({"vars": [value]}, rest, results)
    return used


def test_what_tasks_read_comes_from_the_same_playbook():
    """Another playbook may have run before in the same run of Ansible, and left results of the same name."""
    plays = {path: play for path in PLAYBOOKS for play in yaml.safe_load(path.read_text())}
    runs = [list(expanded(play["tasks"], path, play.get("vars", {}))) for path, play in plays.items()]
    every = [entry for run in runs for entry in run]
    results = {name for task, _file, _variables in every for name in left_by(task)}
    handed = {name: "" for _task, _file, variables in every for name in variables}
    missing = set()
    for tasks in runs:
        found = set()
        for task, file, variables in tasks:
            if file.parent in (TASKS, TASKS.parent):  # the variables of a role have defaults
                needed = read_by(task, handed | variables, results) - found - variables.keys()
                missing |= {f"{tasks[0][1].name}: {file.name} reads {name}" for name in needed}
            found |= left_by(task)
    assert missing == set()


# What a playbook does only where something is removed, or taken over from somebody else.
RARELY = {"promote": {"argocd_app_delete", "server_side_apply"}}


@pytest.mark.parametrize("playbook", PLAYBOOKS_WITH_A_ROLE)
def test_a_role_has_the_rights_of_all_modules_that_its_playbook_uses(playbook):
    path = ROOT / "playbooks" / f"{playbook}.yml"
    (play,) = yaml.safe_load(path.read_text())
    used = {
        key.removeprefix("monorepo.gitops.") for task, _file, _vars in expanded(play["tasks"], path, {}) for key in task
    }
    assert used & MODULES.keys() == set(PLAYBOOKS_WITH_A_ROLE[playbook]) | RARELY.get(playbook, set())
