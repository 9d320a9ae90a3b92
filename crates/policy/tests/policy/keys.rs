//! Every key of a rule, by tables of what it means and what not. A key narrows an allow and a deny alike, so each row
//! is tried as both.

use model::{Action, Effect, Flags, IdentityKind, Outcome};

use crate::kit::{Asked, agent, on, policy, read};

/// Tries a rule body as `allow` (alone) and as `deny` (against an allow of everything).
fn check(body: &str, asked: &Asked, matches: bool) {
    let allow = policy(&format!("rules: [{{ name: r, {body}, then: allow }}]"));
    let expected = if matches { Outcome::Allow } else { Outcome::Deny };
    assert_eq!(asked.outcome(&allow), expected, "allow: {body}");
    let deny =
        policy(&format!("rules: [{{ name: r, {body}, then: deny }}, {{ name: all, who: any, do: any, then: allow }}]"));
    let expected = if matches { Outcome::Deny } else { Outcome::Allow };
    assert_eq!(asked.outcome(&deny), expected, "deny: {body}");
}

#[test]
fn who() {
    let asked = Asked::default();
    for (who, matches) in [
        ("any", true),
        ("{ users: [agent-7] }", true),
        ("{ users: [agent-8, 'agent-*'] }", true),
        ("{ users: [Agent-7] }", false),
        ("{ users: [alice] }", false),
        ("{ groups: [x, shop] }", true),
        ("{ groups: [sho] }", false),
        ("{ kinds: [human, agent] }", true),
        ("{ kinds: [ci] }", false),
        ("{ issuers: ['https://id.example/*'] }", true),
        ("{ issuers: ['https://id.example'] }", false),
        ("{ claims: { team: shop } }", true),
        ("{ claims: { team: [hr, shop] } }", true),
        ("{ claims: { team: hr } }", false),
        ("{ claims: { level: 3 } }", true),
        ("{ claims: { level: '3' } }", false),
        ("{ claims: { tags: b } }", true),
        ("{ claims: { tags: c } }", false),
        ("{ claims: { absent: x } }", false),
        ("{ on_behalf_of: any }", true),
        ("{ on_behalf_of: none }", false),
        ("{ on_behalf_of: [alice] }", true),
        ("{ on_behalf_of: [carol] }", false),
        ("{ users: ['*'], groups: [agents], kinds: [agent], on_behalf_of: [bob] }", true),
        ("{ users: ['*'], groups: [agents], kinds: [human], on_behalf_of: [bob] }", false),
    ] {
        check(&format!("who: {who}, do: [read]"), &asked, matches);
    }
    let mut alone = Asked::default();
    alone.identity.on_behalf_of.clear();
    check("who: { on_behalf_of: none }, do: any", &alone, true);
    check("who: { on_behalf_of: any }, do: any", &alone, false);
    let mut ci = Asked::default();
    ci.identity.kind = IdentityKind::Ci;
    check("who: { kinds: [ci] }, do: any", &ci, true);
}

#[test]
fn on_which_target() {
    let asked = Asked::default();
    for (place, matches) in [
        ("{ targets: [orders-db] }", true),
        ("{ targets: ['orders-*'] }", true),
        ("{ targets: [orders] }", false),
        ("{ labels: { env: prod } }", true),
        ("{ labels: { env: [dev, prod], team: shop } }", true),
        ("{ labels: { env: prod, team: hr } }", false),
        ("{ labels: { tier: 1 } }", false),
        ("{ roles: [readonly] }", true),
        ("{ roles: ['read*'] }", true),
        ("{ roles: [migrator] }", false),
        ("{ kinds: [mysql, postgres] }", true),
        ("{ kinds: [mysql] }", false),
        ("{ targets: [orders-db], labels: { env: prod }, roles: [readonly], kinds: [postgres] }", true),
        ("{ targets: [other], labels: { env: prod }, roles: [readonly], kinds: [postgres] }", false),
    ] {
        check(&format!("who: any, on: {place}, do: [read]"), &asked, matches);
    }
    let mut tier = Asked::default();
    tier.target.labels.insert("tier".to_owned(), "1".to_owned());
    check("who: any, on: { labels: { tier: 1 } }, do: any", &tier, true);
}

#[test]
fn effects() {
    for effect in Effect::ALL.iter().filter(|effect| **effect != Effect::Tunnel) {
        let asked = Asked::actions([on(*effect, "public.t")]);
        check(&format!("who: any, do: [{effect}]"), &asked, true);
        check("who: any, do: any", &asked, true);
        for other in Effect::ALL.iter().filter(|other| *other != effect) {
            check(&format!("who: any, do: [{other}]"), &asked, false);
        }
    }
}

