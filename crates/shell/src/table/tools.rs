//! Rows from outside: what a policy says of programs.
//!
//! A policy may add programs and subcommands, and say more of those that the tables know: options, effects. What the tables know of harm stays.
//! Only `execute`, which says that nobody knows, may give way to what somebody knows; not where a program runs what its words, files or input say
//! (wrappers, shells, interpreters, `git` with its aliases, and whatever a rule of `judge` looks at): of these nobody can say that they are
//! harmless. Nothing that a policy says of one program changes what another does.

use std::collections::HashMap;

use model::{Effect, EffectSet, Tool, ToolFault, ToolPart};

use super::spec::{Opt, Spec, Value};
use super::{Row, What, alternatives, built_in};
use crate::parser::is_reserved;
use crate::transfer;

/// Words of one command: a program and what is below it.
const MOST_WORDS: usize = 6;
/// Rows that one entry may stand for, by its alternatives.
const MOST_PATHS: usize = 200;
/// Rows of all entries.
const MOST_ROWS: usize = 5_000;
/// Characters of a reason.
const MOST_REASON: usize = 200;

/// What somebody says of programs, beside the checked-in tables. The default says nothing.
#[derive(Debug, Default)]
pub struct Tools {
    rows: HashMap<String, Row>,
    remarks: Vec<ToolFault>,
}

/// What is wrong with one entry.
type Fault = (ToolPart, String);

impl Tools {
    /// Reads entries; their order does not matter. This takes time; asking does not.
    ///
    /// # Errors
    /// What cannot be meant, of each entry the first: a path in place of a name, options that are none, an entry for what another speaks of, less
    /// than the tables know.
    pub fn new(list: &[Tool]) -> Result<Self, Vec<ToolFault>> {
        let mut tools = Self::default();
        let mut faults = Vec::new();
        let mut entries: HashMap<String, usize> = HashMap::new();
        for (at, tool) in list.iter().enumerate() {
            let fault = |(part, message): Fault| ToolFault { tool: at, part, message };
            match tools.entry(tool, &mut entries, at) {
                Ok(remark) => tools.remarks.extend(remark.map(fault)),
                Err(wrong) => faults.push(fault(wrong)),
            }
        }
        if !faults.is_empty() {
            return Err(faults);
        }
        tools.mark_parents(entries.keys());
        Ok(tools)
    }

    /// What may be meant, but is odd.
    #[must_use]
    pub fn remarks(&self) -> &[ToolFault] {
        &self.remarks
    }

    /// The row of a tool, or of a subcommand: `kubectl get`.
    pub(crate) fn row(&self, path: &str) -> Option<&Row> {
        self.rows.get(path).or_else(|| built_in(path))
    }

    fn entry(&mut self, tool: &Tool, entries: &mut HashMap<String, usize>, at: usize) -> Result<Option<Fault>, Fault> {
        let paths = paths(&tool.command).map_err(|why| (ToolPart::Command, why))?;
        if tool.does.is_empty() {
            return Err((ToolPart::Does, "it does nothing: name an effect".to_owned()));
        }
        if let Some(options) = &tool.options {
            check_options(options).map_err(|why| (ToolPart::Options, why))?;
        }
        if self.rows.len() + paths.len() > MOST_ROWS {
            return Err((ToolPart::Command, format!("all tools together are more than {MOST_ROWS} commands")));
        }
        let mut remark = None;
        for path in paths {
            if entries.insert(path.clone(), at).is_some() {
                return Err((ToolPart::Command, format!("`{path}` is there twice: say it once")));
            }
            remark = remark.or_else(|| odd(&path, tool));
            let row = row(&path, tool)?;
            self.rows.insert(path, row);
        }
        Ok(remark)
    }

    /// A level above a row is looked through for subcommands; nothing else about it changes.
    fn mark_parents<'p>(&mut self, paths: impl Iterator<Item = &'p String>) {
        for path in paths {
            let mut path = path.as_str();
            while let Some((above, _)) = path.rsplit_once(' ') {
                let known = || built_in(above).cloned().unwrap_or_else(Row::between);
                self.rows.entry(above.to_owned()).or_insert_with(known).parent = true;
                path = above;
            }
        }
    }
}

