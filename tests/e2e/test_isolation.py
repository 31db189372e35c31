"""One account never sees, changes or removes what is another's: all operations of the API's description are asked for as
a user of a foreign account, with the ids of the owner's things. And text in parameters is never SQL."""
import json
import subprocess
import urllib.parse

import pytest

import engines

MARK = "topsecretmark"
DIGEST = "sha256:" + "ab" * 32
IMAGE_ID = "cd" * 32
ARCHIVED = "sha256:" + "ef" * 32
SKIPPED = {"get_oauth_token", "test_webhook"}
# What an ordinary user may see of the whole system.
SYSTEM = {"get_service_detail", "get_system_feeds", "get_status"}


def execute(engine, *statements):
    """SQL by the database's own hand: images need a registry otherwise."""
    if engine.database.startswith("sqlite:"):
        import sqlite3
        with sqlite3.connect(engine.database[len("sqlite:"):], timeout=30) as db:
            for statement in statements:
                db.execute(statement)
        db.close()
    else:
        subprocess.run([engines.postgres_bin() / "psql", "-q", "-v", "ON_ERROR_STOP=1", engine.database], check=True,
                       input=";\n".join(statements), text=True, timeout=60)


def query(engine, statement):
    if engine.database.startswith("sqlite:"):
        import sqlite3
        db = sqlite3.connect(engine.database[len("sqlite:"):], timeout=30)
        try:
            return [tuple(str(v) for v in row) for row in db.execute(statement)]
        finally:
            db.close()
    done = subprocess.run([engines.postgres_bin() / "psql", "-qAt", "-v", "ON_ERROR_STOP=1", engine.database], check=True,
                          input=statement, text=True, timeout=60, stdout=subprocess.PIPE)
    return [tuple(line.split("|")) for line in done.stdout.splitlines()]


def record(table, **values):
    text = ", ".join(str(v) if isinstance(v, int) else f"'{v}'" for v in values.values())
    return f"INSERT INTO {table} ({', '.join(values)}) VALUES ({text})"


def images_of(account):
    now = 1700000000000000
    return [
        record("catalog_image", account=account, image_digest=DIGEST, parent_digest=DIGEST, image_id=IMAGE_ID,
               image_type="docker", arch="amd64", distro=MARK, annotations=json.dumps({MARK: MARK}),
               analysis_status="analyzed", image_status="active", analyzed_at=now, created_at=now, last_updated=now),
        record("catalog_image_tag", account=account, registry="registry.example", repo=MARK, tag="v1", image_digest=DIGEST,
               fulltag=f"registry.example/{MARK}:v1", image_id=IMAGE_ID, tag_detected_at=now, created_at=now,
               last_updated=now),
        record("archive_image", account=account, image_digest=ARCHIVED, parent_digest=ARCHIVED, status="archived",
               annotations=json.dumps({MARK: MARK}), image_detail="[]", analyzed_at=now, image_created_at=now,
               created_at=now, last_updated=now),
    ]


def snapshot(owner):
    """Everything that the owner has."""
    found = {}
    for path in ("/policies?detail=true", "/subscriptions", "/registries", "/events", "/images", "/account",
                 "/accounts/owner/users", "/accounts/owner/users/owner1/credentials", "/archives/images",
                 "/archives/rules", "/summaries/imagetags"):
        answer = owner.get("/v1" + path)
        assert answer.status == 200, f"{path}: {answer}"
        found[path] = answer.json
    return found


