"""What the specification of policies says, in Python: a bundle and the facts of an image give a verdict.

Written from the description of the original's behaviour alone and from the deviations that docs/policy.md lists, not
from src/policy: test_policy.py compares the two. Our own gates are in policy_own.py.
"""
import datetime
import hashlib
import re
import stat
from dataclasses import dataclass

import policy_allow
import policy_own
from policy_base import ENDED, Failed, ORDER, SEVERITIES, Said, about, at, compare, csv, match, number, version_key, wildcard


# ---- gates: each yields a message, or what is Said

def always(facts, p, rule):
    yield Said("Unconditional trigger match", "always")


def directives(facts):
    if facts.dockerfile_mode.lower() not in ("actual", "guessed"):
        return {}
    found = {}
    for line in facts.dockerfile.splitlines():
        line = line.strip()
        if line and not line.startswith("#"):
            found.setdefault(line.split(" ", 1)[0].upper(), []).append(line)
    return found


def joined(facts):
    found = {}
    for line in policy_own.joined_lines(facts.dockerfile) if directives(facts) else []:
        found.setdefault(line.split(" ", 1)[0].upper(), []).append(line)
    return found


def only_actual(facts, p):
    return p.get("actual_dockerfile_only", "false").lower() == "true" and facts.dockerfile_mode.lower() != "actual"


def dockerfile_instruction(facts, p, rule):
    prepared = joined(facts) if p.get("join_lines", "false").lower() == "true" else directives(facts)
    if not prepared or only_actual(facts, p):
        return
    name, check, value = p["instruction"], p["check"], p.get("value")
    if check not in ("exists", "not_exists") and not value:
        return
    if check == "not_exists" and name not in prepared:
        yield f"Dockerfile directive '{name}' not found, matching condition 'not_exists' check"
    for line in prepared.get(name, []):
        x = line[len(name):].strip()
        if {"=": lambda: x == value, "!=": lambda: x != value, "exists": lambda: True, "not_exists": lambda: False,
                "like": lambda: match(value, x), "not_like": lambda: not match(value, x),
                "in": lambda: x in csv(value), "not_in": lambda: x not in csv(value)}[check]():
            yield (f"Dockerfile directive '{name}' check '{check}' matched against '{value or ''}' for line '{x}'")


def last_user(lines):
    """Our own: of the last stage, or of the stage that it is built on; continued lines are joined, `user` counts in any case."""
    stages, user, name = {}, "root", None
    for line in lines:
        words = line.split()
        if words[0].upper() == "FROM" and len(words) > 1:
            stages[name] = user
            user = stages.get(words[1].lower(), "root")
            name = words[3].lower() if len(words) > 3 and words[2].upper() == "AS" else None
        elif words[0].upper() == "USER":
            user = re.search(r"(?i)USER\s+\[?([^\]]+)\]?\s*", line)[1]
    return user


def dockerfile_effective_user(facts, p, rule):
    if not directives(facts):
        return
    user = last_user(policy_own.joined_lines(facts.dockerfile))
    listed = user in csv(p["users"])
    if p["type"] == "whitelist" and not listed:
        yield f"User {user} found as effective user, which is not on the allowed list"
    if p["type"] == "blacklist" and listed:
        yield f"User {user} found as effective user, which is explicity not allowed"


def dockerfile_exposed_ports(facts, p, rule):
    prepared = joined(facts)  # our own
    if not prepared or only_actual(facts, p):
        return
    ports = [str(int(x)) for x in csv(p["ports"])]
    for line in prepared.get("EXPOSE", []):
        tokens = line.split()[1:]
        if p["type"] == "blacklist":
            for port in ports:
                for form in (port, port + "/tcp", port + "/udp"):
                    if form in tokens:
                        yield f"Dockerfile exposes port ({form}) which is in policy file DENIEDPORTS list"
                        break
        else:
            allowed = {form for port in ports for form in (port, port + "/tcp", port + "/udp")}
            for token in tokens:
                if token not in allowed:
                    yield f"Dockerfile exposes port ({token}) which is not in policy file ALLOWEDPORTS list"


