"""Random bundles over every gate, trigger and parameter of the specification, with values that mean something for an
image: about half of the rules fire."""
import policy_allow
import policy_feeds
import policy_images
from policy_base import ENDED, SEVERITIES
from policy_model import TRIGGERS

OPS = ["=", "!=", "<", ">", "<=", ">="]
CHECKS = ["=", "!=", "exists", "not_exists", "like", "not_like", "in", "not_in"]
INSTRUCTIONS = ("ADD ARG COPY CMD ENTRYPOINT ENV EXPOSE FROM HEALTHCHECK LABEL MAINTAINER ONBUILD USER RUN SHELL STOPSIGNAL "
                "VOLUME WORKDIR").split()
DOCKERFILES = [
    "FROM alpine:3.18\nRUN apk add x\nEXPOSE 22 443/tcp 53/udp\nUSER app\n", "FROM scratch\n# USER x\nCOPY . /\n\n  EXPOSE 8080\n",
    "from debian\nexpose 80 22/tcp\nuser root\nHEALTHCHECK CMD x\n", "# nothing\n", "FROM a AS b\nUSER root\nUSER app:app\nENV A=1 B=2\n",
    "FROM x\nRUN a \\\n  && b\nUSER [web]\nLABEL maintainer=me\n",
    "FROM x\nRUN a \\\n# said between\n\n   b \\\n\tc\nENV A=1 \\\n B=2\nCOPY <<EOF /x\n  text\n\nUSER root\nEOF\nUSER app\nEXPOSE 80 \\\n 22\n"]
DOCKERFILES += DOCKERFILES[-2:] * 2  # those with continued lines
TAGS = ["docker.io/team/app:v1", "team/app", "app:2", "reg.example:5000/a/b/c:latest", "localhost/x:y", "quay.io/q/r:3.1",
        "dockerhub/old/name:1", "localhost:5000/x", "LOCALHOST:5000/x:y", "a:5000/b:c"]
BROKEN = ["(", "[a", "*x"]


def boolean(r):
    return r.choice(["true", "false", "True", "FALSE"]) if r.random() < .3 else r.choice(["true", "false"])


def listed(r, choices, least=1):
    chosen = r.sample(choices, min(len(choices), r.randint(least, 3)))
    return r.choice([",", ", ", " , "]).join(chosen)


def path(r, f):
    return r.choice([r.choice([*f.files, "/x"]), r.choice(["/no/such", "/etc/passwd"])])


def regex(r, choices):
    if r.random() < .04:
        return r.choice(BROKEN)
    word = r.choice(choices)
    return r.choice([".*" + word[-4:].replace("(", ".").replace("[", ".") + "$", ".*", "/etc/.*", "(?i).*APP.*", r".*\.pem",
                     word[:3].replace("(", "."), "^/usr/(bin|lib)/.*", "(?!x).*b"])


def maybe(r, params, name, value, chance=.5):
    if r.random() < chance:
        params[name] = value() if callable(value) else value


def package(r, f):
    names = [k.name for k in f.packages] + policy_feeds.NAMES[:2] + policy_feeds.LANGUAGE[:2]
    return r.choice(names)


def package_version(r, f, name, full=True):
    versions = [x for k in f.packages if k.name == name for x in ((k.full, k.version) if full else (k.version,))]
    return r.choice([*versions, *versions, policy_feeds.random_version(r)])


def named(r, f):
    p = {"name": package(r, f)}
    maybe(r, p, "version", lambda: package_version(r, f, p["name"], full=False))
    return p


def instruction(r, f):
    p = {"instruction": r.choice(INSTRUCTIONS + ["FROM", "RUN", "EXPOSE", "USER"] * 3), "check": r.choice(CHECKS)}
    values = ["scratch", "alpine:3.18", "app", ".*", "a b", "root", "22 443/tcp 53/udp", "root, app", "A=1", "a && b", "a b c"]
    maybe(r, p, "value", lambda: regex(r, values) if "like" in p["check"] else r.choice(values), .8)
    maybe(r, p, "actual_dockerfile_only", boolean(r), .5)
    maybe(r, p, "join_lines", boolean(r), .4)
    return p


