//! The name of a policy's content: what differs in order, layout, comments or files only has the same name.

use std::fmt::Write as _;

use serde_json::Value;

use crate::syntax::RawPolicy;

/// Mixed into each version, so that a change of what the form means changes every version.
const MEANING: &str = "sallyport policy 1";

/// 16 hexadecimal digits.
pub(super) fn version<'r>(documents: impl Iterator<Item = &'r RawPolicy>) -> String {
    let mut entries: Vec<String> = Vec::new();
    for document in documents {
        // The form is plain data, so that it always has a JSON form.
        let Ok(Value::Object(sections)) = serde_json::to_value(document) else {
            continue;
        };
        for (section, values) in &sections {
            for value in values.as_array().into_iter().flatten() {
                entries.push(format!("{section} {}", canonical(value)));
            }
        }
    }
    entries.sort_unstable();
    let mut hash = blake3::Hasher::new();
    for part in std::iter::once(MEANING).chain(entries.iter().map(String::as_str)) {
        hash.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_le_bytes());
        hash.update(part.as_bytes());
    }
    let mut version = String::with_capacity(16);
    for byte in hash.finalize().as_bytes().iter().take(8) {
        // Writing to a string cannot fail.
        let _ = write!(version, "{byte:02x}");
    }
    version
}

/// JSON with sorted keys, and sorted lists: every list of a policy is a set.
fn canonical(value: &Value) -> String {
    match value {
        Value::Array(values) => {
            let mut values: Vec<String> = values.iter().map(canonical).collect();
            values.sort_unstable();
            values.dedup();
            format!("[{}]", values.join(","))
        }
        Value::Object(map) => {
            let mut pairs: Vec<String> =
                map.iter().map(|(key, value)| format!("{}:{}", Value::from(key.as_str()), canonical(value))).collect();
            pairs.sort_unstable();
            format!("{{{}}}", pairs.join(","))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.to_string(),
    }
}
