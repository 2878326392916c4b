# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The variables of an inventory, held against the argument specifications of the roles. Pure functions.

For use within the collection monorepo.gitops only.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

Options = dict[str, dict[str, Any]]

WORDS = {
    "bool": "true or false",
    "dict": "a mapping",
    "float": "a number",
    "int": "a whole number",
    "list": "a list",
    "path": "a path",
    "str": "a text",
}
ELEMENTS = {"dict": "mappings", "int": "whole numbers", "path": "paths", "str": "texts"}
SHOWN = 80
# Letters of a word that may be misspelt, and of one in which two letters may be wrong.
SHORT, LONG = 4, 8
# In descriptions: C(code), O(option), V(value).
MARKUP = re.compile(r"\b[A-Z]\(([^)]*)\)")


def wrong_values(options: Options, values: dict[str, Any], place: Callable[[str], str]) -> Iterator[str]:
    """Return a sentence for each value that its option does not allow. `place` returns where a variable is set."""
    for name, value in values.items():
        if wrong := _wrong(name, options[name], value, secret(options[name])):
            yield f"{wrong}{place(name)}."


def _wrong(path: str, option: dict[str, Any], value: Any, hidden: bool) -> str:
    """Return what is wrong with a value, or with the first entry in it that is wrong; nothing if all is right."""
    flat: dict[str, Any] = {key: option[key] for key in ("type", "elements", "choices") if key in option}
    if _errors(path, flat, value):
        return f"{path} {_shown(value, hidden)} is not {expected(option)}"
    errors = _errors(path, specification(option), value)
    if not errors:
        return ""
    entries = (_wrong(*entry, hidden) for entry in _entries(path, option, value))
    return next(filter(None, entries), "") or f"{path}: {_entry_error(errors[0], hidden)}"


def _entries(path: str, option: dict[str, Any], value: Any) -> Iterator[tuple[str, dict[str, Any], Any]]:
    """Return the entries of a list or mapping, each with its path and its own option."""
    options = option.get("options") or {}
    if isinstance(value, list):
        element = {"type": option.get("elements", "str"), "options": options}
        yield from ((f"{path}[{number}]", element, entry) for number, entry in enumerate(value))
    elif isinstance(value, dict):
        yield from ((f"{path}.{key}", options[key] or {}, value[key]) for key in options if key in value)


def _shown(value: Any, hidden: bool) -> str:
    """Return what is said of a value before what it is not."""
    if hidden:
        return "has a value that"
    text = json.dumps(value, default=str, ensure_ascii=False)
    return f"is {text if len(text) <= SHOWN else text[:SHOWN] + '…'}, which"


def _entry_error(error: str, hidden: bool) -> str:
    """Return what is wrong with the entries of a mapping; the name of a wrong one may be a misplaced secret."""
    if error.startswith("missing"):
        return error.partition(" found in ")[0]
    unknown_key = "Supported parameters include" in error and not hidden
    return f"unknown entry {error.rstrip('.')}" if unknown_key else "an entry has a wrong value"


def union(specs: Iterable[Options]) -> Options:
    """Return the options of several roles and entry points. The first one counts, but a secret of any is a secret."""
    found: Options = {}
    for name, option in [item for spec in specs for item in spec.items()]:
        found.setdefault(name, option)
        if secret(option):
            found[name] = found[name] | {"no_log": True}
    return found


def missing(options: Options) -> Iterator[str]:
    """Return a sentence for each option that must be set."""
    for name, option in options.items():
        meaning = MARKUP.sub(r"\1", description(option)).partition(". ")[0].rstrip(".")
        yield f"{name} is not set: {meaning}." if meaning else f"{name} is not set, and a component requires it."


def not_given(arguments: Options, values: dict[str, Any]) -> Options:
    """Return the arguments that must be given, and are not; an empty one is as good as none."""
    asked = {name: option for name, option in arguments.items() if option.get("required")}
    return {name: option for name, option in asked.items() if values.get(name) in (None, "", [])}


def misspelt(names: Iterable[str], arguments: Options, place: Callable[[str], str]) -> Iterator[str]:
    """Return a sentence for each variable given with `-e` that looks like an argument of the playbook."""
    for name in sorted(set(names) - set(arguments)):
        similar = [argument for argument in arguments if alike(name, argument)]
        if similar:
            nearest = min(similar, key=lambda argument: distance(name, argument))
            yield f"{name} is not an argument of this playbook{place(name)}. Did you mean {nearest}?"


def complete(arguments: Options, values: dict[str, Any]) -> dict[str, Any]:
    """Return the arguments of a playbook in their types, those that are not given with their default."""
    spec = {name: specification(option) for name, option in arguments.items()}
    return dict(ArgumentSpecValidator(spec).validate(values).validated_parameters)


