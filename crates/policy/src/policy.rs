//! A policy: rules, masks, limits, recording rules and tools, read as a whole and never changed afterwards.

use std::net::IpAddr;
use std::sync::Arc;

use jiff::Timestamp;
use model::{
    Action, Flags, Identity, Intent, Limits, MaskRule, Predicate, RecordLevel, Target, Tool, ToolFault, Unmask, Verdict,
};
use schemars::Schema;

use crate::compile;
use crate::compile::tools::Places;
use crate::error::{Place, PolicyError, Source};
use crate::explain::{self, Explanation};
use crate::lint::{self, Finding, Level};
use crate::rule::{LimitRule, Mask, RecordRule, Rule};
use crate::syntax::RawPolicy;
use crate::view::View;

/// Who asks for what: what is fixed for a session.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// Who asks, and for whom.
    pub identity: &'a Identity,
    /// The target.
    pub target: &'a Target,
    /// The role the session has on the target.
    pub role: &'a str,
    /// The client's address, where it is known.
    pub from: Option<IpAddr>,
}

/// One command to be judged.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// Who asks.
    pub subject: Subject<'a>,
    /// Everything the command would do; each must be permitted. No action at all is denied.
    pub actions: &'a [Action],
    /// Its flags.
    pub flags: Flags,
    /// Whether a transaction of the client is open.
    pub in_transaction: bool,
    /// Columns that it uses other than by returning them.
    pub predicates: &'a [Predicate],
    /// Whether some data it looks at comes from where its text does not tell. Such a command may use any masked column
    /// in a condition, and is judged as if it did.
    pub reads_unknown: bool,
    /// The time of asking.
    pub now: Timestamp,
}

/// What applies to a session, and whether it stays so while the policy does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Applied<T> {
    /// What applies.
    pub value: T,
    /// Whether the time was not looked at.
    pub cacheable: bool,
}

/// A policy that was read without error. Cheap to clone; clones share.
#[derive(Clone, Debug)]
pub struct Policy {
    pub(crate) inner: Arc<Inner>,
}

/// What is shared. Each list is sorted by name, so that the order of the text cannot matter.
#[derive(Debug, Default)]
pub(crate) struct Inner {
    pub(crate) version: String,
    pub(crate) files: Vec<String>,
    pub(crate) rules: Vec<Rule>,
    pub(crate) masks: Vec<Mask>,
    pub(crate) limits: Vec<LimitRule>,
    pub(crate) records: Vec<RecordRule>,
    pub(crate) tools: Arc<[Tool]>,
    /// Where each of the tools stands.
    pub(crate) tool_places: Vec<Places>,
}

impl Policy {
    /// Reads a policy from one or more files, each with any number of YAML documents. Files, documents and rules may
    /// come in any order. A policy without rules is valid and denies everything.
    ///
    /// # Errors
    ///
    /// All that is wrong, in the order of the files: what is not YAML or not of the documented form (the first of each
    /// file, since the rest cannot be told), else every name, condition or approval that does not make sense.
    pub fn parse(sources: &[Source<'_>]) -> Result<Self, Vec<PolicyError>> {
        compile::compile(sources).map(|inner| Self { inner: Arc::new(inner) })
    }

    /// 16 hexadecimal digits that name the content: the same for the same rules, whatever their order, layout, comments
    /// and files.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.inner.version
    }

    /// Decides one command. A session that asks often keeps a [`View`] instead.
    #[must_use]
    pub fn decide(&self, request: &Request<'_>) -> Verdict {
        self.view(&request.subject).decide(
            request.actions,
            request.flags,
            request.in_transaction,
            request.predicates,
            request.reads_unknown,
            request.now,
        )
    }

    /// Judges one command as a session does: rules, masks that the command would undo, and masked columns that it asks for in clear.
    #[must_use]
    pub fn judge(
        &self,
        subject: &Subject<'_>,
        intent: &Intent,
        asked: &[Unmask],
        in_transaction: bool,
        now: Timestamp,
    ) -> Verdict {
        self.view(subject).judge(intent, asked, in_transaction, now)
    }