@pytest.fixture(scope="module")
def world(engine):
    admin = engine.client
    for name in ("owner", "stranger"):
        assert admin("POST", "/v1/accounts", {"name": name}).status == 200
        assert admin("POST", f"/v1/accounts/{name}/users", {"username": name + "1", "password": "password1"}).status == 200
    owner = engines.Client(admin.port, "owner1", "password1")
    stranger = engines.Client(admin.port, "stranger1", "password1")
    bundle = owner.get("/v1/policies", detail="true").json[0]["policybundle"]
    assert owner("POST", "/v1/policies", {**bundle, "id": "owned", "name": MARK}).status == 200
    made = owner("POST", "/v1/subscriptions", {"subscription_key": f"registry.example/{MARK}:v1",
                                               "subscription_type": "tag_update", "subscription_value": MARK})
    assert made.status == 200
    registry = {"registry": "registry.example:5000", "registry_name": MARK, "registry_user": MARK, "registry_pass": MARK,
                "registry_type": "docker_v2", "registry_verify": False}
    assert owner("POST", "/v1/registries?validate=false", registry).status == 200
    rule = owner("POST", "/v1/archives/rules", {"transition": "archive", "analysis_age_days": 1, "tag_versions_newer": 1,
                                                "selector": {"registry": "*", "repository": MARK, "tag": "*"}})
    assert rule.status == 200, rule
    execute(engine, *images_of("owner"))
    event = owner.get("/v1/events").json["results"][0]["generated_uuid"]
    ids = {"policyId": "owned", "subscriptionId": made.json[0]["subscription_id"], "registry": "registry.example:5000",
           "ruleId": rule.json["rule_id"], "eventId": event, "imageDigest": DIGEST, "imageId": IMAGE_ID,
           "accountname": "owner", "username": "owner1", "vtype": "all", "ctype": "os", "mtype": "manifest",
           "servicename": "catalog", "hostid": "x", "feed": "vulnerabilities", "group": "x", "operation_id": "0" * 32,
           "webhook_type": "general", "fulltag": f"registry.example/{MARK}:v1", "imageDigests": DIGEST, "tag": "a:b",
           "repository": "127.0.0.1:1/a/b", "credential_type": "password", "vulnerability_id": "CVE-2000-0001",
           "id": "CVE-2000-0001", "name": "musl", "enabled": "true", "history": "true", "detail": "true",
           "image_status": "all", "state": "enabled"}
    return {"admin": admin, "owner": owner, "stranger": stranger, "ids": ids, "bundle": bundle,
            "swagger": admin.get("/v1/swagger.json").json}


BODIES = {
    "update_account_state": {"state": "disabled"},
    "create_user": {"username": "intruder", "password": "password1"},
    "create_user_credential": {"type": "password", "value": "intruder"},
    "update_subscription": {"active": True, "subscription_value": "intruder"},
    "update_registry": {"registry": "registry.example:5000", "registry_name": "x", "registry_user": "intruder",
                        "registry_pass": "x", "registry_type": "docker_v2", "registry_verify": False},
    "archive_image_analysis": [DIGEST],
    "add_image": {"source": {"archive": {"digest": ARCHIVED}}},
}


def operations(swagger):
    for path, methods in swagger["paths"].items():
        common = methods.get("parameters", [])
        for method, operation in methods.items():
            if method != "parameters":
                yield method.upper(), path, operation, common + operation.get("parameters", [])


def request(path, parameters, values):
    query = {}
    for p in parameters:
        name = p.get("name")
        if p.get("in") == "path":
            path = path.replace("{" + name + "}", urllib.parse.quote(str(values.get(name, "x")), safe=""))
        elif p.get("in") == "query" and name in values and p.get("type") != "boolean":
            query[name] = values[name]
        elif p.get("in") == "query" and p.get("required"):
            query[name] = values.get(name, "x")
    return "/v1" + path + ("?" + urllib.parse.urlencode(query) if query else "")


def body_of(world, operation):
    if operation["operationId"] == "update_policy":
        return {"policyId": "owned", "active": True, "policybundle": {**world["bundle"], "id": "owned"}}
    return BODIES.get(operation["operationId"], {})


def test_a_stranger_sees_and_changes_nothing(world):
    before = snapshot(world["owner"])
    assert MARK in json.dumps(before)
    seen, asked = [], 0
    for header in (None, "owner"):
        client = engines.Client(world["stranger"].port, "stranger1", "password1", header)
        for method, path, operation, parameters in operations(world["swagger"]):
            if operation["operationId"] in SKIPPED:
                continue
            target = request(path, parameters, world["ids"])
            body = None if method in ("GET", "DELETE") else body_of(world, operation)
            answer = client(method, target, body)
            asked += 1
            text = answer.body.decode(errors="replace").replace(f"registry.example/{MARK}:v1", "")
            if MARK in text:
                seen.append(f"{method} {target} ({header}): {answer}")
            if header and answer.status < 300 and operation.get("x-anchore-authz-action"):
                seen.append(f"{method} {target} in the owner's name: {answer}")
    assert asked > 150
    assert not seen, "\n".join(seen)
    after = snapshot(world["owner"])
    assert after == before


