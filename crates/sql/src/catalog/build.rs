//! Rows in, snapshot out.

use std::collections::HashMap;
use std::sync::OnceLock;

use super::{Bodies, Catalog, Column, Function, Operator, Policy, QUERIES, Reference, Relation, RelationKind, Rule};

/// A row that does not have the form its query gives.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum CatalogError {
    /// The name is not one of [`QUERIES`].
    #[error("{0:?} is not one of the catalogue queries")]
    UnknownQuery(String),
    /// A cell is missing or has another form than expected.
    #[error("the answer to catalogue query {query:?} has a bad or missing value in column {column}")]
    BadCell {
        /// The query.
        query: &'static str,
        /// The column, from 0.
        column: usize,
    },
}

/// Collects rows of [`QUERIES`].
#[derive(Default)]
pub struct Builder {
    pub(super) relations: Vec<Relation>,
    pub(super) at: HashMap<u32, usize>,
    pub(super) references: Vec<(u32, Reference)>,
    pub(super) inherits: Vec<(u32, u32)>,
    pub(super) extensions: HashMap<u32, String>,
    pub(super) functions: Vec<(Function, Option<u32>)>,
    pub(super) operators: Vec<(String, String, u32, [u32; 2])>,
    pub(super) types: Vec<RawType>,
    pub(super) casts: Vec<RawCast>,
    /// What converting a value of a type to one of the server's own runs: that one's name, and the function.
    pub(super) conversions: HashMap<u32, Vec<(String, String)>>,
    pub(super) uses: Vec<Use>,
    pub(super) generated: Vec<(u32, i16, i16)>,
    /// Types and the functions that comparing their values runs.
    pub(super) orders: Vec<(u32, u32)>,
    pub(super) triggers: Vec<(u32, i16, u32, String, String)>,
    pub(super) event_triggers: Vec<u32>,
    pub(super) search_path: Vec<String>,
    pub(super) conforming_strings: Option<bool>,
    pub(super) server_version: u32,
}

/// A function that runs when a row of a table, or a value of a domain, is written.
pub(super) struct Use {
    pub(super) table: Option<u32>,
    pub(super) domain: Option<u32>,
    pub(super) function: u32,
    /// The column whose value it makes.
    pub(super) column: Option<u32>,
}

/// A cast with a function; `into` is its target's name.
pub(super) struct RawCast {
    pub(super) source: u32,
    pub(super) target: u32,
    pub(super) function: u32,
    pub(super) context: char,
    pub(super) into: String,
}

pub(super) struct RawType {
    pub(super) oid: u32,
    pub(super) schema: String,
    pub(super) name: String,
    pub(super) kind: char,
    pub(super) base: u32,
    pub(super) input: u32,
    pub(super) element: u32,
}

struct Cells<'a> {
    query: &'static str,
    cells: &'a [Option<&'a str>],
}

impl<'a> Cells<'a> {
    fn bad(&self, column: usize) -> CatalogError {
        CatalogError::BadCell { query: self.query, column }
    }

    fn text(&self, column: usize) -> Result<&'a str, CatalogError> {
        self.cells.get(column).copied().flatten().ok_or_else(|| self.bad(column))
    }

    fn string(&self, column: usize) -> Result<String, CatalogError> {
        self.text(column).map(str::to_owned)
    }

    fn number<T: std::str::FromStr>(&self, column: usize) -> Result<T, CatalogError> {
        self.text(column)?.trim().parse().map_err(|_| self.bad(column))
    }

    fn optional(&self, column: usize) -> Result<Option<u32>, CatalogError> {
        match self.cells.get(column) {
            Some(None) => Ok(None),
            Some(Some(text)) => text.parse().map(Some).map_err(|_| self.bad(column)),
            None => Err(self.bad(column)),
        }
    }

    fn letter(&self, column: usize) -> Result<char, CatalogError> {
        self.text(column)?.chars().next().ok_or_else(|| self.bad(column))
    }

    fn flag(&self, column: usize) -> Result<bool, CatalogError> {
        match self.text(column)? {
            "t" => Ok(true),
            "f" => Ok(false),
            _ => Err(self.bad(column)),
        }
    }

    fn oids(&self, column: usize) -> Result<Vec<u32>, CatalogError> {
        let parts = self.text(column)?.split_ascii_whitespace();
        parts.map(|part| part.parse().map_err(|_| self.bad(column))).collect()
    }

    fn numbers(&self, column: usize) -> Result<Vec<i16>, CatalogError> {
        self.text(column)?
            .split([' ', ',', '{', '}'])
            .filter(|part| !part.is_empty())
            .map(|part| part.parse().map_err(|_| self.bad(column)))
            .collect()
    }
}

