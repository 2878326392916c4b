#!/usr/bin/python
# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: gitops_repo_promote
short_description: Move the branch or tag that an environment follows to a newer commit (internal)
version_added: "1.0.0"
author:
  - The monorepo.gitops authors (@monorepo)
description:
  - Shows what an environment would get, and moves the branch or tag that its Applications follow to the head of
    O(branch) or to O(commit). A branch is only moved forward; a tag can be moved to any commit.
  - A O(revision) that does not exist yet becomes a branch.
extends_documentation_fragment:
  - monorepo.gitops.git
  - monorepo.gitops.git.clone
  - monorepo.gitops.attributes
options:
  commit:
    description: Commit of O(branch) to promote. By default its head.
    type: str
    default: ""
  revision:
    description: Branch or tag that the environment follows.
    type: str
    required: true
  environment:
    description: Environment whose differences are shown.
    type: str
    required: true
  create_only:
    description: Whether to leave an existing revision where it is, and only report its content.
    type: bool
    default: false
attributes:
  async:
    support: full
  check_mode:
    support: full
    details: Shows what would change and moves nothing.
  diff_mode:
    support: full
    details: The changes for the environment; of vendored files only the number of lines.
  idempotent:
    support: full
    details: A revision that is at the commit already is not moved.
notes:
  - "Error C(has ... commits that ... does not have): somebody committed to the branch itself. Merge it back first."
  - "Error C(is ahead of): a branch is only moved forward. Revert on the branch that is published to, or use a tag."
"""

EXAMPLES = r"""
- name: Promote main to prod
  monorepo.gitops.gitops_repo_promote:
    url: https://git.example.com/platform/monorepo.git
    path: ~/.cache/monorepo.gitops/clones/monorepo
    revision: prod
    environment: prod
"""

RETURN = r"""
before:
  description: Commit that the revision had; empty when it did not exist.
  returned: success
  type: str
commit:
  description: Commit that the revision has now.
  returned: success
  type: str
files:
  description: Files of the environment that differ between both, or that differ from O(branch) with O(create_only).
  returned: success
  type: list
  elements: str
components:
  description: Names of the components that the environment has at RV(commit).
  returned: success
  type: list
  elements: str
behind:
  description: Number of commits of O(branch) that RV(commit) does not have.
  returned: success
  type: int
difference:
  description: >-
    What differs for the environment in RV(files); of vendored files nothing. A file with a Secret is only named.
  returned: success
  type: str
moved_at:
  description: When the revision had been moved; empty when it was not.
  returned: success
  type: str
  sample: "2026-11-27T21:10:05Z"
"""

import re
from typing import Any

from ansible_collections.monorepo.gitops.plugins.module_utils import _paths, _run
from ansible_collections.monorepo.gitops.plugins.module_utils._errors import GitopsError
from ansible_collections.monorepo.gitops.plugins.module_utils._repository import remote
from ansible_collections.monorepo.gitops.plugins.module_utils._repository.clone import Clone
from ansible_collections.monorepo.gitops.plugins.module_utils._repository.history import History
from ansible_collections.monorepo.gitops.plugins.module_utils._repository.policy import overlays
from ansible_collections.monorepo.gitops.plugins.module_utils._times import write_time

COMMIT = re.compile(r"[0-9a-f]{7,40}")
PRIVATE = r"^kind:[[:space:]]*[\"']?Secret\b"
# A difference looks the same whatever a user has set for git.
PLAIN = (
    "--no-ext-diff",
    "--no-color",
    "--no-renames",
    "--src-prefix=a/",
    "--dst-prefix=b/",
    "--unified=3",
    "--abbrev=7",
)


def promote(clone: Clone, params: dict[str, Any], check_mode: bool) -> dict[str, Any]:
    """Compare, move, and return the result of the module."""
    environment, name = params["environment"], params["revision"]
    clone.fetch()
    history = History(clone)
    head = history.commit_of(f"refs/remotes/origin/{clone.branch}")
    wanted = history.commit_of(params["commit"]) if params["commit"] else head
    if not wanted or not history.is_published(wanted):
        raise GitopsError(f"{clone.branch} has no commit {params['commit'] or 'yet'}: publish first.")
    reference = history.reference(name)
    before = history.commit_of(reference)
    if not before and COMMIT.fullmatch(name):
        raise GitopsError(f"{name} is neither a branch nor a tag; gitops_repo_revision must name one.")
    stays = bool(before) and params["create_only"]
    paths = [
        f":(glob){_paths.component_folder('*', '*')}/{part}/**"
        for part in (_paths.BASE, _paths.environment_folder(environment))
    ]
    paths.append(_paths.applicationset_folder(environment))
    files = clone.names("diff", "--name-only", before, wanted, "--", *paths) if before else []
    diff = difference(clone, before, wanted, paths) if before else ""
    changed = before != wanted and not stays
    if changed:
        remote.check_move(clone, reference, before, wanted)
    if changed and not check_mode:
        remote.move(clone, reference, wanted)
    moved_at = write_time() if changed and not check_mode else ""
    commit = before if stays else wanted
    return {
        "changed": changed,
        "before": before,
        "commit": commit,
        "files": files,
        "components": sorted(overlays(clone.names("ls-tree", "-r", "--name-only", commit), environment)),
        "behind": history.ahead(head, commit),
        "difference": diff,
        "moved_at": moved_at,
        "diff": {"prepared": "" if stays else diff},
    }


def difference(clone: Clone, before: str, after: str, paths: list[str]) -> str:
    """Return what differs between two commits; what people wrote by hand may have Secrets, which are not shown."""
    found = [clone.names("grep", "-lE", PRIVATE, commit, "--", *paths, check=False) for commit in (before, after)]
    private = {name.partition(":")[2] for names in found for name in names}
    hidden = [f":(exclude,top,literal){name}" for name in sorted(private)]
    shown = [*paths, f":(exclude,glob)**/{_paths.UPSTREAM}", *hidden]
    changed = [name for name in clone.names("diff", "--name-only", before, after, "--", *paths) if name in private]
    return clone.git("diff", *PLAIN, before, after, "--", *shown) + "".join(
        f"{name} has a Secret: what differs is not shown\n" for name in changed
    )


def run(module: Any) -> dict[str, Any]:
    """Open the clone for this run alone."""
    params = module.params
    clone = Clone(params["path"], params["url"], params["branch"], params["ssh_command"], params["isolated"])
    with clone.locked():
        return promote(clone, params, module.check_mode)


def main() -> None:
    """Run the module."""
    _run.run_module(
        run,
        argument_spec={
            "url": {"type": "str", "required": True},
            "path": {"type": "path", "required": True},
            "branch": {"type": "str", "default": "main"},
            "commit": {"type": "str", "default": ""},
            "revision": {"type": "str", "required": True},
            "environment": {"type": "str", "required": True},
            "create_only": {"type": "bool", "default": False},
            "ssh_command": {"type": "str", "default": ""},
            "isolated": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )


if __name__ == "__main__":
    main()
