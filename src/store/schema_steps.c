#include "store/schema_steps.h"

#include <stddef.h>

static const char functions[] =
    "CREATE OR REPLACE FUNCTION now_us() RETURNS BIGINT LANGUAGE sql STABLE PARALLEL SAFE AS"
    " 'SELECT (EXTRACT(EPOCH FROM statement_timestamp()) * 1000000)::bigint';";

static const char system_tables[] =
    "CREATE TABLE accounts ("
    " name {text} NOT NULL PRIMARY KEY, type {text} NOT NULL, state {text} NOT NULL, email {text},"
    " created_at BIGINT NOT NULL, last_updated BIGINT NOT NULL);"

    "CREATE TABLE account_users ("
    " username {text} NOT NULL PRIMARY KEY, account_name {text} NOT NULL REFERENCES accounts "
    "(name),"
    " type {text} NOT NULL, source {text}, uuid {text} NOT NULL UNIQUE,"
    " created_at BIGINT NOT NULL, last_updated BIGINT NOT NULL);"
    "CREATE INDEX account_users_account ON account_users (account_name);"

    "CREATE TABLE user_access_credentials ("
    " username {text} NOT NULL REFERENCES account_users (username) ON DELETE CASCADE,"
    " type {text} NOT NULL, value {text} NOT NULL, created_at BIGINT NOT NULL,"
    " PRIMARY KEY (username, type)) {no_rowid};"

    "CREATE TABLE services ("
    " hostid {text} NOT NULL, servicename {text} NOT NULL, version {text}, base_url {text},"
    " status BIGINT NOT NULL, status_message {text}, service_detail {text}, instance {text},"
    " heartbeat BIGINT NOT NULL, created_at BIGINT NOT NULL, last_updated BIGINT NOT NULL,"
    " PRIMARY KEY (hostid, servicename)) {no_rowid};"

    /* Secrets and facts of the system itself. */
    "CREATE TABLE settings (name {text} NOT NULL PRIMARY KEY, value {blob} NOT NULL) {no_rowid};"

    "CREATE TABLE events ("
    " id {identity}, generated_uuid {text} NOT NULL UNIQUE, account {text} NOT NULL,"
    " created_at BIGINT NOT NULL, resource_type {text}, resource_id {text},"
    " resource_user_id {text}, source_servicename {text}, source_hostid {text},"
    " source_base_url {text}, source_request_id {text}, type {text} NOT NULL,"
    " level {text} NOT NULL, message {text}, details {text});"
    "CREATE INDEX events_account ON events (account, created_at);"
    "CREATE INDEX events_created ON events (created_at);"

    "CREATE TABLE outbox ("
    " id {identity}, account {text} NOT NULL, type {text} NOT NULL, key {text} NOT NULL,"
    " notification_id {text} NOT NULL, payload {text} NOT NULL, created_at BIGINT NOT NULL,"
    " deadline BIGINT NOT NULL, next_try BIGINT NOT NULL, tries BIGINT NOT NULL DEFAULT 0,"
    " delivered_at BIGINT, last_error {text});"
    "CREATE INDEX outbox_next ON outbox (next_try) WHERE delivered_at IS NULL;"
    "CREATE INDEX outbox_account ON outbox (account, id);"

    "CREATE TABLE feed ("
    " name {text} NOT NULL PRIMARY KEY, enabled BIGINT NOT NULL DEFAULT 1, last_full_sync BIGINT,"
    " created_at BIGINT NOT NULL, updated_at BIGINT NOT NULL) {no_rowid};"
    "CREATE TABLE feed_group ("
    " feed {text} NOT NULL, group_name {text} NOT NULL, enabled BIGINT NOT NULL DEFAULT 1,"
    " last_sync BIGINT, record_count BIGINT NOT NULL DEFAULT 0, created_at BIGINT NOT NULL,"
    " updated_at BIGINT NOT NULL, PRIMARY KEY (feed, group_name)) {no_rowid};";

