# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""kube-router's policy controller, which enforces NetworkPolicies by code that is not ours: it judges our own rules.

It is wrong where a policy has both types and rules for them, names of ports, or several ipBlocks in one rule.
"""

from __future__ import annotations

import re
import subprocess
from itertools import count
from pathlib import Path

from ansible_collections.monorepo.gitops.plugins.module_utils._api import APPLY, Api

from .node import network
from .node.cluster import Node
from .node.policies import PODS, POLICIES, is_subject
from .node.processes import REAL, eventually

CHAINS = re.compile(r"KUBE-(ROUTER|POD-FW|NWPLCY)-")
SETS = re.compile(r"^(KUBE-(SRC|DST)-|TMP-)")
# A port that no policy of a test has, and a new one each time, shows that kube-router has seen all that came before.
_PORTS = count(40000)
SIGN = "/apis/networking.k8s.io/v1/namespaces/default/networkpolicies/sign"


class KubeRouter:
    """Runs kube-router as long as its context is open, and removes its rules then."""

    def __init__(self, node: Node, api: Api) -> None:
        self.node, self.api = node, api

    def __enter__(self) -> KubeRouter:
        # The Services are those of kube-proxy, and no port of the node may be open to all.
        options = {
            "kubeconfig": self.node.kubeconfig,
            "hostname-override": REAL,
            "run-firewall": "true",
            "run-router": "false",
            "run-service-proxy": "false",
            "service-cluster-ip-range": network.SERVICES,
            "service-node-port-range": "65534-65535",
            "health-port": "0",
            "metrics-addr": "127.0.0.1",
            "metrics-port": "20245",
        }
        command = [Path(self.node.parts.judge) / "kube-router", *(f"--{key}={value}" for key, value in options.items())]
        with self.node.processes.log("kube-router").open("ab") as log:
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            self.apply()
        except Exception:
            self.__exit__()
            raise
        return self

    def apply(self) -> None:
        """Return when what the API server has now is in force, for the pods that run now."""
        port = next(_PORTS)
        rule = {"from": [{"ipBlock": {"cidr": "192.0.2.1/32"}}], "ports": [{"port": port, "protocol": "TCP"}]}
        spec = {"podSelector": {"matchLabels": {"no": "pod"}}, "policyTypes": ["Ingress"], "ingress": [rule]}
        kind = {"apiVersion": POLICIES.removeprefix("/apis/").rpartition("/")[0], "kind": "NetworkPolicy"}
        sign = kind | {"metadata": {"name": "sign"}, "spec": spec}
        status, answer = self.api.request("PATCH", SIGN, {"fieldManager": "test", "force": "true"}, sign, APPLY)
        assert status < 300, answer
        names = [
            f"POD name:{pod['metadata']['name']} namespace: {pod['metadata']['namespace']} "
            for pod in self.api.request("GET", PODS)[1]["items"]
            if is_subject(pod) and pod["spec"]["nodeName"] == REAL
        ]
        signs = [f"--dport {port} ", *names]
        eventually(lambda: all(text in rules() for text in signs), "the rules of kube-router", 20, pause=0.02)

    def __exit__(self, *_: object) -> None:
        self._process.terminate()  # its rules stay
        self._process.wait(30)
        self.api.request("DELETE", SIGN)
        kept = [line for line in rules().splitlines() if not CHAINS.search(line)]
        run("iptables-restore", "-T", "filter", given="\n".join([*kept, ""]))
        for name in filter(SETS.match, run("ipset", "list", "-name").splitlines()):
            run("ipset", "destroy", name)


def rules() -> str:
    """Return the rules of the node that iptables has."""
    return run("iptables-save", "-t", "filter")


def run(*command: str, given: str = "") -> str:
    """Run a command and return what it prints."""
    return subprocess.run(command, input=given, capture_output=True, text=True, check=True).stdout
