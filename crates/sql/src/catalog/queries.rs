//! The queries that fill a snapshot. They need no privilege and run on PostgreSQL 12 to 18.

/// Name → SQL. Run them in this order, as simple queries, on one connection that is not inside a transaction, and hand every row to
/// [`super::Builder::row`]. The first opens a read-only transaction (so all of them see one state, and the settings below end with it), the last
/// ends it; after an error send `ROLLBACK` and keep the old snapshot.
pub const QUERIES: &[(&str, &str)] = &[
    ("begin", "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"),
    // Before the path is emptied: this is the role's own.
    (
        "settings",
        "SELECT name, setting FROM pg_catalog.pg_settings \
         WHERE name IN ('search_path', 'standard_conforming_strings', 'server_version_num')",
    ),
    // With an empty path every name in a definition comes back with its schema.
    ("path", "SET LOCAL search_path = ''"),
    // A definition cannot be read while somebody changes what it names; nobody waits for them here.
    ("patience", "SET LOCAL lock_timeout = '500ms'"),
    ("extensions", "SELECT oid, extname FROM pg_catalog.pg_extension"),
    ("relations", RELATIONS),
    ("columns", COLUMNS),
    ("views", VIEWS),
    ("rules", RULES),
    ("triggers", TRIGGERS),
    ("foreign_keys", FOREIGN_KEYS),
    ("inherits", "SELECT inhrelid, inhparent FROM pg_catalog.pg_inherits"),
    ("unique", UNIQUE),
    ("functions", FUNCTIONS),
    ("operators", OPERATORS),
    ("types", TYPES),
    ("casts", CASTS),
    ("uses", USES),
    ("generated", GENERATED),
    ("orders", ORDERS),
    ("policies", POLICIES),
    ("event_triggers", "SELECT evtname, evtfoid FROM pg_catalog.pg_event_trigger WHERE evtenabled <> 'D'"),
    ("end", "COMMIT"),
];

const RELATIONS: &str = "SELECT c.oid, n.nspname, c.relname, c.relkind, c.relispartition \
     FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
     WHERE c.relkind IN ('r', 'v', 'm', 'f', 'p', 'S', 'c', 'i', 'I') AND n.nspname !~ '^pg_toast' \
     AND NOT (c.relkind IN ('i', 'I') AND n.nspname = 'pg_catalog')";

const COLUMNS: &str = "SELECT a.attrelid, a.attnum, a.attname, a.atttypid, a.attnotnull \
     FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c ON c.oid = a.attrelid \
     JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
     WHERE a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'v', 'm', 'f', 'p', 'c', 'S') AND n.nspname !~ '^pg_toast' \
     ORDER BY a.attrelid, a.attnum";

