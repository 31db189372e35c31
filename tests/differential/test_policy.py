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
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import own_gates  # noqa: E402
import policy_bundles  # noqa: E402
import policy_images  # noqa: E402
import policy_model  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
KELLET = os.environ.get("KELLET", str(ROOT / "build" / "kellet"))


def kellet(*arguments):
    return subprocess.run([KELLET, *map(str, arguments)], capture_output=True, text=True, timeout=300)


class Corpus:
    """Feed sets and images below a directory, and the cases over them."""

    def __init__(self, where, seed, images):
        self.where, self.r = Path(where), random.Random(seed)
        self.counts, self.fired = collections.Counter(), collections.Counter()
        (self.where / "settings.yaml").write_text(policy_images.SETTINGS)
        self.data = []
        for n, packages in enumerate((True, False)):
            feeds = policy_images.Feeds(self.r, packages)
            (self.where / f"feeds{n}.json").write_text(json.dumps(feeds.records()))
            done = kellet("feeds", "load", "anchore", self.where / f"feeds{n}.json", "--data", self.where / f"data{n}", "-q")
            assert done.returncode == 0, done.stderr
            self.data.append(feeds)
        self.images = []
        for n in range(images):
            which = int(n % 4 == 3)  # the set without the packages of npm and gem
            where = self.where / f"image{n}"
            source, facts = policy_images.make(self.r, self.data[which], where)
            facts.size = self.size(source)
            self.images.append((which, source, facts))

    def size(self, source):
        """The bytes that the analysis counts are a fact for policies: taken from kellet."""
        rule = {"gate": "metadata", "trigger": "attribute", "action": "GO", "params": [
            {"name": k, "value": v} for k, v in (("attribute", "size"), ("check", "exists"), ("value", "1"))]}
        (self.where / "size.json").write_text(json.dumps({
            "id": "b", "version": "1_0", "policies": [{"id": "p", "version": "1_0", "rules": [rule]}], "whitelists": [],
            "mappings": [{"name": "x", "registry": "*", "repository": "*", "image": {"type": "tag", "value": "*"},
                          "policy_id": "p", "whitelist_ids": []}]}))
        done = kellet("check", source, "--policy", self.where / "size.json", "--data", self.where / "data0", "-q",
                      "--analyzer-config", self.where / "settings.yaml")
        return int(re.search(r"matched image value: '(\d+)'", done.stdout)[1])

    def case(self):
        """One comparison: what differs, as text; empty: nothing."""
        r = self.r
        which, source, facts = self.images[self.counts["cases"] % len(self.images)]
        more = ["--data", self.where / f"data{which}", "--analyzer-config", self.where / "settings.yaml"]
        facts = policy_model.Facts(**vars(facts))
        if r.random() < .6:
            facts.dockerfile, facts.dockerfile_mode = r.choice(policy_bundles.DOCKERFILES), "Actual"
            (self.where / "Dockerfile").write_text(facts.dockerfile)
            more += ["--dockerfile", self.where / "Dockerfile"]
        tag = r.choice(policy_bundles.TAGS)
        bundle = policy_bundles.random_bundle(r, facts, tag, policy_model.evaluate)
        want = policy_model.evaluate(bundle, facts, tag)
        policy = self.where / "bundle.json"
        policy.write_text(json.dumps(bundle))
        done = kellet("check", source, "--policy", policy, "--tag", tag, "-o", "json", "--allow-incomplete", "-q", *more)
        self.counts.update(cases=1, rules=sum(len(p["rules"]) for p in bundle["policies"]), rows=len(want.rows))
        self.fired.update(f"{x[1]}/{x[2]}" for x in want.rows)
        if done.returncode != (1 if want.final_action == "stop" else 0) or not done.stdout:
            return f"{source}: exit code {done.returncode}, the model says {want.final_action}: {done.stderr}"
        found = differences(want, json.loads(done.stdout))
        return f"{source} {tag} {policy}\n" + "\n".join(found) if found else ""

    def own(self, image, rules):
        """Which rules of our own gates fire on an image: what differs, and how often each trigger fired and did not."""
        which, source, facts = self.images[image]
        bundle, policy = own_gates.random_bundle(self.r, rules), self.where / "own.json"
        policy.write_text(json.dumps(bundle))
        done = kellet("check", source, "--policy", policy, "--tag", "app:2", "-o", "json", "--allow-incomplete", "-q",
                      "--data", self.where / f"data{which}", "--analyzer-config", self.where / "settings.yaml")
        if done.returncode != 0:
            return [f"{source}: exit code {done.returncode}: {done.stderr}"], set()
        result = list(list(json.loads(done.stdout)[0].values())[0].values())[0][0]["detail"]["result"]
        fired = {r[8] for r in list(result["result"].values())[0]["result"]["rows"]}
        wrong, seen = [str(p) for p in result["evaluation_problems"]], set()
        for p in bundle["policies"]:
            rule, got = p["rules"][0], p["id"] in fired
            seen.add((rule["gate"], rule["trigger"], got))
            if got != own_gates.fires(rule, facts):
                wrong.append(f"{source} {facts.distro}:{facts.distro_version}: {rule} {'fires' if got else 'does not fire'}")
        return wrong, seen

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


