# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The variables of an inventory: what is wrong is said in one sentence each, and nothing else is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from ansible.errors import AnsibleActionFail
from ansible.parsing.dataloader import DataLoader
from ansible.parsing.vault import EncryptedString
from ansible.template import trust_as_template
from ansible_collections.monorepo.gitops.plugins.action import gitops_inputs
from ansible_collections.monorepo.gitops.plugins.module_utils._environment import inputs

from .running import action_plugin, run_action

ROOT = Path(__file__).resolve().parent.parent.parent
# All of this collection.
COMPONENTS = DataLoader().load_from_file(str(ROOT / "inventories/dev/group_vars/all/components.yml"))[
    "gitops_components"
]
VARIABLES = {"gitops_environment": "dev", "gitops_components": ["maildev", "kafka"]}


def complaints(**variables):
    """Return what is said about an inventory with these variables."""
    given = VARIABLES | variables
    try:
        run_action("gitops_inputs", given, components=given.get("gitops_components") or [])
    except AnsibleActionFail as error:
        return str(error).splitlines()
    return []


@pytest.mark.parametrize(
    ("variables", "sentence"),
    [
        ({"maildev_replicas": "many"}, 'maildev_replicas is "many", which is not a whole number.'),
        ({"maildev_resources": [1]}, "maildev_resources is [1], which is not a mapping."),
        ({"gitops_tls": "perhaps"}, 'gitops_tls is "perhaps", which is not true or false.'),
        ({"gitops_removals": {"a": 1}}, 'gitops_removals is {"a": 1}, which is not a list of texts.'),
        ({"cluster_kind": "kind"}, 'cluster_kind is "kind", which is not one of rehearsal, existing.'),
        ({"kafka_topics": [{"nam": "x"}]}, "kafka_topics[0]: missing required arguments: name."),
        (
            {"gitops_project_kinds": {"apps": []}},
            "gitops_project_kinds: unknown entry gitops_project_kinds.apps. Supported parameters include: infra, "
            "services.",
        ),
        (
            {"gitops_project_kinds": {"services": [{"group": "batch"}]}},
            "gitops_project_kinds.services[0]: missing required arguments: kind.",
        ),
        (
            {"gitops_environment": None},
            "gitops_environment is not set: Name of the environment, and of the folder envs/<environment> of each "
            "component.",
        ),
        (
            {"gitops_domian": "x"},
            "gitops_domian is not a variable of this collection. Did you mean gitops_domain?",
        ),
        ({"gitops_color": "red"}, "gitops_color is not a variable of this collection."),
        ({"kafka_topisc": []}, "kafka_topisc is not a variable of this collection. Did you mean kafka_topics?"),
        ({"report_foldr": "x"}, "report_foldr is not a variable of this collection. Did you mean report_folder?"),
    ],
    ids=lambda value: ",".join(value) if isinstance(value, dict) else None,
)
def test_what_is_wrong_is_one_sentence(variables, sentence):
    assert complaints(**variables) == [sentence]


@pytest.mark.parametrize(
    "variables",
    [
        {},
        {"maildev_replicas": "2"},
        {"maildev_replicas": None},
        {"gitops_components": "maildev,kafka"},
        # Names that are everybody's, and those of roles that are not part of the run.
        {"api_token": "x", "report_to": "me", "kafka_mirror": 1, "temporal_replcas": 2},
        # What a run sets itself.
        {name: {} for name in sorted(gitops_inputs.RESULTS)},
        # What playbooks hand to a role.
        {"report_commit": "4e84fb3", "component_namespaces": [], "gitops_repo_tree": "/x"},
        # It depends on what a later step finds, or cannot be found out.
        {"maildev_host": trust_as_template("mail.{{ cluster_connection.server }}")},
        {"maildev_host": trust_as_template("{{ lookup('ansible.builtin.file', '/nowhere/x') }}")},
        {"maildev_host": trust_as_template("{{ lookup('acme.secrets.vault', 'x') }}")},
        {"maildev_host": trust_as_template("{{ 1 / 0 }}")},
        {"maildev_host": EncryptedString(ciphertext="$ANSIBLE_VAULT;1.1;AES256\n6162")},
    ],
    ids=lambda value: ",".join(value) or "nothing",
)
def test_what_is_right_or_not_ours_is_left_alone(variables):
    assert complaints(**variables) == []


