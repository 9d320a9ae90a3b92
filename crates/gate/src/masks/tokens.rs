//! Tokens that a client sends back: where the value may stand in their place.

use mask::{Format, Masker, ValueType};
use model::{ColumnRef, Effect, Intent, MaskStyle, Predicates};
use policy::covers;

use super::SessionMasks;

impl SessionMasks {
    /// Whether some column is masked with tokens.
    pub(crate) fn has_tokens(&self) -> bool {
        self.rules.iter().any(|rule| rule.style == MaskStyle::Token && !rule.columns.is_empty())
    }

    /// The value that a token of this column stands for. `None` where the column is not shown as tokens under each of its names, or where
    /// asking whether it equals something is not simply permitted.
    pub(crate) fn restore(
        &self,
        column: &ColumnRef,
        names: &[ColumnRef],
        masker: &Masker,
        ty: ValueType,
        format: Format,
        token: &[u8],
    ) -> Option<Vec<u8>> {
        let mut shown = None;
        for rule in &self.rules {
            if !names.iter().chain([column]).any(|name| covers(rule, name)) {
                continue;
            }
            match rule.predicates {
                Predicates::Allow | Predicates::Equality => {}
                Predicates::Hold | Predicates::Deny => return None,
            }
            shown = shown.max(Some(rule.style));
        }
        if shown != Some(MaskStyle::Token) {
            return None;
        }
        masker.restore(&column.column, ty, format, token)
    }
}

/// Whether nothing in the command could show its own words, or keep them: values may stand in them.
pub(crate) fn keeps_values(intent: &Intent) -> bool {
    let calm = intent.actions.iter().all(|action| match action.effect {
        Effect::Connect | Effect::Session | Effect::Read | Effect::Write | Effect::Delete => true,
        Effect::Create
        | Effect::Alter
        | Effect::Destroy
        | Effect::Grant
        | Effect::Admin
        | Effect::Execute
        | Effect::Export
        | Effect::Import
        | Effect::Tunnel
        | Effect::Unknown => false,
    });
    calm && !intent.reads_unknown && !intent.moves_unknown
}

#[cfg(test)]
mod tests {
    use mask::MaskKey;
    use model::{Action, Aggregates, MaskRule, Notifications, Object};

    use super::*;

    fn rule(column: &str, style: MaskStyle, predicates: Predicates) -> MaskRule {
        MaskRule {
            name: "m".to_owned(),
            columns: vec![column.to_owned()],
            detect: Vec::new(),
            style,
            predicates,
            notifications: Notifications::Withhold,
            aggregates: Aggregates::Mask,
            unmask: None,
        }
    }

    fn restored(rules: Vec<MaskRule>) -> bool {
        let masker = Masker::new(&MaskKey::new([7; 32]));
        let column = |relation: &str, column: &str| ColumnRef { relation: relation.into(), column: column.into() };
        let (email, contact) = (column("public.customers", "email"), column("public.v", "contact"));
        let mut token = Vec::new();
        let _bytes = masker.whole_text(mask::Style::Token, "email", b"a@b.c", &mut token);
        let masks = SessionMasks::new(rules);
        let names = [email.clone(), contact];
        masks.restore(&email, &names, &masker, ValueType::Text, Format::Text, &token).as_deref() == Some(b"a@b.c")
    }

    #[test]
    fn only_where_the_column_is_shown_as_tokens_and_may_be_compared() {
        use MaskStyle::{Hash, Partial, Token};
        use Predicates::{Allow, Deny, Equality, Hold};
        assert!(restored(vec![rule("public.customers.email", Token, Equality)]));
        assert!(restored(vec![rule("*.email", Token, Allow), rule("public.customers.email", Partial, Equality)]));
        for rules in [
            vec![],
            vec![rule("public.customers.name", Token, Equality)],
            vec![rule("public.customers.email", Token, Deny)],
            vec![rule("public.customers.email", Token, Hold)],
            vec![rule("public.customers.email", Hash, Equality)],
            vec![rule("public.customers.email", Token, Equality), rule("public.v.contact", Hash, Equality)],
            vec![rule("public.customers.email", Token, Equality), rule("public.v.*", Partial, Deny)],
        ] {
            assert!(!restored(rules.clone()), "{rules:?}");
        }
    }

    #[test]
    fn nothing_of_unknown_effect_gets_values() {
        let read = Intent::simple(1, "SELECT", Action::on(Effect::Read, Object::relation("public", "customers")));
        assert!(keeps_values(&read));
        let mut echoing = read.clone();
        echoing.reads_unknown = true;
        assert!(!keeps_values(&echoing));
        for effect in [Effect::Execute, Effect::Unknown, Effect::Create, Effect::Export] {
            let mut more = read.clone();
            more.actions.push(Action::bare(effect));
            assert!(!keeps_values(&more), "{effect}");
        }
    }
}
