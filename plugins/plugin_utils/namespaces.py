# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the engine adds to the overlay of a component: the Namespaces that it owns, and other files. Pure functions.

Used by action plugins of the collection monorepo.gitops only.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

import yaml
from ansible_collections.monorepo.gitops.plugins.module_utils import _yaml
from ansible_collections.monorepo.gitops.plugins.module_utils._errors import GitopsError
from ansible_collections.monorepo.gitops.plugins.module_utils._lists import expanded
from ansible_collections.monorepo.gitops.plugins.module_utils._paths import CUSTOM, KUSTOMIZATIONS
from ansible_collections.monorepo.gitops.plugins.plugin_utils.tree import HEADER

FILE = "namespaces.yaml"
# Argo CD neither prunes nor deletes them, and does not report one that leaves Git as out of sync.
ANNOTATIONS = {
    "argocd.argoproj.io/sync-options": "Prune=false,Delete=false",
    "argocd.argoproj.io/compare-options": "IgnoreExtraneous",
}
# Each begins with plain letters, which is fast on texts of several megabytes.
DOCUMENT = re.compile(r"^---(?:\s|$)", re.MULTILINE)
KIND = re.compile(r"kind[\"']?:\s*[\"']?Namespace(?:List)?\b")
WAVE = re.compile(r"argocd\.argoproj\.io/sync-wave[\"']?:\s*[\"']?(-\d+)")
PRE_SYNC = re.compile(r"/hook[\"']?:.*\b(?:PreSync|pre-install|pre-upgrade)\b")


def add_namespaces(labels: dict[str, dict[str, str]], own: str, base: dict[str, str], overlay: dict[str, str]) -> None:
    """Add those Namespaces that no file of the component brings to the files of its overlay.

    `labels` are those of each Namespace; `own` is the namespace that the component lives in.
    """
    texts = [*base.values(), *overlay.values()]
    missing = labels.keys() - brought(texts)
    # A PreSync hook needs the namespace before Argo CD applies anything from Git; Argo CD then creates it itself.
    if any(PRE_SYNC.search(text) for text in texts):
        missing.discard(own)
    if not missing:
        return
    text = manifests({name: labels[name] for name in sorted(missing)}, first_wave(texts))
    add_file(FILE, text, "Namespaces", overlay)


def first_wave(texts: Iterable[str]) -> int:
    """Return the first sync wave of manifests."""
    return min((int(wave) for text in texts for wave in WAVE.findall(text)), default=0)


def add_file(name: str, text: str, what: str, overlay: dict[str, str], field: str = "resources") -> None:
    """Add a file to an overlay, and to the resources or transformers of its kustomization; `what` is in it."""
    if name in overlay:
        raise GitopsError(f"overlay/{name} is rendered by the collection: give that template another name.")
    add_entry(name, what, overlay, field)
    overlay[name] = text


def add_custom(folder: Path, overlay: dict[str, str]) -> None:
    """Let an overlay read what users add to it, if its folder in Git has that."""
    mine = [name for name in overlay if name.startswith(f"{CUSTOM}/")]
    if mine:
        raise GitopsError(f"overlay/{mine[0]}: the folder {CUSTOM} of an overlay is the user's: choose another name.")
    custom = folder / CUSTOM
    if not custom.is_symlink() and any((custom / name).is_file() for name in KUSTOMIZATIONS):
        add_entry(CUSTOM, "additions of the user", overlay, "components")


def add_entry(name: str, what: str, overlay: dict[str, str], field: str) -> None:
    """Add an entry to a list of an overlay's kustomization."""
    found = [file for file in KUSTOMIZATIONS if file in overlay]
    if not found:
        raise GitopsError(
            f"overlay/{KUSTOMIZATIONS[0]} is missing: the {what} of the component are added to its `{field}`."
        )
    file = f"overlay/{found[0]}"
    if field != "resources" and not re.search(rf"^{field}:", overlay[found[0]], re.MULTILINE):
        overlay[found[0]] += f"{field}: [{name}]\n"
    else:
        overlay[found[0]] = with_entry(overlay[found[0]], field, name, file, what)


def brought(texts: list[str]) -> set[str]:
    """Return the names of the Namespaces in manifests. Only their documents are parsed, to be fast."""
    documents = [part for text in texts if KIND.search(text) for part in DOCUMENT.split(text) if KIND.search(part)]
    objects = [item for document in _yaml.load_all("\n---\n".join(documents)) for item in expanded(document)]
    return {
        str(name)
        for item in objects
        if isinstance(item, dict) and item.get("kind") == "Namespace"
        if (name := (item.get("metadata") or {}).get("name"))
    }


def manifests(labels: dict[str, dict[str, str]], wave: int) -> str:
    """Return a file with Namespaces, each with its labels, in the first sync wave."""
    annotations = ANNOTATIONS | ({"argocd.argoproj.io/sync-wave": str(wave)} if wave else {})
    metadata = [
        {"name": name} | ({"labels": dict(own)} if own else {}) | {"annotations": dict(annotations)}
        for name, own in labels.items()
    ]
    objects = [{"apiVersion": "v1", "kind": "Namespace", "metadata": entry} for entry in metadata]
    return HEADER + yaml.safe_dump_all(objects, sort_keys=False)


def with_entry(text: str, field: str, entry: str, file: str, what: str) -> str:
    """Return a kustomization with one more entry at the end of one of its lists; everything else stays as written."""
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    pairs = root.value if isinstance(root, yaml.MappingNode) else []
    entries = next((value for key, value in pairs if key.value == field), None)
    if not isinstance(entries, yaml.SequenceNode):
        raise GitopsError(
            f"{file} has no list `{field}`: add it, with ../../base in it, so that the {what} of the component "
            "can be added."
        )
    if entries.flow_style:
        last = entries.value[-1].end_mark.index if entries.value else entries.start_mark.index + 1
        return f"{text[:last]}{', ' if entries.value else ''}{entry}{text[last:]}"
    # After the line of the last entry, which may have a comment. A text of several lines ends at the beginning of one.
    end = entries.value[-1].end_mark
    last = end.index if end.column == 0 else text.index("\n", end.index) + 1
    return f"{text[:last]}{' ' * entries.start_mark.column}- {entry}\n{text[last:]}"
