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

import yaml

from .debian import PACKAGES, Base
from .parts import Copied, Folder, GoFiles, GoProgram, Link, NpmPackage, OwnProgram, Part, Rehearsed, Script, Text
from .workshop import ROOT, BuildError, go_module, rehearsal

PAUSE = "gitops-real-node.invalid/pause:1"
BUSYBOX = "gitops-real-node.invalid/busybox:1"
COREDNS = "gitops-real-node.invalid/coredns:1"

ARGOCD = "github.com/argoproj/argo-cd/v3"
CNPG = "github.com/cloudnative-pg/cloudnative-pg"
TEMPORAL = "go.temporal.io/server"
TEMPORAL_UI = "github.com/temporalio/ui-server/v2"
TEMPORAL_CLI = "github.com/temporalio/cli"
# The newest without a module of its own in a folder, which nobody but the module itself can use.
TEMPORAL_CLI_VERSION = "v1.3.0"
GRPC_GATEWAY = "github.com/grpc-ecosystem/grpc-gateway => github.com/temporalio/grpc-gateway v1.17.0"

UNAVAILABLE = "403 Forbidden: This module version is not available"
# Images of the roles' variables, and of containers in official manifests, that have no recipe.
SIMULATED = {
    "minio_image": f"github.com/minio/minio and github.com/minio/mc are no Go modules to be had: {UNAVAILABLE}",
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


def tag(name: str) -> str:
    """Return the tag of an image."""
    return name.partition("@")[0].rpartition(":")[2]


# --- where the names come from ---------------------------------------------------------------------------------------


@cache
def variables() -> dict[str, str]:
    """Return the variables of the roles that name one image, with their defaults."""
    found: dict[str, str] = {}
    for path in sorted((ROOT / "roles").glob("*/defaults/main.yml")):
        defaults: dict[str, Any] = yaml.safe_load(path.read_text()) or {}
        found |= {name: value for name, value in defaults.items() if name.endswith("_image") and value}
    return {name: value for name, value in found.items() if "{{" not in value}


def containers(manifest: Path) -> dict[str, str]:
    """Return the containers of an official manifest with their images."""
    found: dict[str, str] = {}
    for text in manifest.read_text().split("\n---\n"):
        if "\nkind: Deployment" in text or "\nkind: StatefulSet" in text:
            pod = yaml.safe_load(text)["spec"]["template"]["spec"]
            found |= {entry["name"]: entry["image"] for entry in pod.get("initContainers", []) + pod["containers"]}
    return found


@cache
def argocd_containers() -> dict[str, str]:
    """Return the containers of Argo CD, whose manifest is built with the rehearsal."""
    folder: Path = rehearsal().cache_folder()
    if not rehearsal().is_built(folder):
        raise BuildError("The programs of the rehearsal are missing: run make build")
    return containers(folder / "argocd" / f"v{rehearsal().ARGOCD}" / "install.yaml")


@cache
def cnpg_containers() -> dict[str, str]:
    """Return the containers of CloudNativePG, whose manifest is in its Go module."""
    defaults = yaml.safe_load((ROOT / "roles" / "cnpg_system" / "defaults" / "main.yml").read_text())
    version = defaults["cnpg_system_version"]
    return containers(go_module(CNPG, f"v{version}") / "releases" / f"cnpg-{version}.yaml")


# --- what they are made of -------------------------------------------------------------------------------------------


def table() -> list[Image]:
    """Return the images that can be made."""
    names = variables()
    socat = sorted({names["api_image"], names["auth_image"]})
    return [
        *argocd_images(argocd_containers()),
        *map(socat_image, socat),
        maildev_image(names["maildev_image"]),
        postgresql_image(names["common_postgresql_image"]),
        cnpg_image(cnpg_containers()["manager"]),
        *temporal_images(names),
        *own_images(),
    ]


def argocd_images(names: dict[str, str]) -> Iterator[Image]:
    """Yield the images of Argo CD's manifest."""
    binary, version = "/usr/local/bin/argocd", tag(names["argocd-server"])
    programs = (
        *("server", "repo-server", "cmp-server", "application-controller", "applicationset-controller"),
        *("dex", "notifications", "k8s-auth", "commit-server"),
    )
    wrappers = ("entrypoint.sh", "hack/git-verify-wrapper.sh", "hack/gpg-wrapper.sh")
    yield Image(
        names["argocd-server"],
        "Argo CD as the rehearsal has it, kustomize, Debian's git, gpg and ssh",
        Base.DEBIAN,
        (
            Rehearsed(binary, "argocd"),
            Rehearsed("/usr/local/bin/kustomize", "kustomize"),
            *(Link(f"{binary}-{program}", binary) for program in programs),
            *(GoFiles(f"/usr/local/bin/{Path(name).name}", ARGOCD, version, name, 0o755) for name in wrappers),
            *(Folder(f"/app/config/{name}") for name in ("ssh", "tls", "gpg/source")),
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
    yield Image(
        names["redis"],
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
    yield Image(
        names["dex"],
        "busybox",
        Base.BUSYBOX,
        stub="no dex: Argo CD's own argocd-dex runs there, and would start dex only if one were configured",
        configuration={"User": "1001", "Env": [PATH]},
        archive="busybox",
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
    binary = "/operator/manager_amd64"
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
