# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filters of the templates that components are rendered from."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import yaml


class Dumper(yaml.SafeDumper):
    """Lists are indented below their key, and a text of several lines stays readable."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        """Indent the entries of a list, too."""
        del indentless
        super().increase_indent(flow, False)

    def represent_text(self, text: str) -> yaml.ScalarNode:
        """Write a text of several lines as a block. The end of a patch would lose a line break at the end."""
        block = text.splitlines() == text.split("\n") and not text[0].isspace()
        style = ("|" if block else '"') if "\n" in text else None
        return self.represent_scalar("tag:yaml.org,2002:str", text, style=style)


Dumper.add_representer(str, Dumper.represent_text)
# A text that only the parsers of Kubernetes and kustomize take for something else is quoted as well.
Dumper.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile("^[yYnN]$"), list("yYnN"))
Dumper.add_implicit_resolver("tag:yaml.org,2002:int", re.compile("^[-+]?0[oO][0-7_]+$"), list("-+0"))
Dumper.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"^[-+]?[0-9][0-9_]*([.][0-9_]*)?[eE][-+]?[0-9]+$"), list("-+0123456789")
)


def to_block(value: Any, column: int) -> str:
    """Return a list or map as YAML in block style, its lines after the first one indented by so many spaces."""
    text = yaml.dump(plain(value), Dumper=Dumper, allow_unicode=True, default_flow_style=False, width=float("inf"))
    return re.sub(r"\n(?=[^\n])", "\n" + " " * column, text.rstrip("\n"))


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
        return {"to_block": to_block}
