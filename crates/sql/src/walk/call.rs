//! Calls: what they do.

use model::{Effect, Object, ObjectKind};
use pg_query::protobuf::{FuncCall, Node, node::Node as N};

use super::scope::{Scope, Shape};
use super::types::Type;
use super::{Walker, constant, inner, qualified};
use crate::functions::extensions::Trust;
use crate::functions::settings::{self, Setting};
use crate::functions::{self, Builtin, Known, MAX_SIZE};
use crate::lineage::Lineage;

/// How a call's result relates to its arguments; the later, the less is known.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Flow {
    /// Tells only how many.
    Counts,
    /// One number made of the arguments of all rows of a group.
    Statistic,
    /// Made of the arguments.
    Arguments,
    /// Anything.
    Unknown,
}

/// What the functions of the catalogue that a call may mean give back.
#[derive(Default)]
struct Found {
    /// `None` when there are none.
    flow: Option<Flow>,
    /// Where the result comes from beside the arguments.
    more: Lineage,
    /// The columns in FROM, when it is one function with known columns.
    columns: Shape,
}

impl<'c> Walker<'c> {
    pub(super) fn call(&mut self, call: &FuncCall, scope: &Scope<'_, 'c>, sink: &mut Lineage, predicate: bool) {
        let (schema, name) = qualified(&call.funcname);
        let (flow, users) = self.function(schema, name, call, scope);
        let stores = std::mem::take(&mut self.stores_arguments);
        let mut arguments = Lineage::default();
        // Counting values of an expression tells which are NULL; counting distinct ones tells which are equal. Other functions may fail on
        // some values or give as many rows as a value says, which tells something about it without returning it.
        let asks = match flow {
            Flow::Counts => !call.args.iter().all(|node| matches!(inner(Some(node)), Some(N::ColumnRef(_)))),
            Flow::Statistic | Flow::Arguments => {
                users.flow.is_some_and(|_| !users.more.is_clean()) || !functions::is_total(name)
            }
            Flow::Unknown => true,
        };
        let predicate_arguments = predicate || asks || call.agg_distinct;
        if flow == Flow::Statistic && aggregates_groups(call) {
            self.statistic(&call.args, scope, &mut arguments, predicate_arguments);
        } else {
            self.exprs(&call.args, scope, &mut arguments, predicate_arguments);
        }
        self.sort_items(&call.agg_order, scope, &mut arguments);
        if let Some(filter) = call.agg_filter.as_deref() {
            self.predicate(filter, scope);
        }
        if let Some(window) = call.over.as_deref() {
            self.window(window, scope);
        }
        if stores {
            self.move_away(&arguments);
        }
        if predicate {
            self.predicates.merge(&users.more);
        }
        sink.merge(&users.more);
        self.call_columns = users.columns.map(|mut columns| {
            columns.iter_mut().for_each(|column| column.lineage.merge(&arguments));
            columns
        });
        match flow {
            Flow::Statistic | Flow::Arguments => sink.merge(&arguments),
            Flow::Counts => {}
            Flow::Unknown => {
                sink.merge(&arguments);
                sink.set_unknown();
            }
        }
    }

