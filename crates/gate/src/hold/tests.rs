//! Answers that come too late, over a store that another person's answer reached first.

use std::collections::BTreeMap;
use std::task::{Context, Poll};

use mask::MaskKey;
use model::{ApprovalTerms, SessionId};
use policy::{Policy, Source};
use uuid::Uuid;

use super::*;
use crate::ports::*;
use crate::{Parts, Settings, Targets};

const ID: ApprovalId = ApprovalId(Uuid::nil());

/// One request: as it is when the gate looks, and as it is when the answer reaches the store.
struct Double {
    seen: Mutex<StoredApproval>,
    between: Option<Answer>,
    audit: Mutex<Vec<AuditEntry>>,
}

fn person(subject: &str) -> Identity {
    Identity {
        subject: subject.to_owned(),
        issuer: "https://idp.example".to_owned(),
        groups: vec!["dba".to_owned()],
        kind: IdentityKind::Human,
        on_behalf_of: Vec::new(),
        task: None,
        claims: BTreeMap::new(),
    }
}

fn given(by: &str, approve: bool) -> Answer {
    Answer { by: by.to_owned(), approve, reason: "looked".to_owned(), at: Micros(1) }
}

fn request(quorum: u32) -> StoredApproval {
    let request = ApprovalRequest {
        id: ID,
        digest: [0; 32],
        session: SessionId(Uuid::nil()),
        number: 1,
        identity: person("alice"),
        target: "orders-db".to_owned(),
        role: "app".to_owned(),
        text: "DELETE FROM orders".to_owned(),
        values: Vec::new(),
        actions: Vec::new(),
        preview: Vec::new(),
        reasons: Vec::new(),
        rules: Vec::new(),
        policy: "0".to_owned(),
        terms: ApprovalTerms { groups: vec!["dba".to_owned()], quorum, ..ApprovalTerms::default() },
        created: Micros(0),
        expires: Micros(i64::MAX),
    };
    StoredApproval { request, state: ApprovalState::Pending, answers: Vec::new(), outcome: None }
}

/// A gate whose store gets `between` after the gate has looked and before the answer is stored.
fn gate(quorum: u32, between: Option<Answer>) -> (Arc<Gate>, Arc<Double>) {
    let double = Arc::new(Double { seen: Mutex::new(request(quorum)), between, audit: Mutex::default() });
    let source = Source { name: "policy.yaml", text: "rules: [{ name: all, who: any, do: [connect], then: allow }]" };
    let gate = Gate::new(Parts {
        policy: Arc::new(Policy::parse(&[source]).unwrap()),
        targets: Targets::default(),
        identities: double.clone(),
        secrets: double.clone(),
        approvals: double.clone(),
        recordings: double.clone(),
        audit: double.clone(),
        clock: double.clone(),
        mask_key: MaskKey::new([7; 32]),
        settings: Settings::default(),
    });
    (gate, double)
}

fn take(stored: &mut StoredApproval, answer: &Answer) {
    if stored.state != ApprovalState::Pending || stored.answers.iter().any(|one| one.by == answer.by) {
        return;
    }
    stored.answers.push(answer.clone());
    let yes = stored.answers.iter().filter(|answer| answer.approve).count();
    if !answer.approve {
        stored.state = ApprovalState::Denied;
    } else if yes >= stored.request.terms.quorum as usize {
        stored.state = ApprovalState::Approved;
    }
}

fn details(double: &Double) -> Vec<String> {
    double.audit.lock().unwrap().iter().map(|entry| format!("{} {}", entry.actor, entry.detail)).collect()
}

#[tokio::test]
async fn the_second_of_two_is_told_whose_answer_was_first() {
    let (gate, double) = gate(1, Some(given("eli", false)));
    let error = gate.answer(ID, &person("dana"), true, "").await.unwrap_err();
    assert_eq!(error.to_string(), "already answered by eli; the request is denied");
    assert_eq!(
        details(&double),
        ["dana approve", "dana approve: not taken, already answered by eli; the request is denied"]
    );
    // Now the gate sees it when it looks: nothing is audited that does not reach the store.
    let error = gate.answer(ID, &person("fay"), true, "").await.unwrap_err();
    assert_eq!(error.to_string(), "already answered by eli; the request is denied");
    assert_eq!(details(&double).len(), 2);
}