impl Builder {
    /// An empty collection.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the settings from another snapshot of the same database and role, for a connection whose own may be others.
    pub fn settings_of(&mut self, other: &Catalog) {
        self.search_path = other.search_path.clone();
        self.conforming_strings = Some(other.conforming_strings);
        self.server_version = other.server_version;
    }

    /// Takes one row of the query of this name, cells in text form.
    ///
    /// # Errors
    /// The name is unknown, or a cell does not have its form.
    pub fn row(&mut self, query: &str, cells: &[Option<&str>]) -> Result<(), CatalogError> {
        let Some((query, _)) = QUERIES.iter().find(|(name, _)| *name == query) else {
            return Err(CatalogError::UnknownQuery(query.to_owned()));
        };
        let cells = &Cells { query, cells };
        match *query {
            "settings" => self.setting(cells),
            "extensions" => {
                self.extensions.insert(cells.number(0)?, cells.string(1)?);
                Ok(())
            }
            "relations" => self.relation(cells),
            "columns" | "views" | "rules" | "unique" | "policies" => self.part(query, cells),
            "triggers" => {
                self.triggers.push((
                    cells.number(0)?,
                    cells.number(1)?,
                    cells.number(2)?,
                    cells.string(3)?,
                    cells.string(4)?,
                ));
                Ok(())
            }
            "foreign_keys" => self.foreign_key(cells),
            "inherits" => {
                self.inherits.push((cells.number(0)?, cells.number(1)?));
                Ok(())
            }
            "functions" => self.function(cells),
            "operators" => {
                let types = [cells.number(3)?, cells.number(4)?];
                self.operators.push((cells.string(0)?, cells.string(1)?, cells.number(2)?, types));
                Ok(())
            }
            "types" => self.type_row(cells),
            "casts" => {
                self.casts.push(RawCast {
                    source: cells.number(0)?,
                    target: cells.number(1)?,
                    function: cells.number(2)?,
                    context: cells.letter(3)?,
                    into: cells.string(4)?,
                });
                Ok(())
            }
            "uses" => {
                self.uses.push(Use {
                    table: cells.optional(0)?,
                    domain: cells.optional(1)?,
                    function: cells.number(2)?,
                    column: cells.optional(3)?,
                });
                Ok(())
            }
            "generated" => {
                self.generated.push((cells.number(0)?, cells.number(1)?, cells.number(2)?));
                Ok(())
            }
            "orders" => {
                self.orders.push((cells.number(0)?, cells.number(1)?));
                Ok(())
            }
            "event_triggers" => {
                self.event_triggers.push(cells.number(1)?);
                Ok(())
            }
            // Statements without rows.
            _ => Ok(()),
        }
    }

    fn setting(&mut self, cells: &Cells<'_>) -> Result<(), CatalogError> {
        let value = cells.text(1)?;
        match cells.text(0)? {
            "search_path" => self.search_path = split_path(value),
            "standard_conforming_strings" => self.conforming_strings = Some(value == "on"),
            "server_version_num" => self.server_version = cells.number(1)?,
            _ => {}
        }
        Ok(())
    }

