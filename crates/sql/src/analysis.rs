//! What an analysis is given and what it answers.

use std::sync::Arc;

use model::{ColumnRef, Intent, Object, SourceColumn};

use crate::catalog::Catalog;
use crate::fresh::Fresh;
use crate::unbounded::Bound;

/// What is known about the session in which a text would run.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// The snapshot of the database's catalogue.
    pub catalog: &'a Catalog,
    /// Every schema that may be in the path now, in order. `"$user"` is already expanded; `pg_temp` and `pg_catalog` are implied.
    pub search_path: &'a [String],
    /// Names whose meaning changed since the snapshot was taken.
    pub fresh: &'a Fresh,
    /// Limits on the text.
    pub caps: Caps,
}

/// Limits on a text, checked by a linear scan before the parser sees it. A text over a limit is one statement with effect `unknown`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Caps {
    /// Bytes of text. 1 MiB.
    pub bytes: usize,
    /// Statements in one text. 256.
    pub statements: usize,
    /// Open brackets, `CASE` counted as one. 200.
    pub depth: usize,
    /// Terms of one chain of `AND` and `OR`, and operators in one statement. 20,000.
    pub operators: usize,
    /// Tokens in one text; bounds the memory of the tree. 200,000.
    pub tokens: usize,
    /// How deep the tree may get, estimated from above: tokens of one unbroken chain (`a || b || c …`), joins and set operations of one
    /// query, summed over open brackets. 3,000; see [`crate::STACK`].
    pub chain: usize,
}

impl Default for Caps {
    fn default() -> Self {
        Self { bytes: 1 << 20, statements: 256, depth: 200, operators: 20_000, tokens: 200_000, chain: 3_000 }
    }
}

/// What a text would do.
#[derive(Clone, Debug)]
pub struct Analysis {
    /// Its statements in order. Empty for a text without any (`;`, a comment).
    pub statements: Vec<Statement>,
    /// The union of all statements; `flags.multi` when there is more than one.
    pub intent: Arc<Intent>,
    /// Some decision looked at a literal (a SET value, a tautology, a sequence's name): the analysis holds for this exact text only and
    /// must not be cached by its [`crate::shape`].
    pub literal_dependent: bool,
    /// Names of relations, functions, types and operators that the catalogue does not have. The caller may refresh the snapshot and
    /// analyze again.
    pub misses: Vec<String>,
    /// Constants and parameters that stand for one column's value; each statement is a query or a change, and the text is plain.
    pub comparands: Vec<Comparand>,
    /// Names whose meaning it changes.
    pub fresh: Fresh,
    /// Why the text could not be understood, if so.
    pub problem: Option<Problem>,
}

impl Analysis {
    /// The same text when these functions run in it as well, which the text does not show.
    #[must_use]
    pub fn running<'f>(&self, functions: impl IntoIterator<Item = &'f str>) -> Self {
        let mut made = self.clone();
        let functions: Vec<&str> = functions.into_iter().collect();
        for statement in &mut made.statements {
            statement.intent = Arc::new(crate::walk::running(&statement.intent, &functions));
        }
        made.intent = Arc::new(crate::walk::running(&made.intent, &functions));
        made
    }
}

/// A constant or a parameter that is compared, as it is, with one column's value for being equal, and is used for nothing else: no result, no
/// plan and no stored definition shows it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Comparand {
    /// Which.
    pub place: Place,
    /// The column.
    pub column: ColumnRef,
    /// Everything that the column's value is called, the column included.
    pub names: Vec<ColumnRef>,
    /// The column's type; a domain's is what the domain is made of.
    pub type_oid: u32,
}

/// Where a constant or a parameter stands; the same for all texts of one shape.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Place {
    /// The string of this index among [`crate::shape::Marks::strings`].
    String(usize),
    /// All places of the parameter of this index; `$1` has 0.
    Parameter(usize),
}

/// One statement of a text.
#[derive(Clone, Debug)]
pub struct Statement {
    /// What it would do.
    pub intent: Arc<Intent>,
    /// What sort of statement.
    pub kind: Kind,
    /// Where the values of its result come from.
    pub outputs: Outputs,
    /// Whether the count in its completion tag is that of all rows that it changes: no trigger, cascade, rule, function or other part of it
    /// changes more.
    pub counted: bool,
    /// What is left to decide about its WHERE when the parameters are known; see [`crate::bind_unbounded`].
    pub bound: Option<Arc<Bound>>,
    /// Schemas that search_path may hold after it (SET, RESET, set_config), in order; empty when it does not change the path. The session adds them to
    /// [`Context::search_path`] of what follows, `"$user"` expanded.
    pub path: Vec<String>,
    /// Its first byte in the text.
    pub start: usize,
    /// Its length in bytes.
    pub len: usize,
}

