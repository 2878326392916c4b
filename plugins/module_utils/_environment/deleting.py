# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Delete an environment step by step: exactly what was decided on, unless somebody else needs it by now.

For use within the collection monorepo.gitops only.
"""

from __future__ import annotations

from collections.abc import Callable

from ansible_collections.monorepo.gitops.plugins.module_utils._api import Api
from ansible_collections.monorepo.gitops.plugins.module_utils._apply.deleting import delete, still
from ansible_collections.monorepo.gitops.plugins.module_utils._apply.manifests import label
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.deletion import Deletion
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.status import listed
from ansible_collections.monorepo.gitops.plugins.module_utils._environment import removal_order as order
from ansible_collections.monorepo.gitops.plugins.module_utils._environment.decommission import (
    APPLICATION,
    APPLICATIONSET,
    CRD,
    Decommission,
    Step,
)
from ansible_collections.monorepo.gitops.plugins.module_utils._environment.identity import NAMED, Object
from ansible_collections.monorepo.gitops.plugins.module_utils._environment.survey import Survey
from ansible_collections.monorepo.gitops.plugins.module_utils._errors import GitopsError

SHOWN = 5  # names in a line of progress


class Removal:
    """The removal of what a Decommission has found."""

    def __init__(self, api: Api, plan: Decommission, say: Callable[[str], None]) -> None:
        self.api, self.plan, self.say = api, plan, say
        self.used: list[str] = []  # CustomResourceDefinitions that stay, with the number of their objects
        self.late: set[str] = set()  # Applications that appeared after everything was read
        self.needed: list[Object] = []  # what stays for them

    def run(self, timeout: float) -> None:
        """Remove everything; an error in the end names what had to stay."""
        deletion = Deletion(self.api, self.plan.namespace, self.say)
        for step in self.plan.steps():
            items = self._still_unneeded(step.items)
            names = [*step.applications, *(f"{item['kind']} {item['metadata']['name']}" for item in items)]
            if names:
                self.say(f"deletes {listed(names, SHOWN)}")
            if step.applications:
                deletion.delete(step.applications, timeout)
            self._delete(items, step, timeout)
        if texts := self.left():
            raise GitopsError(f"Not everything was removed. {' '.join(texts)}", argocd_removed=self.argocd_removed())

    def argocd_removed(self) -> bool:
        """Return whether the namespace of Argo CD was deleted."""
        found = [item for step in self.plan.steps() for item in step.items if item["kind"] == "Namespace"]
        return self.plan.namespace in {item["metadata"]["name"] for item in found if item not in self.needed}

    def _still_unneeded(self, items: list[Object]) -> list[Object]:
        """Return the objects that no Application or ApplicationSet needs which has appeared since all was read."""
        if not items:
            return []
        known = {item["metadata"]["uid"] for item in of_argocd(self.plan.survey)}
        late = [
            item for item in of_argocd(Survey(self.api, self.plan.namespace)) if item["metadata"]["uid"] not in known
        ]
        needed = [item for item in items if order.is_needed(item, late, self.plan.namespace)]
        if needed:
            self.late |= {label(item) for item in late}
            self.needed += needed
        return [item for item in items if item not in needed]

    def _delete(self, items: list[Object], step: Step, timeout: float) -> None:
        delete(self.api, [item for item in items if item["kind"] != CRD], timeout, step.propagation, self.say)
        # Each is looked at just before its own deletion: the API server has no precondition for this.
        unused = (item for item in items if item["kind"] == CRD and self._is_unused(item))
        delete(self.api, unused, timeout, say=self.say)

    def _is_unused(self, crd: Object) -> bool:
        """Return whether a CustomResourceDefinition has no objects any more: with one, all its objects are gone."""
        spec, name = crd["spec"], crd["metadata"]["name"]
        served = [entry["name"] for entry in spec["versions"] if entry.get("served")]
        if not served:
            self.used.append(f"{name} (serves no version, so nobody can see its objects)")
            return False
        found = self.plan.survey.get(f"/apis/{spec['group']}/{served[0]}/{spec['names']['plural']}")
        if count := len((found or {"items": []})["items"]):
            self.used.append(f"{name} ({count})")
        return not count

    def left(self) -> list[str]:
        """Return a sentence for each reason why something stays that was to be removed, or that nobody has seen."""
        texts = []
        if self.needed:
            late, needed = listed(sorted(self.late), NAMED), ", ".join(map(label, self.needed))
            texts.append(f"{late} appeared during the removal, so this stays: {needed}.")
        if unseen := [label(item) for item in self.plan.unseen]:
            texts.append(f"This appeared after the removal was shown, and stays: {', '.join(unseen)}.")
        if spared := [label(item) for item in self.plan.spared if still(self.api, item)]:
            texts.append(f"This was shown and stays, because something else needs it now: {', '.join(spared)}.")
        if self.used:
            texts.append(
                "These CustomResourceDefinitions still have objects, which would be deleted with them: "
                f"{', '.join(sorted(self.used))}. Delete the objects and run again, or leave the "
                "CustomResourceDefinitions."
            )
        return texts


def of_argocd(survey: Survey) -> list[Object]:
    """Return the Applications and ApplicationSets of the cluster."""
    applications = [APPLICATION | item for item in survey.applications]
    return applications + [APPLICATIONSET | item for item in survey.all_applicationsets]
