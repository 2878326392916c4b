# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every role can be included alone: with its own options it needs no variable of any other role, nor an inventory."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from ansible.errors import AnsibleError
from ansible.parsing.dataloader import DataLoader
from ansible.playbook.play_context import PlayContext
from ansible.playbook.task import Task
from ansible.plugins.loader import action_loader, connection_loader
from ansible.template import Templar
from rendering import manifests, programs

from . import test_roles
from .repositories import git
from .test_roles import EXAMPLE, ROOT, load

# Measuring coverage would double the time and add nothing: other tests cover the same branches.
pytestmark = pytest.mark.no_cover

# The example is not a role of this collection.
ROLES, COMPONENTS = ([role for role in roles if role != EXAMPLE] for roles in (test_roles.ROLES, test_roles.COMPONENTS))

# What computed defaults are made of.
INPUTS = {
    "ansible_parent_role_paths": ["/nowhere"],
    "cluster_kind": "existing",
    "gitops_domain": "example.com",
    "gitops_environment": "test",
    "gitops_repo_open": {"tree": "/nowhere"},
    "gitops_repo_url": "https://git.example.com/monorepo.git",
}
DEFINITION = {"name": "alone", "layer": "infra", "namespace": "alone"}
HOST = {"maildev_host": "mail.example.com"}
URL = INPUTS["gitops_repo_url"]
COMPONENT = {"component_environment": "test", "component_tree": "/nowhere"}
TEMPLATES = {"component_templates": "/nowhere"}
OPEN = {"tree": "/nowhere", "url": URL, "push_url": URL}
REQUIRED = {
    "component_definition": DEFINITION,
    "argocd_identity": {"environment": "test"},
    "gitops_environment": "test",
}
VALUES = {"str": "given.example.com", "path": "/given", "bool": True, "int": 1, "float": 1.0, "list": [], "dict": {}}


def given(role, spec):
    """Return a value for each option whose default is computed, and the required ones."""
    defaults = load(role / "defaults" / "main.yml") or {}
    computed = {name for name in spec["options"] if "{{" in str(defaults.get(name, ""))}
    options = {name: option for name, option in spec["options"].items() if name in computed}
    values = {name: option.get("choices", [VALUES[option["type"]]])[0] for name, option in options.items()}
    needed = {name: option for name, option in spec["options"].items() if option.get("required")}
    return values, {name: REQUIRED.get(name, VALUES[option["type"]]) for name, option in needed.items()}


def entry_points():
    for role in ROLES:
        for entry, spec in load(role / "meta" / "argument_specs.yml")["argument_specs"].items():
            yield role, entry, *given(role, spec)


def check(role, entry, variables, name):
    """Return a task that holds the options of an entry point against its specification, and does nothing else."""
    include = {"name": f"monorepo.gitops.{role}", "tasks_from": entry, "apply": {"tags": ["never"]}}
    return {"name": f"{role} {entry} {name}", "ansible.builtin.include_role": include, "vars": variables}


def run(folder, *plays, options=()):
    """Run plays, each a list of tasks and the variables of the play, without an inventory."""
    text = yaml.safe_dump(
        [
            {"name": "Alone", "hosts": "localhost", "gather_facts": False, "vars": variables, "tasks": tasks}
            for tasks, variables in plays
        ]
    )
    (folder / "alone.yml").write_text(text)
    return subprocess.run(
        [Path(sys.executable).parent / "ansible-playbook", "alone.yml", "-i", "localhost,", "-c", "local", *options],
        cwd=folder,
        env=os.environ
        | {"ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_COLLECTIONS_PATH": str(ROOT / "collections")}
        | {"ANSIBLE_NOCOLOR": "1", "XDG_CACHE_HOME": str(folder / "cache")},
        capture_output=True,
        text=True,
        check=False,
    )