/// What sort of statement, as far as a session has to keep state about it.
#[derive(Clone, Debug)]
pub enum Kind {
    /// SELECT, VALUES, TABLE, SHOW.
    Query,
    /// INSERT, UPDATE, DELETE, MERGE.
    Dml,
    /// CREATE, ALTER, DROP, GRANT and the like.
    Ddl,
    /// BEGIN, START TRANSACTION.
    Begin,
    /// COMMIT, END.
    Commit,
    /// ROLLBACK, ABORT.
    Rollback,
    /// SAVEPOINT.
    Savepoint,
    /// ROLLBACK TO.
    RollbackTo,
    /// RELEASE.
    Release,
    /// PREPARE TRANSACTION.
    PrepareTransaction,
    /// COMMIT PREPARED.
    CommitPrepared,
    /// ROLLBACK PREPARED.
    RollbackPrepared,
    /// PREPARE. Its intent is the inner statement's: what may not run need not be prepared.
    Prepare {
        /// The statement's name.
        name: String,
        /// What EXECUTE would run.
        inner: Box<Statement>,
    },
    /// EXECUTE, also inside EXPLAIN or CREATE TABLE AS. The intent holds the effects of the arguments and of what is around it; the session adds the prepared statement's,
    /// and `unknown` when it does not know the name.
    ExecutePrepared {
        /// The statement's name.
        name: String,
    },
    /// DEALLOCATE.
    Deallocate {
        /// The name; `None` is ALL.
        name: Option<String>,
    },
    /// DECLARE CURSOR. The intent and the outputs are the query's.
    DeclareCursor {
        /// The cursor's name.
        name: String,
    },
    /// FETCH and MOVE. The session adds the cursor's intent and outputs, and `unknown` when it does not know the name.
    Fetch {
        /// The cursor's name.
        cursor: String,
    },
    /// CLOSE.
    CloseCursor {
        /// The name; `None` is ALL.
        name: Option<String>,
    },
    /// COPY … FROM STDIN.
    CopyIn {
        /// The table.
        relation: Object,
        /// The columns named in the statement; empty stands for all.
        columns: Vec<String>,
        /// How the rows are written.
        format: CopyFormat,
    },
    /// COPY … TO STDOUT.
    CopyOut {
        /// How the rows are written.
        format: CopyFormat,
    },
    /// SET.
    Set {
        /// The setting, in lower case.
        name: String,
        /// Its value, list elements joined by `, `; `None` for DEFAULT or FROM CURRENT.
        value: Option<String>,
        /// SET LOCAL.
        local: bool,
    },
    /// RESET.
    Reset {
        /// The setting; `None` is ALL.
        name: Option<String>,
    },
    /// DISCARD.
    Discard {
        /// What.
        what: Discard,
    },
    /// LISTEN.
    Listen {
        /// The channel.
        channel: String,
    },
    /// UNLISTEN.
    Unlisten,
    /// NOTIFY.
    Notify {
        /// The channel.
        channel: String,
    },
    /// EXPLAIN.
    Explain {
        /// Whether the statement inside runs.
        analyze: bool,
    },
    /// CALL.
    Call,
    /// DO.
    Do,
    /// LOCK, SET CONSTRAINTS, CHECKPOINT and others without a result and without state.
    Other,
    /// Not understood.
    Unparsed,
}

/// What DISCARD discards.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Discard {
    /// Everything of the session.
    All,
    /// Cached plans.
    Plans,
    /// Cached sequence values.
    Sequences,
    /// Temporary tables.
    Temp,
}

/// How COPY writes rows.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum CopyFormat {
    /// Text.
    Text {
        /// Between columns.
        delimiter: u8,
        /// Stands for NULL.
        null: String,
    },
    /// CSV.
    Csv {
        /// Between columns.
        delimiter: u8,
        /// Around values.
        quote: u8,
        /// Before a quote inside a value.
        escape: u8,
        /// Stands for NULL.
        null: String,
        /// Whether a first line names the columns.
        header: bool,
    },
    /// Binary.
    Binary,
}

/// Where the columns of a result come from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Outputs {
    /// No result.
    None,
    /// One entry per column.
    Columns(Vec<Deps>),
    /// Not known, not even how many; where the target names a column as the origin, that holds.
    Unknown,
    /// Values that the statement itself put into columns, or that a system relation shows of other data, may be among them: the
    /// target's word on a column says where a value was read, not where it came from. One entry per column, if their number is known.
    Mixed(Option<Vec<Deps>>),
}

impl Outputs {
    /// One entry per column, when there are so many.
    #[must_use]
    pub fn columns(&self, count: usize) -> Option<&[Deps]> {
        match self {
            Self::Columns(deps) | Self::Mixed(Some(deps)) => (deps.len() == count).then_some(deps),
            Self::None | Self::Unknown | Self::Mixed(None) => None,
        }
    }

    /// What stands for a column without an entry.
    #[must_use]
    pub const fn otherwise(&self) -> Deps {
        match self {
            Self::None | Self::Columns(_) | Self::Unknown => Deps::Unknown,
            Self::Mixed(_) => Deps::Anything,
        }
    }
}

/// Where a value can come from. Additive: [`Deps::Clean`] only if proven.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Deps {
    /// From no column of any relation.
    Clean,
    /// One column's value, unchanged.
    Same {
        /// The column.
        column: ColumnRef,
        /// Everything that this value is called, the column included: a view's column, a partition's and its parent's.
        names: Vec<ColumnRef>,
        /// The column's type; a domain's is what the domain is made of.
        type_oid: u32,
    },
    /// From these columns at most.
    Columns(Vec<SourceColumn>),
    /// From anywhere as far as the text tells. If the target names a column as the origin, it is that column's.
    Unknown,
    /// From anywhere, whatever column the target names.
    Anything,
}

/// Why a text could not be understood. The message holds no part of the text that could be data.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{message}")]
pub struct Problem {
    /// What was wrong and what to do.
    pub message: String,
    /// The byte in the text where it shows, when known.
    pub position: Option<usize>,
}