def ports(r, f):
    p = {"ports": listed(r, ["22", "80", "443", "53", "8080", " 8080 "]), "type": r.choice(["whitelist", "blacklist"])}
    maybe(r, p, "actual_dockerfile_only", boolean(r), .3)
    return p


def attribute_match(r, f):
    p = {"filename": path(r, f)}
    mode, checksum = f.files.get(p["filename"], (0o644, None))
    maybe(r, p, "checksum", lambda: r.choice([checksum or "0" * 64, "0" * 64]))
    maybe(r, p, "checksum_algorithm", "sha256", .2)
    maybe(r, p, "checksum_match", lambda: r.choice(["equals", "not_equals"]))
    maybe(r, p, "mode", lambda: r.choice([f"{mode & 0o7777:05o}", "00644", "755", "0o644", "rw"]))
    maybe(r, p, "mode_op", lambda: r.choice(["equals", "not_equals"]))
    maybe(r, p, "skip_missing", lambda: boolean(r))
    return p


def attribute(r, f):
    p = {"attribute": r.choice(["size", "architecture", "os_type", "distro", "distro_version", "like_distro", "layer_count"]),
         "check": r.choice(OPS + CHECKS)}
    if p["attribute"] in ("size", "layer_count"):
        p["value"] = r.choice([str(f.size), str(f.layers), "0", "1", "2"] + (["1kb", "10mb", "3gb"] if p["attribute"] == "size" else []))
    else:
        words = ["amd64", "linux", "alpine", "debian", "12", "3.18.4", "8", "alpine, debian", "centos", "rhel,fedora"]
        p["value"] = regex(r, words) if "like" in p["check"] else r.choice(words)
    return p


def required(r, f):
    p = {"name": package(r, f)}
    maybe(r, p, "version", lambda: package_version(r, f, p["name"]), .7)
    maybe(r, p, "version_match_type", lambda: r.choice(["exact", "minimum"]), .7)
    return p


def verify(r, f):
    p = {}
    maybe(r, p, "only_packages", lambda: listed(r, policy_feeds.NAMES), .3)
    maybe(r, p, "only_directories", lambda: listed(r, ["/usr/bin", "/usr/lib", "/usr", "/opt", "/usr/share/z"]), .3)
    maybe(r, p, "check", lambda: r.choice(["changed", "missing"]), .4)
    maybe(r, p, "digests", lambda: boolean(r))
    return p


def entry(r, f):
    lines = f.retrieved.get("/etc/passwd", "root:x:0:0:root:/root:/bin/ash\n").splitlines()
    return {"entry": r.choice(lines) or "x"}


def retrieved_regex(r, f):
    p = {"path": r.choice(policy_images.RETRIEVED + ["/etc/app.conf"]), "check": r.choice(["match", "no_match"]),
         "regex": r.choice(["Listen", "Listen 22", "TODO later", "a b c", "b$", "(?s)SSL.*22", "bin", regex(r, [
             "SSLEnabled=on", "root:x:0:0:root"])])}
    maybe(r, p, "unit", lambda: r.choice(["words", "lines", "file"]))
    return p


def secrets(r, f):
    p = {}
    maybe(r, p, "content_regex_name", lambda: r.choice([*policy_images.SECRETS, *policy_images.SECRETS.values(), "OTHER"]))
    maybe(r, p, "filename_regex", lambda: regex(r, [*f.files]))
    maybe(r, p, "match_type", lambda: r.choice(["found", "notfound"]))
    return p


