# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which variables of a role reproduce the objects of a tree.

Nothing is guessed, and no table says which field comes from which variable: a role is rendered with a marker as the
value of each variable, and where the marker shows up, the tree has the value. It is taken when the role, rendered with
it, comes closer to the tree. Pure functions: rendering is handed over.

For use within the collection monorepo.gitops only.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from ansible_collections.monorepo.gitops.plugins.module_utils._environment import inputs
from ansible_collections.monorepo.gitops.plugins.module_utils._environment.built import (
    MISSING,
    Item,
    Objects,
    Path,
    at,
    distance,
    nodes,
)
from ansible_collections.monorepo.gitops.plugins.module_utils._environment.removal import Identity
from ansible_collections.monorepo.gitops.plugins.module_utils._repository.plain_values import in_entry
from ansible_collections.monorepo.gitops.plugins.module_utils._repository.tokens import tokens

Values = dict[str, Any]
Render = Callable[[Values], "Objects | None"]  # None where the role cannot be rendered like this

TEXT = re.compile(r"mk\d\d\dzz")
# Of numbers: one that counts something is small, because as many objects are rendered; others are ports and times.
SMALL, COUNTS, PORTS = 100, 61, 41001
# Values in an inventory are templates for Ansible, which would run what is in them.
TEMPLATE = re.compile(r"\{[{%#]")
# Where an option may have a secret, whatever sounds like one is left to people; elsewhere many names would.
SECRET = re.compile(r"auth|credential|key|pass|secret|token|jaas|://[^/]*@", re.IGNORECASE)


@dataclass(frozen=True)
class Place:
    """Where variables show up: in the text of a field, by a pattern; or as all or a part of what a field contains."""

    identity: Identity
    path: Path
    names: tuple[str, ...]
    pattern: str = ""
    among: bool = False


def usable(options: inputs.Options) -> inputs.Options:
    """Return the options that an inventory can set, without secrets; settings may contain one, and seldom do."""
    return {
        name: entry
        for name, entry in options.items()
        if not inputs.internal(entry) and not (inputs.secret(entry) and entry.get("type") not in ("dict", "list"))
    }


def marker(number: int, option: dict[str, Any], default: Any) -> Any:
    """Return a value that nothing else has; None for an option that has a few values only."""
    text, kind = f"mk{number:03}zz", option.get("type", "str")
    if option.get("choices") or kind == "bool":
        return None
    if kind == "int":
        return (COUNTS if str(default).isdigit() and int(default) < SMALL else PORTS) + number
    if kind == "dict":
        return {text: text}
    if kind == "list":
        return [{"name": text, "value": text}] if option.get("elements") == "dict" else [text]
    return text if kind in ("str", "path") else None


def alternatives(option: dict[str, Any], default: Any) -> list[Any]:
    """Return the other values of an option that has a few only."""
    if option.get("type") == "bool":
        return [str(default).lower() not in ("true", "yes", "on", "1")]
    return [choice for choice in option.get("choices") or [] if choice != default]


def places(marked: Objects, plain: Objects, markers: Values) -> Iterator[Place]:
    """Return where markers show up in objects that were rendered with them."""
    texts = {value: name for name, value in markers.items() if isinstance(value, str)}
    numbers = {value: name for name, value in markers.items() if isinstance(value, int)}
    contents = {name: value for name, value in markers.items() if isinstance(value, (dict, list))}
    for identity, item in marked.items():
        for named, value in nodes(item):
            # An entry that is called like a marker is another one in a tree.
            path = tuple(
                Item(step.place, "") if isinstance(step, Item) and TEXT.search(step.name) else step for step in named
            )
            if isinstance(value, (str, int)):
                before = at(plain.get(identity), path)
                if before != value and (found := in_field(value, texts, numbers)):
                    yield Place(identity, path, *found)
            elif isinstance(value, (dict, list)):
                for name, content in contents.items():
                    if shows(value, content):
                        yield Place(identity, path, (name,), among=value != content)


def in_field(value: str | int, texts: dict[str, str], numbers: dict[int, str]) -> tuple[tuple[str, ...], str] | None:
    """Return the variables whose markers are in a field, and the pattern of the field."""
    parts = re.split(rf"({TEXT.pattern}|(?<!\d)\d+(?!\d))", str(value))
    known = texts | {str(number): name for number, name in numbers.items()}
    names = tuple(known[part] for part in parts[1::2] if part in known)
    if not names or len(set(names)) < len(names):
        return None
    pattern = "".join(("(.*)" if part in texts else r"(\d+)") if part in known else re.escape(part) for part in parts)
    return names, pattern


def shows(value: Any, content: Any) -> bool:
    """Return whether a container has the content of a marker."""
    if isinstance(value, dict) and isinstance(content, dict):
        return all(value.get(key) == entry for key, entry in content.items())
    return isinstance(value, list) and isinstance(content, list) and all(entry in value for entry in content)


