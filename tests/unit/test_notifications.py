# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The declaration of notifications: what is wrong with one, and what Argo CD gets."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from ansible.errors import AnsibleActionFail, AnsibleFilterError
from ansible.template import trust_as_template
from ansible_collections.monorepo.gitops.plugins.filter.notifications import notifications_config
from ansible_collections.monorepo.gitops.plugins.module_utils._environment import notifications

from .running import run_action

NOW = datetime(2026, 11, 27, 12, 0, 0, tzinfo=UTC)
HOOK = {"name": "hook", "type": "webhook", "url": "https://example.com/hook"}
CHAT = {"name": "chat", "type": "slack", "url": "https://hooks.slack.com/services/T0/B0/secret"}
TEAM = {"name": "team", "type": "teams", "url": "https://x.api.powerplatform.com/secret"}
MAIL = {
    "name": "ops",
    "type": "email",
    "host": "smtp.example.com",
    "from": "argocd@example.com",
    "to": ["a@example.com"],
}


def without(receiver, key):
    return {name: value for name, value in receiver.items() if name != key}


@pytest.mark.parametrize(
    ("receivers", "sentence"),
    [
        (
            [{"type": "slack", "url": "https://a"}],
            "receiver 1: name must be lowercase letters, digits and hyphens, at most 32.",
        ),
        (
            [HOOK | {"name": "Hook.1"}],
            "receiver Hook.1: name must be lowercase letters, digits and hyphens, at most 32.",
        ),
        ([HOOK, CHAT | {"name": "hook"}], "receiver hook: another receiver has this name already; give each its own."),
        ([HOOK | {"type": "sms"}], "receiver hook: type must be one of webhook, slack, mattermost, teams, email."),
        ([without(HOOK, "url")], "receiver hook: url is missing."),
        ([without(MAIL, "to")], "receiver ops: to is missing."),
        (
            [CHAT | {"token": "hunter2"}],
            "receiver chat: type slack has no entry token; it has name, type, events, layers, existing_secret, url.",
        ),
        ([MAIL | {"username": "me"}], "receiver ops: username and password belong together."),
        (
            [HOOK | {"existing_secret": True}],
            "receiver hook: existing_secret says that url is in Secret argocd-notifications-secret; remove url here.",
        ),
        (
            [HOOK | {"events": ["sync-failed"]}],
            "receiver hook: events must be a list of synced, sync_failed, degraded, recovered.",
        ),
        ([HOOK | {"events": []}], "receiver hook: events must be a list of synced, sync_failed, degraded, recovered."),
        ([HOOK | {"layers": "infra"}], "receiver hook: layers must be a list of infra, services."),
        (
            [HOOK | {"events": ["recovered"]}],
            "receiver hook: event recovered says that a degraded Application is healthy again; add degraded to events.",
        ),
        ([HOOK | {"url": "hook"}], "receiver hook: url must begin with https:// or http://, and have a host."),
        (
            [TEAM | {"url": "https://example.com/secret"}],
            "receiver team: url is not that of a workflow of Microsoft Teams; Argo CD sends to no other.",
        ),
        ([MAIL | {"port": "smtp"}], "receiver ops: port must be a number from 1 to 65535."),
        ([MAIL | {"to": "a@example.com"}], "receiver ops: to must be a list of e-mail addresses."),
        ([MAIL | {"to": ["a"]}], "receiver ops: to must be a list of e-mail addresses."),
    ],
)
def test_a_mistake_is_one_sentence_without_a_secret(receivers, sentence):
    assert list(notifications.problems(receivers)) == [f"argocd_notifications, {sentence}"]
    with pytest.raises(AnsibleFilterError) as error:
        notifications_config(receivers, "dev", "", {})
    assert str(error.value) == f"argocd_notifications, {sentence}"


