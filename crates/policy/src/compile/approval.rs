//! Who may approve, how many, and for how long one may wait.

use model::ApprovalTerms;

use super::Compiler;
use crate::decide::terms::is_attainable;
use crate::syntax::values::At;
use crate::syntax::{RawApproval, RawPreview, RawReason};

/// Where `expires` is absent.
const DEFAULT_EXPIRES_SECONDS: u64 = 15 * 60;

/// The longest life of a request; what nobody answered in a month nobody remembers.
const MAX_EXPIRES_SECONDS: u64 = 30 * 24 * 60 * 60;

/// The largest quorum.
const MAX_QUORUM: u32 = 20;

impl Compiler<'_, '_> {
    /// What stands under `key`.
    pub(crate) fn approval(&mut self, raw: &At<RawApproval>, key: &str) -> Option<ApprovalTerms> {
        let At { value: raw, place } = raw;
        let by = &raw.by;
        let list = |names: Option<Vec<String>>| {
            let mut names = names.unwrap_or_default();
            names.sort_unstable();
            names.dedup();
            names
        };
        let users = list(self.names(by.place, &format!("{key}.by.users"), by.value.users.as_deref()));
        let groups = list(self.names(by.place, &format!("{key}.by.groups"), by.value.groups.as_deref()));
        let quorum = raw.quorum.as_ref().map_or(1, |quorum| quorum.value);
        let expires_seconds = match &raw.expires {
            Some(expires) => self.check(expires.place, duration(&expires.value))?,
            None => DEFAULT_EXPIRES_SECONDS,
        };
        let terms = ApprovalTerms {
            users,
            groups,
            quorum,
            expires_seconds,
            reason_required: match raw.reason {
                RawReason::Required => true,
                RawReason::Optional => false,
            },
            dry_run: match raw.preview {
                RawPreview::DryRun => true,
                RawPreview::Estimate => false,
            },
        };
        let quorum_place = raw.quorum.as_ref().map_or(*place, |quorum| quorum.place);
        if terms.users.is_empty() && terms.groups.is_empty() {
            self.fault(by.place, "nobody may approve: name users or groups in `by`");
        } else if quorum == 0 || quorum > MAX_QUORUM {
            self.fault(quorum_place, format!("`quorum` is from 1 to {MAX_QUORUM}"));
        } else if !is_attainable(&terms) {
            let count = terms.users.len();
            self.fault(
                quorum_place,
                format!("a quorum of {quorum} cannot be reached by {count} users: name more of them or a group"),
            );
        }
        Some(terms)
    }
}

/// Seconds of `90s`, `15m`, `4h`, `1d` and sums of them, `1h30m`.
pub(crate) fn duration(text: &str) -> Result<u64, String> {
    let wrong = || format!("`{}` is not a duration: write it as 90s, 15m, 4h or 1d", text.escape_debug());
    let mut total: u64 = 0;
    let mut number: Option<u64> = None;
    for letter in text.chars() {
        if let Some(digit) = letter.to_digit(10) {
            let so_far = number.unwrap_or(0).checked_mul(10);
            number = Some(so_far.and_then(|so_far| so_far.checked_add(u64::from(digit))).ok_or_else(wrong)?);
            continue;
        }
        let unit = match letter {
            's' => 1,
            'm' => 60,
            'h' => 60 * 60,
            'd' => 24 * 60 * 60,
            _ => return Err(wrong()),
        };
        let seconds = number.take().and_then(|count| count.checked_mul(unit));
        total = seconds.and_then(|seconds| total.checked_add(seconds)).ok_or_else(wrong)?;
    }
    if number.is_some() || text.is_empty() {
        return Err(wrong());
    }
    if !(1..=MAX_EXPIRES_SECONDS).contains(&total) {
        return Err(format!("`{}` is outside of 1s to {}d", text.escape_debug(), MAX_EXPIRES_SECONDS / 86_400));
    }
    Ok(total)
}

#[cfg(test)]
mod tests {
    use super::duration;

    #[test]
    fn durations() {
        for (text, seconds) in [("90s", 90), ("15m", 900), ("4h", 14_400), ("1d", 86_400), ("1h30m", 5400)] {
            assert_eq!(duration(text), Ok(seconds), "{text}");
        }
        for text in ["", "15", "m", "15 m", "-1m", "1.5h", "15min", "99999999999999999999s", "1h30"] {
            assert!(duration(text).unwrap_err().contains("not a duration"), "{text}");
        }
        for text in ["0s", "31d"] {
            assert!(duration(text).unwrap_err().contains("outside"), "{text}");
        }
    }
}
