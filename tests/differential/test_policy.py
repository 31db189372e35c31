"""kellet check against the model of the specification (policy_model.py): random bundles over random images.

pytest runs a bounded number of cases. A long run, from a seed of its own:

    KELLET=build/kellet python3 tests/differential/test_policy.py --seconds 300 --seed 7
"""
import argparse
import collections
import json
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))
import policy_allow  # noqa: E402
import policy_base  # noqa: E402
import policy_bundles  # noqa: E402
import policy_feeds  # noqa: E402
import policy_images  # noqa: E402
import policy_model  # noqa: E402
import policy_own  # noqa: E402
import policy_site  # noqa: E402
import policy_vex  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
KELLET = os.environ.get("KELLET", str(ROOT / "build" / "kellet"))


def kellet(*arguments):
    return subprocess.run([KELLET, *map(str, arguments)], capture_output=True, text=True, timeout=300)


# What the corpus does not exercise: (gate, trigger) or (gate, trigger, parameter), and why.
NEVER_FIRES = {
    ("signatures", "unsigned"): "nobody verifies signatures yet: the rule is a problem, which the corpus demands",
}
MAKES_NO_DIFFERENCE = {
    ("files", "attribute_match", "checksum_algorithm"): "it has one value, which is the default",
}
# Exercised with an engine only (policy_site.py): they are about other images, the image's record, or need a scanner.
ENGINE_ONLY = {("malware", "scans"), ("metadata", "annotation"), *(k for k in policy_own.TRIGGERS if k[0] in ("ancestry", "tag_drift"))}


def changed(name, a, b):
    """Does the parameter change rows? The vendor's scores have to change which rows there are, of those that have such scores."""
    if not name.startswith("vendor_cvss"):
        return a != b
    left, right = ([x[0] for x in rows if x[1].finding.vendor["base"] >= 0] for rows, _ in (a, b))
    return left != right and not a[1] and not b[1]


class Coverage:
    """What the rules of a corpus exercised: triggers that fired and did not, parameters that were given and that mattered."""

    def __init__(self):
        spec = json.loads(kellet("policy", "spec", "--all").stdout)
        self.spec = {(g["name"], t["name"]): {p["name"]: p["required"] for p in t["parameters"] or []} for g in spec
                     if g["state"] == "active" for t in g["triggers"] if t["state"] == "active"}
        self.fired, self.silent, self.failed = (collections.Counter() for _ in range(3))
        self.given, self.mattered = collections.Counter(), set()
        self.decided = set()  # of allowlists and their items

    def note(self, rule, facts):
        key = policy_model.canonical(rule)
        if key not in self.spec:
            return
        rows, failed = policy_model.judge_rule(rule, facts, [])
        (self.failed if failed else self.fired if rows else self.silent)[key] += 1
        for name in {p["name"].lower() for p in rule["params"]}:
            name = policy_model.ALIASES.get(key, {}).get(name, name)
            self.given[*key, name] += 1
            if self.spec[key].get(name) or (*key, name) in self.mattered:
                continue
            without = {**rule, "params": [p for p in rule["params"] if p["name"].lower() != name]}
            if changed(name, policy_model.judge_rule(without, facts, []), (rows, failed)):
                self.mattered.add((*key, name))

    def missing(self, keys):
        """What of these triggers was not exercised, in words."""
        out = []
        for key in sorted(keys):
            name = ".".join(key)
            if key in NEVER_FIRES:
                out += [f"{name} never failed"] if not self.failed[key] else []
                out += [f"{name} fires, but NEVER_FIRES lists it"] if self.fired[key] else []
                continue
            out += [f"{name} never fired"] if not self.fired[key] else []
            if not self.silent[key] and (self.spec[key] or key not in ALWAYS):
                out.append(f"{name} never was silent")
            for param, required in self.spec[key].items():
                if not self.given[*key, param]:
                    out.append(f"{name}: {param} was never given")
                elif not required and (*key, param) not in self.mattered and (*key, param) not in MAKES_NO_DIFFERENCE:
                    out.append(f"{name}: {param} never made a difference")
        return out

    def missing_members(self):
        """The same of allowlists."""
        both = [(n, held) for n in policy_allow.MEMBERS for held in (True, False)]
        return [f"an allowlist's {n} never {'held' if held else 'failed'}" for n, held in both if (n, held) not in self.decided] + [
            f"no {n}" for n in policy_allow.SEEN_ONCE if (n, True) not in self.decided]


