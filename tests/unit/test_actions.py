# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The action plugins that plan and render, with Ansible's own templates."""

from __future__ import annotations

import hashlib
import importlib
import re
import sys
from pathlib import Path

import pytest
import yaml
from ansible.errors import AnsibleActionFail, AnsibleError
from ansible.template import trust_as_template
from ansible.utils.display import Display
from ansible_collections.monorepo.gitops.plugins.module_utils._errors import GitopsError
from ansible_collections.monorepo.gitops.plugins.module_utils._repository.checksums import content_of, with_checksums
from ansible_collections.monorepo.gitops.plugins.plugin_utils.tree import HEADER

from .running import action_plugin, run_action


def fails(message: str):
    return pytest.raises(AnsibleActionFail, match=f"^{re.escape(message)}$")


def write(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def headed(text: str) -> str:
    """Return a file as it is rendered."""
    return with_checksums({"x": HEADER + text})["x"]


def documented(options: dict) -> dict:
    """Return the argument spec that the documentation of options describes."""
    keys = ("type", "elements", "required", "default", "choices")
    return {
        name: {key: option[key] for key in keys if key in option}
        | ({"options": documented(option["suboptions"])} if "suboptions" in option else {})
        for name, option in options.items()
    }


@pytest.mark.parametrize(
    ("name", "function", "prefix"),
    [
        ("applicationsets_render", "render_folder", ""),
        ("component_render", "render_folder", "shop: "),
        ("cluster_connection", "kubeconfig_files", ""),
    ],
)
def test_an_error_of_ours_keeps_its_result(tmp_path, monkeypatch, name, function, prefix):
    def breaks(*_args):
        raise GitopsError("it broke", files=["a"])

    write(tmp_path / "a", {"base/a.yaml.j2": "", "overlay/a.yaml.j2": ""})
    component = {"name": "shop", "layer": "services", "namespace": "services", "environment": "dev"}
    arguments = {
        "applicationsets_render": {"trees": [{"src": str(tmp_path / "a"), "dest": str(tmp_path / "x")}]},
        "component_render": component | {"tree": str(tmp_path / "x"), "templates": str(tmp_path / "a")},
        "cluster_connection": {},
    }
    action = action_plugin(name, {}, **arguments[name])
    monkeypatch.setattr(sys.modules[type(action).__module__], function, breaks)
    with fails(f"{prefix}it broke") as raised:
        action.run(task_vars={})
    assert raised.value.result["files"] == ["a"]


@pytest.mark.parametrize("name", ["gitops_plan", "component_render", "applicationsets_render"])
def test_the_documentation_has_the_options_of_the_plugin(name):
    plugins = "ansible_collections.monorepo.gitops.plugins"
    module, action = (importlib.import_module(f"{plugins}.{kind}.{name}") for kind in ("modules", "action"))
    assert documented(yaml.safe_load(module.DOCUMENTATION)["options"]) == action.ARGUMENTS


class TestPlan:
    def test_a_definition_may_depend_on_the_variables_of_its_role(self, role):
        shop = role(
            "shop",
            defaults="shop_host: shop.{{ domain }}\nshop_port: 80\n",
            vars="""\
shop_component:
  name: shop
  layer: services
  namespace: services
  depends_on: "{{ ['bank'] if shop_pays else [] }}"
  more_namespaces: [shop-jobs, delivery]
  endpoints: [{name: Shop, url: "http://{{ shop_host }}:{{ shop_port }}"}]
  pods: "{{ {'web': {'labels': {'app': 'shop'}}} if shop_pays else {} }}"
  flows:
    - {from: gateway, to: web, ports: ["{{ shop_port | int }}"]}
""",
        )
        write(shop, {"files/stages/b.yaml": "", "files/stages/a.yaml": "", "files/stages/readme.md": ""})
        role("bank", vars="bank_component: {name: bank, layer: infra, namespace: bank}\n")
        variables = {
            "domain": "example.com",
            "shop_port": 8080,
            "shop_pays": True,
            "argocd_namespace": trust_as_template("{{ namespace }}"),
            "namespace": "delivery",
        }
        result = run_action("gitops_plan", variables, components=["acme.platform.shop", "acme.platform.bank"])
        bank, planned = result.pop("components")
        assert result == {"changed": False, "handwritten": [], "scheme": "http"}
        assert (bank["name"], bank["namespaces"], bank["stages"]) == ("bank", ["bank"], [])
        assert planned == {
            "name": "shop",
            "layer": "services",
            "namespace": "services",
            "namespaces": ["services", "shop-jobs"],
            "more_namespaces": ["shop-jobs", "delivery"],
            "depends_on": ["bank"],
            "stage": 1,
            "endpoints": [{"name": "Shop", "url": "http://shop.example.com:8080"}],
            "pods": {"web": {"labels": {"app": "shop"}}},
            "immutable": [],
            "flows": [{"from": "gateway", "to": "web", "ports": [8080]}],
            "pod_security": [],
            "verify": [],
            "warnings": [],
            "manifests": [],
            "role": "acme.platform.shop",
            "role_path": str(shop),
            "stages": [f"{shop}/files/stages/a.yaml", f"{shop}/files/stages/b.yaml"],
        }

    @pytest.mark.parametrize(
        ("variables", "scheme"),
        [({}, "http"), ({"gitops_tls": "true"}, "https"), ({"gitops_tls": True, "component_scheme": "http"}, "http")],
    )
    def test_the_scheme_of_an_endpoint_is_that_of_the_engine(self, variables, scheme):
        inputs = {"gitops_domain": "example.com", "gitops_gateway_name": "shared"} | variables
        result = run_action("gitops_plan", inputs, components=["maildev"])
        (component,) = result["components"]
        assert result["scheme"] == scheme
        assert [entry["url"] for entry in component["endpoints"]] == [f"{scheme}://maildev.example.com"]

    def test_what_people_wrote_may_have_an_entry_and_is_no_component_to_render(self):
        legacy = {
            "name": "legacy",
            "layer": "services",
            "depends_on": ["strimzi"],
            "endpoints": [{"name": "Legacy", "url": "http://legacy.example.com"}],
            "kinds": [{"group": "apps", "kind": "Deployment"}],
        }
        result = run_action("gitops_plan", components=[legacy, "strimzi"])
        assert [entry["name"] for entry in result["components"]] == ["strimzi"]
        assert result["handwritten"] == [
            legacy | {"namespace": "services", "namespaces": [], "stage": 1, "warnings": [], "handwritten": True}
        ]

    def test_a_component_of_this_collection_needs_no_full_name(self):
        (component,) = run_action("gitops_plan", {}, True, components=["strimzi"])["components"]
        assert (component["role"], component["layer"]) == ("monorepo.gitops.strimzi", "infra")

    @pytest.mark.parametrize(
        ("entry", "message"),
        [
            (
                "kafka-uy",
                "there is no component 'kafka-uy' (no role monorepo.gitops.kafka_uy with a component definition).",
            ),
            (
                "no.collection.shop",
                "there is no component 'no.collection.shop' (no role no.collection.shop with a component definition).",
            ),
            ("report", "the role of 'report' defines no component with name, layer and namespace."),
        ],
    )
    def test_what_is_not_a_component_is_named(self, entry, message):
        with fails(f"gitops_components: {message}"):
            run_action("gitops_plan", components=[entry])

    def test_a_role_without_definition_is_named(self, role):
        role("empty", tasks="")
        message = "no role acme.platform.empty with a component definition"
        with pytest.raises(AnsibleActionFail, match=re.escape(message)):
            run_action("gitops_plan", components=["acme.platform.empty"])
        role("void", vars="---\n")
        with pytest.raises(AnsibleActionFail, match=r"the role of 'acme\.platform\.void' defines no component"):
            run_action("gitops_plan", components=["acme.platform.void"])

    def test_what_cannot_be_ordered_is_refused(self, role):
        role("shop", vars="shop_component: {name: shop, layer: infra, namespace: shop, depends_on: [bank]}\n")
        with fails("gitops_components: shop depends on bank, which is not in the list: add it or remove shop."):
            run_action("gitops_plan", components=["acme.platform.shop"])

    def test_a_variable_that_a_definition_misses_is_named(self, role):
        role("shop", vars='shop_component: {name: shop, layer: infra, namespace: shop, warnings: ["{{ nowhere }}"]}\n')
        with pytest.raises(AnsibleError, match="'nowhere' is undefined"):
            run_action("gitops_plan", components=["acme.platform.shop"])

    def test_the_list_is_required(self):
        with pytest.raises(AnsibleError, match="missing required arguments: components"):
            run_action("gitops_plan")


URL = "https://example.invalid/v1/operator.yaml"
OFFICIAL = "kind: Deployment\nmetadata: {name: operator}\n"
UPSTREAM = {
    "url": URL,
    "sha256": hashlib.sha256(OFFICIAL.encode()).hexdigest(),
    "kinds": [{"group": "example.com", "versions": ["v1"], "kind": "Widget", "plural": "widgets"}],
    "stand_in_deployments": [{"name": "operator"}],
}


class TestComponentRender:
    @pytest.fixture(autouse=True)
    def cache(self, tmp_path, monkeypatch):
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))

    @pytest.fixture
    def templates(self, tmp_path):
        return write(
            tmp_path / "templates",
            {
                "base/service.yaml.j2": "kind: Service\nmetadata: {name: {{ name }}}\n",
                "overlay/kustomization.yaml.j2": "resources: [../../base]\n",
                "overlay/optional.yaml.j2": "{% if optional | default(false) %}\nkind: Job\n{% endif %}\n",
            },
        )

    @pytest.fixture
    def render(self, tmp_path, templates):
        def render(variables=None, check=False, **more):
            arguments = {
                "name": "shop",
                "layer": "infra",
                "namespace": "shop",
                "environment": "dev",
                "tree": str(tmp_path / "tree"),
                "templates": str(templates),
                "pins": ["name"],
            }
            return run_action("component_render", {"name": "web"} | (variables or {}), check, **arguments | more)

        return render

    @pytest.fixture
    def folder(self, tmp_path):
        return tmp_path / "tree" / "argocd" / "infra" / "shop"

    def test_templates_become_base_and_overlay(self, render, folder):
        result = render(namespaces=["shop"])
        names = ["base/service.yaml", "envs/dev/kustomization.yaml", "envs/dev/namespaces.yaml"]
        assert result.pop("diff")[0] == {
            "before_header": f"{folder}/base/service.yaml",
            "after_header": f"{folder}/base/service.yaml",
            "before": "",
            "after": headed("kind: Service\nmetadata: {name: web}\n"),
        }
        assert result == {"changed": True, "files": [f"{folder}/{name}" for name in names], "stand_in": False}
        assert (folder / names[1]).read_text() == headed("resources: [../../base, namespaces.yaml]\n")

    @pytest.mark.parametrize(
        ("text", "foreign"),
        [
            ("host: {{ shop_host }}\n", "shop_host"),
            ("{% for x in range(shop_count) %}\n- {{ x }}\n{% endfor %}\n", "shop_count"),
            ("#jinja2: variable_start_string:'[[', variable_end_string:']]'\na: [[ b ]]\nc: '{{ d }}'\n", "b"),
            ("{% set shown = 1 %}\n{% include 'part.j2' %}\n", "hidden"),
            ("#jinja2: variable_start_string:'[[', variable_end_string:']]'\n{% include 'other.j2' %}\n", "far"),
            ("{% include shop_part %}\n", "an include whose name is computed, shop_part"),
            ("a: {{ lookup('env', 'HOME') }}\n", "lookup"),
            ("a: {{ query('ansible.builtin.vars', 'shop_host') }}\n", "query"),
            ("a: {{ vars['shop_host'] }}\nb: {{ hostvars.localhost.shop_host }}\n", "hostvars, vars"),
            ("a: {{ gitops_environment }} {{ component_scheme }}\n", "component_scheme, gitops_environment"),
        ],
    )
    def test_a_base_with_a_value_of_one_environment_is_refused(self, render, templates, folder, text, foreign):
        write(templates, {"base/host.yaml.j2": text, "part.j2": "a: {{ hidden }}\nb: {{ shown }}\n"})
        write(templates, {"other.j2": "a: [[ far ]]\nb: '{{ d }}'\n"})
        with pytest.raises(AnsibleActionFail) as error:
            render({"shop_host": "dev.example.com", "shop_count": 1, "b": 1, "hidden": 1})
        assert str(error.value) == (
            f"shop: {templates}/base/host.yaml uses {foreign}, and a base is the same for all environments: use it in "
            "templates/overlay, or name a pinned version in pins of the component's definition."
        )
        assert not folder.exists()

    def test_a_base_may_use_the_definition_of_its_component(self, render, templates, folder):
        own = {f"{templates.parent.name}_component": {"namespace": "a"}, "component_definition": {"namespace": "b"}}
        text = "a: {{ " + templates.parent.name + "_component.namespace }}\nb: {{ component_definition.namespace }}\n"
        write(templates, {"base/own.yaml.j2": text})
        render(own)
        assert content_of((folder / "base/own.yaml").read_text()) == "a: a\nb: b\n"

    def test_a_second_time_changes_nothing_and_what_leaves_is_removed(self, render, folder):
        render({"optional": True})
        assert render({"optional": True}) == {"changed": False, "files": [], "stand_in": False, "diff": []}
        result = render()
        assert result["files"] == [f"{folder}/envs/dev/optional.yaml"]
        assert (result["diff"][0]["before"], result["diff"][0]["after"]) == (headed("kind: Job\n"), "")
        assert not (folder / "envs" / "dev" / "optional.yaml").exists()

    def test_check_mode_shows_the_diff_and_writes_nothing(self, render, folder):
        result = render(check=True)
        assert result["files"] == [f"{folder}/base/service.yaml", f"{folder}/envs/dev/kustomization.yaml"]
        assert not folder.exists()

    def test_an_official_file_is_written_byte_for_byte(self, tmp_path, render, folder):
        write(tmp_path / "mirror", {"example.invalid/v1/operator.yaml": OFFICIAL})
        mirror = str(tmp_path / "mirror")
        assert not render(upstream=UPSTREAM, overlay_upstream=UPSTREAM, mirror=mirror)["stand_in"]
        assert (folder / "base" / "upstream.yaml").read_text() == OFFICIAL
        assert (folder / "envs" / "dev" / "upstream.yaml").read_text() == OFFICIAL

    def test_an_official_file_with_another_checksum_is_refused(self, tmp_path, render):
        write(tmp_path / "mirror", {"example.invalid/v1/operator.yaml": "other"})
        found, expected = hashlib.sha256(b"other").hexdigest(), UPSTREAM["sha256"]
        source = f"{tmp_path}/mirror/example.invalid/v1/operator.yaml"
        with fails(f"shop: {source} has sha256 {found}, expected {expected}: correct the pinned checksum or the file."):
            render(upstream=UPSTREAM, mirror=str(tmp_path / "mirror"), stand_in="auto")

    def test_a_stand_in_takes_the_place_of_an_official_file(self, render, folder):
        name = trust_as_template("{{ name }}")
        upstream = UPSTREAM | {"stand_in_deployments": [{"name": name, "args": ["--watch"]}]}
        assert render(upstream=upstream, stand_in="always")["stand_in"] is True
        text = (folder / "base" / "upstream.yaml").read_text()
        crd, deployment = yaml.safe_load_all(text)
        assert text.startswith(HEADER)
        assert crd["metadata"]["name"] == "widgets.example.com"
        assert deployment["metadata"]["namespace"] == "shop"
        assert deployment["spec"]["template"]["spec"]["containers"][0]["args"] == ["--watch"]

    @pytest.fixture
    def warnings(self, monkeypatch):
        shown: list[str] = []
        monkeypatch.setattr(Display, "warning", lambda _display, text, **_more: shown.append(text))
        return shown

    def test_without_a_checksum_a_rehearsal_gets_a_stand_in_and_a_warning(self, render, warnings):
        upstream = UPSTREAM | {"sha256": "", "sha256_variable": "shop_sha256"}
        assert render(upstream=upstream, stand_in="auto")["stand_in"] is True
        reason = f"No checksum is set: pin shop_sha256 to the sha256 checksum of {URL}."
        assert warnings == [f"shop: a stand-in takes the place of the official manifest. {reason}"]
        with fails(f"shop: {reason}"):
            render(upstream=upstream)

    def test_a_mirror_must_have_the_file_but_not_that_of_an_overlay(self, tmp_path, render, warnings):
        (tmp_path / "mirror").mkdir()
        with pytest.raises(
            AnsibleActionFail, match=r"^shop: .*/mirror/example\.invalid/v1/operator\.yaml cannot be read"
        ):
            render(upstream=UPSTREAM, mirror=str(tmp_path / "mirror"), stand_in="auto")
        assert warnings == []
        assert render(overlay_upstream=UPSTREAM, mirror=str(tmp_path / "mirror"), stand_in="auto")["stand_in"] is True
        assert len(warnings) == 1

    def test_what_a_rehearsal_adds_is_in_a_folder_of_its_own(self, tmp_path, render, folder):
        extra = write(tmp_path / "rehearsal", {"webhooks.yaml.j2": "kind: Job\nmetadata: {name: {{ name }}}\n"})
        render(rehearsal_templates=str(extra))
        text = headed("kind: Job\nmetadata: {name: web}\n")
        assert (folder / "envs" / "dev" / "rehearsal" / "webhooks.yaml").read_text() == text

    def test_a_template_that_fails_is_named(self, templates, render, folder):
        write(templates, {"overlay/bad.yaml.j2": "a: {{ nowhere }}\n"})
        with pytest.raises(AnsibleActionFail) as error:
            render()
        assert str(error.value).startswith(f"shop: {templates}/overlay/bad.yaml: ")
        assert "'nowhere' is undefined" in str(error.value)
        assert not folder.exists()

    def test_a_tree_that_cannot_be_written_is_named(self, tmp_path, render):
        write(tmp_path, {"tree": "a file"})
        with fails(f"shop: [Errno 20] Not a directory: '{tmp_path}/tree/argocd/infra/shop/base'"):
            render()

    def test_folders_without_templates_are_refused_and_nothing_is_removed(self, tmp_path, render, folder):
        render()
        for option in ("templates", "rehearsal_templates"):
            with fails(f"shop: {tmp_path}/nowhere is not a folder: name the one that has the templates."):
                render(**{option: str(tmp_path / "nowhere")})
        assert (folder / "base" / "service.yaml").exists()

    def test_layers_are_known(self, render):
        with pytest.raises(AnsibleError, match="value of layer must be one of: infra, services, got: apps"):
            render(layer="apps")


