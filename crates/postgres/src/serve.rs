//! One client connection from its first byte to its last: login, open, dial, drive.

use std::rc::Rc;
use std::sync::Arc;

use gate::{Asked, AskedRole, Gate, Grant, OpenRequest, Opened, Outbox, Refusal, RefusalKind, Session, ToClient};
use model::Command;
use net::{Accepted, Transport};
use tracing::Instrument;

use crate::cancel::{CancelKey, Cancels};
use crate::catalogue::{self, Catalogues};
use crate::classify::{self, Names};
use crate::config::{PostgresListen, TargetOptions};
use crate::drive::{self, Drive, Pacer};
use crate::login::{self, LoggedIn, LoginEnd, Terms};
use crate::session::Relay;
use crate::upstream::{self, StartupParams, Upstream};
use crate::wire::{TransactionStatus, encode};
use crate::{PROTOCOL, answer};

/// What all connections of one listener share.
pub struct Server {
    gate: Arc<Gate>,
    tls: Arc<net::ServerTls>,
    listen: PostgresListen,
    catalogues: Catalogues,
    cancels: Arc<Cancels>,
}

impl Server {
    /// A server for one listener.
    #[must_use]
    pub fn new(gate: Arc<Gate>, tls: Arc<net::ServerTls>, listen: PostgresListen) -> Arc<Self> {
        Arc::new(Self { gate, tls, listen, catalogues: Catalogues::default(), cancels: Arc::default() })
    }

    /// Serves one connection to its end.
    pub async fn serve(self: Arc<Self>, accepted: Accepted) {
        let peer = accepted.peer;
        let span = tracing::info_span!("connection", protocol = PROTOCOL.0, from = %peer.ip());
        // Not the session itself: a span would be entered and left at every message.
        if let Some(drive) = self.login(accepted).instrument(span).await {
            drive.run().await;
        }
    }

    async fn login(self: Arc<Self>, accepted: Accepted) -> Option<Drive> {
        let Accepted { stream, peer, mut admission, deadline, .. } = accepted;
        let terms = Terms {
            tls: Some(&self.tls),
            identities: self.gate.identities().as_ref(),
            settings: &self.listen.login,
            deadline,
        };
        let logged_in = match login::run(Transport::plain(stream, peer), &terms).await {
            Ok(logged_in) => logged_in,
            Err(LoginEnd::Cancel { pid, key }) => {
                self.cancels.request(pid, &key);
                return None;
            }
            Err(LoginEnd::Left) => return None,
            Err(end) => {
                tracing::info!(reason = %end, "login failed");
                self.gate.count_login_failure(PROTOCOL.0);
                return None;
            }
        };
        admission.authenticated();
        drop(admission);
        self.session(logged_in).await
    }

    async fn session(self: Arc<Self>, logged_in: LoggedIn) -> Option<Drive> {
        let LoggedIn {
            mut transport,
            proven,
            unread: client_in,
            minor,
            target,
            database,
            role,
            settings,
            application_name,
            ..
        } = logged_in;
        let client = application_name.unwrap_or_default();
        let wanted = Wanted { target, database, settings, minor, client };
        let from = Some(transport.peer().ip());
        let request = OpenRequest {
            protocol: PROTOCOL.0,
            target: &wanted.target,
            // A name that is no role says who asks, as far as the client knows.
            role: role.as_deref().map(AskedRole::Preferred),
            scope: wanted.database.as_deref().unwrap_or_default(),
            from,
            client: &wanted.client,
        };
        let Opened { grant, mut session } = match self.gate.open(proven, request).await {
            Ok(opened) => opened,
            Err(refusal) => {
                tracing::info!(code = refusal.kind.code(), target = %wanted.target, "connection refused");
                turn_away(transport, &refusal).await;
                return None;
            }
        };
        tracing::info!(session = %session.id(), target = %wanted.target, role = grant.role(), "session opened");
        let begun = self.begin(&grant, &mut session, &wanted, &mut transport).await;
        let Begun { upstream, options, cancel, path, own_path, reader } = match begun {
            Ok(begun) => begun,
            Err(failure) => {
                tracing::warn!(session = %session.id(), reason = %failure.log, "session not begun");
                let fatal = failure.message;
                // A client that does not read is left behind; the recording says why all the same.
                let _told = drive::say(&mut transport, &fatal).await;
                transport.shutdown().await;
                session.close(&failure.log);
                grant.release().await;
                return None;
            }
        };
        let keeper =
            self.catalogues.keeper(&wanted.target, reader.role(), wanted.database.as_deref().unwrap_or_default());
        let expiry = drive::expiry(&self.gate, session.expires());
        let Upstream { transport: target, pid, key, unread, user, .. } = upstream;
        let mut relay = Relay::new(session, keeper, user, pid);
        relay.widen_path(own_path.iter().chain(&path).map(String::as_str));
        Some(Drive {
            client: transport,
            target,
            relay,
            grant,
            reader,
            options: Rc::new(options),
            database: wanted.database,
            cancel,
            cancelling: Rc::default(),
            backend: (pid, key),
            max_message: self.listen.max_message,
            client_in,
            target_in: unread,
            job: None,
            stop: None,
            pace: Pacer::default(),
            expiry,
            waiting: false,
            unfed: false,
            copy_left: 0,
            client_gone: false,
            deaf: None,
        })
    }