    /// The part of the policy that can apply to a session. Takes time with the size of the policy; asking it does not.
    #[must_use]
    pub fn view(&self, subject: &Subject<'_>) -> View {
        View::new(&self.inner, subject)
    }

    /// The masks that apply now, sorted by name. A mask whose condition cannot be evaluated applies.
    #[must_use]
    pub fn masks(&self, subject: &Subject<'_>, now: Timestamp) -> Applied<Vec<MaskRule>> {
        self.view(subject).masks(now)
    }

    /// The smallest of all limits that apply now. Limits whose condition cannot be evaluated apply.
    #[must_use]
    pub fn limits(&self, subject: &Subject<'_>, now: Timestamp) -> Applied<Limits> {
        self.view(subject).limits(now)
    }

    /// How much of results is recorded: the most that any `records` rule says, `head` where none applies.
    #[must_use]
    pub fn record_level(&self, subject: &Subject<'_>, _now: Timestamp) -> RecordLevel {
        self.view(subject).record_level()
    }

    /// Names of the rules, sorted, those in shadow mode included; without masks, limits and recording rules.
    pub fn rule_names(&self) -> impl Iterator<Item = &str> {
        self.inner.rules.iter().map(|rule| rule.name.as_str())
    }

    /// What the policy says of programs, for whoever reads command lines by it. Sorted by command. That it means something (that each command and
    /// option is one, and none makes less of a known program than it is) is not known here: see [`Policy::tool_error`].
    #[must_use]
    pub fn tools(&self) -> &Arc<[Tool]> {
        &self.inner.tools
    }

    /// What is wrong about a tool, with its place.
    #[must_use]
    pub fn tool_error(&self, fault: &ToolFault) -> PolicyError {
        let (file, place) = self.tool_place(fault);
        PolicyError { file, line: place.line, column: place.column, message: fault.message.clone() }
    }

    /// What is odd about a tool, with its place.
    #[must_use]
    pub fn tool_finding(&self, fault: &ToolFault) -> Finding {
        let (file, place) = self.tool_place(fault);
        let name = self.inner.tools.get(fault.tool).map(|tool| tool.command.clone()).unwrap_or_default();
        Finding {
            level: Level::Warning,
            file,
            line: place.line,
            column: place.column,
            name,
            message: fault.message.clone(),
        }
    }

    fn tool_place(&self, fault: &ToolFault) -> (String, Place) {
        let place = self.inner.tool_places.get(fault.tool).map(|places| places.of(fault.part)).unwrap_or_default();
        let file = usize::try_from(place.file).ok().and_then(|index| self.inner.files.get(index));
        (file.map_or("policy", |file| file).to_owned(), place)
    }

    /// Looks for what is allowed but hardly meant: rules that can never apply, names that no target has, permission for
    /// what is not understood. `targets` are those of the configuration.
    #[must_use]
    pub fn lint(&self, targets: &[Target]) -> Vec<Finding> {
        lint::lint(&self.inner, targets)
    }

    /// Decides one command and says of each rule why it did or did not apply.
    #[must_use]
    pub fn explain(&self, request: &Request<'_>) -> Explanation {
        explain::explain(self, request, &self.decide(request))
    }

    /// As [`Policy::explain`], for [`Policy::judge`].
    #[must_use]
    pub fn explain_judged(
        &self,
        subject: &Subject<'_>,
        intent: &Intent,
        asked: &[Unmask],
        in_transaction: bool,
        now: Timestamp,
    ) -> Explanation {
        let request = Request {
            subject: *subject,
            actions: &intent.actions,
            flags: intent.flags,
            in_transaction,
            predicates: &intent.predicates,
            reads_unknown: intent.reads_unknown,
            now,
        };
        explain::explain(self, &request, &self.judge(subject, intent, asked, in_transaction, now))
    }

    /// The JSON schema of a policy file, for editors.
    #[must_use]
    pub fn json_schema() -> Schema {
        schemars::schema_for!(RawPolicy)
    }
}
