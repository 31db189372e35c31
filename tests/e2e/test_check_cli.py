"""kellet check and kellet policy: the engine's verdict without one. Compared with the recorded evaluations."""
import base64
import csv
import gzip
import hashlib
import json
import os
import re
import shutil
import subprocess

import pytest

import engines
import test_analyze
import test_recorded_evaluations
from conftest import ROOT, SHARED, need
from test_recorded import DATA, shape, where_different

KELLET = os.environ.get("KELLET", str(ROOT / "build" / "kellet"))
ALPINE = SHARED / "data/images/oci/alpine-3.18"
TAG = "127.0.0.1:5000/bench/kitchen:v1"

pytestmark = pytest.mark.skipif(not DATA.exists(), reason=f"{DATA} is not here")


def kellet(*arguments, **options):
    return subprocess.run([KELLET, *map(str, arguments)], capture_output=True, text=True, timeout=120, **options)


def bundle(*rules, **more):
    return {"id": "b", "name": "b", "version": "1_0", "whitelists": [],
            "policies": [{"id": "p", "name": "p", "version": "1_0", "rules": list(rules)}],
            "mappings": [{"name": "all", "registry": "*", "repository": "*", "image": {"type": "tag", "value": "*"},
                          "policy_ids": ["p"], "whitelist_ids": []}], **more}


def rule(gate, trigger, action="STOP", **params):
    return {"gate": gate, "trigger": trigger, "action": action,
            "params": [{"name": k, "value": v} for k, v in params.items()]}


def write(path, value):
    path.write_text(json.dumps(value))
    return path


def kitchen_layout(where, variant):
    """A kitchen image of the recordings as an OCI layout."""
    subprocess.run(["python3", DATA / "scenarios/make_fixture.py", SHARED / "data/images/oci/alpine-3.10", where / "made",
                    str(variant)], check=True, stdout=subprocess.DEVNULL)
    manifest = (where / "made/manifest.json").read_bytes()
    digest = hashlib.sha256(manifest).hexdigest()
    layout = where / "layout"
    (layout / "blobs/sha256").mkdir(parents=True)
    (layout / "blobs/sha256" / digest).write_bytes(manifest)
    document = json.loads(manifest)
    for d in [document["config"], *document["layers"]]:
        name = d["digest"].split(":")[1]
        shutil.copy(where / "made" / name, layout / "blobs/sha256" / name)
    (layout / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    (layout / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [
        {"mediaType": document["mediaType"], "digest": f"sha256:{digest}", "size": len(manifest)}]}))
    (where / "settings.yaml").write_text(test_analyze.SETTINGS)
    return layout, where / "settings.yaml", where


@pytest.fixture(scope="module")
def kitchen(tmp_path_factory):
    return kitchen_layout(tmp_path_factory.mktemp("check-kitchen"), 2)


def recorded(line):
    with open(DATA / "06_evaluations.jsonl", encoding="utf-8") as f:
        lines = {x["n"]: x for x in map(json.loads, f)}
    return lines[line - 1]["request_body"], lines[line]["response_body"]


@pytest.mark.parametrize("line", [5, 11, 23, 43, 51, 57, 61, 71, 77, 92, 96, 124, 142])
def test_as_recorded(kitchen, line, tmp_path):
    layout, settings, _ = kitchen
    policy, want = recorded(line)
    done = kellet("check", f"oci-dir:{layout}", "--policy", write(tmp_path / "p.json", policy), "--tag", TAG,
                  "--analyzer-config", settings, "-o", "json", "--data", tmp_path / "data", "--allow-incomplete")
    status = list(list(want[0].values())[0].values())[0][0]["status"]
    assert done.returncode == (0 if status == "pass" else 1), done.stderr
    got = json.loads(done.stdout)
    assert list(list(got[0].values())[0].values())[0][0].pop("tag_source") == "option"
    found = where_different(shape(want), shape(got))
    assert not found, found


def recorded_rules():
    """Every rule of the recorded bundles, once, and those that gave rows about Dockerfiles."""
    rules, seen = [], set()
    with open(DATA / "06_evaluations.jsonl", encoding="utf-8") as f:
        bodies = [x["request_body"] for x in map(json.loads, f) if x["method"] == "POST" and x["path"] == "/v1/policies"]
    for policy in (p for b in bodies for p in b["policies"]):
        for r in policy["rules"]:
            if json.dumps(r, sort_keys=True) not in seen:
                seen.add(json.dumps(r, sort_keys=True))
                rules.append(r)
    return rules


