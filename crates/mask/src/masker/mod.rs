//! Hides values: whole ones, the found parts of a text, and values of a type and wire format.
//!
//! | file | what it does |
//! |---|---|
//! | `key.rs` | the secret and the digests made with it |
//! | `token.rs` | tokens of texts, and the way back |
//! | `partial.rs` | what a partial mask of each kind shows |
//! | `types.rs` | a value's type and wire format |
//! | `typed.rs` | masks that keep both |
//! | `canonical.rs`, `numeric.rs`, `calendar.rs` | one form of a value for text and binary, so both get the same token |
//! | `content.rs` | scan and hide in one step, by type |

mod calendar;
mod canonical;
mod content;
mod key;
mod numeric;
mod partial;
mod token;
mod typed;
mod types;

use std::fmt;
use std::sync::Arc;

use crate::detector::{Detector, DetectorSet};
use crate::scan::{Hit, scan};
use crate::style::Style;
pub use content::Content;
pub use key::MaskKey;
use key::{Digester, Purpose};
pub use token::TOKEN_MARK;
pub use types::{Element, Format, ValueType};

const REDACTED: &[u8] = b"[redacted]";
const FIXED: &[u8] = b"***";
/// Bytes of a digest that a hash shows, as twice as many hexadecimal digits.
const HASH_BYTES: usize = 16;

/// What a mask made of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "a value masked to NULL has no bytes: send NULL"]
pub enum Masked {
    /// The masked value was appended to the output.
    Bytes,
    /// Nothing was appended: send SQL NULL.
    Null,
}

/// Hides values. Cheap to clone; shared by every session that uses the same key.
#[derive(Clone)]
pub struct Masker {
    digester: Arc<Digester>,
}

impl Masker {
    /// A masker whose tokens and hashes are made with `key`: the same value in the same domain always becomes the same token,
    /// in every session and after every restart.
    #[must_use]
    pub fn new(key: &MaskKey) -> Self {
        Self { digester: Arc::new(Digester::new(key)) }
    }

    /// Masks a whole text value, whatever it contains, and appends the result to `out`.
    ///
    /// `domain` separates tokens: equal values have equal tokens within a domain only. Use the column's name where tokens need not
    /// match across columns, and one shared name where they must.
    pub fn whole_text(&self, style: Style, domain: &str, value: &[u8], out: &mut Vec<u8>) -> Masked {
        match style {
            Style::Null => return Masked::Null,
            Style::Redact => out.extend_from_slice(REDACTED),
            Style::Fixed => out.extend_from_slice(FIXED),
            Style::Hash => self.hash(domain, value, out),
            Style::Token => token::seal(&self.digester, domain, value, out),
            Style::Partial => {
                let mut hits = Vec::new();
                scan(value, DetectorSet::ALL, &mut hits);
                let kind = match hits.as_slice() {
                    [only] if only.range == (0..value.len()) => Some(only.detector),
                    _ => None,
                };
                partial::show(kind, value, out);
            }
        }
        Masked::Bytes
    }

    /// Appends `value` to `out` with every hit replaced and everything else as it is. `hits` are those of [`scan`] over `value`.
    ///
    /// Inside a text there is no NULL, so [`Style::Null`] leaves nothing where the hit was. The replacements need no escaping in
    /// JSON, CSV, COPY or array text. Equal findings of one kind have equal tokens wherever they are found.
    pub fn detected(&self, style: Style, hits: &[Hit], value: &[u8], out: &mut Vec<u8>) {
        let mut done = 0;
        for hit in hits {
            out.extend_from_slice(value.get(done..hit.range.start).unwrap_or_default());
            self.replace(style, hit.detector, value.get(hit.range.clone()).unwrap_or_default(), out);
            done = hit.range.end;
        }
        out.extend_from_slice(value.get(done..).unwrap_or_default());
    }

