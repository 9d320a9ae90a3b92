//! What an error's or a notice's text may still say to a client for whom columns are masked.

use model::{Effect, Intent};

use super::Relay;
use super::tokens::may_have_moved;
use crate::wire::ReportFields;
use crate::wire::encode;

/// Fields whose texts the server makes of data or of code's own words: message, detail, hint, context, internal query.
const MESSAGE: u8 = b'M';
const POSITION: u8 = b'P';
const SPOKEN: [u8; 4] = [b'D', b'H', b'W', b'q'];

impl Relay {
    /// The report as the client may see it, and its message alone for the recording.
    pub(super) fn shown(
        &self,
        tag: u8,
        fields: &ReportFields<'_>,
        intent: Option<&Intent>,
        words: Option<&str>,
    ) -> (Vec<u8>, String) {
        let message = fields.field(MESSAGE).unwrap_or_default().lossy().into_owned();
        let echo = is_literal(&message, words)
            || intent.is_some_and(|intent| echoes(fields.sqlstate(), &message, intent, words));
        let fixed = is_fixed(fields.sqlstate(), &message);
        let safe = echo || fixed;
        let withheld = !safe && self.session.withholds(intent);
        let shown = self.session.scrub(&message, withheld).into_owned();
        let moved = self.session.masks_apply() && words.is_some_and(may_have_moved);
        let mut kept: Vec<(u8, Vec<u8>)> = Vec::new();
        for (kind, text) in fields.fields() {
            if kind == POSITION && moved {
                continue;
            }
            if kind == MESSAGE {
                kept.push((kind, shown.clone().into_bytes()));
            } else if SPOKEN.contains(&kind) {
                // Beside a safe message the others may still speak of data; the hint of a misspelt name does not.
                let spare = withheld || (safe && self.session.withholds(intent) && !(echo && kind == b'H'));
                if !spare {
                    let text = text.lossy();
                    kept.push((kind, self.session.scrub(&text, false).as_bytes().to_vec()));
                }
            } else {
                kept.push((kind, text.0.to_vec()));
            }
        }
        let mut out = Vec::new();
        encode::report_of(&mut out, tag, kept.iter().map(|(kind, text)| (*kind, text.as_slice())));
        (out, shown)
    }
}

/// Whether a report only repeats the client's own words: one of syntax or names (class 42) or a remark, no code of unknown effect ran, and whatever
/// it quotes stands in the client's text. `'…'::regclass` of a masked value is of class 42 too, but quotes what the client did not write.
fn echoes(sqlstate: Option<&str>, message: &str, intent: &Intent, words: Option<&str>) -> bool {
    // 00000 is the server's own remark: `table "t" does not exist, skipping`.
    let class = sqlstate.is_some_and(|code| code.starts_with("42") || code == "00000");
    let code = intent.actions.iter().any(|action| match action.effect {
        Effect::Execute | Effect::Unknown | Effect::Export | Effect::Import | Effect::Admin => true,
        Effect::Connect
        | Effect::Session
        | Effect::Read
        | Effect::Write
        | Effect::Delete
        | Effect::Create
        | Effect::Alter
        | Effect::Destroy
        | Effect::Grant
        | Effect::Tunnel => false,
    });
    let Some(words) = words else { return false };
    class && !code && !words.contains("regclass") && quoted(message).all(|part| words.contains(part))
}

/// Messages of the server itself that are the same whatever the data.
const FIXED: [(&str, &str); 15] = [
    ("57014", "canceling statement due to user request"),
    ("57014", "canceling statement due to statement timeout"),
    ("55P03", "canceling statement due to lock timeout"),
    ("25P02", "current transaction is aborted, commands ignored until end of transaction block"),
    ("25P01", "there is no transaction in progress"),
    ("25001", "there is already a transaction in progress"),
    ("25P03", "terminating connection due to idle-in-transaction timeout"),
    ("57P01", "terminating connection due to administrator command"),
    ("57P05", "terminating connection due to idle-session timeout"),
    ("40001", "could not serialize access due to concurrent update"),
    ("40001", "could not serialize access due to concurrent delete"),
    ("40001", "could not serialize access due to read/write dependencies among transactions"),
    ("40P01", "deadlock detected"),
    ("22012", "division by zero"),
    ("0A000", "cached plan must not change result type"),
];

/// Whether the message is one that tells nothing of data, to the letter.
fn is_fixed(sqlstate: Option<&str>, message: &str) -> bool {
    FIXED.iter().any(|(code, text)| sqlstate == Some(code) && *text == message)
}

/// Whether the message is, to the letter, a constant that the client itself wrote: `RAISE NOTICE 'done'`. Code that picks one of its own
/// constants by what it has read tells no more than code that fails or does not.
fn is_literal(message: &str, words: Option<&str>) -> bool {
    words.is_some_and(|words| !message.contains('\'') && words.contains(&format!("'{message}'")))
}

/// What stands between double quotes. An unpaired quote counts up to the end.
fn quoted(message: &str) -> impl Iterator<Item = &str> {
    message.split('"').skip(1).step_by(2)
}

#[cfg(test)]
mod tests {
    use model::{Action, Object};

    use super::*;

    fn read() -> Intent {
        Intent::simple(1, "SELECT", Action::on(Effect::Read, Object::relation("public", "customers")))
    }

    #[test]
    fn constants_of_the_client_and_fixed_texts_pass() {
        let sql = Some("DO $$ BEGIN RAISE NOTICE 'done'; END $$");
        assert!(is_literal("done", sql));
        assert!(!is_literal("don", sql) && !is_literal("done", None) && !is_literal("x'; RAISE NOTICE 'done", sql));
        assert!(is_fixed(Some("57014"), "canceling statement due to user request"));
        assert!(!is_fixed(Some("57014"), "canceling statement due to alice@example.com"));
        assert!(!is_fixed(Some("P0001"), "division by zero"));
    }

    #[test]
    fn only_the_clients_own_words_pass() {
        let sql = Some("SELECT nam FROM customers");
        assert!(echoes(Some("42703"), "column \"nam\" does not exist", &read(), sql));
        assert!(!echoes(Some("42P01"), "relation \"alice@example.com\" does not exist", &read(), sql));
        let sql_drop = Some("DROP TABLE IF EXISTS nam");
        assert!(echoes(Some("00000"), "table \"nam\" does not exist, skipping", &read(), sql_drop));
        assert!(!echoes(Some("00000"), "table \"x\" does not exist, skipping", &read(), sql_drop));
        assert!(!echoes(Some("22P02"), "invalid input: \"nam\"", &read(), sql));
        assert!(!echoes(Some("42703"), "column \"nam\" does not exist", &read(), None));
        let mut code = read();
        code.actions.push(Action::bare(Effect::Execute));
        assert!(!echoes(Some("42703"), "x", &code, sql));
    }
}
