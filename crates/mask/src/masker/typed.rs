//! Masks that keep a value's type and wire format, so that any driver still decodes it.

use super::calendar::{DAY, UNIX_EPOCH, date};
use super::canonical::{self, INET4, INET6};
use super::key::{Purpose, first_u64};
use super::types::{Format, ValueType};
use super::{FIXED, Masked, Masker, REDACTED, numeric, push_hex};
use crate::style::Style;

/// Stand-in dates lie in the hundred years from 1970-01-01.
const DATES: u64 = 36_525;

impl Masker {
    /// Masks a whole value and appends bytes of the same type in the same wire format to `out`, or says NULL.
    ///
    /// | type | redact, fixed, partial | token, hash |
    /// |---|---|---|
    /// | text | `[redacted]`, `***`, by kind | `tok_…`, 32 hexadecimal digits |
    /// | integers, floats, numeric | 0 | a number of the type; tokens of integers are distinct |
    /// | bool | false | false |
    /// | date, time, timestamps | 1970-01-01, 00:00:00 | within a hundred years from then |
    /// | uuid | all zeros | a version 8 UUID |
    /// | json, jsonb | a JSON string | a JSON string |
    /// | bytea | empty | 16 bytes |
    /// | inet, cidr | 0.0.0.0 | a unique local IPv6 address |
    /// | array | empty | empty |
    /// | other | NULL | NULL |
    ///
    /// A token or hash is the same in text and in binary format. `domain` is as in [`whole_text`](Self::whole_text). The value need
    /// not be well-formed: then what stands for it is still of the type.
    pub fn typed(
        &self,
        style: Style,
        domain: &str,
        ty: ValueType,
        format: Format,
        value: &[u8],
        out: &mut Vec<u8>,
    ) -> Masked {
        if style == Style::Null {
            return Masked::Null;
        }
        match ty {
            ValueType::Text => return self.whole_text(style, domain, value, out),
            ValueType::Bool => out.push(if format == Format::Text { b'f' } else { 0 }),
            ValueType::Int2 => put_integer(self.integer(style, domain, ty, format, value, 16), 2, format, out),
            ValueType::Int4 => put_integer(self.integer(style, domain, ty, format, value, 32), 4, format, out),
            ValueType::Int8 => put_integer(self.integer(style, domain, ty, format, value, 64), 8, format, out),
            // The largest integers that floats of these sizes keep exact and print without an exponent.
            ValueType::Float4 => put_float4(self.stand_in(style, domain, ty, format, value) % (1 << 24), format, out),
            ValueType::Float8 => {
                put_float8(self.stand_in(style, domain, ty, format, value) % 1_000_000_000_000_000, format, out)
            }
            ValueType::Numeric => {
                let number = self.stand_in(style, domain, ty, format, value) % 1_000_000_000_000_000;
                match format {
                    Format::Text => out.extend_from_slice(number.to_string().as_bytes()),
                    Format::Binary => numeric::encode(number, out),
                }
            }
            ValueType::Date | ValueType::Time | ValueType::Timestamp | ValueType::Timestamptz => {
                put_moment(self.stand_in(style, domain, ty, format, value), ty, format, out);
            }
            ValueType::Uuid => put_uuid(self.uuid(style, domain, format, value), format, out),
            ValueType::Json | ValueType::Jsonb => self.put_json(style, domain, ty, format, value, out),
            ValueType::Bytea => {
                if format == Format::Text {
                    out.extend_from_slice(b"\\x");
                }
                if let Some(digest) = self.digest_of(style, domain, ty, format, value) {
                    let bytes = digest.get(..16).unwrap_or_default();
                    if format == Format::Text { push_hex(bytes, out) } else { out.extend_from_slice(bytes) }
                }
            }
            ValueType::Inet => put_inet(self.digest_of(style, domain, ty, format, value), format, value, out),
            ValueType::Array(_) => return empty_array(format, value, out),
            ValueType::Other => return Masked::Null,
        }
        Masked::Bytes
    }

    /// The digest for styles that have one.
    fn digest_of(&self, style: Style, domain: &str, ty: ValueType, format: Format, value: &[u8]) -> Option<[u8; 32]> {
        let purpose = match style {
            Style::Token => Purpose::Token,
            Style::Hash => Purpose::Hash,
            Style::Partial | Style::Redact | Style::Fixed | Style::Null => return None,
        };
        Some(self.digester.digest(purpose, domain, &canonical::bytes(ty, format, value)))
    }

