//! A raw PostgreSQL client: sends any bytes, keeps every byte that comes back, and never waits for ever.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use postgres_protocol::authentication::md5_hash;
use postgres_protocol::authentication::sasl::{ChannelBinding, ScramSha256};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use super::dsn::Dsn;
use super::message::{self, Message};

/// Text rows of one or more results; `None` is NULL.
pub type Rows = Vec<Vec<Option<String>>>;

/// How long a socket call may block: short, because sending and receiving take turns in one thread.
const TURN: Duration = Duration::from_millis(20);
/// How long an answer may take when a caller does not say.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// What a wait for the next message gave.
#[derive(Debug)]
pub enum Next {
    /// A whole message.
    Message(Message),
    /// The other side closed the connection.
    Closed,
    /// Nothing whole arrived in time.
    Silent,
}

/// One connection.
pub struct Wire {
    stream: Stream,
    received: Vec<u8>,
    parsed: usize,
    closed: bool,
    /// Process id and secret from `BackendKeyData`, once logged in.
    pub key: Option<(i32, Vec<u8>)>,
}

enum Stream {
    Clear(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl Wire {
    /// Opens the connection, with TLS when the DSN has a certificate authority, and sends nothing more.
    ///
    /// # Errors
    /// When nobody listens or TLS fails.
    pub fn open(dsn: &Dsn) -> Result<Self> {
        let tcp = dial(dsn)?;
        let stream = match &dsn.ca {
            None => Stream::Clear(tcp),
            Some(_) => tls(dsn, tcp)?,
        };
        stream.tcp().set_read_timeout(Some(TURN))?;
        stream.tcp().set_write_timeout(Some(TURN))?;
        stream.tcp().set_nodelay(true)?;
        Ok(Self { stream, received: Vec::new(), parsed: 0, closed: false, key: None })
    }

    /// Opens the connection and logs in.
    ///
    /// # Errors
    /// When it is refused; the message carries the server's own words.
    pub fn login(dsn: &Dsn) -> Result<Self> {
        Self::login_with(dsn, &[])
    }

    /// The same, with further startup parameters.
    ///
    /// # Errors
    /// As [`login`](Self::login).
    pub fn login_with(dsn: &Dsn, more: &[(&str, &str)]) -> Result<Self> {
        let mut wire = Self::open(dsn)?;
        let own = [("user", dsn.user.as_str()), ("database", dsn.database.as_str())];
        let parameters: Vec<_> =
            own.iter().chain(more).map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let answers = wire.start(&parameters, &dsn.user, &dsn.password)?;
        match answers.last() {
            Some(last) if last.tag == b'Z' => Ok(wire),
            Some(last) => bail!("login refused: {}", last.describe()),
            None => bail!("login: the connection closed or stayed silent"),
        }
    }

    /// Sends a `StartupMessage` and answers the authentication requests with `password`.
    /// Gives the messages up to `ReadyForQuery`, a refusal, or the end of the connection.
    ///
    /// # Errors
    /// When the socket fails or an authentication request is of an unknown kind.
    pub fn start(&mut self, parameters: &[(String, String)], user: &str, password: &str) -> Result<Vec<Message>> {
        self.send(&message::startup(parameters))?;
        let until = Instant::now() + PATIENCE;
        let mut answers = Vec::new();
        let mut scram = None;
        while let Next::Message(answer) = self.next(until)? {
            let tag = answer.tag;
            match tag {
                b'R' => self.authenticate(&answer, user, password, &mut scram)?,
                b'K' => self.key = read_key(&answer),
                _ => {}
            }
            answers.push(answer);
            if tag == b'Z' || tag == b'E' {
                break;
            }
        }
        Ok(answers)
    }

    fn authenticate(
        &mut self,
        request: &Message,
        user: &str,
        password: &str,
        scram: &mut Option<ScramSha256>,
    ) -> Result<()> {
        let Some((kind, rest)) = request.body.split_first_chunk::<4>() else {
            bail!("an authentication request without a kind");
        };
        let reply = match u32::from_be_bytes(*kind) {
            0 => return Ok(()),
            3 => zero_ended(password.as_bytes()),
            5 => {
                let salt = rest.first_chunk::<4>().context("an MD5 request without a salt")?;
                zero_ended(md5_hash(user.as_bytes(), password.as_bytes(), *salt).as_bytes())
            }
            10 => {
                let state = ScramSha256::new(password.as_bytes(), ChannelBinding::unsupported());
                let mut body = zero_ended(b"SCRAM-SHA-256");
                let first = state.message().to_vec();
                body.extend_from_slice(&u32::try_from(first.len())?.to_be_bytes());
                body.extend(first);
                *scram = Some(state);
                body
            }
            11 => {
                let state = scram.as_mut().context("SCRAM continued before it began")?;
                state.update(rest)?;
                state.message().to_vec()
            }
            12 => {
                return scram
                    .as_mut()
                    .context("SCRAM ended before it began")?
                    .finish(rest)
                    .context("the server's proof");
            }
            other => bail!("authentication request {other} is not known to the test client"),
        };
        self.send(&message::framed(b'p', &reply))
    }

    /// Sends bytes, reading what arrives meanwhile so that neither side can block the other.
    /// A peer that closes while we send is not an error here: what it said is in [`Wire::received`].
    ///
    /// # Errors
    /// When the socket fails, or the peer takes nothing for [`PATIENCE`].
    pub fn send(&mut self, bytes: &[u8]) -> Result<()> {
        let mut left = bytes;
        let mut until = Instant::now() + PATIENCE;
        while !left.is_empty() && !self.closed {
            match self.stream.write(left) {
                Ok(sent) => {
                    left = left.get(sent..).unwrap_or_default();
                    until = Instant::now() + PATIENCE;
                }
                Err(error) if is_turn(&error) => self.pull()?,
                Err(error) if is_gone(&error) => {
                    self.pull()?;
                    self.closed = true;
                }
                Err(error) => return Err(error).context("send to the server"),
            }
            if Instant::now() > until {
                bail!("the server takes no more bytes");
            }
        }
        while !self.closed {
            match self.stream.flush() {
                Ok(()) => break,
                Err(error) if is_turn(&error) => self.pull()?,
                Err(error) if is_gone(&error) => self.closed = true,
                Err(error) => return Err(error).context("send to the server"),
            }
            if Instant::now() > until {
                bail!("the server takes no more bytes");
            }
        }
        Ok(())
    }

    /// The next message, waiting until `until`.
    ///
    /// # Errors
    /// When the socket fails.
    pub fn next(&mut self, until: Instant) -> Result<Next> {
        loop {
            if let Some((message, used)) = message::split(self.received.get(self.parsed..).unwrap_or_default()) {
                self.parsed += used;
                return Ok(Next::Message(message));
            }
            if self.closed {
                return Ok(Next::Closed);
            }
            if Instant::now() > until {
                return Ok(Next::Silent);
            }
            self.pull()?;
        }
    }

    /// Every byte received since the connection was opened (after TLS), but for what was [forgotten](Self::forget).
    pub fn received(&self) -> &[u8] {
        &self.received
    }

    /// Forgets the bytes whose messages were taken, for a caller that stays connected long.
    pub fn forget(&mut self) {
        self.received.drain(..self.parsed);
        self.parsed = 0;
    }

    /// The bare stream, for a caller that reads what it does not want to keep. Waits up to [`PATIENCE`] per read.
    pub fn reader(&mut self) -> &mut impl Read {
        let _ = self.stream.tcp().set_read_timeout(Some(PATIENCE));
        &mut self.stream
    }

    /// Whether the other side has closed the connection.
    pub fn closed(&self) -> bool {
        self.closed
    }

    /// Waits until the other side closes the connection, at most `limit`; says whether it did.
    ///
    /// # Errors
    /// When the socket fails.
    pub fn closes_within(&mut self, limit: Duration) -> Result<bool> {
        let until = Instant::now() + limit;
        while !self.closed && Instant::now() < until {
            self.pull()?;
        }
        Ok(self.closed)
    }

    /// Sends a simple query and gives the messages up to and with `ReadyForQuery`, or the end of the connection.
    ///
    /// # Errors
    /// When the socket fails or no end comes within [`PATIENCE`].
    pub fn query(&mut self, sql: &str) -> Result<Vec<Message>> {
        self.send(&message::query(sql.as_bytes()))?;
        self.until_ready(PATIENCE)
    }

    /// The messages up to and with `ReadyForQuery`, or the end of the connection.
    ///
    /// # Errors
    /// When the socket fails or no end comes within `limit`.
    pub fn until_ready(&mut self, limit: Duration) -> Result<Vec<Message>> {
        let until = Instant::now() + limit;
        let mut answers = Vec::new();
        loop {
            match self.next(until)? {
                Next::Message(answer) => {
                    let ready = answer.tag == b'Z';
                    answers.push(answer);
                    if ready {
                        return Ok(answers);
                    }
                }
                Next::Closed => return Ok(answers),
                Next::Silent => bail!("no end of the answer within {limit:?}"),
            }
        }
    }

    /// Runs a simple query and gives its rows as text.
    ///
    /// # Errors
    /// When the server answers with an error.
    pub fn rows(&mut self, sql: &str) -> Result<Rows> {
        let answers = self.query(sql)?;
        if let Some(error) = answers.iter().find(|answer| answer.tag == b'E') {
            bail!("{}", error.describe());
        }
        if answers.last().map(|last| last.tag) != Some(b'Z') {
            bail!("the connection closed before the answer ended");
        }
        let text = |cell: Vec<u8>| String::from_utf8_lossy(&cell).into_owned();
        let rows = answers.iter().filter(|answer| answer.tag == b'D');
        Ok(rows.map(|row| row.cells().into_iter().map(|cell| cell.map(text)).collect()).collect())
    }

    /// Runs a query of one value.
    ///
    /// # Errors
    /// When the server answers with an error, or with no row, or with NULL.
    pub fn value(&mut self, sql: &str) -> Result<String> {
        let rows = self.rows(sql)?;
        rows.into_iter()
            .next()
            .and_then(|row| row.into_iter().next().flatten())
            .with_context(|| format!("no value for {sql}"))
    }

    fn pull(&mut self) -> Result<()> {
        let mut buffer = [0_u8; 16 * 1024];
        match self.stream.read(&mut buffer) {
            Ok(0) => self.closed = true,
            Ok(count) => self.received.extend_from_slice(buffer.get(..count).unwrap_or_default()),
            Err(error) if is_turn(&error) => {}
            Err(error) if is_gone(&error) => self.closed = true,
            Err(error) => return Err(error).context("receive from the server"),
        }
        Ok(())
    }
}

impl Stream {
    fn tcp(&self) -> &TcpStream {
        match self {
            Self::Clear(tcp) => tcp,
            Self::Tls(tls) => tls.get_ref(),
        }
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        match self {
            Self::Clear(tcp) => tcp.read(buffer),
            Self::Tls(tls) => tls.read(buffer),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        match self {
            Self::Clear(tcp) => tcp.write(bytes),
            Self::Tls(tls) => tls.write(bytes),
        }
    }

    fn flush(&mut self) -> std::io::Result<()> {
        match self {
            Self::Clear(tcp) => tcp.flush(),
            Self::Tls(tls) => tls.flush(),
        }
    }
}

/// Sends a `CancelRequest` on a connection of its own and waits for the other side to close it.
///
/// # Errors
/// When nobody listens or the socket fails.
pub fn send_cancel(dsn: &Dsn, pid: i32, key: &[u8]) -> Result<()> {
    let mut wire = Wire::open(dsn)?;
    wire.send(&message::cancel(pid, key))?;
    wire.closes_within(Duration::from_secs(2))?;
    Ok(())
}

/// Opens a bare TCP connection to the DSN's address.
///
/// # Errors
/// When nobody listens.
#[expect(clippy::disallowed_methods, reason = "the test kit is the client outside of the gateway; it holds no grant")]
pub fn dial(dsn: &Dsn) -> Result<TcpStream> {
    TcpStream::connect((dsn.host.as_str(), dsn.port)).with_context(|| format!("connect to {}:{}", dsn.host, dsn.port))
}

fn tls(dsn: &Dsn, mut tcp: TcpStream) -> Result<Stream> {
    tcp.set_read_timeout(Some(PATIENCE))?;
    tcp.write_all(&message::ssl_request())?;
    let mut answer = [0_u8];
    tcp.read_exact(&mut answer).context("read the answer to SSLRequest")?;
    if answer != *b"S" {
        bail!("the server refuses TLS");
    }
    let path = dsn.ca.as_deref().context("TLS without a certificate authority")?;
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(path).with_context(|| format!("read {}", path.display()))? {
        roots.add(certificate?)?;
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"postgresql".to_vec()];
    let name = ServerName::try_from(dsn.host.clone())?;
    let mut session = ClientConnection::new(Arc::new(config), name)?;
    while session.is_handshaking() {
        session.complete_io(&mut tcp).context("TLS handshake")?;
    }
    Ok(Stream::Tls(Box::new(StreamOwned::new(session, tcp))))
}

fn read_key(message: &Message) -> Option<(i32, Vec<u8>)> {
    let (pid, key) = message.body.split_first_chunk::<4>()?;
    Some((i32::from_be_bytes(*pid), key.to_vec()))
}

fn zero_ended(text: &[u8]) -> Vec<u8> {
    let mut out = text.to_vec();
    out.push(0);
    out
}

fn is_turn(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted)
}

fn is_gone(error: &std::io::Error) -> bool {
    let kinds =
        [ErrorKind::ConnectionReset, ErrorKind::BrokenPipe, ErrorKind::UnexpectedEof, ErrorKind::ConnectionAborted];
    kinds.contains(&error.kind())
}
