"""Our own triggers and parameters in the model: when they fire as docs/policy-gates.md says it, with the messages of the table
in docs/policy.md."""
import datetime
import re
from pathlib import Path

from policy_base import Failed, Package, SEVERITIES, Said, about, at, compare, csv, match, version_key

DOCUMENT = Path(__file__).resolve().parents[2] / "docs/policy.md"


def documented():
    """{(gate.trigger, when): message} of the table of messages."""
    text = DOCUMENT.read_text(encoding="utf-8").split("### Messages of our own triggers")[1].split("\n#")[0]
    found, name = {}, ""
    for cells in re.findall(r"^\| *(.*?) *\| *(.*?) *\| `(.*)` \|$", text, re.M):
        name = cells[0].strip("`") or name
        found[name, cells[1]] = cells[2]
    return found


MESSAGES = documented()


def say(name, when="", /, **values):
    return re.sub(r"\{(\w+)\}", lambda m: str(values[m[1]]), MESSAGES[name, when])


def glob(pattern, text, flags=0):
    return re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), text, flags | re.S) is not None


def any_glob(patterns, text, flags=0):
    return any(glob(x, text, flags) for x in patterns)


# ---- Dockerfiles as Docker reads them

def joined_lines(text):
    """Instructions with what continues them: lines after a backslash, and here-documents; comments and empty lines between
    them are left out."""
    lines, out = [x.strip() for x in text.splitlines()], []
    while lines:
        parts = []
        while lines:
            line = lines.pop(0)
            if line and not line.startswith("#"):
                parts.append(line.removesuffix("\\").strip())
                if not line.endswith("\\"):
                    break
        whole = " ".join(x for x in parts if x)
        if whole.split(" ")[0].upper() in ("RUN", "COPY", "ADD"):
            for word in re.findall(r"(?:^|\s)<<-?[\"']?(\w+)[\"']?", whole):
                end = lines.index(word) + 1
                whole, lines = " ".join([whole, *filter(None, lines[:end])]), lines[end:]
        out += [whole] if whole else []
    return out


# ---- metadata

def named_value(what):
    def rows(f, p, rule):
        found, check, value = getattr(f, what + "s").get(p["name"]), p["check"], p.get("value", "")
        if check not in ("exists", "not_exists") and "value" not in p:
            return
        if found is None:  # what is not there differs from every value
            hit = check in ("not_exists", "!=", "not_like", "not_in")
        else:
            hit = {"exists": lambda: True, "not_exists": lambda: False, "like": lambda: match(value, found),
                   "not_like": lambda: not match(value, found), "in": lambda: found in csv(value),
                   "not_in": lambda: found not in csv(value)}.get(check, lambda: compare(check, found, value))()
        if hit:
            yield say("metadata." + what, "it has none" if found is None else "", name=p["name"], check=check, value=value,
                      found=found)
    return rows


# ---- licences

OLD_NAMES = re.compile(r"(?i)(A?GPL|LGPL|GFDL)-(\d[\d.]*)(\+?)")


def licence_name(text):
    old = OLD_NAMES.fullmatch(text)
    return (f"{old[1]}-{old[2]}-{'or-later' if old[3] else 'only'}" if old else text).lower()


class Expression:
    """SPDX: OR of AND of names; also what is none: words that all apply."""

    def __init__(self, text):
        self.tokens = re.findall(r"[()]|[^\s()]+", text)
        try:
            self.tree = self.alternatives()
            if self.tokens:
                raise ValueError(self.tokens)
        except (ValueError, IndexError):
            self.tree = ("and", [("name", licence_name(w), "") for w in text.split()])

    def next_is(self, word):
        return bool(self.tokens) and self.tokens[0].upper() == word and bool(self.tokens.pop(0))

    def row(self, kind, word, part):
        parts = [part()]
        while self.next_is(word):
            parts.append(part())
        return (kind, parts)

    def alternatives(self):
        return self.row("or", "OR", lambda: self.row("and", "AND", self.one))

    def one(self):
        if self.next_is("("):
            inner = self.alternatives()
            if not self.next_is(")"):
                raise ValueError("not closed")
            return inner
        name = self.tokens.pop(0)
        if name.upper() in ("AND", "OR", "WITH", ")") or not re.fullmatch(r"[\w.+:-]+", name):
            raise ValueError(name)
        exception = self.tokens.pop(0).lower() if self.next_is("WITH") else ""
        return ("name", licence_name(name), exception)

    def fulfilled(self, may, tree=None):
        kind, *rest = tree or self.tree
        if kind == "name":
            return may(*rest)
        return {"or": any, "and": all}[kind](self.fulfilled(may, t) for t in rest[0])


def listed_licence(entries, name, exception):
    for entry in entries:
        licence, _, only = entry.partition(" WITH ")
        if only and only.strip().lower() != exception:
            continue
        if glob(licence.strip().lower(), name) if "*" in licence else licence_name(licence.strip()) == name:
            return True  # by its present name
    return False


