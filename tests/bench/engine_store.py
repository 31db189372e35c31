"""bench store - what a fleet of images takes in the database, by table, on SQLite and on PostgreSQL.

    script/bench store [IMAGES] [SEED]        default 2000 images, seed 1

tests/bench/engine_store.c makes and stores the images, on top of the layouts of $IMAGES (alpine-3.18, debian-bookworm).
Printed: the size of the first half and of the whole, so that the cost of one more image is seen apart from what all
share; "at 100,000" is that slope drawn out. KELLET_BENCH_STORE=sqlite or postgres runs one of the two.
"""
import os
import pathlib
import resource
import sqlite3
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/e2e"))

import engines  # noqa: E402

LAYOUTS = ("alpine-3.18", "debian-bookworm")
POSTGRES_SIZES = """SELECT c.relname, pg_table_size(c.oid) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE n.nspname = 'public' AND c.relkind = 'r'
  UNION ALL SELECT c.relname, pg_relation_size(c.oid) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE n.nspname = 'public' AND c.relkind = 'i'"""


def sizes_sqlite(path):
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return dict(db.execute("SELECT name, sum(pgsize) FROM dbstat GROUP BY name"))


def sizes_postgres(server, name):
    out = subprocess.run([server.bin / "psql", "-qAt", "-F", " ", "-h", "127.0.0.1", "-p", str(server.port), "-U", "kellet", name],
                         input="VACUUM;" + POSTGRES_SIZES, text=True, check=True, capture_output=True).stdout
    return {k: int(v) for k, v in (line.split(" ") for line in out.splitlines())}


def store(url, images, first, seed, layouts):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([ROOT / "build/tests/bench/bench-engine-store", url, str(images), str(seed), str(first), *layouts], check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(f"  {cpu / images * 1000:.1f} ms of CPU an image (the making of its lists included; the server's not)")


def report(what, half, whole, images):
    rows = sorted(whole, key=lambda k: half.get(k, 0) - whole[k])
    print(f"{what}: {images} images, {sum(whole.values()) / 1e6:.1f} MB")
    print(f"  {'table or index':<36}{'MB':>9}{'bytes for one more image':>28}")
    for name in rows[:30]:
        print(f"  {name:<36}{whole[name] / 1e6:>9.1f}{(whole[name] - half.get(name, 0)) / (images / 2):>28.0f}")
    slope = (sum(whole.values()) - sum(half.values())) / (images / 2)
    total = sum(whole.values()) + slope * (100000 - images)
    print(f"  {'all':<36}{sum(whole.values()) / 1e6:>9.1f}{slope:>28.0f}")
    print(f"  at 100,000: {total / 1e6:.0f} MB", flush=True)


def main(images, seed):
    pool = pathlib.Path(os.environ.get("IMAGES", "/tmp/kellet-images"))
    layouts = [str(pool / n / "oci") for n in LAYOUTS if (pool / n / "oci").is_dir()]
    if not layouts:
        sys.exit(f"no layouts in {pool}: ../shared/images/make-images alpine318 bookworm makes them")
    wanted = os.environ.get("KELLET_BENCH_STORE", "sqlite postgres")
    half = images // 2
    with tempfile.TemporaryDirectory(dir="/tmp") as work:
        work = pathlib.Path(work)
        work.chmod(0o755)
        if "sqlite" in wanted:
            path = work / "kellet.db"
            store(f"sqlite:{path}", half, 0, seed, layouts)
            before = sizes_sqlite(path)
            store(f"sqlite:{path}", images - half, half, seed, layouts)
            report("SQLite", before, sizes_sqlite(path), images)
        if "postgres" in wanted and engines.postgres_bin():
            server = engines.Postgres(work / "postgres")
            try:
                url = server.database("bench")
                store(url, half, 0, seed, layouts)
                before = sizes_postgres(server, "bench")
                store(url, images - half, half, seed, layouts)
                report("PostgreSQL", before, sizes_postgres(server, "bench"), images)
            finally:
                server.stop("immediate")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 2000, int(sys.argv[2]) if len(sys.argv) > 2 else 1)
