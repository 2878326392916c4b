# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What looks like a secret in files and objects. What is found is named, and never shown. Pure functions.

For use within the collection monorepo.gitops only.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from ansible_collections.monorepo.gitops.plugins.module_utils import _paths, _yaml
from ansible_collections.monorepo.gitops.plugins.module_utils._lists import expanded
from ansible_collections.monorepo.gitops.plugins.module_utils._repository.plain_values import credentials, named
from ansible_collections.monorepo.gitops.plugins.module_utils._repository.tokens import TOKENS, tokens

Manifest = dict[str, Any]

ESCAPE = re.compile(r"\\+[nrt]")
SECRET = re.compile(r"\bkind[\"']?\s*:\s*[\"']?Secret(?:List)?\b")


def find_secrets(files: dict[str, str]) -> list[str]:
    """Return a sentence for each file that holds a secret; never the secret itself."""
    found = []
    for name, text in sorted(files.items()):
        found += [f"{name} contains {what}" for what in tokens(text)]
        # Upstream manifests are public. (Barman Cloud ships an image name in a Secret.)
        if _paths.is_yaml(name) and SECRET.search(text) and not _paths.OFFICIAL.fullmatch(name):
            try:
                secrets = secrets_with_data(_yaml.load_all(text))
            except _yaml.YamlError as error:
                found.append(f"{name} cannot be read (line {error.line}), and it names a Secret")
            else:
                found += [f"{name} contains the data of Secret {secret}" for secret in secrets]
    return found


def refusal(found: list[str]) -> str:
    """Return the sentence that stops a run before the commit."""
    return f"Nothing was committed: {'; '.join(found)}. Keep secrets out of Git: generate them in the cluster."


def traces(item: Manifest) -> set[tuple[str, str]]:
    """Return the secrets of an object themselves, to compare them with those of another one. Never show them."""
    if found := values(item):
        return {("data", json.dumps(found, sort_keys=True))}
    return traces_of(_text(item)) | set(credentials(item))


def traces_of(text: str) -> set[tuple[str, str]]:
    """Return the credentials of a text themselves."""
    return {(what, match.group()) for what, form in TOKENS.items() for match in form.pattern.finditer(text)}


def traces_of_file(name: str, text: str) -> set[tuple[str, str]]:
    """Return the credentials of a file, and the data of its Secrets."""
    documents = _yaml.load_all(text) if _paths.is_yaml(name) and SECRET.search(text) else []
    return traces_of(text).union(*(traces(item) for item in _objects(documents) if values(item)))


def secrets_with_data(documents: list[Any]) -> list[str]:
    """Return the names of Secret objects that carry values, also of those in a List."""
    return [str((item.get("metadata") or {}).get("name")) for item in _objects(documents) if values(item)]


def values(item: Manifest) -> tuple[Any, Any] | None:
    """Return the values of a Secret; None when it has none, or is not a Secret."""
    kind = item.get("kind")
    found = (item.get("data") or None, item.get("stringData") or None)
    return found if kind == "Secret" and any(found) else None


def _text(item: Manifest) -> str:
    """Return an object as text; the letter of an escape does not belong to the word that follows it."""
    return ESCAPE.sub("\n", json.dumps(item, ensure_ascii=False))


def _objects(documents: list[Any]) -> list[Manifest]:
    """Return the objects of documents."""
    return [item for document in documents for item in expanded(document) if isinstance(item, dict)]


def in_objects(objects: list[Manifest], folders: list[Path]) -> list[str]:
    """Return a sentence for each built object that holds a secret, however it came into it.

    A Secret that an official file in one of the folders has with the same values is public.
    """
    public = [values(item) for folder in folders for item in official(folder / _paths.UPSTREAM)]
    found = []
    for item in objects:
        label = f"{item.get('kind')} {(item.get('metadata') or {}).get('name')}"
        secret = values(item)
        if secret:
            found += [] if secret in public else [f"{label} has data"]
        else:
            by_form = [f"{label} contains {what}" for what in tokens(_text(item))]
            found += by_form or [f"{label}: {what}" for what in named(item)]
    return found


def official(file: Path) -> list[Manifest]:
    """Return the Secrets of an official file; only their documents are parsed, to be fast."""
    if not file.is_file():
        return []
    texts = re.split(r"^---\s*$", file.read_text(encoding="utf-8", errors="replace"), flags=re.MULTILINE)
    return _objects([item for text in texts if SECRET.search(text) for item in _yaml.load_all(text)])
