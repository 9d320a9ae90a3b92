//! A throwaway PostgreSQL with TLS and a user for every way to log in.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use tempfile::TempDir;

/// The password of every user that has one.
pub(crate) const PASSWORD: &str = "a pass'wörd";

/// The running server.
pub(crate) struct Server {
    directory: TempDir,
    pub(crate) port: u16,
    pub(crate) certificates: Certificates,
}

/// An authority, what it signed, and one that signed nothing.
pub(crate) struct Certificates {
    pub(crate) authority: PathBuf,
    pub(crate) stranger: PathBuf,
    /// Certificate and key of the user `cert_user`, PEM.
    pub(crate) client: (Vec<u8>, Vec<u8>),
}

/// The server that all tests of this binary share; it is stopped when the process ends.
pub(crate) fn shared() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(Server::start)
}

/// A program of the newest PostgreSQL that is installed.
pub(crate) fn program(name: &str) -> PathBuf {
    let mut versions: Vec<PathBuf> = fs::read_dir("/usr/lib/postgresql")
        .map(|entries| entries.flatten().map(|entry| entry.path().join("bin").join(name)).collect())
        .unwrap_or_default();
    versions.retain(|path| path.exists());
    versions.sort();
    let on_path = std::env::var_os("PATH")
        .and_then(|path| std::env::split_paths(&path).map(|dir| dir.join(name)).find(|path| path.exists()));
    versions
        .pop()
        .or(on_path)
        .unwrap_or_else(|| panic!("{name} is not installed; get PostgreSQL, such as: apt-get install postgresql"))
}

/// A command that runs as an ordinary user: the server refuses to run as root.
fn unprivileged(program: &Path) -> Command {
    let root = fs::metadata("/proc/self").is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0);
    if root {
        let mut command = Command::new("setpriv");
        command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups", "--"]).arg(program);
        command
    } else {
        Command::new(program)
    }
}

fn run(command: &mut Command) {
    let output = command.stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

impl Server {
    fn start() -> Self {
        let directory = TempDir::new().unwrap();
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o777)).unwrap();
        let data = directory.path().join("data");
        run(unprivileged(&program("initdb"))
            .args(["-A", "trust", "-U", "postgres", "-E", "UTF8", "--no-sync", "-D"])
            .arg(&data));
        let certificates = Certificates::make(directory.path());
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        let path = |name: &str| directory.path().join(name).display().to_string();
        let settings = format!(
            "listen_addresses='127.0.0.1'\nport={port}\nunix_socket_directories='{}'\nssl=on\nssl_cert_file='{}'\nssl_key_file='{}'\n\
             ssl_ca_file='{}'\nfsync=off\n",
            directory.path().display(),
            path("server.crt"),
            path("server.key"),
            path("ca.crt"),
        );
        fs::write(data.join("postgresql.auto.conf"), &settings).unwrap();
        fs::write(data.join("pg_hba.conf"), HBA).unwrap();
        let this = Self { directory, port, certificates };
        stop_after_us(this.directory.path());
        this.control(&["start", "-w", "-t", "60", "-l", &this.directory.path().join("log").display().to_string()]);
        this.admin(USERS);
        this
    }

    fn control(&self, arguments: &[&str]) {
        let data = self.directory.path().join("data");
        let mut command = unprivileged(&program("pg_ctl"));
        command.arg("-D").arg(data).args(arguments).stdout(Stdio::null()).stderr(Stdio::null()).stdin(Stdio::null());
        assert!(command.status().unwrap().success(), "pg_ctl {arguments:?}");
    }

    /// Runs SQL as the superuser over the local socket; what it prints.
    pub(crate) fn admin(&self, sql: &str) -> String {
        let mut command = Command::new(program("psql"));
        let port = self.port.to_string();
        let host = self.directory.path().as_os_str();
        command.args([OsStr::new("-h"), host, OsStr::new("-p"), OsStr::new(&port)]);
        let output = command
            .args(["-U", "postgres", "-d", "postgres", "-AtXq", "-v", "ON_ERROR_STOP=1", "-c", sql])
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// Waits until `sql` prints `expected`.
    pub(crate) fn until(&self, sql: &str, expected: &str) {
        let began = Instant::now();
        while self.admin(sql) != expected {
            assert!(began.elapsed() < Duration::from_secs(15), "{sql} never gave {expected}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

const HBA: &str = "\
local   all all                        trust
host    all trust_user   127.0.0.1/32  trust
host    all password_user 127.0.0.1/32 password
host    all md5_user     127.0.0.1/32  md5
host    all scram_user   127.0.0.1/32  scram-sha-256
host    all limited_user 127.0.0.1/32  scram-sha-256
hostssl all tls_user     127.0.0.1/32  scram-sha-256
hostssl all cert_user    127.0.0.1/32  cert
host    all ident_user   127.0.0.1/32  ident
host    all rejected_user 127.0.0.1/32 reject
";

const USERS: &str = "\
create user trust_user; create user cert_user; create user ident_user; create user rejected_user;
set password_encryption = 'md5'; create user md5_user password 'a pass''wörd';
set password_encryption = 'scram-sha-256';
create user password_user password 'a pass''wörd'; create user scram_user password 'a pass''wörd';
create user tls_user password 'a pass''wörd';
create user limited_user password 'a pass''wörd' connection limit 0;";

/// Stops the server and removes its files once this process is gone, however it ends: nothing drops a static.
fn stop_after_us(directory: &Path) {
    let script = format!(
        "while kill -0 {} 2>/dev/null; do sleep 0.2; done; kill -INT $(head -1 '{dir}/data/postmaster.pid'); sleep 1; rm -rf '{dir}'",
        std::process::id(),
        dir = directory.display(),
    );
    let mut command = Command::new("sh");
    command.args(["-c", &script]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    drop(command.spawn().unwrap());
}

impl Certificates {
    fn make(directory: &Path) -> Self {
        let file = |name: &str, content: &str| {
            let path = directory.join(name);
            fs::write(&path, content).unwrap();
            path
        };
        let (authority, issuer) = authority("test authority");
        let (stranger, _) = authority_pem("stranger");
        let (server, server_key) = signed(&issuer, "db.test", &["db.test", "localhost"]);
        let (client, client_key) = signed(&issuer, "cert_user", &[]);
        file("server.crt", &server);
        let key = file("server.key", &server_key);
        fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
        own_as_server(&key);
        Self {
            authority: file("ca.crt", &authority),
            stranger: file("stranger.crt", &stranger),
            client: (client.into_bytes(), client_key.into_bytes()),
        }
    }
}

fn own_as_server(path: &Path) {
    // Only root runs the server as someone else.
    let _not_root = Command::new("chown").arg("postgres").arg(path).stderr(Stdio::null()).status();
}

fn authority(name: &str) -> (String, Issuer<'static, KeyPair>) {
    let (pem, key) = authority_pem(name);
    let issuer = Issuer::from_ca_cert_pem(&pem, key).unwrap();
    (pem, issuer)
}

fn authority_pem(name: &str) -> (String, KeyPair) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, name);
    (params.self_signed(&key).unwrap().pem(), key)
}

fn signed(issuer: &Issuer<'_, KeyPair>, name: &str, hosts: &[&str]) -> (String, String) {
    let key = KeyPair::generate().unwrap();
    let hosts: Vec<String> = hosts.iter().map(|host| (*host).to_owned()).collect();
    let mut params = CertificateParams::new(hosts).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    (params.signed_by(&key, issuer).unwrap().pem(), key.serialize_pem())
}
