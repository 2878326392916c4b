# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The configuration of Argo CD's notifications controller, from the declaration of an inventory. Pure functions.

A trigger of its own for each receiver and event remembers in the Application what this receiver was told. What happened
before the declaration was last changed is told to nobody: the time of the change is in `context`, not in the
condition, whose text is part of what is remembered.

For use within the collection monorepo.gitops only.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from ansible_collections.monorepo.gitops.plugins.module_utils import _yaml
from ansible_collections.monorepo.gitops.plugins.module_utils._errors import GitopsError
from ansible_collections.monorepo.gitops.plugins.module_utils._paths import INFRA, SERVICES
from ansible_collections.monorepo.gitops.plugins.module_utils._times import write_time

Receiver = dict[str, Any]

VARIABLE = "argocd_notifications"
LAYERS = [INFRA, SERVICES]
EVENTS = ["synced", "sync_failed", "degraded", "recovered"]
DEFAULT_EVENTS = ["sync_failed", "degraded", "recovered"]
# What a receiver of each type must have, and what it may have.
TYPES = {
    "webhook": (("url",), ("token",)),
    "slack": (("url",), ()),
    "mattermost": (("url",), ()),
    "teams": (("url",), ()),
    "email": (("host", "from", "to"), ("port", "username", "password")),
}
COMMON = ("name", "type", "events", "layers", "existing_secret")
SECRETS = ("url", "token", "password")
SMTP_PORT = 587
NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?")
# The same that Argo CD accepts for its service teams-workflows.
TEAMS_URL = re.compile(
    r"(?i)(api\.(powerautomate|powerplatform)\.com|flow\.microsoft\.com|webhook\.office\.com/workflows|/powerautomate/)"
)
MEMORY = '(app.metadata.annotations?.["notified.notifications.argoproj.io"] ?? "")'
SINCE = "time.Parse(context.since)"
REVISION = "app.status.operationState.syncResult?.revision ?? app.status.operationState.operation.sync?.revision"


# --- what is wrong ---------------------------------------------------------------------------------------------------


def problems(receivers: list[Receiver]) -> Iterator[str]:
    """Return a sentence for each mistake in the declaration. Values that are templates are left to the next check."""
    names: set[str] = set()
    for number, receiver in enumerate(receivers, 1):
        name = receiver.get("name")
        where = f"{VARIABLE}, receiver {name if isinstance(name, str) and name else number}"
        if not isinstance(name, str) or not (_is_template(name) or NAME.fullmatch(name)):
            yield f"{where}: name must be lowercase letters, digits and hyphens, at most 32."
        elif name in names:
            yield f"{where}: another receiver has this name already; give each its own."
        names.add(str(name))
        yield from (f"{where}: {problem}." for problem in _problems(receiver))


def _problems(receiver: Receiver) -> Iterator[str]:
    kind = receiver.get("type")
    if _is_template(kind):
        return
    if kind not in TYPES:
        yield f"type must be one of {', '.join(TYPES)}"
        return
    required, optional = TYPES[kind]
    accepted = (*COMMON, *required, *optional)
    for key in (key for key in receiver if key not in accepted):
        yield f"type {kind} has no entry {key}; it has {', '.join(accepted)}"
    held = SECRETS if receiver.get("existing_secret") else ()
    for key in required:
        if not receiver.get(key) and key not in held:
            yield f"{key} is missing"
    if kind == "email" and bool(receiver.get("username")) != bool(receiver.get("password") or held):
        yield "username and password belong together"
    for key in (key for key in held if receiver.get(key)):
        yield f"existing_secret says that {key} is in Secret argocd-notifications-secret; remove {key} here"
    for key, known in (("events", EVENTS), ("layers", LAYERS)):
        yield from _unknown(key, receiver.get(key), known)
    yield from _order(receiver)
    yield from _addresses(receiver)


def _unknown(key: str, value: Any, known: list[str]) -> Iterator[str]:
    if value is None or _is_template(value):
        return
    wrong = value if not isinstance(value, list) else [entry for entry in value if entry not in known]
    if wrong or not value:
        yield f"{key} must be a list of {', '.join(known)}"


