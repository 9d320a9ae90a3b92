//! What holds for all policies and requests.

use model::{Action, Effect, Flags, Object, ObjectKind, Outcome, Predicate};
use proptest::prelude::*;
use sallyport_policy::{Policy, Source, cases};

use crate::kit::{Asked, policy};

/// One rule, as plain data from which both the text and the expectation follow.
#[derive(Clone, Debug)]
struct Plain {
    agents: Option<bool>,
    effects: Vec<Effect>,
    objects: Option<Vec<&'static str>>,
    unbounded: Option<bool>,
    in_transaction: Option<bool>,
    day: Option<bool>,
    when: Option<&'static str>,
    then: &'static str,
    shadow: bool,
}

const PATTERNS: [&str; 6] = ["*", "public.*", "public.a", "*.a", "function:*", "relation:public.b"];

const WHENS: [&str; 5] = [
    "identity.claims.team == 'shop'",
    "identity.claims.absent == 1",
    "'delete' in command.effects",
    "command.in_transaction",
    "timestamp(now).getHours() < 12",
];

impl Plain {
    fn text(&self, name: &str) -> String {
        let mut text = format!("  - name: {name}\n");
        text.push_str(match self.agents {
            None => "    who: any\n",
            Some(true) => "    who: { kinds: [agent] }\n",
            Some(false) => "    who: { kinds: [human] }\n",
        });
        let effects: Vec<&str> = self.effects.iter().map(|effect| effect.as_str()).collect();
        text.push_str(&format!("    do: [{}]\n", effects.join(", ")));
        if let Some(objects) = &self.objects {
            text.push_str(&format!("    objects: {objects:?}\n"));
        }
        let mut conditions = Vec::new();
        conditions.extend(self.unbounded.map(|value| format!("unbounded: {value}")));
        conditions.extend(self.in_transaction.map(|value| format!("in_transaction: {value}")));
        conditions.extend(self.day.map(|day| {
            let hours = if day { "06:00-18:00" } else { "18:00-06:00" };
            format!("hours: '{hours} UTC'")
        }));
        if !conditions.is_empty() {
            text.push_str(&format!("    if: {{ {} }}\n", conditions.join(", ")));
        }
        if let Some(when) = self.when {
            text.push_str(&format!("    when: \"{when}\"\n"));
        }
        text.push_str(&format!("    then: {}\n", self.then));
        if self.then == "approve" {
            text.push_str("    approval: { by: { groups: [dba] } }\n");
        }
        if self.shadow {
            text.push_str("    mode: shadow\n");
        }
        text
    }

    /// `??.` may be anything; `?.a` only what some schema has under the name `a`.
    fn may_mean(&self, object: &Object) -> bool {
        let mut patterns = self.objects.iter().flatten();
        object.name.starts_with("??.")
            || patterns.any(|pattern| {
                matches!(*pattern, "public.a" | "*.a" | "*")
                    || *pattern == "function:*" && object.kind == ObjectKind::Function
            })
    }

    /// An approval of what the action may mean: the rest of the rule applies as if it had no objects.
    fn doubts(&self, action: &Action, asked: &Asked) -> bool {
        let Some(object) = &action.object else { return false };
        let rest = Self { objects: None, ..self.clone() };
        self.objects.is_some() && object.name.starts_with('?') && self.may_mean(object) && rest.matches(action, asked)
    }

    /// The documented meaning, written down once more, without any of the code under test.
    fn matches(&self, action: &Action, asked: &Asked) -> bool {
        let deny = self.then == "deny";
        let object = match (&self.objects, &action.object) {
            (None, _) => true,
            (Some(_), None) => !deny,
            (Some(patterns), Some(object)) if object.name.starts_with('?') => {
                patterns.contains(&"*") || deny && self.may_mean(object)
            }
            (Some(patterns), Some(object)) => patterns.iter().any(|pattern| match *pattern {
                "*" => true,
                "public.*" => object.name.starts_with("public."),
                "public.a" => object.name == "public.a",
                "*.a" => object.name.ends_with(".a"),
                "function:*" => object.kind == ObjectKind::Function,
                "relation:public.b" => object.kind == ObjectKind::Relation && object.name == "public.b",
                other => panic!("{other}"),
            }),
        };
        let hour = asked.now.to_zoned(jiff::tz::TimeZone::UTC).hour();
        let when = match self.when {
            None => true,
            Some("identity.claims.team == 'shop'") => true,
            Some("identity.claims.absent == 1") => deny,
            Some("'delete' in command.effects") => asked.actions.iter().any(|action| action.effect == Effect::Delete),
            Some("command.in_transaction") => asked.in_transaction,
            Some("timestamp(now).getHours() < 12") => hour < 12,
            Some(other) => panic!("{other}"),
        };
        self.agents != Some(false)
            && self.effects.contains(&action.effect)
            && object
            && self.unbounded.is_none_or(|value| value == asked.flags.unbounded)
            && self.in_transaction.is_none_or(|value| value == asked.in_transaction)
            && self.day.is_none_or(|day| day == (6..18).contains(&hour))
            && when
    }
}

