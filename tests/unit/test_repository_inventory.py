# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The inventory that describes a repository: of the seed's tree, of other layouts, and of trees made at random."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import seed_tree
import yaml
from ansible.errors import AnsibleActionFail
from ansible_collections.monorepo.gitops.plugins.action.repository_inventory import LOCAL, MOVED
from ansible_collections.monorepo.gitops.plugins.module_utils._environment import inventory, layout
from hypothesis import HealthCheck, Phase, given, settings
from rendering import programs

from . import trees
from .running import run_action

ROOT = Path(__file__).resolve().parent.parent.parent
K = "kustomization.yaml"


def describe(folder: Path, check: bool = False, **arguments):
    """Return what is found out about the last commit of a folder, with stand-ins for official manifests."""
    command = [str(programs() / "bin" / "kustomize"), "build"]
    variables = {"component_rehearsal": True, "component_stand_in": "always", "gitops_kustomize_command": command}
    # An inventory of another environment, as ansible.cfg may name one: nothing of it may get into the result.
    variables |= {"gitops_domain": "other.example.com", "cluster_kind": "rehearsal", "auth_replicas": 7}
    return run_action("repository_inventory", variables, check, url=str(folder), command=command, **arguments)


def write(folder: Path, files: dict[str, object]) -> Path:
    """Write files and commit them; a mapping is written as YAML."""
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content if isinstance(content, str) else yaml.safe_dump(content))
    seed_tree.commit(folder)
    return folder


def config_map(name: str, **data: str) -> dict[str, object]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


def check(found: dict) -> dict:
    """Let role gitops check an inventory, and return it."""
    variables = yaml.safe_load(found["inventory"])
    run_action("gitops_inputs", variables, components=variables["gitops_components"])
    return variables


def kustomized(folder: Path) -> list[dict]:
    """Return what kustomize builds."""
    command = [programs() / "bin" / "kustomize", "build", folder]
    return list(yaml.safe_load_all(subprocess.run(command, check=True, capture_output=True, text=True).stdout))


# --- the seed's tree --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def seed(tmp_path_factory):
    folder = seed_tree.write(tmp_path_factory.mktemp("seed"))
    seed_tree.commit(folder)
    return folder


def test_the_tree_has_every_manifest_of_the_page(seed):
    """What the fixture is about: project default, patchesStrategicMerge, and routes without a listener."""
    texts = {path.name: path.read_text() for path in seed.rglob("*.yaml")}
    everything = "".join(path.read_text() for path in seed.rglob("*.yaml"))
    assert "project: default" in texts["infra.yaml"]
    for word in ("patchesStrategicMerge", "selfsigned-cluster-issuer", "password-64-length", "strimzi.io/kraft:"):
        assert word in everything
    for word in ("kind: GRPCRoute", "TCP4:host.docker.internal:4000", "ghcr.io/voltade/postgres:17.5", "SkipDryRun"):
        assert word in everything
    assert "sectionName" not in everything


def test_an_environment_must_be_chosen_where_there_are_several(seed):
    with pytest.raises(AnsibleActionFail) as error:
        describe(seed)
    assert str(error.value) == f"file://{seed} has overlays of dev, prod: choose one, such as -e overlay=dev."
    with pytest.raises(AnsibleActionFail) as error:
        describe(seed, environment="test")
    assert str(error.value) == f"file://{seed} has no overlay named 'test'; it has dev, prod."


# --- other repositories -----------------------------------------------------------------------------------------------


def legacy(**overlay) -> dict[str, object]:
    """Return a component without a role, in the layout of this collection."""
    return {
        f"argocd/services/legacy/base/{K}": {"resources": ["x.yaml"]},
        "argocd/services/legacy/base/x.yaml": config_map("legacy"),
        f"argocd/services/legacy/envs/dev/{K}": {"resources": ["../../base"]} | overlay,
    }


