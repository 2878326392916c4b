# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The images: what each is made of, and which images of the manifests cannot be made of ordinary packages, and why.

The names are those of the roles' defaults and of the official manifests, so an image follows when a role changes its
own: Temporal, CloudNativePG, maildev and PostgreSQL in the version of the tag, other packages in the one of Debian.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from .debian import PACKAGES, Base
from .image_names import CNPG, argocd_before_manifest, argocd_containers, cnpg_containers, containers, tag, variables
from .oci import MACHINE
from .parts import (
    ARGOCD,
    Copied,
    Folder,
    GoFiles,
    GoProgram,
    Link,
    NpmPackage,
    OtherArgocd,
    OwnProgram,
    Part,
    Rehearsed,
    Script,
    Text,
)
from .workshop import BuildError

PAUSE = "gitops-real-node.invalid/pause:1"
BUSYBOX = "gitops-real-node.invalid/busybox:1"
COREDNS = "gitops-real-node.invalid/coredns:1"

TEMPORAL = "go.temporal.io/server"
TEMPORAL_UI = "github.com/temporalio/ui-server/v2"
TEMPORAL_CLI = "github.com/temporalio/cli"
# Newer ones, at least v1.9, need a module in a folder of their own, which nobody else can require.
TEMPORAL_CLI_VERSION = "v1.3.0"
GRPC_GATEWAY = "github.com/grpc-ecosystem/grpc-gateway => github.com/temporalio/grpc-gateway v1.17.0"

# Images of the roles' variables that have no recipe. Of the operators, only CloudNativePG has one: cert-manager and
# External Secrets need modules in folders of their own, which nobody else can require; Strimzi and Reflector are not in
# Go; and github.com/cloudnative-pg/plugin-barman-cloud v0.15.1 is refused as MinIO is.
SIMULATED = {
    "kafka_ui_image": "a Java program of which no package is published",
    "common_drizzle_image": "a program of which no package is published",
}

SEARCH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
PATH = f"PATH={SEARCH}"


@dataclass(frozen=True)
class Image:
    """An image: its name in the manifests, what is in it, and what of that is not the real thing."""

    name: str
    contents: str
    base: Base
    parts: tuple[Part, ...] = ()
    stub: str = ""
    # How it starts, in the terms of the OCI.
    configuration: dict[str, Any] = field(default_factory=dict)
    # Images of one archive share the layers that are equal.
    archive: str = ""


@cache
def table() -> list[Image]:
    """Return the images that can be made."""
    return [
        *argocd_images(argocd_containers(), containers(argocd_before_manifest())),
        *service_images(variables()),
        cnpg_image(cnpg_containers()["manager"]),
        *own_images(),
    ]


def service_images(names: dict[str, str]) -> Iterator[Image]:
    """Yield the images that variables of the roles name."""
    for name in sorted({names["api_image"], names["auth_image"]}):
        yield socat_image(name)
    yield maildev_image(names["maildev_image"])
    yield minio_image(names["minio_image"])
    yield postgresql_image(names["common_postgresql_image"])
    yield from temporal_images(names)


def argocd_images(now: dict[str, str], before: dict[str, str]) -> Iterator[Image]:
    """Yield the images of two releases of Argo CD."""
    binary = "/usr/local/bin/argocd"
    yield argocd_image(now["argocd-server"], Rehearsed(binary, "argocd"))
    yield argocd_image(before["argocd-server"], OtherArgocd(binary, tag(before["argocd-server"])))
    for name in sorted({now["redis"], before["redis"]}):
        yield redis_image(name)
    for name in sorted({now["dex"], before["dex"]}):
        yield Image(
            name,
            "busybox",
            Base.BUSYBOX,
            # argocd-dex ends at once when there is no dex on PATH.
            (Link("/usr/local/bin/dex", "/bin/false"),),
            stub="no dex: Argo CD's own argocd-dex runs there, and would start dex only if one were configured",
            configuration={"User": "1001", "Env": [PATH]},
            archive="busybox",
        )


