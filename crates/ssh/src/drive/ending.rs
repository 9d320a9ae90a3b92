//! The end of a session: what was shown reaches the client, both sides are told, the recording is sealed.

use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;

use gate::Refusal;

use super::Drive;
use crate::answer;
use crate::link::socket::{Framed, SocketError};
use crate::link::{Link, LinkError};
use crate::session::End;

/// How long a client may take to read what its target said before it went away.
const LAST_OUTPUT: Duration = Duration::from_secs(5);
/// How long a peer may take to read our last words.
const LAST_WORDS: Duration = Duration::from_millis(500);
/// `SSH_DISCONNECT_PROTOCOL_ERROR` (RFC 4253, section 11.1).
const PROTOCOL_ERROR: u32 = 2;
/// `SSH_DISCONNECT_BY_APPLICATION`.
const BY_APPLICATION: u32 = 11;

/// Why a session ended.
pub(super) enum Ending {
    ClientClosed,
    TargetClosed(String),
    Drained,
    Refused(Box<Refusal>),
    Client(String),
    Target(String),
}

impl From<End> for Ending {
    fn from(end: End) -> Self {
        match end {
            End::Refused(refusal) => Self::Refused(refusal),
            End::Client(why) => Self::Client(why.to_owned()),
            End::Target(why) => Self::Target(why.to_owned()),
        }
    }
}

impl Ending {
    /// What became of the client's connection.
    pub(super) fn by_client(error: &SocketError) -> Self {
        match error {
            SocketError::Closed | SocketError::Io(_) | SocketError::Link(LinkError::Disconnected(_)) => {
                Self::ClientClosed
            }
            SocketError::Link(error) => Self::Client(error.to_string()),
        }
    }

    /// What became of the target's connection.
    pub(super) fn by_target(error: &SocketError) -> Self {
        match error {
            SocketError::Closed | SocketError::Io(_) | SocketError::Link(LinkError::Disconnected(_)) => {
                Self::TargetClosed(error.to_string())
            }
            SocketError::Link(error) => Self::Target(error.to_string()),
        }
    }

    /// The reason for the recording, and what the client is told.
    fn last_words(&self) -> (String, Option<(u32, String)>) {
        match self {
            Self::ClientClosed => ("client closed".to_owned(), None),
            Self::TargetClosed(why) => {
                let words = "sallyport: the target closed the connection".to_owned();
                (format!("target closed: {why}"), Some((BY_APPLICATION, words)))
            }
            Self::Drained => {
                let words = "sallyport: the gateway is stopping".to_owned();
                ("gateway stopped".to_owned(), Some((BY_APPLICATION, words)))
            }
            Self::Refused(refusal) => (refusal.detail(), Some((BY_APPLICATION, answer::short(refusal)))),
            Self::Client(why) => {
                let words = format!("sallyport: the message breaks the protocol: {why}");
                (format!("client broke the protocol: {why}"), Some((PROTOCOL_ERROR, words)))
            }
            Self::Target(why) => {
                let words = "sallyport: the target broke the protocol".to_owned();
                (format!("target broke the protocol: {why}"), Some((BY_APPLICATION, words)))
            }
        }
    }
}

impl Drive {
    /// Ends the session for this reason.
    pub(super) async fn finish(mut self, ending: &Ending) {
        let (reason, words) = ending.last_words();
        for job in std::mem::take(&mut self.jobs) {
            tokio::task::spawn_local(self.gate().withdraw(job.id));
        }
        match ending {
            Ending::TargetClosed(_) | Ending::Target(_) => self.show_last_output().await,
            Ending::Refused(_) => {
                self.relay.to_target.forget();
                self.relay.to_client.forget();
                self.relay.kill_all();
            }
            Ending::ClientClosed | Ending::Client(_) => self.relay.to_client.forget(),
            Ending::Drained => {}
        }
        self.relay.finish_all();
        self.report();
        if let Some((code, words)) = words {
            self.relay.welcome(Framed(Link::goodbye(code, &words)));
        }
        let client = tokio::time::timeout(LAST_WORDS, self.client.flush(&mut self.relay.to_client));
        let target = tokio::time::timeout(LAST_WORDS, self.target.flush(&mut self.relay.to_target));
        let _told = tokio::join!(client, target);
        self.client.shutdown().await;
        self.target.shutdown().await;
        tracing::info!(session = %self.relay.session.id(), %reason, "session closed");
        self.relay.session.close(&reason);
        self.grant.release().await;
    }

    /// Shows what the target said before it went away, as a client without a gateway would have got it. What is not recorded is not shown, and
    /// a session that may not go on shows nothing more.
    async fn show_last_output(&mut self) {
        if self.relay.failed.is_some() || self.relay.end_all_output().is_err() {
            self.relay.to_client.forget();
            return;
        }
        let shown = poll_fn(|cx| {
            self.relay.session.watch(cx);
            if self.expiry.as_mut().poll(cx).is_ready() || self.relay.session.over().is_some() {
                return Poll::Ready(false);
            }
            self.client.poll_flush(cx, &mut self.relay.to_client).map(|flushed| flushed.is_ok())
        });
        if !matches!(tokio::time::timeout(LAST_OUTPUT, shown).await, Ok(true)) {
            self.relay.to_client.forget();
        }
    }
}
