//! Parked commands, from the request to its single use.
//!
//! A held command waits as a [`Held`] message that only [`Session::resume`](crate::Session::resume) opens again. What was
//! approved is bound by a digest of identity, target, role, command, values, columns to be shown in clear and policy version.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use model::{ApprovalId, Command, Identity, IdentityKind};
use record::Micros;
use tokio::sync::Notify;

use crate::Gate;
use crate::masks::lift::Lift;
use crate::ports::{Answer, ApprovalRequest, ApprovalState, AuditEntry, BoxFuture, StoreAway, StoredApproval};

/// How often a waiting command looks at the store even if nobody called: another process or instance may have answered.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// A message that waits for a human. Not `Clone`; the message comes out again only inside a proof.
#[derive(Debug)]
#[must_use = "a held message that is dropped is a command that never ran"]
pub struct Held<M> {
    pub(crate) message: M,
    pub(crate) request: ApprovalRequest,
    pub(crate) asked: Micros,
}

impl<M> Held<M> {
    /// The request's id.
    #[must_use]
    pub const fn id(&self) -> ApprovalId {
        self.request.id
    }

    /// When it expires.
    #[must_use]
    pub const fn expires(&self) -> Micros {
        self.request.expires
    }

    /// The request as it is stored.
    #[must_use]
    pub const fn request(&self) -> &ApprovalRequest {
        &self.request
    }
}

impl Held<&[u8]> {
    /// The same with its bytes kept, so that the buffer they came in can be used again.
    pub fn into_owned(self) -> Held<Vec<u8>> {
        Held { message: self.message.to_vec(), request: self.request, asked: self.asked }
    }
}

/// What became of the request when it was stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Parked {
    /// An earlier approval of the very same command was still unused, and now is used.
    Granted {
        /// Who approved, with reasons.
        by: Vec<(String, String)>,
    },
    /// It waits.
    Waiting,
}

/// How a wait ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    /// Approved, and the approval is used up by this.
    Approved {
        /// Who, with reasons.
        by: Vec<(String, String)>,
    },
    /// Denied.
    Denied {
        /// Who, with reasons.
        by: Vec<(String, String)>,
    },
    /// Nobody answered in time.
    Expired,
    /// The store is away.
    Away,
}

/// Why an answer was not taken.
#[derive(Debug, Clone, thiserror::Error)]
pub enum AnswerError {
    /// No such request.
    #[error("there is no approval request of this id")]
    Unknown,
    /// Somebody's answer was taken before; the person's own counts as well.
    #[error("already answered by {by}; the request is {state}")]
    Answered {
        /// Whose answer it was, or whose.
        by: String,
        /// Where the request stands.
        state: &'static str,
    },
    /// It ended without an answer.
    #[error("the request is {0} already")]
    Over(&'static str),
    /// The person is not among the approvers.
    #[error("you are not among the approvers of this request")]
    NotApprover,
    /// The requester, or whoever it acts for.
    #[error("the requester, and whoever it acts for, cannot answer")]
    Involved,
    /// Only people answer.
    #[error("only a human can answer; this identity is not one")]
    NotHuman,
    /// A reason is required.
    #[error("this request wants a reason; give one with --reason")]
    ReasonRequired,
    /// The store is away.
    #[error(transparent)]
    Store(#[from] StoreAway),
}

/// Wakes whoever waits for an answer.
#[derive(Default)]
pub(crate) struct Waiters(Mutex<HashMap<ApprovalId, Arc<Notify>>>);

impl Waiters {
    fn enter(&self, id: ApprovalId) -> Arc<Notify> {
        let mut map = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(map.entry(id).or_default())
    }

    fn leave(&self, id: ApprovalId) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
    }

    fn wake(&self, id: ApprovalId) {
        let map = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(notify) = map.get(&id) {
            notify.notify_waiters();
            notify.notify_one();
        }
    }
}

/// Leaves the waiting list however the wait ends, dropped included.
struct Waiting<'a>(&'a Waiters, ApprovalId);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.leave(self.1);
    }
}