#[tokio::test]
async fn a_person_answers_once_and_others_still_count() {
    let (gate, double) = gate(2, None);
    let first = gate.answer(ID, &person("dana"), true, "").await.unwrap();
    assert_eq!(first.state, ApprovalState::Pending);
    let again = gate.answer(ID, &person("dana"), false, "").await.unwrap_err();
    assert_eq!(again.to_string(), "already answered by dana; the request is pending");
    let second = gate.answer(ID, &person("eli"), true, "").await.unwrap();
    assert_eq!(second.state, ApprovalState::Approved);
    assert_eq!(details(&double).len(), 4);
    let late = gate.answer(ID, &person("fay"), true, "").await.unwrap_err();
    assert_eq!(late.to_string(), "already answered by dana and eli; the request is approved");
}

#[tokio::test]
async fn what_ended_by_itself_was_answered_by_nobody() {
    let (gate, double) = gate(1, None);
    double.seen.lock().unwrap().state = ApprovalState::Expired;
    let error = gate.answer(ID, &person("dana"), true, "").await.unwrap_err();
    assert_eq!(error.to_string(), "the request is expired already");
}

impl Approvals for Double {
    fn create<'a>(&'a self, _: &'a ApprovalRequest) -> BoxFuture<'a, Result<(), StoreAway>> {
        Box::pin(async { Ok(()) })
    }
    fn get(&self, _: ApprovalId) -> BoxFuture<'_, Result<Option<StoredApproval>, StoreAway>> {
        Box::pin(async { Ok(Some(self.seen.lock().unwrap().clone())) })
    }
    fn list(&self, _: bool, _: u32) -> BoxFuture<'_, Result<Vec<StoredApproval>, StoreAway>> {
        Box::pin(async { Ok(Vec::new()) })
    }
    fn answer<'a>(
        &'a self,
        _: ApprovalId,
        answer: &'a Answer,
    ) -> BoxFuture<'a, Result<Option<StoredApproval>, StoreAway>> {
        Box::pin(async move {
            let mut stored = self.seen.lock().unwrap();
            if let Some(first) = &self.between {
                take(&mut stored, first);
            }
            take(&mut stored, answer);
            Ok(Some(stored.clone()))
        })
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
        Box::pin(async {
            self.audit.lock().unwrap().push(entry.clone());
            Ok(())
        })
    }
}

impl Clock for Double {
    fn now(&self) -> Micros {
        Micros(5)
    }
}

impl Identities for Double {
    fn verify<'a>(&'a self, _: &'a str, _: &'a str) -> BoxFuture<'a, Result<Proven, AuthFailure>> {
        Box::pin(async { Err(AuthFailure::Unknown) })
    }
    fn scram_parameters(&self) -> ScramParameters {
        ScramParameters { salt: Vec::new(), iterations: 1 }
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

impl Secrets for Double {
    fn lease<'a>(&'a self, _: &'a str, _: &'a str, _: SessionId) -> BoxFuture<'a, Result<Lease, LeaseError>> {
        Box::pin(async { Err(LeaseError::Sealed("a double".to_owned())) })
    }
    fn release<'a>(&'a self, _: &'a str, _: &'a str, _: SessionId) -> BoxFuture<'a, ()> {
        Box::pin(async {})
    }
}

impl Recordings for Double {
    fn open<'a>(
        &'a self,
        _: SessionId,
        _: Micros,
        _: &'a record::Opened<'a>,
    ) -> BoxFuture<'a, Result<Box<dyn Recorder>, StoreAway>> {
        Box::pin(async { Ok(Box::new(Forgetful) as Box<dyn Recorder>) })
    }
    fn healthy(&self) -> Result<(), String> {
        Ok(())
    }
}

