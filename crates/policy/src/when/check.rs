//! What a condition may use, and what it uses.

use cel::IdedExpr;
use cel::common::ast::{EntryExpr, Expr, LiteralValue, MapExpr, operators};

/// What a condition looks at: decides when it is evaluated and whether a verdict may be cached.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Uses {
    /// The command; without it the condition is fixed for a session, if it does not look at the time either.
    pub(crate) command: bool,
    /// Whether a transaction is open, which is not part of a command's shape.
    pub(crate) in_transaction: bool,
    /// The time.
    pub(crate) now: bool,
    /// How deep loops are nested.
    pub(crate) loop_depth: u32,
    /// Nodes inside of loops, functions that look through a text counted more than once.
    pub(crate) loop_nodes: usize,
    /// The longest list written in the condition itself.
    pub(crate) longest_literal: usize,
}

/// What is wrong, and with which node.
pub(crate) struct Fault {
    pub(crate) id: u64,
    pub(crate) message: String,
}

/// Brackets and unary operators that may be open at once. The parser recurses; its own limit counts grammar rules, this
/// one is checked before it starts.
const MAX_NESTING: usize = 16;

/// Loops within loops.
const MAX_LOOPS: u32 = 2;

/// The longest regular expression. It is compiled at each evaluation.
const MAX_REGEX_BYTES: usize = 256;

/// What a text search costs, in nodes.
const SEARCH_COST: usize = 16;

const IDENTITY: &[&str] = &["subject", "issuer", "kind", "groups", "on_behalf_of", "task", "claims"];
const TARGET: &[&str] = &["name", "kind", "labels"];
const COMMAND: &[&str] = &["effects", "objects", "unbounded", "multi", "in_transaction"];

/// Functions that neither build data nor look at anything but their arguments.
const FUNCTIONS: &[&str] = &[
    "size",
    "contains",
    "startsWith",
    "endsWith",
    "matches",
    "int",
    "uint",
    "double",
    "string",
    "bool",
    "timestamp",
    "duration",
    "getFullYear",
    "getMonth",
    "getDayOfYear",
    "getDayOfMonth",
    "getDate",
    "getDayOfWeek",
    "getHours",
    "getMinutes",
    "getSeconds",
    "getMilliseconds",
];

/// Refuses what nests deeply, before the parser sees it. Strings are skipped; a quote that never closes is the parser's
/// to complain about.
pub(super) fn nesting(source: &str) -> Result<(), String> {
    let (mut depth, mut run, mut choices) = (0_usize, 0_usize, 0_usize);
    let mut quote: Option<char> = None;
    let mut escaped = false;
    for letter in source.chars() {
        if letter.is_control() && !matches!(letter, '\n' | '\r' | '\t') {
            return Err("control characters have no place in a condition: remove them".to_owned());
        }
        if let Some(open) = quote {
            match letter {
                _ if escaped => escaped = false,
                '\\' => escaped = true,
                _ if letter == open => quote = None,
                _ => {}
            }
            continue;
        }
        match letter {
            '\'' | '"' => quote = Some(letter),
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth = depth.saturating_sub(1),
            '?' => choices += 1,
            _ => {}
        }
        run = match letter {
            '!' | '-' => run + 1,
            ' ' | '\n' | '\r' | '\t' => run,
            _ => 0,
        };
        if depth > MAX_NESTING || run > MAX_NESTING || choices > MAX_NESTING {
            return Err(format!("nested more than {MAX_NESTING} deep: split the rule"));
        }
    }
    Ok(())
}

/// Walks the whole expression.
pub(super) fn check(expression: &IdedExpr, command: bool) -> Result<Uses, Fault> {
    let mut walk = Walk { uses: Uses::default(), command, variables: Vec::new(), loops: 0, depth: 0 };
    walk.expression(expression)?;
    Ok(walk.uses)
}

/// How deep the tree may be; long chains of operators are deep on one side.
const MAX_TREE: usize = 256;

