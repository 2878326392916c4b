#!/usr/bin/python
# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: argocd_app_diff
short_description: Show how the objects of an Argo CD Application differ from Git
version_added: "1.0.0"
author:
  - The monorepo.gitops authors (@monorepo)
description:
  - Shows what a sync would change, as C(argocd app diff) does. Argo CD says which objects are C(OutOfSync). They are
    built by kustomize from the commit that Argo CD compared, and a dry run of the API server says what they would be.
  - With O(revision) the whole Application is compared with another commit, for example before it is promoted.
  - Left out are the status, what the API server sets, and the C(jsonPointers) of C(ignoreDifferences) in the
    Application. Other rules of C(ignoreDifferences) are not evaluated, and a warning names them; neither are
    customizations in C(argocd-cm).
extends_documentation_fragment:
  - monorepo.gitops.auth
  - monorepo.gitops.argocd
  - monorepo.gitops.git
  - monorepo.gitops.git.clone
  - monorepo.gitops.attributes
options:
  name:
    description: Name of the Application.
    type: str
    required: true
  revision:
    description: Commit, branch or tag. By default the commit that Argo CD compared, in C(status.sync.revision).
    type: str
    default: ""
  command:
    description: Command that builds a folder. By default C(kustomize build) or C(kubectl kustomize) from PATH.
    type: list
    elements: str
    default: []
attributes:
  check_mode:
    support: full
    details: Only reads; the API server writes nothing in a dry run. Built overlays are kept in the user's cache.
  diff_mode:
    support: none
    details: Ansible shows the diff of changes only. RV(resources) has the differences with and without it.
  idempotent:
    support: full
    details: Only reads.
notes:
  - The status of the Application is what the controller wrote last. M(monorepo.gitops.argocd_app_refresh) makes it
    fresh.
  - O(path) is a clone that M(monorepo.gitops.gitops_repo_checkout) made; commits that it does not have are fetched.
  - "Needs the rights to list Applications, and to get and patch the objects that differ, and to create those that are
    missing: the API server asks for the rights of the real request also in a dry run."
  - "Error C(deploys to): objects in other clusters than that of Argo CD cannot be read."
  - "Error C(is not in): the commit that Argo CD compared is in another repository than O(url), or was removed from it;
    refresh the Application."
  - "Error C(only an overlay of the monorepo can be built): use C(argocd app diff) for other Applications."
  - "Error C(kustomize build of ... failed): the message of kustomize; Argo CD cannot build the overlay either."
seealso:
  - module: monorepo.gitops.argocd_app_refresh
  - module: monorepo.gitops.argocd_app_sync
"""

EXAMPLES = r"""
- name: Show what a sync of an Application would change
  monorepo.gitops.argocd_app_diff:
    name: maildev
    url: https://git.example.com/platform/monorepo.git
    path: ~/.cache/monorepo.gitops/clones/monorepo
  register: difference

- name: Show what the newest commit would change
  monorepo.gitops.argocd_app_diff:
    name: maildev
    revision: main
    url: https://git.example.com/platform/monorepo.git
    path: ~/.cache/monorepo.gitops/clones/monorepo
"""

RETURN = r"""
resources:
  description: The objects that differ.
  returned: success
  type: list
  elements: dict
  contains:
    group: {description: API group., type: str}
    kind: {description: Kind., type: str}
    namespace: {description: Namespace., type: str}
    name: {description: Name., type: str}
    action:
      description:
        - What a sync would do, V(create), V(update) or V(delete).
        - V(rejected) when the API server does not accept the object, V(none) when no difference was found.
      type: str
    message: {description: "Why, where that is not obvious.", type: str}
    fields: {description: Paths of the fields that differ., type: list, elements: str}
    diff: {description: "Unified diff from the cluster to Git, without values of Secrets.", type: str}
report:
  description: All differences as a text for people.
  returned: success
  type: str
revision:
  description: Commit that was built.
  returned: success
  type: str
sync:
  description: Sync status of the Application.
  returned: success
  type: str
