# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The images of the real node: what is in an archive, and when it is made again."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
import tracemalloc
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from real.node import image_names, images, oci, recipes
from real.node.debian import Base
from real.node.oci import Entry
from real.node.parts import Folder, Link, Part, Script, Text
from real.node.recipes import Image
from real.node.workshop import BuildError, Workshop

from .environments import DEV, built


def read_archive(path: Path) -> dict[str, bytes]:
    with tarfile.open(path) as tar:
        return {member.name: tar.extractfile(member).read() for member in tar if member.isfile()}


def blob(files: dict[str, bytes], name: str) -> Any:
    return json.loads(files[oci.blob_path(name) if name.startswith("sha256:") else name])


def image_in(archive: Path, name: str) -> tuple[dict[str, Any], dict[str, Any], list[list[str]]]:
    """Return manifest, configuration and the names in each layer of an image, which is found as containerd finds it."""
    files = read_archive(archive)
    index = {
        entry["annotations"]["io.containerd.image.name"]: entry for entry in blob(files, "index.json")["manifests"]
    }
    manifest = blob(files, index[name]["digest"])
    names = []
    for layer in manifest["layers"]:
        with tarfile.open(fileobj=io.BytesIO(files[oci.blob_path(layer["digest"])])) as tar:
            names.append(tar.getnames())
    return manifest, blob(files, manifest["config"]["digest"]), names


# --- archives --------------------------------------------------------------------------------------------------------


ENTRIES = (
    Entry("tmp", 0o1777),
    Entry("home/argocd", 0o775, 999, 1),
    Entry("home/argocd/file", 0o640, 999, 998, content=b"text"),
    Entry("bin/sh", 0o777, link="/bin/busybox"),
    Entry("home/argocd/same", link="home/argocd/file", hard=True),
)


def test_a_layer_has_owners_modes_and_links_and_no_time(tmp_path):
    layer = oci.write_layer(tmp_path / "layer.tar", ENTRIES)
    with tarfile.open(layer.path) as tar:
        found = [(item.name, item.mode, item.uid, item.gid, item.type, item.linkname, item.mtime) for item in tar]
        text = tar.extractfile("home/argocd/file").read()
    assert found == [
        ("tmp", 0o1777, 0, 0, tarfile.DIRTYPE, "", 0),
        ("home/argocd", 0o775, 999, 1, tarfile.DIRTYPE, "", 0),
        ("home/argocd/file", 0o640, 999, 998, tarfile.REGTYPE, "", 0),
        ("bin/sh", 0o777, 0, 0, tarfile.SYMTYPE, "/bin/busybox", 0),
        ("home/argocd/same", 0o755, 0, 0, tarfile.LNKTYPE, "home/argocd/file", 0),
    ]
    assert text == b"text"


def test_a_layer_is_known_by_what_was_written_and_is_the_same_again(tmp_path):
    first, again = (oci.write_layer(tmp_path / name, ENTRIES) for name in ("first", "again"))
    data = first.path.read_bytes()
    assert first.digest == again.digest == "sha256:" + hashlib.sha256(data).hexdigest()
    assert first.size == len(data)


def test_a_large_file_is_not_held_in_memory(tmp_path):
    large = tmp_path / "large"
    with large.open("wb") as file:
        file.truncate(16 << 20)
    tracemalloc.start()
    layer = oci.write_layer(tmp_path / "layer.tar", [Entry("large", source=large)])
    oci.write_archive(tmp_path / "archive.tar", [oci.Image("example.invalid/large:1", (layer,))])
    _size, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert layer.size > 16 << 20
    assert peak < 4 << 20


def test_a_tree_keeps_links_and_modes_and_empties_folders(tmp_path):
    (tmp_path / "b" / "cache").mkdir(parents=True)
    (tmp_path / "b" / "cache" / "old").write_text("old")
    (tmp_path / "a").write_text("a")
    (tmp_path / "a").chmod(0o4755)
    (tmp_path / "b" / "hard").hardlink_to(tmp_path / "a")
    (tmp_path / "b" / "soft").symlink_to("../a")
    found = list(oci.tree(tmp_path, "opt", frozenset({"b/cache"})))
    assert [entry.path for entry in found] == ["opt/a", "opt/b", "opt/b/cache", "opt/b/hard", "opt/b/soft"]
    assert found[0].mode == 0o4755
    assert (found[3].link, found[3].hard) == ("opt/a", True)
    assert (found[4].link, found[4].hard) == ("../a", False)