    fn relation(&mut self, cells: &Cells<'_>) -> Result<(), CatalogError> {
        let kind = match cells.letter(3)? {
            'r' => RelationKind::Table,
            'p' => RelationKind::Partitioned,
            'v' => RelationKind::View,
            'm' => RelationKind::Materialized,
            'f' => RelationKind::Foreign,
            'S' => RelationKind::Sequence,
            'c' => RelationKind::Composite,
            'i' | 'I' => RelationKind::Index,
            _ => return Err(cells.bad(3)),
        };
        let (oid, schema, name) = (cells.number(0)?, cells.string(1)?, cells.string(2)?);
        self.at.insert(oid, self.relations.len());
        self.relations.push(Relation {
            oid,
            // A session sees its own temporary schema only, under this name.
            full: if schema.starts_with("pg_temp_") { format!("pg_temp.{name}") } else { format!("{schema}.{name}") },
            schema,
            name,
            kind,
            is_partition: cells.flag(4)?,
            columns: Vec::new(),
            definition: None,
            view: OnceLock::new(),
            rules: Vec::new(),
            triggers: Vec::new(),
            referenced_by: Vec::new(),
            parents: Vec::new(),
            children: Vec::new(),
            unique: Vec::new(),
            on_write: Vec::new(),
            on_read: Vec::new(),
            on_pass: Vec::new(),
            on_cast: Vec::new(),
            filled: Vec::new(),
            policies: Vec::new(),
            guards: (OnceLock::new(), OnceLock::new()),
        });
        Ok(())
    }

    pub(super) fn get(&mut self, oid: u32) -> Option<&mut Relation> {
        self.at.get(&oid).and_then(|at| self.relations.get_mut(*at))
    }

