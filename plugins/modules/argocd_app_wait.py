#!/usr/bin/python
# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: argocd_app_wait
short_description: Wait until Argo CD Applications are really synced and healthy
version_added: "1.0.0"
author:
  - The monorepo.gitops authors (@monorepo)
description:
  - Waits for any number of Applications with one LIST and one WATCH, through the Kubernetes API alone.
  - A status that is older than the wait never counts. The module asks the controller to compare with Git, and accepts
    a status only when the controller has answered that very request; on Argo CD 3.6 the annotation
    C(refresh-timestamp) proves it, otherwise a second request does.
  - What somebody changes in the cluster outside Git counts as soon as Argo CD's own watch has seen it; no refresh makes
    Argo CD read it sooner. So an answer that needed no change must stay true for as long as the controller took to give
    it, at least 0.3 and at most 5 seconds.
  - A failure that Argo CD cannot recover from by itself is reported at once, with resource and message.
  - An Application that is being deleted is never ready and never synced; the objects that block its deletion are named.
  - Where the last operation was a self-heal, or a sync in its place, an Application is ready when nothing changes for
    10 seconds after it. A manager that keeps rewriting a field is named with the field.
extends_documentation_fragment:
  - monorepo.gitops.auth
  - monorepo.gitops.argocd
  - monorepo.gitops.progress
  - monorepo.gitops.attributes
options:
  names:
    description:
      - Names of Applications. One that does not exist within O(not_found_grace) is a failure.
      - O(names), O(label_selectors) and O(applicationsets) must not all be missing or empty.
    type: list
    elements: str
  label_selectors:
    description: Label selectors of Applications, all of which must match.
    type: list
    elements: str
  applicationsets:
    description:
      - Names of ApplicationSets whose Applications are waited for. One that has no Application within
        O(not_found_grace) is a failure, unless O(label_selectors) may leave them out.
    type: list
    elements: str
  sync:
    description:
      - Whether the sync status must be C(Synced).
      - It also must not share an object with another Application, which Argo CD calls C(SharedResourceWarning).
    type: bool
    default: true
  health:
    description:
      - Accepted health statuses. An empty list accepts any.
      - With V(Suspended) in it, what is paused or suspended is accepted.
    type: list
    elements: str
    default: [Healthy]
  operation:
    description:
      - Whether no operation may be running, and the controller must have processed the result of the last one.
      - If that was a sync of the same revision, it must not have failed. A failed hook is found in this way only,
        because everything may be Synced and Healthy nevertheless.
    type: bool
    default: true
  revision:
    description:
      - Commit, or its first characters, that the Application must be compared with. Not the name of a branch.
      - For a Helm chart it is the whole version, for an OCI artifact the digest.
    type: str
  revisions:
    description: The same for an Application with several sources, in their order.
    type: list
    elements: str
    default: []
  refresh:
    description:
      - V(normal) compares with Git, V(hard) also renders the manifests again, V(none) accepts the
        present status, which can be stale.
    type: str
    choices: [none, normal, hard]
    default: normal
  wait_timeout:
    description:
      - Seconds for all Applications together. A controller with its defaults takes about a minute to refresh 1,000.
    type: int
    default: 600
  refresh_timeout:
    description:
      - Seconds after which a refresh that the controller has not processed is a failure, if the controller has no ready
        pod. One that is scaled to 0 is named sooner; one that has a ready pod may be busy, and is waited for.
        They begin when the controller can have got to the Application; it refreshes some 20 a second.
    type: int
    default: 60
  stable_for:
    description: Seconds for which an Application must stay ready; less than O(wait_timeout).
    type: float
    default: 0
  allow_degraded_seconds:
    description:
      - Seconds for which an Application may be Degraded; many are Degraded for a while during an upgrade.
      - A cause that cannot get better by itself is a failure after 5 seconds, one in a hook that Argo CD may run again
        after 60.
    type: float
    default: 60
  not_found_grace:
    description: Seconds until an Application that does not exist, or a selection that is empty, is a failure.
    type: int
    default: 10
  fail_fast:
    description: Whether to stop at the first failure, instead of when every Application is ready or failed.
    type: bool
    default: false
  resync_failed:
    description:
      - Whether to retry failed syncs. Argo CD does not retry a revision whose sync has finally failed.
      - An Application is synced again as soon as all its O(depends_on) are ready.
      - Changes made in the cluster are synced, too, when self-heal has not begun within 5 seconds. Argo CD pauses
        longer after each self-heal of the same revision, up to 300 seconds.
      - An operation that waits to retry an older revision is terminated, so that the newer one is synced.
    type: bool
    default: false
  resync_limit:
    description: How often one Application is synced by O(resync_failed) and O(sync_manual).
    type: int
    default: 3
  sync_manual:
    description:
      - Whether to sync an Application that is OutOfSync while its automated sync is off. What is no longer in Git is
        pruned then.
    type: bool
    default: false
  on_paused:
    description:
      - What to do about an Application that people have paused with M(monorepo.gitops.argocd_app_pause).
      - V(wait) asks for no pauses, and waits for it like for any other. With V(fail) and V(allow) nothing is done.
        V(allow) accepts it as soon as its state is known. V(fail) waits for a rollout or an operation, which go on
        without automated sync; what cannot become ready by itself is an error at once.
    type: str
    choices: [wait, fail, allow]
    default: wait
  touched:
    description:
      - Names of the Applications that a change touches. The others, unless they depend on one of these, are expected to
        be ready and get O(untouched_timeout) only. Without it all are treated alike.
    type: list
    elements: str
  untouched_timeout:
    description:
      - Seconds for Applications that neither are among O(touched) nor depend on one of them, from when the controller
        can have got to them.
    type: float
    default: 120
  depends_on:
    description:
      - For each Application, the names of those that must be ready first. Used by O(resync_failed) and O(touched).
    type: dict
    default: {}
  log_lines:
    description:
      - How many lines of the log of a container that has ended are in a reason. They may hold a secret, so there are
        none by default, only the command that shows the log.
    type: int
    default: 0
  details:
    description:
      - Whether RV(applications) says everything of each Application. Otherwise it has no details of those that are
        ready, and of more than 20 Applications a task that fails returns only the 20 worst.
    type: bool
    default: false