static const char catalog_tables[] =
    "CREATE TABLE registries ("
    " account {text} NOT NULL, registry {text} NOT NULL, registry_name {text},"
    " registry_type {text}, registry_user {text}, registry_secret {blob},"
    " registry_verify BIGINT, registry_meta {text},"
    " created_at BIGINT NOT NULL, last_updated BIGINT NOT NULL,"
    " PRIMARY KEY (account, registry)) {no_rowid};"

    "CREATE TABLE catalog_image ("
    " account {text} NOT NULL, image_digest {text} NOT NULL, parent_digest {text},"
    " image_id {text}, image_type {text}, arch {text}, distro {text}, distro_version {text},"
    " dockerfile_mode {text}, dockerfile {text}, image_size BIGINT, layer_count BIGINT,"
    " annotations {text}, analysis_status {text} NOT NULL, image_status {text} NOT NULL,"
    " analyzed_at BIGINT, created_at BIGINT NOT NULL, last_updated BIGINT NOT NULL,"
    " problems {text}, generation BIGINT NOT NULL DEFAULT 0,"
    " PRIMARY KEY (account, image_digest)) {no_rowid};"
    "CREATE INDEX catalog_image_id ON catalog_image (account, image_id);"
    "CREATE INDEX catalog_image_created ON catalog_image (account, created_at);"
    "CREATE INDEX catalog_image_open ON catalog_image (analysis_status, account)"
    " WHERE analysis_status <> 'analyzed';"
    "CREATE INDEX catalog_image_leaving ON catalog_image (image_status, account)"
    " WHERE image_status <> 'active';"

    "CREATE TABLE catalog_image_tag ("
    " account {text} NOT NULL, registry {text} NOT NULL, repo {text} NOT NULL, tag {text} NOT NULL,"
    " image_digest {text} NOT NULL, fulltag {text} NOT NULL, image_id {text},"
    " tag_detected_at BIGINT NOT NULL, dockerfile {text}, created_at BIGINT NOT NULL,"
    " last_updated BIGINT NOT NULL,"
    " PRIMARY KEY (account, image_digest, registry, repo, tag)) {no_rowid};"
    "CREATE INDEX catalog_image_tag_full ON catalog_image_tag (account, fulltag, tag_detected_at);"
    "CREATE INDEX catalog_image_tag_id ON catalog_image_tag (account, image_id);"

    "CREATE TABLE image_transition ("
    " id {identity}, account {text} NOT NULL, image_digest {text} NOT NULL, at BIGINT NOT NULL,"
    " what {text} NOT NULL, from_state {text}, to_state {text} NOT NULL, why {text}, host {text});"
    "CREATE INDEX image_transition_image ON image_transition (account, image_digest);"

    "CREATE TABLE subscriptions ("
    " account {text} NOT NULL, subscription_id {text} NOT NULL, subscription_type {text} NOT NULL,"
    " subscription_key {text} NOT NULL, subscription_value {text},"
    " active BIGINT NOT NULL, created_at_s BIGINT NOT NULL, last_updated_s BIGINT NOT NULL,"
    " PRIMARY KEY (account, subscription_id),"
    " UNIQUE (account, subscription_type, subscription_key)) {no_rowid};"
    "CREATE INDEX subscriptions_active ON subscriptions (subscription_type, account)"
    " WHERE active = 1;"

    "CREATE TABLE policy_bundle ("
    " account {text} NOT NULL, policy_id {text} NOT NULL, active BIGINT NOT NULL,"
    " policy_source {text}, name {text}, description {text}, created_at BIGINT NOT NULL,"
    " last_updated BIGINT NOT NULL, PRIMARY KEY (account, policy_id)) {no_rowid};"
    "CREATE INDEX policy_bundle_active ON policy_bundle (account) WHERE active = 1;"

    "CREATE TABLE policy_eval ("
    " account {text} NOT NULL, image_digest {text} NOT NULL, tag {text} NOT NULL,"
    " policy_id {text} NOT NULL, created_at BIGINT NOT NULL, final_action {text} NOT NULL,"
    " eval_id {text} NOT NULL, last_updated BIGINT NOT NULL, result_key {text},"
    " PRIMARY KEY (account, image_digest, tag, policy_id, created_at)) {no_rowid};"
    "CREATE INDEX policy_eval_tag ON policy_eval (account, tag, created_at);"

    "CREATE TABLE image_import ("
    " uuid {text} NOT NULL PRIMARY KEY, account {text} NOT NULL, status {text} NOT NULL,"
    " expires_at BIGINT NOT NULL, created_at BIGINT NOT NULL, last_updated BIGINT NOT NULL,"
    " image_digest {text}, contents {text}) {no_rowid};"
    "CREATE INDEX image_import_account ON image_import (account);"
    "CREATE TABLE image_import_content ("
    " operation_id {text} NOT NULL REFERENCES image_import (uuid) ON DELETE CASCADE,"
    " digest {text} NOT NULL, content_type {text} NOT NULL, created_at BIGINT NOT NULL,"
    " PRIMARY KEY (operation_id, digest, content_type)) {no_rowid};";