impl Gate {
    /// Stores a request, or uses an approval that the very same command was given before.
    pub fn park(self: &Arc<Self>, request: ApprovalRequest) -> BoxFuture<'static, Result<Parked, StoreAway>> {
        let gate = Arc::clone(self);
        Box::pin(async move {
            let now = gate.clock.now();
            if let Some(granted) = gate.approvals.granted(request.digest, now).await?
                && gate.approvals.consume(granted.request.id, now).await?
            {
                return Ok(Parked::Granted { by: granted.answered(true) });
            }
            gate.approvals.create(&request).await?;
            tracing::info!(approval = %request.id, session = %request.session, "command held");
            Ok(Parked::Waiting)
        })
    }

    /// Stores what came of an approved command. A store that is away leaves it unsaid: the recording has it.
    pub fn report(self: &Arc<Self>, id: ApprovalId, outcome: String) -> BoxFuture<'static, ()> {
        let gate = Arc::clone(self);
        Box::pin(async move {
            if let Err(away) = gate.approvals.report(id, &outcome).await {
                tracing::warn!(approval = %id, error = %away, "what came of it is not stored");
            }
        })
    }

    /// Waits until the request is answered or expires; an approval is used up here, once.
    pub fn wait(self: &Arc<Self>, id: ApprovalId, expires: Micros) -> BoxFuture<'static, Ended> {
        let gate = Arc::clone(self);
        Box::pin(async move {
            let notify = gate.waiters.enter(id);
            let _leave = Waiting(&gate.waiters, id);
            loop {
                let now = gate.clock.now();
                match gate.approvals.get(id).await {
                    Ok(Some(stored)) => {
                        if let Some(ended) = gate.settle(&stored, now).await {
                            return ended;
                        }
                    }
                    Ok(None) => return Ended::Away,
                    // Away: the wait goes on and ends as expired, which is a denial.
                    Err(away) => tracing::warn!(approval = %id, error = %away, "store away"),
                }
                if now >= expires {
                    let _ended = gate.approvals.end(id, ApprovalState::Expired).await;
                    return Ended::Expired;
                }
                let left = u64::try_from(expires.0 - now.0).unwrap_or(0);
                let nap = LOOK_AGAIN.min(Duration::from_micros(left.max(1000)));
                let _woken_or_not = tokio::time::timeout(nap, notify.notified()).await;
            }
        })
    }

    async fn settle(&self, stored: &StoredApproval, now: Micros) -> Option<Ended> {
        match stored.state {
            ApprovalState::Pending => None,
            ApprovalState::Approved => match self.approvals.consume(stored.request.id, now).await {
                Ok(true) => Some(Ended::Approved { by: stored.answered(true) }),
                Ok(false) => Some(Ended::Expired),
                Err(_) => Some(Ended::Away),
            },
            ApprovalState::Denied => Some(Ended::Denied { by: stored.answered(false) }),
            ApprovalState::Expired | ApprovalState::Cancelled | ApprovalState::Used => Some(Ended::Expired),
        }
    }

    /// Ends a request whose client is gone.
    pub fn withdraw(self: &Arc<Self>, id: ApprovalId) -> BoxFuture<'static, ()> {
        let gate = Arc::clone(self);
        Box::pin(async move {
            if let Err(away) = gate.approvals.end(id, ApprovalState::Cancelled).await {
                tracing::warn!(approval = %id, error = %away, "withdrawn request not stored; it expires");
            }
        })
    }

    /// Takes one person's answer. Of two that come at once one is taken; the other's person is told whose it was.
    ///
    /// # Errors
    /// [`AnswerError`]: the person may not answer, has answered, or the request is over.
    pub async fn answer(
        &self,
        id: ApprovalId,
        approver: &Identity,
        approve: bool,
        reason: &str,
    ) -> Result<StoredApproval, AnswerError> {
        let stored = self.approvals.get(id).await?.ok_or(AnswerError::Unknown)?;
        if stored.state != ApprovalState::Pending {
            return Err(too_late(&stored, &approver.subject));
        }
        may_answer(&stored.request, approver)?;
        if stored.request.terms.reason_required && reason.trim().is_empty() {
            return Err(AnswerError::ReasonRequired);
        }
        let now = self.clock.now();
        let answer = Answer { by: approver.subject.clone(), approve, reason: reason.to_owned(), at: now };
        let word = if approve { "approve" } else { "deny" };
        self.audit.write(&answered(&answer, id, word.to_owned())).await?;
        let stored = self.approvals.answer(id, &answer).await?.ok_or(AnswerError::Unknown)?;
        self.waiters.wake(id);
        if stored.answers.contains(&answer) {
            return Ok(stored);
        }
        let late = too_late(&stored, &approver.subject);
        // The entry before the answer stays, as it was meant; this one says that nothing came of it.
        if let Err(away) = self.audit.write(&answered(&answer, id, format!("{word}: not taken, {late}"))).await {
            tracing::warn!(approval = %id, error = %away, "the audit log does not say that an answer was not taken");
        }
        Err(late)
    }
}