fn expected(rules: &[Plain], asked: &Asked) -> Outcome {
    let any = |action: &Action, then: &str| {
        rules.iter().any(|rule| !rule.shadow && rule.then == then && rule.matches(action, asked))
    };
    let doubted = |action: &Action| {
        let mut rules = rules.iter().filter(|rule| !rule.shadow && rule.then == "approve");
        rules.any(|rule| rule.doubts(action, asked))
    };
    let denied = |action: &Action| any(action, "deny") || !(any(action, "allow") || any(action, "approve"));
    if asked.actions.is_empty() || asked.actions.iter().any(denied) {
        Outcome::Deny
    } else if asked.actions.iter().any(|action| any(action, "approve") || doubted(action)) {
        Outcome::Hold
    } else {
        Outcome::Allow
    }
}

fn text(rules: &[Plain]) -> String {
    if rules.is_empty() {
        return "rules:\n  - { name: other, who: { users: [nobody] }, do: any, then: allow }\n".to_owned();
    }
    let rules = rules.iter().enumerate().map(|(number, rule)| rule.text(&format!("r{number}")));
    format!("rules:\n{}", rules.collect::<String>())
}

fn effect() -> impl Strategy<Value = Effect> {
    // Few, so that rules and actions meet.
    prop::sample::select(vec![Effect::Read, Effect::Write, Effect::Delete, Effect::Unknown])
}

fn rule() -> impl Strategy<Value = Plain> {
    let objects = prop::option::of(prop::sample::subsequence(PATTERNS.to_vec(), 1..4));
    (
        prop::option::weighted(0.3, any::<bool>()),
        prop::collection::vec(effect(), 1..4),
        objects,
        (prop::option::weighted(0.2, any::<bool>()), prop::option::weighted(0.2, any::<bool>())),
        prop::option::weighted(0.2, any::<bool>()),
        prop::option::weighted(0.3, prop::sample::select(WHENS.to_vec())),
        prop::sample::select(vec!["allow", "allow", "allow", "approve", "deny"]),
        prop::bool::weighted(0.15),
    )
        .prop_map(|(agents, effects, objects, (unbounded, in_transaction), day, when, then, shadow)| Plain {
            agents,
            effects,
            objects,
            unbounded,
            in_transaction,
            day,
            when,
            then,
            shadow,
        })
}

fn rules() -> impl Strategy<Value = Vec<Plain>> {
    prop::collection::vec(rule(), 0..7)
}

fn action() -> impl Strategy<Value = Action> {
    let names = ["public.a", "public.b", "other.a", "?.a", "??.a", "public.f"];
    (effect(), prop::option::weighted(0.85, (any::<bool>(), prop::sample::select(names.to_vec())))).prop_map(
        |(effect, object)| Action {
            effect,
            object: object.map(|(function, name)| {
                let kind = if function { ObjectKind::Function } else { ObjectKind::Relation };
                Object::new(kind, name)
            }),
        },
    )
}

