//! Everything that a client may be told when something is refused. An allow-list: no text of a target or of data is in it.

use model::RequestId;

use crate::ports::AuthFailure;

/// What was refused, with a stable code for programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefusalKind {
    /// Policy denies the command.
    Denied,
    /// Nothing in policy covers it.
    NotCovered,
    /// The command's text is not one of its language, so far as the gateway reads it; policy allows nothing that is not understood.
    NotUnderstood,
    /// The held command was denied by an approver.
    ApprovalDenied,
    /// Nobody approved in time.
    ApprovalExpired,
    /// The client cancelled, or went away, while it waited.
    ApprovalCancelled,
    /// Something changed between the approval and the sending.
    ApprovalStale,
    /// Approvals cannot be asked for right now.
    ApprovalAway,
    /// A limit of the session is reached.
    Limit,
    /// The identity was not proven.
    Identity(AuthFailure),
    /// There is no such target, or not for this identity.
    UnknownTarget,
    /// The target has no such role.
    UnknownRole,
    /// Policy does not let this identity connect.
    ConnectDenied,
    /// Connecting needs an approval; it was asked for.
    ConnectHeld,
    /// The store or the recorder is away.
    Unavailable,
    /// The session was ended.
    Ended,
    /// A message of the protocol that is never carried.
    Unsupported,
    /// A message that breaks the protocol or a size limit.
    Malformed,
    /// A setting that clients may not bring.
    Setting,
    /// Columns are asked for in clear in a way that cannot be read, or that do not exist.
    Unmask,
}

impl RefusalKind {
    /// The stable code, `SP-` and a word.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Denied => "SP-DENIED",
            Self::NotCovered => "SP-NOT-COVERED",
            Self::NotUnderstood => "SP-NOT-UNDERSTOOD",
            Self::ApprovalDenied => "SP-APPROVAL-DENIED",
            Self::ApprovalExpired => "SP-APPROVAL-EXPIRED",
            Self::ApprovalCancelled => "SP-APPROVAL-CANCELLED",
            Self::ApprovalStale => "SP-APPROVAL-STALE",
            Self::ApprovalAway => "SP-APPROVAL-AWAY",
            Self::Limit => "SP-LIMIT",
            Self::Identity(_) => "SP-IDENTITY",
            Self::UnknownTarget => "SP-UNKNOWN-TARGET",
            Self::UnknownRole => "SP-UNKNOWN-ROLE",
            Self::ConnectDenied => "SP-CONNECT-DENIED",
            Self::ConnectHeld => "SP-CONNECT-HELD",
            Self::Unavailable => "SP-UNAVAILABLE",
            Self::Ended => "SP-ENDED",
            Self::Unsupported => "SP-UNSUPPORTED",
            Self::Malformed => "SP-MALFORMED",
            Self::Setting => "SP-SETTING",
            Self::Unmask => "SP-UNMASK",
        }
    }

    /// One sentence.
    #[must_use]
    pub fn text(self) -> String {
        let text = match self {
            Self::Denied => "denied by policy",
            Self::NotCovered => "denied: no rule of the policy covers this",
            Self::NotUnderstood => "the statement is not understood, and so not sent",
            Self::ApprovalDenied => "the approver denied this command",
            Self::ApprovalExpired => "nobody approved this command in time",
            Self::ApprovalCancelled => "the command was cancelled while it waited for approval",
            Self::ApprovalStale => {
                "the approval no longer fits: policy, identity or what names stand for changed since"
            }
            Self::ApprovalAway => "approvals cannot be asked for right now",
            Self::Limit => "a limit of this session is reached",
            Self::Identity(failure) => return failure.to_string(),
            Self::UnknownTarget => "there is no target of this name for you",
            Self::UnknownRole => "the target has no role of this name",
            Self::ConnectDenied => "policy does not let you connect to this target",
            Self::ConnectHeld => "connecting to this target needs an approval",
            Self::Unavailable => "the gateway cannot open or record sessions right now",
            Self::Ended => "the session was ended by the gateway",
            Self::Unsupported => "this kind of message is not carried",
            Self::Malformed => "the message breaks the protocol",
            Self::Setting => "this setting is owned by the gateway",
            Self::Unmask => "what is asked for in clear cannot be told, and so nothing was sent",
        };
        text.to_owned()
    }
}

