#!/usr/bin/python
# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: argocd_app_info
short_description: List Argo CD Applications, or describe some of them
version_added: "1.0.0"
author:
  - The monorepo.gitops authors (@monorepo)
description:
  - Reads Applications as C(argocd app list), C(get), C(history) and C(resources) do, and says in plain sentences what
    is wrong with them. The worst comes first.
  - The status is what the controller wrote last; M(monorepo.gitops.argocd_app_wait) and
    M(monorepo.gitops.argocd_app_refresh) return one that is fresh.
  - Sends one request for the list of all Applications, and a dozen at most for each that is not ready, to find the
    lowest cause (O(causes)). O(tree) and O(events) need more.
extends_documentation_fragment:
  - monorepo.gitops.auth
  - monorepo.gitops.argocd
  - monorepo.gitops.attributes
  - monorepo.gitops.attributes.read_only
options:
  names:
    description: Names of Applications. Without O(names) and O(applicationsets) all are meant.
    type: list
    elements: str
    default: []
  applicationsets:
    description: Names of ApplicationSets whose Applications are meant, in addition to O(names).
    type: list
    elements: str
    default: []
  label_selectors:
    description: Label selectors, all of which must match, too.
    type: list
    elements: str
    default: []
  causes:
    description:
      - Whether to look for the lowest cause of what is not healthy, in what controllers created for it, what it needs,
        and the events. RV(applications[].reasons) and RV(applications[].causes) have it, for the 20 worst Applications.
    type: bool
    default: true
  log_lines:
    description:
      - How many lines of a log end RV(applications[].causes[].text) where a container has ended. They may hold a
        secret, so there are none by default, only the command that shows the log.
    type: int
    default: 0
  tree:
    description:
      - Whether to read what controllers created for the objects of the Applications, down to the pods, by their
        C(ownerReferences).
      - Secrets and ConfigMaps that controllers create are left out, because the right to list them is one to read them.
    type: bool
    default: false
  events:
    description: Whether to read the events of the Applications and of their objects, with O(tree) of all objects in it.
    type: bool
    default: false
notes:
  - Needs the right to list Applications. With O(tree), and with O(causes) for what is not ready, in the namespaces of
    their objects also to list EndpointSlices, ReplicaSets, Pods and, as far as there is what they belong to,
    PersistentVolumeClaims, Services, Deployments, StatefulSets, DaemonSets, Jobs, CertificateRequests, Orders,
    Challenges, StrimziPodSets and Backups, and to get those objects of the Applications that are not ready, and what
    they name, such as issuers, stores and Gateways, never Secrets. With O(events) or O(causes), to list Events there,
    with O(events) also in O(namespace). With O(log_lines), to get C(pods/log). Where automated sync is off, to get the
    ConfigMap C(gitops-paused). Without one of these a warning says which one it would need to report more.
  - A kind that may not be read is a warning that names it; the tree is without it then.
  - A name that does not exist is not an error; it is listed in RV(missing).
  - Health of single resources is only there when Argo CD persists it (C(controller.resource.health.persist), which the
    role C(argocd) switches on). Without it, O(tree) reads the workloads themselves.
  - The tree of an Application on another cluster than Argo CD's own has only what Argo CD says about it.
seealso:
  - module: monorepo.gitops.argocd_appset_info
  - module: monorepo.gitops.argocd_app_wait
"""

EXAMPLES = r"""
- name: List all Applications
  monorepo.gitops.argocd_app_info:
  register: all

- name: Find out why an Application is not Healthy
  monorepo.gitops.argocd_app_info:
    names: [maildev]
    tree: true
    events: true
  register: maildev

- name: Show it
  ansible.builtin.debug:
    msg: "{{ maildev.applications[0].reasons }}"