def expressions(trigger, wanted):
    def rows(f, p, rule):
        entries = csv(p["licenses"])
        for k in f.packages:
            may = lambda name, exception: listed_licence(entries, name, exception) == wanted  # noqa: E731
            stated = (k.expression or k.license).strip()
            if stated and not Expression(stated).fulfilled(may):
                yield about(k, say(trigger, name=k.name, type=k.type, licence=stated))
    return rows


def licence_missing(f, p, rule):
    types = [x.lower() for x in csv(p["package_types"])] if "package_types" in p else None
    for k in f.packages:
        if not k.license and (types is None or k.type.lower() in types):
            yield about(k, say("licenses.missing", name=k.name, type=k.type))


# ---- packages

def in_ranges(k, text):
    for part in text.split("||"):
        inside = True
        for op, version in re.findall(r"(>=|<=|>|<|=)\s*([^\s,]+)", part):
            have = k.full if "-" in version else k.version
            inside &= compare(op, version_key(have), version_key(version))
        if inside:
            return True
    return False


def package_match(f, p, rule):
    if not any(n in p for n in ("name", "purl", "package_type", "path")):
        raise Failed("one is needed")
    if "versions" in p and not re.fullmatch(r"(\s*(>=|<=|>|<|=)\s*\d[\w.~+:-]*\s*(,|\|\||$)?)+", p["versions"]):
        raise Failed("no ranges")
    unordered = None
    for k in f.packages:
        if not (glob(p.get("name", "*"), k.name) and glob(p.get("purl", "*"), k.purl) and glob(p.get("path", "*"), k.location)
                and p.get("package_type", k.type).lower() == k.type.lower()):
            continue
        if "versions" in p and not version_key(k.version):
            unordered = k
        elif "versions" not in p or in_ranges(k, p["versions"]):
            yield about(k, say("packages.match", name=k.name, version=k.full, type=k.type, location=k.location))
    if unordered:
        raise Failed(f"{unordered.version} has no order")


# ---- findings

def own_fits(v, p):
    for name, found in (("epss_score", v.epss), ("epss_percentile", v.percentile)):
        if name in p and not compare(p.get(name + "_comparison", ">="), found, float(p[name])):
            return False
    if "kev" in p and (p["kev"].lower() == "true") != v.kev:
        return False
    if p.get("fix_state", "") not in ("", "wont-fix" if v.will_not_fix else "fixed" if v.fixes else "not-fixed"):
        return False
    if "vex_status" in p and (v.vex or "none") not in [x.lower() for x in csv(p["vex_status"])]:
        return False
    return "package_path_include" not in p or v.package.os or match(p["package_path_include"], v.package.location)


def own_words(v, p):
    """What a row says of what was asked."""
    values = {"epss_score": repr(v.epss), "epss_percentile": repr(v.percentile), "kev": str(v.kev).lower(), "vex_status": v.vex}
    return [f"{n}={x}" for n, x in values.items() if n in p and x]


def count(f, p, rule):
    how, severity, found = p.get("severity_comparison", ">="), p.get("severity", "unknown"), 0
    for v in {(v.id, v.package.type, v.package.full, v.package.purl): v for v in f.findings}.values():  # at all of its places
        found += (p.get("package_type", "all") in ("all", "os" if v.package.os else "non-os")
                  and compare(how, SEVERITIES.index(v.severity), SEVERITIES.index(severity))
                  and p.get("fix_available", "").lower() in ("", "true" if v.fixes else "false")
                  and not (v.will_not_fix and p.get("vendor_only", "true").lower() == "true"))
    if found > int(p["max_count"]):
        yield Said(say("vulnerabilities.count", n=found, comparison=how, severity=severity, max_count=int(p["max_count"])),
                   f"count+{how}{severity}")


# ---- what was not seen, and how old the data are

def unread(f, p, rule):
    for what, path, detail in f.gaps:
        if not (p.get("path_exclude") and match(p["path_exclude"], path)):
            yield at(path, say("completeness.unread", what=what, path=path, detail=detail))


def named(trigger, attribute):
    def rows(f, p, rule):
        left_out = [x.lower() for x in csv(p["except"])] if "except" in p else []
        for name in getattr(f, attribute):
            if name.lower() not in left_out:
                yield say(trigger, name=name)
    return rows


def no_packages(f, p, rule):
    if not f.packages:
        yield say("completeness.no_packages")


def data_age(trigger, what):
    def rows(f, p, rule):
        age = f.feeds[what]
        if age is None:
            yield say(trigger, "there are none")
        elif age > int(p["max_days"]):
            yield say(trigger, max_days=int(p["max_days"]))
    return rows


# ---- the distribution

# The last days of support, as the distributions say them: Alpine's release table, Debian LTS, CentOS Stream 8.
LAST_DAYS = {"alpine:3.18.4": datetime.date(2025, 5, 9), "alpine:3.2.1": datetime.date(2017, 5, 1),
             "debian:12": datetime.date(2028, 6, 30), "centos:8": datetime.date(2024, 5, 31)}


