# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Controller side of component_render."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from ansible.utils.display import Display
from ansible_collections.monorepo.gitops.plugins.module_utils import _paths
from ansible_collections.monorepo.gitops.plugins.module_utils._errors import GitopsError
from ansible_collections.monorepo.gitops.plugins.module_utils._repository.upstream import (
    UnreachableError,
    official,
    stand_in,
)
from ansible_collections.monorepo.gitops.plugins.plugin_utils.controller_action import ControllerAction, plain
from ansible_collections.monorepo.gitops.plugins.plugin_utils.image_digests import add_digests
from ansible_collections.monorepo.gitops.plugins.plugin_utils.namespaces import (
    add_custom,
    add_file,
    add_namespaces,
    first_wave,
)
from ansible_collections.monorepo.gitops.plugins.plugin_utils.network_policies import FILE, Network, manifests, policies
from ansible_collections.monorepo.gitops.plugins.plugin_utils.pins import check_base
from ansible_collections.monorepo.gitops.plugins.plugin_utils.pod_security import MODES, namespace_labels
from ansible_collections.monorepo.gitops.plugins.plugin_utils.roles import engine_defaults
from ansible_collections.monorepo.gitops.plugins.plugin_utils.tree import HEADER, render_folder, renderer, write_tree

UPSTREAM: dict[str, Any] = {
    "url": {"type": "str", "required": True},
    "sha256": {"type": "str", "required": True},
    "sha256_variable": {"type": "str", "default": ""},
    "stand_in_deployments": {"type": "list", "elements": "dict", "default": []},
    "kinds": {"type": "list", "elements": "dict", "default": []},
    "alternatives": {"type": "list", "elements": "path", "default": []},
}
NETWORK: dict[str, Any] = {
    "provider": {"type": "str", "choices": ["none", "kubernetes", "cilium"], "default": "none"},
    "api_servers": {"type": "list", "elements": "str", "default": []},
    "api_server_port": {"type": "int", "default": 6443},
    "gateway": {"type": "list", "elements": "str", "default": []},
    "dns_servers": {"type": "list", "elements": "str", "default": []},
    "metrics_namespaces": {"type": "list", "elements": "str", "default": []},
}
ARGUMENTS: dict[str, Any] = {
    "name": {"type": "str", "required": True},
    "layer": {"type": "str", "required": True, "choices": list(_paths.LAYERS)},
    "namespace": {"type": "str", "required": True},
    "namespaces": {"type": "list", "elements": "str", "default": []},
    "environment": {"type": "str", "required": True},
    "tree": {"type": "path", "required": True},
    "templates": {"type": "path", "required": True},
    "pins": {"type": "list", "elements": "str", "default": []},
    "rehearsal_templates": {"type": "path"},
    "upstream": {"type": "dict", "options": UPSTREAM},
    "overlay_upstream": {"type": "dict", "options": UPSTREAM},
    "mirror": {"type": "str", "default": ""},
    "stand_in": {"type": "str", "choices": ["never", "auto", "always"], "default": "never"},
    "components": {"type": "list", "elements": "dict"},
    "pod_security": {"type": "str", "choices": list(MODES), "default": "none"},
    "network": {"type": "dict", "options": NETWORK},
    "network_flows": {"type": "list", "elements": "dict", "default": []},
    "image_digests": {"type": "dict", "default": {}},
    "command": {"type": "list", "elements": "str", "default": []},
}


class ActionModule(ControllerAction):
    """Render one component: base, overlay, official files, and what the engine adds to them."""

    arguments = ARGUMENTS

    def call(self, args: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        """Render the component and return the result of the task."""
        folder = Path(args["tree"]) / _paths.component_folder(args["layer"], args["name"])
        own = folder / _paths.environment_folder(args["environment"])
        templates = Path(args["templates"])
        definition = {"component_definition", f"{templates.parent.name}_component"}
        try:
            check_base(templates / "base", definition.union(args["pins"]))
            components = args["components"]
            if components is None:
                components = plain(task_vars.get("gitops_plan", {}).get("components", []))
            labels = namespace_labels(args["namespaces"], components, args["pod_security"])
            # Templates give them to a Namespace that the official manifest brings.
            task_vars = engine_defaults(self._loader) | task_vars | {"component_namespace_labels": labels}
            render = renderer(self._templar, task_vars, templates)
            base = render_folder(templates / "base", render)
            overlay = render_folder(templates / "overlay", render)
            stood_in = self._add_upstream(args, "upstream", folder / _paths.BASE, base)
            stood_in |= self._add_upstream(args, "overlay_upstream", own, overlay)
            if args["rehearsal_templates"]:
                source = Path(args["rehearsal_templates"])
                extra = render_folder(source, renderer(self._templar, task_vars, source))
                overlay |= {f"rehearsal/{name}": content for name, content in extra.items()}
            add_namespaces(labels, args["namespace"], base, overlay)
            self._add_policies(args, components, base, overlay)
            place = (args["layer"], args["name"])
            add_digests(place, args["environment"], args["image_digests"], args["command"], base, overlay)
            add_custom(own, overlay)
            write = not self._task.check_mode
            diff = write_tree(folder / _paths.BASE, base, write)
            diff += write_tree(own, overlay, write, _paths.CUSTOM)
        except GitopsError as error:
            raise GitopsError(f"{args['name']}: {error}", **error.result) from None
        except OSError as error:
            raise GitopsError(f"{args['name']}: {error}") from None
        files = [entry["after_header"] for entry in diff]
        return {"changed": bool(diff), "files": files, "stand_in": stood_in, "diff": diff}

    def _add_policies(
        self, args: dict[str, Any], components: list[dict[str, Any]], base: dict[str, str], overlay: dict[str, str]
    ) -> None:
        """Put the NetworkPolicies of a component of the plan among the files of its overlay."""
        found = [entry for entry in components if entry["name"] == args["name"]]
        if not found or not args["network"]:
            return
        objects = policies(found[0], components, Network(**args["network"]), args["network_flows"])
        if objects:
            wave = first_wave([*base.values(), *overlay.values()])
            add_file(FILE, manifests(objects, wave), "NetworkPolicies", overlay)

    def _add_upstream(self, args: dict[str, Any], option: str, folder: Path, files: dict[str, str]) -> bool:
        """Put an official file or its stand-in among the files of a folder; return whether it is a stand-in."""
        upstream = args[option]
        if not upstream:
            return False
        if args["stand_in"] != "always":
            try:
                files[_paths.UPSTREAM] = official(upstream, folder / _paths.UPSTREAM, args["mirror"])
            except UnreachableError as error:
                # A file that is missing in the user's mirror is an error, except for an optional one of an overlay.
                if args["stand_in"] != "auto" or (args["mirror"] and option == "upstream"):
                    raise
                Display().warning(f"{args['name']}: a stand-in takes the place of the official manifest. {error}")
            else:
                return False
        objects = stand_in(upstream, args["namespace"])
        files[_paths.UPSTREAM] = HEADER + yaml.safe_dump_all(objects, sort_keys=False)
        return True
