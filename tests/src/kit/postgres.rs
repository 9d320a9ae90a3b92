//! A throwaway PostgreSQL server: own data directory, own port, own certificate; gone when it is dropped.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rustix::process::Signal;
use tempfile::TempDir;

use super::dsn::Dsn;
use super::process::{Account, Running, find, free_port, output, tail, wait_for};
use super::wire::{Rows, Wire};

/// The superuser of every server of the kit.
pub const SUPERUSER: &str = "postgres";
/// Its password. Distinctive, so that a test can search for it where it must never appear.
pub const SUPERUSER_PASSWORD: &str = "kit-superuser-Vq7Lx2";
/// The ordinary role that the gateway uses.
pub const APP: &str = "app";
/// Its password: only the server and the gateway know it, no client does.
pub const APP_PASSWORD: &str = "kit-app-only-the-gateway-knows-Zr4Nw9";

/// What can be chosen when a server is started.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Log every statement with its process id (`log_statement=all`), for checks by the server's own word.
    pub log_statements: bool,
    /// Keep `fsync` on. Off by default: nothing here has to survive a power cut.
    pub durable: bool,
    /// More `name = value` lines of postgresql.conf.
    pub settings: Vec<(String, String)>,
}

/// A running server. Dropping it stops it and removes its data.
pub struct Server {
    running: Option<Running>,
    home: TempDir,
    bin: PathBuf,
    account: Option<Account>,
    port: u16,
}

impl Server {
    /// Makes a cluster, starts it, and creates the role `app`.
    ///
    /// # Errors
    /// When PostgreSQL's programs are missing or the server does not come up; the message carries the end of its log.
    pub fn start(options: &Options) -> Result<Self> {
        let bin = binaries()?;
        let account = Account::for_servers()?;
        let home =
            tempfile::Builder::new().prefix("sallyport-pg-").tempdir().context("make a directory for the server")?;
        // The server's user must be able to walk through it; its contents are a test's.
        fs::set_permissions(home.path(), fs::Permissions::from_mode(0o755))?;
        let mut server = Self { running: None, home, bin, account, port: free_port()? };
        server.make_cluster()?;
        server.write_settings(options)?;
        server.launch()?;
        server.admin("postgres")?.rows(&format!("CREATE ROLE {APP} LOGIN PASSWORD '{APP_PASSWORD}'"))?;
        Ok(server)
    }

    /// The server's TCP port on loopback.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The postmaster's process id.
    pub fn id(&self) -> u32 {
        self.running.as_ref().map_or(0, Running::id)
    }

    /// The directory that holds everything of this server.
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// Where PostgreSQL's programs (`pgbench`, `pg_dump`, …) of the same version are.
    pub fn bin(&self) -> &Path {
        &self.bin
    }

    /// The certificate by which clients can check this server.
    pub fn ca(&self) -> PathBuf {
        self.home.path().join("server.crt")
    }

    /// The way in for the superuser, in clear text.
    pub fn superuser(&self, database: &str) -> Dsn {
        self.dsn(SUPERUSER, SUPERUSER_PASSWORD, database)
    }

    /// The way in for the role `app`, in clear text.
    pub fn app(&self, database: &str) -> Dsn {
        self.dsn(APP, APP_PASSWORD, database)
    }

    /// A way in for any user, in clear text.
    pub fn dsn(&self, user: &str, password: &str, database: &str) -> Dsn {
        Dsn {
            host: "127.0.0.1".to_owned(),
            port: self.port,
            user: user.to_owned(),
            password: password.to_owned(),
            database: database.to_owned(),
            ca: None,
        }
    }

    /// A superuser's connection to a database.
    ///
    /// # Errors
    /// When the server does not let it in.
    pub fn admin(&self, database: &str) -> Result<Wire> {
        Wire::login(&self.superuser(database))
    }

    /// Runs SQL as the superuser and gives its rows.
    ///
    /// # Errors
    /// When the server refuses the connection or the statement.
    pub fn sql(&self, database: &str, sql: &str) -> Result<Rows> {
        self.admin(database)?.rows(sql)
    }

    /// Makes the world of `fixture` in the database `app`: its first two lines by the superuser, the rest by `app`.
    ///
    /// # Errors
    /// When a line of the fixture fails.
    pub fn load_fixture(&self, fixture: &str) -> Result<()> {
        self.sql("postgres", "CREATE ROLE admin_role NOLOGIN; GRANT admin_role TO app")?;
        self.sql("postgres", "CREATE DATABASE app OWNER app")?;
        let mut admin = self.admin("app")?;
        admin.rows("ALTER SCHEMA public OWNER TO app")?;
        for extension in ["dblink", "postgres_fdw", "tablefunc", "hstore", "pg_stat_statements", "adminpack"] {
            admin.rows(&format!("CREATE EXTENSION IF NOT EXISTS {extension}"))?;
        }
        let tables: String = fixture.lines().filter(|line| !is_superuser_line(line)).collect::<Vec<_>>().join("\n");
        Wire::login(&self.app("app"))?.rows(&tables).context("load the fixture")?;
        Ok(())
    }