def test_without_credentials_there_is_nothing(world):
    client = engines.Client(world["stranger"].port, "stranger1", "wrong")
    open_ones = {"ping", "health_check", "version_check", "get_oauth_token"}
    for method, path, operation, parameters in operations(world["swagger"]):
        answer = client(method, request(path, parameters, world["ids"]), None if method in ("GET", "DELETE") else {})
        if operation["operationId"] not in open_ones:
            assert answer.status == 401, f"{method} {path}: {answer}"


TEXTS = ["' OR '1'='1", "x'; DROP TABLE accounts; --", '"', "\\", "%", "_", "$1", "''", "x' UNION SELECT value FROM settings --",
         "\u00e9\u4e2d\U0001f600", "a" * 3000]


@pytest.mark.parametrize("text", TEXTS)
def test_text_is_no_sql(world, text):
    admin = world["admin"]
    accounts = admin.get("/v1/accounts").json
    mine = len(admin.get("/v1/policies").json), len(admin.get("/v1/events", limit=1000).json["results"])
    for method, path, operation, parameters in operations(world["swagger"]):
        if method != "GET" or operation["operationId"] in SKIPPED:
            continue
        values = {p["name"]: text for p in parameters if p.get("type") == "string" and not p.get("enum")}
        answer = admin(method, request(path, parameters, values))
        said = answer.body.decode(errors="replace").lower()
        for word in ("syntax error", "sqlite", "postgres", "unterminated", "sqlstate"):
            assert word not in said, f"{path}: {answer}"
        assert MARK not in said and "$argon2" not in said, f"{path}: {answer}"
    for body in ({"subscription_key": text, "subscription_type": "tag_update", "subscription_value": text},):
        made = admin("POST", "/v1/subscriptions", body)
        assert made.status == 200 and made.json[0]["subscription_key"] == text
        assert len(admin.get("/v1/subscriptions", subscription_key=text).json) == 1
        assert admin("DELETE", f"/v1/subscriptions/{made.json[0]['subscription_id']}").status == 200
    assert admin.get("/v1/accounts").json == accounts
    assert (len(admin.get("/v1/policies").json), len(admin.get("/v1/events", limit=1000).json["results"])) == mine


def filled(swagger, schema, text, depth=6):
    """A value of the schema whose every text is `text`, without those that have a form of their own."""
    if "$ref" in schema:
        schema = swagger["definitions"][schema["$ref"].rpartition("/")[2]]
    if "allOf" in schema:
        return {k: v for part in schema["allOf"] for k, v in filled(swagger, part, text, depth - 1).items()}
    kind = schema.get("type", "object" if "properties" in schema else None)
    if kind == "object":
        return {name: filled(swagger, one, text, depth - 1) for name, one in schema.get("properties", {}).items()
                if depth and not {"pattern", "format"} & set(one)} or {text: text}
    if kind == "array":
        return [filled(swagger, schema.get("items", {}), text, depth - 1)] if depth else []
    return {"integer": 1, "number": 1, "boolean": True}.get(kind, schema["enum"][0] if "enum" in schema else text)


def tables(engine):
    """How many rows each table has whose rows only come and go when somebody asks for it."""
    return {t: query(engine, f"SELECT COUNT(*) FROM {t}") for t in ("accounts", "account_users", "catalog_image", "catalog_image_tag",
                                                                    "archive_image")}


