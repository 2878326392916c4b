# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every Molecule scenario, on the one rehearsal cluster that they share."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from .conftest import ROOT

SCENARIOS = sorted(path.parent.name for path in ROOT.glob("molecule/*/molecule.yml"))


def molecule(*args):
    folder = Path(sys.executable).parent
    environment = os.environ | {"PATH": f"{folder}:{os.environ['PATH']}", "NO_COLOR": "1"}
    command = [folder / "molecule", *args]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module", autouse=True)
def shared_cluster():
    """Remove the cluster after the last scenario."""
    yield
    done = molecule("destroy", "-s", "default")
    assert done.returncode == 0, (done.stdout + done.stderr)[-6000:]


@pytest.mark.parametrize("scenario", sorted(SCENARIOS, key=lambda name: name != "default"))
def test_scenario(scenario, capsys):
    before = time.monotonic()
    done = molecule("test", "-s", scenario)
    seconds = time.monotonic() - before
    with capsys.disabled():
        print(f"\n{scenario}: {seconds:.0f} s")
    assert done.returncode == 0, (done.stdout + done.stderr)[-6000:]
