# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Start one process of Argo CD on this machine the way its pod would start it.

kwokctl runs this file under the name of each component. Arguments and environment come from the workload, ConfigMaps
and Secrets that are in the cluster, so a wrong configuration shows up here too. Only what must differ outside
a pod is set here: addresses, folders, and the token of the component's own ServiceAccount.

Called as `launch.py --outdated FOLDER` it prints the components whose configuration changed since they were started.
Python's standard library only: the file also runs when no virtual environment is active.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

NOTIFICATIONS = "argocd-notifications-controller"
TOKEN_SECONDS = 365 * 24 * 3600
SECRET_SECONDS = 30
# component: (kind of its workload, ServiceAccount whose token it gets; the repo-server has none by design)
WORKLOADS = {
    "argocd-redis": ("Deployment", "argocd-redis"),
    "argocd-repo-server": ("Deployment", None),
    "argocd-application-controller": ("StatefulSet", "argocd-application-controller"),
    "argocd-applicationset-controller": ("Deployment", "argocd-applicationset-controller"),
    "argocd-server": ("Deployment", "argocd-server"),
    NOTIFICATIONS: ("Deployment", NOTIFICATIONS),
}


class NotThereYetError(Exception):
    """A ConfigMap or Secret that the pod needs does not exist; the kubelet would wait for it."""