def _order(receiver: Receiver) -> Iterator[str]:
    events = receiver.get("events") or DEFAULT_EVENTS
    if "recovered" in events and "degraded" not in events:
        yield "event recovered says that a degraded Application is healthy again; add degraded to events"


def _addresses(receiver: Receiver) -> Iterator[str]:
    """Check URL and addresses, and do not show them: the URL of a chat is a secret."""
    url = receiver.get("url")
    if url and not _is_template(url):
        parts = urlsplit(str(url))
        if parts.scheme not in ("http", "https") or not parts.hostname:
            yield "url must begin with https:// or http://, and have a host"
        elif receiver["type"] == "teams" and not TEAMS_URL.search(str(url)):
            yield "url is not that of a workflow of Microsoft Teams; Argo CD sends to no other"
    port = receiver.get("port", SMTP_PORT)
    if not _is_template(port) and not (str(port).isdigit() and 0 < int(port) < 65536):
        yield "port must be a number from 1 to 65535"
    to = receiver.get("to")
    if to and not _is_template(to) and (not isinstance(to, list) or [entry for entry in to if _bad_mail(entry)]):
        yield "to must be a list of e-mail addresses"


def _bad_mail(text: Any) -> bool:
    return not _is_template(text) and not re.fullmatch(r"[^@\s,:]+@[^@\s,:]+", str(text))


def _is_template(value: Any) -> bool:
    """Return whether a value of the inventory is still a template, which is not looked up before it is used."""
    return isinstance(value, str) and "{{" in value


# --- what Argo CD gets -----------------------------------------------------------------------------------------------


def configuration(
    receivers: list[Receiver], environment: str, url: str, live: dict[str, str], now: datetime | None = None
) -> dict[str, str]:
    """Return the data of ConfigMap argocd-notifications-cm; `live` is what the cluster has, `url` that of the UI."""
    for problem in problems(receivers):
        raise GitopsError(problem)
    data: dict[str, str] = {}
    for receiver in receivers:
        data |= _service(receiver)
        for event in receiver.get("events") or DEFAULT_EVENTS:
            name = f"{receiver['name']}-{event}"
            data |= {f"trigger.{name}": _trigger(receiver, event)}
            data |= {f"template.{name}": _text(_template(receiver, event, environment, url))}
    data["subscriptions"] = _text([_subscription(receiver) for receiver in receivers])
    declaration = hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()[:16]
    before = _yaml.load(live.get("context") or "") or {}
    since = before.get("since") if before.get("declaration") == declaration else None
    moment = write_time(now)
    return data | {"context": _text({"declaration": declaration, "since": since or moment})}


def secret(receivers: list[Receiver]) -> dict[str, str]:
    """Return the data of Secret argocd-notifications-secret: what the configuration refers to by `$key`."""
    return {
        f"{receiver['name']}-{key}": str(receiver[key])
        for receiver in receivers
        for key in SECRETS
        if receiver.get(key) and not receiver.get("existing_secret")
    }


def _text(value: Any) -> str:
    return json.dumps(value, indent=1, sort_keys=True)


def _subscription(receiver: Receiver) -> dict[str, Any]:
    recipient = {"email": ",".join(receiver.get("to") or []), "teams": receiver["name"]}.get(receiver["type"], "")
    events = receiver.get("events") or DEFAULT_EVENTS
    return {
        "recipients": [f"{receiver['name']}:{recipient}"],
        "triggers": [f"{receiver['name']}-{event}" for event in events],
    }


def _service(receiver: Receiver) -> dict[str, str]:
    name, kind = receiver["name"], receiver["type"]
    if kind == "email":
        options = {"host": receiver["host"], "port": int(receiver.get("port", SMTP_PORT)), "from": receiver["from"]}
        if receiver.get("username"):
            options |= {"username": receiver["username"], "password": f"${name}-password"}
        return {f"service.email.{name}": _text(options)}
    if kind == "teams":
        return {f"service.teams-workflows.{name}": _text({"recipientUrls": {name: f"${name}-url"}})}
    headers = [{"name": "Content-Type", "value": "application/json"}]
    if receiver.get("token"):
        headers.append({"name": "Authorization", "value": f"Bearer ${name}-token"})
    return {f"service.webhook.{name}": _text({"url": f"${name}-url", "headers": headers})}