/// The commands that an entry speaks of.
fn paths(command: &str) -> Result<Vec<String>, String> {
    let words: Vec<&str> = command.split(' ').filter(|word| !word.is_empty()).collect();
    let (Some(programs), true) = (words.first(), words.len() <= MOST_WORDS) else {
        return Err(format!("a command is a program and its subcommands, {MOST_WORDS} words at most"));
    };
    let mut number = 1_usize;
    for word in &words {
        number = number.saturating_mul(word.split('|').count());
    }
    if number > MOST_PATHS {
        return Err(format!("these are {number} commands: at most {MOST_PATHS} in one entry"));
    }
    programs.split('|').try_for_each(check_program)?;
    words.iter().skip(1).flat_map(|word| word.split('|')).try_for_each(check_word)?;
    Ok(alternatives(&words.join(" ")))
}

fn check_program(name: &str) -> Result<(), String> {
    if name.contains('/') {
        return Err(format!(
            "`{name}` is a path, and a name alone says which program it is: write the last part of it for programs in /bin, /usr/bin, /sbin, \
             /usr/sbin and /usr/local/bin; a program elsewhere is `execute`, and a rule's `commands` may allow it"
        ));
    }
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "_.+-".contains(letter);
    if !name.starts_with(|letter: char| letter.is_ascii_alphanumeric() || letter == '_') || !name.chars().all(plain) {
        return Err(format!("`{name}` is no plain name of a program"));
    }
    if is_reserved(name) {
        return Err(format!("`{name}` is a word of the shell's grammar, not a program"));
    }
    if transfer::PROGRAMS.contains(&name) {
        return Err(format!("`{name}` is judged by the paths that it touches: write rules for `path:…`"));
    }
    Ok(())
}

fn check_word(word: &str) -> Result<(), String> {
    if word.starts_with('-') {
        return Err(format!(
            "`{word}` is an option, not a subcommand: list it in `options`, with what it does (`-x!delete`)"
        ));
    }
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "_.+-:/@%,".contains(letter);
    if word.is_empty() || !word.chars().all(plain) {
        return Err(format!("`{word}` is no plain word of a subcommand"));
    }
    Ok(())
}

/// Options as a policy may word them: more strictly than the tables, whose rows are tested one by one.
fn check_options(options: &str) -> Result<(), String> {
    for word in options.split(' ').filter(|word| !word.is_empty()) {
        let (name, effects) = word.split_once('!').map_or((word, None), |(name, effects)| (name, Some(effects)));
        let known =
            |word: &str| Effect::parse(word).is_some_and(|effect| !matches!(effect, Effect::Connect | Effect::Session));
        if let Some(wrong) = effects.and_then(|effects| effects.split(',').find(|word| !known(word))) {
            return Err(format!("`{wrong}` in `{word}` is no effect of a program"));
        }
        check_option(name, effects.is_some()).map_err(|why| format!("`{word}`: {why}"))?;
    }
    Ok(())
}

fn check_option(name: &str, effects: bool) -> Result<(), &'static str> {
    const WORDS: &str = "options are written `-abc`, `-n:`, `--name`, `--name=`, `--name?`, with blanks between them; `any` says that none does harm";
    let letters = |text: &str, more: &str| {
        text.starts_with(|first: char| first.is_ascii_alphanumeric())
            && text.chars().all(|letter| letter.is_ascii_alphanumeric() || more.contains(letter))
    };
    match name {
        "any" | "+" | "~" | "^" | "single" | "text" if !effects => return Ok(()),
        "*" => return Err("write `any` where no option does harm"),
        _ => {}
    }
    if let Some(most) = name.strip_prefix("most:") {
        return most.parse::<u16>().map(|_| ()).map_err(|_| "write how many operands there may be: `most:1`");
    }
    if let Some(need) = name.strip_prefix("need:") {
        let fine = need.split(',').all(|option| option.len() > 1 && option.starts_with('-'));
        return if fine { Ok(()) } else { Err("write the options of which one must be there: `need:-a,--all`") };
    }
    let fine = match (name.strip_prefix("--"), name.strip_prefix('-')) {
        (Some(long), _) => letters(long.strip_suffix(['=', '?']).unwrap_or(long), "_.-"),
        // With `single`, these may be names of several letters, and have values as those do.
        (None, Some(short)) => letters(short, ":?_-="),
        (None, None) => false,
    };
    if fine { Ok(()) } else { Err(WORDS) }
}