static const char archive_tables[] =
    "CREATE TABLE archive_image ("
    " account {text} NOT NULL, image_digest {text} NOT NULL, parent_digest {text},"
    " annotations {text}, status {text} NOT NULL, image_detail {text}, analyzed_at BIGINT,"
    " image_created_at BIGINT, created_at BIGINT NOT NULL, last_updated BIGINT NOT NULL,"
    " archive_size_bytes BIGINT NOT NULL DEFAULT 0,"
    " PRIMARY KEY (account, image_digest)) {no_rowid};"
    "CREATE TABLE archive_rule ("
    " account {text} NOT NULL, rule_id {text} NOT NULL, transition {text} NOT NULL,"
    " selector_registry {text}, selector_repository {text}, selector_tag {text},"
    " tag_versions_newer BIGINT, analysis_age_days BIGINT,"
    " system_global BIGINT NOT NULL DEFAULT 0, exclude_selector_registry {text},"
    " exclude_selector_repository {text}, exclude_selector_tag {text},"
    " exclude_expiration_days BIGINT, max_images_per_account BIGINT,"
    " created_at BIGINT NOT NULL, last_updated BIGINT NOT NULL,"
    " PRIMARY KEY (account, rule_id)) {no_rowid};"
    "CREATE TABLE archive_rule_history ("
    " id {identity}, account {text} NOT NULL, rule_id {text} NOT NULL,"
    " image_digest {text} NOT NULL, transition {text} NOT NULL, transition_state {text} NOT NULL,"
    " task_id {text}, created_at BIGINT NOT NULL, last_updated BIGINT NOT NULL);"
    "CREATE INDEX archive_rule_history_rule ON archive_rule_history (account, rule_id);";

static const char work_tables[] =
    "CREATE TABLE queue_item ("
    " id {identity}, queue {text} NOT NULL, account {text} NOT NULL, payload {text} NOT NULL,"
    " dedupe {text} NOT NULL, priority BIGINT NOT NULL, turn BIGINT NOT NULL,"
    " tries BIGINT NOT NULL, max_tries BIGINT NOT NULL, created_at BIGINT NOT NULL,"
    " not_before BIGINT NOT NULL, leased BIGINT NOT NULL, taken_at BIGINT, deadline BIGINT,"
    " owner {text}, receipt {text}, reason {text});"
    "CREATE UNIQUE INDEX queue_item_dedupe ON queue_item (queue, dedupe) WHERE dedupe <> '';"
    "CREATE INDEX queue_item_order ON queue_item (queue, priority DESC, turn, id)"
    " WHERE leased = 0;"
    "CREATE INDEX queue_item_account ON queue_item (queue, account, priority, turn);"
    "CREATE INDEX queue_item_lease ON queue_item (queue, deadline) WHERE leased = 1;"
    "CREATE UNIQUE INDEX queue_item_receipt ON queue_item (receipt) WHERE leased = 1;"
    "CREATE TABLE queue_dead ("
    " id BIGINT NOT NULL PRIMARY KEY, queue {text} NOT NULL, account {text} NOT NULL,"
    " payload {text} NOT NULL, dedupe {text} NOT NULL, priority BIGINT NOT NULL,"
    " tries BIGINT NOT NULL, max_tries BIGINT NOT NULL, created_at BIGINT NOT NULL,"
    " owner {text}, reason {text}, died_at BIGINT NOT NULL);"
    "CREATE INDEX queue_dead_queue ON queue_dead (queue, died_at);"

    "CREATE TABLE lease ("
    " name {text} NOT NULL PRIMARY KEY, holder {text} NOT NULL, expires_at BIGINT NOT NULL) "
    "{no_rowid};"

    "CREATE TABLE simplequeue_message ("
    " id {identity}, queue {text} NOT NULL, payload {text} NOT NULL, data_id {text} NOT NULL,"
    " receipt_handle {text}, visible_at BIGINT, popped BIGINT NOT NULL DEFAULT 0,"
    " priority BIGINT NOT NULL DEFAULT 0, tries BIGINT NOT NULL DEFAULT 0,"
    " max_tries BIGINT NOT NULL DEFAULT 0, created_at BIGINT NOT NULL,"
    " last_updated BIGINT NOT NULL);"
    "CREATE INDEX simplequeue_message_order ON simplequeue_message (queue, priority DESC, id);"
    "CREATE INDEX simplequeue_message_data ON simplequeue_message (queue, data_id);"
    "CREATE TABLE simplequeue_lease ("
    " id {text} NOT NULL PRIMARY KEY, held_by {text}, expires_at BIGINT, epoch BIGINT NOT NULL "
    "DEFAULT 0)"
    " {no_rowid};";

