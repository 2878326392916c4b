# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where everything is: the layout of the monorepo, and the folders of the user's cache.

For use within the collection monorepo.gitops only.
"""

from __future__ import annotations

import os
import re
from pathlib import Path, PurePosixPath

# The monorepo has argocd/<layer>/<component>/{base,envs/<environment>} and argocd/appsets/<environment>.
ROOT = "argocd"
LAYERS = INFRA, SERVICES = ("infra", "services")
BASE = "base"
ENVIRONMENTS = "envs"
APPLICATIONSETS = "appsets"
CUSTOM = "custom"  # in an overlay: what the user adds to it, which no run writes
UPSTREAM = "upstream.yaml"  # an official manifest, in a base or an overlay
# The file names that kustomize looks for.
KUSTOMIZATIONS = ("kustomization.yaml", "kustomization.yml", "Kustomization")

# Path of a directory generator (with `*` as name) and of an Application.
OVERLAY = re.compile(rf"{ROOT}/(?:{'|'.join(LAYERS)})/(?P<name>[^/]+)/{ENVIRONMENTS}/(?P<environment>[^/]+)")
OFFICIAL = re.compile(rf"{ROOT}/[^/]+/[^/]+/(?:{BASE}|{ENVIRONMENTS}/[^/]+)/{re.escape(UPSTREAM)}")

# Below the user's folders for caches and for state. Roles and the build of the programs spell it themselves.
USERS = "monorepo.gitops"
# The cache: built overlays, private clones, manifests rendered for Argo CD, and official manifests.
BUILDS, CLONES, INSTALL, DOWNLOADS = "builds", "clones", "install", "upstream"


def is_yaml(name: str) -> bool:
    """Return whether a file is read as YAML, or as JSON, which is YAML."""
    return name.endswith((".yaml", ".yml", ".json"))


def component_folder(layer: str, name: str) -> str:
    """Return the folder of a component in the monorepo."""
    return f"{ROOT}/{layer}/{name}"


def environment_folder(environment: str) -> str:
    """Return the folder of an environment in that of a component."""
    return f"{ENVIRONMENTS}/{environment}"


def overlay_folder(layer: str, name: str, environment: str) -> str:
    """Return the folder of an overlay in the monorepo."""
    return f"{component_folder(layer, name)}/{environment_folder(environment)}"


def custom_folder(layer: str, name: str, environment: str) -> str:
    """Return the folder in which users add to an overlay."""
    return f"{overlay_folder(layer, name, environment)}/{CUSTOM}"


def kustomizations_beside(path: str) -> set[str]:
    """Return what the kustomization in the folder of a file may be called."""
    return {str(PurePosixPath(path).with_name(name)) for name in KUSTOMIZATIONS}


def is_custom(path: str) -> bool:
    """Return whether a file is in the folder of an overlay that belongs to the user."""
    parts = path.split("/")
    return len(parts) > 6 and (parts[0], parts[3], parts[5]) == (ROOT, ENVIRONMENTS, CUSTOM)


def applicationset_folder(environment: str) -> str:
    """Return the folder of the ApplicationSets of an environment in the monorepo."""
    return f"{ROOT}/{APPLICATIONSETS}/{environment}"


def cache_folder(name: str) -> Path:
    """Return one of the folders of the cache."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / USERS / name
