# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Values of a tree that variables of a role reproduce, found with a role that is a function."""

from __future__ import annotations

import pytest
from ansible_collections.monorepo.gitops.plugins.module_utils._environment import built, markers

DEPLOYMENT = ("apps", "Deployment", "web", "web")
ROUTE = ("gateway.networking.k8s.io", "HTTPRoute", "web", "web")
OPTIONS = {
    "web_image": {"type": "str"},
    "web_host": {"type": "str"},
    "web_port": {"type": "int"},
    "web_replicas": {"type": "int"},
    "web_route": {"type": "bool"},
    "web_pull": {"type": "str", "choices": ["Always", "IfNotPresent"]},
    "web_resources": {"type": "dict"},
    "web_env": {"type": "list", "elements": "dict"},
    "web_config": {"type": "dict", "no_log": True},
    "web_classes": {"type": "list", "elements": "str"},
    "web_password": {"type": "str", "no_log": True},
    "web_tree": {"type": "path", "description": "Internal: a folder."},
}
DEFAULTS = {
    "web_image": "web:1",
    "web_host": "web.example.com",
    "web_port": 8080,
    "web_replicas": 1,
    "web_route": True,
    "web_pull": "IfNotPresent",
    "web_resources": {"limits": {"memory": "1Gi"}},
    "web_env": [],
    "web_config": {},
    "web_classes": ["a"],
    "web_password": "",
    "web_tree": "",
}


def role(**given):
    """Return what a role renders."""
    v = DEFAULTS | given
    container = {
        "name": "web",
        "image": v["web_image"],
        "imagePullPolicy": v["web_pull"],
        "args": [f"--listen=0.0.0.0:{v['web_port']}", f"--name={v['web_host']}:{v['web_port'] + 1}"],
        "env": [{"name": "MODE", "value": "fast"}, *v["web_env"]],
        "resources": v["web_resources"],
    }
    spec = {"replicas": v["web_replicas"], "template": {"spec": {"containers": [container]}}}
    config = {"classes": v["web_classes"], "data": {"own": "1"} | v["web_config"]}
    found = {DEPLOYMENT: {"kind": "Deployment", "metadata": {"name": "web"}, "spec": spec, "config": config}}
    if v["web_route"]:
        found[ROUTE] = {"kind": "HTTPRoute", "spec": {"hostnames": [v["web_host"]]}}
    return found


def search(tree, render=None):
    return markers.Search(OPTIONS, DEFAULTS, render or (lambda values: role(**values)), tree).run()


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"web_image": "registry.example.com:5000/web:2@sha256:abc"},
        {"web_host": "shop.127.0.0.1.nip.io", "web_replicas": 3},
        {"web_port": 9090},
        {"web_route": False},
        {"web_pull": "Always"},
        {"web_resources": {}},
        {"web_resources": {"requests": {"cpu": "10m"}}},
        {"web_env": [{"name": "LEVEL", "value": "info"}]},
        {"web_config": {"a": "1", "b": "2"}},
        {"web_classes": []},
        {"web_classes": ["b", "c"], "web_replicas": 0},
    ],
)
def test_the_variables_with_which_a_tree_was_rendered_are_found(values):
    assert search(role(**values)) == values


def test_entries_of_a_list_are_found_by_their_name():
    tree = role()
    container = tree[DEPLOYMENT]["spec"]["template"]["spec"]["containers"][0]
    containers = [{"name": "proxy", "image": "proxy:7"}, container | {"image": "web:9"}]
    tree[DEPLOYMENT]["spec"]["template"]["spec"]["containers"] = containers
    assert search(tree) == {"web_image": "web:9"}


def test_what_no_variable_explains_is_left_alone():
    tree = role()
    tree[DEPLOYMENT]["spec"]["paused"] = True
    tree[DEPLOYMENT]["spec"]["replicas"] = "many"
    del tree[ROUTE]["spec"]
    assert search(tree) == {}


@pytest.mark.parametrize("value", ["{{ lookup('pipe', 'id') }}", "{% set x = 1 %}", "{# x #}"])
def test_a_template_never_comes_into_an_inventory(value):
    assert search(role(web_image=value)) == {}
    assert search(role(web_env=[{"name": "X", "value": value}])) == {}


def test_settings_that_may_be_secrets_are_not_taken():
    assert search(role(web_config={"level": "info"})) == {"web_config": {"level": "info"}}
    assert search(role(web_config={"db.password": "x"})) == {}
    assert search(role(web_config={"SMTP_AUTH": "hunter2"})) == {}


@pytest.mark.parametrize(
    "values",
    [
        {"web_image": f"ghp_{'a1' * 18}"},
        {"web_resources": {"note": f"level: info\ntoken: ghp_{'a1' * 18}"}},
        {"web_resources": {"auth": "c2hvcDpodW50ZXIy"}},
        {"web_resources": {"db": {"password": "hunter2"}}},
        {"web_resources": {"settings": "db.user=shop\ndb.password=hunter2"}},
        {"web_env": [{"name": "DB_PASSWORD", "value": "hunter2"}]},
        {"web_classes": [f"ghp_{'a1' * 18}"]},
    ],
)
def test_a_credential_never_comes_into_an_inventory_whatever_its_option_is_for(values):
    assert search(role(**values)) == {}


def test_an_object_of_the_tree_never_gets_lost_because_the_rest_comes_closer():
    tree = role()
    tree[ROUTE] = {"kind": "HTTPRoute"}
    assert search(tree) == {}


def test_a_value_that_the_role_would_refuse_is_not_taken():
    assert search(role(web_pull="Sometimes")) == {}


def test_a_value_is_not_taken_where_it_does_not_bring_the_role_closer():
    """The image shows up twice here, and the tree has two."""
    tree = role()
    tree[ROUTE]["spec"]["hostnames"] = ["shop.example.com"]
    assert search(tree) == {}


def test_markers_that_break_a_template_together_are_tried_one_by_one():
    def render(values):
        return None if len(values) > 1 else role(**values)

    assert search(role(web_image="web:3"), render) == {"web_image": "web:3"}


def test_a_switch_shows_variables_that_were_not_to_be_seen():
    def render(values):
        found = role(**values)
        if values.get("web_pull") != "Always":
            found[DEPLOYMENT]["config"].pop("classes")
        return found

    values = {"web_pull": "Always", "web_classes": ["b"]}
    assert search(render(values), render) == values


def test_two_variables_in_one_field_are_told_apart():
    tree = role(web_port=9090, web_host="shop.example.com")
    found = list(
        markers.places(role(web_port=41005, web_host="mk001zz"), role(), {"web_port": 41005, "web_host": "mk001zz"})
    )
    patterns = {(place.names, place.pattern) for place in found}
    assert (("web_host",), "(.*)") in patterns
    assert (("web_port",), r"\-\-listen=0\.0\.0\.0:(\d+)") in patterns
    assert markers.candidates(iter(found), tree, role())["web_port"][0] == "9090"


def test_a_distance_counts_fields_and_leaves_out_crds():
    crd = {("apiextensions.k8s.io", "CustomResourceDefinition", "", "x"): {"spec": {"a": 1}}}
    assert built.distance(role() | crd, role(web_image="web:2")) == 2
    assert built.distance(role(), role(web_route=False)) == 2
