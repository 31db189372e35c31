"""POST /import/images: archives of analyses that were made elsewhere, in the form of the original's inline scans."""
import base64
import gzip
import io
import json
import tarfile

import pytest

import engines

TAG = "localbuild/app:v1"
SECRET = "AWS_ACCESS_KEY=(?i).*aws_access_key_id( *=+ *).*(?<![A-Z0-9])[A-Z0-9]{20}(?![A-Z0-9]).*"


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def site(request, kellet_binary, tmp_path_factory):
    """An engine that has no worker: nothing can be analysed here."""
    where = tmp_path_factory.mktemp("import-archive")
    database = None
    if request.param == "postgres":
        if not engines.postgres_bin():
            pytest.skip("PostgreSQL is not installed")
        server = engines.Postgres(where / "postgres")
        database = server.database("kellet")
    engine = engines.Engine(kellet_binary, where / "engine", database=database,
                            services=("catalog", "apiext", "simplequeue", "policy_engine"))
    yield engine
    engine.stop()
    if request.param == "postgres":
        server.stop("immediate")


def digest_of(n):
    return f"sha256:{n:064x}"


def text(**members):
    return json.dumps(members)


def base(**members):
    return {"base": members}


def file(path, kind="file", mode=0o100644, size=0, link=None):
    return text(name=path, fullpath=path, size=size, mode=mode, uid=0, gid=7, linkdst=link, linkdst_fullpath=link, type=kind,
                othernames={})


def analysis_report():
    return {
        "analyzer_meta": {"analyzer_meta": {"base": {"DISTRO": "redhat", "DISTROVERS": "8.4", "LIKEDISTRO": "rhel,fedora"}}},
        "package_list": {
            "pkgs.allinfo": {"base": {
                # an older version wrote text, a later one values
                "bash": text(version="4.4.20", release="1.el8", arch="x86_64", origin="Red Hat", license="GPLv3+", size="6930068",
                             type="rpm", sourcepkg="bash-4.4.20-1.el8.src.rpm"),
                "glibc-common": {"version": "2.28", "release": "151.el8", "arch": "x86_64", "origin": "Red Hat", "license": "LGPL",
                                 "size": 1, "type": "rpm", "sourcepkg": "glibc-2.28-151.el8.src.rpm"},
                "odd": "no JSON",
            }},
            "pkgs.python": {"base": {"/usr/lib/python3.6/site-packages/Django": {
                "name": "Django", "version": "2.2.0", "latest": "2.2.0", "location": "/usr/lib/python3.6/site-packages",
                "license": "BSD", "origin": "Foundation <f@example.org>", "files": [], "type": "python"}}},
            "pkgs.npms": {"base": {"/app/node_modules/tar/package.json": text(
                name="tar", versions=["2.2.1"], latest="2.2.1", lics=["ISC"], origins=["Isaac"], sourcepkg="x")}},
            "pkgs.gems": {"base": {"/g/rack.gemspec": {"name": "rack", "versions": ["2.0.1"], "lics": ["MIT"], "origins": ["L N"]}}},
            "pkgs.java": {"base": {"/opt/log4j-core-2.14.1.jar": {
                "name": "log4j-core", "specification-version": "N/A", "implementation-version": "2.14.1",
                "maven-version": "2.14.1", "origin": "org.apache.logging.log4j", "location": "/opt/log4j-core-2.14.1.jar",
                "type": "java-jar", "metadata": {"pom.properties":
                                                 "\ngroupId=org.apache.logging.log4j\nartifactId=log4j-core\nversion=2.14.1\n"}}}},
            "pkgs.go": {"base": {"/bin/app": {"name": "example.org/mod", "version": "v1.2.3", "type": "go"}}},
            "pkgs.binary": {"base": {"/usr/bin/python3": {"name": "python", "version": "3.6.8", "type": "binary"}}},
        },
        "file_list": {"files.allinfo": base(**{
            "/.": file("/.", "dir", 0o40755), "/etc/passwd": file("/etc/passwd", size=5),
            "/etc/link": file("/etc/link", "slink", 0o120777, link="passwd"),
            "/root/.aws": file("/root/.aws", size=9), "/usr/bin/su": file("/usr/bin/su", mode=0o104755, size=3)})},
        "file_checksums": {"files.sha256sums": base(**{"/etc/passwd": "a" * 64, "/.": "DIRECTORY_OR_OTHER"})},
        "retrieve_files": {"file_content.all": base(**{"/etc/passwd": base64.b64encode(b"root:").decode()})},
        "secret_search": {"regexp_matches.all": base(**{
            "/root/.aws": text(**{base64.b64encode((SECRET + "\n").encode()).decode(): [0, 4]})})},
        "content_search": {"regexp_matches.all": base(**{
            "/root/.aws": text(**{base64.b64encode(b"MARK=.*TODO.*\n").decode(): [2]})})},
        "malware": {"malware": base(clamav=text(scanner="clamav", findings=[{"path": "/x", "signature": "Eicar"}], metadata={}))},
    }


