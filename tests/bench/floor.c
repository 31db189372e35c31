/* floor.c - the least work that a scan of an OCI layout can be: read, sha256, inflate, sha256, walk
 * the tar.
 *
 * Uses the same libraries as kellet (OpenSSL, libisal, libzstd) and the same number of threads, but
 * none of kellet's code, so that it shows what kellet's own work costs. `script/bench` prints
 * ratios against it.
 *
 *     floor LAYOUT THREADS      walks every layer of the layout's only image; prints entries and
 * bytes */
#include <isa-l/igzip_lib.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <unistd.h>
#include <yyjson.h>
#include <zstd.h>

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CHUNK = 128 * 1024, SLOTS = 4, LAYERS = 4096 };

static char layers[LAYERS][512];
static size_t n_layers, next_layer;
static uint64_t total_entries, total_bytes;
static EVP_MD *sha256;

static _Noreturn void die(const char *what)
{
    perror(what);
    exit(1);
}

/* ---- the tar walk
 * --------------------------------------------------------------------------------------- */

struct tar_walk {
    uint8_t header[512];
    size_t have;
    uint64_t skip, entries;
};

static void tar_feed(struct tar_walk *t, const uint8_t *p, size_t n)
{
    while (n) {
        if (t->skip) {
            size_t take = t->skip < n ? (size_t)t->skip : n;
            t->skip -= take;
            p += take;
            n -= take;
            continue;
        }
        size_t take = 512 - t->have < n ? 512 - t->have : n;
        memcpy(t->header + t->have, p, take);
        t->have += take;
        p += take;
        n -= take;
        if (t->have < 512)
            return;
        t->have = 0;
        if (!t->header[0])
            continue;
        uint64_t size = 0;
        for (int i = 124; i < 135; i++)
            size = size * 8 + (uint64_t)(t->header[i] >= '0' ? t->header[i] - '0' : 0);
        t->entries++;
        t->skip = (size + 511) & ~(uint64_t)511;
    }
}

/* ---- two threads a layer, a ring between them
 * -------------------------------------------------------------- */

struct ring {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    unsigned filled;
    size_t sizes[SLOTS];
    uint8_t data[SLOTS][CHUNK];
    struct tar_walk tar;
    uint64_t bytes;
    EVP_MD_CTX *plain;
};

static void *consume(void *arg)
{
    struct ring *r = arg;
    for (unsigned at = 0;; at = (at + 1) % SLOTS) {
        pthread_mutex_lock(&r->lock);
        while (!r->filled)
            pthread_cond_wait(&r->changed, &r->lock);
        pthread_mutex_unlock(&r->lock);
        size_t n = r->sizes[at];
        if (n) {
            EVP_DigestUpdate(r->plain, r->data[at], n);
            tar_feed(&r->tar, r->data[at], n);
            r->bytes += n;
        }
        pthread_mutex_lock(&r->lock);
        r->filled--;
        pthread_cond_signal(&r->changed);
        pthread_mutex_unlock(&r->lock);
        if (!n)
            return NULL;
    }
}

static uint8_t *ring_room(struct ring *r, unsigned at)
{
    pthread_mutex_lock(&r->lock);
    while (r->filled == SLOTS)
        pthread_cond_wait(&r->changed, &r->lock);
    pthread_mutex_unlock(&r->lock);
    return r->data[at];
}

static void ring_push(struct ring *r, unsigned *at, size_t n)
{
    pthread_mutex_lock(&r->lock);
    r->sizes[*at] = n;
    r->filled++;
    *at = (*at + 1) % SLOTS;
    pthread_cond_signal(&r->changed);
    pthread_mutex_unlock(&r->lock);
}