def differences(want, document):
    answer = list(list(document[0].values())[0].values())[0][0]
    result = answer["detail"]["result"]
    table = list(result["result"].values())[0]["result"]
    rows = []
    for r in table["rows"]:
        allowed = (r[7]["whitelist_id"], r[7]["matched_rule_id"]) if r[7] else None
        rows.append((r[8], r[3], r[4], r[2], r[5], r[6], allowed))
    pairs = [("final action", want.final_action, result["final_action"]), ("reason", want.reason, result["final_action_reason"]),
             ("action of the policies", want.policy_action, table["final_action"]),
             ("status", "fail" if want.final_action == "stop" else "pass", answer["status"]),
             ("mapping", (want.mapping or {}).get("id"), (result["matched_mapping_rule"] or {}).get("id")),
             ("allowed by", (want.allowed_by or {}).get("id"), (result["matched_whitelisted_images_rule"] or {}).get("id")),
             ("denied by", (want.denied_by or {}).get("id"), (result["matched_blacklisted_images_rule"] or {}).get("id")),
             ("problems", want.problems, sorted(p["problem_type"] for p in result["evaluation_problems"]))]
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
    corpus = Corpus(tmp_path, 20260101, 8)
    wrong = [found for found in (corpus.case() for _ in range(80)) if found]
    print(dict(corpus.counts))
    assert not wrong, f"{len(wrong)} of {corpus.counts['cases']} cases differ:\n" + "\n".join(wrong[:5])
    never = {f"{g}/{t}" for g, t in policy_model.TRIGGERS} - set(corpus.fired) - {"malware/scans"}
    assert not never, f"these triggers never fired: {sorted(never)}"


def test_our_own_gates(tmp_path):
    corpus = Corpus(tmp_path, 20260103, 12)
    wrong, seen = [], set()
    for i in range(12):
        found, which = corpus.own(i, 60)
        wrong += found
        seen |= which
    assert not wrong, f"{len(wrong)} differ:\n" + "\n".join(wrong[:8])
    assert seen >= {(*k, True) for k in own_gates.RULES if k != ("completeness", "no_packages")}, seen
    assert seen >= {(*k, False) for k in own_gates.RULES}, seen


def test_random_mistakes(tmp_path):
    corpus = Corpus(tmp_path, 20260102, 3)
    wrong = corpus.mistakes(60)
    assert not wrong, f"{len(wrong)} of 60 differ:\n" + "\n".join(wrong[:5])
    assert corpus.counts["mistakes"] > 60


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--images", type=int, default=12, help="how many a feed set has; then another one is made")
    parser.add_argument("--stop-after", type=int, default=20, help="differences")
    o = parser.parse_args()
    total, fired, wrong, seed, end = collections.Counter(), collections.Counter(), 0, o.seed, time.monotonic() + o.seconds
    while time.monotonic() < end and wrong < o.stop_after:
        with tempfile.TemporaryDirectory() as where:
            corpus = Corpus(where, seed, o.images)
            for _ in range(200):
                found = corpus.case()
                if found:
                    wrong += 1
                    print(f"seed {seed}, case {corpus.counts['cases']}: {found}", flush=True)
                if time.monotonic() >= end or wrong >= o.stop_after:
                    break
            for found in corpus.mistakes(100):
                wrong += 1
                print(f"seed {seed}: {found}", flush=True)
            total += corpus.counts
            fired += corpus.fired
        seed += 1
    print(f"{total['cases']} cases, {total['rules']} rules, {total['rows']} rows, {total['mistaken']} bundles with {total['mistakes']} "
          f"mistakes, {wrong} differ; seeds {o.seed} to {seed - 1}")
    for name, n in sorted(fired.items()):
        print(f"  {n:8} {name}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
