"""Who may do what: accounts, users, credentials, tokens, and what happens to an account that is deleted."""
import base64
import concurrent.futures
import http.client
import json
import time
import urllib.parse

import pytest

import engines
from test_isolation import execute, images_of, query


def account(engine, name, *users):
    admin = engine.client
    assert admin("POST", "/v1/accounts", {"name": name}).status == 200
    for user in users:
        assert admin("POST", f"/v1/accounts/{name}/users", {"username": user, "password": "password1"}).status == 200
    return [engines.Client(admin.port, user, "password1") for user in users]


def raw(port, authorization, path="/v1/user", method="GET", body=None, headers=None):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        head = dict(headers or {})
        if authorization is not None:
            head["Authorization"] = authorization
        connection.request(method, path, body, head)
        answer = connection.getresponse()
        return answer.status, answer.read(), answer.getheader("WWW-Authenticate")
    finally:
        connection.close()


def basic(text):
    return "Basic " + base64.b64encode(text if isinstance(text, bytes) else text.encode()).decode()


def token(port, user, password="password1"):
    form = urllib.parse.urlencode({"grant_type": "password", "username": user, "password": password,
                                   "client_id": "anonymous"})
    status, body, _ = raw(port, None, "/v1/oauth/token", "POST", form,
                          {"Content-Type": "application/x-www-form-urlencoded"})
    return status, json.loads(body)


@pytest.mark.parametrize("authorization", [
    None, "", "Basic", "Basic ", "Basic !!!", basic("admin"), basic(":foobar"), basic("admin:"), basic("admin:wrong"),
    basic("nobody:foobar"), basic("anchore-system:"), basic("anchore-system:foobar"), basic(b"admin\0:foobar"),
    basic(b"\xff\xfe:\xff"), basic("admin:foobar\0"), basic("a" * 9000 + ":x"), "Digest username=admin", "Bearer", "Bearer ",
    "Bearer a.b.c", "Bearer eyJhbGciOiJub25lIn0.e30.", "Bearer kellet-internal.", "Bearer kellet-internal.9999999999.00",
    "Bearer kellet-internal.1." + "0" * 64, "Bearer kellet-internal.NOW." + "0" * 64, "jwt x",
    basic("admin' OR '1'='1:foobar"), basic("' OR 1=1 --:x"),
])
def test_refused_credentials(engine, authorization):
    if authorization:
        authorization = authorization.replace("NOW", str(int(time.time())))
    status, body, challenge = raw(engine.client.port, authorization)
    assert (status, body, challenge) == (401, b"Unauthorized", 'basic realm="Authentication required"')



def test_changes_count_in_other_processes(kellet_binary, postgres, tmp_path):
    """Two processes remember who somebody is; what one of them changes, the other forgets."""
    engine = engines.Engine(kellet_binary, tmp_path, postgres.database("t_identities"), services=("apiext", "catalog"))
    try:
        other = engine.add().ports["apiext"]
        account(engine, "shared", "dora")

        def status_of(port, password, awaited):
            end = time.monotonic() + 10
            while (status := raw(port, basic(f"dora:{password}"))[0]) != awaited and time.monotonic() < end:
                time.sleep(0.01)
            return status

        assert raw(other, basic("dora:password1"))[0] == 200
        assert engine.client("POST", "/v1/accounts/shared/users/dora/credentials",
                             {"type": "password", "value": "password2"}).status == 200
        assert raw(engine.client.port, basic("dora:password1"))[0] == 401
        assert raw(engine.client.port, basic("dora:password2"))[0] == 200
        assert status_of(other, "password1", 401) == 401
        assert raw(other, basic("dora:password2"))[0] == 200
        assert engine.client("PUT", "/v1/accounts/shared/state", {"state": "disabled"}).status == 200
        assert raw(engine.client.port, basic("dora:password2"))[0] == 403
        assert status_of(other, "password2", 403) == 403
    finally:
        engine.stop()


