# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module rehearsal_cluster, run by main(). A small kwokctl starts processes that do nothing but are real."""

from __future__ import annotations

import http.server
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml
from ansible_collections.monorepo.gitops.plugins.module_utils._errors import GitopsError
from ansible_collections.monorepo.gitops.plugins.module_utils._rehearsal import ports, processes
from ansible_collections.monorepo.gitops.plugins.module_utils._rehearsal.argocd import answers
from ansible_collections.monorepo.gitops.plugins.module_utils._rehearsal.cluster import RehearsalCluster
from ansible_collections.monorepo.gitops.plugins.module_utils._rehearsal.processes import (
    ARGOCD,
    CONTROL_PLANE,
    NOTIFICATIONS,
)
from ansible_collections.monorepo.gitops.plugins.modules import rehearsal_cluster

from .running import run_module

# Like the real one: a file with the process id for each component, and only what has none is started. What is named in
# `broken` does not start; `kwokctl` says to fail. All that it starts is also in `started`.
KWOKCTL = """\
#!/bin/sh
echo "$*" >> "$KWOK_WORKDIR/kwokctl.log"
command="$1 $2"
for name; do :; done
folder="$KWOK_WORKDIR/clusters/$name"
if [ -e "$KWOK_WORKDIR/fails" ]; then echo "first line" >&2; cat "$KWOK_WORKDIR/fails" >&2; exit 1; fi
start() {
  mkdir -p "$folder/pids" "$folder/logs"
  for component; do
    [ -e "$folder/pids/$component.pid" ] && continue
    grep -qx "$component" "$KWOK_WORKDIR/broken" 2> /dev/null && continue
    sh -c 'read line < "$0/fifo"' "$KWOK_WORKDIR" "$component" > /dev/null 2>&1 &
    echo $! > "$folder/pids/$component.pid"
    echo $! >> "$KWOK_WORKDIR/started"
  done
}
stop() {
  for file in "$folder"/pids/*.pid; do
    [ -e "$file" ] || continue
    stat="/proc/$(cat "$file")/stat"
    kill "$(cat "$file")" 2> /dev/null
    while [ -e "$stat" ] && ! grep -q ") Z" "$stat"; do sleep 0.01; done
    rm "$file"
  done
}
case "$command" in
  "create cluster") touch "$folder/kwok.yaml"; start CONTROL_PLANE ;;
  "start cluster") start CONTROL_PLANE ARGOCD ;;
  "stop cluster" | "delete cluster") stop ;;
esac
exit 0
"""
KUBECTL = """\
#!/bin/sh
state=STATE
shift 2
echo "$*" | sed "s|$state/||g" >> $state/kubectl.log
case "$1 $2" in
  "config view") printf %s https://127.0.0.1:1234 ;;
  "get stages") cat $state/stages 2> /dev/null ;;
esac
exit 0
"""
LAUNCHER = """\
import sys
from pathlib import Path
assert sys.argv[1] == "--outdated"
outdated = Path(sys.argv[2]).parent.parent / "outdated"
print(outdated.read_text() if outdated.exists() else "[]")
"""
NODE = """\
kind: Stage
metadata: {name: node-initialize}
spec: {resourceRef: {apiGroup: v1}, selector: {matchExpressions: []}}
"""
WIDGET = """\
kind: Stage
metadata: {name: widget}
spec: {resourceRef: {apiGroup: example.com/v1}, next: {key: REHEARSAL_CA_KEY, groups: "REHEARSAL_GROUPS"}}
"""


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return path


