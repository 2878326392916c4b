# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The declaration of who may do what in Argo CD: what is wrong with one, and which policy Argo CD gets."""

from __future__ import annotations

import pytest
import yaml
from ansible.errors import AnsibleActionFail, AnsibleFilterError
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template
from ansible_collections.monorepo.gitops.plugins.filter.people import login_settings, rbac_policy
from ansible_collections.monorepo.gitops.plugins.module_utils._environment import people

from .running import run_action
from .test_documentation import ROOT

VIEWER = {"role": "viewer", "groups": ["developers"]}
NOBODY = (
    "argocd_admin_enabled is false, but nobody else could log in to Argo CD: set dex.config, oidc.config or "
    "accounts.<name>: login in argocd_cm, or leave admin enabled."
)


@pytest.mark.parametrize(
    ("entry", "sentence"),
    [
        (VIEWER | {"groups": [""]}, "groups must be names."),
        (VIEWER | {"groups": ["a\ng, b, role:admin"]}, "groups must be names."),
        (VIEWER | {"groups": ["role:admin"]}, "role:admin is a role of Argo CD, not a group."),
        (
            VIEWER | {"groups": ["admin"]},
            "admin is Argo CD's own administrator, and so is a group of that name; give the group another name.",
        ),
        (VIEWER | {"projects": ["infra/*, allow"]}, 'projects must be names of AppProjects, or "*" for all.'),
        (VIEWER | {"projects": ["inf*"]}, 'projects must be names of AppProjects, or "*" for all.'),
    ],
)
def test_a_mistake_is_one_sentence_and_stops_a_run_before_anything_else(entry, sentence):
    expected = f"argocd_roles, entry 2: {sentence}"
    assert list(people.problems([VIEWER, entry])) == [expected]
    with pytest.raises(AnsibleFilterError) as error:
        rbac_policy([VIEWER, entry], "dev")
    assert str(error.value) == expected
    variables = {"gitops_environment": "dev", "gitops_components": [], "argocd_roles": [VIEWER, entry]}
    with pytest.raises(AnsibleActionFail) as stopped:
        run_action("gitops_inputs", variables, components=[])
    assert str(stopped.value) == expected


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ({"groups": ["a"]}, "argocd_roles[0]: missing required arguments: role."),
        ({"role": "viewer"}, "argocd_roles[0]: missing required arguments: groups."),
        (VIEWER | {"role": "owner"}, 'argocd_roles[0].role is "owner", which is not one of viewer, operator, admin.'),
    ],
)
def test_an_entry_has_a_role_that_there_is_and_groups(entry, said):
    variables = {"gitops_environment": "dev", "gitops_components": [], "argocd_roles": [entry]}
    with pytest.raises(AnsibleActionFail) as stopped:
        run_action("gitops_inputs", variables, components=[])
    assert str(stopped.value) == said


def test_a_role_is_one_of_a_project_and_counts_in_its_environments():
    entries = [
        VIEWER | {"projects": ["services"]},
        {
            "role": "operator",
            "groups": ["developers", "cn=ops,ou=a"],
            "projects": ["services"],
            "environments": ["dev"],
        },
    ]
    viewer = [
        "p, role:services-viewer, applications, get, services/*, allow",
        "p, role:services-viewer, applicationsets, get, services/*, allow",
        "p, role:services-viewer, logs, get, services/*, allow",
        "p, role:services-viewer, projects, get, services, allow",
        "g, developers, role:services-viewer",
    ]
    operator = [
        "p, role:services-operator, applications, get, services/*, allow",
        "p, role:services-operator, applicationsets, get, services/*, allow",
        "p, role:services-operator, logs, get, services/*, allow",
        "p, role:services-operator, applications, sync, services/*, allow",
        "p, role:services-operator, applications, rollback, services/*, allow",
        "p, role:services-operator, applications, action/*, services/*, allow",
        "p, role:services-operator, projects, get, services, allow",
        "g, developers, role:services-operator",
        'g, "cn=ops,ou=a", role:services-operator',
    ]
    assert rbac_policy(entries, "prod").splitlines() == viewer
    assert rbac_policy(entries, "dev").splitlines() == viewer + operator


def test_an_administrator_of_a_project_deploys_only_what_is_in_git_and_one_of_everything_is_that_of_argocd():
    lines = rbac_policy([VIEWER | {"role": "admin"}], "dev").splitlines()
    objects = {line.split(", ")[4] for line in lines if line.startswith("p, ")}
    assert objects == {"infra/*", "services/*", "infra", "services"}
    assert [line for line in lines if "override" in line or "exec" in line] == []
    assert {line.split(", ")[3] for line in lines if ", applicationsets, " in line} == {"get"}
    everything = [{"role": role, "groups": ["platform"], "projects": ["*"]} for role in ("viewer", "admin")]
    assert rbac_policy(everything, "dev").splitlines() == ["g, platform, role:readonly", "g, platform, role:admin"]
    operator = rbac_policy([VIEWER | {"role": "operator", "projects": ["*"]}], "dev").splitlines()
    assert "p, role:operator, applications, sync, */*, allow" in operator
    assert operator[-2:] == ["g, role:operator, role:readonly", "g, developers, role:operator"]


def setting(name, **variables):
    """Return a private variable of role argocd."""
    defaults = yaml.safe_load((ROOT / "roles/argocd/defaults/main.yml").read_text())
    text = yaml.safe_load((ROOT / "roles/argocd/vars/main.yml").read_text())[name]
    return Templar(DataLoader(), defaults | variables).template(trust_as_template(text))


def test_raw_keys_win_over_the_declaration():
    assert setting("__argocd_rbac") == {"policy.default": ""}
    found = setting("__argocd_rbac", argocd_roles=[VIEWER], argocd_rbac={"scopes": "[groups, email]"})
    assert found == {"policy.default": "", "policy.csv": rbac_policy([VIEWER], ""), "scopes": "[groups, email]"}
    assert setting("__argocd_rbac", argocd_roles=[VIEWER], argocd_rbac={"policy.csv": "own"})["policy.csv"] == "own"


LOGINS = [{"oidc.config": "issuer: https://sso"}, {"dex.config": "connectors: []"}, {"accounts.anna": "apiKey, login"}]


@pytest.mark.parametrize("settings", LOGINS)
def test_admin_is_switched_off_where_somebody_else_can_log_in(settings):
    off = {"users.anonymous.enabled": "false", "admin.enabled": "false"}
    assert setting("__argocd_cm", argocd_admin_enabled=False, argocd_cm=settings) == off | settings
    assert setting("__argocd_cm", argocd_cm=settings) == {"users.anonymous.enabled": "false"} | settings


@pytest.mark.parametrize("settings", [{}, {"oidc.config": ""}, {"accounts.ci": "apiKey"}, {"accounts.admin": "login"}])
def test_admin_is_not_switched_off_while_nobody_else_could_log_in(settings):
    with pytest.raises(AnsibleFilterError) as error:
        login_settings(settings, admin_enabled=False)
    assert str(error.value) == NOBODY
    variables = {"gitops_environment": "dev", "gitops_components": [], "argocd_cm": settings}
    with pytest.raises(AnsibleActionFail) as stopped:
        run_action("gitops_inputs", variables | {"argocd_admin_enabled": "no"}, components=[])
    assert str(stopped.value) == NOBODY
    run_action("gitops_inputs", variables, components=[])