/* Images that share layers share most of their packages, so an image is a list of groups of
 * packages (inventory.h). */
static const char package_tables[] =
    "CREATE TABLE package ("
    " id {identity}, name {text} NOT NULL, version {text} NOT NULL, type {text} NOT NULL,"
    " source {text} NOT NULL, arch {text} NOT NULL, ecosystem {text} NOT NULL,"
    " distro {text} NOT NULL, UNIQUE (name, version, type, source, arch, ecosystem, distro));"
    "CREATE INDEX package_source ON package (source);"
    "CREATE TABLE package_group (id {identity}, digest {blob} NOT NULL UNIQUE);"
    "CREATE TABLE package_group_member ("
    " package_id BIGINT NOT NULL, group_id BIGINT NOT NULL,"
    " PRIMARY KEY (package_id, group_id)) {no_rowid};"
    "CREATE INDEX package_group_member_group ON package_group_member (group_id);"
    "CREATE TABLE package_image ("
    " id {identity}, account {text} NOT NULL, image_digest {text} NOT NULL,"
    " UNIQUE (account, image_digest));"
    "CREATE TABLE package_image_group ("
    " group_id BIGINT NOT NULL, image BIGINT NOT NULL, PRIMARY KEY (group_id, image)) {no_rowid};"
    "CREATE INDEX package_image_group_image ON package_image_group (image);"
    "CREATE VIEW image_package AS"
    " SELECT i.account AS account, i.image_digest AS image_digest, m.package_id AS package_id"
    " FROM package_image i JOIN package_image_group g ON g.image = i.id"
    " JOIN package_group_member m ON m.group_id = g.group_id;";

static const char document_tables[] =
    /* Blobs stand last: what stands behind them is slow to reach in SQLite. */
    "CREATE TABLE chunk ("
    " id {identity}, digest {blob} NOT NULL UNIQUE, driver BIGINT NOT NULL, size BIGINT NOT NULL,"
    " unnamed_since BIGINT, data {blob});"
    "CREATE INDEX chunk_unnamed ON chunk (unnamed_since) WHERE unnamed_since IS NOT NULL;"
    /* Either data (small: compressed here) or chunks (their ids). */
    "CREATE TABLE content ("
    " id {identity}, digest {blob} NOT NULL UNIQUE, size BIGINT NOT NULL, unnamed_since BIGINT,"
    " chunks {blob}, data {blob});"
    "CREATE INDEX content_unnamed ON content (unnamed_since) WHERE unnamed_since IS NOT NULL;"
    "CREATE TABLE document ("
    " account {text} NOT NULL, bucket {text} NOT NULL, key {text} NOT NULL,"
    " content_id BIGINT NOT NULL, last_updated BIGINT NOT NULL,"
    " PRIMARY KEY (account, bucket, key)) {no_rowid};"
    "CREATE INDEX document_content ON document (content_id);";

/* They are compressed already. */
static const char document_storage[] = "ALTER TABLE chunk ALTER data SET STORAGE EXTERNAL;"
                                       "ALTER TABLE content ALTER data SET STORAGE EXTERNAL;";

