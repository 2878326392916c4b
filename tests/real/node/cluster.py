# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A node and its control plane: brought up, asked, rebooted."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import string
import subprocess
import urllib.request
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any

from . import configuration, network, pki
from .processes import CONTROL_PLANE, NODE, REAL, SIMULATED, NodeError, Processes, eventually

OBJECTS = Path(__file__).resolve().parent / "objects"
HEALTH = "http://127.0.0.1:10248/healthz"  # of the kubelet; it answers after it has found containerd
VARIABLE = "GITOPS_REAL_NODE"  # the folder of the node, for every process that runs in it


@dataclass(frozen=True)
class Parts:
    """What was made on the machine before the node starts."""

    rehearsal: str  # folder of the rehearsal's build
    programs: str  # folder of kubelet and kube-proxy
    judge: str  # folder of kube-router
    archives: list[str]  # of images
    local: list[str]  # names of these images, as the manifests have them
    pause: str
    coredns: str
    operators: list[str]  # components whose operators are simulated
    stages: str
    stubs: dict[str, str]  # image: what of it is not the real thing


class Cluster:
    """A cluster that its administrator reaches by a kubeconfig."""

    def __init__(self, kubeconfig: Path, binaries: Path) -> None:
        self.kubeconfig, self.binaries = kubeconfig, binaries

    def kubectl(self, *args: str | Path, given: str = "", timeout: float = 120) -> str:
        """Run kubectl and return what it prints."""
        done = self.try_kubectl(*args, given=given, timeout=timeout)
        if done.returncode:
            raise NodeError(f"kubectl {' '.join(map(str, args))}: {done.stderr.strip()}")
        return done.stdout

    def try_kubectl(self, *args: str | Path, given: str = "", timeout: float = 120) -> subprocess.CompletedProcess[str]:
        """Run kubectl and return what it did, also if it failed."""
        return subprocess.run(
            self.command(*args), input=given, capture_output=True, text=True, timeout=timeout, check=False
        )

    def command(self, *args: str | Path) -> list[str | Path]:
        """Return a command line of kubectl."""
        return [self.binaries / "kubectl", "--kubeconfig", self.kubeconfig, *args]

    def get(self, kind: str, name: str = "", namespace: str = "") -> dict[str, Any]:
        """Return an object, or all of a kind."""
        where = ["-n", namespace] if namespace else []
        found: dict[str, Any] = json.loads(self.kubectl("get", kind, *([name] if name else []), *where, "-o", "json"))
        return found

    def apply(self, *objects: dict[str, Any]) -> None:
        """Apply objects."""
        self.apply_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}))

    def apply_text(self, text: str) -> None:
        """Apply a manifest."""
        self.kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", given=text)

    def run_in_pod(self, namespace: str, pod: str, *command: str, container: str = "", timeout: float = 60) -> str:
        """Run a command in a container of a pod and return what it prints."""
        chosen = ["-c", container] if container else []
        return self.kubectl("exec", "-n", namespace, pod, *chosen, "--", *command, timeout=timeout)


