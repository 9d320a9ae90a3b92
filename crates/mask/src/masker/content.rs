//! Scan and hide in one step, by the type and format of the value.

use super::canonical;
use super::types::{Element, Format, ValueType};
use super::{Masked, Masker, content_domain};
use crate::detector::{Detector, DetectorSet};
use crate::scan::{Hit, scan};
use crate::style::Style;

/// What a scan made of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "a clean value was not copied: forward the original"]
pub enum Content {
    /// Nothing was found and nothing appended: forward the value as it is.
    Clean,
    /// Something was found; the value without it was appended to the output.
    Bytes,
    /// Something was found that can only be hidden by SQL NULL. Nothing was appended.
    Null,
}

impl From<Masked> for Content {
    fn from(masked: Masked) -> Self {
        match masked {
            Masked::Bytes => Self::Bytes,
            Masked::Null => Self::Null,
        }
    }
}

/// Type numbers in PostgreSQL's catalogue whose binary elements are read as text before they are scanned.
mod oid {
    pub(super) const INT8: [u8; 4] = 20_u32.to_be_bytes();
    pub(super) const FLOAT8: [u8; 4] = 701_u32.to_be_bytes();
    pub(super) const NUMERIC: [u8; 4] = 1700_u32.to_be_bytes();
    pub(super) const CIDR: [u8; 4] = 650_u32.to_be_bytes();
    pub(super) const INET: [u8; 4] = 869_u32.to_be_bytes();
}

impl Masker {
    /// Looks for values of the kinds in `set` inside a value and hides them, keeping its type and format.
    ///
    /// In text and JSON only what was found is replaced. A number that is a card, an address, bytes that contain a find are masked
    /// whole, as by [`typed`](Self::typed). Binary numbers are read as the digits they stand for, so asking for the binary format
    /// hides nothing from the scan. Types that cannot hold any of it (dates, small integers, UUIDs) are not looked at.
    ///
    /// `hits` is scratch space, kept by the caller so that nothing is allocated per value.
    #[expect(
        clippy::too_many_arguments,
        reason = "the value's type and format, the mask's style and set, and two buffers the caller reuses per row"
    )]
    pub fn content(
        &self,
        style: Style,
        set: DetectorSet,
        ty: ValueType,
        format: Format,
        value: &[u8],
        hits: &mut Vec<Hit>,
        out: &mut Vec<u8>,
    ) -> Content {
        let whole = |found: Option<Detector>, out: &mut Vec<u8>| match found {
            Some(kind) => self.typed(style, content_domain(kind), ty, format, value, out).into(),
            None => Content::Clean,
        };
        match ty {
            ValueType::Text => self.in_text(style, set, value, hits, out),
            ValueType::Json | ValueType::Jsonb => self.in_json(style, set, ty, format, value, hits, out),
            ValueType::Int8 | ValueType::Numeric | ValueType::Float8 => {
                let text = number_text(ty, format, value);
                whole(text.and_then(|text| first(text.as_ref(), set, hits)), out)
            }
            ValueType::Bytea => whole(first(&canonical::bytea(format, value), set, hits), out),
            ValueType::Inet => whole(set.contains(Detector::Ip).then_some(Detector::Ip), out),
            ValueType::Array(element) => self.in_array(style, set, element, format, value, hits, out),
            ValueType::Other => match format {
                Format::Text => self.in_text(style, set, value, hits, out),
                Format::Binary => whole(first(value, set, hits), out),
            },
            // None has room for thirteen digits, an address or a token.
            ValueType::Bool
            | ValueType::Int2
            | ValueType::Int4
            | ValueType::Float4
            | ValueType::Date
            | ValueType::Time
            | ValueType::Timestamp
            | ValueType::Timestamptz
            | ValueType::Uuid => Content::Clean,
        }
    }

    fn in_text(&self, style: Style, set: DetectorSet, value: &[u8], hits: &mut Vec<Hit>, out: &mut Vec<u8>) -> Content {
        scan(value, set, hits);
        match hits.as_slice() {
            [] => Content::Clean,
            [only] if style == Style::Null && only.range == (0..value.len()) => Content::Null,
            hits => {
                self.detected(style, hits, value, out);
                Content::Bytes
            }
        }
    }

    #[expect(clippy::too_many_arguments, reason = "the arguments of `content`")]
    fn in_json(
        &self,
        style: Style,
        set: DetectorSet,
        ty: ValueType,
        format: Format,
        value: &[u8],
        hits: &mut Vec<Hit>,
        out: &mut Vec<u8>,
    ) -> Content {
        let text = if ty == ValueType::Jsonb { canonical::jsonb_text(format, value) } else { value };
        scan(text, set, hits);
        if hits.is_empty() {
            return Content::Clean;
        }
        out.extend_from_slice(value.get(..value.len() - text.len()).unwrap_or_default());
        self.detected_json(style, hits, text, out);
        Content::Bytes
    }

    #[expect(clippy::too_many_arguments, reason = "the arguments of `content`")]
    fn in_array(
        &self,
        style: Style,
        set: DetectorSet,
        element: Element,
        format: Format,
        value: &[u8],
        hits: &mut Vec<Hit>,
        out: &mut Vec<u8>,
    ) -> Content {
        let ty = ValueType::Array(element);
        // An element cannot vanish from the text of an array.
        let inside = if style == Style::Null { Style::Redact } else { style };
        let found = match (element, format) {
            (Element::Text, Format::Text) => return self.in_text(inside, set, value, hits, out),
            (Element::Text, Format::Binary) => {
                let start = out.len();
                match self.in_elements(inside, set, value, hits, out) {
                    Some(0) => {
                        out.truncate(start);
                        return Content::Clean;
                    }
                    Some(_) => return Content::Bytes,
                    None => out.truncate(start),
                }
                first(value, set, hits)
            }
            (Element::Number | Element::Other, Format::Text) => first(value, set, hits),
            (Element::Number | Element::Other, Format::Binary) => first_in_elements(set, value, hits),
        };
        match found {
            Some(kind) => self.typed(style, content_domain(kind), ty, format, value, out).into(),
            None => Content::Clean,
        }
    }

    /// Appends a binary array of text with what is found in its elements replaced; says how many finds there were, or that the
    /// array is not well-formed.
    fn in_elements(
        &self,
        style: Style,
        set: DetectorSet,
        value: &[u8],
        hits: &mut Vec<Hit>,
        out: &mut Vec<u8>,
    ) -> Option<usize> {
        let (header, elements) = split_array(value)?;
        out.extend_from_slice(header);
        let mut finds = 0;
        for element in Elements(elements) {
            let Some(element) = element? else {
                out.extend_from_slice(&(-1_i32).to_be_bytes());
                continue;
            };
            scan(element, set, hits);
            finds += hits.len();
            let length_at = out.len();
            out.extend_from_slice(&[0; 4]);
            self.detected(style, hits, element, out);
            let length = i32::try_from(out.len() - length_at - 4).ok()?.to_be_bytes();
            out.get_mut(length_at..length_at + 4)?.copy_from_slice(&length);
        }
        Some(finds)
    }
}