def test_an_archive_is_what_the_oci_says(tmp_path):
    layer = oci.write_layer(tmp_path / "layer.tar", ENTRIES)
    oci.write_archive(tmp_path / "archive.tar", [oci.Image("docker.io/a/b:1", (layer,), {"User": "999"})])
    files = read_archive(tmp_path / "archive.tar")
    assert json.loads(files["oci-layout"]) == {"imageLayoutVersion": "1.0.0"}
    for name, data in files.items():
        if name.startswith("blobs/"):
            assert name == "blobs/sha256/" + hashlib.sha256(data).hexdigest()
    manifest, configuration, _layers = image_in(tmp_path / "archive.tar", "docker.io/a/b:1")
    assert manifest["mediaType"] == "application/vnd.oci.image.manifest.v1+json"
    assert manifest["config"]["mediaType"] == "application/vnd.oci.image.config.v1+json"
    assert manifest["layers"] == [
        {"mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": layer.digest, "size": layer.size}
    ]
    assert configuration["rootfs"] == {"type": "layers", "diff_ids": [layer.digest]}
    assert configuration["config"] == {"User": "999"}
    assert configuration["os"] == "linux"


def test_images_of_one_archive_share_their_layers(tmp_path):
    layer = oci.write_layer(tmp_path / "layer.tar", ENTRIES)
    made = [oci.Image(f"example.invalid/{name}:1", (layer,), {"User": name}) for name in ("1", "2")]
    oci.write_archive(tmp_path / "archive.tar", made)
    with tarfile.open(tmp_path / "archive.tar") as tar:
        names = tar.getnames()
    assert len(names) == len(set(names)) == 2 + 2 * 2 + 1


@pytest.mark.parametrize(
    ("name", "full"),
    [
        ("redis:8", "docker.io/library/redis:8"),
        ("alpine/socat:1", "docker.io/alpine/socat:1"),
        ("quay.io/argoproj/argocd:v3", "quay.io/argoproj/argocd:v3"),
        ("localhost/a:1", "localhost/a:1"),
        ("registry:5000/a:1", "registry:5000/a:1"),
    ],
)
def test_an_image_has_the_name_under_which_a_node_looks_for_it(name, full):
    assert image_names.full_name(name) == full


# --- when they are made ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Counted(Part):
    """A program that says when it is made."""

    large = True
    path: str
    made: Any

    def identity(self) -> str:
        return self.path

    def entries(self, _workshop: Workshop) -> Iterator[Entry]:
        self.made(self.path)
        yield Entry(self.path, content=b"program")


@pytest.fixture
def build(tmp_path, monkeypatch):
    """Return what makes images of the given recipes in one folder."""

    def call(*recipes: Image) -> dict[str, Path]:
        monkeypatch.setattr(images, "table", lambda: list(recipes))
        return images.build(tmp_path / "cache", lambda _line: None)

    return call


def recipe(name: str, *parts: Part, archive: str = "one", **configuration: Any) -> Image:
    return Image(name, "contents", Base.NOTHING, parts, configuration=configuration, archive=archive)


def test_an_image_is_made_once_and_its_programs_are_shared(build):
    made: list[str] = []
    program = Counted("bin/program", made.append)
    both = [recipe("a/a:1", program, Text("a", "a"), User="1"), recipe("a/b:1", program, Folder("b"), Link("c", "b"))]
    first = build(*both)
    assert build(*both) == first
    assert made == ["bin/program"]
    assert first["a/a:1"] == first["a/b:1"]
    _manifest, configuration, layers = image_in(first["a/a:1"], "docker.io/a/a:1")
    assert configuration["config"] == {"User": "1"}
    assert layers == [["bin/program"], ["a"]]
    _manifest, _configuration, layers = image_in(first["a/b:1"], "docker.io/a/b:1")
    assert layers == [["bin/program"], ["b", "c"]]


