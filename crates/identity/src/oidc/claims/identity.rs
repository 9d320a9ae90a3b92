//! How claims become an identity, by the issuer's configuration. The rules are in [`crate::config`].

use std::collections::BTreeMap;

use gate::ports::AuthFailure;
use model::{Identity, IdentityKind};
use serde_json::{Map, Value};

use crate::config::{DelegatedGroups, IssuerConfig, KindByClaim, KindConfig, OnBehalfOf};
use crate::oidc::refused;
use crate::tokens::request::is_name;

/// Most links of a delegation chain.
const CHAIN_LIMIT: usize = 8;
/// How the names of the gateway's own groups begin: nobody has them by what an issuer says.
const RESERVED: &str = "sallyport-";
/// Most groups of one identity.
const GROUPS_LIMIT: usize = 1024;
/// Most bytes of a task.
const TASK_LIMIT: usize = 1024;
/// Most bytes of one claim that is kept without being named.
const CLAIM_LIMIT: usize = 1024;
/// Most bytes of all kept claims.
const CLAIMS_LIMIT: usize = 16 * 1024;

/// Claims that are kept only when named: secrets, hashes of secrets, and the protocol's own.
const NOT_KEPT: [&str; 22] = [
    "access_token",
    "act",
    "aio",
    "at_hash",
    "c_hash",
    "client_secret",
    "code",
    "cnf",
    "id_token",
    "jti",
    "may_act",
    "nonce",
    "otp",
    "password",
    "refresh_token",
    "rh",
    "s_hash",
    "secret",
    "session_state",
    "sid",
    "state",
    "uti",
];

/// The claim by which policy and recordings tell a login with the browser. No token can claim it.
pub(in crate::oidc) const LOGIN_CLAIM: &str = "sallyport_login";

pub(super) fn from_claims(config: &IssuerConfig, claims: Map<String, Value>) -> Result<Identity, AuthFailure> {
    // Delegation is never overlooked: an `act` of any form is followed or refused.
    let actor = match (claims.get("act"), config.on_behalf_of) {
        (None, _) => None,
        (Some(Value::Object(actor)), OnBehalfOf::Act) => Some(actor),
        (Some(_), OnBehalfOf::Act) => return Err(refused("its `act` claim is not an object")),
        (Some(_), OnBehalfOf::None) => {
            return Err(refused("it is a delegated token, which this issuer's configuration excludes"));
        }
    };
    let person = subject(config, &claims)?;
    let mut kind = kind(&config.kind, &claims)?;
    let (subject, on_behalf_of) = match actor {
        None => (person, Vec::new()),
        Some(actor) => {
            may_act(&claims, actor)?;
            if kind == IdentityKind::Human {
                kind = IdentityKind::Agent;
            }
            chain(actor, person)?
        }
    };
    let groups = match (actor, config.delegated_groups) {
        (None, _) | (Some(_), DelegatedGroups::Subject) => groups(config, &claims)?,
        (Some(actor), DelegatedGroups::Actor) => groups(config, actor)?,
        (Some(actor), DelegatedGroups::Both) => sorted([groups(config, actor)?, groups(config, &claims)?].concat()),
    };
    let task = config.task.as_ref().map(|name| task(name, &claims)).transpose()?.flatten();
    let issuer = config.url.clone();
    let claims = kept(config.claims.as_deref(), claims)?;
    Ok(Identity { subject, issuer, groups, kind, on_behalf_of, task, claims })
}

/// A claim by name, or by JSON pointer (RFC 6901) when the name starts with a slash. No other path syntax: claim names may
/// contain dots and whole URLs.
fn claim<'a>(claims: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    let found = match name.strip_prefix('/') {
        None => claims.get(name),
        Some(path) => {
            let mut tokens = path.split('/').map(|token| token.replace("~1", "/").replace("~0", "~"));
            let first = claims.get(&tokens.next()?)?;
            tokens.try_fold(first, |value, token| value.as_object()?.get(&token))
        }
    };
    found.filter(|value| !value.is_null())
}

fn subject(config: &IssuerConfig, claims: &Map<String, Value>) -> Result<String, AuthFailure> {
    if config.subject == "email" && matches!(claims.get("email_verified"), Some(Value::Bool(false))) {
        return Err(refused("its email address is not verified"));
    }
    match claim(claims, &config.subject) {
        Some(Value::String(subject)) if is_name(subject) => Ok(subject.clone()),
        _ => Err(refused("its subject claim is missing or is no name")),
    }
}

/// Who acts now, and for whom: earlier actors from the outermost inwards, the person last.
fn chain(actor: &Map<String, Value>, person: String) -> Result<(String, Vec<String>), AuthFailure> {
    let mut names = Vec::new();
    let mut link = Some(actor);
    while let Some(actor) = link {
        if names.len() >= CHAIN_LIMIT {
            return Err(refused("its delegation chain is too long"));
        }
        match actor.get("sub") {
            Some(Value::String(name)) if is_name(name) => names.push(name.clone()),
            _ => return Err(refused("an actor in its delegation chain has no name")),
        }
        link = match actor.get("act") {
            None => None,
            Some(Value::Object(earlier)) => Some(earlier),
            Some(_) => return Err(refused("its `act` claim is not an object")),
        };
    }
    names.push(person);
    let mut names = names.into_iter();
    let current = names.next().ok_or(refused("an actor in its delegation chain has no name"))?;
    Ok((current, names.collect()))
}