fn spec(tool: &Tool, single: bool) -> Result<Spec, String> {
    let options = tool.options.as_deref().unwrap_or_default();
    // Names of options are of one kind in one program, and `single` comes first.
    let mut words: Vec<&str> = options.split(' ').map(|word| if word == "any" { "*" } else { word }).collect();
    words.sort_by_key(|word| *word != "single");
    if single {
        words.insert(0, "single");
    }
    let spec = Spec::of(&words.join(" "), &HashMap::new());
    if let Some(word) = spec.faults.first() {
        return Err(format!("`{word}` is no option"));
    }
    let mut seen = HashMap::new();
    for (name, option) in spec.options() {
        if seen.insert(name.clone(), option).is_some() {
            return Err(format!("`{name}` is there twice: say it once"));
        }
        if spec.single && name.contains(':') {
            return Err(format!("`{name}`: after `single`, an option with a value is written `-name=`"));
        }
        if name.len() == 2 && !name.ends_with(|letter: char| letter.is_ascii_alphanumeric()) {
            return Err(format!(
                "`{name}`: short options are letters and digits, and one with a value is written `-n:`"
            ));
        }
    }
    if spec.any && seen.values().any(|option| !option.effects.is_empty()) {
        return Err("`any` says that no option does harm: list options in place of it".to_owned());
    }
    if let Some(name) = spec.need.iter().flat_map(|(names, _)| names).find(|name| !seen.contains_key(&***name)) {
        return Err(format!("`need:` names `{name}`, which is not among the options"));
    }
    Ok(spec)
}

/// The row of an entry.
fn row(path: &str, tool: &Tool) -> Result<Row, Fault> {
    if let Some(closed) = closed(path) {
        return stricter(path, tool, &closed);
    }
    let known = built_in(path);
    let spec = spec(tool, known.is_some_and(|known| known.spec.single)).map_err(|why| (ToolPart::Options, why))?;
    match known {
        Some(known) => refined(path, known, tool, spec),
        None => added(path, tool, spec),
    }
}

fn of(tool: &Tool, spec: Spec) -> Row {
    let why: String = tool.why.chars().filter(|letter| !letter.is_control()).take(MOST_REASON).collect();
    Row { strict: true, ..Row::new(What::Effects(tool.does), spec, why) }
}

/// A program, or a subcommand, that the tables do not know.
fn added(path: &str, tool: &Tool, spec: Spec) -> Result<Row, Fault> {
    let mut above = path;
    while let Some((shorter, _)) = above.rsplit_once(' ') {
        above = shorter;
        // With a subcommand, other words after it would be subcommands that nobody knows, and no longer what it is about.
        if built_in(above).is_some_and(|row| !row.parent && !is_open(row)) {
            let why = format!(
                "the words after `{above}` say what it is about: it has no subcommands; a rule's `commands` may speak of `{path}`"
            );
            return Err((ToolPart::Command, why));
        }
    }
    keeps(path, &spec, spec.inherit)?;
    Ok(of(tool, spec))
}

/// Whether all that is known of a row is that nobody knows what it does, whatever its words are.
fn is_open(row: &Row) -> bool {
    let What::Effects(effects) = row.what else { return false };
    effects.contains(Effect::Execute) && less(row.spec.all_effects(), effects).is_empty() && row.spec.need.is_none()
}

