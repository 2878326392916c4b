# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Enforce the NetworkPolicies of a cluster that has one real node.

All policies become one table of nftables, loaded in one transaction, so they are in force when `Enforcement.apply`
returns. Enforced are connections that the node forwards (between pods, from and to other machines) and those from
pods to the node itself. What the node opens itself, such as the probes of the kubelet, is never blocked, and a pod
always reaches itself: so does every network plugin. What is refused is answered by ICMP at once, and is in
`Enforcement.refused.seen()`. Connections that are open when a policy comes stay open.

The context of an Enforcement also follows: it applies again whenever a policy, pod or namespace changes, for a run of
site.yml or whatever else changes the cluster. Until it has seen the address of a new pod, this pod is open. `apply`
remains the acknowledgement: what the API server had when it was called is in force when it returns.

Limits: one real node and IPv4 only. SCTP is not tried. A policy sees pods after the translation of Services, so the
address and the port of a Service open nothing. A named port in an egress rule is that of the pods that are reached,
also within an ipBlock; other implementations differ there, so a policy should give numbers.
"""

from __future__ import annotations

import contextlib
import subprocess
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, collapse_addresses, ip_network
from pathlib import Path
from typing import Any

from ansible_collections.monorepo.gitops.plugins.module_utils._api import Api, UnavailableError

from .refusals import LOG_GROUP, Refusals

Object = dict[str, Any]
TABLE = "network-policies"
# direction: (field of the rules, field of the peers in a rule, the peer's side in a packet)
DIRECTIONS = {"Ingress": ("ingress", "from", "saddr"), "Egress": ("egress", "to", "daddr")}
POLICIES = "/apis/networking.k8s.io/v1/networkpolicies"
PODS = "/api/v1/pods"
NAMESPACES = "/api/v1/namespaces"
# A pass follows the first change after this time, so that many changes at once cost one pass.
PAUSE_SECONDS = 0.1
# How long a watch waits for an event before it looks whether it shall end.
WATCH_SECONDS = 2


# --- from policies to rules ------------------------------------------------------------------------------------------


def selects(selector: Object, labels: dict[str, str]) -> bool:
    """Return whether a label selector selects an object with these labels; the empty selector selects all."""
    if any(labels.get(key) != value for key, value in (selector.get("matchLabels") or {}).items()):
        return False
    for requirement in selector.get("matchExpressions") or []:
        key, values = requirement["key"], requirement.get("values") or []
        holds = {
            "In": labels.get(key) in values,
            "NotIn": labels.get(key) not in values,
            "Exists": key in labels,
            "DoesNotExist": key not in labels,
        }
        if not holds[requirement["operator"]]:
            return False
    return True


def is_subject(pod: Object) -> bool:
    """Return whether policies are about a pod: it has an address of its own, and has not ended."""
    status = pod.get("status") or {}
    ended = status.get("phase") in ("Succeeded", "Failed")
    return bool(status.get("podIP")) and not pod["spec"].get("hostNetwork") and not ended


def address(pod: Object) -> str:
    """Return the address of a pod that has one."""
    return str(pod["status"]["podIP"])


def full_name(pod: Object) -> str:
    """Return namespace and name of a pod."""
    return f"{pod['metadata']['namespace']}/{pod['metadata']['name']}"


def labels_of(item: Object) -> dict[str, str]:
    """Return the labels of an object."""
    return item["metadata"].get("labels") or {}


def networks(block: Object) -> tuple[IPv4Network | None, list[IPv4Network]]:
    """Return the network of an ipBlock, which is None for IPv6, and what is left out of it."""
    network = ip_network(block["cidr"], strict=False)
    if not isinstance(network, IPv4Network):
        return None, []
    return network, list(collapse_addresses(IPv4Network(part, strict=False) for part in block.get("except") or []))


@dataclass(frozen=True)
class Cluster:
    """The pods that policies are about, and the labels of the namespaces."""

    pods: list[Object]
    namespaces: dict[str, dict[str, str]]

    def selected(self, peer: Object | None, namespace: str) -> list[Object]:
        """Return the pods that a peer of a policy in this namespace means; no peer means all."""
        if peer is None:
            return self.pods
        if "ipBlock" in peer:
            network, left_out = networks(peer["ipBlock"])
            found = [(pod, IPv4Address(address(pod))) for pod in self.pods]
            return [p for p, ip in found if network and ip in network and not any(ip in part for part in left_out)]
        return [
            pod
            for pod in self.pods
            if self._in_namespace(peer, namespace, pod) and selects(peer.get("podSelector") or {}, labels_of(pod))
        ]

    def _in_namespace(self, peer: Object, namespace: str, pod: Object) -> bool:
        own = pod["metadata"]["namespace"]
        if "namespaceSelector" in peer:
            return selects(peer["namespaceSelector"], self.namespaces.get(own, {}))
        return bool(own == namespace)

    def match(self, peer: Object | None, namespace: str, side: str) -> str | None:
        """Return what matches the addresses of a peer, which is empty for all, and None for nobody."""
        if peer is None:
            return ""
        if "ipBlock" in peer:
            network, left_out = networks(peer["ipBlock"])
            if network is None:
                return None
            rest = f" ip {side} != {{ {', '.join(map(str, left_out))} }}" if left_out else ""
            return f"ip {side} {network}{rest}"
        addresses = [address(pod) for pod in self.selected(peer, namespace)]
        return f"ip {side} {{ {', '.join(addresses)} }}" if addresses else None


def is_named(port: Object) -> bool:
    """Return whether a policy gives the name of a port instead of its number."""
    return isinstance(port.get("port"), str)


def protocol_of(port: Object) -> str:
    """Return the protocol of a port in the spelling of nftables."""
    return str(port.get("protocol") or "TCP").lower()


def match_number(port: Object) -> str:
    """Return what matches a port without a name: a number, a range, or all ports of a protocol."""
    if port.get("port") is None:
        return f"meta l4proto {protocol_of(port)}"
    last = f"-{port['endPort']}" if port.get("endPort") else ""
    return f"{protocol_of(port)} dport {port['port']}{last}"


def match_names(ports: list[Object], pod: Object) -> list[str]:
    """Return what matches the named ports of a policy, by the numbers that a pod gives these names."""
    own = [entry for container in pod["spec"]["containers"] for entry in container.get("ports") or []]
    return [
        f"{protocol_of(port)} dport {entry['containerPort']}"
        for port in ports
        for entry in own
        if entry.get("name") == port["port"] and protocol_of(entry) == protocol_of(port)
    ]


def rules(policy: Object, direction: str, pod: Object, cluster: Cluster) -> Iterator[str]:
    """Yield what a policy allows a pod in one direction."""
    field, peers, side = DIRECTIONS[direction]
    namespace = policy["metadata"]["namespace"]
    for rule in policy["spec"].get(field) or []:
        ports = rule.get("ports") or []
        numbers = [match_number(port) for port in ports if not is_named(port)] if ports else [""]
        names = [port for port in ports if is_named(port)]
        for peer in rule.get(peers) or [None]:
            who = cluster.match(peer, namespace, side)
            if who is None:
                continue
            own = match_names(names, pod) if direction == "Ingress" else []
            yield from (" ".join(filter(None, (who, match, "return"))) for match in numbers + own)
            # In the other direction each pod that is reached has names of its own.
            for other in cluster.selected(peer, namespace) if direction == "Egress" and names else []:
                yield from (f"ip daddr {address(other)} {match} return" for match in match_names(names, other))


def chain(pod: Object, direction: str, policies: list[Object], cluster: Cluster) -> str:
    """Return the chain that returns for what the policies allow a pod, and refuses the rest."""
    side = DIRECTIONS[direction][2]
    allowed = (rule for policy in policies for rule in rules(policy, direction, pod, cluster))
    body = [
        f'comment "{full_name(pod)[:100]}"',
        f"ip {side} {address(pod)} return",
        *dict.fromkeys(allowed),
        f'log prefix "{direction.lower()}" group {LOG_GROUP} snaplen 96',
        "reject with icmp type admin-prohibited",
    ]
    return "\n".join([f"chain {chain_name(pod, direction)} {{", *body, "}"])


def chain_name(pod: Object, direction: str) -> str:
    """Return the name of a pod's chain."""
    return f"{direction.lower()}-{address(pod).replace('.', '-')}"


