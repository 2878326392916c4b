# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What leads from other layouts to that of this collection; the commands are run in a real repository."""

from __future__ import annotations

import subprocess

import pytest
import yaml
from ansible_collections.monorepo.gitops.plugins.module_utils._environment import layout

K = "kustomization.yaml"
LAYERS = {"maildev": "infra", "auth": "services"}


def found(*files, repository="shop"):
    return layout.moves(list(files), LAYERS, repository)


def test_components_are_found_with_their_environments():
    files = [
        "argocd/appsets/dev/infra.yaml",
        "argocd/infra/README.md",
        f"argocd/infra/maildev/base/{K}",
        f"argocd/infra/maildev/envs/dev/{K}",
        f"argocd/infra/maildev/envs/prod/patches/{K}",
        "argocd/services/chart/Chart.yaml",
        "argocd/services/chart/envs/dev/custom/x.yaml",  # what is left of an overlay that was removed
        f"apps/maildev/envs/dev/{K}",
    ]
    assert layout.environments(files) == {("infra", "maildev"): {"dev", "prod"}, ("services", "chart"): set()}
    assert layout.moves(files[:-1], LAYERS, "shop") == layout.Moves()


@pytest.mark.parametrize(
    ("files", "folders"),
    [
        (  # a folder for each component; the others in it stay
            [f"apps/cart/base/{K}", f"apps/cart/overlays/dev/{K}", "apps/cart/src/main.go"],
            [("apps/cart/base", "argocd/services/cart/base"), ("apps/cart/overlays", "argocd/services/cart/envs")],
        ),
        (  # below a folder that says what is in it, with another word for the environments
            [f"cart/k8s/base/{K}", f"cart/k8s/environments/dev/{K}"],
            [("cart/k8s/base", "argocd/services/cart/base"), ("cart/k8s/environments", "argocd/services/cart/envs")],
        ),
        (  # a repository of one component
            [f"base/{K}", f"overlays/dev/{K}", f"overlays/prod/{K}"],
            [("base", "argocd/services/shop/base"), ("overlays", "argocd/services/shop/envs")],
        ),
        (  # all bases together, and all overlays of an environment; the list of them is not needed any more
            [f"platform/base/{n}/{K}" for n in ("cart", "dns")]
            + [f"platform/overlays/{e}/{n}/{K}" for e in ("dev", "prod") for n in ("cart", "dns")]
            + [f"platform/overlays/dev/{K}"],
            [
                (f"platform/{source}", f"argocd/infra/{name}/{place}")
                for name in ("cart", "dns")
                for source, place in (
                    (f"base/{name}", "base"),
                    (f"overlays/dev/{name}", "envs/dev"),
                    (f"overlays/prod/{name}", "envs/prod"),
                )
            ],
        ),
        (  # a role knows its layer, whatever the folders are called
            [f"apps/maildev/overlays/dev/{K}", f"infra/auth/overlays/dev/{K}"],
            [
                ("apps/maildev/overlays", "argocd/infra/maildev/envs"),
                ("infra/auth/overlays", "argocd/services/auth/envs"),
            ],
        ),
        (  # our folders, except for the name of one
            [f"argocd/services/maildev/base/{K}", f"argocd/services/maildev/overlays/dev/{K}"],
            [("argocd/services/maildev/overlays", "argocd/services/maildev/envs")],
        ),
    ],
)
def test_folders_that_move(files, folders):
    moved = found(*files)
    assert (list(moved.folders), moved.left) == (folders, ())


