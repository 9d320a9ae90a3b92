//! Targets: names, addresses and roles checked here, options checked by the protocol they belong to.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use gate::Endpoint;
use model::Target;
use serde_json::{Map, Value};
use serde_saphyr::Spanned;

use super::document::TargetDoc;
use super::problem::{Problem, nearest};
use crate::protocols::{self, Protocol};

/// One target, checked.
#[derive(Debug)]
pub(crate) struct TargetConfig {
    /// As policy sees it.
    pub(crate) target: Target,
    /// Where it is and how to speak to it.
    pub(crate) endpoint: Endpoint,
    /// Its credentials.
    pub(crate) roles: BTreeMap<String, secrets::RoleConfig>,
}

/// Longest name of a target or role: what fits a PostgreSQL identifier.
const MAX_NAME: usize = 63;

/// Checks all targets and gives those that are right.
pub(crate) fn read(
    file: &Path,
    base: &Path,
    documents: Vec<TargetDoc>,
    problems: &mut Vec<Problem>,
) -> Vec<TargetConfig> {
    if documents.is_empty() {
        problems.push(Problem::of(file, "`targets` is missing or empty: name at least one target"));
    }
    let mut names = BTreeSet::new();
    let mut targets = Vec::new();
    for document in documents {
        let name = document.name.clone();
        if !names.insert(name.value.clone()) {
            problems.push(Problem::at(file, name.referenced, format!("two targets are named {}", name.value)));
        }
        targets.extend(one(file, base, document, problems));
    }
    targets.sort_by(|a, b| a.target.name.cmp(&b.target.name));
    targets
}

fn one(file: &Path, base: &Path, document: TargetDoc, problems: &mut Vec<Problem>) -> Option<TargetConfig> {
    let before = problems.len();
    let name = &document.name;
    if !is_name(&name.value) || name.value == gate::gate::OWN_TARGET {
        let text = "a target's name has 1 to 63 letters, digits, `-`, `_` or `.`, and is not `sallyport`";
        problems.push(Problem::at(file, name.referenced, text));
    }
    check_address(file, &document.address, problems);
    let default_role = default_role(file, &document, problems);
    for role in document.roles.keys() {
        if !is_name(role) {
            problems.push(Problem::at(
                file,
                name.referenced,
                format!("role {role:?} of {}: a role's name has 1 to 63 letters, digits, `-`, `_` or `.`", name.value),
            ));
        }
    }
    let protocol = protocol(file, &document.kind, problems)?;
    let options = options(file, base, protocol, &document, problems);
    if problems.len() > before {
        return None;
    }
    Some(TargetConfig {
        target: Target {
            name: name.value.clone(),
            kind: document.kind.value,
            labels: document.labels,
            roles: document.roles.keys().cloned().collect(),
            default_role,
        },
        endpoint: Endpoint { address: document.address.value, options },
        roles: document.roles.into_iter().map(|(role, config)| (role, config.relative_to(base))).collect(),
    })
}

fn protocol(file: &Path, kind: &Spanned<String>, problems: &mut Vec<Problem>) -> Option<&'static Protocol> {
    let found = protocols::find(&kind.value);
    if found.is_none() {
        let known: Vec<&str> = protocols::ALL.iter().map(|protocol| protocol.id.0).collect();
        let hint = nearest(&kind.value, &known).map(|near| format!("; did you mean {near}?")).unwrap_or_default();
        problems.push(Problem::at(file, kind.referenced, format!("`kind` must be one of: {}{hint}", known.join(", "))));
    }
    found
}

fn check_address(file: &Path, address: &Spanned<String>, problems: &mut Vec<Problem>) {
    let good = address.value.rsplit_once(':').is_some_and(|(host, port)| {
        !host.is_empty() && !host.contains(['/', '@', ' ']) && port.parse::<u16>().is_ok_and(|port| port > 0)
    });
    if !good {
        problems.push(Problem::at(file, address.referenced, "`address` must be host:port, such as db.internal:5432"));
    }
}

fn default_role(file: &Path, document: &TargetDoc, problems: &mut Vec<Problem>) -> String {
    let name = &document.name;
    if let Some(role) = &document.default_role {
        if !document.roles.contains_key(&role.value) {
            let known: Vec<&str> = document.roles.keys().map(String::as_str).collect();
            problems.push(Problem::at(
                file,
                role.referenced,
                format!("`default_role` names no role of {}; roles are: {}", name.value, known.join(", ")),
            ));
        }
        return role.value.clone();
    }
    let mut roles = document.roles.keys();
    match (roles.next(), roles.next()) {
        (Some(only), None) => only.clone(),
        (Some(_), Some(_)) => {
            problems.push(Problem::at(
                file,
                name.referenced,
                format!(
                    "{} has several roles; say which one a session gets that names none: `default_role: …`",
                    name.value
                ),
            ));
            String::new()
        }
        (None, _) => {
            problems.push(Problem::at(file, name.referenced, format!("{} has no `roles`; name at least one credential: `roles: {{ app: {{ user: app, password: {{ secret: app-pw }} }} }}`", name.value)));
            String::new()
        }
    }
}

/// The protocol's options as one document; paths in them are made relative to the configuration.
fn options(file: &Path, base: &Path, protocol: &Protocol, document: &TargetDoc, problems: &mut Vec<Problem>) -> Value {
    let mut map = Map::new();
    for (key, value) in &document.options {
        let value = match value {
            Value::String(path) if protocol.path_options.contains(&key.value.as_str()) => {
                Value::String(base.join(path).to_string_lossy().into_owned())
            }
            other => other.clone(),
        };
        map.insert(key.value.clone(), value);
    }
    for (key, value) in &document.options {
        if let Value::String(role) = value
            && protocol.role_options.contains(&key.value.as_str())
            && !document.roles.contains_key(role)
        {
            let known: Vec<&str> = document.roles.keys().map(String::as_str).collect();
            let target = &document.name.value;
            let text = format!("`{}` names no role of {target}; roles are: {}", key.value, known.join(", "));
            problems.push(Problem::at(file, key.referenced, text));
        }
    }
    let value = Value::Object(map);
    if let Err(message) = (protocol.check_options)(&value) {
        let key = document.options.iter().find(|(key, _)| message.contains(&format!("`{}`", key.value)));
        let place = key.map_or(document.name.referenced, |(key, _)| key.referenced);
        problems.push(Problem::at(file, place, format!("target {}: {message}", document.name.value)));
    }
    value
}

fn is_name(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= MAX_NAME
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
}
