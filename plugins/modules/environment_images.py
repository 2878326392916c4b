#!/usr/bin/python
# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: environment_images
short_description: List the images and official manifests of an environment, with the digests that run (internal)
version_added: "1.0.0"
author:
  - The monorepo.gitops authors (@monorepo)
description:
  - Builds every overlay of the commit that an environment follows, those that people wrote included, and finds the
    images that its objects name, in containers, fields of operators, environment variables and arguments.
  - Writes them with the official manifests in CycloneDX's JSON, and the digests of those that run as YAML. A file that
    would be the same is not written.
extends_documentation_fragment:
  - monorepo.gitops.auth
  - monorepo.gitops.attributes
  - monorepo.gitops.git
  - monorepo.gitops.git.clone
  - monorepo.gitops.git.kustomize
options:
  environment:
    description: Name of the environment.
    type: str
    required: true
  revision:
    description: Branch or tag that the environment follows; V(HEAD) is O(branch).
    type: str
    default: HEAD
  components:
    description: The components with C(name), C(layer), C(namespace) and C(manifests), a list of C(url) and C(sha256).
    type: list
    elements: dict
    required: true
  installed:
    description: What is not in Git, with C(name), C(manifests) and C(path), a JSON file with its objects.
    type: list
    elements: dict
    default: []
  bom:
    description: File for CycloneDX. Nothing is written when it is empty.
    type: path
  digests:
    description: File for the variable C(gitops_image_digests). The cluster is asked only when it is set.
    type: path
  known:
    description: Digests that are known, for images of which no pod runs.
    type: dict
    default: {}
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
  idempotent:
    support: full
    details: The content of the files depends on what there is only, not on the time.
notes:
  - "Needs the right to list pods in all namespaces, where O(digests) is set."
  - "Error C(cyclonedx-python-lib is missing): install C(requirements-images.txt), or leave O(bom) out."
"""

EXAMPLES = r"""
- name: List what dev deploys
  monorepo.gitops.environment_images:
    url: https://git.example.com/platform/monorepo.git
    path: ~/.cache/monorepo.gitops/clones/monorepo
    branch: main
    environment: dev
    components: "{{ gitops_plan.components }}"
    bom: images.cdx.json
"""

RETURN = r"""
commit:
  description: The commit that was read.
  returned: success
  type: str
images:
  description: The images.
  returned: success
  type: list
  elements: dict
  contains:
    image: {description: The image as objects name it., type: str}
    digest: {description: Digest that runs; empty if that is not known., type: str}
    components: {description: Components that name it., type: list, elements: str}
manifests:
  description: The official manifests, with C(component), C(url) and C(sha256).
  returned: success
  type: list
  elements: dict
without_digest:
  description: Images that are not pinned and of which no digest is known.
  returned: success
  type: list
  elements: str
ambiguous:
  description: Images of which pods run several digests.
  returned: success
  type: list
  elements: str
files:
  description: Files that differ from what they were, or are new.
  returned: success
  type: list
  elements: str