    /// A row that belongs to a relation. A relation dropped in between is no error.
    fn part(&mut self, query: &str, cells: &Cells<'_>) -> Result<(), CatalogError> {
        let oid = cells.number(0)?;
        let Some(relation) = self.get(oid) else {
            return Ok(());
        };
        match query {
            "columns" => relation.columns.push(Column {
                number: cells.number(1)?,
                name: cells.string(2)?,
                type_oid: cells.number(3)?,
                value_oid: cells.number(3)?,
                made_of: Vec::new(),
                not_null: cells.flag(4)?,
            }),
            // NULL for a view dropped in between.
            "views" => relation.definition = cells.cells.get(1).copied().flatten().map(str::to_owned),
            "rules" => relation.rules.push(Rule {
                event: cells.letter(1)?,
                instead: cells.flag(2)?,
                definition: cells.string(3)?,
            }),
            "policies" => {
                let command = cells.letter(1)?;
                let conditions = cells.cells.iter().skip(2).flatten();
                relation
                    .policies
                    .extend(conditions.map(|condition| Policy { command, condition: (*condition).to_owned() }));
            }
            "unique" => {
                for number in cells.numbers(1)? {
                    if number > 0 && !relation.unique.contains(&number) {
                        relation.unique.push(number);
                    }
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn foreign_key(&mut self, cells: &Cells<'_>) -> Result<(), CatalogError> {
        self.references.push((
            cells.number(1)?,
            Reference {
                from: cells.number(0)?,
                on_delete: cells.letter(2)?,
                on_update: cells.letter(3)?,
                key: cells.numbers(4)?,
            },
        ));
        Ok(())
    }

    fn function(&mut self, cells: &Cells<'_>) -> Result<(), CatalogError> {
        let function = Function {
            oid: cells.number(0)?,
            schema: cells.string(1)?,
            name: cells.string(2)?,
            volatility: cells.letter(4)?,
            arguments: cells.number(6)?,
            defaults: cells.number(7)?,
            variadic: cells.flag(8)?,
            types: cells.oids(11)?,
            extension: None,
            // NULL for other languages, and for what somebody changes right now.
            definition: cells.cells.get(10).copied().flatten().map(str::to_owned),
            bodies: Bodies::default(),
        };
        self.functions.push((function, cells.optional(9)?));
        Ok(())
    }

    fn type_row(&mut self, cells: &Cells<'_>) -> Result<(), CatalogError> {
        self.types.push(RawType {
            oid: cells.number(0)?,
            schema: cells.string(1)?,
            name: cells.string(2)?,
            kind: cells.letter(3)?,
            base: cells.number(4)?,
            input: cells.number(5)?,
            element: cells.number(6)?,
        });
        Ok(())
    }

    /// The snapshot. `version` is the caller's own count, for caches.
    #[must_use]
    pub fn finish(mut self, version: u64) -> Catalog {
        let functions = self.take_functions();
        self.attach_relations(&functions);
        let types = self.types_by_name(&functions);
        let type_kinds = self.types.iter().map(|raw| (raw.oid, raw.kind)).collect();
        let unasked = self.casts.iter().filter(|cast| cast.context == 'i');
        let implicit_casts = unasked.map(|cast| (cast.source, cast.target)).collect();
        let mut operators: HashMap<String, Vec<Operator>> = HashMap::new();
        for (schema, name, code, types) in std::mem::take(&mut self.operators) {
            let function = functions.get(&code);
            operators.entry(name).or_default().push(Operator {
                schema,
                types,
                // A function that is not in the list is the server's own.
                harmless: function.is_none_or(Function::is_harmless),
                function: function.map_or_else(|| format!("pg_catalog.{code}"), Function::full),
            });
        }
        let event_triggers =
            self.event_triggers.iter().filter_map(|oid| functions.get(oid)).map(Function::full).collect();
        let mut by_name: HashMap<String, Vec<usize>> = HashMap::new();
        for (at, relation) in self.relations.iter().enumerate() {
            by_name.entry(relation.name.clone()).or_default().push(at);
        }
        let mut by_function_name: HashMap<String, Vec<Function>> = HashMap::new();
        let mut function_names = HashMap::new();
        for (oid, function) in functions {
            function_names.insert(oid, (function.schema.clone(), function.name.clone()));
            by_function_name.entry(function.name.clone()).or_default().push(function);
        }
        let schemas = schemas(&self.relations, &by_function_name);
        let mut extensions: Vec<String> = self.extensions.into_values().collect();
        extensions.sort();
        Catalog {
            version,
            relations: self.relations,
            by_oid: self.at,
            by_name,
            functions: by_function_name,
            function_names,
            operators,
            types,
            type_kinds,
            implicit_casts,
            conversions: self.conversions,
            event_triggers,
            schemas,
            extensions,
            search_path: self.search_path,
            conforming_strings: self.conforming_strings.unwrap_or(true),
            server_version: self.server_version,
        }
    }
}

/// The schemas of what is not the server's own.
fn schemas(relations: &[Relation], functions: &HashMap<String, Vec<Function>>) -> Vec<String> {
    let of_relations = relations.iter().filter(|relation| !relation.is_system()).map(|relation| &relation.schema);
    let of_functions = functions.values().flatten().map(|function| &function.schema);
    let mut all: Vec<String> =
        of_relations.chain(of_functions).filter(|schema| !schema.starts_with("pg_")).cloned().collect();
    all.sort();
    all.dedup();
    all
}

/// The names in a value of search_path as servers keep it: parted by commas, folded to lower case unless quoted.
#[must_use]
pub fn split_path(value: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut name = String::new();
    let mut quoted = false;
    let mut chars = value.chars().peekable();
    while let Some(next) = chars.next() {
        match next {
            '"' if quoted && chars.peek() == Some(&'"') => {
                chars.next();
                name.push('"');
            }
            '"' => quoted = !quoted,
            ',' if !quoted => names.push(std::mem::take(&mut name)),
            blank if blank.is_ascii_whitespace() && !quoted => {}
            other if quoted => name.push(other),
            other => name.push(other.to_ascii_lowercase()),
        }
    }
    names.push(name);
    names.retain(|name| !name.is_empty());
    names
}