fn asked() -> impl Strategy<Value = Asked> {
    (prop::collection::vec(action(), 0..4), any::<bool>(), any::<bool>(), 0..24_i64).prop_map(
        |(actions, unbounded, in_transaction, hour)| Asked {
            actions,
            flags: Flags { unbounded, multi: false },
            in_transaction,
            now: jiff::Timestamp::from_second(1_768_435_200 + hour * 3600).unwrap(),
            ..Asked::default()
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn verdicts_are_what_the_documentation_says(rules in rules(), asked in asked()) {
        let verdict = asked.of(&policy(&text(&rules)));
        prop_assert_eq!(verdict.outcome, expected(&rules, &asked), "{}\n{:?}", text(&rules), asked.actions);
        prop_assert_eq!(verdict.approval.is_some(), verdict.outcome == Outcome::Hold);
        prop_assert_eq!(verdict.reasons.is_empty(), verdict.outcome == Outcome::Allow);
        // A shadow rule is reported exactly when enforcing it would change the outcome.
        for (number, rule) in rules.iter().enumerate().filter(|(_, rule)| rule.shadow) {
            let mut enforced = rules.clone();
            enforced[number] = Plain { shadow: false, ..rule.clone() };
            let would = expected(&enforced, &asked);
            let said = verdict.shadow.iter().find(|(name, _)| *name == format!("r{number}"));
            prop_assert_eq!(said.map(|(_, outcome)| *outcome), (would != verdict.outcome).then_some(would));
        }
    }

    #[test]
    fn the_order_of_rules_never_matters(rules in rules(), asked in asked(), turn in 0..7_usize) {
        prop_assume!(!rules.is_empty());
        let whole = policy(&text(&rules));
        let mut documents: Vec<String> = rules
            .iter()
            .enumerate()
            .map(|(number, rule)| format!("rules:\n{}", rule.text(&format!("r{number}"))))
            .collect();
        documents.reverse();
        let turn = turn % documents.len();
        documents.rotate_left(turn);
        let sources: Vec<Source<'_>> = documents.iter().map(|text| Source { name: "p.yaml", text }).collect();
        let parts = Policy::parse(&sources).unwrap();
        prop_assert_eq!(whole.version(), parts.version());
        prop_assert_eq!(asked.of(&whole), asked.of(&parts));
    }

    #[test]
    fn more_allows_never_harm_and_more_denials_never_help(rules in rules(), more in rule(), asked in asked()) {
        let before = asked.outcome(&policy(&text(&rules)));
        for then in ["allow", "deny"] {
            let mut rules = rules.clone();
            rules.push(Plain { then, shadow: false, ..more.clone() });
            let after = asked.outcome(&policy(&text(&rules)));
            if then == "allow" {
                prop_assert!(after <= before);
            } else {
                prop_assert!(after >= before);
            }
        }
        let denied = format!("{}  - {{ name: no, who: any, do: any, then: deny }}\n", text(&rules));
        prop_assert_eq!(asked.outcome(&policy(&denied)), Outcome::Deny);
    }

    #[test]
    fn what_may_be_cached_does_not_change(rules in rules(), asked in asked(), hour in 0..24_i64, in_transaction: bool) {
        let policy = policy(&text(&rules));
        let verdict = asked.of(&policy);
        if verdict.cacheable {
            let later = Asked {
                now: jiff::Timestamp::from_second(1_768_435_200 + hour * 3600).unwrap(),
                in_transaction,
                actions: asked.actions.clone(),
                flags: asked.flags,
                ..Asked::default()
            };
            prop_assert_eq!(later.of(&policy), verdict);
        }
    }

    #[test]
    fn explanations_agree_with_verdicts(rules in rules(), asked in asked()) {
        let policy = policy(&text(&rules));
        let (verdict, explanation) = (asked.of(&policy), policy.explain(&asked.request()));
        prop_assert_eq!(explanation.outcome, verdict.outcome);
        for (action, explained) in asked.actions.iter().zip(&explanation.actions) {
            for (number, rule) in rules.iter().enumerate() {
                let name = format!("r{number}");
                let said = explained.rules.iter().find(|said| said.rule == name).unwrap();
                let means = rule.matches(action, &asked) || rule.then == "approve" && rule.doubts(action, &asked);
                prop_assert_eq!(said.matched, means, "{} {:?}", rule.text("r"), said);
            }
        }
        prop_assert!(!explanation.to_string().is_empty());
        let _ = policy.lint(std::slice::from_ref(&asked.target));
    }

    #[test]
    fn no_text_makes_reading_panic(text in "\\PC{0,200}") {
        let _ = Policy::parse(&[Source { name: "p", text: &text }]);
        let _ = cases::parse(&[Source { name: "p", text: &text }]);
    }

    #[test]
    fn no_words_of_the_form_make_reading_panic(
        words in prop::collection::vec(prop::sample::select(vec![
            "rules:", "masks:", "limits:", "records:", "\n", "\n  ", "\n    ", "- ", "name: ", "who: ", "any", "do: ", "[", "]", "{", "}", ", ",
            "then: ", "allow", "approve", "deny", "objects: ", "'*'", "when: ", "identity.claims.x", " == ", "1", "if: ", "hours: ", "from: ",
            "08:00-18:00 UTC", "10.0.0.0/8", "approval: ", "by: ", "groups: ", "quorum: ", "&a ", "*a", "<<: ", "---\n", "!!str ", "|\n", "\"", "\u{0}", "\u{feff}",
        ]), 0..60)
    ) {
        let text = words.concat();
        if let Ok(policy) = Policy::parse(&[Source { name: "p", text: &text }]) {
            let _ = Asked::default().of(&policy);
        }
    }

    #[test]
    fn no_request_makes_a_decision_panic(
        names in prop::collection::vec(("\\PC{0,30}", 0..14_usize, 0..15_usize), 0..6),
        columns in prop::collection::vec(("\\PC{0,12}", "\\PC{0,8}"), 0..4),
        subject in "\\PC{0,20}",
        reads_unknown: bool,
        seconds in -100_000_000_000_i64..200_000_000_000,
    ) {
        let policy = policy(
            "rules:\n  - { name: a, who: { users: ['*'] }, do: any, objects: ['*a*', 'function:*'], when: \"command.objects.exists(o, o.contains(identity.subject)) || now.size() > 3\", if: { hours: 'Sat 22:00-06:00 Europe/Berlin' }, then: allow }\nmasks:\n  - { name: m, who: any, columns: ['*.e*'], with: token, predicates: deny }\n",
        );
        let mut asked = Asked {
            actions: names
                .iter()
                .map(|(name, kind, effect)| Action::on(Effect::ALL[*effect], Object::new(ObjectKind::ALL[*kind], name.as_str())))
                .collect(),
            predicates: columns
                .iter()
                .map(|(relation, column)| Predicate { relation: relation.clone(), column: column.clone(), equality: reads_unknown })
                .collect(),
            reads_unknown,
            now: jiff::Timestamp::from_second(seconds).unwrap(),
            ..Asked::default()
        };
        asked.identity.subject = subject;
        let _ = asked.of(&policy);
        let _ = policy.explain(&asked.request()).to_string();
    }
}