/* The inverted index (posting.h), and what is known of each distinct package: findings with the
 * time that they were held for true (closed_at: a huge number while they are), changes in the order
 * in which they were found, and the batches that found them (services/policy_engine/reindex.h). */
static const char posting_tables[] =
    "CREATE TABLE posting_package ("
    " id {identity}, digest {blob} NOT NULL UNIQUE, matched BIGINT NOT NULL DEFAULT 0,"
    " identity {blob} NOT NULL, counts {blob});"
    "CREATE INDEX posting_package_open ON posting_package (id) WHERE matched = 0;"
    "CREATE TABLE posting_name (name BIGINT NOT NULL, package BIGINT NOT NULL,"
    " PRIMARY KEY (name, package)) {no_rowid};"
    "CREATE TABLE posting_image ("
    " id {identity}, account {text} NOT NULL, image_digest {text} NOT NULL,"
    " since BIGINT NOT NULL, UNIQUE (account, image_digest));"
    "CREATE TABLE posting_list (image BIGINT NOT NULL PRIMARY KEY, packages {blob} NOT NULL);"
    "CREATE TABLE posting_fresh (image BIGINT NOT NULL PRIMARY KEY) {no_rowid};"
    "CREATE TABLE posting_dead (image BIGINT NOT NULL PRIMARY KEY, packages {blob} NOT NULL);"
    "CREATE TABLE posting (package BIGINT NOT NULL, block BIGINT NOT NULL, images {blob} NOT NULL,"
    " PRIMARY KEY (package, block)) {no_rowid};"

    "CREATE TABLE finding_span ("
    " package BIGINT NOT NULL, vulnerability {text} NOT NULL, opened_at BIGINT NOT NULL,"
    " closed_at BIGINT NOT NULL, severity BIGINT NOT NULL, fix_state BIGINT NOT NULL,"
    " source {text} NOT NULL, fix {text} NOT NULL, generation {text} NOT NULL,"
    " PRIMARY KEY (package, vulnerability, opened_at)) {no_rowid};"
    "CREATE INDEX finding_span_vulnerability ON finding_span (vulnerability);"
    "CREATE TABLE finding_change ("
    " seq {identity}, batch BIGINT NOT NULL, package BIGINT NOT NULL,"
    " vulnerability {text} NOT NULL, kinds BIGINT NOT NULL, at BIGINT NOT NULL,"
    " severity_before BIGINT NOT NULL, severity BIGINT NOT NULL,"
    " fix_state_before BIGINT NOT NULL, fix_state BIGINT NOT NULL,"
    " fix_before {text} NOT NULL, fix {text} NOT NULL, generation {text} NOT NULL);"
    "CREATE INDEX finding_change_batch ON finding_change (batch);"
    "CREATE TABLE finding_batch ("
    " id {identity}, generation_before {text} NOT NULL, generation {text} NOT NULL,"
    " started_at BIGINT NOT NULL, ended_at BIGINT, last_seq BIGINT NOT NULL DEFAULT 0,"
    " names BIGINT NOT NULL DEFAULT 0, packages BIGINT NOT NULL DEFAULT 0,"
    " changes BIGINT NOT NULL DEFAULT 0, images BIGINT NOT NULL DEFAULT 0);"
    "CREATE TABLE finding_state ("
    " name {text} NOT NULL PRIMARY KEY, generation {text} NOT NULL, rules BIGINT NOT NULL,"
    " holder {text} NOT NULL) {no_rowid};"
    "CREATE TABLE finding_consumer (name {text} NOT NULL PRIMARY KEY, seq BIGINT NOT NULL)"
    " {no_rowid};"
    "CREATE TABLE finding_summary ("
    " image BIGINT NOT NULL PRIMARY KEY, batch BIGINT NOT NULL, counts {blob} NOT NULL);"
    "CREATE TABLE finding_trend ("
    " account {text} NOT NULL, day BIGINT NOT NULL, severity BIGINT NOT NULL,"
    " findings BIGINT NOT NULL, images BIGINT NOT NULL, PRIMARY KEY (account, day, severity))"
    " {no_rowid};";

/* A document of parts: chunks holds runs of ids (chunk_store.h), parts the table of the parts
 * (documents_parts.c). */