def test_a_repository_of_strangers_becomes_an_inventory_without_components(tmp_path):
    found = describe(write(tmp_path, legacy()))
    commit = found["commit"][:12]
    assert found["inventory"] == (
        f"---\n# The environment dev of file://{tmp_path} at {commit}.\n# {LOCAL}\n"
        f"gitops_environment: dev\ngitops_repo_url: file://{tmp_path}\n"
        "# These are rendered by roles.\ngitops_components: []\n"
        "# These stay as people wrote them, and need no entry unless a line says so:\n"
        "#   services/legacy: no role has this name\n"
    )
    assert found["summary"] == (
        f"file://{tmp_path} at {commit}, environment dev: 0 of 1 components can be rendered by roles, without "
        "deleting any object."
    )
    check(found)


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        ({"argocd/services/maildev/envs/dev/x.yaml": "a: b"}, "its role is for argocd/infra/maildev"),
        ({"argocd/infra/My_App/envs/dev/x.yaml": "a: b"}, "no Application can have this name: rename the folder"),
        ({"argocd/infra/x/envs/prod/x.yaml": "a: b"}, "it has no overlay of dev"),
        (
            {"argocd/infra/legacy/envs/dev/x.yaml": "a: b"},
            "both layers have a component of this name, and no run can continue: rename one of them",
        ),
    ],
)
def test_a_component_that_cannot_be_taken_over_is_named(tmp_path, files, reason):
    found = describe(write(tmp_path, legacy() | files), environment="dev")
    label = "/".join(next(iter(files)).split("/")[1:3])
    assert f"#   {label}: {reason}\n" in found["inventory"]
    check(found)


def test_what_kustomize_cannot_build_stays_and_says_why(tmp_path):
    found = describe(write(tmp_path, {"argocd/infra/maildev/envs/dev/Chart.yaml": "name: x"}))
    text = " ".join(line.lstrip("# ") for line in found["inventory"].splitlines())
    why = "its entry must name its kinds (docs/safety.md), because kustomize cannot build it: kustomize build of"
    assert f"infra/maildev: {why} infra/maildev/envs/dev failed: " in text
    assert str(tmp_path) not in text.partition("kustomize cannot")[2]
    found = describe(write(tmp_path, {"argocd/infra/other/envs/dev/Chart.yaml": "name: x"}))
    text = " ".join(line.lstrip("# ") for line in found["inventory"].splitlines())
    assert f"infra/other: no role has this name; {why} infra/other/envs/dev failed: " in text


def test_without_the_official_manifest_nothing_is_compared(tmp_path, monkeypatch):
    command = [str(programs() / "bin" / "kustomize"), "build"]
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder = write(tmp_path / "repository", {f"argocd/infra/reflector/envs/dev/{K}": {"resources": ["x.yaml"]}})
    write(folder, {"argocd/infra/reflector/envs/dev/x.yaml": config_map("own")})
    variables = {"gitops_upstream_mirror": str(tmp_path / "none"), "gitops_kustomize_command": command}
    found = run_action("repository_inventory", variables, url=str(folder), command=command)
    text = " ".join(line.lstrip("# ") for line in found["inventory"].splitlines())
    assert f"infra/reflector: reflector: {tmp_path}/none/github.com/" in text
    assert "Set gitops_upstream_mirror to a mirror that has it." in text
    assert found["components"] == []
    check(found)