def image(number, dockerfile=None, report=None, manifest="text"):
    """The members of an archive, and the parts that a test may break."""
    digest, parent, image_id = digest_of(number), digest_of(number + 1000), f"{number:064x}"
    layers = ["sha256:" + "1" * 64, "sha256:" + "2" * 64]
    history = [{"Created": "2024-01-01T00:00:00Z", "CreatedBy": "/bin/sh -c #(nop) ADD file:1 in / ", "Comment": "", "Id": layers[0],
                "Size": 10, "Tags": []},
               {"Created": "2024-01-01T00:00:01Z", "CreatedBy": "/bin/sh -c #(nop)  ENV A=1", "Comment": "", "Id": "<missing>",
                "Size": 0, "Tags": []},
               {"Created": "2024-01-01T00:00:02Z", "CreatedBy": "/bin/sh -c make", "Comment": "", "Id": layers[1], "Size": 20,
                "Tags": []}]
    document = {"schemaVersion": 2, "config": {"digest": "sha256:" + image_id, "size": 1},
                "layers": [{"digest": layers[0], "size": 10}, {"digest": layers[1], "size": 20}]}
    detail = {"registry": "localbuild", "repo": "app", "tag": "v1", "imageDigest": digest, "imageId": image_id,
              "created_at": 1700000000, "last_updated": 1700000000, "tag_detected_at": 1700000000, "dockerfile": None}
    record = {"imageDigest": digest, "parentDigest": parent, "userId": "somebody", "image_size": 12345, "analysis_status": "analyzed",
              "image_status": "active", "annotations": json.dumps({"team": "a"}), "created_at": 1700000000,
              "analyzed_at": 1700000100, "last_updated": 1700000000, "image_detail": [detail, {**detail, "tag": "v1.0"}]}
    image_report = {"docker_history": history, "dockerfile_mode": "Actual" if dockerfile else "Guessed",
                    "dockerfile_contents": dockerfile or "", "layers": layers, "docker_data": {"Architecture": "amd64"}}
    analysis = [{"image": {"imageId": image_id, "imagedata": {"analysis_report": report or analysis_report(),
                                                              "image_report": image_report}}}]
    index = {"account": "somebody", "image_digest": digest, "archived_at": "2024-01-01T00:00:00",
             "metadata": {"versions": {"service_version": "0.8.2", "db_version": "0.0.13"}, "image_id": image_id,
                          "image_record": json.dumps(record)},
             "artifacts": [{"name": n, "metadata": None, "source": {"bucket": b, "key": digest}, "dest": {"tarfile_path": n}}
                           for n, b in (("analysis", "analysis_data"), ("image_content", "image_content_data"),
                                        ("image_manifest", "manifest_data"))]}
    return digest, {
        "analysis": {"document": analysis}, "image_content": {"document": {}},
        "image_manifest": {"document": json.dumps(document) if manifest == "text" else document if manifest else None},
        "archive_manifest": index}


def pack(members, compress=gzip.compress, kinds=None):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, content in members if isinstance(members, list) else members.items():
            data = content if isinstance(content, bytes) else json.dumps(content).encode()
            info = tarfile.TarInfo(name)
            info.size = len(data)
            if kinds and name in kinds:
                info.type, info.linkname, info.size, data = tarfile.SYMTYPE, kinds[name], 0, b""
            tar.addfile(info, io.BytesIO(data))
    return compress(out.getvalue())


def send(site, data, client=None):
    body = (b'--B\r\nContent-Disposition: form-data; name="archive_file"; filename="a.tgz"\r\n'
            b"Content-Type: application/gzip\r\n\r\n" + data + b"\r\n--B--\r\n")
    return (client or site.client)("POST", "/v1/import/images", body, {"Content-Type": "multipart/form-data; boundary=B"})


def metadata(site, digest, kind):
    found = site.client.get(f"/v1/images/{digest}/metadata/{kind}").json["metadata"]
    return base64.b64decode(found).decode() if found else found