/// Changes with every change of what the queries above read, as far as it is of users' making: compare it to know whether a snapshot
/// still holds. A few milliseconds where those take tens.
pub const FINGERPRINT: &str = "SELECT pg_catalog.md5(pg_catalog.string_agg(part, ' ')) FROM (\
     SELECT 'class' || pg_catalog.count(*) || ' ' || pg_catalog.sum(pg_catalog.hashtext(xmin::text || ctid::text)::bigint) AS part FROM pg_catalog.pg_class WHERE oid >= 16384 \
     UNION ALL SELECT 'attribute' || pg_catalog.count(*) || ' ' || pg_catalog.sum(pg_catalog.hashtext(xmin::text || ctid::text)::bigint) FROM pg_catalog.pg_attribute WHERE attrelid >= 16384 \
     UNION ALL SELECT 'rewrite' || pg_catalog.count(*) || ' ' || pg_catalog.sum(pg_catalog.hashtext(xmin::text || ctid::text)::bigint) FROM pg_catalog.pg_rewrite WHERE ev_class >= 16384 \
     UNION ALL SELECT 'trigger' || pg_catalog.count(*) || ' ' || pg_catalog.sum(pg_catalog.hashtext(xmin::text || ctid::text)::bigint) FROM pg_catalog.pg_trigger \
     UNION ALL SELECT 'policy' || pg_catalog.count(*) || ' ' || pg_catalog.sum(pg_catalog.hashtext(xmin::text || ctid::text)::bigint) FROM pg_catalog.pg_policy \
     UNION ALL SELECT 'proc' || pg_catalog.count(*) || ' ' || pg_catalog.sum(pg_catalog.hashtext(xmin::text || ctid::text)::bigint) FROM pg_catalog.pg_proc \
     UNION ALL SELECT 'operator' || pg_catalog.count(*) || ' ' || pg_catalog.sum(pg_catalog.hashtext(xmin::text || ctid::text)::bigint) FROM pg_catalog.pg_operator \
     UNION ALL SELECT 'opclass' || pg_catalog.count(*) || ' ' || pg_catalog.sum(pg_catalog.hashtext(xmin::text || ctid::text)::bigint) FROM pg_catalog.pg_opclass \
     UNION ALL SELECT 'amproc' || pg_catalog.count(*) || ' ' || pg_catalog.sum(pg_catalog.hashtext(xmin::text || ctid::text)::bigint) FROM pg_catalog.pg_amproc \
     UNION ALL SELECT 'type' || pg_catalog.count(*) || ' ' || pg_catalog.sum(pg_catalog.hashtext(xmin::text || ctid::text)::bigint) FROM pg_catalog.pg_type \
     UNION ALL SELECT 'cast' || pg_catalog.count(*) || ' ' || pg_catalog.sum(pg_catalog.hashtext(xmin::text || ctid::text)::bigint) FROM pg_catalog.pg_cast \
     UNION ALL SELECT 'constraint' || pg_catalog.count(*) || ' ' || pg_catalog.sum(pg_catalog.hashtext(xmin::text || ctid::text)::bigint) FROM pg_catalog.pg_constraint \
     UNION ALL SELECT 'attrdef' || pg_catalog.count(*) || ' ' || pg_catalog.sum(pg_catalog.hashtext(xmin::text || ctid::text)::bigint) FROM pg_catalog.pg_attrdef \
     UNION ALL SELECT 'inherits' || pg_catalog.count(*) || ' ' || pg_catalog.sum(pg_catalog.hashtext(xmin::text || ctid::text)::bigint) FROM pg_catalog.pg_inherits \
     UNION ALL SELECT 'namespace' || pg_catalog.count(*) || ' ' || pg_catalog.sum(pg_catalog.hashtext(xmin::text || ctid::text)::bigint) FROM pg_catalog.pg_namespace \
     UNION ALL SELECT 'extension' || pg_catalog.count(*) || ' ' || pg_catalog.sum(pg_catalog.hashtext(xmin::text || ctid::text)::bigint) FROM pg_catalog.pg_extension \
     UNION ALL SELECT 'event' || pg_catalog.count(*) || ' ' || pg_catalog.sum(pg_catalog.hashtext(xmin::text || ctid::text)::bigint) FROM pg_catalog.pg_event_trigger \
     UNION ALL SELECT 'settings' || pg_catalog.count(*) || ' ' || pg_catalog.sum(pg_catalog.hashtext(xmin::text || ctid::text)::bigint) FROM pg_catalog.pg_db_role_setting\
     ) AS parts";

/// `NULL` for a view whose definition somebody changes right now, or a relation that it names: reading it would wait for them.
const VIEWS: &str = "SELECT c.oid, CASE WHEN NOT EXISTS (SELECT FROM pg_catalog.pg_locks l \
     WHERE l.locktype = 'relation' AND l.granted AND l.mode = 'AccessExclusiveLock' AND l.pid <> pg_catalog.pg_backend_pid() \
     AND l.database = (SELECT b.oid FROM pg_catalog.pg_database b WHERE b.datname = pg_catalog.current_database()) \
     AND (l.relation = c.oid OR l.relation IN (SELECT d.refobjid FROM pg_catalog.pg_depend d \
     JOIN pg_catalog.pg_rewrite r ON r.oid = d.objid WHERE d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass \
     AND r.ev_class = c.oid AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass))) \
     THEN pg_catalog.pg_get_viewdef(c.oid) END \
     FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
     WHERE c.relkind IN ('v', 'm') AND n.nspname NOT IN ('pg_catalog', 'information_schema')";

const RULES: &str = "SELECT r.ev_class, r.ev_type, r.is_instead, pg_catalog.pg_get_ruledef(r.oid) \
     FROM pg_catalog.pg_rewrite r JOIN pg_catalog.pg_class c ON c.oid = r.ev_class \
     JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
     WHERE r.rulename <> '_RETURN' AND r.ev_enabled <> 'D' AND n.nspname NOT IN ('pg_catalog', 'information_schema')";

const TRIGGERS: &str = "SELECT t.tgrelid, t.tgtype, p.oid, n.nspname, p.proname \
     FROM pg_catalog.pg_trigger t JOIN pg_catalog.pg_proc p ON p.oid = t.tgfoid \
     JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace \
     WHERE NOT t.tgisinternal AND t.tgenabled <> 'D'";