/// Another protocol can carry anything: it is allowed where a rule names the place, and denied by any that means it.
#[test]
fn a_tunnel_is_allowed_by_rules_that_name_where_it_goes() {
    let asked = Asked::actions([on(Effect::Tunnel, "host:db:5432")]);
    for (rest, outcome) in [
        ("then: allow", Outcome::Deny),
        ("objects: ['*'], then: allow", Outcome::Deny),
        ("objects: ['host:*:5432'], then: allow", Outcome::Allow),
        ("objects: ['host:db:22'], then: allow", Outcome::Deny),
        ("then: approve, approval: { by: { groups: [dba] } }", Outcome::Deny),
        ("objects: ['host:db:*'], then: approve, approval: { by: { groups: [dba] } }", Outcome::Hold),
    ] {
        for effects in ["any", "[tunnel]"] {
            let rules = format!("rules: [{{ name: t, who: any, do: {effects}, {rest} }}]");
            assert_eq!(asked.outcome(&policy(&rules)), outcome, "{rules}");
        }
    }
    let both = "rules: [{ name: a, who: any, do: any, objects: ['host:*'], then: allow }, { name: d, who: any, do: [tunnel], then: deny }]";
    assert_eq!(asked.outcome(&policy(both)), Outcome::Deny);
}

#[test]
fn commands() {
    for (commands, argv, matches) in [
        ("['kubectl get *']", "kubectl get pods -n web", true),
        ("['kubectl get *']", "kubectl get", true),
        ("['kubectl get *']", "kubectl delete pods", false),
        ("['kubectl get *']", "kubectl", false),
        ("['kubectl * pods']", "kubectl get pods", true),
        ("['kubectl * pods']", "kubectl get all pods", false),
        ("[uptime]", "uptime", true),
        ("[uptime]", "uptime -p", false),
        ("['cat /var/log/*']", "cat /var/log/a.log", true),
        ("['cat /var/log/*']", "cat /var/log/a /etc/shadow", false),
        ("[\"grep 'two words' *\"]", "grep 'two words' /a", true),
        ("['grep two words *']", "grep 'two words' /a", false),
        ("[ls, 'df *']", "df -h", true),
    ] {
        let asked = Asked::actions([on(Effect::Read, &format!("command:{argv}"))]);
        check(&format!("who: any, do: [read], commands: {commands}"), &asked, matches);
    }
    // A star goes no way out for those who may, and every way for those who may not.
    for (pattern, argv) in [
        ("cat /var/log/*", "cat /var/log/../../etc/shadow"),
        ("cat *.log", "cat --output=x.log"),
        ("cat /var/*/a", "cat /var/../a"),
    ] {
        let asked = Asked::actions([on(Effect::Read, &format!("command:{argv}"))]);
        let rule =
            |then: &str| format!("{{ name: {then}, who: any, do: [read], commands: ['{pattern}'], then: {then} }}");
        assert_eq!(asked.outcome(&policy(&format!("rules: [{}]", rule("allow")))), Outcome::Deny, "{argv}");
        let all = format!("rules: [{}, {{ name: all, who: any, do: any, then: allow }}]", rule("deny"));
        assert_eq!(asked.outcome(&policy(&all)), Outcome::Deny, "{argv}");
    }
    // A list of other objects does not speak of commands, and what cannot be told is meant by all alone.
    for (rest, argv, outcome) in [
        ("objects: ['*.log']", "cat a.log", Outcome::Deny),
        ("objects: ['*']", "cat a.log", Outcome::Allow),
        ("objects: ['path:/x'], commands: ['cat *']", "cat a.log", Outcome::Allow),
        ("commands: ['*']", "?.", Outcome::Deny),
        ("commands: ['*']", "anything at all", Outcome::Allow),
    ] {
        let asked = Asked::actions([on(Effect::Read, &format!("command:{argv}"))]);
        let rules = format!("rules: [{{ name: r, who: any, do: [read], {rest}, then: allow }}]");
        assert_eq!(asked.outcome(&policy(&rules)), outcome, "{rest} {argv}");
    }
}

#[test]
fn objects() {
    for (objects, name, matches) in [
        ("[public.orders]", "public.orders", true),
        ("[public.orders]", "public.Orders", false),
        ("[public.orders]", "public.orders_old", false),
        ("['public.*']", "public.orders", true),
        ("['*.orders']", "archive.orders", true),
        ("['*']", "public.orders", true),
        ("[public.a, public.orders]", "public.orders", true),
        ("['relation:public.*']", "public.orders", true),
        ("['function:public.*']", "public.orders", false),
        ("['function:public.*']", "function:public.f", true),
        ("['public.*']", "function:public.f", true),
        ("['path:/api/*']", "path:/api/v1/users", true),
    ] {
        let asked = Asked::actions([on(Effect::Read, name)]);
        check(&format!("who: any, do: [read], objects: {objects}"), &asked, matches);
    }
}

