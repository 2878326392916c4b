# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the inventory wants of a run that is compared.

For use within the collection monorepo.gitops only.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass
class Options:
    """What the inventory wants."""

    environment: str
    repository: str  # URL that Argo CD reads
    revision: str
    push_url: str = ""  # URL that this machine uses, if it differs
    commit: str = ""  # commit to promote; empty compares the working tree
    publish: bool = True  # whether the working tree is published; otherwise Git is compared as it is
    components: list[dict[str, Any]] = field(default_factory=list)
    entries: list[dict[str, Any]] = field(default_factory=list)  # what is said of components that people wrote
    known: set[str] = field(default_factory=set)
    removals: list[str] = field(default_factory=list)
    volume_removals: list[dict[str, Any]] = field(default_factory=list)
    takeover: str = ""
    adopted: set[str] = field(default_factory=set)
    throwaway: bool = False
    parameters: dict[str, str] = field(default_factory=dict)  # keys of argocd-cmd-params-cm that the run will write
    version: str = ""
    kustomize: list[str] = field(default_factory=list)