def vulnerability(r, f):
    p = {"package_type": r.choice(["all", "os", "non-os"])}
    maybe(r, p, "severity", lambda: r.choice(SEVERITIES), .7)
    maybe(r, p, "severity_comparison", lambda: r.choice(OPS), .7)
    for prefix in ("", "vendor_"):
        for part in ("base", "exploitability", "impact"):
            name = f"{prefix}cvss_v3_{part}_score"
            maybe(r, p, name, lambda: r.choice(["-", ""]) if r.random() < .05 else
                  r.choice(["0", "9.8", "7.5", "3.6", "-1.0", "5", " 3.9 ", "1.", ".5"]), .15)
            maybe(r, p, name + "_comparison", lambda: r.choice(OPS), .6 if name in p else .05)
    maybe(r, p, "fix_available", lambda: boolean(r), .3)
    maybe(r, p, "vendor_only", lambda: boolean(r), .4)
    maybe(r, p, "max_days_since_creation", lambda: r.choice(["0", "9", " 0 "]), .15)
    maybe(r, p, "max_days_since_fix", lambda: r.choice(["0", "9"]), .7 if "fix_available" in p else .1)
    maybe(r, p, "package_path_exclude", lambda: regex(r, [k.location for k in f.packages if not k.os] or ["/x"]), .2)
    maybe(r, p, "package_path_include", lambda: regex(r, [k.location for k in f.packages if not k.os] or ["/x"]), .2)
    for name, values in (("epss_score", ["0.1", "0.5", "-1.0", "1", "-"]), ("epss_percentile", ["0.95", "0.05", "-1", "0.999"])):
        maybe(r, p, name, lambda: r.choice(values), .15)
        maybe(r, p, name + "_comparison", lambda: r.choice(OPS), .6 if name in p else .05)
    maybe(r, p, "kev", lambda: boolean(r), .15)
    maybe(r, p, "fix_state", lambda: r.choice(["fixed", "not-fixed", "wont-fix"]), .15)
    maybe(r, p, "vex_status", lambda: listed(r, ["none", "affected", "not_affected", "fixed", "under_investigation"]), .2)
    return p


def vulnerability_ids(r, f):
    ids = {v.id for v in f.findings} | {x for v in f.findings for x in v.aliases} | {"CVE-2099-0001", "CVE-1-1", "GHSA-x"}
    p = {"vulnerability_ids": listed(r, sorted(ids))}
    maybe(r, p, "vendor_only", lambda: boolean(r))
    maybe(r, p, "match_aliases", lambda: boolean(r))
    return p


# ---- our own

def label(r, f):
    p = {"name": r.choice([*policy_images.LABELS, "none", "owner"]), "check": r.choice(OPS + CHECKS)}
    words = ["Example", "Other & Co", "prod", "test", "12", "prod, test", ""]
    maybe(r, p, "value", lambda: regex(r, words[:5]) if "like" in p["check"] else r.choice(words), .8)
    return p


def licence_list(r, f):
    return {"licenses": listed(r, ["MIT", "mit", "GPL-*", "*", "BSD-*", "GPL-2.0", "GPL-2.0-or-later", "LGPL-2.1+", "ISC", "Apache-2.0",
                                   "GPL-2.0-only WITH Classpath-exception-2.0", "*-or-later", "gpl-2.0-only"])}


def package_match(r, f):
    p, k = {}, r.choice(f.packages) if f.packages else None
    maybe(r, p, "name", lambda: r.choice(["*", "l*", "*-*", k.name if k else "x", k.name[:2] + "*" if k else "x*"]))
    version = k.version.removeprefix("v") if k and k.version != "(devel)" else "1.2.3"
    maybe(r, p, "versions", lambda: r.choice([
        f"<{version}", f">={version}", f"={version}", f">0.1.0, <= {version}", f"<0.0.1 || ={version}", ">=0.0.0,<2.0.0 || >=3.0.0", "~~"]), .5)
    maybe(r, p, "purl", lambda: r.choice(["pkg:*", "pkg:npm/*", "*/lodash@*", k.purl if k else "x", k.purl.split("@")[0] + "@*" if k else "x"]),
          .4)
    maybe(r, p, "package_type", lambda: r.choice([k.type if k else "rpm", "NPM", "apkg", "java", "go"]), .3)
    maybe(r, p, "path", lambda: r.choice(["*", "pkgdb", "/opt/*", k.location if k else "x", "/usr/*.json"]), .3)
    return p


def some(r, **params):
    return {k: r.choice(v) for k, v in params.items() if r.random() < .5}


def distro_deny(r, f):
    p = {"distro": listed(r, ["alpine", "debian", "centos", "alp*", "*n", "ubuntu", "ALPINE"])}
    if r.random() < .7:
        p.update(version=r.choice(["3.18.4", "3.18", "3.2.1", "3.9", "12", "8", "10"]), **some(r, check=OPS))
    return p


