# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is removed with an environment, in which steps. What an interrupted run has left, the next one finds.

For use within the collection monorepo.gitops only.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from ansible_collections.monorepo.gitops.plugins.module_utils._api import Api
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.status import listed
from ansible_collections.monorepo.gitops.plugins.module_utils._environment import removal_order as order
from ansible_collections.monorepo.gitops.plugins.module_utils._environment.identity import NAMED, Object
from ansible_collections.monorepo.gitops.plugins.module_utils._environment.installation import describe_argocd
from ansible_collections.monorepo.gitops.plugins.module_utils._environment.survey import Survey
from ansible_collections.monorepo.gitops.plugins.module_utils._paths import LAYERS

CRD = "CustomResourceDefinition"
ARGOCD = "argoproj.io/v1alpha1"
# What the entries of a list do not have.
APPLICATION = {"apiVersion": ARGOCD, "kind": "Application"}
APPLICATIONSET = {"apiVersion": ARGOCD, "kind": "ApplicationSet"}


@dataclass(frozen=True)
class Scope:
    """What is to be removed: of that only what the user was shown; without `shown` all that there is."""

    environment: str
    components: list[Object]
    argocd: bool  # Argo CD is ours
    volumes: bool
    crds: bool
    shown: list[Object] | None = None


@dataclass
class Step:
    """Objects that are deleted together, and how."""

    items: list[Object]
    note: str = ""
    propagation: str = "Background"
    applications: dict[str, Object] = field(default_factory=dict)

    def objects(self) -> list[Object]:
        """Return all its objects."""
        return [*(APPLICATION | item for item in self.applications.values()), *self.items]


