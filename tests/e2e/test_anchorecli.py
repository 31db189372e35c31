"""Every command of the original's client (anchorecli 0.9.3), with its exit status, on SQLite and on PostgreSQL."""
import base64
import json
import time

import pytest

DEFAULT_BUNDLE = "2c53a13c-1765-11e8-82ef-23527761d060"
UNKNOWN = "sha256:" + "d" * 64


@pytest.fixture(scope="module")
def pulled(engine, registry_open, anchore_cli):
    """The full tag and digest of an image that was added by the client and analysed."""
    tag = f"127.0.0.1:{registry_open.port}/plain:1"
    added = anchore_cli(engine, "registry", "add", f"127.0.0.1:{registry_open.port}", "x", "y", "--insecure", "--skip-validate")
    assert added.returncode == 0, added.stdout + added.stderr
    added = anchore_cli(engine, "--json", "image", "add", tag)
    assert added.returncode == 0, added.stdout + added.stderr
    digest = json.loads(added.stdout)[0]["imageDigest"]
    waited = anchore_cli(engine, "image", "wait", tag, "--timeout", "60", "--interval", "0.2")
    assert waited.returncode == 0, waited.stdout + waited.stderr
    assert "analyzed" in waited.stdout
    return tag, digest


@pytest.fixture
def cli(engine, anchore_cli):
    """cli(ARGUMENT..., code=0) -> standard output; fails on another exit status."""
    def run(*arguments, code=0, **options):
        done = anchore_cli(engine, *arguments, **options)
        assert done.returncode == code, f"{arguments}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout + done.stderr
    return run


def test_system(cli):
    out = cli("system", "status")
    for service in ("apiext", "catalog", "simplequeue", "policy_engine", "analyzer"):
        assert service in out
    assert "up" in out
    cli("system", "wait", "--feedsready", "", "--timeout", "30", "--interval", "0.2")
    assert "REGISTRY_NOT_ACCESSIBLE" in cli("system", "errorcodes")
    cli("system", "feeds", "list")
    cli("system", "del", "nohost", "catalog", code=1)
    cli("system", "webhook", "test", "general", code=1)


def test_bad_credentials(cli):
    assert "Unauthorized" in cli("image", "list", password="wrong", code=2)
    cli("image", "list", user="nobody", code=2)


def test_image_get_and_list(cli, pulled):
    tag, digest = pulled
    by_tag = cli("image", "get", tag)
    assert digest in by_tag and "Analysis Status: analyzed" in by_tag and tag in by_tag
    assert digest in cli("image", "get", digest)
    record = json.loads(cli("--json", "image", "get", tag, "--show-history"))[0]
    image_id = record["image_detail"][0]["imageId"]
    assert digest in cli("image", "get", image_id)
    assert tag in cli("image", "list")
    assert digest in cli("image", "list", "--full")
    assert tag in cli("image", "list", "--show-all")
    cli("image", "get", "nosuch:1", code=1)
    cli("image", "get", UNKNOWN, code=1)
    cli("image", "wait", "nosuch:1", code=2)


def test_image_add(cli, pulled, registry_open, tmp_path):
    tag, digest = pulled
    assert digest in cli("image", "add", tag, "--annotation", "owner=me")
    assert json.loads(cli("--json", "image", "get", tag))[0]["annotations"]["owner"] == "me"
    dockerfile = tmp_path / "Dockerfile"
    dockerfile.write_text("FROM scratch\nCOPY . /\n")
    cli("image", "add", tag, "--dockerfile", dockerfile, code=1)
    cli("image", "add", tag, "--dockerfile", dockerfile, "--force")
    cli("image", "wait", tag, "--timeout", "60", "--interval", "0.2")
    text = json.loads(cli("--json", "image", "metadata", tag, "dockerfile"))["metadata"]
    assert base64.b64decode(text).decode() == dockerfile.read_text()
    cli("image", "add", f"127.0.0.1:{registry_open.port}/nosuch:1", code=1)
    cli("image", "add", "a b", code=1)
    archive = tmp_path / "archive.json"
    archive.write_text("{}")
    cli("image", "import", "--infile", archive, code=1)


@pytest.mark.parametrize("kind", ["os", "files", "npm", "gem", "python", "java", "binary", "go", "malware"])
def test_image_content(cli, pulled, kind):
    # the client takes an empty list for an error
    out = cli("image", "content", pulled[0], kind, code=0 if kind in ("os", "files") else 2)
    if kind == "os":
        assert "musl" in out and "1.2.4-r2" in out and "MIT" in out
    if kind == "files":
        assert "/lib/apk/db/installed" in out


def test_image_content_and_metadata(cli, pulled):
    assert "os" in cli("image", "content", pulled[0])
    cli("image", "content", pulled[0], "bogus", code=1)
    assert "manifest" in cli("image", "metadata", pulled[0])
    for kind in ("manifest", "docker_history", "dockerfile"):
        cli("image", "metadata", pulled[0], kind)


