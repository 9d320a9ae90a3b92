//! A value's type, as far as a mask has to know it, and its wire format.

/// What kind of value a column holds. The caller maps its database's types; whatever is sent as plain text and decoded as text
/// (varchar, citext, name, enums, XML) is [`Text`](Self::Text).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ValueType {
    /// Text of any kind.
    Text,
    /// Boolean.
    Bool,
    /// 16-bit integer.
    Int2,
    /// 32-bit integer.
    Int4,
    /// 64-bit integer.
    Int8,
    /// 32-bit float.
    Float4,
    /// 64-bit float.
    Float8,
    /// Decimal number.
    Numeric,
    /// Calendar date.
    Date,
    /// Time of day.
    Time,
    /// Date and time without a zone.
    Timestamp,
    /// Date and time with a zone.
    Timestamptz,
    /// UUID.
    Uuid,
    /// JSON kept as text.
    Json,
    /// JSON in PostgreSQL's `jsonb`, whose binary form begins with a version byte.
    Jsonb,
    /// Bytes.
    Bytea,
    /// IP address or network (`inet`, `cidr`).
    Inet,
    /// Array of anything.
    Array(Element),
    /// Any other type: masked to NULL, because no stand-in is sure to decode.
    Other,
}

/// What the elements of an array are, as far as their content is looked into.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Element {
    /// Text: found values are replaced inside the elements.
    Text,
    /// Numbers: an array with a find becomes empty.
    Number,
    /// Anything else: an array with a find becomes empty.
    Other,
}

/// How a value is written on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// PostgreSQL's text output (format code 0), or plain text of any protocol.
    Text,
    /// PostgreSQL's binary output (format code 1).
    Binary,
}