ALWAYS = {("always", "always"), ("malware", "scan_not_run")}


def note(coverage, bundle, facts, want):
    coverage.decided |= want.decided
    used = (want.mapping or {}).get("policy_ids") or [(want.mapping or {}).get("policy_id")]
    for rule in (x for p in bundle["policies"] if p["id"] in used for x in p["rules"]):
        coverage.note(rule, facts)


class Corpus:
    """Feed sets and images below a directory, and the cases over them."""

    def __init__(self, where, seed, images):
        self.where, self.r, self.coverage = Path(where), random.Random(seed), Coverage()
        self.counts, self.fired = collections.Counter(), collections.Counter()
        (self.where / "settings.yaml").write_text(policy_images.SETTINGS)
        self.data = []
        for n, packages in enumerate((True, False)):
            feeds, folder = policy_feeds.Feeds(self.r, packages), self.where / f"feeds{n}"
            folder.mkdir()
            for driver, path in feeds.write(folder):
                done = kellet("feeds", "load", driver, path, "--data", self.where / f"data{n}", "-q")
                assert done.returncode == 0, done.stderr
            self.data.append(feeds)
        self.images = []
        for n in range(images):
            which = int(n % 4 == 3)  # the set without the packages of npm and gem
            source, facts = policy_images.make(self.r, self.data[which], self.where / f"image{n}", n)
            facts.gaps = policy_site.gaps(source, facts)
            self.images.append((which, source, facts))

    def statements(self, facts):
        """A VEX document about some of the findings, and what it makes of them."""
        vex = policy_vex.random_document(self.r, facts)
        (self.where / "vex.json").write_text(json.dumps(vex))
        facts.findings = policy_vex.marked(vex, facts)
        return ["--vex", self.where / "vex.json"]

    def case(self, more_of=()):
        """One comparison: what differs, as text; empty: nothing. more_of: triggers that shall occur more often."""
        r = self.r
        which, source, facts = self.images[self.counts["cases"] % len(self.images)]
        more = ["--data", self.where / f"data{which}", "--analyzer-config", self.where / "settings.yaml"]
        facts = policy_base.Facts(**vars(facts))
        if r.random() < .6:
            facts.dockerfile, facts.dockerfile_mode = r.choice(policy_bundles.DOCKERFILES), "Actual"
            (self.where / "Dockerfile").write_text(facts.dockerfile)
            more += ["--dockerfile", self.where / "Dockerfile"]
        if r.random() < .5:
            more += self.statements(facts)
        tag = r.choice(policy_bundles.TAGS)
        bundle = policy_bundles.random_bundle(r, facts, tag, policy_model.evaluate, more_of=more_of)
        want = policy_model.evaluate(bundle, facts, tag)
        policy = self.where / "bundle.json"
        policy.write_text(json.dumps(bundle))
        done = kellet("check", source, "--policy", policy, "--tag", tag, "-o", "json", "--allow-incomplete", "-q", *more)
        self.note(bundle, facts, want)
        if done.returncode != (1 if want.final_action == "stop" else 0) or not done.stdout:
            return f"{source} {tag}: exit code {done.returncode}, the model says {want.final_action}: {done.stderr}"
        found = differences(want, json.loads(done.stdout))
        return f"{source} {tag} {policy}\n" + "\n".join(found) if found else ""

    def missing(self, keys):
        return self.coverage.missing(keys) + self.coverage.missing_members()

    def note(self, bundle, facts, want):
        note(self.coverage, bundle, facts, want)
        self.counts.update(cases=1, rules=sum(len(p["rules"]) for p in bundle["policies"]), rows=len(want.rows))
        self.fired.update(f"{x[1]}/{x[2]}" for x in want.rows)

    def mistakes(self, n):
        """`kellet policy lint` over bundles with mistakes: what differs."""
        r, want, wrong = self.r, {}, []
        for i in range(n):
            _, _, facts = self.images[i % len(self.images)]
            bundle = policy_bundles.random_bundle(r, facts, "app:2", policy_model.evaluate)
            path = self.where / f"mistakes{i}.json"
            want[str(path)] = sorted(policy_bundles.with_mistakes(r, bundle))
            path.write_text(json.dumps(bundle))
        done = kellet("policy", "lint", "-q", *want)
        found = collections.defaultdict(list)
        for line in done.stdout.splitlines():
            path, _, kind, details = line.split(": ", 3)
            if kind != "SchemaError":  # what the API's description says too
                found[path].append((kind, details))
        for path, expected in want.items():
            got = sorted(found[path])
            if [k for k, _ in got] != [k for k, _ in expected] or not all(
                    any(kind == k and part in d for k, d in got) for kind, part in expected):
                wrong.append(f"{path}\n  the specification says {expected}\n  kellet {got}")
        self.counts.update(mistakes=sum(map(len, want.values())), mistaken=n)
        return wrong