struct Walk<'a> {
    uses: Uses,
    command: bool,
    /// Variables of loops around this point.
    variables: Vec<&'a str>,
    loops: u32,
    depth: usize,
}

impl<'a> Walk<'a> {
    fn expression(&mut self, node: &'a IdedExpr) -> Result<(), Fault> {
        let fault = |message: String| Err(Fault { id: node.id, message });
        self.depth += 1;
        if self.depth > MAX_TREE {
            return fault("too long a chain of operators: split the rule".to_owned());
        }
        if self.loops > 0 {
            self.uses.loop_nodes += 1;
        }
        match &node.expr {
            Expr::Unspecified => return fault("not an expression".to_owned()),
            Expr::Literal(_) => {}
            Expr::Ident(name) => self.name(node.id, name, None)?,
            Expr::Select(select) => match &select.operand.expr {
                Expr::Ident(name) => self.name(node.id, name, Some(&select.field))?,
                Expr::Unspecified
                | Expr::Call(_)
                | Expr::Comprehension(_)
                | Expr::List(_)
                | Expr::Literal(_)
                | Expr::Map(_)
                | Expr::Select(_)
                | Expr::Struct(_) => self.expression(&select.operand)?,
            },
            Expr::Call(call) => {
                self.function(node.id, &call.func_name, call.args.last())?;
                for part in call.target.iter().map(AsRef::as_ref).chain(&call.args) {
                    self.expression(part)?;
                }
            }
            Expr::List(list) => {
                self.uses.longest_literal = self.uses.longest_literal.max(list.elements.len());
                for part in &list.elements {
                    self.expression(part)?;
                }
            }
            Expr::Map(map) => self.map(map)?,
            Expr::Struct(_) => {
                return fault("there are no message types here: compare plain values".to_owned());
            }
            Expr::Comprehension(_) => self.looped(node)?,
        }
        self.depth -= 1;
        Ok(())
    }

    fn map(&mut self, map: &'a MapExpr) -> Result<(), Fault> {
        self.uses.longest_literal = self.uses.longest_literal.max(map.entries.len());
        for entry in &map.entries {
            match &entry.expr {
                EntryExpr::MapEntry(entry) => {
                    self.expression(&entry.key)?;
                    self.expression(&entry.value)?;
                }
                EntryExpr::StructField(field) => self.expression(&field.value)?,
            }
        }
        Ok(())
    }

    /// `all`, `exists`, `exists_one`. What builds lists is refused: its size could not be told beforehand.
    fn looped(&mut self, node: &'a IdedExpr) -> Result<(), Fault> {
        let Expr::Comprehension(body) = &node.expr else {
            return Ok(());
        };
        let fault = |message: &str| Err(Fault { id: node.id, message: message.to_owned() });
        if matches!(body.accu_init.expr, Expr::List(_) | Expr::Map(_)) {
            return fault("`map` and `filter` are not available: use `exists`, `all` or `exists_one`");
        }
        let root = |name: &str| ["identity", "target", "command", "role", "now"].contains(&name);
        if root(&body.iter_var) || body.iter_var2.as_deref().is_some_and(root) {
            return fault("a loop's variable hides a name of the same spelling: rename it");
        }
        self.expression(&body.iter_range)?;
        self.expression(&body.accu_init)?;
        self.loops += 1;
        if self.loops > MAX_LOOPS {
            return fault("more than two loops within each other: split the rule");
        }
        self.uses.loop_depth = self.uses.loop_depth.max(self.loops);
        let outer = self.variables.len();
        self.variables.push(&body.iter_var);
        self.variables.extend(body.iter_var2.as_deref());
        self.variables.push(&body.accu_var);
        self.expression(&body.loop_cond)?;
        self.expression(&body.loop_step)?;
        self.expression(&body.result)?;
        self.variables.truncate(outer);
        self.loops -= 1;
        Ok(())
    }

