# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every program says whose it is and under which licence, imports only what stands below it, and is short."""

from __future__ import annotations

import ast
import re
import subprocess
from pathlib import Path

import pytest
import yaml

# Measuring coverage would double the time and add nothing: other tests cover the same branches.
pytestmark = pytest.mark.no_cover

ROOT = Path(__file__).resolve().parent.parent.parent
HEADER = [
    "Copyright (c) 2026, the monorepo.gitops authors",
    "GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)",
    "SPDX-License-Identifier: GPL-3.0-or-later",
]


def known_to_git(*options):
    command = ["git", "ls-files", "--cached", *options]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()


def test_git_has_no_file_that_a_program_left_behind():
    names = {name.split("/")[0] for name in known_to_git()}
    assert {name for name in names if name.startswith(".")} == {".ansible-lint", ".ci", ".config", ".gitignore"}


def programs():
    files = [ROOT / name for name in known_to_git("--others", "--exclude-standard") if (ROOT / name).is_file()]
    return [path for path in files if path.suffix in (".py", ".go", ".sh") or path.read_bytes()[:2] == b"#!"]


@pytest.mark.parametrize("path", programs(), ids=lambda path: str(path.relative_to(ROOT)))
def test_a_program_has_the_licence_in_its_header(path):
    text = path.read_text()
    lines = [line.lstrip("#/ ") for line in text.splitlines()[:5]]
    assert text == "" or [line for line in lines if line in HEADER] == HEADER


# From the bottom: what all need, readiness of objects, why they are not ready, the four subjects, and what is about
# several of them: the comparison of Argo CD's objects with those of a dry run, the environment that a run is about, and
# its report.
LAYERS = [
    {""},
    {"_objects"},
    {"_diagnosis"},
    {"_apply", "_argocd", "_rehearsal", "_repository"},
    {"_diff", "_environment", "_report"},
]
UTILS = ROOT / "plugins" / "module_utils"
BELOW = "ansible_collections.monorepo.gitops.plugins.module_utils"


def layer(package):
    return next(number for number, packages in enumerate(LAYERS) if package in packages)


def imported(text):
    """Return the names directly below module_utils that a program imports, or imports something from."""
    nodes = list(ast.walk(ast.parse(text)))
    names = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    for node in nodes:
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: a relative import"
            names += [f"{node.module}.{alias.name}" for alias in node.names]
    return {name.removeprefix(f"{BELOW}.").split(".")[0] for name in names if name.startswith(f"{BELOW}.")}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"from {BELOW}._argocd import (\n    verdict,\n)", {"_argocd"}),
        (f"from {BELOW}._argocd import verdict", {"_argocd"}),
        (f"from {BELOW}._argocd.verdict import State", {"_argocd"}),
        (f"from {BELOW} import _argocd, _yaml", {"_argocd", "_yaml"}),
        (f"from {BELOW} import (\n    _apply,\n)", {"_apply"}),
        (f"import {BELOW}._apply.applier as applier, os", {"_apply"}),
        (f"def late():\n    from {BELOW}._argocd.wait import wait", {"_argocd"}),
        (f"from {BELOW}._yaml import load", {"_yaml"}),
        ("from ansible_collections.kubernetes.core.plugins.module_utils import _client", set()),
        (f"# from {BELOW}._argocd import verdict", set()),
    ],
)
def test_what_counts_as_an_import(text, expected):
    assert imported(text) == expected


@pytest.mark.parametrize("path", sorted(UTILS.rglob("*.py")), ids=lambda path: str(path.relative_to(UTILS)))
def test_a_package_imports_only_what_stands_below_it(path):
    own = path.relative_to(UTILS).parts[0] if path.parent != UTILS else ""
    used = {name if (UTILS / name).is_dir() else "" for name in imported(path.read_text())}
    assert {name for name in used - {own} if layer(name) >= layer(own)} == set()