def argocd_image(name: str, program: Part) -> Image:
    """Return Argo CD with one of its programs, which is all of them."""
    folder, version = "/usr/local/bin", tag(name)
    programs = (
        *("server", "repo-server", "cmp-server", "application-controller", "applicationset-controller"),
        *("dex", "notifications", "k8s-auth", "commit-server"),
    )
    wrappers = ("entrypoint.sh", "hack/git-verify-wrapper.sh", "hack/gpg-wrapper.sh")
    return Image(
        name,
        "Argo CD with the libraries of the rehearsal, kustomize, Debian's git, gpg and ssh",
        Base.DEBIAN,
        (
            program,
            Rehearsed(f"{folder}/kustomize", "kustomize"),
            *(Link(f"{folder}/argocd-{other}", f"{folder}/argocd") for other in programs),
            *(GoFiles(f"{folder}/{Path(file).name}", ARGOCD, version, file, 0o755) for file in wrappers),
            *(Folder(f"/app/config/{part}") for part in ("ssh", "tls", "gpg/source")),
            Folder("/app/config/gpg/keys", 0o700, 999),
            Folder("/home/argocd", 0o775, 999),
            Link("/etc/ssh/ssh_known_hosts", "/app/config/ssh/ssh_known_hosts"),
        ),
        stub="no pages of the web interface, no helm, no git-lfs",
        configuration={
            "Entrypoint": ["/usr/bin/tini", "--"],
            "User": "999",
            "WorkingDir": "/home/argocd",
            "Env": [PATH, "USER=argocd", "GRPC_ENABLE_TXT_SERVICE_CONFIG=false"],
        },
        archive="debian",
    )


def redis_image(name: str) -> Image:
    """Return redis."""
    return Image(
        name,
        "Debian's redis",
        Base.DEBIAN,
        (Script("/usr/local/bin/docker-entrypoint.sh", "redis.sh"), Folder("/data", 0o755, 999, 999)),
        configuration={
            "Entrypoint": ["docker-entrypoint.sh"],
            "Cmd": ["redis-server"],
            "WorkingDir": "/data",
            "Env": [PATH],
        },
        archive="debian",
    )


def socat_image(name: str) -> Image:
    """Return the proxy to a host."""
    start = {"Entrypoint": ["/usr/bin/socat"], "Env": [PATH]}
    return Image(name, "Debian's socat", Base.DEBIAN, configuration=start, archive="debian")


def maildev_image(name: str) -> Image:
    """Return maildev."""
    return Image(
        name,
        "maildev of npm, Debian's Node.js",
        Base.DEBIAN,
        (
            Folder("/home/node", 0o755, 1000, 1000),
            NpmPackage("/home/node", "maildev", tag(name)),
            Link("/home/node/bin/maildev", "../node_modules/maildev/bin/maildev"),
        ),
        configuration={
            "Entrypoint": ["bin/maildev"],
            "User": "1000",
            "WorkingDir": "/home/node",
            "Env": [PATH, "NODE_ENV=production"],
        },
        archive="debian",
    )


def minio_image(name: str) -> Image:
    """Return what answers as MinIO: github.com/minio/minio and github.com/minio/mc cannot be downloaded.

    The answer is 403 Forbidden: This module version is not available.
    """
    return Image(
        name,
        "gofakes3, busybox",
        Base.BUSYBOX,
        (OwnProgram("/usr/bin/minio", "minio"), OwnProgram("/usr/bin/mc", "mc")),
        stub="no MinIO: a server and an mc of ours, with buckets and their users, and neither console nor versions",
        configuration={"Entrypoint": ["/usr/bin/minio"], "Env": [PATH]},
        archive="minio",
    )


def postgresql_image(name: str) -> Image:
    """Return PostgreSQL as CloudNativePG expects it."""
    major = tag(name).partition(".")[0]
    if f"postgresql-{major}" not in PACKAGES:
        raise BuildError(f"There is no recipe for {name}: PACKAGES of debian.py has no postgresql-{major}")
    programs, extensions = f"/usr/lib/postgresql/{major}", f"/usr/share/postgresql/{major}/extension"
    control = "comment = 'Stub of supabase_vault'\ndefault_version = '0.3.1'\nrelocatable = false\nschema = vault\n"
    return Image(
        name,
        f"Debian's PostgreSQL {major} with its own extensions",
        Base.DEBIAN,
        (
            # A library of PostgreSQL's own that does nothing when it is loaded.
            Copied(f"{programs}/lib/supabase_vault.so", f"{programs}/lib/tablefunc.so"),
            Text(f"{extensions}/supabase_vault.control", control),
            Text(f"{extensions}/supabase_vault--0.3.1.sql", "COMMENT ON SCHEMA vault IS 'It keeps nothing';\n"),
        ),
        stub="supabase_vault loads, and does nothing; no pgsodium",
        configuration={"User": "26", "Env": [f"PATH={programs}/bin:{SEARCH}", "LANG=C.UTF-8"]},
        archive="debian",
    )


def cnpg_image(name: str) -> Image:
    """Return CloudNativePG's operator, which is also what starts PostgreSQL in its pods."""
    version = tag(name)
    binary = f"/operator/manager_{MACHINE}"
    setting = f"{CNPG}/pkg/versions.buildVersion={version}"
    return Image(
        name,
        "CloudNativePG's operator",
        Base.NOTHING,
        (
            Folder("/tmp", 0o1777),  # noqa: S108
            GoProgram(binary, f"{CNPG}/cmd/manager", CNPG, f"v{version}", setting=setting),
            Link("/manager", binary.lstrip("/")),
        ),
        configuration={"Entrypoint": ["/manager"], "User": "65532:65532", "WorkingDir": "/", "Env": [PATH]},
        archive="cnpg",
    )