    /// A name, with the field that is taken from it, if any.
    fn name(&mut self, id: u64, name: &str, field: Option<&str>) -> Result<(), Fault> {
        let fault = |message: String| Err(Fault { id, message });
        if self.variables.contains(&name) {
            return Ok(());
        }
        let fields = match name {
            "identity" => IDENTITY,
            "target" => TARGET,
            "command" if !self.command => {
                return fault(
                    "`command` is not known here: masks and limits hold for a session, not for one command".to_owned(),
                );
            }
            "command" => {
                self.uses.command = true;
                self.uses.in_transaction |= field.is_none_or(|field| field == "in_transaction");
                COMMAND
            }
            "now" => {
                self.uses.now = true;
                &[]
            }
            "role" => &[],
            _ => {
                return fault(format!(
                    "`{}` is not known: use identity, target, role, {}now",
                    name.escape_debug(),
                    if self.command { "command, " } else { "" }
                ));
            }
        };
        match field {
            Some(field) if fields.is_empty() => {
                fault(format!("`{name}` is a text, it has no `{}`", field.escape_debug()))
            }
            Some(field) if !fields.contains(&field) => {
                fault(format!("`{name}` has no `{}`: use one of {}", field.escape_debug(), fields.join(", ")))
            }
            Some(_) | None => Ok(()),
        }
    }

    fn function(&mut self, id: u64, name: &str, last: Option<&IdedExpr>) -> Result<(), Fault> {
        use operators::{
            ADD, CONDITIONAL, DIVIDE, EQUALS, GREATER, GREATER_EQUALS, IN, INDEX, LESS, LESS_EQUALS, LOGICAL_AND,
            LOGICAL_NOT, LOGICAL_OR, MODULO, MULTIPLY, NEGATE, NOT_EQUALS, NOT_STRICTLY_FALSE, SUBSTRACT,
        };
        const OPERATORS: &[&str] = &[
            ADD,
            CONDITIONAL,
            DIVIDE,
            EQUALS,
            GREATER,
            GREATER_EQUALS,
            IN,
            INDEX,
            LESS,
            LESS_EQUALS,
            LOGICAL_AND,
            LOGICAL_NOT,
            LOGICAL_OR,
            MODULO,
            MULTIPLY,
            NEGATE,
            NOT_EQUALS,
            NOT_STRICTLY_FALSE,
            SUBSTRACT,
        ];
        let fault = |message: String| Err(Fault { id, message });
        if self.loops > 0 && [IN, ADD, EQUALS, NOT_EQUALS, "contains"].contains(&name) {
            self.uses.loop_nodes += SEARCH_COST;
        }
        if OPERATORS.contains(&name) {
            return Ok(());
        }
        if !FUNCTIONS.contains(&name) {
            return fault(format!(
                "`{}` is not available: use operators, `in`, has, exists, all, exists_one, {}",
                name.escape_debug(),
                FUNCTIONS.join(", ")
            ));
        }
        if name == "matches" {
            if self.loops > 0 {
                return fault("`matches` in a loop would be compiled again for each element: use startsWith, endsWith or contains".to_owned());
            }
            return regex(id, last);
        }
        Ok(())
    }
}

/// A regular expression is written out, so that it is known to be one and not the client's choice.
fn regex(id: u64, argument: Option<&IdedExpr>) -> Result<(), Fault> {
    let fault = |message: String| Err(Fault { id, message });
    let Some(Expr::Literal(LiteralValue::String(pattern))) = argument.map(|argument| &argument.expr) else {
        return fault("the pattern of `matches` must be written as a text".to_owned());
    };
    let pattern = pattern.inner();
    if pattern.len() > MAX_REGEX_BYTES {
        return fault(format!("a pattern longer than {MAX_REGEX_BYTES} bytes: shorten it"));
    }
    super::values::is_regex(pattern)
        .or_else(|()| fault("the pattern of `matches` is not a regular expression, or too large a one".to_owned()))
}
