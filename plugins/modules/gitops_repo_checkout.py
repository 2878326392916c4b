#!/usr/bin/python
# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: gitops_repo_checkout
short_description: Clone or update the private clone of the GitOps repository (internal)
version_added: "1.0.0"
author:
  - The monorepo.gitops authors (@monorepo)
description:
  - Clones the repository, or fetches and resets an existing clone. What an interrupted run left below C(argocd/) is
    dropped; a change that no run made stops the module before anything is touched.
extends_documentation_fragment:
  - monorepo.gitops.git
  - monorepo.gitops.git.clone
  - monorepo.gitops.attributes
options:
  create:
    description:
      - Whether a missing C(file://) repository is created as an empty bare repository. The role C(gitops_repo) does so
        in a rehearsal only, where the repository lies in the folder of the cluster.
    type: bool
    default: false
  seed_url:
    description: Repository that a created one is cloned from, so that it starts with its history. Only with O(create).
    type: str
    default: ""
attributes:
  async:
    support: full
  check_mode:
    support: none
    details: Does nothing in check mode; the role C(gitops_repo) uses a temporary clone there.
  diff_mode:
    support: none
  idempotent:
    support: full
    details: An up-to-date clone is not changed.
notes:
  - Variables that point git to another repository, such as C(GIT_DIR) inside a hook, have no effect. C(GIT_SSH_COMMAND)
    and the user's configuration have theirs.
  - "Error C(does not exist): a C(file://) repository is missing; correct O(url), or create it."
  - Credentials come from git's own configuration or credential helpers; prompts are off. Credentials in a URL never
    appear in a message.
"""

EXAMPLES = r"""
- name: Open the repository
  monorepo.gitops.gitops_repo_checkout:
    url: https://git.example.com/platform/monorepo.git
    path: ~/.cache/monorepo.gitops/clones/monorepo
    branch: main
"""

RETURN = r"""
commit:
  description: Commit of the branch; empty in an empty repository.
  returned: success
  type: str
"""

from pathlib import Path
from typing import Any

from ansible_collections.monorepo.gitops.plugins.module_utils import _run
from ansible_collections.monorepo.gitops.plugins.module_utils._errors import GitopsError
from ansible_collections.monorepo.gitops.plugins.module_utils._git import public, run_git
from ansible_collections.monorepo.gitops.plugins.module_utils._repository.clone import Clone


def seed(url: str, source: str, ssh_command: str) -> bool:
    """Clone a bare repository from its original, if it is not there yet."""
    bare = Path(url.removeprefix("file://"))
    if not source or (bare / "HEAD").exists():
        return False
    done = run_git("clone", "--quiet", "--bare", "--", source, bare, ssh_command=ssh_command)
    if done.returncode:
        raise GitopsError(f"{public(source)} cannot be cloned: {public(done.stderr.strip(), source)}")
    return True


def run(module: Any) -> dict[str, Any]:
    """Open the clone and return the result of the module."""
    params = module.params
    clone = Clone(params["path"], params["url"], params["branch"], params["ssh_command"], params["isolated"])
    made = params["create"] and seed(params["url"], params["seed_url"], params["ssh_command"])
    made = clone.open(params["create"]) or made
    return {"changed": made, "commit": clone.head()}


def main() -> None:
    """Run the module."""
    _run.run_module(
        run,
        argument_spec={
            "url": {"type": "str", "required": True},
            "path": {"type": "path", "required": True},
            "branch": {"type": "str", "default": "main"},
            "create": {"type": "bool", "default": False},
            "seed_url": {"type": "str", "default": ""},
            "ssh_command": {"type": "str", "default": ""},
            "isolated": {"type": "bool", "default": False},
        },
    )


if __name__ == "__main__":
    main()
