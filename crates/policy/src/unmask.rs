//! Masked columns that one command asks to see in clear: whether policy lets a person grant it, and who.

use model::{ApprovalTerms, ColumnRef, MaskRule, Outcome, Unmask, Verdict};

use crate::decide::terms::{Combined, combine};
use crate::pattern::covers;

/// A column that a command asks for in clear, with the masks that hide it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lifted {
    /// The column.
    pub column: ColumnRef,
    /// Names of the masks, sorted; never empty.
    pub masks: Vec<String>,
}

/// What would be lifted if the command ran as it asks: the columns that some mask hides under any of their names.
#[must_use]
pub fn lifted(masks: &[MaskRule], asked: &[Unmask]) -> Vec<Lifted> {
    let mut found: Vec<Lifted> = Vec::new();
    for one in asked {
        let mut names: Vec<String> =
            masks.iter().filter(|mask| hides(mask, one)).map(|mask| mask.name.clone()).collect();
        names.sort_unstable();
        let lifted = Lifted { column: one.column.clone(), masks: names };
        if !lifted.masks.is_empty() && !found.contains(&lifted) {
            found.push(lifted);
        }
    }
    found
}

/// What becomes of a verdict that did not look at what is asked for in clear. It is held where every mask of every such column says who
/// may lift it, denied where one does not, and stays as it is where no mask hides anything of it.
#[must_use]
pub fn raise(masks: &[MaskRule], asked: &[Unmask], verdict: Verdict) -> Verdict {
    let lifted = if verdict.outcome == Outcome::Deny { Vec::new() } else { lifted(masks, asked) };
    if lifted.is_empty() {
        return verdict;
    }
    let meant: Vec<&MaskRule> =
        masks.iter().filter(|mask| lifted.iter().any(|one| one.masks.contains(&mask.name))).collect();
    let firm: Vec<&MaskRule> = meant.iter().copied().filter(|mask| mask.unmask.is_none()).collect();
    if !firm.is_empty() {
        let reasons = lifted.iter().flat_map(|one| firm_words(one, &firm)).collect();
        return deny(verdict, firm.iter().map(|mask| mask.name.clone()), reasons);
    }
    let held = verdict.approval.as_ref().map(|terms| (verdict.rules.first().map_or("", String::as_str), terms));
    let granting = meant.iter().filter_map(|mask| Some((mask.name.as_str(), mask.unmask.as_ref()?)));
    let words = lifted.iter().map(shows);
    match combine(held.into_iter().chain(granting)) {
        // Every mask that is meant has terms: there is something to combine.
        Combined::Nothing => deny(verdict, meant.iter().map(|mask| mask.name.clone()), words.collect()),
        Combined::Terms(terms) => hold(verdict, &meant, terms, words),
        Combined::Clash(one, other) => {
            let clash = format!("\"{one}\" and \"{other}\" both want an approval and have too few approvers in common");
            let names: Vec<String> = verdict.rules.iter().filter(|_| verdict.approval.is_some()).cloned().collect();
            let names = names.into_iter().chain(meant.iter().map(|mask| mask.name.clone()));
            deny(verdict, names, words.chain([clash]).collect())
        }
    }
}

fn hold(verdict: Verdict, meant: &[&MaskRule], terms: ApprovalTerms, words: impl Iterator<Item = String>) -> Verdict {
    // Rules that allow do not decide about what waits.
    let mut rules = if verdict.outcome == Outcome::Hold { verdict.rules } else { Vec::new() };
    rules.extend(meant.iter().map(|mask| mask.name.clone()));
    sort(&mut rules);
    // What is shown comes first: it is what the approver is asked.
    let reasons = words.chain(verdict.reasons).collect();
    Verdict { outcome: Outcome::Hold, rules, reasons, approval: Some(terms), ..verdict }
}

fn deny(verdict: Verdict, rules: impl Iterator<Item = String>, reasons: Vec<String>) -> Verdict {
    let mut rules: Vec<String> = rules.collect();
    sort(&mut rules);
    Verdict { outcome: Outcome::Deny, rules, message: None, reasons, approval: None, ..verdict }
}

fn sort(names: &mut Vec<String>) {
    names.sort_unstable();
    names.dedup();
}

fn hides(mask: &MaskRule, asked: &Unmask) -> bool {
    asked.all_names().any(|name| covers(mask, name))
}

fn shows(one: &Lifted) -> String {
    format!("shows {} in clear, masked by \"{}\"", one.column, one.masks.join("\" and \""))
}

