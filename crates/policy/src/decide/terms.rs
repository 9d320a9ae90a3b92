//! Approvals of several rules as one: never wider than any of them.

use model::ApprovalTerms;

/// What several approvals come to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Combined {
    /// None is wanted.
    Nothing,
    /// One that satisfies all.
    Terms(ApprovalTerms),
    /// Nobody, or too few, could satisfy both of these.
    Clash(String, String),
}

/// The terms that satisfy every rule: the users and groups that all of them name, the largest quorum, the shortest
/// life, a reason if any wants one. A user who qualifies by name for one rule and by group for another is left out:
/// membership is not known here, and an approval may not count on it.
pub(crate) fn combine<'a>(terms: impl Iterator<Item = (&'a str, &'a ApprovalTerms)>) -> Combined {
    let mut named: Vec<(&str, &ApprovalTerms)> = terms.collect();
    named.sort_unstable_by_key(|(name, _)| *name);
    let mut rest = named.into_iter();
    let Some((first, start)) = rest.next() else {
        return Combined::Nothing;
    };
    let mut sum = start.clone();
    for (name, terms) in rest {
        sum.users.retain(|user| terms.users.contains(user));
        sum.groups.retain(|group| terms.groups.contains(group));
        sum.quorum = sum.quorum.max(terms.quorum);
        sum.expires_seconds = sum.expires_seconds.min(terms.expires_seconds);
        sum.reason_required |= terms.reason_required;
        // Running it beforehand, even undone, is for every rule to permit.
        sum.dry_run &= terms.dry_run;
        if !is_attainable(&sum) {
            return Combined::Clash(first.to_owned(), name.to_owned());
        }
    }
    Combined::Terms(sum)
}

/// Whether enough people could answer, as far as can be told without knowing who is in a group.
pub(crate) fn is_attainable(terms: &ApprovalTerms) -> bool {
    let quorum = usize::try_from(terms.quorum).unwrap_or(usize::MAX);
    !terms.groups.is_empty() || (!terms.users.is_empty() && terms.users.len() >= quorum)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn terms(
        users: &[&str],
        groups: &[&str],
        quorum: u32,
        expires_seconds: u64,
        reason_required: bool,
    ) -> ApprovalTerms {
        let own = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        ApprovalTerms {
            users: own(users),
            groups: own(groups),
            quorum,
            expires_seconds,
            reason_required,
            dry_run: false,
        }
    }

    #[test]
    fn the_strictest_of_all() {
        let one = terms(&["ann", "bob"], &["dba"], 1, 900, false);
        let two = terms(&["bob"], &["dba", "sec"], 2, 60, true);
        for order in [[("a", &one), ("b", &two)], [("b", &two), ("a", &one)]] {
            assert_eq!(combine(order.into_iter()), Combined::Terms(terms(&["bob"], &["dba"], 2, 60, true)));
        }
        assert_eq!(combine([("a", &one)].into_iter()), Combined::Terms(one.clone()));
        assert_eq!(combine(std::iter::empty()), Combined::Nothing);
    }

    #[test]
    fn nobody_in_common_is_a_clash() {
        let dba = terms(&[], &["dba"], 1, 900, false);
        let sec = terms(&[], &["sec"], 1, 900, false);
        let clash = Combined::Clash("a".to_owned(), "b".to_owned());
        assert_eq!(combine([("b", &sec), ("a", &dba)].into_iter()), clash);
        let one = terms(&["ann", "bob"], &[], 1, 900, false);
        let pair = terms(&["ann", "cyd"], &[], 2, 900, false);
        assert_eq!(combine([("a", &one), ("b", &pair)].into_iter()), clash);
    }
}
