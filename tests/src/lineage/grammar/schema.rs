//! What the generator knows of the world's tables: columns, their types, and which hold secrets.

/// The type of an expression, as far as the generator needs it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Ty {
    Text,
    Int,
    Big,
    Num,
    Real,
    Date,
    Moment,
    Uuid,
    Json,
    Texts,
    Bytes,
    Address,
    Mood,
    Bool,
}

/// Every type of a value that can be made from nothing.
pub(super) const TYPES: [Ty; 14] = [
    Ty::Text,
    Ty::Int,
    Ty::Big,
    Ty::Num,
    Ty::Real,
    Ty::Date,
    Ty::Moment,
    Ty::Uuid,
    Ty::Json,
    Ty::Texts,
    Ty::Bytes,
    Ty::Address,
    Ty::Mood,
    Ty::Bool,
];

impl Ty {
    /// The type's name.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Int => "int",
            Self::Big => "bigint",
            Self::Num => "numeric",
            Self::Real => "float8",
            Self::Date => "date",
            Self::Moment => "timestamptz",
            Self::Uuid => "uuid",
            Self::Json => "jsonb",
            Self::Texts => "text[]",
            Self::Bytes => "bytea",
            Self::Address => "address",
            Self::Mood => "mood",
            Self::Bool => "boolean",
        }
    }
}

/// A column of a relation or of an item of FROM.
#[derive(Clone, Debug)]
pub(super) struct Col {
    pub(super) name: String,
    pub(super) ty: Ty,
    /// Whether it may carry a secret.
    pub(super) masked: bool,
}

/// A relation.
pub(super) struct Table {
    pub(super) name: &'static str,
    pub(super) columns: &'static [(&'static str, Ty, bool)],
}

impl Table {
    /// Whether it holds any secret.
    pub(super) fn masked(&self) -> bool {
        self.columns.iter().any(|(_, _, masked)| *masked)
    }
}

/// Columns that the generator names, in order. What stands behind the last one (a `json`, the row of a view) is reached by stars and
/// whole rows only.
pub(super) const TABLES: [Table; 18] = [
    Table {
        name: "people",
        columns: &[
            ("id", Ty::Int, false),
            ("grp", Ty::Text, false),
            ("label", Ty::Text, false),
            ("amount", Ty::Int, false),
            ("day", Ty::Date, false),
            ("s_name", Ty::Text, true),
            ("s_mail", Ty::Text, true),
            ("s_short", Ty::Text, true),
            ("s_int", Ty::Int, true),
            ("s_big", Ty::Big, true),
            ("s_num", Ty::Num, true),
            ("s_real", Ty::Real, true),
            ("s_born", Ty::Date, true),
            ("s_seen", Ty::Moment, true),
            ("s_uid", Ty::Uuid, true),
            ("s_doc", Ty::Json, true),
            ("s_tags", Ty::Texts, true),
            ("s_raw", Ty::Bytes, true),
            ("s_addr", Ty::Address, true),
            ("s_mood", Ty::Mood, true),
            ("s_odd", Ty::Text, true),
        ],
    },
    Table {
        name: "accounts",
        columns: &[
            ("id", Ty::Int, false),
            ("person", Ty::Int, false),
            ("grp", Ty::Text, false),
            ("label", Ty::Text, false),
            ("amount", Ty::Int, false),
            ("s_name", Ty::Text, true),
            ("s_big", Ty::Big, true),
            ("loud", Ty::Text, true),
            ("double", Ty::Big, true),
        ],
    },
    events("events"),
    events("events_low"),
    // Attached with its columns in another order.
    Table {
        name: "events_high",
        columns: &[
            ("s_seen", Ty::Moment, true),
            ("id", Ty::Int, false),
            ("s_name", Ty::Text, true),
            ("grp", Ty::Text, false),
            ("amount", Ty::Int, false),
        ],
    },
    papers("papers"),
    papers("papers_old"),
    papers("ONLY papers"),
    Table {
        name: "ledger",
        columns: &[
            ("id", Ty::Int, false),
            ("label", Ty::Text, false),
            ("amount", Ty::Int, false),
            ("s_name", Ty::Text, true),
            ("s_int", Ty::Int, true),
        ],
    },
    Table {
        name: "v_people",
        columns: &[
            ("id", Ty::Int, false),
            ("grp", Ty::Text, false),
            ("label", Ty::Text, false),
            ("contact", Ty::Text, true),
            ("loud", Ty::Text, true),
            ("number", Ty::Int, true),
            ("s_born", Ty::Date, true),
        ],
    },
    Table {
        name: "v_over",
        columns: &[
            ("id", Ty::Int, false),
            ("name", Ty::Text, true),
            ("label", Ty::Text, false),
            ("double", Ty::Big, true),
            ("after_it", Ty::Int, true),
        ],
    },
    Table {
        name: "v_sums",
        columns: &[
            ("grp", Ty::Text, false),
            ("many", Ty::Big, false),
            ("names", Ty::Texts, true),
            ("top", Ty::Big, true),
            ("docs", Ty::Json, true),
        ],
    },
    Table { name: "v_both", columns: &[("id", Ty::Int, false), ("label", Ty::Text, false), ("name", Ty::Text, true)] },
    Table { name: "v_rows", columns: &[("id", Ty::Int, false), ("(whole).s_name", Ty::Text, true)] },
    Table {
        name: "m_people",
        columns: &[
            ("id", Ty::Int, false),
            ("label", Ty::Text, false),
            ("name", Ty::Text, true),
            ("tags", Ty::Texts, true),
            ("s_uid", Ty::Uuid, true),
        ],
    },
    Table {
        name: "things",
        columns: &[
            ("id", Ty::Int, false),
            ("grp", Ty::Text, false),
            ("label", Ty::Text, false),
            ("amount", Ty::Int, false),
            ("day", Ty::Date, false),
            ("tags", Ty::Texts, false),
            ("doc", Ty::Json, false),
            ("place", Ty::Address, false),
        ],
    },
    Table {
        name: "bits",
        columns: &[
            ("id", Ty::Int, false),
            ("label", Ty::Text, false),
            ("amount", Ty::Int, false),
            ("at", Ty::Moment, false),
        ],
    },
    Table {
        name: "v_things",
        columns: &[
            ("id", Ty::Int, false),
            ("grp", Ty::Text, false),
            ("label", Ty::Text, false),
            ("twice", Ty::Int, false),
            ("tags", Ty::Texts, false),
        ],
    },
];

/// The first of [`TABLES`] that holds no secret; those after it hold none either.
pub(super) const CLEAN: usize = 15;

const fn events(name: &'static str) -> Table {
    Table {
        name,
        columns: &[
            ("id", Ty::Int, false),
            ("grp", Ty::Text, false),
            ("amount", Ty::Int, false),
            ("s_name", Ty::Text, true),
            ("s_seen", Ty::Moment, true),
        ],
    }
}

const fn papers(name: &'static str) -> Table {
    Table {
        name,
        columns: &[
            ("id", Ty::Int, false),
            ("label", Ty::Text, false),
            ("s_name", Ty::Text, true),
            ("s_doc", Ty::Json, true),
        ],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tables_without_secrets_are_last() {
        assert!(TABLES.iter().take(CLEAN).all(Table::masked));
        assert!(!TABLES.iter().skip(CLEAN).any(Table::masked));
    }
}
