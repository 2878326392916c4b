# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pin the images of a component by digest, in its overlay.

Used by action plugins of the collection monorepo.gitops only.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import yaml
from ansible_collections.monorepo.gitops.plugins.module_utils import _paths
from ansible_collections.monorepo.gitops.plugins.module_utils._repository.images import check_digests, transformers
from ansible_collections.monorepo.gitops.plugins.module_utils._repository.kustomize import build_one, find_command
from ansible_collections.monorepo.gitops.plugins.plugin_utils.namespaces import add_file
from ansible_collections.monorepo.gitops.plugins.plugin_utils.tree import HEADER

FILE = "image-digests.yaml"


def add_digests(
    component: tuple[str, str],
    environment: str,
    digests: dict[str, str],
    command: list[str],
    base: dict[str, str],
    overlay: dict[str, str],
) -> None:
    """Add patches to an overlay for what it builds: images are also in official files, variables and arguments.

    Kustomize's `images` looks at containers only, and would give a digest to each tag of an image.
    """
    check_digests(digests)
    if not digests:
        return
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / _paths.component_folder(*component)
        own = folder / _paths.environment_folder(environment)
        for target, files in ((folder / _paths.BASE, base), (own, overlay)):
            for name, text in files.items():
                (target / name).parent.mkdir(parents=True, exist_ok=True)
                (target / name).write_text(text, encoding="utf-8")
        built = build_one(folder, environment, command or find_command())
    entries = transformers(json.loads(Path(built["path"]).read_text())["items"], digests)
    if entries:
        add_file(FILE, manifests(entries), "digests of images", overlay, "transformers")


def manifests(entries: list[dict[str, object]]) -> str:
    """Return a file with the configuration of kustomize's transformers, which come after everything else."""
    objects = [
        {
            "apiVersion": "builtin",
            "kind": "PatchTransformer",
            "metadata": {"name": entry["name"]},
            "target": entry["target"],
            "patch": json.dumps(entry["operations"], indent=2),
        }
        for entry in entries
    ]
    return HEADER + yaml.safe_dump_all(objects, sort_keys=False)
