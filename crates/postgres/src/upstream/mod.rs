//! The inner door: dial a target under a grant, agree on TLS, present the role's credential, and wait until the target is ready.
//!
//! - `greeting`: what the target says and what is answered, without IO

mod greeting;

use std::future::poll_fn;
use std::net::SocketAddr;
use std::time::Duration;

use gate::ports::Lease;
use gate::{Grant, Outbox, Secret, ToTarget};
use net::tls::Trust;
use net::{ClientTls, TlsInfo, TlsMode, Transport, dial, pool};
use postgres_protocol::authentication::sasl::ScramSha256;

use self::greeting::{Circumstances, Greeting, Step};
use crate::config::TargetOptions;
pub use crate::error::UpstreamError;
use crate::wire::{Frames, Next, encode, limits};

/// How long a target may take to take note of a cancel request.
const CANCEL_PATIENCE: Duration = Duration::from_secs(2);

/// What a session asks its target for at the start, beside the credential.
#[derive(Clone, Debug, Default)]
pub struct StartupParams {
    /// The database; without one that of the target's options.
    pub database: Option<String>,
    /// What the target shows as the client's name.
    pub application_name: String,
    /// Settings that were judged. Those that are not settings (`user`, `database`, `options`, `replication`, `_pq_.…`) and the encoding
    /// are not passed on, whoever judged them.
    pub settings: Vec<(String, String)>,
}

/// A target that is ready.
#[derive(Debug)]
pub struct Upstream {
    /// The connection.
    pub transport: Transport,
    /// What the target has sent beyond its greeting.
    pub unread: Vec<u8>,
    /// The settings that it reported, each once, in its order.
    pub parameters: Vec<(String, String)>,
    /// Its process number, for [`cancel`].
    pub pid: i32,
    /// Its cancel key, for [`cancel`]; empty when it gave none.
    pub key: Vec<u8>,
    /// The protocol is 3.`minor`.
    pub minor: u16,
    /// The user of the credential, for the recording.
    pub user: String,
    /// The TLS that was agreed on.
    pub tls: Option<TlsInfo>,
}

/// Connects and logs in, within the options' `connect_timeout`. Cancel safe: what is not returned is closed.
///
/// # Errors
/// [`UpstreamError`], in words for the client.
pub async fn connect(
    grant: &Grant,
    options: &TargetOptions,
    startup: &StartupParams,
) -> Result<Upstream, UpstreamError> {
    let late = |_| UpstreamError::Late { target: grant.target().name.clone() };
    tokio::time::timeout(options.connect_timeout, attempt(grant, options, startup)).await.map_err(late)?
}

async fn attempt(grant: &Grant, options: &TargetOptions, startup: &StartupParams) -> Result<Upstream, UpstreamError> {
    let transport = reach(grant, options).await?;
    // Opened as late as possible: a target that is away opens no secret.
    let lease = grant.lease().await.map_err(|source| UpstreamError::Lease {
        target: grant.target().name.clone(),
        role: grant.role().to_owned(),
        source,
    })?;
    let mode = mode(options, transport.peer());
    let transport = secure(grant, options, transport, mode, &lease).await?;
    match greet(grant, options, startup, transport, &lease).await {
        // "Without TLS, unless the target insists": it does so by refusing the login.
        Err(UpstreamError::Refused { sqlstate, .. }) if mode == TlsMode::Allow && sqlstate == "28000" => {
            let transport = reach(grant, options).await?;
            let transport = secure(grant, options, transport, TlsMode::Require, &lease).await?;
            greet(grant, options, startup, transport, &lease).await
        }
        result => result,
    }
}

async fn reach(grant: &Grant, options: &TargetOptions) -> Result<Transport, UpstreamError> {
    let stream = dial(grant, options.connect_timeout).await?;
    Transport::dialled(stream).map_err(|_| ended(grant))
}

/// Asks the target to end what `pid` is doing, over a connection of its own with the same TLS. Whether it did cannot be known. Takes
/// at most `connect_timeout`; a name that has several addresses may lead to another server, which ignores the key. Cancel safe.
///
/// # Errors
/// [`UpstreamError`] when the request could not be delivered.
pub async fn cancel(grant: &Grant, options: &TargetOptions, pid: i32, key: &[u8]) -> Result<(), UpstreamError> {
    let late = |_| UpstreamError::Late { target: grant.target().name.clone() };
    tokio::time::timeout(options.connect_timeout, deliver(grant, options, pid, key)).await.map_err(late)?
}

