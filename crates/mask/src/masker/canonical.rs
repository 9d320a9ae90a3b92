//! One form of a value for both wire formats, so that its token does not depend on the format a client asked for.

use std::borrow::Cow;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::calendar::{parse_date, parse_time, parse_timestamp};
use super::numeric;
use super::types::{Format, ValueType};

/// Address families of PostgreSQL's binary `inet`.
pub(super) const INET4: u8 = 2;
/// See [`INET4`].
pub(super) const INET6: u8 = 3;

/// The bytes that are digested for a value. A value that is not of its type, or of a form not read here, stands for itself.
pub(super) fn bytes(ty: ValueType, format: Format, value: &[u8]) -> Cow<'_, [u8]> {
    let number = |number: Option<i64>| number.map(|number| Cow::Owned(number.to_string().into_bytes()));
    let read = match ty {
        ValueType::Int2 | ValueType::Int4 | ValueType::Int8 => number(integer(format, value)),
        ValueType::Date | ValueType::Time | ValueType::Timestamp | ValueType::Timestamptz => moment(ty, format, value),
        ValueType::Float4 | ValueType::Float8 => {
            float(format, value).map(|float| Cow::Owned(float.to_string().into_bytes()))
        }
        ValueType::Numeric => decimal(format, value).map(|text| Cow::Owned(text.into_bytes())),
        ValueType::Uuid => uuid(format, value).map(|uuid| Cow::Owned(uuid.to_vec())),
        ValueType::Inet => inet(format, value).map(|text| Cow::Owned(text.into_bytes())),
        ValueType::Bytea => Some(bytea(format, value)),
        ValueType::Jsonb => Some(Cow::Borrowed(jsonb_text(format, value))),
        ValueType::Text | ValueType::Json | ValueType::Bool | ValueType::Array(_) | ValueType::Other => None,
    };
    read.unwrap_or(Cow::Borrowed(value))
}

/// An integer of 2, 4 or 8 bytes.
pub(super) fn integer(format: Format, value: &[u8]) -> Option<i64> {
    match format {
        Format::Text => str::from_utf8(value).ok()?.parse().ok(),
        Format::Binary => match value.len() {
            2 => value.try_into().ok().map(|bytes| i64::from(i16::from_be_bytes(bytes))),
            4 => value.try_into().ok().map(|bytes| i64::from(i32::from_be_bytes(bytes))),
            8 => value.try_into().ok().map(i64::from_be_bytes),
            _ => None,
        },
    }
}

/// Days of a date, microseconds of anything else, or `infinity` and `-infinity`.
fn moment(ty: ValueType, format: Format, value: &[u8]) -> Option<Cow<'static, [u8]>> {
    let number = match format {
        Format::Text => {
            let text = str::from_utf8(value).ok()?;
            match ty {
                ValueType::Date => parse_date(text),
                ValueType::Time => parse_time(text),
                _ => parse_timestamp(text, ty == ValueType::Timestamptz),
            }?
        }
        Format::Binary => integer(format, value)?,
    };
    let (least, most) =
        if ty == ValueType::Date { (i64::from(i32::MIN), i64::from(i32::MAX)) } else { (i64::MIN, i64::MAX) };
    if format == Format::Binary && number == most {
        return Some(Cow::Borrowed(b"infinity"));
    }
    if format == Format::Binary && number == least {
        return Some(Cow::Borrowed(b"-infinity"));
    }
    Some(Cow::Owned(number.to_string().into_bytes()))
}

/// A float of 4 or 8 bytes, with one zero.
pub(super) fn float(format: Format, value: &[u8]) -> Option<f64> {
    let float: f64 = match format {
        Format::Text => str::from_utf8(value).ok()?.parse().ok()?,
        Format::Binary => match value.len() {
            // By way of its shortest text, which is what the text format sends.
            4 => value.try_into().ok().map(f32::from_be_bytes)?.to_string().parse().ok()?,
            8 => value.try_into().ok().map(f64::from_be_bytes)?,
            _ => return None,
        },
    };
    Some(if float == 0.0 { 0.0 } else { float })
}

/// The shortest decimal text of a numeric.
pub(super) fn decimal(format: Format, value: &[u8]) -> Option<String> {
    match format {
        Format::Text => Some(numeric::shortest(str::from_utf8(value).ok()?)),
        Format::Binary => numeric::decode(value),
    }
}

pub(super) fn uuid(format: Format, value: &[u8]) -> Option<[u8; 16]> {
    if format == Format::Binary {
        return value.try_into().ok();
    }
    let digits: Vec<u8> = value.iter().copied().filter(|byte| *byte != b'-').collect();
    unhex(&digits)?.try_into().ok()
}

/// Address and prefix length.
fn inet(format: Format, value: &[u8]) -> Option<String> {
    if format == Format::Text {
        let text = str::from_utf8(value).ok()?;
        let (address, bits) = text.split_once('/').map_or((text, None), |(address, bits)| (address, Some(bits)));
        let address: IpAddr = address.parse().ok()?;
        let bits = match bits {
            Some(bits) => bits.parse::<u8>().ok()?,
            None if address.is_ipv4() => 32,
            None => 128,
        };
        return Some(format!("{address}/{bits}"));
    }
    let (header, address) = value.split_first_chunk::<4>()?;
    let [family, bits, _, _] = *header;
    let address = match family {
        INET4 => IpAddr::V4(Ipv4Addr::from(<[u8; 4]>::try_from(address).ok()?)),
        INET6 => IpAddr::V6(Ipv6Addr::from(<[u8; 16]>::try_from(address).ok()?)),
        _ => return None,
    };
    Some(format!("{address}/{bits}"))
}

/// The bytes themselves. PostgreSQL's older `escape` output is taken as it stands.
pub(super) fn bytea(format: Format, value: &[u8]) -> Cow<'_, [u8]> {
    match (format, value.strip_prefix(b"\\x")) {
        (Format::Text, Some(digits)) => unhex(digits).map_or(Cow::Borrowed(value), Cow::Owned),
        (Format::Text, None) | (Format::Binary, _) => Cow::Borrowed(value),
    }
}

/// The JSON text of a `jsonb`, without the version byte of its binary form.
pub(super) fn jsonb_text(format: Format, value: &[u8]) -> &[u8] {
    match (format, value.split_first()) {
        (Format::Binary, Some((_, text))) => text,
        (Format::Binary, None) | (Format::Text, _) => value,
    }
}

fn unhex(digits: &[u8]) -> Option<Vec<u8>> {
    let (pairs, []) = digits.as_chunks::<2>() else {
        return None;
    };
    pairs.iter().map(|[high, low]| Some(nibble(*high)? << 4 | nibble(*low)?)).collect()
}

fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}
