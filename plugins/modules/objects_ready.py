#!/usr/bin/python
# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: objects_ready
short_description: Check that Kubernetes objects are what they must be
version_added: "1.0.0"
author:
  - The monorepo.gitops authors (@monorepo)
description:
  - Reads objects and says in one sentence for each what falls short. Nothing is written.
  - An object is ready by the rules of its kind. Workloads have rolled out their newest revision, Jobs have succeeded,
    CustomResourceDefinitions are Established, PersistentVolumeClaims are Bound, a Gateway is Programmed, a route is
    Accepted by each of its parents and finds its Services, the API server has the CA certificate of each webhook, a
    database of CloudNativePG is healthy and archives, a Database is applied, a KafkaNodePool has all its nodes.
  - For other kinds C(Ready) must be True and the controller must have seen the newest generation, as far as the status
    says so.
extends_documentation_fragment:
  - monorepo.gitops.auth
  - monorepo.gitops.progress
  - monorepo.gitops.attributes
  - monorepo.gitops.attributes.read_only
options:
  objects:
    description: What is expected.
    type: list
    elements: dict
    required: true
    suboptions:
      api_version:
        description: API version, with the group.
        type: str
        default: v1
      kind:
        description: Kind.
        type: str
        required: true
      name:
        description:
          - Name. Without one, the rest is expected of all objects of the kind in O(objects[].namespace); none is fine.
        type: str
        default: ""
      namespace:
        description: Namespace of a namespaced object.
        type: str
        default: ""
      namespaces:
        description:
          - Regular expressions, used in place of O(objects[].namespace). The object is expected in every namespace
            whose whole name matches one of them, except that of O(objects[].same_data). No such namespace is fine.
        type: list
        elements: str
        default: []
      label_selectors:
        description: Label selectors, all of which must match, for O(objects[].name) empty.
        type: list
        elements: str
        default: []
      required:
        description: Whether the object must exist; if not, the rest is expected of it when it does.
        type: bool
        default: true
      ready:
        description: Whether the object must be ready. One that is being deleted is not.
        type: bool
        default: true
      conditions:
        description: Types of conditions that must be there and True.
        type: list
        elements: str
        default: []
      hostnames:
        description: Host names that a route must have.
        type: list
        elements: str
        default: []
      data:
        description:
          - Keys that a Secret or ConfigMap must have, each with a regular expression that is found in its value, such
            as C(.) for any. Values are never shown.
        type: dict
        default: {}
      same_data:
        description: Secret or ConfigMap of which the object must be a copy.
        type: dict
        suboptions:
          namespace: {description: Its namespace., type: str, required: true}
          name: {description: Its name., type: str, required: true}
          keys: {description: Keys that must have the same values., type: list, elements: str, required: true}
      fields:
        description:
          - Values that fields must have, by path, such as C(spec.ports.0.port). With C(*) for the index, the value must
            be one of those found, or the list of all of them. Values of a Secret are never shown.
        type: dict
        default: {}
      hint:
        description: What to do when the object falls short. By default the command of kubectl that describes it.
        type: str
        default: ""
  wait:
    description: Whether to wait until nothing falls short.
    type: bool
    default: false
  wait_timeout:
    description: How long to wait, in seconds.
    type: int
    default: 120
notes:
  - Needs the rights C(get) for the objects with a name, C(list) for those without, and C(list) of namespaces for
    O(objects[].namespaces). Where something is not ready, the lowest cause is looked for in what belongs to it, such as
    pods, and in Events, as far as they may be listed.
  - "Error C(the cluster does not know the kind): the operator that provides it is not installed."
  - "Error C(condition ... is missing: no controller has reported it): the operator does not run, or does not watch the
    namespace."
seealso:
  - module: kubernetes.core.k8s_info
  - module: monorepo.gitops.argocd_app_wait
"""

EXAMPLES = r"""
- name: Check that the certificate was issued
  monorepo.gitops.objects_ready:
    objects:
      - api_version: cert-manager.io/v1
        kind: Certificate
        name: selfsigned-ca
        namespace: cert-manager
        conditions: [Ready]
      - kind: Secret
        name: selfsigned-ca
        namespace: cert-manager
        data: {tls.crt: BEGIN CERTIFICATE, tls.key: .}
    wait: true
"""

RETURN = r"""
objects:
  description: The objects that were checked. A failure has a sentence for each that falls short, a line each.
  returned: success
  type: list
  elements: dict
  contains:
    kind: {description: Kind., type: str}
    namespace: {description: "Namespace; empty if it has none.", type: str}
    name: {description: Name., type: str}