/// A name that may stand for anything: an allow does not cover it unless it covers everything, a deny does, and an approval is asked for.
/// One that the target does not have may only be what others make of that very name.
#[test]
fn unresolved_objects_count_against_the_client() {
    let any = "{ name: a, who: any, do: any, then: allow }";
    for (name, rest, outcome) in [
        ("??.orders", "objects: [public.secret], then: deny", Outcome::Deny),
        ("?.", "objects: [public.secret], then: deny", Outcome::Deny),
        ("?.orders", "objects: [public.secret, 'secret.*', '*.secret'], then: deny", Outcome::Allow),
        ("?.secret", "objects: [public.secret], then: deny", Outcome::Deny),
        ("?.secret", "objects: ['*'], then: deny", Outcome::Deny),
        ("?.secret", "objects: ['public.*'], then: deny", Outcome::Allow),
        ("?.public.secret", "objects: ['public.*'], then: deny", Outcome::Deny),
        ("?.secret", "objects: ['public.sec*'], then: deny", Outcome::Deny),
        ("?.public.secret", "objects: ['public.secret'], then: deny", Outcome::Deny),
        ("?.other.secret", "objects: ['public.secret'], then: deny", Outcome::Allow),
        ("??.orders", "objects: [public.secret], then: approve, approval: { by: { groups: [dba] } }", Outcome::Hold),
        ("?.secret", "objects: [public.secret], then: approve, approval: { by: { groups: [dba] } }", Outcome::Hold),
        ("?.orders", "objects: [public.secret], then: approve, approval: { by: { groups: [dba] } }", Outcome::Allow),
    ] {
        let rules = format!("rules: [{any}, {{ name: d, who: any, do: [read], {rest} }}]");
        assert_eq!(Asked::actions([read(name)]).outcome(&policy(&rules)), outcome, "{name} {rest}");
        // Alone, neither an approval nor a denial covers it.
        let alone = format!("rules: [{{ name: d, who: any, do: [read], {rest} }}]");
        let covered = rest.contains("'*'");
        assert!(covered || Asked::actions([read(name)]).outcome(&policy(&alone)) == Outcome::Deny, "{name} {rest}");
    }
    let asked = Asked::actions([read("??.orders")]);
    for (rules, outcome) in [
        ("[{ name: a, who: any, do: [read], then: allow }]", Outcome::Allow),
        ("[{ name: a, who: any, do: [read], objects: ['*'], then: allow }]", Outcome::Allow),
        ("[{ name: a, who: any, do: [read], objects: ['*.orders', 'relation:*', '?*'], then: allow }]", Outcome::Deny),
        (
            "[{ name: a, who: any, do: any, then: allow }, { name: d, who: any, do: [read], objects: [public.secret], then: deny }]",
            Outcome::Deny,
        ),
        (
            "[{ name: a, who: any, do: any, then: allow }, { name: d, who: any, do: [write], objects: [public.secret], then: deny }]",
            Outcome::Allow,
        ),
    ] {
        assert_eq!(asked.outcome(&policy(&format!("rules: {rules}"))), outcome, "{rules}");
    }
}

/// Lists of tables do not speak of a session's own settings: an allow covers those unless it names settings, a deny only by name.
#[test]
fn settings_of_a_session() {
    let asked = Asked::actions([on(Effect::Session, "setting:application_name")]);
    let allow = "{ name: a, who: any, do: [session], objects: [public.x], then: allow }";
    for (rules, outcome) in [
        (format!("[{allow}]"), Outcome::Allow),
        (
            "[{ name: a, who: any, do: [session], objects: [public.x, 'setting:timezone'], then: allow }]".to_owned(),
            Outcome::Deny,
        ),
        (format!("[{allow}, {{ name: d, who: any, do: any, objects: [public.x], then: deny }}]"), Outcome::Allow),
        (
            format!("[{allow}, {{ name: d, who: any, do: any, objects: ['setting:application_name'], then: deny }}]"),
            Outcome::Deny,
        ),
    ] {
        assert_eq!(asked.outcome(&policy(&format!("rules: {rules}"))), outcome, "{rules}");
    }
}