def test_changes_take_effect_at_once(engine):
    user, = account(engine, "atonce", "atonce1")
    assert user.get("/v1/user").status == 200
    assert user("POST", "/v1/user/credentials", {"type": "password", "value": "other-password"}).status == 200
    assert user.get("/v1/user").status == 401
    user.password = "other-password"
    assert user.get("/v1/user").status == 200
    admin = engine.client
    assert admin("PUT", "/v1/accounts/atonce/state", {"state": "disabled"}).status == 200
    answer = user.get("/v1/user")
    assert answer.status == 403 and answer.json["message"] == "Not authorized. Account atonce not enabled."
    assert admin("PUT", "/v1/accounts/atonce/state", {"state": "enabled"}).status == 200
    assert user.get("/v1/user").status == 200
    assert admin("DELETE", "/v1/accounts/atonce/users/atonce1/credentials?credential_type=password").status == 204
    assert user.get("/v1/user").status == 401
    assert admin("DELETE", "/v1/accounts/atonce/users/atonce1").status == 204
    assert user.get("/v1/user").status == 401


def test_tokens(engine):
    user, = account(engine, "tokens", "tokens1")
    port = engine.client.port
    status, made = token(port, "tokens1")
    assert status == 200 and made["token_type"] == "Bearer" and made["expires_in"] == 3600
    head, claims, signature = made["access_token"].split(".")
    assert json.loads(base64.urlsafe_b64decode(head + "==")) == {"alg": "HS256", "typ": "JWT"}
    said = json.loads(base64.urlsafe_b64decode(claims + "=="))
    assert said["iss"] == "anchore-engine" and set(said) == {"iss", "sub", "exp", "iat", "jti"}
    for scheme in ("Bearer", "bearer", "jwt", "JWT"):
        status, body, _ = raw(port, f"{scheme} {made['access_token']}")
        assert status == 200 and json.loads(body)["username"] == "tokens1"
    admin_id = base64.urlsafe_b64encode(json.dumps({**said, "sub": "x" * 32}).encode()).decode().rstrip("=")
    none = base64.urlsafe_b64encode(b'{"alg":"none","typ":"JWT"}').decode().rstrip("=")
    for forged in (f"{head}.{admin_id}.{signature}", f"{none}.{claims}.", f"{none}.{claims}.{signature}"):
        assert raw(port, f"Bearer {forged}")[0] == 401
    assert token(port, "tokens1", "wrong")[0] == 400
    assert token(port, "tokens1", "wrong")[1]["error"] == "invalid_grant"
    assert token(port, "nobody")[0] == 400
    assert engine.client("PUT", "/v1/accounts/tokens/state", {"state": "disabled"}).status == 200
    assert raw(port, f"Bearer {made['access_token']}")[0] == 403
    assert token(port, "tokens1")[0] == 400
    assert engine.client("PUT", "/v1/accounts/tokens/state", {"state": "enabled"}).status == 200
    assert engine.client("DELETE", "/v1/accounts/tokens/users/tokens1").status == 204
    assert raw(port, f"Bearer {made['access_token']}")[0] == 401


