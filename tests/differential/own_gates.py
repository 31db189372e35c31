"""Rules of kellet's own gates, and whether they fire: from docs/policy-gates.md. Their messages are no contract."""
import re

import policy_model

OPS = ["=", "!=", "<", ">", "<=", ">="]
SEVERITIES = ["unknown", "negligible", "low", "medium", "high", "critical"]


def glob(pattern, text):
    return re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), text) is not None


def deny(f, p):
    if not f.distro or not any(glob(x, f.distro) for x in policy_model.csv(p["distro"])):
        return False
    return "version" not in p or policy_model.compare(
        p.get("check", "="), *map(policy_model.version_key, (f.distro_version, p["version"])))


def not_allowed(f, p):
    return not any(f.distro and glob(x, f"{f.distro}:{f.distro_version}" if ":" in x else f.distro)
                   for x in policy_model.csv(p["distros"]))


def no_licence(f, p):
    types = [x.lower() for x in policy_model.csv(p["package_types"])] if "package_types" in p else None
    return any(not k.license and (types is None or k.type.lower() in types) for k in f.packages)


def no_packages(f, p):
    return not f.packages


def count(f, p):
    least, kind, found = SEVERITIES.index(p.get("severity", "unknown")), p.get("package_type", "all"), 0
    for v in f.findings:
        found += (kind in ("all", "os" if v.package.os else "non-os")
                  and policy_model.compare(p.get("severity_comparison", ">="), SEVERITIES.index(v.severity), least)
                  and p.get("fix_available") in (None, "true" if v.fixes else "false")
                  and not (v.will_not_fix and p.get("vendor_only", "true") == "true"))
    return found > int(p["max_count"])


def some(r, **params):
    return {k: r.choice(v) for k, v in params.items() if r.random() < .5}


NAMES = ["alpine", "debian", "centos", "alp*", "*n", "ubuntu"]
VERSIONS = ["3.18.4", "3.18", "3.2.1", "3.9", "12", "8", "10"]
RULES = {
    ("distro", "deny"): (deny, lambda r: {"distro": ",".join(r.sample(NAMES, 2)),
                                          **({"version": r.choice(VERSIONS), **some(r, check=OPS)} if r.random() < .7 else {})}),
    ("distro", "not_allowed"): (not_allowed, lambda r: {"distros": ",".join(r.sample(
        [*NAMES, "alpine:3.18*", "debian:12", "centos:7", "alpine:3.2", "*:8"], 2))}),
    ("licenses", "missing"): (no_licence, lambda r: some(r, package_types=["npm", "gem,python", "APKG", "dpkg", "python"])),
    ("completeness", "no_packages"): (no_packages, lambda r: {}),
    ("vulnerabilities", "count"): (count, lambda r: {"max_count": r.choice(["0", "1", "2", "4", "7"]), **some(
        r, severity=SEVERITIES, severity_comparison=OPS, package_type=["all", "os", "non-os"], fix_available=["true", "false"],
        vendor_only=["true", "false"])}),
}


def random_bundle(r, n):
    """One policy a rule, so that its rows are told apart."""
    policies = []
    for i in range(n):
        gate, trigger = r.choice(list(RULES))
        params = RULES[gate, trigger][1](r)
        policies.append({"id": f"p{i}", "name": "x", "version": "1_0", "rules": [{
            "id": "r", "gate": gate, "trigger": trigger, "action": "WARN",
            "params": [{"name": k, "value": v} for k, v in params.items()]}]})
    return {"id": "own", "name": "own", "version": "1_0", "policies": policies, "whitelists": [], "mappings": [
        {"id": "all", "name": "all", "registry": "*", "repository": "*", "image": {"type": "tag", "value": "*"},
         "policy_ids": [p["id"] for p in policies], "whitelist_ids": []}]}


def fires(rule, facts):
    return RULES[rule["gate"], rule["trigger"]][0](facts, {p["name"]: p["value"] for p in rule["params"]})
