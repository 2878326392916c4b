# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Running git, with what counts of the configuration and the environment of a user.

For use within the collection monorepo.gitops only.
"""

from __future__ import annotations

import functools
import os
import re
import subprocess
from pathlib import Path

from ansible_collections.monorepo.gitops.plugins.module_utils._loopback import exempt_from_proxies

# A password that nobody encoded may contain any of `/@#?:`, so with one all up to the last @ belongs to it.
CREDENTIALS = re.compile(r"(?<=://)(?:[^/@\s:]*:\S*|[^/@\s]+)@")
PART = 4  # characters of a password; less may be a part of any word
# Variables that pass on configuration, set by a surrounding `git -c` or by a user; git keeps them for submodules, too.
CONFIGURATION = {"GIT_CONFIG_PARAMETERS", "GIT_CONFIG_COUNT"}
# Further variables with which git describes its repository and commit to a hook.
HOOK = re.compile(r"GIT_(NAMESPACE|QUARANTINE_PATH|(AUTHOR|COMMITTER)_(NAME|EMAIL|DATE))")

# Neutralizes settings for repositories that people work in: they would start programs, or change what is committed.
NEUTRAL = (
    f"core.hooksPath={os.devnull}",
    "core.fsmonitor=false",
    "core.autocrlf=false",
    f"core.attributesFile={os.devnull}",
    f"core.excludesFile={os.devnull}",
)
NO_CONFIGURATION = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}


@functools.cache
def repository_variables() -> frozenset[str]:
    """Return the variables that point git to a repository, such as GIT_DIR; inside every hook some are set."""
    done = subprocess.run(["git", "rev-parse", "--local-env-vars"], capture_output=True, text=True, check=False)
    return frozenset(done.stdout.split()) - CONFIGURATION


def git_environment(isolated: bool = False) -> dict[str, str]:
    """Return the environment without the variables that tie git to a repository, isolated without any configuration."""
    foreign = {name for name in os.environ if HOOK.fullmatch(name)} | repository_variables()
    if isolated:
        foreign = {name for name in os.environ if name.startswith("GIT_")}
    environment = {name: value for name, value in os.environ.items() if name not in foreign}
    exempt_from_proxies(environment)
    return environment | (NO_CONFIGURATION if isolated else {}) | {"GIT_TEMPLATE_DIR": ""}


def run_git(
    *args: str | Path, ssh_command: str = "", timeout: float | None = None, isolated: bool = False, umask: int = -1
) -> subprocess.CompletedProcess[str]:
    """Run git without prompts and in English; every call of this collection goes through here.

    Of the user's configuration only access to remotes and signing apply; when isolated, nothing does. The umask is that
    of the user, unless another one is given.
    """
    environment = git_environment(isolated) | {"GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}
    if ssh_command:
        environment["GIT_SSH_COMMAND"] = ssh_command
    command = ["git", *(word for setting in NEUTRAL for word in ("-c", setting)), *map(str, args)]
    return subprocess.run(
        command,
        env=environment,
        capture_output=True,
        # Names of files are bytes, which may be no text in any encoding.
        encoding="utf-8",
        errors="surrogateescape",
        check=False,
        timeout=timeout,
        umask=umask,
    )


def public(text: str, url: str = "") -> str:
    """Return a text without user names and passwords in URLs, and without what git has split off those of `url`."""
    for found in CREDENTIALS.findall(url):
        text = text.replace(found, "")
        parts = [part for part in re.split(r"[/@#?]", found) if ":" in part or len(part) >= PART]
        for part in sorted(parts, key=len, reverse=True):
            text = text.replace(part, "(hidden)")
    return CREDENTIALS.sub("", text)
