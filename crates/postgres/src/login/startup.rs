//! What a startup message asks for: target, database, role, settings. What is not understood is refused, never passed over.

use crate::login::LoginFailure;
use crate::wire::StartupMessage;

/// A target's or database's name at most, in bytes; the server's own identifiers have 63.
const LONGEST_NAME: usize = 256;

/// A startup message, understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// The target.
    pub target: String,
    /// The database in it, if one is named.
    pub database: Option<String>,
    /// The startup user: a role's name, or anything.
    pub role: Option<String>,
    /// What the client calls itself.
    pub application_name: Option<String>,
    /// Every other setting, in the order in which a server would apply them: those of `options` first. For policy to judge as SET.
    pub settings: Vec<(String, String)>,
}

/// Reads it.
///
/// # Errors
/// [`LoginFailure`] with the server's SQLSTATE for the same complaint.
pub fn read(message: &StartupMessage<'_>) -> Result<Wanted, LoginFailure> {
    let user = message.parameter("user").filter(|user| !user.is_empty());
    let user =
        user.ok_or_else(|| LoginFailure::new("28000", "the connection names no user; give the target's role as user"))?;
    let name = message.parameter("database").filter(|name| !name.is_empty()).unwrap_or(user);
    let (target, database) = match name.split_once('/') {
        None => (name, None),
        Some((target, database)) => (target, Some(database)),
    };
    if target.is_empty() || database == Some("") || name.len() > LONGEST_NAME {
        return Err(LoginFailure::new("3D000", "the database must be TARGET or TARGET/DATABASE"));
    }
    let mut settings = Vec::new();
    let mut application_name = None;
    if let Some(options) = message.parameter("options") {
        settings = parse_options(options)?;
    }
    for (name, value) in &message.parameters {
        match *name {
            "user" | "database" | "options" => {}
            "application_name" => application_name = Some((*value).to_owned()),
            "replication" => refuse_replication(value)?,
            _ => settings.push(((*name).to_owned(), (*value).to_owned())),
        }
    }
    // What is known here does not go to policy: there is one encoding, and replication has its own door.
    for (name, value) in &settings {
        if name.eq_ignore_ascii_case("client_encoding") {
            require_utf8(value)?;
        }
        if name.eq_ignore_ascii_case("replication") {
            refuse_replication(value)?;
        }
    }
    settings
        .retain(|(name, _)| !name.eq_ignore_ascii_case("client_encoding") && !name.eq_ignore_ascii_case("replication"));
    let database = database.map(str::to_owned);
    Ok(Wanted { target: target.to_owned(), database, role: Some(user.to_owned()), application_name, settings })
}

fn refuse_replication(value: &str) -> Result<(), LoginFailure> {
    if matches!(value.to_ascii_lowercase().as_str(), "false" | "off" | "no" | "0" | "f" | "n") {
        return Ok(());
    }
    Err(LoginFailure::new("0A000", "replication connections do not go through this gateway"))
}

/// Other encodings are converted by the server after the gateway has read the text: two readings of one text are a way around it.
fn require_utf8(value: &str) -> Result<(), LoginFailure> {
    let plain: String = value.chars().filter(char::is_ascii_alphanumeric).collect();
    // SQL_ASCII asks for no conversion, which is what UTF8 gives on a database in UTF8: psql in the C locale sends it.
    if ["utf8", "unicode", "sqlascii"].iter().any(|known| plain.eq_ignore_ascii_case(known)) {
        return Ok(());
    }
    Err(LoginFailure::new(
        "0A000",
        "client_encoding must be UTF8; set PGCLIENTENCODING=UTF8 or the driver's equivalent",
    ))
}

/// Splits `options` as a server does (`pg_split_opts`): at white space, with a backslash before what is meant literally.
fn split(options: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut characters = options.chars();
    while let Some(c) = characters.next() {
        if c.is_ascii_whitespace() || c == '\u{b}' {
            words.extend(word.take());
            continue;
        }
        let word = word.get_or_insert_default();
        match c {
            // A backslash at the very end is dropped, as the server does.
            '\\' => word.extend(characters.next()),
            c => word.push(c),
        }
    }
    words.extend(word);
    words
}