    /// The server's log so far.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn log(&self) -> Result<String> {
        let bytes = fs::read(self.log_path()).context("read the server's log")?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// How long the log is, to read on from there later.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn log_length(&self) -> Result<u64> {
        Ok(fs::metadata(self.log_path())?.len())
    }

    /// Stops the server in an orderly way and starts it again on the same port with the same data.
    ///
    /// # Errors
    /// When it does not come up again.
    pub fn restart(&mut self) -> Result<()> {
        self.running = None;
        self.launch()
    }

    fn log_path(&self) -> PathBuf {
        self.home.path().join("server.log")
    }

    fn data(&self) -> PathBuf {
        self.home.path().join("data")
    }

    fn make_cluster(&self) -> Result<()> {
        let data = self.data();
        fs::create_dir(&data)?;
        Account::give(self.account, &data)?;
        let password = self.home.path().join("superuser.pw");
        fs::write(&password, SUPERUSER_PASSWORD)?;
        Account::give(self.account, &password)?;
        let mut command = Account::command(self.account, &self.bin.join("initdb"));
        command.args([
            "--username",
            SUPERUSER,
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            "--locale=C.UTF-8",
            "--no-sync",
        ]);
        command.arg("--pwfile").arg(&password).arg("--pgdata").arg(&data).current_dir(self.home.path());
        output(&mut command, "initdb")?;
        let named = rcgen::generate_simple_self_signed(vec!["localhost".to_owned(), "127.0.0.1".to_owned()])?;
        fs::write(self.ca(), named.cert.pem())?;
        let key = self.home.path().join("server.key");
        fs::write(&key, named.signing_key.serialize_pem())?;
        fs::set_permissions(&key, fs::Permissions::from_mode(0o600))?;
        Account::give(self.account, &key)?;
        // What the server itself uses as a client (dblink, postgres_fdw): so that such attacks work when nothing stops them.
        let pass = self.home.path().join("pgpass");
        let port = self.port;
        let lines = [(SUPERUSER, SUPERUSER_PASSWORD), (APP, APP_PASSWORD)];
        let text: String = lines.iter().map(|(user, password)| format!("*:{port}:*:{user}:{password}\n")).collect();
        fs::write(&pass, text)?;
        fs::set_permissions(&pass, fs::Permissions::from_mode(0o600))?;
        Account::give(self.account, &pass)
    }

    fn write_settings(&self, options: &Options) -> Result<()> {
        let home = self.home.path().display();
        let mut text = format!(
            "listen_addresses = '127.0.0.1'\nport = {}\nunix_socket_directories = ''\nmax_connections = 1200\n\
             ssl = on\nssl_cert_file = '{home}/server.crt'\nssl_key_file = '{home}/server.key'\n\
             password_encryption = 'scram-sha-256'\nlogging_collector = off\nlog_line_prefix = '%m [%p] %q%u@%d '\n\
             lc_messages = 'C'\ntimezone = 'UTC'\nlog_timezone = 'UTC'\n",
            self.port
        );
        if options.log_statements {
            text.push_str("log_statement = 'all'\n");
        }
        if !options.durable {
            text.push_str("fsync = off\nsynchronous_commit = off\nfull_page_writes = off\n");
        }
        for (name, value) in &options.settings {
            text.push_str(&format!("{name} = '{}'\n", value.replace('\'', "''")));
        }
        let path = self.data().join("postgresql.conf");
        let before = fs::read_to_string(&path)?;
        fs::write(&path, before + &text).context("write the server's settings")
    }

    fn launch(&mut self) -> Result<()> {
        let mut command = Account::command(self.account, &self.bin.join("postgres"));
        command.arg("-D").arg(self.data()).current_dir(self.home.path());
        command.env("PGPORT", self.port.to_string()).env("PGPASSFILE", self.home.path().join("pgpass"));
        let mut running = Running::start(command, &self.log_path(), Signal::INT, "PostgreSQL")?;
        let admin = self.superuser("postgres");
        let ready = wait_for("PostgreSQL", Duration::from_secs(60), || {
            if let Some(status) = running.ended()? {
                bail!("PostgreSQL ended at once with {status}");
            }
            Ok(Wire::login(&admin).is_ok())
        });
        if let Err(error) = ready {
            return Err(
                error.context(format!("the server's log ends with:\n{}", tail(&self.log().unwrap_or_default(), 15)))
            );
        }
        self.running = Some(running);
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.running = None;
    }
}

/// The newest installed PostgreSQL's `bin` directory: `$PG_BIN`, Debian's places, then PATH.
///
/// # Errors
/// When `initdb` and `postgres` are nowhere; says what to install.
pub fn binaries() -> Result<PathBuf> {
    let mut places: Vec<PathBuf> = std::env::var_os("PG_BIN").into_iter().map(PathBuf::from).collect();
    let mut versions: Vec<PathBuf> =
        fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten().map(|d| d.path()).collect();
    versions.sort_by_key(|path| path.file_name().and_then(|name| name.to_str()?.parse::<u32>().ok()));
    places.extend(versions.into_iter().rev().map(|path| path.join("bin")));
    let Some(initdb) = find("initdb", &places) else {
        bail!(
            "PostgreSQL's initdb is not installed: run `cargo xtask ensure postgres` (Debian: postgresql, postgresql-contrib), or set PG_BIN"
        );
    };
    let bin = initdb.parent().map(Path::to_owned).context("initdb without a directory")?;
    // A link into the real directory (pyenv, alternatives) does not carry the other programs.
    if bin.join("postgres").is_file() {
        return Ok(bin);
    }
    let real = fs::canonicalize(&initdb)?;
    real.parent().map(Path::to_owned).context("initdb without a directory")
}

/// Runs `psql` with a way in and gives its output.
///
/// # Errors
/// When it fails; the message carries what it said.
pub fn psql(dsn: &Dsn, args: &[&str]) -> Result<String> {
    output(Command::new("psql").args(["-X", "-v", "ON_ERROR_STOP=1"]).args(args).envs(dsn.env()), "psql")
}

fn is_superuser_line(line: &str) -> bool {
    line.starts_with("--") || line.starts_with("CREATE ROLE") || line.starts_with("ALTER SCHEMA")
}
