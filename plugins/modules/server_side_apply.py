#!/usr/bin/python
# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: server_side_apply
short_description: Apply many Kubernetes objects with server-side apply
version_added: "1.0.0"
author:
  - The monorepo.gitops authors (@monorepo)
description:
  - Applies the objects of files and definitions, several at a time over one connection pool. Namespaces come first, and
    custom resources of CustomResourceDefinitions in the same call when these are Established.
  - An object that has all values of an unchanged manifest is not written; whether another one differs is decided by a
    dry run of the API server. A hash of the manifest is kept as annotation C(monorepo.gitops/applied-sha256).
extends_documentation_fragment:
  - monorepo.gitops.auth
  - monorepo.gitops.progress
  - monorepo.gitops.attributes
options:
  src:
    description: Files with YAML documents, or one JSON document if the name ends in C(.json). Lists are expanded,
      also typed ones such as RoleList, whose items may leave out kind and API version.
    type: list
    elements: path
  definition:
    description: Objects. At least one of O(src) and O(definition) is required; either may be an empty list.
    type: list
    elements: dict
  namespace:
    description: Namespace of namespaced objects that name none. By default C(default).
    type: str
  kinds:
    description: Apply only objects of these kinds. Empty means all.
    type: list
    elements: str
    default: []
  only_missing:
    description: Leave existing objects alone, whatever they contain.
    type: bool
    default: false
  field_manager:
    description: Name under which the API server records the ownership of fields.
    type: str
    default: monorepo.gitops
  force_conflicts:
    description: Whether to take over fields that another field manager owns.
    type: bool
    default: true
  handover:
    description:
      - Whether O(field_manager) takes over the fields that somebody applied with C(kubectl apply) without
        C(--server-side), as C(kubectl apply --server-side) does. Those that the manifest does not have then leave the
        object, with a warning that names them; in check mode it names those that would leave.
      - Keys in C(data) of ConfigMaps and Secrets stay.
    type: bool
    default: false
  concurrency:
    description: Number of requests at a time.
    type: int
    default: 8
  wait:
    description:
      - Wait until CustomResourceDefinitions are Established, and Deployments, StatefulSets and DaemonSets run their
        newest revision on all replicas. A pod without readiness probe counts as ready as soon as it runs, so give its
        workload C(minReadySeconds).
      - A StatefulSet replaces no pod until the one before it is ready, so a pod of an older revision that never starts
        would block every newer one. Such a pod of a StatefulSet among these objects is deleted, with a warning, as the
        Kubernetes documentation recommends under StatefulSets, forced rollback.
    type: bool
    default: false
  wait_timeout:
    description: Seconds to wait, also without O(wait) until a CustomResourceDefinition that is being deleted is gone.
    type: int
    default: 120
attributes:
  check_mode:
    support: full
    details: Only dry runs are sent.
  diff_mode:
    support: full
    details: Objects that change, before and after; values of Secrets are not shown, nor objects above 100 kB.
  idempotent:
    support: full
    details: A second run sends no write.
notes:
  - Needs the rights to get, create and patch the objects. To wait for workloads, also to list their pods, and to delete
    one that holds back the rollout of its StatefulSet. Why a rollout does not come is looked for in ReplicaSets,
    PersistentVolumeClaims and Events, too, as far as they may be listed.
  - "Error C(... was rejected): the API server's own message, except for a Secret. All other objects of the same step
    have been applied; RV(objects) says which. Correct the object and run again."
  - "Error C(The cluster does not know ...): the CustomResourceDefinition is missing. Nothing was written. In check mode
    this is a warning."
  - "Error C(Not ready after ...): names each workload, how many of its pods are available, and what a pod waits for."
  - "Error C(... was not applied after ... it is being deleted): a CustomResourceDefinition stays until its objects are
    gone. What holds them is named."
  - "Warning C(... it is being deleted ...): what is written to such an object goes with it. Run again when it is gone."
  - "Error C(... does not answer): the API server did not answer four times. What was applied stays; run again."
  - Server-side apply is described in the Kubernetes documentation, Reference, API concepts.
"""

EXAMPLES = r"""
- name: Apply a manifest and wait for the rollout
  monorepo.gitops.server_side_apply:
    src: [install.yaml]
    namespace: argocd
    wait: true