def dockerfile_no_dockerfile_provided(facts, p, rule):
    if facts.dockerfile_mode.lower() != "actual":
        yield "Image was not analyzed with an actual Dockerfile"


def files_content_regex_match(facts, p, rule):
    wanted = p.get("regex_name")
    for path, key in facts.content:
        name, _, regex = key.partition("=")
        if not wanted or wanted in (regex, name) or wanted == key:
            yield at(path, f"File content analyzer found regexp match in container: file={path} regexp={key}")


def files_name_match(facts, p, rule):
    for path in facts.files:
        if match(p["regex"], path):
            yield at(path, f"Application of regex matched file found in container: file={path} regexp={p['regex']}")


def files_attribute_match(facts, p, rule):
    name = p["filename"]
    if name not in facts.files:
        if p.get("skip_missing", "true").lower() == "false":
            yield at(name, f"filename={name} and skip_missing=False")
        return
    mode, checksum = facts.files[name]
    said, given = f"filename={name}", False
    if p.get("checksum"):
        op = p.get("checksum_match", "equals")
        if (checksum == p["checksum"]) != (op == "equals"):
            return
        said += f" and checksum={checksum} op={op} specified_checksum={p['checksum']}"
        given = True
    if p.get("mode"):
        op = p.get("mode_op", "equals")
        try:
            wanted = oct(int(p["mode"], 8))
        except ValueError as e:
            raise Failed(str(e)) from e
        found = oct(stat.S_IMODE(mode))
        if (found == wanted) != (op == "equals"):
            return
        said += f" and mode={found} op={op} specified_mode={wanted}"
        given = True
    if given:
        yield at(name, said)


def files_suid_or_guid_set(facts, p, rule):
    for path, (mode, _) in facts.files.items():
        if mode & (stat.S_ISUID | stat.S_ISGID):
            yield at(path, f"SUID or SGID found set on file {path}. Mode: {oct(mode)}")


def licence_rows(facts, p, word, hit):
    found = [f"{k.name}({token})" for k in facts.packages for token in k.license.split() for wanted in csv(p["licenses"])
             if hit(wanted, token)]
    if found:
        yield f"{word} Packages are installed that have blacklisted licenses: " + ", ".join(found)


def licenses_blacklist_exact_match(facts, p, rule):
    yield from licence_rows(facts, p, "LICFULLMATCH", lambda wanted, token: wanted == token)


def licenses_blacklist_partial_match(facts, p, rule):
    yield from licence_rows(facts, p, "LICSUBMATCH", lambda wanted, token: wanted in token)


def malware_scans(facts, p, rule):
    for scanner, path, signature in facts.malware or []:
        yield at(path, f"Malware scan finding: scanner={scanner} file={path} signature={signature}",
                 f"{scanner}+{signature}+{hashlib.md5(path.encode()).hexdigest()}")


def malware_scan_not_run(facts, p, rule):
    if facts.malware is None:
        yield "No malware scans found for image"


def size_of(name, text):
    unit = re.fullmatch(r"(\d+)([kmgt]b)?", text.strip())
    return int(unit[1]) * 1024 ** ["", "kb", "mb", "gb", "tb"].index(unit[2] or "") if name == "size" else int(text)


def metadata_attribute(facts, p, rule):
    name, check, value = p["attribute"], p["check"], p.get("value")
    actual = {"size": facts.size, "architecture": facts.architecture, "os_type": facts.os_type, "distro": facts.distro,
              "distro_version": facts.distro_version, "like_distro": facts.like_distro,
              "layer_count": facts.layers}[name]
    if check not in ("exists", "not_exists") and not value:
        return
    if check in ("like", "not_like") and actual is not None:
        actual = str(actual)  # our own: as text
    elif check in ("in", "not_in") and isinstance(actual, int):
        hit = (actual in [size_of(name, x) for x in csv(value)]) == (check == "in")  # our own: by number
        if hit:
            shown = value if "," in value else size_of(name, value)
            yield (f"Attribute check for attribute: '{name}' check: '{check}' check_value: '{shown}' "
                   f"matched image value: '{actual}'")
        return
    elif value is not None and isinstance(actual, int):
        value = size_of(name, value)
    if check not in ("exists", "not_exists") and actual is None:
        raise Failed("not known")
    hit = {"exists": lambda: actual is not None, "not_exists": lambda: actual is None,
           "like": lambda: match(value, actual), "not_like": lambda: not match(value, actual),
           "in": lambda: actual in csv(value), "not_in": lambda: actual not in csv(value)}.get(
               check, lambda: compare(check, actual, value))()
    if hit:
        yield (f"Attribute check for attribute: '{name}' check: '{check}' check_value: '{value}' "
               f"matched image value: '{actual}'")