attributes:
  check_mode:
    support: partial
    details: Nothing is written, so no status counts as fresh; returns the Applications as they are.
  diff_mode:
    support: none
  idempotent:
    support: full
    details: Reports a change only when it started a sync.
notes:
  - Needs the rights to list, watch and patch Applications. Without watch it lists every second. With O(on_paused),
    also to get the ConfigMap C(gitops-paused).
  - What blocks a deletion and which manager rewrites a field is read from the objects, as far as this is allowed and
    they are in the same cluster as Argo CD.
  - With the rights to get AppProjects, to list the Deployments and StatefulSets of Argo CD and to get what is suspended
    some waits end earlier and say more. Without them they end when the time is up. Sync windows are not judged where
    the ConfigMap C(argocd-cm) has C(globalProjects), which may have windows, too.
  - Why an object is not ready is looked for in what its controller made for it and in what it needs, where it has not
    been ready for some seconds. With the rights to get such objects and to list pods and what else belongs to them,
    and Events, with O(log_lines) also to get C(pods/log), the reason says the lowest cause; without, with which of
    these rights more could be reported.
  - A failure has a line for each Application, the 20 worst, and the page or command that goes on from there, such as
    C(docs/runbooks/not_healthy.md) below the folder of this collection.
  - "Error C(names, label_selectors and applicationsets are empty): a variable that should name Applications is empty."
  - "Error C(did not process a refresh): the application controller has no ready pod."
  - "Error C(skip-reconcile): the annotation makes the controller ignore the Application; remove it."
  - "Error C(its dependency ... failed): see the Application that is named."
  - "Error C(ComparisonError ...): the manifests cannot be rendered or compared; the message is the repo-server's."
  - "Error C(sync Failed ...): each rejected resource follows with the API server's message."
  - "Error C(sync fails in the same way each time): Argo CD would try again, but what it says cannot change."
  - "Error C(Suspended ...): resume what is paused or suspended, or accept it with O(health)."
  - "Error C(sync window): the AppProject does not allow a sync now."
  - "Error C(auto-sync will wipe out all resources): Git has none any more; bring them back, or sync with pruning."
  - "Error C(automated sync is off): nothing syncs this Application; sync it, or enable automated sync."
  - "Error C(PostSync hook ...): the hook failed; fix it and sync again, which also runs the hook again."
  - "Error C(is being deleted): remove what blocks the deletion, or wait until it is created again."
  - "Error C(SharedResourceWarning): both Applications have the object in Git; remove it from one of them."
  - "Error C(is written by manager): leave the field out of Git, or add it to C(spec.ignoreDifferences)."
  - "Error C(paused since): resume it with M(monorepo.gitops.argocd_app_pause), or set V(on_paused=allow)."
  - "Warning C(Prune=false keeps ...): the Application is ready; the command that follows removes what left Git."
  - Which status the controller writes when is described in its source, C(controller/appcontroller.go) at v3.6.1.