@pytest.mark.parametrize("text", TEXTS)
def test_text_that_is_written_is_no_sql(engine, world, text):
    """In every parameter and every member of a body of what changes something."""
    admin, swagger = world["admin"], world["swagger"]
    before, rows, asked = snapshot(world["owner"]), tables(engine), 0
    for method, path, operation, parameters in operations(swagger):
        if method == "GET" or operation["operationId"] in SKIPPED or path in ("/system/feeds", "/user/credentials"):
            continue  # a synchronisation asks the world; the other is the asker's own password
        values = {p["name"]: text if p.get("type") == "string" else "true" for p in parameters
                  if "name" in p and not p.get("enum")}
        body = next((filled(swagger, p["schema"], text) for p in parameters if p.get("in") == "body"), None)
        answer = admin(method, request(path, parameters, values), body)
        said = answer.body.decode(errors="replace").lower()
        assert answer.status < 500 and answer.status != 401, f"{method} {path}: {answer}"
        for word in ("syntax error", "sqlite", "postgres", "unterminated", "sqlstate"):
            assert word not in said, f"{method} {path}: {answer}"
        assert MARK not in said and "$argon2" not in said, f"{method} {path}: {answer}"
        asked += 1
    assert asked > 40
    assert snapshot(world["owner"]) == before
    assert tables(engine) == rows


@pytest.mark.parametrize("text", TEXTS)
def test_text_comes_back_as_it_was(engine, world, text):
    """Where any text may stand."""
    admin, owner = world["admin"], world["owner"]
    before, rows = snapshot(owner), tables(engine)
    rule = {"gate": "packages", "trigger": "blacklist", "action": "STOP", "id": text, "params": [{"name": "name", "value": text}]}
    bundle = {"id": text[:500], "name": text, "version": "1_0", "comment": text,
              "policies": [{"id": "p", "name": text, "version": "1_0", "comment": text, "rules": [rule]}],
              "whitelists": [{"id": "w", "name": text, "version": "1_0", "comment": text,
                              "items": [{"id": text, "gate": "packages", "trigger_id": text}]}],
              "mappings": [{"id": text, "name": text, "registry": text, "repository": text, "policy_ids": ["p"],
                            "whitelist_ids": ["w"], "image": {"type": "tag", "value": text}}]}
    made = owner("POST", "/v1/policies", bundle)
    assert made.status == 200, made
    where = "/v1/policies/" + urllib.parse.quote(made.json["policyId"], safe="")
    kept = owner.get(where, detail="true").json[0]["policybundle"]
    assert {k: kept[k] for k in bundle} == bundle
    assert owner("DELETE", where).status == 200
    made = admin("POST", "/v1/accounts", {"name": "mailbox", "email": "a@" + text[:100]})
    assert made.status in (200, 400), made
    if made.status == 200:
        assert admin.get("/v1/accounts/mailbox").json["email"] == "a@" + text[:100]
        execute(engine, "DELETE FROM accounts WHERE name = 'mailbox'")
    registry = {"registry": "other.example:5000", "registry_name": text, "registry_user": text, "registry_pass": text,
                "registry_type": "docker_v2", "registry_verify": False}
    made = owner("POST", "/v1/registries?validate=false", registry)
    assert made.status == 200, made
    kept = owner.get("/v1/registries/other.example:5000").json[0]
    assert (kept["registry_name"], kept["registry_user"]) == (text, text)
    assert owner("DELETE", "/v1/registries/other.example:5000").status == 200
    selector = {"registry": text, "repository": text, "tag": text}
    made = owner("POST", "/v1/archives/rules", {"transition": "archive", "analysis_age_days": 1, "selector": selector})
    assert made.status == 200, made
    assert owner.get(f"/v1/archives/rules/{made.json['rule_id']}").json["selector"] == selector
    assert owner("DELETE", f"/v1/archives/rules/{made.json['rule_id']}").status in (200, 204)
    made = owner("POST", "/v1/images", {"tag": f"127.0.0.1:1/{text}:1", "annotations": {"a": text}})
    assert 400 <= made.status < 500, made
    after = snapshot(owner)
    assert {**after, "/events": before["/events"]} == before and tables(engine) == rows


@pytest.mark.parametrize("path", ["/v1/policies/%ff", "/v1/policies/%00", "/v1/policies/%zz", "/v1/accounts/%c0%80",
                                  "/v1/subscriptions?subscription_key=%ff", "/v1/events?resource_id=%00",
                                  "/v1/images?fulltag=%ff%fe"])
def test_bytes_that_are_no_text(world, path):
    assert world["admin"].get(path).status in (200, 400, 404)