async fn deliver(grant: &Grant, options: &TargetOptions, pid: i32, key: &[u8]) -> Result<(), UpstreamError> {
    if key.is_empty() {
        return Ok(());
    }
    let transport = reach(grant, options).await?;
    // A cancel request carries no credential, and targets ask for none.
    let lease = Lease { user: String::new(), password: None, certificate: None, authority: None };
    let mode = mode(options, transport.peer());
    let mut transport = secure(grant, options, transport, mode, &lease).await?;
    let mut request = Vec::new();
    encode::cancel_request(&mut request, pid, key);
    send(grant, &mut transport, &request).await?;
    // The target closes once it has passed the signal on; closing first could make it miss the request.
    let _closed = tokio::time::timeout(CANCEL_PATIENCE, transport.read(&mut [0; 16])).await;
    Ok(())
}

/// The mode that holds: what the options say, or else no checks towards this machine itself and every check elsewhere.
fn mode(options: &TargetOptions, peer: SocketAddr) -> TlsMode {
    let unset = if peer.ip().to_canonical().is_loopback() { TlsMode::Prefer } else { TlsMode::VerifyFull };
    options.tls.unwrap_or(unset)
}

/// Agrees on TLS as `mode` wants it.
async fn secure(
    grant: &Grant,
    options: &TargetOptions,
    mut transport: Transport,
    mode: TlsMode,
    lease: &Lease,
) -> Result<Transport, UpstreamError> {
    if matches!(mode, TlsMode::Disable | TlsMode::Allow) {
        return Ok(transport);
    }
    let mut request = Vec::new();
    encode::ssl_request(&mut request);
    send(grant, &mut transport, &request).await?;
    let mut answer = [0];
    // One byte is asked for and no more is read: what follows an `S` belongs to TLS (CVE-2021-23222).
    match transport.read(&mut answer).await {
        Ok(1) => {}
        Ok(_) | Err(_) => return Err(ended(grant)),
    }
    match answer {
        [b'S'] => {}
        [b'N'] if mode.is_required() => {
            return Err(UpstreamError::NoTls { target: grant.target().name.clone() });
        }
        [b'N'] => return Ok(transport),
        // An error in plain text could be anyone's: what it says is not looked at.
        _ => return Err(ended(grant)),
    }
    let certificate =
        lease.certificate.as_ref().map(|(chain, key): &(Vec<u8>, Secret)| (chain.as_slice(), key.expose()));
    let trust = Trust { authorities: options.ca.clone(), certificate };
    let tls = ClientTls::new(mode, &trust)
        .map_err(|source| UpstreamError::TlsSetup { target: grant.target().name.clone(), source })?;
    transport
        .connect_tls(&tls, host(&grant.endpoint().address))
        .await
        .map_err(|problem| UpstreamError::Tls { target: grant.target().name.clone(), problem })
}

/// The host of `HOST:PORT`, without the brackets of an IPv6 address.
fn host(address: &str) -> &str {
    let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
    host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host)
}

async fn greet(
    grant: &Grant,
    options: &TargetOptions,
    startup: &StartupParams,
    mut transport: Transport,
    lease: &Lease,
) -> Result<Upstream, UpstreamError> {
    let minor = options.protocol.minor();
    let mut first = Vec::new();
    encode::startup(&mut first, minor, parameters(options, startup, lease));
    send(grant, &mut transport, &first).await?;
    let mut greeting = Greeting::new(Circumstances {
        target: grant.target().name.clone(),
        role: grant.role().to_owned(),
        binding: transport.tls_server_end_point(),
        is_tls: transport.is_tls(),
        cleartext: options.allow_cleartext || transport.peer().ip().to_canonical().is_loopback(),
        minor,
    });
    let mut unread = Vec::new();
    loop {
        let mut frames = Frames::new(&unread, limits::GREETING);
        match frames.advance().map_err(|problem| greeting.broken(problem))? {
            Next::Partial { .. } => {
                if more(&mut transport, &mut unread).await == 0 {
                    return Err(ended(grant));
                }
            }
            Next::Frame(frame) => {
                let step = greeting.on(frame, lease)?;
                let used = frames.consumed();
                unread.drain(..used);
                match step {
                    Step::Wait => {}
                    Step::Send(bytes) => send(grant, &mut transport, &bytes).await?,
                    Step::Derive(scram, challenge) => {
                        let bytes = greeting.challenged(derive(scram, challenge).await)?;
                        send(grant, &mut transport, &bytes).await?;
                    }
                    Step::Ready => return Ok(finish(greeting, transport, unread, lease)),
                }
            }
        }
    }
}