def test_a_mistake_stops_a_run_before_anything_else_and_a_secret_is_not_looked_up():
    looked_up = trust_as_template("{{ lookup('file', '/nowhere') }}")
    receivers = [HOOK | {"url": looked_up, "token": looked_up}, MAIL | {"to": []}]
    variables = {"gitops_environment": "dev", "gitops_components": [], "argocd_notifications": receivers}
    with pytest.raises(AnsibleActionFail) as error:
        run_action("gitops_inputs", variables, components=[])
    assert str(error.value) == "argocd_notifications, receiver ops: to is missing."


def test_secrets_are_references_and_everything_else_is_in_the_configuration():
    mail = MAIL | {"username": "argocd", "password": "hunter2"}
    receivers = [
        HOOK | {"token": "hunter2"},
        CHAT,
        TEAM,
        mail,
        without(CHAT, "url") | {"name": "b", "existing_secret": True},
    ]
    assert list(notifications.problems(receivers)) == []
    data = notifications.configuration(receivers, "dev", "https://argocd.example.com", {}, NOW)
    assert "hunter2" not in json.dumps(data)
    assert "/secret" not in json.dumps(data)
    services = {key: json.loads(value) for key, value in data.items() if key.startswith("service.")}
    assert services == {
        "service.webhook.hook": {
            "url": "$hook-url",
            "headers": [
                {"name": "Content-Type", "value": "application/json"},
                {"name": "Authorization", "value": "Bearer $hook-token"},
            ],
        },
        "service.webhook.chat": {
            "url": "$chat-url",
            "headers": [{"name": "Content-Type", "value": "application/json"}],
        },
        "service.webhook.b": {"url": "$b-url", "headers": [{"name": "Content-Type", "value": "application/json"}]},
        "service.teams-workflows.team": {"recipientUrls": {"team": "$team-url"}},
        "service.email.ops": {
            "host": "smtp.example.com",
            "port": 587,
            "from": "argocd@example.com",
            "username": "argocd",
            "password": "$ops-password",
        },
    }
    assert notifications.secret(receivers) == {
        "hook-url": HOOK["url"],
        "hook-token": "hunter2",
        "chat-url": CHAT["url"],
        "team-url": TEAM["url"],
        "ops-password": "hunter2",
    }


def test_events_and_layers_become_triggers_of_this_receiver():
    data = notifications.configuration([MAIL | {"events": ["synced"], "layers": ["infra"]}, CHAT], "dev", "", {}, NOW)
    assert json.loads(data["subscriptions"]) == [
        {"recipients": ["ops:a@example.com"], "triggers": ["ops-synced"]},
        {"recipients": ["chat:"], "triggers": ["chat-sync_failed", "chat-degraded", "chat-recovered"]},
    ]
    (trigger,) = json.loads(data["trigger.ops-synced"])
    assert trigger["when"].startswith('app.spec.project in ["infra"] && (')
    assert trigger["send"] == ["ops-synced"]
    assert f"template.{trigger['send'][0]}" in data
    (trigger,) = json.loads(data["trigger.chat-recovered"])
    assert trigger["when"].startswith('app.spec.project in ["infra", "services"] && (')


def test_the_time_is_that_of_the_last_change_of_the_declaration():
    def since(receivers, live, now):
        data = notifications.configuration(receivers, "dev", "", live, now)
        return json.loads(data["context"])["since"], data

    first, live = since([HOOK], {}, NOW)
    later = NOW.replace(hour=13)
    assert first == "2026-11-27T12:00:00Z"
    assert since([HOOK], live, later) == (first, live)
    assert since([HOOK | {"url": "https://example.com/rotated"}], live, later)[0] == first
    assert since([HOOK, CHAT], live, later)[0] == "2026-11-27T13:00:00Z"
    assert since([HOOK], {"context": "argocdUrl: https://example.com\n"}, later)[0] == "2026-11-27T13:00:00Z"


def test_what_is_remembered_does_not_depend_on_that_time():
    """The text of a condition is part of what the controller remembers of a message."""
    before = notifications.configuration([HOOK], "dev", "", {}, NOW)
    after = notifications.configuration([HOOK, CHAT], "dev", "", {}, NOW.replace(hour=13))
    assert {key for key in before if before[key] != after[key]} == {"context", "subscriptions"}
