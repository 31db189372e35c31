"""`kellet sbom` on what language tools installed or built, against what those tools say themselves.

Oracles: `go version -m` on programs built here for several systems and processors, `pip list`, `npm ls`, `gem list`
on this machine's own installations, `jar` for archives. What is not installed is skipped. KELLET names the binary.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def kellet():
    for path in (os.environ.get("KELLET"), ROOT / "build/kellet", ROOT / "build-debug/kellet"):
        if path and Path(path).exists():
            return str(Path(path).resolve())
    pytest.skip("kellet is not built")


def need(*programs):
    for program in programs:
        if not shutil.which(program):
            pytest.skip(f"{program} is not installed")


def sbom(directory, kind):
    """(name, version) of the packages of that type, and the problems."""
    run = subprocess.run([kellet(), "sbom", f"dir:{directory}", "-o", "json", "--allow-incomplete"],
                         capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    document = json.loads(run.stdout)
    return [p for p in document["packages"] if p["type"] == kind], document["completeness"]


def named(packages):
    return {(p["name"], p["version"]) for p in packages}


# ---- Go -----------------------------------------------------------------------------------------------------------

MAIN = """package main

import "b.test/dep"

var version = "none"

func main() { println(version, dep.Name()) }
"""

BUILDS = {
    "plain": ([], {}),
    "stripped": (["-ldflags=-s -w"], {}),
    "no-build-id": (["-ldflags=-buildid="], {}),
    "pie": (["-buildmode=pie"], {}),
    "with-version": (["-ldflags=-s -X main.version=1.2.3"], {}),
    "i386": ([], {"GOARCH": "386"}),
    "arm64": ([], {"GOARCH": "arm64"}),
    "s390x": ([], {"GOARCH": "s390x"}),
    "mips": ([], {"GOARCH": "mips"}),
    "windows": ([], {"GOOS": "windows"}),
    "macos": ([], {"GOOS": "darwin"}),
}


@pytest.fixture(scope="module")
def go_module(tmp_path_factory):
    need("go")
    top = tmp_path_factory.mktemp("go")
    (top / "dep").mkdir()
    (top / "dep/go.mod").write_text("module b.test/dep\n\ngo 1.18\n")
    (top / "dep/dep.go").write_text('package dep\n\nfunc Name() string { return "dep" }\n')
    (top / "go.mod").write_text("module a.test/tool\n\ngo 1.18\n\nrequire b.test/dep v0.4.0\n\n"
                                "replace b.test/dep => ./dep\n")
    (top / "main.go").write_text(MAIN)
    return top


@pytest.mark.parametrize("name", BUILDS)
def test_go(name, go_module, tmp_path):
    flags, environment = BUILDS[name]
    out = tmp_path / "image/usr/bin/tool"
    build = subprocess.run(["go", "build", "-o", str(out), *flags, "."], cwd=go_module, capture_output=True, text=True,
                           env={**os.environ, "CGO_ENABLED": "0", "GOFLAGS": "-mod=mod", "GOPROXY": "off", **environment})
    if build.returncode:
        pytest.skip(f"go build: {build.stderr[:200]}")
    text = subprocess.run(["go", "version", "-m", str(out)], capture_output=True, text=True, check=True).stdout
    lines = [line.strip().split("\t") for line in text.splitlines()]
    want = {(f[1], f[2]) for f in lines if f[0] == "dep"}
    want.add(("stdlib", re.search(r": go([\d.]+)", text)[1]))
    main = next(f[2] for f in lines if f[0] == "mod")
    want.add(("a.test/tool", "v1.2.3" if name == "with-version" else main))
    packages, completeness = sbom(tmp_path / "image", "go-module")
    assert named(packages) == want
    assert completeness["complete"]


# ---- installations of this machine --------------------------------------------------------------------------------

def normal(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def test_python():
    code = "import site, sys; print('\\n'.join(p for p in sys.path if p.endswith('-packages')))"
    directories = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.split()
    listed = subprocess.run([sys.executable, "-m", "pip", "list", "--format=json", "--disable-pip-version-check"],
                            capture_output=True, text=True)
    if listed.returncode or not directories:
        pytest.skip("pip is not installed")
    found = set()
    for directory in directories:
        found |= {(normal(n), v) for n, v in named(sbom(directory, "python")[0])}
    missing = {(normal(p["name"]), p["version"]) for p in json.loads(listed.stdout)} - found
    assert not missing


def npm_tree(node, found):
    for name, child in node.get("dependencies", {}).items():
        if child.get("version") and not child.get("missing"):
            found.add((child.get("name", name), child["version"]))
            npm_tree(child, found)
    return found


def test_npm():
    need("npm")
    directory = subprocess.run(["npm", "root", "-g"], capture_output=True, text=True).stdout.strip()
    tree = subprocess.run(["npm", "ls", "-g", "--all", "--json", "--long"], capture_output=True, text=True).stdout
    want = npm_tree(json.loads(tree or "{}"), set())
    if not want:
        pytest.skip("nothing is installed globally")
    assert not want - named(sbom(directory, "npm")[0])


def test_gem():
    need("gem")
    listed = subprocess.run(["gem", "list"], capture_output=True, text=True).stdout
    want = {(name, version.replace("default: ", "").split()[0])
            for name, versions in re.findall(r"(?m)^(\S+) \((.*)\)$", listed) for version in versions.split(", ")}
    paths = subprocess.run(["gem", "env", "gempath"], capture_output=True, text=True).stdout.strip().split(":")
    found = set()
    for path in paths:
        if Path(path).is_dir():
            found |= named(sbom(path, "gem")[0])
    assert want and not want - found


# ---- archives by other writers ------------------------------------------------------------------------------------

def test_jar(tmp_path):
    need("jar")
    image = tmp_path / "image"
    lib = tmp_path / "content/WEB-INF/lib"
    pom = tmp_path / "pom/META-INF/maven/org.example/inner/pom.properties"
    lib.mkdir(parents=True)
    pom.parent.mkdir(parents=True)
    image.mkdir()
    pom.write_text("version=1.5\ngroupId=org.example\nartifactId=inner\n")
    subprocess.run(["jar", "cf", str(lib / "inner-1.5.jar"), "-C", str(tmp_path / "pom"), "."], check=True)
    subprocess.run(["jar", "c0f", str(lib / "kept-2.0.jar"), "-C", str(tmp_path / "pom"), "META-INF/maven"], check=True)
    (tmp_path / "m").write_text("Implementation-Title: shop\nImplementation-Version: 7.1\n")
    subprocess.run(["jar", "cfm", str(image / "shop.war"), str(tmp_path / "m"), "-C", str(tmp_path / "content"), "."],
                   check=True)
    packages, completeness = sbom(image, "java-archive")
    assert {(p.get("group", ""), p["name"], p["version"], e["path"])
            for p in packages for e in p["evidence"]} == {
        ("", "shop", "7.1", "shop.war"),
        ("org.example", "inner", "1.5", "shop.war:WEB-INF/lib/inner-1.5.jar"),
        ("org.example", "inner", "1.5",
         "shop.war:WEB-INF/lib/kept-2.0.jar:META-INF/maven/org.example/inner/pom.properties"),
        ("", "kept", "2.0", "shop.war:WEB-INF/lib/kept-2.0.jar"),
    }
    assert completeness["complete"]


def test_zip_by_python(tmp_path):
    """Behind a start script, with a comment, more members than 16 bits count (zip64)."""
    path = tmp_path / "service-3.2.jar"
    with open(path, "wb") as file:
        file.write(b"#!/bin/sh\nexec java -jar \"$0\"\n")
        with zipfile.ZipFile(file, "a", zipfile.ZIP_DEFLATED) as archive:
            for i in range(66000):
                archive.writestr(f"c/{i}.class", b"")
            archive.writestr("META-INF/maven/org.example/service/pom.properties",
                             "version=3.2\ngroupId=org.example\nartifactId=service\n")
            archive.comment = b"PK\x05\x06 " * 1000
    packages, completeness = sbom(tmp_path, "java-archive")
    assert [(p["group"], p["name"], p["version"]) for p in packages] == [("org.example", "service", "3.2")]
    assert completeness["complete"]
