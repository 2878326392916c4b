# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every role documents what it takes, and every component role has the same layout."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

# Measuring coverage would double the time and add nothing: other tests cover the same branches.
pytestmark = pytest.mark.no_cover

ROOT = Path(__file__).resolve().parent.parent.parent
# What playbooks/new_component.yml makes a role of.
EXAMPLE = ROOT / "examples" / "roles" / "hello"
ROLES = [*sorted(path.parent.parent for path in ROOT.glob("roles/*/meta/main.yml")), EXAMPLE]
COMPONENTS = [role for role in ROLES if (role / "templates" / "overlay").is_dir() and role.name != "argocd"]


def load(path):
    return yaml.safe_load(path.read_text()) if path.exists() else {}


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_defaults_and_argument_specs_are_the_same(role):
    defaults = load(role / "defaults" / "main.yml") or {}
    specs = load(role / "meta" / "argument_specs.yml")["argument_specs"]
    options = {name: option for spec in specs.values() for name, option in spec["options"].items()}
    required = {name for name, option in options.items() if option.get("required")}
    if role.name == "gitops":  # other roles read these where they are set
        required |= {name for name, option in options.items() if "default" not in option} - defaults.keys()
    assert options.keys() - required == defaults.keys()
    for name, option in options.items():
        assert option["description"], name
        # Ansible would template it also where the option is given, and then miss what it is computed from.
        expected = {} if name in required or "{{" in str(defaults[name]) else {"default": defaults[name]}
        assert {key: value for key, value in option.items() if key == "default"} == expected, name


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_every_role_has_a_readme(role):
    assert (role / "README.md").read_text().startswith("# ")


@pytest.mark.parametrize("role", COMPONENTS, ids=lambda role: role.name)
def test_a_component_role_has_the_layout(role):
    definition = load(role / "vars" / "main.yml")[f"{role.name}_component"]
    assert role.name == definition["name"].replace("-", "_")
    assert definition["layer"] in ("infra", "services")
    for name in (
        "templates/base/kustomization.yaml.j2",
        "templates/overlay/kustomization.yaml.j2",
        "tasks/main.yml",
    ):
        assert (role / name).is_file(), name


@pytest.mark.parametrize("role", COMPONENTS, ids=lambda role: role.name)
def test_a_definition_is_what_the_engine_expects(role):
    """A run does not ask again: its components are ours."""
    options = load(ROOT / "roles" / "component" / "meta" / "argument_specs.yml")["argument_specs"]["main"]["options"]
    spec = {key: value for key, value in options["component_definition"].items() if key != "description"}
    definition = load(role / "vars" / "main.yml")[f"{role.name}_component"]
    known = {key: value for key, value in definition.items() if not str(value).startswith("{{")}
    checked = ArgumentSpecValidator({"definition": spec}).validate({"definition": known})
    assert checked.error_messages == []
    assert definition.keys() <= spec["options"].keys()


@pytest.mark.parametrize("role", [role for role in COMPONENTS if role != EXAMPLE], ids=lambda role: role.name)
def test_every_component_role_has_a_molecule_scenario(role):
    for name in ("molecule.yml", "vars/main.yml", "checks.yml"):
        assert (ROOT / "molecule" / role.name / name).is_file(), name


def typed_options(kind):
    specs = [spec for role in ROLES for spec in load(role / "meta" / "argument_specs.yml")["argument_specs"].values()]
    return {name for spec in specs for name, option in spec["options"].items() if option["type"] == kind}