class Decommission:
    """The removal of one environment."""

    def __init__(self, api: Api, namespace: str, scope: Scope) -> None:
        self.api, self.namespace, self.scope = api, namespace, scope
        self.survey = Survey(api, namespace)

    @cached_property
    def applications(self) -> dict[str, Object]:
        """Return the Applications of the environment; one that nobody has seen is treated as somebody else's."""
        found = order.own_applications(self.survey.ours, self.scope.environment)
        return {name: item for name, item in found.items() if self._is_seen(item)}

    def _is_seen(self, item: Object) -> bool:
        return self.scope.shown is None or item["metadata"]["uid"] in self._seen

    @cached_property
    def _seen(self) -> set[str]:
        return {item["metadata"]["uid"] for item in self.scope.shown or []}

    @cached_property
    def others(self) -> list[Object]:
        """Return all other Applications of the cluster."""
        names = set(self.applications)
        return [item for item in self.survey.applications if not self._is_ours(item, names)]

    def _is_ours(self, item: Object, names: set[str]) -> bool:
        return item["metadata"]["namespace"] == self.namespace and item["metadata"]["name"] in names

    @cached_property
    def known(self) -> set[str]:
        """Return the names of Applications that there are, or were before an interrupted run."""
        names = {component["name"] for component in self.scope.components}
        return (names | set(self.applications)) - {item["metadata"]["name"] for item in self.others}

    @cached_property
    def controller(self) -> Object | None:
        """Return the application controller of our Argo CD."""
        here = [item for item in self.survey.controllers if item["metadata"]["namespace"] == self.namespace]
        return here[0] if here else None

    @cached_property
    def elsewhere(self) -> list[str]:
        """Return the namespaces of other Argo CDs in the cluster."""
        return sorted({item["metadata"]["namespace"] for item in self.survey.controllers} - {self.namespace})

    @cached_property
    def argocd_stays(self) -> str:
        """Return why Argo CD stays, or nothing."""
        found = {"manager": ""}
        if self.controller:
            found = describe_argocd(self.controller, set(self.applications), self.survey.config_map)
        return order.staying(self.others, self.other_sets, found["manager"], self.scope.argocd)

    @cached_property
    def sets(self) -> list[Object]:
        """Return the ApplicationSets of the environment."""
        found = order.own_applicationsets(self.survey.applicationsets, self.scope.environment)
        return [APPLICATIONSET | item for item in found]

    @cached_property
    def other_sets(self) -> list[Object]:
        """Return all other ApplicationSets of the cluster, and those that nobody has seen."""
        own = {item["metadata"]["uid"] for item in self.sets if self._is_seen(item)}
        return [item for item in self.survey.all_applicationsets if item["metadata"]["uid"] not in own]

    def _list(self, path: str, version: str, kind: str) -> list[Object]:
        """Return the objects of a kind with what the entries of a list do not have."""
        items = (self.survey.get(path) or {"items": []})["items"]
        return [{"apiVersion": version, "kind": kind} | item for item in items]

    @cached_property
    def namespaces(self) -> dict[str, list[Object]]:
        """Return the Namespaces of the environment by Application."""
        return order.tracked(self._list("/api/v1/namespaces", "v1", "Namespace"), self.known)

    @cached_property
    def shared(self) -> dict[str, list[str]]:
        """Return the Applications of somebody else by the namespaces that they use."""
        return order.used_namespaces(self.others)

    @cached_property
    def volumes(self) -> list[Object]:
        """Return the volumes in these Namespaces."""
        names = {item["metadata"]["name"] for items in self.namespaces.values() for item in items}
        found = self._list("/api/v1/persistentvolumeclaims", "v1", "PersistentVolumeClaim")
        return [item for item in found if item["metadata"]["namespace"] in names]

    @cached_property
    def crds(self) -> list[Object]:
        """Return the CustomResourceDefinitions of the environment, and those of Argo CD where it goes."""
        version = "apiextensions.k8s.io/v1"
        found = self._list(f"/apis/{version}/customresourcedefinitions", version, CRD)
        names = order.crds_of(self.applications.values())
        own = [
            item
            for item in found
            if item["metadata"]["name"] in names or (not self.others and order.is_kept_by_argocd(item))
        ]
        argocd = [item for item in found if item["spec"]["group"] == order.ARGOCD_GROUP and order.is_argocd(item)]
        return own + ([] if self.argocd_stays or self.elsewhere else argocd)

    @cached_property
    def unseen(self) -> list[Object]:
        """Return what belongs to the environment and appeared after the user had seen what is removed."""
        found = order.own_applications(self.survey.ours, self.scope.environment).values()
        applications = [APPLICATION | item for item in found if not self._is_seen(item)]
        return applications + [item for step in self._all_steps for item in step.items if not self._is_seen(item)]

    @cached_property
    def spared(self) -> list[Object]:
        """Return what the user was shown and what must stay now; some of it may be gone."""
        due = {item["metadata"]["uid"] for step in self.steps() for item in step.objects()}
        return [item for item in self.scope.shown or [] if item["metadata"]["uid"] not in due]

    def steps(self) -> list[Step]:
        """Return all that is removed, in this order."""
        steps = [replace(step, items=list(filter(self._is_seen, step.items))) for step in self._all_steps]
        return [step for step in steps if step.items or step.applications]

    @cached_property
    def _all_steps(self) -> list[Step]:
        # First, because they would recreate the Applications; these stay without an owner.
        steps = [Step(self.sets, "its Applications stay until it is their turn", "Orphan")]
        present = self.known if self.scope.volumes else set(self.applications)
        for names in order.batches(present, self.scope.components):
            own = {name: self.applications[name] for name in names if name in self.applications}
            steps.append(Step([], "with what it deployed", applications=own))
            if self.scope.volumes:
                there = [item for name in names for item in self.namespaces.get(name, [])]
                own_only = [item for item in there if item["metadata"]["name"] not in self.shared]
                steps.append(Step(own_only, "with everything in it"))
        steps += self._argocd()
        if self.scope.crds:
            steps.append(Step(self.crds))
        return steps

    def _argocd(self) -> list[Step]:
        rbac = "rbac.authorization.k8s.io/v1"
        if self.argocd_stays:
            free = set(LAYERS) - order.used_projects(self.others)
            projects = [item for item in self.survey.projects if item["metadata"]["name"] in free]
            owned = [item for item in projects if item["metadata"]["name"] not in self.survey.foreign_projects]
            found = [{"apiVersion": ARGOCD, "kind": "AppProject"} | item for item in owned]
            return [Step([*found, *([self.survey.config_map] if self.survey.config_map else [])])]
        home = self.survey.get(f"/api/v1/namespaces/{self.namespace}")
        bindings = self._list(f"/apis/{rbac}/clusterrolebindings", rbac, "ClusterRoleBinding")
        roles = self._list(f"/apis/{rbac}/clusterroles", rbac, "ClusterRole")
        return [
            Step([home] if home and (self.controller or self.survey.config_map) else [], "Argo CD"),
            Step(order.rights_of(bindings, roles, self.namespace), "Argo CD"),
        ]

    def rows(self) -> list[dict[str, Any]]:
        """Return what is removed for a table."""
        return [
            order.row(number, item, step.note) for number, step in enumerate(self.steps(), 1) for item in step.objects()
        ]

    def kept(self) -> list[str]:
        """Return a sentence for each thing that stays."""
        texts = [f"Argo CD stays, because {self.argocd_stays}."] if self.argocd_stays else []
        names = [item["metadata"]["name"] for items in self.namespaces.values() for item in items]
        if names and not self.scope.volumes:
            volumes = f" with {len(self.volumes)} volumes and the generated passwords" if self.volumes else ""
            texts.append(f"Namespaces {', '.join(sorted(names))} stay{volumes}.")
        if self.scope.volumes:
            texts += [
                f"Namespace {name} stays, because it also has objects of {listed(self.shared[name], NAMED)}."
                for name in sorted(set(names) & self.shared.keys())
            ]
        if not self.scope.crds and self.crds:
            texts.append(f"{len(self.crds)} CustomResourceDefinitions stay.")
        if self.scope.crds and self.elsewhere and not self.argocd_stays:
            where = listed(self.elsewhere, NAMED)
            texts.append(f"CustomResourceDefinitions of Argo CD stay, because namespace {where} has another one.")
        return [*texts, f"Git keeps the folders envs/{self.scope.environment}."]
