# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What becomes of a component that people wrote, and the inventory that describes a repository. Pure functions.

For use within the collection monorepo.gitops only.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.monorepo.gitops.plugins.module_utils import _paths, _yaml
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.status import listed
from ansible_collections.monorepo.gitops.plugins.module_utils._environment import immutable
from ansible_collections.monorepo.gitops.plugins.module_utils._environment.built import CRD, Object, Objects, changes
from ansible_collections.monorepo.gitops.plugins.module_utils._environment.plan import DNS_LABEL
from ansible_collections.monorepo.gitops.plugins.module_utils._environment.removal import is_kept, label
from ansible_collections.monorepo.gitops.plugins.module_utils._git import public
from ansible_collections.monorepo.gitops.plugins.module_utils._repository.plain_values import credentials
from ansible_collections.monorepo.gitops.plugins.module_utils._repository.tokens import tokens

SHOWN = 60  # characters of a value
NO_ROLE = "no role has this name"
FIXED = "A living object cannot change that."
WIDTH = 110


@dataclass
class Found:
    """A component of a repository, and what was found out about it."""

    layer: str
    name: str
    reason: str = ""  # why it stays as people wrote it; empty for one that its role renders
    rendered: bool = False  # whether an earlier run rendered it already
    values: dict[str, Any] = field(default_factory=dict)
    difference: list[str] = field(default_factory=list)

    @property
    def label(self) -> str:
        """Return layer and name."""
        return f"{self.layer}/{self.name}"


def deleted(before: Objects, after: Iterable[Objects]) -> list[str]:
    """Return the objects that would leave the cluster with the commit that lets roles render what people wrote."""
    staying = {identity for objects in after for identity in objects}
    return [
        label(identity)
        for identity, item in sorted(before.items())
        if identity not in staying and not is_kept(item, "Prune")
    ]


def refused(before: Objects, after: Objects, namespace: str, rules: list[dict[str, str]]) -> str:
    """Return what the living objects would not take, if they are as the tree says; what that means is said once."""
    found = immutable.refused(after.values(), namespace, rules, before.get)
    texts = [text.removesuffix(immutable.AGAIN).strip() for text in found]
    return " ".join([*texts, FIXED] if texts != found else found)


def shared(after: Objects, others: dict[str, Objects]) -> list[str]:
    """Return the objects that a role would render although a component of somebody else has them."""
    return [
        f"{label(identity)} of {name}"
        for name, objects in sorted(others.items())
        for identity in sorted(objects & after.keys())
    ]


def difference(before: Objects, after: Objects) -> list[str]:
    """Return what the first run would change, in lines: a field, its value in the tree, and that of the role."""
    lines = [f"add {label(identity)}" for identity in sorted(after.keys() - before.keys())]
    for identity in sorted(after.keys() & before.keys()):
        changed = [f"  {text}" for text in changed_fields(before[identity], after[identity])]
        if changed and identity[1] == CRD:
            lines.append(f"change {label(identity)} ({len(changed)} fields)")
        elif changed:
            lines += [f"change {label(identity)}", *changed]
    return lines + [
        f"keep {label(identity)}, because of Prune=false" for identity in sorted(before.keys() - after.keys())
    ]


def changed_fields(before: Object, after: Object) -> Iterator[str]:
    """Return the fields of an object that differ; values of Secrets and credentials are not shown."""
    is_secret = before.get("kind") == "Secret"
    plain = {value for item in (before, after) for _place, value in credentials(item)}
    for path, old, new in changes(before, after):
        # A namespace that is not written is that of the Application.
        if path != "metadata.namespace" or (old and new):
            values = (shown(value, is_secret or any(part in str(value) for part in plain)) for value in (old, new))
            yield f"{one_line(path)}: {' -> '.join(values)}"


def shown(value: Any, hidden: bool) -> str:
    """Return a value in a difference."""
    if value is None:
        return "(none)"
    if hidden or tokens(str(value)):
        return "(not shown)"
    text = one_line(str(value)) or '""'
    if isinstance(value, bool):
        return text.lower()
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"


def one_line(text: str) -> str:
    """Return a text of a repository as it can stand in a comment: without line breaks, escapes and credentials."""
    return "".join(letter if letter.isprintable() else "?" for letter in " ".join(public(text).split()))