def chosen(r, choices):
    """A list for a parameter that names images: those that there are, and others."""
    return listed(r, sorted(set(choices)))


def image_digests(r, f):
    return chosen(r, [d for d, _ in f.ancestors] + ["sha256:" + "0" * 64, f.digest])


def image_tags(r, f):
    return chosen(r, [t for _, tags in f.ancestors for t in tags] + ["docker.io/library/debian:12*", "*:base*", "*/none:*", "*"])


NAMED = ["conan", "PORTAGE", "npm", "Go", "maven", "alpine:3.2"]


def nothing(r, f):
    return {}


PARAMS = {
    ("dockerfile", "instruction"): instruction,
    ("dockerfile", "effective_user"): lambda r, f: {"users": listed(r, ["root", "app", "app:app", "web"]),
                                                    "type": r.choice(["whitelist", "blacklist"])},
    ("dockerfile", "exposed_ports"): ports,
    ("files", "content_regex_match"): lambda r, f: {} if r.random() < .4 else {"regex_name": r.choice(
        [*policy_images.CONTENT, *policy_images.CONTENT.values(), "TODO_MARK=.*TODO.*", "OTHER"])},
    ("files", "name_match"): lambda r, f: {"regex": regex(r, [*f.files])},
    ("files", "attribute_match"): attribute_match,
    ("licenses", "blacklist_exact_match"): lambda r, f: {"licenses": listed(r, policy_feeds.LICENCES + ["X"])},
    ("licenses", "blacklist_partial_match"): lambda r, f: {"licenses": listed(r, ["GPL", "BSD", "MIT", "2.0", "Z"])},
    ("metadata", "attribute"): attribute,
    ("npms", "blacklisted_name_version"): named,
    ("ruby_gems", "blacklist"): named,
    ("packages", "required_package"): required,
    ("packages", "verify"): verify,
    ("packages", "blacklist"): named,
    ("passwd_file", "blacklist_usernames"): lambda r, f: {
        r.choice(["user_names", "usernameblacklist"]): listed(r, ["root", "ftp", "app", "nobody"])},
    ("passwd_file", "blacklist_userids"): lambda r, f: {
        r.choice(["user_ids", "useridblacklist"]): listed(r, ["0", "1", "14", "1000", "9"])},
    ("passwd_file", "blacklist_groupids"): lambda r, f: {"group_ids": listed(r, ["0", "7", "50", "999", "1000"])},
    ("passwd_file", "blacklist_shells"): lambda r, f: {"shells": listed(r, ["/bin/bash", "/bin/ash", "/bin/zsh", "/sbin/nologin"])},
    ("passwd_file", "blacklist_full_entry"): entry,
    ("retrieved_files", "content_not_available"): lambda r, f: {"path": r.choice([*policy_images.RETRIEVED, "/x"])},
    ("retrieved_files", "content_regex"): retrieved_regex,
    ("secret_scans", "content_regex_checks"): secrets,
    ("vulnerabilities", "package"): vulnerability,
    ("vulnerabilities", "stale_feed_data"): lambda r, f: {"max_days_since_sync": r.choice(["0", "2", " 10 "])},
    ("vulnerabilities", "blacklist"): vulnerability_ids,
    # our own
    ("metadata", "label"): label,
    ("metadata", "annotation"): label,
    ("licenses", "allowed_expressions"): licence_list,
    ("licenses", "denied_expressions"): licence_list,
    ("licenses", "missing"): lambda r, f: some(r, package_types=["npm", "gem,python", "APKG", "dpkg, rpm", "Java,go", "python"]),
    ("packages", "match"): package_match,
    ("vulnerabilities", "count"): lambda r, f: {"max_count": r.choice(["0", "1", "2", "4", "7"]), **some(
        r, severity=SEVERITIES, severity_comparison=OPS, package_type=["all", "os", "non-os"], fix_available=["true", "False"],
        vendor_only=["true", "false"])},
    ("ancestry", "allowed_base_image_digest"): lambda r, f: {"base_digest": image_digests(r, f)},
    ("ancestry", "allowed_base_image_tag"): lambda r, f: {"base_tag": image_tags(r, f)},
    ("ancestry", "denylist_ancestor_image_digest"): lambda r, f: {"ancestor_digest": image_digests(r, f)},
    ("ancestry", "denylist_ancestor_image_tag"): lambda r, f: {"ancestor_tag": image_tags(r, f)},
    ("completeness", "unread"): lambda r, f: some(r, path_exclude=["/opt/.*", "/srv", "opt/.*", ".*jar", "(", "/usr/share/.*"]),
    ("completeness", "unsupported_ecosystem"): lambda r, f: {} if r.random() < .5 else {"except": listed(r, NAMED + ["snap"])},
    ("completeness", "uncovered_data"): lambda r, f: {} if r.random() < .5 else {"except": listed(r, NAMED)},
    ("data_age", "database"): lambda r, f: {"max_days": r.choice(["0", "1", " 30 "])},
    ("data_age", "distribution"): lambda r, f: {"max_days": r.choice(["0", "1", " 30 "])},
    ("distro", "deny"): distro_deny,
    ("distro", "not_allowed"): lambda r, f: {"distros": listed(r, [
        "alpine", "debian", "centos", "alp*", "*n", "alpine:3.18*", "debian:12", "centos:7", "alpine:3.2", "*:8", "Debian:1*"])},
    ("distro", "eol"): lambda r, f: some(r, days_before=["0", "90", "10000"], unknown=["true", "FALSE"]),
    ("signatures", "unsigned"): lambda r, f: some(r, identities=["https://ci.example.org/*", "a,b"]),
    ("tag_drift", "packages_added"): lambda r, f: some(r, package_type=["npm", "apkg", "dpkg", "java"]),
    ("tag_drift", "packages_removed"): lambda r, f: some(r, package_type=["npm", "apkg", "dpkg", "java"]),
    ("tag_drift", "packages_modified"): lambda r, f: some(r, package_type=["npm", "apkg", "dpkg", "java"]),
}