static const char document_parts[] = "ALTER TABLE content ADD COLUMN parts {blob};";

/* state: 0 to be sent, 1 sent, 2 given up. */
static const char notification_tables[] =
    "CREATE TABLE outbox_delivery ("
    " outbox BIGINT NOT NULL, target {text} NOT NULL, state BIGINT NOT NULL,"
    " next_try BIGINT NOT NULL, tries BIGINT NOT NULL, ended_at BIGINT, last_error {text},"
    " PRIMARY KEY (outbox, target)) {no_rowid};"
    "CREATE INDEX outbox_delivery_due ON outbox_delivery (target, next_try) WHERE state = 0;"
    "CREATE INDEX outbox_key ON outbox (account, type, key, id) WHERE delivered_at IS NULL;";

static const char chain_columns[] =
    "ALTER TABLE catalog_image ADD COLUMN layer_chain {text};"
    "CREATE INDEX catalog_image_chain ON catalog_image (account, layer_chain)"
    " WHERE layer_chain IS NOT NULL;";

/* What subscribers to vuln_update were told last: bucket "vulnerability_scan", key the full tag. */
static const char scan_tables[] =
    "CREATE TABLE vuln_scan ("
    " account {text} NOT NULL, fulltag {text} NOT NULL, image_digest {text} NOT NULL,"
    " revision BIGINT NOT NULL, PRIMARY KEY (account, fulltag)) {no_rowid};";

/* batch: the message that the notice is part of, named by its first one; 0: none yet. */
static const char batch_column[] =
    "ALTER TABLE outbox_delivery ADD COLUMN batch BIGINT NOT NULL DEFAULT 0;"
    "CREATE INDEX outbox_delivery_batch ON outbox_delivery (target, batch) WHERE batch > 0;";

/* The images that a batch changes something for, as soon as they are known
 * (policy_engine/affected.h). */
static const char affected_tables[] =
    "CREATE TABLE finding_affected ("
    " batch BIGINT NOT NULL, block BIGINT NOT NULL, images {blob} NOT NULL,"
    " PRIMARY KEY (batch, block)) {no_rowid};"
    "ALTER TABLE finding_batch ADD COLUMN listed_at BIGINT;";

/* base, delta: documents_chain.h. chunk_use: contents that may name a chunk, by blocks of 16 ids;
 * named: the content's stand there. document_family: what was put last of documents that are much
 * alike (documents_parts.c). */
static const char document_deltas[] =
    "ALTER TABLE content ADD COLUMN base BIGINT REFERENCES content (id);"
    "ALTER TABLE content ADD COLUMN delta {blob};"
    "ALTER TABLE content ADD COLUMN named BIGINT;"
    "CREATE INDEX content_base ON content (base) WHERE base IS NOT NULL;"
    "CREATE INDEX content_not_named ON content (id) WHERE named IS NULL AND chunks IS NOT NULL;"
    "CREATE TABLE chunk_use (block BIGINT NOT NULL, content BIGINT NOT NULL,"
    " PRIMARY KEY (block, content)) {no_rowid};"
    "CREATE TABLE document_family (family {blob} NOT NULL PRIMARY KEY, number BIGINT NOT NULL,"
    " last BIGINT NOT NULL, fourth BIGINT NOT NULL, sixteenth BIGINT NOT NULL) {no_rowid};"
    "CREATE INDEX document_family_last ON document_family (last);";

/* Guessed Dockerfiles, base64: images built in the same way have the same. An image's parent is
 * itself where parent_digest is NULL. */
static const char dockerfile_table[] =
    "CREATE TABLE dockerfile (id {identity}, digest {blob} NOT NULL UNIQUE, text {text} NOT NULL);"
    "ALTER TABLE catalog_image ADD COLUMN dockerfile_id BIGINT;"
    "ALTER TABLE catalog_image ADD COLUMN compressed_size BIGINT;"
    "CREATE INDEX catalog_image_dockerfile ON catalog_image (dockerfile_id)"
    " WHERE dockerfile_id IS NOT NULL;"
    "DROP INDEX catalog_image_tag_id;";

/* name: NULL in rows of older builds and where it is longer than 127 bytes: their identities are
 * read instead. The tables of the index that was beside it stay for builds that write to them. */
