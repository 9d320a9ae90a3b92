//! What a token is asked to be, and the bounds on that.

use std::collections::BTreeMap;
use std::time::Duration;

use gate::Micros;
use gate::ports::StoreAway;
use model::{Identity, IdentityKind, TokenId};

use super::text::TokenText;

/// The issuer of identities that the gateway itself names.
pub const LOCAL_ISSUER: &str = "sallyport";
/// Most bytes of a subject, a group, a target's name or a link of `on_behalf_of`.
pub const NAME_LIMIT: usize = 256;
/// Most groups, targets or links.
const LIST_LIMIT: usize = 256;
/// Most bytes of a task.
const TASK_LIMIT: usize = 1024;

/// How long tokens live.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TokenSettings {
    /// When the request does not say.
    pub default_ttl: Duration,
    /// At most.
    pub max_ttl: Duration,
}

impl Default for TokenSettings {
    fn default() -> Self {
        Self { default_ttl: Duration::from_secs(15 * 60), max_ttl: Duration::from_secs(24 * 60 * 60) }
    }
}

/// A token to issue. Whether the asker may have it is decided before.
#[derive(Debug, Clone, PartialEq)]
pub struct IssueRequest {
    /// The identity's subject.
    pub subject: String,
    /// What sort of caller.
    pub kind: IdentityKind,
    /// Its groups.
    pub groups: Vec<String>,
    /// For whom it acts, nearest first.
    pub on_behalf_of: Vec<String>,
    /// What it says it is doing.
    pub task: Option<String>,
    /// Targets for which the token is good; `None` is every target that policy permits.
    pub targets: Option<Vec<String>>,
    /// How long; the default when `None`.
    pub ttl: Option<Duration>,
}

/// A token just issued.
pub struct Issued {
    /// The token. Nobody can show it again.
    pub token: TokenText,
    /// Its id, to revoke it by.
    pub id: TokenId,
    /// Until when it is good.
    pub expires: Micros,
}

/// Why no token was issued.
#[derive(Debug, Clone, thiserror::Error)]
pub enum IssueError {
    /// The request asks for what cannot be.
    #[error("{0}")]
    Invalid(String),
    /// It, or its audit entry, could not be stored.
    #[error(transparent)]
    Store(#[from] StoreAway),
}

impl IssueRequest {
    /// The identity that the token will prove.
    pub(super) fn identity(&self) -> Result<Identity, IssueError> {
        name("the subject", &self.subject)?;
        let mut groups = names("group", &self.groups)?;
        groups.sort();
        groups.dedup();
        let on_behalf_of = names("on-behalf-of", &self.on_behalf_of)?;
        if let Some(task) = &self.task
            && (task.len() > TASK_LIMIT || task.chars().any(char::is_control))
        {
            return Err(invalid(format!("the task must have at most {TASK_LIMIT} bytes and no control characters")));
        }
        if self.kind == IdentityKind::Human && !on_behalf_of.is_empty() {
            return Err(invalid("a human acts in person; who acts on behalf of somebody is an agent, ci or a service"));
        }
        Ok(Identity {
            subject: self.subject.clone(),
            issuer: LOCAL_ISSUER.to_owned(),
            groups,
            kind: self.kind,
            on_behalf_of,
            task: self.task.clone().filter(|task| !task.is_empty()),
            claims: BTreeMap::new(),
        })
    }
}

/// Checks the targets of a token.
pub(super) fn targets(targets: Option<&Vec<String>>) -> Result<Option<Vec<String>>, IssueError> {
    let Some(targets) = targets else {
        return Ok(None);
    };
    if targets.is_empty() {
        return Err(invalid("the token would be good for no target; name at least one"));
    }
    let mut targets = names("target", targets)?;
    targets.sort();
    targets.dedup();
    Ok(Some(targets))
}

/// The lifetime in microseconds.
pub(super) fn lifetime(ttl: Option<Duration>, settings: &TokenSettings) -> Result<i64, IssueError> {
    let ttl = ttl.unwrap_or(settings.default_ttl.min(settings.max_ttl));
    if ttl < Duration::from_secs(1) {
        return Err(invalid("a token lives for at least a second"));
    }
    if ttl > settings.max_ttl {
        let most = settings.max_ttl.as_secs();
        return Err(invalid(format!(
            "a token lives for at most {most} seconds here; ask for less, or raise the limit"
        )));
    }
    i64::try_from(ttl.as_micros()).map_err(|_| invalid("the lifetime is too long"))
}

pub(super) fn invalid(text: impl Into<String>) -> IssueError {
    IssueError::Invalid(text.into())
}

fn names(what: &str, list: &[String]) -> Result<Vec<String>, IssueError> {
    if list.len() > LIST_LIMIT {
        return Err(invalid(format!("more than {LIST_LIMIT} {what} names")));
    }
    list.iter().try_for_each(|entry| name(&format!("each {what} name"), entry))?;
    Ok(list.to_vec())
}

fn name(what: &str, text: &str) -> Result<(), IssueError> {
    if is_name(text) {
        Ok(())
    } else {
        Err(invalid(format!(
            "{what} must have 1 to {NAME_LIMIT} bytes, no control characters and no space at either end"
        )))
    }
}

/// What may name a person, a program, a group or a target: it goes into logs and terminals as it is.
pub(crate) fn is_name(text: &str) -> bool {
    (1..=NAME_LIMIT).contains(&text.len()) && text.trim() == text && !text.chars().any(is_unprintable)
}

/// Control characters, and those that reorder or hide what stands beside them in a log or a terminal.
fn is_unprintable(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}
