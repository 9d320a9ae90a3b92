//! What is known about functions, operators, types and settings without asking the catalogue.
//!
//! - here: built-in functions by name, with what each does
//! - [`extensions`]: extensions whose functions only compute
//! - [`settings`]: which settings a client may change
//!
//! The lists are allow-lists: a built-in function that is not listed is `execute`.

pub(crate) mod extensions;
pub(crate) mod settings;

use std::collections::HashSet;
use std::sync::OnceLock;

use model::Effect;

/// What a built-in function does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Builtin {
    /// Only computes from its arguments or shows state of the server.
    Harmless,
    /// Harmless to run, but shows data that belongs to other relations or sessions.
    Reveals,
    /// Makes a value as long as the argument of this index says.
    Sized(usize),
    /// `format`: widths in the first argument.
    Format,
    /// nextval, setval: change the sequence named by the first argument.
    SequenceWrite,
    /// currval, lastval: show a sequence.
    SequenceRead,
    /// setseed: what random gives from then on tells the argument.
    Seed,
    /// set_config.
    SetConfig,
    /// pg_notify.
    Notify,
    /// Changes state of the own session only.
    Session,
    /// Reads or writes files of the server.
    File(Effect),
    /// Runs the server itself.
    Admin,
    /// Reads, changes or removes large objects.
    LargeObject(Effect),
    /// Runs a text as SQL or reads relations that a text names.
    RunsText,
    /// `ts_rewrite`: with two arguments the second is a query to run.
    TsRewrite,
    /// Waits, or holds locks that others wait for.
    Waits,
    /// Aggregates whose result does not carry the argument's data.
    Counts,
}

/// The largest constant that [`Builtin::Sized`] and [`Builtin::Format`] accept.
pub(crate) const MAX_SIZE: i64 = 1 << 20;

