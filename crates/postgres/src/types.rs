//! PostgreSQL's built-in types as masks and recordings see them, by OID (`pg_type.dat`).

use gate::{Element, ValueType};

/// The type as masks keep it.
pub(crate) const fn value_type(oid: u32) -> ValueType {
    match oid {
        16 => ValueType::Bool,
        17 => ValueType::Bytea,
        18 | 19 | 25 | 705 | 1042 | 1043 | 2275 => ValueType::Text,
        20 => ValueType::Int8,
        21 => ValueType::Int2,
        23 => ValueType::Int4,
        114 => ValueType::Json,
        700 => ValueType::Float4,
        701 => ValueType::Float8,
        869 | 650 => ValueType::Inet,
        1082 => ValueType::Date,
        1083 => ValueType::Time,
        1114 => ValueType::Timestamp,
        1184 => ValueType::Timestamptz,
        1700 => ValueType::Numeric,
        2950 => ValueType::Uuid,
        3802 => ValueType::Jsonb,
        1002 | 1003 | 1009 | 1014 | 1015 | 3807 | 199 | 143 => ValueType::Array(Element::Text),
        1005 | 1007 | 1016 | 1021 | 1022 | 1231 | 1028 => ValueType::Array(Element::Number),
        629 | 651 | 719 | 775 | 791 | 1000 | 1001 | 1006 | 1008 | 1010 | 1017 | 1040 | 1041 | 1115 | 1182 | 1183
        | 1185 | 1187 | 1270 | 1561 | 1563 | 2951 => ValueType::Array(Element::Other),
        _ => ValueType::Other,
    }
}

/// The type's name for people; a type that is not built in has its number.
pub(crate) fn type_name(oid: u32) -> std::borrow::Cow<'static, str> {
    let name = match oid {
        16 => "bool",
        17 => "bytea",
        18 => "char",
        19 => "name",
        20 => "int8",
        21 => "int2",
        23 => "int4",
        25 => "text",
        26 => "oid",
        114 => "json",
        142 => "xml",
        700 => "float4",
        701 => "float8",
        869 => "inet",
        1000 => "bool[]",
        1007 => "int4[]",
        1009 => "text[]",
        1015 => "varchar[]",
        1016 => "int8[]",
        1042 => "bpchar",
        1043 => "varchar",
        1082 => "date",
        1083 => "time",
        1114 => "timestamp",
        1184 => "timestamptz",
        1186 => "interval",
        1231 => "numeric[]",
        1700 => "numeric",
        2950 => "uuid",
        3802 => "jsonb",
        _ => return std::borrow::Cow::Owned(format!("oid {oid}")),
    };
    std::borrow::Cow::Borrowed(name)
}

/// A bind value as text: binary forms of the common types are decoded, other binary values are hexadecimal with `\x` before them.
pub(crate) fn bind_text(oid: u32, binary: bool, value: &[u8]) -> String {
    if !binary {
        return String::from_utf8_lossy(value).into_owned();
    }
    let decoded = match (oid, value) {
        (16, [0]) => Some("f".to_owned()),
        (16, [_]) => Some("t".to_owned()),
        (21, &[a, b]) => Some(i16::from_be_bytes([a, b]).to_string()),
        (23, &[a, b, c, d]) => Some(i32::from_be_bytes([a, b, c, d]).to_string()),
        (26, &[a, b, c, d]) => Some(u32::from_be_bytes([a, b, c, d]).to_string()),
        (20, &[a, b, c, d, e, f, g, h]) => Some(i64::from_be_bytes([a, b, c, d, e, f, g, h]).to_string()),
        (700, &[a, b, c, d]) => Some(f32::from_be_bytes([a, b, c, d]).to_string()),
        (701, &[a, b, c, d, e, f, g, h]) => Some(f64::from_be_bytes([a, b, c, d, e, f, g, h]).to_string()),
        (18 | 19 | 25 | 114 | 1042 | 1043 | 705 | 142, text) => std::str::from_utf8(text).ok().map(str::to_owned),
        (0, text) => std::str::from_utf8(text)
            .ok()
            .filter(|text| !text.is_empty() && !text.chars().any(char::is_control))
            .map(str::to_owned),
        _ => None,
    };
    decoded.unwrap_or_else(|| {
        use std::fmt::Write as _;
        value.iter().fold(String::from("\\x"), |mut text, byte| {
            // Writing to a String cannot fail.
            let _written = write!(text, "{byte:02x}");
            text
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn binary_values_read_as_a_person_would_write_them() {
        assert_eq!(bind_text(23, true, &[0, 0, 0, 7]), "7");
        assert_eq!(bind_text(25, true, b"%"), "%");
        assert_eq!(bind_text(0, true, b"%"), "%");
        assert_eq!(bind_text(17, true, &[1, 255]), "\\x01ff");
        assert_eq!(bind_text(0, true, &[0, 0, 0, 7]), "\\x00000007");
        assert_eq!(bind_text(1700, false, b"1.5"), "1.5");
    }
}