def candidates(found: Iterator[Place], tree: Objects, plain: Objects) -> dict[str, list[Any]]:
    """Return the values that a tree has for variables, the most frequent first."""
    values: dict[str, list[Any]] = {}
    for place in found:
        if place.identity in tree:
            for name, value in taken(place, tree, plain):
                values.setdefault(name, []).append(value)
    counted = {name: Counter(map(repr, entries)) for name, entries in values.items()}
    return {
        name: sorted(unique(entries), key=lambda value, own=counted[name]: -own[repr(value)])  # type: ignore[misc]
        for name, entries in values.items()
    }


def unique(values: list[Any]) -> list[Any]:
    """Return each value once."""
    return list({repr(value): value for value in values}.values())


def taken(place: Place, tree: Objects, plain: Objects) -> Iterator[tuple[str, Any]]:
    """Return the values of the variables that show up at a place."""
    value = at(tree[place.identity], place.path)
    if place.pattern:
        text = str(value) if isinstance(value, (str, int)) and not isinstance(value, bool) else None
        match = re.fullmatch(place.pattern, text, re.DOTALL) if text is not None else None
        yield from zip(place.names, match.groups(), strict=True) if match else ()
        return
    own = at(plain.get(place.identity), place.path)
    # What is there without the variable does not come from it.
    known = own if place.among and type(own) is type(value) else type(value)()
    if isinstance(value, dict):
        yield place.names[0], {key: entry for key, entry in value.items() if known.get(key, MISSING) != entry}
    elif isinstance(value, list):
        yield place.names[0], [entry for entry in value if entry not in known]
    elif value is MISSING and not place.among and isinstance(own, (dict, list)):
        yield place.names[0], type(own)()


def accepted(name: str, option: dict[str, Any], value: Any) -> Any:
    """Return a value in the type of its option; MISSING when it is none, a template for Ansible, or may be a secret."""
    if option.get("type") == "int":
        value = int(value) if str(value).isdigit() else value
    if inputs.secret(option) and SECRET.search(repr(value)):
        return MISSING
    if has_credential(name, value):
        return MISSING
    if TEMPLATE.search(repr(value)) or list(inputs.wrong_values({name: option}, {name: value}, lambda _name: "")):
        return MISSING
    return value


def has_credential(name: str, value: Any) -> bool:
    """Return whether anything in a value is a credential by its form, or by the name that it has there."""
    return any(tokens(f'"{key}": "{text}"') or any(in_entry(key, text)) for key, text in texts(name, value))


def texts(name: str, value: Any) -> Iterator[tuple[str, str]]:
    """Return each text in a value with its name: its key, or the name of the entry of a list whose `value` it is."""
    for path, entry in nodes(value, (name,)):
        if not isinstance(entry, (dict, list)):
            names = [step.name if isinstance(step, Item) else step for step in path]
            yield (names[-2] if names[-1] in ("", "value") and len(names) > 1 else names[-1]), str(entry)


class Search:
    """Looks for the variables with which a role comes as close to a tree as it can."""

    def __init__(self, options: inputs.Options, defaults: Values, render: Render, tree: Objects) -> None:
        self.options, self.defaults, self.render, self.tree = usable(options), defaults, render, tree
        self.found: Values = {}
        self.plain: Objects = render({}) or {}
        self.now, self.best = self.plain, distance(tree, self.plain)

    def run(self) -> Values:
        """Return the variables that differ from their defaults."""
        self._try(self.seen())
        if self._try(self._few()):
            # What was switched on or off may show variables that were not to be seen before.
            self.plain = self.render(self.found) or {}
            self._try(self.seen())
        return self.found

    def seen(self) -> dict[str, list[Any]]:
        """Return the values that the tree has where markers show up: of all at once, then of each that did not."""
        pairs = (
            (name, marker(number, self.options[name], self.defaults.get(name)))
            for number, name in enumerate(sorted(self.options))
        )
        markers = {name: value for name, value in pairs if value is not None}
        found = self._places(markers)
        hidden = markers.keys() - {name for place in found for name in place.names}
        for name in sorted(hidden):
            found += self._places({name: markers[name]})
        return candidates(iter(found), self.tree, self.plain)

    def _places(self, markers: Values) -> list[Place]:
        marked = self.render(self.found | markers)
        return list(places(marked, self.plain, markers)) if marked else []

    def _few(self) -> dict[str, list[Any]]:
        return {
            name: values
            for name, option in sorted(self.options.items())
            if (values := alternatives(option, self.defaults.get(name)))
        }

    def _try(self, values: dict[str, list[Any]]) -> bool:
        """Take the values that bring the role closer to the tree; return whether there were any."""
        before = dict(self.found)
        for name, entries in values.items():
            for entry in entries:
                value = accepted(name, self.options[name], entry)
                if self.best and value is not MISSING and value != self.found.get(name, self.defaults.get(name)):
                    self._take(name, value)
        return self.found != before

    def _take(self, name: str, value: Any) -> None:
        rendered = self.render(self.found | {name: value})
        # An object of the tree that is not rendered any more would be deleted, however much else comes closer.
        if rendered is None or (self.tree.keys() & self.now.keys()) - rendered.keys():
            return
        remaining = distance(self.tree, rendered)
        if remaining < self.best:
            self.found, self.best, self.now = self.found | {name: value}, remaining, rendered
