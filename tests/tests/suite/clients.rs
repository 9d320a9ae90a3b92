//! Stock clients through the gateway. Their programs and packages come from `cargo xtask ensure clients`.

use sallyport_tests::clients;

use crate::passes;

macro_rules! clients {
    ($($name:ident = $client:literal,)*) => {$(
        #[test]
        fn $name() {
            passes(clients::main, &["--only", $client]);
        }
    )*};
}

clients! {
    psql = "psql",
    pgbench = "pgbench",
    pg_dump_and_restore = "dump",
    psycopg = "psycopg",
    asyncpg = "asyncpg",
    sqlalchemy = "sqlalchemy",
    django = "django",
    node_postgres = "node",
    pgjdbc = "jdbc",
    tokio_postgres = "tokio-postgres",
    sqlx = "sqlx",
}