def test_all_that_is_wrong_is_said_at_once():
    assert len(complaints(maildev_replicas="many", gitops_domian="x", cluster_kind="kind")) == 3


def test_a_secret_is_not_shown():
    options = {"argocd_password": {"type": "str", "no_log": True, "choices": ["a"]}}
    (sentence,) = inputs.wrong_values(options, {"argocd_password": "hunter2"}, lambda _name: "")
    assert sentence == "argocd_password has a value that is not one of a."
    nested = {"argocd_repositories": {"type": "list", "elements": "dict", "no_log": True, "options": {"url": {}}}}
    (sentence,) = inputs.wrong_values(nested, {"argocd_repositories": [{"password": "hunter2"}]}, lambda _name: "")
    assert sentence == "argocd_repositories[0]: an entry has a wrong value."


def test_an_unknown_entry_is_named():
    options = {"kafka_storage": {"type": "dict", "options": {"size": {}}}}
    (sentence,) = inputs.wrong_values(options, {"kafka_storage": {"sise": "1Gi"}}, lambda _name: " (infra.yml:3)")
    assert sentence == (
        "kafka_storage: unknown entry kafka_storage.sise. Supported parameters include: size (infra.yml:3)."
    )


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        (
            [{"name": "a"}, {"name": "b", "partitions": "many"}],
            'kafka_topics[1].partitions is "many", which is not a whole number.',
        ),
        ([{"name": "a"}, "b"], 'kafka_topics is [{"name": "a"}, "b"], which is not a list of mappings.'),
        ([{"partitions": 3}], "kafka_topics[0]: missing required arguments: name."),
        (7, "kafka_topics is 7, which is not a list of mappings."),
    ],
)
def test_a_wrong_entry_is_named_by_its_path(value, sentence):
    entry = {"name": {"type": "str", "required": True}, "partitions": {"type": "int"}}
    options = {"kafka_topics": {"type": "list", "elements": "dict", "options": entry}}
    assert list(inputs.wrong_values(options, {"kafka_topics": value}, lambda _name: "")) == [sentence]


# What may have credentials: URLs, environment variables, and configuration that is handed on as it is.
SECRET = re.compile(
    r"\w+_(config|env|mirror|password|secret|token|url)"
    r"|argocd_(cm|cmd_params|notifications|repositories)|common_external_clusters"
)


def test_every_option_that_can_contain_a_secret_says_so_and_its_value_is_never_shown():
    roles = [gitops_inputs.entry_points(folder) for folder in ROOT.glob("roles/*")]
    options = inputs.union(entry for spec in roles for entry in spec.values())
    marked = [name for name, option in options.items() if inputs.secret(option)]
    assert sorted(marked) == sorted(name for name in options if SECRET.fullmatch(name))
    assert len(marked) > 10
    for value in ("hunter2", ["hunter2"], {"hunter2": "hunter2"}, [{"name": "hunter2"}]):
        found = list(inputs.wrong_values(options, dict.fromkeys(marked, value), lambda _name: ""))
        assert "hunter2" not in "".join(found)
        assert found


def test_a_secret_is_not_looked_up_for_the_check(tmp_path):
    for name, option in (("a", {}), ("b", {"no_log": True}), ("c", {"options": {"d": {"no_log": True}}})):
        given = {name: [trust_as_template(f"{{{{ lookup('ansible.builtin.pipe', 'touch {tmp_path}/{name}') }}}}")]}
        action_plugin("gitops_inputs", given, components=[])._values({name: option}, given)
    assert [file.name for file in tmp_path.iterdir()] == ["a"]


def test_a_long_value_is_cut():
    (sentence,) = inputs.wrong_values({"a": {"type": "int"}}, {"a": "x" * 200}, lambda _name: "")
    assert sentence == f'a is "{"x" * 79}…, which is not a whole number.'