def test_folders_of_another_layout_are_moved_in_a_copy(tmp_path):
    files = {
        f"apps/base/cart/{K}": {"resources": ["x.yaml"]},
        "apps/base/cart/x.yaml": config_map("cart"),
        f"apps/overlays/dev/cart/{K}": {"resources": ["../../../base/cart"], "components": ["../../../../shared"]},
        f"apps/overlays/prod/cart/{K}": {"resources": ["../../../base/cart"]},
        f"shared/{K}": {"apiVersion": "kustomize.config.k8s.io/v1alpha1", "kind": "Component", "namePrefix": "x-"},
        f"platform/maildev/base/{K}": {"resources": ["x.yaml"]},
        "platform/maildev/base/x.yaml": config_map("own"),
        f"platform/maildev/overlays/dev/{K}": {"resources": ["../../base"]},
    }
    found = describe(write(tmp_path / "repository", files), environment="dev")
    assert found["moves"] == [
        "mkdir -p argocd/infra/maildev argocd/services/cart argocd/services/cart/envs",
        "git mv apps/base/cart argocd/services/cart/base",
        "git mv apps/overlays/dev/cart argocd/services/cart/envs/dev",
        "git mv apps/overlays/prod/cart argocd/services/cart/envs/prod",
        "git mv platform/maildev/base argocd/infra/maildev/base",
        "git mv platform/maildev/overlays argocd/infra/maildev/envs",
        *(
            rf"""sed -i 's#\(^\|[[:blank:]"'"'"'[,=]\){old}\($\|[[:space:]"'"'"',]\|]\)#\1{new}\2#g' """
            f"argocd/services/cart/envs/{environment}/kustomization.yaml"
            for environment, old, new in (
                ("dev", r"\.\./\.\./\.\./base/cart", "../../base"),
                ("dev", r"\.\./\.\./\.\./\.\./shared", "../../../../../shared"),
                ("prod", r"\.\./\.\./\.\./base/cart", "../../base"),
            )
        ),
        "git add argocd/services/cart/envs/dev/kustomization.yaml argocd/services/cart/envs/prod/kustomization.yaml",
    ]
    assert (found["notes"], found["left"]) == ([MOVED, LOCAL], [])
    assert found["handwritten"] == ["infra/maildev", "services/cart"]
    assert "after the commands that move its folders." in found["inventory"]
    # The commands lead to a repository that is described in the same way without any.
    subprocess.run(["bash", "-euc", "\n".join(found["moves"])], cwd=tmp_path / "repository", check=True)
    seed_tree.commit(tmp_path / "repository")
    again = describe(tmp_path / "repository", environment="dev")
    assert (again["moves"], again["handwritten"]) == ([], found["handwritten"])


def test_what_cannot_be_moved_stays_in_the_copy_and_is_listed(tmp_path):
    """Overlays in an overlay, and a second folder of overlays beside that of the layout."""
    files = {
        f"apps/overlays/dev/{K}": {"resources": ["x.yaml"]},
        "apps/overlays/dev/x.yaml": config_map("apps"),
        f"apps/overlays/dev/redis/overlays/prod/{K}": {"resources": ["x.yaml"]},
        "apps/overlays/dev/redis/overlays/prod/x.yaml": config_map("redis"),
        f"argocd/services/legacy/overlays/prod/{K}": {"resources": ["../../base"]},
        "argocd/services/old/envs/dev/custom/x.yaml": "a: b",
        f"a\x1b[2K\ngit rm -r x/{K}": {"resources": ["../apps/overlays/dev"]},
    }
    found = describe(write(tmp_path / "repository", legacy() | files), environment="dev")
    reference = "../argocd/services/apps/envs/dev"
    assert found["left"] == [
        "apps/overlays/dev/redis: apps/overlays/dev/redis/overlays lies in apps/overlays, which moves as well: "
        "move it by hand",
        "argocd/services/legacy: argocd/services/legacy/envs exists already: move it by hand",
        f"a?[2K git rm -r x/{K}: its reference ../apps/overlays/dev has to be {reference}: change it by hand",
    ]
    assert found["moves"] == ["mkdir -p argocd/services/apps", "git mv apps/overlays argocd/services/apps/envs"]
    assert found["handwritten"] == ["services/apps", "services/legacy", "services/old"]
    assert "#   services/old: it has no overlay of dev\n" in found["inventory"]
    subprocess.run(["bash", "-euc", "\n".join(found["moves"])], cwd=tmp_path / "repository", check=True)
    code, output = play(tmp_path, repository=str(tmp_path / "repository"), overlay="dev")
    assert code == 0, output
    said = ["", "What no command can move to the layout of this collection:", *found["left"], "", *found["notes"], ""]
    assert "\n".join(said) in "\n".join(line.strip() for line in output.splitlines())


