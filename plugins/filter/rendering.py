# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filters of the templates that components are rendered from."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

import yaml


class Last(str):
    """A text after which nothing follows: where a patch ends with it, it loses a line break at its end."""


class Dumper(yaml.SafeDumper):
    """Lists are indented below their key, and a text of several lines stays readable."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        """Indent the entries of a list, too."""
        del indentless
        super().increase_indent(flow, False)

    def represent_text(self, text: str) -> yaml.ScalarNode:
        """Write a text of several lines as a block."""
        body = text if isinstance(text, Last) else text.removesuffix("\n")
        block = body.splitlines() == body.split("\n") and not body[0].isspace()
        style = ("|" if block else '"') if "\n" in text else None
        return self.represent_scalar("tag:yaml.org,2002:str", text, style=style)


Dumper.add_representer(str, Dumper.represent_text)
Dumper.add_representer(Last, Dumper.represent_text)
# A text that only the parsers of Kubernetes and kustomize take for something else is quoted as well.
Dumper.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile("^[yYnN]$"), list("yYnN"))
Dumper.add_implicit_resolver("tag:yaml.org,2002:int", re.compile("^[-+]?0[oO][0-7_]+$"), list("-+0"))
Dumper.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"^[-+]?[0-9][0-9_]*([.][0-9_]*)?[eE][-+]?[0-9]+$"), list("-+0123456789")
)


def to_block(value: Any, column: int, followed: bool = False) -> str:
    """Return a list or map as YAML in block style, its lines after the first one indented by so many spaces.

    `followed` says that the patch does not end with it.
    """
    value = plain(value) if followed else with_last(plain(value))
    text = yaml.dump(value, Dumper=Dumper, allow_unicode=True, default_flow_style=False, width=float("inf"))
    return re.sub(r"\n(?=[^\n])", "\n" + " " * column, text.rstrip("\n"))


def with_last(value: Any) -> Any:
    """Return what plain returned, with its last text marked as such. Keys are written in their order."""
    if isinstance(value, dict) and value:
        last = max(value)
        return value | {last: with_last(value[last])}
    if isinstance(value, list) and value:
        return [*value[:-1], with_last(value[-1])]
    return Last(value) if isinstance(value, str) else value


def config_map_data(data: Mapping[str, Any]) -> dict[str, str]:
    """Return the data of a ConfigMap, whose values are texts: a list or map becomes YAML, anything else JSON."""
    made = {}
    for key, value in plain(data).items():
        block = isinstance(value, dict | list)
        made[key] = value if isinstance(value, str) else to_block(value, 0) if block else json.dumps(value)
    return made


def plain(value: Any) -> Any:
    """Return a copy with what JSON knows only: templated, without Ansible's own types, and every key a text."""
    if isinstance(value, Mapping):
        return {str(key): plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [plain(entry) for entry in value]
    if value is None or isinstance(value, bool):
        return value
    for kind in (int, float):
        if isinstance(value, kind):
            return kind(value)
    return str(value)


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {"config_map_data": config_map_data, "to_block": to_block}