static const char package_names[] = "ALTER TABLE posting_package ADD COLUMN name {blob};"
                                    "CREATE INDEX posting_package_name ON posting_package (name);"
                                    "DELETE FROM package_image_group;"
                                    "DELETE FROM package_image;"
                                    "DELETE FROM package_group_member;"
                                    "DELETE FROM package_group;"
                                    "DELETE FROM package;";

/* An identity begins with two texts, type and name, each behind its length. */
static const char package_names_sqlite[] =
    "UPDATE posting_package SET name = substr(identity,"
    " 3 + unicode(CAST(substr(identity, 1, 1) AS TEXT)),"
    " unicode(CAST(substr(identity, 2 + unicode(CAST(substr(identity, 1, 1) AS TEXT)), 1) AS "
    "TEXT)))"
    " WHERE hex(substr(identity, 1, 1)) BETWEEN '01' AND '7F'"
    " AND hex(substr(identity, 2 + unicode(CAST(substr(identity, 1, 1) AS TEXT)), 1))"
    " BETWEEN '01' AND '7F';";

static const char package_names_postgres[] =
    "UPDATE posting_package SET name = substring(identity FROM 3 + get_byte(identity, 0)"
    " FOR get_byte(identity, 1 + get_byte(identity, 0)))"
    " WHERE CASE WHEN length(identity) < 2 OR get_byte(identity, 0) NOT BETWEEN 1 AND 127"
    " OR length(identity) < 2 + get_byte(identity, 0) THEN false"
    " ELSE get_byte(identity, 1 + get_byte(identity, 0)) BETWEEN 1 AND 127 END;";

static const char package_tables_empty[] =
    "TRUNCATE package_image_group, package_image, package_group_member, package_group, package;";

/* Images whose verdicts are to be looked at again though no finding changed: their packages were
 * judged for the first time, or VEX documents changed. */
static const char newcomer_table[] =
    "CREATE TABLE finding_newcomer (seq {identity}, image BIGINT NOT NULL);";

/* An image's history stands in its row (services/image_history.h), hosts have numbers there. What
 * stood in image_transition is brought over; builds before still write there. */
static const char history_lock[] = "LOCK TABLE image_transition IN ACCESS EXCLUSIVE MODE;";

static const char history_column[] =
    "ALTER TABLE catalog_image ADD COLUMN history {text};"
    "CREATE TABLE host (id {identity}, name {text} NOT NULL UNIQUE);"
    "INSERT INTO host (name) SELECT DISTINCT host FROM image_transition WHERE host <> '';";

#define LETTER(state)                                                                              \
    "CASE " state " WHEN 'not_analyzed' THEN 'n' WHEN 'analyzing' THEN 'a' WHEN 'analyzed'"        \
    " THEN 'd' WHEN 'analysis_failed' THEN 'f' WHEN 'active' THEN 'A' WHEN 'deleting' THEN 'X'"    \
    " WHEN 'archived' THEN 'R' ELSE '-' END"

#define HISTORY_LINE(character)                                                                    \
    "'+' || CAST(t.at - i.created_at AS TEXT) || ' ' || " LETTER("t.from_state") " || " LETTER(    \
        "t.to_state") " || ' ' || COALESCE(CAST(h.id AS TEXT), '-') || ' ' ||"                     \
                      " replace(COALESCE(t.why, ''), " character "(10), " character                \
                      "(11)) || " character "(10)"

#define HISTORY_FROM                                                                               \
    " FROM image_transition t LEFT JOIN host h ON h.name = t.host"                                 \
    " WHERE t.account = i.account AND t.image_digest = i.image_digest"

static const char history_sqlite[] =
    "UPDATE catalog_image AS i SET history = (SELECT group_concat(line, '') FROM"
    " (SELECT " HISTORY_LINE("char") " AS line" HISTORY_FROM " ORDER BY t.id));"
                                     "DELETE FROM image_transition;";

static const char history_postgres[] =
    "UPDATE catalog_image AS i SET history = (SELECT string_agg(" HISTORY_LINE(
        "chr") ", '' ORDER BY t.id)" HISTORY_FROM ");"
               "TRUNCATE image_transition;";

