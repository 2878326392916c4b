#!/usr/bin/python
# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: argocd_app_logs
short_description: Read the logs of an Argo CD Application's pods
version_added: "1.0.0"
author:
  - The monorepo.gitops authors (@monorepo)
description:
  - Reads the logs of the pods that belong to an Application, as C(argocd app logs) does. These are the pods whose
    owners lead to an object that Argo CD deploys, also through custom resources, and those of hooks.
  - A container that has not started has no log; RV(notes) says what it waits for.
extends_documentation_fragment:
  - monorepo.gitops.auth
  - monorepo.gitops.argocd
  - monorepo.gitops.progress
  - monorepo.gitops.attributes
  - monorepo.gitops.attributes.read_only
options:
  name:
    description: Name of the Application.
    type: str
    required: true
  resource:
    description: Only pods that belong to this object, such as a Deployment, a Job or a custom resource, or this pod.
    type: dict
    suboptions:
      group:
        description: API group; V("") for the core group. Without it any group.
        type: str
      kind:
        description: Kind.
        type: str
        required: true
      name:
        description: Name.
        type: str
        required: true
      namespace:
        description: Namespace. Without it an object of that name in any namespace.
        type: str
  container:
    description: Only containers of this name. Without it all, but no init containers that have succeeded.
    type: str
  since:
    description: Only lines that are at most this many seconds old.
    type: int
  tail:
    description: How many of the newest lines of each container are shown.
    type: int
    default: 100
  previous:
    description: Whether to read the log of the run before the last restart.
    type: bool
    default: false
  grep:
    description:
      - Only lines in which this Python regular expression is found. O(tail) counts these, so the whole log since
        O(since) is read; with O(follow) it counts the lines before that.
    type: str
  follow:
    description:
      - For how many seconds new lines are shown, at most 3600. On a local connection they are
        shown as they come, in addition to the result.
    type: int
    default: 0
  timestamps:
    description: Whether each line begins with its time.
    type: bool
    default: false
  limit_bytes:
    description:
      - Size of RV(log), at most 10 MB. Where there is more, the oldest lines are left out, and a warning says so.
    type: int
    default: 262144
notes:
  - Logs may contain secrets, which nobody can recognize. Ansible shows the result with C(-v), and writes what it shows
    to the file in C(log_path) or E(ANSIBLE_LOG_PATH). Set C(no_log) of the task where that matters.
  - "Needs the rights to list Applications, to list pods and get C(pods/log) in the namespaces of its objects, and to
    get what owns the pods: ReplicaSets and Jobs, and the kinds of operators."
  - "Error C(has no pod below): correct O(resource); it is an object of the Application, one that it owns, or a pod."
  - "Error C(has no container): correct O(container); the message names those that there are."
  - "Error C(deploys to): pods of other clusters than that of Argo CD cannot be read."
seealso:
  - module: monorepo.gitops.argocd_app_info
"""

EXAMPLES = r"""
- name: Read the newest lines of all pods of an Application
  monorepo.gitops.argocd_app_logs:
    name: maildev
  register: logs

- name: Find errors of the last hour in one Deployment
  monorepo.gitops.argocd_app_logs:
    name: temporal
    resource: {group: apps, kind: Deployment, name: temporal}
    since: 3600
    grep: (?i)error

- name: See why a container crashed
  monorepo.gitops.argocd_app_logs:
    name: auth
    container: auth
    previous: true
"""

RETURN = r"""
log:
  description: The lines of all containers by time, each after C([pod/<pod>/<container>]).
  returned: success
  type: list
  elements: str
containers:
  description: The containers.
  returned: success
  type: list
  elements: dict
  contains:
    namespace: {description: Namespace., type: str}
    pod: {description: Pod., type: str}
    container: {description: Container., type: str}
    lines: {description: Number of lines that were read., type: int}
    reason: {description: Why it has no log; empty when it has one., type: str}
notes:
  description: What has no log and why, in one sentence each.
  returned: success
  type: list
  elements: str
truncated:
  description: Whether O(limit_bytes) left lines out.
  returned: success
  type: bool