def runs(rows):
    """Rows of a rule come in no order that the specification gives, but for Dockerfiles: sorted within each run of one
    trigger."""
    out, key = [], None
    for row in rows:
        if row[:3] != key:
            out.append([])
            key = row[:3]
        out[-1].append(row)
    return [run if run[0][1] == "dockerfile" else sorted(run, key=repr) for run in out]


def problem(p):
    """Of an allowlist's item also which."""
    which = re.search(r"\(whitelist_id=(.*?),item_id=(.*?),", p["details"]) if p["problem_type"].startswith("AllowlistItem") else None
    return " ".join([p["problem_type"], *(which.groups() if which else ())])


def differences(want, document):
    answer = list(list(document[0].values())[0].values())[0][0]
    result = answer["detail"]["result"]
    table = list(result["result"].values())[0]["result"]
    rows = []
    for r in table["rows"]:
        allowed = tuple(r[7].get(n) for n in ("whitelist_id", "matched_rule_id", *policy_allow.REPEATED)) if r[7] else None
        rows.append((r[8], r[3], r[4], r[2], r[5], r[6], allowed))
    pairs = [("final action", want.final_action, result["final_action"]), ("reason", want.reason, result["final_action_reason"]),
             ("action of the policies", want.policy_action, table["final_action"]),
             ("status", "fail" if want.final_action == "stop" else "pass", answer["status"]),
             ("mapping", (want.mapping or {}).get("id"), (result["matched_mapping_rule"] or {}).get("id")),
             ("allowed by", (want.allowed_by or {}).get("id"), (result["matched_whitelisted_images_rule"] or {}).get("id")),
             ("denied by", (want.denied_by or {}).get("id"), (result["matched_blacklisted_images_rule"] or {}).get("id")),
             ("problems", want.problems, sorted(map(problem, result["evaluation_problems"])))]
    details = [p["details"] for p in result["evaluation_problems"]]
    out = [f"  {what}: the model says {a!r}, kellet {b!r}{details if what == 'problems' else ''}" for what, a, b in pairs if a != b]
    a, b = ([row for run in runs(x) for row in run] for x in (want.rows, rows))
    if a != b:
        left, right = collections.Counter(map(repr, a)), collections.Counter(map(repr, b))
        out += [f"  only the model: {x}" for x in list((left - right).elements())[:8]]
        out += [f"  only kellet:    {x}" for x in list((right - left).elements())[:8]]
        if left == right:
            n = next(i for i in range(len(a)) if a[i] != b[i])
            out.append(f"  another order from row {n} on: the model {a[n]}, kellet {b[n]}")
    return out


def test_random_bundles(tmp_path):
    corpus, wrong = Corpus(tmp_path, 20260105, 14), []
    keys = set(corpus.coverage.spec) - ENGINE_ONLY
    while corpus.counts["cases"] < 120 or (corpus.counts["cases"] < 300 and corpus.missing(keys)):
        more_of = re.findall(r"^(\w+)\.(\w+)", "\n".join(corpus.missing(keys)), re.M) if corpus.counts["cases"] >= 120 else ()
        wrong += filter(None, [corpus.case(more_of)])
    print(dict(corpus.counts))
    assert not wrong, f"{len(wrong)} of {corpus.counts['cases']} cases differ:\n" + "\n".join(wrong[:5])
    missing = corpus.missing(keys)
    assert not missing, "not exercised:\n" + "\n".join(missing)


