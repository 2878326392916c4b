# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A node leaves nothing on the machine, however it ends."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from .node import cgroups, keeper, traces
from .node.keeper import Run
from .node.processes import eventually

pytestmark = pytest.mark.machine
ROOT = Path(__file__).resolve().parent.parent.parent
# As a node without one: links, mounts, tables, cgroups, namespaces, and processes in sessions of their own.
PLAYED = """
import signal, subprocess, sys, time
from pathlib import Path
from real.node import keeper, network
def main(folder):
    network.create()
    subprocess.run(["nft", "add", "table", "ip", "kube-proxy"], check=True)
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", folder / "logs"], check=True)
    pod = Path("/sys/fs/cgroup/memory/kubepods/pod")
    pod.mkdir(parents=True)
    Path("/var/lib/cni").mkdir()
    process = subprocess.Popen(["sleep", "1000"], start_new_session=True)
    (pod / "cgroup.procs").write_text(str(process.pid))
    print("ready", flush=True)
    while not (folder / "go").exists():
        time.sleep(0.05)
    {what}
    return 0
sys.exit(keeper.start(Path(sys.argv[1]), main))
"""


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


@contextlib.contextmanager
def played(state: Path, what: str) -> Iterator[subprocess.Popen[str]]:
    """Play a node that does something when it is ready; afterwards nothing of it is left."""
    before = traces.found(state)
    command = [sys.executable, "-c", PLAYED.replace("{what}", what), str(state)]
    environment = os.environ | {"PYTHONPATH": str(ROOT / "tests")}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as front:
        assert front.stdout
        assert front.stdout.readline() == "ready\n"
        (run,) = {run.folder for run in keeper.runs(state)} - {state / name for name in before["runs"]}
        namespaces = traces.namespaces(int(Run(run).first.read_text()))
        assert {name.partition(":")[0] for name in namespaces} >= {"mnt", "net", "pid", "ipc", "uts", "cgroup"}
        assert Path("/sys/fs/cgroup/memory/gitops-real-node", run.name, "kubepods/pod").is_dir()
        (run / "go").touch()
        yield front
        front.wait(60)
    eventually(lambda: not traces.members(namespaces), "the end of all processes", 30)
    eventually(lambda: not Run(run).goes_on(), "the keeper", 30)
    assert traces.left(before, traces.found(state)) == []


def of(front: subprocess.Popen[str], state: Path) -> dict[str, int]:
    """Return the processes of a run, by what they are."""
    first = int(keeper.runs(state)[0].first.read_text())
    parent = re.search(r"^PPid:\s+(\d+)", Path(f"/proc/{first}/status").read_text(), re.MULTILINE)
    assert parent
    return {"front": front.pid, "keeper": int(parent[1]), "first": first, "main": children(first)[0]}


def children(process: int) -> list[int]:
    return sorted(map(int, Path(f"/proc/{process}/task/{process}/children").read_text().split()))


def test_after_a_run(state):
    with played(state, "pass") as front:
        pass
    assert front.returncode == 0


def test_after_a_failure(state):
    with played(state, "raise SystemExit('failed')") as front:
        pass
    assert front.returncode == 1


@pytest.mark.parametrize("who", ["front", "keeper", "first", "main"])
def test_after_kill_9(state, who):
    with played(state, "time.sleep(1000)") as front:
        os.kill(of(front, state)[who], signal.SIGKILL)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_after_a_signal(state, number):
    with played(state, "time.sleep(1000)") as front:
        front.send_signal(number)
        if number == signal.SIGINT:  # from a terminal the tests receive it, too, and have some time to end
            assert front.poll() is None
            os.kill(of(front, state)["main"], signal.SIGINT)


def kill_front_and_keeper(front: subprocess.Popen[str], state: Path) -> None:
    """Kill both before one of them does the work of the other."""
    keeper_of_it = of(front, state)["keeper"]
    front.send_signal(signal.SIGSTOP)
    os.kill(keeper_of_it, signal.SIGKILL)
    front.kill()


def test_after_kill_9_of_front_and_keeper_the_next_run_removes_what_is_left(state):
    before = traces.found(state)
    with pytest.raises(AssertionError) as error, played(state, "time.sleep(1000)") as front:
        kill_front_and_keeper(front, state)
    # Cgroups and the folder of state; the kernel removed all the rest.
    kinds = {entry.partition(":")[0] for entry in traces.left(before, traces.found(state))}
    assert kinds == {"cgroups", "runs"}, error
    keeper.remove_leftovers(state)
    assert traces.left(before, traces.found(state)) == []


def test_a_run_does_not_touch_another_one(state):
    with played(state, "time.sleep(1000)") as front:
        with played(state, "pass"):
            keeper.remove_leftovers(state)
        assert front.poll() is None
        front.terminate()


def test_after_a_whole_node(state, tmp_path):
    """Containers run when the first process is killed."""
    before = traces.found(state)
    command = [sys.executable, "-m", "real.node", "--shell", "sleep", "1000"]
    environment = os.environ | {"PYTHONPATH": str(ROOT / "tests"), "XDG_STATE_HOME": str(tmp_path)}
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as front:
        assert front.stderr
        said = []
        while not any("is ready after" in line for line in said):
            said.append(front.stderr.readline())
            assert said[-1], "".join(said)
        state = tmp_path / "monorepo.gitops" / "real-node"
        assert any("kubepods" in folder.parts for folder in cgroups.folders(keeper.runs(state)[0].folder.name))
        os.kill(of(front, state)["first"], signal.SIGKILL)
        front.wait(60)
    assert traces.left(before, traces.found(state)) == []
