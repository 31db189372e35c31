"""`kellet vercmp` against the schemes' own tools, on pairs made from a seed.

Each oracle that is not installed is skipped with its reason. KELLET names the binary (default: build/kellet,
then build-debug/kellet), KELLET_SEED the seed, KELLET_PAIRS the number of pairs a scheme (default 4000).

Oracles: python3-rpm, libdpkg-dev with a C compiler, `packaging`, ruby, node with npm, libalpm13, `portage`, php-cli with php-composer-semver, Go with golang.org/x/mod in
its module cache (`go mod download golang.org/x/mod@v0.42.0`), maven-artifact 3.9.9 in ~/.m2
(`mvn dependency:get -Dartifact=org.apache.maven:maven-artifact:3.9.9`) or named by KELLET_MAVEN_ARTIFACT, and an
`apk` program (KELLET_APK: one that is not on the path).
"""

import ctypes
import os
import random
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
ORACLES = HERE / "oracles"
SEED = int(os.environ.get("KELLET_SEED", "1"))
PAIRS = int(os.environ.get("KELLET_PAIRS", "4000"))

# What versions of each scheme are made of: joined at random, so that odd ones come often.
PIECES = {
    "deb": ["1:", "0:", ".", ".", "-", "+", "~", "a", "rc", "dfsg", "really", "ubuntu", "+b", "~deb12u", ":"],
    "rpmvercmp": [".", ".", "~", "^", "_", "+", "el", "fc", "a", "rc", "git", "~~", "^^", ".el8_", "-"],
    "rpm-evr": ["1:", "0:", ".", ".", "-", "-", "~", "^", "_", ".el8", "rc", "git", "+"],
    "apk": [".", ".", ".", "_alpha", "_beta", "_rc", "_pre", "_p", "_git", "_hg", "_cvs", "a", "b", "-r", "~", "c"],
    "npm": [".", ".", ".", "-", "-", "+", "alpha", "beta", "rc", "x", "-0", "v", "="],
    "golang": [".", ".", ".", "-", "-", "+", "rc", "beta", "+incompatible", "-0.2020", "v"],
    "pep440": [".", ".", ".", "a", "b", "rc", "c", "pre", ".dev", ".post", "-", "_", "+", "!", "v", "alpha", "r", "+l."],
    "gem": [".", ".", ".", "a", "b", "beta", "rc", "pre", "-", ".a", "A", ".0", ".0"],
    "alpm": ["1:", "0:", ".", ".", "-", "~", "^", "_", "rc", "a", "git", "+", ".."],
    "portage": [".", ".", ".", "_alpha", "_beta", "_pre", "_rc", "_p", "-r", "a", "b", ".0", ".00"],
    "composer": [".", ".", ".", "-", "-dev", "beta", "RC", "a", "alpha", "p", "patch", "-stable", ".x-dev", "+b", "x", "dev",
                 "STABLE", "v", "2010-01-02", "2010", "@dev"],
    "maven": [".", ".", "-", "-", "alpha", "beta", "m", "a", "rc", "CR", "SNAPSHOT", "ga", "Final", "sp", "x", "RELEASE",
              "jre", "_", "+", "b", "milestone", ".0", "-0"],
}
# Text that is wholly valid in the scheme, as a base to change.
BASES = {
    "npm": ["1.2.3", "1.0.0-alpha.1", "0.10.2-x.7+b", "1.2.3-beta-2", "10.0.0"],
    "golang": ["v1.2.3", "0.0.0-20200101000000-abcdefabcdef", "1.2", "1.0.0-rc.1+incompatible", "2.10.0"],
    "pep440": ["1.2.3", "1.0a1", "1!2.0.post1.dev2", "1.0rc1+l.1", "2024.10"],
    "gem": ["1.2.3", "1.0.0.beta2", "1.0-java", "2.0.0.rc.1", "0.10"],
    "maven": ["1.2.3", "1.0-alpha-1", "1.0.0.Final", "2.0-RC1", "1.0-SNAPSHOT", "31.1-jre"],
    "alpm": ["1.2.3-4", "1:2.0rc1-1", "0.10.r3.gabc-3"],
    "portage": ["1.2.3-r4", "1.0_rc1", "1.02a_p3", "2.10.0"],
    "composer": ["1.2.3", "1.0.0-beta2", "2.0.x-dev", "v3.1.4.1-RC1", "20100102", "2010-01-02", "1.0-p1", "dev-main"],
    "apk": ["1.2.3-r4", "1.0_rc1-r0", "2.10a-r1", "1.2_git20240101-r0", "1.0~ab12-r1"],
    "deb": ["1.2.3-4", "1:2.0~rc1-1+b1", "0.10+dfsg-3"],
    "rpm-evr": ["1.2.3-4.el8", "1:2.0~rc1-1", "0.10^git1-3"],
    "rpmvercmp": ["1.2.3", "2.0~rc1", "0.10^git1", "4.el8_2"],
}


