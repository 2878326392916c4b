# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The variables of an inventory, held against the argument specifications of the roles. Pure functions.

For use within the collection monorepo.gitops only.
"""

from __future__ import annotations

import difflib
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
# In descriptions: C(code), O(option), V(value).
MARKUP = re.compile(r"\b[A-Z]\(([^)]*)\)")


def wrong_values(options: Options, values: dict[str, Any], place: Callable[[str], str]) -> Iterator[str]:
    """Return a sentence for each value that its option does not allow. `place` returns where a variable is set."""
    for name, value in values.items():
        option = options[name]
        flat: dict[str, Any] = {key: option[key] for key in ("type", "elements", "choices") if key in option}
        # A mapping or a list may contain a secret, and Ansible's own message about what is in it does.
        if option.get("no_log") or isinstance(value, (dict, list)):
            shown = "has a value that"
        else:
            text = json.dumps(value, default=str, ensure_ascii=False)
            shown = f"is {text if len(text) <= SHOWN else text[:SHOWN] + '…'}, which"
        if _errors(name, flat, value):
            yield f"{name} {shown} is not {expected(option)}{place(name)}."
        elif not option.get("no_log") and (errors := _errors(name, specification(option), value)):
            # Which arguments are missing or unknown is no secret.
            named = errors[0] if errors[0].startswith(("missing", "Unsupported")) else "an entry has a wrong value"
            yield f"{name}: {named}{place(name)}."


def missing(options: Options, values: dict[str, Any]) -> Iterator[str]:
    """Return a sentence for each required option without a value."""
    for name, option in options.items():
        if option.get("required") and values.get(name) is None:
            meaning = MARKUP.sub(r"\1", description(option))
            yield f"{name} is not set: {meaning.partition('. ')[0].rstrip('.')}."


def unknown(names: Iterable[str], known: set[str], roles: Iterable[str], place: Callable[[str], str]) -> Iterator[str]:
    """Return a sentence for each misspelt variable.

    Nobody but this collection begins a name with `gitops_`; with a role's name many do, so there it must be similar.
    """
    prefixes = tuple(f"{role}_" for role in roles)
    for name in sorted(set(names) - known):
        if name.startswith("gitops_"):
            similar = difflib.get_close_matches(name, known, n=1, cutoff=0.8)
        elif name.startswith(prefixes):
            similar = [other for other in sorted(known) if distance(name, other) <= 2]
            if not similar:
                continue
        else:
            continue
        hint = f" Do you mean {similar[0]}?" if similar else ""
        yield f"{name} is not a variable of this collection{place(name)}.{hint}"


def description(option: dict[str, Any]) -> str:
    """Return the first paragraph of an option's description; the specification of another collection may have none."""
    text = option.get("description") or ""
    return str(text[0] if isinstance(text, list) else text)


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
    keys = ("type", "elements", "choices", "required", "default", "no_log", "aliases")
    spec = {key: option[key] for key in keys if key in option}
    if option.get("options"):
        spec["options"] = {name: specification(entry) for name, entry in option["options"].items()}
    return spec


def distance(one: str, other: str) -> int:
    """Return how many letters must be added, left out or changed (Levenshtein's distance)."""
    row = list(range(len(other) + 1))
    for number, letter in enumerate(one, 1):
        before, row[0] = row[0], number
        for place, target in enumerate(other, 1):
            before, row[place] = row[place], min(row[place] + 1, row[place - 1] + 1, before + (letter != target))
    return row[-1]


def _errors(name: str, spec: dict[str, Any], value: Any) -> list[str]:
    if value is None:  # as good as not set
        return []
    return list(ArgumentSpecValidator({name: {**spec, "required": False}}).validate({name: value}).error_messages)