class Machine:
    """The folders of a rehearsal cluster called dev."""

    def __init__(self, folder: Path) -> None:
        self.state = folder / "state"
        self.folder = self.state / "clusters" / "dev"
        self.binaries = folder / "binaries"
        self.state.mkdir()
        os.mkfifo(self.state / "fifo")
        names = {"CONTROL_PLANE": CONTROL_PLANE, "ARGOCD": ARGOCD}
        script = KWOKCTL
        for key, components in names.items():
            script = script.replace(key, " ".join(components))
        write(self.binaries / "bin" / "kwokctl", script)
        write(self.binaries / "bin" / "kubectl", KUBECTL.replace("STATE", str(self.state)))
        write(self.binaries / "stages" / "node-fast-node-initialize.yaml", NODE)
        self.launcher = write(folder / "launch.py", LAUNCHER)
        self.builder = write(folder / "build.py", f'print("{self.binaries}")\n')

    def __call__(self, state: str, check: bool = False, **more) -> dict:
        places = {
            "state_dir": str(self.state),
            "builder": [sys.executable, str(self.builder)],
            "launcher": str(self.launcher),
        }
        return run_module(rehearsal_cluster, check, name="dev", state=state, **places, **more)

    def pid(self, component: str) -> int:
        return int((self.folder / "pids" / f"{component}.pid").read_text())

    def calls(self, program: str) -> list[str]:
        """Return what a program was called with since the last time."""
        log = self.state / f"{program}.log"
        lines = log.read_text().splitlines() if log.exists() else []
        log.write_text("")
        return lines


@pytest.fixture
def machine(tmp_path, monkeypatch):
    made = Machine(tmp_path)
    monkeypatch.setenv("PATH", f"{made.binaries}/bin:{os.environ['PATH']}")
    yield made
    started = made.state / "started"
    for pid in started.read_text().split() if started.exists() else []:
        # Only what is still ours: the system may have given the number to somebody else.
        command = Path(f"/proc/{pid}/cmdline")
        if command.exists() and str(made.state) in command.read_text():
            os.kill(int(pid), signal.SIGKILL)


def await_end(pid: int) -> None:
    """Wait until a process is gone, or a zombie because nobody asks for its end."""
    stat, deadline = Path(f"/proc/{pid}/stat"), time.monotonic() + 30
    while stat.exists() and ") Z " not in stat.read_text():
        assert time.monotonic() < deadline, f"{pid} still runs"
        time.sleep(0.01)


def components(*running: str) -> dict[str, str]:
    return {name: "running" if name in running else "stopped" for name in (*CONTROL_PLANE, *ARGOCD)}


