//! Puts the rows of different queries together.

use std::collections::{HashMap, HashSet};

use super::build::{Builder, RawCast, RawType, Use};
use super::{Function, Relation, Trigger, Type};

/// Domains of domains and arrays of them are followed this far.
const MAX_STEPS: usize = 16;

/// Numbers below are the server's own objects.
const FIRST_USER_OID: u32 = 16384;

/// Functions that run with values of a type.
#[derive(Default)]
struct Runs {
    /// When values are compared, or converted wherever they stand.
    read: Vec<String>,
    /// When a value is put into a column.
    write: Vec<String>,
    /// When a value of it is put into a column of another type.
    pass: Vec<String>,
    /// When a value of it is converted to this type of the server's own.
    cast: Vec<(String, String)>,
}

impl Runs {
    fn is_empty(&self) -> bool {
        self.read.is_empty() && self.write.is_empty() && self.pass.is_empty() && self.cast.is_empty()
    }

    fn add(&mut self, other: &Self) {
        self.read.extend(other.read.iter().cloned());
        self.write.extend(other.write.iter().cloned());
        self.pass.extend(other.pass.iter().cloned());
        self.cast.extend(other.cast.iter().cloned());
    }
}

impl Builder {
    pub(super) fn take_functions(&mut self) -> HashMap<u32, Function> {
        std::mem::take(&mut self.functions)
            .into_iter()
            .map(|(mut function, extension)| {
                function.extension = extension.and_then(|oid| self.extensions.get(&oid).cloned());
                (function.oid, function)
            })
            .collect()
    }

    pub(super) fn attach_relations(&mut self, functions: &HashMap<u32, Function>) {
        for (table, reference) in std::mem::take(&mut self.references) {
            if let Some(relation) = self.get(table) {
                relation.referenced_by.push(reference);
            }
        }
        for (child, parent) in std::mem::take(&mut self.inherits) {
            if let Some(relation) = self.get(child) {
                relation.parents.push(parent);
            }
            if let Some(relation) = self.get(parent) {
                relation.children.push(child);
            }
        }
        for (table, bits, oid, schema, name) in std::mem::take(&mut self.triggers) {
            // The server's own trigger functions (tsvector_update_trigger) are not in the list of functions.
            let harmless = functions.get(&oid).map_or(schema == "pg_catalog", Function::is_harmless);
            let trigger = Trigger { bits, function: format!("{schema}.{name}"), harmless };
            if let Some(relation) = self.get(table) {
                relation.triggers.push(trigger);
            }
        }
        let uses = std::mem::take(&mut self.uses);
        let mut by_domain: HashMap<u32, Vec<String>> = HashMap::new();
        for Use { table, domain, function, column } in &uses {
            let Some(function) = functions.get(function).filter(|function| !function.is_harmless()) else {
                continue;
            };
            let name = function.full();
            if let Some(relation) = table.and_then(|table| self.get(table)) {
                relation.on_write.push(name);
                relation.filled.extend(column.and_then(|number| i16::try_from(number).ok()));
            } else if let Some(domain) = domain {
                by_domain.entry(*domain).or_default().push(name);
            }
        }
        self.uses = uses;
        self.attach_generated();
        self.attach_types(&by_domain, functions);
        self.lift_from_partitions();
    }

    /// Which columns are made of which.
    fn attach_generated(&mut self) {
        for (table, number, source) in std::mem::take(&mut self.generated) {
            let columns = self.get(table).map(|relation| &mut relation.columns);
            if let Some(column) = columns.into_iter().flatten().find(|column| column.number == number) {
                column.made_of.push(source);
            }
        }
    }

    /// What the types of columns run.
    fn attach_types(&mut self, by_domain: &HashMap<u32, Vec<String>>, functions: &HashMap<u32, Function>) {
        let domains: HashMap<u32, u32> =
            self.types.iter().filter(|raw| raw.base != 0).map(|raw| (raw.oid, raw.base)).collect();
        let runs = self.runs_by_type(functions);
        for (oid, runs) in &runs {
            if !runs.cast.is_empty() {
                self.conversions.insert(*oid, runs.cast.clone());
            }
        }
        for relation in &mut self.relations {
            for column in &mut relation.columns {
                // A domain may be made of a domain.
                for _ in 0..MAX_STEPS {
                    column.value_oid = domains.get(&column.value_oid).copied().unwrap_or(column.value_oid);
                }
                if let Some(names) = by_domain.get(&column.type_oid) {
                    relation.on_write.extend(names.iter().cloned());
                }
                let Some(runs) = runs.get(&column.type_oid) else {
                    continue;
                };
                relation.on_read.extend(runs.read.iter().cloned());
                relation.on_write.extend(runs.write.iter().cloned());
                relation.on_pass.extend(runs.pass.iter().cloned());
                relation.on_cast.extend(runs.cast.iter().cloned());
                if !runs.write.is_empty() {
                    relation.filled.push(column.number);
                }
            }
            for names in [&mut relation.on_write, &mut relation.on_read, &mut relation.on_pass] {
                names.sort();
                names.dedup();
            }
        }
    }

    /// A row written to a partitioned table sets off what its partition has, too.
    fn lift_from_partitions(&mut self) {
        let mut lifted: Vec<(u32, Vec<Trigger>, Vec<String>)> = Vec::new();
        for relation in self.relations.iter().filter(|relation| relation.is_partition) {
            if relation.triggers.is_empty() && relation.on_write.is_empty() {
                continue;
            }
            let mut ahead = relation.parents.clone();
            for _ in 0..MAX_STEPS {
                let Some(oid) = ahead.pop() else { break };
                lifted.push((oid, relation.triggers.clone(), relation.on_write.clone()));
                ahead
                    .extend(self.at.get(&oid).and_then(|at| self.relations.get(*at)).iter().flat_map(|it| &it.parents));
            }
        }
        for (oid, triggers, on_write) in lifted {
            if let Some(parent) = self.get(oid) {
                for trigger in triggers {
                    if !parent.triggers.contains(&trigger) {
                        parent.triggers.push(trigger);
                    }
                }
                parent.on_write.extend(on_write);
                parent.on_write.sort();
                parent.on_write.dedup();
            }
        }
    }