@pytest.mark.parametrize(
    ("files", "left"),
    [
        (
            [f"a/cart/overlays/dev/{K}", f"b/cart/overlays/dev/{K}"],
            [("b/cart", "argocd/services/cart has that name: rename one of them")],
        ),
        (
            [f"argocd/infra/cart/envs/dev/{K}", f"apps/cart/overlays/dev/{K}"],
            [("apps/cart", "argocd/infra/cart has that name: rename one of them")],
        ),
        (
            [f"apps/Cart_1/overlays/dev/{K}"],
            [("apps/Cart_1", "Cart_1 cannot be the name of an Application: rename the folder")],
        ),
        (
            [f"apps/a;reboot/overlays/dev/{K}"],
            [
                (
                    "apps/a;reboot",
                    "a name in its path has characters that no command in this list may contain: move it by hand",
                )
            ],
        ),
        (
            [f"apps/cart/overlays/dev/{K}", f"apps/cart/envs/dev/{K}"],
            [("apps/cart", "it has several folders with overlays: move it by hand")],
        ),
        (
            [f"apps/overlays/dev/{K}", f"apps/overlays/dev/redis/overlays/prod/{K}"],
            [
                (
                    "apps/overlays/dev/redis",
                    "apps/overlays/dev/redis/overlays lies in apps/overlays, which moves as well: move it by hand",
                )
            ],
        ),
        (  # a second component of that name gets no free place by it
            [f"argocd/services/cart/{place}/{K}" for place in ("base", "envs/dev", "overlays/prod")]
            + [f"shop/cart/overlays/dev/{K}"],
            [
                ("argocd/services/cart", "argocd/services/cart/envs exists already: move it by hand"),
                ("shop/cart", "argocd/services/cart has that name: rename one of them"),
            ],
        ),
        (
            [f"apps/cart/overlays/dev/{K}", "argocd/services"],
            [("apps/cart", "argocd/services exists already: move it by hand")],
        ),
    ],
)
def test_what_cannot_be_moved_is_named_with_the_reason(files, left):
    assert list(found(*files).left) == left


REFERENCES = {
    "apps/base/cart/kustomization.yaml": {"resources": ["web.yaml"]},
    "apps/base/cart/web.yaml": {"kind": "ConfigMap"},
    "apps/overlays/dev/cart/kustomization.yaml": {
        "resources": ["../../../base/cart"],
        "components": ["../../../../shared/labels"],
        "patches": [{"path": "../../../../shared/patch.yaml"}, {"patch": "- {op: remove, path: /x}"}],
        "configMapGenerator": [{"name": "x", "files": ["a.txt=../../../../shared/a.txt"]}],
    },
    "apps/overlays/dev/kustomization.yaml": {"resources": ["cart", "https://example.com/x.yaml"]},
    "shared/labels/kustomization.yaml": {"kind": "Component"},
    "shared/patch.yaml": {},
    "shared/a.txt": {},
}


def test_references_that_lead_elsewhere_change_with_the_folders():
    files = sorted(REFERENCES)
    moved = found(*files)
    edits, left = layout.edits(files, REFERENCES.get, moved)
    assert left == []
    cart = "argocd/services/cart/envs/dev/kustomization.yaml"
    assert edits == [
        layout.Edit(cart, "../../../base/cart", "../../base"),
        layout.Edit(cart, "../../../../shared/labels", "../../../../../shared/labels"),
        layout.Edit(cart, "../../../../shared/patch.yaml", "../../../../../shared/patch.yaml"),
        layout.Edit(cart, "../../../../shared/a.txt", "../../../../../shared/a.txt"),
        layout.Edit("apps/overlays/dev/kustomization.yaml", "cart", "../../../argocd/services/cart/envs/dev"),
    ]


def test_a_list_of_components_is_not_one_of_them():
    files = [f"platform/overlays/dev/{K}", f"platform/overlays/prod/{K}", f"argocd/infra/dns/envs/dev/{K}"]
    content = {
        files[0]: {"kind": "Kustomization", "resources": ["../../../argocd/infra/dns/envs/dev"]},
        files[1]: {"resources": ["../../../argocd/infra/dns/envs/dev"], "namespace": "x"},
        f"argocd/infra/dns/overlays/dev/{K}": {"resources": ["../../base"]},
    }
    assert layout.lists(content, content.get) == {("platform", "overlays", "dev")}
    moved = layout.moves(files[:1] + files[2:], LAYERS, "shop", layout.lists(files, content.get))
    assert moved == layout.Moves()


def tried(folder, files, moved, edits):
    """Run the printed commands, and hold that they do what is done in the copy."""
    expected = {moved.place(name): (folder / name).read_text() for name in files}
    for edit in edits:
        expected[edit.file] = layout.edited(expected[edit.file], edit)
    script = ["git init -q", "git add .", *layout.commands(moved, edits)]
    subprocess.run(["bash", "-euc", "\n".join(script)], cwd=folder, check=True)
    names = [path for path in folder.rglob("*") if path.is_file() and ".git" not in path.parts]
    assert {str(path.relative_to(folder)): path.read_text() for path in names} == expected
    return expected


