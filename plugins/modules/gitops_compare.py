#!/usr/bin/python
# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: gitops_compare
short_description: Compare inventory, Git and cluster before a run writes anything (internal)
version_added: "1.0.0"
author:
  - The monorepo.gitops authors (@monorepo)
description:
  - Compares what the inventory wants, what the revision that Argo CD follows contains, and what the cluster contains.
    Fails when a run would change anything of another environment or repository, or would delete something without an
    announcement.
  - The ConfigMap C(monorepo-gitops) in the namespace of Argo CD and the existing ApplicationSets C(infra) and
    C(services) show which environment a cluster serves.
  - Only reads. The working tree must have been rendered.
extends_documentation_fragment:
  - monorepo.gitops.auth
  - monorepo.gitops.argocd
  - monorepo.gitops.git
  - monorepo.gitops.attributes
  - monorepo.gitops.attributes.read_only
options:
  tree:
    description: Private clone that M(monorepo.gitops.gitops_repo_checkout) made, with what was rendered.
    type: path
    required: true
  repo_url:
    description: URL of the repository as Argo CD reads it.
    type: str
    required: true
  push_url:
    description: URL of the same repository as this machine pushes to it; empty where it is O(repo_url).
    type: str
    default: ""
  revision:
    description: Branch or tag that the environment follows. V(HEAD) is the branch that is published to.
    type: str
    default: HEAD
  commit:
    description: Commit that is to be promoted. Without it the working tree is compared.
    type: str
    default: ""
  publish:
    description:
      - Whether the run publishes the working tree. V(false) compares what Git has already. Not used with O(commit).
    type: bool
    default: true
  environment:
    description: Environment of the inventory.
    type: str
    required: true
  components:
    description: Components of the inventory, as returned by M(monorepo.gitops.gitops_plan).
    type: list
    elements: dict
    required: true
  entries:
    description:
      - What the inventory says of components that people wrote, as returned by M(monorepo.gitops.gitops_plan). Git must
        have them.
    type: list
    elements: dict
    default: []
  removals:
    description:
      - Components that may be deleted, each as its name, as C(<layer>/<name>), or as the full name of its role.
    type: list
    elements: str
    default: []
  volume_removals:
    description:
      - Objects that hold data and may be deleted, also of components that stay. Each needs C(component),
        C(api_version), C(kind), C(name), and C(namespace) where the kind has one.
    type: list
    elements: dict
    default: []
  takeover:
    description: The word that an earlier failure printed. It permits that one change, and is ignored otherwise.
    type: str
    default: ""
  adopt:
    description:
      - V(argocd) allows taking over an Argo CD that was installed by hand, and AppProjects C(infra) and C(services)
        that somebody else created. The name of a component allows replacing files of it that no run wrote. A word that
        an error printed, such as V(maildev:3f2a91), allows overwriting what somebody changed in rendered files.
    type: list
    elements: str
    default: []
  project_kinds:
    description:
      - Kinds that an AppProject allows before Git has them.
    type: dict
    default: {}
    suboptions:
      infra:
        description: Those of layer C(infra).
        type: list
        elements: dict
        suboptions: &kind_options
          group: {description: API group; empty is the core group., type: str, default: ""}
          kind: {description: The kind., type: str, required: true}
          namespaced:
            description: Whether its objects are in a namespace. By default what the API server says of the kind.
            type: bool
      services:
        description: Those of layer C(services).
        type: list
        elements: dict
        suboptions: *kind_options
  argocd_managed:
    description: Whether the run installs Argo CD. V(false) leaves the existing one unchanged.
    type: bool
    default: true
  cmd_params:
    description: What the run writes into the ConfigMap C(argocd-cmd-params-cm).
    type: dict
    default: {}
  impersonation:
    description:
      - Whether Argo CD is to sync each layer with a ServiceAccount of its own. Stops when an Application that is not
        ours would have none.
    type: bool
    default: false
  impersonation_enforced:
    description: Whether Argo CD refuses to sync an Application without a ServiceAccount, or cannot do it itself.
    type: bool
    default: true
  throwaway:
    description:
      - Whether the cluster is temporary, as in a rehearsal. Such a cluster may be new although Git has the environment.
    type: bool
    default: false
  kustomize_command:
    description: Command that builds a folder. By default C(kustomize build) or C(kubectl kustomize) from PATH.
    type: list
    elements: str
    default: []
  collection_version:
    description: Version of the collection. Set by the action plugin.
    type: str
    default: ""
  known_components:
    description: Names of all components of the collection. Set by the action plugin.
    type: list
    elements: str
    default: []
