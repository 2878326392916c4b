# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Credentials that are recognized by the name that they have in an object. Pure functions.

For use within the collection monorepo.gitops only.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

Manifest = dict[str, Any]

PASSWORD = re.compile(r"(?i)pass(?:word|wd|phrase)$")
TOKEN = re.compile(r"(?i)(?:secret|token|(?:api|access|private|secret)[._-]?key)$")
# A setting in a file: `db.password=...`, `password: ...`, `export TOKEN="..."`.
SETTING = re.compile(
    r"^[ \t]*(?:export[ \t]+|- )?[\"']?([A-Za-z][\w.-]*)[\"']?[ \t]*[:=][ \t]*([^\s#].*?)[ \t]*$", re.M
)
# What stands for a value, or says where it is: a reference, a path, a URL, a switch, something in brackets.
STANDS_FOR = re.compile(
    r"\$|.*(?:\{\{|\$\(|\$\{)|[/~.]|[a-z][a-z0-9+.-]*://|<|%|\{|\[|!|[*x•-]+$"
    r"|(?i:true|false|yes|no|null|none|on|off|enabled|disabled|required|optional)$"
)
NAME = re.compile(r"[a-z0-9]+(?:[-.][a-z0-9]+)+")
SHORTEST, SHORTEST_TOKEN = 4, 16


def named(item: Manifest) -> list[str]:
    """Return where an object has a password or a token as it is, without showing it."""
    return list(dict.fromkeys(what for what, _value in credentials(item)))


def credentials(item: Manifest) -> Iterator[tuple[str, str]]:
    """Yield each place in environment variables and in a ConfigMap, and the password or token itself."""
    if item.get("kind") == "ConfigMap":
        for key, text in (item.get("data") or {}).items():
            for name, value in in_entry(key, str(text)):
                yield f"{key} has the value of {name}", value
    else:
        for name, value in _variables(item.get("spec")):
            yield f"environment variable {name} has a value", value


def in_entry(key: str, text: str) -> Iterator[tuple[str, str]]:
    """Yield name and value of each password or token that an entry is, or that is a setting in its text."""
    settings = [(name, value.strip("\"',")) for name, value in SETTING.findall(text)]
    yield from (setting for setting in [(key, text), *settings] if is_credential(*setting))


def _variables(value: Any) -> Iterator[tuple[str, str]]:
    """Yield the environment variables anywhere in a specification that have a credential as it is."""
    if isinstance(value, list):
        for entry in value:
            yield from _variables(entry)
    elif isinstance(value, dict):
        for entry in value.get("env") or [] if isinstance(value.get("env"), list) else []:
            if isinstance(entry, dict) and is_credential(str(entry.get("name")), str(entry.get("value") or "")):
                yield str(entry["name"]), str(entry["value"])
        for entry in value.values():
            yield from _variables(entry)


def is_credential(name: str, value: str) -> bool:
    """Return whether a value is one that nobody should read, by its name and its form."""
    if STANDS_FOR.match(value) or len(value) < SHORTEST or "\n" in value:
        return False
    if PASSWORD.search(name):
        return " " not in value
    is_random = bool(re.search(r"\d", value) and re.search(r"[A-Za-z]", value))
    return (
        bool(TOKEN.search(name))
        and len(value) >= SHORTEST_TOKEN
        and is_random
        and not NAME.fullmatch(value)
        and (" " not in value)
    )
