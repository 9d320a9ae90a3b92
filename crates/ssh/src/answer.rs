//! Refusals and notices in SSH's words: lines on standard error, and the reasons of channels and connections. Every text comes from the
//! gate's allow-list.

use gate::Refusal;

/// The exit status of a program that was not allowed to begin, as shells have it for what cannot be executed.
pub(crate) const NOT_EXECUTED: u32 = 126;

/// A refusal as lines. A terminal in raw mode wants both characters of a line's end.
pub(crate) fn refusal(refusal: &Refusal, terminal: bool) -> String {
    lines(&[&refusal.headline(), &refusal.detail(), &refusal.hint()], terminal)
}

/// The notice that a command waits.
pub(crate) fn held(id: &str, link: &str, seconds: i64, terminal: bool) -> String {
    lines(
        &[
            &format!("this command waits for approval {id}, at most {seconds} s"),
            &format!("look at it and answer: {link}"),
            "it goes on by itself once approved; interrupt it to stop waiting",
        ],
        terminal,
    )
}

/// A refusal in one line, for where there is no more room.
pub(crate) fn short(refusal: &Refusal) -> String {
    format!("sallyport: {}; {}", refusal.headline(), refusal.detail())
}

fn lines(lines: &[&str], terminal: bool) -> String {
    let end = if terminal { "\r\n" } else { "\n" };
    lines.iter().filter(|line| !line.is_empty()).map(|line| format!("sallyport: {line}{end}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use gate::RefusalKind;

    #[test]
    fn a_refusal_names_rule_code_and_what_to_do() {
        let mut denied = Refusal::of(RefusalKind::Denied).because("delete on command:rm is denied by \"never\"");
        denied.rules = vec!["never".to_owned()];
        denied.message = Some("Ask in #ops.".to_owned());
        let said = refusal(&denied, false);
        assert_eq!(
            said,
            "sallyport: denied by policy: rule \"never\"\nsallyport: SP-DENIED; rules: never; delete on command:rm is denied by \"never\"\nsallyport: Ask in #ops.\n"
        );
        assert!(refusal(&denied, true).ends_with("#ops.\r\n"));
    }
}