def of_type(facts, kind):
    return [k for k in facts.packages if k.type == kind]


def newer(kind, prefix):
    def rows(facts, p, rule):
        for k in of_type(facts, kind):
            entry = (facts.feeds[kind] or {}).get(k.name)
            if entry and k.version != entry["latest"]:
                yield about(k, f"{prefix}Package ({k.name}) version ({k.version}) installed but is not the latest version "
                            f"({entry['latest']})")
    return rows


def unknown(kind, message):
    def rows(facts, p, rule):
        known = facts.feeds[kind] or {}
        if any(k.name in known for k in of_type(facts, kind)):
            for k in of_type(facts, kind):
                if k.name not in known:
                    yield about(k, message.format(k.name))
    return rows


def bad_version(kind, prefix):
    def rows(facts, p, rule):
        for k in of_type(facts, kind):
            entry = (facts.feeds[kind] or {}).get(k.name)
            if entry and k.version not in entry["versions"]:
                yield about(k, f"{prefix} Package ({k.name}) version ({k.version}) installed but version is not in the official "
                            f"feed for this package ({entry['versions']!r})")
    return rows


def named(kind, prefix):
    def rows(facts, p, rule):
        for k in facts.packages if kind is None else of_type(facts, kind):
            if k.name == p["name"] and (not p.get("version") or k.version == p["version"]):
                yield about(k, f"{prefix} is blacklisted: {k.name}" + (f"-{p['version']}" if p.get("version") else ""))
    return rows


def no_feed(kind, message):
    def rows(facts, p, rule):
        if facts.feeds[kind] is None:
            yield message
    return rows


def packages_required_package(facts, p, rule):
    name, version = p["name"], p.get("version")
    found = next((k for k in facts.packages if k.name == name), None)
    if not found:
        yield (f"Required input package ({name},{version}) is not present in container image" if version
               else f"Required input package ({name}) is not present in container image")
    elif version and p.get("version_match_type", "exact") == "exact":
        if found.full != version:
            yield about(found, f"Required input package ({name}) is present ({found.full}), but not at the version specified in "
                        f"policy ({name})")
    elif version and found.full != version:
        if not version_key(found.version):
            raise Failed(f"{found.version} has no order")
        if version_key(found.version) < version_key(version):
            yield about(found, f"Required min-version input package ({name}) is present ({found.full}), but is lower version than "
                        f"what is specified in policy ({version})")


def changed(facts, entry, digests):
    mode, content = stat.S_IMODE(facts.files[entry["path"]][0]), facts.contents.get(entry["path"])
    if entry["mode"] is not None and mode != entry["mode"]:
        return True  # our own: all of the mode; the original compares as many digits as the shorter one has
    if content is None:
        return False
    if entry["algorithm"] == "sha256" or digests:  # our own: MD5 and SHA-1 when they are asked for
        if entry["algorithm"] != "sha256" and not facts.digests_known:
            raise Failed("the analysis was not asked for it")
        if hashlib.new(entry["algorithm"], content).hexdigest() != entry["digest"]:
            return True
    return bool(entry["size"] and content and entry["size"] != len(content))


def packages_verify(facts, p, rule):
    names = csv(p["only_packages"]) if p.get("only_packages") else None
    under = csv(p["only_directories"]) if p.get("only_directories") else None
    for k in facts.packages:
        for entry in k.manifest if names is None or k.name in names else []:
            path, status = entry["path"], None
            if under is not None and not any(path.startswith(d) for d in under):
                continue
            if path not in facts.files:
                status = "missing"
            elif not entry["config"] and changed(facts, entry, p.get("digests", "false").lower() == "true"):
                status = "changed"
            if status and p.get("check", status) == status:
                yield Said(f"VERIFY check against package db for package '{k.name}' failed on entry '{path}' with status: "
                           f"'{status}'", package=k, path=path)


