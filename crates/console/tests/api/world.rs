//! Doubles of the gate, the store and the recordings, and a small HTTP client on raw sockets.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use gate::ports::*;
use model::*;
use record::Micros;
use sallyport_console::ports::*;
use sallyport_console::view::*;
use sallyport_console::{Api, Operator, Server};
use tokio::sync::watch;

pub(crate) const OPERATOR: &str = "operator-credential-0123456789abcdef";

/// What the doubles hold and what happened to them.
#[derive(Default)]
pub(crate) struct State {
    /// `effect path` pairs that policy allows.
    pub(crate) allowed: Vec<(Effect, &'static str)>,
    /// Paths that policy denies by a rule.
    pub(crate) denied: Vec<&'static str>,
    pub(crate) approvals: Vec<StoredApproval>,
    pub(crate) audit: Vec<AuditEntry>,
    pub(crate) killed: Vec<String>,
    pub(crate) issued: Vec<TokenRequest>,
    pub(crate) verified: usize,
    /// How often the whole list was asked for.
    pub(crate) lists: usize,
}

#[derive(Clone, Default)]
pub(crate) struct Double {
    pub(crate) state: Arc<Mutex<State>>,
    pub(crate) audit_away: Arc<AtomicBool>,
    pub(crate) revoked: Arc<AtomicBool>,
    pub(crate) ready: Arc<AtomicBool>,
}

pub(crate) fn identity(subject: &str, kind: IdentityKind, groups: &[&str]) -> Identity {
    Identity {
        subject: subject.into(),
        issuer: "https://idp.example".into(),
        groups: groups.iter().map(|g| (*g).to_owned()).collect(),
        kind,
        on_behalf_of: vec![],
        task: None,
        claims: BTreeMap::new(),
    }
}

pub(crate) fn approval(number: u128, groups: &[&str]) -> StoredApproval {
    StoredApproval {
        request: ApprovalRequest {
            id: ApprovalId(uuid::Uuid::from_u128(number)),
            digest: [0; 32],
            session: SessionId(uuid::Uuid::from_u128(1)),
            number: 3,
            identity: identity("agent-7", IdentityKind::Agent, &["agents"]),
            target: "orders-db".into(),
            role: "app".into(),
            text: "DELETE FROM orders WHERE id = $1".into(),
            values: vec![Some("7".into()), None],
            actions: vec!["delete public.orders".into()],
            preview: vec!["about 3 rows".into()],
            reasons: vec!["held".into()],
            rules: vec!["writes need a human".into()],
            policy: "0123456789abcdef".into(),
            terms: ApprovalTerms {
                users: vec![],
                groups: groups.iter().map(|g| (*g).to_owned()).collect(),
                quorum: 1,
                expires_seconds: 900,
                reason_required: true,
                dry_run: false,
            },
            created: Micros(0),
            expires: Micros(900_000_000),
        },
        state: ApprovalState::Pending,
        outcome: None,
        answers: vec![],
    }
}

fn session(id: SessionId) -> SessionView {
    SessionView {
        id: id.to_string(),
        state: "closed".into(),
        identity: "agent-7".into(),
        subject: "agent-7".into(),
        target: "orders-db".into(),
        role: "app".into(),
        protocol: "postgres".into(),
        from: "127.0.0.1".into(),
        opened: rfc3339(Micros(0)),
        closed: None,
        reason: None,
        commands: 1,
        denied: None,
        held: None,
        bytes: None,
    }
}

impl Gateway for Double {
    fn live(&self) -> Vec<SessionView> {
        let mut live = session(SessionId(uuid::Uuid::from_u128(1)));
        live.state = "live".into();
        vec![live]
    }
    fn kill(&self, id: SessionId, reason: &str) -> bool {
        let live = id.0.as_u128() == 1;
        self.state.lock().unwrap().killed.push(reason.into());
        live
    }
    fn kill_token(&self, _: TokenId) -> usize {
        2
    }
    fn authorize(&self, _: &Identity, effect: Effect, path: &str, _: Option<IpAddr>) -> Result<(), Refused> {
        let state = self.state.lock().unwrap();
        if state.denied.contains(&path) {
            return Err(Refused { rules: vec!["never".into()], reasons: vec![] });
        }
        if state.allowed.contains(&(effect, path)) {
            return Ok(());
        }
        Err(Refused { rules: vec![], reasons: vec![format!("{effect} on path:{path} is not covered by any rule")] })
    }
    fn answer<'a>(
        &'a self,
        id: ApprovalId,
        approver: &'a Identity,
        approve: bool,
        reason: &'a str,
    ) -> BoxFuture<'a, Result<StoredApproval, AnswerRefused>> {
        Box::pin(async move {
            if reason.is_empty() {
                return Err(AnswerRefused::ReasonRequired);
            }
            let mut state = self.state.lock().unwrap();
            let stored =
                state.approvals.iter_mut().find(|stored| stored.request.id == id).ok_or(AnswerRefused::NotFound)?;
            if stored.state != ApprovalState::Pending {
                let by = stored.answers.first().map(|answer| answer.by.clone()).unwrap_or_default();
                return Err(AnswerRefused::Answered(by, stored.state.as_str()));
            }
            stored.state = if approve { ApprovalState::Approved } else { ApprovalState::Denied };
            stored.answers.push(Answer { by: approver.subject.clone(), approve, reason: reason.into(), at: Micros(1) });
            Ok(stored.clone())
        })
    }
    fn metrics(&self) -> String {
        "# EOF\n".into()
    }
}