def test_all_recorded_rows(kitchen, tmp_path):
    """With the feed service's records loaded, all rows of the recordings come out without a server, those of the imported
    image too."""
    with open(DATA / "golden/trigger_rows.tsv", encoding="utf-8", newline="") as f:
        rows = list(csv.DictReader(f, delimiter="\t", quoting=csv.QUOTE_NONE))
    day = re.compile(r"(max_days_since_(?:creation|fix))=\d{4}-\d\d-\d\d")
    want = {(r["gate"], r["trigger"], r["trigger_id"], day.sub(r"\1=DAY", r["message"])) for r in rows}
    assert len(rows) == 251 and len(want) == 251
    done = kellet("feeds", "load", "anchore", DATA / "golden/feeds.json", "--data", tmp_path / "data")
    assert done.returncode == 0 and "github:python: 4 records" in done.stdout, done
    dockerfile = next(x for x in map(json.loads, open(DATA / "04_images.jsonl", encoding="utf-8")) if x["n"] == 34)
    (tmp_path / "Dockerfile").write_bytes(base64.b64decode(dockerfile["request_body"]["dockerfile"]))
    df_rules = list(test_recorded_evaluations.rules_of([(r["gate"], r["trigger"], r["trigger_id"], r["message"])
                                                        for r in rows if r["gate"] == "dockerfile"]))
    policy = write(tmp_path / "p.json", bundle(*recorded_rules(), *df_rules))
    df = kitchen_layout(tmp_path, 4)[0]
    sbom = tmp_path / "sbom.json"
    sbom.write_bytes(gzip.decompress((DATA / "golden/kitchen1/sbom_native.json.gz").read_bytes()))
    (tmp_path / "scratch").write_text("FROM scratch\nUSER root\n")
    found = set()
    for source, tag, *more in (
                               (f"import:{sbom}", "docker.io/imported/kitchen:latest", "--dockerfile", tmp_path / "scratch"),
                               (f"oci-dir:{kitchen[0]}", TAG), (f"oci-dir:{ALPINE}", "docker.io/alpine:latest"),
                               (f"oci-dir:{df}", "127.0.0.1:5000/bench/kitchen:df", "--dockerfile", tmp_path / "Dockerfile")):
        done = kellet("check", source, "--policy", policy, "--tag", tag, "--analyzer-config", kitchen[1], "--hints", "-o",
                      "json", "--data", tmp_path / "data", *more)
        assert done.returncode == 1, done.stderr
        result = list(list(json.loads(done.stdout)[0].values())[0].values())[0][0]["detail"]["result"]["result"]
        for r in list(result.values())[0]["result"]["rows"]:
            found.add((r[3], r[4], r[2], day.sub(r"\1=DAY", r[5])))
    missing = sorted(want - found)
    assert not missing, f"{len(missing)} of {len(want)} rows are missing:\n" + "\n".join(map(str, missing[:40]))


def test_an_sbom_is_an_image(kitchen, tmp_path):
    """One that holds manifest and configuration, or a directory with what an import uploads: the same verdict. Of files
    nothing is known."""
    document = json.loads(gzip.decompress((DATA / "golden/kitchen1/sbom_native.json.gz").read_bytes()))
    sbom, folder = write(tmp_path / "sbom.json", document), tmp_path / "import"
    folder.mkdir()
    for name, content in (("packages.json", json.dumps(document).encode()),
                          ("manifest", base64.b64decode(document["source"]["target"]["manifest"])),
                          ("image_config", base64.b64decode(document["source"]["target"]["config"])),
                          ("dockerfile", b"FROM scratch\nEXPOSE 22\n")):
        (folder / name).write_bytes(content)
    (tmp_path / "Dockerfile").write_bytes(b"FROM scratch\nEXPOSE 22\n")
    policy = write(tmp_path / "p.json", bundle(
        rule("metadata", "attribute", attribute="size", check="exists", value="1"), rule("packages", "blacklist", name="musl"),
        rule("dockerfile", "exposed_ports", ports="22", type="blacklist"), rule("metadata", "label", name="maintainer", check="exists"),
        rule("files", "suid_or_guid_set", "WARN"), rule("packages", "verify", "WARN")))

    def check(source, *more):
        done = kellet("check", f"import:{source}", "--policy", policy, "--tag", "app:1", "-o", "json", "--data", tmp_path / "data", *more)
        assert done.returncode == 1, done
        (digest, by_tag), = json.loads(done.stdout)[0].items()
        result = by_tag["docker.io/app:1"][0]["detail"]["result"]
        return digest, [r[4:6] for r in list(result["result"].values())[0]["result"]["rows"]], result["evaluation_problems"]
    one, other = check(sbom, "--dockerfile", tmp_path / "Dockerfile"), check(folder)
    assert one == other
    digest, rows, problems = one
    assert digest == "sha256:" + hashlib.sha256((folder / "manifest").read_bytes()).hexdigest()
    assert [t for t, _ in rows] == ["attribute", "label", "blacklist", "exposed_ports"] and "matched image value: '2875516'" in rows[0][1]
    assert [p["problem_type"] for p in problems] == ["TriggerEvaluationError"], problems
    for allowed, code in (("files", 3), ("metadata", 0)):  # a pass that rests on files is none
        looks = rule("files", "suid_or_guid_set") if allowed == "files" else rule("metadata", "attribute", attribute="size", check="<",
                                                                              value="1")
        write(policy, bundle(looks))
        done = kellet("check", f"import:{folder}", "--policy", policy, "--data", tmp_path / "data")
        assert done.returncode == code and ("an SBOM says nothing of files" in done.stdout) == (code == 3), done
    del document["source"]
    for source, code, words in ((write(tmp_path / "bare.json", document), 5, "does not hold the image's manifest"),
                                (write(tmp_path / "none.json", []), 5, "does not hold"), (tmp_path / "nothing", 5, "nothing"),
                                (tmp_path, 5, "packages")):
        done = kellet("check", f"import:{source}", "--policy", policy, "--data", tmp_path / "data")
        assert done.returncode == code and words in done.stderr and not done.stdout, done


