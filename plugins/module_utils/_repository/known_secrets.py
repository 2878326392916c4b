# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which secrets Git had before: these are not what a commit adds.

For use within the collection monorepo.gitops only.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

from ansible_collections.monorepo.gitops.plugins.module_utils import _paths, _yaml
from ansible_collections.monorepo.gitops.plugins.module_utils._errors import GitopsError
from ansible_collections.monorepo.gitops.plugins.module_utils._repository.clone import Clone
from ansible_collections.monorepo.gitops.plugins.module_utils._repository.history import History
from ansible_collections.monorepo.gitops.plugins.module_utils._repository.kustomize import build_others, secrets_of
from ansible_collections.monorepo.gitops.plugins.module_utils._repository.secrets import (
    find_secrets,
    official,
    refusal,
    traces,
    traces_of_file,
    values,
)

Summary = dict[str, Any]
Secrets = set[tuple[str, str]]


def check_built(tree: str, environment: str, summaries: list[Summary], command: list[str]) -> list[str]:
    """Refuse secrets that built components would bring into Git; return those that it had before."""
    suspect = [summary for summary in summaries if summary["secrets"]]
    if not suspect:
        return []
    before = _before(Path(tree), environment, suspect, command)
    new = [
        summary
        for summary in suspect
        if not _secrets(summary) <= before.get(_label(summary), set()) | _public(Path(tree), environment, summary)
    ]
    if new:
        raise GitopsError(refusal(secrets_of(new)))
    return secrets_of(suspect)


def _label(summary: Summary) -> str:
    return f"{summary['layer']}/{summary['name']}"


def _secrets(summary: Summary) -> Secrets:
    items = json.loads(Path(summary["path"]).read_text(encoding="utf-8"))["items"]
    return {entry for item in items for entry in traces(item)}


def _public(tree: Path, environment: str, summary: Summary) -> Secrets:
    """Return the secrets of the official files of a component, which everybody can download."""
    folder = tree / _paths.component_folder(summary["layer"], summary["name"])
    files = [folder / part / _paths.UPSTREAM for part in (_paths.BASE, _paths.environment_folder(environment))]
    return {entry for file in files for item in official(file) if values(item) for entry in traces(item)}


def _before(tree: Path, environment: str, summaries: list[Summary], command: list[str]) -> dict[str, Secrets]:
    """Return the secrets of each of the components as the last commit has them: what another one had is new to it."""
    if not (tree / ".git").exists():  # a folder that is rendered for a build only
        return {}
    history = History(Clone(tree, "", ""))
    head = history.commit_of("HEAD")
    names = [_label(summary) for summary in summaries]
    with tempfile.TemporaryDirectory(prefix="monorepo-gitops-") as folder:
        parts = (_paths.BASE, _paths.environment_folder(environment))
        history.export(head, [f"{_paths.ROOT}/{name}/{part}" for name in names for part in parts], Path(folder))
        built, _errors = build_others(folder, environment, names, command)
    return {_label(summary): _secrets(summary) for summary in built}


def check_files(clone: Clone, texts: dict[str, str]) -> list[str]:
    """Refuse secrets that changed files would bring into Git; return those that the same files had before."""
    found = {name: entries for name, text in sorted(texts.items()) if (entries := find_secrets({name: text}))}
    if not found:
        return []
    history, head = History(clone), clone.head()
    present = [name for name in history.files(head) if name in found]
    before = history.texts(head, present)
    new = [name for name in found if name not in before or not _had(name, texts[name], before[name])]
    if new:
        raise GitopsError(refusal([entry for name in new for entry in found[name]]))
    return [entry for entries in found.values() for entry in entries]


def _had(name: str, text: str, before: str) -> bool:
    """Return whether a file has no other secrets than before; one that cannot be read may have any."""
    try:
        return traces_of_file(name, text) <= traces_of_file(name, before)
    except _yaml.YamlError:
        return False