notes:
  - "Needs the rights to get, in the namespace of Argo CD, ConfigMaps, ApplicationSets, Applications and Deployments; to
    list AppProjects there; to list Applications, StatefulSets and Deployments in all namespaces; to get the namespace
    C(kube-system), and objects of components that hold data; and without O(commit), where Argo CD syncs with
    ServiceAccounts, to list Roles and ClusterRoles. Where files of people would be replaced, it reads all objects of
    that component; one that may not be read counts as Argo CD and Git have it."
  - "Objects that hold data are PersistentVolumeClaim, StatefulSet, Namespace, CustomResourceDefinition, Cluster and
    Database of CloudNativePG, and Kafka, KafkaNodePool and KafkaTopic of Strimzi, unless the object in the cluster has
    the sync option C(Prune=false)."
  - "Error C(... continue with -e gitops_takeover=...): the cluster serves another environment or repository than the
    inventory names. Correct the inventory, or pass the word."
  - "Error C(... would delete components ...): name them in O(removals), or add them to O(components)."
  - "Error C(Objects that hold data would be deleted ...): keep them, or name them in O(volume_removals)."
  - "Error C(A live object cannot accept a changed value ...): an object in the cluster cannot get the
    value that it would get; the message says what to do instead. The fields are those of the API server and those that
    components name."
  - "Error C(Git has files of ... that no run wrote ...): the message says what its built objects would change in the
    cluster. Name the component in O(adopt), or leave it out of O(components)."
  - "Error C(Somebody changed what a run rendered ...): a checksum in the header of each rendered file shows that. Move
    the change to the inventory, or name the word of the message in O(adopt). A file that was rendered without a
    checksum counts as unchanged."
  - "Error C(Both layers have a component ...): there can be one Application of that name."
  - "Error C(argocd_impersonation applies to all of Argo CD ...): the Applications of others would fail."
  - "Error C(The ApplicationSet controller runs with the policy ...): the controller's own setting wins over
    C(applicationsSync), which Argo CD documents under Controlling Resource Modification."
seealso:
  - module: monorepo.gitops.argocd_app_delete
  - module: monorepo.gitops.gitops_repo_publish
"""

EXAMPLES = r"""
- name: Compare before anything is written
  monorepo.gitops.gitops_compare:
    tree: ~/.cache/monorepo.gitops/clones/monorepo
    repo_url: https://git.example.com/platform/monorepo.git
    environment: dev
    components: "{{ gitops_plan.components }}"
    removals: [maildev]
"""

RETURN = r"""
summary:
  description: What the run does to the environment, in one line.
  returned: success
  type: str
  sample: This run creates 0, changes 1 and deletes 0 Applications, and prunes 2 objects.
counts:
  description: The numbers of RV(summary).
  returned: success
  type: dict
  sample: {created: 0, changed: 1, deleted: 0, pruned: 2}
commit:
  description: Commit that was compared; empty for the working tree.
  returned: success
  type: str
notes:
  description: Notes about what is going to happen, one sentence each.
  returned: success
  type: list
  elements: str
removals:
  description: Overlays that the run removes from Git, as C(<layer>/<name>).
  returned: success
  type: list
  elements: str
delete:
  description: Names of Applications that the run deletes once Git no longer has them.
  returned: success
  type: list
  elements: str
volumes:
  description: Entries of O(volume_removals) whose objects the run deletes.
  returned: success
  type: list
  elements: dict
handwritten:
  description: Overlays of the environment that people wrote, as C(<layer>/<name>). They are never changed.
  returned: success
  type: list
  elements: str
identity:
  description: The ConfigMap that records which environment the cluster serves.
  returned: success
  type: dict
recorded:
  description: Whether the cluster has RV(identity) already.
  returned: success
  type: bool
leftovers:
  description: Names of Applications that exist although Git has no folder for them.
  returned: success
  type: list
  elements: str
replaced:
  description:
    - Files of the published commit that people wrote or changed, and that the run replaces because O(adopt) allows it.
  returned: success
  type: list
  elements: str
tree:
  description: Tree that was compared, for M(monorepo.gitops.gitops_repo_publish); empty when a commit was.
  returned: success
  type: str
uid:
  description: UID of the cluster, which is that of its namespace C(kube-system).
  returned: success
  type: str