def test_verdicts_and_exit_codes(tmp_path):
    def check(policy, *more):
        return kellet("check", f"oci-dir:{ALPINE}", "--policy", write(tmp_path / "p.json", policy), "--data", tmp_path / "data",
                      *more)
    done = check(bundle(rule("always", "always")))
    assert done.returncode == 1 and "fail (stop, policy_evaluation, 1 rows)" in done.stdout, done
    assert "Unconditional trigger match" in done.stdout
    done = check(bundle(rule("always", "always", "WARN")))
    assert done.returncode == 0 and "pass (warn" in done.stdout, done
    # a rule about vulnerabilities, and no data
    policy = bundle(rule("vulnerabilities", "package", package_type="all"))
    done = check(policy)
    assert done.returncode == 4 and "no vulnerability data" in done.stderr, done
    assert check(policy, "--allow-incomplete").returncode == 0
    dockerfile = tmp_path / "Dockerfile"
    dockerfile.write_text("FROM scratch\nEXPOSE 22\n")
    policy = bundle(rule("dockerfile", "exposed_ports", ports="22", type="blacklist"))
    assert check(policy, "--dockerfile", dockerfile).returncode == 1
    assert check(policy).returncode == 0


def test_wrong_usage(tmp_path):
    source = f"oci-dir:{ALPINE}"
    assert kellet("check", source).returncode == 2
    assert kellet("check", "--policy", "x").returncode == 2
    assert kellet("check", source, "--policy", tmp_path / "none.json").returncode == 5
    broken = tmp_path / "broken.json"
    broken.write_text("{")
    done = kellet("check", source, "--policy", broken)
    assert done.returncode == 2 and "broken.json" in done.stderr
    policy = write(tmp_path / "p.json", bundle())
    assert kellet("check", source, "--policy", policy, "-o", "xml").returncode == 2
    for tag in ("", "a b", "http://a/b", "a:", "App:1"):
        done = kellet("check", source, "--policy", policy, "--tag", tag)
        assert done.returncode == 2 and "a tag looks like registry/repository:tag" in done.stderr and not done.stdout, done
    done = kellet("check", f"oci-dir:{tmp_path}/none", "--policy", policy, "--data", tmp_path / "data")
    assert done.returncode == 5, done


def test_policy_commands(tmp_path):
    good = write(tmp_path / "good.json", bundle(rule("always", "always")))
    bad = write(tmp_path / "bad.json", bundle(rule("nogate", "always")))
    assert kellet("policy", "lint", good).returncode == 0
    done = kellet("policy", "lint", good, bad)
    assert done.returncode == 1 and "GateNotFoundError" in done.stdout
    assert "vulnerabilities" in kellet("policy", "explain").stdout
    text = kellet("policy", "explain", "vulnerabilities", "package").stdout
    assert "epss_score (kellet's own)" in text and "package_type (required)" in text and "stale_feed_data" not in text
    assert kellet("policy", "explain", "nogate").returncode == 2
    theirs = {g["name"]: g for g in json.loads(kellet("policy", "spec").stdout)}
    ours = {g["name"]: g for g in json.loads(kellet("policy", "spec", "--all").stdout)}
    assert set(theirs) <= set(ours)
    assert "count" not in [t["name"] for t in theirs["vulnerabilities"]["triggers"]]
    assert "count" in [t["name"] for t in ours["vulnerabilities"]["triggers"]]
    assert kellet("policy").returncode == 2 and kellet("policy", "nothing").returncode == 2


def test_the_documentation_of_gates_is_what_the_tables_say():
    done = kellet("policy", "spec", "-o", "markdown")
    assert done.returncode == 0
    assert (ROOT / "docs/policy-gates.md").read_text() == done.stdout, \
        "write it again: kellet policy spec -o markdown > docs/policy-gates.md"
    assert kellet("policy", "spec", "-o", "yaml").returncode == 2


