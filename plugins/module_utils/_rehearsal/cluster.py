# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A rehearsal cluster: the configuration of kwokctl, and the checks around it.

kwokctl starts, stops and supervises every process. This file writes its configuration, reserves the ports, applies
the KWOK Stages and restarts Argo CD's processes when their configuration changed.

For use within the collection monorepo.gitops only.
"""

from __future__ import annotations

import base64
import contextlib
import fcntl
import hashlib
import http.client
import json
import os
import random
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ansible.module_utils.urls import open_url
from ansible_collections.monorepo.gitops.plugins.module_utils import _yaml
from ansible_collections.monorepo.gitops.plugins.module_utils._errors import GitopsError
from ansible_collections.monorepo.gitops.plugins.module_utils._git import git_environment
from ansible_collections.monorepo.gitops.plugins.module_utils._loopback import exempt_from_proxies

CONTROL_PLANE = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kwok-controller")
ARGOCD = (
    "argocd-redis",
    "argocd-repo-server",
    "argocd-application-controller",
    "argocd-applicationset-controller",
    "argocd-server",
)
PORTS = (
    *ARGOCD,
    "argocd-repo-server-metrics",
    "argocd-applicationset-probe",
    "argocd-applicationset-webhook",
    "argocd-server-metrics",
)
# Readiness endpoint of each process.
HEALTH = {
    "argocd-repo-server": ("argocd-repo-server-metrics", "/healthz"),
    "argocd-application-controller": ("argocd-application-controller", "/healthz"),
    "argocd-applicationset-controller": ("argocd-applicationset-controller", "/metrics"),
    "argocd-server": ("argocd-server", "/healthz"),
}
# Log write requests without their bodies: the log stays small and contains no Secret.
AUDIT_POLICY = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],
    "rules": [
        {"level": "None", "verbs": ["get", "list", "watch"]},
        {
            "level": "None",
            "resources": [
                {"group": "coordination.k8s.io"},
                {"group": "", "resources": ["events"]},
                {"group": "events.k8s.io"},
            ],
        },
        {"level": "Metadata"},
    ],
}
# Annotation on a simulated object that selects its behaviour.
SIMULATE = '.metadata.annotations["rehearsal.monorepo.gitops/simulate"]'
# A P-256 key in PKCS #8, up to its 32 bytes.
PKCS8_P256 = bytes.fromhex("3041020100301306072a8648ce3d020106082a8648ce3d030107042730250201010420")


class RehearsalCluster:
    """One named cluster with its own folder, ports and processes."""

    def __init__(self, name: str, state_dir: str, binaries: str, launcher: str, argocd_namespace: str) -> None:
        exempt_from_proxies()
        self.name = name
        self.binaries = Path(binaries) / "bin"
        self.default_stages = Path(binaries) / "stages"
        self.launcher = Path(launcher)
        self.argocd_namespace = argocd_namespace
        self.state_dir = Path(state_dir)
        self.folder = self.state_dir / "clusters" / name
        self.kubeconfig = self.folder / "admin.kubeconfig"

    # --- kwokctl -----------------------------------------------------------------------------------------------------

    def run(self, *command: str | Path, timeout: int = 180) -> str:
        """Run a program of the rehearsal; its error output becomes the error message."""
        # Argo CD's processes inherit it, and its repo-server runs git.
        environment = git_environment(isolated=True) | self._work_folder()
        environment["PATH"] = f"{self.binaries}:{os.environ['PATH']}"
        # kwokctl would read the user's own configuration otherwise.
        environment.pop("KUBECONFIG", None)
        try:
            done = subprocess.run(
                [str(part) for part in command],
                env=environment,
                capture_output=True,
                text=True,
                timeout=timeout,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise GitopsError(
                f"{Path(command[0]).name} {command[1]} took longer than {timeout} s; see {self.folder}/logs"
            ) from error
        if done.returncode:
            raise GitopsError(f"{Path(command[0]).name} {command[1]} failed: {last_lines(done.stderr or done.stdout)}")
        return done.stdout

    def _work_folder(self) -> dict[str, str]:
        """Return variables for kwokctl's work folder: it truncates KWOK_WORKDIR at a space, but not its default."""
        if " " not in str(self.state_dir):
            return {"KWOK_WORKDIR": str(self.state_dir)}
        with contextlib.suppress(FileExistsError):
            (self.state_dir / ".kwok").symlink_to(".")
        return {"HOME": str(self.state_dir)}

    def kwokctl(self, *args: str | Path) -> str:
        """Run kwokctl for this cluster."""
        return self.run(self.binaries / "kwokctl", *args, "--name", self.name)

    def kubectl(self, *args: str | Path) -> str:
        """Run kubectl as the administrator of this cluster."""
        return self.run(self.binaries / "kubectl", "--kubeconfig", self.kubeconfig, *args)

    # --- state -------------------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def locked(self, what: str = "") -> Iterator[None]:
        """Keep two runs from doing the same at once; the system drops the lock when the process ends."""
        self.state_dir.mkdir(parents=True, exist_ok=True)
        with (self.state_dir / f".{what or self.name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def created(self) -> bool:
        """Return whether kwokctl finished creating the cluster."""
        return (self.folder / "created").exists()

    def pid(self, component: str) -> int | None:
        """Return the process id of a component that really runs."""
        try:
            pid = int((self.folder / "pids" / f"{component}.pid").read_text())
        except (OSError, ValueError):
            return None
        return pid if is_running(pid, component) else None

    def status(self) -> dict[str, str]:
        """Return `running` or `stopped` for each component."""
        return {name: "running" if self.pid(name) else "stopped" for name in (*CONTROL_PLANE, *ARGOCD)}

    def ports(self) -> dict[str, int]:
        """Return the ports of Argo CD's processes, chosen once per cluster.

        The ports of other clusters count as taken even if unused: such a cluster may be stopped or about to start.
        """
        path = self.folder / "ports.json"
        if not path.exists():
            taken = set().union(*map(chosen_ports, self.folder.parent.glob("*/ports.json")))
            path.write_text(json.dumps(dict(zip(PORTS, free_ports(len(PORTS), taken), strict=True))))
        ports: dict[str, int] = json.loads(path.read_text())
        return ports

    def _ask_pass_socket(self) -> Path:
        """Return where the repo-server listens: a socket's path has at most 107 characters, wherever the state is."""
        return Path(f"/tmp/argocd-ask-pass-{self.ports()['argocd-repo-server']}.sock")  # noqa: S108

    # --- life --------------------------------------------------------------------------------------------------------

    def start(self, stages: list[Path]) -> bool:
        """Create or start the cluster and apply the Stages; return whether anything was done."""
        with self.locked():
            changed = self._create() if not self.created() else self._start_stopped(CONTROL_PLANE)
            return self._apply_stages(stages) or changed

    def _create(self) -> bool:
        if self.folder.exists():  # an interrupted creation
            self._delete()
        # Two clusters that are created at the same time would choose the same free ports.
        with self.locked("any-create"):
            self._write_configuration()
            options = ("--config", self.folder / "kwokctl.yaml", "--kubeconfig", self.kubeconfig, "--wait", "120s")
            self.kwokctl("create", "cluster", *options)
        server = self.kubectl("config", "view", "--raw", "-o", "jsonpath={.clusters[0].cluster.server}")
        config = json.loads((self.folder / "argocd.json").read_text()) | {"server": server}
        (self.folder / "argocd.json").write_text(json.dumps(config))
        self._keep_binaries()
        (self.folder / "created").touch()
        return True

    def _keep_binaries(self) -> None:
        """Record that this cluster uses the build, so that it is not removed as an old one."""
        reference = self.binaries.parent / "clusters" / hashlib.sha256(str(self.folder).encode()).hexdigest()[:16]
        with contextlib.suppress(OSError):  # somebody else's build; its owner does not remove it
            reference.parent.mkdir(exist_ok=True)
            reference.write_text(str(self.folder))

    def _write_configuration(self) -> None:
        self.folder.mkdir(parents=True, mode=0o700, exist_ok=True)
        launch = self.folder / "launch"
        launch.mkdir()
        # kwokctl executes it.
        (launch / "launch.py").write_text(f"#!/usr/bin/env python3\n{self.launcher.read_text()}")
        (launch / "launch.py").chmod(0o755)
        for component in ARGOCD:
            (launch / component).symlink_to("launch.py")
        (self.folder / "audit-policy.yaml").write_text(_yaml.dump(AUDIT_POLICY))
        config = {
            "ports": self.ports(),
            "binaries": str(self.binaries),
            "kubeconfig": str(self.kubeconfig),
            "ca": str(self.folder / "pki" / "ca.crt"),
            "namespace": self.argocd_namespace,
            "ask_pass_socket": str(self._ask_pass_socket()),
        }
        (self.folder / "argocd.json").write_text(json.dumps(config))
        (self.folder / "kwokctl.yaml").write_text(_yaml.dump(self._kwokctl_configuration(), sort_keys=False))

    def _kwokctl_configuration(self) -> dict[str, Any]:
        names = ("etcd", "kubeApiserver", "kubeControllerManager", "kubeScheduler", "kubectl")
        programs = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubectl")
        return {
            "kind": "KwokctlConfiguration",
            "apiVersion": "config.kwok.x-k8s.io/v1alpha1",
            "options": {
                "runtime": "binary",
                "bindAddress": "127.0.0.1",
                "enableCRDs": ["Stage"],
                "disableQPSLimits": True,
                "kubeAuditPolicy": str(self.folder / "audit-policy.yaml"),
                "kwokControllerBinary": str(self.binaries / "kwok"),
            }
            | {f"{name}Binary": str(self.binaries / program) for name, program in zip(names, programs, strict=True)},
            "components": [
                {
                    "name": component,
                    "binary": str(self.folder / "launch" / component),
                    "workDir": str(self.folder),
                    "links": ["kube-apiserver"],
                    "args": [str(self.folder)],
                }
                for component in ARGOCD
            ],
        }

    def _start_stopped(self, components: tuple[str, ...]) -> bool:
        stopped = [name for name in components if not self.pid(name)]
        if not stopped:
            return False
        for name in stopped:  # kwokctl trusts stale pid files
            (self.folder / "pids" / f"{name}.pid").unlink(missing_ok=True)
        self.kwokctl("start", "cluster", "--wait", "60s")
        return True

    def start_argocd(self, timeout: int) -> bool:
        """Start Argo CD's processes, restart those whose configuration changed, and wait until all are ready."""
        with self.locked():
            outdated = json.loads(
                self.run(sys.executable, self.folder / "launch" / "launch.py", "--outdated", self.folder)
            )
            for component in outdated:
                self.stop(component)
            changed = self._start_stopped(ARGOCD)
            self._await_argocd(timeout)
            return changed

    def _await_argocd(self, timeout: int) -> None:
        deadline = time.monotonic() + timeout
        ports = self.ports()
        for component, (port, path) in HEALTH.items():
            while not answers(f"127.0.0.1:{ports[port]}{path}"):
                if not self.pid(component):
                    raise GitopsError(
                        f"{component} exited: {last_lines(self.log(component))} (in {self.folder}/logs/{component}.log)"
                    )
                if time.monotonic() > deadline:
                    raise GitopsError(
                        f"{component} was not ready after {timeout} s; see {self.folder}/logs/{component}.log"
                    )
                time.sleep(0.2)

    def log(self, component: str) -> str:
        """Return the log of a component."""
        path = self.folder / "logs" / f"{component}.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def stop(self, component: str) -> bool:
        """End one process, by its id, and wait until it is gone."""
        if component not in (*CONTROL_PLANE, *ARGOCD):
            raise GitopsError(
                f"A rehearsal cluster has no component {component}: use one of {', '.join((*CONTROL_PLANE, *ARGOCD))}."
            )
        pid = self.pid(component)
        if pid is None:
            return False
        os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + 20
        while self.pid(component) == pid:
            if time.monotonic() > deadline:
                os.kill(pid, signal.SIGKILL)
            time.sleep(0.05)
        return True

    def restart(self, component: str) -> bool:
        """End one process and let kwokctl start it again."""
        with self.locked():
            self.stop(component)
            return self._start_stopped((component,))

    def stop_all(self) -> bool:
        """End all processes and keep the state."""
        with self.locked():
            if not self.created() or "running" not in self.status().values():
                return False
            self.kwokctl("stop", "cluster")
            return True

    def delete(self) -> bool:
        """End all processes and remove the cluster's folder."""
        with self.locked():
            return self._delete()

    def _delete(self) -> bool:
        if not self.folder.exists():
            return False
        # While it runs, the repo-server removes all permissions from its checkouts, including their owner's.
        self.stop("argocd-repo-server")
        make_removable(self.folder)
        processes = {name: self.pid(name) for name in (*CONTROL_PLANE, *ARGOCD)}
        self._ask_pass_socket().unlink(missing_ok=True)
        if (self.folder / "kwok.yaml").exists():
            self.kwokctl("delete", "cluster", "--kubeconfig", self.kubeconfig)
        try:
            if self.folder.exists():
                shutil.rmtree(self.folder)
        except OSError as error:
            reason = f"{error.strerror} ({error.filename})"
            raise GitopsError(f"{self.folder} cannot be removed: {reason}.") from error
        left = [f"{name} ({pid})" for name, pid in processes.items() if pid and is_running(pid, name)]
        if left:
            running = ", ".join(left)
            raise GitopsError(f"The cluster {self.name} was removed, but these processes are still running: {running}.")
        return True

    # --- simulation --------------------------------------------------------------------------------------------------

    def _apply_stages(self, stages: list[Path]) -> bool:
        """Apply KWOK's own and the given Stages if they changed, and ensure that there is a node.

        Stages of an earlier run stay: a playbook that only reads from the cluster does not pass all of them.
        """
        path, applied = self.folder / "stages.json", self.folder / "stages.yaml"
        known: dict[str, str] = json.loads(path.read_text()) if path.exists() else {}
        given = {source.name: adapted(source.read_text()) for source in sorted(self.default_stages.glob("*.yaml"))}
        given |= {source.name: source.read_text() for source in stages}
        if known | given == known:
            return False
        texts = [text.replace("REHEARSAL_CA_KEY", self._ca_key()) for text in (known | given).values()]
        groups = ", ".join(simulated_groups(texts))
        texts = [text.replace("REHEARSAL_GROUPS", groups) for text in texts]
        applied.write_text("\n---\n".join(texts))
        self.kubectl("apply", "--server-side", "--force-conflicts", "-f", applied)
        # Remove Stages that a file no longer has; overlapping Stages would run in any order.
        names = {f"stage.kwok.x-k8s.io/{stage['metadata']['name']}" for stage in stages_in(texts)}
        present = set(self.kubectl("get", "stages", "-o", "name").split()) - {"stage.kwok.x-k8s.io/stage-reload"}
        if present - names:
            self.kubectl("delete", *sorted(present - names))
        if not known:
            self.kwokctl("scale", "node", "--replicas", "1")
        path.write_text(json.dumps(known | given))
        return True

    def _ca_key(self) -> str:
        """Return the key of the CA with which Stages sign, in base64; created once per cluster and never in Git."""
        path = self.folder / "stages-ca.key"
        if not path.exists():
            path.touch(mode=0o600)
            path.write_text(base64.b64encode(PKCS8_P256 + os.urandom(32)).decode())
        return path.read_text()


def is_running(pid: int, component: str) -> bool:
    """Return whether a process runs and is this component.

    Zombies and recycled PIDs do not count.
    """
    try:
        status = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        command = Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return False
    return status != "Z" and component in command


def make_removable(folder: Path) -> None:
    """Give the owner all permissions for the folders below a folder."""
    for path, names, _files in os.walk(folder):  # it looks into them after this
        for child in (Path(path, name) for name in names):
            with contextlib.suppress(FileNotFoundError):
                if not child.is_symlink() and child.stat().st_mode & stat.S_IRWXU != stat.S_IRWXU:
                    child.chmod(stat.S_IRWXU)


def adapted(text: str) -> str:
    """Adapt KWOK's own Stages to a rehearsal.

    pod-ready skips pods whose image is meant to fail. Volumes of every StorageClass are provided, not only KWOK's own,
    and an annotation makes a claim fail or wait.
    """
    text = text.replace("{{ .spec.storageClassName", '{{ default "" .spec.storageClassName')
    stage = _yaml.load(text)
    if stage["kind"] != "Stage":
        return text
    expressions = [
        expression
        for expression in stage["spec"]["selector"]["matchExpressions"]
        if "kwok-volume" not in expression.get("cel", {}).get("expression", "")
    ]
    if stage["metadata"]["name"] == "pod-ready":
        image = '.spec.containers[] | select(.image | test("rehearsal-fail")) | .name'
        expressions.append({"key": image, "operator": "DoesNotExist"})
    if stage["metadata"]["name"] == "pvc-provision":
        expressions.append({"key": SIMULATE, "operator": "NotIn", "values": ["fail"]})
        delay = {"jq": {"expression": f'if {SIMULATE} == "slow" then "20s" else "200ms" end'}}
        stage["spec"]["delay"] = {"durationFrom": delay}
    stage["spec"]["selector"]["matchExpressions"] = expressions
    return _yaml.dump(stage, sort_keys=False)


def stages_in(texts: list[str]) -> list[dict[str, Any]]:
    """Return all Stages of the files, those in Lists too."""
    documents = [document for text in texts for document in _yaml.load_all(text) if document]
    items = [item for document in documents for item in document.get("items", [document])]
    return [item for item in items if item["kind"] == "Stage"]


def simulated_groups(texts: list[str]) -> list[str]:
    """Return the API groups of custom resources that the Stages simulate."""
    groups = {stage["spec"]["resourceRef"]["apiGroup"].split("/")[0] for stage in stages_in(texts)}
    return sorted(group for group in groups if "." in group) or ["none.invalid"]


def chosen_ports(path: Path) -> set[int]:
    """Return the ports of a cluster, none while it is being deleted."""
    try:
        return set(json.loads(path.read_text()).values())
    except (OSError, ValueError):
        return set()


def free_ports(count: int, taken: set[int]) -> list[int]:
    """Return free TCP ports below the range from which the system takes ports for outgoing connections."""
    found: list[int] = []
    candidates = sorted({*range(20000, 32000)} - taken)
    for port in random.sample(candidates, len(candidates)):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        found.append(port)
        if len(found) == count:
            return found
    raise GitopsError(f"Only {len(found)} of {count} TCP ports are free between 20000 and 32000 on 127.0.0.1.")


def answers(address: str) -> bool:
    """Return whether an HTTP server on this machine answers 200.

    argocd-server speaks HTTP or HTTPS, depending on its configuration; its certificate is self-signed.
    """
    for scheme in ("http", "https"):
        with (
            contextlib.suppress(OSError, http.client.HTTPException),
            open_url(f"{scheme}://{address}", timeout=2, validate_certs=False, use_proxy=False) as response,
        ):
            return bool(response.status == 200)
    return False


def last_lines(text: str, count: int = 3) -> str:
    """Return the end of a program's output as one line."""
    return " | ".join(line.strip() for line in text.strip().splitlines()[-count:]) or "no output"