fn answered(answer: &Answer, id: ApprovalId, detail: String) -> AuditEntry {
    AuditEntry { at: answer.at, actor: answer.by.clone(), action: "approval.answer", object: id.to_string(), detail }
}

/// Why an answer by this person is not taken: who answered before, or how the request ended.
fn too_late(stored: &StoredApproval, person: &str) -> AnswerError {
    let state = stored.state.as_str();
    let who = |counts: &dyn Fn(&Answer) -> bool| {
        let names: Vec<&str> =
            stored.answers.iter().filter(|answer| counts(answer)).map(|answer| answer.by.as_str()).collect();
        names.join(" and ")
    };
    let by = match stored.state {
        ApprovalState::Pending => who(&|answer| answer.by == person),
        ApprovalState::Approved | ApprovalState::Used => who(&|answer| answer.approve),
        ApprovalState::Denied => who(&|answer| !answer.approve),
        ApprovalState::Expired | ApprovalState::Cancelled => String::new(),
    };
    if by.is_empty() { AnswerError::Over(state) } else { AnswerError::Answered { by, state } }
}

fn may_answer(request: &ApprovalRequest, approver: &Identity) -> Result<(), AnswerError> {
    if approver.kind != IdentityKind::Human {
        return Err(AnswerError::NotHuman);
    }
    // The chain counts on both sides: whoever acts for the requester's principal is no second pair of eyes either.
    let involved = request.identity.involves(&approver.subject)
        || approver.on_behalf_of.iter().any(|who| request.identity.involves(who));
    if involved {
        return Err(AnswerError::Involved);
    }
    let named = request.terms.users.iter().any(|user| user == &approver.subject);
    let member = request.terms.groups.iter().any(|group| approver.groups.contains(group));
    if named || member { Ok(()) } else { Err(AnswerError::NotApprover) }
}

/// The digest that binds an approval: every field with its length before it, so that no two lists of fields look alike.
pub(crate) fn digest(
    identity: &Identity,
    scope: [&str; 3],
    command: &Command<'_>,
    lift: &Lift,
    policy: &str,
) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new_derive_key("sallyport approval digest v1");
    let mut field = |bytes: &[u8]| {
        hasher.update(&(bytes.len() as u64).to_le_bytes());
        hasher.update(bytes);
    };
    field(identity.issuer.as_bytes());
    field(identity.subject.as_bytes());
    field(identity.kind.as_str().as_bytes());
    field(&(identity.on_behalf_of.len() as u64).to_le_bytes());
    for who in &identity.on_behalf_of {
        field(who.as_bytes());
    }
    for part in scope {
        field(part.as_bytes());
    }
    field(&command.intent.id.0.to_le_bytes());
    field(command.text.as_bytes());
    field(&(command.values.len() as u64).to_le_bytes());
    for value in command.values {
        match value {
            Some(text) => {
                field(b"v");
                field(text.as_bytes());
            }
            None => field(b"n"),
        }
    }
    field(policy.as_bytes());
    // The same text may mean other columns when a view is another, and other masks when the time is.
    for part in lift.parts() {
        field(part.as_bytes());
    }
    *hasher.finalize().as_bytes()
}

#[cfg(test)]
mod tests;