/// A refusal as a protocol words it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// What was refused.
    pub kind: RefusalKind,
    /// The command, when there was one.
    pub request: Option<RequestId>,
    /// The rules that decided.
    pub rules: Vec<String>,
    /// Why: short reasons made by policy and the classifier from names the client itself used.
    pub reasons: Vec<String>,
    /// What the deciding rule says, and where to ask.
    pub message: Option<String>,
    /// The approval request that a person may look at.
    pub approval: Option<String>,
}

impl Refusal {
    /// A refusal without particulars.
    #[must_use]
    pub const fn of(kind: RefusalKind) -> Self {
        Self { kind, request: None, rules: Vec::new(), reasons: Vec::new(), message: None, approval: None }
    }

    /// The same with one more reason.
    #[must_use]
    pub fn because(mut self, reason: impl Into<String>) -> Self {
        self.reasons.push(reason.into());
        self
    }

    /// The first line: what was refused.
    #[must_use]
    pub fn headline(&self) -> String {
        match self.rules.first() {
            Some(rule) if matches!(self.kind, RefusalKind::Denied | RefusalKind::ConnectDenied) => {
                format!("{}: rule \"{rule}\"", self.kind.text())
            }
            Some(_) | None => self.kind.text(),
        }
    }

    /// The second line: code, request, rules, reasons.
    #[must_use]
    pub fn detail(&self) -> String {
        let mut parts = vec![self.kind.code().to_owned()];
        if let Some(request) = &self.request {
            parts.push(format!("request {request}"));
        }
        if !self.rules.is_empty() {
            parts.push(format!("rules: {}", self.rules.join(", ")));
        }
        if let Some(approval) = &self.approval {
            parts.push(format!("approval {approval}"));
        }
        parts.extend(self.reasons.iter().cloned());
        parts.join("; ")
    }

    /// The third line: what to do.
    #[must_use]
    pub fn hint(&self) -> String {
        if let Some(message) = &self.message {
            return message.clone();
        }
        match self.kind {
            RefusalKind::Denied | RefusalKind::NotCovered | RefusalKind::ConnectDenied | RefusalKind::Setting => {
                "Ask whoever keeps the policy; `sallyport policy explain` shows what is missing."
            }
            RefusalKind::Unmask => {
                "Write /* sallyport: unmask schema.table.column, schema.table.column */ before the statement, or leave it out."
            }
            RefusalKind::NotUnderstood => "Correct the statement, or make it simpler.",
            RefusalKind::ApprovalDenied => "The approver's reason is with the request.",
            RefusalKind::ApprovalExpired | RefusalKind::ApprovalCancelled => "Run the same command again to ask anew.",
            RefusalKind::ApprovalStale => "Run the same command again; it is judged anew.",
            RefusalKind::ConnectHeld => "Connect again once it is approved.",
            RefusalKind::Limit => "Wait, or ask for less at a time.",
            RefusalKind::Identity(_) | RefusalKind::UnknownTarget => {
                "Check dbname (TARGET or TARGET/DATABASE) and the token."
            }
            RefusalKind::UnknownRole => "Leave the role out to have the target's default role.",
            RefusalKind::Unavailable | RefusalKind::ApprovalAway => "Try again shortly.",
            RefusalKind::Ended => "Connect again if you still may.",
            RefusalKind::Unsupported | RefusalKind::Malformed => {
                "Use a current client; report this with the request id if you already do."
            }
        }
        .to_owned()
    }
}