def test_bases_and_overlays_as_public_repositories_have_them(tmp_path):
    """Components with a folder each, others with all bases in one; shared parts, and a list for each cluster."""
    shutil.copytree(ROOT / "tests" / "fixtures" / "adoption" / "overlays", tmp_path, dirs_exist_ok=True)
    seed_tree.commit(tmp_path)
    before = {path.parent: kustomized(path.parent) for path in tmp_path.glob("**/overlays/**/kustomization.yaml")}
    everything = kustomized(tmp_path / "clusters" / "dev")
    with pytest.raises(AnsibleActionFail, match="has overlays of dev, prod, staging: choose one, such as"):
        describe(tmp_path)
    found = describe(tmp_path, environment="dev")
    domain = "gitops_domain is example.com, because nothing in the repository says it: correct it."
    assert (found["left"], found["notes"]) == ([], [MOVED, LOCAL, domain])
    assert [line for line in found["moves"] if line.startswith("git mv")] == [
        "git mv apps/cart/base argocd/services/cart/base",
        "git mv apps/cart/overlays argocd/services/cart/envs",
        "git mv apps/checkout/base argocd/services/checkout/base",
        "git mv apps/checkout/overlays argocd/services/checkout/envs",
        "git mv infrastructure/base/maildev argocd/infra/maildev/base",
        "git mv infrastructure/overlays/dev/maildev argocd/infra/maildev/envs/dev",
        "git mv infrastructure/base/priorities argocd/infra/priorities/base",
        "git mv infrastructure/overlays/dev/priorities argocd/infra/priorities/envs/dev",
        "git mv infrastructure/overlays/prod/priorities argocd/infra/priorities/envs/prod",
    ]
    assert check(found)["gitops_components"] == ["maildev"]
    assert "maildev_image: maildev/maildev:2.0.5\n" in found["inventory"]
    assert found["handwritten"] == ["infra/priorities", "services/cart", "services/checkout"]
    subprocess.run(["bash", "-euc", "\n".join(found["moves"])], cwd=tmp_path, check=True)
    places = {
        f"{layer}/{name}/overlays/{environment}": f"argocd/{new}/{name}/envs/{environment}"
        for layer, new, name in (("apps", "services", "cart"), ("apps", "services", "checkout"))
        for environment in ("dev", "staging", "prod")
    } | {
        f"infrastructure/overlays/{environment}/{name}": f"argocd/infra/{name}/envs/{environment}"
        for environment, name in (("dev", "maildev"), ("dev", "priorities"), ("prod", "priorities"))
    }
    moved = {str(folder.relative_to(tmp_path)): objects for folder, objects in before.items()}
    assert {old: kustomized(tmp_path / new) for old, new in places.items()} == {old: moved[old] for old in places}
    assert kustomized(tmp_path / "clusters" / "dev") == everything
    seed_tree.commit(tmp_path)
    again = describe(tmp_path, environment="dev")
    assert (again["moves"], check(again)["gitops_components"]) == ([], ["maildev"])


def test_images_hosts_and_sizes_come_from_the_tree(tmp_path):
    """Where External Secrets is in the namespace of its role, MinIO can be taken over as well."""
    seed_tree.write(tmp_path)
    for folder in [*(tmp_path / "argocd" / "services").iterdir(), *(tmp_path / "argocd" / "infra").iterdir()]:
        if folder.name not in ("external-secrets", "minio"):
            shutil.rmtree(folder)
    for file in (tmp_path / "argocd" / "infra" / "external-secrets" / "base").iterdir():
        file.write_text(file.read_text().replace("external-secrets-system", "external-secrets"))
    seed_tree.commit(tmp_path)
    found = check(describe(tmp_path))
    assert found["gitops_components"] == ["external-secrets", "minio"]
    assert {name: value for name, value in found.items() if name.startswith("minio_")} == {
        "minio_api_host": "s3.127.0.0.1.nip.io",
        "minio_image": "quay.io/minio/minio:RELEASE.2025-04-22T22-12-26Z",
        "minio_resources": {},
        "minio_storage_size": "25Gi",
    }


def test_a_repository_without_overlays_is_refused(tmp_path):
    with pytest.raises(AnsibleActionFail) as error:
        describe(write(tmp_path, {"README.md": "x"}))
    assert str(error.value) == (
        f"file://{tmp_path} has neither argocd/<layer>/<component>/envs/<environment> nor folders base and overlays: "
        "there is nothing to describe."
    )


def test_an_empty_repository_is_said_to_be_empty(tmp_path):
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    with pytest.raises(AnsibleActionFail) as error:
        describe(tmp_path)
    said = "is empty, or its HEAD names a branch that it does not have: name a revision."
    assert str(error.value) == f"file://{tmp_path} {said}"


