# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A Molecule scenario for each role, on the one rehearsal cluster that they share.

What the scenarios of the components set and check does not clash: one run does it for all of them, and Molecule runs
maildev. Each scenario alone is a long test, also default, the whole run, which test_complete has without Molecule.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml
from rendering import programs
from tear_down import assert_gone, cluster_folder, torn_down

from .conftest import ROOT

SCENARIOS = sorted(path.parent.name for path in ROOT.glob("molecule/*/molecule.yml"))
FOLDER = cluster_folder("molecule", ROOT)  # of the shared cluster
# The whole run of scenario default checks the inventory, starts the cluster, reaches it, and renders all components.
IN_DEFAULT = {"cluster", "component", "gitops", "rehearsal_cluster"}
# Those of the components, which have the same playbooks.
COMPONENTS = [name for name in SCENARIOS if not (ROOT / "molecule" / name / "converge.yml").exists()]


def molecule(*args, **variables):
    folder = Path(sys.executable).parent
    environment = os.environ | {"PATH": f"{folder}:{os.environ['PATH']}", "NO_COLOR": "1"} | variables
    command = [folder / "molecule", *args]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def shared_cluster():
    """Remove the cluster after the last scenario."""
    # Molecule may remember a cluster that was removed without it.
    done = molecule("reset", "-s", "default")
    assert done.returncode == 0, (done.stdout + done.stderr)[-6000:]
    with torn_down(destroy):
        yield


def destroy():
    done = molecule("destroy", "-s", "default")
    assert done.returncode == 0, (done.stdout + done.stderr)[-6000:]
    assert_gone(FOLDER)


@pytest.fixture(scope="module")
def folder(shared_cluster):  # noqa: ARG001
    """Return the folder of the shared cluster, which is up."""
    created = molecule("create")
    assert created.returncode == 0, created.stdout[-3000:]
    return FOLDER


def components(*playbooks):
    """Run playbooks with the variables of all scenarios of components, as Molecule does for one."""
    everything = {
        "gitops_environment": "molecule",
        "molecule_scenarios": COMPONENTS,
        "verify_components": [name for scenario in COMPONENTS for name in variables(scenario)["verify_components"]],
    }
    inventories = [f"--inventory={ROOT / name}" for name in ("inventories/dev", "molecule/inventory")]
    files = [f"--extra-vars=@{ROOT}/molecule/{scenario}/vars/main.yml" for scenario in COMPONENTS]
    return subprocess.run(
        [
            Path(sys.executable).parent / "ansible-playbook",
            *inventories,
            *files,
            f"--extra-vars={json.dumps(everything)}",
            *(ROOT / "molecule" / "playbooks" / name for name in playbooks),
        ],
        cwd=ROOT,
        env=os.environ | {"MOLECULE_PROJECT_DIRECTORY": str(ROOT), "ANSIBLE_NOCOLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


def variables(scenario):
    return yaml.safe_load((ROOT / "molecule" / scenario / "vars" / "main.yml").read_text())


def test_every_role_has_a_scenario():
    roles = {path.name for path in (ROOT / "roles").iterdir()}
    assert roles - IN_DEFAULT - {*SCENARIOS} == set()


def test_no_scenario_sets_what_another_sets():
    names = [name for scenario in COMPONENTS for name in variables(scenario) if name != "verify_components"]
    assert len(names) == len({*names})


@pytest.mark.usefixtures("folder")
def test_what_the_scenarios_of_the_components_do_in_one_run():
    done = components("component.yml", "verify.yml")
    assert done.returncode == 0, done.stdout[-6000:]
    for scenario in COMPONENTS:
        assert f"molecule/{scenario}/checks.yml for localhost" in done.stdout
    again = components("component.yml")
    assert again.returncode == 0, again.stdout[-6000:]
    assert "changed=0 " in again.stdout, again.stdout[-6000:]


def test_a_scenario_runs_on_the_cluster_of_a_kubeconfig(folder, tmp_path):
    """The shared cluster, named as any other one; the state of Molecule is a new one, so it is looked for."""
    cluster = {"GITOPS_KUBECONFIG": f"{folder}/admin.kubeconfig", "GITOPS_REPO_URL": f"file://{folder}/monorepo.git"}
    path = f"{Path(sys.executable).parent}:{programs()}/bin:{os.environ['PATH']}"
    done = molecule(
        *("test", "-s", "maildev", "--destroy=never"),
        **cluster | {"GITOPS_REHEARSAL": "true", "MOLECULE_EPHEMERAL_DIRECTORY": str(tmp_path), "PATH": path},
    )
    assert done.returncode == 0, done.stdout[-6000:]
    assert "Reach the cluster of kind existing" in done.stdout
    assert "Bring the rehearsal cluster into the state" not in done.stdout


@pytest.mark.long("molecule")
@pytest.mark.usefixtures("shared_cluster")
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_a_scenario_alone_takes_less_than_a_minute(scenario):
    """As the developer of one role runs it, on the cluster that is up."""
    created = molecule("create")
    assert created.returncode == 0, created.stdout[-3000:]
    before = time.monotonic()
    done = molecule("test", "-s", scenario, "--destroy=never")
    seconds = time.monotonic() - before
    output = done.stdout + done.stderr
    assert done.returncode == 0, output[-6000:]
    if scenario == "default":
        found = re.findall(r"^INFO +\[default > (\w+)\] Executed: Successful$", output, re.MULTILINE)
        assert {"converge", "verify", "idempotence"} <= {*found}, output[-6000:]
    assert seconds < 60 or scenario == "default"
