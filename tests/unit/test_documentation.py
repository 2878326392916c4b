# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The documentation of the modules is put together from fragments; here they are compared with what the code does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import reference
import yaml
from ansible.plugins.loader import action_loader, fragment_loader
from ansible.utils.plugin_docs import get_docstring
from ansible_collections.kubernetes.core.plugins.module_utils.args_common import AUTH_ARG_SPEC
from ansible_collections.monorepo.gitops.plugins.doc_fragments.auth import ModuleDocFragment
from ansible_collections.monorepo.gitops.plugins.module_utils._environment import inputs
from rights import RIGHTS

# Measuring coverage would double the time and add nothing: other tests cover the same branches.
pytestmark = pytest.mark.no_cover

ROOT = Path(__file__).resolve().parent.parent.parent
MODULES = sorted(ROOT.glob("plugins/modules/*.py"))
GROUP = yaml.safe_load((ROOT / "meta" / "runtime.yml").read_text())["action_groups"]["argocd"]


def documentation(module):
    return get_docstring(str(module), fragment_loader, collection_name="monorepo.gitops")[0]


def shape(options, inner):
    """Return what a caller of options can tell: their names, types and other names."""
    return {
        name: (
            option.get("type", "str"),
            option.get("elements"),
            set(option.get("aliases", [])),
            shape(option.get(inner, {}), inner),
        )
        for name, option in options.items()
    }


def test_the_connection_has_the_options_of_kubernetes_core():
    documented = yaml.safe_load(ModuleDocFragment.DOCUMENTATION)["options"]
    assert shape(documented, "suboptions") == shape(AUTH_ARG_SPEC, "options")


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.stem)
def test_a_module_that_talks_to_the_api_server_is_in_the_action_group_and_says_so(module):
    talks = "_client.argument_spec(" in module.read_text()
    membership = documentation(module)["attributes"].get("action_group", {}).get("membership", [])
    assert (module.stem in GROUP, membership) == (talks, ["monorepo.gitops.argocd"] if talks else [])


def test_the_action_group_names_modules_only():
    assert {entry for entry in GROUP if isinstance(entry, str)} <= {path.stem for path in MODULES}


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.stem)
def test_a_module_says_what_it_does_in_check_mode_and_when_it_is_run_again(module):
    attributes = documentation(module)["attributes"]
    assert {"async", "check_mode", "diff_mode", "idempotent"} <= attributes.keys()
    for name, attribute in attributes.items():
        assert attribute["description"], name
        assert attribute["support"] in ("full", "partial", "none", "N/A"), name


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.stem)
def test_a_module_says_whether_it_runs_in_the_background(module):
    action = action_loader.get(f"monorepo.gitops.{module.stem}", class_only=True)
    assert documentation(module)["attributes"]["async"]["support"] == ("full" if action._supports_async else "none")


ARCHITECTURE = (ROOT / "docs" / "architecture.md").read_text()
WAYS = ARCHITECTURE.partition("## Three ways through the code\n")[2].split("\n## ")[0]


def named_files(text):
    """Return the files of this collection that a text names; those below argocd/ are in the monorepo."""
    return [ROOT / name for name in re.findall(r"`(\w+(?:/[\w.]+)+)`", text) if not name.startswith("argocd/")]


def test_every_way_through_the_code_has_ten_lines_and_names_what_there_is():
    ways = [way for way in WAYS.strip().split("\n\n") if way.startswith("1. ")]
    assert len(ways) == 3
    for way in ways:
        assert len(way.splitlines()) <= 10
        files = named_files(way)
        assert [file for file in files if not file.is_file()] == []
        code = "".join(file.read_text() for file in files if file.suffix == ".py")
        functions = re.findall(r"`(\w+)\(\)`", way)
        assert functions
        assert [name for name in functions if f"def {name}(" not in code] == []


def test_the_reference_of_variables_is_current():
    assert reference.FILE.read_text() == reference.reference(), "run python tests/reference.py"