"""

import hashlib
import json
from pathlib import Path
from typing import Any

from ansible_collections.monorepo.gitops.plugins.module_utils import _client, _paths, _yaml
from ansible_collections.monorepo.gitops.plugins.module_utils._api import Api
from ansible_collections.monorepo.gitops.plugins.module_utils._errors import GitopsError
from ansible_collections.monorepo.gitops.plugins.module_utils._files import replace
from ansible_collections.monorepo.gitops.plugins.module_utils._repository import bom, images, policy
from ansible_collections.monorepo.gitops.plugins.module_utils._repository.clone import Clone
from ansible_collections.monorepo.gitops.plugins.module_utils._repository.history import History
from ansible_collections.monorepo.gitops.plugins.module_utils._repository.kustomize import build_others, find_command


def run(module: Any, client: Any) -> dict[str, Any]:
    """List, write and return the result of the module."""
    params = module.params
    if params["bom"]:
        bom.library()
    clone = Clone(params["path"], params["url"], params["branch"], params["ssh_command"], params["isolated"])
    with clone.locked():
        commit, named, notes = deployed(History(clone), params)
    for item in params["installed"]:
        for image in images.named(json.loads(Path(item["path"]).read_text())["items"]):
            named.setdefault(image, []).append(item["name"])
    for text in notes:
        module.warn(text)
    found, ambiguous = images.running(pods(client)) if params["digests"] else ({}, [])
    digests = {image: value for image, value in (params["known"] | found).items() if image not in ambiguous}
    entries = [
        {"image": image, "digest": digests.get(images.tagged(image), ""), "components": sorted(users)}
        for image, users in sorted(named.items())
    ]
    wanted = [*params["components"], *params["installed"]]
    manifests = [
        {"component": item["name"], "url": entry["url"], "sha256": entry["sha256"]}
        for item in wanted
        for entry in item.get("manifests") or []
    ]
    texts = {}
    if params["bom"]:
        texts[params["bom"]] = bom.document(params["environment"], commit, entries, manifests)
    if params["digests"]:
        texts[params["digests"]] = variable(params["environment"], entries)
    files = [path for path, text in texts.items() if write(Path(path), text, module.check_mode)]
    open_ends = {
        images.tagged(entry["image"]) for entry in entries if not entry["digest"] and "@" not in entry["image"]
    }
    return {
        "changed": bool(files),
        "commit": commit,
        "images": entries,
        "manifests": manifests,
        "without_digest": sorted(open_ends),
        "ambiguous": sorted(set(ambiguous) & {images.tagged(image) for image in named}),
        "files": files,
    }


def deployed(history: History, params: dict[str, Any]) -> tuple[str, dict[str, list[str]], list[str]]:
    """Return the commit that the environment follows, its images with their components, and what cannot be said."""
    environment = params["environment"]
    commit = history.followed(params["revision"])
    overlays = policy.overlays(history.files(commit), environment)
    if not overlays:
        raise GitopsError(f"Git has nothing for {environment} yet: run site.yml first.")
    named: dict[str, list[str]] = {}
    with history.exported(commit, environment, overlays.values()) as folder:
        command = params["command"] or find_command()
        names = sorted("/".join(entry) for entry in overlays.values())
        summaries, notes = build_others(str(folder), environment, names, command)
        notes = [f"The images of an overlay are not known: {text}" for text in notes]
        for component in params["components"]:
            notes += stand_ins(folder, component, environment)
    for summary in summaries:
        for image in images.named(json.loads(Path(summary["path"]).read_text())["items"]):
            named.setdefault(image, []).append(summary["name"])
    return commit, named, notes


def stand_ins(folder: Path, component: dict[str, Any], environment: str) -> list[str]:
    """Return a sentence where Git has other files than the official ones, whose images are therefore not known."""
    own = folder / _paths.component_folder(component["layer"], component["name"])
    files = [own / part / _paths.UPSTREAM for part in (_paths.BASE, _paths.environment_folder(environment))]
    found = {hashlib.sha256(file.read_bytes()).hexdigest() for file in files if file.is_file()}
    return [
        f"{component['name']}: Git does not have {entry['url']} with the checksum of the inventory, so its images are "
        "those of another file, such as a stand-in."
        for entry in component.get("manifests") or []
        if entry["sha256"] not in found
    ]


def pods(client: Any) -> list[dict[str, Any]]:
    """Return what there is to know of the containers of all pods."""

    def needed(item: dict[str, Any]) -> dict[str, Any]:
        spec, status = item.get("spec") or {}, item.get("status") or {}
        return {
            "spec": {key: spec.get(key) for key in ("containers", "initContainers")},
            "status": {key: status.get(key) for key in ("containerStatuses", "initContainerStatuses")},
        }

    status, found = Api(client).list_all("/api/v1/pods", needed=needed)
    if status != 200:
        raise GitopsError(f"The pods cannot be listed, so no digest is known: {found.get('message', status)}")
    return list(found["items"])


def variable(environment: str, entries: list[dict[str, Any]]) -> str:
    """Return the file of the inventory with the digests of all images of which one is known."""
    digests = {images.tagged(entry["image"]): entry["digest"] or images.parts(entry["image"])[2] for entry in entries}
    content = {"gitops_image_digests": {image: digest for image, digest in sorted(digests.items()) if digest}}
    return f"---\n# Digests of the images of {environment}, written by images.yml.\n{_yaml.dump(content)}"


def write(path: Path, text: str, check_mode: bool) -> bool:
    """Write a file as a whole, unless it is the same; return whether it differs."""
    try:
        if path.is_file() and path.read_text(encoding="utf-8") == text:
            return False
        if not check_mode:
            path.parent.mkdir(parents=True, exist_ok=True)
            replace(path, text)
    except OSError as error:
        raise GitopsError(f"{path} cannot be written: {error.strerror}.") from error
    return True


def main() -> None:
    """Run the module."""
    _client.run_module(
        run,
        argument_spec=_client.argument_spec(
            url={"type": "str", "required": True},
            path={"type": "path", "required": True},
            branch={"type": "str", "default": "main"},
            ssh_command={"type": "str", "default": ""},
            isolated={"type": "bool", "default": False},
            environment={"type": "str", "required": True},
            revision={"type": "str", "default": "HEAD"},
            components={"type": "list", "elements": "dict", "required": True},
            installed={"type": "list", "elements": "dict", "default": []},
            command={"type": "list", "elements": "str", "default": []},
            bom={"type": "path"},
            digests={"type": "path"},
            known={"type": "dict", "default": {}},
        ),
        supports_check_mode=True,
    )


if __name__ == "__main__":
    main()
