//! Which settings a client may change. The list is an allow-list; what guards the session is not on it.

/// What changing a setting to a value means.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Setting {
    /// Presentation, planning, or a limit set tighter.
    Harmless,
    /// Says who the client's program is: harmless, but a policy may want to name it.
    Label,
    /// Weakens a guard, changes who the session is, or writes where others read.
    Guarded,
}

/// Judges `SET name = value` (name in any case). `None` is DEFAULT, RESET, FROM CURRENT or a value that is not constant.
pub(crate) fn judge(name: &str, value: Option<&str>) -> Setting {
    let name = name.to_ascii_lowercase();
    if name == "application_name" && value.is_some() {
        return Setting::Label;
    }
    let harmless = match name.as_str() {
        // Limits: tighter or equal is fine, none at all is not.
        "statement_timeout"
        | "lock_timeout"
        | "idle_in_transaction_session_timeout"
        | "transaction_timeout"
        | "idle_session_timeout" => value.is_some_and(is_positive),
        "standard_conforming_strings" => value.is_some_and(is_on),
        "transaction_read_only" | "default_transaction_read_only" => value.is_some_and(is_on),
        "client_encoding" | "names" => value.is_some_and(is_utf8),
        "backslash_quote" => value.is_some_and(|value| matches(value, &["safe_encoding", "off", "false", "no", "0"])),
        "row_security" => value.is_some_and(is_on),
        // Naming pg_catalog after another schema lets that schema's functions take the place of the server's own.
        "search_path" => value.is_none_or(|value| !hides_built_ins(value)),
        // A literal of the sorts of value below may be anything.
        _ => is_presentation(&name) || is_planning(&name),
    };
    if harmless { Setting::Harmless } else { Setting::Guarded }
}

fn is_presentation(name: &str) -> bool {
    matches!(
        name,
        "datestyle"
            | "timezone"
            | "intervalstyle"
            | "extra_float_digits"
            | "bytea_output"
            | "client_min_messages"
            | "lc_messages"
            | "lc_monetary"
            | "lc_numeric"
            | "lc_time"
            | "xmloption"
            | "xmlbinary"
            | "escape_string_warning"
            | "check_function_bodies"
            | "default_text_search_config"
            | "array_nulls"
            | "gin_fuzzy_search_limit"
            | "transaction_isolation"
            | "default_transaction_isolation"
            | "transaction_deferrable"
            | "default_transaction_deferrable"
            | "timezone_abbreviations"
            | "quote_all_identifiers"
            | "transform_null_equals"
            | "default_table_access_method"
            | "default_toast_compression"
            | "synchronize_seqscans"
            | "default_with_oids"
            | "restrict_nonsystem_relation_kind"
            | "icu_validation_level"
    )
}

fn is_planning(name: &str) -> bool {
    name.starts_with("enable_")
        || name.starts_with("geqo")
        || name.starts_with("jit")
            && !matches!(name, "jit_provider" | "jit_debugging_support" | "jit_dump_bitcode" | "jit_profiling_support")
        || matches!(
            name,
            "work_mem"
                | "hash_mem_multiplier"
                | "maintenance_work_mem"
                | "random_page_cost"
                | "seq_page_cost"
                | "cpu_tuple_cost"
                | "cpu_index_tuple_cost"
                | "cpu_operator_cost"
                | "parallel_setup_cost"
                | "parallel_tuple_cost"
                | "effective_cache_size"
                | "effective_io_concurrency"
                | "maintenance_io_concurrency"
                | "from_collapse_limit"
                | "join_collapse_limit"
                | "plan_cache_mode"
                | "cursor_tuple_fraction"
                | "constraint_exclusion"
                | "default_statistics_target"
                | "max_parallel_workers_per_gather"
                | "max_parallel_workers"
                | "max_parallel_maintenance_workers"
                | "min_parallel_table_scan_size"
                | "min_parallel_index_scan_size"
                | "parallel_leader_participation"
                | "force_parallel_mode"
                | "debug_parallel_query"
                | "recursive_worktable_factor"
                | "logical_decoding_work_mem"
                | "temp_buffers"
        )
}

fn hides_built_ins(path: &str) -> bool {
    let mut names = path.split(',').map(|name| name.trim().trim_matches('"'));
    names.next();
    names.any(|name| name.eq_ignore_ascii_case("pg_catalog"))
}

fn matches(value: &str, words: &[&str]) -> bool {
    words.iter().any(|word| value.eq_ignore_ascii_case(word))
}

/// The server accepts any unambiguous beginning of a word; only the whole words count here.
fn is_on(value: &str) -> bool {
    matches(value.trim(), &["on", "true", "yes", "1", "t", "y"])
}

fn is_utf8(value: &str) -> bool {
    matches(value.trim(), &["utf8", "utf-8", "unicode"])
}

/// A number above zero, with or without a unit. Fractions may round to zero, which is no limit, so they do not count.
fn is_positive(value: &str) -> bool {
    let value = value.trim();
    let digits = value.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = value.split_at(digits);
    // The smallest unit of these settings is the millisecond, so whole microseconds may round to none.
    let unit = unit.trim();
    number.bytes().any(|digit| digit != b'0')
        && number.len() <= 18
        && !(number.starts_with('0') && number.len() > 1)
        && (unit.is_empty() || ["ms", "s", "min", "h", "d"].contains(&unit))
}

#[cfg(test)]
mod tests {
    use super::{Setting, judge};

    #[test]
    fn guards_hold_and_harmless_settings_pass() {
        for (name, value) in [
            ("DateStyle", "ISO"),
            ("search_path", ""),
            ("statement_timeout", "5s"),
            ("statement_timeout", "30000"),
            ("enable_seqscan", "off"),
            ("work_mem", "64MB"),
            ("default_transaction_read_only", "on"),
            ("client_encoding", "UTF8"),
            ("standard_conforming_strings", "on"),
            ("extra_float_digits", "3"),
            ("TimeZone", "UTC"),
            ("jit", "off"),
            ("row_security", "on"),
        ] {
            assert_eq!(judge(name, Some(value)), Setting::Harmless, "{name}={value}");
        }
        for (name, value) in [
            ("statement_timeout", Some("0")),
            ("statement_timeout", Some("0ms")),
            ("statement_timeout", None),
            ("statement_timeout", Some("-1")),
            ("statement_timeout", Some("1us")),
            ("statement_timeout", Some("0.1")),
            ("statement_timeout", Some("00")),
            ("lock_timeout", Some("0x0")),
            ("role", Some("x")),
            ("session_authorization", Some("x")),
            ("application_name", None),
            ("row_security", Some("off")),
            ("session_replication_role", Some("replica")),
            ("client_encoding", Some("SJIS")),
            ("standard_conforming_strings", Some("off")),
            ("default_transaction_read_only", Some("off")),
            ("transaction_read_only", None),
            ("my.x", Some("1")),
            ("log_statement", Some("none")),
            ("jit_provider", Some("x")),
            ("local_preload_libraries", Some("x")),
            ("createrole_self_grant", Some("set")),
            ("temp_tablespaces", Some("x")),
            ("allow_system_table_mods", Some("on")),
            ("zero_damaged_pages", Some("on")),
        ] {
            assert_eq!(judge(name, value), Setting::Guarded, "{name}={value:?}");
        }
    }
}
