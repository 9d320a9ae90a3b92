//! Refusals and notices in PostgreSQL's own words. Every text comes from the gate's allow-list.

use gate::{Refusal, RefusalKind};

use crate::wire::{Report, encode};

/// The SQLSTATE of a refusal.
pub(crate) const fn sqlstate(kind: RefusalKind) -> &'static str {
    match kind {
        RefusalKind::Denied
        | RefusalKind::NotCovered
        | RefusalKind::ApprovalDenied
        | RefusalKind::ApprovalExpired
        | RefusalKind::ApprovalStale
        | RefusalKind::ConnectDenied
        | RefusalKind::ConnectHeld
        | RefusalKind::Setting => "42501",
        RefusalKind::NotUnderstood | RefusalKind::Unmask => "42601",
        RefusalKind::ApprovalCancelled => "57014",
        RefusalKind::ApprovalAway | RefusalKind::Unavailable => "57P03",
        RefusalKind::Limit => "53400",
        RefusalKind::Identity(_) => "28P01",
        RefusalKind::UnknownTarget => "3D000",
        RefusalKind::UnknownRole => "28000",
        RefusalKind::Ended => "57P01",
        RefusalKind::Unsupported => "0A000",
        RefusalKind::Malformed => "08P01",
    }
}

/// Appends a refusal as an ErrorResponse; `fatal` when the connection closes after it.
pub(crate) fn refuse(out: &mut Vec<u8>, refusal: &Refusal, fatal: bool) {
    let message = format!("sallyport: {}", refusal.headline());
    let detail = refusal.detail();
    let hint = refusal.hint();
    encode::error(
        out,
        &Report {
            severity: if fatal { "FATAL" } else { "ERROR" },
            sqlstate: sqlstate(refusal.kind),
            message: &message,
            detail: Some(&detail),
            hint: Some(&hint),
            position: None,
        },
    );
}

/// Appends an error that a server would have given: unknown statements and portals, text that is not UTF-8.
pub(crate) fn error(out: &mut Vec<u8>, sqlstate: &str, message: &str) {
    encode::error(out, &Report { severity: "ERROR", sqlstate, message, detail: None, hint: None, position: None });
}

/// Appends an error after which the connection closes, with one of the gateway's own texts.
pub(crate) fn fatal(out: &mut Vec<u8>, sqlstate: &str, message: &str) {
    encode::error(out, &Report { severity: "FATAL", sqlstate, message, detail: None, hint: None, position: None });
}

/// Appends the notice that a command waits.
pub(crate) fn held(out: &mut Vec<u8>, id: &str, link: &str, seconds: i64) {
    let message = format!("sallyport: this command waits for approval {id}, at most {seconds} s");
    let detail = format!("Look at it and answer: {link}");
    encode::notice(
        out,
        &Report {
            severity: "NOTICE",
            sqlstate: "01000",
            message: &message,
            detail: Some(&detail),
            hint: Some("The command goes on by itself once approved; cancel it to stop waiting."),
            position: None,
        },
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::ReportFields;

    #[test]
    fn a_refusal_names_rule_request_and_what_to_do() {
        let mut refusal = Refusal::of(RefusalKind::Denied).because("destroy on public.orders");
        refusal.rules = vec!["never".to_owned()];
        refusal.message = Some("Ask in #dba.".to_owned());
        let mut out = Vec::new();
        refuse(&mut out, &refusal, false);
        let fields = ReportFields::parse(out.get(5..).unwrap()).unwrap();
        assert_eq!(fields.sqlstate(), Some("42501"));
        let text = |kind| fields.field(kind).unwrap().lossy().into_owned();
        assert_eq!(text(b'M'), "sallyport: denied by policy: rule \"never\"");
        assert!(text(b'D').starts_with("SP-DENIED; rules: never"));
        assert_eq!(text(b'H'), "Ask in #dba.");
    }
}