/// The kind of the first find.
fn first(value: &[u8], set: DetectorSet, hits: &mut Vec<Hit>) -> Option<Detector> {
    scan(value, set, hits);
    hits.first().map(|hit| hit.detector)
}

/// The first find in the elements of a binary array, each read as its type is; in the raw bytes if the array is not well-formed.
fn first_in_elements(set: DetectorSet, value: &[u8], hits: &mut Vec<Hit>) -> Option<Detector> {
    let (Some((_, elements)), Some(oid)) = (split_array(value), value.get(8..12)) else {
        return first(value, set, hits);
    };
    let ty = match oid.try_into().unwrap_or_default() {
        oid::INT8 => ValueType::Int8,
        oid::FLOAT8 => ValueType::Float8,
        oid::NUMERIC => ValueType::Numeric,
        oid::INET | oid::CIDR => ValueType::Inet,
        _ => return first(value, set, hits),
    };
    if ty == ValueType::Inet {
        return (set.contains(Detector::Ip) && !elements.is_empty()).then_some(Detector::Ip);
    }
    Elements(elements).find_map(|element| {
        let text = number_text(ty, Format::Binary, element??)?;
        first(text.as_ref(), set, hits)
    })
}

/// The digits of a number as its text format has them, without a fraction's. None for what cannot hold thirteen of them.
fn number_text(ty: ValueType, format: Format, value: &[u8]) -> Option<std::borrow::Cow<'_, [u8]>> {
    use std::borrow::Cow;
    let text = match (ty, format) {
        (ValueType::Int8, Format::Text) => return Some(Cow::Borrowed(value)),
        (ValueType::Int8, Format::Binary) => canonical::integer(format, value)?.to_string(),
        (ValueType::Numeric, _) => canonical::decimal(format, value)?,
        (_, _) => {
            // Above 2^53 a float names no single integer, but what it was made from may still have been a card.
            let float = canonical::float(format, value)?;
            (float.fract() == 0.0 && float.abs() < 1e19).then(|| format!("{float:.0}"))?
        }
    };
    Some(Cow::Owned(text.into_bytes()))
}

/// A binary array's header with its dimensions, and its elements.
fn split_array(value: &[u8]) -> Option<(&[u8], &[u8])> {
    /// PostgreSQL's limit (MAXDIM).
    const MAX_DIMENSIONS: usize = 6;
    let dimensions = i32::from_be_bytes(*value.first_chunk()?);
    let dimensions = usize::try_from(dimensions).ok().filter(|dimensions| *dimensions <= MAX_DIMENSIONS)?;
    value.split_at_checked(12 + dimensions * 8)
}

/// The elements of a binary array: none for NULL. Ends after the first that is not well-formed.
struct Elements<'a>(&'a [u8]);

impl<'a> Iterator for Elements<'a> {
    type Item = Option<Option<&'a [u8]>>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let element = self.take_element();
        if element.is_none() {
            self.0 = &[];
        }
        Some(element)
    }
}

impl<'a> Elements<'a> {
    fn take_element(&mut self) -> Option<Option<&'a [u8]>> {
        let (length, rest) = self.0.split_first_chunk::<4>()?;
        let length = i32::from_be_bytes(*length);
        if length == -1 {
            self.0 = rest;
            return Some(None);
        }
        let (element, rest) = rest.split_at_checked(usize::try_from(length).ok()?)?;
        self.0 = rest;
        Some(Some(element))
    }
}