/* Other names of findings, all that they ever had. */
static const char name_table[] =
    "CREATE TABLE finding_name (name {text} NOT NULL, vulnerability {text} NOT NULL,"
    " PRIMARY KEY (name, vulnerability)) {no_rowid};"
    "CREATE INDEX finding_name_vulnerability ON finding_name (vulnerability);";

/* For whom they are: the consumer's name (policy_engine/subscribed.h). */
static const char newcomer_type[] =
    "ALTER TABLE finding_newcomer ADD COLUMN type {text} NOT NULL DEFAULT 'policy_eval';";

/* What chunk_use says, by areas of 256 ids, and area where named was: a sweep of a build before
 * notes for itself what it finds not named, one of this build what has no area. */
static const char chunk_areas[] =
    "CREATE TABLE chunk_area (area BIGINT NOT NULL, content BIGINT NOT NULL,"
    " PRIMARY KEY (area, content)) {no_rowid};"
    "ALTER TABLE content ADD COLUMN area BIGINT;"
    "CREATE INDEX content_no_area ON content (id) WHERE area IS NULL AND chunks IS NOT NULL;"
    "DROP INDEX content_not_named;";

/* Images whose findings are to be looked at again. A table of its own: builds that know no
 * consumers take every row of finding_newcomer for themselves. */
static const char again_table[] =
    "CREATE TABLE finding_again (seq {identity}, image BIGINT NOT NULL, type {text} NOT NULL);"
    "INSERT INTO finding_again (image, type) SELECT image, type FROM finding_newcomer WHERE"
    " type <> 'policy_eval';"
    "DELETE FROM finding_newcomer WHERE type <> 'policy_eval';";

/* What subscribers to policy_eval know of a tag's image: by the bundle that was the active one. */
static const char told_table[] =
    "CREATE TABLE policy_told ("
    " account {text} NOT NULL, tag {text} NOT NULL, image_digest {text} NOT NULL,"
    " policy_id {text} NOT NULL, final_action {text} NOT NULL,"
    " PRIMARY KEY (account, tag, image_digest)) {no_rowid};";

const struct schema_step schema_steps[] = {
    {.title = "accounts, services, events", .postgres = functions, .sql = system_tables},
    {.title = "images, policies, imports", .sql = catalog_tables},
    {.title = "the analysis archive", .sql = archive_tables},
    {.title = "queues and leases", .sql = work_tables},
    {.title = "packages of images", .sql = package_tables},
    {.title = "documents", .sql = document_tables, .postgres_after = document_storage},
    {.title = "the index from packages to images, and findings over time", .sql = posting_tables},
    {.title = "documents of parts",
     .sql = document_parts,
     .postgres_after = "ALTER TABLE content ALTER parts SET STORAGE EXTERNAL;"},
    {.title = "deliveries of notifications", .sql = notification_tables},
    {.title = "what images are built on", .sql = chain_columns},
    {.title = "findings that subscribers were told", .sql = scan_tables},
    {.title = "messages of several notices", .sql = batch_column},
    {.title = "the images that newer data change something for", .sql = affected_tables},
    {.title = "documents that differ little from others",
     .sql = document_deltas,
     .postgres_after = "ALTER TABLE content ALTER delta SET STORAGE EXTERNAL;"},
    {.title = "Dockerfiles that many images have", .sql = dockerfile_table},
    {.title = "packages are found by name where their images are",
     .postgres = package_tables_empty,
     .sql = package_names,
     .postgres_after = package_names_postgres,
     .sqlite_after = package_names_sqlite},
    {.title = "images whose packages were judged for the first time", .sql = newcomer_table},
    {.title = "an image's history is in its row",
     .postgres = history_lock,
     .sql = history_column,
     .postgres_after = history_postgres,
     .sqlite_after = history_sqlite},
    {.title = "the names that vulnerabilities ever had", .sql = name_table},
    {.title = "images to look at again, for each consumer", .sql = newcomer_type},
    {.title = "which contents name a chunk, by larger areas", .sql = chunk_areas},
    {.title = "findings to look at again, apart from verdicts", .sql = again_table},
    {.title = "verdicts that subscribers know of", .sql = told_table},
    {.title = NULL},
};