def write(file, text):
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return file


def wrong_replicas(**variables):
    """Return where a wrong value is said to be."""
    (found,) = complaints(maildev_replicas="many", **variables)
    return found.removeprefix('maildev_replicas is "many", which is not a whole number').removesuffix(".")


def test_the_file_of_an_inventory_that_is_a_folder_is_named(tmp_path):
    file = write(tmp_path / "group_vars/all/gitops.yml", "---\ngitops_environment: dev\n\nmaildev_replicas: many\n")
    assert wrong_replicas(ansible_inventory_sources=[str(tmp_path)]) == f" ({file}, line 4)"
    hosts = write(tmp_path / "hosts.yml", "all:\n  vars:\n    maildev_replicas: many\n")
    assert wrong_replicas(ansible_inventory_sources=[str(tmp_path)]) == f" ({file}, line 4)"
    file.unlink()
    assert wrong_replicas(ansible_inventory_sources=[str(tmp_path)]) == f" ({hosts}, line 3)"


def test_an_inventory_that_is_a_file_is_read_with_the_variables_next_to_it_and_nothing_else(tmp_path):
    hosts = write(tmp_path / "hosts.ini", "[all:vars]\n# maildev_replicas=1\nmaildev_replicas = many\n")
    others = [tmp_path / "other/group_vars/all.yml", tmp_path / "prod.yml", tmp_path / "roles/x/vars/main.yml"]
    for file in others:
        write(file, "maildev_replicas: many\n")
    given = {"ansible_inventory_sources": [str(hosts), "a,b"], "playbook_dir": str(tmp_path / "playbooks")}
    assert wrong_replicas(**given) == f" ({hosts}, line 3)"
    for name in ("group_vars/all", "playbooks/group_vars/all.yaml", "host_vars/localhost.json"):
        file = write(tmp_path / name, '"maildev_replicas": many\n')
        assert wrong_replicas(**given) == f" ({file}, line 1)"
    assert wrong_replicas(ansible_inventory_sources=[str(tmp_path / "gone.ini")]) == ""


def test_a_file_that_cannot_be_read_is_skipped(tmp_path):
    file = write(tmp_path / "group_vars/all/a.yml", "maildev_replicas: many\n")
    (file.parent / "b.yml").symlink_to("/proc/self/mem")  # root may open every file, but cannot read this one
    (file.parent / "c.yml").symlink_to("/nowhere")
    assert wrong_replicas(ansible_inventory_sources=[str(tmp_path)]) == f" ({file}, line 1)"


@pytest.mark.parametrize(
    ("line", "suffix", "expected"),
    [
        ("a_b: 1", ".yml", True),
        ("    a_b : 1", ".yml", True),
        ('  "a_b": 1,', ".json", True),
        ("# a_b: 1", ".yml", False),
        ("xa_b: 1", ".yml", False),
        ("a_bc: 1", ".yml", False),
        ("command: set a_b=1", ".yml", False),
        ("localhost ansible_connection=local a_b=1", ".ini", True),
        ("a_b = 1", "", True),
        ("# localhost a_b=1", ".ini", False),
        ("localhost xa_b=1", ".ini", False),
    ],
)
def test_the_line_that_sets_a_variable(line, suffix, expected):
    assert inputs.sets("a_b", line, suffix) is expected


SHOP = """
argument_specs:
  main:
    options:
      gitops_domain: {required: true}
      shop_any:
      shop_color: {required: true}
      shop_host: {required: true, description: [Host name of C(shop). By default none., More.]}
      shop_size: {required: true}
      shop_token: {required: true, no_log: true}
      argocd_version: {type: int}
  other:
    options:
      shop_other: {required: true}
  bare:
"""