class TestApplicationsetsRender:
    def test_every_tree_is_rendered(self, tmp_path):
        write(tmp_path / "a", {"one.yaml.j2": "a: {{ value }}"})
        write(tmp_path / "b", {"page.html.j2": "{{ value }} [\n", "none.html.j2": "{% if false %}x{% endif %}"})
        trees = [
            {"src": str(tmp_path / "a"), "dest": str(tmp_path / "x")},
            {"src": str(tmp_path / "b"), "dest": str(tmp_path / "y"), "manifests": False},
        ]
        checked = run_action("applicationsets_render", {"value": 1}, True, trees=trees)
        assert not (tmp_path / "x").exists()
        result = run_action("applicationsets_render", {"value": 1}, trees=trees)
        assert result == checked
        assert (result["changed"], result["files"]) == (True, [f"{tmp_path}/x/one.yaml", f"{tmp_path}/y/page.html"])
        assert (tmp_path / "x" / "one.yaml").read_text() == headed("a: 1\n")
        assert (tmp_path / "y" / "page.html").read_text() == "1 [\n"
        assert run_action("applicationsets_render", {"value": 1}, trees=trees) == {
            "changed": False,
            "files": [],
            "diff": [],
        }

    def test_a_template_may_include_another_one(self, tmp_path):
        write(
            tmp_path / "a", {"one.yaml.j2": "{% include 'parts/two.yaml.j2' %}", "parts/two.yaml.j2": "a: {{ value }}"}
        )
        run_action(
            "applicationsets_render", {"value": 1}, trees=[{"src": str(tmp_path / "a"), "dest": str(tmp_path / "x")}]
        )
        assert (tmp_path / "x" / "one.yaml").read_text() == headed("a: 1\n")

    def test_what_is_included_may_lie_next_to_the_folder_with_the_delimiters_of_the_template(self, tmp_path):
        header = "#jinja2: variable_start_string:'[[', variable_end_string:']]'\n"
        write(
            tmp_path, {"a/one.yaml.j2": f"{header}{{% include 'two.yaml.j2' %}}", "two.yaml.j2": "a: [[ value ]]{{}}"}
        )
        run_action(
            "applicationsets_render", {"value": 1}, trees=[{"src": str(tmp_path / "a"), "dest": str(tmp_path / "x")}]
        )
        assert [path.name for path in (tmp_path / "x").iterdir()] == ["one.yaml"]
        assert (tmp_path / "x" / "one.yaml").read_text() == headed("a: 1{{}}\n")

    def test_what_is_not_yaml_is_named(self, tmp_path):
        write(tmp_path / "a", {"one.yaml.j2": "a: [{{ value }}"})
        with pytest.raises(
            AnsibleActionFail, match=f"^{re.escape(str(tmp_path))}/a/one.yaml does not render to YAML: "
        ):
            run_action(
                "applicationsets_render",
                {"value": 1},
                trees=[{"src": str(tmp_path / "a"), "dest": str(tmp_path / "x")}],
            )

    def test_a_folder_that_is_missing_is_refused(self, tmp_path):
        with fails(f"{tmp_path}/nowhere is not a folder: name the one that has the templates."):
            run_action(
                "applicationsets_render", trees=[{"src": str(tmp_path / "nowhere"), "dest": str(tmp_path / "x")}]
            )