def complaint(role, entry, variables, inputs=None):
    """Return what Ansible's check of an entry point says to its options and what the role computes, in this process."""
    loader = DataLoader()
    files = [role / folder / "main.yml" for folder in ("defaults", "vars")]
    defaults, own = [
        loader.load_from_file(str(file), trusted_as_template=True) if file.exists() else {} for file in files
    ]
    known = (
        (defaults or {})
        | (INPUTS if inputs is None else inputs)
        | {"role_path": str(role), "ansible_check_mode": False}
        | (own or {})
        | variables
    )
    options = load(role / "meta" / "argument_specs.yml")["argument_specs"][entry]["options"]
    name, context = "ansible.builtin.validate_argument_spec", PlayContext()
    plugin = action_loader.get(
        name,
        task=Task.load({name: {"argument_spec": options, "provided_arguments": {}}}, loader=loader),
        connection=connection_loader.get("ansible.builtin.local", context),
        play_context=context,
        loader=loader,
        templar=Templar(loader=loader, variables=known),
    )
    try:
        result = plugin.run(task_vars=known)
    except AnsibleError as error:
        return str(error)
    return result["msg"] if result.get("failed") else ""


def test_every_role_takes_its_own_options(tmp_path):
    alone = [
        check(role.name, entry, values | needed, "with its own options")
        for role, entry, values, needed in entry_points()
    ]
    done = run(tmp_path, (alone, {}))
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr
    assert done.stdout.count("Validating arguments against arg spec") == len(alone)


def complaints(inputs):
    """Return what each entry point says where it computes one option that is not given, from the inputs."""
    said = {
        f"{role.name} {entry} without {name}": complaint(role, entry, without | needed, inputs)
        for role, entry, values, needed in entry_points()
        for name in values
        for without in [{key: value for key, value in values.items() if key != name}]
    }
    assert len(said) > 40
    return {case: message for case, message in said.items() if message}


def test_every_role_computes_what_it_is_not_given():
    assert complaints(INPUTS) == {}


# What a role says of an input that it needs and cannot compute.
SENTENCE = re.compile(r"(?<![\w.'] )Set \w+(, or include role gitops_repo first| or gitops_\w+)?\.$")


def test_what_a_role_cannot_compute_it_names_by_a_sentence():
    said = complaints({})
    assert len(said) > 20
    assert {case: message for case, message in said.items() if not SENTENCE.search(message)} == {}


@pytest.mark.parametrize("option", ["applicationsets_namespace", "rehearsal_cluster_argocd_namespace"])
def test_who_names_the_namespace_of_argo_cd_once_has_named_it_for_every_role(option):
    """Also in a playbook that hands nothing over, as rehearsal.yml, and in a scenario of Molecule."""
    (role,) = (role for role in ROLES if option in (load(role / "defaults" / "main.yml") or {}))
    loader = DataLoader()
    default = loader.load_from_file(str(role / "defaults" / "main.yml"), trusted_as_template=True)[option]
    assert Templar(loader=loader, variables={}).template(default) == "argocd"
    assert Templar(loader=loader, variables={"argocd_namespace": "delivery"}).template(default) == "delivery"


def test_a_computed_value_of_another_type_is_a_complaint():
    role = next(role for role in ROLES if role.name == "maildev")
    assert "argument 'maildev_replicas' is of type str" in complaint(role, "main", {"maildev_replicas": "{{ 'two' }}"})


def test_every_component_is_rendered_from_its_own_options(tmp_path):
    """Without a variable of the user interface, which a template could use as well."""
    engine = {"component_environment": "test", "component_tree": str(tmp_path / "tree"), "component_rehearsal": True}
    engine |= {"component_mirror": "", "component_stand_in": "always"}
    tasks = []
    for role in COMPONENTS:
        values, _needed = given(role, load(role / "meta" / "argument_specs.yml")["argument_specs"]["main"])
        include = {"name": f"monorepo.gitops.{role.name}"}
        tasks.append({"name": role.name, "ansible.builtin.include_role": include, "vars": values | engine})
    done = run(tmp_path, (tasks, {}))
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr
    rendered = {path.parent.parent.parent.name for path in tmp_path.glob("tree/*/*/*/envs/test/kustomization.yaml")}
    assert len(rendered) == len(COMPONENTS)