def rows(site, digest, kind):
    answer = site.client.get(f"/v1/images/{digest}/content/{kind}")
    assert answer.status == 200, answer
    return answer.json["content"]


def test_record(site):
    digest, members = image(1)
    answer = send(site, pack(members))
    assert answer.status == 200, answer
    record, = answer.json
    assert site.client.get(f"/v1/images/{digest}").json == [record]
    assert record["imageDigest"] == digest and record["parentDigest"] == digest_of(1001) and record["userId"] == "admin"
    assert record["analysis_status"] == "analyzed" and record["image_status"] == "active"
    assert record["analyzed_at"] == "2023-11-14T22:15:00Z" and record["annotations"] == {"team": "a"}
    assert record["image_content"]["metadata"] == {
        "arch": "amd64", "distro": "rhel", "distro_version": "8.4", "dockerfile_mode": "Guessed", "image_size": 12345, "layer_count": 2}
    assert {t["fulltag"] for t in record["image_detail"]} == {TAG, "localbuild/app:v1.0"}
    assert {t["imageId"] for t in record["image_detail"]} == {f"{1:064x}"}
    assert site.client.get("/v1/images", fulltag=TAG).json == [record]
    assert len(site.client.get("/v1/subscriptions", subscription_key=TAG).json) == 4
    told = site.client.get("/v1/events", event_type="system.image_analysis.restored_from_archive").json["results"]
    assert digest in {e["event"]["resource"]["id"] for e in told}
    again = send(site, pack(members))
    assert again.status == 409 and "already exists" in again.json["message"], again


def test_forced_again(site):
    """There is no registry to read it from again: refused, with what to do, and the analysis stays as it is."""
    digest, members = image(77)
    assert send(site, pack(members)).status == 200
    before = site.client.get(f"/v1/images/{digest}").json
    for body in ({"tag": TAG}, {"source": {"digest": {"pullstring": f"localbuild/app@{digest}", "tag": TAG}}}):
        answer = site.client("POST", "/v1/images?force=true", body)
        assert answer.status == 400 and answer.json["message"] == "cannot fetch image digest/manifest from registry", answer
        assert "importing it again" in answer.json["detail"]["stored_image"] and answer.json["detail"]["error_codes"]
        answer = site.client("POST", "/v1/images", body)
        assert answer.status == 400 and "stored_image" not in answer.json["detail"], answer
    assert site.client.get(f"/v1/images/{digest}").json == before


def test_content(site):
    digest, members = image(2)
    assert send(site, pack(members)).status == 200
    bash, glibc = rows(site, digest, "os")
    assert (bash["package"], bash["version"], bash["type"], bash["license"], bash["origin"], bash["size"]) == (
        "bash", "4.4.20-1.el8", "RPM", "GPLv3+", "Red Hat", "6930068")
    assert glibc["sourcepkg"] == "glibc"
    python, = rows(site, digest, "python")
    assert (python["package"], python["version"], python["location"], python["origin"]) == (
        "Django", "2.2.0", "/usr/lib/python3.6/site-packages/Django", "Foundation <f@example.org>")
    npm, = rows(site, digest, "npm")
    assert (npm["package"], npm["version"], npm["license"], npm["origin"], npm["location"]) == (
        "tar", "2.2.1", "ISC", "Isaac", "/app/node_modules/tar/package.json")
    gem, = rows(site, digest, "gem")
    assert (gem["package"], gem["version"], gem["license"]) == ("rack", "2.0.1", "MIT")
    java, = rows(site, digest, "java")
    assert (java["package"], java["version"], java["origin"], java["type"]) == (
        "log4j-core", "2.14.1", "org.apache.logging.log4j", "JAVA-JAR")
    assert [(r["package"], r["version"]) for k in ("go", "binary") for r in rows(site, digest, k)] == [
        ("example.org/mod", "v1.2.3"), ("python", "3.6.8")]
    files = {f["filename"]: f for f in rows(site, digest, "files")}
    assert files["/etc/passwd"] == {"filename": "/etc/passwd", "gid": 7, "linkdest": None, "mode": "00644", "sha256": "a" * 64,
                                    "size": 5, "type": "file", "uid": 0}
    assert files["/."]["type"] == "dir" and files["/."]["sha256"] is None
    assert files["/etc/link"]["linkdest"] == "passwd" and files["/usr/bin/su"]["mode"] == "04755"
    assert rows(site, digest, "malware") == [{"scanner": "clamav", "findings": [{"path": "/x", "signature": "Eicar"}], "metadata": {}}]