def kellet():
    for path in (os.environ.get("KELLET"), ROOT / "build/kellet", ROOT / "build-debug/kellet"):
        if path and Path(path).exists():
            return str(Path(path).resolve())
    pytest.skip("kellet is not built")


def ask(command, pairs, **more):
    text = "".join(f"{a}\t{b}\n" for a, b in pairs)
    done = subprocess.run(command, input=text.encode(), stdout=subprocess.PIPE, check=True, **more)
    answers = done.stdout.decode().split("\n")[:-1]
    assert len(answers) == len(pairs)
    return answers


def number(rng):
    kind = rng.random()
    if kind < 0.75:
        return str(rng.randrange(12))
    if kind < 0.9:
        return "0" * rng.randrange(3) + str(rng.randrange(200))
    return str(rng.randrange(10**6, 10**12)) if kind < 0.97 else str(rng.randrange(10**20, 10**30))


def make(rng, scheme):
    if rng.random() < 0.5:
        return rng.choice(BASES[scheme])
    parts = [number(rng)]
    for _ in range(rng.randrange(6)):
        parts.append(rng.choice(PIECES[scheme]))
        if rng.random() < 0.85:
            parts.append(number(rng))
    return "".join(parts)


def change(rng, scheme, version):
    at, kind = rng.randrange(len(version) + 1), rng.randrange(5)
    if kind == 0:
        return version[:at] + number(rng) + version[at:]
    if kind == 1:
        return version[:at] + version[at + 1:]
    if kind == 2:
        return version[:at] + rng.choice(PIECES[scheme]) + version[at:]
    if kind == 3:
        return version[:at] + number(rng) + version[at + 1:]
    return version + rng.choice(PIECES[scheme]) + (number(rng) if rng.random() < 0.7 else "")


def pairs_of(scheme):
    rng = random.Random(f"{SEED} {scheme}")
    pairs = []
    while len(pairs) < PAIRS:
        a = make(rng, scheme)
        for _ in range(rng.randrange(2)):
            a = change(rng, scheme, a)
        b = make(rng, scheme) if rng.random() < 0.2 else change(rng, scheme, a)
        if a and b:
            pairs.append((a, b))
    return pairs


def tool(name):
    path = shutil.which(name)
    return path or pytest.skip(f"{name} is not installed")


def oracle_rpm(scheme, pairs, tmp_path):
    for python in ("/usr/bin/python3", "python3"):
        if shutil.which(python) and subprocess.run([python, "-c", "import rpm"], stderr=subprocess.DEVNULL).returncode == 0:
            return ask([python, ORACLES / "labelcompare.py", "evr" if scheme == "rpm-evr" else "part"], pairs)
    pytest.skip("python3-rpm is not installed")


def oracle_deb(scheme, pairs, tmp_path):
    if not Path("/usr/include/dpkg/version.h").exists():
        pytest.skip("libdpkg-dev is not installed")
    program = tmp_path / "deb"
    subprocess.run([tool("cc"), "-o", program, ORACLES / "deb.c", "-ldpkg", "-lmd"], check=True)
    return ask([program], pairs)


def oracle_pep440(scheme, pairs, tmp_path):
    version = pytest.importorskip("packaging.version", reason="the Python library `packaging` is not installed")

    def answer(a, b):
        try:
            a, b = version.Version(a), version.Version(b)
        except version.InvalidVersion:
            return "?"
        return "<" if a < b else ">" if a > b else "="

    return [answer(a, b) for a, b in pairs]


def oracle_gem(scheme, pairs, tmp_path):
    return ask([tool("ruby"), ORACLES / "gem.rb"], pairs)


def oracle_npm(scheme, pairs, tmp_path):
    tool("node")
    root = subprocess.run([tool("npm"), "root", "-g"], capture_output=True, text=True, check=True).stdout.strip()
    directory = Path(root) / "npm/node_modules/semver"
    if not directory.exists():
        pytest.skip(f"node-semver is not in {directory}")
    return ask(["node", ORACLES / "npm.js", directory], pairs)


