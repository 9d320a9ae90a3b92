//! Where a client connects and as whom. A bare server and the gateway look the same from here.

use std::path::PathBuf;

/// One way in: everything that a PostgreSQL client needs to connect.
#[derive(Clone, Debug)]
pub struct Dsn {
    /// Host name or address; loopback in all tests.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// User; through the gateway, the role of the target.
    pub user: String,
    /// Password; through the gateway, the token.
    pub password: String,
    /// Database; through the gateway, `TARGET` or `TARGET/DATABASE`.
    pub database: String,
    /// Certificate authority to check the server by. `None` is a connection in clear text.
    pub ca: Option<PathBuf>,
}

impl Dsn {
    /// The same way in, to another database. Through the gateway `database` keeps its `TARGET/` in front.
    #[must_use]
    pub fn with_database(&self, database: &str) -> Self {
        let database = match self.database.split_once('/') {
            Some((target, _)) => format!("{target}/{database}"),
            None => database.to_owned(),
        };
        Self { database, ..self.clone() }
    }

    /// libpq's environment variables, which psql, pgbench, `pg_dump` and most drivers understand.
    pub fn env(&self) -> Vec<(&'static str, String)> {
        let mut env = vec![
            ("PGHOST", self.host.clone()),
            ("PGPORT", self.port.to_string()),
            ("PGUSER", self.user.clone()),
            ("PGPASSWORD", self.password.clone()),
            ("PGDATABASE", self.database.clone()),
            ("PGCONNECT_TIMEOUT", "10".to_owned()),
        ];
        match &self.ca {
            Some(ca) => {
                env.push(("PGSSLMODE", "verify-full".to_owned()));
                env.push(("PGSSLROOTCERT", ca.display().to_string()));
            }
            None => env.push(("PGSSLMODE", "disable".to_owned())),
        }
        env
    }

    /// The same as a `postgresql://` address. Every reserved character of user, password and database is percent-encoded.
    pub fn url(&self) -> String {
        let ssl = match &self.ca {
            Some(ca) => format!("sslmode=verify-full&sslrootcert={}", escape(&ca.display().to_string())),
            None => "sslmode=disable".to_owned(),
        };
        format!(
            "postgresql://{}:{}@{}:{}/{}?{ssl}",
            escape(&self.user),
            escape(&self.password),
            self.host,
            self.port,
            escape(&self.database)
        )
    }
}

fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dsn(database: &str) -> Dsn {
        Dsn {
            host: "localhost".to_owned(),
            port: 5,
            user: "a@b".to_owned(),
            password: "p:/?".to_owned(),
            database: database.to_owned(),
            ca: None,
        }
    }

    #[test]
    fn urls_escape_what_would_end_a_part() {
        assert_eq!(dsn("t/d").url(), "postgresql://a%40b:p%3A%2F%3F@localhost:5/t%2Fd?sslmode=disable");
    }

    #[test]
    fn the_target_stays_when_the_database_changes() {
        assert_eq!(dsn("orders-db/app").with_database("x").database, "orders-db/x");
        assert_eq!(dsn("app").with_database("x").database, "x");
    }
}