"""

import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from ansible_collections.monorepo.gitops.plugins.module_utils import _client
from ansible_collections.monorepo.gitops.plugins.module_utils._api import Api
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.logs import (
    Container,
    Wanted,
    containers_of,
    merged,
    read,
)
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.pods import Identity, Pod, is_below, pods_of
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.selection import pick
from ansible_collections.monorepo.gitops.plugins.module_utils._errors import GitopsError
from ansible_collections.monorepo.gitops.plugins.module_utils._progress import progress_to

RANGES = {
    "tail": (1, 1_000_000),
    "limit_bytes": (1, 10_000_000),
    "follow": (0, 3600),
    "since": (1, 31_536_000),
}
AT_A_TIME = 8
FOLLOWED = 50


def wanted(params: dict[str, Any]) -> Wanted:
    """Return which lines are wanted."""
    for option, (lowest, highest) in RANGES.items():
        value = params[option]
        if value is not None and not lowest <= value <= highest:
            raise GitopsError(f"{option} is {value}: set it to {lowest} to {highest}.")
    if params["previous"] and params["follow"]:
        raise GitopsError("previous is the log of a run that has ended, and cannot be followed: set one of them.")
    try:
        pattern = re.compile(params["grep"]) if params["grep"] else None
    except re.error as error:
        raise GitopsError(f"grep is not a regular expression: {error}.") from error
    return Wanted(
        tail=params["tail"],
        limit=params["limit_bytes"],
        since_seconds=params["since"],
        previous=params["previous"],
        pattern=pattern,
        follow_seconds=params["follow"],
        timestamps=params["timestamps"],
    )


def chosen(found: list[tuple[Pod, list[Identity]]], params: dict[str, Any]) -> list[Container]:
    """Return the containers that the options choose; a choice that matches nothing is an error."""
    name, resource, container = params["name"], params["resource"], params["container"]
    pods = [pod for pod, lineage in found if not resource or is_below(lineage, resource)]
    if resource and not pods:
        raise GitopsError(f"Application {name} has no pod below {resource['kind']} {resource['name']}: check resource.")
    containers = [entry for pod in pods for entry in containers_of(pod, container, params["previous"])]
    if container and pods and not containers:
        names = sorted({entry.name for pod in pods for entry in containers_of(pod, None, previous=False)})
        raise GitopsError(f"Application {name} has no container {container}: use one of {', '.join(names)}.")
    return containers


def run(module: Any, client: Any) -> dict[str, Any]:
    """Read the logs and return the result of the module."""
    params, api = module.params, Api(client)
    lines = wanted(params)
    (application,) = pick(api, {"names": [params["name"]], "label_selectors": [], "applicationsets": []} | params)
    containers = chosen(pods_of(api, application), params)
    readable = [entry for entry in containers if not entry.reason]
    if params["follow"] and len(readable) > FOLLOWED:
        raise GitopsError(
            f"Only {FOLLOWED} of {len(readable)} containers can be followed at a time: set resource or container."
        )
    show = progress_to(params["progress_file"] if params["follow"] else None)
    with ThreadPoolExecutor(max_workers=FOLLOWED if params["follow"] else AT_A_TIME) as pool:
        list(pool.map(lambda entry: read(api, entry, lines, show), readable))
    log, truncated = merged(containers, params["limit_bytes"])
    if truncated:
        module.warn(
            f"The log was cut to its newest {params['limit_bytes']} bytes: set resource, container, since, grep or a "
            "smaller tail to see what you look for."
        )
    notes = [entry.note() for entry in containers if entry.reason]
    return {
        "changed": False,
        "log": log,
        "containers": [entry.report() for entry in containers],
        "notes": notes or ([] if containers else [f"Application {params['name']} has no pods."]),
        "truncated": truncated,
    }


def main() -> None:
    """Run the module."""
    _client.run_module(
        run,
        argument_spec=_client.argument_spec(
            name={"type": "str", "required": True},
            namespace={"type": "str", "default": "argocd"},
            progress_file={"type": "path"},
            resource={
                "type": "dict",
                "options": {
                    "group": {"type": "str"},
                    "kind": {"type": "str", "required": True},
                    "name": {"type": "str", "required": True},
                    "namespace": {"type": "str"},
                },
            },
            container={"type": "str"},
            since={"type": "int"},
            tail={"type": "int", "default": 100},
            previous={"type": "bool", "default": False},
            grep={"type": "str"},
            follow={"type": "int", "default": 0},
            timestamps={"type": "bool", "default": False},
            limit_bytes={"type": "int", "default": 262144},
        ),
        supports_check_mode=True,
    )


if __name__ == "__main__":
    main()