def test_policy_tests(tmp_path):
    write(tmp_path / "p.json", bundle(rule("always", "always"), rule("packages", "blacklist", "WARN", name="musl")))
    os.symlink(ALPINE, tmp_path / "alpine")
    tests = tmp_path / "tests.yaml"
    text = """\
bundle: p.json
tests:
  - name: it stops
    image: oci-dir:alpine
    tag: docker.io/library/alpine:3.18
    expect: fail
    final_action: stop
    rows:
      - {gate: packages, trigger: blacklist, action: warn, message: "blacklisted: musl"}
    no_rows:
      - {gate: secret_scans}
"""
    tests.write_text(text)
    done = kellet("policy", "test", tests, "--data", tmp_path / "data")
    assert done.returncode == 0 and "ok   it stops" in done.stdout, done
    for broken in (text.replace("expect: fail", "expect: pass"), text.replace("musl", "muscle"),
                   text.replace("secret_scans", "always")):
        tests.write_text(broken)
        done = kellet("policy", "test", tests, "--data", tmp_path / "data")
        assert done.returncode == 1 and "FAIL it stops" in done.stdout, done
    for broken in ("tests: []", "bundle: p.json\ntests: [{image: x}]", "bundle: none.json\ntests: [{image: x, expect: pass}]"):
        tests.write_text(broken)
        assert kellet("policy", "test", tests).returncode in (2, 5)


def judged_as(source, tmp_path, *more, **environment):
    """(name, where it is from), the same in both forms of the verdict."""
    policy = write(tmp_path / "p.json", bundle())
    arguments = ("check", source, "--policy", policy, "--data", tmp_path / "data", "--plain-http", *more)
    done = kellet(*arguments, "-o", "json", env={**os.environ, **environment})
    assert done.returncode == 0, done
    (tag, (entry,)), = list(json.loads(done.stdout)[0].values())[0].items()
    assert (f"judged as {tag}: " in done.stderr) == tag.startswith("localhost/image:"), done
    done = kellet(*arguments, env={**os.environ, **environment})
    first, second, *_ = done.stdout.splitlines()
    assert first.startswith(tag + " sha256:") and second.endswith("; mapping: all"), done
    return tag, entry["tag_source"]


def test_the_name_of_an_image_in_files(tmp_path):
    need("skopeo")

    def copy(to):
        subprocess.run(["skopeo", "copy", "-q", f"oci:{ALPINE}", to], check=True)
    copy(f"docker-archive:{tmp_path}/a.tar:team/app:1")
    copy(f"oci-archive:{tmp_path}/o.tar:h.example/team/app:2")
    copy(f"oci:{tmp_path}/layout:3.18")
    copy(f"docker-archive:{tmp_path}/none.tar")
    with open(tmp_path / "a.tar", "rb") as archive:
        piped = kellet("check", "-", "--policy", write(tmp_path / "p.json", bundle()), "--data", tmp_path / "data", stdin=archive)
    assert piped.stdout.startswith("docker.io/team/app:1 sha256:"), piped
    for source, want in ((f"docker-archive:{tmp_path}/a.tar", ("docker.io/team/app:1", "archive")),
                         (f"docker-archive:{tmp_path}/a.tar:team/app:1", ("docker.io/team/app:1", "source")),
                         (tmp_path / "o.tar", ("h.example/team/app:2", "archive")),
                         (f"oci-archive:{tmp_path}/o.tar:2", ("h.example/team/app:2", "archive")),
                         (f"oci-dir:{tmp_path}/layout", ("localhost/image:3.18", "layout")),
                         (tmp_path / "none.tar", ("localhost/image:latest", "none"))):
        assert judged_as(source, tmp_path) == want, source
    # an index as BuildKit and containerd write it; two names of one image
    index = json.loads((tmp_path / "layout/index.json").read_text())
    one = index["manifests"][0]
    index["manifests"] = [{**one, "annotations": {"io.containerd.image.name": f"docker.io/library/app:{tag}",
                                                  "org.opencontainers.image.ref.name": tag}} for tag in ("1", "2")]
    write(tmp_path / "layout/index.json", index)
    for chosen, want in (("2", ("docker.io/library/app:2", "layout")), ("app:2", ("docker.io/app:2", "source"))):
        assert judged_as(f"oci-dir:{tmp_path}/layout:{chosen}", tmp_path) == want
    report = kellet("scan", f"oci-dir:{tmp_path}/layout:2", "--data", tmp_path / "data", "-o", "json", "--allow-incomplete")
    assert json.loads(report.stdout)["image"]["tags"] == ["docker.io/library/app:2", "docker.io/library/app:1"]
    done = kellet("check", f"oci-dir:{tmp_path}/layout:3", "--policy", tmp_path / "p.json", "--data", tmp_path / "data")
    assert done.returncode == 5 and "there are: docker.io/library/app:1, docker.io/library/app:2" in done.stderr, done
    # a mapping that the name does not lead to
    value = bundle(rule("always", "always"))
    value["mappings"][0]["repository"] = "app"
    policy = write(tmp_path / "p.json", value)
    for source, code, words in (("2", 0, "no mapping of the bundle fits it"), ("app:2", 1, "mapping: all")):
        done = kellet("check", f"oci-dir:{tmp_path}/layout:{source}", "--policy", policy, "--data", tmp_path / "data")
        assert done.returncode == code and words in done.stdout, done