"""

import time
from typing import Any

from ansible_collections.monorepo.gitops.plugins.module_utils import _client
from ansible_collections.monorepo.gitops.plugins.module_utils._api import Api, UnavailableError
from ansible_collections.monorepo.gitops.plugins.module_utils._diagnosis.evidence import Cause
from ansible_collections.monorepo.gitops.plugins.module_utils._diagnosis.reader import explained
from ansible_collections.monorepo.gitops.plugins.module_utils._errors import GitopsError
from ansible_collections.monorepo.gitops.plugins.module_utils._objects.expectation import (
    Answer,
    Expectation,
    Reader,
    judge,
)
from ansible_collections.monorepo.gitops.plugins.module_utils._progress import Progress, progress_to

POLL_SECONDS = 1.0
LISTS = ("namespaces", "label_selectors", "conditions", "hostnames")


def expectation(entry: dict[str, Any]) -> Expectation:
    """Return what an entry of the options expects."""
    given = {key: value for key, value in entry.items() if value is not None}
    return Expectation(**given | {key: tuple(given[key]) for key in LISTS})


def ask(client: Any, expected: list[Expectation]) -> list[Answer]:
    """Read the objects once."""
    reader = Reader(Api(client, retries=0))
    return [answer for entry in expected for answer in judge(reader, entry)]


def patiently(client: Any, expected: list[Expectation], timeout: float, progress: Progress) -> list[Answer]:
    """Read the objects until nothing falls short or the time is over. An API server that restarts comes back."""
    deadline = progress.started + timeout
    while True:
        now = time.monotonic()
        over = now >= deadline
        try:
            answers = ask(client, expected)
        except UnavailableError as error:
            if over:
                raise
            subject = text = str(error)
        else:
            short = [answer for answer in answers if answer.shortfall]
            if over or not short:
                return answers
            subject = short[0].label
            text = f"{len(answers) - len(short)} of {len(answers)} as expected; {subject}: {short[0].shortfall}"
        progress.tell(now, subject, text)
        time.sleep(POLL_SECONDS)


def sentences(client: Any, short: list[Answer]) -> list[str]:
    """Return what falls short and what to do, a sentence each, with the causes of what is not ready."""
    unready = [answer for answer in short if answer.item]
    causes, lacking = explained(Api(client, retries=0), [answer.item for answer in unready if answer.item])
    known = {id(answer): cause for answer, cause in zip(unready, causes, strict=True) if cause}
    texts = [with_cause(answer, known[id(answer)]) if id(answer) in known else answer.sentence for answer in short]
    return [*texts, *([lacking] if lacking else [])]


def with_cause(answer: Answer, cause: Cause) -> str:
    """Return what falls short, why, and what to do: whoever expects something may know better than the cause."""
    hint = answer.hint if answer.advised else cause.next_step or answer.hint
    return f"{answer.label}: {answer.shortfall}; {cause.text}. {hint}"


def run(module: Any, client: Any) -> dict[str, Any]:
    """Read the objects and return the result of the module."""
    expected = [expectation(entry) for entry in module.params["objects"]]
    timeout = module.params["wait_timeout"] if module.params["wait"] else 0
    answers = patiently(client, expected, timeout, Progress(progress_to(module.params["progress_file"])))
    if short := [answer for answer in answers if answer.shortfall]:
        raise GitopsError("\n".join(sentences(client, short)))
    objects = [{"kind": answer.kind, "namespace": answer.namespace, "name": answer.name} for answer in answers]
    return {"changed": False, "objects": objects}


def main() -> None:
    """Run the module."""
    copied = {
        "namespace": {"type": "str", "required": True},
        "name": {"type": "str", "required": True},
        "keys": {"type": "list", "elements": "str", "required": True, "no_log": False},
    }
    options = {
        "api_version": {"type": "str", "default": "v1"},
        "kind": {"type": "str", "required": True},
        "name": {"type": "str", "default": ""},
        "namespace": {"type": "str", "default": ""},
        "required": {"type": "bool", "default": True},
        "ready": {"type": "bool", "default": True},
        **{name: {"type": "list", "elements": "str", "default": []} for name in LISTS},
        "data": {"type": "dict", "default": {}},
        "same_data": {"type": "dict", "options": copied},
        "fields": {"type": "dict", "default": {}},
        "hint": {"type": "str", "default": ""},
    }
    _client.run_module(
        run,
        argument_spec=_client.argument_spec(
            objects={"type": "list", "elements": "dict", "required": True, "options": options},
            wait={"type": "bool", "default": False},
            wait_timeout={"type": "int", "default": 120},
            progress_file={"type": "path"},
        ),
        supports_check_mode=True,
    )


if __name__ == "__main__":
    main()
