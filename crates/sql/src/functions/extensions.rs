//! Extensions whose functions and operators only compute.

/// How far an extension is trusted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Trust {
    /// Immutable and stable functions, operators, casts and types only compute.
    Calm,
    /// Only immutable functions do: its stable ones read relations that their arguments name.
    ImmutableOnly,
    /// Connects to other servers.
    Remote,
}

/// What is known about an extension; `None` is "nothing", so its functions are `execute`.
///
/// Absent on purpose: `tablefunc` and `xml2` (run queries given as text), `lo` and `adminpack` (large objects, files), `pageinspect`, `pgstattuple`,
/// `pg_visibility`, `pg_buffercache`, `pg_walinspect` (read below all permissions), `plpgsql` and other languages, `pg_cron`.
pub(crate) fn trust(extension: &str) -> Option<Trust> {
    match extension {
        "hstore" | "citext" | "pg_trgm" | "ltree" | "intarray" | "cube" | "seg" | "isn" | "unaccent" | "btree_gin"
        | "btree_gist" | "fuzzystrmatch" | "uuid-ossp" | "pgcrypto" | "earthdistance" | "dict_int" | "dict_xsyn"
        | "tsm_system_rows" | "tsm_system_time" | "intagg" | "bloom" | "pg_uuidv7" | "ip4r" | "semver"
        | "pg_hashids" | "hll" | "prefix" | "unit" => Some(Trust::Calm),
        "vector"
        | "postgis"
        | "postgis_raster"
        | "postgis_topology"
        | "postgis_sfcgal"
        | "h3"
        | "pg_similarity"
        | "rum"
        | "timescaledb"
        | "address_standardizer"
        | "pgroonga" => Some(Trust::ImmutableOnly),
        "dblink" | "postgres_fdw" | "mysql_fdw" | "oracle_fdw" | "tds_fdw" | "http" | "pg_net" | "aws_s3"
        | "aws_lambda" | "plproxy" => Some(Trust::Remote),
        _ => None,
    }
}

/// Volatile functions of trusted extensions that change nothing: dice and clocks.
pub(crate) fn is_calm_volatile(extension: &str, function: &str) -> bool {
    match extension {
        "uuid-ossp" => function.starts_with("uuid_generate_"),
        "pgcrypto" => matches!(
            function,
            "gen_random_bytes"
                | "gen_random_uuid"
                | "gen_salt"
                | "crypt"
                | "pgp_sym_encrypt"
                | "pgp_sym_encrypt_bytea"
                | "pgp_pub_encrypt"
                | "pgp_pub_encrypt_bytea"
                | "encrypt"
                | "encrypt_iv"
        ),
        "pg_uuidv7" => function.starts_with("uuid_generate_v7"),
        "pg_trgm" => function == "show_limit",
        _ => false,
    }
}
