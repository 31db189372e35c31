#!/usr/bin/env python3
"""server_module.py - a Go module in which kube-apiserver can be built from the published modules alone.

    server_module.py MODULE DIR      MODULE: where k8s.io/kubernetes lies; DIR/go.mod and DIR/go.sum are written

Kubernetes' own go.mod takes its libraries (k8s.io/api ...) from folders beside it, which the published module has not; they
are published as modules of their own, v0.34.0 for v1.34.0. All other versions stay as Kubernetes' own build has them."""
import pathlib
import re
import sys


def main():
    source, target = map(pathlib.Path, sys.argv[1:])
    text = (source / "go.mod").read_text()
    version = re.search(r"@(v1(\.\d+\.\d+))$", source.name)
    names = re.findall(r"^\t(k8s\.io/\S+) => \./staging/", text, re.M)
    if not version or len(names) < 10:
        sys.exit(f"error: {source} is not k8s.io/kubernetes of a release")
    version, library = version[1], "v0" + version[2]
    text = re.sub(r"\nreplace \(.*?\n\)\n", "\n", text, flags=re.S)
    text = re.sub(r"^module .*$", "module kellet.test/server", text, flags=re.M)
    text = re.sub(r"^(\t(k8s\.io/\S+)) v0\.0\.0\b", lambda m: f"{m[1]} {library}" if m[2] in names else m[0], text, flags=re.M)
    text += f"\nrequire k8s.io/kubernetes {version}\n\nreplace (\n" + "".join(f"\t{n} => {n} {library}\n" for n in names) + ")\n"
    target.mkdir(parents=True, exist_ok=True)
    (target / "go.mod").write_text(text)
    (target / "go.sum").write_text((source / "go.sum").read_text())


main()
