# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Proxies of the environment are for other machines: no proxy can reach what listens on this one.

For use within the collection monorepo.gitops only.
"""

from __future__ import annotations

import os
from collections.abc import MutableMapping

NAMES = ("NO_PROXY", "no_proxy")
HOSTS = ("localhost", "127.0.0.1", "::1")


def exempt_from_proxies(environment: MutableMapping[str, str] | None = None) -> None:
    """Let this process, or processes started with an environment, reach this machine without a proxy."""
    environment = os.environ if environment is None else environment
    given = [name.strip() for key in NAMES for name in environment.get(key, "").split(",") if name.strip()]
    # By itself `*` means all hosts; in a list it has no meaning.
    value = "*" if "*" in given else ",".join(dict.fromkeys([*given, *HOSTS]))
    environment.update(dict.fromkeys(NAMES, value))
