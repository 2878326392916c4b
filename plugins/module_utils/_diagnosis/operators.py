# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why an object of an operator is not ready: what its controller says, and where that is.

For use within the collection monorepo.gitops only.
"""

from __future__ import annotations

from ansible_collections.monorepo.gitops.plugins.module_utils._diagnosis.builtin import begun, describe
from ansible_collections.monorepo.gitops.plugins.module_utils._diagnosis.evidence import Found, Manifest
from ansible_collections.monorepo.gitops.plugins.module_utils._objects.readiness import (
    conditions_of,
    not_ready,
    true_condition,
    untrue_of,
)

# Conditions that are bad when they are true, and those that are bad when they are not.
BAD = ("NotReady", "Degraded", "Failed", "Failure", "Error", "Stalled", "Conflicted", "InvalidRequest", "Denied")
GOOD = ("Ready", "Accepted", "Available", "Programmed", "ResolvedRefs", "Established", "NamesAccepted", "Healthy")
# States of an order that cert-manager begins anew only after an hour or more.
OVER = ("invalid", "expired", "errored")
# These say only that there is something else that says why.
VAGUE = ("Issuing", "DoesNotExist", "MissingData")


def challenge(item: Manifest, _events: list[Manifest]) -> Found | None:
    """Recognize that an ACME server does not accept a challenge, or cannot reach it."""
    status = item.get("status") or {}
    if status.get("state") == "valid":
        return None
    why = status.get("reason") or "nobody has answered the challenge yet"
    domain, kind = ((item.get("spec") or {}).get(key) for key in ("dnsName", "type"))
    state = status.get("state") or "pending"
    return Found(f"{kind} for {domain} is {state}: {why}", describe(item), begun(item))


def order(item: Manifest, _events: list[Manifest]) -> Found | None:
    """Recognize that an ACME server does not issue a certificate."""
    status = item.get("status") or {}
    if status.get("state") in (None, "", "valid"):
        return None
    over = status["state"] in OVER
    why = f"its order is {status['state']}" + (f": {status['reason']}" if status.get("reason") else "")
    return Found(why, describe(item), str(status.get("failureTime") or begun(item)), mild=not over)


def certificate_request(item: Manifest, _events: list[Manifest]) -> Found | None:
    """Recognize that a request for a certificate was denied, is not approved, or its issuer says why not."""
    for name in ("Denied", "InvalidRequest"):
        if found := true_condition(item, name):
            return Found(f"{name}: {found.get('message')}", describe(item), begun(item, name), final=True)
    if not true_condition(item, "Approved"):
        return Found("nobody has approved it", describe(item), begun(item))
    return told(item)


def certificate(item: Manifest, _events: list[Manifest]) -> Found | None:
    """Recognize that the last attempt to issue a certificate has failed, and when cert-manager tries again."""
    for entry in conditions_of(item):
        if (entry.get("type"), entry.get("status"), entry.get("reason")) == ("Issuing", "False", "Failed"):
            return Found(str(entry.get("message")), describe(item), begun(item, "Issuing"))
    return None


def external_secret(item: Manifest, events: list[Manifest]) -> Found | None:
    """Recognize that the operator cannot read from the store; why in detail is in its events."""
    found = next((entry for entry in conditions_of(item) if entry.get("type") == "Ready"), {})
    if found.get("status") == "True":
        return None
    said = next((str(event.get("message")) for event in events if event.get("reason") == "UpdateFailed"), "")
    why = said or found.get("message") or "its operator has not reported anything"
    return Found(str(why), describe(item), begun(item, "Ready"))


def route(item: Manifest, _events: list[Manifest]) -> Found | None:
    """Recognize that a Gateway does not accept a route, or a backend of it does not exist."""
    why = not_ready(item)
    return Found(why, describe(item), begun(item)) if why else None


def gateway(item: Manifest, _events: list[Manifest]) -> Found | None:
    """Recognize that a Gateway, or a listener of it, does not work."""
    for listener in (item.get("status") or {}).get("listeners") or []:
        found = listener.get("conditions") or []
        conflict = [entry for entry in found if (entry.get("type"), entry.get("status")) == ("Conflicted", "True")]
        texts = [untrue_of(found, name, may_lack=True) for name in ("Accepted", "ResolvedRefs")]
        texts += [f"Conflicted is True: {entry.get('message')}" for entry in conflict]
        if text := next(filter(None, texts), ""):
            return Found(f"listener {listener.get('name')}: {text}", describe(item), begun(item, "Programmed"))
    return told(item)


def gateway_class(item: Manifest, _events: list[Manifest]) -> Found | None:
    """Recognize that no controller has accepted a class of Gateways."""
    why = untrue_of(conditions_of(item), "Accepted")
    controller = (item.get("spec") or {}).get("controllerName")
    return Found(f"{why} ({controller})", f"check whether {controller} runs", begun(item, "Accepted")) if why else None


def told(item: Manifest, _events: list[Manifest] | None = None) -> Found | None:
    """Recognize that its controller says by a condition why it is not ready."""
    # Those of a workload say no more than its numbers of pods.
    found = [] if item["apiVersion"].startswith("apps/") else conditions_of(item)
    for entry in sorted(found, key=lambda entry: entry.get("reason") in VAGUE or not entry.get("message")):
        name, state = entry.get("type"), entry.get("status")
        if (name in BAD and state == "True") or (name in GOOD and state != "True"):
            why = entry.get("message") or entry.get("reason") or ""
            text = f"{name} is {state}" + (f": {why}" if why else "")
            return Found(text, describe(item), begun(item, str(name)), mild=not why or entry.get("reason") in VAGUE)
    return None


def unready(item: Manifest, _events: list[Manifest]) -> Found | None:
    """Recognize that it falls short of what objects of its kind are when they are ready."""
    why = not_ready(item)
    return Found(why, describe(item), begun(item, "Ready"), mild=True) if why else None


def warned(item: Manifest, events: list[Manifest]) -> Found | None:
    """Recognize that nobody says why, but there is a warning about it."""
    for event in events:
        if event.get("type") == "Warning" and event.get("message"):
            at = event.get("firstTimestamp") or event.get("eventTime") or ""
            return Found(f"{event.get('reason')}: {event['message'].strip()}", describe(item), str(at), mild=True)
    return None
