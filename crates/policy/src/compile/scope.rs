//! `who`, `on`, `if` and `when`.

use std::collections::BTreeMap;

use ipnet::{IpNet, Ipv4Net};
use serde_json::Value;

use super::Compiler;
use crate::error::Place;
use crate::hours::Hours;
use crate::pattern::{Glob, check_pattern};
use crate::rule::{Chain, On, Scope, Who};
use crate::syntax::values::{AnyNone, At, OneOrMany, WordOr};
use crate::syntax::{RawOn, RawSessionIf, RawWho};
use crate::when::When;

/// Conditions outside of a command, wherever they were written.
pub(crate) struct Conditions<'r> {
    pub(crate) hours: Option<&'r At<String>>,
    /// With the place of the `if`.
    pub(crate) from: Option<(&'r [At<String>], Place)>,
    pub(crate) when: Option<&'r At<String>>,
    /// Whether there is a command to look at.
    pub(crate) command: bool,
}

impl Compiler<'_, '_> {
    /// The scope of a mask, limit or recording rule.
    pub(crate) fn session_scope(
        &mut self,
        who: &At<RawWho>,
        on: Option<&At<RawOn>>,
        conditions: Option<&At<RawSessionIf>>,
        when: Option<&At<String>>,
    ) -> Option<Scope> {
        if let Some(At { value, place }) = conditions
            && value.hours.is_none()
            && value.from.is_none()
        {
            self.fault(*place, "`if` has no condition: use hours, from, or leave it out");
        }
        self.scope(
            who,
            on,
            &Conditions {
                hours: conditions.and_then(|raw| raw.value.hours.as_ref()),
                from: conditions.and_then(|raw| raw.value.from.as_deref().map(|from| (from, raw.place))),
                when,
                command: false,
            },
        )
    }

    /// Checks all parts, so that all faults show, and gives the scope if there are none.
    pub(crate) fn scope(
        &mut self,
        who: &At<RawWho>,
        on: Option<&At<RawOn>>,
        conditions: &Conditions<'_>,
    ) -> Option<Scope> {
        let who = self.who(who);
        let on = on.map_or_else(On::default, |on| self.on(on));
        let from = match conditions.from {
            Some((nets, place)) => {
                self.filled(place, "if.from", nets);
                Some(nets.iter().filter_map(|net| self.check(net.place, network(&net.value))).collect())
            }
            None => None,
        };
        let hours = match conditions.hours {
            Some(hours) => Some(self.check(hours.place, Hours::parse(&hours.value))?),
            None => None,
        };
        let when = match conditions.when {
            Some(when) => {
                let compiled = When::compile(&when.value, conditions.command);
                Some(self.check(when.place, compiled.map_err(|message| format!("`when`: {message}")))?)
            }
            None => None,
        };
        Some(Scope { who, on, from, hours, when })
    }

    fn who(&mut self, who: &At<RawWho>) -> Who {
        let place = who.place;
        let map = match &who.value {
            WordOr::Word(_) => return Who::default(),
            WordOr::Other(map) => map,
        };
        let who = Who {
            users: self.globs(place, "who.users", map.users.as_deref()),
            groups: self.names(place, "who.groups", map.groups.as_deref()),
            kinds: map.kinds.clone(),
            issuers: self.globs(place, "who.issuers", map.issuers.as_deref()),
            claims: self.values("who.claims", map.claims.as_ref()),
            on_behalf_of: map.on_behalf_of.as_ref().map(|chain| match &chain.value {
                WordOr::Word(AnyNone::Any) => Chain::Any,
                WordOr::Word(AnyNone::None) => Chain::None,
                WordOr::Other(names) => {
                    Chain::Of(self.globs(chain.place, "who.on_behalf_of", Some(names)).unwrap_or_default())
                }
            }),
        };
        if let Some(kinds) = &map.kinds {
            self.filled(place, "who.kinds", kinds);
        }
        if who.is_any() {
            self.fault(
                place,
                "an empty `who`: write `who: any` if everybody is meant, or use users, groups, kinds, issuers, claims, on_behalf_of",
            );
        }
        who
    }

