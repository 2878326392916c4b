# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A Molecule scenario for each role, all in one go on the one rehearsal cluster that they share."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from rendering import programs

from .conftest import ROOT

SCENARIOS = sorted(path.parent.name for path in ROOT.glob("molecule/*/molecule.yml"))
# The whole run of scenario default starts the cluster, reaches it, and renders all components.
IN_DEFAULT = {"cluster", "component", "rehearsal_cluster"}


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
    yield
    done = molecule("destroy", "-s", "default")
    assert done.returncode == 0, (done.stdout + done.stderr)[-6000:]


@pytest.fixture(scope="module")
def everything(shared_cluster):  # noqa: ARG001
    """Run all scenarios in one go; the first that fails ends it."""
    return molecule("test", "--all", "--destroy=never")


def test_every_role_has_a_scenario():
    roles = {path.name for path in (ROOT / "roles").iterdir()}
    assert roles - IN_DEFAULT - {*SCENARIOS} == set()


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_a_scenario_converges_verifies_and_changes_nothing_again(everything, scenario):
    output = everything.stdout + everything.stderr
    found = re.findall(rf"^INFO +\[{scenario} > (\w+)\] Executed: Successful$", output, re.MULTILINE)
    assert {"converge", "verify", "idempotence"} <= {*found}, output[-6000:]


def test_a_scenario_runs_on_the_cluster_of_a_kubeconfig(everything, tmp_path):
    """The shared cluster, named as any other one; the state of Molecule is a new one, so it is looked for."""
    assert everything.returncode == 0, (everything.stdout + everything.stderr)[-6000:]
    state = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state")
    name = f"molecule-{hashlib.sha1(str(ROOT).encode(), usedforsecurity=False).hexdigest()[:6]}"
    folder = state / "monorepo.gitops" / "clusters" / name
    cluster = {"GITOPS_KUBECONFIG": f"{folder}/admin.kubeconfig", "GITOPS_REPO_URL": f"file://{folder}/monorepo.git"}
    path = f"{Path(sys.executable).parent}:{programs()}/bin:{os.environ['PATH']}"
    done = molecule(
        *("converge", "-s", "maildev"),
        **cluster | {"GITOPS_REHEARSAL": "true", "MOLECULE_EPHEMERAL_DIRECTORY": str(tmp_path), "PATH": path},
    )
    assert done.returncode == 0, done.stdout[-6000:]
    assert "Connect to the existing cluster" in done.stdout
    assert "Start the rehearsal cluster" not in done.stdout


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
    assert done.returncode == 0, (done.stdout + done.stderr)[-6000:]
    assert seconds < 60 or scenario == "default"
