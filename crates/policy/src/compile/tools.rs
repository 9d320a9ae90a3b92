//! `tools`: what programs of targets do. What their words and options mean is for whoever reads command lines; here it is checked that they are
//! plain, short and few.

use model::{Effect, EffectSet, Tool, ToolPart};

use super::Compiler;
use crate::error::{Errors, Place};
use crate::syntax::RawTool;
use crate::syntax::values::{At, WordOr};

/// Entries that a policy may have. They are read whenever a policy comes into force, by every worker.
pub(super) const MAX_TOOLS: usize = 2000;
/// The longest command, in characters.
const MAX_COMMAND_CHARS: usize = 400;
/// The longest list of options, in characters; the longest of the gateway's own tables has 1,500.
const MAX_OPTIONS_CHARS: usize = 4000;
/// The longest reason, in characters.
const MAX_WHY_CHARS: usize = 200;

/// An entry, and where its parts stand.
#[derive(Clone, Debug)]
pub(crate) struct Placed {
    pub(crate) tool: Tool,
    pub(crate) places: Places,
}

/// Where the parts of an entry stand.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Places {
    command: Place,
    does: Place,
    options: Place,
}

impl Places {
    pub(crate) const fn of(&self, part: ToolPart) -> Place {
        match part {
            ToolPart::Command => self.command,
            ToolPart::Does => self.does,
            ToolPart::Options => self.options,
        }
    }
}

/// In the order of their commands, so that the order of the text cannot matter.
pub(super) fn sorted(mut tools: Vec<Placed>, errors: &mut Errors<'_>) -> Vec<Placed> {
    if tools.len() > MAX_TOOLS {
        errors.add(Place::default(), format!("more than {MAX_TOOLS} tools: join those that do the same with `|`"));
    }
    tools.sort_by(|a, b| (&a.tool.command, &a.tool.options).cmp(&(&b.tool.command, &b.tool.options)));
    tools
}

impl Compiler<'_, '_> {
    pub(super) fn tool(&mut self, raw: &At<RawTool>) -> Placed {
        let At { value: raw, .. } = raw;
        self.line(&raw.command, "a command", MAX_COMMAND_CHARS);
        let does = match &raw.does.value {
            WordOr::Word(effect) => std::iter::once(effect.0).collect(),
            WordOr::Other(effects) => {
                self.filled(raw.does.place, "does", &effects.0);
                effects.0.iter().copied().collect()
            }
        };
        self.does(raw.does.place, does);
        if let Some(options) = &raw.options {
            self.line(options, "a list of options", MAX_OPTIONS_CHARS);
        }
        if let Some(why) = &raw.why {
            self.line(why, "a reason", MAX_WHY_CHARS);
        }
        let text = |text: Option<&At<String>>| text.map(|text| text.value.trim().to_owned());
        Placed {
            tool: Tool {
                command: raw.command.value.trim().to_owned(),
                does,
                options: text(raw.options.as_ref()),
                why: text(raw.why.as_ref()).unwrap_or_default(),
            },
            places: Places {
                command: self.place(raw.command.place),
                does: self.place(raw.does.place),
                options: self.place(raw.options.as_ref().map_or(raw.command.place, |options| options.place)),
            },
        }
    }

    fn does(&mut self, place: Place, does: EffectSet) {
        for effect in [Effect::Connect, Effect::Session] {
            if does.contains(effect) {
                self.fault(place, format!("no program does `{effect}`: a session does; use read, write and so on"));
            }
        }
    }

    fn line(&mut self, text: &At<String>, what: &str, most: usize) {
        let long = text.value.chars().count() > most;
        if text.value.trim().is_empty() || long || text.value.chars().any(char::is_control) {
            self.fault(text.place, format!("{what} is one line of 1 to {most} characters"));
        }
    }
}
