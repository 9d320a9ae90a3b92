//! Text → the YAML form, within bounds: a file may not cost more than its size warrants.

use serde::de::DeserializeOwned;
use serde_saphyr::{DuplicateKeyPolicy, MessageFormatter, Options, UserMessageFormatter};

use crate::error::{Errors, Place, Source};

/// The largest file that is read. A policy of ten thousand rules is about 3 MiB.
pub const MAX_SOURCE_BYTES: usize = 8 << 20;

/// The deepest nesting; the form itself has six levels.
const MAX_DEPTH: usize = 24;

/// Reads all documents of a file; what is wrong is added to `errors` with its place.
pub(crate) fn load<T: DeserializeOwned>(source: &Source<'_>, file: u32, errors: &mut Errors<'_>) -> Vec<T> {
    let whole = Place { file, line: 0, column: 0 };
    if source.text.len() > MAX_SOURCE_BYTES {
        errors.add(whole, format!("the file is larger than {} MiB: split it", MAX_SOURCE_BYTES >> 20));
        return Vec::new();
    }
    match serde_saphyr::from_multiple_with_options::<T>(source.text, options()) {
        Ok(documents) => documents,
        Err(error) => {
            let place = error.location().map_or(whole, |at| Place {
                file,
                line: u32::try_from(at.line()).unwrap_or(u32::MAX),
                column: u32::try_from(at.column()).unwrap_or(u32::MAX),
            });
            errors.add(place, explain(&error));
            Vec::new()
        }
    }
}

/// Strict reading: no repeated key, no `yes` for true, no tag of unknown meaning, no bomb.
fn options() -> Options {
    serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_depth: MAX_DEPTH,
            flow_nesting_limit: MAX_DEPTH,
            max_events: 2_000_000,
            max_nodes: 500_000,
            max_documents: 256,
            max_aliases: 1_000,
            max_anchors: 1_000,
            max_recorded_anchor_events: 100_000,
            max_recorded_anchor_bytes: 4 << 20,
            max_merge_keys: 1_000,
            max_total_scalar_bytes: MAX_SOURCE_BYTES,
            max_total_comment_bytes: MAX_SOURCE_BYTES,
        },
        alias_limits: serde_saphyr::alias_limits! {
            max_total_replayed_events: 100_000,
            max_replay_stack_depth: 8,
        },
        duplicate_keys: DuplicateKeyPolicy::Error,
        strict_booleans: true,
        reject_unsupported_tags: true,
        with_snippet: false,
    }
}

/// The reader's message in one line, with what to do where it does not say so itself.
fn explain(error: &serde_saphyr::Error) -> String {
    use serde_saphyr::Error as Yaml;
    match error.without_snippet() {
        Yaml::DuplicateMappingKey { key, .. } => {
            format!("the key `{}` is there twice: remove one", key.as_deref().unwrap_or("?").escape_debug())
        }
        Yaml::SerdeMissingField { field, .. } => format!("`{field}` is missing: add it"),
        Yaml::SerdeUnknownField { field, expected, .. } => {
            format!("unknown key `{}`: use one of {}", field.escape_debug(), expected.join(", "))
        }
        Yaml::SerdeUnknownVariant { variant, expected, .. } => {
            format!("unknown word `{}`: use one of {}", variant.escape_debug(), expected.join(", "))
        }
        Yaml::SerdeInvalidType { unexpected, expected, .. } if unexpected == "unit value" => {
            format!("a value is missing: expected {expected}, or leave the key out")
        }
        Yaml::InvalidScalar { ty, .. } if ty.starts_with(['u', 'i']) => {
            format!("not a whole number that fits here ({ty}): write one of 0 or more, without a fraction")
        }
        Yaml::InvalidBooleanStrict { .. } => "expected true or false".to_owned(),
        Yaml::Budget { .. } => {
            "nested too deeply or far too large once its aliases are expanded: write it out plainly".to_owned()
        }
        // The reader's own errors are many and may become more; each has a text.
        other => UserMessageFormatter
            .format_message(other)
            .escape_debug()
            .to_string()
            .replace("\\\"", "\"")
            .replace("\\'", "'"),
    }
}