    /// What a call does, whichever function of that name the server would choose.
    fn function(&mut self, schema: Option<&str>, name: &str, call: &FuncCall, scope: &Scope<'_, 'c>) -> (Flow, Found) {
        if schema != Some("pg_catalog") {
            self.check_fresh(name);
        }
        // The sorted arguments of `WITHIN GROUP` come after the others.
        let ordered = if call.agg_within_group { call.agg_order.len() } else { 0 };
        let count = call.args.len() + ordered;
        let builtins = match schema {
            // In FROM the grammar makes one call for each argument of it; elsewhere the server has none that takes several.
            None if name == "unnest" && count > 1 => functions::builtins(name, Some(1)),
            None | Some("pg_catalog") => functions::builtins(name, Some(count)),
            Some("information_schema") if name.starts_with("_pg_") => vec![Known::HARMLESS],
            Some(_) => Vec::new(),
        };
        // What no user has made anything of needs no telling apart.
        let calm = self.catalog.functions_named(name).iter().all(crate::catalog::Function::is_harmless);
        let types = if calm || !is_plain(call) { None } else { Some(self.types_of(&call.args, scope)) };
        let settled = !builtins.is_empty() && types.as_ref().is_some_and(|types| self.settled(name, types));
        let mut users = if schema.is_none() && settled {
            Found::default()
        } else {
            self.user_functions(schema, name, Some(count), types.as_deref())
        };
        let mut flow = users.flow;
        for known in &builtins {
            // A function of the same name elsewhere in the path may be chosen instead.
            let one = self.built_in(*known, name, call, scope);
            flow = Some(flow.map_or(one, |flow| flow.max(one)));
            users.columns = None;
        }
        if let Some(flow) = flow {
            return (flow, users);
        }
        // `mytype(x)` is a conversion.
        if call.args.len() == 1 && (functions::is_builtin_type(name) || !self.catalog.types_named(name).is_empty()) {
            let type_name = pg_query::protobuf::TypeName {
                names: call.funcname.clone(),
                ..pg_query::protobuf::TypeName::default()
            };
            let anything = self.conversion(&type_name);
            return (if anything { Flow::Unknown } else { Flow::Arguments }, users);
        }
        (self.unknown_function(schema, name), users)
    }

    fn unknown_function(&mut self, schema: Option<&str>, name: &str) -> Flow {
        self.reads_unknown = true;
        if schema == Some("pg_catalog") {
            self.runs(&format!("pg_catalog.{name}"), "the call of");
            return Flow::Unknown;
        }
        let object = self.unresolved(schema.unwrap_or(""), name, ObjectKind::Function);
        self.reason(format!("function {} is not known", object.name));
        let effect = if name.starts_with("dblink") { Effect::Export } else { Effect::Execute };
        self.act(effect, object);
        Flow::Unknown
    }

    /// A function named without a call that can be looked into: a sampling method, a procedure of a trigger.
    pub(super) fn function_effect(&mut self, schema: Option<&str>, name: &str, arguments: usize) {
        let builtins = match schema {
            None | Some("pg_catalog") => functions::builtins(name, None),
            Some(_) => Vec::new(),
        };
        let calm = |known: &Known| matches!(known.what, Builtin::Harmless | Builtin::Counts | Builtin::Statistic);
        let plain = !builtins.is_empty() && builtins.iter().all(calm);
        let users = self.user_functions(schema, name, Some(arguments), None);
        if !plain && users.flow.is_none() {
            self.unknown_function(schema, name);
        }
    }

    /// The functions of the catalogue that may be meant, and what they do.
    fn user_functions(
        &mut self,
        schema: Option<&str>,
        name: &str,
        arguments: Option<usize>,
        types: Option<&[Type]>,
    ) -> Found {
        let mut found = Found::default();
        let catalog = self.catalog;
        for function in catalog.functions_named(name) {
            let reachable = match schema {
                Some("pg_temp") => function.schema.starts_with("pg_temp_"),
                Some(schema) => function.schema == schema,
                None => self.looks_in(&function.schema) || function.schema == "pg_catalog",
            };
            let fits = arguments.is_none_or(|count| function.takes(count))
                && types.is_none_or(|types| !self.cannot_take(function, types));
            if !reachable || !fits {
                continue;
            }
            let first = found.flow.is_none();
            found.columns = None;
            if function.is_harmless() {
                // Its result may be of a type that the text does not name.
                self.values_of_any();
                found.flow = found.flow.max(Some(Flow::Arguments));
            } else if let Some(body) = self.body_of(function) {
                self.values_of_any();
                let more = self.take_over(function, &body);
                found.more.merge(&more);
                found.flow = found.flow.max(Some(Flow::Arguments));
                found.columns = if first { self.columns_of_body(&body) } else { None };
            } else {
                found.flow = Some(Flow::Unknown);
                self.harmful(function);
            }
        }
        found
    }