impl Identities for Double {
    fn verify<'a>(&'a self, secret: &'a str, target: &'a str) -> BoxFuture<'a, Result<Proven, AuthFailure>> {
        Box::pin(async move {
            assert_eq!(target, "sallyport");
            self.state.lock().unwrap().verified += 1;
            if self.revoked.load(Ordering::SeqCst) {
                return Err(AuthFailure::Revoked);
            }
            let identity = match secret {
                "alice" => identity("alice", IdentityKind::Human, &["dba"]),
                "bob" => identity("bob", IdentityKind::Human, &["dev"]),
                "agent" => identity("agent-7", IdentityKind::Agent, &["dba"]),
                _ => return Err(AuthFailure::Unknown),
            };
            Ok(Proven { identity, expires: Micros(i64::MAX), token: None, targets: None })
        })
    }
    fn scram_parameters(&self) -> ScramParameters {
        ScramParameters { salt: vec![], iterations: 1 }
    }
    fn verify_scram<'a>(
        &'a self,
        _: &'a ScramAttempt,
        _: &'a str,
    ) -> BoxFuture<'a, Result<(Proven, [u8; 32]), AuthFailure>> {
        Box::pin(async { Err(AuthFailure::Unknown) })
    }
    fn bearer_discovery(&self) -> Option<(String, String)> {
        None
    }
}

impl Approvals for Double {
    fn create<'a>(&'a self, _: &'a ApprovalRequest) -> BoxFuture<'a, Result<(), StoreAway>> {
        Box::pin(async { Ok(()) })
    }
    fn get(&self, id: ApprovalId) -> BoxFuture<'_, Result<Option<StoredApproval>, StoreAway>> {
        Box::pin(async move {
            Ok(self.state.lock().unwrap().approvals.iter().find(|stored| stored.request.id == id).cloned())
        })
    }
    fn list(&self, pending: bool, _: u32) -> BoxFuture<'_, Result<Vec<StoredApproval>, StoreAway>> {
        Box::pin(async move {
            let state = self.state.lock().unwrap();
            Ok(state
                .approvals
                .iter()
                .filter(|stored| !pending || stored.state == ApprovalState::Pending)
                .cloned()
                .collect())
        })
    }
    fn answer<'a>(&'a self, _: ApprovalId, _: &'a Answer) -> BoxFuture<'a, Result<Option<StoredApproval>, StoreAway>> {
        Box::pin(async { Ok(None) })
    }
    fn granted(&self, _: [u8; 32], _: Micros) -> BoxFuture<'_, Result<Option<StoredApproval>, StoreAway>> {
        Box::pin(async { Ok(None) })
    }
    fn consume(&self, _: ApprovalId, _: Micros) -> BoxFuture<'_, Result<bool, StoreAway>> {
        Box::pin(async { Ok(false) })
    }
    fn report<'a>(&'a self, _: ApprovalId, _: &'a str) -> BoxFuture<'a, Result<(), StoreAway>> {
        Box::pin(async { Ok(()) })
    }

    fn end(&self, _: ApprovalId, _: ApprovalState) -> BoxFuture<'_, Result<(), StoreAway>> {
        Box::pin(async { Ok(()) })
    }
}