fn firm_words(one: &Lifted, firm: &[&MaskRule]) -> Vec<String> {
    let firm = firm.iter().filter(|mask| one.masks.contains(&mask.name));
    firm.map(|mask| {
        format!("{} cannot be shown in clear: \"{}\" has no `unmask:`; do not ask for it", one.column, mask.name)
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use model::{MaskStyle, Notifications, Predicates, RecordLevel};

    use super::*;

    fn terms(groups: &[&str], quorum: u32, expires_seconds: u64) -> ApprovalTerms {
        let groups = groups.iter().map(|&group| group.to_owned()).collect();
        ApprovalTerms { groups, quorum, expires_seconds, ..ApprovalTerms::default() }
    }

    fn mask(name: &str, columns: &[&str], unmask: Option<ApprovalTerms>) -> MaskRule {
        MaskRule {
            name: name.to_owned(),
            columns: columns.iter().map(|&column| column.to_owned()).collect(),
            detect: Vec::new(),
            style: MaskStyle::Redact,
            predicates: Predicates::Allow,
            notifications: Notifications::Withhold,
            aggregates: model::Aggregates::Mask,
            unmask,
        }
    }

    fn column(text: &str) -> ColumnRef {
        let (relation, column) = text.rsplit_once('.').unwrap();
        ColumnRef { relation: relation.to_owned(), column: column.to_owned() }
    }

    fn verdict(outcome: Outcome, rule: &str, approval: Option<ApprovalTerms>) -> Verdict {
        Verdict {
            outcome,
            rules: vec![rule.to_owned()],
            message: None,
            reasons: Vec::new(),
            approval,
            shadow: Vec::new(),
            record: RecordLevel::Head,
            cacheable: true,
        }
    }

    fn allowed() -> Verdict {
        verdict(Outcome::Allow, "reads", None)
    }

    #[test]
    fn a_mask_says_who_lifts_it_and_another_that_nobody_does() {
        let pii = mask("pii", &["public.customers.email"], Some(terms(&["dba"], 1, 900)));
        let all = mask("all", &["*.ssn", "public.vip.*"], None);
        let masks = [all, pii];
        let email: Unmask = column("public.customers.email").into();
        let held = raise(&masks, std::slice::from_ref(&email), allowed());
        assert_eq!((held.outcome, held.rules.as_slice()), (Outcome::Hold, ["pii".to_owned()].as_slice()));
        assert_eq!(held.reasons, ["shows public.customers.email in clear, masked by \"pii\""]);
        assert_eq!(held.approval, Some(terms(&["dba"], 1, 900)));
        let ssn = [email.clone(), column("public.customers.ssn").into()];
        let denied = raise(&masks, &ssn, allowed());
        assert_eq!((denied.outcome, denied.rules.as_slice()), (Outcome::Deny, ["all".to_owned()].as_slice()));
        assert_eq!(
            denied.reasons,
            ["public.customers.ssn cannot be shown in clear: \"all\" has no `unmask:`; do not ask for it"]
        );
        // Another name of the same value counts.
        let too = Unmask { names: vec![column("public.vip.mail")], ..email };
        assert_eq!(raise(&masks, &[too], allowed()).outcome, Outcome::Deny);
        let plain = raise(&masks, &[column("public.customers.name").into()], allowed());
        assert_eq!(plain, allowed());
    }

    #[test]
    fn all_masks_of_a_column_and_the_rules_have_their_say() {
        let masks = [
            mask("a", &["*.email"], Some(terms(&["dba", "dpo"], 1, 900))),
            mask("b", &["public.customers.*"], Some(terms(&["dpo"], 2, 60))),
        ];
        let email = [column("public.customers.email").into()];
        let held = raise(&masks, &email, allowed());
        assert_eq!((held.rules.len(), held.approval), (2, Some(terms(&["dpo"], 2, 60))));
        assert_eq!(held.reasons, ["shows public.customers.email in clear, masked by \"a\" and \"b\""]);
        let rule = verdict(Outcome::Hold, "deletes", Some(terms(&["dpo", "ops"], 1, 30)));
        let both = raise(&masks, &email, rule);
        assert_eq!((both.rules.len(), both.approval), (3, Some(terms(&["dpo"], 2, 30))));
        let rule = verdict(Outcome::Hold, "deletes", Some(terms(&["ops"], 1, 30)));
        let clash = raise(&masks, &email, rule);
        assert_eq!((clash.outcome, clash.rules.len(), clash.approval), (Outcome::Deny, 3, None));
        assert!(clash.reasons.last().unwrap().contains("too few approvers in common"), "{:?}", clash.reasons);
        let denied = verdict(Outcome::Deny, "never", None);
        assert_eq!(raise(&masks, &email, denied.clone()), denied);
    }
}
