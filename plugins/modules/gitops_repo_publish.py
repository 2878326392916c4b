#!/usr/bin/python
# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: gitops_repo_publish
short_description: Commit and push what was rendered into the GitOps repository (internal)
version_added: "1.0.0"
author:
  - The monorepo.gitops authors (@monorepo)
description:
  - Commits all changes below C(argocd/) in one commit and pushes it; without changes there is no commit. When somebody
    else pushed first, the commit is rebased and pushed again.
  - Refuses to commit private keys, tokens and Secret objects with data. What the same file had before is a warning.
  - Removes only the overlays in O(removals) from Git, and only files that a run rendered.
extends_documentation_fragment:
  - monorepo.gitops.git
  - monorepo.gitops.git.clone
  - monorepo.gitops.attributes
options:
  environment:
    description: Environment that was rendered.
    type: str
    required: true
  removals:
    description:
      - Overlays that are removed from this environment, as C(<layer>/<name>); M(monorepo.gitops.gitops_compare) returns
        them. The C(base) goes with the last overlay, and the folder C(custom) of an overlay stays.
    type: list
    elements: str
    default: []
  replaced:
    description:
      - Files that people wrote or changed, and that the commit replaces; M(monorepo.gitops.gitops_compare) returns
        them. The message of the commit lists them.
    type: list
    elements: str
    default: []
  tree:
    description:
      - Tree that M(monorepo.gitops.gitops_compare) compared. Any other one, which a second run in the same clone may
        have rendered in the meantime, is refused. Empty accepts any.
    type: str
    default: ""
  push:
    description: Whether to push. V(false) commits into the clone only, to show what would be published.
    type: bool
    default: true
  author_name:
    description: Name of author and committer.
    type: str
    default: monorepo.gitops
  author_email:
    description: E-mail address of author and committer.
    type: str
    default: monorepo.gitops@localhost
attributes:
  async:
    support: full
  check_mode:
    support: full
    details: Checks everything and stages the changes, makes no commit and pushes nothing.
  diff_mode:
    support: full
    details: The commit's message; the files were shown when they were rendered.
  idempotent:
    support: full
    details: Without changes there is no commit.
notes:
  - "Errors name the file or the component, and what to do. They occur before the commit, so nothing is left half done."
"""

EXAMPLES = r"""
- name: Publish
  monorepo.gitops.gitops_repo_publish:
    url: https://git.example.com/platform/monorepo.git
    path: ~/.cache/monorepo.gitops/clones/monorepo
    environment: dev
    removals: [infra/maildev]
"""

RETURN = r"""
commit:
  description: Commit that the remote branch has now.
  returned: success
  type: str
published_at:
  description: When the commit had been pushed; empty without one.
  returned: success
  type: str
  sample: "2026-11-27T21:10:05Z"
message:
  description: Message of the commit; empty without one.
  returned: success
  type: str
files:
  description: Files that the commit changes.
  returned: success
  type: list
  elements: str
components:
  description: Names of the components of the environment that the commit touches.
  returned: success
  type: list
  elements: str
other_environments:
  description: Other environments that the commit touches, because a C(base) changed that they share.
  returned: success
  type: list
  elements: str
removed:
  description: Components that the commit removes.
  returned: success
  type: list
  elements: str
"""

from typing import Any

from ansible_collections.monorepo.gitops.plugins.module_utils import _paths, _run
from ansible_collections.monorepo.gitops.plugins.module_utils._errors import GitopsError
from ansible_collections.monorepo.gitops.plugins.module_utils._files import read
from ansible_collections.monorepo.gitops.plugins.module_utils._repository import policy, remote
from ansible_collections.monorepo.gitops.plugins.module_utils._repository.clone import HEADER, Clone
from ansible_collections.monorepo.gitops.plugins.module_utils._repository.history import History
from ansible_collections.monorepo.gitops.plugins.module_utils._repository.known_secrets import check_files
from ansible_collections.monorepo.gitops.plugins.module_utils._times import write_time


def remove(clone: Clone, environment: str, removals: list[str]) -> list[str]:
    """Remove overlays that a run rendered, and a base that no other environment uses; return those that were there."""
    files = clone.names("ls-files", _paths.ROOT)
    removed = []
    for entry in removals:
        layer, name = entry.split("/", 1)
        if environment not in policy.environments_of(files, (layer, name)):
            continue
        leaving = policy.leaving(files, (layer, name), environment)
        others = [file for file in leaving if not clone.is_rendered(file)]
        if others:
            raise GitopsError(
                f"Nothing was committed. {entry} cannot be removed, because no run wrote {', '.join(others[:5])}: "
                "move or delete these files in Git first."
            )
        clone.remove(leaving)
        removed.append(name)
    return removed


def publish_changes(clone: Clone, module: Any) -> dict[str, Any]:
    """Check, commit, push, and return the result of the module."""
    params, check_mode = module.params, module.check_mode
    if params["tree"] and params["tree"] != clone.staged_tree():
        raise GitopsError(
            "Nothing was committed. The working tree is not the one that was compared: another run for this repository "
            "is working in the same clone. Run again when it has finished."
        )
    removed = remove(clone, params["environment"], params["removals"])
    staged = clone.staged()
    texts = {name: read(clone.path / name) for name, status in staged.items() if status != "D"}
    for text in check_files(clone, texts):
        module.warn(f"Git had a secret before: {text}.")
    result: dict[str, Any] = {"changed": bool(staged), "files": sorted(staged), "removed": removed}
    result |= {"message": "", "published_at": ""}
    result["components"] = policy.touched_components(list(staged), params["environment"])
    result["other_environments"] = policy.touched_environments(
        staged, clone.names("ls-files", _paths.ROOT), params["environment"]
    )
    if staged:
        replaced = params["replaced"]
        headed = History(clone).having(clone.head(), HEADER) if replaced else set()
        result["message"] = policy.commit_message(staged, params["environment"], removed, replaced, headed)
        if not check_mode:
            author = (params["author_name"], params["author_email"])
            clone.commit(result["message"], *author)
            if params["push"]:
                remote.push(clone, *author)
                result["published_at"] = write_time()
    return result | {"commit": clone.head(), "diff": {"prepared": result["message"]}}


def run(module: Any) -> dict[str, Any]:
    """Open the clone for this run alone."""
    params = module.params
    clone = Clone(params["path"], params["url"], params["branch"], params["ssh_command"], params["isolated"])
    with clone.locked():
        return publish_changes(clone, module)


def main() -> None:
    """Run the module."""
    _run.run_module(
        run,
        argument_spec={
            "url": {"type": "str", "required": True},
            "path": {"type": "path", "required": True},
            "branch": {"type": "str", "default": "main"},
            "environment": {"type": "str", "required": True},
            "removals": {"type": "list", "elements": "str", "default": []},
            "replaced": {"type": "list", "elements": "str", "default": []},
            "tree": {"type": "str", "default": ""},
            "push": {"type": "bool", "default": True},
            "author_name": {"type": "str", "default": "monorepo.gitops"},
            "author_email": {"type": "str", "default": "monorepo.gitops@localhost"},
            "ssh_command": {"type": "str", "default": ""},
            "isolated": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )


if __name__ == "__main__":
    main()