def test_a_revision_that_does_not_exist_is_named(tmp_path):
    with pytest.raises(AnsibleActionFail) as error:
        describe(write(tmp_path, legacy()), revision="--all")
    assert str(error.value) == f"file://{tmp_path} has no commit, branch or tag --all."


def test_the_file_is_written_once(tmp_path):
    folder, file = write(tmp_path / "repository", legacy()), tmp_path / "new" / "adopted.yml"
    assert describe(folder, True, file=str(file))["changed"]
    assert not file.exists()
    found = describe(folder, file=str(file))
    assert (found["changed"], found["file"], file.read_text()) == (True, str(file), found["inventory"])
    with pytest.raises(AnsibleActionFail) as error:
        describe(folder, file=str(file))
    assert str(error.value) == f"Nothing was written: {file} exists already. Name a file that does not exist yet."


def test_nothing_of_a_hostile_repository_is_executed_or_followed(tmp_path):
    files = legacy() | {
        ".gitattributes": "* filter=own export-ignore\n",
        "argocd/appsets/dev/infra.yaml": {
            "kind": "ApplicationSet",
            "spec": {"template": {"spec": {"source": {"repoURL": "{{ lookup('pipe', 'id') }}"}}}},
        },
        "argocd/infra/x\n- evil/envs/dev/x.yaml": "a: b",
    }
    folder = write(tmp_path / "repository", files)
    (folder / "argocd" / "infra" / "away").symlink_to("/etc")
    seed_tree.commit(folder)
    found = describe(folder)
    variables = check(found)
    assert variables["gitops_repo_url"] == f"file://{folder}"
    assert "#   infra/x - evil: no Application can have this name: rename the folder\n" in found["inventory"]
    assert "away" not in found["inventory"]