def oracle_golang(scheme, pairs, tmp_path):
    tool("go")
    shutil.copy(ORACLES / "golang.go", tmp_path / "main.go")
    (tmp_path / "go.mod").write_text("module oracle\n\ngo 1.22\n\nrequire golang.org/x/mod v0.42.0\n")
    built = subprocess.run(["go", "build", "-mod=mod", "-o", "oracle", "."], cwd=tmp_path,
                           env={**os.environ, "GOFLAGS": "-mod=mod", "GOPROXY": "off", "GONOSUMDB": "*"},
                           capture_output=True, text=True)
    if built.returncode:
        pytest.skip("golang.org/x/mod v0.42.0 is not in the module cache: " + built.stderr.strip()[-200:])
    return ask([tmp_path / "oracle"], pairs)


def oracle_maven(scheme, pairs, tmp_path):
    jar = Path(os.environ.get("KELLET_MAVEN_ARTIFACT") or
               Path.home() / ".m2/repository/org/apache/maven/maven-artifact/3.9.9/maven-artifact-3.9.9.jar")
    if not jar.exists():
        pytest.skip(f"{jar} is not here")
    subprocess.run([tool("javac"), "-cp", jar, "-d", tmp_path, ORACLES / "Oracle.java"], check=True)
    return ask([tool("java"), "-cp", f"{jar}:{tmp_path}", "Oracle"], pairs)


def oracle_composer(scheme, pairs, tmp_path):
    if not Path("/usr/share/php/Composer/Semver/autoload.php").exists():
        pytest.skip("php-composer-semver is not installed")
    return ask([tool("php"), ORACLES / "composer.php"], pairs)


def oracle_alpm(scheme, pairs, tmp_path):
    try:
        ctypes.CDLL("libalpm.so.13")
    except OSError:
        pytest.skip("libalpm13 is not installed")
    return ask([sys.executable, ORACLES / "alpm.py"], pairs)


def oracle_portage(scheme, pairs, tmp_path):
    versions = pytest.importorskip("portage.versions", reason="the Python library `portage` is not installed")
    signs = [versions.vercmp(a, b) for a, b in pairs]
    return ["?" if s is None else "<" if s < 0 else ">" if s > 0 else "=" for s in signs]


def oracle_apk(scheme, pairs, tmp_path):
    apk = os.environ.get("KELLET_APK") or tool("apk")

    def answer(a, b):
        bad = subprocess.run([apk, "version", "--check", a, b], stdout=subprocess.PIPE).stdout.strip()
        if bad:
            return "?"
        return subprocess.run([apk, "version", "--test", a, b], stdout=subprocess.PIPE, text=True).stdout.strip()

    return [answer(a, b) for a, b in pairs[:1000]]


ORACLE_OF = {
    "deb": oracle_deb, "rpmvercmp": oracle_rpm, "rpm-evr": oracle_rpm, "apk": oracle_apk, "npm": oracle_npm,
    "golang": oracle_golang, "pep440": oracle_pep440, "gem": oracle_gem, "maven": oracle_maven,
    "composer": oracle_composer, "alpm": oracle_alpm, "portage": oracle_portage,
}
# Where kellet says "invalid" exactly when the tool refuses. (dpkg only warns of some, apk's
# data hold what it refuses, rpm's Python function refuses an empty version.)
STRICT = {"npm", "golang", "pep440", "gem", "maven", "composer", "portage"}


def beyond(scheme, a, b):
    """Where the tool's own numbers overflow or lose digits and ours do not."""
    most = {"npm": 15, "rpm-evr": 18, "apk": 18, "composer": 18}.get(scheme)
    return most is not None and any(len(run) > most for v in (a, b) for run in re.findall("[0-9]+", v))


@pytest.mark.parametrize("scheme", sorted(ORACLE_OF))
def test_scheme_orders_as_its_tool(scheme, tmp_path):
    ours_binary = kellet()
    pairs = pairs_of(scheme)
    theirs = ORACLE_OF[scheme](scheme, pairs, tmp_path)
    pairs = pairs[: len(theirs)]
    ours = ask([ours_binary, "vercmp", scheme, "-"], pairs)
    wrong, refused, left_out = [], 0, 0
    for (a, b), our, their in zip(pairs, ours, theirs):
        refused += their == "?"
        if beyond(scheme, a, b):
            left_out += 1
        elif their == "?":
            if scheme in STRICT and our != "invalid":
                wrong.append((a, our, b, their))
        elif our == "invalid":
            if scheme in STRICT:
                wrong.append((a, our, b, their))
        elif our != their:
            wrong.append((a, our, b, their))
    print(f"{scheme}: {len(pairs)} pairs, {refused} refused by the tool, {left_out} beyond its numbers")
    assert not wrong, f"seed {SEED}, {len(wrong)} of {len(pairs)}: {wrong[:20]}"