def test_the_reference_of_variables_has_what_a_user_can_set_and_nothing_internal():
    files = ROOT.glob("roles/*/meta/argument_specs.yml")
    specs = [spec for file in files for spec in yaml.safe_load(file.read_text())["argument_specs"].values()]
    options = [item for spec in specs for item in spec["options"].items()]
    internal = {name for name, option in options if inputs.internal(option)}
    listed = set(re.findall(r"^\| `(\w+)` \|", reference.reference(), re.M))
    assert listed == {name for name, _option in options} - internal
    assert {"argocd_identity", "component_definition", "report_failure"} <= internal
    assert "described there as\n`Internal:`" in reference.HEAD
    # One that several entry points take is the same in all of them.
    assert [name for name, option in options if (name in internal) != inputs.internal(option)] == []


PUBLIC = {
    "argocd_app_delete",
    "argocd_app_diff",
    "argocd_app_info",
    "argocd_app_pause",
    "argocd_app_logs",
    "argocd_app_refresh",
    "argocd_app_rollback",
    "argocd_app_set",
    "argocd_app_sync",
    "argocd_app_terminate",
    "argocd_app_wait",
    "argocd_appset_info",
    "argocd_appset_refresh",
    "objects_ready",
    "rehearsal_cluster",
    "server_side_apply",
}


def test_a_module_that_only_serves_the_roles_says_so_in_its_first_line():
    lines = {path.stem: re.search("^short_description: (.*)$", path.read_text(), re.M)[1] for path in MODULES}
    assert {name for name, line in lines.items() if not line.endswith("(internal)")} == PUBLIC


RUNBOOKS = ROOT / "docs" / "runbooks"
# What is no job of an operator, or is described where it belongs.
NO_RUNBOOK = {"new_component", "rehearsal", "resume", "site"}
PAGES = sorted(page.stem for page in RUNBOOKS.glob("*.md") if page.stem != "README")


def test_every_job_of_an_operator_has_a_page_that_the_index_names():
    playbooks = {path.stem for path in (ROOT / "playbooks").glob("*.yml")}
    assert playbooks - set(PAGES) == NO_RUNBOOK
    assert set(PAGES) - playbooks == {"not_healthy", "notifications"}
    index = (RUNBOOKS / "README.md").read_text()
    assert [page for page in PAGES if f"({page}.md" not in index] == []


@pytest.mark.parametrize("page", PAGES)
def test_the_commands_of_a_runbook_are_run_by_a_test(page):
    """By carry_out or runbook of tests/integration/conftest.py, which take them from the page."""
    tests = "".join(path.read_text() for path in (ROOT / "tests" / "integration").glob("test_*.py"))
    named = set(re.findall(r'(?:carry_out\([\w.]+, |runbook\()"(\w+)"', tests))
    for names in re.findall(r'parametrize\("page", \[(.*?)\]\)', tests):
        named |= set(re.findall(r"\w+", names))
    assert page in named


def arguments_of(playbook):
    """Return the names of the arguments of a playbook, with those of playbooks/vars/selection.yml where it has them."""
    (play,) = yaml.safe_load((ROOT / "playbooks" / f"{playbook}.yml").read_text())
    known = yaml.safe_load((ROOT / "playbooks" / "vars" / "selection.yml").read_text()) | play["vars"]
    declared = known.get("gitops_arguments", {}) if "gitops_arguments" in play["vars"] else {}
    if isinstance(declared, dict):
        return set(declared)
    return {argument for name in re.findall(r"\w+_arguments", declared) for argument in known[name]}


@pytest.mark.parametrize("page", [*sorted(set(PAGES) - {"not_healthy", "notifications"}), "resume"])
def test_a_runbook_names_each_argument_of_its_playbook(page):
    """In a command, as -e name=value, or in backticks as `name` or `name=value`."""
    text = (RUNBOOKS / f"{'pause' if page == 'resume' else page}.md").read_text()
    named = set(re.findall(r"(?:-e ['\"]?|`)(\w+)[=`]", text))
    assert arguments_of(page) - named == set()
    # Those that a command gives exist, also one in the comments of the playbook.
    given = set(re.findall(rf"playbooks/{page}\.yml .*", text + (ROOT / "playbooks" / f"{page}.yml").read_text()))
    extra = {name for line in given for name in re.findall(r"-e ['\"]?(\w+)=", line)}
    assert extra - arguments_of(page) == set()