impl Audit for Double {
    fn write<'a>(&'a self, entry: &'a AuditEntry) -> BoxFuture<'a, Result<(), StoreAway>> {
        Box::pin(async move {
            if self.audit_away.load(Ordering::SeqCst) {
                return Err(StoreAway("the disk is full".into()));
            }
            self.state.lock().unwrap().audit.push(entry.clone());
            Ok(())
        })
    }
}

impl Clock for Double {
    fn now(&self) -> Micros {
        Micros(5)
    }
}

impl Tokens for Double {
    fn issue<'a>(&'a self, request: &'a TokenRequest, _: &'a str) -> BoxFuture<'a, Result<IssuedToken, TokenRefused>> {
        Box::pin(async move {
            self.state.lock().unwrap().issued.push(request.clone());
            Ok(IssuedToken {
                token: "sp_secret".into(),
                id: TokenId(uuid::Uuid::from_u128(9)),
                expires: Micros(60_000_000),
            })
        })
    }
    fn list(&self) -> BoxFuture<'_, Result<Vec<TokenView>, StoreAway>> {
        Box::pin(async { Err(StoreAway("gone".into())) })
    }
    fn revoke<'a>(&'a self, id: TokenId, _: &'a str) -> BoxFuture<'a, Result<bool, StoreAway>> {
        Box::pin(async move { Ok(id.0.as_u128() == 9) })
    }
}

impl Library for Double {
    fn list<'a>(&'a self, filter: &'a SessionFilter) -> BoxFuture<'a, Result<Vec<SessionView>, ReadFailure>> {
        Box::pin(async move {
            self.state.lock().unwrap().lists += 1;
            let all = (1..=3).rev().map(|n| session(SessionId(uuid::Uuid::from_u128(n))));
            Ok(all.take(filter.limit).collect())
        })
    }
    fn session(&self, id: SessionId) -> BoxFuture<'_, Result<SessionView, ReadFailure>> {
        Box::pin(async move { if id.0.as_u128() > 3 { Err(ReadFailure::NotFound) } else { Ok(session(id)) } })
    }
    fn read(&self, id: SessionId, reading: Reading) -> BoxFuture<'_, Result<Parts, ReadFailure>> {
        Box::pin(async move {
            if id.0.as_u128() > 3 {
                return Err(ReadFailure::NotFound);
            }
            let (sender, parts) = tokio::sync::mpsc::channel(4);
            tokio::spawn(async move {
                for n in 0..3 {
                    if sender.send(Ok(Bytes::from(format!("{{\"n\":{n}}}\n")))).await.is_err() {
                        return;
                    }
                }
                if id.0.as_u128() == 3 {
                    let _ = sender.send(Err(ReadFailure::Damaged("byte 77".into()))).await;
                } else if reading.follow {
                    sender.closed().await;
                }
            });
            Ok(parts)
        })
    }
}