def any_case(r, word):
    return r.choice([word, word, word, word.upper(), word.title()])


def random_rule(r, f, number, only=None):
    gate, trigger = only or (r.choice(list(TRIGGERS)) if r.random() < .98 else (lambda g: (g, r.choice(ENDED[g])))(
        r.choice(list(ENDED))))
    params = PARAMS.get((gate, trigger), nothing)(r, f)
    pairs = [{"name": any_case(r, k), "value": v} for k, v in params.items()]
    r.shuffle(pairs)
    if pairs and r.random() < .05:  # of two with one name the later one counts
        pairs.insert(0, {"name": pairs[-1]["name"], "value": pairs[-1]["value"]})
    return {"id": f"r{number}", "gate": any_case(r, gate), "trigger": any_case(r, trigger),
            "action": r.choice(["STOP", "WARN", "GO"]), "params": pairs}


def pattern(r, words):
    word = r.choice(words)
    return r.choice(["*", "*", word, word[:2] + "*", "*" + word[-2:], "regexp:" + word[:2], "nothing", "regexp:.*$"])


def selection(r, f, number):
    kind = r.choice(["tag", "tag", "tag", "digest", "id"])
    value = {"tag": lambda: pattern(r, ["v1", "latest", "2", "3.1", "y"]), "digest": lambda: r.choice([f.digest, "sha256:" + "0" * 64]),
             "id": lambda: r.choice([f.id, "0" * 64])}[kind]()
    return {"id": f"s{number}", "name": "x", "registry": pattern(r, ["docker.io", "reg.example:5000", "localhost", "quay.io"]),
            "repository": pattern(r, ["team/app", "app", "a/b/c", "x", "q/r"]), "image": {"type": kind, "value": value}}


def respelled(r, bundle):
    """In the new words, which are taken for the old ones."""
    for thing, name in [(bundle, n) for n in ("whitelists", "whitelisted_images", "blacklisted_images")] + [
            (m, "whitelist_ids") for m in bundle["mappings"]]:
        if r.random() < .3:
            thing[name.replace("whitelist", "allowlist").replace("blacklist", "denylist")] = thing.pop(name)
    for rule in (x for p in bundle["policies"] for x in p["rules"]):
        if r.random() < .3:
            rule["trigger"] = rule["trigger"].replace("blacklist", "denylist")