const FOREIGN_KEYS: &str = "SELECT conrelid, confrelid, confdeltype, confupdtype, confkey::text \
     FROM pg_catalog.pg_constraint WHERE contype = 'f'";

const UNIQUE: &str = "SELECT i.indrelid, i.indkey::text FROM pg_catalog.pg_index i \
     JOIN pg_catalog.pg_class c ON c.oid = i.indrelid \
     JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
     WHERE i.indisunique AND n.nspname NOT IN ('pg_catalog', 'pg_toast')";

/// Functions that are not part of the server: other schemas, and what was added to pg_catalog later (numbers from 16384 are not the server's).
/// The definition of one in the language SQL, as `VIEWS` gives those of views.
const FUNCTIONS: &str = "SELECT p.oid, n.nspname, p.proname, p.prokind, p.provolatile, l.lanname, p.pronargs, p.pronargdefaults, \
     p.provariadic <> 0, d.refobjid, \
     CASE WHEN l.lanname = 'sql' AND p.prokind = 'f' AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend u \
     JOIN pg_catalog.pg_locks k ON k.relation = u.refobjid \
     WHERE u.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND u.objid = p.oid \
     AND u.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass \
     AND k.locktype = 'relation' AND k.granted AND k.mode = 'AccessExclusiveLock' AND k.pid <> pg_catalog.pg_backend_pid() \
     AND k.database = (SELECT b.oid FROM pg_catalog.pg_database b WHERE b.datname = pg_catalog.current_database())) \
     THEN pg_catalog.pg_get_functiondef(p.oid) END, p.proargtypes::text \
     FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace \
     JOIN pg_catalog.pg_language l ON l.oid = p.prolang \
     LEFT JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND d.objid = p.oid \
     AND d.deptype = 'e' AND d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass \
     WHERE n.nspname NOT IN ('pg_catalog', 'information_schema') OR p.oid >= 16384";

const OPERATORS: &str = "SELECT n.nspname, o.oprname, o.oprcode::oid, o.oprleft, o.oprright \
     FROM pg_catalog.pg_operator o JOIN pg_catalog.pg_namespace n ON n.oid = o.oprnamespace WHERE o.oid >= 16384";

const TYPES: &str = "SELECT t.oid, n.nspname, t.typname, t.typtype, t.typbasetype, t.typinput::oid, t.typelem \
     FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace \
     WHERE (t.oid >= 16384 OR n.nspname <> 'pg_catalog') AND n.nspname !~ '^pg_toast'";

const CASTS: &str = "SELECT c.castsource, c.casttarget, c.castfunc, c.castcontext, t.typname FROM pg_catalog.pg_cast c \
     JOIN pg_catalog.pg_type t ON t.oid = c.casttarget WHERE c.oid >= 16384";

/// Functions that defaults, generated columns, checks, index expressions, partition keys, their operator classes and domains call, with the column that a default or a generated
/// column's makes. The server records no dependency on its own functions, so what is listed is not built in.
const USES: &str = "SELECT COALESCE(ad.adrelid, NULLIF(co.conrelid, 0), ix.indrelid, tb.oid), NULLIF(co.contypid, 0), \
     COALESCE(op.oprcode::oid, d.refobjid), COALESCE(ad.adnum, CASE WHEN tb.oid IS NOT NULL THEN NULLIF(d.objsubid, 0) END) \
     FROM pg_catalog.pg_depend d \
     LEFT JOIN pg_catalog.pg_attrdef ad ON d.classid = 'pg_catalog.pg_attrdef'::pg_catalog.regclass AND ad.oid = d.objid \
     LEFT JOIN pg_catalog.pg_constraint co ON d.classid = 'pg_catalog.pg_constraint'::pg_catalog.regclass AND co.oid = d.objid \
     LEFT JOIN pg_catalog.pg_index ix ON d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND ix.indexrelid = d.objid \
     LEFT JOIN pg_catalog.pg_class tb ON d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND tb.oid = d.objid \
     AND tb.relkind IN ('r', 'p', 'f') \
     LEFT JOIN pg_catalog.pg_operator op ON d.refclassid = 'pg_catalog.pg_operator'::pg_catalog.regclass AND op.oid = d.refobjid \
     WHERE d.refclassid IN ('pg_catalog.pg_proc'::pg_catalog.regclass, 'pg_catalog.pg_operator'::pg_catalog.regclass) \
     AND d.classid IN ('pg_catalog.pg_attrdef'::pg_catalog.regclass, 'pg_catalog.pg_constraint'::pg_catalog.regclass, \
     'pg_catalog.pg_class'::pg_catalog.regclass) \
     AND d.refobjid >= 16384 \
     UNION SELECT i.indrelid, NULL, ap.amproc::oid, NULL FROM pg_catalog.pg_index i, pg_catalog.unnest(i.indclass::oid[]) AS used(oid) \
     JOIN pg_catalog.pg_opclass oc ON oc.oid = used.oid \
     JOIN pg_catalog.pg_amproc ap ON ap.amprocfamily = oc.opcfamily \
     AND ap.amproclefttype = oc.opcintype AND ap.amprocrighttype = oc.opcintype WHERE ap.amproc::oid >= 16384 \
     UNION SELECT pt.partrelid, NULL, ap.amproc::oid, NULL \
     FROM pg_catalog.pg_partitioned_table pt, pg_catalog.unnest(pt.partclass::oid[]) AS used(oid) \
     JOIN pg_catalog.pg_opclass oc ON oc.oid = used.oid \
     JOIN pg_catalog.pg_amproc ap ON ap.amprocfamily = oc.opcfamily \
     AND ap.amproclefttype = oc.opcintype AND ap.amprocrighttype = oc.opcintype WHERE ap.amproc::oid >= 16384";

