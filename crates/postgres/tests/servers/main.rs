//! The two logins against real programs: `upstream` against a PostgreSQL server, `login` with psql as its client.
//!
//! A server is started for this binary alone, on a free port, with its data in a temporary directory.

#[cfg(test)]
mod doubles;
#[cfg(test)]
mod psql;
#[cfg(test)]
mod server;
#[cfg(test)]
mod upstream;