/// What the tables know, and more.
fn refined(path: &str, known: &Row, tool: &Tool, spec: Spec) -> Result<Row, Fault> {
    let What::Effects(own) = known.what else {
        return Err((ToolPart::Command, format!("`{path}` is judged by its words")));
    };
    let free = own.contains(Effect::Execute);
    let missing = less(own, if free { with(tool.does, Effect::Execute) } else { tool.does });
    if !missing.is_empty() {
        let why = format!(
            "the gateway's table says that `{path}` does {}: a policy can add to that, not take from it; add {}",
            words(own),
            words(missing)
        );
        return Err((ToolPart::Does, why));
    }
    let bare = known.spec.is_bare() && known.spec.most.is_none() && known.spec.need.is_none() && !known.spec.any;
    let inherit = known.spec.inherit;
    keeps(path, &spec, spec.inherit || inherit)?;
    let mut spec = if free && bare { spec } else { merged(path, &known.spec, spec)? };
    spec.inherit |= inherit;
    let mut row = of(tool, spec);
    row.parent = known.parent;
    if row.reason.is_empty() {
        row.reason = known.reason.clone();
    }
    Ok(row)
}

fn merged(path: &str, known: &Spec, spec: Spec) -> Result<Spec, Fault> {
    let milder = [
        (spec.any && !known.any, "any"),
        (spec.worst && !known.worst, "~"),
        (spec.inherit && !known.inherit, "^"),
        (spec.single && !known.single, "single"),
        (spec.text && !known.text, "text"),
        (spec.most.is_some() && known.most.is_some(), "most:"),
        (spec.need.is_some() && known.need.is_some(), "need:"),
    ];
    if let Some((_, word)) = milder.iter().find(|(found, _)| *found) {
        let why = format!("the gateway's table knows the options of `{path}`: a policy can add some, but not `{word}`");
        return Err((ToolPart::Options, why));
    }
    let mut merged = known.clone();
    merged.extend(spec);
    Ok(merged)
}

/// Options that the tables know keep their meaning, also where they come from a level above.
fn keeps(path: &str, spec: &Spec, inherit: bool) -> Result<(), Fault> {
    let mut visible: Vec<&Spec> = built_in(path).map(|row| &row.spec).into_iter().collect();
    let (mut above, mut inherits) = (path, inherit);
    while inherits && let Some((shorter, _)) = above.rsplit_once(' ') {
        above = shorter;
        let row = built_in(above);
        visible.extend(row.map(|row| &row.spec));
        inherits = row.is_none_or(|row| row.spec.inherit);
    }
    let all: Vec<(String, Opt)> = visible.iter().flat_map(|spec| spec.options()).collect();
    for (name, option) in spec.options() {
        let lost = |known: Opt| !less(known.effects, option.effects).is_empty();
        if let Some(known) = visible.iter().find_map(|spec| spec.known(&name)) {
            if known.value != option.value || lost(known) {
                let known = written(&name, known);
                return Err((
                    ToolPart::Options,
                    format!("the gateway's table knows `{name}` of `{path}`: write it as `{known}`"),
                ));
            }
        } else if name.starts_with("--")
            // `--out` is `--output` to many programs.
            && let Some((full, _)) = all.iter().find(|(full, known)| full.starts_with(&name) && lost(*known))
        {
            let why = format!(
                "`{name}` of `{path}` may be short for `{full}`, which the gateway's table knows: leave it out"
            );
            return Err((ToolPart::Options, why));
        }
    }
    Ok(())
}

/// An option as a row has it.
fn written(name: &str, option: Opt) -> String {
    let short = !name.starts_with("--") && name.len() == 2;
    let value = match option.value {
        Value::None => "",
        Value::Required if short => ":",
        Value::Required => "=",
        Value::Optional => "?",
    };
    let effects = if option.effects.is_empty() { String::new() } else { format!("!{}", list(option.effects, ",")) };
    format!("{name}{value}{effects}")
}

/// Why nobody may say that a command is harmless: the command, or one above it, and what it is.
struct Closed {
    path: String,
    why: &'static str,
}

