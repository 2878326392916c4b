# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of causes: what is recognised, in the order in which it is looked for.

Adding one is adding an entry here, its function beside those of its kind, and a fixture.

For use within the collection monorepo.gitops only.
"""

from __future__ import annotations

from ansible_collections.monorepo.gitops.plugins.module_utils._diagnosis import builtin, containers, operators, pods
from ansible_collections.monorepo.gitops.plugins.module_utils._diagnosis.evidence import Found, Manifest, Rule
from ansible_collections.monorepo.gitops.plugins.module_utils._diagnosis.relations import (
    ACME,
    CERTIFICATES,
    GATEWAY_API,
    SECRETS,
)

POD, CLAIM, JOB = (("", "Pod"),), (("", "PersistentVolumeClaim"),), (("batch", "Job"),)
MAKERS = tuple(("apps", kind) for kind in ("ReplicaSet", "StatefulSet", "DaemonSet", "Deployment")) + JOB
ROLLED_OUT = tuple(("apps", kind) for kind in ("Deployment", "StatefulSet", "DaemonSet"))
ROUTES = tuple((GATEWAY_API, f"{kind}Route") for kind in ("HTTP", "GRPC", "TLS", "TCP", "UDP"))
EVERY: tuple[tuple[str, str], ...] = ()

CAUSES: tuple[Rule, ...] = (
    # --- pods: ended from outside, without a place, without what they need
    Rule("ended", POD, pods.ended),
    Rule("pod-deleting", POD, pods.deleting),
    Rule("unscheduled", POD, pods.unscheduled),
    Rule("image", POD, containers.image),
    Rule("configuration", POD, containers.configuration),
    Rule("mount", POD, pods.mount),
    Rule("sandbox", POD, pods.sandbox),
    # --- pods: containers that do not go on running
    Rule("program", POD, containers.program),
    Rule("memory", POD, containers.memory),
    Rule("probe", POD, containers.probe),
    Rule("crash", POD, containers.crash),
    Rule("readiness", POD, containers.readiness),
    Rule("readiness-gate", POD, pods.gate),
    # --- pods: on their way
    Rule("unplaced", POD, pods.unplaced),
    Rule("initializing", POD, pods.initializing),
    Rule("creating", POD, pods.creating),
    Rule("unready", POD, pods.unready),
    # --- workloads and Jobs
    Rule("deleting", EVERY, builtin.deleting),
    Rule("quota", MAKERS, builtin.quota),
    Rule("pod-security", MAKERS, builtin.security),
    Rule("denied", MAKERS, builtin.denial),
    Rule("webhook", MAKERS, builtin.webhook),
    Rule("service-account", MAKERS, builtin.account),
    Rule("limits", MAKERS, builtin.limits),
    Rule("invalid", MAKERS, builtin.invalid),
    Rule("refused", MAKERS, builtin.refused),
    Rule("paused", (*ROLLED_OUT, ("argoproj.io", "Rollout")), builtin.paused),
    Rule("on-delete", ROLLED_OUT, builtin.by_hand),
    Rule("suspended", (*JOB, ("batch", "CronJob")), builtin.suspended),
    Rule("job-failed", JOB, builtin.ended_job),
    Rule("rollout-deadline", ROLLED_OUT, builtin.overdue),
    # --- volumes, and what leads to pods
    Rule("volume-lost", CLAIM, builtin.lost),
    Rule("volume-missing", CLAIM, builtin.unprovisioned),
    Rule("volume-resize", CLAIM, builtin.unresized),
    Rule("address", (("", "Service"), ("networking.k8s.io", "Ingress")), builtin.no_address),
    Rule("autoscaler", (("autoscaling", "HorizontalPodAutoscaler"),), builtin.unscalable),
    # --- operators
    Rule("challenge", ((ACME, "Challenge"),), operators.challenge),
    Rule("order", ((ACME, "Order"),), operators.order),
    Rule("certificate-request", ((CERTIFICATES, "CertificateRequest"),), operators.certificate_request),
    Rule("certificate", ((CERTIFICATES, "Certificate"),), operators.certificate),
    Rule("external-secret", ((SECRETS, "ExternalSecret"), (SECRETS, "PushSecret")), operators.external_secret),
    Rule("route", ROUTES, operators.route),
    Rule("gateway", ((GATEWAY_API, "Gateway"),), operators.gateway),
    Rule("gateway-class", ((GATEWAY_API, "GatewayClass"),), operators.gateway_class),
    # --- everything else
    Rule("condition", EVERY, operators.told),
    Rule("not-ready", EVERY, operators.unready),
    Rule("warning", EVERY, operators.warned),
)
# These do not say whether they are ready: it is always looked at what lies below them.
SILENT = {("", "Service"), ("core.strimzi.io", "StrimziPodSet")}


def cause_of(item: Manifest, events: list[Manifest]) -> tuple[str, Found] | None:
    """Return the first cause that an object has by itself, with its name."""
    kind = (item["apiVersion"].rpartition("/")[0], item["kind"])
    for rule in CAUSES:
        fits = kind in rule.kinds if rule.kinds else kind not in POD
        if fits and (found := rule.find(item, events)):
            return rule.name, found
    return None