def pentries(facts):
    text = facts.retrieved.get("/etc/passwd")
    if text is None:
        return []
    return list({line.split(":")[0]: line for line in text.splitlines() if line.strip()}.values())


def pentry_rows(what, param, at, number_of=False):
    def rows(facts, p, rule):
        wanted = csv(p[param])
        if number_of:
            wanted = [str(int(x)) for x in wanted]
        for line in pentries(facts):
            parts = line.split(":")
            if len(parts) > at and parts[at] in wanted:
                yield f"Blacklisted {what} '{parts[at]}' found in image's /etc/passwd: pentry={line}"
    return rows


def passwd_content_not_available(facts, p, rule):
    if not pentries(facts):
        yield "Cannot locate /etc/passwd in image stored files archive: check analyzer settings."


def passwd_full(facts, p, rule):
    for line in pentries(facts):
        if line == p["entry"]:
            yield f"Blacklisted pentry '{line}' found in image's /etc/passwd: pentry={line}"


def retrieved_not_available(facts, p, rule):
    if p["path"] not in facts.retrieved:
        yield at(p["path"], "Cannot locate file in the image analysis")


def retrieved_regex(facts, p, rule):
    if p["path"] in facts.retrieved:
        text, unit = facts.retrieved[p["path"]], p.get("unit", "words")  # our own: lines, or the whole file
        found = any([match(p["regex"], x) for x in {"words": text.split(), "lines": text.splitlines(), "file": [text]}[unit]])
        if found == (p["check"] == "match"):
            yield at(p["path"], f"Content regex '{p['regex']}' check '{p['check']}' found in retrieved file '{p['path']}'",
                     f"{rule.get('id')}+file://{p['path']}")


def secret_scans(facts, p, rule):
    name, path_regex = p.get("content_regex_name"), p.get("filename_regex")
    hits = [(path, key) for path, key in facts.secrets if (not path_regex or match(path_regex, path))
            and (not name or name in (key.partition("=")[0], key.partition("=")[2]))]
    if p.get("match_type", "found") == "found":
        for path, key in hits:
            yield at(path, f"Secret content search analyzer found regexp match in container: file={path} regexp={key}")
    elif not hits:
        yield ("Secret content search analyzer did not find regexp match in container: "
               f"filename_regex={path_regex or '*'} content_regex_name={name or 'all'}")


def score_ok(finding_scores, p, prefix, shown):
    ok = True
    for part in ("base", "exploitability", "impact"):
        wanted = p.get(f"{prefix}cvss_v3_{part}_score")
        if wanted is None:
            continue
        actual = finding_scores[part]
        ok &= compare(p.get(f"{prefix}cvss_v3_{part}_score_comparison", ">="), actual, number(wanted))
        if actual:
            shown.append(f"{prefix}cvss_v3_{part}_score={actual!r}")
    return ok


def file_name(k):
    parts = k.location.split("/")
    if k.os:
        return k.name
    if k.type in ("java", "gem") and k.location:
        return parts[-1]
    if k.type == "npm" and len(parts) > 1:
        return parts[-2]
    return f"{k.name}-{k.version}"


