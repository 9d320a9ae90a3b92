//! One client connection from its first byte to its last: login, open, dial, drive.

use std::net::IpAddr;
use std::sync::Arc;

use gate::ports::AuditEntry;
use gate::{AskedRole, Gate, OpenRequest, Opened, Outbox, Refusal, RefusalKind, ToClient};
use net::{Accepted, Transport};
use tracing::Instrument;

use crate::config::{SshListen, TargetOptions};
use crate::drive::{self, Drive};
use crate::keys::own::SigningKey;
use crate::link::Link;
use crate::link::socket::{Framed, Socket};
use crate::login::{LoggedIn, Login};
use crate::session::Relay;
use crate::sftp::request::LinkOrder;
use crate::upstream::{self, Upstream};
use crate::wire::number;
use crate::{PROTOCOL, answer};

/// What all connections of one listener share.
pub struct Server {
    gate: Arc<Gate>,
    host_key: Arc<SigningKey>,
    listen: SshListen,
}

impl Server {
    /// A server for one listener, with the key that it proves itself with.
    #[must_use]
    pub fn new(gate: Arc<Gate>, host_key: Arc<SigningKey>, listen: SshListen) -> Arc<Self> {
        Arc::new(Self { gate, host_key, listen })
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
        let link =
            Link::server(Arc::clone(&self.host_key)).inspect_err(|error| tracing::error!(%error, "no link")).ok()?;
        let mut socket = Socket::new(link, Transport::plain(stream, peer));
        let mut outbox = Outbox::<ToClient>::default();
        let identities = self.gate.identities().as_ref();
        let mut login = Login {
            socket: &mut socket,
            outbox: &mut outbox,
            identities,
            failure_delay: self.listen.failure_delay,
            next: None,
        };
        let logged_in = match login.run(deadline).await {
            Ok(logged_in) => logged_in,
            Err(end) => {
                tracing::info!(reason = %end, "login failed");
                self.gate.count_login_failure(PROTOCOL.0);
                socket.shutdown().await;
                return None;
            }
        };
        admission.authenticated();
        drop(admission);
        match self.open(&mut login, &logged_in).await {
            Some((opened, upstream)) => Some(self.drive(opened, upstream, socket, outbox)),
            None => {
                socket.shutdown().await;
                None
            }
        }
    }

    /// A session and its target; without one the client was told why.
    async fn open(&self, login: &mut Login<'_>, logged_in: &LoggedIn) -> Option<(Opened, Upstream)> {
        let LoggedIn { proven, target, role, client, by_browser } = logged_in;
        let from = Some(login.socket.peer().ip());
        if *by_browser && !self.audited(login.socket.peer().ip(), logged_in).await {
            login.turn_away(&words(&Refusal::of(RefusalKind::Unavailable))).await;
            return None;
        }
        let role = role.as_deref().map(AskedRole::Named);
        let request = OpenRequest { protocol: PROTOCOL.0, target, role, scope: "", from, client };
        let Opened { grant, mut session } = match self.gate.open(proven.clone(), request).await {
            Ok(opened) => opened,
            Err(refusal) => {
                tracing::info!(code = refusal.kind.code(), %target, "connection refused");
                login.turn_away(&words(&refusal)).await;
                return None;
            }
        };
        tracing::info!(session = %session.id(), %target, role = grant.role(), "session opened");
        let options = TargetOptions::from_value(&grant.endpoint().options)
            .map_err(|error| (words(&Refusal::of(RefusalKind::Unavailable)), error.to_string()));
        let connected = match options {
            Ok(options) => upstream::connect(&grant, &options, &self.listen.known)
                .await
                .map_err(|error| (error.for_client(), error.to_string())),
            Err(error) => Err(error),
        };
        let recorded = connected.and_then(|upstream| match session.leased(&upstream.user, &upstream.link) {
            Ok(()) => Ok(upstream),
            Err(refusal) => Err((words(&refusal), refusal.detail())),
        });
        match recorded {
            Ok(upstream) => Some((Opened { grant, session }, upstream)),
            Err((told, log)) => {
                tracing::warn!(session = %session.id(), reason = %log, "session not begun");
                login.turn_away(&told).await;
                session.close(&log);
                grant.release().await;
                None
            }
        }
    }

    /// Writes down who has logged in with the browser, and where that was asked for: if somebody was talked into it, this is where it shows.
    async fn audited(&self, from: IpAddr, logged_in: &LoggedIn) -> bool {
        let LoggedIn { proven, target, .. } = logged_in;
        let entry = AuditEntry {
            at: self.gate.now(),
            actor: proven.identity.display(),
            action: "login.device",
            object: target.clone(),
            detail: format!("device login from {from}, proven by {}", proven.identity.issuer),
        };
        let written = self.gate.audit().write(&entry).await;
        if let Err(away) = &written {
            tracing::error!(error = %away, "login refused: it cannot be written to the audit log");
        }
        written.is_ok()
    }

    /// The client is told that it is in.
    fn drive(&self, opened: Opened, upstream: Upstream, client: Socket, outbox: Outbox<ToClient>) -> Drive {
        let Opened { grant, session } = opened;
        let expiry = drive::expiry(&self.gate, session.expires());
        let mut relay = Relay::new(session);
        if upstream.socket.link().greeting().starts_with(b"SSH-2.0-OpenSSH") {
            relay.link_order = LinkOrder::OpenSsh;
        }
        relay.to_client = outbox;
        relay.welcome(Framed(vec![number::USERAUTH_SUCCESS]));
        Drive::new(client, upstream.socket, relay, grant, expiry)
    }
}

fn words(refusal: &Refusal) -> String {
    let text = answer::refusal(refusal, true);
    text.trim_end().trim_start_matches("sallyport: ").to_owned()
}