    fn on(&mut self, on: &At<RawOn>) -> On {
        let At { value: map, place } = on;
        let kinds = self.names(*place, "on.kinds", map.kinds.as_deref());
        let labels = self
            .values("on.labels", map.labels.as_ref())
            .into_iter()
            .map(|(name, values)| {
                // Labels are texts; `tier: 1` in YAML means the text "1".
                let texts = values.into_iter().map(|value| match value {
                    Value::String(text) => text,
                    other => other.to_string(),
                });
                (name, texts.collect())
            })
            .collect();
        if map.targets.is_none() && map.labels.is_none() && map.roles.is_none() && map.kinds.is_none() {
            self.fault(
                *place,
                "an empty `on`: leave it out if every target is meant, or use targets, labels, roles, kinds",
            );
        }
        On {
            targets: self.globs(*place, "on.targets", map.targets.as_deref()),
            labels,
            roles: self.globs(*place, "on.roles", map.roles.as_deref()),
            kinds,
            place: self.place(*place),
        }
    }

    fn globs(&mut self, place: Place, key: &str, texts: Option<&[At<String>]>) -> Option<Vec<Glob>> {
        let texts = texts?;
        self.filled(place, key, texts);
        for text in texts {
            self.check(text.place, check_pattern(&text.value));
        }
        Some(texts.iter().map(|text| Glob::new(&text.value)).collect())
    }

    /// Names that are compared as they are.
    pub(crate) fn names(&mut self, place: Place, key: &str, texts: Option<&[At<String>]>) -> Option<Vec<String>> {
        let texts = texts?;
        self.filled(place, key, texts);
        for text in texts {
            self.check(text.place, check_pattern(&text.value));
            if text.value.contains('*') {
                self.fault(
                    text.place,
                    format!("`{key}` is compared exactly, `*` has no meaning there: list the names"),
                );
            }
        }
        Some(texts.iter().map(|text| text.value.clone()).collect())
    }

    fn values(&mut self, key: &str, map: Option<&BTreeMap<String, At<OneOrMany>>>) -> Vec<(String, Vec<Value>)> {
        let mut all = Vec::new();
        for (name, values) in map.into_iter().flatten() {
            self.filled(values.place, &format!("{key}.{}", name.escape_debug()), &values.value.0);
            for text in values.value.0.iter().filter_map(Value::as_str) {
                if text.contains('*') {
                    self.fault(
                        values.place,
                        format!("`{key}` is compared exactly, `*` has no meaning there: list the values"),
                    );
                }
            }
            all.push((name.clone(), values.value.0.clone()));
        }
        all
    }
}

/// A network or a single address. An IPv4 network written in IPv6 form is the IPv4 network.
fn network(text: &str) -> Result<IpNet, String> {
    let wrong =
        || format!("`{}` is not a network: write it as 10.0.0.0/8, 2001:db8::/32 or an address", text.escape_debug());
    let net: IpNet = match text.parse() {
        Ok(net) => net,
        Err(_) => IpNet::from(text.parse::<std::net::IpAddr>().map_err(|_| wrong())?),
    };
    if net.trunc() != net {
        return Err(format!("`{net}` has bits set behind its prefix: did you mean {}?", net.trunc()));
    }
    match net {
        IpNet::V6(v6) if v6.prefix_len() >= 96 => match v6.addr().to_ipv4_mapped() {
            Some(v4) => Ipv4Net::new(v4, v6.prefix_len() - 96).map(IpNet::V4).map_err(|_| wrong()),
            None => Ok(net),
        },
        IpNet::V4(_) | IpNet::V6(_) => Ok(net),
    }
}

#[cfg(test)]
mod tests {
    use super::network;

    #[test]
    fn networks() {
        assert_eq!(network("10.0.0.0/8").unwrap().to_string(), "10.0.0.0/8");
        assert_eq!(network("10.1.2.3").unwrap().to_string(), "10.1.2.3/32");
        assert_eq!(network("::ffff:10.0.0.0/104").unwrap().to_string(), "10.0.0.0/8");
        assert!(network("10.0.0.1/8").unwrap_err().contains("did you mean 10.0.0.0/8"));
        assert!(network("office").unwrap_err().contains("not a network"));
    }
}