def test_what_a_component_of_another_collection_requires_must_be_set(role):
    shop = role("shop", specs=SHOP, defaults="shop_size: 1\n", vars="shop_component: {}\n")
    (shop / "vars" / "red.yml").write_text("shop_color: red\n")
    (shop / "vars" / "broken.yml").write_text("{")
    (shop / "vars" / "list.json").write_text("[]")
    given = {"gitops_components": ["acme.platform.shop"]}
    domain = "gitops_domain is not set: Domain of the host names, such as maildev.<gitops_domain>."
    assert complaints(**given) == [
        domain,
        "shop_host is not set: Host name of shop.",
        "shop_token is not set, and a component requires it.",
    ]
    values = {"gitops_domain": "x", "shop_host": "x", "shop_token": trust_as_template("{{ later }}"), "shop_any": "y"}
    assert complaints(**given, **values) == []
    assert complaints(**given, **values, shop_tokne="x") == [
        "shop_tokne is not a variable of this collection. Did you mean shop_token?"
    ]
    # It cannot change what our variables are.
    assert complaints(**given, **values, argocd_version="v1") == []


def test_what_two_roles_declare_is_what_the_first_says_and_a_secret_if_either_says_so():
    assert inputs.union([{"a": {"type": "int"}}, {"a": {"no_log": True}, "b": {}}]) == {
        "a": {"type": "int", "no_log": True},
        "b": {},
    }


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [("a", "a", 0), ("topics", "topisc", 1), ("host", "port", 2), ("uid", "cidr", 2), ("abc", "", 3), ("", "abc", 3)],
)
def test_the_distance_of_two_words(one, other, expected):
    assert inputs.distance(one, other) == expected


# What else an inventory of a Kubernetes cluster may have, each beginning like a variable of a role.
ORDINARY = """
    api_cert api_hosts api_key api_port api_server api_target_hosts api_token api_url api_user api_version
    argocd_admin_password argocd_app argocd_apps argocd_host argocd_image argocd_namespaces argocd_ns argocd_password
    argocd_port argocd_repo argocd_server argocd_tag argocd_token argocd_ui_port argocd_url argocd_user argocd_values
    auth_hosts auth_method auth_port auth_token auth_url auth_user
    cert_manager_email cert_manager_enabled cert_manager_image cert_manager_issuer cert_manager_namespace
    cluster_cidr cluster_dns cluster_domain cluster_id cluster_ip cluster_name cluster_node cluster_nodes cluster_type
    common_drizzle_port common_labels common_name common_packages common_tags common_user
    component_name component_version
    gateway_address gateway_api_version gateway_class gateway_crd gateway_domains gateway_host gateway_ip gateway_port
    gateway_tcp_port
    kafka_advertised_host kafka_bootstrap_port kafka_brokers kafka_connect_acl kafka_connect_configs kafka_host
    kafka_hosts kafka_partitions kafka_password kafka_port kafka_topic kafka_ui_port kafka_user kafka_versions
    kafka_super_user kafka_ui_hosts kafka_zookeeper
    maildev_hosts maildev_images maildev_port
    minio_api_port minio_bucket minio_console_port minio_endpoint minio_password minio_secret_key minio_user
    report_commits report_date report_email report_format report_failures
    strimzi_image strimzi_namespace temporal_db temporal_namespaces temporal_port temporal_server_port temporal_user
"""
MISSPELT = {
    "api_taget_host": "api_target_host",
    "applicationsets_automatd": "applicationsets_automated",
    "argocd_manifest_sha265": "argocd_manifest_sha256",
    "argocd_repositries": "argocd_repositories",
    "argocd_reposotiries": "argocd_repositories",
    "cluster_contxet": "cluster_context",
    "cluster_kidn": "cluster_kind",
    "cluster_kubconfg": "cluster_kubeconfig",
    "cluster_uuid": "cluster_uid",
    "common_instance": "common_instances",
    "component_standin": "component_stand_in",
    "gateway_clas_name": "gateway_class_name",
    "gitops_component": "gitops_components",
    "gitops_domains": "gitops_domain",
    "gitops_repo_component": None,
    "gitops_repo_opne": None,
    "gitops_enviroment": "gitops_environment",
    "gitops_repo_brnach": "gitops_repo_branch",
    "gitops_repo_token": None,
    "gitops_tag": None,
    "gitops_tsl": "gitops_tls",
    "gitops_wiat": None,
    "kafka_replica": "kafka_replicas",
    "kafka_superusers": "kafka_super_users",
    "maildev_image_pullpolicy": "maildev_image_pull_policy",
    "maildev_resource": "maildev_resources",
    "minio_bukets": "minio_buckets",
    "report_foldr": "report_folder",
    "temporal_hisotry_shards": "temporal_history_shards",
}


