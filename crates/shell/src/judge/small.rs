//! Tools with a word or two that a row cannot say.

use model::Effect;

use super::{Call, Judge, Outcome};

impl Judge<'_> {
    /// An operand that is no format sets the clock.
    pub(super) fn date(&mut self, call: &Call<'_>) -> Outcome {
        let parsed = call.reader(false).read(call.rest);
        let mut outcome = Outcome { effects: parsed.effects, ..Outcome::default() }.and(Effect::Read);
        if let Some(why) = parsed.reason {
            self.say(format!("date: {why}"));
        }
        if parsed.operands.iter().any(|operand| !operand.text.starts_with('+') || operand.is_glob()) {
            self.say("date: an operand that may set the clock");
            outcome.effects.insert(Effect::Admin);
        }
        outcome.text()
    }

    /// iproute2: without a verb, and with those of looking, it reads. (`ip a s` might be `set` for some objects, so short verbs are no reading.)
    pub(super) fn ip(&mut self, call: &Call<'_>) -> Outcome {
        let parsed = call.reader(true).read(call.rest);
        if let Some(why) = parsed.reason {
            return self.execute(format!("ip: {why}"));
        }
        let words = call.rest.get(parsed.read..).unwrap_or_default();
        if words.iter().any(|word| word.is_glob()) {
            return self.unknown("ip: a glob");
        }
        let mut words = words.iter().map(|word| word.text.as_str());
        let object = words.next().unwrap_or_default();
        let verb = words.next();
        let known = matches!(
            object,
            "" | "a"
                | "addr"
                | "address"
                | "l"
                | "link"
                | "r"
                | "ro"
                | "route"
                | "n"
                | "neigh"
                | "neighbour"
                | "neighbor"
                | "ru"
                | "rule"
                | "maddr"
                | "maddress"
                | "tunnel"
                | "netns"
                | "vrf"
                | "nexthop"
        );
        let looks = matches!(verb, None | Some("show" | "sh" | "list" | "ls" | "lst" | "get"));
        match (known, looks, object) {
            (true, true, _) => Outcome::of(parsed.effects.iter().chain([Effect::Read])),
            (true, false, "netns" | "vrf") => self.execute("ip: may run a command"),
            _ => Outcome::of([Effect::Admin]),
        }
    }

    /// `git branch` and `git tag`: a name makes one, unless patterns are asked for. (`git branch -l` made one before git 2.20.)
    pub(super) fn refs(&mut self, call: &Call<'_>) -> Outcome {
        let parsed = call.reader(false).read(call.rest);
        let mut outcome = Outcome { effects: parsed.effects, ..Outcome::default() }.text();
        if let Some(why) = parsed.reason {
            self.say(format!("git: {why}"));
        }
        let lists = ["--list", "--contains", "--no-contains", "--points-at", "--merged", "--no-merged"];
        let listed =
            parsed.operands.is_empty() || parsed.options.iter().any(|(name, _)| lists.contains(&name.as_str()));
        if listed {
            outcome.effects.insert(Effect::Read);
        } else if outcome.effects.is_empty() {
            outcome.effects = [Effect::Create, Effect::Alter].into_iter().collect();
        }
        outcome
    }

    /// `service name status` asks; any other action starts or stops.
    pub(super) fn service(&mut self, call: &Call<'_>) -> Outcome {
        match call.rest {
            [all] if all.text == "--status-all" => Outcome::read(),
            [name, action] if !name.is_glob() && !name.text.starts_with('-') && action.text == "status" => {
                Outcome::read()
            }
            _ => Outcome::of([Effect::Admin]),
        }
    }

    /// A name reads, `name=value` writes.
    pub(super) fn sysctl(&mut self, call: &Call<'_>) -> Outcome {
        let parsed = call.reader(false).read(call.rest);
        let mut outcome = Outcome { effects: parsed.effects, ..Outcome::default() }.and(Effect::Read);
        if let Some(why) = parsed.reason {
            self.say(format!("sysctl: {why}"));
        }
        if parsed.operands.iter().any(|operand| operand.text.contains('=') || operand.is_glob()) {
            outcome.effects.insert(Effect::Admin);
        }
        outcome
    }
}