/// An action without an object is covered by an allow whatever its objects, and not meant by a deny that names some.
#[test]
fn actions_without_objects() {
    let asked = Asked::actions([Action::bare(Effect::Session)]);
    for (rules, outcome) in [
        ("[{ name: a, who: any, do: [session], objects: [public.x], then: allow }]", Outcome::Allow),
        (
            "[{ name: a, who: any, do: any, then: allow }, { name: d, who: any, do: any, objects: ['*'], then: deny }]",
            Outcome::Allow,
        ),
        ("[{ name: a, who: any, do: any, then: allow }, { name: d, who: any, do: any, then: deny }]", Outcome::Deny),
    ] {
        assert_eq!(asked.outcome(&policy(&format!("rules: {rules}"))), outcome, "{rules}");
    }
}

#[test]
fn flags() {
    for value in [false, true] {
        let unbounded = Asked { flags: Flags { unbounded: value, multi: false }, ..Asked::default() };
        let multi = Asked { flags: Flags { unbounded: false, multi: value }, ..Asked::default() };
        let transaction = Asked { in_transaction: value, ..Asked::default() };
        for wanted in [false, true] {
            let matches = wanted == value;
            check(&format!("who: any, do: any, if: {{ unbounded: {wanted} }}"), &unbounded, matches);
            check(&format!("who: any, do: any, if: {{ multi: {wanted} }}"), &multi, matches);
            check(&format!("who: any, do: any, if: {{ in_transaction: {wanted} }}"), &transaction, matches);
        }
    }
}

#[test]
fn hours() {
    for (now, matches) in [("2026-01-15T07:00:00Z", true), ("2026-01-15T17:00:00Z", false)] {
        let asked = Asked { now: now.parse().unwrap(), ..Asked::default() };
        check("who: any, do: any, if: { hours: '08:00-18:00 Europe/Berlin' }", &asked, matches);
    }
}

#[test]
fn from() {
    for (from, matches) in [
        ("10.1.2.3", true),
        ("11.1.2.3", false),
        ("::ffff:10.1.2.3", true),
        ("2001:db8::1", true),
        ("2001:db9::1", false),
        ("192.0.2.1", true),
    ] {
        let asked = Asked { from: Some(from.parse().unwrap()), ..Asked::default() };
        check("who: any, do: any, if: { from: [10.0.0.0/8, '2001:db8::/32', 192.0.2.1] }", &asked, matches);
    }
}

/// Nothing that cannot be judged helps the client: an allow does not match, a deny does.
#[test]
fn doubt_counts_against_the_client() {
    let unknown_address = Asked { from: None, ..Asked::default() };
    let no_claim = Asked::default();
    for (body, asked) in [
        ("who: any, do: any, if: { from: [10.0.0.0/8] }", &unknown_address),
        ("who: any, do: any, when: 'identity.claims.absent == 1'", &no_claim),
        ("who: any, do: any, when: 'identity.subject'", &no_claim),
        ("who: any, do: any, when: 'command.objects[7] == identity.subject'", &no_claim),
        ("who: any, do: any, when: 'timestamp(now + identity.subject) == timestamp(now)'", &no_claim),
    ] {
        for (then, more) in [("allow", ""), ("approve", ", approval: { by: { groups: [dba] } }"), ("deny", "")] {
            let text = format!("rules: [{{ name: r, {body}, then: {then}{more} }}]");
            assert_eq!(asked.outcome(&policy(&text)), Outcome::Deny, "{text}");
        }
        let text = format!("rules: [{{ name: a, who: any, do: any, then: allow }}, {{ name: d, {body}, then: deny }}]");
        let verdict = asked.of(&policy(&text));
        assert_eq!((verdict.outcome, verdict.rules), (Outcome::Deny, vec!["d".to_owned()]), "{text}");
    }
}

#[test]
fn when() {
    let mut asked = Asked::actions([read("public.orders"), on(Effect::Delete, "public.items")]);
    for (when, matches) in [
        ("identity.claims.team == target.labels.team", true),
        ("'delete' in command.effects && 'public.items' in command.objects", true),
        ("command.unbounded", false),
        ("role == 'migrator'", false),
        ("identity.task == 'refund'", true),
        ("timestamp(now) > timestamp('2026-01-01T00:00:00Z')", true),
    ] {
        check(&format!("who: any, do: any, when: \"{when}\""), &asked, matches);
    }
    asked.identity = agent();
    asked.identity.claims.clear();
    let text = "rules: [{ name: r, who: any, do: any, when: \"has(identity.claims.team)\", then: allow }]";
    assert_eq!(asked.outcome(&policy(text)), Outcome::Deny);
}