def test_a_package_that_an_sbom_lists_twice_counts_once(tmp_path):
    document = json.loads(gzip.decompress((DATA / "golden/kitchen1/sbom_native.json.gz").read_bytes()))
    data = write(tmp_path / "v3.10.json", {
        "distroversion": "v3.10", "reponame": "main", "urlprefix": "https://x", "apkurl": "x", "archs": ["x86_64"],
        "packages": [{"pkg": {"name": "musl", "secfixes": {"99.0-r0": ["CVE-2000-0001"]}}}]})
    assert kellet("feeds", "load", "alpine", data, "--data", tmp_path / "data", "-q").returncode == 0
    musl = [p for p in document["artifacts"] if p["name"].startswith("musl")]
    assert len(musl) == 2
    document["artifacts"] += musl
    sbom = write(tmp_path / "sbom.json", document)
    for most, code in ((1, 1), (2, 0)):
        policy = write(tmp_path / "p.json", bundle(rule("vulnerabilities", "count", max_count=str(most))))
        done = kellet("check", f"import:{sbom}", "--policy", policy, "--data", tmp_path / "data", "--allow-incomplete")
        assert done.returncode == code and ("2 findings of severity" in done.stdout) == (code == 1), done


def test_the_name_of_an_image_in_an_sbom(tmp_path):
    document = json.loads(gzip.decompress((DATA / "golden/kitchen1/sbom_native.json.gz").read_bytes()))
    for said, want in (({}, ("localhost/image:latest", "none")),
                       ({"tags": ["h.example/a:1", "b:2"]}, ("h.example/a:1", "sbom")),
                       ({"tags": ["h.example/a:1", "b:2"], "userInput": "docker:b:2"}, ("docker.io/b:2", "source"))):
        document["source"]["target"].update(said)
        assert judged_as(f"import:{write(tmp_path / 'sbom.json', document)}", tmp_path) == want


def test_the_name_of_an_image_in_a_local_engine(tmp_path, podman_socket):
    known = f"unix://{podman_socket}"
    for source, want in (("localhost/kellet-test:1", "source"), ("podman:localhost/kellet-test:1", "source"),
                         ("podman:kellet-test:1", "engine")):
        assert judged_as(source, tmp_path, CONTAINER_HOST=known) == ("localhost/kellet-test:1", want)


def test_the_name_of_an_image_is_the_engine_s(tmp_path, registry_open, kellet_binary):
    """A rule of the name, the engine's verdict of an image and ours."""
    host = registry_open.host
    site = engines.Engine(kellet_binary, tmp_path, None, more=engines.MORE)
    try:
        site.client("POST", "/v1/registries?validate=false", {"registry": host, "registry_user": "x", "registry_pass": "y",
                                                              "registry_verify": False})
        value = bundle(rule("always", "always"))
        value["mappings"][0].update(registry=host, repository="plain", image={"type": "tag", "value": "1"})
        assert site.client("POST", "/v1/policies", value).status == 200
        policy = write(tmp_path / "policy.json", value)
        for repository, code in (("plain", 1), ("deep/er/plain", 0)):
            tag = f"{host}/{repository}:1"
            digest = site.client("POST", "/v1/images", {"tag": tag}).json[0]["imageDigest"]
            assert site.client.wait_analyzed(digest)["analysis_status"] == "analyzed"
            for name in (tag, f"{host}/{repository}@{digest}"):
                theirs = site.client.get(f"/v1/images/{digest}/check?policyId=b&tag={name}").json[0][digest]
                done = kellet("check", name, "--policy", policy, "--data", tmp_path / "data", "--plain-http", "-o", "json")
                ours = json.loads(done.stdout)[0][digest]
                assert list(ours) == list(theirs) == [name]
                assert ours[name][0]["status"] == theirs[name][0]["status"] and ours[name][0]["tag_source"] == "source"
                assert done.returncode == (code if name == tag else 0), done
    finally:
        site.stop()


@pytest.fixture(scope="module")
def alpine_data(tmp_path_factory):
    """Vulnerability data about Alpine 3.18 and nothing else."""
    where = tmp_path_factory.mktemp("check-data")
    (where / "v3.18.json").write_text(json.dumps({
        "distroversion": "v3.18", "reponame": "main", "urlprefix": "https://x", "apkurl": "x", "archs": ["x86_64"],
        "packages": [{"pkg": {"name": "zlib", "secfixes": {"1.0-r0": ["CVE-2000-0001"]}}}]}))
    done = kellet("feeds", "load", "alpine", where / "v3.18.json", "--data", where / "data")
    assert done.returncode == 0, done
    return where / "data"