    /// What values of a type run by themselves. An array, a domain and a row have what they are made of.
    fn runs_by_type(&self, functions: &HashMap<u32, Function>) -> HashMap<u32, Runs> {
        let mut own: HashMap<u32, Runs> = HashMap::new();
        let harmful = |oid: &u32| functions.get(oid).filter(|function| !function.is_harmless()).map(Function::full);
        for RawCast { source, target, function, context, into } in &self.casts {
            let Some(name) = harmful(function) else {
                continue;
            };
            // A conversion to a type that is not the server's own is found by that type's name.
            if *target < FIRST_USER_OID {
                own.entry(*source).or_default().cast.push((into.clone(), name.clone()));
            }
            // A built-in type is everywhere, so a value of a type that is not must be there for a cast from it to run.
            let from_anything = *source < FIRST_USER_OID || *target >= FIRST_USER_OID;
            // An assignment cast runs only where a value is put into a column; an implicit one wherever a value stands.
            if matches!(context, 'i' | 'a') && from_anything {
                own.entry(*target).or_default().write.push(name.clone());
            }
            if *context == 'a' && *source >= FIRST_USER_OID {
                own.entry(*source).or_default().pass.push(name.clone());
            }
            if *context == 'i' {
                if from_anything {
                    own.entry(*target).or_default().read.push(name.clone());
                }
                own.entry(*source).or_default().read.push(name);
            }
        }
        for (of, function) in &self.orders {
            if let Some(name) = harmful(function) {
                own.entry(*of).or_default().read.push(name);
            }
        }
        let parts = self.parts_of_types();
        let mut found = HashMap::new();
        for start in parts.keys().chain(own.keys()) {
            let mut all = Runs::default();
            let (mut ahead, mut seen) = (vec![*start], HashSet::new());
            while let Some(oid) = ahead.pop() {
                if seen.insert(oid) {
                    if let Some(runs) = own.get(&oid) {
                        all.add(runs);
                    }
                    ahead.extend(parts.get(&oid).into_iter().flatten());
                }
            }
            if !all.is_empty() {
                found.insert(*start, all);
            }
        }
        found
    }

    /// What types are made of: a domain's base, an array's element, a row's columns.
    fn parts_of_types(&self) -> HashMap<u32, Vec<u32>> {
        let rows: HashMap<(&str, &str), &Relation> = self
            .relations
            .iter()
            .map(|relation| ((relation.schema.as_str(), relation.name.as_str()), relation))
            .collect();
        let parts = |raw: &RawType| {
            let mut parts: Vec<u32> = [raw.base, raw.element].into_iter().filter(|oid| *oid != 0).collect();
            if raw.kind == 'c' {
                let columns = rows.get(&(raw.schema.as_str(), raw.name.as_str())).map(|relation| &relation.columns);
                parts.extend(columns.into_iter().flatten().map(|column| column.type_oid));
            }
            (raw.oid, parts)
        };
        self.types.iter().map(parts).collect()
    }

    pub(super) fn types_by_name(&self, functions: &HashMap<u32, Function>) -> HashMap<String, Vec<Type>> {
        let mut runs: HashMap<u32, Vec<String>> = HashMap::new();
        let harmful = |oid: &u32| functions.get(oid).filter(|function| !function.is_harmless());
        for raw in &self.types {
            // Built-in input functions are not in the list; a base type's own is, and runs on every conversion from text.
            if let (Some(function), 'b') = (harmful(&raw.input), raw.kind) {
                runs.entry(raw.oid).or_default().push(function.full());
            }
        }
        for RawCast { source, target, function, context, .. } in &self.casts {
            if let Some(function) = harmful(function) {
                runs.entry(*target).or_default().push(function.full());
                // Explicit ones run only where the other type is named.
                if *context != 'e' {
                    runs.entry(*source).or_default().push(function.full());
                }
            }
        }
        for (of, function) in &self.orders {
            if let Some(function) = harmful(function) {
                runs.entry(*of).or_default().push(function.full());
            }
        }
        for Use { table, domain, function, .. } in &self.uses {
            if let (None, Some(domain), Some(function)) = (table, domain, harmful(function)) {
                runs.entry(*domain).or_default().push(function.full());
            }
        }
        let by_oid: HashMap<u32, &RawType> = self.types.iter().map(|raw| (raw.oid, raw)).collect();
        let mut found: HashMap<String, Vec<Type>> = HashMap::new();
        for raw in &self.types {
            // Through domains to their base and through arrays to their elements.
            let mut all = Vec::new();
            let (mut oid, mut steps) = (raw.oid, 0);
            let mut next = Some(raw);
            while let Some(current) = next.filter(|_| steps < MAX_STEPS) {
                all.extend(runs.get(&oid).into_iter().flatten().cloned());
                oid = if current.base != 0 { current.base } else { current.element };
                next = by_oid.get(&oid).copied();
                steps += 1;
            }
            all.sort();
            all.dedup();
            let opens = raw.kind == 'c' || next.is_none() && oid != 0;
            let on_cast = self.conversions.get(&raw.oid).cloned().unwrap_or_default();
            let made = Type { schema: raw.schema.clone(), runs: all, on_cast, opens };
            found.entry(raw.name.clone()).or_default().push(made);
        }
        found
    }
}
