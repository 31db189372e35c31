"""Allowlists in the model: which item allows a row, and what a bundle is told of its items, as docs/policy.md says it; and random
items for rows that there are.
"""
import datetime
import re

from policy_base import compare, expired, version_key, wildcard

# What has to hold and what has to fail in a corpus, each of it with all else of the item holding.
MEMBERS = ["gate", "trigger_id", "vulnerability_id", "vulnerability_id of an alias", "package", "package, a pattern", "version",
           "version with a release", "version of several bounds", "purl", "purl without version", "path", "path with ?", "path with *",
           "path with **", "expires_on", "expires_on with an offset"]
SEEN_ONCE = ["no gate", "no trigger_id", "reason", "owner", "created", "unmatched", "unmatched: stop", "AllowlistItemExpired",
             "AllowlistItemExpiring", "AllowlistItemUnused", "expiring_days", "report_allowlist: false", "allowlist_ids"]
OWN = ("vulnerability_id", "package", "version", "purl", "path")
REPEATED = ("reason", "owner", "created", "vulnerability_id")


def member(thing, name):
    """In the old spelling or in the new one."""
    return thing.get(name, thing.get(name.replace("whitelist", "allowlist").replace("blacklist", "denylist")))


# ---- what an item says

def has_version(k, constraint):
    for part in constraint.split(","):
        op, wanted = re.fullmatch(r"\s*(<=|>=|!=|==|<|>|=|)\s*(\S+)\s*", part).groups()
        have = k.full if "-" in wanted else k.version
        if have == wanted:
            fits = op in ("", "=", "==", "<=", ">=")
        elif not (version_key(have) and version_key(wanted)):
            fits = False  # it has no order
        else:
            fits = compare({"": "=", "==": "="}.get(op, op), version_key(have), version_key(wanted))
        if not fits:
            return False
    return True


def has_purl(k, wanted):
    """Ours have no qualifiers here; kellet's have, which one without them does not mind."""
    return wanted in (k.purl, k.purl.split("@")[0])


def has_path(path, pattern):
    words = {"**": ".*", "*": "[^/]*", "?": "[^/]"}
    return re.fullmatch("".join(words.get(x) or re.escape(x) for x in re.findall(r"\*\*|.", pattern, re.S)), path, re.S) is not None


def kind_of(name, item, said):
    """The name in MEMBERS."""
    text = item[name]
    if name == "vulnerability_id":  # a CVE of a finding that is reported as GHSA
        return name + (" of an alias" if said.finding and said.finding.id[:4] == "GHSA" and text[:4].upper() == "CVE-" else "")
    if name == "package":
        return "package, a pattern" if "*" in text or text.startswith("regexp:") else name
    if name == "version":
        return name + (" of several bounds" if "," in text else " with a release" if "-" in text else "")
    if name == "purl":
        return name if "@" in text else "purl without version"
    if name == "path":
        return next((f"path with {x}" for x in ("**", "*", "?") if x in text), name)
    if name == "expires_on":
        return name if text.endswith("Z") else "expires_on with an offset"
    return name


def judged(item, gate, trigger_id, said):
    """{name in MEMBERS: whether it holds} of what the item says."""
    k, v, out = said.package, said.finding, {}
    if item.get("gate"):
        out["gate"] = item["gate"].lower() == gate
    if item.get("trigger_id"):
        out["trigger_id"] = item["trigger_id"] == trigger_id or wildcard(item["trigger_id"], trigger_id)
    tests = {"vulnerability_id": lambda x: v is not None and x.lower() in [y.lower() for y in (v.id, *v.aliases)],
             "package": lambda x: k is not None and wildcard(x, k.name), "version": lambda x: k is not None and has_version(k, x),
             "purl": lambda x: k is not None and has_purl(k, x), "path": lambda x: said.path is not None and has_path(said.path, x)}
    for name, holds in tests.items():
        if item.get(name):
            out[kind_of(name, item, said)] = holds(item[name])
    if item.get("expires_on"):
        out[kind_of("expires_on", item, said)] = not expired(item)
    return out


def allowing(lists, gate, trigger_id, said, seen):
    """The first (list, item) that allows it, or None. `seen`: what decided, as (name, whether it held)."""
    hit = None
    for w in lists:
        for item in w["items"]:
            if not item.get("gate") and not any(item.get(n) for n in OWN):
                continue
            verdicts = judged(item, gate, trigger_id, said)
            bad = [n for n, holds in verdicts.items() if not holds]
            if len(bad) < 2:
                seen |= {(n, n not in bad) for n in (bad or verdicts)}
            if not bad and not hit:
                hit = (w, item)
                seen |= {(n, True) for n in REPEATED if item.get(n)} | {("no " + n, True) for n in ("gate", "trigger_id") if n not in item}
    return hit


def row_of(hit):
    """What a row says of it."""
    return hit and (hit[0]["id"], hit[1].get("id"), *(hit[1].get(n) for n in REPEATED))


