# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The names of the images, from where the manifests have them: the roles' defaults, and official manifests."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import yaml

from .parts import ARGOCD
from .programs import ROOT
from .workshop import BuildError, go_module, rehearsal

CNPG = "github.com/cloudnative-pg/cloudnative-pg"
# The release from which the tests upgrade.
ARGOCD_BEFORE = "v3.6.0"


def tag(name: str) -> str:
    """Return the tag of an image."""
    return name.partition("@")[0].rpartition(":")[2]


def full_name(name: str) -> str:
    """Return the name under which a node looks for an image of the manifests."""
    first, slash, _rest = name.partition("/")
    if not slash:
        return f"docker.io/library/{name}"
    return name if "." in first or ":" in first or first == "localhost" else f"docker.io/{name}"


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


def argocd_before_manifest() -> Path:
    """Return the manifest of the release from which the tests upgrade; it is in its Go module."""
    return go_module(ARGOCD, ARGOCD_BEFORE) / "manifests" / "install.yaml"


@cache
def cnpg_containers() -> dict[str, str]:
    """Return the containers of CloudNativePG, whose manifest is in its Go module."""
    defaults = yaml.safe_load((ROOT / "roles" / "cnpg_system" / "defaults" / "main.yml").read_text())
    version = defaults["cnpg_system_version"]
    return containers(go_module(CNPG, f"v{version}") / "releases" / f"cnpg-{version}.yaml")