@pytest.fixture
def healthy(machine, monkeypatch):
    """Let all of Argo CD's ports answer."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(503 if self.path == "/busy" else 200)
            self.end_headers()

        def log_message(self, *_args):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    monkeypatch.setattr(ports, "free_ports", lambda count, _taken: [server.server_port] * count)
    yield machine
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_cluster_is_made_once(machine):
    result = machine("started")
    given = result.pop("ports")
    assert result == {
        "changed": True,
        "kubeconfig": f"{machine.folder}/admin.kubeconfig",
        "folder": str(machine.folder),
        "components": components(*CONTROL_PLANE),
        "binaries": str(machine.binaries),
    }
    assert given.keys() == set(ports.PORTS)
    files = f"--config {machine.folder}/kwokctl.yaml --kubeconfig {machine.folder}/admin.kubeconfig"
    assert machine.calls("kwokctl") == [
        f"create cluster {files} --wait 120s --name dev",
        "scale node --replicas 1 --name dev",
    ]
    again = machine("started")
    assert (again["changed"], again["ports"], machine.calls("kwokctl")) == (False, given, [])


def test_the_programs_are_built_first_and_a_user_sees_how_far_that_is(machine, tmp_path):
    progress = tmp_path / "progress"
    lines = ("Building: about 9 minutes.", "    15 s: 1 of 9", str(machine.binaries))
    machine.builder.write_text("".join(f"print({line!r})\n" for line in lines))
    result = machine("started", True, progress_file=str(progress))
    assert (result["changed"], result["binaries"]) == (True, str(machine.binaries))
    assert progress.read_text() == "Building: about 9 minutes.\n  15 s: 1 of 9\n"


@pytest.mark.parametrize("state", ["stopped", "absent", "present"])
def test_nothing_is_built_to_end_what_is_there_or_what_is_not(machine, state):
    machine("started")
    machine.builder.write_text('import sys\nsys.exit("It was built.")\n')
    assert machine(state)["binaries"] == str(machine.binaries)
    machine("absent")
    assert (machine(state)["changed"], machine(state)["binaries"]) == (False, "")


def test_why_the_programs_cannot_be_built_is_all_that_is_said(machine):
    machine.builder.write_text('import sys\nprint("Building")\nsys.exit("git is missing. Install it.")\n')
    assert machine("started", True) == {"failed": True, "msg": "git is missing. Install it."}
    machine.builder.write_text("raise SystemExit(3)\n")
    assert machine("started") == {"failed": True, "msg": f"{sys.executable} {machine.builder} ended with 3."}


def test_kwokctl_is_told_to_listen_on_this_machine_only_and_to_supervise_argocd(machine):
    machine("started", argocd_namespace="delivery")
    config = yaml.safe_load((machine.folder / "kwokctl.yaml").read_text())
    assert config["options"]["bindAddress"] == "127.0.0.1"
    assert config["options"]["etcdBinary"] == f"{machine.binaries}/bin/etcd"
    *argocd, kubelet = config["components"]
    assert [entry["name"] for entry in argocd] == [*ARGOCD, NOTIFICATIONS]
    assert {os.path.realpath(entry["binary"]) for entry in argocd} == {f"{machine.folder}/launch/launch.py"}
    assert (kubelet["name"], kubelet["binary"]) == ("kubelet", f"{machine.binaries}/bin/kubelet")
    assert machine.folder.stat().st_mode & 0o777 == 0o700
    rules = yaml.safe_load((machine.folder / "audit-policy.yaml").read_text())["rules"]
    assert {rule["level"] for rule in rules} == {"None", "Metadata"}
    started = json.loads((machine.folder / "argocd.json").read_text())
    assert (started["namespace"], started["server"]) == ("delivery", "https://127.0.0.1:1234")


def test_stages_are_applied_when_they_changed(machine, tmp_path):
    widget = write(tmp_path / "widget.yaml", WIDGET)
    machine("started", stages=[str(widget)])
    assert "apply --server-side --force-conflicts -f clusters/dev/stages.yaml" in machine.calls("kubectl")
    applied = (machine.folder / "stages.yaml").read_text()
    key = (machine.folder / "stages-ca.key").read_text()
    assert f'{{key: {key}, groups: "example.com"}}' in applied
    assert (machine.folder / "stages-ca.key").stat().st_mode & 0o777 == 0o600
    # Without it nothing is taken away: another playbook does not know all Stages.
    assert machine("started")["changed"] is False
    write(widget, WIDGET.replace("widget", "gadget"))
    (machine.state / "stages").write_text(
        "".join(f"stage.kwok.x-k8s.io/{name}\n" for name in ("node-initialize", "widget", "gadget", "stage-reload"))
    )
    machine.calls("kubectl")
    assert machine("started", stages=[str(widget)])["changed"] is True
    assert machine.calls("kubectl")[1:] == ["get stages -o name", "delete stage.kwok.x-k8s.io/widget"]
    assert key in (machine.folder / "stages.yaml").read_text()


def test_storage_classes_are_applied_once(machine):
    assert machine("started", storage_classes=["fast", "slow"])["changed"] is True
    items = yaml.safe_load_all((machine.folder / "stages.yaml").read_text())
    assert [item["metadata"]["name"] for item in items if item["kind"] == "StorageClass"] == ["fast", "slow"]
    assert machine("started", storage_classes=["slow"])["changed"] is False


def test_what_does_not_run_is_started_again(machine):
    machine("started")
    os.kill(machine.pid("kube-scheduler"), signal.SIGKILL)
    before = machine.pid("etcd")
    await_end(machine.pid("kube-scheduler"))
    (machine.folder / "pids" / "kwok-controller.pid").write_text("not a number")
    assert machine("present")["components"] == components(
        "etcd", "kube-apiserver", "kube-controller-manager", "kubelet"
    )
    assert machine("started")["changed"] is True
    assert machine("present")["components"]["kube-scheduler"] == "running"
    assert machine.pid("etcd") == before


def test_a_cluster_that_was_made_without_a_later_component_goes_on_without_it(machine):
    machine("started")
    os.kill(machine.pid("kubelet"), signal.SIGKILL)
    await_end(machine.pid("kubelet"))
    config = yaml.safe_load((machine.folder / "kwokctl.yaml").read_text())
    config["components"] = [entry for entry in config["components"] if entry["name"] in ARGOCD]
    (machine.folder / "kwokctl.yaml").write_text(yaml.safe_dump(config))
    assert machine("started")["changed"] is False
    assert "kubelet" not in machine("present")["components"]


def test_the_number_of_somebody_elses_process_is_not_ours(machine):
    machine("started")
    (machine.folder / "pids" / "etcd.pid").write_text(str(os.getpid()))
    assert machine("present")["components"]["etcd"] == "stopped"


def test_some_or_all_are_stopped(machine):
    machine("started")
    assert machine("stopped", components=["kube-scheduler"])["components"]["kube-scheduler"] == "stopped"
    assert machine("stopped", components=["kube-scheduler"])["changed"] is False
    result = machine("stopped")
    assert (result["changed"], result["components"]) == (True, components())
    assert machine.folder.exists()
    assert machine("stopped")["changed"] is False


def test_a_process_that_does_not_end_is_killed(machine, monkeypatch):
    machine("started")
    command = ["sh", "-c", 'trap "" TERM; echo ready; read line < "$0/fifo"', str(machine.state), "etcd"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as stubborn:
        stubborn.stdout.readline()
        os.kill(machine.pid("etcd"), signal.SIGKILL)
        (machine.folder / "pids" / "etcd.pid").write_text(str(stubborn.pid))
        clock = iter(range(0, 10_000, 15))
        monkeypatch.setattr(processes, "time", SimpleNamespace(monotonic=lambda: next(clock), sleep=time.sleep))
        assert machine("stopped", components=["etcd"])["components"]["etcd"] == "stopped"
    assert stubborn.returncode == -signal.SIGKILL


def test_processes_are_restarted(machine):
    machine("started")
    before = {name: machine.pid(name) for name in CONTROL_PLANE}
    assert machine("restarted", components=["kube-scheduler"])["changed"] is True
    after = {name: machine.pid(name) for name in CONTROL_PLANE}
    assert [name for name in CONTROL_PLANE if before[name] != after[name]] == ["kube-scheduler"]


def test_a_cluster_is_removed(machine):
    machine("started")
    pid = machine.pid("etcd")
    result = machine("absent")
    assert (result["changed"], result["components"], result["ports"]) == (True, components(), {})
    assert not machine.folder.exists()
    await_end(pid)
    assert machine("absent")["changed"] is False


@pytest.mark.parametrize(
    ("state", "missing", "running"),
    [
        ("started", True, False),
        ("argocd_started", True, True),
        ("restarted", True, True),
        ("stopped", False, True),
        ("absent", False, True),
        ("present", False, False),
    ],
)
def test_check_mode_tells_and_does_nothing(machine, state, missing, running):
    assert machine(state, True)["changed"] is missing
    assert not machine.folder.exists()
    machine("started")
    machine.calls("kwokctl")
    assert machine(state, True)["changed"] is running
    assert machine.calls("kwokctl") == []


def test_the_api_server_has_its_usual_limits_and_trusts_the_kubelet_that_trusts_it(machine):
    given = machine("started")["ports"]
    config = yaml.safe_load((machine.folder / "kwokctl.yaml").read_text())
    patches = {
        patch["name"]: {entry["key"]: entry["value"] for entry in patch["extraArgs"]}
        for patch in config["componentsPatches"]
    }
    assert patches == {
        "etcd": {"unsafe-no-fsync": "true"},
        "kube-controller-manager": {"leader-elect": "false"},
        "kube-scheduler": {"leader-elect": "false"},
        "kube-apiserver": {
            "enable-priority-and-fairness": "true",
            "max-requests-inflight": "400",
            "max-mutating-requests-inflight": "200",
            "kubelet-certificate-authority": f"{machine.folder}/pki/ca.crt",
            "kubelet-client-certificate": f"{machine.folder}/pki/admin.crt",
            "kubelet-client-key": f"{machine.folder}/pki/admin.key",
            "kubelet-preferred-address-types": "Hostname",
        },
        "kwok-controller": {"node-port": str(given["kubelet"])},
    }


def test_a_component_that_does_not_exist_is_named(machine):
    machine("started")
    assert machine("stopped", components=["argocd-dex"]) == {
        "failed": True,
        "msg": "A rehearsal cluster has no component argocd-dex: use one of etcd, kube-apiserver, "
        "kube-controller-manager, kube-scheduler, kwok-controller, kubelet, argocd-redis, argocd-repo-server, "
        "argocd-application-controller, argocd-applicationset-controller, argocd-server, "
        "argocd-notifications-controller.",
    }


def test_a_creation_that_failed_is_begun_anew(machine):
    (machine.state / "fails").write_text("port is in use\nlast\nlines\n")
    assert machine("started") == {"failed": True, "msg": "kwokctl create failed: port is in use | last | lines"}
    assert machine("present")["ports"] == {}
    (machine.state / "fails").unlink()
    (machine.folder / "kwok.yaml").touch()
    (machine.folder / "leftover").touch()
    machine.calls("kwokctl")
    assert machine("started")["changed"] is True
    assert not (machine.folder / "leftover").exists()
    assert [line.split(" --")[0] for line in machine.calls("kwokctl")] == [
        "delete cluster",
        "create cluster",
        "scale node",
    ]


def test_a_program_that_takes_too_long_is_named(machine):
    cluster = cluster_of(machine)
    with pytest.raises(GitopsError, match=f"^sleep 60 took longer than 0 s; see {machine.folder}/logs$"):
        cluster.programs.run("sleep", "60", timeout=0)


def cluster_of(machine: Machine) -> RehearsalCluster:
    """Return the cluster that the module works with."""
    seen = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rehearsal_cluster, "apply_state", lambda cluster, _params: seen.append(cluster) or False)
        machine("started")
    return seen[0]


def test_the_users_own_cluster_and_repository_do_not_reach_the_programs(machine, monkeypatch):
    monkeypatch.setenv("KUBECONFIG", "/mine")
    monkeypatch.setenv("GIT_DIR", "/mine")
    lines = dict(line.split("=", 1) for line in cluster_of(machine).programs.run("env").splitlines() if "=" in line)
    assert "KUBECONFIG" not in lines
    assert "GIT_DIR" not in lines
    assert lines["KWOK_WORKDIR"] == str(machine.state)
    assert lines["PATH"].startswith(f"{machine.binaries}/bin:")


# --- Argo CD ---------------------------------------------------------------------------------------------------------


def test_argocd_is_started_and_only_what_is_outdated_again(healthy):
    result = healthy("argocd_started")
    assert (result["changed"], result["components"]) == (True, components(*CONTROL_PLANE, *ARGOCD))
    assert healthy("argocd_started")["changed"] is False
    before = {name: healthy.pid(name) for name in ARGOCD}
    (healthy.state / "outdated").write_text('["argocd-server"]')
    assert healthy("argocd_started")["changed"] is True
    assert [name for name in ARGOCD if before[name] != healthy.pid(name)] == ["argocd-server"]


def test_without_names_all_of_argocd_is_restarted(healthy):
    healthy("argocd_started")
    before = {name: healthy.pid(name) for name in (*CONTROL_PLANE, *ARGOCD)}
    assert healthy("restarted")["changed"] is True
    assert {name for name in before if before[name] != healthy.pid(name)} == set(ARGOCD)


def test_argocd_that_ends_shows_its_last_lines(machine):
    (machine.state / "broken").write_text("argocd-repo-server\n")
    machine("started")
    log = write(machine.folder / "logs" / "argocd-repo-server.log", "one\ntwo\nthree\n  four\n")
    message = f"argocd-repo-server exited: two | three | four (in {log})"
    assert machine("argocd_started") == {"failed": True, "msg": message}
    log.unlink()
    assert machine("argocd_started")["msg"] == f"argocd-repo-server exited: no output (in {log})"


def test_argocd_that_is_not_ready_in_time_is_named(machine):
    log = machine.folder / "logs" / "argocd-repo-server.log"
    message = f"argocd-repo-server was not ready after 0 s; see {log}"
    assert machine("argocd_started", timeout=0) == {"failed": True, "msg": message}


@pytest.mark.usefixtures("healthy")
def test_only_a_server_that_says_200_is_ready():
    (port,) = ports.free_ports(1, set())
    assert answers(f"127.0.0.1:{port}/healthz")
    assert not answers(f"127.0.0.1:{port}/busy")
    assert not answers("127.0.0.1:1/healthz")