def vulnerabilities_package(facts, p, rule):
    today = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d")
    wanted = SEVERITIES.index(p.get("severity", "unknown"))
    for v in facts.findings:
        k, days, nvd, vendor = v.package, [], [], []
        kind = "os" if k.os else "non-os"
        if p["package_type"] not in ("all", kind):
            continue
        if not compare(p.get("severity_comparison", ">"), SEVERITIES.index(v.severity), wanted):
            continue
        if p.get("package_path_exclude") and not k.os and match(p["package_path_exclude"], k.location):
            continue
        if p.get("vendor_only", "true").lower() == "true" and v.will_not_fix:
            continue
        if p.get("max_days_since_creation") is not None:  # all findings are of now
            if int(p["max_days_since_creation"]) > 0:
                continue
            days.append(f"max_days_since_creation={today}")
        if p.get("fix_available", "").lower() == "true" and p.get("max_days_since_fix") is not None and v.fixes:
            if int(p["max_days_since_fix"]) > 0:
                continue
            days.append(f"max_days_since_fix={today}")
        if not score_ok(v.nvd, p, "", nvd):
            continue
        if p.get("fix_available") and (p["fix_available"].lower() == "true") != bool(v.fixes):
            continue
        if not score_ok(v.vendor, p, "vendor_", vendor) or not policy_own.own_fits(v, p):
            continue
        groups = [f"(fixed in: {', '.join(v.fixes)})" if v.fixes else "",
                  *(f"({' '.join(g)})" if g else "" for g in (nvd, days, vendor, policy_own.own_words(v, p)))]
        yield Said(f"{v.severity.upper()} Vulnerability found in {kind} package type ({k.type}) - "
                   f"{k.name if k.os else k.location} {''.join(groups)}({v.id} - {v.link})", f"{v.id}+{file_name(k)}", v, k, k.location)


def vulnerabilities_stale(facts, p, rule):
    if facts.feeds["age_days"] is None or facts.feeds["age_days"] > int(p["max_days_since_sync"]):
        yield ("The vulnerability feed for this image distro is older than MAXAGE "
               f"({int(p['max_days_since_sync'])}) days")


def vulnerabilities_unavailable(facts, p, rule):
    if not facts.feeds["covered"]:
        yield (f"Distro-specific feed data not found for distro namespace: {facts.distro or ''}:{facts.distro_version or ''}. "
               "Cannot perform CVE scan OS/distro packages")


def vulnerabilities_blacklist(facts, p, rule):
    also = p.get("match_aliases", "false").lower() == "true"  # our own
    there = {x for v in facts.findings if not (v.will_not_fix and p.get("vendor_only", "true").lower() == "true")
             for x in [v.id, *(v.aliases if also else [])]}
    found = [x for x in csv(p["vulnerability_ids"]) if x in there]
    if found:
        yield f"Blacklisted vulnerabilities detected: {found!r}"


