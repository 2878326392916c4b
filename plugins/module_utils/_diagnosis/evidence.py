# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a diagnosis is about: causes, and the evidence that it looks at.

For use within the collection monorepo.gitops only.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from ansible_collections.monorepo.gitops.plugins.module_utils._objects.finding import Finding

Manifest = dict[str, Any]
# So many objects of a kind in a namespace are read.
MOST_OBJECTS = 500
# Group, kind, namespace (empty without one) and name of an object.
Identity = tuple[str, str, str, str]


class Kind(NamedTuple):
    """A kind whose objects can be listed without asking the API server for its name in paths."""

    version: str
    kind: str
    plural: str


class Reference(NamedTuple):
    """An object that another one names."""

    version: str
    kind: str
    namespace: str
    name: str


class Evidence(Protocol):
    """What can be known of the objects of a cluster."""

    def listed(self, kind: Kind, namespace: str) -> list[Manifest] | None:
        """Return the objects of a kind in a namespace, no more than MOST_OBJECTS; None when nobody knows them."""

    def named(self, reference: Reference) -> Manifest | None:
        """Return an object, an empty one when it does not exist, None when nobody knows."""

    def events(self, item: Manifest) -> list[Manifest]:
        """Return the events of an object that say something is wrong, the newest first."""

    def log(self, reference: Reference, container: str, previous: bool) -> str:
        """Return the end of a container's log where that was asked for."""


@dataclass(frozen=True)
class Found:
    """What a cause finds in an object: `why` in the words of the component that knows, and what to do `next`.

    What is `final` cannot get better by itself. What is `mild` is on its way, or the consequence of something else.
    `log` names the container whose log says more, and whether it is the log of its previous run.
    """

    why: str
    next: str = ""
    since: str = ""
    final: bool = False
    mild: bool = False
    log: tuple[str, bool] | None = None


@dataclass(frozen=True)
class Rule:
    """A cause: which kinds can have it (none: every kind), and the pure function that finds it."""

    name: str
    kinds: tuple[tuple[str, str], ...]
    find: Callable[[Manifest, list[Manifest]], Found | None]


@dataclass(frozen=True)
class Cause:
    """Why an object is not ready: the lowest object that says it, by which way it was found, and what it says."""

    rule: str
    top: Identity
    item: Identity
    found: Found
    alike: int = 0  # how many more objects beside it have the same
    log: str = ""

    @property
    def final(self) -> bool:
        """Return whether it cannot get better by itself."""
        return self.found.final

    @property
    def next_step(self) -> str:
        """Return what to do about it: a command, or a short imperative."""
        return self.found.next

    @property
    def text(self) -> str:
        """Return for people which object it is and why, in one line."""
        names = [name_of(self.top)]
        if self.item != self.top:
            names.append(name_of(self.item, beside=self.top))
        more = f" (and {self.alike} alike)" if self.alike else ""
        since = f" (since {self.found.since})" if self.found.since else ""
        log = f"; its log ends with: {self.log}" if self.log else ""
        return f"{': '.join(names)}{more}: {self.found.why.rstrip('. ')}{since}{log}"

    @property
    def sentence(self) -> str:
        """Return the text with what to do."""
        return f"{self.text}. Next: {self.next_step}" if self.next_step else self.text

    @property
    def finding(self) -> Finding:
        """Return what a verdict needs of it."""
        return Finding(self.text, self.final, self.next_step)

    def entry(self) -> dict[str, Any]:
        """Return it for a result."""
        _group, kind, namespace, name = self.item
        return {
            "object": name_of(self.top),
            "kind": kind,
            "namespace": namespace,
            "name": name,
            "why": self.found.why,
            "since": self.found.since,
            "next": self.found.next,
            "final": self.found.final,
            "alike": self.alike,
            "log": self.log,
            "text": self.text,
        }


def identity_of(item: Manifest) -> Identity:
    """Return the identity of an object."""
    metadata = item["metadata"]
    return item["apiVersion"].rpartition("/")[0], item["kind"], metadata.get("namespace") or "", metadata["name"]


def name_of(identity: Identity, beside: Identity | None = None) -> str:
    """Return kind, namespace and name for messages; beside an object of the same namespace, the latter is known."""
    _group, kind, namespace, name = identity
    return f"{kind} {name}" if not namespace or (beside and beside[2] == namespace) else f"{kind} {namespace}/{name}"


# What components wrap around the words that matter.
WRAPPING = re.compile(
    r"""(?x)
      rpc\ error:\ code\ =\ \w+\ desc\ =\ |
      Back-off\ pulling\ image\ "[^"]*"(?::\ ErrImagePull:\ |$) |
      (?:Failed|failed)\ to\ pull\ (?:and\ unpack\ )?image\ "[^"]*":\  |
      failed\ to\ (?:resolve\ reference|resolve\ image|copy|extract)\ "[^"]*":\  |
      failed\ to\ (?:create|start)\ (?:containerd|shim)\ task:\  |
      failed\ to\ create\ containerd\ container:\  |
      OCI\ runtime\ create\ failed:\  |
      runc\ create\ failed:\  |
      unable\ to\ start\ container\ process:\  |
      ^Error(?:\ creating)?:\  |
      \(combined\ from\ similar\ events\):\  |
      :\ unknown$
    """
)


def unwrapped(text: str) -> str:
    """Return a message without what the components between its author and us have written around it."""
    previous = ""
    while previous != text:
        previous, text = text, WRAPPING.sub("", text).strip()
    return text