seealso:
  - module: monorepo.gitops.argocd_app_info
  - module: monorepo.gitops.argocd_appset_refresh
"""

EXAMPLES = r"""
- name: Wait until two Applications run a commit
  monorepo.gitops.argocd_app_wait:
    names: [maildev, gateway]
    revision: 4e84fb37b98a12648247bccdf05e926d0e5636bc

- name: Wait for everything that an ApplicationSet generated
  monorepo.gitops.argocd_app_wait:
    applicationsets: [infra]
    wait_timeout: 600
"""

RETURN = r"""
applications:
  description:
    - The Applications, also when the task fails. Unless O(details=true), those that are ready have no
      C(health_message), C(revisions), C(phase), C(message), C(conditions), C(not_synced) and C(failed_resources).
  returned: always
  type: list
  elements: dict
  contains:
    name: {description: Name., type: str}
    namespace: {description: Namespace., type: str}
    project: {description: AppProject., type: str}
    state: {description: "V(ready), V(waiting) or V(failed).", type: str}
    code: {description: "The rule that decided, such as V(degraded).", type: str}
    reason: {description: "What is pending, or why it failed.", type: str}
    since:
      description: "When that began by the clock of the cluster; where it does not say, when the wait first saw it."
      type: str
    next_step: {description: The command or the page that goes on from there., type: str}
    paused:
      description: "Since when and by whom it is paused, or nothing."
      returned: when O(on_paused) is not V(wait)
      type: str
    fresh: {description: Whether the status is newer than the wait., type: bool}
    sync: {description: Sync status., type: str}
    health: {description: Health status., type: str}
    health_message: {description: The controller's explanation of the health (Argo CD 3.6)., type: str}
    revision: {description: Commit that was compared., type: str}
    revisions: {description: Commits of all sources., type: list, elements: str}
    phase: {description: Phase of the last operation., type: str}
    message: {description: Message of the last operation., type: str}
    conditions: {description: Conditions with type and message., type: list, elements: dict}
    warnings: {description: "Conditions that are warnings, as texts; the task shows them.", type: list, elements: str}
    not_synced: {description: Resources that are OutOfSync., type: list, elements: str}
    failed_resources: {description: Resources that the last sync could not apply., type: list, elements: str}
    seconds: {description: "Seconds until it was ready, or until the end.", type: float}
    refreshes: {description: Number of refresh requests., type: int}
    resyncs: {description: Number of syncs that were started., type: int}
counts:
  description: How many Applications are C(ready), C(waiting) and C(failed).
  returned: always
  type: dict
requests:
  description: Number of LIST, WATCH and PATCH requests, and how often objects were read for a reason.
  returned: always
  type: dict
elapsed:
  description: Seconds.
  returned: always
  type: float
"""

from collections.abc import Callable
from typing import Any

from ansible_collections.monorepo.gitops.plugins.module_utils import _client
from ansible_collections.monorepo.gitops.plugins.module_utils._api import Api
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.pause import Record, pause_text, paused, standing
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.selection import (
    ARGUMENTS,
    CHOICE,
    chosen,
    list_applications,
    planned,
    selection,
    unproven,
)
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.status import Application
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.terms import Options, Request
from ansible_collections.monorepo.gitops.plugins.module_utils._argocd.wait import Waiter, outcome
from ansible_collections.monorepo.gitops.plugins.module_utils._errors import GitopsError
from ansible_collections.monorepo.gitops.plugins.module_utils._progress import progress_to

SAME_NAME = (
    "refresh",
    "refresh_timeout",
    "stable_for",
    "not_found_grace",
    "fail_fast",
    "resync_failed",
    "resync_limit",
    "sync_manual",
    "untouched_timeout",
    "depends_on",
    "log_lines",
)


def options(params: dict[str, Any], records: dict[str, Record] | None) -> Options:
    """Return how to wait."""
    request = Request(
        sync=params["sync"],
        health=frozenset(params["health"]) or None,
        operation=params["operation"],
        revisions=tuple([params["revision"]] if params["revision"] else params["revisions"]),
        allow_degraded_seconds=params["allow_degraded_seconds"],
    )
    return Options(
        request=request,
        timeout=params["wait_timeout"],
        # With labels those of an ApplicationSet may be left out on purpose.
        applicationsets=[] if params["label_selectors"] else params["applicationsets"] or [],
        paused=records,
        allow_paused=params["on_paused"] == "allow",
        touched=None if params["touched"] is None else frozenset(params["touched"]),
        **{key: params[key] for key in SAME_NAME},
    )


def checked(params: dict[str, Any]) -> tuple[list[str], list[str], list[str]]:
    """Return which Applications are meant, and refuse a wait that can only time out."""
    choice = chosen(params)
    if params["stable_for"] >= params["wait_timeout"]:
        raise GitopsError(
            f"stable_for ({params['stable_for']:g} s) must be less than wait_timeout ({params['wait_timeout']} s)."
        )
    return choice


def snapshot(
    api: Api,
    namespace: str,
    selector: str,
    selects: Callable[[Application], bool],
    records: dict[str, Record] | None,
) -> list[dict[str, Any]]:
    """Return the Applications as they are, without a claim that their status is fresh."""
    # In check mode before the first run there is no Argo CD.
    found = [item for item in list_applications(api, namespace, selector, installed=False) if selects(item)]
    results = []
    for item in sorted(found, key=lambda entry: str(entry["metadata"]["name"])):
        text = pause_text((records or {}).get(item["metadata"]["name"]), item)
        results.append(unproven(item) | ({} if records is None else {"paused": text}))
    return results


def run(module: Any, client: Any) -> dict[str, Any]:
    """Wait and return the result of the module."""
    params = module.params
    names, selectors, applicationsets = checked(params)
    selects, selector = selection(names, applicationsets, bool(selectors)), ",".join(selectors)
    asks = params["on_paused"] != "wait"
    records = paused(Api(client), params["namespace"]) if asks else None
    if module.check_mode:
        found = snapshot(Api(client), params["namespace"], selector, selects, records)
        return planned(found, changed=False)
    waiter = Waiter(
        Api(client, retries=0),
        params["namespace"],
        options(params, records),
        selects,
        names,
        selector,
        progress_to(params["progress_file"]),
    )
    try:
        return outcome(waiter, module.warn, params["details"])
    finally:
        if records and waiter.listed and not selector:
            for text in standing(records, waiter.others.values())[1]:
                module.warn(text)


def main() -> None:
    """Run the module."""
    _client.run_module(
        run,
        argument_spec=_client.argument_spec(
            **ARGUMENTS,
            sync={"type": "bool", "default": True},
            health={"type": "list", "elements": "str", "default": ["Healthy"]},
            operation={"type": "bool", "default": True},
            revision={"type": "str"},
            revisions={"type": "list", "elements": "str", "default": []},
            refresh={"type": "str", "choices": ["none", "normal", "hard"], "default": "normal"},
            wait_timeout={"type": "int", "default": 600},
            refresh_timeout={"type": "int", "default": Options.refresh_timeout},
            stable_for={"type": "float", "default": Options.stable_for},
            allow_degraded_seconds={"type": "float", "default": 60},
            not_found_grace={"type": "int", "default": Options.not_found_grace},
            fail_fast={"type": "bool", "default": False},
            resync_failed={"type": "bool", "default": False},
            resync_limit={"type": "int", "default": Options.resync_limit},
            sync_manual={"type": "bool", "default": False},
            on_paused={"type": "str", "choices": ["wait", "fail", "allow"], "default": "wait"},
            touched={"type": "list", "elements": "str"},
            untouched_timeout={"type": "float", "default": Options.untouched_timeout},
            depends_on={"type": "dict", "default": {}},
            log_lines={"type": "int", "default": Options.log_lines},
            details={"type": "bool", "default": False},
        ),
        mutually_exclusive=[("revision", "revisions")],
        required_one_of=[CHOICE],
        supports_check_mode=True,
    )


if __name__ == "__main__":
    main()