def hook(name: str, *maps: tuple[str, list[str]]) -> str:
    """Return a base chain that sends new connections through the chains of their pods."""
    jumps = [f"ip {side} vmap {{ {', '.join(entries)} }}" for side, entries in maps if entries]
    body = [f"type filter hook {name} priority filter; policy accept;", "ct state established,related accept", *jumps]
    return "\n".join([f"chain {name} {{", *body, "}"])


def ruleset(policies: list[Object], pods: list[Object], namespaces: list[Object]) -> str:
    """Return the input of nft that replaces the whole table."""
    subjects = [pod for pod in pods if is_subject(pod)]
    cluster = Cluster(subjects, {item["metadata"]["name"]: labels_of(item) for item in namespaces})
    chains: list[str] = []
    jumps: dict[str, list[str]] = {direction: [] for direction in DIRECTIONS}
    for pod in subjects:
        for direction in DIRECTIONS:
            applying = [policy for policy in policies if applies(policy, direction, pod)]
            if applying:
                chains.append(chain(pod, direction, applying, cluster))
                jumps[direction].append(f"{address(pod)} : jump {chain_name(pod, direction)}")
    egress = ("saddr", jumps["Egress"])
    base = [hook("forward", egress, ("daddr", jumps["Ingress"])), hook("input", egress)]
    head = [f"table ip {TABLE} {{}}", f"delete table ip {TABLE}", f"table ip {TABLE} {{"]
    return "\n".join([*head, *chains, *base, "}", ""])