def test_artifacts_and_metadata(site):
    digest, members = image(3)
    assert send(site, pack(members)).status == 200
    name, regex = SECRET.split("=", 1)
    art = f"/v1/images/{digest}/artifacts/"
    assert site.client.get(art + "secret_search").json == [
        {"path": "/root/.aws", "matches": [{"name": name, "regex": regex, "lines": [0, 4]}]}]
    assert site.client.get(art + "file_content_search").json == [
        {"path": "/root/.aws", "matches": [{"name": "MARK", "regex": ".*TODO.*", "lines": [2]}]}]
    kept, = site.client.get(art + "retrieved_files").json
    assert kept["path"] == "/etc/passwd" and base64.b64decode(kept["b64_content"]) == b"root:"
    history = json.loads(metadata(site, digest, "docker_history"))
    assert [(h["Id"][-1], h["Size"]) for h in history] == [("1", 10), (">", 0), ("2", 20)]
    assert json.loads(metadata(site, digest, "manifest"))["schemaVersion"] == 2
    assert metadata(site, digest, "dockerfile") == []
    guessed = base64.b64decode(site.client.get(f"/v1/images/{digest}").json[0]["image_detail"][0]["dockerfile"]).decode()
    assert guessed == "FROM scratch\nADD file:1 in / \nENV A=1\nRUN /bin/sh -c make\n"
    sbom = json.loads(gzip.decompress(site.client.get(f"/v1/images/{digest}/sboms/native").body))
    assert {a["name"] for a in sbom["artifacts"]} >= {"bash", "Django", "tar"}


def test_dockerfile_and_sbom_of_the_archive(site):
    digest, members = image(4, dockerfile="FROM x\n", manifest=None)
    members["syft_sbom"] = {"document": {"artifacts": [], "mine": True}}
    assert send(site, pack(members)).status == 200
    assert metadata(site, digest, "dockerfile") == "FROM x\n"
    assert site.client.get(f"/v1/images/{digest}").json[0]["image_content"]["metadata"]["dockerfile_mode"] == "Actual"
    sbom = json.loads(gzip.decompress(site.client.get(f"/v1/images/{digest}/sboms/native").body))
    assert sbom == {"artifacts": [], "mine": True}


def test_queries_vulnerabilities_and_the_archive(site):
    digest, members = image(5, manifest="object")
    assert send(site, pack(members)).status == 200
    found = site.client.get("/v1/query/images/by_package", name="glibc-common").json["images"]
    assert digest in {i["image"]["imageDigest"] for i in found}
    assert site.client.get(f"/v1/images/{digest}/vuln/all").status == 200
    put, = site.client("POST", "/v1/archives/images", [digest]).json
    assert put["status"] == "archived"
    assert site.client("DELETE", f"/v1/images/{digest}?force=true").status == 200


def test_accounts(site):
    """The image goes to who sends it, whoever the archive says it belongs to."""
    site.client("POST", "/v1/accounts", {"name": "other"})
    site.client("POST", "/v1/accounts/other/users", {"username": "other", "password": "secretsecret"})
    other = engines.Client(site.port("apiext"), "other", "secretsecret")
    digest, members = image(6)
    answer = send(site, pack(members), other)
    assert answer.status == 200 and answer.json[0]["userId"] == "other", answer
    assert site.client.get(f"/v1/images/{digest}").status == 404
    assert send(site, pack(members)).status == 200


def test_odd_entries_are_a_problem_of_the_image(site):
    report = analysis_report()
    report["package_list"]["pkgs.allinfo"]["base"]["x"] = text(version="1", type="unheard-of")
    report["retrieve_files"]["file_content.all"]["base"]["/not/listed"] = "AAAA"
    digest, members = image(7, report=report)
    assert send(site, pack(members)).status == 200
    assert [r["package"] for r in rows(site, digest, "os")] == ["bash", "glibc-common"]


def without(members, name):
    return {k: v for k, v in members.items() if k != name}


def changed(members, change):
    index = json.loads(json.dumps(members["archive_manifest"]))
    record = json.loads(index["metadata"]["image_record"])
    change(index, record)
    index["metadata"]["image_record"] = json.dumps(record)
    return {**members, "archive_manifest": index}


def twice(members):
    return list(members.items()) + [("analysis", {"document": []})]