projects:
  description: The AppProjects in the namespace of Argo CD, as they were before the run; each with its name and spec.
  returned: success
  type: list
  elements: dict
  sample: [{metadata: {name: infra}, spec: {sourceRepos: [https://git.example.com/platform/monorepo.git]}}]
project_kinds:
  description:
    - O(project_kinds) with what the API server knows of each kind. C(namespaced) is null where it does not serve it.
  returned: success
  type: dict
  sample: {services: [{group: batch, kind: CronJob, namespaced: true}]}
accounts:
  description:
    - The rights of the ServiceAccounts with which Argo CD syncs, as they were before the run, by layer; each has
      C(everywhere) and C(namespaces), as in RV(monorepo.gitops.gitops_repo_build#module:rights). Empty with O(commit).
  returned: success
  type: dict
  sample: {services: {everywhere: [], namespaces: {services: [{apiGroups: [""], resources: [services], verbs: [get]}]}}}
served:
  description:
    - Resources that the API server serves, as C(<plural>.<group>), which is the name of a CustomResourceDefinition. One
      that is not established is missing here.
  returned: success
  type: list
  elements: str
  sample: [applications.argoproj.io, deployments.apps]
lock_default_project:
  description: Whether Argo CD is ours and no other Application uses the AppProject C(default).
  returned: success
  type: bool
argocd:
  description: The Argo CD that somebody else installed; empty when there is none.
  returned: success
  type: dict
  contains:
    namespace: {description: Its namespace., type: str}
    version: {description: Tag of its image., type: str}
    manager: {description: "V(hand), V(Helm), or kind and name of what owns it.", type: str}
    release: {description: Name of the Helm release., type: str}
    applications: {description: Names of its other Applications., type: list, elements: str}
    question: {description: "Why the run must stop after the difference was shown; empty when it may go on.", type: str}
    show_difference: {description: Whether the difference to what the run would install is to be shown., type: bool}
"""

from typing import Any

from ansible_collections.monorepo.gitops.plugins.module_utils import _client
from ansible_collections.monorepo.gitops.plugins.module_utils._api import Api
from ansible_collections.monorepo.gitops.plugins.module_utils._environment import (
    accounts,
    identity,
    installation,
    removal,
)
from ansible_collections.monorepo.gitops.plugins.module_utils._environment.comparison import Comparison
from ansible_collections.monorepo.gitops.plugins.module_utils._environment.options import Options
from ansible_collections.monorepo.gitops.plugins.module_utils._environment.survey import Survey
from ansible_collections.monorepo.gitops.plugins.module_utils._errors import GitopsError
from ansible_collections.monorepo.gitops.plugins.module_utils._paths import LAYERS
from ansible_collections.monorepo.gitops.plugins.module_utils._repository.clone import Clone
from ansible_collections.monorepo.gitops.plugins.module_utils._repository.kustomize import find_command

# Kinds that the AppProject of a layer allows beforehand.
KINDS = {
    "type": "list",
    "elements": "dict",
    "options": {
        "group": {"type": "str", "default": ""},
        "kind": {"type": "str", "required": True},
        "namespaced": {"type": "bool"},
    },
}


def options(params: dict[str, Any]) -> Options:
    """Return what the inventory wants."""
    return Options(
        environment=params["environment"],
        repository=params["repo_url"],
        push_url=params["push_url"],
        revision=params["revision"],
        commit=params["commit"],
        publish=params["publish"],
        components=params["components"],
        entries=params["entries"],
        known=set(params["known_components"]),
        removals=params["removals"],
        volume_removals=params["volume_removals"],
        takeover=params["takeover"],
        throwaway=params["throwaway"],
        adopted=set(params["adopt"]),
        parameters={key: str(value) for key, value in params["cmd_params"].items()} if params["argocd_managed"] else {},
        version=params["collection_version"],
        kustomize=params["kustomize_command"] or find_command(),
    )


def argocd(survey: Survey, params: dict[str, Any]) -> dict[str, Any]:
    """Return an Argo CD that somebody else installed, and stop when it cannot be taken over."""
    if not survey.controllers:
        if not params["argocd_managed"]:
            raise GitopsError(
                f"Nothing was written. argocd_managed is false, but namespace {params['namespace']} has no Argo CD."
            )
        return {}
    names = {item["metadata"]["name"] for item in (*survey.ours.values(), *survey.others)}
    found = installation.describe_argocd(survey.controllers[0], names, survey.config_map)
    if found["manager"] == "us" and found["namespace"] == params["namespace"]:
        return {}
    others = sorted(item["metadata"]["name"] for item in survey.others)
    adopted, managed = "argocd" in params["adopt"], params["argocd_managed"]
    question = installation.foreign_argocd(found, others, params["namespace"], managed, adopted)
    by_hand = found["manager"] == "hand" and found["namespace"] == params["namespace"]
    if question and not by_hand:
        raise GitopsError(f"Nothing was written. {question}")
    if survey.foreign_projects and not adopted:
        raise GitopsError(
            f"Nothing was written. Somebody else created the AppProject {' and '.join(survey.foreign_projects)}, and "
            "this run would replace it: rename it, or take it over with gitops_adopt: [argocd]."
        )
    return found | {"applications": others, "question": question, "show_difference": by_hand and managed}


def scoped(entry: dict[str, Any], survey: Survey) -> dict[str, Any]:
    """Return a kind that an AppProject is to allow, with whether its objects are in a namespace."""
    given = entry["namespaced"]
    return entry | {"namespaced": survey.is_namespaced(entry["group"], entry["kind"]) if given is None else given}


def check_accounts(survey: Survey, params: dict[str, Any]) -> None:
    """Stop when Argo CD would no longer sync the Applications of somebody else."""
    managed = params["impersonation"] and params["argocd_managed"]
    if not managed or not params["impersonation_enforced"]:
        return
    if names := accounts.without_account(survey.others, survey.projects):
        raise GitopsError(f"Nothing was written. {accounts.refusal(names)}")


def run(module: Any, client: Any) -> dict[str, Any]:
    """Compare and return the result of the module."""
    params = module.params
    survey = Survey(Api(client), params["namespace"])
    clone = Clone(params["tree"], params["repo_url"], params["branch"], params["ssh_command"], params["throwaway"])
    wanted = options(params)
    with clone.locked():
        comparison = Comparison(clone, survey, wanted)
        # First the owner: the content of somebody else's Argo CD is not compared with Git.
        found = argocd(survey, params)
        check_accounts(survey, params)
        result = comparison.result()
    waits_for = "" if comparison.revisions.moves else wanted.revision
    config_map = identity.config_map(
        params["namespace"], comparison.wanted_side, wanted.version, params["argocd_managed"]
    )
    has_accounts = params["impersonation"] or accounts.are_used(survey.projects)
    used = [(item.get("spec") or {}).get("project") or "default" for item in survey.others]
    return result | {
        "changed": False,
        "summary": removal.summary(result["counts"], module.check_mode, waits_for),
        "identity": config_map,
        "recorded": identity.is_recorded(survey.config_map, config_map),
        "projects": [
            {"metadata": {"name": item["metadata"]["name"]}, "spec": item["spec"]} for item in survey.projects
        ],
        "project_kinds": {
            layer: [scoped(entry, survey) for entry in entries or []]
            for layer, entries in params["project_kinds"].items()
        },
        "accounts": survey.accounts if has_accounts and not params["commit"] else {},
        "served": survey.served,
        "lock_default_project": params["argocd_managed"] and "default" not in used,
        "argocd": found,
    }


def main() -> None:
    """Run the module."""
    _client.run_module(
        run,
        argument_spec=_client.argument_spec(
            tree={"type": "path", "required": True},
            branch={"type": "str", "default": "main"},
            repo_url={"type": "str", "required": True},
            push_url={"type": "str", "default": ""},
            ssh_command={"type": "str", "default": ""},
            revision={"type": "str", "default": "HEAD"},
            commit={"type": "str", "default": ""},
            publish={"type": "bool", "default": True},
            environment={"type": "str", "required": True},
            components={"type": "list", "elements": "dict", "required": True},
            entries={"type": "list", "elements": "dict", "default": []},
            removals={"type": "list", "elements": "str", "default": []},
            volume_removals={"type": "list", "elements": "dict", "default": []},
            takeover={"type": "str", "default": ""},
            adopt={"type": "list", "elements": "str", "default": []},
            project_kinds={"type": "dict", "default": {}, "options": dict.fromkeys(LAYERS, KINDS)},
            argocd_managed={"type": "bool", "default": True},
            cmd_params={"type": "dict", "default": {}},
            impersonation={"type": "bool", "default": False},
            impersonation_enforced={"type": "bool", "default": True},
            throwaway={"type": "bool", "default": False},
            namespace={"type": "str", "default": "argocd"},
            kustomize_command={"type": "list", "elements": "str", "default": []},
            collection_version={"type": "str", "default": ""},
            known_components={"type": "list", "elements": "str", "default": []},
        ),
        supports_check_mode=True,
    )


if __name__ == "__main__":
    main()
