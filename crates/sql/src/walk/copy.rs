//! COPY.

use model::{Effect, Object, ObjectKind};
use pg_query::protobuf::{CopyStmt, Node, node::Node as N};

use super::effects::Change;
use super::from::push_tables;
use super::query::OutputColumn;
use super::scope::{Scope, Shape};
use super::{Walker, constant, inner, strings};
use crate::analysis::{CopyFormat, Kind, Outputs};

impl Walker<'_> {
    pub(super) fn copy(&mut self, copy: &CopyStmt) -> (Kind, Outputs) {
        self.label = "COPY";
        self.literal = true;
        let Some(format) = format_of(&copy.options) else {
            self.not_understood("the options of COPY");
            return (Kind::Unparsed, Outputs::Unknown);
        };
        let elsewhere = copy.is_program || !copy.filename.is_empty();
        if elsewhere {
            let effect = if copy.is_from { Effect::Import } else { Effect::Export };
            self.act(effect, Object::new(ObjectKind::File, copy.filename.clone()));
        }
        if copy.is_from {
            return (self.copy_in(copy, format, elsewhere), Outputs::None);
        }
        let columns = self.copied(copy);
        if elsewhere {
            self.store(columns.as_deref());
            return (Kind::Other, Outputs::None);
        }
        let outputs = self.outputs(columns.as_deref());
        (Kind::CopyOut { format }, outputs)
    }

    fn copy_in(&mut self, copy: &CopyStmt, format: CopyFormat, elsewhere: bool) -> Kind {
        let Some(range) = &copy.relation else {
            self.not_understood("COPY without a table");
            return Kind::Unparsed;
        };
        let columns: Vec<String> = strings(&copy.attlist).into_iter().map(str::to_owned).collect();
        let relations = self.change(range, Change::Insert, &[]);
        self.unique_probe(&relations, (!columns.is_empty()).then_some(columns.as_slice()));
        if let Some(condition) = copy.where_clause.as_deref() {
            let mut scope = Scope::under(None);
            push_tables(&mut scope, range.relname.clone(), None, relations);
            self.predicate(condition, &scope);
        }
        if elsewhere {
            return Kind::Other;
        }
        // How much it brings is not for its text to say: a bulk load is judged like a change of all rows.
        self.unbounded = true;
        let relation =
            self.objects(range).into_iter().next().unwrap_or_else(|| Object::new(ObjectKind::Relation, "?."));
        Kind::CopyIn { relation, columns, format }
    }

    /// The columns that COPY … TO sends.
    fn copied(&mut self, copy: &CopyStmt) -> Shape {
        if let Some(query) = copy.query.as_deref() {
            return match inner(Some(query)) {
                Some(N::SelectStmt(select)) => self.select(select, None),
                Some(node @ (N::InsertStmt(_) | N::UpdateStmt(_) | N::DeleteStmt(_) | N::MergeStmt(_))) => {
                    self.change_statement(node, None)
                }
                _ => {
                    self.not_understood("the query of COPY");
                    None
                }
            };
        }
        let Some(range) = &copy.relation else {
            self.not_understood("COPY without a table");
            return None;
        };
        let relations = self.read(range);
        if relations.is_empty() {
            return None;
        }
        let mut scope = Scope::under(None);
        push_tables(&mut scope, range.relname.clone(), None, relations);
        let all = scope.items.last().and_then(|item| self.item_columns(item));
        if copy.attlist.is_empty() {
            for item in &scope.items {
                self.use_item(item);
            }
            return all;
        }
        let all = all?;
        for item in &scope.items {
            for name in strings(&copy.attlist) {
                self.item_column(item, name);
            }
        }
        strings(&copy.attlist)
            .into_iter()
            .map(|name| all.iter().find(|column| column.name == name).cloned())
            .collect::<Option<Vec<OutputColumn>>>()
    }
}

#[derive(Default)]
struct Options {
    format: Option<String>,
    delimiter: Option<String>,
    null: Option<String>,
    quote: Option<String>,
    escape: Option<String>,
    header: bool,
}

/// `None` when an option is not known: it may change how rows are written.
fn format_of(nodes: &[Node]) -> Option<CopyFormat> {
    let mut options = Options::default();
    for node in nodes {
        let Some(N::DefElem(option)) = inner(Some(node)) else {
            return None;
        };
        let text = option.arg.as_deref().and_then(constant::setting);
        match option.defname.as_str() {
            "format" => options.format = Some(text?.to_ascii_lowercase()),
            "delimiter" => options.delimiter = Some(text?),
            "null" => options.null = Some(text?),
            "quote" => options.quote = Some(text?),
            "escape" => options.escape = Some(text?),
            "header" => {
                options.header = match text.map(|text| text.to_ascii_lowercase()).as_deref() {
                    None | Some("true" | "on" | "1" | "match") => true,
                    Some("false" | "off" | "0") => false,
                    Some(_) => return None,
                };
            }
            "encoding" => {
                let text = text?.to_ascii_lowercase();
                if !matches!(text.as_str(), "utf8" | "utf-8" | "unicode") {
                    return None;
                }
            }
            "freeze" | "force_quote" | "force_not_null" | "force_null" | "default" | "on_error" | "log_verbosity"
            | "reject_limit" => {}
            _ => return None,
        }
    }
    let byte = |text: Option<String>, default: u8| match text {
        None => Some(default),
        Some(text) => match text.as_bytes() {
            [byte] => Some(*byte),
            _ => None,
        },
    };
    match options.format.as_deref() {
        None | Some("text") => Some(CopyFormat::Text {
            delimiter: byte(options.delimiter, b'\t')?,
            null: options.null.unwrap_or_else(|| "\\N".to_owned()),
        }),
        Some("csv") => {
            let quote = byte(options.quote, b'"')?;
            Some(CopyFormat::Csv {
                delimiter: byte(options.delimiter, b',')?,
                quote,
                escape: byte(options.escape, quote)?,
                null: options.null.unwrap_or_default(),
                header: options.header,
            })
        }
        Some("binary") => Some(CopyFormat::Binary),
        Some(_) => None,
    }
}