    /// Settings judged, target reached, client greeted.
    async fn begin(
        &self,
        grant: &Arc<Grant>,
        session: &mut Session,
        wanted: &Wanted,
        transport: &mut Transport,
    ) -> Result<Begun, Failure> {
        let options = TargetOptions::from_value(&grant.endpoint().options)
            .map_err(|error| Failure::refused(&Refusal::of(RefusalKind::Unavailable), error.to_string()))?;
        let (settings, path) = judge_settings(session, &wanted.settings).map_err(|refusal| {
            let log = refusal.detail();
            Failure::refused(&refusal, log)
        })?;
        let startup = StartupParams {
            database: wanted.database.clone(),
            application_name: name_for_target(grant, &wanted.client),
            settings,
        };
        let reader = reader_of(grant, &options)?;
        let mut upstream =
            upstream::connect(grant, &options, &startup).await.map_err(|error| Failure::upstream(&error))?;
        let recorded = session.leased(&upstream.user, &link(grant, &upstream));
        recorded.map_err(|refusal| Failure::refused(&refusal, refusal.detail()))?;
        let own_path = catalogue::own_path(grant, &mut upstream).await.map_err(|error| {
            let log = format!("the role's search path: {error}");
            Failure::refused(&Refusal::of(RefusalKind::Unavailable), log)
        })?;
        let Some(cancel) = self.cancels.issue(upstream.pid, wanted.minor >= 2) else {
            return Err(Failure::refused(&Refusal::of(RefusalKind::Unavailable), "no random bytes".to_owned()));
        };
        let mut greeting = Vec::new();
        for (name, value) in &upstream.parameters {
            let value = if name == "application_name" { &wanted.client } else { value };
            encode::parameter_status(&mut greeting, name, value);
        }
        encode::backend_key(&mut greeting, cancel.pid, &cancel.key);
        encode::ready(&mut greeting, TransactionStatus::Idle);
        let mut outbox = Outbox::<ToClient>::default();
        let released = session.release(greeting);
        outbox.push(released);
        transport
            .flush(&mut outbox)
            .await
            .map_err(|error| Failure { message: Vec::new(), log: error.kind().to_string() })?;
        Ok(Begun { upstream, options, cancel, path, own_path, reader })
    }
}

/// What a client asked for when it logged in.
struct Wanted {
    target: String,
    database: Option<String>,
    settings: Vec<(String, String)>,
    minor: u16,
    client: String,
}

/// A session that can be driven.
struct Begun {
    upstream: Upstream,
    options: TargetOptions,
    cancel: CancelKey,
    /// Schemas that the client asked for.
    path: Vec<String>,
    /// The path with which the session begins.
    own_path: Vec<String>,
    /// What the catalogue is read under.
    reader: Arc<Grant>,
}