/// Reads more of the greeting; a connection that breaks is one that ended.
async fn more(transport: &mut Transport, unread: &mut Vec<u8>) -> usize {
    let read = poll_fn(|cx| {
        let mut buffer = pool::take();
        transport.poll_read(cx, &mut buffer).map_ok(|read| {
            unread.extend_from_slice(buffer.get(..read).unwrap_or_default());
            read
        })
    });
    read.await.unwrap_or(0)
}

/// What the startup message says. The user is the credential's, and nothing comes from the client that was not judged.
fn parameters<'a>(
    options: &'a TargetOptions,
    startup: &'a StartupParams,
    lease: &'a Lease,
) -> impl Iterator<Item = (&'a str, &'a str)> {
    let database = startup.database.as_deref().or(options.database.as_deref());
    let fixed = [
        Some(("user", lease.user.as_str())),
        database.map(|database| ("database", database)),
        Some(("client_encoding", "UTF8")),
        Some(("application_name", startup.application_name.as_str())),
    ];
    let settings = startup.settings.iter().filter(|(name, _)| is_setting(name));
    fixed.into_iter().flatten().chain(settings.map(|(name, value)| (name.as_str(), value.as_str())))
}

/// An empty name would end the message, and these mean something else than a setting there.
fn is_setting(name: &str) -> bool {
    let reserved = ["user", "database", "options", "replication", "client_encoding", "application_name"];
    !name.is_empty() && !reserved.iter().any(|word| name.eq_ignore_ascii_case(word)) && !name.starts_with("_pq_.")
}

/// Derives SCRAM's keys apart from the worker's thread: thousands of rounds would keep other sessions waiting. `None` when the challenge
/// was not one.
async fn derive(mut scram: Box<ScramSha256>, challenge: Vec<u8>) -> Option<Box<ScramSha256>> {
    let work = tokio::task::spawn_blocking(move || scram.update(&challenge).is_ok().then_some(scram));
    work.await.ok().flatten()
}

fn finish(greeting: Greeting, transport: Transport, unread: Vec<u8>, lease: &Lease) -> Upstream {
    // Some poolers give no key: there is nothing to cancel with then.
    let (pid, key) = greeting.key.unwrap_or_default();
    let tls = transport.tls();
    let (parameters, minor, user) = (greeting.parameters, greeting.minor, lease.user.clone());
    Upstream { transport, unread, parameters, pid, key, minor, user, tls }
}

async fn send(grant: &Grant, transport: &mut Transport, bytes: &[u8]) -> Result<(), UpstreamError> {
    let mut outbox = Outbox::<ToTarget>::default();
    outbox.handshake(grant, bytes);
    transport.flush(&mut outbox).await.map_err(|_| ended(grant))
}

fn ended(grant: &Grant) -> UpstreamError {
    UpstreamError::Ended { target: grant.target().name.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_cut_from_addresses() {
        for (address, expected) in
            [("db:5432", "db"), ("10.0.0.1:5432", "10.0.0.1"), ("[::1]:5432", "::1"), ("db", "db")]
        {
            assert_eq!(host(address), expected);
        }
    }

    #[test]
    fn the_startup_message_is_ours() {
        let lease = Lease { user: "app".to_owned(), password: None, certificate: None, authority: None };
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let startup = StartupParams {
            database: None,
            application_name: "psql".to_owned(),
            settings: vec![
                pair("datestyle", "ISO"),
                pair("USER", "postgres"),
                pair("database", "other"),
                pair("options", "-c role=postgres"),
                pair("Replication", "database"),
                pair("client_encoding", "SJIS"),
                pair("_pq_.x", "1"),
                pair("", "x"),
            ],
        };
        let options = TargetOptions { database: Some("shop".to_owned()), ..TargetOptions::default() };
        let sent: Vec<_> = parameters(&options, &startup, &lease).collect();
        let expected = [
            ("user", "app"),
            ("database", "shop"),
            ("client_encoding", "UTF8"),
            ("application_name", "psql"),
            ("datestyle", "ISO"),
        ];
        assert_eq!(sent, expected);
    }

    #[test]
    fn unset_tls_checks_everything_but_this_machine() {
        let mut options = TargetOptions::default();
        let away = "192.0.2.1:5432".parse().unwrap();
        let here = "[::ffff:127.0.0.1]:5432".parse().unwrap();
        assert_eq!((mode(&options, away), mode(&options, here)), (TlsMode::VerifyFull, TlsMode::Prefer));
        options.tls = Some(TlsMode::Disable);
        assert_eq!(mode(&options, away), TlsMode::Disable);
    }
}