NPM, GEM = "NPM packages are present but the anchore npm feed", "Gem packages are present but the anchore gem feed"
UNABLE = " is not available - will be unable to perform checks that require feed data"
TRIGGERS = {
    ("always", "always"): always,
    ("dockerfile", "instruction"): dockerfile_instruction,
    ("dockerfile", "effective_user"): dockerfile_effective_user,
    ("dockerfile", "exposed_ports"): dockerfile_exposed_ports,
    ("dockerfile", "no_dockerfile_provided"): dockerfile_no_dockerfile_provided,
    ("files", "content_regex_match"): files_content_regex_match,
    ("files", "name_match"): files_name_match,
    ("files", "attribute_match"): files_attribute_match,
    ("files", "suid_or_guid_set"): files_suid_or_guid_set,
    ("licenses", "blacklist_exact_match"): licenses_blacklist_exact_match,
    ("licenses", "blacklist_partial_match"): licenses_blacklist_partial_match,
    ("malware", "scans"): malware_scans,
    ("malware", "scan_not_run"): malware_scan_not_run,
    ("metadata", "attribute"): metadata_attribute,
    ("npms", "newer_version_in_feed"): newer("npm", "NPMNOTLATEST "),
    ("npms", "unknown_in_feeds"): unknown("npm", "NPMNOTOFFICIAL Package ({}) in container but not in official NPM feed."),
    ("npms", "version_not_in_feeds"): bad_version("npm", "NPMBADVERSION"),
    ("npms", "blacklisted_name_version"): named("npm", "NPM Package"),
    ("npms", "feed_data_unavailable"): no_feed("npm", NPM + UNABLE),
    ("ruby_gems", "newer_version_found_in_feed"): newer("gem", ""),
    ("ruby_gems", "not_found_in_feed"): unknown("gem",
                                                "GEMNOTOFFICIAL Package ({}) in container but not in official GEM feed."),
    ("ruby_gems", "version_not_found_in_feed"): bad_version("gem", "GEMBADVERSION"),
    ("ruby_gems", "blacklist"): named("gem", "Gem Package"),
    ("ruby_gems", "feed_data_unavailable"): no_feed("gem", GEM + UNABLE),
    ("packages", "required_package"): packages_required_package,
    ("packages", "verify"): packages_verify,
    ("packages", "blacklist"): named(None, "Package"),
    ("passwd_file", "content_not_available"): passwd_content_not_available,
    ("passwd_file", "blacklist_usernames"): pentry_rows("user", "user_names", 0),
    ("passwd_file", "blacklist_userids"): pentry_rows("uid", "user_ids", 2, True),
    ("passwd_file", "blacklist_groupids"): pentry_rows("gid", "group_ids", 3, True),
    ("passwd_file", "blacklist_shells"): pentry_rows("shell", "shells", 6),
    ("passwd_file", "blacklist_full_entry"): passwd_full,
    ("retrieved_files", "content_not_available"): retrieved_not_available,
    ("retrieved_files", "content_regex"): retrieved_regex,
    ("secret_scans", "content_regex_checks"): secret_scans,
    ("vulnerabilities", "package"): vulnerabilities_package,
    ("vulnerabilities", "stale_feed_data"): vulnerabilities_stale,
    ("vulnerabilities", "vulnerability_data_unavailable"): vulnerabilities_unavailable,
    ("vulnerabilities", "blacklist"): vulnerabilities_blacklist,
    **policy_own.TRIGGERS,
}
EXPRESSIONS = ("regex", "filename_regex", "package_path_exclude", "package_path_include", "path_exclude")
ALIASES = {("passwd_file", "blacklist_usernames"): {"usernameblacklist": "user_names"},
           ("passwd_file", "blacklist_userids"): {"useridblacklist": "user_ids"}}


# ---- bundles

def parse_tag(tag):
    """registry, repository, tag"""
    if tag.startswith("dockerhub/"):
        tag = "docker.io/" + tag[len("dockerhub/"):]
    first, slash, rest = tag.partition("/")
    registry = "docker.io"
    if slash and (":" in first or "." in first or first in ("docker.io", "localhost", "localhost.localdomain", "localbuild")):
        registry, tag = first, rest
    if "@" in tag:
        return registry, tag.split("@")[0], ""
    repository, colon, name = tag.rpartition(":")
    return (registry, repository, name) if colon else (registry, tag, "latest")


def selects(rule, facts, tag):
    registry, repository, name = parse_tag(tag)
    if not (wildcard(rule["registry"], registry) and wildcard(rule["repository"], repository)):
        return False
    kind, value = rule["image"]["type"], rule["image"]["value"]
    return {"tag": lambda: wildcard(value, name), "digest": lambda: value == facts.digest,
            "id": lambda: value == facts.id}[kind]()


@dataclass
class Verdict:
    rows: list  # (policy, gate, trigger, id, message, action, by what it is allowed)
    policy_action: str
    final_action: str
    reason: str
    mapping: dict
    allowed_by: dict
    denied_by: dict
    problems: list  # types, sorted; of those about items of allowlists also the list and the item
    said: list  # of each row, what it is about
    decided: set  # what of allowlists decided (policy_allow.MEMBERS)


def canonical(rule):
    """Its gate and trigger: our own, in any case, `allowlist` and `denylist` for the old words."""
    gate, trigger = rule["gate"].lower(), rule["trigger"].lower()
    old = trigger.replace("allowlist", "whitelist").replace("denylist", "blacklist")
    return gate, old if (gate, old) in TRIGGERS else trigger