    fn harmful(&mut self, function: &crate::catalog::Function) {
        let full = function.full();
        match (function.extension.as_deref(), function.trust()) {
            (_, Some(Trust::Remote)) => {
                self.reason(format!("function {full} connects to other servers"));
                self.act(Effect::Export, Object::new(ObjectKind::Function, full));
            }
            (Some("pg_stat_statements"), _) if function.name.contains("reset") => {
                self.act(Effect::Admin, Object::new(ObjectKind::Function, full));
            }
            (Some("pg_stat_statements"), _) => {
                self.reads_anything(&full);
                self.act(Effect::Read, Object::new(ObjectKind::Function, full));
            }
            (Some("adminpack"), _) => self.act(Effect::Export, Object::new(ObjectKind::Function, full)),
            _ => self.runs(&full, "the call of"),
        }
        self.reads_unknown = true;
    }

    fn built_in(&mut self, known: Known, name: &str, call: &FuncCall, scope: &Scope<'_, 'c>) -> Flow {
        let object = || Object::new(ObjectKind::Function, format!("pg_catalog.{name}"));
        let builtin = known.what;
        match builtin {
            Builtin::Harmless => Flow::Arguments,
            Builtin::Counts => Flow::Counts,
            Builtin::Echoes => {
                self.echo();
                Flow::Unknown
            }
            Builtin::Statistic => Flow::Statistic,
            Builtin::Reveals => {
                self.reads_anything(name);
                Flow::Unknown
            }
            Builtin::Sized(at) => {
                self.literal = true;
                let size = call.args.get(at).and_then(constant::integer);
                if size.is_none_or(|size| size > MAX_SIZE) {
                    self.reason(format!("{name} makes a value of any length unless its length is a small constant"));
                    self.act(Effect::Execute, object());
                }
                Flow::Arguments
            }
            Builtin::Format => {
                self.literal = true;
                if !call.args.first().and_then(constant::text).is_some_and(is_small_format) || call.func_variadic {
                    self.reason(
                        "format makes a value of any length unless its format is a constant with small widths"
                            .to_owned(),
                    );
                    self.act(Effect::Execute, object());
                }
                Flow::Arguments
            }
            // What this session's own nextval gave.
            Builtin::LastValue => {
                self.bare(Effect::Read);
                Flow::Arguments
            }
            Builtin::SequenceWrite | Builtin::SequenceRead => {
                self.stores_arguments = builtin == Builtin::SequenceWrite;
                self.sequence(builtin, call)
            }
            Builtin::Seed => {
                self.stores_arguments = true;
                Flow::Arguments
            }
            Builtin::SetConfig => self.set_config(call, scope),
            Builtin::Notify => {
                let channel = call.args.first().and_then(constant::text).map_or_else(|| "?.".to_owned(), str::to_owned);
                self.literal = true;
                self.act(Effect::Write, Object::new(ObjectKind::Channel, channel));
                self.stores_arguments = true;
                Flow::Arguments
            }
            Builtin::Session => {
                self.bare(Effect::Session);
                Flow::Arguments
            }
            Builtin::File(effect) => {
                self.literal = true;
                let file = call.args.iter().find_map(constant::text).unwrap_or(name).to_owned();
                self.act(effect, Object::new(ObjectKind::File, file));
                self.reason(format!("{name}: {}", known.reason));
                self.reads_unknown = true;
                Flow::Unknown
            }
            Builtin::Admin => {
                self.act(Effect::Admin, object());
                self.reason(format!("{name}: {}", known.reason));
                self.reads_unknown = true;
                Flow::Unknown
            }
            Builtin::LargeObject(effect) => {
                self.act(effect, Object::relation("pg_catalog", "pg_largeobject"));
                self.reads_unknown = true;
                self.stores_arguments = true;
                Flow::Unknown
            }
            Builtin::Runs => {
                self.act(Effect::Execute, object());
                self.reads_unknown = true;
                self.reason(format!("{name}: {}", known.reason));
                Flow::Unknown
            }
            Builtin::Waits => {
                self.act(Effect::Execute, object());
                self.reason(format!("{name}: {}", known.reason));
                Flow::Arguments
            }
        }
    }

