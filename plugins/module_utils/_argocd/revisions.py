# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether an Application was compared with the revisions that are asked for.

A status has what a source resolves to: the commit of a branch or tag, the version of a Helm chart, the digest of an OCI
artifact.

For use within the collection monorepo.gitops only.
"""

from __future__ import annotations

import re
from typing import Any

from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.status import (
    Application,
    revisions_of,
    sources_of,
)

COMMIT = re.compile(r"[0-9a-f]{4,64}", re.IGNORECASE)


def form(source: dict[str, Any]) -> str:
    """Return what a source resolves to."""
    if source.get("chart"):
        return "version"
    return "digest" if str(source.get("repoURL", "")).startswith("oci://") else "commit"


def is_at(source: dict[str, Any], found: str, wanted: str) -> bool:
    """Return whether a revision is the one that is wanted; commits and digests may be shortened, versions may not."""
    kind = form(source)
    if kind == "version" or (kind == "digest" and not wanted.startswith("sha256:")):
        return found == wanted
    return found.lower().startswith(wanted.lower())


def mismatch(application: Application, wanted: tuple[str, ...]) -> tuple[str, bool]:
    """Return what to say of an Application that is not at the wanted revisions, and whether it can never be."""
    found, sources = revisions_of(application), sources_of(application)
    if len(found) == len(wanted) == len(sources):
        pairs = list(zip(sources, found, wanted, strict=True))
        if all(is_at(*pair) for pair in pairs):
            return "", False
        for pair in pairs:
            if not is_at(*pair) and is_name(pair[0], pair[2]):
                return name_text(*pair), True
    kinds = {form(source) for source in sources}
    moved = "its branch has moved on, or its targetRevision names another one"
    text = f"is at revision {', '.join(found) or 'none'} instead of {', '.join(wanted)}"
    return f"{text}: {moved if kinds == {'commit'} else 'its targetRevision names another one'}", False


def is_name(source: dict[str, Any], wanted: str) -> bool:
    """Return whether a wanted revision is a name, such as that of a branch, which no status can show."""
    named = wanted == (source.get("targetRevision") or "HEAD")
    return named and not (form(source) == "commit" and COMMIT.fullmatch(wanted))


def name_text(source: dict[str, Any], found: str, wanted: str) -> str:
    """Return what is needed instead of a name."""
    kind = form(source)
    return f"{wanted} is its targetRevision, but the status records only the {kind} (now {found}): pass a {kind}"