def temporal_images(names: dict[str, str]) -> Iterator[Image]:
    """Yield Temporal's images, for both modes of role temporal."""
    ours = "entry point and dockerize are ours"
    setup, server = names["temporal_auto_setup_image"], names["temporal_server_image"]
    start = {"Entrypoint": ["./entrypoint.sh"], "User": "1000", "WorkingDir": "/etc/temporal", "Env": [PATH]}
    yield Image(
        server,
        "Temporal's server",
        Base.BUSYBOX,
        (*temporal_server(tag(server)), Link("/etc/temporal/entrypoint.sh", "entrypoint-server.sh")),
        ours,
        start,
        "temporal",
    )
    yield Image(
        setup,
        "Temporal's server, schema tool and command line",
        Base.BUSYBOX,
        (
            *temporal_server(tag(setup)),
            *temporal_tools(tag(setup)),
            Script("/etc/temporal/entrypoint.sh", "temporal/auto-setup.sh"),
        ),
        ours,
        start,
        "temporal",
    )
    tools = names["temporal_admin_tools_image"]
    yield Image(
        tools,
        "Temporal's schema tool and command line",
        Base.BUSYBOX,
        temporal_tools(tag(tools)),
        configuration={"Entrypoint": ["tail", "-f", "/dev/null"], "User": "1000", "Env": [PATH]},
        archive="temporal",
    )
    yield temporal_ui_image(names["temporal_ui_image"], ours)


def temporal_server(version: str) -> tuple[Part, ...]:
    """Return the server with its configuration, which its user completes."""
    module, folder = f"v{version}", "/etc/temporal"
    return (
        GoProgram("/usr/local/bin/temporal-server", f"{TEMPORAL}/cmd/server", TEMPORAL, module),
        OwnProgram("/usr/local/bin/dockerize", "dockerize"),
        Folder(f"{folder}/config", 0o755, 1000, 1000),
        GoFiles(f"{folder}/config/config_template.yaml", TEMPORAL, module, "docker/config_template.yaml"),
        GoFiles(f"{folder}/config/dynamicconfig", TEMPORAL, module, "config/dynamicconfig"),
        Script(f"{folder}/entrypoint-server.sh", "temporal/server.sh"),
    )


def temporal_tools(version: str) -> tuple[Part, ...]:
    """Return what sets up Temporal's databases and namespaces."""
    module = f"v{version}"
    command = f"{TEMPORAL_CLI}/cmd/temporal"
    return (
        GoProgram("/usr/local/bin/temporal-sql-tool", f"{TEMPORAL}/cmd/tools/sql", TEMPORAL, module),
        GoProgram("/usr/local/bin/temporal", command, TEMPORAL_CLI, TEMPORAL_CLI_VERSION, GRPC_GATEWAY),
        GoFiles("/etc/temporal/schema/postgresql", TEMPORAL, module, "schema/postgresql"),
    )


def temporal_ui_image(name: str, stub: str) -> Image:
    """Return Temporal's web interface."""
    version, folder = f"v{tag(name)}", "/home/ui-server"
    return Image(
        name,
        "Temporal's web interface",
        Base.BUSYBOX,
        (
            Folder(folder, 0o755, 5000, 5000),
            Folder(f"{folder}/config", 0o755, 5000, 5000),
            GoProgram(f"{folder}/ui-server", f"{TEMPORAL_UI}/cmd/server", TEMPORAL_UI, version, GRPC_GATEWAY),
            GoFiles(f"{folder}/config-template.yaml", TEMPORAL_UI, version, "docker/config-template.yaml"),
            OwnProgram("/usr/local/bin/dockerize", "dockerize"),
            Script(f"{folder}/start-ui-server.sh", "temporal/ui.sh"),
        ),
        stub,
        {"Entrypoint": ["./start-ui-server.sh"], "User": "5000", "WorkingDir": folder, "Env": [PATH]},
        "temporal-ui",
    )


def own_images() -> Iterator[Image]:
    """Yield the images that the node itself and its tests need."""
    pause, coredns = OwnProgram("/pause", "pause"), OwnProgram("/coredns", "coredns")
    yield Image(PAUSE, "our pause", Base.NOTHING, (pause,), "", {"Entrypoint": ["/pause"], "User": "65535"}, "pause")
    yield Image(COREDNS, "CoreDNS", Base.NOTHING, (coredns,), "", {"Entrypoint": ["/coredns"]}, "coredns")
    yield Image(BUSYBOX, "busybox", Base.BUSYBOX, (), "", {"Cmd": ["sh"], "Env": [PATH]}, "busybox")