def unknown(
    names: Iterable[str], accepted: set[str], options: Options, roles: Iterable[str], place: Callable[[str], str]
) -> Iterator[str]:
    """Return a sentence for each misspelt variable; `accepted` are also names that nobody is meant to write.

    Nobody but this collection begins a name with `gitops_`; with a role's name many do, so there it must be similar.
    """
    prefixes = tuple(f"{role}_" for role in roles)
    meant = sorted(name for name, option in options.items() if not internal(option))
    for name in sorted(set(names) - accepted):
        ours = name.startswith("gitops_")
        if not ours and not name.startswith(prefixes):
            continue
        pairs = {option: differing(name, option) for option in meant}
        similar = [option for option, pair in pairs.items() if alike(*pair) and (ours or not ordinary(*pair))]
        if ours or similar:
            nearest = min(similar, key=lambda option: distance(*pairs[option]), default="")
            hint = f" Did you mean {nearest}?" if nearest else ""
            yield f"{name} is not a variable of this collection{place(name)}.{hint}"


def differing(name: str, option: str) -> tuple[str, str]:
    """Return the words of two names without those with which both begin or end, such as a role's name."""
    one, other = name.split("_"), option.split("_")
    for position in (0, -1):
        while one and other and one[position] == other[position]:
            del one[position], other[position]
    return "_".join(one), "_".join(other)


def alike(word: str, meant: str) -> bool:
    """Return whether a word looks like another one: in a long one two letters may differ, else one."""
    letters = 2 if len(word) >= LONG else 1
    # The length alone rules out most names: a run has thousands of pairs.
    return abs(len(word) - len(meant)) <= letters and distance(word, meant) <= letters


def ordinary(word: str, meant: str) -> bool:
    """Return whether a word that looks like another one may well be somebody's own: `id` is not a misspelt `uid`.

    Nor is `hosts` a misspelt `host`, nor `topic` a misspelt `topics`; but `replica` and `clas` are misspelt.
    """
    plural = word == f"{meant}s" or (meant == f"{word}s" and len(meant) < LONG and not word.endswith("s"))
    return plural or len(word) < SHORT


def sets(name: str, line: str, suffix: str) -> bool:
    """Return whether a line of a file sets a variable: as YAML or JSON, or as INI where the file may be that."""
    name = re.escape(name)
    ini = rf"(?![#;]).*(?<!\S){name}\s*=|" if suffix not in (".json", ".yaml", ".yml") else ""
    return bool(re.match(rf"\s*(?:{ini}[\"']?{name}[\"']?\s*:)", line))


def description(option: dict[str, Any]) -> str:
    """Return the first paragraph of an option's description; the specification of another collection may have none."""
    text = option.get("description") or ""
    return str(text[0] if isinstance(text, list) else text)


def secret(option: dict[str, Any]) -> bool:
    """Return whether an option, or an entry of it, can contain a secret."""
    return bool(option.get("no_log")) or any(secret(entry or {}) for entry in (option.get("options") or {}).values())


def internal(option: dict[str, Any]) -> bool:
    """Return whether playbooks and roles hand the option to a role; a user can set it, but is never told to."""
    return description(option).startswith("Internal:")


def expected(option: dict[str, Any]) -> str:
    """Return what an option allows, in words."""
    if option.get("choices"):
        return f"one of {', '.join(map(str, option['choices']))}"
    words = WORDS.get(option.get("type", "str"), "allowed")
    return f"{words} of {ELEMENTS[option['elements']]}" if option.get("elements") in ELEMENTS else words


def specification(option: dict[str, Any]) -> dict[str, Any]:
    """Return what Ansible's validator needs of an option."""
    keys = ("type", "elements", "choices", "required", "default", "aliases")
    spec = {key: option[key] for key in keys if key in option}
    if option.get("options"):
        spec["options"] = {name: specification(entry or {}) for name, entry in option["options"].items()}
    return spec


def distance(one: str, other: str) -> int:
    """Return how many letters must be added, left out, changed, or swapped with the next one."""
    rows = [list(range(len(other) + 1))]
    for i, letter in enumerate(one, 1):
        row = [i]
        for j, target in enumerate(other, 1):
            steps = [rows[-1][j] + 1, row[j - 1] + 1, rows[-1][j - 1] + (letter != target)]
            if i > 1 and j > 1 and (letter, one[i - 2]) == (other[j - 2], target):
                steps.append(rows[-2][j - 2] + 1)
            row.append(min(steps))
        rows.append(row)
    return rows[-1][-1]


def _errors(name: str, spec: dict[str, Any], value: Any) -> list[str]:
    if value is None:  # as good as not set
        return []
    return list(ArgumentSpecValidator({name: {**spec, "required": False}}).validate({name: value}).error_messages)