BROKEN = {
    "no gzip": lambda m: b"notgzip",
    "nothing": lambda m: b"",
    "plain tar": lambda m: pack(m, compress=lambda x: x),
    "gzip of nothing": lambda m: gzip.compress(b""),
    "gzip of no tar": lambda m: gzip.compress(b"x" * 5000),
    "truncated": lambda m: pack(m)[:-200],
    "checksum": lambda m: pack(m)[:-8] + b"\0" * 8,
    "no index": lambda m: pack(without(m, "archive_manifest")),
    "no analysis": lambda m: pack(without(m, "analysis")),
    "index is no JSON": lambda m: pack({**m, "archive_manifest": b"{"}),
    "index is a list": lambda m: pack({**m, "archive_manifest": []}),
    "analysis is no JSON": lambda m: pack({**m, "analysis": b"\xff\xfe"}),
    "analysis is empty": lambda m: pack({**m, "analysis": {"document": []}}),
    "deep": lambda m: pack({**m, "analysis": b"[" * 100000}),
    "manifest is no JSON": lambda m: pack({**m, "image_manifest": {"document": "{"}}),
    "manifest is a list": lambda m: pack({**m, "image_manifest": {"document": [1]}}),
    "twice": lambda m: pack(twice(m)),
    "link": lambda m: pack(m, kinds={"analysis": "/etc/passwd"}),
    "way out": lambda m: pack({"../../etc/cron.d/x": b"x", **m}),
    "artifact elsewhere": lambda m: pack(changed(m, lambda i, r: i["artifacts"][0]["dest"].update(tarfile_path="/etc/passwd"))),
    "digest": lambda m: pack(changed(m, lambda i, r: i.update(image_digest="abc"))),
    "other image": lambda m: pack(changed(m, lambda i, r: r.update(imageDigest=digest_of(9)))),
    "parent": lambda m: pack(changed(m, lambda i, r: r.update(parentDigest="sha256:x/../y"))),
    "id": lambda m: pack(changed(m, lambda i, r: i["metadata"].update(image_id="a/b"))),
    "no tags": lambda m: pack(changed(m, lambda i, r: r.update(image_detail=[]))),
    "tag": lambda m: pack(changed(m, lambda i, r: r["image_detail"][1].update(tag="a b"))),
    "tag is a digest": lambda m: pack(changed(m, lambda i, r: r["image_detail"][0].update(repo="x@sha256"))),
    "annotations": lambda m: pack(changed(m, lambda i, r: r.update(annotations="[1]"))),
}


@pytest.mark.parametrize("name", BROKEN)
def test_hostile_archives(site, name):
    digest, members = image(100 + list(BROKEN).index(name))
    answer = send(site, BROKEN[name](members))
    assert answer.status == 400 and answer.json["message"].startswith("cannot import the archive: "), answer
    assert site.client.get(f"/v1/images/{digest}").status == 404
    assert send(site, pack(members)).status == 200


def test_sizes_that_lie(site):
    digest, members = image(8)
    plain = bytearray(pack(members, compress=lambda x: x))
    plain[124:136] = b"77777777777\0"  # the first member's size: 8 GiB
    plain[148:156] = b" " * 8
    plain[148:156] = b"%06o\0 " % sum(plain[:512])
    assert send(site, gzip.compress(bytes(plain))).status == 400
    assert site.client.get(f"/v1/images/{digest}").status == 404


def test_bomb(site):
    """300 MiB of zeros as the analysis: more than a member may have."""
    info = tarfile.TarInfo("analysis")
    info.size = 300 << 20
    answer = send(site, gzip.compress(info.tobuf()) + gzip.compress(bytes(1 << 20)) * 300)
    assert answer.status == 400 and "analysis" in answer.json["message"], answer


def test_long_lists(site):
    """A larger image: 20,000 files of which each has a checksum, in a body that is kept in a file."""
    report = analysis_report()
    names = [f"/usr/share/{i:06}" for i in range(20000)]
    report["file_list"]["files.allinfo"]["base"].update({n: file(n, size=1) for n in names})
    report["file_checksums"]["files.sha256sums"]["base"].update({n: f"{i:064x}" for i, n in enumerate(reversed(names))})
    digest, members = image(10, report=report)
    data = pack(members, compress=lambda x: gzip.compress(x, 0))
    assert len(data) > 4 << 20
    assert send(site, data).status == 200
    found = {f["filename"]: f["sha256"] for f in rows(site, digest, "files")}
    assert len(found) == 20005 and found[names[0]] == f"{19999:064x}"