fn closed(path: &str) -> Option<Closed> {
    let ends = path.match_indices(' ').map(|(at, _)| at).chain([path.len()]);
    let known = ends.filter_map(|end| path.get(..end)).find_map(|path| {
        let why = why_closed(built_in(path)?)?;
        Some(Closed { path: path.to_owned(), why })
    });
    known.or_else(|| versioned(path))
}

fn why_closed(row: &Row) -> Option<&'static str> {
    const RUNS: &str = "runs what its words, files or input say";
    match row.what {
        What::Handler(
            "shell" | "interpreter" | "prefix" | "prefix1" | "detach" | "sudo" | "time" | "env" | "xargs",
        ) => Some(RUNS),
        What::Handler(_) => Some("is judged word by word"),
        What::Effects(effects) if effects.contains(Effect::Unknown) || row.spec.runs => Some(RUNS),
        What::Effects(_) => None,
    }
}

/// `python3.14` is `python` of a version that the tables do not know.
fn versioned(path: &str) -> Option<Closed> {
    let name = path.split(' ').next()?;
    let base = name.trim_end_matches(|letter: char| letter.is_ascii_digit() || ".-".contains(letter));
    let row = (base.len() > 2 && base.len() < name.len()).then(|| built_in(base)).flatten()?;
    let runs = row.spec.runs || matches!(row.what, What::Handler("shell" | "interpreter"));
    runs.then(|| Closed { path: base.to_owned(), why: "runs what its words, files or input say" })
}

/// What nobody may say is harmless: effects can be added to what it does.
fn stricter(path: &str, tool: &Tool, closed: &Closed) -> Result<Row, Fault> {
    let Closed { path: above, why } = closed;
    let Some(known) = built_in(path) else {
        let why = format!("`{above}` {why}, so no policy can say what `{path}` does; a rule's `commands` may allow it");
        return Err((ToolPart::Command, why));
    };
    if tool.options.is_some() {
        let why = format!("`{above}` {why}: a policy can add effects to what `{path}` does, but no options");
        return Err((ToolPart::Options, why));
    }
    let mut row = known.clone();
    match known.what {
        What::Handler(_) if less(tool.does, std::iter::once(Effect::Read).collect()).is_empty() => {
            let why =
                format!("`{above}` {why}: a policy can only add to what `{path}` does; name an effect beside `read`");
            return Err((ToolPart::Does, why));
        }
        What::Handler(_) => row.added = tool.does,
        What::Effects(own) => {
            let missing = less(own, tool.does);
            if !missing.is_empty() {
                let why =
                    format!("`{above}` {why}: a policy can only add to what `{path}` does; add {}", words(missing));
                return Err((ToolPart::Does, why));
            }
            row.what = What::Effects(tool.does);
        }
    }
    Ok(row)
}

/// What is allowed, and hardly meant.
fn odd(path: &str, tool: &Tool) -> Option<Fault> {
    let known = built_in(path)?;
    let What::Effects(own) = known.what else { return None };
    if own == tool.does && tool.options.is_none() {
        return Some((ToolPart::Command, format!("the gateway's table says the same of `{path}`: leave it out")));
    }
    let opened = own.contains(Effect::Execute) && !tool.does.contains(Effect::Execute);
    (opened && !known.parent && !path.contains(' ') && !own.contains(Effect::Export)).then(|| {
        (ToolPart::Command, format!("it speaks of `{path}` whatever its words are: name subcommands if it has any"))
    })
}

fn less(set: EffectSet, without: EffectSet) -> EffectSet {
    set.iter().filter(|effect| !without.contains(*effect)).collect()
}

fn with(mut set: EffectSet, effect: Effect) -> EffectSet {
    set.insert(effect);
    set
}

fn list(effects: EffectSet, between: &str) -> String {
    effects.iter().map(Effect::as_str).collect::<Vec<_>>().join(between)
}

fn words(effects: EffectSet) -> String {
    list(effects, ", ")
}