def written(folder, name, text, newline="\n"):
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text, newline=newline)


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("flow", [True, False])
def test_the_printed_commands_do_what_was_tried_in_the_copy(tmp_path, flow, newline):
    for name, content in REFERENCES.items():
        written(tmp_path, name, yaml.safe_dump(content, default_flow_style=flow), newline)
    files = sorted(REFERENCES)
    moved = found(*files)
    edits, _left = layout.edits(files, REFERENCES.get, moved)
    cart = yaml.safe_load(tried(tmp_path, files, moved, edits)["argocd/services/cart/envs/dev/kustomization.yaml"])
    assert (cart["resources"], cart["patches"][1]) == (["../../base"], {"patch": "- {op: remove, path: /x}"})


@pytest.mark.parametrize(
    "text", ["resources:\n- ../../../base/cart\n- ../../base\n", "resources: [../../base,../../../base/cart]"]
)
def test_no_edit_changes_what_another_one_has_written(tmp_path, text):
    overlay = f"apps/overlays/dev/cart/{K}"
    files = sorted([f"apps/base/cart/{K}", overlay, "apps/overlays/base/x.yaml"])
    for name in files:
        written(tmp_path, name, text if name == overlay else "{}\n")
    moved = found(*files)
    edits, left = layout.edits(files, {overlay: yaml.safe_load(text)}.get, moved)
    place = moved.place(overlay)
    assert (edits, left) == (
        [
            layout.Edit(place, "../../base", "../../../../../apps/overlays/base"),
            layout.Edit(place, "../../../base/cart", "../../base"),
        ],
        [],
    )
    after = yaml.safe_load(tried(tmp_path, files, moved, edits)[place])
    assert sorted(after["resources"]) == ["../../../../../apps/overlays/base", "../../base"]


def test_each_place_in_a_line_changes(tmp_path):
    text = "{resources: [dns, a/x.yaml], patches: [{path: a/x.yaml, target: {name: x}}]}\n"
    files = ["a/x.yaml", K]
    for name in files:
        written(tmp_path, name, text if name == K else "{}\n")
    moved = layout.Moves((("a", "b/c"),))
    edits, _left = layout.edits(files, {K: yaml.safe_load(text)}.get, moved)
    assert tried(tmp_path, files, moved, edits)[K] == text.replace("a/", "b/c/")


def test_references_that_trade_places_are_left():
    files = ["a/x.yaml", "b/x.yaml", "c/x.yaml", K]
    moved = layout.Moves((("a", "b"), ("b", "a"), ("c", "d")))
    edits, left = layout.edits(files, {K: {"resources": ["a", "b", "c"]}}.get, moved)
    assert edits == [layout.Edit(K, "c", "d")]
    assert left == [
        (K, "its reference a has to be b: change it by hand"),
        (K, "its reference b has to be a: change it by hand"),
    ]


@pytest.mark.parametrize("folder", ["x;touch evil;", "my clusters", "-n", "a'b", "$(touch evil)", "a\n$(touch evil)"])
def test_no_command_has_the_path_of_a_file_that_it_would_read_otherwise(tmp_path, folder):
    file = f"{folder}/{K}"
    files = sorted([f"apps/cart/overlays/dev/{K}", file, f"clusters/{K}"])
    content = {"resources": ["../apps/cart/overlays/dev"]}
    for name in files:
        written(tmp_path, name, "{}\n" if name.startswith("apps") else yaml.safe_dump(content))
    moved = found(*files)
    edits, left = layout.edits(files, dict.fromkeys([file, f"clusters/{K}"], content).get, moved)
    new = "../argocd/services/cart/envs/dev"
    assert edits == [layout.Edit(f"clusters/{K}", "../apps/cart/overlays/dev", new)]
    assert left == [(file, f"its reference ../apps/cart/overlays/dev has to be {new}: change it by hand")]
    tried(tmp_path, files, moved, edits)


def test_a_reference_that_no_command_can_have_is_left():
    files = [f"apps/cart/base/{K}", f"apps/cart/overlays/dev/{K}", "apps/cart/notes/a b.txt", f"x y/{K}", "x y/z.yaml"]
    content = {
        files[1]: {"resources": ["../../base"], "configMapGenerator": [{"files": ["../../notes/a b.txt"]}]},
        files[3]: {"resources": ["../x y/z.yaml"]},  # leads to the same file as before
    }
    edits, left = layout.edits(files, content.get, found(*files))
    new = "../../../../../apps/cart/notes/a b.txt"
    assert (edits, left) == (
        [],
        [
            (
                f"argocd/services/cart/envs/dev/{K}",
                f"its reference ../../notes/a b.txt has to be {new}: change it by hand",
            )
        ],
    )