    /// [`detected`](Self::detected) for JSON text: a hit that is not inside a string is a number and becomes `0`, so the text
    /// stays JSON.
    pub fn detected_json(&self, style: Style, hits: &[Hit], value: &[u8], out: &mut Vec<u8>) {
        let mut done = 0;
        let mut in_string = false;
        for hit in hits {
            let between = value.get(done..hit.range.start).unwrap_or_default();
            in_string = ends_in_string(in_string, between);
            out.extend_from_slice(between);
            if in_string {
                self.replace(style, hit.detector, value.get(hit.range.clone()).unwrap_or_default(), out);
            } else {
                out.push(b'0');
            }
            done = hit.range.end;
        }
        out.extend_from_slice(value.get(done..).unwrap_or_default());
    }

    /// Appends what stands for one found value.
    pub(crate) fn replace(&self, style: Style, kind: Detector, value: &[u8], out: &mut Vec<u8>) {
        match style {
            Style::Null => {}
            Style::Redact => out.extend_from_slice(REDACTED),
            Style::Fixed => out.extend_from_slice(FIXED),
            Style::Hash => self.hash(content_domain(kind), value, out),
            Style::Token => self.token(content_domain(kind), value, out),
            Style::Partial => partial::show(Some(kind), value, out),
        }
    }

    fn hash(&self, domain: &str, value: &[u8], out: &mut Vec<u8>) {
        let digest = self.digester.digest(Purpose::Hash, domain, value);
        push_hex(digest.iter().take(HASH_BYTES), out);
    }

    /// A token that nobody can turn back.
    fn token(&self, domain: &str, value: &[u8], out: &mut Vec<u8>) {
        token::digest(&self.digester, domain, value, out);
    }

    /// The value that a token stands for, in the type and wire format that the token has: what [`typed`](Self::typed) made it of with this
    /// key, in this domain. `None` for what is no such token, and for types whose tokens cannot be turned back: only texts of up to 63 bytes
    /// and random UUIDs (version 4) can.
    #[must_use]
    pub fn restore(&self, domain: &str, ty: ValueType, format: Format, token: &[u8]) -> Option<Vec<u8>> {
        match ty {
            ValueType::Text => token::open(&self.digester, domain, token),
            ValueType::Uuid => self.restore_uuid(domain, format, token),
            ValueType::Bool
            | ValueType::Int2
            | ValueType::Int4
            | ValueType::Int8
            | ValueType::Float4
            | ValueType::Float8
            | ValueType::Numeric
            | ValueType::Date
            | ValueType::Time
            | ValueType::Timestamp
            | ValueType::Timestamptz
            | ValueType::Json
            | ValueType::Jsonb
            | ValueType::Bytea
            | ValueType::Inet
            | ValueType::Array(_)
            | ValueType::Other => None,
        }
    }
}

impl fmt::Debug for Masker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Masker(..)")
    }
}

/// Appends bytes as lower-case hexadecimal digits.
fn push_hex<'a>(bytes: impl IntoIterator<Item = &'a u8>, out: &mut Vec<u8>) {
    for byte in bytes {
        for nibble in [byte >> 4, byte & 15] {
            out.push(if nibble < 10 { b'0' + nibble } else { b'a' + nibble - 10 });
        }
    }
}

/// Found values of one kind share a domain, whichever column or message they are found in.
fn content_domain(kind: Detector) -> &'static str {
    match kind {
        Detector::Card => "content:card",
        Detector::Iban => "content:iban",
        Detector::Email => "content:email",
        Detector::Phone => "content:phone",
        Detector::Ssn => "content:ssn",
        Detector::Ip => "content:ip",
        Detector::Jwt => "content:jwt",
        Detector::AwsKey => "content:aws",
        Detector::GithubToken => "content:github",
        Detector::Pem => "content:pem",
        Detector::ApiKey => "content:apikey",
    }
}

/// Whether JSON text, begun inside a string or not, ends inside one.
fn ends_in_string(mut in_string: bool, text: &[u8]) -> bool {
    let mut bytes = text.iter();
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => in_string = !in_string,
            b'\\' if in_string => {
                bytes.next();
            }
            _ => {}
        }
    }
    in_string
}

#[cfg(test)]
mod tests;
