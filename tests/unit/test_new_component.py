# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A new component is the example under another name, and nothing that is there is changed."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from ansible import constants
from ansible.errors import AnsibleActionFail
from ansible_collections.monorepo.gitops.plugins.action.new_component import EXAMPLE, example, renamed

from .running import run_action

ROOT = Path(__file__).resolve().parent.parent.parent
GOOD = {"name": "hello-world", "collection": "acme.platform"}


def collection(folder):
    return folder / "ansible_collections" / "acme" / "platform"


def files(folder):
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def made(tmp_path):
    result = run_action("new_component", **GOOD, folder=str(tmp_path))
    assert result["changed"]
    return result


def test_the_role_has_the_files_of_the_example(tmp_path, made):
    role = collection(tmp_path) / "roles" / "hello_world"
    assert files(role) == renamed(example(), "hello-world")
    assert files(role).keys() == files(EXAMPLE).keys()
    definition = yaml.safe_load((role / "vars/main.yml").read_text())["hello_world_component"]
    assert (definition["name"], definition["namespace"]) == ("hello-world", "services")
    assert (made["role"], made["path"]) == ("acme.platform.hello_world", str(role))


def test_names_are_replaced_in_variables_and_in_objects():
    text = 'name: hello\nhost: "{{ hello_host }}"\n'
    assert renamed({"x": text}, "say-hello") == {"x": 'name: say-hello\nhost: "{{ say_hello_host }}"\n'}
    assert renamed(example(), "hello") == example()


def test_the_definition_is_written_last():
    assert list(example())[-1] == "vars/main.yml"


@pytest.mark.usefixtures("made")
def test_a_new_collection_is_described(tmp_path):
    found = yaml.safe_load((collection(tmp_path) / "galaxy.yml").read_text())
    assert (found["namespace"], found["name"], found["dependencies"]) == ("acme", "platform", {"monorepo.gitops": "*"})
    assert (collection(tmp_path) / found["readme"]).is_file()


@pytest.mark.usefixtures("made")
def test_what_was_changed_or_removed_stays_so(tmp_path):
    role = collection(tmp_path) / "roles" / "hello_world"
    (role / "README.md").write_text("mine")
    (role / "templates/base/httproute.yaml.j2").unlink()
    before = files(tmp_path)
    assert not run_action("new_component", **GOOD, folder=str(tmp_path))["changed"]
    assert files(tmp_path) == before


@pytest.mark.usefixtures("made")
def test_an_interrupted_run_is_finished_and_keeps_what_is_there(tmp_path):
    role = collection(tmp_path) / "roles" / "hello_world"
    (role / "vars/main.yml").unlink()
    (role / "README.md").write_text("mine")
    (collection(tmp_path) / "galaxy.yml").write_text("mine")
    assert run_action("new_component", **GOOD, folder=str(tmp_path))["files"] == [str(role / "vars/main.yml")]
    assert ((role / "README.md").read_text(), (collection(tmp_path) / "galaxy.yml").read_text()) == ("mine", "mine")


def test_check_mode_shows_the_files_and_writes_none(tmp_path):
    result = run_action("new_component", None, True, **GOOD, folder=str(tmp_path))
    assert [entry["after"] for entry in result["diff"]][1:] == list(renamed(example(), "hello-world").values())
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_ansible_searches_needs_no_setting(tmp_path, made):
    assert made["collections_path"] == str(tmp_path)
    searched = constants.config.get_config_value("COLLECTIONS_PATHS")[0]
    known = run_action("new_component", None, True, **GOOD, folder=searched)
    assert known["collections_path"] == ""


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"name": "Hello"},
            "new_component_name is 'Hello': set it to the name of the component, at most 63 lower-case letters, digits "
            "and '-', for example -e new_component_name=hello.",
        ),
        (
            {"name": "kafka-ui"},
            "new_component_name is 'kafka-ui', which is a role of monorepo.gitops with variables kafka_ui_*: choose "
            "another.",
        ),
        (
            {"collection": "acme"},
            "new_component_collection is 'acme': set it to the namespace and the name of a collection of your own, for "
            "example -e new_component_collection=acme.platform.",
        ),
    ],
)
def test_a_wrong_name_is_refused_before_anything_is_written(tmp_path, options, message):
    with pytest.raises(AnsibleActionFail) as error:
        run_action("new_component", **GOOD | options, folder=str(tmp_path))
    assert str(error.value) == message
    assert list(tmp_path.iterdir()) == []


def test_an_installed_collection_is_left_alone(tmp_path):
    collection(tmp_path).mkdir(parents=True)
    (collection(tmp_path) / "MANIFEST.json").write_text("{}")
    with pytest.raises(AnsibleActionFail, match="was installed by ansible-galaxy, whose next installation removes"):
        run_action("new_component", **GOOD, folder=str(tmp_path))
    assert [path.name for path in collection(tmp_path).iterdir()] == ["MANIFEST.json"]


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(AnsibleActionFail, match=r"new_component_folder: .*/file.*: Not a directory\."):
        run_action("new_component", **GOOD, folder=str(tmp_path / "file"))


def play(folder, **variables):
    given = [word for name, value in variables.items() for word in ("-e", f"{name}={value}")]
    done = subprocess.run(
        [Path(sys.executable).parent / "ansible-playbook", ROOT / "playbooks/new_component.yml", *given],
        cwd=folder,
        env=os.environ | {"ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, re.sub(r"\s+", " ", done.stdout + done.stderr)


def test_the_playbook_prints_what_comes_next(tmp_path):
    code, output = play(tmp_path, new_component_name="hello", new_component_collection="acme.platform")
    assert code == 0, output
    assert f"add {tmp_path}/collections to collections_path in ansible.cfg." in output
    assert "Add acme.platform.hello to gitops_components of an inventory." in output
    assert files(collection(tmp_path / "collections") / "roles" / "hello") == files(EXAMPLE)


def test_a_misspelt_option_of_the_playbook_is_named(tmp_path):
    code, output = play(tmp_path, new_component_nam="hello")
    assert code != 0
    assert "new_component_nam is not an option: use new_component_name, new_component_collection," in output
