# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which variables the templates of a base use: it is the same for all environments.

Used by action plugins of the collection monorepo.gitops only.
"""

from __future__ import annotations

import re
from pathlib import Path

from ansible_collections.monorepo.gitops.plugins.module_utils._errors import GitopsError
from ansible_collections.monorepo.gitops.plugins.plugin_utils.tree import templates
from jinja2 import Environment, TemplateSyntaxError, meta, nodes

# The first line with which ansible.builtin.template takes other delimiters.
SETTINGS = re.compile(r"#jinja2:(.*)\n")
DELIMITER = re.compile(r"\b((?:variable|block|comment)_(?:start|end)_string)\s*:\s*(['\"])(.+?)\2")


def check_base(folder: Path, allowed: set[str]) -> None:
    """Refuse a template that uses any other variable: what one environment sets would reach all others."""
    for name, text in sorted(templates(folder).items()):
        foreign = sorted(variables(text, [folder, folder.parent]) - allowed)
        if foreign:
            raise GitopsError(
                f"{folder / name} uses {', '.join(foreign)}, and a base is the same for all environments: use it in "
                "templates/overlay, or name a pinned version in pins of the component's definition."
            )


def variables(text: str, places: list[Path]) -> set[str]:
    """Return the variables of a template and of what it includes; one that cannot be parsed fails when it is rendered.

    Functions that reach more, such as `lookup` and `query`, count as variables, too.
    """
    settings = SETTINGS.match(text)
    delimiters = {key: value for key, _quote, value in DELIMITER.findall(settings[1])} if settings else {}
    return _variables(Environment(autoescape=True, **delimiters), text[settings.end() :] if settings else text, places)


def _variables(environment: Environment, text: str, places: list[Path], seen: tuple[Path, ...] = ()) -> set[str]:
    """Return the variables of a text; what it includes has the same delimiters, and sees what was set before.

    `seen` are the files that include it: one may include itself.
    """
    try:
        tree = environment.parse(text)
    except TemplateSyntaxError:
        return set()
    found = meta.find_undeclared_variables(tree) - environment.globals.keys()
    own = {name.name for name in tree.find_all(nodes.Name) if name.ctx == "store"}
    for name in meta.find_referenced_templates(tree):
        if name is None:
            return found | {"an include whose name is computed"}
        files = [place / name for place in places if (place / name).is_file() and place / name not in seen]
        for file in files[:1]:
            found |= _variables(environment, file.read_text(encoding="utf-8"), places, (*seen, file)) - own
    return found