/// A recorder that takes everything.
struct Forgetful;

impl Recorder for Forgetful {
    fn append(&mut self, _: Micros, _: &record::Event<'_>) -> Result<(), RecordFailure> {
        Ok(())
    }
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), RecordFailure>> {
        Poll::Ready(Ok(()))
    }
    fn seal(&mut self) {}
}

const RULES: &str = "rules: [{ name: all, who: any, do: [connect, read], then: allow }]\n";

fn with_tool(tool: &str) -> Arc<Policy> {
    let text = format!("{RULES}tools: [{tool}]\n");
    Arc::new(Policy::parse(&[Source { name: "policy.yaml", text: &text }]).unwrap())
}

/// A session at a gate whose policy says that `x` reads.
async fn session() -> (Arc<Gate>, crate::Session) {
    let (gate, _) = gate(1, None);
    gate.replace_policy(with_tool("{ command: x, does: read }"));
    let target = model::Target {
        name: "web".to_owned(),
        kind: "ssh".to_owned(),
        labels: BTreeMap::new(),
        roles: vec!["ops".to_owned()],
        default_role: "ops".to_owned(),
    };
    let endpoint = crate::Endpoint { address: "127.0.0.1:1".to_owned(), options: serde_json::Value::Null };
    gate.replace_targets(Targets::new(vec![(target, endpoint)]).unwrap());
    let proven = Proven { identity: person("dana"), expires: Micros(i64::MAX), token: None, targets: None };
    let ask =
        crate::OpenRequest { protocol: "ssh", target: "web", role: None, scope: "", from: None, client: "a test" };
    let opened = gate.open(proven, ask).await.unwrap();
    (gate, opened.session)
}

/// What `x` does, as tools say it.
fn reading(tools: &[model::Tool]) -> Arc<model::Intent> {
    let effect = tools.first().and_then(|tool| tool.does.iter().next()).unwrap_or(model::Effect::Execute);
    let id = u128::try_from(effect.as_str().len()).unwrap();
    Arc::new(model::Intent::simple(id, "exec", model::Action::bare(effect)))
}

fn command(intent: &Arc<model::Intent>) -> Command<'_> {
    Command { intent, text: "x", values: &[], in_transaction: false, unmask: &[] }
}

#[tokio::test]
async fn what_a_program_does_is_said_by_the_policy_that_judges_it() {
    let (gate, mut session) = session().await;
    // Another policy comes into force while the command is read: it was read and judged by one, the first.
    let (asked, intent) = session.ask_reading(
        |tools| {
            gate.replace_policy(with_tool("{ command: x, does: admin }"));
            reading(tools)
        },
        command,
        (),
    );
    let crate::Asked::Allow(_, ticket) = asked else { panic!("{asked:?}") };
    assert_eq!(intent.actions, [model::Action::bare(model::Effect::Read)]);
    // What continues it is judged by the second, and read by it.
    let again = reading(session.tools());
    assert_eq!(again.actions, [model::Action::bare(model::Effect::Admin)]);
    assert!(matches!(session.ask_again(&ticket, &command(&again), ()), crate::Asked::Deny(_)));
    let (asked, _) = session.ask_reading(|tools| reading(tools), command, ());
    assert!(matches!(asked, crate::Asked::Deny(_)), "{asked:?}");
}

#[tokio::test]
async fn a_policy_without_tools_says_nothing_of_programs() {
    let (gate, mut session) = session().await;
    assert_eq!(session.tools().len(), 1);
    gate.replace_policy(Arc::new(Policy::parse(&[Source { name: "policy.yaml", text: RULES }]).unwrap()));
    assert!(session.tools().is_empty());
    let (asked, _) = session.ask_reading(|tools| reading(tools), command, ());
    assert!(matches!(asked, crate::Asked::Deny(_)), "{asked:?}");
}
