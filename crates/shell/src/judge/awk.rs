//! `awk`: programs that compute and print are `read`; those that may open files or run commands are `execute`.

use model::Effect;

use super::{Call, Judge, Outcome};
use crate::globs::Kind;

impl Judge<'_> {
    pub(super) fn awk(&mut self, call: &Call<'_>) -> Outcome {
        let parsed = call.reader(true).read(call.rest);
        let mut outcome = Outcome { effects: parsed.effects, ..Outcome::default() }.and(Effect::Read);
        if let Some(why) = parsed.reason {
            self.say(format!("awk: {why}"));
        }
        let operands = call.rest.get(parsed.read..).unwrap_or_default();
        match operands.first() {
            Some(program) if program.kind == Kind::Constant => {
                if !is_harmless(&program.text) {
                    self.say("awk: a program that may write files or run commands");
                    outcome.effects.insert(Effect::Execute);
                }
            }
            Some(_) => return self.unknown("awk: a program that is not constant"),
            None => return self.execute("awk: no program"),
        }
        // gawk's files of its own: sockets.
        if operands.iter().skip(1).any(|operand| operand.text.contains("/inet")) {
            return self.execute("awk: a connection as a file");
        }
        outcome.text()
    }
}

/// What came before, for whether `/` begins a pattern or divides.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Before {
    /// A value: `/` divides.
    Value,
    /// An operator or nothing: `/` begins a pattern.
    Operator,
    /// A word after which awks differ.
    Word,
}

/// Words that open files, run commands or call by a name that is computed.
const HARMFUL: [&str; 6] = ["system", "getline", "eval", "close", "fflush", "extension"];

/// Whether a program only computes and prints to standard output. Whatever is not understood is not harmless.
fn is_harmless(program: &str) -> bool {
    let rest = program.chars().peekable();
    let (before, conditions) = (Before::Operator, Vec::new());
    Program { rest, before, printing: false, goes_on: false, conditions, asks: false }.all().is_some()
}

struct Program<'p> {
    rest: std::iter::Peekable<std::str::Chars<'p>>,
    before: Before,
    /// Since a `print` of this statement: `>` there opens a file.
    printing: bool,
    /// The line goes on behind its end.
    goes_on: bool,
    /// Of every open parenthesis whether it holds a condition: behind it a statement begins.
    conditions: Vec<bool>,
    /// The last word is one that a condition follows.
    asks: bool,
}