PLUGINS = ROOT / "plugins"
DOCUMENTATION = {"DOCUMENTATION", "EXAMPLES", "RETURN"}
FILE_LINES, CLASS_LINES = 350, 200


def lines_of(node):
    return node.end_lineno - node.lineno + 1


def too_long(text):
    """Return what has too many lines: the file, for which documentation does not count, or classes of it."""
    nodes = list(ast.walk(ast.parse(text)))
    assignments = [node for node in nodes if isinstance(node, ast.Assign)]
    written = [node for node in assignments if DOCUMENTATION & {ast.unparse(target) for target in node.targets}]
    found = {"file": len(text.splitlines()) - sum(map(lines_of, written))}
    found |= {f"class {node.name}": lines_of(node) for node in nodes if isinstance(node, ast.ClassDef)}
    return {what: lines for what, lines in found.items() if lines > (FILE_LINES if what == "file" else CLASS_LINES)}


@pytest.mark.parametrize("path", sorted(PLUGINS.rglob("*.py")), ids=lambda path: str(path.relative_to(PLUGINS)))
def test_a_file_and_its_classes_are_short_enough_to_have_one_job(path):
    assert too_long(path.read_text()) == {}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x = 1\n" * 350, {}),
        ("x = 1\n" * 351, {"file": 351}),
        ('EXAMPLES = r"""\n' + "- x\n" * 400 + '"""\n' + "x = 1\n" * 350, {}),
        ("OTHER = 1\n" + 'TEXT = r"""\n' + "- x\n" * 400 + '"""\n', {"file": 403}),
        ("class A:\n" + "    x = 1\n" * 199, {}),
        ("class A:\n" + "    x = 1\n" * 200, {"class A": 201}),
        ("if x:\n    class A:\n" + "        x = 1\n" * 350, {"file": 352, "class A": 351}),
    ],
)
def test_what_counts_as_too_long(text, expected):
    assert too_long(text) == expected


READS_YAML = re.compile(r"\byaml\.(?:safe_|full_|unsafe_)?load")


def test_yaml_is_read_in_one_place():
    """Kubernetes reads a date and a bare `=` as strings, which PyYAML's own loaders do not."""
    files = [path for path in (ROOT / "plugins").rglob("*.py") if READS_YAML.search(path.read_text())]
    assert files == [UTILS / "_yaml.py"]


SITE_LINES, VERIFY_LINES = 100, 450


def test_the_whole_run_reads_like_a_table_of_contents():
    assert len((ROOT / "playbooks" / "site.yml").read_text().splitlines()) <= SITE_LINES


def lines_of_lists(text):
    """Return how many lines of a role's vars say what its component needs to work."""
    pairs = list(yaml.compose(text).value)
    pairs += [pair for key, value in pairs if key.value.endswith("_component") for pair in value.value]
    found = [(key, value) for key, value in pairs if re.match(r"verify$|__\w+_verify", key.value)]
    # A collection ends where the next token begins.
    return sum(
        len("\n".join(text.splitlines()[key.start_mark.line : value.end_mark.line]).rstrip().splitlines()) or 1
        for key, value in found
    )


def test_what_verifies_the_components_is_a_short_list_of_each():
    roles = {path.parent.parent.name: lines_of_lists(path.read_text()) for path in ROOT.glob("roles/*/vars/main.yml")}
    assert len([lines for lines in roles.values() if lines]) > 10
    assert sum(roles.values()) + len((ROOT / "playbooks" / "verify.yml").read_text().splitlines()) < VERIFY_LINES


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("a_component:\n  name: a\n  verify:\n    - kind: A\n    - kind: B\n\n  flows: []\n", 3),
        ("a_component:\n  verify: []\n  flows: []\n", 1),
        ('a_component:\n  verify: "{{ __a_verify }}"\n__a_verify:\n  - kind: A\n    name: a\n__other: 1\n', 4),
        ("a_component:\n  name: a\nother:\n  - verify\n", 0),
    ],
)
def test_what_counts_as_such_a_list(text, lines):
    assert lines_of_lists(text) == lines