/// Which columns a generated column is made of. Servers before 15 record them for the column, later ones for its expression.
const GENERATED: &str = "SELECT a.attrelid, a.attnum, d.refobjsubid FROM pg_catalog.pg_attribute a \
     JOIN pg_catalog.pg_attrdef ad ON ad.adrelid = a.attrelid AND ad.adnum = a.attnum \
     JOIN pg_catalog.pg_depend d ON d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.refobjid = a.attrelid \
     AND d.refobjsubid > 0 AND d.refobjsubid <> a.attnum \
     AND ((d.classid = 'pg_catalog.pg_attrdef'::pg_catalog.regclass AND d.objid = ad.oid) \
     OR (d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = a.attrelid AND d.objsubid = a.attnum)) \
     WHERE a.attgenerated <> ''";

/// Functions that sorting, grouping or comparing values of a type runs: of its default operator classes, and those that a range type has.
/// A family's functions for another type run where an operator between the two is named; only a window's range (3) takes another type by itself.
const ORDERS: &str = "SELECT oc.opcintype, ap.amproc::oid FROM pg_catalog.pg_opclass oc \
     JOIN pg_catalog.pg_amproc ap ON ap.amprocfamily = oc.opcfamily \
     AND ap.amproclefttype = oc.opcintype AND (ap.amprocrighttype = oc.opcintype OR ap.amprocnum = 3) \
     WHERE oc.opcdefault AND oc.opcmethod IN (403, 405) AND ap.amproc::oid >= 16384 \
     UNION SELECT oc.opcintype, op.oprcode::oid FROM pg_catalog.pg_opclass oc \
     JOIN pg_catalog.pg_amop ao ON ao.amopfamily = oc.opcfamily \
     AND ao.amoplefttype = oc.opcintype AND ao.amoprighttype = oc.opcintype JOIN pg_catalog.pg_operator op ON op.oid = ao.amopopr \
     WHERE oc.opcdefault AND oc.opcmethod IN (403, 405) AND op.oprcode::oid >= 16384 \
     UNION SELECT r.rngtypid, ap.amproc::oid FROM pg_catalog.pg_range r JOIN pg_catalog.pg_opclass oc ON oc.oid = r.rngsubopc \
     JOIN pg_catalog.pg_amproc ap ON ap.amprocfamily = oc.opcfamily \
     AND ap.amproclefttype = oc.opcintype AND ap.amprocrighttype = oc.opcintype WHERE ap.amproc::oid >= 16384 \
     UNION SELECT r.rngtypid, r.rngcanonical::oid FROM pg_catalog.pg_range r WHERE r.rngcanonical::oid >= 16384 \
     UNION SELECT r.rngtypid, r.rngsubdiff::oid FROM pg_catalog.pg_range r WHERE r.rngsubdiff::oid >= 16384";

/// Policies of tables on which row security is on, with the letter of their command.
const POLICIES: &str = "SELECT p.polrelid, p.polcmd, pg_catalog.pg_get_expr(p.polqual, p.polrelid), \
     pg_catalog.pg_get_expr(p.polwithcheck, p.polrelid) \
     FROM pg_catalog.pg_policy p JOIN pg_catalog.pg_class c ON c.oid = p.polrelid WHERE c.relrowsecurity";
