# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which Applications are meant, and reading them once.

For use within the collection monorepo.gitops only.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from ansible_collections.monorepo.gitops.plugins.module_utils._api import Api
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.status import Application
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.summary import summary
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.terms import WAIT
from ansible_collections.monorepo.gitops.plugins.module_utils._errors import GitopsError

GROUP = "/apis/argoproj.io/v1alpha1"
CHOICE = ("names", "label_selectors", "applicationsets")
# Options of the modules for chosen Applications, described in the fragments argocd, argocd.progress, argocd.selection.
SELECTION: dict[str, dict[str, Any]] = {name: {"type": "list", "elements": "str"} for name in CHOICE}
SELECTION |= {"namespace": {"type": "str", "default": "argocd"}}
ARGUMENTS = SELECTION | {"progress_file": {"type": "path"}}
NO_MATCH = "No Application matches: check names, label_selectors, applicationsets and namespace."


def list_applications(api: Api, namespace: str, selector: str, installed: bool = True) -> list[Application]:
    """Return the Applications of a namespace; none where Argo CD may not be installed yet."""
    return list_of("Applications", api, namespace, selector, installed)


def list_of(kind: str, api: Api, namespace: str, selector: str = "", installed: bool = True) -> list[dict[str, Any]]:
    """Return Applications or ApplicationSets of a namespace."""
    query = {"labelSelector": selector} if selector else None
    status, found = api.list_all(f"{GROUP}/namespaces/{namespace}/{kind.lower()}", query)
    if status == 404 and not installed:
        return []
    if status != 200:
        reason = "Argo CD is not installed" if status == 404 else found.get("message", status)
        raise GitopsError(f"{kind} cannot be listed: {reason}")
    return list(found["items"])


def chosen(params: dict[str, Any]) -> tuple[list[str], list[str], list[str]]:
    """Return names, label selectors and ApplicationSets; refuse a choice that means nothing."""
    names, selectors, applicationsets = (params[key] or [] for key in CHOICE)
    if not (names or selectors or applicationsets or params.get("all")):
        raise GitopsError("names, label_selectors and applicationsets are empty: name at least one Application.")
    return names, selectors, applicationsets


def pick(api: Api, params: dict[str, Any], known: Collection[str] = ()) -> list[Application]:
    """Return the Applications that the options of a module choose, by name; each must exist that is not known."""
    names, selectors, applicationsets = chosen(params)
    namespace = params["namespace"]
    selects = selection(names, applicationsets, bool(selectors) or bool(params.get("all")))
    found = [item for item in list_applications(api, namespace, ",".join(selectors)) if selects(item)]
    missing = sorted(set(names) - {item["metadata"]["name"] for item in found} - set(known))
    if missing:
        left_out = ", or label_selectors leave it out" if selectors else ""
        raise GitopsError(f"In namespace {namespace} there is no Application {' or '.join(missing)}{left_out}.")
    if not found and not known:
        raise GitopsError(NO_MATCH)
    return sorted(found, key=lambda item: str(item["metadata"]["name"]))


def selection(names: list[str], applicationsets: list[str], labelled: bool) -> Callable[[Application], bool]:
    """Return a predicate for the Applications to wait for; the API server selects by label."""
    wanted, sets = frozenset(names), frozenset(applicationsets)

    def selects(item: Application) -> bool:
        owners = {
            entry["name"]
            for entry in item["metadata"].get("ownerReferences") or []
            if entry.get("kind") == "ApplicationSet"
        }
        if names or applicationsets:
            return item["metadata"]["name"] in wanted or bool(owners & sets)
        return labelled

    return selects


def unproven(item: Application, reason: str = "check mode requests no refresh") -> dict[str, Any]:
    """Return an Application as it is, in the form of the result of a wait."""
    return summary(item) | {
        "state": WAIT.value,
        "reason": reason,
        "fresh": False,
        "seconds": 0.0,
        "refreshes": 0,
        "resyncs": 0,
    }


def planned(applications: list[dict[str, Any]], changed: bool) -> dict[str, Any]:
    """Return the result of a module that has only listed the Applications, because of check mode."""
    return {"changed": changed, "applications": applications, "requests": {"list": 1}, "elapsed": 0.0}
