//! The closed sets of words, for the JSON schema; the model's types have none of their own.

use model::{DetectorName, Effect, IdentityKind, MaskStyle};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use super::values::Words;

/// A list of effects; a type of its own because the model's has no schema.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Effects(pub(crate) Vec<Effect>);

impl JsonSchema for Effects {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Effects".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        words_schema(Effect::ALL.iter().map(|effect| effect.as_str()), true)
    }
}

/// One effect of a program: opening a session is none, nor is what only a session has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct OneEffect(pub(crate) Effect);

impl Words for OneEffect {
    const ALL: &'static [(&'static str, Self)] = &[
        (Effect::Read.as_str(), Self(Effect::Read)),
        (Effect::Write.as_str(), Self(Effect::Write)),
        (Effect::Delete.as_str(), Self(Effect::Delete)),
        (Effect::Create.as_str(), Self(Effect::Create)),
        (Effect::Alter.as_str(), Self(Effect::Alter)),
        (Effect::Destroy.as_str(), Self(Effect::Destroy)),
        (Effect::Grant.as_str(), Self(Effect::Grant)),
        (Effect::Admin.as_str(), Self(Effect::Admin)),
        (Effect::Execute.as_str(), Self(Effect::Execute)),
        (Effect::Export.as_str(), Self(Effect::Export)),
        (Effect::Import.as_str(), Self(Effect::Import)),
        (Effect::Tunnel.as_str(), Self(Effect::Tunnel)),
        (Effect::Unknown.as_str(), Self(Effect::Unknown)),
    ];
    const OR: &'static str = "a list of them";
}

/// One of some words, or a list of them.
fn words_schema(words: impl Iterator<Item = &'static str>, list: bool) -> Schema {
    let words: Vec<&str> = words.collect();
    if list {
        json_schema!({ "type": "array", "minItems": 1, "items": { "type": "string", "enum": words } })
    } else {
        json_schema!({ "type": "string", "enum": words })
    }
}

pub(super) fn identity_kinds(_: &mut SchemaGenerator) -> Schema {
    words_schema(IdentityKind::ALL.into_iter().map(IdentityKind::as_str), true)
}

pub(super) fn detectors(_: &mut SchemaGenerator) -> Schema {
    use DetectorName::{Aws, Card, Email, Github, Iban, Ip, Jwt, Pem, Phone, Secret, Ssn};
    let all = [Card, Iban, Email, Phone, Ssn, Ip, Jwt, Aws, Github, Pem, Secret];
    words_schema(all.into_iter().map(DetectorName::as_str), true)
}

pub(super) fn styles(_: &mut SchemaGenerator) -> Schema {
    use MaskStyle::{Fixed, Hash, Null, Partial, Redact, Token};
    let all = [Redact, Partial, Token, Hash, Null, Fixed];
    words_schema(all.into_iter().map(MaskStyle::as_str), false)
}

pub(super) fn predicates(_: &mut SchemaGenerator) -> Schema {
    words_schema(["allow", "equality", "hold", "deny"].into_iter(), false)
}

pub(super) fn notifications(_: &mut SchemaGenerator) -> Schema {
    words_schema(["withhold", "allow"].into_iter(), false)
}

pub(super) fn aggregates(_: &mut SchemaGenerator) -> Schema {
    words_schema(["mask", "allow"].into_iter(), false)
}

pub(super) fn levels(_: &mut SchemaGenerator) -> Schema {
    words_schema(["none", "digest", "head", "full"].into_iter(), false)
}