impl Runtime for Double {
    fn checks(&self) -> BoxFuture<'_, Vec<Check>> {
        let ok = self.ready.load(Ordering::SeqCst);
        Box::pin(async move {
            vec![Check { name: "store".into(), ok, detail: "/var/lib/x.db: a word".into(), public: "see the log" }]
        })
    }
    fn targets(&self) -> Vec<TargetView> {
        vec![TargetView {
            name: "orders-db".into(),
            kind: "postgres".into(),
            labels: BTreeMap::new(),
            roles: vec!["app".into()],
            default_role: "app".into(),
        }]
    }
    fn policy(&self) -> PolicyView {
        PolicyView { version: "0123456789abcdef".into(), rules: 3, since: rfc3339(Micros(0)), problem: None }
    }
}

/// A served API.
pub(crate) struct World {
    pub(crate) double: Double,
    pub(crate) address: SocketAddr,
    pub(crate) stop: watch::Sender<bool>,
    pub(crate) server: tokio::task::JoinHandle<()>,
}

impl World {
    pub(crate) async fn new() -> Self {
        let double = Double::default();
        let all = Arc::new(double.clone());
        let api = Arc::new(Api {
            gateway: all.clone(),
            identities: all.clone(),
            approvals: all.clone(),
            audit: all.clone(),
            clock: all.clone(),
            tokens: all.clone(),
            library: all.clone(),
            runtime: all,
            operator: Operator::new(OPERATOR, "root"),
            open_metrics: false,
        });
        let server = Server::bind("127.0.0.1:0".parse().unwrap(), None).await.unwrap();
        let address = server.address();
        let (stop, watch) = watch::channel(false);
        let server = tokio::spawn(server.run(sallyport_console::router(api), watch));
        Self { double, address, stop, server }
    }

    pub(crate) fn allow(&self, effect: Effect, path: &'static str) {
        self.double.state.lock().unwrap().allowed.push((effect, path));
    }

    pub(crate) async fn call(&self, method: &str, path: &str, bearer: &str, body: Option<&str>) -> Reply {
        let mut head = format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n");
        if !bearer.is_empty() {
            head.push_str(&format!("Authorization: Bearer {bearer}\r\n"));
        }
        if let Some(body) = body {
            head.push_str(&format!("Content-Type: application/json\r\nContent-Length: {}\r\n", body.len()));
        }
        self.raw(format!("{head}\r\n{}", body.unwrap_or_default()).into_bytes()).await
    }

    pub(crate) async fn raw(&self, request: Vec<u8>) -> Reply {
        let address = self.address;
        tokio::task::spawn_blocking(move || {
            #[expect(clippy::disallowed_methods, reason = "the client of a test")]
            let mut stream = std::net::TcpStream::connect(address).unwrap();
            // The server may refuse and close before it has read all.
            let _ = stream.write_all(&request);
            let mut bytes = Vec::new();
            let whole = stream.read_to_end(&mut bytes).is_ok();
            Reply::parse(&bytes, whole)
        })
        .await
        .unwrap()
    }
}

/// An HTTP answer.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
    pub(crate) whole: bool,
}

impl Reply {
    fn parse(bytes: &[u8], whole: bool) -> Self {
        let text = String::from_utf8_lossy(bytes).into_owned();
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
        let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0);
        let chunked = head.to_lowercase().contains("transfer-encoding: chunked");
        let ended = !chunked || body.ends_with("0\r\n\r\n");
        let body = if chunked { unchunk(body) } else { body.to_owned() };
        Self { status, head: head.to_lowercase(), body, whole: whole && ended }
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    pub(crate) fn code(&self) -> String {
        self.json()["code"].as_str().unwrap_or_default().to_owned()
    }

    pub(crate) fn message(&self) -> String {
        self.json()["message"].as_str().unwrap_or_default().to_owned()
    }
}

fn unchunk(mut body: &str) -> String {
    let mut out = String::new();
    while let Some((size, rest)) = body.split_once("\r\n") {
        let Ok(size) = usize::from_str_radix(size, 16) else {
            break;
        };
        if size == 0 || rest.len() < size {
            break;
        }
        out.push_str(&rest[..size]);
        body = rest[size..].trim_start_matches("\r\n");
    }
    out
}