    fn sequence(&mut self, builtin: Builtin, call: &FuncCall) -> Flow {
        self.literal = true;
        let effect = if builtin == Builtin::SequenceWrite { Effect::Write } else { Effect::Read };
        let parts = call.args.first().and_then(constant::text).map(constant::name_parts).unwrap_or_default();
        let (schema, name) = match parts.as_slice() {
            [name] => ("", name.as_str()),
            [.., schema, name] => (schema.as_str(), name.as_str()),
            [] => {
                // A name that is not constant.
                self.act(effect, Object::new(ObjectKind::Sequence, "?."));
                return Flow::Arguments;
            }
        };
        let found = self.resolve(schema, name, |kind| kind == crate::catalog::RelationKind::Sequence);
        if found.is_empty() {
            let object = self.unresolved(schema, name, ObjectKind::Sequence);
            self.act(effect, object);
        }
        for sequence in found {
            self.act(effect, Object::new(ObjectKind::Sequence, sequence.full.clone()));
        }
        Flow::Arguments
    }

    fn set_config(&mut self, call: &FuncCall, scope: &Scope<'_, 'c>) -> Flow {
        self.literal = true;
        let name = call.args.first().and_then(|node| match constant::text(node) {
            Some(name) => Some(name.to_owned()),
            // `set_config(name, …) FROM pg_settings WHERE name = '…'`
            None => super::query::bare_name(node).and_then(|column| {
                let pin = scope.pinned.iter().find(|(pinned, _)| pinned == column);
                pin.map(|(_, value)| value.clone())
            }),
        });
        let value = call.args.get(1).and_then(constant::setting);
        match name {
            Some(name) => {
                let name = name.to_ascii_lowercase();
                if name == "search_path" {
                    self.path_changes(value.as_deref());
                }
                if value.is_some() && settings::judge(&name, value.as_deref()) == Setting::Harmless {
                    self.bare(Effect::Session);
                } else {
                    self.guarded(&name);
                }
            }
            None => self.guarded("?."),
        }
        self.stores_arguments = true;
        Flow::Arguments
    }

    pub(super) fn guarded(&mut self, name: &str) {
        self.act(Effect::Admin, Object::new(ObjectKind::Setting, name));
        self.reason(format!("setting {name} is fixed for the session"));
        if matches!(name, "client_encoding" | "names") {
            // What the server would read in another encoding is not what is read here.
            self.not_understood("texts in another encoding than UTF8");
        }
    }

    /// `x.name` may call a function of that name.
    pub(super) fn attribute_function(&mut self, name: &str, lineage: &mut Lineage) {
        let found = self.user_functions(None, name, Some(1), None);
        if std::mem::take(&mut self.stores_arguments) {
            self.move_away(lineage);
        }
        if found.flow.is_some() {
            lineage.merge(&found.more);
        }
        if found.flow == Some(Flow::Unknown) {
            lineage.set_unknown();
        }
    }
}

/// Whether an aggregate gives one value for a whole group: over a window it has one for every row, which may be that row's alone.
fn aggregates_groups(call: &FuncCall) -> bool {
    call.over.is_none() && !call.agg_within_group && !call.func_variadic
}

/// Whether every argument stands in its own place.
fn is_plain(call: &FuncCall) -> bool {
    let named = |node: &Node| matches!(inner(Some(node)), Some(N::NamedArgExpr(_)));
    !call.func_variadic && !call.agg_within_group && !call.args.iter().any(named)
}

/// Whether all widths of a format are small: `%s`, `%-20I`, `%2$5s`; none comes from an argument.
fn is_small_format(text: &str) -> bool {
    if text.len() as u64 > MAX_SIZE as u64 {
        return false;
    }
    let mut rest = text;
    let mut total: u64 = 0;
    while let Some(at) = rest.find('%') {
        rest = rest.get(at + 1..).unwrap_or("");
        if let Some(after) = rest.strip_prefix('%') {
            rest = after;
            continue;
        }
        let end = rest.find(|letter: char| letter.is_ascii_alphabetic()).unwrap_or(rest.len());
        let specifier = rest.get(..end).unwrap_or("");
        if specifier.contains('*') {
            return false;
        }
        let digits: String = specifier.rsplit('$').next().unwrap_or("").chars().filter(char::is_ascii_digit).collect();
        match digits.parse::<u64>() {
            Ok(width) => total = total.saturating_add(width),
            Err(_) if digits.is_empty() => {}
            Err(_) => return false,
        }
        rest = rest.get(end..).unwrap_or("");
    }
    i64::try_from(total).is_ok_and(|total| total <= MAX_SIZE)
}