class Node(Cluster):
    """A node of this suite and its control plane; the state is in a folder."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder / "pki" / "admin.kubeconfig", folder / "bin-rehearsal")
        self.folder = folder
        self.processes = Processes(folder)

    def command(self, *args: str | Path) -> list[str | Path]:
        """Return a command line of kubectl, which keeps what it knows of the API with the node."""
        return super().command("--cache-dir", self.folder / "kubectl", *args)

    @classmethod
    def here(cls) -> Node:
        """Return the node in whose namespaces this process runs."""
        return cls(Path(os.environ[VARIABLE]))

    @property
    def parts(self) -> Parts:
        """Return what the node was made of."""
        return Parts(**json.loads((self.folder / "parts.json").read_text()))

    def apply_file(self, name: str, **values: str) -> None:
        """Apply objects of this package, in which variables stand for these values."""
        self.apply_text(string.Template((OBJECTS / name).read_text()).substitute(values))

    # --- the way up -------------------------------------------------------------------------------------------------

    def create(self, parts: Parts) -> None:
        """Bring up everything, from nothing."""
        self.folder.chmod(0o755)
        (self.folder / "parts.json").write_text(json.dumps(asdict(parts)))
        (self.folder / "bin").symlink_to(parts.programs)
        (self.folder / "bin-rehearsal").symlink_to(Path(parts.rehearsal) / "bin")
        network.create()
        services = tuple(f"kubernetes{end}" for end in ("", ".default", ".default.svc", ".default.svc.cluster.local"))
        hosts = (*services, "localhost", "127.0.0.1", network.API_SERVICE, network.CONTROL_PLANE)
        server = f"https://{network.CONTROL_PLANE}:6443"
        pki.create(self.folder / "pki", server, REAL, hosts, (REAL, network.NODE))
        configuration.write(self.folder, REAL, parts.pause)
        self.processes.start("containerd", "etcd", "kube-apiserver")
        self.import_images(parts.archives)
        eventually(self.answers, "the API server")
        self.apply_file("placement.yaml", images=" ".join(parts.local))
        self.apply_file("storage.yaml")
        self.apply_file("dns.yaml", node=network.NODE, dns=network.DNS, coredns=parts.coredns)
        self.apply_text((Path(parts.programs) / "kwok.x-k8s.io_stages.yaml").read_text())
        self.kubectl("wait", "--for=condition=Established", "crd/stages.kwok.x-k8s.io")
        eventually(self.places_pods, "the policy that places pods")
        self.processes.start(*CONTROL_PLANE, *NODE, "volumes")
        self.apply_text(parts.stages)
        self.await_ready()

    def answers(self) -> bool:
        """Return whether the API server is ready."""
        self.processes.check("etcd", "kube-apiserver")
        return self.try_kubectl("get", "--raw", "/readyz").returncode == 0

    def places_pods(self) -> bool:
        """Return whether the policy is in force, which takes the API server a moment."""
        container = {"name": "any", "image": "nowhere.invalid/any:1"}
        spec = {"containers": [container], "serviceAccountName": "coredns"}
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "any"}, "spec": spec}
        options = ("create", "-n", "kube-system", "--dry-run=server", "-o", "json", "-f", "-")
        done = self.try_kubectl(*options, given=json.dumps(pod))
        return done.returncode == 0 and "node-kind" in json.loads(done.stdout)["spec"].get("nodeSelector", {})

    def import_images(self, archives: Iterable[str]) -> None:
        """Let containerd have the images of archives."""
        eventually(lambda: ctr("version").returncode == 0, "containerd")
        for archive in archives:
            done = ctr("images", "import", archive)
            if done.returncode:
                raise NodeError(f"{archive} cannot be imported: {done.stderr.strip()}")

    def await_ready(self, seconds: float = 120) -> None:
        """Wait until both nodes are ready and names are resolved."""
        for node in (REAL, SIMULATED):
            eventually(lambda node=node: self.is_ready(node), f"node {node}", seconds)
        self.kubectl(
            "rollout",
            "status",
            "-n",
            "kube-system",
            "deployment/coredns",
            f"--timeout={seconds:g}s",
            timeout=seconds + 5,
        )

    def is_ready(self, name: str) -> bool:
        """Return whether a node is ready."""
        self.processes.check(*CONTROL_PLANE, *NODE, "volumes")
        done = self.try_kubectl("get", "node", name, "-o", "json")
        conditions = json.loads(done.stdout)["status"].get("conditions", []) if done.returncode == 0 else []
        return any(entry["type"] == "Ready" and entry["status"] == "True" for entry in conditions)

    # --- what may happen to a node -----------------------------------------------------------------------------------

    def real_images(self) -> list[str]:
        """Return the images whose pods run for real."""
        images: list[str] = self.get("configmap", "local-images", "kube-system")["data"]["images"].split()
        return images

    def set_real_images(self, images: Iterable[str]) -> None:
        """Say which images' pods run for real, also such as do not exist."""
        patch = json.dumps({"data": {"images": " ".join(images)}})
        self.kubectl("patch", "configmap", "local-images", "-n", "kube-system", "--type=merge", "-p", patch)

    def crash(self) -> None:
        """End the node as a loss of power does: containerd, kubelet, kube-proxy and every container at once."""
        self.processes.stop(*reversed(NODE), number=signal.SIGKILL)
        for process in containers():
            with contextlib.suppress(ProcessLookupError):  # it ended with the first process of its container
                os.kill(process, signal.SIGKILL)
        eventually(lambda: not containers(), "the end of all containers")
        for namespace in Path("/run/netns").glob("cni-*"):
            subprocess.run(["ip", "netns", "delete", namespace.name], check=True)

    def start(self) -> None:
        """Start the node again."""
        eventually(self.serves, "the kubelet")
        self.await_ready()

    def serves(self) -> bool:
        """Return whether the kubelet is there, as a service manager keeps it: it ends while containerd is starting."""
        self.processes.start(*NODE)
        with contextlib.suppress(OSError), urllib.request.urlopen(HEALTH, timeout=1) as answer:
            return bool(answer.status == HTTPStatus.OK)
        return False


def ctr(*args: str) -> subprocess.CompletedProcess[str]:
    """Run containerd's client."""
    command = ["ctr", "--address", str(configuration.CONTAINERD), "--namespace", "k8s.io", *args]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def containers() -> list[int]:
    """Return the processes of all containers, and those of containerd that watch them."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            shim = (process / "comm").read_text().startswith("containerd-shim")
            if shim or "/kubepods/" in (process / "cgroup").read_text():
                found.append(int(process.name))
    return found