class Launcher:
    """Everything the processes of one cluster have in common."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.config: dict[str, Any] = json.loads((folder / "argocd.json").read_text())
        self.ports: dict[str, int] = self.config["ports"]
        self.bin = Path(self.config["binaries"])
        self.data = folder / "argocd"
        self._objects: dict[tuple[str, str], dict[str, Any]] | None = None

    def kubectl(self, *args: str) -> str:
        """Run kubectl as the cluster's administrator."""
        command = [
            self.bin / "kubectl",
            "--kubeconfig",
            self.config["kubeconfig"],
            "-n",
            self.config["namespace"],
            *args,
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            sys.exit(f"kubectl {args[0]}: {done.stderr.strip()}")
        return done.stdout

    @property
    def objects(self) -> dict[tuple[str, str], dict[str, Any]]:
        """Return workloads, ConfigMaps and Secrets of Argo CD by kind and name, read once."""
        if self._objects is None:
            items = json.loads(self.kubectl("get", "deployments,statefulsets,configmaps,secrets", "-o", "json"))[
                "items"
            ]
            self._objects = {(item["kind"], item["metadata"]["name"]): item for item in items}
        return self._objects

    def container(self, component: str) -> dict[str, Any]:
        """Return the first container of a component's pod template."""
        # The HA variant has no Deployment argocd-redis; a rehearsal runs one redis for both.
        kind, _account = WORKLOADS[component]
        workload = self.objects.get((kind, component))
        if workload is None:
            sys.exit(f"{component}: Argo CD is not installed yet, there is no {kind} {component}.")
        container: dict[str, Any] = workload["spec"]["template"]["spec"]["containers"][0]
        return container

    def value(self, entry: dict[str, Any]) -> str | None:
        """Resolve one environment variable as the kubelet does; None leaves it unset."""
        source = entry.get("valueFrom")
        if not source:
            return str(entry.get("value", ""))
        for kind, field in (("ConfigMap", "configMapKeyRef"), ("Secret", "secretKeyRef")):
            reference = source.get(field)
            if reference is None:
                continue
            raw = (self.objects.get((kind, reference["name"]), {}).get("data") or {}).get(reference["key"])
            if raw is None:
                if reference.get("optional"):
                    return None
                raise NotThereYetError(f"{entry['name']}: {kind} {reference['name']} has no key {reference['key']}.")
            return base64.b64decode(raw).decode() if kind == "Secret" else raw
        return None

    def pod_environment(self, component: str) -> dict[str, str]:
        """Return the environment that the pod would have."""
        entries = {entry["name"]: self.value(entry) for entry in self.container(component).get("env", [])}
        return {name: value for name, value in entries.items() if value is not None}

    def own_environment(self, component: str) -> dict[str, str]:
        """Return what differs from the pod: folders instead of volumes, and a kubeconfig instead of a mounted token."""
        folders = {
            "ARGOCD_TLS_DATA_PATH": "tls",
            "ARGOCD_SSH_DATA_PATH": "ssh",
            "ARGOCD_GNUPGHOME": "gnupg/home",
            "ARGOCD_GPG_DATA_PATH": "gnupg/keys",
            "ARGOCD_PLUGINSOCKFILEPATH": "plugins",
            "TMPDIR": f"tmp/{component}",
            "HOME": "home",
        }
        environment = {name: str(self.data / folder) for name, folder in folders.items()}
        for folder in environment.values():
            Path(folder).mkdir(parents=True, exist_ok=True)
        return environment | {
            "PATH": f"{self.data / 'bin'}:{self.bin}:{os.environ['PATH']}",
            "ARGOCD_FAKE_IN_CLUSTER": "true",
            "ARGOCD_GPG_ENABLED": "false",
            "ARGOCD_ASK_PASS_SOCK": self.config["ask_pass_socket"],
        }

    def service_account_kubeconfig(self, account: str) -> str:
        """Write a kubeconfig with a token of the ServiceAccount and return its path."""
        token = self.kubectl("create", "token", account, f"--duration={TOKEN_SECONDS}s").strip()
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [
                {
                    "name": "rehearsal",
                    "cluster": {"server": self.config["server"], "certificate-authority": self.config["ca"]},
                }
            ],
            "users": [{"name": account, "user": {"token": token}}],
            "contexts": [
                {
                    "name": "rehearsal",
                    "context": {"cluster": "rehearsal", "user": account, "namespace": self.config["namespace"]},
                }
            ],
            "current-context": "rehearsal",
        }
        path = self.data / f"{account}.kubeconfig"
        write_private(path, json.dumps(config))
        return str(path)

    def arguments(self, component: str) -> list[str]:
        """Return the container's own arguments and the addresses that replace those of Services."""
        own = self.container(component)
        given = [*own.get("command", []), *own.get("args", [])][1:]
        ports = {name: str(port) for name, port in self.ports.items()}
        repo_server = f"127.0.0.1:{ports['argocd-repo-server']}"
        redis = ["--redis", f"127.0.0.1:{ports['argocd-redis']}"]
        local = {
            "argocd-repo-server": [
                "--address", "127.0.0.1", "--port", ports["argocd-repo-server"],
                "--metrics-address", "127.0.0.1", "--metrics-port", ports["argocd-repo-server-metrics"], *redis,
            ],
            "argocd-application-controller": [
                "--repo-server", repo_server, "--metrics-port", ports["argocd-application-controller"], *redis,
            ],
            "argocd-applicationset-controller": [
                "--argocd-repo-server", repo_server,
                "--metrics-addr", f"127.0.0.1:{ports['argocd-applicationset-controller']}",
                "--probe-addr", f"127.0.0.1:{ports['argocd-applicationset-probe']}",
                "--webhook-addr", f"127.0.0.1:{ports['argocd-applicationset-webhook']}",
            ],
            "argocd-server": [
                "--address", "127.0.0.1", "--port", ports["argocd-server"],
                "--metrics-address", "127.0.0.1", "--metrics-port", ports["argocd-server-metrics"],
                "--repo-server", repo_server, "--dex-server", "http://127.0.0.1:1", *redis,
            ],
            NOTIFICATIONS: ["--argocd-repo-server", repo_server, "--metrics-port", ports[NOTIFICATIONS]],
        }[component]  # fmt: skip
        namespace = [] if component == "argocd-repo-server" else ["--namespace", self.config["namespace"]]
        return given + local + namespace

    def await_references(self, component: str) -> None:
        """Wait, as the kubelet does, for what another process is about to create (the password of redis)."""
        deadline = time.monotonic() + SECRET_SECONDS
        while True:
            try:
                self.pod_environment(component)
            except NotThereYetError as error:
                if time.monotonic() > deadline:
                    sys.exit(str(error))
            else:
                return
            time.sleep(0.2)
            self._objects = None

    def notifies(self) -> bool:
        """Return whether the notifications controller has a receiver; a process that does nothing is not started."""
        data = self.objects.get(("ConfigMap", "argocd-notifications-cm"), {}).get("data") or {}
        return any(key.startswith("service.") for key in data)

    def fingerprint(self, component: str) -> str:
        """Return a hash of everything that a restart would read; a hash, because it includes passwords."""
        if component == "argocd-redis":
            return "redis"
        settings = [self.arguments(component), sorted(self.pod_environment(component).items())]
        return hashlib.sha256(json.dumps(settings).encode()).hexdigest()

    def outdated(self) -> list[str]:
        """Return the components whose running configuration differs from that in the cluster."""
        marks = {name: self.data / f"{name}.fingerprint" for name in WORKLOADS}
        return [name for name, mark in marks.items() if mark.exists() and mark.read_text() != self.current(name)]

    def current(self, component: str) -> str:
        """Return the fingerprint of a component; nothing while a Secret is missing that an earlier Argo CD had."""
        if component == "argocd-redis" and ("Secret", component) not in self.objects:
            return ""  # it makes its Secret when it starts
        try:
            return self.fingerprint(component)
        except NotThereYetError:
            return ""

    def start_redis(self) -> None:
        """Create the password as Argo CD's init container does, then exec Redis."""
        kubeconfig = self.service_account_kubeconfig("argocd-redis")
        command = [self.bin / "argocd", "admin", "redis-initial-password", "-n", self.config["namespace"]]
        made = subprocess.run(
            command, env=os.environ | {"KUBECONFIG": kubeconfig}, capture_output=True, text=True, check=False
        )
        secret = self.objects.get(("Secret", "argocd-redis"))
        if secret is None:
            sys.exit(f"argocd-redis: the Secret argocd-redis could not be made: {made.stderr.strip()}")
        password = base64.b64decode(secret["data"]["auth"]).decode()
        settings = {"REDIS_ADDRESS": f"127.0.0.1:{self.ports['argocd-redis']}", "REDIS_PASSWORD": password}
        os.execve(self.bin / "redis", ["argocd-redis"], os.environ | settings)

    def start(self, component: str) -> None:
        """Exec the component."""
        self.data.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_git_verify_wrapper(self.data / "bin")
        if component == NOTIFICATIONS and not self.notifies():
            sys.exit(f"{component}: argocd-notifications-cm has no receiver.")
        if component != "argocd-redis":
            self.await_references(component)
        write_private(self.data / f"{component}.fingerprint", self.fingerprint(component))
        if component == "argocd-redis":
            self.start_redis()
        environment = os.environ | self.pod_environment(component) | self.own_environment(component)
        account = WORKLOADS[component][1]
        if account:
            environment["KUBECONFIG"] = self.service_account_kubeconfig(account)
        program = component
        if component == NOTIFICATIONS:  # the only one whose program has another name
            program, environment["ARGOCD_BINARY_NAME"] = "argocd", "argocd-notifications"
        os.execve(self.bin / program, [component, *self.arguments(component)], environment)


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner can read."""
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)


def write_git_verify_wrapper(folder: Path) -> None:
    """Replace a program of Argo CD's image that the repo-server calls for every revision, even without verification."""
    folder.mkdir(parents=True, exist_ok=True)
    wrapper = folder / "git-verify-wrapper.sh"
    if not wrapper.exists():
        wrapper.write_text("#!/bin/sh\nexit 0\n")
        wrapper.chmod(0o755)


def main() -> None:
    """Start the component whose name this file was called by."""
    if sys.argv[1] == "--outdated":
        print(json.dumps(Launcher(Path(sys.argv[2])).outdated()))
    else:
        Launcher(Path(sys.argv[1])).start(Path(sys.argv[0]).name)


if __name__ == "__main__":
    main()