def play(folder, **variables):
    """Run the playbook without an inventory."""
    command = json.dumps([str(programs() / "bin" / "kustomize"), "build"])
    given = {"gitops_kustomize_command": json.loads(command)} | variables
    done = subprocess.run(
        [Path(sys.executable).parent / "ansible-playbook", ROOT / "playbooks/adopt.yml", "-e", json.dumps(given)],
        cwd=folder,
        env=os.environ | {"ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def test_the_playbook_prints_the_inventory(tmp_path):
    folder = write(tmp_path / "repository", legacy())
    code, output = play(tmp_path, repository=str(folder), overlay="dev", file="adopted.yml")
    assert code == 0, output
    for line in (tmp_path / "adopted.yml").read_text().splitlines():
        assert line in output
    assert "Written: adopted.yml" in output
    code, output = play(tmp_path)
    assert code != 0
    assert "repository is not set: URL of the repository, or its folder on this machine." in output


# --- texts ------------------------------------------------------------------------------------------------------------


def test_values_of_secrets_are_not_shown():
    before = {"kind": "Secret", "data": {"a": "eA=="}}
    key = "AKIA" + "A" * 16
    assert list(inventory.changed_fields(before, {"kind": "Secret", "data": {"a": "eQ=="}})) == [
        "data.a: (not shown) -> (not shown)"
    ]
    assert list(inventory.changed_fields({"x": key}, {"x": "b" * 70})) == [f"x: (not shown) -> {'b' * 60}…"]
    container = {"name": "web", "env": [{"name": "DB_PASSWORD", "value": "hunter2"}], "args": ["--with=hunter2", "-v"]}
    before = {"kind": "Deployment", "spec": {"containers": [container]}}
    assert list(inventory.changed_fields(before, {"kind": "Deployment", "spec": {}})) == [
        "spec.containers[web].args[0]: (not shown) -> (none)",
        "spec.containers[web].args[1]: -v -> (none)",
        "spec.containers[web].env[DB_PASSWORD].value: (not shown) -> (none)",
    ]
    secret, reference = (
        {"kind": "ConfigMap", "data": {"app": f"db.user=shop\ndb.password='{value}'\n", "level": level}}
        for value, level in (("hunter2", "info"), ("$(PASSWORD)", "debug"))
    )
    assert list(inventory.changed_fields(secret, reference)) == [
        "data.app: (not shown) -> db.user=shop db.password='$(PASSWORD)'",
        "data.level: info -> debug",
    ]
    assert list(inventory.changed_fields(reference, secret)) == [
        "data.app: db.user=shop db.password='$(PASSWORD)' -> (not shown)",
        "data.level: debug -> info",
    ]


def test_a_component_waits_for_what_it_depends_on_down_to_the_last():
    needs = {"a": [], "b": ["a"], "c": ["d"], "e": ["c"], "f": ["e", "a"]}
    assert inventory.closed(needs) == {"c": "d", "e": "c", "f": "e"}


def test_an_object_that_moves_to_another_role_or_is_kept_is_not_deleted():
    kept = {"metadata": {"annotations": {"argocd.argoproj.io/sync-options": "Prune=false"}}}
    names = [("", "ConfigMap", "x", name) for name in ("a", "b", "c")]
    before = {names[0]: {}, names[1]: kept, names[2]: {}}
    assert inventory.deleted(before, [{}, {names[0]: {}}]) == ["ConfigMap x/c"]


def test_applicationsets_say_repository_revision_and_sync():
    def applicationset(**spec):
        return {"spec": {"template": {"spec": spec}}}

    source = {"repoURL": "https://git.example.com/x.git", "targetRevision": "main"}
    manual = applicationset(source=source, syncPolicy={"syncOptions": []})
    assert inventory.described([manual, manual]) == {
        "gitops_repo_url": "https://git.example.com/x.git",
        "gitops_repo_revision": "main",
        "applicationsets_automated": False,
    }
    automated = applicationset(source=source | {"repoURL": "https://u:p@x"}, syncPolicy={"automated": {}})
    assert inventory.described([automated]) == {"gitops_repo_revision": "main"}
    assert inventory.described([manual, automated]) == {"gitops_repo_revision": "main"}
    assert inventory.described([{"spec": {"template": None}}, {}]) == {}


# --- trees made at random ---------------------------------------------------------------------------------------------


def named(found: dict) -> list[str]:
    """Return everything that the inventory and the list beside it name: names, folders, or layers and names."""
    comments = re.findall(r"^#   (\S.*?): ", found["inventory"], re.MULTILINE)
    return [
        *yaml.safe_load(found["inventory"])["gitops_components"],
        *comments,
        *(line.partition(": ")[0] for line in found["left"]),
    ]


@settings(
    max_examples=int(os.environ.get("ROUNDS", "12")),
    deadline=None,
    derandomize="ROUNDS" not in os.environ,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.generate],
)
@given(parts=trees.TREES)
def test_everything_in_a_random_tree_is_named_once(tmp_path_factory, parts):
    folder = tmp_path_factory.mktemp("random")
    write(folder, {name: text for part in parts for name, text in part.files().items()})
    found = describe(folder, environment="dev")
    check(found)
    assert sorted(named(found)) == sorted(expected(parts, found))
    # The commands lead to what is named, and nothing else happens.
    subprocess.run(["bash", "-euc", "\n".join(found["moves"])], cwd=folder, check=True)
    files = [str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()]
    after = layout.environments(files)
    roles = {(trees.ROLES.get(name, ""), name) for name in found["components"]}
    assert after.keys() == {tuple(label.split("/")) for label in found["handwritten"]} | roles
    assert all(own <= {"dev", "prod"} for own in after.values())
    assert "evil" not in [path.name for path in folder.rglob("*")]


def expected(parts: list[trees.Part], found: dict) -> list[str]:
    """Return what must be named: components that roles render by their names, others by their folders."""
    left, names = {line.partition(": ")[0] for line in found["left"]}, []
    for part in parts:
        label = f"{part.layer}/{part.name}"
        # Without a kustomization nobody knows what is an overlay.
        overlays = part.form not in (trees.chart, trees.folder)
        if part.layout == "beside" and overlays:
            names.append(f"argocd/{label}")
        inner = map(part.inner, part.environments if part.layout == "nested" else ())
        names += [entry if entry in left else f"{part.layer}/inner" for entry in inner]
        if part.layout not in ("ours", "beside"):
            if not overlays:
                continue
            if label not in left:
                label = f"{trees.ROLES.get(part.name, part.layer)}/{part.name}"
                names += [part.list_file()] * len(part.environments if part.layout == "listed" else ())
        names.append(
            part.name if label not in found["handwritten"] and label not in left else inventory.one_line(label)
        )
    return names