def test_every_runbook_is_laid_out_alike_and_leads_back():
    """not_healthy leads from a reason to a page, and notifications has variables instead of arguments."""
    sections = ["## What you see", "## Arguments", "## What next"]
    for page in PAGES:
        text = (RUNBOOKS / f"{page}.md").read_text()
        assert text.split("\n\n")[1].startswith("**When:** "), page
        assert text.endswith("\n\n[All runbooks](README.md)\n"), page
        assert len(text.splitlines()) <= 100, page
        if page not in ("not_healthy", "notifications"):
            assert [line for line in text.splitlines() if line.startswith("#")][1:] == sections, page


def anchors(text):
    """Return the anchors that GitHub gives the headings of a page."""
    titles = re.findall(r"^#+ (.*)$", text, re.M)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


PROSE = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *sorted(ROOT.glob("docs/**/*.md")),
    *ROOT.glob("roles/*/README.md"),
]


@pytest.mark.parametrize("page", PROSE, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_leads_to_a_file_and_a_heading(page):
    dead = []
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        file, _sep, anchor = target.partition("#")
        if "://" in file:
            continue
        path = page.parent / file if file else page
        if not path.exists() or (anchor and anchor not in anchors(path.read_text())):
            dead.append(target)
    assert dead == []


def rights(text):
    """Return the verbs of the API server in a text."""
    return set(re.findall(r"\b(get|list|watch|create|patch|delete)\b", text))


def test_the_table_of_rights_has_what_the_notes_of_each_module_say():
    given = {
        name: {verb for item in (*found.here, *found.everywhere) for verb in item["verbs"]}
        for name, found in RIGHTS.items()
    }
    notes = {path.stem: documentation(path).get("notes", []) for path in MODULES}
    noted = {
        name: set().union(*(rights(text) for text in found if text.startswith("Needs the right")))
        for name, found in notes.items()
        if any(text.startswith("Needs the right") for text in found)
    }
    assert given == noted
    # rehearsal_cluster has a cluster of its own.
    assert PUBLIC - noted.keys() == {"rehearsal_cluster"}
    tests = "".join(path.read_text() for path in (ROOT / "tests" / "integration").glob("test_*.py"))
    assert [name for name in given if name not in tests] == []


def test_the_reference_of_rights_is_current():
    assert reference.RIGHTS.read_text() == reference.rights(), "run python tests/reference.py"


SECURITY = ROOT / "docs" / "security.md"
TESTS = {path: path.read_text() for path in sorted((ROOT / "tests").rglob("test_*.py"))}


def defined(path):
    """Return the names of the tests of a file."""
    return set(re.findall(r"^ *(?:async )?def (test_\w+)\(", TESTS.get(path, ""), re.MULTILINE))


def missing_proofs(text):
    """Return what a page names as a test, alone or as `file::test`, and what does not exist."""
    everything = {name for path in TESTS for name in defined(path)}
    missing = []
    for file, name in re.findall(r"`(?:(tests/[\w/]+\.py)(?:::)?)?(test_\w+)?`", text):
        if file and ROOT / file not in TESTS and not (ROOT / file).is_file():
            missing.append(file)
        elif name and name not in (defined(ROOT / file) if file else everything):
            missing.append(f"{file}::{name}" if file else name)
    return missing


def test_every_proof_that_the_page_about_security_names_exists():
    assert missing_proofs(SECURITY.read_text()) == []


def test_a_proof_that_does_not_exist_is_found():
    text = "`test_a` `tests/unit/test_b.py` `tests/unit/test_network.py::test_c` `tests/unit/test_network.py` `test`"
    assert missing_proofs(text) == ["test_a", "tests/unit/test_b.py", "tests/unit/test_network.py::test_c"]


def test_every_claim_about_security_names_its_test():
    text = SECURITY.read_text()
    claims = re.split(r"^- ", text.split("## ", 1)[0], flags=re.MULTILINE)[1:]
    rows = text.split("## Requirements", 1)[1].split("|---|---|---|\n", 1)[1].split("\n\n", 1)[0].splitlines()
    assert claims
    assert rows
    assert [claim for claim in [*claims, *rows] if not re.search(r"`(tests/|test_)", claim)] == []