/// The session's own grant, unless the target's options name another role for the catalogue.
fn reader_of(grant: &Arc<Grant>, options: &TargetOptions) -> Result<Arc<Grant>, Failure> {
    match options.catalog.as_deref() {
        Some(role) if role != grant.role() => grant.beside(role).map(Arc::new).ok_or_else(|| {
            let log = format!("`catalog` names {role}, which is no role of the target");
            Failure::refused(&Refusal::of(RefusalKind::Unavailable), log)
        }),
        Some(_) | None => Ok(Arc::clone(grant)),
    }
}

/// How the target was reached, for the recording.
fn link(grant: &Grant, upstream: &Upstream) -> String {
    let address = &grant.endpoint().address;
    match &upstream.tls {
        Some(tls) => format!("{address}, {} {}", tls.version, tls.cipher),
        None => format!("{address}, no TLS"),
    }
}

/// A session that ended before it began.
struct Failure {
    message: Vec<u8>,
    log: String,
}

impl Failure {
    fn refused(refusal: &Refusal, log: String) -> Self {
        let mut message = Vec::new();
        answer::refuse(&mut message, refusal, true);
        Self { message, log }
    }

    fn upstream(error: &upstream::UpstreamError) -> Self {
        let mut message = Vec::new();
        let text = match error {
            upstream::UpstreamError::Dial(error) => error.for_client(),
            other => other.to_string(),
        };
        answer::fatal(&mut message, error.sqlstate(), &format!("sallyport: {text}"));
        Self { message, log: error.to_string() }
    }
}

async fn turn_away(mut transport: Transport, refusal: &Refusal) {
    let mut message = Vec::new();
    answer::refuse(&mut message, refusal, true);
    // A client that does not read is left behind.
    let _told = drive::say(&mut transport, &message).await;
    transport.shutdown().await;
}

/// What the target's own logs and views call the session: who asked, and with what. Servers cut names at 63 bytes.
fn name_for_target(grant: &Grant, client: &str) -> String {
    let name = format!("sallyport {} {client}", grant.identity().display());
    name.chars().filter(|c| c.is_ascii_graphic() || *c == ' ').take(63).collect::<String>().trim_end().to_owned()
}

/// Settings that come with the startup message are judged as the SET commands that they are.
type Settings = (Vec<(String, String)>, Vec<String>);

fn judge_settings(session: &mut Session, wanted: &[(String, String)]) -> Result<Settings, Refusal> {
    let names = Names::empty();
    let mut path = Vec::new();
    for (name, value) in wanted {
        let text = format!("SET {} = {}", quote_name(name), quote_value(name, value));
        let refuse = || Refusal::of(RefusalKind::Setting).because(format!("startup setting {name}"));
        let analysed = classify::analyze(&text, &names).ok_or_else(refuse)?;
        let intent = &analysed.analysis.intent;
        let command = Command { intent, text: &text, values: &[], in_transaction: false, unmask: &[] };
        match session.ask(&command, ()) {
            Asked::Allow(_judged, _) => {}
            Asked::Deny(refusal) | Asked::Close(refusal) => {
                return Err(
                    Refusal { kind: RefusalKind::Setting, ..*refusal }.because(format!("startup setting {name}"))
                );
            }
            Asked::Hold(held) => {
                let (refusal, _) = session.abandon(*held, false);
                return Err(
                    Refusal { kind: RefusalKind::Setting, ..refusal }.because(format!("startup setting {name}"))
                );
            }
        }
        path.extend(analysed.path().map(str::to_owned));
    }
    Ok((wanted.to_vec(), path))
}

/// At startup one value is the whole list of a setting that has one; in SET each element is a constant of its own.
fn quote_value(name: &str, value: &str) -> String {
    let parts = sql::catalog::split_path(value);
    if !name.eq_ignore_ascii_case("search_path") || parts.is_empty() {
        return quote(value);
    }
    parts.iter().map(|part| quote(part)).collect::<Vec<_>>().join(", ")
}

fn quote(value: &str) -> String {
    format!("'{}'", value.replace('\'', "''"))
}

/// A setting's name may have one dot; each part is quoted.
fn quote_name(name: &str) -> String {
    let parts: Vec<_> =
        name.split('.').map(|part| format!("\"{}\"", part.to_lowercase().replace('"', "\"\""))).collect();
    parts.join(".")
}