def test_image_vuln(cli, pulled):
    for kind in ("os", "non-os", "all"):
        cli("image", "vuln", pulled[0], kind)
        cli("image", "vuln", pulled[0], kind, "--vendor-only", "false")
    cli("image", "vuln", pulled[0])
    cli("image", "vuln", "nosuch:1", "all", code=1)


def test_policy(cli, tmp_path):
    assert DEFAULT_BUNDLE in cli("policy", "list")
    bundle = json.loads(cli("policy", "get", DEFAULT_BUNDLE, "--detail"))
    bundle.update(id="of-the-test", name="of the test")
    path = tmp_path / "bundle.json"
    path.write_text(json.dumps(bundle))
    assert "of-the-test" in cli("policy", "add", path)
    assert "of-the-test" in cli("policy", "get", "of-the-test")
    cli("policy", "activate", "of-the-test")
    cli("policy", "del", "of-the-test", code=1)
    cli("policy", "activate", DEFAULT_BUNDLE)
    cli("policy", "del", "of-the-test")
    cli("policy", "del", "of-the-test", code=1)
    cli("policy", "get", "of-the-test", code=1)
    path.write_text('{"id": "x"}')
    cli("policy", "add", path, code=1)
    assert "vulnerabilities" in cli("policy", "describe")
    cli("policy", "describe", "--gate", "dockerfile")
    cli("policy", "describe", "--gate", "dockerfile", "--trigger", "instruction")
    cli("policy", "describe", "--all")


def test_subscriptions(cli, pulled):
    tag = pulled[0]
    assert tag in cli("subscription", "list")
    listed = cli("subscription", "list", "--full")
    cli("subscription", "activate", "policy_eval", tag)
    cli("subscription", "deactivate", "policy_eval", tag)
    one = next(s for s in json.loads(cli("--json", "subscription", "list")) if s["subscription_type"] == "vuln_update")
    assert one["subscription_id"] in listed
    assert tag in cli("subscription", "get", one["subscription_id"])
    cli("subscription", "del", one["subscription_id"])
    cli("subscription", "activate", "policy_eval", "nosuch:tag", code=2)


def test_repositories(cli, registry_open):
    repository = f"127.0.0.1:{registry_open.port}/deep/er/plain"
    cli("repo", "add", repository, "--dryrun", "--lookuptag", "1")
    cli("repo", "add", repository, "--lookuptag", "1", "--noautosubscribe")
    assert repository in cli("repo", "list")
    cli("repo", "get", repository)
    cli("repo", "unwatch", repository)
    cli("repo", "watch", repository)
    cli("repo", "del", repository)
    cli("repo", "add", f"127.0.0.1:{registry_open.port}/nosuch", code=1)


def test_registries(cli):
    cli("registry", "add", "registry.invalid:5000", "u", "secret", "--skip-validate", "--insecure", "--registry-name", "mine")
    assert "registry.invalid:5000" in cli("registry", "list")
    out = cli("--json", "registry", "get", "registry.invalid:5000")
    assert "mine" in out and "secret" not in out
    cli("registry", "update", "registry.invalid:5000", "v", "other", "--skip-validate")
    assert '"v"' in cli("--json", "registry", "get", "registry.invalid:5000")
    cli("registry", "add", "registry.invalid:5000", "u", "p", "--skip-validate", code=1)
    cli("registry", "del", "registry.invalid:5000")
    cli("registry", "get", "registry.invalid:5000", code=1)
    cli("registry", "add", "http://registry.invalid", "u", "p", "--skip-validate", code=1)


def test_events(cli, pulled):
    out = json.loads(cli("--json", "event", "list"))
    assert out["results"]
    one = out["results"][0]["generated_uuid"]
    cli("event", "list", "--full")
    cli("event", "list", "--all")
    cli("event", "list", "--level", "error")
    assert "servicename" in cli("event", "get", one)
    cli("event", "delete", one)
    cli("event", "get", one, code=1)
    cli("event", "delete", "--dontask", "--all")


def test_queries(cli, pulled):
    out = json.loads(cli("--json", "query", "images-by-package", "--name", "musl"))
    assert pulled[1] in [i["image"]["imageDigest"] for i in out["images"]]
    cli("query", "images-by-package", "--name", "musl", "--version", "1.2.4-r2", "--package-type", "APKG")
    cli("query", "images-by-vulnerability", "--vulnerability-id", "CVE-2099-0001")


