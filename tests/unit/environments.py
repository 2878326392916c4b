# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Environments that many tests look at, because rendering one takes ten seconds.

Each is an inventory with variables; together they have what differs between inventories.
"""

from __future__ import annotations

from typing import Any

from ansible_collections.monorepo.gitops.plugins.module_utils._repository import images

Environment = tuple[str, dict[str, Any]]

# Production publishes none of them unless it is told to.
PUBLISHED = {"temporal_route": True, "common_drizzle_route": True, "kafka_ui_route": True}
# What Reflector copies.
COPIES = {
    "kafka_internal_authentication": "scram-sha-512",
    "minio_buckets": [{"name": "backups", "credentials_namespaces": ["services", "kafka"]}],
}
EXISTING = {"cluster_kind": "existing", "gitops_repo_url": "https://git.example.com/monorepo.git"}
KUBERNETES = EXISTING | {"gitops_network_policies": "kubernetes", "gitops_network_api_servers": ["192.0.2.1/32"]}
# A rehearsal has no Cilium.
REHEARSAL = {"gitops_network_policies": "cilium", "gitops_network_api_servers": ["192.0.2.1/32"]}
LESS = KUBERNETES | {
    "api_service_name": "own",
    "auth_target_host": "198.51.100.7",
    "common_backup_enabled": True,
    "cnpg_system_barman_cloud": True,
    "kafka_connect_enabled": False,
    "kafka_ui_connect_enabled": False,
}
MORE = KUBERNETES | {
    "api_host_aliases": [{"ip": "198.51.100.7", "hostnames": ["api.internal.example.com"]}],
    "gitops_network_api_servers": ["192.0.2.1/32", "192.0.2.2/32"],
    "gitops_network_gateway": ["gateway", "192.0.2.3/32", "192.0.2.4/32"],
    "gitops_network_dns_servers": ["169.254.20.10/32"],
    "gitops_network_metrics_namespaces": ["monitoring"],
}
# What makes other levels of the Pod Security Standards necessary; and no NetworkPolicies.
RELAXED = {
    "argocd_repo_mount": {"host_path": "/srv/repository.git", "mount_path": "/mnt/repository.git"},
    "gateway_class_name": "other",
    "gitops_pod_security": "warn",
    "strimzi_pod_security": "baseline",
}

DEV: Environment = ("dev", REHEARSAL | PUBLISHED | COPIES)
DEV_WITH_TLS: Environment = ("dev", LESS | PUBLISHED | {"gitops_tls": True})
PROD: Environment = ("prod", MORE | PUBLISHED | COPIES)
PROD_WITHOUT_TLS: Environment = ("prod", KUBERNETES | PUBLISHED | {"gitops_tls": False})
PROD_WITH_CILIUM: Environment = ("prod", PROD_WITHOUT_TLS[1] | {"gitops_network_policies": "cilium"})
PROD_RELAXED: Environment = ("prod", RELAXED)
ALL = [DEV, DEV_WITH_TLS, PROD_WITHOUT_TLS, PROD]

DIGEST = f"sha256:{'a' * 64}"
REGISTRY = "mirror.example.com/strimzi"
SIGNATURE_KEYS = {
    "4AEE18F83AFDEB23": "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nmQENBF\n-----END PGP PUBLIC KEY BLOCK-----\n",
    "0123456789ABCDEF": "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nmQENBG\n-----END PGP PUBLIC KEY BLOCK-----\n",
}
PROJECT = {
    "name": "infra",
    "description": "Infrastructure",
    "source_repos": ["https://git.example.com/monorepo.git"],
    "destinations": [],
    "cluster_kinds": [],
    "namespaced_kinds": [{"group": "", "kind": "Service"}],
    "service_accounts": [{"server": "*", "namespace": "shop", "defaultServiceAccount": "argocd:gitops-infra"}],
}


def built(rendered: Any, environment: Environment) -> dict[str, list[Any]]:
    """Return the objects of an environment by component."""
    inventory, variables = environment
    return rendered(inventory, **variables)


def pinned(rendered: Any) -> Environment:
    """Return production with everything that limits what is deployed.

    A digest for each of its images, a registry of one's own, keys for signatures, and ServiceAccounts that sync.
    """
    inventory, variables = PROD_RELAXED
    objects = [item for items in built(rendered, PROD_RELAXED).values() for item in items]
    everything = {image.replace("quay.io/strimzi", REGISTRY) for image in images.named(objects)}
    digests = {image: DIGEST for image in sorted(everything) if "@" not in image}
    more = {"maildev/maildev:0": f"sha256:{'b' * 64}"}
    return inventory, variables | {
        "gitops_image_digests": digests | more,
        "strimzi_registry": REGISTRY,
        "argocd_signature_keys": SIGNATURE_KEYS,
        "argocd_projects": [PROJECT],
        "argocd_impersonation": True,
        "argocd_controller_read_only": True,
    }