def reported(bundle, lists, used, seen):
    """The problems of a bundle that asks for them: [(type, list, item)]."""
    if bundle.get("report_allowlist") is not True:
        seen |= {("report_allowlist: false", True)} if "report_allowlist" in bundle else set()
        return []
    days = datetime.timedelta(days=bundle.get("expiring_days", 30))
    now, out = datetime.datetime.now(datetime.timezone.utc), []
    for w in lists:
        for item in w["items"]:
            until = datetime.datetime.fromisoformat(item["expires_on"].replace("Z", "+00:00")) if item.get("expires_on") else None
            if until and until <= now:
                kinds = ["AllowlistItemExpired"]
            else:
                kinds = (["AllowlistItemExpiring"] if until and until - days <= now else []) + (
                    ["AllowlistItemUnused"] if id(item) not in used else [])
            out += [(kind, w["id"], item["id"]) for kind in kinds]
            seen |= {(kind, True) for kind in kinds}
            if until and now < until and (until - days <= now) != (until - datetime.timedelta(days=30) <= now):
                seen |= {("expiring_days", True)}
    return out


# ---- random items

def moment(r):
    """In any of the forms; far enough from now, or from the end of the days before which it is told."""
    now = datetime.datetime.now(datetime.timezone.utc)
    when = now + datetime.timedelta(days=r.choice([-4000, -1, 3, 20, 29, 31, 60, 3000]), hours=r.randint(2, 20))
    if r.random() < .5:
        return when.strftime("%Y-%m-%dT%H:%M:%S") + r.choice(["Z", ".5Z", ".123456Z"])
    hours = r.choice([-11, -3, 2, 5, 14])
    zone = datetime.timezone(datetime.timedelta(hours=hours, minutes=r.choice([0, 30])))
    return when.astimezone(zone).isoformat(timespec=r.choice(["seconds", "milliseconds"]))


def near(r, text):
    """Nearly it."""
    return r.choice([text + "x", text[:-1] or "x", text.upper() + "1"])


def version_constraint(r, k):
    version, full = (x.removeprefix("v") for x in ((k.version, k.full) if version_key(k.version) else ("1.0.0", "1.0.0")))
    return r.choice(["= {v}", "{v}", "=={f}", "!={v}", "!={f}", ">{v}", "<= {v}", ">= {f}", "<{f}", ">0.0.1, <99", ">= {v},<= {v}",
                     ">{v}, <99.0", "!=1.0.0, >= 0.0.0", "<0.0.1", " >=0 ", "> 99.0", "< {v}"]).format(v=version, f=full)


def package_url(r, k):
    bare = k.purl.split("@")[0]
    return r.choice([k.purl, bare, bare, k.purl + "1", bare[:-1], bare + "@99.99", k.purl + "?arch=sparc64", bare.replace("pkg:", "pkg:x")])


def path_pattern(r, path):
    head, _, name = path.rpartition("/")
    up = head.rpartition("/")[0]
    return r.choice([path, head + "/*", head + "/?" + name[1:], up + "/*/" + name, up + "/*", "/**", "**/" + name, up + "/**", "/*/*",
                     "/*/**/*", "**/*.jar*", "/**/" + name[:2] + "*", path + "?", path[:-1], head + "/**/" + name, "*"])


def own_members(r, item, said, stored):
    k, v = said.package, said.finding
    if v and r.random() < .5:
        text = r.choice([v.id, *v.aliases, *v.aliases])
        item["vulnerability_id"] = r.choice([text, text.lower(), near(r, text), "CVE-2099-0001"])
    if k and r.random() < .4:
        item["package"] = r.choice([k.name, k.name, k.name[:2] + "*", "*" + k.name[-2:], "regexp:" + k.name[:2], near(r, k.name),
                                    k.name.upper() + "*"])
    if k and k.version and r.random() < .5:
        item["version"] = version_constraint(r, k)
    if k and k.purl and r.random() < .3:
        item["purl"] = package_url(r, k)
    if said.path and r.random() < .5:
        item["path"] = path_pattern(r, said.path)
    if not any(n in item for n in OWN):
        return
    item["trigger_id"] = r.choice([item["trigger_id"], "*"])
    if "-" in item.get("version", ""):  # what it means to packages of languages (a prerelease?) the model does not know
        item["path"] = "pkgdb"
    for name in ("gate", "trigger_id"):
        if r.random() < .5:
            del item[name]


def allow_item(r, number, rows, stored=False):
    """`rows`: [(gate, id, Said)] that there are."""
    kind = r.choice([None, "finding", "finding", "package", "path"])  # what it shall be about
    rows = [x for x in rows if kind and getattr(x[2], kind)] or rows
    gate, trigger_id, said = r.choice(rows) if rows else ("always", "always", None)
    pattern = r.choice([trigger_id, trigger_id, trigger_id[:5] + "*", "*" + trigger_id[-5:], "regexp:" + trigger_id[:2].replace("*", "."),
                        "*", "none"])
    gate = r.choice([gate, gate, gate.upper(), gate.title()]) if r.random() < .9 else "files"
    item = {"id": f"i{number}", "gate": gate, "trigger_id": pattern}
    if said and r.random() < .6:
        own_members(r, item, said, stored)
    if r.random() < .3:
        item["expires_on"] = moment(r)
    elif r.random() < .05 and not stored:  # the API's description refuses an empty one
        item["expires_on"] = ""
    for name, value in (("reason", "not reachable"), ("owner", "team é"), ("created", "2024-01-01")):
        if r.random() < .2:
            item[name] = value
    if r.random() < .1:
        item["comment"] = {"what": ["nobody", "reads"]}
    return item
