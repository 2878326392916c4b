# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Commands that go on from the present run."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ansible import context
from ansible.parsing.splitter import parse_kv

# What says which cluster and environment a run is about. Others are left out, because a value may be a secret.
SAME_CLUSTER = ("gitops_environment", "cluster_kind", "cluster_kubeconfig", "cluster_context")


def next_command(playbook: str, options: Mapping[str, Any] | None = None) -> str:
    """Return the command that runs another playbook for the cluster of this run."""
    given = context.CLIARGS if options is None else options
    words = ["ansible-playbook", playbook]
    for source in given.get("inventory") or ():
        if "," in source or Path(source).exists():
            words += ["-i", shortened(source)]
    for text in given.get("extra_vars") or ():
        words += extra_variables(text)
    if given.get("ask_vault_pass"):
        words.append("--ask-vault-pass")
    for file in given.get("vault_password_files") or ():
        words += ["--vault-password-file", shortened(file)]
    for entry in given.get("vault_ids") or ():
        words += ["--vault-id", entry]
    return shlex.join(words)


def extra_variables(text: str) -> list[str]:
    """Return the option for a file of variables, or for those variables that name the cluster."""
    if text.startswith("@"):
        return ["-e", text]
    found = parse_kv(text)
    return [word for name in SAME_CLUSTER if name in found for word in ("-e", f"{name}={found[name]}")]


def shortened(path: str) -> str:
    """Return a path relative to the current folder where it lies below it."""
    if "," in path or not Path(path).is_relative_to(Path.cwd()):
        return path
    return str(Path(path).relative_to(Path.cwd()))


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {"next_command": next_command}