def test_the_other_roles_do_their_work_with_their_own_options(tmp_path, api_server):
    """In check mode, with entry points that need no Argo CD."""
    server, tree = api_server("connection"), str(tmp_path / "tree")
    git(tmp_path, "init", "--quiet", "--initial-branch=main", "origin")
    git(tmp_path / "origin", "commit", "--quiet", "--allow-empty", "--message=first")
    origin = f"file://{tmp_path}/origin"
    kustomize = {"gitops_kustomize_command": [str(programs() / "bin" / "kustomize"), "build"]}
    included = [
        ("report", "main", {"report_environment": "test", "report_folder": str(tmp_path / "reports")}),
        (
            "applicationsets",
            "render",
            {"applicationsets_tree": tree, "applicationsets_environment": "test", "applicationsets_repo_url": origin},
        ),
        ("argocd", "build", manifests() | kustomize | {"argocd_ui_host": "argocd.example.com"}),
        ("gitops_repo", "main", {"gitops_repo_url": origin, "gitops_repo_rehearsal": False, "gitops_repo_path": tree}),
        ("gitops_repo", "clean", {}),
        (
            "rehearsal_cluster",
            "main",
            {"rehearsal_cluster_state": "present", "rehearsal_cluster_name": "none"}
            | {"rehearsal_cluster_state_dir": str(tmp_path / "state")},
        ),
        ("cluster", "main", {"cluster_kind": "existing", "cluster_kubeconfig": server.kubeconfig}),
    ]
    tasks = []
    for role, entry, variables in included:
        include = {"name": f"monorepo.gitops.{role}", "tasks_from": entry}
        tasks.append({"name": f"{role} {entry}", "ansible.builtin.include_role": include, "vars": variables})
    done = run(tmp_path, (tasks, {"ansible_python_interpreter": sys.executable}), options=["--check"])
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr
    assert {file.name for file in (tmp_path / "reports" / "test").iterdir()} >= {"check.json", "check.html"}
    assert {file.name for file in (tmp_path / "tree" / "argocd/appsets/test").iterdir()} >= {
        "infra.yaml",
        "services.yaml",
    }
    assert f"Use this cluster, {server.url}" in done.stdout


NAMED = [
    ("maildev", "main", {}, "Set maildev_host or gitops_domain."),
    ("maildev", "main", HOST | {"maildev_replicas": "two"}, "argument 'maildev_replicas' is of type str"),
    ("maildev", "main", HOST, "Set component_environment or gitops_environment."),
    (
        *("maildev", "main", HOST | {"component_environment": "test"}),
        "Set component_tree, or include role gitops_repo first.",
    ),
    (
        *("applicationsets", "render", {"applicationsets_repo_url": URL, "applicationsets_environment": "test"}),
        "Set applicationsets_tree, or include role gitops_repo first.",
    ),
    ("component", "main", COMPONENT | TEMPLATES, "missing required arguments: component_definition"),
    ("component", "main", COMPONENT | {"component_definition": DEFINITION}, "Set component_templates."),
    ("gitops_repo", "main", {}, "gitops_repo_url is empty: set it to the repository that Argo CD reads"),
    *(
        ("gitops_repo", entry, {"gitops_environment": "test"}, "Include role gitops_repo first: its entry point main")
        for entry in ("build", "followed", "publish")
    ),
    *(
        ("gitops_repo", entry, {"gitops_repo_open": OPEN}, "Set gitops_environment.")
        for entry in ("build", "followed", "publish")
    ),
    ("report", "main", {}, "Set report_environment or gitops_environment."),
]


def test_what_is_missing_or_wrong_is_named(tmp_path):
    tasks = []
    for number, (role, entry, variables, _message) in enumerate(NAMED):
        include = {"name": f"monorepo.gitops.{role}", "tasks_from": entry}
        told = {"name": "Told", "ansible.builtin.debug": {"msg": f"case {number}: {{{{ ansible_failed_result.msg }}}}"}}
        included = {"name": f"{role} {entry}", "ansible.builtin.include_role": include, "vars": variables}
        tasks.append({"name": f"Case {number}", "block": [included], "rescue": [told]})
    done = run(tmp_path, (tasks, {}))
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr
    said = dict(re.findall(r"case (\d+): (.*?)'?\n\n", re.sub(r"\n {8,}", " ", done.stdout)))
    assert [number for number, case in enumerate(NAMED) if case[-1] not in said.get(str(number), "")] == []