def test_in_an_engine(tmp_path):
    """What needs one: other images, records, a scanner, an account's VEX documents."""
    if not shutil.which("docker-registry"):
        pytest.skip("docker-registry is not installed")
    site, coverage, wrong = policy_site.Site(KELLET, tmp_path, 20260106), Coverage(), []
    keys = ENGINE_ONLY - (set() if site.clamd else {("malware", "scans")})
    try:
        for n in range(200):
            want, document, bundle, facts = site.case()
            wrong += ["\n".join([f"case {n}: {facts.digest}", *found]) for found in [differences(want, document)] if found]
            note(coverage, bundle, facts, want)
            if n >= 60 and not coverage.missing(keys):
                break
    finally:
        site.stop()
    assert not wrong, f"{len(wrong)} of {n + 1} differ:\n" + "\n".join(wrong[:6])
    print(n + 1, "evaluations")
    missing = coverage.missing(keys)
    assert not missing, "not exercised:\n" + "\n".join(missing)
    if not site.clamd:
        pytest.skip("clamd is not installed: rules about malware were not compared")


def test_random_mistakes(tmp_path):
    corpus = Corpus(tmp_path, 20260102, 3)
    wrong = corpus.mistakes(60)
    assert not wrong, f"{len(wrong)} of 60 differ:\n" + "\n".join(wrong[:5])
    assert corpus.counts["mistakes"] > 60


def in_an_engine(where, seed, coverage, total, cases):
    """How many evaluations differ; each is told."""
    site, wrong = policy_site.Site(KELLET, where, seed), 0
    try:
        for n in range(cases):
            want, document, bundle, facts = site.case()
            found = differences(want, document)
            note(coverage, bundle, facts, want)
            total.update({"evaluations": 1, "evaluated rows": len(want.rows)})
            if found:
                wrong += 1
                print(f"seed {seed}, evaluation {n}: {facts.digest}", *found, sep="\n", flush=True)
    finally:
        site.stop()
    return wrong


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--images", type=int, default=12, help="how many a feed set has; then another one is made")
    parser.add_argument("--stop-after", type=int, default=20, help="differences")
    parser.add_argument("--keep", help="a directory for the data, images and bundles of differing cases")
    parser.add_argument("--engine", action="store_true", help="with each feed set an engine too (needs docker-registry, clamd)")
    o = parser.parse_args()
    total, fired, wrong, seed, end = collections.Counter(), collections.Counter(), 0, o.seed, time.monotonic() + o.seconds
    coverage = Coverage()
    while time.monotonic() < end and wrong < o.stop_after:
        with tempfile.TemporaryDirectory() as where:
            corpus = Corpus(where, seed, o.images)
            corpus.coverage = coverage
            for _ in range(200):
                found = corpus.case()
                if found:
                    wrong += 1
                    if o.keep:
                        shutil.copytree(where, Path(o.keep) / f"seed{seed}-case{corpus.counts['cases']}", symlinks=True)
                    print(f"seed {seed}, case {corpus.counts['cases']}: {found}", flush=True)
                if time.monotonic() >= end or wrong >= o.stop_after:
                    break
            for found in corpus.mistakes(100):
                wrong += 1
                print(f"seed {seed}: {found}", flush=True)
            if o.engine:
                wrong += in_an_engine(where, seed, coverage, total, 100)
            total += corpus.counts
            fired += corpus.fired
        seed += 1
    print(f"{total['cases']} cases, {total['rules']} rules, {total['rows']} rows, {total['mistaken']} bundles with {total['mistakes']} "
          f"mistakes, {wrong} differ; seeds {o.seed} to {seed - 1}")
    for name, n in sorted(fired.items()):
        print(f"  {n:8} {name}")
    missing = coverage.missing(set(coverage.spec) - (set() if o.engine else ENGINE_ONLY)) + coverage.missing_members()
    print(f"{total['evaluations']} evaluations in an engine, {total['evaluated rows']} rows; {len(coverage.spec)} triggers, {len(coverage.given)} parameters; not exercised: {missing or 'none'}; "
          f"never fires: {NEVER_FIRES}; with --engine only: {', '.join(sorted('.'.join(k) for k in ENGINE_ONLY))}")
    return 1 if wrong or missing else 0


if __name__ == "__main__":
    sys.exit(main())