def random_bundle(r, f, tag, evaluate, stored=False, more_of=()):
    """`evaluate` is the model's: allowlists name ids that do fire. stored: one that an engine takes. more_of: triggers that it
    shall have several times."""
    policies = []
    order = r.sample(list(TRIGGERS), len(TRIGGERS))
    for n in range(r.randint(1, 3)):
        rules = [random_rule(r, f, f"{n}.{i}") for i in range(r.randint(0, 12))]
        rules += [random_rule(r, f, f"{n}.o{i}", only) for i, only in enumerate(order[n * 22:n * 22 + 22])]
        rules += [random_rule(r, f, f"{n}.v{i}", ("vulnerabilities", "package")) for i in range(4)]
        rules += [random_rule(r, f, f"{n}.m{i}", only) for i, only in enumerate(list(more_of) * 5)]
        rules = [x for x in rules if not stored or x["gate"].lower() not in ENDED]
        policies.append({"id": f"p{n}", "version": "1_0", "name": f"policy {n}", "rules": rules})
    whole = {"name": "all", "registry": "*", "repository": "*", "image": {"type": "tag", "value": "*"}}
    bundle = {"id": "b", "version": "1_0", "name": "random", "policies": policies, "whitelists": [], "mappings": [
        {**whole, "id": "first", "policy_ids": [p["id"] for p in policies], "whitelist_ids": []}],
        "whitelisted_images": [], "blacklisted_images": []}
    maybe(r, bundle, "on_rule_failure", lambda: r.choice(["closed", "open"]), .3)
    maybe(r, bundle, "unmatched", lambda: r.choice(["go", "stop", "stop"]), .5)
    maybe(r, bundle, "report_allowlist", lambda: r.random() < .8, .6)
    maybe(r, bundle, "expiring_days", lambda: r.choice([0, 10, 30, 61, 3650]), .4)
    judged = evaluate(bundle, f, tag)
    rows = [(row[1], row[3], said) for row, said in zip(judged.rows, judged.said)]
    bundle["whitelists"] = [{"id": f"w{n}", "version": "1_0", "name": f"list {n}",
                             "items": [policy_allow.allow_item(r, f"{n}.{i}", rows, stored) for i in range(r.randint(0, 12))]}
                            for n in range(r.randint(0, 3))]
    bundle["mappings"] = []
    for n in range(r.randint(1, 4)):
        mapping = {**(selection(r, f, n) if r.random() < .7 else {**whole, "id": f"s{n}"})}
        chosen = r.sample([p["id"] for p in policies], r.randint(1, len(policies)))
        mapping.update({"policy_id": chosen[0]} if r.random() < .3 else {"policy_ids": chosen})
        mapping["whitelist_ids"] = r.sample([w["id"] for w in bundle["whitelists"]], r.randint(0, len(bundle["whitelists"])))
        bundle["mappings"].append(mapping)
    if r.random() < .7:
        bundle["mappings"].append({**whole, "id": "last", "policy_ids": [p["id"] for p in policies],
                                   "whitelist_ids": [w["id"] for w in bundle["whitelists"]]})
    for name in ("whitelisted_images", "blacklisted_images"):
        if r.random() < .25:
            bundle[name] = [selection(r, f, i) for i in range(r.randint(1, 2))]
    if r.random() < .3:
        respelled(r, bundle)
    return bundle


# ---- mistakes

