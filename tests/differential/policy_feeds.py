"""Random vulnerability data as records of the old feed service (`kellet feeds load anchore`), EPSS and KEV files, and what
of them applies to packages.

Versions are numbers with dots, so that all schemes agree on their order.
"""
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from policy_base import Finding, version_key  # noqa: E402

NAMES = ["musl", "zlib", "busybox", "openssl", "bash", "curl", "tar-x", "libc6", "gawk", "sed2"]
LANGUAGE = ["lodash", "rack", "django", "tar", "requests", "left-pad", "log4j-core", "commons-io"]
LICENCES = ["MIT", "GPL-2.0-only", "BSD-3-Clause", "Apache-2.0", "GPLv2+", "LGPL-2.1", "GPL-2.0+", "ISC"]
MODULES = "github.com/x/"  # before the names of Go modules
SEVERITIES = ["Unknown", "Negligible", "Low", "Medium", "High", "Critical"]
# the parts of CVSS 3 as first.org's formulas give them: vector, base, exploitability, impact
SCORES = [("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", 9.8, 3.9, 5.9),
          ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:N/A:N", 7.5, 3.9, 3.6),
          ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:L/I:N/A:N", 5.3, 3.9, 1.4),
          ("CVSS:3.1/AV:N/AC:L/PR:N/UI:R/S:C/C:L/I:L/A:N", 6.1, 2.8, 2.7),
          ("CVSS:3.1/AV:L/AC:L/PR:L/UI:N/S:U/C:L/I:N/A:N", 3.3, 1.8, 1.4),
          ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:N", 0.0, 3.9, 0.0)]
VERSION4 = "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N"
UNKNOWN = {"base": -1.0, "exploitability": -1.0, "impact": -1.0}
DISTROS = {  # os-release, type, where its records are
    "alpine": ("ID=alpine\nVERSION_ID=3.18.4\n", "APKG", "alpine:3.18"),
    "alpine-old": ("ID=alpine\nVERSION_ID=3.2.1\n", "APKG", None),
    "debian": ("ID=debian\nVERSION_ID=\"12\"\n", "dpkg", "debian:12"),
    "centos": ("ID=\"centos\"\nID_LIKE=\"rhel fedora\"\nVERSION_ID=\"8\"\n", "rpm", "rhel:8"),
}


def random_version(r):
    return f"{r.randint(0, 3)}.{r.randint(0, 12)}.{r.randint(0, 3)}"


# ---- vulnerability data

def nvd_record(cve, severity, scores):
    vector, base, exploitability, impact = scores
    return {"cve": {"CVE_data_meta": {"ID": cve}, "description": {"description_data": []}}, "severity": severity,
            "vulnerable_cpes": [], "cvss_v2": None,
            "cvss_v3": {"version": "3.1", "vector_string": vector, "base_metrics": {
                "base_score": base, "exploitability_score": exploitability, "impact_score": impact}}}


class Feeds:
    """A feed set: records to load, and the same for the model."""

    def __init__(self, r, packages=True):
        self.r, self.distro, self.github, self.nvd, self.kev, self.epss = r, {}, {}, {}, set(), {}
        self.count = 0
        for _, kind, group in sorted(d for d in DISTROS.values() if d[2]):
            self.distro[group] = [self.distro_vuln(group, kind) for _ in range(14)]
        self.languages = ["npm", "gem", "python", "java", *(["go"] if packages else [])]
        for eco in self.languages:
            self.github[f"github:{eco}"] = [self.advisory(eco) for _ in range(8)]
        self.packages = {k: self.upstream() for k in ("npm", "gem")} if packages else {"npm": None, "gem": None}

    def upstream(self):
        out = {}
        for name in self.r.sample(LANGUAGE, 6):
            versions = [random_version(self.r) for _ in range(4)]
            out[name] = {"versions": versions, "latest": self.r.choice(versions)}
        return out

    def cve(self):
        self.count += 1
        name = f"CVE-2099-{self.count:04}"
        if self.r.random() < .7:
            scores = self.r.choice(SCORES)
            self.nvd[name] = (next((s for least, s in ((9, "Critical"), (7, "High"), (4, "Medium"), (.1, "Low"))
                                    if scores[1] >= least), "Negligible"), scores)
        if self.r.random() < .3:
            self.kev.add(name)
        if self.r.random() < .6:
            self.epss[name] = self.r.choice([(.5, .97), (.1, .9), (.00042, .05), (.975, .999), (1.0, 1.0), (0.0, .001)])
        return name

    def distro_vuln(self, group, kind):
        form = {"APKG": "{}-r0", "dpkg": "{}-1", "rpm": "{}-1"}[kind]
        fix = "None" if self.r.random() < .3 else form.format(random_version(self.r))
        name, more = self.cve(), []
        if self.r.random() < .2:  # an advisory about several
            # (the original rates it by the NVD too; kellet by what it says itself)
            name, more = f"ALAS-2099-{self.count}", [name]
        return {"id": name, "severity": self.r.choice(SEVERITIES), "package": self.r.choice(NAMES), "fix": fix,
                "wont": fix == "None" and self.r.random() < .4, "kind": kind, "more": more}

    def advisory(self, eco):
        """Some are stated as OSV records, with the publisher's own CVSS."""
        self.count += 1
        r = self.r
        name = self.r.choice(LANGUAGE)
        low, fix = sorted((random_version(self.r) for _ in range(2)), key=version_key)
        own = r.choice(SCORES) if r.random() < .6 else None
        return {"id": f"GHSA-aaaa-bbbb-{self.count:04}", "severity": r.choice(SEVERITIES[own is not None:]), "cves": [self.cve()],
                "own": own, "version4": own and r.random() < .3,
                "package": {"java": "org.x:", "go": MODULES}.get(eco, "") + name,
                "name": MODULES + name if eco == "go" else name, "low": low, "fix": fix,
                "range": self.r.choice([f">= {low} < {fix}", f">= {low}, < {fix}", f"< {fix}", f"= {low}"])}

    def osv(self, eco, v):
        """The advisory as such a record."""
        name = {"npm": "npm", "gem": "RubyGems", "python": "PyPI", "java": "Maven", "go": "Go"}[eco]
        affected = {"package": {"ecosystem": name, "name": v["package"]}, "ranges": [{"type": "ECOSYSTEM", "events": [
            {"introduced": "0" if v["range"].startswith("<") else v["low"]}, {"fixed": v["fix"]}]}]}
        if eco in ("npm", "go"):
            affected["ranges"][0]["type"] = "SEMVER"
        scores = [("CVSS_V3", v["own"][0])] + ([("CVSS_V4", VERSION4)] if v["version4"] else [])
        return {"schema_version": "1.6.0", "id": v["id"], "modified": "2024-01-01T00:00:00Z", "aliases": v["cves"],
                "affected": [affected], "severity": [{"type": t, "score": s} for t, s in scores],
                "references": [{"type": "ADVISORY", "url": f"http://g.example/{v['id']}"}],
                "database_specific": {"severity": v["severity"].upper().replace("MEDIUM", "MODERATE")}}

    def is_osv(self, v):
        return v["own"] and not v["range"].startswith("=")

    def records(self, osv=False):
        """All of them, as the old service gives them; osv: but for those that are stated otherwise."""
        out = {"vulnerabilities": {}, "github": {}, "nvdv2": {"nvdv2:cves": [nvd_record(c, *v) for c, v in self.nvd.items()]}}
        for group, list_ in self.distro.items():
            out["vulnerabilities"][group] = [{"Vulnerability": {
                "Name": v["id"], "NamespaceName": group, "Severity": v["severity"], "Link": f"http://v.example/{v['id']}",
                "Description": "", "Metadata": {"CVE": [{"Name": c, "Link": "x"} for c in v["more"] or [v["id"]]]},
                "FixedIn": [{"Name": v["package"], "NamespaceName": group, "Version": v["fix"],
                             "VersionFormat": {"APKG": "apk"}.get(v["kind"], v["kind"]),
                             "VendorAdvisory": {"NoAdvisory": v["wont"], "AdvisorySummary": []}}]}} for v in list_]
        for group, list_ in self.github.items():
            out["github"][group] = [{"Advisory": {
                "ghsaId": v["id"], "namespace": group, "Summary": "", "Severity": v["severity"], "withdrawn": None,
                "url": f"http://g.example/{v['id']}", "CVE": v["cves"], "Metadata": {"CVE": v["cves"]},
                "FixedIn": [{"ecosystem": group.split(":")[1], "name": v["package"], "namespace": group,
                             "range": v["range"], "identifier": v["fix"]}]}, "Vulnerability": {}} for v in list_ if not (osv and self.is_osv(v))]
        if self.packages["npm"] is not None:
            out["packages"] = {k: [{n: v} for n, v in self.packages[k].items()] for k in ("npm", "gem")}
        return out

    def write(self, where):
        """The files to load: [(driver, path)]."""
        (where / "feeds.json").write_text(json.dumps(self.records(osv=True)))
        (where / "osv").mkdir()
        for v, eco in [(v, group.split(":")[1]) for group, list_ in self.github.items() for v in list_ if self.is_osv(v)]:
            (where / "osv" / f"{v['id']}.json").write_text(json.dumps(self.osv(eco, v)))
        (where / "epss_scores-2099-01-01.csv").write_text("cve,epss,percentile\n" + "".join(
            f"{c},{score:.6f},{share:.6f}\n" for c, (score, share) in self.epss.items()))
        (where / "known_exploited_vulnerabilities.json").write_text(json.dumps({
            "catalogVersion": "1", "dateReleased": "2099-01-01T00:00:00Z", "count": len(self.kev),
            "vulnerabilities": [{"cveID": c, "dateAdded": "2099-01-01"} for c in sorted(self.kev)]}))
        return [("anchore", where / "feeds.json"), ("osv", where / "osv"), ("epss", where / "epss_scores-2099-01-01.csv"),
                ("kev", where / "known_exploited_vulnerabilities.json")]

    def finding(self, v, package, severity, link, fixes, will_not_fix, names):
        """`names`: the CVEs that it is, which say the rest."""
        vendor = dict(zip(UNKNOWN, v["own"][1:])) if v.get("own") and self.is_osv(v) else dict(UNKNOWN)
        score, share = next((self.epss[c] for c in names if c in self.epss), (-1.0, -1.0))
        return Finding(v["id"], package, severity, link, fixes, will_not_fix, self.scores(names), vendor,
                       aliases=[c for c in names if c != v["id"]], kev=any(c in self.kev for c in names), epss=score,
                       percentile=share)

    def scores(self, ids):
        """The highest of each part over the NVD's records."""
        out = dict(UNKNOWN)
        for cve in ids:
            if cve in self.nvd:
                for part, value in zip(out, self.nvd[cve][1][1:]):
                    out[part] = max(out[part], value)
        return out

    def severity(self, v, cves):
        """Our own: what an advisory does not rate has the NVD's severity."""
        return next((s.lower() for s in [v["severity"], *(self.nvd[c][0] for c in cves if c in self.nvd)] if s != "Unknown"),
                    "unknown")

    def find(self, packages, group):
        found = []
        for k in packages:
            for v in self.distro.get(group, []) if k.os else []:
                hit = v["package"] in (k.name, k.source)
                if hit and (v["fix"] == "None" or version_key(k.full) < version_key(v["fix"])):
                    found.append(self.finding(v, k, self.severity(v, [v["id"]]), f"http://v.example/{v['id']}",
                                              [] if v["fix"] == "None" else [v["fix"]], v["wont"], [v["id"]]))
            for v in [] if k.os else self.github.get(f"github:{k.type}", []):
                a, low, fix = (version_key(x) for x in (k.version, v["low"], v["fix"]))
                inside = a == low if v["range"].startswith("=") else a < fix and (v["range"].startswith("<") or a >= low)
                named = v["package"].replace(":", "/") + "@" in k.purl if k.type == "java" else v["name"] == k.name
                if named and inside:
                    found.append(self.finding(v, k, self.severity(v, v["cves"]), f"http://g.example/{v['id']}", [v["fix"]], False,
                                              v["cves"]))
        return found