"""

RETURN = r"""
applications:
  description: The Applications, the worst by RV(applications[].state) first, then by name.
  returned: success
  type: list
  elements: dict
  contains:
    name: {description: Name., type: str}
    namespace: {description: Namespace., type: str}
    project: {description: AppProject., type: str}
    state:
      description:
        - "The worst that is true of it: V(Degraded), V(Missing), V(Failed), V(OutOfSync), V(Progressing), V(Unknown),
          V(Suspended) or V(Healthy)."
        - V(Failed) is an error of the comparison or of the last sync, V(Progressing) also a sync that is running.
      type: str
    reasons:
      description: What is wrong with it, a text each, the worst first. Empty when it is Synced and Healthy.
      type: list
      elements: str
    blocked_kinds:
      description: Kinds that AppProject C(infra) or C(services) did not let the last sync write.
      type: list
      elements: dict
      contains:
        group: {description: API group; empty is the core group., type: str}
        kind: {description: The kind., type: str}
        project: {description: The AppProject., type: str}
    causes:
      description: The lowest causes of what is not healthy, each once, the worst first.
      type: list
      elements: dict
      contains:
        object: {description: "Kind, namespace and name of the object that is in Git or a hook.", type: str}
        kind: {description: Kind of the object that says why., type: str}
        namespace: {description: Its namespace., type: str}
        name: {description: Its name., type: str}
        why: {description: "Why, in the words of the component that knows.", type: str}
        since: {description: Since when., type: str}
        next: {description: "What to do next, often a command.", type: str}
        final: {description: Whether it cannot get better by itself., type: bool}
        alike: {description: How many other objects have the same., type: int}
        log: {description: The end of the log with O(log_lines)., type: str}
        text: {description: Everything but what to do next in one line., type: str}
    sources:
      description:
        - Sources with repoURL, path and targetRevision.
        - What a source hands to Helm, Jsonnet or a plugin may be a secret, so its value is hidden, also in
          RV(applications[].history).
      type: list
      elements: dict
    destination: {description: Cluster and namespace., type: dict}
    automated: {description: Whether it is synced automatically., type: bool}
    sync_policy: {description: "V(Auto-Prune), V(Auto) or V(Manual).", type: str}
    paused:
      description: Since when and by whom automated sync is paused (M(monorepo.gitops.argocd_app_pause)), or nothing.
      type: str
    sync: {description: Sync status., type: str}
    health: {description: Health status., type: str}
    health_message: {description: The controller's explanation of the health (Argo CD 3.6)., type: str}
    revision: {description: Commit that was compared., type: str}
    revisions: {description: Commits of all sources., type: list, elements: str}
    created_at: {description: When the Application was created., type: str}
    health_changed_at: {description: When the health last changed., type: str}
    reconciled_at: {description: When the controller last compared with Git., type: str}
    phase: {description: Phase of the last operation., type: str}
    message: {description: Message of the last operation., type: str}
    operation:
      description: The last operation with started_at, finished_at, retries, initiated_by and running.
      type: dict
    conditions: {description: Conditions with type and message., type: list, elements: dict}
    warnings: {description: Conditions that are warnings as texts., type: list, elements: str}
    not_synced: {description: Resources that are OutOfSync., type: list, elements: str}
    failed_resources: {description: Resources that the last sync could not apply., type: list, elements: str}
    resources:
      description: "Resources in Git with group, version, kind, namespace, name, status and health."
      type: list
      elements: dict
    images:
      description: Images of its pods; until the controller has seen them, those that the last sync named.
      type: list
      elements: str
    urls: {description: Addresses of its Ingresses and Services., type: list, elements: str}
    history:
      description: What was deployed, as C(status.history) has it, the newest first. RV(applications[].history[].id) is
        what M(monorepo.gitops.argocd_app_rollback) takes.
      type: list
      elements: dict
      contains:
        id: {description: Number of the deployment., type: int}
        revision: {description: Commit., type: str}
        deployedAt: {description: When the sync had ended., type: str}
        deployStartedAt: {description: When the sync began., type: str}
        initiatedBy: {description: "Who started it, with username or automated.", type: dict}
        source: {description: Source at that time., type: dict}
    tree:
      description: Every object, followed by those that it owns.
      returned: with O(tree)
      type: list
      elements: dict
      contains:
        group: {description: API group; empty for the core group., type: str}
        version: {description: Version of the API., type: str}
        kind: {description: Kind., type: str}
        namespace: {description: Namespace., type: str}
        name: {description: Name., type: str}
        depth: {description: 0 for an object that is in Git., type: int}
        owner: {description: "Kind, namespace and name of the owner in the tree, such as V(ReplicaSet a/b).", type: str}
        sync: {description: Sync status of an object that is in Git., type: str}
        health: {description: Health by Argo CD of an object that is in Git., type: str}
        info: {description: "Of a pod its phase, ready containers and restarts.", type: str}
        reason: {description: Why it is not ready; empty when it is., type: str}
        created_at: {description: When an object that is not in Git was created., type: str}
    events:
      description: Events, the newest first.
      returned: with O(events)
      type: list
      elements: dict
      contains:
        type: {description: "V(Normal) or V(Warning).", type: str}
        reason: {description: Reason in one word., type: str}
        message: {description: Message., type: str}
        object: {description: "Kind, namespace and name of the object.", type: str}
        count: {description: How often it happened., type: int}
        first_seen: {description: When it happened first., type: str}
        last_seen: {description: When it happened last., type: str}
        source: {description: Controller that reports it., type: str}
missing:
  description: Names that do not exist.
  returned: success
  type: list
  elements: str
runbook:
  description: Page that says what to do about the reasons, below the folder of this collection. Empty without reasons.
  returned: success
  type: str
  sample: docs/runbooks/not_healthy.md
"""

from typing import Any

from ansible_collections.monorepo.gitops.plugins.module_utils import _client
from ansible_collections.monorepo.gitops.plugins.module_utils._api import Api
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.causes import APPLICATIONS, causes_of
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.overview import (
    STATES,
    details,
    order,
    page_for,
    state_of,
    with_causes,
)
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.pause import pause_text, paused
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.selection import list_applications, selection
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.status import (
    Application,
    automated_policy,
    is_automated,
)
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.tree import Trees
from ansible_collections.monorepo.gitops.plugins.module_utils._diagnosis.reader import Reader, lacking_text
from ansible_collections.monorepo.gitops.plugins.module_utils._errors import GitopsError


def pauses(module: Any, api: Api, found: list[Application]) -> dict[str, str]:
    """Return since when and by whom Applications are paused; that is looked up only where automated sync is off."""
    off = [item for item in found if automated_policy(item) is not None and not is_automated(item)]
    try:
        records = paused(api, module.params["namespace"]) if off else {}
    except GitopsError as error:
        module.warn(str(error))
        return {}
    return {item["metadata"]["name"]: pause_text(records.get(item["metadata"]["name"]), item) for item in off}


class Describer:
    """Describes Applications; `lacking` has the rights with which more could be reported."""

    def __init__(self, module: Any, api: Api) -> None:
        self.params, self.api, self.trees = module.params, api, Trees(api)
        self.lacking: dict[str, None] = {}

    def describe(self, application: Application, with_cause: bool) -> dict[str, Any]:
        """Return an Application with what was asked for."""
        entry = details(application)
        if with_cause and entry["state"] != "Healthy":
            reader = Reader(self.api, self.params["log_lines"])
            causes = causes_of(application, reader)
            entry["reasons"] = with_causes(entry, causes)
            self.lacking |= reader.lacking
        else:
            causes = []
        entry["causes"] = [cause.entry() for cause in causes]
        if self.params["tree"]:
            entry["tree"] = self.trees.of(application)
        if self.params["events"]:
            entry["events"] = self.trees.events(application, entry.get("tree") or entry["resources"])
        return entry

    def warnings(self) -> list[str]:
        """Return what could not be read."""
        lacking = lacking_text(list(self.lacking))
        return [*self.trees.unreadable.values(), *([f"Why something is not ready: {lacking}."] if lacking else [])]


def run(module: Any, client: Any) -> dict[str, Any]:
    """Read the Applications and return the result of the module."""
    params, api = module.params, Api(client)
    found = list_applications(api, params["namespace"], ",".join(params["label_selectors"]))
    selects = selection(params["names"], params["applicationsets"], labelled=True)
    wanted = [item for item in found if selects(item)]
    texts = pauses(module, api, wanted)
    worst = sorted(wanted, key=lambda item: (STATES.index(state_of(item)), item["metadata"]["name"]))
    # The rest has what Argo CD says.
    explained = {item["metadata"]["name"] for item in worst[:APPLICATIONS]} if params["causes"] else set()
    describer = Describer(module, api)
    applications = [
        describer.describe(item, item["metadata"]["name"] in explained)
        | {"paused": texts.get(item["metadata"]["name"], "")}
        for item in wanted
    ]
    for text in describer.warnings():
        module.warn(text)
    present = {entry["name"] for entry in applications}
    return {
        "changed": False,
        "applications": sorted(applications, key=order),
        "missing": [name for name in params["names"] if name not in present],
        "runbook": page_for(wanted),
    }


def main() -> None:
    """Run the module."""
    _client.run_module(
        run,
        argument_spec=_client.argument_spec(
            names={"type": "list", "elements": "str", "default": []},
            applicationsets={"type": "list", "elements": "str", "default": []},
            label_selectors={"type": "list", "elements": "str", "default": []},
            causes={"type": "bool", "default": True},
            log_lines={"type": "int", "default": 0},
            tree={"type": "bool", "default": False},
            events={"type": "bool", "default": False},
            namespace={"type": "str", "default": "argocd"},
        ),
        supports_check_mode=True,
    )


if __name__ == "__main__":
    main()
