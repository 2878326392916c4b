# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pods, a node and another machine as bare network namespaces of this process, to try rules on real connections."""

from __future__ import annotations

import contextlib
import os
import selectors
import socket
import subprocess
import threading
from pathlib import Path
from typing import Any

from .node.connections import ask, inside, new_namespace
from .node.policies import nft

Object = dict[str, Any]
NODE, MACHINE = "10.88.0.1", "10.89.0.2"
GATEWAY = "10.244.0.1"
TCP_PORTS, UDP_PORTS = (80, 81, 85, 8080), (53, 54)


def pod(
    namespace: str, name: str, address: str, labels: dict[str, str], ports: dict[str, tuple[int, str]] | None = None
) -> Object:
    """Return a running pod; `ports` are number and protocol by name."""
    entries = [{"name": key, "containerPort": port[0], "protocol": port[1]} for key, port in (ports or {}).items()]
    return {
        "metadata": {"namespace": namespace, "name": name, "labels": labels},
        "spec": {"containers": [{"name": "main", "ports": entries}]},
        "status": {"phase": "Running", "podIP": address},
    }


def namespace(name: str, **labels: str) -> Object:
    """Return a namespace."""
    return {"metadata": {"name": name, "labels": {"kubernetes.io/metadata.name": name} | labels}}


def policy(where: str, selector: Object, types: tuple[str, ...] = ("Ingress",), **rules: list[Object]) -> Object:
    """Return a NetworkPolicy; `rules` are ingress and egress."""
    spec = {"podSelector": selector, "policyTypes": list(types), **rules}
    return {"metadata": {"namespace": where, "name": "policy"}, "spec": spec}


# The pods of the tests of NetworkPolicies. The same names of ports have other numbers in other pods.
WEB, DNS = {"web": (80, "TCP"), "dns": (53, "UDP")}, {"web": (8080, "TCP"), "dns": (54, "UDP")}
PODS = [
    pod("shop", "web", "10.244.0.11", {"app": "web", "tier": "front"}, WEB),
    pod("shop", "database", "10.244.0.12", {"app": "database", "tier": "back"}, DNS),
    pod("shop", "job", "10.244.0.13", {"tier": "back"}),
    pod("team", "web", "10.244.0.21", {"app": "web"}, DNS),
    pod("team", "client", "10.244.0.22", {"app": "client", "tier": "front"}),
    pod("other", "client", "10.244.0.31", {"app": "client"}, WEB),
]
NAMESPACES = [namespace("shop", team="a"), namespace("team", team="a"), namespace("other")]


class Lab:
    """A network namespace for each address, connected to that of the node as the plugin `ptp` does it.

    All of them answer on all ports.
    """

    def __init__(self, pods: list[Object]) -> None:
        self.pods = pods
        addresses = [entry["status"]["podIP"] for entry in pods]
        self.spaces = {address: new_namespace() for address in (NODE, MACHINE, *addresses)}
        with inside(self.node):
            run("ip link set lo up", f"ip addr add {NODE}/32 dev lo")
            for name, value in {"ip_forward": 1, "conf/all/rp_filter": 0, "conf/default/rp_filter": 0}.items():
                Path(f"/proc/sys/net/ipv4/{name}").write_text(str(value))
            # The kernel follows connections from the first rule on that asks for it; on a node kube-proxy has one.
            nft("table ip proxy { chain forward { type filter hook forward priority -1; ct state new accept; }; }")
        for number, address in enumerate((MACHINE, *addresses)):
            self._connect(address, f"veth{number}")
        self._servers = Servers()
        for address, space in self.spaces.items():
            self._servers.add(address, space)

    @property
    def node(self) -> int:
        """Return the network namespace of the node."""
        return self.spaces[NODE]

    def _connect(self, address: str, link: str) -> None:
        space = self.spaces[address]
        with inside(self.node):
            run(
                f"ip link add {link} type veth peer name eth0 netns /proc/{os.getpid()}/fd/{space}",
                f"ip addr add {GATEWAY}/32 dev {link}",
                f"ip link set {link} up",
                f"ip route add {address}/32 dev {link}",
            )
        with inside(space):
            run(
                "ip link set lo up",
                f"ip addr add {address}/32 dev eth0",
                "ip link set eth0 up",
                f"ip route add {GATEWAY} dev eth0",
                f"ip route add default via {GATEWAY}",
            )

    def ask(self, source: str, target: str, port: int, protocol: str = "TCP") -> str:
        """Return who answers a connection, and on which port."""
        return ask(self.spaces[source], target, port, protocol, say=b"hello").decode()

    def forget_connections(self) -> None:
        """Let a new connection of the same port not pass for one that is open."""
        with inside(self.node):
            run("conntrack --flush")

    def close(self) -> None:
        """Stop the servers; the namespaces end with their file descriptors."""
        self._servers.close()
        for space in self.spaces.values():
            os.close(space)


def run(*commands: str) -> None:
    """Run commands in the network namespace of this thread."""
    for command in commands:
        done = subprocess.run(command.split(), capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"{command}: {done.stderr.strip()}")


class Servers:
    """One thread that says its own address and port to whoever connects, in any number of network namespaces."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def add(self, address: str, space: int | Path) -> None:
        """Listen on all ports of an address."""
        for kind, ports in ((socket.SOCK_STREAM, TCP_PORTS), (socket.SOCK_DGRAM, UDP_PORTS)):
            for port in ports:
                with inside(space):
                    listener = socket.socket(socket.AF_INET, kind)
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # for the tests of the next file
                listener.bind((address, port))
                if kind == socket.SOCK_STREAM:
                    listener.listen(64)
                self._selector.register(listener, selectors.EVENT_READ, f"{address}:{port}".encode())

    def _serve(self) -> None:
        while not self._stopped.is_set():
            for key, _events in self._selector.select(0.1):
                with contextlib.suppress(ConnectionError):
                    self._answer(key.fileobj, key.data)  # type: ignore[arg-type]

    def _answer(self, ready: socket.socket, text: bytes) -> None:
        """Answer a packet, or accept a connection and answer it once it has said something."""
        if ready.type == socket.SOCK_DGRAM:
            ready.sendto(text, ready.recvfrom(1024)[1])
        elif ready.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
            self._selector.register(ready.accept()[0], selectors.EVENT_READ, text)
        else:
            self._selector.unregister(ready)
            with ready:
                ready.recv(1024)  # an end with something unread would be a reset
                ready.sendall(text)

    def close(self) -> None:
        """Stop listening."""
        self._stopped.set()
        self._thread.join()
        for key in list(self._selector.get_map().values()):
            key.fileobj.close()  # type: ignore[union-attr]
        self._selector.close()