def test_a_boolean_is_converted_wherever_it_decides_something():
    """What is set with -e is a string, and the string false is not empty."""
    names = "|".join(typed_options("bool") | {"gitops_tls"})
    used = re.compile(rf"(?<![\w'])(?<!set )({names})(?! \| bool| \| default\([^)]*\) \| bool| to )(?![\w:=])")
    handed_on = re.compile(rf"\s*\w+: \"\{{\{{ ({names})( \| default\(\w+\))? \}}\}}\"$")
    files = [path for folder in ("roles", "playbooks") for path in (ROOT / folder).rglob("*") if path.is_file()]
    found = [
        f"{path.relative_to(ROOT)}: {line.strip()}"
        for path in files
        if path.suffix in (".yml", ".j2") and path.parent.name not in ("meta", "files")
        for line in path.read_text().splitlines()
        if used.search(line) and not handed_on.match(line) and not re.match(r"\s*(#|fail_msg:)", line)
    ]
    assert found == []


def defaults_of(options):
    """Return the defaults of options and of their suboptions."""
    for option in options.values():
        yield option.get("default")
        yield from defaults_of(option.get("options") or {})


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_no_default_of_a_specification_is_a_template(role):
    """Ansible would template it also where the option is given."""
    specs = load(role / "meta" / "argument_specs.yml")["argument_specs"].values()
    assert [value for spec in specs for value in defaults_of(spec["options"]) if re.search("{[{%]", str(value))] == []


def as_json(text, texts):
    """Return the expressions of a template that may write a list or map as JSON or as it is dumped elsewhere.

    A text may be quoted as in JSON: one of these options, or what `string` has made one. A checksum may be of anything,
    and a policy of S3 is JSON in the middle of a script.
    """
    expressions = re.findall(r"(?:(\"\w+\": ))?(?:\{\{|\[\[)((?:(?!\}\}|\]\]).)*)(?:\}\}|\]\])", text, re.DOTALL)
    quoted = re.compile(rf"\s*(?:(?:{'|'.join(texts)})|.*\| string) \| to_json\s*$", re.DOTALL)
    return [
        made.strip()
        for in_json, made in expressions
        if re.search(r"\bto_(?:nice_)?(?:json|yaml)\b", made)
        and not (quoted.match(made) or in_json or re.search(r"\| hash\('sha256'\)\s*$", made))
    ]


def test_lists_and_maps_are_rendered_in_block_style():
    """So that a commit shows the one entry that changed."""
    folders = [*ROOT.glob("roles/*/templates"), EXAMPLE / "templates", ROOT / "playbooks" / "templates"]
    files = [file for folder in folders for file in folder.rglob("*.j2")]
    texts = typed_options("str")
    assert len(files) > 60
    found = {str(file.relative_to(ROOT)): as_json(file.read_text(), texts) for file in files}
    assert {name: made for name, made in found.items() if made} == {}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a: {{ labels | to_json }}", ["labels | to_json"]),
        ("{a: {{ some_text | to_json }}, b: {{ value | string | to_json }}}", []),
        ("a: {{ some_text.items | to_json }}", ["some_text.items | to_json"]),
        ("{a: {{ value | string | to_json }}, b: {{ value | to_json }}}", ["value | to_json"]),
        ("a: [[ value | to_json ]]", ["value | to_json"]),
        ("a: {{ (value | to_json) | string | to_json }}", []),
        ("a: {{ value | to_nice_yaml(2) }}", ["value | to_nice_yaml(2)"]),
        ("a: {{ value | to_json(sort_keys=true) | hash('sha256') }}", []),
        ('"Action": {{ actions | to_json }},', []),
        ("a: {{ value | monorepo.gitops.to_block(2) }}", []),
    ],
)
def test_what_counts_as_json(text, found):
    assert as_json(text, ["some_text"]) == found


def test_the_scheme_of_endpoints_is_decided_in_one_place():
    files = [path for path in ROOT.glob("roles/**/*") if path.suffix in (".yml", ".j2") and path.parent.name != "meta"]
    chosen = re.compile(r"""https['"]?\s*[,:]?\s*(if|else|['"]http['"])""")
    found = [str(path.relative_to(ROOT)) for path in files if chosen.search(path.read_text())]
    assert found == ["roles/component/defaults/main.yml"]