static void produce(struct ring *r, int fd)
{
    static __thread uint8_t in[CHUNK];
    struct inflate_state *gz = malloc(sizeof *gz);
    ZSTD_DCtx *zs = ZSTD_createDCtx();
    EVP_MD_CTX *raw = EVP_MD_CTX_new();
    EVP_DigestInit_ex2(raw, sha256, NULL);
    int kind = -1;
    unsigned at = 0;
    for (ssize_t got; (got = read(fd, in, CHUNK)) > 0;) {
        if (kind < 0) {
            kind = in[0] == 0x1f && in[1] == 0x8b           ? 1
                   : memcmp(in, "\x28\xb5\x2f\xfd", 4) == 0 ? 2
                                                            : 0;
            isal_inflate_init(gz);
            gz->crc_flag = ISAL_GZIP;
        }
        if (kind)
            EVP_DigestUpdate(raw, in, (size_t)got);
        ZSTD_inBuffer zin = {in, (size_t)got, 0};
        gz->next_in = in;
        gz->avail_in = (uint32_t)got;
        for (int more = 1; more;) {
            uint8_t *out = ring_room(r, at);
            size_t made = 0;
            if (kind == 1) {
                gz->next_out = out;
                gz->avail_out = CHUNK;
                if (gz->block_state == ISAL_BLOCK_FINISH) {
                    uint8_t *p = gz->next_in;
                    uint32_t n = gz->avail_in;
                    isal_inflate_reset(gz);
                    gz->crc_flag = ISAL_GZIP;
                    gz->next_in = p;
                    gz->avail_in = n;
                }
                if (isal_inflate(gz) < 0)
                    die("inflate");
                made = CHUNK - gz->avail_out;
                more = gz->avail_in || made == CHUNK;
            } else if (kind == 2) {
                ZSTD_outBuffer zout = {out, CHUNK, 0};
                if (ZSTD_isError(ZSTD_decompressStream(zs, &zout, &zin)))
                    die("zstd");
                made = zout.pos;
                more = zin.pos < zin.size || made == CHUNK;
            } else {
                memcpy(out, in, (size_t)got);
                made = (size_t)got;
                more = 0;
            }
            if (made)
                ring_push(r, &at, made);
        }
    }
    ring_room(r, at);
    ring_push(r, &at, 0);
    uint8_t digest[32];
    EVP_DigestFinal_ex(raw, digest, NULL);
    EVP_MD_CTX_free(raw);
    ZSTD_freeDCtx(zs);
    free(gz);
}

static void *work(void *arg)
{
    (void)arg;
    for (;;) {
        size_t i = __atomic_fetch_add(&next_layer, 1, __ATOMIC_RELAXED);
        if (i >= n_layers)
            return NULL;
        struct ring *r = calloc(1, sizeof *r);
        int fd = open(layers[i], O_RDONLY);
        if (fd < 0)
            die(layers[i]);
        pthread_mutex_init(&r->lock, NULL);
        pthread_cond_init(&r->changed, NULL);
        r->plain = EVP_MD_CTX_new();
        EVP_DigestInit_ex2(r->plain, sha256, NULL);
        pthread_t t;
        pthread_create(&t, NULL, consume, r);
        produce(r, fd);
        pthread_join(t, NULL);
        close(fd);
        uint8_t digest[32];
        EVP_DigestFinal_ex(r->plain, digest, NULL);
        EVP_MD_CTX_free(r->plain);
        __atomic_fetch_add(&total_entries, r->tar.entries, __ATOMIC_RELAXED);
        __atomic_fetch_add(&total_bytes, r->bytes, __ATOMIC_RELAXED);
        free(r);
    }
}

static yyjson_doc *blob_json(const char *layout, const char *digest)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s%s", layout, digest ? "blobs/sha256/" : "index.json",
             digest ? digest + 7 : "");
    yyjson_doc *doc = yyjson_read_file(path, 0, NULL, NULL);
    if (!doc)
        die(path);
    return doc;
}

int main(int argc, char **argv)
{
    if (argc != 3)
        return 2;
    int threads = (int)strtol(argv[2], NULL, 10);
    sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    yyjson_doc *index = blob_json(argv[1], NULL);
    yyjson_val *first =
        yyjson_arr_get_first(yyjson_obj_get(yyjson_doc_get_root(index), "manifests"));
    yyjson_doc *manifest = blob_json(argv[1], yyjson_get_str(yyjson_obj_get(first, "digest")));
    size_t i, max;
    yyjson_val *layer;
    yyjson_arr_foreach(yyjson_obj_get(yyjson_doc_get_root(manifest), "layers"), i, max, layer)
        snprintf(layers[n_layers++], sizeof layers[0], "%s/blobs/sha256/%s", argv[1],
                 yyjson_get_str(yyjson_obj_get(layer, "digest")) + 7);
    pthread_t pool[64];
    for (int t = 1; t < threads && t < 64; t++)
        pthread_create(&pool[t], NULL, work, NULL);
    work(NULL);
    for (int t = 1; t < threads && t < 64; t++)
        pthread_join(pool[t], NULL);
    printf("%zu layers, %llu entries, %llu bytes\n", n_layers, (unsigned long long)total_entries,
           (unsigned long long)total_bytes);
    return 0;
}
