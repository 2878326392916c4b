#!/usr/bin/python
# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: workload_restart
short_description: Restart the pods of an Application, or of what uses a Secret, and wait (internal)
version_added: "1.0.0"
author:
  - The monorepo.gitops authors (@monorepo)
description:
  - Replaces pods by new ones of the same template, as C(kubectl rollout restart) does, and waits until they are
    available. Argo CD does not report the annotation that this leaves as out of sync.
  - A StatefulSet replaces no pod until the one before it is ready, so a pod of an older revision that never starts is
    deleted, and a warning names it.
  - A Job that uses O(secret) and has ended is deleted, and Argo CD recreates it. One that has not ended is left, and
    so are hooks, what belongs to a CronJob, and what belongs to no Application; RV(not_restarted) says why.
extends_documentation_fragment:
  - monorepo.gitops.auth
  - monorepo.gitops.argocd
  - monorepo.gitops.progress
  - monorepo.gitops.attributes
options:
  application:
    description: Application whose workloads are restarted.
    type: str
  names:
    description: Names of the workloads of O(application). All of them when it is empty.
    type: list
    elements: str
    default: []
  secret:
    description:
      - Secret whose users are restarted, in its own namespace and in those to which Reflector copies it. The copies
        must have its values first.
    type: dict
    suboptions:
      namespace:
        description: Its namespace.
        type: str
        required: true
      name:
        description: Its name.
        type: str
        required: true
  workloads:
    description: Workloads that are restarted, whatever they belong to, such as C(argocd-server).
    type: list
    elements: dict
    suboptions:
      kind:
        description: Kind.
        type: str
        choices: [Deployment, StatefulSet, DaemonSet]
        required: true
      namespace:
        description: Namespace.
        type: str
        required: true
      name:
        description: Name.
        type: str
        required: true
  wait_timeout:
    description: Seconds to wait for the new pods.
    type: int
    default: 300
attributes:
  check_mode:
    support: full
    details: Returns what would be restarted.
  diff_mode:
    support: none
  idempotent:
    support: none
    details: Each run is a restart.
notes:
  - Needs the rights to get the Application, to get and patch Deployments, StatefulSets and DaemonSets, to list pods,
    and to delete one that holds back the rollout of its StatefulSet. With O(secret) also to list these kinds and Jobs
    in all namespaces, to get and delete such Jobs, and to get Secrets.
  - "Error C(... has no Deployment, StatefulSet or DaemonSet): the pods belong to an operator, such as those of CNPG and
    Strimzi. Restart them as it describes."
  - "Error C(deploys to): workloads in other clusters than that of Argo CD are not restarted."
  - "Error C(Not ready after ...): names each workload, how many of its pods are available, and what a pod waits for. A
    Deployment keeps its old pods until new ones are available."
seealso:
  - module: monorepo.gitops.argocd_app_sync
"""

EXAMPLES = r"""
- name: Restart one workload of an Application
  monorepo.gitops.workload_restart:
    application: maildev
    names: [maildev]
"""

RETURN = r"""
workloads:
  description: What was restarted, or would be in check mode.
  returned: success
  type: list
  elements: dict
  contains:
    kind: {description: "V(Deployment), V(StatefulSet), V(DaemonSet), or V(Job), which was deleted.", type: str}
    namespace: {description: Namespace., type: str}
    name: {description: Name., type: str}
    application: {description: Its Application; empty if it has none., type: str}
not_restarted:
  description: Jobs that use the Secret and are left, with the reason, in one sentence each.
  returned: success
  type: list
  elements: str
  sample: ["Job services/temporal-schema is a hook, which only a sync runs again."]
elapsed:
  description: Seconds.
  returned: success
  type: float
"""

import time
from typing import Any

from ansible_collections.monorepo.gitops.plugins.module_utils import _client
from ansible_collections.monorepo.gitops.plugins.module_utils._api import Api
from ansible_collections.monorepo.gitops.plugins.module_utils._apply.manifests import label
from ansible_collections.monorepo.gitops.plugins.module_utils._apply.restart import PLURALS, Restart, refuse
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.deletion import require_here
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.selection import GROUP
from ansible_collections.monorepo.gitops.plugins.module_utils._objects.workloads import (
    application_of,
    chosen,
    why_left,
)
from ansible_collections.monorepo.gitops.plugins.module_utils._progress import progress_to


def wanted(restart: Restart, params: dict[str, Any], check_mode: bool) -> list[dict[str, Any]]:
    """Return the workloads that the options mean."""
    if secret := params["secret"]:
        # Nobody has changed the Secret in check mode, so its copies are not late.
        timeout = 0 if check_mode else params["wait_timeout"]
        return restart.consumers(secret["namespace"], secret["name"], timeout)
    if params["workloads"]:
        return restart.named(params["workloads"])
    name = params["application"]
    path = f"{GROUP}/namespaces/{params['namespace']}/applications/{name}"
    application = restart.get(path, f"Application {name}")
    require_here(application)
    return restart.named(chosen(application, params["names"]))


def run(module: Any, client: Any) -> dict[str, Any]:
    """Restart and return the result of the module."""
    params, started = module.params, time.monotonic()
    restart = Restart(Api(client), progress_to(params["progress_file"]))
    found = wanted(restart, params, module.check_mode)
    left = {label(item): why for item in found if item["kind"] == "Job" and (why := why_left(item))}
    items = [item for item in found if label(item) not in left]
    refuse(items)
    if not module.check_mode:
        for warning in restart.restart(items, params["wait_timeout"]):
            module.warn(warning)
    workloads = [
        {"kind": item["kind"]}
        | {key: item["metadata"][key] for key in ("namespace", "name")}
        | {"application": application_of(item)}
        for item in items
    ]
    elapsed = round(time.monotonic() - started, 3)
    not_restarted = [f"{name} {why}." for name, why in left.items()]
    return {"changed": bool(items), "workloads": workloads, "not_restarted": not_restarted, "elapsed": elapsed}


def main() -> None:
    """Run the module."""
    names = {"namespace": {"type": "str", "required": True}, "name": {"type": "str", "required": True}}
    kind = {"type": "str", "choices": list(PLURALS), "required": True}
    _client.run_module(
        run,
        argument_spec=_client.argument_spec(
            application={"type": "str"},
            names={"type": "list", "elements": "str", "default": []},
            secret={"type": "dict", "options": names, "no_log": False},
            workloads={"type": "list", "elements": "dict", "options": names | {"kind": kind}},
            namespace={"type": "str", "default": "argocd"},
            wait_timeout={"type": "int", "default": 300},
            progress_file={"type": "path"},
        ),
        mutually_exclusive=[("application", "secret", "workloads")],
        required_one_of=[("application", "secret", "workloads")],
        supports_check_mode=True,
    )


if __name__ == "__main__":
    main()
