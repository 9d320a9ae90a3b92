//! Puts the rows of different queries together.

use std::collections::HashMap;

use super::build::{Builder, RawType, Use};
use super::{Function, Trigger, Type};

/// Domains of domains and arrays of them are followed this far.
const MAX_STEPS: usize = 16;

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
        for (table, number, source) in std::mem::take(&mut self.generated) {
            let columns = self.get(table).map(|relation| &mut relation.columns);
            if let Some(column) = columns.into_iter().flatten().find(|column| column.number == number) {
                column.made_of.push(source);
            }
        }
        let domains: HashMap<u32, u32> =
            self.types.iter().filter(|raw| raw.base != 0).map(|raw| (raw.oid, raw.base)).collect();
        let readable = self.implicit_casts(functions);
        for relation in &mut self.relations {
            for column in &mut relation.columns {
                // A domain may be made of a domain.
                for _ in 0..MAX_STEPS {
                    column.value_oid = domains.get(&column.value_oid).copied().unwrap_or(column.value_oid);
                }
                if let Some(names) = by_domain.get(&column.type_oid) {
                    relation.on_write.extend(names.iter().cloned());
                }
                if let Some(names) = readable.get(&column.type_oid) {
                    relation.on_read.extend(names.iter().cloned());
                }
            }
            relation.on_write.sort();
            relation.on_write.dedup();
            relation.on_read.sort();
            relation.on_read.dedup();
        }
        self.lift_from_partitions();
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

    /// Casts that the server applies by itself, by the type they start from.
    fn implicit_casts(&self, functions: &HashMap<u32, Function>) -> HashMap<u32, Vec<String>> {
        let mut found: HashMap<u32, Vec<String>> = HashMap::new();
        for (source, _, function, context) in &self.casts {
            let harmful = functions.get(function).filter(|function| !function.is_harmless());
            if let (Some(function), 'i' | 'a') = (harmful, *context) {
                found.entry(*source).or_default().push(function.full());
            }
        }
        found
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
        for (source, target, function, _) in &self.casts {
            if let Some(function) = harmful(function) {
                runs.entry(*target).or_default().push(function.full());
                runs.entry(*source).or_default().push(function.full());
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
            found.entry(raw.name.clone()).or_default().push(Type { schema: raw.schema.clone(), runs: all });
        }
        found
    }
}