def _trigger(receiver: Receiver, event: str) -> str:
    name = receiver["name"]
    layers = json.dumps(receiver.get("layers") or LAYERS)
    when, once_per = _condition(name, event, "recovered" in (receiver.get("events") or DEFAULT_EVENTS))
    condition = {"when": f"app.spec.project in {layers} && ({when})", "send": [f"{name}-{event}"]}
    return _text([condition | ({"oncePer": once_per} if once_per else {})])


def _condition(name: str, event: str, says_recovered: bool) -> tuple[str, str]:
    """Return when a receiver is told of an event, and of what it is told only once.

    An Application that was degraded counts as degraded until it is healthy; then the receiver is told so, and the
    controller forgets both. It judges all triggers by what it remembered before.
    """
    if event in ("synced", "sync_failed"):
        phases = '["Succeeded"]' if event == "synced" else '["Failed", "Error"]'
        when = (
            f"app.status?.operationState?.phase in {phases} && "
            "app.status.operationState.operation.sync?.dryRun != true && "
            f"time.Parse(app.status.operationState.finishedAt).After({SINCE})"
        )
        return when, REVISION
    told = {other: f"{MEMORY} contains {json.dumps(chr(34) + name + '-' + other + ':')}" for other in EVENTS}
    health = "app.status?.health?.status"
    if event == "recovered":
        return f'{health} == "Healthy" && {told["degraded"]}', ""
    since = f"time.Parse(app.status.health.lastTransitionTime).After({SINCE})"
    over = f'{health} == "Healthy"' + (f" && {told['recovered']}" if says_recovered else "")
    return f'{health} == "Degraded" && {since} || {told["degraded"]} && !({over})', ""


# --- what a receiver reads -------------------------------------------------------------------------------------------

WORDS = {
    "synced": ("was synced to %s.", "$revision"),
    "sync_failed": ("could not be synced to %s: %s", "$revision $message"),
    "degraded": ("is Degraded.", ""),
    "recovered": ("is Healthy again.", ""),
}
# What could not be compared has no result.
VALUES = """\
{{- $app := .app.metadata.name }}{{ $message := "" -}}
{{- $revision := .app.status.sync.revision | default "" | toString -}}
{{- with .app.status.operationState }}{{ $message = .message | default "" | toString }}
{{- with .syncResult }}{{ $revision = .revision | default "" | toString }}{{ end }}{{ end -}}
{{- $revision = $revision | trunc 12 -}}
"""
# The body of a webhook: key and expression. The status in general may still be the one before a sync.
BODY = {
    "application": ".app.metadata.name",
    "layer": ".app.spec.project",
    "revision": "$revision",
    "message": "$text",
}


def _template(receiver: Receiver, event: str, environment: str, url: str) -> dict[str, Any]:
    name, kind = receiver["name"], receiver["type"]
    words, arguments = WORDS[event]
    text = f"{VALUES}{{{{- $text := printf {json.dumps(f'{environment}: %s {words}')} $app {arguments} -}}}}"
    link = f'{{{{- $link := printf "{url}/applications/%s/%s" .app.metadata.namespace $app -}}}}' if url else ""
    full = '{{- $full := printf "%s\\n%s" $text $link -}}' if url else "{{- $full := $text -}}"
    values = f"{text}{link}{full}"
    if kind == "email":
        return {"email": {"subject": f"{text}{{{{ $text | trunc 150 }}}}", "body": f"{values}{{{{ $full }}}}"}}
    if kind == "teams":
        return {"message": f"{values}{{{{ $full }}}}"}
    body = {"text": "$full"} if kind != "webhook" else BODY | ({"url": "$link"} if url else {})
    fixed = {} if kind != "webhook" else {"event": event, "environment": environment}
    entries = [f"{json.dumps(key)}: {json.dumps(value)}" for key, value in fixed.items()]
    entries += [f"{json.dumps(key)}: {{{{ {value} | toJson }}}}" for key, value in body.items()]
    return {"webhook": {name: {"method": "POST", "body": f"{values}{{{', '.join(entries)}}}"}}}