def deny(f, p, rule):
    if not f.distro or not any_glob(csv(p["distro"]), f.distro, re.I):
        return
    if "version" not in p:
        yield say("distro.deny", "in any version", distro=f.distro)
    elif compare(p.get("check", "="), version_key(f.distro_version), version_key(p["version"])):
        yield say("distro.deny", distro=f.distro, found=f.distro_version, check=p.get("check", "="), version=p["version"])


def not_allowed(f, p, rule):
    names = (f.distro, f"{f.distro}:{f.distro_version}")
    if not f.distro:
        yield say("distro.not_allowed", "not known")
    elif not any(any_glob(csv(p["distros"]), n, re.I) for n in names):
        yield say("distro.not_allowed", distro=f.distro, version=f.distro_version)


def eol(f, p, rule):
    last = LAST_DAYS.get(f"{f.distro}:{f.distro_version}")
    if last is None:
        if p.get("unknown", "false").lower() == "true":
            yield say("distro.eol", "not known", distro=f.distro or "unknown", version=f.distro_version or "")
        return
    if datetime.datetime.now(datetime.timezone.utc).date() > last - datetime.timedelta(days=int(p.get("days_before", "0"))):
        yield say("distro.eol", distro=f.distro, version=f.distro_version, day=last)


# ---- other images

def base_image(f, param, fits):
    if not f.ancestors:
        yield "none was analyzed", {}
    elif not fits(csv(param), f.ancestors[0]):
        yield "", f.ancestors[0]


def base_digest(f, p, rule):
    for when, base in base_image(f, p["base_digest"], lambda entries, x: x[0] in entries):
        yield say("ancestry.allowed_base_image_digest", when, base=base and base[0])


def base_tag(f, p, rule):
    for when, base in base_image(f, p["base_tag"], lambda entries, x: any(any_glob(entries, t) for t in x[1])):
        yield say("ancestry.allowed_base_image_tag", when, base=base and ", ".join(base[1]))


def ancestor_digest(f, p, rule):
    for digest, _ in f.ancestors:
        if digest in csv(p["ancestor_digest"]):
            yield say("ancestry.denylist_ancestor_image_digest", image=digest)


def ancestor_tag(f, p, rule):
    for _, tags in f.ancestors:
        for tag in tags:
            if any_glob(csv(p["ancestor_tag"]), tag):
                yield say("ancestry.denylist_ancestor_image_tag", image=tag)


def none_analyzed(f, p, rule):
    if not f.ancestors:
        yield say("ancestry.no_ancestors_analyzed")


def by_name(packages, p):
    out = {}
    for k in packages:
        if p.get("package_type", k.type).lower() == k.type.lower():
            out.setdefault((k.type, k.name), {}).setdefault(k.full, []).append(k)
    return out


def drift(kind):
    def rows(f, p, rule):
        if f.before is None:
            return
        was, now = by_name(f.before, p), by_name(f.packages, p)
        for key in sorted({*was, *now}):
            a, b = was.get(key), now.get(key)
            if kind == ("added" if a is None else "removed" if b is None else "modified") and (a or {}).keys() != (b or {}).keys():
                message = say(f"tag_drift.packages_{kind}", name=key[1], type=key[0], was=", ".join(sorted(a or ())),
                              now=", ".join(sorted(b or ())))
                found = list((b or a).values())
                # one about several versions has a name only
                yield from [about(k, message) for k in found[0]] if len(found) == 1 else [
                    Said(message, package=Package(key[1], "", key[0]))]
    return rows


def unsigned(f, p, rule):
    raise Failed("nobody verifies signatures")


TRIGGERS = {
    ("metadata", "label"): named_value("label"),
    ("metadata", "annotation"): named_value("annotation"),
    ("licenses", "allowed_expressions"): expressions("licenses.allowed_expressions", True),
    ("licenses", "denied_expressions"): expressions("licenses.denied_expressions", False),
    ("licenses", "missing"): licence_missing,
    ("packages", "match"): package_match,
    ("vulnerabilities", "count"): count,
    ("ancestry", "allowed_base_image_digest"): base_digest,
    ("ancestry", "allowed_base_image_tag"): base_tag,
    ("ancestry", "denylist_ancestor_image_digest"): ancestor_digest,
    ("ancestry", "denylist_ancestor_image_tag"): ancestor_tag,
    ("ancestry", "no_ancestors_analyzed"): none_analyzed,
    ("completeness", "unread"): unread,
    ("completeness", "unsupported_ecosystem"): named("completeness.unsupported_ecosystem", "unsupported"),
    ("completeness", "uncovered_data"): named("completeness.uncovered_data", "uncovered"),
    ("completeness", "no_packages"): no_packages,
    ("data_age", "database"): data_age("data_age.database", "database_age_days"),
    ("data_age", "distribution"): data_age("data_age.distribution", "age_days"),
    ("distro", "deny"): deny,
    ("distro", "not_allowed"): not_allowed,
    ("distro", "eol"): eol,
    ("signatures", "unsigned"): unsigned,
    ("tag_drift", "packages_added"): drift("added"),
    ("tag_drift", "packages_removed"): drift("removed"),
    ("tag_drift", "packages_modified"): drift("modified"),
}