def test_names_that_are_somebody_elses_are_left_alone():
    assert complaints(gitops_components=COMPONENTS, **dict.fromkeys(ORDINARY.split(), "x")) == []


@pytest.mark.parametrize(("name", "meant"), MISSPELT.items())
def test_a_misspelt_name_stops_and_what_is_meant_is_something_that_a_user_may_set(name, meant):
    hint = f" Did you mean {meant}?" if meant else ""
    assert complaints(gitops_components=COMPONENTS, **{name: "x"}) == [
        f"{name} is not a variable of this collection.{hint}"
    ]


def test_the_names_of_results_are_those_of_the_playbooks_and_roles():
    files = [*ROOT.glob("playbooks/tasks/*.yml"), *ROOT.glob("playbooks/site.yml"), *ROOT.glob("roles/*/tasks/*.yml")]
    texts = [file.read_text() for file in files]
    registered = {name for text in texts for name in re.findall(r"register: ([a-z]\w+)", text)}
    facts = {name for text in texts for name in re.findall(r"set_fact:\n\s+([a-z]\w+):", text)}
    assert registered | facts == gitops_inputs.RESULTS


def test_no_variable_of_the_inventories_is_unknown():
    for name in ("dev", "prod"):
        files = sorted((ROOT / "inventories" / name / "group_vars" / "all").glob("*.yml"))
        loaded = [DataLoader().load_from_file(str(file), trusted_as_template=True) or {} for file in files]
        variables = {key: value for found in loaded for key, value in found.items()}
        assert complaints(**variables) == []


ARGUMENTS = {
    "app": {"description": "Names of the Applications.", "type": "list", "elements": "str", "default": []},
    "tail": {"description": "How many lines.", "type": "int"},
}


@pytest.fixture
def given_with_e(monkeypatch):
    """Let variables be given with -e, and return what the check says of them and of the inventory's."""

    def check(extra, inventory=None, arguments=None):
        monkeypatch.setattr(gitops_inputs, "load_extra_vars", lambda _loader: extra)
        variables = VARIABLES | (inventory or {}) | extra
        return run_action("gitops_inputs", variables, components=["maildev"], arguments=arguments or ARGUMENTS)

    return check


def test_the_arguments_of_a_playbook_have_their_types_and_defaults(given_with_e):
    assert given_with_e({"app": "maildev,kafka", "tail": "20", "my_color": "red"})["arguments"] == {
        "app": ["maildev", "kafka"],
        "tail": 20,
    }
    assert given_with_e({})["arguments"] == {"app": [], "tail": None}


def test_a_variable_of_the_inventory_is_no_argument(given_with_e):
    assert given_with_e({}, {"app": "shop", "tail": "long"})["arguments"] == {"app": [], "tail": None}


@pytest.mark.parametrize(
    ("extra", "sentence"),
    [
        ({"apps": "maildev"}, "apps is not an argument of this playbook (given with -e). Did you mean app?"),
        ({"tail": "many"}, 'tail is "many", which is not a whole number (given with -e).'),
    ],
)
def test_a_wrong_argument_is_named(given_with_e, extra, sentence):
    with pytest.raises(AnsibleActionFail) as error:
        given_with_e(extra)
    assert str(error.value) == sentence


def test_an_argument_that_must_be_given_is_named(given_with_e):
    with pytest.raises(AnsibleActionFail) as error:
        given_with_e({"app": ""}, arguments={"app": ARGUMENTS["app"] | {"required": True}})
    assert str(error.value) == "app is not set: Names of the Applications."