def rule_mistakes(r, rule):
    """Makes one mistake in a rule: [(problem type, part of the details)]."""
    kind = r.choice(["gate", "trigger", "action", "params", "missing", "value", "unknown", "ended"])
    if kind == "gate":
        rule["gate"] = "nogate"
        return [("GateNotFoundError", "(gate=nogate,")]
    if kind == "trigger":
        rule["trigger"] = "notrigger"
        return [("TriggerNotFoundError", "Valid triggers are: [")]
    if kind == "action":
        rule["action"] = "Block"
        return [("PolicyError", "block")]
    if kind == "params":
        rule["params"] = r.choice([None, 5])
        return [("PolicyError", "'NoneType' object is not iterable")]
    if kind == "ended":
        gate = r.choice(list(ENDED))
        rule.update(gate=gate, trigger=r.choice(ENDED[gate]))
        return [("EndOfLifedError", f"Gate {gate} has been End-of-Lifed")]
    if kind == "missing":
        rule.update(gate="dockerfile", trigger="exposed_ports", params=[])
        return [("ParameterValueInvalidError", "Required parameter")] * 2
    if kind == "value":
        rule.update(gate="passwd_file", trigger="blacklist_userids", params=[{"name": "user_ids", "value": r.choice(["x", "", "1;2"])}])
        return [("ParameterValueInvalidError", "Parameter validation failed: JSON Schema validation failed.")]
    rule.update(gate="always", trigger="always", params=[{"name": n, "value": "1"} for n in r.sample(["a", "b", "c"], r.randint(1, 3))])
    return [("InvalidParameterError", "Rule validation error (gate=always,trigger=always,")]


def bundle_mistakes(r, bundle):
    """Makes one mistake beside the rules."""
    mapping = {"id": "extra", "name": "extra", "registry": "*", "repository": "*", "image": {"type": "tag", "value": "*"},
               "policy_ids": [bundle["policies"][0]["id"]], "whitelist_ids": []}
    kind = r.choice(["both", "neither", "lists", "policy", "allowlist", "date", "duplicate", "version"])
    bundle["mappings"].append(mapping)
    if kind == "both":
        mapping["policy_id"] = "p0"
        return [("ValidationError", "Cannot specify both policy_id and policy_ids")]
    if kind == "neither":
        del mapping["policy_ids"]
        return [("ValidationError", "No policy_id or policy_ids property found for mapping rule: {")]
    if kind == "lists":
        del mapping["whitelist_ids"]
        return [("TypeError", "'NoneType' object is not iterable")]
    if kind == "policy":
        mapping["policy_ids"] = ["zz"]
        return [("ReferencedObjectNotFoundError", "(reference_type=policy,reference_id=zz)")]
    if kind == "allowlist":
        mapping["whitelist_ids"] = ["zz"]
        return [("ReferencedObjectNotFoundError", "(reference_type=whitelist,reference_id=zz)")]
    extra = {"id": "extra", "version": "1_0", "name": "extra", "items": [{"gate": "always", "trigger_id": "x"}]}
    lists = policy_allow.member(bundle, "whitelists")
    lists.append(extra)
    mapping["whitelist_ids"] = ["extra"]
    if kind == "date":
        extra["items"][0]["expires_on"] = "tomorrow"
        return [("Exception", "could not convert input value (tomorrow) into datetime using formats in [")]
    if kind == "duplicate":
        lists.append(dict(extra))
        return [("DuplicateIdentifierFoundError", "(identifier=extra,identifier_type=whitelist)")]
    extra["version"] = "2_0"
    return [("UnsupportedVersionError", "Found version 2_0, expected one of supported versions ['1_0'].")]


def with_mistakes(r, bundle):
    """What must be said of the bundle after some mistakes were made in it."""
    whole = {"name": "all", "registry": "*", "repository": "*", "image": {"type": "tag", "value": "*"}, "id": "whole",
             "policy_ids": [p["id"] for p in bundle["policies"]], "whitelist_ids": []}
    bundle["mappings"].append(whole)  # so that all of its rules are looked at
    if r.random() < .05:
        bundle["version"] = "2_0"
        return [("UnsupportedVersionError", "found_version=2_0")]
    rules = [x for p in bundle["policies"] for x in p["rules"] if x["gate"].lower() not in ENDED]
    for p in bundle["policies"]:
        p["rules"] = [x for x in p["rules"] if x["gate"].lower() not in ENDED]
    said = [x for rule in r.sample(rules, r.randint(0, min(5, len(rules)))) for x in rule_mistakes(r, rule)]
    return said + (bundle_mistakes(r, bundle) if r.random() < .6 else [])