fn words(texts: &[&'static str]) -> HashSet<&'static str> {
    texts
        .iter()
        .flat_map(|text| text.lines())
        .filter(|line| !line.starts_with("# "))
        .filter(|line| *line != "#")
        .flat_map(str::split_ascii_whitespace)
        .collect()
}

fn harmless() -> &'static HashSet<&'static str> {
    static SET: OnceLock<HashSet<&'static str>> = OnceLock::new();
    SET.get_or_init(|| words(&[include_str!("harmless.txt"), include_str!("later.txt"), include_str!("volatile.txt")]))
}

/// Whether an operator name is one of pg_catalog's.
pub(crate) fn is_builtin_operator(name: &str) -> bool {
    static SET: OnceLock<HashSet<&'static str>> = OnceLock::new();
    SET.get_or_init(|| words(&[include_str!("operators.txt")])).contains(name)
}

/// Whether a type name is one of pg_catalog's, array types (`_int4`) included.
pub(crate) fn is_builtin_type(name: &str) -> bool {
    static SET: OnceLock<HashSet<&'static str>> = OnceLock::new();
    let set = SET.get_or_init(|| words(&[include_str!("types.txt")]));
    set.contains(name) || name.strip_prefix('_').is_some_and(|element| set.contains(element))
}

/// What the built-in function of this name does; `None` when there is none known, which is not harmless.
pub(crate) fn builtin(name: &str) -> Option<Builtin> {
    special(name).or_else(|| if harmless().contains(name) { Some(Builtin::Harmless) } else { by_prefix(name) })
}

/// Functions that put values together or pick one, and fail for none: using one tells nothing but what it returns.
pub(crate) fn is_total(name: &str) -> bool {
    matches!(
        name,
        "to_json"
            | "to_jsonb"
            | "row_to_json"
            | "json_build_object"
            | "jsonb_build_object"
            | "json_build_array"
            | "jsonb_build_array"
            | "json_agg"
            | "jsonb_agg"
            | "json_object_agg"
            | "jsonb_object_agg"
            | "array_agg"
            | "string_agg"
            | "max"
            | "min"
            | "concat"
            | "concat_ws"
            | "format"
            | "upper"
            | "lower"
            | "initcap"
            | "btrim"
            | "ltrim"
            | "rtrim"
            | "md5"
            | "reverse"
            | "quote_literal"
            | "quote_ident"
            | "quote_nullable"
            | "first_value"
            | "last_value"
            | "lag"
            | "lead"
            | "sum"
            | "avg"
            | "hstore"
            | "any_value"
            | "xmlagg"
    )
}

fn special(name: &str) -> Option<Builtin> {
    Some(match name {
        "count" | "row_number" | "rank" | "dense_rank" | "percent_rank" | "cume_dist" | "ntile" | "regr_count" => {
            Builtin::Counts
        }
        "repeat" => Builtin::Sized(1),
        "lpad" | "rpad" => Builtin::Sized(1),
        "format" => Builtin::Format,
        "nextval" | "setval" => Builtin::SequenceWrite,
        "currval" | "lastval" => Builtin::SequenceRead,
        "setseed" => Builtin::Seed,
        // The session's own.
        "pg_cursor" | "pg_prepared_statement" => Builtin::Harmless,
        "set_config" => Builtin::SetConfig,
        "pg_notify" => Builtin::Notify,
        "pg_advisory_unlock_all" | "pg_export_snapshot" => Builtin::Session,
        "pg_stat_get_activity" | "pg_stat_get_backend_activity" | "pg_mcv_list_items" => Builtin::Reveals,
        "pg_advisory_lock"
        | "pg_advisory_lock_shared"
        | "pg_advisory_unlock"
        | "pg_advisory_unlock_shared"
        | "pg_advisory_xact_lock"
        | "pg_advisory_xact_lock_shared"
        | "pg_try_advisory_lock"
        | "pg_try_advisory_lock_shared"
        | "pg_try_advisory_xact_lock"
        | "pg_try_advisory_xact_lock_shared"
        | "pg_sleep"
        | "pg_sleep_for"
        | "pg_sleep_until" => Builtin::Waits,
        "lo_import" => Builtin::File(Effect::Import),
        "lo_export" | "pg_stat_file" => Builtin::File(Effect::Export),
        "lo_get" | "loread" | "lo_open" | "lo_close" | "lo_lseek" | "lo_lseek64" | "lo_tell" | "lo_tell64" => {
            Builtin::LargeObject(Effect::Read)
        }
        "lo_unlink" => Builtin::LargeObject(Effect::Delete),
        "lo_creat" | "lo_create" | "lo_from_bytea" | "lo_put" | "lowrite" | "lo_truncate" | "lo_truncate64" => {
            Builtin::LargeObject(Effect::Write)
        }
        _ => return runs_the_server(name),
    })
}

/// Built-in functions that run texts, use files or run the server.
fn runs_the_server(name: &str) -> Option<Builtin> {
    Some(match name {
        "query_to_xml"
        | "query_to_xmlschema"
        | "query_to_xml_and_xmlschema"
        | "cursor_to_xml"
        | "cursor_to_xmlschema"
        | "table_to_xml"
        | "table_to_xmlschema"
        | "table_to_xml_and_xmlschema"
        | "schema_to_xml"
        | "schema_to_xmlschema"
        | "schema_to_xml_and_xmlschema"
        | "database_to_xml"
        | "database_to_xmlschema"
        | "database_to_xml_and_xmlschema"
        | "ts_stat" => Builtin::RunsText,
        "ts_rewrite" => Builtin::TsRewrite,
        "pg_read_file"
        | "pg_read_file_old"
        | "pg_read_binary_file"
        | "pg_current_logfile"
        | "pg_hba_file_rules"
        | "pg_ident_file_mappings"
        | "pg_show_all_file_settings"
        | "pg_file_read"
        | "pg_logdir_ls"
        | "pg_file_write"
        | "pg_file_sync"
        | "pg_file_rename"
        | "pg_file_unlink"
        | "pg_file_length"
        | "pg_logfile_rotate" => Builtin::File(Effect::Export),
        "pg_cancel_backend"
        | "pg_terminate_backend"
        | "pg_reload_conf"
        | "pg_rotate_logfile"
        | "pg_rotate_logfile_old"
        | "pg_switch_wal"
        | "pg_switch_xlog"
        | "pg_create_restore_point"
        | "pg_promote"
        | "pg_wal_replay_pause"
        | "pg_wal_replay_resume"
        | "pg_backup_start"
        | "pg_backup_stop"
        | "pg_start_backup"
        | "pg_stop_backup"
        | "pg_import_system_collations"
        | "pg_log_backend_memory_contexts"
        | "pg_log_standby_snapshot"
        | "pg_sync_replication_slots"
        | "pg_nextoid"
        | "pg_stop_making_pinned_objects"
        | "pg_stat_force_next_flush"
        | "pg_stat_get_wal_receiver"
        | "pg_stat_get_subscription"
        | "pg_extension_config_dump"
        | "pg_clear_relation_stats"
        | "pg_restore_relation_stats"
        | "pg_clear_attribute_stats"
        | "pg_restore_attribute_stats"
        | "pg_copy_physical_replication_slot"
        | "pg_copy_logical_replication_slot"
        | "pg_drop_replication_slot"
        | "pg_create_physical_replication_slot"
        | "pg_create_logical_replication_slot"
        | "pg_replication_slot_advance"
        | "pg_logical_emit_message" => Builtin::Admin,
        _ => return None,
    })
}

fn by_prefix(name: &str) -> Option<Builtin> {
    const PREFIXES: &[(&str, Builtin)] = &[
        ("pg_ls_", Builtin::File(Effect::Export)),
        ("pg_stat_reset", Builtin::Admin),
        ("pg_replication_origin_", Builtin::Admin),
        ("pg_logical_slot_", Builtin::Admin),
        ("binary_upgrade_", Builtin::Admin),
    ];
    PREFIXES.iter().find(|(prefix, _)| name.starts_with(prefix)).map(|(_, what)| *what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_hold_what_they_should_and_nothing_that_acts() {
        for name in ["lower", "now", "sum", "jsonb_build_object", "pg_get_viewdef", "random", "any_value"] {
            assert_eq!(builtin(name), Some(Builtin::Harmless), "{name}");
        }
        for name in special_names() {
            assert!(!harmless().contains(name) || special(name).is_some(), "{name}");
        }
        for name in ["query_to_xml", "pg_read_file", "pg_sleep", "nextval", "lo_export", "ts_stat", "repeat"] {
            assert_ne!(builtin(name), Some(Builtin::Harmless), "{name}");
        }
        assert_eq!(builtin("no_such_function"), None);
        assert!(is_builtin_operator("=") && is_builtin_operator("#>>") && is_builtin_operator("#"));
        assert!(!is_builtin_operator("<-!->"));
        assert!(is_builtin_type("int4") && is_builtin_type("_text") && !is_builtin_type("hstore"));
    }

    fn special_names() -> [&'static str; 3] {
        ["count", "format", "set_config"]
    }
}