/// RFC 8693, 4.4: `may_act` says who may act; the actor must be that party, in every claim that is given.
fn may_act(claims: &Map<String, Value>, actor: &Map<String, Value>) -> Result<(), AuthFailure> {
    let Some(allowed) = claims.get("may_act") else {
        return Ok(());
    };
    let matches = |allowed: &Map<String, Value>| {
        allowed.contains_key("sub") && allowed.iter().all(|(name, value)| actor.get(name) == Some(value))
    };
    if allowed.as_object().is_some_and(matches) {
        Ok(())
    } else {
        Err(refused("its actor is not the one who may act (`may_act`)"))
    }
}

fn groups(config: &IssuerConfig, claims: &Map<String, Value>) -> Result<Vec<String>, AuthFailure> {
    const FORM: AuthFailure = refused("its groups claim is not a list of names");
    let mut found: Vec<String> = Vec::new();
    for name in config.groups.iter() {
        // OpenID Connect Core, 5.6.2: the claim is elsewhere, so what stands here is not all of it. A rule that denies a group
        // must not be escaped by having too many groups.
        if claims.get("_claim_names").is_some_and(|elsewhere| elsewhere.get(name).is_some()) {
            return Err(refused("its groups are too many to be in the token; limit them at the issuer"));
        }
        match claim(claims, name) {
            None => {}
            Some(Value::Array(list)) => {
                for group in list {
                    found.push(group.as_str().ok_or(FORM)?.to_owned());
                }
            }
            Some(Value::String(text)) => {
                let words = text.split(|c: char| c == ',' || c.is_whitespace()).filter(|word| !word.is_empty());
                found.extend(words.map(str::to_owned));
            }
            Some(_) => return Err(FORM),
        }
    }
    if found.len() > GROUPS_LIMIT {
        return Err(refused("it has more than 1024 groups"));
    }
    found.retain(|group| !group.starts_with(RESERVED));
    if found.iter().all(|group| is_name(group)) { Ok(sorted(found)) } else { Err(FORM) }
}

fn sorted(mut groups: Vec<String>) -> Vec<String> {
    groups.sort();
    groups.dedup();
    groups
}

fn kind(config: &KindConfig, claims: &Map<String, Value>) -> Result<IdentityKind, AuthFailure> {
    match config {
        KindConfig::Always(kind) => Ok((*kind).into()),
        KindConfig::ByClaim(by) => mapped(by, claim(claims, &by.claim))
            .or(by.default)
            .map(IdentityKind::from)
            .ok_or(refused("the claim that says what kind of caller it is has no value that the configuration knows")),
    }
}

fn mapped(by: &KindByClaim, value: Option<&Value>) -> Option<crate::config::Kind> {
    match value? {
        Value::String(text) => by.map.get(text).copied(),
        Value::Bool(flag) => by.map.get(if *flag { "true" } else { "false" }).copied(),
        Value::Array(list) => list.iter().filter_map(Value::as_str).find_map(|text| by.map.get(text)).copied(),
        Value::Null | Value::Number(_) | Value::Object(_) => None,
    }
}

fn task(name: &str, claims: &Map<String, Value>) -> Result<Option<String>, AuthFailure> {
    match claim(claims, name) {
        None => Ok(None),
        Some(Value::String(task)) if task.len() <= TASK_LIMIT && !task.chars().any(char::is_control) => {
            Ok(Some(task.clone()).filter(|task| !task.is_empty()))
        }
        Some(_) => Err(refused("its task claim is not a short text")),
    }
}

fn kept(named: Option<&[String]>, claims: Map<String, Value>) -> Result<BTreeMap<String, Value>, AuthFailure> {
    let keep = |name: &str, value: &Value| match named {
        Some(named) => named.iter().any(|one| one == name),
        None => !NOT_KEPT.contains(&name) && is_plain(value) && size(value) <= CLAIM_LIMIT,
    };
    let kept: BTreeMap<String, Value> =
        claims.into_iter().filter(|(name, value)| name != LOGIN_CLAIM && keep(name, value)).collect();
    let total = kept.iter().map(|(name, value)| name.len().saturating_add(size(value))).fold(0, usize::saturating_add);
    if total > CLAIMS_LIMIT { Err(refused("its claims are larger than 16 KiB")) } else { Ok(kept) }
}

fn is_plain(value: &Value) -> bool {
    match value {
        Value::Bool(_) | Value::Number(_) | Value::String(_) => true,
        Value::Array(list) => {
            list.iter().all(|one| matches!(one, Value::Bool(_) | Value::Number(_) | Value::String(_)))
        }
        Value::Null | Value::Object(_) => false,
    }
}

fn size(value: &Value) -> usize {
    value.to_string().len()
}