    /// A number that stands for the value; 0 for styles that reveal nothing.
    fn stand_in(&self, style: Style, domain: &str, ty: ValueType, format: Format, value: &[u8]) -> u64 {
        self.digest_of(style, domain, ty, format, value).map_or(0, |digest| first_u64(&digest))
    }

    /// The low `bits` bits of an integer that stands for the value: a permutation for tokens, a non-negative digest for hashes.
    fn integer(&self, style: Style, domain: &str, ty: ValueType, format: Format, value: &[u8], bits: u32) -> u64 {
        match (style, canonical::integer(format, value)) {
            (Style::Token, Some(number)) => {
                let made = self.digester.permute(domain, u128::from(number.cast_unsigned()), bits);
                u64::try_from(made).unwrap_or(0)
            }
            _ => self.stand_in(style, domain, ty, format, value) >> (64 - bits) >> 1,
        }
    }

    fn uuid(&self, style: Style, domain: &str, format: Format, value: &[u8]) -> [u8; 16] {
        let random = canonical::uuid(format, value).filter(|uuid| is_of(*uuid, 4));
        if let (Style::Token, Some(uuid)) = (style, random) {
            return with_version(self.digester.permute(domain, free_bits(uuid), FREE_BITS), 8);
        }
        let Some(digest) = self.digest_of(style, domain, ValueType::Uuid, format, value) else {
            return [0; 16];
        };
        let mut uuid = [0; 16];
        uuid.iter_mut().zip(digest).for_each(|(to, from)| *to = from);
        with_version(free_bits(uuid), 8)
    }

    /// The random UUID that a token stands for.
    pub(super) fn restore_uuid(&self, domain: &str, format: Format, token: &[u8]) -> Option<Vec<u8>> {
        let made = canonical::uuid(format, token).filter(|uuid| is_of(*uuid, 8))?;
        let uuid = with_version(self.digester.restore(domain, free_bits(made), FREE_BITS), 4);
        let mut out = Vec::new();
        put_uuid(uuid, format, &mut out);
        Some(out)
    }

    fn put_json(&self, style: Style, domain: &str, ty: ValueType, format: Format, value: &[u8], out: &mut Vec<u8>) {
        if ty == ValueType::Jsonb && format == Format::Binary {
            out.push(1);
        }
        let text = if ty == ValueType::Jsonb { canonical::jsonb_text(format, value) } else { value };
        out.push(b'"');
        match style {
            Style::Token => self.token(domain, text, out),
            Style::Hash => self.hash(domain, text, out),
            Style::Fixed => out.extend_from_slice(FIXED),
            Style::Partial | Style::Redact | Style::Null => out.extend_from_slice(REDACTED),
        }
        out.push(b'"');
    }
}

/// Writes the low `size` bytes of `bits` as a signed integer.
fn put_integer(bits: u64, size: usize, format: Format, out: &mut Vec<u8>) {
    let [a, b, c, d, e, f, g, h] = bits.to_be_bytes();
    match (format, size) {
        (Format::Binary, 2) => out.extend_from_slice(&[g, h]),
        (Format::Binary, 4) => out.extend_from_slice(&[e, f, g, h]),
        (Format::Binary, _) => out.extend_from_slice(&[a, b, c, d, e, f, g, h]),
        (Format::Text, 2) => out.extend_from_slice(i16::from_be_bytes([g, h]).to_string().as_bytes()),
        (Format::Text, 4) => out.extend_from_slice(i32::from_be_bytes([e, f, g, h]).to_string().as_bytes()),
        (Format::Text, _) => out.extend_from_slice(bits.cast_signed().to_string().as_bytes()),
    }
}

fn put_float4(number: u64, format: Format, out: &mut Vec<u8>) {
    let text = number.to_string();
    match format {
        Format::Text => out.extend_from_slice(text.as_bytes()),
        Format::Binary => out.extend_from_slice(&text.parse::<f32>().unwrap_or(0.0).to_be_bytes()),
    }
}

fn put_float8(number: u64, format: Format, out: &mut Vec<u8>) {
    let text = number.to_string();
    match format {
        Format::Text => out.extend_from_slice(text.as_bytes()),
        Format::Binary => out.extend_from_slice(&text.parse::<f64>().unwrap_or(0.0).to_be_bytes()),
    }
}

