//! Puts the rows of different queries together.

use std::collections::HashMap;

use super::build::{Builder, RawType};
use super::{Function, Trigger, Type};

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
        for (table, domain, oid) in &uses {
            let Some(function) = functions.get(oid).filter(|function| !function.is_harmless()) else {
                continue;
            };
            let name = function.full();
            if let Some(relation) = table.and_then(|table| self.get(table)) {
                relation.on_write.push(name);
            } else if let Some(domain) = domain {
                by_domain.entry(*domain).or_default().push(name);
            }
        }
        self.uses = uses;
        let readable = self.implicit_casts(functions);
        for relation in &mut self.relations {
            for column in &relation.columns {
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
        for (table, domain, function) in &self.uses {
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
            while let Some(current) = next.filter(|_| steps < 16) {
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