- name: Apply CustomResourceDefinitions that the cluster does not have
  monorepo.gitops.server_side_apply:
    src: [build/objects.yaml]
    kinds: [CustomResourceDefinition]
    only_missing: true
    field_manager: argocd-controller
    wait: true
"""

RETURN = r"""
objects:
  description: What happened to each object.
  returned: success, and when an object was rejected
  type: list
  elements: dict
  contains:
    kind: {description: Kind., type: str}
    namespace: {description: Namespace; empty for cluster-scoped objects., type: str}
    name: {description: Name., type: str}
    action: {description: "V(created), V(configured), V(unchanged) or V(skipped).", type: str}
counts:
  description: Number of objects for each action.
  returned: success, and when an object was rejected
  type: dict
  sample: {configured: 1, unchanged: 59}
deleted_pods:
  description: Pods, as C(<namespace>/<name>), that blocked the update of a StatefulSet and were deleted.
  returned: success
  type: list
  elements: str
elapsed:
  description: Seconds, waiting included.
  returned: success
  type: float
"""

import time
from typing import Any

from ansible_collections.monorepo.gitops.plugins.module_utils import _client
from ansible_collections.monorepo.gitops.plugins.module_utils._apply.api import ApplyApi
from ansible_collections.monorepo.gitops.plugins.module_utils._apply.applier import Applier, Settings
from ansible_collections.monorepo.gitops.plugins.module_utils._apply.diff import as_diff, shown
from ansible_collections.monorepo.gitops.plugins.module_utils._apply.manifests import load
from ansible_collections.monorepo.gitops.plugins.module_utils._apply.results import report
from ansible_collections.monorepo.gitops.plugins.module_utils._apply.waiting import Waiter
from ansible_collections.monorepo.gitops.plugins.module_utils._errors import GitopsError
from ansible_collections.monorepo.gitops.plugins.module_utils._progress import progress_to


def run(module: Any, client: Any) -> dict[str, Any]:
    """Apply the objects and return the result of the module."""
    params, started = module.params, time.monotonic()
    definition = params["definition"] or []
    items = load(params["src"] or [], definition, params["kinds"])
    # Ansible may show the arguments of a task.
    params["definition"] = [shown(item) for item in definition if item]
    if params["concurrency"] < 1:
        raise GitopsError("concurrency must be at least 1.")
    settings = Settings(
        field_manager=params["field_manager"],
        force=params["force_conflicts"],
        only_missing=params["only_missing"],
        check_mode=module.check_mode,
        handover=params["handover"],
        concurrency=params["concurrency"],
        timeout=params["wait_timeout"],
    )
    api, say = ApplyApi(client, settings.concurrency), progress_to(params["progress_file"])
    applier = Applier(api, settings, params["namespace"], say)
    results = applier.apply(items)
    waiter = Waiter(api, results, say)
    try:
        if params["wait"] and not module.check_mode:
            waiter.await_rolled_out(params["wait_timeout"])
    finally:
        for warning in (*applier.warnings, *waiter.pods.warnings):
            module.warn(warning)
    result = report(results) | {"deleted_pods": waiter.pods.deleted, "elapsed": round(time.monotonic() - started, 3)}
    result["changed"] = result["changed"] or bool(waiter.pods.deleted)
    if module._diff:
        result["diff"] = [as_diff(entry) for entry in results if entry.action in ("created", "configured")]
    return result


def main() -> None:
    """Run the module."""
    _client.run_module(
        run,
        argument_spec=_client.argument_spec(
            src={"type": "list", "elements": "path"},
            definition={"type": "list", "elements": "dict"},
            namespace={"type": "str"},
            kinds={"type": "list", "elements": "str", "default": []},
            only_missing={"type": "bool", "default": False},
            field_manager={"type": "str", "default": "monorepo.gitops"},
            force_conflicts={"type": "bool", "default": True},
            handover={"type": "bool", "default": False},
            concurrency={"type": "int", "default": 8},
            wait={"type": "bool", "default": False},
            wait_timeout={"type": "int", "default": 120},
            progress_file={"type": "path"},
        ),
        required_one_of=[("src", "definition")],
        supports_check_mode=True,
    )


if __name__ == "__main__":
    main()