/// A date, time or timestamp chosen by `number`; the first of its range for 0.
fn put_moment(number: u64, ty: ValueType, format: Format, out: &mut Vec<u8>) {
    let seconds = i64::try_from(number % (DATES * 86_400)).unwrap_or(0);
    let days = UNIX_EPOCH + seconds / 86_400;
    let of_day = seconds % 86_400;
    if format == Format::Binary {
        match ty {
            ValueType::Date => out.extend_from_slice(&i32::try_from(days).unwrap_or(0).to_be_bytes()),
            ValueType::Time => out.extend_from_slice(&(of_day * 1_000_000).to_be_bytes()),
            _ => out.extend_from_slice(&(days * DAY + of_day * 1_000_000).to_be_bytes()),
        }
        return;
    }
    let (year, month, day) = date(days);
    let date = format!("{year:04}-{month:02}-{day:02}");
    let time = format!("{:02}:{:02}:{:02}", of_day / 3_600, of_day / 60 % 60, of_day % 60);
    let text = match ty {
        ValueType::Date => date,
        ValueType::Time => time,
        ValueType::Timestamptz => format!("{date} {time}+00"),
        _ => format!("{date} {time}"),
    };
    out.extend_from_slice(text.as_bytes());
}

/// Bits of a UUID beside version and variant.
const FREE_BITS: u32 = 122;

/// Whether a UUID has this version, of the variant of RFC 9562.
fn is_of(uuid: [u8; 16], version: u8) -> bool {
    uuid[6] >> 4 == version && uuid[8] >> 6 == 2
}

/// A UUID without version and variant.
fn free_bits(uuid: [u8; 16]) -> u128 {
    let all = u128::from_be_bytes(uuid);
    all >> 80 << 74 | (all >> 64 & 0xFFF) << 62 | all & ((1 << 62) - 1)
}

/// The UUID of these bits. RFC 9562, 5.8: version 8 is for values made by rules of one's own.
fn with_version(bits: u128, version: u8) -> [u8; 16] {
    let low = bits & ((1 << 62) - 1);
    let middle = bits >> 62 & 0xFFF;
    (bits >> 74 << 80 | u128::from(version) << 76 | middle << 64 | 2 << 62 | low).to_be_bytes()
}

fn put_uuid(uuid: [u8; 16], format: Format, out: &mut Vec<u8>) {
    if format == Format::Binary {
        out.extend_from_slice(&uuid);
        return;
    }
    for (index, byte) in uuid.iter().enumerate() {
        if matches!(index, 4 | 6 | 8 | 10) {
            out.push(b'-');
        }
        push_hex([byte], out);
    }
}

/// 0.0.0.0, or an address from `fd00::/8` (RFC 4193), which has room for a digest without collisions.
fn put_inet(digest: Option<[u8; 32]>, format: Format, value: &[u8], out: &mut Vec<u8>) {
    let local = digest.map(|digest| {
        let mut address = [0; 16];
        for (to, from) in address.iter_mut().zip(digest) {
            *to = from;
        }
        address[0] = 0xFD;
        address
    });
    if format == Format::Text {
        let text = local.map_or_else(|| "0.0.0.0".to_owned(), |address| std::net::Ipv6Addr::from(address).to_string());
        out.extend_from_slice(text.as_bytes());
        return;
    }
    // The third byte says whether the type is cidr; drivers may check it.
    let is_cidr = u8::from(value.get(2) == Some(&1));
    match local {
        Some(address) => {
            out.extend_from_slice(&[INET6, 128, is_cidr, 16]);
            out.extend_from_slice(&address);
        }
        None => out.extend_from_slice(&[INET4, 32, is_cidr, 4, 0, 0, 0, 0]),
    }
}

/// `{}`, or the header of an array without dimensions that keeps the element type.
fn empty_array(format: Format, value: &[u8], out: &mut Vec<u8>) -> Masked {
    if format == Format::Text {
        out.extend_from_slice(b"{}");
        return Masked::Bytes;
    }
    let Some(element) = value.get(8..12) else {
        return Masked::Null;
    };
    out.extend_from_slice(&[0; 8]);
    out.extend_from_slice(element);
    Masked::Bytes
}