def test_a_pass_on_no_data_does_not_look_like_one(tmp_path, alpine_data):
    policy = write(tmp_path / "p.json", bundle(rule("vulnerabilities", "package", package_type="all")))
    other = write(tmp_path / "other.json", bundle(rule("always", "always", "GO")))
    rootfs = tmp_path / "rootfs"
    (rootfs / "etc").mkdir(parents=True)
    (rootfs / "etc/os-release").write_text("ID=debian\nVERSION_ID=12\n")
    (rootfs / "var/lib/dpkg").mkdir(parents=True)
    (rootfs / "var/lib/dpkg/status").write_text("Package: zlib1g\nStatus: install ok installed\nVersion: 1:1.2\n"
                                                "Architecture: amd64\n\n")
    alpine, debian = f"oci-dir:{ALPINE}", f"dir:{rootfs}"

    def check(source, data, *more, bundle=policy):
        return kellet("check", source, "--policy", bundle, "--data", data, *more)
    # no data at all
    done = check(alpine, tmp_path / "none")
    assert done.returncode == 4 and "not everything could be seen" in done.stdout, done
    assert "Incomplete:\n  no vulnerability data are loaded" in done.stdout
    # data, but of another distribution; in JSON the document stays the API's
    done = check(debian, alpine_data)
    assert done.returncode == 4 and "no vulnerability data for" in done.stdout and "debian" in done.stdout, done
    done = check(debian, alpine_data, "-o", "json")
    assert done.returncode == 4 and "no vulnerability data for" in done.stderr, done
    assert len(json.loads(done.stdout)) == 1
    assert check(debian, alpine_data, "--allow-incomplete").returncode == 0
    # all there
    done = check(alpine, alpine_data)
    assert done.returncode == 0 and "Incomplete" not in done.stdout and "see below" not in done.stdout, done
    assert check(alpine, alpine_data, "--max-data-age", "soon").returncode == 2
    # packages that cannot be read
    (rootfs / "var/lib/dpkg/status").unlink()
    assert check(debian, alpine_data).returncode == 3
    # a bundle that asks for neither
    done = check(debian, alpine_data, bundle=other)
    assert done.returncode == 0 and "Incomplete" not in done.stdout, done


def test_what_no_data_cover_has_the_name_of_the_report(tmp_path):
    rootfs, none = tmp_path / "rootfs", tmp_path / "none"
    (rootfs / "var/lib/dpkg").mkdir(parents=True)
    (rootfs / "var/lib/dpkg/status").write_text("Package: zlib1g\nStatus: install ok installed\nVersion: 1:1.2\n"
                                                "Architecture: amd64\n\n")

    def said(source, **params):
        policy = write(tmp_path / "p.json", bundle(rule("completeness", "uncovered_data", **params)))
        done = kellet("check", source, "--policy", policy, "--data", none, "-o", "json")
        rows = next(iter(json.loads(done.stdout)[0].values())).popitem()[1][0]["detail"]["result"]["result"]
        rows = next(iter(rows.values()))["result"]["rows"]
        return [r[5] for r in rows if r[3] == "completeness"]

    def reported(source):
        return json.loads(kellet("scan", source, "--data", none, "-o", "json").stdout)["completeness"]["uncovered"]
    tail = ", for which there are no vulnerability data"
    assert reported(f"oci-dir:{ALPINE}") == ["alpine:3.18"]
    assert said(f"oci-dir:{ALPINE}") == ["The image has packages of alpine:3.18" + tail]
    assert said(f"oci-dir:{ALPINE}", **{"except": "npm,alpine:3.18"}) == []
    assert reported(f"dir:{rootfs}") == ["deb packages of an unknown distribution"]
    assert said(f"dir:{rootfs}") == ["The image has deb packages of an unknown distribution" + tail]


def test_policy_tests_do_not_pass_on_missing_data(tmp_path, alpine_data):
    write(tmp_path / "p.json", bundle(rule("vulnerabilities", "package", package_type="all")))
    os.symlink(ALPINE, tmp_path / "alpine")
    tests = tmp_path / "tests.yaml"
    text = "bundle: p.json\ntests:\n  - {name: clean, image: \"oci-dir:alpine\", expect: pass}\n"
    tests.write_text(text)
    done = kellet("policy", "test", tests, "--data", tmp_path / "none")
    assert done.returncode == 1 and "FAIL clean" in done.stdout and "not everything could be seen" in done.stdout, done
    assert kellet("policy", "test", tests, "--data", alpine_data).returncode == 0
    tests.write_text(text.replace("expect: pass", "expect: pass, allow_incomplete: true"))
    assert kellet("policy", "test", tests, "--data", tmp_path / "none").returncode == 0


