"""Random images in an engine, for rules about what one image alone does not say: other images, the image's record, scanners,
VEX documents of an account. Images are built on one another, tags move from image to image."""
import collections
import dataclasses
import json
import os
import random
import shutil
import sys
import types
from base64 import b64encode
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "e2e"))
import engines  # noqa: E402
import policy_bundles  # noqa: E402
import policy_feeds  # noqa: E402
import policy_images  # noqa: E402
import policy_model  # noqa: E402
import policy_vex  # noqa: E402
import registries  # noqa: E402
from feed_service import FeedService  # noqa: E402
from test_malware import MARK, SIGNATURE, Clamd  # noqa: E402


class Site:
    """An engine with images, and what the model knows of them: {tag: [image]}, each image with its facts."""

    def __init__(self, binary, where, seed, database=None, chains=3):
        self.r, self.where, self.images, self.tags = random.Random(seed), Path(where), [], collections.defaultdict(list)
        self.feeds = policy_feeds.Feeds(self.r)
        self.service = FeedService(self.feeds.records(), page=100)
        self.clamd = None
        if shutil.which("clamd"):
            (self.where / "clamd").mkdir()
            self.clamd = Clamd(self.where / "clamd")
        settings = json.loads(policy_images.SETTINGS)
        if self.clamd:
            settings["malware"] = {"clamav": {"enabled": True, "clamd_socket": f"unix:{self.clamd.socket}", "db_update_enabled": True}}
        (self.where / "engine/process0/service").mkdir(parents=True)
        (self.where / "engine/process0/service/analyzer_config.yaml").write_text(json.dumps(settings))
        environment = {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")}
        self.engine = engines.Engine(binary, self.where / "engine", database, environment=environment,
                                     extra=f"feeds: {{url: '{self.service.url}'}}")
        self.registry = registries.Registry(self.where, self.where / "registry", f"corpus{seed}")
        self.client = self.engine.client
        self.ask("POST", "/v1/system/feeds?sync=true&flush=true", timeout=120)
        self.ask("POST", "/v1/registries?validate=false", {"registry": self.registry.host, "registry_user": "x", "registry_pass": "y",
                                                           "registry_verify": False})
        for n in range(chains):
            self.chain(n)

    def ask(self, method, path, body=None, **more):
        answer = self.client(method, path, body, **more)
        assert answer.status == 200, (method, path, answer)
        return answer

    def stop(self):
        self.engine.stop()
        self.registry.stop()
        self.service.stop()
        if self.clamd:
            self.clamd.stop()

    def chain(self, n):
        """A base image, two built on it, and one built on one of those."""
        r = self.r
        base = self.marked(policy_images.begin(r, self.feeds, [1, 2, 4][n % 3]))
        middle = [self.marked(policy_images.derive(base)) for _ in range(2)]
        top = [self.marked(policy_images.derive(b)) for b in middle]
        names = [["base:1", "base:latest"], ["app:1"], ["app:1", "web:2"], ["app:1", "top:1"], ["top:1"]]
        for i, (b, tags) in enumerate(zip([base, *middle, *top], names)):
            self.add(b, [f"{self.registry.host}/c{n}/{t}" for t in tags], self.where / f"image{n}.{i}")
        self.add(None, [f"{self.registry.host}/c{n}/app:1"], None, self.images[-4])  # the tag goes back

    def marked(self, builder):
        """With a layer in which the scanner finds something, or with an empty one."""
        for path in ("/opt/bad", "/srv/two words"):
            if self.r.random() < .2:
                builder.put(path, b"x" * 100 + MARK)
        builder.end_layer()
        return builder

    def add(self, builder, tags, where, image=None):
        if not image:
            source, facts = policy_images.finish(builder, where)
            for v in facts.findings:  # that service knows nothing of these
                v.kev, v.epss, v.percentile, v.vendor = False, -1.0, -1.0, dict(policy_feeds.UNKNOWN)
            facts.digests_known = False
            facts.gaps = gaps(source, facts)
            if self.clamd:
                facts.malware = [("clamav", p, SIGNATURE + ".UNOFFICIAL") for p, c in sorted(facts.contents.items()) if MARK in c]
            facts.annotations = {n: self.r.choice(["prod", "test", "12", ""]) for n in ("stage", "owner") if self.r.random() < .6}
            image = types.SimpleNamespace(facts=facts, chain=builder.layers, tags=[], where=where)
            self.images.append(image)
        body = {"annotations": image.facts.annotations}
        if where and self.r.random() < .4:
            image.facts.dockerfile, image.facts.dockerfile_mode = self.r.choice(policy_bundles.DOCKERFILES), "Actual"
            body["dockerfile"] = b64encode(image.facts.dockerfile.encode()).decode()
        for tag in tags:
            repository, _, name = tag.partition("/")[2].rpartition(":")
            pushed(self.registry, repository, name, image)
            answer = self.ask("POST", "/v1/images", {"tag": tag, **body})
            assert answer.json[0]["imageDigest"] == image.facts.digest
            assert self.client.wait_analyzed(image.facts.digest)["analysis_status"] == "analyzed", self.engine.log()[-2000:]
            body.pop("dockerfile", None)
            self.tags[tag].append(image)
            image.tags = sorted({*image.tags, tag})

    def facts(self, image, tag):
        """With what the other images make of it."""
        below = [x for x in self.images if len(x.chain) < len(image.chain) and image.chain[:len(x.chain)] == x.chain]
        below.sort(key=lambda x: (-len(x.chain), x.facts.digest))
        history = self.tags[tag]
        last = {id(x): i for i, x in enumerate(history)}  # of a tag that came back to an image only the return counts
        earlier = [x for i, x in enumerate(history) if last[id(x)] == i < last[id(image)]]
        return dataclasses.replace(image.facts, ancestors=[(x.facts.digest, x.tags) for x in below],
                                   before=earlier[-1].facts.packages if earlier else None)

    def case(self):
        """(what the model says, the engine's document, the bundle, the facts) of one image under one of its tags."""
        r = self.r
        image = r.choice(self.images)
        tag = r.choice([t for t in image.tags if self.tags[t]])
        facts = self.facts(image, tag)
        if r.random() < .5:
            document = policy_vex.random_document(r, facts)
            self.ask("PUT", "/v1/vex/corpus", document)
            facts.findings = policy_vex.marked(document, facts)
        elif self.client.get("/v1/vex/corpus").status == 200:
            self.client("DELETE", "/v1/vex/corpus")
        bundle = policy_bundles.random_bundle(r, facts, tag, policy_model.evaluate, stored=True)
        want = policy_model.evaluate(bundle, facts, tag)
        self.ask("POST", "/v1/policies", bundle)
        path = f"/v1/images/{facts.digest}/check?tag={tag}&policyId={bundle['id']}&interactive=true&detail=true"
        return want, self.ask("GET", path).json, bundle, facts


def gaps(source, facts):
    """Which files cannot be read the model knows, the words for it are the report's."""
    import images
    report = json.loads(images.kellet("sbom", source, "-o", "json", "-q").stdout)["completeness"]
    found = sorted((p["what"], "/" + p["path"], p["detail"]) for p in report["problems"])
    assert sorted(x[1] for x in found) == sorted(p for p in facts.files if p.endswith("broken.jar")), found
    assert report["unsupported"] == facts.unsupported
    return found


def pushed(registry, repository, name, image):
    def blob(digest):
        return (image.where / "blobs/sha256" / digest[7:]).read_bytes()
    manifest = json.loads(blob(image.facts.digest))
    digests = [d["digest"] for d in (manifest["config"], *manifest["layers"])]
    registries.push(registry.port, repository, name, types.SimpleNamespace(
        blobs={d: blob(d) for d in digests}, manifest=blob(image.facts.digest), digest=image.facts.digest))