@pytest.mark.parametrize(
    "other",
    [
        recipe("a/a:2", Text("a", "a")),
        recipe("a/a:1", Text("a", "b")),
        recipe("a/a:1", Text("a", "a"), User="1"),
    ],
    ids=["name", "part", "configuration"],
)
def test_another_recipe_is_another_archive_and_the_old_one_goes(build, tmp_path, other):
    kept = recipe("a/b:1", archive="two")
    before = build(recipe("a/a:1", Text("a", "a")), kept)
    after = build(other, kept)
    assert after["a/b:1"] == before["a/b:1"]
    assert after[other.name] != before["a/a:1"]
    assert sorted(path.name for path in (tmp_path / "cache").iterdir()) == sorted(
        [".lock", *(path.name for path in after.values())]
    )


def test_a_script_of_ours_is_part_of_the_recipe(tmp_path, monkeypatch):
    monkeypatch.setattr("real.node.parts.FILES", tmp_path)
    (tmp_path / "start.sh").write_text("#!/bin/sh\n")
    before = Script("/start.sh", "start.sh").identity()
    (tmp_path / "start.sh").write_text("#!/bin/sh\nexit\n")
    assert Script("/start.sh", "start.sh").identity() != before


def test_an_image_that_cannot_be_made_leaves_nothing(build, tmp_path):
    def fail(path: str) -> None:
        raise BuildError(f"{path} cannot be made")

    with pytest.raises(BuildError, match="bin/program cannot be made"):
        build(recipe("a/a:1", Counted("bin/program", fail)))
    assert [path.name for path in (tmp_path / "cache").iterdir()] == [".lock"]


def test_what_a_killed_run_has_left_goes(build, tmp_path):
    (tmp_path / "cache" / ".making-old").mkdir(parents=True)
    (tmp_path / "cache" / "one-0.partial").write_text("half")
    built = build(recipe("a/a:1"))
    assert {path.name for path in (tmp_path / "cache").iterdir()} == {".lock", built["a/a:1"].name}


def test_a_failed_command_says_its_last_lines(tmp_path):
    said: list[str] = []
    workshop = Workshop(tmp_path, tmp_path, said.append)
    with pytest.raises(BuildError, match=r"making it failed: sh -c .*\nno such package"):
        workshop.run("making it", "sh", "-c", "echo no such package; exit 1")
    assert said == ["     0 s: making it"]


# --- which there are -------------------------------------------------------------------------------------------------


def test_each_image_of_a_role_has_a_recipe_or_a_reason():
    made = {image.name for image in recipes.service_images(image_names.variables())}
    reasons = {image_names.variables()[name] for name in recipes.SIMULATED}
    assert not made & reasons
    assert {*image_names.variables().values()} == made | reasons


def test_a_version_follows_the_tag():
    names = image_names.variables()
    for name in (name for name in names if name.startswith("temporal")):
        names[name] = "example.invalid/temporal:9.8.7"
    parts = [part for image in recipes.service_images(names) for part in image.parts]
    versions = {
        part.version for part in parts if getattr(part, "module", "") in (recipes.TEMPORAL, recipes.TEMPORAL_UI)
    }
    assert versions == {"v9.8.7"}


def test_postgresql_of_another_major_version_has_no_recipe():
    with pytest.raises(BuildError, match=r"There is no recipe for example.invalid/postgres:99\.1: PACKAGES"):
        recipes.postgresql_image("example.invalid/postgres:99.1")


def test_argo_cd_has_a_recipe_for_each_container(rendered):
    pods = [
        item["spec"]["template"]["spec"]
        for item in built(rendered, DEV)["argocd"]
        if "template" in item.get("spec", {})
    ]
    used = {entry["image"] for pod in pods for entry in pod.get("initContainers", []) + pod["containers"]}
    now = image_names.argocd_containers()
    assert used == {image.name for image in recipes.argocd_images(now, now)}