def test_vex(tmp_path):
    """Statements of the three formats reach the gate; without a rule that asks they change nothing."""
    where = tmp_path / "v3.18.json"
    where.write_text(json.dumps({
        "distroversion": "v3.18", "reponame": "main", "urlprefix": "https://x", "apkurl": "x", "archs": ["x86_64"],
        "packages": [{"pkg": {"name": "musl", "secfixes": {"99.0-r0": ["CVE-2000-0001"]}}}]}))
    assert kellet("feeds", "load", "alpine", where, "--data", tmp_path / "data", "-q").returncode == 0
    musl, vex = "pkg:apk/alpine/musl", tmp_path / "vex.json"

    def rows(document, **params):
        write(vex, document)
        policy = write(tmp_path / "p.json", bundle(rule("vulnerabilities", "package", package_type="all",
                                                        severity_comparison=">=", severity="unknown", **params)))
        done = kellet("check", f"oci-dir:{ALPINE}", "--policy", policy, "--data", tmp_path / "data", "--vex", vex, "-o", "json")
        assert done.returncode in (0, 1), done
        result = list(list(json.loads(done.stdout)[0].values())[0].values())[0][0]["detail"]["result"]["result"]
        return sorted(r[2] for r in list(result.values())[0]["result"]["rows"])
    both = ["CVE-2000-0001+musl", "CVE-2000-0001+musl-utils"]
    openvex = {"@context": "https://openvex.dev/ns/v0.2.0", "timestamp": "2024-01-01T00:00:00Z", "statements": [
        {"vulnerability": {"name": "CVE-2000-0001"}, "products": [{"@id": musl}], "status": "not_affected"}]}
    csaf = {"document": {"csaf_version": "2.0", "category": "csaf_vex"}, "product_tree": {"full_product_names": [
        {"product_id": "M", "name": "m", "product_identification_helper": {"purl": musl}}]},
        "vulnerabilities": [{"cve": "CVE-2000-0001", "product_status": {"known_not_affected": ["M"]}}]}
    cyclonedx = {"bomFormat": "CycloneDX", "specVersion": "1.5", "vulnerabilities": [
        {"id": "CVE-2000-0001", "analysis": {"state": "not_affected"}, "affects": [{"ref": musl}]}]}
    for document in (openvex, csaf, cyclonedx):
        assert rows(document) == both
        assert rows(document, vex_status="none, affected") == both[1:]
        assert rows(document, vex_status="not_affected") == both[:1]
    vex.write_text("{}")
    policy = write(tmp_path / "p.json", bundle())
    done = kellet("check", f"oci-dir:{ALPINE}", "--policy", policy, "--vex", vex, "--data", tmp_path / "data")
    assert done.returncode == 2 and "neither an OpenVEX nor a CSAF nor a CycloneDX" in done.stderr, done
    assert kellet("scan", f"oci-dir:{ALPINE}", "--vex", vex).returncode == 2


def test_files_of_a_directory(tmp_path):
    """What rules about files see of an unpacked file system: names, modes, contents, links; and nothing outside."""
    root = tmp_path / "rootfs"
    for path, text, mode in (("etc/passwd", "root:x:0:0:root:/root:/bin/ash\n", 0o644), ("etc/app.conf", "TODO\nSSLEnabled\n", 0o600),
                             ("usr/bin/tool", "x", 0o4755), ("root/key", "-----BEGIN RSA PRIVATE KEY-----\n", 0o600),
                             ("lib/apk/db/installed", "P:musl\nV:1-r0\nF:usr/bin\nR:gone\n\n", 0o644)):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
        (root / path).chmod(mode)
    (tmp_path / "outside").write_text("TODO\n")
    (root / "etc/link").symlink_to("/etc/app.conf")
    (root / "etc/out").symlink_to(tmp_path / "outside")
    os.mkfifo(root / "etc/pipe")
    settings = tmp_path / "settings.yaml"
    settings.write_text(test_analyze.SETTINGS)
    policy = write(tmp_path / "p.json", bundle(
        rule("files", "suid_or_guid_set"), rule("files", "content_regex_match", regex_name="TODO_MARK"),
        rule("files", "name_match", regex="/etc/(pipe|out)"), rule("secret_scans", "content_regex_checks"),
        rule("passwd_file", "blacklist_userids", user_ids="0"), rule("packages", "verify", check="missing"),
        rule("retrieved_files", "content_regex", path="/etc/app.conf", check="match", regex="SSLEnabled"),
        rule("files", "attribute_match", filename="/usr/bin/tool", checksum=hashlib.sha256(b"x").hexdigest())))
    done = kellet("check", f"dir:{root}", "--policy", policy, "--analyzer-config", settings, "-o", "json", "--data", tmp_path / "data")
    assert done.returncode == 1, done
    answer = list(list(json.loads(done.stdout)[0].values())[0].values())[0][0]["detail"]["result"]
    assert not answer["evaluation_problems"], answer["evaluation_problems"]
    rows = sorted((r[4], r[5]) for r in list(answer["result"].values())[0]["result"]["rows"])
    assert [t for t, _ in rows] == ["attribute_match", "blacklist_userids", "content_regex", "content_regex_checks",
                                    "content_regex_match", "content_regex_match", "name_match", "name_match", "suid_or_guid_set",
                                    "verify"], rows
    said = "\n".join(m for _, m in rows)
    for part in ("file=/etc/link regexp=TODO", "file=/etc/app.conf regexp=TODO", "/usr/bin/tool. Mode: 0o104755", "file=/etc/pipe",
                 "file=/root/key", "entry '/usr/bin/gone' with status: 'missing'"):
        assert part in said, (part, said)


