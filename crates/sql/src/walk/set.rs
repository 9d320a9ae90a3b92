//! SET, RESET, SHOW and transaction control.

use model::{Effect, Object, ObjectKind};
use pg_query::protobuf::{
    DiscardMode, DiscardStmt, Node, TransactionStmt, TransactionStmtKind, VariableSetKind, VariableSetStmt,
    VariableShowStmt, node::Node as N,
};

use super::{Walker, constant, inner};
use crate::analysis::{Deps, Discard, Kind, Outputs};
use crate::functions::settings::{self, Setting};

/// The values of a SET, joined as the server stores lists. `None` when one is not constant.
fn value_of(nodes: &[Node]) -> Option<String> {
    let values: Option<Vec<String>> = nodes.iter().map(constant::setting).collect();
    values.filter(|values| !values.is_empty()).map(|values| values.join(", "))
}

impl Walker<'_> {
    pub(super) fn set(&mut self, set: &VariableSetStmt) -> Kind {
        self.literal = true;
        self.label = "SET";
        let name = set.name.to_ascii_lowercase();
        match set.kind() {
            VariableSetKind::VarSetValue => {
                let value = value_of(&set.args);
                if name == "search_path" {
                    // Each element is one name, as it stands.
                    self.new_path.extend(set.args.iter().filter_map(constant::setting));
                }
                self.judge(&name, value.as_deref());
                Kind::Set { name, value, local: set.is_local }
            }
            VariableSetKind::VarSetDefault => {
                self.judge(&name, None);
                Kind::Set { name, value: None, local: set.is_local }
            }
            VariableSetKind::VarSetMulti => self.set_multi(&name, set),
            VariableSetKind::VarReset => {
                self.label = "RESET";
                self.judge(&name, None);
                Kind::Reset { name: Some(name) }
            }
            VariableSetKind::VarResetAll => {
                self.label = "RESET";
                self.back_to_start();
                Kind::Reset { name: None }
            }
            VariableSetKind::VarSetCurrent | VariableSetKind::Undefined => {
                self.not_understood("a form of SET");
                Kind::Other
            }
        }
    }

    /// All settings are what they were when the session began: nothing that guards it is taken away. The name of the client's program is
    /// among them.
    fn back_to_start(&mut self) {
        self.path_changes(None);
        self.bare(Effect::Session);
        self.act(Effect::Session, Object::new(ObjectKind::Setting, "application_name"));
    }

    fn judge(&mut self, name: &str, value: Option<&str>) {
        if name == "search_path" && value.is_none() {
            self.path_changes(None);
        }
        match settings::judge(name, value) {
            Setting::Harmless => self.bare(Effect::Session),
            Setting::Label => self.act(Effect::Session, Object::new(ObjectKind::Setting, name)),
            Setting::Guarded => self.guarded(name),
        }
    }

    /// SET TRANSACTION, SET SESSION CHARACTERISTICS, SET TRANSACTION SNAPSHOT.
    fn set_multi(&mut self, name: &str, set: &VariableSetStmt) -> Kind {
        match name {
            "transaction" | "session characteristics" => {
                self.bare(Effect::Session);
                self.transaction_options(&set.args);
            }
            // Taking over a snapshot shows nothing that the session may not read.
            "transaction snapshot" => self.bare(Effect::Session),
            _ => self.guarded(name),
        }
        Kind::Set { name: name.to_owned(), value: None, local: set.is_local }
    }

    /// READ WRITE takes a guard away; all other options are the client's own.
    fn transaction_options(&mut self, options: &[Node]) {
        for node in options {
            let Some(N::DefElem(option)) = inner(Some(node)) else {
                self.not_understood("a transaction option");
                continue;
            };
            if option.defname == "transaction_read_only" {
                let off = option
                    .arg
                    .as_deref()
                    .and_then(constant::setting)
                    .is_none_or(|value| !matches!(value.as_str(), "1" | "true" | "on"));
                if off {
                    self.guarded("transaction_read_only");
                }
            }
        }
    }

    pub(super) fn transaction(&mut self, statement: &TransactionStmt) -> Kind {
        self.bare(Effect::Session);
        self.transaction_options(&statement.options);
        let (label, kind) = match statement.kind() {
            TransactionStmtKind::TransStmtBegin | TransactionStmtKind::TransStmtStart => ("BEGIN", Kind::Begin),
            TransactionStmtKind::TransStmtCommit => ("COMMIT", Kind::Commit),
            TransactionStmtKind::TransStmtRollback => ("ROLLBACK", Kind::Rollback),
            TransactionStmtKind::TransStmtSavepoint => ("SAVEPOINT", Kind::Savepoint),
            TransactionStmtKind::TransStmtRelease => ("RELEASE", Kind::Release),
            TransactionStmtKind::TransStmtRollbackTo => ("ROLLBACK TO", Kind::RollbackTo),
            TransactionStmtKind::TransStmtPrepare => ("PREPARE TRANSACTION", Kind::PrepareTransaction),
            TransactionStmtKind::TransStmtCommitPrepared => ("COMMIT PREPARED", Kind::CommitPrepared),
            TransactionStmtKind::TransStmtRollbackPrepared => ("ROLLBACK PREPARED", Kind::RollbackPrepared),
            TransactionStmtKind::Undefined => {
                self.not_understood("a form of transaction control");
                ("TRANSACTION", Kind::Other)
            }
        };
        self.label = label;
        if matches!(kind, Kind::PrepareTransaction | Kind::CommitPrepared | Kind::RollbackPrepared) {
            // It outlives the session and holds locks until someone ends it.
            self.literal = true;
            self.act(Effect::Admin, Object::new(ObjectKind::Catalog, "prepared transaction"));
        }
        kind
    }

    pub(super) fn discard(&mut self, statement: &DiscardStmt) -> Kind {
        self.label = "DISCARD";
        let what = match statement.target() {
            DiscardMode::DiscardAll => {
                self.back_to_start();
                Discard::All
            }
            DiscardMode::DiscardPlans => Discard::Plans,
            DiscardMode::DiscardSequences => Discard::Sequences,
            DiscardMode::DiscardTemp => Discard::Temp,
            DiscardMode::Undefined => {
                self.not_understood("a form of DISCARD");
                return Kind::Other;
            }
        };
        self.bare(Effect::Session);
        Kind::Discard { what }
    }

    pub(super) fn show(&mut self, statement: &VariableShowStmt) -> Outputs {
        self.label = "SHOW";
        self.bare(Effect::Session);
        // A custom setting may hold anything that was put there.
        if statement.name.contains('.') || statement.name.eq_ignore_ascii_case("all") {
            return Outputs::Unknown;
        }
        Outputs::Columns(vec![Deps::Clean])
    }
}