/// Reads `-c name=value`, `-cname=value` and `--name=value`. Other switches of a server's command line have no setting's name and are
/// refused.
fn parse_options(options: &str) -> Result<Vec<(String, String)>, LoginFailure> {
    let unknown = || LoginFailure::new("42601", "options may hold settings only: -c name=value or --name=value");
    let mut settings = Vec::new();
    let mut words = split(options).into_iter();
    while let Some(word) = words.next() {
        let setting = match (word.strip_prefix("--"), word.strip_prefix("-c")) {
            (Some(setting), _) => setting.to_owned(),
            (None, Some("")) => words.next().ok_or_else(unknown)?,
            (None, Some(setting)) => setting.to_owned(),
            (None, None) => return Err(unknown()),
        };
        let (name, value) = setting.split_once('=').ok_or_else(unknown)?;
        if name.is_empty() {
            return Err(unknown());
        }
        settings.push((name.replace('-', "_"), value.to_owned()));
    }
    Ok(settings)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn wanted(parameters: &[(&'static str, &'static str)]) -> Result<Wanted, LoginFailure> {
        read(&StartupMessage { minor: 0, parameters: parameters.to_vec(), options: Vec::new() })
    }

    fn pairs(settings: &[(&str, &str)]) -> Vec<(String, String)> {
        settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn the_database_names_the_target() {
        let all = wanted(&[("user", "app"), ("database", "orders-db/shop"), ("application_name", "psql")]).unwrap();
        assert_eq!((all.target.as_str(), all.database.as_deref()), ("orders-db", Some("shop")));
        assert_eq!((all.role.as_deref(), all.application_name.as_deref()), (Some("app"), Some("psql")));
        assert_eq!(wanted(&[("user", "orders-db")]).unwrap().target, "orders-db");
        let deep = wanted(&[("user", "a"), ("database", "t/a/b")]).unwrap();
        assert_eq!(deep.database.as_deref(), Some("a/b"));
        for wrong in ["/shop", "orders-db/", "/"] {
            assert_eq!(wanted(&[("user", "a"), ("database", wrong)]).unwrap_err().sqlstate, "3D000");
        }
        assert_eq!(wanted(&[("database", "x")]).unwrap_err().sqlstate, "28000");
    }

    #[test]
    fn every_setting_comes_out_in_the_servers_order() {
        let all = wanted(&[
            ("user", "a"),
            ("DateStyle", "ISO"),
            ("options", r"-c role=postgres -csearch_path=evil,\ public --statement-timeout=5\\s  -c  geqo=off"),
            ("session_replication_role", "replica"),
            ("client_encoding", "utf-8"),
        ]);
        let expected = pairs(&[
            ("role", "postgres"),
            ("search_path", "evil, public"),
            ("statement_timeout", r"5\s"),
            ("geqo", "off"),
            ("DateStyle", "ISO"),
            ("session_replication_role", "replica"),
        ]);
        assert_eq!(all.unwrap().settings, expected);
    }

    #[test]
    fn replication_and_other_encodings_are_refused_wherever_they_are_asked_for() {
        for parameters in [
            [("user", "a"), ("replication", "database")],
            [("user", "a"), ("replication", "true")],
            [("user", "a"), ("options", "-c replication=database")],
            [("user", "a"), ("client_encoding", "SJIS")],
            [("user", "a"), ("options", "--client-encoding=SJIS")],
            [("user", "a"), ("options", "-c CLIENT_ENCODING=win1252")],
        ] {
            assert_eq!(wanted(&parameters).unwrap_err().sqlstate, "0A000", "{parameters:?}");
        }
        assert!(wanted(&[("user", "a"), ("replication", "off")]).is_ok());
        for harmless in ["'UTF8'", "SQL_ASCII"] {
            assert!(wanted(&[("user", "a"), ("client_encoding", harmless)]).is_ok());
        }
    }

    #[test]
    fn other_switches_are_refused() {
        for options in ["-f", "-d 5", "-c", "-c x", "--x", "-c =1", "--=1", "x", "-W 60", "-e -c a=b", "-"] {
            let error = read(&StartupMessage {
                minor: 0,
                parameters: vec![("user", "a"), ("options", options)],
                options: Vec::new(),
            });
            assert_eq!(error.unwrap_err().sqlstate, "42601", "{options}");
        }
    }

    proptest! {
        #[test]
        fn any_value_survives_escaping(value in "[^\0]{0,30}") {
            let escaped: String = value.chars().flat_map(|c| ['\\', c]).collect();
            let settings = parse_options(&format!("-c a={escaped}"));
            prop_assert_eq!(settings.unwrap(), vec![("a".to_owned(), value)]);
        }

        #[test]
        fn garbage_never_panics(options in "[^\0]{0,60}") {
            let _ = parse_options(&options);
        }
    }
}