def closed(needs: dict[str, list[str]]) -> dict[str, str]:
    """Return the components that depend on others which are not among them, with these, down to the last."""
    left: dict[str, str] = {}
    while lost := {
        name: missing[0]
        for name, own in needs.items()
        if name not in left and (missing := [need for need in own if need not in needs or need in left])
    }:
        left |= lost
    return left


def inventory(settings: dict[str, Any], components: list[Found], notes: list[str]) -> str:
    """Return the inventory as YAML; what needs no entry is in comments, so that everything is named once."""
    roles = [entry for entry in components if not entry.reason]
    lines = ["---", *(f"# {one_line(note)}" for note in notes), *dumped(settings)]
    lines += ["# These are rendered by roles.", *dumped({"gitops_components": [entry.name for entry in roles]})]
    people = [entry for entry in components if entry.reason]
    if people:
        lines.append("# These stay as people wrote them, and need no entry unless a line says so:")
        lines += [line for entry in people for line in folded(f"{one_line(entry.label)}: {one_line(entry.reason)}")]
    for entry in roles:
        lines += dumped(entry.values)
    return "\n".join(lines) + "\n"


def folded(text: str) -> Iterator[str]:
    """Return a text as lines of a comment."""
    line = "#  "
    for word in text.split(" "):
        if len(line) + len(word) >= WIDTH and line.strip("# "):
            yield line
            line = "#    "
        line += f" {word}"
    yield line


def dumped(values: dict[str, Any]) -> list[str]:
    """Return variables as lines of YAML."""
    return _yaml.dump(values, sort_keys=False).splitlines() if values else []


def summary(source: str, commit: str, environment: str, components: list[Found]) -> str:
    """Return the first line of what is printed."""
    roles = sum(not entry.reason for entry in components)
    return (
        f"{one_line(source)} at {commit[:12]}, environment {environment}: {roles} of {len(components)} components can "
        "be rendered by roles, without deleting any object."
    )


def differences(components: list[Found]) -> list[str]:
    """Return what no variable explains, by component."""
    lines = []
    for entry in components:
        if not entry.reason:
            lines.append(f"{entry.label}: {'no difference' if not entry.difference else 'the first run would'}")
            lines += [f"  {line}" for line in entry.difference]
    return lines


def described(applicationsets: list[Object]) -> dict[str, Any]:
    """Return what ApplicationSets in the layout of this collection say of repository, revision and sync."""
    templates = [(item.get("spec") or {}).get("template") or {} for item in applicationsets]
    specs = [spec for entry in templates if isinstance(entry, dict) and isinstance(spec := entry.get("spec"), dict)]
    sources = [source for spec in specs if isinstance(source := spec.get("source"), dict)]
    urls = {source.get("repoURL") for source in sources}
    revisions = {source.get("targetRevision") or "HEAD" for source in sources}
    found: dict[str, Any] = {}
    for name, values in (("gitops_repo_url", urls), ("gitops_repo_revision", revisions)):
        (value,) = values if len(values) == 1 else (None,)
        if isinstance(value, str) and "{" not in value and value == public(value):
            found[name] = value
    if specs and not any((spec.get("syncPolicy") or {}).get("automated") is not None for spec in specs):
        found["applicationsets_automated"] = False
    return found


def unbuildable(reason: str, error: str) -> str:
    """Return why a component stays as it is that kustomize cannot build, and what then says which kinds it has."""
    text = f"its entry must name its kinds (docs/safety.md), because kustomize cannot build it: {error}"
    return f"{reason}; {text}" if reason == NO_ROLE else reason or text


def missing_roles(component: tuple[str, str], layers: dict[str, str]) -> str:
    """Return why a component has no role; nothing for one that has."""
    layer, name = component
    if not DNS_LABEL.fullmatch(name):
        return "no Application can have this name: rename the folder"
    if name not in layers:
        return NO_ROLE
    return "" if layers[name] == layer else f"its role is for {_paths.component_folder(layers[name], name)}"


def listed_reason(text: str, found: list[str]) -> str:
    """Return a reason with the first things that it is about; nothing without any."""
    return f"{text} {listed(found)}" if found else ""