@pytest.mark.parametrize("method, path, body, want", [
    ("GET", "/v1/accounts", None, "domain=system action=listAccounts target=*"),
    ("POST", "/v1/accounts", {"name": "more"}, "domain=system action=createAccount target=*"),
    ("GET", "/v1/accounts/admin", None, "domain=admin action=getAccount target=*"),
    ("GET", "/v1/accounts/nosuch", None, "domain=nosuch action=getAccount target=*"),
    ("PUT", "/v1/accounts/{own}/state", {"state": "disabled"}, "domain=system action=updateAccount target={own}"),
    ("DELETE", "/v1/accounts/{own}", None, "domain=system action=deleteAccount target={own}"),
    ("GET", "/v1/accounts/admin/users", None, "domain=admin action=listUsers target=*"),
    ("POST", "/v1/accounts/admin/users", {"username": "mole", "password": "password1"},
     "domain=admin action=createUser target=*"),
    ("DELETE", "/v1/accounts/admin/users/admin", None, "domain=admin action=deleteUser target=*"),
    ("POST", "/v1/accounts/admin/users/admin/credentials", {"type": "password", "value": "x"},
     "domain=admin action=updateUser target=*"),
    ("GET", "/v1/system/services", None, "domain=system action=listServices target=*"),
    ("POST", "/v1/system/feeds", None, "domain=system action=updateFeeds target=*"),
    ("DELETE", "/v1/system/feeds/x", None, "domain=system action=updateFeeds target=*"),
])
def test_ordinary_users_may_not(engine, method, path, body, want):
    if engine.client.get("/v1/accounts/ordinary").status == 404:
        account(engine, "ordinary", "ordinary1")
    user = engines.Client(engine.client.port, "ordinary1", "password1")
    answer = user(method, path.format(own="ordinary"), body)
    assert answer.status == 403
    assert answer.json["message"] == "Not authorized. Requires permissions: " + want.format(own="ordinary")


def test_bad_logins_do_not_lock_others_out(engine):
    user, = account(engine, "busy", "busy1")
    port = engine.client.port
    assert user.get("/v1/user").status == 200
    with concurrent.futures.ThreadPoolExecutor(24) as pool:
        bad = [pool.submit(raw, port, basic(f"{name}:guess{i}")) for i in range(20) for name in ("busy1", "nobody")]
        good = [user.get("/v1/user").status for _ in range(20)]
        assert {f.result()[0] for f in bad} <= {401, 503}
    assert set(good) == {200}
    assert engine.client.get("/v1/user").status == 200


def rows_of(engine, name):
    """In all tables that have a column for an account, whatever they are."""
    if engine.database.startswith("sqlite:"):
        tables = query(engine, "SELECT m.name, c.name FROM sqlite_master m, pragma_table_info(m.name) c WHERE"
                               " m.type = 'table' AND c.name IN ('account', 'account_name')")
    else:
        tables = query(engine, "SELECT c.table_name, c.column_name FROM information_schema.columns c JOIN"
                               " information_schema.tables t ON t.table_name = c.table_name AND t.table_schema = 'public'"
                               " WHERE t.table_type = 'BASE TABLE' AND c.column_name IN ('account', 'account_name')")
    assert len(tables) > 15
    return sum(int(query(engine, f"SELECT COUNT(*) FROM {table} WHERE {column} = '{name}'")[0][0])
               for table, column in tables)


def test_a_deleted_account_leaves_nothing(engine):
    user, = account(engine, "leaver", "leaver1")
    admin = engine.client
    bundle = user.get("/v1/policies", detail="true").json[0]["policybundle"]
    assert user("POST", "/v1/policies", {**bundle, "id": "mine"}).status == 200
    assert user("POST", "/v1/subscriptions", {"subscription_key": "r/a:b", "subscription_type": "tag_update"}).status == 200
    execute(engine, *images_of("leaver"))
    assert admin("PUT", "/v1/accounts/leaver/state", {"state": "disabled"}).status == 200
    assert rows_of(engine, "leaver") > 5
    assert admin("DELETE", "/v1/accounts/leaver").json == {"state": "deleting"}
    assert admin("POST", "/v1/accounts", {"name": "leaver"}).json["message"] == "Account already exists"
    end = time.monotonic() + 100
    while admin.get("/v1/accounts/leaver").status != 404:
        assert time.monotonic() < end, "the account is still there"
        time.sleep(1)
    assert rows_of(engine, "leaver") == 0
    assert user.get("/v1/user").status == 401
    again, = account(engine, "leaver", "leaver1")
    assert [p["policyId"] for p in again.get("/v1/policies").json] == ["2c53a13c-1765-11e8-82ef-23527761d060"]
    assert again.get("/v1/subscriptions").json == []
    assert again.get("/v1/events").json["item_count"] == 1