def applies(policy: Object, direction: str, pod: Object) -> bool:
    """Return whether a policy isolates a pod in a direction."""
    spec = policy["spec"]
    same_namespace = policy["metadata"]["namespace"] == pod["metadata"]["namespace"]
    return same_namespace and direction in spec["policyTypes"] and selects(spec["podSelector"] or {}, labels_of(pod))


# --- on the node -----------------------------------------------------------------------------------------------------


def nft(text: str) -> None:
    """Run one transaction in the network namespace of this thread."""
    done = subprocess.run(["nft", "-f", "-"], input=text, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"nft refused the rules: {done.stderr.strip()}\n{text}")


def load(text: str) -> None:
    """Replace the table; in force when this returns."""
    # The kernel limits the answers of ICMP, and what is not answered ends with a timeout only.
    Path("/proc/sys/net/ipv4/icmp_ratemask").write_text("0")
    nft(text)


def remove() -> None:
    """Remove the table, if it is there."""
    nft(f"table ip {TABLE} {{}}\ndelete table ip {TABLE}\n")


class Enforcement:
    """Enforces the policies of a cluster in the network namespace of the thread that enters it.

    `names` are those of addresses that are no pods.
    """

    def __init__(self, api: Api, names: Mapping[str, str] | None = None) -> None:
        self.api = api
        self._names = dict(names or {})  # a pod that has ended keeps its name until another one gets its address
        self.refused = Refusals(self._names)
        self._lock = threading.Lock()
        self._changed, self._stopped = threading.Event(), threading.Event()
        self._threads: list[threading.Thread] = []
        self._failure: Exception | None = None

    def apply(self) -> dict[str, str]:
        """Enforce what the API server has now; return the version of each list."""
        with self._lock:
            lists = {path: self._list(path) for path in (POLICIES, PODS, NAMESPACES)}
            pods = lists[PODS]["items"]
            load(ruleset(lists[POLICIES]["items"], pods, lists[NAMESPACES]["items"]))
            self._names |= {address(pod): full_name(pod) for pod in pods if is_subject(pod)}
        return {path: answer["metadata"]["resourceVersion"] for path, answer in lists.items()}

    def _list(self, path: str) -> Object:
        status, answer = self.api.request("GET", path)
        if status != 200:
            raise RuntimeError(f"GET {path} answers {status}: {answer.get('message')}")
        return answer

    def __enter__(self) -> Enforcement:
        self.refused.__enter__()
        versions = self.apply()
        watches = [threading.Thread(target=self._watch, args=item, daemon=True) for item in versions.items()]
        self._threads = [*watches, threading.Thread(target=self._follow, daemon=True)]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._changed.set()
        for thread in self._threads:
            thread.join()
        remove()
        self.refused.__exit__()
        if self._failure:
            raise self._failure

    def _watch(self, path: str, version: str) -> None:
        """Tell about each change until the end."""
        while not self._stopped.is_set():
            query = {"watch": "true", "resourceVersion": version, "allowWatchBookmarks": "true"}
            with contextlib.suppress(UnavailableError):  # also after WATCH_SECONDS without an event
                for event in self.api.stream(path, query, WATCH_SECONDS):
                    # Without a version, after an error, a watch begins with all objects.
                    version = (event["object"].get("metadata") or {}).get("resourceVersion") or ""
                    if event["type"] != "BOOKMARK":
                        self._changed.set()
                    if self._stopped.is_set():
                        return
            self._stopped.wait(PAUSE_SECONDS)

    def _follow(self) -> None:
        """Apply after each change until the end."""
        while self._changed.wait() and not self._stopped.is_set():
            self._changed.clear()
            try:
                self.apply()
            except UnavailableError:
                self._changed.set()
            except Exception as error:  # the end of the context raises it in the thread of the test
                self._failure = error
                return
            self._stopped.wait(PAUSE_SECONDS)