def judge_rule(rule, facts, problems):
    """[(id, what is Said)] and whether the rule failed."""
    gate, trigger = canonical(rule)
    if gate in ENDED:
        problems.append("EndOfLifedError")
        return [], False
    aliases = ALIASES.get((gate, trigger), {})
    params = {}
    for p in rule["params"]:
        name = p["name"].lower()
        params[aliases.get(name, name)] = p["value"]
    rows = []
    try:
        for name, value in params.items():  # our own: an expression that is none is told even where nothing is compared; so are numbers
            if name in EXPRESSIONS or (name == "value" and "like" in params.get("check", "")):
                match(value, "")
            if name.endswith("_score") or name == "epss_percentile":
                number(value)
            if name == "mode" and not re.fullmatch("(0o)?[0-7]+", value):
                raise Failed(value)
        for row in TRIGGERS[gate, trigger](facts, params, rule):
            said = row if isinstance(row, Said) else Said(row)
            rows.append((said.id or hashlib.md5(f"{gate}{trigger}{said.message}".encode()).hexdigest(), said))
    except Failed:
        problems.append("TriggerEvaluationError")
        return rows, True
    return rows, False


# Of a package at several places these tell once what its name or version alone tells: docs/policy.md, "Packages at several places"
ONCE = {("npms", "unknown_in_feeds"), ("npms", "version_not_in_feeds"), ("npms", "blacklisted_name_version"),
        ("ruby_gems", "not_found_in_feed"), ("ruby_gems", "version_not_found_in_feed"), ("ruby_gems", "blacklist"),
        ("tag_drift", "packages_added"), ("tag_drift", "packages_removed"), ("tag_drift", "packages_modified")}


def run_policy(bundle, policy, lists, facts, v, used):
    """Adds to the verdict; `used`: ids of items that allowed something."""
    gates = list(dict.fromkeys(r["gate"].lower() for r in policy["rules"]))
    for rule in sorted(policy["rules"], key=lambda r: gates.index(r["gate"].lower())):
        (gate, trigger), action = canonical(rule), rule["action"].lower()
        found, failed = judge_rule(rule, facts, v.problems)
        if failed and bundle.get("on_rule_failure", "closed") == "closed":
            v.policy_action = min(v.policy_action, action, key=ORDER.get)
        before = {}  # rows of this rule that are told once
        for trigger_id, said in found:
            hit = policy_allow.allowing(lists, gate, trigger_id, said, v.decided)
            if hit:
                used.add(id(hit[1]))
            done = "go" if hit else action
            v.policy_action = min(v.policy_action, done, key=ORDER.get)
            row = (policy["id"], gate, trigger, trigger_id, said.message, done, policy_allow.row_of(hit))
            if trigger_id in before:  # allowed only when it is at each place
                n, allowed = before[trigger_id]
                if allowed and not hit:
                    v.rows[n], before[trigger_id] = row, (n, None)
                continue
            if (gate, trigger) in ONCE:
                before[trigger_id] = len(v.rows), hit
            v.rows.append(row)
            v.said.append(said)


def evaluate(bundle, facts, tag):
    mapping, denied, allowed = (next((m for m in member if selects(m, facts, tag)), None) for member in (
        bundle["mappings"], *(policy_allow.member(bundle, n) or [] for n in ("blacklisted_images", "whitelisted_images"))))
    v, used = Verdict([], "go", "", "policy_evaluation", mapping, allowed, denied, [], [], set()), set()
    if mapping:
        ids = policy_allow.member(mapping, "whitelist_ids")
        v.decided |= {("allowlist_ids", True)} if ids and "allowlist_ids" in mapping else set()
        lists = [next(w for w in policy_allow.member(bundle, "whitelists") if w["id"] == i) for i in ids]
        for policy_id in mapping.get("policy_ids") or [mapping["policy_id"]]:
            run_policy(bundle, next(p for p in bundle["policies"] if p["id"] == policy_id), lists, facts, v, used)
        v.problems += map(" ".join, policy_allow.reported(bundle, lists, used, v.decided))
    elif bundle.get("unmatched") == "stop":
        v.policy_action = "stop"
        v.problems.append("PolicyError")
    if not mapping:
        v.decided.add(("unmatched" + (": stop" if v.policy_action == "stop" else ""), True))
    v.final_action = v.policy_action
    if denied:
        v.final_action, v.reason = "stop", "blacklisted"
    elif allowed:
        v.final_action, v.reason = "go", "whitelisted"
    v.problems.sort()
    return v
