//! Values of the YAML form that keep their place, and those that may be written in more than one way.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde::{Serialize, Serializer};
use serde_saphyr::Spanned;

use crate::error::Place;

/// A value and where it stands.
#[derive(Clone, Debug)]
pub(crate) struct At<T> {
    pub(crate) value: T,
    pub(crate) place: Place,
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for At<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = Spanned::<T>::deserialize(deserializer)?;
        let number = |value: u64| u32::try_from(value).unwrap_or(u32::MAX);
        Ok(Self {
            place: Place {
                file: 0,
                line: number(spanned.referenced.line()),
                column: number(spanned.referenced.column()),
            },
            value: spanned.value,
        })
    }
}

impl<T: Serialize> Serialize for At<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.value.serialize(serializer)
    }
}

impl<T: JsonSchema> JsonSchema for At<T> {
    fn inline_schema() -> bool {
        T::inline_schema()
    }

    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }

    fn schema_id() -> Cow<'static, str> {
        T::schema_id()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::json_schema(generator)
    }
}

/// A key that is there must have a value: a list whose entries are all commented out is YAML's null, and reading that
/// as "not given" would turn "these" into "all".
pub(crate) fn present<'de, T, D>(deserializer: D) -> Result<Option<T>, D::Error>
where
    T: Deserialize<'de>,
    D: Deserializer<'de>,
{
    T::deserialize(deserializer).map(Some)
}

/// A list in which null is no value, with what it may hold for the error text.
pub(crate) struct Listed<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for Listed<T> {
    type Value = Vec<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list such as [a, b]")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<Self::Value, A::Error> {
        Vec::deserialize(SeqAccessDeserializer::new(items))
    }
}

/// Reads a list; null is an error.
pub(crate) fn list<'de, T, D>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    T: Deserialize<'de>,
    D: Deserializer<'de>,
{
    deserializer.deserialize_any(Listed(PhantomData))
}

/// Reads a list that is given; null is an error.
pub(crate) fn present_list<'de, T, D>(deserializer: D) -> Result<Option<Vec<T>>, D::Error>
where
    T: Deserialize<'de>,
    D: Deserializer<'de>,
{
    list(deserializer).map(Some)
}

/// A word, or something structured: `any` or a list, `any` or a map.
#[derive(Clone, Debug)]
pub(crate) enum WordOr<W, T> {
    Word(W),
    Other(T),
}

/// A closed set of words.
pub(crate) trait Words: Sized + Copy + 'static {
    const ALL: &'static [(&'static str, Self)];
    /// What may stand instead of a word, for errors.
    const OR: &'static str;

    fn word(self) -> &'static str
    where
        Self: PartialEq,
    {
        Self::ALL.iter().find(|(_, value)| *value == self).map_or("", |(word, _)| word)
    }
}

impl<'de, W: Words, T: Deserialize<'de>> Deserialize<'de> for WordOr<W, T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Read<W, T>(PhantomData<(W, T)>);

        impl<'de, W: Words, T: Deserialize<'de>> Visitor<'de> for Read<W, T> {
            type Value = WordOr<W, T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                for (word, _) in W::ALL {
                    write!(f, "`{word}` or ")?;
                }
                f.write_str(W::OR)
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
                W::ALL
                    .iter()
                    .find(|(word, _)| *word == text)
                    .map(|(_, value)| WordOr::Word(*value))
                    .ok_or_else(|| E::invalid_value(serde::de::Unexpected::Str(text), &self))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map)).map(WordOr::Other)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<Self::Value, A::Error> {
                T::deserialize(SeqAccessDeserializer::new(items)).map(WordOr::Other)
            }
        }

        deserializer.deserialize_any(Read(PhantomData))
    }
}

impl<W: Words + PartialEq, T: Serialize> Serialize for WordOr<W, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Word(word) => serializer.serialize_str(word.word()),
            Self::Other(other) => other.serialize(serializer),
        }
    }
}

impl<W: Words, T: JsonSchema> JsonSchema for WordOr<W, T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("WordOr{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let words: Vec<&str> = W::ALL.iter().map(|(word, _)| *word).collect();
        let other = generator.subschema_for::<T>();
        json_schema!({ "anyOf": [{ "type": "string", "enum": words }, other] })
    }
}

/// `any`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Any;

impl Words for Any {
    const ALL: &'static [(&'static str, Self)] = &[("any", Self)];
    const OR: &'static str = "what is meant: for `do` a list of effects, for `who` a map of users, groups, kinds, issuers, claims, on_behalf_of";
}

/// `any` or `none`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum AnyNone {
    Any,
    None,
}

impl Words for AnyNone {
    const ALL: &'static [(&'static str, Self)] = &[("any", Self::Any), ("none", Self::None)];
    const OR: &'static str = "a list of subjects";
}

/// One value or a list of them: of claims and labels.
#[derive(Clone, Debug)]
pub(crate) struct OneOrMany(pub(crate) Vec<serde_json::Value>);

impl<'de> Deserialize<'de> for OneOrMany {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Scalars { list: true }).map(Self)
    }
}

/// Reads scalars, or a list of them while `list` holds.
struct Scalars {
    list: bool,
}

/// One scalar of a list.
struct One(serde_json::Value);

impl<'de> Deserialize<'de> for One {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut values = deserializer.deserialize_any(Scalars { list: false })?;
        values.pop().map(Self).ok_or_else(|| D::Error::custom("a value is missing"))
    }
}

impl<'de> Visitor<'de> for Scalars {
    type Value = Vec<serde_json::Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text, whole number or boolean")?;
        if self.list { f.write_str(", or a list of them") } else { Ok(()) }
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Self::Value, E> {
        Ok(vec![value.into()])
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Self::Value, E> {
        Ok(vec![value.into()])
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Self::Value, E> {
        Ok(vec![value.into()])
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Self::Value, E> {
        Ok(vec![value.into()])
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        if !self.list {
            return Err(A::Error::invalid_type(serde::de::Unexpected::Seq, &self));
        }
        let mut values = Vec::new();
        while let Some(One(value)) = items.next_element()? {
            values.push(value);
        }
        Ok(values)
    }
}

impl Serialize for OneOrMany {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl JsonSchema for OneOrMany {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "OneOrMany".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let scalar = || serde_json::json!({ "type": ["string", "integer", "boolean"] });
        let one = scalar();
        let many = scalar();
        json_schema!({ "anyOf": [one, { "type": "array", "minItems": 1, "items": many }] })
    }
}