def test_accounts(cli):
    assert "admin" in cli("account", "whoami")
    cli("account", "add", "team-a", "--email", "a@example.com")
    assert "team-a" in cli("account", "list")
    cli("account", "get", "team-a")
    cli("account", "add", "team-a", code=1)
    cli("account", "user", "add", "--account", "team-a", "alice", "alices-password")
    assert "alice" in cli("account", "user", "list", "--account", "team-a")
    cli("account", "user", "get", "--account", "team-a", "alice")
    assert "team-a" in cli("account", "whoami", user="alice", password="alices-password")
    assert "[]" in cli("--json", "image", "list", user="alice", password="alices-password")
    cli("account", "list", user="alice", password="alices-password", code=1)
    cli("account", "user", "setpassword", "--account", "team-a", "--username", "alice", "another-password")
    cli("account", "whoami", user="alice", password="another-password")
    cli("account", "disable", "team-a")
    cli("account", "whoami", user="alice", password="another-password", code=2)
    cli("account", "enable", "team-a")
    cli("account", "user", "del", "--account", "team-a", "alice")
    cli("account", "disable", "team-a")
    cli("account", "del", "--dontask", "team-a")
    cli("account", "del", "--dontask", "admin", code=1)


def test_archive(cli, pulled):
    digest = pulled[1]
    cli("analysis-archive", "images", "add", digest)
    assert digest in cli("analysis-archive", "images", "list")
    cli("analysis-archive", "images", "get", digest)
    cli("analysis-archive", "images", "restore", digest, code=1)
    added = json.loads(cli("--json", "analysis-archive", "rules", "add", "10", "5", "archive", "--registry-selector", "*",
                           "--repository-selector", "*", "--tag-selector", "*"))
    rule = added["rule_id"]
    assert rule in cli("analysis-archive", "rules", "list")
    cli("analysis-archive", "rules", "get", rule)
    cli("analysis-archive", "rules", "del", rule)
    cli("analysis-archive", "rules", "get", rule, code=1)
    cli("analysis-archive", "images", "del", "--force", digest)


def activate_rule(cli, tmp_path, action):
    """A bundle with one rule that always fires."""
    bundle = {"id": f"always-{action}", "name": "always", "version": "1_0", "whitelists": [],
              "policies": [{"id": "p", "name": "p", "version": "1_0", "rules": [
                  {"id": "r", "gate": "always", "trigger": "always", "action": action, "params": []}]}],
              "mappings": [{"name": "all", "registry": "*", "repository": "*", "image": {"type": "tag", "value": "*"},
                            "policy_ids": ["p"], "whitelist_ids": []}]}
    path = tmp_path / f"{action}.json"
    path.write_text(json.dumps(bundle))
    cli("policy", "add", path)
    cli("policy", "activate", bundle["id"])


def test_evaluation(cli, pulled, tmp_path):
    tag, digest = pulled
    activate_rule(cli, tmp_path, "WARN")
    out = cli("evaluate", "check", tag)
    assert digest in out and "Status: pass" in out and tag in out
    assert "Unconditional trigger match" in cli("evaluate", "check", tag, "--detail")
    assert "Status: pass" in cli("evaluate", "check", digest, "--tag", tag)
    activate_rule(cli, tmp_path, "STOP")
    assert "Status: fail" in cli("evaluate", "check", tag, code=1)
    out = cli("evaluate", "check", tag, "--detail", code=1)
    assert "Final Action: stop" in out and "policy_evaluation" in out
    assert "Status: pass" in cli("evaluate", "check", tag, "--policy", "always-WARN")
    # the newest of the history decides
    out = cli("evaluate", "check", tag, "--show-history", code=1)
    assert "always-STOP" in out and "always-WARN" in out
    cli("policy", "activate", DEFAULT_BUNDLE)
    cli("evaluate", "check", tag, "--policy", "nosuch", code=1)
    cli("evaluate", "check", "nosuch:1", code=2)


def test_zz_delete(cli, pulled):
    tag, digest = pulled
    cli("image", "del", digest, "--force")
    cli("image", "del", UNKNOWN, code=1)


def test_zzz_restore(cli, engine, registry_open):
    """An archived image survives the deletion of the original and comes back with all that was known of it."""
    tag = f"127.0.0.1:{registry_open.port}/private/plain:1"
    digest = json.loads(cli("--json", "image", "add", tag))[0]["imageDigest"]
    engine.client.wait_analyzed(digest)
    content = engine.client.get(f"/v1/images/{digest}/content/files").body
    cli("analysis-archive", "images", "add", digest)
    cli("image", "del", digest, "--force")
    end = time.monotonic() + 90
    while engine.client.get(f"/v1/images/{digest}").status != 404 and time.monotonic() < end:
        time.sleep(0.5)
    assert engine.client.get(f"/v1/images/{digest}/content/files").status == 404
    cli("analysis-archive", "images", "restore", digest)
    assert engine.client.get(f"/v1/images/{digest}/content/files").body == content
    found = json.loads(cli("--json", "query", "images-by-package", "--name", "musl"))["images"]
    assert digest in [i["image"]["imageDigest"] for i in found]
    cli("analysis-archive", "images", "del", "--force", digest)
