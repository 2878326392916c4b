# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Find which components of a tree their roles can render, and with which variables.

Used by action plugins of the collection monorepo.gitops only.
"""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleError
from ansible.utils.display import Display
from ansible_collections.monorepo.gitops.plugins.action.gitops_inputs import entry_points
from ansible_collections.monorepo.gitops.plugins.module_utils import _paths
from ansible_collections.monorepo.gitops.plugins.module_utils._environment import built, inventory
from ansible_collections.monorepo.gitops.plugins.module_utils._environment.inventory import Found
from ansible_collections.monorepo.gitops.plugins.module_utils._environment.markers import Search, Values, usable
from ansible_collections.monorepo.gitops.plugins.module_utils._environment.plan import plan
from ansible_collections.monorepo.gitops.plugins.module_utils._errors import GitopsError
from ansible_collections.monorepo.gitops.plugins.module_utils._repository.kustomize import CLUSTER_KINDS, component
from ansible_collections.monorepo.gitops.plugins.plugin_utils.role_rendering import Objects, RoleRendering, build, load

ROLES = Path(__file__).resolve().parents[2] / "roles"
GATEWAY, GATEWAY_NAME = "gateway", "cilium-gateway"
# Variables of all components that show up in their objects; a domain is needed to render anything.
COMMON = ("gitops_domain", "gitops_gateway_name", "gitops_gateway_namespace", "gitops_gateway_listener", "gitops_tls")
DOMAIN = "example.com"
# What the inventory of the run may say: how to render. What is rendered is read from the repository alone.
HOW = ("gitops_kustomize_command", "gitops_upstream_mirror")


class Adopting:
    """The components of one environment in a tree, and the roles of the same names."""

    def __init__(self, rendering: RoleRendering, tree: Path, environment: str) -> None:
        self.rendering, self.tree, self.environment = rendering, tree, environment
        self.found: dict[str, Found] = {}
        self.people: dict[str, Objects] = {}  # what each component of the tree builds
        self.plan: dict[str, dict[str, Any]] = {}
        self.common: Values = {}
        self.known: dict[str, tuple[built.Objects, Values]] = {}
        self.cluster = set(CLUSTER_KINDS)

    def describe(self, components: list[tuple[str, str]], layers: dict[str, str]) -> list[Found]:
        """Return what becomes of each component; `layers` are those of the components that have a role."""
        names = [name for _layer, name in components]
        for entry in components:
            found = Found(*entry, reason=inventory.missing_roles(entry, layers))
            self.found[found.label] = found
            self._build(found)
            if names.count(found.name) > 1:
                found.reason = "both layers have a component of this name, and no run can continue: rename one of them"
        while self._step():
            pass
        return [self.found[label] for label in sorted(self.found)]

    def _build(self, found: Found) -> None:
        overlay = self.tree / _paths.overlay_folder(found.layer, found.name, self.environment)
        try:
            self.people[found.label] = build(overlay, self.rendering.command)
        except GitopsError as error:
            text = str(error).replace(f"{self.tree}/", "")
            found.reason = inventory.unbuildable(found.reason, text)
        self.cluster |= built.scopes(self.people.get(found.label, []))

    def _roles(self) -> list[Found]:
        return [entry for entry in self.found.values() if not entry.reason]

    def _step(self) -> bool:
        """Look at all components that are left; return whether one had to be left out, so that the others change."""
        left = self._roles()
        base = self._base([entry.name for entry in left])
        definitions = {}
        for entry in left:
            try:
                definitions[entry.name] = self.rendering.definition(entry.name, base | entry.values)
            except (GitopsError, AnsibleError) as error:
                entry.reason = str(error)
        if len(definitions) < len(left):
            return True
        lost = inventory.closed({name: list(own["depends_on"]) for name, own in definitions.items()})
        for entry in left:
            if need := lost.get(entry.name):
                entry.reason = f"it depends on {need}, which no role renders here"
        if lost:
            return True
        ordered = plan(list(definitions.values()))
        self.plan = {entry["name"]: entry for entry in ordered}
        base["gitops_plan"] = {"components": ordered}
        self._derive(left, base)
        return self._judge(left, base)

    def settings(self) -> Values:
        """Return the variables of all components that the inventory needs."""
        roles = self._roles()
        base = self._base([entry.name for entry in roles]) if roles else {}
        return {name: base[name] for name in COMMON if name in base}

    def _base(self, names: list[str]) -> Values:
        """Return the variables that every rendering has."""
        base = {"gitops_environment": self.environment, "gitops_components": names}
        base |= {"cluster_kind": "existing", "gitops_domain": DOMAIN}
        # Routes attach to a Gateway that is there already, unless a role renders it.
        if GATEWAY not in names:
            base["gitops_gateway_name"] = GATEWAY_NAME
        return base | {
            key: value for key, value in self.common.items() if GATEWAY not in names or key not in COMMON[1:4]
        }

    def _derive(self, left: list[Found], base: Values) -> None:
        """Find the variables, first those of all components together."""
        for entry in left:
            self._rendered(entry, base, {})
        for objects in self.rendering.built.values():
            self.cluster |= built.scopes(objects)
        trees = {entry.name: self._tree(entry) for entry in left}
        if not self.known:
            self._derive_common(left, base, trees)
            base |= self.common
        for number, entry in enumerate(left, start=1):
            plain = self._rendered(entry, base, {})
            if plain is None:
                continue
            if self.known.get(entry.name, (None, {}))[0] != plain:
                self.known[entry.name] = (plain, self._search(entry, base, trees[entry.name]))
                Display().display(
                    f"{number} of {len(left)}: {entry.label}, variables found: {len(self.known[entry.name][1])}"
                )
            entry.values = self.known[entry.name][1]

    def _derive_common(self, left: list[Found], base: Values, trees: dict[str, built.Objects]) -> None:
        own = COMMON[-1:] if any(entry.name == GATEWAY for entry in left) else COMMON[1:]
        names = (COMMON[0], *own)
        options = {name: option for name, option in entry_points(ROLES / "gitops")["main"].items() if name in names}
        everything = {key: item for objects in trees.values() for key, item in objects.items()}
        search = Search(options, base, lambda values: self._all(left, base | values), everything)
        self.common |= search.run()

    def _search(self, entry: Found, base: Values, tree: built.Objects) -> Values:
        role = self.plan[entry.name]
        options = usable(entry_points(Path(role["role_path"])).get("main", {}))
        visible = self.rendering.visible(role, base)
        own = self.rendering.templar.copy_with_new_env(available_variables=visible)
        defaults = {}
        for name in options.keys() & visible.keys():
            with contextlib.suppress(AnsibleError):  # one that must be set
                defaults[name] = own.template(visible[name])
        return Search(options, defaults, lambda values: self._rendered(entry, base, values), tree).run()

    def _tree(self, entry: Found) -> built.Objects:
        namespace = component(entry.layer, entry.name)["namespace"]
        return built.keyed(self.people[entry.label], namespace, self.cluster)

    def _rendered(self, entry: Found, base: Values, values: Values, stand_in: bool = True) -> built.Objects | None:
        role = self.plan[entry.name]
        try:
            objects = self.rendering.objects(role, base | values, stand_in)
        except (GitopsError, AnsibleError):
            if not stand_in:
                raise
            return None
        return built.keyed(objects, role["namespace"], self.cluster)

    def _all(self, left: list[Found], base: Values) -> built.Objects | None:
        parts = [self._rendered(entry, base, {}) for entry in left]
        return {key: item for part in parts for key, item in (part or {}).items()}

    def _judge(self, left: list[Found], base: Values) -> bool:
        """Find what stands in the way of each component, and what remains different; return whether something does."""
        rendered: dict[str, built.Objects] = {}
        for entry in left:
            try:
                values = base | entry.values
                entry.reason = self.rendering.refusal(self.plan[entry.name], values)
                rendered[entry.name] = self._rendered(entry, base, entry.values, stand_in=False) or {}
            except (GitopsError, AnsibleError) as error:
                entry.reason = entry.reason or str(error)
        others = {
            found.label: self._tree(found)
            for found in self.found.values()
            if found.reason and found.label in self.people
        }
        for entry in [entry for entry in left if not entry.reason]:
            before, after = self._tree(entry), rendered[entry.name]
            rules = self.plan[entry.name]["immutable"]
            entry.reason = (
                inventory.listed_reason("its role would delete", inventory.deleted(before, rendered.values()))
                or inventory.refused(before, after, self.plan[entry.name]["namespace"], rules)
                or inventory.listed_reason("its role would also render", inventory.shared(after, others))
            )
            entry.difference = inventory.difference(before, after)
        return any(entry.reason for entry in left)


def without_options(variables: Values) -> Values:
    """Leave out the options of roles: the inventory of a run describes another environment, or the defaults of one."""
    options = {
        name
        for folder in ROLES.iterdir()
        for entry in entry_points(folder).values()
        for name in entry
        if name not in HOW and not name.startswith("component_")
    }
    return {name: value for name, value in variables.items() if name not in options}


def layers(rendering: RoleRendering) -> dict[str, str]:
    """Return the layers of the components for which this collection has a role."""
    found = {}
    for file in sorted(ROLES.glob("*/vars/main.yml")):
        own = load(rendering.loader, file).get(f"{file.parent.parent.name}_component")
        if own:
            found[own["name"]] = own["layer"]
    return found