def test_files_with_other_content_by_the_digests_of_dpkg_and_apk(tmp_path):
    """MD5 and SHA-1 are computed when a rule asks for them, and compared then only."""
    good, bad = b"as installed\n", b"changed here\n"
    sha1 = "Q1" + base64.b64encode(hashlib.sha1(good).digest()).decode()
    apk = "P:musl\nV:1-r0\nF:usr/bin\n" + "".join(f"R:{n}\na:0:0:644\nZ:{sha1}\n" for n in ("same", "other")) + "\n"
    dpkg = "".join(f"{hashlib.md5(good).hexdigest()}  usr/bin/{n}\n" for n in ("same", "other"))
    for name, database, release in (
            ("apk", {"lib/apk/db/installed": apk}, "ID=alpine\nVERSION_ID=3.18.4\n"),
            ("dpkg", {"var/lib/dpkg/status": "Package: musl\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1-1\n\n",
                      "var/lib/dpkg/info/musl.list": "/.\n/usr\n/usr/bin\n/usr/bin/same\n/usr/bin/other\n",
                      "var/lib/dpkg/info/musl.md5sums": dpkg}, "ID=debian\nVERSION_ID=12\n")):
        root = tmp_path / name
        for path, text in {**database, "etc/os-release": release, "usr/bin/same": good, "usr/bin/other": bad}.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_bytes(text if isinstance(text, bytes) else text.encode())
            (root / path).chmod(0o644)

        def check(*more, **params):
            policy = write(tmp_path / "p.json", bundle(rule("packages", "verify", **params)))
            done = kellet("check", f"dir:{root}", "--policy", policy, "--data", tmp_path / "data", *more)
            return done.returncode, done.stdout.count("VERIFY check"), done.stdout
        assert check()[:2] == (0, 0)
        assert check(digests="false")[:2] == (0, 0)
        code, rows, text = check(digests="true")
        assert (code, rows) == (1, 1) and "entry '/usr/bin/other' with status: 'changed'" in text, text
        assert check(digests="true", check="missing")[:2] == (0, 0)
    settings = tmp_path / "settings.yaml"
    settings.write_text("digests: [md5, sha3]\n")
    code, _, _ = check("--analyzer-config", settings)
    assert code == 2
    settings.write_text("digests: [md5]\n")
    assert check("--analyzer-config", settings)[:2] == (0, 0)


def test_scan_with_a_policy(tmp_path, alpine_data):
    def scan(value, *more):
        return kellet("scan", f"oci-dir:{ALPINE}", "--policy", write(tmp_path / "p.json", value), "--data", alpine_data, *more)
    done = scan(bundle(rule("always", "always")))
    assert done.returncode == 1 and "verdict is fail" in done.stderr, done
    assert "Unconditional trigger match" in done.stdout and "Complete" in done.stdout
    done = scan(bundle(rule("always", "always", "WARN")), "-o", "json")
    assert done.returncode == 0, done
    verdict = json.loads(done.stdout)["verdict"]
    assert verdict["final_action"] == "warn" and verdict["rows"][0]["gate"] == "always"
    assert verdict["tag"] == "localhost/image:latest" and verdict["tag_source"] == "layout"
    schema = json.loads((ROOT / "docs/report.schema.json").read_text())
    pytest.importorskip("jsonschema").validate(json.loads(done.stdout), schema)
    done = scan(bundle(), "--tag", "app:1")
    assert done.returncode == 0 and "Policy, for docker.io/app:1 (the name that --tag gives; mapping: all):" in done.stdout, done
    done = scan(bundle(), "--tag", "a b")
    assert done.returncode == 2 and "a tag looks like" in done.stderr and not done.stdout, done
    done = kellet("scan", f"oci-dir:{ALPINE}", "--policy", tmp_path / "p.json", "--data", tmp_path / "none")
    assert done.returncode == 4 and "not everything could be seen" in done.stdout, done
    assert kellet("scan", f"oci-dir:{ALPINE}", "--tag", "x:1").returncode == 2
    assert scan(bundle(), "--explain", "CVE-2000-0001").returncode == 2