"""

import json
import tempfile
from pathlib import Path
from typing import Any

from ansible_collections.monorepo.gitops.plugins.module_utils import _client, _paths
from ansible_collections.monorepo.gitops.plugins.module_utils._apply.api import ApplyApi
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.deletion import require_here
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.selection import pick
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.status import revisions_of, sources_of, status_of
from ansible_collections.monorepo.gitops.plugins.module_utils._diff.comparison import (
    Comparison,
    not_evaluated,
    report_of,
)
from ansible_collections.monorepo.gitops.plugins.module_utils._errors import GitopsError
from ansible_collections.monorepo.gitops.plugins.module_utils._git import public
from ansible_collections.monorepo.gitops.plugins.module_utils._repository.clone import Clone
from ansible_collections.monorepo.gitops.plugins.module_utils._repository.history import History
from ansible_collections.monorepo.gitops.plugins.module_utils._repository.kustomize import build_one, find_command

# Parts of a source that change what kustomize builds.
OVERRIDES = ("kustomize", "helm", "directory", "plugin")


def commit_of(clone: Clone, application: dict[str, Any], revision: str) -> str:
    """Return the commit that is meant; the clone is updated when it does not have it, and for a branch or tag."""
    history, name = History(clone), application["metadata"]["name"]
    wanted = revision or next(iter(revisions_of(application)), "")
    if not wanted:
        raise GitopsError(
            f"Argo CD has not compared Application {name} with any commit yet: look at its conditions, or set revision."
        )
    if revision or not history.commit_of(wanted):
        clone.fetch()
    commit = history.commit_of(history.reference(wanted)) or history.commit_of(wanted)
    if not commit:
        raise GitopsError(
            f"{wanted}, with which Application {name} is to be compared, is not in {public(clone.url)}: refresh the "
            "Application, or correct url and revision."
        )
    return commit


def built(clone: Clone, application: dict[str, Any], commit: str, command: list[str]) -> list[dict[str, Any]]:
    """Return the objects of an Application that kustomize builds from a commit."""
    name, sources = application["metadata"]["name"], sources_of(application)
    path = sources[0].get("path") or ""
    overlay = _paths.OVERLAY.fullmatch(path)
    if len(sources) != 1 or not overlay:
        text = f"has {len(sources)} sources" if len(sources) != 1 else f"has the path {path or '(none)'}"
        raise GitopsError(f"Application {name} {text}: only an overlay of the monorepo can be built here.")
    folder = path.rpartition(f"/{_paths.ENVIRONMENTS}/")[0]
    with tempfile.TemporaryDirectory(prefix="monorepo-gitops-") as temporary:
        History(clone).export(commit, [folder], Path(temporary))
        if not (Path(temporary) / path).is_dir():
            raise GitopsError(f"Commit {commit} has no folder {path}, which Application {name} deploys.")
        summary = build_one(Path(temporary) / folder, overlay["environment"], command)
        items: list[dict[str, Any]] = json.loads(Path(summary["path"]).read_text())["items"]
        return items


def warn_of(module: Any, application: dict[str, Any], comparison: Comparison, found: list[Any]) -> None:
    """Warn of what Argo CD takes into account and this comparison does not."""
    name = application["metadata"]["name"]
    overrides = [key for key in OVERRIDES if sources_of(application)[0].get(key)]
    if overrides:
        module.warn(f"Application {name} sets {', '.join(overrides)} in its source, which was not taken into account.")
    for entry in found:
        rules = not_evaluated(comparison.application, entry.identity)
        if rules:
            ignored = f"{' and '.join(rules)} of ignoreDifferences"
            module.warn(f"{entry.identity[1]} {entry.identity[3]}: {ignored} was not evaluated.")


def run(module: Any, client: Any) -> dict[str, Any]:
    """Compare and return the result of the module."""
    params, api = module.params, ApplyApi(client, 1)
    (application,) = pick(api, {"names": [params["name"]], "label_selectors": [], "applicationsets": []} | params)
    require_here(application)
    clone = Clone(params["path"], params["url"], params["branch"], params["ssh_command"], params["isolated"])
    with clone.locked():
        commit = commit_of(clone, application, params["revision"])
        objects = built(clone, application, commit, params["command"] or find_command())
    comparison = Comparison(api, application, objects)
    found = comparison.out_of_sync() if (commit,) == revisions_of(application) else comparison.everything()
    warn_of(module, application, comparison, found)
    return {
        "changed": False,
        "resources": [entry.report() for entry in found],
        "report": report_of(application, commit, found),
        "revision": commit,
        "sync": (status_of(application).get("sync") or {}).get("status", ""),
    }


def main() -> None:
    """Run the module."""
    _client.run_module(
        run,
        argument_spec=_client.argument_spec(
            name={"type": "str", "required": True},
            namespace={"type": "str", "default": "argocd"},
            url={"type": "str", "required": True},
            path={"type": "path", "required": True},
            branch={"type": "str", "default": "main"},
            revision={"type": "str", "default": ""},
            command={"type": "list", "elements": "str", "default": []},
            ssh_command={"type": "str", "default": ""},
            isolated={"type": "bool", "default": False},
        ),
        supports_check_mode=True,
    )


if __name__ == "__main__":
    main()