impl Program<'_> {
    fn all(&mut self) -> Option<()> {
        while let Some(letter) = self.rest.next() {
            self.token(letter)?;
        }
        Some(())
    }

    fn token(&mut self, letter: char) -> Option<()> {
        let goes_on = std::mem::take(&mut self.goes_on);
        let asks = std::mem::take(&mut self.asks);
        match letter {
            ' ' | '\t' => (self.goes_on, self.asks) = (goes_on, asks),
            '"' => {
                self.quoted('"')?;
                self.before = Before::Value;
            }
            '/' => match self.before {
                Before::Value => self.before = Before::Operator,
                Before::Operator => {
                    self.quoted('/')?;
                    self.before = Before::Value;
                }
                Before::Word => return None,
            },
            '#' => {
                self.goes_on = goes_on;
                while self.rest.next_if(|letter| *letter != '\n').is_some() {}
            }
            '|' => {
                self.rest.next_if_eq(&'|')?;
                (self.before, self.goes_on) = (Before::Operator, true);
            }
            ',' | '&' => (self.before, self.goes_on) = (Before::Operator, true),
            '\n' if goes_on => (self.before, self.goes_on) = (Before::Operator, true),
            '(' => {
                self.conditions.push(asks);
                self.before = Before::Operator;
            }
            ')' => {
                let condition = self.conditions.pop()?;
                self.before = if condition { Before::Word } else { Before::Value };
            }
            '>' if self.printing => return None,
            // Calls by a computed name, files to include, libraries to load; a line that goes on.
            '@' | '\\' | '`' => return None,
            '\n' | ';' | '{' | '}' => {
                self.printing = false;
                self.before = Before::Operator;
            }
            ']' => self.before = Before::Value,
            // `x++ / 2`, `x ++/2/`: awks agree, people do not.
            '+' | '-' if self.rest.next_if_eq(&letter).is_some() => self.before = Before::Word,
            _ if letter.is_ascii_alphanumeric() || letter == '_' || letter == '.' => self.word(letter)?,
            _ if letter.is_ascii() => self.before = Before::Operator,
            _ => return None,
        }
        Some(())
    }

    fn word(&mut self, first: char) -> Option<()> {
        let mut word = String::from(first);
        while let Some(letter) =
            self.rest.next_if(|letter| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '.'))
        {
            word.push(letter);
        }
        if HARMFUL.contains(&word.as_str()) {
            return None;
        }
        self.asks = matches!(word.as_str(), "if" | "while" | "for" | "switch");
        self.before = match word.as_str() {
            "print" | "printf" => {
                self.printing = true;
                Before::Word
            }
            "in" | "return" | "case" | "else" | "do" | "delete" | "exit" | "function" | "func" => Before::Word,
            "BEGIN" | "END" | "if" | "while" | "for" | "switch" => Before::Word,
            _ => Before::Value,
        };
        Some(())
    }

    /// Up to the closing letter on the same line. In a bracket of a pattern awks differ in what `/` is.
    fn quoted(&mut self, end: char) -> Option<()> {
        let mut bracket = false;
        loop {
            match self.rest.next()? {
                '\\' => {
                    self.rest.next().filter(|letter| *letter != '\n')?;
                }
                letter if letter == end => return (end == '"' || !bracket).then_some(()),
                '[' => bracket = true,
                ']' => bracket = false,
                '\n' => return None,
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::is_harmless;

    #[test]
    fn programs_that_compute_and_print_are_harmless() {
        let all = [
            "{print $1}",
            "NR>1 {print $2, $NF}",
            "$5 > 80 {print $1}",
            "/ERROR|WARN/ {n++} END {print n}",
            "{s+=$1} END {print s/NR}",
            "BEGIN{FS=\":\"} {printf \"%s %s\\n\", $1, $3}",
            "$1 ~ /^a\\/b$/",
            "!seen[$0]++",
            "{if ($3 >= 5) print}",
            "length > 80",
            "{print \"a > b | c\"}",
            "NR==FNR{a[$1];next} $1 in a",
            "{print ($1+$2)/2, (NR)/3}",
            "{print $1,\n  $2\n}\n$3 > 5 {n++}",
            "{if (($1 > 2) && ($2)) print $3 / 4}",
            "$9 ~ /^5/ || $9 == 404 {c[$9]++} END {for (k in c) print k, c[k]}",
        ];
        for program in all {
            assert!(is_harmless(program), "{program}");
        }
    }

    #[test]
    fn programs_that_may_do_more_are_not() {
        let all = [
            "BEGIN{system(\"rm -rf /\")}",
            "{print > \"/tmp/x\"}",
            "{print | \"sh\"}",
            "{\"ls\" | getline x}",
            "{getline < \"/etc/passwd\"}",
            "{print $1 > $2}",
            "{printf \"x\" >> \"y\"}",
            "@load \"x\"",
            "{f=\"system\"; @f(\"rm\")}",
            "{print |& \"sh\"}",
            "BEGIN{a=1/2|\"sh\"/3}",
            "{ print /x/ | \"sh\" }",
            "{ x = /[/]/ | \"sh\" }",
            "{print(1) > \"x\"}",
            "{print a?b:c > \"f\"}",
            "{print \"a\\\n\" > \"x\"}",
            "{print\"x",
            "{print 1,\n2 > \"o\"}",
            "{print 1, # more\n2 > \"o\"}",
            "{print 1 &&\n2 > \"o\"}",
            "{print 1 ||\n\n2 > \"o\"}",
            "{ if (1) /\"/; system(\"touch x\") } # \"",
            "{ while ((1)) /\"/; print 1 > \"o\" } # \"",
            "{print 1)",
        ];
        for program in all {
            assert!(!is_harmless(program), "{program}");
        }
    }
}
