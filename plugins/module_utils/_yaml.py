# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one reader and writer of YAML, with the C library of PyYAML where available: manifests have megabytes.

For use within the collection monorepo.gitops only.
"""

from __future__ import annotations

import importlib
from functools import cache
from typing import Any

from ansible.module_utils.basic import missing_required_lib
from ansible_collections.monorepo.gitops.plugins.module_utils._errors import GitopsError

# Kubernetes reads these as strings: a date and a bare `=`.
STRINGS = ("tag:yaml.org,2002:timestamp", "tag:yaml.org,2002:value")


class YamlError(ValueError):
    """A text that is not YAML; `line` is the line of the error, if known."""

    def __init__(self, error: Exception, text: str) -> None:
        super().__init__(str(error))
        mark = getattr(error, "problem_mark", None)
        # The C library may count the end of the text as a separate line.
        self.line: int | None = min(mark.line + 1, len(text.splitlines())) if mark else None


def library() -> Any:
    """Return PyYAML, which may be missing on a managed host."""
    try:
        return importlib.import_module("yaml")
    except ImportError as error:
        raise GitopsError(missing_required_lib("PyYAML")) from error


@cache
def loader() -> Any:
    """Return the class that reads YAML as Kubernetes does; the C loader is ten times faster."""
    yaml = library()
    base = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    resolvers = {
        first: [entry for entry in entries if entry[0] not in STRINGS]
        for first, entries in base.yaml_implicit_resolvers.items()
    }
    return type("Loader", (base,), {"yaml_implicit_resolvers": resolvers})


def load_all(text: str) -> list[Any]:
    """Return the documents of a text."""
    yaml = library()
    try:
        return list(yaml.load_all(text, Loader=loader()))
    except yaml.YAMLError as error:
        raise YamlError(error, text) from error


def load(text: str) -> Any:
    """Return the only document of a text; None when it is empty."""
    documents = load_all(text)
    if len(documents) > 1:
        raise YamlError(ValueError("there is more than one document"), text)
    return documents[0] if documents else None


def dump(document: Any, sort_keys: bool = True) -> str:
    """Return a document as text."""
    yaml = library()
    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    return str(yaml.dump(document, Dumper=dumper, sort_keys=sort_keys))
